/* paths_cli.c: paths.c by hand, for tests. Lines of whole numbers in, a line of JSON out a case:
 *
 *   q by collapse start end depth top page_view from_us to_us timeout_s kept workers
 *   p                                 a person, whose events follow in order
 *   e at_us type page session said
 *   .                                 the answer
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "behaviour/paths.h"

enum { EVENTS = 4096, PEOPLE = 1024, FIELDS = 12 };

struct person {
	size_t begin, n;
};

static int64_t at_us[EVENTS];
static uint16_t type[EVENTS], page[EVENTS];
static uint64_t session[EVENTS];
static bool said[EVENTS];
static struct person people[PEOPLE];
static size_t events_n, people_n;

static void count_all(struct paths *p, int workers)
{
	for (size_t i = 0; i < people_n; i++) {
		size_t b = people[i].begin;
		struct sequence q = {.person_id = (int64_t)i + 1,
		                     .n = people[i].n,
		                     .at_us = at_us + b,
		                     .type = type + b,
		                     .session = session + b,
		                     .said = said + b,
		                     .dims = {page + b}};
		paths_person(p, (int)(i % (size_t)workers), &q);
	}
}

static void print_step(const struct paths_step *s)
{
	printf("{\"sessions\":%lld,\"labels\":[", (long long)s->sessions);
	for (int i = 0; i < s->labels_n; i++)
		printf("%s%u", i ? "," : "", s->labels[i]);
	printf("],\"nodes\":[");
	for (int i = 0; i < PATHS_NODES; i++)
		printf("%s%lld", i ? "," : "", (long long)s->nodes[i]);
	printf("],\"links\":[");
	for (int i = 0; i < PATHS_NODES * PATHS_NODES; i++)
		printf("%s%lld", i ? "," : "", (long long)s->links[i / PATHS_NODES][i % PATHS_NODES]);
	printf("]}");
}

static void print_answer(const struct paths_answer *a, bool twice)
{
	printf("{\"sessions\":%lld,\"uncounted\":%lld,\"twice\":%s,\"steps\":[", (long long)a->sessions,
	       (long long)a->uncounted, twice ? "true" : "false");
	for (int i = 0; i < a->steps_n; i++) {
		printf("%s", i ? "," : "");
		print_step(&a->steps[i]);
	}
	printf("],\"paths\":[");
	for (int i = 0; i < a->paths_n; i++) {
		printf("%s[%lld", i ? "," : "", (long long)a->paths[i].sessions);
		for (int k = 0; k < a->paths[i].n; k++)
			printf(",%u", a->paths[i].labels[k]);
		printf("]");
	}
	printf("]}\n");
}

static void answer(const int64_t *q)
{
	struct paths_asked asked = {.by = (enum paths_by)q[0],
	                            .collapse = q[1] != 0,
	                            .start = (uint32_t)q[2],
	                            .end = (uint32_t)q[3],
	                            .depth = (int)q[4],
	                            .top = (int)q[5],
	                            .page_view = (uint16_t)q[6],
	                            .from_us = q[7],
	                            .to_us = q[8],
	                            .session_timeout_s = q[9],
	                            .kept = (size_t)q[10],
	                            .seed = (uint64_t)q[7]};
	struct paths *p = paths_new(&asked, (int)q[11]);
	struct paths_answer *out = mem_alloc(sizeof *out);
	count_all(p, (int)q[11]);
	bool twice = paths_counted(p);
	if (twice) {
		count_all(p, (int)q[11]);
		must(!paths_counted(p));
	}
	paths_answer(p, out);
	print_answer(out, twice);
	free(out);
	paths_free(p);
}

static void take_event(const int64_t *f)
{
	must(people_n > 0 && events_n < EVENTS);
	at_us[events_n] = f[0];
	type[events_n] = (uint16_t)f[1];
	page[events_n] = (uint16_t)f[2];
	session[events_n] = (uint64_t)f[3];
	said[events_n++] = f[4] != 0;
	people[people_n - 1].n++;
}

int main(void)
{
	char line[512];
	int64_t q[FIELDS] = {0};
	while (fgets(line, sizeof line, stdin)) {
		int64_t f[FIELDS] = {0};
		char *at = line + 1;
		for (int i = 0; i < FIELDS; i++)
			f[i] = strtoll(at, &at, 10);
		if (line[0] == 'q')
			memcpy(q, f, sizeof q);
		if (line[0] == 'p') {
			must(people_n < PEOPLE);
			people[people_n++] = (struct person){events_n, 0};
		}
		if (line[0] == 'e')
			take_event(f);
		if (line[0] == '.') {
			answer(q);
			events_n = people_n = 0;
		}
	}
	return 0;
}
