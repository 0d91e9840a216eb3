/* anomaly_special.c: feasts by name. */
#include "forecast/anomaly_special.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_S = 86400 };
static const double UNKNOWN_WIDER = 3;
static const double RATIO_MAX = 4; /* on the scale worked on: the root of what it is in money */

static int by_day(const void *a, const void *b)
{
	const struct forecast_special *const *x = a, *const *y = b;
	if ((*x)->day != (*y)->day)
		return (*x)->day < (*y)->day ? -1 : 1;
	return (*x > *y) - (*x < *y);
}

static int64_t day_of(const struct forecast_input *input, size_t i)
{
	int64_t s = input->start_s + (int64_t)i * input->step_s;
	return s / DAY_S - (s % DAY_S < 0);
}

struct anomaly_feasts anomaly_feasts_find(struct arena *arena, const struct forecast_input *input)
{
	struct anomaly_feasts out = {0};
	size_t n = input->special ? input->special_n : 0;
	if (n == 0 || input->step_s <= 0 || input->step_s > DAY_S)
		return out;
	const struct forecast_special **days = arena_array(arena, n, sizeof *days);
	out.items = arena_array(arena, n, sizeof *out.items);
	for (size_t i = 0; i < n; i++)
		days[i] = &input->special[i];
	qsort(days, n, sizeof(const struct forecast_special *), by_day);
	for (size_t i = 0, d = 0; i < input->n && d < n; i++) {
		int64_t day = day_of(input, i);
		while (d < n && days[d]->day < day)
			d++;
		if (d == n || days[d]->day != day)
			continue;
		struct anomaly_feast *last = out.n ? &out.items[out.n - 1] : NULL;
		if (last && day_of(input, last->first) == day)
			last->last = i;
		else
			out.items[out.n++] = (struct anomaly_feast){i, i, days[d]->name, NAN};
	}
	return out;
}

static void learn(struct anomaly_feast *f, const double *x, const double *base)
{
	double was = 0, ordinary = 0;
	for (size_t i = f->first; i <= f->last; i++) {
		if (isnan(x[i]) || isnan(base[i]) || base[i] <= 0)
			continue;
		was += x[i], ordinary += base[i];
	}
	f->ratio = ordinary > 0 ? fmin(was / ordinary, RATIO_MAX) : NAN;
}

/* What the others of its name were: the mean of their ratios, and half of what lies between them.
 */
struct expected {
	double ratio, spread; /* ratio is NAN where there is none */
};

static struct expected expect(const struct anomaly_feasts *feasts, size_t of, bool online)
{
	double sum = 0, least = INFINITY, most = 0;
	size_t n = 0;
	for (size_t i = 0; i < (online ? of : feasts->n); i++) {
		const struct anomaly_feast *f = &feasts->items[i];
		if (i == of || isnan(f->ratio) || strcmp(f->name, feasts->items[of].name) != 0)
			continue;
		sum += f->ratio, n++;
		least = fmin(least, f->ratio), most = fmax(most, f->ratio);
	}
	if (n == 0)
		return (struct expected){NAN, 0};
	return (struct expected){sum / (double)n, (most - least) / 2};
}

void anomaly_feasts_apply(const struct anomaly_feasts *feasts, const double *x, bool ratios,
                          bool online, double *base, double *scale)
{
	for (size_t k = 0; ratios && k < feasts->n; k++)
		learn(&feasts->items[k], x, base);
	for (size_t k = 0; k < feasts->n; k++) {
		struct expected e = expect(feasts, k, online);
		for (size_t i = feasts->items[k].first; i <= feasts->items[k].last; i++) {
			if (isnan(e.ratio)) {
				scale[i] *= UNKNOWN_WIDER;
				continue;
			}
			scale[i] = isnan(base[i]) ? scale[i] : hypot(scale[i], base[i] * e.spread);
			base[i] *= e.ratio;
		}
	}
}
