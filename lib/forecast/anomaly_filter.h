/* anomaly_filter.h: what each step would have been, by the steps on one side of it.
 *
 * A pass of exponential smoothing: a level, a slot of the short season and one of the long, each
 * moved by the step's error clipped at three robust deviations, so that one wild step moves
 * nothing far. A level that stays away is followed at once after `patience` steps. Not for use
 * outside anomaly*.c. */
#ifndef TAKINGS_FORECAST_ANOMALY_FILTER_H
#define TAKINGS_FORECAST_ANOMALY_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct anomaly_series {
	const double *x;  /* on the scale that is worked on; NAN: unknown */
	const bool *held; /* steps that teach nothing about ordinary ones; NULL: none */
	size_t n;
	size_t m1, m2; /* seasons in steps, the short one first; 1: none */
	size_t warm;   /* steps the first state is made of */
	size_t patience;
	double least;  /* no deviation is taken for smaller */
	bool amounts;  /* never below 0, so that a slot can be closed */
	bool backward; /* from the last step to the first */
};

struct anomaly_move {
	size_t at; /* first step of the new level */
	double before, after;
};

enum { ANOMALY_MOVES_MAX = 16 };

struct anomaly_side {
	double *base, *scale;                         /* n of each; base is NAN within the warm steps */
	struct anomaly_move moves[ANOMALY_MOVES_MAX]; /* levels that moved and stayed; forward only */
	size_t moves_n;
};

/* 1 <= warm <= n. Memory is the arena's. */
void anomaly_filter(struct arena *arena, const struct anomaly_series *series,
                    struct anomaly_side *side);

#endif
