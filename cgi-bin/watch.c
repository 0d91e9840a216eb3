/* watch.c: listening, heartbeats, and the way back after a loss. */
#include "cgi-bin/watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/num.h"
#include "cgi-bin/group_commit.h"
#include "db/analytics.h"

/* Looked at this often whether the program is to stop; tried again this often while the
 * database is away. */
enum { TICK_MS = 200, RETRY_MS = 500, HEARTBEAT_MS = 10000, SWEEP_MS = 600000 };

struct watch {
	struct web *web;
	pthread_t thread;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t heard;
	struct watch_state state;
	int waiting, waiting_max; /* requests that wait for a version */
	bool stopping;
};

/* ---- what others see ----------------------------------------------------- */

struct watch_state watch_state_get(struct watch *watch)
{
	(void)pthread_mutex_lock(&watch->lock);
	struct watch_state state = watch->state;
	(void)pthread_mutex_unlock(&watch->lock);
	return state;
}

void watch_access_changed(struct watch *watch)
{
	(void)pthread_mutex_lock(&watch->lock);
	watch->state.access_epoch++;
	(void)pthread_mutex_unlock(&watch->lock);
}

bool watch_wait_version(struct watch *watch, int64_t version, int64_t deadline_ms)
{
	struct timespec until = clock_timespec(deadline_ms);
	int rc = 0;
	(void)pthread_mutex_lock(&watch->lock);
	/* Each holds a thread: those who wait never hold them all. */
	bool waits = watch->waiting < watch->waiting_max;
	watch->waiting += waits;
	while (waits && rc == 0 && watch->state.data_version < version)
		rc = pthread_cond_timedwait(&watch->heard, &watch->lock, &until);
	watch->waiting -= waits;
	bool known = watch->state.data_version >= version;
	(void)pthread_mutex_unlock(&watch->lock);
	return known;
}

bool watch_wait_enter(struct watch *watch)
{
	(void)pthread_mutex_lock(&watch->lock);
	bool waits = watch->waiting < watch->waiting_max;
	watch->waiting += waits;
	(void)pthread_mutex_unlock(&watch->lock);
	return waits;
}

void watch_wait_leave(struct watch *watch)
{
	(void)pthread_mutex_lock(&watch->lock);
	watch->waiting--;
	(void)pthread_mutex_unlock(&watch->lock);
}

/* ---- hearing --------------------------------------------------------------- */

static void set_version(struct watch *watch, int64_t version)
{
	(void)pthread_mutex_lock(&watch->lock);
	watch->state.data_epoch++;
	/* A database put back from a backup begins again at a lower one. */
	watch->state.data_version = version;
	(void)pthread_cond_broadcast(&watch->heard);
	(void)pthread_mutex_unlock(&watch->lock);
}

static void live_changed(struct watch *watch)
{
	(void)pthread_mutex_lock(&watch->lock);
	watch->state.live_epoch++;
	(void)pthread_mutex_unlock(&watch->lock);
}

void watch_activity_changed(struct watch *watch)
{
	(void)pthread_mutex_lock(&watch->lock);
	watch->state.activity_epoch++;
	(void)pthread_mutex_unlock(&watch->lock);
}

static void on_notify(void *arg, const char *channel, const char *payload)
{
	struct watch *watch = arg;
	int64_t version;
	if (strcmp(channel, "takings_access") == 0)
		watch_access_changed(watch);
	else if (strcmp(channel, "takings_live") == 0 || strcmp(channel, "takings_bookings") == 0)
		live_changed(watch);
	else if (strcmp(channel, "takings_activity") == 0)
		watch_activity_changed(watch);
	else if (num_parse_int(payload, 0, INT64_MAX, &version))
		set_version(watch, version);
}

static void set_listening(struct watch *watch, bool listening)
{
	(void)pthread_mutex_lock(&watch->lock);
	watch->state.listening = listening;
	watch->state.data_epoch++;
	watch->state.live_epoch++;
	watch->state.activity_epoch++;
	watch->state.access_epoch++;
	(void)pthread_mutex_unlock(&watch->lock);
}

static bool is_stopping(struct watch *watch)
{
	(void)pthread_mutex_lock(&watch->lock);
	bool stopping = watch->stopping;
	(void)pthread_mutex_unlock(&watch->lock);
	return stopping;
}

/* ---- the connection -------------------------------------------------------- */

/* LISTEN first and read the version after it: nothing falls in between. */
static enum err begin_listening(struct watch *watch, struct db **out, struct errbuf *eb)
{
	struct rowset rs = {0};
	enum err rc = analytics_open(out, watch->web->conf, ANALYTICS_WATCH, "takings-web watch", eb);
	if (rc == ERR_OK)
		rc = analytics_schema_check(*out, eb);
	if (rc == ERR_OK)
		rc = db_listen(*out, "takings_data", eb);
	if (rc == ERR_OK)
		rc = db_listen(*out, "takings_access", eb);
	if (rc == ERR_OK)
		rc = db_listen(*out, "takings_live", eb);
	if (rc == ERR_OK)
		rc = db_listen(*out, "takings_bookings", eb);
	if (rc == ERR_OK)
		rc = db_listen(*out, "takings_activity", eb);
	if (rc == ERR_OK)
		rc = db_query(*out, "watch_version", DB_NO_PARAMS, &rs, eb);
	if (rc == ERR_OK) {
		set_version(watch, rowset_int(&rs, 0, "data_version"));
		set_listening(watch, true);
		pool_recovered(watch->web->pool);
		group_commit_recovered(watch->web->group);
	}
	rowset_fini(&rs);
	return rc;
}

static enum err beat(struct db *db, struct errbuf *eb)
{
	return db_query(db, "watch_beat", DB_PARAMS({"component", "web"}), NULL, eb);
}

/* Listens until the connection is lost or the program stops. */
static void listen_on(struct watch *watch, struct db *db, struct errbuf *eb)
{
	int64_t beat_ms = 0, sweep_ms = 0;
	enum err rc = ERR_OK;
	while (rc == ERR_OK && !is_stopping(watch)) {
		int64_t now_ms = clock_mono_ms();
		if (now_ms >= beat_ms) {
			beat_ms = now_ms + HEARTBEAT_MS;
			rc = beat(db, eb);
		}
		if (rc == ERR_OK && now_ms >= sweep_ms) {
			sweep_ms = now_ms + SWEEP_MS;
			rc = db_query(db, "session_sweep", DB_NO_PARAMS, NULL, eb);
		}
		if (rc == ERR_OK)
			rc = db_wait_notify(db, TICK_MS, on_notify, watch, eb);
	}
}

static void pause_ms(int ms)
{
	struct timespec ts = clock_timespec(ms);
	(void)nanosleep(&ts, NULL);
}

static void *watch_main(void *arg)
{
	struct watch *watch = arg;
	crash_thread_begin();
	bool told = false; /* one line for a loss, however long it lasts */
	while (!is_stopping(watch)) {
		struct errbuf eb = {0};
		struct db *db = NULL;
		if (begin_listening(watch, &db, &eb) == ERR_OK) {
			LOG(LOG_INFO, "listening", LOG_END);
			told = false;
			listen_on(watch, db, &eb);
			set_listening(watch, false);
		}
		db_close(db);
		if (is_stopping(watch))
			break;
		if (!told)
			LOG(LOG_WARNING, "not_listening", LOG_STR("error", eb.text), LOG_END);
		told = true;
		pause_ms(RETRY_MS);
	}
	crash_thread_end();
	return NULL;
}

/* ---- life -------------------------------------------------------------------- */

struct watch *watch_start(struct web *w)
{
	struct watch *watch = mem_alloc(sizeof *watch);
	pthread_condattr_t attr;
	watch->web = w;
	watch->waiting_max = (int)conf_int(w->conf, CONF_HTTP_THREADS) / 4;
	must(pthread_mutex_init(&watch->lock, NULL) == 0);
	must(pthread_condattr_init(&attr) == 0 &&
	     pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	must(pthread_cond_init(&watch->heard, &attr) == 0);
	(void)pthread_condattr_destroy(&attr);
	must(pthread_create(&watch->thread, NULL, watch_main, watch) == 0);
	return watch;
}

void watch_stop(struct watch *watch)
{
	if (!watch)
		return;
	(void)pthread_mutex_lock(&watch->lock);
	watch->stopping = true;
	(void)pthread_mutex_unlock(&watch->lock);
	(void)pthread_join(watch->thread, NULL);
	(void)pthread_cond_destroy(&watch->heard);
	(void)pthread_mutex_destroy(&watch->lock);
	free(watch);
}
