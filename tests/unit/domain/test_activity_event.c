/* test_activity_event.c: what a tracked event says: fields, ids, times, and which are the same. */
#include "tests/unit/domain/activity_help.h"

/* ---- fields ------------------------------------------------------------------------- */

static void test_whole(void **state)
{
	(void)state;
	char id[37];
	fine("{\"event_type\":\"product_view\",\"event_id\":\"0198C0DE-7a10-7c3e-9b1f-2f6f3c1d9a44\","
	     "\"user_id\":\"user_123\",\"anonymous_id\":\"a-5f1c\",\"session_id\":\"sess_456\","
	     "\"timestamp\":\"2026-11-20T18:04:05.120Z\",\"sent_at\":\"2026-11-20T18:04:06Z\","
	     "\"properties\":{\"page\":\"/products/headphones?color=red\",\"referrer\":"
	     "\"https://www.google.com/\",\"product_id\":\"401\",\"category\":\"electronics\","
	     "\"price\":\"89.90\",\"quantity\":2,\"currency\":\"EUR\"}}");
	assert_string_equal(got.type, "product_view");
	activity_id_format(got.event_id, id);
	assert_string_equal(id, "0198c0de-7a10-7c3e-9b1f-2f6f3c1d9a44");
	assert_true(got.own_id);
	assert_string_equal(got.user_id, "user_123");
	assert_string_equal(got.anonymous_id, "a-5f1c");
	assert_string_equal(got.session_id, "sess_456");
	assert_int_equal(got.occurred_us, NOW - 880000);
	assert_int_equal(got.claimed_us, NOW - 880000);
	assert_int_equal(got.received_us, NOW);
	assert_int_equal(got.flags, ACTIVITY_TRUSTED);
	assert_int_equal(got.key_id, 7);
	same_text(got.dims[PAGE], "/products/headphones");
	same_text(got.dims[SOURCE], "google.com");
	same_text(got.dims[CAMPAIGN], NULL);
	same_text(got.dims[DEVICE], NULL);
	same_text(got.dims[CATEGORY], "electronics");
	same_text(got.dims[PRODUCT], "401");
	assert_string_equal(got.price, "89.90");
	assert_int_equal(got.quantity, 2);
	assert_string_equal(got.currency, "EUR");
	assert_string_equal(got.properties,
	                    "{\"category\":\"electronics\",\"currency\":\"EUR\",\"page\":"
	                    "\"/products/headphones\",\"price\":\"89.90\",\"product_id\":\"401\","
	                    "\"quantity\":2,\"referrer\":\"https://www.google.com/\"}");
	assert_int_equal(got.dropped_n, 0);
}

static void test_least(void **state)
{
	(void)state;
	sender.trusted = false;
	fine("{\"event_type\":\"x\",\"session_id\":\"s\"}");
	assert_null(got.user_id);
	assert_null(got.anonymous_id);
	assert_int_equal(got.claimed_us, ACTIVITY_NO_TIME);
	assert_int_equal(got.occurred_us, NOW);
	assert_int_equal(got.flags, 0);
	assert_string_equal(got.properties, "{}");
	assert_null(got.price);
	assert_int_equal(got.quantity, 0);
	/* null says nothing */
	fine("{\"event_type\":\"x\",\"user_id\":null,\"anonymous_id\":\"a\",\"event_id\":null,"
	     "\"timestamp\":null,\"sent_at\":null,\"properties\":null}");
	assert_null(got.user_id);
	assert_false(got.own_id);
	assert_int_equal(got.claimed_us, ACTIVITY_NO_TIME);
}

static void test_fields(void **state)
{
	(void)state;
	refused("[]", "");
	refused("7", "");
	refused("null", "");
	refused("{}", "event_type");
	refused("{\"user_id\":\"u1\"}", "event_type");
	refused("{\"event_type\":null,\"user_id\":\"u1\"}", "event_type");
	refused("{\"event_type\":\"x\"}", "user_id");
	refused("{\"event_type\":\"x\",\"user_id\":null}", "user_id");
	refused(with("\"userId\":\"u1\""), "userId");
	refused(with("\"\":1"), "");
	refused(with("\"properties\":[]"), "properties");
	refused(with("\"properties\":\"{}\""), "properties");
	assert_int_equal(read_under(&rules, with("\"properties\":{},\"properties\":{}")),
	                 ERR_MALFORMED);
}

static void test_type(void **state)
{
	(void)state;
	static const char *const good[] = {"a", "page_view", "cart:add.item-2", "0"};
	static const char *const bad[] = {"", "Page", "page view", "p\xc3\xa4ge", "a/b", "a\\n"};
	for (size_t i = 0; i < COUNT(good); i++)
		fine(arena_printf(&arena, "{\"event_type\":\"%s\",\"user_id\":\"u\"}", good[i]));
	for (size_t i = 0; i < COUNT(bad); i++)
		refused(arena_printf(&arena, "{\"event_type\":\"%s\",\"user_id\":\"u\"}", bad[i]),
		        "event_type");
	refused("{\"event_type\":7,\"user_id\":\"u\"}", "event_type");
	for (int n = ACTIVITY_TYPE_BYTES - 1; n <= ACTIVITY_TYPE_BYTES + 1; n++) {
		const char *text =
			arena_printf(&arena, "{\"event_type\":\"%s\",\"user_id\":\"u\"}", repeat('a', n));
		if (n <= ACTIVITY_TYPE_BYTES)
			fine(text);
		else
			refused(text, "event_type");
	}
}

/* ---- ids ------------------------------------------------------------------------------ */

static void test_ids(void **state)
{
	(void)state;
	static const char *const fields[] = {"user_id", "anonymous_id", "session_id"};
	for (size_t f = 0; f < COUNT(fields); f++) {
		for (int n = ACTIVITY_ID_BYTES - 1; n <= ACTIVITY_ID_BYTES + 1; n++) {
			const char *text = arena_printf(&arena, "{\"event_type\":\"x\",\"%s\":\"%s\"}",
			                                fields[f], repeat('a', n));
			if (n <= ACTIVITY_ID_BYTES)
				fine(text);
			else
				refused(text, fields[f]);
		}
		static const char *const bad[] = {"\"\"", "\"null\"", "\"a\\nb\"", "\"\\u007f\"",
		                                  "0",    "1.5",      "1e3",       "true",
		                                  "[]",   "{}",       "\" NaN \""};
		for (size_t i = 0; i < COUNT(bad); i++)
			refused(arena_printf(&arena, "{\"event_type\":\"x\",\"%s\":%s}", fields[f], bad[i]),
			        fields[f]);
	}
	fine("{\"event_type\":\"x\",\"user_id\":42}");
	assert_string_equal(got.user_id, "42");
	fine("{\"event_type\":\"x\",\"user_id\":\"J\xc3\xb6rg 0\"}");
}

static void test_blank_ids(void **state)
{
	(void)state;
	static const char *const blank[] = {"",
	                                    " ",
	                                    "0",
	                                    "00",
	                                    "0.0",
	                                    "-1",
	                                    "-",
	                                    "null",
	                                    "NULL",
	                                    "Null",
	                                    " null ",
	                                    "\"null\"",
	                                    "undefined",
	                                    "Undefined",
	                                    "anonymous",
	                                    "NONE",
	                                    "nan",
	                                    "NaN",
	                                    "nil",
	                                    "<nil>",
	                                    "(null)",
	                                    "unknown",
	                                    "guest",
	                                    "true",
	                                    "False",
	                                    "N/A",
	                                    "(not set)",
	                                    "id",
	                                    "user_id",
	                                    "[object Object]",
	                                    "'0'",
	                                    "email",
	                                    "distinct_id",
	                                    "00000000-0000-0000-0000-000000000000"};
	static const char *const real[] = {"1",
	                                   "a",
	                                   "nulls",
	                                   "nobody0",
	                                   "10",
	                                   "guest1",
	                                   "00001",
	                                   "trueman",
	                                   "0a",
	                                   "a-5f1c",
	                                   "[object Object] and more than that"};
	for (size_t i = 0; i < COUNT(blank); i++)
		if (!activity_id_is_blank(blank[i]))
			fail_msg("%s is nobody's", blank[i]);
	for (size_t i = 0; i < COUNT(real); i++)
		if (activity_id_is_blank(real[i]))
			fail_msg("%s is somebody's", real[i]);
}

static void test_event_id(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"0198c0de-7a10-7c3e-9b1f-2f6f3c1d9a4",    "0198c0de-7a10-7c3e-9b1f-2f6f3c1d9a444",
		"0198c0de7a107c3e9b1f2f6f3c1d9a44",       "0198c0de-7a10-7c3e-9b1f-2f6f3c1d9ag4",
		"{0198c0de-7a10-7c3e-9b1f-2f6f3c1d9a44}", "0198c0de-7a107-c3e-9b1f-2f6f3c1d9a44",
		"00000000-0000-0000-0000-000000000000",   ""};
	for (size_t i = 0; i < COUNT(bad); i++)
		refused(with(arena_printf(&arena, "\"event_id\":\"%s\"", bad[i])), "event_id");
	refused(with("\"event_id\":7"), "event_id");
	/* one of ours: version 7, of the time of receipt, and another each time */
	unsigned char before[16];
	for (int i = 0; i < 1000; i++) {
		memcpy(before, got.event_id, 16);
		fine(with(""));
		uint64_t ms = 0;
		for (int k = 0; k < 6; k++)
			ms = ms << 8 | got.event_id[k];
		assert_int_equal(ms, NOW / 1000);
		assert_int_equal(got.event_id[6] >> 4, 7);
		assert_int_equal(got.event_id[8] >> 6, 2);
		assert_false(got.own_id);
		assert_memory_not_equal(before, got.event_id, 16);
	}
}

static void test_session_key(void **state)
{
	(void)state;
	fine("{\"event_type\":\"x\",\"session_id\":\"k\",\"user_id\":\"u\"}");
	int64_t by_session = got.session_key;
	fine("{\"event_type\":\"y\",\"session_id\":\"k\",\"anonymous_id\":\"a\"}");
	assert_int_equal(got.session_key, by_session);
	fine("{\"event_type\":\"x\",\"user_id\":\"k\",\"anonymous_id\":\"a\"}");
	int64_t by_user = got.session_key;
	fine("{\"event_type\":\"x\",\"user_id\":\"k\",\"anonymous_id\":\"b\"}");
	assert_int_equal(got.session_key, by_user);
	fine("{\"event_type\":\"x\",\"anonymous_id\":\"k\"}");
	assert_true(got.session_key != by_user && by_user != by_session &&
	            got.session_key != by_session);
}

/* ---- times ------------------------------------------------------------------------------- */

static const char *time_of(int64_t us)
{
	char *text = arena_alloc(&arena, TIME_TEXT_BYTES);
	assert_true(time_format(us, true, text));
	return text;
}

/* `claimed` and `sent` (0: not said) become `occurred` with these flags. */
static void timed(int64_t claimed, int64_t sent, int64_t occurred, unsigned flags)
{
	const char *sent_at = sent ? arena_printf(&arena, ",\"sent_at\":\"%s\"", time_of(sent)) : "";
	const char *text =
		with(arena_printf(&arena, "\"timestamp\":\"%s\"%s", time_of(claimed), sent_at));
	fine(text);
	if (got.occurred_us != occurred || got.flags != (flags | ACTIVITY_TRUSTED) ||
	    got.claimed_us != claimed)
		fail_msg("%s: %" PRId64 " with %x, not %" PRId64 " with %x", text, got.occurred_us,
		         got.flags, occurred, flags | ACTIVITY_TRUSTED);
}

static void test_skew(void **state)
{
	(void)state;
	const int64_t AT = NOW - 10 * US_PER_S;
	timed(AT, NOW, AT, 0);
	timed(AT, NOW - MINUTE, AT, 0);
	timed(AT, NOW + MINUTE, AT, 0);
	timed(AT, NOW - MINUTE - 1, AT + MINUTE + 1, ACTIVITY_SKEWED);
	timed(AT, NOW + MINUTE + 1, AT - MINUTE - 1, ACTIVITY_SKEWED);
	timed(AT + 3 * HOUR, NOW + 3 * HOUR, AT, ACTIVITY_SKEWED);
	/* a clock that was never set */
	timed(5 * US_PER_S, 15 * US_PER_S, AT, ACTIVITY_SKEWED);
	/* sent_at alone corrects nothing */
	fine(with("\"sent_at\":\"2020-01-01T00:00:00Z\""));
	assert_int_equal(got.occurred_us, NOW);
	assert_int_equal(got.flags, ACTIVITY_TRUSTED);
}

static void test_future(void **state)
{
	(void)state;
	timed(NOW + 24 * HOUR - 1, 0, NOW + 24 * HOUR - 1, 0);
	timed(NOW + 24 * HOUR, 0, NOW + 24 * HOUR, 0);
	timed(NOW + 24 * HOUR + 1, 0, NOW, ACTIVITY_CLAMPED);
	timed(NOW + 5 * MINUTE, NOW, NOW + 5 * MINUTE, 0);
	timed(NOW + 5 * MINUTE + 1, NOW, NOW, ACTIVITY_CLAMPED);
	timed(NOW + 5 * MINUTE + 1, NOW - HOUR, NOW, ACTIVITY_CLAMPED | ACTIVITY_SKEWED);
	timed(INT64_C(253402300799) * US_PER_S, 0, NOW, ACTIVITY_CLAMPED); /* 9999 */
}

static void test_past(void **state)
{
	(void)state;
	timed(NOW - HOUR, 0, NOW - HOUR, 0);
	timed(NOW - HOUR - 1, 0, NOW - HOUR - 1, ACTIVITY_LATE);
	timed(NOW - 90 * US_PER_DAY, 0, NOW - 90 * US_PER_DAY, ACTIVITY_LATE);
	const char *old = with(arena_printf(&arena,
	                                    "\"session_id\":\"s\",\"timestamp\":\"%s\","
	                                    "\"properties\":{\"page\":\"/x\"}",
	                                    time_of(NOW - 90 * US_PER_DAY - 1)));
	assert_int_equal(read_under(&rules, old), ERR_NOTHING);
	assert_string_equal(eb.field, "timestamp");
	assert_int_equal(got.occurred_us, NOW - 90 * US_PER_DAY - 1);
	assert_int_equal(got.flags, ACTIVITY_TRUSTED | ACTIVITY_LATE);
	assert_string_equal(got.session_id, "s");
	same_text(got.dims[PAGE], "/x");
	assert_string_equal(got.properties, "{\"page\":\"/x\"}");
	assert_int_equal(read_under(&ageless, old), ERR_OK);
	assert_int_equal(read_under(&ageless, with("\"timestamp\":\"2000-01-01T00:00:00Z\"")), ERR_OK);
	assert_int_equal(read_under(&ageless, with("\"timestamp\":\"1999-12-31T23:59:59Z\"")),
	                 ERR_INVALID);
	assert_string_equal(eb.field, "timestamp");
}

static void test_time_forms(void **state)
{
	(void)state;
	static const char *const same[] = {"\"2026-11-20T18:04:06Z\"",
	                                   "\"2026-11-20T19:04:06+01:00\"",
	                                   "\"2026-11-20T18:04:06\"",
	                                   "\"2026-11-20 18:04:06.000Z\"",
	                                   "1795197846000",
	                                   "\"1795197846000\""};
	static const char *const bad[] = {"\"\"",
	                                  "\"now\"",
	                                  "\"2026-11-20\"",
	                                  "\"2026-02-30T00:00:00Z\"",
	                                  "true",
	                                  "{}",
	                                  "1795197846.5",
	                                  "1795197846",
	                                  "1795197846000000",
	                                  "\"infinity\"",
	                                  "1e12",
	                                  "\"10000-01-01T00:00:00Z\"",
	                                  "9223372036854775807",
	                                  "-62135596800001",
	                                  "\"0000-12-31T23:00:00Z\""};
	for (size_t i = 0; i < COUNT(same); i++) {
		fine(with(arena_printf(&arena, "\"timestamp\":%s", same[i])));
		assert_int_equal(got.claimed_us, NOW);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		refused(with(arena_printf(&arena, "\"timestamp\":%s", bad[i])), "timestamp");
		refused(with(arena_printf(&arena, "\"sent_at\":%s", bad[i])), "sent_at");
	}
}

/* ---- sameness ---------------------------------------------------------------------------------
 */

static int64_t digest(const char *text)
{
	fine(text);
	return got.digest;
}

static void test_digest(void **state)
{
	(void)state;
	int64_t one =
		digest("{\"event_type\":\"x\",\"user_id\":\"u\",\"timestamp\":\"2026-11-20T18:04:05Z\","
	           "\"properties\":{\"a\":1,\"b\":{\"c\":[1,2],\"d\":null},\"page\":\"/x?y=1\"}}");
	assert_int_equal(
		digest(
			"{\"properties\":{ \"page\":\"/x?y=1\",\"b\":{\"d\":null,\"c\":[1, 2]},\"a\":1},"
			"\"timestamp\":\"2026-11-20T18:04:05Z\",\"user_id\":\"\\u0075\",\"event_type\":\"x\"}"),
		one);
	assert_int_equal(
		digest("{\"event_type\":\"x\",\"user_id\":\"u\",\"timestamp\":\"2026-11-20T18:04:05Z\","
	           "\"sent_at\":\"2026-11-20T17:00:00Z\",\"event_id\":null,\"session_id\":null,"
	           "\"properties\":{\"a\":1,\"b\":{\"c\":[1,2],\"d\":null},\"page\":\"/x?y=1\"}}"),
		one);
	sender.received_us += HOUR;
	sender.key_id = 8;
	sender.device = "mobile";
	assert_int_equal(
		digest("{\"event_type\":\"x\",\"user_id\":\"u\",\"timestamp\":\"2026-11-20T18:04:05Z\","
	           "\"properties\":{\"a\":1,\"b\":{\"c\":[1,2],\"d\":null},\"page\":\"/x?y=1\"}}"),
		one);
	static const char *const others[] = {
		"{\"event_type\":\"y\",\"user_id\":\"u\"}",
		"{\"event_type\":\"x\",\"user_id\":\"u\"}",
		"{\"event_type\":\"x\",\"user_id\":\"v\"}",
		"{\"event_type\":\"x\",\"anonymous_id\":\"u\"}",
		"{\"event_type\":\"x\",\"session_id\":\"u\"}",
		"{\"event_type\":\"x\",\"user_id\":\"u\",\"timestamp\":\"2026-11-20T18:04:05Z\"}",
		"{\"event_type\":\"x\",\"user_id\":\"u\",\"properties\":{\"a\":1}}",
		"{\"event_type\":\"x\",\"user_id\":\"u\",\"properties\":{\"a\":\"1\"}}",
		"{\"event_type\":\"x\",\"user_id\":\"u\",\"properties\":{\"a\":[1,2]}}",
		"{\"event_type\":\"x\",\"user_id\":\"u\",\"properties\":{\"a\":[2,1]}}",
		"{\"event_type\":\"x\",\"user_id\":\"u\",\"properties\":{\"page\":\"/x?y=1\"}}",
		"{\"event_type\":\"x\",\"user_id\":\"u\",\"properties\":{\"page\":\"/x?y=2\"}}",
	};
	int64_t seen[COUNT(others)];
	for (size_t i = 0; i < COUNT(others); i++) {
		seen[i] = digest(others[i]);
		for (size_t k = 0; k < i; k++)
			assert_true(seen[k] != seen[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole, begin, end),
		cmocka_unit_test_setup_teardown(test_least, begin, end),
		cmocka_unit_test_setup_teardown(test_fields, begin, end),
		cmocka_unit_test_setup_teardown(test_type, begin, end),
		cmocka_unit_test_setup_teardown(test_ids, begin, end),
		cmocka_unit_test_setup_teardown(test_blank_ids, begin, end),
		cmocka_unit_test_setup_teardown(test_event_id, begin, end),
		cmocka_unit_test_setup_teardown(test_session_key, begin, end),
		cmocka_unit_test_setup_teardown(test_skew, begin, end),
		cmocka_unit_test_setup_teardown(test_future, begin, end),
		cmocka_unit_test_setup_teardown(test_past, begin, end),
		cmocka_unit_test_setup_teardown(test_time_forms, begin, end),
		cmocka_unit_test_setup_teardown(test_digest, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
