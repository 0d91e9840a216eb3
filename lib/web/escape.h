/* escape.h: text made safe for the place where it will stand.
 *
 * One function per place; nothing else writes foreign text into HTML, CSV or a
 * URL. JSON strings are in base/json_text.h. All append to `out`. */
#ifndef TAKINGS_WEB_ESCAPE_H
#define TAKINGS_WEB_ESCAPE_H

#include <stddef.h>

#include "base/buf.h"

/* HTML text and quoted attributes: & < > " ' and the backtick. */
void escape_html(struct buf *out, const char *s, size_t n);

/* A CSV field (RFC 4180), quoted where needed. A text that a spreadsheet would
 * take for a formula (first = + - @ TAB CR LF NUL or their full-width forms) gets a
 * leading apostrophe, as OWASP's page on CSV injection advises. */
void escape_csv_text(struct buf *out, const char *s, size_t n);

/* A CSV field that is a number as it stands, so that -12.50 stays one. What is
 * not a JSON number goes the way of text. NULL is an empty field. */
void escape_csv_number(struct buf *out, const char *literal);

/* A component of a URL: all but A-Z a-z 0-9 - . _ ~ as %XX (RFC 3986, 2.3). */
void escape_url(struct buf *out, const char *s, size_t n);

#endif
