/* decode_json.h: what decoders need of JSON: scalars as exact text. */
#ifndef TAKINGS_STREAM_DECODE_JSON_H
#define TAKINGS_STREAM_DECODE_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

/* An object or array of at most MESSAGE_DEPTH levels; what stands under "schema" of the outermost
 * is not counted. The caller frees *out. ERR_MALFORMED: no JSON, invalid UTF-8, U+0000, a name
 * twice, a number beyond its type. ERR_INVALID: too deep, or neither. */
MUST_CHECK enum err decode_json(const char *bytes, size_t n, json_t **out, struct errbuf *eb);

/* The key of a message: any value, or NULL where it is no JSON. The caller frees it. */
json_t *decode_json_key(const char *bytes, size_t n);

/* A real number whose shortest text has at most 15 digits is the decimal that was written: every
 * such decimal survives the way through a double. *exact says whether that is so; else the text has
 * the 17 digits of the double. */
const char *decode_json_real(struct arena *a, double v, bool *exact);

/* A string as it is, a whole number in digits, t and f; NULL for null, reals, arrays and objects.
 */
const char *decode_json_text(struct arena *a, const json_t *v);

/* An integer, also as a string of one; false: neither. */
bool decode_json_int(const json_t *v, int64_t *out);

/* Of an object; NULL also where `v` is none. */
const char *decode_json_string(const json_t *v, const char *name);

#endif
