/* night_forecast.c: forecasts of many series at once, and into their tables. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/json_text.h"
#include "batch/night.h"
#include "forecast/team.h"

enum { WEEK = 7, HOURS_AHEAD = 48, RUN_COLS = 30, POINT_COLS = 16 };

struct job {
	const struct night_series *series;
	size_t horizon;
	enum err rc;
	struct errbuf eb;
	struct forecast f; /* its arrays in `arena` */
	struct arena arena;
};

/* ---- calculating ------------------------------------------------------------ */

static bool is_finite(const struct forecast_point *p)
{
	return isfinite(p->point) && isfinite(p->lo80) && isfinite(p->hi80) && isfinite(p->lo95) &&
	       isfinite(p->hi95) && isfinite(p->base) && isfinite(p->season) && isfinite(p->trend) &&
	       isfinite(p->holiday);
}

static void *copy(struct arena *a, const void *from, size_t n, size_t size)
{
	void *to = arena_array(a, n, size);
	if (n)
		memcpy(to, from, n * size);
	return to;
}

/* What a forecast took to make is much more than what it is: only that is kept. */
static void keep(struct job *j, const struct forecast *f)
{
	j->f = *f;
	j->f.points = copy(&j->arena, f->points, j->horizon, sizeof *f->points);
	j->f.naive = copy(&j->arena, f->naive, j->horizon, sizeof *f->naive);
	j->f.weights = copy(&j->arena, f->weights, f->weights_n, sizeof *f->weights);
	bool whole = is_finite(&f->total);
	for (size_t i = 0; i < j->horizon; i++)
		whole = whole && is_finite(&f->points[i]) && isfinite(f->naive[i]);
	if (!whole)
		j->rc = err_set_field(&j->eb, ERR_INVALID, "history", "the forecast is not a number");
}

static void make(size_t i, void *arg)
{
	struct job *j = (struct job *)arg + i;
	struct arena scratch;
	struct forecast f;
	struct forecast_input input = j->series->input;
	if (db_interrupted()) {
		j->rc = ERR_INTERRUPTED;
		return;
	}
	input.horizon = j->horizon;
	arena_init(&scratch);
	j->rc = forecast_run(&scratch, &input, &f, &j->eb);
	if (j->rc == ERR_OK)
		keep(j, &f);
	arena_fini(&scratch);
}

/* The mean step from the same slot a season before, over what was learned from: the error the
 * seasonal naive has in sample, in whose units errors of series can be compared. */
static double season_step(const struct forecast_input *in, size_t used)
{
	size_t n = 0, from = in->n > used ? in->n - used : 0;
	double sum = 0;
	size_t m = (size_t)in->period[1];
	if (m == 0 || in->n - from <= m)
		m = (size_t)in->period[0];
	for (size_t i = from + m; i < in->n; i++)
		if (isfinite(in->y[i]) && isfinite(in->y[i - m])) {
			sum += fabs(in->y[i] - in->y[i - m]);
			n++;
		}
	return n ? sum / (double)n : NAN;
}

/* ---- hours of marked days ------------------------------------------------------- */

static bool same_scope(const struct night_series *a, const struct night_series *b)
{
	return strcmp(a->metric, b->metric) == 0 && strcmp(a->currency, b->currency) == 0 && !a->item &&
	       !b->item &&
	       (a->location && b->location ? strcmp(a->location, b->location) == 0
	                                   : a->location == b->location);
}

/* The week's forecast of the days of the same scope; NULL where there is none. */
static const struct job *days_of(const struct job *jobs, size_t count, const struct job *hours)
{
	for (size_t i = 0; i < count; i++)
		if (jobs[i].series->step == NIGHT_DAY && jobs[i].horizon == WEEK && jobs[i].rc == ERR_OK &&
		    same_scope(jobs[i].series, hours->series))
			return &jobs[i];
	return NULL;
}

static void scale_point(struct forecast_point *p, double by)
{
	p->holiday += p->point * (by - 1);
	p->point *= by;
	p->lo80 *= by;
	p->hi80 *= by;
	p->lo95 *= by;
	p->hi95 *= by;
	p->closed = p->closed || by == 0;
}

/* Sixteen weeks of hours hold few holidays, years of days hold many: what a named day does to
 * its day it does to each of its hours. */
static void follow_day(const struct night *n, const struct job *days, struct job *hours)
{
	double change = 0;
	for (size_t i = 0; i < hours->horizon; i++) {
		struct forecast_point *p = &hours->f.points[i];
		int32_t at = night_slot_of(n, hours->series, hours->series->input.n + i).day;
		size_t ahead = (size_t)(at - n->newest_day - 1);
		const struct forecast_point *day = ahead < WEEK ? &days->f.points[ahead] : NULL;
		if (!day || !day->special || day->point - day->holiday <= 0)
			continue;
		double by = day->point / (day->point - day->holiday), was = p->point;
		scale_point(p, day->closed ? 0 : by);
		p->special = day->special;
		change += p->point - was;
	}
	struct forecast_point *t = &hours->f.total;
	if (t->point > 0)
		scale_point(t, 1 + change / t->point);
}

static void follow_days(const struct night *n, struct job *jobs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool hours = jobs[i].series->step == NIGHT_HOUR && jobs[i].rc == ERR_OK;
		const struct job *days = hours ? days_of(jobs, count, &jobs[i]) : NULL;
		if (days)
			follow_day(n, days, &jobs[i]);
	}
}

/* ---- into the temporary tables ------------------------------------------------- */

static int decimals_of(const struct night_series *s)
{
	return strcmp(s->metric, "revenue") == 0 ? 0 : 2;
}

static const char *weights_json(struct job *j)
{
	struct buf b;
	buf_init(&b);
	buf_putc(&b, '[');
	for (size_t i = 0; i < j->f.weights_n; i++) {
		const struct forecast_weight *w = &j->f.weights[i];
		buf_puts(&b, i ? ", {\"model\": " : "{\"model\": ");
		json_text_put(&b, w->model, strlen(w->model));
		buf_printf(&b, ", \"weight\": %.4f}", isfinite(w->weight) ? w->weight : 0.0);
	}
	buf_putc(&b, ']');
	const char *text = arena_strdup(&j->arena, buf_str(&b));
	buf_fini(&b);
	return text;
}

static const char *flags_json(struct job *j)
{
	const char *text = "[", *name;
	for (unsigned bit = 1; (name = forecast_flag_name(bit)) != NULL; bit <<= 1)
		if (j->f.flags & bit)
			text = arena_printf(&j->arena, "%s%s\"%s\"", text, text[1] ? ", " : "", name);
	return arena_printf(&j->arena, "%s]", text);
}

/* Hours that are not one long make more or less of the whole, too. */
static double hours_change(const struct night *n, const struct job *j)
{
	double more = 0;
	for (size_t i = 0; i < j->horizon; i++)
		more +=
			j->f.points[i].point * (night_slot_of(n, j->series, j->series->input.n + i).part - 1);
	return more;
}

enum { RUN_TRAIN_FROM = 9, RUN_MODEL = 12, RUN_FOLDS = 15, RUN_TOTAL = 24 };

static void put_made(struct night *n, struct job *j, const char *row[RUN_COLS])
{
	struct arena *a = &j->arena;
	const struct night_series *s = j->series;
	const struct forecast_backtest *b = &j->f.backtest;
	const struct forecast_point *t = &j->f.total;
	const double parts[] = {b->wape,       b->mase,       b->bias,      b->coverage80,
	                        b->coverage95, b->naive_wape, b->naive_mase};
	const double totals[] = {t->point, t->lo80, t->hi80, t->lo95, t->hi95};
	double more = hours_change(n, j);
	size_t i, used = j->f.n_used < s->input.n ? j->f.n_used : s->input.n;
	row[RUN_TRAIN_FROM] = night_date(a, night_slot_of(n, s, s->input.n - used).day);
	row[RUN_TRAIN_FROM + 1] = n->newest;
	row[RUN_TRAIN_FROM + 2] = arena_printf(a, "%zu", used);
	row[RUN_MODEL] = j->f.model;
	row[RUN_MODEL + 1] = weights_json(j);
	row[RUN_MODEL + 2] = flags_json(j);
	row[RUN_FOLDS] = arena_printf(a, "%d", b->folds);
	for (i = 0; i < sizeof parts / sizeof *parts; i++)
		row[RUN_FOLDS + 1 + i] = night_number(a, parts[i], 6);
	row[RUN_TOTAL - 1] = night_number(a, season_step(&s->input, used), 4);
	for (i = 0; i < sizeof totals / sizeof *totals; i++)
		row[RUN_TOTAL + i] = night_number(a, totals[i] + more, decimals_of(s));
}

static enum err put_run(struct night *n, struct job *j, int64_t id, struct errbuf *eb)
{
	const struct night_series *s = j->series;
	struct arena *a = &j->arena;
	bool made = j->rc == ERR_OK;
	const char *row[RUN_COLS] = {
		s->metric,
		night_step_name(s->step),
		s->location,
		s->item,
		s->currency,
		arena_printf(a, "%zu", j->horizon),
		made ? "ready" : "refused",
		made ? NULL : j->eb.text,
		night_date(a, n->newest_day + 1),
		NULL,
		NULL,
		"0",
		NULL,
		"[]",
		"[]",
		"0",
	};
	row[RUN_COLS - 1] = arena_printf(a, "%" PRId64, id);
	if (made)
		put_made(n, j, row);
	return db_copy_row(n->db, RUN_COLS, row, eb);
}

static enum err put_points(struct night *n, struct job *j, int64_t id, struct errbuf *eb)
{
	const struct night_series *s = j->series;
	struct arena *a = &j->arena;
	enum err rc = ERR_OK;
	const char *key = arena_printf(a, "%" PRId64, id);
	for (size_t i = 0; rc == ERR_OK && i < j->horizon; i++) {
		const struct forecast_point *p = &j->f.points[i];
		struct night_slot slot = night_slot_of(n, s, s->input.n + i);
		const double v[] = {p->point, p->lo80, p->hi80, p->lo95, p->hi95, j->f.naive[i]};
		const double parts[] = {p->base, p->season, p->trend, p->holiday};
		const char *row[POINT_COLS] = {key, arena_printf(a, "%zu", i + 1), night_date(a, slot.day),
		                               arena_printf(a, "%d", slot.hour)};
		for (size_t k = 0; k < sizeof v / sizeof *v; k++)
			row[4 + k] = night_number(a, v[k] * slot.part, decimals_of(s));
		row[10] = p->closed || slot.part == 0 ? "t" : "f";
		for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
			row[11 + k] = night_number(a, parts[k] * slot.part, decimals_of(s));
		row[15] = p->special;
		rc = db_copy_row(n->db, POINT_COLS, row, eb);
	}
	return rc;
}

typedef enum err (*put_fn)(struct night *n, struct job *j, int64_t id, struct errbuf *eb);

static enum err put_all(struct night *n, const char *sql, struct job *jobs, size_t count,
                        int64_t first_id, put_fn put, struct errbuf *eb)
{
	enum err rc = db_copy_begin(n->db, sql, eb);
	if (rc != ERR_OK)
		return rc;
	for (size_t i = 0; rc == ERR_OK && i < count; i++)
		if (put == put_run || jobs[i].rc == ERR_OK)
			rc = put(n, &jobs[i], first_id + (int64_t)i, eb);
	enum err ended = db_copy_end(n->db, rc == ERR_OK, eb);
	return rc != ERR_OK ? rc : ended;
}

/* ---- together -------------------------------------------------------------------- */

/* Models are weighed for the horizon that is asked for, so a week and a month are two. */
static size_t list_jobs(const struct night *n, const struct night_list *list, struct job *jobs)
{
	size_t count = 0, far = (size_t)conf_int(n->run->conf, CONF_FORECAST_HORIZON_DAYS);
	for (size_t i = 0; i < list->n; i++) {
		const struct night_series *s = &list->rows[i];
		jobs[count++] =
			(struct job){.series = s, .horizon = s->step == NIGHT_HOUR ? HOURS_AHEAD : WEEK};
		if (s->step == NIGHT_DAY && !s->item && far > WEEK)
			jobs[count++] = (struct job){.series = s, .horizon = far};
	}
	for (size_t i = 0; i < count; i++)
		arena_init(&jobs[i].arena);
	return count;
}

enum err night_forecast_stage(struct night *n, const struct night_list *list, struct errbuf *eb)
{
	struct job *jobs = mem_alloc((list->n * 2 + 1) * sizeof *jobs);
	enum err rc = ERR_OK;
	size_t count = list_jobs(n, list, jobs);
	team_run(count, 0, make, jobs);
	follow_days(n, jobs, count);
	if (db_interrupted())
		rc = err_set(eb, ERR_INTERRUPTED, "stopped on request amid forecasts");
	if (rc == ERR_OK)
		rc = put_all(n, "COPY night_run FROM STDIN", jobs, count, n->made, put_run, eb);
	if (rc == ERR_OK)
		rc = put_all(n, "COPY night_point FROM STDIN", jobs, count, n->made, put_points, eb);
	for (size_t i = 0; i < count; i++) {
		n->refused += jobs[i].rc != ERR_OK;
		arena_fini(&jobs[i].arena);
	}
	n->made += (int64_t)count;
	free(jobs);
	return rc;
}

enum err night_forecast_write(struct night *n, struct errbuf *eb)
{
	static const char *const statements[] = {"night_write_runs", "night_write_points",
	                                         "night_forecasts_done"};
	failpoint_pass(FP_night_made);
	enum err rc = db_script(n->db, "night_forecasts_count", eb);
	if (rc != ERR_OK)
		return rc;
	return night_transact(n, statements, sizeof statements / sizeof *statements,
	                      DB_PARAMS({"run_id", n->run->run_id}), eb);
}
