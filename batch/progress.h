/* progress.h: how far a long job is, for the person who waits.
 *
 * On a terminal one line is redrawn with bar, rate and time left; elsewhere a
 * plain line is printed at most every five seconds. Standard error either way. */
#ifndef TAKINGS_BATCH_PROGRESS_H
#define TAKINGS_BATCH_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what; /* "days written" */
	int64_t total;    /* 0: unknown, only the count and the rate are shown */
	int64_t done;
	int64_t start_ms, shown_ms;
	bool terminal;
};

void progress_begin(struct progress *p, const char *what, int64_t total);
void progress_step(struct progress *p, int64_t n);
void progress_end(struct progress *p);

#endif
