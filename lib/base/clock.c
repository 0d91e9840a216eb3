/* clock.c: clock_gettime, and one way to write it down. */
#include "base/clock.h"

#include <stdio.h>

int64_t clock_now_us(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_mono_ms(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_mono_us(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

struct timespec clock_timespec(int64_t mono_ms)
{
	return (struct timespec){.tv_sec = (time_t)(mono_ms / 1000),
	                         .tv_nsec = (long)(mono_ms % 1000) * 1000000};
}

void clock_format_utc(int64_t at_us, char out[CLOCK_TEXT])
{
	time_t s = (time_t)(at_us / 1000000);
	struct tm tm;
	char date[24];
	(void)gmtime_r(&s, &tm);
	(void)strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(out, CLOCK_TEXT, "%s.%03dZ", date, (int)(at_us / 1000 % 1000));
}
