/* values.h: what a text must be to stand for money, a currency, an id; the same of events and rows.
 * ERR_INVALID names `field`. */
#ifndef TAKINGS_STREAM_VALUES_H
#define TAKINGS_STREAM_VALUES_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "stream/rules.h"

/* UTF-8 of at most `max` bytes. */
MUST_CHECK enum err value_text(const char *text, size_t max, const char *field, struct errbuf *eb);

/* As the batch cleans it: capitals, no spaces; the default where there is none (NULL, ""). */
MUST_CHECK enum err value_currency(struct arena *a, const struct rules *r, const char *text,
                                   const char *field, const char **out, struct errbuf *eb);

/* Rounded half-even to the currency's digits; 10^14 and more are refused, as in the batch. */
MUST_CHECK enum err value_minor(const char *text, int exponent, const char *field, int64_t *out,
                                struct errbuf *eb);

/* The same number, exactly, as plain decimal text in the arena. */
MUST_CHECK enum err value_exact(struct arena *a, const char *text, const char *field,
                                const char **out, struct errbuf *eb);

/* Whether a line's quantity times its price is less than 10^14, too; as value_exact gave them, or
 * NULL. */
MUST_CHECK enum err value_line(const char *quantity, const char *price, const char *field,
                               struct errbuf *eb);

MUST_CHECK enum err value_int32(const char *text, const char *field, int32_t *out,
                                struct errbuf *eb);

#endif
