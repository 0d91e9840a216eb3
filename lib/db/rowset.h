/* rowset.h: the rows one statement answered, as text with types.
 *
 * Whoever got a rowset calls rowset_fini; values are borrowed until then. */
#ifndef TAKINGS_DB_ROWSET_H
#define TAKINGS_DB_ROWSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a column holds, as far as a writer must know to print it. */
enum rowset_type { ROWSET_TEXT, ROWSET_NUMBER, ROWSET_BOOL, ROWSET_JSON, ROWSET_DATE, ROWSET_TIME };

struct rowset {
	void *result; /* PGresult; NULL when empty */
};

void rowset_fini(struct rowset *rs);

/* What it takes of memory; it lives on when its connection is closed. */
size_t rowset_bytes(const struct rowset *rs);

int rowset_rows(const struct rowset *rs);
int rowset_cols(const struct rowset *rs);

/* Rows touched by an INSERT, UPDATE or DELETE. */
int64_t rowset_affected(const struct rowset *rs);

const char *rowset_name(const struct rowset *rs, int col);
enum rowset_type rowset_kind(const struct rowset *rs, int col);

/* NULL for SQL NULL. */
const char *rowset_text(const struct rowset *rs, int row, int col);

/* By column name; the name must exist (a bug of ours otherwise). */
const char *rowset_get(const struct rowset *rs, int row, const char *name);

/* The same as a whole number; 0 for NULL. */
int64_t rowset_int(const struct rowset *rs, int row, const char *name);

/* ---- of a binary answer (db_limits.binary), where the functions above that give text are a bug of
 * ours, as these are of any other ---- */

/* The bytes of a bytea; NULL, and *n 0, for SQL NULL. */
const unsigned char *rowset_blob(const struct rowset *rs, int row, int col, size_t *n);

/* A smallint, integer or bigint; 0 for NULL. */
int64_t rowset_number(const struct rowset *rs, int row, int col);

#endif
