/* settle.h: figures that were made by other settings, a clock or a currency, are made anew; for
 * bookings.c and activity.c. */
#ifndef TAKINGS_STREAM_SETTLE_H
#define TAKINGS_STREAM_SETTLE_H

#include "db/db.h"
#include "stream/stream.h"

/* Names of statements. */
struct settling {
	const char *what;      /* "bookings": for the log, and as the connection is called */
	const char *lock_wait; /* whoever else changes the figures waits */
	const char *fits;      /* column fits: whether they were made by the parameters */
	const char *settle;    /* they are from now on */
	const char *rebuild;
};

/* Looks by `db`, and makes them anew where they do not fit, in one transaction of a connection of
 * its own that may wait: it takes its time. `params` of fits and settle. */
MUST_CHECK enum err settle(const struct settling *s, const struct conf *conf, struct db *db,
                           const struct db_param *params, struct errbuf *eb);

/* Whether a column of a statement's first row is true; false where there is none. */
MUST_CHECK enum err settle_ask(struct db *db, const char *statement, const char *name,
                               const struct db_param *params, bool *out, struct errbuf *eb);

#endif
