/* demo_live_activity.c: see demo_live_activity.h. Events are stored as those that come over HTTP.
 */
#include "batch/demo_live_activity.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "batch/demo_activity.h"
#include "batch/demo_calendar.h"
#include "batch/demo_random.h"
#include "db/analytics.h"

enum {
	VISITORS = 128,    /* at once */
	GAP_MS = 600,      /* between two who come, about */
	SPEED_MAX = 8,     /* more than so many times as many do not come */
	TOGETHER_MS = 250, /* what is due within that is stored together */
	DAY_S = 86400,
};

struct playing {
	struct demo_visit visit; /* n = 0: nobody */
	struct arena arena;
	int next;
};

struct live_activity {
	const struct conf *conf;
	const struct demo_zone *zone;
	const struct live_money *money;
	int64_t unit_minor, speed, seed, number;
	struct db *db;
	struct activity_rows *rows;
	struct demo_random random;
	struct demo_menu menu;
	struct arena card; /* of the menu */
	int64_t card_date;
	struct playing playing[VISITORS];
	int64_t come_us, store_us; /* when the next one comes, and when to store at the soonest */
	int64_t stored;
	bool failed;
};

struct live_activity *live_activity_open(const struct conf *conf, const struct demo_zone *zone,
                                         const struct live_money *money, int64_t unit_minor,
                                         int64_t speed, int64_t seed)
{
	struct live_activity *l = mem_alloc(sizeof *l);
	struct errbuf away = {0};
	*l = (struct live_activity){.conf = conf,
	                            .zone = zone,
	                            .money = money,
	                            .unit_minor = unit_minor,
	                            .speed = speed < SPEED_MAX ? speed : SPEED_MAX,
	                            .seed = seed,
	                            .number = clock_now_us(), /* two plays do not meet */
	                            .rows = activity_rows_new(),
	                            .card_date = -1};
	arena_init(&l->card);
	for (int i = 0; i < VISITORS; i++)
		arena_init(&l->playing[i].arena);
	demo_random_init(&l->random, seed, 2);
	enum err rc = analytics_open(&l->db, conf, ANALYTICS_WRITE, "takings-batch demo", &away);
	if (rc == ERR_OK)
		rc = analytics_schema_check(l->db, &away);
	if (rc == ERR_OK)
		return l;
	live_activity_close(l);
	return NULL;
}

void live_activity_close(struct live_activity *l)
{
	if (!l)
		return;
	db_close(l->db);
	activity_rows_free(l->rows);
	for (int i = 0; i < VISITORS; i++)
		arena_fini(&l->playing[i].arena);
	arena_fini(&l->card);
	free(l);
}

int64_t live_activity_n(const struct live_activity *l)
{
	return l ? l->stored : 0;
}

int64_t live_activity_next_us(const struct live_activity *l)
{
	if (!l || l->failed)
		return INT64_MAX;
	int64_t next_us = l->come_us;
	for (int i = 0; i < VISITORS; i++) {
		const struct playing *p = &l->playing[i];
		if (p->visit.n && p->visit.touches[p->next].at_us < next_us)
			next_us = p->visit.touches[p->next].at_us;
	}
	return next_us > l->store_us ? next_us : l->store_us;
}

/* NULL: the house is full. */
static struct playing *seat(struct live_activity *l)
{
	for (int i = 0; i < VISITORS; i++)
		if (l->playing[i].visit.n == 0) {
			arena_reset(&l->playing[i].arena);
			l->playing[i].next = 0;
			return &l->playing[i];
		}
	return NULL;
}

static struct demo_visit_rules rules_of(struct live_activity *l, struct playing *p, int64_t now_us)
{
	int64_t wall_s = demo_zone_wall(l->zone, now_us / 1000000);
	int64_t date = demo_date_of_seconds(wall_s);
	if (date != l->card_date) {
		arena_reset(&l->card);
		demo_menu_make(&l->menu, &l->card, date, l->unit_minor);
		l->card_date = date;
	}
	return (struct demo_visit_rules){.seed = l->seed,
	                                 .date = date,
	                                 .currency = l->money->currency,
	                                 .decimals = l->money->decimals,
	                                 .menu = &l->menu,
	                                 .part = demo_activity_part(wall_s - date * DAY_S),
	                                 .live = true,
	                                 .arena = &p->arena};
}

static void come(struct live_activity *l, int64_t now_us)
{
	struct playing *p = seat(l);
	l->come_us = now_us + demo_random_between(&l->random, 0, INT64_C(2) * GAP_MS) * 1000 / l->speed;
	if (!p)
		return;
	struct demo_visit_rules rules = rules_of(l, p, now_us);
	demo_visit_browse(&rules, l->number++, now_us, &p->visit);
}

/* The purchase comes when the visit has taken its time. */
void live_activity_order(struct live_activity *l, const struct live_order *o,
                         const struct demo_line *lines, int64_t now_us)
{
	if (!l || l->failed || !demo_visit_is_online(l->seed, &o->course))
		return;
	struct playing *p = seat(l);
	if (!p)
		return;
	struct demo_visit_rules rules = rules_of(l, p, now_us);
	demo_visit_buy(&rules, l->number, &o->course, lines, 0, &p->visit);
	int64_t takes_us = -p->visit.touches[0].at_us;
	demo_visit_buy(&rules, l->number++, &o->course, lines, now_us + takes_us, &p->visit);
}

static enum err store(struct live_activity *l, struct errbuf *eb)
{
	int n = activity_rows_n(l->rows);
	if (n == 0)
		return ERR_OK;
	enum activity_outcome *outcomes = mem_alloc((size_t)n * sizeof *outcomes);
	enum err rc = db_command(l->db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = activity_store(l->rows, l->db, outcomes, eb);
	if (rc == ERR_OK)
		rc = db_command(l->db, "COMMIT", eb);
	if (rc == ERR_OK)
		l->stored += n;
	else
		db_rollback(l->db);
	free(outcomes);
	return rc;
}

void live_activity_step(struct live_activity *l, int64_t now_us)
{
	struct errbuf eb = {0};
	struct arena a;
	if (l->come_us <= now_us)
		come(l, now_us);
	activity_rows_clear(l->rows);
	arena_init(&a);
	for (int i = 0; i < VISITORS; i++) {
		struct playing *p = &l->playing[i];
		for (; p->visit.n && p->visit.touches[p->next].at_us <= now_us; p->next++) {
			demo_activity_put(l->rows, &a, p->visit.agent, p->visit.touches[p->next].text, now_us);
			if (p->next == p->visit.n - 1)
				p->visit.n = 0;
		}
	}
	arena_fini(&a);
	l->store_us = now_us + TOGETHER_MS * 1000;
	enum err rc = store(l, &eb);
	l->failed = rc != ERR_OK;
	if (l->failed && rc != ERR_INTERRUPTED)
		log_err("demo_activity_ended", &eb);
}
