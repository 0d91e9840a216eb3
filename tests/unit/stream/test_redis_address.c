/* test_redis_address.c: what a REDIS_URL says, and which are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stream/redis_address.h"

/* With REDIS_PASSWORD=given. */
static enum err read_url(const char *url, bool tls, struct redis_address *out, struct errbuf *eb)
{
	struct conf *conf = NULL;
	assert_int_equal(setenv("REDIS_URL", url, 1), 0);
	assert_int_equal(setenv("REDIS_PASSWORD", "given", 1), 0);
	assert_int_equal(setenv("REDIS_USE_TLS", tls ? "1" : "0", 1), 0);
	*eb = (struct errbuf){0};
	assert_int_equal(conf_load(&conf, CONF_STREAM, NULL, eb), ERR_OK);
	enum err rc = redis_address_read(out, conf, eb);
	conf_free(conf);
	return rc;
}

static void test_read(void **state)
{
	static const struct {
		const char *url, *host;
		int port, db;
		const char *user, *password;
	} all[] = {
		{"redis://localhost", "localhost", 6379, 0, "", "given"},
		{"redis://localhost/", "localhost", 6379, 0, "", "given"},
		{"redis://localhost:6380/4", "localhost", 6380, 4, "", "given"},
		{"redis://:a%40b@10.0.0.1", "10.0.0.1", 6379, 0, "", "a@b"},
		{"redis://u:p:q@h", "h", 6379, 0, "u", "p:q"},
		{"redis://u:p@q@h", "h", 6379, 0, "u", "p@q"},
		{"redis://u@h", "h", 6379, 0, "u", "given"},
		{"redis://[::1]:7/1", "::1", 7, 1, "", "given"},
		{"redis://[::1]", "::1", 6379, 0, "", "given"},
		{"unix:///run/redis/redis.sock", "/run/redis/redis.sock", 0, 0, "", "given"},
		{"unix:///run/a%20b?db=2", "/run/a b", 0, 2, "", "given"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct redis_address at;
		struct errbuf eb;
		assert_int_equal(read_url(all[i].url, false, &at, &eb), ERR_OK);
		assert_string_equal(at.host, all[i].host);
		assert_int_equal(at.port, all[i].port);
		assert_int_equal(at.db, all[i].db);
		assert_string_equal(at.user, all[i].user);
		assert_string_equal(at.password, all[i].password);
	}
}

static void test_refused(void **state)
{
	static const char *const all[] = {
		"localhost:6379",  "http://h",         "redis://",        "redis://:p@",
		"redis://h:",      "redis://h:0",      "redis://h:65536", "redis://u:secretive@h:x",
		"redis://h/x",     "redis://h/1/2",    "redis://h?db=1",  "redis://h#1",
		"redis://[::1",    "redis://[::1]7",   "redis://[]:1",    "redis://u:secretive%4@h",
		"redis://u:%00@h", "unix://run/redis", "unix:///a?x=1",   "unix:///a?db=",
		"redis://h/-1",    "redis://h/1 ",     "unix://",
	};
	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct redis_address at;
		struct errbuf eb;
		assert_int_equal(read_url(all[i], false, &at, &eb), ERR_CONFIG);
		assert_null(strstr(eb.text, "secretive"));
	}
}

/* TLS is spoken by nginx on this machine, so nothing else is a place for it. */
static void test_tls(void **state)
{
	struct redis_address at;
	struct errbuf eb;
	(void)state;
	assert_int_equal(read_url("redis://127.0.0.1:6390", true, &at, &eb), ERR_OK);
	assert_int_equal(read_url("redis://localhost:6390", true, &at, &eb), ERR_OK);
	assert_int_equal(read_url("rediss://[::1]:6390", false, &at, &eb), ERR_OK);
	assert_int_equal(read_url("unix:///run/tls.sock", true, &at, &eb), ERR_OK);
	assert_int_equal(read_url("redis://10.0.0.1", true, &at, &eb), ERR_CONFIG);
	assert_int_equal(read_url("rediss://redis.example.com", false, &at, &eb), ERR_CONFIG);
	assert_int_equal(read_url("redis://127.0.0.1.example.com", true, &at, &eb), ERR_CONFIG);
	assert_int_equal(read_url("redis://10.0.0.1", false, &at, &eb), ERR_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_tls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
