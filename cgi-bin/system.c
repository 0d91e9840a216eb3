/* system.c: how the program and what it stands on are, in words. */
#include <string.h>

#include "base/clock.h"
#include "cgi-bin/admin.h"
#include "cgi-bin/cache.h"
#include "cgi-bin/health.h"
#include "cgi-bin/watch.h"
#include "web/fcgi.h"

/* What to do where a check is not well. */
static const char *remedy(const char *name)
{
	if (strcmp(name, "analytics_db") == 0)
		return "takings-batch doctor";
	if (strcmp(name, "batch") == 0 || strcmp(name, "order_db") == 0 || strcmp(name, "stream") == 0)
		return "takings-batch doctor";
	return NULL;
}

static const char *label(const char *name)
{
	static const struct {
		const char *name, *label;
	} labels[] = {{"analytics_db", "Figures (analytics_db)"},
	              {"order_db", "Orders (order_db)"},
	              {"batch", "Nightly run"},
	              {"redis", "Redis"},
	              {"ingest", "Messages"},
	              {"stream", "Stream"}};
	for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
		if (strcmp(labels[i].name, name) == 0)
			return labels[i].label;
	return name;
}

static struct tv *check_of(struct arena *m, const struct health_check *check)
{
	struct tv *one = tv_object(m);
	bool bad = check->state == HEALTH_DEGRADED || check->state == HEALTH_DOWN;
	tv_set_text(m, one, "id", check->name);
	tv_set_text(m, one, "label", label(check->name));
	tv_set_bool(m, one, "is_ok", check->state == HEALTH_OK);
	tv_set_bool(m, one, "is_off", check->state == HEALTH_DISABLED);
	tv_set_bool(m, one, "is_bad", bad);
	tv_set_text(m, one, "detail", check->detail ? arena_strdup(m, check->detail) : NULL);
	tv_set_text(m, one, "remedy", bad ? remedy(check->name) : NULL);
	tv_set_bool(m, one, "is_batch", strcmp(check->name, "batch") == 0);
	tv_set_bool(m, one, "is_order_db", strcmp(check->name, "order_db") == 0);
	return one;
}

static void put_checks(struct call *c, struct tv *more)
{
	struct arena *m = c->req->arena;
	struct errbuf ignored = {0};
	struct rowset rs = {0};
	struct health h;
	struct tv *list = tv_list(m);
	enum err rc = health_look(c->web, &h, &rs, &ignored);
	(void)rc; /* the checks say so */
	for (int i = 0; i < HEALTH_CHECKS; i++)
		tv_push(m, list, check_of(m, &h.checks[i]));
	tv_set(m, more, "checks", list);
	tv_set_bool(m, more, "all_well", h.worst == HEALTH_OK);
	rowset_fini(&rs);
}

/* "3 days 4 h", "4 h 12 min", "12 min". */
static const char *duration(struct arena *m, int64_t s)
{
	long long days = s / 86400, hours = s / 3600 % 24, minutes = s / 60 % 60;
	if (days)
		return arena_printf(m, "%lld day%s %lld h", days, days == 1 ? "" : "s", hours);
	if (hours)
		return arena_printf(m, "%lld h %lld min", hours, minutes);
	return minutes ? arena_printf(m, "%lld min", minutes) : "less than a minute";
}

static const char *breaker_words(struct arena *m, const struct pool_stats *s)
{
	const char *now = s->breaker == BREAKER_CLOSED ? "closed: analytics_db is asked"
	                  : s->breaker == BREAKER_OPEN ? "open: analytics_db is left alone for a moment"
	                                               : "half open: one request tries";
	if (s->breaker_opened_n == 0)
		return now;
	return arena_printf(m, "%s; opened %lld time%s since the start", now,
	                    (long long)s->breaker_opened_n, s->breaker_opened_n == 1 ? "" : "s");
}

static void put_program(struct call *c, struct tv *more)
{
	struct arena *m = c->req->arena;
	struct tv *p = tv_object(m);
	struct pool_stats pool;
	struct cache_stats cache;
	struct fcgi_stats http;
	pool_stats_get(c->web->pool, &pool);
	cache_stats_get(c->web->cache, &cache);
	fcgi_stats_get(c->web->server, &http);
	long long asked = (long long)(cache.hits + cache.misses);
	tv_set_text(m, p, "uptime", duration(m, (clock_mono_ms() - c->web->start_ms) / 1000));
	tv_set_text(m, p, "pool",
	            arena_printf(m, "%d of %d open, %d at work, %d waiting", pool.open, pool.size,
	                         pool.used, pool.waiting));
	tv_set_text(m, p, "breaker", breaker_words(m, &pool));
	tv_set_text(m, p, "cache",
	            asked ? arena_printf(m, "%lld %% of %lld answers; %lld kept, %lld kB",
	                                 (long long)cache.hits * 100 / asked, asked,
	                                 (long long)cache.entries, (long long)cache.bytes / 1024)
	                  : "nothing asked yet");
	tv_set_text(m, p, "threads",
	            arena_printf(m, "%d of %d at work, %d connections", http.busy, http.threads,
	                         http.connections));
	tv_set_bool(m, p, "listening", watch_state_get(c->web->watch).listening);
	tv_set(m, more, "program", p);
}

void system_page_handle(struct call *c)
{
	struct tv *more = admin_page(c);
	put_checks(c, more);
	put_program(c, more);
}
