/* bookings_rows.h: rows of the inbox as what the functions of migration 011 take. Not shared
 * between threads. */
#ifndef TAKINGS_STREAM_BOOKINGS_ROWS_H
#define TAKINGS_STREAM_BOOKINGS_ROWS_H

#include "base/arena.h"
#include "db/rowset.h"
#include "web/json.h"

struct bookings_rows {
	struct arena arena; /* of the message that is being read */
	struct buf messages, dead, good;
	int messages_n, dead_n;
	int64_t *ids; /* of all of them, as they came */
	int n, cap;
};

void bookings_rows_init(struct bookings_rows *r);
void bookings_rows_fini(struct bookings_rows *r);

/* Reads rows with id, event_type and event_data; those before are forgotten. Afterwards: `messages`
 * is a JSON array for booking_states_take, `good` the ids of its rows as an array of SQL, `dead` an
 * array of those that cannot be read: {"id": 1, "error": "...", "field": "..."}. */
void bookings_rows_read(struct bookings_rows *r, const struct rowset *rs);

#endif
