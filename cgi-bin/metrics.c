/* metrics.c: what Prometheus reads: the counters of this process, and a few facts of
 * analytics_db where it can be reached. */
#include "cgi-bin/metrics.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cidr.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/prom.h"
#include "cgi-bin/cache.h"
#include "cgi-bin/scan.h"
#include "cgi-bin/stats.h"
#include "git_sha.h"
#include "web/fcgi.h"

enum {
	WAIT_MS = 1000,
	TABLES_MS = 5 * 60 * 1000, /* how often the sizes of tables are asked for */
};

/* ---- who may ask ----------------------------------------------------------- */

enum err metrics_conf_check(const struct conf *conf, struct errbuf *eb)
{
	return cidr_list_check(conf_name(CONF_METRICS_ALLOW), conf_str(conf, CONF_METRICS_ALLOW), eb);
}

bool metrics_allowed(struct call *c, struct errbuf *eb)
{
	if (identity_is_local(c) ||
	    cidr_list_has(conf_str(c->conf, CONF_METRICS_ALLOW), c->req->remote_addr))
		return true;
	return identity_find(c, eb) == ERR_OK && c->who.kind != IDENTITY_NONE &&
	       (c->who.role >= ACCESS_VIEWER || (c->who.scopes & (SCOPE_READ | SCOPE_ADMIN)));
}

static void refuse(struct call *c, struct errbuf *eb)
{
	bool nobody = c->who.kind == IDENTITY_NONE;
	if (eb->code == ERR_INVALID) {
		stats_auth_failed();
	} else if (eb->code != ERR_OK) {
		call_refuse(c, 0, NULL, eb);
		return;
	}
	err_clear(eb);
	(void)err_set(eb, ERR_INVALID,
	              "metrics are for this machine, the addresses of METRICS_ALLOW and tokens");
	call_refuse(c, nobody ? 401 : 403, nobody ? "unauthorized" : "forbidden", eb);
	if (nobody)
		reply_header_set(c->reply, "WWW-Authenticate", "Bearer realm=\"takings\"");
}

/* ---- the process ----------------------------------------------------------- */

static int64_t resident_bytes(void)
{
	char line[128] = "", *end;
	FILE *f = fopen("/proc/self/statm", "re");
	if (!f)
		return 0;
	if (!fgets(line, sizeof line, f))
		line[0] = '\0';
	(void)fclose(f);
	(void)strtoll(line, &end, 10);
	return strtoll(end, NULL, 10) * sysconf(_SC_PAGESIZE);
}

static int64_t open_files(void)
{
	int64_t n = -3; /* ., .. and the directory itself */
	DIR *dir = opendir("/proc/self/fd");
	if (!dir)
		return 0;
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

static void put_cpu(struct buf *out)
{
	struct rusage used = {0};
	(void)getrusage(RUSAGE_SELF, &used);
	prom_family(out, "process_cpu_seconds_total", "counter", "User and system time.");
	buf_puts(out, "process_cpu_seconds_total ");
	prom_seconds(out, (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
	                      (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec));
	buf_putc(out, '\n');
}

static void put_process(struct buf *out, const struct web *w)
{
	struct rlimit files = {0, 0};
	(void)getrlimit(RLIMIT_NOFILE, &files);
	put_cpu(out);
	prom_gauge(out, "process_resident_memory_bytes", "Memory in use.", resident_bytes());
	prom_gauge(out, "process_open_fds", "Open files.", open_files());
	prom_gauge(out, "process_max_fds", "Most files that may be open.", (int64_t)files.rlim_cur);
	prom_gauge(out, "process_start_time_seconds", "Start, as Unix time.",
	           (clock_now_us() / 1000 - (clock_mono_ms() - w->start_ms)) / 1000);
	prom_family(out, "takings_build_info", "gauge", "1; the labels say what runs.");
	buf_puts(out, "takings_build_info{");
	prom_label(out, "version", TAKINGS_VERSION);
	buf_putc(out, ',');
	prom_label(out, "git_sha", TAKINGS_GIT_SHA);
	buf_puts(out, "} 1\n");
}

static void put_pool(struct buf *out, struct web *w)
{
	struct pool_stats s;
	pool_stats_get(w->pool, &s);
	prom_gauge(out, "takings_pool_size", "Most database connections.", s.size);
	prom_gauge(out, "takings_pool_open", "Open database connections.", s.open);
	prom_gauge(out, "takings_pool_used", "Database connections at work.", s.used);
	prom_gauge(out, "takings_pool_waiting", "Requests that wait for one.", s.waiting);
	prom_family(out, "takings_breaker_state", "gauge", "0 closed, 1 open, 2 half open.");
	buf_printf(out, "takings_breaker_state{breaker=\"analytics_db\"} %d\n", (int)s.breaker);
	prom_family(out, "takings_breaker_opened_total", "counter", "How often it opened.");
	buf_printf(out, "takings_breaker_opened_total{breaker=\"analytics_db\"} %lld\n",
	           (long long)s.breaker_opened_n);
}

static void put_cache(struct buf *out, struct web *w)
{
	struct cache_stats s;
	cache_stats_get(w->cache, &s);
	prom_counter(out, "takings_cache_hits_total", "Answers from the cache.", (uint64_t)s.hits);
	prom_counter(out, "takings_cache_misses_total", "Answers it did not have.", (uint64_t)s.misses);
	prom_counter(out, "takings_cache_evicted_total", "Answers thrown out for room.",
	             (uint64_t)s.evicted);
	prom_gauge(out, "takings_cache_entries", "Answers in the cache.", s.entries);
	prom_gauge(out, "takings_cache_bytes", "Memory of the cache.", s.bytes);
}

static void put_server(struct buf *out, struct web *w)
{
	struct fcgi_stats s;
	fcgi_stats_get(w->server, &s);
	prom_gauge(out, "takings_http_threads", "Threads that serve requests, alive.", s.threads);
	prom_gauge(out, "takings_http_threads_busy", "Those at work.", s.busy);
	prom_gauge(out, "takings_http_connections", "Connections of nginx.", s.connections);
	prom_counter(out, "takings_http_refused_total", "Requests that could not be read.",
	             (uint64_t)s.refused_n);
	prom_counter(out, "takings_http_broken_total", "Connections given up.", (uint64_t)s.broken_n);
	prom_counter(out, "takings_http_accept_errors_total", "Connections not accepted.",
	             (uint64_t)s.accept_errors_n);
}

/* ---- analytics_db ---------------------------------------------------------- */

struct fact {
	const char *column, *name, *labels, *type, *help;
};

/* Columns of stats_state; one that is NULL has no sample. Rows of a name stand together. */
static const struct fact facts[] = {
	{"data_version", "takings_data_version", "", "gauge",
     "Grows with every change of the figures."},
	{"newest_day", "takings_newest_day", "", "gauge",
     "The newest computed business day: Unix time of its date at 00:00 UTC."},
	{"days_lag_s", "analytics_pipeline_lag_seconds", "{source=\"batch\"}", "gauge",
     "Now less the end of the newest computed day (batch), the newest look at the orders "
     "(order_db), or when the oldest event came that has not taken effect."},
	{"order_lag_s", "analytics_pipeline_lag_seconds", "{source=\"order_db\"}", NULL, NULL},
	{"activity_lag_s", "analytics_pipeline_lag_seconds", "{source=\"activity\"}", NULL, NULL},
	{"inbox_lag_s", "analytics_pipeline_lag_seconds", "{source=\"bookings\"}", NULL, NULL},
	{"activity_age_s", "analytics_data_age_seconds", "{source=\"activity\"}", "gauge",
     "Now less the time of the newest tracked event, order or message about bookings."},
	{"orders_age_s", "analytics_data_age_seconds", "{source=\"orders\"}", NULL, NULL},
	{"bookings_age_s", "analytics_data_age_seconds", "{source=\"bookings\"}", NULL, NULL},
	{"stream_age_s", "analytics_poll_age_seconds", "{source=\"stream\"}", "gauge",
     "Now less the last time a source was looked at and could be."},
	{"order_lag_s", "analytics_poll_age_seconds", "{source=\"order_db\"}", NULL, NULL},
	{"received", "analytics_events_received_total", "", "counter",
     "Tracked events that came, by whatever way: the sum of the next four."},
	{"stored", "analytics_events_stored_total", "", "counter", "Those that were stored."},
	{"duplicate", "analytics_events_duplicate_total", "", "counter", "Those that were there."},
	{"quarantined", "analytics_events_quarantined_total", "", "counter", "Those kept apart."},
	{"refused", "analytics_events_refused_total", "", "counter", "Those that were refused."},
	{"run_ok", "takings_batch_run_status", "{status=\"ok\"}", "gauge",
     "1 for how the last run that left a record ended."},
	{"run_failed", "takings_batch_run_status", "{status=\"failed\"}", NULL, NULL},
	{"run_interrupted", "takings_batch_run_status", "{status=\"interrupted\"}", NULL, NULL},
	{"run_seconds", "takings_batch_run_duration_seconds", "", "gauge", "How long it took."},
	{"run_age_s", "takings_batch_run_age_seconds", "", "gauge", "How long ago it ended."},
};

static void put_facts(struct buf *out, const struct rowset *rs)
{
	for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
		const struct fact *f = &facts[i];
		const char *value = rowset_get(rs, 0, f->column);
		if (f->type)
			prom_family(out, f->name, f->type, f->help);
		if (value)
			buf_printf(out, "%s%s %s\n", f->name, f->labels, value);
	}
}

static void put_stages(struct buf *out, const struct rowset *rs)
{
	static const struct {
		const char *column, *name, *help;
	} families[] = {
		{"well", "analytics_pipeline_success_total", "What went well, by stage."},
		{"badly", "analytics_pipeline_failure_total", "What was refused or failed, by stage."},
	};
	for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
		prom_family(out, families[i].name, "counter", families[i].help);
		for (int row = 0; row < rowset_rows(rs); row++) {
			const char *n = rowset_get(rs, row, families[i].column);
			if (n)
				buf_printf(out, "%s{stage=\"%s\"} %s\n", families[i].name,
				           rowset_get(rs, row, "stage"), n);
		}
	}
}

struct stream_stat {
	const char *name, *type, *help;
};

/* Rows of stats_stream; those that are not there have no sample. */
static const struct stream_stat stream_stats[] = {
	{"stream_instances", "gauge", "Processes of takings-stream that live"},
#define STAT(id, name, kind, help) {name, #kind, help},
#include "domain/stream_stats.def"
#undef STAT
};

static void put_stream(struct buf *out, const struct rowset *rs)
{
	char name[80];
	for (size_t i = 0; i < sizeof stream_stats / sizeof *stream_stats; i++)
		for (int row = 0; row < rowset_rows(rs); row++) {
			const struct stream_stat *s = &stream_stats[i];
			if (strcmp(rowset_get(rs, row, "name"), s->name) != 0)
				continue;
			(void)snprintf(name, sizeof name, "analytics_%s", s->name);
			prom_family(out, name, s->type, s->help);
			buf_printf(out, "%s %s\n", name, rowset_get(rs, row, "n"));
		}
}

static struct {
	pthread_mutex_t lock;
	struct buf text;
	int64_t at_ms; /* monotonic; 0: never */
} tables = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool tables_are_due(void)
{
	(void)pthread_mutex_lock(&tables.lock);
	bool due = !tables.at_ms || clock_mono_ms() - tables.at_ms > TABLES_MS;
	(void)pthread_mutex_unlock(&tables.lock);
	return due;
}

static void put_storage(struct buf *out, const struct rowset *parts, const struct rowset *growth)
{
	const char *daily = rowset_get(growth, 0, "daily");
	const char *days = rowset_get(growth, 0, "days_to_full");
	prom_family(out, "analytics_storage_bytes", "gauge",
	            "Size of the tables with their indexes, by what they are about.");
	for (int i = 0; i < rowset_rows(parts); i++)
		buf_printf(out, "analytics_storage_bytes{part=\"%s\"} %s\n", rowset_get(parts, i, "part"),
		           rowset_get(parts, i, "bytes"));
	prom_family(out, "analytics_storage_growth_bytes_per_day", "gauge",
	            "How fast they grow, by the last 30 nights.");
	if (daily)
		buf_printf(out, "analytics_storage_growth_bytes_per_day %s\n", daily);
	prom_family(out, "analytics_storage_days_to_full", "gauge",
	            "When they reach STORAGE_LIMIT_GB like that; not there where it is not set.");
	if (days)
		buf_printf(out, "analytics_storage_days_to_full %s\n", days);
}

static void keep_tables(const struct rowset *rs, const struct rowset *parts,
                        const struct rowset *growth)
{
	(void)pthread_mutex_lock(&tables.lock);
	tables.at_ms = clock_mono_ms();
	buf_clear(&tables.text);
	prom_family(&tables.text, "takings_table_bytes", "gauge",
	            "Size of a table with its indexes, at most five minutes old.");
	for (int i = 0; i < rowset_rows(rs); i++) {
		buf_puts(&tables.text, "takings_table_bytes{");
		prom_label(&tables.text, "table", rowset_get(rs, i, "name"));
		buf_printf(&tables.text, "} %s\n", rowset_get(rs, i, "bytes"));
	}
	put_storage(&tables.text, parts, growth);
	(void)pthread_mutex_unlock(&tables.lock);
}

static void put_tables(struct buf *out)
{
	(void)pthread_mutex_lock(&tables.lock);
	if (tables.text.len)
		buf_put(out, tables.text.data, tables.text.len);
	(void)pthread_mutex_unlock(&tables.lock);
}

static enum err put_database(struct buf *out, struct call *c, struct errbuf *eb)
{
	enum { STATE, STREAM, STAGES, SIZES, PARTS, GROWTH, ASKED };
	struct rowset rs[ASKED] = {{0}};
	const struct db_ask asks[] = {
		{"stats_state", DB_NO_PARAMS, &rs[STATE]},
		{"stats_stream", DB_NO_PARAMS, &rs[STREAM]},
		{"stats_stages", DB_NO_PARAMS, &rs[STAGES]},
		{"stats_tables", DB_NO_PARAMS, &rs[SIZES]},
		{"stats_storage", DB_NO_PARAMS, &rs[PARTS]},
		{"stats_growth", DB_PARAMS({"limit_gb", conf_str(c->conf, CONF_STORAGE_LIMIT_GB)}),
	     &rs[GROWTH]},
	};
	const struct db_limits limits = call_limits(c);
	bool due = tables_are_due();
	int64_t waited_us;
	enum err rc =
		pool_ask(c->web->pool, asks, due ? ASKED : SIZES, WAIT_MS, &limits, &waited_us, eb);
	if (rc == ERR_OK) {
		put_facts(out, &rs[STATE]);
		put_stream(out, &rs[STREAM]);
		put_stages(out, &rs[STAGES]);
		if (due)
			keep_tables(&rs[SIZES], &rs[PARTS], &rs[GROWTH]);
	}
	put_tables(out);
	for (int i = 0; i < ASKED; i++)
		rowset_fini(&rs[i]);
	return rc;
}

/* ---- the answer ------------------------------------------------------------ */

void metrics_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct buf *out = &c->reply->body;
	if (!metrics_allowed(c, &eb)) {
		refuse(c, &eb);
		return;
	}
	reply_begin(c->reply, 200, "text/plain; version=0.0.4; charset=utf-8");
	stats_print(out);
	put_pool(out, c->web);
	scan_print(out);
	put_cache(out, c->web);
	put_server(out, c->web);
	put_process(out, c->web);
	enum err rc = put_database(out, c, &eb);
	if (rc != ERR_OK)
		log_err("metrics", &eb);
	prom_gauge(out, "takings_analytics_db_up", "Whether analytics_db answers.",
	           rc == ERR_OK || rc == ERR_BUSY);
}
