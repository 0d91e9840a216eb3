/* bookings.h: figures of events and bookings over HTTP. */
#ifndef TAKINGS_CGI_BOOKINGS_H
#define TAKINGS_CGI_BOOKINGS_H

#include <stdbool.h>

struct call;
struct conf;
struct identity;

/* Before the parts of a route about bookings: what the settings say of weeks, and where a list goes
 * on. A cursor is base64url of "SORT:ID" or "SORT:ID:KEY", as booking_page of analytics_db makes
 * it, and refused where it is none of that order. */
void bookings_handle(struct call *c);

/* Before the parts of /admin/bookings. */
void bookings_page_handle(struct call *c);

/* Whether figures of bookings are shown to them: BOOKINGS_ROLE. */
bool bookings_are_for(const struct identity *who, const struct conf *conf);

#endif
