/* pages.h: answers for people: templates and what they are filled with. */
#ifndef TAKINGS_CGI_PAGES_H
#define TAKINGS_CGI_PAGES_H

#include "cgi-bin/answer.h"
#include "web/tv.h"

/* Compiles every template of the route table and, where the database can be
 * reached, checks their names against the columns of their statements.
 * ERR_CONFIG names template, line and name. */
MUST_CHECK enum err pages_init(struct web *w, struct errbuf *eb);
void pages_fini(void);

/* What every page may show: the user, the build, which page it is. Handlers of pages
 * without parts begin with it and add their own. */
struct tv *pages_context(const struct call *c);

/* The page of the call's route, from the rows of an answer. */
MUST_CHECK enum err pages_write(struct call *c, const struct answer *a, struct errbuf *eb);

/* The page of the call's route from a context; replies with `status`. */
void pages_render(struct call *c, int status, const struct tv *top);

/* Replaces the body of a problem by a page that says the same; the status stays. */
void pages_refuse(struct call *c, const struct errbuf *eb);

#endif
