/* load.h: a batch while it is being filled, and what it owns. Not shared between threads: the
 * reader fills it, then the writer has it. */
#ifndef TAKINGS_STREAM_LOAD_H
#define TAKINGS_STREAM_LOAD_H

#include "domain/activity_store.h"
#include "domain/inbox.h"
#include "stream/apply.h"

/* What was read of a partition. */
struct tally {
	int64_t messages, ignored, dead;
};

struct load {
	struct changes *changes;
	struct advance *advances; /* texts are borrowed and outlive the load */
	struct tally *tallies;    /* one for each advance */
	int advances_n, advances_cap;
	struct dead_letter *dead; /* texts are in the arena of the changes */
	int dead_n, dead_cap;
	size_t dead_bytes;
	struct inbox *inbox; /* messages about bookings, good and bad */
	struct activity_rows *activity;
	bool has_activity; /* something was put there */
	int64_t messages_n;
	struct dead_letter kept; /* what the last message would be buried as, by load_keep */
	int kept_tally;          /* -1: none is kept */
};

struct load *load_new(void);
void load_free(struct load *l); /* NULL is nothing */
void load_clear(struct load *l);

/* The index of a new advance, which stands where it begins. */
int load_begin(struct load *l, const char *source, const char *topic, int32_t partition,
               int64_t from);

/* A message was refused: it goes to the dead letters with the reason in `eb`. `at->source` and
 * `at->topic` outlive the load, all else is copied. */
void load_bury(struct load *l, const struct position *at, const struct message *m,
               const struct errbuf *eb);

/* A message about bookings goes to the inbox; false: it is a bad one, and dead there. */
bool load_put_booking(struct load *l, const struct message *m);

/* What was tracked. ERR_INVALID, ERR_MALFORMED: poison. */
MUST_CHECK enum err load_put_activity(struct load *l, const struct message *m,
                                      const struct tracked_as *as, struct errbuf *eb);

/* The same for rows of one's own. */
MUST_CHECK enum err load_read_activity(struct activity_rows *rows, const struct message *m,
                                       const struct tracked_as *as, struct errbuf *eb);

/* Keeps the message just taken, of this tally, in case the database will not have it. */
void load_keep(struct load *l, const struct position *at, const struct message *m, int tally);

/* The message kept is buried, and nothing else is left of the load but where partitions stand;
 * false: none was kept, it is not the only one, or something is buried already. */
bool load_refuse(struct load *l, const struct errbuf *eb);

size_t load_bytes(const struct load *l);

/* Borrowed until the load is changed. */
struct batch load_batch(const struct load *l);

#endif
