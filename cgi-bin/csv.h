/* csv.h: rows of the database for a spreadsheet (RFC 4180, UTF-8).
 *
 * Numbers print as they are, truths as true and false, dates are ISO 8601, NULL is empty. A text
 * that a spreadsheet would take for a formula gets an apostrophe before it. */
#ifndef TAKINGS_CGI_CSV_H
#define TAKINGS_CGI_CSV_H

#include "base/buf.h"
#include "db/rowset.h"

#define CSV_TYPE "text/csv; charset=utf-8; header=present"

/* A line with the names, then one a row. `columns`: these, separated by spaces; the rowset has
 * each of them. */
void csv_write(const struct rowset *rs, const char *columns, struct buf *out);

#endif
