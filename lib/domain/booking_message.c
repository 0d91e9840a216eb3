/* booking_message.c: a value is checked where it is taken; booking_fields.c finds it. */
#include "domain/booking_message.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/decimal.h"
#include "base/jnode.h"
#include "base/json_text.h"
#include "base/num.h"
#include "base/time_text.h"
#include "domain/booking_fields.h"

enum { TYPE_BYTES = 200 };

#define COUNT(a) (sizeof(a) / sizeof *(a))

_Static_assert(sizeof((struct booking_envelope *)0)->dedup == crypto_hash_sha256_BYTES, "SHA-256");

/* ---- what it says, in one way ---------------------------------------------------------- */

static void put_canonical(struct arena *a, const struct jnode *v, const char *type,
                          struct buf *out);

static void put_member(struct buf *out, bool first, const char *name)
{
	if (!first)
		buf_putc(out, ',');
	json_text_put(out, name, strlen(name));
	buf_putc(out, ':');
}

/* `type` (NULL: none) is a member, too. */
static void put_object(struct arena *a, const struct jnode *object, const char *type,
                       struct buf *out)
{
	const struct jnode **m = booking_fields_sorted(a, object);
	bool first = true;
	buf_putc(out, '{');
	for (size_t i = 0; m[i] || type; i++, first = false) {
		if (type && (!m[i] || strcmp(m[i]->name, "type") >= 0)) {
			put_member(out, first, "type");
			json_text_put(out, type, strlen(type));
			type = NULL;
			first = false;
		}
		if (!m[i])
			break;
		put_member(out, first, m[i]->name);
		put_canonical(a, m[i], NULL, out);
	}
	buf_putc(out, '}');
}

static void put_canonical(struct arena *a, const struct jnode *v, const char *type, struct buf *out)
{
	switch (v->kind) {
	case JNODE_OBJECT:
		put_object(a, v, type, out);
		break;
	case JNODE_ARRAY:
		buf_putc(out, '[');
		for (const struct jnode *e = v->first; e; e = e->next) {
			if (e != v->first)
				buf_putc(out, ',');
			put_canonical(a, e, NULL, out);
		}
		buf_putc(out, ']');
		break;
	case JNODE_STRING:
		json_text_put(out, v->text, v->n);
		break;
	case JNODE_NUMBER:
		buf_put(out, v->text, v->n);
		break;
	default:
		buf_puts(out, v->kind == JNODE_NULL ? "null" : v->kind == JNODE_TRUE ? "true" : "false");
	}
}

static void digest_bytes(const void *bytes, size_t n, unsigned char out[crypto_hash_sha256_BYTES])
{
	(void)crypto_hash_sha256(out, n ? bytes : (const void *)"", n);
}

static void digest_value(struct arena *a, const struct jnode *v, const char *type,
                         unsigned char out[crypto_hash_sha256_BYTES])
{
	struct buf canonical = {0};
	put_canonical(a, v, type, &canonical);
	digest_bytes(canonical.data, canonical.len, out);
	buf_fini(&canonical);
}

/* ---- values --------------------------------------------------------------------------- */

static enum err missing(struct booking_reading *r, enum booking_field f)
{
	return err_set_field(r->eb, ERR_INVALID, booking_field_name(f), "%s is missing",
	                     booking_field_name(f));
}

static enum err wrong(struct booking_reading *r, enum booking_field f, const char *what)
{
	return err_set_field(r->eb, ERR_INVALID, booking_field_name(f), "%s is not %s",
	                     booking_field_name(f), what);
}

/* The text of a string or the digits of a number; NULL of anything else. */
static const char *said(const struct jnode *v)
{
	return v->kind == JNODE_STRING || v->kind == JNODE_NUMBER ? v->text : NULL;
}

/* *out stays as it is where nobody says; so it is with all of these. */
static enum err take_text(struct booking_reading *r, enum booking_field f, size_t max,
                          const char **out)
{
	const struct jnode *v = r->value[f];
	if (!v)
		return ERR_OK;
	if (v->kind != JNODE_STRING && (v->kind != JNODE_NUMBER || !v->whole))
		return wrong(r, f, "a text or a whole number");
	if (v->n > max)
		return err_set_field(r->eb, ERR_INVALID, booking_field_name(f),
		                     "%s is longer than %zu bytes", booking_field_name(f), max);
	if (v->n > 0)
		*out = v->text;
	return ERR_OK;
}

static enum err take_whole(struct booking_reading *r, enum booking_field f, int64_t min,
                           int64_t max, int64_t *out)
{
	const struct jnode *v = r->value[f];
	int64_t n = 0;
	if (!v)
		return ERR_OK;
	if (!jnode_int(v, &n) || n < min || n > max)
		return err_set_field(r->eb, ERR_INVALID, booking_field_name(f),
		                     "%s is not a whole number from %lld to %lld", booking_field_name(f),
		                     (long long)min, (long long)max);
	*out = n;
	return ERR_OK;
}

/* "1.0" is the version of a format, not of a thing. */
static enum err take_version(struct booking_reading *r, int64_t *out)
{
	const struct jnode *v = r->value[F_VERSION];
	int64_t n;
	bool format = v && (v->kind == JNODE_NUMBER ? !v->whole : !jnode_int(v, &n));
	return format ? ERR_OK : take_whole(r, F_VERSION, 0, INT64_MAX, out);
}

/* Microseconds: the number with its point moved `by` places, and cut there; false: too large. */
static bool moved(const struct decimal *d, int by, int64_t *out)
{
	int n = d->n - d->scale + by;
	*out = 0;
	if (n > 18)
		return false;
	for (int i = 0; i < n; i++)
		*out = *out * 10 + (i < d->n ? d->digits[i] - '0' : 0);
	return true;
}

/* Between 2000 and 2100 a number is a time in one unit only. */
static bool time_of_number(const char *text, int64_t *us)
{
	static const int units[] = {6, 3, 0, -3};
	struct decimal d;
	if (!decimal_parse(text, &d) || d.negative)
		return false;
	for (size_t i = 0; i < COUNT(units); i++)
		if (moved(&d, units[i], us) && *us >= TIME_2000_US && *us < TIME_2100_US)
			return true;
	return false;
}

static enum err take_time(struct booking_reading *r, enum booking_field f, int64_t *out)
{
	const struct jnode *v = r->value[f];
	int64_t us = 0;
	if (!v || v->kind == JNODE_NULL)
		return ERR_OK;
	if (!said(v))
		return wrong(r, f, "a time");
	enum time_kind kind = v->kind == JNODE_STRING ? time_parse(v->text, &us) : TIME_NONE;
	if (kind == TIME_NONE && !time_of_number(v->text, &us))
		return wrong(r, f, "a time in ISO 8601 or a number of one from 2000 to 2099");
	if (kind == TIME_FAR || us < TIME_1970_US || us >= TIME_2100_US)
		return wrong(r, f, "a time from 1970 to 2099");
	*out = us;
	return ERR_OK;
}

static enum err take_amount(struct booking_reading *r, const char **out)
{
	const struct jnode *v = r->value[F_AMOUNT];
	struct decimal d;
	if (!v)
		return ERR_OK;
	if (!said(v) || !decimal_parse(v->text, &d) || d.negative || !decimal_fits(&d))
		return wrong(r, F_AMOUNT, "an amount of 0 or more, and less than 100000000000000");
	*out = decimal_text(r->arena, &d);
	return ERR_OK;
}

static enum err take_currency(struct booking_reading *r, const char **out)
{
	const struct jnode *v = r->value[F_CURRENCY];
	if (!v)
		return ERR_OK;
	const char *text = jnode_string(v);
	char *capitals = arena_alloc(r->arena, 4);
	for (size_t i = 0; text && i < 3; i++) {
		char c = booking_lower(text[i]);
		if (c < 'a' || c > 'z')
			text = NULL;
		else
			capitals[i] = (char)(c - 32);
	}
	if (!text || v->n != 3)
		return wrong(r, F_CURRENCY, "a currency of three letters");
	*out = capitals;
	return ERR_OK;
}

static const char *one_of(const struct jnode *v, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (jnode_is(v, JNODE_STRING) && strcasecmp(v->text, words[i]) == 0)
			return words[i];
	return NULL;
}

/* ---- things ----------------------------------------------------------------------------- */

static enum err take_common(struct booking_reading *r, struct booking_message *out)
{
	out->occurred_us = BOOKING_NONE;
	enum err rc = take_time(r, F_AT, &out->occurred_us);
	if (rc == ERR_OK && out->occurred_us == BOOKING_NONE)
		rc = missing(r, F_AT);
	if (rc == ERR_OK)
		rc = take_version(r, &out->version);
	if (rc == ERR_OK)
		rc = take_whole(r, F_SEQ, 0, INT64_MAX, &out->seq);
	if (rc == ERR_OK && r->about != A_USER)
		rc = take_whole(r, F_EVENT, 1, INT64_MAX, &out->event_id);
	if (rc == ERR_OK && r->about != AN_EVENT)
		rc = take_text(r, F_USER, BOOKING_ID_BYTES, &out->user_id);
	if (rc == ERR_OK && r->about != A_USER)
		rc = take_currency(r, &out->currency);
	return rc;
}

static enum err take_booking(struct booking_reading *r, struct booking_message *out)
{
	static const char *const words[] = {"pending", "confirmed"};
	enum err rc = take_text(r, F_BOOKING, BOOKING_ID_BYTES, &out->booking_id);
	if (rc == ERR_OK && !out->booking_id)
		rc = missing(r, F_BOOKING);
	if (rc == ERR_OK)
		rc = take_whole(r, F_SEATS, 0, BOOKING_SEATS, &out->seats);
	if (rc == ERR_OK)
		rc = take_amount(r, &out->amount);
	if (rc != ERR_OK || r->kind != BOOKING_CREATED)
		return rc;
	if (out->event_id == BOOKING_NONE)
		return missing(r, F_EVENT);
	out->created_us = out->occurred_us;
	const struct jnode *status = r->value[F_STATUS];
	const char *word = one_of(status, words, COUNT(words));
	out->confirmed = word == words[1];
	return status && !word ? wrong(r, F_STATUS, "pending or confirmed") : ERR_OK;
}

static enum err take_bookable_status(struct booking_reading *r, struct booking_message *out)
{
	static const char *const words[] = {"draft", "published", "cancelled", "canceled"};
	const struct jnode *v = r->value[F_STATUS];
	const char *word = one_of(v, words, COUNT(words));
	if (r->kind == BOOKABLE_PUBLISHED)
		word = words[1];
	else if (r->kind == BOOKABLE_CANCELLED || word == words[3])
		word = words[2];
	else if (v && !word)
		return wrong(r, F_STATUS, "draft, published or cancelled");
	else if (!v && r->kind == BOOKABLE_CREATED)
		word = words[0];
	out->status = word;
	return ERR_OK;
}

static unsigned says_of(const struct booking_reading *r, const struct booking_message *m)
{
	unsigned says = m->name ? SAYS_NAME : 0;
	says |= m->category ? SAYS_CATEGORY : 0;
	says |= m->currency ? SAYS_CURRENCY : 0;
	says |= m->status ? SAYS_STATUS : 0;
	says |= r->value[F_CAPACITY] ? SAYS_CAPACITY : 0;
	says |= r->value[F_STARTS] ? SAYS_STARTS : 0;
	says |= r->value[F_ENDS] ? SAYS_ENDS : 0;
	says |= r->value[F_SALES_FROM] ? SAYS_SALES_FROM : 0;
	return says | (r->value[F_SALES_UNTIL] ? SAYS_SALES_UNTIL : 0);
}

static enum err take_event(struct booking_reading *r, struct booking_message *out)
{
	enum err rc = out->event_id == BOOKING_NONE ? missing(r, F_EVENT) : ERR_OK;
	if (rc == ERR_OK)
		rc = take_text(r, F_NAME, BOOKING_TEXT_BYTES, &out->name);
	if (rc == ERR_OK)
		rc = take_text(r, F_CATEGORY, BOOKING_TEXT_BYTES, &out->category);
	if (rc == ERR_OK && !jnode_is(r->value[F_CAPACITY], JNODE_NULL))
		rc = take_whole(r, F_CAPACITY, 0, BOOKING_CAPACITY, &out->capacity);
	if (rc == ERR_OK)
		rc = take_time(r, F_STARTS, &out->starts_us);
	if (rc == ERR_OK)
		rc = take_time(r, F_ENDS, &out->ends_us);
	if (rc == ERR_OK)
		rc = take_time(r, F_SALES_FROM, &out->sales_from_us);
	if (rc == ERR_OK)
		rc = take_time(r, F_SALES_UNTIL, &out->sales_until_us);
	if (rc == ERR_OK)
		rc = take_bookable_status(r, out);
	out->says = says_of(r, out);
	return rc;
}

static enum err take_all(struct booking_reading *r, struct booking_message *out)
{
	enum err rc = take_common(r, out);
	if (rc != ERR_OK)
		return rc;
	if (r->about == A_BOOKING)
		return take_booking(r, out);
	if (r->about == AN_EVENT)
		return take_event(r, out);
	return out->user_id ? ERR_OK : missing(r, F_USER);
}

/* ---- a message ---------------------------------------------------------------------------- */

/* As it says it, but not longer than an index takes. */
static const char *small_type(struct arena *a, const struct jnode *type)
{
	if (!type)
		return "";
	size_t n = 0;
	for (size_t k; n < type->n; n += k) {
		k = utf8_char_len(type->text + n, type->n - n);
		if (n + k > TYPE_BYTES)
			break;
	}
	char *small = arena_strndup(a, type->text, n);
	for (char *c = small; *c; c++)
		*c = booking_lower(*c);
	return small;
}

/* The first byte is the kind's: with it a digest alone says which of two is newer. */
static int64_t rank_and_digest(enum booking_kind kind, const unsigned char dedup[32])
{
	uint64_t v = (uint64_t)kind;
	for (int i = 0; i < 7; i++)
		v = v << 8 | dedup[i];
	return (int64_t)v;
}

static enum err parse(struct arena *a, const char *bytes, size_t n, const struct jnode **out,
                      struct booking_envelope *env, struct errbuf *eb)
{
	const struct jnode *value = NULL;
	if (n > BOOKING_MESSAGE_BYTES) {
		digest_bytes(bytes, n, env->dedup);
		return err_set(eb, ERR_INVALID, "the message has %zu bytes, more than %d", n,
		               BOOKING_MESSAGE_BYTES);
	}
	enum err rc = jnode_parse(a, n ? bytes : "", n, BOOKING_MESSAGE_DEPTH, NULL, &value, eb);
	if (rc != ERR_OK) {
		digest_bytes(bytes, n, env->dedup);
		return rc;
	}
	env->json = true;
	digest_value(a, value, NULL, env->dedup);
	if (value->kind != JNODE_OBJECT)
		return err_set(eb, ERR_MALFORMED, "the message is no JSON object");
	*out = value;
	return ERR_OK;
}

enum err booking_message_parse(struct arena *a, const char *bytes, size_t n, const char *hint,
                               struct booking_message *out, struct booking_envelope *env,
                               struct errbuf *eb)
{
	struct booking_reading r = {.arena = a, .eb = eb};
	const struct jnode *value = NULL;
	const char *hinted; /* the type that only the hint says */
	*env = (struct booking_envelope){.type = "", .event_id = BOOKING_NONE};
	enum err rc = parse(a, bytes, n, &value, env, eb);
	if (rc != ERR_OK || !value)
		return rc;
	booking_fields_find(&r, value, hint, &hinted);
	bool ours = r.kind != BOOKING_KINDS;
	if (hinted)
		digest_value(a, value, hinted, env->dedup);
	env->type = ours ? booking_kind_type(r.kind) : small_type(a, r.type);
	int64_t id;
	if (r.about != A_USER && jnode_int(r.value[F_EVENT], &id) && id >= 1)
		env->event_id = id;
	if (!ours)
		return r.type ? err_set_field(eb, ERR_NOTHING, "type", "type is none that is known here")
		              : err_set_field(eb, ERR_NOTHING, "type", "type is missing");
	*out = (struct booking_message){.kind = r.kind,
	                                .digest = rank_and_digest(r.kind, env->dedup),
	                                .event_id = BOOKING_NONE,
	                                .seats = BOOKING_NONE,
	                                .created_us = BOOKING_NONE,
	                                .capacity = BOOKING_NONE,
	                                .starts_us = BOOKING_NONE,
	                                .ends_us = BOOKING_NONE,
	                                .sales_from_us = BOOKING_NONE,
	                                .sales_until_us = BOOKING_NONE};
	memcpy(out->dedup, env->dedup, sizeof out->dedup);
	return take_all(&r, out);
}
