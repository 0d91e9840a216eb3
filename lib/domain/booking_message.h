/* booking_message.h: what a message about events, bookings and users says. Pure: the same bytes
 * give the same. docs/BOOKINGS.md describes the formats with examples. */
#ifndef TAKINGS_DOMAIN_BOOKING_MESSAGE_H
#define TAKINGS_DOMAIN_BOOKING_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/jnode.h"

enum {
	BOOKING_MESSAGE_BYTES = 64 * 1024, /* a longer one is refused */
	BOOKING_MESSAGE_DEPTH = 16,
	BOOKING_ID_BYTES = 200,    /* longest booking_id and user_id */
	BOOKING_TEXT_BYTES = 1000, /* longest name and category */
	BOOKING_SEATS = 1000000,   /* most seats of one booking */
};

#define BOOKING_CAPACITY INT64_C(1000000000) /* greatest capacity */
#define BOOKING_NONE INT64_MIN               /* a number or time it does not say */

/* The kinds in the order of their rank: of messages of one thing with equal version, time and seq a
 * later one is newer. */
enum booking_kind {
	BOOKING_CREATED,
	BOOKING_CONFIRMED,
	BOOKING_CANCELLED,
	BOOKABLE_CREATED, /* event.created */
	BOOKABLE_UPDATED,
	BOOKABLE_PUBLISHED,
	BOOKABLE_CANCELLED,
	USER_CREATED,
	BOOKING_KINDS
};

/* Which fields of an event a message says. */
enum bookable_field {
	SAYS_NAME = 1 << 0,
	SAYS_CATEGORY = 1 << 1,
	SAYS_CAPACITY = 1 << 2,
	SAYS_CURRENCY = 1 << 3,
	SAYS_STARTS = 1 << 4,
	SAYS_ENDS = 1 << 5,
	SAYS_SALES_FROM = 1 << 6,
	SAYS_SALES_UNTIL = 1 << 7,
	SAYS_STATUS = 1 << 8,
};

/* Texts are UTF-8 in the arena. */
struct booking_message {
	enum booking_kind kind;
	int64_t version;     /* 0: it says none */
	int64_t occurred_us; /* since 1970, UTC */
	int64_t seq;         /* 0: none */
	int64_t digest; /* the kind and 7 bytes of `dedup`: of two messages with equal version, time and
	                 * seq the greater one is newer, as the kinds' ranks have it */
	unsigned char dedup[32]; /* SHA-256 of what it says: its JSON with sorted names and no spaces,
	                          * and with the type where only the hint says it */

	int64_t event_id;       /* 1...; BOOKING_NONE: it does not say */
	const char *booking_id; /* of a booking */
	const char *user_id;    /* NULL: it does not say */

	/* Of a booking. */
	bool confirmed;       /* of BOOKING_CREATED: it says that it is confirmed already */
	int64_t seats;        /* 0...BOOKING_SEATS, or BOOKING_NONE */
	const char *amount;   /* exact decimal, >= 0; NULL: it does not say */
	const char *currency; /* three capitals; NULL: it does not say. Also of an event */
	int64_t created_us;   /* of BOOKING_CREATED; else BOOKING_NONE */

	/* Of an event. */
	unsigned says; /* SAYS_... */
	const char *name, *category;
	int64_t capacity; /* BOOKING_NONE: says that there is no limit */
	int64_t starts_us, ends_us, sales_from_us,
		sales_until_us; /* BOOKING_NONE: says that there is none */
	const char *status; /* "draft", "published", "cancelled" */
};

/* What an inbox needs to know of any message, good or bad. */
struct booking_envelope {
	const char *type; /* "booking.created"; one that is none of these as it says it, in lower case
	                   * and at most 200 bytes; "" where nobody says */
	int64_t event_id; /* BOOKING_NONE: none that can be read */
	bool json;        /* its bytes are JSON, not nested too deep, and no more than may be */
	unsigned char dedup[32];
};

/* `hint` is what the transport says the type is (a channel's name: its end, behind a colon, slash
 * or point, is enough), where the message does not say one of these; NULL: nothing. Who reads a
 * message again gives the type it had then (event_log.event_type) as the hint, and reads the same.
 * ERR_OK; ERR_NOTHING: well-formed, and of a type that is none of these; ERR_MALFORMED: no JSON
 * object; ERR_INVALID: eb->field names what is wrong ("" where it is the whole). `env` is filled in
 * any case; `out` is only with ERR_OK. Times without an offset are UTC. Texts live in the arena. */
MUST_CHECK enum err booking_message_parse(struct arena *a, const char *bytes, size_t n,
                                          const char *hint, struct booking_message *out,
                                          struct booking_envelope *env, struct errbuf *eb);

/* Whether a type is one of those. */
bool booking_message_is(const char *type);

/* Whether an object says so itself, as booking_message_parse finds it. */
bool booking_message_says(const struct jnode *object);

const char *booking_kind_type(enum booking_kind kind); /* "booking.created" */

#endif
