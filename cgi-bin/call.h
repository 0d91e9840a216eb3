/* call.h: one request on its way through the program: what is known about it and
 * where its answer goes. A handler gets this and nothing else. */
#ifndef TAKINGS_CGI_CALL_H
#define TAKINGS_CGI_CALL_H

#include "base/conf.h"
#include "cgi-bin/identity.h"
#include "cgi-bin/params.h"
#include "cgi-bin/pool.h"
#include "cgi-bin/routes.h"
#include "web/reply.h"
#include "web/request.h"

struct cache;
struct cached;
struct fcgi_server;
struct identities;
struct limits;
struct watch;

/* What all threads share. */
struct web {
	const struct conf *conf;                  /* as at start: sizes, addresses, connections */
	const struct conf *_Atomic conf_in_force; /* the same, or what the last SIGHUP brought */
	struct pool *pool;
	struct watch *watch;
	struct identities *identities;
	struct limits *limits;
	struct cache *cache;
	struct fcgi_server *server;
	int64_t start_ms; /* monotonic */
};

struct call {
	struct web *web;
	const struct conf *conf;   /* the settings in force when the request came */
	const struct route *route; /* NULL: nothing at this address */
	const struct request *req;
	struct reply *reply;
	struct identity who;
	struct param_values params;
	int64_t start_us, deadline_ms; /* monotonic; QUERY_TIMEOUT is for the whole call */
	int64_t queue_us, db_us, render_us;
	const struct cached *cached; /* the answer it was given, NULL for none; released at the end */
	bool cache_hit;
	bool handled; /* a handler that comes before parts sets it: the reply is complete */
};

/* The value of a parameter of the route, NULL where absent without a fallback. */
const char *call_param(const struct call *c, const char *name);

/* Answers with an error: a page for a person, problem+json for a program. `status` and
 * `code` as for reply_problem. */
void call_refuse(struct call *c, int status, const char *code, struct errbuf *eb);

/* 303 to a path of ours. */
void call_redirect(struct call *c, const char *path);

#endif
