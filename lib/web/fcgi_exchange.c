/* fcgi_exchange.c: a request is read, handled and answered, or put off and answered later. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "web/fcgi_internal.h"

enum {
	BODY_MS = 5000,
	QUICK_BYTES = 16384,                  /* bodies up to this come with their head */
	DRAIN_BYTES = 2 * REQUEST_BODY_BYTES, /* of an unwanted body, to keep the connection usable */
	KEEP_BYTES = 1024 * 1024,             /* an exchange's buffers above this are given back */
};

/* ---- one request ------------------------------------------------------- */

static size_t stdin_read(void *source, char *into, size_t n)
{
	int got = FCGX_GetStr(into, (int)(n > 65536 ? 65536 : n), source);
	return got > 0 ? (size_t)got : 0;
}

/* A body nobody wants is read away, else its records would precede the next request. */
static bool stdin_drain(FCGX_Stream *in)
{
	char trash[4096];
	for (size_t total = 0; total < DRAIN_BYTES;) {
		size_t n = stdin_read(in, trash, sizeof trash);
		if (n == 0)
			return FCGX_GetError(in) == 0;
		total += n;
	}
	return false;
}

static const struct pair *pairs_from_envp(struct arena *a, char **envp, size_t *out_n)
{
	size_t n = 0, kept = 0;
	while (envp[n])
		n++;
	struct pair *pairs = arena_array(a, n + 1, sizeof *pairs);
	for (size_t i = 0; i < n; i++) {
		const char *eq = strchr(envp[i], '=');
		if (!eq)
			continue;
		pairs[kept].name = arena_strndup(a, envp[i], (size_t)(eq - envp[i]));
		pairs[kept++].value = eq + 1;
	}
	*out_n = kept;
	return pairs;
}

/* A body that does not come in time is not the sender's fault, who would not send it again after a
 * 400. */
static enum err body_read(struct exchange *x, struct errbuf *eb)
{
	struct conn *c = x->conn;
	bool large = x->req.content_length > QUICK_BYTES;
	if (large)
		fcgi_socket_timeout(c->fd, SO_RCVTIMEO, BODY_MS);
	enum err rc = request_read_body(&x->req, stdin_read, c->fcgx.in, eb);
	if (large)
		fcgi_socket_timeout(c->fd, SO_RCVTIMEO, FCGI_HEAD_MS);
	if (rc == ERR_OK || FCGX_GetError(c->fcgx.in) == 0)
		return rc;
	*eb = (struct errbuf){.code = ERR_OK};
	x->req.refused = 503;
	return err_set(eb, ERR_TIMEOUT, "the body did not arrive in time; send it again");
}

/* Reads the request to its last byte. False with req->refused set if it is not served. */
static bool request_receive(struct exchange *x, struct errbuf *eb)
{
	size_t n;
	struct conn *c = x->conn;
	const struct pair *params = pairs_from_envp(&x->arena, c->fcgx.envp, &n);
	enum err rc = request_parse(&x->req, &x->arena, params, n, eb);
	x->req.client_fd = c->fd;
	c->deadline_ms = clock_mono_ms() + BODY_MS;
	if (rc == ERR_OK)
		rc = body_read(x, eb);
	if (!stdin_drain(c->fcgx.in))
		c->fcgx.keepConnection = 0;
	c->deadline_ms = 0;
	return rc == ERR_OK;
}

/* ---- exchanges ---------------------------------------------------------- */

static struct exchange *exchange_new(struct worker *w)
{
	struct fcgi_server *s = w->server;
	(void)pthread_mutex_lock(&s->lock);
	struct exchange *x = s->spare;
	if (x) {
		s->spare = x->next;
		s->spare_n--;
	}
	(void)pthread_mutex_unlock(&s->lock);
	if (!x) {
		x = mem_alloc(sizeof *x);
		arena_init(&x->arena);
		buf_init(&x->out);
		reply_init(&x->reply, &x->arena);
		x->server = s;
	}
	x->worker = w;
	return x;
}

void fcgi_exchange_free(struct exchange *x)
{
	reply_fini(&x->reply);
	buf_fini(&x->out);
	arena_fini(&x->arena);
	free(x);
}

static void exchange_reset(struct exchange *x)
{
	x->conn = NULL;
	arena_reset(&x->arena);
	if (x->out.cap > KEEP_BYTES)
		buf_fini(&x->out);
	if (x->reply.body.cap > KEEP_BYTES)
		buf_fini(&x->reply.body);
}

/* As many are kept as there are threads. */
static void exchange_give_back(struct exchange *x)
{
	struct fcgi_server *s = x->server;
	(void)pthread_mutex_lock(&s->lock);
	bool keep = s->spare_n < s->threads;
	if (keep) {
		x->next = s->spare;
		s->spare = x;
		s->spare_n++;
	}
	(void)pthread_mutex_unlock(&s->lock);
	if (!keep)
		fcgi_exchange_free(x);
}

static void exchange_send(struct exchange *x)
{
	struct fcgi_server *s = x->server;
	FCGX_Request *fcgx = &x->conn->fcgx;
	reply_render(&x->reply, &x->req, &x->out);
	for (size_t at = 0; at < x->out.len;) {
		size_t n = x->out.len - at < (1u << 20) ? x->out.len - at : 1u << 20;
		if (FCGX_PutStr(x->out.data + at, (int)n, fcgx->out) < 0)
			break;
		at += n;
	}
	s->served_n++;
	if (s->stopping) /* nginx sees the end together with the reply */
		fcgx->keepConnection = 0;
	int keep = fcgx->keepConnection;
	FCGX_Finish_r(fcgx);
	if (keep && fcgx->ipcFd < 0)
		s->broken_n++;
}

/* The connection has no more part in it. */
static void conn_done(struct fcgi_server *s, struct conn *c)
{
	if (c->fcgx.ipcFd >= 0)
		fcgi_conn_idle(s, c);
	else
		fcgi_conn_close(s, c);
}

static struct exchange *exchange_of(struct reply *reply)
{
	return (struct exchange *)(void *)((char *)reply - offsetof(struct exchange, reply));
}

void fcgi_put_off(struct reply *reply)
{
	struct exchange *x = exchange_of(reply);
	x->worker->now = NULL;
	x->worker = NULL;
	x->server->put_off_n++;
	x->server->busy--;
}

void fcgi_answer(struct reply *reply)
{
	struct exchange *x = exchange_of(reply);
	struct fcgi_server *s = x->server;
	struct conn *c = x->conn;
	exchange_send(x);
	exchange_reset(x);
	exchange_give_back(x);
	s->put_off_n--;
	conn_done(s, c);
}

/* ---- serving ----------------------------------------------------------- */

/* Whether it is answered; false: it was put off. */
static bool request_serve(struct worker *w)
{
	struct exchange *x = w->now;
	struct fcgi_server *s = w->server;
	struct errbuf eb = {.code = ERR_OK};
	reply_clear(&x->reply);
	if (request_receive(x, &eb)) {
		s->handler(&x->req, &x->reply, s->arg);
		if (!w->now)
			return false;
	} else {
		reply_problem(&x->reply, &x->req, x->req.refused, NULL, &eb);
		s->refused_n++;
	}
	exchange_send(x);
	exchange_reset(x);
	return true;
}

static void conn_busy(struct fcgi_server *s, struct conn *c)
{
	c->busy = true;
	c->deadline_ms = clock_mono_ms() + FCGI_HEAD_MS;
	s->busy++;
}

void fcgi_conn_serve(struct worker *w, struct conn *c)
{
	struct fcgi_server *s = w->server;
	conn_busy(s, c);
	c->fcgx.keepConnection = 1; /* or FCGX_Accept_r closes the connection first */
	if (FCGX_Accept_r(&c->fcgx) < 0) {
		s->broken_n++;
		s->busy--;
		fcgi_conn_close(s, c);
		return;
	}
	if (!w->now)
		w->now = exchange_new(w);
	w->now->conn = c;
	if (request_serve(w)) {
		s->busy--;
		conn_done(s, c);
	}
}
