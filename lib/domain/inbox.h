/* inbox.h: putting messages into the inbox (event_log), from wherever they come. A message is there
 * once, however often it is put; what it does to the figures is another's affair
 * (stream/bookings.c). */
#ifndef TAKINGS_DOMAIN_INBOX_H
#define TAKINGS_DOMAIN_INBOX_H

#include "base/arena.h"
#include "db/db.h"

struct inbox; /* messages that wait to be written */

struct inbox *inbox_new(void);
void inbox_free(struct inbox *in);
void inbox_clear(struct inbox *in);
int inbox_n(const struct inbox *in);
size_t inbox_bytes(const struct inbox *in);

/* `source` is a word of event_log.source, `position` where it stood there, `hint` as of
 * booking_message_parse. A bad message goes in, too, and is dead there with its reason: nothing is
 * lost. Comes back with what booking_message_parse said of it; with ERR_NOTHING it is not put,
 * unless `all` (the transport is ours alone: then it is a bad message). */
MUST_CHECK enum err inbox_put(struct inbox *in, const char *source, const char *position,
                              const char *hint, const char *bytes, size_t n, bool all,
                              struct errbuf *eb);

struct inbox_written {
	int64_t added, known; /* `known`: they were there before */
	int64_t last_id;      /* the greatest id of these rows, of known ones, too */
};

/* Writes all of them in one statement, in the caller's transaction if there is one, and says NOTIFY
 * takings_inbox. The rows stay in `in`. */
MUST_CHECK enum err inbox_write(struct inbox *in, struct db *db, struct inbox_written *out,
                                struct errbuf *eb);

#endif
