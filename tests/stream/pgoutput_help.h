/* pgoutput_help.h: for tests: PostgreSQL's replication messages as they come over the wire. */
#ifndef TAKINGS_TESTS_PGOUTPUT_HELP_H
#define TAKINGS_TESTS_PGOUTPUT_HELP_H

#include <stdint.h>
#include <string.h>

#include "base/buf.h"

static inline void pg_uint(struct buf *b, uint64_t v, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--)
		buf_putc(b, (char)(v >> (i * 8)));
}

static inline void pg_string(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s) + 1);
}

/* `us` since 2000. */
static inline void pg_begin(struct buf *b, int64_t us)
{
	buf_clear(b);
	buf_putc(b, 'B');
	pg_uint(b, 100, 8);
	pg_uint(b, (uint64_t)us, 8);
	pg_uint(b, 7, 4);
}

static inline void pg_commit(struct buf *b, int64_t end_lsn)
{
	buf_clear(b);
	buf_putc(b, 'C');
	pg_uint(b, 0, 1);
	pg_uint(b, 99, 8);
	pg_uint(b, (uint64_t)end_lsn, 8);
	pg_uint(b, 0, 8);
}

/* Columns as "*id:20 status:25": a star marks the key, behind the colon is the type's oid. */
static inline void pg_relation(struct buf *b, uint32_t id, const char *table, char identity,
                               const char *columns)
{
	size_t n_at, n = 0;
	buf_clear(b);
	buf_putc(b, 'R');
	pg_uint(b, id, 4);
	pg_string(b, "public");
	pg_string(b, table);
	buf_putc(b, identity);
	n_at = b->len;
	pg_uint(b, 0, 2);
	while (*columns) {
		bool key = *columns == '*';
		const char *name = columns + key, *colon = strchr(name, ':');
		uint32_t oid = 0;
		for (columns = colon + 1; *columns && *columns != ' '; columns++)
			oid = oid * 10 + (uint32_t)(*columns - '0');
		columns += *columns == ' ';
		pg_uint(b, key, 1);
		buf_put(b, name, (size_t)(colon - name));
		buf_putc(b, '\0');
		pg_uint(b, oid, 4);
		pg_uint(b, UINT32_MAX, 4);
		n++;
	}
	b->data[n_at] = (char)(n >> 8);
	b->data[n_at + 1] = (char)n;
}

/* Values: NULL is NULL, "\1" was not sent. */
static inline void pg_tuple(struct buf *b, char kind, const char *const *values, size_t n)
{
	buf_putc(b, kind);
	pg_uint(b, n, 2);
	for (size_t i = 0; i < n; i++) {
		if (!values[i]) {
			buf_putc(b, 'n');
		} else if (strcmp(values[i], "\1") == 0) {
			buf_putc(b, 'u');
		} else {
			buf_putc(b, 't');
			pg_uint(b, strlen(values[i]), 4);
			buf_puts(b, values[i]);
		}
	}
}

/* 'I', 'U' or 'D' of a relation; the tuples follow. */
static inline void pg_row(struct buf *b, char op, uint32_t id)
{
	buf_clear(b);
	buf_putc(b, op);
	pg_uint(b, id, 4);
}

#endif
