/* anomaly.c: from a series to its incidents. */
#include "forecast/anomaly.h"

#include <math.h>

#include "forecast/anomaly_filter.h"
#include "forecast/anomaly_special.h"
#include "forecast/anomaly_story.h"
#include "forecast/numeric.h"

static const double FALSE_DISCOVERIES = .05;
static const double THRESHOLD_MIN = 3.7, THRESHOLD_MAX = 6; /* of |score| */
static const double ALERT_Q = .01;
static const double EFFECT = .4;
static const double POISSON = .45; /* deviation of a count's root, a little less than its 1/2 */
static const double FEW = 50, FEWEST = .25; /* orders, or what is counted */
static const double TOGETHER = 2;           /* steps beyond it stand between two of one incident */
static const double FAR = 1e12;             /* deviations, beyond which no more is said */
enum { WARM_DAYS = 4, WARM_WEEKS = 3, LEAST_STEPS = 8, NEAR_CYCLES = 10 };

struct work {
	struct arena *arena;
	const struct forecast_input *input;
	const struct anomaly_options *options;
	size_t n;
	double *x; /* on the scale worked on */
	bool amounts, counts;
	double typical; /* median |y| */
	struct anomaly_series series;
	struct anomaly_feasts feasts;
	struct anomaly_side past;
	double *base, *scale, *r;
	struct anomaly_story story;
	bool *nothing; /* steps with a 0 */
	bool *kept;    /* beyond the threshold's gates: effect, floor, band */
};

const char *anomaly_kind_name(enum anomaly_kind kind)
{
	static const char *const names[] = {"none", "spike", "drop", "outage", "level_shift"};
	return names[kind];
}

/* Online a value below 0 may come after all. */
static double scaled(const struct work *w, double y)
{
	if (!w->amounts)
		return y;
	return y < 0 ? -sqrt(-y) : sqrt(y);
}

static double unscaled(const struct work *w, double x)
{
	if (!w->amounts)
		return x;
	return x > 0 ? x * x : 0;
}

/* ---- the series ------------------------------------------------------------------ */

/* Whether they are amounts, and counts at that: nine of ten whole numbers, as somebody may have
 * put in an estimate. The least deviation follows from it. Online the first weeks tell. */
static void look_at_values(struct work *w)
{
	double *sizes = arena_array(w->arena, w->n, sizeof *sizes);
	size_t n = 0, whole = 0, known = w->options->online ? w->series.warm : w->n;
	w->amounts = true;
	for (size_t i = 0; i < known; i++) {
		double y = w->input->y[i];
		if (isnan(y))
			continue;
		w->amounts = w->amounts && y >= 0;
		whole += y == floor(y);
		sizes[n++] = fabs(y);
	}
	w->typical = n ? numeric_quantile(sizes, n, .5) : 0;
	double largest = n ? sizes[n - 1] : 0;
	double least = .001 * scaled(w, w->typical > 0 ? w->typical : largest);
	w->counts = w->amounts && whole * 10 >= n * 9;
	if (w->counts)
		least = POISSON;
	w->series.least = least > 0 ? least : 1e-9;
}

static void choose_seasons(struct work *w)
{
	size_t a = (size_t)w->input->period[0], b = (size_t)w->input->period[1];
	struct anomaly_series *s = &w->series;
	s->m1 = a > 1 && w->n >= 3 * a ? a : 1;
	s->m2 = b > 1 && w->n >= 3 * b ? b : 1;
	s->patience = a >= 24 ? a : 5;
	size_t m = s->m2 > 1 ? s->m2 : s->m1;
	size_t want = (s->m2 > 1 ? WARM_WEEKS : WARM_DAYS) * (m > 1 ? m : 2);
	/* Looking back, each half can be judged from the other. */
	size_t most = w->options->online ? w->n : w->n / 2;
	s->warm = want <= most ? want : most / m * m;
	if (s->warm < 1)
		s->warm = 1;
}

static void hold_feasts(struct work *w)
{
	w->feasts = anomaly_feasts_find(w->arena, w->input);
	bool *held = arena_array(w->arena, w->n, sizeof *held);
	for (size_t k = 0; k < w->feasts.n; k++)
		for (size_t i = w->feasts.items[k].first; i <= w->feasts.items[k].last; i++)
			held[i] = true;
	w->series.held = held;
}

static void prepare(struct work *w)
{
	choose_seasons(w);
	look_at_values(w);
	hold_feasts(w);
	w->x = arena_array(w->arena, w->n, sizeof *w->x);
	w->nothing = arena_array(w->arena, w->n, sizeof *w->nothing);
	for (size_t i = 0; i < w->n; i++) {
		w->x[i] = isnan(w->input->y[i]) ? NAN : scaled(w, w->input->y[i]);
		w->nothing[i] = w->amounts && w->x[i] == 0;
	}
	w->series.x = w->x;
	w->series.n = w->n;
	w->series.amounts = w->amounts;
}

/* ---- expectations ---------------------------------------------------------------- */

static void merge(struct work *w, const struct anomaly_side *future)
{
	for (size_t i = 0; i < w->n; i++) {
		double a = w->past.base[i], b = future->base[i];
		double c = w->past.scale[i], d = future->scale[i];
		w->base[i] = isnan(a) ? b : isnan(b) ? a : (a + b) / 2;
		w->scale[i] = isnan(a) ? d : isnan(b) ? c : (c + d) / 2;
	}
}

/* Finite, whatever the two are: a series may hold 1e30 and 1e-300. */
static double deviations(double off, double scale)
{
	double r = off / scale;
	return r > FAR ? FAR : r < -FAR ? -FAR : r;
}

static void expect(struct work *w)
{
	bool online = w->options->online;
	size_t a = (size_t)w->input->period[0];
	anomaly_filter(w->arena, &w->series, &w->past);
	w->base = w->past.base, w->scale = w->past.scale;
	if (!online) {
		struct anomaly_series reversed = w->series;
		struct anomaly_side future;
		reversed.backward = true;
		anomaly_filter(w->arena, &reversed, &future);
		merge(w, &future);
	}
	anomaly_feasts_apply(&w->feasts, w->x, w->amounts, online, w->base, w->scale);
	w->r = arena_array(w->arena, w->n, sizeof *w->r);
	for (size_t i = 0; i < w->n; i++)
		w->r[i] = w->n < LEAST_STEPS ? NAN : deviations(w->x[i] - w->base[i], w->scale[i]);
	anomaly_story(w->arena, w->r, w->n, NEAR_CYCLES * (a > 7 ? a : 7), online, w->nothing,
	              &w->story);
}

/* The normal quantile, by halving: once a run. */
static double deviations_of(double coverage)
{
	double lo = 0, hi = 40;
	for (int i = 0; i < 100; i++) {
		double mid = (lo + hi) / 2;
		if (erf(mid / sqrt(2)) < coverage)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* Nothing was there where clearly more was expected: an outage, however long it lasts. */
static bool nothing_there(const struct work *w, size_t i)
{
	return w->nothing[i] && w->story.lonely[i] <= -THRESHOLD_MAX;
}

/* The chance of a count as far off as y, on its side, where `mean` is expected. */
static double poisson_tail(double y, double mean)
{
	double below = 0, p = exp(-mean);
	for (int k = 0; k < (int)ceil(y); k++) {
		below += p;
		p *= mean / (k + 1);
	}
	return y > mean ? fmax(1 - below, 1e-16) : below + p;
}

/* A few orders more or less are no wonder, and far from normal. */
static void weigh_few(const struct work *w, struct anomaly_step *s)
{
	if (!w->counts || s->p >= FALSE_DISCOVERIES || fmax(s->expected, s->actual) >= FEW)
		return;
	double p = 2 * poisson_tail(s->actual, fmax(s->expected, FEWEST));
	if (p <= s->p)
		return;
	s->p = fmin(p, 1);
	s->score = copysign(deviations_of(1 - s->p), s->score);
}

static void judge(struct work *w, size_t i, double band, struct anomaly_step *s)
{
	const struct anomaly_options *o = w->options;
	*s = (struct anomaly_step){
		.actual = w->input->y[i], .expected = NAN, .lo = NAN, .hi = NAN, .p = 1};
	if (isnan(w->base[i]) || w->n < LEAST_STEPS)
		return;
	double x = w->base[i] + w->story.shift[i] * w->scale[i];
	double unit = fmax(w->story.unit[i] * w->scale[i], w->series.least);
	s->expected = unscaled(w, x);
	s->lo = unscaled(w, x - band * unit);
	s->hi = unscaled(w, x + band * unit);
	if (isnan(w->r[i]))
		return;
	double shrink = w->story.unit[i] * w->scale[i] / unit; /* 1 but for the least deviation */
	double score = nothing_there(w, i) ? w->story.lonely[i] : w->story.score[i];
	s->score = score * shrink;
	s->p = erfc(fabs(s->score) / sqrt(2));
	weigh_few(w, s);
	double off = fabs(s->actual - s->expected);
	double base = w->amounts ? s->expected : fmax(fabs(s->expected), w->typical);
	w->kept[i] = off >= (o->effect > 0 ? o->effect : EFFECT) * base && off >= o->floor &&
	             (s->actual < s->lo || s->actual > s->hi);
}

/* ---- flags ----------------------------------------------------------------------- */

/* Benjamini and Hochberg 1995: the largest p with p <= share * rank / n. */
static double discovery_p(struct arena *arena, const struct anomaly_step *steps, size_t n,
                          double share)
{
	double *p = arena_array(arena, n, sizeof *p), found = 0;
	size_t k = 0;
	for (size_t i = 0; i < n; i++)
		if (!isnan(steps[i].expected) && !isnan(steps[i].actual))
			p[k++] = steps[i].p;
	numeric_sort(p, k);
	for (size_t i = 0; i < k; i++)
		if (p[i] <= share * (double)(i + 1) / (double)k)
			found = p[i];
	return k && found == 0 ? share / (double)k : found;
}

static double score_at(double p)
{
	double z = deviations_of(1 - p);
	return fmin(fmax(z, THRESHOLD_MIN), THRESHOLD_MAX);
}

static enum anomaly_kind kind_of(const struct work *w, const struct anomaly_step *s)
{
	if (s->score > 0)
		return ANOMALY_SPIKE;
	return w->amounts && s->actual == 0 ? ANOMALY_OUTAGE : ANOMALY_DROP;
}

static void flag(struct work *w, size_t window, struct anomaly_result *out)
{
	size_t from = window && window < w->n ? w->n - window : 0;
	double p = discovery_p(w->arena, out->steps + from, w->n - from, FALSE_DISCOVERIES);
	out->threshold = p > 0 ? score_at(p) : THRESHOLD_MAX;
	for (size_t i = 0; i < w->n; i++) {
		struct anomaly_step *s = &out->steps[i];
		s->flagged = w->kept[i] && fabs(s->score) >= out->threshold;
		if (s->flagged)
			s->kind = kind_of(w, s);
	}
}

/* How long one incident keeps others quiet. */
static size_t quiet_steps(const struct work *w)
{
	int a = w->input->period[0];
	return a >= 24 ? (size_t)a : a > 1 ? 3 : 1;
}

/* Online an incident that goes on is news as long as it grows, so neighbours do not excuse it. */
static void mark_news(const struct work *w, struct anomaly_step *steps)
{
	size_t quiet = quiet_steps(w);
	const double *from = w->options->online ? w->story.lonely : w->story.score;
	for (size_t i = 0; i < w->n; i++) {
		double size = isnan(from[i]) ? 0 : fabs(from[i]);
		bool more = size > 0;
		for (size_t j = i > quiet ? i - quiet : 0; more && j < i; j++)
			more = isnan(from[j]) || fabs(from[j]) < size;
		steps[i].news = more ? size : 0;
	}
}

/* ---- incidents ------------------------------------------------------------------- */

static bool same_side(const struct work *w, size_t i, double sign)
{
	return !isnan(w->story.lonely[i]) && w->story.lonely[i] * sign >= TOGETHER;
}

/* The last flagged step of the incident that begins at `first`. */
static size_t last_of(const struct work *w, const struct anomaly_step *steps, size_t first)
{
	double sign = steps[first].score > 0 ? 1 : -1;
	size_t last = first;
	for (size_t i = first + 1; i < w->n; i++) {
		if (steps[i].flagged && steps[i].score * sign > 0)
			last = i;
		else if (!same_side(w, i, sign))
			break;
	}
	return last;
}

/* The move that begins within the steps, or a step beside them; NULL. */
static const struct anomaly_move *move_near(const struct work *w, size_t first, size_t last)
{
	for (size_t k = 0; k < w->past.moves_n; k++) {
		const struct anomaly_move *m = &w->past.moves[k];
		if (m->at + 1 >= first && m->at <= last + 1)
			return m;
	}
	return NULL;
}

static struct anomaly_incident incident_at(const struct work *w, struct anomaly_step *steps,
                                           size_t first)
{
	struct anomaly_incident it = {first, first, first, ANOMALY_SHIFT};
	if (!steps[first].flagged) {
		steps[first].kind = ANOMALY_SHIFT;
		return it;
	}
	it.last = last_of(w, steps, first);
	for (size_t i = first; i <= it.last; i++)
		if (steps[i].flagged && fabs(steps[i].score) > fabs(steps[it.worst].score))
			it.worst = i;
	it.kind = steps[it.worst].kind;
	if (move_near(w, it.first, it.last))
		it.kind = steps[first].kind = ANOMALY_SHIFT;
	return it;
}

/* A message for a level shift, for two steps in a row, and for one that is beyond doubt; unless
 * one of the last hours or days was worse. */
static size_t alert_of(const struct work *w, const struct anomaly_step *steps,
                       const struct anomaly_incident *it, double sure)
{
	size_t quiet = quiet_steps(w);
	for (size_t i = it->first; i <= it->last; i++) {
		const struct anomaly_step *s = &steps[i];
		bool worth = it->kind == ANOMALY_SHIFT || s->p <= sure ||
		             (i > it->first && s->flagged && steps[i - 1].flagged);
		if (!worth)
			continue;
		for (size_t j = i > quiet ? i - quiet : 0; j < it->first; j++)
			if (steps[j].flagged && fabs(steps[j].score) >= fabs(s->score))
				return w->n;
		return i;
	}
	return w->n;
}

/* A level moved at this step, and no incident begins beside it that says so. */
static bool moves_quietly(const struct work *w, const struct anomaly_step *steps, size_t i,
                          const struct anomaly_incident *last)
{
	const struct anomaly_move *m = move_near(w, i, i);
	if (!m || m->at != i || (i + 1 < w->n && steps[i + 1].flagged))
		return false;
	return !last || last->kind != ANOMALY_SHIFT || last->last + 1 < i;
}

static void gather(struct work *w, struct anomaly_result *out)
{
	double sure = discovery_p(w->arena, out->steps, w->n, ALERT_Q);
	struct anomaly_incident *incidents = arena_array(w->arena, w->n, sizeof *incidents);
	size_t n = 0;
	for (size_t i = 0; i < w->n; i++) {
		if (!out->steps[i].flagged &&
		    !moves_quietly(w, out->steps, i, n > 0 ? &incidents[n - 1] : NULL))
			continue;
		struct anomaly_incident it = incident_at(w, out->steps, i);
		size_t alert = alert_of(w, out->steps, &it, sure);
		if (alert < w->n)
			out->steps[alert].alert = true;
		incidents[n++] = it;
		i = it.last;
	}
	out->incidents = incidents;
	out->incidents_n = n;
}

/* ---- run ------------------------------------------------------------------------- */

static enum err check(const struct forecast_input *input, const struct anomaly_options *o,
                      struct errbuf *eb)
{
	size_t known = 0;
	for (size_t i = 0; i < input->n; i++) {
		if (isinf(input->y[i]))
			return err_set_field(eb, ERR_INVALID, "history", "a value is not finite");
		known += isnan(input->y[i]) ? 0 : 1;
	}
	if (known < 1)
		return err_set_field(eb, ERR_INVALID, "history", "there is no value to learn from");
	for (int k = 0; k < 2; k++)
		if (input->period[k] < 0 || input->period[k] > FORECAST_PERIOD_MAX)
			return err_set_field(eb, ERR_INVALID, "period", "a season has 0 to %d steps",
			                     FORECAST_PERIOD_MAX);
	if (input->period[0] > 1 && input->period[1] % input->period[0] != 0)
		return err_set_field(eb, ERR_INVALID, "period",
		                     "the long season is no multiple of the short one");
	if (o->sensitivity != 0 && !(o->sensitivity >= .5 && o->sensitivity <= .9999))
		return err_set_field(eb, ERR_INVALID, "sensitivity", "it is from 0.5 to 0.9999");
	return ERR_OK;
}

enum err anomaly_run(struct arena *arena, const struct forecast_input *input,
                     const struct anomaly_options *options, size_t window,
                     struct anomaly_result *out, struct errbuf *eb)
{
	static const struct anomaly_options usual;
	struct work w = {
		.arena = arena, .input = input, .options = options ? options : &usual, .n = input->n};
	enum err e = check(input, w.options, eb);
	if (e)
		return e;
	prepare(&w);
	expect(&w);
	*out = (struct anomaly_result){.steps = arena_array(arena, w.n, sizeof *out->steps)};
	w.kept = arena_array(arena, w.n, sizeof *w.kept);
	double band = deviations_of(w.options->sensitivity > 0 ? w.options->sensitivity : .95);
	for (size_t i = 0; i < w.n; i++)
		judge(&w, i, band, &out->steps[i]);
	flag(&w, window, out);
	mark_news(&w, out->steps);
	gather(&w, out);
	return ERR_OK;
}
