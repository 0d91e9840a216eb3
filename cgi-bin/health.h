/* health.h: whether everything works, and what does not, in words. */
#ifndef TAKINGS_CGI_HEALTH_H
#define TAKINGS_CGI_HEALTH_H

#include "cgi-bin/call.h"
#include "db/rowset.h"

enum health_state { HEALTH_OK, HEALTH_DISABLED, HEALTH_DEGRADED, HEALTH_DOWN };

enum { HEALTH_CHECKS = 6 };

struct health_check {
	const char *name; /* analytics_db, order_db, batch, ... */
	enum health_state state;
	const char *detail; /* what is wrong; NULL: nothing to say */
};

struct health {
	struct health_check checks[HEALTH_CHECKS];
	enum health_state worst; /* parts that are not switched on do not count */
};

const char *health_state_name(enum health_state state);

/* Always fills `out`; the error is the one of analytics_db, with `rs` then empty. Else `rs` is
 * the row of health_state, for the caller to free. Waits for a connection for a second at most. */
MUST_CHECK enum err health_look(struct web *w, struct health *out, struct rowset *rs,
                                struct errbuf *eb);

#endif
