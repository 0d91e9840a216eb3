/* file.h: small files, whole or not at all. */
#ifndef TAKINGS_BASE_FILE_H
#define TAKINGS_BASE_FILE_H

#include "base/buf.h"

/* Appends the content of a regular file of at most `limit` bytes. ERR_CONFIG with "cannot read
 * PATH: why"; a pipe, which would be waited for, is no file here. */
MUST_CHECK enum err file_read(const char *path, size_t limit, struct buf *out, struct errbuf *eb);

/* Writes a file so that its name never stands for half of it, not even after a crash: under another
 * name in the same directory, flushed to the disk, and renamed. Directories that are missing are
 * made (0755; the file is 0644). ERR_IO with "cannot write PATH: why". */
MUST_CHECK enum err file_write(const char *path, const void *bytes, size_t n, struct errbuf *eb);

#endif
