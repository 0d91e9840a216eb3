/* aws_credentials.c: four places of keys, and when to ask them again. */
#include "web/aws_credentials.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "web/aws_answer.h"
#include "web/sigv4.h"

enum {
	REFRESH_S = 300, /* before they end */
	DOUBT_MS = 10000,
	RETRY_MIN_MS = 1000,
	RETRY_MAX_MS = 60000,
	FILE_BYTES = 16 * 1024,
	CONNECT_MS = 2000,
	TIMEOUT_MS = 10000,
};

struct aws_credentials {
	const struct conf *conf;
	struct http_client *http;
	struct aws_answer now; /* texts are NULL: none */
	int64_t refresh_at_us; /* 0: never */
	int64_t fetched_ms, retry_at_ms;
	int retry_ms;
	struct errbuf last; /* of the last try to fetch */
};

enum place { PLACE_ENVIRONMENT, PLACE_WEB_IDENTITY, PLACE_CONTAINER, PLACE_MACHINE };

static enum place place_of(const struct conf *conf)
{
	if (conf_is_set(conf, CONF_AWS_ACCESS_KEY_ID) || conf_is_set(conf, CONF_AWS_SECRET_ACCESS_KEY))
		return PLACE_ENVIRONMENT;
	if (conf_is_set(conf, CONF_AWS_ROLE_ARN) && conf_is_set(conf, CONF_AWS_WEB_IDENTITY_TOKEN_FILE))
		return PLACE_WEB_IDENTITY;
	if (conf_is_set(conf, CONF_AWS_CONTAINER_RELATIVE) ||
	    conf_is_set(conf, CONF_AWS_CONTAINER_FULL))
		return PLACE_CONTAINER;
	return PLACE_MACHINE;
}

struct aws_credentials *aws_credentials_new(const struct conf *conf, struct http_client *http)
{
	struct aws_credentials *c = mem_alloc(sizeof *c);
	*c = (struct aws_credentials){.conf = conf, .http = http};
	return c;
}

void aws_credentials_free(struct aws_credentials *c)
{
	if (!c)
		return;
	aws_answer_fini(&c->now);
	free(c);
}

static const char *source_name(const struct aws_credentials *c)
{
	static const char *const names[] = {"environment", "web identity", "container", "machine"};
	return names[place_of(c->conf)];
}

/* ---- asking ------------------------------------------------------------------------ */

/* The whole file but the line's end; what it holds goes into a header, so it is one line. */
static enum err read_token(const struct conf *conf, enum conf_id id, struct buf *out,
                           struct errbuf *eb)
{
	struct errbuf why = {0};
	if (file_read(conf_str(conf, id), FILE_BYTES, out, &why) != ERR_OK)
		return err_set_field(eb, why.code, conf_name(id), "%s: %s", conf_name(id), why.text);
	while (out->len && strchr("\r\n", out->data[out->len - 1]))
		out->data[--out->len] = '\0';
	if (out->len == 0 || !aws_text_plain(buf_str(out)) || strlen(buf_str(out)) != out->len)
		return err_set_field(eb, ERR_CONFIG, conf_name(id), "%s: %s holds no token", conf_name(id),
		                     conf_str(conf, id));
	return ERR_OK;
}

static enum err ask(struct aws_credentials *c, const struct http_ask *what, struct http_answer *out,
                    struct errbuf *eb)
{
	struct errbuf why = {0};
	struct http_ask timed = *what;
	timed.connect_ms = CONNECT_MS;
	timed.timeout_ms = TIMEOUT_MS;
	const char *source = source_name(c);
	enum err rc = http_client_ask(c->http, &timed, out, &why);
	if (rc != ERR_OK)
		return err_set(eb, rc, "no AWS keys (%s): %s", source, why.text);
	if (out->status == 200)
		return ERR_OK;
	char code[64];
	aws_error_code(&out->body, code, sizeof code);
	rc = out->status >= 500 || out->status == 429 ? ERR_IO : ERR_CONFIG;
	return err_set(eb, rc, "no AWS keys (%s): HTTP %d%s%s", source, out->status, *code ? " " : "",
	               code);
}

static enum err take_answer(struct aws_credentials *c, const struct http_answer *a,
                            struct aws_answer *out, struct errbuf *eb)
{
	if (aws_answer_parse(&a->body, out))
		return ERR_OK;
	return err_set(eb, ERR_IO, "no AWS keys (%s): the answer holds none", source_name(c));
}

/* ---- the places -------------------------------------------------------------------- */

static enum err fetch_environment(struct aws_credentials *c, struct aws_answer *out,
                                  struct errbuf *eb)
{
	if (!conf_is_set(c->conf, CONF_AWS_ACCESS_KEY_ID) ||
	    !conf_is_set(c->conf, CONF_AWS_SECRET_ACCESS_KEY))
		return err_set(eb, ERR_CONFIG, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together");
	out->access_key = mem_strdup(conf_str(c->conf, CONF_AWS_ACCESS_KEY_ID));
	out->secret_key = mem_strdup(conf_str(c->conf, CONF_AWS_SECRET_ACCESS_KEY));
	out->token = mem_strdup(conf_str(c->conf, CONF_AWS_SESSION_TOKEN));
	if (aws_text_plain(out->access_key) && aws_text_plain(out->secret_key) &&
	    aws_text_plain(out->token))
		return ERR_OK;
	return err_set(eb, ERR_CONFIG, "AWS_ACCESS_KEY_ID, its secret or token has a blank in it");
}

static void put_sts_url(const struct conf *conf, struct buf *url)
{
	const char *endpoint = conf_str(conf, CONF_AWS_STS_ENDPOINT);
	const char *region = conf_str(conf, CONF_AWS_REGION);
	if (*endpoint)
		buf_puts(url, endpoint);
	else
		buf_printf(url, "https://sts.%s.amazonaws.com%s", region,
		           strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
	if (url->data[url->len - 1] != '/')
		buf_putc(url, '/');
}

static enum err fetch_web_identity(struct aws_credentials *c, struct aws_answer *out,
                                   struct errbuf *eb)
{
	static const char *const headers[] = {"Accept: application/json",
	                                      "Content-Type: application/x-www-form-urlencoded", NULL};
	struct buf token, url, form;
	struct http_answer a;
	buf_init(&token), buf_init(&url), buf_init(&form);
	http_answer_init(&a);
	enum err rc = read_token(c->conf, CONF_AWS_WEB_IDENTITY_TOKEN_FILE, &token, eb);
	if (rc == ERR_OK) {
		put_sts_url(c->conf, &url);
		buf_puts(&form, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=");
		sigv4_encode(conf_str(c->conf, CONF_AWS_ROLE_ARN), "", &form);
		buf_puts(&form, "&RoleSessionName=");
		sigv4_encode(conf_str(c->conf, CONF_AWS_ROLE_SESSION_NAME), "", &form);
		buf_puts(&form, "&WebIdentityToken=");
		sigv4_encode(buf_str(&token), "", &form);
		rc = ask(c,
		         &(struct http_ask){.method = "POST",
		                            .url = buf_str(&url),
		                            .headers = headers,
		                            .body = buf_str(&form),
		                            .body_n = form.len},
		         &a, eb);
	}
	if (rc == ERR_OK)
		rc = take_answer(c, &a, out, eb);
	http_answer_fini(&a);
	buf_fini(&form), buf_fini(&url), buf_fini(&token);
	return rc;
}

static enum err find_container(const struct conf *conf, struct buf *url, struct errbuf *eb)
{
	const char *full = conf_str(conf, CONF_AWS_CONTAINER_FULL);
	if (conf_is_set(conf, CONF_AWS_CONTAINER_RELATIVE)) {
		buf_printf(url, "http://169.254.170.2%s", conf_str(conf, CONF_AWS_CONTAINER_RELATIVE));
		return ERR_OK;
	}
	buf_puts(url, full);
	if (aws_container_url_allowed(full))
		return ERR_OK;
	return err_set_field(eb, ERR_CONFIG, conf_name(CONF_AWS_CONTAINER_FULL),
	                     "%s is neither https nor at this machine or 169.254.170.2,"
	                     " 169.254.170.23, fd00:ec2::23",
	                     conf_name(CONF_AWS_CONTAINER_FULL));
}

static enum err put_container_token(const struct conf *conf, struct buf *header, struct errbuf *eb)
{
	struct buf token;
	enum err rc = ERR_OK;
	buf_init(&token);
	if (conf_is_set(conf, CONF_AWS_CONTAINER_TOKEN_FILE))
		rc = read_token(conf, CONF_AWS_CONTAINER_TOKEN_FILE, &token, eb);
	else
		buf_puts(&token, conf_str(conf, CONF_AWS_CONTAINER_TOKEN));
	if (rc == ERR_OK && token.len)
		buf_printf(header, "Authorization: %s", buf_str(&token));
	buf_fini(&token);
	return rc;
}

static enum err fetch_container(struct aws_credentials *c, struct aws_answer *out,
                                struct errbuf *eb)
{
	struct buf url, header;
	struct http_answer a;
	buf_init(&url), buf_init(&header);
	http_answer_init(&a);
	enum err rc = find_container(c->conf, &url, eb);
	if (rc == ERR_OK)
		rc = put_container_token(c->conf, &header, eb);
	if (rc == ERR_OK) {
		const char *headers[] = {header.len ? buf_str(&header) : NULL, NULL};
		rc = ask(c, &(struct http_ask){.method = "GET", .url = buf_str(&url), .headers = headers},
		         &a, eb);
	}
	if (rc == ERR_OK)
		rc = take_answer(c, &a, out, eb);
	http_answer_fini(&a);
	buf_fini(&header), buf_fini(&url);
	return rc;
}

/* A path of the metadata service; PUT asks for the token that the others show. */
static enum err ask_machine(struct aws_credentials *c, const char *method, const char *path,
                            const char *name, const char *header, struct http_answer *out,
                            struct errbuf *eb)
{
	const char *const headers[] = {header, NULL};
	struct buf url;
	buf_init(&url);
	buf_puts(&url, conf_str(c->conf, CONF_AWS_METADATA_ENDPOINT));
	while (url.len && url.data[url.len - 1] == '/')
		url.data[--url.len] = '\0';
	buf_puts(&url, path);
	sigv4_encode(name, "", &url);
	enum err rc = ask(
		c, &(struct http_ask){.method = method, .url = buf_str(&url), .headers = headers}, out, eb);
	buf_fini(&url);
	return rc;
}

static enum err fetch_machine(struct aws_credentials *c, struct aws_answer *out, struct errbuf *eb)
{
	static const char ROLES[] = "/latest/meta-data/iam/security-credentials/";
	struct buf header;
	struct http_answer a;
	char role[128];
	if (conf_bool(c->conf, CONF_AWS_METADATA_DISABLED))
		return err_set(eb, ERR_CONFIG,
		               "no AWS keys: neither AWS_ACCESS_KEY_ID nor a role nor a container's URL is"
		               " set, and AWS_EC2_METADATA_DISABLED forbids to ask the machine");
	buf_init(&header);
	http_answer_init(&a);
	enum err rc = ask_machine(c, "PUT", "/latest/api/token", "",
	                          "X-aws-ec2-metadata-token-ttl-seconds: 21600", &a, eb);
	if (rc == ERR_OK && !aws_text_plain(buf_str(&a.body)))
		rc = err_set(eb, ERR_IO, "no AWS keys (machine): its token is none");
	buf_printf(&header, "X-aws-ec2-metadata-token: %s", buf_str(&a.body));
	if (rc == ERR_OK)
		rc = ask_machine(c, "GET", ROLES, "", buf_str(&header), &a, eb);
	if (rc == ERR_OK) {
		size_t n = strcspn(buf_str(&a.body), "\r\n");
		if (n == 0 || n >= sizeof role) {
			rc = err_set(eb, ERR_CONFIG, "no AWS keys (machine): it has no role");
		} else {
			memcpy(role, buf_str(&a.body), n);
			role[n] = '\0';
			rc = ask_machine(c, "GET", ROLES, role, buf_str(&header), &a, eb);
		}
	}
	if (rc == ERR_OK)
		rc = take_answer(c, &a, out, eb);
	http_answer_fini(&a);
	buf_fini(&header);
	return rc;
}

/* ---- when --------------------------------------------------------------------------- */

static enum err fetch(struct aws_credentials *c, struct errbuf *eb)
{
	static enum err (*const from[])(struct aws_credentials *, struct aws_answer *,
	                                struct errbuf *) = {fetch_environment, fetch_web_identity,
	                                                    fetch_container, fetch_machine};
	struct aws_answer fresh = {0};
	enum err rc = from[place_of(c->conf)](c, &fresh, eb);
	if (rc != ERR_OK) {
		aws_answer_fini(&fresh);
		return rc;
	}
	int64_t now_us = clock_now_us();
	int64_t left_s = fresh.ends_us ? (fresh.ends_us - now_us) / 1000000 : 0;
	/* Of short-lived ones the last quarter. */
	int64_t before_s = left_s / 4 < REFRESH_S ? left_s / 4 : REFRESH_S;
	aws_answer_fini(&c->now);
	c->now = fresh;
	c->refresh_at_us = fresh.ends_us ? fresh.ends_us - before_s * 1000000 : 0;
	c->fetched_ms = clock_mono_ms();
	LOG(LOG_INFO, "aws_keys", LOG_STR("source", source_name(c)), LOG_INT("valid_s", left_s),
	    LOG_END);
	return ERR_OK;
}

/* A try, unless the last failure is too young. */
static enum err try_fetch(struct aws_credentials *c)
{
	int64_t now_ms = clock_mono_ms();
	if (c->last.code != ERR_OK && now_ms < c->retry_at_ms)
		return c->last.code;
	err_clear(&c->last);
	if (fetch(c, &c->last) == ERR_OK) {
		c->retry_ms = 0;
		return ERR_OK;
	}
	c->retry_ms = c->retry_ms ? c->retry_ms * 2 : RETRY_MIN_MS;
	if (c->retry_ms > RETRY_MAX_MS)
		c->retry_ms = RETRY_MAX_MS;
	c->retry_at_ms = clock_mono_ms() + c->retry_ms;
	log_err("aws_keys_failed", &c->last);
	return c->last.code;
}

enum err aws_credentials_get(struct aws_credentials *c, struct aws_keys *out, struct errbuf *eb)
{
	int64_t now_us = clock_now_us();
	bool due = !c->now.access_key || (c->refresh_at_us && now_us >= c->refresh_at_us);
	bool usable = c->now.access_key && (!c->now.ends_us || now_us < c->now.ends_us);
	if (due && try_fetch(c) != ERR_OK && !usable)
		return err_set_field(eb, c->last.code, c->last.field, "%s", c->last.text);
	*out = (struct aws_keys){c->now.access_key, c->now.secret_key, c->now.token};
	return ERR_OK;
}

void aws_credentials_doubt(struct aws_credentials *c)
{
	if (place_of(c->conf) != PLACE_ENVIRONMENT && clock_mono_ms() - c->fetched_ms >= DOUBT_MS)
		c->refresh_at_us = 1;
}
