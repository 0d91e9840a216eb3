/* clock.h: the two clocks. Wall time is for stamps, monotonic time for durations.
 * Business days and hours are not computed here but in SQL
 * (sql/migrations/001_calendar.sql). */
#ifndef TAKINGS_BASE_CLOCK_H
#define TAKINGS_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

enum { CLOCK_TEXT = 32 }; /* bytes of "2025-01-15T10:30:00.123Z" with room */

/* Microseconds since 1970-01-01T00:00Z. */
int64_t clock_now_us(void);

/* Milliseconds and microseconds of a clock that never jumps. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

/* A time of that clock for the waits of pthread and the kernel. `mono_ms` is not negative. */
struct timespec clock_timespec(int64_t mono_ms);

/* ISO 8601 in UTC with milliseconds and Z. */
void clock_format_utc(int64_t at_us, char out[CLOCK_TEXT]);

#endif
