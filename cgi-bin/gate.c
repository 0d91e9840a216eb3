/* gate.c: from a request to a reply, by the row of its route. */
#include "cgi-bin/gate.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cgi-bin/answer.h"
#include "cgi-bin/pages.h"

/* ---- what handlers use -------------------------------------------------- */

const char *call_param(const struct call *c, const char *name)
{
	return params_get(&c->params, name);
}

/* A person gets a page, a program gets problem+json. */
void call_refuse(struct call *c, int status, const char *code, struct errbuf *eb)
{
	/* A schema that does not fit is an operator's business: come back later. */
	if (status == 0 && eb->code == ERR_CONFIG)
		status = 503;
	reply_problem(c->reply, c->req, status, code, eb);
	bool person = c->route ? c->route->page != NULL : strncmp(c->req->path, "/admin/", 7) == 0;
	if (person)
		pages_refuse(c, eb);
}

void call_redirect(struct call *c, const char *path)
{
	reply_begin(c->reply, 303, "text/plain; charset=utf-8");
	reply_header_set(c->reply, "Location", path);
	c->handled = true;
}

/* ---- the gate ---------------------------------------------------------- */

static void answer_route(struct call *c)
{
	struct errbuf eb = {0};
	struct answer a;
	enum err rc = answer_ask(c, &a, &eb);
	int64_t begun_us = clock_mono_us();
	if (rc == ERR_OK && c->route->page) {
		rc = pages_write(c, &a, &eb);
	} else if (rc == ERR_OK) {
		reply_begin(c->reply, 200, "application/json");
		answer_write_json(&a, &c->reply->body);
	}
	c->render_us += clock_mono_us() - begun_us;
	answer_fini(&a);
	if (rc != ERR_OK)
		call_refuse(c, 0, NULL, &eb);
}

static void dispatch(struct call *c)
{
	struct errbuf eb = {0};
	const char *allowed;
	c->route = route_find(c->req->method_text, c->req->path, &allowed);
	if (!c->route && allowed) {
		(void)err_set(&eb, ERR_INVALID, "this address takes %s only", allowed);
		call_refuse(c, 405, "method_not_allowed", &eb);
		reply_header_set(c->reply, "Allow", allowed);
		return;
	}
	if (!c->route) {
		(void)err_set(&eb, ERR_NOT_FOUND, "there is nothing at this address");
		call_refuse(c, 404, NULL, &eb);
		return;
	}
	if (params_parse(c->route, c->req, &c->params, &eb) != ERR_OK) {
		call_refuse(c, 0, NULL, &eb);
		return;
	}
	if (c->route->handler)
		c->route->handler(c);
	if (!c->handled && c->route->parts[0].statement)
		answer_route(c);
}

static void log_call(const struct call *c)
{
	LOG(LOG_DEBUG, "request", LOG_STR("method", c->req->method_text), LOG_STR("path", c->req->path),
	    LOG_INT("status", c->reply->status), LOG_INT("us", clock_mono_us() - c->start_us),
	    LOG_STR("request_id", c->req->request_id), LOG_END);
}

void gate_handle(const struct request *req, struct reply *reply, void *arg)
{
	struct web *w = arg;
	struct call c = {.web = w, .conf = w->conf, .req = req, .reply = reply};
	c.start_us = clock_mono_us();
	c.deadline_ms = c.start_us / 1000 + conf_int(c.conf, CONF_QUERY_TIMEOUT) * 1000;
	c.who.role = ACCESS_ADMIN; /* until there is a login */
	dispatch(&c);
	log_call(&c);
}
