/* test_histogram.c: durations, networks, and what Prometheus is told. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "base/cidr.h"
#include "base/histogram.h"
#include "base/prom.h"

static void test_buckets_at_their_edges(void **state)
{
	(void)state;
	struct histogram h = {0};
	struct buf b;
	const int64_t us[] = {0, 500, 501, 30000000, 30000001, 3600000000};
	buf_init(&b);
	for (size_t i = 0; i < sizeof us / sizeof *us; i++)
		histogram_add(&h, us[i]);
	histogram_print(&h, "x", "route=\"/\"", &b);
	assert_non_null(strstr(buf_str(&b), "x_bucket{route=\"/\",le=\"0.000500\"} 2\n"));
	assert_non_null(strstr(buf_str(&b), "x_bucket{route=\"/\",le=\"0.001000\"} 3\n"));
	assert_non_null(strstr(buf_str(&b), "x_bucket{route=\"/\",le=\"10.000000\"} 3\n"));
	assert_non_null(strstr(buf_str(&b), "x_bucket{route=\"/\",le=\"30.000000\"} 4\n"));
	assert_non_null(strstr(buf_str(&b), "x_bucket{route=\"/\",le=\"+Inf\"} 6\n"));
	assert_non_null(strstr(buf_str(&b), "x_sum{route=\"/\"} 3660.001002\n"));
	assert_non_null(strstr(buf_str(&b), "x_count{route=\"/\"} 6\n"));
	buf_clear(&b);
	histogram_print(&h, "x", "", &b);
	assert_non_null(strstr(buf_str(&b), "x_bucket{le=\"+Inf\"} 6\n"));
	assert_non_null(strstr(buf_str(&b), "\nx_count 6\n"));
	buf_fini(&b);
}

static void *add_many(void *arg)
{
	for (int i = 0; i < 20000; i++)
		histogram_add(arg, i);
	return NULL;
}

static void test_threads_lose_nothing(void **state)
{
	(void)state;
	struct histogram h = {0};
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, &h), 0);
	for (int i = 0; i < 4; i++)
		(void)pthread_join(threads[i], NULL);
	assert_int_equal(histogram_count(&h), 80000);
	assert_int_equal(h.sum_us, 4LL * 20000 * 19999 / 2);
}

static void assert_near(int64_t got, int64_t want)
{
	assert_in_range(got, want - want / 8 - 1, want + want / 8 + 1);
}

static void test_quantiles(void **state)
{
	(void)state;
	static struct window w;
	const double shares[] = {0.5, 0.95, 0.99, 1};
	int64_t us[4];
	window_quantiles(&w, 1000, shares, 4, us);
	for (int i = 0; i < 4; i++)
		assert_int_equal(us[i], -1);
	for (int i = 1; i <= 1000; i++)
		window_add(&w, 1000, i * 100);
	window_quantiles(&w, 1000, shares, 4, us);
	assert_near(us[0], 50000);
	assert_near(us[1], 95000);
	assert_near(us[2], 99000);
	assert_near(us[3], 100000);
}

/* One value: every quantile is it, from a microsecond to hours. */
static void test_quantiles_of_every_size(void **state)
{
	(void)state;
	const double shares[] = {0.5, 0.99};
	int64_t us[2];
	for (int64_t v = 1; v < 36000000000; v = v * 3 + 1) {
		static struct window w;
		memset(&w, 0, sizeof w);
		window_add(&w, 0, v);
		window_quantiles(&w, 0, shares, 2, us);
		assert_near(us[0], v);
		assert_int_equal(us[0], us[1]);
	}
}

static void test_quantiles_forget(void **state)
{
	(void)state;
	static struct window w;
	const double shares[] = {0.5};
	int64_t us;
	window_add(&w, 0, 1000);
	for (int64_t minute = 0; minute <= 5; minute++) {
		window_quantiles(&w, minute * 60000 + 59999, shares, 1, &us);
		assert_near(us, 1000);
	}
	window_quantiles(&w, 360000, shares, 1, &us);
	assert_int_equal(us, -1);
	window_add(&w, 360000, 7000); /* the same slot, anew */
	window_quantiles(&w, 360000, shares, 1, &us);
	assert_near(us, 7000);
}

static void test_labels_are_escaped(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b);
	prom_label(&b, "a", "x\"y\\z\n");
	assert_string_equal(buf_str(&b), "a=\"x\\\"y\\\\z\\n\"");
	buf_fini(&b);
}

static void test_networks(void **state)
{
	(void)state;
	static const struct {
		const char *list, *address;
		bool has;
	} rows[] = {
		{"10.0.0.0/8", "10.255.0.1", true},
		{"10.0.0.0/8", "11.0.0.1", false},
		{"10.0.0.0/8", "::ffff:10.1.2.3", true},
		{"192.0.2.7", "192.0.2.7", true},
		{"192.0.2.7", "192.0.2.70", false},
		{"192.0.2.128/25", "192.0.2.127", false},
		{"192.0.2.128/25", "192.0.2.128", true},
		{"192.0.2.5/31", "192.0.2.4", true},
		{" 10.0.0.1 ,, fd00::/8 ", "fdff::1", true},
		{"fd00::/8", "fe00::1", false},
		{"fd00::/7", "fc00::1", true},
		{"0.0.0.0/0", "203.0.113.9", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"::/0", "2001:db8::1", true},
		{"", "127.0.0.1", false},
		{"127.0.0.1", "", false},
		{"127.0.0.1", "unix:", false},
		{"127.0.0.1", "127.0.0.1, 1.2.3.4", false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(cidr_list_has(rows[i].list, rows[i].address), rows[i].has);
	assert_true(cidr_is_loopback("127.9.9.9") && cidr_is_loopback("::1"));
	assert_true(cidr_is_loopback("::ffff:127.0.0.1"));
	assert_false(cidr_is_loopback("128.0.0.1") || cidr_is_loopback("::2"));
}

static void test_party(void **state)
{
	(void)state;
	static const struct {
		const char *address, *party;
	} rows[] = {
		{"10.1.2.3", "10.1.2.3"},
		{"::ffff:10.1.2.3", "::ffff:10.1.2.3"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"2001:DB8:1:2::", "2001:db8:1:2::/64"},
		{"2001:db8:1:3::1", "2001:db8:1:3::/64"},
		{"::1", "::/64"},
		{"2001:db8:1111:2222:3333:4444:5555:6666", "2001:db8:1111:2222::/64"},
		{"", ""},
		{"unix:", "unix:"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char party[CIDR_PARTY];
		cidr_party(rows[i].address, party);
		assert_string_equal(party, rows[i].party);
	}
}

static void test_lists_that_are_none(void **state)
{
	(void)state;
	static const char *const bad[] = {"10.0.0.0/33",         "10.0.0",     "host",
	                                  "10.0.0.1/",           "::1/129",    "10.0.0.1/-1",
	                                  "10.0.0.1 10.0.0.2/x", "1.2.3.4/8/8"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct errbuf eb = {0};
		assert_int_equal(cidr_list_check("X", bad[i], &eb), ERR_CONFIG);
		assert_string_equal(eb.field, "X");
	}
	assert_int_equal(cidr_list_check("X", "", NULL), ERR_OK);
	assert_int_equal(cidr_list_check("X", "10.0.0.0/8, ::1 ,127.0.0.1/0", NULL), ERR_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets_at_their_edges),
		cmocka_unit_test(test_threads_lose_nothing),
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_quantiles_of_every_size),
		cmocka_unit_test(test_quantiles_forget),
		cmocka_unit_test(test_labels_are_escaped),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_party),
		cmocka_unit_test(test_lists_that_are_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
