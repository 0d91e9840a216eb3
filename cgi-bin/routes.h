/* routes.h: everything that can be asked over HTTP, one row each.
 *
 * A row says what may be asked with which parameters, which statements answer and
 * which template shows it. Adding an endpoint is a statement in sql/queries, a
 * row here, a template if it has a page, and a test. */
#ifndef TAKINGS_CGI_ROUTES_H
#define TAKINGS_CGI_ROUTES_H

#include "base/conf.h"
#include "cgi-bin/pool.h"
#include "web/reply.h"
#include "web/request.h"

enum { ROUTE_PARAMS = 12, ROUTE_PARTS = 8 };

enum param_type { PARAM_DATE, PARAM_INT, PARAM_WORD, PARAM_CURRENCY };

struct param {
	const char *name; /* as in the query string and in the statements */
	enum param_type type;
	int64_t min, max;     /* PARAM_INT */
	const char *words;    /* PARAM_WORD: allowed ones, separated by | */
	const char *fallback; /* NULL: SQL NULL, the statement decides */
	bool fixed;           /* not from the query string: always the fallback */
	const char *meaning;
};

/* How the rows of a statement stand in the answer. */
enum part_shape {
	PART_FIELDS, /* one row; its columns become fields of the answer itself */
	PART_OBJECT, /* one row, as an object under the key */
	PART_ROWS,   /* a list under the key */
};

struct part {
	const char *statement;
	enum part_shape shape;
	const char *key;     /* NULL for PART_FIELDS */
	const char *missing; /* not NULL: no row is an error 404 with this text */
	const char *columns; /* JSON: only these columns, in this order; NULL: all */
};

struct web {
	const struct conf *conf;
	struct pool *pool;
	int64_t start_ms; /* monotonic */
};

struct route {
	const char *method, *path;
	struct param params[ROUTE_PARAMS];
	struct part parts[ROUTE_PARTS];
	const char *page; /* template file in templates/, NULL: JSON */
	void (*handler)(struct web *w, const struct request *req,
	                struct reply *reply); /* instead of parts */
	const char *doc;                      /* one sentence */
};

/* NULL past the last one. */
const struct route *route_get(int i);

/* The row of the path, NULL if there is none. */
const struct route *route_find(const char *path);

void health_handle(struct web *w, const struct request *req, struct reply *reply);
void health_live_handle(struct web *w, const struct request *req, struct reply *reply);
void health_ready_handle(struct web *w, const struct request *req, struct reply *reply);
void home_handle(struct web *w, const struct request *req, struct reply *reply);

#endif
