/* report_store.h: where reports go: a bucket, or a directory laid out like one. */
#ifndef TAKINGS_STREAM_REPORT_STORE_H
#define TAKINGS_STREAM_REPORT_STORE_H

#include "base/conf.h"
#include "web/s3.h"

struct report_store;

/* S3_BUCKET, else REPORT_DIR; one of them is set. ERR_CONFIG where they cannot be meant. */
MUST_CHECK enum err report_store_open(struct report_store **out, const struct conf *conf,
                                      http_give_up_fn give_up, void *arg, struct errbuf *eb);
void report_store_close(struct report_store *s);

/* Whether it is there and lets us in. */
MUST_CHECK enum err report_store_check(struct report_store *s, struct errbuf *eb);

/* Stores all of it under the key, or nothing; the same once more is the same. Errors as of s3_put;
 * `what` is empty of a directory. */
MUST_CHECK enum err report_store_put(struct report_store *s, const char *key, const char *body,
                                     size_t n, struct s3_outcome *what, struct errbuf *eb);

#endif
