/* explorer.h: the page on which any question about activity can be put together: what is asked is
 * in its address, each choice on it is a link to a question that differs by one thing. */
#ifndef TAKINGS_CGI_EXPLORER_H
#define TAKINGS_CGI_EXPLORER_H

#include "cgi-bin/ask.h"
#include "db/rowset.h"
#include "web/tv.h"

/* What is asked, as the address says it. Borrowed texts. */
struct explored {
	const char *metrics[ASK_METRICS];
	int metrics_n;
	const char *by[ASK_GROUPS];
	int by_n;
	struct pair filters[ASK_FILTERS];
	int filters_n;
	const char *step; /* NULL: what fits the days */
	const char *compare, *bots;
	const char *main;             /* the metric that is drawn */
	const char *date, *from, *to; /* other days than the address has; all NULL: its own */
};

void explorer_page_handle(struct call *c); /* GET /admin/explorer */

void questions_page_handle(struct call *c);  /* GET /admin/questions */
void question_add_handle(struct call *c);    /* POST /admin/questions: name, shared, ask */
void question_write_handle(struct call *c);  /* POST .../{question_id}: name, shared */
void question_delete_handle(struct call *c); /* POST .../{question_id}/delete */

/* ---- for its own parts ------------------------------------------------------------- */

/* "?metric=..." of a question, in the call's arena. */
const char *explorer_link(const struct call *c, const struct explored *e);

/* The step in force: "hour", ..., "none". `days_n` is of the range. */
const char *explorer_step(const struct explored *e, int64_t days_n);

/* The answer (a row of ask_answer) into `more`: figures, chart and table. */
void explorer_show(struct call *c, struct tv *more, const struct explored *e,
                   const struct rowset *scope, const struct rowset *answer);

/* Its rows as CSV. */
void explorer_csv(const struct call *c, const struct explored *e, const struct rowset *answer,
                  struct buf *out);

#endif
