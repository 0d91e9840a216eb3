/* anomaly.h: which steps of a series are not what they should have been.
 *
 * Pure and deterministic, no state between calls. A series is as in forecast.h. Two ways:
 *
 * looking back (the default): each step is judged by the steps before it and by those after it,
 * so that an hour of rain that lasts is told from a number that stands alone, and the first
 * weeks are judged too. The last step has none after it, and is judged by the past.
 *
 * online: each step is judged by the steps before it alone, as if the later ones were not yet
 * known; expected is NAN for the first weeks (4, or 3 of hours). Once these are full, later steps
 * change nothing of a step's expected, lo, hi, score and news.
 *
 * Both go through the series with a level and slots of the day and the week (exponential
 * smoothing on the square root; as it is where a value is below 0), unmoved by wild steps, and
 * measure each step in deviations of its slot. Slots that are always 0 are expected to be 0, and
 * a time in which nothing was sold teaches nothing about the days after it; named days are
 * expected to be what they were at other times, and get a wider band where there is none. Where
 * values are whole numbers no deviation is taken for smaller than Poisson's. */
#ifndef TAKINGS_FORECAST_ANOMALY_H
#define TAKINGS_FORECAST_ANOMALY_H

#include "forecast/forecast.h"

enum anomaly_kind { ANOMALY_NONE, ANOMALY_SPIKE, ANOMALY_DROP, ANOMALY_OUTAGE, ANOMALY_SHIFT };

struct anomaly_options {
	double sensitivity; /* central coverage of the expected band, 0.5..0.9999; 0: 0.95 */
	double effect;      /* least |actual - expected| / expected; 0: 0.4 */
	double floor;       /* least |actual - expected| in units of the series; 0: none */
	bool online;        /* by the steps before it alone */
};

/* What one step is judged to be. Never NAN but where said. */
struct anomaly_step {
	double actual;           /* NAN where the value is unknown */
	double expected, lo, hi; /* NAN before there is anything to expect */
	double score;            /* robust z, signed; 0 where there is nothing to judge, and where the
	                            neighbours explain it */
	double news;             /* how worth a message: deviations where they are more than all of the
	                            last day (of 24 steps or more) or the last 3 steps, else 0 */
	double p;                /* two-sided, of the step alone; 1 where there is nothing to judge */
	bool flagged;            /* after false-discovery control and the least effect */
	bool alert;              /* the first step of an incident that is worth a message */
	enum anomaly_kind kind;  /* NONE unless flagged, or SHIFT */
};

/* Steps of one incident stand together; the worst one speaks for it. A level shift is an incident
 * of one step, the first of the new level; only a step that is wild by itself is flagged, too. It
 * is known once the new level has stayed for two weeks of days, or three days of hours. */
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

/* Judges every step of input->y, with flags controlled at a false discovery rate of 5 % over the
 * last `window` steps (0: all; the threshold found there holds for the others). input->horizon is
 * not read. ERR_INVALID with the field: "history" without a value, "period", "sensitivity". */
enum err anomaly_run(struct arena *arena, const struct forecast_input *input,
                     const struct anomaly_options *options, size_t window,
                     struct anomaly_result *out, struct errbuf *eb) MUST_CHECK;

/* "spike", "drop", "outage", "level_shift"; "none". */
const char *anomaly_kind_name(enum anomaly_kind kind);

#endif
