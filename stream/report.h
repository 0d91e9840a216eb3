/* report.h: five reports of one moment, out of the live tables. docs/REPORTS.md describes them. */
#ifndef TAKINGS_STREAM_REPORT_H
#define TAKINGS_STREAM_REPORT_H

#include <stdbool.h>

#include "base/conf.h"
#include "db/db.h"

enum { REPORT_STAMP = 24 }; /* bytes of "20250115_103000_001" with room */

/* Makes them in one transaction, over one snapshot, and puts them into report_outbox. ERR_NOTHING:
 * no figure changed since they were made last (and FLUSH_EMPTY is not set), or there are none yet.
 */
MUST_CHECK enum err report_make(struct db *db, const struct conf *conf, char stamp[REPORT_STAMP],
                                struct errbuf *eb);

#endif
