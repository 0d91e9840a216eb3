/* forecast.h: what a series will do next, with bands that say how sure that is.
 *
 * Pure: arrays in, arrays out; no SQL, no clock, no random numbers, no state between
 * calls. The same input gives the same bits, whichever thread asks.
 *
 * A series is regular: one value a step, the oldest first. Its seasons are counted in
 * steps: {7, 0} for days, {24, 168} for hours, {0, 0} where there is none. NAN is a value
 * nobody knows; a shop that was open and sold nothing has 0. The running, incomplete
 * step does not belong in. */
#ifndef TAKINGS_FORECAST_FORECAST_H
#define TAKINGS_FORECAST_FORECAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

enum {
	FORECAST_HORIZON_MAX = 1000,
	FORECAST_PERIOD_MAX = 1000,
	FORECAST_DAYS_USED = 4000, /* steps; older values are left out */
	FORECAST_HOURS_USED =
		112 * 24, /* where a step is an hour, or there are two seasons and no calendar */
};

/* A named day: a holiday, a fair, the shop's birthday. The name ties its years together, so
 * that moving feasts are learned; it is borrowed for the call and what it returns. */
struct forecast_special {
	int32_t day; /* since 1970-01-01 */
	const char *name;
};

struct forecast_input {
	const double *y;
	size_t n;
	int period[2];
	size_t horizon; /* 1..FORECAST_HORIZON_MAX */

	/* The calendar, where there is one: length of a step in seconds (3600, 86400, ...; 0:
	 * none) and the wall clock of y[0] in seconds since 1970-01-01. */
	int32_t step_s;
	int64_t start_s;
	const struct forecast_special *special; /* any order; past and to come; NULL: none */
	size_t special_n;
};

enum forecast_flag {
	FORECAST_SHORT_HISTORY = 1,  /* too short to weigh the models: an equal mean, or less */
	FORECAST_INTERMITTENT = 2,   /* two steps of five are 0, or more */
	FORECAST_HOLIDAYS = 4,       /* named days, or dates around Christmas, shift the forecast */
	FORECAST_CLOSED_SLOTS = 8,   /* slots of the week that are always 0 are forecast as 0 */
	FORECAST_LEVEL_SHIFT = 16,   /* the level moved lately */
	FORECAST_CONSTANT = 32,      /* every value is the same */
	FORECAST_FILLED = 64,        /* unknown values were filled in */
	FORECAST_NAIVE_BETTER = 128, /* in the backtest the seasonal naive did better */
};

/* point = base + season + trend + holiday, to rounding. */
struct forecast_point {
	double point, lo80, hi80, lo95, hi95;
	bool closed;         /* a slot of the week, or a named day, that is always 0 */
	double base;         /* the level of the last weeks */
	double season;       /* what the slot of the week (and of the day) adds */
	double trend;        /* what the level's way on adds: drift, time of the year */
	double holiday;      /* what a named day adds, or a date around Christmas; else 0 */
	const char *special; /* the day's name, also where it adds nothing; NULL */
};

struct forecast_weight {
	const char *model; /* static text: "HWT on a log scale" */
	double weight;     /* mean over the horizon; all of them add up to 1 */
};

/* How the same would have gone before: the ensemble at each fold's origin, knowing nothing
 * after it, beside the seasonal naive. NAN where there were no folds. */
struct forecast_backtest {
	int folds;
	double wape, mase, bias;       /* parts of 1; mean |error| in units of the seasonal naive's
	                                  in-sample error, by the short season; mean of forecast less
	                                  value, over the mean value */
	double coverage80, coverage95; /* parts of 1 */
	double naive_wape, naive_mase;
};

struct forecast {
	struct forecast_point *points; /* n_points of them: the horizon */
	size_t n_points;
	struct forecast_point total; /* of the whole horizon, bands of its own; all of it base */
	const char *model;           /* "ensemble", "slot mean", "mean", "constant" */
	const struct forecast_weight *weights; /* the heaviest first */
	size_t weights_n;
	struct forecast_backtest backtest;
	double *naive;  /* the seasonal naive's points, horizon of them */
	size_t n_used;  /* values learned from: the last ones */
	unsigned flags; /* enum forecast_flag */
};

/* ERR_INVALID with the field: "period" and "horizon" out of range; "horizon" where the history does
 * not carry it (30 days need 28); "history" where a value is infinite, none of those used is known,
 * or there are less than 48 hours. Every number in *out is finite but the backtest's NANs, and no
 * point of a series that was never below 0 is below it. Memory, of the result too, is the arena's:
 * some megabytes, of which the result is little. */
enum err forecast_run(struct arena *arena, const struct forecast_input *input, struct forecast *out,
                      struct errbuf *eb) MUST_CHECK;

/* Words of flags: "short_history", ...; NULL past the last one. */
const char *forecast_flag_name(unsigned bit);

#endif
