/* main.c: takings-web: settings, templates, connections, then the loop. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/crash.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "cgi-bin/gate.h"
#include "cgi-bin/pages.h"
#include "db/analytics.h"
#include "db/statement.h"
#include "web/fcgi.h"

/* More connections than the server lends would fail one day, under load. */
static enum err check_budget(struct web *w, struct errbuf *eb)
{
	struct errbuf away = {0};
	struct db *db;
	struct rowset rs;
	int64_t want = conf_int(w->conf, CONF_WORKER_THREADS), limit;
	if (pool_take(w->pool, 0, &db, &away) != ERR_OK)
		return ERR_OK; /* it will be there later; nothing to compare with now */
	enum err rc = db_query(db, "health_state", DB_NO_PARAMS, &rs, &away);
	limit = rc == ERR_OK ? rowset_int(&rs, 0, "connections_limit") : want;
	rowset_fini(&rs);
	pool_give(w->pool, db);
	return want <= limit
	           ? ERR_OK
	           : err_set_field(eb, ERR_CONFIG, conf_name(CONF_WORKER_THREADS),
	                           "%s=%lld is more than the %lld connections analytics_db allows",
	                           conf_name(CONF_WORKER_THREADS), (long long)want, (long long)limit);
}

static enum err serve(struct web *w, struct errbuf *eb)
{
	struct fcgi_server *server;
	/* The socket comes first: from then on signals wait for the loop. */
	enum err rc = fcgi_open(&server, conf_str(w->conf, CONF_WEB_SOCKET),
	                        (int)conf_int(w->conf, CONF_HTTP_THREADS), gate_handle, w, eb);
	if (rc != ERR_OK)
		return rc;
	rc = pages_init(w, eb);
	if (rc == ERR_OK)
		rc = check_budget(w, eb);
	if (rc == ERR_OK)
		rc = fcgi_run(server, eb);
	if (rc == ERR_TIMEOUT) {
		log_err("stop_timed_out", eb);
		_exit(1);
	}
	fcgi_close(server);
	pages_fini();
	return rc;
}

int main(int argc, char **argv)
{
	struct errbuf eb = {0};
	struct conf *conf = NULL;
	enum log_level level = LOG_INFO;
	crash_init("takings-web");
	if (argc > 1) {
		bool version = strcmp(argv[1], "--version") == 0;
		(void)fprintf(
			version ? stdout : stderr,
			version
				? "takings-web %s\n"
				: "takings-web %s: settings come from the environment and .env (docs/CONFIG.md)\n",
			TAKINGS_VERSION);
		return version ? 0 : 2;
	}
	log_init("takings-web", LOG_INFO);
	if (failpoint_init(&eb) != ERR_OK || conf_load(&conf, CONF_WEB, NULL, &eb) != ERR_OK) {
		log_err("config_refused", &eb);
		return 1;
	}
	must(log_level_parse(conf_str(conf, CONF_LOG_LEVEL), &level));
	log_init("takings-web", level);
	if (!conf_bool(conf, CONF_DEV))
		crash_forbid_core();
	LOG(LOG_INFO, "start", LOG_STR("version", TAKINGS_VERSION), LOG_END);
	statement_load_all();
	struct web w = {.conf = conf, .pool = pool_new(conf), .start_ms = clock_mono_ms()};
	enum err rc = analytics_conf_check(conf, &eb);
	if (rc == ERR_OK)
		rc = serve(&w, &eb);
	if (rc != ERR_OK)
		log_err("stopped", &eb);
	else
		LOG(LOG_INFO, "stopped", LOG_END);
	pool_free(w.pool);
	conf_free(conf);
	return rc == ERR_OK ? 0 : 1;
}
