/* gauges.c: sums over the sources. */
#include "stream/gauges.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/err.h"
#include "stream/stream.h"

enum { SOURCES_MAX = 8 };

struct gauges {
	bool used;
	int64_t messages, bytes, lag, behind_ms;
};

static struct gauges all[SOURCES_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void tell(void)
{
	struct gauges sum = {0};
	for (int i = 0; i < SOURCES_MAX; i++) {
		const struct gauges *g = &all[i];
		if (!g->used)
			continue;
		sum.messages += g->messages;
		sum.bytes += g->bytes;
		sum.lag = g->lag < 0 || sum.lag < 0 ? -1 : sum.lag + g->lag;
		if (g->behind_ms < 0 || sum.behind_ms < 0)
			sum.behind_ms = -1;
		else if (g->behind_ms > sum.behind_ms)
			sum.behind_ms = g->behind_ms;
	}
	stat_set(STAT_BUFFER_EVENTS, sum.messages);
	stat_set(STAT_BUFFER_BYTES, sum.bytes);
	stat_set(STAT_LAG_MESSAGES, sum.lag);
	stat_set(STAT_LAG_MS, sum.behind_ms);
}

static bool is_same(const struct gauges *a, const struct gauges *b)
{
	return a->used == b->used && a->messages == b->messages && a->bytes == b->bytes &&
	       a->lag == b->lag && a->behind_ms == b->behind_ms;
}

static void put(struct gauges *g, struct gauges now)
{
	(void)pthread_mutex_lock(&lock);
	if (!is_same(g, &now)) {
		*g = now;
		tell();
	}
	(void)pthread_mutex_unlock(&lock);
}

struct gauges *gauges_new(void)
{
	(void)pthread_mutex_lock(&lock);
	int i = 0;
	while (i < SOURCES_MAX && all[i].used)
		i++;
	must(i < SOURCES_MAX);
	all[i] = (struct gauges){.used = true, .lag = -1, .behind_ms = -1};
	tell();
	(void)pthread_mutex_unlock(&lock);
	return &all[i];
}

void gauges_free(struct gauges *g)
{
	put(g, (struct gauges){0});
}

void gauges_set_buffer(struct gauges *g, int64_t messages, int64_t bytes)
{
	struct gauges now = *g;
	now.messages = messages;
	now.bytes = bytes;
	put(g, now);
}

void gauges_set_lag(struct gauges *g, int64_t messages, int64_t behind_ms)
{
	struct gauges now = *g;
	now.lag = messages;
	now.behind_ms = behind_ms;
	put(g, now);
}
