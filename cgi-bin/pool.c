/* pool.c: a mutex, a condition, and a stack of idle connections. */
#include "cgi-bin/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "db/analytics.h"

struct pool {
	const struct conf *conf;
	pthread_mutex_t mutex;
	pthread_cond_t given;
	struct db **idle; /* the most recently used last */
	int idle_n, size, open, used, waiting, admitted_max;
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

static enum err begin(struct db *db, struct errbuf *eb)
{
	return db_command(db, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", eb);
}

/* With the mutex held; counts the caller as a user once it returns ERR_OK. */
static enum err wait_turn(struct pool *p, int64_t wait_ms, struct errbuf *eb)
{
	struct timespec until;
	enum err rc = ERR_OK;
	if (p->used + p->waiting >= p->admitted_max)
		return err_set(eb, ERR_BUSY, "%d requests are at work or waiting, the limit of %s",
		               p->admitted_max, conf_name(CONF_MAX_CONCURRENT_QUERIES));
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += wait_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	p->waiting++;
	while (rc == ERR_OK && p->used >= p->size)
		if (pthread_cond_timedwait(&p->given, &p->mutex, &until) == ETIMEDOUT && p->used >= p->size)
			rc = err_set(eb, ERR_BUSY, "no database connection was free for %lld ms",
			             (long long)wait_ms);
	p->waiting--;
	p->used += rc == ERR_OK;
	return rc;
}

/* A connection that idled while the server was restarted is found out only by using
 * it: then the others are suspect too, and a new one gets one try. A server that did
 * not answer in time would not answer a second time either. */
static enum err open_snapshot(struct pool *p, struct db **db, struct errbuf *eb)
{
	if (*db) {
		enum err rc = begin(*db, eb);
		if (rc != ERR_DB_DOWN || db_given_up(*db))
			return rc;
		disconnect(p, db);
		drop_idle(p);
		err_clear(eb);
	}
	enum err rc = connect_one(p, db, eb);
	return rc == ERR_OK ? begin(*db, eb) : rc;
}

enum err pool_take(struct pool *p, int64_t wait_ms, struct db **out, struct errbuf *eb)
{
	*out = NULL;
	(void)pthread_mutex_lock(&p->mutex);
	enum err rc = wait_turn(p, wait_ms, eb);
	if (rc == ERR_OK && p->idle_n)
		*out = p->idle[--p->idle_n];
	(void)pthread_mutex_unlock(&p->mutex);
	if (rc != ERR_OK)
		return rc;
	rc = open_snapshot(p, out, eb);
	if (rc == ERR_OK)
		return ERR_OK;
	disconnect(p, out);
	(void)pthread_mutex_lock(&p->mutex);
	p->used--;
	(void)pthread_cond_signal(&p->given);
	(void)pthread_mutex_unlock(&p->mutex);
	return rc;
}

void pool_give(struct pool *p, struct db *db)
{
	db_rollback(db);
	bool alive = db_alive(db);
	if (!alive)
		disconnect(p, &db);
	(void)pthread_mutex_lock(&p->mutex);
	p->used--;
	if (alive)
		p->idle[p->idle_n++] = db;
	(void)pthread_cond_signal(&p->given);
	(void)pthread_mutex_unlock(&p->mutex);
}

void pool_stats_get(struct pool *p, struct pool_stats *out)
{
	(void)pthread_mutex_lock(&p->mutex);
	*out = (struct pool_stats){
		.size = p->size, .open = p->open, .used = p->used, .waiting = p->waiting};
	(void)pthread_mutex_unlock(&p->mutex);
}
