/* decimal.h: exact decimals of any origin, as text and as minor units. Never floating point. */
#ifndef TAKINGS_BASE_DECIMAL_H
#define TAKINGS_BASE_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

enum {
	DECIMAL_DIGITS = 60,      /* a figure of an order has no more, zeros in front aside */
	DECIMAL_INT_DIGITS = 14,  /* before the point: less than 10^14, as for the batch */
	DECIMAL_RAW_BYTES = 256,  /* of a binary number */
	DECIMAL_MAX_SCALE = 1000, /* either way */
};

struct decimal {
	bool negative; /* never of zero */
	int n;         /* digits; 0: zero without decimals */
	int scale;     /* how many of them stand behind the point, 0..n */
	char digits[DECIMAL_DIGITS];
};

/* "-12.50", "1.2E+3". False: it is none (NaN, Infinity), or too long. */
bool decimal_parse(const char *text, struct decimal *out);

/* Whether there are at most DECIMAL_INT_DIGITS before the point. */
bool decimal_fits(const struct decimal *d);

/* Rounded half-even to `digits` (0..4) decimals; false unless decimal_fits. */
bool decimal_minor(const struct decimal *d, int digits, int64_t *out);

/* Plainly, with all decimals it came with: "12.50". In the arena. */
const char *decimal_text(struct arena *a, const struct decimal *d);

/* A big-endian number in two's complement with `scale` decimals; NULL: empty, too long, or a scale
 * nobody means. */
const char *decimal_from_bytes(struct arena *a, const unsigned char *bytes, size_t n,
                               int64_t scale);

/* The same from base64 with its padding; NULL also where it is none. */
const char *decimal_from_base64(struct arena *a, const char *text, int64_t scale);

#endif
