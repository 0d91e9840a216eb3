/* demo_random.c: splitmix64 and xoshiro256**. */
#include "batch/demo_random.h"

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

uint64_t demo_random_hash(int64_t seed, int64_t stream)
{
	uint64_t state = (uint64_t)seed;
	state = splitmix(&state) ^ (uint64_t)stream;
	return splitmix(&state);
}

void demo_random_init(struct demo_random *r, int64_t seed, int64_t stream)
{
	uint64_t state = demo_random_hash(seed, stream);
	for (int i = 0; i < 4; i++)
		r->s[i] = splitmix(&state);
}

static uint64_t next(struct demo_random *r)
{
	uint64_t *s = r->s;
	uint64_t result = rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

/* The modulo's bias is below one in 10^12 for the ranges used here. */
int64_t demo_random_below(struct demo_random *r, int64_t n)
{
	return (int64_t)(next(r) % (uint64_t)n);
}

int64_t demo_random_between(struct demo_random *r, int64_t lo, int64_t hi)
{
	return lo + demo_random_below(r, hi - lo + 1);
}

bool demo_random_chance(struct demo_random *r, int n)
{
	return demo_random_below(r, 10000) < n;
}

int64_t demo_random_bell(struct demo_random *r, int64_t spread)
{
	int64_t sum = 0;
	for (int i = 0; i < 4; i++)
		sum += demo_random_between(r, -spread, spread);
	return sum / 2;
}

int64_t demo_random_peak(struct demo_random *r, int64_t lo, int64_t hi)
{
	int64_t a = demo_random_between(r, lo, hi);
	int64_t b = demo_random_between(r, lo, hi);
	return (a + b) / 2;
}
