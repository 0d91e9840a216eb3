/* sequence_scan.h: everybody's sequences of some business days, read by several threads out of one
 * snapshot. */
#ifndef TAKINGS_DOMAIN_SEQUENCE_SCAN_H
#define TAKINGS_DOMAIN_SEQUENCE_SCAN_H

#include "behaviour/sequence.h"
#include "db/db.h"

enum { SCAN_WORKERS = 16 };

struct scan {
	int32_t from_day, to_day; /* business dates, days since 1970; the second not included */
	struct sequence_wanted wanted;
	int dims[SEQUENCE_DIMS_ASKED]; /* dimension_id of each */
	/* Called for each person, by the thread of `worker` (0 up to workers_n): no two at once with
	 * the same. */
	void (*person)(void *arg, int worker, const struct sequence *q);
	/* Progress, from worker 0; may be NULL. */
	void (*shard_done)(void *arg, int done_n);
	void *arg;
};

/* Reads by `workers_n` connections, each in a transaction of one snapshot (scan_share). Worker 0 is
 * the calling thread. Within limits (may be NULL): ERR_TIMEOUT, ERR_INTERRUPTED where nobody waits
 * any more, within 100 ms; else the errors of db_query. */
MUST_CHECK enum err scan_run(const struct scan *s, struct db *const *dbs, int workers_n,
                             const struct db_limits *limits, struct errbuf *eb);

/* Lets the transaction of `other` (begun, nothing asked yet) see what that of `first` sees. */
MUST_CHECK enum err scan_share(struct db *first, struct db *other, struct errbuf *eb);

#endif
