/* topic.c: see topic.h. */
#include "stream/topic.h"

#include <stdio.h>
#include <string.h>

/* The table in "TOPIC=TABLE, ..." behind this topic, and its length; NULL where it is not named. */
static const char *named_table(const char *list, const char *topic, size_t *n)
{
	size_t topic_n = strlen(topic);
	while (*list) {
		list += strspn(list, " ,");
		size_t len = strcspn(list, ",");
		if (len > topic_n && list[topic_n] == '=' && strncmp(list, topic, topic_n) == 0) {
			*n = len - topic_n - 1;
			while (*n > 0 && list[topic_n + *n] == ' ')
				(*n)--;
			return list + topic_n + 1;
		}
		list += len;
	}
	return NULL;
}

void topic_table(const struct conf *conf, const char *topic, char out[TOPIC_TABLE_BYTES])
{
	size_t n = 0;
	const char *dot = strrchr(topic, '.');
	const char *table = named_table(conf_str(conf, CONF_KAFKA_TOPIC_TABLES), topic, &n);
	if (table)
		(void)snprintf(out, TOPIC_TABLE_BYTES, "%.*s", (int)n, table);
	else
		(void)snprintf(out, TOPIC_TABLE_BYTES, "%s", dot ? dot + 1 : topic);
}

struct row_units topic_units(const struct conf *conf)
{
	return (struct row_units){.time = *conf_str(conf, CONF_CDC_TIME_UNIT),
	                          .scale = (int)conf_int(conf, CONF_CDC_DECIMAL_SCALE),
	                          .floats = conf_bool(conf, CONF_CDC_FLOAT_MONEY)};
}
