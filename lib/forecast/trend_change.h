/* trend_change.h: steps at which a level changes. Not for use outside trend*.c. */
#ifndef TAKINGS_FORECAST_TREND_CHANGE_H
#define TAKINGS_FORECAST_TREND_CHANGE_H

#include "forecast/trend.h"

/* The best segmentation of n values without season at steps t (ascending): least squares, with a
 * price for each change in units of the long-run deviation; parts are `least` values or more.
 * Single wild values change nothing. `slope` is that of the straight line to be better than.
 * Fills changes (room for TREND_CHANGES_MAX) and returns how many. */
size_t trend_changes(struct arena *arena, const double *v, const size_t *t, size_t n, size_t least,
                     double slope, struct trend_change *changes);

#endif
