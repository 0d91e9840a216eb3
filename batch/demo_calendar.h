/* demo_calendar.h: dates, and how many guests a date brings the demo restaurant.
 *
 * A date is a number of days since 1970-01-01 in the proleptic Gregorian calendar,
 * without any zone. Shares are in thousandths. Everything here depends on the seed
 * and the date alone, never on where a generation begins or ends. */
#ifndef TAKINGS_BATCH_DEMO_CALENDAR_H
#define TAKINGS_BATCH_DEMO_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

enum { DEMO_DATE_TEXT = 16 };

int64_t demo_date_make(int year, int month, int day);
void demo_date_split(int64_t date, int *year, int *month, int *day);

/* 0 = Monday. */
int demo_date_weekday(int64_t date);

/* Easter Sunday (Meeus, "Astronomical Algorithms", chapter 8). */
int64_t demo_date_easter(int year);

/* `text` satisfies num_is_date. */
int64_t demo_date_parse(const char *text);
void demo_date_format(int64_t date, char out[DEMO_DATE_TEXT]);

/* The whole days of a number of seconds, rounded down. */
int64_t demo_date_of_seconds(int64_t s);

/* False on the rest day, at Christmas and in the summer holiday. */
bool demo_calendar_is_open(int64_t date);

/* Orders to be expected on an open date, in thousandths. */
int64_t demo_calendar_demand(int64_t seed, int64_t date);

#endif
