/* origin.h: origins as browsers write them in the Origin header (RFC 6454). */
#ifndef TAKINGS_WEB_ORIGIN_H
#define TAKINGS_WEB_ORIGIN_H

#include "base/err.h"

/* ERR_CONFIG, naming the setting, where a word of the comma separated list could never be the
 * Origin of a request: without scheme, with a path or a / at its end, with capital letters. */
MUST_CHECK enum err origin_list_check(const char *name, const char *list, struct errbuf *eb);

#endif
