/* sigv4.c: the three steps of a signature: canonical request, text to sign, key of the day. */
#include "web/sigv4.h"

#include <sodium.h>
#include <string.h>

#include "base/clock.h"
#include "web/secret.h"

enum { DAY_BYTES = 8 };

static const char PLAIN[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";

void sigv4_encode(const char *s, const char *keep, struct buf *out)
{
	for (; *s; s++) {
		if (strchr(PLAIN, *s) || strchr(keep, *s))
			buf_putc(out, *s);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)*s);
	}
}

void sigv4_time(int64_t at_us, char out[SIGV4_TIME])
{
	char text[CLOCK_TEXT]; /* 2025-01-15T10:30:00.123Z */
	size_t n = 0;
	clock_format_utc(at_us, text);
	for (const char *p = text; *p && *p != '.' && n < SIGV4_TIME - 2; p++)
		if (*p != '-' && *p != ':')
			out[n++] = *p;
	out[n++] = 'Z';
	out[n] = '\0';
}

static void put_header_names(const struct sigv4_request *r, struct buf *out)
{
	for (int i = 0; i < r->headers_n; i++)
		buf_printf(out, "%s%s", i ? ";" : "", r->headers[i].name);
}

/* Blanks around a value do not count, and a run of them counts as one. */
static void put_value(const char *value, struct buf *out)
{
	bool begun = false, blank = false;
	for (; *value; value++) {
		if (*value == ' ' || *value == '\t') {
			blank = true;
			continue;
		}
		if (blank && begun)
			buf_putc(out, ' ');
		buf_putc(out, *value);
		begun = true;
		blank = false;
	}
}

static void put_canonical(const struct sigv4_request *r, struct buf *out)
{
	buf_printf(out, "%s\n%s\n%s\n", r->method, r->path, r->query);
	for (int i = 0; i < r->headers_n; i++) {
		must(i == 0 || strcmp(r->headers[i - 1].name, r->headers[i].name) < 0);
		buf_printf(out, "%s:", r->headers[i].name);
		put_value(r->headers[i].value, out);
		buf_putc(out, '\n');
	}
	buf_putc(out, '\n');
	put_header_names(r, out);
	buf_printf(out, "\n%s", r->payload_sha256);
}

static void put_scope(const struct sigv4_request *r, struct buf *out)
{
	buf_printf(out, "%.*s/%s/%s/aws4_request", DAY_BYTES, r->time, r->region, r->service);
}

static void put_text_to_sign(const struct sigv4_request *r, struct buf *out)
{
	char hash[SECRET_DIGEST_TEXT];
	struct buf canonical;
	buf_init(&canonical);
	put_canonical(r, &canonical);
	secret_sha256_text(buf_str(&canonical), canonical.len, hash);
	buf_fini(&canonical);
	buf_printf(out, "AWS4-HMAC-SHA256\n%s\n", r->time);
	put_scope(r, out);
	buf_printf(out, "\n%s", hash);
}

static void make_key(const struct sigv4_request *r, const char *secret_key,
                     unsigned char key[SECRET_DIGEST])
{
	struct buf start;
	buf_init(&start);
	buf_printf(&start, "AWS4%s", secret_key);
	secret_hmac(buf_str(&start), start.len, r->time, DAY_BYTES, key);
	sodium_memzero(start.data, start.len);
	buf_fini(&start);
	secret_hmac(key, SECRET_DIGEST, r->region, strlen(r->region), key);
	secret_hmac(key, SECRET_DIGEST, r->service, strlen(r->service), key);
	secret_hmac(key, SECRET_DIGEST, "aws4_request", strlen("aws4_request"), key);
}

void sigv4_authorization(const struct sigv4_request *r, const char *access_key,
                         const char *secret_key, struct buf *out)
{
	unsigned char key[SECRET_DIGEST], mac[SECRET_DIGEST];
	char signature[SECRET_DIGEST_TEXT];
	struct buf text;
	must(strlen(r->time) == SIGV4_TIME - 1);
	buf_init(&text);
	put_text_to_sign(r, &text);
	make_key(r, secret_key, key);
	secret_hmac(key, sizeof key, buf_str(&text), text.len, mac);
	buf_fini(&text);
	sodium_memzero(key, sizeof key);
	(void)sodium_bin2hex(signature, sizeof signature, mac, sizeof mac);
	buf_printf(out, "AWS4-HMAC-SHA256 Credential=%s/", access_key);
	put_scope(r, out);
	buf_puts(out, ", SignedHeaders=");
	put_header_names(r, out);
	buf_printf(out, ", Signature=%s", signature);
}
