/* test_escape.c: text made safe, one table per place. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "web/escape.h"

struct row {
	const char *in, *want;
};

static const struct row html[] = {
	{"", ""},
	{"plain 12.50 ä€", "plain 12.50 ä€"},
	{"<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"},
	{"a\" onload='x' b=`y`", "a&quot; onload=&#39;x&#39; b=&#96;y&#96;"},
	{"&amp;", "&amp;amp;"},
	{"&&", "&amp;&amp;"},
	{"<", "&lt;"},
	{"a<", "a&lt;"},
};

static const struct row csv[] = {
	{"", ""},
	{"plain", "plain"},
	{"a b", "a b"},
	{"a,b", "\"a,b\""},
	{"a;b", "\"a;b\""},
	{"say \"hi\"", "\"say \"\"hi\"\"\""},
	{"a\nb", "\"a\nb\""},
	{"a\rb", "\"a\rb\""},
	{" a", "\" a\""},
	{"a ", "\"a \""},
	{"=1+1", "\"'=1+1\""},
	{"=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\""},
	{"+49 30 1", "\"'+49 30 1\""},
	{"-12.50", "\"'-12.50\""},
	{"@SUM(A1)", "\"'@SUM(A1)\""},
	{"\t=1", "\"'\t=1\""},
	{"\r=1", "\"'\r=1\""},
	{"\n=1", "\"'\n=1\""},
	{"\xef\xbc\x9d"
     "1+1",
     "\"'\xef\xbc\x9d"
     "1+1\""}, /* full-width = */
	{"\xef\xbc\x8b"
     "1",
     "\"'\xef\xbc\x8b"
     "1\""}, /* full-width + */
	{"\xef\xbc\x8d"
     "1",
     "\"'\xef\xbc\x8d"
     "1\""}, /* full-width - */
	{"\xef\xbc\xa0"
     "A",
     "\"'\xef\xbc\xa0"
     "A\""}, /* full-width @ */
	{"\xef\xbc\xa1"
     "A",
     "\xef\xbc\xa1"
     "A"}, /* full-width A is harmless */
	{"\xef\xbc", "\xef\xbc"},
	{"a=b", "a=b"},
	{"'=1", "'=1"},
};

static const struct row numbers[] = {
	{"0", "0"},
	{"-12.50", "-12.50"},
	{"1e9", "1e9"},
	{"NaN", "NaN"},
	{"-1+cmd|' /C calc'!A0", "\"'-1+cmd|' /C calc'!A0\""},
	{"+1", "\"'+1\""},
	{"-", "\"'-\""},
	{NULL, ""},
};

static const struct row url[] = {
	{"", ""},
	{"AZaz09-._~", "AZaz09-._~"},
	{"a b/c?d=e&f#g", "a%20b%2Fc%3Fd%3De%26f%23g"},
	{"\xc3\xa4\x01\x7f\xff", "%C3%A4%01%7F%FF"},
	{"100%", "100%25"},
	{"\r\n", "%0D%0A"},
};

typedef void (*escape)(struct buf *, const char *, size_t);

static void check(const struct row *rows, size_t n, escape f)
{
	struct buf out;
	buf_init(&out);
	for (size_t i = 0; i < n; i++) {
		buf_clear(&out);
		f(&out, rows[i].in, rows[i].in ? strlen(rows[i].in) : 0);
		assert_string_equal(buf_str(&out), rows[i].want);
	}
	buf_fini(&out);
}

static void number(struct buf *out, const char *s, size_t n)
{
	(void)n;
	escape_csv_number(out, s);
}

#define ROWS(a) (a), sizeof(a) / sizeof *(a)

static void test_html(void **state)
{
	(void)state;
	check(ROWS(html), escape_html);
}

static void test_csv_text(void **state)
{
	(void)state;
	check(ROWS(csv), escape_csv_text);
}

static void test_csv_number(void **state)
{
	(void)state;
	check(ROWS(numbers), number);
}

static void test_url(void **state)
{
	(void)state;
	check(ROWS(url), escape_url);
}

/* A NUL in front would hide the sign from a check that stops there. */
static void test_nul_bytes(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out);
	escape_csv_text(&out, "\0=1", 3);
	assert_string_equal(buf_str(&out), "\"'=1\"");
	buf_clear(&out);
	escape_csv_text(&out, "a\0b", 3);
	assert_string_equal(buf_str(&out), "ab");
	buf_clear(&out);
	escape_html(&out, "a\0<", 3);
	assert_int_equal(out.len, 6);
	buf_clear(&out);
	escape_url(&out, "\0", 1);
	assert_string_equal(buf_str(&out), "%00");
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_html),       cmocka_unit_test(test_csv_text),
		cmocka_unit_test(test_csv_number), cmocka_unit_test(test_url),
		cmocka_unit_test(test_nul_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
