/* breaker.c: a ring of failures and three states. */
#include "base/breaker.h"

bool breaker_allows(struct breaker *b, int64_t now_ms)
{
	if (b->state == BREAKER_CLOSED)
		return true;
	if (now_ms - b->opened_ms < BREAKER_OPEN_MS)
		return false;
	/* A trial that never reports back must not keep it shut: the next may try as late. */
	b->state = BREAKER_HALF_OPEN;
	b->opened_ms = now_ms;
	return true;
}

void breaker_succeeded(struct breaker *b)
{
	int64_t opened_n = b->opened_n;
	*b = (struct breaker){.opened_n = opened_n};
}

static void open_now(struct breaker *b, int64_t now_ms)
{
	b->opened_n += b->state == BREAKER_CLOSED;
	b->state = BREAKER_OPEN;
	b->opened_ms = now_ms;
}

void breaker_failed(struct breaker *b, int64_t now_ms)
{
	if (b->state == BREAKER_OPEN) /* one that began before it opened */
		return;
	b->failed_ms[b->next] = now_ms;
	b->next = (b->next + 1) % BREAKER_FAILURES;
	int64_t oldest = b->failed_ms[b->next]; /* the one FAILURES - 1 before this one */
	if (b->state == BREAKER_HALF_OPEN || (oldest && now_ms - oldest <= BREAKER_WINDOW_MS))
		open_now(b, now_ms);
}

const char *breaker_name(enum breaker_state state)
{
	static const char *const names[] = {"closed", "open", "half-open"};
	return names[state];
}
