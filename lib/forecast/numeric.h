/* numeric.h: the little linear algebra, search and order statistics that forecasts need. */
#ifndef TAKINGS_FORECAST_NUMERIC_H
#define TAKINGS_FORECAST_NUMERIC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

/* Solves A x = b for a symmetric positive definite A of n rows by Cholesky's factors; both are
 * overwritten, b with x. Only the lower half of A is read. false: A is not positive definite. */
bool numeric_solve(double *a, double *b, size_t n) MUST_CHECK;

/* Puts v in order, the least first; no NAN is in it. */
void numeric_sort(double *v, size_t n);

/* The value below which the part q (0..1) of v lies, linear between neighbours (type 7 of
 * Hyndman & Fan 1996); v is put in order. 0 of nothing. */
double numeric_quantile(double *v, size_t n, double q);

/* The same of values that are in order. */
double numeric_quantile_sorted(const double *v, size_t n, double q);

struct weighted {
	double value, weight;
};

/* The least value up to which the part q of all weight lies; v is put in order. 0 of nothing. */
double numeric_weighted_quantile(struct weighted *v, size_t n, double q);

/* The middle of a copy. */
double numeric_median(struct arena *arena, const double *v, size_t n);

/* 1.4826 times the median absolute deviation from `centre`: a standard deviation that outliers
 * do not move. */
double numeric_spread(struct arena *arena, const double *v, size_t n, double centre);

/* 0 of nothing. */
double numeric_mean(const double *v, size_t n);

/* v, but no farther from 0 than `bound`; NAN stays. */
double numeric_clip(double v, double bound);

enum { NUMERIC_SEARCH_MAX = 6 };

/* Looks for the least f(x) by Nelder and Mead's simplex (1965), from x with steps of `step`,
 * with `evaluations` calls of f or a few more; x becomes the best found. n is at most
 * NUMERIC_SEARCH_MAX. */
void numeric_search(double *x, size_t n, double step, int evaluations,
                    double (*f)(const double *x, void *arg), void *arg);

#endif
