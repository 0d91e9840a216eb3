/* test_activity_schema.c: what properties must look like, and what is refused of a schema. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "domain/activity_schema.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct arena arena;
static struct errbuf eb;

static int begin(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static const struct activity_schema *parse(const char *text)
{
	const struct activity_schema *schema;
	eb = (struct errbuf){0};
	if (activity_schema_parse(&arena, text, &schema, &eb) != ERR_OK)
		fail_msg("%s: %s: %s", text, eb.field, eb.text);
	return schema;
}

/* `field` NULL: it fits. */
static void check(const char *schema, const char *properties, const char *field)
{
	const struct activity_schema *s = parse(schema);
	enum err rc = activity_schema_check(&arena, s, properties, &eb);
	if (rc != (field ? ERR_INVALID : ERR_OK) || strcmp(eb.field, field ? field : "") != 0)
		fail_msg("%s with %s: %s: %s", properties, schema, eb.field, eb.text);
	if (field && strncmp(eb.text, field, strlen(field)) != 0)
		fail_msg("%s does not say what is wrong with %s", eb.text, field);
}

#define P(one) "{\"properties\":{\"p\":" one "}}"

static void test_types(void **state)
{
	(void)state;
	static const char *const types[] = {"null",   "boolean", "number", "integer",
	                                    "string", "array",   "object"};
	static const struct {
		const char *value, *fits;
	} rows[] = {
		{"null", "null"},           {"true", "boolean"},     {"false", "boolean"},
		{"1.5", "number"},          {"7", "number integer"}, {"7.0", "number integer"},
		{"-1e2", "number integer"}, {"1e-1", "number"},      {"\"\"", "string"},
		{"\"7\"", "string"},        {"[]", "array"},         {"{}", "object"},
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t t = 0; t < COUNT(types); t++) {
			const char *schema = arena_printf(&arena, P("{\"type\":\"%s\"}"), types[t]);
			check(schema, arena_printf(&arena, "{\"p\":%s}", rows[i].value),
			      strstr(rows[i].fits, types[t]) ? NULL : "properties.p");
		}
	check(P("{\"type\":[\"string\",\"null\"]}"), "{\"p\":null}", NULL);
	check(P("{\"type\":[\"string\",\"null\"]}"), "{\"p\":1}", "properties.p");
	assert_string_equal(eb.text, "properties.p is no null or string");
	check("{\"type\":\"object\"}", "{\"p\":1}", NULL);
	check("{\"type\":\"array\"}", "{\"p\":1}", "properties");
}

static void test_members(void **state)
{
	(void)state;
	check("{\"required\":[\"a\",\"b\"]}", "{\"a\":null,\"b\":1,\"c\":2}", NULL);
	check("{\"required\":[\"a\",\"b\"]}", "{\"a\":1}", "properties.b");
	assert_string_equal(eb.text, "properties.b is missing");
	check("{\"additionalProperties\":false}", "{}", NULL);
	check("{\"additionalProperties\":false}", "{\"a\":1}", "properties.a");
	check("{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"a\":1}", NULL);
	check("{\"properties\":{\"a\":{}},\"additionalProperties\":{\"type\":\"number\"}}",
	      "{\"a\":\"x\",\"b\":1}", NULL);
	check("{\"properties\":{\"a\":{}},\"additionalProperties\":{\"type\":\"number\"}}",
	      "{\"a\":\"x\",\"b\":\"x\"}", "properties.b");
	check(P("{\"properties\":{\"q\":{\"type\":\"string\"}},\"required\":[\"r\"]}"),
	      "{\"p\":{\"q\":1,\"r\":1}}", "properties.p.q");
	check(P("{\"properties\":{\"q\":{\"type\":\"string\"}},\"required\":[\"r\"]}"),
	      "{\"p\":{\"q\":\"x\"}}", "properties.p.r");
	check(P("false"), "{\"q\":1}", NULL);
	check(P("false"), "{\"p\":1}", "properties.p");
	check(P("true"), "{\"p\":1}", NULL);
	check("true", "{\"p\":1}", NULL);
	check("{}", "{\"p\":1}", NULL);
}

static void test_limits(void **state)
{
	(void)state;
	check(P("{\"minimum\":1}"), "{\"p\":0.99999999999999999999}", "properties.p");
	assert_string_equal(eb.text, "properties.p is less than 1");
	check(P("{\"minimum\":1}"), "{\"p\":1}", NULL);
	check(P("{\"minimum\":1}"), "{\"p\":1.00}", NULL);
	check(P("{\"minimum\":1}"), "{\"p\":\"0\"}", NULL);
	check(P("{\"minimum\":-1.5}"), "{\"p\":-1.6}", "properties.p");
	check(P("{\"minimum\":-1.5}"), "{\"p\":-1.5}", NULL);
	check(P("{\"maximum\":9007199254740992}"), "{\"p\":9007199254740992}", NULL);
	check(P("{\"maximum\":9007199254740992}"), "{\"p\":9007199254740993}", "properties.p");
	check(P("{\"maximum\":1e3}"), "{\"p\":1000}", NULL);
	check(P("{\"maximum\":1e3}"), "{\"p\":1e300}", "properties.p");
	check(P("{\"maximum\":-2}"), "{\"p\":-3}", NULL);
	check(P("{\"maximum\":-2}"), "{\"p\":-1}", "properties.p");
	check(P("{\"maxLength\":3}"), "{\"p\":\"ab\"}", NULL);
	check(P("{\"maxLength\":3}"), "{\"p\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"}", NULL);
	check(P("{\"maxLength\":3}"), "{\"p\":\"abcd\"}", "properties.p");
	check(P("{\"maxLength\":0}"), "{\"p\":\"a\"}", "properties.p");
	check(P("{\"maxLength\":3}"), "{\"p\":1234}", NULL);
}

static void test_enum(void **state)
{
	(void)state;
	const char *schema = P("{\"enum\":[\"a\",1,true,null]}");
	static const char *const good[] = {"\"a\"", "1", "1.0", "1e0", "true", "null"};
	static const char *const bad[] = {"\"b\"", "\"1\"", "2", "false", "\"\"", "[]", "{}"};
	for (size_t i = 0; i < COUNT(good); i++)
		check(schema, arena_printf(&arena, "{\"p\":%s}", good[i]), NULL);
	for (size_t i = 0; i < COUNT(bad); i++)
		check(schema, arena_printf(&arena, "{\"p\":%s}", bad[i]), "properties.p");
	check(P("{\"enum\":[]}"), "{\"p\":1}", "properties.p");
}

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		const char *schema, *field;
	} rows[] = {
		{"{\"pattern\":\"a\"}", "schema.pattern"},
		{P("{\"pattern\":\"a\"}"), "schema.properties.p.pattern"},
		{P("{\"properties\":{\"q\":{\"minLength\":1}}}"),
	     "schema.properties.p.properties.q.minLength"},
		{"{\"additionalProperties\":{\"items\":{}}}", "schema.additionalProperties.items"},
		{"{\"Type\":\"string\"}", "schema.Type"},
		{"{\"type\":\"text\"}", "schema.type"},
		{"{\"type\":[]}", "schema.type"},
		{"{\"type\":[\"string\",1]}", "schema.type"},
		{"{\"required\":\"a\"}", "schema.required"},
		{"{\"required\":[1]}", "schema.required"},
		{"{\"properties\":[]}", "schema.properties"},
		{P("1"), "schema.properties.p"},
		{"{\"enum\":\"a\"}", "schema.enum"},
		{"{\"enum\":[[]]}", "schema.enum"},
		{"{\"minimum\":\"1\"}", "schema.minimum"},
		{"{\"maxLength\":-1}", "schema.maxLength"},
		{"{\"maxLength\":1.5}", "schema.maxLength"},
		{"7", "schema"},
		{"[]", "schema"},
	};
	const struct activity_schema *schema;
	for (size_t i = 0; i < COUNT(rows); i++) {
		eb = (struct errbuf){0};
		enum err rc = activity_schema_parse(&arena, rows[i].schema, &schema, &eb);
		if (rc != ERR_INVALID || strcmp(eb.field, rows[i].field) != 0)
			fail_msg("%s: %s: %s", rows[i].schema, eb.field, eb.text);
	}
	eb = (struct errbuf){0};
	assert_int_equal(activity_schema_parse(&arena, "{\"type\":", &schema, &eb), ERR_MALFORMED);
	(void)parse("{\"$schema\":\"x\",\"$id\":\"x\",\"$comment\":\"\",\"title\":\"t\","
	            "\"description\":\"d\",\"default\":{},\"examples\":[]}");
	for (int n = ACTIVITY_SCHEMA_BYTES - 1; n <= ACTIVITY_SCHEMA_BYTES + 1; n++) {
		char *text = arena_alloc(&arena, (size_t)n + 1);
		memset(text, ' ', (size_t)n);
		memcpy(text, "{}", 2);
		eb = (struct errbuf){0};
		assert_int_equal(activity_schema_parse(&arena, text, &schema, &eb),
		                 n <= ACTIVITY_SCHEMA_BYTES ? ERR_OK : ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_types, begin, end),
		cmocka_unit_test_setup_teardown(test_members, begin, end),
		cmocka_unit_test_setup_teardown(test_limits, begin, end),
		cmocka_unit_test_setup_teardown(test_enum, begin, end),
		cmocka_unit_test_setup_teardown(test_refused, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
