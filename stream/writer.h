/* writer.h: the thread of a source that speaks with analytics_db, so that the next batch is read
 * while one is written, and a database that hangs keeps nobody from staying in touch with the
 * source.
 *
 * It has one thing to do at a time: the rules, or a batch. Until that is over (writer_outcome) what
 * was given to it is its own. */
#ifndef TAKINGS_STREAM_WRITER_H
#define TAKINGS_STREAM_WRITER_H

#include "stream/apply.h"
#include "stream/load.h"

struct outcome {
	enum err rc;  /* ERR_DB_DOWN, ERR_TIMEOUT, ERR_BUSY: goes away by itself (apply.h) */
	bool refused; /* the database will not have what is in the batch, ever */
	struct errbuf eb;
	struct applied applied;
	const struct rules
		*rules; /* in force; valid until it is next told to do something. NULL: none */
};

struct writer;

struct writer *writer_new(const struct conf *conf);

/* Connects where there is no connection, and reads the rules. Those read before go with a
 * connection that failed: nobody may be decoding with them. */
void writer_read_rules(struct writer *w);

/* Writes a batch with the rules read last. After an error other than the fence's (ERR_LOCKED) and
 * that of changed rules (ERR_BUSY) there is no connection any more. */
void writer_write(struct writer *w, const struct load *load);

/* How the last thing went, or NULL: it is not over, though waited for as long as that. */
const struct outcome *writer_outcome(struct writer *w, int wait_ms);

/* Milliseconds the thing under way has taken; 0: there is none. */
int64_t writer_busy_ms(struct writer *w);

/* Ends the thread. False: it did not end by then (clock_mono_ms); it and what it was given live on.
 */
bool writer_stop(struct writer *w, int64_t deadline_ms);

#endif
