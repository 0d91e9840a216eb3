/* s3.c: two requests, signed, and what their answers mean. */
#include "web/s3.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "web/aws_answer.h"
#include "web/aws_credentials.h"
#include "web/secret.h"
#include "web/sigv4.h"

enum { CONNECT_MS = 3000, TIMEOUT_MS = 30000, HEADERS = 8 };

struct s3 {
	const struct conf *conf;
	struct http_client *http;
	struct aws_credentials *credentials;
	char *origin; /* https://host[:port] */
	char *host;   /* host[:port] as the header has it */
	char *path;   /* before a key: "/" or "/bucket/" */
};

/* ---- where the bucket is ----------------------------------------------------------- */

static bool made_of(const char *s, const char *more)
{
	static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	if (!*s)
		return false;
	for (; *s; s++)
		if (!strchr(PLAIN, *s) && !strchr(more, *s))
			return false;
	return true;
}

/* A store of one's own has the bucket in the path; so has AWS where the name has a dot, for which
 * no certificate would hold. */
static void set_aws(struct s3 *s, const char *bucket, const char *region)
{
	struct buf host, path;
	bool in_path = strchr(bucket, '.') != NULL;
	buf_init(&host), buf_init(&path);
	buf_printf(&host, "%s%ss3.%s.amazonaws.com%s", in_path ? "" : bucket, in_path ? "" : ".",
	           region, strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
	buf_printf(&path, "/%s%s", in_path ? bucket : "", in_path ? "/" : "");
	s->host = mem_strdup(buf_str(&host));
	s->path = mem_strdup(buf_str(&path));
	buf_clear(&path);
	buf_printf(&path, "https://%s", s->host);
	s->origin = mem_strdup(buf_str(&path));
	buf_fini(&path), buf_fini(&host);
}

struct url_parts {
	char *scheme, *host, *port, *path, *user, *query;
};

static bool split(const char *url, struct url_parts *p)
{
	CURLU *u = curl_url();
	must(u);
	bool ok = curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	          curl_url_get(u, CURLUPART_SCHEME, &p->scheme, 0) == CURLUE_OK &&
	          curl_url_get(u, CURLUPART_HOST, &p->host, 0) == CURLUE_OK &&
	          curl_url_get(u, CURLUPART_PATH, &p->path, 0) == CURLUE_OK;
	if (ok) {
		(void)curl_url_get(u, CURLUPART_PORT, &p->port, CURLU_NO_DEFAULT_PORT);
		(void)curl_url_get(u, CURLUPART_USER, &p->user, 0);
		(void)curl_url_get(u, CURLUPART_QUERY, &p->query, 0);
		ok = !p->user && !p->query &&
		     (strcmp(p->scheme, "http") == 0 || strcmp(p->scheme, "https") == 0);
	}
	curl_url_cleanup(u);
	return ok;
}

static void split_fini(struct url_parts *p)
{
	curl_free(p->scheme), curl_free(p->host), curl_free(p->port);
	curl_free(p->path), curl_free(p->user), curl_free(p->query);
}

static enum err set_endpoint(struct s3 *s, const char *endpoint, const char *bucket,
                             struct errbuf *eb)
{
	struct url_parts p = {0};
	struct buf text;
	buf_init(&text);
	enum err rc = ERR_OK;
	if (!split(endpoint, &p)) {
		rc = err_set_field(eb, ERR_CONFIG, conf_name(CONF_S3_ENDPOINT),
		                   "%s is no http or https URL of a host alone",
		                   conf_name(CONF_S3_ENDPOINT));
	} else {
		buf_printf(&text, "%s%s%s", p.host, p.port ? ":" : "", p.port ? p.port : "");
		s->host = mem_strdup(buf_str(&text));
		buf_clear(&text);
		buf_printf(&text, "%s://%s", p.scheme, s->host);
		s->origin = mem_strdup(buf_str(&text));
		buf_clear(&text);
		size_t n = strlen(p.path);
		while (n && p.path[n - 1] == '/')
			n--;
		buf_printf(&text, "%.*s/%s/", (int)n, p.path, bucket);
		s->path = mem_strdup(buf_str(&text));
	}
	split_fini(&p);
	buf_fini(&text);
	return rc;
}

static enum err set_address(struct s3 *s, struct errbuf *eb)
{
	const char *bucket = conf_str(s->conf, CONF_S3_BUCKET);
	const char *region = conf_str(s->conf, CONF_AWS_REGION);
	const char *endpoint = conf_str(s->conf, CONF_S3_ENDPOINT);
	/* Old buckets of us-east-1 and stores of one's own may have capitals and _. */
	if (!made_of(bucket, "._ABCDEFGHIJKLMNOPQRSTUVWXYZ") || bucket[0] == '.')
		return err_set_field(eb, ERR_CONFIG, conf_name(CONF_S3_BUCKET),
		                     "%s='%s' is no name of a bucket (without s3://, without a path)",
		                     conf_name(CONF_S3_BUCKET), bucket);
	if (!made_of(region, ""))
		return err_set_field(eb, ERR_CONFIG, conf_name(CONF_AWS_REGION), "%s='%s' is no region",
		                     conf_name(CONF_AWS_REGION), region);
	if (*endpoint)
		return set_endpoint(s, endpoint, bucket, eb);
	set_aws(s, bucket, region);
	return ERR_OK;
}

enum err s3_open(struct s3 **out, const struct conf *conf, http_give_up_fn give_up, void *arg,
                 struct errbuf *eb)
{
	struct s3 *s = mem_alloc(sizeof *s);
	*s = (struct s3){.conf = conf};
	enum err rc = set_address(s, eb);
	if (rc != ERR_OK) {
		s3_close(s);
		return rc;
	}
	s->http = http_client_new(give_up, arg);
	s->credentials = aws_credentials_new(conf, s->http);
	*out = s;
	return ERR_OK;
}

void s3_close(struct s3 *s)
{
	if (!s)
		return;
	aws_credentials_free(s->credentials);
	http_client_free(s->http);
	free(s->origin);
	free(s->host);
	free(s->path);
	free(s);
}

/* ---- one request ---------------------------------------------------------------------- */

struct request {
	const char *method;
	const char *key;   /* "" for the bucket itself */
	const char *query; /* as sigv4.h wants it */
	const void *body;
	size_t body_n;
};

/* Sorted, as they are signed. */
static int list_headers(const struct s3 *s, const struct request *r, const struct aws_keys *keys,
                        const char *hash, const char *time, struct sigv4_header out[HEADERS])
{
	int n = 0;
	if (r->body)
		out[n++] = (struct sigv4_header){"content-type", "application/json"};
	out[n++] = (struct sigv4_header){"host", s->host};
	out[n++] = (struct sigv4_header){"x-amz-content-sha256", hash};
	out[n++] = (struct sigv4_header){"x-amz-date", time};
	if (*keys->token)
		out[n++] = (struct sigv4_header){"x-amz-security-token", keys->token};
	must(n < HEADERS);
	return n;
}

static enum err ask(struct s3 *s, const struct request *r, const char *url,
                    const struct sigv4_header *headers, int n, const char *authorization,
                    struct http_answer *out, struct errbuf *eb)
{
	struct buf lines[HEADERS];
	const char *texts[HEADERS + 1];
	for (int i = 0; i <= n; i++) {
		buf_init(&lines[i]);
		buf_printf(&lines[i], "%s: %s", i < n ? headers[i].name : "Authorization",
		           i < n ? headers[i].value : authorization);
		texts[i] = buf_str(&lines[i]);
	}
	texts[n + 1] = NULL;
	enum err rc = http_client_ask(s->http,
	                              &(struct http_ask){.method = r->method,
	                                                 .url = url,
	                                                 .headers = texts,
	                                                 .body = r->body,
	                                                 .body_n = r->body_n,
	                                                 .connect_ms = CONNECT_MS,
	                                                 .timeout_ms = TIMEOUT_MS},
	                              out, eb);
	for (int i = 0; i <= n; i++)
		buf_fini(&lines[i]);
	return rc;
}

static enum err sign_and_ask(struct s3 *s, const struct request *r, struct http_answer *out,
                             struct errbuf *eb)
{
	char hash[SECRET_DIGEST_TEXT], time[SIGV4_TIME];
	struct sigv4_header headers[HEADERS];
	struct aws_keys keys;
	struct buf path, url, authorization;
	enum err rc = aws_credentials_get(s->credentials, &keys, eb);
	if (rc != ERR_OK)
		return rc;
	buf_init(&path), buf_init(&url), buf_init(&authorization);
	secret_sha256_text(r->body ? r->body : "", r->body_n, hash);
	sigv4_time(clock_now_us(), time);
	int n = list_headers(s, r, &keys, hash, time, headers);
	sigv4_encode(s->path, "/%", &path); /* an endpoint's path comes encoded */
	sigv4_encode(r->key, "/", &path);
	sigv4_authorization(&(struct sigv4_request){.method = r->method,
	                                            .path = buf_str(&path),
	                                            .query = r->query,
	                                            .headers = headers,
	                                            .headers_n = n,
	                                            .payload_sha256 = hash,
	                                            .region = conf_str(s->conf, CONF_AWS_REGION),
	                                            .service = "s3",
	                                            .time = time},
	                    keys.access_key, keys.secret_key, &authorization);
	buf_printf(&url, "%s%s%s%s", s->origin, buf_str(&path), *r->query ? "?" : "", r->query);
	rc = ask(s, r, buf_str(&url), headers, n, buf_str(&authorization), out, eb);
	buf_fini(&authorization), buf_fini(&url), buf_fini(&path);
	return rc;
}

/* ---- what the answer means --------------------------------------------------------------- */

static void read_outcome(const struct http_answer *a, struct s3_outcome *what)
{
	what->status = a->status;
	aws_error_code(&a->body, what->code, sizeof what->code);
	http_answer_header(a, "x-amz-request-id", what->request_id, sizeof what->request_id);
	if (!aws_text_plain(what->request_id))
		what->request_id[0] = '\0';
}

static bool is_word(const struct s3_outcome *what, const char *word)
{
	return strcmp(what->code, word) == 0;
}

/* Behind the store's own word: what a person can do about it. */
static void put_advice(const struct http_answer *a, const struct s3_outcome *what, struct buf *out)
{
	char text[80];
	if (is_word(what, "RequestTimeTooSkewed")) {
		http_answer_header(a, "date", text, sizeof text);
		buf_printf(out, "; this machine's clock is wrong, the store's says %s", text);
	} else if (what->status >= 300 && what->status < 400) {
		http_answer_header(a, "x-amz-bucket-region", text, sizeof text);
		buf_printf(out, "; the bucket is elsewhere%s%s: set AWS_REGION", *text ? ", in " : "",
		           text);
	} else if (is_word(what, "AccessDenied")) {
		buf_puts(out, "; s3:PutObject and s3:ListBucket are needed");
	}
}

static enum err judge(struct s3 *s, const struct http_answer *a, const struct s3_outcome *what,
                      struct errbuf *eb)
{
	if (what->status >= 200 && what->status < 300)
		return ERR_OK;
	bool passes = what->status >= 500 || what->status == 429 || what->status == 408 ||
	              is_word(what, "RequestTimeout") || is_word(what, "OperationAborted");
	struct buf text;
	buf_init(&text);
	buf_printf(&text, "%s: HTTP %d", s->host, what->status);
	if (*what->code)
		buf_printf(&text, " %s", what->code);
	if (*what->request_id)
		buf_printf(&text, " (request %s)", what->request_id);
	put_advice(a, what, &text);
	if (what->status == 401 || what->status == 403 || is_word(what, "ExpiredToken") ||
	    is_word(what, "InvalidToken"))
		aws_credentials_doubt(s->credentials);
	enum err rc = err_set(eb, passes ? ERR_IO : ERR_CONFIG, "%s", buf_str(&text));
	buf_fini(&text);
	return rc;
}

/* Not any server that says 200 to everything: a store names the object's ETag, and a list is one.
 */
static enum err check_shape(const struct s3 *s, const struct request *r,
                            const struct http_answer *a, struct errbuf *eb)
{
	char etag[8];
	http_answer_header(a, "etag", etag, sizeof etag);
	if (r->body ? *etag != '\0' : strstr(buf_str(&a->body), "<ListBucketResult") != NULL)
		return ERR_OK;
	return err_set(eb, ERR_CONFIG, "%s: HTTP %d, but not as S3 would say it", s->host, a->status);
}

static enum err run(struct s3 *s, const struct request *r, struct s3_outcome *what,
                    struct errbuf *eb)
{
	struct http_answer a;
	*what = (struct s3_outcome){0};
	http_answer_init(&a);
	enum err rc = sign_and_ask(s, r, &a, eb);
	if (rc == ERR_OK) {
		read_outcome(&a, what);
		rc = judge(s, &a, what, eb);
	}
	if (rc == ERR_OK)
		rc = check_shape(s, r, &a, eb);
	http_answer_fini(&a);
	return rc;
}

enum err s3_put(struct s3 *s, const char *key, const void *body, size_t n, struct s3_outcome *what,
                struct errbuf *eb)
{
	must(*key && *key != '/' && body);
	return run(s, &(struct request){"PUT", key, "", body, n}, what, eb);
}

enum err s3_list(struct s3 *s, const char *prefix, struct s3_outcome *what, struct errbuf *eb)
{
	struct buf query;
	buf_init(&query);
	buf_puts(&query, "list-type=2&max-keys=1&prefix=");
	sigv4_encode(prefix, "", &query);
	enum err rc = run(s, &(struct request){"GET", "", buf_str(&query), NULL, 0}, what, eb);
	buf_fini(&query);
	return rc;
}
