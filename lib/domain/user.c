/* user.c: see user.h. */
#include "domain/user.h"

#include <string.h>

#include "base/json_text.h"
#include "base/words.h"

bool user_name_parse(const char *text, char out[USER_NAME])
{
	static const char more[] = "._@+-";
	char name[USER_NAME] = {0};
	size_t n = strlen(text);
	if (n == 0 || n >= sizeof name || strchr(more, text[0]))
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = text[i];
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !strchr(more, c))
			return false;
		name[i] = c;
	}
	memcpy(out, name, sizeof name);
	return true;
}

bool user_role_exists(const char *word)
{
	return words_find("admin,analyst,viewer", ',', word, WORDS_EXACT) >= 0;
}

bool key_name_fits(const char *text)
{
	size_t n = strlen(text);
	for (size_t i = 0, len; i < n; i += len) {
		len = utf8_char_len(text + i, n - i);
		if (len == 0 || (unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	}
	return n <= KEY_NAME_BYTES && text[strspn(text, " ")] != '\0';
}

bool key_scope_exists(const char *word)
{
	return words_find("ingest,read,admin", ',', word, WORDS_EXACT) >= 0;
}
