/* audit.h: the record of who did what, written in the transaction of what was done. */
#ifndef TAKINGS_CGI_AUDIT_H
#define TAKINGS_CGI_AUDIT_H

#include "cgi-bin/call.h"

/* `actor` as identity_actor has it; `action` one word such as "login"; `object` what it was
 * done to ("user:anna", "" for nothing else). Address and request id are the call's. */
MUST_CHECK enum err audit_write(const struct call *c, struct db *db, const char *actor,
                                const char *action, const char *object, struct errbuf *eb);

/* The same of who asks; `detail` is a JSON object. */
MUST_CHECK enum err audit_note(const struct call *c, struct db *db, const char *action,
                               const char *object, const char *detail, struct errbuf *eb);

#endif
