/* secret.c: libsodium, and how many may make it sweat at once. */
#include "web/secret.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "base/json_text.h"
#include "base/turns.h"

enum { PASSES = 2, MEMORY_BYTES = 19456 * 1024 };

_Static_assert(SECRET_HASH_TEXT == crypto_pwhash_STRBYTES, "the hash fits");
_Static_assert(SECRET_DIGEST == crypto_hash_sha256_BYTES, "the digest fits");

/* Before main: no caller can forget it, and no thread be too early. */
__attribute__((constructor)) static void start(void)
{
	must(sodium_init() >= 0);
}

/* ---- few at a time ----------------------------------------------------- */

static struct turns logins = TURNS_INIT;

static enum err enter(struct errbuf *eb)
{
	return turns_take(&logins, SECRET_AT_ONCE, SECRET_WAITING, "logins", eb);
}

/* ---- passwords --------------------------------------------------------- */

/* The commonest of the leaked lists that are long enough; what is one character over and over is
 * refused by itself. Compared without case. */
static const char *const common[] = {
	"0987654321",       "1029384756",     "1234509876",   "1234512345",      "1234567890",
	"12345678900",      "12345678901",    "123456789012", "123456789a",      "123456789q",
	"1234567899",       "1234567891",     "12345qwert",   "123qwe123qwe",    "147258369a",
	"1q2w3e4r5t",       "1q2w3e4r5t6y",   "1qaz2wsx3edc", "1qazxsw23edc",    "2wsx3edc4rfv",
	"9876543210",       "abc123456789",   "abcd123456",   "abcd12345678",    "abcdefghij",
	"administrator",    "asdfasdfasdf",   "asdfghjkl1",   "asdfghjkl123",    "baseball123",
	"changeme123",      "changemenow",    "correcthorse", "defaultpassword", "football123",
	"iloveyou12",       "iloveyou123",    "letmein123",   "letmeinnow",      "liverpool1",
	"liverpool123",     "manchester",     "mypassword",   "newpassword",     "p@ssw0rd123",
	"pa$$word123",      "pass123456",     "passpasspass", "passw0rd123",     "password01",
	"password10",       "password11",     "password12",   "password123",     "password1234",
	"password12345",    "password123456", "password2024", "password2025",    "password2026",
	"passwordpassword", "princess123",    "q1w2e3r4t5",   "q1w2e3r4t5y6",    "qazwsxedcr",
	"qazwsxedcrfv",     "qwe123qwe123",   "qwer123456",   "qwerasdfzxcv",    "qwerqwerqwer",
	"qwerty1234",       "qwerty12345",    "qwerty123456", "qwertyqwerty",    "qwertyuiop",
	"qwertyuiop1",      "qwertyuiop123",  "qwertyuiop[]", "secret1234",      "sunshine123",
	"superman123",      "takings123",     "takings1234",  "test123456",      "testtest123",
	"unknown123",       "welcome123",     "welcome1234",  "welcome2026",     "zaq12wsxcde",
	"zxcvbnm123",       "zxcvbnm123456",
};

static bool is_text(const char *s, size_t n)
{
	for (size_t at = 0, len; at < n; at += len) {
		len = utf8_char_len(s + at, n - at);
		if (len == 0 || s[at] == '\0')
			return false;
	}
	return true;
}

static bool same_word(const char *word, const char *s, size_t n)
{
	return strlen(word) == n && strncasecmp(word, s, n) == 0;
}

static bool is_common(const char *s, size_t n)
{
	size_t same = 1;
	while (same < n && s[same] == s[0])
		same++;
	for (size_t i = 0; i < sizeof common / sizeof *common; i++)
		if (same_word(common[i], s, n))
			return true;
	return same == n;
}

enum err secret_password_check(const char *username, const char *password, size_t n,
                               struct errbuf *eb)
{
	const char *why = NULL;
	if (n < SECRET_PASSWORD_MIN || n > SECRET_PASSWORD_MAX)
		return err_set_field(eb, ERR_INVALID, "password", "a password has %d to %d bytes",
		                     SECRET_PASSWORD_MIN, SECRET_PASSWORD_MAX);
	if (!is_text(password, n))
		why = "a password is UTF-8 text without NUL";
	else if (is_common(password, n))
		why = "this password is among the first that anybody would try";
	else if (same_word(username, password, n))
		why = "the password must not be the user's name";
	return why ? err_set_field(eb, ERR_INVALID, "password", "%s", why) : ERR_OK;
}

enum err secret_password_hash(const char *password, size_t n, char out[SECRET_HASH_TEXT],
                              struct errbuf *eb)
{
	must(n <= SECRET_PASSWORD_MAX);
	enum err rc = enter(eb);
	if (rc != ERR_OK)
		return rc;
	int failed =
		crypto_pwhash_str_alg(out, password, n, PASSES, MEMORY_BYTES, crypto_pwhash_ALG_ARGON2ID13);
	turns_give(&logins);
	/* All it fails for is memory, of which it takes more at once than anything else here. */
	return failed ? err_set(eb, ERR_BUSY, "no memory to hash a password") : ERR_OK;
}

enum err secret_password_verify(const char *hash, const char *password, size_t n, bool *right,
                                struct errbuf *eb)
{
	char text[SECRET_HASH_TEXT] = {0}; /* libsodium asks for all these bytes */
	size_t text_n = strlen(hash);
	*right = false;
	if (n > SECRET_PASSWORD_MAX || text_n >= sizeof text)
		return ERR_OK;
	memcpy(text, hash, text_n);
	enum err rc = enter(eb);
	if (rc != ERR_OK)
		return rc;
	errno = 0;
	*right = crypto_pwhash_str_verify(text, password, n) == 0;
	bool no_memory = !*right && errno == ENOMEM;
	turns_give(&logins);
	return no_memory ? err_set(eb, ERR_BUSY, "no memory to verify a password") : ERR_OK;
}

enum err secret_password_waste(const char *password, size_t n, struct errbuf *eb)
{
	/* Of 64 random bytes that nobody kept. */
	static const char nobody[] = "$argon2id$v=19$m=19456,t=2,p=1$2vBFHl6js9DSF54JNblqVw$WE++"
								 "r4I0DzjD1yOK5HZW6Da8UrWZlmIQ4tpTQoervqo";
	bool right;
	return secret_password_verify(nobody, password, n, &right, eb);
}

/* ---- random texts, digests --------------------------------------------- */

void secret_random_text(size_t bytes, struct buf *out)
{
	unsigned char raw[64];
	char text[sodium_base64_ENCODED_LEN(sizeof raw, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
	must(bytes > 0 && bytes <= sizeof raw);
	randombytes_buf(raw, bytes);
	buf_puts(out, sodium_bin2base64(text, sizeof text, raw, bytes,
	                                sodium_base64_VARIANT_URLSAFE_NO_PADDING));
	sodium_memzero(raw, sizeof raw);
	sodium_memzero(text, sizeof text);
}

void secret_key_make(struct buf *key, char prefix[SECRET_KEY_PREFIX], char hash[SECRET_DIGEST_TEXT])
{
	enum { PREFIX_BYTES = 6, KEY_BYTES = 32 }; /* 6 bytes are 8 characters */
	size_t begin = key->len;
	buf_puts(key, "tk_");
	secret_random_text(PREFIX_BYTES, key);
	memcpy(prefix, buf_str(key) + begin, SECRET_KEY_PREFIX - 1);
	prefix[SECRET_KEY_PREFIX - 1] = '\0';
	secret_random_text(KEY_BYTES, key);
	secret_sha256_text(buf_str(key) + begin, key->len - begin, hash);
}

void secret_sha256(const void *data, size_t n, unsigned char out[SECRET_DIGEST])
{
	(void)crypto_hash_sha256(out, data, n);
}

void secret_sha256_text(const void *data, size_t n, char out[SECRET_DIGEST_TEXT])
{
	unsigned char digest[SECRET_DIGEST];
	secret_sha256(data, n, digest);
	(void)sodium_bin2hex(out, SECRET_DIGEST_TEXT, digest, sizeof digest);
}

void secret_hmac(const void *key, size_t key_n, const void *data, size_t n,
                 unsigned char out[SECRET_DIGEST])
{
	crypto_auth_hmacsha256_state state;
	(void)crypto_auth_hmacsha256_init(&state, key, key_n);
	(void)crypto_auth_hmacsha256_update(&state, data, n);
	(void)crypto_auth_hmacsha256_final(&state, out);
	sodium_memzero(&state, sizeof state);
}

bool secret_equal(const void *a, const void *b, size_t n)
{
	return sodium_memcmp(a, b, n) == 0;
}
