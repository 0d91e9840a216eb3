/* demo_calendar.c: weekday, season, feasts and growth as tables. */
#include "batch/demo_calendar.h"

#include <stddef.h>
#include <stdio.h>

#include "batch/demo_random.h"

enum { MONDAY, SUNDAY = 6, REST_DAY = MONDAY };
enum { BASE_ORDERS = 122 }; /* of an average open day in the year of GROWTH_FROM */
enum { GROWTH_PER_YEAR = 35, GROWTH_MIN = 700, GROWTH_MAX = 1800, WEEK_NOISE = 60 };

/* ---- dates (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms") ---- */

int64_t demo_date_make(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void demo_date_split(int64_t date, int *year, int *month, int *day)
{
	int64_t z = date + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = (int)(yoe + era * 400 + (*month <= 2));
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

int64_t demo_date_of_seconds(int64_t s)
{
	return floor_div(s, 86400);
}

int demo_date_weekday(int64_t date)
{
	return (int)(date + 3 - floor_div(date + 3, 7) * 7); /* 1970-01-01 was a Thursday */
}

int64_t demo_date_easter(int year)
{
	int a = year % 19, b = year / 100, c = year % 100;
	int h = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
	int l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7;
	int m = (a + 11 * h + 22 * l) / 451;
	int month = (h + l - 7 * m + 114) / 31;
	int day = (h + l - 7 * m + 114) % 31 + 1;
	return demo_date_make(year, month, day);
}

static int digits(const char *s, int n)
{
	int v = 0;
	for (int i = 0; i < n; i++)
		v = v * 10 + (s[i] - '0');
	return v;
}

int64_t demo_date_parse(const char *text)
{
	return demo_date_make(digits(text, 4), digits(text + 5, 2), digits(text + 8, 2));
}

void demo_date_format(int64_t date, char out[DEMO_DATE_TEXT])
{
	int y, m, d;
	demo_date_split(date, &y, &m, &d);
	(void)snprintf(out, DEMO_DATE_TEXT, "%04d-%02d-%02d", y, m, d);
}

/* ---- occasions ------------------------------------------------------------ */

enum rule {
	FIXED,  /* month, day */
	EASTER, /* day = days after Easter Sunday */
	NTH,    /* month, day = the n-th such weekday of the month */
};
enum doors { AS_USUAL, OPEN, CLOSED };

struct occasion {
	enum rule rule;
	int month, day, weekday;
	int length; /* days in a row */
	int demand; /* against an ordinary day of that weekday */
	enum doors doors;
};

/* The feasts of a central European town. The first row that matches counts. */
static const struct occasion occasions[] = {
	{FIXED, 12, 24, 0, 3, 0, CLOSED},       /* Christmas */
	{NTH, 8, 1, MONDAY, 10, 0, CLOSED},     /* summer holiday */
	{FIXED, 12, 31, 0, 1, 1500, OPEN},      /* New Year's Eve */
	{FIXED, 1, 1, 0, 1, 700, OPEN},         /* New Year */
	{FIXED, 1, 6, 0, 1, 1120, AS_USUAL},    /* Epiphany */
	{FIXED, 2, 14, 0, 1, 1450, OPEN},       /* Valentine's Day */
	{EASTER, 0, -47, 0, 1, 1180, AS_USUAL}, /* Shrove Tuesday */
	{EASTER, 0, -2, 0, 1, 520, AS_USUAL},   /* Good Friday */
	{EASTER, 0, 0, 0, 1, 1380, AS_USUAL},   /* Easter Sunday */
	{EASTER, 0, 1, 0, 1, 1300, OPEN},       /* Easter Monday */
	{FIXED, 5, 1, 0, 1, 1250, OPEN},        /* May Day */
	{NTH, 5, 2, SUNDAY, 1, 1480, AS_USUAL}, /* Mother's Day */
	{EASTER, 0, 39, 0, 1, 1350, AS_USUAL},  /* Ascension */
	{EASTER, 0, 49, 0, 1, 1250, AS_USUAL},  /* Whit Sunday */
	{EASTER, 0, 50, 0, 1, 1200, OPEN},      /* Whit Monday */
	{EASTER, 0, 60, 0, 1, 1150, AS_USUAL},  /* Corpus Christi */
	{FIXED, 10, 3, 0, 1, 1150, OPEN},       /* German Unity Day */
	{FIXED, 10, 31, 0, 1, 1200, AS_USUAL},  /* Halloween */
	{FIXED, 12, 23, 0, 1, 1200, AS_USUAL},  /* the day before Christmas Eve */
};

static int64_t occasion_start(const struct occasion *o, int year)
{
	int64_t first;
	switch (o->rule) {
	case EASTER:
		return demo_date_easter(year) + o->day;
	case NTH:
		first = demo_date_make(year, o->month, 1);
		return first + (o->weekday + 7 - demo_date_weekday(first)) % 7 + (o->day - 1) * 7;
	default:
		return demo_date_make(year, o->month, o->day);
	}
}

/* NULL on a day like any other. */
static const struct occasion *occasion_find(int64_t date)
{
	int year, month, day;
	demo_date_split(date, &year, &month, &day);
	for (size_t i = 0; i < sizeof occasions / sizeof *occasions; i++) {
		int64_t start = occasion_start(&occasions[i], year);
		if (date >= start && date < start + occasions[i].length)
			return &occasions[i];
	}
	return NULL;
}

bool demo_calendar_is_open(int64_t date)
{
	const struct occasion *o = occasion_find(date);
	if (o && o->doors != AS_USUAL)
		return o->doors == OPEN;
	return demo_date_weekday(date) != REST_DAY;
}

/* ---- demand --------------------------------------------------------------- */

/* Between the middles of the months in a straight line. */
static int64_t season(int64_t date)
{
	static const int month_pm[] = {860,  880,  950,  1000, 1070, 1090,
	                               1080, 1040, 1030, 980,  950,  1120};
	int year, month, day;
	demo_date_split(date, &year, &month, &day);
	int64_t middle = demo_date_make(year, month, 15);
	int other = date < middle ? month - 1 : month + 1;
	int64_t far = other < 1    ? demo_date_make(year - 1, 12, 15)
	              : other > 12 ? demo_date_make(year + 1, 1, 15)
	                           : demo_date_make(year, other, 15);
	int64_t here_pm = month_pm[month - 1], there_pm = month_pm[(other + 11) % 12];
	return here_pm + (there_pm - here_pm) * (date - middle) / (far - middle);
}

static int64_t growth(int64_t date)
{
	int64_t pm = 1000 + GROWTH_PER_YEAR * (date - demo_date_make(2024, 7, 1)) / 365;
	return pm < GROWTH_MIN ? GROWTH_MIN : pm > GROWTH_MAX ? GROWTH_MAX : pm;
}

/* Good and bad weeks that run into each other, as weather makes them. */
static int64_t weeks(int64_t seed, int64_t date)
{
	int64_t week = floor_div(date, 7), into = date - week * 7;
	int64_t a = (int64_t)(demo_random_hash(~seed, week) % (2 * WEEK_NOISE + 1)) - WEEK_NOISE;
	int64_t b = (int64_t)(demo_random_hash(~seed, week + 1) % (2 * WEEK_NOISE + 1)) - WEEK_NOISE;
	return 1000 + a + (b - a) * into / 7;
}

int64_t demo_calendar_demand(int64_t seed, int64_t date)
{
	static const int weekday_pm[] = {760, 780, 840, 930, 1250, 1370, 1000};
	const struct occasion *o = occasion_find(date);
	int64_t n = BASE_ORDERS * (int64_t)weekday_pm[demo_date_weekday(date)];
	n = n * season(date) / 1000;
	n = n * growth(date) / 1000;
	n = n * weeks(seed, date) / 1000;
	return o && o->demand ? n * o->demand / 1000 : n;
}
