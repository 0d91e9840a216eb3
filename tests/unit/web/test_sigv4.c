/* test_sigv4.c: signatures against the examples AWS publishes: of the S3 API reference ("Signature
 * Calculations for the Authorization Header") and of its test suite for Signature Version 4. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "web/secret.h"
#include "web/sigv4.h"

#define SECRET_S3 "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define SECRET_SUITE "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void assert_signed(const struct sigv4_request *r, const char *access_key, const char *secret,
                          const char *want)
{
	struct buf out;
	buf_init(&out);
	sigv4_authorization(r, access_key, secret, &out);
	assert_string_equal(buf_str(&out), want);
	buf_fini(&out);
}

static struct sigv4_request s3_request(const char *method, const char *path, const char *query,
                                       const struct sigv4_header *headers, int n)
{
	return (struct sigv4_request){.method = method,
	                              .path = path,
	                              .query = query,
	                              .headers = headers,
	                              .headers_n = n,
	                              .payload_sha256 = EMPTY,
	                              .region = "us-east-1",
	                              .service = "s3",
	                              .time = "20130524T000000Z"};
}

#define S3_WANT(headers, signature)                                                                \
	"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "        \
	"SignedHeaders=" headers ", Signature=" signature

static void test_s3_get(void **state)
{
	static const struct sigv4_header headers[] = {{"host", "examplebucket.s3.amazonaws.com"},
	                                              {"range", "bytes=0-9"},
	                                              {"x-amz-content-sha256", EMPTY},
	                                              {"x-amz-date", "20130524T000000Z"}};
	struct sigv4_request r = s3_request("GET", "/test.txt", "", headers, 4);
	(void)state;
	assert_signed(&r, "AKIAIOSFODNN7EXAMPLE", SECRET_S3,
	              S3_WANT("host;range;x-amz-content-sha256;x-amz-date",
	                      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"));
}

static void test_s3_put(void **state)
{
	char hash[SECRET_DIGEST_TEXT];
	secret_sha256_text("Welcome to Amazon S3.", 21, hash);
	const struct sigv4_header headers[] = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
	                                       {"host", "examplebucket.s3.amazonaws.com"},
	                                       {"x-amz-content-sha256", hash},
	                                       {"x-amz-date", "20130524T000000Z"},
	                                       {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
	struct buf path;
	(void)state;
	buf_init(&path);
	sigv4_encode("/test$file.text", "/", &path);
	struct sigv4_request r = s3_request("PUT", buf_str(&path), "", headers, 5);
	r.payload_sha256 = hash;
	assert_signed(&r, "AKIAIOSFODNN7EXAMPLE", SECRET_S3,
	              S3_WANT("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
	                      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
	buf_fini(&path);
}

static void test_s3_queries(void **state)
{
	static const struct sigv4_header headers[] = {{"host", "examplebucket.s3.amazonaws.com"},
	                                              {"x-amz-content-sha256", EMPTY},
	                                              {"x-amz-date", "20130524T000000Z"}};
	struct sigv4_request life = s3_request("GET", "/", "lifecycle=", headers, 3);
	struct sigv4_request list = s3_request("GET", "/", "max-keys=2&prefix=J", headers, 3);
	(void)state;
	assert_signed(&life, "AKIAIOSFODNN7EXAMPLE", SECRET_S3,
	              S3_WANT("host;x-amz-content-sha256;x-amz-date",
	                      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
	assert_signed(&list, "AKIAIOSFODNN7EXAMPLE", SECRET_S3,
	              S3_WANT("host;x-amz-content-sha256;x-amz-date",
	                      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

#define SUITE_WANT(signature)                                                                      \
	"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "            \
	"SignedHeaders=host;x-amz-date, Signature=" signature

static void test_suite(void **state)
{
	static const struct sigv4_header headers[] = {{"host", "example.amazonaws.com"},
	                                              {"x-amz-date", "20150830T123600Z"}};
	struct sigv4_request r = {.method = "GET",
	                          .path = "/",
	                          .query = "",
	                          .headers = headers,
	                          .headers_n = 2,
	                          .payload_sha256 = EMPTY,
	                          .region = "us-east-1",
	                          .service = "service",
	                          .time = "20150830T123600Z"};
	(void)state;
	assert_signed(&r, "AKIDEXAMPLE", SECRET_SUITE, /* get-vanilla */
	              SUITE_WANT("5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"));
	r.query = "Param1=value1&Param2=value2"; /* get-vanilla-query-order-key-case */
	assert_signed(&r, "AKIDEXAMPLE", SECRET_SUITE,
	              SUITE_WANT("b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"));
	r.query = ""; /* post-vanilla */
	r.method = "POST";
	assert_signed(&r, "AKIDEXAMPLE", SECRET_SUITE,
	              SUITE_WANT("5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"));
}

static void test_blanks(void **state)
{
	/* get-header-value-trim */
	static const struct sigv4_header headers[] = {{"host", "example.amazonaws.com"},
	                                              {"my-header1", " value1"},
	                                              {"my-header2", " \"a   b   c\""},
	                                              {"x-amz-date", "20150830T123600Z"}};
	struct sigv4_request r = {.method = "GET",
	                          .path = "/",
	                          .query = "",
	                          .headers = headers,
	                          .headers_n = 4,
	                          .payload_sha256 = EMPTY,
	                          .region = "us-east-1",
	                          .service = "service",
	                          .time = "20150830T123600Z"};
	(void)state;
	assert_signed(
		&r, "AKIDEXAMPLE", SECRET_SUITE,
		"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
		"SignedHeaders=host;my-header1;my-header2;x-amz-date, "
		"Signature=acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

static void test_encode(void **state)
{
	static const struct {
		const char *in, *keep, *want;
	} rows[] = {
		{"", "", ""},
		{"AZaz09-_.~", "", "AZaz09-_.~"},
		{"a/b", "", "a%2Fb"},
		{"a/b", "/", "a/b"},
		{" +=&?#%:*()!'\",;@$", "/", "%20%2B%3D%26%3F%23%25%3A%2A%28%29%21%27%22%2C%3B%40%24"},
		{"\xc3\xa9\x7f\x01", "", "%C3%A9%7F%01"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf out;
		buf_init(&out);
		sigv4_encode(rows[i].in, rows[i].keep, &out);
		assert_string_equal(buf_str(&out), rows[i].want);
		buf_fini(&out);
	}
}

static void test_time(void **state)
{
	char text[SIGV4_TIME];
	(void)state;
	sigv4_time(INT64_C(1736937000999999), text);
	assert_string_equal(text, "20250115T103000Z");
	sigv4_time(0, text);
	assert_string_equal(text, "19700101T000000Z");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_s3_get),     cmocka_unit_test(test_s3_put),
		cmocka_unit_test(test_s3_queries), cmocka_unit_test(test_suite),
		cmocka_unit_test(test_blanks),     cmocka_unit_test(test_encode),
		cmocka_unit_test(test_time),
	};
	return cmocka_run_group_tests_name("sigv4", tests, NULL, NULL);
}
