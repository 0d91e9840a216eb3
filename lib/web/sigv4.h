/* sigv4.h: AWS Signature Version 4, which says who sends a request and that nobody changed it.
 *
 * As the S3 API reference has it ("Authenticating Requests: Using the Authorization Header"): paths
 * are encoded once. The caller sends exactly the path, the query and the headers that were signed.
 */
#ifndef TAKINGS_WEB_SIGV4_H
#define TAKINGS_WEB_SIGV4_H

#include <stdint.h>

#include "base/buf.h"

enum { SIGV4_TIME = 17 }; /* bytes of "20250115T103000Z" and a NUL */

struct sigv4_header {
	const char *name; /* lower case */
	const char *value;
};

struct sigv4_request {
	const char *method;
	const char *path;  /* encoded, begins with / */
	const char *query; /* encoded; sorted by name, each with its "=": "a=1&b="; "" for none */
	const struct sigv4_header *headers; /* sorted by name; host and x-amz-date are among them */
	int headers_n;
	const char *payload_sha256; /* lower-case hex of the body's hash */
	const char *region, *service;
	const char *time; /* the value of x-amz-date */
};

/* Appends the value of the header Authorization. */
void sigv4_authorization(const struct sigv4_request *r, const char *access_key,
                         const char *secret_key, struct buf *out);

void sigv4_time(int64_t at_us, char out[SIGV4_TIME]);

/* Percent-encodes all but A-Z a-z 0-9 - _ . ~ and what stands in `keep` ("/" for paths). */
void sigv4_encode(const char *s, const char *keep, struct buf *out);

#endif
