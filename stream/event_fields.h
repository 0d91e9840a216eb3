/* event_fields.h: which names of an order event mean what. */
#ifndef TAKINGS_STREAM_EVENT_FIELDS_H
#define TAKINGS_STREAM_EVENT_FIELDS_H

#include "base/jnode.h"

/* In the order of their rank: of equal times, a later kind is later news. */
enum event_kind { EVENT_CREATED, EVENT_STATUS, EVENT_CANCELLED, EVENT_DELETED, EVENT_OTHER };

enum event_field {
	F_TYPE,
	F_ORDER,
	F_VERSION,
	F_AT,
	F_PLACED,
	F_CHANGED,
	F_CANCELLED,
	F_STATUS,
	F_TOTAL,
	F_CURRENCY,
	F_LOCATION,
	F_CUSTOMER,
	F_DISCOUNT,
	F_TAX,
	F_SHIPPING,
	F_TIP,
	F_REASON,
	F_ITEMS,
	F_NEST, /* holds fields itself */
	L_ITEM,
	L_NAME,
	L_QUANTITY,
	L_PRICE,
	L_AMOUNT,
	EVENT_FIELDS
};

/* NULL: not there, or null. Borrowed from the message. */
struct event_fields {
	const struct jnode *value[EVENT_FIELDS];
	int score[EVENT_FIELDS];
};

void event_fields_of(const struct jnode *event, struct event_fields *out);
void event_fields_of_line(const struct jnode *line, struct event_fields *out);

/* By its type; EVENT_OTHER where it has none. */
enum event_kind event_kind_of(const struct event_fields *f);

/* What a field is called in messages about it. */
const char *event_field_name(enum event_field f);

/* For the tests: whether the tables are sorted. */
int event_fields_sorted(void);

#endif
