/* escape.c: one loop per place. */
#include "web/escape.h"

#include <stdbool.h>
#include <string.h>

#include "web/json.h"

static const char *html_entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	case '`':
		return "&#96;";
	default:
		return NULL;
	}
}

void escape_html(struct buf *out, const char *s, size_t n)
{
	size_t from = 0;
	for (size_t i = 0; i < n; i++) {
		const char *entity = html_entity(s[i]);
		if (!entity)
			continue;
		buf_put(out, s + from, i - from);
		buf_puts(out, entity);
		from = i + 1;
	}
	if (from < n)
		buf_put(out, s + from, n - from);
}

/* U+FF1D, U+FF0B, U+FF0D, U+FF20: spreadsheets fold them to = + - @. */
static bool starts_full_width_formula(const char *s, size_t n)
{
	return n >= 3 && s[0] == '\xef' && s[1] == '\xbc' &&
	       (s[2] == '\x9d' || s[2] == '\x8b' || s[2] == '\x8d' || s[2] == '\xa0');
}

static bool starts_formula(const char *s, size_t n)
{
	return (n > 0 && memchr("=+-@\t\r\n", s[0], 8)) || starts_full_width_formula(s, n);
}

static bool needs_quotes(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (memchr(",;\"\r\n\t", s[i], 6))
			return true;
	return n > 0 && (s[0] == ' ' || s[n - 1] == ' ');
}

void escape_csv_text(struct buf *out, const char *s, size_t n)
{
	bool formula = starts_formula(s, n);
	bool quoted = formula || needs_quotes(s, n);
	if (quoted)
		buf_putc(out, '"');
	if (formula)
		buf_putc(out, '\'');
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '"')
			buf_putc(out, '"');
		if (s[i] != '\0') /* some readers end the file there */
			buf_putc(out, s[i]);
	}
	if (quoted)
		buf_putc(out, '"');
}

void escape_csv_number(struct buf *out, const char *literal)
{
	if (!literal)
		return;
	if (json_number_valid(literal))
		buf_puts(out, literal);
	else
		escape_csv_text(out, literal, strlen(literal));
}

static bool is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '.' || c == '_' || c == '~';
}

void escape_url(struct buf *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (is_unreserved(s[i]))
			buf_putc(out, s[i]);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)s[i]);
	}
}
