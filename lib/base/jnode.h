/* jnode.h: JSON as a tree in an arena, in one pass: numbers keep the digits they were written with,
 * which a parser into doubles cannot do, and nothing is freed one by one. */
#ifndef TAKINGS_BASE_JNODE_H
#define TAKINGS_BASE_JNODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

enum jnode_kind {
	JNODE_NULL,
	JNODE_FALSE,
	JNODE_TRUE,
	JNODE_NUMBER,
	JNODE_STRING,
	JNODE_ARRAY,
	JNODE_OBJECT
};

struct jnode {
	enum jnode_kind kind;
	bool whole; /* of a number: neither point nor exponent */
	uint32_t n; /* bytes of the text, or children */
	uint32_t name_n;
	const char *name; /* of a member of an object; else NULL */
	const char *text; /* of a string what it means, of a number its literal; UTF-8 without NUL */
	const struct jnode *first, *next; /* first child; next sibling */
	const char *raw; /* of an array or object the bytes it was read from, in what was parsed */
	uint32_t raw_n;
};

/* RFC 8259, with nothing behind the value. A name twice in one object, U+0000, broken UTF-8 and
 * single surrogates are refused. `depth` bounds nested arrays and objects; what stands under the
 * outermost member `but` (NULL: none) may have 64 levels. Not longer than 2^31 bytes.
 * ERR_MALFORMED: no JSON; ERR_INVALID: too deep. */
MUST_CHECK enum err jnode_parse(struct arena *a, const char *bytes, size_t n, int depth,
                                const char *but, const struct jnode **out, struct errbuf *eb);

/* A member; NULL where there is none or `object` is no object, or NULL. */
const struct jnode *jnode_get(const struct jnode *object, const char *name);

/* What a member or any value is; false for NULL. */
bool jnode_is(const struct jnode *v, enum jnode_kind kind);

/* The text of a string; NULL of anything else. */
const char *jnode_string(const struct jnode *v);
const char *jnode_string_at(const struct jnode *object, const char *name);

/* A whole number, also where it is written as a string; false: neither, or beyond int64. */
bool jnode_int(const struct jnode *v, int64_t *out);

#endif
