/* test_rowset.c: an answer of the server, as text with types. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <libpq-fe.h>
#include <string.h>

#include "db/rowset.h"

enum { COLUMNS = 12 };

static const struct {
	const char *name;
	Oid type;
	enum rowset_type kind;
	const char *value;
} columns[COLUMNS] = {
	{"truth", 16, ROWSET_BOOL, "t"},
	{"big", 20, ROWSET_NUMBER, "-9223372036854775808"},
	{"small", 21, ROWSET_NUMBER, "7"},
	{"whole", 23, ROWSET_NUMBER, "0"},
	{"text", 25, ROWSET_TEXT, ""},
	{"json", 114, ROWSET_JSON, "{}"},
	{"day", 1082, ROWSET_DATE, "2024-02-29"},
	{"clock", 1114, ROWSET_TIME, "2024-02-29 12:00:00"},
	{"instant", 1184, ROWSET_TIME, "2024-02-29 12:00:00+00"},
	{"exact", 1700, ROWSET_NUMBER, "1.10"},
	{"jsonb", 3802, ROWSET_JSON, "[1]"},
	{"uuid", 2950, ROWSET_TEXT, "a\xc3\xa4"},
};

/* Two rows: the values, and SQL NULL throughout. */
static struct rowset make(void)
{
	PGresAttDesc desc[COLUMNS];
	PGresult *res = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	memset(desc, 0, sizeof desc);
	for (int i = 0; i < COLUMNS; i++) {
		desc[i].name = (char *)(uintptr_t)columns[i].name; /* copied, not written to */
		desc[i].typid = columns[i].type;
	}
	assert_int_equal(PQsetResultAttrs(res, COLUMNS, desc), 1);
	for (int i = 0; i < COLUMNS; i++) {
		char *text = (char *)(uintptr_t)columns[i].value;
		assert_int_equal(PQsetvalue(res, 0, i, text, (int)strlen(text)), 1);
		assert_int_equal(PQsetvalue(res, 1, i, NULL, -1), 1);
	}
	return (struct rowset){res};
}

static void test_types(void **state)
{
	(void)state;
	struct rowset rs = make();
	assert_int_equal(rowset_rows(&rs), 2);
	assert_int_equal(rowset_cols(&rs), COLUMNS);
	for (int i = 0; i < COLUMNS; i++) {
		assert_string_equal(rowset_name(&rs, i), columns[i].name);
		assert_int_equal(rowset_kind(&rs, i), columns[i].kind);
		assert_string_equal(rowset_text(&rs, 0, i), columns[i].value);
		assert_string_equal(rowset_get(&rs, 0, columns[i].name), columns[i].value);
		assert_null(rowset_text(&rs, 1, i));
		assert_null(rowset_get(&rs, 1, columns[i].name));
	}
	rowset_fini(&rs);
	assert_null(rs.result);
}

static void test_numbers(void **state)
{
	(void)state;
	struct rowset rs = make();
	assert_true(rowset_int(&rs, 0, "big") == INT64_MIN);
	assert_int_equal(rowset_int(&rs, 0, "small"), 7);
	assert_int_equal(rowset_int(&rs, 0, "whole"), 0);
	assert_int_equal(rowset_int(&rs, 1, "big"), 0);
	rowset_fini(&rs);
}

static void test_empty(void **state)
{
	(void)state;
	struct rowset rs = {0};
	assert_int_equal(rowset_rows(&rs), 0);
	assert_int_equal(rowset_cols(&rs), 0);
	assert_int_equal(rowset_affected(&rs), 0);
	rowset_fini(&rs);
	rowset_fini(&rs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
