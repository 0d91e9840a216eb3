/* openapi.h: the API's description, made from the route table (OpenAPI 3.1). */
#ifndef TAKINGS_CGI_OPENAPI_H
#define TAKINGS_CGI_OPENAPI_H

#include "base/buf.h"

/* Makes it, once, before there are threads; a route or column that it cannot describe is a
 * bug and ends in must(). */
void openapi_init(void);
void openapi_fini(void);

/* The document. Borrowed. */
const struct buf *openapi_text(void);

#endif
