/* health.c: /health and its two short forms. */
#include "cgi-bin/health.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cgi-bin/cache.h"
#include "cgi-bin/watch.h"
#include "web/fcgi.h"
#include "web/json.h"

/* The batch looks every ten minutes whether a day is due; silent for longer
 * than a day and some hours means that nobody asks it to. */
enum { BATCH_LATE_S = 26 * 3600 };

/* The stream says every two seconds that it lives. */
enum { STREAM_LATE_S = 15 };

/* Who asks for health wants to know soon, above all where connections are scarce. */
enum { WAIT_MS = 1000 };

const char *health_state_name(enum health_state state)
{
	static const char *const names[] = {"ok", "disabled", "degraded", "down"};
	return names[state];
}

struct check {
	enum health_state state;
	const char *detail; /* NULL: nothing to say */
};

static enum err read_state(struct web *w, struct rowset *rs, struct errbuf *eb)
{
	int64_t waited_us;
	return pool_ask(w->pool, &(struct db_ask){"health_state", DB_NO_PARAMS, rs}, 1, WAIT_MS,
	                &(struct db_limits){.watch_fd = -1}, &waited_us, eb);
}

static struct check check_analytics(enum err rc)
{
	switch (rc) {
	case ERR_OK:
		return (struct check){HEALTH_OK, NULL};
	case ERR_BUSY:
		return (struct check){HEALTH_DEGRADED, "every connection is at work"};
	case ERR_CONFIG:
		return (struct check){HEALTH_DOWN, "its schema does not fit: run takings-batch migrate"};
	default:
		return (struct check){HEALTH_DOWN, "cannot be reached"};
	}
}

/* What is accepted is stored before it is answered for. */
static struct check check_ingest(enum err rc)
{
	switch (rc) {
	case ERR_OK:
		return (struct check){HEALTH_OK, NULL};
	case ERR_BUSY:
		return (struct check){HEALTH_DEGRADED, "waits for a connection to analytics_db"};
	default:
		return (struct check){HEALTH_DOWN, "refuses messages while analytics_db does not answer"};
	}
}

static struct check check_batch(const struct rowset *rs)
{
	const char *status = rowset_get(rs, 0, "batch_status");
	if (!status)
		return (struct check){HEALTH_DEGRADED, "has never run: takings-batch run"};
	if (strcmp(status, "ok") != 0)
		return (struct check){HEALTH_DEGRADED,
		                      "the last run failed; takings-batch doctor says more"};
	if (rowset_int(rs, 0, "batch_age_s") > BATCH_LATE_S)
		return (struct check){HEALTH_DEGRADED, "has not run for over a day"};
	return (struct check){HEALTH_OK, NULL};
}

/* The web program has no credentials of order_db; the batch tells. */
static struct check check_order_db(const struct rowset *rs)
{
	const char *status = rowset_get(rs, 0, "order_status");
	const char *run = rowset_get(rs, 0, "order_run_status");
	if (!status)
		return (struct check){HEALTH_DEGRADED, "not asked yet"};
	if (strcmp(status, "ok") != 0)
		return (struct check){HEALTH_DEGRADED,
		                      "could not be read by the last run; figures stay as they were"};
	if (run && strcmp(run, "ok") != 0 && strcmp(run, "nothing") != 0)
		return (struct check){HEALTH_DEGRADED,
		                      "the last run that read it did not end well; takings-batch doctor"
		                      " says more"};
	if (rowset_int(rs, 0, "order_age_s") > BATCH_LATE_S)
		return (struct check){HEALTH_DEGRADED, "has not been read for over a day"};
	return (struct check){HEALTH_OK, NULL};
}

/* It need not run: where it never did, it is not switched on. What it says itself may name
 * machines, so it stays with those who log in on the server. */
static struct check check_stream(const struct rowset *rs)
{
	const char *status = rowset_get(rs, 0, "stream_status");
	if (!status)
		return (struct check){HEALTH_DISABLED, NULL};
	if (rowset_int(rs, 0, "stream_age_s") > STREAM_LATE_S)
		return (struct check){HEALTH_DEGRADED, "has not been heard of for over 15 s"};
	if (strcmp(status, "ok") != 0)
		return (struct check){HEALTH_DEGRADED,
		                      "says that something is wrong; its log and takings-batch doctor say"
		                      " more"};
	return (struct check){HEALTH_OK, NULL};
}

/* The stream tells; what it says of Redis names no machine. Where the stream lives and says nothing
 * of it, none is set. */
static struct check check_redis(const struct rowset *rs)
{
	const char *status = rowset_get(rs, 0, "redis_status");
	bool late = rowset_int(rs, 0, "redis_age_s") > STREAM_LATE_S;
	bool stream_late = rowset_int(rs, 0, "stream_age_s") > STREAM_LATE_S;
	if (!status || (late && !stream_late))
		return (struct check){HEALTH_DISABLED, NULL};
	if (late)
		return (struct check){HEALTH_DEGRADED, "the stream, which reads it, has not been heard of"};
	if (strcmp(status, "ok") != 0)
		return (struct check){HEALTH_DEGRADED, rowset_get(rs, 0, "redis_detail")};
	return (struct check){HEALTH_OK, NULL};
}

enum err health_look(struct web *w, struct health *out, struct rowset *rs, struct errbuf *eb)
{
	static const struct check unknown = {HEALTH_DEGRADED,
	                                     "unknown while analytics_db does not answer"};
	enum err rc = read_state(w, rs, eb);
	bool up = rc == ERR_OK;
	const struct {
		const char *name;
		struct check check;
	} all[HEALTH_CHECKS] = {{"analytics_db", check_analytics(rc)},
	                        {"order_db", up ? check_order_db(rs) : unknown},
	                        {"redis", up ? check_redis(rs) : unknown},
	                        {"ingest", check_ingest(rc)},
	                        {"stream", up ? check_stream(rs) : unknown},
	                        {"batch", up ? check_batch(rs) : unknown}};
	out->worst = HEALTH_OK;
	for (int i = 0; i < HEALTH_CHECKS; i++) {
		enum health_state state = all[i].check.state;
		out->checks[i] = (struct health_check){all[i].name, state, all[i].check.detail};
		if (state > out->worst && state != HEALTH_DISABLED)
			out->worst = state;
	}
	return rc;
}

static void put_checks(struct json *j, const struct health *h)
{
	json_key(j, "checks");
	json_begin_object(j);
	for (int i = 0; i < HEALTH_CHECKS; i++) {
		json_key(j, h->checks[i].name);
		json_begin_object(j);
		json_pair_text(j, "status", health_state_name(h->checks[i].state));
		if (h->checks[i].detail)
			json_pair_text(j, "detail", h->checks[i].detail);
		json_end_object(j);
	}
	json_end_object(j);
}

static void put_connections(struct json *j, struct web *w, const struct rowset *rs)
{
	struct pool_stats s;
	pool_stats_get(w->pool, &s);
	json_key(j, "connections");
	json_begin_object(j);
	json_pair_int(j, "web", s.size);
	json_pair_int(j, "open", s.open);
	if (rs)
		json_pair_int(j, "server_limit", rowset_int(rs, 0, "connections_limit"));
	json_pair_text(j, "breaker", breaker_name(s.breaker));
	json_end_object(j);
}

/* `listening`: hears of changes, and so may keep answers. */
static void put_cache(struct json *j, struct web *w)
{
	struct cache_stats s;
	cache_stats_get(w->cache, &s);
	json_key(j, "cache");
	json_begin_object(j);
	json_key(j, "listening");
	json_put_bool(j, watch_state_get(w->watch).listening);
	json_pair_int(j, "entries", s.entries);
	json_pair_int(j, "bytes", s.bytes);
	json_end_object(j);
}

/* Of all web programs over this database: the newest sign of life. */
static void put_database(struct json *j, const struct rowset *rs)
{
	json_pair_int(j, "schema_version", rowset_int(rs, 0, "schema_version"));
	json_key(j, "web_heartbeat_age_s");
	if (rowset_get(rs, 0, "web_age_s"))
		json_put_int(j, rowset_int(rs, 0, "web_age_s"));
	else
		json_put_null(j);
}

void health_handle(struct call *c)
{
	struct web *w = c->web;
	struct reply *reply = c->reply;
	struct errbuf eb = {0};
	struct rowset rs = {0};
	struct health h;
	struct json j;
	bool up = health_look(w, &h, &rs, &eb) == ERR_OK;
	if (!up)
		log_err("health", &eb);
	reply_begin(reply, h.worst == HEALTH_DOWN ? 503 : 200, "application/json");
	if (h.worst == HEALTH_DOWN)
		reply_header_set(reply, "Retry-After", "1");
	json_init(&j, &reply->body);
	json_begin_object(&j);
	json_pair_text(&j, "status", health_state_name(h.worst));
	put_checks(&j, &h);
	json_pair_text(&j, "version", TAKINGS_VERSION);
	json_pair_int(&j, "uptime_s", (clock_mono_ms() - w->start_ms) / 1000);
	put_connections(&j, w, up ? &rs : NULL);
	put_cache(&j, w);
	if (up)
		put_database(&j, &rs);
	json_end_object(&j);
	json_end(&j);
	buf_putc(&reply->body, '\n');
	rowset_fini(&rs);
}

void health_live_handle(struct call *c)
{
	reply_begin(c->reply, 200, "application/json");
	buf_puts(&c->reply->body, "{\"status\":\"ok\"}\n");
}

void health_ready_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct rowset rs = {0};
	if (read_state(c->web, &rs, &eb) == ERR_OK) {
		health_live_handle(c);
	} else {
		reply_problem(c->reply, c->req, 503, NULL, &eb);
	}
	rowset_fini(&rs);
}
