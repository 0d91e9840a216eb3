/* source_mysql_url.h: where a mysql:// URL leads. */
#ifndef TAKINGS_DB_SOURCE_MYSQL_URL_H
#define TAKINGS_DB_SOURCE_MYSQL_URL_H

#include "base/buf.h"
#include "base/err.h"

enum tls { TLS_DISABLE, TLS_PREFER, TLS_REQUIRE, TLS_VERIFY };

/* Where to connect: pieces of `text`. */
struct mysql_target {
	const char *name; /* of the setting */
	char *text;       /* a copy of the URL, cut up; owned */
	size_t text_n;
	char *user, *password, *host, *database, *ca;
	struct buf socket; /* "" for TCP */
	unsigned port;
	enum tls tls;
};

/* mysql:// or mariadb://, user, password and database percent-encoded; `name` is the
 * setting it stands in. Errors: ERR_CONFIG, whose text repeats no piece of the URL.
 * The caller ends with mysql_target_fini() even then. */
MUST_CHECK enum err mysql_target_parse(struct mysql_target *t, const char *name, const char *url,
                                       struct errbuf *eb);

/* Wipes the copy of the URL. `t` may be all zero. */
void mysql_target_fini(struct mysql_target *t);

#endif
