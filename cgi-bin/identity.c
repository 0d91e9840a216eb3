/* identity.c: from what a caller shows to who that is. */
#include "cgi-bin/identity.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/cidr.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/words.h"
#include "cgi-bin/call.h"
#include "cgi-bin/watch.h"
#include "web/secret.h"
#include "web/token.h"

/* Remembered identities: a slot for each hash, the newest of a slot wins. */
enum { SLOTS = 4096, LOCKS = 64, REMEMBER_MS = 30000 };

struct remembered {
	unsigned char digest[SECRET_DIGEST]; /* of what was shown */
	uint64_t epoch;
	int64_t until_ms; /* monotonic; 0: empty */
	struct identity who;
};

struct identities {
	unsigned char key[crypto_generichash_KEYBYTES];
	pthread_mutex_t locks[LOCKS];
	struct remembered slots[SLOTS];
};

struct identities *identities_new(void)
{
	struct identities *all = mem_alloc(sizeof *all);
	crypto_generichash_keygen(all->key);
	for (int i = 0; i < LOCKS; i++)
		must(pthread_mutex_init(&all->locks[i], NULL) == 0);
	return all;
}

void identities_free(struct identities *all)
{
	for (int i = 0; i < LOCKS; i++)
		(void)pthread_mutex_destroy(&all->locks[i]);
	free(all);
}

/* ---- remembering --------------------------------------------------------- */

static struct remembered *slot_of(struct identities *all, const unsigned char *digest,
                                  pthread_mutex_t **lock)
{
	unsigned at = (digest[0] | (unsigned)digest[1] << 8) % SLOTS;
	*lock = &all->locks[at % LOCKS];
	return &all->slots[at];
}

static bool recall(struct identities *all, const unsigned char *digest, uint64_t epoch,
                   struct identity *who)
{
	pthread_mutex_t *lock;
	struct remembered *slot = slot_of(all, digest, &lock);
	(void)pthread_mutex_lock(lock);
	bool known = slot->epoch == epoch && clock_mono_ms() < slot->until_ms &&
	             memcmp(slot->digest, digest, sizeof slot->digest) == 0;
	if (known)
		*who = slot->who;
	(void)pthread_mutex_unlock(lock);
	return known;
}

static void remember(struct identities *all, const unsigned char *digest, uint64_t epoch,
                     int64_t until_ms, const struct identity *who)
{
	pthread_mutex_t *lock;
	struct remembered *slot = slot_of(all, digest, &lock);
	(void)pthread_mutex_lock(lock);
	memcpy(slot->digest, digest, sizeof slot->digest);
	slot->epoch = epoch;
	slot->until_ms = until_ms;
	slot->who = *who;
	(void)pthread_mutex_unlock(lock);
}

/* ---- asking the database -------------------------------------------------- */

static enum access role_of(const char *word)
{
	static const char *const words = "public|viewer|analyst|admin";
	int at = words_find(words, '|', word, WORDS_EXACT);
	must(at > 0);
	return (enum access)at;
}

static enum err ask_one(struct call *c, const char *statement, const struct db_param *params,
                        struct rowset *rs, struct errbuf *eb)
{
	return call_ask(c, &(struct db_ask){statement, params, rs}, 1, eb);
}

/* That it was used is worth noting, and not worth failing for. */
static void touch(struct call *c, const char *statement, const char *name, int64_t id)
{
	struct errbuf eb = {0};
	struct db *db;
	const char *text = arena_printf(c->req->arena, "%lld", (long long)id);
	if (call_begin(c, POOL_WRITE, &db, &eb) != ERR_OK)
		return;
	if (db_query(db, statement, DB_PARAMS({name, text}), NULL, &eb) != ERR_OK ||
	    db_command(db, "COMMIT", &eb) != ERR_OK)
		log_err("touch", &eb);
	pool_give(c->web->pool, db);
}

static void copy_name(struct identity *who, const char *name)
{
	(void)snprintf(who->name, sizeof who->name, "%s", name);
}

static enum err refuse(struct errbuf *eb)
{
	return err_set(eb, ERR_INVALID, "the token or key is not valid, or not any more");
}

static enum err find_session(struct call *c, const char *cookie, struct errbuf *eb)
{
	char hash[SECRET_DIGEST_TEXT];
	struct rowset rs;
	secret_sha256_text(cookie, strlen(cookie), hash);
	enum err rc = ask_one(
		c, "session_find",
		DB_PARAMS({"hash", hash}, {"idle_minutes", conf_str(c->conf, CONF_SESSION_IDLE)}), &rs, eb);
	if (rc == ERR_OK && rowset_rows(&rs) > 0) {
		struct identity *who = &c->who;
		who->kind = IDENTITY_SESSION;
		copy_name(who, rowset_get(&rs, 0, "username"));
		who->user_id = rowset_int(&rs, 0, "user_id");
		who->session_id = rowset_int(&rs, 0, "session_id");
		who->role = role_of(rowset_get(&rs, 0, "role"));
		memcpy(who->hash, hash, sizeof hash);
		if (*rowset_get(&rs, 0, "stale") == 't')
			touch(c, "session_touch", "session_id", who->session_id);
	}
	rowset_fini(&rs);
	return rc;
}

/* A token of these rules, with what it says. */
static enum err read_token(struct call *c, const struct token_rules *rules, const char *text,
                           int64_t now_s, struct token_claims *out, struct errbuf *eb)
{
	struct errbuf why = {0};
	if (token_verify(rules, text, strlen(text), now_s, out, &why) == ERR_OK)
		return ERR_OK;
	LOG(LOG_DEBUG, "token_refused", LOG_STR("why", why.text),
	    LOG_STR("request_id", c->req->request_id), LOG_END);
	return refuse(eb);
}

static enum err find_user(struct call *c, const struct token_claims *claims, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = ask_one(c, "session_user", DB_PARAMS({"username", claims->username}), &rs, eb);
	if (rc == ERR_OK &&
	    (rowset_rows(&rs) == 0 || rowset_int(&rs, 0, "token_version") != claims->version))
		rc = refuse(eb);
	if (rc == ERR_OK) {
		c->who.kind = IDENTITY_TOKEN;
		copy_name(&c->who, claims->username);
		c->who.user_id = rowset_int(&rs, 0, "user_id");
		c->who.role = role_of(rowset_get(&rs, 0, "role"));
	}
	rowset_fini(&rs);
	return rc;
}

static enum err find_token(struct call *c, const char *text, int64_t *until_ms, struct errbuf *eb)
{
	struct token_claims claims;
	struct token_rules rules;
	int64_t now_s = clock_now_us() / 1000000;
	enum err rc = token_rules_load(c->conf, &rules, eb);
	if (rc == ERR_OK)
		rc = read_token(c, &rules, text, now_s, &claims, eb);
	if (rc != ERR_OK)
		return rc;
	int64_t left_ms = (claims.expires_at - now_s) * 1000;
	if (left_ms < REMEMBER_MS)
		*until_ms = clock_mono_ms() + left_ms;
	return find_user(c, &claims, eb);
}

enum err identity_ticket_rules(const struct conf *conf, struct token_rules *out, struct errbuf *eb)
{
	enum err rc = token_rules_load(conf, out, eb);
	out->expiry_s = IDENTITY_TICKET_S;
	out->audience = "takings-live";
	return rc;
}

enum err identity_find_ticket(struct call *c, const char *ticket, struct errbuf *eb)
{
	struct token_claims claims;
	struct token_rules rules;
	int64_t now_s = clock_now_us() / 1000000;
	c->who = (struct identity){.kind = IDENTITY_NONE};
	enum err rc = identity_ticket_rules(c->conf, &rules, eb);
	if (rc == ERR_OK)
		rc = read_token(c, &rules, ticket, now_s, &claims, eb);
	if (rc == ERR_OK && claims.expires_at <= now_s) /* of our own clock: no skew */
		rc = refuse(eb);
	return rc == ERR_OK ? find_user(c, &claims, eb) : rc;
}

static unsigned scopes_of(const char *word)
{
	if (strcmp(word, "admin") == 0)
		return SCOPE_ADMIN | SCOPE_READ;
	return strcmp(word, "read") == 0 ? SCOPE_READ : SCOPE_INGEST;
}

static enum err find_key(struct call *c, const char *text, struct errbuf *eb)
{
	char hash[SECRET_DIGEST_TEXT];
	struct rowset rs;
	secret_sha256_text(text, strlen(text), hash);
	enum err rc = ask_one(c, "session_key", DB_PARAMS({"hash", hash}), &rs, eb);
	if (rc == ERR_OK && rowset_rows(&rs) == 0)
		rc = refuse(eb);
	if (rc == ERR_OK) {
		c->who.kind = IDENTITY_KEY;
		copy_name(&c->who, rowset_get(&rs, 0, "name"));
		c->who.key_id = rowset_int(&rs, 0, "key_id");
		c->who.scopes = scopes_of(rowset_get(&rs, 0, "scope"));
		c->who.is_public = *rowset_get(&rs, 0, "is_public") == 't';
		(void)snprintf(c->who.origins, sizeof c->who.origins, "%s", rowset_get(&rs, 0, "origins"));
		if (*rowset_get(&rs, 0, "stale") == 't')
			touch(c, "session_key_touch", "key_id", c->who.key_id);
	}
	rowset_fini(&rs);
	return rc;
}

/* ---- what was shown -------------------------------------------------------- */

bool identity_is_secure(const struct call *c)
{
	return strncmp(conf_str(c->conf, CONF_PUBLIC_ORIGIN), "https://", 8) == 0;
}

static const char *cookie_name(const struct call *c)
{
	return identity_is_secure(c) ? "__Host-sid" : "sid";
}

const char *identity_cookie(const struct call *c, const char *name)
{
	const char *p = request_param(c->req, "HTTP_COOKIE");
	size_t n = strlen(name);
	while (*p) {
		p += strspn(p, "; ");
		size_t len = strcspn(p, ";");
		if (len > n && strncmp(p, name, n) == 0 && p[n] == '=')
			return arena_strndup(c->req->arena, p + n + 1, len - n - 1);
		p += len;
	}
	return NULL;
}

/* The credentials of "Authorization: Bearer X"; NULL without one. Another scheme is as good as
 * none. */
static const char *bearer(const struct call *c)
{
	const char *text = request_param(c->req, "HTTP_AUTHORIZATION");
	if (strncasecmp(text, "Bearer ", 7) != 0)
		return NULL;
	text += 7;
	return text + strspn(text, " ");
}

/* What was shown besides a cookie. A key may stand elsewhere where pages send events. */
static const char *token_of(const struct call *c)
{
	const char *token = bearer(c), *key = request_param(c->req, "HTTP_X_WRITE_KEY");
	if (token || !c->route || !c->route->write_key)
		return token;
	return *key ? key : request_query_find(c->req, "key");
}

bool identity_is_local(const struct call *c)
{
	/* What proxies say of themselves; one that says nothing cannot be told from a person. */
	static const char *const passed_on[] = {
		"HTTP_X_FORWARDED_FOR",   "HTTP_FORWARDED", "HTTP_X_REAL_IP",       "HTTP_X_FORWARDED_HOST",
		"HTTP_X_FORWARDED_PROTO", "HTTP_VIA",       "HTTP_CF_CONNECTING_IP"};
	for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++)
		if (*request_param(c->req, passed_on[i]))
			return false;
	return cidr_is_loopback(c->req->remote_addr) &&
	       cidr_is_loopback(request_param(c->req, "SERVER_ADDR"));
}

static void digest_of(const struct identities *all, char kind, const char *shown,
                      unsigned char *digest)
{
	crypto_generichash_state state;
	(void)crypto_generichash_init(&state, all->key, sizeof all->key, SECRET_DIGEST);
	(void)crypto_generichash_update(&state, (const unsigned char *)&kind, 1);
	(void)crypto_generichash_update(&state, (const unsigned char *)shown, strlen(shown));
	(void)crypto_generichash_final(&state, digest, SECRET_DIGEST);
}

static enum err look_up(struct call *c, const char *token, const char *cookie, int64_t *until_ms,
                        struct errbuf *eb)
{
	if (!token)
		return find_session(c, cookie, eb);
	if (strncmp(token, "tk_", 3) == 0)
		return find_key(c, token, eb);
	return find_token(c, token, until_ms, eb);
}

enum err identity_find(struct call *c, struct errbuf *eb)
{
	unsigned char digest[SECRET_DIGEST];
	const char *token = token_of(c), *cookie = token ? NULL : identity_cookie(c, cookie_name(c));
	struct watch_state seen = watch_state_get(c->web->watch);
	int64_t until_ms = clock_mono_ms() + REMEMBER_MS;
	c->who = (struct identity){.kind = IDENTITY_NONE};
	if (strcmp(conf_str(c->conf, CONF_AUTH_MODE), "open") == 0 && !token && !cookie &&
	    identity_is_local(c)) {
		c->who = (struct identity){.kind = IDENTITY_OPEN, .role = ACCESS_ADMIN};
		return ERR_OK;
	}
	if (!token && !cookie)
		return ERR_OK;
	digest_of(c->web->identities, token ? 't' : 'c', token ? token : cookie, digest);
	if (seen.listening && recall(c->web->identities, digest, seen.access_epoch, &c->who))
		return ERR_OK;
	enum err rc = look_up(c, token, cookie, &until_ms, eb);
	/* What was found by settings that are no longer in force is forgotten with them. */
	if (rc == ERR_OK && seen.listening && c->who.kind != IDENTITY_NONE &&
	    c->conf == c->web->conf_in_force)
		remember(c->web->identities, digest, seen.access_epoch, until_ms, &c->who);
	return rc;
}

/* ---- what it allows --------------------------------------------------------- */

bool identity_may(const struct identity *who, const struct route *route, const struct conf *conf)
{
	enum access access = route->access;
	unsigned scopes = route->scopes;
	if (route->opened_by)
		access = role_of(conf_str(conf, (enum conf_id)route->opened_by));
	if (route->opened_by && scopes && access == ACCESS_VIEWER) /* a page is for no key */
		scopes |= SCOPE_READ;
	if (access == ACCESS_PUBLIC)
		return true;
	if (who->kind == IDENTITY_KEY)
		return (scopes & who->scopes) != 0 && (!who->is_public || route->write_key);
	return who->role >= access;
}

bool identity_is_exposed(const struct call *c)
{
	const char *token = token_of(c);
	return token && !c->who.is_public && token == request_query_find(c->req, "key");
}

bool identity_is_at_home(const struct call *c)
{
	const char *origin = request_param(c->req, "HTTP_ORIGIN");
	return c->who.is_public && *origin && words_find(c->who.origins, ',', origin, WORDS_EXACT) >= 0;
}

bool identity_sees_customers(const struct identity *who)
{
	if (who->kind == IDENTITY_KEY)
		return (who->scopes & SCOPE_ADMIN) != 0;
	return who->role >= ACCESS_ANALYST;
}

void identity_actor(const struct identity *who, struct buf *out)
{
	switch (who->kind) {
	case IDENTITY_KEY:
		buf_printf(out, "key:%lld", (long long)who->key_id);
		break;
	case IDENTITY_SESSION:
	case IDENTITY_TOKEN:
		buf_printf(out, "user:%s", who->name);
		break;
	case IDENTITY_OPEN:
		buf_puts(out, "open");
		break;
	case IDENTITY_NONE:
		buf_puts(out, "nobody");
		break;
	}
}

/* ---- forms -------------------------------------------------------------------- */

enum { NONCE = 16 };

static void csrf_mac(const char *secret, const char *hash, const unsigned char *nonce,
                     unsigned char *mac)
{
	unsigned char text[NONCE + SECRET_DIGEST_TEXT + 8];
	size_t n = strlen(hash);
	must(n < SECRET_DIGEST_TEXT);
	memcpy(text, "form:", 5);
	memcpy(text + 5, nonce, NONCE);
	memcpy(text + 5 + NONCE, hash, n);
	secret_hmac(secret, strlen(secret), text, 5 + NONCE + n, mac);
}

void identity_csrf(const struct conf *conf, const char *hash, struct buf *out)
{
	unsigned char raw[NONCE + SECRET_DIGEST];
	char text[sodium_base64_ENCODED_LEN(sizeof raw, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
	randombytes_buf(raw, NONCE);
	csrf_mac(conf_str(conf, CONF_JWT_SECRET), hash, raw, raw + NONCE);
	(void)sodium_bin2base64(text, sizeof text, raw, sizeof raw,
	                        sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	buf_puts(out, text);
}

bool identity_csrf_right(const struct conf *conf, const char *hash, const char *token)
{
	unsigned char raw[NONCE + SECRET_DIGEST], mac[SECRET_DIGEST];
	size_t n;
	if (sodium_base642bin(raw, sizeof raw, token, strlen(token), NULL, &n, NULL,
	                      sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
	    n != sizeof raw || *hash == '\0')
		return false;
	const char *secrets[] = {conf_str(conf, CONF_JWT_SECRET),
	                         conf_str(conf, CONF_JWT_SECRET_PREVIOUS)};
	for (size_t i = 0; i < 2; i++) {
		csrf_mac(secrets[i], hash, raw, mac);
		if (*secrets[i] && secret_equal(mac, raw + NONCE, sizeof mac))
			return true;
	}
	return false;
}

bool identity_same_site(const struct call *c)
{
	const char *site = request_param(c->req, "HTTP_SEC_FETCH_SITE");
	const char *origin = request_param(c->req, "HTTP_ORIGIN");
	if (*site)
		return strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;
	return *origin &&
	       words_find(conf_str(c->conf, CONF_PUBLIC_ORIGIN), ',', origin, WORDS_ANY_CASE) >= 0;
}

void identity_cookie_set(struct call *c, const char *value)
{
	reply_header_add(c->reply, "Set-Cookie",
	                 arena_printf(c->req->arena, "%s=%s; Path=/; HttpOnly; SameSite=Lax%s",
	                              cookie_name(c), value, identity_is_secure(c) ? "; Secure" : ""));
}

void identity_cookie_clear(struct call *c)
{
	reply_header_add(c->reply, "Set-Cookie",
	                 arena_printf(c->req->arena, "%s=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax%s",
	                              cookie_name(c), identity_is_secure(c) ? "; Secure" : ""));
}
