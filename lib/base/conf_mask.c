/* conf_mask.c: what of a URL may be shown. Only the form that is understood to its last
 * byte is: libpq also takes key=value with blanks around "=", and keys written with %xx,
 * and whatever is not recognised here could be a password. */
#include <string.h>

#include "base/conf.h"
#include "base/words.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define PLAIN LETTERS DIGITS "_.~-"

/* Keys of the query whose values are no secrets. */
static const char HARMLESS[] = "host,hostaddr,port,dbname,user,sslmode,sslrootcert,ssl-mode,ssl-ca,"
							   "socket,application_name,connect_timeout,target_session_attrs";

static bool made_of(const char *s, size_t n, const char *set)
{
	for (size_t i = 0; i < n; i++)
		if (!s[i] || !strchr(set, s[i]))
			return false;
	return true;
}

/* The same, and %2F, which is how a directory of sockets stands in a URL. */
static bool text_is_plain(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool slash = n - i >= 3 && (strncmp(s + i, "%2F", 3) == 0 || strncmp(s + i, "%2f", 3) == 0);
		if (slash)
			i += 2;
		else if (!made_of(s + i, 1, PLAIN "/:,[]"))
			return false;
	}
	return true;
}

static size_t scheme_length(const char *url)
{
	static const char *const schemes[] = {"postgresql://", "postgres://", "mysql://", "mariadb://"};
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
			return strlen(schemes[i]);
	return 0;
}

/* user[:password]@host[:port][,host...]; the password ends at the last @. */
static bool put_authority(const char *s, size_t n, struct buf *out)
{
	const char *at = memrchr(s, '@', n);
	const char *host = at ? at + 1 : s;
	size_t login_n = at ? (size_t)(at - s) : 0;
	const char *colon = memchr(s, ':', login_n);
	size_t user_n = colon ? (size_t)(colon - s) : login_n;
	if (!made_of(s, user_n, PLAIN) || !text_is_plain(host, n - (size_t)(host - s)))
		return false;
	buf_put(out, s, user_n);
	buf_puts(out, colon ? ":***" : "");
	buf_put(out, s + login_n, n - login_n);
	return true;
}

/* One key=value of the query. */
static bool put_word(const char *s, size_t n, struct buf *out)
{
	char key[32] = {0};
	const char *eq = memchr(s, '=', n);
	if (!eq || (size_t)(eq - s) >= sizeof key)
		return false;
	memcpy(key, s, (size_t)(eq - s));
	if (strcmp(key, "password") == 0) {
		buf_puts(out, "password=***");
		return true;
	}
	buf_put(out, s, n);
	return words_find(HARMLESS, ',', key, WORDS_EXACT) >= 0 &&
	       text_is_plain(eq + 1, n - (size_t)(eq + 1 - s));
}

static bool put_query(const char *s, struct buf *out)
{
	while (*s) {
		size_t n = strcspn(s, "&");
		if (!put_word(s, n, out))
			return false;
		s += n;
		if (*s == '&')
			buf_putc(out, *s++);
	}
	return true;
}

static bool put_url(const char *url, struct buf *out)
{
	size_t scheme_n = scheme_length(url);
	const char *authority = url + scheme_n;
	const char *path = authority + strcspn(authority, "/?");
	const char *query = path + strcspn(path, "?");
	size_t path_n = (size_t)(query - path);
	if (scheme_n == 0)
		return false;
	buf_put(out, url, scheme_n);
	if (!put_authority(authority, (size_t)(path - authority), out))
		return false;
	if (path_n && !made_of(path + 1, path_n - 1, PLAIN))
		return false;
	buf_put(out, path, path_n);
	if (*query)
		buf_putc(out, *query++);
	return put_query(query, out);
}

void conf_mask_url(const char *url, struct buf *out)
{
	struct buf shown;
	if (!*url)
		return;
	buf_init(&shown);
	buf_puts(out, put_url(url, &shown) ? buf_str(&shown) : "***");
	buf_fini(&shown);
}
