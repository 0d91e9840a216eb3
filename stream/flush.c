/* flush.c: every FLUSH_INTERVAL the reports of that moment are put into the outbox, and what is in
 * the outbox is stored, oldest first. Both are rows, so a process may die at any moment: the next
 * one goes on, and storing the same bytes under the same key twice is storing them once. One
 * process of all does it, by a lock that lives with its connection. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "db/analytics.h"
#include "stream/parts.h"
#include "stream/report.h"
#include "stream/report_store.h"

enum {
	REPORTS = 5,      /* of a flush */
	FOLLOW_MS = 2000, /* between two looks whether the lock is free */
	IDLE_MS = 1000,
	RETRY_MIN_MS = 200,
	RETRY_MAX_MS = 10000,
	CHECK_MS = 60000, /* between two looks at a store that was not there */
	END_MS = 10000,   /* longest time for storing what is left at the end */
	SPARE_MS = 1500,  /* for the parts that end after this one */
};

struct flusher {
	struct part *part;
	struct report_store *store;
	struct db *db;       /* NULL: none */
	bool leads;          /* this process has the lock, by db */
	int64_t due_ms;      /* when reports are made next; while it leads */
	int64_t check_ms;    /* when the store is looked at next; 0: it was there */
	int64_t retry_at_ms; /* not before then is stored again */
	int retry_ms;
	bool refused;    /* by the last try: a person must look */
	int64_t end_ms;  /* when storing must end; 0: nobody asked to stop */
	int64_t waiting; /* reports in the outbox, as last seen */
	struct {         /* of the flush that is being stored, for the log */
		char id[24];
		int64_t begun_ms, bytes;
		int n;
		struct buf keys;
	} now;
};

/* One report out of the outbox. */
struct waiting {
	char flush_id[24], ordinal[8];
	const char *key, *body;
	int64_t attempts;
};

/* ---- the connection and the lock ------------------------------------------------- */

static void drop_db(struct flusher *f)
{
	db_close(f->db);
	f->db = NULL;
	f->leads = false;
	stat_set(STAT_OUTBOX, 0);
}

static enum err take_lead(struct flusher *f, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(f->db, "report_lock", DB_NO_PARAMS, &rs, eb);
	f->leads = rc == ERR_OK && strcmp(rowset_get(&rs, 0, "locked"), "t") == 0;
	rowset_fini(&rs);
	if (rc != ERR_OK || !f->leads)
		return rc;
	const char *interval = conf_str(part_conf(f->part), CONF_FLUSH_INTERVAL);
	rc = db_query(f->db, "report_due", DB_PARAMS({"interval_s", interval}), &rs, eb);
	if (rc == ERR_OK) {
		int64_t due_s = rowset_int(&rs, 0, "due_s");
		int64_t most_s = conf_int(part_conf(f->part), CONF_FLUSH_INTERVAL);
		f->due_ms = clock_mono_ms() + (due_s < 0 ? 0 : due_s > most_s ? most_s : due_s) * 1000;
		f->waiting = rowset_int(&rs, 0, "waiting");
		stat_set(STAT_OUTBOX, f->waiting);
		LOG(LOG_INFO, "reports_begin", LOG_INT("waiting", f->waiting), LOG_END);
	}
	rowset_fini(&rs);
	return rc;
}

/* ERR_LOCKED: another process does it. */
static enum err lead(struct flusher *f, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	if (!f->db)
		rc = analytics_open(&f->db, part_conf(f->part), ANALYTICS_WRITE, "takings-stream reports",
		                    eb);
	if (rc == ERR_OK && !f->leads)
		rc = take_lead(f, eb);
	return rc == ERR_OK && !f->leads ? ERR_LOCKED : rc;
}

/* ---- making ------------------------------------------------------------------------ */

static enum err make(struct flusher *f, struct errbuf *eb)
{
	char stamp[REPORT_STAMP];
	int64_t begun_ms = clock_mono_ms();
	enum err rc = report_make(f->db, part_conf(f->part), stamp, eb);
	if (rc != ERR_OK && rc != ERR_NOTHING)
		return rc;
	int64_t interval_ms = conf_int(part_conf(f->part), CONF_FLUSH_INTERVAL) * 1000;
	f->due_ms =
		f->due_ms + interval_ms > begun_ms ? f->due_ms + interval_ms : begun_ms + interval_ms;
	if (rc == ERR_NOTHING)
		return ERR_OK;
	f->waiting += REPORTS;
	stat_set(STAT_OUTBOX, f->waiting);
	stat_add(STAT_FLUSHES, 1);
	LOG(LOG_INFO, "flush_made", LOG_STR("stamp", stamp), LOG_INT("ms", clock_mono_ms() - begun_ms),
	    LOG_END);
	return ERR_OK;
}

/* ---- storing ----------------------------------------------------------------------- */

static void note_stored(struct flusher *f, const struct waiting *w)
{
	if (strcmp(f->now.id, w->flush_id) != 0) {
		(void)snprintf(f->now.id, sizeof f->now.id, "%s", w->flush_id);
		f->now.begun_ms = clock_mono_ms();
		f->now.bytes = f->now.n = 0;
		buf_clear(&f->now.keys);
	}
	f->now.n++;
	f->now.bytes += (int64_t)strlen(w->body);
	buf_printf(&f->now.keys, "%s%s", f->now.keys.len ? " " : "", w->key);
}

static enum err settle(struct flusher *f, const struct waiting *w, int64_t begun_ms,
                       struct errbuf *eb)
{
	struct rowset rs;
	failpoint_pass(FP_stream_report_put);
	enum err rc = db_query(f->db, "report_outbox_stored",
	                       DB_PARAMS({"flush_id", w->flush_id}, {"ordinal", w->ordinal}), &rs, eb);
	if (rc == ERR_OK) {
		failpoint_pass(FP_stream_report_stored);
		stat_add(STAT_REPORTS_STORED, 1);
		note_stored(f, w);
		if (f->now.n == 1)
			f->now.begun_ms = begun_ms;
		const char *stamp = rowset_get(&rs, 0, "done_stamp");
		if (stamp)
			LOG(LOG_INFO, "flush_ok", LOG_STR("stamp", stamp), LOG_INT("reports", f->now.n),
			    LOG_INT("bytes", f->now.bytes), LOG_INT("ms", clock_mono_ms() - f->now.begun_ms),
			    LOG_STR("keys", buf_str(&f->now.keys)), LOG_END);
		part_say(f->part, HEALTH_OK, "");
		f->check_ms = 0;
		f->retry_ms = 0;
	}
	rowset_fini(&rs);
	return rc;
}

/* Half of the pause and up to as much again, so that many who wait do not come back together. */
static int with_jitter(int ms)
{
	return ms / 2 + (int)(clock_mono_us() % (ms / 2 + 1));
}

static enum err postpone(struct flusher *f, const struct waiting *w, const struct s3_outcome *what,
                         const struct errbuf *why, struct errbuf *eb)
{
	f->retry_ms = f->retry_ms ? f->retry_ms * 2 : RETRY_MIN_MS;
	if (f->retry_ms > RETRY_MAX_MS)
		f->retry_ms = RETRY_MAX_MS;
	int pause_ms = with_jitter(f->retry_ms);
	f->retry_at_ms = clock_mono_ms() + pause_ms;
	stat_add(STAT_REPORT_ERRORS, 1);
	LOG(LOG_ERROR, "report_not_stored", LOG_STR("key", w->key), LOG_INT("status", what->status),
	    LOG_STR("code", what->code), LOG_STR("request_id", what->request_id),
	    LOG_INT("attempts", w->attempts + 1), LOG_INT("again_ms", pause_ms),
	    LOG_INT("waiting", f->waiting), LOG_STR("error", why->text), LOG_END);
	part_say_error(f->part, HEALTH_DEGRADED, why);
	return db_query(
		f->db, "report_outbox_failed",
		DB_PARAMS({"flush_id", w->flush_id}, {"ordinal", w->ordinal}, {"error", why->text}), NULL,
		eb);
}

static enum err put_one(struct flusher *f, const struct waiting *w, struct errbuf *eb)
{
	struct errbuf why = {0};
	struct s3_outcome what;
	int64_t begun_ms = clock_mono_ms();
	enum err rc = report_store_put(f->store, w->key, w->body, strlen(w->body), &what, &why);
	f->refused = rc == ERR_CONFIG;
	if (rc == ERR_OK)
		return settle(f, w, begun_ms, eb);
	return rc == ERR_INTERRUPTED ? rc : postpone(f, w, &what, &why, eb);
}

/* ERR_NOTHING: the outbox is empty. */
static enum err store_next(struct flusher *f, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(f->db, "report_outbox_next", DB_NO_PARAMS, &rs, eb);
	f->waiting = rc == ERR_OK && rowset_rows(&rs) ? rowset_int(&rs, 0, "waiting") : 0;
	if (rc == ERR_OK && f->waiting == 0)
		rc = ERR_NOTHING;
	if (rc == ERR_OK) {
		struct waiting w = {.key = rowset_get(&rs, 0, "key"),
		                    .body = rowset_get(&rs, 0, "body"),
		                    .attempts = rowset_int(&rs, 0, "attempts")};
		(void)snprintf(w.flush_id, sizeof w.flush_id, "%s", rowset_get(&rs, 0, "flush_id"));
		(void)snprintf(w.ordinal, sizeof w.ordinal, "%s", rowset_get(&rs, 0, "ordinal"));
		rc = put_one(f, &w, eb);
	}
	rowset_fini(&rs);
	stat_set(STAT_OUTBOX, f->waiting);
	return rc;
}

/* Until the outbox is empty, something fails, or it is time to make reports again. */
static enum err store_all(struct flusher *f, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	while (rc == ERR_OK && f->waiting > 0 && clock_mono_ms() >= f->retry_at_ms &&
	       (f->end_ms || (clock_mono_ms() < f->due_ms && !part_stopping(f->part))))
		rc = store_next(f, eb);
	return rc == ERR_NOTHING || rc == ERR_INTERRUPTED ? ERR_OK : rc;
}

/* ---- the loop ----------------------------------------------------------------------- */

/* A bucket that refuses us is a message, not the end: it may be mended while we run. */
static void check_store(struct flusher *f)
{
	struct errbuf eb = {0};
	if (f->check_ms == 0 || clock_mono_ms() < f->check_ms)
		return;
	enum err rc = report_store_check(f->store, &eb);
	f->check_ms = rc == ERR_OK ? 0 : clock_mono_ms() + CHECK_MS;
	if (rc == ERR_OK)
		part_say(f->part, HEALTH_OK, "");
	else if (rc != ERR_INTERRUPTED)
		part_say_error(f->part, HEALTH_DEGRADED, &eb);
}

static enum err step(struct flusher *f, struct errbuf *eb)
{
	enum err rc = lead(f, eb);
	if (rc == ERR_OK && clock_mono_ms() >= f->due_ms)
		rc = make(f, eb);
	return rc == ERR_OK ? store_all(f, eb) : rc;
}

static int wait_ms(const struct flusher *f)
{
	int64_t now_ms = clock_mono_ms();
	int64_t until_ms = f->due_ms;
	if (f->waiting > 0 && f->retry_at_ms < until_ms)
		until_ms = f->retry_at_ms;
	int64_t ms = until_ms - now_ms;
	return ms < 0 ? 0 : ms < IDLE_MS ? (int)ms : IDLE_MS;
}

/* Says what it is and waits; true: to end. */
static bool wait_after(struct flusher *f, enum err rc, const struct errbuf *eb)
{
	if (rc == ERR_OK) {
		part_recovered(f->part);
		return part_sleep(f->part, wait_ms(f));
	}
	if (rc == ERR_LOCKED)
		return part_sleep(f->part, FOLLOW_MS);
	part_say_error(f->part, HEALTH_DEGRADED, eb);
	drop_db(f);
	f->check_ms = 1; /* whatever is said of the database is taken back by the next look */
	return part_back_off(f->part);
}

/* ---- the end ------------------------------------------------------------------------- */

/* Requests under way end when there is no more time for them. */
static bool give_up(void *arg)
{
	const struct flusher *f = arg;
	return part_left_ms(f->part) < SPARE_MS || (f->end_ms && clock_mono_ms() >= f->end_ms);
}

static enum err make_last(struct flusher *f, struct errbuf *eb)
{
	enum err rc = lead(f, eb);
	return rc == ERR_OK ? make(f, eb) : rc;
}

/* The last reports, while the time lasts; what is left is in the outbox and goes with the next
 * start. */
static void finish(struct flusher *f)
{
	struct errbuf eb = {0};
	f->end_ms = clock_mono_ms() + END_MS;
	f->retry_at_ms = 0;
	bool connected = f->db != NULL;
	enum err rc = make_last(f, &eb);
	if (rc == ERR_DB_DOWN && connected) { /* it was lost since, unnoticed */
		drop_db(f);
		err_clear(&eb);
		rc = make_last(f, &eb);
	}
	f->refused = false;
	while (rc == ERR_OK && !give_up(f) && f->waiting > 0 && !f->refused) {
		rc = store_all(f, &eb);
		int64_t pause_ms = f->retry_at_ms - clock_mono_ms();
		if (rc == ERR_OK && f->waiting > 0 && pause_ms > 0 && !f->refused)
			(void)poll(NULL, 0, pause_ms < 100 ? (int)pause_ms : 100);
	}
	if (rc != ERR_OK && rc != ERR_LOCKED)
		log_err("last_flush_failed", &eb);
	else if (f->leads && f->waiting > 0)
		LOG(LOG_WARNING, "flush_left", LOG_INT("waiting", f->waiting), LOG_END);
}

static bool wanted(const struct conf *conf)
{
	return *conf_str(conf, CONF_S3_BUCKET) || *conf_str(conf, CONF_REPORT_DIR);
}

static void run(struct part *p)
{
	struct flusher f = {.part = p, .check_ms = 1};
	struct errbuf eb = {0};
	if (report_store_open(&f.store, part_conf(p), give_up, &f, &eb) != ERR_OK) {
		part_say_error(p, HEALTH_DEGRADED, &eb);
		return;
	}
	buf_init(&f.now.keys);
	bool over = false;
	while (!over) {
		err_clear(&eb);
		check_store(&f);
		enum err rc = step(&f, &eb);
		over = wait_after(&f, rc, &eb);
	}
	finish(&f);
	buf_fini(&f.now.keys);
	drop_db(&f);
	report_store_close(f.store);
}

const struct part_kind part_flush = {"reports", PART_FLUSH, wanted, run};
