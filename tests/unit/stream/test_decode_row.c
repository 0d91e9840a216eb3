/* test_decode_row.c: rows of the orders' tables, as Debezium tells of them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>

#include "db/source.h"
#include "decode_help.h"
#include "base/time_text.h"

#define AT_US INT64_C(1736937000000000) /* 2025-01-15T10:30:00Z */

/* An envelope without schema. */
static const char *envelope(const char *table, const char *op, const char *row)
{
	static char text[8192];
	const char *side = *op == 'd' ? "before" : "after";
	(void)snprintf(text, sizeof text,
	               "{\"%s\":{%s},\"source\":{\"connector\":\"postgresql\",\"ts_ms\":1736937000123,"
	               "\"schema\":\"public\",\"table\":\"%s\",\"lsn\":24901344},\"op\":\"%s\"}",
	               side, row, table, op);
	return text;
}

/* One with a schema for a row of one column more than an order must have. */
static const char *typed(const char *column, const char *schema, const char *value)
{
	static char text[8192];
	(void)snprintf(
		text, sizeof text,
		"{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":\"struct\",\"fields\":["
		"{\"type\":\"int64\",\"field\":\"id\"},{\"type\":\"string\",\"field\":\"status\"},"
		"{%s,\"field\":\"%s\"}],\"field\":\"after\"}]},"
		"\"payload\":{\"after\":{\"id\":1,\"status\":\"paid\",\"%s\":%s%s},"
		"\"source\":{\"table\":\"orders\",\"lsn\":5},\"op\":\"c\"}}",
		schema, column, column, value,
		strcmp(column, "created_at") == 0 ? ",\"total_amount\":\"1.00\"" : ",\"created_at\":null");
	return text;
}

static const char order[] = "\"id\":17,\"status\":\"paid\",\"total_amount\":\"12.50\","
							"\"created_at\":\"2025-01-15T10:30:00Z\"";

static void test_order(void **state)
{
	(void)state;
	struct help h = help_new(NULL);
	const struct change *o = help_accept(&h, CHANGE_ORDER, envelope("orders", "c", order));
	assert_string_equal(o->id, "17");
	assert_string_equal(o->status_word, "paid");
	assert_int_equal(o->total, 1250);
	assert_string_equal(o->currency, "EUR");
	assert_int_equal(o->location, 7);
	assert_int_equal(o->placed_us, AT_US);
	assert_int_equal(o->fields, HAS_STATUS | HAS_TOTAL | HAS_PLACED | HAS_CURRENCY | HAS_LOCATION);
	assert_int_equal(o->birth.major, VERSION_ROW + 24901344);
	assert_int_equal(o->birth.minor, INT64_C(1736937000123000) * 2048);
	o = help_accept(
		&h, CHANGE_ORDER,
		envelope("orders", "u",
	             "\"id\":\"17\",\"status\":null,\"total_amount\":null,\"created_at\":null,"
	             "\"location_id\":null,\"currency\":\" u sd\",\"customer_id\":9,"
	             "\"cancelled_at\":\"2025-01-15 10:30:00+00\",\"tip\":2,\"tax\":\"0.015\","
	             "\"discount\":null,\"shipping\":-1.5,\"weight\":1.25,\"tags\":[1,{}]"));
	assert_string_equal(o->status_word, "");
	assert_int_equal(o->total, CHANGE_NONE);
	assert_int_equal(o->placed_us, CHANGE_NONE);
	assert_int_equal(o->placed_local_s, CHANGE_NONE);
	assert_int_equal(o->location, 7);
	assert_string_equal(o->currency, "USD");
	assert_string_equal(o->customer, "9");
	assert_int_equal(o->cancelled_us, AT_US);
	assert_int_equal(o->tip, 200);
	assert_int_equal(o->tax, 2);
	assert_int_equal(o->discount, CHANGE_NONE);
	assert_int_equal(o->shipping, -150);
	assert_int_equal(o->fields & HAS_CUSTOMER, HAS_CUSTOMER);
	help_free(&h);
}

static void test_lines_and_refunds(void **state)
{
	(void)state;
	struct help h = help_new(NULL);
	const char *key = "{\"id\":5}";
	help_send(&h, key,
	          envelope("order_items", "c",
	                   "\"id\":5,\"order_id\":17,\"product_id\":3,\"name\":null,"
	                   "\"quantity\":\"2.000\",\"unit_price\":\"9.99\""),
	          1);
	const struct change *l = help_nth(&h, CHANGE_LINE, 0);
	assert_non_null(l);
	assert_false(l->event);
	assert_string_equal(l->id, "5");
	assert_string_equal(l->order_id, "17");
	assert_string_equal(l->item, "3");
	assert_null(l->name);
	assert_string_equal(l->quantity, "2.000");
	assert_string_equal(l->price, "9.99");
	assert_int_equal(l->fields, HAS_ORDER_ID | HAS_ITEM | HAS_NAME | HAS_QUANTITY | HAS_PRICE);
	/* of a table with both, item_id is read */
	help_send(&h, key,
	          envelope("order_items", "u",
	                   "\"id\":5,\"order_id\":17,\"product_id\":3,\"item_id\":\"i\",\"name\":\"N\","
	                   "\"quantity\":null,\"unit_price\":1"),
	          1);
	l = help_nth(&h, CHANGE_LINE, 0);
	assert_string_equal(l->item, "i");
	assert_null(l->quantity);
	/* of no order any more: of nobody */
	help_send(&h, key, envelope("order_items", "u", "\"id\":5,\"order_id\":null,\"product_id\":3"),
	          1);
	assert_true(help_nth(&h, CHANGE_LINE, 0)->deleted);
	help_send(&h, key, envelope("order_items", "d", "\"id\":5,\"order_id\":null"), 1);
	assert_true(help_nth(&h, CHANGE_LINE, 0)->deleted);
	const struct change *r = help_accept(&h, CHANGE_REFUND,
	                                     envelope("order_refunds", "c",
	                                              "\"id\":8,\"order_id\":17,\"amount\":\"1.234\","
	                                              "\"created_at\":\"2025-01-15T10:30:00Z\""));
	assert_string_equal(r->id, "8");
	assert_string_equal(r->amount, "1.234");
	assert_int_equal(r->refunded_us, AT_US);
	help_free(&h);
}

static void test_keys(void **state)
{
	(void)state;
	static const char row[] =
		"\"order_id\":17,\"line\":2,\"item_id\":3,\"name\":\"N\",\"quantity\":1,\"unit_price\":1";
	struct help h = help_new(NULL);
	static const char *const same[] = {
		"{\"order_id\":17,\"line\":2}", "{\"line\":2,\"order_id\":17}",
		("{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":\"int32\",\"field\":\"line\"}]},"
	     "\"payload\":{\"line\":2,\"order_id\":17}}")};
	for (size_t i = 0; i < 3; i++) {
		help_send(&h, same[i], envelope("order_items", "c", row), 1);
		assert_int_equal(h.rc, ERR_OK);
		assert_string_equal(help_nth(&h, CHANGE_LINE, 0)->id, "2\x1f"
		                                                      "17");
	}
	static const char *const none[] = {NULL, "****", "", "{\"line\":", "null", "[1]"};
	for (size_t i = 0; i < 6; i++) {
		help_send(&h, none[i], envelope("order_items", "c", row), 1);
		assert_int_equal(h.rc, ERR_INVALID);
		assert_string_equal(h.eb.field, "order_items");
		assert_non_null(strstr(h.eb.text, "primary key"));
	}
	help_send(&h, "{\"line\":null}", envelope("order_items", "c", row), 1);
	assert_string_equal(h.eb.field, "line");
	/* the id of an order is its column, whatever the key of the message is */
	help_send(&h, "****", envelope("orders", "c", order), 1);
	assert_string_equal(help_nth(&h, CHANGE_ORDER, 0)->id, "17");
	help_send(&h, "{\"id\":17}", envelope("orders", "d", "\"id\":null,\"status\":null"), 1);
	assert_true(help_nth(&h, CHANGE_ORDER, 0)->deleted);
	assert_string_equal(help_nth(&h, CHANGE_ORDER, 0)->id, "17");
	help_send(&h, "17",
	          "{\"before\":null,\"after\":null,\"source\":{\"table\":\"orders\"},\"op\":\"d\"}", 1);
	assert_string_equal(help_nth(&h, CHANGE_ORDER, 0)->id, "17");
	help_free(&h);
}

static void test_shapes(void **state)
{
	(void)state;
	struct help h = help_new("orders");
	const struct change *o = help_accept(
		&h, CHANGE_ORDER, /* unwrapped */
		"{\"id\":17,\"status\":\"paid\",\"total_amount\":\"12.50\",\"created_at\":\"2025-01-15T10:"
		"30:00Z\","
		"\"__lsn\":77,\"__source_ts_ms\":1736937000123,\"__deleted\":\"false\",\"__op\":\"u\"}");
	assert_int_equal(o->birth.major, VERSION_ROW + 77);
	assert_int_equal(o->total, 1250);
	o = help_accept(&h, CHANGE_ORDER, "{\"id\":17,\"__deleted\":\"true\",\"__lsn\":78}");
	assert_true(o->deleted);
	/* without any position, in the order of the topic */
	help_send(&h, NULL, "{\"id\":17,\"status\":\"paid\",\"total_amount\":1,\"created_at\":null}",
	          41);
	assert_int_equal(help_nth(&h, CHANGE_ORDER, 0)->birth.major, VERSION_ROW + 42);
	/* MySQL: names without case, a binlog's position */
	o = help_accept(&h, CHANGE_ORDER,
	                "{\"after\":{\"ID\":17,\"Status\":\"paid\",\"Total_Amount\":1,\"Created_At\":"
	                "null},\"source\":{"
	                "\"connector\":\"mysql\",\"db\":\"shop\",\"table\":\"Orders\",\"file\":\"mysql-"
	                "bin.000003\",\"pos\":1442,\"row\":1},\"op\":\"r\"}");
	assert_int_equal(o->birth.major, VERSION_ROW + (INT64_C(3) << 42 | 1442 << 10 | 1));
	/* a partition of a table, on a topic that is named for the table */
	assert_int_equal(help_accept(&h, CHANGE_ORDER, envelope("orders_2025", "c", order))->total,
	                 1250);
	help_refuse(&h, envelope("orders", "t", ""), ERR_INVALID, "orders");
	h.d.table = "everything";
	(void)help_accept(&h, CHANGE_ORDER, envelope("orders", "c", order));
	static const char *const none[] = {"{\"status\":\"BEGIN\",\"id\":\"571:53195829\",\"event_"
	                                   "count\":null,\"data_collections\":null}",
	                                   "{\"source\":{\"table\":\"\"},\"op\":\"m\",\"ts_ms\":1,"
	                                   "\"message\":{\"prefix\":\"foo\",\"content\":\"Ymfy\"}}"};
	for (size_t i = 0; i < 2; i++)
		help_refuse(&h, none[i], ERR_NOTHING, "");
	help_refuse(&h, envelope("customers", "c", "\"id\":1"), ERR_NOTHING, "");
	help_refuse(&h, envelope("customers", "t", ""), ERR_NOTHING, "");
	help_refuse(&h, envelope("orders", "x", order), ERR_INVALID, "op");
	help_refuse(&h, "{\"after\":null,\"op\":\"c\",\"source\":{\"table\":\"orders\"}}", ERR_INVALID,
	            "after");
	help_refuse(&h, "{\"after\":{},\"op\":\"c\",\"source\":{\"table\":\"orders\",\"lsn\":-1}}",
	            ERR_INVALID, "source.lsn");
	help_free(&h);
}

/* ---- times ------------------------------------------------------------------------ */

static int64_t placed(struct help *h, const char *schema, const char *value)
{
	return help_accept(h, CHANGE_ORDER, typed("created_at", schema, value))->placed_us;
}

/* Ten instants in each unit, on the wall clock of order_db. */
static void test_typed_times(void **state)
{
	(void)state;
	static const struct {
		const char *schema;
		int64_t unit_us, per_us; /* us a unit, or units a us */
		bool date;
	} rows[] = {
		{"\"type\":\"int32\",\"name\":\"io.debezium.time.Date\"", US_PER_DAY, 1, true},
		{"\"type\":\"int32\",\"name\":\"org.apache.kafka.connect.data.Date\"", US_PER_DAY, 1, true},
		{"\"type\":\"int64\",\"name\":\"io.debezium.time.Timestamp\"", 1000, 1, false},
		{"\"type\":\"int64\",\"name\":\"org.apache.kafka.connect.data.Timestamp\"", 1000, 1, false},
		{"\"type\":\"int64\",\"name\":\"io.debezium.time.MicroTimestamp\"", 1, 1, false},
		{"\"type\":\"int64\",\"name\":\"io.debezium.time.NanoTimestamp\"", 1, 1000, false},
	};
	struct help h = help_new(NULL);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (int k = 0; k < 10; k++) {
			int64_t wall = AT_US + k * INT64_C(17000123456789) % (5000 * US_PER_DAY);
			wall -= wall % rows[i].unit_us;
			char value[32];
			(void)snprintf(value, sizeof value, "%" PRId64,
			               wall / rows[i].unit_us * rows[i].per_us);
			int64_t summer = wall >= INT64_C(1743300000) * US_PER_S ? 2 : 1;
			int64_t want = wall - summer * 3600 * US_PER_S;
			if (placed(&h, rows[i].schema, value) != want)
				fail_msg("%s of %s", value, rows[i].schema);
		}
	help_free(&h);
}

static void test_zoned_times(void **state)
{
	(void)state;
	static const char zoned[] = "\"type\":\"string\",\"name\":\"io.debezium.time.ZonedTimestamp\"";
	struct help h = help_new(NULL);
	assert_int_equal(placed(&h, zoned, "\"2025-01-15T10:30:00Z\""), AT_US);
	assert_int_equal(placed(&h, zoned, "\"2025-01-15T12:30:00.000001+02:00\""), AT_US + 1);
	assert_int_equal(placed(&h, zoned, "\"2025-01-15T10:30:00.123456789Z\""), AT_US + 123456);
	assert_int_equal(placed(&h, "\"type\":\"string\",\"name\":\"io.debezium.time.IsoTimestamp\"",
	                        "\"2025-01-15T11:30:00Z\""),
	                 AT_US);
	/* PostgreSQL's infinity, years nobody means */
	static const char micro[] = "\"type\":\"int64\",\"name\":\"io.debezium.time.MicroTimestamp\"";
	assert_int_equal(placed(&h, micro, "9223372036825200000"), CHANGE_NONE);
	assert_int_equal(placed(&h, micro, "-9223372036832400000"), CHANGE_NONE);
	assert_int_equal(placed(&h, micro, "0"), CHANGE_NONE);
	assert_int_equal(placed(&h, micro, "253402300799000000"), CHANGE_NONE); /* 9999 */
	assert_int_equal(placed(&h, zoned, "\"infinity\""), CHANGE_NONE);
	help_refuse(&h, typed("created_at", zoned, "\"2025-01-15T10:30:00\""), ERR_INVALID,
	            "created_at");
	help_refuse(&h, typed("created_at", micro, "1736937000000000000"), ERR_INVALID, "created_at");
	help_refuse(&h, typed("created_at", micro, "\"x\""), ERR_INVALID, "created_at");
	help_refuse(&h, typed("created_at", micro, "1.5"), ERR_INVALID, "created_at");
	help_free(&h);
}

/* Whole numbers nobody says the unit of: the right unit is read, every other is refused. */
static void test_unit_of_settings(void **state)
{
	(void)state;
	static const char units[] = "smun";
	static const int64_t per_s[] = {1, 1000, 1000000, 1000000000};
	struct help h = help_new(NULL);
	for (int is = 0; is < 4; is++)
		for (int set = 0; set < 4; set++)
			for (int k = 0; k < 10; k++) {
				int64_t wall_s = 946684800 + 3600 + k * INT64_C(300000007);
				char row[200];
				(void)snprintf(
					row, sizeof row,
					"\"id\":1,\"status\":\"a\",\"total_amount\":1,\"created_at\":%" PRId64,
					wall_s * per_s[is]);
				h.d.units.time = units[set];
				if (is != set) {
					help_refuse(&h, envelope("orders", "c", row), ERR_INVALID, "created_at");
					continue;
				}
				int64_t hours = wall_s >= 1743300000 ? 2 : 1;
				assert_int_equal(
					help_accept(&h, CHANGE_ORDER, envelope("orders", "c", row))->placed_us,
					(wall_s - hours * 3600) * US_PER_S);
			}
	h.d.units.time = 'u';
	help_refuse(&h,
	            envelope("orders", "c",
	                     "\"id\":1,\"status\":\"a\",\"total_amount\":1,\"created_at\":20103"),
	            ERR_INVALID, "created_at"); /* days */
	assert_int_equal(
		help_accept(&h, CHANGE_ORDER,
	                envelope("orders", "c",
	                         "\"id\":1,\"status\":\"a\",\"total_amount\":1,\"created_at\":0"))
			->placed_us,
		CHANGE_NONE);
	help_free(&h);
}

static void test_texts_of_times(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum time_kind kind;
		int64_t us;
	} rows[] = {
		{"2025-01-15T10:30:00Z", TIME_INSTANT, AT_US},
		{"2025-01-15 10:30:00+00", TIME_INSTANT, AT_US},
		{"2025-01-15 05:33:58-04:56:02", TIME_INSTANT, AT_US},
		{"2025-01-15T10:30Z", TIME_INSTANT, AT_US},
		{"2025-01-15 12:00:00 +0130", TIME_INSTANT, AT_US},
		{"2025-01-15T10:30:00", TIME_WALL, AT_US},
		{"2025-01-15t10:30:00z", TIME_INSTANT, AT_US},
		{"2025-01-15 10:30:00.5", TIME_WALL, AT_US + 500000},
		{"2025-01-15", TIME_WALL, INT64_C(1736899200000000)},
		{"1969-12-31T23:59:59.999999Z", TIME_INSTANT, -1},
		{"2016-12-31T23:59:60Z", TIME_INSTANT, INT64_C(1483228800000000)},
		{"2025-01-14T24:00:00Z", TIME_INSTANT, INT64_C(1736899200000000)},
		{"2024-02-29", TIME_WALL, INT64_C(1709164800000000)},
		{"0001-01-01T00:00:00Z", TIME_INSTANT, INT64_C(-62135596800000000)},
		{"infinity", TIME_FAR, 0},
		{"-infinity", TIME_FAR, 0},
		{"0044-03-15 12:00:00 BC", TIME_FAR, 0},
		{"294276-12-31 23:59:59", TIME_FAR, 0},
		{"", TIME_NONE, 0},
		{"2025-02-29", TIME_NONE, 0},
		{"2025-13-01", TIME_NONE, 0},
		{"2025-00-01", TIME_NONE, 0},
		{"2025-01-00", TIME_NONE, 0},
		{"2025-1-15", TIME_NONE, 0},
		{"2025-01-15T", TIME_NONE, 0},
		{"2025-01-15T25:00:00", TIME_NONE, 0},
		{"2025-01-15T24:00:01", TIME_NONE, 0},
		{"2025-01-15T10:60:00", TIME_NONE, 0},
		{"2025-01-15T10:30:00.", TIME_NONE, 0},
		{"2025-01-15T10:30:00Zx", TIME_NONE, 0},
		{"2025-01-15T10:30:00+", TIME_NONE, 0},
		{"2025-01-15T10:30:00+25", TIME_NONE, 0},
		{"Jan 15 2025", TIME_NONE, 0},
		{"1736937000", TIME_NONE, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t us = 0;
		enum time_kind kind = time_parse(rows[i].text, &us);
		if (kind != rows[i].kind || (kind != TIME_NONE && kind != TIME_FAR && us != rows[i].us))
			fail_msg("%s: kind %d, %" PRId64, rows[i].text, kind, us);
	}
	for (int64_t us = TIME_1970_US - 70 * 365 * US_PER_DAY; us < TIME_2200_US;
	     us += INT64_C(86413777777)) {
		char text[TIME_TEXT_BYTES];
		int64_t back;
		assert_true(time_format(us, true, text));
		assert_int_equal(time_parse(text, &back), TIME_INSTANT);
		assert_int_equal(back, us);
	}
}

/* ---- decimals ---------------------------------------------------------------------- */

static int64_t total(struct help *h, const char *schema, const char *value)
{
	return help_accept(h, CHANGE_ORDER, typed("total_amount", schema, value))->total;
}

static void test_decimals(void **state)
{
	(void)state;
	static const char precise[] =
		"\"type\":\"bytes\",\"name\":\"org.apache.kafka.connect.data.Decimal\","
		"\"parameters\":{\"scale\":\"2\",\"connect.decimal.precision\":\"5\"}";
	static const char variable[] =
		"\"type\":\"struct\",\"name\":\"io.debezium.data.VariableScaleDecimal\"";
	static const char floating[] = "\"type\":\"double\"";
	struct help h = help_new(NULL);
	assert_int_equal(total(&h, precise, "\"ME8=\""), 12367);
	assert_int_equal(total(&h, precise, "\"/w==\""), -1);
	assert_int_equal(total(&h, precise, "123.67"), 12367); /* decimal.format=NUMERIC */
	assert_int_equal(total(&h, variable, "{\"scale\":3,\"value\":\"AeJA\"}"), 12346); /* 123.456 */
	assert_int_equal(total(&h, "\"type\":\"string\"", "\"123.67\""), 12367);
	assert_int_equal(total(&h, "\"type\":\"string\"", "\"1234\""), 123400);
	assert_int_equal(total(&h, "\"type\":\"int64\"", "123"), 12300);
	help_refuse(&h, typed("total_amount", floating, "99.98"), ERR_INVALID, "total_amount");
	help_refuse(&h, typed("total_amount", floating, "\"NaN\""), ERR_INVALID, "total_amount");
	help_refuse(&h, typed("total_amount", precise, "\"%%\""), ERR_INVALID, "total_amount");
	help_refuse(&h, typed("total_amount", precise, "{}"), ERR_INVALID, "total_amount");
	help_refuse(&h, typed("total_amount", variable, "{\"value\":\"AeJA\"}"), ERR_INVALID,
	            "total_amount");
	help_refuse(&h, typed("total_amount", "\"type\":\"string\"", "\"NaN\""), ERR_INVALID,
	            "total_amount");
	help_refuse(&h, typed("total_amount", "\"type\":\"string\"", "\"Infinity\""), ERR_INVALID,
	            "total_amount");
	help_refuse(&h, typed("total_amount", "\"type\":\"boolean\"", "true"), ERR_INVALID,
	            "total_amount");
	h.d.units.floats = true;
	assert_int_equal(total(&h, floating, "99.98"), 9998);
	help_refuse(&h, typed("total_amount", floating, "\"NaN\""), ERR_INVALID, "total_amount");
	help_free(&h);
}

static int64_t untyped(struct help *h, const char *value)
{
	char row[300];
	(void)snprintf(row, sizeof row,
	               "\"id\":1,\"status\":\"a\",\"created_at\":null,\"total_amount\":%s", value);
	help_send(h, NULL, envelope("orders", "c", row), 1);
	return h->rc == ERR_OK ? help_nth(h, CHANGE_ORDER, 0)->total : -1;
}

/* Without a schema, base64 and decimals are told apart, or refused where both could be meant. */
static void test_untyped_decimals(void **state)
{
	(void)state;
	struct help h = help_new(NULL);
	assert_int_equal(untyped(&h, "\"ME8=\""), 12367);
	assert_int_equal(untyped(&h, "\"BfXg\""), 390624);
	assert_int_equal(untyped(&h, "\"12.5\""), 1250);
	assert_int_equal(untyped(&h, "\"1234.50\""), 123450);
	assert_int_equal(untyped(&h, "\"125\""), 12500);
	assert_int_equal(untyped(&h, "\"-125\""), -12500);
	assert_int_equal(untyped(&h, "{\"scale\":1,\"value\":\"AeJA\"}"), 1234560);
	assert_int_equal(untyped(&h, "12.345"), 1234);
	assert_int_equal(untyped(&h, "\"1234\""), -1);
	assert_string_equal(h.eb.field, "total_amount");
	assert_non_null(strstr(h.eb.text, "CDC_DECIMAL_SCALE"));
	h.d.units.scale = 4;
	assert_int_equal(untyped(&h, "\"ME8=\""), 124); /* 1.2367 */
	h.d.units.scale = -1;
	assert_int_equal(untyped(&h, "\"1234\""), 123400);
	assert_int_equal(untyped(&h, "\"ME8=\""), -1);
	assert_int_equal(untyped(&h, "\"NaN\""), -1);
	help_free(&h);
}

/* ---- schema drift -------------------------------------------------------------------- */

static const struct {
	const char *table, *row, *field; /* NULL: accepted */
} drifts[] = {
	{"orders",
     "\"id\":1,\"status\":\"a\",\"total_amount\":1,\"created_at\":null,\"new\":{\"a\":[1]}", NULL},
	{"orders", "\"status\":\"a\",\"total_amount\":1,\"created_at\":null", "id"},
	{"orders", "\"id\":null,\"status\":\"a\",\"total_amount\":1,\"created_at\":null", "id"},
	{"orders", "\"id\":1,\"total_amount\":1,\"created_at\":null", "status"},
	{"orders", "\"id\":1,\"state\":\"a\",\"total_amount\":1,\"created_at\":null", "status"},
	{"orders", "\"id\":1,\"status\":\"a\",\"created_at\":null", "total_amount"},
	{"orders", "\"id\":1,\"status\":\"a\",\"total_amount\":1", "created_at"},
	{"orders", "\"id\":1,\"status\":{\"a\":1},\"total_amount\":1,\"created_at\":null", "status"},
	{"orders", "\"id\":1,\"status\":true,\"total_amount\":1,\"created_at\":null", NULL},
	{"orders", "\"id\":1,\"status\":\"a\",\"total_amount\":[1],\"created_at\":null",
     "total_amount"},
	{"orders", "\"id\":1,\"status\":\"a\",\"total_amount\":\"12 EUR\",\"created_at\":null",
     "total_amount"},
	{"orders", "\"id\":1,\"status\":\"a\",\"total_amount\":1,\"created_at\":\"soon\"",
     "created_at"},
	{"orders", "\"id\":1,\"status\":\"a\",\"total_amount\":1,\"created_at\":true", "created_at"},
	{"orders",
     "\"id\":1,\"status\":\"a\",\"total_amount\":1,\"created_at\":null,\"currency\":\"EURO\"",
     "currency"},
	{"orders", "\"id\":1,\"status\":\"a\",\"total_amount\":1,\"created_at\":null,\"currency\":7",
     "currency"},
	{"orders",
     "\"id\":1,\"status\":\"a\",\"total_amount\":1,\"created_at\":null,\"location_id\":\"B\"",
     "location_id"},
	{"orders",
     "\"id\":1,\"status\":\"a\",\"total_amount\":1,\"created_at\":null,\"location_id\":"
     "3000000000",
     "location_id"},
	{"orders", "\"id\":1,\"status\":\"a\",\"total_amount\":1,\"created_at\":null,\"tax\":\"x\"",
     "tax"},
	{"order_items", "\"id\":1,\"item_id\":3,\"name\":\"N\",\"quantity\":1,\"unit_price\":1",
     "order_id"},
	{"order_items", "\"id\":1,\"order_id\":1,\"name\":\"N\",\"quantity\":1,\"unit_price\":1",
     "product_id"},
	{"order_items", "\"id\":1,\"order_id\":1,\"item_id\":3,\"quantity\":1,\"unit_price\":1",
     "name"},
	{"order_items", "\"id\":1,\"order_id\":1,\"item_id\":3,\"name\":\"N\",\"unit_price\":1",
     "quantity"},
	{"order_items", "\"id\":1,\"order_id\":1,\"item_id\":3,\"name\":\"N\",\"quantity\":1",
     "unit_price"},
	{"order_items",
     "\"id\":1,\"order_id\":1,\"item_id\":3,\"name\":\"N\",\"quantity\":1e15,\"unit_price\":1",
     "quantity"},
	{"order_refunds", "\"id\":1,\"order_id\":1,\"created_at\":null", "amount"},
	{"order_refunds", "\"id\":1,\"order_id\":1,\"amount\":1", "created_at"},
};

static void test_drift(void **state)
{
	(void)state;
	struct help h = help_new(NULL);
	for (size_t i = 0; i < sizeof drifts / sizeof *drifts; i++)
		if (drifts[i].field)
			help_refuse(&h, envelope(drifts[i].table, "u", drifts[i].row), ERR_INVALID,
			            drifts[i].field);
		else
			(void)help_accept(&h, CHANGE_ORDER, envelope(drifts[i].table, "u", drifts[i].row));
	help_free(&h);
}

/* What was not sent because it did not change is not said; amounts without their currency are not
 * understood. */
static void test_kept(void **state)
{
	(void)state;
	struct help h = help_new(NULL);
#define KEPT "\"__debezium_unavailable_value\""
	const struct change *o =
		help_accept(&h, CHANGE_ORDER,
	                envelope("orders", "u",
	                         "\"id\":1,\"status\":" KEPT ",\"total_amount\":1,\"created_at\":" KEPT
	                         ",\"customer_id\":" KEPT ",\"location_id\":" KEPT));
	assert_int_equal(o->fields, HAS_TOTAL | HAS_CURRENCY);
	o = help_accept(&h, CHANGE_ORDER,
	                envelope("orders", "u",
	                         "\"id\":1,\"status\":\"a\",\"total_amount\":" KEPT
	                         ",\"created_at\":null,\"currency\":" KEPT));
	assert_int_equal(o->fields, HAS_STATUS | HAS_PLACED | HAS_LOCATION);
	help_refuse(
		&h,
		envelope(
			"orders", "u",
			"\"id\":1,\"status\":\"a\",\"total_amount\":1,\"created_at\":null,\"currency\":" KEPT),
		ERR_INVALID, "currency");
	help_refuse(&h,
	            envelope("orders", "u",
	                     "\"id\":" KEPT ",\"status\":\"a\",\"total_amount\":1,\"created_at\":null"),
	            ERR_INVALID, "id");
	const struct change *l = help_accept(
		&h, CHANGE_LINE,
		envelope("order_items", "u",
	             "\"id\":1,\"order_id\":1,\"item_id\":3,\"name\":"
	             "\"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==\",\"quantity\":1,\"unit_price\":1"));
	assert_int_equal(l->fields & HAS_NAME, 0);
	help_free(&h);
}

/* The columns read here are those the batch reads. */
static void test_columns_of_batch(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"\"id\":\"K\",\"status\":\"a\",\"total_amount\":1,\"created_at\":null",
		"\"id\":1,\"order_id\":1,\"item_id\":3,\"name\":\"N\",\"quantity\":1,\"unit_price\":1",
		"\"id\":1,\"order_id\":1,\"amount\":1,\"created_at\":null"};
	struct help h = help_new(NULL);
	for (enum source_column c = 0; c < COL_COUNT; c++) {
		if (c == COL_UPDATED || c == COL_ITEM_ID || c == COL_ORDER_ID)
			continue; /* only for finding days; one of two names; tried elsewhere */
		const char *name = source_column_names(c), *table = source_column_table(c);
		const char *whole = rows[c >= COL_REFUND_ORDER ? 2 : c >= COL_ITEM_ORDER ? 1 : 0];
		char quoted[64], row[400];
		(void)snprintf(quoted, sizeof quoted, "\"%s\":", name);
		const char *at = strstr(whole, quoted);
		/* with something in it that no column may hold */
		if (at) {
			const char *end = strchr(at, ',');
			(void)snprintf(row, sizeof row, "%.*s\"%s\":{\"a\":1}%s", (int)(at - whole), whole,
			               name, end ? end : "");
		} else {
			(void)snprintf(row, sizeof row, "%s,\"%s\":{\"a\":1}", whole, name);
		}
		help_refuse(&h, envelope(table, "u", row), ERR_INVALID, name);
	}
	help_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_lines_and_refunds),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_typed_times),
		cmocka_unit_test(test_zoned_times),
		cmocka_unit_test(test_unit_of_settings),
		cmocka_unit_test(test_texts_of_times),
		cmocka_unit_test(test_decimals),
		cmocka_unit_test(test_untyped_decimals),
		cmocka_unit_test(test_drift),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_columns_of_batch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
