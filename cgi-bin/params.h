/* params.h: the query string against the parameters of a route. */
#ifndef TAKINGS_CGI_PARAMS_H
#define TAKINGS_CGI_PARAMS_H

#include "cgi-bin/routes.h"
#include "db/db.h"

enum { PARAM_VALUES = ROUTE_PARAMS + 1 };

struct param_values {
	struct db_param list[PARAM_VALUES]; /* ends with name NULL, ready for db_query */
};

/* Every parameter of the route, given, defaulted or NULL. ERR_INVALID names the
 * parameter that is unknown, malformed, out of range or contradicts another. */
MUST_CHECK enum err params_parse(const struct route *route, const struct request *req,
                                 struct param_values *out, struct errbuf *eb);

#endif
