/* buf.h: a growing run of bytes, always followed by a NUL that is not counted.
 * Out of memory ends the process, so writing never fails. */
#ifndef TAKINGS_BASE_BUF_H
#define TAKINGS_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct buf {
	char *data; /* NULL until the first byte; owned */
	size_t len; /* bytes written, without the NUL */
	size_t cap;
};

void buf_init(struct buf *b);
void buf_fini(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory */

void buf_put(struct buf *b, const void *bytes, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_putint(struct buf *b, int64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The content as a C string; "" when empty. Borrowed, valid until the next write. */
const char *buf_str(const struct buf *b);

#endif
