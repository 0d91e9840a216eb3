/* person.h: one person's data: shown, taken away, or given to nobody (016_activity_privacy.sql). */
#ifndef TAKINGS_DOMAIN_PERSON_H
#define TAKINGS_DOMAIN_PERSON_H

#include "base/arena.h"
#include "db/db.h"

struct person {
	const char *kind; /* user, anonymous, session */
	const char *id;   /* 1...ACTIVITY_ID_BYTES */
};

/* Who wants it; address and request_id may be NULL. */
struct person_asker {
	const char *actor, *address, *request_id;
};

/* All that is held, as JSON (in the arena). */
MUST_CHECK enum err person_export(struct db *db, struct arena *a, const struct person *p,
                                  const char **json, struct errbuf *eb);

/* `how`: erase or anonymise. The caller has begun a transaction and done nothing in it; this ends
 * it and begins the next, which the caller commits: from the end of the first one on nothing new
 * comes in. The line in the audit log is written. *certificate: JSON (in the arena). ERR_BUSY:
 * somebody reads what has to be changed for longer than one can wait; do it again. */
MUST_CHECK enum err person_forget(struct db *db, struct arena *a, const struct person *p,
                                  const char *how, const struct person_asker *asker,
                                  const char **certificate, struct errbuf *eb);

/* What the audit log calls the person (in the arena): a hash. */
MUST_CHECK enum err person_subject(struct db *db, struct arena *a, const struct person *p,
                                   const char **subject, struct errbuf *eb);

#endif
