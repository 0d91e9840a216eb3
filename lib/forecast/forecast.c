/* forecast.c: a series from its values to its forecast. */
#include "forecast/forecast.h"

#include <math.h>

const char *forecast_flag_name(unsigned bit)
{
	static const char *const names[] = {"short_history", "intermittent", "holidays",
	                                    "closed_slots",  "level_shift",  "constant",
	                                    "filled",        "naive_better"};
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (bit == 1U << i)
			return names[i];
	return NULL;
}

enum err forecast_run(struct arena *arena, const struct forecast_input *input, struct forecast *out,
                      struct errbuf *eb)
{
	size_t m = input->period[1]   ? (size_t)input->period[1]
	           : input->period[0] ? (size_t)input->period[0]
	                              : 1;
	if (input->n < 1)
		return err_set_field(eb, ERR_INVALID, "history", "there is no value to learn from");
	*out = (struct forecast){.model = "seasonal naive", .n_used = input->n};
	out->points = arena_array(arena, input->horizon, sizeof *out->points);
	out->naive = arena_array(arena, input->horizon, sizeof *out->naive);
	out->backtest = (struct forecast_backtest){0, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
	for (size_t h = 0; h < input->horizon; h++) {
		double v = input->n >= m ? input->y[input->n - m + h % m] : input->y[input->n - 1];
		out->naive[h] = v;
		out->points[h] = (struct forecast_point){.point = v,
		                                         .lo80 = v * .9,
		                                         .hi80 = v * 1.1,
		                                         .lo95 = v * .8,
		                                         .hi95 = v * 1.2,
		                                         .base = v};
		out->total.point += v;
	}
	return ERR_OK;
}
