/* test_aws_answer.c: keys out of answers, words of errors, and where keys may be asked for. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "web/aws_answer.h"

static struct buf body_of(const char *text)
{
	struct buf b;
	buf_init(&b);
	buf_puts(&b, text);
	return b;
}

static void assert_keys(const char *text, const char *key, const char *secret, const char *token,
                        int64_t ends_s)
{
	struct buf b = body_of(text);
	struct aws_answer a;
	assert_true(aws_answer_parse(&b, &a));
	assert_string_equal(a.access_key, key);
	assert_string_equal(a.secret_key, secret);
	assert_string_equal(a.token, token);
	assert_int_equal(a.ends_us / 1000000, ends_s);
	aws_answer_fini(&a);
	buf_fini(&b);
}

static void test_keys(void **state)
{
	(void)state;
	assert_keys("{\"Code\":\"Success\",\"AccessKeyId\":\"AK\",\"SecretAccessKey\":\"s/+=\","
	            "\"Token\":\"t==\",\"Expiration\":\"2025-01-15T10:30:00Z\"}",
	            "AK", "s/+=", "t==", 1736937000);
	assert_keys("{\"AccessKeyId\":\"AK\",\"SecretAccessKey\":\"s\"}", "AK", "s", "", 0);
	assert_keys(
		"{\"AssumeRoleWithWebIdentityResponse\":{\"AssumeRoleWithWebIdentityResult\":"
		"{\"Credentials\":{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"SessionToken\":"
		"\"t\",\"Expiration\":1.736937E9}}}}",
		"A", "s", "t", 1736937000);
	assert_keys(
		"<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/\">\n"
		"<AssumeRoleWithWebIdentityResult><Credentials><SessionToken>t</SessionToken>"
		"<SecretAccessKey>s</SecretAccessKey><Expiration>2025-01-15T10:30:00.123Z</Expiration>"
		"<AccessKeyId>A</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult>"
		"</AssumeRoleWithWebIdentityResponse>",
		"A", "s", "t", 1736937000);
}

static void test_no_keys(void **state)
{
	static const char *const texts[] = {
		"",
		"[]",
		"{}",
		"{\"AccessKeyId\":\"A\"}",
		"{\"AccessKeyId\":\"\",\"SecretAccessKey\":\"s\"}",
		"{\"AccessKeyId\":\"A\\r\\nX: y\",\"SecretAccessKey\":\"s\"}",
		"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Token\":\"a b\"}",
		"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Expiration\":\"soon\"}",
		"{\"AccessKeyId\":1,\"SecretAccessKey\":2}",
		"<Credentials><AccessKeyId>A</AccessKeyId></Credentials>",
		"<AccessKeyId>A",
		"<html>log in first</html>",
	};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct buf b = body_of(texts[i]);
		struct aws_answer a;
		assert_false(aws_answer_parse(&b, &a));
		aws_answer_fini(&a);
		buf_fini(&b);
	}
}

static void test_errors(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{"<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>x</Message></Error>",
	     "SlowDown"},
		{"<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredTokenException</Code></Error>",
	     "ExpiredTokenException"},
		{"{\"Error\":{\"Code\":\"InvalidIdentityToken\"}}", "InvalidIdentityToken"},
		{"{\"code\":\"AccessDenied\",\"message\":\"secret\"}", "AccessDenied"},
		{"<Code>two words</Code>", ""},
		{"<Code>" /* no end */, ""},
		{"<html>", ""},
		{"", ""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char code[32];
		struct buf b = body_of(rows[i].in);
		aws_error_code(&b, code, sizeof code);
		assert_string_equal(code, rows[i].want);
		buf_fini(&b);
	}
}

static void test_times(void **state)
{
	static const char *const wrong[] = {"",
	                                    "2025-01-15",
	                                    "2025-01-15 10:30:00Z",
	                                    "2025-01-15T10:30:00",
	                                    "2025-01-15T10:30:00+01:00",
	                                    "2025-13-15T10:30:00Z",
	                                    "2025-01-15T24:30:00Z",
	                                    "20x5-01-15T10:30:00Z"};
	int64_t at_us = 0;
	(void)state;
	assert_true(aws_time_parse("1970-01-02T00:00:01Z", &at_us));
	assert_int_equal(at_us, INT64_C(86401000000));
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(aws_time_parse(wrong[i], &at_us));
}

static void test_container_urls(void **state)
{
	static const char *const right[] = {"http://169.254.170.2/v2/credentials/x",
	                                    "http://169.254.170.23/v1/credentials",
	                                    "http://[fd00:ec2::23]/v1/credentials",
	                                    "http://127.0.0.1:8080/c",
	                                    "http://127.9.9.9/c",
	                                    "http://[::1]:80/",
	                                    "http://localhost/",
	                                    "https://keys.example.com/c"};
	static const char *const wrong[] = {"",
	                                    "http://keys.example.com/",
	                                    "http://169.254.169.254/",
	                                    "http://10.0.0.1/",
	                                    "http://127.0.0.1.example.com/",
	                                    "http://127.0.0.1@10.0.0.1/",
	                                    "http://localhost.example.com/",
	                                    "http://[fd00:ec2::24]/",
	                                    "ftp://127.0.0.1/",
	                                    "file:///etc/passwd"};
	(void)state;
	for (size_t i = 0; i < sizeof right / sizeof *right; i++)
		assert_true(aws_container_url_allowed(right[i]));
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(aws_container_url_allowed(wrong[i]));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),           cmocka_unit_test(test_no_keys),
		cmocka_unit_test(test_errors),         cmocka_unit_test(test_times),
		cmocka_unit_test(test_container_urls),
	};
	return cmocka_run_group_tests_name("aws answers", tests, NULL, NULL);
}
