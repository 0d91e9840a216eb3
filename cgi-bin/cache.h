/* cache.h: answers kept in process until the figures change.
 *
 * An entry is found by route, role and the parameters as they are meant, and counts
 * while the epoch of the data is the one it was asked in and it is younger than the
 * time to live. One with figures as they happen (`live`) counts while theirs is, too,
 * and for a second at most: what is shown moves with the clock. An entry holds the rows, and for
 * JSON also the finished text with its ETag. Entries are shared by reference: one that is thrown
 * out lives until the last reader lets go. Keeping one never fails: what does not fit is not kept.
 */
#ifndef TAKINGS_CGI_CACHE_H
#define TAKINGS_CGI_CACHE_H

#include "base/buf.h"
#include "cgi-bin/answer.h"

enum { CACHE_ETAG = 40, CACHE_FILE = 64 };

struct cached {
	struct answer answer;  /* rows; n = 0 where only the text is of use */
	struct buf body;       /* JSON or CSV; empty for pages */
	char file[CACHE_FILE]; /* CSV: the name to save it under */
	char etag[CACHE_ETAG]; /* with its quotes; "" for pages, and JSON that is not kept */
	int64_t made_ms;       /* monotonic */
	int64_t data_version;  /* the figures are at least this new */
	bool live;             /* some of them change as things happen */
};

/* What had been heard when an answer was asked for. */
struct cache_epoch {
	uint64_t data, live;
};

struct cache;

/* At most `max_bytes` in all. */
struct cache *cache_new(size_t max_bytes);
void cache_free(struct cache *c);

/* NULL where there is none of this epoch younger than `ttl_ms`. To be released. */
const struct cached *cache_find(struct cache *c, const char *key, size_t key_n,
                                const struct cache_epoch *epoch, int64_t now_ms, int64_t ttl_ms);

/* Takes over what is in `made`, and returns it as an entry to be released. */
const struct cached *cache_keep(struct cache *c, const char *key, size_t key_n,
                                const struct cache_epoch *epoch, struct cached *made);

/* The same without keeping it for others: for answers nobody may share. */
const struct cached *cache_alone(struct cached *made);

void cache_release(const struct cached *entry);

struct cache_stats {
	int64_t entries, bytes, hits, misses, evicted;
};

void cache_stats_get(struct cache *c, struct cache_stats *out);

#endif
