/* fcgi.h: serves FastCGI requests on a unix socket with a fixed set of threads.
 *
 * libfcgi reads and writes the records; connections are accepted and watched
 * here. A connection holds a thread only while a request of it is being
 * served: between requests it waits in one epoll set, so that idle kept
 * connections cost a descriptor and no thread. Nor does one whose answer was put off.
 *
 * Times: 500 ms from the first byte of a request to the end of its parameters,
 * 5 s for the whole body, 5 s without progress in sending, 120 s idle, 5 s for
 * running requests to end after SIGTERM. */
#ifndef TAKINGS_WEB_FCGI_H
#define TAKINGS_WEB_FCGI_H

#include <stdint.h>

#include "base/err.h"
#include "web/reply.h"
#include "web/request.h"

enum { FCGI_THREADS_MAX = 512 };

struct fcgi_server;

/* Answers one request. `reply` is empty with status 200; both end with the
 * call. Runs in several threads at once. */
typedef void (*fcgi_handler)(const struct request *req, struct reply *reply, void *arg);

/* In the thread of the handler: it returns without an answer, and holds no thread till there is
 * one. Request and reply end with fcgi_answer, which any thread may call once, from now on: whoever
 * might do so gets them after this. fcgi_run does not return ERR_OK before. */
void fcgi_put_off(struct reply *reply);
void fcgi_answer(struct reply *reply);

struct fcgi_stats {
	int threads;             /* alive; equals what was asked for while serving */
	int busy;                /* serving a request now */
	int connections;         /* open, idle ones included */
	int64_t served_n;        /* requests answered since start */
	int64_t refused_n;       /* of them refused before the handler: 400, 411, 413, 414 */
	int64_t broken_n;        /* connections given up: garbage, half a request, no reader */
	int64_t accept_errors_n; /* accept or dup failed: too many open files */
};

/* Where systemd hands over a listening socket (LISTEN_FDS=1, LISTEN_PID is ours), that
 * one is served, and never removed; while stopping it is no longer accepted from, so that
 * what is queued waits for the next process. ERR_CONFIG: descriptor 3 is no listening unix
 * socket, or more than one was handed over.
 *
 * Else creates the socket beside its final place (`socket_path`.PID, mode 0660,
 * backlog 1024). Call it before any thread exists: it sets the umask for a
 * moment and, until fcgi_close, blocks SIGTERM, SIGINT and SIGHUP, which
 * threads made later inherit. SIGPIPE is ignored from then on.
 * `threads` is 1..FCGI_THREADS_MAX; `arg` goes to the handler as it is.
 * ERR_CONFIG: the path is too long, or something that is not a socket stands
 * there. ERR_IO. */
MUST_CHECK enum err fcgi_open(struct fcgi_server **out, const char *socket_path, int threads,
                              fcgi_handler handler, void *arg, struct errbuf *eb);

/* Starts the threads, moves the socket to its place (taking it over from a
 * running server) and serves until SIGTERM or SIGINT; for SIGHUP see
 * fcgi_on_hup. Then it accepts what is still queued, lets running requests end,
 * closes each kept connection after its next request or 500 ms of silence, and
 * removes the socket if it is still the one made here.
 *
 * No new connection is lost that way. A POST that nginx sends on a kept
 * connection in the moment we close it fails; nginx repeats it on a new one
 * where `fastcgi_next_upstream error non_idempotent` allows it.
 *
 * ERR_IO: a thread could not be started or the socket not moved. ERR_TIMEOUT: a
 * handler did not end in time and its thread still runs: log, then _exit, and
 * free nothing that it may use. */
MUST_CHECK enum err fcgi_run(struct fcgi_server *s, struct errbuf *eb);

/* What SIGHUP calls, in the thread of fcgi_run, while requests are served; without it the
 * signal is logged and ignored. Before fcgi_run. */
void fcgi_on_hup(struct fcgi_server *s, void (*fn)(void *arg), void *arg);

/* Not after ERR_TIMEOUT. NULL is fine. */
void fcgi_close(struct fcgi_server *s);

/* At any time between open and close, from any thread. */
void fcgi_stats_get(struct fcgi_server *s, struct fcgi_stats *out);

#endif
