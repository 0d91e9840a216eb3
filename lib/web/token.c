/* token.c: libjwt behind a gate. Used alone it takes tokens that have expired, headers of two
 * algorithms, any algorithm the key happens to fit, and, given no key, everything. */
#include "web/token.h"

#include <jansson.h>
#include <jwt.h>
#include <limits.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "web/secret.h"

#define ISSUER "takings"

enum { PARTS = 3, ID_BYTES = 16 };

struct part {
	const char *text;
	size_t n;
};

static enum err refuse(struct errbuf *eb, const char *why)
{
	return err_set(eb, ERR_INVALID, "the token %s", why);
}

enum err token_secret_check(const char *setting, const char *secret, struct errbuf *eb)
{
	if (strlen(secret) >= TOKEN_SECRET_MIN)
		return ERR_OK;
	return err_set_field(eb, ERR_CONFIG, setting,
	                     "%s %s: it takes %d bytes or more, such as openssl rand -base64 48 prints",
	                     setting, *secret ? "is too short" : "is not set", TOKEN_SECRET_MIN);
}

/* An empty key would make libjwt accept whatever comes, so it is looked at each time. */
static enum err rules_check(const struct token_rules *rules, struct errbuf *eb)
{
	enum err rc = token_secret_check("JWT_SECRET", rules->secret, eb);
	if (rc == ERR_OK && *rules->previous)
		rc = token_secret_check("JWT_SECRET_PREVIOUS", rules->previous, eb);
	return rc;
}

enum err token_rules_load(const struct conf *conf, struct token_rules *out, struct errbuf *eb)
{
	*out = (struct token_rules){.secret = conf_str(conf, CONF_JWT_SECRET),
	                            .previous = conf_str(conf, CONF_JWT_SECRET_PREVIOUS),
	                            .algorithm = conf_str(conf, CONF_JWT_ALGORITHM),
	                            .expiry_s = conf_int(conf, CONF_JWT_EXPIRY_MINUTES) * 60};
	return rules_check(out, eb);
}

static jwt_alg_t algorithm(const struct token_rules *rules)
{
	jwt_alg_t alg = jwt_str_alg(rules->algorithm);
	must(alg == JWT_ALG_HS256 || alg == JWT_ALG_HS384 || alg == JWT_ALG_HS512);
	must(strcmp(rules->algorithm, jwt_alg_str(alg)) == 0);
	return alg;
}

static const char *audience(const struct token_rules *rules)
{
	return rules->audience ? rules->audience : ISSUER;
}

/* ---- signing ----------------------------------------------------------- */

enum err token_sign(const struct token_rules *rules, const struct token_claims *claims,
                    struct buf *out, struct errbuf *eb)
{
	struct buf id;
	jwt_t *jwt = NULL;
	must(rules->expiry_s > 0 && rules->expiry_s <= TOKEN_LIFE_S);
	if (rules_check(rules, eb) != ERR_OK)
		return eb->code;
	buf_init(&id);
	secret_random_text(ID_BYTES, &id);
	/* All these can fail for is memory. */
	must(jwt_new(&jwt) == 0);
	must(jwt_set_alg(jwt, algorithm(rules), (const unsigned char *)rules->secret,
	                 (int)strlen(rules->secret)) == 0);
	must(jwt_add_grant(jwt, "iss", ISSUER) == 0);
	must(jwt_add_grant(jwt, "aud", audience(rules)) == 0);
	must(jwt_add_grant(jwt, "sub", claims->username) == 0);
	must(jwt_add_grant(jwt, "jti", buf_str(&id)) == 0);
	must(jwt_add_grant_int(jwt, "ver", claims->version) == 0);
	must(jwt_add_grant_int(jwt, "iat", claims->issued_at) == 0);
	must(jwt_add_grant_int(jwt, "exp", claims->issued_at + rules->expiry_s) == 0);
	char *text = jwt_encode_str(jwt);
	must(text != NULL);
	buf_puts(out, text);
	free(text);
	jwt_free(jwt);
	buf_fini(&id);
	return ERR_OK;
}

/* ---- verifying --------------------------------------------------------- */

/* Three parts of the base64url alphabet, none empty; libjwt would skip what is not in it. */
static bool split(const char *text, size_t n, struct part parts[PARTS])
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	int k = 0;
	parts[0] = (struct part){text, 0};
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '.') {
			if (++k == PARTS)
				return false;
			parts[k] = (struct part){text + i + 1, 0};
		} else if (text[i] && memchr(alphabet, text[i], sizeof alphabet - 1)) {
			parts[k].n++;
		} else {
			return false;
		}
	}
	return k == PARTS - 1 && parts[0].n && parts[1].n && parts[2].n;
}

/* The JSON object of a part, NULL if it is none; the last bits of base64 must be zero. */
static json_t *object(const struct part *part)
{
	unsigned char raw[TOKEN_BYTES];
	size_t n = 0;
	if (sodium_base642bin(raw, sizeof raw, part->text, part->n, NULL, &n, NULL,
	                      sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
		return NULL;
	json_t *root = json_loadb((const char *)raw, n, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(root))
		return root;
	json_decref(root);
	return NULL;
}

static bool is_text(const json_t *root, const char *key, const char *want)
{
	const json_t *v = json_object_get(root, key);
	return json_is_string(v) && json_string_length(v) == strlen(want) &&
	       strcmp(json_string_value(v), want) == 0;
}

/* Just alg and typ: so no crit, kid, jku, jwk, x5u or anything else that wants to be heeded. */
static enum err check_header(const struct token_rules *rules, const struct part *part,
                             struct errbuf *eb)
{
	json_t *header = object(part);
	enum err rc = ERR_OK;
	if (!header)
		rc = refuse(eb, "has no header");
	else if (!is_text(header, "alg", rules->algorithm))
		rc = refuse(eb, "is of another algorithm");
	else if (!is_text(header, "typ", "JWT"))
		rc = refuse(eb, "is of another type");
	else if (json_object_size(header) != 2)
		rc = refuse(eb, "has a header we do not use");
	json_decref(header);
	return rc;
}

/* libjwt compares in constant time (since CVE-2024-25189 was fixed). */
static bool signed_with(const char *token, const char *secret, jwt_alg_t alg)
{
	jwt_t *jwt = NULL;
	bool ok =
		*secret && jwt_decode(&jwt, token, (const unsigned char *)secret, (int)strlen(secret)) == 0;
	ok = ok && jwt_get_alg(jwt) == alg;
	jwt_free(jwt);
	return ok;
}

static enum err check_signature(const struct token_rules *rules, const char *text, size_t n,
                                struct errbuf *eb)
{
	char token[TOKEN_BYTES + 1];
	jwt_alg_t alg = algorithm(rules);
	memcpy(token, text, n);
	token[n] = '\0';
	bool ok = signed_with(token, rules->secret, alg) || signed_with(token, rules->previous, alg);
	return ok ? ERR_OK : refuse(eb, "is not signed by us");
}

/* A whole number in [min, max]. */
static bool get_int(const json_t *root, const char *key, int64_t min, int64_t max, int64_t *out)
{
	const json_t *v = json_object_get(root, key);
	if (!json_is_integer(v))
		return false;
	*out = json_integer_value(v);
	return *out >= min && *out <= max;
}

static enum err check_times(const json_t *root, int64_t now_s, struct token_claims *out,
                            struct errbuf *eb)
{
	int64_t not_before;
	if (!get_int(root, "exp", 1, INT64_MAX, &out->expires_at))
		return refuse(eb, "does not say when it ends");
	if (!get_int(root, "iat", 1, INT64_MAX, &out->issued_at))
		return refuse(eb, "does not say when it was issued");
	if (out->expires_at <= out->issued_at || out->expires_at - out->issued_at > TOKEN_LIFE_S)
		return refuse(eb, "is good for too long");
	if (now_s - TOKEN_SKEW_S >= out->expires_at)
		return refuse(eb, "has expired");
	if (out->issued_at > now_s + TOKEN_SKEW_S)
		return refuse(eb, "is from the future");
	if (json_object_get(root, "nbf") &&
	    (!get_int(root, "nbf", 0, INT64_MAX, &not_before) || not_before > now_s + TOKEN_SKEW_S))
		return refuse(eb, "is not good yet");
	return ERR_OK;
}

static enum err check_names(const struct token_rules *rules, const json_t *root,
                            struct token_claims *out, struct errbuf *eb)
{
	const json_t *sub = json_object_get(root, "sub");
	size_t n = json_string_length(sub);
	int64_t version;
	if (!is_text(root, "iss", ISSUER) || !is_text(root, "aud", audience(rules)))
		return refuse(eb, "is not meant for us");
	if (!json_is_string(sub) || n == 0 || n >= sizeof out->username)
		return refuse(eb, "names no user");
	if (!get_int(root, "ver", 1, INT_MAX, &version))
		return refuse(eb, "has no version");
	memcpy(out->username, json_string_value(sub), n + 1);
	out->version = (int)version;
	return ERR_OK;
}

static enum err check_claims(const struct token_rules *rules, const struct part *part,
                             int64_t now_s, struct token_claims *out, struct errbuf *eb)
{
	json_t *root = object(part);
	if (!root)
		return refuse(eb, "has no claims");
	enum err rc = check_names(rules, root, out, eb);
	if (rc == ERR_OK)
		rc = check_times(root, now_s, out, eb);
	json_decref(root);
	return rc;
}

enum err token_verify(const struct token_rules *rules, const char *text, size_t n, int64_t now_s,
                      struct token_claims *out, struct errbuf *eb)
{
	struct part parts[PARTS];
	struct token_claims claims = {0};
	*out = (struct token_claims){0};
	enum err rc = rules_check(rules, eb);
	if (rc != ERR_OK)
		return rc;
	if (n > TOKEN_BYTES)
		return refuse(eb, "is too long");
	if (!split(text, n, parts))
		return refuse(eb, "does not have three parts");
	rc = check_header(rules, &parts[0], eb);
	if (rc == ERR_OK)
		rc = check_signature(rules, text, n, eb);
	if (rc == ERR_OK)
		rc = check_claims(rules, &parts[1], now_s, &claims, eb);
	if (rc == ERR_OK)
		*out = claims;
	return rc;
}
