/* login.h: from a name and a password to a session or a token, and out again. */
#ifndef TAKINGS_CGI_LOGIN_H
#define TAKINGS_CGI_LOGIN_H

#include "cgi-bin/call.h"
#include "db/db.h"

void login_page_handle(struct call *c); /* GET /admin/login */
void login_handle(struct call *c);      /* POST /admin/login: name, password, csrf, next */
void logout_handle(struct call *c);     /* POST /admin/logout */
void auth_token_handle(struct call *c); /* POST /auth/token */

struct login_person {
	int64_t user_id; /* 0: nobody */
	const char *username;
	int token_version;
};

/* Answers no: `status` is 401 or 429, `message` a sentence for people. Headers may be set after
 * it. */
typedef void (*login_again_fn)(struct call *c, int status, const char *message);

/* Whether this is the password of the name, in any case of its letters. If not, the answer is
 * made, by `again` or as an error; wrong ones are counted, and too many of a name from an
 * address, or of all names from it, are not looked at. */
MUST_CHECK bool login_admit(struct call *c, const char *username, const char *password,
                            struct login_person *who, login_again_fn again);

/* A session for the browser that asks; its secret is appended to `cookie`. In a transaction
 * that writes. */
MUST_CHECK enum err login_session_add(struct call *c, struct db *db, int64_t user_id,
                                      struct buf *cookie, struct errbuf *eb);

#endif
