/* statement.h: the closed set of SQL statements, read from the files in sql/queries.
 *
 * A file holds statements under lines `-- name: items_top`; the comment lines
 * that follow say what it answers. Values are written :from, :limit and become
 * $1, $2 in order of first appearance; nothing else is ever put into the text. */
#ifndef TAKINGS_DB_STATEMENT_H
#define TAKINGS_DB_STATEMENT_H

#include "base/err.h"

enum { STATEMENT_PARAMS = 24 };

struct statement {
	const char *name;
	const char *sql; /* with $n */
	int params_n;
	const char *params[STATEMENT_PARAMS]; /* names in the order of $1.. */
	int index;                            /* 0.. in the set; stable within a process */
};

/* Parses every embedded query file; once, before any thread starts. A malformed
 * file is a bug of ours and stops the process. */
void statement_load_all(void);

/* NULL if there is none. */
const struct statement *statement_find(const char *name);

/* By index; NULL past the last one. */
const struct statement *statement_get(int i);
int statement_count(void);

#endif
