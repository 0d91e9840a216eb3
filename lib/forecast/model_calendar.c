/* model_calendar.c: the date's effect taken off, what remains by another candidate, put on again.
 */
#include "forecast/model.h"

#include "forecast/calendar.h"

static void around(struct arena *scratch, const struct view *v, model_fn fn, double *out)
{
	size_t last = v->origin[v->origins - 1] + v->h;
	struct warm warm = {0};
	if (!v->calendar)
		return;
	double *effect = arena_array(scratch, last, sizeof *effect);
	double *marks = arena_array(scratch, last, sizeof *marks);
	double *rest = arena_array(scratch, last, sizeof *rest);
	for (size_t k = 0; k < v->origins; k++, out += v->h) {
		size_t n = v->origin[k];
		struct view of = {
			.y = rest, .m1 = v->m1, .h = v->h, .origin = &n, .origins = 1, .warm = &warm};
		if (!calendar_effect(scratch, v->calendar, v->y, n, effect, marks))
			continue;
		for (size_t t = 0; t < n; t++)
			rest[t] = v->y[t] - effect[t];
		fn(scratch, &of, out);
		for (size_t h = 0; h < v->h; h++)
			out[h] += effect[n + h];
		for (size_t h = 0; v->marks && k + 1 == v->origins && h < v->h; h++)
			v->marks[h] = marks[n + h];
	}
}

void model_calendar_hwt(struct arena *scratch, const struct view *v, double *out)
{
	around(scratch, v, model_hwt, out);
}

void model_calendar_ar(struct arena *scratch, const struct view *v, double *out)
{
	around(scratch, v, model_ar, out);
}

void model_calendar_slot(struct arena *scratch, const struct view *v, double *out)
{
	around(scratch, v, model_slot_level, out);
}
