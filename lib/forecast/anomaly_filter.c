/* anomaly_filter.c: level and slots, one step after the other. */
#include "forecast/anomaly_filter.h"

#include <math.h>
#include <stdint.h>

#include "forecast/numeric.h"

/* Chosen on real and made-up series together; the results hardly move when these are doubled
 * or halved. */
static const double LEVEL_RATE = .08, SHORT_RATE = .05, LONG_RATE = .1;
static const double SCALE_RATE = .05, SLOT_SCALE_RATE = .1, SLOT_SHARE = .3;
static const double SETTLE_RATE = .01;
static const double CLIP = 3;      /* deviations */
static const double MAD_SD = 1.25; /* a normal deviation over its mean absolute one */

static const double SHUT = 6; /* deviations below what is expected: nobody was there to sell */

enum { SHUT_LONG = 2 }; /* steps that may be a slip */

enum { CLOSED_AFTER = 6 }; /* occurrences of a slot, all 0 */

struct filter {
	const struct anomaly_series *series;
	size_t m; /* the long season */
	double level, *s1, *s2;
	double scale, *slot_scale;
	unsigned *zeros; /* latest occurrences of the slot that were 0, one after the other */
	size_t shut;     /* steps without anything where much was expected, in a row */
	size_t run;      /* errors of one sign beyond a deviation, */
	size_t rest;     /* with these within it among them, */
	size_t run_from; /* since this step */
	double run_sum, run_sign;
	double settled; /* the level as it was for long */
	size_t calm;    /* the last step near it */
	bool away;      /* the level is far from it, */
	size_t away_at; /* since then */
};

/* Step t of the pass, which is counted from the end when it goes backward. */
static size_t place(const struct anomaly_series *s, size_t t)
{
	return s->backward ? s->n - 1 - t : t;
}

static double seen(const struct anomaly_series *s, size_t t)
{
	size_t i = place(s, t);
	return s->held && s->held[i] ? NAN : s->x[i];
}

static double expect(const struct filter *f, size_t t)
{
	const struct anomaly_series *s = f->series;
	if (s->amounts && f->zeros[t % f->m] >= CLOSED_AFTER)
		return 0;
	return f->level + f->s1[t % s->m1] + f->s2[t % s->m2];
}

/* Medians of what is left in each slot of a season of the warm steps. */
static void warm_slots(struct filter *f, double *slots, size_t m, double *work)
{
	const struct anomaly_series *s = f->series;
	if (m < 2)
		return;
	for (size_t j = 0; j < m; j++) {
		size_t k = 0;
		for (size_t t = j; t < s->warm; t += m) {
			double v = seen(s, t);
			if (!isnan(v))
				work[k++] = v - f->level - f->s1[t % s->m1] - f->s2[t % s->m2];
		}
		slots[j] = k ? numeric_quantile(work, k, .5) : 0;
	}
}

static void warm_scale(struct filter *f, double *work)
{
	const struct anomaly_series *s = f->series;
	size_t k = 0;
	double sum = 0;
	for (size_t t = 0; t < s->warm; t++) {
		double v = seen(s, t);
		if (!isnan(v))
			sum += work[k++] = fabs(v - expect(f, t));
	}
	double mean = k ? MAD_SD * sum / (double)k : 0;
	double median = k ? 1.4826 * numeric_quantile(work, k, .5) : 0;
	/* Medians of few values lie close to them, and a mean may hold something wild. */
	f->scale = fmax(fmax(fmin(mean, 2 * median), 1.3 * median), s->least);
	for (size_t j = 0; j < f->m; j++) {
		k = 0, sum = 0;
		for (size_t t = j; t < s->warm; t += f->m) {
			double v = seen(s, t);
			if (!isnan(v))
				sum += fmin(fabs(v - expect(f, t)), CLIP * f->scale), k++;
		}
		double own = k ? 1.3 * MAD_SD * sum / (double)k : f->scale;
		f->slot_scale[j] = fmax(own, .3 * f->scale);
	}
}

static void begin(struct arena *arena, const struct anomaly_series *s, struct filter *f)
{
	double *work = arena_array(arena, s->warm + 1, sizeof *work);
	size_t k = 0;
	*f = (struct filter){.series = s, .m = s->m2 > 1 ? s->m2 : s->m1};
	f->s1 = arena_array(arena, s->m1, sizeof *f->s1);
	f->s2 = arena_array(arena, s->m2, sizeof *f->s2);
	f->slot_scale = arena_array(arena, f->m, sizeof *f->slot_scale);
	f->zeros = arena_array(arena, f->m, sizeof *f->zeros);
	for (size_t t = 0; t < s->warm; t++) {
		double v = seen(s, t);
		if (!isnan(v))
			work[k++] = v;
	}
	f->level = k ? numeric_quantile(work, k, .5) : 0;
	warm_slots(f, f->s1, s->m1, work);
	warm_slots(f, f->s2, s->m2, work);
	warm_scale(f, work);
}

/* Errors of one sign, most of them beyond a deviation, for so long that the old level is gone. */
static void follow(struct filter *f, size_t t, double e, double scale)
{
	double sign = e > scale ? 1 : e < -scale ? -1 : 0;
	if (sign == 0 && f->run > 0 && ++f->rest <= (f->run + 1) / 2)
		return;
	if (sign == 0 || sign != f->run_sign) {
		f->run = 0, f->rest = 0, f->run_sum = 0;
		f->run_sign = sign, f->run_from = t;
	}
	if (sign == 0)
		return;
	f->run_sum += e + f->level;
	if (++f->run < f->series->patience)
		return;
	f->level = f->run_sum / (double)f->run;
	if (f->calm >= f->run_from)
		f->calm = f->run_from - 1;
	f->run = 0, f->rest = 0, f->run_sum = 0, f->run_sign = 0;
}

static void learn(struct filter *f, size_t t, double x, double scale)
{
	const struct anomaly_series *s = f->series;
	size_t slot = t % f->m;
	double e = x - expect(f, t), moved = numeric_clip(e, CLIP * scale), size = MAD_SD * fabs(moved);
	f->zeros[slot] = x == 0 ? f->zeros[slot] + 1 : 0;
	/* A shop that is shut for a fortnight says nothing about the days it is open. */
	if (s->amounts && x == 0 && e < -SHUT * scale) {
		if (++f->shut > SHUT_LONG)
			return;
	} else if (x != 0) {
		f->shut = 0;
	}
	if (t >= s->warm)
		follow(f, t, e, scale);
	f->level += LEVEL_RATE * moved;
	if (s->m1 > 1)
		f->s1[t % s->m1] += (s->m2 > 1 ? SHORT_RATE : LONG_RATE) * moved;
	if (s->m2 > 1)
		f->s2[t % s->m2] += LONG_RATE * moved;
	f->scale += SCALE_RATE * (size - f->scale);
	f->slot_scale[slot] += SLOT_SCALE_RATE * (size - f->slot_scale[slot]);
}

/* How far a level must be from the settled one: by a fifth of the money, and out of the noise. */
static double far_off(const struct filter *f, double scale)
{
	double effect = f->series->amounts ? .1 * fabs(f->settled) : 0;
	return fmax(effect, 2 * scale);
}

/* A level that went away within days and stayed there has moved; one that creeps has not. */
static void settle(struct filter *f, struct anomaly_side *side, size_t t, double scale)
{
	const struct anomaly_series *s = f->series;
	double off = f->level - f->settled, far = far_off(f, scale);
	if (t <= s->warm)
		f->settled = f->level, f->calm = t;
	if (fabs(off) < far) {
		if (fabs(off) < far / 2)
			f->calm = t;
		f->away = false;
		f->settled += SETTLE_RATE * off;
		return;
	}
	if (!f->away)
		f->away = true, f->away_at = t;
	bool coming_back = f->run > 1 && f->run_sign * off < 0;
	if (t - f->away_at < 2 * s->patience || coming_back)
		return;
	if (f->away_at - f->calm <= 2 * s->patience && side->moves_n < ANOMALY_MOVES_MAX)
		side->moves[side->moves_n++] = (struct anomaly_move){f->calm + 1, f->settled, f->level};
	f->settled = f->level, f->calm = t, f->away = false;
}

void anomaly_filter(struct arena *arena, const struct anomaly_series *s, struct anomaly_side *side)
{
	struct filter f;
	*side = (struct anomaly_side){.base = arena_array(arena, s->n, sizeof(double)),
	                              .scale = arena_array(arena, s->n, sizeof(double))};
	begin(arena, s, &f);
	for (size_t t = 0; t < s->n; t++) {
		size_t i = place(s, t);
		double scale = (1 - SLOT_SHARE) * f.scale + SLOT_SHARE * f.slot_scale[t % f.m];
		double x = seen(s, t);
		scale = fmax(scale, s->least);
		side->base[i] = t < s->warm ? NAN : expect(&f, t);
		side->scale[i] = scale;
		if (!isnan(x))
			learn(&f, t, x, scale);
		if (!s->backward)
			settle(&f, side, t, scale);
	}
}
