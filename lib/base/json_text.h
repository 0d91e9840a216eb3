/* json_text.h: a string as a JSON string literal, quotes included.
 *
 * Control bytes, quotes, backslash, <, >, &, U+2028 and U+2029 are escaped, so
 * the literal is also safe inside HTML script data. Bytes that are not UTF-8
 * become U+FFFD: the result is valid JSON whatever came in. */
#ifndef TAKINGS_BASE_JSON_TEXT_H
#define TAKINGS_BASE_JSON_TEXT_H

#include <stddef.h>

#include "base/buf.h"

void json_text_put(struct buf *b, const char *s, size_t n);

/* Length in bytes of the well-formed UTF-8 character at s (1..4), 0 if none. */
size_t utf8_char_len(const char *s, size_t n);

#endif
