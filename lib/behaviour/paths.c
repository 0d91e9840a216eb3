/* paths.c: the lists of sessions' labels, each kept once with how often it came; nodes and links
 * are sums over them. Where there are too many to keep, the rest of them is counted by label and
 * step, and links in a second round, between the nodes that are known by then. */
#include "behaviour/paths.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

/* ---- lists ------------------------------------------------------------------------- */

/* Lists of labels and how often they came. An item is [count, n, labels...], `stride` words; a
 * slot the hash and the item's place from 1, 0 where it is free. */
struct lists {
	size_t n, cap, most, stride;
	uint32_t *items;
	uint64_t *slots;
	size_t slots_n; /* a power of two, more than n */
	uint64_t seed;
};

static void lists_init(struct lists *l, int depth, size_t most, uint64_t seed)
{
	*l = (struct lists){.most = most, .stride = 2 + (size_t)depth, .slots_n = 1024, .seed = seed};
	l->slots = mem_alloc(l->slots_n * sizeof *l->slots);
}

static void lists_fini(struct lists *l)
{
	free(l->items);
	free(l->slots);
}

static uint32_t *lists_item(const struct lists *l, size_t i)
{
	return l->items + i * l->stride;
}

static uint32_t hash_of(uint64_t seed, const uint32_t *labels, size_t n)
{
	uint64_t h = seed + n;
	for (size_t i = 0; i < n; i++) {
		h = (h ^ labels[i]) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	return (uint32_t)((h * UINT64_C(0xd6e8feb86659fd93)) >> 32);
}

static void put_slot(uint64_t *slots, size_t slots_n, uint64_t slot)
{
	size_t at = (size_t)(slot >> 32) & (slots_n - 1);
	while (slots[at])
		at = (at + 1) & (slots_n - 1);
	slots[at] = slot;
}

static void lists_grow(struct lists *l)
{
	size_t n = 2 * l->slots_n;
	uint64_t *slots = mem_alloc(n * sizeof *slots);
	for (size_t i = 0; i < l->slots_n; i++)
		if (l->slots[i])
			put_slot(slots, n, l->slots[i]);
	free(l->slots);
	l->slots = slots;
	l->slots_n = n;
}

/* false: it is not there, and as many as are kept are. */
static bool lists_add(struct lists *l, uint32_t hash, const uint32_t *labels, uint32_t n,
                      uint32_t count)
{
	for (size_t at = hash & (l->slots_n - 1); l->slots[at]; at = (at + 1) & (l->slots_n - 1)) {
		if (l->slots[at] >> 32 != hash)
			continue;
		uint32_t *item = lists_item(l, (uint32_t)l->slots[at] - 1);
		if (item[1] == n && memcmp(item + 2, labels, n * sizeof *labels) == 0) {
			item[0] += count;
			return true;
		}
	}
	if (l->n == l->most)
		return false;
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap + l->cap / 2 : 512;
		l->items = mem_realloc(l->items, l->cap * l->stride * sizeof *l->items);
	}
	uint32_t *item = lists_item(l, l->n++);
	item[0] = count;
	item[1] = n;
	memcpy(item + 2, labels, n * sizeof *labels);
	if (2 * l->n > l->slots_n)
		lists_grow(l);
	put_slot(l->slots, l->slots_n, (uint64_t)hash << 32 | l->n);
	return true;
}

/* ---- counting ---------------------------------------------------------------------- */

/* A session of a person, as far as its events were looked at. */
struct way {
	uint32_t n, last;
	bool counts, begun; /* it begins in the range; the label asked for was there */
	uint32_t labels[PATHS_DEPTH];
};

/* Lists wait for each other, so that memory is asked for many of them at once. */
enum { WAITING = 32 };

struct waiting {
	uint32_t hash, n;
	uint32_t labels[PATHS_DEPTH];
};

struct worker {
	struct lists lists;
	struct waiting waiting[WAITING];
	int waiting_n;
	uint32_t (*rest)[PATHS_LABELS]; /* by step, of sessions whose list is not kept; NULL: none */
	int64_t rest_n;
	int64_t links[PATHS_DEPTH][PATHS_NODES][PATHS_NODES]; /* of the second round */
	uint32_t *session_of;
	struct way *ways;
	size_t events_cap, ways_cap;
};

struct paths {
	struct paths_asked asked;
	bool again; /* the second round */
	uint8_t (*place)[PATHS_LABELS];
	struct paths_answer answer;
	int workers_n;
	struct worker workers[];
};

struct paths *paths_new(const struct paths_asked *asked, int workers_n)
{
	struct paths *p = mem_alloc(sizeof *p + (size_t)workers_n * sizeof *p->workers);
	size_t kept = (asked->kept ? asked->kept : PATHS_KEPT) / (size_t)workers_n;
	p->asked = *asked;
	p->workers_n = workers_n;
	for (int i = 0; i < workers_n; i++)
		lists_init(&p->workers[i].lists, asked->depth, kept ? kept : 1, asked->seed);
	return p;
}

void paths_free(struct paths *p)
{
	if (!p)
		return;
	for (int i = 0; i < p->workers_n; i++) {
		lists_fini(&p->workers[i].lists);
		free(p->workers[i].rest);
		free(p->workers[i].session_of);
		free(p->workers[i].ways);
	}
	free(p->place);
	free(p);
}

static uint8_t place_of(const struct paths *p, int step, const struct way *w)
{
	return (uint32_t)step < w->n ? p->place[step][w->labels[step]] : PATHS_AT_DROP;
}

static void count_links(const struct paths *p, const struct way *w, int64_t count,
                        int64_t (*links)[PATHS_NODES][PATHS_NODES])
{
	for (int i = 0; i + 1 < p->asked.depth && (uint32_t)i < w->n; i++)
		links[i][place_of(p, i, w)][place_of(p, i + 1, w)] += count;
}

static void count_rest(const struct paths *p, struct worker *k, const struct waiting *w)
{
	if (!k->rest)
		k->rest = mem_alloc((size_t)p->asked.depth * sizeof *k->rest);
	for (uint32_t i = 0; i < w->n; i++)
		k->rest[i][w->labels[i]]++;
	k->rest_n++;
}

static void count_waiting(const struct paths *p, struct worker *k)
{
	struct lists *l = &k->lists;
	for (int i = 0; i < k->waiting_n; i++) {
		uint64_t slot = l->slots[k->waiting[i].hash & (l->slots_n - 1)];
		if (slot)
			__builtin_prefetch(lists_item(l, (uint32_t)slot - 1));
	}
	for (int i = 0; i < k->waiting_n; i++) {
		const struct waiting *w = &k->waiting[i];
		if (!lists_add(l, w->hash, w->labels, w->n, 1))
			count_rest(p, k, w);
	}
	k->waiting_n = 0;
}

static void count_way(const struct paths *p, struct worker *k, const struct way *w)
{
	if (p->again) {
		count_links(p, w, 1, k->links);
		return;
	}
	struct waiting *one = &k->waiting[k->waiting_n++];
	one->hash = hash_of(k->lists.seed, w->labels, w->n);
	one->n = w->n;
	memcpy(one->labels, w->labels, w->n * sizeof *w->labels);
	__builtin_prefetch(&k->lists.slots[one->hash & (k->lists.slots_n - 1)]);
	if (k->waiting_n == WAITING)
		count_waiting(p, k);
}

/* PATHS_ANY: the event has none. */
static uint32_t label_of(const struct paths_asked *a, const struct sequence *q, size_t i)
{
	uint16_t type = q->type[i];
	if (a->by != PATHS_BY_TYPE && type == a->page_view)
		return q->dims[a->page] ? q->dims[a->page][i] : 0;
	if (a->by == PATHS_BY_PAGE)
		return PATHS_ANY;
	return type == SEQUENCE_OTHER ? (uint32_t)PATHS_OTHER : (uint32_t)PATHS_TYPE | type;
}

static void take_event(const struct paths_asked *a, const struct sequence *q, size_t i,
                       struct way *w)
{
	uint32_t from = a->end != PATHS_ANY ? a->end : a->start;
	if (!w->counts || w->n == (uint32_t)a->depth)
		return;
	uint32_t label = label_of(a, q, i);
	if (label == PATHS_ANY)
		return;
	if (!w->begun && from != PATHS_ANY && label != from)
		return;
	w->begun = true;
	if (a->collapse && w->n > 0 && w->last == label)
		return;
	w->labels[w->n++] = w->last = label;
}

static void make_room(struct worker *k, size_t events, size_t ways)
{
	if (k->events_cap < events) {
		k->events_cap = 2 * events;
		k->session_of = mem_realloc(k->session_of, k->events_cap * sizeof *k->session_of);
	}
	if (k->ways_cap < ways) {
		k->ways_cap = 2 * ways;
		k->ways = mem_realloc(k->ways, k->ways_cap * sizeof *k->ways);
	}
}

/* Which sessions begin in the range; their numbers are in the order of that. */
static bool begin_ways(const struct paths_asked *a, const struct sequence *q, struct worker *k)
{
	uint32_t n = 0;
	bool any = false;
	for (size_t i = 0; i < q->n; i++) {
		if (k->session_of[i] != n)
			continue;
		struct way *w = &k->ways[n++];
		w->n = 0;
		w->begun = false;
		w->counts = q->at_us[i] >= a->from_us && q->at_us[i] < a->to_us;
		any = any || w->counts;
	}
	return any;
}

void paths_person(struct paths *p, int worker, const struct sequence *q)
{
	const struct paths_asked *a = &p->asked;
	struct worker *k = &p->workers[worker];
	if (q->n == 0)
		return;
	make_room(k, q->n, 0);
	uint32_t n = sequence_sessions(q, a->session_timeout_s, k->session_of);
	make_room(k, q->n, n);
	if (!begin_ways(a, q, k))
		return;
	for (size_t i = 0; i < q->n; i++) {
		size_t at = a->end != PATHS_ANY ? q->n - 1 - i : i; /* backwards */
		take_event(a, q, at, &k->ways[k->session_of[at]]);
	}
	for (uint32_t i = 0; i < n; i++)
		if (k->ways[i].counts && k->ways[i].n > 0)
			count_way(p, k, &k->ways[i]);
}

/* ---- adding up ------------------------------------------------------------------- */

static void way_of(const uint32_t *item, struct way *out)
{
	out->n = item[1];
	memcpy(out->labels, item + 2, item[1] * sizeof *item);
}

/* Sessions by step and label. */
static void add_labels(const struct paths *p, int64_t (*sums)[PATHS_LABELS])
{
	for (int i = 0; i < p->workers_n; i++) {
		const struct worker *k = &p->workers[i];
		for (size_t at = 0; at < k->lists.n; at++) {
			const uint32_t *item = lists_item(&k->lists, at);
			for (uint32_t s = 0; s < item[1]; s++)
				sums[s][item[2 + s]] += item[0];
		}
		for (int s = 0; k->rest && s < p->asked.depth; s++)
			for (uint32_t label = 0; label < PATHS_LABELS; label++)
				sums[s][label] += k->rest[s][label];
	}
}

/* A label with `sessions` finds its place among the `top` first, those that come before it with as
 * many staying before it. */
static void rank_label(struct paths_step *s, int top, uint32_t label, int64_t sessions)
{
	int at = s->labels_n;
	while (at > 0 && s->nodes[at - 1] < sessions)
		at--;
	if (at == top)
		return;
	if (s->labels_n < top)
		s->labels_n++;
	for (int i = s->labels_n - 1; i > at; i--) {
		s->labels[i] = s->labels[i - 1];
		s->nodes[i] = s->nodes[i - 1];
	}
	s->labels[at] = label;
	s->nodes[at] = sessions;
}

static void make_step(struct paths *p, int i, const int64_t *sums)
{
	struct paths_step *s = &p->answer.steps[i];
	for (uint32_t label = 0; label < PATHS_LABELS; label++) {
		s->sessions += sums[label];
		if (sums[label] > 0 && label != PATHS_OTHER)
			rank_label(s, p->asked.top, label, sums[label]);
	}
	s->nodes[PATHS_AT_REST] = s->sessions;
	memset(p->place[i], PATHS_AT_REST, sizeof p->place[i]);
	for (int n = 0; n < s->labels_n; n++) {
		s->nodes[PATHS_AT_REST] -= s->nodes[n];
		p->place[i][s->labels[n]] = (uint8_t)n;
	}
	if (i > 0)
		s->nodes[PATHS_AT_DROP] = p->answer.steps[i - 1].sessions - s->sessions;
}

static void make_steps(struct paths *p)
{
	struct paths_answer *a = &p->answer;
	int64_t(*sums)[PATHS_LABELS] = mem_alloc((size_t)p->asked.depth * sizeof *sums);
	p->place = mem_alloc((size_t)p->asked.depth * sizeof *p->place);
	add_labels(p, sums);
	while (a->steps_n < p->asked.depth &&
	       (a->steps_n == 0 || a->steps[a->steps_n - 1].sessions > 0)) {
		make_step(p, a->steps_n, sums[a->steps_n]);
		a->steps_n++;
	}
	free(sums);
	a->sessions = a->steps[0].sessions;
	if (a->sessions == 0)
		a->steps_n = 0;
	for (int i = 0; i < p->workers_n; i++)
		a->uncounted += p->workers[i].rest_n;
}

static void links_of_lists(struct paths *p)
{
	struct way w;
	for (int i = 0; i < p->workers_n; i++) {
		struct worker *k = &p->workers[i];
		for (size_t at = 0; at < k->lists.n; at++) {
			const uint32_t *item = lists_item(&k->lists, at);
			way_of(item, &w);
			count_links(p, &w, item[0], k->links);
		}
	}
}

static void add_links(struct paths *p)
{
	for (int k = 0; k < p->workers_n; k++)
		for (int i = 0; i < p->answer.steps_n; i++)
			for (int from = 0; from < PATHS_NODES; from++)
				for (int to = 0; to < PATHS_NODES; to++)
					p->answer.steps[i].links[from][to] += p->workers[k].links[i][from][to];
}

/* More sessions first, then by labels. */
static bool comes_before(const struct paths_frequent *a, const struct paths_frequent *b)
{
	if (a->sessions != b->sessions)
		return a->sessions > b->sessions;
	for (int i = 0; i < a->n && i < b->n; i++)
		if (a->labels[i] != b->labels[i])
			return a->labels[i] < b->labels[i];
	return a->n < b->n;
}

static void rank_list(struct paths_answer *a, const uint32_t *item)
{
	struct paths_frequent f = {.n = (int)item[1], .sessions = item[0]};
	int n = a->paths_n;
	if (n == PATHS_FREQUENT && f.sessions < a->paths[n - 1].sessions)
		return;
	memcpy(f.labels, item + 2, item[1] * sizeof *item);
	while (n > 0 && comes_before(&f, &a->paths[n - 1]))
		n--;
	if (n == PATHS_FREQUENT)
		return;
	if (a->paths_n < PATHS_FREQUENT)
		a->paths_n++;
	memmove(&a->paths[n + 1], &a->paths[n], (size_t)(a->paths_n - 1 - n) * sizeof *a->paths);
	a->paths[n] = f;
}

/* All workers' lists into those of the one that has most. */
static void make_paths(struct paths *p)
{
	struct lists *all = &p->workers[0].lists;
	for (int i = 1; i < p->workers_n; i++)
		if (p->workers[i].lists.n > all->n)
			all = &p->workers[i].lists;
	all->most = SIZE_MAX;
	for (int i = 0; i < p->workers_n; i++) {
		const struct lists *one = &p->workers[i].lists;
		for (size_t at = 0; one != all && at < one->n; at++) {
			const uint32_t *item = lists_item(one, at);
			(void)lists_add(all, hash_of(all->seed, item + 2, item[1]), item + 2, item[1], item[0]);
		}
	}
	for (size_t at = 0; at < all->n; at++)
		rank_list(&p->answer, lists_item(all, at));
}

bool paths_counted(struct paths *p)
{
	if (!p->again) {
		for (int i = 0; i < p->workers_n; i++)
			count_waiting(p, &p->workers[i]);
		make_steps(p);
		p->again = p->answer.uncounted > 0;
		if (p->again)
			return true;
		links_of_lists(p);
	}
	add_links(p);
	make_paths(p);
	return false;
}

void paths_answer(struct paths *p, struct paths_answer *out)
{
	*out = p->answer;
}
