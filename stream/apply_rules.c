/* apply_rules.c: the rules in force, and everything anew where the live tables follow others. */
#include "stream/apply_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

struct rules_kept {
	struct rules_kept *next;
	struct rules *rules;
};

void apply_rules_free(struct apply *a)
{
	while (a->kept) {
		struct rules_kept *next = a->kept->next;
		rules_free(a->kept->rules);
		free(a->kept);
		a->kept = next;
	}
}

static enum err load(struct apply *a, struct errbuf *eb)
{
	struct rules *r = NULL;
	enum err rc = rules_load(&r, a->db, eb);
	if (rc != ERR_OK)
		return rc;
	struct rules_kept *k = mem_alloc(sizeof *k);
	*k = (struct rules_kept){.next = a->kept, .rules = r};
	a->kept = k;
	a->rules = r;
	return ERR_OK;
}

/* 0: none. */
static enum err read_ids(struct apply *a, int64_t *site, int64_t *live, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(a->db, "apply_rules_made", DB_NO_PARAMS, &rs, eb);
	if (rc != ERR_OK)
		return rc;
	*site = rowset_int(&rs, 0, "site");
	*live = rowset_int(&rs, 0, "live");
	rowset_fini(&rs);
	return ERR_OK;
}

/* ---- everything anew ------------------------------------------------------------- */

/* The next orders; *after is moved on, or set free where there are no more. */
static enum err rebuild_some(struct db *db, char **after, int64_t *orders, struct errbuf *eb)
{
	bool changed = false;
	struct rowset last;
	const struct db_param *now = DB_PARAMS({"sign", "1"}), *none = DB_NO_PARAMS;
	const struct db_ask asks[] = {
		{.statement = "apply_rebuild_next", .params = DB_PARAMS({"after", *after})},
		{.statement = "apply_rebuild_last", .params = none, .rs = &last},
		{.statement = "apply_rebuild_orders", .params = none},
		{.statement = "apply_part_after", .params = none},
		{.statement = "apply_refunds_booked", .params = now},
		{.statement = "apply_keys", .params = none},
		{.statement = "apply_line_parts", .params = now},
	};
	enum err rc = db_query_all(db, asks, sizeof asks / sizeof *asks, NULL, eb);
	if (rc != ERR_OK)
		return rc;
	const char *order_id = rowset_get(&last, 0, "order_id");
	free(*after);
	*after = order_id ? mem_strdup(order_id) : NULL;
	*orders += rowset_int(&last, 0, "orders");
	rowset_fini(&last);
	rc = apply_figures(db, &changed, eb);
	if (rc == ERR_OK)
		rc = db_script(db, "apply_rebuild_clear", eb);
	return rc;
}

static enum err rebuild_all(struct apply *a, int64_t *orders, struct errbuf *eb)
{
	char id[24];
	struct rowset statuses;
	(void)snprintf(id, sizeof id, "%lld", (long long)a->rules->rules_id);
	enum err rc = db_query(a->db, "apply_statuses_known", DB_NO_PARAMS, &statuses, eb);
	if (rc == ERR_OK)
		rc = apply_copy_rules(a->db, a->rules, &statuses, eb);
	rowset_fini(&statuses);
	if (rc == ERR_OK)
		rc = db_script(a->db, "apply_empty", eb);
	if (rc == ERR_OK)
		rc = db_query(a->db, "apply_rules_take", DB_PARAMS({"rules_id", id}), NULL, eb);
	if (rc == ERR_OK)
		rc = db_query(a->db, "apply_rebuild_refunds", DB_NO_PARAMS, NULL, eb);
	char *after = mem_strdup("");
	while (rc == ERR_OK && after)
		rc = rebuild_some(a->db, &after, orders, eb);
	free(after);
	return rc == ERR_OK ? apply_tell(a->db, eb) : rc;
}

/* Only one process does it; batches wait. *made: it was done here. */
static enum err rebuild(struct apply *a, bool *made, struct errbuf *eb)
{
	int64_t site = 0, live = 0, orders = 0, soiled = 0;
	enum err rc = db_command(a->db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = apply_clear(a, &soiled, eb);
	if (rc == ERR_OK)
		rc = db_query(a->db, "apply_alone", DB_NO_PARAMS, NULL, eb);
	if (rc == ERR_OK)
		rc = read_ids(a, &site, &live, eb);
	*made = rc == ERR_OK && site == a->rules->rules_id && site != live;
	if (*made)
		rc = rebuild_all(a, &orders, eb);
	if (rc == ERR_OK)
		rc = db_command(a->db, "COMMIT", eb);
	a->soiled = INT32_MAX; /* the next one cuts them off */
	if (rc != ERR_OK)
		db_rollback(a->db);
	else if (*made)
		LOG(LOG_INFO, "figures_made_anew", LOG_INT("rules_id", a->rules->rules_id),
		    LOG_INT("orders", orders), LOG_END);
	return rc;
}

enum err apply_rules(struct apply *a, const struct rules **out, struct errbuf *eb)
{
	int64_t site = 0, live = 0;
	bool made = false;
	enum err rc = read_ids(a, &site, &live, eb);
	while (rc == ERR_OK) {
		if (!a->rules || a->rules->rules_id != site)
			rc = load(a, eb);
		if (rc == ERR_OK && a->rules->rules_id == site && site == live) {
			*out = a->rules;
			return ERR_OK;
		}
		if (rc == ERR_OK)
			rc = rebuild(a, &made, eb);
		if (rc == ERR_OK)
			rc = read_ids(a, &site, &live, eb);
	}
	return apply_passing(a->db, rc, eb);
}
