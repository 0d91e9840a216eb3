/* test_picture.c: what somebody is told who saw an earlier picture, or none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stream/picture.h"

static void put_both(struct picture *p, int i, const char *key, const char *json)
{
	picture_put(p, i, key, VIEW_PLAIN, json);
	picture_put(p, i, key, VIEW_FULL, json);
}

static void expect(const struct picture *p, enum picture_view view, int64_t since, const char *want)
{
	struct buf out;
	buf_init(&out);
	picture_message(p, view, since, &out);
	assert_string_equal(buf_str(&out), want);
	buf_fini(&out);
}

static void tells_what_has_changed_since(void **state)
{
	struct picture *one = picture_new(NULL, 1000, "t1");
	(void)state;
	put_both(one, 0, "a", "1");
	put_both(one, 1, "b", "[]");
	struct picture *two = picture_new(one, 1001, "t2");
	put_both(two, 0, "a", "1");
	put_both(two, 1, "b", "[2]");
	struct picture *three = picture_new(two, 1002, "t3");
	picture_release(one);
	picture_release(two);
	expect(three, VIEW_FULL, 1000,
	       "{\"type\":\"delta\",\"seq\":1002,\"as_of\":\"t3\",\"data\":{\"b\":[2]}}");
	expect(three, VIEW_FULL, 1001,
	       "{\"type\":\"delta\",\"seq\":1002,\"as_of\":\"t3\",\"data\":{}}");
	expect(three, VIEW_FULL, 1002,
	       "{\"type\":\"delta\",\"seq\":1002,\"as_of\":\"t3\",\"data\":{}}");
	picture_release(three);
}

static void tells_everything_to_whoever_saw_none_of_this_process(void **state)
{
	static const int64_t strangers[] = {-1, 0, 999, 1002, INT64_MAX};
	struct picture *one = picture_new(NULL, 1000, "t1"), *two = picture_new(one, 1001, "t2");
	(void)state;
	put_both(two, 3, "a", "1");
	for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
		assert_false(picture_knows(two, strangers[i]));
		expect(two, VIEW_PLAIN, strangers[i],
		       "{\"type\":\"snapshot\",\"seq\":1001,\"as_of\":\"t2\",\"data\":{\"a\":1}}");
	}
	picture_release(one);
	picture_release(two);
}

static void views_change_apart(void **state)
{
	struct picture *one = picture_new(NULL, 7, "t1");
	(void)state;
	picture_put(one, 0, "a", VIEW_PLAIN, "null");
	picture_put(one, 0, "a", VIEW_FULL, "1");
	struct picture *two = picture_new(one, 8, "t2");
	picture_put(two, 0, "a", VIEW_PLAIN, "null");
	picture_put(two, 0, "a", VIEW_FULL, "2");
	expect(two, VIEW_PLAIN, 7, "{\"type\":\"delta\",\"seq\":8,\"as_of\":\"t2\",\"data\":{}}");
	expect(two, VIEW_FULL, 7, "{\"type\":\"delta\",\"seq\":8,\"as_of\":\"t2\",\"data\":{\"a\":2}}");
	expect(one, VIEW_FULL, -1,
	       "{\"type\":\"snapshot\",\"seq\":7,\"as_of\":\"t1\",\"data\":{\"a\":1}}");
	picture_release(one);
	picture_release(two);
}

static void a_heartbeat_says_the_number_and_the_time(void **state)
{
	struct picture *one = picture_new(NULL, 7, "t1");
	struct buf out;
	(void)state;
	buf_init(&out);
	picture_heartbeat(one, &out);
	assert_string_equal(buf_str(&out), "{\"type\":\"heartbeat\",\"seq\":7,\"as_of\":\"t1\"}");
	buf_fini(&out);
	assert_ptr_equal(picture_share(one), one);
	picture_release(one);
	assert_int_equal(picture_seq(one), 7); /* there is one reference left */
	picture_release(one);
	picture_release(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_has_changed_since),
		cmocka_unit_test(tells_everything_to_whoever_saw_none_of_this_process),
		cmocka_unit_test(views_change_apart),
		cmocka_unit_test(a_heartbeat_says_the_number_and_the_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
