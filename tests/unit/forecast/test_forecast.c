/* test_forecast.c: what the engine makes of a series, and what it refuses. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "forecast/forecast.h"
#include "forecast/team.h"
#include "made_up.h"

enum { YEAR = 365, DAY_S = 86400, HOUR_S = 3600, MARCH = 14669 /* 2010-03-01 */ };

static struct forecast_input days_of(const double *y, size_t n, size_t horizon)
{
	return (struct forecast_input){
		.y = y, .n = n, .period = {7, 0}, .horizon = horizon, .step_s = DAY_S};
}

static void check_point(const struct forecast_point *p, bool nonnegative)
{
	assert_true(isfinite(p->lo95) && isfinite(p->hi95));
	assert_true(p->lo95 <= p->lo80 && p->lo80 <= p->point);
	assert_true(p->point <= p->hi80 && p->hi80 <= p->hi95);
	assert_true(!nonnegative || p->lo95 >= 0);
	assert_close(p->base + p->season + p->trend + p->holiday, p->point,
	             1e-9 * (1 + fabs(p->base) + fabs(p->point)));
}

/* What is true of every forecast. */
static void check(const struct forecast_input *input, const struct forecast *f)
{
	double sum = 0, weights = 0;
	bool nonnegative = true;
	for (size_t t = 0; t < input->n; t++)
		nonnegative = nonnegative && !(input->y[t] < 0);
	assert_int_equal(f->n_points, input->horizon);
	for (size_t h = 0; h < input->horizon; h++) {
		const struct forecast_point *p = &f->points[h];
		check_point(p, nonnegative);
		assert_true(isfinite(f->naive[h]));
		assert_true(!p->closed || (p->point == 0 && p->lo95 == 0 && p->hi95 == 0));
		sum += p->point;
	}
	check_point(&f->total, nonnegative);
	assert_close(f->total.point, sum, 1e-9 * (1 + fabs(sum)));
	for (size_t i = 0; i < f->weights_n; i++) {
		assert_true(i == 0 || f->weights[i].weight <= f->weights[i - 1].weight);
		weights += f->weights[i].weight;
	}
	assert_close(weights, 1, 1e-9);
	assert_true(f->n_used <= input->n);
}

static struct forecast run(const struct forecast_input *input)
{
	struct forecast f;
	struct errbuf eb = {0};
	assert_int_equal(forecast_run(&arena, input, &f, &eb), ERR_OK);
	check(input, &f);
	return f;
}

static struct forecast run_days(const double *y, size_t n, size_t horizon)
{
	struct forecast_input input = days_of(y, n, horizon);
	return run(&input);
}

/* A week of fill_days without noise. */
static double usual(size_t t)
{
	double week[7];
	fill_days(week, 7, 0, 1);
	return week[t % 7];
}

static void assert_usual(const struct forecast *f, size_t n, double times, double within)
{
	for (size_t h = 0; h < f->n_points; h++)
		assert_close(f->points[h].point, times * usual(n + h), within * times * usual(n + h));
}

/* ---- ordinary days and hours ------------------------------------------------------- */

static void test_days_go_on(void **state)
{
	(void)state;
	double y[YEAR];
	fill_days(y, YEAR, .05, 1);
	struct forecast f = run_days(y, YEAR, 28);
	assert_usual(&f, YEAR, 1, .06);
	assert_string_equal(f.model, "ensemble");
	assert_int_equal(f.flags, 0);
	assert_int_equal(f.n_used, YEAR);
	assert_int_equal(f.backtest.folds, 13);
	assert_true(f.backtest.wape < .07 && f.backtest.wape < f.backtest.naive_wape);
	assert_true(f.backtest.mase < f.backtest.naive_mase);
	assert_true(fabs(f.backtest.bias) < .02);
	assert_true(f.backtest.coverage80 > .65 && f.backtest.coverage95 > .85);
	assert_true(f.backtest.coverage80 <= f.backtest.coverage95 && f.backtest.coverage95 <= 1);
	for (size_t h = 0; h < 28; h++)
		assert_true(f.naive[h] == y[YEAR - 7 + h % 7]);
}

/* Errors of days that do not share them even out: the total is surer than its days. */
static void test_the_total_has_bands_of_its_own(void **state)
{
	(void)state;
	double y[YEAR], wide80 = 0, wide95 = 0;
	fill_days(y, YEAR, .1, 2);
	struct forecast f = run_days(y, YEAR, 28);
	for (size_t h = 0; h < 28; h++) {
		wide80 += f.points[h].hi80 - f.points[h].lo80;
		wide95 += f.points[h].hi95 - f.points[h].lo95;
	}
	assert_true(f.total.hi80 - f.total.lo80 < wide80 / 2);
	assert_true(f.total.hi95 - f.total.lo95 < wide95 / 2);
	assert_true(f.total.hi95 - f.total.lo95 > 0);
}

/* The wider the noise, the wider the bands. */
static void test_bands_know_the_noise(void **state)
{
	(void)state;
	double calm[YEAR], wild[YEAR];
	fill_days(calm, YEAR, .02, 3);
	fill_days(wild, YEAR, .2, 3);
	struct forecast a = run_days(calm, YEAR, 14), b = run_days(wild, YEAR, 14);
	for (size_t h = 0; h < 14; h++)
		assert_true(b.points[h].hi80 - b.points[h].lo80 >
		            5 * (a.points[h].hi80 - a.points[h].lo80));
}

static void test_hours_have_two_seasons(void **state)
{
	(void)state;
	enum { N = 8 * 168 };
	double y[N];
	fill_hours(y, N, .1, 4);
	struct forecast_input input = {
		.y = y, .n = N, .period = {24, 168}, .horizon = 168, .step_s = HOUR_S};
	struct forecast f = run(&input);
	assert_int_equal(f.flags, FORECAST_CLOSED_SLOTS);
	for (size_t h = 0; h < 168; h++) {
		size_t hour = h % 24;
		assert_int_equal(f.points[h].closed, hour < 8 || hour > 21);
		if (hour >= 10 && hour <= 19)
			assert_close(f.points[h].point,
			             (h / 24 == 6 ? 50 : 100) * sin(((double)hour - 7) / 15 * 3.14159), 16);
	}
}

static void test_below_zero_there_is_no_floor(void **state)
{
	(void)state;
	double y[YEAR];
	fill_days(y, YEAR, .1, 5);
	for (size_t t = 0; t < YEAR; t++)
		y[t] -= 3000;
	struct forecast f = run_days(y, YEAR, 7);
	for (size_t h = 0; h < 7; h++)
		assert_true(f.points[h].hi95 < -1000);
}

enum { NUMBERS = 9 };

static double *numbers_of(const struct forecast *f)
{
	double *all = arena_array(&arena, f->n_points, NUMBERS * sizeof *all);
	for (size_t h = 0; h < f->n_points; h++) {
		const struct forecast_point *p = &f->points[h];
		const double one[NUMBERS] = {p->point, p->lo80,   p->hi80,  p->lo95,   p->hi95,
		                             p->base,  p->season, p->trend, p->holiday};
		memcpy(&all[h * NUMBERS], one, sizeof one);
	}
	return all;
}

struct crowd {
	const struct forecast_input *input;
	struct arena arena[8];
	struct forecast out[8];
};

static void run_one(size_t i, void *arg)
{
	struct crowd *c = arg;
	struct errbuf eb = {0};
	if (forecast_run(&c->arena[i], c->input, &c->out[i], &eb) != ERR_OK)
		c->out[i].n_points = 0;
}

static void test_the_same_bits_from_every_thread(void **state)
{
	(void)state;
	double y[YEAR];
	fill_days(y, YEAR, .2, 6);
	struct forecast_input input = days_of(y, YEAR, 14);
	struct forecast f = run(&input);
	struct crowd crowd = {.input = &input};
	double *want = numbers_of(&f);
	for (size_t i = 0; i < 8; i++)
		arena_init(&crowd.arena[i]);
	team_run(8, 4, run_one, &crowd);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(crowd.out[i].n_points, 14);
		assert_memory_equal(numbers_of(&crowd.out[i]), want, 14 * NUMBERS * sizeof *want);
		arena_fini(&crowd.arena[i]);
	}
}

/* ---- what is not ordinary ------------------------------------------------------------ */

static void test_a_closed_weekday_stays_closed(void **state)
{
	(void)state;
	double y[YEAR];
	fill_days(y, YEAR, .05, 7);
	for (size_t t = 0; t < YEAR; t++)
		y[t] = t % 7 == 2 ? 0 : y[t];
	struct forecast f = run_days(y, YEAR, 14);
	assert_int_equal(f.flags, FORECAST_CLOSED_SLOTS);
	for (size_t h = 0; h < 14; h++) {
		assert_int_equal(f.points[h].closed, (YEAR + h) % 7 == 2);
		if (!f.points[h].closed)
			assert_close(f.points[h].point, usual(YEAR + h), .06 * usual(YEAR + h));
	}
}

/* A horizon of closed days alone is known, however short it is. */
static void test_only_a_closed_day_ahead(void **state)
{
	(void)state;
	double y[YEAR];
	fill_days(y, YEAR, .05, 7);
	for (size_t t = 0; t < YEAR; t++)
		y[t] = t % 7 == YEAR % 7 ? 0 : y[t];
	struct forecast f = run_days(y, YEAR, 1);
	assert_true(f.points[0].closed && f.total.point == 0 && f.total.hi95 == 0);
	assert_int_equal(f.flags, FORECAST_CLOSED_SLOTS);
}

/* What is reopened is no longer closed, and chance closes nothing. */
static void test_what_is_not_closed(void **state)
{
	(void)state;
	double y[YEAR];
	uint64_t seed = 8;
	fill_days(y, YEAR, .05, 7);
	for (size_t t = 0; t + 7 < YEAR; t++)
		y[t] = t % 7 == 2 ? 0 : y[t];
	struct forecast f = run_days(y, YEAR, 7);
	assert_false(f.flags & FORECAST_CLOSED_SLOTS);
	for (size_t t = 0; t < YEAR; t++)
		y[t] = chance(&seed) < .7 ? 0 : 5;
	f = run_days(y, YEAR, 7);
	assert_int_equal(f.flags & (FORECAST_CLOSED_SLOTS | FORECAST_INTERMITTENT),
	                 FORECAST_INTERMITTENT);
}

static void test_a_wild_day_teaches_nothing(void **state)
{
	(void)state;
	double y[YEAR];
	fill_days(y, YEAR, .05, 9);
	struct forecast before = run_days(y, YEAR, 14);
	y[YEAR - 10] *= 1000;
	y[YEAR - 40] = 0;
	struct forecast after = run_days(y, YEAR, 14);
	for (size_t h = 0; h < 14; h++)
		assert_close(after.points[h].point, before.points[h].point, .05 * before.points[h].point);
}

static void test_a_new_level_is_followed(void **state)
{
	(void)state;
	double y[YEAR];
	fill_days(y, YEAR, .05, 10);
	for (size_t t = YEAR - 21; t < YEAR; t++)
		y[t] *= 2;
	struct forecast f = run_days(y, YEAR, 14);
	assert_usual(&f, YEAR, 2, .2);
	assert_true(f.flags & FORECAST_LEVEL_SHIFT);
}

static void test_what_mostly_is_nothing(void **state)
{
	(void)state;
	double y[YEAR], sum = 0;
	uint64_t seed = 11;
	for (size_t t = 0; t < YEAR; t++)
		sum += y[t] = chance(&seed) < .6 ? 0 : 10;
	struct forecast f = run_days(y, YEAR, 7);
	assert_true(f.flags & FORECAST_INTERMITTENT);
	/* The least absolute error would be to say 0 for ever. */
	assert_close(f.total.point / 7, sum / YEAR, sum / YEAR / 2);
}

static void test_unknown_values_are_filled_in(void **state)
{
	(void)state;
	double y[YEAR];
	fill_days(y, YEAR, .05, 12);
	for (size_t t = 0; t < YEAR; t += 5)
		y[t] = NAN;
	for (size_t t = YEAR - 5; t < YEAR; t++)
		y[t] = NAN;
	struct forecast f = run_days(y, YEAR, 7);
	assert_int_equal(f.flags, FORECAST_FILLED);
	assert_usual(&f, YEAR, 1, .08);
	for (size_t h = 0; h < 7; h++) { /* the newest known one of the weekday */
		size_t t = YEAR + h - 7;
		while (isnan(y[t]))
			t -= 7;
		assert_true(f.naive[h] == y[t]);
	}
}

static void test_nothing_before_the_first_sale(void **state)
{
	(void)state;
	double y[YEAR] = {NAN};
	fill_days(y + 200, YEAR - 200, .05, 13);
	struct forecast f = run_days(y, YEAR, 7);
	assert_int_equal(f.n_used, YEAR - 200);
	assert_false(f.flags & (FORECAST_LEVEL_SHIFT | FORECAST_INTERMITTENT | FORECAST_FILLED));
}

static void test_what_is_constant(void **state)
{
	(void)state;
	double y[60];
	for (size_t t = 0; t < 60; t++)
		y[t] = 12;
	struct forecast f = run_days(y, 60, 7);
	assert_int_equal(f.flags, FORECAST_CONSTANT);
	assert_string_equal(f.model, "constant");
	for (size_t h = 0; h < 7; h++)
		assert_true(f.points[h].lo95 == 12 && f.points[h].hi95 == 12);
	memset(y, 0, sizeof y);
	f = run_days(y, 60, 7);
	assert_true(f.total.hi95 == 0);
}

/* ---- named days ---------------------------------------------------------------------- */

enum { THREE_YEARS = 3 * YEAR, FAIR = 8 /* the step of the next one */ };

/* A fair that is on another Friday each year, and takes `times` as much. */
static void hold_fairs(double *y, struct forecast_special *fairs, double times)
{
	static const int at[] = {130, YEAR + 150, 2 * YEAR + 121, THREE_YEARS + FAIR};
	fill_days(y, THREE_YEARS, .05, 14);
	for (size_t k = 0; k < 4; k++) {
		fairs[k] = (struct forecast_special){MARCH + at[k], "fair"};
		if (at[k] < THREE_YEARS)
			y[at[k]] *= times;
	}
}

static struct forecast run_fairs(const double *y, const struct forecast_special *fairs, size_t n)
{
	struct forecast_input input = days_of(y, THREE_YEARS, 14);
	input.start_s = (int64_t)MARCH * DAY_S;
	input.special = fairs;
	input.special_n = n;
	return run(&input);
}

static void test_a_moving_day_is_foreseen(void **state)
{
	(void)state;
	double y[THREE_YEARS];
	struct forecast_special fairs[4];
	hold_fairs(y, fairs, 3);
	struct forecast f = run_fairs(y, fairs, 4);
	assert_true(f.flags & FORECAST_HOLIDAYS);
	for (size_t h = 0; h < 14; h++) {
		const struct forecast_point *p = &f.points[h];
		double day = usual(THREE_YEARS + h);
		if (h != FAIR) {
			assert_null(p->special);
			assert_close(p->point, day, .1 * day);
			continue;
		}
		assert_string_equal(p->special, "fair");
		assert_in_band(p->point, 2.3 * day, 3.4 * day);
		assert_in_band(p->holiday, 1.3 * day, 2.4 * day);
	}
	/* Without the fair ahead it is a day like others. */
	f = run_fairs(y, fairs, 3);
	assert_false(f.flags & FORECAST_HOLIDAYS);
	assert_close(f.points[FAIR].point, usual(THREE_YEARS + FAIR), .1 * usual(THREE_YEARS + FAIR));
}

static void test_a_name_nobody_knows_adds_nothing(void **state)
{
	(void)state;
	double y[THREE_YEARS];
	struct forecast_special fairs[4];
	hold_fairs(y, fairs, 3);
	struct forecast f = run_fairs(y, &fairs[3], 1);
	assert_string_equal(f.points[FAIR].special, "fair");
	assert_close(f.points[FAIR].point, usual(THREE_YEARS + FAIR), .1 * usual(THREE_YEARS + FAIR));
}

/* Thousands of names, most of them of other times: what there is to learn is found at once. */
static void test_more_names_than_anybody_has(void **state)
{
	(void)state;
	enum { MANY = 5000 };
	static char names[MANY][16];
	double y[THREE_YEARS];
	struct forecast_special fairs[4], *all = arena_array(&arena, MANY + 4, sizeof *all);
	hold_fairs(y, fairs, 3);
	memcpy(all, fairs, sizeof fairs);
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(names[i], sizeof names[i], "n%d", i);
		all[4 + i] = (struct forecast_special){MARCH - 3000 + i, names[i]};
	}
	struct forecast f = run_fairs(y, all, MANY + 4);
	assert_string_equal(f.points[FAIR].special, "fair");
	assert_true(f.points[FAIR].holiday > 0);
}

static void test_a_day_that_always_is_shut(void **state)
{
	(void)state;
	double y[THREE_YEARS];
	struct forecast_special fairs[4];
	hold_fairs(y, fairs, 0);
	struct forecast f = run_fairs(y, fairs, 4);
	for (size_t h = 0; h < 14; h++)
		assert_int_equal(f.points[h].closed, h == FAIR);
	assert_string_equal(f.points[FAIR].special, "fair");
	assert_true(f.points[FAIR].holiday < 0);
}

/* ---- short histories ------------------------------------------------------------------- */

static void test_how_long_a_history_must_be(void **state)
{
	(void)state;
	double y[60];
	fill_days(y, 60, .05, 15);
	assert_string_equal(run_days(y, 60, 30).model, "ensemble");
	assert_false(run_days(y, 60, 30).flags & FORECAST_SHORT_HISTORY);
	struct forecast f = run_days(y, 28, 30); /* the least for a month */
	assert_true(f.flags & FORECAST_SHORT_HISTORY);
	assert_usual(&f, 28, 1, .2);
	f = run_days(y, 13, 7);
	assert_string_equal(f.model, "slot mean");
	f = run_days(y, 5, 7);
	assert_string_equal(f.model, "mean");
	assert_int_equal(f.backtest.folds, 0);
	assert_true(isnan(f.backtest.wape) && isnan(f.backtest.coverage80));
	assert_true(f.points[0].hi80 > f.points[0].lo80);
	f = run_days(y, 1, 14);
	assert_string_equal(f.model, "constant");
	assert_true(f.points[13].point == y[0] && f.points[13].hi80 > y[0]);
}

static void refuse(const struct forecast_input *input, const char *field, const char *words)
{
	struct forecast f;
	struct errbuf eb = {0};
	assert_int_equal(forecast_run(&arena, input, &f, &eb), ERR_INVALID);
	assert_string_equal(eb.field, field);
	assert_non_null(strstr(eb.text, words));
}

static void test_what_is_refused(void **state)
{
	(void)state;
	double y[60], none[60];
	fill_days(y, 60, .05, 16);
	for (size_t t = 0; t < 60; t++)
		none[t] = NAN;
	struct forecast_input in = days_of(y, 27, 30);
	refuse(&in, "horizon", "30 days need 28 of history, there are 27");
	in = days_of(y, 60, 0);
	refuse(&in, "horizon", "1 to 1000");
	in = days_of(y, 60, FORECAST_HORIZON_MAX + 1);
	refuse(&in, "horizon", "1 to 1000");
	in = days_of(none, 60, 7);
	refuse(&in, "history", "no value");
	in = days_of(y, 0, 7);
	refuse(&in, "history", "no value");
	in = (struct forecast_input){
		.y = y, .n = 47, .period = {24, 168}, .horizon = 24, .step_s = HOUR_S};
	refuse(&in, "history", "hours need 48 of history, there are 47");
	in = days_of(y, 60, 7);
	in.period[0] = -1;
	refuse(&in, "period", "0 to 1000");
	in.period[0] = 24, in.period[1] = 24;
	refuse(&in, "period", "longer");
	y[59] = -INFINITY;
	in = days_of(y, 60, 7);
	refuse(&in, "history", "value 60 is infinite");
}

/* Of the days that are looked at none is known, though older ones are. */
static void test_a_past_too_long_ago(void **state)
{
	(void)state;
	enum { N = FORECAST_DAYS_USED + 10 };
	double *y = arena_array(&arena, N, sizeof *y);
	for (size_t t = 0; t < N; t++)
		y[t] = t < 10 ? 5 : NAN;
	struct forecast_input in = days_of(y, N, 7);
	refuse(&in, "history", "no value");
	y[10] = 5;
	assert_int_equal(run(&in).n_used, FORECAST_DAYS_USED);
}

static void test_flags_have_names(void **state)
{
	(void)state;
	assert_string_equal(forecast_flag_name(FORECAST_SHORT_HISTORY), "short_history");
	assert_string_equal(forecast_flag_name(FORECAST_NAIVE_BETTER), "naive_better");
	assert_null(forecast_flag_name(FORECAST_NAIVE_BETTER << 1));
	assert_null(forecast_flag_name(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_of(test_days_go_on),
		test_of(test_the_total_has_bands_of_its_own),
		test_of(test_bands_know_the_noise),
		test_of(test_hours_have_two_seasons),
		test_of(test_below_zero_there_is_no_floor),
		test_of(test_the_same_bits_from_every_thread),
		test_of(test_a_closed_weekday_stays_closed),
		test_of(test_only_a_closed_day_ahead),
		test_of(test_what_is_not_closed),
		test_of(test_a_wild_day_teaches_nothing),
		test_of(test_a_new_level_is_followed),
		test_of(test_what_mostly_is_nothing),
		test_of(test_unknown_values_are_filled_in),
		test_of(test_nothing_before_the_first_sale),
		test_of(test_what_is_constant),
		test_of(test_a_moving_day_is_foreseen),
		test_of(test_a_name_nobody_knows_adds_nothing),
		test_of(test_more_names_than_anybody_has),
		test_of(test_a_day_that_always_is_shut),
		test_of(test_how_long_a_history_must_be),
		test_of(test_what_is_refused),
		test_of(test_a_past_too_long_ago),
		test_of(test_flags_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
