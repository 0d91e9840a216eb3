/* redis_address.h: where Redis is, by the settings. */
#ifndef TAKINGS_STREAM_REDIS_ADDRESS_H
#define TAKINGS_STREAM_REDIS_ADDRESS_H

#include <stdbool.h>

#include "base/conf.h"

struct redis_address {
	char host[256]; /* a name, an address, or the path of a unix socket: then it begins with '/' */
	int port;
	int db;
	char user[256];     /* "": the one without a name */
	char password[512]; /* "": none */
};

/* Whether the settings name a Redis. */
bool redis_wanted(const struct conf *conf);

/* ERR_CONFIG, repeating no piece of a URL: it cannot be read, or TLS is asked for and the place is
 * not on this machine. */
MUST_CHECK enum err redis_address_read(struct redis_address *out, const struct conf *conf,
                                       struct errbuf *eb);

#endif
