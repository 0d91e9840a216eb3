/* trend.c: the median slope, and how much of it is chance. */
#include "forecast/trend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "forecast/numeric.h"
#include "forecast/trend_change.h"

static const double CLEAR = .05;
static const double Z95 = 1.959963984540054;
enum { PAIRS_MAX = 500000, LEAST_VALUES = 8 };

struct values {
	double *v; /* less their season */
	size_t *t; /* steps, ascending */
	size_t n;
};

/* ---- the season ------------------------------------------------------------------ */

static double known_median(const double *y, size_t n, double *work)
{
	size_t k = 0;
	for (size_t i = 0; i < n; i++)
		if (!isnan(y[i]))
			work[k++] = y[i];
	return k ? numeric_quantile(work, k, .5) : NAN;
}

/* What each slot adds: the median over the seasons of what a value has over the median of the
 * season around it. They add up to 0. */
static void season_of(struct arena *arena, const double *y, size_t n, size_t m, double *slots)
{
	double *work = arena_array(arena, n, sizeof *work), *over = arena_array(arena, n, sizeof *over);
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		over[i] =
			i < m / 2 || i - m / 2 + m > n ? NAN : y[i] - known_median(y + i - m / 2, m, work);
	for (size_t j = 0; j < m; j++) {
		size_t k = 0;
		for (size_t i = j; i < n; i += m)
			if (!isnan(over[i]))
				work[k++] = over[i];
		slots[j] = numeric_quantile(work, k, .5);
		sum += slots[j];
	}
	for (size_t j = 0; j < m; j++)
		slots[j] -= sum / (double)m;
}

static struct values less_season(struct arena *arena, const double *y, size_t first, size_t n,
                                 size_t m)
{
	struct values s = {arena_array(arena, n, sizeof(double)), arena_array(arena, n, sizeof(size_t)),
	                   0};
	double *slots = arena_array(arena, m, sizeof *slots);
	if (m > 1)
		season_of(arena, y, n, m, slots);
	for (size_t i = 0; i < n; i++) {
		if (isnan(y[i]))
			continue;
		s.v[s.n] = y[i] - slots[i % m];
		s.t[s.n++] = first + i;
	}
	return s;
}

/* ---- Theil-Sen --------------------------------------------------------------------- */

/* All pairwise slopes, sorted; of long series every k-th by the pairs' place, k odd. */
static double *slopes_of(struct arena *arena, const struct values *s, size_t *slopes_n)
{
	size_t pairs = s->n * (s->n - 1) / 2, every = pairs / PAIRS_MAX;
	every = every ? every | 1 : 1;
	double *slopes = arena_array(arena, pairs / every + s->n + 1, sizeof *slopes);
	size_t k = 0;
	for (size_t i = 0; i < s->n; i++)
		for (size_t j = i + 1 + i % every; j < s->n; j += every)
			slopes[k++] = (s->v[j] - s->v[i]) / (double)(s->t[j] - s->t[i]);
	numeric_sort(slopes, k);
	*slopes_n = k;
	return slopes;
}

/* ---- Mann-Kendall ------------------------------------------------------------------ */

static double kendall_s(const struct values *s)
{
	int64_t up = 0;
	for (size_t i = 0; i < s->n; i++)
		for (size_t j = i + 1; j < s->n; j++)
			up += (s->v[j] > s->v[i]) - (s->v[j] < s->v[i]);
	return (double)up;
}

static double variance_of_s(struct arena *arena, const struct values *s)
{
	double *v = arena_array(arena, s->n, sizeof *v), n = (double)s->n;
	double sum = n * (n - 1) * (2 * n + 5);
	memcpy(v, s->v, s->n * sizeof *v);
	numeric_sort(v, s->n);
	for (size_t i = 0, j; i < s->n; i = j) {
		for (j = i + 1; j < s->n && v[j] == v[i];)
			j++;
		double ties = (double)(j - i);
		sum -= ties * (ties - 1) * (2 * ties + 5);
	}
	return sum / 18;
}

struct ranked {
	double v;
	size_t i;
};

static int by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	return (x->v > y->v) - (x->v < y->v);
}

/* Ranks of what is left beside the line, ties sharing theirs, less their mean. */
static double *ranks_of(struct arena *arena, const struct values *s, double slope)
{
	struct ranked *by = arena_array(arena, s->n, sizeof *by);
	double *rank = arena_array(arena, s->n, sizeof *rank), n = (double)s->n;
	for (size_t i = 0; i < s->n; i++)
		by[i] = (struct ranked){s->v[i] - slope * (double)(s->t[i] - s->t[0]), i};
	qsort(by, s->n, sizeof *by, by_rank);
	for (size_t i = 0, j; i < s->n; i = j) {
		for (j = i + 1; j < s->n && by[j].v == by[i].v;)
			j++;
		for (size_t k = i; k < j; k++)
			rank[by[k].i] = ((double)(i + j) - n) / 2;
	}
	return rank;
}

/* By how much the likeness of neighbours widens the variance of S: Hamed & Rao's n/n*, with the
 * autocorrelations that stand out, of lags up to a quarter of the series. */
static double widening(struct arena *arena, const struct values *s, double slope)
{
	double *rank = ranks_of(arena, s, slope), n = (double)s->n, own = 0, sum = 0;
	for (size_t i = 0; i < s->n; i++)
		own += rank[i] * rank[i];
	if (own <= 0)
		return 1;
	for (size_t k = 1; k <= s->n / 4; k++) {
		double near = 0, lag = (double)k;
		for (size_t i = k; i < s->n; i++)
			near += rank[i] * rank[i - k];
		if (fabs(near / own) > Z95 / sqrt(n))
			sum += (n - lag) * (n - lag - 1) * (n - lag - 2) * near / own;
	}
	return fmax(1 + 2 * sum / (n * (n - 1) * (n - 2)), 1);
}

/* ---- run ------------------------------------------------------------------------- */

static double p_of(double s, double variance)
{
	if (s == 0 || variance <= 0)
		return 1;
	return erfc((fabs(s) - 1) / sqrt(variance) / sqrt(2));
}

static void test(struct arena *arena, const struct values *s, struct trend *out)
{
	size_t slopes_n;
	double *slopes = slopes_of(arena, s, &slopes_n);
	out->slope = numeric_quantile_sorted(slopes, slopes_n, .5);
	double variance = variance_of_s(arena, s) * widening(arena, s, out->slope);
	double pairs = (double)s->n * (double)(s->n - 1) / 2;
	double half = Z95 * sqrt(variance) / pairs / 2;
	out->slope_lo = numeric_quantile_sorted(slopes, slopes_n, fmax(.5 - half, 0));
	out->slope_hi = numeric_quantile_sorted(slopes, slopes_n, fmin(.5 + half, 1));
	double up = kendall_s(s);
	out->p = p_of(up, variance);
	if (out->p < CLEAR)
		out->direction = up > 0 ? TREND_UP : TREND_DOWN;
}

static enum err check(const struct forecast_input *input, size_t m, struct errbuf *eb)
{
	size_t known = 0;
	for (int k = 0; k < 2; k++)
		if (input->period[k] < 0 || input->period[k] > FORECAST_PERIOD_MAX)
			return err_set_field(eb, ERR_INVALID, "period", "a season has 0 to %d steps",
			                     FORECAST_PERIOD_MAX);
	for (size_t i = 0; i < input->n; i++) {
		if (isinf(input->y[i]))
			return err_set_field(eb, ERR_INVALID, "history", "a value is not finite");
		known += isnan(input->y[i]) ? 0 : 1;
	}
	if (known < LEAST_VALUES)
		return err_set_field(eb, ERR_INVALID, "history", "a trend needs %d values", LEAST_VALUES);
	if (input->n < 2 * m)
		return err_set_field(eb, ERR_INVALID, "history", "a trend needs two seasons, %zu values",
		                     2 * m);
	return ERR_OK;
}

/* Less its season a time when nothing was sold may lie below 0; what is an amount does not. */
static void keep_amounts(const struct forecast_input *input, struct trend *t)
{
	for (size_t i = 0; i < input->n; i++)
		if (input->y[i] < 0)
			return;
	for (size_t k = 0; k < t->changes_n; k++) {
		t->changes[k].before = fmax(t->changes[k].before, 0);
		t->changes[k].after = fmax(t->changes[k].after, 0);
	}
}

enum err trend_run(struct arena *arena, const struct forecast_input *input, struct trend *out,
                   struct errbuf *eb)
{
	int a = input->period[0], b = input->period[1];
	size_t m = b > 1 ? (size_t)b : a > 1 ? (size_t)a : 1;
	enum err e = check(input, m, eb);
	if (e)
		return e;
	size_t first = input->n > TREND_STEPS_USED ? input->n - TREND_STEPS_USED : 0;
	struct values s = less_season(arena, input->y + first, first, input->n - first, m);
	if (s.n < LEAST_VALUES)
		return err_set_field(eb, ERR_INVALID, "history", "a trend needs %d values", LEAST_VALUES);
	*out = (struct trend){.n = s.n};
	out->changes = arena_array(arena, TREND_CHANGES_MAX, sizeof *out->changes);
	test(arena, &s, out);
	out->changes_n = trend_changes(arena, s.v, s.t, s.n, m, out->slope, out->changes);
	keep_amounts(input, out);
	return ERR_OK;
}
