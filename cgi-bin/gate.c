/* gate.c: from a request to a reply, by the row of its route. */
#include "cgi-bin/gate.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/cidr.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/failpoint.h"
#include "base/num.h"
#include "base/words.h"
#include "cgi-bin/answer.h"
#include "cgi-bin/cache.h"
#include "cgi-bin/csv.h"
#include "cgi-bin/feature.h"
#include "cgi-bin/ingest.h"
#include "cgi-bin/pages.h"
#include "cgi-bin/stats.h"
#include "cgi-bin/watch.h"
#include "web/fcgi.h"
#include "web/limits.h"

/* ---- who may ---------------------------------------------------------------- */

static void set_number(struct call *c, const char *header, int64_t n)
{
	reply_header_set(c->reply, header, arena_printf(c->req->arena, "%lld", (long long)n));
}

/* Takes one from the caller's allowance; false with 429 as the answer. */
static bool within_limit(struct call *c, enum limit_class class, const char *id, int64_t per_hour)
{
	struct errbuf eb = {0};
	struct limit_state left;
	struct limit limit = {.per_hour = per_hour, .burst = conf_int(c->conf, CONF_RATE_LIMIT_BURST)};
	bool allowed = limits_take(c->web->limits, class, id, &limit, c->start_us, &left);
	if (!allowed) {
		(void)err_set(&eb, ERR_INVALID, "more than %lld requests an hour: wait %lld s",
		              (long long)per_hour, (long long)left.retry_s);
		call_refuse(c, 429, "too_many_requests", &eb);
		set_number(c, "Retry-After", left.retry_s);
	}
	c->limit_n = per_hour;
	c->limit_left = left.left;
	c->limit_full_s = left.full_s;
	return allowed;
}

/* Whatever the answer became. */
static void tell_limit(struct call *c)
{
	if (c->limit_n <= 0)
		return;
	set_number(c, "X-RateLimit-Limit", c->limit_n);
	set_number(c, "X-RateLimit-Remaining", c->limit_left);
	set_number(c, "X-RateLimit-Reset", c->limit_full_s);
}

static bool within_own_limit(struct call *c)
{
	const struct identity *who = &c->who;
	if (who->kind == IDENTITY_KEY)
		return within_limit(c, LIMIT_KEY,
		                    arena_printf(c->req->arena, "%lld", (long long)who->key_id),
		                    conf_int(c->conf, CONF_RATE_LIMIT_KEYS));
	if (who->user_id)
		return within_limit(c, LIMIT_USER,
		                    arena_printf(c->req->arena, "%lld", (long long)who->user_id),
		                    conf_int(c->conf, CONF_RATE_LIMIT_USERS));
	return true;
}

static void ask_to_log_in(struct call *c, struct errbuf *eb)
{
	bool got = strcmp(c->route->method, "GET") == 0;
	char party[CIDR_PARTY];
	cidr_party(c->req->remote_addr, party);
	if (!within_limit(c, LIMIT_ADDRESS, party, conf_int(c->conf, CONF_RATE_LIMIT_ADDRESSES)))
		return;
	if (call_is_page(c) && got) {
		/* A path of ours needs no escaping; what was asked for within it is not kept. */
		bool plain =
			strspn(c->req->path, "abcdefghijklmnopqrstuvwxyz0123456789-_/") == strlen(c->req->path);
		call_redirect(c, plain ? arena_printf(c->req->arena, "/admin/login?next=%s", c->req->path)
		                       : "/admin/login");
		return;
	}
	(void)err_set(eb, ERR_INVALID, "log in, or send a token: Authorization: Bearer ...");
	call_refuse(c, 401, "unauthorized", eb);
	reply_header_set(c->reply, "WWW-Authenticate", "Bearer realm=\"takings\"");
}

/* A cookie comes along with every request of a browser, whoever made it send one: what
 * changes something needs the token of our own forms besides. */
static bool is_forged(const struct call *c)
{
	const char *token = request_param(c->req, "HTTP_X_CSRF_TOKEN");
	if (strcmp(c->route->method, "GET") == 0)
		return false;
	/* Without a login there is no cookie either: what a browser says of the page is all there is,
	 * and what is no browser says nothing. */
	if (c->who.kind == IDENTITY_OPEN)
		return (*request_param(c->req, "HTTP_SEC_FETCH_SITE") ||
		        *request_param(c->req, "HTTP_ORIGIN")) &&
		       !identity_same_site(c);
	if (c->who.kind != IDENTITY_SESSION)
		return false;
	if (*token == '\0' && c->route->body == BODY_FORM)
		token = params_get(&c->params, "csrf");
	return !token || !identity_same_site(c) || !identity_csrf_right(c->conf, c->who.hash, token);
}

/* Fills c->who for routes that ask for somebody; false with the refusal as the answer. */
static bool admitted(struct call *c)
{
	struct errbuf eb = {0};
	if (c->route->access == ACCESS_PUBLIC)
		return true;
	enum err rc = identity_find(c, &eb);
	if (rc != ERR_OK && rc != ERR_INVALID) {
		call_refuse(c, 0, NULL, &eb);
		return false;
	}
	if (rc == ERR_INVALID)
		stats_auth_failed();
	if (rc == ERR_INVALID || c->who.kind == IDENTITY_NONE) {
		ask_to_log_in(c, &eb);
		return false;
	}
	if (!c->route->write_key && !within_own_limit(c)) /* events are counted one by one */
		return false;
	if (identity_is_exposed(c)) {
		(void)err_set_field(&eb, ERR_INVALID, "key",
		                    "this key is secret: it must not stand in an address, but in"
		                    " Authorization or X-Write-Key");
		call_refuse(c, 403, "forbidden", &eb);
		return false;
	}
	if (c->who.is_public && !identity_is_at_home(c)) {
		(void)err_set_field(&eb, ERR_INVALID, "Origin",
		                    "this key is public: it counts only from pages of its origins");
		call_refuse(c, 403, "forbidden", &eb);
		return false;
	}
	if (identity_may(&c->who, c->route, c->conf))
		return true;
	(void)err_set(&eb, ERR_INVALID, "this needs more rights than yours");
	call_refuse(c, 403, "forbidden", &eb);
	return false;
}

/* ---- answers of statements --------------------------------------------------- */

enum { READ_AFTER_MS = 2000 };

/* Messages that were stored: an answer that was kept may be older than what was just heard of. */
static enum err wait_for_messages(struct call *c, int64_t id, struct errbuf *eb)
{
	c->fresh = true;
	return ingest_wait(c, id, c->start_us / 1000 + READ_AFTER_MS, eb);
}

static enum err wait_for_version(struct call *c, int64_t version, struct errbuf *eb)
{
	if (watch_wait_version(c->web->watch, version, c->start_us / 1000 + READ_AFTER_MS))
		return ERR_OK;
	return err_set_field(eb, ERR_BUSY, "X-Read-After", "version %lld is not here yet",
	                     (long long)version);
}

/* Whoever wrote something and was told its version sees it, or is told to come back. */
static bool is_new_enough(struct call *c)
{
	struct errbuf eb = {0};
	const char *text = request_param(c->req, "HTTP_X_READ_AFTER");
	int64_t n;
	enum err rc = ERR_OK;
	if (ingest_token_parse(text, &n))
		rc = wait_for_messages(c, n, &eb);
	else if (num_parse_int(text, 0, INT64_MAX, &n))
		rc = wait_for_version(c, n, &eb);
	else if (*text)
		rc = err_set_field(&eb, ERR_INVALID, "X-Read-After",
		                   "X-Read-After must be a version such as X-Data-Version gives, or a"
		                   " write_token");
	if (rc == ERR_OK)
		return true;
	bool not_yet = rc == ERR_BUSY && *eb.field;
	call_refuse(c, not_yet ? 409 : 0, not_yet ? "not_yet" : NULL, &eb);
	return false;
}

static void put_key(const struct call *c, struct buf *key)
{
	buf_putint(key, route_index(c->route));
	buf_putc(key, ';');
	buf_putint(key, c->who.role);
	buf_putc(key, ';');
	params_print(&c->params, key);
}

/* A value that says when, as a member of JSON: its end, or NULL where there is none at `s`. */
static const char *clock_member(const char *s)
{
	static const char *const names[] = {"\"as_of\":", "\"elapsed_s\":", "\"seen_at\":"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strncmp(s, names[i], strlen(names[i])) == 0)
			return s + strcspn(s, ",}");
	return NULL;
}

/* Two of them agree where the bytes do. Live figures are asked for again and again and say each
 * time when it was: there the rest decides, and the tag is a weak one. */
static void set_etag(struct cached *made)
{
	unsigned char hash[16];
	char text[2 * sizeof hash + 1];
	const char *s = buf_str(&made->body), *from = s;
	crypto_generichash_state state;
	(void)crypto_generichash_init(&state, NULL, 0, sizeof hash);
	while (made->live && *s) {
		const char *end = *s == '"' ? clock_member(s) : NULL;
		if (!end) {
			s++;
			continue;
		}
		(void)crypto_generichash_update(&state, (const unsigned char *)from, (size_t)(s - from));
		from = s = end;
	}
	(void)crypto_generichash_update(&state, (const unsigned char *)from, strlen(from));
	(void)crypto_generichash_final(&state, hash, sizeof hash);
	(void)sodium_bin2hex(text, sizeof text, hash, sizeof hash);
	(void)snprintf(made->etag, sizeof made->etag, "%s\"%s\"", made->live ? "W/" : "", text);
}

static bool wants_csv(const struct call *c)
{
	const char *format = call_param(c, "format");
	return format && strcmp(format, "csv") == 0;
}

static enum err make_answer(struct call *c, int64_t data_version, struct cached *made,
                            struct errbuf *eb)
{
	*made = (struct cached){.made_ms = clock_mono_ms(), .data_version = data_version};
	enum err rc =
		c->route->make ? c->route->make(c, &made->body, eb) : answer_ask(c, &made->answer, eb);
	made->live = rc == ERR_OK && !c->route->make && answer_is_live(&made->answer);
	if (rc == ERR_OK && !c->route->page && !c->route->make) {
		int64_t begun_us = clock_mono_us();
		if (wants_csv(c))
			rc = answer_write_csv(&made->answer, NULL, &made->body, made->file, sizeof made->file,
			                      eb);
		else
			answer_write_json(&made->answer, &made->body);
		answer_fini(&made->answer);
		c->render_us += clock_mono_us() - begun_us;
	}
	if (rc != ERR_OK) {
		answer_fini(&made->answer);
		buf_fini(&made->body);
	}
	return rc;
}

/* c->cached, out of the cache or made now. */
static enum err find_answer(struct call *c, struct errbuf *eb)
{
	struct cached made;
	struct buf key;
	/* Read before the figures are: what is made from them is never taken for newer. */
	struct watch_state seen = watch_state_get(c->web->watch);
	const struct cache_epoch epoch = {
		seen.data_epoch + (c->route->activity ? seen.activity_epoch : 0), seen.live_epoch};
	int64_t keep_ms = c->route->keep_ms;
	int64_t ttl_ms = keep_ms ? keep_ms : conf_int(c->conf, CONF_CACHE_TTL) * 1000;
	if (c->route->aging_ms && c->route->aging_ms < ttl_ms)
		ttl_ms = c->route->aging_ms;
	bool keeps = ttl_ms > 0 && (seen.listening || keep_ms) && !c->route->uncached;
	enum err rc = ERR_OK;
	buf_init(&key);
	if (keeps)
		put_key(c, &key);
	if (keeps && !c->fresh) {
		c->cached = cache_find(c->web->cache, key.data, key.len, &epoch, clock_mono_ms(), ttl_ms);
		c->cache_hit = c->cached != NULL;
	}
	if (!c->cached)
		rc = make_answer(c, seen.data_version, &made, eb);
	/* JSON says when it was made: where it is not kept, its tag would never be met again. */
	if (!c->cached && rc == ERR_OK)
		made.live |= keep_ms > 0;
	if (!c->cached && rc == ERR_OK && !c->route->page && (keeps || made.live || wants_csv(c)))
		set_etag(&made);
	if (!c->cached && rc == ERR_OK)
		c->cached = keeps ? cache_keep(c->web->cache, key.data, key.len, &epoch, &made)
		                  : cache_alone(&made);
	buf_fini(&key);
	return rc;
}

/* RFC 9110, 13.1.2; nginx makes a strong tag weak where it compresses. */
static bool is_known(const struct call *c)
{
	const char *p = c->req->if_none_match, *etag = c->cached->etag;
	etag += strncmp(etag, "W/", 2) == 0 ? 2 : 0;
	size_t n = strlen(etag);
	if (strcmp(c->route->method, "GET") != 0)
		return false;
	for (; n && (p = strstr(p, etag)) != NULL; p += n)
		if (p[n] == '\0' || p[n] == ',' || p[n] == ' ')
			return true;
	return strcmp(c->req->if_none_match, "*") == 0;
}

static void name_file(struct call *c, const char *file)
{
	reply_header_set(c->reply, "Content-Disposition",
	                 arena_printf(c->req->arena, "attachment; filename=\"%s\"", file));
}

static void reply_data(struct call *c)
{
	bool known = is_known(c);
	reply_begin(c->reply, known ? 304 : 200, wants_csv(c) ? CSV_TYPE : "application/json");
	if (wants_csv(c))
		name_file(c, c->cached->file);
	if (*c->cached->etag)
		reply_header_set(c->reply, "ETag", c->cached->etag);
	reply_header_set(c->reply, "Cache-Control", "private, no-cache");
	if (!known)
		buf_put(&c->reply->body, c->cached->body.data, c->cached->body.len);
}

/* A table of a page; spreadsheets take it for UTF-8 by its first character. */
static enum err reply_table(struct call *c, struct errbuf *eb)
{
	char file[CACHE_FILE];
	const char *table = call_param(c, "table");
	if (!table)
		return err_set_field(eb, ERR_INVALID, "table", "table is missing");
	reply_begin(c->reply, 200, CSV_TYPE);
	buf_puts(&c->reply->body, "\xef\xbb\xbf");
	enum err rc =
		answer_write_csv(&c->cached->answer, table, &c->reply->body, file, sizeof file, eb);
	if (rc == ERR_OK)
		name_file(c, file);
	return rc;
}

static void answer_route(struct call *c)
{
	struct errbuf eb = {0};
	enum err rc = find_answer(c, &eb);
	int64_t begun_us = clock_mono_us();
	if (rc == ERR_OK && c->route->page && wants_csv(c))
		rc = reply_table(c, &eb);
	else if (rc == ERR_OK && c->route->page)
		rc = pages_write(c, &c->cached->answer, &eb);
	else if (rc == ERR_OK)
		reply_data(c);
	c->render_us += clock_mono_us() - begun_us;
	if (rc != ERR_OK) {
		call_refuse(c, 0, NULL, &eb);
		return;
	}
	if (c->cache_hit)
		reply_header_set(c->reply, "X-Cache",
		                 arena_printf(c->req->arena, "hit; age=%lld",
		                              (long long)(clock_mono_ms() - c->cached->made_ms) / 1000));
	else
		reply_header_set(c->reply, "X-Cache", "miss");
	set_number(c, "X-Data-Version", c->cached->data_version);
}

/* ---- the gate ---------------------------------------------------------- */

/* Pages of these origins may read answers they ask for with a token; cookies stay at home. */
static void allow_origin(struct call *c, bool tells_nothing)
{
	const char *origin = request_param(c->req, "HTTP_ORIGIN");
	bool listed = words_find(conf_str(c->conf, CONF_CORS_ORIGINS), ',', origin, WORDS_EXACT) >= 0;
	if (!*origin || !(listed || tells_nothing || identity_is_at_home(c)))
		return;
	reply_header_set(c->reply, "Access-Control-Allow-Origin", origin);
	reply_header_add(c->reply, "Vary", "Origin");
	reply_header_set(c->reply, "Access-Control-Expose-Headers",
	                 "ETag, Retry-After, X-Cache, X-Data-Version, X-RateLimit-Limit,"
	                 " X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-ID");
	reply_header_set(c->reply, "Cross-Origin-Resource-Policy", "cross-origin");
}

/* What a browser asks before it lets a page of another origin call. */
static void answer_preflight(struct call *c, const char *allowed)
{
	reply_begin(c->reply, 204, "text/plain");
	reply_header_set(c->reply, "Allow", allowed);
	/* Whose key it will be is not known before it comes. */
	const char *others;
	const struct route *post = route_find("POST", c->req->path, &others);
	allow_origin(c, post && post->write_key);
	if (!reply_header_find(c->reply, "Access-Control-Allow-Origin"))
		return;
	reply_header_set(c->reply, "Access-Control-Allow-Methods", allowed);
	reply_header_set(c->reply, "Access-Control-Allow-Headers",
	                 "Authorization, Content-Type, If-None-Match, X-Read-After, X-Request-ID,"
	                 " X-Write-Key");
	reply_header_set(c->reply, "Access-Control-Max-Age", "600");
}

static void refuse_route(struct call *c, const char *allowed)
{
	struct errbuf eb = {0};
	if (allowed && c->req->method == METHOD_OPTIONS) {
		answer_preflight(c, allowed);
	} else if (allowed) {
		(void)err_set(&eb, ERR_INVALID, "this address takes %s only", allowed);
		call_refuse(c, 405, "method_not_allowed", &eb);
		reply_header_set(c->reply, "Allow", allowed);
	} else {
		(void)err_set(&eb, ERR_NOT_FOUND, "there is nothing at this address");
		call_refuse(c, 404, NULL, &eb);
	}
}

static bool is_switched_on(struct call *c)
{
	struct errbuf eb = {0};
	if (feature_check(c->route->feature, c->conf, &eb) == ERR_OK)
		return true;
	call_refuse(c, 404, "feature_disabled", &eb);
	return false;
}

static bool parameters_fit(struct call *c)
{
	struct errbuf eb = {0};
	if (!params_media_fits(c->route, c->req)) {
		(void)err_set_field(&eb, ERR_INVALID, "Content-Type", "the body must be %s",
		                    c->route->body == BODY_FORM ? "application/x-www-form-urlencoded"
		                                                : "application/json");
		call_refuse(c, 415, "unsupported_media_type", &eb);
		return false;
	}
	if (params_parse(c->route, c->req, &c->params, &eb) != ERR_OK) {
		call_refuse(c, 0, NULL, &eb);
		return false;
	}
	if (is_forged(c)) {
		(void)err_set_field(&eb, ERR_INVALID, "csrf", "the form was too old, or not one of ours");
		call_refuse(c, 403, "forbidden", &eb);
		return false;
	}
	return true;
}

/* Once it is put off the call may be over at any moment. */
static void dispatch(struct call *c, const bool *put_off)
{
	const char *allowed;
	bool asks;
	c->route = route_find(c->req->method_text, c->req->path, &allowed);
	if (!c->route) {
		refuse_route(c, allowed);
		return;
	}
	if (!is_switched_on(c) || !admitted(c) || !parameters_fit(c))
		return;
	asks = c->route->parts[0].statement || c->route->make;
	if (asks && !is_new_enough(c))
		return;
	if (c->route->handler)
		c->route->handler(c);
	if (!*put_off && !c->handled && asks)
		answer_route(c);
}

/* What every answer has. */
static void finish(struct call *c)
{
	/* A page whose key is good for nothing may read that, and gives up: nothing else is in it. */
	bool hopeless = c->reply->status == 401 || c->reply->status == 403;
	tell_limit(c);
	if (c->route && !c->route->page)
		allow_origin(c, c->route->write_key && hopeless);
	cache_release(c->cached);
	stats_call_end(c);
}

void call_put_off(struct call *c)
{
	*c->put_off = true;
	crash_request(NULL);
	fcgi_put_off(c->reply);
}

void call_end(struct call *c)
{
	finish(c);
	fcgi_answer(c->reply);
}

void gate_handle(const struct request *req, struct reply *reply, void *arg)
{
	struct web *w = arg;
	bool put_off = false;
	struct call *c = arena_array(req->arena, 1, sizeof *c);
	*c = (struct call){
		.web = w, .conf = w->conf_in_force, .req = req, .reply = reply, .put_off = &put_off};
	c->start_us = clock_mono_us();
	c->deadline_ms = c->start_us / 1000 + conf_int(c->conf, CONF_QUERY_TIMEOUT) * 1000;
	stats_call_begin(c);
	failpoint_pass(FP_web_request);
	dispatch(c, &put_off);
	if (!put_off)
		finish(c);
}
