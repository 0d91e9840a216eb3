/* metrics.h: GET /metrics. */
#ifndef TAKINGS_CGI_METRICS_H
#define TAKINGS_CGI_METRICS_H

#include "cgi-bin/call.h"

/* ERR_CONFIG where METRICS_ALLOW holds what is no address. */
MUST_CHECK enum err metrics_conf_check(const struct conf *conf, struct errbuf *eb);

/* Who may read them: callers on this machine, but for what a proxy here passes on for
 * others; addresses of METRICS_ALLOW; users, and keys that may read. The last two are
 * looked up only where the address does not decide: an answer of false may be an error of
 * the pool, in `eb`, or a caller who showed nothing that counts (c->who.kind is NONE). */
bool metrics_allowed(struct call *c, struct errbuf *eb);

#endif
