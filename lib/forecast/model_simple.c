/* model_simple.c: candidates that are means or levels. */
#include "forecast/model.h"

#include <math.h>
#include <string.h>

static size_t longest(const struct view *v)
{
	return v->m2 ? v->m2 : v->m1;
}

/* The last m values again and again. */
static void repeat(const struct view *v, size_t m, double *out)
{
	for (size_t k = 0; k < v->origins; k++, out += v->h)
		for (size_t h = 0; h < v->h && v->origin[k] >= m; h++)
			out[h] = v->y[v->origin[k] - m + h % m];
}

void model_naive(struct arena *scratch, const struct view *v, double *out)
{
	(void)scratch;
	repeat(v, 1, out);
}

void model_snaive_short(struct arena *scratch, const struct view *v, double *out)
{
	(void)scratch;
	if (v->m1 > 1)
		repeat(v, v->m1, out);
}

void model_snaive_long(struct arena *scratch, const struct view *v, double *out)
{
	(void)scratch;
	if (v->m2)
		repeat(v, v->m2, out);
}

/* The last four of each slot. */
void model_slot_mean(struct arena *scratch, const struct view *v, double *out)
{
	(void)scratch;
	size_t m = longest(v);
	for (size_t k = 0; k < v->origins; k++, out += v->h)
		for (size_t h = 0; h < v->h && v->origin[k] >= 2 * m; h++) {
			double sum = 0;
			int n = 0;
			for (size_t back = m - h % m; back <= v->origin[k] && n < 4; back += m, n++)
				sum += v->y[v->origin[k] - back];
			out[h] = sum / n;
		}
}

/* ---- a level for each slot, and what the last errors carry over ---------- */

struct slots {
	const double *y;
	size_t m;
	double *level;
	double last; /* error of the last step */
	double sum;  /* squared errors of one step ahead past the first two seasons */
	size_t t;    /* steps taken */
};

static void slots_begin(struct slots *s)
{
	memcpy(s->level, s->y, s->m * sizeof *s->level);
	s->last = s->sum = 0;
	s->t = s->m;
}

static void slots_go(struct slots *s, size_t to, double gain, double carry)
{
	for (; s->t < to; s->t++) {
		double *level = &s->level[s->t % s->m];
		double off = s->y[s->t] - *level, miss = off - carry * s->last;
		if (s->t >= 2 * s->m)
			s->sum += fabs(miss);
		*level += gain * off;
		s->last = off;
	}
}

/* Gain and carry come from what the first origin knows; the levels go on. */
void model_slot_level(struct arena *scratch, const struct view *v, double *out)
{
	static const double gains[] = {0.05, 0.1, 0.2, 0.35, 0.5}, carries[] = {0, 0.3, 0.6, 0.85};
	struct slots s = {.y = v->y, .m = longest(v)};
	double best = HUGE_VAL, gain = 0, carry = 0;
	if (v->origin[0] < 3 * s.m)
		return;
	s.level = arena_array(scratch, s.m, sizeof *s.level);
	for (size_t g = 0; g < sizeof gains / sizeof *gains; g++)
		for (size_t c = 0; c < sizeof carries / sizeof *carries; c++) {
			slots_begin(&s);
			slots_go(&s, v->origin[0], gains[g], carries[c]);
			if (s.sum < best)
				best = s.sum, gain = gains[g], carry = carries[c];
		}
	slots_begin(&s);
	for (size_t k = 0; k < v->origins; k++, out += v->h) {
		slots_go(&s, v->origin[k], gain, carry);
		double rest = s.last;
		for (size_t h = 0; h < v->h; h++) {
			rest *= carry;
			out[h] = s.level[(v->origin[k] + h) % s.m] + rest;
		}
	}
}

/* Simple exponential smoothing; the gain by a grid over what the first origin knows. */
void model_level(struct arena *scratch, const struct view *v, double *out)
{
	(void)scratch;
	double best = HUGE_VAL, gain = 0.1;
	for (int g = 1; g <= 9; g++) {
		double at = v->y[0], sum = 0;
		for (size_t t = 1; t < v->origin[0]; t++) {
			double off = v->y[t] - at;
			sum += off * off;
			at += 0.1 * g * off;
		}
		if (sum < best)
			best = sum, gain = 0.1 * g;
	}
	double at = v->y[0];
	for (size_t k = 0, t = 1; k < v->origins; k++, out += v->h) {
		for (; t < v->origin[k]; t++)
			at += gain * (v->y[t] - at);
		for (size_t h = 0; h < v->h; h++)
			out[h] = at;
	}
}
