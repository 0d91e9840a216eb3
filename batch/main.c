/* main.c: takings-batch: a table of jobs and the way to them. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/conf.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "batch/jobs.h"
#include "db/db.h"
#include "db/statement.h"

static const struct {
	const char *name;
	job_fn run;
	const char *usage; /* NULL: not for people */
	const char *meaning;
} jobs[] = {
	{"run", job_run, "run [--date D | --from A --to B] [--if-due] [--dry-run] [--force]",
     "compute closed days from order_db into the cache tables"},
	{"migrate", job_migrate, "migrate [up | status | verify]",
     "bring analytics_db to the newest schema"},
	{"doctor", job_doctor, "doctor", "say what is missing, and what to do about it"},
	{"config", job_config, "config [--markdown | --metrics | --env-example]",
     "show each setting and where it came from"},
	{"demo", job_demo,
     "demo [--seed N] [--days N] [--until D] [--truth FILE] [--continue | --replace]",
     "fill order_db with believable data"},
	{"failpoints", job_failpoints, NULL, "list the names TAKINGS_FAILPOINT takes"},
};

enum { JOBS = sizeof jobs / sizeof *jobs };

static void usage(FILE *to)
{
	(void)fprintf(to, "takings-batch %s\n\nusage: takings-batch [--env-file FILE] JOB ...\n\n",
	              TAKINGS_VERSION);
	for (int i = 0; i < JOBS; i++)
		if (jobs[i].usage)
			(void)fprintf(to, "  %s\n      %s\n", jobs[i].usage, jobs[i].meaning);
	(void)fputs("\nexit codes: 0 done, 1 failed, 2 nothing to do, 3 locked by another run\n"
	            "settings: docs/CONFIG.md\n",
	            to);
}

static void on_stop(int sig)
{
	(void)sig;
	db_interrupt();
}

static void catch_signals(void)
{
	struct sigaction stop = {.sa_handler = on_stop}, ignore = {.sa_handler = SIG_IGN};
	(void)sigaction(SIGINT, &stop, NULL);
	(void)sigaction(SIGTERM, &stop, NULL);
	(void)sigaction(SIGPIPE, &ignore, NULL);
}

static enum job_exit run_job(job_fn run, const char *env_file, int argc, char **argv)
{
	struct conf *conf = NULL;
	struct errbuf eb = {0};
	enum log_level level = LOG_INFO;
	log_init("takings-batch", LOG_INFO);
	if (failpoint_init(&eb) != ERR_OK || conf_load(&conf, CONF_BATCH, env_file, &eb) != ERR_OK) {
		log_err("config_refused", &eb);
		return JOB_FAILED;
	}
	must(log_level_parse(conf_str(conf, CONF_LOG_LEVEL), &level));
	log_init("takings-batch", level);
	statement_load_all();
	catch_signals();
	enum job_exit code = run(conf, argc, argv);
	conf_free(conf);
	return code;
}

int main(int argc, char **argv)
{
	const char *env_file = NULL;
	int at = 1;
	if (argc > at + 1 && strcmp(argv[at], "--env-file") == 0) {
		env_file = argv[at + 1];
		at += 2;
	}
	const char *name = argc > at ? argv[at] : "help";
	for (int i = 0; i < JOBS; i++)
		if (strcmp(jobs[i].name, name) == 0)
			return (int)run_job(jobs[i].run, env_file, argc - at - 1, argv + at + 1);
	if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
		(void)printf("takings-batch %s\n", TAKINGS_VERSION);
		return JOB_OK;
	}
	bool asked =
		strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0;
	if (!asked)
		(void)fprintf(stderr, "takings-batch: there is no job '%s'\n", name);
	usage(asked ? stdout : stderr);
	return asked ? JOB_OK : JOB_FAILED;
}
