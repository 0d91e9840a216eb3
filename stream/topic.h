/* topic.h: how the messages of a topic are to be read, by the settings; the same for a source and
 * for a message that is read again. */
#ifndef TAKINGS_STREAM_TOPIC_H
#define TAKINGS_STREAM_TOPIC_H

#include <stddef.h>

#include "base/conf.h"
#include "stream/row.h"

enum { TOPIC_TABLE_BYTES = 250 };

/* The table a topic's rows are of: as KAFKA_TOPIC_TABLES says, else the last word of its name.
 * One that is too long for a table is cut. */
void topic_table(const struct conf *conf, const char *topic, char out[TOPIC_TABLE_BYTES]);

/* Of values nobody says the unit of. */
struct row_units topic_units(const struct conf *conf);

#endif
