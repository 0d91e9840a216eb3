/* decode_debezium.c: Debezium's envelopes with and without schema, and rows that were unwrapped. */
#include "stream/decode.h"

#include <ctype.h>
#include <string.h>

#include "base/num.h"
#include "stream/debezium_value.h"
#include "base/time_text.h"

struct envelope {
	const struct jnode *schema; /* of the value; NULL: none */
	const struct jnode *value;  /* what is in the payload */
	const struct jnode *source; /* NULL: none */
};

/* {"schema": ..., "payload": ...} is taken off. */
static void unwrap(const struct jnode *v, const struct jnode **schema, const struct jnode **payload)
{
	const struct jnode *s = jnode_get(v, "schema"), *p = jnode_get(v, "payload");
	const struct jnode *fields = jnode_get(s, "fields");
	bool wrapped = s && p && v->n == 2;
	*schema = wrapped && jnode_is(fields, JNODE_ARRAY) && fields->n > 0 ? s : NULL;
	*payload = wrapped ? p : v;
}

/* Names of MySQL know no case: they are read as the batch reads them, in small letters. */
static bool is_mysql(const struct jnode *source)
{
	const char *connector = jnode_string_at(source, "connector");
	return connector && (strcmp(connector, "mysql") == 0 || strcmp(connector, "mariadb") == 0);
}

static const char *small_letters(struct arena *a, const char *name)
{
	char *small = arena_strdup(a, name);
	for (char *c = small; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return small;
}

static enum err take_row(struct arena *a, const struct jnode *schema, const struct jnode *row,
                         bool small, const struct row_value **out, int *n, struct errbuf *eb)
{
	struct row_value *values = arena_array(a, row->n, sizeof *values);
	const struct jnode *next = NULL;
	int i = 0;
	for (const struct jnode *m = row->first; m; m = m->next, i++) {
		const struct jnode *field = debezium_field(schema, m->name, &next);
		const char *name = small ? small_letters(a, m->name) : m->name;
		enum err rc = debezium_value(a, field, name, m, &values[i], eb);
		if (rc != ERR_OK)
			return rc;
	}
	*out = values;
	*n = i;
	return ERR_OK;
}

/* A struct, or a single value, which then is that of `id`. One that cannot be read is none. */
static void take_key(struct arena *a, const struct jnode *key, bool small, struct row_change *out)
{
	const struct jnode *schema, *payload;
	struct errbuf ignored = {0};
	if (!key)
		return;
	unwrap(key, &schema, &payload);
	if (jnode_is(payload, JNODE_OBJECT)) {
		if (take_row(a, schema, payload, small, &out->key, &out->key_n, &ignored) != ERR_OK)
			out->key_n = 0;
	} else if (jnode_is(payload, JNODE_STRING) || jnode_is(payload, JNODE_NUMBER)) {
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

static int64_t time_at(const struct jnode *v, const char *us, const char *ms)
{
	int64_t t, out;
	if (jnode_int(jnode_get(v, us), &t) && believable(t))
		return t;
	if (jnode_int(jnode_get(v, ms), &t) && time_from_units(t, 'm', &out))
		return believable(out);
	return 0;
}

/* "mysql-bin.000003", 154, 0 as one number that grows as they do: 20 bits, 32 bits and 10. */
static enum err binlog_position(const struct jnode *file, const struct jnode *pos,
                                const struct jnode *row, int64_t *out, struct errbuf *eb)
{
	const char *name = jnode_string(file), *dot = name ? strrchr(name, '.') : NULL;
	int64_t number, at, nth = 0;
	if (!dot || !jnode_int(pos, &at))
		return ERR_OK;
	while (dot[1] == '0' && dot[2])
		dot++;
	(void)jnode_int(row, &nth);
	if (!num_parse_int(dot + 1, 0, (1 << 20) - 1, &number) || at < 0 || at > UINT32_MAX || nth < 0)
		return err_set_field(eb, ERR_INVALID, "source.pos", "binlog position %.60s:%lld is none",
		                     name, (long long)at);
	*out = number << 42 | at << 10 | (nth < 1023 ? nth : 1023);
	return ERR_OK;
}

static enum err take_position(const struct jnode *lsn, const struct jnode *file,
                              const struct jnode *pos, const struct jnode *row,
                              struct row_change *out, struct errbuf *eb)
{
	if (!jnode_int(lsn, &out->lsn))
		return binlog_position(file, pos, row, &out->lsn, eb);
	if (out->lsn < 0 || out->lsn >= VERSION_ROW)
		return err_set_field(eb, ERR_INVALID, "source.lsn", "the LSN is not between 0 and 2^62");
	return ERR_OK;
}

/* ---- envelopes --------------------------------------------------------------------- */

static enum err take_op(const struct jnode *op, struct row_change *out, struct errbuf *eb)
{
	const char *word = jnode_string(op);
	if (!word || strlen(word) != 1 || !strchr("curdtm", *word))
		return err_set_field(eb, ERR_INVALID, "op", "op is none of c, u, d, r, t, m");
	out->op = (enum row_op) * word;
	return ERR_OK;
}

static enum err decode_envelope(struct arena *a, const struct envelope *e, struct row_change *out,
                                struct errbuf *eb)
{
	const struct jnode *s = e->source;
	enum err rc = take_op(jnode_get(e->value, "op"), out, eb);
	const char *schema = jnode_string_at(s, "schema"), *table = jnode_string_at(s, "table");
	if (!schema)
		schema = jnode_string_at(s, "db");
	out->schema = schema ? schema : out->schema;
	if (table)
		out->table = is_mysql(s) ? small_letters(a, table) : table;
	out->time_us = time_at(s, "ts_us", "ts_ms");
	if (!out->time_us)
		out->time_us = time_at(e->value, "ts_us", "ts_ms");
	if (rc == ERR_OK)
		rc = take_position(jnode_get(s, "lsn"), jnode_get(s, "file"), jnode_get(s, "pos"),
		                   jnode_get(s, "row"), out, eb);
	if (rc != ERR_OK || out->op == ROW_TRUNCATE || out->op == ROW_MESSAGE)
		return rc;
	const char *side = out->op == ROW_DELETE ? "before" : "after";
	const struct jnode *row = jnode_get(e->value, side), *next = NULL;
	if (jnode_is(row, JNODE_OBJECT))
		return take_row(a, debezium_field(e->schema, side, &next), row, is_mysql(s), &out->columns,
		                &out->columns_n, eb);
	if (out->op != ROW_DELETE)
		return err_set_field(eb, ERR_INVALID, "after", "the row is missing: after is no object");
	return ERR_OK;
}

/* ---- bare rows ------------------------------------------------------------------------ */

static const struct jnode *added(const struct jnode *row, const char *name, const char *other)
{
	const struct jnode *v = jnode_get(row, name);
	return v ? v : jnode_get(row, other);
}

/* What the unwrapping transform was told to add: __op, __lsn, __deleted, ... */
static enum err take_added(const struct jnode *row, struct row_change *out, struct errbuf *eb)
{
	const char *op = jnode_string(added(row, "__op", "__op"));
	const struct jnode *deleted = jnode_get(row, "__deleted");
	const char *table = jnode_string(added(row, "__table", "__source_table"));
	const char *gone = jnode_string(deleted);
	if ((op && strcmp(op, "d") == 0) || jnode_is(deleted, JNODE_TRUE) ||
	    (gone && strcmp(gone, "true") == 0))
		out->op = ROW_DELETE;
	if (table)
		out->table = table;
	out->time_us = time_at(row, "__source_ts_us", "__source_ts_ms");
	if (!out->time_us)
		out->time_us = time_at(row, "__ts_us", "__ts_ms");
	return take_position(added(row, "__lsn", "__source_lsn"), added(row, "__file", "__source_file"),
	                     added(row, "__pos", "__source_pos"), added(row, "__row", "__source_row"),
	                     out, eb);
}

/* BEGIN and END of a transaction, on a topic of their own or of everything. */
static bool is_transaction(const struct jnode *v)
{
	const char *status = jnode_string_at(v, "status");
	return status && (strcmp(status, "BEGIN") == 0 || strcmp(status, "END") == 0) &&
	       jnode_get(v, "event_count") && jnode_get(v, "data_collections");
}

enum err decode_debezium(const struct decoder *d, const struct message *m, const struct jnode *key,
                         const struct jnode *value, struct arena *a, struct row_change *out,
                         struct errbuf *eb)
{
	struct envelope e = {0};
	(void)m;
	*out = (struct row_change){.schema = "", .table = d->table ? d->table : ""};
	if (!value || value->kind == JNODE_NULL) {
		out->op = ROW_TOMBSTONE;
		take_key(a, key, false, out);
		return ERR_OK;
	}
	unwrap(value, &e.schema, &e.value);
	if (!jnode_is(e.value, JNODE_OBJECT))
		return err_set_field(eb, ERR_INVALID, "payload", "the payload is no object");
	e.source = jnode_get(e.value, "source");
	out->untyped = !e.schema;
	if (is_transaction(e.value)) {
		out->op = ROW_TRANSACTION;
		out->time_us = time_at(e.value, "ts_us", "ts_ms");
		return ERR_OK;
	}
	take_key(a, key, is_mysql(e.source), out);
	if (jnode_get(e.value, "op"))
		return decode_envelope(a, &e, out, eb);
	out->op = ROW_READ;
	enum err rc = take_added(e.value, out, eb);
	return rc == ERR_OK ? take_row(a, e.schema, e.value, false, &out->columns, &out->columns_n, eb)
	                    : rc;
}
