/* decimal.c: see decimal.h. */
#include "base/decimal.h"

#include <sodium.h>
#include <string.h>

/* ---- text ---------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "E-8" at s; *end stands behind it. */
static bool parse_exponent(const char *s, const char **end, int *out)
{
	*out = 0;
	*end = s;
	if (*s != 'e' && *s != 'E')
		return true;
	bool negative = s[1] == '-';
	s += 1 + (s[1] == '-' || s[1] == '+');
	if (!is_digit(*s))
		return false;
	for (; is_digit(*s) && *out <= DECIMAL_MAX_SCALE; s++)
		*out = *out * 10 + (*s - '0');
	if (*out > DECIMAL_MAX_SCALE)
		return false;
	*end = s;
	*out = negative ? -*out : *out;
	return true;
}

static bool push_digit(struct decimal *d, char c)
{
	if (d->n == 0 && c == '0' && d->scale == 0)
		return true; /* zeros in front */
	if (d->n == DECIMAL_DIGITS)
		return false;
	d->digits[d->n++] = c;
	return true;
}

/* Digits with a point among them; zeros directly behind the point are digits, too. */
static bool parse_digits(const char *s, const char **end, struct decimal *out)
{
	bool any = false, point = false;
	for (;; s++) {
		if (*s == '.' && !point) {
			point = true;
			continue;
		}
		if (!is_digit(*s))
			break;
		any = true;
		out->scale += point;
		if (!push_digit(out, *s))
			return false;
	}
	*end = s;
	return any;
}

static void strip_zeros(struct decimal *d)
{
	int zeros = 0;
	while (zeros < d->n - d->scale && d->digits[zeros] == '0')
		zeros++;
	d->n -= zeros;
	memmove(d->digits, d->digits + zeros, (size_t)d->n);
}

/* Moves the point `by` places to the right. */
static bool shift_point(struct decimal *d, int by)
{
	d->scale -= d->n > 0 ? by : 0;
	while (d->scale < 0) {
		if (!push_digit(d, '0'))
			return false;
		d->scale++;
	}
	if (d->scale <= d->n) {
		strip_zeros(d);
		return true;
	}
	int missing = d->scale - d->n;
	if (d->scale > DECIMAL_DIGITS)
		return false;
	memmove(d->digits + missing, d->digits, (size_t)d->n);
	memset(d->digits, '0', (size_t)missing);
	d->n = d->scale;
	return true;
}

bool decimal_parse(const char *text, struct decimal *out)
{
	const char *s = text;
	int exponent;
	out->n = out->scale = 0;
	out->negative = *s == '-';
	if (*s == '-' || *s == '+')
		s++;
	if (!parse_digits(s, &s, out) || !parse_exponent(s, &s, &exponent) || *s != '\0' ||
	    !shift_point(out, exponent))
		return false;
	if (out->negative) {
		out->negative = false;
		for (int i = 0; i < out->n; i++)
			out->negative |= out->digits[i] != '0';
	}
	return true;
}

const char *decimal_text(struct arena *a, const struct decimal *d)
{
	int whole = d->n - d->scale;
	char *text = arena_alloc(a, (size_t)d->n + 4), *p = text;
	if (d->negative)
		*p++ = '-';
	if (whole == 0)
		*p++ = '0';
	memcpy(p, d->digits, (size_t)whole);
	p += whole;
	if (d->scale > 0) {
		*p++ = '.';
		memcpy(p, d->digits + whole, (size_t)d->scale);
	}
	return text;
}

/* ---- minor units ----------------------------------------------------------- */

bool decimal_fits(const struct decimal *d)
{
	return d->n - d->scale <= DECIMAL_INT_DIGITS;
}

/* What the digits from `from` on mean for the one before them. */
static bool rounds_up(const struct decimal *d, int from, bool odd)
{
	if (from >= d->n || d->digits[from] < '5')
		return false;
	if (d->digits[from] > '5')
		return true;
	for (int i = from + 1; i < d->n; i++)
		if (d->digits[i] != '0')
			return true;
	return odd;
}

bool decimal_minor(const struct decimal *d, int digits, int64_t *out)
{
	must(digits >= 0 && digits <= 4);
	if (!decimal_fits(d))
		return false;
	int64_t v = 0; /* below 10^18 */
	int whole = d->n - d->scale;
	for (int i = 0; i < whole + digits; i++)
		v = v * 10 + (i < d->n ? d->digits[i] - '0' : 0);
	v += rounds_up(d, whole + digits, v % 2 != 0);
	*out = d->negative ? -v : v;
	return true;
}

/* ---- binary ---------------------------------------------------------------- */

enum { LIMBS = DECIMAL_RAW_BYTES / 4, DIGITS_MAX = DECIMAL_RAW_BYTES * 5 / 2 + 10 };

/* The magnitude as limbs, the least first; returns how many. */
static int magnitude(const unsigned char *bytes, size_t n, bool negative, uint32_t limbs[LIMBS])
{
	int count = (int)((n + 3) / 4);
	memset(limbs, 0, (size_t)count * sizeof *limbs);
	for (size_t i = 0; i < n; i++) {
		uint32_t byte = negative ? (unsigned char)~bytes[n - 1 - i] : bytes[n - 1 - i];
		limbs[i / 4] |= byte << (i % 4 * 8);
	}
	for (int i = 0; negative && i < count; i++)
		if (++limbs[i] != 0)
			break;
	return count;
}

/* The digits of the limbs, right-aligned in `out`; returns where they begin. */
static int limbs_digits(uint32_t *limbs, int count, char out[DIGITS_MAX])
{
	int at = DIGITS_MAX;
	while (count > 0) {
		uint64_t rest = 0;
		for (int i = count - 1; i >= 0; i--) {
			rest = rest << 32 | limbs[i];
			limbs[i] = (uint32_t)(rest / 1000000000);
			rest %= 1000000000;
		}
		while (count > 0 && limbs[count - 1] == 0)
			count--;
		for (int i = 0; i < 9; i++, rest /= 10)
			out[--at] = (char)('0' + rest % 10);
	}
	while (at < DIGITS_MAX && out[at] == '0')
		at++;
	return at;
}

const char *decimal_from_bytes(struct arena *a, const unsigned char *bytes, size_t n, int64_t scale)
{
	uint32_t limbs[LIMBS];
	char digits[DIGITS_MAX];
	if (n == 0 || n > DECIMAL_RAW_BYTES || scale > DECIMAL_MAX_SCALE || scale < -DECIMAL_MAX_SCALE)
		return NULL;
	bool negative = bytes[0] & 0x80;
	int at = limbs_digits(limbs, magnitude(bytes, n, negative, limbs), digits);
	size_t len = (size_t)(DIGITS_MAX - at);
	size_t behind = scale > 0 ? (size_t)scale : 0;            /* the point */
	size_t zeros = scale < 0 && len > 0 ? (size_t)-scale : 0; /* at the end */
	size_t pad = len <= behind ? behind + 1 - len : 0;        /* in front */
	char *text = arena_alloc(a, len + zeros + pad + 3), *p = text;
	if (negative)
		*p++ = '-';
	char *first = p;
	memset(p, '0', pad);
	memcpy(p + pad, digits + at, len);
	memset(p + pad + len, '0', zeros);
	if (behind > 0) {
		char *point = first + pad + len - behind;
		memmove(point + 1, point, behind);
		*point = '.';
	}
	return text;
}

const char *decimal_from_base64(struct arena *a, const char *text, int64_t scale)
{
	unsigned char bytes[DECIMAL_RAW_BYTES];
	size_t n;
	if (sodium_base642bin(bytes, sizeof bytes, text, strlen(text), NULL, &n, NULL,
	                      sodium_base64_VARIANT_ORIGINAL) != 0)
		return NULL;
	return decimal_from_bytes(a, bytes, n, scale);
}
