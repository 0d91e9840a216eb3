/* test_secret.c: passwords, digests by the vectors of their standards, and who may hash when. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "web/secret.h"

static enum err check(const char *user, const char *password, size_t n)
{
	struct errbuf eb = {0};
	enum err rc = secret_password_check(user, password, n, &eb);
	if (rc != ERR_OK) {
		assert_int_equal(rc, ERR_INVALID);
		assert_string_equal(eb.field, "password");
	}
	return rc;
}

static void test_policy(void **state)
{
	(void)state;
	char text[300];
	memset(text, 'k', sizeof text);
	memcpy(text, "A good one", 10);
	for (size_t n = 9; n <= 11; n++)
		assert_int_equal(check("anna", text, n), n >= 10 ? ERR_OK : ERR_INVALID);
	for (size_t n = 255; n <= 257; n++)
		assert_int_equal(check("anna", text, n), n <= 256 ? ERR_OK : ERR_INVALID);
	static const char *const bad[] = {
		"password123",
		"PassWord123",
		"qwertyuiop",
		"1234567890",
		"aaaaaaaaaa",
		"          ",
		"anna.schmidt",
		"Anna.Schmidt",
		"zxcvbnm123456",
		"latin1 \xe4\xf6\xfc abc",
		"cut off utf8 \xc3",
		"overlong \xc0\xaf abc",
		"surrogate \xed\xa0\x80",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (check("anna.schmidt", bad[i], strlen(bad[i])) == ERR_OK)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(check("anna", "with\0a NUL in it", 16), ERR_INVALID);
	static const char *const fine[] = {"password123!", "correct horse battery",
	                                   "\xc3\xbc\xc3\xa4\xc3\xb6\xc3\x9f \xe2\x82\xac",
	                                   "anna.schmidt2", "aaaaaaaaab"};
	for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
		assert_int_equal(check("anna.schmidt", fine[i], strlen(fine[i])), ERR_OK);
}

static void test_hash(void **state)
{
	(void)state;
	char a[SECRET_HASH_TEXT], b[SECRET_HASH_TEXT], text[257];
	struct errbuf eb = {0};
	bool right = false;
	memset(text, 'x', sizeof text);
	assert_int_equal(secret_password_hash("correct horse", 13, a, &eb), ERR_OK);
	assert_int_equal(secret_password_hash("correct horse", 13, b, &eb), ERR_OK);
	assert_string_not_equal(a, b);
	assert_int_equal(strncmp(a, "$argon2id$v=19$m=19456,t=2,p=1$", 31), 0);
	static const struct {
		const char *text;
		size_t n;
		bool right;
	} rows[] = {{"correct horse", 13, true},   {"correct horse", 12, false},
	            {"correct horse ", 14, false}, {"Correct horse", 13, false},
	            {"correct horse", 14, false},  {"", 0, false}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(secret_password_verify(a, rows[i].text, rows[i].n, &right, &eb), ERR_OK);
		assert_int_equal(right, rows[i].right);
	}
	static const char *const no_hashes[] = {"", "x", "$argon2id$",
	                                        "$argon2id$v=19$m=19456,t=2,p=1$"};
	for (size_t i = 0; i < sizeof no_hashes / sizeof *no_hashes; i++) {
		right = true;
		assert_int_equal(secret_password_verify(no_hashes[i], "", 0, &right, &eb), ERR_OK);
		assert_false(right);
	}
	assert_int_equal(secret_password_hash(text, 256, a, &eb), ERR_OK); /* nothing is cut off */
	assert_int_equal(secret_password_verify(a, text, 256, &right, &eb), ERR_OK);
	assert_true(right);
	assert_int_equal(secret_password_verify(a, text, 255, &right, &eb), ERR_OK);
	assert_false(right);
	assert_int_equal(secret_password_verify(a, text, 257, &right, &eb), ERR_OK);
	assert_false(right);
}

/* Of this thread alone: what else the machine does has no part in it. */
static int64_t cpu_us(void)
{
	struct timespec ts;
	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts), 0);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Of seven, in microseconds of work. */
static int64_t median_us(bool known, const char *hash)
{
	int64_t took[7];
	for (int i = 0; i < 7; i++) {
		struct errbuf eb = {0};
		bool right;
		int64_t begin = cpu_us();
		assert_int_equal(known ? secret_password_verify(hash, "wrong word", 10, &right, &eb)
		                       : secret_password_waste("wrong word", 10, &eb),
		                 ERR_OK);
		int64_t t = cpu_us() - begin;
		int k = i;
		for (; k > 0 && took[k - 1] > t; k--)
			took[k] = took[k - 1];
		took[k] = t;
	}
	return took[3];
}

static void test_waste(void **state)
{
	(void)state;
	char hash[SECRET_HASH_TEXT];
	struct errbuf eb = {0};
	assert_int_equal(secret_password_hash("correct horse", 13, hash, &eb), ERR_OK);
	int64_t known = median_us(true, hash), unknown = median_us(false, hash);
	assert_true(unknown > 1000); /* us: it does work */
	if (unknown * 2 < known || known * 2 < unknown)
		fail_msg("known %lld us, unknown %lld us", (long long)known, (long long)unknown);
}

/* ---- few at a time ----------------------------------------------------- */

static atomic_int done, busy, go;

static void *hasher(void *arg)
{
	char hash[SECRET_HASH_TEXT];
	struct errbuf eb = {0};
	(void)arg;
	while (!atomic_load(&go)) {
	}
	enum err rc = secret_password_hash("correct horse", 13, hash, &eb);
	atomic_fetch_add(rc == ERR_BUSY ? &busy : &done, 1);
	assert_true(rc == ERR_OK || rc == ERR_BUSY);
	return NULL;
}

static void run_threads(int n)
{
	pthread_t threads[64];
	atomic_store(&done, 0), atomic_store(&busy, 0), atomic_store(&go, 0);
	for (int i = 0; i < n; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hasher, NULL), 0);
	atomic_store(&go, 1);
	for (int i = 0; i < n; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&done) + atomic_load(&busy), n);
}

static void test_crowd(void **state)
{
	(void)state;
	run_threads(SECRET_AT_ONCE + SECRET_WAITING); /* just as many as there is room for */
	assert_int_equal(atomic_load(&busy), 0);
	run_threads(64);
	assert_true(atomic_load(&busy) > 0);
	assert_true(atomic_load(&done) >= SECRET_AT_ONCE + SECRET_WAITING);
	run_threads(1); /* and it is free again */
	assert_int_equal(atomic_load(&done), 1);
}

/* ---- digests ----------------------------------------------------------- */

static void hex(const unsigned char *raw, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", raw[i]);
}

static void test_digests(void **state)
{
	(void)state;
	char text[SECRET_DIGEST_TEXT];
	unsigned char raw[SECRET_DIGEST];
	secret_sha256_text("abc", 3, text); /* FIPS 180-2, appendix B.1 */
	assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	secret_sha256("", 0, raw);
	hex(raw, sizeof raw, text);
	assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	secret_hmac("Jefe", 4, "what do ya want for nothing?", 28, raw); /* RFC 4231, case 2 */
	hex(raw, sizeof raw, text);
	assert_string_equal(text, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	unsigned char key[131];
	memset(key, 0xaa, sizeof key); /* case 6: a key longer than a block */
	secret_hmac(key, sizeof key, "Test Using Larger Than Block-Size Key - Hash Key First", 54, raw);
	hex(raw, sizeof raw, text);
	assert_string_equal(text, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void test_equal_and_random(void **state)
{
	(void)state;
	assert_true(secret_equal("abc", "abd", 2));
	assert_false(secret_equal("abc", "abd", 3));
	assert_true(secret_equal("", "", 0));
	static const size_t sizes[][2] = {{1, 2}, {2, 3}, {3, 4}, {16, 22}, {32, 43}, {64, 86}};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct buf a, b;
		buf_init(&a), buf_init(&b);
		buf_puts(&a, "x");
		secret_random_text(sizes[i][0], &a);
		secret_random_text(sizes[i][0], &b);
		assert_int_equal(a.len, 1 + sizes[i][1]);
		assert_int_equal(
			strspn(buf_str(&a), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
			a.len);
		if (sizes[i][0] >= 16)
			assert_string_not_equal(buf_str(&a) + 1, buf_str(&b));
		buf_fini(&a), buf_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy),  cmocka_unit_test(test_hash),
		cmocka_unit_test(test_waste),   cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_digests), cmocka_unit_test(test_equal_and_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
