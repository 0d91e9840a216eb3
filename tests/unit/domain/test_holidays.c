/* test_holidays.c: rules against dates that are known. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "domain/holidays.h"

static const char *text_of(int32_t day)
{
	static char text[16];
	struct holidays_date d = holidays_date_of(day);
	(void)snprintf(text, sizeof text, "%04d-%02d-%02d", d.year, d.month, d.day);
	return text;
}

static void test_civil_days(void **state)
{
	(void)state;
	static const struct {
		int year, month, day;
		int32_t number;
	} rows[] = {{1970, 1, 1, 0},      {1969, 12, 31, -1},    {2000, 2, 29, 11016},
	            {2000, 3, 1, 11017},  {1900, 2, 28, -25509}, {1900, 3, 1, -25508},
	            {2100, 2, 28, 47540}, {2100, 3, 1, 47541},   {2024, 12, 31, 20088}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct holidays_date d = holidays_date_of(rows[i].number);
		assert_int_equal(holidays_day(rows[i].year, rows[i].month, rows[i].day), rows[i].number);
		assert_int_equal(d.year, rows[i].year);
		assert_int_equal(d.month, rows[i].month);
		assert_int_equal(d.day, rows[i].day);
	}
	for (int32_t day = -30000; day < 60000; day++) {
		struct holidays_date d = holidays_date_of(day);
		assert_int_equal(holidays_day(d.year, d.month, d.day), day);
	}
}

static void test_easter(void **state)
{
	(void)state;
	static const struct {
		int year;
		const char *western, *orthodox;
	} rows[] = {
		{1900, "1900-04-15", "1900-04-22"}, {1913, "1913-03-23", "1913-04-27"},
		{1943, "1943-04-25", "1943-04-25"}, {1954, "1954-04-18", "1954-04-25"},
		{1981, "1981-04-19", "1981-04-26"}, {2000, "2000-04-23", "2000-04-30"},
		{2008, "2008-03-23", "2008-04-27"}, {2011, "2011-04-24", "2011-04-24"},
		{2013, "2013-03-31", "2013-05-05"}, {2024, "2024-03-31", "2024-05-05"},
		{2025, "2025-04-20", "2025-04-20"}, {2026, "2026-04-05", "2026-04-12"},
		{2038, "2038-04-25", "2038-04-25"}, {2100, "2100-03-28", "2100-05-02"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_string_equal(text_of(holidays_easter(rows[i].year)), rows[i].western);
		assert_string_equal(text_of(holidays_orthodox_easter(rows[i].year)), rows[i].orthodox);
	}
}

/* ---- countries --------------------------------------------------------------- */

struct search {
	const char *name; /* what the name begins with */
	char found[256];  /* dates behind spaces, in their order */
	int n;
};

static void look(void *arg, int32_t day, const char *name)
{
	struct search *s = arg;
	s->n++;
	if (strncmp(name, s->name, strlen(s->name)) == 0)
		(void)snprintf(s->found + strlen(s->found), sizeof s->found - strlen(s->found), " %s",
		               text_of(day));
}

static void expect(const char *country, int year, const char *name, const char *dates)
{
	struct search s = {.name = name};
	holidays_of(country, year, look, &s);
	if (strcmp(s.found[0] ? s.found + 1 : "", dates) != 0)
		print_error("%s %d %s: %s\n", country, year, name, s.found);
	assert_string_equal(s.found[0] ? s.found + 1 : "", dates);
}

static const struct {
	const char *country;
	int year;
	const char *name, *dates;
} known[] = {
	/* fixed, and since and until when */
	{"DE", 2026, "German Unity Day", "2026-10-03"},
	{"DE", 1989, "German Unity Day", ""},
	{"DE", 2016, "Reformation", ""},
	{"DE", 2017, "Reformation", "2017-10-31"},
	{"DK", 2023, "Prayer Day", "2023-05-05"},
	{"DK", 2024, "Prayer Day", ""},
	{"PT", 2014, "Republic Day", ""},
	{"PT", 2016, "Republic Day", "2016-10-05"},
	{"PL", 2024, "Christmas Eve", ""},
	{"PL", 2025, "Christmas Eve", "2025-12-24"},
	/* Easter */
	{"DE", 2025, "Whit Monday", "2025-06-09"},
	{"AT", 2026, "Corpus Christi", "2026-06-04"},
	{"BR", 2026, "Carnival Tuesday", "2026-02-17"},
	{"GR", 2024, "Clean Monday", "2024-03-18"},
	{"GR", 2026, "Whit Monday", "2026-06-01"},
	/* the n-th weekday, the last one, the first one on or after */
	{"US", 2026, "Thanksgiving", "2026-11-26"},
	{"US", 2023, "Memorial Day", "2023-05-29"},
	{"US", 2025, "Labor Day", "2025-09-01"},
	{"US", 2024, "Black Friday", "2024-11-29"},
	{"US", 2028, "Black Friday", "2028-11-24"},
	{"GB", 2026, "Summer bank holiday", "2026-08-31"},
	{"IE", 2026, "October Holiday", "2026-10-26"},
	{"CA", 2026, "Victoria Day", "2026-05-18"},
	{"CA", 2020, "Victoria Day", "2020-05-18"},
	{"CA", 2021, "Victoria Day", "2021-05-24"},
	{"SE", 2026, "Midsummer Day", "2026-06-20"},
	{"FI", 2026, "All Saints' Day", "2026-10-31"},
	{"FI", 2022, "All Saints' Day", "2022-11-05"},
	/* one year otherwise */
	{"GB", 2020, "Early May", "2020-05-08"},
	{"GB", 2022, "Spring bank holiday", "2022-06-02"},
	{"GB", 2023, "Coronation", "2023-05-08"},
	/* a further day instead of a weekend's */
	{"US", 2021, "Independence Day", "2021-07-04 2021-07-05"},
	{"US", 2026, "Independence Day", "2026-07-04 2026-07-03"},
	{"US", 2022, "New Year", "2022-01-01 2021-12-31"},
	{"US", 2025, "Independence Day", "2025-07-04"},
	{"GB", 2021, "Christmas Day", "2021-12-25 2021-12-27"},
	{"GB", 2021, "Boxing Day", "2021-12-26 2021-12-28"},
	{"GB", 2022, "Christmas Day", "2022-12-25 2022-12-27"},
	{"GB", 2022, "Boxing Day", "2022-12-26"},
	{"GB", 2026, "Boxing Day", "2026-12-26 2026-12-28"},
	{"NZ", 2022, "New Year's Day", "2022-01-01 2022-01-03"},
	{"NZ", 2022, "Day after New Year", "2022-01-02 2022-01-04"},
	{"NZ", 2010, "Anzac Day", "2010-04-25"},
	{"NZ", 2021, "Anzac Day", "2021-04-25 2021-04-26"},
	{"JP", 2026, "Constitution Day", "2026-05-03 2026-05-06"},
	/* Japan's equinoxes, and the day between two holidays */
	{"JP", 2024, "Vernal", "2024-03-20"},
	{"JP", 2023, "Vernal", "2023-03-21"},
	{"JP", 2024, "Autumnal", "2024-09-22 2024-09-23"},
	{"JP", 2025, "Autumnal", "2025-09-23"},
	{"JP", 2026, "Citizens", "2026-09-22"},
	{"JP", 2025, "Citizens", ""},
	/* published tables */
	{"CN", 2024, "Spring Festival (", "2024-02-10"},
	{"CN", 2025, "Mid-Autumn", "2025-10-06"},
	{"CN", 2033, "Mid-Autumn", "2033-09-08"},
	{"CN", 2021, "Qingming", "2021-04-04"},
	{"CN", 2026, "Dragon Boat", "2026-06-19"},
	{"CN", 2036, "Dragon Boat", ""},
	{"NZ", 2024, "Matariki", "2024-06-28"},
	{"NZ", 2021, "Matariki", ""},
	/* rules of one country */
	{"NL", 2025, "King's Day", "2025-04-26"},
	{"NL", 2026, "King's Day", "2026-04-27"},
	{"IE", 2024, "St. Brigid", "2024-02-05"},
	{"IE", 2030, "St. Brigid", "2030-02-01"},
};

static void test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		expect(known[i].country, known[i].year, known[i].name, known[i].dates);
}

static void test_every_country(void **state)
{
	(void)state;
	int countries = 0;
	const char *country;
	for (; (country = holidays_country(countries)) != NULL; countries++) {
		struct errbuf eb = {0};
		assert_int_equal(holidays_check(country, "HOLIDAYS", &eb), ERR_OK);
		for (int year = 1950; year <= 2099; year++) {
			struct search s = {.name = "Christmas Day"};
			holidays_of(country, year, look, &s);
			assert_true(s.n >= 2 && s.n < 40);
			if (strcmp(country, "JP") != 0 && strcmp(country, "CN") != 0)
				assert_memory_equal(s.found + 5, "-12-25", 6);
		}
	}
	assert_int_equal(countries, 27);
}

static void test_lists(void **state)
{
	(void)state;
	struct errbuf eb = {0};
	struct search one = {.name = "National Day"}, none = {.name = ""};
	holidays_of_all(" de, at ,", 2026, look, &one);
	assert_string_equal(one.found, " 2026-10-26");
	assert_int_equal(one.n, 26);
	holidays_of_all("", 2026, look, &none);
	assert_int_equal(none.n, 0);
	assert_int_equal(holidays_check("", "HOLIDAYS", &eb), ERR_OK);
	assert_int_equal(holidays_check("DE, us", "HOLIDAYS", &eb), ERR_OK);
	assert_int_equal(holidays_check("DE,UK", "HOLIDAYS", &eb), ERR_CONFIG);
	assert_non_null(strstr(eb.text, "'UK'"));
	assert_string_equal(eb.field, "HOLIDAYS");
	err_clear(&eb);
	assert_int_equal(holidays_check("D,DE", "HOLIDAYS", &eb), ERR_CONFIG);
	err_clear(&eb);
	assert_int_equal(holidays_check("GERMANY-WITH-A-LONG-NAME", "HOLIDAYS", &eb), ERR_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_civil_days), cmocka_unit_test(test_easter),
		cmocka_unit_test(test_rules),      cmocka_unit_test(test_every_country),
		cmocka_unit_test(test_lists),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
