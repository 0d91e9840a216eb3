/* login.h: from a name and a password to a session or a token, and out again. */
#ifndef TAKINGS_CGI_LOGIN_H
#define TAKINGS_CGI_LOGIN_H

#include "cgi-bin/call.h"

void login_page_handle(struct call *c); /* GET /admin/login */
void login_handle(struct call *c);      /* POST /admin/login: name, password, csrf, next */
void logout_handle(struct call *c);     /* POST /admin/logout */
void auth_token_handle(struct call *c); /* POST /auth/token */

#endif
