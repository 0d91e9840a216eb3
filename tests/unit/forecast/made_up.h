/* made_up.h: series for the tests: the same on every machine; and an arena for each test. */
#ifndef TAKINGS_TEST_MADE_UP_H
#define TAKINGS_TEST_MADE_UP_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

static struct arena arena;

static inline int begin(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static inline int end(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

#define test_of(f) cmocka_unit_test_setup_teardown(f, begin, end)

/* cmocka's own takes floats. */
#define assert_close(got, want, by) assert_true(fabs((got) - (want)) <= (by))
#define assert_in_band(got, lo, hi) assert_true((got) >= (lo) && (got) <= (hi))

/* Uniform in 0..1, after Knuth's MMIX generator. */
static inline double chance(uint64_t *state)
{
	*state = *state * 6364136223846793005U + 1442695040888963407U;
	return (double)(*state >> 11) / 9007199254740992.0;
}

/* About normal, deviation 1. */
static inline double noise(uint64_t *state)
{
	double sum = -6;
	for (int i = 0; i < 12; i++)
		sum += chance(state);
	return sum;
}

/* A shop's days: about 1000, weekends busier, with noise of `share`. */
static inline void fill_days(double *y, size_t n, double share, uint64_t seed)
{
	static const double week[] = {.8, .85, .9, 1, 1.2, 1.4, .85};
	for (size_t i = 0; i < n; i++)
		y[i] = 1000 * week[i % 7] * (1 + share * noise(&seed));
}

/* Hours: nothing at night, 100 at noon, less on Sundays. */
static inline void fill_hours(double *y, size_t n, double share, uint64_t seed)
{
	for (size_t i = 0; i < n; i++) {
		double hour = (double)(i % 24);
		double open = hour < 8 || hour > 21 ? 0 : 100 * sin((hour - 7) / 15 * 3.14159);
		y[i] = floor(open * (i / 24 % 7 == 6 ? .5 : 1) * (1 + share * noise(&seed)));
	}
}

#endif
