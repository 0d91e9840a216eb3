/* main.c: takings-stream: settings, the parts, and the signals that end it. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/crash.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "db/analytics.h"
#include "db/statement.h"
#include "stream/parts.h"

static const struct part_kind *const parts[] = {
	&part_flush, &part_status, &part_replay,        &part_postgresql,   &part_kafka, &part_bookings,
	&part_hub,   &part_ws,     &part_redis_streams, &part_redis_pubsub, &part_probe, &part_activity,
};

/* Blocked in every thread and waited for here, so that no call is cut short by them. */
static void block_signals(sigset_t *stop)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	(void)sigemptyset(stop);
	(void)sigaddset(stop, SIGTERM);
	(void)sigaddset(stop, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, stop, NULL);
	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)sigaction(SIGHUP, &ignore, NULL);
}

static void set_log_level(const struct conf *conf)
{
	enum log_level level = LOG_INFO;
	must(log_level_parse(conf_str(conf, CONF_LOG_LEVEL), &level));
	log_init("takings-stream", level);
}

static int answer_argument(const char *word)
{
	bool version = strcmp(word, "--version") == 0;
	(void)fprintf(version ? stdout : stderr,
	              version ? "takings-stream %s\n"
	                      : "takings-stream %s: settings come from the environment and .env"
	                        " (docs/CONFIG.md)\n",
	              TAKINGS_VERSION);
	return version ? 0 : 2;
}

int main(int argc, char **argv)
{
	struct errbuf eb = {0};
	struct conf *conf = NULL;
	sigset_t stop;
	int sig = 0;
	crash_init("takings-stream");
	/* Batches go from one thread to another: a heap for each of them would keep what all had at
	 * most. */
	(void)mallopt(M_ARENA_MAX, 2);
	if (argc > 1)
		return answer_argument(argv[1]);
	log_init("takings-stream", LOG_INFO);
	if (failpoint_init(&eb) != ERR_OK || conf_load(&conf, CONF_STREAM, NULL, &eb) != ERR_OK ||
	    analytics_conf_check(conf, &eb) != ERR_OK) {
		log_err("config_refused", &eb);
		conf_free(conf);
		return 1;
	}
	set_log_level(conf);
	if (!conf_bool(conf, CONF_DEV))
		crash_forbid_core();
	statement_load_all();
	block_signals(&stop);
	LOG(LOG_INFO, "start", LOG_STR("version", TAKINGS_VERSION),
	    LOG_STR("instance", stream_instance()), LOG_END);
	struct stream *s = stream_start(conf, parts, (int)(sizeof parts / sizeof *parts));
	(void)sigwait(&stop, &sig);
	LOG(LOG_INFO, "stopping", LOG_INT("signal", sig), LOG_END);
	if (!stream_stop(s))
		_exit(1);
	LOG(LOG_INFO, "stopped", LOG_END);
	conf_free(conf);
	return 0;
}
