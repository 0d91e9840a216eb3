/* group_commit.h: requests with tracked events share transactions.
 *
 * What comes while nobody stores is stored at once; what comes meanwhile waits, and is stored
 * together, at most EVENT_BATCH_SIZE events at a time. A second transaction goes on beside the
 * first where many events wait. Nothing is stored later than it is answered, and who waits holds no
 * thread: the thread that has committed answers for all. */
#ifndef TAKINGS_CGI_GROUP_COMMIT_H
#define TAKINGS_CGI_GROUP_COMMIT_H

#include "base/breaker.h"
#include "base/conf.h"
#include "domain/activity_store.h"

struct group_commit;

/* One request. It stays where it is, and the caller's, until `done` is called, once, in whatever
 * thread: then `rc` says what became of it. `outcomes` has room for each row. */
struct group_part {
	struct activity_rows *rows;
	enum activity_outcome *outcomes;
	struct errbuf *eb;
	void (*done)(struct group_part *part);
	void *arg; /* the caller's own */
	enum err rc;
	struct group_part *next; /* ours */
	int64_t since_ms;
};

/* With threads of its own, GROUP_CONNECTIONS of them with a connection each, opened when first
 * needed: for when signals are blocked. Before it is stopped all must have been told. */
enum { GROUP_CONNECTIONS = 2 };
struct group_commit *group_commit_start(const struct conf *conf);
void group_commit_stop(struct group_commit *g);

/* Done when they are committed. A row the database will not have is ACTIVITY_REFUSED, and costs
 * no other its place. ERR_BUSY: no transaction began within EVENT_FLUSH_INTERVAL, or too much waits
 * already; ERR_DB_DOWN, ERR_TIMEOUT: the database is away or slow. After an error they are not
 * stored, or, where the connection was lost while it committed, perhaps they are: sent again they
 * are duplicates. */
void group_commit_put(struct group_commit *g, struct group_part *part);

/* The same, and waits for it. */
MUST_CHECK enum err group_commit_store(struct group_commit *g, struct activity_rows *rows,
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
