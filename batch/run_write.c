/* run_write.c: the staged rows into the cache tables.
 *
 * One transaction a day: a reader sees a day as it was or as it is, and a crash
 * leaves whole days only. When the rules changed, days were cut differently
 * throughout, so all of them change in one transaction. */
#include <string.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "batch/progress.h"
#include "batch/run.h"

struct step {
	const char *statement;
	enum failpoint after;
};

static enum err run_steps(struct run *r, const struct step *steps, size_t n,
                          const struct db_param *params, struct errbuf *eb)
{
	enum err rc = db_command(r->db, "BEGIN", eb);
	failpoint_pass(FP_day_begun);
	for (size_t i = 0; rc == ERR_OK && i < n; i++) {
		rc = db_query(r->db, steps[i].statement, params, NULL, eb);
		failpoint_pass(steps[i].after);
	}
	if (rc == ERR_OK)
		rc = db_command(r->db, "COMMIT", eb);
	if (rc != ERR_OK)
		db_rollback(r->db);
	failpoint_pass(FP_day_committed);
	return rc;
}

static enum err write_day(struct run *r, const char *day, struct errbuf *eb)
{
	static const struct step steps[] = {
		{"day_restate", FP_day_begun},
		{"day_daily_delete", FP_day_daily_deleted},
		{"day_daily_write", FP_day_daily_written},
		{"day_hourly_delete", FP_day_hourly_deleted},
		{"day_hourly_write", FP_day_hourly_written},
		{"day_items_delete", FP_day_items_deleted},
		{"day_items_write", FP_day_items_written},
		{"day_series", FP_day_series_written},
		{"day_publish", FP_day_series_written},
	};
	return run_steps(r, steps, sizeof steps / sizeof *steps,
	                 DB_PARAMS({"day", day}, {"run_id", r->run_id}, {"rules_id", r->rules_id}), eb);
}

static enum err write_days(struct run *r, struct errbuf *eb)
{
	struct rowset days;
	struct progress p;
	enum err rc = db_query(r->db, "plan_days", DB_NO_PARAMS, &days, eb);
	int n = rowset_rows(&days);
	progress_begin(&p, "days written", n);
	for (int i = 0; rc == ERR_OK && i < n; i++) {
		if (db_interrupted())
			rc = err_set(eb, ERR_INTERRUPTED, "stopped on request after %d of %d days", i, n);
		else
			rc = write_day(r, rowset_get(&days, i, "day"), eb);
		r->written += rc == ERR_OK;
		progress_step(&p, 1);
	}
	if (n)
		progress_end(&p);
	rowset_fini(&days);
	return rc;
}

static enum err write_all(struct run *r, struct errbuf *eb)
{
	static const struct step steps[] = {
		{"all_delete", FP_day_daily_deleted},        {"all_daily_write", FP_day_daily_written},
		{"all_hourly_write", FP_day_hourly_written}, {"all_items_write", FP_day_items_written},
		{"all_series", FP_day_series_written},       {"rules_use", FP_calendar_replaced},
		{"day_publish", FP_calendar_replaced},
	};
	enum err rc = run_steps(
		r, steps, sizeof steps / sizeof *steps,
		DB_PARAMS({"last", r->last_closed}, {"run_id", r->run_id}, {"rules_id", r->rules_id}), eb);
	if (rc == ERR_OK)
		r->written = r->planned - r->kept;
	return rc;
}

static enum err fill_series(struct run *r, struct errbuf *eb)
{
	static const struct step steps[] = {
		{"series_fill_daily", FP_day_daily_written},
		{"series_fill_hourly", FP_day_hourly_written},
	};
	return run_steps(r, steps, sizeof steps / sizeof *steps,
	                 DB_PARAMS({"timezone", r->timezone}, {"cutoff", r->cutoff}), eb);
}

enum err run_write(struct run *r, struct errbuf *eb)
{
	/* Days are committed without waiting for the disk: after a power failure the
	 * last few are simply missing and the next run finds them so. The record of
	 * the run is written after them and does wait. */
	enum err rc = db_command(r->db, "SET synchronous_commit = off", eb);
	if (rc == ERR_OK)
		rc = r->rules_changed ? write_all(r, eb) : write_days(r, eb);
	if (rc == ERR_OK)
		rc = fill_series(r, eb);
	failpoint_pass(FP_days_done);
	struct errbuf later = {0};
	if (db_alive(r->db) && db_command(r->db, "SET synchronous_commit = on", &later) != ERR_OK &&
	    rc == ERR_OK)
		rc = err_set(eb, later.code, "%s", later.text);
	return rc;
}
