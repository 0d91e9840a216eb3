/* run_prune.c: what a night drops because nobody looks at it any more. */
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "batch/run.h"

/* Of what the stream keeps, in one transaction: nothing is written while it lasts. */
static enum err prune_stream(struct run *r, struct errbuf *eb)
{
	static const char *const statements[] = {"apply_alone", "prune_minutes_from", "prune_minutes",
	                                         "prune_dead_letters", "prune_stream_status"};
	enum err rc = db_command(r->db, "BEGIN", eb);
	for (size_t i = 0; rc == ERR_OK && i < sizeof statements / sizeof *statements; i++)
		rc = db_query(r->db, statements[i], DB_NO_PARAMS, NULL, eb);
	if (rc == ERR_OK)
		rc = db_command(r->db, "COMMIT", eb);
	if (rc != ERR_OK)
		db_rollback(r->db);
	return rc;
}

/* Piece by piece, each a transaction of its own, so that nobody waits for it. */
static enum err prune_pieces(struct run *r, const char *statement, const char *days,
                             struct errbuf *eb)
{
	static const char PIECE[] = "10000";
	enum err rc;
	int64_t n;
	do {
		struct rowset rs = {0};
		rc = db_query(r->db, statement, DB_PARAMS({"piece", PIECE}, {"days", days}), &rs, eb);
		n = rc == ERR_OK ? rowset_affected(&rs) : 0;
		rowset_fini(&rs);
	} while (rc == ERR_OK && n > 0);
	return rc;
}

/* ---- tracked events -------------------------------------------------------------- */

/* An event that may still come must find its day. */
static int64_t event_days(struct run *r)
{
	int64_t kept = conf_int(r->conf, CONF_EVENT_RETENTION_DAYS);
	int64_t age = conf_int(r->conf, CONF_MAX_EVENT_AGE_DAYS);
	if (kept == 0 || kept >= age)
		return kept;
	run_warn(r, "retention_raised",
	         "%s=%" PRId64 " is less than %s: tracked events are kept for %" PRId64 " days",
	         conf_name(CONF_EVENT_RETENTION_DAYS), kept, conf_name(CONF_MAX_EVENT_AGE_DAYS), age);
	return age;
}

static enum err drop_day(struct run *r, const char *day, bool *dropped, struct errbuf *eb)
{
	struct rowset rs = {0};
	enum err rc = db_command(r->db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = db_query(r->db, "prune_activity_day", DB_PARAMS({"day", day}), &rs, eb);
	*dropped = rc == ERR_OK && *rowset_get(&rs, 0, "dropped") == 't';
	rowset_fini(&rs);
	if (rc == ERR_OK)
		rc = db_command(r->db, "COMMIT", eb);
	if (rc != ERR_OK)
		db_rollback(r->db);
	return rc;
}

/* Whole days, each in its own transaction: whoever stores waits for a moment at most. */
static enum err drop_days(struct run *r, int64_t days, struct errbuf *eb)
{
	struct rowset rs = {0};
	int64_t dropped_n = 0;
	bool dropped = true;
	enum err rc = db_query(r->db, "prune_activity_days",
	                       DB_PARAMS({"days", arena_printf(&r->arena, "%" PRId64, days)}), &rs, eb);
	for (int i = 0; rc == ERR_OK && dropped && i < rowset_rows(&rs); i++) {
		rc = drop_day(r, rowset_get(&rs, i, "day"), &dropped, eb);
		dropped_n += rc == ERR_OK && dropped;
	}
	rowset_fini(&rs);
	if (rc == ERR_OK)
		rc = prune_pieces(r, "prune_activity_ids", NULL, eb);
	if (dropped_n)
		LOG(LOG_INFO, "activity_dropped", LOG_INT("days", dropped_n), LOG_INT("kept_days", days),
		    LOG_END);
	return rc;
}

static void prune_activity(struct run *r)
{
	static const char MONTH[] = "30";
	struct errbuf eb = {0};
	int64_t days = event_days(r);
	enum err rc = days ? drop_days(r, days, &eb) : ERR_OK;
	if (rc == ERR_OK)
		rc = prune_pieces(r, "prune_activity_quarantine", MONTH, &eb);
	if (rc == ERR_OK)
		rc = prune_pieces(r, "prune_activity_warning", MONTH, &eb);
	if (rc == ERR_OK)
		rc = db_query(r->db, "prune_storage_note", DB_NO_PARAMS, NULL, &eb);
	if (rc == ERR_OK)
		rc = db_query(r->db, "prune_storage", DB_NO_PARAMS, NULL, &eb);
	if (rc != ERR_OK)
		run_warn(r, "prune_failed", "dropping tracked events that are old: %s", eb.text);
}

void run_prune(struct run *r)
{
	struct errbuf eb = {0};
	const char *days =
		arena_printf(&r->arena, "%lld", (long long)conf_int(r->conf, CONF_EVENT_LOG_DAYS));
	enum err rc = prune_stream(r, &eb);
	if (rc == ERR_OK && conf_int(r->conf, CONF_EVENT_LOG_DAYS) > 0)
		rc = prune_pieces(r, "prune_event_log", days, &eb);
	if (rc == ERR_OK)
		rc = prune_pieces(r, "prune_probe_minutes", days, &eb);
	if (rc == ERR_OK)
		rc = db_query(r->db, "prune_redis_gaps", DB_NO_PARAMS, NULL, &eb);
	if (rc != ERR_OK)
		run_warn(r, "prune_failed", "dropping what is old: %s", eb.text);
	prune_activity(r);
}
