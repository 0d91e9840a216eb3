/* decode.c: what a message is, and who reads it. */
#include "stream/decode.h"

#include <string.h>

#include "stream/decode_json.h"
#include "stream/event_fields.h"

static enum err check_size(const struct message *m, struct errbuf *eb)
{
	if (m->value_n > MESSAGE_BYTES)
		return err_set(eb, ERR_INVALID, "the message has %zu bytes, more than %d", m->value_n,
		               MESSAGE_BYTES);
	return ERR_OK;
}

static const json_t *payload_of(const json_t *value)
{
	const json_t *payload = json_object_get(value, "payload");
	return json_object_get(value, "schema") && json_is_object(payload) ? payload : value;
}

/* An envelope has an op, or tells of a transaction; an event names a type of ours; what is left is
 * a bare row where the topic is one of a table, and else an event that is none of ours. */
static bool is_row(const struct decoder *d, const json_t *value)
{
	const json_t *p = payload_of(value);
	if (d->format != FORMAT_AUTO)
		return d->format == FORMAT_ROW;
	if (json_is_string(json_object_get(p, "op")) &&
	    (json_object_get(p, "source") || json_object_get(p, "before") ||
	     json_object_get(p, "after") || json_object_get(p, "ts_ms")))
		return true;
	struct event_fields f;
	event_fields_of(value, &f);
	if (event_kind_of(&f) != EVENT_OTHER)
		return false;
	return d->table && row_table_known(d->table);
}

/* A name that is known wins: the topic's where the table is a partition, the table's where many
 * tables share a topic. */
static const char *table_of(const struct decoder *d, const struct row_change *row)
{
	bool by_topic = d->table && row_table_known(d->table);
	return by_topic && !row_table_known(row->table) ? d->table : row->table;
}

static enum err decode_row(const struct decoder *d, const struct message *m, const json_t *value,
                           struct changes *out, struct errbuf *eb)
{
	struct row_change row;
	json_t *key = m->key && m->key_n <= MESSAGE_BYTES ? decode_json_key(m->key, m->key_n) : NULL;
	enum err rc = decode_debezium(d, m, key, value, changes_arena(out), &row, eb);
	json_decref(key);
	if (rc != ERR_OK)
		return rc;
	if (row.lsn == 0 &&
	    m->at.offset >= 0) /* nobody says its place: then in the order of the topic */
		row.lsn = m->at.offset + 1;
	if (row.time_us == 0)
		row.time_us = m->time_us;
	row.table = table_of(d, &row);
	return row_to_changes(&row, d->rules, &d->units, out, eb);
}

enum err decode_message(const struct decoder *d, const struct message *m, struct changes *out,
                        struct errbuf *eb)
{
	json_t *value;
	if (!m->value)
		return ERR_NOTHING; /* a tombstone: the delete before it said it all */
	enum err rc = check_size(m, eb);
	if (rc == ERR_OK)
		rc = decode_json(m->value, m->value_n, &value, eb);
	if (rc != ERR_OK)
		return rc;
	rc = is_row(d, value) ? decode_row(d, m, value, out, eb) : decode_event(d, m, value, out, eb);
	json_decref(value);
	return rc;
}
