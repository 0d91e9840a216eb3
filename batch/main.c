/* main.c: takings-batch: a table of jobs and the way to them. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/crash.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/words.h"
#include "batch/forecast_file.h"
#include "batch/jobs.h"
#include "db/db.h"
#include "db/statement.h"

/* `words`: the job takes one of these or nothing; "" nothing; NULL: it reads its arguments. */
struct job {
	const char *name;
	job_fn run;
	const char *words;
	const char *usage; /* NULL: not for people */
	const char *meaning;
	bool bare; /* needs no settings and gets none */
};

static const struct job jobs[] = {
	{"run", job_run, NULL, "run [--date D | --from A --to B] [--if-due] [--dry-run] [--force]",
     "compute closed days from order_db into the cache tables", false},
	{"migrate", job_migrate, "up|status|verify", "migrate [up | status | verify]",
     "bring analytics_db to the newest schema", false},
	{"doctor", job_doctor, "", "doctor", "say what is missing, and what to do about it", false},
	{"config", job_config, "--markdown|--metrics|--env-example",
     "config [--markdown | --metrics | --env-example]", "show each setting and where it came from",
     false},
	{"demo", job_demo, NULL,
     "demo [--seed N] [--days N] [--until D] [--truth FILE] [--continue | --replace]\n"
     "       | --bookings [--seed N] | --activity [--seed N]\n"
     "       | --live [--speed N | --rate N] [--minutes M] [--to order_db|kafka]",
     "fill order_db with believable data; --bookings: put messages about some 40 events and 6,000\n"
     "      bookings of them into the inbox of analytics_db; --activity: store 90 days of visits "
     "to\n"
     "      the site there; --live: order by order and visit by visit, as it happens",
     false},
	{"user", job_user, NULL,
     "user list | add NAME --role ROLE [--generate] | role NAME ROLE | password NAME [--generate]\n"
     "       | disable NAME | enable NAME | delete NAME [--yes] | token NAME",
     "who may log in, as admin, analyst or viewer; `token` prints a bearer token", false},
	{"key", job_key, NULL,
     "key list | add NAME --scope SCOPE [--expires YYYY-MM-DD] [--origin ORIGIN ...] | revoke ID",
     "keys for programs, of scope ingest, read or admin; a new one is printed once. With --origin "
     "it is public:"
     " it may stand in pages of these origins, and sends events from there only",
     false},
	{"forecast", job_forecast, NULL, FORECAST_FILE_USAGE,
     "forecast the series of a CSV file (id, t or ds, y); needs no database and no settings", true},
	{"anomalies", job_anomalies, NULL, ANOMALY_FILE_USAGE,
     "say what was unusual in the series of a CSV file; needs no database and no settings", true},
	{"holiday", job_holiday, NULL,
     "holiday list [--year Y] | add DATE NAME [--until DATE] [--location ID]\n"
     "       | remove DATE NAME [--until DATE] [--location ID] | import FILE",
     "days people behave differently on: the public ones of HOLIDAYS, and the shop's own (of a "
     "CSV\n"
     "      file: ds,holiday); one name is one effect, learned over the years",
     false},
	{"region", job_region, NULL, "region list | set LOCATION REGION | remove LOCATION",
     "which region a location is in: what revenue is told apart by beside activity", false},
	{"dimension", job_dimension, NULL, "dimension list | add NAME --property PROPERTY",
     "what tracked events are told apart by; one that is added counts from then on", false},
	{"replay", job_replay, NULL, "replay list [--reason R] | --id N | --reason R | --all",
     "messages the stream refused; having them read again and waiting for what comes of it", false},
	{"inbox", job_inbox, NULL,
     "inbox list [--dead | --open] [--type T] [--event N] [--limit N] | show ID\n"
     "       | replay ID | replay --reason TEXT | replay --all | fix ID FILE | fix ID - | drop ID",
     "messages about bookings; of what could not be read or put into effect: having it read "
     "again,\n"
     "      putting a corrected message in its place, and dropping it",
     false},
	{"activity", job_activity, NULL,
     "activity list [--reason R] | store ID | store --reason R | store --all | drop ID\n"
     "       | drop --reason R | drop --all",
     "tracked events that were kept apart: storing them after all, or dropping them", false},
	{"person", job_person, NULL,
     "person export | erase | anonymise  --user ID | --anonymous ID | --session ID  [--json] "
     "[--yes]",
     "one person: all that is held, as JSON; taking it away, or giving it to nobody, for good, "
     "while "
     "the\n"
     "      figures stay; what was done is printed as a certificate",
     false},
	{"failpoints", job_failpoints, "", NULL, "list the names TAKINGS_FAILPOINT takes", false},
};

enum { JOBS = sizeof jobs / sizeof *jobs };

static void usage(FILE *to)
{
	(void)fprintf(to, "takings-batch %s\n\nusage: takings-batch [--env-file FILE] JOB ...\n\n",
	              TAKINGS_VERSION);
	for (int i = 0; i < JOBS; i++)
		if (jobs[i].usage)
			(void)fprintf(to, "  %s\n      %s\n", jobs[i].usage, jobs[i].meaning);
	(void)fputs("\nexit codes: 0 done, 1 failed, 2 nothing to do (other jobs than run: an argument "
	            "not known),\n"
	            "  3 locked by another run\n"
	            "settings: docs/CONFIG.md\n",
	            to);
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* Whether the job itself is asked what it does, and not to do it. */
static bool help_wanted(const struct job *job, int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (is_help(argv[i])) {
			(void)printf("usage: takings-batch [--env-file FILE] %s\n    %s\n",
			             job->usage ? job->usage : job->name, job->meaning);
			return true;
		}
	return false;
}

static bool arguments_fit(const struct job *job, int argc, char **argv)
{
	int known = 0;
	if (!job->words)
		return true;
	if (argc > 0 && words_find(job->words, '|', argv[0], WORDS_EXACT) >= 0)
		known = 1;
	if (argc > known)
		(void)fprintf(stderr,
		              "takings-batch %s: there is no argument '%s' here\nusage: takings-batch %s\n",
		              job->name, argv[known], job->usage ? job->usage : job->name);
	return argc <= known;
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
	if (!conf_bool(conf, CONF_DEV))
		crash_forbid_core();
	statement_load_all();
	catch_signals();
	enum job_exit code = run(conf, argc, argv);
	conf_free(conf);
	return code;
}

static enum job_exit run_bare(job_fn run, int argc, char **argv)
{
	log_init("takings-batch", LOG_INFO);
	crash_forbid_core();
	catch_signals();
	return run(NULL, argc, argv);
}

static enum job_exit start_job(const struct job *job, const char *env_file, int argc, char **argv)
{
	if (help_wanted(job, argc, argv))
		return JOB_OK;
	if (!arguments_fit(job, argc, argv))
		return JOB_USAGE;
	if (job->bare)
		return run_bare(job->run, argc, argv);
	return run_job(job->run, env_file, argc, argv);
}

/* Of the first three, one that is closed would be the number of the next file or connection that is
 * opened, and the log be written into it. What stands in its place can be used as little as it. */
static void hold_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv)
{
	const char *env_file = NULL;
	int at = 1;
	hold_standard_files();
	crash_init("takings-batch");
	if (argc > at + 1 && strcmp(argv[at], "--env-file") == 0) {
		env_file = argv[at + 1];
		at += 2;
	}
	const char *name = argc > at ? argv[at] : "help";
	for (int i = 0; i < JOBS; i++)
		if (strcmp(jobs[i].name, name) == 0)
			return (int)start_job(&jobs[i], env_file, argc - at - 1, argv + at + 1);
	if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
		(void)printf("takings-batch %s\n", TAKINGS_VERSION);
		return JOB_OK;
	}
	bool asked = is_help(name) || strcmp(name, "help") == 0;
	if (!asked)
		(void)fprintf(stderr, "takings-batch: there is no job '%s'\n", name);
	usage(asked ? stdout : stderr);
	return asked ? JOB_OK : JOB_FAILED;
}
