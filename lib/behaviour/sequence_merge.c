/* sequence_merge.c: the words of all parts are put in the order of people; then each person's
 * events are copied, in their order where they come from several. */
#include "behaviour/sequence_merge.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "behaviour/sequence_words.h"

/* A word of a part, and where its events are. */
struct piece {
	uint64_t word;
	uint32_t part;
	size_t at;
};

/* An event of somebody whose events come from several pieces. */
struct key {
	uint64_t time, seq; /* time: microseconds since the day began */
	uint32_t part;
	size_t at;
};

struct merge {
	const struct sequence_columns *parts;
	struct sequence_merged *out;
	bool whole;
	bool kept; /* events are */
	struct piece *pieces;
	size_t pieces_n;
	struct key *keys;
	size_t keys_cap;
};

void sequence_merged_init(struct sequence_merged *m)
{
	*m = (struct sequence_merged){0};
	for (int i = 0; i < SEQUENCE_COLUMNS; i++)
		buf_init(&m->of[i]);
}

void sequence_merged_fini(struct sequence_merged *m)
{
	for (int i = 0; i < SEQUENCE_COLUMNS; i++)
		buf_fini(&m->of[i]);
}

static uint64_t word_at(const struct sequence_bytes *b, size_t i)
{
	return sequence_word(b->at + SEQUENCE_WORD * i);
}

static size_t width_of(int column)
{
	return column < SEQUENCE_D1 ? 8 : 2;
}

/* ---- what there is ------------------------------------------------------------------ */

/* Whether the columns of a part are as long as its people's words say. */
static bool is_whole(const struct sequence_columns *p, uint64_t events_n)
{
	const struct sequence_bytes *events = &p->of[SEQUENCE_EVENTS];
	if (!events->at)
		return true;
	for (int i = SEQUENCE_EVENTS; i < SEQUENCE_COLUMNS; i++) {
		const struct sequence_bytes *b = &p->of[i];
		if (b->at ? b->n != events_n * width_of(i) : events_n && i < SEQUENCE_D1)
			return false;
	}
	return true;
}

/* Its words as pieces; false: it is damaged. */
static bool add_part(struct merge *m, uint32_t part)
{
	const struct sequence_columns *p = &m->parts[part];
	const struct sequence_bytes *people = &p->of[SEQUENCE_PEOPLE];
	uint64_t at = 0;
	if (people->n % 8 != 0 || (people->n && !people->at))
		return false;
	for (size_t i = 0; i < people->n / 8; i++) {
		uint64_t word = word_at(people, i);
		m->pieces[m->pieces_n++] = (struct piece){word, part, at};
		at += word & SEQUENCE_COUNT;
	}
	if (at && !p->of[SEQUENCE_EVENTS].at)
		m->kept = false;
	return is_whole(p, at);
}

static int by_person(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;
	uint64_t p = x->word >> SEQUENCE_PERSON_SHIFT, q = y->word >> SEQUENCE_PERSON_SHIFT;
	if (p != q)
		return p < q ? -1 : 1;
	if (x->part != y->part)
		return x->part < y->part ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static int by_time(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return x->part < y->part ? -1 : x->part > y->part;
}

/* ---- one person after the other --------------------------------------------------------- */

static void put_word(struct merge *m, uint64_t word)
{
	uint64_t v = htobe64(word);
	buf_put(&m->out->of[SEQUENCE_PEOPLE], &v, sizeof v);
}

static void put_events(struct merge *m, uint32_t part, size_t at, size_t n)
{
	static const unsigned char none[512] = {0};
	for (int i = SEQUENCE_EVENTS; i < SEQUENCE_COLUMNS; i++) {
		const struct sequence_bytes *b = &m->parts[part].of[i];
		size_t width = width_of(i);
		if (m->out->is_null[i])
			continue;
		if (b->at)
			buf_put(&m->out->of[i], b->at + at * width, n * width);
		for (size_t left = b->at ? 0 : n * width, step; left; left -= step) {
			step = left < sizeof none ? left : sizeof none;
			buf_put(&m->out->of[i], none, step);
		}
	}
}

/* Those of several pieces, in their order. */
static void put_mixed(struct merge *m, const struct piece *pieces, size_t n, uint64_t events_n)
{
	size_t k = 0;
	if (events_n > m->keys_cap) {
		m->keys_cap = events_n * 2;
		m->keys = mem_realloc(m->keys, m->keys_cap * sizeof *m->keys);
	}
	for (size_t i = 0; i < n; i++) {
		const struct sequence_columns *p = &m->parts[pieces[i].part];
		for (size_t at = pieces[i].at; at < pieces[i].at + (pieces[i].word & SEQUENCE_COUNT); at++)
			m->keys[k++] =
				(struct key){word_at(&p->of[SEQUENCE_EVENTS], at) >> SEQUENCE_PERSON_SHIFT,
			                 word_at(&p->of[SEQUENCE_SEQS], at), pieces[i].part, at};
	}
	qsort(m->keys, k, sizeof *m->keys, by_time);
	for (size_t i = 0; i < k; i++)
		put_events(m, m->keys[i].part, m->keys[i].at, 1);
}

static void put_person(struct merge *m, const struct piece *pieces, size_t n)
{
	uint64_t flags = 0, events_n = 0, first;
	size_t with_events = 0, one = 0;
	uint64_t id = pieces[0].word >> SEQUENCE_PERSON_SHIFT << SEQUENCE_PERSON_SHIFT;
	for (size_t i = 0; i < n; i++) {
		flags |= pieces[i].word & (SEQUENCE_FIRST | SEQUENCE_NOT_FIRST | SEQUENCE_GONE);
		events_n += pieces[i].word & SEQUENCE_COUNT;
		if (pieces[i].word & SEQUENCE_COUNT) {
			with_events++;
			one = i;
		}
	}
	if (flags & SEQUENCE_GONE) {
		if (!m->whole)
			put_word(m, id | SEQUENCE_GONE);
		return;
	}
	first =
		flags & SEQUENCE_NOT_FIRST ? (m->whole ? 0 : SEQUENCE_NOT_FIRST) : flags & SEQUENCE_FIRST;
	if (!m->kept && events_n > SEQUENCE_COUNT)
		events_n = SEQUENCE_COUNT;
	if (events_n == 0 && first)
		put_word(m, id | first);
	for (uint64_t left = events_n, some; left; left -= some) {
		some = left < SEQUENCE_COUNT ? left : SEQUENCE_COUNT;
		put_word(m, id | first | some);
	}
	if (!m->kept || !with_events)
		return;
	if (with_events == 1)
		put_events(m, pieces[one].part, pieces[one].at, events_n);
	else
		put_mixed(m, pieces, n, events_n);
}

/* ---- all of them --------------------------------------------------------------------------- */

/* Which columns the one part has. */
static void begin_out(struct merge *m, size_t n)
{
	for (int i = 0; i < SEQUENCE_COLUMNS; i++) {
		bool any = i < SEQUENCE_D1;
		buf_clear(&m->out->of[i]);
		for (size_t p = 0; p < n; p++)
			any = any || m->parts[p].of[i].at;
		m->out->is_null[i] = i > SEQUENCE_PEOPLE && (!m->kept || !any);
	}
}

enum err sequence_merge(const struct sequence_columns *parts, size_t n, bool whole,
                        struct sequence_merged *out, struct errbuf *eb)
{
	struct merge m = {.parts = parts, .out = out, .whole = whole, .kept = true};
	bool fine = true;
	size_t words_n = 0;
	for (size_t i = 0; i < n; i++)
		words_n += parts[i].of[SEQUENCE_PEOPLE].n / 8;
	m.pieces = mem_alloc((words_n + 1) * sizeof *m.pieces);
	for (size_t i = 0; fine && i < n; i++)
		fine = add_part(&m, (uint32_t)i);
	if (!fine) {
		free(m.pieces);
		return err_set(eb, ERR_INVALID, "a part of the sequences is damaged");
	}
	begin_out(&m, n);
	if (words_n)
		qsort(m.pieces, words_n, sizeof *m.pieces, by_person);
	for (size_t i = 0, to; i < words_n; i = to) {
		for (to = i + 1; to < words_n && m.pieces[to].word >> SEQUENCE_PERSON_SHIFT ==
		                                     m.pieces[i].word >> SEQUENCE_PERSON_SHIFT;)
			to++;
		put_person(&m, m.pieces + i, to - i);
	}
	free(m.pieces);
	free(m.keys);
	return ERR_OK;
}
