/* histogram.h: durations, counted by several threads at once without a lock. */
#ifndef TAKINGS_BASE_HISTOGRAM_H
#define TAKINGS_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"

/* ---- for Prometheus: fixed buckets, since the start ------------------------ */

enum { HISTOGRAM_BUCKETS = 15 }; /* 0.5 ms to 30 s; one more for what is longer */

struct histogram {
	_Atomic uint64_t n[HISTOGRAM_BUCKETS + 1];
	_Atomic uint64_t sum_us;
};

void histogram_add(struct histogram *h, int64_t us);
uint64_t histogram_count(struct histogram *h);

/* The samples NAME_bucket, NAME_sum and NAME_count, in seconds. `labels` is the inside of
 * the braces, escaped and without le: route="/health". The count is that of the buckets,
 * whatever is added meanwhile. */
void histogram_print(struct histogram *h, const char *name, const char *labels, struct buf *out);

/* ---- for quantiles: fine buckets, of the last minutes ----------------------- */

enum { WINDOW_MINUTES = 5, WINDOW_SUB = 8, WINDOW_BUCKETS = 36 * WINDOW_SUB };

struct window {
	struct {
		_Atomic int64_t minute; /* what the counts below are of */
		_Atomic uint32_t n[WINDOW_BUCKETS];
	} slots[WINDOW_MINUTES + 1];
};

/* `now_ms` is monotonic. In the moment a minute begins a few may be lost. */
void window_add(struct window *w, int64_t now_ms, int64_t us);

/* The durations below which these shares of the last five to six minutes lie, in
 * microseconds, right to an eighth; -1 where there was nothing. Shares ascend. */
void window_quantiles(struct window *w, int64_t now_ms, const double *shares, int n,
                      int64_t *out_us);

#endif
