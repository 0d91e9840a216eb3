/* home.c: the way from / to the pages. */
#include "cgi-bin/routes.h"

void home_handle(struct web *w, const struct request *req, struct reply *reply)
{
	(void)w, (void)req;
	reply_begin(reply, 302, "text/plain");
	reply_header_set(reply, "Location", "/admin/");
}
