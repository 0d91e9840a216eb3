/* status.c: every few seconds, how this process is: its heartbeat for /health, its row of
 * stream_status for measures, and the rows of processes that are gone. */
#include <stdio.h>

#include "base/buf.h"
#include "base/log.h"
#include "db/analytics.h"
#include "stream/parts.h"

enum { BEAT_MS = 2000 };

static void put_stats(struct buf *out)
{
	static const char *const names[] = {
#define STAT(id, name, ...) name,
#include "domain/stream_stats.def"
#undef STAT
	};
	buf_clear(out);
	for (int i = 0; i < STAT_COUNT; i++)
		buf_printf(out, "%s\"%s\":%lld", i ? "," : "{", names[i],
		           (long long)stat_get((enum stat_id)i));
	buf_puts(out, "}");
}

static const char *const words[] = {"ok", "degraded", "down"};

/* Redis by itself: /health shows it as a part of its own. */
static enum err beat_redis(struct part *p, struct db *db, struct errbuf *eb)
{
	char detail[1100];
	enum health health;
	if (!stream_health_of(part_stream(p), "redis_", &health, detail, sizeof detail))
		return ERR_OK;
	return db_query(
		db, "heartbeat_put",
		DB_PARAMS({"component", "redis"}, {"status", words[health]}, {"detail", detail}), NULL, eb);
}

static enum err beat(struct part *p, struct db *db, struct errbuf *eb)
{
	char detail[1100];
	struct buf stats;
	buf_init(&stats);
	put_stats(&stats);
	const char *status = words[stream_health(part_stream(p), detail, sizeof detail)];
	enum err rc = db_query(db, "stream_status_put",
	                       DB_PARAMS({"instance", stream_instance()}, {"status", status},
	                                 {"detail", detail}, {"stats", buf_str(&stats)}),
	                       NULL, eb);
	if (rc == ERR_OK)
		rc = db_query(db, "heartbeat_put",
		              DB_PARAMS({"component", "stream"}, {"status", status}, {"detail", detail}),
		              NULL, eb);
	if (rc == ERR_OK)
		rc = beat_redis(p, db, eb);
	buf_fini(&stats);
	return rc;
}

static void run(struct part *p)
{
	struct db *db = NULL;
	if (!*conf_str(part_conf(p), CONF_PROBE_URL))
		stat_set(STAT_PROBE_UP, -1);
	do {
		struct errbuf eb = {0};
		enum err rc = ERR_OK;
		if (!db)
			rc = analytics_open(&db, part_conf(p), ANALYTICS_WATCH, "takings-stream status", &eb);
		if (rc == ERR_OK)
			rc = beat(p, db, &eb);
		if (rc != ERR_OK) {
			part_say_error(p, HEALTH_DEGRADED, &eb);
			db_close(db);
			db = NULL;
		} else {
			part_say(p, HEALTH_OK, "");
		}
	} while (!part_sleep(p, BEAT_MS));
	if (db) {
		struct errbuf eb = {0};
		if (db_query(db, "stream_status_end", DB_PARAMS({"instance", stream_instance()}), NULL,
		             &eb) != ERR_OK)
			log_err("status_not_ended", &eb);
	}
	db_close(db);
}

const struct part_kind part_status = {"status", PART_LAST, NULL, run};
