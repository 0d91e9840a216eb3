/* info.c: /info: what runs here, for whoever asks: no secrets, no names of machines. */
#include <string.h>

#include "base/log.h"
#include "cgi-bin/call.h"
#include "cgi-bin/feature.h"
#include "db/analytics.h"
#include "git_sha.h"
#include "web/json.h"

/* It tells the rest without the database, so it does not wait long for one. */
enum { WAIT_MS = 1000 };

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#endif
#if !defined(SANITIZED)
#define SANITIZED false
#endif

#if defined(__SSP_STRONG__) && defined(__PIE__) && defined(_FORTIFY_SOURCE)
#define HARDENED true
#else
#define HARDENED false
#endif

static void put_build(struct json *j)
{
	json_key(j, "build");
	json_begin_object(j);
	json_pair_text(j, "compiler", COMPILER);
	json_pair_bool(j, "hardened", HARDENED);
	json_pair_bool(j, "sanitized", SANITIZED);
	json_end_object(j);
}

/* A part is written when a route belongs to it. */
static bool is_written(const struct feature *f)
{
	for (int i = 0; route_get(i); i++)
		if (f->setting && route_get(i)->feature == f->setting)
			return true;
	return false;
}

static void put_modules(struct json *j, const struct conf *conf)
{
	json_key(j, "modules");
	json_begin_object(j);
	for (int i = 0; feature_get(i); i++) {
		const struct feature *f = feature_get(i);
		struct errbuf off = {0};
		if (feature_check(f->setting, conf, &off) != ERR_OK)
			json_pair_text(j, f->name, "disabled");
		else if (f->elsewhere)
			json_pair_text(j, f->name, "available");
		else
			json_pair_text(j, f->name, is_written(f) ? "enabled" : "planned");
	}
	json_end_object(j);
}

/* What stands here for parts that others would bring in, and settings that are read as something
 * else than their names say. */
static const struct {
	const char *name, *here;
} capabilities[] =
	{
		{"FastAPI", "a FastCGI program in C behind nginx"},
		{"uvicorn", "nginx and the threads of takings-web"},
		{"kafka-python", "librdkafka in takings-stream"},
		{"cassandra-driver", "PostgreSQL through libpq"},
		{"redis", "as a source of messages hiredis in takings-stream; as a cache answers kept in "
                  "process, until"
                  " PostgreSQL tells that figures changed"},
},
  mapped[] = {
	  {"KAFKA_BOOTSTRAP_SERVERS", "read by takings-stream; no Kafka unless it is set"},
	  {"CASSANDRA_HOSTS", "mapped to PostgreSQL (ANALYTICS_DATABASE_URL); never connected to"},
	  {"REDIS_HOST",
       "read by takings-stream; no Redis unless it or REDIS_URL is set, and never one to answer"
       " from"},
};

static void put_instead(struct json *j)
{
	json_key(j, "capabilities");
	json_begin_object(j);
	for (size_t i = 0; i < sizeof capabilities / sizeof *capabilities; i++)
		json_pair_text(j, capabilities[i].name, capabilities[i].here);
	json_end_object(j);
	json_key(j, "mapped_settings");
	json_begin_object(j);
	for (size_t i = 0; i < sizeof mapped / sizeof *mapped; i++)
		json_pair_text(j, mapped[i].name, mapped[i].here);
	json_end_object(j);
}

static int64_t longest_list(void)
{
	int64_t most = 0;
	for (int i = 0; route_get(i); i++)
		for (int k = 0; k < ROUTE_PARAMS && route_get(i)->params[k].name; k++) {
			const struct param *p = &route_get(i)->params[k];
			if (strcmp(p->name, "limit") == 0 && !p->fixed && p->max > most)
				most = p->max;
		}
	return most;
}

static void put_limits(struct json *j, const struct conf *conf)
{
	json_key(j, "limits");
	json_begin_object(j);
	json_pair_int(j, "body_bytes", REQUEST_BODY_BYTES);
	json_pair_int(j, "query_bytes", REQUEST_QUERY_BYTES);
	json_pair_int(j, "page_size_max", longest_list());
	json_pair_int(j, "query_timeout_s", conf_int(conf, CONF_QUERY_TIMEOUT));
	json_pair_int(j, "concurrent_queries", conf_int(conf, CONF_MAX_CONCURRENT_QUERIES));
	json_pair_int(j, "key_requests_per_hour", conf_int(conf, CONF_RATE_LIMIT_KEYS));
	json_pair_int(j, "user_requests_per_hour", conf_int(conf, CONF_RATE_LIMIT_USERS));
	json_pair_int(j, "requests_at_once", conf_int(conf, CONF_RATE_LIMIT_BURST));
	json_pair_int(j, "logins_per_minute", conf_int(conf, CONF_RATE_LIMIT_LOGIN));
	json_end_object(j);
}

/* Null where the database does not answer, or knows no site yet. */
static void put_site(struct json *j, struct web *w)
{
	struct errbuf eb = {0};
	struct rowset rs = {0};
	int64_t waited_us;
	enum err rc = pool_ask(w->pool, &(struct db_ask){"info_site", DB_NO_PARAMS, &rs}, 1, WAIT_MS,
	                       &(struct db_limits){.watch_fd = -1}, &waited_us, &eb);
	if (rc != ERR_OK)
		log_err("info", &eb);
	bool known = rc == ERR_OK && rowset_rows(&rs) > 0;
	json_pair_text(j, "timezone", known ? rowset_get(&rs, 0, "timezone") : NULL);
	json_pair_text(j, "currency", known ? rowset_get(&rs, 0, "currency") : NULL);
	rowset_fini(&rs);
}

static void put_auth(struct json *j, const struct conf *conf)
{
	json_key(j, "auth");
	json_begin_array(j);
	if (*conf_str(conf, CONF_JWT_SECRET))
		json_put_text(j, "bearer_token");
	json_put_text(j, "api_key");
	json_put_text(j, "session");
	if (strcmp(conf_str(conf, CONF_AUTH_MODE), "open") == 0)
		json_put_text(j, "open");
	json_end_array(j);
}

void info_handle(struct call *c)
{
	struct json j;
	reply_begin(c->reply, 200, "application/json");
	json_init(&j, &c->reply->body);
	json_begin_object(&j);
	json_pair_text(&j, "name", "Takings");
	json_pair_text(&j, "version", TAKINGS_VERSION);
	json_pair_text(&j, "git_sha", TAKINGS_GIT_SHA);
	put_build(&j);
	json_pair_int(&j, "schema_version", analytics_schema_known());
	put_modules(&j, c->conf);
	put_instead(&j);
	put_limits(&j, c->conf);
	put_site(&j, c->web);
	put_auth(&j, c->conf);
	json_pair_text(&j, "openapi_url", "/openapi.json");
	json_pair_text(&j, "docs_url", "/docs");
	json_pair_text(&j, "redoc_url", "/redoc");
	json_end_object(&j);
	json_end(&j);
	buf_putc(&c->reply->body, '\n');
}
