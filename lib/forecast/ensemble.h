/* ensemble.h: candidates tried at origins of the past, weighed by how they did, and put together.
 *
 * After Bates & Granger (1969) and what the M4 competition showed (Makridakis, Spiliotis &
 * Assimakopoulos 2020): a weighted mean of many does better than any that could be picked. */
#ifndef TAKINGS_FORECAST_ENSEMBLE_H
#define TAKINGS_FORECAST_ENSEMBLE_H

#include "forecast/calendar.h"
#include "forecast/series.h"

/* What the ensemble says, on the series' own scale, and what it would have said. */
struct ensemble {
	double *point;      /* h of them */
	double *marked;     /* what marked days add to them */
	size_t folds;       /* 0: the history is too short to look back */
	size_t *origin;     /* of each fold */
	double *said;       /* folds x h */
	size_t year_folds;  /* the first of them: a year ago, at the same time of the year */
	size_t apart;       /* steps from one of the other folds to the next */
	const char **model; /* those with weight, the heaviest first */
	double *weight;     /* of each; all of them add up to 1 */
	size_t models;
};

/* `calendar` is NULL where the date says nothing. */
void ensemble_run(struct arena *arena, const struct series *s, const struct calendar *calendar,
                  struct ensemble *out);

#endif
