/* source_pg.c: order_db on PostgreSQL. */
#include "db/source_driver.h"

#include <string.h>

static enum err pg_open(void **conn, const char *name, const char *url, struct errbuf *eb)
{
	struct db *db = NULL;
	enum err rc = db_open(
		&db,
		&(struct db_options){.name = name,
	                         .url = url,
	                         .limit_ms = DB_SILENCE_S * 1000,
	                         .program = "takings-batch",
	                         .settings = "-c default_transaction_read_only=on"
	                                     " -c default_transaction_isolation=repeatable\\ read"
	                                     " -c lock_timeout=10s -c work_mem=64MB -c jit=off"},
		eb);
	*conn = db;
	return rc;
}

static void pg_close(void *conn)
{
	db_close(conn);
}

static enum err pg_command(void *conn, const char *sql, struct errbuf *eb)
{
	enum err rc = db_command(conn, sql, eb);
	if (rc != ERR_OK)
		db_rollback(conn);
	return rc;
}

static enum err pg_stream(void *conn, const char *sql, int params_n, const char *const *params,
                          db_row_fn fn, void *arg, struct errbuf *eb)
{
	return db_stream(conn, sql, params_n, params, fn, arg, eb);
}

static const char *pg_server(void *conn)
{
	return db_server_version(conn);
}

/* insufficient_privilege, read_only_sql_transaction */
static bool pg_refused(void *conn)
{
	const char *state = db_sqlstate(conn);
	return strcmp(state, "42501") == 0 || strcmp(state, "25006") == 0;
}

static const char *pg_weak_tls(void *conn)
{
	return db_weak_sslmode(conn);
}

static enum source_kind pg_kind(const char *type)
{
	static const struct {
		const char *type;
		enum source_kind kind;
	} kinds[] = {
		{"int2", KIND_INTEGER},
		{"int4", KIND_INTEGER},
		{"int8", KIND_INTEGER},
		{"numeric", KIND_DECIMAL},
		{"float4", KIND_FLOAT},
		{"float8", KIND_FLOAT},
		{"text", KIND_TEXT},
		{"varchar", KIND_TEXT},
		{"bpchar", KIND_TEXT},
		{"timestamptz", KIND_CLOCK_UTC},
		{"timestamp", KIND_CLOCK_LOCAL},
		{"date", KIND_CLOCK_LOCAL},
	};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].type, type) == 0)
			return kinds[i].kind;
	return KIND_OTHER; /* enum, uuid and the like: read as text */
}

const struct source_driver source_pg = {
	.open = pg_open,
	.close = pg_close,
	.command = pg_command,
	.stream = pg_stream,
	.server = pg_server,
	.refused = pg_refused,
	.weak_tls = pg_weak_tls,
	.tls_word = "sslmode",
	.kind = pg_kind,
	.snapshot_sql = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
	.snapshot_text_sql = "SELECT pg_current_snapshot()::text || ' at ' || now()::text",
	.sort_off_sql = "SET LOCAL enable_sort = off",
	.sort_on_sql = "SET LOCAL enable_sort = on",
	/* Rights to single columns count too. */
	.rights_sql =
		"SELECT string_agg(r.word || ' on ' || n.name, ', ' ORDER BY n.place, r.place)"
		" FROM (VALUES (1, 'orders'), (2, 'order_items'), (3, 'order_refunds')) n(place, name)"
		" CROSS JOIN (VALUES (1, 'INSERT'), (2, 'UPDATE'), (3, 'DELETE'), (4, 'TRUNCATE'))"
		" r(place, word)"
		" WHERE CASE WHEN r.place <= 2 THEN has_any_column_privilege(to_regclass(n.name)::oid, "
		"r.word)"
		" ELSE has_table_privilege(to_regclass(n.name)::oid, r.word) END",
	.columns_sql =
		"SELECT c.relname, a.attname, t.typname,"
		" CASE WHEN t.typname = 'numeric' AND a.atttypmod > 4 THEN ((a.atttypmod - 4) & "
		"65535)::text END,"
		" EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indkey[0] = a.attnum)::int"
		" FROM (VALUES ('orders'), ('order_items'), ('order_refunds')) n(name)"
		" JOIN pg_class c ON c.oid = to_regclass(n.name)"
		" JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
		/* who it was is often not for us: then the column is as good as not there, as on MySQL */
		" AND (a.attname <> 'customer_id' OR has_column_privilege(c.oid, a.attnum, 'SELECT'))"
		" JOIN pg_type t ON t.oid = a.atttypid",
};
