/* arena.h: memory with the lifetime of a request or a run.
 *
 * Nothing taken from an arena is freed by itself; all goes at arena_reset or
 * arena_fini. Out of memory ends the process (see docs/HACKING.md), so no
 * call here returns NULL. Not shared between threads. */
#ifndef TAKINGS_BASE_ARENA_H
#define TAKINGS_BASE_ARENA_H

#include <stddef.h>

#include "base/err.h"

struct arena_block;
struct arena {
	struct arena_block *head; /* the block being filled; NULL when empty */
};

void arena_init(struct arena *a);
void arena_fini(struct arena *a);

/* Gives everything back but one block, which the next request reuses. */
void arena_reset(struct arena *a);

/* `n` zeroed bytes, aligned for any type. */
void *arena_alloc(struct arena *a, size_t n);

/* `count` zeroed elements of `size` bytes; the product is checked. */
void *arena_array(struct arena *a, size_t count, size_t size);

char *arena_strdup(struct arena *a, const char *s);

/* A NUL-terminated copy of `n` bytes. */
char *arena_strndup(struct arena *a, const char *s, size_t n);

char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The process-lifetime twins of malloc and realloc: never NULL. */
void *mem_alloc(size_t n);
void *mem_realloc(void *p, size_t n);
char *mem_strdup(const char *s);

#endif
