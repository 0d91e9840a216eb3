/* activity_parts.h: what the files of activity_event.h and activity_schema.h share; nobody else
 * includes it. */
#ifndef TAKINGS_DOMAIN_ACTIVITY_PARTS_H
#define TAKINGS_DOMAIN_ACTIVITY_PARTS_H

#include "domain/activity_event.h"

/* An event on its way. */
struct activity_reading {
	struct arena *arena;
	const struct activity_rules *rules;
	const struct activity_sender *sender;
	struct activity_event *out;
	struct errbuf *eb;
	int names_n; /* in properties so far */
	const char *dropped[ACTIVITY_PROPERTIES];
	int dropped_n;
};

/* ---- activity_properties.c ---------------------------------------------------- */

/* The name of a property within those around it; of an element the array's. */
struct activity_place {
	const struct activity_place *up;
	const char *name;
};

/* "properties.price" */
const char *activity_place_text(struct arena *a, const struct activity_place *at);

/* A copy of properties (NULL: {}) without what may not be kept, members by name. ERR_INVALID: it
 * breaks a limit. */
MUST_CHECK enum err activity_properties_read(struct activity_reading *r, const struct jnode *from,
                                             struct jnode **out);

/* Price, quantity, currency and dimensions. */
MUST_CHECK enum err activity_properties_mean(struct activity_reading *r, struct jnode *properties);

/* Leaves of addresses what may be kept; true: something changed. */
bool activity_properties_shorten(struct activity_reading *r, struct jnode *properties);

/* As JSON. */
void activity_json_put(struct buf *out, const struct jnode *v);

/* Exact decimal >= 0 of a text or number; NULL: it is none. */
const char *activity_price(struct arena *a, const struct jnode *v);

/* ---- activity_time.c ------------------------------------------------------------ */

/* occurred_us, claimed_us and flags. ERR_NOTHING: too old. The times may be NULL: not said. */
MUST_CHECK enum err activity_times_read(struct activity_reading *r, const struct jnode *timestamp,
                                        const struct jnode *sent_at);

/* ---- activity_event.c ------------------------------------------------------------ */

/* NULL: it is fine; else what is wrong, to stand behind its name. */
const char *activity_id_fault(const char *id);

int64_t activity_session_key(const struct activity_event *e);

#endif
