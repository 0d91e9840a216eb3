/* scan.h: questions that go through everybody's sequences (lib/domain/sequence_scan.h), for
 * handlers.
 *
 * One at a time in a process: others wait in order of arrival, and give up at once when their
 * client goes away. A question has at most two connections of the pool, never more than half, all
 * in one snapshot. */
#ifndef TAKINGS_CGI_SCAN_H
#define TAKINGS_CGI_SCAN_H

#include "base/buf.h"
#include "cgi-bin/call.h"
#include "domain/sequence_scan.h"

enum { SCAN_CONNECTIONS = 2, SCAN_ZONE_BYTES = 64 };

/* The site, as the snapshot has it. Days are business dates, days since 1970-01-01. */
struct scan_site {
	char zone[SCAN_ZONE_BYTES]; /* business days begin at this hour of its clock */
	int cutoff;
	int32_t today;
	int64_t as_of_us;       /* now; microseconds since 1970 */
	int32_t sequenced_from; /* days before it have no sequences yet; INT32_MIN: all have; INT32_MAX:
	                           none has */
	int64_t session_timeout_s;
	char currency[4]; /* of amounts */
};

struct scan_open {
	struct db *dbs[SCAN_CONNECTIONS]; /* each in a transaction that only reads */
	int dbs_n;
	struct scan_site site;
	bool has_turn;
	int64_t begun_us; /* monotonic */
};

/* Waits for a turn, takes the connections and looks at the site. Whatever comes back, scan_end
 * follows. The errors of pool_take and db_query_all; ERR_NOT_FOUND where nothing is known of
 * activity yet; ERR_BUSY where too many wait. */
MUST_CHECK enum err scan_begin(struct call *c, struct scan_open *o, struct errbuf *eb);

/* Statements in the snapshot, as of db_query_all, within the time of the call. */
MUST_CHECK enum err scan_ask(struct call *c, struct scan_open *o, const struct db_ask *asks, int n,
                             struct errbuf *eb);

/* scan_run by all connections, of at most o->dbs_n workers, in threads of its own, which give way
 * to others; can be called again. */
MUST_CHECK enum err scan_call(struct call *c, struct scan_open *o, const struct scan *s,
                              struct errbuf *eb);

/* Gives everything back: soon, as others wait. Harmless the second time. */
void scan_end(struct call *c, struct scan_open *o);

/* Their numbers in the text format of Prometheus. */
void scan_print(struct buf *out);

#endif
