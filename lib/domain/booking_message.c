/* booking_message.c: one table of names, one of types; what is left is checking each value. */
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

enum { NAME_BYTES = 24, TYPE_BYTES = 200, LEVELS = 3, TYPE_RANKS = 4 };

#define COUNT(a) (sizeof(a) / sizeof *(a))

_Static_assert(sizeof((struct booking_envelope *)0)->dedup == crypto_hash_sha256_BYTES, "SHA-256");

/* ---- types -------------------------------------------------------------------- */

/* What a message, or an object inside it, is about. */
enum thing { NO_THING, A_BOOKING, AN_EVENT, A_USER };

static const struct {
	const char *type;
	enum thing about;
} kinds[BOOKING_KINDS] = {
	[BOOKING_CREATED] = {"booking.created", A_BOOKING},
	[BOOKING_CONFIRMED] = {"booking.confirmed", A_BOOKING},
	[BOOKING_CANCELLED] = {"booking.cancelled", A_BOOKING},
	[BOOKABLE_CREATED] = {"event.created", AN_EVENT},
	[BOOKABLE_UPDATED] = {"event.updated", AN_EVENT},
	[BOOKABLE_PUBLISHED] = {"event.published", AN_EVENT},
	[BOOKABLE_CANCELLED] = {"event.cancelled", AN_EVENT},
	[USER_CREATED] = {"user.created", A_USER},
};

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* "booking_created" and "BookingCreated" are "booking.created". */
static bool same_type(const char *type, const char *said)
{
	for (; *type; type++) {
		if (*type != '.' && lower(*said) != *type)
			return false;
		if (*type != '.' || (*said && strchr("._-", *said)))
			said++;
	}
	return *said == '\0';
}

static enum booking_kind kind_of(const char *said)
{
	for (size_t i = 0; i < BOOKING_KINDS; i++)
		if (same_type(kinds[i].type, said))
			return (enum booking_kind)i;
	if (same_type("booking.canceled", said))
		return BOOKING_CANCELLED;
	return same_type("event.canceled", said) ? BOOKABLE_CANCELLED : BOOKING_KINDS;
}

/* Of a channel the end counts: "shop:booking.created". */
static enum booking_kind kind_of_hint(const char *hint)
{
	enum booking_kind kind = hint ? kind_of(hint) : BOOKING_KINDS;
	for (; kind == BOOKING_KINDS && hint && *hint; hint++)
		if (strchr(":/.", *hint))
			kind = kind_of(hint + 1);
	return kind;
}

bool booking_message_is(const char *type)
{
	return kind_of(type) != BOOKING_KINDS;
}

const char *booking_kind_type(enum booking_kind kind)
{
	return kinds[kind].type;
}

/* ---- what the fields are called --------------------------------------------------- */

enum field {
	F_TYPE,
	F_AT,
	F_VERSION,
	F_SEQ,
	F_EVENT,
	F_BOOKING,
	F_USER,
	F_SEATS,
	F_AMOUNT,
	F_CURRENCY,
	F_STATUS,
	F_NAME,
	F_CATEGORY,
	F_CAPACITY,
	F_STARTS,
	F_ENDS,
	F_SALES_FROM,
	F_SALES_UNTIL,
	FIELDS,
	F_ID,  /* of what the object is about */
	F_NEST /* holds fields itself */
};

static const struct name {
	const char *name; /* small letters, without underscores and hyphens */
	enum field field;
	int rank;         /* 1 goes before 2 */
	enum thing about; /* of F_NEST: what it holds; NO_THING: the same as what is around it */
} names[] = {
	{"type", F_TYPE, 1, NO_THING},
	{"eventtype", F_TYPE, 2, NO_THING},
	{"occurredat", F_AT, 1, NO_THING},
	{"timestamp", F_AT, 2, NO_THING},
	{"time", F_AT, 3, NO_THING},
	{"createdat", F_AT, 4, NO_THING},
	{"version", F_VERSION, 1, NO_THING},
	{"seq", F_SEQ, 1, NO_THING},
	{"sequence", F_SEQ, 2, NO_THING},
	{"eventid", F_EVENT, 1, NO_THING},
	{"bookingid", F_BOOKING, 1, NO_THING},
	{"userid", F_USER, 1, NO_THING},
	{"id", F_ID, 2, NO_THING},
	{"seats", F_SEATS, 1, NO_THING},
	{"quantity", F_SEATS, 2, NO_THING},
	{"tickets", F_SEATS, 3, NO_THING},
	{"amount", F_AMOUNT, 1, NO_THING},
	{"totalamount", F_AMOUNT, 2, NO_THING},
	{"total", F_AMOUNT, 3, NO_THING},
	{"price", F_AMOUNT, 4, NO_THING},
	{"currency", F_CURRENCY, 1, NO_THING},
	{"status", F_STATUS, 1, NO_THING},
	{"name", F_NAME, 1, NO_THING},
	{"title", F_NAME, 2, NO_THING},
	{"eventname", F_NAME, 3, NO_THING},
	{"category", F_CATEGORY, 1, NO_THING},
	{"capacity", F_CAPACITY, 1, NO_THING},
	{"totalcapacity", F_CAPACITY, 2, NO_THING},
	{"startsat", F_STARTS, 1, NO_THING},
	{"starttime", F_STARTS, 2, NO_THING},
	{"endsat", F_ENDS, 1, NO_THING},
	{"endtime", F_ENDS, 2, NO_THING},
	{"salesfrom", F_SALES_FROM, 1, NO_THING},
	{"salesstart", F_SALES_FROM, 2, NO_THING},
	{"salesuntil", F_SALES_UNTIL, 1, NO_THING},
	{"salesend", F_SALES_UNTIL, 2, NO_THING},
	{"data", F_NEST, 1, NO_THING},
	{"payload", F_NEST, 1, NO_THING},
	{"event", F_NEST, 1, AN_EVENT},
	{"booking", F_NEST, 1, A_BOOKING},
	{"user", F_NEST, 1, A_USER},
};

static const char *const field_names[FIELDS] = {
	[F_TYPE] = "type",         [F_AT] = "occurred_at",        [F_VERSION] = "version",
	[F_SEQ] = "seq",           [F_EVENT] = "event_id",        [F_BOOKING] = "booking_id",
	[F_USER] = "user_id",      [F_SEATS] = "seats",           [F_AMOUNT] = "amount",
	[F_CURRENCY] = "currency", [F_STATUS] = "status",         [F_NAME] = "name",
	[F_CATEGORY] = "category", [F_CAPACITY] = "capacity",     [F_STARTS] = "starts_at",
	[F_ENDS] = "ends_at",      [F_SALES_FROM] = "sales_from", [F_SALES_UNTIL] = "sales_until",
};

static const struct name *find_name(const char *said)
{
	char plain[NAME_BYTES];
	size_t n = 0;
	for (; *said; said++) {
		if (*said == '_' || *said == '-')
			continue;
		if (n == NAME_BYTES - 1)
			return NULL;
		plain[n++] = lower(*said);
	}
	plain[n] = '\0';
	for (size_t i = 0; i < COUNT(names); i++)
		if (strcmp(names[i].name, plain) == 0)
			return &names[i];
	return NULL;
}

/* ---- finding them ------------------------------------------------------------------ */

struct reading {
	struct arena *arena;
	enum booking_kind kind; /* BOOKING_KINDS: none of ours */
	enum thing about;
	const struct jnode *type;          /* as the message says it; NULL: it does not */
	const struct jnode *value[FIELDS]; /* NULL: not there */
	int score[FIELDS];
	struct errbuf *eb;
};

static int by_name(const void *a, const void *b)
{
	const struct jnode *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

/* The members in the order of their names: whoever wrote them in another order said the same. */
static const struct jnode **sorted(struct arena *a, const struct jnode *object)
{
	const struct jnode **members = arena_array(a, object->n + 1, sizeof *members);
	size_t n = 0;
	for (const struct jnode *m = object->first; m; m = m->next)
		members[n++] = m;
	qsort(members, n, sizeof *members, by_name);
	return members;
}

/* The outermost that is one of ours, else the outermost. */
static void find_type(struct reading *r, const struct jnode *object, int level)
{
	const struct jnode **m = sorted(r->arena, object), *outer = r->type;
	int best = 2 * TYPE_RANKS;
	for (size_t i = 0; m[i]; i++) {
		const struct name *name = find_name(m[i]->name);
		if (!name || name->field != F_TYPE || !jnode_string(m[i]))
			continue;
		enum booking_kind kind = kind_of(m[i]->text);
		bool ours = kind != BOOKING_KINDS;
		int rank = name->rank + (ours ? 0 : TYPE_RANKS);
		if (rank >= best || (!ours && outer))
			continue;
		best = rank;
		r->type = m[i];
		r->kind = kind;
	}
	for (size_t i = 0; m[i] && r->kind == BOOKING_KINDS && level < LEVELS; i++) {
		const struct name *name = find_name(m[i]->name);
		if (name && name->field == F_NEST && name->about == NO_THING && m[i]->kind == JNODE_OBJECT)
			find_type(r, m[i], level + 1);
	}
}

static bool says_type(const struct jnode *object, int level)
{
	for (const struct jnode *m = object->first; m; m = m->next) {
		const struct name *name = strchr("tedpTEDP_-", *m->name) ? find_name(m->name) : NULL;
		if (!name)
			continue;
		if (name->field == F_TYPE && jnode_string(m) && booking_message_is(m->text))
			return true;
		if (name->field == F_NEST && name->about == NO_THING && m->kind == JNODE_OBJECT &&
		    level < LEVELS && says_type(m, level + 1))
			return true;
	}
	return false;
}

bool booking_message_says(const struct jnode *object)
{
	return object->kind == JNODE_OBJECT && says_type(object, 0);
}

/* Where null says something: that there is none. */
static bool is_nullable(enum field f)
{
	return f >= F_CAPACITY && f <= F_SALES_UNTIL;
}

/* `about` is what the object is about: of another thing than the message only its id counts. */
static void collect(struct reading *r, const struct jnode *object, enum thing about, int level)
{
	static const enum field ids[] = {FIELDS, F_BOOKING, F_EVENT, F_USER};
	const struct jnode **m = sorted(r->arena, object);
	for (size_t i = 0; m[i]; i++) {
		const struct name *name = find_name(m[i]->name);
		if (!name)
			continue;
		enum field f = name->field == F_ID ? ids[about] : name->field;
		if (f == F_NEST && m[i]->kind == JNODE_OBJECT && level < LEVELS)
			collect(r, m[i], name->about == NO_THING ? about : name->about, level + 1);
		if (f >= FIELDS || (about != r->about && f != ids[about]) ||
		    (m[i]->kind == JNODE_NULL && !is_nullable(f)))
			continue;
		/* the better name, and of equal names the innermost */
		int score = name->rank * (LEVELS + 1) + LEVELS - level;
		if (r->value[f] && r->score[f] <= score)
			continue;
		r->value[f] = m[i];
		r->score[f] = score;
	}
}

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
	const struct jnode **m = sorted(a, object);
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

static enum err missing(struct reading *r, enum field f)
{
	return err_set_field(r->eb, ERR_INVALID, field_names[f], "%s is missing", field_names[f]);
}

static enum err wrong(struct reading *r, enum field f, const char *what)
{
	return err_set_field(r->eb, ERR_INVALID, field_names[f], "%s is not %s", field_names[f], what);
}

/* The text of a string or the digits of a number; NULL of anything else. */
static const char *said(const struct jnode *v)
{
	return v->kind == JNODE_STRING || v->kind == JNODE_NUMBER ? v->text : NULL;
}

/* *out stays as it is where nobody says; so it is with all of these. */
static enum err take_text(struct reading *r, enum field f, size_t max, const char **out)
{
	const struct jnode *v = r->value[f];
	if (!v)
		return ERR_OK;
	if (v->kind != JNODE_STRING && (v->kind != JNODE_NUMBER || !v->whole))
		return wrong(r, f, "a text or a whole number");
	if (v->n > max)
		return err_set_field(r->eb, ERR_INVALID, field_names[f], "%s is longer than %zu bytes",
		                     field_names[f], max);
	if (v->n > 0)
		*out = v->text;
	return ERR_OK;
}

static enum err take_whole(struct reading *r, enum field f, int64_t min, int64_t max, int64_t *out)
{
	const struct jnode *v = r->value[f];
	int64_t n = 0;
	if (!v)
		return ERR_OK;
	if (!jnode_int(v, &n) || n < min || n > max)
		return err_set_field(r->eb, ERR_INVALID, field_names[f],
		                     "%s is not a whole number from %lld to %lld", field_names[f],
		                     (long long)min, (long long)max);
	*out = n;
	return ERR_OK;
}

/* "1.0" is the version of a format, not of a thing. */
static enum err take_version(struct reading *r, int64_t *out)
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

static enum err take_time(struct reading *r, enum field f, int64_t *out)
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

static enum err take_amount(struct reading *r, const char **out)
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

static enum err take_currency(struct reading *r, const char **out)
{
	const struct jnode *v = r->value[F_CURRENCY];
	if (!v)
		return ERR_OK;
	const char *text = jnode_string(v);
	char *capitals = arena_alloc(r->arena, 4);
	for (size_t i = 0; text && i < 3; i++) {
		char c = lower(text[i]);
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

static enum err take_common(struct reading *r, struct booking_message *out)
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

static enum err take_booking(struct reading *r, struct booking_message *out)
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

static enum err take_bookable_status(struct reading *r, struct booking_message *out)
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

static unsigned says_of(const struct reading *r, const struct booking_message *m)
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

static enum err take_event(struct reading *r, struct booking_message *out)
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

static enum err take_all(struct reading *r, struct booking_message *out)
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
		*c = lower(*c);
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
	enum err rc;
	if (n > BOOKING_MESSAGE_BYTES)
		rc = err_set(eb, ERR_INVALID, "the message has %zu bytes, more than %d", n,
		             BOOKING_MESSAGE_BYTES);
	else
		rc = jnode_parse(a, n ? bytes : "", n, BOOKING_MESSAGE_DEPTH, NULL, &value, eb);
	env->json = rc == ERR_OK;
	if (rc == ERR_OK && value->kind != JNODE_OBJECT) {
		digest_value(a, value, NULL, env->dedup);
		return err_set(eb, ERR_MALFORMED, "the message is no JSON object");
	}
	if (rc != ERR_OK)
		digest_bytes(bytes, n, env->dedup);
	*out = value;
	return rc;
}

enum err booking_message_parse(struct arena *a, const char *bytes, size_t n, const char *hint,
                               struct booking_message *out, struct booking_envelope *env,
                               struct errbuf *eb)
{
	struct reading r = {.arena = a, .kind = BOOKING_KINDS, .eb = eb};
	const struct jnode *value = NULL;
	const char *hinted = NULL; /* the type that only the hint says */
	*env = (struct booking_envelope){.type = "", .event_id = BOOKING_NONE};
	enum err rc = parse(a, bytes, n, &value, env, eb);
	if (rc != ERR_OK)
		return rc;
	find_type(&r, value, 0);
	if (r.kind == BOOKING_KINDS) {
		r.kind = kind_of_hint(hint);
		hinted = r.kind == BOOKING_KINDS ? NULL : kinds[r.kind].type;
	}
	bool ours = r.kind != BOOKING_KINDS;
	r.about = ours ? kinds[r.kind].about : NO_THING;
	collect(&r, value, r.about, 0);
	digest_value(a, value, hinted, env->dedup);
	env->type = ours ? kinds[r.kind].type : small_type(a, r.type);
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
