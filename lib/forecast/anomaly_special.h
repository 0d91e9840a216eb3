/* anomaly_special.h: named days, which are expected to be what they were before.
 *
 * Not for use outside anomaly*.c. */
#ifndef TAKINGS_FORECAST_ANOMALY_SPECIAL_H
#define TAKINGS_FORECAST_ANOMALY_SPECIAL_H

#include "forecast/forecast.h"

/* The steps of one named day. */
struct anomaly_feast {
	size_t first, last;
	const char *name;
	double ratio; /* what it was in parts of an ordinary day; NAN: not known */
};

struct anomaly_feasts {
	struct anomaly_feast *items; /* oldest first */
	size_t n;
};

/* Those within the series; none for a step of more than a day. Of several names of one day the
 * first in order of input->special counts. */
struct anomaly_feasts anomaly_feasts_find(struct arena *arena, const struct forecast_input *input);

/* Learns ratios from values x and ordinary expectations `base`, then turns base into what is
 * expected: of each feast by the others of its name (with `online`, those before it). Where they
 * disagree `scale` is widened; where there are none, too, and base stays. With `ratios` false
 * nothing is learned. */
void anomaly_feasts_apply(const struct anomaly_feasts *feasts, const double *x, bool ratios,
                          bool online, double *base, double *scale);

#endif
