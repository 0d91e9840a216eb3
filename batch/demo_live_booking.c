/* demo_live_booking.c: see demo_live_booking.h. Messages go into the inbox, as those of a shop
 * would. */
#include "batch/demo_live_booking.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/analytics.h"
#include "domain/inbox.h"

enum { WAITING = 256, GAP_S = 12, TEXT = 320, ID_TEXT = 40, PERSONS = 500 };

/* A booking that is confirmed next, or, if it is, cancelled. */
struct waiting {
	int64_t at_us;
	int64_t event_id;
	char id[ID_TEXT];
	bool confirmed;
};

struct live_bookings {
	struct db *db;
	struct inbox *in;
	struct demo_random random;
	struct waiting waiting[WAITING];
	int waiting_n;
	int64_t speed, next_us, made;
	bool failed;
};

struct live_bookings *live_bookings_open(const struct conf *conf, int64_t speed, int64_t seed)
{
	struct live_bookings *l = mem_alloc(sizeof *l);
	struct errbuf away = {0};
	*l = (struct live_bookings){.speed = speed, .next_us = clock_now_us(), .in = inbox_new()};
	demo_random_init(&l->random, seed, 1);
	enum err rc = analytics_open(&l->db, conf, ANALYTICS_WRITE, "takings-batch demo", &away);
	if (rc == ERR_OK)
		rc = analytics_schema_check(l->db, &away);
	if (rc == ERR_OK)
		return l;
	live_bookings_close(l);
	return NULL;
}

void live_bookings_close(struct live_bookings *l)
{
	if (!l)
		return;
	db_close(l->db);
	inbox_free(l->in);
	free(l);
}

int64_t live_bookings_n(const struct live_bookings *l)
{
	return l ? l->made : 0;
}

int64_t live_bookings_next_us(const struct live_bookings *l)
{
	if (!l || l->failed)
		return INT64_MAX;
	int64_t next_us = l->next_us;
	for (int i = 0; i < l->waiting_n; i++)
		if (l->waiting[i].at_us < next_us)
			next_us = l->waiting[i].at_us;
	return next_us;
}

static enum err tell(struct live_bookings *l, const char *text, struct errbuf *eb)
{
	struct inbox_written written;
	inbox_clear(l->in);
	enum err rc = inbox_put(l->in, "demo", "live", NULL, text, strlen(text), true, eb);
	return rc == ERR_OK ? inbox_write(l->in, l->db, &written, eb) : rc;
}

static int64_t soon_us(struct live_bookings *l, int64_t lo_s, int64_t hi_s)
{
	return demo_random_between(&l->random, lo_s * 1000, hi_s * 1000) * 1000 / l->speed;
}

static enum err tell_created(struct live_bookings *l, const struct rowset *rs, const char *seats,
                             int64_t now_us, struct errbuf *eb)
{
	struct waiting *w = &l->waiting[l->waiting_n++];
	char at[CLOCK_TEXT], text[TEXT];
	*w = (struct waiting){.at_us = now_us + soon_us(l, 10, 60),
	                      .event_id = rowset_int(rs, 0, "event_id")};
	(void)snprintf(w->id, sizeof w->id, "L-%" PRId64, now_us);
	clock_format_utc(now_us, at);
	(void)snprintf(text, sizeof text,
	               "{\"type\": \"booking.created\", \"booking_id\": \"%s\", \"event_id\": %" PRId64
	               ", \"user_id\": \"regular-%03" PRId64
	               "\", \"seats\": %s, \"amount\": \"%s\", \"currency\": \"%s\", "
	               "\"occurred_at\": \"%s\"}",
	               w->id, w->event_id, demo_random_between(&l->random, 1, PERSONS), seats,
	               rowset_get(rs, 0, "amount"), rowset_get(rs, 0, "currency"), at);
	l->made++;
	return tell(l, text, eb);
}

/* Somebody books an event that is on sale; where there is none, nobody does. */
static enum err book(struct live_bookings *l, int64_t now_us, struct errbuf *eb)
{
	struct rowset rs = {0};
	const char *seats = demo_random_chance(&l->random, 6000) ? "1" : "2";
	l->next_us = now_us + soon_us(l, 0, INT64_C(2) * GAP_S);
	if (l->waiting_n == WAITING)
		return ERR_OK;
	enum err rc = db_query(l->db, "demo_bookable", DB_PARAMS({"seats", seats}), &rs, eb);
	if (rc == ERR_OK && rowset_rows(&rs) > 0)
		rc = tell_created(l, &rs, seats, now_us, eb);
	rowset_fini(&rs);
	return rc;
}

/* Confirms the ith of those that wait, or cancels it; a few of those confirmed wait on. */
static enum err go_on(struct live_bookings *l, int i, int64_t now_us, struct errbuf *eb)
{
	struct waiting w = l->waiting[i];
	char at[CLOCK_TEXT], text[TEXT];
	clock_format_utc(now_us, at);
	(void)snprintf(text, sizeof text,
	               "{\"type\": \"booking.%s\", \"booking_id\": \"%s\", \"event_id\": %" PRId64
	               ", \"occurred_at\": \"%s\"}",
	               w.confirmed ? "cancelled" : "confirmed", w.id, w.event_id, at);
	bool stays = !w.confirmed && demo_random_chance(&l->random, 700);
	w.at_us = now_us + soon_us(l, 60, 600);
	w.confirmed = true;
	l->waiting[i] = stays ? w : l->waiting[--l->waiting_n];
	return tell(l, text, eb);
}

void live_bookings_step(struct live_bookings *l, int64_t now_us)
{
	struct errbuf eb = {0};
	enum err rc = ERR_OK;
	for (int i = l->waiting_n - 1; rc == ERR_OK && i >= 0; i--)
		if (l->waiting[i].at_us <= now_us)
			rc = go_on(l, i, now_us, &eb);
	if (rc == ERR_OK && l->next_us <= now_us)
		rc = book(l, now_us, &eb);
	l->failed = rc != ERR_OK;
	if (l->failed && rc != ERR_INTERRUPTED)
		log_err("demo_bookings_ended", &eb);
}
