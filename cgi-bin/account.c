/* account.c: one's own password and sessions. */
#include <stdlib.h>
#include <string.h>

#include "cgi-bin/admin.h"
#include "cgi-bin/audit.h"
#include "cgi-bin/login.h"
#include "web/secret.h"

static const char PATH[] = "/admin/account";

static struct tv *account_page(struct call *c)
{
	struct arena *m = c->req->arena;
	bool fresh = c->more == NULL;
	struct tv *more = admin_page(c);
	if (!fresh)
		return more;
	tv_set(m, more, "current_problem", NULL);
	tv_set(m, more, "password_problem", NULL);
	tv_set(m, more, "again_problem", NULL);
	tv_set_int(m, more, "password_min", SECRET_PASSWORD_MIN);
	return more;
}

void account_page_handle(struct call *c)
{
	(void)account_page(c);
}

/* ---- sessions ----------------------------------------------------------- */

static void end_sessions(struct call *c, const char *statement, const char *session_id,
                         const char *action, const char *word)
{
	struct errbuf eb = {0};
	struct rowset rs = {0};
	struct db *db = admin_begin(c);
	if (!db)
		return;
	enum err rc = db_query(
		db, statement,
		DB_PARAMS({"session_id", session_id}, {"user_id", admin_number(c, c->who.user_id)}), &rs,
		&eb);
	bool found = rc == ERR_OK && rowset_rows(&rs) > 0;
	if (found)
		rc = audit_note(c, db, action, arena_printf(c->req->arena, "user:%s", c->who.name), "{}",
		                &eb);
	rowset_fini(&rs);
	if (!admin_end(c, db, rc, &eb))
		return;
	if (found)
		admin_done(c, PATH, word);
	else
		admin_refuse(c, 404, "That session has ended already.");
}

void account_session_end_handle(struct call *c)
{
	(void)account_page(c);
	end_sessions(c, "session_end_own", call_param(c, "session"), "session_end", "session");
}

void account_sessions_end_handle(struct call *c)
{
	(void)account_page(c);
	end_sessions(c, "session_end_others", admin_number(c, c->who.session_id), "sessions_end",
	             "sessions");
}

/* ---- password ----------------------------------------------------------- */

static void current_is_wrong(struct call *c, int status, const char *message)
{
	c->page_status = status == 429 ? 429 : 422;
	tv_set_text(c->req->arena, account_page(c), "current_problem",
	            status == 429 ? message : "This is not your password.");
}

/* "password must ..." as a sentence. */
static void new_is_refused(struct call *c, const struct errbuf *eb)
{
	char *text = arena_strdup(c->req->arena, eb->text);
	if (*text >= 'a' && *text <= 'z')
		*text = (char)(*text - 'a' + 'A');
	c->page_status = 422;
	tv_set_text(c->req->arena, account_page(c), "password_problem",
	            arena_printf(c->req->arena, "%s.", text));
}

static enum err store_password(struct call *c, struct db *db, const char *hash, struct buf *cookie,
                               struct errbuf *eb)
{
	const struct db_param *params = DB_PARAMS({"username", c->who.name}, {"password_hash", hash});
	enum err rc = db_query(db, "user_password_set", params, NULL, eb);
	if (rc == ERR_OK)
		rc = db_query(db, "user_sessions_end", DB_PARAMS({"username", c->who.name}), NULL, eb);
	if (rc == ERR_OK && c->who.session_id)
		rc = login_session_add(c, db, c->who.user_id, cookie, eb);
	if (rc == ERR_OK)
		rc = audit_note(c, db, "user_password", arena_printf(c->req->arena, "user:%s", c->who.name),
		                "{}", eb);
	return rc;
}

static void change_password(struct call *c, const char *password)
{
	char hash[SECRET_HASH_TEXT];
	struct errbuf eb = {0};
	struct buf cookie;
	if (secret_password_hash(password, strlen(password), hash, &eb) != ERR_OK) {
		call_refuse(c, 0, NULL, &eb);
		c->handled = true;
		return;
	}
	struct db *db = admin_begin(c);
	if (!db)
		return;
	buf_init(&cookie);
	if (admin_end(c, db, store_password(c, db, hash, &cookie, &eb), &eb)) {
		admin_done(c, PATH, "password");
		if (cookie.len)
			identity_cookie_set(c, buf_str(&cookie));
	}
	buf_fini(&cookie);
}

void account_password_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct login_person who;
	const char *password = call_param(c, "password");
	struct tv *more = account_page(c);
	if (!c->who.user_id) {
		admin_refuse(c, 409, "Nobody has logged in here, so there is no password to change.");
	} else if (!login_admit(c, c->who.name, call_param(c, "current"), &who, current_is_wrong)) {
		c->handled = c->page_status == 0; /* an error is the whole answer */
	} else if (secret_password_check(c->who.name, password, strlen(password), &eb) != ERR_OK) {
		new_is_refused(c, &eb);
	} else if (strcmp(password, call_param(c, "again")) != 0) {
		c->page_status = 422;
		tv_set_text(c->req->arena, more, "again_problem", "The two are not the same.");
	} else {
		change_password(c, password);
	}
}
