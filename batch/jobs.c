/* jobs.c: the jobs that are a few lines, and the exit code of all. */
#include "batch/jobs.h"

#include <stdio.h>
#include <string.h>

#include "base/failpoint.h"
#include "domain/metrics.h"

enum job_exit job_exit_of(enum err code)
{
	switch (code) {
	case ERR_OK:
		return JOB_OK;
	case ERR_NOTHING:
		return JOB_NOTHING;
	case ERR_LOCKED:
		return JOB_LOCKED;
	default:
		return JOB_FAILED;
	}
}

enum job_exit job_config(const struct conf *conf, int argc, char **argv)
{
	struct buf out;
	buf_init(&out);
	if (argc > 0 && strcmp(argv[0], "--markdown") == 0)
		conf_print_markdown(&out);
	else if (argc > 0 && strcmp(argv[0], "--metrics") == 0)
		metric_print_markdown(&out);
	else if (argc > 0 && strcmp(argv[0], "--env-example") == 0)
		conf_print_env_example(&out);
	else
		conf_print(conf, &out);
	(void)fputs(buf_str(&out), stdout);
	buf_fini(&out);
	return JOB_OK;
}

enum job_exit job_failpoints(const struct conf *conf, int argc, char **argv)
{
	(void)conf, (void)argc, (void)argv;
	for (int i = 0; failpoint_name(i); i++)
		(void)puts(failpoint_name(i));
	return JOB_OK;
}
