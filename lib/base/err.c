/* err.c: error buffers and the one assertion. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "base/json_text.h"

static const char *const names[] = {
	[ERR_OK] = "ok",
	[ERR_INVALID] = "invalid",
	[ERR_MALFORMED] = "malformed",
	[ERR_NOT_FOUND] = "not_found",
	[ERR_CONFIG] = "config",
	[ERR_DB] = "db",
	[ERR_DB_DOWN] = "db_down",
	[ERR_TIMEOUT] = "timeout",
	[ERR_BUSY] = "busy",
	[ERR_LOCKED] = "locked",
	[ERR_NOTHING] = "nothing",
	[ERR_INTERRUPTED] = "interrupted",
	[ERR_IO] = "io",
};

/* What was cut off within a character, or came from elsewhere, is UTF-8 all the same. */
static void make_utf8(char *text)
{
	size_t n = strlen(text), k;
	for (; n > 0; text += k, n -= k) {
		k = utf8_char_len(text, n);
		if (k == 0) {
			*text = '?';
			k = 1;
		}
	}
}

static enum err PRINTF_LIKE(4, 0)
	set_va(struct errbuf *eb, enum err code, const char *field, const char *fmt, va_list ap)
{
	if (!eb)
		return code;
	if (eb->code != ERR_OK)
		return eb->code;
	eb->code = code;
	(void)snprintf(eb->field, sizeof eb->field, "%s", field);
	(void)vsnprintf(eb->text, sizeof eb->text, fmt, ap);
	make_utf8(eb->field);
	make_utf8(eb->text);
	return code;
}

enum err err_set(struct errbuf *eb, enum err code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	enum err rc = set_va(eb, code, "", fmt, ap);
	va_end(ap);
	return rc;
}

enum err err_set_field(struct errbuf *eb, enum err code, const char *field, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	enum err rc = set_va(eb, code, field, fmt, ap);
	va_end(ap);
	return rc;
}

void err_clear(struct errbuf *eb)
{
	*eb = (struct errbuf){.code = ERR_OK};
}

const char *err_name(enum err code)
{
	return names[code];
}

void must_failed(const char *cond, const char *file, int line)
{
	char text[256];
	(void)snprintf(text, sizeof text, "%s:%d: %s", file, line, cond);
	if (!crash_bug(text))
		(void)fprintf(stderr, "takings: bug at %s\n", text);
	abort();
}
