/* test_activity_saved.c: an event comes back exactly as it was saved, and nothing else comes back.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/time_text.h"
#include "domain/activity_event.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct arena arena;
static struct errbuf eb;
static uint64_t random_state;

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

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static size_t below(size_t n)
{
	return (size_t)(next_random() % n);
}

/* 1 to `max` bytes of UTF-8, quotes, controls and all (but for ids). */
static const char *some_text(size_t max, bool controls)
{
	static const char *const pieces[] = {"a",
	                                     "Z",
	                                     "7",
	                                     "\"",
	                                     "\\",
	                                     "\xc3\xa4",
	                                     "\xe2\x82\xac",
	                                     "<",
	                                     "&",
	                                     " ",
	                                     "'",
	                                     "\xf0\x9f\x98\x80",
	                                     "\xe2\x80\xa8",
	                                     "/",
	                                     "null",
	                                     "\n",
	                                     "\1",
	                                     "\x7f"};
	char *text = arena_alloc(&arena, max + 1);
	size_t n = 1, want = 1 + below(max);
	text[0] = 'x';
	while (n < want) {
		const char *piece = pieces[below(COUNT(pieces) - (controls ? 0 : 3))];
		size_t k = strlen(piece);
		if (n + k > want)
			break;
		memcpy(text + n, piece, k);
		n += k;
	}
	return text;
}

static const char *maybe(const char *text)
{
	return below(2) ? text : NULL;
}

static int64_t between(int64_t from, int64_t to)
{
	return from + (int64_t)(next_random() % (uint64_t)(to - from + 1));
}

static struct activity_event some_event(void)
{
	static const char *const prices[] = {"0", "0.00", "89.90", "99999999999999.999999", "7"};
	static const char *const properties[] = {"{}",
	                                         "{\"a\":[1,2.50,{\"b\":\"\\u003c\\\"\"}],\"c\":null}",
	                                         "{\"page\":\"/x\",\"price\":\"89.90\",\"t\":true}"};
	struct activity_event e = {
		.type = "cart:add.item-2_x",
		.occurred_us = between(TIME_2000_US, TIME_2200_US),
		.claimed_us =
			below(3) ? between(-719162 * US_PER_DAY, 2932896 * US_PER_DAY) : ACTIVITY_NO_TIME,
		.received_us = between(TIME_2000_US, TIME_2200_US),
		.flags = (unsigned)below(2 * ACTIVITY_BOT_RATE),
		.key_id = below(3) ? between(0, INT64_MAX - 1) : 0,
		.user_id = maybe(some_text(ACTIVITY_ID_BYTES, false)),
		.anonymous_id = some_text(ACTIVITY_ID_BYTES, false),
		.session_id = maybe(some_text(ACTIVITY_ID_BYTES, false)),
		.price = maybe(prices[below(COUNT(prices))]),
		.quantity = below(2) ? between(1, ACTIVITY_QUANTITY) : 0,
		.currency = maybe("EUR"),
		.properties = properties[below(COUNT(properties))],
		.digest = (int64_t)next_random(),
		.own_id = below(2) == 1,
	};
	for (int i = 0; i < 16; i++)
		e.event_id[i] = (unsigned char)next_random();
	e.dims_n = (int)between(ACTIVITY_DIMENSIONS_LEAST, ACTIVITY_DIMENSIONS);
	for (int i = 0; i < e.dims_n; i++)
		e.dims[i] = maybe(some_text(ACTIVITY_VALUE_BYTES, true));
	const char **dropped = arena_array(&arena, ACTIVITY_PROPERTIES, sizeof *dropped);
	e.dropped_n = below(2) ? (int)below(ACTIVITY_PROPERTIES + 1) : 0;
	for (int i = 0; i < e.dropped_n; i++)
		dropped[i] = some_text(100, true);
	e.dropped = dropped;
	return e;
}

static void same(const char *a, const char *b, const char *what)
{
	if (!a != !b || (a && strcmp(a, b) != 0))
		fail_msg("%s: \"%s\" came back as \"%s\"", what, b ? b : "(none)", a ? a : "(none)");
}

static void same_event(const struct activity_event *a, const struct activity_event *b)
{
	assert_memory_equal(a->event_id, b->event_id, 16);
	same(a->type, b->type, "type");
	assert_int_equal(a->occurred_us, b->occurred_us);
	assert_int_equal(a->claimed_us, b->claimed_us);
	assert_int_equal(a->received_us, b->received_us);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->key_id, b->key_id);
	same(a->user_id, b->user_id, "user_id");
	same(a->anonymous_id, b->anonymous_id, "anonymous_id");
	same(a->session_id, b->session_id, "session_id");
	assert_int_equal(a->dims_n, b->dims_n);
	for (int i = 0; i < ACTIVITY_DIMENSIONS; i++)
		same(a->dims[i], b->dims[i], "a dimension");
	same(a->price, b->price, "price");
	assert_int_equal(a->quantity, b->quantity);
	same(a->currency, b->currency, "currency");
	same(a->properties, b->properties, "properties");
	assert_int_equal(a->dropped_n, b->dropped_n);
	for (int i = 0; i < a->dropped_n; i++)
		same(a->dropped[i], b->dropped[i], "a dropped name");
	assert_int_equal(a->digest, b->digest);
	assert_int_equal(a->own_id, b->own_id);
}

static void test_there_and_back(void **state)
{
	(void)state;
	random_state = (uint64_t)time(NULL) * 2654435761U + 88172645463325252U;
	print_message("seed %llu\n", (unsigned long long)random_state);
	struct buf b;
	buf_init(&b);
	for (int i = 0; i < 20000; i++) {
		struct activity_event e = some_event(), back;
		eb = (struct errbuf){0};
		buf_clear(&b);
		buf_puts(&b, "before"); /* it is put behind what is there */
		activity_event_save(&e, &b);
		if (activity_event_restore(&arena, b.data + 6, b.len - 6, &back, &eb) != ERR_OK)
			fail_msg("%s: %s", b.data, eb.text);
		same_event(&back, &e);
		arena_reset(&arena);
	}
	buf_fini(&b);
}

/* The session's key is made anew, and the same. */
static void test_session_key(void **state)
{
	(void)state;
	static const struct activity_rules rules;
	static const struct activity_sender sender = {
		.received_us = TIME_2100_US - 1, .device = "", .browser = "", .host = ""};
	const char *text = "{\"event_type\":\"x\",\"user_id\":\"u\",\"session_id\":\"s\"}";
	struct activity_event e, back;
	const struct jnode *v;
	struct buf b;
	buf_init(&b);
	eb = (struct errbuf){0};
	assert_int_equal(jnode_parse(&arena, text, strlen(text), 4, NULL, &v, &eb), ERR_OK);
	assert_int_equal(activity_event_read(&arena, v, &rules, &sender, &e, &eb), ERR_OK);
	activity_event_save(&e, &b);
	assert_int_equal(activity_event_restore(&arena, b.data, b.len, &back, &eb), ERR_OK);
	assert_int_equal(back.session_key, e.session_key);
	same_event(&back, &e);
	buf_fini(&b);
}

#define START "{\"event_id\":\"0198c0de-7a10-7c3e-9b1f-2f6f3c1d9a44\",\"type\":\"x\","
#define IDS "\"user_id\":\"u\","
#define TIMES "\"occurred_us\":1795197846000000,\"received_us\":1795197846000000,"
#define REST DIMS NUMBERS
#define NUMBERS "\"flags\":0,\"key_id\":0,\"quantity\":0,\"digest\":1,\"own_id\":0,"
#define DIMS "\"dims\":[null,null,null,null,null,null,null,null],"
#define END "\"properties\":{}}"

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text, *field;
	} rows[] = {
		{"[]", ""},
		{"{}", "event_id"},
		{"{\"event_id\":\"7\"}", "event_id"},
		{"{\"event_id\":\"0198c0de-7a10-7c3e-9b1f-2f6f3c1d9a44\",\"type\":\"X\"}", "type"},
		{START TIMES REST END, "user_id"},
		{START "\"user_id\":\"null\"," TIMES REST END, "user_id"},
		{START "\"user_id\":7," TIMES REST END, "user_id"},
		{START IDS REST END, "occurred_us"},
		{START IDS "\"occurred_us\":1,\"received_us\":1795197846000000," REST END, "occurred_us"},
		{START IDS TIMES "\"claimed_us\":\"x\"," REST END, "claimed_us"},
		{START IDS TIMES DIMS
	     "\"flags\":128,\"key_id\":0,\"quantity\":0,\"digest\":1,\"own_id\":0," END,
	     "flags"},
		{START IDS TIMES
	     "\"flags\":0,\"key_id\":0,\"quantity\":1000001,\"digest\":1,\"own_id\":0," END,
	     "quantity"},
		{START IDS TIMES DIMS
	     "\"flags\":0,\"key_id\":0,\"quantity\":0,\"digest\":1,\"own_id\":2," END,
	     "own_id"},
		{START IDS TIMES "\"price\":\"-1\"," REST END, "price"},
		{START IDS TIMES "\"currency\":\"eur\"," REST END, "currency"},
		{START IDS TIMES "\"dims\":[null,null,null,null,null,null,null,1]," NUMBERS END, "dims"},
		{START IDS TIMES "\"dims\":[null,null,null,null,null,null,null,\"\"]," NUMBERS END, "dims"},
		{START IDS TIMES "\"dims\":[null,null,null,null,null,null,null]," NUMBERS END, "dims"},
		{START IDS TIMES "\"dims\":[null,null,null,null,null,null,null,null,null,null,null,null,"
	                     "null,null,null,null,null]," NUMBERS END,
	     "dims"},
		{START IDS TIMES NUMBERS END, "dims"},
		{START IDS TIMES "\"dropped\":[1]," REST END, "dropped"},
		{START IDS TIMES REST "\"properties\":[]}", "properties"},
		{START IDS TIMES REST "\"properties\":{\"email\":\"a\"}}", "properties"},
		{START IDS TIMES REST "\"properties\":{\"n\":1e9999}}", "properties.n"},
	};
	struct activity_event e;
	eb = (struct errbuf){0};
	assert_int_equal(activity_event_restore(&arena, START IDS TIMES REST END,
	                                        strlen(START IDS TIMES REST END), &e, &eb),
	                 ERR_OK);
	for (size_t i = 0; i < COUNT(rows); i++) {
		eb = (struct errbuf){0};
		enum err rc = activity_event_restore(&arena, rows[i].text, strlen(rows[i].text), &e, &eb);
		if (rc != ERR_INVALID || strcmp(eb.field, rows[i].field) != 0)
			fail_msg("%s: %s: %s", rows[i].text, eb.field, eb.text);
	}
	eb = (struct errbuf){0};
	assert_int_equal(activity_event_restore(&arena, "{", 1, &e, &eb), ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_there_and_back, begin, end),
		cmocka_unit_test_setup_teardown(test_session_key, begin, end),
		cmocka_unit_test_setup_teardown(test_refused, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
