/* series_job.h: a job that reads series from a file and writes rows of each to another: no
 * database, no settings. Series are worked on by several threads and written in the file's order.
 */
#ifndef TAKINGS_BATCH_SERIES_JOB_H
#define TAKINGS_BATCH_SERIES_JOB_H

#include "base/arena.h"
#include "base/buf.h"
#include "batch/jobs.h"
#include "batch/series_file.h"
#include "forecast/forecast.h"

struct series_options {
	const char *input, *output, *holidays; /* "-": standard input, output; NULL: none */
	int period[2];
	bool period_given;
	int64_t threads; /* 0: one a processor */
	int64_t horizon;
	int64_t window;
	double sensitivity; /* 0: the default */
};

struct series_job {
	const char *name;    /* as in the table of jobs */
	const char *usage;   /* after the program's name */
	const char *options; /* its own, such as "--window,--sensitivity" */
	const char *header;  /* of the output */
	const char *done;    /* "series forecast" */
	bool needs_horizon;

	/* The rows of one series, appended; touches nothing else. ERR_INVALID refuses the series. */
	enum err (*rows)(struct arena *arena, const struct series *series,
	                 const struct forecast_input *input, const struct series_options *opt,
	                 struct buf *out, struct errbuf *eb);
};

/* Output appears whole or, where the job fails or is stopped, not at all. */
enum job_exit series_job_run(const struct series_job *job, int argc, char **argv);

/* A number as short as it can be read back, "" for one that is none. */
void series_put_number(struct buf *out, double v);

/* A text, quoted where it needs be. */
void series_put_text(struct buf *out, const char *s);

#endif
