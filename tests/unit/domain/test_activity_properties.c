/* test_activity_properties.c: what stands in properties of a tracked event: limits, what is not
 * kept, money and dimensions. */
#include "tests/unit/domain/activity_help.h"

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
	fine(having("\"category\":\" (not set) \",\"region\":\"(other)\""));
	same_text(got.dims[CATEGORY], NULL);
	same_text(got.dims[REGION], "(other)");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
