/* forecast_file.c: the forecasts of any series. */
#include "batch/forecast_file.h"

#include "batch/series_job.h"

enum { MODELS_SHOWN = 3 };

/* "HWT 0.31; AR 0.22; seasonal naive 0.20" */
static const char *models(struct arena *arena, const struct forecast *f)
{
	struct buf text;
	if (f->weights_n == 0)
		return f->model;
	buf_init(&text);
	for (size_t i = 0; i < f->weights_n && i < MODELS_SHOWN; i++)
		buf_printf(&text, "%s%s %.2f", i > 0 ? "; " : "", f->weights[i].model,
		           f->weights[i].weight);
	const char *kept = arena_strdup(arena, buf_str(&text));
	buf_fini(&text);
	return kept;
}

static enum err put_rows(struct arena *arena, const struct series *series,
                         const struct forecast_input *input, const struct series_options *opt,
                         struct buf *out, struct errbuf *eb)
{
	struct forecast f;
	(void)opt;
	enum err rc = forecast_run(arena, input, &f, eb);
	if (rc != ERR_OK)
		return rc;
	const char *model = models(arena, &f);
	for (size_t h = 0; h < input->horizon; h++) {
		const struct forecast_point *p = &f.points[h];
		const double numbers[] = {p->point, p->lo80, p->hi80, p->lo95, p->hi95};
		series_put_text(out, series->id);
		buf_putc(out, ',');
		buf_putint(out, (int64_t)h + 1);
		for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
			buf_putc(out, ',');
			series_put_number(out, numbers[i]);
		}
		buf_putc(out, ',');
		series_put_text(out, model);
		buf_putc(out, '\n');
	}
	return ERR_OK;
}

enum job_exit job_forecast(const struct conf *conf, int argc, char **argv)
{
	static const struct series_job job = {
		.name = "forecast",
		.usage = FORECAST_FILE_USAGE,
		.options = "--horizon",
		.header = "id,step,point,lo80,hi80,lo95,hi95,model\n",
		.done = "series forecast",
		.needs_horizon = true,
		.rows = put_rows,
	};
	(void)conf;
	return series_job_run(&job, argc, argv);
}
