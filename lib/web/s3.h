/* s3.h: a bucket of S3, or of a store that speaks like it: objects are put, names are listed.
 *
 * Nothing but s3:PutObject and s3:ListBucket is ever needed. A PUT is one request, so an object is
 * there whole or not at all, and putting the same once more changes nothing. */
#ifndef TAKINGS_WEB_S3_H
#define TAKINGS_WEB_S3_H

#include "base/conf.h"
#include "base/err.h"
#include "web/http_client.h"

struct s3;

/* By S3_BUCKET, S3_ENDPOINT, AWS_REGION and what aws_credentials.h reads; `conf` is borrowed.
 * ERR_CONFIG where they make no address. */
MUST_CHECK enum err s3_open(struct s3 **out, const struct conf *conf, http_give_up_fn give_up,
                            void *arg, struct errbuf *eb);
void s3_close(struct s3 *s);

/* What became of the last request. */
struct s3_outcome {
	int status;          /* 0: no answer */
	char code[64];       /* "SlowDown"; "" where none was said */
	char request_id[80]; /* "" where none was said */
};

/* A key is a path without / at its start. ERR_CONFIG: refused, which may last until a person looks;
 * ERR_IO, ERR_TIMEOUT: may pass; ERR_INTERRUPTED: given up. All may be tried again; the text says
 * the host, the status, the store's own word and the request's id. */
MUST_CHECK enum err s3_put(struct s3 *s, const char *key, const void *body, size_t n,
                           struct s3_outcome *what, struct errbuf *eb);

/* Whether the bucket can be listed: names below a prefix, one at most; what they are is not told.
 */
MUST_CHECK enum err s3_list(struct s3 *s, const char *prefix, struct s3_outcome *what,
                            struct errbuf *eb);

#endif
