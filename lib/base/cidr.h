/* cidr.h: lists of addresses and networks, such as "10.0.0.0/8, 192.168.1.7, fd00::/8". */
#ifndef TAKINGS_BASE_CIDR_H
#define TAKINGS_BASE_CIDR_H

#include <stdbool.h>

#include "base/err.h"

/* ERR_CONFIG, naming the setting, for a word that is neither an address nor a network. */
MUST_CHECK enum err cidr_list_check(const char *name, const char *list, struct errbuf *eb);

/* Whether the list has this address, as itself or in a network of it. False for what is
 * no address. ::ffff:10.0.0.1 is 10.0.0.1. */
bool cidr_list_has(const char *list, const char *address);

enum { CIDR_PARTY = 48 }; /* the text and its NUL */

/* Whom an address stands for where somebody is counted: itself, or its /64 in IPv6, of which a
 * household has all the addresses. What is no address stays what it is, shortened if need be. */
void cidr_party(const char *address, char out[CIDR_PARTY]);

/* 127.0.0.0/8 and ::1. */
bool cidr_is_loopback(const char *address);

#endif
