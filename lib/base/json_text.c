/* json_text.c: JSON string literals. */
#include "base/json_text.h"

#include <string.h>

size_t utf8_char_len(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	if (n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || n < len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* overlong forms, surrogates, beyond U+10FFFF (RFC 3629, section 4) */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

/* One that plain_len stops at. */
static void put_ascii(struct buf *b, char c)
{
	switch (c) {
	case '"':
		buf_puts(b, "\\\"");
		return;
	case '\\':
		buf_puts(b, "\\\\");
		return;
	case '\n':
		buf_puts(b, "\\n");
		return;
	case '\t':
		buf_puts(b, "\\t");
		return;
	case '\r':
		buf_puts(b, "\\r");
		return;
	default:
		break;
	}
	buf_printf(b, "\\u%04x", (unsigned)(unsigned char)c);
}

/* How many of the first bytes stand for themselves. */
static size_t plain_len(const char *s, size_t n)
{
	size_t i = 0;
	while (i < n && s[i] >= 0x20 && s[i] < 0x7f && s[i] != '"' && s[i] != '\\' && s[i] != '<' &&
	       s[i] != '>' && s[i] != '&')
		i++;
	return i;
}

void json_text_put(struct buf *b, const char *s, size_t n)
{
	buf_putc(b, '"');
	for (size_t i = 0; i < n;) {
		size_t plain = plain_len(s + i, n - i);
		buf_put(b, s + i, plain);
		i += plain;
		if (i == n)
			break;
		size_t len = utf8_char_len(s + i, n - i);
		if (len == 0) {
			buf_puts(b, "\\ufffd");
			i++;
			continue;
		}
		if (len == 1)
			put_ascii(b, s[i]);
		else if (len == 3 && memcmp(s + i, "\xe2\x80\xa8", 3) == 0)
			buf_puts(b, "\\u2028");
		else if (len == 3 && memcmp(s + i, "\xe2\x80\xa9", 3) == 0)
			buf_puts(b, "\\u2029");
		else
			buf_put(b, s + i, len);
		i += len;
	}
	buf_putc(b, '"');
}
