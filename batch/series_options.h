/* series_options.h: the command line of a job that works on a file of series. */
#ifndef TAKINGS_BATCH_SERIES_OPTIONS_H
#define TAKINGS_BATCH_SERIES_OPTIONS_H

#include "batch/series_job.h"

/* Borrows argv. ERR_INVALID with the option as field. */
MUST_CHECK enum err series_options_parse(struct series_options *out, const struct series_job *job,
                                         int argc, char **argv, struct errbuf *eb);

/* What stands in for --period: the seasons of days, hours and parts of an hour. */
void series_options_period(const struct series_options *opt, int32_t step_s, int out[2]);

#endif
