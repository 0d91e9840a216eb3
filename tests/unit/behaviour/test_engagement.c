/* test_engagement.c: the score against figures worked out by hand, and its setting. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "behaviour/engagement.h"

static const char WEIGHTS[] = "page_view=1,search=2,filter=1,product_view=2,add_to_cart=5,"
							  "remove_from_cart=0,checkout_start=8,purchase=15";

static struct engagement_weights weights;
static struct engagement_part parts[16];
static size_t parts_n;

static int set_up(void **state)
{
	(void)state;
	struct errbuf eb = {0};
	return engagement_weights_parse("W", WEIGHTS, &weights, &eb) == ERR_OK ? 0 : -1;
}

static struct engagement of(const struct engagement_count *counts, size_t n)
{
	return engagement_make(&weights, counts, n, parts, &parts_n);
}

static void is_near(double got, double wanted)
{
	if (fabs(got - wanted) > 1e-9)
		fail_msg("%.12f, not %.12f", got, wanted);
}

/* One type, one day. */
static void one(const char *type, int age, int64_t events, double sum, double score)
{
	struct engagement e = of(&(struct engagement_count){type, age, events}, 1);
	is_near(e.sum, sum);
	is_near(e.score, score);
}

static void test_by_hand(void **state)
{
	(void)state;
	is_near(of(NULL, 0).score, 0);
	assert_int_equal(parts_n, 0);
	one("page_view", 0, 1, 1, 2.5);       /* 1 - e^-0.025 = 0.02469 */
	one("purchase", 7, 1, 7.5, 17.1);     /* 1 - e^-0.1875 = 0.17097 */
	one("checkout_start", 14, 2, 4, 9.5); /* 1 - e^-0.1 = 0.09516 */
	one("add_to_cart", 21, 8, 5, 11.8);   /* 1 - e^-0.125 = 0.11750 */
	one("remove_from_cart", 0, 50, 0, 0); /* it has a weight, which is 0 */
	one("session_end", 0, 50, 0, 0);      /* it has none */
	assert_int_equal(parts[0].counted, 50);
	one("purchase", 0, 50, 750, 100); /* 1 - e^-18.75 */
}

/* Day 29 is the last that counts: 0.5^(29/7) = 0.0566077... */
static void test_ages(void **state)
{
	(void)state;
	one("purchase", 0, 1, 15, 31.3); /* 1 - e^-0.375 = 0.31271 */
	one("purchase", 29, 20, 16.9823187049482, 34.6);
	one("purchase", 30, 20, 0, 0);
	assert_int_equal(parts_n, 0);
	one("purchase", -1, 20, 0, 0);
}

static void test_cap(void **state)
{
	(void)state;
	one("page_view", 0, 49, 49, 70.6); /* 1 - e^-1.225 = 0.70624 */
	one("page_view", 0, 50, 50, 71.3); /* 1 - e^-1.25 = 0.71350 */
	one("page_view", 0, 51, 50, 71.3);
	assert_int_equal(parts[0].events, 51);
	assert_int_equal(parts[0].counted, 50);
	/* of a type, and of a day: these are neither */
	const struct engagement_count days[] = {
		{"page_view", 0, 50}, {"page_view", 7, 50}, {"filter", 0, 50}, {"page_view", 14, 60}};
	is_near(of(days, 4).sum, 50 + 25 + 50 + 12.5);
}

static void test_parts(void **state)
{
	(void)state;
	const struct engagement_count counts[] = {{"search", 0, 3},      {"page_view", 7, 60},
	                                          {"page_view", 0, 4},   {"odd", 3, 2},
	                                          {"add_to_cart", 7, 2}, {"filter", 0, 5}};
	struct engagement e = of(counts, 6), again;
	is_near(e.sum, 6 + 25 + 4 + 5 + 5);
	is_near(e.score, 67.5); /* 1 - e^-1.125 = 0.67535 */
	static const char *const order[] = {"page_view", "search", "add_to_cart", "filter", "odd"};
	assert_int_equal(parts_n, 5);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(parts[i].type, order[i]);
	assert_int_equal(parts[0].events, 64);
	assert_int_equal(parts[0].counted, 54);
	is_near(parts[0].points, 29);
	/* whatever order they come in */
	struct engagement_count turned[6];
	for (int i = 0; i < 6; i++)
		turned[i] = counts[5 - i];
	again = of(turned, 6);
	assert_memory_equal(&e, &again, sizeof e);
}

static void refused(const char *text, const char *why)
{
	struct errbuf eb = {0};
	struct engagement_weights w;
	assert_int_equal(engagement_weights_parse("ENGAGEMENT_WEIGHTS", text, &w, &eb), ERR_CONFIG);
	assert_string_equal(eb.field, "ENGAGEMENT_WEIGHTS");
	if (!strstr(eb.text, why))
		fail_msg("%s: %s", text, eb.text);
}

static void test_setting(void **state)
{
	(void)state;
	struct errbuf eb = {0};
	struct engagement_weights w;
	assert_int_equal(engagement_weights_parse("W", " a.b=0.5 , c:d=1000", &w, &eb), ERR_OK);
	is_near(engagement_weight(&w, "a.b"), 0.5);
	is_near(engagement_weight(&w, "c:d"), 1000);
	is_near(engagement_weight(&w, "purchase"), 0);
	refused("", "at least one");
	refused("page_view", "'page_view' is no TYPE=WEIGHT");
	refused("page_view=", "must be a number from 0 to 1000, not ''");
	refused("page_view=-1", "not '-1'");
	refused("page_view=1001", "not '1001'");
	refused("page_view=1e2", "not '1e2'");
	refused("page_view=1=2", "not '1=2'");
	refused("Page=1", "'Page' is no type");
	refused("=1", "'' is no type");
	refused("a=1,b=2,a=1", "a is there twice");
	char longest[400] = {0};
	memset(longest, 'a', 300);
	refused(longest, "too long");
	longest[65] = '=';
	memcpy(longest + 66, "1", 2);
	refused(longest, "no type");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_hand), cmocka_unit_test(test_ages),    cmocka_unit_test(test_cap),
		cmocka_unit_test(test_parts),   cmocka_unit_test(test_setting),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
