/* bands.h: how far off a forecast may be, by how far off the same was before.
 *
 * Split conformal (Vovk, Gammerman & Shafer 2005) on the errors of the folds, each measured in
 * units of what is usual for its step of the horizon, the newer ones counting more (Barber,
 * Candès, Ramdas & Tibshirani 2023). */
#ifndef TAKINGS_FORECAST_BANDS_H
#define TAKINGS_FORECAST_BANDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

/* What the forecast was off before: folds x h, actual less forecast, the oldest fold first. */
struct errors {
	const double *of;
	size_t folds, h;
	size_t year_folds; /* the first ones: at the same time of the last year */
	size_t apart;      /* steps from one fold to the next */
	bool hours;        /* two seasons */
};

struct bands {
	double *half80, *half95;       /* h of them: the band is the point less and plus this */
	double total80, total95;       /* of the sum over the horizon */
	double coverage80, coverage95; /* of the folds, each by the bands of the others; NAN without */
};

/* Without folds the bands come from `spread`, the usual change from one season to the next. */
void bands_make(struct arena *arena, const struct errors *all, double spread, struct bands *out);

#endif
