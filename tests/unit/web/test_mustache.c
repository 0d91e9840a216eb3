/* test_mustache.c: our own cases, and the official specification where it is at hand.
 *
 * TAKINGS_SHARED names the directory that holds data/mustache-spec/ (default: ../shared);
 * without it the specification is skipped, and says so. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "web/mustache.h"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

/* ---- from JSON, for the specification ---------------------------------------- */

static const char *number_text(const json_t *j)
{
	return json_is_integer(j) ? arena_printf(&arena, "%lld", (long long)json_integer_value(j))
	                          : arena_printf(&arena, "%g", json_real_value(j));
}

static struct tv *tv_from_json(const json_t *j)
{
	const char *key;
	json_t *value;
	size_t i;
	if (json_is_object(j)) {
		struct tv *object = tv_object(&arena);
		json_object_foreach((json_t *)(uintptr_t)j, key, value)
			tv_set(&arena, object, key, tv_from_json(value));
		return object;
	}
	if (json_is_array(j)) {
		struct tv *list = tv_list(&arena);
		json_array_foreach(j, i, value) tv_push(&arena, list, tv_from_json(value));
		return list;
	}
	if (json_is_boolean(j))
		return tv_bool(&arena, json_is_true(j));
	if (json_is_number(j))
		return tv_text(&arena, number_text(j));
	return tv_text(&arena, json_string_value(j)); /* null: NULL */
}

static const char *partial_from_json(void *arg, const char *name)
{
	return json_string_value(json_object_get(arg, name));
}

/* Renders one test; true if the bytes are those wanted. */
static bool spec_test(const char *file, const json_t *test)
{
	const char *name = json_string_value(json_object_get(test, "name"));
	const char *want = json_string_value(json_object_get(test, "expected"));
	struct errbuf eb = {.code = ERR_OK};
	struct mustache *t = NULL;
	struct buf out;
	buf_init(&out);
	enum err rc = mustache_compile(&t, name, json_string_value(json_object_get(test, "template")),
	                               partial_from_json, json_object_get(test, "partials"), &eb);
	if (rc == ERR_OK)
		rc = mustache_render(t, tv_from_json(json_object_get(test, "data")), &out, &eb);
	bool same = rc == ERR_OK && strcmp(buf_str(&out), want) == 0;
	if (!same)
		print_error("%s: %s: %s\n--- wanted\n%s\n--- got\n%s\n", file, name, eb.text, want,
		            buf_str(&out));
	mustache_free(t);
	buf_fini(&out);
	return same;
}

static void spec_file(void **state)
{
	const char *shared = getenv("TAKINGS_SHARED");
	const char *file = *state;
	const char *path =
		arena_printf(&arena, "%s/data/mustache-spec/%s.json", shared ? shared : "../shared", file);
	size_t i, passed = 0;
	json_t *test;
	if (access(path, R_OK) != 0) {
		print_message("no specification at %s\n", path);
		skip();
	}
	json_t *root = json_load_file(path, 0, NULL);
	assert_non_null(root);
	json_t *tests = json_object_get(root, "tests");
	json_array_foreach(tests, i, test) passed += spec_test(file, test);
	print_message("%s: %zu of %zu tests of the specification pass\n", file, passed,
	              json_array_size(tests));
	assert_int_equal(passed, json_array_size(tests));
	assert_true(passed > 0);
	json_decref(root);
}

/* ---- our own cases ----------------------------------------------------------- */

static const struct {
	const char *template, *data, *want;
} cases[] = {
	/* values */
	{"Total {{total}}", "{\"total\": \"12.50\"}", "Total 12.50"},
	{"{{x}}|{{{x}}}|{{&x}}", "{\"x\": \"<a b='c'>`&\\\"\"}",
     "&lt;a b=&#39;c&#39;&gt;&#96;&amp;&quot;|<a b='c'>`&\"|<a b='c'>`&\""},
	{"{{a}}{{b}}{{c}}", "{\"a\": true, \"b\": false, \"c\": null}", "truefalse"},
	{"[{{list}}{{object}}{{none}}]", "{\"list\": [1], \"object\": {\"a\": 1}}", "[]"},
	{"{{ spaced }}{{\tspaced\n}}", "{\"spaced\": 1}", "11"},
	{"{{day.total.net}}", "{\"day\": {\"total\": {\"net\": 7}}}", "7"},
	{"[{{day.gross.net}}]", "{\"day\": {\"total\": 1}, \"net\": 5}", "[]"},
	/* sections */
	{"{{#rows}}<{{n}}>{{/rows}}", "{\"rows\": [{\"n\": 1}, {\"n\": 2}]}", "<1><2>"},
	{"{{#rows}}{{.}},{{/rows}}", "{\"rows\": [1, \"b\", 2.5]}", "1,b,2.5,"},
	{"{{#rows}}{{n}}{{unit}} {{/rows}}", "{\"rows\": [{\"n\": 1}, {\"n\": 2}], \"unit\": \"x\"}",
     "1x 2x "},
	/* an absent value hides the outer one: a NULL column is not somebody else's */
	{"{{#row}}[{{name}}]{{/row}}", "{\"name\": \"outer\", \"row\": {\"name\": null}}", "[]"},
	{"{{#x}}yes{{/x}}{{^x}}no{{/x}}", "{\"x\": \"\"}", "no"},
	{"{{#x}}yes{{/x}}{{^x}}no{{/x}}", "{\"x\": \"0\"}", "yes"},
	{"{{#x}}yes{{/x}}{{^x}}no{{/x}}", "{\"x\": []}", "no"},
	{"{{#x}}yes{{/x}}{{^x}}no{{/x}}", "{\"x\": {}}", "yes"},
	{"{{#x}}yes{{/x}}{{^x}}no{{/x}}", "{}", "no"},
	{"{{#a.b}}{{c}}{{/a.b}}", "{\"a\": {\"b\": {\"c\": 3}}}", "3"},
	{"{{#l}}{{#.}}{{.}}{{/.}};{{/l}}", "{\"l\": [[1, 2], [3]]}", "12;3;"},
	/* lines */
	{"a\n{{#x}}\nb\n{{/x}}\nc\n", "{\"x\": true}", "a\nb\nc\n"},
	{"a\r\n  {{#x}}  \r\nb\r\n{{/x}}\r\nc", "{\"x\": true}", "a\r\nb\r\nc"},
	{"a\n{{! no more }}\n{{=<% %>=}}\nb<% x %>\n", "{\"x\": 1}", "a\nb1\n"},
	{"{{#x}} {{/x}}\n", "{\"x\": true}", " \n"},
	{"{{#x}}\n{{#x}}\n\n{{/x}}\n{{/x}}", "{\"x\": true}", "\n"},
	/* delimiters */
	{"{{=| |=}}|x||={{ }}=|{{x}}", "{\"x\": 1}", "11"},
	{"{{=[ ]=}}[{x}][&x]", "{\"x\": \"<\"}", "<<"},
	/* partials; those in `partials` below */
	{"{{>row}}", "{\"n\": 1}", "<td>1</td>\n"},
	{"  {{>row}}\nend", "{\"n\": 1}", "  <td>1</td>\nend"},
	{"a {{>row}} b", "{\"n\": 1}", "a <td>1</td>\n b"},
	{" {{>first}}\n", "{\"n\": 1}", " a\n 1\n 11\n\n b\n"},
	{"  {{>two}}\n", "{\"n\": \"x\\ny\"}", "  one\n\n   <td>x\ny</td>\n"},
	{"\t{{>block}}", "{\"l\": [1, 2]}", "\t1 one\n\t2 one\n"},
	{" {{>inline}}\n", "{\"n\": 1}", " [one\n\n <td>1</td>\n]\n"},
	{"{{>tree}}", "{\"v\": 1, \"kids\": [{\"v\": 2, \"kids\": [{\"v\": 3, \"kids\": []}]}]}",
     "1\n 2\n  3\n"},
	{"[{{>nothing}}]", "{}", "[]"},
	{"", "{}", ""},
};

static const char *const partials[][2] = {
	{"row", "<td>{{n}}</td>\n"},   {"first", "a\n{{n}}\n{{n}}{{n}}\n\nb\n"},
	{"two", "one\n\n {{>row}}\n"}, {"block", "{{#l}}\n{{.}} one\n{{/l}}\n"},
	{"inline", "[{{>two}}]\n"},    {"tree", "{{v}}\n{{#kids}}\n {{>tree}}\n{{/kids}}\n"},
	{"endless", "{{>endless}}"},   {"broken", "{{#a}}"},
};

static const char *partial_find(void *arg, const char *name)
{
	(void)arg;
	for (size_t i = 0; i < sizeof partials / sizeof *partials; i++)
		if (strcmp(partials[i][0], name) == 0)
			return partials[i][1];
	return NULL;
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct errbuf eb = {.code = ERR_OK};
		struct mustache *t = NULL;
		struct buf out;
		buf_init(&out);
		json_t *data = json_loads(cases[i].data, 0, NULL);
		assert_non_null(data);
		assert_int_equal(mustache_compile(&t, "case", cases[i].template, partial_find, NULL, &eb),
		                 ERR_OK);
		assert_int_equal(mustache_render(t, tv_from_json(data), &out, &eb), ERR_OK);
		if (strcmp(buf_str(&out), cases[i].want) != 0)
			print_error("template: %s\n", cases[i].template);
		assert_string_equal(buf_str(&out), cases[i].want);
		mustache_free(t);
		json_decref(data);
		buf_fini(&out);
	}
}

/* Templates that do not compile, and what the message must say. */
static const struct {
	const char *template, *says;
} broken[] = {
	{"a\nb {{x", "line 2: a tag is not closed with '}}'"},
	{"{{{x}}", "not closed with '}}}'"},
	{"{{=<% %>}}", "not closed with '=}}'"},
	{"\n\n{{#x}}", "line 3: there is no end of section 'x'"},
	{"{{/x}}", "nothing is open at the end of 'x'"},
	{"{{#x}}{{#y}}{{/x}}{{/y}}", "another section is open at the end of 'x'"},
	{"{{}}", "not a name: ''"},
	{"{{a..b}}", "not a name: 'a..b'"},
	{"{{.a}}", "not a name: '.a'"},
	{"{{a b}}", "not a name: 'a b'"},
	{"{{>}}", "not a name"},
	{"{{=a=}}", "not two delimiters: 'a'"},
	{"{{=a b c=}}", "not two delimiters"},
	{"{{>broken}}", "template 'broken' line 1"},
};

static void test_broken(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		struct errbuf eb = {.code = ERR_OK};
		struct mustache *t = NULL;
		assert_int_equal(mustache_compile(&t, "page", broken[i].template, partial_find, NULL, &eb),
		                 ERR_CONFIG);
		if (!strstr(eb.text, broken[i].says))
			print_error("%s\n  says: %s\n", broken[i].template, eb.text);
		assert_non_null(strstr(eb.text, broken[i].says));
	}
}

static struct mustache *compiled(const char *text)
{
	struct errbuf eb = {.code = ERR_OK};
	struct mustache *t = NULL;
	assert_int_equal(mustache_compile(&t, "page", text, partial_find, NULL, &eb), ERR_OK);
	return t;
}

/* n sections in each other. */
static const char *nested(int n)
{
	struct buf b;
	buf_init(&b);
	for (int i = 0; i < n; i++)
		buf_puts(&b, "{{#x}}");
	buf_putc(&b, '.');
	for (int i = 0; i < n; i++)
		buf_puts(&b, "{{/x}}");
	const char *text = arena_strdup(&arena, buf_str(&b));
	buf_fini(&b);
	return text;
}

static void test_nesting_limit(void **state)
{
	(void)state;
	struct errbuf eb = {.code = ERR_OK};
	struct mustache *t = NULL;
	mustache_free(compiled(nested(MUSTACHE_NESTING - 1)));
	mustache_free(compiled(nested(MUSTACHE_NESTING)));
	assert_int_equal(mustache_compile(&t, "page", nested(MUSTACHE_NESTING + 1), NULL, NULL, &eb),
	                 ERR_CONFIG);
	assert_non_null(strstr(eb.text, "nested too deeply"));
}

/* A chain of `n` partials "p1" -> "p2" -> ... */
static const char *chain_source(void *arg, const char *name)
{
	int at = (int)strtol(name + 1, NULL, 10);
	return at < *(int *)arg ? arena_printf(&arena, "{{>p%d}}", at + 1) : "end";
}

static enum err render_chain(int n, struct buf *out, struct errbuf *eb)
{
	struct mustache *t = NULL;
	assert_int_equal(mustache_compile(&t, "page", "{{>p1}}", chain_source, &n, eb), ERR_OK);
	enum err rc = mustache_render(t, NULL, out, eb);
	mustache_free(t);
	return rc;
}

static void test_partial_limit(void **state)
{
	(void)state;
	struct errbuf eb = {.code = ERR_OK};
	struct buf out;
	buf_init(&out);
	assert_int_equal(render_chain(MUSTACHE_PARTIALS - 1, &out, &eb), ERR_OK);
	assert_int_equal(render_chain(MUSTACHE_PARTIALS, &out, &eb), ERR_OK);
	assert_string_equal(buf_str(&out), "endend");
	assert_int_equal(render_chain(MUSTACHE_PARTIALS + 1, &out, &eb), ERR_CONFIG);
	err_clear(&eb);
	struct mustache *t = compiled("{{>endless}}");
	assert_int_equal(mustache_render(t, NULL, &out, &eb), ERR_CONFIG);
	assert_non_null(strstr(eb.text, "endless"));
	mustache_free(t);
	buf_fini(&out);
}

/* ---- checking names ---------------------------------------------------------- */

static bool is_known(void *arg, const char *path)
{
	static const char *const names[] = {
		"title",     "items", "items.name", "items.prices", "items.prices.net", "day",
		"day.total", "n",     "v",          "kids",
	};
	(void)arg;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], path) == 0)
			return true;
	return false;
}

static enum err check(const char *text, struct errbuf *eb)
{
	struct mustache *t = compiled(text);
	err_clear(eb);
	enum err rc = mustache_check(t, is_known, NULL, eb);
	mustache_free(t);
	return rc;
}

static void test_check(void **state)
{
	(void)state;
	struct errbuf eb;
	assert_int_equal(check("{{title}}{{day.total}}", &eb), ERR_OK);
	assert_int_equal(check("{{#items}}{{name}}{{title}}{{/items}}", &eb), ERR_OK);
	assert_int_equal(check("{{#items}}{{#prices}}{{net}}{{name}}{{.}}{{/prices}}{{/items}}", &eb),
	                 ERR_OK);
	assert_int_equal(check("{{#items.prices}}{{net}}{{/items.prices}}", &eb), ERR_OK);
	assert_int_equal(check("{{^items}}{{title}}{{/items}}{{>row}}", &eb), ERR_OK);
	assert_int_equal(check("{{>tree}}", &eb), ERR_OK);

	assert_int_equal(check("{{title}}\n{{tilte}}", &eb), ERR_CONFIG);
	assert_string_equal(eb.text, "template 'page' line 2: unknown name 'tilte'");
	assert_string_equal(eb.field, "tilte");
	assert_int_equal(check("{{name}}", &eb), ERR_CONFIG);
	assert_int_equal(check("{{^items}}{{name}}{{/items}}", &eb), ERR_CONFIG);
	assert_int_equal(check("{{#items}}{{/items}}{{#itmes}}{{/itmes}}", &eb), ERR_CONFIG);
	assert_int_equal(check("{{#title}}\n{{{x}}}{{/title}}", &eb), ERR_CONFIG);
	assert_non_null(strstr(eb.text, "line 2: unknown name 'x'"));
	assert_int_equal(check("\n{{>nothing}}", &eb), ERR_CONFIG);
	assert_string_equal(eb.text, "template 'page' line 2: there is no partial 'nothing'");
	assert_int_equal(check("{{>block}}", &eb), ERR_CONFIG);
	assert_string_equal(eb.text, "template 'block' line 1: unknown name 'l'");
}

/* ---- values ------------------------------------------------------------------ */

static void test_values(void **state)
{
	(void)state;
	struct tv *o = tv_object(&arena), *list = tv_list(&arena);
	for (int i = 0; i < 1000; i++)
		tv_push(&arena, list, tv_int(&arena, i));
	assert_int_equal(list->n, 1000);
	assert_string_equal(list->items[999]->text, "999");
	for (int i = 0; i < 40; i++)
		tv_set_int(&arena, o, arena_printf(&arena, "k%d", i), INT64_MIN + i);
	tv_set_text(&arena, o, "k7", "again");
	assert_int_equal(o->n, 40);
	assert_string_equal(tv_find(o, "k7")->text, "again");
	assert_string_equal(tv_find(o, "k0")->text, "-9223372036854775808");
	assert_null(tv_find(o, "none"));
	assert_null(tv_find(list, "k0"));
	assert_null(tv_find(NULL, "k0"));
	tv_set_text(&arena, o, "k7", NULL);
	assert_int_equal(tv_find(o, "k7")->kind, TV_ABSENT);
	tv_set_bool(&arena, o, "yes", true);
	assert_true(tv_is_true(tv_find(o, "yes")));
	assert_false(tv_is_true(tv_text_n(&arena, "abc", 0)));
}

int main(void)
{
	static char comments[] = "comments", delimiters[] = "delimiters", inverted[] = "inverted",
				interpolation[] = "interpolation", parts[] = "partials", sections[] = "sections";
#define SPEC(file)                                                                                 \
	{                                                                                              \
		"specification: " #file, spec_file, setup, teardown, file                                  \
	}
	const struct CMUnitTest tests[] = {
		SPEC(comments),
		SPEC(delimiters),
		SPEC(interpolation),
		SPEC(inverted),
		SPEC(parts),
		SPEC(sections),
		cmocka_unit_test_setup_teardown(test_cases, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nesting_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_partial_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_check, setup, teardown),
		cmocka_unit_test_setup_teardown(test_values, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
