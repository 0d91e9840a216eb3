/* model.h: the candidates of the ensemble. Each sees a series on some scale, without gaps, and
 * says at some origins what the next h values will be, knowing only what lies before. None
 * looks at a clock, keeps state between calls, or fails: where a model cannot say anything, it
 * leaves NAN. */
#ifndef TAKINGS_FORECAST_MODEL_H
#define TAKINGS_FORECAST_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct calendar;
struct stl;

/* Where a search ended, for the next one to begin. */
struct warm {
	bool known;
	double x[4];
};

struct view {
	const double *y;
	size_t m1, m2; /* seasons; 1 and 0 where there is none. m2 is 0 or more than m1 */
	size_t h;
	const size_t *origin; /* the forecast from origin[k] knows y[0] to y[origin[k] - 1] */
	size_t origins;       /* ascending */
	const struct calendar *calendar; /* NULL: none */
	double *marks;     /* what the marked days add at the last origin, h of them; NULL: not asked */
	struct warm *warm; /* NULL: none */
	/* The decomposition at each origin, made in `keep` by whoever needs it first; NULL in a view
	 * that one model makes for another, so none of those of model_stl.c may be the other. */
	struct stl *parts;
	struct arena *keep;
};

/* Fills out[k * h ...] for each origin k; it comes filled with NAN. */
typedef void (*model_fn)(struct arena *scratch, const struct view *v, double *out);

/* model_simple.c: means and levels of slots. */
void model_naive(struct arena *scratch, const struct view *v, double *out);
void model_snaive_short(struct arena *scratch, const struct view *v, double *out);
void model_snaive_long(struct arena *scratch, const struct view *v, double *out);
void model_slot_mean(struct arena *scratch, const struct view *v, double *out);
void model_slot_level(struct arena *scratch, const struct view *v, double *out);
void model_level(struct arena *scratch, const struct view *v, double *out);

/* model_smooth.c: exponential smoothing with seasons and autoregressive errors (Taylor 2003 and
 * 2010), with both seasons or the short one alone. */
void model_hwt(struct arena *scratch, const struct view *v, double *out);
void model_hwt_short(struct arena *scratch, const struct view *v, double *out);

/* model_ar.c: regression on lags, iterated. */
void model_ar(struct arena *scratch, const struct view *v, double *out);
void model_ar_rich(struct arena *scratch, const struct view *v, double *out);
void model_ar_rich_recent(struct arena *scratch, const struct view *v, double *out);
void model_ar_recent(struct arena *scratch, const struct view *v, double *out);
void model_ar_long_change(struct arena *scratch, const struct view *v, double *out);
void model_ar_short_change(struct arena *scratch, const struct view *v, double *out);

/* model_stl.c: decomposition by local regression (Cleveland et al. 1990), seasons repeated,
 * the rest by Theta (Assimakopoulos & Nikolopoulos 2000) or regression on lags. */
void model_stl_theta(struct arena *scratch, const struct view *v, double *out);
void model_stl_ar(struct arena *scratch, const struct view *v, double *out);

/* model_calendar.c: others on the series less the effect of the date. */
void model_calendar_hwt(struct arena *scratch, const struct view *v, double *out);
void model_calendar_ar(struct arena *scratch, const struct view *v, double *out);
void model_calendar_slot(struct arena *scratch, const struct view *v, double *out);

#endif
