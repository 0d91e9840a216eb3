/* group_commit.h: requests with tracked events share transactions.
 *
 * Whoever comes while nobody is at work stores its rows at once; those who come meanwhile wait, and
 * the first of them stores for all, at most EVENT_BATCH_SIZE events at a time. A second one goes to
 * work where many events wait. There is no thread of its own and nothing is stored later than it is
 * answered, so that a program that ends has nothing left to do. */
#ifndef TAKINGS_CGI_GROUP_COMMIT_H
#define TAKINGS_CGI_GROUP_COMMIT_H

#include "base/breaker.h"
#include "base/conf.h"
#include "domain/activity_store.h"

struct group_commit;

/* Its connections, GROUP_CONNECTIONS at most, are opened when first needed. */
enum { GROUP_CONNECTIONS = 2 };
struct group_commit *group_commit_new(const struct conf *conf);
void group_commit_free(struct group_commit *g);

/* Returns when they are committed. A row the database will not have is ACTIVITY_REFUSED, and costs
 * no other its place. ERR_BUSY: no transaction began within EVENT_FLUSH_INTERVAL; ERR_DB_DOWN,
 * ERR_TIMEOUT: the database is away or slow. After an error they are not stored, or, where the
 * connection was lost while it committed, perhaps they are: sent again they are duplicates. */
MUST_CHECK enum err group_commit_store(struct group_commit *g, const struct activity_rows *rows,
                                       enum activity_outcome *outcomes, struct errbuf *eb);

/* Somebody else reached the database: the breaker closes. */
void group_commit_recovered(struct group_commit *g);

struct group_stats {
	int waiting;                      /* requests */
	int64_t transactions_n, events_n; /* since start */
	enum breaker_state breaker;
};
void group_commit_stats_get(struct group_commit *g, struct group_stats *out);

#endif
