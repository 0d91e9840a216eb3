/* stream.h: what the parts of takings-stream share.
 *
 * A part is a thread: a source (intake.c), the hub of live figures (hub.c), the WebSockets (ws.c),
 * the reports (flush.c), the replay of dead letters, and the one that says how all of them are
 * (status.c). Told to stop, the sources go first and write what they have, then the reports are
 * flushed, then everything else ends; SHUTDOWN_TIMEOUT bounds all of it. */
#ifndef TAKINGS_STREAM_STREAM_H
#define TAKINGS_STREAM_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/err.h"

enum stat_id {
#define STAT(id, ...) STAT_##id,
#include "domain/stream_stats.def"
#undef STAT
	STAT_COUNT
};

enum { PART_NAME_BYTES = 32 };

enum part_stage { PART_SOURCE, PART_FLUSH, PART_LAST, PART_STAGES }; /* in which order they stop */

enum health { HEALTH_OK, HEALTH_DEGRADED, HEALTH_DOWN };

struct stream;
struct part; /* what a thread knows itself by */

struct part_kind {
	const char *name;
	enum part_stage stage;
	bool (*wanted)(const struct conf *conf); /* NULL: always */
	void (*run)(struct part *p);
};

struct stream *part_stream(const struct part *p);
const struct conf *part_conf(const struct part *p);

/* Whether this part is to end. */
bool part_stopping(const struct part *p);

/* Sleeps, but not longer than until it is to end; true: it is. */
bool part_sleep(struct part *p, int ms);

/* Milliseconds until what is left of the end must be over: INT64_MAX while nobody asks to stop. */
int64_t part_left_ms(const struct part *p);

/* How it is: one sentence without a final stop; "" where all is well. Logged when it changes. */
void part_say(struct part *p, enum health health, const char *detail);
void part_say_error(struct part *p, enum health health, const struct errbuf *eb);

/* After a failure: 100 ms, 200 ms, ... 10 s; begins anew after part_recovered. True: to end. */
bool part_back_off(struct part *p);
int part_back_off_ms(struct part *p); /* the same without the waiting: how long that is */
void part_recovered(struct part *p);

void stat_add(enum stat_id id, int64_t n);
void stat_set(enum stat_id id, int64_t n);
int64_t stat_get(enum stat_id id);

/* host:pid:start, of this process. */
const char *stream_instance(void);

/* All parts together: the worst of them, with its name and words; for status.c. */
enum health stream_health(struct stream *s, char *detail, size_t n);

/* The same of those whose name begins so; false: there is none. `detail` is without a name. */
bool stream_health_of(struct stream *s, const char *prefix, enum health *out, char *detail,
                      size_t n);

#endif
