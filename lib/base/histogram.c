/* histogram.c: see histogram.h. */
#include "base/histogram.h"

#include "base/prom.h"

enum { MINUTE_MS = 60000, SLOTS = WINDOW_MINUTES + 1 };

static const int64_t bounds_us[HISTOGRAM_BUCKETS] = {500,     1000,    2500,    5000,     10000,
                                                     25000,   50000,   100000,  250000,   500000,
                                                     1000000, 2500000, 5000000, 10000000, 30000000};

/* ---- fixed buckets --------------------------------------------------------- */

void histogram_add(struct histogram *h, int64_t us)
{
	int i = 0;
	while (i < HISTOGRAM_BUCKETS && us > bounds_us[i])
		i++;
	(void)atomic_fetch_add_explicit(&h->n[i], 1, memory_order_relaxed);
	(void)atomic_fetch_add_explicit(&h->sum_us, us > 0 ? (uint64_t)us : 0, memory_order_relaxed);
}

uint64_t histogram_count(struct histogram *h)
{
	uint64_t total = 0;
	for (int i = 0; i <= HISTOGRAM_BUCKETS; i++)
		total += atomic_load_explicit(&h->n[i], memory_order_relaxed);
	return total;
}

static void put_bucket(struct buf *out, const char *name, const char *labels, int i, uint64_t n)
{
	buf_printf(out, "%s_bucket{%s%sle=\"", name, labels, *labels ? "," : "");
	if (i < HISTOGRAM_BUCKETS)
		prom_seconds(out, (uint64_t)bounds_us[i]);
	else
		buf_puts(out, "+Inf");
	buf_printf(out, "\"} %llu\n", (unsigned long long)n);
}

void histogram_print(struct histogram *h, const char *name, const char *labels, struct buf *out)
{
	const char *open = *labels ? "{" : "", *close = *labels ? "}" : "";
	uint64_t total = 0;
	for (int i = 0; i <= HISTOGRAM_BUCKETS; i++) {
		total += atomic_load_explicit(&h->n[i], memory_order_relaxed);
		put_bucket(out, name, labels, i, total);
	}
	buf_printf(out, "%s_sum%s%s%s ", name, open, labels, close);
	prom_seconds(out, atomic_load_explicit(&h->sum_us, memory_order_relaxed));
	buf_printf(out, "\n%s_count%s%s%s %llu\n", name, open, labels, close,
	           (unsigned long long)total);
}

/* ---- the last minutes ------------------------------------------------------ */

/* Eight buckets to each doubling: 8..15 us one each, then 16, 18, 20 ... 30, 32, 36 ... */
static int bucket_of(int64_t us)
{
	uint64_t v = us < 1 ? 1 : (uint64_t)us;
	int doubling = 63 - __builtin_clzll(v);
	int sub = doubling >= 3 ? (int)(v >> (doubling - 3)) & 7 : (int)(v << (3 - doubling)) & 7;
	int i = doubling * WINDOW_SUB + sub;
	return i < WINDOW_BUCKETS ? i : WINDOW_BUCKETS - 1;
}

static int64_t middle_of(int i)
{
	return (int64_t)((double)(1ULL << (i / WINDOW_SUB)) *
	                 (1 + (i % WINDOW_SUB + 0.5) / WINDOW_SUB));
}

void window_add(struct window *w, int64_t now_ms, int64_t us)
{
	/* Minutes count from 1, so that a slot never used is of none. */
	int64_t minute = now_ms / MINUTE_MS + 1;
	int at = (int)(minute % SLOTS);
	int64_t was = atomic_load_explicit(&w->slots[at].minute, memory_order_relaxed);
	if (was != minute && atomic_compare_exchange_strong(&w->slots[at].minute, &was, minute))
		for (int i = 0; i < WINDOW_BUCKETS; i++)
			atomic_store_explicit(&w->slots[at].n[i], 0, memory_order_relaxed);
	(void)atomic_fetch_add_explicit(&w->slots[at].n[bucket_of(us)], 1, memory_order_relaxed);
}

static uint64_t collect(struct window *w, int64_t now_ms, uint64_t n[WINDOW_BUCKETS])
{
	int64_t minute = now_ms / MINUTE_MS + 1;
	uint64_t total = 0;
	for (int i = 0; i < WINDOW_BUCKETS; i++)
		n[i] = 0;
	for (int at = 0; at < SLOTS; at++) {
		if (atomic_load(&w->slots[at].minute) < minute - WINDOW_MINUTES ||
		    atomic_load(&w->slots[at].minute) < 1)
			continue;
		for (int i = 0; i < WINDOW_BUCKETS; i++) {
			uint32_t here = atomic_load_explicit(&w->slots[at].n[i], memory_order_relaxed);
			n[i] += here;
			total += here;
		}
	}
	return total;
}

void window_quantiles(struct window *w, int64_t now_ms, const double *shares, int n,
                      int64_t *out_us)
{
	uint64_t counts[WINDOW_BUCKETS], total = collect(w, now_ms, counts), below = 0;
	for (int k = 0, i = -1; k < n; k++) {
		out_us[k] = -1;
		if (!total)
			continue;
		while (i < WINDOW_BUCKETS - 1 && (i < 0 || (double)below < shares[k] * (double)total))
			below += counts[++i];
		out_us[k] = middle_of(i);
	}
}
