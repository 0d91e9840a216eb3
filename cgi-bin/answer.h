/* answer.h: the rows that answer a call, asked in one snapshot. */
#ifndef TAKINGS_CGI_ANSWER_H
#define TAKINGS_CGI_ANSWER_H

#include "cgi-bin/call.h"
#include "db/rowset.h"

struct answer {
	const struct route *route;
	struct rowset parts[ROUTE_PARTS];
	int n;
};

/* Asks the statements of the call's route with its parameters. ERR_NOT_FOUND where a part
 * that must have rows has none, naming the parameter there are no figures of. */
MUST_CHECK enum err answer_ask(struct call *c, struct answer *a, struct errbuf *eb);
void answer_fini(struct answer *a);

/* Whether some of it changes as things happen: a first row of a part has the column is_live, true.
 */
bool answer_is_live(const struct answer *a);

/* ERR_NOT_FOUND with what the columns detail and field of `statement` say; without a detail with
 * `text`, and without either about `field`. */
MUST_CHECK enum err answer_tell_missing(struct call *c, const char *statement, const char *field,
                                        const char *text, struct errbuf *eb);

/* The answer as JSON, by the columns of each part. */
void answer_write_json(const struct answer *a, struct buf *out);

/* One list of it as CSV, by its columns, and the name of a file for it: the list called `key`, or
 * where that is NULL the first one. ERR_NOT_FOUND where it was not asked for these days. */
MUST_CHECK enum err answer_write_csv(const struct answer *a, const char *key, struct buf *out,
                                     char *file, size_t file_n, struct errbuf *eb);

#endif
