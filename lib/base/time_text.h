/* time_text.h: times as messages write them. Microseconds since 1970; no zone is computed here.
 */
#ifndef TAKINGS_BASE_TIME_TEXT_H
#define TAKINGS_BASE_TIME_TEXT_H

#include <stdbool.h>
#include <stdint.h>

enum { TIME_TEXT_BYTES = 48 };

#define US_PER_S INT64_C(1000000)
#define US_PER_DAY (86400 * US_PER_S)
#define TIME_1970_US INT64_C(0)
#define TIME_2000_US (INT64_C(946684800) * US_PER_S)
#define TIME_2100_US (INT64_C(4102444800) * US_PER_S)
#define TIME_2200_US (INT64_C(7258118400) * US_PER_S)

enum time_kind {
	TIME_NONE,    /* not a time */
	TIME_WALL,    /* without a zone: *us as if the clock were UTC's */
	TIME_INSTANT, /* *us is UTC */
	TIME_FAR      /* infinity, before our era, behind the year 9999: never */
};

/* YYYY-MM-DD[(T| )HH:MM[:SS[.fraction]][ ][Z|+HH[:MM[:SS]]]]; finer than a microsecond is cut. */
enum time_kind time_parse(const char *text, int64_t *us);

/* ISO 8601, microseconds only where there are some; `us` in years 0001 to 9999, or false. */
bool time_format(int64_t us, bool zoned, char out[TIME_TEXT_BYTES]);
bool time_format_date(int64_t days, char out[TIME_TEXT_BYTES]);

/* The civil day of the Gregorian calendar, month and day from 1, as days since 1970-01-01, and
 * back. */
int64_t time_civil_days(int64_t y, int m, int d);
void time_days_civil(int64_t days, int *y, int *m, int *d);

/* `n` units ('s', 'm', 'u', 'n', 'd') since 1970; false: out of the range of int64. */
bool time_from_units(int64_t n, char unit, int64_t *us);

/* Whether the number is a time of this century in some other unit: then `unit` is wrong. */
bool time_unit_doubtful(int64_t n, char unit);

#endif
