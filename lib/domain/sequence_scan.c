/* sequence_scan.c: threads that take shards off a counter until there are no more. */
#include "domain/sequence_scan.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"

enum { NUMBER_BYTES = 16, LOOK_EVERY = 64 /* people between two looks at the clock */ };

/* The columns of sequence_scan_parts. */
enum { DAY, PEOPLE, EVENTS, SEQS, SESSIONS, AMOUNTS, DIMS };

/* What all workers share. */
struct job {
	const struct scan *scan;
	const struct db_limits *limits; /* of each statement */
	int32_t first_day;              /* day_us[0] is when it begins */
	int days_n;
	int64_t *day_us;
	char from_day[NUMBER_BYTES], to_day[NUMBER_BYTES], dims[SEQUENCE_DIMS_ASKED][NUMBER_BYTES];
	atomic_int next, done_n; /* shards */
	atomic_bool stop;        /* one failed */
	pthread_mutex_t lock;
	struct errbuf failure; /* of the first that failed */
};

struct worker {
	struct job *job;
	struct db *db;
	int number;
	pthread_t thread;
	struct sequence_set *set;
	struct sequence_part *parts;
	int parts_room;
};

static const char *flag(bool wanted)
{
	return wanted ? "t" : "f";
}

/* ---- days ---------------------------------------------------------------------- */

static void set_days(struct job *j, int32_t from_day, int32_t to_day)
{
	(void)snprintf(j->from_day, sizeof j->from_day, "%d", (int)from_day);
	(void)snprintf(j->to_day, sizeof j->to_day, "%d", (int)to_day);
}

/* Only days that may have sequences; each has a place, also where the zone left one out. */
static enum err read_days(struct job *j, struct db *db, struct errbuf *eb)
{
	struct rowset rs;
	const struct db_param params[] = {
		{"from_day", j->from_day}, {"to_day", j->to_day}, {NULL, NULL}};
	const struct db_ask ask = {"sequence_scan_days", params, &rs};
	enum err rc = db_query_all(db, &ask, 1, j->limits, eb);
	j->days_n = rc == ERR_OK ? rowset_rows(&rs) : 0;
	j->day_us = mem_alloc(((size_t)j->days_n + 1) * sizeof *j->day_us);
	for (int i = 0; i < j->days_n; i++) {
		j->day_us[i] = rowset_number(&rs, i, 1);
		if (i == 0)
			j->first_day = (int32_t)rowset_number(&rs, i, 0);
	}
	rowset_fini(&rs);
	return rc;
}

/* ---- a shard --------------------------------------------------------------------- */

static enum err ask_shard(struct worker *w, int shard, struct rowset *rs, struct errbuf *eb)
{
	struct job *j = w->job;
	const struct scan *s = j->scan;
	struct db_param params[7 + SEQUENCE_DIMS_ASKED] = {{"from_day", j->from_day},
	                                                   {"to_day", j->to_day},
	                                                   {"events", flag(s->wanted.events)},
	                                                   {"sessions", flag(s->wanted.sessions)},
	                                                   {"amounts", flag(s->wanted.amounts)}};
	static const char *const names[] = {"x1", "x2", "x3", "x4", "x5",
	                                    "x6", "x7", "x8", "x9", "x10"};
	char number[NUMBER_BYTES];
	const struct db_ask ask = {"sequence_scan_parts", params, rs};
	(void)snprintf(number, sizeof number, "%d", shard);
	params[5] = (struct db_param){"shard", number};
	for (int i = 0; i < SEQUENCE_DIMS_ASKED; i++)
		params[6 + i] = (struct db_param){names[i], i < s->wanted.dims_n ? j->dims[i] : NULL};
	return db_query_all(w->db, &ask, 1, j->limits, eb);
}

static struct sequence_bytes bytes_at(const struct rowset *rs, int row, int col)
{
	struct sequence_bytes b;
	b.at = rowset_blob(rs, row, col, &b.n);
	return b;
}

static enum err read_parts(struct worker *w, const struct rowset *rs, struct errbuf *eb)
{
	const struct job *j = w->job;
	int n = rowset_rows(rs);
	if (n > w->parts_room) {
		w->parts_room = n * 2;
		w->parts = mem_realloc(w->parts, (size_t)w->parts_room * sizeof *w->parts);
	}
	for (int i = 0; i < n; i++) {
		struct sequence_part *p = &w->parts[i];
		int64_t day = rowset_number(rs, i, DAY), place = day - j->first_day;
		if (place < 0 || place >= j->days_n)
			return err_set(eb, ERR_INVALID, "nobody knows when day %d of the sequences begins",
			               (int)day);
		*p = (struct sequence_part){.day = (int32_t)day,
		                            .day_us = j->day_us[place],
		                            .people = bytes_at(rs, i, PEOPLE),
		                            .events = bytes_at(rs, i, EVENTS),
		                            .seqs = bytes_at(rs, i, SEQS),
		                            .sessions = bytes_at(rs, i, SESSIONS),
		                            .amounts = bytes_at(rs, i, AMOUNTS)};
		for (int k = 0; k < j->scan->wanted.dims_n; k++)
			p->dims[k] = bytes_at(rs, i, DIMS + k);
	}
	return ERR_OK;
}

/* Between statements, which look themselves: whether there is a reason to go on. */
static enum err look(const struct job *j, struct errbuf *eb)
{
	struct pollfd p = {.fd = j->limits->watch_fd, .events = POLLRDHUP};
	if (db_interrupted())
		return err_set(eb, ERR_INTERRUPTED, "stopped on request");
	if (j->limits->deadline_ms && clock_mono_ms() >= j->limits->deadline_ms)
		return err_set(eb, ERR_TIMEOUT, "the time of the request is over");
	if (p.fd >= 0 && poll(&p, 1, 0) > 0 && p.revents)
		return err_set(eb, ERR_INTERRUPTED, "nobody waits for the answer");
	return ERR_OK;
}

static enum err walk(struct worker *w, struct errbuf *eb)
{
	struct job *j = w->job;
	size_t n = sequence_set_people(w->set);
	enum err rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < n; i++) {
		struct sequence q;
		if (i % LOOK_EVERY == 0) {
			rc = look(j, eb);
			if (rc != ERR_OK || atomic_load_explicit(&j->stop, memory_order_relaxed))
				break;
		}
		sequence_set_get(w->set, i, &q);
		j->scan->person(j->scan->arg, w->number, &q);
	}
	return rc;
}

static enum err take_shard(struct worker *w, int shard, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = ask_shard(w, shard, &rs, eb);
	if (rc == ERR_OK)
		rc = read_parts(w, &rs, eb);
	if (rc == ERR_OK)
		rc = sequence_set_fill(w->set, w->parts, (size_t)rowset_rows(&rs), &w->job->scan->wanted,
		                       eb);
	rowset_fini(&rs);
	return rc == ERR_OK ? walk(w, eb) : rc;
}

/* ---- workers ------------------------------------------------------------------------ */

static void fail(struct job *j, const struct errbuf *eb)
{
	must(pthread_mutex_lock(&j->lock) == 0);
	if (j->failure.code == ERR_OK)
		j->failure = *eb;
	must(pthread_mutex_unlock(&j->lock) == 0);
	atomic_store(&j->stop, true);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct job *j = w->job;
	struct errbuf eb = {0};
	int shard;
	w->set = sequence_set_new();
	while (!atomic_load(&j->stop) && (shard = atomic_fetch_add(&j->next, 1)) < SEQUENCE_SHARDS) {
		if (take_shard(w, shard, &eb) != ERR_OK) {
			fail(j, &eb);
			break;
		}
		int done_n = atomic_fetch_add(&j->done_n, 1) + 1;
		if (w->number == 0 && j->scan->shard_done)
			j->scan->shard_done(j->scan->arg, done_n);
	}
	sequence_set_free(w->set);
	free(w->parts);
	return NULL;
}

static void run_all(struct job *j, struct db *const *dbs, int workers_n)
{
	struct worker workers[SCAN_WORKERS];
	int n = 1;
	for (int i = 0; i < workers_n; i++)
		workers[i] = (struct worker){.job = j, .db = dbs[i], .number = i};
	/* A thread that cannot be had is one less. */
	while (n < workers_n && pthread_create(&workers[n].thread, NULL, work, &workers[n]) == 0)
		n++;
	(void)work(&workers[0]);
	for (int i = 1; i < n; i++)
		must(pthread_join(workers[i].thread, NULL) == 0);
}

enum err scan_run(const struct scan *s, struct db *const *dbs, int workers_n,
                  const struct db_limits *limits, struct errbuf *eb)
{
	struct db_limits mine = limits ? *limits : (struct db_limits){.watch_fd = -1};
	struct job j = {.scan = s, .limits = &mine, .lock = PTHREAD_MUTEX_INITIALIZER};
	must(workers_n >= 1 && workers_n <= SCAN_WORKERS && s->wanted.dims_n <= SEQUENCE_DIMS_ASKED);
	mine.binary = true;
	set_days(&j, s->from_day, s->to_day);
	for (int i = 0; i < s->wanted.dims_n; i++)
		(void)snprintf(j.dims[i], sizeof j.dims[i], "%d", s->dims[i]);
	enum err rc = read_days(&j, dbs[0], eb);
	if (rc == ERR_OK && j.days_n) {
		set_days(&j, j.first_day, j.first_day + j.days_n);
		run_all(&j, dbs, workers_n);
	}
	if (rc == ERR_OK && j.failure.code != ERR_OK)
		rc = err_set(eb, j.failure.code, "%s", j.failure.text);
	free(j.day_us);
	return rc;
}

enum err scan_share(struct db *first, struct db *other, struct errbuf *eb)
{
	static const char letters[] = "0123456789ABCDEFabcdef-";
	struct rowset rs;
	char sql[128];
	enum err rc = db_query(first, "sequence_scan_snapshot", DB_NO_PARAMS, &rs, eb);
	if (rc != ERR_OK)
		return rc;
	/* A literal: the command takes no parameter. */
	const char *id = rowset_get(&rs, 0, "snapshot");
	if (!id || !*id || strlen(id) > 64 || strspn(id, letters) != strlen(id))
		rc = err_set(eb, ERR_DB, "the server named a snapshot that is none");
	else
		(void)snprintf(sql, sizeof sql, "SET TRANSACTION SNAPSHOT '%s'", id);
	rowset_fini(&rs);
	return rc == ERR_OK ? db_command(other, sql, eb) : rc;
}
