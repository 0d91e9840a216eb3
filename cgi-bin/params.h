/* params.h: path, query string and body against the parameters of a route. */
#ifndef TAKINGS_CGI_PARAMS_H
#define TAKINGS_CGI_PARAMS_H

#include "base/buf.h"
#include "cgi-bin/routes.h"
#include "db/db.h"
#include "web/request.h"

enum { PARAM_VALUES = ROUTE_PARAMS + 1 };

struct param_values {
	struct db_param list[PARAM_VALUES]; /* ends with name NULL, ready for db_query */
};

/* Every parameter of the route, given, defaulted or NULL. ERR_INVALID names the
 * parameter that is unknown, missing, malformed, out of range or contradicts another.
 * Texts are borrowed from the request and its arena. */
MUST_CHECK enum err params_parse(const struct route *route, const struct request *req,
                                 struct param_values *out, struct errbuf *eb);

/* Whether the body is of the kind the route takes; true where it takes none. */
bool params_media_fits(const struct route *route, const struct request *req);

/* NULL where it is absent. */
const char *params_get(const struct param_values *values, const char *name);

/* All values in the order of the route, for a cache's key: two requests that mean the
 * same have the same text, whatever their query strings looked like. */
void params_print(const struct param_values *values, struct buf *out);

#endif
