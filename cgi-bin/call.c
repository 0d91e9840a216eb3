/* call.c: what handlers do with a call. */
#include "cgi-bin/call.h"

#include <string.h>

#include "base/clock.h"
#include "cgi-bin/pages.h"

/* Longest wait for a connection; less where the call's own time is over before. */
enum { WAIT_MS = 5000 };

const char *call_param(const struct call *c, const char *name)
{
	return params_get(&c->params, name);
}

void call_param_set(struct call *c, const char *name, const char *value)
{
	for (struct db_param *p = c->params.list; p->name; p++)
		if (strcmp(p->name, name) == 0)
			p->text = value;
}

/* ---- asking ------------------------------------------------------------- */

static int64_t wait_ms(const struct call *c)
{
	int64_t left_ms = c->deadline_ms - clock_mono_ms();
	return left_ms < WAIT_MS ? left_ms : WAIT_MS;
}

struct db_limits call_limits(const struct call *c)
{
	return (struct db_limits){
		.deadline_ms = c->deadline_ms, .watch_fd = c->req->client_fd, .tag = c->req->request_id};
}

enum err call_ask(struct call *c, const struct db_ask *asks, int n, struct errbuf *eb)
{
	int64_t waited_us = 0, begun_us = clock_mono_us();
	struct db_limits limits = call_limits(c);
	enum err rc = pool_ask(c->web->pool, asks, n, wait_ms(c), &limits, &waited_us, eb);
	c->queue_us += waited_us;
	c->db_us += clock_mono_us() - begun_us - waited_us;
	return rc;
}

enum err call_begin(struct call *c, enum pool_use use, struct db **out, struct errbuf *eb)
{
	int64_t begun_us = clock_mono_us();
	enum err rc = pool_take(c->web->pool, use, wait_ms(c), out, eb);
	c->queue_us += clock_mono_us() - begun_us;
	return rc;
}

/* ---- answering ----------------------------------------------------------- */

bool call_is_page(const struct call *c)
{
	return c->route ? c->route->page != NULL : strncmp(c->req->path, "/admin/", 7) == 0;
}

void call_refuse(struct call *c, int status, const char *code, struct errbuf *eb)
{
	/* A schema that does not fit is an operator's business: come back later. */
	if (status == 0 && eb->code == ERR_CONFIG)
		status = 503;
	reply_problem(c->reply, c->req, status, code, eb);
	if (call_is_page(c))
		pages_refuse(c, eb);
}

void call_redirect(struct call *c, const char *path)
{
	reply_begin(c->reply, 303, "text/plain; charset=utf-8");
	reply_header_set(c->reply, "Location", path);
	c->handled = true;
}
