/* access.h: what the jobs `user` and `key` have in common. */
#ifndef TAKINGS_BATCH_ACCESS_H
#define TAKINGS_BATCH_ACCESS_H

#include "base/conf.h"
#include "batch/jobs.h"
#include "db/db.h"

/* Who did it, as the audit log says. */
#define ACCESS_ACTOR "command line"

struct access_change {
	const char *statement; /* answers with one row where it changed something */
	const struct db_param *params;
	const char *action;      /* for the audit log */
	const char *object;      /* user:anna; NULL: "key:" and the key_id of the row */
	const char *detail;      /* a JSON object */
	const char *sessions_of; /* a user whose sessions end with it; NULL: of nobody */
};

/* analytics_db as the batch has it, with the schema this program knows. */
MUST_CHECK enum err access_open(struct db **out, const struct conf *conf, struct errbuf *eb);

/* The change and its line in the audit log, in one transaction. ERR_NOT_FOUND, without a text
 * in `eb`, where it answers with no row. `rs` (may be NULL) gets the row. */
MUST_CHECK enum err access_change(struct db *db, const struct access_change *change,
                                  struct rowset *rs, struct errbuf *eb);

/* A line in the audit log by itself. */
MUST_CHECK enum err access_note(struct db *db, const char *action, const char *object,
                                const char *detail, struct errbuf *eb);

#endif
