/* test_breaker.c: when callers are told no. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/breaker.h"

static void fail_times(struct breaker *b, int n, int64_t first_ms, int64_t step_ms)
{
	for (int i = 0; i < n; i++)
		breaker_failed(b, first_ms + i * step_ms);
}

static void opens_at_the_fifth_failure(void **state)
{
	struct breaker b = {0};
	(void)state;
	fail_times(&b, BREAKER_FAILURES - 1, 1000, 10);
	assert_true(breaker_allows(&b, 1100));
	breaker_failed(&b, 1100);
	assert_int_equal(b.state, BREAKER_OPEN);
	assert_false(breaker_allows(&b, 1101));
	assert_int_equal(b.opened_n, 1);
}

static void failures_count_within_the_window_only(void **state)
{
	struct breaker b = {0};
	(void)state;
	/* Five failures over just the window, and over one millisecond more. */
	fail_times(&b, BREAKER_FAILURES, 1000, BREAKER_WINDOW_MS / (BREAKER_FAILURES - 1));
	assert_int_equal(b.state, BREAKER_OPEN);
	b = (struct breaker){0};
	fail_times(&b, BREAKER_FAILURES - 1, 1000, 1);
	breaker_failed(&b, 1000 + BREAKER_WINDOW_MS + 1);
	assert_int_equal(b.state, BREAKER_CLOSED);
}

static void success_forgets_failures(void **state)
{
	struct breaker b = {0};
	(void)state;
	fail_times(&b, BREAKER_FAILURES - 1, 1000, 1);
	breaker_succeeded(&b);
	breaker_failed(&b, 1010);
	assert_int_equal(b.state, BREAKER_CLOSED);
}

static void one_may_try_when_the_time_has_come(void **state)
{
	struct breaker b = {0};
	(void)state;
	fail_times(&b, BREAKER_FAILURES, 1000, 0);
	assert_false(breaker_allows(&b, 1000 + BREAKER_OPEN_MS - 1));
	assert_true(breaker_allows(&b, 1000 + BREAKER_OPEN_MS));
	assert_int_equal(b.state, BREAKER_HALF_OPEN);
	assert_false(breaker_allows(&b, 1000 + BREAKER_OPEN_MS)); /* one, not all */
	breaker_failed(&b, 6100);
	assert_int_equal(b.state, BREAKER_OPEN);
	assert_false(breaker_allows(&b, 6100 + BREAKER_OPEN_MS - 1));
	assert_true(breaker_allows(&b, 6100 + BREAKER_OPEN_MS));
	breaker_succeeded(&b);
	assert_int_equal(b.state, BREAKER_CLOSED);
	assert_true(breaker_allows(&b, 6100 + BREAKER_OPEN_MS));
	assert_int_equal(b.opened_n, 1);
}

static void a_trial_that_never_reports_does_not_shut_it_for_ever(void **state)
{
	struct breaker b = {0};
	(void)state;
	fail_times(&b, BREAKER_FAILURES, 1000, 0);
	assert_true(breaker_allows(&b, 6000));
	assert_true(breaker_allows(&b, 6000 + BREAKER_OPEN_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_at_the_fifth_failure),
		cmocka_unit_test(failures_count_within_the_window_only),
		cmocka_unit_test(success_forgets_failures),
		cmocka_unit_test(one_may_try_when_the_time_has_come),
		cmocka_unit_test(a_trial_that_never_reports_does_not_shut_it_for_ever),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
