/* home.c: the way from / to the pages. */
#include "cgi-bin/call.h"

void home_handle(struct call *c)
{
	call_redirect(c, "/admin/");
}
