/* origin.c: see origin.h. */
#include "web/origin.h"

#include <stdbool.h>
#include <string.h>

static bool is_origin(const char *word, size_t n)
{
	size_t scheme = strncmp(word, "https://", 8) == 0 ? 8 : 7;
	if (scheme == 7 && strncmp(word, "http://", 7) != 0)
		return false;
	return n > scheme &&
	       strspn(word + scheme, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]") >= n - scheme;
}

enum err origin_list_check(const char *name, const char *list, struct errbuf *eb)
{
	for (const char *p = list; *(p += strspn(p, ", ")) != '\0';) {
		size_t n = strcspn(p, ", ");
		if (!is_origin(p, n))
			return err_set_field(eb, ERR_CONFIG, name,
			                     "%s: '%.*s' is no origin such as https://shop.example, which ends"
			                     " with its host or port",
			                     name, (int)n, p);
		p += n;
	}
	return ERR_OK;
}

enum err origin_key_check(const char *scope, const char *list, struct errbuf *eb)
{
	struct errbuf why = {0};
	if (list[strspn(list, ", ")] == '\0')
		return ERR_OK;
	if (strcmp(scope, "ingest") != 0)
		return err_set_field(
			eb, ERR_INVALID, "origins",
			"everybody can read a key that stands in a page: it may only send events");
	if (strlen(list) > ORIGIN_KEY_BYTES)
		return err_set_field(eb, ERR_INVALID, "origins", "the origins have at most %d bytes",
		                     ORIGIN_KEY_BYTES);
	if (origin_list_check("origins", list, &why) != ERR_OK)
		return err_set_field(eb, ERR_INVALID, "origins", "%s", why.text);
	return ERR_OK;
}
