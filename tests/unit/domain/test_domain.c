/* test_domain.c: statuses, currencies, metrics and figures as people write them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "domain/currency.h"
#include "domain/format.h"
#include "domain/metrics.h"
#include "domain/statuses.h"
#include "domain/user.h"

/* ---- statuses ------------------------------------------------------------ */

static void test_statuses(void **state)
{
	(void)state;
	static const struct {
		const char *profile, *counted, *status;
		enum status_verdict verdict;
	} rows[] = {
		{"restaurant", "", "SERVED", STATUS_COUNTED},
		{"restaurant", "", "served", STATUS_UNKNOWN},
		{"restaurant", "", "SERVED ", STATUS_UNKNOWN},
		{"restaurant", "", "SERVE", STATUS_UNKNOWN},
		{"restaurant", "", "CANCELLED", STATUS_UNCOUNTED},
		{"restaurant", "", "DRAFT", STATUS_UNCOUNTED},
		{"restaurant", "", "NEW", STATUS_UNCOUNTED},
		{"restaurant", "", "cancelled", STATUS_UNKNOWN},
		{"restaurant", "", "", STATUS_UNKNOWN},
		{"restaurant", "", "CANCELLED,CANCELED", STATUS_UNKNOWN},
		{"commerce", "", "Completed", STATUS_COUNTED},
		{"commerce", "", "partially_returned", STATUS_COUNTED},
		{"commerce", "", "refunded", STATUS_COUNTED},
		{"commerce", "", "Checkout-Draft", STATUS_UNCOUNTED},
		{"commerce", "", "awaiting_payment", STATUS_UNCOUNTED},
		{"commerce", "", "teleported", STATUS_UNKNOWN},
		{"bookings", "", "CONFIRMED", STATUS_COUNTED},
		{"bookings", "", "waitlisted", STATUS_UNCOUNTED},
		{"bookings", "", "served", STATUS_UNKNOWN},
		{"nobody's", "", "SERVED", STATUS_UNKNOWN},
		{"restaurant", "PAID, PICKED UP ,it's", "PAID", STATUS_COUNTED},
		{"restaurant", "PAID, PICKED UP ,it's", "PICKED UP", STATUS_COUNTED},
		{"restaurant", "PAID, PICKED UP ,it's", "it's", STATUS_COUNTED},
		{"restaurant", "PAID, PICKED UP ,it's", "SERVED", STATUS_UNCOUNTED},
		{"restaurant", "PAID, PICKED UP ,it's", "paid", STATUS_UNCOUNTED},
		{"restaurant", "PAID", "", STATUS_UNCOUNTED},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (status_judge(rows[i].profile, rows[i].counted, rows[i].status) != rows[i].verdict)
			fail_msg("%s [%s] '%s'", rows[i].profile, rows[i].counted, rows[i].status);
}

static void test_currency(void **state)
{
	(void)state;
	static const char *const no[] = {"", "E", "EU", "EURO", "eur", "EU1", "E R", " EUR", "EUR "};
	assert_true(currency_is_code("EUR"));
	assert_true(currency_is_code("XXX"));
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		assert_false(currency_is_code(no[i]));
}

/* ---- format -------------------------------------------------------------- */

#define N "\xe2\x80\xaf" /* narrow no-break space */
#define DASH "\xe2\x80\x93"
#define MINUS "\xe2\x88\x92"

static struct buf out;

static const char *money(const char *amount, const char *currency)
{
	buf_clear(&out);
	format_money(&out, amount, currency);
	return buf_str(&out);
}

static const char *number(const char *text)
{
	buf_clear(&out);
	format_number(&out, text);
	return buf_str(&out);
}

static const char *change(const char *text)
{
	buf_clear(&out);
	format_change(&out, text);
	return buf_str(&out);
}

static const char *date(const char *text, const char *today)
{
	buf_clear(&out);
	format_date(&out, text, today);
	return buf_str(&out);
}

static const char *hour(const char *text)
{
	buf_clear(&out);
	format_hour(&out, text);
	return buf_str(&out);
}

static void test_format_money(void **state)
{
	(void)state;
	assert_string_equal(money("15420.50", "EUR"), "\xe2\x82\xac" N "15,420.50");
	assert_string_equal(money("-0.05", "USD"), MINUS "$" N "0.05");
	assert_string_equal(money("1000", "JPY"), "\xc2\xa5" N "1,000");
	assert_string_equal(money("999.999", "KWD"), "KWD" N "999.999");
	assert_string_equal(money("92233720368547758.07", "GBP"),
	                    "\xc2\xa3" N "92,233,720,368,547,758.07");
	assert_string_equal(money(NULL, "EUR"), DASH);
	assert_string_equal(money("NaN", "EUR"), "NaN");
}

static void test_format_number(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{"0", "0"},         {"999", "999"},
		{"1000", "1,000"},  {"1234567", "1,234,567"},
		{"-1", MINUS "1"},  {"-1234.5", MINUS "1,234.5"},
		{"0.25", "0.25"},   {"1234567.1234", "1,234,567.1234"},
		{"", ""},           {"-", "-"},
		{"1.2.3", "1.2.3"}, {"1e5", "1e5"},
		{".5", ".5"},       {"12a", "12a"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(number(rows[i][0]), rows[i][1]);
	assert_string_equal(number(NULL), DASH);
}

static void test_format_change(void **state)
{
	(void)state;
	assert_string_equal(change("12.34"), "+12.3" N "%");
	assert_string_equal(change("12.35"), "+12.4" N "%");
	assert_string_equal(change("-3"), MINUS "3.0" N "%");
	assert_string_equal(change("0"), "0.0" N "%");
	assert_string_equal(change("99.99"), "+100.0" N "%");
	assert_string_equal(change("123456.7"), "+123,456.7" N "%");
	assert_string_equal(change(NULL), DASH);
	assert_string_equal(change("much"), "much");
}

static void test_format_date(void **state)
{
	(void)state;
	assert_string_equal(date("2025-11-14", "2025-12-01"), "Fri 14 Nov");
	assert_string_equal(date("2024-02-29", "2025-12-01"), "Thu 29 Feb 2024");
	assert_string_equal(date("2000-01-01", "2025-12-01"), "Sat 1 Jan 2000");
	assert_string_equal(date("2024-12-31", "2024-01-01"), "Tue 31 Dec");
	assert_string_equal(date("2025-02-29", "2025-12-01"), "2025-02-29");
	assert_string_equal(date(NULL, "2025-12-01"), DASH);
}

static void test_format_hour(void **state)
{
	(void)state;
	assert_string_equal(hour("0"), "00:00" DASH "01:00");
	assert_string_equal(hour("19"), "19:00" DASH "20:00");
	assert_string_equal(hour("23"), "23:00" DASH "00:00");
	assert_string_equal(hour("24"), "24");
	assert_string_equal(hour(NULL), DASH);
}

/* Each unit has its way to be written, and nothing is shown for nothing. */
static void test_format_metrics(void **state)
{
	(void)state;
	assert_null(metric_get(-1));
	assert_null(metric_find("no_such_metric"));
	for (int i = 0; metric_get(i); i++) {
		const struct metric *m = metric_get(i);
		assert_ptr_equal(metric_find(m->id), m);
		buf_clear(&out);
		format_metric(&out, m, "7", "EUR");
		static const char *const want[] = {
			[UNIT_MONEY] = "\xe2\x82\xac" N "7", [UNIT_COUNT] = "7",
			[UNIT_PERCENT] = "7.0" N "%",        [UNIT_CHANGE] = "+7.0" N "%",
			[UNIT_HOUR] = "07:00" DASH "08:00",  [UNIT_EITHER] = "7"};
		assert_string_equal(buf_str(&out), want[m->unit]);
		buf_clear(&out);
		format_metric(&out, m, NULL, "EUR");
		assert_string_equal(buf_str(&out), DASH);
	}
}

static int teardown(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

static void test_key_name(void **state)
{
	static const char *const none[] = {"", " ", "    ", "a\nb", "a\x7f", "\t", "caf\xe9"};
	char text[KEY_NAME_BYTES + 2];
	(void)state;
	assert_true(key_name_fits("till") && key_name_fits(" till 2 ") && key_name_fits("caf\xc3\xa9"));
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		assert_false(key_name_fits(none[i]));
	memset(text, 'x', sizeof text);
	text[KEY_NAME_BYTES + 1] = '\0';
	assert_false(key_name_fits(text));
	text[KEY_NAME_BYTES] = '\0';
	assert_true(key_name_fits(text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statuses),       cmocka_unit_test(test_currency),
		cmocka_unit_test(test_format_money),   cmocka_unit_test(test_format_number),
		cmocka_unit_test(test_format_change),  cmocka_unit_test(test_format_date),
		cmocka_unit_test(test_key_name),       cmocka_unit_test(test_format_hour),
		cmocka_unit_test(test_format_metrics),
	};
	return cmocka_run_group_tests(tests, NULL, teardown);
}
