/* hub.c: from the statements of hub.sql to pictures. */
#include "stream/hub.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/num.h"
#include "base/log.h"
#include "db/analytics.h"
#include "stream/parts.h"
#include "web/json.h"

/* A second apart while changes come. One that began late, as happens, does not put off the next, or
 * they would be further apart than that; one that began much later does, lest two come at once. */
enum { APART_MS = 1000, LATE_MS = 250, AT_LEAST_MS = 5000, TICK_MS = 100, SCOPE_COLUMNS = 32 };

static const struct member_source {
	const char *key, *statement;
	bool list;          /* any number of rows, else one */
	const char *hidden; /* a column that is null in the plain views */
	const char *only;   /* asked only where this column of the scope is true; else not there */
	unsigned needs;     /* bits of the views that have it */
} members[] = {
	{.key = "site", .statement = "hub_site", .only = "has_orders"},
	{.key = "rates", .statement = "hub_rates", .only = "has_orders"},
	{.key = "today", .statement = "hub_today", .only = "has_orders"},
	{.key = "before", .statement = "hub_before", .only = "has_orders"},
	{.key = "minutes", .statement = "hub_minutes", .list = true, .only = "has_orders"},
	{.key = "minute", .statement = "hub_minute", .only = "has_orders"},
	{.key = "top_products", .statement = "hub_products", .list = true, .only = "has_orders"},
	{.key = "statuses", .statement = "hub_statuses", .list = true, .only = "has_orders"},
	{.key = "recent_orders",
     .statement = "hub_recent",
     .list = true,
     .hidden = "customer_id",
     .only = "has_orders"},
	{.key = "source", .statement = "hub_source"},
	{.key = "bookings",
     .statement = "hub_bookings",
     .only = "has_bookings",
     .needs = VIEW_BOOKINGS},
	{.key = "activity", .statement = "hub_activity", .only = "has_activity"},
	{.key = "activity_pages",
     .statement = "hub_activity_pages",
     .list = true,
     .only = "has_activity"},
	{.key = "activity_feed",
     .statement = "hub_activity_feed",
     .list = true,
     .hidden = "who",
     .only = "has_activity"},
};

enum { MEMBERS = sizeof members / sizeof *members };

/* How long events take to get into a picture. */
static struct {
	char newest[24]; /* the newest one that was in it; "": the next one asks for it */
	struct window delays;
} taken;

static struct {
	pthread_mutex_t lock; /* guards all of it */
	struct picture *shown;
	void (*tell)(void *arg);
	void *arg;
} hub = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct picture *hub_picture(void)
{
	(void)pthread_mutex_lock(&hub.lock);
	struct picture *p = picture_share(hub.shown);
	(void)pthread_mutex_unlock(&hub.lock);
	return p;
}

void hub_tell(void (*fn)(void *arg), void *arg)
{
	(void)pthread_mutex_lock(&hub.lock);
	hub.tell = fn;
	hub.arg = arg;
	(void)pthread_mutex_unlock(&hub.lock);
}

static void show(struct picture *p)
{
	(void)pthread_mutex_lock(&hub.lock);
	struct picture *before = hub.shown;
	hub.shown = p;
	if (hub.tell)
		hub.tell(hub.arg);
	(void)pthread_mutex_unlock(&hub.lock);
	picture_release(before);
}

/* ---- rows as JSON ------------------------------------------------------------ */

static void put_value(struct json *j, const struct rowset *rs, int row, int col)
{
	const char *text = rowset_text(rs, row, col);
	enum rowset_type kind = rowset_kind(rs, col);
	if (!text)
		json_put_null(j);
	else if (kind == ROWSET_NUMBER)
		json_put_number(j, text);
	else if (kind == ROWSET_BOOL)
		json_put_bool(j, *text == 't');
	else if (kind == ROWSET_JSON)
		json_put_raw(j, text, strlen(text));
	else
		json_put_text(j, text);
}

static void put_row(struct json *j, const struct rowset *rs, int row, const char *hidden)
{
	json_begin_object(j);
	for (int col = 0; col < rowset_cols(rs); col++) {
		const char *name = rowset_name(rs, col);
		json_key(j, name);
		if (hidden && strcmp(name, hidden) == 0)
			json_put_null(j);
		else
			put_value(j, rs, row, col);
	}
	json_end_object(j);
}

static void put_member(struct buf *out, const struct member_source *m, const struct rowset *rs,
                       enum picture_view view)
{
	struct json j;
	const char *hidden = view & VIEW_FULL ? NULL : m->hidden;
	buf_clear(out);
	json_init(&j, out);
	if (m->list)
		json_begin_array(&j);
	for (int row = 0; row < rowset_rows(rs); row++)
		put_row(&j, rs, row, hidden);
	if (m->list)
		json_end_array(&j);
	else if (rowset_rows(rs) == 0)
		json_put_null(&j);
	json_end(&j);
}

/* ---- looking ------------------------------------------------------------------ */

static bool is_wanted(const struct rowset *scope, const struct member_source *m)
{
	const char *truth = m->only ? rowset_get(scope, 0, m->only) : "t";
	return truth && *truth == 't';
}

/* Without a row of the scope there is nothing to show yet. `rows` are of the members, and one more:
 * the events that are in them and were in none before. */
static enum err ask(struct db *db, const struct conf *conf, struct rowset *scope,
                    struct rowset rows[MEMBERS + 1], struct errbuf *eb)
{
	struct db_param params[SCOPE_COLUMNS + 2] = {{NULL, NULL}};
	struct db_ask asks[MEMBERS + 1];
	enum err rc =
		db_query(db, "hub_scope",
	             DB_PARAMS({"window_s", conf_str(conf, CONF_REALTIME_WINDOW)}, {"customers", "t"},
	                       {"bookings", "t"}, {"user_s", conf_str(conf, CONF_ACTIVE_USER_TIMEOUT)},
	                       {"session_s", conf_str(conf, CONF_SESSION_TIMEOUT)}),
	             scope, eb);
	if (rc != ERR_OK || rowset_rows(scope) == 0)
		return rc;
	must(rowset_cols(scope) <= SCOPE_COLUMNS);
	for (int i = 0; i < rowset_cols(scope); i++)
		params[i] = (struct db_param){rowset_name(scope, i), rowset_text(scope, 0, i)};
	params[rowset_cols(scope)] = (struct db_param){"newest", taken.newest};
	int n = 0;
	const char *active = rowset_get(scope, 0, "has_activity");
	if (active && *active == 't')
		asks[n++] = (struct db_ask){*taken.newest ? "hub_took_effect" : "hub_newest", params,
		                            &rows[MEMBERS]};
	for (int i = 0; i < MEMBERS; i++)
		if (is_wanted(scope, &members[i]))
			asks[n++] = (struct db_ask){members[i].statement, params, &rows[i]};
	return db_query_all(db, asks, n, NULL, eb);
}

static struct picture *draw(const struct rowset *scope, const struct rowset rows[MEMBERS])
{
	struct buf json;
	struct picture *before = hub_picture();
	int64_t seq = before ? picture_seq(before) + 1 : clock_now_us() / 1000;
	struct picture *p = picture_new(before, seq, rowset_get(scope, 0, "as_of"));
	buf_init(&json);
	for (int i = 0; i < MEMBERS; i++)
		for (unsigned view = 0; is_wanted(scope, &members[i]) && view < PICTURE_VIEWS; view++) {
			if ((view & members[i].needs) != members[i].needs)
				continue;
			put_member(&json, &members[i], &rows[i], (enum picture_view)view);
			picture_put(p, i, members[i].key, (enum picture_view)view, buf_str(&json));
		}
	buf_fini(&json);
	picture_release(before);
	return p;
}

static void measure(const struct rowset *events)
{
	static const double share = 0.95;
	int64_t now_us = clock_now_us(), now_ms = clock_mono_ms(), newest = 0, most_us;
	bool first = *taken.newest == '\0';
	(void)num_parse_int(taken.newest, 0, INT64_MAX, &newest);
	for (int row = 0; row < rowset_rows(events); row++) {
		int64_t seq = rowset_int(events, row, "seq");
		if (!first)
			window_add(&taken.delays, now_ms, now_us - rowset_int(events, row, "received_us"));
		newest = seq > newest ? seq : newest;
	}
	if (rowset_cols(events) > 0)
		(void)snprintf(taken.newest, sizeof taken.newest, "%lld", (long long)newest);
	window_quantiles(&taken.delays, now_ms, &share, 1, &most_us);
	stat_set(STAT_LIVE_DELAY_MS, most_us < 0 ? -1 : most_us / 1000);
}

static enum err look(struct part *part, struct db *db, struct errbuf *eb)
{
	struct rowset scope = {0}, rows[MEMBERS + 1] = {{0}};
	enum err rc = ask(db, part_conf(part), &scope, rows, eb);
	if (rc == ERR_OK && rowset_rows(&scope) > 0) {
		show(draw(&scope, rows));
		measure(&rows[MEMBERS]);
	}
	for (int i = 0; i <= MEMBERS; i++)
		rowset_fini(&rows[i]);
	rowset_fini(&scope);
	return rc;
}

/* ---- the part ------------------------------------------------------------------- */

struct schedule {
	int64_t due_ms;     /* the next picture, if something changes */
	int64_t changed_ms; /* when that was first heard of; 0: nothing has changed */
};

static void on_notify(void *arg, const char *channel, const char *payload)
{
	struct schedule *plan = arg;
	(void)channel;
	(void)payload;
	if (plan->changed_ms == 0)
		plan->changed_ms = clock_mono_ms();
}

/* When the next picture is to begin, as far as is known; a change after a calm goes at once. */
static int64_t next_ms(const struct schedule *plan)
{
	if (plan->changed_ms == 0)
		return plan->due_ms + AT_LEAST_MS - APART_MS;
	return plan->changed_ms > plan->due_ms ? plan->changed_ms : plan->due_ms;
}

static void begun(struct schedule *plan)
{
	int64_t wanted_ms = next_ms(plan), now_ms = clock_mono_ms();
	plan->due_ms = (now_ms - wanted_ms < LATE_MS ? wanted_ms : now_ms) + APART_MS;
	plan->changed_ms = 0;
}

/* Until the connection is lost, or it is over. */
static enum err follow(struct part *part, struct db *db, struct errbuf *eb)
{
	struct schedule plan = {.due_ms = clock_mono_ms(), .changed_ms = clock_mono_ms()};
	enum err rc = ERR_OK;
	while (rc == ERR_OK && !part_stopping(part)) {
		int64_t left_ms = next_ms(&plan) - clock_mono_ms();
		if (left_ms <= 0) {
			begun(&plan);
			rc = look(part, db, eb);
		} else if (plan.changed_ms && left_ms < TICK_MS) {
			(void)part_sleep(part, (int)left_ms);
		} else {
			rc = db_wait_notify(db, TICK_MS, on_notify, &plan, eb);
		}
		if (rc == ERR_OK) {
			part_say(part, HEALTH_OK, "");
			part_recovered(part);
		}
	}
	return rc;
}

static void run(struct part *part)
{
	stat_set(STAT_LIVE_DELAY_MS, -1);
	do {
		struct errbuf eb = {0};
		struct db *db = NULL;
		enum err rc =
			analytics_open(&db, part_conf(part), ANALYTICS_READ, "takings-stream hub", &eb);
		if (rc == ERR_OK)
			rc = db_listen(db, "takings_live", &eb);
		if (rc == ERR_OK)
			rc = follow(part, db, &eb);
		if (rc != ERR_OK)
			part_say_error(part, HEALTH_DEGRADED, &eb);
		db_close(db);
	} while (!part_back_off(part));
}

const struct part_kind part_hub = {"hub", PART_LAST, NULL, run};
