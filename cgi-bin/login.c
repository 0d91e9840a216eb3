/* login.c: from a name and a password to a session or a token. */
#include "cgi-bin/login.h"

#include <ctype.h>
#include <string.h>

#include "base/cidr.h"
#include "base/clock.h"
#include "base/json_text.h"
#include "base/log.h"
#include "cgi-bin/audit.h"
#include "cgi-bin/pages.h"
#include "cgi-bin/stats.h"
#include "cgi-bin/watch.h"
#include "web/json.h"
#include "web/limits.h"
#include "web/secret.h"
#include "web/token.h"

static const char LOGIN_COOKIE[] =
	"login"; /* before there is a session: binds the form to the browser */

/* ---- who that is ----------------------------------------------------------- */

static const char *lower(struct arena *a, const char *text)
{
	char *copy = arena_strdup(a, text);
	for (char *p = copy; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy;
}

/* Whose attempts are counted together. */
static const char *party(const struct call *c)
{
	char text[CIDR_PARTY];
	cidr_party(c->req->remote_addr, text);
	return arena_strdup(c->req->arena, text);
}

/* Takes the same time whether there is such a user or not. */
static enum err compare(const struct rowset *rs, const char *password, bool *right,
                        struct errbuf *eb)
{
	const char *hash = rowset_get(rs, 0, "password_hash");
	*right = false;
	if (!hash)
		return secret_password_waste(password, strlen(password), eb);
	enum err rc = secret_password_verify(hash, password, strlen(password), right, eb);
	*right = *right && *rowset_get(rs, 0, "enabled") == 't';
	return rc;
}

static enum err note_failure(struct call *c, const char *username, struct errbuf *eb)
{
	struct db *db;
	enum err rc = call_begin(c, POOL_WRITE, &db, eb);
	if (rc != ERR_OK)
		return rc;
	stats_auth_failed();
	/* The name is not logged: people type their password into the wrong field. */
	LOG(LOG_WARNING, "login_failed", LOG_STR("address", c->req->remote_addr),
	    LOG_STR("request_id", c->req->request_id), LOG_END);
	rc = db_query(db, "login_failed", DB_PARAMS({"username", username}, {"address", party(c)}),
	              NULL, eb);
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	pool_give(c->web->pool, db);
	return rc;
}

/* ERR_OK with who->user_id 0 where name or password are wrong; *wait_s where it was tried
 * too often and nothing was looked at. */
static enum err recognise(struct call *c, const char *username, const char *password,
                          struct login_person *who, int64_t *wait_s, struct errbuf *eb)
{
	struct rowset rs;
	bool right = false;
	const struct db_param *params = DB_PARAMS({"username", username}, {"address", party(c)});
	enum err rc = call_ask(c, &(struct db_ask){"login_state", params, &rs}, 1, eb);
	if (rc != ERR_OK)
		return rc;
	*wait_s = rowset_int(&rs, 0, "wait_s");
	if (*wait_s <= 0)
		rc = compare(&rs, password, &right, eb);
	if (right)
		*who = (struct login_person){rowset_int(&rs, 0, "user_id"),
		                             arena_strdup(c->req->arena, rowset_get(&rs, 0, "username")),
		                             (int)rowset_int(&rs, 0, "token_version")};
	rowset_fini(&rs);
	if (rc == ERR_OK && *wait_s <= 0 && !right)
		rc = note_failure(c, username, eb);
	return rc;
}

bool login_admit(struct call *c, const char *username, const char *password,
                 struct login_person *who, login_again_fn again)
{
	struct errbuf eb = {0};
	struct limit_state left;
	struct limit limit = {.per_hour = conf_int(c->conf, CONF_RATE_LIMIT_LOGIN) * 60,
	                      .burst = conf_int(c->conf, CONF_RATE_LIMIT_LOGIN)};
	struct arena *m = c->req->arena;
	int64_t wait_s = 0;
	enum err rc = ERR_OK;
	*who = (struct login_person){0};
	if (limits_take(c->web->limits, LIMIT_LOGIN, party(c), &limit, c->start_us, &left))
		rc = recognise(c, lower(m, username), password, who, &wait_s, &eb);
	else
		wait_s = left.retry_s;
	if (rc != ERR_OK) {
		call_refuse(c, 0, NULL, &eb);
	} else if (wait_s > 0) {
		again(c, 429, arena_printf(m, "Too many attempts: wait %lld s.", (long long)wait_s));
		reply_header_set(c->reply, "Retry-After", arena_printf(m, "%lld", (long long)wait_s));
	} else if (!who->user_id) {
		again(c, 401, "Name or password are not right.");
	}
	return who->user_id != 0;
}

/* ---- sessions ---------------------------------------------------------------- */

/* Headers may hold any bytes, the database takes UTF-8 only. */
static const char *user_agent(const struct call *c)
{
	const char *text = request_param(c->req, "HTTP_USER_AGENT");
	size_t n = strlen(text);
	char *copy = arena_strndup(c->req->arena, text, n);
	for (size_t i = 0, len; i < n; i += len) {
		len = utf8_char_len(text + i, n - i);
		if (len == 0) {
			copy[i] = '?';
			len = 1;
		}
	}
	return copy;
}

enum err login_session_add(struct call *c, struct db *db, int64_t user_id, struct buf *cookie,
                           struct errbuf *eb)
{
	char hash[SECRET_DIGEST_TEXT];
	secret_random_text(32, cookie);
	secret_sha256_text(buf_str(cookie), cookie->len, hash);
	return db_query(db, "session_add",
	                DB_PARAMS({"hash", hash},
	                          {"user_id", arena_printf(c->req->arena, "%lld", (long long)user_id)},
	                          {"hours", conf_str(c->conf, CONF_SESSION_HOURS)},
	                          {"address", c->req->remote_addr}, {"agent", user_agent(c)}),
	                NULL, eb);
}

/* The session this browser had before, if it still counts. */
static enum err end_former(const struct call *c, struct db *db, struct errbuf *eb)
{
	const char *id = arena_printf(c->req->arena, "%lld", (long long)c->who.session_id);
	return c->who.session_id ? db_query(db, "session_end", DB_PARAMS({"session_id", id}), NULL, eb)
	                         : ERR_OK;
}

/* One transaction: the last login, the new session where a cookie is wanted, and the record. */
static enum err write_login(struct call *c, const struct login_person *who, const char *action,
                            struct buf *cookie, struct errbuf *eb)
{
	struct db *db;
	const char *id = arena_printf(c->req->arena, "%lld", (long long)who->user_id);
	enum err rc = call_begin(c, POOL_WRITE, &db, eb);
	if (rc != ERR_OK)
		return rc;
	rc = db_query(db, "login_succeeded",
	              DB_PARAMS({"username", who->username}, {"address", party(c)}, {"user_id", id}),
	              NULL, eb);
	if (rc == ERR_OK && cookie)
		rc = end_former(c, db, eb);
	if (rc == ERR_OK && cookie)
		rc = login_session_add(c, db, who->user_id, cookie, eb);
	if (rc == ERR_OK)
		rc = audit_write(c, db, arena_printf(c->req->arena, "user:%s", who->username), action, "",
		                 eb);
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	pool_give(c->web->pool, db);
	return rc;
}

/* ---- pages ------------------------------------------------------------------ */

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Only a page of ours: no other site, no scheme, nothing a browser reads as a host or a header
 * cannot hold. */
static const char *safe_next(const char *next)
{
	if (!next || strncmp(next, "/admin/", 7) != 0 || strchr(next, '\\') || strstr(next, "//"))
		return "/admin/";
	for (const char *p = next; *p; p++)
		if (is_control(*p))
			return "/admin/";
	return next;
}

static void set_login_cookie(struct call *c, const char *value, const char *more)
{
	reply_header_add(
		c->reply, "Set-Cookie",
		arena_printf(c->req->arena, "%s=%s; Path=/admin/login; HttpOnly; SameSite=Strict%s%s",
	                 LOGIN_COOKIE, value, more, identity_is_secure(c) ? "; Secure" : ""));
}

static void show_form(struct call *c, int status, const char *message)
{
	char hash[SECRET_DIGEST_TEXT];
	struct buf cookie, csrf;
	struct tv *top;
	const char *kept = identity_cookie(c, LOGIN_COOKIE);
	buf_init(&cookie);
	buf_init(&csrf);
	if (kept)
		buf_puts(&cookie, kept);
	else
		secret_random_text(32, &cookie);
	secret_sha256_text(buf_str(&cookie), cookie.len, hash);
	identity_csrf(c->conf, hash, &csrf);
	top = pages_context(c);
	tv_set_text(c->req->arena, top, "login_csrf", buf_str(&csrf));
	tv_set_text(c->req->arena, top, "message", message);
	tv_set_text(c->req->arena, top, "typed", call_param(c, "username"));
	tv_set_text(c->req->arena, top, "next", safe_next(call_param(c, "next")));
	pages_render(c, status, top);
	if (!kept)
		set_login_cookie(c, buf_str(&cookie), "");
	buf_fini(&csrf);
	buf_fini(&cookie);
}

void login_page_handle(struct call *c)
{
	struct errbuf ignored = {0};
	c->handled = true;
	if (identity_find(c, &ignored) == ERR_OK && c->who.role > ACCESS_PUBLIC)
		call_redirect(c, safe_next(call_param(c, "next")));
	else
		show_form(c, 200, NULL);
}

static bool form_is_ours(struct call *c)
{
	char hash[SECRET_DIGEST_TEXT];
	const char *cookie = identity_cookie(c, LOGIN_COOKIE);
	if (!cookie || !identity_same_site(c))
		return false;
	secret_sha256_text(cookie, strlen(cookie), hash);
	return identity_csrf_right(c->conf, hash, call_param(c, "csrf"));
}

void login_handle(struct call *c)
{
	struct errbuf eb = {0}, ignored = {0};
	struct login_person who;
	struct buf cookie;
	c->handled = true;
	if (!form_is_ours(c)) {
		show_form(c, 403, "The form was too old. Please try again.");
		return;
	}
	const char *username = call_param(c, "username"), *password = call_param(c, "password");
	if (!login_admit(c, username, password, &who, show_form))
		return;
	if (identity_find(c, &ignored) != ERR_OK)
		c->who = (struct identity){.kind = IDENTITY_NONE};
	buf_init(&cookie); /* of the session: never one from before the login */
	enum err rc = write_login(c, &who, "login", &cookie, &eb);
	watch_access_changed(c->web->watch);
	if (rc == ERR_OK) {
		call_redirect(c, safe_next(call_param(c, "next")));
		identity_cookie_set(c, buf_str(&cookie));
		set_login_cookie(c, "", "; Max-Age=0");
	} else {
		call_refuse(c, 0, NULL, &eb);
	}
	buf_fini(&cookie);
}

static enum err end_session(struct call *c, struct errbuf *eb)
{
	struct db *db;
	const char *id = arena_printf(c->req->arena, "%lld", (long long)c->who.session_id);
	enum err rc = call_begin(c, POOL_WRITE, &db, eb);
	if (rc != ERR_OK)
		return rc;
	rc = db_query(db, "session_end", DB_PARAMS({"session_id", id}), NULL, eb);
	if (rc == ERR_OK)
		rc = audit_note(c, db, "logout", "", "{}", eb);
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	pool_give(c->web->pool, db);
	watch_access_changed(c->web->watch);
	return rc;
}

void logout_handle(struct call *c)
{
	struct errbuf eb = {0};
	c->handled = true;
	if (c->who.session_id && end_session(c, &eb) != ERR_OK) {
		call_refuse(c, 0, NULL, &eb);
		return;
	}
	call_redirect(c, "/admin/login");
	identity_cookie_clear(c);
	reply_header_set(c->reply, "Clear-Site-Data", "\"cache\", \"cookies\"");
}

/* ---- for programs -------------------------------------------------------------- */

static void refuse_token(struct call *c, int status, const char *message)
{
	struct errbuf eb = {0};
	(void)err_set(&eb, ERR_INVALID, "%.*s", (int)strcspn(message, "."), message);
	call_refuse(c, status, status == 401 ? "unauthorized" : "too_many_requests", &eb);
	if (status == 401)
		reply_header_set(c->reply, "WWW-Authenticate", "Bearer realm=\"takings\"");
}

static void reply_token(struct call *c, const char *token, int64_t expiry_s)
{
	struct json j;
	reply_begin(c->reply, 200, "application/json");
	json_init(&j, &c->reply->body);
	json_begin_object(&j);
	json_pair_text(&j, "access_token", token);
	json_pair_text(&j, "token_type", "bearer");
	json_pair_int(&j, "expires_in", expiry_s);
	json_end_object(&j);
	json_end(&j);
	buf_putc(&c->reply->body, '\n');
}

void auth_token_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct login_person who;
	struct buf token;
	struct token_rules rules;
	c->handled = true;
	const char *username = call_param(c, "username"), *password = call_param(c, "password");
	if (!login_admit(c, username, password, &who, refuse_token))
		return;
	struct token_claims claims = {.version = who.token_version,
	                              .issued_at = clock_now_us() / 1000000};
	must(strlen(who.username) < sizeof claims.username);
	memcpy(claims.username, who.username, strlen(who.username));
	buf_init(&token);
	enum err rc = token_rules_load(c->conf, &rules, &eb);
	if (rc == ERR_OK)
		rc = token_sign(&rules, &claims, &token, &eb);
	if (rc == ERR_OK)
		rc = write_login(c, &who, "token", NULL, &eb);
	if (rc == ERR_OK)
		reply_token(c, buf_str(&token), rules.expiry_s);
	else
		call_refuse(c, 0, NULL, &eb);
	buf_fini(&token);
}
