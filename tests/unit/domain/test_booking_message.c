/* test_booking_message.c: what messages say: names, limits, sameness, and bytes that are none. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/time_text.h"
#include "domain/booking_message.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define T "\"occurred_at\":\"2026-11-05T20:14:03Z\""
#define BOOKING "{\"type\":\"booking.created\",\"booking_id\":\"B\",\"event_id\":17," T
#define EVENT "{\"type\":\"event.updated\",\"event_id\":17," T

static const int64_t AT_US = INT64_C(1793909643) * US_PER_S;

static struct arena arena;
static struct booking_message got;
static struct booking_envelope env;
static struct errbuf eb;

static enum err parse_hinted(const char *text, const char *hint)
{
	/* a copy of its very size: reading behind it is seen by the sanitizer */
	size_t n = strlen(text);
	char *bytes = mem_alloc(n ? n : 1);
	memcpy(bytes, text, n);
	eb = (struct errbuf){0};
	enum err rc = booking_message_parse(&arena, bytes, n, hint, &got, &env, &eb);
	free(bytes);
	return rc;
}

static enum err parse(const char *text)
{
	return parse_hinted(text, NULL);
}

static void parse_fine(const char *text)
{
	if (parse(text) != ERR_OK)
		fail_msg("%.300s: %s: %s", text, eb.field, eb.text);
}

static void refused(const char *text, const char *field)
{
	enum err rc = parse(text);
	if (rc != ERR_INVALID || strcmp(eb.field, field) != 0)
		fail_msg("%.300s: %d, field \"%s\", not %s", text, (int)rc, eb.field, field);
}

/* `start` with a member more. */
static const char *with(const char *start, const char *member)
{
	return arena_printf(&arena, "%s,%s}", start, member);
}

static int begin(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

/* ---- the examples of the docs ----------------------------------------------------- */

static void test_event_created(void **state)
{
	(void)state;
	parse_fine("{\"type\": \"event.created\", \"event_id\": 17, \"occurred_at\": "
	           "\"2026-11-05T21:14:03+01:00\", \"name\": \"Winter concert\", \"category\": "
	           "\"music\", \"capacity\": 120, \"currency\": \"eur\", \"starts_at\": "
	           "\"2026-12-18T19:30:00+01:00\", \"ends_at\": null, \"sales_from\": 1793909643}");
	assert_int_equal(got.kind, BOOKABLE_CREATED);
	assert_int_equal(got.event_id, 17);
	assert_int_equal(got.occurred_us, AT_US);
	assert_string_equal(got.name, "Winter concert");
	assert_string_equal(got.category, "music");
	assert_int_equal(got.capacity, 120);
	assert_string_equal(got.currency, "EUR");
	assert_string_equal(got.status, "draft");
	assert_int_equal(got.starts_us, INT64_C(1797618600) * US_PER_S);
	assert_int_equal(got.ends_us, BOOKING_NONE);
	assert_int_equal(got.sales_from_us, AT_US);
	assert_int_equal(got.says, SAYS_NAME | SAYS_CATEGORY | SAYS_CAPACITY | SAYS_CURRENCY |
	                               SAYS_STARTS | SAYS_ENDS | SAYS_SALES_FROM | SAYS_STATUS);
	assert_true(env.json);
	assert_int_equal(env.event_id, 17);
	assert_string_equal(env.type, "event.created");
	assert_memory_equal(env.dedup, got.dedup, 32);
}

static void test_bookings(void **state)
{
	(void)state;
	parse_fine(
		"{\"type\":\"booking.created\",\"booking_id\":\"B-1001\",\"event_id\":17,\"user_id\":"
		"\"u-7\",\"seats\":2,\"amount\":\"58.00\",\"currency\":\"EUR\"," T "}");
	assert_int_equal(got.kind, BOOKING_CREATED);
	assert_string_equal(got.booking_id, "B-1001");
	assert_string_equal(got.user_id, "u-7");
	assert_int_equal(got.seats, 2);
	assert_string_equal(got.amount, "58.00");
	assert_false(got.confirmed);
	assert_int_equal(got.created_us, AT_US);
	assert_int_equal(got.says, 0);

	parse_fine("{\"type\":\"booking.cancelled\",\"booking_id\":1001," T "}");
	assert_int_equal(got.kind, BOOKING_CANCELLED);
	assert_string_equal(got.booking_id, "1001");
	assert_int_equal(got.event_id, BOOKING_NONE);
	assert_int_equal(got.seats, BOOKING_NONE);
	assert_int_equal(got.created_us, BOOKING_NONE);
	assert_null(got.amount);
	assert_null(got.currency);
	assert_null(got.user_id);

	parse_fine(with(BOOKING, "\"status\":\"Confirmed\""));
	assert_true(got.confirmed);
	refused(with(BOOKING, "\"status\":\"cancelled\""), "status");
	refused("{\"type\":\"booking.created\",\"booking_id\":\"B\"," T "}", "event_id");
	refused("{\"type\":\"booking.confirmed\",\"event_id\":1," T "}", "booking_id");
	refused("{\"type\":\"booking.confirmed\",\"booking_id\":\"\"," T "}", "booking_id");
	refused("{\"type\":\"booking.confirmed\",\"booking_id\":\"B\"}", "occurred_at");
	refused("{\"type\":\"user.created\"," T "}", "user_id");
	parse_fine("{\"type\":\"user.created\",\"user_id\":\"u-7\"," T ",\"event_id\":\"uuid\"}");
	assert_int_equal(got.kind, USER_CREATED);
}

static void test_event_status(void **state)
{
	(void)state;
	static const struct {
		const char *type, *member, *status;
	} rows[] = {
		{"created", "\"status\":\"published\"", "published"},
		{"created", "\"status\":null", "draft"},
		{"updated", "\"status\":\"CANCELED\"", "cancelled"},
		{"updated", "\"x\":1", NULL},
		{"published", "\"status\":\"draft\"", "published"},
		{"cancelled", "\"status\":7", "cancelled"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		parse_fine(arena_printf(&arena, "{\"type\":\"event.%s\",\"event_id\":17," T ",%s}",
		                        rows[i].type, rows[i].member));
		assert_int_equal(got.says, rows[i].status ? SAYS_STATUS : 0);
		if (rows[i].status)
			assert_string_equal(got.status, rows[i].status);
	}
	refused(with(EVENT, "\"status\":\"live\""), "status");
	refused("{\"type\":\"event.updated\"," T "}", "event_id");
}

/* ---- names -------------------------------------------------------------------------- */

static void test_types(void **state)
{
	(void)state;
	static const char *const rest = "\"booking_id\":\"B\",\"event_id\":1,\"user_id\":1," T "}";
	static const struct {
		const char *start, *hint;
		int kind; /* -1: none */
	} rows[] = {
		{"{\"type\":\"booking.confirmed\",", NULL, BOOKING_CONFIRMED},
		{"{\"type\":\"booking_confirmed\",", NULL, BOOKING_CONFIRMED},
		{"{\"event_type\":\"BOOKING_CONFIRMED\",", NULL, BOOKING_CONFIRMED},
		{"{\"eventType\":\"BookingConfirmed\",", NULL, BOOKING_CONFIRMED},
		{"{\"Event-Type\":\"booking-canceled\",", NULL, BOOKING_CANCELLED},
		{"{\"type\":\"event.canceled\",", NULL, BOOKABLE_CANCELLED},
		{"{\"type\":\"concert\",\"event_type\":\"event.updated\",", NULL, BOOKABLE_UPDATED},
		{"{\"type\":\"event.updated\",\"event_type\":\"concert\",", NULL, BOOKABLE_UPDATED},
		{"{\"type\":\"event.updated\",\"data\":{\"type\":\"event.created\"},", NULL,
	     BOOKABLE_UPDATED},
		{"{\"type\":\"x\",\"payload\":{\"data\":{\"type\":\"user.created\"}},", NULL, USER_CREATED},
		{"{\"event\":{\"type\":\"user.created\"},", NULL, -1},
		{"{", "booking.created", BOOKING_CREATED},
		{"{\"type\":null,", "booking_created", BOOKING_CREATED},
		{"{\"type\":\"concert\",", "shop:event.updated", BOOKABLE_UPDATED},
		{"{", "a/b.event.updated", BOOKABLE_UPDATED},
		{"{", "an_event.updated", -1},
		{"{\"type\":\"booking.confirmed\",", "event.updated", BOOKING_CONFIRMED},
		{"{", NULL, -1},
		{"{", "", -1},
		{"{\"type\":\"order.created\",", "orders", -1},
		{"{\"type\":\"booking..created\",", NULL, -1},
		{"{\"type\":\"booking.create\",", NULL, -1},
		{"{\"type\":\"booking.created.\",", NULL, -1},
		{"{\"type\":17,", NULL, -1},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum err rc = parse_hinted(arena_printf(&arena, "%s%s", rows[i].start, rest), rows[i].hint);
		enum err expected = rows[i].kind < 0 ? ERR_NOTHING : ERR_OK;
		if (rc != expected || (rc == ERR_OK && (int)got.kind != rows[i].kind))
			fail_msg("%s %s: %d %d %s", rows[i].start, rows[i].hint, (int)rc, (int)got.kind,
			         eb.text);
		if (rc == ERR_OK)
			assert_string_equal(env.type, booking_kind_type(got.kind));
		else
			assert_string_equal(eb.field, "type");
	}
	assert_int_equal(parse("{\"type\":\"Order.Created\",\"event_id\":\"9\"}"), ERR_NOTHING);
	assert_string_equal(env.type, "order.created");
	assert_int_equal(env.event_id, 9);
	assert_true(booking_message_is("booking_created"));
	assert_false(booking_message_is("order_created"));
	assert_false(booking_message_is(""));
}

/* The next word of a list; NULL: none is left. */
static const char *next_word(const char **list)
{
	size_t n = strcspn(*list, " ");
	const char *word = n ? arena_strndup(&arena, *list, n) : NULL;
	*list += n + ((*list)[n] == ' ');
	return word;
}

#define AT(field) offsetof(struct booking_message, field)

/* Each name alone says the same. */
static void test_names(void **state)
{
	(void)state;
	static const char *const user = "{\"type\":\"user.created\",\"user_id\":1";
	static const char *const event = "{\"type\":\"event.updated\"," T;
	static const char *const time = "\"2026-11-05 20:14:03\"";
	const struct {
		const char *start, *names, *value;
		size_t offset;
		int64_t expected;
	} rows[] = {
		{user, "occurred_at timestamp time created_at occurredAt createdAt", time, AT(occurred_us),
	     AT_US},
		{BOOKING, "seats quantity tickets Seats", "7", AT(seats), 7},
		{BOOKING, "version Version", "7", AT(version), 7},
		{BOOKING, "seq sequence", "\"7\"", AT(seq), 7},
		{EVENT, "capacity total_capacity totalCapacity", "7", AT(capacity), 7},
		{EVENT, "starts_at start_time startsAt START-TIME", time, AT(starts_us), AT_US},
		{EVENT, "ends_at end_time", time, AT(ends_us), AT_US},
		{EVENT, "sales_from sales_start", time, AT(sales_from_us), AT_US},
		{EVENT, "sales_until sales_end", time, AT(sales_until_us), AT_US},
		{event, "event_id id eventId Event-ID", "7", AT(event_id), 7},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *list = rows[i].names;
		for (const char *name; (name = next_word(&list));) {
			parse_fine(arena_printf(&arena, "%s,\"%s\":%s}", rows[i].start, name, rows[i].value));
			int64_t v;
			memcpy(&v, (const char *)&got + rows[i].offset, sizeof v);
			if (v != rows[i].expected)
				fail_msg("%s: %" PRId64, name, v);
		}
	}
}

static void test_text_names(void **state)
{
	(void)state;
	static const char *const booking = "{\"type\":\"booking.cancelled\",\"event_id\":17," T;
	static const struct {
		const char *start, *names, *value;
		size_t offset;
	} rows[] = {
		{BOOKING, "amount total_amount total price totalAmount", "58.50", AT(amount)},
		{BOOKING, "currency", "CHF", AT(currency)},
		{BOOKING, "user_id userId", "u-9", AT(user_id)},
		{EVENT, "name title event_name eventName", "Ball", AT(name)},
		{EVENT, "category", "dance", AT(category)},
		{EVENT, "currency", "JPY", AT(currency)},
		{booking, "booking_id id bookingId", "B-9", AT(booking_id)},
		{"{\"type\":\"user.created\"," T, "user_id id", "u-9", AT(user_id)},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *list = rows[i].names;
		for (const char *name; (name = next_word(&list));) {
			parse_fine(
				arena_printf(&arena, "%s,\"%s\":\"%s\"}", rows[i].start, name, rows[i].value));
			const char *v;
			memcpy(&v, (const char *)&got + rows[i].offset, sizeof v);
			assert_non_null(v);
			assert_string_equal(v, rows[i].value);
		}
	}
}

static void test_nests(void **state)
{
	(void)state;
	parse_fine(
		"{\"specversion\":\"1.0\",\"id\":\"e-1\",\"type\":\"booking.created\",\"time\":"
		"\"2026-11-05T20:14:03Z\",\"data\":{\"id\":\"B-2\",\"event\":{\"id\":5,\"name\":\"N\","
		"\"status\":\"draft\",\"price\":\"9\",\"currency\":\"USD\",\"capacity\":[]},"
		"\"user\":{\"id\":\"u-2\",\"name\":{}},\"tickets\":3}}");
	assert_string_equal(got.booking_id, "B-2");
	assert_int_equal(got.event_id, 5);
	assert_string_equal(got.user_id, "u-2");
	assert_int_equal(got.seats, 3);
	assert_null(got.amount);
	assert_null(got.currency);
	assert_int_equal(got.says, 0);

	parse_fine("{\"type\":\"event.created\",\"payload\":{\"event\":{\"id\":\"5\",\"name\":\"N\","
	           "\"created_at\":\"2026-11-05T20:14:03\"}}}");
	assert_int_equal(got.event_id, 5);
	assert_string_equal(got.name, "N");
	assert_int_equal(got.occurred_us, AT_US);

	/* the better name, wherever it is; of equal ones the innermost */
	parse_fine("{\"type\":\"booking.created\",\"occurred_at\":\"2026-11-05T20:14:03Z\",\"data\":{"
	           "\"created_at\":\"2001-01-01\",\"booking_id\":\"B\",\"event_id\":5,\"id\":\"X\"},"
	           "\"event_id\":6,\"quantity\":4,\"payload\":{\"tickets\":9}}");
	assert_int_equal(got.occurred_us, AT_US);
	assert_string_equal(got.booking_id, "B");
	assert_int_equal(got.event_id, 5);
	assert_int_equal(got.seats, 4);
}

/* ---- limits --------------------------------------------------------------------------- */

static const char *repeated(char c, size_t n)
{
	char *text = arena_alloc(&arena, n + 1);
	memset(text, c, n);
	return text;
}

static void test_number_limits(void **state)
{
	(void)state;
	static const struct {
		const char *start, *field;
		const char *fine[5], *wrong[8];
	} rows[] = {
		{BOOKING,
	     "seats",
	     {"0", "1", "999999", "1000000", "\"12\""},
	     {"-1", "1000001", "1.5", "2e1", "\"\"", "[]", "true", "\"two\""}},
		{BOOKING,
	     "amount",
	     {"0", "-0.00", "99999999999999.99", "\"1e2\"", "0.001"},
	     {"-0.01", "100000000000000", "\"\"", "\"1,50\"", "\"NaN\"", "{}", "\"5 EUR\"", "false"}},
		{BOOKING,
	     "version",
	     {"0", "1", "9223372036854775807", "\"1.0\"", "1.5"},
	     {"-1", "9223372036854775808", "\"-1\""}},
		{BOOKING,
	     "seq",
	     {"0", "9223372036854775807", "\"3\""},
	     {"-1", "9223372036854775808", "1.0", "\"x\"", "{}"}},
		{"{\"type\":\"event.updated\"," T,
	     "event_id",
	     {"1", "2", "9223372036854775807", "\"8\""},
	     {"0", "-1", "9223372036854775808", "1.0", "\"a\"", "\"\"", "true", "[1]"}},
		{EVENT,
	     "capacity",
	     {"0", "1", "999999999", "1000000000", "null"},
	     {"-1", "1000000001", "1.5", "\"many\"", "[]"}},
		{BOOKING,
	     "currency",
	     {"\"EUR\"", "\"eur\"", "null"},
	     {"\"EU\"", "\"EURO\"", "\"\"", "978", "\"E1R\"", "\"\\u00c4BC\"", "[]"}},
		{BOOKING, "user_id", {"\"\"", "7", "\"u\"", "null"}, {"1.5", "{\"a\":1}", "true"}},
		{EVENT, "name", {"\"\"", "\"\\ud83c\\udfb7\"", "1984", "null"}, {"1.5", "{}", "[]"}},
		{EVENT,
	     "starts_at",
	     {"null", "\"1970-01-01\"", "\"2099-12-31T23:59:59.999999Z\"",
	      "\"1970-01-01T01:00:00+01:00\"", "4102444799"},
	     {"\"1969-12-31T23:59:59Z\"", "\"2100-01-01\"", "4102444800", "0", "\"infinity\"",
	      "\"2026-02-29\"", "\"\"", "{}"}},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t k = 0; k < COUNT(rows[i].fine) && rows[i].fine[k]; k++)
			parse_fine(arena_printf(&arena, "%s,\"%s\":%s}", rows[i].start, rows[i].field,
			                        rows[i].fine[k]));
		for (size_t k = 0; k < COUNT(rows[i].wrong) && rows[i].wrong[k]; k++)
			refused(arena_printf(&arena, "%s,\"%s\":%s}", rows[i].start, rows[i].field,
			                     rows[i].wrong[k]),
			        rows[i].field);
	}
}

static void test_text_limits(void **state)
{
	(void)state;
	static const struct {
		const char *start, *field;
		size_t max;
	} rows[] = {
		{"{\"type\":\"booking.cancelled\"," T, "booking_id", BOOKING_ID_BYTES},
		{BOOKING, "user_id", BOOKING_ID_BYTES},
		{EVENT, "name", BOOKING_TEXT_BYTES},
		{EVENT, "category", BOOKING_TEXT_BYTES},
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t n = rows[i].max - 1; n <= rows[i].max + 1; n++) {
			const char *text = arena_printf(&arena, "%s,\"%s\":\"%s\"}", rows[i].start,
			                                rows[i].field, repeated('x', n));
			if (n <= rows[i].max)
				parse_fine(text);
			else
				refused(text, rows[i].field);
		}
	/* bytes, not characters; and a type that nobody knows is cut between two of them */
	refused(with(EVENT, arena_printf(&arena, "\"name\":\"\xc3\xa4%s\"", repeated('x', 999))),
	        "name");
	assert_int_equal(parse(arena_printf(&arena, "{\"type\":\"%s\xc3\xa4\"}", repeated('X', 199))),
	                 ERR_NOTHING);
	assert_string_equal(env.type, repeated('x', 199));
}

static void test_message_limits(void **state)
{
	(void)state;
	for (int more = -1; more <= 1; more++) {
		size_t fill = (size_t)(BOOKING_MESSAGE_BYTES + more) - strlen(BOOKING ",\"x\":\"\"}");
		const char *text = with(BOOKING, arena_printf(&arena, "\"x\":\"%s\"", repeated('x', fill)));
		assert_int_equal(strlen(text), BOOKING_MESSAGE_BYTES + more);
		assert_int_equal(parse(text), more == 1 ? ERR_INVALID : ERR_OK);
		assert_int_equal(env.json, more != 1);
		size_t depth = (size_t)(BOOKING_MESSAGE_DEPTH - 1 + more);
		text = with(BOOKING,
		            arena_printf(&arena, "\"x\":%s%s", repeated('[', depth), repeated(']', depth)));
		assert_int_equal(parse(text), more == 1 ? ERR_INVALID : ERR_OK);
		assert_string_equal(eb.field, "");
		assert_int_equal(env.json, more != 1);
	}
}

static void test_times(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		int64_t us; /* more than AT_US */
	} rows[] = {
		{"\"2026-11-05T20:14:03\"", 0},
		{"\"2026-11-05T22:14:03+02:00\"", 0},
		{"\"2026-11-05T20:14:03.123456789Z\"", 123456},
		{"1793909643", 0},
		{"\"1793909643\"", 0},
		{"1793909643.5", 500000},
		{"1793909643.1234567", 123456},
		{"1793909643000", 0},
		{"1793909643001.25", 1250},
		{"1793909643000001", 1},
		{"1793909643000001999", 1},
		{"1.793909643e9", 0},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		parse_fine(arena_printf(&arena, "{\"type\":\"user.created\",\"id\":1,\"occurred_at\":%s}",
		                        rows[i].value));
		if (got.occurred_us != AT_US + rows[i].us)
			fail_msg("%s: %" PRId64, rows[i].value, got.occurred_us);
	}
	refused("{\"type\":\"user.created\",\"id\":1,\"time\":-1793909643}", "occurred_at");
	refused("{\"type\":\"user.created\",\"id\":1,\"time\":1e300}", "occurred_at");
	refused("{\"type\":\"user.created\",\"id\":1,\"time\":\"yesterday\"}", "occurred_at");
}

/* ---- sameness ------------------------------------------------------------------------------ */

static bool same(const char *a, const char *hint_a, const char *b, const char *hint_b)
{
	unsigned char dedup[32];
	(void)parse_hinted(a, hint_a);
	memcpy(dedup, env.dedup, sizeof dedup);
	(void)parse_hinted(b, hint_b);
	return memcmp(dedup, env.dedup, sizeof dedup) == 0;
}

static void test_same(void **state)
{
	(void)state;
	const char *one = "{\"type\":\"user.created\",\"user_id\":\"u\\u00e4/\",\"time\":1793909643,"
					  "\"x\":[1,{\"b\":1.50,\"a\":null}]}";
	assert_true(same(one, NULL,
	                 " {\"x\" :[1,{\"a\":null,\"b\":1.50}],\n\"time\":1793909643,"
	                 "\"user_id\":\"u\xc3\xa4\\/\",\"type\":\"user.created\"} ",
	                 NULL));
	assert_false(same(one, NULL,
	                  "{\"type\":\"user.created\",\"user_id\":\"u\\u00e4/\",\"time\":"
	                  "1793909643,\"x\":[1,{\"b\":1.5,\"a\":null}]}",
	                  NULL));
	assert_false(same(one, NULL,
	                  "{\"type\":\"user.created\",\"user_id\":\"u\\u00e4/\",\"time\":"
	                  "1793909643,\"x\":[{\"b\":1.50,\"a\":null},1]}",
	                  NULL));
	assert_false(same("{\"a\":\"1\"}", NULL, "{\"a\":1}", NULL));
	assert_false(same("{\"a\":{\"b\":1}}", NULL, "{\"a\":{},\"b\":1}", NULL));

	/* a type that only the channel says is part of what is said */
	const char *bare = "{\"booking_id\":\"B\",\"zone\":1,\"event_id\":17," T "}";
	assert_false(same(bare, "booking.created", bare, "booking.confirmed"));
	assert_true(same(bare, "shop:booking_created", with(BOOKING, "\"zone\":1"), NULL));
	assert_true(same(bare, "booking.created", with(BOOKING, "\"zone\":1"), "event.created"));
	assert_true(same(bare, "orders", bare, NULL));

	/* what is no JSON is its bytes */
	assert_true(same("{", NULL, "{", "booking.created"));
	assert_false(same("{", NULL, "{ ", NULL));
}

/* Of messages of one moment the later kind is newer, whatever the digest. */
static void test_digest_ranks(void **state)
{
	(void)state;
	static const char *const types[] = {"booking.created", "booking.confirmed",
	                                    "booking.cancelled"};
	int64_t last = -1;
	for (size_t i = 0; i < COUNT(types); i++) {
		parse_fine(arena_printf(
			&arena, "{\"type\":\"%s\",\"booking_id\":\"B\",\"event_id\":1," T "}", types[i]));
		assert_true(got.digest > last);
		assert_int_equal(got.digest & 0xff, got.dedup[6]);
		last = got.digest | 0xffffffffffffff;
	}
}

/* ---- bytes that are none --------------------------------------------------------------------- */

static void test_no_messages(void **state)
{
	(void)state;
	static const char *const none[] = {"",
	                                   " ",
	                                   "{",
	                                   "}",
	                                   "{}x",
	                                   "hello",
	                                   "\xff\xfe",
	                                   "{\"a\":1,\"a\":2}",
	                                   "{\"type\":\"user.created\",\"type\":\"user.created\"}",
	                                   "{\"a\":\"\\u0000\"}",
	                                   "{\"a\":\"\\ud800\"}",
	                                   "{'a':1}",
	                                   "{\"a\":01}",
	                                   "\xef\xbb\xbf{}",
	                                   "nullx"};
	static const char *const other[] = {"[]", "null", "\"text\"", "1.50",
	                                    "[{\"type\":\"user.created\"}]"};
	for (size_t i = 0; i < COUNT(none); i++) {
		assert_int_equal(parse(none[i]), ERR_MALFORMED);
		assert_false(env.json);
		assert_string_equal(env.type, "");
		assert_int_equal(env.event_id, BOOKING_NONE);
	}
	for (size_t i = 0; i < COUNT(other); i++) {
		assert_int_equal(parse(other[i]), ERR_MALFORMED);
		assert_true(env.json);
	}
	assert_false(same(none[0], NULL, none[1], NULL));
	eb = (struct errbuf){0};
	assert_int_equal(booking_message_parse(&arena, NULL, 0, NULL, &got, &env, &eb), ERR_MALFORMED);
	eb = (struct errbuf){0};
	assert_int_equal(booking_message_parse(&arena, "{\0}", 3, NULL, &got, &env, &eb),
	                 ERR_MALFORMED);
	eb = (struct errbuf){0};
	assert_int_equal(booking_message_parse(&arena, "{}\0", 3, NULL, &got, &env, &eb),
	                 ERR_MALFORMED);
	/* what can be read of a bad one is known */
	refused(with(BOOKING, "\"seats\":-1"), "seats");
	assert_string_equal(env.type, "booking.created");
	assert_int_equal(env.event_id, 17);
}

static uint64_t chance = 88172645463325252;

static size_t below(size_t n)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return (size_t)(chance % n);
}

/* Broken messages are read or refused, and the same bytes always in the same way. */
static void test_mutated(void **state)
{
	(void)state;
	static const char event[] =
		"{\"type\":\"event.created\",\"event_id\":17,\"occurred_at\":\"2026-11-01T09:00:00Z\","
		"\"name\":"
		"\"Winter\",\"capacity\":120,\"starts_at\":1793909643.25,\"ends_at\":null,\"version\":3}";
	static const char booking[] =
		"{\"type\":\"booking.created\",\"booking_id\":\"B\",\"seats\":2,\"amount\":\"58.00\","
		"\"data\":{"
		"\"event\":{\"id\":17},\"user\":{\"id\":7}},\"time\":1793909643000,\"seq\":\"4\"}";
	static const char user[] = "{\"event_type\":\"user_created\",\"payload\":{\"id\":"
							   "\"\\ud83c\\udfb7\",\"timestamp\":1e9}}";
	static const char *const seeds[] = {event, booking, user};
	static const char *const bits[] = {
		"\"",        "{",     "}",    "[", "]", ":",    ",",
		"\\u0000",   "1e999", "null", "-", ".", "\xff", "9999999999999999999",
		"\"type\":", "\\"};
	for (int i = 0; i < 20000; i++) {
		const char *seed = seeds[below(COUNT(seeds))];
		struct buf text = {0};
		size_t cut = below(strlen(seed)), to = cut + below(4);
		const char *bit = bits[below(COUNT(bits))];
		buf_put(&text, seed, cut);
		buf_puts(&text, below(3) ? bit : "");
		buf_puts(&text, to < strlen(seed) ? seed + to : "");
		enum err rc = parse_hinted(buf_str(&text), below(2) ? "event.updated" : NULL);
		assert_true(rc == ERR_OK || rc == ERR_NOTHING || rc == ERR_MALFORMED || rc == ERR_INVALID);
		assert_true(rc == ERR_OK || *eb.text);
		assert_non_null(env.type);
		if (rc == ERR_OK) { /* again by the type it had */
			struct booking_message first = got;
			assert_int_equal(parse_hinted(buf_str(&text), env.type), ERR_OK);
			assert_int_equal(got.kind, first.kind);
			assert_int_equal(got.digest, first.digest);
			assert_true(got.occurred_us >= 0 && got.occurred_us < TIME_2100_US);
		}
		buf_fini(&text);
		arena_reset(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event_created), cmocka_unit_test(test_bookings),
		cmocka_unit_test(test_event_status),  cmocka_unit_test(test_types),
		cmocka_unit_test(test_names),         cmocka_unit_test(test_text_names),
		cmocka_unit_test(test_nests),         cmocka_unit_test(test_number_limits),
		cmocka_unit_test(test_text_limits),   cmocka_unit_test(test_message_limits),
		cmocka_unit_test(test_times),         cmocka_unit_test(test_same),
		cmocka_unit_test(test_digest_ranks),  cmocka_unit_test(test_no_messages),
		cmocka_unit_test(test_mutated),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
