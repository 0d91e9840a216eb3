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

struct activity_setups;
struct cache;
struct cached;
struct fcgi_server;
struct group_commit;
struct sink_kafka;
struct identities;
struct limits;
struct tv;
struct watch;

/* What all threads share. */
struct web {
	const struct conf *conf;                  /* as at start: sizes, addresses, connections */
	const struct conf *_Atomic conf_in_force; /* the same, or what the last SIGHUP brought */
	struct pool *pool;
	struct watch *watch;
	struct identities *identities;
	struct limits *limits;
	struct limits *visitors; /* what they do in a minute */
	struct activity_setups *setups;
	struct group_commit *group;
	struct sink_kafka *sink; /* NULL: tracked events go into the database */
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
	int64_t limit_n, limit_left; /* of the asker in an hour, and how many are left; 0: no limit */
	int64_t limit_full_s;        /* seconds until all at once are allowed again */
	const struct cached *cached; /* the answer it was given, NULL for none; released at the end */
	bool cache_hit;
	bool fresh;      /* no answer that was kept will do */
	bool handled;    /* a handler that comes before parts sets it: the reply is complete */
	struct tv *more; /* what such a handler adds to the page of the parts; NULL: nothing */
	int page_status; /* of that page; 0: 200 */
	bool *put_off;   /* see call_put_off */
};

/* The value of a parameter of the route, NULL where absent without a fallback. */
const char *call_param(const struct call *c, const char *name);

/* Gives a fixed parameter of the route its value (borrowed) for the parts to come; nothing where
 * the route has none of this name. */
void call_param_set(struct call *c, const char *name, const char *value);

/* Statements that only read, in one snapshot: errors and rowsets as of pool_ask. Within the time of
 * the call, and no longer than somebody waits for its answer. */
MUST_CHECK enum err call_ask(struct call *c, const struct db_ask *asks, int n, struct errbuf *eb);

/* A connection in a transaction, as of pool_take; for pool_give. */
MUST_CHECK enum err call_begin(struct call *c, enum pool_use use, struct db **out,
                               struct errbuf *eb);

/* What statements of the call may take: its time, its client, its name. */
struct db_limits call_limits(const struct call *c);

/* Whether a person reads the answer. */
bool call_is_page(const struct call *c);

/* Answers with an error: a page for a person, problem+json for a program. `status` and
 * `code` as for reply_problem. */
void call_refuse(struct call *c, int status, const char *code, struct errbuf *eb);

/* From a handler, whose last deed it is but for telling others: it returns without an answer. The
 * call and all in the request's arena stay until call_end, which any thread may call, once. */
void call_put_off(struct call *c);
void call_end(struct call *c);

/* 303 to a path of ours. */
void call_redirect(struct call *c, const char *path);

#endif
