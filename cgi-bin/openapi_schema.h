/* openapi_schema.h: the schemas of components/schemas: an object for each documented
 * answer, one for the rows of each of its lists, and the shapes of fields.def they use. */
#ifndef TAKINGS_CGI_OPENAPI_SCHEMA_H
#define TAKINGS_CGI_OPENAPI_SCHEMA_H

#include "base/buf.h"
#include "cgi-bin/routes.h"
#include "web/json.h"

/* "AnalyticsTopItems" of GET /api/admin/analytics/top-items, "PostAuthToken" of POST /auth/token:
 * in names of operations and schemas. */
void schema_route_name(const struct route *route, struct buf *out);

/* {"$ref": ...} of the schema of the route's answer, which has parts or a shape. */
void schema_put_answer_ref(struct json *j, const struct route *route);

/* All schemas, as members of the object that is open. A field that the catalogue lacks is
 * a bug and ends in must(). */
void schema_put_all(struct json *j);

#endif
