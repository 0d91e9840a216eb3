/* sequences.h: what becomes of sequences (sql/migrations/018_sequences.sql) besides being appended
 * to: people who move, days that are made later, parts that become one. By the connection of
 * activity.c, one call after another. */
#ifndef TAKINGS_STREAM_SEQUENCES_H
#define TAKINGS_STREAM_SEQUENCES_H

#include <stdbool.h>
#include <stdint.h>

#include "db/db.h"

/* What is left to do, and when it was last looked; all 0 to begin with. */
struct sequences {
	bool behind;        /* there are days to be made, as last seen */
	int64_t looked_ms;  /* when that was seen; 0: never */
	struct rowset many; /* shards and days with many parts, as last seen */
	int many_next;      /* the first of them that was not merged yet */
	int64_t counted_ms; /* when that was seen; 0: never */
	int appended;       /* transactions of events since then */
	int64_t failed_ms;  /* when something could not be done; 0: it could */
};

void sequences_fini(struct sequences *s);

/* Within the transaction of events, after activity_people_take(): appends what people who turned
 * out to be others had done as the others'. */
MUST_CHECK enum err sequences_move(struct sequences *s, struct db *db, struct errbuf *eb);

/* One step of what is left, in a transaction of its own: makes a day, else merges the parts of a
 * shard and day. *more: there may be more to do at once. What the database refuses is logged and
 * tried again later; other errors are those of a connection. */
MUST_CHECK enum err sequences_step(struct sequences *s, struct db *db, bool *more,
                                   struct errbuf *eb);

#endif
