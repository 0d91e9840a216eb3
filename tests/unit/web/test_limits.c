/* test_limits.c: how many requests fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "web/limits.h"

enum { SECOND_US = 1000000 };

static const struct limit sixty_a_minute = {.per_hour = 3600, .burst = 60};

static int taken(struct limits *l, const char *id, int n, int64_t now_us, struct limit_state *left)
{
	int allowed = 0;
	for (int i = 0; i < n; i++)
		allowed += limits_take(l, LIMIT_KEY, id, &sixty_a_minute, now_us, left);
	return allowed;
}

static void a_burst_and_no_more(void **state)
{
	struct limits *l = limits_new();
	struct limit_state left;
	(void)state;
	assert_int_equal(taken(l, "7", 59, SECOND_US, &left), 59);
	assert_int_equal(left.left, 1);
	assert_int_equal(taken(l, "7", 1, SECOND_US, &left), 1);
	assert_int_equal(left.left, 0);
	assert_int_equal(taken(l, "7", 1, SECOND_US, &left), 0);
	assert_int_equal(left.retry_s, 1);
	assert_int_equal(left.full_s, 60);
	limits_free(l);
}

static void it_fills_again_at_its_rate(void **state)
{
	struct limits *l = limits_new();
	struct limit_state left;
	(void)state;
	assert_int_equal(taken(l, "7", 100, SECOND_US, &left), 60);
	assert_int_equal(taken(l, "7", 10, 2 * SECOND_US - 1, &left), 0);
	assert_int_equal(taken(l, "7", 10, 2 * SECOND_US, &left), 1);
	assert_int_equal(taken(l, "7", 10, 7 * SECOND_US, &left), 5);
	assert_int_equal(taken(l, "7", 100, (int64_t)3600 * SECOND_US, &left),
	                 60); /* never above full */
	limits_free(l);
}

static void callers_do_not_share(void **state)
{
	struct limits *l = limits_new();
	struct limit_state left;
	(void)state;
	assert_int_equal(taken(l, "7", 100, SECOND_US, &left), 60);
	assert_int_equal(taken(l, "8", 100, SECOND_US, &left), 60);
	assert_true(limits_take(l, LIMIT_USER, "7", &sixty_a_minute, SECOND_US, &left));
	limits_free(l);
}

static void zero_is_no_limit(void **state)
{
	struct limits *l = limits_new();
	struct limit_state left;
	const struct limit none = {.per_hour = 0, .burst = 1};
	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_true(limits_take(l, LIMIT_KEY, "7", &none, SECOND_US, &left));
	limits_free(l);
}

/* More callers than the table holds: who used the most is remembered the longest. */
static void a_flood_of_others_frees_nobody(void **state)
{
	struct limits *l = limits_new();
	struct limit_state left;
	char id[32];
	(void)state;
	assert_int_equal(taken(l, "busy", 100, SECOND_US, &left), 60);
	for (int i = 0; i < 200000; i++) {
		(void)snprintf(id, sizeof id, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
		assert_true(limits_take(l, LIMIT_KEY, id, &sixty_a_minute, SECOND_US, &left));
	}
	assert_int_equal(taken(l, "busy", 1, SECOND_US, &left), 0);
	limits_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_and_no_more),
		cmocka_unit_test(it_fills_again_at_its_rate),
		cmocka_unit_test(callers_do_not_share),
		cmocka_unit_test(zero_is_no_limit),
		cmocka_unit_test(a_flood_of_others_frees_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
