/* model_ar.c: regression of a value on those some lags before it, by ridge least squares in
 * which older rows count less, iterated over the horizon.
 *
 * The sums of the normal equations grow with each step and are the same for every later
 * origin, so all origins cost one pass. */
#include "forecast/model.h"

#include <math.h>
#include <string.h>

#include "forecast/numeric.h"

enum { LAGS_MAX = 48, DUMMIES_MAX = 31, TERMS_MAX = LAGS_MAX + DUMMIES_MAX };

struct ar {
	size_t lag[LAGS_MAX], lags, most;
	size_t dummies;  /* slots of the short season with a constant of their own; 0: one for all */
	double discount; /* weight of a row one step older */
	double ridge;    /* of the lags, in parts of the mean of the diagonal */
	/* what grows */
	const double *y;
	size_t t;      /* rows taken in: those of y[most] to y[t - 1] */
	double weight; /* of the next row */
	double gram[TERMS_MAX * TERMS_MAX], moment[TERMS_MAX];
};

static void add_lag(struct ar *a, size_t lag)
{
	for (size_t i = 0; i < a->lags; i++)
		if (a->lag[i] == lag)
			return;
	if (lag < 1 || a->lags == LAGS_MAX)
		return;
	a->lag[a->lags++] = lag;
	if (lag > a->most)
		a->most = lag;
}

static void add_lags(struct ar *a, size_t first, size_t last)
{
	for (size_t lag = first; lag <= last; lag++)
		add_lag(a, lag);
}

/* The last steps, whole seasons back, and `around` steps on either side of those. */
static void seasonal_lags(struct ar *a, const struct view *v, size_t recent, size_t around)
{
	size_t m = v->m1, whole = v->m2 ? v->m2 / m : 4;
	add_lags(a, 1, recent);
	if (m < 2)
		return;
	add_lags(a, m > around ? m - around : 1, m + (around ? around : 1));
	for (size_t k = 2; k <= whole && k <= 7; k++)
		add_lags(a, k * m - (around ? 1 : 0), k * m + (around ? 1 : 0));
	if (v->m2) {
		add_lags(a, v->m2 - 1 - around, v->m2 + 1 + around);
		if (v->origin[0] > 3 * v->m2)
			add_lag(a, 2 * v->m2);
	}
}

static size_t terms(const struct ar *a)
{
	return a->lags + (a->dummies ? a->dummies : 1);
}

/* The row that explains y[t]: lags, then the constant of the slot, which is at *one. */
static void row_of(const struct ar *a, const double *y, size_t t, double *row, size_t *one)
{
	for (size_t i = 0; i < a->lags; i++)
		row[i] = y[t - a->lag[i]];
	*one = a->lags + (a->dummies ? t % a->dummies : 0);
}

/* A row that is a step newer counts 1 / discount as much; only the ratio of weights matters, so
 * weights grow instead of sums being shrunk. */
static void take_rows(struct ar *a, size_t to)
{
	size_t p = terms(a), one;
	double row[LAGS_MAX];
	for (; a->t < to; a->t++) {
		double y = a->y[a->t];
		row_of(a, a->y, a->t, row, &one);
		for (size_t i = 0; i < a->lags; i++) {
			double *g = &a->gram[i * p], r = a->weight * row[i];
			for (size_t j = 0; j <= i; j++)
				g[j] += r * row[j];
			a->moment[i] += r * y;
		}
		for (size_t j = 0; j < a->lags; j++)
			a->gram[one * p + j] += a->weight * row[j];
		a->gram[one * p + one] += a->weight;
		a->moment[one] += a->weight * y;
		a->weight /= a->discount;
	}
}

/* `gram` is room for as many as a->gram has. */
static bool solve(const struct ar *a, double *gram, double *coef)
{
	size_t p = terms(a);
	double trace = 0;
	memcpy(gram, a->gram, p * p * sizeof *gram);
	memcpy(coef, a->moment, p * sizeof *coef);
	for (size_t i = 0; i < a->lags; i++)
		trace += gram[i * p + i];
	for (size_t i = 0; i < p; i++)
		gram[i * p + i] +=
			i < a->lags ? a->ridge * trace / (double)a->lags + 1e-9 * a->weight : 1e-6 * a->weight;
	return numeric_solve(gram, coef, p);
}

static void iterate(const struct ar *a, const double *coef, double *y, size_t n, size_t h)
{
	double row[LAGS_MAX];
	size_t one;
	for (size_t t = n; t < n + h; t++) {
		row_of(a, y, t, row, &one);
		double sum = coef[one];
		for (size_t i = 0; i < a->lags; i++)
			sum += coef[i] * row[i];
		y[t] = sum;
	}
}

/* On values less their mean, so that the constant is no matter of the ridge. */
static void ar_run(struct arena *scratch, struct ar *a, const struct view *v, double *out)
{
	double coef[TERMS_MAX];
	size_t last = v->origin[v->origins - 1], p = terms(a);
	double *y = arena_array(scratch, last, sizeof *y);
	double *path = arena_array(scratch, last + v->h, sizeof *path);
	double *gram = arena_array(scratch, p * p, sizeof *gram);
	double centre = numeric_mean(v->y, v->origin[0]);
	if (v->origin[0] < a->most + p + p / 2 + 4)
		return;
	for (size_t t = 0; t < last; t++)
		y[t] = v->y[t] - centre;
	a->y = y;
	a->t = a->most;
	for (size_t k = 0; k < v->origins; k++) {
		size_t n = v->origin[k];
		take_rows(a, n);
		if (!solve(a, gram, coef))
			continue;
		memcpy(path + n - a->most, y + n - a->most, a->most * sizeof *path);
		iterate(a, coef, path, n, v->h);
		for (size_t h = 0; h < v->h; h++)
			out[k * v->h + h] = path[n + h] + centre;
	}
}

/* The discount a season's worth of steps has, as one of a step. */
static double discount_of(const struct view *v, double a_day)
{
	return pow(a_day, v->m2 ? 1 / (double)v->m1 : 1);
}

static struct ar *ar_new(struct arena *scratch, const struct view *v, double ridge, double a_day,
                         bool dummies)
{
	struct ar *a = arena_alloc(scratch, sizeof *a);
	a->weight = 1;
	a->ridge = ridge;
	a->discount = discount_of(v, a_day);
	a->dummies = dummies && v->m1 > 1 && v->m1 <= DUMMIES_MAX ? v->m1 : 0;
	return a;
}

void model_ar(struct arena *scratch, const struct view *v, double *out)
{
	struct ar *a = ar_new(scratch, v, 1e-3, 0.997, !v->m2);
	seasonal_lags(a, v, v->m2 || v->m1 > 8 ? 3 : v->m1 + 1, 0);
	ar_run(scratch, a, v, out);
}

void model_ar_rich(struct arena *scratch, const struct view *v, double *out)
{
	struct ar *a = ar_new(scratch, v, 1e-3, 0.997, !v->m2);
	if (v->m2)
		seasonal_lags(a, v, 6, 2);
	else
		seasonal_lags(a, v, v->m1 > 12 ? v->m1 : 2 * v->m1, 1);
	ar_run(scratch, a, v, out);
}

/* With a constant for each slot of the short season, and shorter memory. */
void model_ar_rich_recent(struct arena *scratch, const struct view *v, double *out)
{
	struct ar *a = ar_new(scratch, v, 3e-3, v->m2 ? 0.96 : 0.99, true);
	if (!v->m2)
		return;
	seasonal_lags(a, v, 4, 1);
	ar_run(scratch, a, v, out);
}

void model_ar_recent(struct arena *scratch, const struct view *v, double *out)
{
	struct ar *a = ar_new(scratch, v, 1e-2, v->m2 ? 0.95 : 0.985, v->m2 > 0);
	seasonal_lags(a, v, v->m2 || v->m1 > 8 ? 3 : v->m1 + 1, 0);
	ar_run(scratch, a, v, out);
}

/* Of the changes since the same slot a season of m before. */
static void of_changes(struct arena *scratch, const struct view *v, size_t m, double *out)
{
	struct ar *a = ar_new(scratch, v, 1e-2, v->m2 ? 0.99 : 0.997, false);
	size_t *origin = arena_array(scratch, v->origins, sizeof *origin);
	size_t last = v->origin[v->origins - 1];
	if (m < 2 || v->origin[0] < 3 * m)
		return;
	double *change = arena_array(scratch, last - m, sizeof *change);
	for (size_t t = m; t < last; t++)
		change[t - m] = v->y[t] - v->y[t - m];
	for (size_t k = 0; k < v->origins; k++)
		origin[k] = v->origin[k] - m;
	struct view of = {
		.y = change, .m1 = v->m1, .m2 = v->m2, .h = v->h, .origin = origin, .origins = v->origins};
	add_lags(a, 1, 3), add_lags(a, v->m1, v->m1 + 1), add_lag(a, 2 * v->m1);
	if (m > v->m1)
		add_lags(a, m, m + 1);
	ar_run(scratch, a, &of, out);
	for (size_t k = 0; k < v->origins; k++, out += v->h)
		for (size_t h = 0; h < v->h; h++)
			out[h] += h < m ? v->y[v->origin[k] - m + h] : out[h - m];
}

void model_ar_long_change(struct arena *scratch, const struct view *v, double *out)
{
	of_changes(scratch, v, v->m2 ? v->m2 : v->m1, out);
}

void model_ar_short_change(struct arena *scratch, const struct view *v, double *out)
{
	if (v->m2)
		of_changes(scratch, v, v->m1, out);
}
