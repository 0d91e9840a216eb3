/* log.h: JSON lines on standard error, one per event.
 *
 *   LOG(LOG_INFO, "day_written", LOG_STR("date", d), LOG_INT("rows", n), LOG_END);
 *
 * Every line carries time (UTC, ms), level, program, event and the fields given.
 * Values are escaped and cut at 1 KiB. Never log a secret, a cookie or a body. */
#ifndef TAKINGS_BASE_LOG_H
#define TAKINGS_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

struct log_field {
	const char *key; /* NULL ends the list */
	const char *str; /* NULL: the number counts */
	int64_t num;
};

#define LOG_STR(k, v)                                                                              \
	{                                                                                              \
		.key = (k), .str = (v)                                                                     \
	}
#define LOG_INT(k, v)                                                                              \
	{                                                                                              \
		.key = (k), .num = (int64_t)(v)                                                            \
	}
#define LOG_END                                                                                    \
	{                                                                                              \
		.key = NULL                                                                                \
	}
#define LOG(level, event, ...) log_write((level), (event), (const struct log_field[]){__VA_ARGS__})

/* Before any thread starts. `program` is borrowed for the life of the process. */
void log_init(const char *program, enum log_level min);

void log_write(enum log_level level, const char *event, const struct log_field *fields);

/* Whether a line of this level is written at all, where making it is work. */
bool log_wanted(enum log_level level);

/* An error with its code, field and text, as one line. */
void log_err(const char *event, const struct errbuf *eb);

/* DEBUG, INFO, WARNING, ERROR; false for another word. */
bool log_level_parse(const char *word, enum log_level *out);

#endif
