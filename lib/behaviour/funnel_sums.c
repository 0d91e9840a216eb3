/* funnel_sums.c: counts, and the times from step to step as 48 bits under the 16 of their group. */
#include "behaviour/funnel_sums.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/num.h"

enum { BLOCK = 8192, CODES = 65536, BITS = 12, TIME_BITS = 48 };

#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)

struct block {
	struct block *next;
	size_t n;
	uint64_t v[BLOCK];
};

/* What is added up of a step; of one group, or of all. */
struct counts {
	int64_t users, open, closed, value, unpriced;
};

struct sums_group {
	struct counts steps[FUNNEL_STEPS];
};

struct funnel_sums {
	int steps_n;
	struct sums_group all;
	struct sums_group **by_code; /* CODES of them, NULL: nobody; NULL: not grouped */
	struct block *times[FUNNEL_STEPS];
	size_t times_n[FUNNEL_STEPS];
};

struct funnel_sums *funnel_sums_new(int steps_n, bool grouped)
{
	struct funnel_sums *s = mem_alloc(sizeof *s);
	*s = (struct funnel_sums){.steps_n = steps_n};
	if (grouped) {
		s->by_code = mem_alloc(CODES * sizeof(struct sums_group *));
		memset(s->by_code, 0, CODES * sizeof(struct sums_group *));
	}
	return s;
}

void funnel_sums_free(struct funnel_sums *s)
{
	if (!s)
		return;
	for (int i = 0; s->by_code && i < CODES; i++)
		free(s->by_code[i]);
	free(s->by_code);
	for (int k = 0; k < s->steps_n; k++)
		for (struct block *b = s->times[k], *next; b; b = next) {
			next = b->next;
			free(b);
		}
	free(s);
}

/* ---- adding --------------------------------------------------------------------------- */

static void add_time(struct funnel_sums *s, int k, uint16_t code, int64_t us)
{
	struct block *b = s->times[k];
	if (!b || b->n == BLOCK) {
		struct block *fresh = mem_alloc(sizeof *fresh);
		fresh->next = b;
		fresh->n = 0;
		s->times[k] = b = fresh;
	}
	b->v[b->n++] = (uint64_t)code << TIME_BITS | (uint64_t)us;
	s->times_n[k]++;
}

static void add_value(int64_t *sum, int64_t n)
{
	if (__builtin_add_overflow(*sum, n, sum))
		*sum = INT64_MAX;
}

static void count(struct sums_group *g, int steps_n, const struct sequence *q,
                  const struct funnel_way *way)
{
	for (int k = 0; k < steps_n; k++) {
		struct counts *c = &g->steps[k];
		int64_t amount;
		if (k >= way->reached) {
			c->open += way->open;
			continue;
		}
		c->users++;
		c->closed += !way->pending;
		amount = q->amount ? q->amount[way->events[k]] : SEQUENCE_UNPRICED;
		if (amount == SEQUENCE_UNPRICED)
			c->unpriced++;
		else
			add_value(&c->value, amount);
	}
}

static struct sums_group *group_at(struct funnel_sums *s, uint16_t code)
{
	struct sums_group **g = &s->by_code[code];
	if (!*g) {
		*g = mem_alloc(sizeof **g);
		memset(*g, 0, sizeof **g);
	}
	return *g;
}

void funnel_sums_add(void *sums, const struct sequence *q, const struct funnel_way *way)
{
	struct funnel_sums *s = sums;
	count(&s->all, s->steps_n, q, way);
	if (s->by_code)
		count(group_at(s, way->group), s->steps_n, q, way);
	for (int k = 1; k < way->reached; k++)
		add_time(s, k, way->group, q->at_us[way->events[k]] - q->at_us[way->events[k - 1]]);
}

static void merge_counts(struct sums_group *into, const struct sums_group *from, int steps_n)
{
	for (int k = 0; k < steps_n; k++) {
		struct counts *a = &into->steps[k];
		const struct counts *b = &from->steps[k];
		a->users += b->users;
		a->open += b->open;
		a->closed += b->closed;
		add_value(&a->value, b->value);
		a->unpriced += b->unpriced;
	}
}

static void merge_times(struct funnel_sums *into, struct funnel_sums *from, int k)
{
	struct block **end = &into->times[k];
	while (*end)
		end = &(*end)->next;
	*end = from->times[k];
	into->times_n[k] += from->times_n[k];
	from->times[k] = NULL;
	from->times_n[k] = 0;
}

void funnel_sums_merge(struct funnel_sums *into, struct funnel_sums *from)
{
	merge_counts(&into->all, &from->all, into->steps_n);
	from->all = (struct sums_group){0};
	for (int i = 0; into->by_code && i < CODES; i++)
		if (from->by_code[i]) {
			merge_counts(group_at(into, (uint16_t)i), from->by_code[i], into->steps_n);
			free(from->by_code[i]);
			from->by_code[i] = NULL;
		}
	for (int k = 0; k < into->steps_n; k++)
		merge_times(into, from, k);
}

/* ---- times ------------------------------------------------------------------------------ */

/* By counting into 2^BITS equal stretches, and going on with the one it is in. */
int64_t funnel_kth(int64_t *v, size_t n, size_t k)
{
	static const size_t stretches = (size_t)1 << BITS;
	must(k < n);
	for (;;) {
		uint32_t counts[1 << BITS] = {0};
		int64_t lo = v[0], hi = v[0];
		for (size_t i = 1; i < n; i++) {
			lo = v[i] < lo ? v[i] : lo;
			hi = v[i] > hi ? v[i] : hi;
		}
		if (lo == hi)
			return lo;
		int shift = 0;
		while ((uint64_t)(hi - lo) >> shift >= stretches)
			shift++;
		for (size_t i = 0; i < n; i++)
			counts[(v[i] - lo) >> shift]++;
		size_t at = 0, same = 0;
		while (k >= counts[at])
			k -= counts[at++];
		if (shift == 0)
			return lo + (int64_t)at;
		for (size_t i = 0; i < n; i++)
			if ((size_t)((v[i] - lo) >> shift) == at) {
				int64_t found = v[i];
				v[i] = v[same];
				v[same++] = found;
			}
		n = same;
	}
}

static int64_t rounded(int64_t a, int64_t by)
{
	return (a + by / 2) / by;
}

static void put_times(struct funnel_step_figures *out, int64_t *v, size_t n)
{
	out->median_ms = out->p90_ms = FUNNEL_NONE;
	if (n == 0)
		return;
	int64_t low = funnel_kth(v, n, (n - 1) / 2);
	out->median_ms = rounded(low + (n % 2 ? low : funnel_kth(v, n, n / 2)), 2000);
	out->p90_ms = rounded(funnel_kth(v, n, (9 * n + 9) / 10 - 1), 1000);
}

/* The times of one step, those of places[code] together: `ends` has where each place ends. */
static int64_t *times_by_place(const struct funnel_sums *s, int k, const uint8_t *places,
                               size_t ends[FUNNEL_GROUPS + 2])
{
	int64_t *out = mem_alloc((s->times_n[k] + 1) * sizeof *out);
	memset(ends, 0, (FUNNEL_GROUPS + 2) * sizeof *ends);
	for (const struct block *b = s->times[k]; b; b = b->next)
		for (size_t i = 0; i < b->n; i++)
			ends[(places ? places[b->v[i] >> TIME_BITS] : 0) + 1]++;
	for (int p = 1; p < FUNNEL_GROUPS + 2; p++)
		ends[p] += ends[p - 1];
	for (const struct block *b = s->times[k]; b; b = b->next)
		for (size_t i = 0; i < b->n; i++)
			out[ends[places ? places[b->v[i] >> TIME_BITS] : 0]++] = (int64_t)(b->v[i] & TIME_MASK);
	return out;
}

/* ---- figures ------------------------------------------------------------------------------ */

static int permille(int64_t part, int64_t whole)
{
	return whole ? (int)num_permille(part, whole) : FUNNEL_NONE;
}

static void put_counts(const struct sums_group *g, int steps_n, struct funnel_figures *out)
{
	for (int k = 0; k < steps_n; k++) {
		const struct counts *c = &g->steps[k];
		out->steps[k] = (struct funnel_step_figures){
			.users = c->users,
			.rate = permille(c->users, g->steps[0].users),
			.from_previous = k ? permille(c->users, g->steps[k - 1].users) : FUNNEL_NONE,
			.median_ms = FUNNEL_NONE,
			.p90_ms = FUNNEL_NONE,
			.open = c->open,
			.users_closed = c->closed,
			.rate_closed = permille(c->closed, g->steps[0].closed),
			.value_minor = c->value,
			.unpriced = c->unpriced};
	}
}

void funnel_sums_all(struct funnel_sums *s, struct funnel_figures *out)
{
	size_t ends[FUNNEL_GROUPS + 2];
	*out = (struct funnel_figures){0};
	put_counts(&s->all, s->steps_n, out);
	for (int k = 1; k < s->steps_n; k++) {
		int64_t *v = times_by_place(s, k, NULL, ends);
		put_times(&out->steps[k], v, s->times_n[k]);
		free(v);
	}
}

/* The code that comes next: the most beginners, then the lowest; -1: no other. */
static int next_group(const struct funnel_sums *s, const uint8_t *places)
{
	int best = -1;
	for (int i = 0; i < CODES; i++)
		if (s->by_code[i] && places[i] == FUNNEL_GROUPS &&
		    (best < 0 || s->by_code[i]->steps[0].users > s->by_code[best]->steps[0].users))
			best = i;
	return best;
}

int funnel_sums_groups(struct funnel_sums *s, struct funnel_group_figures *out)
{
	uint8_t *places = mem_alloc(CODES);
	struct sums_group rest = {0};
	size_t ends[FUNNEL_GROUPS + 2];
	int n = 0, code;
	memset(places, FUNNEL_GROUPS, CODES);
	while (n < FUNNEL_GROUPS && (code = next_group(s, places)) >= 0) {
		out[n] = (struct funnel_group_figures){.code = (uint16_t)code};
		put_counts(s->by_code[code], s->steps_n, &out[n].figures);
		places[code] = (uint8_t)n++;
	}
	for (int i = 0; i < CODES; i++)
		if (s->by_code[i] && places[i] == FUNNEL_GROUPS)
			merge_counts(&rest, s->by_code[i], s->steps_n);
	if (rest.steps[0].users) {
		out[n] = (struct funnel_group_figures){.rest = true};
		put_counts(&rest, s->steps_n, &out[n++].figures);
	}
	for (int k = 1; k < s->steps_n; k++) {
		int64_t *v = times_by_place(s, k, places, ends);
		for (int p = 0; p < n; p++)
			put_times(&out[p].figures.steps[k], v + (p ? ends[p - 1] : 0),
			          ends[p] - (p ? ends[p - 1] : 0));
		free(v);
	}
	free(places);
	return n;
}
