/* docs.c: the API's description as pages: Swagger UI (/docs) and Redoc (/redoc), from our own
 * files. */
#include "cgi-bin/call.h"
#include "cgi-bin/pages.h"

/* Both put style sheets of their own into the page, and Redoc searches in a worker made of a
 * blob. Scripts stay ours alone. */
static const char policy[] =
	"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' "
	"data:; "
	"connect-src 'self'; font-src 'self'; worker-src blob:; form-action 'none'; base-uri 'none'; "
	"frame-ancestors 'none'";

void docs_handle(struct call *c)
{
	pages_render(c, 200, pages_context(c));
	if (c->reply->status == 200)
		reply_header_set(c->reply, "Content-Security-Policy", policy);
}
