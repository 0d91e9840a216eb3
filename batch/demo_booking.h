/* demo_booking.h: `takings-batch demo --bookings`: messages about the events of the demo house and
 * their bookings, put into the inbox of analytics_db, from where takings-stream makes the figures.
 */
#ifndef TAKINGS_BATCH_DEMO_BOOKING_H
#define TAKINGS_BATCH_DEMO_BOOKING_H

#include "base/conf.h"
#include "batch/jobs.h"

enum job_exit demo_bookings(const struct conf *conf, int argc, char **argv);

#endif
