/* live_asked.h: figures as they happen, over HTTP. */
#ifndef TAKINGS_CGI_LIVE_ASKED_H
#define TAKINGS_CGI_LIVE_ASKED_H

#include "cgi-bin/call.h"

/* Handlers that come before the parts of their route. */
void live_range_handle(struct call *c);    /* of days whose hours are listed: not too many */
void live_realtime_handle(struct call *c); /* GET /metrics/realtime */
void live_personal_handle(struct call *c); /* GET /reconciliation */

#endif
