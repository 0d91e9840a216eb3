/* series_options.c: a table of options, and what each may be. */
#include "batch/series_options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/words.h"

enum { THREADS_MAX = 64, WINDOW_MAX = SERIES_POINTS, DAY_S = 86400 };

static const double SENSITIVITY_MIN = 0.5, SENSITIVITY_MAX = 0.9999;

static bool read_text(const char **out, const char *value)
{
	*out = value;
	return *value != '\0';
}

static bool read_number(double *out, const char *value, double min, double max)
{
	char *end = NULL;
	if (*value == '\0' || strspn(value, "0123456789.") != strlen(value))
		return false;
	*out = strtod(value, &end);
	return *end == '\0' && *out >= min && *out <= max;
}

/* "24", "24,168"; 1 is no season. */
static bool read_period(struct series_options *o, const char *value)
{
	char first[8] = "";
	int64_t one = 0, two = 0;
	size_t n = strcspn(value, ",");
	if (n >= sizeof first)
		return false;
	memcpy(first, value, n);
	if (!num_parse_int(first, 1, FORECAST_PERIOD_MAX, &one))
		return false;
	if (value[n] == ',' &&
	    (!num_parse_int(value + n + 1, 1, FORECAST_PERIOD_MAX, &two) || two <= one || one < 2))
		return false;
	o->period_given = true;
	o->period[0] = one > 1 ? (int)one : 0;
	o->period[1] = (int)two;
	return true;
}

static bool read_option(struct series_options *o, const char *name, const char *value)
{
	if (strcmp(name, "--input") == 0)
		return read_text(&o->input, value);
	if (strcmp(name, "--output") == 0)
		return read_text(&o->output, value);
	if (strcmp(name, "--holidays") == 0)
		return read_text(&o->holidays, value);
	if (strcmp(name, "--period") == 0)
		return read_period(o, value);
	if (strcmp(name, "--threads") == 0)
		return num_parse_int(value, 0, THREADS_MAX, &o->threads);
	if (strcmp(name, "--horizon") == 0)
		return num_parse_int(value, 1, FORECAST_HORIZON_MAX, &o->horizon);
	if (strcmp(name, "--window") == 0)
		return num_parse_int(value, 0, WINDOW_MAX, &o->window);
	return read_number(&o->sensitivity, value, SENSITIVITY_MIN, SENSITIVITY_MAX);
}

/* What may stand behind an option, for a person. */
static const char *wanted(const char *name)
{
	static const struct {
		const char *name, *wanted;
	} options[] = {
		{"--period", "one or two whole numbers from 1 to 1000, the smaller first, as 24,168"},
		{"--threads", "a whole number from 0 (as many as processors) to 64"},
		{"--horizon", "a whole number from 1 to 1000"},
		{"--window", "a whole number from 0 (all) to 1000000"},
		{"--sensitivity", "a number from 0.5 to 0.9999"},
	};
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (strcmp(options[i].name, name) == 0)
			return options[i].wanted;
	return "the name of a file, or - for standard input and output";
}

static enum err check(const struct series_options *o, const struct series_job *job,
                      struct errbuf *eb)
{
	const char *missing = !o->input                           ? "--input"
	                      : job->needs_horizon && !o->horizon ? "--horizon"
	                                                          : NULL;
	if (missing)
		return err_set_field(eb, ERR_INVALID, missing, "%s is missing: %s", missing,
		                     wanted(missing));
	if (o->holidays && strcmp(o->holidays, "-") == 0 && strcmp(o->input, "-") == 0)
		return err_set_field(eb, ERR_INVALID, "--holidays",
		                     "--input and --holidays cannot both be standard input");
	return ERR_OK;
}

enum err series_options_parse(struct series_options *out, const struct series_job *job, int argc,
                              char **argv, struct errbuf *eb)
{
	static const char COMMON[] = "--input,--output,--holidays,--period,--threads";
	const char *seen[16];
	int seen_n = 0;
	*out = (struct series_options){.output = "-"};
	for (int i = 0; i < argc; i += 2) {
		const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
		if (words_find(COMMON, ',', name, WORDS_EXACT) < 0 &&
		    words_find(job->options, ',', name, WORDS_EXACT) < 0)
			return err_set_field(eb, ERR_INVALID, name, "there is no option %s", name);
		for (int s = 0; s < seen_n; s++)
			if (strcmp(seen[s], name) == 0)
				return err_set_field(eb, ERR_INVALID, name, "%s stands there twice", name);
		seen[seen_n++] = name;
		if (!value)
			return err_set_field(eb, ERR_INVALID, name, "%s lacks its value: %s", name,
			                     wanted(name));
		if (!read_option(out, name, value))
			return err_set_field(eb, ERR_INVALID, name, "%s cannot be \"%s\": %s", name, value,
			                     wanted(name));
	}
	return check(out, job, eb);
}

void series_options_period(const struct series_options *opt, int32_t step_s, int out[2])
{
	out[0] = opt->period[0];
	out[1] = opt->period[1];
	if (opt->period_given || step_s <= 0 || step_s > DAY_S || DAY_S % step_s != 0)
		return;
	int day = DAY_S / step_s, week = day * 7;
	if (day > FORECAST_PERIOD_MAX)
		return;
	out[0] = day > 1 ? day : week;
	out[1] = day > 1 && week <= FORECAST_PERIOD_MAX ? week : 0;
}
