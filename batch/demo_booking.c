/* demo_booking.c: see demo_booking.h. What has happened until now is told in the order in which it
 * happened; whatever was told before is known there and changes nothing. */
#include "batch/demo_booking.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/num.h"
#include "batch/demo_calendar.h"
#include "batch/demo_event.h"
#include "batch/demo_menu.h"
#include "db/analytics.h"
#include "domain/inbox.h"

enum { WEEKS_BACK = 17, WEEKS_AHEAD = 8, PIECE = 2000, ZONE_MARGIN_DAYS = 120, AMOUNT_TEXT = 32 };

static const char USAGE[] = "takings-batch demo --bookings [--seed N]";

struct message {
	int64_t at_s, n; /* n: in the order in which they were made */
	const char *text;
	int64_t event_id;
};

struct teller {
	const struct conf *conf;
	int64_t seed, now_s, unit_minor;
	int decimals;
	struct db *db;
	struct demo_zone zone;
	struct arena arena; /* texts of messages */
	struct message *messages;
	size_t n, cap;
	int64_t events, bookings;
};

/* ---- what is said ------------------------------------------------------------------ */

/* Nothing is told before it happens. */
static void tell(struct teller *t, const struct demo_event *e, int64_t at_s, const char *more)
{
	char at[CLOCK_TEXT];
	if (at_s > t->now_s)
		return;
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 4096;
		t->messages = mem_realloc(t->messages, t->cap * sizeof *t->messages);
	}
	clock_format_utc(at_s * 1000000, at);
	t->messages[t->n] =
		(struct message){at_s, (int64_t)t->n,
	                     arena_printf(&t->arena, "{%s, \"occurred_at\": \"%s\"}", more, at), e->id};
	t->n++;
}

static const char *amount_text(const struct teller *t, int64_t tenths, char out[AMOUNT_TEXT])
{
	int64_t minor = tenths * t->unit_minor;
	if (t->decimals == 0)
		(void)snprintf(out, AMOUNT_TEXT, "%" PRId64, minor);
	else
		(void)snprintf(out, AMOUNT_TEXT, "%" PRId64 ".%02" PRId64, minor / 100, minor % 100);
	return out;
}

static void tell_booking(void *arg, const struct demo_event *e, const struct demo_booking *b)
{
	struct teller *t = arg;
	struct arena *a = &t->arena;
	char amount[AMOUNT_TEXT];
	if (b->created_s > t->now_s)
		return;
	const char *user = b->user ? arena_printf(a, "regular-%03" PRId64, b->user)
	                           : arena_printf(a, "guest-%" PRId64 "-%" PRId64, e->id, b->number);
	const char *of =
		arena_printf(a, "\"booking_id\": \"D-%" PRId64 "-%04" PRId64 "\", \"event_id\": %" PRId64,
	                 e->id, b->number, e->id);
	if (!b->user)
		tell(t, e, b->created_s - 90,
		     arena_printf(a, "\"type\": \"user.created\", \"user_id\": \"%s\"", user));
	tell(t, e, b->created_s,
	     arena_printf(a,
	                  "\"type\": \"booking.created\", %s, \"user_id\": \"%s\", \"seats\": %" PRId64
	                  ", \"amount\": \"%s\", \"currency\": \"%s\"%s",
	                  of, user, b->seats, amount_text(t, b->seats * e->price_tenths, amount),
	                  conf_str(t->conf, CONF_DEFAULT_CURRENCY),
	                  b->confirmed_at_once ? ", \"status\": \"confirmed\"" : ""));
	if (b->confirmed_s && !b->confirmed_at_once)
		tell(t, e, b->confirmed_s, arena_printf(a, "\"type\": \"booking.confirmed\", %s", of));
	if (b->cancelled_s)
		tell(t, e, b->cancelled_s, arena_printf(a, "\"type\": \"booking.cancelled\", %s", of));
	t->bookings++;
}

static void tell_event(struct teller *t, const struct demo_event *e)
{
	struct arena *a = &t->arena;
	char times[4][CLOCK_TEXT];
	struct buf name;
	int64_t first = e->raised_s ? e->capacity * 10 / 11 : e->capacity;
	const char *capacity = e->capacity ? arena_printf(a, "%" PRId64, first) : "null";
	clock_format_utc(e->starts_s * 1000000, times[0]);
	clock_format_utc(e->ends_s * 1000000, times[1]);
	clock_format_utc(e->sales_s * 1000000, times[2]);
	clock_format_utc((e->starts_s - 1800) * 1000000, times[3]);
	buf_init(&name);
	json_text_put(&name, e->name, strlen(e->name));
	tell(t, e, e->created_s,
	     arena_printf(
			 a,
			 "\"type\": \"event.created\", \"event_id\": %" PRId64
			 ", \"name\": %s, \"category\": \"%s\", \"capacity\": %s, \"currency\": \"%s\", "
			 "\"starts_at\": \"%s\", \"ends_at\": \"%s\", \"sales_from\": \"%s\", "
			 "\"sales_until\": \"%s\"",
			 e->id, buf_str(&name), e->category, capacity, conf_str(t->conf, CONF_DEFAULT_CURRENCY),
			 times[0], times[1], times[2], times[3]));
	buf_fini(&name);
	tell(t, e, e->sales_s,
	     arena_printf(a, "\"type\": \"event.published\", \"event_id\": %" PRId64, e->id));
	if (e->raised_s)
		tell(t, e, e->raised_s,
		     arena_printf(a,
		                  "\"type\": \"event.updated\", \"event_id\": %" PRId64
		                  ", \"capacity\": %" PRId64,
		                  e->id, e->capacity));
	if (e->cancelled_s)
		tell(t, e, e->cancelled_s,
		     arena_printf(a, "\"type\": \"event.cancelled\", \"event_id\": %" PRId64, e->id));
	t->events += e->created_s <= t->now_s;
}

static int by_time(const void *one, const void *other)
{
	const struct message *a = one, *b = other;
	if (a->at_s != b->at_s)
		return a->at_s < b->at_s ? -1 : 1;
	return (a->n > b->n) - (a->n < b->n);
}

static void tell_all(struct teller *t)
{
	int64_t today = demo_date_of_seconds(t->now_s), week = demo_event_week(today);
	for (int64_t w = week - WEEKS_BACK; w <= week + WEEKS_AHEAD; w++)
		for (int nth = 0; nth < DEMO_EVENTS_A_WEEK; nth++) {
			struct demo_event e;
			if (!demo_event_draw(t->seed, w, nth, &t->zone, &e))
				continue;
			tell_event(t, &e);
			demo_event_bookings(t->seed, &e, &t->zone, tell_booking, t);
		}
	if (t->n)
		qsort(t->messages, t->n, sizeof *t->messages, by_time);
}

/* ---- putting it into the inbox -------------------------------------------------------- */

static enum err put_piece(struct teller *t, struct inbox *in, size_t from, int64_t *added,
                          struct errbuf *eb)
{
	struct inbox_written written;
	enum err rc = ERR_OK;
	char position[64];
	inbox_clear(in);
	for (size_t i = from; rc == ERR_OK && i < t->n && i < from + PIECE; i++) {
		const struct message *m = &t->messages[i];
		(void)snprintf(position, sizeof position, "seed %" PRId64 "/%" PRId64, t->seed,
		               m->event_id);
		rc = inbox_put(in, "demo", position, NULL, m->text, strlen(m->text), true, eb);
	}
	if (rc == ERR_OK)
		rc = inbox_write(in, t->db, &written, eb);
	if (rc == ERR_OK)
		*added += written.added;
	return rc;
}

/* All of it or nothing; never beside bookings of somebody else. */
static enum err put_all(struct teller *t, int64_t *added, struct errbuf *eb)
{
	struct rowset rs = {0};
	struct inbox *in = inbox_new();
	enum err rc = db_command(t->db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = db_query(t->db, "demo_inbox", DB_NO_PARAMS, &rs, eb);
	if (rc == ERR_OK && *rowset_get(&rs, 0, "strange") == 't')
		rc =
			err_set(eb, ERR_INVALID,
		            "the inbox holds messages that demo did not make; bookings of the demo need an "
		            "analytics_db of their own");
	for (size_t from = 0; rc == ERR_OK && from < t->n; from += PIECE)
		rc = put_piece(t, in, from, added, eb);
	if (rc == ERR_OK)
		rc = db_command(t->db, "COMMIT", eb);
	if (rc != ERR_OK)
		db_rollback(t->db);
	rowset_fini(&rs);
	inbox_free(in);
	return rc;
}

/* ---- the whole ------------------------------------------------------------------------ */

static enum err parse_options(struct teller *t, int argc, char **argv, struct errbuf *eb)
{
	t->seed = 1;
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--bookings") == 0)
			continue;
		const char *value = i + 1 < argc ? argv[i + 1] : "";
		if (strcmp(argv[i], "--seed") != 0 || !num_parse_int(value, 0, INT64_MAX, &t->seed))
			return err_set_field(eb, ERR_INVALID, argv[i], "%s \"%s\" is not understood; usage: %s",
			                     argv[i], value, USAGE);
		i++;
	}
	return ERR_OK;
}

static enum err set_up(struct teller *t, struct errbuf *eb)
{
	int64_t today = demo_date_of_seconds(t->now_s);
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
		rc = demo_zone_load(&t->zone, t->db, conf_str(t->conf, CONF_BUSINESS_TIMEZONE),
		                    conf_int(t->conf, CONF_BUSINESS_DAY_CUTOFF),
		                    today - 7 * WEEKS_BACK - ZONE_MARGIN_DAYS,
		                    today + 7 * WEEKS_AHEAD + ZONE_MARGIN_DAYS, eb);
	return rc;
}

enum job_exit demo_bookings(const struct conf *conf, int argc, char **argv)
{
	struct teller t = {.conf = conf, .now_s = clock_now_us() / 1000000};
	struct errbuf eb = {0};
	int64_t added = 0;
	arena_init(&t.arena);
	enum err rc = parse_options(&t, argc, argv, &eb);
	if (rc == ERR_OK)
		rc = set_up(&t, &eb);
	if (rc == ERR_OK) {
		tell_all(&t);
		rc = put_all(&t, &added, &eb);
	}
	if (rc == ERR_OK) {
		(void)printf("%" PRId64 " bookings of %" PRId64 " events in %zu messages, %" PRId64
		             " of them new, from seed %" PRId64 "; takings-stream reads them.\n",
		             t.bookings, t.events, t.n, added, t.seed);
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
