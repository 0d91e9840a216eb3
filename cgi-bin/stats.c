/* stats.c: see stats.h. */
#include "cgi-bin/stats.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/histogram.h"
#include "base/log.h"
#include "base/prom.h"
#include "db/db.h"
#include "db/statement.h"

enum { SLOW_US = 1000000 };

/* As they are in enum method. */
static const char *const methods[] = {"other", "GET",   "HEAD",   "POST",
                                      "PUT",   "PATCH", "DELETE", "OPTIONS"};

static const int statuses[] = {200, 201, 202, 204, 206, 302, 303, 304, 400, 401,
                               403, 404, 405, 406, 409, 410, 411, 412, 413, 414,
                               415, 422, 428, 429, 500, 501, 503, 504};

enum {
	METHODS = sizeof methods / sizeof *methods,
	STATUSES = sizeof statuses / sizeof *statuses,
	EVENT_SECONDS = 60, /* what the rate is the mean of */
};

static const char *const event_types[] = {"page_view",        "product_view",   "add_to_cart",
                                          "remove_from_cart", "checkout_start", "purchase",
                                          "search",           "filter",         "other"};

enum { EVENT_TYPES = sizeof event_types / sizeof *event_types };

struct route_stats {
	_Atomic uint64_t answers[METHODS][STATUSES + 1]; /* the last: any other status */
	struct histogram durations;
};

/* One row more than routes: what found none. */
static struct route_stats *routes;
static struct histogram *statements; /* by statement index */
static struct histogram queries;
static struct window recent; /* queries */
static _Atomic uint64_t rate_limited, auth_failed, slow;
static _Atomic uint64_t ingest_accepted, ingest_duplicates, ingest_refused;
static _Atomic uint64_t events[EVENT_TYPES];
static struct {
	_Atomic int64_t second; /* monotonic */
	_Atomic uint64_t n;
} event_seconds[EVENT_SECONDS];

static void bump(_Atomic uint64_t *counter)
{
	(void)atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void on_statement(const struct statement *s, int64_t us)
{
	histogram_add(&statements[s->index], us);
	histogram_add(&queries, us);
	window_add(&recent, clock_mono_ms(), us);
}

void stats_init(void)
{
	db_observe(on_statement);
	routes = mem_alloc((size_t)(route_count() + 1) * sizeof *routes);
	statements = mem_alloc((size_t)statement_count() * sizeof *statements);
}

void stats_fini(void)
{
	free(routes);
	free(statements);
}

/* ---- a request ------------------------------------------------------------ */

void stats_call_begin(const struct call *c)
{
	crash_request(c->req->request_id);
}

static int status_index(int status)
{
	int i = 0;
	while (i < STATUSES && statuses[i] != status)
		i++;
	return i;
}

/* Milliseconds with one decimal. */
static void put_timing(struct buf *out, const char *name, int64_t us)
{
	buf_puts(out, out->len ? ", " : "");
	buf_puts(out, name);
	buf_puts(out, ";dur=");
	buf_putint(out, us / 1000);
	buf_putc(out, '.');
	buf_putint(out, us % 1000 / 100);
}

static void set_server_timing(struct call *c, int64_t total_us)
{
	struct buf b;
	buf_init(&b);
	put_timing(&b, "queue", c->queue_us);
	put_timing(&b, "db", c->db_us);
	put_timing(&b, "render", c->render_us);
	put_timing(&b, "total", total_us);
	if (c->cache_hit)
		buf_puts(&b, ", cache;desc=hit");
	reply_header_set(c->reply, "Server-Timing", buf_str(&b));
	buf_fini(&b);
}

/* The path only: a query or a body may hold what should not stand in a log. */
static void log_call(const struct call *c, int64_t total_us)
{
	LOG(total_us > SLOW_US ? LOG_WARNING : LOG_DEBUG,
	    total_us > SLOW_US ? "request_slow" : "request", LOG_STR("method", c->req->method_text),
	    LOG_STR("path", c->req->log_path), LOG_STR("route", c->route ? c->route->path : "none"),
	    LOG_INT("status", c->reply->status), LOG_INT("us", total_us),
	    LOG_INT("queue_us", c->queue_us), LOG_INT("db_us", c->db_us),
	    LOG_STR("request_id", c->req->request_id), LOG_END);
}

void stats_call_end(struct call *c)
{
	int64_t us = clock_mono_us() - c->start_us;
	struct route_stats *r = &routes[c->route ? route_index(c->route) : route_count()];
	bump(&r->answers[c->req->method][status_index(c->reply->status)]);
	histogram_add(&r->durations, us);
	if (us > SLOW_US)
		bump(&slow);
	if (c->reply->status == 429)
		bump(&rate_limited);
	set_server_timing(c, us);
	log_call(c, us);
	crash_request(NULL);
}

/* ---- call points ---------------------------------------------------------- */

void stats_auth_failed(void)
{
	bump(&auth_failed);
}

void stats_events(const char *type, int64_t n)
{
	int64_t second = clock_mono_ms() / 1000 + 1;
	int i = 0, at = (int)(second % EVENT_SECONDS);
	while (i < EVENT_TYPES - 1 && strcmp(event_types[i], type) != 0)
		i++;
	(void)atomic_fetch_add(&events[i], (uint64_t)n);
	int64_t was = event_seconds[at].second;
	if (was != second && atomic_compare_exchange_strong(&event_seconds[at].second, &was, second))
		event_seconds[at].n = 0;
	(void)atomic_fetch_add(&event_seconds[at].n, (uint64_t)n);
}

void stats_ingest(int64_t accepted, int64_t duplicates, int64_t refused)
{
	(void)atomic_fetch_add(&ingest_accepted, (uint64_t)accepted);
	(void)atomic_fetch_add(&ingest_duplicates, (uint64_t)duplicates);
	(void)atomic_fetch_add(&ingest_refused, (uint64_t)refused);
}

/* ---- reading -------------------------------------------------------------- */

static const char *route_name(int i)
{
	const struct route *r = route_get(i);
	return r ? r->path : "none";
}

static void print_route_answers(struct buf *out, int i)
{
	for (int m = 0; m < METHODS; m++)
		for (int s = 0; s <= STATUSES; s++) {
			uint64_t n = atomic_load_explicit(&routes[i].answers[m][s], memory_order_relaxed);
			if (!n)
				continue;
			buf_printf(out, "takings_http_requests_total{route=\"%s\",method=\"%s\",status=\"",
			           route_name(i), methods[m]);
			if (s < STATUSES)
				buf_putint(out, statuses[s]);
			else
				buf_puts(out, "other");
			buf_printf(out, "\"} %llu\n", (unsigned long long)n);
		}
}

/* One path may be several routes, one for each method: both labels make a series. */
static void print_requests(struct buf *out)
{
	char labels[512];
	prom_family(out, "takings_http_requests_total", "counter",
	            "Requests answered, by route, method and status.");
	for (int i = 0; i <= route_count(); i++)
		print_route_answers(out, i);
	prom_family(out, "takings_http_request_duration_seconds", "histogram",
	            "From the last byte of a request to its answer, by route.");
	for (int i = 0; i <= route_count(); i++) {
		const struct route *r = route_get(i);
		if (!histogram_count(&routes[i].durations))
			continue;
		(void)snprintf(labels, sizeof labels, "route=\"%s\",method=\"%s\"", route_name(i),
		               r ? r->method : "any");
		histogram_print(&routes[i].durations, "takings_http_request_duration_seconds", labels, out);
	}
}

static void print_statements(struct buf *out)
{
	char labels[160];
	prom_family(out, "takings_statement_duration_seconds", "histogram",
	            "Named statements asked of analytics_db.");
	for (int i = 0; i < statement_count(); i++) {
		if (!histogram_count(&statements[i]))
			continue;
		(void)snprintf(labels, sizeof labels, "statement=\"%s\"", statement_get(i)->name);
		histogram_print(&statements[i], "takings_statement_duration_seconds", labels, out);
	}
}

static void print_queries(struct buf *out)
{
	static const double shares[] = {0.5, 0.95, 0.99};
	static const char *const names[] = {"0.5", "0.95", "0.99"};
	int64_t us[3];
	uint64_t n = histogram_count(&queries);
	window_quantiles(&recent, clock_mono_ms(), shares, 3, us);
	prom_family(out, "analytics_query_duration_seconds", "summary",
	            "Statements asked of analytics_db; quantiles of the last five minutes.");
	for (int i = 0; i < 3; i++) {
		buf_printf(out, "analytics_query_duration_seconds{quantile=\"%s\"} ", names[i]);
		if (us[i] < 0)
			buf_puts(out, "NaN");
		else
			prom_seconds(out, (uint64_t)us[i]);
		buf_putc(out, '\n');
	}
	buf_puts(out, "analytics_query_duration_seconds_sum ");
	prom_seconds(out, queries.sum_us);
	buf_printf(out, "\nanalytics_query_duration_seconds_count %llu\n", (unsigned long long)n);
	prom_counter(out, "analytics_queries_total", "Statements asked of analytics_db.", n);
}

static void print_events(struct buf *out)
{
	int64_t now = clock_mono_ms() / 1000 + 1;
	uint64_t n = 0;
	prom_family(out, "analytics_events_total", "counter", "Events taken in, by type.");
	for (int i = 0; i < EVENT_TYPES; i++)
		buf_printf(out, "analytics_events_total{type=\"%s\"} %llu\n", event_types[i],
		           (unsigned long long)events[i]);
	for (int i = 0; i < EVENT_SECONDS; i++)
		if (event_seconds[i].second > now - EVENT_SECONDS)
			n += event_seconds[i].n;
	prom_family(out, "analytics_events_processed_per_second", "gauge",
	            "Events taken in per second, mean of the last minute.");
	buf_printf(out, "analytics_events_processed_per_second %llu.%02llu\n",
	           (unsigned long long)(n / EVENT_SECONDS),
	           (unsigned long long)(n % EVENT_SECONDS * 100 / EVENT_SECONDS));
}

static void print_ingest(struct buf *out)
{
	prom_family(out, "takings_ingest_messages_total", "counter",
	            "Messages of POST /api/v1/ingest: stored, there before, or of refused requests.");
	buf_printf(out,
	           "takings_ingest_messages_total{result=\"accepted\"} %llu\n"
	           "takings_ingest_messages_total{result=\"duplicate\"} %llu\n"
	           "takings_ingest_messages_total{result=\"refused\"} %llu\n",
	           (unsigned long long)ingest_accepted, (unsigned long long)ingest_duplicates,
	           (unsigned long long)ingest_refused);
}

void stats_print(struct buf *out)
{
	print_requests(out);
	prom_counter(out, "takings_http_requests_slow_total", "Requests that took over a second.",
	             slow);
	print_queries(out);
	print_statements(out);
	print_events(out);
	print_ingest(out);
	prom_counter(out, "takings_rate_limited_total", "Requests refused for their number.",
	             rate_limited);
	prom_counter(out, "takings_auth_failures_total", "Wrong passwords, tokens and keys.",
	             auth_failed);
}
