/* decode_debezium.c: Debezium's envelopes with and without schema, and rows that were unwrapped. */
#include "stream/decode.h"

#include <ctype.h>
#include <string.h>

#include "base/num.h"
#include "stream/debezium_value.h"
#include "stream/decode_json.h"
#include "stream/decode_time.h"

struct envelope {
	const json_t *schema; /* of the value; NULL: none */
	const json_t *value;  /* what is in the payload */
	const json_t *source; /* NULL: none */
};

static const json_t *object_or_null(const json_t *v)
{
	return json_is_object(v) ? v : NULL;
}

/* {"schema": ..., "payload": ...} is taken off. */
static void unwrap(const json_t *v, const json_t **schema, const json_t **payload)
{
	const json_t *s = json_object_get(v, "schema"), *p = json_object_get(v, "payload");
	bool wrapped = s && p && json_object_size(v) == 2;
	*schema = wrapped && json_array_size(json_object_get(s, "fields")) > 0 ? s : NULL;
	*payload = wrapped ? p : v;
}

/* Names of MySQL know no case: they are read as the batch reads them, in small letters. */
static bool is_mysql(const json_t *source)
{
	const char *connector = decode_json_string(source, "connector");
	return connector && (strcmp(connector, "mysql") == 0 || strcmp(connector, "mariadb") == 0);
}

static const char *own_name(struct arena *a, const char *name, bool small)
{
	char *own = arena_strdup(a, name);
	for (char *c = own; small && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return own;
}

static enum err take_row(struct arena *a, const json_t *schema, const json_t *row, bool small,
                         const struct row_value **out, int *n, struct errbuf *eb)
{
	struct row_value *values = arena_array(a, json_object_size(row), sizeof *values);
	size_t i = 0;
	for (void *it = json_object_iter((json_t *)row); it;
	     it = json_object_iter_next((json_t *)row, it), i++) {
		const char *name = json_object_iter_key(it);
		const json_t *field = schema ? debezium_field(schema, name, i) : NULL;
		enum err rc = debezium_value(a, field, own_name(a, name, small), json_object_iter_value(it),
		                             &values[i], eb);
		if (rc != ERR_OK)
			return rc;
	}
	*out = values;
	*n = (int)i;
	return ERR_OK;
}

/* A struct, or a single value, which then is that of `id`. One that cannot be read is none. */
static void take_key(struct arena *a, const json_t *key, bool small, struct row_change *out)
{
	const json_t *schema, *payload;
	struct errbuf ignored = {0};
	if (!key)
		return;
	unwrap(key, &schema, &payload);
	if (json_is_object(payload)) {
		if (take_row(a, schema, payload, small, &out->key, &out->key_n, &ignored) != ERR_OK)
			out->key_n = 0;
	} else if (json_is_string(payload) || json_is_integer(payload)) {
		struct row_value *value = arena_alloc(a, sizeof *value);
		if (debezium_value(a, NULL, "id", payload, value, &ignored) == ERR_OK) {
			out->key = value;
			out->key_n = 1;
		}
	}
}

/* ---- when and where -------------------------------------------------------------- */

static int64_t believable(int64_t us)
{
	return us > TIME_1970_US && us < TIME_2100_US ? us : 0;
}

static int64_t time_at(const json_t *v, const char *us, const char *ms)
{
	int64_t t, out;
	if (decode_json_int(json_object_get(v, us), &t) && believable(t))
		return t;
	if (decode_json_int(json_object_get(v, ms), &t) && time_from_units(t, 'm', &out))
		return believable(out);
	return 0;
}

/* "mysql-bin.000003", 154, 0 as one number that grows as they do: 20 bits, 32 bits and 10. */
static enum err binlog_position(const json_t *file, const json_t *pos, const json_t *row,
                                int64_t *out, struct errbuf *eb)
{
	const char *name = json_string_value(file), *dot = name ? strrchr(name, '.') : NULL;
	int64_t number, at, nth = 0;
	if (!dot || !decode_json_int(pos, &at))
		return ERR_OK;
	while (dot[1] == '0' && dot[2])
		dot++;
	(void)decode_json_int(row, &nth);
	if (!num_parse_int(dot + 1, 0, (1 << 20) - 1, &number) || at < 0 || at > UINT32_MAX || nth < 0)
		return err_set_field(eb, ERR_INVALID, "source.pos", "binlog position %.60s:%lld is none",
		                     name, (long long)at);
	*out = number << 42 | at << 10 | (nth < 1023 ? nth : 1023);
	return ERR_OK;
}

static enum err take_position(const json_t *lsn, const json_t *file, const json_t *pos,
                              const json_t *row, struct row_change *out, struct errbuf *eb)
{
	if (!decode_json_int(lsn, &out->lsn))
		return binlog_position(file, pos, row, &out->lsn, eb);
	if (out->lsn < 0 || out->lsn >= VERSION_ROW)
		return err_set_field(eb, ERR_INVALID, "source.lsn", "the LSN is not between 0 and 2^62");
	return ERR_OK;
}

/* ---- envelopes --------------------------------------------------------------------- */

static enum err take_op(const json_t *op, struct row_change *out, struct errbuf *eb)
{
	const char *word = json_string_value(op);
	if (!word || strlen(word) != 1 || !strchr("curdtm", *word))
		return err_set_field(eb, ERR_INVALID, "op", "op is none of c, u, d, r, t, m");
	out->op = (enum row_op) * word;
	return ERR_OK;
}

static enum err decode_envelope(struct arena *a, const struct envelope *e, struct row_change *out,
                                struct errbuf *eb)
{
	const json_t *s = e->source;
	enum err rc = take_op(json_object_get(e->value, "op"), out, eb);
	const char *schema = decode_json_string(s, "schema"), *table = decode_json_string(s, "table");
	if (!schema)
		schema = decode_json_string(s, "db");
	out->schema = schema ? arena_strdup(a, schema) : out->schema;
	out->table = table ? own_name(a, table, is_mysql(s)) : out->table;
	out->time_us = time_at(s, "ts_us", "ts_ms");
	if (!out->time_us)
		out->time_us = time_at(e->value, "ts_us", "ts_ms");
	if (rc == ERR_OK)
		rc = take_position(json_object_get(s, "lsn"), json_object_get(s, "file"),
		                   json_object_get(s, "pos"), json_object_get(s, "row"), out, eb);
	if (rc != ERR_OK || out->op == ROW_TRUNCATE || out->op == ROW_MESSAGE)
		return rc;
	const char *side = out->op == ROW_DELETE ? "before" : "after";
	const json_t *row = json_object_get(e->value, side);
	if (json_is_object(row))
		return take_row(
			a, e->schema ? debezium_field(e->schema, side, out->op == ROW_DELETE ? 0 : 1) : NULL,
			row, is_mysql(s), &out->columns, &out->columns_n, eb);
	if (out->op != ROW_DELETE)
		return err_set_field(eb, ERR_INVALID, "after", "the row is missing: after is no object");
	return ERR_OK;
}

/* ---- bare rows ------------------------------------------------------------------------ */

static const json_t *added(const json_t *row, const char *name, const char *other)
{
	const json_t *v = json_object_get(row, name);
	return v ? v : json_object_get(row, other);
}

/* What the unwrapping transform was told to add: __op, __lsn, __deleted, ... */
static enum err take_added(struct arena *a, const json_t *row, struct row_change *out,
                           struct errbuf *eb)
{
	const char *op = json_string_value(added(row, "__op", "__op"));
	const json_t *deleted = json_object_get(row, "__deleted");
	const char *table = json_string_value(added(row, "__table", "__source_table"));
	const char *gone = json_string_value(deleted);
	if ((op && strcmp(op, "d") == 0) || json_is_true(deleted) ||
	    (gone && strcmp(gone, "true") == 0))
		out->op = ROW_DELETE;
	if (table)
		out->table = arena_strdup(a, table);
	out->time_us = time_at(row, "__source_ts_us", "__source_ts_ms");
	if (!out->time_us)
		out->time_us = time_at(row, "__ts_us", "__ts_ms");
	return take_position(added(row, "__lsn", "__source_lsn"), added(row, "__file", "__source_file"),
	                     added(row, "__pos", "__source_pos"), added(row, "__row", "__source_row"),
	                     out, eb);
}

/* BEGIN and END of a transaction, on a topic of their own or of everything. */
static bool is_transaction(const json_t *v)
{
	const char *status = decode_json_string(v, "status");
	return status && (strcmp(status, "BEGIN") == 0 || strcmp(status, "END") == 0) &&
	       json_object_get(v, "event_count") && json_object_get(v, "data_collections");
}

enum err decode_debezium(const struct decoder *d, const struct message *m, const json_t *key,
                         const json_t *value, struct arena *a, struct row_change *out,
                         struct errbuf *eb)
{
	struct envelope e = {0};
	(void)m;
	*out = (struct row_change){.schema = "", .table = d->table ? d->table : ""};
	if (!value || json_is_null(value)) {
		out->op = ROW_TOMBSTONE;
		take_key(a, key, false, out);
		return ERR_OK;
	}
	unwrap(value, &e.schema, &e.value);
	if (!json_is_object(e.value))
		return err_set_field(eb, ERR_INVALID, "payload", "the payload is no object");
	e.source = object_or_null(json_object_get(e.value, "source"));
	out->untyped = !e.schema;
	if (is_transaction(e.value)) {
		out->op = ROW_TRANSACTION;
		out->time_us = time_at(e.value, "ts_us", "ts_ms");
		return ERR_OK;
	}
	take_key(a, key, is_mysql(e.source), out);
	if (json_object_get(e.value, "op"))
		return decode_envelope(a, &e, out, eb);
	out->op = ROW_READ;
	enum err rc = take_added(a, e.value, out, eb);
	return rc == ERR_OK ? take_row(a, e.schema, e.value, false, &out->columns, &out->columns_n, eb)
	                    : rc;
}
