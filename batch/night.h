/* night.h: what a run makes of the days it has: forecasts, and what was unusual.
 *
 *   night          what is due, in which order, what is said about it (night.c)
 *   night_series   figures out of the cache tables, as series (night_series.c)
 *   night_forecast a series to its forecast, forecasts to their tables (night_forecast.c)
 *   night_anomaly  a series to its unusual steps, those to their tables (night_anomaly.c)
 *
 * Series are taken some scopes at a time (a scope is a currency over all locations, or one
 * location), so that memory does not grow with the shop; what they become waits in temporary
 * tables, as what a run stages does, and is written in one transaction each. */
#ifndef TAKINGS_BATCH_NIGHT_H
#define TAKINGS_BATCH_NIGHT_H

#include "batch/run.h"
#include "forecast/anomaly.h"
#include "forecast/forecast.h"

enum { NIGHT_DAYS_JUDGED = 90, NIGHT_HOUR_DAYS_JUDGED = 14, NIGHT_ITEMS = 20 };

/* An hour that is not 3600 seconds long. */
struct night_hour {
	int32_t day; /* business day, since 1970-01-01 */
	int hour, seconds;
};

struct night_special {
	struct forecast_special special;
	const char *location; /* NULL: everywhere */
};

struct night {
	struct run *run;
	struct db *db;       /* the run's */
	struct arena *arena; /* the run's */
	const char *newest;  /* the newest computed day, as text and since 1970-01-01 */
	int32_t newest_day;
	int cutoff;
	bool forecasts, anomalies; /* to be made now */
	bool tried_lately;         /* and that failed less than an hour ago */
	int64_t scopes;
	int64_t made, refused; /* forecasts: all of them, and those that are none */

	struct night_special *special; /* by day */
	size_t special_n;
	struct night_hour *odd;
	size_t odd_n;
};

enum night_step { NIGHT_DAY, NIGHT_HOUR };

struct night_series {
	const char *metric;                     /* revenue, orders, quantity */
	const char *location, *item, *currency; /* NULL: all locations; of no item */
	enum night_step step;
	int32_t first_day;           /* of y[0] */
	struct forecast_input input; /* all but the horizon */
};

/* A growing list; its memory is the arena's. */
struct night_list {
	struct arena *arena;
	struct night_series *rows;
	size_t n, cap;
};

/* ---- night_series.c */

/* What all series share: scopes, named days, odd hours. */
MUST_CHECK enum err night_prepare(struct night *n, struct errbuf *eb);

/* Series of scopes first..last, days before hours. */
MUST_CHECK enum err night_load(struct night *n, int64_t first, int64_t last,
                               struct night_list *list, struct errbuf *eb);

MUST_CHECK enum err night_load_items(struct night *n, struct night_list *list, struct errbuf *eb);

/* The business day and the wall-clock hour (-1 of a day) of step i, which may be one to come,
 * and the seconds of that hour as a part of 3600 (1 of a day). */
struct night_slot {
	int32_t day;
	int hour;
	double part;
};
struct night_slot night_slot_of(const struct night *n, const struct night_series *s, size_t i);

/* "2026-03-01". */
const char *night_date(struct arena *a, int32_t day);

/* "day" or "hour". */
const char *night_step_name(enum night_step step);

/* A number for SQL with so many decimals; NULL where it is not finite. */
const char *night_number(struct arena *a, double v, int decimals);

/* ---- night_forecast.c, night_anomaly.c: both in the same two steps. Stage: calculates on
 * all processors and copies into temporary tables. Write: from there, in one transaction. */

MUST_CHECK enum err night_forecast_stage(struct night *n, const struct night_list *list,
                                         struct errbuf *eb);
MUST_CHECK enum err night_forecast_write(struct night *n, struct errbuf *eb);

MUST_CHECK enum err night_anomaly_stage(struct night *n, const struct night_list *list,
                                        struct errbuf *eb);
MUST_CHECK enum err night_anomaly_write(struct night *n, struct errbuf *eb);

/* Statements in order, as one transaction. */
MUST_CHECK enum err night_transact(struct night *n, const char *const *statements, size_t count,
                                   const struct db_param *params, struct errbuf *eb);

#endif
