/* test_source_sql.c: the questions to order_db, in shape, for every combination of columns. What
 * they answer is tested with real servers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/source_driver.h"

static const struct source_shift shifts[] = {
	{"2024-03-01 00:00:00", "2024-03-31 01:00:00", "3600"},
	{"2024-03-31 01:00:00", "2024-10-27 01:00:00", "7200"},
	{"2024-10-27 01:00:00", "2025-01-01 00:00:00", "3600"},
};
static const struct source_currency currencies[] = {{"JPY", 0}, {"KWD", 3}};
static const char *const counted[] = {"SERVED", "it's"};

static struct source_window window(size_t shifts_n, size_t counted_n)
{
	return (struct source_window){.utc = {shifts, shifts_n},
	                              .local = {shifts, shifts_n},
	                              .cutoff_hours = 4,
	                              .default_currency = "EUR",
	                              .currencies = currencies,
	                              .currencies_n = 2,
	                              .counted = counted,
	                              .counted_n = counted_n,
	                              .late_utc = "2025-01-01 00:00:00",
	                              .late_local = "2025-01-01 00:00:00"};
}

static void set(struct source_shape *s, enum source_column c, enum source_kind kind, int scale)
{
	static const char *const names[COL_COUNT] = {"c0",  "c1",  "c2",  "c3",  "c4",  "c5",  "c6",
	                                             "c7",  "c8",  "c9",  "c10", "c11", "c12", "c13",
	                                             "c14", "c15", "c16", "c17", "c18", "c19", "c20"};
	s->col[c].kind = kind;
	s->col[c].scale = scale;
	s->col[c].name = names[c];
}

/* Every column, or only those a shop must have. */
static struct source_shape shape(bool all, enum source_kind clock, enum source_kind amount,
                                 int scale)
{
	struct source_shape s = {0};
	for (int c = 0; c < COL_COUNT; c++)
		set(&s, (enum source_column)c, KIND_INTEGER, 0);
	static const enum source_column clocks[] = {COL_CREATED, COL_UPDATED, COL_CANCELLED,
	                                            COL_REFUND_CREATED};
	for (size_t i = 0; i < 4; i++)
		set(&s, clocks[i], clock, -1);
	set(&s, COL_STATUS, KIND_TEXT, -1);
	set(&s, COL_CURRENCY, KIND_TEXT, -1);
	set(&s, COL_ITEM_NAME, KIND_TEXT, -1);
	for (int c = COL_DISCOUNT; c <= COL_TIP; c++)
		set(&s, (enum source_column)c, amount, scale);
	set(&s, COL_TOTAL, amount, scale);
	set(&s, COL_ITEM_PRICE, amount, scale);
	set(&s, COL_REFUND_AMOUNT, amount, scale);
	set(&s, COL_CUSTOMER, KIND_TEXT, -1);
	for (int c = COL_UPDATED; !all && c <= COL_TIP; c++)
		s.col[c].kind = KIND_ABSENT;
	return s;
}

/* Parameters of the text: all of them, once each and in their order. */
static void check_params(const struct source_sql *q, bool mysql)
{
	int n = 0;
	for (const char *p = buf_str(&q->text); *p; p++) {
		if (mysql)
			n += *p == '?';
		else if (*p == '$')
			assert_int_equal(strtol(p + 1, NULL, 10), ++n);
	}
	assert_int_equal(n, q->params_n);
	for (int i = 0; i < n; i++)
		assert_non_null(q->params[i]);
}

static void check_text(const struct source_sql *q, bool mysql, bool one_by_one)
{
	int depth = 0, quotes = 0, cases = 0;
	const char *text = buf_str(&q->text);
	for (const char *p = text; *p; p++) {
		quotes += *p == '\'';
		depth += *p == '(' ? 1 : *p == ')' ? -1 : 0;
		assert_true(depth >= 0);
	}
	for (const char *p = text; (p = strstr(p, "CASE")); p += 4)
		cases++;
	for (const char *p = text; (p = strstr(p, " END")); p += 4)
		cases--;
	assert_int_equal(depth, 0);
	assert_int_equal(quotes % 2, 0);
	assert_int_equal(cases, 0);
	assert_int_equal(strncmp(text, "SELECT ", 7), 0);
	assert_non_null(strstr(text, " FROM orders o"));
	assert_true(one_by_one || strstr(text, " GROUP BY ") || strstr(text, "SELECT DISTINCT "));
	assert_null(strstr(text, ";"));
	assert_null(strstr(text, "(null)"));
	assert_null(strstr(text, "SERVED")); /* values are parameters */
	assert_null(strstr(text, "JPY"));
	if (mysql)
		assert_null(strstr(text, "::"));
	else
		assert_null(strstr(text, "TIMESTAMPADD"));
}

static void check_one(bool mysql, const struct source_shape *s, const struct source_window *w,
                      enum source_question which)
{
	struct source_sql *q = calloc(1, sizeof *q);
	buf_init(&q->text);
	source_sql_build(q, mysql, s, which, w);
	check_params(q, mysql);
	check_text(q, mysql, which == SOURCE_EACH_ORDER);
	buf_fini(&q->text);
	free(q);
}

static void check_all(bool mysql, const struct source_shape *s, const struct source_window *w)
{
	static const enum source_column by[] = {COL_CREATED, COL_CANCELLED, COL_REFUND_CREATED};
	for (int which = SOURCE_ORDERS; which <= SOURCE_LATE_EDITS; which++)
		check_one(mysql, s, w, (enum source_question)which);
	check_one(mysql, s, w, SOURCE_CUSTOMERS);
	check_one(mysql, s, w, SOURCE_CUSTOMER_REFUNDS);
	struct source_window each = *w;
	each.ever_utc = each.ever_local = (struct source_shifts){shifts, 3};
	for (size_t i = 0; i < 3; i++)
		for (int which = SOURCE_EACH_ORDER; which <= SOURCE_EACH_REFUND; which++) {
			each.by = by[i];
			check_one(mysql, s, &each, (enum source_question)which);
		}
}

static void test_every_shape(void **state)
{
	(void)state;
	static const struct {
		enum source_kind kind;
		int scale;
	} amounts[] = {{KIND_INTEGER, 0},
	               {KIND_DECIMAL, 2},
	               {KIND_DECIMAL, -1},
	               {KIND_DECIMAL, 4},
	               {KIND_FLOAT, -1}};
	for (int bits = 0; bits < 8; bits++)
		for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++)
			for (size_t n = 1; n <= 3; n++) {
				bool mysql = bits & 1;
				struct source_shape s =
					shape(bits & 2, bits & 4 ? KIND_CLOCK_UTC : KIND_CLOCK_LOCAL, amounts[i].kind,
				          amounts[i].scale);
				struct source_window w = window(n, n - 1);
				if (!(bits & 2)) /* asked only where they are there */
					set(&s, COL_CANCELLED, bits & 4 ? KIND_CLOCK_UTC : KIND_CLOCK_LOCAL, -1);
				check_all(mysql, &s, &w);
			}
}

static int builds_with(bool mysql, enum source_kind clock, const char *piece)
{
	struct source_shape s = shape(true, clock, KIND_DECIMAL, 2);
	struct source_window w = window(1, 1);
	struct source_sql *q = calloc(1, sizeof *q);
	buf_init(&q->text);
	source_sql_build(q, mysql, &s, SOURCE_ORDERS, &w);
	int found = 0;
	for (const char *p = buf_str(&q->text); (p = strstr(p, piece)); p++)
		found++;
	buf_fini(&q->text);
	free(q);
	return found;
}

static void test_partial_dates(void **state)
{
	(void)state;
	static const char whole[] = "DAYOFMONTH(o.c3) BETWEEN 1 AND DAYOFMONTH(LAST_DAY(o.c3))";
	struct buf b;
	buf_init(&b);
	assert_int_equal(builds_with(true, KIND_CLOCK_LOCAL, whole), 1);
	assert_int_equal(builds_with(true, KIND_CLOCK_UTC, "DAYOFMONTH"), 0);
	assert_int_equal(builds_with(false, KIND_CLOCK_LOCAL, "DAYOFMONTH"), 0);
	assert_false(source_sql_put_whole_date(&b, false, KIND_CLOCK_LOCAL, "x"));
	assert_false(source_sql_put_whole_date(&b, true, KIND_CLOCK_UTC, "x"));
	assert_int_equal(b.len, 0);
	assert_true(source_sql_put_whole_date(&b, true, KIND_CLOCK_LOCAL, "x"));
	assert_string_equal(buf_str(&b), "DAYOFMONTH(x) BETWEEN 1 AND DAYOFMONTH(LAST_DAY(x))");
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_shape),
		cmocka_unit_test(test_partial_dates),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
