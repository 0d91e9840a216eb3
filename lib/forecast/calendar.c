/* calendar.c: time of the year and marked days. */
#include "forecast/calendar.h"

#include <math.h>
#include <string.h>

#include "forecast/numeric.h"

enum {
	DAY_S = 86400,
	DATES = 23,             /* 15 December to 6 January */
	DATES_LEAST_DAYS = 700, /* history from which each of these dates counts by itself */
	SLOTS_MAX = 7,
	NAMES_MAX = 300, /* within the series: solving takes the cube of it */
};

/* Part of days without anything up to which a day without anything means something. */
static const double ZEROS_RARE = 0.2;

static const double DISCOUNT = 0.9995; /* a day */
static const double RIDGE_WAVE = 0.5, RIDGE_MARK = 0.1, RIDGE_SLOPE = 20;

static size_t waves_for(size_t days)
{
	return days >= 900 ? 10 : days >= 720 ? 5 : days >= 550 ? 2 : 0;
}

/* Day of the year's end a date is: 0 for 15 December to 22 for 6 January; -1 for others. The
 * civil date of a day by Hinnant's algorithm (days_from_civil and back, 2013). */
static int date_mark(int64_t day)
{
	int64_t z = day + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	int dom = (int)(doy - (153 * mp + 2) / 5 + 1), month = (int)(mp < 10 ? mp + 3 : mp - 9);
	if (month == 12 && dom >= 15)
		return dom - 15;
	return month == 1 && dom <= 6 ? dom + 16 : -1;
}

static int64_t day_of(const struct forecast_input *in, const struct series *s, size_t step)
{
	int64_t at = in->start_s / DAY_S - (in->start_s % DAY_S < 0);
	return at + (int64_t)(s->first + s->at[step]);
}

static void add_mark(struct calendar *c, size_t step, int id)
{
	for (int i = 0; i < CALENDAR_MARKS; i++)
		if (c->mark[step * CALENDAR_MARKS + (size_t)i] < 0) {
			c->mark[step * CALENDAR_MARKS + (size_t)i] = id;
			return;
		}
}

/* The id of a name, which is new where there is room for it; -1 else. */
static int id_of(struct calendar *c, const char **known, const char *name)
{
	size_t k = 0;
	while (k < c->names - DATES && strcmp(known[k], name) != 0)
		k++;
	if (k == NAMES_MAX)
		return -1;
	if (k == c->names - DATES) {
		known[k] = name;
		c->names++;
	}
	return (int)(DATES + k);
}

/* Named days; where there is no name, the dates around Christmas. */
static void mark_days(struct arena *arena, const struct forecast_input *in, struct calendar *c)
{
	const struct series *s = c->s;
	const char **known = arena_array(arena, NAMES_MAX, sizeof *known);
	size_t steps = s->n + s->h;
	int64_t first = day_of(in, s, 0), last = day_of(in, s, steps - 1);
	size_t *step_of = arena_array(arena, (size_t)(last - first + 1), sizeof *step_of);
	for (size_t t = 0; t < steps; t++)
		step_of[day_of(in, s, t) - first] = t + 1;
	c->names = DATES;
	for (size_t i = 0; i < in->special_n; i++) {
		int64_t day = in->special[i].day;
		if (day < first || day > last || step_of[day - first] == 0)
			continue;
		size_t t = step_of[day - first] - 1;
		int id = id_of(c, known, in->special[i].name);
		if (id >= 0)
			add_mark(c, t, id);
		if (!c->name[t])
			c->name[t] = in->special[i].name;
	}
	for (size_t t = 0; s->used >= DATES_LEAST_DAYS && t < steps; t++)
		if (c->mark[t * CALENDAR_MARKS] < 0)
			c->mark[t * CALENDAR_MARKS] = date_mark(day_of(in, s, t));
}

struct seen {
	size_t days, zeros;
};

/* Days on which the shop is shut, whatever their weekday: their mark is no effect to learn. */
static void shut_days(struct arena *arena, struct calendar *c)
{
	const struct series *s = c->s;
	struct seen *seen = arena_array(arena, c->names + 1, sizeof *seen);
	for (size_t t = 0; t < s->n; t++)
		for (size_t i = 0; i < CALENDAR_MARKS; i++) {
			int id = c->mark[t * CALENDAR_MARKS + i];
			if (id >= 0) {
				seen[id].days++;
				seen[id].zeros += s->raw[t] == 0;
			}
		}
	for (size_t t = 0; s->zeros < ZEROS_RARE && t < s->n + s->h; t++)
		for (size_t i = 0; i < CALENDAR_MARKS; i++) {
			int id = c->mark[t * CALENDAR_MARKS + i];
			if (id >= 0 && seen[id].zeros > 0 && seen[id].zeros == seen[id].days)
				c->shut[t] = true;
		}
	for (size_t t = 0; t < s->n + s->h; t++)
		for (size_t i = 0; c->shut[t] && i < CALENDAR_MARKS; i++)
			c->mark[t * CALENDAR_MARKS + i] = -1;
}

/* How many steps ahead carry a mark that the past knows; and whether it knows any. */
static size_t count_ahead(struct arena *arena, const struct calendar *c, bool *any)
{
	bool *seen = arena_array(arena, c->names + 1, sizeof *seen);
	size_t ahead = 0;
	for (size_t t = 0; t < c->s->n + c->s->h; t++) {
		bool known = false;
		*any |= c->shut[t];
		for (size_t i = 0; i < CALENDAR_MARKS; i++) {
			int id = c->mark[t * CALENDAR_MARKS + i];
			if (id >= 0 && t < c->s->n)
				*any = seen[id] = true;
			known |= id >= 0 && seen[id];
		}
		ahead += known && t >= c->s->n;
	}
	return ahead;
}

bool calendar_prepare(struct arena *arena, const struct forecast_input *input,
                      const struct series *s, struct calendar *out)
{
	bool daily = input->step_s == DAY_S, any = false;
	size_t steps = s->n + s->h;
	*out = (struct calendar){.s = s};
	if (s->m2 || s->m1 > SLOTS_MAX || !(daily || (input->step_s == 0 && input->period[0] == 7)))
		return false;
	out->waves = waves_for(s->used);
	out->wave = arena_array(arena, steps * 2 * (out->waves + 1), sizeof(double));
	out->mark = arena_array(arena, steps * CALENDAR_MARKS, sizeof(int));
	out->name = arena_array(arena, steps, sizeof(char *));
	out->shut = arena_array(arena, steps, sizeof(bool));
	for (size_t i = 0; i < steps * CALENDAR_MARKS; i++)
		out->mark[i] = -1;
	for (size_t t = 0; t < steps; t++)
		for (size_t k = 0; k < out->waves; k++) {
			double turn = 6.283185307179586 * (double)(k + 1) * (double)s->at[t] / 365.25;
			out->wave[(t * out->waves + k) * 2] = sin(turn);
			out->wave[(t * out->waves + k) * 2 + 1] = cos(turn);
		}
	if (daily) {
		mark_days(arena, input, out);
		shut_days(arena, out);
	}
	out->special_ahead = count_ahead(arena, out, &any);
	return any || out->waves > 0;
}

bool *calendar_marked(struct arena *arena, const struct calendar *c)
{
	bool *marked = arena_array(arena, c->s->n, sizeof *marked);
	for (size_t t = 0; t < c->s->n; t++)
		marked[t] = c->mark[t * CALENDAR_MARKS] >= 0;
	return marked;
}

/* ---- regression ------------------------------------------------------------- */

/* A row has few terms that are not 0: which, and their values. */
struct row {
	size_t n, term[2 * CALENDAR_WAVES_MAX + CALENDAR_MARKS + 2];
	double x[2 * CALENDAR_WAVES_MAX + CALENDAR_MARKS + 2];
};

static void put(struct row *r, size_t term, double x)
{
	r->term[r->n] = term;
	r->x[r->n++] = x;
}

/* Terms: slots, slope, waves, marks. */
static void row_of(const struct calendar *c, size_t t, size_t origin, struct row *r)
{
	size_t m = c->s->m1;
	r->n = 0;
	put(r, t % m, 1);
	put(r, m, t < origin ? ((double)t - (double)origin) / 365 : 0);
	for (size_t k = 0; k < 2 * c->waves; k++)
		put(r, m + 1 + k, c->wave[t * 2 * c->waves + k]);
	for (size_t i = 0; i < CALENDAR_MARKS && c->mark[t * CALENDAR_MARKS + i] >= 0; i++)
		put(r, m + 1 + 2 * c->waves + (size_t)c->mark[t * CALENDAR_MARKS + i], 1);
}

static bool fit(struct arena *scratch, const struct calendar *c, const double *y, size_t origin,
                double *coef, size_t p)
{
	double *gram = arena_array(scratch, p * p, sizeof *gram), weight = 1;
	double centre = numeric_mean(y, origin), spread = 0;
	struct row r;
	for (size_t t = 0; t < origin; t++)
		spread += (y[t] - centre) * (y[t] - centre);
	if (spread <= 0)
		return false;
	for (size_t t = origin; t-- > 0;) {
		row_of(c, t, origin, &r);
		for (size_t i = 0; i < r.n; i++) {
			double w = weight * r.x[i];
			for (size_t j = 0; j < r.n; j++)
				if (r.term[j] <= r.term[i])
					gram[r.term[i] * p + r.term[j]] += w * r.x[j];
			coef[r.term[i]] += w * (y[t] - centre);
		}
		weight *= DISCOUNT;
	}
	for (size_t i = 0; i < p; i++)
		gram[i * p + i] += i < c->s->m1                   ? 1e-3
		                   : i == c->s->m1                ? RIDGE_SLOPE
		                   : i <= c->s->m1 + 2 * c->waves ? RIDGE_WAVE
		                                                  : RIDGE_MARK;
	return numeric_solve(gram, coef, p);
}

bool calendar_effect(struct arena *scratch, const struct calendar *c, const double *y,
                     size_t origin, double *effect, double *marks)
{
	size_t m = c->s->m1, p = m + 1 + 2 * c->waves + c->names;
	double *coef = arena_array(scratch, p, sizeof *coef);
	struct row r;
	if (!fit(scratch, c, y, origin, coef, p))
		return false;
	for (size_t t = 0; t < origin + c->s->h && t < c->s->n + c->s->h; t++) {
		row_of(c, t, origin, &r);
		effect[t] = marks[t] = 0;
		for (size_t i = 2; i < r.n; i++) {
			effect[t] += coef[r.term[i]] * r.x[i];
			if (r.term[i] > m + 2 * c->waves)
				marks[t] += coef[r.term[i]] * r.x[i];
		}
	}
	return true;
}
