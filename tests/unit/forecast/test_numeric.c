/* test_numeric.c: linear algebra, search, order statistics; seasons by local regression; teams. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "forecast/numeric.h"
#include "forecast/stl.h"
#include "forecast/team.h"
#include "made_up.h"

/* ---- linear algebra ------------------------------------------------------------- */

static void test_solves_by_the_lower_half(void **state)
{
	(void)state;
	/* L L' of {{2}, {1, 3}, {-1, 2, 1}}, whose upper half nobody reads. */
	double a[] = {4, NAN, NAN, 2, 10, NAN, -2, 5, 6}, b[3];
	const double full[] = {4, 2, -2, 2, 10, 5, -2, 5, 6}, x[] = {1, -2, .5};
	for (int i = 0; i < 3; i++)
		b[i] = full[3 * i] * x[0] + full[3 * i + 1] * x[1] + full[3 * i + 2] * x[2];
	assert_true(numeric_solve(a, b, 3));
	for (int i = 0; i < 3; i++)
		assert_close(b[i], x[i], 1e-12);
}

static void test_refuses_what_is_not_positive_definite(void **state)
{
	(void)state;
	double indefinite[] = {1, 2, 2, 1}, singular[] = {1, 1, 1, 1}, unknown[] = {NAN};
	double b[] = {1, 1};
	assert_false(numeric_solve(indefinite, b, 2));
	assert_false(numeric_solve(singular, b, 2));
	assert_false(numeric_solve(unknown, b, 1));
}

/* ---- search --------------------------------------------------------------------- */

struct valley {
	int calls;
	double hole; /* values of x[0] below it have none */
};

/* Rosenbrock's, with its minimum of 0 at (1, 1). */
static double valley(const double *x, void *arg)
{
	struct valley *v = arg;
	v->calls++;
	if (x[0] < v->hole)
		return NAN;
	return 100 * (x[1] - x[0] * x[0]) * (x[1] - x[0] * x[0]) + (1 - x[0]) * (1 - x[0]);
}

static void test_search_finds_the_least(void **state)
{
	(void)state;
	struct valley v = {.hole = -HUGE_VAL};
	double x[] = {-1.2, 1};
	numeric_search(x, 2, .5, 400, valley, &v);
	assert_close(x[0], 1, 1e-6);
	assert_close(x[1], 1, 1e-6);
	assert_in_range(v.calls, 400, 402);
}

static void test_search_stays_out_of_holes_and_never_gets_worse(void **state)
{
	(void)state;
	struct valley v = {.hole = .5};
	double x[] = {.6, 2}, before = valley(x, &v);
	for (int evaluations = 3; evaluations < 60; evaluations += 7) {
		double y[] = {x[0], x[1]};
		numeric_search(y, 2, -.3, evaluations, valley, &v);
		assert_true(valley(y, &v) <= before);
	}
}

/* ---- order ----------------------------------------------------------------------- */

static void test_quantiles(void **state)
{
	(void)state;
	double v[] = {9, 1, 4, 2}, one[] = {5};
	/* quantile(c(1, 2, 4, 9), c(0, .5, .8, 1)) of R */
	assert_close(numeric_quantile(v, 4, 0), 1, 0);
	assert_close(numeric_quantile(v, 4, .5), 3, 0);
	assert_close(numeric_quantile(v, 4, .8), 6, 1e-12);
	assert_close(numeric_quantile(v, 4, 1), 9, 0);
	assert_close(numeric_quantile(one, 1, .95), 5, 0);
	assert_close(numeric_quantile(one, 0, .95), 0, 0);
}

static void test_weighted_quantiles(void **state)
{
	(void)state;
	struct weighted v[] = {{30, 1}, {10, 6}, {20, 3}};
	assert_close(numeric_weighted_quantile(v, 3, .5), 10, 0);
	assert_close(numeric_weighted_quantile(v, 3, .8), 20, 0);
	assert_close(numeric_weighted_quantile(v, 3, .95), 30, 0);
	assert_close(numeric_weighted_quantile(v, 0, .5), 0, 0);
}

static void test_spread_is_a_deviation(void **state)
{
	(void)state;
	double v[2001];
	uint64_t seed = 1;
	for (size_t i = 0; i < 2001; i++)
		v[i] = i % 10 == 0 ? 1e9 : 5 + 2 * noise(&seed);
	double centre = numeric_median(&arena, v, 2001);
	assert_close(centre, 5, .4);
	assert_close(numeric_spread(&arena, v, 2001, centre), 2, .5);
	assert_close(v[0], 1e9, 0); /* a copy was put in order */
}

/* ---- seasons ----------------------------------------------------------------------- */

static void test_stl_finds_two_seasons(void **state)
{
	(void)state;
	enum { N = 840 };
	double y[N];
	struct stl parts;
	for (size_t t = 0; t < N; t++)
		y[t] = 50 + .1 * (double)t + (double)(t % 6) * 3 - (t / 6 % 7 == 5 ? 12 : 0);
	stl_split(&arena, y, N, 6, 42, &parts);
	for (size_t t = 0; t < N; t++) {
		double slot = (double)(t % 6) * 3 - 7.5, day = (t / 6 % 7 == 5 ? -12 : 0) + 12. / 7;
		assert_close(parts.season[0][t] + parts.season[1][t] + parts.rest[t], y[t], 1e-9);
		assert_close(parts.season[0][t] + parts.season[1][t], slot + day, .5);
	}
}

static void test_stl_of_no_season_is_all_rest(void **state)
{
	(void)state;
	double y[50];
	struct stl parts;
	fill_days(y, 50, .1, 3);
	stl_split(&arena, y, 50, 1, 0, &parts);
	for (size_t t = 0; t < 50; t++)
		assert_true(parts.rest[t] == y[t] && parts.season[0][t] == 0 && parts.season[1][t] == 0);
}

/* ---- teams --------------------------------------------------------------------------- */

static void count_work(size_t i, void *arg)
{
	((int *)arg)[i]++;
}

static void test_a_team_does_each_once(void **state)
{
	(void)state;
	static const unsigned threads[] = {0, 1, 3, 1000};
	int done[300] = {0};
	for (size_t k = 0; k < sizeof threads / sizeof *threads; k++)
		team_run(300, threads[k], count_work, done);
	for (size_t i = 0; i < 300; i++)
		assert_int_equal(done[i], 4);
	team_run(0, 4, count_work, done);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_of(test_solves_by_the_lower_half),
		test_of(test_refuses_what_is_not_positive_definite),
		test_of(test_search_finds_the_least),
		test_of(test_search_stays_out_of_holes_and_never_gets_worse),
		test_of(test_quantiles),
		test_of(test_weighted_quantiles),
		test_of(test_spread_is_a_deviation),
		test_of(test_stl_finds_two_seasons),
		test_of(test_stl_of_no_season_is_all_rest),
		test_of(test_a_team_does_each_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
