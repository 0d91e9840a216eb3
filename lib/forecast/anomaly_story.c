/* anomaly_story.c: neighbours, and how much to make of them. */
#include "forecast/anomaly_story.h"

#include <math.h>

#include "forecast/numeric.h"

static const double WILD = 3;     /* errors are clipped here where a likeness is learned */
static const double USUAL = 1.5;  /* and here for the second story */
static const double SILENT = .01; /* errors no larger say nothing: closed hours have none */
static const double LEAST_UNIT = .05;
static const double FORGET = .998; /* of the likeness, online: a few hundred steps */

/* How much of one neighbour's error, and of both neighbours' sum, a step shares. */
struct likeness {
	double one, two;
};

/* Least squares through 0 of clipped errors. */
static struct likeness learn_likeness(const double *r, size_t n)
{
	double one = 0, one_n = 1e-9, two = 0, two_n = 1e-9;
	for (size_t i = 1; i < n; i++) {
		if (isnan(r[i]) || isnan(r[i - 1]))
			continue;
		double a = numeric_clip(r[i - 1], WILD), b = numeric_clip(r[i], WILD);
		one += a * b, one_n += a * a;
		if (i + 1 == n || isnan(r[i + 1]))
			continue;
		a += numeric_clip(r[i + 1], WILD);
		two += a * b, two_n += a * a;
	}
	return (struct likeness){fmin(fmax(one / one_n, 0), .95), fmin(fmax(two / two_n, 0), .5)};
}

static double told(double before, double after, struct likeness k, double bound)
{
	before = numeric_clip(before, bound), after = numeric_clip(after, bound);
	if (isnan(before) && isnan(after))
		return 0;
	if (isnan(after))
		return k.one * before;
	return isnan(before) ? k.one * after : k.two * (before + after);
}

static void measure(struct anomaly_story *s, size_t i, double r, double before, double after,
                    struct likeness k)
{
	double whole = r - told(before, after, k, INFINITY);
	double usual = told(before, after, k, USUAL);
	s->lonely[i] = r - usual;
	s->score[i] = whole * s->lonely[i] <= 0          ? 0
	              : fabs(whole) < fabs(s->lonely[i]) ? whole
	                                                 : s->lonely[i];
	s->shift[i] = usual;
}

static double unit_of(double *sizes, size_t n)
{
	if (n == 0)
		return 1;
	double tail = numeric_quantile(sizes, n, .95) / 1.96;
	double middle = 1.4826 * numeric_quantile(sizes, n, .5);
	return fmax(fmax(tail, middle), LEAST_UNIT);
}

/* The unit of the `near` steps on each side of i; where that is beyond an end, of as many. */
static double unit_at(const struct anomaly_story *s, const double *r, size_t n, size_t i,
                      size_t near, const bool *aside, double *sizes)
{
	size_t want = near < n / 2 ? 2 * near : n, k = 0;
	size_t from = i > near ? i - near : 0;
	if (from > n - want)
		from = n - want;
	for (size_t j = from; j < from + want; j++)
		if (fabs(r[j]) > SILENT && !aside[j])
			sizes[k++] = fabs(s->lonely[j]);
	return unit_of(sizes, k);
}

static void look_back(struct arena *arena, const double *r, size_t n, size_t near,
                      const bool *aside, struct anomaly_story *s)
{
	struct likeness k = learn_likeness(r, n);
	double *sizes = arena_array(arena, n, sizeof *sizes);
	size_t block = near / 10 + 1;
	for (size_t i = 0; i < n; i++)
		measure(s, i, r[i], i > 0 ? r[i - 1] : NAN, i + 1 < n ? r[i + 1] : NAN, k);
	for (size_t from = 0; from < n; from += block) {
		double unit = unit_at(s, r, n, from + block / 2, near, aside, sizes);
		for (size_t i = from; i < n && i < from + block; i++)
			s->unit[i] = unit;
	}
}

static void go_along(const double *r, size_t n, struct anomaly_story *s)
{
	double one = 0, one_n = 1, unit = 1;
	for (size_t i = 0; i < n; i++) {
		double before = i > 0 ? r[i - 1] : NAN;
		struct likeness k = {fmin(fmax(one / one_n, 0), .95), 0};
		measure(s, i, r[i], before, NAN, k);
		s->unit[i] = unit;
		if (isnan(r[i]) || fabs(r[i]) <= SILENT)
			continue;
		/* A tail of 5 %, followed as it moves: up 19 times as far as down. */
		unit *= fabs(s->lonely[i]) > 1.96 * unit ? 1.0095 : .9995;
		unit = fmin(fmax(unit, .5), 4);
		if (isnan(before))
			continue;
		double a = numeric_clip(before, WILD);
		one = FORGET * one + a * numeric_clip(r[i], WILD), one_n = FORGET * one_n + a * a;
	}
}

void anomaly_story(struct arena *arena, const double *r, size_t n, size_t near, bool online,
                   const bool *aside, struct anomaly_story *s)
{
	*s = (struct anomaly_story){.shift = arena_array(arena, n, sizeof(double)),
	                            .score = arena_array(arena, n, sizeof(double)),
	                            .lonely = arena_array(arena, n, sizeof(double)),
	                            .unit = arena_array(arena, n, sizeof(double))};
	if (online)
		go_along(r, n, s);
	else
		look_back(arena, r, n, near, aside, s);
	for (size_t i = 0; i < n; i++)
		s->score[i] /= s->unit[i], s->lonely[i] /= s->unit[i];
}
