/* series.c: from what was measured to what can be learned from. */
#include "forecast/series.h"

#include <math.h>
#include <string.h>

#include "forecast/numeric.h"

enum {
	HOUR_S = 3600,
	CLOSED_LOOK = 8,  /* occurrences of a slot that must all be 0 */
	CLOSED_LEAST = 4, /* as many where there are no more */
	TAME_LOOK = 4,    /* occurrences of a slot an outlier is measured by */
};

static const double MOSTLY_ZERO = 0.4;    /* part of zeros from which sales are single events */
static const double CLOSED_CHANCE = 0.05; /* at most, that an open slot is taken for a closed one */

/* Spreads from its middle from which a value is drawn in; hours have heavier tails that are
 * true. */
static const double TAME_DAYS = 3, TAME_HOURS = 5;

static size_t season_of(const struct forecast_input *in)
{
	int m = in->period[1] > 1 ? in->period[1] : in->period[0];
	return m > 1 ? (size_t)m : 1;
}

/* Nothing before the first sale, and no more than can matter. */
static enum err cut(const struct forecast_input *in, struct series *s, struct errbuf *eb)
{
	size_t cap = in->step_s == HOUR_S || (in->step_s == 0 && in->period[1] > 1)
	                 ? FORECAST_HOURS_USED
	                 : FORECAST_DAYS_USED;
	size_t first = 0, sale = 0, known = 0;
	while (first < in->n && isnan(in->y[first]))
		first++;
	for (sale = first; sale < in->n && (in->y[sale] == 0 || isnan(in->y[sale]));)
		sale++;
	if (sale < in->n) /* else all are 0 */
		first = sale;
	s->first = in->n - first > cap ? in->n - cap : first;
	s->used = in->n - s->first;
	for (size_t t = s->first; t < in->n; t++)
		known += isnan(in->y[t]) ? 0 : 1;
	if (known == 0)
		return err_set_field(eb, ERR_INVALID, "history", "there is no value to learn from");
	/* Slots are counted from midnight where that is known. */
	int64_t start = in->step_s > 0 ? in->start_s / in->step_s : 0;
	size_t m = season_of(in);
	s->phase =
		(size_t)(((start % (int64_t)m) + (int64_t)m) % (int64_t)m + (int64_t)(s->first % m)) % m;
	return ERR_OK;
}

/* ---- slots that are always 0 ------------------------------------------------ */

static size_t slot_of(const struct series *s, size_t m, size_t t)
{
	return (t + s->phase) % m;
}

/* Chance alone must not close a slot: where open slots often are 0 too, none is closed. */
static bool closing_is_sure(const struct series *s, const double *y, size_t m, const bool *closed)
{
	size_t zeros = 0, all = 0, n = s->used;
	for (size_t t = n > m * CLOSED_LOOK ? n - m * CLOSED_LOOK : 0; t < n; t++)
		if (!closed[slot_of(s, m, t)] && !isnan(y[t]))
			zeros += y[t] == 0, all++;
	return all > 0 && pow((double)zeros / (double)all, CLOSED_LEAST) * (double)m < CLOSED_CHANCE;
}

/* The slots whose last occurrences all are 0. */
static bool find_closed(struct arena *arena, const struct series *s, const double *y, size_t m,
                        bool *closed)
{
	size_t *seen = arena_array(arena, m, sizeof *seen), open = CLOSED_LOOK + 1;
	bool any = false;
	for (size_t t = s->used; t-- > 0;) {
		size_t *k = &seen[slot_of(s, m, t)];
		if (*k < CLOSED_LOOK && !isnan(y[t]))
			*k = y[t] == 0 ? *k + 1 : open;
	}
	for (size_t slot = 0; slot < m; slot++)
		any |= closed[slot] = seen[slot] >= CLOSED_LEAST && seen[slot] != open;
	if (any && !closing_is_sure(s, y, m, closed)) {
		memset(closed, 0, m * sizeof *closed);
		any = false;
	}
	return any;
}

/* Of two seasons: the hours that are closed every day there is, and the days closed wholly; only
 * these can go without breaking the days' pattern. */
static void leave_whole(size_t m1, size_t m2, const bool *closed, bool *gone, size_t *hours,
                        size_t *days)
{
	*days = 0, *hours = 0;
	for (size_t d = 0; d < m2 / m1; d++) {
		bool open = false;
		for (size_t k = 0; k < m1; k++)
			open |= !closed[d * m1 + k];
		for (size_t k = 0; k < m1; k++)
			gone[d * m1 + k] = !open;
		*days += open;
	}
	for (size_t k = 0; k < m1; k++) {
		bool open = false;
		for (size_t d = 0; d < m2 / m1; d++)
			open |= !closed[d * m1 + k];
		for (size_t d = 0; d < m2 / m1; d++)
			gone[d * m1 + k] |= !open;
		*hours += open;
	}
}

/* Which slots are left out of what is learned from, and the seasons of the rest. */
static void drop_closed(const struct forecast_input *in, const bool *closed, bool *gone,
                        struct series *s)
{
	size_t m = season_of(in), hours, days, open = 0;
	size_t m1 = in->period[0] > 1 ? (size_t)in->period[0] : 1;
	if (s->m2 && m % m1 == 0) {
		leave_whole(m1, m, closed, gone, &hours, &days);
		s->m1 = hours > 1 ? hours : 1;
		s->m2 = hours * days > s->m1 ? hours * days : 0;
	} else if (!s->m2) {
		memcpy(gone, closed, m * sizeof *gone);
		for (size_t i = 0; i < m; i++)
			open += !closed[i];
		s->m1 = open > 1 ? open : 1;
	}
}

/* ---- gaps and impossible values ------------------------------------------- */

/* The mean of the nearest known values of the slot, before and after. */
static double neighbour_mean(const double *y, size_t n, size_t m, size_t t)
{
	double sum = 0;
	int found = 0;
	for (size_t k = 1; found < 2 && k * m <= t; k++)
		if (!isnan(y[t - k * m]))
			sum += y[t - k * m], found++;
	for (size_t k = 1, after = 0; after < 2 && t + k * m < n; k++)
		if (!isnan(y[t + k * m]))
			sum += y[t + k * m], found++, after++;
	return found ? sum / found : NAN;
}

static void fill(struct arena *arena, struct series *s)
{
	size_t m = s->m2 ? s->m2 : s->m1;
	double *filled = arena_array(arena, s->n, sizeof *filled);
	double last = NAN;
	for (size_t t = 0; t < s->n; t++) {
		filled[t] = s->y[t];
		if (!isnan(s->y[t]))
			continue;
		s->any_filled = true;
		filled[t] = neighbour_mean(s->y, s->n, m, t);
		if (isnan(filled[t]))
			filled[t] = neighbour_mean(s->y, s->n, s->m1, t);
	}
	for (size_t t = 0; t < s->n; t++)
		if (!isnan(filled[t]))
			last = filled[t];
		else if (!isnan(last))
			filled[t] = last;
	for (size_t t = s->n; t-- > 0;)
		if (isnan(filled[t]))
			filled[t] = t + 1 < s->n ? filled[t + 1] : 0;
	s->y = filled;
}

/* The middle of the values of the slot around t, itself left out. */
static double slot_middle(const double *y, size_t n, size_t m, size_t t)
{
	double near[2 * TAME_LOOK];
	size_t k = 0;
	for (size_t i = 1; i <= TAME_LOOK; i++) {
		if (i * m <= t)
			near[k++] = y[t - i * m];
		if (t + i * m < n)
			near[k++] = y[t + i * m];
	}
	return k < 3 ? NAN : numeric_quantile(near, k, 0.5);
}

static double tame_scale(const struct series *s, double y)
{
	return s->nonnegative ? sqrt(y) : y;
}

/* The first of the last steps that are all off to one side, if they are many: they may be a new
 * level. n where there is none. */
static size_t new_level_from(const double *off, size_t n, double limit, size_t many)
{
	size_t t = n;
	while (t > 0 && off[t - 1] * off[n - 1] > 0 && fabs(off[t - 1]) > limit / 2)
		t--;
	return n - t >= many ? t : n;
}

/* Values far from the middle of their slot are drawn to where the far ones end: one day of a
 * hundred must not teach the others. */
void series_tame(struct arena *arena, struct series *s, const bool *marked, const bool *shut)
{
	size_t m = s->m2 ? s->m2 : s->m1, known = 0;
	double *y = arena_array(arena, s->n, sizeof *y), *off = arena_array(arena, s->n, sizeof *off);
	double *all = arena_array(arena, s->n, sizeof *all);
	for (size_t t = 0; t < s->n; t++)
		y[t] = tame_scale(s, s->raw[t]);
	for (size_t t = 0; t < s->n; t++) {
		off[t] = y[t] - slot_middle(y, s->n, m, t);
		if (!isnan(off[t]))
			all[known++] = off[t];
	}
	double limit = (s->m2 ? TAME_HOURS : TAME_DAYS) * numeric_spread(arena, all, known, 0);
	size_t level_from = new_level_from(off, s->n, limit, s->m1 > 4 ? s->m1 / 2 + 1 : 4);
	for (size_t t = 0; limit > 0 && t < s->n; t++) {
		if (isnan(off[t]) || (marked && marked[t]) || (fabs(off[t]) <= limit && !(shut && shut[t])))
			continue;
		double to = y[t] - off[t];
		if (s->raw[t] != 0) { /* else it was shut, and says nothing */
			if (t >= level_from)
				continue;
			to += off[t] > 0 ? limit : -limit;
		}
		s->y[t] = !s->nonnegative ? to : to > 0 ? to * to : 0;
	}
}

static void describe(struct series *s)
{
	size_t zeros = 0;
	s->max = s->min = s->y[0];
	for (size_t t = 0; t < s->n; t++) {
		zeros += s->y[t] == 0;
		s->max = fmax(s->max, s->y[t]);
		s->min = fmin(s->min, s->y[t]);
	}
	s->zeros = (double)zeros / (double)s->n;
	s->intermittent = s->zeros > MOSTLY_ZERO;
	s->nonnegative = s->min >= 0;
}

enum err series_prepare(struct arena *arena, const struct forecast_input *input, struct series *out,
                        struct errbuf *eb)
{
	size_t m = season_of(input);
	*out = (struct series){0};
	enum err rc = cut(input, out, eb);
	if (rc != ERR_OK)
		return rc;
	const double *y = input->y + out->first;
	bool *closed = arena_array(arena, m, sizeof *closed),
		 *gone = arena_array(arena, m, sizeof *gone);
	out->m1 = input->period[0] > 1 ? (size_t)input->period[0] : 1;
	out->m2 = m > out->m1 ? m : 0;
	out->closed = arena_array(arena, input->horizon, sizeof *out->closed);
	out->any_closed = m > 1 && find_closed(arena, out, y, m, closed);
	if (out->any_closed)
		drop_closed(input, closed, gone, out);
	out->y = arena_array(arena, out->used, sizeof *out->y);
	out->at = arena_array(arena, out->used + input->horizon, sizeof *out->at);
	for (size_t t = 0; t < out->used; t++)
		if (!gone[slot_of(out, m, t)]) {
			out->at[out->n] = t;
			out->y[out->n++] = y[t];
		}
	for (size_t h = 0; h < input->horizon; h++) {
		size_t slot = slot_of(out, m, out->used + h);
		out->closed[h] = closed[slot];
		if (!gone[slot])
			out->at[out->n + out->h++] = out->used + h;
	}
	fill(arena, out);
	describe(out);
	out->raw = arena_array(arena, out->n, sizeof *out->raw);
	memcpy(out->raw, out->y, out->n * sizeof *out->raw);
	return ERR_OK;
}
