/* sequence_help.h: parts of sequences for tests, as bytes that end where their memory ends. */
#ifndef TAKINGS_TESTS_SEQUENCE_HELP_H
#define TAKINGS_TESTS_SEQUENCE_HELP_H

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "behaviour/sequence.h"

#define FIRST (UINT64_C(1) << 23)
#define NOT_FIRST (UINT64_C(1) << 22)
#define GONE (UINT64_C(1) << 21)
#define DAY_US INT64_C(86400000000)

enum { PART_WORDS = 256, DAY_ONE = 20000 };

/* A part that is being made. */
struct made {
	size_t people_n, n;
	uint64_t people[PART_WORDS], events[PART_WORDS], seqs[PART_WORDS], sessions[PART_WORDS],
		amounts[PART_WORDS];
	uint16_t dims[2][PART_WORDS];
};

static inline void made_word(struct made *m, uint64_t person, uint64_t flags)
{
	must(m->people_n < PART_WORDS);
	m->people[m->people_n++] = htobe64(person << 24 | flags);
}

/* Of the person of the last word; everything else follows from seq. */
static inline void made_event(struct made *m, int64_t us, unsigned type, uint64_t seq)
{
	must(m->n < PART_WORDS);
	m->people[m->people_n - 1] = htobe64(be64toh(m->people[m->people_n - 1]) + 1);
	m->events[m->n] = htobe64((uint64_t)us << 24 | (seq % 2) << 16 | type);
	m->seqs[m->n] = htobe64(seq);
	m->sessions[m->n] = htobe64(seq / 4);
	m->amounts[m->n] = htobe64(seq % 3 ? seq * 100 : UINT64_MAX);
	m->dims[0][m->n] = htobe16((uint16_t)(seq % 60000));
	m->dims[1][m->n] = htobe16((uint16_t)(seq % 7));
	m->n++;
}

static inline struct sequence_bytes exact(const void *p, size_t n)
{
	unsigned char *copy = malloc(n ? n : 1);
	must(copy != NULL);
	memcpy(copy, p, n);
	return (struct sequence_bytes){copy, n};
}

static inline struct sequence_part made_part(const struct made *m, int day)
{
	return (struct sequence_part){
		.day = DAY_ONE + day,
		.day_us = (DAY_ONE + day) * DAY_US,
		.people = exact(m->people, 8 * m->people_n),
		.events = exact(m->events, 8 * m->n),
		.seqs = exact(m->seqs, 8 * m->n),
		.sessions = exact(m->sessions, 8 * m->n),
		.amounts = exact(m->amounts, 8 * m->n),
		.dims = {exact(m->dims[0], 2 * m->n), exact(m->dims[1], 2 * m->n)},
	};
}

static inline void part_free(struct sequence_part *p)
{
	const struct sequence_bytes all[] = {p->people,  p->events,  p->seqs,   p->sessions,
	                                     p->amounts, p->dims[0], p->dims[1]};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		free((void *)(uintptr_t)all[i].at);
	*p = (struct sequence_part){0};
}

static inline struct sequence_wanted everything(void)
{
	return (struct sequence_wanted){.events = true,
	                                .sessions = true,
	                                .amounts = true,
	                                .dims_n = 2,
	                                .from_us = INT64_MIN,
	                                .to_us = INT64_MAX};
}

#endif
