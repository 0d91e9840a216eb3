/* csv_file.h: a CSV file read record by record (RFC 4180), in little memory.
 *
 * The first record names the columns; names are compared without regard to case. A byte order
 * mark, CR LF and empty lines are taken as they come. Whatever is wrong is said with the line. */
#ifndef TAKINGS_BATCH_CSV_FILE_H
#define TAKINGS_BATCH_CSV_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { CSV_RECORD_BYTES = 64 * 1024, CSV_COLUMNS = 256 };

struct csv_file;

/* `path` is borrowed; "-" is standard input. ERR_IO, or ERR_MALFORMED where there is no header. */
MUST_CHECK enum err csv_file_open(struct csv_file **out, const char *path, struct errbuf *eb);
void csv_file_close(struct csv_file *c); /* NULL is fine */

/* The column of that name; -1 where there is none. ERR_INVALID where there are two. */
MUST_CHECK enum err csv_file_column(const struct csv_file *c, const char *name, int *out,
                                    struct errbuf *eb);

/* The next record; *more is false after the last one. ERR_MALFORMED: quotes, length, a count of
 * columns other than the header's; ERR_IO; ERR_INTERRUPTED. */
MUST_CHECK enum err csv_file_next(struct csv_file *c, bool *more, struct errbuf *eb);

/* A field of the record without the spaces around it, borrowed until the next one. "" for -1. */
const char *csv_file_field(const struct csv_file *c, int column);

/* The line the record begins in, from 1. */
uint64_t csv_file_line(const struct csv_file *c);

/* Bytes read so far, and of the whole file; 0: nobody knows. */
int64_t csv_file_read(const struct csv_file *c);
int64_t csv_file_size(const struct csv_file *c);

/* ERR_MALFORMED with "FILE, line N, column NAME: ...". */
enum err csv_file_refuse(const struct csv_file *c, uint64_t line, const char *column,
                         struct errbuf *eb, const char *fmt, ...) PRINTF_LIKE(5, 6);

#endif
