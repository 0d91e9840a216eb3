/* stats.h: what takings-web counts about itself: atomics in the process, no locks, no rows.
 * metrics.c prints them; who restarts the program starts from nought, as Prometheus expects.
 *
 * The series are bounded: routes and statements are those of the tables, statuses and
 * methods of fixed lists, event types the built-in ones and "other". */
#ifndef TAKINGS_CGI_STATS_H
#define TAKINGS_CGI_STATS_H

#include "base/buf.h"
#include "cgi-bin/call.h"

/* After statement_load_all, before any thread starts. */
void stats_init(void);
void stats_fini(void);

/* ---- a request, called by the gate --------------------------------------- */

/* Before anything else: from here on a crash names the request. */
void stats_call_begin(const struct call *c);

/* When the reply is complete: counts it, gives it its Server-Timing header, and logs it:
 * a warning if it took over a second, else a line for LOG_LEVEL=DEBUG. */
void stats_call_end(struct call *c);

/* ---- call points --------------------------------------------------------- */

/* Wrong password, token or key. */
void stats_auth_failed(void);

/* Events taken in; a type that is not built in counts as "other". */
void stats_events(const char *type, int64_t n);

/* Messages of POST /api/v1/ingest; `refused` are all of a request that was refused. */
void stats_ingest(int64_t accepted, int64_t duplicates, int64_t refused);

/* ---- reading ------------------------------------------------------------- */

/* All of it in the text format of Prometheus, family by family. */
void stats_print(struct buf *out);

#endif
