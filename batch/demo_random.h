/* demo_random.h: chance from a number, the same on every machine.
 *
 * splitmix64 seeds xoshiro256** (Blackman and Vigna, "Scrambled linear
 * pseudorandom number generators", 2018). Only integers: floating point and libm
 * may differ between machines, and the demo data must not. */
#ifndef TAKINGS_BATCH_DEMO_RANDOM_H
#define TAKINGS_BATCH_DEMO_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct demo_random {
	uint64_t s[4];
};

/* Streams of one seed are independent of each other. */
void demo_random_init(struct demo_random *r, int64_t seed, int64_t stream);

/* One value of a stream without a generator. */
uint64_t demo_random_hash(int64_t seed, int64_t stream);

/* 0..n-1; n > 0. */
int64_t demo_random_below(struct demo_random *r, int64_t n);

/* lo..hi, both included. */
int64_t demo_random_between(struct demo_random *r, int64_t lo, int64_t hi);

/* True in `n` of 10,000 cases. */
bool demo_random_chance(struct demo_random *r, int n);

/* About normal around 0, never beyond 2 * spread, standard deviation 0.58 * spread. */
int64_t demo_random_bell(struct demo_random *r, int64_t spread);

/* lo..hi, most often in the middle (the mean of two draws). */
int64_t demo_random_peak(struct demo_random *r, int64_t lo, int64_t hi);

#endif
