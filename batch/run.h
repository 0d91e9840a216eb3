/* run.h: what the parts of a run share.
 *
 *   record the lock and what is written down about a run (run_record.c)
 *   rules  what counts on which day (run_rules.c)
 *   plan   which days (run_plan.c)
 *   window days and currencies in the words of order_db (run_window.c)
 *   stage  facts of those days out of order_db, rows they should become (run_stage.c)
 *   write  one transaction a day into the cache tables (run_write.c)
 *   reconcile  the same days as the stream has them (reconcile.c)
 *   cohorts  who orders again, of all of order_db (cohorts.c)
 *   prune  what nobody looks at any more (run_prune.c)
 *   conversion  how likely a purchase is (conversion.c)
 *   night  what the days let expect, and what was unusual in them (night.h)
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
	const char *first_clock;            /* of the oldest order, on its clock; NULL without orders */
	const char *snapshot, *snapshot_at; /* ..._at: analytics_db's clock just before it */
	bool source_tried;                  /* order_db was needed, so its state is known */
	bool nothing_due;                   /* --if-due, and no day is */
	bool night_worked;                  /* forecasts were made, or could not be */

	int64_t planned, written, unchanged, kept, orders;
	const char *first_day, *last_day;
	struct buf warnings; /* JSON array, unfinished: [ and objects */
};

/* ---- run_record.c */

/* ERR_LOCKED within half a second if another run holds the lock, which is freed with
 * the connection, however that ends. */
MUST_CHECK enum err run_lock(struct run *r, struct errbuf *eb);

MUST_CHECK enum err run_record_begin(struct run *r, struct errbuf *eb);

/* `rc` and `why` are how the work ended. Where nothing was due the record goes again,
 * as cron asks all day. Does nothing where no record was begun or
 * the connection is gone; such a run is marked interrupted by the next one. */
MUST_CHECK enum err run_record_end(struct run *r, enum err rc, const struct errbuf *why,
                                   struct errbuf *eb);

/* What /health says about the batch and order_db from now on. Never fails. */
void run_heartbeats(struct run *r, enum err rc, const struct errbuf *why);

/* Adds a warning to the record of the run and to the log. */
void run_warn(struct run *r, const char *code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* ---- run_rules.c */

/* Compares the settings with the rules in force: rules_id, and rules_changed where
 * days exist that other rules made. ERR_CONFIG for a zone or currency that is none. */
MUST_CHECK enum err run_rules_load(struct run *r, struct errbuf *eb);

/* ---- run_plan.c */

/* ERR_NOTHING unless a closed day is due; sets last_closed. */
MUST_CHECK enum err run_check_due(struct run *r, struct errbuf *eb);

MUST_CHECK enum err run_plan(struct run *r, struct errbuf *eb);

/* Reads planned, kept, unchanged, first and last day back from the plan. */
MUST_CHECK enum err run_plan_count(struct run *r, struct errbuf *eb);

/* ---- run_window.c */

/* Sets the shifts of business days from..to, of both clocks; in the run's arena. */
MUST_CHECK enum err run_window_set_days(struct run *r, struct source_window *w, const char *from,
                                        const char *to, struct errbuf *eb);

MUST_CHECK enum err run_window_currencies(struct run *r, struct source_window *w,
                                          struct errbuf *eb);

/* ---- run_stage.c */

MUST_CHECK enum err run_stage(struct run *r, struct errbuf *eb);

/* For --dry-run: what run_write would change, on standard output. */
MUST_CHECK enum err run_print_differences(struct run *r, struct errbuf *eb);

/* Asks one question and copies the answer into its temporary table. */
MUST_CHECK enum err run_pipe(struct run *r, enum source_question q, const struct source_window *w,
                             struct errbuf *eb);

/* ---- run_write.c */

MUST_CHECK enum err run_write(struct run *r, struct errbuf *eb);

/* ---- reconcile.c */

/* Compares the days of the plan with those of the stream and writes down which orders make the
 * difference; order_db's snapshot is still open. The figures stand whatever becomes of it: what
 * fails is a warning of the run, and ERR_OK all the same, but for ERR_INTERRUPTED. */
MUST_CHECK enum err run_reconcile(struct run *r, struct errbuf *eb);

/* ---- cohorts.c */

/* Cohorts of customers, where figures moved since they were made; order_db's snapshot is still
 * open. As for run_reconcile, the figures stand whatever becomes of it. */
MUST_CHECK enum err run_cohorts(struct run *r, struct errbuf *eb);

/* ---- run_prune.c */

/* Drops it. A failure is a warning of the run: the next one does it. */
void run_prune(struct run *r);

/* ---- conversion.c */

/* The table of probabilities of a purchase, once for each closed business day. What fails is a
 * warning of the run. */
void run_conversion(struct run *r);

/* ---- night.c */

/* Forecasts and unusual days, where the figures moved since they were made. The figures stand
 * whatever becomes of it: what fails is a warning of the run, and ERR_OK all the same.
 * ERR_NOTHING where there was nothing to do, or all of it is switched off; ERR_INTERRUPTED. */
MUST_CHECK enum err run_night(struct run *r, struct errbuf *eb);

#endif
