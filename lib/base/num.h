/* num.h: numbers read from text, whole or not at all; and divided. */
#ifndef TAKINGS_BASE_NUM_H
#define TAKINGS_BASE_NUM_H

#include <stdbool.h>
#include <stdint.h>

/* A decimal integer in [min, max]; no spaces, no plus sign, nothing behind it.
 * False, and *out untouched, otherwise. */
bool num_parse_int(const char *s, int64_t min, int64_t max, int64_t *out);

/* A decimal number with at most four digits behind the point, as ten-thousandths: "0.95" is 9500.
 * No sign, no exponent; otherwise as num_parse_int. */
bool num_parse_decimal(const char *s, int64_t min, int64_t max, int64_t *out);

/* A calendar date YYYY-MM-DD between 0001-01-01 and 9999-12-31 that exists. */
bool num_is_date(const char *s);

/* a / b rounded half-even; b > 0. */
int64_t num_divide(int64_t a, int64_t b);

/* Tenths of a percent that `part` is of `whole`, rounded half-even; whole > 0, part < 2^53. */
int64_t num_permille(int64_t part, int64_t whole);

#endif
