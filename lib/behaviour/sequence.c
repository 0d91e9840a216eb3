/* sequence.c: parts are gone through twice: who is in them and how much of each, then every event
 * to its place among those of its person. Nothing is sorted but what came in several parts. */
#include "behaviour/sequence.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "behaviour/sequence_words.h"

enum {
	SAID = 1 << 16,
	TYPE = 65535,
	SLOTS_LEAST = 1024,
	DAY_MOST = 10000000, /* of a day's number: beyond year 29000 */
};

#define NO_DAY INT32_MIN
#define DAY_US_MOST (INT64_C(1) << 60)
#define NOBODY UINT32_MAX
#define DAMAGED "a part of the sequences of day %d is damaged: %s"

struct person {
	int64_t id;
	size_t at, n;  /* events: where they begin, how many are there; while counting, how many come */
	size_t day_at; /* where those of seen_day begin */
	uint32_t days_at, days_n;
	int32_t first_day;
	int32_t seen_day;      /* the last day that was seen */
	int32_t gone_day;      /* the last day all of which counts as another's */
	int32_t not_first_day; /* the last day that is not the first any more */
	bool mixed;            /* the events of seen_day came in several pieces */
};

/* Of the table of people: a piece of the hash, and place + 1; 0: free. */
struct slot {
	uint32_t tag, place;
};

struct array {
	void *p;
	size_t bytes;
};

/* What the order of events within a piece is judged by. */
struct key {
	int64_t at_us;
	uint64_t seq;
	size_t from;
};

struct sequence_set {
	struct slot *slots;
	size_t slots_n;
	int slots_shift;
	struct array people, words, mixed, keys, spare;
	size_t people_n, words_n, mixed_n;
	size_t events_n, days_n;
	bool has_seqs;
	struct array at, type, seq, session, said, amount, days;
	struct array dims[SEQUENCE_DIMS_ASKED];
	struct sequence_wanted wanted;
};

/* ---- memory ------------------------------------------------------------------- */

/* Room for n things of `size`; what was there is kept. */
static void *keep(struct array *a, size_t n, size_t size)
{
	size_t bytes = n * size;
	must(size == 0 || bytes / size == n);
	if (bytes > a->bytes || !a->p) {
		a->bytes = bytes + bytes / 4 + 4096;
		a->p = mem_realloc(a->p, a->bytes);
	}
	return a->p;
}

/* The same, for things that are all made anew. */
static void *renew(struct array *a, size_t n, size_t size)
{
	if (n * size > a->bytes) {
		free(a->p);
		*a = (struct array){0};
	}
	return keep(a, n, size);
}

static struct array *array_get(struct sequence_set *s, size_t i)
{
	struct array *const all[] = {&s->people, &s->words,   &s->mixed, &s->keys,
	                             &s->spare,  &s->at,      &s->type,  &s->seq,
	                             &s->days,   &s->session, &s->said,  &s->amount};
	enum { ALL = sizeof all / sizeof *all };
	if (i < ALL)
		return all[i];
	return i < ALL + SEQUENCE_DIMS_ASKED ? &s->dims[i - ALL] : NULL;
}

static void slots_make(struct sequence_set *s, size_t n)
{
	free(s->slots);
	s->slots = mem_alloc(n * sizeof *s->slots);
	s->slots_n = n;
	s->slots_shift = __builtin_clzll(n) + 1; /* n is a power of 2 */
}

struct sequence_set *sequence_set_new(void)
{
	struct sequence_set *s = mem_alloc(sizeof *s);
	slots_make(s, SLOTS_LEAST);
	return s;
}

void sequence_set_free(struct sequence_set *s)
{
	struct array *a;
	if (!s)
		return;
	for (size_t i = 0; (a = array_get(s, i)) != NULL; i++)
		free(a->p);
	free(s->slots);
	free(s);
}

size_t sequence_set_bytes(const struct sequence_set *s)
{
	size_t n = sizeof *s + s->slots_n * sizeof *s->slots;
	struct array *a;
	for (size_t i = 0; (a = array_get((struct sequence_set *)(uintptr_t)s, i)) != NULL; i++)
		n += a->bytes;
	return n;
}

/* ---- people ------------------------------------------------------------------- */

static uint16_t code_at(const unsigned char *p)
{
	uint16_t v;
	memcpy(&v, p, sizeof v);
	return be16toh(v);
}

static uint64_t hash_of(int64_t id)
{
	return (uint64_t)id * UINT64_C(0x9e3779b97f4a7c15);
}

/* Twice as many slots, or as many: the people that are there are put into them. */
static void slots_grow(struct sequence_set *s)
{
	const struct person *people = s->people.p;
	slots_make(s, s->slots_n * 2);
	for (size_t i = 0; i < s->people_n; i++) {
		uint64_t h = hash_of(people[i].id);
		size_t at = h >> s->slots_shift;
		while (s->slots[at].place)
			at = (at + 1) & (s->slots_n - 1);
		s->slots[at] = (struct slot){(uint32_t)h, (uint32_t)i + 1};
	}
}

static uint32_t person_add(struct sequence_set *s, int64_t id)
{
	struct person *people = keep(&s->people, s->people_n + 1, sizeof *people);
	people[s->people_n++] = (struct person){.id = id,
	                                        .first_day = NO_DAY,
	                                        .seen_day = NO_DAY,
	                                        .gone_day = NO_DAY,
	                                        .not_first_day = NO_DAY};
	if (s->people_n * 2 > s->slots_n)
		slots_grow(s);
	return (uint32_t)(s->people_n - 1);
}

static uint32_t person_place(struct sequence_set *s, int64_t id)
{
	const struct person *people = s->people.p;
	uint64_t h = hash_of(id);
	size_t at = h >> s->slots_shift;
	for (; s->slots[at].place; at = (at + 1) & (s->slots_n - 1))
		if (s->slots[at].tag == (uint32_t)h && people[s->slots[at].place - 1].id == id)
			return s->slots[at].place - 1;
	s->slots[at] = (struct slot){(uint32_t)h, (uint32_t)s->people_n + 1};
	return person_add(s, id);
}

/* ---- first: who and how much --------------------------------------------------- */

static enum err damaged(const struct sequence_part *p, const char *what, struct errbuf *eb)
{
	return err_set(eb, ERR_INVALID, DAMAGED, (int)p->day, what);
}

/* A column has a word of `width` for each event, or is not there. */
static bool fits(const struct sequence_bytes *b, size_t events_n, size_t width)
{
	return !b->at || (b->n % width == 0 && b->n / width == events_n);
}

static enum err check_columns(const struct sequence_part *p, const struct sequence_wanted *w,
                              bool several, struct errbuf *eb)
{
	size_t n = p->events.n / 8;
	bool fit = fits(&p->seqs, n, 8) && fits(&p->sessions, n, 8) && fits(&p->amounts, n, 8);
	for (int i = 0; i < w->dims_n; i++)
		fit = fit && fits(&p->dims[i], n, 2);
	if (!fit)
		return damaged(p, "its columns are not of one length", eb);
	if (n && w->sessions && !p->sessions.at)
		return damaged(p, "it has no sessions", eb);
	if (n && several && !p->seqs.at)
		return damaged(p, "it is not alone and has no seqs", eb);
	return ERR_OK;
}

/* Whether the counts of its people come to its events; flags: all that its people's words say. */
static enum err check_part(const struct sequence_part *p, const struct sequence_wanted *w,
                           bool several, uint64_t *flags, struct errbuf *eb)
{
	uint64_t sum = 0;
	if (p->day < -DAY_MOST || p->day > DAY_MOST || p->day_us < -DAY_US_MOST ||
	    p->day_us > DAY_US_MOST)
		return err_set(eb, ERR_INVALID, "the sequences have no day %d", (int)p->day);
	if (p->people.n % 8 != 0 || (p->people.n && !p->people.at))
		return damaged(p, "its people are no whole words", eb);
	for (size_t i = 0; i < p->people.n; i += 8) {
		uint64_t word = sequence_word(p->people.at + i);
		sum += word & SEQUENCE_COUNT;
		*flags |= word;
	}
	if (!w->events || !p->events.at)
		return ERR_OK;
	if (p->events.n % 8 != 0 || p->events.n / 8 != sum)
		return damaged(p, "it has not the events its people have", eb);
	return check_columns(p, w, several, eb);
}

/* Words about the person alone, before anything of the day is counted. */
static void take_words(struct sequence_set *s, const struct sequence_part *p)
{
	for (size_t i = 0; i < p->people.n; i += 8) {
		uint64_t word = sequence_word(p->people.at + i);
		if (!(word & (SEQUENCE_GONE | SEQUENCE_NOT_FIRST)))
			continue;
		uint32_t place = person_place(s, (int64_t)(word >> SEQUENCE_PERSON_SHIFT));
		struct person *one = (struct person *)s->people.p + place;
		if (word & SEQUENCE_GONE)
			one->gone_day = p->day;
		if (word & SEQUENCE_NOT_FIRST)
			one->not_first_day = p->day;
	}
}

static void count_part(struct sequence_set *s, const struct sequence_part *p, bool events)
{
	uint32_t *words = (uint32_t *)s->words.p + s->words_n;
	size_t n = p->people.n / 8;
	for (size_t i = 0; i < n; i++) {
		uint64_t word = sequence_word(p->people.at + 8 * i);
		uint32_t place = person_place(s, (int64_t)(word >> SEQUENCE_PERSON_SHIFT));
		struct person *one = (struct person *)s->people.p + place;
		words[i] = NOBODY;
		if (one->gone_day == p->day)
			continue;
		words[i] = place;
		if (word & SEQUENCE_FIRST && one->not_first_day != p->day && one->first_day == NO_DAY)
			one->first_day = p->day;
		if ((word & SEQUENCE_COUNT) == 0)
			continue;
		if (one->seen_day != p->day)
			one->days_n++;
		one->seen_day = p->day;
		if (events)
			one->n += word & SEQUENCE_COUNT;
	}
	s->words_n += n;
}

static enum err count_day(struct sequence_set *s, const struct sequence_part *parts, size_t n,
                          struct errbuf *eb)
{
	uint64_t flags = 0;
	for (size_t i = 0; i < n; i++) {
		enum err rc = check_part(&parts[i], &s->wanted, n > 1, &flags, eb);
		if (rc != ERR_OK)
			return rc;
		(void)keep(&s->words, s->words_n + parts[i].people.n / 8 + 1, sizeof(uint32_t));
	}
	s->has_seqs = s->has_seqs || n > 1;
	for (size_t i = 0; flags & (SEQUENCE_GONE | SEQUENCE_NOT_FIRST) && i < n; i++)
		take_words(s, &parts[i]);
	return ERR_OK;
}

/* The parts from `from` on that are of the same day. */
static size_t same_day(const struct sequence_part *parts, size_t n, size_t from)
{
	size_t k = from + 1;
	while (k < n && parts[k].day == parts[from].day)
		k++;
	return k - from;
}

static enum err count_all(struct sequence_set *s, const struct sequence_part *parts, size_t n,
                          struct errbuf *eb)
{
	enum err rc = ERR_OK;
	for (size_t i = 0, k; rc == ERR_OK && i < n; i += k) {
		k = same_day(parts, n, i);
		if (i && parts[i].day < parts[i - 1].day)
			return damaged(&parts[i], "it comes after a later day", eb);
		size_t words_n = s->words_n;
		rc = count_day(s, parts + i, k, eb);
		s->words_n = words_n;
		for (size_t j = i; rc == ERR_OK && j < i + k; j++)
			count_part(s, &parts[j], s->wanted.events && parts[j].events.at);
	}
	return rc;
}

/* ---- then: each event to its place ---------------------------------------------- */

/* Where everybody's events and days begin; n and days_n count up again from 0. */
static void lay_out(struct sequence_set *s)
{
	struct person *people = s->people.p;
	for (size_t i = 0; i < s->people_n; i++) {
		struct person *one = &people[i];
		one->at = s->events_n;
		one->days_at = (uint32_t)s->days_n;
		s->events_n += one->n;
		s->days_n += one->days_n;
		one->n = one->days_n = 0;
		one->seen_day = NO_DAY;
	}
	const struct sequence_wanted *w = &s->wanted;
	size_t n = s->events_n;
	(void)renew(&s->days, s->days_n, sizeof(int32_t));
	(void)renew(&s->at, n, sizeof(int64_t));
	(void)renew(&s->type, n, sizeof(uint16_t));
	(void)renew(&s->seq, s->has_seqs ? n : 0, sizeof(uint64_t));
	(void)renew(&s->session, w->sessions ? n : 0, sizeof(uint64_t));
	(void)renew(&s->said, w->sessions ? n : 0, sizeof(bool));
	(void)renew(&s->amount, w->amounts ? n : 0, sizeof(int64_t));
	for (int i = 0; i < w->dims_n; i++)
		(void)renew(&s->dims[i], n, sizeof(uint16_t));
}

static bool has_type(const unsigned char *types, unsigned type)
{
	return !types || types[type / 8] >> (type % 8) & 1;
}

/* What is beside time and type, of event `from` of the part to place `to`. */
static inline void put_beside(struct sequence_set *s, const struct sequence_part *p, size_t from,
                              size_t to, uint64_t word, bool several)
{
	if (several)
		((uint64_t *)s->seq.p)[to] = sequence_word(p->seqs.at + 8 * from);
	if (s->wanted.sessions) {
		((uint64_t *)s->session.p)[to] = sequence_word(p->sessions.at + 8 * from);
		((bool *)s->said.p)[to] = word & SAID;
	}
	if (s->wanted.amounts)
		((int64_t *)s->amount.p)[to] =
			p->amounts.at ? (int64_t)sequence_word(p->amounts.at + 8 * from) : SEQUENCE_UNPRICED;
	for (int i = 0; i < s->wanted.dims_n; i++)
		((uint16_t *)s->dims[i].p)[to] = p->dims[i].at ? code_at(p->dims[i].at + 2 * from) : 0;
}

/* Events from up to from + n of the part, those that are wanted, to place `to` and on. An event
 * that is not is written, too, and then over. Returns how many; *late: they are not in order. */
static inline __attribute__((always_inline)) size_t put_run(struct sequence_set *s,
                                                            const struct sequence_part *p,
                                                            size_t from, size_t n, size_t to,
                                                            bool beside, bool several, bool *late)
{
	int64_t *at = (int64_t *)s->at.p + to, last_us = INT64_MIN;
	uint16_t *type = (uint16_t *)s->type.p + to;
	const unsigned char *types = s->wanted.types;
	uint64_t from_us = (uint64_t)s->wanted.from_us;
	uint64_t span_us = (uint64_t)s->wanted.to_us - from_us;
	size_t k = 0;
	for (size_t i = from; i < from + n; i++) {
		uint64_t word = sequence_word(p->events.at + 8 * i);
		int64_t at_us = p->day_us + (int64_t)(word >> 24);
		at[k] = at_us;
		type[k] = word & TYPE;
		if (beside)
			put_beside(s, p, i, to + k, word, several);
		*late |= at_us < last_us;
		last_us = at_us;
		k += ((uint64_t)at_us - from_us < span_us) & has_type(types, word & TYPE);
	}
	return k;
}

static void note_mixed(struct sequence_set *s, struct person *one)
{
	uint32_t *mixed = keep(&s->mixed, s->mixed_n + 1, sizeof *mixed);
	one->mixed = true;
	mixed[s->mixed_n++] = (uint32_t)(one - (struct person *)s->people.p);
}

static inline __attribute__((always_inline)) void put_part(struct sequence_set *s,
                                                           const struct sequence_part *p,
                                                           const uint32_t *words, bool events,
                                                           bool beside, bool several)
{
	struct person *people = s->people.p;
	int32_t *days = s->days.p;
	size_t from = 0;
	for (size_t i = 0; i < p->people.n / 8; i++) {
		size_t n = sequence_word(p->people.at + 8 * i) & SEQUENCE_COUNT;
		size_t begin = from;
		bool late = false;
		from += n;
		if (n == 0 || words[i] == NOBODY)
			continue;
		struct person *one = &people[words[i]];
		if (one->seen_day != p->day) {
			days[one->days_at + one->days_n++] = one->seen_day = p->day;
			one->day_at = one->at + one->n;
		} else {
			late = true;
		}
		if (!events)
			continue;
		one->n += put_run(s, p, begin, n, one->at + one->n, beside, several, &late);
		if (late && !one->mixed)
			note_mixed(s, one);
	}
}

/* One loop for each way to read, so that the usual one tests nothing. */
static void put_one(struct sequence_set *s, const struct sequence_part *p, const uint32_t *words,
                    bool several)
{
	const struct sequence_wanted *w = &s->wanted;
	if (!w->events || !p->events.at)
		put_part(s, p, words, false, false, false);
	else if (several)
		put_part(s, p, words, true, true, true);
	else if (w->sessions || w->amounts || w->dims_n)
		put_part(s, p, words, true, true, false);
	else
		put_part(s, p, words, true, false, false);
}

/* ---- what came in several pieces ------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	if (x->at_us != y->at_us)
		return x->at_us < y->at_us ? -1 : 1;
	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return (x->from > y->from) - (x->from < y->from);
}

static void permute(struct sequence_set *s, struct array *a, size_t size, const struct key *keys,
                    size_t begin, size_t n)
{
	char *to = renew(&s->spare, n, size), *from = (char *)a->p + begin * size;
	for (size_t i = 0; i < n; i++)
		memcpy(to + i * size, from + keys[i].from * size, size);
	memcpy(from, to, n * size);
}

static void sort_events(struct sequence_set *s, size_t begin, size_t n, bool several)
{
	const int64_t *at = (const int64_t *)s->at.p + begin;
	const uint64_t *seq = (const uint64_t *)s->seq.p + begin;
	struct key *keys = renew(&s->keys, n, sizeof *keys);
	bool sorted = true;
	for (size_t i = 0; i < n; i++) {
		keys[i] = (struct key){at[i], several ? seq[i] : 0, i};
		sorted = sorted && (i == 0 || compare_keys(&keys[i - 1], &keys[i]) < 0);
	}
	if (sorted)
		return;
	qsort(keys, n, sizeof *keys, compare_keys);
	permute(s, &s->at, sizeof(int64_t), keys, begin, n);
	permute(s, &s->type, sizeof(uint16_t), keys, begin, n);
	if (s->wanted.sessions) {
		permute(s, &s->session, sizeof(uint64_t), keys, begin, n);
		permute(s, &s->said, sizeof(bool), keys, begin, n);
	}
	if (s->wanted.amounts)
		permute(s, &s->amount, sizeof(int64_t), keys, begin, n);
	for (int i = 0; i < s->wanted.dims_n; i++)
		permute(s, &s->dims[i], sizeof(uint16_t), keys, begin, n);
}

static void put_all(struct sequence_set *s, const struct sequence_part *parts, size_t n)
{
	const uint32_t *words = s->words.p;
	struct person *people = s->people.p;
	for (size_t i = 0, k; i < n; i += k) {
		k = same_day(parts, n, i);
		for (size_t j = i; j < i + k; j++) {
			put_one(s, &parts[j], words, k > 1);
			words += parts[j].people.n / 8;
		}
		for (size_t j = 0; j < s->mixed_n; j++) {
			struct person *one = &people[((uint32_t *)s->mixed.p)[j]];
			one->mixed = false;
			sort_events(s, one->day_at, one->at + one->n - one->day_at, k > 1);
		}
		s->mixed_n = 0;
	}
}

/* Those of whom nothing was left but words. */
static void drop_empty(struct sequence_set *s)
{
	struct person *people = s->people.p;
	size_t n = 0;
	for (size_t i = 0; i < s->people_n; i++)
		if (people[i].days_n || people[i].first_day != NO_DAY)
			people[n++] = people[i];
	s->people_n = n;
}

enum err sequence_set_fill(struct sequence_set *s, const struct sequence_part *parts, size_t n,
                           const struct sequence_wanted *wanted, struct errbuf *eb)
{
	must(wanted->dims_n >= 0 && wanted->dims_n <= SEQUENCE_DIMS_ASKED);
	s->wanted = *wanted;
	if (wanted->to_us <= wanted->from_us)
		s->wanted.to_us = s->wanted.from_us;
	s->people_n = s->words_n = s->mixed_n = s->events_n = s->days_n = 0;
	s->has_seqs = false;
	memset(s->slots, 0, s->slots_n * sizeof *s->slots);
	(void)keep(&s->people, 1, sizeof(struct person));
	enum err rc = count_all(s, parts, n, eb);
	if (rc != ERR_OK) {
		s->people_n = 0;
		return rc;
	}
	lay_out(s);
	put_all(s, parts, n);
	drop_empty(s);
	return ERR_OK;
}

/* ---- reading ---------------------------------------------------------------------- */

size_t sequence_set_people(const struct sequence_set *s)
{
	return s->people_n;
}

void sequence_set_get(const struct sequence_set *s, size_t i, struct sequence *out)
{
	const struct sequence_wanted *w = &s->wanted;
	must(i < s->people_n);
	const struct person *one = (const struct person *)s->people.p + i;
	out->person_id = one->id;
	out->first_day = one->first_day;
	out->days_n = one->days_n;
	out->days = (const int32_t *)s->days.p + one->days_at;
	out->n = one->n;
	out->at_us = (const int64_t *)s->at.p + one->at;
	out->type = (const uint16_t *)s->type.p + one->at;
	out->session = w->sessions ? (const uint64_t *)s->session.p + one->at : NULL;
	out->said = w->sessions ? (const bool *)s->said.p + one->at : NULL;
	out->amount = w->amounts ? (const int64_t *)s->amount.p + one->at : NULL;
	for (int k = 0; k < SEQUENCE_DIMS_ASKED; k++)
		out->dims[k] = k < w->dims_n ? (const uint16_t *)s->dims[k].p + one->at : NULL;
}

/* ---- sessions ---------------------------------------------------------------------- */

#define DAY_LONG_US (INT64_C(24) * 60 * 60 * 1000000)

/* The last session of a key, in a table of at least twice as many as there are events. */
struct session {
	uint64_t key;
	int64_t begin_us, last_us;
	uint32_t number;
	bool said, used;
};

enum { SESSIONS_NEAR = 64 };

static struct session *session_find(struct session *table, size_t size, uint64_t key, bool said)
{
	size_t at = ((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (size - 1);
	while (table[at].used && (table[at].key != key || table[at].said != said))
		at = (at + 1) & (size - 1);
	return &table[at];
}

uint32_t sequence_sessions(const struct sequence *q, int64_t timeout_s, uint32_t *out)
{
	struct session near[SESSIONS_NEAR], *table = near, *is = NULL;
	size_t size = 2;
	uint32_t number = 0;
	must(q->n == 0 || (q->session && q->said && q->n < UINT32_MAX / 2));
	while (size < 2 * q->n)
		size *= 2;
	if (size > SESSIONS_NEAR)
		table = mem_alloc(size * sizeof *table);
	else
		memset(near, 0, size * sizeof *near);
	for (size_t i = 0; i < q->n; i++) {
		int64_t at_us = q->at_us[i];
		if (!is || is->key != q->session[i] || is->said != q->said[i])
			is = session_find(table, size, q->session[i], q->said[i]);
		if (!is->used || (!is->said && (at_us - is->last_us > timeout_s * 1000000 ||
		                                at_us - is->begin_us > DAY_LONG_US)))
			*is = (struct session){q->session[i],      at_us,       at_us, number++,
			                       .said = q->said[i], .used = true};
		is->last_us = at_us;
		out[i] = is->number;
	}
	if (table != near)
		free(table);
	return number;
}
