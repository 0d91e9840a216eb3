/* format.c: separators, signs and names. */
#include "domain/format.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

static const char DASH[] = "\xe2\x80\x93";   /* en dash */
static const char MINUS[] = "\xe2\x88\x92";  /* minus sign */
static const char NARROW[] = "\xe2\x80\xaf"; /* narrow no-break space */

static bool is_decimal(const char *s)
{
	s += *s == '-';
	size_t n = strspn(s, "0123456789");
	return n &&
	       (s[n] == '\0' || (s[n] == '.' && strspn(s + n + 1, "0123456789") == strlen(s + n + 1)));
}

/* Digits of a decimal without sign, grouped by three. */
static void put_grouped(struct buf *out, const char *digits)
{
	size_t whole = strcspn(digits, ".");
	for (size_t i = 0; i < whole; i++) {
		if (i && (whole - i) % 3 == 0)
			buf_putc(out, ',');
		buf_putc(out, digits[i]);
	}
	buf_puts(out, digits + whole);
}

void format_number(struct buf *out, const char *number)
{
	if (!number || !is_decimal(number)) {
		buf_puts(out, number ? number : DASH);
		return;
	}
	if (*number == '-')
		buf_puts(out, MINUS);
	put_grouped(out, number + (*number == '-'));
}

static const char *symbol(const char *currency)
{
	static const struct {
		const char *code, *sign;
	} signs[] = {{"EUR", "\xe2\x82\xac"},
	             {"USD", "$"},
	             {"GBP", "\xc2\xa3"},
	             {"JPY", "\xc2\xa5"},
	             {"INR", "\xe2\x82\xb9"}};
	for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
		if (strcmp(signs[i].code, currency) == 0)
			return signs[i].sign;
	return currency;
}

void format_money(struct buf *out, const char *amount, const char *currency)
{
	if (!amount || !is_decimal(amount)) {
		buf_puts(out, amount ? amount : DASH);
		return;
	}
	if (*amount == '-')
		buf_puts(out, MINUS);
	buf_puts(out, symbol(currency));
	buf_puts(out, NARROW);
	put_grouped(out, amount + (*amount == '-'));
}

/* Cuts to one decimal after rounding half up in tenths; enough to read. */
static void put_tenths(struct buf *out, const char *digits)
{
	int64_t whole = 0, hundredths = 0;
	char padded[3] = "00";
	size_t n = strcspn(digits, ".");
	char head[20];
	(void)snprintf(head, sizeof head, "%.*s", (int)n, digits);
	for (size_t i = 0; i < 2 && digits[n] == '.' && digits[n + 1 + i]; i++)
		padded[i] = digits[n + 1 + i];
	if (!num_parse_int(head, 0, INT64_MAX / 1000, &whole) ||
	    !num_parse_int(padded, 0, 99, &hundredths)) {
		buf_puts(out, digits);
		return;
	}
	int64_t tenths = (whole * 100 + hundredths + 5) / 10;
	char text[24];
	(void)snprintf(text, sizeof text, "%lld.%lld", (long long)(tenths / 10),
	               (long long)(tenths % 10));
	put_grouped(out, text);
}

void format_change(struct buf *out, const char *percent)
{
	if (!percent || !is_decimal(percent)) {
		buf_puts(out, percent ? percent : DASH);
		return;
	}
	bool negative = *percent == '-';
	bool zero = strspn(percent, "0.-") == strlen(percent);
	buf_puts(out, negative ? MINUS : zero ? "" : "+");
	put_tenths(out, percent + negative);
	buf_printf(out, "%s%%", NARROW);
}

/* Day of the week by Sakamoto's method, 0 = Sunday; Gregorian. */
static int weekday(int y, int m, int d)
{
	static const int t[] = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
	y -= m < 3;
	return (y + y / 4 - y / 100 + y / 400 + t[m - 1] + d) % 7;
}

static int digits(const char *s, int n)
{
	int v = 0;
	for (int i = 0; i < n; i++)
		v = v * 10 + (s[i] - '0');
	return v;
}

void format_date(struct buf *out, const char *date, const char *today)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
	                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	if (!date || !num_is_date(date)) {
		buf_puts(out, date ? date : DASH);
		return;
	}
	int y = digits(date, 4), m = digits(date + 5, 2), d = digits(date + 8, 2);
	buf_printf(out, "%s %d %s", days[weekday(y, m, d)], d, months[m - 1]);
	if (strncmp(date, today, 4) != 0)
		buf_printf(out, " %d", y);
}

void format_hour(struct buf *out, const char *hour)
{
	int64_t h;
	if (!hour || !num_parse_int(hour, 0, 23, &h)) {
		buf_puts(out, hour ? hour : DASH);
		return;
	}
	buf_printf(out, "%02d:00%s%02d:00", (int)h, DASH, (int)(h + 1) % 24);
}

void format_metric(struct buf *out, const struct metric *m, const char *value, const char *currency)
{
	switch (m->unit) {
	case UNIT_MONEY:
		format_money(out, value, currency);
		break;
	case UNIT_EITHER: /* whoever knows that it is money says so in its unit */
	case UNIT_COUNT:
		format_number(out, value);
		break;
	case UNIT_PERCENT:
		if (value && is_decimal(value) && *value != '-') {
			put_tenths(out, value);
			buf_printf(out, "%s%%", NARROW);
		} else {
			format_number(out, value);
		}
		break;
	case UNIT_CHANGE:
		format_change(out, value);
		break;
	case UNIT_HOUR:
		format_hour(out, value);
		break;
	}
}
