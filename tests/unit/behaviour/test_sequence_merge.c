/* test_sequence_merge.c: parts of a shard and day become one that says the same. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "behaviour/sequence_merge.h"
#include "sequence_help.h"

enum { ROUNDS = 600, PARTS_MOST = 6, PEOPLE = 9 };

static uint64_t state_of_chance;

static uint64_t chance(uint64_t n)
{
	state_of_chance ^= state_of_chance << 13;
	state_of_chance ^= state_of_chance >> 7;
	state_of_chance ^= state_of_chance << 17;
	return state_of_chance % n;
}

static struct sequence_columns columns_of(const struct sequence_part *p)
{
	return (struct sequence_columns){
		{p->people, p->events, p->seqs, p->sessions, p->amounts, p->dims[0], p->dims[1]}};
}

/* Borrowed from what was merged. */
static struct sequence_part part_of(const struct sequence_merged *m)
{
	struct sequence_bytes b[SEQUENCE_COLUMNS] = {0};
	for (int i = 0; i < SEQUENCE_COLUMNS; i++)
		if (!m->is_null[i])
			b[i] = (struct sequence_bytes){(const unsigned char *)buf_str(&m->of[i]), m->of[i].len};
	return (struct sequence_part){.day = DAY_ONE,
	                              .day_us = DAY_ONE * DAY_US,
	                              .people = b[0],
	                              .events = b[1],
	                              .seqs = b[2],
	                              .sessions = b[3],
	                              .amounts = b[4],
	                              .dims = {b[5], b[6]}};
}

/* A part as the stream writes it: people and events in order, seqs from *seq on. */
static struct made draw(uint64_t *seq)
{
	struct made m = {0};
	for (uint64_t id = 1; id <= PEOPLE; id++) {
		static const uint64_t flags[] = {0, 0, 0, 0, 0, FIRST, FIRST, NOT_FIRST, GONE};
		if (chance(2))
			continue;
		made_word(&m, id, flags[chance(sizeof flags / sizeof *flags)]);
		int64_t us = (int64_t)chance(3);
		for (uint64_t n = chance(4); n; n--, us += (int64_t)chance(2))
			made_event(&m, us, (unsigned)chance(5), ++*seq);
	}
	return m;
}

static struct sequence_set *fill(const struct sequence_part *parts, size_t n)
{
	struct sequence_set *s = sequence_set_new();
	const struct sequence_wanted wanted = everything();
	struct errbuf eb = {0};
	assert_int_equal(sequence_set_fill(s, parts, n, &wanted, &eb), ERR_OK);
	return s;
}

static void assert_same_person(const struct sequence *a, const struct sequence *b)
{
	assert_int_equal(a->first_day, b->first_day);
	assert_int_equal(a->days_n, b->days_n);
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++) {
		assert_int_equal(a->at_us[i], b->at_us[i]);
		assert_int_equal(a->type[i], b->type[i]);
		assert_int_equal(a->session[i], b->session[i]);
		assert_int_equal(a->said[i], b->said[i]);
		assert_int_equal(a->amount[i], b->amount[i]);
		assert_int_equal(a->dims[0][i], b->dims[0][i]);
		assert_int_equal(a->dims[1][i], b->dims[1][i]);
	}
}

static bool says_nothing(const struct sequence *q)
{
	return q->n == 0 && q->days_n == 0 && q->first_day == INT32_MIN;
}

static bool find(const struct sequence_set *s, int64_t person_id, struct sequence *q)
{
	for (size_t i = 0; i < sequence_set_people(s); i++) {
		sequence_set_get(s, i, q);
		if (q->person_id == person_id && !says_nothing(q))
			return true;
	}
	return false;
}

static void assert_same(const struct sequence_part *a, size_t a_n, const struct sequence_part *b,
                        size_t b_n)
{
	struct sequence_set *x = fill(a, a_n), *y = fill(b, b_n);
	for (int64_t id = 1; id <= PEOPLE; id++) {
		struct sequence p = {0}, q = {0};
		bool there = find(x, id, &p), also = find(y, id, &q);
		assert_int_equal(also, there);
		if (there && also)
			assert_same_person(&p, &q);
	}
	sequence_set_free(x);
	sequence_set_free(y);
}

/* People in order, each once, and nothing taken back where it is all there is. */
static void assert_tidy(const struct sequence_part *p, bool whole)
{
	uint64_t before = 0;
	for (size_t i = 0; i < p->people.n; i += 8) {
		uint64_t word;
		memcpy(&word, p->people.at + i, sizeof word);
		word = be64toh(word);
		assert_true(word >> 24 > before);
		before = word >> 24;
		assert_true(!whole || !(word & (NOT_FIRST | GONE)));
		assert_true(!(word & NOT_FIRST && word & FIRST));
	}
}

/* Some of the parts become one, then all that are left: a reader sees no difference. */
static void test_says_the_same(void **state)
{
	(void)state;
	struct errbuf eb = {0};
	for (int round = 0; round < ROUNDS; round++) {
		struct sequence_part parts[PARTS_MOST], left[PARTS_MOST];
		struct sequence_columns columns[PARTS_MOST];
		struct sequence_merged some, all;
		uint64_t seq = 0;
		state_of_chance = (uint64_t)round * 7919 + 1;
		size_t n = 1 + chance(PARTS_MOST), k = 1 + chance(n);
		for (size_t i = 0; i < n; i++) {
			struct made m = draw(&seq);
			parts[i] = made_part(&m, 0);
			columns[i] = columns_of(&parts[i]);
		}
		sequence_merged_init(&some);
		sequence_merged_init(&all);
		assert_int_equal(sequence_merge(columns, k, k == n, &some, &eb), ERR_OK);
		left[0] = part_of(&some);
		columns[0] = columns_of(&left[0]);
		for (size_t i = k; i < n; i++) {
			left[1 + i - k] = parts[i];
			columns[1 + i - k] = columns_of(&parts[i]);
		}
		assert_tidy(&left[0], k == n);
		assert_same(parts, n, left, 1 + n - k);
		assert_int_equal(sequence_merge(columns, 1 + n - k, true, &all, &eb), ERR_OK);
		struct sequence_part one = part_of(&all);
		assert_tidy(&one, true);
		assert_same(parts, n, &one, 1);
		sequence_merged_fini(&some);
		sequence_merged_fini(&all);
		for (size_t i = 0; i < n; i++)
			part_free(&parts[i]);
	}
}

/* A column that one of the parts has is there for all. */
static void test_fills_columns(void **state)
{
	(void)state;
	struct errbuf eb = {0};
	struct made a = {0}, b = {0};
	made_word(&a, 1, 0);
	made_event(&a, 5, 1, 10);
	made_word(&b, 1, 0);
	made_event(&b, 4, 1, 11);
	struct sequence_part parts[] = {made_part(&a, 0), made_part(&b, 0)};
	struct sequence_columns columns[] = {columns_of(&parts[0]), columns_of(&parts[1])};
	struct sequence_merged m;
	columns[0].of[SEQUENCE_D1] = (struct sequence_bytes){0};
	columns[0].of[SEQUENCE_D1 + 1] = columns[1].of[SEQUENCE_D1 + 1] = (struct sequence_bytes){0};
	sequence_merged_init(&m);
	assert_int_equal(sequence_merge(columns, 2, true, &m, &eb), ERR_OK);
	assert_false(m.is_null[SEQUENCE_D1]);
	assert_int_equal(m.of[SEQUENCE_D1].len, 4);
	assert_memory_equal(m.of[SEQUENCE_D1].data, "\0\x0b\0\0", 4); /* the later part's is earlier */
	assert_true(m.is_null[SEQUENCE_D1 + 1]);
	/* events of one of them are gone by age: nobody knows what they were, but who was there */
	for (int i = SEQUENCE_EVENTS; i < SEQUENCE_COLUMNS; i++)
		columns[0].of[i] = (struct sequence_bytes){0};
	assert_int_equal(sequence_merge(columns, 2, true, &m, &eb), ERR_OK);
	for (int i = SEQUENCE_EVENTS; i < SEQUENCE_COLUMNS; i++)
		assert_true(m.is_null[i]);
	assert_memory_equal(m.of[SEQUENCE_PEOPLE].data, "\0\0\0\0\x01\0\0\x02", 8);
	sequence_merged_fini(&m);
	part_free(&parts[0]);
	part_free(&parts[1]);
}

static void test_tells_what_is_damaged(void **state)
{
	(void)state;
	struct errbuf eb = {0};
	struct made a = {0};
	made_word(&a, 1, 0);
	made_event(&a, 5, 1, 10);
	made_event(&a, 6, 1, 11);
	struct sequence_part part = made_part(&a, 0);
	struct sequence_merged m;
	sequence_merged_init(&m);
	for (int i = 0; i < SEQUENCE_D1 + 2; i++) {
		struct sequence_columns c = columns_of(&part);
		c.of[i].n -= i < SEQUENCE_D1 ? 8 : 2;
		assert_int_equal(sequence_merge(&c, 1, true, &m, &eb), ERR_INVALID);
	}
	for (int i = SEQUENCE_SEQS; i < SEQUENCE_D1; i++) {
		struct sequence_columns c = columns_of(&part);
		c.of[i] = (struct sequence_bytes){0};
		assert_int_equal(sequence_merge(&c, 1, true, &m, &eb), ERR_INVALID);
	}
	sequence_merged_fini(&m);
	part_free(&part);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_says_the_same),
		cmocka_unit_test(test_fills_columns),
		cmocka_unit_test(test_tells_what_is_damaged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
