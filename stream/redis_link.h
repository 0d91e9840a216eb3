/* redis_link.h: one connection to Redis, used by one thread.
 *
 * Every wait is bounded, and so is what an answer may take: a server that sends more than
 * REDIS_ANSWER_BYTES at once, or says that so many elements follow, is left. What cannot be bounded
 * is how much of that hiredis allocates meanwhile: two to three times as much. After any error but
 * ERR_INVALID and ERR_NOTHING the connection is of no use any more. Texts of errors name no machine
 * and repeat no password. */
#ifndef TAKINGS_STREAM_REDIS_LINK_H
#define TAKINGS_STREAM_REDIS_LINK_H

#include <hiredis/hiredis.h>

#include "stream/redis_address.h"

enum {
	REDIS_ANSWER_BYTES = 32 << 20,
	REDIS_ANSWER_ELEMENTS = 1 << 20, /* of all its arrays together */
	REDIS_ANSWER_MS = 5000,          /* how long an answer may take that waits for nothing */
};

struct redis_link;

/* Connects, says who we are, and chooses the database. */
MUST_CHECK enum err redis_link_open(struct redis_link **out, const struct redis_address *at,
                                    struct errbuf *eb);
void redis_link_close(struct redis_link *l);

/* A command of words, NULL at the end. */
MUST_CHECK enum err redis_link_send(struct redis_link *l, const char *const *words,
                                    struct errbuf *eb);

/* The next answer, for freeReplyObject. ERR_NOTHING: none came within wait_ms. ERR_INVALID: Redis
 * refuses; eb->field is the first word of what it says, such as NOGROUP. ERR_BUSY: it was too
 * large. ERR_IO: the connection is lost. */
MUST_CHECK enum err redis_link_next(struct redis_link *l, int wait_ms, redisReply **out,
                                    struct errbuf *eb);

/* Both; an answer that does not come within wait_ms is ERR_TIMEOUT. `out` may be NULL. */
MUST_CHECK enum err redis_link_ask(struct redis_link *l, const char *const *words, int wait_ms,
                                   redisReply **out, struct errbuf *eb);

#endif
