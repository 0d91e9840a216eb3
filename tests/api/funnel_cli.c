/* funnel_cli.c: funnel.c and funnel_sums.c by hand, for tests: each line of the input is a funnel
 * and people as JSON, each line of the output what comes of it.
 *
 *   {"order": 0, "sessions": false, "window": 60, "from": 0, "to": 9, "as_of": 9, "timeout_s": 60,
 *    "breakdown": -1, "steps": [{"type": 1, "filters": [[0, [3, 4]]]}],
 *    "people": [[[at, type, session, said, amount, dim, dim], ...], ...]}
 *
 * People are added up by two sums in turn, which are merged. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "behaviour/funnel_sums.h"

enum { DIMS = 2, EVENTS = 20000, ABOUT = 5 };

static struct funnel_filter filters[FUNNEL_STEPS][DIMS];
static int64_t at_us[EVENTS], amount[EVENTS];
static uint16_t type[EVENTS], dims[DIMS][EVENTS];
static uint64_t session[EVENTS];
static bool said[EVENTS];

static int64_t number(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

static void read_step(const json_t *o, int i, struct funnel_step *step)
{
	const json_t *list = json_object_get(o, "filters"), *one, *code;
	size_t n, k;
	*step = (struct funnel_step){.type = (uint16_t)number(o, "type"), .filters = filters[i]};
	json_array_foreach(list, n, one)
	{
		struct funnel_filter *f = &filters[i][step->filters_n++];
		*f = (struct funnel_filter){.dim = (int)json_integer_value(json_array_get(one, 0))};
		json_array_foreach(json_array_get(one, 1), k, code) f->codes[f->n++] =
			(uint16_t)json_integer_value(code);
	}
}

static void read_funnel(const json_t *o, struct funnel *f)
{
	const json_t *step;
	size_t i;
	*f = (struct funnel){.order = (enum funnel_order)number(o, "order"),
	                     .by_session = json_is_true(json_object_get(o, "sessions")),
	                     .window_us = number(o, "window"),
	                     .from_us = number(o, "from"),
	                     .to_us = number(o, "to"),
	                     .as_of_us = number(o, "as_of"),
	                     .session_timeout_s = number(o, "timeout_s"),
	                     .breakdown = (int)number(o, "breakdown")};
	json_array_foreach(json_object_get(o, "steps"), i, step)
		read_step(step, f->steps_n++, &f->steps[i]);
}

static void read_person(const json_t *events, struct sequence *q)
{
	const json_t *e;
	size_t i;
	*q = (struct sequence){.n = json_array_size(events),
	                       .at_us = at_us,
	                       .type = type,
	                       .session = session,
	                       .said = said,
	                       .amount = amount,
	                       .dims = {dims[0], dims[1]}};
	must(q->n <= EVENTS);
	json_array_foreach(events, i, e)
	{
		at_us[i] = json_integer_value(json_array_get(e, 0));
		type[i] = (uint16_t)json_integer_value(json_array_get(e, 1));
		session[i] = (uint64_t)json_integer_value(json_array_get(e, 2));
		said[i] = json_is_true(json_array_get(e, 3));
		amount[i] = json_integer_value(json_array_get(e, 4));
		for (size_t k = 0; k < DIMS; k++)
			dims[k][i] = (uint16_t)json_integer_value(json_array_get(e, ABOUT + k));
	}
}

struct walk {
	const struct funnel *f;
	struct funnel_sums *sums;
	bool first;
};

static void print_way(void *arg, const struct sequence *q, const struct funnel_way *way)
{
	struct walk *w = arg;
	funnel_sums_add(w->sums, q, way);
	printf("%s{\"open\":%s,\"pending\":%s,\"group\":%d,\"events\":[", w->first ? "" : ",",
	       way->open ? "true" : "false", way->pending ? "true" : "false", way->group);
	for (int i = 0; i < way->reached; i++)
		printf("%s%zu", i ? "," : "", (size_t)(q->at_us - at_us) + way->events[i]);
	printf("]}");
	w->first = false;
}

static void print_figures(const struct funnel_figures *figures, int steps_n)
{
	printf("[");
	for (int i = 0; i < steps_n; i++) {
		const struct funnel_step_figures *s = &figures->steps[i];
		printf("%s[%lld,%d,%d,%lld,%lld,%lld,%d,%lld,%lld]", i ? "," : "", (long long)s->users,
		       s->rate, s->from_previous, (long long)s->median_ms, (long long)s->p90_ms,
		       (long long)s->open, s->rate_closed, (long long)s->value_minor,
		       (long long)s->unpriced);
	}
	printf("]");
}

static void print_sums(const struct funnel *f, struct funnel_sums *sums)
{
	struct funnel_figures all;
	struct funnel_group_figures groups[FUNNEL_GROUPS + 1];
	funnel_sums_all(sums, &all);
	printf("],\"all\":");
	print_figures(&all, f->steps_n);
	printf(",\"groups\":[");
	int n = f->breakdown >= 0 ? funnel_sums_groups(sums, groups) : 0;
	for (int i = 0; i < n; i++) {
		printf("%s[%d,", i ? "," : "", groups[i].rest ? -1 : groups[i].code);
		print_figures(&groups[i].figures, f->steps_n);
		printf("]");
	}
	printf("]}\n");
}

static void answer(const json_t *o)
{
	struct funnel f;
	struct sequence q;
	const json_t *person;
	size_t i;
	read_funnel(o, &f);
	struct funnel_walker *walker = funnel_walker_new(&f);
	struct funnel_sums *sums[2];
	for (i = 0; i < 2; i++)
		sums[i] = funnel_sums_new(f.steps_n, f.breakdown >= 0);
	printf("{\"ways\":[");
	json_array_foreach(json_object_get(o, "people"), i, person)
	{
		struct walk w = {.f = &f, .sums = sums[i % 2], .first = true};
		read_person(person, &q);
		printf("%s[", i ? "," : "");
		funnel_walk(walker, &q, print_way, &w);
		printf("]");
	}
	funnel_sums_merge(sums[0], sums[1]);
	print_sums(&f, sums[0]);
	funnel_sums_free(sums[0]);
	funnel_sums_free(sums[1]);
	funnel_walker_free(walker);
}

int main(void)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	while ((n = getline(&line, &size, stdin)) > 0) {
		json_t *o = json_loadb(line, (size_t)n, 0, NULL);
		must(o != NULL);
		answer(o);
		json_decref(o);
	}
	free(line);
	return 0;
}
