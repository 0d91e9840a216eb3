/* trend.h: whether a series goes up or down, and since when.
 *
 * Theil-Sen's slope (Sen 1968, the median of all pairwise slopes) with its interval by
 * Kendall's S, and the Mann-Kendall test with ties and autocorrelation corrected (Hamed & Rao
 * 1998; never surer than for independent values), on the series less its weekly season. Pure and
 * deterministic, as forecast.h. */
#ifndef TAKINGS_FORECAST_TREND_H
#define TAKINGS_FORECAST_TREND_H

#include "forecast/forecast.h"

enum { TREND_STEPS_USED = 4000, TREND_CHANGES_MAX = 5 };

enum trend_direction { TREND_NONE, TREND_UP, TREND_DOWN }; /* NONE: no clear trend, p >= 0.05 */

/* A level that changed from one step to the next, and stayed for a season at least: medians of
 * the time before, back to the change before it, and after, up to the next one; never below 0 where
 * no value is. */
struct trend_change {
	size_t at; /* first step of the new level */
	double before, after;
};

struct trend {
	enum trend_direction direction;
	double slope, slope_lo, slope_hi; /* a step, 95 % */
	double p;
	size_t n;                     /* values used: of the last TREND_STEPS_USED steps */
	struct trend_change *changes; /* oldest first; none where a straight line says it as well */
	size_t changes_n;
};

/* ERR_INVALID, field "history", with less than 8 values or two seasons. No number in *out is NAN.
 * Memory is the arena's. */
enum err trend_run(struct arena *arena, const struct forecast_input *input, struct trend *out,
                   struct errbuf *eb) MUST_CHECK;

#endif
