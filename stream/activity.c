/* activity.c: tracked events take effect: people, sessions and figures in one transaction, with the
 * batches they were stored in. Any process of the stream does it, one at a time by a lock of each
 * transaction: who dies leaves nothing behind, and the next goes on. What is done is said by
 * sql/migrations/014_activity_figures.sql, what it means by docs/ACTIVITY.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "db/analytics.h"
#include "stream/apply.h"
#include "stream/parts.h"
#include "stream/sequences.h"
#include "stream/settle.h"

enum {
	POLL_MS = 1000,    /* longest time without a look for batches */
	TICK_MS = 100,     /* longest time without a look whether it is over */
	LOOK_MS = 1000,    /* between two looks at how much waits */
	OLD_MS = 60000,    /* an event should not wait longer */
	LEAST = 1000,      /* events of one transaction while they take long, */
	MOST = 20000,      /* and while many wait */
	QUICK_MS = 1000,   /* a transaction should not take longer: others want the processors, too */
	SKIPPED = 16,      /* batches that are remembered as refused */
	SKIPPED_MS = 60000 /* so long; then they are tried again */
};

struct activity {
	struct part *part;
	struct db *db;             /* NULL: none */
	int most;                  /* events of the next transaction */
	struct buf batches;        /* of this one, as an array */
	int64_t events;            /* in them; 0: there was none */
	char skipped[SKIPPED][24]; /* batches that the database will not have */
	int skipped_n;
	int64_t skipped_ms; /* when the last of them was refused */
	int64_t looked_ms;  /* when it was last looked how much waits */
	int64_t lag_ms;     /* what was seen then */
	char why[512];      /* with what a batch was refused */
	bool busy;          /* another process is at work, as last seen */
	struct sequences sequences;
};

/* By which clock, gap and currency sessions and figures are made. */
static enum err settle_activity(struct activity *a, struct errbuf *eb)
{
	static const struct settling settling = {"activity", "activity_apply_lock_wait",
	                                         "activity_apply_fits", "activity_apply_settle",
	                                         "activity_apply_rebuild"};
	const struct conf *conf = part_conf(a->part);
	return settle(&settling, conf, a->db,
	              DB_PARAMS({"timezone", conf_str(conf, CONF_BUSINESS_TIMEZONE)},
	                        {"cutoff", conf_str(conf, CONF_BUSINESS_DAY_CUTOFF)},
	                        {"timeout", conf_str(conf, CONF_SESSION_TIMEOUT)},
	                        {"currency", conf_str(conf, CONF_DEFAULT_CURRENCY)}),
	              eb);
}

/* ---- a transaction ------------------------------------------------------------------- */

/* ERR_LOCKED: another process is at it. */
static enum err begin(struct activity *a, struct errbuf *eb)
{
	bool mine = false;
	enum err rc = db_command(a->db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = settle_ask(a->db, "activity_apply_lock", "mine", DB_NO_PARAMS, &mine, eb);
	a->busy = rc == ERR_OK && !mine;
	return a->busy ? ERR_LOCKED : rc;
}

/* ERR_NOTHING: there is none. */
static enum err claim(struct activity *a, int most, struct errbuf *eb)
{
	char number[16];
	struct buf but;
	struct rowset rs;
	(void)snprintf(number, sizeof number, "%d", most);
	buf_init(&but);
	for (int i = 0; i < a->skipped_n; i++)
		buf_printf(&but, "%c%s", i ? ',' : '{', a->skipped[i]);
	buf_puts(&but, a->skipped_n ? "}" : "{}");
	enum err rc = db_query(a->db, "activity_apply_claim",
	                       DB_PARAMS({"most", number}, {"but", buf_str(&but)}), &rs, eb);
	buf_fini(&but);
	const char *batches = rc == ERR_OK && rowset_rows(&rs) ? rowset_get(&rs, 0, "batches") : NULL;
	if (batches) {
		buf_clear(&a->batches);
		buf_puts(&a->batches, batches);
		a->events = rowset_int(&rs, 0, "events");
	}
	rowset_fini(&rs);
	return rc == ERR_OK && !batches ? ERR_NOTHING : rc;
}

static enum err take(struct activity *a, struct errbuf *eb)
{
	enum err rc = db_query(a->db, "activity_apply_people", DB_NO_PARAMS, NULL, eb);
	failpoint_pass(FP_stream_activity_people);
	if (rc == ERR_OK)
		rc = db_query(a->db, "activity_apply_sessions", DB_NO_PARAMS, NULL, eb);
	failpoint_pass(FP_stream_activity_sessions);
	if (rc == ERR_OK) /* before days of people move */
		rc = sequences_move(&a->sequences, a->db, eb);
	if (rc == ERR_OK)
		rc = db_query(a->db, "sequence_take", DB_NO_PARAMS, NULL, eb);
	failpoint_pass(FP_stream_activity_sequences);
	if (rc == ERR_OK)
		rc = db_query(a->db, "activity_apply_figures", DB_NO_PARAMS, NULL, eb);
	failpoint_pass(FP_stream_activity_figures);
	if (rc == ERR_OK)
		rc = db_query(a->db, "activity_apply_done", DB_PARAMS({"batches", buf_str(&a->batches)}),
		              NULL, eb);
	return rc;
}

/* Batches of about so many events, or of one of them. */
static enum err run_batches(struct activity *a, int most, struct errbuf *eb)
{
	a->events = 0;
	enum err rc = begin(a, eb);
	if (rc == ERR_OK)
		rc = claim(a, most, eb);
	if (rc == ERR_OK) {
		failpoint_pass(FP_stream_activity_claimed);
		rc = take(a, eb);
	}
	if (rc == ERR_OK)
		failpoint_pass(FP_stream_activity_committing);
	if (rc == ERR_OK)
		rc = db_command(a->db, "COMMIT", eb);
	if (rc == ERR_OK) {
		failpoint_pass(FP_stream_activity_committed);
		stat_add(STAT_ACTIVITY_DONE, a->events);
		return rc;
	}
	rc = apply_passing(a->db, rc, eb);
	db_rollback(a->db);
	return rc;
}

/* ---- a batch that the database will not have ------------------------------------------ */

/* Whether an event is to blame, and not the moment or the program: what this was refused with. */
static bool is_of_data(const struct activity *a, enum err rc)
{
	const char *state = db_sqlstate(a->db);
	return rc == ERR_DB && (strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0 ||
	                        strncmp(state, "54", 2) == 0);
}

/* It waits, and the others go on. */
static void skip(struct activity *a, const struct errbuf *why)
{
	char *id = a->skipped[a->skipped_n < SKIPPED ? a->skipped_n : SKIPPED - 1];
	const char *first = buf_str(&a->batches) + 1;
	(void)snprintf(id, sizeof a->skipped[0], "%.*s", (int)strcspn(first, ",}"), first);
	a->skipped_n += a->skipped_n < SKIPPED;
	a->skipped_ms = clock_mono_ms();
	(void)snprintf(a->why, sizeof a->why, "events of batch %s cannot take effect: %.400s", id,
	               why->text);
	LOG(LOG_WARNING, "activity_refused", LOG_STR("batch", id), LOG_STR("error", why->text),
	    LOG_END);
}

/* More while many wait and it is quick, fewer while it is slow. */
static void adapt(struct activity *a, int64_t took_ms)
{
	if (took_ms > QUICK_MS)
		a->most = a->most / 2 < LEAST ? LEAST : a->most / 2;
	else if (took_ms < QUICK_MS / 2 && a->events >= a->most)
		a->most = a->most * 2 > MOST ? MOST : a->most * 2;
}

/* *more: there may be more that waits. */
static enum err next(struct activity *a, bool *more, struct errbuf *eb)
{
	struct errbuf why = {0};
	int64_t begun_ms = clock_mono_ms();
	if (a->skipped_n && begun_ms - a->skipped_ms >= SKIPPED_MS)
		a->skipped_n = 0;
	enum err rc = run_batches(a, a->most, &why);
	*more = rc == ERR_OK && a->events >= a->most;
	if (rc == ERR_OK)
		adapt(a, clock_mono_ms() - begun_ms);
	if (is_of_data(a, rc)) { /* one by one, until the one to blame has been found */
		*more = true;
		do {
			why = (struct errbuf){0};
			rc = run_batches(a, 1, &why);
		} while (rc == ERR_OK && !part_stopping(a->part));
		if (is_of_data(a, rc)) {
			skip(a, &why);
			rc = ERR_OK;
		}
	}
	if (rc == ERR_NOTHING || rc == ERR_LOCKED)
		return ERR_OK;
	return rc == ERR_OK ? rc : err_set(eb, rc, "%s", why.text);
}

/* ---- how it is ---------------------------------------------------------------------------- */

static void say(struct activity *a)
{
	if (a->skipped_n)
		part_say(a->part, HEALTH_DEGRADED, a->why);
	else if (a->lag_ms > OLD_MS)
		part_say(a->part, HEALTH_DEGRADED,
		         "tracked events have been waiting for more than a minute");
	else
		part_say(a->part, HEALTH_OK, "");
}

static enum err look(struct activity *a, struct errbuf *eb)
{
	struct rowset rs;
	if (clock_mono_ms() - a->looked_ms < LOOK_MS)
		return ERR_OK;
	enum err rc = db_query(a->db, "activity_apply_look", DB_NO_PARAMS, &rs, eb);
	if (rc == ERR_OK) {
		a->looked_ms = clock_mono_ms();
		a->lag_ms = rowset_int(&rs, 0, "lag_ms");
		stat_set(STAT_ACTIVITY, rowset_int(&rs, 0, "open"));
		stat_set(STAT_ACTIVITY_LAG_MS, a->lag_ms);
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

/* Until there is news, it is time for a look, or it is over. */
static enum err rest(struct activity *a, struct errbuf *eb)
{
	bool news = false;
	enum err rc = ERR_OK;
	int64_t until_ms = clock_mono_ms() + POLL_MS;
	while (rc == ERR_OK && !news && !part_stopping(a->part) && clock_mono_ms() < until_ms)
		rc = db_wait_notify(a->db, TICK_MS, on_notify, &news, eb);
	if (a->busy && rc == ERR_OK) /* whoever is at it takes what is new, too */
		(void)part_sleep(a->part, TICK_MS);
	return rc;
}

static enum err serve(struct activity *a, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	while (rc == ERR_OK && !part_stopping(a->part)) {
		bool more = false;
		rc = settle_activity(a, eb);
		if (rc == ERR_OK)
			rc = next(a, &more, eb);
		if (rc == ERR_OK) /* by turns: neither waits for all of the other */
			rc = sequences_step(&a->sequences, a->db, &more, eb);
		if (rc == ERR_OK)
			rc = look(a, eb);
		if (rc == ERR_OK) {
			say(a);
			part_recovered(a->part);
		}
		if (rc == ERR_OK && !more)
			rc = rest(a, eb);
	}
	return rc;
}

static enum err open_db(struct activity *a, struct errbuf *eb)
{
	enum err rc =
		analytics_open(&a->db, part_conf(a->part), ANALYTICS_STREAM, "takings-stream activity", eb);
	if (rc == ERR_OK)
		rc = analytics_schema_check(a->db, eb);
	if (rc == ERR_OK)
		rc = db_script(a->db, "activity_apply_session", eb);
	return rc == ERR_OK ? db_listen(a->db, "takings_activity_stored", eb) : rc;
}

static void run(struct part *p)
{
	struct activity *a = mem_alloc(sizeof *a);
	*a = (struct activity){.part = p, .most = LEAST};
	buf_init(&a->batches);
	do {
		struct errbuf eb = {0};
		enum err rc = ERR_OK;
		if (!a->db || !db_alive(a->db)) {
			db_close(a->db);
			a->db = NULL;
			rc = open_db(a, &eb);
		}
		if (rc == ERR_OK)
			rc = serve(a, &eb);
		if (rc != ERR_OK) {
			part_say_error(p, HEALTH_DEGRADED, &eb);
			db_close(a->db);
			a->db = NULL;
		}
	} while (!part_back_off(p));
	db_close(a->db);
	buf_fini(&a->batches);
	sequences_fini(&a->sequences);
	free(a);
}

const struct part_kind part_activity = {"activity", PART_SOURCE, NULL, run};
