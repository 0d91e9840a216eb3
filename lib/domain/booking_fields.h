/* booking_fields.h: which names and types of a message about bookings mean what; booking_message.c
 * and nobody else includes it. */
#ifndef TAKINGS_DOMAIN_BOOKING_FIELDS_H
#define TAKINGS_DOMAIN_BOOKING_FIELDS_H

#include "domain/booking_message.h"

/* What a message, or an object inside it, is about. */
enum booking_thing { NO_THING, A_BOOKING, AN_EVENT, A_USER };

enum booking_field {
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
	BOOKING_FIELDS,
	F_ID,  /* in the table of names only: of what the object is about; */
	F_NEST /* holds fields itself */
};

/* A message on its way: what it is and which of its values says what. Borrowed from its tree. */
struct booking_reading {
	struct arena *arena;
	enum booking_kind kind; /* BOOKING_KINDS: none of ours */
	enum booking_thing about;
	const struct jnode *type;                  /* as the message says it; NULL: it does not */
	const struct jnode *value[BOOKING_FIELDS]; /* NULL: not there */
	int score[BOOKING_FIELDS];
	struct errbuf *eb;
};

/* Of ASCII, whatever the locale. */
static inline char booking_lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* Finds type, kind and values. *hinted: the type that only the hint says; NULL: the message says
 * one of ours, or nobody does. */
void booking_fields_find(struct booking_reading *r, const struct jnode *object, const char *hint,
                         const char **hinted);

/* What a field is called in messages about it. */
const char *booking_field_name(enum booking_field f);

/* The members of an object in the order of their names, and NULL behind them: whoever wrote them in
 * another order said the same. */
const struct jnode **booking_fields_sorted(struct arena *a, const struct jnode *object);

#endif
