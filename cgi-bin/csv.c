/* csv.c: quoting, and texts that must stay texts. */
#include "cgi-bin/csv.h"

#include <string.h>

#include "cgi-bin/render.h"
#include "web/json.h"

/* Quotes do not keep a spreadsheet from running what begins like this; the last four are the
 * full-width forms of the first. */
static bool runs(const char *s)
{
	static const char *const wide[] = {"\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d",
	                                   "\xef\xbc\xa0"};
	for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
		if (strncmp(s, wide[i], 3) == 0)
			return true;
	return *s && strchr("=+-@\t\r\n", *s);
}

static void put_text(struct buf *out, const char *s)
{
	bool risky = runs(s);
	if (!risky && !s[strcspn(s, ",\"\r\n'")]) {
		buf_puts(out, s);
		return;
	}
	buf_puts(out, risky ? "\"'" : "\"");
	for (; *s; s++) {
		if (*s == '"')
			buf_putc(out, '"');
		buf_putc(out, *s);
	}
	buf_putc(out, '"');
}

static void put_value(struct buf *out, const struct rowset *rs, int row, int col)
{
	const char *s = rowset_text(rs, row, col);
	if (!s)
		return;
	if (rowset_kind(rs, col) == ROWSET_BOOL)
		buf_puts(out, *s == 't' ? "true" : "false");
	else if (rowset_kind(rs, col) == ROWSET_NUMBER && json_number_valid(s))
		buf_puts(out, s);
	else
		put_text(out, s);
}

void csv_write(const struct rowset *rs, const char *columns, struct buf *out)
{
	for (const char *p = columns; *p; p += strcspn(p, " "), p += *p == ' ')
		buf_printf(out, "%s%.*s", p == columns ? "" : ",", (int)strcspn(p, " "), p);
	buf_puts(out, "\r\n");
	for (int row = 0; row < rowset_rows(rs); row++) {
		for (const char *p = columns; *p; p += strcspn(p, " "), p += *p == ' ') {
			if (p != columns)
				buf_putc(out, ',');
			put_value(out, rs, row, render_column(rs, p, strcspn(p, " ")));
		}
		buf_puts(out, "\r\n");
	}
}
