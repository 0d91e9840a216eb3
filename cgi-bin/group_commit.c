/* group_commit.c: a queue of requests, two threads that store its head, one that tells those who
 * waited too long. */
#include "cgi-bin/group_commit.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "db/analytics.h"

enum {
	MANY = 256,                      /* events that are worth a second transaction at once */
	GROUP_BYTES = 8 * 1024 * 1024,   /* most of one transaction, but for a request that has more */
	QUEUE_BYTES = 128 * 1024 * 1024, /* who comes when so much waits is refused */
	TRIES = 4,                       /* of what fails by chance: a deadlock */
	STUCK_MS = 500,                  /* nothing moves: no more may wait than there are threads */
	LATE_TICK_MS = 50,
};

struct group_commit {
	const struct conf *conf;
	int events_max, threads;
	int64_t wait_ms;
	pthread_t storing[GROUP_CONNECTIONS], late;
	pthread_mutex_t mutex; /* guards all below */
	pthread_cond_t work, end;
	struct group_part *head, **tail;
	int waiting, waiting_events;
	size_t waiting_bytes;
	int working;
	bool called; /* somebody was told that there is work, and has not looked yet */
	bool ending;
	int64_t moved_ms; /* when a transaction last began or ended */
	struct breaker breaker;
	int64_t transactions_n, events_n;
};

/* ---- a transaction ------------------------------------------------------------------------- */

/* Rows and their outcomes on a connection; `unsure`: the connection was lost while it committed. */
static enum err store_once(struct db *db, struct activity_rows *rows,
                           enum activity_outcome *outcomes, bool *unsure, struct errbuf *eb)
{
	*unsure = false;
	enum err rc = db_command(db, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", eb);
	if (rc == ERR_OK)
		rc = activity_store(rows, db, outcomes, eb);
	if (rc == ERR_OK) {
		failpoint_pass(FP_web_events_stored);
		rc = db_command(db, "COMMIT", eb);
		*unsure = rc != ERR_OK;
		failpoint_pass(FP_web_events_committed);
	}
	if (rc != ERR_OK)
		db_rollback(db);
	return rc;
}

static bool has_class(const struct db *db, const char *classes)
{
	for (const char *state = db_sqlstate(db); *classes; classes += 2)
		if (strncmp(state, classes, 2) == 0)
			return true;
	return false;
}

/* Whether a value of a row is to blame: what the same rows would be refused for again. */
static bool is_data(const struct db *db, enum err rc)
{
	return rc == ERR_DB && db && has_class(db, "222354");
}

static enum err connect_one(const struct group_commit *g, struct db **db, struct errbuf *eb)
{
	enum err rc = analytics_open(db, g->conf, ANALYTICS_EVENTS, "takings-web events", eb);
	if (rc == ERR_OK)
		rc = analytics_schema_check(*db, eb);
	if (rc != ERR_OK) {
		db_close(*db);
		*db = NULL;
	}
	return rc;
}

/* A connection that idled while the server was restarted is found out only by using it: then a new
 * one gets one try. */
static enum err store_all(struct group_commit *g, struct db **db, struct activity_rows *rows,
                          enum activity_outcome *outcomes, struct errbuf *eb)
{
	bool idled = *db != NULL, unsure = false;
	enum err rc = ERR_OK;
	for (int i = 0; i < TRIES; i++) {
		err_clear(eb);
		rc = *db ? ERR_OK : connect_one(g, db, eb);
		if (rc != ERR_OK)
			return rc;
		rc = store_once(*db, rows, outcomes, &unsure, eb);
		if (rc == ERR_OK || unsure)
			return rc;
		bool lost = rc == ERR_DB_DOWN && idled && !db_given_up(*db);
		if (!lost && !(rc == ERR_DB && has_class(*db, "40")))
			return rc;
		if (!db_alive(*db)) {
			db_close(*db);
			*db = NULL;
			idled = false;
		}
	}
	return rc;
}

/* ---- a group that fails ------------------------------------------------------------------------
 */

/* What is wrong with this one alone, it is told; that it was refused is counted where that works.
 */
static void refuse(struct group_commit *g, struct db **db, const struct activity_rows *rows, int at,
                   const struct errbuf *why)
{
	struct errbuf eb = {0};
	struct activity_rows *one = activity_rows_new();
	log_err("event_refused", why);
	activity_rows_refuse_row(one, rows, at, "database", why);
	if (store_all(g, db, one, NULL, &eb) != ERR_OK)
		log_err("event_not_counted", &eb);
	activity_rows_free(one);
}

/* Halves, until the row to blame is alone. */
static enum err store_some(struct group_commit *g, struct db **db, const struct activity_rows *rows,
                           int first, int n, bool rest, enum activity_outcome *outcomes,
                           struct errbuf *eb)
{
	struct activity_rows *some = activity_rows_new();
	activity_rows_append_some(some, rows, first, n, rest);
	enum err rc = store_all(g, db, some, outcomes + first, eb);
	activity_rows_free(some);
	if (!is_data(*db, rc) || n == 0)
		return rc;
	if (n == 1 && !rest) {
		outcomes[first] = ACTIVITY_REFUSED;
		refuse(g, db, rows, first, eb);
		err_clear(eb);
		return ERR_OK;
	}
	err_clear(eb);
	rc = rest ? store_some(g, db, rows, first, 0, true, outcomes, eb) : ERR_OK;
	if (rc == ERR_OK)
		rc = store_some(g, db, rows, first, n - n / 2, false, outcomes, eb);
	if (rc == ERR_OK && n > 1)
		rc = store_some(g, db, rows, first + n - n / 2, n / 2, false, outcomes, eb);
	return rc;
}

/* ---- a group --------------------------------------------------------------------------------- */

struct group {
	struct group_part *first;
	int parts_n, events_n;
};

/* With the mutex held. The head of the queue, which is not empty, leaves it. */
static struct group_part *pop(struct group_commit *g)
{
	struct group_part *p = g->head;
	g->head = p->next;
	if (!g->head)
		g->tail = &g->head;
	g->waiting--;
	g->waiting_events -= activity_rows_n(p->rows);
	g->waiting_bytes -= activity_rows_bytes(p->rows);
	p->next = NULL;
	return p;
}

/* With the mutex held. At least one, and as many more as fit. */
static void take(struct group_commit *g, struct group *out)
{
	size_t bytes = 0;
	struct group_part **end = &out->first;
	*out = (struct group){0};
	while (g->head) {
		int n = activity_rows_n(g->head->rows);
		bytes += activity_rows_bytes(g->head->rows);
		if (out->first && (out->events_n + n > g->events_max || bytes > GROUP_BYTES))
			break;
		*end = pop(g);
		end = &(*end)->next;
		out->parts_n++;
		out->events_n += n;
	}
	g->moved_ms = clock_mono_ms();
	g->working++;
}

/* Of one request its own rows, of many a copy of all. */
static enum err store_group(struct group_commit *g, struct db **db, const struct group *group,
                            enum activity_outcome *outcomes, struct errbuf *eb)
{
	bool alone = group->parts_n == 1;
	struct activity_rows *rows = alone ? group->first->rows : activity_rows_new();
	for (const struct group_part *p = alone ? NULL : group->first; p; p = p->next)
		activity_rows_append(rows, p->rows);
	enum err rc = store_all(g, db, rows, outcomes, eb);
	if (is_data(*db, rc)) {
		err_clear(eb);
		rc = store_some(g, db, rows, 0, group->events_n, true, outcomes, eb);
	}
	if (!alone)
		activity_rows_free(rows);
	return rc;
}

/* `outcomes` of all of them, in their order; NULL after an error. */
static void tell_all(struct group_part *first, enum err rc, const enum activity_outcome *outcomes,
                     const struct errbuf *why)
{
	for (struct group_part *p = first, *next; p; p = next) {
		next = p->next;
		int n = activity_rows_n(p->rows);
		if (rc == ERR_OK)
			memcpy(p->outcomes, outcomes, (size_t)n * sizeof *outcomes);
		else
			*p->eb = *why;
		outcomes = rc == ERR_OK ? outcomes + n : NULL;
		p->rc = rc;
		p->done(p);
	}
}

/* With the mutex held: those who wait since before `before_ms`. */
static struct group_part *take_older(struct group_commit *g, int64_t before_ms)
{
	struct group_part *first = NULL, **end = &first;
	while (g->head && g->head->since_ms < before_ms) {
		*end = pop(g);
		end = &(*end)->next;
	}
	return first;
}

/* With the mutex held. */
static bool may_work(const struct group_commit *g)
{
	return g->head &&
	       (g->working == 0 || (g->working < GROUP_CONNECTIONS && g->waiting_events >= MANY));
}

/* With the mutex held. */
static void call_one(struct group_commit *g)
{
	if (g->called || !may_work(g))
		return;
	g->called = true;
	(void)pthread_cond_signal(&g->work);
}

/* With the mutex held. Returns who shall not wait for a database that is away. */
static struct group_part *end_work(struct group_commit *g, const struct group *group, enum err rc)
{
	struct group_part *in_vain = NULL;
	g->working--;
	g->moved_ms = clock_mono_ms();
	g->transactions_n++;
	g->events_n += rc == ERR_OK ? group->events_n : 0;
	if (rc == ERR_DB_DOWN)
		breaker_failed(&g->breaker, clock_mono_ms());
	else if (g->breaker.state != BREAKER_CLOSED && rc == ERR_OK)
		breaker_succeeded(&g->breaker);
	if (rc == ERR_DB_DOWN && g->breaker.state == BREAKER_OPEN)
		in_vain = take_older(g, INT64_MAX);
	call_one(g);
	return in_vain;
}

/* With the mutex held, which is let go meanwhile. */
static void work(struct group_commit *g, struct db **db)
{
	struct group group;
	struct errbuf eb = {0};
	take(g, &group);
	call_one(g);
	(void)pthread_mutex_unlock(&g->mutex);
	enum activity_outcome *outcomes = mem_alloc((size_t)(group.events_n + 1) * sizeof *outcomes);
	enum err rc = store_group(g, db, &group, outcomes, &eb);
	if (*db && !db_alive(*db)) {
		db_close(*db);
		*db = NULL;
	}
	(void)pthread_mutex_lock(&g->mutex);
	struct group_part *in_vain = end_work(g, &group, rc);
	(void)pthread_mutex_unlock(&g->mutex);
	tell_all(group.first, rc, outcomes, &eb);
	tell_all(in_vain, rc, NULL, &eb);
	free(outcomes);
	(void)pthread_mutex_lock(&g->mutex);
}

/* ---- threads --------------------------------------------------------------------------------- */

static void *store_main(void *arg)
{
	struct group_commit *g = arg;
	struct db *db = NULL;
	crash_thread_begin();
	(void)pthread_mutex_lock(&g->mutex);
	while (!g->ending) {
		if (may_work(g)) {
			g->called = false;
			work(g, &db);
			continue;
		}
		(void)pthread_cond_wait(&g->work, &g->mutex);
		g->called = false;
	}
	(void)pthread_mutex_unlock(&g->mutex);
	db_close(db);
	crash_thread_end();
	return NULL;
}

static void *late_main(void *arg)
{
	struct group_commit *g = arg;
	struct errbuf eb = {0};
	(void)err_set(&eb, ERR_BUSY, "no transaction began within %lld s",
	              (long long)g->wait_ms / 1000);
	crash_thread_begin();
	(void)pthread_mutex_lock(&g->mutex);
	while (!g->ending) {
		const struct timespec until = clock_timespec(clock_mono_ms() + LATE_TICK_MS);
		(void)pthread_cond_clockwait(&g->end, &g->mutex, CLOCK_MONOTONIC, &until);
		struct group_part *late = take_older(g, clock_mono_ms() - g->wait_ms);
		(void)pthread_mutex_unlock(&g->mutex);
		tell_all(late, ERR_BUSY, NULL, &eb);
		(void)pthread_mutex_lock(&g->mutex);
	}
	(void)pthread_mutex_unlock(&g->mutex);
	crash_thread_end();
	return NULL;
}

struct group_commit *group_commit_start(const struct conf *conf)
{
	struct group_commit *g = mem_alloc(sizeof *g);
	*g = (struct group_commit){.conf = conf,
	                           .events_max = (int)conf_int(conf, CONF_EVENT_BATCH_SIZE),
	                           .threads = (int)conf_int(conf, CONF_HTTP_THREADS),
	                           .wait_ms = conf_int(conf, CONF_EVENT_FLUSH_INTERVAL) * 1000};
	g->tail = &g->head;
	must(pthread_mutex_init(&g->mutex, NULL) == 0);
	must(pthread_cond_init(&g->work, NULL) == 0 && pthread_cond_init(&g->end, NULL) == 0);
	for (int i = 0; i < GROUP_CONNECTIONS; i++)
		must(pthread_create(&g->storing[i], NULL, store_main, g) == 0);
	must(pthread_create(&g->late, NULL, late_main, g) == 0);
	return g;
}

void group_commit_stop(struct group_commit *g)
{
	if (!g)
		return;
	(void)pthread_mutex_lock(&g->mutex);
	g->ending = true;
	(void)pthread_cond_broadcast(&g->work);
	(void)pthread_cond_broadcast(&g->end);
	(void)pthread_mutex_unlock(&g->mutex);
	for (int i = 0; i < GROUP_CONNECTIONS; i++)
		(void)pthread_join(g->storing[i], NULL);
	(void)pthread_join(g->late, NULL);
	(void)pthread_cond_destroy(&g->work);
	(void)pthread_cond_destroy(&g->end);
	(void)pthread_mutex_destroy(&g->mutex);
	free(g);
}

/* ---- coming ---------------------------------------------------------------------------------- */

/* With the mutex held. */
static enum err let_in(struct group_commit *g, const struct group_part *p, struct errbuf *eb)
{
	int64_t now_ms = clock_mono_ms();
	bool stuck = g->working > 0 && now_ms - g->moved_ms > STUCK_MS;
	if (!breaker_allows(&g->breaker, now_ms))
		return err_set(eb, ERR_DB_DOWN, "analytics_db did not answer a moment ago");
	if ((stuck && g->waiting >= g->threads) ||
	    g->waiting_bytes + activity_rows_bytes(p->rows) > QUEUE_BYTES)
		return err_set(eb, ERR_BUSY, "%d requests wait for the database already", g->waiting);
	return ERR_OK;
}

void group_commit_put(struct group_commit *g, struct group_part *p)
{
	(void)pthread_mutex_lock(&g->mutex);
	enum err rc = let_in(g, p, p->eb);
	if (rc == ERR_OK) {
		p->next = NULL;
		p->since_ms = clock_mono_ms();
		*g->tail = p;
		g->tail = &p->next;
		g->waiting++;
		g->waiting_events += activity_rows_n(p->rows);
		g->waiting_bytes += activity_rows_bytes(p->rows);
		call_one(g);
	}
	(void)pthread_mutex_unlock(&g->mutex);
	if (rc != ERR_OK) {
		p->rc = rc;
		p->done(p);
	}
}

static void wake(struct group_part *p)
{
	(void)sem_post(p->arg);
}

enum err group_commit_store(struct group_commit *g, struct activity_rows *rows,
                            enum activity_outcome *outcomes, struct errbuf *eb)
{
	sem_t told;
	struct group_part p = {
		.rows = rows, .outcomes = outcomes, .eb = eb, .done = wake, .arg = &told};
	must(sem_init(&told, 0, 0) == 0);
	group_commit_put(g, &p);
	while (sem_wait(&told) != 0)
		continue;
	(void)sem_destroy(&told);
	return p.rc;
}

void group_commit_recovered(struct group_commit *g)
{
	(void)pthread_mutex_lock(&g->mutex);
	breaker_succeeded(&g->breaker);
	(void)pthread_mutex_unlock(&g->mutex);
}

void group_commit_stats_get(struct group_commit *g, struct group_stats *out)
{
	(void)pthread_mutex_lock(&g->mutex);
	*out = (struct group_stats){.waiting = g->waiting,
	                            .transactions_n = g->transactions_n,
	                            .events_n = g->events_n,
	                            .breaker = g->breaker.state};
	(void)pthread_mutex_unlock(&g->mutex);
}
