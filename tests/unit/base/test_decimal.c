/* test_decimal.c: decimals in every encoding are exact. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"

static uint64_t seed = 88172645463325252U;
static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* v with `scale` decimals, written the long way round. */
static void plain(__int128 v, int scale, char *out)
{
	char digits[64];
	int n = 0;
	unsigned __int128 m = v < 0 ? -(unsigned __int128)v : (unsigned __int128)v;
	do
		digits[n++] = (char)('0' + (int)(m % 10));
	while ((m /= 10) != 0);
	while (n <= scale)
		digits[n++] = '0';
	if (v < 0)
		*out++ = '-';
	while (n > 0) {
		*out++ = digits[--n];
		if (n == scale && scale > 0)
			*out++ = '.';
	}
	*out = '\0';
}

/* As Java's BigInteger writes it: the fewest bytes, or `extra` more. */
static size_t big_endian(__int128 v, int extra, unsigned char *out)
{
	size_t n = 1;
	while (n < 16 && (v >> (n * 8 - 1)) != 0 && (v >> (n * 8 - 1)) != -1)
		n++;
	n += (size_t)extra;
	for (size_t i = 0; i < n; i++) {
		size_t shift = (n - 1 - i) * 8;
		out[i] = (unsigned char)(shift > 127 ? (v < 0 ? 0xff : 0) : (v >> shift) & 0xff);
	}
	return n;
}

static void check_bytes(struct arena *a, __int128 v, int scale, int extra)
{
	unsigned char bytes[40];
	char want[80], base64[80];
	size_t n = big_endian(v, extra, bytes);
	plain(v, scale, want);
	assert_string_equal(decimal_from_bytes(a, bytes, n, scale), want);
	sodium_bin2base64(base64, sizeof base64, bytes, n, sodium_base64_VARIANT_ORIGINAL);
	assert_string_equal(decimal_from_base64(a, base64, scale), want);
}

static void test_edges(void **state)
{
	(void)state;
	static const int64_t edges[] = {
		0,         1,         -1,        127,       128,       -128,       -129,      255,   256,
		-255,      -256,      -257,      32767,     32768,     -32768,     -32769,    65535, 65536,
		INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 999999999, 1000000000, 1000000001};
	struct arena a;
	arena_init(&a);
	for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
		for (int scale = 0; scale <= 6; scale++)
			for (int extra = 0; extra <= 9; extra += 3)
				check_bytes(&a, edges[i], scale, extra);
	for (int bit = 62; bit < 127; bit++) {
		check_bytes(&a, (__int128)1 << bit, 2, 0);
		check_bytes(&a, -((__int128)1 << bit), 6, 1);
		check_bytes(&a, ((__int128)1 << bit) - 1, 0, 0);
	}
	assert_string_equal(decimal_from_base64(&a, "EAAAAAAAAAAAAAAAAA==", 0),
	                    "1267650600228229401496703205376");
	assert_string_equal(decimal_from_base64(&a, "AQ==", -3), "1000");
	assert_string_equal(decimal_from_base64(&a, "AA==", -3), "0");
	assert_null(decimal_from_base64(&a, "", 2));
	assert_null(decimal_from_base64(&a, "MDk", 2)); /* no padding */
	assert_null(decimal_from_base64(&a, "M k=", 2));
	assert_null(decimal_from_base64(&a, "AQ==", DECIMAL_MAX_SCALE + 1));
	arena_fini(&a);
}

/* 2^2047 - 1: modulo 9, which is what its digits add up to, 2^(6 * 341 + 1) - 1 = 1. */
static void test_long(void **state)
{
	(void)state;
	unsigned char bytes[DECIMAL_RAW_BYTES + 1];
	struct arena a;
	arena_init(&a);
	memset(bytes, 0xff, sizeof bytes);
	bytes[0] = 0x7f;
	const char *text = decimal_from_bytes(&a, bytes, DECIMAL_RAW_BYTES, 0);
	assert_non_null(text);
	int sum = 0;
	for (const char *s = text; *s; s++)
		sum += *s - '0';
	assert_int_equal(strlen(text), 617);
	assert_int_equal(sum % 9, 1);
	assert_null(decimal_from_bytes(&a, bytes, sizeof bytes, 0));
	arena_fini(&a);
}

/* A million numbers through bytes, text and minor units, and back. */
static void test_round_trips(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a);
	for (int i = 0; i < 1000000; i++) {
		int bits = (int)(next_random() % 47) + 1, scale = (int)(next_random() % 7);
		int64_t v = (int64_t)(next_random() >> (64 - bits));
		if (next_random() & 1)
			v = -v;
		char want[80];
		unsigned char bytes[20];
		struct decimal d;
		int64_t minor;
		plain(v, scale, want);
		const char *text = decimal_from_bytes(&a, bytes, big_endian(v, 0, bytes), scale);
		assert_string_equal(text, want);
		assert_true(decimal_parse(text, &d));
		assert_string_equal(decimal_text(&a, &d), want);
		if (scale <= 4) {
			assert_true(decimal_minor(&d, scale, &minor) || v >= 100000000000000 ||
			            v <= -100000000000000);
			if (decimal_fits(&d))
				assert_int_equal(minor, v);
		}
		if (i % 1000 == 0)
			arena_reset(&a);
	}
	arena_fini(&a);
}

static void test_parse(void **state)
{
	(void)state;
	static const struct {
		const char *text, *plain; /* NULL: refused */
	} rows[] = {
		{"0", "0"},
		{"-0", "0"},
		{"-0.00", "0.00"},
		{"12.50", "12.50"},
		{"+1", "1"},
		{"007.5", "7.5"},
		{".5", "0.5"},
		{"5.", "5"},
		{"-.05", "-0.05"},
		{"1E+3", "1000"},
		{"1.25e1", "12.5"},
		{"0E-8", "0"},
		{"12e-3", "0.012"},
		{"0.05E3", "50"},
		{"1e0", "1"},
		{"99999999999999.9999", "99999999999999.9999"},
		{"", NULL},
		{".", NULL},
		{"-", NULL},
		{"1e", NULL},
		{"1e+", NULL},
		{"NaN", NULL},
		{"Infinity", NULL},
		{"-Infinity", NULL},
		{"1,5", NULL},
		{"1.2.3", NULL},
		{" 1", NULL},
		{"1 ", NULL},
		{"0x10", NULL},
		{"1e9999999999", NULL},
		{"1e70", NULL},
		{"--1", NULL},
		{"1234567890123456789012345678901234567890123456789012345678901", NULL},
	};
	struct arena a;
	arena_init(&a);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct decimal d;
		bool ok = decimal_parse(rows[i].text, &d);
		if (ok != (rows[i].plain != NULL))
			fail_msg("'%s' is %s", rows[i].text, ok ? "accepted" : "refused");
		if (ok)
			assert_string_equal(decimal_text(&a, &d), rows[i].plain);
	}
	arena_fini(&a);
}

static void test_half_even(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int digits;
		int64_t minor;
	} rows[] = {
		{"0.005", 2, 0},
		{"0.015", 2, 2},
		{"0.025", 2, 2},
		{"0.0250001", 2, 3},
		{"-0.015", 2, -2},
		{"-0.025", 2, -2},
		{"2.5", 0, 2},
		{"3.5", 0, 4},
		{"1299.99", 2, 129999},
		{"12", 3, 12000},
		{"12.3456", 4, 123456},
		{"0.99999", 4, 10000},
		{"99999999999999.99", 2, INT64_C(9999999999999999)},
		{"100", 0, 100},
		{"19.995", 2, 2000},
		{"1e-30", 2, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct decimal d;
		int64_t minor;
		assert_true(decimal_parse(rows[i].text, &d));
		assert_true(decimal_minor(&d, rows[i].digits, &minor));
		if (minor != rows[i].minor)
			fail_msg("%s to %d digits is %" PRId64, rows[i].text, rows[i].digits, minor);
	}
	struct decimal d;
	int64_t minor;
	assert_true(decimal_parse("100000000000000", &d));
	assert_false(decimal_minor(&d, 2, &minor));
	assert_false(decimal_fits(&d));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edges),       cmocka_unit_test(test_long),
		cmocka_unit_test(test_round_trips), cmocka_unit_test(test_parse),
		cmocka_unit_test(test_half_even),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
