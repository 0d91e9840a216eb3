/* cohort_client.c: lib/behaviour/retention.c on questions from standard input, as
 * cohort_words.test.mjs writes them: numbers in the order of read_question() and read_person(). Of
 * each question a line a cohort comes back: size, then count/complete/tenths of a percent of each
 * cell. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/num.h"
#include "behaviour/retention.h"

enum { WORKERS = 2 };

static int64_t number(void)
{
	char text[24], *end;
	if (scanf("%23s", text) != 1)
		exit(2);
	int64_t n = strtoll(text, &end, 10);
	if (*end)
		exit(2);
	return n;
}

static void read_question(struct retention *r)
{
	r->unit = (enum retention_unit)number();
	r->mode = (enum retention_mode)number();
	r->first_type = (uint16_t)number();
	r->return_type = (uint16_t)number();
	r->first_cohort = retention_period(r->unit, (int32_t)number());
	r->cohorts_n = (int)number();
	r->periods_n = (int)number();
	r->as_of_us = number();
	r->as_of_cuts = number() == 1;
	r->from_day = (int32_t)number();
	r->days_n = (int)number();
	int64_t *starts = mem_alloc((size_t)(r->days_n + 1) * sizeof *starts);
	for (int i = 0; i <= r->days_n; i++)
		starts[i] = number();
	r->starts = starts;
}

/* What a scan would tell of a person of whom so much is wanted. */
static void read_person(const struct retention *r, const struct sequence_wanted *w,
                        struct sequence *q, int32_t *days, int64_t *at, uint16_t *type)
{
	*q = (struct sequence){.days = days, .at_us = at, .type = type};
	q->first_day = (int32_t)number();
	if (q->first_day < r->from_day || q->first_day >= r->from_day + r->days_n)
		q->first_day = INT32_MIN;
	for (int64_t n = number(); n > 0; n--) {
		int32_t day = (int32_t)number();
		if (day >= r->from_day && day < r->from_day + r->days_n)
			days[q->days_n++] = day;
	}
	for (int64_t n = number(); n > 0; n--) {
		int64_t us = number();
		uint16_t code = (uint16_t)number();
		bool typed = !w->types || (w->types[code / 8] & 1u << code % 8) != 0;
		if (!w->events || !typed || us < w->from_us || us >= w->to_us)
			continue;
		at[q->n] = us;
		type[q->n++] = code;
	}
}

static void print_sums(const struct retention *r, const struct retention_sums *s)
{
	for (int i = 0; i < r->cohorts_n; i++) {
		(void)printf("%" PRId64, s->sizes[i]);
		for (int k = 0; k < retention_cells(r, i); k++) {
			int64_t n = s->counts[i * r->periods_n + k];
			(void)printf(" %" PRId64 "/%d/%" PRId64, n, retention_complete(r, i, k),
			             s->sizes[i] ? num_permille(n, s->sizes[i]) : -1);
		}
		(void)printf("\n");
	}
}

int main(void)
{
	enum { EVENTS = 10000 };
	static int32_t days[EVENTS];
	static int64_t at[EVENTS];
	static uint16_t type[EVENTS];
	static unsigned char types[RETENTION_TYPE_BYTES];
	for (int64_t questions = number(); questions > 0; questions--) {
		struct retention r = {0};
		struct sequence_wanted wanted;
		struct retention_sums sums[WORKERS];
		struct sequence q;
		read_question(&r);
		retention_wanted(&r, types, &wanted);
		for (int i = 0; i < WORKERS; i++)
			retention_sums_init(&sums[i], &r);
		for (int64_t people = number(); people > 0; people--) {
			read_person(&r, &wanted, &q, days, at, type);
			retention_add(&r, &q, &sums[people % WORKERS]);
		}
		for (int i = 1; i < WORKERS; i++)
			retention_merge(&r, &sums[0], &sums[i]);
		print_sums(&r, &sums[0]);
		for (int i = 0; i < WORKERS; i++)
			retention_sums_fini(&sums[i]);
		free((void *)(uintptr_t)r.starts);
	}
	return 0;
}
