/* behaviour_page.h: the pages of funnels and cohorts: what is asked is in their address, each
 * choice on them is a link to a question that differs by one thing. Figures come from funnel.h and
 * cohort.h, as those of the JSON do. */
#ifndef TAKINGS_CGI_BEHAVIOUR_PAGE_H
#define TAKINGS_CGI_BEHAVIOUR_PAGE_H

#include "cgi-bin/cohort.h"
#include "cgi-bin/funnel.h"
#include "db/rowset.h"
#include "web/tv.h"

/* Handlers that come before the parts of their page. */
void funnel_page_handle(struct call *c);        /* GET /admin/funnel */
void funnel_people_page_handle(struct call *c); /* GET /admin/funnel/people */
void funnels_page_handle(struct call *c);       /* GET /admin/funnels */
void funnels_add_handle(struct call *c);        /* POST /admin/funnels: funnel_name and its steps */
void funnel_edit_page_handle(struct call *c);   /* GET /admin/funnels/{funnel_name} */
void funnel_edit_handle(struct call *c);        /* POST .../{funnel_name} */
void funnel_drop_handle(struct call *c);        /* POST .../{funnel_name}/delete: confirm */
void cohorts_page_handle(struct call *c);       /* GET /admin/cohorts */

/* ---- for their own parts ----------------------------------------------------------- */

/* The first row of activity_page_scope: the days of the page. False: the answer is made. */
MUST_CHECK bool behaviour_scope(struct call *c, struct rowset *scope, struct rowset *more,
                                const char *statement);

/* The question was refused: 422 and the sentence where it can be changed. What else went wrong is
 * a page of its own. */
void behaviour_refuse(struct call *c, struct errbuf *eb);

/* An answer as a file: CSV after its head. */
struct buf *behaviour_csv(struct call *c, const char *what, const struct rowset *scope);

/* A list of words of which one is in force, for links: value, label, is_on. Ends with NULL. */
struct tv *behaviour_choices(struct arena *m, const char *const (*words)[2], const char *now);

/* "1,234", "12.3 %", "2 h 5 min", "7 days": texts in the arena. */
const char *behaviour_number(struct arena *m, int64_t n);
const char *behaviour_percent(struct arena *m, const char *rate); /* NULL: a dash */
const char *behaviour_duration(struct arena *m, int64_t ms);      /* negative: NULL */
const char *behaviour_window(struct arena *m, int64_t s);

/* As a piece of an address, in the arena. */
const char *behaviour_url(struct arena *m, const char *text);

/* {"page": ["/pricing"]} as the text "page=/pricing", and back; "" is {}. False: it is no such
 * text. */
const char *behaviour_filters(struct arena *m, const char *json);
MUST_CHECK bool behaviour_filters_read(struct arena *m, const char *text, const char **json);

/* Instants (ISO 8601, or NULL) as the site's clock says them: "Fri 14 Nov, 09:05"; NULL of NULL,
 * and where the database is away. */
void behaviour_times(struct call *c, const char *const *iso, int n, const char **out);

/* Where somebody's own page is. */
const char *behaviour_person_link(struct arena *m, int64_t person_id);

/* An answer of a funnel into `more`: figures, chart and tables. */
void funnel_show(struct call *c, struct tv *more, const struct funnel_answer *a);
void funnel_csv(const struct call *c, const struct funnel_answer *a, bool groups, struct buf *out);

/* A table of cohorts into `more`; `today` is the business day. */
void cohorts_show(struct call *c, struct tv *more, const struct cohort_table *t, const char *today);
void cohorts_csv(const struct cohort_table *t, struct buf *out);

#endif
