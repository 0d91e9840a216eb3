/* conversion.c: see conversion.h. */
#include "behaviour/conversion.h"

#include <stdlib.h>
#include <string.h>

enum { CELLS = CONVERSION_STEPS * CONVERSION_RECENCIES * 2, NEVER = INT32_MIN / 2 };

/* As many people as the probability of the cell above counts for. */
static const double WEIGHT_ABOVE = 20;

enum conversion_kind conversion_kind_of(const char *event_type)
{
	static const char *const types[] = {"product_view", "add_to_cart", "checkout_start",
	                                    "purchase"};
	for (int i = 0; i < 4; i++)
		if (strcmp(types[i], event_type) == 0)
			return (enum conversion_kind)(i + 1);
	return CONVERSION_OTHER;
}

/* ---- a person on a day ------------------------------------------------------------------ */

struct state {
	int32_t last;                   /* day of the last event */
	int32_t step[CONVERSION_STEPS]; /* of the last event of each step since the last purchase */
	bool buyer;
};

static void state_begin(struct state *s)
{
	*s = (struct state){.last = NEVER};
	for (int i = 0; i < CONVERSION_STEPS; i++)
		s->step[i] = NEVER;
}

static void state_take(struct state *s, const struct conversion_event *e)
{
	s->last = e->day;
	if (e->kind == CONVERSION_PURCHASE) {
		state_begin(s);
		s->last = e->day;
		s->buyer = true;
	} else if (e->kind != CONVERSION_OTHER) {
		s->step[e->kind] = e->day;
	}
}

static bool state_cell(const struct state *s, int32_t day, struct conversion_cell *out)
{
	static const int32_t longest[] = {0, 1, 3, 7, 14, CONVERSION_LOOK_DAYS - 1};
	int32_t ago = day - s->last;
	if (ago >= CONVERSION_LOOK_DAYS)
		return false;
	*out = (struct conversion_cell){.buyer = s->buyer};
	while (ago > longest[out->recency])
		out->recency++;
	for (int i = 1; i < CONVERSION_STEPS; i++)
		if (day - s->step[i] < CONVERSION_LOOK_DAYS)
			out->step = i;
	return true;
}

bool conversion_cell_at(const struct conversion_event *events, size_t n, int32_t day,
                        struct conversion_cell *out)
{
	struct state s;
	state_begin(&s);
	for (size_t i = 0; i < n && events[i].day <= day; i++)
		state_take(&s, &events[i]);
	return state_cell(&s, day, out);
}

/* ---- what happened -------------------------------------------------------------------- */

struct conversion_range conversion_days(int32_t first, int32_t last, int *n)
{
	struct conversion_range r = {first + CONVERSION_LOOK_DAYS - 1, last - CONVERSION_WITHIN_DAYS};
	if (r.from <= r.to - CONVERSION_DAYS)
		r.from = r.to - CONVERSION_DAYS + 1;
	*n = r.to < r.from ? 0 : r.to - r.from + 1;
	return r;
}

struct conversion_range conversion_later(struct conversion_range days)
{
	int32_t n = days.to - days.from + 1;
	return (struct conversion_range){days.to - n / 3 + 1, days.to};
}

struct conversion_range conversion_earlier(struct conversion_range days)
{
	return (struct conversion_range){days.from, conversion_later(days).from - 1};
}

bool conversion_take(const struct conversion_event *events, size_t n, struct conversion_range days,
                     struct conversion_counts *to)
{
	struct state s;
	struct conversion_cell cell;
	size_t seen = 0, bought = 0;
	bool any = false;
	state_begin(&s);
	for (int32_t day = days.from; day <= days.to; day++) {
		for (; seen < n && events[seen].day <= day; seen++)
			state_take(&s, &events[seen]);
		if (!state_cell(&s, day, &cell)) {
			if (seen == n)
				break;
			day = events[seen].day - 1; /* nothing happens until then */
			continue;
		}
		while (bought < n &&
		       (events[bought].day <= day || events[bought].kind != CONVERSION_PURCHASE))
			bought++;
		struct conversion_count *c = &to->of[cell.step][cell.recency][cell.buyer];
		c->n++;
		c->converted += bought < n && events[bought].day - day <= CONVERSION_WITHIN_DAYS;
		any = true;
	}
	return any;
}

void conversion_add(struct conversion_counts *to, const struct conversion_counts *more)
{
	struct conversion_count *a = &to->of[0][0][0];
	const struct conversion_count *b = &more->of[0][0][0];
	for (int i = 0; i < CELLS; i++) {
		a[i].n += b[i].n;
		a[i].converted += b[i].converted;
	}
}

/* ---- the table -------------------------------------------------------------------------- */

static void put(struct conversion_rate *r, struct conversion_count c)
{
	r->count.n += c.n;
	r->count.converted += c.converted;
}

static void smooth(struct conversion_rate *r, double above)
{
	r->p =
		((double)r->count.converted + WEIGHT_ABOVE * above) / ((double)r->count.n + WEIGHT_ABOVE);
}

static void smooth_step(struct conversion_model *m, int step)
{
	smooth(&m->by_step[step], m->all.p);
	for (int r = 0; r < CONVERSION_RECENCIES; r++) {
		smooth(&m->by_recency[step][r], m->by_step[step].p);
		for (int b = 0; b < 2; b++)
			smooth(&m->cells[step][r][b], m->by_recency[step][r].p);
	}
}

void conversion_model_make(const struct conversion_counts *counts, struct conversion_model *out)
{
	*out = (struct conversion_model){0};
	for (int s = 0; s < CONVERSION_STEPS; s++)
		for (int r = 0; r < CONVERSION_RECENCIES; r++)
			for (int b = 0; b < 2; b++) {
				struct conversion_count c = counts->of[s][r][b];
				put(&out->cells[s][r][b], c);
				put(&out->by_recency[s][r], c);
				put(&out->by_step[s], c);
				put(&out->all, c);
			}
	if (out->all.count.n)
		out->all.p = (double)out->all.count.converted / (double)out->all.count.n;
	for (int s = 0; s < CONVERSION_STEPS; s++)
		smooth_step(out, s);
}

/* ---- how well it did --------------------------------------------------------------------- */

struct said {
	double p;
	struct conversion_count count;
	int place; /* of the cell: of two that say the same the first */
};

static int by_p(const void *a, const void *b)
{
	const struct said *x = a, *y = b;
	if (x->p != y->p)
		return x->p < y->p ? -1 : 1;
	return (x->place > y->place) - (x->place < y->place);
}

/* Cells somebody is in, by what is said of them; how many. */
static int said_of(const struct conversion_model *model, const struct conversion_counts *later,
                   struct said *out)
{
	const struct conversion_count *c = &later->of[0][0][0];
	const struct conversion_rate *rate = &model->cells[0][0][0];
	int n = 0;
	for (int i = 0; i < CELLS; i++)
		if (c[i].n)
			out[n++] = (struct said){rate[i].p, c[i], i};
	qsort(out, (size_t)n, sizeof *out, by_p);
	return n;
}

static double squares(double p, struct conversion_count c)
{
	return (double)c.converted * (1 - p) * (1 - p) + (double)(c.n - c.converted) * p * p;
}

static void put_deciles(const struct said *said, int n, struct conversion_quality *q)
{
	double before = 0;
	for (int i = 0; i < n; i++) {
		double cell_n = (double)said[i].count.n;
		int decile = 1 + (int)(CONVERSION_DECILES * (before + cell_n / 2) / (double)q->n);
		before += cell_n;
		if (q->deciles_n == 0 || q->deciles[q->deciles_n - 1].decile != decile)
			q->deciles[q->deciles_n++].decile = decile;
		struct conversion_decile *d = &q->deciles[q->deciles_n - 1];
		d->n += said[i].count.n;
		d->converted += said[i].count.converted;
		d->said += cell_n * said[i].p;
	}
	for (int i = 0; i < q->deciles_n; i++)
		q->deciles[i].said /= (double)q->deciles[i].n;
}

bool conversion_judge(const struct conversion_model *model, const struct conversion_counts *later,
                      struct conversion_quality *out)
{
	struct said said[CELLS];
	int n = said_of(model, later, said);
	*out = (struct conversion_quality){.base_rate = model->all.p};
	if (n == 0 || model->all.count.n == 0)
		return false;
	for (int i = 0; i < n; i++) {
		out->n += said[i].count.n;
		out->converted += said[i].count.converted;
		out->brier += squares(said[i].p, said[i].count);
		out->brier_base += squares(out->base_rate, said[i].count);
	}
	out->brier /= (double)out->n;
	out->brier_base /= (double)out->n;
	put_deciles(said, n, out);
	return true;
}
