/* source.h: where messages come from. Each source is a thread with this loop (intake.c):
 *
 *   poll -> decode -> fold -> apply (while the next batch is read) -> committed
 *
 * A batch grows with the backlog: it ends when nothing more is there, or at its limits. */
#ifndef TAKINGS_STREAM_SOURCE_H
#define TAKINGS_STREAM_SOURCE_H

#include "base/conf.h"
#include "stream/apply.h"
#include "stream/decode.h"

struct intake; /* intake.h: the batch being filled */
struct source;

struct source_ops {
	const char *name; /* "kafka", "postgresql" */

	/* Whether the settings ask for it. */
	bool (*wanted)(const struct conf *conf);

	/* ERR_CONFIG: cannot work as it is set up; anything else is tried again. */
	enum err (*open)(struct source **out, const struct conf *conf, struct apply *apply,
	                 struct errbuf *eb);

	/* Hands over what there is by intake_take, at most until the batch is full or timeout_ms are
	 * over, with what decodes it. ERR_IO, ERR_DB_DOWN: away; it is polled again. ERR_LOCKED:
	 * positions have to be read again; what is in hand is dropped and `rewind` called. ERR_CONFIG:
	 * a person must look (offset out of range, slot lost); the source is closed, says so, and is
	 * opened again from time to time, lest it was looked after. */
	enum err (*poll)(struct source *s, struct intake *in, int timeout_ms, struct errbuf *eb);

	/* The batch up to these positions is durable. */
	void (*committed)(struct source *s, const struct advance *done, int n);

	/* Nothing of what was polled since the last `committed` counts: begin again where the database
	 * says, and read on from there once it is not paused. */
	enum err (*rewind)(struct source *s, struct apply *apply, struct errbuf *eb);

	/* While the database is away: stay in touch with the source, but read nothing. */
	void (*pause)(struct source *s, bool on);

	/* Messages not yet read, -1 unknown; milliseconds the newest of them is behind, -1 unknown. */
	void (*lag)(struct source *s, int64_t *messages, int64_t *behind_ms);

	void (*close)(struct source *s);
};

extern const struct source_ops source_kafka, source_postgresql;

#endif
