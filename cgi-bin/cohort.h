/* cohort.h: cohorts of people and of customers (docs/BEHAVIOUR.md, "Cohorts"), as a table for
 * whoever shows it: GET /cohort/analysis, and the page. */
#ifndef TAKINGS_CGI_COHORT_H
#define TAKINGS_CGI_COHORT_H

#include "cgi-bin/call.h"

enum {
	COHORT_PERIODS = 90,  /* columns at most */
	COHORT_CELLS = 20000, /* cohorts times periods */
	COHORT_DAYS = 3700    /* of the range */
};

/* Texts as in the query of GET /cohort/analysis; NULL is what is meant there without the parameter.
 */
struct cohort_asked {
	const char *start_date, *end_date; /* business days, the second not included */
	const char *cohort_type, *metric, *mode;
	const char *periods;
	const char *first_event, *return_event;
	const char *as_of;
	const char *currency;
};

/* Everything is borrowed from the call's arena. Values are numbers as JSON has them. */
struct cohort_line {
	const char *cohort; /* the first business day of its period, "2025-01-01" */
	int64_t size;
	int cells_n;               /* periods that have begun; at most periods_n of the table */
	const int64_t *counts;     /* who is back; of customers: those with an order */
	const char *const *values; /* NULL: of nobody */
	const bool *complete;
};

struct cohort_table {
	const char *as_of, *tz, *cutoff;
	const char *metric;      /* retention, revenue, orders, ltv */
	const char *cohort_type; /* acquisition_day, acquisition_week, acquisition_month */
	const char *mode;        /* on, on_or_after, rolling24h; NULL: of orders */
	const char *first_event, *return_event; /* NULL: any */
	const char *unit;                       /* of values: percent, money, count */
	const char *currency;                   /* of money and orders, else NULL */
	const char *start_date, *end_date; /* as they were understood: days, the second not included */
	/* Business day before which not all is known; NULL: all ever is, and of orders. */
	const char *known_from;
	/* The last business day that counts: of orders the last computed one, else that of as_of. */
	const char *through;
	int periods_n; /* columns, period 0 included */
	int lines_n;
	const struct cohort_line *lines; /* oldest first */
	const char *const *average;      /* periods_n; NULL: no cell is complete */
};

/* The table, in the call's arena. ERR_INVALID names the parameter as GET /cohort/analysis calls it;
 * ERR_NOT_FOUND: there are none, and why; else the errors of scan_begin and scan_call. */
MUST_CHECK enum err cohort_ask(struct call *c, const struct cohort_asked *asked,
                               struct cohort_table *out, struct errbuf *eb);

/* GET /cohort/analysis */
MUST_CHECK enum err cohort_make(struct call *c, struct buf *json, struct errbuf *eb);

#endif
