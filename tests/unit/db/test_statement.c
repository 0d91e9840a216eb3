/* test_statement.c: from query files to numbered parameters. The files are our own: `assets`
 * stands here in the place of the generated one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/assets.h"
#include "db/statement.h"

const struct asset assets[] = {
	{"sql/migrations/001_x.sql", "-- name: a_migration\nSELECT 1\n"},
	{"sql/queries/a.sql",
     "-- a.sql: what stands before the first name is for people, :even_this.\n\n"
     "-- name: plain\n-- Answers :nothing.\nSELECT 1\n\n"
     "-- name: with_params\n"
     "SELECT :from::date, :to ::date, ':literal', \"a :column\", a::text -- :comment, 'open\n"
     "FROM t WHERE x=:from AND y=:from_2 AND z IN (:to,:t) AND w ~ '^[[:alpha:]]' AND m[1:2] = "
     "'it''s :x'\n"},
	{"sql/queries/b.sql", "-- name: last\nSELECT :a"},
	{"templates/x.html", "-- name: a_template\n"},
	{NULL, NULL},
};

static int setup(void **state)
{
	(void)state;
	statement_load_all();
	return 0;
}

static void test_names(void **state)
{
	(void)state;
	static const char *const there[] = {"plain", "with_params", "last"};
	static const char *const absent[] = {"",           "plai", "plain ", "a_migration",
	                                     "a_template", "a.sql"};
	assert_int_equal(statement_count(), 3);
	for (int i = 0; i < 3; i++) {
		const struct statement *s = statement_find(there[i]);
		assert_non_null(s);
		assert_string_equal(s->name, there[i]);
		assert_int_equal(s->index, i);
	}
	for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
		assert_null(statement_find(absent[i]));
}

static void test_plain(void **state)
{
	(void)state;
	const struct statement *s = statement_find("plain");
	assert_string_equal(s->sql + strspn(s->sql, "\n"), "SELECT 1\n\n");
	assert_int_equal(s->params_n, 0);
}

static void test_params(void **state)
{
	(void)state;
	static const char *const names[] = {"from", "to", "from_2", "t"};
	const struct statement *s = statement_find("with_params");
	assert_int_equal(s->params_n, 4);
	for (int i = 0; i < 4; i++)
		assert_string_equal(s->params[i], names[i]);
	assert_string_equal(s->sql + strspn(s->sql, "\n"),
	                    "SELECT $1::date, $2 ::date, ':literal', \"a :column\", a::text \n"
	                    "FROM t WHERE x=$1 AND y=$3 AND z IN ($2,$4) AND w ~ '^[[:alpha:]]' AND "
	                    "m[1:2] = 'it''s :x'\n");
	s = statement_find("last");
	assert_int_equal(s->params_n, 1);
	assert_string_equal(s->sql + strspn(s->sql, "\n"), "SELECT $1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_params),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
