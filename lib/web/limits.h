/* limits.h: how many requests a key, a user or an address may make.
 *
 * Token buckets in process: each holds up to `burst` requests and fills at `per_hour`.
 * The table is of fixed size; where it is full the bucket that is nearest to full
 * gives way, which forgets least. nginx holds the outer limits (nginx/). */
#ifndef TAKINGS_WEB_LIMITS_H
#define TAKINGS_WEB_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

enum limit_class {
	LIMIT_KEY,
	LIMIT_USER,
	LIMIT_ADDRESS,
	LIMIT_LOGIN,
	LIMIT_TRACK,   /* events from an address */
	LIMIT_INGEST,  /* events by a key */
	LIMIT_VISITOR, /* events of a visitor */
};

struct limit {
	int64_t per_hour, burst; /* per_hour 0: no limit */
};

struct limit_state {
	int64_t burst, left; /* whole requests */
	int64_t full_s;      /* until all of the burst is allowed again */
	int64_t retry_s;     /* until one more is allowed; 0 where it was */
};

struct limits;

struct limits *limits_new(void);
void limits_free(struct limits *l);

/* Takes one request from the bucket of `id` (a key's or user's number, an address); false
 * where it is empty. `now_us` is monotonic. */
bool limits_take(struct limits *l, enum limit_class class, const char *id,
                 const struct limit *limit, int64_t now_us, struct limit_state *out);

/* `n` of them, or none. More than the burst are never allowed. */
bool limits_take_many(struct limits *l, enum limit_class class, const char *id,
                      const struct limit *limit, int64_t n, int64_t now_us,
                      struct limit_state *out);

#endif
