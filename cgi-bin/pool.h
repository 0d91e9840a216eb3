/* pool.h: the database connections of the web program, shared by its threads.
 *
 * WORKER_THREADS connections, opened when first needed. At most
 * MAX_CONCURRENT_QUERIES requests use or wait for one; more get ERR_BUSY. */
#ifndef TAKINGS_CGI_POOL_H
#define TAKINGS_CGI_POOL_H

#include "base/conf.h"
#include "db/db.h"

struct pool;

struct pool *pool_new(const struct conf *conf);
void pool_free(struct pool *p);

/* A connection for one request, in a read-only transaction that sees one snapshot;
 * ERR_BUSY after `wait_ms` of waiting for one, ERR_DB_DOWN where the database cannot
 * be reached, ERR_CONFIG where its schema does not fit. */
MUST_CHECK enum err pool_take(struct pool *p, int64_t wait_ms, struct db **out, struct errbuf *eb);

/* Gives it back, in whatever state, and ends the transaction; a lost one is closed. */
void pool_give(struct pool *p, struct db *db);

struct pool_stats {
	int size, open, used, waiting;
};

void pool_stats_get(struct pool *p, struct pool_stats *out);

#endif
