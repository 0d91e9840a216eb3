/* test_trend.c: slopes, their p, and where levels changed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "forecast/trend.h"
#include "made_up.h"

static struct trend run(const double *y, size_t n, int a, int b)
{
	struct forecast_input input = {.y = y, .n = n, .period = {a, b}};
	struct trend t;
	struct errbuf eb = {0};
	assert_int_equal(trend_run(&arena, &input, &t, &eb), ERR_OK);
	assert_false(isnan(t.slope) || isnan(t.slope_lo) || isnan(t.slope_hi) || isnan(t.p));
	assert_true(t.slope_lo <= t.slope && t.slope <= t.slope_hi);
	assert_true(t.p >= 0 && t.p <= 1);
	assert_true((t.direction != TREND_NONE) == (t.p < .05));
	return t;
}

/* cor.test(1:8, y, method = "kendall", exact = FALSE, continuity = TRUE) of R says the same p. */
static void test_ties_by_hand(void **state)
{
	(void)state;
	const double y[] = {10, 22, 21, 30, 22, 30, 40, 40};
	struct trend t = run(y, 8, 0, 0);
	assert_close(t.slope, 3.9, 1e-12);
	assert_close(t.p, 0.0113025803063222, 1e-12);
	assert_close(t.slope_lo, 2.01961197408, 1e-9);
	assert_close(t.slope_hi, 5.98038802592, 1e-9);
	assert_int_equal(t.direction, TREND_UP);
	assert_int_equal(t.n, 8);
}

static void test_a_straight_line(void **state)
{
	(void)state;
	double y[10];
	for (int i = 0; i < 10; i++)
		y[i] = 10 - i;
	struct trend t = run(y, 10, 0, 0);
	assert_close(t.slope, -1, 1e-12);
	assert_close(t.p, 8.30307033264498e-05, 1e-15);
	assert_int_equal(t.direction, TREND_DOWN);
	assert_int_equal(t.changes_n, 0);
}

/* Taken for independent these have p = 0.02; their neighbours are too alike for that. */
static void test_likeness_of_neighbours(void **state)
{
	(void)state;
	const double y[] = {0,     -1.14, -0.01, 0.84,  1.4,   1.86,  1.13, 1.61,  2.59,  2.11,
	                    0.71,  1.36,  1.88,  1.19,  2.65,  1.33,  1.41, -1.14, -1.07, 0.27,
	                    -0.24, -1.09, -0.14, -0.92, -0.47, -2.12, -3.1, -2.94, -3.38, -1.35,
	                    -0.16, -0.91, -0.16, 0.79,  0.89,  1.06,  2.03, 1.14,  0.49,  1.35,
	                    -0.21, 0.02,  -0.02, 0.45,  1.39,  1.38,  1.33, 1.81,  2.67,  2.52,
	                    1.03,  0.66,  2.27,  1.46,  1.86,  2.71,  2.96, 2.36,  2.11,  0.8};
	struct trend t = run(y, 60, 0, 0);
	assert_true(t.p > .05);
	assert_int_equal(t.direction, TREND_NONE);
}

static void test_the_week_is_no_trend(void **state)
{
	(void)state;
	double y[70];
	fill_days(y, 66, 0, 1);
	struct trend t = run(y, 66, 7, 0);
	assert_close(t.slope, 0, 1e-9);
	assert_int_equal(t.direction, TREND_NONE);
	assert_int_equal(t.changes_n, 0);
	fill_days(y, 70, .03, 2);
	for (int i = 0; i < 70; i++)
		y[i] += 5 * i;
	y[30] = 9000, y[31] = NAN;
	t = run(y, 70, 7, 0);
	assert_true(t.slope_lo < 5 && 5 < t.slope_hi);
	assert_close(t.slope, 5, 1);
	assert_int_equal(t.direction, TREND_UP);
	assert_int_equal(t.n, 69);
	assert_int_equal(t.changes_n, 0);
}

static void test_what_is_constant(void **state)
{
	(void)state;
	double y[30];
	for (int i = 0; i < 30; i++)
		y[i] = 7;
	struct trend t = run(y, 30, 7, 0);
	assert_close(t.slope, 0, 0);
	assert_close(t.p, 1, 0);
	assert_int_equal(t.direction, TREND_NONE);
	assert_int_equal(t.changes_n, 0);
	memset(y, 0, sizeof y);
	t = run(y, 30, 7, 0);
	assert_close(t.p, 1, 0);
}

static void test_levels_that_changed(void **state)
{
	(void)state;
	double y[300];
	fill_days(y, 300, .05, 3);
	for (int i = 100; i < 300; i++)
		y[i] *= i < 200 ? 1.5 : 1.1;
	y[50] = 0, y[150] = 9000;
	struct trend t = run(y, 300, 7, 0);
	assert_int_equal(t.changes_n, 2);
	assert_in_range(t.changes[0].at, 99, 101);
	assert_in_range(t.changes[1].at, 199, 201);
	assert_close(t.changes[0].before, 1000, 40);
	assert_close(t.changes[0].after, 1500, 60);
	assert_close(t.changes[1].before, t.changes[0].after, 0);
	assert_close(t.changes[1].after, 1100, 45);
}

/* Of twenty healthy years none has a change, whatever a few wild days say. */
/* Shut for three weeks, and every Sunday: nothing is sold then, and not less than that. */
static void test_a_time_without_sales(void **state)
{
	(void)state;
	double y[300];
	fill_days(y, 300, .05, 5);
	for (int i = 6; i < 300; i += 7)
		y[i] = 0;
	memset(y + 140, 0, 21 * sizeof *y);
	struct trend t = run(y, 300, 7, 0);
	assert_int_equal(t.changes_n, 2);
	assert_in_range(t.changes[0].at, 139, 141);
	assert_close(t.changes[0].after, 0, 0);
	assert_close(t.changes[1].before, 0, 0);
	for (int i = 0; i < 300; i++)
		y[i] -= 500; /* what may be below 0 stays so */
	assert_true(run(y, 300, 7, 0).changes[0].after < -300);
}

static void test_no_change_where_there_is_none(void **state)
{
	(void)state;
	double y[365];
	for (uint64_t seed = 1; seed <= 20; seed++) {
		fill_days(y, 365, .1, seed);
		for (size_t i = 11; i < 365; i += 37)
			y[i] *= 3;
		assert_int_equal(run(y, 365, 7, 0).changes_n, 0);
	}
}

static void test_hours_and_long_series(void **state)
{
	(void)state;
	static double y[5000];
	fill_hours(y, 5000, .1, 4);
	for (int i = 3500; i < 5000; i++)
		y[i] *= 1.6;
	struct trend t = run(y, 5000, 24, 168), again = run(y, 5000, 24, 168);
	assert_int_equal(t.n, TREND_STEPS_USED);
	assert_int_equal(t.direction, TREND_UP);
	assert_true(t.changes_n >= 1);
	assert_in_range(t.changes[0].at, 3332, 3668);
	assert_memory_equal(&t.slope, &again.slope, sizeof t.slope);
	assert_memory_equal(&t.p, &again.p, sizeof t.p);
}

static void refuse(const double *y, size_t n, int a, const char *field)
{
	struct forecast_input input = {.y = y, .n = n, .period = {a, 0}};
	struct trend t;
	struct errbuf eb = {0};
	assert_int_equal(trend_run(&arena, &input, &t, &eb), ERR_INVALID);
	assert_string_equal(eb.field, field);
}

static void test_what_is_refused(void **state)
{
	(void)state;
	double y[20] = {0};
	refuse(y, 7, 0, "history");
	refuse(y, 13, 7, "history");
	refuse(y, 20, -1, "period");
	for (int i = 0; i < 13; i++)
		y[i] = NAN;
	refuse(y, 20, 7, "history");
	y[3] = INFINITY;
	refuse(y, 20, 7, "history");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_of(test_ties_by_hand),           test_of(test_a_straight_line),
		test_of(test_likeness_of_neighbours), test_of(test_the_week_is_no_trend),
		test_of(test_what_is_constant),       test_of(test_levels_that_changed),
		test_of(test_a_time_without_sales),   test_of(test_no_change_where_there_is_none),
		test_of(test_hours_and_long_series),  test_of(test_what_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
