/* anomaly_file.c: what was unusual in any series. */
#include "forecast/anomaly.h"

#include "batch/forecast_file.h"
#include "batch/series_job.h"

static void put_row(struct buf *out, const struct series *s, size_t i, const struct anomaly_step *a)
{
	const double numbers[] = {s->y[i], a->expected, a->lo, a->hi, a->score};
	series_put_text(out, s->id);
	buf_putc(out, ',');
	series_put_text(out, s->t[i]);
	for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
		buf_putc(out, ',');
		series_put_number(out, numbers[k]);
	}
	buf_puts(out, a->flagged ? ",1\n" : ",0\n");
}

static enum err put_rows(struct arena *arena, const struct series *series,
                         const struct forecast_input *input, const struct series_options *opt,
                         struct buf *out, struct errbuf *eb)
{
	struct anomaly_options wish = {.sensitivity = opt->sensitivity};
	struct anomaly_result r;
	enum err rc = anomaly_run(arena, input, &wish, (size_t)opt->window, &r, eb);
	for (size_t i = 0; rc == ERR_OK && i < series->n; i++)
		if (series->t[i])
			put_row(out, series, i, &r.steps[i]);
	return rc;
}

enum job_exit job_anomalies(const struct conf *conf, int argc, char **argv)
{
	static const struct series_job job = {
		.name = "anomalies",
		.usage = ANOMALY_FILE_USAGE,
		.options = "--window,--sensitivity",
		.header = "id,t,y,expected,lo,hi,score,anomaly\n",
		.done = "series judged",
		.rows = put_rows,
	};
	(void)conf;
	return series_job_run(&job, argc, argv);
}
