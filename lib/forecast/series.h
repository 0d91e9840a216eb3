/* series.h: a series made ready to learn from, and the way back.
 *
 * What is taken away here no model has to understand: what lies before the first sale, slots of
 * the week that are always 0 (a closed Monday; the series then has a shorter week), values
 * nobody knows, and values no shop can have had (an amount with three zeros too many). */
#ifndef TAKINGS_FORECAST_SERIES_H
#define TAKINGS_FORECAST_SERIES_H

#include "forecast/forecast.h"

struct series {
	double *y;   /* n values without gaps, the far ones drawn in */
	double *raw; /* the same before series_tame */
	size_t n;
	size_t m1, m2; /* seasons in steps of this series; 1 and 0 where there is none */
	size_t h;      /* steps of this series within the horizon */
	size_t *at;    /* n + h: the step of the input, counted from the first one used */
	size_t first;  /* the input's step that is 0 in `at` */
	size_t used;   /* steps of the input from there on */
	size_t phase;  /* slot of the week of the first step used */
	bool *closed;  /* for each step of the horizon: its slot is always 0 */
	bool nonnegative;
	bool any_closed, any_filled;
	bool intermittent; /* many of y are 0 */
	double zeros;      /* part of y that is 0 */
	double max, min;   /* of raw */
};

/* Memory is the arena's; `input` is not kept. No known value among those that are used:
 * ERR_INVALID, field "history". */
enum err series_prepare(struct arena *arena, const struct forecast_input *input, struct series *out,
                        struct errbuf *eb) MUST_CHECK;

/* Draws far values in; not those of marked steps, which have their reason. Steps on which it was
 * shut become what they would have been. Both have n values; NULL: none. */
void series_tame(struct arena *arena, struct series *s, const bool *marked, const bool *shut);

#endif
