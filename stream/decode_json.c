/* decode_json.c: see decode_json.h. */
#include "stream/decode_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "stream/decode.h"

static bool shallow(const json_t *v, int levels)
{
	if (!json_is_object(v) && !json_is_array(v))
		return true;
	if (levels == 0)
		return false;
	if (json_is_array(v)) {
		for (size_t i = 0; i < json_array_size(v); i++)
			if (!shallow(json_array_get(v, i), levels - 1))
				return false;
		return true;
	}
	for (void *it = json_object_iter((json_t *)v); it; it = json_object_iter_next((json_t *)v, it))
		if (!shallow(json_object_iter_value(it), levels - 1))
			return false;
	return true;
}

static bool shallow_message(json_t *v)
{
	if (!json_is_object(v))
		return shallow(v, MESSAGE_DEPTH);
	for (void *it = json_object_iter(v); it; it = json_object_iter_next(v, it))
		if (strcmp(json_object_iter_key(it), "schema") != 0 &&
		    !shallow(json_object_iter_value(it), MESSAGE_DEPTH - 1))
			return false;
	return true;
}

enum err decode_json(const char *bytes, size_t n, json_t **out, struct errbuf *eb)
{
	json_error_t je;
	*out = json_loadb(bytes, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
	if (!*out)
		return err_set(eb, ERR_MALFORMED, "no valid JSON: %.200s (byte %d)", je.text, je.position);
	if (!json_is_object(*out))
		err_set(eb, ERR_INVALID, "the message is no JSON object");
	else if (!shallow_message(*out))
		err_set(eb, ERR_INVALID, "the message is nested deeper than %d levels", MESSAGE_DEPTH);
	else
		return ERR_OK;
	json_decref(*out);
	*out = NULL;
	return ERR_INVALID;
}

json_t *decode_json_key(const char *bytes, size_t n)
{
	json_t *key = json_loadb(bytes, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	if (key && !shallow_message(key)) {
		json_decref(key);
		return NULL;
	}
	return key;
}

const char *decode_json_real(struct arena *a, double v, bool *exact)
{
	char text[40];
	(void)snprintf(text, sizeof text, "%.15g", v);
	*exact = strtod(text, NULL) == v;
	if (!*exact)
		(void)snprintf(text, sizeof text, "%.17g", v);
	return arena_strdup(a, text);
}

const char *decode_json_text(struct arena *a, const json_t *v)
{
	char text[24];
	switch (json_typeof(v)) {
	case JSON_STRING:
		return arena_strndup(a, json_string_value(v), json_string_length(v));
	case JSON_INTEGER:
		(void)snprintf(text, sizeof text, "%" PRId64, (int64_t)json_integer_value(v));
		return arena_strdup(a, text);
	case JSON_TRUE:
		return "t";
	case JSON_FALSE:
		return "f";
	default:
		return NULL;
	}
}

bool decode_json_int(const json_t *v, int64_t *out)
{
	if (json_is_integer(v)) {
		*out = json_integer_value(v);
		return true;
	}
	return json_is_string(v) && num_parse_int(json_string_value(v), INT64_MIN, INT64_MAX, out);
}

const char *decode_json_string(const json_t *v, const char *name)
{
	return json_string_value(json_object_get(v, name));
}
