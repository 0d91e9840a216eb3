/* num.c: strict parsing. */
#include "base/num.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool num_parse_int(const char *s, int64_t min, int64_t max, int64_t *out)
{
	const char *digits = *s == '-' ? s + 1 : s;
	if (*digits == '\0' || strspn(digits, "0123456789") != strlen(digits))
		return false;
	errno = 0;
	intmax_t v = strtoimax(s, NULL, 10);
	if (errno || v < min || v > max)
		return false;
	*out = (int64_t)v;
	return true;
}

bool num_parse_decimal(const char *s, int64_t min, int64_t max, int64_t *out)
{
	char digits[24];
	size_t whole = strspn(s, "0123456789");
	size_t parts = s[whole] == '.' ? strspn(s + whole + 1, "0123456789") : 0;
	bool point = s[whole] == '.';
	if (whole == 0 || whole > 14 || parts > 4 || (point && parts == 0) ||
	    s[whole + point + parts] != '\0')
		return false;
	memcpy(digits, s, whole);
	memset(digits + whole, '0', 4);
	if (parts)
		memcpy(digits + whole, s + whole + 1, parts);
	digits[whole + 4] = '\0';
	return num_parse_int(digits, min, max, out);
}

static int two(const char *s)
{
	return (s[0] - '0') * 10 + (s[1] - '0');
}

bool num_is_date(const char *s)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	if (strlen(s) != 10 || s[4] != '-' || s[7] != '-')
		return false;
	for (int i = 0; i < 10; i++)
		if (i != 4 && i != 7 && (s[i] < '0' || s[i] > '9'))
			return false;
	int year = two(s) * 100 + two(s + 2), month = two(s + 5), day = two(s + 8);
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	if (year < 1 || month < 1 || month > 12 || day < 1)
		return false;
	return day <= days[month - 1] + (month == 2 && leap ? 1 : 0);
}

int64_t num_divide(int64_t a, int64_t b)
{
	int64_t n = a / b, rest = a % b;
	if (rest < 0) {
		n--;
		rest += b;
	}
	return n + (rest > b - rest || (rest == b - rest && n % 2 != 0));
}

int64_t num_permille(int64_t part, int64_t whole)
{
	return num_divide(part * 1000, whole);
}
