/* identity.h: who asks, and whether they may.
 *
 * A caller shows a cookie (a person's browser), a bearer token (a user's program) or an
 * API key, which is a bearer token that begins with "tk_". What it means is looked up in
 * the database and remembered for at most 30 s, and not at all while nobody listens for
 * changes (watch.h). */
#ifndef TAKINGS_CGI_IDENTITY_H
#define TAKINGS_CGI_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/conf.h"
#include "base/err.h"
#include "cgi-bin/routes.h"
#include "web/token.h"

enum identity_kind {
	IDENTITY_NONE,
	IDENTITY_OPEN,    /* AUTH_MODE=open on loopback: everybody is an admin */
	IDENTITY_SESSION, /* cookie of a browser */
	IDENTITY_TOKEN,   /* bearer token of a user */
	IDENTITY_KEY,     /* API key */
};

enum { IDENTITY_NAME = 101, IDENTITY_HASH = 65, IDENTITY_ORIGINS = 1001 };

struct identity {
	enum identity_kind kind;
	char name[IDENTITY_NAME];            /* of the user or the key; "" for none */
	int64_t user_id, session_id, key_id; /* 0: not of that kind */
	enum access role;                    /* ACCESS_PUBLIC for keys and for nobody */
	unsigned scopes;                     /* of a key */
	bool is_public;                      /* a key that stands in a page */
	char origins[IDENTITY_ORIGINS];      /* of such a key, separated by commas */
	char hash[IDENTITY_HASH];            /* of the cookie, in hex; "" without a session */
};

struct identities;

struct identities *identities_new(void);
void identities_free(struct identities *all);

/* Fills c->who. ERR_OK also for nobody (IDENTITY_NONE); ERR_INVALID where something was shown that
 * does not count (any more), without saying why; errors of the pool. */
MUST_CHECK enum err identity_find(struct call *c, struct errbuf *eb);

/* The same for a ticket of POST /ws/ticket: a token of a user that is good for a WebSocket and
 * nothing else, for IDENTITY_TICKET_S. */
enum { IDENTITY_TICKET_S = 60 };
MUST_CHECK enum err identity_find_ticket(struct call *c, const char *ticket, struct errbuf *eb);
MUST_CHECK enum err identity_ticket_rules(const struct conf *conf, struct token_rules *out,
                                          struct errbuf *eb);

/* Whether the request comes from a page of an origin of the asker's public key; such a key is good
 * for nothing else. */
bool identity_is_at_home(const struct call *c);

/* Whether the asker has shown a key in the address that must not stand there: addresses are logged,
 * kept in histories and sent on. */
bool identity_is_exposed(const struct call *c);

/* Whether ids of customers are for them: those of analysts and admins, and of admin's keys. */
bool identity_sees_customers(const struct identity *who);

/* Whether the route is for them, by its row and the setting that opens it. */
bool identity_may(const struct identity *who, const struct route *route, const struct conf *conf);

/* "user:anna", "key:3", "open", "nobody": for the audit log and the limits. */
void identity_actor(const struct identity *who, struct buf *out);

/* Whether the asker sits at this machine: over loopback, and not what another proxy passes on. */
bool identity_is_local(const struct call *c);

/* What a form carries so that no other site can send it for the user (a synchronizer
 * token, masked anew each time so that compression gives nothing away): an HMAC over the
 * cookie. `hash` is of the session's cookie, or of the one the login page sets. */
void identity_csrf(const struct conf *conf, const char *hash, struct buf *out);
bool identity_csrf_right(const struct conf *conf, const char *hash, const char *token);

/* Whether the request comes from a page of ours: by Sec-Fetch-Site, or by Origin where a
 * browser does not send that. False where neither is sent. */
bool identity_same_site(const struct call *c);

/* Whether people come over https, by PUBLIC_ORIGIN: then cookies are Secure. */
bool identity_is_secure(const struct call *c);

/* The cookie's name and attributes depend on whether PUBLIC_ORIGIN is https. */
void identity_cookie_set(struct call *c, const char *value);
void identity_cookie_clear(struct call *c);

/* The value of a cookie, copied into the request's arena; NULL if absent. */
const char *identity_cookie(const struct call *c, const char *name);

#endif
