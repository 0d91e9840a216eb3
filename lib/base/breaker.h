/* breaker.h: stops asking a dependency that does not answer (circuit breaker).
 *
 * Closed while all is well. FAILURES failures within WINDOW_MS open it: callers are
 * told no at once. After OPEN_MS one caller may try; success closes it, failure opens
 * it for as long again. Pure: the caller brings the time and the lock. */
#ifndef TAKINGS_BASE_BREAKER_H
#define TAKINGS_BASE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum { BREAKER_FAILURES = 5, BREAKER_WINDOW_MS = 10000, BREAKER_OPEN_MS = 5000 };

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker {
	enum breaker_state state;
	int64_t failed_ms[BREAKER_FAILURES]; /* a ring; 0: none */
	int next;
	int64_t opened_ms;
	int64_t opened_n; /* how often, for the metrics */
};

/* Whether a caller may try now; in an open one whose time has come, this caller is the trial. */
bool breaker_allows(struct breaker *b, int64_t now_ms);

void breaker_succeeded(struct breaker *b);
void breaker_failed(struct breaker *b, int64_t now_ms);

/* "closed", "open", "half-open". */
const char *breaker_name(enum breaker_state state);

#endif
