/* group_commit.c: a queue of waiting requests; whoever finds that nobody works works for its head.
 */
#include "cgi-bin/group_commit.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "db/analytics.h"

enum {
	MANY = 256,                    /* events that are worth a second transaction at once */
	GROUP_BYTES = 8 * 1024 * 1024, /* most of one transaction, but for a request that has more */
	TRIES = 4,                     /* of what fails by chance: a deadlock */
};

enum waiter_state { WAITS, TAKEN, DONE };

/* A request, on its own stack. It is told by a semaphore of its own, without the mutex: else all
 * that are told at once would stand in line for it. Once it is DONE and was told told_n times
 * nobody touches it any more. */
struct waiter {
	struct waiter *next;
	const struct activity_rows *rows;
	enum activity_outcome *outcomes;
	_Atomic enum waiter_state state;
	enum err rc;
	struct errbuf *eb;
	int told_n; /* how often; stays as it is from DONE on */
	sem_t told;
};

struct group_commit {
	const struct conf *conf;
	int events_max;
	int64_t wait_ms;
	pthread_mutex_t mutex; /* guards all below */
	struct waiter *head, **tail;
	int waiting, waiting_events;
	struct db *idle[GROUP_CONNECTIONS];
	int idle_n, working;
	struct breaker breaker;
	int64_t transactions_n, events_n;
};

struct group_commit *group_commit_new(const struct conf *conf)
{
	struct group_commit *g = mem_alloc(sizeof *g);
	*g = (struct group_commit){.conf = conf,
	                           .events_max = (int)conf_int(conf, CONF_EVENT_BATCH_SIZE),
	                           .wait_ms = conf_int(conf, CONF_EVENT_FLUSH_INTERVAL) * 1000};
	g->tail = &g->head;
	must(pthread_mutex_init(&g->mutex, NULL) == 0);
	return g;
}

static void drop_idle(struct group_commit *g)
{
	(void)pthread_mutex_lock(&g->mutex);
	while (g->idle_n)
		db_close(g->idle[--g->idle_n]);
	(void)pthread_mutex_unlock(&g->mutex);
}

void group_commit_free(struct group_commit *g)
{
	if (!g)
		return;
	drop_idle(g);
	(void)pthread_mutex_destroy(&g->mutex);
	free(g);
}

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
			drop_idle(g);
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
	struct waiter *first;
	int waiters_n, events_n;
	struct db *db;
};

/* With the mutex held. At least one, and as many more as fit. */
static void take(struct group_commit *g, struct group *out)
{
	size_t bytes = 0;
	struct waiter **end = &out->first;
	*out = (struct group){0};
	while (g->head) {
		struct waiter *w = g->head;
		int n = activity_rows_n(w->rows);
		bytes += activity_rows_bytes(w->rows);
		if (out->first && (out->events_n + n > g->events_max || bytes > GROUP_BYTES))
			break;
		g->head = w->next;
		w->next = NULL;
		w->state = TAKEN;
		*end = w;
		end = &w->next;
		out->waiters_n++;
		out->events_n += n;
	}
	if (!g->head)
		g->tail = &g->head;
	g->waiting -= out->waiters_n;
	g->waiting_events -= out->events_n;
	g->working++;
	if (g->idle_n)
		out->db = g->idle[--g->idle_n];
}

static enum err store_group(struct group_commit *g, struct group *group,
                            enum activity_outcome *outcomes, struct errbuf *eb)
{
	struct activity_rows *rows = activity_rows_new();
	for (const struct waiter *w = group->first; w; w = w->next)
		activity_rows_append(rows, w->rows);
	enum err rc = store_all(g, &group->db, rows, outcomes, eb);
	if (is_data(group->db, rc)) {
		err_clear(eb);
		rc = store_some(g, &group->db, rows, 0, group->events_n, true, outcomes, eb);
	}
	activity_rows_free(rows);
	return rc;
}

static void tell_one(struct waiter *w, enum err rc, const enum activity_outcome *outcomes,
                     const struct errbuf *why)
{
	for (int i = 0; rc == ERR_OK && i < activity_rows_n(w->rows); i++)
		w->outcomes[i] = outcomes[i];
	if (rc != ERR_OK)
		*w->eb = *why;
	w->rc = rc;
	w->told_n++;
	w->state = DONE;
	(void)sem_post(&w->told);
}

static void tell_all(struct waiter *first, enum err rc, const enum activity_outcome *outcomes,
                     const struct errbuf *why)
{
	for (struct waiter *w = first, *next; w; w = next) {
		next = w->next;
		int n = activity_rows_n(w->rows);
		tell_one(w, rc, outcomes, why);
		outcomes = rc == ERR_OK ? outcomes + n : NULL;
	}
}

/* With the mutex held: all that wait. */
static struct waiter *take_all(struct group_commit *g)
{
	struct waiter *first = g->head;
	for (struct waiter *w = first; w; w = w->next)
		w->state = TAKEN;
	g->head = NULL;
	g->tail = &g->head;
	g->waiting = g->waiting_events = 0;
	return first;
}

/* With the mutex held. Returns who shall not wait for a database that is away. */
static struct waiter *end_work(struct group_commit *g, struct group *group, enum err rc)
{
	struct waiter *in_vain = NULL;
	g->working--;
	g->transactions_n++;
	g->events_n += rc == ERR_OK ? group->events_n : 0;
	if (rc == ERR_DB_DOWN)
		breaker_failed(&g->breaker, clock_mono_ms());
	else if (g->breaker.state != BREAKER_CLOSED && rc == ERR_OK)
		breaker_succeeded(&g->breaker);
	if (rc == ERR_DB_DOWN && g->breaker.state == BREAKER_OPEN)
		in_vain = take_all(g);
	if (group->db && db_alive(group->db) && g->idle_n < GROUP_CONNECTIONS) {
		g->idle[g->idle_n++] = group->db;
		group->db = NULL;
	}
	if (g->head) { /* it works next, or finds that another one does */
		g->head->told_n++;
		(void)sem_post(&g->head->told);
	}
	return in_vain;
}

/* With the mutex held. */
static bool may_work(const struct group_commit *g)
{
	return g->head &&
	       (g->working == 0 || (g->working < GROUP_CONNECTIONS && g->waiting_events >= MANY));
}

/* With the mutex held, which is let go. */
static void work(struct group_commit *g)
{
	struct group group;
	struct errbuf eb = {0};
	take(g, &group);
	(void)pthread_mutex_unlock(&g->mutex);
	enum activity_outcome *outcomes = mem_alloc((size_t)(group.events_n + 1) * sizeof *outcomes);
	enum err rc = store_group(g, &group, outcomes, &eb);
	(void)pthread_mutex_lock(&g->mutex);
	struct waiter *in_vain = end_work(g, &group, rc);
	(void)pthread_mutex_unlock(&g->mutex);
	tell_all(group.first, rc, outcomes, &eb);
	tell_all(in_vain, rc, NULL, &eb);
	free(outcomes);
	db_close(group.db);
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* With the mutex held. */
static void enqueue(struct group_commit *g, struct waiter *w)
{
	*g->tail = w;
	g->tail = &w->next;
	g->waiting++;
	g->waiting_events += activity_rows_n(w->rows);
}

static void leave(struct group_commit *g, struct waiter *w)
{
	struct waiter **at = &g->head;
	for (; *at != w; at = &(*at)->next)
		must(*at != NULL);
	*at = w->next;
	if (!*at)
		g->tail = at;
	g->waiting--;
	g->waiting_events -= activity_rows_n(w->rows);
	w->state = DONE;
	w->rc = err_set(w->eb, ERR_BUSY, "no transaction began within %lld s",
	                (long long)g->wait_ms / 1000);
}

/* True once it is told; false when the time to begin is over. */
static bool wait_told(struct waiter *w, const struct timespec *until)
{
	for (;;) {
		int rc = w->state == WAITS ? sem_clockwait(&w->told, CLOCK_MONOTONIC, until)
		                           : sem_wait(&w->told);
		if (rc == 0)
			return true;
		if (errno == ETIMEDOUT)
			return false;
	}
}

static void wait(struct group_commit *g, struct waiter *w)
{
	const struct timespec until = clock_timespec(clock_mono_ms() + g->wait_ms);
	int told_n = 0;
	while (w->state != DONE || told_n < w->told_n) {
		bool late = !wait_told(w, &until);
		told_n += !late;
		if (w->state != WAITS)
			continue;
		(void)pthread_mutex_lock(&g->mutex);
		if (w->state == WAITS && may_work(g)) {
			work(g);
			continue;
		}
		if (w->state == WAITS && late) {
			leave(g, w);
			told_n = w->told_n;
		}
		(void)pthread_mutex_unlock(&g->mutex);
	}
}

enum err group_commit_store(struct group_commit *g, const struct activity_rows *rows,
                            enum activity_outcome *outcomes, struct errbuf *eb)
{
	struct waiter w = {.rows = rows, .outcomes = outcomes, .eb = eb};
	(void)pthread_mutex_lock(&g->mutex);
	if (!breaker_allows(&g->breaker, clock_mono_ms())) {
		(void)pthread_mutex_unlock(&g->mutex);
		return err_set(eb, ERR_DB_DOWN, "analytics_db did not answer a moment ago");
	}
	must(sem_init(&w.told, 0, 0) == 0);
	enqueue(g, &w);
	if (may_work(g))
		work(g);
	else
		(void)pthread_mutex_unlock(&g->mutex);
	wait(g, &w);
	(void)sem_destroy(&w.told);
	return w.rc;
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
