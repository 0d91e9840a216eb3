/* bands.c: errors of the past as bands of the future. */
#include "forecast/bands.h"

#include <math.h>

#include "forecast/numeric.h"

enum { FOLDS_SURE = 4 };

/* Errors of folds are a little small, as the weights were found on the same folds, and the more
 * so the fewer folds there are that share no step. Hours need more: their folds lie within days. */
static const double WIDEN_DAYS = 0.95, WIDEN_HOURS = 1.15, WIDEN_SHARED = 0.8, WIDEN_UNSURE = 1.5;
/* Weight of a fold against the next newer one: how hard a series is to foresee changes. */
static const double FADING_DAYS = 0.75, FADING_HOURS = 0.9;
static const double WILD = 200; /* times the median error */
static const double OWN = 0.6;  /* of a step's scale is its own, the rest that of all */
/* In units of the mean absolute error: a normal error has 1.6 and 2.46. */
static const double LEAST80 = 1.1, LEAST95 = 1.8, NORMAL80 = 1.2816, NORMAL95 = 1.96;

/* What was hard to foresee at this time of the year is so again. */
static double weight_of(const struct errors *e, size_t fold)
{
	if (fold < e->year_folds)
		return 1;
	return pow(e->hours ? FADING_HOURS : FADING_DAYS, (double)(e->folds - 1 - fold));
}

/* The errors with wild ones drawn in: a day a thousand times too large by a slip of the pen was
 * in nobody's power to foresee, and says nothing about the others. */
static struct errors without_wild(struct arena *arena, const struct errors *e)
{
	size_t n = e->folds * e->h;
	double *of = arena_array(arena, n, sizeof *of);
	struct weighted *v = arena_array(arena, n, sizeof *v);
	for (size_t i = 0; i < n; i++)
		v[i] = (struct weighted){fabs(e->of[i]), weight_of(e, i / e->h)};
	double usual = numeric_weighted_quantile(v, n, 0.5),
		   limit = usual > 0 ? WILD * usual : HUGE_VAL;
	for (size_t i = 0; i < n; i++)
		of[i] = fmax(fmin(e->of[i], limit), -limit);
	struct errors tame = *e;
	tame.of = of;
	return tame;
}

static double mean_abs(const struct errors *e, size_t from, size_t to)
{
	double sum = 0, all = 0;
	for (size_t k = 0; k < e->folds; k++) {
		double w = weight_of(e, k);
		for (size_t i = from; i <= to; i++)
			sum += w * fabs(e->of[k * e->h + i]), all += w;
	}
	return sum / all;
}

/* What is usual for each step. */
static void set_scale(const struct errors *e, double *scale)
{
	double all = mean_abs(e, 0, e->h - 1);
	for (size_t i = 0; i < e->h; i++) {
		double own = mean_abs(e, i > 0 ? i - 1 : 0, i + 1 < e->h ? i + 1 : e->h - 1);
		scale[i] = OWN * own + (1 - OWN) * all;
	}
}

struct quantiles {
	double q80, q95;
};

/* The sizes that 80 and 95 % of all errors do not exceed, without fold `without` (folds: none
 * is left out). v has room for all. */
static struct quantiles conformal(const struct errors *e, const double *scale, size_t without,
                                  double widen, struct weighted *v)
{
	size_t n = 0;
	for (size_t k = 0; k < e->folds; k++)
		for (size_t i = 0; k != without && i < e->h; i++, n++) {
			v[n].value = scale[i] > 0 ? fabs(e->of[k * e->h + i]) / scale[i] : 0;
			v[n].weight = weight_of(e, k);
		}
	struct quantiles q = {fmax(numeric_weighted_quantile(v, n, 0.80), LEAST80) * widen,
	                      fmax(numeric_weighted_quantile(v, n, 0.95), LEAST95) * widen};
	q.q95 = fmax(q.q80, q.q95);
	return q;
}

static void cover(const struct errors *e, const double *scale, double widen, struct weighted *v,
                  struct bands *out)
{
	size_t in80 = 0, in95 = 0;
	for (size_t k = 0; k < e->folds; k++) {
		struct quantiles q = conformal(e, scale, k, widen, v);
		for (size_t i = 0; i < e->h; i++) {
			in80 += fabs(e->of[k * e->h + i]) <= q.q80 * scale[i];
			in95 += fabs(e->of[k * e->h + i]) <= q.q95 * scale[i];
		}
	}
	out->coverage80 = (double)in80 / (double)(e->folds * e->h);
	out->coverage95 = (double)in95 / (double)(e->folds * e->h);
}

/* Of sums there is one error a fold: too few for quantiles, so a normal one is assumed, and
 * never less than independent steps would have. */
static void set_total(const struct errors *e, double widen, struct bands *out)
{
	double square = 0, apart = 0, all = 0;
	for (size_t k = 0; k < e->folds; k++) {
		double sum = 0, w = weight_of(e, k);
		for (size_t i = 0; i < e->h; i++) {
			double off = e->of[k * e->h + i];
			sum += off;
			apart += w * off * off;
		}
		square += w * sum * sum;
		all += w;
	}
	double sigma = sqrt(fmax(square, apart) / all) * widen;
	out->total80 = NORMAL80 * sigma;
	out->total95 = NORMAL95 * sigma;
}

/* One wild step in a fold makes a sum of squares wild, but no sum is less sure than all its steps
 * together. */
static void bound_total(size_t h, struct bands *out)
{
	double sum80 = 0, sum95 = 0;
	for (size_t i = 0; i < h; i++)
		sum80 += out->half80[i], sum95 += out->half95[i];
	out->total80 = fmin(out->total80, sum80);
	out->total95 = fmin(out->total95, sum95);
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

static double widen_by(const struct errors *e)
{
	double independent = 1 + (double)((e->folds - e->year_folds - 1) * e->apart) / (double)e->h;
	if (e->folds < FOLDS_SURE)
		return WIDEN_UNSURE;
	return (e->hours ? WIDEN_HOURS : WIDEN_DAYS) + WIDEN_SHARED / independent;
}

void bands_make(struct arena *arena, const struct errors *all, double spread, struct bands *out)
{
	const struct errors tame = without_wild(arena, all), *e = &tame;
	*out = (struct bands){.half80 = arena_array(arena, e->h, sizeof(double)),
	                      .half95 = arena_array(arena, e->h, sizeof(double))};
	if (e->folds == 0 || e->h == 0) {
		from_spread(spread, e->h, out);
		return;
	}
	double *scale = arena_array(arena, e->h, sizeof *scale), widen = widen_by(e);
	struct weighted *v = arena_array(arena, e->folds * e->h, sizeof *v);
	set_scale(e, scale);
	struct quantiles q = conformal(e, scale, e->folds, widen, v);
	for (size_t i = 0; i < e->h; i++) {
		out->half80[i] = q.q80 * scale[i];
		out->half95[i] = q.q95 * scale[i];
	}
	set_total(e, widen, out);
	bound_total(e->h, out);
	out->coverage80 = out->coverage95 = NAN;
	if (e->folds > 1)
		cover(e, scale, widen, v, out);
}
