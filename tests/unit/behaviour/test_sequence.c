/* test_sequence.c: parts of sequences become people with their events in order. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sequence_help.h"

enum { DAYS = 6, PEOPLE = 12, EVENTS_MOST = 2000, ROUNDS = 400 };

static uint64_t state_of_chance;

static uint64_t chance(uint64_t n)
{
	state_of_chance ^= state_of_chance << 13;
	state_of_chance ^= state_of_chance >> 7;
	state_of_chance ^= state_of_chance << 17;
	return state_of_chance % n;
}

static bool find(const struct sequence_set *s, int64_t person_id, struct sequence *q)
{
	bool found = false;
	for (size_t i = 0; i < sequence_set_people(s); i++) {
		struct sequence one;
		sequence_set_get(s, i, &one);
		if (one.person_id != person_id)
			continue;
		assert_false(found); /* each is there once */
		found = true;
		*q = one;
	}
	return found;
}

static struct sequence_set *fill(const struct sequence_part *parts, size_t n,
                                 const struct sequence_wanted *wanted)
{
	struct sequence_set *s = sequence_set_new();
	struct errbuf eb = {0};
	if (sequence_set_fill(s, parts, n, wanted, &eb) != ERR_OK)
		fail_msg("%s", eb.text);
	return s;
}

static void free_all(struct sequence_set *s, struct sequence_part *parts, size_t n)
{
	sequence_set_free(s);
	for (size_t i = 0; i < n; i++)
		part_free(&parts[i]);
}

/* ---- examples ------------------------------------------------------------------------- */

static void test_reads_every_column(void **state)
{
	(void)state;
	struct made m = {0};
	struct sequence q;
	const struct sequence_wanted w = everything();
	made_word(&m, 3, FIRST);
	made_event(&m, 5, 65535, 4);
	made_event(&m, 5, 1, 7);
	made_word(&m, 35, 0);
	made_event(&m, DAY_US - 1, 9, 6);
	struct sequence_part p = made_part(&m, 0);
	struct sequence_set *s = fill(&p, 1, &w);
	assert_int_equal(sequence_set_people(s), 2);
	assert_true(find(s, 3, &q));
	assert_int_equal(q.first_day, DAY_ONE);
	assert_int_equal(q.days_n, 1);
	assert_int_equal(q.days[0], DAY_ONE);
	assert_int_equal(q.n, 2);
	assert_int_equal(q.at_us[0], DAY_ONE * DAY_US + 5);
	assert_int_equal(q.type[0], SEQUENCE_OTHER);
	assert_int_equal(q.type[1], 1);
	assert_false(q.said[0]);
	assert_true(q.said[1]);
	assert_int_equal(q.session[1], 1);
	assert_int_equal(q.amount[0], 400);
	assert_int_equal(q.dims[0][1], 7);
	assert_int_equal(q.dims[1][1], 0);
	assert_null(q.dims[2]);
	assert_true(find(s, 35, &q));
	assert_int_equal(q.first_day, INT32_MIN);
	assert_int_equal(q.at_us[0], (DAY_ONE + 1) * DAY_US - 1);
	assert_int_equal(q.amount[0], SEQUENCE_UNPRICED);
	assert_true(sequence_set_bytes(s) > 0);
	free_all(s, &p, 1);
}

static void test_asks_for_no_more_than_it_needs(void **state)
{
	(void)state;
	struct made m = {0};
	struct sequence q;
	struct sequence_wanted w = {.from_us = INT64_MIN, .to_us = INT64_MAX};
	made_word(&m, 3, FIRST);
	made_event(&m, 5, 1, 4);
	struct sequence_part p = made_part(&m, 0), bare;
	bare = (struct sequence_part){.day = p.day, .day_us = p.day_us, .people = p.people};
	struct sequence_set *s = fill(&bare, 1, &w);
	assert_true(find(s, 3, &q));
	assert_int_equal(q.days_n, 1);
	assert_int_equal(q.n, 0);
	sequence_set_free(s);
	/* Events that are not kept any more, too; and values that none of them has. */
	w = everything();
	s = fill(&bare, 1, &w);
	assert_true(find(s, 3, &q));
	assert_int_equal(q.days_n, 1);
	assert_int_equal(q.n, 0);
	sequence_set_free(s);
	bare.events = p.events;
	bare.sessions = p.sessions;
	s = fill(&bare, 1, &w);
	assert_true(find(s, 3, &q));
	assert_int_equal(q.n, 1);
	assert_int_equal(q.amount[0], SEQUENCE_UNPRICED);
	assert_int_equal(q.dims[1][0], 0);
	free_all(s, &p, 1);
}

/* Two parts of a day, the second with what came late; equal times go by seq. */
static void test_merges_the_parts_of_a_day(void **state)
{
	(void)state;
	struct made a = {0}, b = {0}, c = {0};
	struct sequence q;
	const struct sequence_wanted w = everything();
	made_word(&a, 1, 0);
	made_event(&a, 10, 1, 100);
	made_event(&a, 30, 2, 101);
	made_event(&a, 30, 3, 105);
	made_word(&b, 1, 0);
	made_event(&b, 5, 4, 110);
	made_event(&b, 30, 5, 103);
	made_word(&c, 1, 0);
	made_event(&c, 1, 6, 1);
	struct sequence_part parts[] = {made_part(&a, 0), made_part(&b, 0), made_part(&c, 1)};
	struct sequence_set *s = fill(parts, 3, &w);
	static const uint16_t types[] = {4, 1, 2, 5, 3, 6};
	static const uint16_t seqs[] = {110, 100, 101, 103, 105, 1};
	assert_true(find(s, 1, &q));
	assert_int_equal(q.n, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(q.type[i], types[i]);
		assert_int_equal(q.dims[0][i], seqs[i]);
		assert_int_equal(q.session[i], seqs[i] / 4);
		assert_int_equal(q.said[i], seqs[i] % 2);
	}
	assert_int_equal(q.days_n, 2);
	free_all(s, parts, 3);
}

/* However a part came to be. */
static void test_sorts_what_is_out_of_order(void **state)
{
	(void)state;
	struct made m = {0};
	struct sequence q;
	const struct sequence_wanted w = everything();
	made_word(&m, 1, 0);
	made_event(&m, 30, 3, 1);
	made_event(&m, 10, 1, 2);
	made_word(&m, 1, 0);
	made_event(&m, 20, 2, 3);
	struct sequence_part p = made_part(&m, 0);
	struct sequence_set *s = fill(&p, 1, &w);
	assert_true(find(s, 1, &q));
	assert_int_equal(q.n, 3);
	assert_int_equal(q.days_n, 1);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(q.at_us[i], p.day_us + 10 * (int64_t)(i + 1));
		assert_int_equal(q.type[i], i + 1);
	}
	free_all(s, &p, 1);
}

/* What a word says of a person and day counts for all parts of that day, and no other. */
static void test_heeds_words(void **state)
{
	(void)state;
	struct made a = {0}, b = {0}, c = {0};
	struct sequence q;
	const struct sequence_wanted w = everything();
	made_word(&a, 1, GONE);
	made_word(&a, 2, NOT_FIRST);
	made_word(&a, 5, FIRST);
	made_word(&b, 1, FIRST);
	made_event(&b, 10, 1, 100);
	made_word(&b, 2, FIRST);
	made_event(&b, 10, 1, 101);
	made_word(&b, 3, FIRST);
	made_event(&b, 10, 1, 102);
	made_word(&b, 4, GONE);
	made_word(&c, 1, 0);
	made_event(&c, 20, 2, 103);
	struct sequence_part parts[] = {made_part(&a, 0), made_part(&b, 0), made_part(&c, 1)};
	struct sequence_set *s = fill(parts, 3, &w);
	assert_true(find(s, 1, &q));
	assert_int_equal(q.n, 1);
	assert_int_equal(q.type[0], 2);
	assert_int_equal(q.days_n, 1);
	assert_int_equal(q.days[0], DAY_ONE + 1);
	assert_int_equal(q.first_day, INT32_MIN);
	assert_true(find(s, 2, &q));
	assert_int_equal(q.n, 1);
	assert_int_equal(q.first_day, INT32_MIN);
	assert_true(find(s, 3, &q));
	assert_int_equal(q.first_day, DAY_ONE);
	assert_false(find(s, 4, &q));
	assert_true(find(s, 5, &q)); /* a first day alone */
	assert_int_equal(q.days_n, 0);
	free_all(s, parts, 3);
}

static void test_cuts_events_not_days(void **state)
{
	(void)state;
	static unsigned char types[8192];
	struct made m = {0};
	struct sequence q;
	struct sequence_wanted w = everything();
	made_word(&m, 1, 0);
	for (int i = 0; i < 10; i++)
		made_event(&m, i, i % 2 ? 65535 : 300, (uint64_t)i);
	struct sequence_part p = made_part(&m, 0);
	types[8191] = 0x80;
	w.types = types;
	w.from_us = p.day_us + 3;
	w.to_us = p.day_us + 7;
	struct sequence_set *s = fill(&p, 1, &w);
	assert_true(find(s, 1, &q));
	assert_int_equal(q.n, 2);
	assert_int_equal(q.at_us[0], p.day_us + 3);
	assert_int_equal(q.at_us[1], p.day_us + 5);
	assert_int_equal(q.dims[0][1], 5);
	sequence_set_free(s);
	w.types = NULL;
	w.to_us = w.from_us;
	s = fill(&p, 1, &w);
	assert_true(find(s, 1, &q));
	assert_int_equal(q.n, 0);
	assert_int_equal(q.days_n, 1);
	free_all(s, &p, 1);
}

/* ---- damaged parts --------------------------------------------------------------------- */

static void test_tells_what_is_damaged(void **state)
{
	(void)state;
	const struct sequence_wanted w = everything();
	struct sequence_set *s = sequence_set_new();
	enum { WAYS = 14 };
	for (int way = 0; way < WAYS; way++) {
		struct errbuf eb = {0};
		struct made m = {0};
		made_word(&m, 1, FIRST);
		made_event(&m, 1, 1, 1);
		made_event(&m, 2, 2, 2);
		struct sequence_part parts[] = {made_part(&m, 0), made_part(&m, way == 10 ? -1 : 0)};
		struct sequence_part given[] = {parts[0], parts[1]};
		struct sequence_part *g = &given[1];
		struct sequence_bytes *columns[] = {&g->people,  &g->events,  &g->seqs,   &g->sessions,
		                                    &g->amounts, &g->dims[0], &g->dims[1]};
		if (way < 7)
			columns[way]->n -= way < 5 ? 8 : 2;
		else if (way < 9)
			columns[way - 7]->n -= 1;
		else if (way == 9)
			g->seqs = (struct sequence_bytes){0};
		else if (way == 11)
			g->sessions = (struct sequence_bytes){0};
		else if (way == 12)
			g->day_us = INT64_MAX;
		else if (way == 13)
			g->day = INT32_MAX;
		if (sequence_set_fill(s, given, 2, &w, &eb) != ERR_INVALID)
			fail_msg("way %d was taken", way);
		assert_string_not_equal(eb.text, "");
		assert_int_equal(sequence_set_people(s), 0);
		/* And the set is as good as new. */
		err_clear(&eb);
		assert_int_equal(sequence_set_fill(s, parts, 1, &w, &eb), ERR_OK);
		assert_int_equal(sequence_set_people(s), 1);
		part_free(&parts[0]);
		part_free(&parts[1]);
	}
	sequence_set_free(s);
}

/* Bytes that anything may stand in: refused or taken, and nothing beyond them is read. */
static void test_survives_any_bytes(void **state)
{
	(void)state;
	struct sequence_set *s = sequence_set_new();
	int taken = 0;
	state_of_chance = 11;
	for (int round = 0; round < 5000; round++) {
		struct made m = {0};
		struct errbuf eb = {0};
		struct sequence_wanted w = everything();
		size_t n = 1 + chance(4);
		for (size_t i = 0; i < n; i++) {
			made_word(&m, chance(3), chance(4) ? 0 : chance(1 << 24) & ~UINT64_C(0x1fffff));
			for (uint64_t k = chance(3); k > 0; k--)
				made_event(&m, (int64_t)chance(1000), 1, chance(100));
		}
		struct sequence_part parts[] = {made_part(&m, 0), made_part(&m, (int)chance(2))};
		unsigned char *in = (unsigned char *)(uintptr_t)parts[chance(2)].people.at;
		if (chance(2))
			in[chance(8 * n)] = (unsigned char)chance(256);
		if (m.n && chance(2))
			((unsigned char *)(uintptr_t)parts[0].events.at)[chance(8 * m.n)] =
				(unsigned char)chance(256);
		w.sessions = chance(2);
		w.events = chance(8) > 0;
		enum err rc = sequence_set_fill(s, parts, 2, &w, &eb);
		assert_true(rc == ERR_OK || rc == ERR_INVALID);
		taken += rc == ERR_OK;
		for (size_t i = 0; i < sequence_set_people(s); i++) {
			struct sequence q;
			sequence_set_get(s, i, &q);
			for (size_t k = 1; k < q.n; k++)
				assert_true(q.at_us[k] > 0);
		}
		part_free(&parts[0]);
		part_free(&parts[1]);
	}
	assert_in_range(taken, 1000, 4500);
	sequence_set_free(s);
}

/* ---- beside a naive one ------------------------------------------------------------------ */

struct record {
	uint64_t person;
	int day;
	int64_t us;
	unsigned type;
	uint64_t seq;
};

struct history {
	struct record records[EVENTS_MOST];
	size_t n;
	bool gone[PEOPLE][DAYS], first[PEOPLE][DAYS], not_first[PEOPLE][DAYS], seen[PEOPLE][DAYS];
	struct sequence_part parts[DAYS * 4];
	size_t parts_n;
};

static int by_place(const void *a, const void *b)
{
	const struct record *x = a, *y = b;
	if (x->us != y->us)
		return x->us < y->us ? -1 : 1;
	return (x->seq > y->seq) - (x->seq < y->seq);
}

static void make_person(struct history *h, struct made *m, int day, uint64_t person)
{
	struct record mine[6];
	size_t n = chance(6);
	uint64_t flags = (chance(9) ? 0 : GONE) | (chance(6) ? 0 : FIRST) | (chance(9) ? 0 : NOT_FIRST);
	h->gone[person][day] |= (flags & GONE) != 0;
	h->first[person][day] |= (flags & FIRST) != 0;
	h->not_first[person][day] |= (flags & NOT_FIRST) != 0;
	h->seen[person][day] |= n > 0;
	made_word(m, person, flags);
	for (size_t i = 0; i < n; i++)
		mine[i] = (struct record){person, day, (int64_t)chance(20), (unsigned)chance(20),
		                          h->n * 7919 % 60000 + i};
	qsort(mine, n, sizeof *mine, by_place);
	for (size_t i = 0; i < n; i++) {
		made_event(m, mine[i].us, mine[i].type, mine[i].seq);
		h->records[h->n++] = mine[i];
	}
}

static void make_history(struct history *h)
{
	*h = (struct history){0};
	for (int day = 0; day < DAYS; day++)
		for (uint64_t k = chance(4); k > 0; k--) {
			struct made m = {0};
			for (uint64_t person = 0; person < PEOPLE; person++)
				if (chance(3) == 0)
					make_person(h, &m, day, person);
			h->parts[h->parts_n++] = made_part(&m, day);
		}
}

static bool counts(const struct record *r, const struct history *h, const struct sequence_wanted *w)
{
	int64_t at_us = (DAY_ONE + r->day) * DAY_US + r->us;
	return w->events && !h->gone[r->person][r->day] && at_us >= w->from_us && at_us < w->to_us &&
	       (!w->types || w->types[r->type / 8] >> r->type % 8 & 1);
}

static void compare_person(const struct sequence_set *s, const struct history *h,
                           const struct sequence_wanted *w, uint64_t person)
{
	struct record mine[EVENTS_MOST];
	const int32_t none[DAYS] = {0};
	struct sequence q = {.first_day = INT32_MIN, .days = none};
	size_t n = 0, days_n = 0;
	int32_t first_day = INT32_MIN;
	(void)find(s, (int64_t)person, &q);
	for (int day = 0; day < DAYS; day++) {
		size_t begin = n;
		if (h->seen[person][day] && !h->gone[person][day]) {
			assert_true(days_n < q.days_n);
			assert_int_equal(q.days[days_n++], DAY_ONE + day);
		}
		if (h->first[person][day] && !h->gone[person][day] && !h->not_first[person][day] &&
		    first_day == INT32_MIN)
			first_day = DAY_ONE + day;
		for (size_t i = 0; i < h->n; i++)
			if (h->records[i].person == person && h->records[i].day == day &&
			    counts(&h->records[i], h, w))
				mine[n++] = h->records[i];
		qsort(mine + begin, n - begin, sizeof *mine, by_place);
	}
	assert_int_equal(q.days_n, days_n);
	assert_int_equal(q.first_day, first_day);
	assert_int_equal(q.n, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(q.at_us[i], (DAY_ONE + mine[i].day) * DAY_US + mine[i].us);
		assert_int_equal(q.type[i], mine[i].type);
		if (w->sessions)
			assert_int_equal(q.session[i], mine[i].seq / 4);
		if (w->amounts)
			assert_int_equal(q.amount[i], mine[i].seq % 3 ? (int64_t)mine[i].seq * 100 : -1);
		if (w->dims_n)
			assert_int_equal(q.dims[0][i], mine[i].seq);
	}
}

static void test_is_as_a_naive_one(void **state)
{
	(void)state;
	static struct history h;
	static unsigned char types[8192];
	struct sequence_set *s = sequence_set_new();
	state_of_chance = 4711;
	for (int round = 0; round < ROUNDS; round++) {
		struct errbuf eb = {0};
		struct sequence_wanted w = everything();
		make_history(&h);
		types[0] = (unsigned char)chance(256);
		types[1] = (unsigned char)chance(256);
		w.events = chance(5) > 0;
		w.sessions = chance(2);
		w.amounts = chance(2);
		w.dims_n = (int)chance(3);
		w.types = chance(2) ? types : NULL;
		if (chance(2)) {
			w.from_us = DAY_ONE * DAY_US + 10;
			w.to_us = (DAY_ONE + (int64_t)chance(DAYS)) * DAY_US + (int64_t)chance(20);
		}
		assert_int_equal(sequence_set_fill(s, h.parts, h.parts_n, &w, &eb), ERR_OK);
		for (uint64_t person = 0; person < PEOPLE; person++)
			compare_person(s, &h, &w, person);
		for (size_t i = 0; i < h.parts_n; i++)
			part_free(&h.parts[i]);
	}
	sequence_set_free(s);
}

/* More people than any table begins with, and ids as far apart as they may be. */
static void test_takes_many_people(void **state)
{
	(void)state;
	enum { MANY = 40000 };
	uint64_t *words = malloc(MANY * sizeof *words);
	struct sequence_set *s = sequence_set_new();
	const struct sequence_wanted w = {0};
	struct errbuf eb = {0};
	for (uint64_t i = 0; i < MANY; i++)
		words[i] = htobe64((i * 27487790 + 5) << 24 | 1);
	struct sequence_part p = {
		.day = DAY_ONE, .day_us = DAY_ONE * DAY_US, .people = {(void *)words, MANY * 8}};
	struct sequence_part parts[] = {p, p};
	parts[1].day++;
	for (int again = 0; again < 2; again++) {
		assert_int_equal(sequence_set_fill(s, parts, 2, &w, &eb), ERR_OK);
		assert_int_equal(sequence_set_people(s), MANY);
		for (size_t i = 0; i < MANY; i++) {
			struct sequence q;
			sequence_set_get(s, i, &q);
			assert_int_equal(q.person_id, (int64_t)i * 27487790 + 5);
			assert_int_equal(q.days_n, 2);
		}
	}
	free(words);
	sequence_set_free(s);
}

/* ---- sessions ------------------------------------------------------------------------------ */

struct visit {
	int64_t at_s;
	uint64_t key;
	bool said;
	uint32_t session;
};

static void expect_sessions(const struct visit *v, size_t n, uint32_t sessions_n)
{
	int64_t at[16];
	uint64_t key[16];
	bool said[16];
	uint32_t out[16];
	for (size_t i = 0; i < n; i++) {
		at[i] = v[i].at_s * 1000000;
		key[i] = v[i].key;
		said[i] = v[i].said;
	}
	const struct sequence q = {.n = n, .at_us = at, .session = key, .said = said};
	assert_int_equal(sequence_sessions(&q, 1800, out), sessions_n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(out[i], v[i].session);
}

static void test_sessions(void **state)
{
	(void)state;
	const struct visit said[] = {
		{0, 7, true, 0}, {10, 8, true, 1}, {900000, 7, true, 0}, {900001, 8, false, 2}};
	const struct visit gaps[] = {{0, 1, false, 0},
	                             {1800, 1, false, 0},
	                             {3601, 1, false, 1},
	                             {3601, 2, false, 2},
	                             {5000, 1, false, 1}};
	expect_sessions(NULL, 0, 0);
	expect_sessions(said, 4, 3);
	expect_sessions(gaps, 5, 3);
}

/* From first to last 24 hours and no more, however close they follow. */
static void test_sessions_end_after_a_day(void **state)
{
	(void)state;
	enum { N = 100 };
	int64_t at[N];
	uint64_t key[N] = {0};
	bool said[N] = {0};
	uint32_t out[N];
	for (int i = 0; i < N; i++)
		at[i] = i * INT64_C(1800) * 1000000;
	struct sequence q = {.n = N, .at_us = at, .session = key, .said = said};
	assert_int_equal(sequence_sessions(&q, 1800, out), 3);
	assert_int_equal(out[48], 0);
	assert_int_equal(out[49], 1);
	assert_int_equal(out[97], 1);
	assert_int_equal(out[98], 2);
}

static void test_sessions_of_many_keys(void **state)
{
	(void)state;
	enum { N = 5000, KEYS = 1000 };
	static int64_t at[N];
	static uint64_t key[N];
	static bool said[N];
	static uint32_t out[N];
	for (int i = 0; i < N; i++) {
		key[i] = (uint64_t)(i % KEYS) << 32;
		said[i] = true;
	}
	const struct sequence q = {.n = N, .at_us = at, .session = key, .said = said};
	assert_int_equal(sequence_sessions(&q, 1800, out), KEYS);
	for (int i = 0; i < N; i++)
		assert_int_equal(out[i], i % KEYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_every_column),
		cmocka_unit_test(test_asks_for_no_more_than_it_needs),
		cmocka_unit_test(test_merges_the_parts_of_a_day),
		cmocka_unit_test(test_sorts_what_is_out_of_order),
		cmocka_unit_test(test_heeds_words),
		cmocka_unit_test(test_cuts_events_not_days),
		cmocka_unit_test(test_tells_what_is_damaged),
		cmocka_unit_test(test_survives_any_bytes),
		cmocka_unit_test(test_is_as_a_naive_one),
		cmocka_unit_test(test_takes_many_people),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_sessions_end_after_a_day),
		cmocka_unit_test(test_sessions_of_many_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
