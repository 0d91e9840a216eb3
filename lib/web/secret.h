/* secret.h: what must not be guessed: passwords, random texts, digests (over libsodium).
 *
 * Passwords are hashed with argon2id at 19456 KiB, 2 passes, 1 lane: the least that OWASP's
 * password storage cheat sheet and ASVS 5.0 ask for. As that is also a way to keep a machine
 * busy, two are computed at a time and twenty wait; whoever comes then gets ERR_BUSY.
 * Lengths are in bytes. Every function may be called from any thread. */
#ifndef TAKINGS_WEB_SECRET_H
#define TAKINGS_WEB_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum {
	SECRET_PASSWORD_MIN = 10,
	SECRET_PASSWORD_MAX = 256,
	SECRET_HASH_TEXT = 128,  /* a password's hash with its salt and costs, and a NUL */
	SECRET_DIGEST = 32,      /* bytes of SHA-256 */
	SECRET_DIGEST_TEXT = 65, /* the same in hex, and a NUL */
	SECRET_AT_ONCE = 2,
	SECRET_WAITING = 20,
	SECRET_KEY_PREFIX = 12, /* how an API key begins, to recognise it by, and a NUL */
};

/* Whether a user may choose this password: its length, UTF-8 without NUL, not a common one, not
 * the user's name. ERR_INVALID with field "password" and a sentence that does not repeat it. */
MUST_CHECK enum err secret_password_check(const char *username, const char *password, size_t n,
                                          struct errbuf *eb);

/* ERR_BUSY as above. What secret_password_check refuses for its length must not come here. */
MUST_CHECK enum err secret_password_hash(const char *password, size_t n, char out[SECRET_HASH_TEXT],
                                         struct errbuf *eb);

/* *right: it is the password of this hash. Anything longer than SECRET_PASSWORD_MAX is wrong
 * without being looked at. ERR_BUSY as above. */
MUST_CHECK enum err secret_password_verify(const char *hash, const char *password, size_t n,
                                           bool *right, struct errbuf *eb);

/* Takes as long as secret_password_verify does, for a user there is not: otherwise the time
 * of the answer would tell which names exist. */
MUST_CHECK enum err secret_password_waste(const char *password, size_t n, struct errbuf *eb);

/* `bytes` (1 to 64) random bytes as base64url without padding, appended. */
void secret_random_text(size_t bytes, struct buf *out);

/* A new API key, appended to `key`: "tk_" and 38 random bytes as text. Only its prefix (6 of
 * them, of no value to who wants to guess the rest) and its SHA-256 are to be kept. */
void secret_key_make(struct buf *key, char prefix[SECRET_KEY_PREFIX],
                     char hash[SECRET_DIGEST_TEXT]);

void secret_sha256(const void *data, size_t n, unsigned char out[SECRET_DIGEST]);

/* SHA-256 in lower-case hex: for SQL, decode(:hash, 'hex'). */
void secret_sha256_text(const void *data, size_t n, char out[SECRET_DIGEST_TEXT]);

/* HMAC-SHA-256 with a key of any length (RFC 2104). */
void secret_hmac(const void *key, size_t key_n, const void *data, size_t n,
                 unsigned char out[SECRET_DIGEST]);

/* Compares in a time that depends on n alone. */
bool secret_equal(const void *a, const void *b, size_t n);

#endif
