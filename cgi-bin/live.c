/* live.c: live figures over HTTP, and the door to those of the WebSocket. */
#include "cgi-bin/live.h"

#include <string.h>

#include "base/clock.h"
#include "base/words.h"
#include "cgi-bin/bookings.h"
#include "cgi-bin/feature.h"
#include "cgi-bin/stats.h"
#include "web/json.h"
#include "web/token.h"

void live_handle(struct call *c)
{
	call_param_set(c, "window_s", conf_str(c->conf, CONF_REALTIME_WINDOW));
	call_param_set(c, "bookings", bookings_are_for(&c->who, c->conf) ? "t" : "f");
	call_param_set(c, "customers", identity_sees_customers(&c->who) ? "t" : "f");
	call_param_set(c, "user_s", conf_str(c->conf, CONF_ACTIVE_USER_TIMEOUT));
	call_param_set(c, "session_s", conf_str(c->conf, CONF_SESSION_TIMEOUT));
}

void live_now_handle(struct call *c)
{
	live_handle(c);
	call_param_set(c, "personal", identity_sees_customers(&c->who) ? "t" : "f");
}

/* ---- tickets -------------------------------------------------------------------- */

static enum err read_version(struct call *c, int *version, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = call_ask(
		c, &(struct db_ask){"session_user", DB_PARAMS({"username", c->who.name}), &rs}, 1, eb);
	if (rc == ERR_OK && rowset_rows(&rs) == 0)
		rc = err_set(eb, ERR_NOT_FOUND, "there is no such user any more");
	if (rc == ERR_OK)
		*version = (int)rowset_int(&rs, 0, "token_version");
	rowset_fini(&rs);
	return rc;
}

static enum err sign(const struct call *c, int version, struct buf *out, struct errbuf *eb)
{
	struct token_rules rules;
	struct token_claims claims = {.version = version, .issued_at = clock_now_us() / 1000000};
	enum err rc = identity_ticket_rules(c->conf, &rules, eb);
	must(strlen(c->who.name) < sizeof claims.username);
	memcpy(claims.username, c->who.name, strlen(c->who.name));
	return rc == ERR_OK ? token_sign(&rules, &claims, out, eb) : rc;
}

static void reply_ticket(struct call *c, const char *ticket)
{
	struct json j;
	reply_begin(c->reply, 200, "application/json");
	json_init(&j, &c->reply->body);
	json_begin_object(&j);
	json_pair_text(&j, "ticket", ticket);
	json_pair_int(&j, "expires_in", IDENTITY_TICKET_S);
	json_end_object(&j);
	json_end(&j);
	buf_putc(&c->reply->body, '\n');
}

void live_ticket_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct buf ticket;
	int version = 0;
	c->handled = true;
	if (!c->who.user_id) {
		(void)err_set(&eb, ERR_INVALID, "a ticket is a user's, and here nobody needs one");
		call_refuse(c, 0, NULL, &eb);
		return;
	}
	buf_init(&ticket);
	enum err rc = read_version(c, &version, &eb);
	if (rc == ERR_OK)
		rc = sign(c, version, &ticket, &eb);
	if (rc == ERR_OK)
		reply_ticket(c, buf_str(&ticket));
	else
		call_refuse(c, 0, NULL, &eb);
	buf_fini(&ticket);
}

/* ---- the door --------------------------------------------------------------------- */

/* A browser sends cookies along, and comes in without a login where that is switched off, whoever's
 * page made it do so: then the page has to be ours. What shows a token was given it. */
static bool page_is_ours(const struct call *c, bool ticket)
{
	const char *origin = request_param(c->req, "HTTP_ORIGIN");
	if (ticket || c->who.kind == IDENTITY_TOKEN || c->who.kind == IDENTITY_KEY)
		return true;
	if (!*origin) /* no browser: it sends no cookie unless told to, but a stolen one it would */
		return c->who.kind == IDENTITY_OPEN;
	return strcmp(origin, request_param(c->req, "TAKINGS_ORIGIN")) == 0 ||
	       words_find(conf_str(c->conf, CONF_PUBLIC_ORIGIN), ',', origin, WORDS_ANY_CASE) >= 0;
}

/* What the answer's header says to takings-stream (stream/ws.c). */
static const char *view_of(const struct call *c)
{
	bool customers = identity_sees_customers(&c->who);
	if (bookings_are_for(&c->who, c->conf))
		return customers ? "full bookings" : "plain bookings";
	return customers ? "full" : "plain";
}

static bool may_watch(const struct call *c)
{
	static const struct route as = {.access = ACCESS_VIEWER, .scopes = SCOPE_READ};
	struct errbuf off = {0};
	return feature_check(CONF_ENABLE_REALTIME_ANALYTICS, c->conf, &off) == ERR_OK &&
	       identity_may(&c->who, &as, c->conf);
}

void live_auth_handle(struct call *c)
{
	struct errbuf eb = {0};
	const char *ticket = call_param(c, "ticket");
	enum err rc = ticket ? identity_find_ticket(c, ticket, &eb) : identity_find(c, &eb);
	c->handled = true;
	if (rc == ERR_INVALID)
		stats_auth_failed();
	if (rc == ERR_INVALID || (rc == ERR_OK && c->who.kind == IDENTITY_NONE)) {
		(void)err_set(&eb, ERR_INVALID, "log in, or send a token or a ticket");
		call_refuse(c, 401, "unauthorized", &eb);
	} else if (rc != ERR_OK) {
		call_refuse(c, 0, NULL, &eb);
	} else if (!page_is_ours(c, ticket != NULL) || !may_watch(c)) {
		(void)err_set(&eb, ERR_INVALID,
		              "this needs more rights than yours, or a page of this site");
		call_refuse(c, 403, "forbidden", &eb);
	} else {
		reply_begin(c->reply, 204, "text/plain");
		reply_header_set(c->reply, "X-Takings-Live", view_of(c));
	}
}
