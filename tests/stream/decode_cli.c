/* decode_cli.c: messages in, what they mean out, both as JSON lines; for tests.
 *
 *   decode_cli row|change [TABLE] [key=value ...]   time=s|m|u|n scale=N floats=0|1
 * format=auto|event|row
 *
 * A line of input is {"key": ..., "value": ...}: any JSON, sent as its text; or key_text,
 * value_text as they are. Also "offset" and "time_us". The rules are those of a site in UTC. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "stream/decode.h"

static struct clock_piece utc[] = {{INT64_MIN, 0}};
static struct rules rules = {.timezone = "UTC",
                             .order_db_timezone = "UTC",
                             .profile = "commerce",
                             .currency = "EUR",
                             .location = 1,
                             .utc = {utc, 1},
                             .order = {utc, 1},
                             .currencies = {{"JPY", 0}, {"KWD", 3}},
                             .currencies_n = 2};

static json_t *text_or_null(const char *s)
{
	return s ? json_string(s) : json_null();
}

static json_t *values_json(const struct row_value *v, int n)
{
	static const char *const kinds[] = {
		[VALUE_NULL] = "null",   [VALUE_TEXT] = "text",   [VALUE_KEPT] = "kept",
		[VALUE_FLOAT] = "float", [VALUE_BYTES] = "bytes", [VALUE_NUMBER] = "number",
		[VALUE_JSON] = "json"};
	json_t *o = json_object();
	for (int i = 0; i < n; i++)
		json_object_set_new(
			o, v[i].name,
			json_pack("{s:s, s:o}", "kind", kinds[v[i].kind], "text", text_or_null(v[i].text)));
	return o;
}

static json_t *row_json(const struct row_change *r)
{
	char op[2] = {(char)r->op, '\0'};
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:I, s:I}", "op", op, "schema", r->schema, "table",
	                 r->table, "key", values_json(r->key, r->key_n), "columns",
	                 values_json(r->columns, r->columns_n), "lsn", (json_int_t)r->lsn, "time_us",
	                 (json_int_t)r->time_us);
}

static void put_number(json_t *o, const char *name, int64_t v)
{
	json_object_set_new(o, name, v == CHANGE_NONE ? json_null() : json_integer(v));
}

static json_t *change_json(const struct change *c)
{
	static const char *const kinds[] = {"order", "line", "refund"};
	json_t *o = json_pack("{s:s, s:i, s:i, s:b, s:b, s:s}", "kind", kinds[c->kind], "fields",
	                      (int)c->fields, "registers", (int)c->registers, "deleted", c->deleted,
	                      "event", c->event, "id", c->id);
	put_number(o, "birth_major", c->birth.major);
	put_number(o, "birth_minor", c->birth.minor);
	put_number(o, "total", c->total);
	put_number(o, "location", c->location);
	put_number(o, "placed_us", c->placed_us);
	put_number(o, "cancelled_us", c->cancelled_us);
	json_object_set_new(o, "order_id", text_or_null(c->order_id));
	json_object_set_new(o, "status", text_or_null(c->status_word));
	json_object_set_new(o, "currency", text_or_null(c->currency));
	json_object_set_new(o, "customer", text_or_null(c->customer));
	json_object_set_new(o, "item", text_or_null(c->item));
	json_object_set_new(o, "name", text_or_null(c->name));
	json_object_set_new(o, "quantity", text_or_null(c->quantity));
	json_object_set_new(o, "price", text_or_null(c->price));
	json_object_set_new(o, "amount", text_or_null(c->amount));
	return o;
}

static json_t *error_json(enum err rc, const struct errbuf *eb)
{
	return json_pack("{s:s, s:s, s:s}", "error", err_name(rc), "field", eb->field, "text",
	                 eb->text);
}

static json_t *decode_row_json(const struct decoder *d, const struct message *m)
{
	struct arena a;
	struct row_change row;
	struct errbuf eb = {0};
	const struct jnode *value = NULL, *key = NULL;
	struct errbuf ignored = {0};
	arena_init(&a);
	enum err rc = ERR_OK;
	if (m->value)
		rc = jnode_parse(&a, m->value, m->value_n, MESSAGE_DEPTH, "schema", &value, &eb);
	if (m->key && jnode_parse(&a, m->key, m->key_n, MESSAGE_DEPTH, "schema", &key, &ignored))
		key = NULL;
	if (rc == ERR_OK)
		rc = decode_debezium(d, m, key, value, &a, &row, &eb);
	json_t *out = rc == ERR_OK ? row_json(&row) : error_json(rc, &eb);
	arena_fini(&a);
	return out;
}

static json_t *decode_changes_json(const struct decoder *d, const struct message *m)
{
	struct changes *changes = changes_new();
	struct errbuf eb = {0};
	size_t n = 0;
	enum err rc = decode_message(d, m, changes, NULL, &eb);
	json_t *out = rc == ERR_OK ? json_array() : error_json(rc, &eb);
	const struct change *const *list = changes_sorted(changes, &n);
	for (size_t i = 0; rc == ERR_OK && i < n; i++)
		json_array_append_new(out, change_json(list[i]));
	changes_free(changes);
	return out;
}

static char *bytes_of(const json_t *line, const char *name, const char *text_name)
{
	const json_t *v = json_object_get(line, name);
	const char *text = json_string_value(json_object_get(line, text_name));
	if (text)
		return mem_strdup(text);
	return v && !json_is_null(v) ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
}

static void take_option(struct decoder *d, const char *arg)
{
	if (strncmp(arg, "time=", 5) == 0)
		d->units.time = arg[5];
	else if (strncmp(arg, "scale=", 6) == 0)
		d->units.scale = (int)strtol(arg + 6, NULL, 10);
	else if (strncmp(arg, "floats=", 7) == 0)
		d->units.floats = arg[7] == '1';
	else if (strncmp(arg, "format=", 7) == 0)
		d->format = arg[7] == 'e' ? FORMAT_EVENT : arg[7] == 'r' ? FORMAT_ROW : FORMAT_AUTO;
	else
		d->table = arg;
}

int main(int argc, char **argv)
{
	struct decoder d = {.rules = &rules, .units = {'u', 2, false}, .format = FORMAT_AUTO};
	char *line = NULL;
	size_t cap = 0;
	bool rows = argc > 1 && strcmp(argv[1], "row") == 0;
	rules.counted = mem_strdup("");
	for (int i = 2; i < argc; i++)
		take_option(&d, argv[i]);
	for (ssize_t n; (n = getline(&line, &cap, stdin)) > 0;) {
		json_t *in = json_loadb(line, (size_t)n, 0, NULL);
		if (!in)
			return 2;
		char *key = bytes_of(in, "key", "key_text"), *value = bytes_of(in, "value", "value_text");
		struct message m = {.at = {.source = "test",
		                           .topic = "test",
		                           .offset = json_integer_value(json_object_get(in, "offset"))},
		                    .time_us = json_integer_value(json_object_get(in, "time_us")),
		                    .key = key,
		                    .value = value,
		                    .key_n = key ? strlen(key) : 0,
		                    .value_n = value ? strlen(value) : 0};
		json_t *out = rows ? decode_row_json(&d, &m) : decode_changes_json(&d, &m);
		(void)json_dumpf(out, stdout, JSON_COMPACT);
		(void)putchar('\n');
		json_decref(out);
		json_decref(in);
		free(key);
		free(value);
	}
	free(line);
	free(rules.counted);
	return 0;
}
