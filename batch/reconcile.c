/* reconcile.c: what the batch computed beside what the stream has, for closed days.
 *
 * All figures are compared by SQL in analytics_db. Only days that differ are asked of order_db
 * order by order, in the snapshot the figures came from. Two clocks run here: the stream may not
 * yet have what order_db had then, so it is waited for while it is at work; and it may already have
 * more, so an order that it moved since then is not called different. */
#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "batch/run.h"

enum { WAIT_MS = 30000, LOOK_MS = 500 };

struct reconcile {
	struct run *run;
	int round;       /* the last one done */
	bool same_rules; /* the stream's figures were made under the run's rules */
	int64_t days, booked_days;
	const char *ever_from;
};

static bool is_true(const struct rowset *rs, const char *name)
{
	return strcmp(rowset_get(rs, 0, name), "t") == 0;
}

static const char *round_text(const struct reconcile *c)
{
	static const char *const texts[] = {"0", "1", "2", "3"};
	return texts[c->round];
}

/* How many of the days differ so far. */
static enum err compare(struct reconcile *c, struct errbuf *eb)
{
	struct rowset rs = {0};
	c->round++;
	enum err rc = db_query(
		c->run->db, "reconcile_compare",
		DB_PARAMS({"round", round_text(c)}, {"same_rules", c->same_rules ? "t" : "f"}), NULL, eb);
	if (rc == ERR_OK)
		rc = db_query(c->run->db, "reconcile_differing",
		              DB_PARAMS({"round", round_text(c)}, {"first_clock", c->run->first_clock}),
		              &rs, eb);
	if (rc == ERR_OK) {
		const char *from = rowset_get(&rs, 0, "ever_from");
		c->days = rowset_int(&rs, 0, "days");
		c->booked_days = rowset_int(&rs, 0, "booked_days");
		c->ever_from = from ? arena_strdup(&c->run->arena, from) : NULL;
	}
	rowset_fini(&rs);
	return rc;
}

/* Looks once at how the stream is; *waits: it may soon say something else. */
static enum err look(struct reconcile *c, bool *waits, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(
		c->run->db, "reconcile_stream",
		DB_PARAMS({"rules_id", c->run->rules_id}, {"since", c->run->snapshot_at}), &rs, eb);
	if (rc != ERR_OK)
		return rc;
	c->same_rules = is_true(&rs, "same_rules");
	bool rebuilds = is_true(&rs, "begun") && !c->same_rules && is_true(&rs, "works");
	*waits = rebuilds || (c->same_rules && is_true(&rs, "lags"));
	rowset_fini(&rs);
	return ERR_OK;
}

/* Until the stream at work has what order_db had, or new rules; half a minute at most. */
static enum err await_stream(struct reconcile *c, struct errbuf *eb)
{
	int64_t until_ms = clock_mono_ms() + WAIT_MS;
	bool waits = true;
	enum err rc = look(c, &waits, eb);
	while (rc == ERR_OK && waits && clock_mono_ms() < until_ms) {
		if (db_interrupted())
			return err_set(eb, ERR_INTERRUPTED, "stopped on request before days were compared");
		(void)poll(NULL, 0, LOOK_MS);
		rc = look(c, &waits, eb);
	}
	return rc;
}

/* ---- orders of the days that differ -------------------------------------------- */

static enum err load_counted(struct reconcile *c, struct source_window *w, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(c->run->db, "reconcile_statuses", DB_NO_PARAMS, &rs, eb);
	if (rc != ERR_OK)
		return rc;
	w->counted_n = (size_t)rowset_rows(&rs);
	const char **counted = arena_array(&c->run->arena, w->counted_n, sizeof *counted);
	for (int i = 0; i < rowset_rows(&rs); i++)
		counted[i] = arena_strdup(&c->run->arena, rowset_get(&rs, i, "status"));
	w->counted = counted;
	rowset_fini(&rs);
	return ERR_OK;
}

/* An order may have been cancelled or refunded on any day since. */
static enum err load_ever(struct reconcile *c, struct source_window *w, struct errbuf *eb)
{
	struct source_window ever = {0};
	enum err rc = run_window_set_days(c->run, &ever, c->ever_from, c->run->last_closed, eb);
	w->ever_utc = ever.utc;
	w->ever_local = ever.local;
	return rc;
}

static enum err read_by(struct reconcile *c, struct source_window *w, enum source_column by,
                        struct errbuf *eb)
{
	struct rowset spans;
	struct run *r = c->run;
	w->by = by;
	enum err rc = db_query(
		r->db, "reconcile_spans",
		DB_PARAMS({"round", round_text(c)}, {"booked", by == COL_CREATED ? "f" : "t"}), &spans, eb);
	for (int i = 0; rc == ERR_OK && i < rowset_rows(&spans); i++) {
		rc = run_window_set_days(r, w, rowset_get(&spans, i, "from_day"),
		                         rowset_get(&spans, i, "to_day"), eb);
		if (rc == ERR_OK)
			rc = run_pipe(r, SOURCE_EACH_ORDER, w, eb);
		if (rc == ERR_OK)
			rc = run_pipe(r, SOURCE_EACH_LINE, w, eb);
		if (rc == ERR_OK)
			rc = run_pipe(r, SOURCE_EACH_REFUND, w, eb);
	}
	rowset_fini(&spans);
	return rc;
}

static enum err read_orders(struct reconcile *c, struct errbuf *eb)
{
	struct run *r = c->run;
	struct source_window w = {.cutoff_hours = (int)conf_int(r->conf, CONF_BUSINESS_DAY_CUTOFF),
	                          .default_currency = r->currency};
	enum err rc = run_window_currencies(r, &w, eb);
	if (rc == ERR_OK)
		rc = load_counted(c, &w, eb);
	if (rc == ERR_OK)
		rc = load_ever(c, &w, eb);
	if (rc == ERR_OK)
		rc = read_by(c, &w, COL_CREATED, eb);
	if (rc == ERR_OK && c->booked_days && source_can_answer(r->source, SOURCE_CANCELS))
		rc = read_by(c, &w, COL_CANCELLED, eb);
	if (rc == ERR_OK && c->booked_days && source_can_answer(r->source, SOURCE_REFUNDS))
		rc = read_by(c, &w, COL_REFUND_CREATED, eb);
	return rc;
}

/* A day without any order that differs has figures that the stream has mended meanwhile, or figures
 * that are not what its orders add up to; comparing them again tells. */
static enum err compare_unexplained(struct reconcile *c, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc =
		db_query(c->run->db, "reconcile_unexplained", DB_PARAMS({"round", round_text(c)}), &rs, eb);
	if (rc != ERR_OK)
		return rc;
	bool any = rowset_int(&rs, 0, "days") > 0;
	rowset_fini(&rs);
	return any ? compare(c, eb) : ERR_OK;
}

static enum err judge_orders(struct reconcile *c, struct errbuf *eb)
{
	struct run *r = c->run;
	enum err rc = read_orders(c, eb);
	if (rc == ERR_OK)
		rc = db_script(r->db, "reconcile_ready", eb);
	if (rc == ERR_OK)
		rc = db_query(
			r->db, "reconcile_judge",
			DB_PARAMS({"round", round_text(c)}, {"cutoff", r->cutoff}, {"since", r->snapshot_at}),
			NULL, eb);
	return rc == ERR_OK ? compare_unexplained(c, eb) : rc;
}

/* ---- the verdicts ------------------------------------------------------------- */

static enum err store(struct run *r, struct errbuf *eb)
{
	static const char *const statements[] = {"reconcile_verdict", "reconcile_delete",
	                                         "reconcile_write", "reconcile_write_orders"};
	enum err rc = db_command(r->db, "BEGIN", eb);
	for (size_t i = 0; rc == ERR_OK && i < sizeof statements / sizeof *statements; i++)
		rc = db_query(r->db, statements[i], DB_PARAMS({"run_id", r->run_id}), NULL, eb);
	failpoint_pass(FP_reconcile_written);
	if (rc == ERR_OK)
		rc = db_command(r->db, "COMMIT", eb);
	if (rc != ERR_OK)
		db_rollback(r->db);
	return rc;
}

static enum err say(struct run *r, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(r->db, "reconcile_summary", DB_NO_PARAMS, &rs, eb);
	if (rc != ERR_OK)
		return rc;
	int64_t different = rowset_int(&rs, 0, "different");
	LOG(LOG_INFO, "reconciled", LOG_INT("equal", rowset_int(&rs, 0, "equal")),
	    LOG_INT("different", different), LOG_INT("orders", rowset_int(&rs, 0, "orders")),
	    LOG_INT("no_stream", rowset_int(&rs, 0, "no_stream")),
	    LOG_INT("open", rowset_int(&rs, 0, "open")), LOG_END);
	if (different)
		run_warn(r, "stream_differs",
		         "%" PRId64 " closed day(s) are not the same in the stream, by %" PRId64
		         " order(s); the newest is %s (/reconciliation)",
		         different, rowset_int(&rs, 0, "orders"), rowset_get(&rs, 0, "newest"));
	rowset_fini(&rs);
	return ERR_OK;
}

static enum err work(struct run *r, struct errbuf *eb)
{
	struct reconcile c = {.run = r};
	bool waits = false;
	enum err rc = db_script(r->db, "reconcile_tables", eb);
	if (rc == ERR_OK)
		rc = look(&c, &waits, eb);
	if (rc == ERR_OK && waits && !c.same_rules)
		rc = await_stream(&c, eb);
	if (rc == ERR_OK)
		rc = compare(&c, eb);
	if (rc == ERR_OK && c.days)
		rc = await_stream(&c, eb);
	if (rc == ERR_OK && c.days)
		rc = compare(&c, eb);
	if (rc == ERR_OK && c.days)
		rc = judge_orders(&c, eb);
	failpoint_pass(FP_reconcile_read);
	if (rc == ERR_OK)
		rc = store(r, eb);
	return rc == ERR_OK ? say(r, eb) : rc;
}

enum err run_reconcile(struct run *r, struct errbuf *eb)
{
	struct errbuf why = {0};
	enum err rc = work(r, &why);
	if (rc == ERR_INTERRUPTED)
		return err_set(eb, rc, "%s", why.text);
	if (rc != ERR_OK)
		run_warn(r, "reconciliation_failed", "comparing with the stream: %s", why.text);
	return ERR_OK;
}
