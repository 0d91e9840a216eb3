/* test_json.c: what the writer writes, and that misuse ends in must(). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "web/json.h"

static struct buf out;

static int setup(void **state)
{
	(void)state;
	buf_init(&out);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

static void test_all_kinds(void **state)
{
	(void)state;
	struct json j;
	json_init(&j, &out);
	json_begin_object(&j);
	json_pair_text(&j, "text", "a\"b\n</script>");
	json_pair_text(&j, "none", NULL);
	json_pair_int(&j, "least", INT64_MIN);
	json_pair_bool(&j, "yes", true);
	json_pair_bool(&j, "no", false);
	json_pair_number(&j, "money", "-1234567890123456789.10");
	json_key(&j, "list");
	json_begin_array(&j);
	json_put_int(&j, 1);
	json_put_null(&j);
	json_begin_array(&j);
	json_end_array(&j);
	json_begin_object(&j);
	json_end_object(&j);
	json_put_raw(&j, "{\"a\": 1}", 8);
	json_put_text_n(&j, "abc", 2);
	json_end_array(&j);
	json_end_object(&j);
	json_end(&j);
	assert_string_equal(buf_str(&out), "{\"text\":\"a\\\"b\\n\\u003c/script\\u003e\",\"none\":null,"
	                                   "\"least\":-9223372036854775808,\"yes\":true,\"no\":false,"
	                                   "\"money\":-1234567890123456789.10,"
	                                   "\"list\":[1,null,[],{},{\"a\": 1},\"ab\"]}");
}

static void test_one_value_alone(void **state)
{
	(void)state;
	struct json j;
	json_init(&j, &out);
	json_put_text(&j, "");
	json_end(&j);
	assert_string_equal(buf_str(&out), "\"\"");
}

/* Any bytes in, valid JSON out: another parser must agree. */
static void test_any_bytes_stay_valid(void **state)
{
	(void)state;
	unsigned seed = 7;
	for (int round = 0; round < 2000; round++) {
		char bytes[24];
		struct json j;
		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (char)(rand_r(&seed) >> 3);
		buf_clear(&out);
		json_init(&j, &out);
		json_begin_array(&j);
		json_put_text_n(&j, bytes, sizeof bytes);
		json_end_array(&j);
		json_t *parsed = json_loadb(out.data, out.len, JSON_ALLOW_NUL, NULL);
		assert_non_null(parsed);
		json_decref(parsed);
	}
}

static const struct {
	const char *text;
	bool number;
} numbers[] = {
	{"0", true},        {"-0", true},        {"12", true},   {"-1.50", true},
	{"0.001", true},    {"1e9", true},       {"1E+9", true}, {"2.5e-10", true},
	{"", false},        {"-", false},        {"+1", false},  {"01", false},
	{"1.", false},      {".5", false},       {"1e", false},  {"1e+", false},
	{"NaN", false},     {"Infinity", false}, {"1 ", false},  {" 1", false},
	{"1,5", false},     {"0x10", false},     {"--1", false}, {"1.2.3", false},
	{"1;alert", false}, {"12abc", false},    {"1\n", false}, {"\xd9\xa1", false},
	{"-01", false},     {"00", false},       {"0.0", true},  {"123456789012345678901", true},
};

static void test_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		struct json j;
		if (json_number_valid(numbers[i].text) != numbers[i].number)
			print_error("'%s'\n", numbers[i].text);
		assert_true(json_number_valid(numbers[i].text) == numbers[i].number);
		buf_clear(&out);
		json_init(&j, &out);
		json_put_number(&j, numbers[i].text);
		assert_string_equal(buf_str(&out), numbers[i].number ? numbers[i].text : "null");
	}
	struct json j;
	buf_clear(&out);
	json_init(&j, &out);
	json_put_number(&j, NULL);
	assert_string_equal(buf_str(&out), "null");
}

static void nest(struct json *j, int n)
{
	json_init(j, &out);
	for (int i = 0; i < n; i++)
		json_begin_array(j);
	for (int i = 0; i < n; i++)
		json_end_array(j);
	json_end(j);
}

static void nest_too_deep(struct json *j)
{
	nest(j, JSON_DEPTH + 1);
}

static void test_depth(void **state)
{
	(void)state;
	struct json j;
	nest(&j, JSON_DEPTH - 1);
	nest(&j, JSON_DEPTH);
	assert_int_equal(out.len, 2 * (2 * JSON_DEPTH - 1));
}

/* ---- misuse ------------------------------------------------------------ */

static void value_without_key(struct json *j)
{
	json_begin_object(j);
	json_put_int(j, 1);
}

static void key_in_array(struct json *j)
{
	json_begin_array(j);
	json_key(j, "a");
}

static void key_at_top(struct json *j)
{
	json_key(j, "a");
}

static void two_keys(struct json *j)
{
	json_begin_object(j);
	json_key(j, "a");
	json_key(j, "b");
}

static void key_without_value(struct json *j)
{
	json_begin_object(j);
	json_key(j, "a");
	json_end_object(j);
}

static void wrong_end(struct json *j)
{
	json_begin_object(j);
	json_end_array(j);
}

static void end_without_begin(struct json *j)
{
	json_end_object(j);
}

static void two_values(struct json *j)
{
	json_put_int(j, 1);
	json_put_int(j, 2);
}

static void never_closed(struct json *j)
{
	json_begin_object(j);
	json_end(j);
}

static void nothing_written(struct json *j)
{
	json_end(j);
}

static void empty_raw(struct json *j)
{
	json_put_raw(j, "", 0);
}

/* True if `misuse` ends in abort(). */
static bool aborts(void (*misuse)(struct json *))
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		struct json j;
		struct buf b;
		(void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		buf_init(&b);
		json_init(&j, &b);
		misuse(&j);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void test_misuse(void **state)
{
	(void)state;
	assert_true(aborts(value_without_key));
	assert_true(aborts(key_in_array));
	assert_true(aborts(key_at_top));
	assert_true(aborts(two_keys));
	assert_true(aborts(key_without_value));
	assert_true(aborts(wrong_end));
	assert_true(aborts(end_without_begin));
	assert_true(aborts(two_values));
	assert_true(aborts(never_closed));
	assert_true(aborts(nothing_written));
	assert_true(aborts(empty_raw));
	assert_true(aborts(nest_too_deep));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_kinds), TEST(test_one_value_alone), TEST(test_any_bytes_stay_valid),
		TEST(test_numbers),   TEST(test_depth),           TEST(test_misuse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
