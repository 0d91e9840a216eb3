/* admin.h: the pages of administration: one's own account, users and keys, how the system is.
 *
 * Each change is a form that is answered with 303 to the page it came from and one word that
 * says what happened (?done=); what is refused shows that page again with the reason. */
#ifndef TAKINGS_CGI_ADMIN_H
#define TAKINGS_CGI_ADMIN_H

#include "cgi-bin/call.h"
#include "web/tv.h"

/* Handlers that come before the parts of their page. */
void account_page_handle(struct call *c);         /* GET /admin/account */
void account_password_handle(struct call *c);     /* POST .../password: current, password, again */
void account_session_end_handle(struct call *c);  /* POST .../sessions/{session}/end */
void account_sessions_end_handle(struct call *c); /* POST .../sessions/end: all but this one */
void users_page_handle(struct call *c);           /* GET /admin/users */
void user_role_handle(struct call *c);            /* POST /admin/users/{target}/role: role */
void user_disable_handle(struct call *c);         /* POST .../disable: confirm */
void user_enable_handle(struct call *c);          /* POST .../enable */
void user_sessions_end_handle(struct call *c);    /* POST .../sessions/end */
void key_add_handle(struct call *c);              /* POST /admin/keys: name, scope, last_day */
void key_revoke_handle(struct call *c);           /* POST /admin/keys/{key_id}/revoke: confirm */
void system_page_handle(struct call *c);          /* GET /admin/system */
void people_page_handle(struct call *c);          /* GET /admin/people and its certificates */
void people_find_handle(struct call *c);          /* POST /admin/people: kind, id */
void people_export_handle(struct call *c);        /* POST .../export: the same */
void people_erase_handle(struct call *c);         /* POST .../erase: and confirm */
void people_anonymise_handle(struct call *c);     /* POST .../anonymise: and confirm */
void inbox_page_handle(struct call *c);           /* GET /admin/inbox */
void inbox_message_handle(struct call *c);        /* GET /admin/inbox/{message_id} */
void inbox_fix_handle(struct call *c);            /* POST .../fix: text */
void inbox_replay_handle(struct call *c);         /* POST .../replay */
void inbox_drop_handle(struct call *c);           /* POST .../drop: confirm */
void inbox_replay_reason_handle(
	struct call *c);                           /* POST /admin/reasons/replay: field, error, until */
void inbox_drop_reason_handle(struct call *c); /* POST /admin/reasons/drop: and confirm */

/* ---- for these handlers ---------------------------------------------------- */

/* c->more, with what the page's templates always look for, and the fixed parameters user_id,
 * session_id and idle_minutes of who asks. */
struct tv *admin_page(struct call *c);

/* The page again, with `status` and a sentence at the top of it. */
void admin_refuse(struct call *c, int status, const char *sentence);

/* 303 to `path` with ?done=`word`. */
void admin_done(struct call *c, const char *path, const char *word);

/* Begins a transaction that writes; on failure the answer is made and NULL comes back. */
MUST_CHECK struct db *admin_begin(struct call *c);

/* Commits where `rc` is ERR_OK, gives the connection back and forgets who may do what; answers
 * where something failed. True if all went well. */
MUST_CHECK bool admin_end(struct call *c, struct db *db, enum err rc, struct errbuf *eb);

/* Where the pages are found, as the first PUBLIC_ORIGIN or the request says. */
const char *admin_origin(const struct call *c);

/* A number as a parameter. */
const char *admin_number(const struct call *c, int64_t n);

#endif
