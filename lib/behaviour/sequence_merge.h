/* sequence_merge.h: parts of one shard and day (sql/migrations/018_sequences.sql) become one. Pure:
 * bytes in, bytes out. */
#ifndef TAKINGS_BEHAVIOUR_SEQUENCE_MERGE_H
#define TAKINGS_BEHAVIOUR_SEQUENCE_MERGE_H

#include "base/buf.h"
#include "behaviour/sequence.h"

/* The columns of a part: people, events, seqs, sessions, amounts, d1 to d16. */
enum {
	SEQUENCE_PEOPLE,
	SEQUENCE_EVENTS,
	SEQUENCE_SEQS,
	SEQUENCE_SESSIONS,
	SEQUENCE_AMOUNTS,
	SEQUENCE_D1,
	SEQUENCE_COLUMNS = SEQUENCE_D1 + SEQUENCE_DIMS
};

/* Borrowed; at NULL where the column is NULL. */
struct sequence_columns {
	struct sequence_bytes of[SEQUENCE_COLUMNS];
};

struct sequence_merged {
	struct buf of[SEQUENCE_COLUMNS];
	bool is_null[SEQUENCE_COLUMNS];
};

void sequence_merged_init(struct sequence_merged *m);
void sequence_merged_fini(struct sequence_merged *m);

/* Events of people who are gone go, and so does "first day" where "not any more" was said. `whole`:
 * these are all parts there are, and what was said to take something back goes with it; else it
 * stays for the others. Events are no longer kept where one of the parts has some that are not.
 * ERR_INVALID: a part is damaged. What `out` had before is gone. */
MUST_CHECK enum err sequence_merge(const struct sequence_columns *parts, size_t n, bool whole,
                                   struct sequence_merged *out, struct errbuf *eb);

#endif
