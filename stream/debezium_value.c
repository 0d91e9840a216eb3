/* debezium_value.c: the types of Debezium's connectors,
 * https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-data-types
 * and, with the same names, of those for MySQL and MariaDB. */
#include "stream/debezium_value.h"

#include <string.h>

#include "base/decimal.h"
#include "base/time_text.h"

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

static enum err decimal_value(struct arena *a, const struct jnode *schema, const struct jnode *v,
                              struct row_value *out, struct errbuf *eb)
{
	const struct jnode *parameters = jnode_get(schema, "parameters");
	int64_t scale;
	if (v->kind == JNODE_NUMBER) /* decimal.format=NUMERIC */
		return text_of(out, v->text);
	if (!jnode_int(jnode_get(parameters, "scale"), &scale))
		return err_set_field(eb, ERR_INVALID, out->name, "the schema of %s has no scale",
		                     out->name);
	const char *text = v->kind == JNODE_STRING ? decimal_from_base64(a, v->text, scale) : NULL;
	return text ? text_of(out, text) : not_one(out->name, "a decimal in base64", eb);
}

/* {"scale": 2, "value": "ME8="} */
static const char *variable_decimal(struct arena *a, const struct jnode *v)
{
	int64_t scale;
	const char *bytes = jnode_string_at(v, "value");
	if (!bytes || v->n != 2 || !jnode_int(jnode_get(v, "scale"), &scale))
		return NULL;
	return decimal_from_base64(a, bytes, scale);
}

/* ---- by schema ------------------------------------------------------------------ */

static enum row_value_kind kind_of(const char *type, const struct jnode *v)
{
	bool floating = type && (strcmp(type, "double") == 0 || strcmp(type, "float") == 0 ||
	                         strcmp(type, "float64") == 0 || strcmp(type, "float32") == 0);
	if (floating)
		return VALUE_FLOAT;
	if (v->kind == JNODE_NUMBER)
		return v->whole ? VALUE_NUMBER : VALUE_TEXT;
	return type && strcmp(type, "bytes") == 0 ? VALUE_BYTES : VALUE_TEXT;
}

/* What carries its meaning in itself. `type` is Connect's word, NULL without a schema. */
static enum err plain_value(struct arena *a, const char *type, const struct jnode *v,
                            struct row_value *out)
{
	switch (v->kind) {
	case JNODE_OBJECT:
		out->text = type ? NULL : variable_decimal(a, v);
		if (out->text)
			return text_of(out, out->text);
		/* fall through */
	case JNODE_ARRAY:
		out->kind = VALUE_JSON;
		out->text = arena_strndup(a, v->raw, v->raw_n);
		return ERR_OK;
	case JNODE_TRUE:
		return text_of(out, "t");
	case JNODE_FALSE:
		return text_of(out, "f");
	default:
		out->kind = kind_of(type, v);
		out->text = v->text;
		return ERR_OK;
	}
}

static const struct type *find_type(const char *name)
{
	for (size_t i = 0; name && i < sizeof types / sizeof *types; i++)
		if (strcmp(types[i].name, name) == 0)
			return &types[i];
	return NULL;
}

static enum err typed_value(struct arena *a, const struct type *t, const struct jnode *schema,
                            const struct jnode *v, struct row_value *out, struct errbuf *eb)
{
	const char *text = jnode_string(v);
	int64_t n = 0;
	if ((t->meaning == AS_DATE || t->meaning == AS_CLOCK || t->meaning == AS_TIME)) {
		if (!jnode_int(v, &n))
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

static bool is_kept(const struct jnode *v)
{
	const char *text = jnode_string(v);
	if (v->kind == JNODE_ARRAY && v->n == 1) /* of an array: one element that says it */
		text = jnode_string(v->first);
	return text && (strcmp(text, KEPT_TEXT) == 0 || strcmp(text, KEPT_BASE64) == 0);
}

enum err debezium_value(struct arena *a, const struct jnode *schema, const char *name,
                        const struct jnode *v, struct row_value *out, struct errbuf *eb)
{
	*out = (struct row_value){.name = name, .kind = VALUE_NULL};
	if (v->kind == JNODE_NULL)
		return ERR_OK;
	if (is_kept(v)) {
		out->kind = VALUE_KEPT;
		return ERR_OK;
	}
	const struct type *t = find_type(jnode_string_at(schema, "name"));
	return t ? typed_value(a, t, schema, v, out, eb)
	         : plain_value(a, jnode_string_at(schema, "type"), v, out);
}

static bool is_named(const struct jnode *field, const char *name)
{
	const char *is = jnode_string_at(field, "field");
	return is && strcmp(is, name) == 0;
}

const struct jnode *debezium_field(const struct jnode *schema, const char *name,
                                   const struct jnode **next)
{
	const struct jnode *f = *next, *fields = jnode_get(schema, "fields");
	if (!is_named(f, name) && jnode_is(fields, JNODE_ARRAY))
		for (f = fields->first; f && !is_named(f, name); f = f->next)
			;
	*next = f ? f->next : NULL;
	return is_named(f, name) ? f : NULL;
}
