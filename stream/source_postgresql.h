/* source_postgresql.h: what the two files of that source share.
 *
 * Where it stands is the row (postgresql, SLOT, 0) of stream_position. Its detail holds
 *   system  the number of the server's data directory: positions of another one mean nothing
 *   start   the position from which the slot streams. The rows that were there before, the first
 *           copy, are told as if they were one transaction that ended at `start`: until then `next`
 *           is less, and what was copied is copied again
 *   base    added to positions where they are versions, so that they go on growing although
 *           another system counts from the beginning */
#ifndef TAKINGS_STREAM_SOURCE_POSTGRESQL_H
#define TAKINGS_STREAM_SOURCE_POSTGRESQL_H

#include "db/replication.h"
#include "stream/intake.h"

enum phase {
	PHASE_AWAY,     /* no connection */
	PHASE_CHECK,    /* connected; it is looked at what there is, again and again while another
	                 * process follows the slot */
	PHASE_CREATING, /* the server waits for transactions that are under way */
	PHASE_COPYING,
	PHASE_COPIED, /* all was read; it is waited until it is written */
	PHASE_STREAMING
};

struct source {
	const struct conf *conf;
	const char *slot, *publication;
	enum phase phase;
	bool paused;
	int64_t paused_ms;
	int64_t again_ms; /* a standby: not to be looked at before */

	struct db *home;  /* analytics_db, until it streams; holds the lock */
	struct db *order; /* order_db, until it streams */
	struct replication *repl;
	struct pgoutput *decoder;
	struct arena arena; /* of one row */
	struct buf payload;

	int64_t start, base;  /* as above */
	int64_t copy_version; /* of the rows of the first copy */
	struct rowset tables; /* those to copy */
	struct replication_copy *copy;
	int table; /* the next to copy */
	int64_t copied, said_ms;

	int64_t whole;        /* end of the last whole transaction */
	int64_t passed;       /* what the intake was told of it */
	int64_t passed_ms;    /* when */
	bool inside, touched; /* a transaction; one that has changed orders */
	int64_t last_lsn;     /* of the last record, and how many changes it had so far */
	int64_t last_lsn_n;   /* (one record may insert many rows) */
	int64_t committed_us; /* when the last transaction was committed there */
	bool idle;            /* nothing was waiting at the end of the last poll */
	int64_t durable;      /* set by `committed` */
	int64_t reported;
};

/* Connects and goes on as far as it can be gone without waiting. */
MUST_CHECK enum err postgresql_connect(struct source *s, struct errbuf *eb);
MUST_CHECK enum err postgresql_check(struct source *s, struct intake *in, struct errbuf *eb);
MUST_CHECK enum err postgresql_created(struct source *s, struct intake *in, int timeout_ms,
                                       struct errbuf *eb);
MUST_CHECK enum err postgresql_start(struct source *s, struct intake *in, int64_t next,
                                     struct errbuf *eb);

/* Gives up all connections: begin again from what the database says. */
void postgresql_leave(struct source *s);

#endif
