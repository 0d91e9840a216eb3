/* model_stl.c: seasons repeated as they were last, the rest by a method without seasons. */
#include "forecast/model.h"

#include <math.h>

#include "forecast/numeric.h"
#include "forecast/stl.h"

enum { LATELY = 8 };

/* ---- the rest ------------------------------------------------------------ */

/* Squared errors of simple smoothing; the level it ends at. */
static double smooth(const double *y, size_t n, double alpha, double *level)
{
	double sum = 0;
	*level = y[0];
	for (size_t t = 1; t < n; t++) {
		double miss = y[t] - *level;
		sum += miss * miss;
		*level += alpha * miss;
	}
	return sum;
}

/* Theta: simple smoothing with half the slope of the whole. */
static void rest_theta(struct arena *scratch, const double *y, size_t n, size_t h, double *out)
{
	(void)scratch;
	double best = HUGE_VAL, alpha = 0.5, level, sxy = 0, sxx = 0, mean = numeric_mean(y, n);
	for (int i = 1; i <= 12; i++) {
		double sum = smooth(y, n, 0.08 * i, &level);
		if (sum < best)
			best = sum, alpha = 0.08 * i;
	}
	(void)smooth(y, n, alpha, &level);
	for (size_t t = 0; t < n; t++) {
		double x = (double)t - (double)(n - 1) / 2;
		sxy += x * (y[t] - mean), sxx += x * x;
	}
	double drift = sxx > 0 ? sxy / sxx / 2 : 0;
	for (size_t i = 0; i < h; i++)
		out[i] = level + drift * ((double)i + 1 / alpha);
}

/* What is left of the seasons at one origin is forecast into out. */
typedef void (*rest_fn)(struct arena *scratch, const double *y, size_t n, size_t h, double *out);

static void rest_ar(struct arena *scratch, const double *y, size_t n, size_t h, double *out)
{
	struct view rest = {.y = y, .m1 = 1, .h = h, .origin = &n, .origins = 1};
	model_ar(scratch, &rest, out);
}

static void at_each(struct arena *scratch, const struct view *v, rest_fn fn, double *out)
{
	size_t m = v->m2 ? v->m2 : v->m1;
	for (size_t k = 0; k < v->origins; k++, out += v->h) {
		/* what is older than a few long seasons has no say in how they end */
		size_t n = v->origin[k], old = v->m2 && n > LATELY * m ? (n - LATELY * m) / m * m : 0;
		const double *y = v->y + old;
		n -= old;
		struct stl *parts = &v->parts[k];
		if (m < 2 || n < 2 * m + 1)
			continue;
		if (!parts->rest)
			stl_split(v->keep, y, n, v->m1, v->m2, parts);
		fn(scratch, parts->rest, n, v->h, out);
		for (size_t h = 0; h < v->h; h++)
			out[h] += parts->season[0][n - v->m1 + h % v->m1] +
			          (v->m2 ? parts->season[1][n - v->m2 + h % v->m2] : 0);
	}
}

void model_stl_theta(struct arena *scratch, const struct view *v, double *out)
{
	at_each(scratch, v, rest_theta, out);
}

void model_stl_ar(struct arena *scratch, const struct view *v, double *out)
{
	at_each(scratch, v, rest_ar, out);
}
