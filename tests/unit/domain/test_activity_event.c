/* test_activity_event.c: what a tracked event says: fields, limits, ids, times, properties,
 * dimensions, sameness, and the way there and back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time_text.h"
#include "domain/activity_event.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define MINUTE (60 * US_PER_S)
#define HOUR (60 * MINUTE)

static const int64_t NOW = INT64_C(1795197846) * US_PER_S; /* 2026-11-20T18:04:06Z */

static const struct activity_dimension dimensions[] = {
	{1, "page", ""},
	{2, "source", ""},
	{3, "campaign", "utm_campaign"},
	{4, "device", ""},
	{5, "browser", ""},
	{6, "category", "category"},
	{7, "product", "product_id"},
	{8, "region", "region"},
	{16, "plan", "plan"},
};
enum { PAGE, SOURCE, CAMPAIGN, DEVICE, BROWSER, CATEGORY, PRODUCT, REGION, PLAN = 15 };

static const char *const page_params[] = {"category", "page"};
static const struct activity_rules rules = {90, dimensions, COUNT(dimensions), page_params, 2};
static const struct activity_rules ageless = {0, dimensions, 8, NULL, 0};

static struct arena arena;
static struct activity_sender sender;
static struct activity_event got;
static struct errbuf eb;

static int begin(void **state)
{
	(void)state;
	arena_init(&arena);
	sender = (struct activity_sender){.received_us = NOW,
	                                  .key_id = 7,
	                                  .trusted = true,
	                                  .device = "",
	                                  .browser = "",
	                                  .host = "shop.example"};
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static enum err read_under(const struct activity_rules *under, const char *text)
{
	const struct jnode *event;
	eb = (struct errbuf){0};
	enum err rc = jnode_parse(&arena, text, strlen(text), 64, NULL, &event, &eb);
	return rc == ERR_OK ? activity_event_read(&arena, event, under, &sender, &got, &eb) : rc;
}

static void fine(const char *text)
{
	if (read_under(&rules, text) != ERR_OK)
		fail_msg("%.300s: %s: %s", text, eb.field, eb.text);
}

static void refused(const char *text, const char *field)
{
	enum err rc = read_under(&rules, text);
	if (rc != ERR_INVALID || strcmp(eb.field, field) != 0 || !*eb.text)
		fail_msg("%.300s: %d, field \"%s\" (%s), not %s", text, (int)rc, eb.field, eb.text, field);
}

/* An event with these members more, or these properties. */
static const char *with(const char *members)
{
	return arena_printf(&arena, "{\"event_type\":\"page_view\",\"user_id\":\"u1\"%s%s}",
	                    *members ? "," : "", members);
}

static const char *having(const char *properties)
{
	return with(arena_printf(&arena, "\"properties\":{%s}", properties));
}

static const char *repeat(char c, int n)
{
	char *text = arena_alloc(&arena, (size_t)n + 1);
	memset(text, c, (size_t)n);
	return text;
}

static void same_text(const char *is, const char *should)
{
	if (!should)
		assert_null(is);
	else if (!is)
		fail_msg("nothing, not %s", should);
	else
		assert_string_equal(is, should);
}

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

/* ---- limits of properties -------------------------------------------------------------------- */

/* With `n` names, half of them in an object inside an array. */
static const char *with_names(int n)
{
	struct buf b;
	buf_init(&b);
	buf_puts(&b, "\"n0\":[{");
	for (int i = 1; i < n; i++)
		buf_printf(&b, "%s\"n%d\":%d", i == 1 ? "" : i == n / 2 ? "}]," : ",", i, i);
	if (n / 2 <= 1)
		buf_puts(&b, "}]");
	const char *text = having(b.data);
	buf_fini(&b);
	return text;
}

static void test_names(void **state)
{
	(void)state;
	fine(with_names(ACTIVITY_PROPERTIES - 1));
	fine(with_names(ACTIVITY_PROPERTIES));
	refused(with_names(ACTIVITY_PROPERTIES + 1), "properties");
	for (int n = ACTIVITY_NAME_BYTES - 1; n <= ACTIVITY_NAME_BYTES; n++)
		fine(having(arena_printf(&arena, "\"%s\":1", repeat('x', n))));
	refused(having(arena_printf(&arena, "\"%s\":1", repeat('x', ACTIVITY_NAME_BYTES + 1))),
	        "properties");
	refused(having("\"\":1"), "properties.");
	refused(having("\"a\":{\"\":1}"), "properties.a.");
}

static void test_texts(void **state)
{
	(void)state;
	for (int n = ACTIVITY_TEXT_BYTES - 1; n <= ACTIVITY_TEXT_BYTES; n++)
		fine(having(
			arena_printf(&arena, "\"x\":\"%s\",\"y\":[\"%s\"]", repeat('x', n), repeat('y', n))));
	const char *longer = repeat('x', ACTIVITY_TEXT_BYTES + 1);
	refused(having(arena_printf(&arena, "\"x\":\"%s\"", longer)), "properties.x");
	refused(having(arena_printf(&arena, "\"a\":{\"x\":\"%s\"}", longer)), "properties.a.x");
	refused(having(arena_printf(&arena, "\"a\":[\"%s\"]", longer)), "properties.a");
	for (int n = ACTIVITY_NUMBER_BYTES - 1; n <= ACTIVITY_NUMBER_BYTES; n++)
		fine(having(arena_printf(&arena, "\"x\":1.%s", repeat('1', n - 2))));
	refused(having(arena_printf(&arena, "\"x\":1.%s", repeat('1', ACTIVITY_NUMBER_BYTES - 1))),
	        "properties.x");
	fine(having("\"x\":1e999,\"y\":-1.5E-308"));
	refused(having("\"x\":1e1000"), "properties.x");
}

static void test_depth(void **state)
{
	(void)state;
	fine(having("\"a\":1"));
	fine(having("\"a\":{\"b\":1}"));
	fine(having("\"a\":{\"b\":{\"c\":1}}"));
	refused(having("\"a\":{\"b\":{\"c\":{}}}"), "properties.a.b.c");
	fine(having("\"a\":[[1]]"));
	refused(having("\"a\":[[[]]]"), "properties.a");
}

static void test_bytes(void **state)
{
	(void)state;
	for (int n = ACTIVITY_BYTES - 1; n <= ACTIVITY_BYTES + 1; n++) {
		const char *start = "{\"event_type\":\"x\",\"user_id\":\"u\"", *space;
		space = repeat(' ', n - (int)strlen(start) - 1);
		const char *text = arena_printf(&arena, "%s%s}", start, space);
		assert_int_equal(strlen(text), n);
		if (n <= ACTIVITY_BYTES)
			fine(text);
		else
			refused(text, "");
	}
}

/* ---- what is not kept ---------------------------------------------------------------------- */

static void dropped(const char *properties, const char *kept, const char *names)
{
	struct buf b;
	fine(having(properties));
	assert_string_equal(got.properties, kept);
	buf_init(&b);
	for (int i = 0; i < got.dropped_n; i++)
		buf_printf(&b, "%s%s", i ? "," : "", got.dropped[i]);
	assert_string_equal(buf_str(&b), names);
	buf_fini(&b);
}

static void test_private_names(void **state)
{
	(void)state;
	dropped("\"email\":\"a@b.c\",\"a\":1", "{\"a\":1}", "properties.email");
	dropped("\"userEmail\":1,\"E-MAIL\":2,\"mobile_phone\":3,\"Password\":4,\"card\":5,\"IBAN\":6,"
	        "\"ssn\":7,\"creditCardNo\":8",
	        "{}",
	        "properties.userEmail,properties.E-MAIL,properties.mobile_phone,properties.Password,"
	        "properties.card,properties.IBAN,properties.ssn,properties.creditCardNo");
	dropped("\"user\":{\"email\":\"x\",\"plan\":\"p\"},\"list\":[{\"phone\":1},{\"phone\":2}]",
	        "{\"list\":[{},{}],\"user\":{\"plan\":\"p\"}}",
	        "properties.user.email,properties.list.phone");
	dropped("\"emai\":1,\"phon\":2,\"passwor\":3,\"car\":4,\"iba\":5,\"ss\":6,\"s\":7",
	        "{\"car\":4,\"emai\":1,\"iba\":5,\"passwor\":3,\"phon\":2,\"s\":7,\"ss\":6}", "");
	/* a dimension, a price of it is none either */
	dropped("\"card\":{\"price\":-1},\"mail_price\":1", "{}",
	        "properties.card,properties.mail_price");
}

static void test_cards(void **state)
{
	(void)state;
	static const char *const cards[] = {
		"4222222222222",       "30569309025904",         "378282246310005",
		"4111111111111111",    "4111 1111 1111 1111",    "4111-1111-1111-1111",
		"5555555555554444",    "6011111111111117",       "2223003122003222",
		"6304000000000000000", "4111 - 1111 1111 1111 ", "4111111111111111?a=b",
		"4111111111111111#"};
	static const char *const others[] = {
		"411111111117",                          /* 12 digits that fit */
		"40000000000000000002",                  /* 20 that do */
		"4111111111111112",                      /* its sum is wrong */
		"4111x1111111111111",   "1795197846000", /* a time: 1 is no card's */
		"1111111111111117",     "4000000000006", /* EAN-13 */
		"4111111111111111 EUR"};
	for (size_t i = 0; i < COUNT(cards); i++)
		dropped(arena_printf(&arena, "\"a\":\"%s\",\"b\":[\"%s\",1]", cards[i], cards[i]),
		        "{\"b\":[1]}", "properties.a,properties.b");
	for (size_t i = 0; i < COUNT(others); i++)
		dropped(arena_printf(&arena, "\"a\":\"%s\"", others[i]),
		        arena_printf(&arena, "{\"a\":\"%s\"}", others[i]), "");
	dropped("\"a\":4111111111111111,\"product_id\":\"4111111111111111\"", "{}",
	        "properties.a,properties.product_id");
	same_text(got.dims[PRODUCT], NULL);
}

/* ---- money --------------------------------------------------------------------------------- */

static void test_money(void **state)
{
	(void)state;
	static const struct {
		const char *said, *price;
	} good[] = {
		{"\"89.90\"", "89.90"}, {"89.90", "89.90"}, {"0", "0"},
		{"\"0.00\"", "0.00"},   {"1e2", "100"},     {"99999999999999.99", "99999999999999.99"},
		{"null", NULL},         {"-0", "0"}};
	static const char *const bad[] = {"-0.01",  "\"\"",     "\"free\"",        "true",
	                                  "[]",     "\"1,50\"", "100000000000000", "\"NaN\"",
	                                  "\"1 \"", "{}"};
	for (size_t i = 0; i < COUNT(good); i++) {
		fine(having(arena_printf(&arena, "\"price\":%s", good[i].said)));
		same_text(got.price, good[i].price);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		refused(having(arena_printf(&arena, "\"price\":%s", bad[i])), "properties.price");
	fine(having("\"quantity\":1"));
	fine(having("\"quantity\":\"999999\""));
	fine(having("\"quantity\":1000000"));
	assert_int_equal(got.quantity, ACTIVITY_QUANTITY);
	static const char *const none[] = {"0", "-1", "1000001", "1.0", "\"\"", "true"};
	for (size_t i = 0; i < COUNT(none); i++)
		refused(having(arena_printf(&arena, "\"quantity\":%s", none[i])), "properties.quantity");
	fine(having("\"currency\":\"eur\""));
	assert_string_equal(got.currency, "EUR");
	static const char *const no_code[] = {"\"\"",    "\"EU\"", "\"EURO\"",
	                                      "\"E R\"", "978",    "\"\xe2\x82\xac\""};
	for (size_t i = 0; i < COUNT(no_code); i++)
		refused(having(arena_printf(&arena, "\"currency\":%s", no_code[i])), "properties.currency");
}

/* ---- dimensions ------------------------------------------------------------------------------ */

static void test_page(void **state)
{
	(void)state;
	static const struct {
		const char *said, *page;
	} rows[] = {
		{"/", "/"},
		{"/a/b?x=1#y", "/a/b"},
		{"/a#b?page=2", "/a"},
		{"https://shop.example/a?page=2&x=3", "/a?page=2"},
		{"https://shop.example/a?x=3&page=2&category=c%20d#z", "/a?category=c%20d&page=2"},
		{"https://shop.example/a?category=c&page=2", "/a?category=c&page=2"},
		{"https://shop.example?x=1", "/"},
		{"https://shop.example", "/"},
		{"//shop.example/a", "/a"},
		{"https://shop.example//a//b", "/a//b"},
		{"app://home/start", "/start"},
		{"Start", "Start"},
		{"a/b:c", "a/b:c"},
		{"/a?page=", "/a?page="},
		{"/a?page", "/a"},
		{"/a?xpage=1&", "/a"},
		{"  ", NULL},
		{"?page=2", "?page=2"},
		{"#/x", NULL},
		{"", NULL},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		fine(having(arena_printf(&arena, "\"page\":\"%s\"", rows[i].said)));
		same_text(got.dims[PAGE], rows[i].page);
	}
	assert_int_equal(read_under(&ageless, having("\"page\":\"/a?page=2\"")), ERR_OK);
	same_text(got.dims[PAGE], "/a");
	assert_int_equal(got.dims_n, 8);
	fine(having("\"page\":7"));
	assert_int_equal(got.dims_n, 16);
	same_text(got.dims[PAGE], "7");
	fine(having("\"page\":{}"));
	same_text(got.dims[PAGE], NULL);
}

static void test_source(void **state)
{
	(void)state;
	static const struct {
		const char *said, *source;
	} rows[] = {
		{"https://www.google.com/search?q=a", "google.com"},
		{"https://WWW.Google.com", "google.com"},
		{"http://user:pass@blog.example:8080/x", "blog.example"},
		{"google.com", "google.com"},
		{"news.example/a", "news.example"},
		{"//t.example/x", NULL},
		{"android-app://com.app.mail/", "com.app.mail"},
		{"https://shop.example/cart", NULL},
		{"https://www.Shop.example/cart", NULL},
		{"https://other.shop.example/", "other.shop.example"},
		{"direct", NULL},
		{"/products", NULL},
		{"", NULL},
		{"https://", NULL},
		{".", NULL},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		fine(having(arena_printf(&arena, "\"referrer\":\"%s\"", rows[i].said)));
		same_text(got.dims[SOURCE], rows[i].source);
	}
	sender.host = "www.google.com";
	fine(having("\"referrer\":\"https://google.com/\""));
	same_text(got.dims[SOURCE], NULL);
	fine(having(
		"\"referrer\":\"https://google.com/\",\"utm_source\":\"letter\",\"utm_campaign\":\"x\""));
	same_text(got.dims[SOURCE], "letter");
	same_text(got.dims[CAMPAIGN], "x");
	fine(having("\"referrer\":\"https://a.example/x?user=anna#1\""));
	assert_string_equal(got.properties, "{\"referrer\":\"https://a.example/x\"}");
}

static void test_values(void **state)
{
	(void)state;
	fine(having("\"device\":\"watch\",\"browser\":\"Own\",\"plan\":true,\"region\":\" Nord \","
	            "\"product_id\":401,\"category\":\"\""));
	same_text(got.dims[DEVICE], "watch");
	same_text(got.dims[BROWSER], "Own");
	same_text(got.dims[PLAN], "true");
	same_text(got.dims[REGION], "Nord");
	same_text(got.dims[PRODUCT], "401");
	same_text(got.dims[CATEGORY], NULL);
	sender.device = "mobile";
	sender.browser = "Chrome";
	sender.flags = ACTIVITY_BOT_NAME | ACTIVITY_CLAMPED;
	fine(having("\"device\":\"watch\",\"browser\":\"Own\",\"plan\":[1]"));
	same_text(got.dims[DEVICE], "mobile");
	same_text(got.dims[BROWSER], "Chrome");
	same_text(got.dims[PLAN], NULL);
	assert_int_equal(got.flags, ACTIVITY_TRUSTED | ACTIVITY_BOT_NAME);
	for (int n = ACTIVITY_VALUE_BYTES - 1; n <= ACTIVITY_VALUE_BYTES + 1; n++) {
		fine(having(arena_printf(&arena, "\"category\":\"%s\"", repeat('x', n))));
		same_text(got.dims[CATEGORY],
		          repeat('x', n > ACTIVITY_VALUE_BYTES ? ACTIVITY_VALUE_BYTES : n));
	}
	/* never within a character */
	fine(having(arena_printf(&arena, "\"category\":\"%s\xe2\x82\xac\"", repeat('x', 198))));
	same_text(got.dims[CATEGORY], repeat('x', 198));
	fine(having(arena_printf(&arena, "\"category\":\"%s\xe2\x82\xac\"", repeat('x', 197))));
	same_text(got.dims[CATEGORY], arena_printf(&arena, "%s\xe2\x82\xac", repeat('x', 197)));
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
		cmocka_unit_test_setup_teardown(test_names, begin, end),
		cmocka_unit_test_setup_teardown(test_texts, begin, end),
		cmocka_unit_test_setup_teardown(test_depth, begin, end),
		cmocka_unit_test_setup_teardown(test_bytes, begin, end),
		cmocka_unit_test_setup_teardown(test_private_names, begin, end),
		cmocka_unit_test_setup_teardown(test_cards, begin, end),
		cmocka_unit_test_setup_teardown(test_money, begin, end),
		cmocka_unit_test_setup_teardown(test_page, begin, end),
		cmocka_unit_test_setup_teardown(test_source, begin, end),
		cmocka_unit_test_setup_teardown(test_values, begin, end),
		cmocka_unit_test_setup_teardown(test_digest, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
