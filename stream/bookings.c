/* bookings.c: rows of the inbox take effect: states, figures and the row's mark in one transaction,
 * then ranks. Any process of the stream does it, one at a time by a lock of each transaction: who
 * dies leaves nothing behind, and the next goes on. sql/migrations/011_booking_figures.sql is what
 * is done, docs/BOOKINGS.md what it means. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "db/analytics.h"
#include "stream/apply.h"
#include "stream/bookings_rows.h"
#include "stream/parts.h"
#include "stream/settle.h"

enum {
	POLL_MS = 1000,      /* longest time without a look into the inbox */
	TICK_MS = 100,       /* longest time without a look whether it is over */
	RANKS_MS = 300,      /* least time between two refreshes of the ranks */
	RANKS_MAX_MS = 5000, /* at most so long even where they take long */
	RANKS_SHARE = 4,     /* so many times as long as a refresh took are the batches' */
	LOOK_MS = 2000,      /* between two looks at how the inbox is */
	OLD_MS = 60000,      /* a message should not wait longer */
	FAILED_MS = 60000    /* so long it is said that one failed */
};

#define TRIES "8"

struct bookings {
	struct part *part;
	struct db *db; /* NULL: none */
	struct bookings_rows rows;
	char after[24];       /* the last row of the batch before, where that was full; else "0" */
	int64_t swept_ms;     /* when rows were last looked for from the first one on */
	int64_t ranks_due_ms; /* ranks are not made again before */
	int64_t looked_ms;    /* when the inbox was last looked at */
	int64_t lag_ms;       /* what was seen then */
	int64_t failed_ms;    /* when a row last failed; 0: never */
	char why[512];        /* with what */
	bool busy;            /* another process is at work, as last seen */
};

static bool answer_is(const struct rowset *rs, const char *name)
{
	const char *text = rowset_rows(rs) ? rowset_get(rs, 0, name) : NULL;
	return text && *text == 't';
}

/* ERR_LOCKED: another process is at it. */
static enum err begin(struct bookings *b, const char *how, struct errbuf *eb)
{
	bool mine = false;
	enum err rc = db_command(b->db, how, eb);
	if (rc == ERR_OK)
		rc = settle_ask(b->db, "bookings_lock", "mine", DB_NO_PARAMS, &mine, eb);
	b->busy = rc == ERR_OK && !mine;
	return b->busy ? ERR_LOCKED : rc;
}

/* Ends what begin began; ERR_TIMEOUT for what will pass by itself. */
static enum err end(struct bookings *b, enum err rc, struct errbuf *eb)
{
	if (rc == ERR_OK)
		rc = db_command(b->db, "COMMIT", eb);
	if (rc == ERR_OK)
		return rc;
	rc = apply_passing(b->db, rc, eb);
	db_rollback(b->db);
	return rc;
}

/* By which clock, currency and capacity figures are made. */
static enum err settle_bookings(struct bookings *b, struct errbuf *eb)
{
	static const struct settling settling = {"bookings", "bookings_lock_wait", "bookings_fits",
	                                         "bookings_settle", "bookings_rebuild"};
	const struct conf *conf = part_conf(b->part);
	return settle(&settling, conf, b->db,
	              DB_PARAMS({"timezone", conf_str(conf, CONF_BUSINESS_TIMEZONE)},
	                        {"cutoff", conf_str(conf, CONF_BUSINESS_DAY_CUTOFF)},
	                        {"currency", conf_str(conf, CONF_DEFAULT_CURRENCY)},
	                        {"unlimited", conf_str(conf, CONF_CAPACITY_UNLIMITED)}),
	              eb);
}

/* ---- a batch ------------------------------------------------------------------------- */

/* The states' answer is what the figures are asked with: its columns are their parameters. */
static enum err take(struct bookings *b, struct errbuf *eb)
{
	enum { COLUMNS = 6 };
	struct db_param params[COLUMNS + 1] = {{NULL, NULL}};
	struct rowset rs;
	bool changed = false;
	enum err rc = db_query(b->db, "bookings_states",
	                       DB_PARAMS({"messages", buf_str(&b->rows.messages)}), &rs, eb);
	failpoint_pass(FP_stream_bookings_states);
	must(rc != ERR_OK || rowset_cols(&rs) == COLUMNS);
	for (int i = 0; rc == ERR_OK && i < COLUMNS; i++) {
		params[i] = (struct db_param){rowset_name(&rs, i), rowset_text(&rs, 0, i)};
		changed = changed || params[i].text;
	}
	if (rc == ERR_OK && changed)
		rc = db_query(b->db, "bookings_figures", params, NULL, eb);
	failpoint_pass(FP_stream_bookings_figures);
	rowset_fini(&rs);
	return rc;
}

/* The rows that were claimed take effect; ERR_NOTHING: there is none. */
static enum err put(struct bookings *b, const struct rowset *claimed, struct errbuf *eb)
{
	struct bookings_rows *r = &b->rows;
	failpoint_pass(FP_stream_bookings_claimed);
	bookings_rows_read(r, claimed);
	enum err rc = r->n ? ERR_OK : ERR_NOTHING;
	if (rc == ERR_OK && r->messages_n)
		rc = take(b, eb);
	if (rc == ERR_OK && r->dead_n)
		rc = db_query(b->db, "bookings_dead", DB_PARAMS({"rows", buf_str(&r->dead)}), NULL, eb);
	if (rc == ERR_OK && r->messages_n)
		rc = db_query(b->db, "bookings_done", DB_PARAMS({"ids", buf_str(&r->good)}), NULL, eb);
	return rc;
}

/* One transaction of the rows that a statement claims. */
static enum err run_batch(struct bookings *b, const char *claim, const struct db_param *params,
                          struct errbuf *eb)
{
	struct rowset rs = {0};
	b->rows.n = 0;
	enum err rc = begin(b, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = db_query(b->db, claim, params, &rs, eb);
	if (rc == ERR_OK)
		rc = put(b, &rs, eb);
	rowset_fini(&rs);
	if (rc == ERR_OK)
		failpoint_pass(FP_stream_bookings_committing);
	rc = end(b, rc, eb);
	if (rc == ERR_OK) {
		failpoint_pass(FP_stream_bookings_committed);
		stat_add(STAT_INBOX_DONE, b->rows.messages_n);
	}
	return rc;
}

/* ---- a batch that the database will not have ------------------------------------------ */

/* Whether a row is to blame, and not the moment or the program: what this was refused with. */
static bool is_of_data(const struct bookings *b, enum err rc)
{
	const char *state = db_sqlstate(b->db);
	return rc == ERR_DB && (strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0 ||
	                        strncmp(state, "54", 2) == 0);
}

static enum err note_failed(struct bookings *b, int64_t id, const struct errbuf *why,
                            struct errbuf *eb)
{
	char text[24];
	struct rowset rs;
	(void)snprintf(text, sizeof text, "%lld", (long long)id);
	enum err rc =
		db_query(b->db, "bookings_failed",
	             DB_PARAMS({"id", text}, {"error", why->text}, {"tries", TRIES}), &rs, eb);
	if (rc == ERR_OK && rowset_rows(&rs)) {
		bool dead = answer_is(&rs, "dead");
		stat_add(STAT_INBOX_RETRIES, !dead);
		LOG(LOG_WARNING, "inbox_row_failed", LOG_INT("id", id),
		    LOG_INT("attempts", rowset_int(&rs, 0, "attempts")), LOG_INT("dead", dead),
		    LOG_STR("error", why->text), LOG_END);
		b->failed_ms = clock_mono_ms();
		(void)snprintf(b->why, sizeof b->why, "a message cannot take effect: %.400s", why->text);
	}
	rowset_fini(&rs);
	return rc == ERR_OK ? rc : apply_passing(b->db, rc, eb);
}

/* Rows of a batch that was refused once more, in halves, until those to blame are alone. */
static enum err divide(struct bookings *b, const int64_t *ids, int n, const struct errbuf *why,
                       struct errbuf *eb)
{
	if (n == 1)
		return note_failed(b, ids[0], why, eb);
	enum err rc = ERR_OK;
	for (int half = 0; rc == ERR_OK && half < 2; half++) {
		int from = half ? n / 2 : 0, until = half ? n : n / 2;
		struct errbuf again = {0};
		struct buf list;
		buf_init(&list);
		for (int i = from; i < until; i++)
			buf_printf(&list, "%c%lld", i > from ? ',' : '{', (long long)ids[i]);
		buf_putc(&list, '}');
		rc = run_batch(b, "bookings_claim_again", DB_PARAMS({"ids", buf_str(&list)}), &again);
		buf_fini(&list);
		if (is_of_data(b, rc))
			rc = divide(b, ids + from, until - from, &again, eb);
		else if (rc == ERR_NOTHING)
			rc = ERR_OK;
		else if (rc != ERR_OK && rc != ERR_LOCKED)
			rc = err_set(eb, rc, "%s", again.text);
	}
	return rc;
}

/* The next rows that are due; *full: there may be more. */
static enum err next_batch(struct bookings *b, bool *full, struct errbuf *eb)
{
	const char *most = conf_str(part_conf(b->part), CONF_EVENT_PROCESSING_BATCH_SIZE);
	struct errbuf why = {0};
	int64_t now_ms = clock_mono_ms();
	if (now_ms - b->swept_ms >= POLL_MS)
		(void)snprintf(b->after, sizeof b->after, "0");
	if (strcmp(b->after, "0") == 0)
		b->swept_ms = now_ms;
	enum err rc =
		run_batch(b, "bookings_claim", DB_PARAMS({"after", b->after}, {"most", most}), &why);
	*full = b->rows.n >= conf_int(part_conf(b->part), CONF_EVENT_PROCESSING_BATCH_SIZE);
	(void)snprintf(b->after, sizeof b->after, "%lld",
	               *full ? (long long)b->rows.ids[b->rows.n - 1] : 0LL);
	if (is_of_data(b, rc)) {
		int n = b->rows.n;
		int64_t *ids = mem_alloc((size_t)n * sizeof *ids);
		memcpy(ids, b->rows.ids, (size_t)n * sizeof *ids);
		rc = divide(b, ids, n, &why, eb);
		free(ids);
	}
	if (rc == ERR_NOTHING || rc == ERR_LOCKED)
		return ERR_OK;
	return rc == ERR_OK ? rc : err_set(eb, rc, "%s", why.text);
}

/* ---- ranks ------------------------------------------------------------------------------ */

/* SERIALIZABLE: all ranks and sums are of one moment. With the lock nobody else changes what they
 * are made of. */
static enum err make_ranks(struct bookings *b, struct errbuf *eb)
{
	enum err rc = begin(b, "BEGIN ISOLATION LEVEL SERIALIZABLE", eb);
	if (rc == ERR_OK)
		rc = db_query(b->db, "bookings_ranks", DB_NO_PARAMS, NULL, eb);
	rc = end(b, rc, eb);
	if (rc == ERR_OK)
		failpoint_pass(FP_stream_bookings_ranked);
	return rc == ERR_LOCKED ? ERR_OK : rc;
}

/* Where they take long, most of the time is still the batches'. */
static int64_t ranks_pause_ms(int64_t took_ms)
{
	int64_t pause_ms = RANKS_SHARE * took_ms;
	return pause_ms < RANKS_MS ? RANKS_MS : pause_ms > RANKS_MAX_MS ? RANKS_MAX_MS : pause_ms;
}

static enum err refresh(struct bookings *b, struct errbuf *eb)
{
	bool stale = false;
	int64_t begun_ms = clock_mono_ms();
	if (begun_ms < b->ranks_due_ms)
		return ERR_OK;
	enum err rc = settle_ask(b->db, "bookings_stale", "stale", DB_NO_PARAMS, &stale, eb);
	if (rc == ERR_OK && stale) {
		rc = make_ranks(b, eb);
		b->ranks_due_ms = clock_mono_ms() + ranks_pause_ms(clock_mono_ms() - begun_ms);
		if (rc == ERR_TIMEOUT && strncmp(db_sqlstate(b->db), "40", 2) == 0) {
			err_clear(eb); /* another process was at it a moment ago: again */
			rc = ERR_OK;
		}
	}
	return rc;
}

/* ---- how it is ---------------------------------------------------------------------------- */

static void say(struct bookings *b)
{
	if (b->failed_ms && clock_mono_ms() - b->failed_ms < FAILED_MS)
		part_say(b->part, HEALTH_DEGRADED, b->why);
	else if (b->lag_ms > OLD_MS)
		part_say(b->part, HEALTH_DEGRADED,
		         "messages about bookings have been waiting for more than a minute");
	else
		part_say(b->part, HEALTH_OK, "");
}

static enum err look(struct bookings *b, struct errbuf *eb)
{
	struct rowset rs;
	if (clock_mono_ms() - b->looked_ms < LOOK_MS)
		return ERR_OK;
	enum err rc = db_query(b->db, "bookings_look", DB_NO_PARAMS, &rs, eb);
	if (rc == ERR_OK) {
		b->looked_ms = clock_mono_ms();
		b->lag_ms = rowset_int(&rs, 0, "lag_ms");
		stat_set(STAT_INBOX, rowset_int(&rs, 0, "open"));
		stat_set(STAT_INBOX_DEAD, rowset_int(&rs, 0, "dead"));
		stat_set(STAT_INBOX_LAG_MS, b->lag_ms);
	}
	rowset_fini(&rs);
	return rc;
}

/* ---- the part ------------------------------------------------------------------------------- */

static void on_notify(void *arg, const char *channel, const char *payload)
{
	(void)channel;
	(void)payload;
	*(bool *)arg = true;
}

/* Until there is news, it is time for something, or it is over. */
static enum err rest(struct bookings *b, struct errbuf *eb)
{
	bool news = false;
	enum err rc = ERR_OK;
	int64_t now_ms = clock_mono_ms(), until_ms = now_ms + POLL_MS;
	if (b->ranks_due_ms > now_ms && b->ranks_due_ms < until_ms)
		until_ms = b->ranks_due_ms;
	while (rc == ERR_OK && !news && !part_stopping(b->part) &&
	       (now_ms = clock_mono_ms()) < until_ms)
		rc = db_wait_notify(b->db, until_ms - now_ms < TICK_MS ? (int)(until_ms - now_ms) : TICK_MS,
		                    on_notify, &news, eb);
	if (b->busy && rc == ERR_OK) /* whoever is at it takes what is new, too */
		(void)part_sleep(b->part, TICK_MS);
	return rc;
}

static enum err serve(struct bookings *b, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	while (rc == ERR_OK && !part_stopping(b->part)) {
		bool full = false;
		rc = settle_bookings(b, eb);
		if (rc == ERR_OK)
			rc = next_batch(b, &full, eb);
		if (rc == ERR_OK)
			rc = refresh(b, eb);
		if (rc == ERR_OK)
			rc = look(b, eb);
		if (rc == ERR_OK) {
			say(b);
			part_recovered(b->part);
		}
		if (rc == ERR_OK && !full)
			rc = rest(b, eb);
	}
	return rc;
}

static enum err open_db(struct bookings *b, struct errbuf *eb)
{
	enum err rc =
		analytics_open(&b->db, part_conf(b->part), ANALYTICS_STREAM, "takings-stream bookings", eb);
	if (rc == ERR_OK)
		rc = analytics_schema_check(b->db, eb);
	if (rc == ERR_OK)
		rc = db_script(b->db, "bookings_session", eb);
	return rc == ERR_OK ? db_listen(b->db, "takings_inbox", eb) : rc;
}

static void run(struct part *p)
{
	struct bookings b = {.part = p, .after = "0"};
	bookings_rows_init(&b.rows);
	do {
		struct errbuf eb = {0};
		enum err rc = ERR_OK;
		if (!b.db || !db_alive(b.db)) {
			db_close(b.db);
			b.db = NULL;
			rc = open_db(&b, &eb);
		}
		if (rc == ERR_OK)
			rc = serve(&b, &eb);
		if (rc != ERR_OK) {
			part_say_error(p, HEALTH_DEGRADED, &eb);
			db_close(b.db);
			b.db = NULL;
		}
	} while (!part_back_off(p));
	db_close(b.db);
	bookings_rows_fini(&b.rows);
}

const struct part_kind part_bookings = {"bookings", PART_SOURCE, NULL, run};
