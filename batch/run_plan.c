/* run_plan.c: the days of a run, and why each is among them. */
#include <stdio.h>
#include <string.h>

#include "batch/run.h"

static enum err last_closed(struct run *r, const char *delay_s, const char **day, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(
		r->db, "day_last_closed",
		DB_PARAMS({"timezone", r->timezone}, {"cutoff", r->cutoff}, {"delay_s", delay_s}), &rs, eb);
	if (rc != ERR_OK)
		return rc;
	*day = arena_strdup(&r->arena, rowset_get(&rs, 0, "day"));
	rowset_fini(&rs);
	return ERR_OK;
}

/* Cron asks every ten minutes; only a day that is over, late enough and not yet
 * there makes it due. No wall-clock time is compared, so no change of clocks
 * can skip or repeat a day. */
enum err run_check_due(struct run *r, struct errbuf *eb)
{
	struct rowset rs;
	const char *day;
	const char *delay =
		arena_printf(&r->arena, "%lld", (long long)conf_int(r->conf, CONF_BATCH_DELAY) * 60);
	enum err rc = last_closed(r, delay, &day, eb);
	if (rc == ERR_OK)
		rc = db_query(r->db, "day_is_cached", DB_PARAMS({"day", day}), &rs, eb);
	if (rc != ERR_OK)
		return rc;
	bool cached = strcmp(rowset_get(&rs, 0, "cached"), "t") == 0;
	rowset_fini(&rs);
	r->last_closed = day;
	return cached && !r->rules_changed ? err_set(eb, ERR_NOTHING, "%s is closed and computed", day)
	                                   : ERR_OK;
}

static enum err check_requested(struct run *r, struct errbuf *eb)
{
	const struct run_options *o = r->opt;
	if (strcmp(o->from, o->to) > 0)
		return err_set_field(eb, ERR_INVALID, "--to", "--to %s is before --from %s", o->to,
		                     o->from);
	/* No order is read that is older, so the days would be zeros without meaning. */
	if (strcmp(o->from, "2000-01-01") < 0)
		return err_set_field(eb, ERR_INVALID, "--from",
		                     "--from %s is before 2000-01-01, the first day that can be computed",
		                     o->from);
	if (strcmp(o->to, r->last_closed) > 0)
		return err_set_field(eb, ERR_INVALID, "--to",
		                     "%s is not over yet; the last closed day is %s (%s, cutoff %s:00)",
		                     o->to, r->last_closed, r->timezone, r->cutoff);
	return db_query(r->db, "plan_requested", DB_PARAMS({"from", o->from}, {"to", o->to}), NULL, eb);
}

/* The business day of the first order, or HISTORY_FROM where that is set. */
static enum err history_start(struct run *r, const char **day, struct errbuf *eb)
{
	struct rowset rs;
	*day = r->last_closed;
	if (conf_is_set(r->conf, CONF_HISTORY_FROM)) {
		*day = conf_str(r->conf, CONF_HISTORY_FROM);
		return ERR_OK;
	}
	if (!r->first_clock)
		return ERR_OK;
	enum err rc = db_query(r->db, "day_of_clock",
	                       DB_PARAMS({"clock", r->first_clock},
	                                 {"clock_zone", source_clock_zone(r->source, COL_CREATED)},
	                                 {"timezone", r->timezone}, {"cutoff", r->cutoff}),
	                       &rs, eb);
	if (rc != ERR_OK)
		return rc;
	*day = arena_strdup(&r->arena, rowset_get(&rs, 0, "day"));
	rowset_fini(&rs);
	return ERR_OK;
}

static enum err plan_closed(struct run *r, struct errbuf *eb)
{
	const char *from;
	enum err rc = history_start(r, &from, eb);
	if (rc != ERR_OK || strcmp(from, r->last_closed) > 0)
		return rc;
	return db_query(r->db, "plan_closed",
	                DB_PARAMS({"from", from}, {"to", r->last_closed},
	                          {"lookback", conf_str(r->conf, CONF_BATCH_LOOKBACK_DAYS)}),
	                NULL, eb);
}

static enum err take_late_day(void *arg, int cols, const char *const *v, struct errbuf *eb)
{
	struct run *r = arg;
	must(cols == 1 && v[0]);
	return db_query(r->db, "plan_late", DB_PARAMS({"day", v[0]}), NULL, eb);
}

static const enum source_question late_questions[] = {SOURCE_LATE_CANCELS, SOURCE_LATE_REFUNDS,
                                                      SOURCE_LATE_EDITS};
enum { LATE_QUESTIONS = sizeof late_questions / sizeof *late_questions };

static bool can_tell_of_late(const struct run *r)
{
	for (size_t i = 0; i < LATE_QUESTIONS; i++)
		if (source_can_answer(r->source, late_questions[i]))
			return true;
	return false;
}

static enum err ask_late(struct run *r, const char *from, const char *to, const char *since,
                         struct errbuf *eb)
{
	struct source_window w = {.cutoff_hours = (int)conf_int(r->conf, CONF_BUSINESS_DAY_CUTOFF)};
	enum err rc = run_window_set_days(r, &w, since, since, eb);
	if (rc != ERR_OK || !w.utc.n)
		return rc;
	w.late_utc = w.utc.rows[0].from;
	w.late_local = w.local.rows[0].from;
	rc = run_window_set_days(r, &w, from, to, eb);
	for (size_t i = 0; rc == ERR_OK && i < LATE_QUESTIONS; i++)
		if (source_can_answer(r->source, late_questions[i]))
			rc = source_ask(r->source, late_questions[i], &w, take_late_day, r, eb);
	return rc;
}

/* An order that is cancelled or refunded after months changes the figures of the day
 * it was placed on, however long ago that is. */
static enum err plan_late(struct run *r, struct errbuf *eb)
{
	struct rowset rs;
	if (!can_tell_of_late(r))
		return ERR_OK;
	enum err rc = db_query(r->db, "plan_late_window", DB_NO_PARAMS, &rs, eb);
	if (rc != ERR_OK)
		return rc;
	if (rowset_rows(&rs))
		rc = ask_late(r, rowset_get(&rs, 0, "from_day"), rowset_get(&rs, 0, "to_day"),
		              rowset_get(&rs, 0, "since_day"), eb);
	rowset_fini(&rs);
	return rc;
}

static enum err keep_gone_days(struct run *r, struct errbuf *eb)
{
	struct rowset rs;
	if (r->opt->force)
		return ERR_OK;
	bool local = source_shape_get(r->source)->col[COL_CREATED].kind == KIND_CLOCK_LOCAL;
	enum err rc = db_query(
		r->db, "plan_keep",
		DB_PARAMS({"first_clock", r->first_clock}, {"clock_local", local ? "t" : "f"}), NULL, eb);
	if (rc == ERR_OK)
		rc = db_query(r->db, "plan_kept_days", DB_NO_PARAMS, &rs, eb);
	if (rc != ERR_OK)
		return rc;
	int n = rowset_rows(&rs);
	if (n)
		run_warn(r, "source_gone",
		         "%d day(s) from %s to %s stay as they are: order_db no longer holds their orders "
		         "(--force replaces them)",
		         n, rowset_get(&rs, 0, "day"), rowset_get(&rs, n - 1, "day"));
	rowset_fini(&rs);
	return ERR_OK;
}

enum err run_plan_count(struct run *r, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(r->db, "plan_counts", DB_NO_PARAMS, &rs, eb);
	if (rc != ERR_OK)
		return rc;
	const char *first = rowset_get(&rs, 0, "first_day"), *last = rowset_get(&rs, 0, "last_day");
	r->planned = rowset_int(&rs, 0, "planned");
	r->kept = rowset_int(&rs, 0, "kept");
	r->unchanged = rowset_int(&rs, 0, "unchanged");
	r->first_day = first ? arena_strdup(&r->arena, first) : NULL;
	r->last_day = last ? arena_strdup(&r->arena, last) : NULL;
	rowset_fini(&rs);
	return ERR_OK;
}

enum err run_plan(struct run *r, struct errbuf *eb)
{
	enum err rc = r->opt->if_due ? ERR_OK : last_closed(r, "0", &r->last_closed, eb);
	if (rc == ERR_OK)
		rc = db_script(r->db, "plan_tables", eb);
	if (rc == ERR_OK && r->opt->from)
		rc = check_requested(r, eb);
	else if (rc == ERR_OK)
		rc = plan_closed(r, eb);
	if (rc == ERR_OK && r->rules_changed)
		rc = db_query(r->db, "plan_rules", DB_PARAMS({"last", r->last_closed}), NULL, eb);
	if (rc == ERR_OK && !r->opt->from)
		rc = plan_late(r, eb);
	if (rc == ERR_OK)
		rc = keep_gone_days(r, eb);
	return rc == ERR_OK ? run_plan_count(r, eb) : rc;
}
