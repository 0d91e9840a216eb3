/* ask.h: questions about activity: POST /dashboard/metrics and the answers beside it.
 *
 * A question is checked here, word by word, and becomes one parameter of a fixed statement: what
 * the database gets are values only, whatever was asked. */
#ifndef TAKINGS_CGI_ASK_H
#define TAKINGS_CGI_ASK_H

#include "cgi-bin/call.h"

enum {
	ASK_METRICS = 10,
	ASK_GROUPS = 3,
	ASK_FILTERS = 10,
	ASK_VALUES = 100, /* of one filter */
	ASK_LIMIT = 1000,
	ASK_BUCKETS = 2000,
	ASK_DAYS = 3700, /* longest range */
};

/* Reads a question (JSON, a body of POST /dashboard/metrics) and sets the parameters `question`,
 * `metrics`, `dimensions` and `granularity` of the call's route, for the statement ask_answer.
 * ERR_INVALID names the field; ERR_MALFORMED: no JSON; ERR_NOT_FOUND: nothing is known of activity.
 */
MUST_CHECK enum err ask_read(struct call *c, const char *body, size_t n, struct errbuf *eb);

/* Handlers that come before the parts of their route. */
void ask_handle(struct call *c);           /* POST /dashboard/metrics */
void ask_catalogue_handle(struct call *c); /* GET /dashboard/catalogue */
void ask_days_handle(struct call *c);      /* GET /dashboard/revenue, orders, users */

#endif
