/* gauges.h: the gauges that all sources share: each says its own, the numbers are of all of them.
 */
#ifndef TAKINGS_STREAM_GAUGES_H
#define TAKINGS_STREAM_GAUGES_H

#include <stdint.h>

struct gauges;

struct gauges *gauges_new(void);
void gauges_free(struct gauges *g); /* what it said is taken back */

/* Messages read and not written yet, and what they take in memory. */
void gauges_set_buffer(struct gauges *g, int64_t messages, int64_t bytes);

/* Messages not read yet, and how far behind: -1 where it is not known. Of all sources the first is
 * the sum, the second the greatest; not known of one is not known of all. */
void gauges_set_lag(struct gauges *g, int64_t messages, int64_t behind_ms);

#endif
