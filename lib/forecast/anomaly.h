/* anomaly.h: which steps of a series are not what they should have been.
 *
 * Pure, deterministic, no state between calls but the detector the caller keeps. A series is
 * as in forecast.h. Two ways: the detector takes one step after the other and judges each by
 * what came before (live hours); anomaly_report looks back on a window as a whole. */
#ifndef TAKINGS_FORECAST_ANOMALY_H
#define TAKINGS_FORECAST_ANOMALY_H

#include "forecast/forecast.h"

enum anomaly_kind { ANOMALY_NONE, ANOMALY_SPIKE, ANOMALY_DROP, ANOMALY_OUTAGE, ANOMALY_SHIFT };

struct anomaly_options {
	double sensitivity; /* central coverage of the expected band, 0.5..0.9999; 0: 0.95 */
	double effect;      /* least |actual - expected| / expected; 0: the default of the step */
	double floor;       /* least |actual - expected| in units of the series; 0: none */
};

/* What one step is judged to be. */
struct anomaly_step {
	double actual, expected, lo, hi; /* NAN before there is anything to expect */
	double score;                    /* robust z, signed */
	double p;                        /* two-sided, of the step alone */
	bool flagged;                    /* after false-discovery control and the least effect */
	bool alert;                      /* the first step of an incident that is worth a message */
	enum anomaly_kind kind;
};

/* Steps of one incident stand together; the worst one speaks for it. */
struct anomaly_incident {
	size_t first, last, worst; /* indices of steps */
	enum anomaly_kind kind;
};

struct anomaly_result {
	struct anomaly_step *steps; /* n of them */
	struct anomaly_incident *incidents;
	size_t incidents_n;
	double threshold; /* |score| from which a step is flagged */
};

/* Judges every step of input->y by the steps before it, with flags controlled at a false
 * discovery rate of 5 % over the last `window` steps (0: all). input->horizon is not read.
 * ERR_INVALID as forecast_run. */
enum err anomaly_run(struct arena *arena, const struct forecast_input *input,
                     const struct anomaly_options *options, size_t window,
                     struct anomaly_result *out, struct errbuf *eb) MUST_CHECK;

/* "spike", "drop", "outage", "level_shift"; "none". */
const char *anomaly_kind_name(enum anomaly_kind kind);

#endif
