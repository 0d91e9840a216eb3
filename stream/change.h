/* change.h: what a message means: a piece of news about an order, a line of one, or a refund.
 *
 * The state of each is a function of the set of its changes, whatever the order in which they
 * arrive and however often: each field takes the value of the change with the greatest version of
 * those that say it. An order has two registers, each with a version of its own: how it was born
 * (everything but the status) and its status with the cancellation; a line and a refund have one.
 * A deletion says all fields: nothing. Two changes of one order that were read together are folded
 * into one before the database sees them; folding gives the same as applying one after the other.
 *
 * A version is a pair, compared major first:
 *
 *   a row of a database: major = VERSION_ROW + its LSN (or binlog position), minor = the change's
 *     time in microseconds * 2048; outranks every event about the same order
 *   an event with a version: major = the version, minor = as next
 *   an event with a time: major = 0, minor = (time in us << 11) | (rank of its kind << 8) | 8 bits
 *     of a hash of what it says, so that equal times have an order, too
 *   neither: major = 0, minor = its offset
 *
 * Times lie between 1970 and 2100, so that nothing overflows. */
#ifndef TAKINGS_STREAM_CHANGE_H
#define TAKINGS_STREAM_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

#define VERSION_ROW (INT64_C(1) << 62)

struct version {
	int64_t major, minor;
};

#define VERSION_NEVER ((struct version){-1, -1})

enum change_kind { CHANGE_ORDER, CHANGE_LINE, CHANGE_REFUND };

enum { CHANGE_FIELDS = 18 };

/* What a change says; what it does not say keeps its value. The type change_field of analytics_db
 * (sql/migrations/009_stream.sql) has the same names in the same order. */
enum change_field {
	HAS_PLACED = 1 << 0, /* placed_us, placed_local_s */
	HAS_TOTAL = 1 << 1,
	HAS_CURRENCY = 1 << 2,
	HAS_LOCATION = 1 << 3,
	HAS_CUSTOMER = 1 << 4,
	HAS_DISCOUNT = 1 << 5,
	HAS_TAX = 1 << 6,
	HAS_SHIPPING = 1 << 7,
	HAS_TIP = 1 << 8,
	HAS_STATUS = 1 << 9,
	HAS_CANCELLED = 1 << 10, /* cancelled_us, cancelled_local_s, cancel_reason */
	HAS_ORDER_ID = 1 << 11,  /* of a line or refund: the order it belongs to */
	HAS_ITEM = 1 << 12,
	HAS_NAME = 1 << 13,
	HAS_QUANTITY = 1 << 14,
	HAS_PRICE = 1 << 15,
	HAS_AMOUNT = 1 << 16, /* of a refund, or of a line whose message gives the sum itself */
	HAS_REFUNDED = 1 << 17,
	HAS_ALL = (1 << CHANGE_FIELDS) - 1
};

enum { HAS_STATUS_REGISTER = HAS_STATUS | HAS_CANCELLED };

/* Which registers of an order a change writes. */
enum change_register { WRITES_BIRTH = 1, WRITES_STATUS = 2 };

/* A missing time or amount; it counts for nothing. */
#define CHANGE_NONE INT64_MIN
#define LOCATION_NONE INT32_MIN

/* Texts are UTF-8 without NUL bytes and live in the arena of their batch. Money that has a
 * currency with it is in minor units; what has none (a line, a refund) is an exact decimal. */
struct change {
	enum change_kind kind;
	unsigned fields;    /* HAS_... */
	unsigned registers; /* of an order: WRITES_... */
	bool deleted;       /* the row is gone; nothing else is said */
	bool event;         /* of a line: it came inside the event that made its order, and counts only
	                     * while the order's birth has this very version */
	const char *id;     /* of the order, the line or the refund */
	const char *order_id;          /* of a line or refund */
	struct version birth, status;  /* a line's and a refund's version is `birth` */
	const struct version *said_at; /* NULL: each field was said with the version of its register;
	                                * else CHANGE_FIELDS versions, VERSION_NEVER for what was not */

	const char *status_word;                     /* "" where the row has none */
	bool counted;                                /* by the rules in force; set when it is written */
	const char *currency;                        /* three capitals */
	int32_t location;                            /* LOCATION_NONE: not known */
	const char *customer;                        /* NULL: unknown */
	int64_t total, discount, tax, shipping, tip; /* minor units; CHANGE_NONE: none */
	int64_t placed_us, cancelled_us, refunded_us; /* since 1970, UTC; CHANGE_NONE: never, or not
	                                               * to be believed */
	int64_t placed_local_s, cancelled_local_s,
		refunded_local_s;      /* the same on the site's wall
	                            * clock by the shifts of the calendar: local / 3600 is the hour and
	                            * (local - cutoff) / 86400 the business day, counted from 1970 */
	const char *cancel_reason; /* NULL: none */

	const char *item, *name;               /* name NULL: the item's id stands for it */
	const char *quantity, *price, *amount; /* exact decimals; NULL: none */
};

/* < 0, 0, > 0. */
int version_compare(struct version a, struct version b);

/* Makes of a change as it was read what can be folded: of an order, what its registers do not write
 * is not said and has no version; what is deleted says that there is nothing. */
void change_clean(struct change *ch);

/* Puts `b` onto `a`: the same order, line or refund, any versions, both clean. Strings are
 * borrowed; what must be remembered of versions goes to the arena. */
void change_fold(struct change *a, const struct change *b, struct arena *arena);

/* The changes of a batch, one for each order, line and refund: what is put is folded. An order that
 * a line or a refund names is there, too, with no register if nothing is said of itself. */
struct changes;

struct changes *changes_new(void);
void changes_free(struct changes *c);
void changes_clear(struct changes *c); /* keeps some memory for the next batch */

/* There are none any more, but what is in the arena stays. */
void changes_forget(struct changes *c);

/* Where the texts of changes belong; goes with changes_clear. */
struct arena *changes_arena(struct changes *c);

void changes_put(struct changes *c, const struct change *ch);

/* The newest name that was put for an item; what becomes of lines takes none away. */
struct item_name {
	const char *item, *name;
	struct version version;
};
const struct item_name *const *changes_names(struct changes *c, size_t *n);

/* In the order of kind and then id (bytes), so that two batches lock in one order. */
const struct change *const *changes_sorted(struct changes *c, size_t *n);

/* What they take of memory, about. */
size_t changes_bytes(const struct changes *c);

#endif
