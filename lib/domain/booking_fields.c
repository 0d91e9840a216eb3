/* booking_fields.c: one table of names and one of types. */
#include "domain/booking_fields.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 24, LEVELS = 3, TYPE_RANKS = 4 };

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- types -------------------------------------------------------------------- */

static const struct {
	const char *type;
	enum booking_thing about;
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

/* "booking_created" and "BookingCreated" are "booking.created". */
static bool same_type(const char *type, const char *said)
{
	for (; *type; type++) {
		if (*type != '.' && booking_lower(*said) != *type)
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

static const struct name {
	const char *name; /* small letters, without underscores and hyphens */
	enum booking_field field;
	int rank; /* 1 goes before 2 */
	enum booking_thing
		about; /* of F_NEST: what it holds; NO_THING: the same as what is around it */
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

static const char *const field_names[BOOKING_FIELDS] = {
	[F_TYPE] = "type",         [F_AT] = "occurred_at",        [F_VERSION] = "version",
	[F_SEQ] = "seq",           [F_EVENT] = "event_id",        [F_BOOKING] = "booking_id",
	[F_USER] = "user_id",      [F_SEATS] = "seats",           [F_AMOUNT] = "amount",
	[F_CURRENCY] = "currency", [F_STATUS] = "status",         [F_NAME] = "name",
	[F_CATEGORY] = "category", [F_CAPACITY] = "capacity",     [F_STARTS] = "starts_at",
	[F_ENDS] = "ends_at",      [F_SALES_FROM] = "sales_from", [F_SALES_UNTIL] = "sales_until",
};

const char *booking_field_name(enum booking_field f)
{
	return field_names[f];
}

static const struct name *find_name(const char *said)
{
	char plain[NAME_BYTES];
	size_t n = 0;
	for (; *said; said++) {
		if (*said == '_' || *said == '-')
			continue;
		if (n == NAME_BYTES - 1)
			return NULL;
		plain[n++] = booking_lower(*said);
	}
	plain[n] = '\0';
	for (size_t i = 0; i < COUNT(names); i++)
		if (strcmp(names[i].name, plain) == 0)
			return &names[i];
	return NULL;
}

/* ---- finding them ------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
	const struct jnode *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

const struct jnode **booking_fields_sorted(struct arena *a, const struct jnode *object)
{
	const struct jnode **members = arena_array(a, object->n + 1, sizeof *members);
	size_t n = 0;
	for (const struct jnode *m = object->first; m; m = m->next)
		members[n++] = m;
	qsort(members, n, sizeof *members, by_name);
	return members;
}

/* The outermost that is one of ours, else the outermost. */
static void find_type(struct booking_reading *r, const struct jnode *object, int level)
{
	const struct jnode **m = booking_fields_sorted(r->arena, object), *outer = r->type;
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
static bool is_nullable(enum booking_field f)
{
	return f >= F_CAPACITY && f <= F_SALES_UNTIL;
}

/* `about` is what the object is about: of another thing than the message only its id counts. */
static void collect(struct booking_reading *r, const struct jnode *object, enum booking_thing about,
                    int level)
{
	static const enum booking_field ids[] = {BOOKING_FIELDS, F_BOOKING, F_EVENT, F_USER};
	const struct jnode **m = booking_fields_sorted(r->arena, object);
	for (size_t i = 0; m[i]; i++) {
		const struct name *name = find_name(m[i]->name);
		if (!name)
			continue;
		enum booking_field f = name->field == F_ID ? ids[about] : name->field;
		if (f == F_NEST && m[i]->kind == JNODE_OBJECT && level < LEVELS)
			collect(r, m[i], name->about == NO_THING ? about : name->about, level + 1);
		if (f >= BOOKING_FIELDS || (about != r->about && f != ids[about]) ||
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

void booking_fields_find(struct booking_reading *r, const struct jnode *object, const char *hint,
                         const char **hinted)
{
	*hinted = NULL;
	r->kind = BOOKING_KINDS;
	find_type(r, object, 0);
	if (r->kind == BOOKING_KINDS) {
		r->kind = kind_of_hint(hint);
		*hinted = r->kind == BOOKING_KINDS ? NULL : kinds[r->kind].type;
	}
	r->about = r->kind == BOOKING_KINDS ? NO_THING : kinds[r->kind].about;
	collect(r, object, r->about, 0);
}
