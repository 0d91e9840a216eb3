/* fcgi_internal.h: what fcgi.c (connections, threads) and fcgi_exchange.c (requests, answers)
 * share. */
#ifndef TAKINGS_WEB_FCGI_INTERNAL_H
#define TAKINGS_WEB_FCGI_INTERNAL_H

#include <fcgiapp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "web/fcgi.h"
#include "web/fcgi_socket.h"

enum { FCGI_HEAD_MS = 500 }; /* first byte of a request to the end of its parameters */

struct conn {
	struct conn *next, **link;
	int fd; /* ours; fcgx.ipcFd is a dup of it */
	FCGX_Request fcgx;
	atomic_bool busy;            /* not in the epoll set */
	_Atomic int64_t idle_at_ms;  /* monotonic; when it became idle */
	_Atomic int64_t deadline_ms; /* monotonic; reading must have ended by then; 0: not reading */
};

/* A request and its answer: a worker's, until it is answered or put off. */
struct exchange {
	struct exchange *next; /* of the spare ones */
	struct fcgi_server *server;
	struct worker *worker; /* NULL: it was put off */
	struct conn *conn;
	struct request req;
	struct reply reply;
	struct arena arena;
	struct buf out;
};

struct worker {
	struct fcgi_server *server;
	pthread_t thread;
	struct exchange *now; /* NULL: it was put off */
};

struct fcgi_server {
	struct fcgi_socket socket;
	int epoll_fd, leave_fd;
	sigset_t old_mask;
	int threads;
	struct worker *workers;
	fcgi_handler handler;
	void *arg;
	void (*hup_fn)(void *arg);
	void *hup_arg;
	atomic_bool stopping;
	atomic_int threads_n, busy, connections, put_off_n;
	_Atomic int64_t served_n, refused_n, broken_n, accept_errors_n;
	pthread_mutex_t lock; /* guards all below, and the list of connections */
	struct conn *conns;
	struct exchange *spare;
	int spare_n;
	bool accepting;
	pthread_mutex_t turn; /* guards all below */
	pthread_cond_t wanted;
	int pollers, parked;
	bool leaving;
};

/* Serves the request whose first bytes are there. */
void fcgi_conn_serve(struct worker *w, struct conn *c);

/* Back to the epoll set: from then on another worker may have it. */
void fcgi_conn_idle(struct fcgi_server *s, struct conn *c);
void fcgi_conn_close(struct fcgi_server *s, struct conn *c);
void fcgi_exchange_free(struct exchange *x);

/* SO_RCVTIMEO or SO_SNDTIMEO. */
void fcgi_socket_timeout(int fd, int option, int ms);

#endif
