/* sequences.c: how fast parts become people with their events in order, on one processor:
 * sequences EVENTS_OF_A_SHARD_AND_DAY DAYS PEOPLE_OF_A_SHARD EVENTS_OF_A_PERSON_AND_DAY */
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/num.h"
#include "behaviour/sequence.h"

enum { DAY_MOST = 400, TYPES = 8192 };

static uint64_t state = 88172645463325252u;

static uint64_t random_next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static struct sequence_bytes bytes(const void *at, size_t n)
{
	return (struct sequence_bytes){at, n};
}

/* A day of a shard: `people_n` of `all_n`, each with about `each` events. */
static struct sequence_part make(int day, size_t events_n, uint64_t all_n, size_t each)
{
	size_t people_n = events_n / each, n = 0, m = 0;
	uint64_t *people = mem_alloc(people_n * 8), *ids = mem_alloc(people_n * 8);
	uint64_t *events = mem_alloc(2 * each * people_n * 8),
			 *beside = mem_alloc(2 * each * people_n * 8);
	uint16_t *dim = mem_alloc(2 * each * people_n * 2);
	for (size_t i = 0; i < people_n; i++)
		ids[i] = random_next() % all_n * SEQUENCE_SHARDS + 7;
	qsort(ids, people_n, 8, compare);
	for (size_t i = 0; i < people_n; i++) {
		if (i && ids[i] == ids[i - 1])
			continue;
		uint64_t k = 1 + random_next() % (2 * each - 1), at = random_next() % 80000000000;
		people[m++] = htobe64(ids[i] << 24 | k);
		for (uint64_t e = 0; e < k; e++, at += random_next() % 60000000, n++) {
			events[n] = htobe64(at << 24 | random_next() % 12);
			beside[n] = htobe64(ids[i] * 77);
			dim[n] = htobe16((uint16_t)(random_next() % 50));
		}
	}
	free(ids);
	return (struct sequence_part){.day = day,
	                              .day_us = day * INT64_C(86400000000),
	                              .people = bytes(people, m * 8),
	                              .events = bytes(events, n * 8),
	                              .seqs = bytes(beside, n * 8),
	                              .sessions = bytes(beside, n * 8),
	                              .amounts = bytes(beside, n * 8),
	                              .dims = {bytes(dim, n * 2), bytes(dim, n * 2)}};
}

static void run(const char *name, const struct sequence_part *parts, size_t n,
                const struct sequence_wanted *wanted)
{
	struct sequence_set *s = sequence_set_new();
	struct errbuf eb = {0};
	size_t events_n = 0, people_n = 0;
	int64_t best_us = INT64_MAX;
	for (size_t i = 0; i < n; i++) {
		events_n += parts[i].events.n / 8;
		people_n += parts[i].people.n / 8;
	}
	for (int i = 0; i < 50; i++) {
		int64_t at_us = clock_mono_us();
		must(sequence_set_fill(s, parts, n, wanted, &eb) == ERR_OK);
		int64_t took_us = clock_mono_us() - at_us;
		best_us = took_us < best_us ? took_us : best_us;
	}
	printf("%-28s %8.0f us  %6.1f million events/s  %6.1f million person-days/s  %zu people, %.1f "
	       "MB\n",
	       name, (double)best_us, (double)events_n / (double)best_us,
	       (double)people_n / (double)best_us, sequence_set_people(s),
	       (double)sequence_set_bytes(s) / 1e6);
	sequence_set_free(s);
}

int main(int argc, char **argv)
{
	int64_t v[] = {3500, 37, 31250, 3};
	static unsigned char types[TYPES];
	struct sequence_part parts[DAY_MOST] = {0};
	for (int i = 1; i < argc && i < 5; i++)
		must(num_parse_int(argv[i], 1, 100000000, &v[i - 1]));
	must(v[1] <= DAY_MOST);
	for (int i = 0; i < v[1]; i++)
		parts[i] = make(20000 + i, (size_t)v[0], (uint64_t)v[2], (size_t)v[3]);
	types[0] = 0x56; /* a few of them */
	struct sequence_wanted w = {.from_us = INT64_MIN / 2, .to_us = INT64_MAX / 2};
	size_t n = (size_t)v[1];
	run("days alone", parts, n, &w);
	w.events = true;
	run("events", parts, n, &w);
	w.types = types;
	run("events of some types", parts, n, &w);
	w.types = NULL;
	w.sessions = w.amounts = true;
	w.dims_n = 2;
	run("events with everything", parts, n, &w);
	return 0;
}
