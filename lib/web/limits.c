/* limits.c: a hash table of token buckets. */
#include "web/limits.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

/* A bucket is looked for in one set of WAYS neighbours, under the lock of the set's group. */
enum { WAYS = 8, SETS = 2048, LOCKS = 64 };

static const int64_t HOUR_US = INT64_C(3600) * 1000000;

struct bucket {
	uint64_t id;
	int64_t full_us; /* monotonic; when it will be full again: its level, without rounding */
};

struct limits {
	unsigned char key[crypto_shorthash_KEYBYTES]; /* nobody can choose ids that collide */
	pthread_mutex_t locks[LOCKS];
	struct bucket sets[SETS][WAYS];
};

struct limits *limits_new(void)
{
	struct limits *l = mem_alloc(sizeof *l);
	crypto_shorthash_keygen(l->key);
	for (int i = 0; i < LOCKS; i++)
		must(pthread_mutex_init(&l->locks[i], NULL) == 0);
	return l;
}

void limits_free(struct limits *l)
{
	for (int i = 0; i < LOCKS; i++)
		(void)pthread_mutex_destroy(&l->locks[i]);
	free(l);
}

static uint64_t hash_id(const struct limits *l, enum limit_class class, const char *id)
{
	unsigned char text[80];
	uint64_t hash;
	size_t n = strlen(id);
	text[0] = (unsigned char)class;
	if (n > sizeof text - 1)
		n = sizeof text - 1;
	memcpy(text + 1, id, n);
	(void)crypto_shorthash((unsigned char *)&hash, text, n + 1, l->key);
	return hash;
}

/* The bucket of this id; a new one is full, in the place of the fullest. */
static struct bucket *find_bucket(struct bucket *set, uint64_t id)
{
	struct bucket *fullest = set;
	for (int i = 0; i < WAYS; i++) {
		if (set[i].id == id)
			return &set[i];
		if (set[i].full_us < fullest->full_us)
			fullest = &set[i];
	}
	*fullest = (struct bucket){.id = id};
	return fullest;
}

bool limits_take(struct limits *l, enum limit_class class, const char *id,
                 const struct limit *limit, int64_t now_us, struct limit_state *out)
{
	return limits_take_many(l, class, id, limit, 1, now_us, out);
}

bool limits_take_many(struct limits *l, enum limit_class class, const char *id,
                      const struct limit *limit, int64_t n, int64_t now_us, struct limit_state *out)
{
	*out = (struct limit_state){.burst = limit->burst, .left = limit->burst};
	if (limit->per_hour == 0)
		return true;
	uint64_t hash = hash_id(l, class, id);
	int64_t one_us = HOUR_US / limit->per_hour;
	pthread_mutex_t *lock = &l->locks[hash % LOCKS];
	(void)pthread_mutex_lock(lock);
	struct bucket *b = find_bucket(l->sets[hash % SETS], hash);
	int64_t missing_us = b->full_us > now_us ? b->full_us - now_us : 0;
	bool allowed = missing_us + n * one_us <= limit->burst * one_us;
	if (allowed)
		b->full_us = now_us + (missing_us += n * one_us);
	(void)pthread_mutex_unlock(lock);
	out->left = (limit->burst * one_us - missing_us) / one_us;
	out->full_s = (missing_us + 999999) / 1000000;
	if (!allowed)
		out->retry_s = (missing_us + n * one_us - limit->burst * one_us + 999999) / 1000000;
	return allowed;
}
