/* json.h: writes JSON text, checked for shape.
 *
 * Using it wrongly (a key in an array, a value without a key, an end without
 * its begin) is a bug and ends in must(). There is no function for floating
 * point: money and ratios come as integers or as decimal text from SQL.
 * The names keep clear of libjansson's, which reads JSON. */
#ifndef TAKINGS_WEB_JSON_H
#define TAKINGS_WEB_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { JSON_DEPTH = 32 }; /* deepest nesting */

struct json {
	struct buf *out; /* borrowed */
	int depth;
	bool after_key; /* a key waits for its value */
	bool done;      /* the one top-level value is complete */
	struct {
		bool object, filled;
	} scopes[JSON_DEPTH];
};

/* Appends to `out`, which must outlive the writer. */
void json_init(struct json *j, struct buf *out);

void json_begin_object(struct json *j);
void json_end_object(struct json *j);
void json_begin_array(struct json *j);
void json_end_array(struct json *j);

void json_key(struct json *j, const char *key);

/* Text of any bytes; what is not UTF-8 becomes U+FFFD. NULL writes null. */
void json_put_text(struct json *j, const char *s);
void json_put_text_n(struct json *j, const char *s, size_t n);
void json_put_int(struct json *j, int64_t v);
void json_put_bool(struct json *j, bool v);
void json_put_null(struct json *j);

/* An exact decimal as it stands ("12.50", "-3", "1e9"). What is not a JSON
 * number (PostgreSQL's "NaN", "Infinity", NULL) becomes null. */
void json_put_number(struct json *j, const char *literal);

/* A complete JSON value that is known to be one: a json or jsonb column. */
void json_put_raw(struct json *j, const char *json, size_t n);

/* Key and value in one line. */
void json_pair_text(struct json *j, const char *key, const char *s);
void json_pair_int(struct json *j, const char *key, int64_t v);
void json_pair_bool(struct json *j, const char *key, bool v);
void json_pair_number(struct json *j, const char *key, const char *literal);

/* Exactly one value was begun and all scopes are closed; must() otherwise. */
void json_end(const struct json *j);

/* RFC 8259 section 6, whole text. */
bool json_number_valid(const char *s);

#endif
