/* test_request.c: what is accepted, what is refused, and each limit at n-1, n, n+1. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "web/request.h"

static struct arena arena;
static struct errbuf eb;
static struct request req;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena);
	err_clear(&eb);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

/* Up to eight pairs, ended by a NULL name. */
static enum err parse(const struct pair *params)
{
	size_t n = 0;
	while (params[n].name)
		n++;
	struct pair *copy = arena_array(&arena, n + 1, sizeof *copy);
	memcpy(copy, params, n * sizeof *copy);
	err_clear(&eb);
	return request_parse(&req, &arena, copy, n, &eb);
}

#define PARSE(...) parse((const struct pair[]){__VA_ARGS__, {NULL, NULL}})

static enum err parse_path(const char *path)
{
	return PARSE({"REQUEST_METHOD", "GET"}, {"DOCUMENT_URI", path});
}

static enum err parse_query(const char *query)
{
	return PARSE({"DOCUMENT_URI", "/"}, {"QUERY_STRING", query});
}

static char *repeated(char c, size_t n)
{
	char *s = arena_alloc(&arena, n + 1);
	memset(s, c, n);
	return s;
}

static void test_all_fields(void **state)
{
	(void)state;
	assert_int_equal(PARSE({"REQUEST_METHOD", "POST"}, {"DOCUMENT_URI", "/api/items"},
	                       {"QUERY_STRING", "from=2025-01-01&q=a+b%20c%C3%A4&&empty=&bare"},
	                       {"CONTENT_TYPE", "application/json"}, {"CONTENT_LENGTH", "2"},
	                       {"REMOTE_ADDR", "192.0.2.7"}, {"REQUEST_ID", "abcDEF12-_34"},
	                       {"HTTP_ACCEPT", "text/html"}, {"HTTP_IF_NONE_MATCH", "\"v1\""},
	                       {"HTTP_ORIGIN", "https://x"}, {"HTTP_ORIGIN", "https://second"}),
	                 ERR_OK);
	assert_int_equal(req.method, METHOD_POST);
	assert_string_equal(req.path, "/api/items");
	assert_int_equal(req.query_n, 4);
	assert_string_equal(req.query[0].name, "from");
	assert_string_equal(request_query_find(&req, "q"), "a b c\xc3\xa4");
	assert_string_equal(request_query_find(&req, "empty"), "");
	assert_string_equal(request_query_find(&req, "bare"), "");
	assert_null(request_query_find(&req, "none"));
	assert_string_equal(req.content_type, "application/json");
	assert_int_equal(req.content_length, 2);
	assert_string_equal(req.remote_addr, "192.0.2.7");
	assert_string_equal(req.request_id, "abcDEF12-_34");
	assert_string_equal(req.accept, "text/html");
	assert_string_equal(req.if_none_match, "\"v1\"");
	assert_string_equal(request_param(&req, "HTTP_ORIGIN"), "https://x");
	assert_string_equal(request_param(&req, "HTTP_NONE"), "");
	assert_int_equal(req.refused, 0);
}

static void test_nothing_is_null(void **state)
{
	(void)state;
	assert_int_equal(parse_path("/"), ERR_OK);
	assert_string_equal(req.body, "");
	assert_string_equal(req.content_type, "");
	assert_string_equal(req.remote_addr, "");
	assert_string_equal(req.accept, "");
	assert_string_equal(req.if_none_match, "");
	assert_int_equal(req.query_n, 0);
}

static void test_methods(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum method method;
	} rows[] = {
		{"GET", METHOD_GET},         {"HEAD", METHOD_HEAD},   {"POST", METHOD_POST},
		{"PUT", METHOD_PUT},         {"PATCH", METHOD_PATCH}, {"DELETE", METHOD_DELETE},
		{"OPTIONS", METHOD_OPTIONS}, {"TRACE", METHOD_OTHER}, {"get", METHOD_OTHER},
		{"", METHOD_OTHER},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(PARSE({"DOCUMENT_URI", "/"}, {"REQUEST_METHOD", rows[i].text}), ERR_OK);
		assert_int_equal(req.method, rows[i].method);
		assert_string_equal(req.method_text, rows[i].text);
	}
}

/* ---- path -------------------------------------------------------------- */

static void test_paths_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",          "api",    "*",      "//",        "/a//b",         "/a/./b", "/./a",
		"/../etc",   "/a/..",  "/a/.",   "/a/../b",   "/..",           "/a\\b",  "/a\nb",
		"/a\x7f",    "/a\x01", "/a\xff", "/\xc0\xaf", "/\xed\xa0\x80", "/\xc3",  "/a\tb",
		"/\xe2\x82",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (parse_path(bad[i]) != ERR_INVALID)
			print_error("accepted: %s\n", bad[i]);
		assert_int_equal(eb.code, ERR_INVALID);
		assert_int_equal(req.refused, 400);
		assert_string_equal(eb.field, "path");
		assert_int_equal(req.method, METHOD_GET); /* good enough to answer with */
		assert_true(strlen(req.request_id) >= REQUEST_ID_MIN);
	}
}

static void test_paths_accepted(void **state)
{
	(void)state;
	static const char *const good[] = {
		"/",
		"/a",
		"/a/b/",
		"/...",
		"/.well-known/x",
		"/a..b",
		"/..a",
		"/a b",
		"/\xc3\xa4/\xe2\x82\xac",
		"/a%2f",
	};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(parse_path(good[i]), ERR_OK);
		assert_string_equal(req.path, good[i]);
	}
}

static void test_path_length(void **state)
{
	(void)state;
	for (int past = -1; past <= 1; past++) {
		char *path = repeated('a', (size_t)(REQUEST_PATH_BYTES + past));
		path[0] = '/';
		assert_int_equal(parse_path(path), past > 0 ? ERR_INVALID : ERR_OK);
		assert_int_equal(req.refused, past > 0 ? 414 : 0);
	}
}

/* ---- query ------------------------------------------------------------- */

static void test_queries_refused(void **state)
{
	(void)state;
	static const struct {
		const char *query, *field;
	} bad[] = {
		{"a=%00", "a"},  {"a=%", "a"},   {"a=%4", "a"},        {"a=%zz", "a"},   {"b=1&a=%ff", "a"},
		{"a=\xff", "a"}, {"a=%c3", "a"}, {"a=%ed%a0%80", "a"}, {"a=1&a=2", "a"}, {"a=1&%61=1", "a"},
		{"a&a", "a"},    {"%00=1", ""},  {"%zz=1", ""},        {"=1&=2", ""},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (parse_query(bad[i].query) != ERR_INVALID)
			print_error("accepted: %s\n", bad[i].query);
		assert_int_equal(eb.code, ERR_INVALID);
		assert_int_equal(req.refused, 400);
		assert_string_equal(eb.field, bad[i].field);
	}
}

static void test_queries_accepted(void **state)
{
	(void)state;
	assert_int_equal(parse_query("a=b=c&A=1&%2B=%2b+%26"), ERR_OK);
	assert_int_equal(req.query_n, 3);
	assert_string_equal(request_query_find(&req, "a"), "b=c");
	assert_string_equal(request_query_find(&req, "A"), "1");
	assert_string_equal(request_query_find(&req, "+"), "+ &");
	assert_int_equal(parse_query("&&&"), ERR_OK);
	assert_int_equal(req.query_n, 0);
	assert_int_equal(parse_query("a=%0d%0a%7f"), ERR_OK); /* for the parameter's type to judge */
	assert_string_equal(request_query_find(&req, "a"), "\r\n\x7f");
}

static void test_query_length(void **state)
{
	(void)state;
	for (int past = -1; past <= 1; past++) {
		char *query = repeated('a', (size_t)(REQUEST_QUERY_BYTES + past));
		assert_int_equal(parse_query(query), past > 0 ? ERR_INVALID : ERR_OK);
		assert_int_equal(req.refused, past > 0 ? 414 : 0);
	}
}

static void test_query_pairs(void **state)
{
	(void)state;
	for (int past = -1; past <= 1; past++) {
		const char *query = "";
		for (int i = 0; i < REQUEST_PAIRS + past; i++)
			query = arena_printf(&arena, "%s&k%d=%d", query, i, i);
		assert_int_equal(parse_query(query), past > 0 ? ERR_INVALID : ERR_OK);
		assert_int_equal(req.refused, past > 0 ? 400 : 0);
		if (past <= 0)
			assert_int_equal(req.query_n, REQUEST_PAIRS + past);
	}
}

/* ---- request id -------------------------------------------------------- */

static void test_request_id(void **state)
{
	(void)state;
	static const struct {
		size_t n;
		bool taken;
	} rows[] = {{0, false}, {7, false}, {8, true}, {9, true}, {63, true}, {64, true}, {65, false}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *id = repeated('x', rows[i].n);
		assert_int_equal(PARSE({"DOCUMENT_URI", "/"}, {"REQUEST_ID", id}), ERR_OK);
		if (rows[i].taken)
			assert_string_equal(req.request_id, id);
		else
			assert_int_equal(strlen(req.request_id), 32);
	}
	assert_int_equal(PARSE({"DOCUMENT_URI", "/"}, {"REQUEST_ID", "abc\r\nSet-Cookie: x"}), ERR_OK);
	assert_int_equal(strspn(req.request_id, "0123456789abcdef"), 32);
	const char *first = arena_strdup(&arena, req.request_id);
	assert_int_equal(parse_path("/"), ERR_OK);
	assert_string_not_equal(req.request_id, first);
}

/* ---- body -------------------------------------------------------------- */

struct source {
	const char *bytes;
	size_t left, step; /* at most `step` bytes at a time, as FCGX_GetStr may do */
};

static size_t source_read(void *p, char *into, size_t n)
{
	struct source *s = p;
	n = n < s->step ? n : s->step;
	n = n < s->left ? n : s->left;
	if (n)
		memcpy(into, s->bytes, n);
	s->bytes += n;
	s->left -= n;
	return n;
}

static enum err body(const char *length, const char *bytes, size_t n, size_t step)
{
	struct source s = {bytes, n, step};
	enum err rc = PARSE({"DOCUMENT_URI", "/"}, {"CONTENT_LENGTH", length});
	return rc == ERR_OK ? request_read_body(&req, source_read, &s, &eb) : rc;
}

static void test_body(void **state)
{
	(void)state;
	assert_int_equal(body("5", "he\0lo", 5, 2), ERR_OK);
	assert_int_equal(req.body_len, 5);
	assert_memory_equal(req.body, "he\0lo", 6);
	assert_int_equal(body("", "", 0, 1), ERR_OK);
	assert_int_equal(body("0", "", 0, 1), ERR_OK);
	assert_int_equal(req.body_len, 0);

	assert_int_equal(body("5", "hell", 4, 9), ERR_INVALID);
	assert_int_equal(req.refused, 400);
	assert_int_equal(req.body_len, 0); /* never half a body */
	assert_int_equal(body("5", "hello!", 6, 9), ERR_INVALID);
	assert_int_equal(req.refused, 400);
	assert_int_equal(body("", "x", 1, 9), ERR_INVALID);
	assert_int_equal(req.refused, 411);
}

static void test_content_length(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"-1", "+1", "1 ", " 1", "0x1", "1e3", "a", "99999999999999999999", "-0", "1,1"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(body(bad[i], "", 0, 1), ERR_INVALID);
		assert_int_equal(req.refused, 400);
		assert_string_equal(eb.field, "Content-Length");
	}
	for (int past = -1; past <= 1; past++) {
		size_t n = (size_t)(REQUEST_BODY_BYTES + past);
		assert_int_equal(body(arena_printf(&arena, "%zu", n), repeated('x', n), n, 65536),
		                 past > 0 ? ERR_INVALID : ERR_OK);
		assert_int_equal(req.refused, past > 0 ? 413 : 0);
		assert_int_equal(req.body_len, past > 0 ? 0 : n);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_fields),      TEST(test_nothing_is_null),  TEST(test_methods),
		TEST(test_paths_refused),   TEST(test_paths_accepted),   TEST(test_path_length),
		TEST(test_queries_refused), TEST(test_queries_accepted), TEST(test_query_length),
		TEST(test_query_pairs),     TEST(test_request_id),       TEST(test_body),
		TEST(test_content_length),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
