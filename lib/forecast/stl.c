/* stl.c: decomposition by local regression. */
#include "forecast/stl.h"

#include <math.h>
#include <string.h>

#include "forecast/numeric.h"

enum { PASSES = 2, WINDOW_SHORT = 11, WINDOW_LONG = 15 }; /* as R's mstl */

/* What one decomposition works with; arrays of n values, cycle of n + 2 m. */
struct work {
	const double *y;
	size_t n, m;
	size_t season_window, trend_window;
	double *trend, *season, *cycle, *low, *sub, *sub_fit, *buffer;
};

static size_t next_odd(double x)
{
	size_t n = (size_t)ceil(x);
	return n % 2 ? n : n + 1;
}

/* Local regression of degree 0 or 1 at x (steps from y[0], up to one outside) of at least two
 * values, so that one of them has a weight. */
static double loess_at(const double *y, size_t n, double x, size_t window, int degree)
{
	size_t q = window < n ? window : n;
	double first = x - (double)(q - 1) / 2;
	size_t from = first <= 0 ? 0 : (size_t)(first + 0.5);
	if (from + q > n)
		from = n - q;
	double reach = fmax(x - (double)from, (double)(from + q - 1) - x);
	if (window > n)
		reach += (double)(window - n) / 2;
	double sw = 0, swx = 0, swxx = 0, swy = 0, swxy = 0;
	for (size_t i = from; i < from + q; i++) {
		double d = (double)i - x, r = reach > 0 ? fabs(d) / reach : 0;
		if (r >= 0.999)
			continue;
		double w = r > 0.001 ? 1 - r * r * r : 1;
		w = w * w * w;
		sw += w, swy += w * y[i];
		swx += w * d, swxx += w * d * d, swxy += w * d * y[i];
	}
	double spread = swxx - swx * swx / sw, flat = swy / sw;
	if (degree == 0 || sqrt(spread / sw) <= 0.001 * (double)n)
		return flat;
	return flat - (swxy - swx * swy / sw) / spread * (swx / sw);
}

/* Smooths y into out at from, from + 1, ... (count of them); only each jump-th point is
 * computed, what is between is interpolated. */
static void loess(const double *y, size_t n, size_t window, int degree, double from, size_t count,
                  double *out)
{
	size_t jump = (window + 9) / 10, at = 0;
	for (size_t i = 0;; i = i + jump < count - 1 ? i + jump : count - 1) {
		out[i] = loess_at(y, n, from + (double)i, window, degree);
		for (size_t k = at + 1; k < i; k++)
			out[k] = out[at] + (out[i] - out[at]) * (double)(k - at) / (double)(i - at);
		at = i;
		if (i + 1 >= count)
			return;
	}
}

/* Each slot's values smoothed, with one more cycle at either end. */
static void smooth_cycles(struct work *w)
{
	for (size_t slot = 0; slot < w->m; slot++) {
		size_t k = 0;
		for (size_t t = slot; t < w->n; t += w->m, k++)
			w->sub[k] = w->y[t] - w->trend[t];
		loess(w->sub, k, w->season_window, 0, -1, k + 2, w->sub_fit);
		for (size_t i = 0; i < k + 2; i++)
			w->cycle[slot + i * w->m] = w->sub_fit[i];
	}
}

/* Moving means of `window` over n values; writes n - window + 1. */
static size_t moving_mean(const double *y, size_t n, size_t window, double *out)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++) {
		sum += y[i];
		if (i + 1 >= window) {
			out[i + 1 - window] = sum / (double)window;
			sum -= y[i + 1 - window];
		}
	}
	return n - window + 1;
}

static void inner_pass(struct work *w)
{
	smooth_cycles(w);
	size_t n = moving_mean(w->cycle, w->n + 2 * w->m, w->m, w->buffer);
	n = moving_mean(w->buffer, n, w->m, w->low);
	n = moving_mean(w->low, n, 3, w->buffer);
	loess(w->buffer, n, next_odd((double)w->m), 1, 0, w->n, w->low);
	for (size_t t = 0; t < w->n; t++) {
		w->season[t] = w->cycle[t + w->m] - w->low[t];
		w->buffer[t] = w->y[t] - w->season[t];
	}
	loess(w->buffer, w->n, w->trend_window, 1, 0, w->n, w->trend);
}

/* One season of y into `season`. */
static void split_one(struct arena *arena, const double *y, size_t n, size_t m, size_t window,
                      double *season)
{
	struct work w = {.y = y, .n = n, .m = m, .season_window = window, .season = season};
	w.trend_window = next_odd(1.5 * (double)m / (1 - 1.5 / (double)window));
	w.trend = arena_array(arena, n, sizeof(double));
	w.cycle = arena_array(arena, n + 3 * m, sizeof(double));
	w.low = arena_array(arena, n + 2 * m, sizeof(double));
	w.buffer = arena_array(arena, n + 2 * m, sizeof(double));
	w.sub = arena_array(arena, n / m + 2, sizeof(double));
	w.sub_fit = arena_array(arena, n / m + 4, sizeof(double));
	for (int pass = 0; pass < PASSES; pass++)
		inner_pass(&w);
}

void stl_split(struct arena *arena, const double *y, size_t n, size_t m1, size_t m2,
               struct stl *out)
{
	size_t m[2] = {m1, m2};
	double *rest = arena_array(arena, n, sizeof *rest);
	memcpy(rest, y, n * sizeof *rest);
	for (int s = 0; s < 2; s++)
		out->season[s] = arena_array(arena, n, sizeof(double));
	for (int pass = 0; pass < (m2 ? PASSES : 1); pass++)
		for (int s = 0; s < 2; s++) {
			if (m[s] < 2)
				continue;
			for (size_t t = 0; t < n; t++)
				rest[t] += out->season[s][t];
			split_one(arena, rest, n, m[s], s == 0 ? WINDOW_SHORT : WINDOW_LONG, out->season[s]);
			for (size_t t = 0; t < n; t++)
				rest[t] -= out->season[s][t];
		}
	out->rest = rest;
}
