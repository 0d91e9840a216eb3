/* origin.h: origins as browsers write them in the Origin header (RFC 6454). */
#ifndef TAKINGS_WEB_ORIGIN_H
#define TAKINGS_WEB_ORIGIN_H

#include "base/err.h"

/* ERR_CONFIG, naming the setting, where a word of the comma separated list could never be the
 * Origin of a request: without scheme, with a path or a / at its end, with capital letters. */
MUST_CHECK enum err origin_list_check(const char *name, const char *list, struct errbuf *eb);

/* Of a key that stands in pages, "": it stands in none. ERR_INVALID, naming `origins`, where the
 * list is of no use, longer than ORIGIN_KEY_BYTES, or the key may more than send events. */
enum { ORIGIN_KEY_BYTES = 1000 };
MUST_CHECK enum err origin_key_check(const char *scope, const char *list, struct errbuf *eb);

#endif
