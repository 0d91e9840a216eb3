/* activity_event.c: see activity_event.h. */
#include "domain/activity_event.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/random.h>

#include "base/json_text.h"
#include "domain/activity_parts.h"

/* ---- ids ------------------------------------------------------------------------ */

bool activity_id_is_blank(const char *id)
{
	static const char *const blank[] = {
		"null",
		"undefined",
		"anonymous",
		"none",
		"nan",
		"nil",
		"n/a",
		"unknown",
		"guest",
		"true",
		"false",
		"[object object]",
		"(not set)",
		"not set",
		"id",
		"user_id",
		"userid",
		"anonymous_id",
		"session_id",
		"distinct_id",
		"distinctid",
		"email",
		"undefined undefined",
		"-1",
		"<nil>",
		"<null>",
		"(null)",
		"infinity",
		"not_authenticated",
	};
	char plain[24];
	id += strspn(id, " \t\r\n\"'`");
	size_t n = strlen(id);
	while (n > 0 && strchr(" \t\r\n\"'`", id[n - 1]))
		n--;
	if (strspn(id, "0-.") >= n) /* also the id of no bits at all */
		return true;
	if (n >= sizeof plain)
		return false;
	for (size_t i = 0; i < n; i++)
		plain[i] = (char)(id[i] >= 'A' && id[i] <= 'Z' ? id[i] + 32 : id[i]);
	plain[n] = '\0';
	for (size_t i = 0; i < sizeof blank / sizeof *blank; i++)
		if (*blank[i] == *plain && strcmp(blank[i], plain) == 0)
			return true;
	return false;
}

const char *activity_id_fault(const char *id)
{
	size_t n = 0;
	for (; id[n]; n++)
		if ((unsigned char)id[n] < 0x20 || id[n] == 0x7f)
			return "has a control character";
	if (n > ACTIVITY_ID_BYTES)
		return "is longer than 128 bytes";
	return activity_id_is_blank(id) ? "is nobody's: many would be taken for one" : NULL;
}

static const char hex[] = "0123456789abcdef";

void activity_id_format(const unsigned char id[16], char out[37])
{
	char *p = out;
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = hex[id[i] >> 4];
		*p++ = hex[id[i] & 15];
	}
	*p = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 32);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool activity_id_parse(const char *text, unsigned char out[16])
{
	const char *s = text;
	for (int i = 0; i < 16; i++, s += 2) {
		if ((i == 4 || i == 6 || i == 8 || i == 10) && *s++ != '-')
			return false;
		int high = hex_digit(*s), low = high < 0 ? -1 : hex_digit(s[1]);
		if (low < 0)
			return false;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return *s == '\0';
}

/* Random bytes are asked for by the hundred: each time the kernel is asked costs as much as reading
 * a short event. */
static void random_bytes(unsigned char *out, size_t n)
{
	static _Thread_local unsigned char stock[640];
	static _Thread_local size_t left;
	if (left < n) {
		for (left = 0; left < sizeof stock;) {
			ssize_t k = getrandom(stock + left, sizeof stock - left, 0);
			must(k > 0 || errno == EINTR);
			left += k > 0 ? (size_t)k : 0;
		}
	}
	left -= n;
	memcpy(out, stock + left, n);
}

/* Version 7 of RFC 9562: milliseconds, then chance. */
static void make_id(int64_t at_us, unsigned char out[16])
{
	uint64_t ms = (uint64_t)(at_us / 1000);
	for (int i = 0; i < 6; i++)
		out[i] = (unsigned char)(ms >> (40 - 8 * i));
	random_bytes(out + 6, 10);
	out[6] = (unsigned char)(0x70 | (out[6] & 0x0f));
	out[8] = (unsigned char)(0x80 | (out[8] & 0x3f));
}

/* ---- fields ----------------------------------------------------------------------- */

enum field {
	F_TYPE,
	F_EVENT_ID,
	F_USER_ID,
	F_ANONYMOUS_ID,
	F_SESSION_ID,
	F_TIMESTAMP,
	F_SENT_AT,
	F_PROPERTIES,
	FIELDS
};

static const char *const field_names[FIELDS] = {"event_type",   "event_id",   "user_id",
                                                "anonymous_id", "session_id", "timestamp",
                                                "sent_at",      "properties"};

static enum err find_fields(struct activity_reading *r, const struct jnode *event,
                            const struct jnode *fields[FIELDS])
{
	if (event->kind != JNODE_OBJECT)
		return err_set(r->eb, ERR_INVALID, "an event is an object");
	if (event->raw_n > ACTIVITY_BYTES)
		return err_set(r->eb, ERR_INVALID, "an event has at most %d bytes", ACTIVITY_BYTES);
	for (const struct jnode *m = event->first; m; m = m->next) {
		int f = 0;
		while (f < FIELDS && strcmp(field_names[f], m->name) != 0)
			f++;
		if (f == FIELDS)
			return err_set_field(r->eb, ERR_INVALID, m->name,
			                     "%.100s is no field of an event; what is your own stands in "
			                     "properties",
			                     m->name);
		fields[f] = m->kind == JNODE_NULL ? NULL : m; /* null says nothing */
	}
	return ERR_OK;
}

bool activity_type_is_fine(const char *type)
{
	size_t n = strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789_.:-");
	return n > 0 && n <= ACTIVITY_TYPE_BYTES && type[n] == '\0';
}

static enum err read_type(struct activity_reading *r, const struct jnode *v)
{
	if (!v)
		return err_set_field(r->eb, ERR_INVALID, "event_type", "event_type is missing");
	if (v->kind != JNODE_STRING || !activity_type_is_fine(v->text))
		return err_set_field(r->eb, ERR_INVALID, "event_type",
		                     "event_type is not 1 to %d of a-z 0-9 _ . : -", ACTIVITY_TYPE_BYTES);
	r->out->type = v->text;
	return ERR_OK;
}

static enum err read_event_id(struct activity_reading *r, const struct jnode *v)
{
	struct activity_event *e = r->out;
	e->own_id = v != NULL;
	if (!v) {
		make_id(e->received_us, e->event_id);
		return ERR_OK;
	}
	if (v->kind != JNODE_STRING || !activity_id_parse(v->text, e->event_id))
		return err_set_field(r->eb, ERR_INVALID, "event_id", "event_id is no UUID");
	if (sodium_is_zero(e->event_id, sizeof e->event_id))
		return err_set_field(r->eb, ERR_INVALID, "event_id", "event_id is the UUID of nothing");
	return ERR_OK;
}

/* A whole number is an id, too. */
static enum err read_id(struct activity_reading *r, enum field f, const struct jnode *v,
                        const char **out)
{
	const char *name = field_names[f];
	if (!v)
		return ERR_OK;
	if (v->kind != JNODE_STRING && !(v->kind == JNODE_NUMBER && v->whole))
		return err_set_field(r->eb, ERR_INVALID, name, "%s is neither text nor a whole number",
		                     name);
	const char *fault = activity_id_fault(v->text);
	if (fault)
		return err_set_field(r->eb, ERR_INVALID, name, "%s %s", name, fault);
	*out = v->text;
	return ERR_OK;
}

static enum err read_ids(struct activity_reading *r, const struct jnode *const fields[FIELDS])
{
	struct activity_event *e = r->out;
	enum err rc = read_event_id(r, fields[F_EVENT_ID]);
	if (rc == ERR_OK)
		rc = read_id(r, F_USER_ID, fields[F_USER_ID], &e->user_id);
	if (rc == ERR_OK)
		rc = read_id(r, F_ANONYMOUS_ID, fields[F_ANONYMOUS_ID], &e->anonymous_id);
	if (rc == ERR_OK)
		rc = read_id(r, F_SESSION_ID, fields[F_SESSION_ID], &e->session_id);
	if (rc == ERR_OK && !e->user_id && !e->anonymous_id && !e->session_id)
		rc = err_set_field(r->eb, ERR_INVALID, "user_id",
		                   "one of user_id, anonymous_id and session_id is needed");
	if (rc == ERR_OK)
		e->session_key = activity_session_key(e);
	return rc;
}

/* ---- hashes --------------------------------------------------------------------------- */

/* The key is no secret: it looks sessions up, and proves nothing. */
int64_t activity_session_key(const struct activity_event *e)
{
	static const unsigned char key[crypto_shorthash_KEYBYTES] = "takings session";
	const char *id = e->session_id ? e->session_id : e->user_id ? e->user_id : e->anonymous_id;
	unsigned char text[1 + ACTIVITY_ID_BYTES], hash[crypto_shorthash_BYTES];
	must(id);
	size_t n = strlen(id);
	must(n <= ACTIVITY_ID_BYTES);
	text[0] = e->session_id ? 's' : e->user_id ? 'u' : 'a';
	memcpy(text + 1, id, n);
	(void)crypto_shorthash(hash, text, n + 1, key);
	int64_t out;
	memcpy(&out, hash, sizeof out);
	return out;
}

static void put_text(struct buf *b, const char *text)
{
	if (text)
		json_text_put(b, text, strlen(text));
	buf_putc(b, ',');
}

/* What it says, always in the same order; `properties` stand at the end, from *from on. */
static void put_canonical(struct buf *b, const struct activity_event *e,
                          const struct jnode *timestamp, const struct jnode *properties,
                          size_t *from)
{
	put_text(b, e->type);
	put_text(b, e->user_id);
	put_text(b, e->anonymous_id);
	put_text(b, e->session_id);
	put_text(b, timestamp ? timestamp->text : NULL);
	*from = b->len;
	activity_json_put(b, properties);
}

static int64_t digest_of(const struct buf *b)
{
	unsigned char hash[crypto_generichash_BYTES_MIN];
	int64_t out;
	(void)crypto_generichash(hash, sizeof hash, (const unsigned char *)b->data, b->len, NULL, 0);
	memcpy(&out, hash, sizeof out);
	return out;
}

/* The digest is of what was said; what is kept of addresses depends on a setting. */
static enum err read_properties(struct activity_reading *r,
                                const struct jnode *const fields[FIELDS])
{
	struct activity_event *e = r->out;
	struct jnode *properties;
	struct buf b;
	size_t from;
	enum err rc = activity_properties_read(r, fields[F_PROPERTIES], &properties);
	if (rc != ERR_OK)
		return rc;
	buf_init(&b);
	put_canonical(&b, e, fields[F_TIMESTAMP], properties, &from);
	e->digest = digest_of(&b);
	if (activity_properties_shorten(r, properties)) {
		buf_clear(&b);
		from = 0;
		activity_json_put(&b, properties);
	}
	e->properties = arena_strndup(r->arena, b.data + from, b.len - from);
	buf_fini(&b);
	if (r->dropped_n > 0) {
		const char **dropped = arena_array(r->arena, (size_t)r->dropped_n, sizeof *dropped);
		memcpy(dropped, r->dropped, (size_t)r->dropped_n * sizeof *dropped);
		e->dropped = dropped;
		e->dropped_n = r->dropped_n;
	}
	return activity_properties_mean(r, properties);
}

enum err activity_event_read(struct arena *a, const struct jnode *event,
                             const struct activity_rules *rules,
                             const struct activity_sender *sender, struct activity_event *out,
                             struct errbuf *eb)
{
	const struct jnode *fields[FIELDS] = {0};
	struct activity_reading r = {
		.arena = a, .rules = rules, .sender = sender, .out = out, .eb = eb};
	*out = (struct activity_event){.received_us = sender->received_us,
	                               .key_id = sender->key_id,
	                               .flags = (sender->flags & ACTIVITY_BOT) |
	                                        (sender->trusted ? ACTIVITY_TRUSTED : 0)};
	enum err rc = find_fields(&r, event, fields);
	if (rc == ERR_OK)
		rc = read_type(&r, fields[F_TYPE]);
	if (rc == ERR_OK)
		rc = read_ids(&r, fields);
	if (rc == ERR_OK)
		rc = read_properties(&r, fields);
	return rc == ERR_OK ? activity_times_read(&r, fields[F_TIMESTAMP], fields[F_SENT_AT]) : rc;
}
