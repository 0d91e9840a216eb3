/* run_stage.c: from order_db into temporary tables of analytics_db.
 *
 * One question a kind of fact for each stretch of neighbouring days; the rows
 * go straight from one connection to the other. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/num.h"
#include "batch/progress.h"
#include "batch/run.h"
#include "domain/statuses.h"

enum { MAX_COLS = 20, CODE_BYTES = 64 };

/* ---- rows on their way ------------------------------------------------- */

struct pipe {
	struct run *run;
	int location_col, currency_col, text_col; /* location_col 0: none; text_col: NULL becomes '' */
	int name_col;                             /* NULL becomes the value left of it; 0: none */
	int last_text_col;                        /* one more NULL-to-'' column; 0: none */
	int count_col;
	bool plain; /* no location, no currency, nothing to count */
	int64_t rows, counted;
	struct progress progress;
};

/* Codes are compared and shown in capitals, without the padding of CHAR. */
static const char *clean_code(const char *code, char out[CODE_BYTES])
{
	size_t n = 0;
	for (; *code && n < CODE_BYTES - 1; code++)
		if (*code != ' ')
			out[n++] = (char)toupper((unsigned char)*code);
	out[n] = '\0';
	return out;
}

static enum err pipe_row(void *arg, int cols, const char *const *in, struct errbuf *eb)
{
	struct pipe *p = arg;
	const char *row[MAX_COLS];
	char code[CODE_BYTES];
	int64_t n = 0;
	must(cols <= MAX_COLS);
	memcpy(row, in, (size_t)cols * sizeof *row);
	if (!p->plain) {
		if (p->location_col && !row[p->location_col])
			row[p->location_col] = p->run->location;
		const char *currency = row[p->currency_col] ? clean_code(row[p->currency_col], code) : "";
		row[p->currency_col] = *currency ? currency : p->run->currency;
		if (num_parse_int(row[p->count_col], 0, INT64_MAX, &n))
			p->counted += n;
	}
	if (!row[p->text_col])
		row[p->text_col] = "";
	if (p->name_col && !row[p->name_col])
		row[p->name_col] = row[p->name_col - 1];
	if (p->last_text_col && !row[p->last_text_col])
		row[p->last_text_col] = "";
	p->rows++;
	progress_step(&p->progress, 1);
	return db_copy_row(p->run->db, cols, row, eb);
}

enum err run_pipe(struct run *r, enum source_question q, const struct source_window *w,
                  struct errbuf *eb)
{
	static const struct {
		const char *copy, *what;
		struct pipe pipe;
	} kinds[] = {
		[SOURCE_ORDERS] = {"COPY stage_order FROM STDIN",
	                       "hours of orders read",
	                       {.location_col = 1,
	                        .currency_col = 2,
	                        .text_col = 3,
	                        .count_col = 4,
	                        .last_text_col = 16}},
		[SOURCE_CANCELS] = {"COPY stage_ledger FROM STDIN",
	                        "hours of cancellations read",
	                        {.location_col = 2, .currency_col = 3, .text_col = 4, .count_col = 5}},
		[SOURCE_REFUNDS] = {"COPY stage_ledger FROM STDIN",
	                        "hours of refunds read",
	                        {.location_col = 2, .currency_col = 3, .text_col = 4, .count_col = 5}},
		[SOURCE_REFUNDS_BY_ORDER] =
			{"COPY stage_ledger FROM STDIN",
	         "hours of refunded orders read",
	         {.location_col = 2, .currency_col = 3, .text_col = 4, .count_col = 5}},
		[SOURCE_ITEMS] =
			{"COPY stage_item FROM STDIN",
	         "days of items read",
	         {.location_col = 1, .currency_col = 2, .text_col = 3, .name_col = 4, .count_col = 7}},
		[SOURCE_EACH_ORDER] =
			{"COPY each_order FROM STDIN",
	         "orders looked at one by one",
	         {.location_col = 2, .currency_col = 3, .text_col = 4, .count_col = 2}},
		[SOURCE_EACH_LINE] = {"COPY each_line FROM STDIN",
	                          "lines looked at one by one",
	                          {.text_col = 1, .plain = true}},
		[SOURCE_EACH_REFUND] = {"COPY each_refund FROM STDIN",
	                            "refunds looked at one by one",
	                            {.plain = true}},
		[SOURCE_CUSTOMERS] =
			{"COPY stage_customer FROM STDIN",
	         "days of customers read",
	         {.currency_col = 1, .text_col = 2, .last_text_col = 3, .count_col = 4}},
		[SOURCE_CUSTOMER_REFUNDS] =
			{"COPY stage_customer FROM STDIN",
	         "refunds of customers read",
	         {.currency_col = 1, .text_col = 2, .last_text_col = 3, .count_col = 4}},
	};
	struct pipe p = kinds[q].pipe;
	if (!source_can_answer(r->source, q))
		return ERR_OK;
	p.run = r;
	enum err rc = db_copy_begin(r->db, kinds[q].copy, eb);
	if (rc != ERR_OK)
		return rc;
	progress_begin(&p.progress, kinds[q].what, 0);
	rc = source_ask(r->source, q, w, pipe_row, &p, eb);
	enum err ended = db_copy_end(r->db, rc == ERR_OK, eb);
	if (p.progress.terminal)
		progress_end(&p.progress);
	if (q == SOURCE_ORDERS)
		r->orders += p.counted;
	return rc != ERR_OK ? rc : ended;
}

/* Asks the questions for every stretch of days of the plan. */
static enum err read_spans(struct run *r, struct source_window *w, bool only_changed,
                           const enum source_question *q, size_t n, struct errbuf *eb)
{
	struct rowset spans;
	enum err rc = db_query(r->db, "plan_spans",
	                       DB_PARAMS({"only_changed", only_changed ? "t" : "f"}), &spans, eb);
	for (int i = 0; rc == ERR_OK && i < rowset_rows(&spans); i++) {
		rc = run_window_set_days(r, w, rowset_get(&spans, i, "from_day"),
		                         rowset_get(&spans, i, "to_day"), eb);
		for (size_t k = 0; rc == ERR_OK && k < n; k++)
			rc = run_pipe(r, q[k], w, eb);
	}
	rowset_fini(&spans);
	return rc;
}

/* ---- what counts ------------------------------------------------------- */

static enum err judge_statuses(struct run *r, struct source_window *w, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(r->db, "stage_statuses", DB_NO_PARAMS, &rs, eb);
	const char **counted = arena_array(&r->arena, (size_t)rowset_rows(&rs), sizeof *counted);
	for (int i = 0; rc == ERR_OK && i < rowset_rows(&rs); i++) {
		const char *status = rowset_get(&rs, i, "status");
		enum status_verdict v = status_judge(r->profile, r->counted, status);
		if (v == STATUS_COUNTED)
			counted[w->counted_n++] = arena_strdup(&r->arena, status);
		if (v == STATUS_UNKNOWN)
			run_warn(r, "status_unknown",
			         "%s order(s) have status '%s', which profile %s does not know: not counted",
			         rowset_get(&rs, i, "orders"), status, r->profile);
		rc = db_query(r->db, "stage_status_put",
		              DB_PARAMS({"status", status}, {"counted", v == STATUS_COUNTED ? "t" : "f"}),
		              NULL, eb);
	}
	if (rc == ERR_OK && *r->counted && rowset_rows(&rs) && w->counted_n == 0)
		run_warn(r, "status_none_counted",
		         "none of the statuses of %s=%s occurs in the orders read: none of them counts",
		         conf_name(CONF_COUNTED_STATUSES), r->counted);
	w->counted = counted;
	rowset_fini(&rs);
	return rc;
}

static enum err check_doubts(struct run *r, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(r->db, "stage_doubts", DB_NO_PARAMS, &rs, eb);
	if (rc != ERR_OK)
		return rc;
	if (rowset_int(&rs, 0, "rounded"))
		run_warn(r, "amount_rounded",
		         "%s order(s) have a total_amount finer than their currency: rounded half-even",
		         rowset_get(&rs, 0, "rounded"));
	if (rowset_int(&rs, 0, "unpriced"))
		run_warn(r, "amount_missing", "%s order(s) have no total_amount: counted with 0",
		         rowset_get(&rs, 0, "unpriced"));
	if (rowset_int(&rs, 0, "broken")) {
		const char *currency = rowset_get(&rs, 0, "broken_currency");
		rc = err_set_field(
			eb, ERR_INVALID, currency ? "orders.currency" : "orders.total_amount",
			"order_db: orders of %s have %s%s%s; correct them there",
			rowset_get(&rs, 0, "broken_day"),
			currency ? "currency '" : "an amount that is not a number or is 10^14 or more",
			currency ? currency : "", currency ? "', which is no ISO 4217 code" : "");
	}
	rowset_fini(&rs);
	return rc;
}

static enum err check_items(struct run *r, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(r->db, "stage_item_doubts", DB_NO_PARAMS, &rs, eb);
	if (rc == ERR_OK && rowset_rows(&rs))
		rc = err_set_field(eb, ERR_INVALID, "order_items",
		                   "order_db: item '%.100s' has, on %s, a quantity or price that is not a "
		                   "number or is 10^14 or more; correct it there",
		                   rowset_get(&rs, 0, "item_id"), rowset_get(&rs, 0, "business_date"));
	rowset_fini(&rs);
	return rc;
}

/* Grows whenever the facts are read or counted in another way, so that every day is
 * looked at anew. */
#define FACTS_VERSION "1"

/* What, beside the facts, decides the figures of a day. Items are read only for
 * days that change; where orders say when they were edited, the newest edit is
 * among the facts, else the items must be. */
static const char *hash_recipe(struct run *r)
{
	return arena_printf(&r->arena, FACTS_VERSION "|%s|%s|%s|%s|%s\n", r->timezone, r->cutoff,
	                    r->profile, r->counted, r->currency);
}

/* ---- the rows the days should have ------------------------------------- */

static enum err build_next(struct run *r, struct errbuf *eb)
{
	const char *zone = source_clock_zone(r->source, COL_CREATED);
	enum err rc = db_query(r->db, "stage_trim_items", DB_NO_PARAMS, NULL, eb);
	if (rc == ERR_OK)
		rc = db_script(r->db, "stage_ready", eb);
	if (rc == ERR_OK)
		rc = db_query(r->db, "next_items", DB_NO_PARAMS, NULL, eb);
	if (rc == ERR_OK)
		rc = db_query(r->db, "next_days",
		              DB_PARAMS({"cutoff", r->cutoff}, {"location", r->location},
		                        {"currency", r->currency}, {"clock_zone", zone},
		                        {"new_rules", r->rules_changed ? "t" : "f"}),
		              NULL, eb);
	if (rc == ERR_OK)
		rc = db_script(r->db, "next_daily_ready", eb);
	if (rc == ERR_OK)
		rc = db_query(r->db, "next_hours",
		              DB_PARAMS({"cutoff", r->cutoff}, {"timezone", r->timezone}), NULL, eb);
	if (rc == ERR_OK)
		rc = db_script(r->db, "next_ready", eb);
	if (rc == ERR_OK && !r->opt->force && !r->rules_changed)
		rc = db_query(r->db, "plan_compare", DB_PARAMS({"rules_id", r->rules_id}), NULL, eb);
	return rc;
}

static enum err drop_unchanged(struct run *r, bool items_hashed, struct errbuf *eb)
{
	enum err rc = db_query(r->db, "stage_hash_days",
	                       DB_PARAMS({"cutoff", r->cutoff}, {"recipe", hash_recipe(r)},
	                                 {"with_items", items_hashed ? "t" : "f"}),
	                       NULL, eb);
	if (rc == ERR_OK && !r->opt->force && !r->rules_changed)
		rc = db_query(r->db, "plan_drop_unchanged", DB_NO_PARAMS, NULL, eb);
	return rc;
}

enum err run_stage(struct run *r, struct errbuf *eb)
{
	static const enum source_question orders[] = {SOURCE_ORDERS};
	static const enum source_question ledger[] = {SOURCE_CANCELS, SOURCE_REFUNDS,
	                                              SOURCE_REFUNDS_BY_ORDER};
	static const enum source_question items[] = {SOURCE_ITEMS};
	/* Without updated_at nothing in the orders shows that a line was edited. */
	bool edits_dated = source_shape_get(r->source)->col[COL_UPDATED].kind != KIND_ABSENT;
	struct source_window w = {.cutoff_hours = (int)conf_int(r->conf, CONF_BUSINESS_DAY_CUTOFF),
	                          .default_currency = r->currency};
	enum err rc = run_window_currencies(r, &w, eb);
	if (rc == ERR_OK)
		rc = db_script(r->db, "stage_tables", eb);
	if (rc == ERR_OK)
		rc = read_spans(r, &w, false, orders, 1, eb);
	failpoint_pass(FP_stage_orders);
	if (rc == ERR_OK)
		rc = read_spans(r, &w, false, ledger, 3, eb);
	failpoint_pass(FP_stage_ledger);
	if (rc == ERR_OK)
		rc = db_query(r->db, "stage_trim_orders", DB_PARAMS({"cutoff", r->cutoff}), NULL, eb);
	if (rc == ERR_OK)
		rc = db_query(r->db, "stage_trim_ledger", DB_PARAMS({"cutoff", r->cutoff}), NULL, eb);
	if (rc == ERR_OK)
		rc = judge_statuses(r, &w, eb);
	if (rc == ERR_OK)
		rc = check_doubts(r, eb);
	if (rc == ERR_OK && edits_dated)
		rc = drop_unchanged(r, false, eb);
	if (rc == ERR_OK)
		rc = read_spans(r, &w, true, items, 1, eb);
	failpoint_pass(FP_stage_items);
	if (rc == ERR_OK)
		rc = check_items(r, eb);
	if (rc == ERR_OK && !edits_dated)
		rc = drop_unchanged(r, true, eb);
	if (rc == ERR_OK)
		rc = build_next(r, eb);
	failpoint_pass(FP_stage_built);
	return rc == ERR_OK ? run_plan_count(r, eb) : rc;
}

/* ---- --dry-run --------------------------------------------------------- */

enum err run_print_differences(struct run *r, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(r->db, "plan_differences", DB_NO_PARAMS, &rs, eb);
	if (rc != ERR_OK)
		return rc;
	(void)printf("%" PRId64 " day(s) looked at, %" PRId64 " unchanged, %" PRId64
	             " kept; would write:\n",
	             r->planned, r->unchanged, r->kept);
	for (int i = 0; i < rowset_rows(&rs); i++) {
		const char *was = rowset_get(&rs, i, "revenue_was");
		(void)printf(
			"%s  location %s  %-9s  revenue %s -> %s %s  counted %s -> %s  placed %s -> %s\n",
			rowset_get(&rs, i, "day"), rowset_get(&rs, i, "location_id"),
			rowset_get(&rs, i, "reason"), was ? was : "-", rowset_get(&rs, i, "revenue_now"),
			rowset_get(&rs, i, "currency"), was ? rowset_get(&rs, i, "served_was") : "-",
			rowset_get(&rs, i, "served_now"), was ? rowset_get(&rs, i, "orders_was") : "-",
			rowset_get(&rs, i, "orders_now"));
	}
	rowset_fini(&rs);
	return ERR_OK;
}
