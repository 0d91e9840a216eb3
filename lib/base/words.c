/* words.c: see words.h. */
#include "base/words.h"

#include <string.h>
#include <strings.h>

int words_find(const char *list, char separator, const char *word, enum words_case match)
{
	size_t wanted = strlen(word);
	for (int at = 0; wanted; at++) {
		list += strspn(list, " ");
		const char *end = strchr(list, separator);
		size_t n = end ? (size_t)(end - list) : strlen(list);
		while (n && list[n - 1] == ' ')
			n--;
		bool same =
			match == WORDS_EXACT ? strncmp(list, word, n) == 0 : strncasecmp(list, word, n) == 0;
		if (n == wanted && same)
			return at;
		if (!end)
			break;
		list = end + 1;
	}
	return -1;
}

bool words_next(const char **list, char *out, size_t n)
{
	while (**list) {
		const char *from = *list + strspn(*list, " ,");
		size_t len = strcspn(from, ",");
		*list = from + len;
		while (len > 0 && from[len - 1] == ' ')
			len--;
		if (len > 0 && len < n) {
			memcpy(out, from, len);
			out[len] = '\0';
			return true;
		}
	}
	return false;
}
