/* user.h: names of users, their roles, the scopes of keys: the words of
 * sql/migrations/005_access.sql. */
#ifndef TAKINGS_DOMAIN_USER_H
#define TAKINGS_DOMAIN_USER_H

#include <stdbool.h>

enum {
	USER_NAME = 65,       /* bytes of a user's name, and a NUL */
	KEY_NAME_BYTES = 100, /* of a key's, at most */
};

/* As it is stored: in lower case. False, and *out untouched, for what is no name: it has 1 to 64
 * of a-z 0-9 . _ @ + - and begins with a letter or digit. */
bool user_name_parse(const char *text, char out[USER_NAME]);

/* admin, analyst, viewer. */
bool user_role_exists(const char *word);

/* What an API key is for: up to 100 bytes of printable UTF-8 that are not all blank. */
bool key_name_fits(const char *text);

/* ingest, read, admin. */
bool key_scope_exists(const char *word);

#endif
