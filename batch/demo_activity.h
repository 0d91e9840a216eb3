/* demo_activity.h: `takings-batch demo --activity`: 90 days of visits to the demo house's site,
 * stored as tracked events; and how such an event is read, for whoever plays visits. */
#ifndef TAKINGS_BATCH_DEMO_ACTIVITY_H
#define TAKINGS_BATCH_DEMO_ACTIVITY_H

#include "base/conf.h"
#include "batch/demo_visit.h"
#include "batch/jobs.h"
#include "domain/activity_store.h"

enum job_exit demo_activity(const struct conf *conf, int argc, char **argv);

/* Puts one that arrives at `received_us` to those that are to be stored. */
void demo_activity_put(struct activity_rows *rows, struct arena *a, const char *agent,
                       const char *text, int64_t received_us);

/* The card's part of the day at a time of the wall clock, in seconds since midnight. */
enum demo_part demo_activity_part(int64_t day_s);

#endif
