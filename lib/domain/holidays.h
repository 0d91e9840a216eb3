/* holidays.h: public holidays by country. Pure: what is known stands in holidays.def. */
#ifndef TAKINGS_DOMAIN_HOLIDAYS_H
#define TAKINGS_DOMAIN_HOLIDAYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* A civil day of the Gregorian calendar; month and day from 1. */
struct holidays_date {
	int year, month, day;
};

/* Days since 1970-01-01 and back. */
int32_t holidays_day(int year, int month, int day);
struct holidays_date holidays_date_of(int32_t day);

/* Easter Sunday of the Western and of the Orthodox churches, years 1583 to 4099. */
int32_t holidays_easter(int year);
int32_t holidays_orthodox_easter(int year);

/* Told of each holiday: days since 1970-01-01; the name is static text. */
typedef void (*holidays_fn)(void *arg, int32_t day, const char *name);

/* The holidays of a country (ISO 3166, capitals) in a year, in no order; none of a country
 * that is not known. A substitute may lie in the year before (Friday 31 December for a New
 * Year's Day in the United States). */
void holidays_of(const char *country, int year, holidays_fn fn, void *arg);

/* Those of each country of a list ("DE, at"), one country after the other. */
void holidays_of_all(const char *countries, int year, holidays_fn fn, void *arg);

/* ERR_CONFIG naming the setting and the first country of the list that is not known. */
MUST_CHECK enum err holidays_check(const char *countries, const char *setting, struct errbuf *eb);

/* The i-th country there is; NULL past the last one. */
const char *holidays_country(int i);

#endif
