/* debezium_value.c: the types of Debezium's connectors,
 * https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-data-types
 * and, with the same names, of those for MySQL and MariaDB. */
#include "stream/debezium_value.h"

#include <stdlib.h>
#include <string.h>

#include "stream/decimal.h"
#include "stream/decode_json.h"
#include "stream/decode_time.h"

/* What stands for a value that was not sent because it did not change; as text and, of bytes, in
 * base64. */
#define KEPT_TEXT "__debezium_unavailable_value"
#define KEPT_BASE64 "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="

/* PostgreSQL's infinite times, in the milliseconds of its driver. */
#define FOREVER_MS INT64_C(9223372036825200000)
#define NEVER_MS INT64_C(-9223372036832400000)

enum meaning {
	AS_TEXT,
	AS_DATE,  /* days since 1970 */
	AS_CLOCK, /* since 1970 on a wall clock; unit */
	AS_TIME,  /* of a day; unit */
	AS_ZONED, /* text with an offset */
	AS_WALL,  /* text without one, whatever it says */
	AS_DECIMAL,
	AS_VARIABLE
};

static const struct type {
	const char *name;
	enum meaning meaning;
	char unit;
} types[] = {
	{"io.debezium.time.Date", AS_DATE, 'd'},
	{"io.debezium.time.Timestamp", AS_CLOCK, 'm'},
	{"io.debezium.time.MicroTimestamp", AS_CLOCK, 'u'},
	{"io.debezium.time.NanoTimestamp", AS_CLOCK, 'n'},
	{"io.debezium.time.Time", AS_TIME, 'm'},
	{"io.debezium.time.MicroTime", AS_TIME, 'u'},
	{"io.debezium.time.NanoTime", AS_TIME, 'n'},
	{"io.debezium.time.ZonedTimestamp", AS_ZONED, 0},
	{"io.debezium.time.IsoTimestamp", AS_WALL, 0},
	{"io.debezium.data.VariableScaleDecimal", AS_VARIABLE, 0},
	{"org.apache.kafka.connect.data.Decimal", AS_DECIMAL, 0},
	{"org.apache.kafka.connect.data.Date", AS_DATE, 'd'},
	{"org.apache.kafka.connect.data.Time", AS_TIME, 'm'},
	{"org.apache.kafka.connect.data.Timestamp", AS_CLOCK, 'm'},
};

static enum err not_one(const char *name, const char *what, struct errbuf *eb)
{
	return err_set_field(eb, ERR_INVALID, name, "%s is not %s, as its schema says", name, what);
}

static enum err text_of(struct row_value *out, const char *text)
{
	out->kind = VALUE_TEXT;
	out->text = text;
	return ERR_OK;
}

/* ---- times ------------------------------------------------------------------- */

static enum err date_value(struct arena *a, int64_t days, struct row_value *out, struct errbuf *eb)
{
	char text[TIME_TEXT_BYTES];
	if (!time_format_date(days, text))
		return not_one(out->name, "a date between the years 1 and 9999", eb);
	return text_of(out, arena_strdup(a, text));
}

static enum err clock_value(struct arena *a, int64_t n, char unit, struct row_value *out,
                            struct errbuf *eb)
{
	char text[TIME_TEXT_BYTES];
	int64_t us;
	if (n == FOREVER_MS || n == NEVER_MS)
		return text_of(out, n > 0 ? "infinity" : "-infinity");
	if (!time_from_units(n, unit, &us) || !time_format(us, false, text))
		return not_one(out->name, "a time between the years 1 and 9999", eb);
	return text_of(out, arena_strdup(a, text));
}

static enum err time_value(struct arena *a, int64_t n, char unit, struct row_value *out,
                           struct errbuf *eb)
{
	char text[TIME_TEXT_BYTES];
	int64_t us;
	if (!time_from_units(n, unit, &us) || us < 0 || us > US_PER_DAY ||
	    !time_format(us, false, text))
		return not_one(out->name, "a time of a day", eb);
	return text_of(out, us == US_PER_DAY ? "24:00:00" : arena_strdup(a, text + 11));
}

static enum err zoned_value(struct arena *a, const char *s, struct row_value *out,
                            struct errbuf *eb)
{
	char text[TIME_TEXT_BYTES];
	int64_t us;
	enum time_kind kind = time_parse(s, &us);
	if (kind == TIME_FAR)
		return text_of(out, arena_strdup(a, s));
	if (kind != TIME_INSTANT || !time_format(us, true, text))
		return not_one(out->name, "a time with an offset", eb);
	return text_of(out, arena_strdup(a, text));
}

static enum err wall_value(struct arena *a, const char *s, struct row_value *out)
{
	size_t n = strlen(s);
	return text_of(out, arena_strndup(a, s, n > 0 && s[n - 1] == 'Z' ? n - 1 : n));
}

/* ---- decimals ------------------------------------------------------------------ */

/* A number where the schema says decimal (decimal.format=NUMERIC), or where there is no schema. */
static enum err real_value(struct arena *a, const json_t *v, struct row_value *out)
{
	bool exact;
	out->text = decode_json_real(a, json_real_value(v), &exact);
	out->kind = exact ? VALUE_TEXT : VALUE_FLOAT;
	return ERR_OK;
}

static enum err decimal_value(struct arena *a, const json_t *schema, const json_t *v,
                              struct row_value *out, struct errbuf *eb)
{
	const json_t *parameters = json_object_get(schema, "parameters");
	int64_t scale;
	if (json_is_real(v))
		return real_value(a, v, out);
	if (json_is_integer(v))
		return text_of(out, decode_json_text(a, v));
	if (!decode_json_int(json_object_get(parameters, "scale"), &scale))
		return err_set_field(eb, ERR_INVALID, out->name, "the schema of %s has no scale",
		                     out->name);
	const char *text =
		json_is_string(v) ? decimal_from_base64(a, json_string_value(v), scale) : NULL;
	return text ? text_of(out, text) : not_one(out->name, "a decimal in base64", eb);
}

/* {"scale": 2, "value": "ME8="} */
static const char *variable_decimal(struct arena *a, const json_t *v)
{
	int64_t scale;
	const char *bytes = decode_json_string(v, "value");
	if (!bytes || json_object_size(v) != 2 || !decode_json_int(json_object_get(v, "scale"), &scale))
		return NULL;
	return decimal_from_base64(a, bytes, scale);
}

/* ---- by schema ------------------------------------------------------------------ */

static enum err json_value(struct arena *a, const json_t *v, struct row_value *out)
{
	char *text = json_dumps(v, JSON_COMPACT);
	must(text);
	out->kind = VALUE_JSON;
	out->text = arena_strdup(a, text);
	free(text);
	return ERR_OK;
}

/* What carries its meaning in itself. `type` is Connect's word, NULL without a schema. */
static enum err plain_value(struct arena *a, const char *type, const json_t *v,
                            struct row_value *out)
{
	const char *text;
	if (json_is_object(v) && !type && (text = variable_decimal(a, v)))
		return text_of(out, text);
	if (json_is_object(v) || json_is_array(v))
		return json_value(a, v, out);
	if (json_is_real(v) && !type)
		return real_value(a, v, out);
	bool floating = type && (strcmp(type, "double") == 0 || strcmp(type, "float") == 0);
	if (json_is_real(v)) {
		bool exact;
		out->text = decode_json_real(a, json_real_value(v), &exact);
	} else {
		out->text = decode_json_text(a, v);
	}
	out->kind = floating || json_is_real(v)          ? VALUE_FLOAT
	            : json_is_integer(v)                 ? VALUE_NUMBER
	            : type && strcmp(type, "bytes") == 0 ? VALUE_BYTES
	                                                 : VALUE_TEXT;
	return ERR_OK;
}

static const struct type *find_type(const char *name)
{
	for (size_t i = 0; name && i < sizeof types / sizeof *types; i++)
		if (strcmp(types[i].name, name) == 0)
			return &types[i];
	return NULL;
}

static enum err typed_value(struct arena *a, const struct type *t, const json_t *schema,
                            const json_t *v, struct row_value *out, struct errbuf *eb)
{
	const char *text = json_string_value(v);
	int64_t n = 0;
	if ((t->meaning == AS_DATE || t->meaning == AS_CLOCK || t->meaning == AS_TIME)) {
		if (!decode_json_int(v, &n))
			return not_one(out->name, "a whole number", eb);
	} else if ((t->meaning == AS_ZONED || t->meaning == AS_WALL) && !text) {
		return not_one(out->name, "a text", eb);
	}
	switch (t->meaning) {
	case AS_DATE:
		return date_value(a, n, out, eb);
	case AS_CLOCK:
		return clock_value(a, n, t->unit, out, eb);
	case AS_TIME:
		return time_value(a, n, t->unit, out, eb);
	case AS_ZONED:
		return zoned_value(a, text, out, eb);
	case AS_WALL:
		return wall_value(a, text, out);
	case AS_DECIMAL:
		return decimal_value(a, schema, v, out, eb);
	case AS_VARIABLE:
		text = variable_decimal(a, v);
		return text ? text_of(out, text) : not_one(out->name, "a decimal with its scale", eb);
	default:
		return plain_value(a, NULL, v, out);
	}
}

static bool is_kept(const json_t *v)
{
	const char *text = json_string_value(v);
	if (json_array_size(v) == 1) /* of an array: one element that says it */
		text = json_string_value(json_array_get(v, 0));
	return text && (strcmp(text, KEPT_TEXT) == 0 || strcmp(text, KEPT_BASE64) == 0);
}

enum err debezium_value(struct arena *a, const json_t *schema, const char *name, const json_t *v,
                        struct row_value *out, struct errbuf *eb)
{
	*out = (struct row_value){.name = name, .kind = VALUE_NULL};
	if (!v || json_is_null(v))
		return ERR_OK;
	if (is_kept(v)) {
		out->kind = VALUE_KEPT;
		return ERR_OK;
	}
	const struct type *t = find_type(decode_json_string(schema, "name"));
	return t ? typed_value(a, t, schema, v, out, eb)
	         : plain_value(a, decode_json_string(schema, "type"), v, out);
}

const json_t *debezium_field(const json_t *schema, const char *name, size_t i)
{
	const json_t *fields = json_object_get(schema, "fields");
	const json_t *f = json_array_get(fields, i);
	const char *is = decode_json_string(f, "field");
	if (is && strcmp(is, name) == 0)
		return f;
	for (size_t k = 0; k < json_array_size(fields); k++) {
		f = json_array_get(fields, k);
		is = decode_json_string(f, "field");
		if (is && strcmp(is, name) == 0)
			return f;
	}
	return NULL;
}
