/* pool.c: a mutex, a condition, a stack of idle connections and a breaker. */
#include "cgi-bin/pool.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "db/analytics.h"

struct pool {
	const struct conf *conf;
	pthread_mutex_t mutex;
	pthread_cond_t given;
	struct db **idle; /* the most recently used last */
	int idle_n, size, open, used, waiting, admitted_max;
	struct breaker breaker;
	int64_t failed_ms; /* monotonic; when the database last failed a caller */
};

struct pool *pool_new(const struct conf *conf)
{
	struct pool *p = mem_alloc(sizeof *p);
	pthread_condattr_t attr;
	p->conf = conf;
	p->size = (int)conf_int(conf, CONF_WORKER_THREADS);
	p->admitted_max = (int)conf_int(conf, CONF_MAX_CONCURRENT_QUERIES);
	p->idle = mem_alloc((size_t)p->size * sizeof(struct db *));
	must(pthread_mutex_init(&p->mutex, NULL) == 0);
	must(pthread_condattr_init(&attr) == 0 &&
	     pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	must(pthread_cond_init(&p->given, &attr) == 0);
	(void)pthread_condattr_destroy(&attr);
	return p;
}

static void drop_idle(struct pool *p)
{
	(void)pthread_mutex_lock(&p->mutex);
	while (p->idle_n) {
		db_close(p->idle[--p->idle_n]);
		p->open--;
	}
	(void)pthread_mutex_unlock(&p->mutex);
}

void pool_free(struct pool *p)
{
	drop_idle(p);
	free(p->idle);
	(void)pthread_cond_destroy(&p->given);
	(void)pthread_mutex_destroy(&p->mutex);
	free(p);
}

static void count_open(struct pool *p, int change)
{
	(void)pthread_mutex_lock(&p->mutex);
	p->open += change;
	(void)pthread_mutex_unlock(&p->mutex);
}

static enum err connect_one(struct pool *p, struct db **out, struct errbuf *eb)
{
	enum err rc = analytics_open(out, p->conf, ANALYTICS_READ, "takings-web", eb);
	if (rc == ERR_OK)
		rc = analytics_schema_check(*out, eb);
	if (rc == ERR_OK) {
		count_open(p, 1);
		return ERR_OK;
	}
	db_close(*out);
	*out = NULL;
	return rc;
}

static void disconnect(struct pool *p, struct db **db)
{
	if (*db)
		count_open(p, -1);
	db_close(*db);
	*db = NULL;
}

/* With the mutex held; counts the caller as a user once it returns ERR_OK. */
static enum err wait_turn(struct pool *p, int64_t wait_ms, struct errbuf *eb)
{
	struct timespec until = clock_timespec(clock_mono_ms() + wait_ms);
	enum err rc = ERR_OK;
	if (p->used + p->waiting >= p->admitted_max)
		return err_set(eb, ERR_BUSY, "%d requests are at work or waiting, the limit of %s",
		               p->admitted_max, conf_name(CONF_MAX_CONCURRENT_QUERIES));
	p->waiting++;
	while (rc == ERR_OK && p->used >= p->size)
		if (pthread_cond_timedwait(&p->given, &p->mutex, &until) != 0 && p->used >= p->size)
			rc = err_set(eb, ERR_BUSY, "no database connection was free for %lld ms",
			             (long long)wait_ms);
	p->waiting--;
	p->used += rc == ERR_OK;
	return rc;
}

/* A turn, and an idle connection where there is one (else *db is NULL). */
static enum err enter(struct pool *p, int64_t wait_ms, struct db **db, struct errbuf *eb)
{
	*db = NULL;
	(void)pthread_mutex_lock(&p->mutex);
	enum err rc = breaker_allows(&p->breaker, clock_mono_ms())
	                  ? ERR_OK
	                  : err_set(eb, ERR_DB_DOWN, "analytics_db did not answer a moment ago");
	if (rc == ERR_OK)
		rc = wait_turn(p, wait_ms, eb);
	if (rc == ERR_OK && p->idle_n)
		*db = p->idle[--p->idle_n];
	(void)pthread_mutex_unlock(&p->mutex);
	return rc;
}

/* The end of a turn that went as `rc` says; keeps the connection for the next one where
 * it is alive. */
static void leave(struct pool *p, struct db *db, enum err rc)
{
	if (db && !db_alive(db))
		disconnect(p, &db);
	(void)pthread_mutex_lock(&p->mutex);
	p->used--;
	if (db)
		p->idle[p->idle_n++] = db;
	if (rc == ERR_DB_DOWN) {
		p->failed_ms = clock_mono_ms();
		breaker_failed(&p->breaker, p->failed_ms);
	} else if (p->breaker.state != BREAKER_CLOSED && db)
		breaker_succeeded(&p->breaker);
	(void)pthread_cond_signal(&p->given);
	(void)pthread_mutex_unlock(&p->mutex);
}

/* A connection that idled while the server was restarted is found out only by using
 * it: then the others are suspect too, and a new one gets one try. A server that did
 * not answer in time would not answer a second time either. */
static bool worth_another(struct pool *p, struct db **db, enum err rc, struct errbuf *eb)
{
	if (rc != ERR_DB_DOWN || db_given_up(*db))
		return false;
	disconnect(p, db);
	drop_idle(p);
	err_clear(eb);
	return true;
}

static enum err begin(struct db *db, enum pool_use use, struct errbuf *eb)
{
	return db_command(db,
	                  use == POOL_WRITE ? "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
	                                    : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
	                  eb);
}

enum err pool_take(struct pool *p, enum pool_use use, int64_t wait_ms, struct db **out,
                   struct errbuf *eb)
{
	struct db *db;
	*out = NULL;
	enum err rc = enter(p, wait_ms, &db, eb);
	if (rc != ERR_OK)
		return rc;
	bool idled = db != NULL;
	rc = idled ? begin(db, use, eb) : connect_one(p, &db, eb);
	if (idled && worth_another(p, &db, rc, eb)) {
		idled = false;
		rc = connect_one(p, &db, eb);
	}
	if (!idled && rc == ERR_OK)
		rc = begin(db, use, eb);
	if (rc == ERR_OK)
		*out = db;
	else
		leave(p, db, rc);
	return rc;
}

void pool_give(struct pool *p, struct db *db)
{
	db_rollback(db);
	leave(p, db, db_alive(db) ? ERR_OK : ERR_DB_DOWN);
}

enum err pool_blame(struct pool *p, enum err rc, int64_t since_ms, struct errbuf *eb)
{
	if (rc != ERR_TIMEOUT)
		return rc;
	(void)pthread_mutex_lock(&p->mutex);
	bool failed = p->failed_ms >= since_ms;
	(void)pthread_mutex_unlock(&p->mutex);
	if (!failed)
		return rc;
	err_clear(eb);
	return err_set(eb, ERR_DB_DOWN, "the database answered others no better meanwhile");
}

bool pool_leaves_time(int64_t since_ms, int64_t deadline_ms)
{
	int64_t now_ms = clock_mono_ms();
	return !deadline_ms || deadline_ms - now_ms > now_ms - since_ms;
}

enum err pool_ask(struct pool *p, const struct db_ask *asks, int n, int64_t wait_ms,
                  const struct db_limits *limits, int64_t *waited_us, struct errbuf *eb)
{
	struct db *db;
	int64_t begun_us = clock_mono_us();
	for (int i = 0; i < n; i++)
		if (asks[i].rs)
			*asks[i].rs = (struct rowset){0};
	enum err rc = enter(p, wait_ms, &db, eb);
	*waited_us = clock_mono_us() - begun_us;
	if (rc != ERR_OK)
		return rc;
	bool idled = db != NULL;
	if (idled)
		rc = db_query_all(db, asks, n, limits, eb);
	if (!idled || worth_another(p, &db, rc, eb)) {
		int64_t dialled_ms = clock_mono_ms();
		rc = connect_one(p, &db, eb);
		if (rc == ERR_OK && !pool_leaves_time(dialled_ms, limits->deadline_ms))
			rc = err_set(eb, ERR_DB_DOWN, "the server took too long to let us in");
		if (rc == ERR_OK)
			rc = db_query_all(db, asks, n, limits, eb);
	}
	rc = pool_blame(p, rc, begun_us / 1000, eb);
	leave(p, db, rc);
	return rc;
}

void pool_recovered(struct pool *p)
{
	(void)pthread_mutex_lock(&p->mutex);
	breaker_succeeded(&p->breaker);
	(void)pthread_mutex_unlock(&p->mutex);
}

void pool_stats_get(struct pool *p, struct pool_stats *out)
{
	(void)pthread_mutex_lock(&p->mutex);
	*out = (struct pool_stats){.size = p->size,
	                           .open = p->open,
	                           .used = p->used,
	                           .waiting = p->waiting,
	                           .breaker = p->breaker.state,
	                           .breaker_opened_n = p->breaker.opened_n};
	(void)pthread_mutex_unlock(&p->mutex);
}
