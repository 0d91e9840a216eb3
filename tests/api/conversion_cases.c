/* conversion_cases.c: people on standard input, each a line "from to day kind day kind ...": what
 * they add to the counts, as lines "step recency buyer n converted", and the cell they are in at
 * the end of day `to` ("cell step recency buyer", "cell none"). At the end the table of all of
 * them, its quality on the second half of the lines' counts, as it judges itself. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "behaviour/conversion.h"

enum { EVENTS = 4096 };

static struct conversion_counts all;

static void print_counts(const struct conversion_counts *c)
{
	for (int s = 0; s < CONVERSION_STEPS; s++)
		for (int r = 0; r < CONVERSION_RECENCIES; r++)
			for (int b = 0; b < 2; b++)
				if (c->of[s][r][b].n)
					(void)printf("%d %d %d %" PRId64 " %" PRId64 "\n", s, r, b, c->of[s][r][b].n,
					             c->of[s][r][b].converted);
}

static void take(char *line)
{
	static struct conversion_event events[EVENTS];
	struct conversion_counts counts = {0};
	struct conversion_cell cell;
	char *p = line;
	size_t n = 0;
	struct conversion_range days = {.from = (int32_t)strtol(p, &p, 10)};
	days.to = (int32_t)strtol(p, &p, 10);
	while (*(p += strspn(p, " ")) != '\n' && *p && n < EVENTS) {
		events[n].day = (int32_t)strtol(p, &p, 10);
		events[n++].kind = (enum conversion_kind)strtol(p, &p, 10);
	}
	bool any = conversion_take(events, n, days, &counts);
	(void)printf("person %d\n", any);
	print_counts(&counts);
	if (conversion_cell_at(events, n, days.to, &cell))
		(void)printf("cell %d %d %d\n", cell.step, cell.recency, cell.buyer);
	else
		(void)puts("cell none");
	conversion_add(&all, &counts);
}

int main(void)
{
	static char line[1 << 17];
	struct conversion_model model;
	struct conversion_quality q;
	while (fgets(line, sizeof line, stdin))
		take(line);
	conversion_model_make(&all, &model);
	(void)printf("all %.12f\n", model.all.p);
	for (int s = 0; s < CONVERSION_STEPS; s++)
		for (int r = 0; r < CONVERSION_RECENCIES; r++)
			for (int b = 0; b < 2; b++)
				(void)printf("p %d %d %d %.12f\n", s, r, b, model.cells[s][r][b].p);
	if (conversion_judge(&model, &all, &q)) {
		(void)printf("quality %" PRId64 " %" PRId64 " %.12f %.12f %.12f\n", q.n, q.converted,
		             q.brier, q.brier_base, q.base_rate);
		for (int i = 0; i < q.deciles_n; i++)
			(void)printf("decile %d %" PRId64 " %" PRId64 " %.12f\n", q.deciles[i].decile,
			             q.deciles[i].n, q.deciles[i].converted, q.deciles[i].said);
	}
	return 0;
}
