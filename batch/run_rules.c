/* run_rules.c: what decides which order counts on which day, and its changes. */
#include <string.h>

#include "batch/run.h"
#include "db/analytics.h"
#include "domain/currency.h"

/* Writes new rules down; they come into force with the rebuild, or at once
 * while there is nothing to rebuild. */
static enum err rules_add(struct run *r, bool first, const struct db_param *rules,
                          struct errbuf *eb)
{
	struct rowset rs = {0};
	enum err rc = analytics_zone_check(r->db, r->conf, CONF_BUSINESS_TIMEZONE, eb);
	if (rc == ERR_OK)
		rc = analytics_zone_check(r->db, r->conf, CONF_ORDER_DB_TIMEZONE, eb);
	if (rc == ERR_OK && !currency_is_code(r->currency))
		rc = err_set_field(eb, ERR_CONFIG, conf_name(CONF_DEFAULT_CURRENCY),
		                   "%s='%s' is no ISO 4217 code such as EUR",
		                   conf_name(CONF_DEFAULT_CURRENCY), r->currency);
	if (rc == ERR_OK)
		rc = db_command(r->db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = db_query(r->db, "rules_add", rules, &rs, eb);
	if (rc == ERR_OK)
		r->rules_id = arena_strdup(&r->arena, rowset_get(&rs, 0, "rules_id"));
	rowset_fini(&rs);
	if (rc == ERR_OK && first)
		rc = db_query(r->db, "rules_use", DB_PARAMS({"rules_id", r->rules_id}), NULL, eb);
	if (rc == ERR_OK)
		rc = db_command(r->db, r->opt->dry_run ? "ROLLBACK" : "COMMIT", eb);
	if (rc != ERR_OK)
		db_rollback(r->db);
	return rc;
}

enum err run_rules_load(struct run *r, struct errbuf *eb)
{
	struct rowset rs;
	const struct db_param rules[] = {
		{"timezone", r->timezone},
		{"cutoff", r->cutoff},
		{"order_db_timezone", conf_str(r->conf, CONF_ORDER_DB_TIMEZONE)},
		{"profile", r->profile},
		{"counted", r->counted},
		{"currency", r->currency},
		{"location", r->location},
		{NULL, NULL}};
	enum err rc = db_query(r->db, "rules_current", rules, &rs, eb);
	if (rc != ERR_OK)
		return rc;
	bool found = rowset_rows(&rs) == 1;
	bool same = found && strcmp(rowset_get(&rs, 0, "same"), "t") == 0;
	if (same)
		r->rules_id = arena_strdup(&r->arena, rowset_get(&rs, 0, "rules_id"));
	rowset_fini(&rs);
	r->rules_changed = found && !same;
	return same ? ERR_OK : rules_add(r, !found, rules, eb);
}
