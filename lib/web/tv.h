/* tv.h: template values, the context a template is rendered against.
 *
 * A tree of texts, truths, lists and objects in an arena, built once and then
 * only read. Values may be shared between several places. */
#ifndef TAKINGS_WEB_TV_H
#define TAKINGS_WEB_TV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

enum tv_kind { TV_ABSENT, TV_BOOL, TV_TEXT, TV_LIST, TV_OBJECT };

struct tv_pair {
	const char *key;
	const struct tv *value;
};

struct tv {
	enum tv_kind kind;
	bool truth;       /* TV_BOOL */
	const char *text; /* TV_TEXT: n bytes */
	size_t n;         /* bytes, items or pairs */
	size_t cap;
	union {
		const struct tv **items; /* TV_LIST */
		struct tv_pair *pairs;   /* TV_OBJECT */
	};
};

struct tv *tv_object(struct arena *a);
struct tv *tv_list(struct arena *a);
struct tv *tv_bool(struct arena *a, bool v);        /* renders as true or false */
struct tv *tv_int(struct arena *a, int64_t v);      /* a text */
struct tv *tv_text(struct arena *a, const char *s); /* copied; NULL: absent */
struct tv *tv_text_n(struct arena *a, const char *s, size_t n);
struct tv *tv_borrow(struct arena *a, const char *s); /* not copied: outlives the rendering */

/* A key set again gets the new value. `value` NULL: absent, which also hides
 * the same key of an outer object. `key` is borrowed for the life of the arena. */
void tv_set(struct arena *a, struct tv *object, const char *key, const struct tv *value);
void tv_set_text(struct arena *a, struct tv *object, const char *key, const char *s);
void tv_set_int(struct arena *a, struct tv *object, const char *key, int64_t v);
void tv_set_bool(struct arena *a, struct tv *object, const char *key, bool v);

/* `value` NULL: absent. */
void tv_push(struct arena *a, struct tv *list, const struct tv *value);

/* The value of a key, maybe an absent one; NULL if `v` is no object or has no such key. */
const struct tv *tv_find(const struct tv *v, const char *key);

/* Absent, false, the empty text and the empty list are false. The text "0" is
 * true, an empty object too. NULL is false. */
bool tv_is_true(const struct tv *v);

#endif
