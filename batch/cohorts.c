/* cohorts.c: who orders again, and for how much: cohorts of customers, of all of order_db.
 *
 * order_db answers what each customer bought on each day; that stands in a temporary table for as
 * long as it takes, and what is kept are cells without names. */
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "batch/run.h"
#include "domain/statuses.h"

/* Grows whenever cohorts are computed in another way. */
#define COHORTS_VERSION "1"

struct cohorts {
	struct run *run;
	const char *hash; /* of what they are computed from */
	bool customers;   /* order_db says whose an order is */
	const char *from; /* the business day of the first order; NULL without one */
};

static const char *recipe(const struct cohorts *c)
{
	struct run *r = c->run;
	return arena_printf(&r->arena, COHORTS_VERSION "|%s|%s|%s|%s|%s|%d", r->timezone, r->cutoff,
	                    r->profile, r->counted, r->currency, c->customers);
}

static enum err look(struct cohorts *c, bool *due, struct errbuf *eb)
{
	struct rowset rs;
	struct run *r = c->run;
	enum err rc = db_query(r->db, "cohort_due",
	                       DB_PARAMS({"recipe", recipe(c)}, {"last", r->last_closed}), &rs, eb);
	if (rc != ERR_OK)
		return rc;
	*due = r->opt->force || strcmp(rowset_get(&rs, 0, "due"), "t") == 0;
	c->hash = arena_strdup(&r->arena, rowset_get(&rs, 0, "hash"));
	rowset_fini(&rs);
	return ERR_OK;
}

/* HISTORY_FROM does not count here: whoever bought before it is no new customer. */
static enum err find_first_day(struct cohorts *c, struct errbuf *eb)
{
	struct rowset rs;
	struct run *r = c->run;
	if (!r->first_clock)
		return ERR_OK;
	enum err rc = db_query(r->db, "day_of_clock",
	                       DB_PARAMS({"clock", r->first_clock},
	                                 {"clock_zone", source_clock_zone(r->source, COL_CREATED)},
	                                 {"timezone", r->timezone}, {"cutoff", r->cutoff}),
	                       &rs, eb);
	if (rc != ERR_OK)
		return rc;
	c->from = arena_strdup(&r->arena, rowset_get(&rs, 0, "day"));
	rowset_fini(&rs);
	return ERR_OK;
}

static enum err read_customers(struct cohorts *c, struct errbuf *eb)
{
	struct run *r = c->run;
	struct source_window w = {.cutoff_hours = (int)conf_int(r->conf, CONF_BUSINESS_DAY_CUTOFF),
	                          .default_currency = r->currency};
	enum err rc = find_first_day(c, eb);
	if (rc != ERR_OK || !c->from || strcmp(c->from, r->last_closed) > 0)
		return rc;
	rc = run_window_currencies(r, &w, eb);
	if (rc == ERR_OK)
		rc = run_window_set_days(r, &w, c->from, r->last_closed, eb);
	if (rc == ERR_OK)
		rc = run_pipe(r, SOURCE_CUSTOMERS, &w, eb);
	if (rc == ERR_OK)
		rc = run_pipe(r, SOURCE_CUSTOMER_REFUNDS, &w, eb);
	return rc;
}

static enum err judge_statuses(struct cohorts *c, struct errbuf *eb)
{
	struct rowset rs;
	struct run *r = c->run;
	enum err rc = db_query(r->db, "cohort_statuses", DB_NO_PARAMS, &rs, eb);
	for (int i = 0; rc == ERR_OK && i < rowset_rows(&rs); i++) {
		const char *status = rowset_get(&rs, i, "status");
		bool counted = status_judge(r->profile, r->counted, status) == STATUS_COUNTED;
		rc = db_query(r->db, "cohort_status_put",
		              DB_PARAMS({"status", status}, {"counted", counted ? "t" : "f"}), NULL, eb);
	}
	rowset_fini(&rs);
	return rc;
}

/* Days that are not looked at any more may have what a run refuses of others. */
static enum err check_fit(struct cohorts *c, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(c->run->db, "cohort_unfit", DB_NO_PARAMS, &rs, eb);
	if (rc == ERR_OK && rowset_rows(&rs))
		rc = err_set(eb, ERR_INVALID,
		             "order_db has an order of an amount that is not a number or is 10^14 or "
		             "more, or of a currency that is none: '%.20s'",
		             rowset_get(&rs, 0, "currency"));
	rowset_fini(&rs);
	return rc;
}

static enum err write_cells(struct cohorts *c, struct errbuf *eb)
{
	static const char *const statements[] = {"cohort_drop", "cohort_write", "cohort_nobody_drop",
	                                         "cohort_nobody_write", "cohort_state_write"};
	struct run *r = c->run;
	const struct db_param *params =
		DB_PARAMS({"has_customers", c->customers ? "t" : "f"}, {"last", r->last_closed},
	              {"hash", c->hash}, {"run_id", r->run_id});
	enum err rc = db_command(r->db, "BEGIN", eb);
	for (size_t i = 0; rc == ERR_OK && i < sizeof statements / sizeof *statements; i++)
		rc = db_query(r->db, statements[i], params, NULL, eb);
	if (rc == ERR_OK)
		rc = db_command(r->db, "COMMIT", eb);
	if (rc != ERR_OK)
		db_rollback(r->db);
	return rc;
}

/* One sort of everybody's days: with as little memory as is usual it goes by way of the disk. */
static enum err fill_cells(struct db *db, struct errbuf *eb)
{
	enum err rc = db_command(db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = db_command(db, "SET LOCAL work_mem = '64MB'", eb);
	if (rc == ERR_OK)
		rc = db_query(db, "cohort_cells", DB_NO_PARAMS, NULL, eb);
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	if (rc != ERR_OK)
		db_rollback(db);
	return rc;
}

static enum err make(struct cohorts *c, struct errbuf *eb)
{
	struct db *db = c->run->db;
	enum err rc = db_script(db, "cohort_tables", eb);
	if (rc == ERR_OK)
		rc = read_customers(c, eb);
	if (rc == ERR_OK)
		rc = judge_statuses(c, eb);
	if (rc == ERR_OK)
		rc = db_script(db, "cohort_ready", eb);
	if (rc == ERR_OK)
		rc = check_fit(c, eb);
	if (rc == ERR_OK)
		rc = fill_cells(db, eb);
	return rc == ERR_OK ? write_cells(c, eb) : rc;
}

static enum err work(struct run *r, struct errbuf *eb)
{
	struct cohorts c = {.run = r, .customers = source_can_answer(r->source, SOURCE_CUSTOMERS)};
	struct errbuf ignored = {0};
	bool due = false;
	enum err rc = look(&c, &due, eb);
	if (rc != ERR_OK || !due)
		return rc;
	rc = make(&c, eb);
	/* Whose anything was stands nowhere any longer than needed. */
	if (db_alive(r->db) && db_script(r->db, "cohort_tables_drop", &ignored) != ERR_OK)
		log_err("cohort_tables", &ignored);
	if (rc == ERR_OK)
		LOG(LOG_INFO, "cohorts_done", LOG_STR("through", r->last_closed),
		    LOG_INT("has_customers", c.customers), LOG_END);
	return rc;
}

enum err run_cohorts(struct run *r, struct errbuf *eb)
{
	struct errbuf why = {0};
	if (!conf_bool(r->conf, CONF_ENABLE_COHORT_ANALYSIS))
		return ERR_OK;
	enum err rc = work(r, &why);
	if (rc == ERR_INTERRUPTED)
		return err_set(eb, rc, "%s", why.text);
	if (rc != ERR_OK)
		run_warn(r, "cohorts_failed", "cohorts of customers: %s", why.text);
	return ERR_OK;
}
