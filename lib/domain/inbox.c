/* inbox.c: rows are kept as the elements of the arrays they are written as. */
#include "domain/inbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json_text.h"
#include "domain/booking_message.h"

enum { RAW_BYTES = 1024 * 1024, POSITION_BYTES = 1000 };

enum column { TYPES, EVENTS, DATA, RAWS, KEYS, SOURCES, POSITIONS, ERRORS, FIELDS, COLUMNS };

struct inbox {
	struct buf columns[COLUMNS]; /* "{a,b,c": an array without its end */
	struct arena scratch;        /* of the message that is being put */
	int n;
};

struct inbox *inbox_new(void)
{
	struct inbox *in = mem_alloc(sizeof *in);
	*in = (struct inbox){0};
	arena_init(&in->scratch);
	return in;
}

void inbox_free(struct inbox *in)
{
	if (!in)
		return;
	for (int i = 0; i < COLUMNS; i++)
		buf_fini(&in->columns[i]);
	arena_fini(&in->scratch);
	free(in);
}

void inbox_clear(struct inbox *in)
{
	for (int i = 0; i < COLUMNS; i++)
		buf_clear(&in->columns[i]);
	in->n = 0;
}

int inbox_n(const struct inbox *in)
{
	return in->n;
}

size_t inbox_bytes(const struct inbox *in)
{
	size_t bytes = 0;
	for (int i = 0; i < COLUMNS; i++)
		bytes += in->columns[i].len;
	return bytes;
}

/* ---- elements of arrays ---------------------------------------------------------- */

static struct buf *begin_element(struct inbox *in, enum column c)
{
	struct buf *b = &in->columns[c];
	buf_putc(b, in->n ? ',' : '{');
	return b;
}

/* NULL is NULL. */
static void put_text(struct inbox *in, enum column c, const char *text, size_t n)
{
	struct buf *b = begin_element(in, c);
	if (!text) {
		buf_puts(b, "NULL");
		return;
	}
	buf_putc(b, '"');
	for (size_t i = 0, plain; i < n; i += plain) {
		for (plain = 0; i + plain < n && text[i + plain] != '"' && text[i + plain] != '\\';)
			plain++;
		buf_put(b, text + i, plain);
		if (i + plain < n) {
			buf_putc(b, '\\');
			buf_putc(b, text[i + plain++]);
		}
	}
	buf_putc(b, '"');
}

static void put_string(struct inbox *in, enum column c, const char *text)
{
	put_text(in, c, text, strlen(text));
}

static void put_bytes(struct inbox *in, enum column c, const void *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = bytes;
	struct buf *b = begin_element(in, c);
	buf_puts(b, "\"\\\\x");
	for (size_t i = 0; i < n; i++) {
		char pair[] = {digits[p[i] >> 4], digits[p[i] & 15]};
		buf_put(b, pair, sizeof pair);
	}
	buf_putc(b, '"');
}

static void put_number(struct inbox *in, enum column c, int64_t v)
{
	struct buf *b = begin_element(in, c);
	if (v == BOOKING_NONE)
		buf_puts(b, "NULL");
	else
		buf_putint(b, v);
}

/* ---- messages ----------------------------------------------------------------------- */

/* A position is a transport's own word and may be any bytes. */
static void put_position(struct inbox *in, const char *position)
{
	char text[POSITION_BYTES + 1];
	size_t n = 0;
	for (; position[n] && n < POSITION_BYTES; n++)
		text[n] = position[n];
	text[n] = '\0';
	for (size_t at = 0, k; at < n; at += k) {
		k = utf8_char_len(text + at, n - at);
		if (k == 0) {
			text[at] = '?';
			k = 1;
		}
	}
	put_text(in, POSITIONS, text, n);
}

static void put_row(struct inbox *in, const struct booking_envelope *env, const char *bytes,
                    size_t n, const struct errbuf *why)
{
	put_string(in, TYPES, env->type);
	put_number(in, EVENTS, env->event_id);
	put_text(in, DATA, env->json ? bytes : NULL, n);
	if (env->json)
		put_text(in, RAWS, NULL, 0);
	else
		put_bytes(in, RAWS, bytes, n < RAW_BYTES ? n : RAW_BYTES);
	put_bytes(in, KEYS, env->dedup, sizeof env->dedup);
	if (!why) {
		put_text(in, ERRORS, NULL, 0);
		put_string(in, FIELDS, "");
		return;
	}
	char text[sizeof why->text + 64];
	(void)snprintf(text, sizeof text, "%s%s", why->text,
	               !env->json && n > RAW_BYTES ? "; only its first MiB is kept" : "");
	put_string(in, ERRORS, text);
	put_string(in, FIELDS, why->field);
}

enum err inbox_put(struct inbox *in, const char *source, const char *position, const char *hint,
                   const char *bytes, size_t n, bool all, struct errbuf *eb)
{
	struct booking_message message;
	struct booking_envelope env;
	struct errbuf why = {0};
	enum err rc = booking_message_parse(&in->scratch, bytes, n, hint, &message, &env, &why);
	if (rc != ERR_NOTHING || all) {
		put_row(in, &env, bytes, n, rc == ERR_OK ? NULL : &why);
		put_string(in, SOURCES, source);
		put_position(in, position);
		in->n++;
	}
	arena_reset(&in->scratch);
	if (rc != ERR_OK && eb && eb->code == ERR_OK)
		*eb = why;
	return rc;
}

/* ---- writing ------------------------------------------------------------------------- */

static enum err write_all(struct inbox *in, struct db *db, struct inbox_written *out,
                          struct errbuf *eb)
{
	struct rowset rs;
	const char *keys = buf_str(&in->columns[KEYS]);
	enum err rc = db_query(
		db, "inbox_add",
		DB_PARAMS(
			{"types", buf_str(&in->columns[TYPES])}, {"events", buf_str(&in->columns[EVENTS])},
			{"data", buf_str(&in->columns[DATA])}, {"raws", buf_str(&in->columns[RAWS])},
			{"keys", keys}, {"sources", buf_str(&in->columns[SOURCES])},
			{"positions", buf_str(&in->columns[POSITIONS])},
			{"errors", buf_str(&in->columns[ERRORS])}, {"fields", buf_str(&in->columns[FIELDS])}),
		&rs, eb);
	if (rc == ERR_OK) {
		out->added = rowset_int(&rs, 0, "added");
		out->last_id = rowset_int(&rs, 0, "last_id");
		out->known = in->n - out->added;
	}
	rowset_fini(&rs);
	if (rc != ERR_OK || out->known == 0)
		return rc;
	rc = db_query(db, "inbox_last", DB_PARAMS({"keys", keys}), &rs, eb);
	if (rc == ERR_OK)
		out->last_id = rowset_int(&rs, 0, "last_id");
	rowset_fini(&rs);
	return rc;
}

enum err inbox_write(struct inbox *in, struct db *db, struct inbox_written *out, struct errbuf *eb)
{
	*out = (struct inbox_written){0};
	if (in->n == 0)
		return ERR_OK;
	for (int i = 0; i < COLUMNS; i++)
		buf_putc(&in->columns[i], '}');
	enum err rc = write_all(in, db, out, eb);
	for (int i = 0; i < COLUMNS; i++)
		in->columns[i].data[--in->columns[i].len] = '\0';
	return rc;
}
