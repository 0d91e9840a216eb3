/* request.h: one HTTP request, checked before anything looks at it.
 *
 * It is made from CGI parameters (name and value pairs), so a test builds one
 * without FastCGI. Texts are NUL-terminated and never NULL ("" where absent), and
 * live as long as the request's arena and parameters. Path and query are clean
 * UTF-8 without NUL; the path has no control bytes. Other texts are as they were sent: any bytes.
 */
#ifndef TAKINGS_WEB_REQUEST_H
#define TAKINGS_WEB_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

enum {
	REQUEST_PATH_BYTES = 2048,        /* longest path, decoded */
	REQUEST_QUERY_BYTES = 4096,       /* longest query string, as sent */
	REQUEST_PAIRS = 64,               /* most parameters in a query string or form */
	REQUEST_BODY_BYTES = 1024 * 1024, /* largest body of any route; a route may allow less */
	REQUEST_ID_MIN = 8,               /* characters of a request id taken from outside */
	REQUEST_ID_MAX = 64,
};

enum method {
	METHOD_OTHER, /* method_text says which */
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_PATCH,
	METHOD_DELETE,
	METHOD_OPTIONS,
};

struct pair {
	const char *name, *value;
};

struct request {
	struct arena *arena; /* memory for whatever the handler needs until the reply is sent */
	enum method method;
	const char *method_text;
	const char *path;     /* DOCUMENT_URI: starts with '/', decoded and normalised by nginx */
	const char *log_path; /* what a log may have of it: nobody's id, which stands behind /user/ */
	const struct pair *query; /* decoded, each name once, in the order given */
	size_t query_n;
	const char *body; /* body_len bytes and a NUL; may contain NULs */
	size_t body_len;
	const char *content_type;
	const char *remote_addr; /* set by nginx, behind a balancer by its realip module */
	const char *accept;
	const char *if_none_match;
	char request_id[REQUEST_ID_MAX + 1];
	int client_fd; /* of the connection, to notice that the asker hung up; -1: none (tests) */
	int refused; /* HTTP status to answer when parsing failed: 400, 411, 413, 414 or 500; else 0 */

	const struct pair *params; /* all CGI parameters; read them through request_param */
	size_t params_n;
	size_t content_length; /* bytes the body must have */
};

/* Fills `out` from CGI parameters, which are borrowed (the first of a name
 * counts). The body is empty until request_read_body. ERR_INVALID with
 * out->refused set and the field named; `out` is then still good enough to
 * answer with: method and request_id are set. */
MUST_CHECK enum err request_parse(struct request *out, struct arena *a, const struct pair *params,
                                  size_t n, struct errbuf *eb);

/* Reads up to `n` bytes; fewer only at the end or on failure. */
typedef size_t (*request_read)(void *source, char *into, size_t n);

/* Reads the announced body. ERR_INVALID if fewer or more bytes come. */
MUST_CHECK enum err request_read_body(struct request *req, request_read read, void *source,
                                      struct errbuf *eb);

/* A CGI parameter such as "HTTP_ORIGIN". Borrowed; "" if absent. */
const char *request_param(const struct request *req, const char *name);

/* A query parameter. Borrowed; NULL if absent, "" if empty. */
const char *request_query_find(const struct request *req, const char *name);

/* Splits and decodes a query string or an urlencoded form of `n` bytes.
 * ERR_INVALID: over a limit, %00, broken escapes or UTF-8, a name twice (the
 * field says which). */
MUST_CHECK enum err request_parse_pairs(struct arena *a, const char *text, size_t n,
                                        const struct pair **out, size_t *out_n, struct errbuf *eb);

#endif
