/* fcgi.c: the accept loop of our own around libfcgi 2.4.2.
 *
 * FCGX_Accept_r is never allowed to accept: it would pin a thread to each
 * connection, wait for ever for half a request, and end the thread when files
 * run out. It gets a connection that already has bytes to read, as a
 * descriptor of its own: libfcgi closes that one whenever it likes, ours stays
 * valid, so that the main thread can shut a connection down without racing
 * against a close.
 *
 * Who touches what: a connection belongs to the epoll set while idle and to
 * one worker while busy (EPOLLONESHOT sees to that), or, where the request was put
 * off, to whoever answers it. Only they free it. The main thread only ever calls
 * shutdown() on it, under the lock. */
#include "web/fcgi_internal.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"

/* fcgiapp.h says not to use these fields. They have stood there since 2.4.0. */
_Static_assert(offsetof(FCGX_Request, ipcFd) == 48, "libfcgi: FCGX_Request has changed");
_Static_assert(offsetof(FCGX_Request, keepConnection) == 56, "libfcgi: FCGX_Request has changed");
_Static_assert(offsetof(FCGX_Request, listen_sock) == 72, "libfcgi: FCGX_Request has changed");
_Static_assert(sizeof(FCGX_Request) == 80, "libfcgi: FCGX_Request has changed");

enum {
	SEND_MS = 5000,   /* without progress */
	IDLE_MS = 120000, /* nginx gives up its kept connections after 60 s */
	SHED_MS = 1000,   /* idle this long may go when files run out */
	EMFILE_SLEEP_MS = 50,
	TICK_MS = 100, /* how often deadlines are looked at */
	STOP_MS = 5000,
	STOP_IDLE_MS = 500, /* a kept connection unused for so long is hardly taken up just now */
	STOP_TICK_MS = 10,
	STACK_BYTES = 2 * 1024 * 1024,
	POLLERS = 4, /* threads that wait for events; the others wait for them */
};

/* ---- small helpers ----------------------------------------------------- */

static void sleep_ms(int ms)
{
	struct timespec ts = clock_timespec(ms);
	(void)nanosleep(&ts, NULL);
}

void fcgi_socket_timeout(int fd, int option, int ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
	(void)setsockopt(fd, SOL_SOCKET, option, &tv, sizeof tv);
}

static int watch(struct fcgi_server *s, int op, int fd, unsigned events, void *what)
{
	struct epoll_event ev = {.events = events, .data.ptr = what};
	return epoll_ctl(s->epoll_fd, op, fd, &ev);
}

/* ---- connections ------------------------------------------------------- */

static void conn_free(struct conn *c)
{
	FCGX_Free(&c->fcgx, c->fcgx.ipcFd >= 0);
	(void)close(c->fd);
	free(c);
}

void fcgi_conn_close(struct fcgi_server *s, struct conn *c)
{
	(void)pthread_mutex_lock(&s->lock);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	s->connections--;
	(void)pthread_mutex_unlock(&s->lock);
	conn_free(c);
}

void fcgi_conn_idle(struct fcgi_server *s, struct conn *c)
{
	c->deadline_ms = 0;
	c->idle_at_ms = clock_mono_ms();
	c->busy = false;
	if (watch(s, EPOLL_CTL_MOD, c->fd, EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, c) < 0)
		fcgi_conn_close(s, c);
}

/* Shuts down what has been idle for `idle_ms`. A worker then sees the end and
 * closes it, after serving a request that came in just before. One that is sent
 * just after fails, and nginx repeats a POST only if it is told to: so this
 * is for connections that are not in use. */
static void conns_shut_idle(struct fcgi_server *s, int64_t idle_ms)
{
	int64_t now = clock_mono_ms();
	(void)pthread_mutex_lock(&s->lock);
	for (struct conn *c = s->conns; c; c = c->next)
		if (!c->busy && now - c->idle_at_ms >= idle_ms)
			(void)shutdown(c->fd, SHUT_RD);
	(void)pthread_mutex_unlock(&s->lock);
}

/* SO_RCVTIMEO bounds each read; this bounds a peer that sends a byte at a time. */
static void conns_shut_overdue(struct fcgi_server *s)
{
	int64_t now = clock_mono_ms();
	(void)pthread_mutex_lock(&s->lock);
	for (struct conn *c = s->conns; c; c = c->next)
		if (c->deadline_ms && now > c->deadline_ms)
			(void)shutdown(c->fd, SHUT_RD);
	(void)pthread_mutex_unlock(&s->lock);
}

static void accept_failed(struct fcgi_server *s, const char *what)
{
	LOG(LOG_ERROR, "accept_failed", LOG_STR("call", what), LOG_STR("error", strerrordesc_np(errno)),
	    LOG_END);
	s->accept_errors_n++;
	conns_shut_idle(s, SHED_MS);
	sleep_ms(EMFILE_SLEEP_MS);
}

static void conn_link(struct fcgi_server *s, struct conn *c)
{
	(void)pthread_mutex_lock(&s->lock);
	c->next = s->conns;
	c->link = &s->conns;
	if (c->next)
		c->next->link = &c->next;
	s->conns = c;
	s->connections++;
	(void)pthread_mutex_unlock(&s->lock);
}

static void conn_open(struct fcgi_server *s, int fd)
{
	int dup_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (dup_fd < 0) {
		accept_failed(s, "dup");
		(void)close(fd);
		return;
	}
	struct conn *c = mem_alloc(sizeof *c);
	c->fd = fd;
	c->idle_at_ms = clock_mono_ms();
	fcgi_socket_timeout(fd, SO_RCVTIMEO, FCGI_HEAD_MS);
	fcgi_socket_timeout(fd, SO_SNDTIMEO, SEND_MS);
	(void)FCGX_InitRequest(&c->fcgx, -1, 0);
	c->fcgx.ipcFd = dup_fd;
	conn_link(s, c);
	if (watch(s, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, c) < 0)
		fcgi_conn_close(s, c);
}

/* A socket that outlives us keeps its queue for whoever comes next. */
static bool accept_begin(struct fcgi_server *s)
{
	(void)pthread_mutex_lock(&s->lock);
	bool go = !(s->stopping && s->socket.inherited);
	s->accepting = go;
	(void)pthread_mutex_unlock(&s->lock);
	return go;
}

static void accept_end(struct fcgi_server *s)
{
	(void)pthread_mutex_lock(&s->lock);
	s->accepting = false;
	(void)pthread_mutex_unlock(&s->lock);
}

/* One connection at a time: the listening socket is in the set with EPOLLONESHOT. */
static void accept_one(struct fcgi_server *s)
{
	if (!accept_begin(s))
		return;
	int fd = accept4(s->socket.fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		conn_open(s, fd);
	else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		accept_failed(s, "accept");
	accept_end(s);
	while (watch(s, EPOLL_CTL_MOD, s->socket.fd, EPOLLIN | EPOLLONESHOT, s) < 0)
		accept_failed(s, "epoll_ctl"); /* without it nothing would ever be accepted again */
}

/* ---- serving ----------------------------------------------------------- */

static bool at_end(int fd)
{
	char c;
	return recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void conn_ready(struct worker *w, struct conn *c, unsigned events)
{
	if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) && at_end(c->fd))
		fcgi_conn_close(w->server, c);
	else
		fcgi_conn_serve(w, c);
}

/* ---- threads ----------------------------------------------------------- */

/* Each event wakes a thread that waits for one, also where one that is awake takes it first: the
 * fewer wait, the fewer are woken in vain. False: it is time to leave. */
static bool poll_begin(struct fcgi_server *s)
{
	(void)pthread_mutex_lock(&s->turn);
	s->parked++;
	while (s->pollers >= POLLERS && !s->leaving)
		(void)pthread_cond_wait(&s->wanted, &s->turn);
	s->parked--;
	s->pollers++;
	bool stay = !s->leaving;
	(void)pthread_mutex_unlock(&s->turn);
	return stay;
}

/* Somebody always waits for events, unless all are at work. */
static void poll_end(struct fcgi_server *s)
{
	(void)pthread_mutex_lock(&s->turn);
	if (--s->pollers == 0 && s->parked)
		(void)pthread_cond_signal(&s->wanted);
	(void)pthread_mutex_unlock(&s->turn);
}

static void worker_loop(struct worker *w)
{
	struct fcgi_server *s = w->server;
	while (poll_begin(s)) {
		struct epoll_event ev;
		int n = epoll_wait(s->epoll_fd, &ev, 1, -1);
		poll_end(s);
		if (n == 1 && ev.data.ptr == &s->leave_fd)
			return;
		if (n == 1 && ev.data.ptr == s)
			accept_one(s);
		else if (n == 1)
			conn_ready(w, ev.data.ptr, ev.events);
		else if (errno != EINTR)
			accept_failed(s, "epoll_wait");
	}
}

static void *worker_main(void *p)
{
	struct worker *w = p;
	crash_thread_begin();
	w->server->threads_n++;
	worker_loop(w);
	w->server->threads_n--;
	if (w->now)
		fcgi_exchange_free(w->now);
	crash_thread_end();
	return NULL;
}

static int threads_start(struct fcgi_server *s)
{
	sigset_t all, old;
	pthread_attr_t attr;
	int started = 0;
	(void)sigfillset(&all); /* libfcgi takes EINTR for a broken connection */
	crash_unblock(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	for (; started < s->threads; started++) {
		s->workers[started].server = s;
		if (pthread_create(&s->workers[started].thread, &attr, worker_main, &s->workers[started]) !=
		    0)
			break;
	}
	(void)pthread_attr_destroy(&attr);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return started;
}

/* Lets the workers leave; false if one has not by `deadline_ms`. */
static bool threads_end(struct fcgi_server *s, int started, int64_t deadline_ms)
{
	uint64_t one = 1;
	bool all = true;
	struct timespec until = clock_timespec(deadline_ms);
	must(write(s->leave_fd, &one, sizeof one) == (ssize_t)sizeof one);
	(void)pthread_mutex_lock(&s->turn);
	s->leaving = true;
	(void)pthread_cond_broadcast(&s->wanted);
	(void)pthread_mutex_unlock(&s->turn);
	for (int i = 0; i < started; i++)
		if (pthread_clockjoin_np(s->workers[i].thread, NULL, CLOCK_MONOTONIC, &until) != 0)
			all = false;
	return all;
}

/* ---- the socket -------------------------------------------------------- */

static void stop_signals(sigset_t *set)
{
	(void)sigemptyset(set);
	(void)sigaddset(set, SIGTERM);
	(void)sigaddset(set, SIGINT);
	(void)sigaddset(set, SIGHUP);
}

static enum err make_epoll(struct fcgi_server *s, struct errbuf *eb)
{
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->leave_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->epoll_fd < 0 || s->leave_fd < 0 ||
	    watch(s, EPOLL_CTL_ADD, s->leave_fd, EPOLLIN, &s->leave_fd) < 0 ||
	    watch(s, EPOLL_CTL_ADD, s->socket.fd, EPOLLIN | EPOLLONESHOT, s) < 0)
		return err_set(eb, ERR_IO, "cannot watch the socket: %m");
	return ERR_OK;
}

/* libfcgi reads the two variables once, and installs handlers of its own that
 * make it stop in a way that loses requests: they are undone. */
static void libfcgi_init(void)
{
	(void)setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "50", 1);
	(void)setenv("LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT", "200", 1);
	must(FCGX_Init() == 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGUSR1, SIG_DFL);
}

static struct fcgi_server *server_new(int threads, fcgi_handler handler, void *arg)
{
	struct fcgi_server *s = mem_alloc(sizeof *s);
	sigset_t set;
	s->socket.fd = s->epoll_fd = s->leave_fd = -1;
	s->threads = threads;
	s->workers = mem_alloc((size_t)threads * sizeof *s->workers);
	s->handler = handler;
	s->arg = arg;
	must(pthread_mutex_init(&s->lock, NULL) == 0 && pthread_mutex_init(&s->turn, NULL) == 0);
	must(pthread_cond_init(&s->wanted, NULL) == 0);
	stop_signals(&set);
	(void)pthread_sigmask(SIG_BLOCK, &set, &s->old_mask);
	return s;
}

enum err fcgi_open(struct fcgi_server **out, const char *socket_path, int threads,
                   fcgi_handler handler, void *arg, struct errbuf *eb)
{
	must(threads >= 1 && threads <= FCGI_THREADS_MAX);
	libfcgi_init();
	struct fcgi_server *s = server_new(threads, handler, arg);
	enum err rc = fcgi_socket_open(&s->socket, socket_path, eb);
	if (rc == ERR_OK)
		rc = make_epoll(s, eb);
	if (rc != ERR_OK) {
		fcgi_close(s);
		return rc;
	}
	*out = s;
	return ERR_OK;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

void fcgi_close(struct fcgi_server *s)
{
	if (!s)
		return;
	fcgi_socket_unlink(&s->socket);
	for (struct exchange *next, *x = s->spare; x; x = next) {
		next = x->next;
		fcgi_exchange_free(x);
	}
	for (struct conn *next, *c = s->conns; c; c = next) {
		next = c->next;
		conn_free(c);
	}
	close_if_open(s->socket.fd);
	close_if_open(s->epoll_fd);
	close_if_open(s->leave_fd);
	(void)pthread_mutex_destroy(&s->lock);
	(void)pthread_mutex_destroy(&s->turn);
	(void)pthread_cond_destroy(&s->wanted);
	(void)pthread_sigmask(SIG_SETMASK, &s->old_mask, NULL);
	free(s->workers);
	free(s);
}

void fcgi_on_hup(struct fcgi_server *s, void (*fn)(void *arg), void *arg)
{
	s->hup_fn = fn;
	s->hup_arg = arg;
}

void fcgi_stats_get(struct fcgi_server *s, struct fcgi_stats *out)
{
	*out = (struct fcgi_stats){.threads = s->threads_n,
	                           .busy = s->busy,
	                           .connections = s->connections,
	                           .served_n = s->served_n,
	                           .refused_n = s->refused_n,
	                           .broken_n = s->broken_n,
	                           .accept_errors_n = s->accept_errors_n};
}

/* ---- running and stopping ---------------------------------------------- */

static void run_until_stopped(struct fcgi_server *s)
{
	static const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
	sigset_t set;
	stop_signals(&set);
	for (;;) {
		int sig = sigtimedwait(&set, NULL, &tick);
		if (sig == SIGTERM || sig == SIGINT)
			return;
		if (sig == SIGHUP && s->hup_fn)
			s->hup_fn(s->hup_arg);
		else if (sig == SIGHUP)
			LOG(LOG_INFO, "signal_ignored", LOG_STR("signal", "SIGHUP"), LOG_END);
		conns_shut_overdue(s);
		conns_shut_idle(s, IDLE_MS);
	}
}

/* In this order: a worker sets `accepting` before it takes one off the queue. */
static bool is_quiet(struct fcgi_server *s)
{
	struct pollfd queued = {.fd = s->socket.fd, .events = POLLIN};
	if (!s->socket.inherited && poll(&queued, 1, 0) > 0)
		return false;
	(void)pthread_mutex_lock(&s->lock);
	bool quiet = !s->conns && !s->accepting;
	(void)pthread_mutex_unlock(&s->lock);
	return quiet;
}

static void drain(struct fcgi_server *s, int64_t deadline_ms)
{
	s->stopping = true;
	fcgi_socket_unlink(&s->socket);
	while (!is_quiet(s) && clock_mono_ms() < deadline_ms) {
		conns_shut_idle(s, STOP_IDLE_MS);
		conns_shut_overdue(s);
		sleep_ms(STOP_TICK_MS);
	}
}

enum err fcgi_run(struct fcgi_server *s, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	int started = threads_start(s);
	if (started < s->threads)
		rc = err_set(eb, ERR_IO, "only %d of %d threads could be started", started, s->threads);
	if (rc == ERR_OK)
		rc = fcgi_socket_publish(&s->socket, eb);
	if (rc == ERR_OK) {
		LOG(LOG_INFO, "serving", LOG_STR("socket", s->socket.path), LOG_INT("threads", started),
		    LOG_END);
		run_until_stopped(s);
		LOG(LOG_INFO, "stopping", LOG_END);
	}
	int64_t deadline_ms = clock_mono_ms() + STOP_MS;
	if (rc == ERR_OK)
		drain(s, deadline_ms);
	/* Whoever is still busy now has had its time; the others need a moment to leave. */
	if (!threads_end(s, started, deadline_ms + 100) || s->put_off_n > 0)
		return err_set(eb, ERR_TIMEOUT, "a request was still running %d ms after the stop",
		               STOP_MS);
	return rc;
}
