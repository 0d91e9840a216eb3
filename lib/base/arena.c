/* arena.c: a chain of blocks, filled from the front. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Under AddressSanitizer only what was asked for may be touched: not what lies between two pieces,
 * and nothing after arena_reset. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, n) ((void)(at), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(at, n) ((void)(at), (void)(n))
#endif

enum {
	BLOCK_BYTES = 64 * 1024,
	PRINTF_BYTES = 128, /* what is usually printed at once; more is printed a second time */
};

struct arena_block {
	struct arena_block *next; /* older block */
	size_t used, cap;
	alignas(max_align_t) unsigned char data[];
};

static _Noreturn void out_of_memory(size_t n)
{
	(void)fprintf(stderr, "takings: out of memory for %zu bytes\n", n);
	abort();
}

void *mem_alloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);
	if (!p)
		out_of_memory(n);
	return p;
}

void *mem_realloc(void *p, size_t n)
{
	void *q = realloc(p, n ? n : 1);
	if (!q)
		out_of_memory(n);
	return q;
}

char *mem_strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = mem_alloc(n);
	memcpy(p, s, n);
	return p;
}

void arena_init(struct arena *a)
{
	a->head = NULL;
}

void arena_fini(struct arena *a)
{
	while (a->head) {
		struct arena_block *next = a->head->next;
		free(a->head);
		a->head = next;
	}
}

void arena_reset(struct arena *a)
{
	/* The oldest: a newer one would lie above all that is freed, and keep malloc from giving it
	 * back. */
	while (a->head && (a->head->next || a->head->cap != BLOCK_BYTES)) {
		struct arena_block *next = a->head->next;
		free(a->head);
		a->head = next;
	}
	if (a->head) {
		a->head->used = 0;
		ASAN_POISON_MEMORY_REGION(a->head->data, a->head->cap);
	}
}

static struct arena_block *block_new(size_t cap, struct arena_block *next)
{
	struct arena_block *b = malloc(sizeof *b + cap);
	if (!b)
		out_of_memory(cap);
	b->next = next;
	b->used = 0;
	b->cap = cap;
	ASAN_POISON_MEMORY_REGION(b->data, cap);
	return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
	const size_t align = alignof(max_align_t);
	if (n > SIZE_MAX / 2)
		out_of_memory(n);
	size_t room = (n + align - 1) / align * align;
	if (!a->head || a->head->cap - a->head->used < room)
		a->head = block_new(room > BLOCK_BYTES ? room : BLOCK_BYTES, a->head);
	void *p = a->head->data + a->head->used;
	a->head->used += room;
	ASAN_UNPOISON_MEMORY_REGION(p, n);
	memset(p, 0, n);
	return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t n;
	if (__builtin_mul_overflow(count, size, &n))
		out_of_memory(SIZE_MAX);
	return arena_alloc(a, n);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = arena_alloc(a, n + 1);
	memcpy(p, s, n);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	char text[PRINTF_BYTES];
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	must(n >= 0);
	char *p = arena_alloc(a, (size_t)n + 1);
	if ((size_t)n < sizeof text)
		memcpy(p, text, (size_t)n + 1);
	else
		(void)vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}
