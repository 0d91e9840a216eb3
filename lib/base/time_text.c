/* time_text.c: see time_text.h. Days by Howard Hinnant, "chrono-compatible low-level date
 * algorithms", http://howardhinnant.github.io/date_algorithms.html */
#include "base/time_text.h"

#include <stdio.h>
#include <string.h>

int64_t time_civil_days(int64_t y, int m, int d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void time_days_civil(int64_t z, int *y, int *m, int *d)
{
	z += 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	*d = (int)(doy - (153 * mp + 2) / 5 + 1);
	*m = (int)(mp < 10 ? mp + 3 : mp - 9);
	*y = (int)(yoe + era * 400 + (*m <= 2));
}

/* ---- reading --------------------------------------------------------------- */

static bool take_number(const char **s, int digits, int *out)
{
	*out = 0;
	for (int i = 0; i < digits; i++, (*s)++) {
		if (**s < '0' || **s > '9')
			return false;
		*out = *out * 10 + (**s - '0');
	}
	return true;
}

static bool take_char(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

static int month_days(int y, int m)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return m == 2 && (y % 4 == 0 && (y % 100 != 0 || y % 400 == 0)) ? 29 : days[m - 1];
}

static bool take_date(const char **s, int64_t *us)
{
	int y, m, d;
	if (!take_number(s, 4, &y) || !take_char(s, '-') || !take_number(s, 2, &m) ||
	    !take_char(s, '-') || !take_number(s, 2, &d))
		return false;
	if (m < 1 || m > 12 || d < 1 || d > month_days(y, m))
		return false;
	*us = time_civil_days(y, m, d) * US_PER_DAY;
	return true;
}

static int64_t take_fraction(const char **s)
{
	int64_t us = 0, unit = 100000;
	for (; **s >= '0' && **s <= '9'; (*s)++, unit /= 10)
		us += unit * (**s - '0');
	return us;
}

static bool take_clock(const char **s, int64_t *us)
{
	int h, m, sec = 0;
	if (!take_number(s, 2, &h) || !take_char(s, ':') || !take_number(s, 2, &m))
		return false;
	if (take_char(s, ':') && !take_number(s, 2, &sec))
		return false;
	/* a leap second is the first of the next minute; 24:00 is the end of the day */
	if (h > 24 || m > 59 || sec > 60 || (h == 24 && (m > 0 || sec > 0)))
		return false;
	*us += (h * INT64_C(3600) + m * 60 + sec) * US_PER_S;
	if (take_char(s, '.')) {
		if (**s < '0' || **s > '9')
			return false;
		*us += take_fraction(s);
	}
	return true;
}

/* "Z", "+02", "+02:00", "+0200", "-04:56:02", "UTC" or nothing. */
static bool take_zone(const char **s, bool *zoned, int64_t *us)
{
	int h, m = 0, sec = 0;
	*zoned = **s != '\0';
	if (!*zoned || take_char(s, 'Z') || take_char(s, 'z'))
		return true;
	int sign = **s == '-' ? -1 : 1;
	if ((!take_char(s, '+') && !take_char(s, '-')) || !take_number(s, 2, &h))
		return false;
	if (**s != '\0') {
		(void)take_char(s, ':');
		if (!take_number(s, 2, &m))
			return false;
	}
	if (take_char(s, ':') && !take_number(s, 2, &sec))
		return false;
	if (h > 18 || m > 59 || sec > 59)
		return false;
	*us -= sign * (h * INT64_C(3600) + m * 60 + sec) * US_PER_S;
	return true;
}

/* A date PostgreSQL prints that is none of ours: of five digits and more, or before our era. */
static bool is_far(const char *text)
{
	if (strcmp(text, "infinity") == 0 || strcmp(text, "-infinity") == 0)
		return true;
	size_t year = strspn(text, "0123456789"), n = strlen(text);
	if (year < 4 || year > 6 || text[year] != '-')
		return false;
	return year > 4 || (n > 3 && strcmp(text + n - 3, " BC") == 0);
}

enum time_kind time_parse(const char *text, int64_t *us)
{
	const char *s = text;
	bool zoned = false;
	if (is_far(text))
		return TIME_FAR;
	if (!take_date(&s, us))
		return TIME_NONE;
	if (*s == '\0')
		return TIME_WALL;
	if ((!take_char(&s, 'T') && !take_char(&s, ' ') && !take_char(&s, 't')) || !take_clock(&s, us))
		return TIME_NONE;
	(void)take_char(&s, ' ');
	if (!take_zone(&s, &zoned, us) || *s != '\0')
		return TIME_NONE;
	return zoned ? TIME_INSTANT : TIME_WALL;
}

/* ---- writing --------------------------------------------------------------- */

bool time_format_date(int64_t days, char out[TIME_TEXT_BYTES])
{
	int y, m, d;
	if (days < -719162 || days > 2932896) /* 0001-01-01, 9999-12-31 */
		return false;
	time_days_civil(days, &y, &m, &d);
	(void)snprintf(out, TIME_TEXT_BYTES, "%04d-%02d-%02d", y, m, d);
	return true;
}

bool time_format(int64_t us, bool zoned, char out[TIME_TEXT_BYTES])
{
	int64_t days = us / US_PER_DAY - (us % US_PER_DAY < 0);
	int64_t rest = us - days * US_PER_DAY;
	int s = (int)(rest / US_PER_S), micro = (int)(rest % US_PER_S);
	if (!time_format_date(days, out))
		return false;
	int n = 10 + snprintf(out + 10, TIME_TEXT_BYTES - 10, "T%02d:%02d:%02d", s / 3600, s / 60 % 60,
	                      s % 60);
	if (micro)
		n += snprintf(out + n, (size_t)(TIME_TEXT_BYTES - n), ".%06d", micro);
	if (zoned)
		(void)snprintf(out + n, (size_t)(TIME_TEXT_BYTES - n), "Z");
	return true;
}

/* ---- units ----------------------------------------------------------------- */

bool time_from_units(int64_t n, char unit, int64_t *us)
{
	switch (unit) {
	case 'd':
		return !__builtin_mul_overflow(n, US_PER_DAY, us);
	case 's':
		return !__builtin_mul_overflow(n, US_PER_S, us);
	case 'm':
		return !__builtin_mul_overflow(n, INT64_C(1000), us);
	case 'n':
		*us = n / 1000 - (n % 1000 < 0);
		return true;
	default:
		*us = n;
		return true;
	}
}

bool time_unit_doubtful(int64_t n, char unit)
{
	for (const char *other = "dsmun"; *other; other++) {
		int64_t us;
		if (*other != unit && time_from_units(n, *other, &us) && us >= TIME_2000_US &&
		    us < TIME_2100_US)
			return true;
	}
	return false;
}
