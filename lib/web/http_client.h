/* http_client.h: asking other servers over HTTP (libcurl), one request at a time.
 *
 * No redirects, no proxies, no cookies, no .netrc: what is asked is what the caller says. Every
 * wait is bounded. Certificates are checked against the system's authorities. A client belongs to
 * one thread; it keeps its connections open. */
#ifndef TAKINGS_WEB_HTTP_CLIENT_H
#define TAKINGS_WEB_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct http_client;

/* Asked about once a second during a request: true ends it with ERR_INTERRUPTED. */
typedef bool (*http_give_up_fn)(void *arg);

/* `give_up` may be NULL. */
struct http_client *http_client_new(http_give_up_fn give_up, void *arg);
void http_client_free(struct http_client *c);

struct http_ask {
	const char *method;         /* GET, PUT, POST */
	const char *url;            /* http or https */
	const char *const *headers; /* "Name: value", NULL at the end; NULL: none */
	const void *body;
	size_t body_n;
	int connect_ms, timeout_ms; /* until it is connected; until it is answered */
};

enum { HTTP_ANSWER_BYTES = 1024 * 1024, HTTP_HEADER_BYTES = 64 * 1024 };

struct http_answer {
	int status;
	struct buf body;    /* at most HTTP_ANSWER_BYTES; a longer one is ERR_IO */
	struct buf headers; /* "name: value" lines, names as they came */
};

void http_answer_init(struct http_answer *a);
void http_answer_fini(struct http_answer *a);

/* ERR_OK: there is an answer, whatever its status. ERR_IO: none was to be had. ERR_TIMEOUT: not
 * within the time. ERR_INTERRUPTED: given up. The text names the host and never repeats the URL's
 * query, a header or a body. */
MUST_CHECK enum err http_client_ask(struct http_client *c, const struct http_ask *ask,
                                    struct http_answer *out, struct errbuf *eb);

/* The value of a header, cut to fit, "" where there is none. */
void http_answer_header(const struct http_answer *a, const char *name, char *out, size_t n);

#endif
