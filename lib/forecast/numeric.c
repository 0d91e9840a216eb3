/* numeric.c: linear algebra, search and order statistics. */
#include "forecast/numeric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool numeric_solve(double *a, double *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j <= i; j++) {
			double sum = a[i * n + j];
			for (size_t k = 0; k < j; k++)
				sum -= a[i * n + k] * a[j * n + k];
			if (i != j)
				a[i * n + j] = sum / a[j * n + j];
			else if (sum > 0)
				a[i * n + i] = sqrt(sum);
			else
				return false;
		}
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < i; k++)
			b[i] -= a[i * n + k] * b[k];
		b[i] /= a[i * n + i];
	}
	for (size_t i = n; i-- > 0;) {
		for (size_t k = i + 1; k < n; k++)
			b[i] -= a[k * n + i] * b[k];
		b[i] /= a[i * n + i];
	}
	return true;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

void numeric_sort(double *v, size_t n)
{
	qsort(v, n, sizeof *v, by_value);
}

double numeric_quantile(double *v, size_t n, double q)
{
	numeric_sort(v, n);
	return numeric_quantile_sorted(v, n, q);
}

double numeric_quantile_sorted(const double *v, size_t n, double q)
{
	if (n == 0)
		return 0;
	double at = q * (double)(n - 1);
	size_t i = (size_t)at;
	return i + 1 < n ? v[i] + (at - (double)i) * (v[i + 1] - v[i]) : v[n - 1];
}

static int compare_weighted(const void *a, const void *b)
{
	const struct weighted *x = a, *y = b;
	return (x->value > y->value) - (x->value < y->value);
}

double numeric_weighted_quantile(struct weighted *v, size_t n, double q)
{
	double all = 0, sum = 0;
	qsort(v, n, sizeof *v, compare_weighted);
	for (size_t i = 0; i < n; i++)
		all += v[i].weight;
	for (size_t i = 0; i < n; i++) {
		sum += v[i].weight;
		if (sum >= q * all)
			return v[i].value;
	}
	return n > 0 ? v[n - 1].value : 0;
}

double numeric_median(struct arena *arena, const double *v, size_t n)
{
	double *copy = arena_array(arena, n, sizeof *copy);
	if (n > 0)
		memcpy(copy, v, n * sizeof *copy);
	return numeric_quantile(copy, n, 0.5);
}

double numeric_spread(struct arena *arena, const double *v, size_t n, double centre)
{
	double *off = arena_array(arena, n, sizeof *off);
	for (size_t i = 0; i < n; i++)
		off[i] = fabs(v[i] - centre);
	return 1.4826 * numeric_quantile(off, n, 0.5);
}

double numeric_mean(const double *v, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += v[i];
	return n > 0 ? sum / (double)n : 0;
}

double numeric_clip(double v, double bound)
{
	return v > bound ? bound : v < -bound ? -bound : v;
}

/* ---- Nelder and Mead --------------------------------------------------- */

struct simplex {
	double at[NUMERIC_SEARCH_MAX + 1][NUMERIC_SEARCH_MAX];
	double value[NUMERIC_SEARCH_MAX + 1];
	size_t n;
	int left; /* calls of f that may still be made */
	double (*f)(const double *x, void *arg);
	void *arg;
};

static double ask(struct simplex *s, const double *x)
{
	s->left--;
	double v = s->f(x, s->arg);
	return isfinite(v) ? v : HUGE_VAL;
}

/* The corners in order, the best first. */
static void order(struct simplex *s)
{
	for (size_t i = 1; i <= s->n; i++)
		for (size_t j = i; j > 0 && s->value[j] < s->value[j - 1]; j--) {
			double v = s->value[j], row[NUMERIC_SEARCH_MAX];
			s->value[j] = s->value[j - 1];
			s->value[j - 1] = v;
			memcpy(row, s->at[j], sizeof row);
			memcpy(s->at[j], s->at[j - 1], sizeof row);
			memcpy(s->at[j - 1], row, sizeof row);
		}
}

/* The worst corner moved along the line through the middle of the others. */
static double move(struct simplex *s, const double *middle, double by, double *to)
{
	for (size_t i = 0; i < s->n; i++)
		to[i] = middle[i] + by * (s->at[s->n][i] - middle[i]);
	return ask(s, to);
}

static void keep(struct simplex *s, size_t corner, const double *x, double value)
{
	memcpy(s->at[corner], x, s->n * sizeof *x);
	s->value[corner] = value;
}

static void shrink(struct simplex *s)
{
	for (size_t c = 1; c <= s->n && s->left > 0; c++) {
		for (size_t i = 0; i < s->n; i++)
			s->at[c][i] = s->at[0][i] + 0.5 * (s->at[c][i] - s->at[0][i]);
		s->value[c] = ask(s, s->at[c]);
	}
}

static void step_simplex(struct simplex *s)
{
	double middle[NUMERIC_SEARCH_MAX] = {0}, to[NUMERIC_SEARCH_MAX], far[NUMERIC_SEARCH_MAX];
	for (size_t i = 0; i < s->n; i++) {
		for (size_t c = 0; c < s->n; c++)
			middle[i] += s->at[c][i];
		middle[i] /= (double)s->n;
	}
	double value = move(s, middle, -1, to);
	if (value < s->value[0]) {
		double further = move(s, middle, -2, far);
		if (further < value)
			keep(s, s->n, far, further);
		else
			keep(s, s->n, to, value);
	} else if (value < s->value[s->n - 1]) {
		keep(s, s->n, to, value);
	} else {
		value = move(s, middle, value < s->value[s->n] ? -0.5 : 0.5, to);
		if (value < s->value[s->n])
			keep(s, s->n, to, value);
		else
			shrink(s);
	}
}

void numeric_search(double *x, size_t n, double step, int evaluations,
                    double (*f)(const double *x, void *arg), void *arg)
{
	struct simplex s = {.n = n, .left = evaluations, .f = f, .arg = arg};
	must(n >= 1 && n <= NUMERIC_SEARCH_MAX);
	for (size_t c = 0; c <= n; c++) {
		memcpy(s.at[c], x, n * sizeof *x);
		if (c > 0)
			s.at[c][c - 1] += step;
		s.value[c] = ask(&s, s.at[c]);
	}
	order(&s);
	while (s.left > 0) {
		step_simplex(&s);
		order(&s);
	}
	memcpy(x, s.at[0], n * sizeof *x);
}
