/* live_metrics.h: what /metrics/orders and its like, and /reconciliation, have before their
 * statements are asked: parameters that come from who asks and from the settings. */
#ifndef TAKINGS_CGI_LIVE_METRICS_H
#define TAKINGS_CGI_LIVE_METRICS_H

#include "cgi-bin/call.h"

/* Handlers that come before the parts of their route. */
void live_range_handle(struct call *c);    /* from and to: refused where they are too many days */
void live_realtime_handle(struct call *c); /* GET /metrics/realtime */
void live_personal_handle(struct call *c); /* GET /reconciliation */

#endif
