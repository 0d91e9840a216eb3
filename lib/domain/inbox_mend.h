/* inbox_mend.h: what becomes of messages in the inbox that could not be read or put into effect:
 * they are replayed, replaced by a corrected one, or dropped. Each in the caller's transaction,
 * which also has the line in the audit log. */
#ifndef TAKINGS_DOMAIN_INBOX_MEND_H
#define TAKINGS_DOMAIN_INBOX_MEND_H

#include "base/arena.h"
#include "base/buf.h"
#include "db/db.h"

/* Which dead messages: all that are all of it. NULL: whichever. */
struct inbox_choice {
	const char *id;
	const char *field, *error; /* event_log.error_field and last_error */
	const char *reason;        /* either of them; not for inbox_drop */
	const char *until;         /* the greatest id */
};

/* Open again as they are, and told of (NOTIFY takings_inbox). `ids` (in the arena): an array as SQL
 * has it, for inbox_progress. ERR_NOT_FOUND: no dead message is like that. */
MUST_CHECK enum err inbox_replay(struct db *db, struct arena *a, const struct inbox_choice *choice,
                                 int64_t *n, const char **ids, struct errbuf *eb);

/* Processed without an effect. ERR_NOT_FOUND as above. */
MUST_CHECK enum err inbox_drop(struct db *db, const struct inbox_choice *choice, int64_t *n,
                               struct errbuf *eb);

/* A corrected message in the place of a dead one, which keeps its text and is `replaced_by` the new
 * row; *by (in the arena) is its id, or that of a row that says the same already, which is `id`
 * itself where nothing was corrected but spaces: then that one is replayed.
 * ERR_NOT_FOUND: no such message; ERR_BUSY: it is not dead (any more); ERR_INVALID, ERR_MALFORMED:
 * eb->field names what is wrong with the text, and nothing was written. */
MUST_CHECK enum err inbox_fix(struct db *db, struct arena *a, const char *id, const char *text,
                              size_t n, const char **by, struct errbuf *eb);

/* Any JSON with a line for each value; what is none as it is. Broken UTF-8 becomes U+FFFD. */
void inbox_pretty(struct buf *out, const char *text, size_t n);

/* The bytes that two hex digits each stand for; what is not hex ends them. */
void inbox_unhex(struct buf *out, const char *hex);

#endif
