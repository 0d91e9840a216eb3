/* db_pipeline.c: several statements in one round trip, with a deadline and an eye on who asked. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "db/db_internal.h"

/* A cancel that comes between two statements of a pipeline has no effect: it is repeated. A
 * server that does not heed it for a second is not slow but hangs. */
enum { CANCEL_AGAIN_MS = 200, CANCEL_HEEDED_MS = 1000 };

/* An answer that is to come; each ask is one, and so is each statement prepared for it. */
struct step {
	const struct statement *statement;
	struct rowset *rs;
	bool prepares;
};

struct batch {
	struct db *db;
	const struct db_limits *limits;
	struct step steps[2 * (DB_ASKS + 1)];
	int n;
	bool unsent;          /* libpq holds what the socket did not take yet */
	int64_t heard_ms;     /* when the server last said something, or was asked */
	int64_t cancelled_ms; /* when the last cancel began */
	int cancel_fd;        /* hung up once the cancel is over; -1: none is under way */
	enum err why;         /* what the batch is cancelled for; ERR_OK: it is not */
	enum err rc;          /* the first error of a statement */
};

/* ---- cancelling --------------------------------------------------------- */

struct canceller {
	PGcancel *handle;
	int done_fd;
};

static void *cancel_main(void *arg)
{
	struct canceller *c = arg;
	char why[256];
	(void)PQcancel(c->handle, why, sizeof why);
	PQfreeCancel(c->handle);
	(void)close(c->done_fd);
	free(c);
	return NULL;
}

/* libpq waits for the server's word on a connection of its own and without a limit: where a
 * server hangs, that must not be this thread. Returns what is hung up when it is over; -1
 * where it could not begin. */
static int cancel_begin(PGconn *conn)
{
	int ends[2];
	pthread_t thread;
	pthread_attr_t attr;
	struct canceller *c = mem_alloc(sizeof *c);
	c->handle = PQgetCancel(conn);
	if (!c->handle || pipe2(ends, O_CLOEXEC) != 0) {
		PQfreeCancel(c->handle);
		free(c);
		return -1;
	}
	c->done_fd = ends[1];
	must(pthread_attr_init(&attr) == 0);
	must(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0);
	int failed = pthread_create(&thread, &attr, cancel_main, c);
	(void)pthread_attr_destroy(&attr);
	if (!failed)
		return ends[0];
	PQfreeCancel(c->handle);
	free(c);
	(void)close(ends[0]);
	(void)close(ends[1]);
	return -1;
}

static void cancel_forget(struct batch *b)
{
	if (b->cancel_fd >= 0)
		(void)close(b->cancel_fd);
	b->cancel_fd = -1;
}

static enum err why_cancel(const struct batch *b, bool hung_up, int64_t now_ms)
{
	if (hung_up || (db_interrupted() && !b->db->steadfast))
		return ERR_INTERRUPTED;
	return b->limits->deadline_ms && now_ms >= b->limits->deadline_ms ? ERR_TIMEOUT : ERR_OK;
}

static enum err tell_why(enum err why, struct errbuf *eb)
{
	if (why == ERR_TIMEOUT)
		return err_set(eb, why, "the time of the request is over");
	return err_set(eb, why,
	               db_interrupted() ? "stopped on request" : "nobody waits for the answer");
}

/* ---- waiting ------------------------------------------------------------ */

static int poll_ms(const struct batch *b, int64_t now_ms)
{
	int64_t left_ms = b->limits->deadline_ms - now_ms;
	if (b->why != ERR_OK || !b->limits->deadline_ms || left_ms > DB_POLL_MS)
		return DB_POLL_MS;
	return left_ms > 0 ? (int)left_ms : 0;
}

/* Until something happens; ERR_DB_DOWN where the connection is lost or given up. */
static enum err wait_once(struct batch *b, bool busy, struct errbuf *eb)
{
	struct db *db = b->db;
	struct pollfd p[] = {
		{.fd = PQsocket(db->conn), .events = (short)(POLLIN | (b->unsent ? POLLOUT : 0))},
		{.fd = b->why == ERR_OK ? b->limits->watch_fd : -1, .events = POLLRDHUP},
		{.fd = b->cancel_fd},
	};
	bool some = poll(p, sizeof p / sizeof *p, poll_ms(b, clock_mono_ms())) > 0;
	int64_t now_ms = clock_mono_ms();
	if (some && p[0].revents && !PQconsumeInput(db->conn))
		return db_connection_error(db, eb);
	if (b->unsent)
		b->unsent = PQflush(db->conn) > 0;
	if (some && p[2].revents)
		cancel_forget(b);
	if (b->why == ERR_OK)
		b->why = why_cancel(b, some && p[1].revents, now_ms);
	if (b->why != ERR_OK && busy && b->cancel_fd < 0 &&
	    (!b->cancelled_ms || now_ms - b->cancelled_ms >= CANCEL_AGAIN_MS)) {
		b->cancel_fd = cancel_begin(db->conn);
		b->cancelled_ms = now_ms;
	}
	bool unheeded = b->why == ERR_TIMEOUT && now_ms > b->limits->deadline_ms + CANCEL_HEEDED_MS;
	if (unheeded || (db->limit_ms && now_ms - b->heard_ms > db->limit_ms))
		return db_give_up(db, eb);
	return ERR_OK;
}

static enum err next_result(struct batch *b, PGresult **res, struct errbuf *eb)
{
	*res = NULL;
	while (PQisBusy(b->db->conn)) {
		enum err rc = wait_once(b, true, eb);
		if (rc != ERR_OK)
			return rc;
	}
	*res = PQgetResult(b->db->conn);
	if (*res)
		b->heard_ms = clock_mono_ms();
	else if (PQstatus(b->db->conn) == CONNECTION_BAD)
		return db_connection_error(b->db, eb);
	return ERR_OK;
}

/* ---- asking ------------------------------------------------------------- */

static bool send_one(struct batch *b, const struct db_ask *ask)
{
	const struct statement *s = statement_find(ask->statement);
	const char *values[STATEMENT_PARAMS];
	struct db *db = b->db;
	must(s != NULL);
	db_values(s, ask->params, values);
	if (!db->prepared[s->index]) {
		if (!PQsendPrepare(db->conn, s->name, s->sql, 0, NULL))
			return false;
		db->prepared[s->index] = true; /* taken back where the server refuses it */
		b->steps[b->n++] = (struct step){.statement = s, .prepares = true};
	}
	b->steps[b->n++] = (struct step){.statement = s, .rs = ask->rs};
	return PQsendQueryPrepared(db->conn, s->name, s->params_n, values, NULL, NULL,
	                           b->limits->binary);
}

static bool send_tag(struct batch *b)
{
	char name[96];
	(void)snprintf(name, sizeof name, "%s %s", b->db->program, b->limits->tag);
	return send_one(
		b, &(struct db_ask){.statement = "session_tag", .params = DB_PARAMS({"name", name})});
}

static enum err send_all(struct batch *b, const struct db_ask *asks, int n, struct errbuf *eb)
{
	PGconn *conn = b->db->conn;
	bool ok = PQenterPipelineMode(conn) && PQsetnonblocking(conn, 1) == 0;
	if (ok && b->limits->tag)
		ok = send_tag(b);
	for (int i = 0; ok && i < n; i++)
		ok = send_one(b, &asks[i]);
	if (!ok || !PQpipelineSync(conn))
		return db_connection_error(b->db, eb);
	b->unsent = PQflush(conn) > 0;
	return ERR_OK;
}

/* The answers to one step; a statement's error is kept in b->rc. */
static enum err read_step(struct batch *b, const struct step *step, struct errbuf *eb)
{
	struct db *db = b->db;
	bool ok = false;
	db->statement = step->statement->name;
	for (;;) {
		PGresult *res;
		enum err rc = next_result(b, &res, eb);
		if (rc != ERR_OK)
			return rc;
		if (!res)
			break;
		ok = db_succeeded(res);
		if (!ok && b->rc == ERR_OK)
			b->rc = b->why != ERR_OK ? tell_why(b->why, eb) : db_server_error(db, res, eb);
		if (ok && step->rs)
			step->rs->result = res;
		else
			PQclear(res);
	}
	if (step->prepares && !ok)
		db->prepared[step->statement->index] = false;
	return ERR_OK;
}

/* The end of the pipeline, and of a cancel that came too late for it. */
static enum err read_end(struct batch *b, struct errbuf *eb)
{
	PGresult *res;
	enum err rc = next_result(b, &res, eb);
	bool synced = rc == ERR_OK && PQresultStatus(res) == PGRES_PIPELINE_SYNC;
	PQclear(res);
	if (rc == ERR_OK && !synced)
		return db_connection_error(b->db, eb);
	while (rc == ERR_OK && b->cancel_fd >= 0)
		rc = wait_once(b, false, eb);
	if (rc == ERR_OK && (!PQexitPipelineMode(b->db->conn) || PQsetnonblocking(b->db->conn, 0) != 0))
		rc = db_connection_error(b->db, eb);
	return rc;
}

static enum err run(struct batch *b, const struct db_ask *asks, int n, struct errbuf *eb)
{
	int64_t at_us = clock_mono_us();
	enum err rc = send_all(b, asks, n, eb);
	for (int i = 0; rc == ERR_OK && i < b->n; i++) {
		rc = read_step(b, &b->steps[i], eb);
		if (b->steps[i].prepares)
			continue;
		db_observed(b->steps[i].statement, at_us);
		at_us = clock_mono_us();
	}
	b->db->statement = NULL;
	if (rc == ERR_OK)
		rc = read_end(b, eb);
	cancel_forget(b);
	if (rc != ERR_OK)
		b->db->broken = true;
	else if (b->rc != ERR_OK)
		rc = b->rc;
	else if (b->why != ERR_OK)
		rc = tell_why(b->why, eb);
	return rc;
}

enum err db_query_all(struct db *db, const struct db_ask *asks, int n,
                      const struct db_limits *limits, struct errbuf *eb)
{
	static const struct db_limits none = {.watch_fd = -1};
	struct batch b = {
		.db = db, .limits = limits ? limits : &none, .heard_ms = clock_mono_ms(), .cancel_fd = -1};
	must(n > 0 && n <= DB_ASKS);
	for (int i = 0; i < n; i++)
		if (asks[i].rs)
			asks[i].rs->result = NULL;
	/* What is over before it began costs the server nothing. */
	enum err rc = why_cancel(&b, false, b.heard_ms);
	if (rc != ERR_OK)
		return tell_why(rc, eb);
	rc = run(&b, asks, n, eb);
	for (int i = 0; rc != ERR_OK && i < n; i++)
		if (asks[i].rs)
			rowset_fini(asks[i].rs);
	return rc;
}
