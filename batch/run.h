/* run.h: what the parts of a run share.
 *
 *   plan   which days (run_plan.c)
 *   stage  facts of those days out of order_db, rows they should become (run_stage.c)
 *   write  one transaction a day into the cache tables (run_write.c)
 *
 * Everything staged lives in temporary tables of the one connection that also
 * holds the lock, so memory here does not grow with the data, and nothing is
 * left behind whenever the process dies. */
#ifndef TAKINGS_BATCH_RUN_H
#define TAKINGS_BATCH_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/conf.h"
#include "base/err.h"
#include "db/db.h"
#include "db/source.h"

struct run_options {
	const char *from, *to; /* requested days, both or neither NULL */
	bool if_due, dry_run, force;
};

struct run {
	const struct conf *conf;
	const struct run_options *opt;
	struct arena arena; /* lives as long as the run */
	struct db *db;
	struct source *source;

	/* settings as the text SQL takes */
	const char *timezone, *cutoff, *currency, *location, *profile, *counted;

	const char *run_id, *rules_id;
	bool rules_changed; /* days exist that were computed by other rules */
	const char *last_closed;
	const char *first_clock; /* of the oldest order, on its clock; NULL without orders */
	const char *snapshot;
	bool source_tried; /* order_db was needed, so its state is known */

	int64_t planned, written, unchanged, kept, orders;
	const char *first_day, *last_day;
	struct buf warnings; /* JSON array, unfinished: [ and objects */
};

/* Adds to the record of the run, the log and the answer of the program. */
void run_warn(struct run *r, const char *code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* ERR_NOTHING unless a closed day is due; sets last_closed. */
MUST_CHECK enum err run_check_due(struct run *r, struct errbuf *eb);

MUST_CHECK enum err run_plan(struct run *r, struct errbuf *eb);
MUST_CHECK enum err run_stage(struct run *r, struct errbuf *eb);
MUST_CHECK enum err run_write(struct run *r, struct errbuf *eb);
MUST_CHECK enum err run_print_differences(struct run *r, struct errbuf *eb);

/* Reads planned, kept, unchanged, first and last day back from the plan. */
MUST_CHECK enum err run_plan_count(struct run *r, struct errbuf *eb);

#endif
