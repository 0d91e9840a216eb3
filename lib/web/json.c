/* json.c: commas, colons and the checks on shape; strings are base/json_text. */
#include "web/json.h"

#include <string.h>

#include "base/err.h"
#include "base/json_text.h"

void json_init(struct json *j, struct buf *out)
{
	*j = (struct json){.out = out};
}

/* A value may stand here: writes the comma it needs. */
static void before_value(struct json *j)
{
	must(!j->done);
	if (j->depth == 0)
		return;
	if (j->scopes[j->depth - 1].object) {
		must(j->after_key);
		j->after_key = false;
		return;
	}
	if (j->scopes[j->depth - 1].filled)
		buf_putc(j->out, ',');
	j->scopes[j->depth - 1].filled = true;
}

static void after_value(struct json *j)
{
	j->done = j->depth == 0;
}

static void begin(struct json *j, bool object)
{
	before_value(j);
	must(j->depth < JSON_DEPTH);
	j->scopes[j->depth].object = object;
	j->scopes[j->depth].filled = false;
	j->depth++;
	buf_putc(j->out, object ? '{' : '[');
}

static void end(struct json *j, bool object)
{
	must(j->depth > 0 && j->scopes[j->depth - 1].object == object && !j->after_key);
	j->depth--;
	buf_putc(j->out, object ? '}' : ']');
	after_value(j);
}

void json_begin_object(struct json *j)
{
	begin(j, true);
}

void json_end_object(struct json *j)
{
	end(j, true);
}

void json_begin_array(struct json *j)
{
	begin(j, false);
}

void json_end_array(struct json *j)
{
	end(j, false);
}

void json_key(struct json *j, const char *key)
{
	must(j->depth > 0 && j->scopes[j->depth - 1].object && !j->after_key);
	if (j->scopes[j->depth - 1].filled)
		buf_putc(j->out, ',');
	j->scopes[j->depth - 1].filled = true;
	json_text_put(j->out, key, strlen(key));
	buf_putc(j->out, ':');
	j->after_key = true;
}

void json_put_raw(struct json *j, const char *json, size_t n)
{
	must(n > 0);
	before_value(j);
	buf_put(j->out, json, n);
	after_value(j);
}

void json_put_text_n(struct json *j, const char *s, size_t n)
{
	before_value(j);
	json_text_put(j->out, s, n);
	after_value(j);
}

void json_put_text(struct json *j, const char *s)
{
	if (s)
		json_put_text_n(j, s, strlen(s));
	else
		json_put_null(j);
}

void json_put_int(struct json *j, int64_t v)
{
	before_value(j);
	buf_putint(j->out, v);
	after_value(j);
}

void json_put_bool(struct json *j, bool v)
{
	json_put_raw(j, v ? "true" : "false", v ? 4 : 5);
}

void json_put_null(struct json *j)
{
	json_put_raw(j, "null", 4);
}

void json_put_number(struct json *j, const char *literal)
{
	if (literal && json_number_valid(literal))
		json_put_raw(j, literal, strlen(literal));
	else
		json_put_null(j);
}

void json_pair_text(struct json *j, const char *key, const char *s)
{
	json_key(j, key);
	json_put_text(j, s);
}

void json_pair_int(struct json *j, const char *key, int64_t v)
{
	json_key(j, key);
	json_put_int(j, v);
}

void json_pair_bool(struct json *j, const char *key, bool v)
{
	json_key(j, key);
	json_put_bool(j, v);
}

void json_pair_number(struct json *j, const char *key, const char *literal)
{
	json_key(j, key);
	json_put_number(j, literal);
}

void json_end(const struct json *j)
{
	must(j->done && j->depth == 0);
}

/* Skips digits; NULL if there is none. */
static const char *digits(const char *s)
{
	const char *p = s;
	while (*p >= '0' && *p <= '9')
		p++;
	return p > s ? p : NULL;
}

bool json_number_valid(const char *s)
{
	s += *s == '-';
	const char *p = *s == '0' ? s + 1 : digits(s); /* no leading zeros */
	if (p && *p == '.')
		p = digits(p + 1);
	if (p && (*p == 'e' || *p == 'E')) {
		p++;
		p += *p == '+' || *p == '-';
		p = digits(p);
	}
	return p && *p == '\0';
}
