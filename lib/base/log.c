/* log.c: one write(2) per line, so lines of several threads do not mix. */
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json_text.h"

enum { VALUE_BYTES = 1024 };

static const char *const level_names[] = {"DEBUG", "INFO", "WARNING", "ERROR"};
static const char *program_name = "takings";
static enum log_level min_level = LOG_INFO;

void log_init(const char *program, enum log_level min)
{
	program_name = program;
	min_level = min;
}

bool log_wanted(enum log_level level)
{
	return level >= min_level;
}

bool log_level_parse(const char *word, enum log_level *out)
{
	for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++)
		if (strcmp(word, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return true;
		}
	return false;
}

static void put_pair(struct buf *b, const char *key, const char *value)
{
	size_t n = strnlen(value, VALUE_BYTES);
	buf_putc(b, ',');
	json_text_put(b, key, strlen(key));
	buf_putc(b, ':');
	json_text_put(b, value, n);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
	if (level < min_level)
		return;
	struct buf b;
	char now[CLOCK_TEXT];
	buf_init(&b);
	clock_format_utc(clock_now_us(), now);
	buf_printf(&b, "{\"time\":\"%s\",\"level\":\"%s\"", now, level_names[level]);
	put_pair(&b, "program", program_name);
	put_pair(&b, "event", event);
	for (const struct log_field *f = fields; f->key; f++) {
		if (f->str) {
			put_pair(&b, f->key, f->str);
		} else {
			buf_putc(&b, ',');
			json_text_put(&b, f->key, strlen(f->key));
			buf_putc(&b, ':');
			buf_putint(&b, f->num);
		}
	}
	buf_puts(&b, "}\n");
	/* A full log disk must not stop the work: a short or failed write is dropped. */
	ssize_t n = write(STDERR_FILENO, b.data, b.len);
	(void)n;
	buf_fini(&b);
}

void log_err(const char *event, const struct errbuf *eb)
{
	if (eb->field[0])
		LOG(LOG_ERROR, event, LOG_STR("code", err_name(eb->code)), LOG_STR("field", eb->field),
		    LOG_STR("error", eb->text), LOG_END);
	else
		LOG(LOG_ERROR, event, LOG_STR("code", err_name(eb->code)), LOG_STR("error", eb->text),
		    LOG_END);
}
