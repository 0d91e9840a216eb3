/* cohort_parts.h: what cohort.c and cohort_orders.c share. */
#ifndef TAKINGS_CGI_COHORT_PARTS_H
#define TAKINGS_CGI_COHORT_PARTS_H

#include "behaviour/retention.h"
#include "cgi-bin/cohort.h"

struct cohort_question {
	struct call *c;
	const struct cohort_asked *asked;
	enum retention_unit unit;
	enum retention_mode mode;
	int periods_n;
	bool has_start, has_end;
	int32_t start, end; /* business days, days since 1970 */
	/* cohort_range_set */
	int32_t first_cohort; /* a period of `unit` */
	int cohorts_n;
};

/* Which cohorts are meant, now that it is known which business day it is, and what they are called
 * in *out. */
MUST_CHECK enum err cohort_range_set(struct cohort_question *q, int32_t today,
                                     struct cohort_table *out, struct errbuf *eb);

/* "2025-01-01". */
const char *cohort_date(struct call *c, int32_t day);

/* A number of `decimals` digits behind the point. */
const char *cohort_number(struct call *c, int64_t n, int decimals);

/* cohort_orders.c: metric revenue, orders, ltv. */
MUST_CHECK enum err cohort_orders_ask(struct cohort_question *q, struct cohort_table *out,
                                      struct errbuf *eb);

#endif
