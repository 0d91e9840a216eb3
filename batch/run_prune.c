/* run_prune.c: what a night drops because nobody looks at it any more. */
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
}
