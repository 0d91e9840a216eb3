/* bands.c: errors of the past as bands of the future. */
#include "forecast/bands.h"

#include <math.h>

#include "forecast/numeric.h"

enum { FOLDS_SURE = 4 };

/* The weights were found on the same folds, which makes their errors a little small. */
static const double WIDEN = 1.12, WIDEN_UNSURE = 1.5;
static const double OWN = 0.6; /* of a step's scale is its own, the rest that of all */
/* In units of the mean absolute error: a normal error has 1.6 and 2.46. */
static const double LEAST80 = 1.1, LEAST95 = 1.8, NORMAL80 = 1.2816, NORMAL95 = 1.96;

static double mean_abs(const double *error, size_t folds, size_t h, size_t from, size_t to)
{
	double sum = 0;
	for (size_t k = 0; k < folds; k++)
		for (size_t i = from; i <= to; i++)
			sum += fabs(error[k * h + i]);
	return sum / (double)(folds * (to - from + 1));
}

static void set_scale(const double *error, size_t folds, size_t h, double *scale)
{
	double all = mean_abs(error, folds, h, 0, h - 1);
	for (size_t i = 0; i < h; i++) {
		double own = mean_abs(error, folds, h, i > 0 ? i - 1 : 0, i + 1 < h ? i + 1 : h - 1);
		scale[i] = OWN * own + (1 - OWN) * all;
	}
}

/* The size that the part p of all errors does not exceed, a new one counted in; fold `without`
 * is left out (folds: none). v has room for all. */
static double conformal(const double *error, const double *scale, size_t folds, size_t h,
                        size_t without, double p, double *v)
{
	size_t n = 0;
	for (size_t k = 0; k < folds; k++)
		for (size_t i = 0; k != without && i < h; i++)
			v[n++] = scale[i] > 0 ? fabs(error[k * h + i]) / scale[i] : 0;
	double q = p * (double)(n + 1) / (double)n;
	return numeric_quantile(v, n, q < 1 ? q : 1);
}

static void cover(struct arena *arena, const double *error, const double *scale, size_t folds,
                  size_t h, struct bands *out)
{
	size_t in80 = 0, in95 = 0;
	double *v = arena_array(arena, folds * h, sizeof *v);
	for (size_t k = 0; k < folds; k++) {
		double q80 = fmax(conformal(error, scale, folds, h, k, 0.80, v), LEAST80) * WIDEN;
		double q95 = fmax(conformal(error, scale, folds, h, k, 0.95, v), LEAST95) * WIDEN;
		for (size_t i = 0; i < h; i++) {
			in80 += fabs(error[k * h + i]) <= q80 * scale[i];
			in95 += fabs(error[k * h + i]) <= q95 * scale[i];
		}
	}
	out->coverage80 = (double)in80 / (double)(folds * h);
	out->coverage95 = (double)in95 / (double)(folds * h);
}

/* Of sums there is one error a fold: too few for quantiles, so a normal one is assumed, and
 * never less than independent steps would have. */
static void set_total(const double *error, size_t folds, size_t h, double widen, struct bands *out)
{
	double square = 0, apart = 0;
	for (size_t k = 0; k < folds; k++) {
		double sum = 0;
		for (size_t i = 0; i < h; i++) {
			sum += error[k * h + i];
			apart += error[k * h + i] * error[k * h + i] / (double)folds;
		}
		square += sum * sum / (double)folds;
	}
	double sigma = sqrt(fmax(square, apart)) * widen;
	out->total80 = NORMAL80 * sigma;
	out->total95 = NORMAL95 * sigma;
}

static void from_spread(double spread, size_t h, struct bands *out)
{
	for (size_t i = 0; i < h; i++) {
		out->half80[i] = NORMAL80 * WIDEN_UNSURE * spread;
		out->half95[i] = NORMAL95 * WIDEN_UNSURE * spread;
	}
	/* As if half of each error were common to all steps. */
	double sum = WIDEN_UNSURE * spread * sqrt(((double)h * (double)h + (double)h) / 2);
	out->total80 = NORMAL80 * sum;
	out->total95 = NORMAL95 * sum;
	out->coverage80 = out->coverage95 = NAN;
}

void bands_make(struct arena *arena, const double *error, size_t folds, size_t h, double spread,
                struct bands *out)
{
	double widen = folds < FOLDS_SURE ? WIDEN_UNSURE : WIDEN;
	*out = (struct bands){.half80 = arena_array(arena, h, sizeof(double)),
	                      .half95 = arena_array(arena, h, sizeof(double))};
	if (folds == 0 || h == 0) {
		from_spread(spread, h, out);
		return;
	}
	double *scale = arena_array(arena, h, sizeof *scale);
	double *v = arena_array(arena, folds * h, sizeof *v);
	set_scale(error, folds, h, scale);
	double q80 = fmax(conformal(error, scale, folds, h, folds, 0.80, v), LEAST80) * widen;
	double q95 = fmax(conformal(error, scale, folds, h, folds, 0.95, v), LEAST95) * widen;
	for (size_t i = 0; i < h; i++) {
		out->half80[i] = q80 * scale[i];
		out->half95[i] = fmax(q95, q80) * scale[i];
	}
	set_total(error, folds, h, widen, out);
	if (folds > 1)
		cover(arena, error, scale, folds, h, out);
	else
		out->coverage80 = out->coverage95 = NAN;
}
