/* aws_answer.h: what AWS's services answer, as far as keys and errors go. Pure. */
#ifndef TAKINGS_WEB_AWS_ANSWER_H
#define TAKINGS_WEB_AWS_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* Keys out of an answer; owned. */
struct aws_answer {
	char *access_key, *secret_key;
	char *token;     /* "": none */
	int64_t ends_us; /* since 1970; 0: it does not say */
};

/* Wipes and frees. */
void aws_answer_fini(struct aws_answer *a);

/* Keys in the JSON of containers and machines, or in STS's JSON or XML. False: there are none that
 * could go into a header. */
bool aws_answer_parse(const struct buf *body, struct aws_answer *out);

/* The word for an error in XML or JSON ("AccessDenied"); "" where there is none. */
void aws_error_code(const struct buf *body, char *out, size_t n);

/* Printable ASCII without blanks, or empty. */
bool aws_text_plain(const char *s);

/* 2025-01-15T10:30:00Z, with or without a fraction; false for anything else. */
bool aws_time_parse(const char *s, int64_t *at_us);

/* Whether keys may be fetched from there: https, or http at this machine (an address of loopback
 * or localhost) or at one of AWS's link-local addresses. */
bool aws_container_url_allowed(const char *url);

#endif
