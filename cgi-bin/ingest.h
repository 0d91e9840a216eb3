/* ingest.h: messages about events and bookings that come over HTTP, and who waits for their effect.
 */
#ifndef TAKINGS_CGI_INGEST_H
#define TAKINGS_CGI_INGEST_H

#include "cgi-bin/call.h"

enum { INGEST_MESSAGES = 1000 }; /* most of one request */

/* POST /api/v1/ingest. All messages are stored or none is; what was answered is committed. */
void ingest_handle(struct call *c);

/* What X-Read-After says of messages: "i17", the write_token of an answer. False: it is none. */
bool ingest_token_parse(const char *text, int64_t *id);

/* Waits until what was stored up to this id has taken effect, ranks and all, at most until
 * `deadline_ms` (monotonic). ERR_BUSY: it has not, or too many wait already. */
MUST_CHECK enum err ingest_wait(struct call *c, int64_t id, int64_t deadline_ms, struct errbuf *eb);

#endif
