/* aws_answer.c: reads JSON with jansson, and of XML the few flat elements that matter. */
#include "web/aws_answer.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/arena.h"

enum { TEXT_BYTES = 16 * 1024 };

static void wipe(char **text)
{
	if (*text)
		sodium_memzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void aws_answer_fini(struct aws_answer *a)
{
	wipe(&a->access_key);
	wipe(&a->secret_key);
	wipe(&a->token);
}

bool aws_text_plain(const char *s)
{
	for (; *s; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

/* ---- times ---------------------------------------------------------------------- */

static bool digits(const char *s, int n, int *out)
{
	*out = 0;
	for (int i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		*out = *out * 10 + (s[i] - '0');
	}
	return true;
}

bool aws_time_parse(const char *s, int64_t *at_us)
{
	struct tm tm = {0};
	if (strlen(s) < 20 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' ||
	    s[16] != ':')
		return false;
	if (!digits(s, 4, &tm.tm_year) || !digits(s + 5, 2, &tm.tm_mon) ||
	    !digits(s + 8, 2, &tm.tm_mday) || !digits(s + 11, 2, &tm.tm_hour) ||
	    !digits(s + 14, 2, &tm.tm_min) || !digits(s + 17, 2, &tm.tm_sec))
		return false;
	const char *end = s + 19;
	if (*end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	if (strcmp(end, "Z") != 0 || tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 ||
	    tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*at_us = (int64_t)timegm(&tm) * 1000000;
	return true;
}

/* ---- keys -------------------------------------------------------------------------- */

/* What stands between <name> and </name>, of the first such; false: nowhere, or not in n bytes. */
static bool xml_text(const struct buf *body, const char *name, char *out, size_t n)
{
	struct buf mark;
	buf_init(&mark);
	buf_printf(&mark, "<%s>", name);
	const char *text = strstr(buf_str(body), buf_str(&mark));
	text = text ? text + mark.len : NULL;
	buf_clear(&mark);
	buf_printf(&mark, "</%s>", name);
	const char *end = text ? strstr(text, buf_str(&mark)) : NULL;
	buf_fini(&mark);
	if (!end || (size_t)(end - text) >= n)
		return false;
	memcpy(out, text, (size_t)(end - text));
	out[end - text] = '\0';
	return !strpbrk(out, "<&"); /* flat, and without what would have to be decoded */
}

static bool take(struct aws_answer *out, const char *access_key, const char *secret_key,
                 const char *token)
{
	if (!access_key || !secret_key || !*access_key || !*secret_key || !aws_text_plain(access_key) ||
	    !aws_text_plain(secret_key) || !aws_text_plain(token))
		return false;
	out->access_key = mem_strdup(access_key);
	out->secret_key = mem_strdup(secret_key);
	out->token = mem_strdup(token);
	return true;
}

static bool parse_xml(const struct buf *body, struct aws_answer *out)
{
	char access_key[256], secret_key[256], ends[64];
	char *token = mem_alloc(TEXT_BYTES);
	bool ok = xml_text(body, "AccessKeyId", access_key, sizeof access_key) &&
	          xml_text(body, "SecretAccessKey", secret_key, sizeof secret_key) &&
	          xml_text(body, "SessionToken", token, TEXT_BYTES) &&
	          xml_text(body, "Expiration", ends, sizeof ends) &&
	          aws_time_parse(ends, &out->ends_us) && take(out, access_key, secret_key, token);
	sodium_memzero(secret_key, sizeof secret_key);
	sodium_memzero(token, TEXT_BYTES);
	free(token);
	return ok;
}

/* STS counts in seconds since 1970, with a fraction or without. */
static bool take_end(const json_t *value, int64_t *at_us)
{
	if (!value || json_is_null(value))
		return true;
	if (json_is_string(value))
		return aws_time_parse(json_string_value(value), at_us);
	if (!json_is_number(value) || json_number_value(value) < 0 || json_number_value(value) > 1e11)
		return false;
	*at_us = (int64_t)json_number_value(value) * 1000000;
	return true;
}

static bool parse_json(const struct buf *body, struct aws_answer *out)
{
	json_t *top = json_loadb(buf_str(body), body->len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *sts =
		json_object_get(json_object_get(json_object_get(top, "AssumeRoleWithWebIdentityResponse"),
	                                    "AssumeRoleWithWebIdentityResult"),
	                    "Credentials");
	const json_t *keys = sts ? sts : top;
	const char *token = json_string_value(json_object_get(keys, sts ? "SessionToken" : "Token"));
	bool ok = take_end(json_object_get(keys, "Expiration"), &out->ends_us) &&
	          take(out, json_string_value(json_object_get(keys, "AccessKeyId")),
	               json_string_value(json_object_get(keys, "SecretAccessKey")), token ? token : "");
	json_decref(top);
	return ok;
}

bool aws_answer_parse(const struct buf *body, struct aws_answer *out)
{
	*out = (struct aws_answer){0};
	const char *start = buf_str(body) + strspn(buf_str(body), " \t\r\n");
	return *start == '<' ? parse_xml(body, out) : parse_json(body, out);
}

/* ---- errors ------------------------------------------------------------------------ */

void aws_error_code(const struct buf *body, char *out, size_t n)
{
	out[0] = '\0';
	if (xml_text(body, "Code", out, n) && aws_text_plain(out))
		return;
	out[0] = '\0';
	json_t *top = json_loadb(buf_str(body), body->len, 0, NULL);
	const json_t *error = json_object_get(top, "Error"); /* of STS */
	const char *code = json_string_value(json_object_get(error ? error : top, "Code"));
	if (!code)
		code = json_string_value(json_object_get(top, "code")); /* of containers */
	if (code && strlen(code) < n && aws_text_plain(code))
		memcpy(out, code, strlen(code) + 1);
	json_decref(top);
}

/* ---- where keys may come from ------------------------------------------------------- */

static bool host_is_near(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;
	if (strcasecmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127 || strcmp(host, "169.254.170.2") == 0 ||
		       strcmp(host, "169.254.170.23") == 0;
	char bare[64] = {0};
	size_t n = strlen(host);
	if (n < 3 || n >= sizeof bare || host[0] != '[' || host[n - 1] != ']')
		return false;
	memcpy(bare, host + 1, n - 2);
	static const struct in6_addr eks = {
		.s6_addr = {0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x23}};
	return inet_pton(AF_INET6, bare, &v6) == 1 &&
	       (IN6_IS_ADDR_LOOPBACK(&v6) || memcmp(&v6, &eks, sizeof v6) == 0);
}

bool aws_container_url_allowed(const char *url)
{
	char *scheme = NULL, *host = NULL, *user = NULL;
	CURLU *u = curl_url();
	must(u);
	bool ok = curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	          curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	          curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	          curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_NO_USER &&
	          (strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && host_is_near(host)));
	curl_free(user);
	curl_free(host);
	curl_free(scheme);
	curl_url_cleanup(u);
	return ok;
}
