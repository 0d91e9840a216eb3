/* test_base.c: the ground everything stands on, room lib/base. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/failpoint.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/num.h"
#include "base/words.h"
#include "standard_error.h"

static struct errbuf eb;

/* ---- err --------------------------------------------------------------- */

static void test_err_first_wins(void **state)
{
	(void)state;
	err_clear(&eb);
	assert_int_equal(err_set_field(&eb, ERR_INVALID, "from", "no date: %d", 7), ERR_INVALID);
	assert_int_equal(err_set(&eb, ERR_DB, "later"), ERR_INVALID);
	assert_string_equal(eb.field, "from");
	assert_string_equal(eb.text, "no date: 7");
	assert_int_equal(err_set(NULL, ERR_IO, "nobody listens"), ERR_IO);
	err_clear(&eb);
	assert_int_equal(eb.code, ERR_OK);
	assert_int_equal(err_set(&eb, ERR_DB, "now"), ERR_DB);
	assert_string_equal(eb.field, "");
}

static void test_err_lengths(void **state)
{
	(void)state;
	char word[2000];
	for (int past = -1; past <= 1; past++) {
		size_t room = sizeof eb.field - 1, n = room + (size_t)past;
		memset(word, 'f', n);
		word[n] = '\0';
		err_clear(&eb);
		(void)err_set_field(&eb, ERR_INVALID, word, "x");
		assert_int_equal(strlen(eb.field), n < room ? n : room);
		room = sizeof eb.text - 1;
		n = room + (size_t)past;
		memset(word, 't', n);
		word[n] = '\0';
		err_clear(&eb);
		(void)err_set(&eb, ERR_INVALID, "%s", word);
		assert_int_equal(strlen(eb.text), n < room ? n : room);
	}
}

static void test_err_names(void **state)
{
	(void)state;
	for (int a = ERR_OK; a <= ERR_IO; a++)
		for (int b = ERR_OK; b < a; b++)
			assert_string_not_equal(err_name((enum err)a), err_name((enum err)b));
}

/* ---- arena ------------------------------------------------------------- */

static void test_arena(void **state)
{
	(void)state;
	static const size_t sizes[] = {0, 1, 15, 16, 17, 65535, 65536, 65537, 1000000};
	struct arena a;
	arena_init(&a);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			unsigned char *p = arena_alloc(&a, sizes[i]);
			assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
			for (size_t k = 0; k < sizes[i]; k++)
				assert_true(p[k] == 0); /* after a reset too */
			memset(p, 0xff, sizes[i]);
		}
		arena_reset(&a);
	}
	assert_string_equal(arena_strdup(&a, "abc"), "abc");
	assert_string_equal(arena_strndup(&a, "abc", 2), "ab");
	assert_string_equal(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
	int *many = arena_array(&a, 1000, sizeof *many);
	assert_int_equal(many[999], 0);
	arena_fini(&a);
	arena_reset(&a);
	assert_null(a.head);
}

/* True if `f` ends in abort(). */
static bool aborts(void (*f)(void))
{
	int status;
	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		(void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		f();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void array_overflow(void)
{
	struct arena a;
	arena_init(&a);
	(void)arena_array(&a, SIZE_MAX / 8 + 2, 8);
}

static void alloc_too_much(void)
{
	struct arena a;
	arena_init(&a);
	(void)arena_alloc(&a, SIZE_MAX - 1);
}

static void must_fails(void)
{
	must(1 == 2);
}

static void test_bugs_abort(void **state)
{
	(void)state;
	assert_true(aborts(array_overflow));
	assert_true(aborts(alloc_too_much));
	assert_true(aborts(must_fails));
}

/* ---- buf --------------------------------------------------------------- */

static void test_buf(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b);
	assert_string_equal(buf_str(&b), "");
	buf_clear(&b);
	buf_put(&b, "", 0);
	assert_int_equal(b.len, 0);
	buf_puts(&b, "ab");
	buf_putc(&b, '\0');
	buf_putint(&b, INT64_MIN);
	buf_printf(&b, "|%s|%d", "x", 5);
	assert_memory_equal(b.data, "ab\0-9223372036854775808|x|5", b.len + 1);
	buf_clear(&b);
	assert_string_equal(buf_str(&b), "");
	for (int i = 0; i < 100000; i++) {
		buf_putc(&b, (char)('a' + i % 26));
		assert_int_equal(b.data[b.len], '\0');
	}
	assert_int_equal(b.len, 100000);
	assert_int_equal(b.data[99999], 'a' + 99999 % 26);
	buf_fini(&b);
	assert_null(b.data);
}

/* Lengths around the first allocation, by each way in. */
static void test_buf_growth(void **state)
{
	(void)state;
	char text[600];
	memset(text, 'x', sizeof text);
	for (size_t n = 250; n < 520; n++) {
		struct buf put, print;
		buf_init(&put);
		buf_init(&print);
		buf_put(&put, text, n);
		buf_printf(&print, "%.*s", (int)n, text);
		assert_int_equal(put.len, n);
		assert_string_equal(buf_str(&put), buf_str(&print));
		buf_fini(&put);
		buf_fini(&print);
	}
}

/* ---- num --------------------------------------------------------------- */

static void test_num_int(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		"-",
		"+1",
		" 1",
		"1 ",
		"1.0",
		"1e3",
		"0x1",
		"--1",
		"1-",
		"1\n2",
		"abc",
		"1,0",
		"١",
		"9223372036854775808",
		"-9223372036854775809",
	};
	int64_t v = 77;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(num_parse_int(bad[i], INT64_MIN, INT64_MAX, &v));
	assert_int_equal(v, 77);
	assert_true(num_parse_int("9223372036854775807", INT64_MIN, INT64_MAX, &v));
	assert_true(v == INT64_MAX);
	assert_true(num_parse_int("-9223372036854775808", INT64_MIN, INT64_MAX, &v));
	assert_true(v == INT64_MIN);
	assert_true(num_parse_int("007", 0, 10, &v));
	assert_int_equal(v, 7);
	assert_false(num_parse_int("4", 5, 10, &v));
	assert_true(num_parse_int("5", 5, 10, &v));
	assert_true(num_parse_int("6", 5, 10, &v));
	assert_true(num_parse_int("9", 5, 10, &v));
	assert_true(num_parse_int("10", 5, 10, &v));
	assert_false(num_parse_int("11", 5, 10, &v));
}

static void test_num_decimal(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",      ".5",  "0.",   "-0.5",    "+0.5",
		"0.95 ", "0,5", "1e-1", "0.12345", "0.5.5",
		"nan",   "0x1", "inf",  "0.49",    "1000000000000000000000000"};
	int64_t v = 77;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(num_parse_decimal(bad[i], 5000, 9999, &v));
	assert_int_equal(v, 77);
	assert_true(num_parse_decimal("0.5000", 5000, 9999, &v));
	assert_int_equal(v, 5000);
	assert_true(num_parse_decimal("0.95", 5000, 9999, &v));
	assert_int_equal(v, 9500);
	assert_true(num_parse_decimal("0.9999", 5000, 9999, &v));
	assert_false(num_parse_decimal("1", 5000, 9999, &v));
	assert_true(num_parse_decimal("12", 0, INT64_MAX, &v));
	assert_int_equal(v, 120000);
}

static void test_num_divide(void **state)
{
	(void)state;
	static const int64_t cases[][3] = {
		{5, 2, 2},   {7, 2, 4},   {-5, 2, -2}, {-7, 2, -4}, {-1, 3, 0},
		{-2, 3, -1}, {0, 7, 0},   {9, 3, 3},   {1, 16, 0},  {8, 16, 0},
		{24, 16, 2}, {25, 16, 2}, {-9, 3, -3}, {-1, 2, 0},  {INT64_MAX, 1, INT64_MAX}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(num_divide(cases[i][0], cases[i][1]), cases[i][2]);
	assert_int_equal(num_permille(1, 16), 62); /* 6.25 % */
	assert_int_equal(num_permille(3, 16), 188);
	assert_int_equal(num_permille(3, 3), 1000);
	assert_int_equal(num_divide(INT64_MAX, INT64_MAX - 1), 1);
}

static void test_num_date(void **state)
{
	(void)state;
	static const char *const good[] = {
		"0001-01-01", "9999-12-31", "2024-02-29", "2000-02-29",
		"2025-02-28", "2025-04-30", "2025-12-31",
	};
	static const char *const bad[] = {
		"",           "0000-01-01",    "10000-01-01", "2025-02-29",  "1900-02-29",  "2024-02-30",
		"2025-04-31", "2025-00-10",    "2025-13-01",  "2025-01-00",  "2025-01-32",  "2025-1-1",
		"2025/01/01", "2025-01-1x",    " 2025-01-01", "2025-01-01 ", "2025-01-01T", "-025-01-01",
		"20250101",   "2025-01-0\xc3",
	};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(num_is_date(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (num_is_date(bad[i]))
			print_error("accepted '%s'\n", bad[i]);
		assert_false(num_is_date(bad[i]));
	}
}

/* ---- clock ------------------------------------------------------------- */

static void test_clock(void **state)
{
	(void)state;
	char text[CLOCK_TEXT];
	clock_format_utc(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	clock_format_utc(1736937000123999, text);
	assert_string_equal(text, "2025-01-15T10:30:00.123Z");
	clock_format_utc(1709251199999999, text); /* the last microsecond of a leap day */
	assert_string_equal(text, "2024-02-29T23:59:59.999Z");
	assert_true(clock_now_us() > 1700000000000000);
	int64_t before = clock_mono_ms();
	(void)usleep(2000);
	assert_true(clock_mono_ms() > before);
}

/* ---- json_text --------------------------------------------------------- */

#define FFFD "\\ufffd"

static const struct {
	const char *in;
	size_t n;
	const char *want;
} texts[] = {
	{"", 0, "\"\""},
	{"plain", 5, "\"plain\""},
	{"a\"b\\c", 5, "\"a\\\"b\\\\c\""},
	{"\n\t\r\b\x01\x1f\x7f", 7, "\"\\n\\t\\r\\u0008\\u0001\\u001f\\u007f\""},
	{"a\0b", 3, "\"a\\u0000b\""},
	{"</script>&", 10, "\"\\u003c/script\\u003e\\u0026\""},
	{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
	{"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", 9, "\"\\u2028\\u2029\xe2\x80\xaa\""},
	{"\x80", 1, "\"" FFFD "\""}, /* continuation alone */
	{"\xff"
     "a\xfe",
     3, "\"" FFFD "a" FFFD "\""},                           /* never UTF-8 */
	{"\xc3", 1, "\"" FFFD "\""},                            /* cut short */
	{"\xe2\x82", 2, "\"" FFFD FFFD "\""},                   /* cut short */
	{"\xf0\x9f\x98", 3, "\"" FFFD FFFD FFFD "\""},          /* cut short */
	{"\xc3(", 2, "\"" FFFD "(\""},                          /* not continued */
	{"\xc0\xaf", 2, "\"" FFFD FFFD "\""},                   /* overlong / */
	{"\xc1\xbf", 2, "\"" FFFD FFFD "\""},                   /* overlong */
	{"\xe0\x80\xaf", 3, "\"" FFFD FFFD FFFD "\""},          /* overlong */
	{"\xe0\x9f\xbf", 3, "\"" FFFD FFFD FFFD "\""},          /* overlong, the last one */
	{"\xe0\xa0\x80", 3, "\"\xe0\xa0\x80\""},                /* U+0800, the first that is not */
	{"\xed\x9f\xbf", 3, "\"\xed\x9f\xbf\""},                /* U+D7FF */
	{"\xed\xa0\x80", 3, "\"" FFFD FFFD FFFD "\""},          /* U+D800, a surrogate */
	{"\xee\x80\x80", 3, "\"\xee\x80\x80\""},                /* U+E000 */
	{"\xf0\x8f\xbf\xbf", 4, "\"" FFFD FFFD FFFD FFFD "\""}, /* overlong */
	{"\xf0\x90\x80\x80", 4, "\"\xf0\x90\x80\x80\""},        /* U+10000 */
	{"\xf4\x8f\xbf\xbf", 4, "\"\xf4\x8f\xbf\xbf\""},        /* U+10FFFF */
	{"\xf4\x90\x80\x80", 4, "\"" FFFD FFFD FFFD FFFD "\""}, /* beyond */
	{"\xf5\x80\x80\x80", 4, "\"" FFFD FFFD FFFD FFFD "\""}, /* beyond */
};

static void test_json_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct buf b;
		buf_init(&b);
		json_text_put(&b, texts[i].in, texts[i].n);
		assert_string_equal(buf_str(&b), texts[i].want);
		buf_fini(&b);
	}
	assert_int_equal(utf8_char_len("", 0), 0);
	assert_int_equal(utf8_char_len("a", 1), 1);
	assert_int_equal(utf8_char_len("\xc3\xa4", 2), 2);
	assert_int_equal(utf8_char_len("\xc3\xa4", 1), 0);
}

/* ---- log --------------------------------------------------------------- */

static char long_value[1100];

static void log_some(void)
{
	log_init("unit", LOG_INFO);
	LOG(LOG_DEBUG, "unseen", LOG_END);
	LOG(LOG_WARNING, "seen", LOG_STR("text", "a\nb\"c\xff"), LOG_INT("n", -5),
	    LOG_STR("long", long_value), LOG_END);
}

static void test_log(void **state)
{
	(void)state;
	static const size_t lengths[][2] = {{1023, 1023}, {1024, 1024}, {1025, 1024}};
	for (size_t i = 0; i < 3; i++) {
		memset(long_value, 'x', lengths[i][0]);
		long_value[lengths[i][0]] = '\0';
		const char *line = standard_error_of(log_some);
		assert_int_equal(strcspn(line, "\n"), strlen(line) - 1); /* one line, ended */
		json_t *j = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(j);
		assert_string_equal(json_string_value(json_object_get(j, "level")), "WARNING");
		assert_string_equal(json_string_value(json_object_get(j, "program")), "unit");
		assert_string_equal(json_string_value(json_object_get(j, "event")), "seen");
		assert_string_equal(json_string_value(json_object_get(j, "text")), "a\nb\"c\xef\xbf\xbd");
		assert_int_equal(json_integer_value(json_object_get(j, "n")), -5);
		assert_int_equal(json_string_length(json_object_get(j, "long")), lengths[i][1]);
		json_decref(j);
	}
	enum log_level level = LOG_INFO;
	assert_true(log_level_parse("ERROR", &level));
	assert_int_equal(level, LOG_ERROR);
	assert_false(log_level_parse("error", &level));
	assert_false(log_level_parse("", &level));
}

/* ---- failpoint --------------------------------------------------------- */

/* In a child: arms `text`, passes the first failpoint `passes` times.
 * Returns the exit status (the enum err of arming), or -signal. */
static int with_failpoint(const char *text, int passes)
{
	int status;
	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		(void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		(void)setenv("TAKINGS_FAILPOINT", text, 1);
		enum err rc = failpoint_init(&eb);
		for (int i = 0; rc == ERR_OK && i < passes; i++)
			failpoint_pass((enum failpoint)0);
		_exit((int)rc);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static const char *point(const char *action)
{
	static char text[96];
	(void)snprintf(text, sizeof text, "%s=%s", failpoint_name(0), action);
	return text;
}

static void test_failpoint(void **state)
{
	(void)state;
	err_clear(&eb);
	assert_int_equal(with_failpoint("", 5), ERR_OK);
	assert_int_equal(with_failpoint(point("kill"), 0), ERR_OK);
	assert_int_equal(with_failpoint(point("kill"), 1), -SIGKILL);
	assert_int_equal(with_failpoint(point("kill@3"), 2), ERR_OK);
	assert_int_equal(with_failpoint(point("kill@3"), 3), -SIGKILL);
	char other[96];
	(void)snprintf(other, sizeof other, "%s=kill", failpoint_name(1));
	assert_int_equal(with_failpoint(other, 3), ERR_OK);
	static const char *const bad[] = {"die", "", "kill@0", "kill@-1", "kill@", "kill@x", "kill@1x"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(with_failpoint(point(bad[i]), 1), ERR_CONFIG);
	assert_int_equal(with_failpoint("no_such_place=kill", 1), ERR_CONFIG);
	assert_int_equal(with_failpoint(failpoint_name(0), 1), ERR_CONFIG);
	assert_int_equal(with_failpoint("=kill", 1), ERR_CONFIG);
	assert_non_null(failpoint_name(FP_COUNT - 1));
	assert_null(failpoint_name(FP_COUNT));
	assert_null(failpoint_name(-1));
}

/* ---- words ------------------------------------------------------------- */

static void test_words(void **state)
{
	(void)state;
	static const struct {
		const char *list;
		char separator;
		const char *word;
		int exact, any_case;
	} rows[] = {
		{"a,b,c", ',', "a", 0, 0},
		{"a,b,c", ',', "c", 2, 2},
		{"a,b,c", ',', "d", -1, -1},
		{"a,b,c", ',', "", -1, -1},
		{"", ',', "a", -1, -1},
		{"", ',', "", -1, -1},
		{"a,,b", ',', "", -1, -1},
		{"a,,b", ',', "b", 2, 2},
		{"a,b", ',', "a,b", -1, -1},
		{"a|b,c", '|', "b,c", 1, 1},
		{"prefer,require", ',', "prefe", -1, -1},
		{"prefe,require", ',', "prefer", -1, -1},
		{"PAID, PICKED UP ,it's", ',', "PICKED UP", 1, 1},
		{"PAID, PICKED UP ,it's", ',', "it's", 2, 2},
		{"SERVED", ',', "SERVED ", -1, -1},
		{"SERVED", ',', "served", -1, 0},
		{"x,item_id", ',', "Item_ID", -1, 1},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(words_find(rows[i].list, rows[i].separator, rows[i].word, WORDS_EXACT),
		                 rows[i].exact);
		assert_int_equal(words_find(rows[i].list, rows[i].separator, rows[i].word, WORDS_ANY_CASE),
		                 rows[i].any_case);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err_first_wins), cmocka_unit_test(test_err_lengths),
		cmocka_unit_test(test_err_names),      cmocka_unit_test(test_arena),
		cmocka_unit_test(test_bugs_abort),     cmocka_unit_test(test_buf),
		cmocka_unit_test(test_buf_growth),     cmocka_unit_test(test_num_int),
		cmocka_unit_test(test_num_decimal),    cmocka_unit_test(test_num_divide),
		cmocka_unit_test(test_num_date),       cmocka_unit_test(test_clock),
		cmocka_unit_test(test_json_text),      cmocka_unit_test(test_log),
		cmocka_unit_test(test_failpoint),      cmocka_unit_test(test_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
