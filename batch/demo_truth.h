/* demo_truth.h: what the reports must say, counted from what was drawn.
 *
 * Nothing here asks the database: a test compares this with what the batch made
 * of the tables. Days are business days of the order's creation; an order counts
 * if it is SERVED, and a refund lowers the day of its order. */
#ifndef TAKINGS_BATCH_DEMO_TRUTH_H
#define TAKINGS_BATCH_DEMO_TRUTH_H

#include <stdint.h>

#include "base/err.h"
#include "batch/demo_day.h"

struct demo_truth_head {
	int64_t seed, cutoff_h;
	const char *zone, *currency;
	int64_t first_date; /* business days; the last one may still run */
	int64_t last_date;
	int64_t horizon_s;
};

/* Writes the JSON to `path`; takes effect at once if the file exists already, so
 * give it a temporary name. */
MUST_CHECK enum err demo_truth_write(const char *path, const struct demo_truth_head *head,
                                     const struct demo_zone *zone, const struct demo_orders *orders,
                                     struct errbuf *eb);

#endif
