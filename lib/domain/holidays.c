/* holidays.c: rules into days. */
#include "domain/holidays.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "base/buf.h"

enum rule {
	RULE_FIXED,
	RULE_EASTER,
	RULE_ORTHODOX,
	RULE_NTH,
	RULE_AFTER,
	RULE_EQUINOX,
	RULE_TABLE,
	RULE_BETWEEN,
	RULE_KINGS_DAY,
	RULE_ST_BRIGID,
	RULE_AFTER_THANKSGIVING,
};

enum shift { SHIFT_NONE, SHIFT_US, SHIFT_NEXT, SHIFT_SUNDAY };

enum table { SPRING, QINGMING, DRAGON_BOAT, MID_AUTUMN, MATARIKI, TABLES };

enum { MONDAY = 1, THURSDAY = 4, FRIDAY, SATURDAY, SUNDAY, WEEK = 7 };
enum { TABLE_FROM = 2015, TABLE_YEARS = 21, DAYS_MAX = 64 };

struct holiday {
	const char *country;
	enum rule rule;
	int a, b, c, from, to;
	enum shift shift;
	const char *name, *moved; /* of the day that stands in for it */
};

#define MOVED_NONE ""
#define MOVED_US " (observed)"
#define MOVED_NEXT " (substitute day)"
#define MOVED_SUNDAY " (substitute day)"

static const struct holiday holidays[] = {
#define HOLIDAY(country, rule, a, b, c, from, to, shift, name)                                     \
	{#country, RULE_##rule, a, b, c, from, to, SHIFT_##shift, name, name MOVED_##shift},
#include "domain/holidays.def"
#undef HOLIDAY
};

enum { HOLIDAYS = sizeof holidays / sizeof *holidays };

/* Month and day as four digits; 0 where there is none. */
static const short tables[TABLES][TABLE_YEARS] = {
	[SPRING] = {219, 208, 128, 216, 205, 125, 212, 201, 122, 210, 129,
                217, 206, 126, 213, 203, 123, 211, 131, 219, 208},
	[QINGMING] = {405, 404, 404, 405, 405, 404, 404, 405, 405, 404, 404,
                  405, 405, 404, 404, 405, 405, 404, 404, 405, 405},
	[DRAGON_BOAT] = {620, 609, 530, 618, 607, 625, 612, 603, 622, 610, 531,
                     619, 609, 528, 616, 605, 624, 612, 601, 620, 610},
	[MID_AUTUMN] = {927, 915, 1004, 924, 913, 1001, 919, 910, 929, 917, 1006,
                    925, 915, 1003, 922, 912, 1001, 919, 908, 927, 916},
	[MATARIKI] = {0,   0,   0,   0,   0,   0,   0,   624, 714, 628, 620,
                  710, 625, 714, 706, 621, 711, 702, 624, 707, 629},
};

/* ---- civil days -------------------------------------------------------------- */

/* Both after Hinnant, "chrono-Compatible Low-Level Date Algorithms"; years from 0 on. */
int32_t holidays_day(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year;
	int era = y / 400, of_era = y - era * 400;
	int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct holidays_date holidays_date_of(int32_t day)
{
	int z = day + 719468;
	int era = z / 146097, of_era = z - era * 146097;
	int y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int of_year = of_era - (365 * y + y / 4 - y / 100);
	int m = (5 * of_year + 2) / 153;
	int month = m < 10 ? m + 3 : m - 9;
	return (struct holidays_date){y + era * 400 + (month <= 2), month,
	                              of_year - (153 * m + 2) / 5 + 1};
}

/* 1 is Monday. 1970-01-01 was a Thursday. */
static int weekday(int32_t day)
{
	return ((day % WEEK) + WEEK + THURSDAY - 1) % WEEK + 1;
}

static int32_t on_or_after(int32_t day, int wanted)
{
	return day + (wanted - weekday(day) + WEEK) % WEEK;
}

/* The c-th of a month, the last one where c is -1. */
static int32_t nth(int year, int month, int wanted, int c)
{
	if (c > 0)
		return on_or_after(holidays_day(year, month, 1), wanted) + (c - 1) * WEEK;
	int32_t next = month == 12 ? holidays_day(year + 1, 1, 1) : holidays_day(year, month + 1, 1);
	return on_or_after(next - WEEK, wanted);
}

/* Meeus, Jones and Butcher. */
int32_t holidays_easter(int year)
{
	int a = year % 19, b = year / 100, c = year % 100;
	int g = (8 * b + 13) / 25;
	int h = (19 * a + b - b / 4 - g + 15) % 30;
	int l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7;
	int m = (a + 11 * h + 22 * l) / 451;
	int n = h + l - 7 * m + 114;
	return holidays_day(year, n / 31, n % 31 + 1);
}

/* Meeus, in the Julian calendar, and then how far that lags behind. */
int32_t holidays_orthodox_easter(int year)
{
	int d = (19 * (year % 19) + 15) % 30;
	int e = (2 * (year % 4) + 4 * (year % 7) - d + 34) % 7;
	int n = d + e + 114;
	return holidays_day(year, n / 31, n % 31 + 1) + year / 100 - year / 400 - 2;
}

/* As the observatory of Japan computes them, 1980 to 2099. */
static int32_t equinox(int year, int month)
{
	int n = year - 1980;
	double mean = (month == 3 ? 20.8431 : 23.2488) + 0.242194 * n;
	return holidays_day(year, month, (int)mean - n / 4);
}

/* ---- rules ------------------------------------------------------------------------ */

struct found {
	int32_t day;
	const struct holiday *holiday;
};

struct year {
	struct found rows[DAYS_MAX];
	size_t n;
};

static bool is_free(const struct year *y, int32_t day)
{
	for (size_t i = 0; i < y->n; i++)
		if (y->rows[i].day == day)
			return false;
	return true;
}

static void add(struct year *y, int32_t day, const struct holiday *h)
{
	must(y->n < DAYS_MAX);
	y->rows[y->n++] = (struct found){day, h};
}

/* Days between two holidays that are neither a holiday nor a Sunday. */
static void add_between(struct year *y, const struct holiday *h)
{
	size_t n = y->n;
	for (size_t i = 0; i < n; i++) {
		int32_t day = y->rows[i].day + 1;
		if (is_free(y, day) && !is_free(y, day + 1) && weekday(day) != SUNDAY)
			add(y, day, h);
	}
}

static void add_from_table(struct year *y, int year, const struct holiday *h)
{
	int i = year - TABLE_FROM;
	int at = i >= 0 && i < TABLE_YEARS ? tables[h->b][i] : 0;
	if (at)
		add(y, holidays_day(year, at / 100, at % 100) + h->a, h);
}

static void add_rule(struct year *y, int year, const struct holiday *h)
{
	int32_t day;
	switch (h->rule) {
	case RULE_FIXED:
		add(y, holidays_day(year, h->a, h->b), h);
		break;
	case RULE_EASTER:
		add(y, holidays_easter(year) + h->a, h);
		break;
	case RULE_ORTHODOX:
		add(y, holidays_orthodox_easter(year) + h->a, h);
		break;
	case RULE_NTH:
		add(y, nth(year, h->a, h->b, h->c), h);
		break;
	case RULE_AFTER:
		add(y, on_or_after(holidays_day(year, h->a, h->b), h->c), h);
		break;
	case RULE_EQUINOX:
		add(y, equinox(year, h->a), h);
		break;
	case RULE_TABLE:
		add_from_table(y, year, h);
		break;
	case RULE_BETWEEN:
		add_between(y, h);
		break;
	case RULE_KINGS_DAY: /* 27 April, of a Sunday the day before */
		day = holidays_day(year, 4, 27);
		add(y, weekday(day) == SUNDAY ? day - 1 : day, h);
		break;
	case RULE_ST_BRIGID: /* 1 February where that is a Friday, else the first Monday */
		day = holidays_day(year, 2, 1);
		add(y, weekday(day) == FRIDAY ? day : on_or_after(day, MONDAY), h);
		break;
	case RULE_AFTER_THANKSGIVING:
		add(y, nth(year, 11, THURSDAY, 4) + 1, h);
		break;
	}
}

/* The day that stands in for a holiday; the holiday itself where it needs none. */
static int32_t moved(const struct year *y, const struct found *f)
{
	int w = weekday(f->day);
	int32_t day = f->day;
	switch (f->holiday->shift) {
	case SHIFT_US:
		return w == SATURDAY ? day - 1 : w == SUNDAY ? day + 1 : day;
	case SHIFT_NEXT:
		while (w >= SATURDAY && (weekday(day) >= SATURDAY || !is_free(y, day)))
			day++;
		return day;
	case SHIFT_SUNDAY:
		while (w == SUNDAY && !is_free(y, day))
			day++;
		return day;
	default:
		return day;
	}
}

void holidays_of(const char *country, int year, holidays_fn fn, void *arg)
{
	struct year y = {.n = 0};
	for (size_t i = 0; i < HOLIDAYS; i++) {
		const struct holiday *h = &holidays[i];
		if (strcmp(h->country, country) == 0 && (!h->from || h->from <= year) &&
		    (!h->to || h->to >= year))
			add_rule(&y, year, h);
	}
	size_t proper = y.n;
	for (size_t i = 0; i < proper; i++) {
		const struct found *f = &y.rows[i];
		int32_t day = moved(&y, f);
		fn(arg, f->day, f->holiday->name);
		if (day != f->day) {
			add(&y, day, f->holiday);
			fn(arg, day, f->holiday->moved);
		}
	}
}

/* ---- lists of countries -------------------------------------------------------------- */

const char *holidays_country(int n)
{
	for (size_t i = 0; i < HOLIDAYS; i++)
		if ((i == 0 || strcmp(holidays[i].country, holidays[i - 1].country) != 0) && n-- == 0)
			return holidays[i].country;
	return NULL;
}

enum { CODE_BYTES = 16 };

/* The next word of a list in capitals, cut where it is longer than any code; false at its end. */
static bool next_code(const char **list, char code[CODE_BYTES])
{
	size_t n = 0;
	*list += strspn(*list, ", \t");
	for (; **list && !strchr(", \t", **list); (*list)++)
		if (n < CODE_BYTES - 1)
			code[n++] = (char)toupper((unsigned char)**list);
	code[n] = '\0';
	return n > 0;
}

void holidays_of_all(const char *countries, int year, holidays_fn fn, void *arg)
{
	char code[CODE_BYTES];
	while (next_code(&countries, code))
		holidays_of(code, year, fn, arg);
}

static bool is_known(const char *code)
{
	const char *country;
	for (int i = 0; (country = holidays_country(i)) != NULL; i++)
		if (strcmp(country, code) == 0)
			return true;
	return false;
}

enum err holidays_check(const char *countries, const char *setting, struct errbuf *eb)
{
	char code[CODE_BYTES];
	while (next_code(&countries, code)) {
		if (is_known(code))
			continue;
		struct buf known;
		const char *country;
		buf_init(&known);
		for (int i = 0; (country = holidays_country(i)) != NULL; i++)
			buf_printf(&known, "%s%s", i ? ", " : "", country);
		enum err rc =
			err_set_field(eb, ERR_CONFIG, setting,
		                  "%s: there is no list of holidays for '%s'; there is one for %s", setting,
		                  code, buf_str(&known));
		buf_fini(&known);
		return rc;
	}
	return ERR_OK;
}
