/* replication.h: changes of a PostgreSQL database as they are committed (logical replication by
 * pgoutput), and the tables as they stood when that began.
 *
 * One thread at a time. Positions (LSNs) are bytes of the server's log. Errors: ERR_DB_DOWN where
 * the connection is lost or silent for too long, ERR_BUSY for a slot that another connection
 * holds, ERR_CONFIG for what a person must change there, ERR_DB for anything else the server
 * refused. After an error the connection is closed and another one made. */
#ifndef TAKINGS_DB_REPLICATION_H
#define TAKINGS_DB_REPLICATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/db.h"

/* ---- changes ------------------------------------------------------------- */

struct replication;

/* `name` is the setting of the URL. */
MUST_CHECK enum err replication_open(struct replication **out, const char *name, const char *url,
                                     struct errbuf *eb);
void replication_close(struct replication *r);

/* The number its data directory was made with (IDENTIFY_SYSTEM), which no other has; borrowed. */
const char *replication_system(const struct replication *r);

/* Asks for a new slot. The server first waits for the end of all transactions under way there, so
 * the answer is waited for apart: ERR_BUSY while it is not there after timeout_ms. *lsn: what is
 * committed from here on will be streamed; the tables as they were before are seen by a
 * transaction of another connection that takes *snapshot, until this connection is used again. */
MUST_CHECK enum err replication_create_slot(struct replication *r, const char *slot,
                                            struct errbuf *eb);
MUST_CHECK enum err replication_created(struct replication *r, int timeout_ms, int64_t *lsn,
                                        const char **snapshot, struct errbuf *eb);

/* Streams the transactions whose commits stand at `lsn` or later; the server silently begins later
 * where the slot has been told that more is durable. */
MUST_CHECK enum err replication_start(struct replication *r, const char *slot,
                                      const char *publication, int64_t lsn, struct errbuf *eb);

struct replication_message {
	const char *bytes; /* of pgoutput; NULL: a sign of life. Borrowed until the next call */
	size_t n;
	int64_t lsn; /* of the record; of a sign of life: everything before it was sent */
	bool asked;  /* it waits for us to say how far we are; as when it shuts down */
};

/* The next message, waiting up to timeout_ms: ERR_NOTHING if there was none. Reports are sent by
 * the way where the server asks or 10 s have passed, and a server that is silent for a minute,
 * though asked, is given up. */
MUST_CHECK enum err replication_receive(struct replication *r, int timeout_ms,
                                        struct replication_message *out, struct errbuf *eb);

/* Everything before `lsn` is durable here; the server may forget it. Sent with the next report, or
 * at once with `now`. */
void replication_durable(struct replication *r, int64_t lsn, bool now);

/* Only keeps the connection alive, reading nothing that was streamed. */
MUST_CHECK enum err replication_keep(struct replication *r, struct errbuf *eb);

/* "16/B374D848" */
enum { LSN_TEXT = 24 };
void replication_lsn_format(int64_t lsn, char out[LSN_TEXT]);

/* ---- the tables before --------------------------------------------------- */

/* Rows of a table as the messages of pgoutput that would insert them: its shape first. */
struct replication_copy;

/* `db` must not be used for anything else until the copy is closed; if that is before its end, not
 * at all any more. */
MUST_CHECK enum err replication_copy_open(struct replication_copy **out, struct db *db,
                                          const char *schema, const char *table, struct errbuf *eb);

/* Begins a transaction that sees what `snapshot` sees. */
MUST_CHECK enum err replication_copy_begin(struct db *db, const char *snapshot, struct errbuf *eb);

/* The next message. ERR_BUSY: none yet after timeout_ms; ERR_NOTHING: that was all. */
MUST_CHECK enum err replication_copy_next(struct replication_copy *c, int timeout_ms,
                                          const char **bytes, size_t *n, struct errbuf *eb);
void replication_copy_close(struct replication_copy *c);

#endif
