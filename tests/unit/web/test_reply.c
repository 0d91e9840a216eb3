/* test_reply.c: the bytes that go out. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "web/reply.h"

static struct arena arena;
static struct request req;
static struct reply reply;
static struct buf out;

static int setup(void **state)
{
	static const struct pair params[] = {
		{"REQUEST_METHOD", "GET"}, {"DOCUMENT_URI", "/x"}, {"REQUEST_ID", "request-0001"}};
	(void)state;
	arena_init(&arena);
	buf_init(&out);
	reply_init(&reply, &arena);
	assert_int_equal(request_parse(&req, &arena, params, 3, NULL), ERR_OK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	reply_fini(&reply);
	buf_fini(&out);
	arena_fini(&arena);
	return 0;
}

static const char *rendered(void)
{
	reply_render(&reply, &req, &out);
	return buf_str(&out);
}

static bool has(const char *line)
{
	return strstr(rendered(), line) != NULL;
}

static size_t times(const char *word)
{
	size_t n = 0;
	for (const char *p = rendered(); (p = strstr(p, word)); p++)
		n++;
	return n;
}

static const char *body(void)
{
	return strstr(rendered(), "\r\n\r\n") + 4;
}

static void test_standard_headers(void **state)
{
	(void)state;
	reply_begin(&reply, 200, "text/plain; charset=utf-8");
	buf_puts(&reply.body, "hello");
	assert_string_equal(
		rendered(),
		"Status: 200\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n"
		"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
		"img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; "
		"base-uri 'none'; frame-ancestors 'none'\r\n"
		"X-Content-Type-Options: nosniff\r\n"
		"Referrer-Policy: same-origin\r\n"
		"Cross-Origin-Opener-Policy: same-origin\r\n"
		"Cross-Origin-Resource-Policy: same-origin\r\n"
		"Permissions-Policy: camera=(), geolocation=(), microphone=(), payment=(), usb=(), "
		"browsing-topics=()\r\n"
		"Cache-Control: no-store\r\n"
		"X-Request-ID: request-0001\r\n"
		"Content-Length: 5\r\n"
		"\r\n"
		"hello");
}

static void test_headers(void **state)
{
	(void)state;
	reply_header_set(&reply, "cache-control", "private, no-cache");
	reply_header_set(&reply, "Cache-Control", "private, max-age=60");
	reply_header_add(&reply, "Set-Cookie", "a=1");
	reply_header_add(&reply, "Set-Cookie", "b=2");
	assert_true(has("\r\nCache-Control: private, max-age=60\r\n"));
	assert_int_equal(times("ache-"), 1);
	assert_int_equal(times("Set-Cookie"), 2);
	assert_string_equal(reply_header_find(&reply, "set-cookie"), "a=1");
	assert_null(reply_header_find(&reply, "ETag"));
	reply_header_set(&reply, "Set-Cookie", "c=3");
	assert_int_equal(times("Set-Cookie"), 1);
	reply_clear(&reply);
	assert_int_equal(times("Set-Cookie"), 0);
}

/* None of them may reach nginx: a line break would be a header of the attacker's. */
static void test_header_injection(void **state)
{
	(void)state;
	static const struct pair bad[] = {
		{"Location", "/a\r\nX-Accel-Redirect: /secret"},
		{"Location", "/a\nSet-Cookie: x=1"},
		{"Location", "/a\rb"},
		{"Location", "/a\x01"},
		{"Location", "/a\x1f"},
		{"Location", "/a\x7f"},
		{"Location", "\t"},
		{"Bad Name", "x"},
		{"Bad:Name", "x"},
		{"Bad\r\nName", "x"},
		{"", "x"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		reply_clear(&reply);
		reply_begin(&reply, 200, "text/plain");
		buf_puts(&reply.body, "secret body");
		reply_header_set(&reply, bad[i].name, bad[i].value);
		assert_true(reply.broken);
		assert_int_equal(strncmp(rendered(), "Status: 500\r\n", 13), 0);
		assert_null(strstr(buf_str(&out), "X-Accel"));
		assert_null(strstr(buf_str(&out), "Set-Cookie"));
		assert_null(strstr(buf_str(&out), "secret"));
	}
	reply_clear(&reply);
	reply_header_set(&reply, "X-Note", " ~\xc3\xa4");
	assert_false(reply.broken);
}

static void test_header_count(void **state)
{
	(void)state;
	for (int past = -1; past <= 1; past++) {
		reply_clear(&reply);
		for (int i = 0; i < REPLY_HEADERS + past; i++)
			reply_header_add(&reply, "X-N", "1");
		assert_true(reply.broken == (past > 0));
	}
}

static void test_head_and_bodiless(void **state)
{
	(void)state;
	req.method = METHOD_HEAD;
	buf_puts(&reply.body, "hello");
	assert_true(has("Content-Length: 5\r\n"));
	assert_string_equal(body(), "");
	req.method = METHOD_GET;
	static const int statuses[] = {204, 304};
	for (size_t i = 0; i < 2; i++) {
		reply.status = statuses[i];
		assert_false(has("Content-Length"));
		assert_string_equal(body(), "");
		assert_true(has("X-Content-Type-Options: nosniff"));
	}
	reply_clear(&reply);
	reply.status = 201;
	assert_true(has("Content-Length: 0\r\n"));
	assert_false(has("Content-Type: "));
	buf_puts(&reply.body, "x");
	assert_true(has("Content-Type: application/octet-stream\r\n"));
}

static void test_status_of_errors(void **state)
{
	(void)state;
	assert_int_equal(reply_status(ERR_OK), 200);
	assert_int_equal(reply_status(ERR_INVALID), 422);
	assert_int_equal(reply_status(ERR_NOT_FOUND), 404);
	assert_int_equal(reply_status(ERR_DB_DOWN), 503);
	assert_int_equal(reply_status(ERR_BUSY), 503);
	assert_int_equal(reply_status(ERR_TIMEOUT), 504);
	assert_int_equal(reply_status(ERR_DB), 500);
	assert_int_equal(reply_status(ERR_CONFIG), 500);
	assert_int_equal(reply_status(ERR_IO), 500);
	assert_int_equal(reply_status(ERR_NOTHING), 500);
}

static json_t *problem(int status, const char *code, enum err err, const char *field,
                       const char *text)
{
	struct errbuf eb = {.code = ERR_OK};
	(void)err_set_field(&eb, err, field, "%s", text);
	buf_puts(&reply.body, "half a page");
	reply_header_set(&reply, "ETag", "\"1\"");
	reply_problem(&reply, &req, status, code, &eb);
	assert_null(reply_header_find(&reply, "ETag"));
	assert_true(has("Content-Type: application/problem+json\r\n"));
	assert_true(has("Cache-Control: no-store\r\n"));
	json_t *j = json_loads(body(), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(j);
	return j;
}

static const char *member(const json_t *j, const char *name)
{
	return json_string_value(json_object_get(j, name));
}

static void test_problem_below_500(void **state)
{
	(void)state;
	json_t *j = problem(0, NULL, ERR_INVALID, "from", "'from' is <not> a date");
	assert_true(has("Status: 422\r\n"));
	assert_string_equal(member(j, "type"), "about:blank");
	assert_string_equal(member(j, "title"), "Unprocessable Content");
	assert_int_equal(json_integer_value(json_object_get(j, "status")), 422);
	assert_string_equal(member(j, "detail"), "'from' is <not> a date");
	assert_string_equal(member(j, "code"), "invalid");
	assert_string_equal(member(j, "field"), "from");
	assert_string_equal(member(j, "request_id"), "request-0001");
	json_decref(j);

	j = problem(429, "rate_limited", ERR_BUSY, "", "more than 5 a minute");
	assert_true(has("Status: 429\r\n"));
	assert_string_equal(member(j, "title"), "Too Many Requests");
	assert_string_equal(member(j, "code"), "rate_limited");
	assert_null(json_object_get(j, "field"));
	assert_null(reply_header_find(&reply, "Retry-After"));
	json_decref(j);
}

/* From 500 on nothing of the cause gets out. */
static void test_problem_hides_the_cause(void **state)
{
	(void)state;
	static const struct {
		enum err err;
		int status;
	} rows[] = {{ERR_DB, 500},   {ERR_DB_DOWN, 503}, {ERR_TIMEOUT, 504},
	            {ERR_BUSY, 503}, {ERR_CONFIG, 500},  {ERR_IO, 500}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *j = problem(0, NULL, rows[i].err, "orders", "relation \"secret_table\" is gone");
		assert_int_equal(json_integer_value(json_object_get(j, "status")), rows[i].status);
		assert_false(has("secret_table"));
		assert_false(has("orders"));
		assert_string_equal(member(j, "code"), err_name(rows[i].err));
		assert_string_equal(member(j, "request_id"), "request-0001");
		const char *retry = reply_header_find(&reply, "Retry-After");
		assert_true(rows[i].status >= 503 ? retry && strcmp(retry, "1") == 0 : !retry);
		json_decref(j);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_standard_headers),  TEST(test_headers),
		TEST(test_header_injection),  TEST(test_header_count),
		TEST(test_head_and_bodiless), TEST(test_status_of_errors),
		TEST(test_problem_below_500), TEST(test_problem_hides_the_cause),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
