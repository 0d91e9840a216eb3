/* metrics.h: the catalogue of figures (metrics.def). */
#ifndef TAKINGS_DOMAIN_METRICS_H
#define TAKINGS_DOMAIN_METRICS_H

#include <stdbool.h>

#include "base/buf.h"

enum metric_unit { UNIT_MONEY, UNIT_COUNT, UNIT_PERCENT, UNIT_CHANGE, UNIT_HOUR, UNIT_EITHER };

struct metric {
	const char *id, *label;
	enum metric_unit unit;
	bool additive;
	const char *dimensions, *formula;
};

/* NULL if there is none. */
const struct metric *metric_find(const char *id);

/* NULL past the last one. */
const struct metric *metric_get(int i);

/* The whole catalogue as docs/METRICS.md. */
void metric_print_markdown(struct buf *out);

#endif
