/* demo_activity.c: see demo_activity.h. All visits are drawn anew each time, in the order in which
 * their events arrived; what comes behind the last one that is there already is stored. */
#include "batch/demo_activity.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "batch/demo_calendar.h"
#include "batch/demo_random.h"
#include "batch/progress.h"
#include "db/analytics.h"

enum {
	DAYS = 90,
	AGE_DAYS = 90, /* what is older when it arrives is kept apart */
	PIECE = 4000,
	ZONE_MARGIN_DAYS = 3,
	VISITS = 4096, /* numbers of a day: first those who buy, from BROWSERS those who do not */
	BROWSERS = 1024,
	CRAWLERS = 4000,
	DAY_S = 86400,
	STREAM = 8, /* of the seed */
	CLOSED_VISITS = 70,
};

static const char USAGE[] = "takings-batch demo --activity [--seed N]";

/* An event on its way. */
struct message {
	int64_t received_us, n; /* n: in the order in which they were made */
	const char *agent, *text;
	bool odd;
};

struct teller {
	const struct conf *conf;
	int64_t seed, now_us, unit_minor;
	int decimals;
	struct db *db;
	struct demo_zone zone;
	struct arena arena; /* of the texts */
	struct message *messages;
	size_t n, cap;
	int64_t visits, bought;
};

/* ---- reading --------------------------------------------------------------------------- */

static const struct activity_dimension dimensions[] = {
	{1, "page", ""},
	{2, "source", ""},
	{3, "campaign", "utm_campaign"},
	{4, "device", ""},
	{5, "browser", ""},
	{6, "category", "category"},
	{7, "product", "product_id"},
	{8, "region", "region"},
};

void demo_activity_put(struct activity_rows *rows, struct arena *a, const char *agent,
                       const char *text, int64_t received_us)
{
	const struct activity_rules rules = {.max_age_days = AGE_DAYS,
	                                     .dimensions = dimensions,
	                                     .dimensions_n =
	                                         (int)(sizeof dimensions / sizeof *dimensions)};
	struct activity_agent who = activity_agent_read(agent);
	const struct activity_sender sender = {.received_us = received_us,
	                                       .device = who.device,
	                                       .browser = who.browser,
	                                       .flags = who.flags,
	                                       .host = ""};
	const struct jnode *node;
	struct activity_event e;
	struct errbuf why = {0};
	must(jnode_parse(a, text, strlen(text), ACTIVITY_DEPTH, NULL, &node, &why) == ERR_OK);
	enum err rc = activity_event_read(a, node, &rules, &sender, &e, &why);
	if (rc == ERR_OK)
		activity_rows_put(rows, &e, "demo");
	else if (rc == ERR_NOTHING)
		activity_rows_quarantine(rows, &e, "demo", "too_old", &why);
	else
		activity_rows_refuse(rows, "demo", jnode_string_at(node, "event_type"), "invalid", &why,
		                     received_us);
}

/* ---- what is said ------------------------------------------------------------------------ */

static void tell(struct teller *t, const struct demo_visit *v)
{
	for (int i = 0; i < v->n; i++) {
		const struct demo_touch *touch = &v->touches[i];
		int64_t received_us = touch->at_us + touch->after_us;
		if (received_us > t->now_us)
			continue;
		if (t->n == t->cap) {
			t->cap = t->cap ? t->cap * 2 : 4096;
			t->messages = mem_realloc(t->messages, t->cap * sizeof *t->messages);
		}
		t->messages[t->n] =
			(struct message){received_us, (int64_t)t->n, v->agent, touch->text, touch->odd};
		t->n++;
	}
	t->visits += v->touches[0].at_us <= t->now_us;
}

enum demo_part demo_activity_part(int64_t day_s)
{
	static const int until_h[] = {14, 17, 22};
	int part = 0;
	while (part < 3 && day_s >= until_h[part] * 3600)
		part++;
	return (enum demo_part)part;
}

/* When people look at the site of a restaurant: before lunch, and most of all in the evening. */
static int64_t draw_time_s(struct demo_random *r)
{
	static const int hours[24] = {3,  1,  1,  1,  1,  1,  3,  8,  14, 22, 34, 42,
	                              38, 26, 20, 20, 26, 40, 52, 50, 40, 28, 16, 8};
	int64_t left = demo_random_below(r, 495), h = 0;
	while (h < 23 && left >= hours[h])
		left -= hours[h++];
	return h * 3600 + demo_random_below(r, 3600);
}

static int64_t instant_us(const struct teller *t, int64_t wall_s)
{
	return demo_zone_instant(&t->zone, demo_zone_settle(&t->zone, wall_s), false) * 1000000;
}

static void tell_buyers(struct teller *t, struct demo_visit_rules *rules,
                        const struct demo_orders *orders, int64_t number)
{
	struct demo_visit v;
	for (int64_t i = 0; i < orders->n && i < BROWSERS; i++) {
		const struct demo_order *o = &orders->rows[i];
		if (!demo_visit_is_online(t->seed, o) || o->created_s * 1000000 > t->now_us)
			continue;
		int64_t wall_s = demo_zone_wall(&t->zone, o->created_s);
		rules->part = demo_activity_part(wall_s - demo_date_of_seconds(wall_s) * DAY_S);
		demo_visit_buy(rules, number + i, o, &orders->lines[o->line_from], o->created_s * 1000000,
		               &v);
		tell(t, &v);
		t->bought++;
	}
}

static void tell_day(struct teller *t, int64_t date, struct demo_orders *orders)
{
	const struct demo_rules day = {t->seed, t->unit_minor, &t->zone, &t->arena};
	struct demo_menu menu;
	struct demo_visit v;
	struct demo_random r;
	struct demo_visit_rules rules = {.seed = t->seed,
	                                 .date = date,
	                                 .currency = conf_str(t->conf, CONF_DEFAULT_CURRENCY),
	                                 .decimals = t->decimals,
	                                 .menu = &menu,
	                                 .arena = &t->arena};
	int64_t number = date * VISITS;
	demo_random_init(&r, t->seed + STREAM, date);
	demo_menu_make(&menu, &t->arena, date, t->unit_minor);
	orders->n = orders->lines_n = 0;
	demo_day_draw(&day, date, orders);
	tell_buyers(t, &rules, orders, number);
	int64_t n = CLOSED_VISITS + orders->n * demo_random_between(&r, 90, 120) / 100;
	int64_t robots = demo_random_below(&r, 5);
	for (int64_t i = 0; i < n + robots; i++) {
		bool robot = i >= n;
		int64_t day_s = draw_time_s(&r), at_us = instant_us(t, date * DAY_S + day_s);
		rules.part = demo_activity_part(day_s);
		if (robot)
			demo_visit_crawl(&rules, number + CRAWLERS + i - n, at_us, &v);
		else
			demo_visit_browse(&rules, number + BROWSERS + i, at_us, &v);
		tell(t, &v);
	}
}

static int by_time(const void *one, const void *other)
{
	const struct message *a = one, *b = other;
	if (a->received_us != b->received_us)
		return a->received_us < b->received_us ? -1 : 1;
	return (a->n > b->n) - (a->n < b->n);
}

static void tell_all(struct teller *t)
{
	struct demo_orders orders = {0};
	int64_t today = demo_date_of_seconds(demo_zone_wall(&t->zone, t->now_us / 1000000));
	for (int64_t date = today - DAYS + 1; date <= today; date++)
		tell_day(t, date, &orders);
	demo_orders_fini(&orders);
	if (t->n)
		qsort(t->messages, t->n, sizeof *t->messages, by_time);
	while (t->n && t->messages[t->n - 1].odd)
		t->n--; /* what says that it was there must come behind it */
}

/* ---- storing ------------------------------------------------------------------------------- */

/* How many of them are there: all up to the last one that is. What is missing before it was taken
 * away. */
static enum err known_n(struct teller *t, size_t *out, struct errbuf *eb)
{
	struct rowset rs = {0};
	struct buf ids;
	buf_init(&ids);
	buf_putc(&ids, '{');
	for (size_t i = 0; i < t->n; i++) {
		const char *id = strstr(t->messages[i].text, "\"event_id\":\"");
		must(id);
		buf_printf(&ids, "%s%.36s", i ? "," : "",
		           t->messages[i].odd ? "NULL" : id + strlen("\"event_id\":\""));
	}
	buf_putc(&ids, '}');
	enum err rc =
		db_query(t->db, "demo_activity_known", DB_PARAMS({"ids", buf_str(&ids)}), &rs, eb);
	if (rc == ERR_OK)
		*out = (size_t)rowset_int(&rs, 0, "n");
	rowset_fini(&rs);
	buf_fini(&ids);
	return rc;
}

/* Messages from there on, in one transaction. */
static enum err store_piece(struct teller *t, struct activity_rows *rows, size_t from, size_t n,
                            struct errbuf *eb)
{
	enum activity_outcome outcomes[PIECE];
	struct arena arena;
	activity_rows_clear(rows);
	arena_init(&arena);
	for (size_t i = from; i < from + n; i++) {
		const struct message *m = &t->messages[i];
		arena_reset(&arena);
		demo_activity_put(rows, &arena, m->agent, m->text, m->received_us);
	}
	arena_fini(&arena);
	enum err rc = db_command(t->db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = activity_store(rows, t->db, outcomes, eb);
	if (rc == ERR_OK)
		rc = db_command(t->db, "COMMIT", eb);
	if (rc != ERR_OK)
		db_rollback(t->db);
	return rc;
}

static enum err store_all(struct teller *t, size_t *added, struct errbuf *eb)
{
	struct activity_rows *rows = activity_rows_new();
	struct progress progress;
	size_t from = 0;
	enum err rc = known_n(t, &from, eb);
	*added = rc == ERR_OK ? t->n - from : 0;
	progress_begin(&progress, "events stored", (int64_t)*added);
	while (rc == ERR_OK && from < t->n) {
		size_t n = t->n - from < PIECE ? t->n - from : PIECE;
		if (db_interrupted())
			rc = err_set(eb, ERR_INTERRUPTED, "stopped on request");
		else
			rc = store_piece(t, rows, from, n, eb);
		from += n;
		progress_step(&progress, (int64_t)n);
	}
	if (*added)
		progress_end(&progress);
	activity_rows_free(rows);
	return rc;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static enum err parse_options(struct teller *t, int argc, char **argv, struct errbuf *eb)
{
	t->seed = 1;
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--activity") == 0)
			continue;
		const char *value = i + 1 < argc ? argv[i + 1] : "";
		if (strcmp(argv[i], "--seed") != 0 || !num_parse_int(value, 0, INT64_MAX / 2, &t->seed))
			return err_set_field(eb, ERR_INVALID, argv[i], "%s \"%s\" is not understood; usage: %s",
			                     argv[i], value, USAGE);
		i++;
	}
	return ERR_OK;
}

/* Of the connection: who is at it twice would count all as sent twice. */
static enum err lock(struct teller *t, struct errbuf *eb)
{
	struct rowset rs = {0};
	enum err rc = db_query(t->db, "demo_activity_lock", DB_NO_PARAMS, &rs, eb);
	if (rc == ERR_OK && *rowset_get(&rs, 0, "locked") != 't')
		rc = err_set(eb, ERR_LOCKED, "another process is making demo activity");
	rowset_fini(&rs);
	return rc;
}

static enum err set_up(struct teller *t, struct errbuf *eb)
{
	int64_t today = demo_date_of_seconds(t->now_us / 1000000);
	const char *currency = conf_str(t->conf, CONF_DEFAULT_CURRENCY);
	if (!demo_menu_currency(currency, &t->decimals, &t->unit_minor))
		return err_set_field(eb, ERR_CONFIG, conf_name(CONF_DEFAULT_CURRENCY),
		                     "demo needs a currency with at most two decimals, not %s", currency);
	if (conf_str(t->conf, CONF_DEMO_URL)[0] == '\0')
		return err_set_field(eb, ERR_CONFIG, conf_name(CONF_DEMO_URL),
		                     "%s is empty; it says that this site is a demo",
		                     conf_name(CONF_DEMO_URL));
	enum err rc = analytics_open(&t->db, t->conf, ANALYTICS_WRITE, "takings-batch demo", eb);
	if (rc == ERR_OK)
		rc = analytics_schema_check(t->db, eb);
	if (rc == ERR_OK)
		rc = lock(t, eb);
	if (rc == ERR_OK)
		rc = demo_zone_load(&t->zone, t->db, conf_str(t->conf, CONF_BUSINESS_TIMEZONE),
		                    conf_int(t->conf, CONF_BUSINESS_DAY_CUTOFF),
		                    today - DAYS - ZONE_MARGIN_DAYS,
		                    today + DEMO_LATE_DAYS + ZONE_MARGIN_DAYS, eb);
	return rc;
}

enum job_exit demo_activity(const struct conf *conf, int argc, char **argv)
{
	struct teller t = {.conf = conf, .now_us = clock_now_us()};
	struct errbuf eb = {0};
	int64_t begun_ms = clock_mono_ms();
	size_t added = 0;
	arena_init(&t.arena);
	enum err rc = parse_options(&t, argc, argv, &eb);
	if (rc == ERR_OK)
		rc = set_up(&t, &eb);
	if (rc == ERR_OK) {
		tell_all(&t);
		rc = store_all(&t, &added, &eb);
	}
	if (rc == ERR_OK) {
		int64_t ms = clock_mono_ms() - begun_ms;
		(void)printf("%zu events of %" PRId64 " visits, %" PRId64
		             " of which bought something, %zu of them new, from seed %" PRId64
		             ", in %" PRId64 ".%" PRId64 " s; takings-stream reads them.\n",
		             t.n, t.visits, t.bought, added, t.seed, ms / 1000, ms % 1000 / 100);
		if (added == 0)
			rc = ERR_NOTHING;
	} else {
		log_err("demo_failed", &eb);
	}
	free(t.messages);
	db_close(t.db);
	demo_zone_fini(&t.zone);
	arena_fini(&t.arena);
	return job_exit_of(rc);
}
