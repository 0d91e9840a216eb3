/* http_client.c: libcurl with everything switched off that nobody asked for. */
#include "web/http_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"

enum { SLOW_BYTES = 100, SLOW_S = 15 }; /* fewer a second for so long is a stall */

struct http_client {
	CURL *curl;
	http_give_up_fn give_up;
	void *give_up_arg;
	char error[CURL_ERROR_SIZE];
};

static void init_curl(void)
{
	must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

struct http_client *http_client_new(http_give_up_fn give_up, void *arg)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void)pthread_once(&once, init_curl);
	struct http_client *c = mem_alloc(sizeof *c);
	*c = (struct http_client){.curl = curl_easy_init(), .give_up = give_up, .give_up_arg = arg};
	must(c->curl);
	return c;
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	curl_easy_cleanup(c->curl);
	free(c);
}

void http_answer_init(struct http_answer *a)
{
	*a = (struct http_answer){0};
	buf_init(&a->body);
	buf_init(&a->headers);
}

void http_answer_fini(struct http_answer *a)
{
	buf_fini(&a->body);
	buf_fini(&a->headers);
}

/* ---- what curl calls ----------------------------------------------------------- */

static size_t take(struct buf *out, const char *bytes, size_t n, size_t limit)
{
	if (n > limit - out->len)
		return 0;
	buf_put(out, bytes, n);
	return n;
}

static size_t take_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct http_answer *a = arg;
	return take(&a->body, bytes, size * n, HTTP_ANSWER_BYTES);
}

static size_t take_header(char *bytes, size_t size, size_t n, void *arg)
{
	struct http_answer *a = arg;
	return take(&a->headers, bytes, size * n, HTTP_HEADER_BYTES);
}

static int on_progress(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
                       curl_off_t up)
{
	const struct http_client *c = arg;
	(void)down_all, (void)down, (void)up_all, (void)up;
	return c->give_up && c->give_up(c->give_up_arg);
}

/* ---- one request ----------------------------------------------------------------- */

static void set_long(CURL *curl, CURLoption option, long v)
{
	must(curl_easy_setopt(curl, option, v) == CURLE_OK);
}

static void set_limits(struct http_client *c, const struct http_ask *ask)
{
	CURL *curl = c->curl;
	set_long(curl, CURLOPT_NOSIGNAL, 1);
	set_long(curl, CURLOPT_CONNECTTIMEOUT_MS, ask->connect_ms);
	set_long(curl, CURLOPT_TIMEOUT_MS, ask->timeout_ms);
	set_long(curl, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES);
	set_long(curl, CURLOPT_LOW_SPEED_TIME, SLOW_S);
	set_long(curl, CURLOPT_FOLLOWLOCATION, 0);
	set_long(curl, CURLOPT_MAXREDIRS, 0);
	set_long(curl, CURLOPT_SSL_VERIFYPEER, 1);
	set_long(curl, CURLOPT_SSL_VERIFYHOST, 2);
	set_long(curl, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	set_long(curl, CURLOPT_NETRC, CURL_NETRC_IGNORED);
	set_long(curl, CURLOPT_PATH_AS_IS, 1);
	set_long(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	set_long(curl, CURLOPT_NOPROGRESS, 0);
	must(curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK);
	must(curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK);
	must(curl_easy_setopt(curl, CURLOPT_USERAGENT, "takings/" TAKINGS_VERSION) == CURLE_OK);
}

static void set_answer(struct http_client *c, struct http_answer *out)
{
	CURL *curl = c->curl;
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, c->error);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
	(void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
	(void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, out);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, c);
}

static void set_request(CURL *curl, const struct http_ask *ask)
{
	if (strcmp(ask->method, "GET") == 0)
		return;
	must(curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->body_n) == CURLE_OK);
	must(curl_easy_setopt(curl, CURLOPT_POSTFIELDS, ask->body ? ask->body : "") == CURLE_OK);
	must(curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, ask->method) == CURLE_OK);
}

/* Without "Expect: 100-continue", at which some servers only wait. */
static struct curl_slist *header_list(const struct http_ask *ask)
{
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");
	for (const char *const *h = ask->headers; h && *h && list; h++) {
		struct curl_slist *longer = curl_slist_append(list, *h);
		must(longer);
		list = longer;
	}
	must(list);
	return list;
}

/* The host of a URL, for messages. */
static void find_host(const char *url, char *out, size_t n)
{
	const char *start = strstr(url, "://");
	start = start ? start + 3 : url;
	size_t len = strcspn(start, "/?#");
	const char *at = memrchr(start, '@', len);
	if (at) {
		len -= (size_t)(at + 1 - start);
		start = at + 1;
	}
	len = len < n - 1 ? len : n - 1;
	memcpy(out, start, len);
	out[len] = '\0';
}

static enum err judge(const struct http_client *c, const struct http_ask *ask, CURLcode rc,
                      struct errbuf *eb)
{
	char host[256];
	find_host(ask->url, host, sizeof host);
	switch (rc) {
	case CURLE_OK:
		return ERR_OK;
	case CURLE_ABORTED_BY_CALLBACK:
		return err_set(eb, ERR_INTERRUPTED, "%s: given up", host);
	case CURLE_WRITE_ERROR:
		return err_set(eb, ERR_IO, "%s: its answer is too long", host);
	case CURLE_OPERATION_TIMEDOUT:
		return err_set(eb, ERR_TIMEOUT, "%s: %s", host, *c->error ? c->error : "timed out");
	default:
		return err_set(eb, ERR_IO, "%s: %s", host, *c->error ? c->error : curl_easy_strerror(rc));
	}
}

enum err http_client_ask(struct http_client *c, const struct http_ask *ask, struct http_answer *out,
                         struct errbuf *eb)
{
	long status = 0;
	struct curl_slist *headers = header_list(ask);
	buf_clear(&out->body);
	buf_clear(&out->headers);
	curl_easy_reset(c->curl); /* keeps the connections */
	c->error[0] = '\0';
	set_limits(c, ask);
	set_answer(c, out);
	set_request(c->curl, ask);
	must(curl_easy_setopt(c->curl, CURLOPT_URL, ask->url) == CURLE_OK);
	must(curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK);
	enum err rc = judge(c, ask, curl_easy_perform(c->curl), eb);
	(void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	out->status = (int)status;
	curl_slist_free_all(headers);
	return rc;
}

void http_answer_header(const struct http_answer *a, const char *name, char *out, size_t n)
{
	size_t name_n = strlen(name);
	const char *line = buf_str(&a->headers);
	out[0] = '\0';
	for (; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		if (strncasecmp(line, name, name_n) != 0 || line[name_n] != ':')
			continue;
		const char *value = line + name_n + 1;
		value += strspn(value, " \t");
		size_t len = strcspn(value, "\r\n");
		len = len < n - 1 ? len : n - 1;
		memcpy(out, value, len);
		out[len] = '\0';
	}
}
