/* night.c: forecasts and unusual days after the figures. */
#include "batch/night.h"

#include <inttypes.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "batch/progress.h"

enum { SCOPES_AT_ONCE = 32 };

static bool is_true(const struct rowset *rs, const char *name)
{
	return strcmp(rowset_get(rs, 0, name), "t") == 0;
}

/* ERR_NOTHING where there is no day with sales. */
static enum err look(struct night *n, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(n->db, "night_state", DB_NO_PARAMS, &rs, eb);
	if (rc == ERR_OK && rowset_rows(&rs) == 0)
		rc = ERR_NOTHING;
	if (rc == ERR_OK) {
		n->newest = arena_strdup(n->arena, rowset_get(&rs, 0, "newest"));
		n->newest_day = (int32_t)rowset_int(&rs, 0, "newest_day");
		n->forecasts &= is_true(&rs, "forecasts_due");
		n->anomalies &= is_true(&rs, "anomalies_due");
		n->tried_lately = is_true(&rs, "recently");
	}
	rowset_fini(&rs);
	return rc;
}

enum err night_transact(struct night *n, const char *const *statements, size_t count,
                        const struct db_param *params, struct errbuf *eb)
{
	enum err rc = db_command(n->db, "BEGIN", eb);
	for (size_t i = 0; rc == ERR_OK && i < count; i++)
		rc = db_query(n->db, statements[i], params, NULL, eb);
	failpoint_pass(FP_night_written);
	if (rc == ERR_OK)
		rc = db_command(n->db, "COMMIT", eb);
	if (rc != ERR_OK)
		db_rollback(n->db);
	return rc;
}

/* What came of earlier forecasts. */
static enum err fill(struct night *n, struct errbuf *eb)
{
	struct rowset rs = {0};
	const struct db_param *params = DB_PARAMS({"run_id", n->run->run_id});
	enum err rc = db_command(n->db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = db_query(n->db, "night_fill", DB_NO_PARAMS, &rs, eb);
	if (rc == ERR_OK && rowset_affected(&rs))
		rc = db_query(n->db, "night_says", DB_NO_PARAMS, NULL, eb);
	if (rc == ERR_OK)
		rc = db_query(n->db, "night_filled", params, NULL, eb);
	if (rc == ERR_OK)
		rc = db_command(n->db, "COMMIT", eb);
	if (rc != ERR_OK)
		db_rollback(n->db);
	rowset_fini(&rs);
	return rc;
}

static enum err stage_scopes(struct night *n, int64_t first, struct errbuf *eb)
{
	struct arena arena;
	struct night_list list = {.arena = &arena};
	arena_init(&arena);
	enum err rc = night_load(n, first, first + SCOPES_AT_ONCE - 1, &list, eb);
	if (rc == ERR_OK && n->forecasts)
		rc = night_forecast_stage(n, &list, eb);
	if (rc == ERR_OK && n->anomalies)
		rc = night_anomaly_stage(n, &list, eb);
	arena_fini(&arena);
	return rc;
}

static enum err stage_items(struct night *n, struct errbuf *eb)
{
	struct arena arena;
	struct night_list list = {.arena = &arena};
	arena_init(&arena);
	enum err rc = night_load_items(n, &list, eb);
	if (rc == ERR_OK)
		rc = night_forecast_stage(n, &list, eb);
	arena_fini(&arena);
	return rc;
}

static enum err make(struct night *n, struct errbuf *eb)
{
	struct progress p;
	enum err rc = night_prepare(n, eb);
	progress_begin(&p, "series forecast and judged", n->scopes);
	for (int64_t i = 0; rc == ERR_OK && i < n->scopes; i += SCOPES_AT_ONCE) {
		rc = stage_scopes(n, i, eb);
		progress_step(&p, n->scopes - i < SCOPES_AT_ONCE ? n->scopes - i : SCOPES_AT_ONCE);
	}
	progress_end(&p);
	if (rc == ERR_OK && n->forecasts)
		rc = stage_items(n, eb);
	if (rc == ERR_OK && n->forecasts)
		rc = night_forecast_write(n, eb);
	if (rc == ERR_OK && n->anomalies)
		rc = night_anomaly_write(n, eb);
	return rc;
}

static enum err work(struct night *n, struct errbuf *eb)
{
	enum err rc = look(n, eb);
	if (rc != ERR_OK)
		return rc;
	if ((!n->forecasts && !n->anomalies) || (n->run->nothing_due && n->tried_lately))
		return ERR_NOTHING;
	if (n->forecasts)
		rc = fill(n, eb);
	return rc == ERR_OK ? make(n, eb) : rc;
}

static void say(struct night *n, enum err rc, const struct errbuf *why)
{
	struct errbuf ignored = {0};
	bool well = rc == ERR_OK;
	if (well)
		LOG(LOG_INFO, "night_done", LOG_INT("forecasts", n->made - n->refused),
		    LOG_INT("refused", n->refused), LOG_END);
	else
		run_warn(n->run, "forecast_failed", "forecasts and unusual days: %s", why->text);
	if (db_alive(n->db) &&
	    db_query(n->db, "heartbeat_put",
	             DB_PARAMS({"component", "forecast"}, {"status", well ? "ok" : "degraded"},
	                       {"detail", well ? "" : why->text}),
	             NULL, &ignored) != ERR_OK)
		log_err("forecast_heartbeat", &ignored);
}

enum err run_night(struct run *r, struct errbuf *eb)
{
	struct errbuf why = {0};
	struct night n = {.run = r,
	                  .db = r->db,
	                  .arena = &r->arena,
	                  .cutoff = (int)conf_int(r->conf, CONF_BUSINESS_DAY_CUTOFF),
	                  .forecasts = conf_bool(r->conf, CONF_ENABLE_FORECASTING),
	                  .anomalies = conf_bool(r->conf, CONF_ENABLE_ANOMALY_DETECTION)};
	if (!n.forecasts && !n.anomalies)
		return ERR_NOTHING;
	enum err rc = work(&n, &why);
	if (rc != ERR_NOTHING)
		say(&n, rc, &why);
	if (rc == ERR_INTERRUPTED)
		return err_set(eb, rc, "%s", why.text);
	return rc == ERR_NOTHING ? rc : ERR_OK;
}
