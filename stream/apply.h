/* apply.h: a batch of changes takes effect: state, rollups, positions and dead letters in one
 * transaction, or nothing of it. sql/queries/apply.sql does the work. */
#ifndef TAKINGS_STREAM_APPLY_H
#define TAKINGS_STREAM_APPLY_H

#include "base/conf.h"
#include "db/db.h"
#include "domain/activity_store.h"
#include "domain/inbox.h"
#include "stream/change.h"
#include "stream/message.h"
#include "stream/rules.h"

/* From where to where a partition moves with this batch. */
struct advance {
	const char *source, *topic;
	int32_t partition;
	int64_t from, to; /* `from` is what the database must say now */
};

struct dead_letter {
	struct position at;
	const char *key, *value;
	size_t key_n, value_n;
	int64_t time_us;
	const char *reason; /* err_name of what it was refused with */
	const char *field;  /* "" where none is named */
	const char *text;
};

struct batch {
	struct changes *changes;
	const struct advance *advances;
	int advances_n;
	const struct dead_letter *dead;
	int dead_n;
	struct inbox *inbox;            /* NULL: none */
	struct activity_rows *activity; /* NULL: none */
	int64_t rules_id;               /* it was decoded with; 0: those that apply_rules said last */
};

struct applied {
	int64_t orders, lines, refunds; /* rows that took a new state */
	int64_t stale;                  /* changes older than what was known */
};

struct apply;

/* A connection of its own to analytics_db with what it needs prepared. Errors of all functions
 * here: ERR_DB_DOWN and ERR_TIMEOUT go away by themselves; ERR_CONFIG: the schema does not fit. */
MUST_CHECK enum err apply_open(struct apply **out, const struct conf *conf, struct errbuf *eb);
void apply_close(struct apply *a);
struct db *apply_db(struct apply *a);

/* The rules in force, read anew where they changed; live tables that were made under others are
 * made anew here, in one transaction. They live until apply_close, as do those before them.
 * ERR_NOTHING: no rules yet. */
MUST_CHECK enum err apply_rules(struct apply *a, const struct rules **out, struct errbuf *eb);

/* Where a partition stands: *next is -1 where it was never read. */
MUST_CHECK enum err apply_position(struct apply *a, const char *source, const char *topic,
                                   int32_t partition, int64_t *next, struct errbuf *eb);

/* Whether any partition of a topic was ever read. */
MUST_CHECK enum err apply_topic_known(struct apply *a, const char *source, const char *topic,
                                      bool *known, struct errbuf *eb);

/* ERR_LOCKED: the fence: another process has moved a partition of this batch, nothing was done.
 * ERR_BUSY: rules changed in between, nothing was done; decode again. ERR_DB_DOWN, ERR_TIMEOUT:
 * nothing was done, or it is not known whether (the connection was lost at COMMIT): read the
 * positions again, they say it. Any other error is one of ours or of the data. */
MUST_CHECK enum err apply_batch(struct apply *a, const struct batch *b, struct applied *out,
                                struct errbuf *eb);

/* Refusals by the database that will not last become ERR_TIMEOUT. */
enum err apply_passing(struct db *db, enum err rc, struct errbuf *eb);

#endif
