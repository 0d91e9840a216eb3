/* activity_schema.c: see activity_schema.h. */
#include "domain/activity_schema.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/jnode.h"
#include "domain/activity_parts.h"

enum { SCHEMA_DEPTH = 16 };

/* Of one value. */
struct activity_schema {
	const struct activity_schema *next; /* among the properties of one object */
	const char *name;
	bool never;                           /* false: nothing fits */
	unsigned types;                       /* 1 << enum type; 0: any */
	const struct jnode *among, *required; /* arrays; NULL: not said */
	const char *minimum, *maximum;        /* numbers as they are written */
	int64_t max_length;                   /* in characters; -1: any */
	const struct activity_schema *properties, *others;
};

enum type { T_NULL, T_BOOLEAN, T_NUMBER, T_INTEGER, T_STRING, T_ARRAY, T_OBJECT, TYPES };

static const char *const type_names[TYPES] = {"null",   "boolean", "number", "integer",
                                              "string", "array",   "object"};

/* ---- numbers ------------------------------------------------------------------------ */

static int compare_decimals(const struct decimal *a, const struct decimal *b)
{
	int sign = a->negative ? -1 : 1, whole_a = a->n - a->scale, whole_b = b->n - b->scale;
	if (a->negative != b->negative)
		return sign;
	if (whole_a != whole_b)
		return whole_a < whole_b ? -sign : sign;
	for (int i = 0; i < a->n || i < b->n; i++) {
		int x = i < a->n ? a->digits[i] : '0', y = i < b->n ? b->digits[i] : '0';
		if (x != y)
			return x < y ? -sign : sign;
	}
	return 0;
}

/* Exactly, but where one is beyond all that is counted here. */
static int compare_numbers(const char *a, const char *b)
{
	struct decimal x, y;
	if (decimal_parse(a, &x) && decimal_parse(b, &y))
		return compare_decimals(&x, &y);
	double p = strtod(a, NULL), q = strtod(b, NULL);
	return p < q ? -1 : p > q;
}

/* 1.0 is a whole number, too. */
static bool is_whole(const struct jnode *v)
{
	struct decimal d;
	if (v->whole || !decimal_parse(v->text, &d))
		return v->whole;
	for (int i = d.n - d.scale; i < d.n; i++)
		if (d.digits[i] != '0')
			return false;
	return true;
}

/* ---- reading a schema ---------------------------------------------------------------- */

struct schema_reading {
	struct arena *arena;
	struct errbuf *eb;
};

static enum err read_schema(const struct schema_reading *r, const struct jnode *v,
                            const struct activity_place *at, struct activity_schema *out);

static enum err refuse(const struct schema_reading *r, const struct activity_place *at,
                       const char *why)
{
	const char *name = activity_place_text(r->arena, at);
	return err_set_field(r->eb, ERR_INVALID, name, "%s %s", name, why);
}

static bool put_type(const struct jnode *v, unsigned *types)
{
	for (int t = 0; t < TYPES; t++)
		if (jnode_is(v, JNODE_STRING) && strcmp(v->text, type_names[t]) == 0) {
			*types |= 1U << t;
			return true;
		}
	return false;
}

static enum err read_type(const struct schema_reading *r, const struct jnode *v,
                          const struct activity_place *at, struct activity_schema *out)
{
	bool fine = v->kind == JNODE_ARRAY ? v->n > 0 : put_type(v, &out->types);
	for (const struct jnode *t = v->kind == JNODE_ARRAY ? v->first : NULL; t; t = t->next)
		fine = put_type(t, &out->types) && fine;
	return fine ? ERR_OK
	            : refuse(r, at, "is none of null, boolean, number, integer, string, array, object");
}

static enum err read_required(const struct schema_reading *r, const struct jnode *v,
                              const struct activity_place *at, struct activity_schema *out)
{
	bool fine = v->kind == JNODE_ARRAY;
	for (const struct jnode *name = fine ? v->first : NULL; name; name = name->next)
		fine = fine && name->kind == JNODE_STRING;
	out->required = v;
	return fine ? ERR_OK : refuse(r, at, "is no array of names");
}

static enum err read_enum(const struct schema_reading *r, const struct jnode *v,
                          const struct activity_place *at, struct activity_schema *out)
{
	bool fine = v->kind == JNODE_ARRAY;
	for (const struct jnode *one = fine ? v->first : NULL; one; one = one->next)
		fine = fine && one->kind != JNODE_ARRAY && one->kind != JNODE_OBJECT;
	out->among = v;
	return fine ? ERR_OK : refuse(r, at, "is no array of texts, numbers, true, false and null");
}

static enum err read_limit(const struct schema_reading *r, const struct jnode *v,
                           const struct activity_place *at, const char **out)
{
	*out = v->text;
	return v->kind == JNODE_NUMBER ? ERR_OK : refuse(r, at, "is no number");
}

static enum err read_max_length(const struct schema_reading *r, const struct jnode *v,
                                const struct activity_place *at, struct activity_schema *out)
{
	bool fine = v->kind == JNODE_NUMBER && jnode_int(v, &out->max_length) && out->max_length >= 0;
	return fine ? ERR_OK : refuse(r, at, "is no whole number of at least 0");
}

static enum err read_properties(const struct schema_reading *r, const struct jnode *v,
                                const struct activity_place *at, struct activity_schema *out)
{
	const struct activity_schema **link = &out->properties;
	if (v->kind != JNODE_OBJECT)
		return refuse(r, at, "is no object");
	for (const struct jnode *m = v->first; m; m = m->next) {
		struct activity_place inner = {at, m->name};
		struct activity_schema *one = arena_alloc(r->arena, sizeof *one);
		enum err rc = read_schema(r, m, &inner, one);
		if (rc != ERR_OK)
			return rc;
		one->name = m->name;
		*link = one;
		link = &one->next;
	}
	return ERR_OK;
}

static enum err read_others(const struct schema_reading *r, const struct jnode *v,
                            const struct activity_place *at, struct activity_schema *out)
{
	struct activity_schema *others = arena_alloc(r->arena, sizeof *others);
	out->others = others;
	return read_schema(r, v, at, others);
}

static bool only_describes(const char *keyword)
{
	static const char *const known[] = {"$schema",     "$id",     "$comment", "title",
	                                    "description", "default", "examples"};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(known[i], keyword) == 0)
			return true;
	return false;
}

static enum err read_keyword(const struct schema_reading *r, const struct jnode *v,
                             const struct activity_place *at, struct activity_schema *out)
{
	if (strcmp(v->name, "type") == 0)
		return read_type(r, v, at, out);
	if (strcmp(v->name, "required") == 0)
		return read_required(r, v, at, out);
	if (strcmp(v->name, "properties") == 0)
		return read_properties(r, v, at, out);
	if (strcmp(v->name, "additionalProperties") == 0)
		return read_others(r, v, at, out);
	if (strcmp(v->name, "enum") == 0)
		return read_enum(r, v, at, out);
	if (strcmp(v->name, "minimum") == 0)
		return read_limit(r, v, at, &out->minimum);
	if (strcmp(v->name, "maximum") == 0)
		return read_limit(r, v, at, &out->maximum);
	if (strcmp(v->name, "maxLength") == 0)
		return read_max_length(r, v, at, out);
	if (only_describes(v->name))
		return ERR_OK;
	return refuse(r, at,
	              "is not looked at here; known are type, required, properties, "
	              "additionalProperties, enum, minimum, maximum and maxLength");
}

static enum err read_schema(const struct schema_reading *r, const struct jnode *v,
                            const struct activity_place *at, struct activity_schema *out)
{
	out->max_length = -1;
	out->never = v->kind == JNODE_FALSE;
	if (v->kind == JNODE_TRUE || v->kind == JNODE_FALSE)
		return ERR_OK;
	if (v->kind != JNODE_OBJECT)
		return refuse(r, at, "is no schema: an object, true or false");
	for (const struct jnode *m = v->first; m; m = m->next) {
		struct activity_place inner = {at, m->name};
		enum err rc = read_keyword(r, m, &inner, out);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

enum err activity_schema_parse(struct arena *a, const char *text,
                               const struct activity_schema **out, struct errbuf *eb)
{
	const struct schema_reading r = {a, eb};
	const struct activity_place top = {NULL, "schema"};
	struct activity_schema *schema = arena_alloc(a, sizeof *schema);
	const struct jnode *v;
	size_t n = strlen(text);
	*out = schema;
	if (n > ACTIVITY_SCHEMA_BYTES)
		return err_set_field(eb, ERR_INVALID, "schema", "schema is longer than %d bytes",
		                     ACTIVITY_SCHEMA_BYTES);
	enum err rc = jnode_parse(a, text, n, SCHEMA_DEPTH, NULL, &v, eb);
	return rc == ERR_OK ? read_schema(&r, v, &top, schema) : rc;
}

/* ---- checking ---------------------------------------------------------------------------- */

static bool has_type(const struct jnode *v, unsigned types)
{
	static const enum type of[] = {
		[JNODE_NULL] = T_NULL,     [JNODE_FALSE] = T_BOOLEAN, [JNODE_TRUE] = T_BOOLEAN,
		[JNODE_NUMBER] = T_NUMBER, [JNODE_STRING] = T_STRING, [JNODE_ARRAY] = T_ARRAY,
		[JNODE_OBJECT] = T_OBJECT};
	return (types & 1U << of[v->kind]) ||
	       ((types & 1U << T_INTEGER) && v->kind == JNODE_NUMBER && is_whole(v));
}

static bool is_among(const struct jnode *v, const struct jnode *values)
{
	for (const struct jnode *one = values->first; one; one = one->next) {
		if (one->kind != v->kind)
			continue;
		if (v->kind == JNODE_STRING
		        ? strcmp(one->text, v->text) == 0
		        : v->kind != JNODE_NUMBER || compare_numbers(one->text, v->text) == 0)
			return true;
	}
	return false;
}

static int64_t characters(const struct jnode *v)
{
	int64_t n = 0;
	for (uint32_t i = 0; i < v->n; i++)
		n += ((unsigned char)v->text[i] & 0xc0) != 0x80;
	return n;
}

static enum err check_type(const struct schema_reading *r, const struct activity_schema *s,
                           const struct activity_place *at)
{
	const char *types = "";
	for (int t = 0; t < TYPES; t++)
		if (s->types & 1U << t)
			types = arena_printf(r->arena, "%s%s%s", types, *types ? " or " : "", type_names[t]);
	return refuse(r, at, arena_printf(r->arena, "is no %s", types));
}

static enum err check_value(const struct schema_reading *r, const struct activity_schema *s,
                            const struct jnode *v, const struct activity_place *at);

static enum err check_object(const struct schema_reading *r, const struct activity_schema *s,
                             const struct jnode *v, const struct activity_place *at)
{
	enum err rc = ERR_OK;
	for (const struct jnode *name = s->required ? s->required->first : NULL; name;
	     name = name->next) {
		struct activity_place inner = {at, name->text};
		if (!jnode_get(v, name->text))
			return refuse(r, &inner, "is missing");
	}
	for (const struct jnode *m = v->first; m && rc == ERR_OK; m = m->next) {
		struct activity_place inner = {at, m->name};
		const struct activity_schema *one = s->properties;
		while (one && strcmp(one->name, m->name) != 0)
			one = one->next;
		if (one || s->others)
			rc = check_value(r, one ? one : s->others, m, &inner);
	}
	return rc;
}

static enum err check_value(const struct schema_reading *r, const struct activity_schema *s,
                            const struct jnode *v, const struct activity_place *at)
{
	bool number = v->kind == JNODE_NUMBER;
	if (s->never)
		return refuse(r, at, "may not be there");
	if (s->types && !has_type(v, s->types))
		return check_type(r, s, at);
	if (s->among && !is_among(v, s->among))
		return refuse(r, at, "is none of the values that may be there");
	if (number && s->minimum && compare_numbers(v->text, s->minimum) < 0)
		return refuse(r, at, arena_printf(r->arena, "is less than %s", s->minimum));
	if (number && s->maximum && compare_numbers(v->text, s->maximum) > 0)
		return refuse(r, at, arena_printf(r->arena, "is more than %s", s->maximum));
	if (v->kind == JNODE_STRING && s->max_length >= 0 && characters(v) > s->max_length)
		return refuse(
			r, at, arena_printf(r->arena, "has more than %" PRId64 " characters", s->max_length));
	return v->kind == JNODE_OBJECT ? check_object(r, s, v, at) : ERR_OK;
}

enum err activity_schema_check(struct arena *a, const struct activity_schema *schema,
                               const char *properties, struct errbuf *eb)
{
	const struct schema_reading r = {a, eb};
	const struct activity_place top = {NULL, "properties"};
	const struct jnode *v;
	enum err rc = jnode_parse(a, properties, strlen(properties), ACTIVITY_DEPTH, NULL, &v, eb);
	return rc == ERR_OK ? check_value(&r, schema, v, &top) : rc;
}
