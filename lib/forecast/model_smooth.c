/* model_smooth.c: level and up to two seasons by exponential smoothing, with an AR(1) error. */
#include "forecast/model.h"

#include <math.h>
#include <string.h>

#include "forecast/numeric.h"

enum { GAIN_LEVEL, GAIN_SHORT, GAIN_LONG, CARRY };

struct hwt {
	const double *y;
	size_t n, m1, m2;
	double *start_short, *start_long, *season_short, *season_long;
	double start, level, last;
	size_t skip; /* steps that formed the start: their errors do not count */
	double carry;
};

/* From the whole line to (lo, hi), and back. */
static double bound(double x, double lo, double hi)
{
	return lo + (hi - lo) / (1 + exp(-x));
}

static double unbound(double g, double lo, double hi)
{
	return log((g - lo) / (hi - g));
}

/* Sum of squared errors of one step ahead. */
static double run(const double *x, void *arg)
{
	struct hwt *f = arg;
	double alpha = bound(x[GAIN_LEVEL], 0, 0.7), delta = bound(x[GAIN_SHORT], 0, 0.7);
	double phi = f->carry = bound(x[f->m2 ? CARRY : GAIN_LONG], -0.3, 0.97);
	double omega = f->m2 ? bound(x[GAIN_LONG], 0, 0.7) : 0;
	double level = f->start, last = 0, sum = 0;
	memcpy(f->season_short, f->start_short, f->m1 * sizeof(double));
	memcpy(f->season_long, f->start_long, (f->m2 + 1) * sizeof(double));
	for (size_t t = 0, i = 0, j = 0; t < f->n; t++) {
		double *a = &f->season_short[i], *b = &f->season_long[j];
		double off = f->y[t] - level - *a - *b, miss = off - phi * last;
		if (t >= f->skip)
			sum += fabs(miss);
		level += alpha * miss;
		*a += delta * miss;
		*b += omega * miss;
		last = off;
		i = i + 1 == f->m1 ? 0 : i + 1;
		j = j + 1 >= f->m2 ? 0 : j + 1;
	}
	f->level = level;
	f->last = last;
	return sum;
}

/* Level and seasons out of the first cycles. */
static void begin(struct hwt *f)
{
	size_t m = f->m2 ? f->m2 : f->m1, cycles = f->n / m;
	cycles = cycles > 4 ? (f->m2 ? 2 : 4) : cycles > 2 ? 2 : 1;
	size_t span = cycles * m;
	f->start = numeric_mean(f->y, span);
	size_t times = span / f->m1;
	for (size_t t = 0; t < span; t++)
		f->start_short[t % f->m1] += (f->y[t] - f->start) / (double)times;
	for (size_t t = 0; f->m2 && t < span; t++)
		f->start_long[t % f->m2] +=
			(f->y[t] - f->start - f->start_short[t % f->m1]) / (double)cycles;
	f->skip = span;
}

/* The search at each origin begins where the one before it ended. */
static void hwt(struct arena *scratch, const struct view *v, size_t m2, double *out)
{
	struct hwt f = {.y = v->y, .n = v->origin[0], .m1 = v->m1, .m2 = m2};
	size_t n = m2 ? 4 : 3, m = m2 ? m2 : v->m1;
	struct warm here = {.x = {unbound(0.05, 0, 0.7), unbound(0.1, 0, 0.7), unbound(0.15, 0, 0.7)}};
	struct warm *warm = v->warm ? v->warm : &here;
	if (v->origin[0] < 3 * m || v->origin[0] < m + 8)
		return;
	f.start_short = arena_array(scratch, v->m1, sizeof(double));
	f.season_short = arena_array(scratch, v->m1, sizeof(double));
	f.start_long = arena_array(scratch, m2 + 1, sizeof(double));
	f.season_long = arena_array(scratch, m2 + 1, sizeof(double));
	begin(&f);
	here.x[n - 1] = unbound(0.5, -0.3, 0.97);
	if (!warm->known)
		memcpy(warm->x, here.x, sizeof here.x);
	for (size_t k = 0; k < v->origins; k++, out += v->h) {
		f.n = v->origin[k];
		numeric_search(warm->x, n, warm->known ? 0.3 : 1, warm->known ? 24 : 90, run, &f);
		warm->known = true;
		(void)run(warm->x, &f);
		double rest = f.last;
		for (size_t h = 0; h < v->h; h++) {
			rest *= f.carry;
			out[h] = f.level + f.season_short[(f.n + h) % f.m1] + rest +
			         (m2 ? f.season_long[(f.n + h) % m2] : 0);
		}
	}
}

void model_hwt(struct arena *scratch, const struct view *v, double *out)
{
	hwt(scratch, v, v->m2, out);
}

void model_hwt_short(struct arena *scratch, const struct view *v, double *out)
{
	if (v->m2)
		hwt(scratch, v, 0, out);
}
