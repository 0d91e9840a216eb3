/* stl.h: seasons, trend and rest of a series by local regression: STL of Cleveland, Cleveland,
 * McRae & Terpenning (1990), for two seasons as MSTL of Bandara, Hyndman & Bergmeir (2021),
 * with the windows R's forecast::mstl has. */
#ifndef TAKINGS_FORECAST_STL_H
#define TAKINGS_FORECAST_STL_H

#include <stddef.h>

#include "base/arena.h"

struct stl {
	double *season[2]; /* n values each; of a season that is not there: zeros */
	double *rest;      /* the series less its seasons */
};

/* Seasons of m1 and m2 steps (0 or 1: none), m1 < m2; n is at least twice the longer one. Outliers
 * count as others do: y is tame already. Memory is the arena's. */
void stl_split(struct arena *arena, const double *y, size_t n, size_t m1, size_t m2,
               struct stl *out);

#endif
