/* demo_live_booking.h: while the demo is played, events of `demo --bookings` that are on sale are
 * booked, a few times a minute. */
#ifndef TAKINGS_BATCH_DEMO_LIVE_BOOKING_H
#define TAKINGS_BATCH_DEMO_LIVE_BOOKING_H

#include "base/conf.h"
#include "batch/demo_random.h"

struct live_bookings;

/* NULL where analytics_db cannot be had: then none are booked. */
struct live_bookings *live_bookings_open(const struct conf *conf, int64_t speed, int64_t seed);
void live_bookings_close(struct live_bookings *l); /* NULL: nothing happens */

/* When the next thing happens, since 1970; INT64_MAX: nothing will. */
int64_t live_bookings_next_us(const struct live_bookings *l);

/* What is due. A failure is written to the log, and then nothing happens any more. */
void live_bookings_step(struct live_bookings *l, int64_t now_us);

/* How many were made. */
int64_t live_bookings_n(const struct live_bookings *l);

#endif
