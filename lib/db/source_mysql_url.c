/* source_mysql_url.c: mysql://user:password@host:port/database?words, taken apart. */
#include "db/source_mysql_url.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/num.h"

enum { DEFAULT_PORT = 3306 };

/* Messages say what is wrong but never repeat a piece: a password with a stray
 * character in it can end up in any of them. */
static enum err bad_url(struct errbuf *eb, const char *name, const char *what)
{
	return err_set_field(eb, ERR_CONFIG, name,
	                     "%s: the URL %s; it reads mysql://user:password@host:port/database, where "
	                     "@, / and %% in a user name or password are written %%40, %%2F and %%25",
	                     name, what);
}

/* Ends s before the first c; what follows it, or NULL. */
static char *cut(char *s, char c)
{
	char *at = strchr(s, c);
	if (!at)
		return NULL;
	*at = '\0';
	return at + 1;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) % 16 : -1;
}

/* Percent-decoding in place. */
static bool decode(char *s)
{
	char *to = s;
	for (; *s; s++) {
		if (*s != '%') {
			*to++ = *s;
			continue;
		}
		int high = hex_digit(s[1]);
		int low = high < 0 ? -1 : hex_digit(s[2]);
		if (low < 0 || high + low == 0)
			return false;
		*to++ = (char)(high * 16 + low);
		s += 2;
	}
	*to = '\0';
	return true;
}

static bool parse_port(struct mysql_target *t, const char *text)
{
	int64_t port = DEFAULT_PORT;
	if (text && *text && !num_parse_int(text, 1, 65535, &port))
		return false;
	t->port = (unsigned)port;
	return true;
}

/* host, host:port, [v6], [v6]:port */
static bool parse_host(struct mysql_target *t, char *text)
{
	char *port;
	t->host = text;
	if (*text == '[') {
		t->host++;
		port = cut(t->host, ']');
		if (!port || (*port && *port != ':'))
			return false;
		port += *port == ':';
	} else {
		port = cut(text, ':');
	}
	return parse_port(t, port) && decode(t->host);
}

/* A directory stands for the socket servers put there. */
static void set_socket(struct mysql_target *t, const char *path)
{
	struct stat st;
	buf_clear(&t->socket);
	buf_puts(&t->socket, path);
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		buf_puts(&t->socket, "/mysqld.sock");
}

/* libmariadb checks the name along with the chain: verify-ca is verify-full. */
static bool parse_tls(struct mysql_target *t, const char *word)
{
	static const struct {
		const char *word;
		enum tls tls;
	} modes[] = {
		{"disable", TLS_DISABLE},  {"allow", TLS_PREFER},           {"prefer", TLS_PREFER},
		{"require", TLS_REQUIRE},  {"verify-ca", TLS_VERIFY},       {"verify-full", TLS_VERIFY},
		{"disabled", TLS_DISABLE}, {"preferred", TLS_PREFER},       {"required", TLS_REQUIRE},
		{"verify_ca", TLS_VERIFY}, {"verify_identity", TLS_VERIFY},
	};
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		if (strcasecmp(word, modes[i].word) == 0) {
			t->tls = modes[i].tls;
			return true;
		}
	return false;
}

static enum err parse_word(struct mysql_target *t, char *word, struct errbuf *eb)
{
	char *value = cut(word, '=');
	if (!value || !decode(value))
		return bad_url(eb, t->name, "has a malformed word behind the ?");
	if (strcmp(word, "socket") == 0)
		set_socket(t, value);
	else if (strcmp(word, "ssl-ca") == 0 || strcmp(word, "sslrootcert") == 0)
		t->ca = value;
	else if (strcmp(word, "ssl-mode") != 0 && strcmp(word, "sslmode") != 0)
		return bad_url(eb, t->name,
		               "has an unknown word behind the ? (known: socket, ssl-mode, ssl-ca)");
	else if (!parse_tls(t, value))
		return bad_url(eb, t->name,
		               "has an unknown ssl-mode (known: disable, prefer, require, verify-ca, "
		               "verify-full)");
	return ERR_OK;
}

static enum err parse_words(struct mysql_target *t, char *words, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	while (words && *words && rc == ERR_OK) {
		char *next = cut(words, '&');
		rc = parse_word(t, words, eb);
		words = next;
	}
	return rc;
}

/* user:password@host:port. The last @ counts: passwords contain others. */
static enum err parse_authority(struct mysql_target *t, char *text, struct errbuf *eb)
{
	char *at = strrchr(text, '@');
	if (!at || at == text || *text == ':')
		return bad_url(eb, t->name, "names no user");
	*at = '\0';
	t->user = text;
	t->password = cut(text, ':');
	if (!decode(t->user) || (t->password && !decode(t->password)))
		return bad_url(eb, t->name, "has a % without two hexadecimal digits in user or password");
	if (!parse_host(t, at + 1))
		return bad_url(eb, t->name, "has a malformed host or port");
	if (t->host[0] == '/')
		set_socket(t, t->host);
	return ERR_OK;
}

enum err mysql_target_parse(struct mysql_target *t, const char *name, const char *url,
                            struct errbuf *eb)
{
	t->name = name;
	t->text = mem_strdup(url);
	t->text_n = strlen(url);
	t->tls = TLS_PREFER;
	buf_init(&t->socket);
	char *words = cut(t->text, '?');
	char *authority = strstr(t->text, "://");
	if (strncmp(t->text, "mysql://", 8) != 0 && strncmp(t->text, "mariadb://", 10) != 0)
		return bad_url(eb, t->name, "does not begin with mysql://");
	authority += 3;
	t->database = cut(authority, '/');
	if (!t->database || !*t->database)
		return bad_url(eb, t->name, "names no database");
	/* A password with a bare / in it was cut there. */
	if (strchr(t->database, '@') || !decode(t->database))
		return bad_url(eb, t->name, "is malformed");
	enum err rc = parse_authority(t, authority, eb);
	if (rc == ERR_OK)
		rc = parse_words(t, words, eb);
	if (t->socket.len)
		t->tls = TLS_DISABLE; /* nobody listens in between; libpq does the same */
	return rc;
}

void mysql_target_fini(struct mysql_target *t)
{
	if (t->text)
		explicit_bzero(t->text, t->text_n);
	free(t->text);
	buf_fini(&t->socket);
}
