/* activity_quarantine.h: what becomes of tracked events that were kept apart. */
#ifndef TAKINGS_DOMAIN_ACTIVITY_QUARANTINE_H
#define TAKINGS_DOMAIN_ACTIVITY_QUARANTINE_H

#include "base/arena.h"
#include "db/db.h"

/* Which ones: one by its id, or all open ones of a reason and field, up to the row `until`. NULL:
 * whichever. */
struct activity_choice {
	const char *id; /* decimal, as `until` */
	const char *reason, *field, *until;
};

/* In the caller's transaction. *n: how many. ERR_NOT_FOUND: there is none; ERR_BUSY: it was decided
 * on before; ERR_INVALID: it cannot be stored, with a sentence (of many: those stay open). */
MUST_CHECK enum err activity_quarantine_store(struct db *db, struct arena *a,
                                              const struct activity_choice *choice, int64_t *n,
                                              struct errbuf *eb);
MUST_CHECK enum err activity_quarantine_drop(struct db *db, const struct activity_choice *choice,
                                             int64_t *n, struct errbuf *eb);

#endif
