/* cidr.c: see cidr.h. Every address is 16 bytes: those of IPv4 stand at ::ffff:0:0/96. */
#include "base/cidr.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

enum { WORD_BYTES = 64, V4_BITS = 96 };

struct network {
	unsigned char bytes[16];
	int bits;
};

static const unsigned char v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* An address as a network of itself; the bits of an IPv4 one count from 96. */
static bool parse_address(const char *text, struct network *out, bool *v4)
{
	*v4 = inet_pton(AF_INET, text, out->bytes + 12) == 1;
	if (*v4)
		memcpy(out->bytes, v4_prefix, sizeof v4_prefix);
	out->bits = 128;
	return *v4 || inet_pton(AF_INET6, text, out->bytes) == 1;
}

static bool parse_network(const char *word, size_t n, struct network *out)
{
	char text[WORD_BYTES];
	int64_t bits;
	bool v4;
	if (n >= sizeof text)
		return false;
	memcpy(text, word, n);
	text[n] = '\0';
	char *slash = strchr(text, '/');
	if (slash)
		*slash++ = '\0';
	if (!parse_address(text, out, &v4))
		return false;
	if (!slash)
		return true;
	if (!num_parse_int(slash, 0, v4 ? 32 : 128, &bits))
		return false;
	out->bits = (int)bits + (v4 ? V4_BITS : 0);
	return true;
}

/* The next word of a list; false at its end. */
static bool next_word(const char **list, const char **word, size_t *n)
{
	*list += strspn(*list, ", ");
	*word = *list;
	*n = strcspn(*list, ", ");
	*list += *n;
	return *n > 0;
}

static bool contains(const struct network *net, const unsigned char at[16])
{
	int whole = net->bits / 8, rest = net->bits % 8;
	if (memcmp(net->bytes, at, (size_t)whole) != 0)
		return false;
	return rest == 0 || ((net->bytes[whole] ^ at[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

enum err cidr_list_check(const char *name, const char *list, struct errbuf *eb)
{
	struct network net;
	const char *word;
	size_t n;
	while (next_word(&list, &word, &n))
		if (!parse_network(word, n, &net))
			return err_set_field(
				eb, ERR_CONFIG, name,
				"%s: '%.*s' is neither an address nor a network such as 10.0.0.0/8", name, (int)n,
				word);
	return ERR_OK;
}

bool cidr_list_has(const char *list, const char *address)
{
	struct network net, at;
	const char *word;
	size_t n;
	bool v4;
	if (!parse_address(address, &at, &v4))
		return false;
	while (next_word(&list, &word, &n))
		if (parse_network(word, n, &net) && contains(&net, at.bytes))
			return true;
	return false;
}

bool cidr_is_loopback(const char *address)
{
	return cidr_list_has("127.0.0.0/8,::1", address);
}

void cidr_party(const char *address, char out[CIDR_PARTY])
{
	struct network net;
	char text[INET6_ADDRSTRLEN];
	bool v4;
	if (!parse_address(address, &net, &v4) || memcmp(net.bytes, v4_prefix, sizeof v4_prefix) == 0) {
		(void)snprintf(out, CIDR_PARTY, "%s", address);
		return;
	}
	memset(net.bytes + 8, 0, 8);
	(void)snprintf(out, CIDR_PARTY, "%s/64", inet_ntop(AF_INET6, net.bytes, text, sizeof text));
}
