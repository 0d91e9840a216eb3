/* apply.c: the one transaction of a batch. sql/queries/apply.sql is what it does. */
#include "stream/apply_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "db/analytics.h"

enum err apply_open(struct apply **out, const struct conf *conf, struct errbuf *eb)
{
	struct apply *a = mem_alloc(sizeof *a);
	*a = (struct apply){0};
	enum err rc = analytics_open(&a->db, conf, ANALYTICS_STREAM, "takings-stream apply", eb);
	if (rc == ERR_OK)
		rc = analytics_schema_check(a->db, eb);
	if (rc == ERR_OK)
		rc = db_script(a->db, "apply_session", eb);
	if (rc == ERR_OK) {
		*out = a;
		return rc;
	}
	if (a->db)
		rc = apply_passing(a->db, rc, eb);
	apply_close(a);
	return rc;
}

void apply_close(struct apply *a)
{
	if (!a)
		return;
	db_close(a->db);
	apply_rules_free(a);
	free(a);
}

struct db *apply_db(struct apply *a)
{
	return a->db;
}

enum err apply_position(struct apply *a, const char *source, const char *topic, int32_t partition,
                        int64_t *next, struct errbuf *eb)
{
	struct rowset rs;
	char number[16];
	(void)snprintf(number, sizeof number, "%d", (int)partition);
	enum err rc =
		db_query(a->db, "apply_position",
	             DB_PARAMS({"source", source}, {"topic", topic}, {"partition", number}), &rs, eb);
	if (rc == ERR_OK)
		*next = rowset_rows(&rs) ? rowset_int(&rs, 0, "next") : -1;
	rowset_fini(&rs);
	return rc;
}

enum err apply_topic_known(struct apply *a, const char *source, const char *topic, bool *known,
                           struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(a->db, "apply_topic_known",
	                       DB_PARAMS({"source", source}, {"topic", topic}), &rs, eb);
	if (rc == ERR_OK)
		*known = strcmp(rowset_get(&rs, 0, "known"), "t") == 0;
	rowset_fini(&rs);
	return rc;
}

/* A number of the first row; no row, 0. */
static int64_t answer(const struct rowset *rs, const char *name)
{
	return rowset_rows(rs) ? rowset_int(rs, 0, name) : 0;
}

static void fini_all(struct rowset *rs, int n)
{
	for (int i = 0; i < n; i++)
		rowset_fini(&rs[i]);
}

/* Up to here rows are deleted, which costs as much as writing them; above, files are cut off. */
enum { SOILED_MOST = 4000 };

enum err apply_clear(struct apply *a, int64_t *soiled, struct errbuf *eb)
{
	*soiled = a->soiled < SOILED_MOST ? a->soiled : 0;
	if (a->soiled >= SOILED_MOST)
		return db_script(a->db, "apply_truncate", eb);
	return db_query(a->db, "apply_clear", DB_NO_PARAMS, NULL, eb);
}

/* ---- the steps ------------------------------------------------------------------- */

static enum err fence(struct apply *a, const struct batch *b, struct errbuf *eb)
{
	struct rowset rs[2];
	const struct db_ask asks[] = {
		{.statement = "apply_guard", .params = DB_NO_PARAMS},
		{.statement = "apply_rules_now", .params = DB_NO_PARAMS, .rs = &rs[0]},
		{.statement = "apply_fence", .params = DB_NO_PARAMS, .rs = &rs[1]},
	};
	enum err rc = db_query_all(a->db, asks, sizeof asks / sizeof *asks, NULL, eb);
	if (rc != ERR_OK)
		return rc;
	int64_t rules_id = b->rules_id ? b->rules_id : a->rules->rules_id;
	a->outdated = answer(&rs[0], "rules_id") != rules_id;
	if (a->outdated)
		rc = err_set(eb, ERR_BUSY, "the rules have changed since the batch was read");
	else if (answer(&rs[1], "moved") != b->advances_n)
		rc = err_set(eb, ERR_LOCKED, "another process has moved on a partition of this batch");
	fini_all(rs, 2);
	return rc;
}

/* What of the batch is news; orders nobody had heard of are there afterwards. */
static enum err look(struct apply *a, struct applied *out, struct errbuf *eb)
{
	struct rowset added;
	const struct db_ask asks[] = {
		{.statement = "apply_forget", .params = DB_NO_PARAMS},
		{.statement = "apply_look_orders", .params = DB_NO_PARAMS},
		{.statement = "apply_look_lines", .params = DB_NO_PARAMS},
		{.statement = "apply_look_refunds", .params = DB_NO_PARAMS},
		{.statement = "apply_add_orders", .params = DB_NO_PARAMS, .rs = &added},
	};
	enum err rc = db_query_all(a->db, asks, sizeof asks / sizeof *asks, NULL, eb);
	if (rc != ERR_OK)
		return rc;
	bool beaten = answer(&added, "added") < answer(&added, "unknown");
	out->orders = answer(&added, "told");
	rowset_fini(&added);
	return beaten ? db_query(a->db, "apply_look_orders", DB_NO_PARAMS, NULL, eb) : ERR_OK;
}

/* What may change is ours until the end; *news: there is any. */
static enum err hold(struct apply *a, bool *news, struct errbuf *eb)
{
	struct rowset rs[3];
	const struct db_ask asks[] = {
		{.statement = "apply_touch", .params = DB_NO_PARAMS, .rs = &rs[0]},
		{.statement = "apply_hold", .params = DB_NO_PARAMS},
		{.statement = "apply_hold_lines", .params = DB_NO_PARAMS, .rs = &rs[1]},
		{.statement = "apply_hold_refunds", .params = DB_NO_PARAMS, .rs = &rs[2]},
	};
	enum err rc = db_query_all(a->db, asks, sizeof asks / sizeof *asks, NULL, eb);
	if (rc != ERR_OK)
		return rc;
	*news = rowset_affected(&rs[0]) + answer(&rs[1], "news") + answer(&rs[2], "news") > 0;
	if (answer(&rs[1], "strayed") + answer(&rs[2], "strayed") > 0)
		rc = err_set(eb, ERR_TIMEOUT, "another process has moved a line of this batch; again");
	fini_all(rs, 3);
	return rc;
}

/* States take what is newer; what touched orders added up to before and add up to now is noted. */
static enum err take(struct apply *a, struct applied *out, struct errbuf *eb)
{
	enum { ORDERS, ADD_REFUNDS, REFUNDS, ADD_LINES, LINES, TAKEN };
	struct rowset rs[TAKEN];
	const struct db_param *none = DB_NO_PARAMS;
	const struct db_param *before = DB_PARAMS({"sign", "-1"}), *now = DB_PARAMS({"sign", "1"});
	const struct db_ask asks[] = {
		{.statement = "apply_part_before", .params = none},
		{.statement = "apply_refunds_booked", .params = before},
		{.statement = "apply_take_orders", .params = none, .rs = &rs[ORDERS]},
		{.statement = "apply_add_refunds", .params = none, .rs = &rs[ADD_REFUNDS]},
		{.statement = "apply_take_refunds", .params = none, .rs = &rs[REFUNDS]},
		{.statement = "apply_part_after", .params = none},
		{.statement = "apply_refunds_booked", .params = now},
		{.statement = "apply_keys", .params = none},
		{.statement = "apply_line_parts", .params = before},
		{.statement = "apply_add_lines", .params = none, .rs = &rs[ADD_LINES]},
		{.statement = "apply_take_lines", .params = none, .rs = &rs[LINES]},
		{.statement = "apply_line_parts", .params = now},
	};
	enum err rc = db_query_all(a->db, asks, sizeof asks / sizeof *asks, NULL, eb);
	if (rc != ERR_OK)
		return rc;
	out->orders += rowset_affected(&rs[ORDERS]);
	out->refunds = rowset_affected(&rs[ADD_REFUNDS]) + rowset_affected(&rs[REFUNDS]);
	out->lines = rowset_affected(&rs[ADD_LINES]) + rowset_affected(&rs[LINES]);
	fini_all(rs, TAKEN);
	return ERR_OK;
}

enum err apply_figures(struct db *db, bool *changed, struct errbuf *eb)
{
	static const char *const drops[] = {
		"apply_drop_days",  "apply_drop_statuses", "apply_drop_hours",     "apply_drop_minutes",
		"apply_drop_items", "apply_drop_products", "apply_drop_customers",
	};
	enum { TABLES = sizeof drops / sizeof *drops };
	struct rowset rs[TABLES];
	const struct db_param *none = DB_NO_PARAMS;
	const struct db_ask asks[] = {
		{.statement = "apply_sum_items", .params = none},
		{.statement = "apply_days", .params = none, .rs = &rs[0]},
		{.statement = "apply_statuses", .params = none, .rs = &rs[1]},
		{.statement = "apply_hours", .params = none, .rs = &rs[2]},
		{.statement = "apply_minutes", .params = none, .rs = &rs[3]},
		{.statement = "apply_items", .params = none, .rs = &rs[4]},
		{.statement = "apply_products", .params = none, .rs = &rs[5]},
		{.statement = "apply_customers", .params = none, .rs = &rs[6]},
	};
	enum err rc = db_query_all(db, asks, sizeof asks / sizeof *asks, NULL, eb);
	if (rc != ERR_OK)
		return rc;
	for (int i = 0; rc == ERR_OK && i < TABLES; i++) {
		const char *empty = rowset_get(&rs[i], 0, "empty");
		*changed = *changed || answer(&rs[i], "changed") > 0;
		if (empty)
			rc = db_query(db, drops[i], DB_PARAMS({"rows", empty}), NULL, eb);
	}
	fini_all(rs, TABLES);
	return rc;
}

enum err apply_tell(struct db *db, struct errbuf *eb)
{
	return db_query(db, "apply_changed", DB_NO_PARAMS, NULL, eb);
}

/* ---- all of it ----------------------------------------------------------------------- */

static enum err move_states(struct apply *a, struct applied *out, struct errbuf *eb)
{
	bool changed = false, news = false;
	enum err rc = look(a, out, eb);
	if (rc == ERR_OK)
		rc = hold(a, &news, eb);
	if (rc != ERR_OK || !news)
		return rc;
	rc = take(a, out, eb);
	failpoint_pass(FP_stream_state);
	if (rc == ERR_OK)
		rc = apply_figures(a->db, &changed, eb);
	failpoint_pass(FP_stream_figures);
	return rc == ERR_OK && changed ? apply_tell(a->db, eb) : rc;
}

/* What becomes of each is in its account. */
static enum err store_activity(struct apply *a, struct activity_rows *rows, struct errbuf *eb)
{
	size_t n = (size_t)activity_rows_n(rows);
	enum activity_outcome *outcomes = mem_alloc((n + 1) * sizeof *outcomes);
	enum err rc = activity_store(rows, a->db, outcomes, eb);
	free(outcomes);
	return rc;
}

static enum err run(struct apply *a, const struct batch *b, struct applied *out, struct errbuf *eb)
{
	struct copied copied = {0};
	struct inbox_written written;
	int64_t soiled = 0;
	enum err rc = db_command(a->db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = apply_clear(a, &soiled, eb);
	if (rc == ERR_OK)
		rc = apply_copy(a->db, b, a->rules, &copied, eb);
	failpoint_pass(FP_stream_copied);
	if (rc == ERR_OK)
		rc = fence(a, b, eb);
	failpoint_pass(FP_stream_fenced);
	if (rc == ERR_OK && copied.changes)
		rc = move_states(a, out, eb);
	if (rc == ERR_OK && copied.names)
		rc = db_query(a->db, "apply_names", DB_NO_PARAMS, NULL, eb);
	if (rc == ERR_OK && b->dead_n)
		rc = db_query(a->db, "apply_dead", DB_NO_PARAMS, NULL, eb);
	if (rc == ERR_OK && b->inbox)
		rc = inbox_write(b->inbox, a->db, &written, eb);
	if (rc == ERR_OK && b->activity)
		rc = store_activity(a, b->activity, eb);
	failpoint_pass(FP_stream_committing);
	if (rc == ERR_OK)
		rc = db_command(a->db, "COMMIT", eb);
	failpoint_pass(FP_stream_committed);
	a->soiled = (rc == ERR_OK ? soiled : a->soiled) + copied.rows + 1;
	if (rc == ERR_OK)
		out->stale = copied.changes - out->orders - out->lines - out->refunds;
	return rc;
}

enum err apply_passing(struct db *db, enum err rc, struct errbuf *eb)
{
	/* Deadlocks, refused serialization, what another process added first; no room on the server,
	 * errors of its disk, a server that is read only while another takes over. */
	static const char *const states[] = {"40", "23505", "53", "58", "25006"};
	bool passing = rc == ERR_BUSY && strcmp(db_sqlstate(db), "55P03") == 0;
	for (size_t i = 0; rc == ERR_DB && i < sizeof states / sizeof *states; i++)
		passing = passing || strncmp(db_sqlstate(db), states[i], strlen(states[i])) == 0;
	if (!passing)
		return rc;
	if (eb)
		eb->code = ERR_TIMEOUT;
	return ERR_TIMEOUT;
}

enum err apply_batch(struct apply *a, const struct batch *b, struct applied *out, struct errbuf *eb)
{
	must(a->rules != NULL);
	*out = (struct applied){0};
	a->outdated = false;
	enum err rc = run(a, b, out, eb);
	if (rc == ERR_OK)
		return rc;
	if (!a->outdated)
		rc = apply_passing(a->db, rc, eb);
	*out = (struct applied){0};
	db_rollback(a->db);
	return rc;
}
