/* activity_metrics.c: looking things up in activity_metrics.def. */
#include "domain/activity_metrics.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "base/err.h"

enum {
	EVENTS = ACTIVITY_OF_EVENTS,
	SESSIONS = ACTIVITY_OF_SESSIONS,
	USERS = ACTIVITY_OF_USERS,
	NEW_USERS = ACTIVITY_OF_NEW_USERS,
	ORDERS = ACTIVITY_OF_ORDERS,
	BY_DAY = ACTIVITY_OF_BY_DAY,
};

enum {
	ANY = (1 << 17) - 2, /* 1...16 */
	PLACE = 1 << ACTIVITY_REGION,
	ITEM = 1 << ACTIVITY_CATEGORY | 1 << ACTIVITY_PRODUCT | 1 << ACTIVITY_REGION,
};

static const struct {
	const char *id;
	unsigned families, dimensions;
} rows[] = {
#define ACTIVITY_METRIC(id, families, dimensions) {#id, families, dimensions},
#include "domain/activity_metrics.def"
#undef ACTIVITY_METRIC
};

enum { ROWS = sizeof rows / sizeof *rows };

static struct activity_metric metrics[ROWS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill(void)
{
	for (int i = 0; i < ROWS; i++) {
		const struct metric *m = metric_find(rows[i].id);
		must(m != NULL);
		metrics[i] = (struct activity_metric){m, rows[i].families, rows[i].dimensions};
	}
}

const struct activity_metric *activity_metric_get(int i)
{
	must(pthread_once(&once, fill) == 0);
	return i >= 0 && i < ROWS ? &metrics[i] : NULL;
}

const struct activity_metric *activity_metric_find(const char *id)
{
	const struct activity_metric *m;
	for (int i = 0; (m = activity_metric_get(i)) != NULL; i++)
		if (strcmp(m->metric->id, id) == 0)
			return m;
	return NULL;
}

const char *activity_family_name(enum activity_family family)
{
	switch (family) {
	case ACTIVITY_OF_EVENTS:
		return "events";
	case ACTIVITY_OF_SESSIONS:
		return "sessions";
	case ACTIVITY_OF_USERS:
		return "users";
	case ACTIVITY_OF_NEW_USERS:
		return "new_users";
	case ACTIVITY_OF_ORDERS:
		return "orders";
	case ACTIVITY_OF_BY_DAY:
		break;
	}
	return NULL;
}

const char *activity_metric_unit(const struct activity_metric *m)
{
	return m->metric->unit == UNIT_MONEY     ? "money"
	       : m->metric->unit == UNIT_PERCENT ? "percent"
	                                         : "count";
}
