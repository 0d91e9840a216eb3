/* main.c: takings-web: settings, templates, connections, then the loop. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/crash.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/words.h"
#include "behaviour/engagement.h"
#include "cgi-bin/activity_setup.h"
#include "cgi-bin/cache.h"
#include "cgi-bin/gate.h"
#include "cgi-bin/group_commit.h"
#include "cgi-bin/metrics.h"
#include "cgi-bin/openapi.h"
#include "cgi-bin/pages.h"
#include "cgi-bin/sink_kafka.h"
#include "cgi-bin/stats.h"
#include "cgi-bin/watch.h"
#include "db/analytics.h"
#include "db/statement.h"
#include "web/fcgi.h"
#include "web/limits.h"
#include "web/origin.h"
#include "web/token.h"

/* ---- settings ------------------------------------------------------------- */

static enum err check_settings(const struct conf *conf, struct errbuf *eb)
{
	struct engagement_weights weights;
	enum err rc = analytics_conf_check(conf, eb);
	if (rc == ERR_OK)
		rc = metrics_conf_check(conf, eb);
	if (rc == ERR_OK)
		rc = token_secret_check(conf_name(CONF_JWT_SECRET), conf_str(conf, CONF_JWT_SECRET), eb);
	if (rc == ERR_OK && conf_is_set(conf, CONF_JWT_SECRET_PREVIOUS))
		rc = token_secret_check(conf_name(CONF_JWT_SECRET_PREVIOUS),
		                        conf_str(conf, CONF_JWT_SECRET_PREVIOUS), eb);
	if (rc == ERR_OK && words_find(conf_str(conf, CONF_CORS_ORIGINS), ',', "*", WORDS_EXACT) >= 0)
		rc = err_set_field(eb, ERR_CONFIG, conf_name(CONF_CORS_ORIGINS),
		                   "%s lists origins; * would let every page in the world ask",
		                   conf_name(CONF_CORS_ORIGINS));
	if (rc == ERR_OK)
		rc = origin_list_check(conf_name(CONF_CORS_ORIGINS), conf_str(conf, CONF_CORS_ORIGINS), eb);
	if (rc == ERR_OK)
		rc = origin_list_check(conf_name(CONF_PUBLIC_ORIGIN), conf_str(conf, CONF_PUBLIC_ORIGIN),
		                       eb);
	if (rc == ERR_OK)
		rc = engagement_weights_parse(conf_name(CONF_ENGAGEMENT_WEIGHTS),
		                              conf_str(conf, CONF_ENGAGEMENT_WEIGHTS), &weights, eb);
	return rc;
}

/* More connections than the server lends would fail one day, under load. */
static enum err check_budget(struct web *w, struct errbuf *eb)
{
	struct errbuf away = {0};
	struct rowset rs;
	/* and the watch's own, and those events are stored by */
	int64_t want = conf_int(w->conf, CONF_WORKER_THREADS) + 1 + GROUP_CONNECTIONS;
	int64_t limit, waited_us;
	enum err rc = pool_ask(w->pool, &(struct db_ask){"health_state", DB_NO_PARAMS, &rs}, 1, 0,
	                       &(struct db_limits){.watch_fd = -1}, &waited_us, &away);
	if (rc != ERR_OK)
		return ERR_OK; /* it will be there later; nothing to compare with now */
	limit = rowset_int(&rs, 0, "connections_limit");
	rowset_fini(&rs);
	return want <= limit
	           ? ERR_OK
	           : err_set_field(eb, ERR_CONFIG, conf_name(CONF_WORKER_THREADS),
	                           "%s=%lld is more than the %lld connections analytics_db allows",
	                           conf_name(CONF_WORKER_THREADS), (long long)want, (long long)limit);
}

static void set_log_level(const struct conf *conf)
{
	enum log_level level = LOG_INFO;
	must(log_level_parse(conf_str(conf, CONF_LOG_LEVEL), &level));
	log_init("takings-web", level);
}

/* Settings that are no longer in force may still be read by a request: they go at the end. */
enum { RELOADS = 1000 };
static struct conf *loaded[RELOADS];
static int loaded_n;

static void reload(void *arg)
{
	struct web *w = arg;
	struct errbuf eb = {0};
	struct conf *conf = NULL;
	enum err rc = loaded_n < RELOADS ? conf_reload(&conf, w->conf_in_force, NULL, &eb)
	                                 : err_set(&eb, ERR_BUSY, "reloaded too often: restart");
	if (rc == ERR_OK)
		rc = check_settings(conf, &eb);
	if (rc != ERR_OK) {
		log_err("reload_refused", &eb);
		conf_free(conf);
		return;
	}
	loaded[loaded_n++] = conf;
	w->conf_in_force = conf;
	watch_access_changed(w->watch); /* who somebody is may have hung on what is no longer so */
	set_log_level(conf);
	LOG(LOG_INFO, "reloaded", LOG_END);
}

/* ---- serving -------------------------------------------------------------- */

static enum err serve(struct web *w, struct errbuf *eb)
{
	/* The socket comes first: from then on signals wait for the loop. */
	enum err rc = fcgi_open(&w->server, conf_str(w->conf, CONF_WEB_SOCKET),
	                        (int)conf_int(w->conf, CONF_HTTP_THREADS), gate_handle, w, eb);
	if (rc != ERR_OK)
		return rc;
	fcgi_on_hup(w->server, reload, w);
	rc = pages_init(w, eb);
	if (rc == ERR_OK && strcmp(conf_str(w->conf, CONF_EVENTS_SINK), "kafka") == 0)
		rc = sink_kafka_open(&w->sink, w->conf, eb);
	if (rc == ERR_OK)
		rc = check_budget(w, eb);
	if (rc == ERR_OK) {
		w->group = group_commit_start(w->conf);
		w->watch = watch_start(w);
		rc = fcgi_run(w->server, eb);
	}
	if (rc == ERR_TIMEOUT) {
		log_err("stop_timed_out", eb);
		_exit(1);
	}
	watch_stop(w->watch);
	group_commit_stop(w->group);
	sink_kafka_close(w->sink);
	fcgi_close(w->server);
	pages_fini();
	return rc;
}

static void web_init(struct web *w, struct conf *conf)
{
	loaded[loaded_n++] = conf;
	*w = (struct web){.conf = conf, .conf_in_force = conf, .start_ms = clock_mono_ms()};
	w->pool = pool_new(conf);
	w->identities = identities_new();
	w->limits = limits_new();
	w->visitors = limits_new();
	w->setups = activity_setups_new();
	w->cache = cache_new((size_t)conf_int(conf, CONF_CACHE_MB) * 1024 * 1024);
}

static void web_fini(struct web *w)
{
	cache_free(w->cache);
	activity_setups_free(w->setups);
	limits_free(w->visitors);
	limits_free(w->limits);
	identities_free(w->identities);
	pool_free(w->pool);
	while (loaded_n)
		conf_free(loaded[--loaded_n]);
}

/* For tests and tools: each route with who may ask. */
static void print_routes(void)
{
	static const char *const roles[] = {"public", "viewer", "analyst", "admin"};
	for (int i = 0; i < route_count(); i++) {
		const struct route *r = route_get(i);
		(void)printf("%s\t%s\t%s\t%s%s%s\n", r->method, r->path, roles[r->access],
		             r->scopes & SCOPE_INGEST ? "ingest " : "",
		             r->scopes & SCOPE_READ ? "read " : "", r->scopes & SCOPE_ADMIN ? "admin" : "");
	}
}

static int answer_argument(const char *word)
{
	if (strcmp(word, "--routes") == 0) {
		print_routes();
		return 0;
	}
	if (strcmp(word, "--openapi") == 0) {
		openapi_init();
		(void)fputs(buf_str(openapi_text()), stdout);
		openapi_fini();
		return 0;
	}
	bool version = strcmp(word, "--version") == 0;
	(void)fprintf(version ? stdout : stderr,
	              version ? "takings-web %s\n"
	                      : "takings-web %s: settings come from the environment and .env"
	                        " (docs/CONFIG.md)\n",
	              TAKINGS_VERSION);
	return version ? 0 : 2;
}

int main(int argc, char **argv)
{
	struct errbuf eb = {0};
	struct conf *conf = NULL;
	struct web w;
	crash_init("takings-web");
	/* A heap for each of many threads would keep what each had at most. */
	(void)mallopt(M_ARENA_MAX, 4);
	if (argc > 1)
		return answer_argument(argv[1]);
	log_init("takings-web", LOG_INFO);
	if (failpoint_init(&eb) != ERR_OK || conf_load(&conf, CONF_WEB, NULL, &eb) != ERR_OK ||
	    check_settings(conf, &eb) != ERR_OK) {
		log_err("config_refused", &eb);
		conf_free(conf);
		return 1;
	}
	set_log_level(conf);
	if (!conf_bool(conf, CONF_DEV))
		crash_forbid_core();
	LOG(LOG_INFO, "start", LOG_STR("version", TAKINGS_VERSION), LOG_END);
	statement_load_all();
	stats_init();
	openapi_init();
	web_init(&w, conf);
	enum err rc = serve(&w, &eb);
	if (rc != ERR_OK)
		log_err("stopped", &eb);
	else
		LOG(LOG_INFO, "stopped", LOG_END);
	web_fini(&w);
	stats_fini();
	openapi_fini();
	return rc == ERR_OK ? 0 : 1;
}
