/* picture.h: the live figures at one moment, as JSON, and the messages made of them.
 *
 * A picture has members (today, rates, ...), each with the number of the picture in which it last
 * changed. So what somebody misses who saw picture N are the members that changed after N: nothing
 * else is kept, however slow a client is. Pictures are never changed once they are shown, and are
 * shared by counting.
 *
 * Numbers begin with the milliseconds since 1970 at which the process began and grow by one a
 * picture, of which there is one a second at most: they never go back, and a number from before
 * `first` is of another process. */
#ifndef TAKINGS_STREAM_PICTURE_H
#define TAKINGS_STREAM_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum { PICTURE_MEMBERS = 16, PICTURE_TIME = 32 };

/* Who sees what. */
enum picture_view {
	VIEW_PLAIN,    /* no ids of customers */
	VIEW_FULL,     /* these too */
	VIEW_BOOKINGS, /* a bit: with bookings, plain or full */
	PICTURE_VIEWS = 4
};

struct picture;

/* Number `seq`, with the members of `before`; NULL: none, and it is the first of its process. The
 * caller has one reference. */
struct picture *picture_new(const struct picture *before, int64_t seq, const char *as_of);

/* Member `i` of one view is `json` from here on; a view it was never put into has none. Keys
 * outlive the picture; of one `i` it is always the same one. Before the picture is shown only. */
void picture_put(struct picture *p, int i, const char *key, enum picture_view view,
                 const char *json);

struct picture *picture_share(struct picture *p);
void picture_release(struct picture *p); /* NULL: nothing */

int64_t picture_seq(const struct picture *p);

/* Whether that number is one of this process. */
bool picture_knows(const struct picture *p, int64_t seq);

/* What somebody is told whose last picture was `since`: the members that changed, or all where
 * there was no such picture. Appends. */
void picture_message(const struct picture *p, enum picture_view view, int64_t since,
                     struct buf *out);

/* That all is as it was. Appends. */
void picture_heartbeat(const struct picture *p, struct buf *out);

#endif
