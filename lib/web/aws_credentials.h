/* aws_credentials.h: the keys that requests to AWS are signed with, wherever they come from.
 *
 * The settings say the one place they come from, the first that is set up:
 *   1. AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY;
 *   2. AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE: STS (IRSA of EKS);
 *   3. AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI: ECS, Pod Identity of EKS;
 *   4. the machine: IMDSv2 of EC2, unless AWS_EC2_METADATA_DISABLED.
 * Keys that end are fetched anew some minutes before, and kept in use while that fails. Where they
 * cannot be had, tries are 1 s, 2 s, ... 60 s apart; in between the last failure is the answer.
 * No key, secret or token is ever in an error's text. */
#ifndef TAKINGS_WEB_AWS_CREDENTIALS_H
#define TAKINGS_WEB_AWS_CREDENTIALS_H

#include <stdint.h>

#include "base/conf.h"
#include "base/err.h"
#include "web/http_client.h"

struct aws_keys {
	const char *access_key, *secret_key;
	const char *token; /* "": none */
};

struct aws_credentials;

/* Both are borrowed. */
struct aws_credentials *aws_credentials_new(const struct conf *conf, struct http_client *http);
void aws_credentials_free(struct aws_credentials *c);

/* Valid until the next call. ERR_CONFIG: a person must look; anything else may pass. */
MUST_CHECK enum err aws_credentials_get(struct aws_credentials *c, struct aws_keys *out,
                                        struct errbuf *eb);

/* They were refused: those that can be fetched are fetched anew, at most once in ten seconds. */
void aws_credentials_doubt(struct aws_credentials *c);

#endif
