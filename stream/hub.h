/* hub.h: the part that looks at the figures when they change, once a second at most, and at least
 * every five, and shows what it sees to whoever asks. */
#ifndef TAKINGS_STREAM_HUB_H
#define TAKINGS_STREAM_HUB_H

#include "stream/picture.h"

/* The newest picture, to be released; NULL before the first. Any thread. */
struct picture *hub_picture(void);

/* Calls `fn` from the hub's thread whenever there is a new one; NULL: no more, and when this
 * returns it is not being called. `fn` asks nothing of the hub. */
void hub_tell(void (*fn)(void *arg), void *arg);

#endif
