/* jobs.h: what takings-batch can be asked to do; one row of the table in main.c each. */
#ifndef TAKINGS_BATCH_JOBS_H
#define TAKINGS_BATCH_JOBS_H

#include "base/conf.h"

/* Exit codes of the program. 2 is nothing to do for a run, which therefore fails with 1 when it
 * is misspelt: cron must not take that for a quiet night. For the other jobs, which always
 * have something to do, 2 is an argument they do not know, as of other programs. */
enum job_exit { JOB_OK = 0, JOB_FAILED = 1, JOB_NOTHING = 2, JOB_USAGE = 2, JOB_LOCKED = 3 };

/* `conf` is NULL for the jobs that need no settings. argv holds what stands behind the job's name.
 * Messages for people go to standard output, log lines to standard error. */
typedef enum job_exit (*job_fn)(const struct conf *conf, int argc, char **argv);

enum job_exit job_run(const struct conf *conf, int argc, char **argv);
enum job_exit job_migrate(const struct conf *conf, int argc, char **argv);
enum job_exit job_demo(const struct conf *conf, int argc, char **argv);
enum job_exit job_doctor(const struct conf *conf, int argc, char **argv);
enum job_exit job_config(const struct conf *conf, int argc, char **argv);
enum job_exit job_user(const struct conf *conf, int argc, char **argv);
enum job_exit job_key(const struct conf *conf, int argc, char **argv);
enum job_exit job_forecast(const struct conf *conf, int argc, char **argv);
enum job_exit job_anomalies(const struct conf *conf, int argc, char **argv);
enum job_exit job_holiday(const struct conf *conf, int argc, char **argv);
enum job_exit job_replay(const struct conf *conf, int argc, char **argv);
enum job_exit job_region(const struct conf *conf, int argc, char **argv);
enum job_exit job_dimension(const struct conf *conf, int argc, char **argv);
enum job_exit job_inbox(const struct conf *conf, int argc, char **argv);
enum job_exit job_activity(const struct conf *conf, int argc, char **argv);
enum job_exit job_person(const struct conf *conf, int argc, char **argv);
enum job_exit job_failpoints(const struct conf *conf, int argc, char **argv);

/* The exit code for an error. */
enum job_exit job_exit_of(enum err code);

#endif
