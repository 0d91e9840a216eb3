/* anomaly_story.h: how far a step is from what its neighbours make likely.
 *
 * Neighbouring errors are alike: rain lasts for hours. A step is measured against two stories,
 * and the kinder one counts: that its neighbours err as it does (then it is part of something
 * longer), and that what they err beyond the usual is their own affair (then a wild neighbour
 * does not make an ordinary step look wild). Not for use outside anomaly*.c. */
#ifndef TAKINGS_FORECAST_ANOMALY_STORY_H
#define TAKINGS_FORECAST_ANOMALY_STORY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct anomaly_story {
	double *shift;  /* what the neighbours add to the expectation, in deviations */
	double *score;  /* what is left, in calibrated deviations; NAN where r is */
	double *lonely; /* the same by the second story alone */
	double *unit;   /* one calibrated deviation in units of r */
};

/* `r` are n errors in units of their deviation, NAN where unknown. With `online` each step is
 * judged by those before it alone, and so is everything learned on the way; otherwise from
 * both sides, calibrated so that 5 % of the `near` steps before and after it are beyond 1.96.
 * Those put aside are not calibrated by. Memory is the arena's. */
void anomaly_story(struct arena *arena, const double *r, size_t n, size_t near, bool online,
                   const bool *aside, struct anomaly_story *out);

#endif
