/* ensemble.c: many models, none of them picked. */
#include "forecast/ensemble.h"

#include <math.h>

#include "forecast/model.h"
#include "forecast/numeric.h"
#include "forecast/stl.h"

enum {
	FOLDS_DAYS = 13,
	FOLDS_HOURS = 10,
	FOLDS_YEAR = 2, /* at the same time of the last year */
	FOLDS_MAX = FOLDS_DAYS + FOLDS_YEAR,
	YEAR_WEEKS = 52,
	SEASONS_WEIGHED = 6, /* seasons of history from which candidates are weighed */
	MARKS_CALENDAR = 4,  /* marked days ahead from which only those who know the date speak */
};

static const double YEAR_WEIGHT = 3;   /* of a fold a year ago */
static const double FOLD_FADING = 0.9; /* weight of a fold against the next newer one */
static const double SHARPNESS = 5;     /* weights go by this power of the error */
static const double WORST = 1.4;       /* times the best error, from which a candidate is out */
static const double STABILISED = 0.5;  /* trust in the second scale against the raw one */

enum kind {
	CORE = 1,     /* speaks too where the history is too short to try anybody */
	CALENDAR = 2, /* knows the date */
	SPARSE = 4,   /* can live with values that mostly are 0 */
};

/* `trust` is what a candidate's weight begins with, before it is tried on the series. */
static const struct candidate {
	const char *name[3]; /* on the raw scale, on logarithms, on square roots */
	model_fn fn;
	double trust;
	unsigned kind;
} candidates[] = {
#define NAMED(n)                                                                                   \
	{                                                                                              \
		n, n " (log)", n " (root)"                                                                 \
	}
	{NAMED("HWT"), model_hwt, 1, CORE},
	{NAMED("slot level"), model_slot_level, 1, CORE | SPARSE},
	{NAMED("AR"), model_ar, 1, CORE},
	{NAMED("AR, many lags"), model_ar_rich, 1, 0},
	{NAMED("calendar + HWT"), model_calendar_hwt, 1, CALENDAR},
	{NAMED("calendar + AR"), model_calendar_ar, 1, CALENDAR},
	{NAMED("calendar + slot level"), model_calendar_slot, 1, CALENDAR},
	{NAMED("AR of daily changes"), model_ar_short_change, 0.5, 0},
	{NAMED("AR, many lags, recent"), model_ar_rich_recent, 0.5, 0},
	{NAMED("seasonal naive"), model_snaive_short, 0.5, 0},
	{NAMED("AR of weekly changes"), model_ar_long_change, 0.3, 0},
	{NAMED("AR, recent"), model_ar_recent, 0.3, 0},
	{NAMED("STL + AR"), model_stl_ar, 0.3, 0},
	{NAMED("STL + Theta"), model_stl_theta, 0.3, 0},
	{NAMED("HWT, short season"), model_hwt_short, 0.3, 0},
	{NAMED("level"), model_level, 0.3, SPARSE},
	{NAMED("slot mean"), model_slot_mean, 0.2, CORE | SPARSE},
	{NAMED("weekly naive"), model_snaive_long, 0.2, 0},
	{NAMED("naive"), model_naive, 0.2, 0},
#undef NAMED
};
enum { CANDIDATES = sizeof candidates / sizeof *candidates, TRIED = 2 * CANDIDATES };

enum scale { SCALE_RAW, SCALE_LOG, SCALE_ROOT };

static double to_scale(enum scale scale, double y)
{
	return scale == SCALE_LOG ? log(y) : scale == SCALE_ROOT ? sqrt(y > 0 ? y : 0) : y;
}

static double from_scale(enum scale scale, double x)
{
	if (scale == SCALE_LOG)
		return exp(x);
	return scale == SCALE_ROOT ? (x > 0 ? x * x : 0) : x;
}

/* ---- trying ------------------------------------------------------------------ */

struct tries {
	const struct series *s;
	const struct calendar *calendar;
	const double *on[2]; /* the series on the raw and on the stabilised scale; NULL: none */
	enum scale scale[2];
	size_t origin[FOLDS_MAX + 1]; /* ascending; the last one is now */
	double fold_weight[FOLDS_MAX];
	size_t origins, year_folds, apart;
	double *said;   /* TRIED x origins x h */
	double *marked; /* TRIED x h: what marked days add to the last of these */
	double weight[TRIED];
	bool core_only, intermittent;
};

static double *said_by(const struct tries *t, size_t candidate, size_t origin)
{
	return t->said + (candidate * t->origins + origin) * t->s->h;
}

static void set_scales(struct arena *arena, struct tries *t)
{
	const struct series *s = t->s;
	double *on = arena_array(arena, s->n, sizeof *on), least = HUGE_VAL;
	t->on[0] = s->y;
	for (size_t i = 0; i < s->n; i++)
		least = fmin(least, s->y[i]);
	if (!s->nonnegative || s->max == s->min || t->core_only || t->intermittent)
		return;
	t->scale[1] = least > 0 ? SCALE_LOG : SCALE_ROOT;
	for (size_t i = 0; i < s->n; i++)
		on[i] = to_scale(t->scale[1], s->y[i]);
	t->on[1] = on;
}

/* Folds as long as the horizon, a season apart, and two a year ago: what makes the same days
 * easy or hard to foresee may lie there. */
static void choose_origins(struct tries *t)
{
	const struct series *s = t->s;
	size_t step = t->apart = s->m1 > 1 ? s->m1 : s->h > 4 ? s->h / 4 : 1;
	size_t least = 2 * (s->m2 ? s->m2 : s->m1) + s->m1 + 4, year = YEAR_WEEKS * s->m1, n = 0;
	while (n < (s->m2 ? FOLDS_HOURS : FOLDS_DAYS) && s->h + n * step + least <= s->n)
		n++;
	if (s->n < SEASONS_WEIGHED * s->m1)
		n = 0;
	size_t newest = s->n - s->h * (n > 0), oldest = newest - (n > 0 ? n - 1 : 0) * step;
	for (size_t k = FOLDS_YEAR; n > 0 && !s->m2 && t->calendar && k-- > 0;)
		if (s->n > 2 * year + 5 * s->m1 && s->n - year - k * s->m1 + s->h <= s->n &&
		    s->n - year - k * s->m1 < oldest) {
			t->fold_weight[t->origins] = YEAR_WEIGHT;
			t->origin[t->origins++] = s->n - year - k * s->m1;
		}
	t->year_folds = t->origins;
	for (size_t k = 0; k < n; k++) {
		t->fold_weight[t->origins] = pow(FOLD_FADING, (double)(n - 1 - k));
		t->origin[t->origins++] = oldest + k * step;
	}
	t->origin[t->origins++] = s->n;
	t->core_only = n == 0;
}

static bool may_speak(const struct tries *t, const struct candidate *c)
{
	return (!t->intermittent || c->kind & SPARSE) && (!t->core_only || c->kind & CORE);
}

/* On the scale of the series, finite and within reason. */
static void bring_back(const struct tries *t, size_t c, double *marks)
{
	const struct series *s = t->s;
	enum scale scale = t->scale[c / CANDIDATES];
	double reach = s->max - s->min, limit = s->max + reach;
	double floor = s->nonnegative ? 0 : s->min - reach, *to = said_by(t, c, 0);
	double *last = said_by(t, c, t->origins - 1), *marked = t->marked + c * s->h;
	for (size_t i = 0; i < s->h; i++)
		if (!isnan(last[i]))
			marked[i] = from_scale(scale, last[i]) - from_scale(scale, last[i] - marks[i]);
	for (size_t i = 0; i < t->origins * s->h; i++)
		if (!isnan(to[i]))
			to[i] = fmin(fmax(from_scale(scale, to[i]), floor), limit);
	for (size_t i = 0; i < s->h; i++)
		if (!(fabs(marked[i]) <= limit))
			marked[i] = 0;
}

/* Forecasts of all candidates at all origins; NAN where one has nothing to say. */
static void try_all(struct arena *scratch, struct tries *t)
{
	size_t h = t->s->h;
	struct arena keep;
	struct stl parts[2][FOLDS_MAX + 1] = {0};
	arena_init(&keep);
	for (size_t c = 0; c < TRIED; c++) {
		const struct candidate *one = &candidates[c % CANDIDATES];
		double *to = said_by(t, c, 0), *marks = arena_array(scratch, h, sizeof *marks);
		struct view v = {.y = t->on[c / CANDIDATES],
		                 .m1 = t->s->m1,
		                 .m2 = t->s->m2,
		                 .h = h,
		                 .origin = t->origin,
		                 .origins = t->origins,
		                 .calendar = t->calendar,
		                 .marks = marks,
		                 .parts = parts[c / CANDIDATES],
		                 .keep = &keep};
		for (size_t i = 0; i < t->origins * h; i++)
			to[i] = NAN;
		if (v.y && may_speak(t, one))
			one->fn(scratch, &v, to);
		bring_back(t, c, marks);
		arena_reset(scratch);
	}
	arena_fini(&keep);
}

/* ---- weighing ---------------------------------------------------------------- */

/* Mean error of a candidate over the folds; NAN if it is silent somewhere. Where most values
 * are 0 the square counts: the least absolute error would be to say 0 for ever. */
static double error_of(const struct tries *t, size_t c)
{
	double sum = 0, all = 0;
	for (size_t k = 0; k + 1 < t->origins; k++) {
		const double *said = said_by(t, c, k), *y = t->s->y + t->origin[k];
		double fold = 0;
		for (size_t i = 0; i < t->s->h; i++) {
			double off = fabs(y[i] - said[i]);
			fold += t->intermittent ? off * off : off;
		}
		sum += t->fold_weight[k] * fold;
		all += t->fold_weight[k];
	}
	sum /= all * (double)t->s->h;
	return t->intermittent ? sqrt(sum) : sum;
}

/* A recursion may grow past every number before the horizon is reached. */
static bool is_silent(const struct tries *t, size_t c)
{
	const double *last = said_by(t, c, t->origins - 1);
	for (size_t i = 0; i < t->s->h; i++)
		if (isnan(last[i]))
			return true;
	return false;
}

static double trust_in(const struct tries *t, size_t c, bool dates_only)
{
	const struct candidate *one = &candidates[c % CANDIDATES];
	if (is_silent(t, c) || (dates_only && !(one->kind & CALENDAR)))
		return 0;
	return t->core_only ? 1 : one->trust * (c < CANDIDATES ? 1 : STABILISED);
}

/* Sum of the weights before they are made to add up to 1. */
static double weigh_by(struct tries *t, bool dates_only)
{
	double error[TRIED], best = HUGE_VAL, sum = 0;
	for (size_t c = 0; c < TRIED; c++) {
		t->weight[c] = trust_in(t, c, dates_only);
		error[c] = t->core_only ? 1 : error_of(t, c);
		if (t->weight[c] > 0 && error[c] < best)
			best = error[c];
	}
	for (size_t c = 0; c < TRIED; c++) {
		if (isnan(error[c]) || error[c] > WORST * best)
			t->weight[c] = 0;
		else if (error[c] > 0)
			t->weight[c] *= pow(best / error[c], SHARPNESS);
		sum += t->weight[c];
	}
	return sum;
}

static void weigh(struct tries *t)
{
	/* Who does not know the date cannot foresee a time full of holidays. */
	bool dates_only = t->calendar && t->calendar->special_ahead >= MARKS_CALENDAR;
	double sum = weigh_by(t, dates_only);
	if (sum <= 0)
		sum = weigh_by(t, false);
	for (size_t c = 0; c < TRIED; c++)
		t->weight[c] = sum > 0 ? t->weight[c] / sum : 0;
}

/* Whether the date of the step i after an origin says something. */
static bool is_marked(const struct tries *t, size_t origin, size_t i)
{
	return t->calendar && t->calendar->mark[(t->origin[origin] + i) * CALENDAR_MARKS] >= 0;
}

/* The mean of those who speak of a step: on a marked day those who know the date, where any of
 * them has weight. */
static double mean_of(const struct tries *t, size_t origin, size_t i, double *marked)
{
	double sum[2] = {0}, all[2] = {0}, marks[2] = {0};
	for (size_t c = 0; c < TRIED; c++) {
		bool knows = candidates[c % CANDIDATES].kind & CALENDAR;
		for (int dates_only = 0; t->weight[c] > 0 && dates_only <= knows; dates_only++) {
			sum[dates_only] += t->weight[c] * said_by(t, c, origin)[i];
			marks[dates_only] += t->weight[c] * t->marked[c * t->s->h + i];
			all[dates_only] += t->weight[c];
		}
	}
	int dates_only = all[1] > 0 && is_marked(t, origin, i);
	if (marked)
		*marked = all[dates_only] > 0 ? marks[dates_only] / all[dates_only] : 0;
	return all[dates_only] > 0 ? sum[dates_only] / all[dates_only] : 0;
}

/* `marked` is what marked days add, at the last origin only; else NULL. */
static void combine(const struct tries *t, size_t origin, double *out, double *marked)
{
	for (size_t i = 0; i < t->s->h; i++)
		out[i] = mean_of(t, origin, i, marked ? &marked[i] : NULL);
}

/* ---- the answer -------------------------------------------------------------- */

static void list_models(struct arena *arena, const struct tries *t, struct ensemble *out)
{
	out->model = arena_array(arena, TRIED, sizeof *out->model);
	out->weight = arena_array(arena, TRIED, sizeof *out->weight);
	for (size_t c = 0; c < TRIED; c++) {
		size_t at = out->models;
		if (t->weight[c] <= 0)
			continue;
		for (; at > 0 && out->weight[at - 1] < t->weight[c]; at--) {
			out->weight[at] = out->weight[at - 1];
			out->model[at] = out->model[at - 1];
		}
		out->weight[at] = t->weight[c];
		out->model[at] = candidates[c % CANDIDATES].name[t->scale[c / CANDIDATES]];
		out->models++;
	}
}

static void answer(struct arena *arena, const struct tries *t, struct ensemble *out)
{
	size_t h = t->s->h;
	*out =
		(struct ensemble){.folds = t->origins - 1, .year_folds = t->year_folds, .apart = t->apart};
	out->point = arena_array(arena, h, sizeof(double));
	out->marked = arena_array(arena, h, sizeof(double));
	out->origin = arena_array(arena, out->folds + 1, sizeof(size_t));
	out->said = arena_array(arena, (out->folds + 1) * h, sizeof(double));
	for (size_t k = 0; k < out->folds; k++) {
		out->origin[k] = t->origin[k];
		combine(t, k, out->said + k * h, NULL);
	}
	combine(t, out->folds, out->point, out->marked);
	list_models(arena, t, out);
}

void ensemble_run(struct arena *arena, const struct series *s, const struct calendar *calendar,
                  struct ensemble *out)
{
	struct arena scratch;
	struct tries t = {.s = s, .calendar = calendar, .intermittent = s->intermittent};
	arena_init(&scratch);
	choose_origins(&t);
	set_scales(arena, &t);
	t.said = arena_array(arena, TRIED * t.origins * s->h, sizeof(double));
	t.marked = arena_array(arena, TRIED * s->h, sizeof(double));
	try_all(&scratch, &t);
	weigh(&t);
	answer(arena, &t, out);
	arena_fini(&scratch);
}
