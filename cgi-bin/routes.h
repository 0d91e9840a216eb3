/* routes.h: everything that can be asked over HTTP, one row each.
 *
 * A row says who may ask what with which parameters, which statements answer and
 * which template shows it. Adding an endpoint is a statement in sql/queries, a
 * row in routes.c, a template if it has a page, its lines in tests/api/access.tsv
 * and a test. */
#ifndef TAKINGS_CGI_ROUTES_H
#define TAKINGS_CGI_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct buf;
struct call;

enum { ROUTE_PARAMS = 40, ROUTE_PARTS = 16 };

enum param_type {
	PARAM_DATE,
	PARAM_INT,
	PARAM_WORD,
	PARAM_CURRENCY,
	PARAM_TEXT,   /* min..max bytes */
	PARAM_SECRET, /* likewise; never repeated in an answer or a log */
};

enum param_place {
	IN_QUERY,
	IN_PATH, /* {name} in the path; always there */
	IN_BODY, /* a field of the form or of the JSON object */
};

struct param {
	const char *name; /* as in the request and in the statements */
	enum param_type type;
	enum param_place place;
	int64_t min, max;     /* PARAM_INT: value; PARAM_TEXT, PARAM_SECRET: bytes */
	const char *words;    /* PARAM_WORD: allowed ones, separated by | */
	const char *fallback; /* NULL: SQL NULL, the statement decides */
	bool required;
	bool blank; /* "" is as good as absent: forms send every field they have */
	bool fixed; /* not from the request: the fallback, or what a handler sets */
	const char *example, *meaning;
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
	const char *why; /* with `missing`: the statement that knows better; NULL: report_missing, where
	                  * the route has its parameters */
	const char *columns; /* JSON and CSV: these columns, in this order; every JSON part names them,
	                      * of a page those that can be saved */
	bool feeds;          /* the first part only: the columns of its row are parameters of the parts
	                      * after it, before the request's; without a row they are not asked */
	const char *only;    /* asked only where this column of the first part is true; else JSON has no
	                        such key */
};

/* Who may ask. A role may do what the ones before it may. */
enum access { ACCESS_PUBLIC, ACCESS_VIEWER, ACCESS_ANALYST, ACCESS_ADMIN };

/* Scopes of API keys; a bit set. `admin` may what `read` may. */
enum scope { SCOPE_NONE = 0, SCOPE_INGEST = 1, SCOPE_READ = 2, SCOPE_ADMIN = 4 };

enum body_kind {
	BODY_NONE,
	BODY_FORM,
	BODY_JSON,     /* an object of parameters */
	BODY_MESSAGES, /* JSON that the handler reads itself */
};

struct route {
	const char *method;
	const char *path; /* a segment may be {name}, of a parameter IN_PATH */
	enum access access;
	unsigned scopes; /* keys that may ask; none for pages */
	enum body_kind body;
	bool write_key; /* of those of events: an ingest key may stand in X-Write-Key, a public one in
	                 * ?key=, too: it is let in from pages of its origins, and text/plain is as good
	                 * as JSON */
	bool uncached;  /* answered anew every time although it has parts */
	bool activity;  /* its figures are of tracked events, too: kept until these change */
	int keep_ms;  /* of live figures: kept for as long, whatever changes. 0: until figures change */
	int aging_ms; /* its figures change with time alone: kept so long at most. 0: as the others */
	struct param params[ROUTE_PARAMS];
	struct part parts[ROUTE_PARTS];
	/* In the place of parts: the whole answer as JSON, made only where none is kept. Errors as of
	 * answer_ask. */
	enum err (*make)(struct call *c, struct buf *out, struct errbuf *eb);
	const char *page;                /* template file in templates/, NULL: JSON */
	void (*handler)(struct call *c); /* instead of parts, or before them: see call.h */
	int opened_by; /* CONF_..._ROLE: the setting that may let lower roles in than `access`; 0: none
	                */
	int feature;   /* CONF_ENABLE_...: 404 where it is off; 0: always there */
	const char *tag; /* group in the API's documentation; NULL: not documented */
	const char *doc; /* one sentence */
	/* What the documentation cannot see in a handler; a row of parts needs neither. */
	const char *answer; /* a shape of fields.def, or a media type such as text/plain */
	const char *also;   /* more statuses: "401 409" as problems, "503=" with the answer's shape */
	int status;         /* of the answer; 0: 200 */
	const char *body_doc, *body_example; /* of BODY_MESSAGES: what it is, and JSON of one */
};

/* NULL past the last one. */
const struct route *route_get(int i);
int route_count(void);
int route_index(const struct route *route);

/* The row of method and path; HEAD finds GET. NULL if there is none: then *allowed
 * holds the methods the path does take ("GET, HEAD"), NULL where it is no path of ours. */
const struct route *route_find(const char *method, const char *path, const char **allowed);

/* Where the value of {name} begins in `path`, and its length; NULL if the route has none. */
const char *route_path_value(const struct route *route, const char *path, const char *name,
                             int *len);

/* Handlers. */
void health_handle(struct call *c);
void health_live_handle(struct call *c);
void health_ready_handle(struct call *c);
void home_handle(struct call *c);
void metrics_handle(struct call *c);
void info_handle(struct call *c);
void openapi_handle(struct call *c);
void docs_handle(struct call *c);

#endif
