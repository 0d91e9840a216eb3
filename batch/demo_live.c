/* demo_live.c: orders arrive as the hour of the day has them, and go their way.
 *
 * Orders are drawn like those of any other day (demo_day.c); only when they come is decided here.
 * All times that are written are of now: at a higher speed there are more orders, and each goes its
 * way faster. */
#include "batch/demo_live.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "batch/demo_calendar.h"
#include "batch/demo_live_activity.h"
#include "batch/demo_live_booking.h"
#include "batch/demo_menu.h"
#include "batch/demo_random.h"

enum {
	SPEED_MAX = 1000,
	RATE_MAX = 1000000, /* in ten-thousandths a second */
	MINUTES_MAX = 7 * 24 * 60,
	STEPS = 5,         /* instants of a course: prepared, settled, later, two refunds */
	LATE_S = 3 * 3600, /* what would happen days later happens within that */
	NEAR_S = 1800,     /* the rate of now is that of the orders around */
	DINNER_S = 19 * 3600 + 1800,
	WAIT_MS = 200,
	TERMINAL_MS = 1000,
	PLAIN_MS = 10000,
};

#define LIVE_USAGE                                                                                 \
	"takings-batch demo --live [--speed N] [--rate N] [--minutes M] [--to order_db|kafka]"         \
	" [--seed N]"

struct options {
	int64_t speed, rate, minutes, seed; /* rate: 0: by the hour */
	bool kafka;
};

/* What happens next to an order. */
struct due {
	int64_t at_us;
	struct live_order *order;
};

struct live {
	struct options opt;
	const struct conf *conf;
	struct db *db;
	struct demo_zone zone;
	struct arena arena;
	struct demo_random random;
	struct live_money money;
	int64_t unit_minor;
	struct live_sink sink;
	struct demo_orders drawn;
	int64_t drawn_at; /* the next of them */
	int64_t days_n;   /* how many were drawn */
	int64_t last_id;
	struct due *due; /* a heap, the soonest first */
	size_t due_n, due_cap;
	int64_t next_us;                /* the next order */
	struct live_bookings *bookings; /* NULL: none */
	struct live_activity *activity; /* likewise */
	int64_t orders, served, cancelled, refunds;
	int64_t begun_ms, said_ms;
};

/* ---- the command line ------------------------------------------------------------ */

static bool take_option(struct options *o, const char *name, const char *value)
{
	if (strcmp(name, "--speed") == 0)
		return num_parse_int(value, 1, SPEED_MAX, &o->speed);
	if (strcmp(name, "--rate") == 0)
		return num_parse_decimal(value, 1, INT64_C(10000) * 10000, &o->rate);
	if (strcmp(name, "--minutes") == 0)
		return num_parse_int(value, 1, MINUTES_MAX, &o->minutes);
	if (strcmp(name, "--seed") == 0)
		return num_parse_int(value, 0, INT64_MAX / 2, &o->seed);
	if (strcmp(name, "--to") == 0) {
		o->kafka = strcmp(value, "kafka") == 0;
		return o->kafka || strcmp(value, "order_db") == 0;
	}
	return false;
}

static enum err parse_options(struct options *o, int argc, char **argv, struct errbuf *eb)
{
	*o = (struct options){.speed = 1, .seed = clock_now_us() / 1000};
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--live") == 0)
			continue;
		const char *value = i + 1 < argc ? argv[i + 1] : "";
		if (!take_option(o, argv[i], value))
			return err_set_field(eb, ERR_INVALID, argv[i], "%s \"%s\" is not understood; usage: %s",
			                     argv[i], value, LIVE_USAGE);
		i++;
	}
	return ERR_OK;
}

const char *live_money_text(char out[LIVE_MONEY_TEXT], int64_t minor, int decimals)
{
	if (decimals == 0)
		(void)snprintf(out, LIVE_MONEY_TEXT, "%" PRId64, minor);
	else
		(void)snprintf(out, LIVE_MONEY_TEXT, "%" PRId64 ".%02" PRId64, minor / 100, minor % 100);
	return out;
}

/* ---- what happens when ------------------------------------------------------------- */

static void sift_down(struct live *l, size_t i)
{
	for (;;) {
		size_t least = i, child = 2 * i + 1;
		for (size_t k = child; k < child + 2 && k < l->due_n; k++)
			if (l->due[k].at_us < l->due[least].at_us)
				least = k;
		if (least == i)
			return;
		struct due swap = l->due[i];
		l->due[i] = l->due[least];
		l->due[least] = swap;
		i = least;
	}
}

static void put_due(struct live *l, struct due d)
{
	if (l->due_n == l->due_cap) {
		l->due_cap = l->due_cap ? l->due_cap * 2 : 1024;
		l->due = mem_realloc(l->due, l->due_cap * sizeof *l->due);
	}
	size_t i = l->due_n++;
	for (; i > 0 && l->due[(i - 1) / 2].at_us > d.at_us; i = (i - 1) / 2)
		l->due[i] = l->due[(i - 1) / 2];
	l->due[i] = d;
}

static struct due take_due(struct live *l)
{
	struct due first = l->due[0];
	l->due[0] = l->due[--l->due_n];
	sift_down(l, 0);
	return first;
}

/* The nth instant of the course, by time; INT64_MAX: there is none. */
static int64_t step_at(const struct demo_order *o, int nth)
{
	int64_t at[STEPS] = {o->preparing_s, o->settled_s, o->late_s, INT64_MAX, INT64_MAX};
	for (int i = 0; i < o->refunds_n; i++)
		at[3 + i] = o->refunds[i].at_s;
	for (int i = 1; i < STEPS; i++)
		for (int k = i; k > 0 && at[k] < at[k - 1]; k--) {
			int64_t swap = at[k];
			at[k] = at[k - 1];
			at[k - 1] = swap;
		}
	return nth < STEPS ? at[nth] : INT64_MAX;
}

/* Puts what comes next for the order on the list, or forgets the order. */
static void go_on(struct live *l, struct live_order *o)
{
	int64_t at_s = step_at(&o->course, o->next_step);
	if (at_s == INT64_MAX) {
		free(o);
		return;
	}
	int64_t after_s = at_s - o->course.created_s;
	if (after_s > LATE_S)
		after_s = LATE_S + (after_s - LATE_S) / 1000; /* in the same order */
	put_due(l, (struct due){o->played_us + after_s * 1000000 / l->opt.speed, o});
}

static enum err step(struct live *l, struct live_order *o, struct errbuf *eb)
{
	struct demo_state before, now;
	int64_t at_s = step_at(&o->course, o->next_step++);
	demo_order_state(&o->course, at_s, &before);
	demo_order_state(&o->course, at_s + 1, &now);
	enum err rc = l->sink.change(l->sink.state, o, &before, &now, clock_now_us(), &l->money, eb);
	if (rc == ERR_OK) {
		l->served += strcmp(now.status, "SERVED") == 0 && strcmp(before.status, "SERVED") != 0;
		l->cancelled += now.cancelled_s && !before.cancelled_s;
		l->refunds += now.refunds_n - before.refunds_n;
	}
	go_on(l, o);
	return rc;
}

/* ---- arriving ---------------------------------------------------------------------- */

/* Orders of the last day on which the house was open. */
static void draw(struct live *l)
{
	struct demo_rules rules = {l->opt.seed + l->days_n, l->unit_minor, &l->zone, &l->arena};
	int64_t today = demo_zone_business_date(&l->zone, clock_now_us() / 1000000);
	arena_reset(&l->arena);
	l->days_n++;
	l->drawn.n = l->drawn.lines_n = 0;
	l->drawn_at = 0;
	for (int64_t date = today; l->drawn.n == 0; date--)
		demo_day_draw(&rules, date, &l->drawn);
}

static int64_t seconds_of_day(const struct live *l, int64_t at_s)
{
	int64_t wall_s = demo_zone_wall(&l->zone, at_s);
	return wall_s - demo_date_of_seconds(wall_s) * 86400;
}

static int64_t orders_near(const struct live *l, int64_t day_s)
{
	int64_t n = 0;
	for (int64_t i = 0; i < l->drawn.n; i++) {
		int64_t off_s = llabs(seconds_of_day(l, l->drawn.rows[i].created_s) - day_s);
		n += off_s <= NEAR_S;
	}
	return n;
}

/* Mean time between two orders. When the house is closed, it is dinner time. */
static int64_t gap_us(const struct live *l)
{
	if (l->opt.rate)
		return INT64_C(10000) * 1000000 / l->opt.rate;
	int64_t n = orders_near(l, seconds_of_day(l, clock_now_us() / 1000000));
	if (n == 0)
		n = orders_near(l, DINNER_S);
	return INT64_C(2) * NEAR_S * 1000000 / ((n ? n : 1) * l->opt.speed);
}

static enum err arrive(struct live *l, struct errbuf *eb)
{
	if (l->drawn_at == l->drawn.n)
		draw(l);
	struct live_order *o = mem_alloc(sizeof *o);
	*o = (struct live_order){.course = l->drawn.rows[l->drawn_at++], .played_us = clock_now_us()};
	o->course.id = ++l->last_id;
	enum err rc =
		l->sink.order(l->sink.state, o, &l->drawn.lines[o->course.line_from], &l->money, eb);
	l->orders += rc == ERR_OK;
	if (rc == ERR_OK)
		live_activity_order(l->activity, o, &l->drawn.lines[o->course.line_from], clock_now_us());
	go_on(l, o);
	return rc;
}

/* ---- playing ----------------------------------------------------------------------- */

static void say(struct live *l, bool last)
{
	bool terminal = isatty(STDOUT_FILENO) == 1;
	int64_t now_ms = clock_mono_ms();
	if (!last && now_ms - l->said_ms < (terminal ? TERMINAL_MS : PLAIN_MS))
		return;
	l->said_ms = now_ms;
	char booked[48] = "", visited[48] = "";
	if (live_bookings_n(l->bookings))
		(void)snprintf(booked, sizeof booked, ", %" PRId64 " bookings",
		               live_bookings_n(l->bookings));
	if (live_activity_n(l->activity))
		(void)snprintf(visited, sizeof visited, ", %" PRId64 " events of visits",
		               live_activity_n(l->activity));
	(void)printf("%s%" PRId64 " orders, %" PRId64 " of them served, %" PRId64 " cancelled, %" PRId64
	             " refunds%s%s, in %" PRId64 " s%s",
	             terminal ? "\r" : "", l->orders, l->served, l->cancelled, l->refunds, visited,
	             booked, (now_ms - l->begun_ms) / 1000, terminal && !last ? "   " : "\n");
	(void)fflush(stdout);
}

static enum err play(struct live *l, struct errbuf *eb)
{
	int64_t until_ms = l->opt.minutes ? l->begun_ms + l->opt.minutes * 60000 : INT64_MAX;
	enum err rc = ERR_OK;
	while (rc == ERR_OK && !db_interrupted() && clock_mono_ms() < until_ms) {
		int64_t now_us = clock_now_us();
		say(l, false);
		if (live_bookings_next_us(l->bookings) <= now_us)
			live_bookings_step(l->bookings, now_us);
		if (live_activity_next_us(l->activity) <= now_us)
			live_activity_step(l->activity, now_us);
		if (l->due_n && l->due[0].at_us <= now_us && l->due[0].at_us <= l->next_us) {
			rc = step(l, take_due(l).order, eb);
		} else if (l->next_us <= now_us) {
			rc = arrive(l, eb);
			l->next_us += demo_random_between(&l->random, 0, 2 * gap_us(l));
		} else {
			int64_t next_us =
				l->due_n && l->due[0].at_us < l->next_us ? l->due[0].at_us : l->next_us;
			int64_t wait_ms = (next_us - now_us) / 1000 + 1;
			(void)poll(NULL, 0, wait_ms < WAIT_MS ? (int)wait_ms : WAIT_MS);
		}
	}
	return rc == ERR_INTERRUPTED ? ERR_OK : rc;
}

static enum err open_db(struct live *l, struct errbuf *eb)
{
	const char *url = conf_str(l->conf, CONF_DEMO_URL);
	if (*url == '\0')
		return err_set_field(eb, ERR_CONFIG, conf_name(CONF_DEMO_URL),
		                     "%s is empty; it names order_db with a user that may write,"
		                     " and only demo uses it",
		                     conf_name(CONF_DEMO_URL));
	return db_open(&l->db,
	               &(struct db_options){.name = conf_name(CONF_DEMO_URL),
	                                    .url = url,
	                                    .program = "takings-batch demo"},
	               eb);
}

static enum err set_up(struct live *l, struct errbuf *eb)
{
	int64_t today = demo_date_of_seconds(clock_now_us() / 1000000);
	l->money.currency = conf_str(l->conf, CONF_DEFAULT_CURRENCY);
	if (!demo_menu_currency(l->money.currency, &l->money.decimals, &l->unit_minor))
		return err_set_field(eb, ERR_CONFIG, conf_name(CONF_DEFAULT_CURRENCY),
		                     "demo needs a currency with at most two decimals, not %s",
		                     l->money.currency);
	enum err rc = open_db(l, eb);
	if (rc == ERR_OK)
		rc =
			demo_zone_load(&l->zone, l->db, conf_str(l->conf, CONF_BUSINESS_TIMEZONE),
		                   conf_int(l->conf, CONF_BUSINESS_DAY_CUTOFF), today - 60, today + 60, eb);
	if (rc == ERR_OK)
		rc = l->opt.kafka ? live_sink_kafka(&l->sink, l->conf, &l->last_id, eb)
		                  : live_sink_order_db(&l->sink, l->db, &l->last_id, eb);
	if (rc != ERR_OK)
		return rc;
	demo_random_init(&l->random, l->opt.seed, 0);
	draw(l);
	l->begun_ms = l->said_ms = clock_mono_ms();
	l->next_us = clock_now_us();
	l->bookings = live_bookings_open(l->conf, l->opt.speed, l->opt.seed);
	l->activity =
		live_activity_open(l->conf, &l->zone, &l->money, l->unit_minor, l->opt.speed, l->opt.seed);
	(void)printf("Playing the demo restaurant, about %" PRId64 " orders an hour; Ctrl-C ends it.\n",
	             INT64_C(3600) * 1000000 / gap_us(l));
	(void)fflush(stdout);
	return ERR_OK;
}

enum job_exit demo_live(const struct conf *conf, int argc, char **argv)
{
	struct live l = {.conf = conf};
	struct errbuf eb = {0};
	arena_init(&l.arena);
	enum err rc = parse_options(&l.opt, argc, argv, &eb);
	if (rc == ERR_OK)
		rc = set_up(&l, &eb);
	if (rc == ERR_OK) {
		rc = play(&l, &eb);
		say(&l, true);
	}
	if (rc != ERR_OK)
		log_err("demo_failed", &eb);
	while (l.due_n)
		free(l.due[--l.due_n].order);
	free(l.due);
	if (l.sink.close)
		l.sink.close(l.sink.state);
	live_bookings_close(l.bookings);
	live_activity_close(l.activity);
	db_close(l.db);
	demo_orders_fini(&l.drawn);
	demo_zone_fini(&l.zone);
	arena_fini(&l.arena);
	return job_exit_of(rc);
}
