/* test_anomaly.c: what is flagged, what is not, and what is said once. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "forecast/anomaly.h"
#include "made_up.h"

enum { HOURS = 12 * 168, DAYS = 365, DAY_S = 86400 };

static void check_step(const struct anomaly_step *s)
{
	assert_false(isnan(s->score) || isnan(s->news) || isnan(s->p));
	assert_false(isinf(s->score) || isinf(s->news) || isinf(s->lo) || isinf(s->hi));
	assert_true(s->p >= 0 && s->p <= 1);
	assert_int_equal(isnan(s->expected), isnan(s->lo));
	assert_int_equal(isnan(s->expected), isnan(s->hi));
	assert_true(isnan(s->expected) || (s->lo <= s->expected && s->expected <= s->hi));
	if (isnan(s->expected) || isnan(s->actual))
		assert_true(s->score == 0 && s->p == 1 && !s->flagged);
	if (s->flagged)
		assert_true(s->kind != ANOMALY_NONE && (s->actual < s->lo || s->actual > s->hi));
	else
		assert_true(s->kind == ANOMALY_NONE || s->kind == ANOMALY_SHIFT);
}

static struct anomaly_result run_input(const struct forecast_input *input,
                                       const struct anomaly_options *options)
{
	struct anomaly_result r;
	struct errbuf eb = {0};
	assert_int_equal(anomaly_run(&arena, input, options, 0, &r, &eb), ERR_OK);
	for (size_t i = 0; i < input->n; i++)
		check_step(&r.steps[i]);
	for (size_t k = 0; k < r.incidents_n; k++) {
		const struct anomaly_incident *it = &r.incidents[k];
		assert_true(it->first <= it->worst && it->worst <= it->last && it->last < input->n);
		assert_true(k == 0 || r.incidents[k - 1].last < it->first);
		assert_true(it->kind != ANOMALY_NONE);
	}
	return r;
}

static struct anomaly_result run(const double *y, size_t n, int a, int b, bool online)
{
	struct forecast_input input = {.y = y, .n = n, .period = {a, b}};
	struct anomaly_options options = {.online = online};
	return run_input(&input, &options);
}

static size_t flags(const struct anomaly_result *r, size_t n)
{
	size_t k = 0;
	for (size_t i = 0; i < n; i++)
		k += r->steps[i].flagged;
	return k;
}

static size_t alerts(const struct anomaly_result *r, size_t n)
{
	size_t k = 0;
	for (size_t i = 0; i < n; i++)
		k += r->steps[i].alert;
	return k;
}

static void expect_three(const struct anomaly_result *r, size_t n, const size_t *at)
{
	static const enum anomaly_kind kinds[] = {ANOMALY_SPIKE, ANOMALY_DROP, ANOMALY_OUTAGE};
	assert_int_equal(flags(r, n), 3);
	assert_int_equal(r->incidents_n, 3);
	for (size_t k = 0; k < 3; k++) {
		assert_int_equal(r->incidents[k].first, at[k]);
		assert_int_equal(r->incidents[k].last, at[k]);
		assert_int_equal(r->incidents[k].kind, kinds[k]);
		assert_int_equal(r->steps[at[k]].kind, kinds[k]);
		assert_true(r->steps[at[k]].alert);
		assert_true(fabs(r->steps[at[k]].score) >= r->threshold);
	}
	assert_int_equal(alerts(r, n), 3);
}

static void test_three_days(void **state)
{
	(void)state;
	const size_t at[] = {60, 200, 331};
	double y[DAYS];
	fill_days(y, DAYS, .08, 1);
	y[at[0]] *= 1.9, y[at[1]] *= .35, y[at[2]] = 0;
	struct anomaly_result r = run(y, DAYS, 7, 0, false);
	expect_three(&r, DAYS, at);
	assert_close(r.steps[at[2]].expected, 1000 * .9, 120);
	r = run(y, DAYS, 7, 0, true);
	expect_three(&r, DAYS, at);
	assert_true(isnan(r.steps[27].expected) && !isnan(r.steps[28].expected));
}

static void test_three_hours(void **state)
{
	(void)state;
	const size_t at[] = {24 * 30 + 12, 24 * 45 + 15, 24 * 60 + 17};
	double y[HOURS];
	fill_hours(y, HOURS, .1, 2);
	y[at[0]] *= 2.2, y[at[1]] *= .35, y[at[2]] = 0;
	struct anomaly_result r = run(y, HOURS, 24, 168, false);
	expect_three(&r, HOURS, at);
	r = run(y, HOURS, 24, 168, true);
	expect_three(&r, HOURS, at);
}

/* The first weeks are judged by what came later. */
static void test_the_first_days(void **state)
{
	(void)state;
	double y[DAYS];
	fill_days(y, DAYS, .08, 3);
	y[5] *= 2.2;
	struct anomaly_result r = run(y, DAYS, 7, 0, false);
	assert_int_equal(flags(&r, DAYS), 1);
	assert_true(r.steps[5].flagged);
}

/* Healthy series: the band holds what it says, and hardly anything is flagged. */
static void test_health(void **state)
{
	(void)state;
	double y[HOURS];
	size_t wrong = 0, inside = 0, all = 0;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		fill_days(y, DAYS, .1, seed);
		struct anomaly_result r = run(y, DAYS, 7, 0, false);
		wrong += flags(&r, DAYS);
		for (size_t i = 0; i < DAYS; i++, all++)
			inside += y[i] >= r.steps[i].lo && y[i] <= r.steps[i].hi;
		fill_hours(y, HOURS, .1, seed);
		r = run(y, HOURS, 24, 168, false);
		wrong += flags(&r, HOURS);
	}
	assert_in_range(wrong, 0, 12); /* of 47620 */
	assert_in_range(inside * 1000 / all, 930, 970);
}

static void test_sensitivity_widens_the_band(void **state)
{
	(void)state;
	double y[DAYS];
	fill_days(y, DAYS, .1, 4);
	struct forecast_input input = {.y = y, .n = DAYS, .period = {7, 0}};
	struct anomaly_options narrow = {.sensitivity = .8}, wide = {.sensitivity = .9999};
	struct anomaly_result a = run_input(&input, &narrow), b = run_input(&input, &wide);
	for (size_t i = 0; i < DAYS; i++) {
		assert_true(a.steps[i].hi - a.steps[i].lo < b.steps[i].hi - b.steps[i].lo);
		assert_close(a.steps[i].score, b.steps[i].score, 0);
	}
}

/* Nothing that comes later changes what was said; and no bit differs the second time. */
static void test_online_looks_at_nothing_ahead(void **state)
{
	(void)state;
	double y[HOURS];
	fill_hours(y, HOURS, .2, 5);
	struct anomaly_result whole = run(y, HOURS, 24, 168, true);
	struct anomaly_result again = run(y, HOURS, 24, 168, true);
	assert_memory_equal(whole.steps, again.steps, sizeof *whole.steps * HOURS);
	for (size_t n = 600; n < HOURS; n += 400) {
		double part[HOURS];
		memcpy(part, y, sizeof part);
		part[n] = -9000; /* what comes is of another kind altogether */
		struct anomaly_result r = run(part, n + 1, 24, 168, true);
		for (size_t i = 504; i < n; i++) {
			assert_memory_equal(&r.steps[i].expected, &whole.steps[i].expected, sizeof(double));
			assert_memory_equal(&r.steps[i].lo, &whole.steps[i].lo, sizeof(double));
			assert_memory_equal(&r.steps[i].score, &whole.steps[i].score, sizeof(double));
			assert_memory_equal(&r.steps[i].news, &whole.steps[i].news, sizeof(double));
		}
	}
}

/* Four hours without a sale are one incident, and one message. */
static void test_one_alert_an_incident(void **state)
{
	(void)state;
	double y[HOURS];
	fill_hours(y, HOURS, .1, 6);
	size_t first = 24 * 50 + 11;
	for (size_t i = first; i < first + 4; i++)
		y[i] = 0;
	y[first + 6] = 0;
	for (int online = 0; online < 2; online++) {
		struct anomaly_result r = run(y, HOURS, 24, 168, online);
		assert_int_equal(r.incidents_n, 2);
		assert_int_equal(r.incidents[0].first, first);
		assert_int_equal(r.incidents[0].last, first + 3);
		assert_int_equal(r.incidents[0].kind, ANOMALY_OUTAGE);
		assert_int_equal(alerts(&r, HOURS), 1);
		assert_true(r.steps[first].alert);
	}
}

/* Rain for half a day is not what a number that stands alone is. */
static void test_neighbours_excuse(void **state)
{
	(void)state;
	double y[HOURS];
	uint64_t seed = 7;
	fill_hours(y, HOURS, .1, 7);
	for (size_t i = 0; i + 6 < HOURS; i += 6) {
		double weather = 1 + .25 * noise(&seed);
		for (size_t j = i; j < i + 6; j++)
			y[j] = floor(y[j] * fmax(weather, .3));
	}
	struct anomaly_result r = run(y, HOURS, 24, 168, false);
	assert_in_range(flags(&r, HOURS), 0, 4);
	size_t at = 24 * 40 + 15;
	y[at] *= 4;
	r = run(y, HOURS, 24, 168, false);
	assert_true(r.steps[at].flagged);
}

static void expect_shift(const double *y, size_t n, int a, int b, size_t at, bool online)
{
	struct anomaly_result r = run(y, n, a, b, online);
	size_t shifts = 0;
	for (size_t k = 0; k < r.incidents_n; k++)
		if (r.incidents[k].kind == ANOMALY_SHIFT) {
			assert_in_range(r.incidents[k].first, at - 5, at + 5);
			shifts++;
		}
	assert_int_equal(shifts, 1);
	/* It is followed: the new level is nothing to flag any more. */
	size_t late = at + (a >= 24 ? 3 * 24 : 14);
	for (size_t i = late; i < n; i++)
		assert_false(r.steps[i].flagged);
	assert_close(r.steps[late + 7].expected, y[late + 7], .25 * y[late + 7] + 5);
}

static void test_level_shifts(void **state)
{
	(void)state;
	double y[HOURS];
	for (int online = 0; online < 2; online++) {
		fill_days(y, DAYS, .06, 8);
		for (size_t i = 180; i < DAYS; i++)
			y[i] *= 1.7;
		expect_shift(y, DAYS, 7, 0, 180, online);
		fill_days(y, DAYS, .06, 9);
		for (size_t i = 180; i < DAYS; i++)
			y[i] *= .5;
		expect_shift(y, DAYS, 7, 0, 180, online);
		fill_hours(y, HOURS, .1, 10);
		for (size_t i = 24 * 50 + 9; i < HOURS; i++)
			y[i] = floor(2 * y[i]);
		expect_shift(y, HOURS, 24, 168, 24 * 50 + 9, online);
	}
}

/* A shop that is closed on Sundays and at night is not out of order then. */
static void test_closed_slots(void **state)
{
	(void)state;
	double y[DAYS];
	fill_days(y, DAYS, .08, 11);
	for (size_t i = 6; i < DAYS; i += 7)
		y[i] = 0;
	struct anomaly_result r = run(y, DAYS, 7, 0, false);
	assert_int_equal(flags(&r, DAYS), 0);
	assert_close(r.steps[202].expected, 0, 0);
	y[202] = 800; /* a Sunday that sells */
	r = run(y, DAYS, 7, 0, false);
	assert_int_equal(flags(&r, DAYS), 1);
	assert_int_equal(r.steps[202].kind, ANOMALY_SPIKE);
}

/* Ten days shut are an outage, and teach nothing: the weeks after them are judged as before. */
static void test_a_holiday_of_the_shop(void **state)
{
	(void)state;
	double y[DAYS], shut[DAYS];
	fill_days(y, DAYS, .08, 11);
	for (size_t i = 6; i < DAYS; i += 7)
		y[i] = 0;
	y[260] *= 1.6;
	memcpy(shut, y, sizeof y);
	memset(shut + 210, 0, 10 * sizeof *shut);
	for (int online = 0; online < 2; online++) {
		struct anomaly_result before = run(y, DAYS, 7, 0, online),
							  r = run(shut, DAYS, 7, 0, online);
		assert_int_equal(flags(&before, DAYS), 1);
		assert_int_equal(flags(&r, DAYS), 1 + 9);
		assert_int_equal(r.incidents[0].kind, ANOMALY_OUTAGE);
		for (size_t i = 210; i < 220; i++)
			assert_true(r.steps[i].flagged == (i != 216));
		assert_true(r.steps[260].flagged);
		for (size_t i = 225; i < DAYS; i++)
			assert_true(r.steps[i].hi - r.steps[i].lo <
			            1.2 * (before.steps[i].hi - before.steps[i].lo) + 25);
	}
}

/* Christmas sells a third; from the second one on that is known. */
static void test_named_days(void **state)
{
	(void)state;
	enum { N = 3 * 365 };
	double y[N];
	struct forecast_special days[3];
	fill_days(y, N, .06, 12);
	for (int k = 0; k < 3; k++) {
		size_t at = 200 + 365 * (size_t)k;
		y[at] *= .33;
		days[k] = (struct forecast_special){20000 + (int32_t)at, "Fair"};
	}
	struct forecast_input input = {.y = y, .n = N, .period = {7, 0}};
	struct anomaly_result r = run_input(&input, NULL);
	assert_int_equal(flags(&r, N), 3);
	input.special = days, input.special_n = 3;
	input.step_s = DAY_S, input.start_s = 20000LL * DAY_S;
	r = run_input(&input, NULL);
	assert_int_equal(flags(&r, N), 0);
	assert_close(r.steps[930].expected, y[930], .15 * y[930]);
	struct anomaly_options online = {.online = true};
	r = run_input(&input, &online);
	assert_false(r.steps[565].flagged || r.steps[930].flagged);
	assert_true(r.steps[200].hi - r.steps[200].lo > 2 * (r.steps[199].hi - r.steps[199].lo));
	y[930] = 1500; /* and this time it is not */
	r = run_input(&input, NULL);
	assert_int_equal(flags(&r, N), 1);
	assert_true(r.steps[930].flagged);
}

static void test_few_orders_are_no_anomaly(void **state)
{
	(void)state;
	double y[HOURS];
	uint64_t seed = 13;
	size_t wrong = 0;
	for (int round = 0; round < 5; round++) {
		for (size_t i = 0; i < HOURS; i++) {
			double p = exp(-1.5), u = chance(&seed); /* Poisson, 1.5 an hour */
			y[i] = 0;
			while (u > p && y[i] < 20) {
				u -= p;
				p *= 1.5 / ++y[i];
			}
		}
		struct anomaly_result r = run(y, HOURS, 24, 168, false);
		wrong += flags(&r, HOURS);
	}
	assert_in_range(wrong, 0, 3);
	y[1000] = 25;
	assert_true(run(y, HOURS, 24, 168, false).steps[1000].flagged);
}

static void test_unknown_values(void **state)
{
	(void)state;
	double y[DAYS];
	fill_days(y, DAYS, .08, 14);
	for (size_t i = 100; i < 130; i++)
		y[i] = NAN;
	y[0] = NAN, y[DAYS - 1] = NAN, y[131] *= 2;
	for (int online = 0; online < 2; online++) {
		struct anomaly_result r = run(y, DAYS, 7, 0, online);
		assert_int_equal(flags(&r, DAYS), 1);
		assert_true(r.steps[131].flagged);
		assert_true(isnan(r.steps[110].actual) && r.steps[110].expected > 0);
	}
}

static void test_little_to_go_by(void **state)
{
	(void)state;
	double y[200] = {0};
	struct anomaly_result r = run(y, 200, 7, 0, false);
	assert_int_equal(flags(&r, 200), 0);
	for (int i = 0; i < 200; i++)
		y[i] = 42.5;
	r = run(y, 200, 24, 168, false);
	assert_int_equal(flags(&r, 200), 0);
	assert_close(r.steps[100].expected, 42.5, 1e-9);
	y[100] = 85;
	r = run(y, 200, 7, 0, false);
	assert_int_equal(flags(&r, 200), 1);
	y[100] = 42.5;
	for (size_t n = 1; n < 60; n++)
		for (int online = 0; online < 2; online++) {
			r = run(y, n, 24, 168, online);
			assert_int_equal(flags(&r, n), 0);
		}
	r = run(y, 7, 7, 0, false);
	assert_true(isnan(r.steps[6].expected));
}

/* Whatever comes in, what goes out is as the header says (see check_step). */
static void test_anything(void **state)
{
	(void)state;
	static const int periods[][2] = {{0, 0}, {7, 0}, {24, 168}, {288, 0}, {1, 0}, {24, 0}};
	static double y[900];
	uint64_t seed = 15;
	for (int round = 0; round < 300; round++) {
		size_t n = 1 + (size_t)(chance(&seed) * 899);
		double size = pow(10, 30 * chance(&seed) - 12), kind = chance(&seed);
		for (size_t i = 0; i < n; i++) {
			y[i] = size * (kind < .5 ? chance(&seed) : noise(&seed));
			if (chance(&seed) < .05)
				y[i] = chance(&seed) < .5 ? NAN : 0;
			else if (chance(&seed) < .02)
				y[i] *= 1e6;
		}
		y[0] = 0;
		const int *p = periods[round % 6];
		(void)run(y, n, p[0], p[1], round % 2);
	}
}

/* As far apart as numbers of a file may be. */
static void test_sizes_that_do_not_fit_each_other(void **state)
{
	(void)state;
	static const double sizes[] = {5e-324, 1e-160, 0, 1e30};
	static double y[400];
	uint64_t seed = 16;
	for (int round = 0; round < 200; round++) {
		size_t n = 8 + (size_t)(chance(&seed) * 390);
		for (size_t i = 0; i < n; i++)
			y[i] = round % 2 ? 1e-300 : sizes[(size_t)(chance(&seed) * 4)];
		if (round % 2)
			y[(size_t)(chance(&seed) * (double)n)] = -1e30;
		(void)run(y, n, round % 3 ? 7 : 0, 0, round % 5 == 0);
	}
}

static void refuse(const double *y, size_t n, int a, double sensitivity, const char *field)
{
	struct forecast_input input = {.y = y, .n = n, .period = {a, 168}};
	struct anomaly_options options = {.sensitivity = sensitivity};
	struct anomaly_result r;
	struct errbuf eb = {0};
	assert_int_equal(anomaly_run(&arena, &input, &options, 0, &r, &eb), ERR_INVALID);
	assert_string_equal(eb.field, field);
}

static void test_what_is_refused(void **state)
{
	(void)state;
	double y[] = {NAN, NAN, 1, INFINITY};
	refuse(y, 0, 24, 0, "history");
	refuse(y, 2, 24, 0, "history");
	refuse(y, 4, 24, 0, "history");
	refuse(y, 3, 25, 0, "period");
	refuse(y, 3, -24, 0, "period");
	refuse(y, 3, 24, .3, "sensitivity");
	refuse(y, 3, 24, NAN, "sensitivity");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_of(test_three_days),
		test_of(test_three_hours),
		test_of(test_the_first_days),
		test_of(test_health),
		test_of(test_sensitivity_widens_the_band),
		test_of(test_online_looks_at_nothing_ahead),
		test_of(test_one_alert_an_incident),
		test_of(test_neighbours_excuse),
		test_of(test_level_shifts),
		test_of(test_closed_slots),
		test_of(test_a_holiday_of_the_shop),
		test_of(test_named_days),
		test_of(test_few_orders_are_no_anomaly),
		test_of(test_unknown_values),
		test_of(test_little_to_go_by),
		test_of(test_anything),
		test_of(test_sizes_that_do_not_fit_each_other),
		test_of(test_what_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
