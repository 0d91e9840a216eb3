/* cohort_orders.c: cohorts of customers, as the nightly run has them (batch/cohorts.c). */
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "cgi-bin/cohort_parts.h"
#include "db/rowset.h"

enum { TENTHS = 1 };

struct orders {
	struct cohort_question *q;
	struct db *db;
	struct rowset state, cells;
	int32_t through;
	int digits; /* of the currency */
	bool ltv, money;
};

/* ---- asking -------------------------------------------------------------------------- */

static enum err check_state(const struct orders *o, struct errbuf *eb)
{
	if (rowset_rows(&o->state) == 0)
		return err_set(eb, ERR_NOT_FOUND, "the batch has not run yet: takings-batch run");
	if (!rowset_get(&o->state, 0, "through"))
		return err_set_field(eb, ERR_NOT_FOUND, "metric",
		                     "cohorts of customers are computed at night: takings-batch run");
	if (strcmp(rowset_get(&o->state, 0, "has_customers"), "t") != 0)
		return err_set_field(
			eb, ERR_NOT_FOUND, "metric",
			"order_db does not say whose an order is: orders has no customer_id that may be read");
	return ERR_OK;
}

static enum err ask(struct orders *o, const char *statement, const struct db_param *params,
                    struct rowset *rs, struct errbuf *eb)
{
	const struct db_limits limits = call_limits(o->q->c);
	return db_query_all(o->db, &(struct db_ask){statement, params, rs}, 1, &limits, eb);
}

static enum err ask_cells(struct orders *o, const struct cohort_table *out, struct errbuf *eb)
{
	const struct cohort_question *q = o->q;
	struct arena *a = q->c->req->arena;
	return ask(
		o, "cohort_orders_cells",
		DB_PARAMS({"cohort_type", out->cohort_type}, {"currency", out->currency},
	              {"from", cohort_date(q->c, retention_period_day(q->unit, q->first_cohort))},
	              {"to", out->end_date}, {"periods", arena_printf(a, "%d", q->periods_n)}),
		&o->cells, eb);
}

static enum err ask_all(struct orders *o, struct cohort_table *out, struct errbuf *eb)
{
	struct arena *a = o->q->c->req->arena;
	enum err rc = ask(o, "cohort_orders_state", DB_PARAMS({"currency", o->q->asked->currency}),
	                  &o->state, eb);
	if (rc == ERR_OK)
		rc = check_state(o, eb);
	if (rc != ERR_OK)
		return rc;
	o->through = (int32_t)rowset_int(&o->state, 0, "through_n");
	o->digits = (int)rowset_int(&o->state, 0, "digits");
	out->as_of = arena_strdup(a, rowset_get(&o->state, 0, "as_of"));
	out->tz = arena_strdup(a, rowset_get(&o->state, 0, "tz"));
	out->cutoff = arena_strdup(a, rowset_get(&o->state, 0, "cutoff"));
	out->currency = arena_strdup(a, rowset_get(&o->state, 0, "currency"));
	out->through = arena_strdup(a, rowset_get(&o->state, 0, "through"));
	rc = cohort_range_set(o->q, (int32_t)rowset_int(&o->state, 0, "today_n"), out, eb);
	return rc == ERR_OK ? ask_cells(o, out, eb) : rc;
}

static enum err ask_within(struct orders *o, struct cohort_table *out, struct errbuf *eb)
{
	struct call *c = o->q->c;
	int64_t begun_us = clock_mono_us();
	enum err rc = call_begin(c, POOL_READ, &o->db, eb);
	if (rc != ERR_OK)
		return rc;
	rc = pool_blame(c->web->pool, ask_all(o, out, eb), begun_us / 1000, eb);
	pool_give(c->web->pool, o->db);
	c->db_us += clock_mono_us() - begun_us;
	return rc;
}

/* ---- from cells to a table ------------------------------------------------------------- */

/* Cells of all cohorts, by cohort and period; those that are not there are 0. */
struct grid {
	int64_t *customers, *figure;
};

static struct grid make_grid(const struct orders *o, const char *metric)
{
	const struct cohort_question *q = o->q;
	struct arena *a = q->c->req->arena;
	size_t n = (size_t)q->cohorts_n * (size_t)q->periods_n;
	struct grid g = {arena_array(a, n, sizeof *g.customers), arena_array(a, n, sizeof *g.figure)};
	const char *column = strcmp(metric, "orders") == 0 ? "orders" : "revenue_minor";
	memset(g.customers, 0, n * sizeof *g.customers);
	memset(g.figure, 0, n * sizeof *g.figure);
	for (int i = 0; i < rowset_rows(&o->cells); i++) {
		int32_t cohort = retention_period(q->unit, (int32_t)rowset_int(&o->cells, i, "cohort_n"));
		size_t at = (size_t)(cohort - q->first_cohort) * (size_t)q->periods_n +
		            (size_t)rowset_int(&o->cells, i, "period");
		g.customers[at] = rowset_int(&o->cells, i, "customers");
		g.figure[at] = rowset_int(&o->cells, i, column);
	}
	for (size_t i = 0; o->ltv && i < n; i++)
		if (i % (size_t)q->periods_n > 0)
			g.figure[i] += g.figure[i - 1];
	return g;
}

/* Periods that have begun by the last computed day. */
static int cells_of(const struct orders *o, int i)
{
	const struct cohort_question *q = o->q;
	int n = retention_period(q->unit, o->through) - (q->first_cohort + i) + 1;
	return n < 0 ? 0 : n < q->periods_n ? n : q->periods_n;
}

static const char *value_of(const struct orders *o, int64_t figure, int64_t size)
{
	if (o->ltv)
		return size ? cohort_number(o->q->c, num_divide(figure, size), o->digits) : NULL;
	return cohort_number(o->q->c, figure, o->money ? o->digits : 0);
}

static void set_line(const struct orders *o, const struct grid *g, int i, struct cohort_line *line)
{
	const struct cohort_question *q = o->q;
	struct arena *a = q->c->req->arena;
	size_t at = (size_t)i * (size_t)q->periods_n;
	int n = cells_of(o, i);
	const char **values = arena_array(a, (size_t)n + 1, sizeof *values);
	bool *complete = arena_array(a, (size_t)n + 1, sizeof *complete);
	*line = (struct cohort_line){
		.cohort = cohort_date(q->c, retention_period_day(q->unit, q->first_cohort + i)),
		.size = g->customers[at],
		.cells_n = n,
		.counts = g->customers + at,
		.values = values,
		.complete = complete};
	for (int k = 0; k < n; k++) {
		values[k] = value_of(o, g->figure[at + (size_t)k], line->size);
		complete[k] = retention_period_day(q->unit, q->first_cohort + i + k + 1) <= o->through + 1;
	}
}

/* What each customer brought is weighed by customers, what a cohort did by cohorts. */
static const char *average_of(const struct orders *o, const struct grid *g,
                              const struct cohort_table *t, int k)
{
	int64_t sum = 0, n = 0;
	for (int i = 0; i < t->lines_n; i++)
		if (k < t->lines[i].cells_n && t->lines[i].complete[k] && t->lines[i].size) {
			sum += g->figure[(size_t)i * (size_t)t->periods_n + (size_t)k];
			n += o->ltv ? t->lines[i].size : 1;
		}
	if (n == 0)
		return NULL;
	return o->money ? cohort_number(o->q->c, num_divide(sum, n), o->digits)
	                : cohort_number(o->q->c, num_divide(sum * 10, n), TENTHS);
}

static void set_table(const struct orders *o, struct cohort_table *out)
{
	const struct cohort_question *q = o->q;
	struct arena *a = q->c->req->arena;
	struct grid g = make_grid(o, out->metric);
	struct cohort_line *lines = arena_array(a, (size_t)q->cohorts_n, sizeof *lines);
	const char **average = arena_array(a, (size_t)q->periods_n, sizeof *average);
	out->unit = o->money ? "money" : "count";
	out->lines = lines;
	out->lines_n = q->cohorts_n;
	out->average = average;
	for (int i = 0; i < out->lines_n; i++)
		set_line(o, &g, i, &lines[i]);
	for (int k = 0; k < out->periods_n; k++)
		average[k] = average_of(o, &g, out, k);
}

enum err cohort_orders_ask(struct cohort_question *q, struct cohort_table *out, struct errbuf *eb)
{
	struct orders o = {.q = q,
	                   .ltv = strcmp(out->metric, "ltv") == 0,
	                   .money = strcmp(out->metric, "orders") != 0};
	enum err rc = ask_within(&o, out, eb);
	if (rc == ERR_OK)
		set_table(&o, out);
	rowset_fini(&o.state);
	rowset_fini(&o.cells);
	return rc;
}
