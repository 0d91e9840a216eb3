/* test_jnode.c: the JSON parser. What it accepts is compared with jansson's in the fuzzer. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/jnode.h"

static enum err parse(struct arena *a, const char *text, int depth, const struct jnode **out)
{
	struct errbuf eb = {0};
	return jnode_parse(a, text, strlen(text), depth, "schema", out, &eb);
}

static void test_accepts(void **state)
{
	(void)state;
	struct arena a;
	const struct jnode *v;
	int64_t n;
	arena_init(&a);
	assert_int_equal(parse(&a, " {\"a\" : [1, -2.50, 1e3, \"x\"], \"b\":null,\"c\":true} ", 4, &v),
	                 ERR_OK);
	const struct jnode *list = jnode_get(v, "a");
	assert_int_equal(list->n, 4);
	assert_true(jnode_int(list->first, &n) && n == 1);
	assert_string_equal(list->first->next->text, "-2.50");
	assert_false(list->first->next->whole);
	assert_false(jnode_int(list->first->next, &n));
	assert_memory_equal(list->raw, "[1, -2.50, 1e3, \"x\"]", list->raw_n);
	assert_true(jnode_is(jnode_get(v, "b"), JNODE_NULL));
	assert_null(jnode_get(v, "d"));
	assert_null(jnode_get(list, "a"));
	assert_int_equal(parse(&a, "\"a\\u00e4\\ud83d\\ude00\\n\\/\xc3\xa4\"", 1, &v), ERR_OK);
	assert_string_equal(v->text, "a\xc3\xa4\xf0\x9f\x98\x80\n/\xc3\xa4");
	assert_int_equal(parse(&a, "9007199254740993", 0, &v), ERR_OK);
	assert_true(jnode_int(v, &n) && n == INT64_C(9007199254740993));
	assert_int_equal(parse(&a, "\"9223372036854775808\"", 0, &v), ERR_OK);
	assert_false(jnode_int(v, &n));
	arena_fini(&a);
}

static void test_refuses(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"}",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{,}",
		"[1,]",
		"[1 2]",
		"[",
		"]",
		"\"",
		"\"\\",
		"\"\\u12\"",
		"\"\\u0000\"",
		"\"\\ud800\"",
		"\"\\udc00\"",
		"\"\\ud800\\u0041\"",
		"\"\\x\"",
		"\"\x01\"",
		"\"\xff\"",
		"\"\xc0\x80\"",
		"\"\xed\xa0\x80\"",
		"01",
		"-",
		"1.",
		".5",
		"1e",
		"+1",
		"tru",
		"nul",
		"NaN",
		"Infinity",
		"{a:1}",
		"{'a':1}",
		"1 2",
		"{\"a\":1,\"a\":2}",
		"{\"a\":1,\"\\u0061\":2}",
		"{\"a\" 1}",
		"\xef\xbb\xbf{}",
		"//1",
	};
	struct arena a;
	arena_init(&a);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const struct jnode *v = NULL;
		if (parse(&a, bad[i], 8, &v) != ERR_MALFORMED)
			fail_msg("accepted: %s", bad[i]);
		assert_null(v);
	}
	arena_fini(&a);
}

static void test_zero_byte(void **state)
{
	(void)state;
	static const char *const texts[] = {"{\"a\0\":1}", "{}\0", "\0", "[1\0]"};
	static const size_t sizes[] = {8, 3, 1, 4};
	struct arena a;
	arena_init(&a);
	for (size_t i = 0; i < 4; i++) {
		const struct jnode *v;
		struct errbuf eb = {0};
		assert_int_equal(jnode_parse(&a, texts[i], sizes[i], 8, NULL, &v, &eb), ERR_MALFORMED);
	}
	arena_fini(&a);
}

/* `levels` arrays in one another, in the member `name`. */
static enum err nested(struct arena *a, const char *name, int levels, int depth)
{
	struct buf b;
	const struct jnode *v;
	buf_init(&b);
	buf_printf(&b, "{\"%s\":", name);
	for (int i = 0; i < levels; i++)
		buf_putc(&b, '[');
	for (int i = 0; i < levels; i++)
		buf_putc(&b, ']');
	buf_putc(&b, '}');
	enum err rc = parse(a, buf_str(&b), depth, &v);
	buf_fini(&b);
	return rc;
}

static void test_depth(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a);
	assert_int_equal(nested(&a, "x", 14, 16), ERR_OK);
	assert_int_equal(nested(&a, "x", 15, 16), ERR_OK);
	assert_int_equal(nested(&a, "x", 16, 16), ERR_INVALID);
	assert_int_equal(nested(&a, "x", 100000, 16), ERR_INVALID);
	assert_int_equal(nested(&a, "schema", 64, 16), ERR_OK);
	assert_int_equal(nested(&a, "schema", 65, 16), ERR_INVALID);
	arena_fini(&a);
}

/* Many names: found twice as well, and in no time. */
static void test_many_names(void **state)
{
	(void)state;
	struct arena a;
	const struct jnode *v;
	for (int twice = 0; twice < 2; twice++) {
		struct buf b;
		buf_init(&b);
		arena_init(&a);
		buf_puts(&b, "{\"x\":0");
		for (int i = 0; i < 60000; i++)
			buf_printf(&b, ",\"%d\":%d", i, i);
		if (twice)
			buf_puts(&b, ",\"31415\":1");
		buf_putc(&b, '}');
		assert_int_equal(parse(&a, buf_str(&b), 2, &v), twice ? ERR_MALFORMED : ERR_OK);
		arena_fini(&a);
		buf_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts),    cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_zero_byte),  cmocka_unit_test(test_depth),
		cmocka_unit_test(test_many_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
