/* mustache.h: Mustache templates, compiled once and rendered often.
 *
 * The mustache(5) language without lambdas and inheritance: variables,
 * sections, inverted sections, comments, partials, set delimiters, dotted
 * names, {{.}}. {{x}} escapes for HTML; {{{x}}} and {{&x}} do not.
 * A compiled template is not changed by rendering: threads may share it. */
#ifndef TAKINGS_WEB_MUSTACHE_H
#define TAKINGS_WEB_MUSTACHE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "web/tv.h"

enum {
	MUSTACHE_NESTING = 32,  /* deepest nesting of sections in one template */
	MUSTACHE_PARTIALS = 64, /* deepest chain of partials, which may recurse */
};

struct mustache;

/* The source of a partial, NULL if there is none. Borrowed until mustache_free. */
typedef const char *(*mustache_source)(void *arg, const char *name);

/* Compiles `text` and every partial it leads to, once each. A partial without
 * a source renders as nothing (mustache_check refuses it). `text` is borrowed
 * until mustache_free; `source` may be NULL. ERR_CONFIG names template and line. */
MUST_CHECK enum err mustache_compile(struct mustache **out, const char *name, const char *text,
                                     mustache_source source, void *arg, struct errbuf *eb);
void mustache_free(struct mustache *t);

/* Appends to `out`. What is true to a section says tv_is_true. `context` NULL
 * is an empty one. ERR_CONFIG if partials recurse deeper than
 * MUSTACHE_PARTIALS; `out` then ends where that happened. */
MUST_CHECK enum err mustache_render(const struct mustache *t, const struct tv *context,
                                    struct buf *out, struct errbuf *eb);

/* Whether a context will have `path`: a key at the top ("title"), a key of an
 * object or of the rows of a list ("items.name"). */
typedef bool (*mustache_known)(void *arg, const char *path);

/* Walks the template as rendering would and asks `known` for each name, from
 * the innermost section outwards, as lookup does: "name" inside {{#items}} is
 * "items.name" or else "name". ERR_CONFIG names template, line and name of the
 * first that no scope knows, or of a missing partial. With a `known` that
 * records and returns true it lists the names. */
MUST_CHECK enum err mustache_check(const struct mustache *t, mustache_known known, void *arg,
                                   struct errbuf *eb);

#endif
