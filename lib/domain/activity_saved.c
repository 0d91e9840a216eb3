/* activity_saved.c: an event on its way between two of our own programs. */
#include <inttypes.h>
#include <string.h>

#include "base/json_text.h"
#include "base/time_text.h"
#include "domain/activity_parts.h"
#include "domain/currency.h"

enum { SAVED_DEPTH = 4, FLAGS = 2 * ACTIVITY_BOT_RATE - 1 };

/* ---- writing ---------------------------------------------------------------------- */

static void put_key(struct buf *out, const char *name)
{
	if (out->data[out->len - 1] != '{')
		buf_putc(out, ',');
	buf_putc(out, '"');
	buf_puts(out, name);
	buf_put(out, "\":", 2);
}

static void put_text(struct buf *out, const char *name, const char *text)
{
	if (!text)
		return;
	put_key(out, name);
	json_text_put(out, text, strlen(text));
}

static void put_int(struct buf *out, const char *name, int64_t v)
{
	put_key(out, name);
	buf_putint(out, v);
}

static void put_list(struct buf *out, const char *name, const char *const *texts, int n)
{
	put_key(out, name);
	buf_putc(out, '[');
	for (int i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(out, ',');
		if (texts[i])
			json_text_put(out, texts[i], strlen(texts[i]));
		else
			buf_puts(out, "null");
	}
	buf_putc(out, ']');
}

void activity_event_save(const struct activity_event *e, struct buf *out)
{
	char id[37];
	activity_id_format(e->event_id, id);
	buf_putc(out, '{');
	put_text(out, "event_id", id);
	put_text(out, "type", e->type);
	put_int(out, "occurred_us", e->occurred_us);
	if (e->claimed_us != ACTIVITY_NO_TIME)
		put_int(out, "claimed_us", e->claimed_us);
	put_int(out, "received_us", e->received_us);
	put_int(out, "flags", (int64_t)e->flags);
	put_int(out, "key_id", e->key_id);
	put_text(out, "user_id", e->user_id);
	put_text(out, "anonymous_id", e->anonymous_id);
	put_text(out, "session_id", e->session_id);
	put_list(out, "dims", e->dims, e->dims_n);
	put_text(out, "price", e->price);
	put_int(out, "quantity", e->quantity);
	put_text(out, "currency", e->currency);
	put_int(out, "digest", e->digest);
	put_int(out, "own_id", e->own_id);
	if (e->dropped_n > 0)
		put_list(out, "dropped", e->dropped, e->dropped_n);
	put_key(out, "properties");
	buf_puts(out, e->properties);
	buf_putc(out, '}');
}

/* ---- reading: what comes from a broker may be anything ------------------------------- */

static enum err no_good(struct errbuf *eb, const char *name)
{
	return err_set_field(eb, ERR_INVALID, name, "%s is none that was saved", name);
}

static enum err read_int(const struct jnode *saved, const char *name, int64_t min, int64_t max,
                         int64_t *out, struct errbuf *eb)
{
	const struct jnode *v = jnode_get(saved, name);
	return jnode_is(v, JNODE_NUMBER) && jnode_int(v, out) && *out >= min && *out <= max
	           ? ERR_OK
	           : no_good(eb, name);
}

static enum err read_numbers(const struct jnode *saved, struct activity_event *e, struct errbuf *eb)
{
	int64_t flags = 0, own = 0;
	enum err rc = read_int(saved, "occurred_us", TIME_2000_US, TIME_2200_US, &e->occurred_us, eb);
	if (rc == ERR_OK)
		rc = read_int(saved, "received_us", TIME_2000_US, TIME_2200_US, &e->received_us, eb);
	e->claimed_us = ACTIVITY_NO_TIME;
	if (rc == ERR_OK && jnode_get(saved, "claimed_us"))
		rc = read_int(saved, "claimed_us", -719162 * US_PER_DAY, 2932897 * US_PER_DAY,
		              &e->claimed_us, eb);
	if (rc == ERR_OK)
		rc = read_int(saved, "flags", 0, FLAGS, &flags, eb);
	if (rc == ERR_OK)
		rc = read_int(saved, "key_id", 0, INT64_MAX, &e->key_id, eb);
	if (rc == ERR_OK)
		rc = read_int(saved, "quantity", 0, ACTIVITY_QUANTITY, &e->quantity, eb);
	if (rc == ERR_OK)
		rc = read_int(saved, "digest", INT64_MIN, INT64_MAX, &e->digest, eb);
	if (rc == ERR_OK)
		rc = read_int(saved, "own_id", 0, 1, &own, eb);
	e->flags = (unsigned)flags;
	e->own_id = own == 1;
	return rc;
}

static enum err read_id(const struct jnode *saved, const char *name, const char **out,
                        struct errbuf *eb)
{
	const struct jnode *v = jnode_get(saved, name);
	*out = jnode_string(v);
	return !v || (*out && !activity_id_fault(*out)) ? ERR_OK : no_good(eb, name);
}

static enum err read_texts(struct arena *a, const struct jnode *saved, struct activity_event *e,
                           struct errbuf *eb)
{
	const char *id = jnode_string_at(saved, "event_id");
	const struct jnode *price = jnode_get(saved, "price");
	e->type = jnode_string_at(saved, "type");
	e->currency = jnode_string_at(saved, "currency");
	if (!id || !activity_id_parse(id, e->event_id))
		return no_good(eb, "event_id");
	if (!e->type || !activity_type_is_fine(e->type))
		return no_good(eb, "type");
	if (price && !(e->price = activity_price(a, price)))
		return no_good(eb, "price");
	if (jnode_get(saved, "currency") && (!e->currency || !currency_is_code(e->currency)))
		return no_good(eb, "currency");
	enum err rc = read_id(saved, "user_id", &e->user_id, eb);
	if (rc == ERR_OK)
		rc = read_id(saved, "anonymous_id", &e->anonymous_id, eb);
	if (rc == ERR_OK)
		rc = read_id(saved, "session_id", &e->session_id, eb);
	if (rc == ERR_OK && !e->user_id && !e->anonymous_id && !e->session_id)
		rc = no_good(eb, "user_id");
	if (rc == ERR_OK)
		e->session_key = activity_session_key(e);
	return rc;
}

static enum err read_lists(struct arena *a, const struct jnode *saved, struct activity_event *e,
                           struct errbuf *eb)
{
	const struct jnode *dims = jnode_get(saved, "dims"), *dropped = jnode_get(saved, "dropped");
	if (!jnode_is(dims, JNODE_ARRAY) || dims->n < ACTIVITY_DIMENSIONS_LEAST ||
	    dims->n > ACTIVITY_DIMENSIONS)
		return no_good(eb, "dims");
	for (const struct jnode *v = dims->first; v; v = v->next) {
		const char *value = e->dims[e->dims_n++] = jnode_string(v);
		if (v->kind != JNODE_NULL && (!value || v->n == 0 || v->n > ACTIVITY_VALUE_BYTES))
			return no_good(eb, "dims");
	}
	if (!dropped)
		return ERR_OK;
	if (dropped->kind != JNODE_ARRAY || dropped->n > ACTIVITY_PROPERTIES)
		return no_good(eb, "dropped");
	const char **names = arena_array(a, dropped->n, sizeof *names);
	for (const struct jnode *v = dropped->first; v; v = v->next)
		if (!(names[e->dropped_n++] = jnode_string(v)))
			return no_good(eb, "dropped");
	e->dropped = names;
	return ERR_OK;
}

/* Kept as they were written, if they could have been read by us. */
static enum err read_properties(struct arena *a, const struct jnode *saved,
                                struct activity_event *e, struct errbuf *eb)
{
	struct activity_reading r = {.arena = a, .out = e, .eb = eb};
	const struct jnode *v = jnode_get(saved, "properties");
	struct jnode *read;
	if (!jnode_is(v, JNODE_OBJECT) || v->raw_n > 6 * ACTIVITY_BYTES)
		return no_good(eb, "properties");
	enum err rc = activity_properties_read(&r, v, &read);
	if (rc == ERR_OK && r.dropped_n > 0)
		rc = no_good(eb, "properties");
	e->properties = arena_strndup(a, v->raw, v->raw_n);
	return rc;
}

enum err activity_event_restore(struct arena *a, const char *bytes, size_t n,
                                struct activity_event *out, struct errbuf *eb)
{
	const struct jnode *saved;
	*out = (struct activity_event){0};
	enum err rc = jnode_parse(a, bytes, n, SAVED_DEPTH, NULL, &saved, eb);
	if (rc != ERR_OK)
		return rc;
	if (saved->kind != JNODE_OBJECT)
		return err_set(eb, ERR_INVALID, "an event is an object");
	rc = read_texts(a, saved, out, eb);
	if (rc == ERR_OK)
		rc = read_numbers(saved, out, eb);
	if (rc == ERR_OK)
		rc = read_lists(a, saved, out, eb);
	return rc == ERR_OK ? read_properties(a, saved, out, eb) : rc;
}
