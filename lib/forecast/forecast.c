/* forecast.c: from a series to its forecast: made ready, forecast, put back, explained. */
#include "forecast/forecast.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "forecast/bands.h"
#include "forecast/calendar.h"
#include "forecast/ensemble.h"
#include "forecast/numeric.h"
#include "forecast/series.h"

enum {
	HOUR_S = 3600,
	HOURS_LEAST = 48,
	SEASONS_FOR_FAR = 4, /* of history, for a horizon of more than two */
	SEASONS_LONG = 3,    /* of the long season, for it to be used */
	SEASONS_MODELS = 2,  /* of the short one; below that it is a mean of slots */
	BASE_SEASONS = 4,    /* whose mean is called the level */
	SHIFT_SEASONS = 8,   /* that are looked at for a level that moved; the last one is judged */
};

static const double WIDEN_MARKED = 1.5;
static const double SHIFT_FAR = 2.5; /* spreads, of the middle of a whole season */

const char *forecast_flag_name(unsigned bit)
{
	static const char *const names[] = {"short_history", "intermittent", "holidays",
	                                    "closed_slots",  "level_shift",  "constant",
	                                    "filled",        "naive_better"};
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (bit == 1U << i)
			return names[i];
	return NULL;
}

/* ---- what can be asked ---------------------------------------------------------- */

static enum err check(const struct forecast_input *in, struct errbuf *eb)
{
	for (int i = 0; i < 2; i++)
		if (in->period[i] < 0 || in->period[i] > FORECAST_PERIOD_MAX)
			return err_set_field(eb, ERR_INVALID, "period", "a season has 0 to %d steps, not %d",
			                     FORECAST_PERIOD_MAX, in->period[i]);
	if (in->period[1] > 1 && in->period[1] <= in->period[0])
		return err_set_field(eb, ERR_INVALID, "period", "the second season must be the longer one");
	if (in->horizon < 1 || in->horizon > FORECAST_HORIZON_MAX)
		return err_set_field(eb, ERR_INVALID, "horizon", "a horizon has 1 to %d steps, not %zu",
		                     FORECAST_HORIZON_MAX, in->horizon);
	for (size_t t = 0; t < in->n; t++)
		if (isinf(in->y[t]))
			return err_set_field(eb, ERR_INVALID, "history", "value %zu is infinite", t + 1);
	return ERR_OK;
}

static const char *step_name(const struct forecast_input *in)
{
	return in->step_s == HOUR_S            ? "hours"
	       : in->step_s == 24 * HOUR_S     ? "days"
	       : in->step_s == 7 * 24 * HOUR_S ? "weeks"
	                                       : "steps";
}

/* Whether the history, from its first sale, carries the horizon. */
static enum err check_length(const struct forecast_input *in, const struct series *s,
                             struct errbuf *eb)
{
	size_t m = in->period[0] > 1 ? (size_t)in->period[0] : 1, least = SEASONS_FOR_FAR * m;
	if (in->period[1] > 1 && s->used < HOURS_LEAST && in->step_s == HOUR_S)
		return err_set_field(eb, ERR_INVALID, "history", "hours need %d of history, there are %zu",
		                     HOURS_LEAST, s->used);
	if (m > 1 && in->horizon > 2 * m && s->used < least)
		return err_set_field(eb, ERR_INVALID, "horizon",
		                     "%zu %s need %zu of history, there are %zu", in->horizon,
		                     step_name(in), least, s->used);
	return ERR_OK;
}

/* What the folds said of days that had always been shut. */
static void shut_folds(const struct series *s, const struct calendar *c, struct ensemble *e)
{
	size_t first = 0;
	while (first < s->n && !c->shut[first])
		first++;
	for (size_t k = 0; k < e->folds; k++)
		for (size_t i = 0; i < s->h && first < e->origin[k]; i++)
			if (c->shut[e->origin[k] + i])
				e->said[k * s->h + i] = 0;
}

/* ---- very short histories ------------------------------------------------------- */

/* Means of slots where each has a value, else the mean of all. */
static void mean_of_slots(struct arena *arena, const struct series *s, struct ensemble *out)
{
	*out = (struct ensemble){.point = arena_array(arena, s->h, sizeof(double)),
	                         .marked = arena_array(arena, s->h, sizeof(double))};
	double mean = numeric_mean(s->y, s->n);
	for (size_t h = 0; h < s->h; h++) {
		double sum = 0;
		size_t n = 0;
		for (size_t t = (s->n + h) % s->m1; s->n >= s->m1 && s->m1 > 1 && t < s->n; t += s->m1)
			sum += s->y[t], n++;
		out->point[h] = n > 0 ? sum / (double)n : mean;
	}
}

/* ---- bands and backtest ----------------------------------------------------------- */

/* The usual change from one season to the next; of a history shorter than that, half its mean. */
static double usual_change(const struct series *s)
{
	double sum = 0;
	if (s->n < s->m1 + 3)
		return fmax(fabs(numeric_mean(s->raw, s->n)) / 2, (s->max - s->min) / 2);
	for (size_t t = s->m1; t < s->n; t++)
		sum += (s->raw[t] - s->raw[t - s->m1]) * (s->raw[t] - s->raw[t - s->m1]);
	return sqrt(sum / (double)(s->n - s->m1));
}

/* In-sample error of the seasonal naive: the unit of MASE (Hyndman & Koehler 2006). */
static double naive_unit(const struct series *s)
{
	double sum = 0;
	for (size_t t = s->m1; t < s->n; t++)
		sum += fabs(s->raw[t] - s->raw[t - s->m1]);
	return s->n > s->m1 ? sum / (double)(s->n - s->m1) : 0;
}

static void backtest(const struct series *s, const struct ensemble *e, const struct bands *b,
                     struct forecast_backtest *out)
{
	size_t m = s->m2 ? s->m2 : s->m1;
	double off = 0, naive = 0, shift = 0, actual = 0, unit = naive_unit(s);
	for (size_t k = 0; k < e->folds; k++)
		for (size_t i = 0; i < s->h; i++) {
			size_t t = e->origin[k] + i, back = (i / m + 1) * m;
			double y = s->raw[t], said = e->said[k * s->h + i];
			off += fabs(y - said);
			shift += said - y;
			actual += fabs(y);
			naive += fabs(y - s->raw[t >= back ? t - back : 0]);
		}
	*out = (struct forecast_backtest){(int)e->folds, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
	if (e->folds == 0 || s->h == 0)
		return;
	double n = (double)(e->folds * s->h);
	out->coverage80 = b->coverage80;
	out->coverage95 = b->coverage95;
	if (actual > 0) {
		out->wape = off / actual;
		out->bias = shift / actual;
		out->naive_wape = naive / actual;
	}
	if (unit > 0) {
		out->mase = off / n / unit;
		out->naive_mase = naive / n / unit;
	}
}

static struct errors errors_of(struct arena *arena, const struct series *s,
                               const struct ensemble *e)
{
	double *error = arena_array(arena, e->folds * s->h + 1, sizeof *error);
	for (size_t k = 0; k < e->folds; k++)
		for (size_t i = 0; i < s->h; i++)
			error[k * s->h + i] = s->raw[e->origin[k] + i] - e->said[k * s->h + i];
	return (struct errors){error, e->folds, s->h, e->year_folds, e->apart, s->m2 > 0};
}

/* Marked days ahead that no fold has seen the like of: nobody knows how well they are foreseen. */
static void widen_marked(const struct series *s, const struct calendar *c, const struct ensemble *e,
                         struct bands *b)
{
	for (size_t h = 0; e->year_folds == 0 && h < s->h; h++)
		if (c->mark[(s->n + h) * CALENDAR_MARKS] >= 0) {
			b->half80[h] *= WIDEN_MARKED;
			b->half95[h] *= WIDEN_MARKED;
		}
}

/* ---- parts ------------------------------------------------------------------------ */

/* The level of the last seasons, and what each slot adds to it. */
struct level {
	double base, *slot;
	size_t m;
};

static void find_level(struct arena *arena, const struct series *s, struct level *out)
{
	size_t m = s->m2 && s->n >= 2 * s->m2 ? s->m2 : s->m1;
	size_t seasons = s->n / m < BASE_SEASONS ? s->n / m : BASE_SEASONS;
	size_t *seen = arena_array(arena, m, sizeof *seen), span = seasons * m;
	out->m = m;
	out->slot = arena_array(arena, m, sizeof(double));
	out->base = numeric_mean(span ? s->y + s->n - span : s->y, span ? span : s->n);
	for (size_t t = s->n - span; t < s->n; t++) {
		out->slot[t % m] += s->y[t] - out->base;
		seen[t % m]++;
	}
	for (size_t i = 0; i < m; i++)
		out->slot[i] = seen[i] ? out->slot[i] / (double)seen[i] : 0;
}

/* Whether the last season lies far from those before it, slot by slot. */
static bool level_moved(struct arena *arena, const struct series *s)
{
	size_t m = s->m2 ? s->m2 : s->m1, span = SHIFT_SEASONS * m;
	if (s->n < span || m < 2)
		return false;
	double *off = arena_array(arena, span, sizeof *off);
	for (size_t i = 0; i < span; i++) {
		size_t t = s->n - span + i;
		double sum = 0;
		for (size_t k = i % m; k < span - m; k += m)
			sum += s->raw[s->n - span + k];
		off[i] = s->raw[t] - sum / (SHIFT_SEASONS - 1);
	}
	double usual = numeric_spread(arena, off, span - m, numeric_median(arena, off, span - m));
	return fabs(numeric_median(arena, off + span - m, m)) > SHIFT_FAR * usual && usual > 0;
}

/* ---- putting it together ---------------------------------------------------------- */

/* The bands never cross 0 where the history never did. */
static void set_point(const struct series *s, double point, double half80, double half95,
                      struct forecast_point *out)
{
	double floor = s->nonnegative ? 0 : -HUGE_VAL;
	point = fmax(point, floor);
	out->point = point;
	out->lo80 = fmax(point - half80, floor);
	out->hi80 = point + half80;
	out->lo95 = fmax(point - half95, floor);
	out->hi95 = point + half95;
}

static void set_parts(const struct level *level, size_t slot, double holiday,
                      struct forecast_point *p)
{
	p->base = level->base;
	p->season = level->slot[slot];
	p->holiday = holiday;
	p->trend = p->point - p->base - p->season - holiday;
}

/* What the level's way on adds is smooth: its mean over a season around each step; what is
 * left of it belongs to the slots. */
static void smooth_trend(struct arena *arena, const struct series *s, size_t m,
                         struct forecast *out)
{
	double *trend = arena_array(arena, s->h, sizeof *trend);
	for (size_t h = 0; h < s->h; h++)
		trend[h] = out->points[s->at[s->n + h] - s->used].trend;
	for (size_t h = 0; h < s->h; h++) {
		size_t span = m < s->h ? m : s->h, from = h > span / 2 ? h - span / 2 : 0;
		from = from + span > s->h ? s->h - span : from;
		struct forecast_point *p = &out->points[s->at[s->n + h] - s->used];
		p->trend = numeric_mean(trend + from, span);
		p->season += trend[h] - p->trend;
	}
}

/* A step on which nothing happens: a closed slot of the week, or a day that always is shut. */
static void close_point(const struct level *level, double season, struct forecast_point *p)
{
	const char *special = p->special;
	*p = (struct forecast_point){.closed = true, .base = level->base, .special = special};
	p->season = special ? season : -level->base;
	p->holiday = special ? -p->base - p->season : 0;
}

/* Steps of the series to steps of the horizon. */
static void put_back(struct arena *arena, const struct series *s, const struct calendar *calendar,
                     const struct ensemble *e, const struct bands *b, struct forecast *out)
{
	struct level level;
	find_level(arena, s, &level);
	for (size_t h = 0; h < s->h; h++) {
		struct forecast_point *p = &out->points[s->at[s->n + h] - s->used];
		set_point(s, e->point[h], b->half80[h], b->half95[h], p);
		/* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): a season has a step at least */
		set_parts(&level, (s->n + h) % level.m, e->marked[h], p);
		p->special = calendar ? calendar->name[s->n + h] : NULL;
		s->closed[p - out->points] |= calendar && calendar->shut[s->n + h];
	}
	smooth_trend(arena, s, level.m, out);
	for (size_t i = 0; i < out->n_points; i++) {
		struct forecast_point *p = &out->points[i];
		if (s->closed[i])
			close_point(&level, p->season, p);
		out->flags |= p->holiday != 0 ? FORECAST_HOLIDAYS : 0U;
		out->total.point += p->point;
	}
	set_point(s, out->total.point, b->total80, b->total95, &out->total);
	out->total.base = out->total.point;
}

static void set_naive(const struct forecast_input *in, const struct series *s, struct forecast *out)
{
	size_t m = in->period[1] > 1 && s->used >= (size_t)in->period[1] ? (size_t)in->period[1]
	           : in->period[0] > 1                                   ? (size_t)in->period[0]
	                                                                 : 1;
	const double *y = in->y + s->first;
	for (size_t h = 0; h < in->horizon; h++) {
		double v = NAN;
		/* the newest known value of the slot */
		for (size_t back = m - h % m; isnan(v) && back <= s->used; back += m)
			v = y[s->used - back];
		out->naive[h] = isnan(v) ? numeric_mean(s->y, s->n) : v;
	}
}

static void set_flags(struct arena *arena, const struct series *s, const struct ensemble *e,
                      struct forecast *out)
{
	const struct forecast_backtest *b = &out->backtest;
	out->flags |= (s->intermittent ? FORECAST_INTERMITTENT : 0U) |
	              (s->any_closed ? FORECAST_CLOSED_SLOTS : 0U) |
	              (s->any_filled ? FORECAST_FILLED : 0U) |
	              (e->folds == 0 && s->h > 0 && s->max > s->min ? FORECAST_SHORT_HISTORY : 0U) |
	              (s->max == s->min ? FORECAST_CONSTANT : 0U) |
	              (level_moved(arena, s) ? FORECAST_LEVEL_SHIFT : 0U);
	if (b->folds > 0 && b->naive_wape < b->wape - 1e-9)
		out->flags |= FORECAST_NAIVE_BETTER;
}

static void choose(struct arena *arena, const struct series *s, const struct calendar *calendar,
                   struct ensemble *e, struct forecast *out)
{
	if (s->max == s->min || s->h == 0 || s->n < SEASONS_MODELS * s->m1 || s->n < 4) {
		mean_of_slots(arena, s, e);
		out->model = s->max == s->min             ? "constant"
		             : s->n < s->m1 || s->m1 == 1 ? "mean"
		                                          : "slot mean";
	} else {
		ensemble_run(arena, s, calendar, e);
		out->model = "ensemble";
	}
}

static void list_weights(struct arena *arena, const struct ensemble *e, struct forecast *out)
{
	out->weights_n = e->models ? e->models : 1;
	struct forecast_weight *w = arena_array(arena, out->weights_n, sizeof *w);
	w[0] = (struct forecast_weight){out->model, 1};
	for (size_t i = 0; i < e->models; i++)
		w[i] = (struct forecast_weight){e->model[i], e->weight[i]};
	out->weights = w;
}

enum err forecast_run(struct arena *arena, const struct forecast_input *input, struct forecast *out,
                      struct errbuf *eb)
{
	struct series s;
	struct calendar calendar;
	struct ensemble e;
	struct bands b;
	enum err rc = check(input, eb);
	if (rc == ERR_OK)
		rc = series_prepare(arena, input, &s, eb);
	if (rc == ERR_OK)
		rc = check_length(input, &s, eb);
	if (rc != ERR_OK)
		return rc;
	if (s.m2 && s.n < SEASONS_LONG * s.m2)
		s.m2 = 0;
	bool dated = calendar_prepare(arena, input, &s, &calendar);
	series_tame(arena, &s, dated ? calendar_marked(arena, &calendar) : NULL,
	            dated ? calendar.shut : NULL);
	*out = (struct forecast){.n_used = s.used, .n_points = input->horizon};
	out->points = arena_array(arena, input->horizon, sizeof *out->points);
	out->naive = arena_array(arena, input->horizon, sizeof *out->naive);
	choose(arena, &s, dated ? &calendar : NULL, &e, out);
	if (dated)
		shut_folds(&s, &calendar, &e);
	struct errors errors = errors_of(arena, &s, &e);
	bands_make(arena, &errors, usual_change(&s), &b);
	if (dated)
		widen_marked(&s, &calendar, &e, &b);
	backtest(&s, &e, &b, &out->backtest);
	put_back(arena, &s, dated ? &calendar : NULL, &e, &b, out);
	set_naive(input, &s, out);
	set_flags(arena, &s, &e, out);
	list_weights(arena, &e, out);
	return ERR_OK;
}
