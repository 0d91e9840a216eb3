/* series_file.h: many regular series out of one CSV file, one after the other.
 *
 * Columns: y, with t (a whole number) or ds (YYYY-MM-DD[ HH:MM[:SS]], the wall clock, which then
 * gives the calendar), and id where there is more than one series. The rows of a series stand
 * together, in order of time. y that is empty, NA, NaN or null is unknown.
 *
 * The step is the most frequent difference between rows. What is missing between two rows is
 * unknown, but where most weeks of the series have no row at that place of the week: there it is 0.
 * A wall clock that was put back shows an hour twice: such an hour is the mean of both. */
#ifndef TAKINGS_BATCH_SERIES_FILE_H
#define TAKINGS_BATCH_SERIES_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

enum { SERIES_POINTS = 1000 * 1000, SERIES_ID_BYTES = 255 };

struct series {
	const char *id; /* "" in a file without ids */
	double *y;      /* n of them; NAN: unknown */
	const char **t; /* ds or t as it stands in the file, of each step; NULL: it has no row */
	size_t n;
	int32_t step_s;  /* of a calendar; 0: none */
	int64_t start_s; /* wall clock of y[0] since 1970-01-01 */
};

struct series_file;

/* `path` is borrowed; "-" is standard input. */
MUST_CHECK enum err series_file_open(struct series_file **out, const char *path, struct errbuf *eb);
void series_file_close(struct series_file *f); /* NULL is fine */

/* Whether there is a calendar. */
bool series_file_dated(const struct series_file *f);

/* The next series, in the arena's memory; *more is false, and *out untouched, after the last one.
 * ERR_MALFORMED with line and column, ERR_IO, ERR_INTERRUPTED. */
MUST_CHECK enum err series_file_next(struct series_file *f, struct arena *arena, struct series *out,
                                     bool *more, struct errbuf *eb);

/* Bytes read so far, and of the whole file; 0: nobody knows. */
int64_t series_file_read(const struct series_file *f);
int64_t series_file_size(const struct series_file *f);

/* ds in seconds since 1970-01-01; false for what is none. */
bool series_time_parse(const char *text, int64_t *out);

#endif
