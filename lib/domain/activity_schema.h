/* activity_schema.h: what properties of a type of event must look like: a part of JSON Schema
 * (2020-12).
 *
 * Known are type, required, properties, additionalProperties, enum (of texts, numbers, true, false
 * and null), minimum, maximum and maxLength, and what only describes: $schema, $id, $comment,
 * title, description, default, examples. Whoever writes another one gets it refused by name: it
 * would not be looked at. */
#ifndef TAKINGS_DOMAIN_ACTIVITY_SCHEMA_H
#define TAKINGS_DOMAIN_ACTIVITY_SCHEMA_H

#include "base/arena.h"

enum { ACTIVITY_SCHEMA_BYTES = 64 * 1024 };

struct activity_schema;

/* It lives in the arena; not changed by checking, so that threads may share it. ERR_INVALID
 * (ERR_MALFORMED: no JSON): eb->field names the keyword, "schema.properties.price.pattern". */
MUST_CHECK enum err activity_schema_parse(struct arena *a, const char *text,
                                          const struct activity_schema **out, struct errbuf *eb);

/* `properties` as of struct activity_event; `a` is for the time of the call. ERR_INVALID: eb->field
 * names what does not fit, "properties.price". */
MUST_CHECK enum err activity_schema_check(struct arena *a, const struct activity_schema *schema,
                                          const char *properties, struct errbuf *eb);

#endif
