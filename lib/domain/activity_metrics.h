/* activity_metrics.h: the metrics of questions about activity (activity_metrics.def). */
#ifndef TAKINGS_DOMAIN_ACTIVITY_METRICS_H
#define TAKINGS_DOMAIN_ACTIVITY_METRICS_H

#include "domain/metrics.h"

enum activity_family {
	ACTIVITY_OF_EVENTS = 1 << 0,
	ACTIVITY_OF_SESSIONS = 1 << 1,
	ACTIVITY_OF_USERS = 1 << 2,
	ACTIVITY_OF_NEW_USERS = 1 << 3, /* besides OF_USERS */
	ACTIVITY_OF_ORDERS = 1 << 4,
	ACTIVITY_OF_BY_DAY = 1 << 5, /* of orders: known by days only */
};

/* Places of activity_dimension that orders know, too. */
enum { ACTIVITY_CATEGORY = 6, ACTIVITY_PRODUCT = 7, ACTIVITY_REGION = 8 };

struct activity_metric {
	const struct metric *metric; /* label, unit, formula */
	unsigned families;
	unsigned dimensions; /* a bit (1 << dimension_id) for each it can be asked by */
};

/* NULL if there is none. */
const struct activity_metric *activity_metric_find(const char *id);

/* NULL past the last one. */
const struct activity_metric *activity_metric_get(int i);

/* "events", ...; of one bit. NULL of BY_DAY. */
const char *activity_family_name(enum activity_family family);

/* money, count, percent */
const char *activity_metric_unit(const struct activity_metric *m);

#endif
