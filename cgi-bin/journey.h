/* journey.h: what one person did, how much, and how likely a purchase is: GET
 * /user/{user_id}/journey, the page of a person, and that of the probability. Each look at a person
 * leaves a line in the audit. */
#ifndef TAKINGS_CGI_JOURNEY_H
#define TAKINGS_CGI_JOURNEY_H

#include "behaviour/conversion.h"
#include "behaviour/engagement.h"
#include "cgi-bin/call.h"
#include "db/rowset.h"

void journey_handle(struct call *c);      /* GET /user/{user_id}/journey */
void journey_page_handle(struct call *c); /* GET /admin/person/{person_id} */

/* ---- between journey.c and journey_view.c ----------------------------------------------- */

struct journey {
	struct rowset person;  /* one row: journey_person */
	struct rowset rows;    /* touchpoints; one row without an event where there are none */
	struct rowset touches; /* the first and the last visit with a source, or none */
	struct rowset counts, purchase;
	struct rowset model; /* no row: no table was there, or there is no cell */
	struct engagement engagement;
	struct engagement_part *parts; /* borrow from counts */
	size_t parts_n;
	bool has_cell; /* false: no event in the 30 days */
	struct conversion_cell cell;
};

void journey_fini(struct journey *j);

/* By the parameters as_of, cursor and limit of the call, and user_id with kind, or person_id. The
 * line in the audit is written. */
MUST_CHECK enum err journey_ask(struct call *c, struct journey *out, struct errbuf *eb);

/* Where the probability is not known: why; else NULL. */
const char *journey_unknown(const struct journey *j);

/* Why it is what it is: a sentence, NULL past the last one. In the arena. */
const char *journey_reason(struct arena *a, const struct journey *j, int i);

/* "2-3": business days since the last event. */
const char *journey_recency(int recency);

/* Goes on with older touchpoints; NULL: there are none. In the arena. */
const char *journey_cursor(struct arena *a, const struct journey *j);

/* No touchpoints. */
bool journey_is_empty(const struct journey *j);

#endif
