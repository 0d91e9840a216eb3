/* openapi_schema.c: from columns and fields to JSON Schema 2020-12. */
#include "cgi-bin/openapi_schema.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cgi-bin/fields.h"

enum { SHAPES_MOST = 128, NAME_BYTES = 64, SCHEMA_NAME = 192 };

/* ---- names -------------------------------------------------------------- */

/* top-items, top_items -> TopItems */
static void put_camel(struct buf *out, const char *s, size_t n)
{
	bool first = true;
	for (size_t i = 0; i < n; i++) {
		bool letter = isalnum((unsigned char)s[i]) != 0;
		if (letter)
			buf_putc(out, first ? (char)toupper((unsigned char)s[i]) : s[i]);
		first = !letter;
	}
}

void schema_route_name(const struct route *route, struct buf *out)
{
	for (const char *p = route->method; strcmp(route->method, "GET") != 0 && *p; p++)
		buf_putc(out, (char)(p == route->method ? *p : *p - 'A' + 'a'));
	for (const char *p = route->path; *p; p += *p == '/') {
		size_t n = strcspn(p, "/");
		bool plain = (n == 3 && strncmp(p, "api", n) == 0) || (n == 5 && !strncmp(p, "admin", n));
		if (*p == '{')
			buf_puts(out, "By");
		if (!plain)
			put_camel(out, p, n);
		p += n;
	}
}

static void part_name(const struct route *route, const struct part *p, struct buf *out)
{
	schema_route_name(route, out);
	put_camel(out, p->key, strlen(p->key));
}

/* ---- the shapes in use ---------------------------------------------------- */

struct schemas {
	struct json *j;
	bool used[SHAPES_MOST], written[SHAPES_MOST];
};

static void put_ref(struct json *j, const char *name)
{
	char ref[SCHEMA_NAME];
	(void)snprintf(ref, sizeof ref, "#/components/schemas/%s", name);
	json_pair_text(j, "$ref", ref);
}

static void use(struct schemas *s, const char *shape)
{
	int i = 0;
	while (shape_get(i) && strcmp(shape_get(i)->name, shape) != 0)
		i++;
	must(shape_get(i) != NULL && i < SHAPES_MOST);
	s->used[i] = true;
}

static void put_shape_ref(struct schemas *s, const char *name)
{
	use(s, name);
	put_ref(s->j, name);
}

/* ---- one field ------------------------------------------------------------ */

static void put_type(struct json *j, const char *type, bool nullable)
{
	if (!nullable) {
		json_pair_text(j, "type", type);
		return;
	}
	json_key(j, "type");
	json_begin_array(j);
	json_put_text(j, type);
	json_put_text(j, "null");
	json_end_array(j);
}

static void put_enum(struct json *j, const char *words, bool nullable)
{
	json_key(j, "enum");
	json_begin_array(j);
	for (const char *p = words; *p; p += strcspn(p, "|"), p += *p == '|')
		json_put_text_n(j, p, strcspn(p, "|"));
	if (nullable)
		json_put_null(j);
	json_end_array(j);
}

static void put_bounds(struct json *j, const struct field *f)
{
	if (f->type == FIELD_COUNT || f->type == FIELD_HOUR)
		json_pair_int(j, "minimum", 0);
	if (f->type == FIELD_HOUR)
		json_pair_int(j, "maximum", 23);
}

static void put_anything(struct json *j)
{
	json_key(j, "additionalProperties");
	json_begin_object(j);
	json_end_object(j);
}

static void put_items(struct schemas *s, const struct field *f)
{
	json_key(s->j, "items");
	json_begin_object(s->j);
	if (f->type == FIELD_LIST)
		put_shape_ref(s, f->detail);
	else if (f->type == FIELD_NUMBERS)
		put_type(s->j, "number", true);
	else if (f->type == FIELD_BOOLS)
		put_type(s->j, "boolean", false);
	else
		json_pair_text(s->j, "type", f->type == FIELD_MAPS ? "object" : "string");
	if (f->type == FIELD_MAPS)
		put_anything(s->j);
	if (f->type == FIELD_WORDS)
		put_enum(s->j, f->detail, false);
	json_end_object(s->j);
}

/* A count may be null where nobody knows it. */
static void put_values(struct json *j, const struct field *f)
{
	json_key(j, "additionalProperties");
	json_begin_object(j);
	if (!f->detail)
		put_type(j, "integer", true);
	else if (strcmp(f->detail, "text") == 0)
		put_type(j, "string", false);
	json_end_object(j);
}

static void put_object(struct schemas *s, const struct field *f, bool nullable)
{
	if (!nullable) {
		put_shape_ref(s, f->detail);
		return;
	}
	json_key(s->j, "anyOf");
	json_begin_array(s->j);
	json_begin_object(s->j);
	put_shape_ref(s, f->detail);
	json_end_object(s->j);
	json_begin_object(s->j);
	json_pair_text(s->j, "type", "null");
	json_end_object(s->j);
	json_end_array(s->j);
}

static const char *format_of(enum field_type type)
{
	switch (type) {
	case FIELD_DATE:
		return "date";
	case FIELD_TIME:
		return "date-time";
	case FIELD_URL:
		return "uri-reference";
	default:
		return NULL;
	}
}

static void put_kind(struct schemas *s, const struct field *f)
{
	bool nullable = f->flags & FIELD_NULLABLE;
	switch (f->type) {
	case FIELD_COUNT:
	case FIELD_INT:
	case FIELD_HOUR:
		put_type(s->j, "integer", nullable);
		put_bounds(s->j, f);
		return;
	case FIELD_NUMBER:
		put_type(s->j, "number", nullable);
		return;
	case FIELD_BOOL:
		put_type(s->j, "boolean", nullable);
		return;
	case FIELD_TEXT:
	case FIELD_DATE:
	case FIELD_TIME:
	case FIELD_URL:
	case FIELD_WORD:
		put_type(s->j, "string", nullable);
		if (format_of(f->type))
			json_pair_text(s->j, "format", format_of(f->type));
		if (f->type == FIELD_WORD)
			put_enum(s->j, f->detail, nullable);
		return;
	case FIELD_TEXTS:
	case FIELD_WORDS:
	case FIELD_NUMBERS:
	case FIELD_BOOLS:
	case FIELD_LIST:
	case FIELD_MAPS:
		put_type(s->j, "array", nullable);
		put_items(s, f);
		return;
	case FIELD_OBJECT:
		put_object(s, f, nullable);
		return;
	case FIELD_MAP:
		put_type(s->j, "object", nullable);
		put_values(s->j, f);
		return;
	}
}

static void put_example(struct json *j, const struct field *f)
{
	bool list = f->type == FIELD_TEXTS || f->type == FIELD_WORDS || f->type == FIELD_NUMBERS ||
	            f->type == FIELD_BOOLS;
	if (!f->example)
		return;
	json_key(j, "examples");
	json_begin_array(j);
	if (list)
		json_begin_array(j);
	switch (f->type) {
	case FIELD_COUNT:
	case FIELD_INT:
	case FIELD_HOUR:
	case FIELD_NUMBER:
	case FIELD_NUMBERS:
		json_put_number(j, f->example);
		break;
	case FIELD_BOOL:
	case FIELD_BOOLS:
		json_put_bool(j, *f->example == 't');
		break;
	default:
		json_put_text(j, f->example);
	}
	if (list)
		json_end_array(j);
	json_end_array(j);
}

static void put_field(struct schemas *s, const struct field *f)
{
	json_key(s->j, f->name);
	json_begin_object(s->j);
	put_kind(s, f);
	if (f->label)
		json_pair_text(s->j, "title", f->label);
	json_pair_text(s->j, "description", f->meaning);
	put_example(s->j, f);
	json_end_object(s->j);
}

/* ---- objects ---------------------------------------------------------------- */

static void begin_schema(struct json *j, const char *name, const char *meaning)
{
	json_key(j, name);
	json_begin_object(j);
	json_pair_text(j, "type", "object");
	json_pair_text(j, "description", meaning);
	json_pair_bool(j, "additionalProperties", false);
}

static const char *next_word(const char **p, char *out)
{
	size_t n = strcspn(*p, " ");
	must(n < NAME_BYTES);
	memcpy(out, *p, n);
	out[n] = '\0';
	*p += n;
	*p += **p == ' ';
	return n ? out : NULL;
}

/* The field of a column, or of the key of a list: the catalogue has to know it. */
static struct field known_field(const char *statement, const char *name)
{
	struct field f;
	bool known = field_find(statement, name, &f);
	if (!known)
		LOG(LOG_ERROR, "field_unknown", LOG_STR("field", name), LOG_STR("statement", statement),
		    LOG_STR("hint", "it needs a row in cgi-bin/fields.def"), LOG_END);
	must(known);
	return f;
}

static void put_columns(struct schemas *s, const struct part *p)
{
	char name[NAME_BYTES];
	must(p->columns != NULL);
	for (const char *at = p->columns; next_word(&at, name);) {
		struct field f = known_field(p->statement, name);
		put_field(s, &f);
	}
}

static void put_required_columns(struct json *j, const struct part *p)
{
	char name[NAME_BYTES];
	for (const char *at = p->columns; next_word(&at, name);) {
		struct field f = known_field(p->statement, name);
		if (!(f.flags & FIELD_OPTIONAL))
			json_put_text(j, name);
	}
}

/* A list or an object of rows, under its key. */
static void put_part_field(struct schemas *s, const struct route *route, const struct part *p)
{
	struct field f = known_field(p->statement, p->key);
	struct buf name;
	buf_init(&name);
	part_name(route, p, &name);
	json_key(s->j, p->key);
	json_begin_object(s->j);
	if (p->shape == PART_ROWS) {
		json_pair_text(s->j, "type", "array");
		json_key(s->j, "items");
		json_begin_object(s->j);
		put_ref(s->j, buf_str(&name));
		json_end_object(s->j);
	} else {
		put_ref(s->j, buf_str(&name));
	}
	json_pair_text(s->j, "description", f.meaning);
	json_end_object(s->j);
	buf_fini(&name);
}

static void put_answer(struct schemas *s, const struct route *route)
{
	struct buf name;
	buf_init(&name);
	schema_route_name(route, &name);
	begin_schema(s->j, buf_str(&name), route->doc);
	json_key(s->j, "properties");
	json_begin_object(s->j);
	for (const struct part *p = route->parts; p < route->parts + ROUTE_PARTS && p->statement; p++)
		if (p->shape == PART_FIELDS)
			put_columns(s, p);
		else
			put_part_field(s, route, p);
	json_end_object(s->j);
	json_key(s->j, "required");
	json_begin_array(s->j);
	for (const struct part *p = route->parts; p < route->parts + ROUTE_PARTS && p->statement; p++)
		if (p->shape == PART_FIELDS)
			put_required_columns(s->j, p);
		else if (!(known_field(p->statement, p->key).flags & FIELD_OPTIONAL))
			json_put_text(s->j, p->key);
	json_end_array(s->j);
	json_end_object(s->j);
	buf_fini(&name);
}

static void put_row(struct schemas *s, const struct route *route, const struct part *p)
{
	struct buf name;
	buf_init(&name);
	part_name(route, p, &name);
	begin_schema(s->j, buf_str(&name), known_field(p->statement, p->key).meaning);
	json_key(s->j, "properties");
	json_begin_object(s->j);
	put_columns(s, p);
	json_end_object(s->j);
	json_key(s->j, "required");
	json_begin_array(s->j);
	put_required_columns(s->j, p);
	json_end_array(s->j);
	json_end_object(s->j);
	buf_fini(&name);
}

static void put_shape(struct schemas *s, const struct shape *shape)
{
	struct field f;
	begin_schema(s->j, shape->name, shape->meaning);
	json_key(s->j, "properties");
	json_begin_object(s->j);
	for (int i = 0; field_of_shape(shape->name, i, &f); i++)
		put_field(s, &f);
	json_end_object(s->j);
	json_key(s->j, "required");
	json_begin_array(s->j);
	for (int i = 0; field_of_shape(shape->name, i, &f); i++)
		if (!(f.flags & FIELD_OPTIONAL))
			json_put_text(s->j, f.name);
	json_end_array(s->j);
	json_end_object(s->j);
}

/* Writing one may need another, so until no more are. */
static void put_shapes(struct schemas *s)
{
	for (bool more = true; more;) {
		more = false;
		for (int i = 0; shape_get(i); i++) {
			if (!s->used[i] || s->written[i])
				continue;
			more = s->written[i] = true;
			put_shape(s, shape_get(i));
		}
	}
}

/* ---- all ------------------------------------------------------------------- */

void schema_put_answer_ref(struct json *j, const struct route *route)
{
	struct buf name;
	buf_init(&name);
	if (route->answer)
		buf_puts(&name, route->answer);
	else
		schema_route_name(route, &name);
	json_begin_object(j);
	put_ref(j, buf_str(&name));
	json_end_object(j);
	buf_fini(&name);
}

void schema_put_all(struct json *j)
{
	struct schemas s = {.j = j};
	use(&s, "Problem");
	for (int i = 0; route_get(i); i++) {
		const struct route *route = route_get(i);
		if (!route->tag || (route->answer && strchr(route->answer, '/')))
			continue;
		if (route->answer) {
			use(&s, route->answer);
			continue;
		}
		put_answer(&s, route);
		for (const struct part *p = route->parts; p < route->parts + ROUTE_PARTS && p->statement;
		     p++)
			if (p->shape != PART_FIELDS)
				put_row(&s, route, p);
	}
	put_shapes(&s);
}
