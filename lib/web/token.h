/* token.h: bearer tokens: JSON Web Tokens (RFC 7519) of our own, signed with HMAC.
 *
 * libjwt signs and checks signatures; which algorithm, which claims and until when is decided
 * here (RFC 8725), as it decides none of that. Claims: sub = user name, iss = "takings", aud,
 * iat, exp, jti = random, ver = the user's token_version. What the user may do is not in
 * the token. Times are seconds since 1970. */
#ifndef TAKINGS_WEB_TOKEN_H
#define TAKINGS_WEB_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/conf.h"
#include "base/err.h"

enum {
	TOKEN_BYTES = 4096,       /* the longest that is looked at */
	TOKEN_SECRET_MIN = 32,    /* bytes of a secret */
	TOKEN_LIFE_S = 12 * 3600, /* the longest life of a token */
	TOKEN_SKEW_S = 60,        /* how far the clock that signed may be from ours */
};

/* Borrowed. */
struct token_rules {
	const char *secret;    /* signs and verifies */
	const char *previous;  /* verifies only; "" where there is none */
	const char *algorithm; /* HS256, HS384 or HS512 */
	int64_t expiry_s;      /* life of what is signed, 1..TOKEN_LIFE_S */
	const char *audience;  /* whom it is for; NULL: "takings" */
};

struct token_claims {
	char username[65];
	int version; /* 1.. */
	int64_t issued_at, expires_at;
};

/* ERR_CONFIG, naming the setting and not repeating the secret, where it is too short. */
MUST_CHECK enum err token_secret_check(const char *setting, const char *secret, struct errbuf *eb);

/* The rules of the settings, which they borrow from. ERR_CONFIG as above: for the start of a
 * program that needs tokens. */
MUST_CHECK enum err token_rules_load(const struct conf *conf, struct token_rules *out,
                                     struct errbuf *eb);

/* Appends a token for claims->username and ->version, issued at ->issued_at and good for
 * expiry_s from then on (->expires_at is not read). ERR_CONFIG where the secret is too short. */
MUST_CHECK enum err token_sign(const struct token_rules *rules, const struct token_claims *claims,
                               struct buf *out, struct errbuf *eb);

/* Takes a token that one of both secrets signed and whose claims are in order. ERR_INVALID with a
 * short reason that repeats nothing of the token, ERR_CONFIG where the secret is too short. Whether
 * the user exists, is enabled and still has this version is the caller's to look up. */
MUST_CHECK enum err token_verify(const struct token_rules *rules, const char *text, size_t n,
                                 int64_t now_s, struct token_claims *out, struct errbuf *eb);

#endif
