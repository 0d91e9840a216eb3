/* cache.c: a hash table with a list of use. */
#include "cgi-bin/cache.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { SLOTS = 4096, LIVE_MS = 1000 };

struct entry {
	struct cached cached; /* first: what callers hold is the entry */
	struct entry *next;   /* in the slot */
	struct entry *newer, *older;
	uint64_t hash;
	struct cache_epoch epoch;
	char *key;
	size_t key_n, bytes;
	atomic_int refs;
};

struct cache {
	unsigned char hash_key[crypto_shorthash_KEYBYTES];
	pthread_mutex_t lock;
	struct entry *slots[SLOTS];
	struct entry *newest, *oldest;
	size_t max_bytes;
	struct cache_stats stats;
};

struct cache *cache_new(size_t max_bytes)
{
	struct cache *c = mem_alloc(sizeof *c);
	c->max_bytes = max_bytes;
	crypto_shorthash_keygen(c->hash_key);
	must(pthread_mutex_init(&c->lock, NULL) == 0);
	return c;
}

/* ---- entries ------------------------------------------------------------ */

void cache_release(const struct cached *entry)
{
	/* Only the cache makes entries: the const is for readers. */
	struct entry *e = (struct entry *)(uintptr_t)entry;
	if (!e || atomic_fetch_sub(&e->refs, 1) > 1)
		return;
	answer_fini(&e->cached.answer);
	buf_fini(&e->cached.body);
	free(e->key);
	free(e);
}

static struct entry *entry_new(struct cached *made)
{
	struct entry *e = mem_alloc(sizeof *e);
	e->cached = *made;
	*made = (struct cached){0};
	atomic_init(&e->refs, 1);
	return e;
}

const struct cached *cache_alone(struct cached *made)
{
	return &entry_new(made)->cached;
}

static size_t entry_bytes(const struct entry *e)
{
	size_t n = sizeof *e + e->key_n + e->cached.body.cap;
	for (int i = 0; i < e->cached.answer.n; i++)
		n += rowset_bytes(&e->cached.answer.parts[i]);
	return n;
}

/* ---- with the lock held -------------------------------------------------- */

static void unlink_use(struct cache *c, struct entry *e)
{
	*(e->newer ? &e->newer->older : &c->newest) = e->older;
	*(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void link_newest(struct cache *c, struct entry *e)
{
	e->newer = NULL;
	e->older = c->newest;
	*(c->newest ? &c->newest->newer : &c->oldest) = e;
	c->newest = e;
}

static void drop(struct cache *c, struct entry *e)
{
	struct entry **at = &c->slots[e->hash % SLOTS];
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	unlink_use(c, e);
	c->stats.entries--;
	c->stats.bytes -= (int64_t)e->bytes;
	cache_release(&e->cached);
}

static struct entry *lookup(struct cache *c, uint64_t hash, const char *key, size_t key_n)
{
	for (struct entry *e = c->slots[hash % SLOTS]; e; e = e->next)
		if (e->hash == hash && e->key_n == key_n && memcmp(e->key, key, key_n) == 0)
			return e;
	return NULL;
}

static void insert(struct cache *c, struct entry *e)
{
	struct entry *before = lookup(c, e->hash, e->key, e->key_n);
	if (before)
		drop(c, before);
	e->next = c->slots[e->hash % SLOTS];
	c->slots[e->hash % SLOTS] = e;
	link_newest(c, e);
	c->stats.entries++;
	c->stats.bytes += (int64_t)e->bytes;
	while ((size_t)c->stats.bytes > c->max_bytes && c->oldest) {
		drop(c, c->oldest); /* NOLINT(clang-analyzer-unix.Malloc): it is linked, so not freed */
		c->stats.evicted++;
	}
}

/* ---- from outside --------------------------------------------------------- */

static uint64_t hash_key(const struct cache *c, const char *key, size_t key_n)
{
	uint64_t hash;
	(void)crypto_shorthash((unsigned char *)&hash, (const unsigned char *)key, key_n, c->hash_key);
	return hash;
}

static bool counts(const struct entry *e, const struct cache_epoch *epoch, int64_t age_ms,
                   int64_t ttl_ms)
{
	if (e->epoch.data != epoch->data || age_ms >= ttl_ms)
		return false;
	return !e->cached.live || (e->epoch.live == epoch->live && age_ms < LIVE_MS);
}

const struct cached *cache_find(struct cache *c, const char *key, size_t key_n,
                                const struct cache_epoch *epoch, int64_t now_ms, int64_t ttl_ms)
{
	uint64_t hash = hash_key(c, key, key_n);
	(void)pthread_mutex_lock(&c->lock);
	struct entry *e = lookup(c, hash, key, key_n);
	if (e && !counts(e, epoch, now_ms - e->cached.made_ms, ttl_ms)) {
		drop(c, e);
		e = NULL;
	}
	if (e) {
		unlink_use(c, e);
		link_newest(c, e);
		atomic_fetch_add(&e->refs, 1);
	}
	*(e ? &c->stats.hits : &c->stats.misses) += 1;
	(void)pthread_mutex_unlock(&c->lock);
	return e ? &e->cached : NULL;
}

const struct cached *cache_keep(struct cache *c, const char *key, size_t key_n,
                                const struct cache_epoch *epoch, struct cached *made)
{
	struct entry *e = entry_new(made);
	e->key = mem_alloc(key_n + 1);
	memcpy(e->key, key, key_n);
	e->key_n = key_n;
	e->hash = hash_key(c, key, key_n);
	e->epoch = *epoch;
	e->bytes = entry_bytes(e);
	atomic_fetch_add(&e->refs, 1);
	(void)pthread_mutex_lock(&c->lock);
	insert(c, e);
	(void)pthread_mutex_unlock(&c->lock);
	return &e->cached; /* NOLINT(clang-analyzer-unix.Malloc): the caller's reference keeps it */
}

void cache_stats_get(struct cache *c, struct cache_stats *out)
{
	(void)pthread_mutex_lock(&c->lock);
	*out = c->stats;
	(void)pthread_mutex_unlock(&c->lock);
}

void cache_free(struct cache *c)
{
	for (struct entry *next, *e = c->oldest; e; e = next) {
		next = e->newer;
		cache_release(&e->cached);
	}
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
}
