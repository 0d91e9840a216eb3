/* db.h: one connection to a PostgreSQL database, used by one thread at a time.
 *
 * Statements come from the closed set of statement.h and are prepared at their
 * first use on the connection. Errors: ERR_DB_DOWN when the connection is gone
 * or was never made, ERR_TIMEOUT when statement_timeout ended a statement, ERR_BUSY
 * when a lock was not to be had within lock_timeout,
 * ERR_DB for anything else the server refused, ERR_INTERRUPTED when asked to
 * stop. After an error inside a transaction the caller rolls back. */
#ifndef TAKINGS_DB_DB_H
#define TAKINGS_DB_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "db/rowset.h"

struct db;

struct db_param {
	const char *name; /* NULL ends the list */
	const char *text; /* NULL: SQL NULL */
};

/* How long the batch waits for a word of a server that is at work. */
enum { DB_SILENCE_S = 60 * 60 };

#define DB_PARAMS(...) ((const struct db_param[]){__VA_ARGS__, {NULL, NULL}})
#define DB_NO_PARAMS ((const struct db_param[]){{NULL, NULL}})

struct db_options {
	const char *name;     /* the setting the URL is of, for messages */
	const char *url;      /* a libpq connection string or URL */
	const char *program;  /* application_name */
	const char *settings; /* more "-c name=value" words for the session, or NULL */
	int limit_ms;         /* longest wait for an answer, then the connection is given up; 0: none */
	bool replication;     /* of replication.h: named statements are not possible */
};

/* ERR_CONFIG, naming the setting and repeating no piece of the URL, for one that
 * libpq cannot read or would read otherwise than it is meant: a password with a
 * bare @ or / in it ends up in the host or the database, and so in messages. */
MUST_CHECK enum err db_url_check(const char *name, const char *url, struct errbuf *eb);

/* Dates and times of every session are ISO and UTC. A host that is gone without a
 * word is noticed within a minute, however long an answer may take. */
MUST_CHECK enum err db_open(struct db **out, const struct db_options *opt, struct errbuf *eb);
void db_close(struct db *db);

/* False once the connection is known to be lost, or was given up. */
bool db_alive(const struct db *db);

/* True once a wait for the server timed out: trying again would take as long. */
bool db_given_up(const struct db *db);

/* "", a socket's directory, localhost, 127.0.0.1 and its like: nobody listens in between. */
bool db_host_is_local(const char *host);

/* The sslmode of a connection to another host that does not insist on TLS, such as
 * "prefer"; NULL where there is no such doubt. */
const char *db_weak_sslmode(const struct db *db);

/* Runs a named statement. Missing parameters are a bug of ours. `rs` may be
 * NULL when the rows are of no interest; it is empty after an error. */
MUST_CHECK enum err db_query(struct db *db, const char *statement, const struct db_param *params,
                             struct rowset *rs, struct errbuf *eb);

/* What a batch of statements may take. */
struct db_limits {
	int64_t deadline_ms; /* clock_mono_ms() at which it is cancelled: ERR_TIMEOUT; 0: none */
	int watch_fd;        /* cancelled when its peer hangs up: ERR_INTERRUPTED; -1: none */
	const char *tag;     /* a request id for the server's eyes (NULL: none): application_name is
	                      * "PROGRAM TAG" for as long as this batch takes */
	bool binary;         /* rows come as the server's bytes, with no text: for rowset_blob and
	                      * rowset_number alone */
};

struct db_ask {
	const char *statement;
	const struct db_param *params;
	struct rowset *rs; /* NULL: the rows are of no interest */
};

enum { DB_ASKS = 16 };

/* Runs 1 to DB_ASKS named statements in one round trip and, outside a transaction, as one
 * transaction of their own: in a session whose default is repeatable read they see one
 * snapshot. `limits` may be NULL. One error is the error of all, and every rowset is empty
 * then; the connection serves the next user unless that was ERR_DB_DOWN. What was cancelled
 * is over when this returns: no cancel is left that could hit another statement. */
MUST_CHECK enum err db_query_all(struct db *db, const struct db_ask *asks, int n,
                                 const struct db_limits *limits, struct errbuf *eb);

/* Told of each named statement that was answered or refused, from the thread that asked,
 * with the time from asking (in a batch: from the answer before it) to the answer. One for
 * the process, before any thread starts; NULL: nobody. */
struct statement;
typedef void (*db_observe_fn)(const struct statement *s, int64_t us);
void db_observe(db_observe_fn fn);

/* The columns a statement answers with, as a rowset without rows. */
MUST_CHECK enum err db_describe(struct db *db, const char *statement, struct rowset *rs,
                                struct errbuf *eb);

/* A named statement without parameters that may hold several commands (CREATE
 * TABLE ...; CREATE TABLE ...); not prepared. */
MUST_CHECK enum err db_script(struct db *db, const char *statement, struct errbuf *eb);

/* Literal SQL of our own without values: BEGIN, COMMIT, SET, a migration. */
MUST_CHECK enum err db_command(struct db *db, const char *sql, struct errbuf *eb);

/* ROLLBACK; where that fails the connection is given up, never made anew: locks, temporary
 * tables and prepared statements would be gone without their owner knowing. */
void db_rollback(struct db *db);

/* A statement made by code (identifiers from tables of ours, values as $n),
 * each row handed over as it arrives; memory does not grow with the answer. */
typedef enum err (*db_row_fn)(void *arg, int cols, const char *const *values, struct errbuf *eb);
MUST_CHECK enum err db_stream(struct db *db, const char *sql, int params_n,
                              const char *const *params, db_row_fn fn, void *arg,
                              struct errbuf *eb);

/* LISTEN; the name is taken as it is, case and all. */
MUST_CHECK enum err db_listen(struct db *db, const char *channel, struct errbuf *eb);

/* Waits until something was notified and hands over all there is, or until the time is
 * over; ERR_OK for both. ERR_DB_DOWN where the connection is lost: listen on a new one,
 * and look at once for what was missed. Nothing else may be asked from within `fn`. */
typedef void (*db_notify_fn)(void *arg, const char *channel, const char *payload);
MUST_CHECK enum err db_wait_notify(struct db *db, int timeout_ms, db_notify_fn fn, void *arg,
                                   struct errbuf *eb);

/* COPY ... FROM STDIN: begin, rows (NULL = SQL NULL), end. db_copy_end(ok=false)
 * makes the server throw everything away and returns ERR_OK. */
MUST_CHECK enum err db_copy_begin(struct db *db, const char *sql, struct errbuf *eb);
MUST_CHECK enum err db_copy_row(struct db *db, int cols, const char *const *values,
                                struct errbuf *eb);
/* Bytes of COPY's own format, header and all. */
MUST_CHECK enum err db_copy_bytes(struct db *db, const void *bytes, size_t n, struct errbuf *eb);
MUST_CHECK enum err db_copy_end(struct db *db, bool ok, struct errbuf *eb);

/* The five characters of the last server error, "" if there was none. */
const char *db_sqlstate(const struct db *db);

/* "15.4 ..."; borrowed until the connection closes. */
const char *db_server_version(const struct db *db);

/* From a signal handler or another thread's decision: the running statement of
 * every connection is cancelled and calls return ERR_INTERRUPTED. */
void db_interrupt(void);
bool db_interrupted(void);

/* What this connection is asked from here on is no longer cancelled: after the
 * work was stopped, that must still be written down. */
void db_ignore_interrupt(struct db *db);

#endif
