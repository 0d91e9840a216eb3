/* decode.c: what a message is, and who reads it. */
#include "stream/decode.h"

#include <string.h>

#include "domain/booking_message.h"
#include "stream/event_fields.h"

static enum err check_size(const struct message *m, struct errbuf *eb)
{
	if (m->value_n > MESSAGE_BYTES)
		return err_set(eb, ERR_INVALID, "the message has %zu bytes, more than %d", m->value_n,
		               MESSAGE_BYTES);
	return ERR_OK;
}

static const struct jnode *payload_of(const struct jnode *value)
{
	const struct jnode *payload = jnode_get(value, "payload");
	return jnode_get(value, "schema") && jnode_is(payload, JNODE_OBJECT) ? payload : value;
}

enum what { IS_ROW, IS_EVENT, IS_BOOKING };

/* An envelope has an op, or tells of a transaction; an event names a type of ours, or one of
 * bookings; what is left is a bare row where the topic is one of a table, and else an event that is
 * none of ours. */
static enum what what_is(const struct decoder *d, const struct jnode *value)
{
	const struct jnode *p = payload_of(value);
	if (d->format == FORMAT_ROW)
		return IS_ROW;
	if (d->format == FORMAT_AUTO && jnode_string_at(p, "op") &&
	    (jnode_get(p, "source") || jnode_get(p, "before") || jnode_get(p, "after") ||
	     jnode_get(p, "ts_ms")))
		return IS_ROW;
	struct event_fields f;
	event_fields_of(value, &f);
	if (event_kind_of(&f) != EVENT_OTHER)
		return IS_EVENT;
	if (booking_message_says(value))
		return IS_BOOKING;
	return d->format == FORMAT_AUTO && d->table && row_table_known(d->table) ? IS_ROW : IS_EVENT;
}

/* A name that is known wins: the topic's where the table is a partition, the table's where many
 * tables share a topic. */
static const char *table_of(const struct decoder *d, const struct row_change *row)
{
	bool by_topic = d->table && row_table_known(d->table);
	return by_topic && !row_table_known(row->table) ? d->table : row->table;
}

/* NULL where there is none, or it cannot be read: who needs it says so. */
static const struct jnode *parse_key(const struct message *m, struct arena *scratch)
{
	const struct jnode *key = NULL;
	struct errbuf ignored = {0};
	if (!m->key || m->key_n > MESSAGE_BYTES ||
	    jnode_parse(scratch, m->key, m->key_n, MESSAGE_DEPTH, "schema", &key, &ignored) != ERR_OK)
		return NULL;
	return key;
}

static enum err decode_row(const struct decoder *d, const struct message *m,
                           const struct jnode *value, struct arena *scratch, struct changes *out,
                           struct errbuf *eb)
{
	struct row_change row;
	enum err rc = decode_debezium(d, m, parse_key(m, scratch), value, scratch, &row, eb);
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

/* Of an object. */
static enum err decode_value(const struct decoder *d, const struct message *m,
                             const struct jnode *value, struct arena *scratch, struct changes *out,
                             bool *booking, struct errbuf *eb)
{
	switch (what_is(d, value)) {
	case IS_ROW:
		return decode_row(d, m, value, scratch, out, eb);
	case IS_EVENT:
		return decode_event(d, m, value, out, eb);
	case IS_BOOKING:
		break;
	}
	if (booking)
		*booking = true;
	return ERR_NOTHING;
}

enum err decode_message(const struct decoder *d, const struct message *m, struct changes *out,
                        bool *booking, struct errbuf *eb)
{
	const struct jnode *value = NULL;
	struct arena scratch; /* the message as a tree: gone when it is decoded */
	if (booking)
		*booking = false;
	if (!m->value)
		return ERR_NOTHING; /* a tombstone: the delete before it said it all */
	enum err rc = check_size(m, eb);
	if (rc != ERR_OK)
		return rc;
	arena_init(&scratch);
	rc = jnode_parse(&scratch, m->value, m->value_n, MESSAGE_DEPTH, "schema", &value, eb);
	if (rc == ERR_OK && value->kind != JNODE_OBJECT)
		rc = err_set(eb, ERR_INVALID, "the message is no JSON object");
	else if (rc == ERR_OK)
		rc = decode_value(d, m, value, &scratch, out, booking, eb);
	arena_fini(&scratch);
	return rc;
}
