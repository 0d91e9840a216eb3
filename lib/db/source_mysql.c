/* source_mysql.c: order_db on MySQL 8 or MariaDB, through libmariadb.
 *
 * Every call that may wait for the server is made in its non-blocking form, so
 * that a wait ends soon after db_interrupt(); see await(). Connecting alone
 * blocks: it takes seconds at most, and resolving names needs more stack than
 * libmariadb gives a call it may have to suspend. */
#include "db/source_driver.h"

#include <errmsg.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "db/source_mysql_url.h"

enum {
	CONNECT_S = 5,
	KILL_S = 2,
	READ_S = DB_SILENCE_S,
	WRITE_S = 60,
	POLL_MS = 100,
	GRACE_MS = 1000, /* for a killed query to say so */
	CELL_BYTES = 256,
	MYSQL_QUERY_TIMEOUT = 3024 /* ER_QUERY_TIMEOUT; the header has MariaDB's numbers */
};

/* The same as towards PostgreSQL, see db.c. */
enum {
	KEEPALIVE_IDLE_S = 10,
	KEEPALIVE_INTERVAL_S = 5,
	KEEPALIVE_COUNT = 3,
	UNACKNOWLEDGED_MS = 45000
};

struct my {
	MYSQL *mysql;
	struct mysql_target target; /* kept for the connection that kills a query */
	bool killed;                /* the statement now running was told to stop */
	char server[64];
};

/* ---- errors ------------------------------------------------------------- */

static enum err stopped(struct errbuf *eb)
{
	return err_set(eb, ERR_INTERRUPTED, "stopped on request");
}

/* Our own mistakes with the client library have numbers near those of a lost
 * connection, so the latter are listed. */
static enum err code_of(unsigned number)
{
	switch (number) {
	case CR_SOCKET_CREATE_ERROR:
	case CR_CONNECTION_ERROR:
	case CR_CONN_HOST_ERROR:
	case CR_IPSOCK_ERROR:
	case CR_UNKNOWN_HOST:
	case CR_SERVER_GONE_ERROR:
	case CR_SERVER_HANDSHAKE_ERR:
	case CR_SERVER_LOST:
	case CR_SERVER_LOST_EXTENDED:
	case CR_SSL_CONNECTION_ERROR:
	case CR_MALFORMED_PACKET:
	case CR_ERR_NET_READ:
	case CR_ERR_NET_WRITE:
	case ER_CON_COUNT_ERROR:
	case ER_SERVER_SHUTDOWN:
	case ER_CONNECTION_KILLED:
		return ERR_DB_DOWN;
	case ER_STATEMENT_TIMEOUT:
	case MYSQL_QUERY_TIMEOUT:
		return ERR_TIMEOUT;
	default:
		return ERR_DB;
	}
}

static enum err failed(unsigned number, const char *text, struct errbuf *eb)
{
	if (db_interrupted())
		return stopped(eb);
	return err_set(eb, code_of(number), "%s (MySQL error %u)", text, number);
}

static enum err connection_failed(MYSQL *mysql, struct errbuf *eb)
{
	return failed(mysql_errno(mysql), mysql_error(mysql), eb);
}

/* While rows are read, libmariadb leaves some errors, a lost server among them,
 * with the connection and not with the statement. */
static enum err statement_failed(MYSQL_STMT *stmt, struct errbuf *eb)
{
	if (mysql_stmt_errno(stmt))
		return failed(mysql_stmt_errno(stmt), mysql_stmt_error(stmt), eb);
	if (stmt->mysql && mysql_errno(stmt->mysql))
		return connection_failed(stmt->mysql, eb);
	return failed(CR_MALFORMED_PACKET, "the server's answer could not be read", eb);
}

/* ---- connecting --------------------------------------------------------- */

/* Without a checked certificate any machine in between may ask for the password
 * in clear: then only methods that do not send it are accepted. */
static void set_tls(MYSQL *mysql, const struct mysql_target *t, bool local)
{
	my_bool use = t->tls != TLS_DISABLE;
	my_bool verify = t->tls == TLS_VERIFY;
	(void)mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &use);
	(void)mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
	if (t->ca)
		(void)mysql_options(mysql, MYSQL_OPT_SSL_CA, t->ca);
	if (!verify && !local)
		(void)mysql_options(mysql, MARIADB_OPT_RESTRICTED_AUTH,
		                    "mysql_native_password,client_ed25519,caching_sha2_password,"
		                    "sha256_password");
}

static void set_options(MYSQL *mysql, const struct mysql_target *t, unsigned connect_s,
                        unsigned read_s)
{
	unsigned write_s = WRITE_S, no_files = 0;
	my_bool reconnect = 0;
	bool local = t->socket.len > 0;
	unsigned protocol = local ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
	(void)mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol);
	(void)mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
	(void)mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &read_s);
	(void)mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &write_s);
	/* A server may ask its client for any file, unless this is off. */
	(void)mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &no_files);
	/* A new session would be neither read only nor in the snapshot. */
	(void)mysql_options(mysql, MYSQL_OPT_RECONNECT, &reconnect);
	(void)mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	(void)mysql_options4(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "takings");
	set_tls(mysql, t, local);
}

static bool dial(MYSQL *mysql, const struct mysql_target *t)
{
	const char *socket_path = t->socket.len ? buf_str(&t->socket) : NULL;
	const char *host = socket_path ? NULL : *t->host ? t->host : "localhost";
	return mysql_real_connect(mysql, host, t->user, t->password, t->database, t->port, socket_path,
	                          0) != NULL;
}

static MYSQL *new_handle(void)
{
	MYSQL *mysql = mysql_init(NULL);
	if (!mysql)
		abort(); /* out of memory, as everywhere */
	return mysql;
}

/* The library has no options for these. On a local socket they mean nothing. */
static void watch_host(MYSQL *mysql)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
		{IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
		{IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT},
		{IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS},
	};
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		(void)setsockopt(mysql_get_socket(mysql), options[i].level, options[i].name,
		                 &options[i].value, sizeof options[i].value);
}

static enum err connect_to(struct my *m, struct errbuf *eb)
{
	m->mysql = new_handle();
	set_options(m->mysql, &m->target, CONNECT_S, READ_S);
	(void)mysql_options(m->mysql, MYSQL_OPT_NONBLOCK, NULL);
	if (!dial(m->mysql, &m->target))
		return connection_failed(m->mysql, eb);
	watch_host(m->mysql);
	/* The library goes on in clear when the server knows no TLS. */
	if (m->target.tls >= TLS_REQUIRE && !mysql_get_ssl_cipher(m->mysql))
		return err_set(eb, ERR_DB_DOWN, "the server offers no TLS, which ssl-mode demands");
	const char *version = mysql_get_server_info(m->mysql);
	(void)snprintf(m->server, sizeof m->server, "%s %.*s",
	               mariadb_connection(m->mysql) ? "MariaDB" : "MySQL", (int)strcspn(version, "-"),
	               version);
	return ERR_OK;
}

/* ---- waiting ------------------------------------------------------------ */

/* The protocol has no cancel: another connection of the same user has to ask. */
static bool kill_query(const struct my *m)
{
	char sql[64];
	MYSQL *other = new_handle();
	set_options(other, &m->target, KILL_S, KILL_S);
	(void)snprintf(sql, sizeof sql, "KILL QUERY %lu", mysql_thread_id(m->mysql));
	bool done = dial(other, &m->target) && mysql_query(other, sql) == 0;
	mysql_close(other);
	return done;
}

/* Ends the running statement, and the connection if there is no other way. */
static void stop_running(struct my *m)
{
	if (m->killed)
		return;
	m->killed = true;
	if (!kill_query(m))
		(void)shutdown(mysql_get_socket(m->mysql), SHUT_RDWR);
}

static int poll_socket(struct my *m, int want)
{
	short events =
		(short)((want & MYSQL_WAIT_READ ? POLLIN : 0) | (want & MYSQL_WAIT_WRITE ? POLLOUT : 0) |
	            (want & MYSQL_WAIT_EXCEPT ? POLLPRI : 0));
	struct pollfd p = {.fd = mysql_get_socket(m->mysql), .events = events};
	if (poll(&p, 1, POLL_MS) <= 0)
		return 0;
	int got = (p.revents & POLLIN ? MYSQL_WAIT_READ : 0) |
	          (p.revents & POLLOUT ? MYSQL_WAIT_WRITE : 0) |
	          (p.revents & POLLPRI ? MYSQL_WAIT_EXCEPT : 0);
	/* A broken socket is ready for anything: the call then sees the error. */
	return got ? got : want & ~MYSQL_WAIT_TIMEOUT;
}

/* Until the socket is ready. Told to stop, or out of patience, the query is
 * killed; a server that does not react to that is left behind by a timeout,
 * which makes libmariadb close the connection. */
static int await(struct my *m, int want)
{
	int64_t patience = (int64_t)mysql_get_timeout_value_ms(m->mysql);
	int64_t deadline = clock_mono_ms() + (m->killed ? GRACE_MS : patience);
	for (;;) {
		int got = poll_socket(m, want);
		if (got)
			return got;
		if (db_interrupted() && !m->killed) {
			stop_running(m);
			deadline = clock_mono_ms() + GRACE_MS;
		}
		if (clock_mono_ms() >= deadline) {
			stop_running(m);
			return MYSQL_WAIT_TIMEOUT;
		}
	}
}

static int run_query(struct my *m, const char *sql)
{
	int bad = 0;
	int want = mysql_real_query_start(&bad, m->mysql, sql, strlen(sql));
	while (want)
		want = mysql_real_query_cont(&bad, m->mysql, await(m, want));
	return bad;
}

static void drop_result(struct my *m)
{
	MYSQL_RES *res = mysql_use_result(m->mysql);
	int want = res ? mysql_free_result_start(res) : 0;
	while (want)
		want = mysql_free_result_cont(res, await(m, want));
}

static int stmt_prepare(struct my *m, MYSQL_STMT *stmt, const char *sql)
{
	int bad = 0;
	int want = mysql_stmt_prepare_start(&bad, stmt, sql, strlen(sql));
	while (want)
		want = mysql_stmt_prepare_cont(&bad, stmt, await(m, want));
	return bad;
}

static int stmt_execute(struct my *m, MYSQL_STMT *stmt)
{
	int bad = 0;
	int want = mysql_stmt_execute_start(&bad, stmt);
	while (want)
		want = mysql_stmt_execute_cont(&bad, stmt, await(m, want));
	return bad;
}

static int stmt_fetch(struct my *m, MYSQL_STMT *stmt)
{
	int got = 0;
	int want = mysql_stmt_fetch_start(&got, stmt);
	while (want)
		want = mysql_stmt_fetch_cont(&got, stmt, await(m, want));
	return got;
}

/* Reads and drops what is still on its way. */
static void stmt_close(struct my *m, MYSQL_STMT *stmt)
{
	my_bool bad = 0;
	int want = mysql_stmt_close_start(&bad, stmt);
	while (want)
		want = mysql_stmt_close_cont(&bad, stmt, await(m, want));
}

/* ---- statements --------------------------------------------------------- */

static enum err my_command(void *conn, const char *sql, struct errbuf *eb)
{
	struct my *m = conn;
	m->killed = false;
	if (run_query(m, sql) != 0)
		return connection_failed(m->mysql, eb);
	drop_result(m);
	return mysql_errno(m->mysql) ? connection_failed(m->mysql, eb) : ERR_OK;
}

/* One column of the row being read. */
struct cell {
	char *text;
	size_t cap;        /* bytes of text, its NUL included */
	unsigned long len; /* of the value, even where it did not fit */
	my_bool null, cut;
};

struct answer {
	MYSQL_STMT *stmt;
	MYSQL_BIND *bind;
	struct cell *cell;
	const char **values;
	unsigned cols;
};

static void bind_cell(MYSQL_BIND *b, struct cell *c)
{
	*b = (MYSQL_BIND){
		.buffer_type = MYSQL_TYPE_STRING,
		.buffer = c->text,
		.buffer_length = c->cap - 1,
		.length = &c->len,
		.is_null = &c->null,
		.error = &c->cut,
	};
}

static enum err answer_bind(struct answer *a, struct errbuf *eb)
{
	a->cols = mysql_stmt_field_count(a->stmt);
	a->bind = mem_alloc(a->cols * sizeof *a->bind);
	a->cell = mem_alloc(a->cols * sizeof *a->cell);
	a->values = mem_alloc(a->cols * sizeof *a->values);
	for (unsigned i = 0; i < a->cols; i++) {
		a->cell[i].cap = CELL_BYTES;
		a->cell[i].text = mem_alloc(CELL_BYTES);
		bind_cell(&a->bind[i], &a->cell[i]);
	}
	if (a->cols && mysql_stmt_bind_result(a->stmt, a->bind))
		return statement_failed(a->stmt, eb);
	return ERR_OK;
}

static void answer_fini(struct answer *a)
{
	for (unsigned i = 0; i < a->cols; i++)
		free(a->cell[i].text);
	free(a->cell);
	free(a->bind);
	free(a->values);
}

/* Makes room for a value that did not fit and reads it again. */
static bool widen(struct answer *a, unsigned col)
{
	struct cell *c = &a->cell[col];
	c->cap = c->len + c->len / 2 + 1;
	c->text = mem_realloc(c->text, c->cap);
	bind_cell(&a->bind[col], c);
	return mysql_stmt_fetch_column(a->stmt, &a->bind[col], col, 0) == 0;
}

/* The fetched row into values. */
static enum err take_row(struct answer *a, struct errbuf *eb)
{
	bool widened = false;
	for (unsigned i = 0; i < a->cols; i++) {
		struct cell *c = &a->cell[i];
		if (!c->null && c->len >= c->cap) {
			widened = true;
			if (!widen(a, i))
				return statement_failed(a->stmt, eb);
		}
		if (!c->null)
			c->text[c->len] = '\0';
		a->values[i] = c->null ? NULL : c->text;
	}
	if (widened && mysql_stmt_bind_result(a->stmt, a->bind))
		return statement_failed(a->stmt, eb);
	return ERR_OK;
}

static enum err next_row(struct my *m, struct answer *a, bool *end, struct errbuf *eb)
{
	int got = stmt_fetch(m, a->stmt);
	*end = got == MYSQL_NO_DATA;
	/* A killed statement may also end as if it were complete. */
	if (db_interrupted())
		return stopped(eb);
	if (*end)
		return ERR_OK;
	if (got != 0 && got != MYSQL_DATA_TRUNCATED)
		return statement_failed(a->stmt, eb);
	return take_row(a, eb);
}

static enum err read_rows(struct my *m, struct answer *a, db_row_fn fn, void *arg,
                          struct errbuf *eb)
{
	bool end = a->cols == 0;
	while (!end) {
		enum err rc = next_row(m, a, &end, eb);
		if (rc == ERR_OK && !end)
			rc = fn(arg, (int)a->cols, a->values, eb);
		if (rc == ERR_OK)
			continue;
		if (!end)
			stop_running(m);
		return rc;
	}
	return ERR_OK;
}

static enum err bind_params(MYSQL_STMT *stmt, MYSQL_BIND *bind, int n, const char *const *params,
                            struct errbuf *eb)
{
	must((unsigned long)n == mysql_stmt_param_count(stmt));
	for (int i = 0; i < n; i++) {
		const char *text = params[i];
		bind[i].buffer_type = text ? MYSQL_TYPE_STRING : MYSQL_TYPE_NULL;
		bind[i].buffer = (void *)(uintptr_t)text; /* only read */
		bind[i].buffer_length = text ? strlen(text) : 0;
	}
	if (n && mysql_stmt_bind_param(stmt, bind))
		return statement_failed(stmt, eb);
	return ERR_OK;
}

static enum err execute(struct my *m, MYSQL_STMT *stmt, const char *sql, int n,
                        const char *const *params, struct errbuf *eb)
{
	if (stmt_prepare(m, stmt, sql) != 0)
		return statement_failed(stmt, eb);
	MYSQL_BIND *bind = mem_alloc((size_t)n * sizeof *bind);
	enum err rc = bind_params(stmt, bind, n, params, eb);
	if (rc == ERR_OK && stmt_execute(m, stmt) != 0)
		rc = statement_failed(stmt, eb);
	free(bind);
	return rc;
}

static enum err my_stream(void *conn, const char *sql, int params_n, const char *const *params,
                          db_row_fn fn, void *arg, struct errbuf *eb)
{
	struct my *m = conn;
	struct answer a = {.stmt = mysql_stmt_init(m->mysql)};
	if (!a.stmt)
		return connection_failed(m->mysql, eb);
	m->killed = false;
	enum err rc = db_interrupted() ? stopped(eb) : execute(m, a.stmt, sql, params_n, params, eb);
	if (rc == ERR_OK)
		rc = answer_bind(&a, eb);
	if (rc == ERR_OK)
		rc = read_rows(m, &a, fn, arg, eb);
	stmt_close(m, a.stmt);
	answer_fini(&a);
	return rc;
}

/* ---- opening ------------------------------------------------------------ */

static void my_close(void *conn)
{
	struct my *m = conn;
	if (!m)
		return;
	if (m->mysql)
		mysql_close(m->mysql);
	mysql_target_fini(&m->target);
	free(m);
}

/* The mode is stated in full: what a server sets for all is not ours to rely on.
 * Zero dates and differences of unsigned columns must come through as they are.
 * The session idles while answers are worked on, hence wait_timeout. */
static const char *const session_sql[] = {
	"SET SESSION time_zone = '+00:00', net_write_timeout = 600, wait_timeout = 3600,"
	" sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,NO_UNSIGNED_SUBTRACTION'",
	"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
};

static enum err my_open(void **conn, const char *name, const char *url, struct errbuf *eb)
{
	struct my *m = mem_alloc(sizeof *m);
	enum err rc = mysql_target_parse(&m->target, name, url, eb);
	if (rc == ERR_OK)
		rc = connect_to(m, eb);
	for (size_t i = 0; rc == ERR_OK && i < sizeof session_sql / sizeof *session_sql; i++)
		rc = my_command(m, session_sql[i], eb);
	if (rc == ERR_OK)
		*conn = m;
	else
		my_close(m);
	return rc;
}

static const char *my_server(void *conn)
{
	const struct my *m = conn;
	return m->server;
}

/* The last command: denied to our user for the table or a column, or a transaction or a
 * server that is read only. */
static bool my_refused(void *conn)
{
	const struct my *m = conn;
	switch (mysql_errno(m->mysql)) {
	case ER_TABLEACCESS_DENIED_ERROR:
	case ER_COLUMNACCESS_DENIED_ERROR:
	case ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION:
	case ER_OPTION_PREVENTS_STATEMENT:
		return true;
	default:
		return false;
	}
}

static const char *my_weak_tls(void *conn)
{
	const struct mysql_target *t = &((const struct my *)conn)->target;
	if (t->socket.len || db_host_is_local(t->host) || t->tls >= TLS_REQUIRE)
		return NULL;
	return t->tls == TLS_PREFER ? "prefer" : "disable";
}

/* ---- the shape ---------------------------------------------------------- */

static const struct {
	const char *word; /* the type before its first bracket or space */
	enum source_kind kind;
} kinds[] = {
	{"tinyint", KIND_INTEGER},      {"smallint", KIND_INTEGER}, {"mediumint", KIND_INTEGER},
	{"int", KIND_INTEGER},          {"integer", KIND_INTEGER},  {"bigint", KIND_INTEGER},
	{"decimal", KIND_DECIMAL},      {"numeric", KIND_DECIMAL},  {"float", KIND_FLOAT},
	{"double", KIND_FLOAT},         {"char", KIND_TEXT},        {"varchar", KIND_TEXT},
	{"tinytext", KIND_TEXT},        {"text", KIND_TEXT},        {"mediumtext", KIND_TEXT},
	{"longtext", KIND_TEXT},        {"enum", KIND_TEXT},        {"timestamp", KIND_CLOCK_UTC},
	{"datetime", KIND_CLOCK_LOCAL}, {"date", KIND_CLOCK_LOCAL},
};

static enum source_kind my_kind(const char *type)
{
	size_t n = strcspn(type, "( ");
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strlen(kinds[i].word) == n && strncasecmp(type, kinds[i].word, n) == 0)
			return kinds[i].kind;
	return KIND_OTHER;
}

#define OUR_TABLES "('orders', 'order_items', 'order_refunds')"

/* Only B-trees: a full-text index finds no range. The inner select runs once,
 * where a correlated one would open every table for every column. */
static const char columns_sql[] =
	"SELECT CAST(c.table_name AS CHAR), LOWER(CAST(c.column_name AS CHAR)),"
	" LEFT(CAST(c.column_type AS CHAR), 100),"
	" IF(c.data_type = 'decimal', CAST(c.numeric_scale AS CHAR), NULL),"
	" IF(i.column_name IS NULL, '0', '1')"
	" FROM information_schema.columns c LEFT JOIN (SELECT DISTINCT s.table_name, s.column_name"
	" FROM information_schema.statistics s WHERE s.table_schema = DATABASE()"
	" AND s.table_name IN " OUR_TABLES " AND s.seq_in_index = 1 AND s.index_type = 'BTREE') i"
	" ON i.table_name = c.table_name AND i.column_name = c.column_name"
	" WHERE c.table_schema = DATABASE() AND c.table_name IN " OUR_TABLES
	" ORDER BY c.table_name, c.ordinal_position";

/* MariaDB knows which place of the binary log a consistent snapshot belongs to,
 * MySQL only the time. Both read the comments meant for MariaDB as such. */
static const char snapshot_text_sql[] =
	"SELECT CONCAT(DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ'),"
	" ', connection ', CONNECTION_ID()"
	" /*M!100300 , COALESCE((SELECT CONCAT(', binlog ', f.variable_value, ':', p.variable_value)"
	" FROM information_schema.session_status f JOIN information_schema.session_status p"
	" ON p.variable_name = 'BINLOG_SNAPSHOT_POSITION'"
	" WHERE f.variable_name = 'BINLOG_SNAPSHOT_FILE' AND f.variable_value <> ''), '') */)";

const struct source_driver source_mysql = {
	.mysql = true,
	.open = my_open,
	.close = my_close,
	.command = my_command,
	.stream = my_stream,
	.server = my_server,
	.refused = my_refused,
	.weak_tls = my_weak_tls,
	.tls_word = "ssl-mode",
	.snapshot_sql = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
	.snapshot_text_sql = snapshot_text_sql,
	.write_sql = "START TRANSACTION READ WRITE",
	.columns_sql = columns_sql,
	.kind = my_kind,
};
