/* inbox_mend.c: see inbox_mend.h. */
#include "domain/inbox_mend.h"

#include <inttypes.h>
#include <string.h>

#include "base/jnode.h"
#include "base/json_text.h"
#include "domain/booking_message.h"
#include "domain/inbox.h"

static enum err none(struct errbuf *eb)
{
	return err_set(eb, ERR_NOT_FOUND, "there is no such message that could not be read");
}

enum err inbox_replay(struct db *db, struct arena *a, const struct inbox_choice *choice, int64_t *n,
                      const char **ids, struct errbuf *eb)
{
	struct rowset rs = {0};
	enum err rc =
		db_query(db, "inbox_replay",
	             DB_PARAMS({"id", choice->id}, {"field", choice->field}, {"error", choice->error},
	                       {"reason", choice->reason}, {"until", choice->until}),
	             &rs, eb);
	*n = rc == ERR_OK ? rowset_int(&rs, 0, "n") : 0;
	*ids = rc == ERR_OK ? arena_strdup(a, rowset_get(&rs, 0, "ids")) : "{}";
	rowset_fini(&rs);
	return rc == ERR_OK && *n == 0 ? none(eb) : rc;
}

enum err inbox_drop(struct db *db, const struct inbox_choice *choice, int64_t *n, struct errbuf *eb)
{
	struct rowset rs = {0};
	enum err rc = db_query(db, "inbox_drop",
	                       DB_PARAMS({"id", choice->id}, {"field", choice->field},
	                                 {"error", choice->error}, {"until", choice->until}),
	                       &rs, eb);
	*n = rc == ERR_OK ? rowset_int(&rs, 0, "n") : 0;
	rowset_fini(&rs);
	return rc == ERR_OK && *n == 0 ? none(eb) : rc;
}

/* ---- correcting ----------------------------------------------------------------- */

/* `hint` (in the arena): the type it had. */
static enum err lock_dead(struct db *db, struct arena *a, const char *id, const char **hint,
                          struct errbuf *eb)
{
	struct rowset rs = {0};
	enum err rc = db_query(db, "inbox_lock", DB_PARAMS({"id", id}), &rs, eb);
	if (rc == ERR_OK && rowset_rows(&rs) == 0)
		rc = err_set(eb, ERR_NOT_FOUND, "there is no such message");
	else if (rc == ERR_OK && *rowset_get(&rs, 0, "dead") != 't')
		rc = err_set(eb, ERR_BUSY,
		             "the message waits for its effect or has had it: nothing was changed");
	if (rc == ERR_OK)
		*hint = arena_strdup(a, rowset_get(&rs, 0, "event_type"));
	rowset_fini(&rs);
	return rc;
}

/* What the transport said of the type counts for a correction that says none. */
static enum err check_text(struct arena *a, const char *text, size_t n, const char **hint,
                           struct errbuf *eb)
{
	struct booking_message ignored;
	struct booking_envelope env;
	struct errbuf unread = {0};
	enum err rc = booking_message_parse(a, text, n, NULL, &ignored, &env, &unread);
	if (rc == ERR_OK || *env.type || !**hint)
		*hint = NULL;
	rc = booking_message_parse(a, text, n, *hint, &ignored, &env, eb);
	if (rc != ERR_NOTHING)
		return rc;
	err_clear(eb);
	return err_set_field(eb, ERR_INVALID, "type", "the type is none that Takings knows");
}

static enum err write_fix(struct db *db, struct arena *a, const char *id, const char *hint,
                          const char *text, size_t n, const char **by, struct errbuf *eb)
{
	struct inbox *in = inbox_new();
	struct inbox_written written = {0};
	enum err rc = inbox_put(in, "replay", id, hint, text, n, true, eb);
	if (rc == ERR_OK)
		rc = inbox_write(in, db, &written, eb);
	inbox_free(in);
	if (rc == ERR_OK)
		*by = arena_printf(a, "%" PRId64, written.last_id);
	return rc;
}

enum err inbox_fix(struct db *db, struct arena *a, const char *id, const char *text, size_t n,
                   const char **by, struct errbuf *eb)
{
	const char *hint = NULL;
	enum err rc = lock_dead(db, a, id, &hint, eb);
	if (rc == ERR_OK)
		rc = check_text(a, text, n, &hint, eb);
	if (rc == ERR_OK)
		rc = write_fix(db, a, id, hint, text, n, by, eb);
	if (rc == ERR_OK)
		rc = db_query(db, "inbox_revive", DB_PARAMS({"id", *by}), NULL, eb);
	if (rc == ERR_OK && strcmp(*by, id) != 0)
		rc = db_query(db, "inbox_replace", DB_PARAMS({"id", id}, {"by", *by}), NULL, eb);
	return rc;
}

/* ---- showing -------------------------------------------------------------------- */

static void put_line(struct buf *out, int depth)
{
	buf_putc(out, '\n');
	for (int i = 0; i < depth; i++)
		buf_puts(out, "  ");
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The character at s as it is, or U+FFFD for a byte that is none. Comes back with its length. */
static size_t put_char(struct buf *out, const char *s, size_t n)
{
	size_t len = utf8_char_len(s, n);
	if (len == 0 || *s == '\0')
		buf_puts(out, "\xef\xbf\xbd");
	else
		buf_put(out, s, len);
	return len ? len : 1;
}

/* A string from its quote to the one that ends it. */
static size_t put_string(struct buf *out, const char *s, size_t n)
{
	size_t i = put_char(out, s, n);
	while (i < n && s[i] != '"') {
		if (s[i] == '\\' && i + 1 < n)
			i += put_char(out, s + i, n - i);
		i += put_char(out, s + i, n - i);
	}
	return i < n ? i + put_char(out, s + i, n - i) : i;
}

static size_t skip_space(const char *s, size_t n, size_t i)
{
	while (i < n && is_space(s[i]))
		i++;
	return i;
}

/* An object or array begins; an empty one stays on its line. */
static size_t put_open(struct buf *out, const char *s, size_t n, size_t i, int *depth)
{
	size_t next = skip_space(s, n, i + 1);
	buf_putc(out, s[i]);
	if (next < n && (s[next] == '}' || s[next] == ']')) {
		buf_putc(out, s[next]);
		return next + 1;
	}
	put_line(out, ++*depth);
	return next;
}

static void put_json(struct buf *out, const char *s, size_t n)
{
	int depth = 0;
	for (size_t i = skip_space(s, n, 0); i < n; i = skip_space(s, n, i)) {
		if (s[i] == '"') {
			i += put_string(out, s + i, n - i);
		} else if (s[i] == '{' || s[i] == '[') {
			i = put_open(out, s, n, i, &depth);
		} else if (s[i] == '}' || s[i] == ']') {
			put_line(out, --depth);
			buf_putc(out, s[i++]);
		} else if (s[i] == ',') {
			buf_putc(out, s[i++]);
			put_line(out, depth);
		} else if (s[i] == ':') {
			buf_puts(out, ": ");
			i++;
		} else {
			i += put_char(out, s + i, n - i);
		}
	}
}

void inbox_pretty(struct buf *out, const char *text, size_t n)
{
	const struct jnode *top;
	struct errbuf ignored = {0};
	struct arena a;
	arena_init(&a);
	bool json = jnode_parse(&a, text, n, BOOKING_MESSAGE_DEPTH, NULL, &top, &ignored) == ERR_OK;
	arena_fini(&a);
	if (json) {
		put_json(out, text, n);
		return;
	}
	for (size_t i = 0; i < n;)
		i += put_char(out, text + i, n - i);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void inbox_unhex(struct buf *out, const char *hex)
{
	for (; hex_value(hex[0]) >= 0 && hex_value(hex[1]) >= 0; hex += 2)
		buf_putc(out, (char)(hex_value(hex[0]) * 16 + hex_value(hex[1])));
}
