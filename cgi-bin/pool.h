/* pool.h: the database connections of the web program, shared by its threads.
 *
 * WORKER_THREADS connections, opened when first needed. At most
 * MAX_CONCURRENT_QUERIES requests use or wait for one; more get ERR_BUSY. A breaker
 * stands before them, so that a database that is away costs its callers no time. */
#ifndef TAKINGS_CGI_POOL_H
#define TAKINGS_CGI_POOL_H

#include "base/breaker.h"
#include "base/conf.h"
#include "db/db.h"

struct pool;

struct pool *pool_new(const struct conf *conf);
void pool_free(struct pool *p);

/* What a transaction of pool_take is for. */
enum pool_use {
	POOL_READ, /* sees one snapshot and writes nothing */
	POOL_WRITE,
};

/* A connection in a transaction; ERR_BUSY after `wait_ms` of waiting for one, ERR_DB_DOWN
 * where the database cannot be reached (at once while the breaker is open), ERR_CONFIG
 * where its schema does not fit. */
MUST_CHECK enum err pool_take(struct pool *p, enum pool_use use, int64_t wait_ms, struct db **out,
                              struct errbuf *eb);

/* Gives it back, in whatever state. What was not committed is rolled back; a lost
 * connection is closed. */
void pool_give(struct pool *p, struct db *db);

/* Statements that only read, in one round trip and one snapshot: the errors of pool_take
 * and of db_query_all; after one every rowset is empty. Where a connection turns out to be lost
 * before it answered, another is tried once. *waited_us: how long it took to get a connection. */
MUST_CHECK enum err pool_ask(struct pool *p, const struct db_ask *asks, int n, int64_t wait_ms,
                             const struct db_limits *limits, int64_t *waited_us, struct errbuf *eb);

/* Whether more time is left than getting a connection took since `since_ms` (monotonic). A
 * server that hangs lets nobody in until it goes on; statements then asked with what is left
 * would be blamed for it. `deadline_ms` 0: always. */
bool pool_leaves_time(int64_t since_ms, int64_t deadline_ms);

/* `rc` of statements that were asked since `since_ms` (monotonic): a time that ran out while the
 * database failed others too is the database's (ERR_DB_DOWN), not the statement's. */
MUST_CHECK enum err pool_blame(struct pool *p, enum err rc, int64_t since_ms, struct errbuf *eb);

/* Somebody else reached the database: the breaker closes. */
void pool_recovered(struct pool *p);

struct pool_stats {
	int size, open, used, waiting;
	enum breaker_state breaker;
	int64_t breaker_opened_n; /* how often since start */
};

void pool_stats_get(struct pool *p, struct pool_stats *out);

#endif
