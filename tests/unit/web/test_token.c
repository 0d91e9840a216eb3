/* test_token.c: what is a token of ours, and all that is none. Tokens are made by hand here, with
 * an HMAC of libsodium's, so that the program under test does not make its own evidence. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "web/token.h"

enum { TEXT = 8192, MUTATIONS = 100000 };

#define NOW 1800000000
#define SECRET "0123456789abcdefghijklmnopqrstuv"   /* 32 bytes */
#define PREVIOUS "previous-ABCDEFGHIJKLMNOPQRSTUV*" /* 32 bytes */
#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

static const struct token_rules rules = {SECRET, "", "HS256", 1800, NULL};

static void put_base64(char *out, const void *data, size_t n)
{
	size_t at = strlen(out);
	(void)sodium_bin2base64(out + at, TEXT - at, data, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* `bits` 256 or 512; 0: no signature. */
static void make(char out[TEXT], const char *header, const char *payload, const char *key, int bits)
{
	unsigned char mac[64];
	out[0] = '\0';
	put_base64(out, header, strlen(header));
	(void)snprintf(out + strlen(out), 2, ".");
	put_base64(out, payload, strlen(payload));
	if (bits == 256) {
		crypto_auth_hmacsha256_state s;
		(void)crypto_auth_hmacsha256_init(&s, (const unsigned char *)key, strlen(key));
		(void)crypto_auth_hmacsha256_update(&s, (const unsigned char *)out, strlen(out));
		(void)crypto_auth_hmacsha256_final(&s, mac);
	} else if (bits == 512) {
		crypto_auth_hmacsha512_state s;
		(void)crypto_auth_hmacsha512_init(&s, (const unsigned char *)key, strlen(key));
		(void)crypto_auth_hmacsha512_update(&s, (const unsigned char *)out, strlen(out));
		(void)crypto_auth_hmacsha512_final(&s, mac);
	}
	(void)snprintf(out + strlen(out), 2, ".");
	if (bits)
		put_base64(out, mac, (size_t)bits / 8);
}

/* A payload with these three times as text and `more` behind them. */
static const char *claims(const char *iat, const char *exp, const char *more)
{
	static char text[TEXT + 256];
	(void)snprintf(
		text, sizeof text,
		"{\"sub\":\"anna\",\"iss\":\"takings\",\"aud\":\"takings\",\"jti\":\"x\",\"ver\":7,"
		"\"iat\":%s,\"exp\":%s%s}",
		iat, exp, more);
	return text;
}

static const char *good(void)
{
	return claims("1799999990", "1800001790", "");
}

static enum err verify_with(const struct token_rules *r, const char *token, int64_t now_s,
                            struct token_claims *out)
{
	struct errbuf eb = {0};
	enum err rc = token_verify(r, token, strlen(token), now_s, out, &eb);
	assert_null(strstr(eb.text, SECRET));
	if (rc == ERR_OK) {
		assert_string_equal(out->username, "anna");
		assert_int_equal(out->version, 7);
	} else {
		assert_int_equal(out->version, 0);
		assert_string_equal(out->username, "");
		assert_true(strlen(eb.text) > 10);
	}
	return rc;
}

static void expect(enum err want, const char *token)
{
	struct token_claims out;
	if (verify_with(&rules, token, NOW, &out) != want)
		fail_msg("%s: %s", want == ERR_OK ? "refused" : "accepted", token);
}

static void expect_made(enum err want, const char *header, const char *payload)
{
	char token[TEXT];
	make(token, header, payload, SECRET, 256);
	expect(want, token);
}

static void test_good(void **state)
{
	(void)state;
	char token[TEXT];
	struct token_claims out;
	make(token, HEADER, good(), SECRET, 256);
	assert_int_equal(verify_with(&rules, token, NOW, &out), ERR_OK);
	assert_int_equal(out.issued_at, 1799999990);
	assert_int_equal(out.expires_at, 1800001790);
	expect_made(ERR_OK, "{\"typ\":\"JWT\",\"alg\":\"HS256\"}", good());
	expect_made(ERR_OK, "{ \"typ\" : \"JWT\" , \"alg\":\"HS256\"}", good());
}

/* What libjwt by itself does with each stands behind it. */
static void test_measured(void **state)
{
	(void)state;
	char token[TEXT], unsigned_token[TEXT];
	expect_made(ERR_INVALID, HEADER, claims("1", "2", "")); /* long past: accepted */
	make(token, "{\"alg\":\"HS512\",\"typ\":\"JWT\"}", good(), SECRET, 512);
	expect(ERR_INVALID, token); /* same key: accepted */
	make(unsigned_token, "{\"alg\":\"none\",\"typ\":\"JWT\"}", good(), "", 0);
	expect(ERR_INVALID, unsigned_token);
	make(token, "{\"alg\":\"none\"}", good(), "", 0);
	expect(ERR_INVALID, token);
	make(token, HEADER, good(), "", 256); /* signed with nothing */
	expect(ERR_INVALID, token);
	static const struct token_rules open_rules[] = {
		{"", "", "HS256", 1800, NULL},
		{"", SECRET, "HS256", 1800, NULL},
		{"0123456789abcdefghijklmnopqrstu", "", "HS256", 1800, NULL}, /* 31 bytes */
		{SECRET, "short", "HS256", 1800, NULL},
	};
	make(token, HEADER, good(), SECRET, 256);
	for (size_t i = 0; i < sizeof open_rules / sizeof *open_rules; i++) {
		struct token_claims out; /* no key: everything accepted, unverified */
		assert_int_equal(verify_with(&open_rules[i], token, NOW, &out), ERR_CONFIG);
		assert_int_equal(verify_with(&open_rules[i], unsigned_token, NOW, &out), ERR_CONFIG);
	}
	expect_made(ERR_INVALID, "{\"alg\":\"none\",\"alg\":\"HS256\",\"typ\":\"JWT\"}",
	            good());                                                     /* accepted */
	expect_made(ERR_INVALID, "{\"alg\":\"hs256\",\"typ\":\"JWT\"}", good()); /* accepted */
	expect_made(ERR_INVALID, "{\"typ\":\"JWT\"}", good());
	expect_made(ERR_INVALID, "{\"alg\":\"RS256\",\"typ\":\"JWT\"}", good());
	expect_made(ERR_INVALID, "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"crit\":[\"x\"],\"x\":1}",
	            good());                       /* accepted */
	expect_made(ERR_INVALID, HEADER, "[1,2]"); /* accepted */
}

static void test_header(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		"{}",
		"null",
		"\"HS256\"",
		"[\"HS256\"]",
		"{\"alg\":\"HS256\"}",
		"{\"alg\":\"HS256\",\"typ\":\"jwt\"}",
		"{\"alg\":\"HS256\",\"typ\":null}",
		"{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}",
		"{\"alg\":\"HS256 \",\"typ\":\"JWT\"}",
		"{\"alg\":\"HS256\\u0000\",\"typ\":\"JWT\"}",
		"{\"alg\":[\"HS256\"],\"typ\":\"JWT\"}",
		"{\"alg\":256,\"typ\":\"JWT\"}",
		"{\"alg\":\"HS384\",\"typ\":\"JWT\"}",
		"{\"alg\":\"HS256\",\"alg\":\"HS256\",\"typ\":\"JWT\"}",
		"{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"../../dev/null\"}",
		"{\"alg\":\"HS256\",\"typ\":\"JWT\",\"jku\":\"https://example.com\"}",
		"{\"alg\":\"HS256\",\"typ\":\"JWT\",\"jwk\":{}}",
		"{\"alg\":\"HS256\",\"typ\":\"JWT\",\"x5u\":\"x\"}",
		"{\"alg\":\"HS256\",\"typ\":\"JWT\",\"zip\":\"DEF\"}",
		"{\"alg\":\"HS256\",\"typ\":\"JWT\"} {}",
		"{\"alg\":\"HS256\",\"typ\":\"JWT\"",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		expect_made(ERR_INVALID, bad[i], good());
}

static void test_payload(void **state)
{
	(void)state;
#define NAMES "\"iss\":\"takings\",\"aud\":\"takings\","
#define TIMES "\"iat\":1799999990,\"exp\":1800001790"
	static const char *const bad[] = {
		"",
		"{}",
		"null",
		"7",
		"{" NAMES "\"ver\":7," TIMES "}",
		"{\"sub\":\"\"," NAMES "\"ver\":7," TIMES "}",
		"{\"sub\":7," NAMES "\"ver\":7," TIMES "}",
		"{\"sub\":\"anna\",\"sub\":\"root\"," NAMES "\"ver\":7," TIMES "}",
		"{\"sub\":\"anna\\u0000x\"," NAMES "\"ver\":7," TIMES "}",
		"{\"sub\":\"anna\",\"aud\":\"takings\",\"ver\":7," TIMES "}",
		"{\"sub\":\"anna\",\"iss\":\"takings\",\"ver\":7," TIMES "}",
		"{\"sub\":\"anna\",\"iss\":\"Takings\",\"aud\":\"takings\",\"ver\":7," TIMES "}",
		"{\"sub\":\"anna\",\"iss\":[\"takings\"],\"aud\":\"takings\",\"ver\":7," TIMES "}",
		"{\"sub\":\"anna\",\"iss\":\"takings\",\"aud\":\"other\",\"ver\":7," TIMES "}",
		"{\"sub\":\"anna\",\"iss\":\"takings\",\"aud\":[\"takings\"],\"ver\":7," TIMES "}",
		"{\"sub\":\"anna\"," NAMES TIMES "}",
		"{\"sub\":\"anna\"," NAMES "\"ver\":0," TIMES "}",
		"{\"sub\":\"anna\"," NAMES "\"ver\":4294967303," TIMES "}",
		"{\"sub\":\"anna\"," NAMES "\"ver\":\"7\"," TIMES "}",
		"{\"sub\":\"anna\"," NAMES "\"ver\":7,\"iat\":1799999990}",
		"{\"sub\":\"anna\"," NAMES "\"ver\":7,\"exp\":1800001790}",
	};
	expect_made(ERR_OK, HEADER, "{\"sub\":\"anna\"," NAMES "\"ver\":7," TIMES "}");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		expect_made(ERR_INVALID, HEADER, bad[i]);
	static const char *const bad_times[][3] = {
		{"1799999990", "\"1800001790\"", ""},
		{"1799999990", "1800001790.0", ""},
		{"1799999990", "1.80000179e9", ""},
		{"1799999990", "true", ""},
		{"1799999990", "null", ""},
		{"1799999990", "-1", ""},
		{"1799999990", "9223372036854775807", ""},
		{"-9223372036854775808", "1800001790", ""},
		{"0", "1800001790", ""},
		{"1800000010", "1800000010", ""},
		{"1799999990", "1800001790", ",\"nbf\":\"0\""},
		{"1799999990", "1800001790", ",\"nbf\":1.5"},
		{"1799999990", "1800001790", ",\"exp\":1800001790"},
	};
	for (size_t i = 0; i < sizeof bad_times / sizeof *bad_times; i++)
		expect_made(ERR_INVALID, HEADER, claims(bad_times[i][0], bad_times[i][1], bad_times[i][2]));
}

static void expect_times(enum err want, int64_t iat, int64_t exp, int64_t now_s, const char *more)
{
	char a[32], b[32], token[TEXT];
	struct token_claims out;
	(void)snprintf(a, sizeof a, "%lld", (long long)iat);
	(void)snprintf(b, sizeof b, "%lld", (long long)exp);
	make(token, HEADER, claims(a, b, more), SECRET, 256);
	if (verify_with(&rules, token, now_s, &out) != want)
		fail_msg("iat %s exp %s now %lld %s", a, b, (long long)now_s, more);
}

static void test_limits(void **state)
{
	(void)state;
	for (int64_t ago = 58; ago <= 60; ago++)
		expect_times(ago < 60 ? ERR_OK : ERR_INVALID, NOW - 100, NOW - ago, NOW, "");
	for (int64_t ahead = 59; ahead <= 61; ahead++) {
		enum err want = ahead <= 60 ? ERR_OK : ERR_INVALID;
		char more[64];
		expect_times(want, NOW + ahead, NOW + ahead + 10, NOW, "");
		(void)snprintf(more, sizeof more, ",\"nbf\":%lld", (long long)(NOW + ahead));
		expect_times(want, NOW, NOW + 100, NOW, more);
	}
	for (int64_t life = 43199; life <= 43201; life++)
		expect_times(life <= 43200 ? ERR_OK : ERR_INVALID, NOW, NOW + life, NOW, "");
	expect_times(ERR_OK, NOW, NOW + 1, NOW, "");
}

static void test_lengths(void **state)
{
	(void)state;
	char token[TEXT], more[TEXT];
	bool seen[3] = {false};
	for (int pad = 2700; pad < 3000;
	     pad++) { /* 4 bytes of text for 3 of payload: not every length is there */
		(void)snprintf(more, sizeof more, ",\"x\":\"%0*d\"", pad, 0);
		make(token, HEADER, claims("1799999990", "1800001790", more), SECRET, 256);
		size_t n = strlen(token);
		if (n >= 4094 && n <= 4099) {
			expect(n <= 4096 ? ERR_OK : ERR_INVALID, token);
			seen[n < 4096 ? 0 : n == 4096 ? 1 : 2] = true;
		}
	}
	assert_true(seen[0] && seen[1] && seen[2]);
	for (int n = 63; n <= 66; n++) {
		char sub[80], payload[512];
		struct token_claims out;
		struct errbuf eb = {0};
		(void)snprintf(sub, sizeof sub, "%0*d", n, 0);
		(void)snprintf(payload, sizeof payload, "{\"sub\":\"%s\"," NAMES "\"ver\":7," TIMES "}",
		               sub);
		make(token, HEADER, payload, SECRET, 256);
		assert_int_equal(token_verify(&rules, token, strlen(token), NOW, &out, &eb),
		                 n <= 64 ? ERR_OK : ERR_INVALID);
	}
	for (size_t n = 31; n <= 33; n++) {
		struct errbuf eb = {0};
		char secret[40] = {0};
		memset(secret, 'k', n);
		assert_int_equal(token_secret_check("JWT_SECRET", secret, &eb),
		                 n >= 32 ? ERR_OK : ERR_CONFIG);
		if (n < 32) {
			assert_string_equal(eb.field, "JWT_SECRET");
			assert_null(strstr(eb.text, "kkk"));
		}
	}
}

static void test_form(void **state)
{
	(void)state;
	char token[TEXT], odd[TEXT];
	struct token_claims out;
	struct errbuf eb = {0};
	make(token, HEADER, good(), SECRET, 256);
	const char *sig = strrchr(token, '.');
	static const char *const behind[] = {"=", "==", ".", ".x", " ", "\n", "A", "\x01"};
	static const char *const before[] = {" ", ".", "Bearer ", "\t", "\xef\xbb\xbf"};
	for (size_t i = 0; i < sizeof behind / sizeof *behind; i++) {
		(void)snprintf(odd, sizeof odd, "%s%s", token, behind[i]);
		expect(ERR_INVALID, odd);
		(void)snprintf(odd, sizeof odd, "%.*s%s%s", (int)(sig - token), token, behind[i], sig);
		expect(ERR_INVALID, odd);
	}
	for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
		(void)snprintf(odd, sizeof odd, "%s%s", before[i], token);
		expect(ERR_INVALID, odd);
	}
	static const char *const none[] = {"", ".", "..", "...", "a.b.c", "a.b", "x"};
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		expect(ERR_INVALID, none[i]);
	(void)snprintf(odd, sizeof odd, "%.*s.", (int)(sig - token), token); /* the signature cut off */
	expect(ERR_INVALID, odd);
	assert_int_equal(token_verify(&rules, token, strlen(token) + 1, NOW, &out, &eb),
	                 ERR_INVALID); /* the NUL */
	/* The last character of 32 bytes in base64 has two bits to spare: only one spelling counts. */
	size_t last = strlen(token) - 1;
	int accepted = 0;
	for (const char *c = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"; *c;
	     c++) {
		(void)snprintf(odd, sizeof odd, "%.*s%c", (int)last, token, *c);
		accepted +=
			token_verify(&rules, odd, strlen(odd), NOW, &out, &(struct errbuf){0}) == ERR_OK;
	}
	assert_int_equal(accepted, 1);
	/* The standard alphabet is not ours. */
	expect_made(ERR_OK, HEADER,
	            claims("1799999990", "1800001790", ",\"x\":\"\xc3\xbf\xc3\xbf>>>???~~~\""));
	make(odd, HEADER, claims("1799999990", "1800001790", ",\"x\":\"\xc3\xbf\xc3\xbf>>>???~~~\""),
	     SECRET, 256);
	char *p = strpbrk(odd, "-_");
	assert_non_null(p);
	for (; p; p = strpbrk(odd, "-_"))
		*p = *p == '-' ? '+' : '/';
	expect(ERR_INVALID, odd);
}

static void test_sign_and_rotate(void **state)
{
	(void)state;
	static const char *const algorithms[] = {"HS256", "HS384", "HS512"};
	struct token_claims in = {"anna", 7, NOW, 0}, out;
	for (int i = 0; i < 3; i++) {
		struct token_rules old = {PREVIOUS, "", algorithms[i], 43200, NULL};
		struct token_rules both = {SECRET, PREVIOUS, algorithms[i], 1, NULL};
		struct token_rules fresh = {SECRET, "", algorithms[i], 1800, NULL};
		struct buf a, b, c;
		struct errbuf eb = {0};
		buf_init(&a), buf_init(&b), buf_init(&c);
		assert_int_equal(token_sign(&old, &in, &a, &eb), ERR_OK);
		assert_int_equal(token_sign(&old, &in, &c, &eb), ERR_OK);
		assert_int_equal(token_sign(&both, &in, &b, &eb), ERR_OK);
		assert_string_not_equal(buf_str(&a), buf_str(&c)); /* jti */
		assert_int_equal(verify_with(&old, buf_str(&a), NOW, &out), ERR_OK);
		assert_int_equal(out.issued_at, NOW);
		assert_int_equal(out.expires_at, NOW + 43200);
		assert_int_equal(verify_with(&both, buf_str(&a), NOW, &out), ERR_OK);
		assert_int_equal(verify_with(&fresh, buf_str(&a), NOW, &out), ERR_INVALID);
		assert_int_equal(verify_with(&both, buf_str(&b), NOW, &out), ERR_OK);
		assert_int_equal(out.expires_at, NOW + 1);
		assert_int_equal(verify_with(&fresh, buf_str(&b), NOW, &out), ERR_OK);
		assert_int_equal(verify_with(&old, buf_str(&b), NOW, &out), ERR_INVALID);
		for (int k = 0; k < 3; k++) {
			struct token_rules other = {PREVIOUS, "", algorithms[k], 1800, NULL};
			assert_int_equal(verify_with(&other, buf_str(&a), NOW, &out),
			                 k == i ? ERR_OK : ERR_INVALID);
		}
		buf_fini(&a), buf_fini(&b), buf_fini(&c);
	}
	struct buf none;
	struct errbuf eb = {0};
	buf_init(&none);
	assert_int_equal(
		token_sign(&(struct token_rules){"", "", "HS256", 1800, NULL}, &in, &none, &eb),
		ERR_CONFIG);
	assert_int_equal(none.len, 0);
	buf_fini(&none);
}

/* A token for one purpose is good for no other. */
static void test_audience(void **state)
{
	static const struct token_rules ticket = {SECRET, "", "HS256", 60, "takings-live"};
	struct token_claims in = {"anna", 7, NOW, 0}, out;
	struct errbuf eb = {0};
	struct buf a, b;
	(void)state;
	buf_init(&a), buf_init(&b);
	assert_int_equal(token_sign(&ticket, &in, &a, &eb), ERR_OK);
	assert_int_equal(token_sign(&rules, &in, &b, &eb), ERR_OK);
	assert_int_equal(verify_with(&ticket, buf_str(&a), NOW, &out), ERR_OK);
	assert_int_equal(out.expires_at, NOW + 60);
	assert_int_equal(verify_with(&rules, buf_str(&a), NOW, &out), ERR_INVALID);
	assert_int_equal(verify_with(&ticket, buf_str(&b), NOW, &out), ERR_INVALID);
	buf_fini(&a), buf_fini(&b);
}

/* ---- mutations --------------------------------------------------------- */

static uint64_t seed = 20260504;

static size_t below(size_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed % n);
}

static void mutate(char *t, const char *other)
{
	size_t n = strlen(t), at = below(n), len = 1 + below(8);
	char copy[TEXT];
	switch (below(8)) {
	case 0: /* a bit */
		t[at] = (char)(t[at] ^ (1 << below(7)));
		break;
	case 1: /* cut off at the end */
		t[at] = '\0';
		break;
	case 2: /* cut off at the start */
		memmove(t, t + at, n - at + 1);
		break;
	case 3: { /* two swapped */
		size_t to = below(n);
		char c = t[at];
		t[at] = t[to];
		t[to] = c;
		break;
	}
	case 4: /* a piece twice */
		memcpy(copy, t, n + 1);
		(void)snprintf(t + at, TEXT - at, "%.*s%s", (int)len, copy + at, copy + at);
		break;
	case 5: /* a piece left out */
		len = len < n - at ? len : n - at;
		memmove(t + at, t + at + len, n - at - len + 1);
		break;
	case 6: { /* a part of another good token */
		const char *from = other + below(strlen(other));
		memcpy(copy, t, n + 1);
		(void)snprintf(t + at, TEXT - at, "%s", from);
		break;
	}
	default: /* another character of the alphabet */
		t[at] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."[below(65)];
	}
}

static void test_mutations(void **state)
{
	(void)state;
	static const char *const users[] = {"anna", "bert", "carl"};
	struct token_rules r = {SECRET, PREVIOUS, "HS256", 1800, NULL};
	struct buf valid[3];
	struct errbuf eb = {0};
	int accepted = 0, tried = 0;
	for (int i = 0; i < 3; i++) {
		struct token_claims in = {.version = i + 1, .issued_at = NOW - i};
		(void)snprintf(in.username, sizeof in.username, "%s", users[i]);
		buf_init(&valid[i]);
		assert_int_equal(token_sign(&r, &in, &valid[i], &eb), ERR_OK);
	}
	while (tried < MUTATIONS) {
		char t[TEXT];
		struct token_claims out;
		bool same = false;
		(void)snprintf(t, sizeof t, "%s", buf_str(&valid[below(3)]));
		for (size_t times = 1 + below(3); times && *t; times--)
			mutate(t, buf_str(&valid[below(3)]));
		for (int i = 0; i < 3; i++)
			same = same || strcmp(t, buf_str(&valid[i])) == 0;
		if (same)
			continue; /* swapped with itself, or spliced to another whole one */
		tried++;
		if (token_verify(&r, t, strlen(t), NOW, &out, &(struct errbuf){0}) == ERR_OK) {
			accepted++;
			print_message("accepted: %s\n", t);
		}
	}
	assert_int_equal(accepted, 0);
	for (int i = 0; i < 3; i++) { /* and it is still able to accept */
		struct token_claims out;
		assert_int_equal(token_verify(&r, buf_str(&valid[i]), valid[i].len, NOW, &out, &eb),
		                 ERR_OK);
		assert_string_equal(out.username, users[i]);
		buf_fini(&valid[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),     cmocka_unit_test(test_measured),
		cmocka_unit_test(test_header),   cmocka_unit_test(test_payload),
		cmocka_unit_test(test_limits),   cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_form),     cmocka_unit_test(test_sign_and_rotate),
		cmocka_unit_test(test_audience), cmocka_unit_test(test_mutations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
