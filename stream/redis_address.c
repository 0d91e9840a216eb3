/* redis_address.c: REDIS_URL, or its parts. */
#include "stream/redis_address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

enum { PORT = 6379, DB_MAX = 1000000 };

bool redis_wanted(const struct conf *conf)
{
	return *conf_str(conf, CONF_REDIS_URL) || *conf_str(conf, CONF_REDIS_HOST);
}

static enum err wrong(struct errbuf *eb, const char *what)
{
	return err_set_field(eb, ERR_CONFIG, conf_name(CONF_REDIS_URL),
	                     "%s: %s; redis://[user:password@]host[:port][/db] or"
	                     " unix:///path[?db=N] is expected, %%40 for an @ in a password",
	                     conf_name(CONF_REDIS_URL), what);
}

static int hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %40 and its like; false: a broken one, a NUL, or too long. */
static bool decode(const char *from, size_t len, char *out, size_t n)
{
	size_t at = 0;
	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)from[i];
		if (c == '%') {
			if (len - i < 3 || hex_of(from[i + 1]) < 0 || hex_of(from[i + 2]) < 0)
				return false;
			c = hex_of(from[i + 1]) * 16 + hex_of(from[i + 2]);
			i += 2;
		}
		if (c == 0 || at + 1 >= n)
			return false;
		out[at++] = (char)c;
	}
	out[at] = '\0';
	return true;
}

static bool read_number(const char *from, size_t len, int64_t max, int *out)
{
	char text[16];
	int64_t n;
	if (len >= sizeof text)
		return false;
	memcpy(text, from, len);
	text[len] = '\0';
	if (!num_parse_int(text, 0, max, &n))
		return false;
	*out = (int)n;
	return true;
}

/* user:password, of which either may be missing. */
static enum err read_who(const char *from, size_t len, struct redis_address *out, struct errbuf *eb)
{
	const char *colon = memchr(from, ':', len);
	size_t user_n = colon ? (size_t)(colon - from) : len;
	if (!decode(from, user_n, out->user, sizeof out->user) ||
	    (colon && !decode(colon + 1, len - user_n - 1, out->password, sizeof out->password)))
		return wrong(eb, "user and password cannot be read");
	return ERR_OK;
}

/* host, host:port, [::1]:port */
static enum err read_place(const char *from, size_t len, struct redis_address *out,
                           struct errbuf *eb)
{
	bool bracket = len > 0 && *from == '[';
	const char *end = bracket ? memchr(from, ']', len) : memchr(from, ':', len);
	size_t host_n = bracket && end ? (size_t)(end - from) - 1 : end ? (size_t)(end - from) : len;
	size_t used = host_n + (bracket ? 2 : 0);
	if ((bracket && !end) || host_n == 0 || host_n >= sizeof out->host)
		return wrong(eb, "it names no host");
	memcpy(out->host, from + bracket, host_n);
	out->host[host_n] = '\0';
	out->port = PORT;
	if (used < len &&
	    (from[used] != ':' || !read_number(from + used + 1, len - used - 1, 65535, &out->port) ||
	     out->port == 0))
		return wrong(eb, "its port is none");
	return ERR_OK;
}

/* "", "/", "/4" */
static enum err read_db(const char *path, struct redis_address *out, struct errbuf *eb)
{
	if (*path == '/' && path[1] && !read_number(path + 1, strlen(path + 1), DB_MAX, &out->db))
		return wrong(eb, "what follows the host is not the number of a database");
	if (*path && *path != '/')
		return wrong(eb, "nothing is known of what follows the host");
	return ERR_OK;
}

static enum err read_unix(const char *path, struct redis_address *out, struct errbuf *eb)
{
	const char *query = strchr(path, '?');
	size_t len = query ? (size_t)(query - path) : strlen(path);
	if (*path != '/' || !decode(path, len, out->host, sizeof out->host))
		return wrong(eb, "it names no socket");
	if (query && (strncmp(query, "?db=", 4) != 0 ||
	              !read_number(query + 4, strlen(query + 4), DB_MAX, &out->db)))
		return wrong(eb, "nothing is known of what follows the socket");
	return ERR_OK;
}

static enum err read_url(const char *url, struct redis_address *out, bool *tls, struct errbuf *eb)
{
	if (strncmp(url, "unix://", 7) == 0)
		return read_unix(url + 7, out, eb);
	*tls = *tls || strncmp(url, "rediss://", 9) == 0;
	if (strncmp(url, "redis://", 8) != 0 && strncmp(url, "rediss://", 9) != 0)
		return wrong(eb, "it is no URL of Redis");
	url = strstr(url, "://") + 3;
	size_t len = strcspn(url, "/?#");
	const char *at = memrchr(url, '@', len);
	size_t who_n = at ? (size_t)(at - url) : 0;
	enum err rc = at ? read_who(url, who_n, out, eb) : ERR_OK;
	if (rc == ERR_OK)
		rc = at ? read_place(at + 1, len - who_n - 1, out, eb) : read_place(url, len, out, eb);
	return rc == ERR_OK ? read_db(url + len, out, eb) : rc;
}

static enum err read_parts(const struct conf *conf, struct redis_address *out, struct errbuf *eb)
{
	const char *host = conf_str(conf, CONF_REDIS_HOST);
	if (strlen(host) >= sizeof out->host)
		return err_set_field(eb, ERR_CONFIG, conf_name(CONF_REDIS_HOST), "%s is too long",
		                     conf_name(CONF_REDIS_HOST));
	(void)snprintf(out->host, sizeof out->host, "%s", host);
	out->port = (int)conf_int(conf, CONF_REDIS_PORT);
	return ERR_OK;
}

/* A name that only begins like an address of this machine is one of another's. */
static bool is_here(const char *host)
{
	struct in_addr v4;
	return *host == '/' || strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
	       (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}

enum err redis_address_read(struct redis_address *out, const struct conf *conf, struct errbuf *eb)
{
	bool tls = conf_bool(conf, CONF_REDIS_USE_TLS);
	const char *url = conf_str(conf, CONF_REDIS_URL);
	const char *password = conf_str(conf, CONF_REDIS_PASSWORD);
	*out = (struct redis_address){0};
	enum err rc = *url ? read_url(url, out, &tls, eb) : read_parts(conf, out, eb);
	if (rc != ERR_OK)
		return rc;
	if (!*out->password && strlen(password) >= sizeof out->password)
		return err_set_field(eb, ERR_CONFIG, conf_name(CONF_REDIS_PASSWORD), "%s is too long",
		                     conf_name(CONF_REDIS_PASSWORD));
	if (!*out->password)
		(void)snprintf(out->password, sizeof out->password, "%s", password);
	if (tls && !is_here(out->host))
		return err_set_field(eb, ERR_CONFIG, conf_name(CONF_REDIS_USE_TLS),
		                     "%s: the host must be where nginx listens on this machine and speaks"
		                     " TLS for us (nginx/redis-tls.conf), not Redis itself",
		                     conf_name(CONF_REDIS_USE_TLS));
	return ERR_OK;
}
