/* identity.h: who asks. */
#ifndef TAKINGS_CGI_IDENTITY_H
#define TAKINGS_CGI_IDENTITY_H

#include <stdint.h>

#include "cgi-bin/routes.h"

enum identity_kind {
	IDENTITY_NONE,
	IDENTITY_OPEN,    /* AUTH_MODE=open on loopback: everybody is an admin */
	IDENTITY_SESSION, /* cookie of a browser */
	IDENTITY_TOKEN,   /* bearer token of a user */
	IDENTITY_KEY,     /* API key */
};

enum { IDENTITY_NAME = 65, IDENTITY_CSRF = 48 };

struct identity {
	enum identity_kind kind;
	char name[IDENTITY_NAME];            /* of the user or the key; "" for none */
	int64_t user_id, session_id, key_id; /* 0: not of that kind */
	enum access role;                    /* ACCESS_PUBLIC for keys */
	unsigned scopes;                     /* of a key */
	char csrf[IDENTITY_CSRF];            /* what forms of this session carry; "" else */
};

#endif
