/* reply.h: the answer, complete in memory before a byte of it is sent.
 *
 * Writers keep their error: a header that cannot be sent as it is (control
 * bytes, a bad name, too many) marks the reply as broken, and reply_render
 * then gives a plain 500 instead. */
#ifndef TAKINGS_WEB_REPLY_H
#define TAKINGS_WEB_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "web/request.h"

enum { REPLY_HEADERS = 32 }; /* most headers a handler may set */

struct reply {
	int status; /* 200 until set */
	struct buf body;
	struct pair headers[REPLY_HEADERS];
	size_t headers_n;
	bool broken;
	struct arena *arena;
};

/* `a` must outlive the reply; texts given to header functions are copied into it. */
void reply_init(struct reply *r, struct arena *a);
void reply_fini(struct reply *r);
void reply_clear(struct reply *r); /* status 200, no headers, no body, not broken */

/* Replaces all headers of this name, whatever their case. Any of the standard
 * headers (see reply_render) is overridden this way. */
void reply_header_set(struct reply *r, const char *name, const char *value);

/* One more of the name: Set-Cookie, Vary. */
void reply_header_add(struct reply *r, const char *name, const char *value);

/* The value set, NULL if none. */
const char *reply_header_find(const struct reply *r, const char *name);

/* Status and Content-Type of a body the caller writes to r->body. */
void reply_begin(struct reply *r, int status, const char *content_type);

/* The HTTP status that belongs to an error: 422, 404, 503, 504, else 500.
 * Input that is not even well-formed is 400; the caller says so to reply_problem. */
int reply_status(enum err code);

/* Makes the reply an application/problem+json (RFC 9457) and forgets what was
 * in it. `status` 0: reply_status(eb->code). `code` NULL: err_name(eb->code).
 * Below 500 the detail is eb->text and eb->field is named; from 500 on the
 * detail is a fixed sentence and the text goes to the log under the request id.
 * 503 and 504 carry Retry-After: 1. */
void reply_problem(struct reply *r, const struct request *req, int status, const char *code,
                   const struct errbuf *eb);

/* The bytes for the FastCGI output stream, "Status:" first: the reply's own
 * headers, the standard ones it did not set (content security policy, nosniff,
 * referrer, opener, resource and permissions policies, Cache-Control:
 * no-store), X-Request-ID and Content-Length. HEAD gets the length without
 * the body; 1xx, 204 and 304 have neither. Clears `out` first. */
void reply_render(struct reply *r, const struct request *req, struct buf *out);

#endif
