/* retention.h: who comes back in which period after the first. Pure; docs/BEHAVIOUR.md, "Cohorts",
 * is the definition. */
#ifndef TAKINGS_BEHAVIOUR_RETENTION_H
#define TAKINGS_BEHAVIOUR_RETENTION_H

#include "behaviour/sequence.h"

enum retention_unit { RETENTION_DAY, RETENTION_WEEK, RETENTION_MONTH };
enum retention_mode { RETENTION_ON, RETENTION_ON_OR_AFTER, RETENTION_ROLLING };

enum { RETENTION_ANY = 0, RETENTION_TYPE_BYTES = 8192 };

/* Periods of a unit are numbered: days since 1970-01-01, weeks from Monday, months; later ones are
 * greater by one each. */
int32_t retention_period(enum retention_unit unit, int32_t day);

/* The first day of a period. */
int32_t retention_period_day(enum retention_unit unit, int32_t period);

struct retention {
	enum retention_unit unit;
	enum retention_mode mode;         /* RETENTION_ROLLING is not for months */
	uint16_t first_type, return_type; /* activity_type.code, or RETENTION_ANY */
	int32_t first_cohort;             /* a period */
	int cohorts_n, periods_n;         /* periods from 0, the cohort's own */
	/* Business days read, from the first cohort's first day or earlier: starts[i] is when
	 * from_day + i begins, days_n + 1 of them. The last day is that of as_of. */
	int32_t from_day;
	int days_n;
	const int64_t *starts;
	int64_t as_of_us; /* later events do not count */
	bool as_of_cuts;  /* within the last day; false: all there is on it counts */
};

/* What has to be read of the business days from from_day on; `types` is RETENTION_TYPE_BYTES of
 * the caller's that *wanted borrows where single types will do. */
void retention_wanted(const struct retention *r, unsigned char *types,
                      struct sequence_wanted *wanted);

/* Of one worker; add up with retention_merge. */
struct retention_sums {
	int64_t *sizes;  /* cohorts_n */
	int64_t *counts; /* cohorts_n * periods_n: who is back, by cohort */
	/* its own */
	int32_t *periods; /* of each business day */
	bool *back;
};

void retention_sums_init(struct retention_sums *s, const struct retention *r);
void retention_sums_fini(struct retention_sums *s);

/* One person, read as retention_wanted says. */
void retention_add(const struct retention *r, const struct sequence *q, struct retention_sums *s);

void retention_merge(const struct retention *r, struct retention_sums *into,
                     const struct retention_sums *from);

/* Cells of cohort `i` that there are: periods that have begun at as_of. */
int retention_cells(const struct retention *r, int i);

/* Whether period `k` of cohort `i` is over, for everybody the cohort may have. */
bool retention_complete(const struct retention *r, int i, int k);

#endif
