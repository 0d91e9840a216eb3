/* ml.h: forecasts, anomalies and trends over HTTP. */
#ifndef TAKINGS_CGI_ML_H
#define TAKINGS_CGI_ML_H

#include "cgi-bin/call.h"

enum {
	ML_HOURLY_DAYS = 14,   /* most days of an hourly forecast */
	ML_TREND_STEPS = 1100, /* most steps of a trend: every pair of them is looked at */
	ML_HORIZON_DAYS = 90,  /* most that FORECAST_HORIZON_DAYS may say */
};

/* Handlers that come before the parts of their route. */
void forecast_daily_handle(struct call *c);  /* GET .../forecast/daily */
void forecast_hourly_handle(struct call *c); /* GET .../forecast/hourly */
void ml_anomalies_handle(struct call *c);    /* GET /ml/anomalies */
void ml_trends_handle(struct call *c);       /* GET /ml/trends: computes one */

/* POST /ml/forecast: computes and stores one, or finds the one that was made of the same figures.
 */
void ml_forecast_handle(struct call *c);

/* A turn to calculate: few have one at a time, so that other requests find a thread and a
 * processor. ERR_BUSY where too many wait; for ml_engine_give. */
MUST_CHECK enum err ml_engine_take(const struct call *c, struct errbuf *eb);
void ml_engine_give(void);

/* What a series of figures becomes for the engine: a row a step, columns day_n and value. */
struct forecast_input;
void ml_series_read(struct arena *a, const struct rowset *rs, struct forecast_input *out);

#endif
