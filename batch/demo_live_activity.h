/* demo_live_activity.h: while the demo is played, its site is visited: a few events a second. */
#ifndef TAKINGS_BATCH_DEMO_LIVE_ACTIVITY_H
#define TAKINGS_BATCH_DEMO_LIVE_ACTIVITY_H

#include "base/conf.h"
#include "batch/demo_zone.h"
#include "batch/demo_live.h"

struct live_activity;

/* NULL where analytics_db cannot be had: then nobody comes. `zone` and `money` are borrowed. */
struct live_activity *live_activity_open(const struct conf *conf, const struct demo_zone *zone,
                                         const struct live_money *money, int64_t unit_minor,
                                         int64_t speed, int64_t seed);
void live_activity_close(struct live_activity *l); /* NULL: nothing happens, as in all below */

/* When the next thing happens, since 1970; INT64_MAX: nothing will. */
int64_t live_activity_next_us(const struct live_activity *l);

/* What is due. A failure is written to the log, and then nothing happens any more. */
void live_activity_step(struct live_activity *l, int64_t now_us);

/* An order was made: where it is one of the site, somebody comes and makes it. */
void live_activity_order(struct live_activity *l, const struct live_order *o,
                         const struct demo_line *lines, int64_t now_us);

/* How many events there were. */
int64_t live_activity_n(const struct live_activity *l);

#endif
