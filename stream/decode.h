/* decode.h: messages become changes. Pure: the same message under the same rules gives the same.
 *
 * docs/STREAM.md describes the formats with examples. */
#ifndef TAKINGS_STREAM_DECODE_H
#define TAKINGS_STREAM_DECODE_H

#include "stream/change.h"
#include "base/jnode.h"
#include "stream/message.h"
#include "stream/row.h"
#include "stream/rules.h"

enum {
	MESSAGE_BYTES = 1024 * 1024, /* a longer one is poison */
	MESSAGE_DEPTH = 16,          /* of nested arrays and objects, but for a message's schema */
	MESSAGE_LINES = 1000,        /* of one order event */
	ID_BYTES = 200,              /* longest id, status, item, customer */
	TEXT_BYTES = 1000,           /* longest name or reason */
};

/* How a topic is to be read. */
enum format {
	FORMAT_AUTO,  /* looked up in each message: an event names its type, an envelope has an op */
	FORMAT_EVENT, /* OrderCreatedEvent and its like */
	FORMAT_ROW    /* Debezium's envelopes, or bare rows */
};

struct decoder {
	const struct rules *rules;
	struct row_units units;
	const char *table; /* of bare rows and envelopes without source: by the topic's last word */
	enum format format;
};

/* ERR_OK: changes were put. ERR_NOTHING: read, and of no interest here. ERR_INVALID or
 * ERR_MALFORMED: poison; eb->field names what is wrong and eb->text says why. Nothing else comes
 * back, and nothing was put unless ERR_OK. *booking (NULL: nobody asks): with ERR_NOTHING, it is
 * about bookings, by its type (domain/booking_message.h). */
MUST_CHECK enum err decode_message(const struct decoder *d, const struct message *m,
                                   struct changes *out, bool *booking, struct errbuf *eb);

/* ---- the parts, for decode.c and the tests --------------------------------- */

/* An order event as JSON. */
MUST_CHECK enum err decode_event(const struct decoder *d, const struct message *m,
                                 const struct jnode *value, struct changes *out, struct errbuf *eb);

/* A Debezium envelope, with or without schema, or a bare row; `key` may be NULL. The row's texts
 * are in the arena. Any table's row is read, not only those of orders. */
MUST_CHECK enum err decode_debezium(const struct decoder *d, const struct message *m,
                                    const struct jnode *key, const struct jnode *value,
                                    struct arena *a, struct row_change *out, struct errbuf *eb);

/* PostgreSQL's own protocol (pgoutput, version 1): one message at a time. What it says of tables is
 * remembered. `lsn` is that of the record. ERR_NOTHING: no row (begin, commit, a table's shape). */
struct pgoutput;
struct pgoutput *pgoutput_new(void);
void pgoutput_free(struct pgoutput *p);
MUST_CHECK enum err pgoutput_decode(struct pgoutput *p, const char *bytes, size_t n, int64_t lsn,
                                    struct arena *a, struct row_change *out, struct errbuf *eb);

/* Whether the last message was the end of a transaction, and where the next begins. */
bool pgoutput_committed(const struct pgoutput *p, int64_t *end_lsn);

#endif
