/* db.c: libpq, asynchronous underneath so that a wait can be interrupted. */
#include "db/db_internal.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"

enum { COPY_FLUSH_BYTES = 64 * 1024 };

/* A host that is gone: asked after 10 s of silence and every 5 s from then on, and given up
 * when neither that nor what we sent was acknowledged for 45 s. Kernels answer each other:
 * a server that is only busy is not lost by this. */
#define KEEPALIVE_IDLE_S "10"
#define KEEPALIVE_INTERVAL_S "5"
#define KEEPALIVE_COUNT "3"
#define UNACKNOWLEDGED_MS "45000"

static volatile sig_atomic_t interrupted;

void db_interrupt(void)
{
	interrupted = 1;
}

bool db_interrupted(void)
{
	return interrupted != 0;
}

/* ---- errors ------------------------------------------------------------ */

/* libpq ends messages with newlines and prefixes the severity; neither helps a reader. */
enum err db_connection_error(struct db *db, struct errbuf *eb)
{
	const char *text = PQerrorMessage(db->conn);
	int n = (int)strcspn(text, "\n");
	db->sqlstate[0] = '\0';
	return err_set(eb, ERR_DB_DOWN, "%.*s", n, n ? text : "the connection was lost");
}

enum err db_server_error(struct db *db, const PGresult *res, struct errbuf *eb)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL);
	(void)snprintf(db->sqlstate, sizeof db->sqlstate, "%s", state ? state : "");
	if (PQstatus(db->conn) == CONNECTION_BAD || !state)
		return db_connection_error(db, eb);
	if (interrupted)
		return err_set(eb, ERR_INTERRUPTED, "stopped on request");
	enum err code = strcmp(state, "57014") == 0 ? ERR_TIMEOUT : ERR_DB;
	/* 25P03: the server has ended the session, because it slept within a transaction. */
	if (strncmp(state, "08", 2) == 0 || strncmp(state, "57P", 3) == 0 ||
	    strcmp(state, "53300") == 0 || strcmp(state, "25P03") == 0)
		code = ERR_DB_DOWN;
	if (strcmp(state, "55P03") == 0) /* lock_timeout: later it may work */
		code = ERR_BUSY;
	return err_set(eb, code, "%s%s%s%s%s (SQLSTATE %s)", db->statement ? db->statement : "",
	               db->statement ? ": " : "", primary ? primary : "", detail ? ": " : "",
	               detail ? detail : "", state);
}

enum err db_give_up(struct db *db, struct errbuf *eb)
{
	db->given_up = true;
	return err_set(eb, ERR_DB_DOWN, "the server did not answer within %d s",
	               (int)(db->limit_ms / 1000));
}

bool db_succeeded(const PGresult *res)
{
	switch (PQresultStatus(res)) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
	case PGRES_SINGLE_TUPLE:
	case PGRES_COPY_IN:
		return true;
	default:
		return false;
	}
}

/* ---- waiting ----------------------------------------------------------- */

static void cancel(PGconn *conn)
{
	char why[256];
	PGcancel *c = PQgetCancel(conn);
	if (c)
		(void)PQcancel(c, why, sizeof why);
	PQfreeCancel(c);
}

/* The next result, NULL when the statement is over. Sends a cancel once when
 * asked to stop, then waits for the server's word as usual. */
static enum err next_result(struct db *db, PGresult **res, struct errbuf *eb)
{
	bool cancelled = false;
	int64_t start_ms = clock_mono_ms();
	while (PQisBusy(db->conn)) {
		struct pollfd p = {.fd = PQsocket(db->conn), .events = POLLIN};
		if (interrupted && !db->steadfast && !cancelled) {
			cancel(db->conn);
			cancelled = true;
		}
		if (poll(&p, 1, DB_POLL_MS) > 0 && !PQconsumeInput(db->conn))
			return db_connection_error(db, eb);
		if (db->limit_ms && clock_mono_ms() - start_ms > db->limit_ms)
			return db_give_up(db, eb);
	}
	*res = PQgetResult(db->conn);
	return ERR_OK;
}

/* Reads to the end; keeps the last result of rows, the first error wins. */
static enum err finish(struct db *db, PGresult **keep, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	for (;;) {
		PGresult *res = NULL;
		enum err waited = next_result(db, &res, eb);
		if (waited != ERR_OK)
			return waited;
		if (!res)
			return rc;
		if (!db_succeeded(res) && rc == ERR_OK)
			rc = db_server_error(db, res, eb);
		if (keep && rc == ERR_OK) {
			PQclear(*keep);
			*keep = res;
		} else {
			PQclear(res);
		}
	}
}

/* ---- connecting -------------------------------------------------------- */

static bool is_url(const char *text)
{
	return strncmp(text, "postgresql://", 13) == 0 || strncmp(text, "postgres://", 11) == 0;
}

/* libpq ends user and password at the first @ or /, and does not mind more of them. */
static bool has_stray_at(const char *url)
{
	const char *p = strstr(url, "://") + 3;
	p += strcspn(p, "@/");
	p += *p == '@';
	return memchr(p, '@', strcspn(p, "?")) != NULL;
}

/* Ports are only read when connecting, with messages that repeat them. */
static bool has_odd_port(const PQconninfoOption *parts)
{
	for (; parts->keyword; parts++)
		if (strcmp(parts->keyword, "port") == 0 && parts->val)
			return parts->val[strspn(parts->val, "0123456789,")] != '\0';
	return false;
}

enum err db_url_check(const char *name, const char *url, struct errbuf *eb)
{
	PQconninfoOption *parts = PQconninfoParse(url, NULL);
	bool bad = !parts || has_odd_port(parts) || (is_url(url) && has_stray_at(url));
	PQconninfoFree(parts);
	return bad ? err_set_field(
					 eb, ERR_CONFIG, name,
					 "%s: the URL is malformed; it reads"
					 " postgresql://user:password@host:port/database, where @, / and %% in a"
					 " user name or password are written %%40, %%2F and %%25",
					 name)
	           : ERR_OK;
}

/* Ours come behind those of the URL (such as a search_path), and so win over them. */
static void put_options(struct buf *b, const struct db_options *opt)
{
	PQconninfoOption *parts = PQconninfoParse(opt->url, NULL);
	for (PQconninfoOption *p = parts; p && p->keyword; p++)
		if (strcmp(p->keyword, "options") == 0 && p->val)
			buf_printf(b, "%s ", p->val);
	PQconninfoFree(parts);
	buf_printf(b,
	           "-c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres"
	           " -c bytea_output=hex -c extra_float_digits=1%s%s",
	           opt->settings ? " " : "", opt->settings ? opt->settings : "");
}

static PGconn *dial(const struct db_options *opt)
{
	struct buf options;
	buf_init(&options);
	put_options(&options, opt);
	const char *keys[] = {"dbname",
	                      "application_name",
	                      "options",
	                      "connect_timeout",
	                      "keepalives",
	                      "keepalives_idle",
	                      "keepalives_interval",
	                      "keepalives_count",
	                      "tcp_user_timeout",
	                      "client_encoding",
	                      opt->replication ? "replication" : NULL,
	                      NULL};
	const char *values[] = {opt->url,
	                        opt->program,
	                        buf_str(&options),
	                        "5",
	                        "1",
	                        KEEPALIVE_IDLE_S,
	                        KEEPALIVE_INTERVAL_S,
	                        KEEPALIVE_COUNT,
	                        UNACKNOWLEDGED_MS,
	                        "UTF8",
	                        "database",
	                        NULL};
	PGconn *conn = PQconnectdbParams(keys, values, 1);
	buf_fini(&options);
	return conn;
}

/* Standard error is for lines of our log. */
static void on_notice(void *arg, const char *message)
{
	(void)arg;
	LOG(LOG_DEBUG, "server_notice", LOG_STR("message", message), LOG_END);
}

enum err db_open(struct db **out, const struct db_options *opt, struct errbuf *eb)
{
	enum err rc = db_url_check(opt->name, opt->url, eb);
	if (rc != ERR_OK)
		return rc;
	struct db *db = mem_alloc(sizeof *db);
	db->conn = dial(opt);
	(void)snprintf(db->program, sizeof db->program, "%s", opt->program);
	(void)PQsetNoticeProcessor(db->conn, on_notice, NULL);
	db->limit_ms = opt->limit_ms;
	db->prepared = mem_alloc((size_t)statement_count() * sizeof *db->prepared + 1);
	if (PQstatus(db->conn) != CONNECTION_OK) {
		rc = db_connection_error(db, eb);
		db_close(db);
		return rc;
	}
	*out = db;
	return ERR_OK;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	PQfinish(db->conn);
	buf_fini(&db->copy);
	free(db->prepared);
	free(db);
}

bool db_alive(const struct db *db)
{
	return !db->given_up && !db->broken && PQstatus(db->conn) == CONNECTION_OK;
}

bool db_given_up(const struct db *db)
{
	return db->given_up;
}

bool db_host_is_local(const char *host)
{
	return *host == '\0' || *host == '/' || *host == '@' || strcmp(host, "localhost") == 0 ||
	       strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

const char *db_weak_sslmode(const struct db *db)
{
	static const char *const weak[] = {"disable", "allow", "prefer"};
	const char *found = NULL;
	PQconninfoOption *parts = PQconninfo(db->conn);
	for (PQconninfoOption *p = parts; p && p->keyword; p++)
		for (size_t i = 0; i < sizeof weak / sizeof *weak; i++)
			if (strcmp(p->keyword, "sslmode") == 0 && p->val && strcmp(p->val, weak[i]) == 0)
				found = weak[i];
	PQconninfoFree(parts);
	return db_host_is_local(PQhost(db->conn)) ? NULL : found;
}

const char *db_sqlstate(const struct db *db)
{
	return db->sqlstate;
}

const char *db_server_version(const struct db *db)
{
	return PQparameterStatus(db->conn, "server_version");
}

/* ---- statements -------------------------------------------------------- */

static enum err prepare(struct db *db, const struct statement *s, struct errbuf *eb)
{
	if (db->prepared[s->index])
		return ERR_OK;
	if (!PQsendPrepare(db->conn, s->name, s->sql, 0, NULL))
		return db_connection_error(db, eb);
	enum err rc = finish(db, NULL, eb);
	db->prepared[s->index] = rc == ERR_OK;
	return rc;
}

static const char *param_text(const struct db_param *params, const char *name)
{
	for (; params->name; params++)
		if (strcmp(params->name, name) == 0)
			return params->text;
	(void)fprintf(stderr, "takings: parameter %s was not given\n", name);
	must(params->name != NULL); /* every parameter of a statement is given */
	return NULL;
}

void db_values(const struct statement *s, const struct db_param *params,
               const char *values[STATEMENT_PARAMS])
{
	for (int i = 0; i < s->params_n; i++)
		values[i] = param_text(params, s->params[i]);
}

static db_observe_fn observer;

void db_observe(db_observe_fn fn)
{
	observer = fn;
}

void db_observed(const struct statement *s, int64_t since_us)
{
	if (observer)
		observer(s, clock_mono_us() - since_us);
}

enum err db_query(struct db *db, const char *statement, const struct db_param *params,
                  struct rowset *rs, struct errbuf *eb)
{
	const struct statement *s = statement_find(statement);
	const char *values[STATEMENT_PARAMS];
	PGresult *res = NULL;
	int64_t begun_us = clock_mono_us();
	must(s != NULL);
	if (rs)
		rs->result = NULL;
	db_values(s, params, values);
	db->statement = s->name;
	enum err rc = prepare(db, s, eb);
	if (rc == ERR_OK && !PQsendQueryPrepared(db->conn, s->name, s->params_n, values, NULL, NULL, 0))
		rc = db_connection_error(db, eb);
	if (rc == ERR_OK)
		rc = finish(db, &res, eb);
	db->statement = NULL;
	db_observed(s, begun_us);
	if (rc != ERR_OK || !rs)
		PQclear(res);
	else
		rs->result = res;
	return rc;
}

enum err db_describe(struct db *db, const char *statement, struct rowset *rs, struct errbuf *eb)
{
	const struct statement *s = statement_find(statement);
	PGresult *res = NULL;
	must(s != NULL);
	rs->result = NULL;
	enum err rc = prepare(db, s, eb);
	if (rc == ERR_OK && !PQsendDescribePrepared(db->conn, s->name))
		rc = db_connection_error(db, eb);
	if (rc == ERR_OK)
		rc = finish(db, &res, eb);
	if (rc == ERR_OK)
		rs->result = res;
	else
		PQclear(res);
	return rc;
}

enum err db_script(struct db *db, const char *statement, struct errbuf *eb)
{
	const struct statement *s = statement_find(statement);
	must(s && s->params_n == 0);
	return db_command(db, s->sql, eb);
}

enum err db_command(struct db *db, const char *sql, struct errbuf *eb)
{
	if (!PQsendQuery(db->conn, sql))
		return db_connection_error(db, eb);
	return finish(db, NULL, eb);
}

void db_rollback(struct db *db)
{
	struct errbuf ignored = {0};
	if (!db_alive(db) || PQtransactionStatus(db->conn) == PQTRANS_IDLE)
		return;
	if (PQtransactionStatus(db->conn) == PQTRANS_ACTIVE) {
		cancel(db->conn);
		(void)finish(db, NULL, &ignored);
	}
	err_clear(&ignored);
	bool was = db->steadfast;
	db->steadfast = true;
	if (db_command(db, "ROLLBACK", &ignored) != ERR_OK)
		db->given_up = true;
	db->steadfast = was;
}

void db_ignore_interrupt(struct db *db)
{
	db->steadfast = true;
}

/* ---- listening ---------------------------------------------------------- */

enum err db_listen(struct db *db, const char *channel, struct errbuf *eb)
{
	char sql[128];
	char *quoted = PQescapeIdentifier(db->conn, channel, strlen(channel));
	if (!quoted)
		return db_connection_error(db, eb);
	int n = snprintf(sql, sizeof sql, "LISTEN %s", quoted);
	PQfreemem(quoted);
	must(n > 0 && n < (int)sizeof sql);
	return db_command(db, sql, eb);
}

static int hand_out(struct db *db, db_notify_fn fn, void *arg)
{
	int n = 0;
	for (PGnotify *got; (got = PQnotifies(db->conn)); n++) {
		fn(arg, got->relname, got->extra);
		PQfreemem(got);
	}
	return n;
}

enum err db_wait_notify(struct db *db, int timeout_ms, db_notify_fn fn, void *arg,
                        struct errbuf *eb)
{
	int64_t until_ms = clock_mono_ms() + timeout_ms;
	for (;;) {
		struct pollfd p = {.fd = PQsocket(db->conn), .events = POLLIN};
		if (hand_out(db, fn, arg))
			return ERR_OK;
		if (!db_alive(db))
			return db_connection_error(db, eb);
		if (interrupted && !db->steadfast)
			return err_set(eb, ERR_INTERRUPTED, "stopped on request");
		int64_t left_ms = until_ms - clock_mono_ms();
		if (left_ms < 0)
			left_ms = 0;
		if (poll(&p, 1, left_ms < DB_POLL_MS ? (int)left_ms : DB_POLL_MS) > 0) {
			if (!PQconsumeInput(db->conn))
				return db_connection_error(db, eb);
		} else if (left_ms == 0) {
			return ERR_OK;
		}
	}
}

/* ---- streaming out ----------------------------------------------------- */

static enum err hand_over(const PGresult *res, db_row_fn fn, void *arg, struct errbuf *eb)
{
	enum { MAX_COLS = 32 };
	const char *values[MAX_COLS];
	int cols = PQnfields(res);
	must(cols <= MAX_COLS);
	for (int row = 0; row < PQntuples(res); row++) {
		for (int col = 0; col < cols; col++)
			values[col] = PQgetisnull(res, row, col) ? NULL : PQgetvalue(res, row, col);
		enum err rc = fn(arg, cols, values, eb);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

enum err db_stream(struct db *db, const char *sql, int params_n, const char *const *params,
                   db_row_fn fn, void *arg, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	if (!PQsendQueryParams(db->conn, sql, params_n, NULL, params, NULL, NULL, 0) ||
	    !PQsetSingleRowMode(db->conn))
		return db_connection_error(db, eb);
	for (;;) {
		PGresult *res = NULL;
		enum err waited = next_result(db, &res, eb);
		if (waited != ERR_OK || !res)
			return waited != ERR_OK ? waited : rc;
		if (!db_succeeded(res) && rc == ERR_OK)
			rc = db_server_error(db, res, eb);
		if (rc == ERR_OK) {
			rc = hand_over(res, fn, arg, eb);
			if (rc != ERR_OK)
				cancel(db->conn); /* what is still on its way is read and dropped */
		}
		PQclear(res);
	}
}

/* ---- COPY in ----------------------------------------------------------- */

enum err db_copy_begin(struct db *db, const char *sql, struct errbuf *eb)
{
	PGresult *res = NULL;
	buf_clear(&db->copy);
	if (!PQsendQuery(db->conn, sql))
		return db_connection_error(db, eb);
	enum err rc = next_result(db, &res, eb);
	if (rc == ERR_OK && PQresultStatus(res) != PGRES_COPY_IN) {
		rc = db_server_error(db, res, eb);
		(void)finish(db, NULL, NULL);
	}
	PQclear(res);
	return rc;
}

/* Text format of COPY: tab between columns, \N for NULL, backslash escapes. */
static void put_field(struct buf *b, const char *s)
{
	if (!s) {
		buf_puts(b, "\\N");
		return;
	}
	for (size_t n; *s; s += n) {
		n = strcspn(s, "\\\t\n\r\b\f\v");
		buf_put(b, s, n);
		if (s[n]) {
			static const char from[] = "\\\t\n\r\b\f\v", to[] = "\\tnrbfv";
			buf_putc(b, '\\');
			buf_putc(b, to[strchr(from, s[n]) - from]);
			n++;
		}
	}
}

static enum err copy_flush(struct db *db, struct errbuf *eb)
{
	int rc = PQputCopyData(db->conn, buf_str(&db->copy), (int)db->copy.len);
	buf_clear(&db->copy);
	return rc == 1 ? ERR_OK : db_connection_error(db, eb);
}

enum err db_copy_row(struct db *db, int cols, const char *const *values, struct errbuf *eb)
{
	for (int i = 0; i < cols; i++) {
		put_field(&db->copy, values[i]);
		buf_putc(&db->copy, i + 1 < cols ? '\t' : '\n');
	}
	return db->copy.len < COPY_FLUSH_BYTES ? ERR_OK : copy_flush(db, eb);
}

enum err db_copy_bytes(struct db *db, const void *bytes, size_t n, struct errbuf *eb)
{
	buf_put(&db->copy, bytes, n);
	return db->copy.len < COPY_FLUSH_BYTES ? ERR_OK : copy_flush(db, eb);
}

enum err db_copy_end(struct db *db, bool ok, struct errbuf *eb)
{
	struct errbuf dropped = {0};
	enum err rc = ok ? copy_flush(db, eb) : ERR_OK;
	if (PQputCopyEnd(db->conn, rc == ERR_OK && ok ? NULL : "given up by the sender") != 1)
		return db_connection_error(db, eb);
	if (rc != ERR_OK || !ok) {
		(void)finish(db, NULL, &dropped);
		return rc;
	}
	return finish(db, NULL, eb);
}
