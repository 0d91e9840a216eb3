/* buf.c: doubling growth, nothing else. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

/* What is usually printed at once; more is printed a second time. */
enum { PRINTF_BYTES = 128 };

void buf_init(struct buf *b)
{
	*b = (struct buf){0};
}

void buf_fini(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

static void grow(struct buf *b, size_t more)
{
	must(more < SIZE_MAX / 4 && b->len < SIZE_MAX / 4);
	size_t want = b->len + more + 1;
	size_t cap = b->cap ? b->cap : 256;
	while (cap < want)
		cap *= 2;
	b->data = mem_realloc(b->data, cap);
	b->cap = cap;
}

/* Room for `more` bytes and a NUL. */
static inline void reserve(struct buf *b, size_t more)
{
	if (b->cap - b->len <= more)
		grow(b, more);
}

void buf_put(struct buf *b, const void *bytes, size_t n)
{
	reserve(b, n);
	if (n)
		memcpy(b->data + b->len, bytes, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
	reserve(b, 1);
	b->data[b->len++] = c;
	b->data[b->len] = '\0';
}

void buf_putint(struct buf *b, int64_t v)
{
	char text[20];
	char *p = text + sizeof text;
	uint64_t n = v < 0 ? -(uint64_t)v : (uint64_t)v;
	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	if (v < 0)
		*--p = '-';
	buf_put(b, p, (size_t)(text + sizeof text - p));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	reserve(b, PRINTF_BYTES);
	int n = vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
	va_end(ap);
	must(n >= 0);
	if ((size_t)n >= b->cap - b->len) {
		reserve(b, (size_t)n);
		(void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	b->len += (size_t)n;
}

const char *buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}
