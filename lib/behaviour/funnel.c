/* funnel.c: attempts, and the best of them. No way of walking looks at an event more often than
 * there are steps, but for those that attempts themselves take. */
#include "behaviour/funnel.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { TYPES = 65536 };

#define LOOK_BACK_US (FUNNEL_LOOK_BACK_S * INT64_C(1000000))

/* An event of the person or session at hand. */
struct seen {
	int64_t at_us;
	uint32_t place; /* in the sequence */
	uint16_t fits;  /* bit i: step i */
};

struct funnel_walker {
	const struct funnel *f;
	uint16_t by_type[TYPES]; /* steps that ask for the type */
	uint16_t filtered;       /* steps with filters */
	size_t cap;
	struct seen *seen; /* those that fit a step; strict: all from the first attempt on */
	size_t n;
	uint32_t *session;     /* of each place of a sequence */
	uint32_t *list, *ends; /* places by session */
	uint32_t *next;        /* any: for each seen one and step, the next that fits it */
	size_t next_cap;
};

struct funnel_walker *funnel_walker_new(const struct funnel *f)
{
	must(f->steps_n >= 1 && f->steps_n <= FUNNEL_STEPS);
	struct funnel_walker *w = mem_alloc(sizeof *w);
	memset(w, 0, sizeof *w);
	w->f = f;
	for (int i = 0; i < f->steps_n; i++) {
		if (f->steps[i].type)
			w->by_type[f->steps[i].type] |= (uint16_t)(1u << i);
		if (f->steps[i].filters_n)
			w->filtered |= (uint16_t)(1u << i);
	}
	return w;
}

void funnel_walker_free(struct funnel_walker *w)
{
	if (!w)
		return;
	free(w->seen);
	free(w->session);
	free(w->list);
	free(w->ends);
	free(w->next);
	free(w);
}

/* ---- what fits ---------------------------------------------------------------------- */

static bool passes(const struct funnel_filter *filter, const struct sequence *q, size_t i)
{
	uint16_t code = q->dims[filter->dim] ? q->dims[filter->dim][i] : 0;
	for (int k = 0; k < filter->n; k++)
		if (filter->codes[k] == code)
			return true;
	return false;
}

static unsigned fits(const struct funnel_walker *w, const struct sequence *q, size_t i)
{
	unsigned bits = w->by_type[q->type[i]];
	for (unsigned left = bits & w->filtered; left; left &= left - 1) {
		const struct funnel_step *step = &w->f->steps[__builtin_ctz(left)];
		for (int k = 0; k < step->filters_n; k++)
			if (!passes(&step->filters[k], q, i)) {
				bits &= ~(left & -left);
				break;
			}
	}
	return bits;
}

static void make_room(struct funnel_walker *w, size_t n)
{
	if (n <= w->cap)
		return;
	must(n < UINT32_MAX);
	w->cap = n + n / 2;
	w->seen = mem_realloc(w->seen, w->cap * sizeof *w->seen);
	w->session = mem_realloc(w->session, w->cap * sizeof *w->session);
	w->list = mem_realloc(w->list, w->cap * sizeof *w->list);
	w->ends = mem_realloc(w->ends, w->cap * sizeof *w->ends);
}

/* The events of a person (list NULL: in their places), or those of the list. */
static void look(struct funnel_walker *w, const struct sequence *q, const uint32_t *list, size_t n)
{
	const struct funnel *f = w->f;
	bool all = f->order == FUNNEL_STRICT;
	unsigned first = f->order == FUNNEL_ANY ? ~0u : 1;
	w->n = 0;
	for (size_t k = 0; k < n; k++) {
		size_t i = list ? list[k] : k;
		int64_t at_us = q->at_us[i];
		if (at_us < f->from_us)
			continue;
		if (at_us > f->as_of_us)
			break;
		unsigned bits = fits(w, q, i);
		if (w->n ? !bits && !all : !(bits & first))
			continue;
		w->seen[w->n++] = (struct seen){at_us, (uint32_t)i, (uint16_t)bits};
	}
}

/* ---- attempts ------------------------------------------------------------------------ */

static void keep_best(struct funnel_way *best, const uint32_t *events, int reached)
{
	if (reached <= best->reached)
		return;
	best->reached = reached;
	for (int i = 0; i < reached; i++)
		best->events[i] = events[i];
}

/* Steps of later attempts are never served before those of earlier ones: each step's mark only
 * moves on. */
static void walk_sequential(const struct funnel_walker *w, struct funnel_way *best)
{
	const struct funnel *f = w->f;
	const struct seen *s = w->seen;
	uint32_t mark[FUNNEL_STEPS] = {0}, events[FUNNEL_STEPS];
	for (uint32_t e = 0; e < w->n && s[e].at_us < f->to_us && best->reached < f->steps_n; e++) {
		int64_t end_us = s[e].at_us + f->window_us;
		int k = 1;
		if (!(s[e].fits & 1))
			continue;
		for (events[0] = e; k < f->steps_n; k++) {
			uint32_t p = mark[k] > events[k - 1] ? mark[k] : events[k - 1] + 1;
			while (p < w->n && s[p].at_us <= end_us && !(s[p].fits >> k & 1))
				p++;
			events[k] = mark[k] = p;
			if (p == w->n || s[p].at_us > end_us)
				break;
		}
		keep_best(best, events, k);
	}
}

static void walk_strict(const struct funnel_walker *w, struct funnel_way *best)
{
	const struct funnel *f = w->f;
	const struct seen *s = w->seen;
	uint32_t events[FUNNEL_STEPS];
	for (uint32_t e = 0; e < w->n && s[e].at_us < f->to_us; e++) {
		int64_t end_us = s[e].at_us + f->window_us;
		uint32_t p = e;
		int k = 0;
		if (!(s[e].fits & 1))
			continue;
		while (k < f->steps_n && p < w->n && s[p].at_us <= end_us && s[p].fits >> k & 1)
			events[k++] = p++;
		keep_best(best, events, k);
		/* What comes next would have to be still to come. */
		best->open |= end_us > f->as_of_us && (k == f->steps_n || p == w->n);
	}
}

static void fill_next(struct funnel_walker *w)
{
	size_t steps_n = (size_t)w->f->steps_n;
	if (w->n * steps_n > w->next_cap) {
		w->next_cap = w->n * steps_n * 3 / 2;
		w->next = mem_realloc(w->next, w->next_cap * sizeof *w->next);
	}
	for (size_t i = w->n; i-- > 0;)
		for (size_t k = 0; k < steps_n; k++)
			w->next[i * steps_n + k] = i + 1 == w->n ? (uint32_t)w->n
			                           : w->seen[i + 1].fits >> k & 1
			                               ? (uint32_t)i + 1
			                               : w->next[(i + 1) * steps_n + k];
}

static void walk_any(struct funnel_walker *w, struct funnel_way *best)
{
	const struct funnel *f = w->f;
	const struct seen *s = w->seen;
	uint32_t events[FUNNEL_STEPS];
	unsigned whole = (1u << f->steps_n) - 1;
	fill_next(w);
	for (uint32_t e = 0; e < w->n && s[e].at_us < f->to_us && best->reached < f->steps_n; e++) {
		unsigned left = whole, fit = s[e].fits;
		uint32_t p = e;
		int n = 0;
		while (p < w->n && s[p].at_us <= s[e].at_us + f->window_us) {
			const uint32_t *next = &w->next[p * (size_t)f->steps_n];
			events[n++] = p;
			left &= ~(fit & -fit);
			p = (uint32_t)w->n;
			for (unsigned bits = left; bits; bits &= bits - 1)
				if (next[__builtin_ctz(bits)] < p)
					p = next[__builtin_ctz(bits)];
			fit = p < w->n ? s[p].fits & left : 0;
		}
		keep_best(best, events, n);
	}
}

/* Whether the last attempt's time is not over. */
static bool is_pending(const struct funnel_walker *w)
{
	for (size_t i = w->n; i-- > 0;)
		if (w->seen[i].at_us + w->f->window_us <= w->f->as_of_us)
			return false;
		else if (w->seen[i].at_us < w->f->to_us &&
		         (w->f->order == FUNNEL_ANY || w->seen[i].fits & 1))
			return true;
	return false;
}

/* What the first event says, or the last one before it. */
static uint16_t group_of(const struct funnel *f, const struct sequence *q, const uint32_t *list,
                         size_t n, size_t first)
{
	const uint16_t *dim = f->breakdown >= 0 ? q->dims[f->breakdown] : NULL;
	size_t lo = 0, hi = n;
	if (!dim)
		return 0;
	while (list && lo < hi) { /* places of a list ascend */
		size_t mid = lo + (hi - lo) / 2;
		if (list[mid] < first)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (size_t k = (list ? lo : first) + 1; k-- > 0;) {
		size_t i = list ? list[k] : k;
		if (q->at_us[i] < q->at_us[first] - LOOK_BACK_US)
			break;
		if (dim[i])
			return dim[i];
	}
	return 0;
}

static void walk_unit(struct funnel_walker *w, const struct sequence *q, const uint32_t *list,
                      size_t n, funnel_way_fn fn, void *arg)
{
	const struct funnel *f = w->f;
	look(w, q, list, n);
	if (w->n == 0 || w->seen[0].at_us >= f->to_us)
		return;
	struct funnel_way way = {0};
	if (f->order == FUNNEL_SEQUENTIAL)
		walk_sequential(w, &way);
	else if (f->order == FUNNEL_STRICT)
		walk_strict(w, &way);
	else
		walk_any(w, &way);
	way.pending = is_pending(w);
	if (f->order != FUNNEL_STRICT)
		way.open = way.pending;
	for (int i = 0; i < way.reached; i++)
		way.events[i] = w->seen[way.events[i]].place;
	way.group = group_of(f, q, list, n, way.events[0]);
	fn(arg, q, &way);
}

/* ---- people and their sessions ------------------------------------------------------------ */

/* Places by session, in order; ends[i] is behind those of session i. */
static uint32_t sort_sessions(struct funnel_walker *w, const struct sequence *q)
{
	uint32_t n = sequence_sessions(q, w->f->session_timeout_s, w->session), *at = w->ends;
	memset(at, 0, n * sizeof *at);
	for (size_t i = 0; i < q->n; i++)
		if (w->session[i] + 1 < n)
			at[w->session[i] + 1]++;
	for (uint32_t i = 1; i < n; i++)
		at[i] += at[i - 1];
	for (size_t i = 0; i < q->n; i++)
		w->list[at[w->session[i]]++] = (uint32_t)i;
	return n;
}

/* The same person from FUNNEL_LOOK_BACK_S before the range on, whatever else was read. */
static struct sequence cut(const struct funnel *f, const struct sequence *q)
{
	struct sequence out = *q;
	size_t lo = 0, hi = q->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (q->at_us[mid] < f->from_us - LOOK_BACK_US)
			lo = mid + 1;
		else
			hi = mid;
	}
	out.n -= lo;
	out.at_us += lo;
	out.type += lo;
	if (q->session) {
		out.session += lo;
		out.said += lo;
	}
	if (q->amount)
		out.amount += lo;
	for (int k = 0; k < SEQUENCE_DIMS_ASKED; k++)
		if (q->dims[k])
			out.dims[k] += lo;
	return out;
}

void funnel_walk(struct funnel_walker *w, const struct sequence *person, funnel_way_fn fn,
                 void *arg)
{
	const struct sequence *q = person;
	struct sequence later;
	if (q->n && q->at_us[0] < w->f->from_us - LOOK_BACK_US) {
		later = cut(w->f, person);
		q = &later;
	}
	if (q->n == 0)
		return;
	make_room(w, q->n);
	if (!w->f->by_session) {
		walk_unit(w, q, NULL, q->n, fn, arg);
		return;
	}
	uint32_t n = sort_sessions(w, q), from = 0;
	for (uint32_t i = 0; i < n; from = w->ends[i++])
		walk_unit(w, q, w->list + from, w->ends[i] - from, fn, arg);
}
