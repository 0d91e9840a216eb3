/* replication.c: a connection that streams changes (PostgreSQL: Streaming Replication Protocol).
 * It is a libpq connection in CopyBoth mode; everything waits by poll, for a bounded time. */
#include "db/replication.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "db/db_internal.h"

enum {
	ANSWER_MS = 30000, /* longest wait for the answer to a command */
	REPORT_MS = 10000,
	ASK_MS = 20000, /* of silence, after which we ask for a sign of life */
	SILENCE_MS = 60000,
};

/* PostgreSQL counts time from 2000-01-01. */
#define EPOCH_2000_US INT64_C(946684800000000)

struct replication {
	struct db *db;
	char system[32], snapshot[64];
	char *copy; /* libpq's memory of the last message */
	int64_t durable;
	int64_t heard_ms, reported_ms, asked_ms;
};

/* ---- commands -------------------------------------------------------------- */

/* Which refusals a person must do something about. */
static enum err refusal(struct replication *r, const PGresult *res, struct errbuf *eb)
{
	static const char *const setup[] = {
		"42704", /* no such slot, no such publication */
		"42501", /* no right to it */
		"55000", /* wal_level, a slot that was invalidated */
		"58P01", /* the log is gone */
		"53400", /* all slots are taken */
		"42710", /* a slot of this name exists */
	};
	struct errbuf said = {0};
	enum err rc = db_server_error(r->db, res, &said);
	const char *state = db_sqlstate(r->db);
	if (strcmp(state, "55006") == 0)
		rc = ERR_BUSY;
	for (size_t i = 0; i < sizeof setup / sizeof *setup; i++)
		if (rc == ERR_DB && strcmp(state, setup[i]) == 0)
			rc = ERR_CONFIG;
	return err_set(eb, rc, "%s", said.text);
}

/* Waits for bytes; false when the time is over. */
static bool wait_for_bytes(struct replication *r, int64_t until_ms)
{
	int64_t left_ms = until_ms - clock_mono_ms();
	struct pollfd p = {.fd = PQsocket(r->db->conn), .events = POLLIN};
	return poll(&p, 1, left_ms > 0 ? (int)left_ms : 0) > 0;
}

/* The result of the command under way; ERR_BUSY: not yet. */
static enum err await(struct replication *r, int timeout_ms, PGresult **res, struct errbuf *eb)
{
	int64_t until_ms = clock_mono_ms() + timeout_ms;
	while (PQisBusy(r->db->conn)) {
		if (!wait_for_bytes(r, until_ms))
			return ERR_BUSY;
		if (!PQconsumeInput(r->db->conn))
			return db_connection_error(r->db, eb);
	}
	*res = PQgetResult(r->db->conn);
	return *res ? ERR_OK : db_connection_error(r->db, eb);
}

/* Reads the end of a command that has answered. */
static enum err end_command(struct replication *r, struct errbuf *eb)
{
	for (;;) {
		int64_t until_ms = clock_mono_ms() + ANSWER_MS;
		while (PQisBusy(r->db->conn))
			if (!wait_for_bytes(r, until_ms) || !PQconsumeInput(r->db->conn))
				return db_connection_error(r->db, eb);
		PGresult *res = PQgetResult(r->db->conn);
		if (!res)
			return ERR_OK;
		PQclear(res);
	}
}

/* The answer has the status wanted, or its error is set and nothing comes back. */
static enum err answer(struct replication *r, int timeout_ms, ExecStatusType wanted, PGresult **out,
                       struct errbuf *eb)
{
	PGresult *res = NULL;
	enum err rc = await(r, timeout_ms, &res, eb);
	if (rc == ERR_OK && PQresultStatus(res) != wanted)
		rc = refusal(r, res, eb);
	if (rc == ERR_OK)
		*out = res;
	else
		PQclear(res);
	return rc;
}

static enum err send_command(struct replication *r, const char *sql, struct errbuf *eb)
{
	return PQsendQuery(r->db->conn, sql) ? ERR_OK : db_connection_error(r->db, eb);
}

/* ---- opening ----------------------------------------------------------------- */

static enum err identify(struct replication *r, struct errbuf *eb)
{
	PGresult *res = NULL;
	enum err rc = send_command(r, "IDENTIFY_SYSTEM", eb);
	if (rc == ERR_OK)
		rc = answer(r, ANSWER_MS, PGRES_TUPLES_OK, &res, eb);
	if (rc == ERR_BUSY)
		return err_set(eb, ERR_DB_DOWN, "the server did not answer within %d s", ANSWER_MS / 1000);
	if (rc != ERR_OK)
		return rc;
	(void)snprintf(r->system, sizeof r->system, "%s", PQgetvalue(res, 0, 0));
	PQclear(res);
	return end_command(r, eb);
}

enum err replication_open(struct replication **out, const char *name, const char *url,
                          struct errbuf *eb)
{
	struct replication *r = mem_alloc(sizeof *r);
	*r = (struct replication){0};
	enum err rc =
		db_open(&r->db,
	            &(struct db_options){
					.name = name, .url = url, .program = "takings-stream", .replication = true},
	            eb);
	if (rc == ERR_OK)
		rc = identify(r, eb);
	if (rc == ERR_OK)
		*out = r;
	else
		replication_close(r);
	return rc;
}

void replication_close(struct replication *r)
{
	if (!r)
		return;
	PQfreemem(r->copy);
	db_close(r->db);
	free(r);
}

const char *replication_system(const struct replication *r)
{
	return r->system;
}

void replication_lsn_format(int64_t lsn, char out[LSN_TEXT])
{
	(void)snprintf(out, LSN_TEXT, "%" PRIX64 "/%" PRIX64, (uint64_t)lsn >> 32,
	               (uint64_t)lsn & UINT32_MAX);
}

static bool lsn_parse(const char *text, int64_t *out)
{
	char *end = NULL;
	uint64_t high = strtoull(text, &end, 16);
	if (end == text || *end != '/')
		return false;
	text = end + 1;
	uint64_t low = strtoull(text, &end, 16);
	*out = (int64_t)(high << 32 | low);
	return end != text && *end == '\0';
}

/* ---- slots --------------------------------------------------------------------- */

enum err replication_create_slot(struct replication *r, const char *slot, struct errbuf *eb)
{
	char *name = PQescapeIdentifier(r->db->conn, slot, strlen(slot));
	struct buf sql;
	buf_init(&sql);
	if (!name)
		return db_connection_error(r->db, eb);
	/* The old form of the command: every version understands it. */
	buf_printf(&sql, "CREATE_REPLICATION_SLOT %s LOGICAL pgoutput EXPORT_SNAPSHOT", name);
	enum err rc = send_command(r, buf_str(&sql), eb);
	PQfreemem(name);
	buf_fini(&sql);
	return rc;
}

enum err replication_created(struct replication *r, int timeout_ms, int64_t *lsn,
                             const char **snapshot, struct errbuf *eb)
{
	PGresult *res = NULL;
	enum err rc = answer(r, timeout_ms, PGRES_TUPLES_OK, &res, eb);
	if (rc != ERR_OK)
		return rc;
	(void)snprintf(r->snapshot, sizeof r->snapshot, "%s", PQgetvalue(res, 0, 2));
	if (!lsn_parse(PQgetvalue(res, 0, 1), lsn))
		rc = err_set(eb, ERR_DB, "a slot begins at \"%s\"", PQgetvalue(res, 0, 1));
	PQclear(res);
	if (rc == ERR_OK)
		rc = end_command(r, eb);
	*snapshot = r->snapshot;
	return rc;
}

enum err replication_start(struct replication *r, const char *slot, const char *publication,
                           int64_t lsn, struct errbuf *eb)
{
	PGconn *conn = r->db->conn;
	PGresult *res = NULL;
	char at[LSN_TEXT];
	struct buf sql;
	/* The name of a publication is an identifier within a text. */
	char *name = PQescapeIdentifier(conn, slot, strlen(slot));
	char *inner = PQescapeIdentifier(conn, publication, strlen(publication));
	char *list = inner ? PQescapeLiteral(conn, inner, strlen(inner)) : NULL;
	enum err rc = name && list ? ERR_OK : db_connection_error(r->db, eb);
	buf_init(&sql);
	replication_lsn_format(lsn, at);
	if (rc == ERR_OK) {
		buf_printf(&sql,
		           "START_REPLICATION SLOT %s LOGICAL %s"
		           " (proto_version '1', publication_names %s)",
		           name, at, list);
		rc = send_command(r, buf_str(&sql), eb);
	}
	if (rc == ERR_OK)
		rc = answer(r, ANSWER_MS, PGRES_COPY_BOTH, &res, eb);
	PQclear(res);
	PQfreemem(name);
	PQfreemem(inner);
	PQfreemem(list);
	buf_fini(&sql);
	r->durable = lsn;
	r->heard_ms = r->asked_ms = r->reported_ms = clock_mono_ms();
	return rc;
}

/* ---- the stream ------------------------------------------------------------------ */

static void put_int64(char *to, int64_t v)
{
	for (int i = 0; i < 8; i++)
		to[i] = (char)((uint64_t)v >> (56 - 8 * i));
}

static int64_t get_int64(const char *from)
{
	uint64_t v = 0;
	for (int i = 0; i < 8; i++)
		v = v << 8 | (unsigned char)from[i];
	return (int64_t)v;
}

/* Standby status update: written, flushed and applied are one here, what is durable. */
static enum err report(struct replication *r, bool ask, struct errbuf *eb)
{
	char m[1 + 4 * 8 + 1] = {'r'};
	put_int64(m + 1, r->durable);
	put_int64(m + 9, r->durable);
	put_int64(m + 17, r->durable);
	put_int64(m + 25, clock_now_us() - EPOCH_2000_US);
	m[33] = (char)ask;
	if (PQputCopyData(r->db->conn, m, sizeof m) != 1 || PQflush(r->db->conn) < 0)
		return db_connection_error(r->db, eb);
	r->reported_ms = clock_mono_ms();
	if (ask)
		r->asked_ms = r->reported_ms;
	return ERR_OK;
}

static enum err keep_in_touch(struct replication *r, struct errbuf *eb)
{
	int64_t now_ms = clock_mono_ms();
	if (now_ms - r->heard_ms > SILENCE_MS)
		return err_set(eb, ERR_DB_DOWN, "the server has been silent for %d s", SILENCE_MS / 1000);
	bool ask = now_ms - r->heard_ms > ASK_MS && now_ms - r->asked_ms > ASK_MS;
	if (ask || now_ms - r->reported_ms >= REPORT_MS)
		return report(r, ask, eb);
	return ERR_OK;
}

/* What the server said when it ended the stream. */
static enum err ended(struct replication *r, struct errbuf *eb)
{
	PGresult *res = PQgetResult(r->db->conn);
	enum err rc = ERR_OK;
	if (res && PQresultStatus(res) == PGRES_FATAL_ERROR)
		rc = refusal(r, res, eb);
	PQclear(res);
	return rc != ERR_OK ? rc : err_set(eb, ERR_DB_DOWN, "the server ended the stream");
}

/* Takes a message apart; ERR_NOTHING: of a kind nobody knows. */
static enum err take(struct replication *r, int n, struct replication_message *out,
                     struct errbuf *eb)
{
	enum { DATA_HEAD = 1 + 8 + 8 + 8, ALIVE = 1 + 8 + 8 + 1 };
	const char *m = r->copy;
	r->heard_ms = clock_mono_ms();
	if (*m == 'w' && n >= DATA_HEAD) {
		*out = (struct replication_message){
			.bytes = m + DATA_HEAD,
			.n = (size_t)(n - DATA_HEAD),
			.lsn = get_int64(m + 1),
		};
		return ERR_OK;
	}
	if (*m == 'k' && n >= ALIVE) {
		*out = (struct replication_message){.lsn = get_int64(m + 1), .asked = m[17] != 0};
		return m[17] ? report(r, false, eb) : ERR_OK;
	}
	return ERR_NOTHING;
}

enum err replication_receive(struct replication *r, int timeout_ms, struct replication_message *out,
                             struct errbuf *eb)
{
	int64_t until_ms = clock_mono_ms() + timeout_ms;
	for (;;) {
		PQfreemem(r->copy);
		r->copy = NULL;
		int n = PQgetCopyData(r->db->conn, &r->copy, 1);
		if (n > 0) {
			enum err rc = take(r, n, out, eb);
			if (rc != ERR_NOTHING)
				return rc;
			continue;
		}
		if (n == -1)
			return ended(r, eb);
		if (n < 0)
			return db_connection_error(r->db, eb);
		enum err rc = keep_in_touch(r, eb);
		if (rc != ERR_OK)
			return rc;
		if (!wait_for_bytes(r, until_ms))
			return ERR_NOTHING;
		if (!PQconsumeInput(r->db->conn))
			return db_connection_error(r->db, eb);
	}
}

void replication_durable(struct replication *r, int64_t lsn, bool now)
{
	struct errbuf ignored = {0};
	if (lsn > r->durable)
		r->durable = lsn;
	if (now) /* a connection that is lost is noticed by the next who reads */
		(void)report(r, false, &ignored);
}

enum err replication_keep(struct replication *r, struct errbuf *eb)
{
	r->heard_ms = clock_mono_ms(); /* nothing is read, so nothing can be heard */
	return keep_in_touch(r, eb);
}
