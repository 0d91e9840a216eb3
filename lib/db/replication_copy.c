/* replication_copy.c: a table read row by row, told as pgoutput tells of inserts, so that one
 * decoder reads both. Rows not yet wanted wait at the server. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "db/db_internal.h"
#include "db/replication.h"

struct replication_copy {
	struct db *db;
	char *schema, *table;
	bool shape_told;
	PGresult *row; /* read, and not told because the shape had to be */
	struct buf message;
};

enum err replication_copy_begin(struct db *db, const char *snapshot, struct errbuf *eb)
{
	struct buf sql;
	buf_init(&sql);
	if (snapshot[strspn(snapshot, "0123456789ABCDEFabcdef-")] != '\0')
		return err_set(eb, ERR_DB, "the server calls a snapshot \"%s\"", snapshot);
	buf_printf(&sql,
	           "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '%s'",
	           snapshot);
	enum err rc = db_command(db, buf_str(&sql), eb);
	buf_fini(&sql);
	return rc;
}

enum err replication_copy_open(struct replication_copy **out, struct db *db, const char *schema,
                               const char *table, struct errbuf *eb)
{
	struct buf sql;
	char *s = PQescapeIdentifier(db->conn, schema, strlen(schema));
	char *t = PQescapeIdentifier(db->conn, table, strlen(table));
	enum err rc = s && t ? ERR_OK : db_connection_error(db, eb);
	buf_init(&sql);
	if (rc == ERR_OK) {
		buf_printf(&sql, "SELECT * FROM %s.%s", s, t);
		if (!PQsendQuery(db->conn, buf_str(&sql)) || !PQsetSingleRowMode(db->conn))
			rc = db_connection_error(db, eb);
	}
	buf_fini(&sql);
	PQfreemem(s);
	PQfreemem(t);
	if (rc != ERR_OK)
		return rc;
	struct replication_copy *c = mem_alloc(sizeof *c);
	*c = (struct replication_copy){
		.db = db, .schema = mem_strdup(schema), .table = mem_strdup(table)};
	*out = c;
	return ERR_OK;
}

void replication_copy_close(struct replication_copy *c)
{
	if (!c)
		return;
	PQclear(c->row);
	buf_fini(&c->message);
	free(c->schema);
	free(c->table);
	free(c);
}

/* ---- the messages ------------------------------------------------------------ */

static void put16(struct buf *b, int v)
{
	buf_putc(b, (char)((unsigned)v >> 8));
	buf_putc(b, (char)(unsigned)v);
}

static void put32(struct buf *b, uint32_t v)
{
	put16(b, (int)(v >> 16));
	put16(b, (int)(v & 0xffff));
}

static void put_name(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s) + 1);
}

static uint32_t relation_id(const PGresult *row)
{
	return (uint32_t)PQftable(row, 0);
}

static void put_shape(struct buf *b, const struct replication_copy *c, const PGresult *row)
{
	buf_putc(b, 'R');
	put32(b, relation_id(row));
	put_name(b, c->schema);
	put_name(b, c->table);
	buf_putc(b, 'd');
	put16(b, PQnfields(row));
	for (int i = 0; i < PQnfields(row); i++) {
		buf_putc(b, 0); /* inserts need no key */
		put_name(b, PQfname(row, i));
		put32(b, (uint32_t)PQftype(row, i));
		put32(b, (uint32_t)PQfmod(row, i));
	}
}

static void put_row(struct buf *b, const PGresult *row)
{
	buf_putc(b, 'I');
	put32(b, relation_id(row));
	buf_putc(b, 'N');
	put16(b, PQnfields(row));
	for (int i = 0; i < PQnfields(row); i++) {
		if (PQgetisnull(row, 0, i)) {
			buf_putc(b, 'n');
			continue;
		}
		buf_putc(b, 't');
		put32(b, (uint32_t)PQgetlength(row, 0, i));
		buf_put(b, PQgetvalue(row, 0, i), (size_t)PQgetlength(row, 0, i));
	}
}

/* ---- reading --------------------------------------------------------------------- */

static enum err next_result(struct replication_copy *c, int timeout_ms, PGresult **res,
                            struct errbuf *eb)
{
	int64_t until_ms = clock_mono_ms() + timeout_ms;
	while (PQisBusy(c->db->conn)) {
		int64_t left_ms = until_ms - clock_mono_ms();
		struct pollfd p = {.fd = PQsocket(c->db->conn), .events = POLLIN};
		if (poll(&p, 1, left_ms > 0 ? (int)left_ms : 0) <= 0)
			return ERR_BUSY;
		if (!PQconsumeInput(c->db->conn))
			return db_connection_error(c->db, eb);
	}
	*res = PQgetResult(c->db->conn);
	return *res ? ERR_OK : ERR_NOTHING;
}

enum err replication_copy_next(struct replication_copy *c, int timeout_ms, const char **bytes,
                               size_t *n, struct errbuf *eb)
{
	PGresult *row = c->row;
	c->row = NULL;
	while (!row) {
		enum err rc = next_result(c, timeout_ms, &row, eb);
		if (rc == ERR_OK && !db_succeeded(row))
			rc = db_server_error(c->db, row, eb);
		if (rc != ERR_OK) {
			PQclear(row);
			return rc;
		}
		if (PQntuples(row) == 0) { /* the end of the rows; that of the command follows */
			PQclear(row);
			row = NULL;
		}
	}
	buf_clear(&c->message);
	if (c->shape_told) {
		put_row(&c->message, row);
		PQclear(row);
	} else {
		put_shape(&c->message, c, row);
		c->shape_told = true;
		c->row = row;
	}
	*bytes = buf_str(&c->message);
	*n = c->message.len;
	return ERR_OK;
}
