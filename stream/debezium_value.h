/* debezium_value.h: one value of a row, by its schema in Kafka Connect's words. */
#ifndef TAKINGS_STREAM_DEBEZIUM_VALUE_H
#define TAKINGS_STREAM_DEBEZIUM_VALUE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/jnode.h"
#include "stream/row.h"

/* `schema` is NULL where the message has none; `name` is the column's and is not copied.
 * ERR_INVALID: the value is not what its schema says. */
MUST_CHECK enum err debezium_value(struct arena *a, const struct jnode *schema, const char *name,
                                   const struct jnode *v, struct row_value *out, struct errbuf *eb);

/* The schema of a field of a struct's schema; NULL: none. *next is where it probably stands, and
 * afterwards where the one behind it does. */
const struct jnode *debezium_field(const struct jnode *schema, const char *name,
                                   const struct jnode **next);

#endif
