/* test_decode_event.c: order events. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>

#include "decode_help.h"
#include "stream/event_fields.h"

#define AT_US INT64_C(1736937000000000) /* 2025-01-15T10:30:00Z */

static const char created[] =
	"{\"event_type\":\"OrderCreatedEvent\",\"event_id\":\"e1\",\"order_id\":\"A1\",\"customer_id\":"
	"1001,"
	"\"status\":\"pending\",\"total_amount\":\"32499.75\",\"currency\":\" usd\",\"location_id\":3,"
	"\"discount\":\"1.5\",\"tax\":2,\"created_at\":\"2025-01-15T10:30:00Z\",\"items\":["
	"{\"product_id\":123,\"name\":\"Laptop\",\"quantity\":25,\"unit_price\":\"1299.99\"},"
	"{\"product_id\":\"x\",\"quantity\":\"0.500\",\"line_total\":\"3.00\"}]}";

static void test_created(void **state)
{
	(void)state;
	struct help h = help_new(NULL);
	const struct change *o = help_accept(&h, CHANGE_ORDER, created);
	assert_string_equal(o->id, "A1");
	assert_int_equal(o->registers, WRITES_BIRTH | WRITES_STATUS);
	assert_string_equal(o->customer, "1001");
	assert_string_equal(o->status_word, "pending");
	assert_int_equal(o->total, 3249975);
	assert_int_equal(o->discount, 150);
	assert_int_equal(o->tax, 200);
	assert_int_equal(o->tip, CHANGE_NONE);
	assert_string_equal(o->currency, "USD");
	assert_int_equal(o->location, 3);
	assert_int_equal(o->placed_us, AT_US);
	assert_int_equal(o->placed_local_s, AT_US / 1000000);
	assert_int_equal(o->cancelled_us, CHANGE_NONE);
	assert_int_equal(o->birth.major, 0);
	assert_int_equal(o->birth.minor >> 8, AT_US << 3);
	const struct change *a = help_nth(&h, CHANGE_LINE, 0), *b = help_nth(&h, CHANGE_LINE, 1);
	assert_non_null(b);
	assert_null(help_nth(&h, CHANGE_LINE, 2));
	assert_true(a->event && b->event);
	assert_string_equal(a->id, "event:A1#0");
	assert_string_equal(a->order_id, "A1");
	assert_string_equal(a->item, "123");
	assert_string_equal(a->name, "Laptop");
	assert_string_equal(a->quantity, "25");
	assert_string_equal(a->price, "1299.99");
	assert_null(a->amount);
	assert_string_equal(b->quantity, "0.500");
	assert_string_equal(b->amount, "3.00");
	assert_null(b->name);
	assert_int_equal(version_compare(a->birth, o->birth), 0);
	help_free(&h);
}

/* All spellings of the same news say the same; an id beyond 2^53 stays what it is. */
static void test_spellings(void **state)
{
	(void)state;
	static const char *const same[] = {
		"{\"event_type\":\"OrderCreatedEvent\",\"order_id\":9007199254740993,\"total_amount\":\"19."
		"99\","
		"\"created_at\":\"2025-01-15T10:30:00Z\",\"status\":\"new\"}",
		"{\"eventType\":\"OrderCreated\",\"orderId\":\"9007199254740993\",\"totalAmount\":19.99,"
		"\"createdAt\":\"2025-01-15T11:30:00+01:00\",\"status\":\"new\"}",
		"{\"type\":\"order.created\",\"data\":{\"orderId\":9007199254740993,\"total\":19.990,"
		"\"createdAt\":1736937000,\"status\":\"new\",\"version\":\"1.0\"},\"version\":\"2.0\"}",
		"{\"type\":\"ORDER_CREATED\",\"occurred_at\":1736937000000,\"payload\":{\"order\":{\"id\":"
		"9007199254740993,\"total_price\":\"1999e-2\",\"status\":\"new\",\"currency\":\"eur\"}}}",
		"{\"event_type\":\"orderCreatedEvent\",\"Order-Id\":9007199254740993,\"order_total\":\"19."
		"99\","
		"\"order_date\":1736937000000000,\"status\":\"new\",\"shipping\":{\"city\":\"X\"}}",
		"{\"event_type\":\"OrderCreatedEvent\",\"order_id\":9007199254740993,\"total_amount\":\"19."
		"99\","
		"\"created_at\":1736937000000000000,\"status\":\"new\",\"currency\":\"\"}",
		"{\"event_type\":\"OrderCreatedEvent\",\"order_id\":9007199254740993,\"total_amount\":\"19."
		"99\","
		"\"created_at\":1736937000.0,\"status\":\"new\",\"location_id\":null}",
		/* the wall clock of order_db, in winter an hour ahead */
		"{\"event_type\":\"OrderCreatedEvent\",\"order_id\":9007199254740993,\"total_amount\":\"19."
		"99\","
		"\"created_at\":\"2025-01-15 11:30:00\",\"status\":\"new\",\"customer\":{\"name\":\"N\"}}",
	};
	struct help h = help_new(NULL);
	for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
		const struct change *o = help_accept(&h, CHANGE_ORDER, same[i]);
		assert_string_equal(o->id, "9007199254740993");
		assert_int_equal(o->total, 1999);
		assert_string_equal(o->currency, "EUR");
		assert_string_equal(o->status_word, "new");
		assert_int_equal(o->location, 7);
		if (o->placed_us != AT_US)
			fail_msg("%zu: placed at %" PRId64, i, o->placed_us);
		assert_int_equal(o->birth.major, 0);
		assert_int_equal(o->birth.minor >> 8, AT_US << 3);
	}
	help_free(&h);
}

static void test_status_and_cancelled(void **state)
{
	(void)state;
	struct help h = help_new(NULL);
	const struct change *o = help_accept(&h, CHANGE_ORDER,
	                                     "{\"event_type\":\"OrderStatusChangedEvent\",\"order_id\":"
	                                     "\"A1\",\"old_status\":\"pending\","
	                                     "\"new_status\":\"completed\",\"status\":\"other\","
	                                     "\"occurred_at\":\"2025-01-15T10:30:00Z\"}");
	assert_int_equal(o->registers, WRITES_STATUS);
	assert_string_equal(o->status_word, "completed");
	assert_int_equal(o->fields, HAS_STATUS | HAS_CANCELLED);
	assert_int_equal(o->cancelled_us, CHANGE_NONE);
	o = help_accept(
		&h, CHANGE_ORDER,
		"{\"event_type\":\"OrderCancelledEvent\",\"order_id\":\"A1\",\"status\":\"pending\","
		"\"reason\":\"too late\",\"occurred_at\":\"2025-01-15T10:30:00Z\"}");
	assert_int_equal(o->registers, WRITES_STATUS);
	assert_string_equal(o->status_word, "cancelled"); /* what it says is the status before */
	assert_string_equal(o->cancel_reason, "too late");
	assert_int_equal(o->cancelled_us, AT_US);
	o = help_accept(
		&h, CHANGE_ORDER,
		"{\"event_type\":\"OrderCancelledEvent\",\"order_id\":\"A1\",\"status\":\"CANCELED\","
		"\"cancelled_at\":\"2025-01-15T10:30:00.5Z\",\"timestamp\":\"2025-01-15T11:00:00Z\"}");
	assert_string_equal(o->status_word, "CANCELED");
	assert_int_equal(o->cancelled_us, AT_US + 500000);
	o = help_accept(&h, CHANGE_ORDER, "{\"event_type\":\"OrderDeletedEvent\",\"order_id\":\"A1\"}");
	assert_true(o->deleted);
	assert_int_equal(o->registers, WRITES_BIRTH | WRITES_STATUS);
	help_free(&h);
}

static struct version version_of(struct help *h, const char *value, int64_t offset)
{
	help_send(h, NULL, value, offset);
	assert_int_equal(h->rc, ERR_OK);
	const struct change *o = help_nth(h, CHANGE_ORDER, 0);
	return o->registers & WRITES_BIRTH ? o->birth : o->status;
}

/* Each is newer than all above it. */
static void test_versions(void **state)
{
	(void)state;
	static const char *const rising[] = {
		"{\"type\":\"OrderStatusChanged\",\"order_id\":1,\"status\":\"a\"}",
		"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":1,\"at\":0,\"created_at\":1736937000}",
		"{\"type\":\"OrderStatusChanged\",\"order_id\":1,\"status\":\"a\",\"timestamp\":"
		"1736937000}",
		"{\"type\":\"OrderCancelled\",\"order_id\":1,\"timestamp\":1736937000}",
		"{\"type\":\"OrderDeleted\",\"order_id\":1,\"timestamp\":1736937000}",
		"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":1,\"created_at\":1736937001}",
		"{\"type\":\"OrderStatusChanged\",\"order_id\":1,\"status\":\"a\",\"version\":1}",
		"{\"type\":\"OrderStatusChanged\",\"order_id\":1,\"status\":\"a\",\"version\":2,"
		"\"timestamp\":1736937000}",
		"{\"type\":\"OrderStatusChanged\",\"order_id\":1,\"status\":\"a\",\"version\":2,"
		"\"timestamp\":1736937001}",
		"{\"type\":\"OrderStatusChanged\",\"order_id\":1,\"status\":\"a\",\"order_version\":\"3\","
		"\"version\":1}",
		"{\"before\":null,\"after\":{\"id\":1,\"status\":\"a\",\"total_amount\":1,\"created_at\":"
		"null},"
		"\"source\":{\"lsn\":1,\"table\":\"orders\"},\"op\":\"c\"}",
		"{\"before\":null,\"after\":{\"id\":1,\"status\":\"a\",\"total_amount\":1,\"created_at\":"
		"null},"
		"\"source\":{\"lsn\":1,\"table\":\"orders\",\"ts_ms\":1736937000000},\"op\":\"c\"}",
		"{\"before\":null,\"after\":{\"id\":1,\"status\":\"a\",\"total_amount\":1,\"created_at\":"
		"null},"
		"\"source\":{\"lsn\":2,\"table\":\"orders\"},\"op\":\"c\"}",
	};
	enum { N = sizeof rising / sizeof *rising };
	struct help h = help_new(NULL);
	struct version v[N];
	for (size_t i = 0; i < N; i++)
		v[i] = version_of(&h, rising[i], 1000);
	for (size_t i = 1; i < N; i++)
		if (version_compare(v[i - 1], v[i]) >= 0)
			fail_msg("%s is not newer than %s", rising[i], rising[i - 1]);
	assert_int_equal(v[0].minor, 1000);
	assert_int_equal(v[6].major, 1);
	/* the same bytes have the same version, others at the same time another */
	assert_int_equal(version_compare(version_of(&h, rising[2], 5), v[2]), 0);
	struct version w =
		version_of(&h,
	               "{\"type\":\"OrderStatusChanged\",\"order_id\":1,\"status\":\"b\","
	               "\"timestamp\":1736937000}",
	               5);
	assert_int_not_equal(version_compare(w, v[2]), 0);
	help_free(&h);
}

static const struct {
	const char *value, *field;
	enum err rc;
} refused[] = {
	{"{\"type\":\"OrderCreated\",\"total\":1,\"created_at\":1736937000}", "order_id", ERR_INVALID},
	{"{\"type\":\"OrderCreated\",\"order_id\":\"\",\"total\":1,\"created_at\":1736937000}",
     "order_id", ERR_INVALID},
	{"{\"type\":\"OrderCreated\",\"order_id\":1.5,\"total\":1,\"created_at\":1736937000}",
     "order_id", ERR_INVALID},
	{"{\"type\":\"OrderCreated\",\"order_id\":true,\"total\":1,\"created_at\":1736937000}",
     "order_id", ERR_INVALID},
	{"{\"type\":\"OrderCreated\",\"order_id\":1,\"created_at\":1736937000}", "total_amount",
     ERR_INVALID},
	{"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":\"NaN\",\"created_at\":1736937000}",
     "total_amount", ERR_INVALID},
	{"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":\"1e14\",\"created_at\":1736937000}",
     "total_amount", ERR_INVALID},
	{"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":true,\"created_at\":1736937000}",
     "total_amount", ERR_INVALID},
	{"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":1}", "created_at", ERR_INVALID},
	{"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":1,\"created_at\":\"yesterday\"}",
     "created_at", ERR_INVALID},
	{"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":1,\"created_at\":17}", "created_at",
     ERR_INVALID},
	{"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":1,\"created_at\":\"2525-01-01T00:00:"
     "00Z\"}",
     "created_at", ERR_INVALID},
	{"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":1,\"created_at\":1736937000,"
     "\"currency\":\"EURO\"}",
     "currency", ERR_INVALID},
	{"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":1,\"created_at\":1736937000,"
     "\"location_id\":\"Berlin\"}",
     "location_id", ERR_INVALID},
	{"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":1,\"created_at\":1736937000,"
     "\"items\":{}}",
     "items", ERR_INVALID},
	{"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":1,\"created_at\":1736937000,"
     "\"items\":[1]}",
     "items", ERR_INVALID},
	{"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":1,\"created_at\":1736937000,"
     "\"items\":[{\"sku\":1,\"qty\":1,\"price\":1},{\"quantity\":1}]}",
     "items[1].product_id", ERR_INVALID},
	{"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":1,\"created_at\":1736937000,"
     "\"items\":[{\"sku\":1,\"price\":1}]}",
     "items[0].quantity", ERR_INVALID},
	{"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":1,\"created_at\":1736937000,"
     "\"items\":[{\"sku\":1,\"qty\":1}]}",
     "items[0].unit_price", ERR_INVALID},
	{"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":1,\"created_at\":1736937000,"
     "\"items\":[{\"sku\":1,\"qty\":\"x\",\"price\":1}]}",
     "items[0].quantity", ERR_INVALID},
	{"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":1,\"created_at\":1736937000,"
     "\"version\":-1}",
     "version", ERR_INVALID},
	{"{\"type\":\"OrderStatusChanged\",\"order_id\":1}", "new_status", ERR_INVALID},
	{"{\"type\":\"OrderStatusChanged\",\"order_id\":1,\"status\":\"\"}", "new_status", ERR_INVALID},
	{"{\"type\":\"OrderCancelled\",\"order_id\":1,\"cancelled_at\":\"x\"}", "cancelled_at",
     ERR_INVALID},
	{"{\"type\":\"OrderDeleted\"}", "order_id", ERR_INVALID},
	{"[]", "", ERR_INVALID},
	{"17", "", ERR_INVALID},
	{"not json", "", ERR_MALFORMED},
	{"", "", ERR_MALFORMED},
	{"{\"type\":\"OrderDeleted\",\"order_id\":1,\"order_id\":2}", "", ERR_MALFORMED},
};

static void test_refused(void **state)
{
	(void)state;
	struct help h = help_new(NULL);
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		help_refuse(&h, refused[i].value, refused[i].rc, refused[i].field);
	help_free(&h);
}

static void test_of_no_interest(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"{\"type\":\"OrderShippedEvent\",\"order_id\":1}", "{\"type\":\"PaymentReceived\"}", "{}",
		"{\"type\":7}", "{\"type\":\"OrderCreatedEventOfSomeVeryLongKind\",\"order_id\":1}"};
	struct help h = help_new(NULL);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		help_refuse(&h, rows[i], ERR_NOTHING, "");
	help_send(&h, "k", NULL, 1); /* a tombstone */
	assert_int_equal(h.rc, ERR_NOTHING);
	help_free(&h);
}

/* A text of n bytes instead of $, and lines. */
static char *filled(const char *pattern, size_t n, size_t lines)
{
	struct buf b;
	buf_init(&b);
	for (const char *s = pattern; *s; s++) {
		for (size_t i = 0; *s == '$' && i < n; i++)
			buf_putc(&b, 'x');
		for (size_t i = 0; *s == '#' && i < lines; i++)
			buf_puts(&b, i ? ",{\"sku\":1,\"qty\":1,\"price\":1}"
			               : "{\"sku\":1,\"qty\":1,\"price\":1}");
		if (*s != '$' && *s != '#')
			buf_putc(&b, *s);
	}
	return b.data;
}

static void check_limit(struct help *h, const char *pattern, size_t n, size_t lines,
                        const char *field, bool fine)
{
	char *value = filled(pattern, n, lines);
	if (fine)
		(void)help_accept(h, CHANGE_ORDER, value);
	else
		help_refuse(h, value, ERR_INVALID, field);
	free(value);
}

/* What is about bookings says so by its type, wherever it comes; orders stay orders. */
static void test_bookings(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		bool booking;
	} rows[] = {
		{"{\"type\":\"booking.created\"}", true},
		{"{\"id\":1,\"order_id\":2,\"event_type\":\"BOOKING_CREATED\",\"status\":\"x\"}", true},
		{"{\"payload\":{\"data\":{\"eventType\":\"event.published\"}}}", true},
		{"{\"type\":\"concert\",\"event_type\":\"event.updated\"}", true},
		{"{\"type\":\"user.created\",\"op\":\"c\"}", true},
		{"{\"type\":\"user.deleted\"}", false},
		{"{\"kind\":\"booking.created\",\"type\":7}", false},
		{"{\"other\":{\"type\":\"booking.created\"}}", false},
		{"{\"type\":\"order.deleted\",\"order_id\":1,\"data\":{\"type\":\"booking.created\"}}",
	     false},
		{"{\"type\":\"booking.created\",\"op\":\"d\",\"before\":{\"id\":1},\"source\":{}}", false},
		{"[{\"type\":\"booking.created\"}]", false},
		{"{\"type\":\"booking.created\"", false},
	};
	for (int row = 0; row < 2; row++) {
		struct help h = help_new(row ? "orders" : NULL);
		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
			help_send(&h, NULL, rows[i].value, 1);
			if (h.booking != rows[i].booking || (h.booking && (h.rc != ERR_NOTHING || h.n > 0)))
				fail_msg("%s: %d %s", rows[i].value, h.booking, err_name(h.rc));
		}
		help_free(&h);
	}
}

static void test_limits(void **state)
{
	(void)state;
	static const struct {
		const char *pattern, *field;
		size_t limit;
	} rows[] = {
		{"{\"type\":\"OrderDeleted\",\"order_id\":\"$\"}", "order_id", ID_BYTES},
		{"{\"type\":\"OrderStatusChanged\",\"order_id\":1,\"status\":\"$\"}", "status", ID_BYTES},
		{"{\"type\":\"OrderCancelled\",\"order_id\":1,\"reason\":\"$\"}", "reason", TEXT_BYTES},
		{"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":1,\"created_at\":1736937000,"
	     "\"customer_id\":\"$\"}",
	     "customer_id", ID_BYTES},
		{"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":1,\"created_at\":1736937000,"
	     "\"items\":[{\"sku\":\"$\",\"qty\":1,\"price\":1}]}",
	     "items.product_id", ID_BYTES},
		{"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":1,\"created_at\":1736937000,"
	     "\"items\":[{\"sku\":1,\"name\":\"$\",\"qty\":1,\"price\":1}]}",
	     "items.name", TEXT_BYTES},
	};
	struct help h = help_new(NULL);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t k = 0; k < 3; k++)
			check_limit(&h, rows[i].pattern, rows[i].limit - 1 + k, 0, rows[i].field, k < 2);
	static const char lines[] = "{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":1,\"created_"
								"at\":1736937000,\"items\":[#]}";
	for (size_t k = 0; k < 3; k++)
		check_limit(&h, lines, 0, MESSAGE_LINES - 1 + k, "items", k < 2);
	static const char padded[] = "{\"type\":\"OrderDeleted\",\"order_id\":1,\"note\":\"$\"}";
	for (size_t k = 0; k < 3; k++)
		check_limit(&h, padded, MESSAGE_BYTES - (sizeof padded - 2) - 1 + k, 0, "", k < 2);
	help_free(&h);
}

static void test_depth(void **state)
{
	(void)state;
	struct help h = help_new(NULL);
	for (int levels = MESSAGE_DEPTH - 1; levels <= MESSAGE_DEPTH + 1; levels++) {
		struct buf b;
		buf_init(&b);
		buf_puts(&b, "{\"type\":\"OrderDeleted\",\"order_id\":1,\"x\":");
		for (int i = 1; i < levels; i++)
			buf_putc(&b, '[');
		for (int i = 1; i < levels; i++)
			buf_putc(&b, ']');
		buf_putc(&b, '}');
		if (levels <= MESSAGE_DEPTH)
			(void)help_accept(&h, CHANGE_ORDER, buf_str(&b));
		else
			help_refuse(&h, buf_str(&b), ERR_INVALID, "");
		buf_fini(&b);
	}
	help_free(&h);
}

static void test_profile_words(void **state)
{
	(void)state;
	struct rules restaurant = help_rules;
	struct help h = help_new(NULL);
	(void)snprintf(restaurant.profile, sizeof restaurant.profile, "restaurant");
	const char *value =
		"{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":1,\"created_at\":1736937000}";
	assert_string_equal(help_accept(&h, CHANGE_ORDER, value)->status_word, "created");
	h.d.rules = &restaurant;
	assert_string_equal(help_accept(&h, CHANGE_ORDER, value)->status_word, "CREATED");
	value = "{\"type\":\"OrderCancelled\",\"order_id\":1}";
	assert_string_equal(help_accept(&h, CHANGE_ORDER, value)->status_word, "CANCELLED");
	help_free(&h);
}

static void test_currency_digits(void **state)
{
	(void)state;
	struct help h = help_new(NULL);
	assert_int_equal(help_accept(&h, CHANGE_ORDER,
	                             "{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":100,"
	                             "\"currency\":\"JPY\",\"created_at\":1736937000}")
	                     ->total,
	                 100);
	assert_int_equal(help_accept(&h, CHANGE_ORDER,
	                             "{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":\"1.2345\","
	                             "\"currency\":\"KWD\",\"created_at\":1736937000}")
	                     ->total,
	                 1234);
	assert_int_equal(help_accept(&h, CHANGE_ORDER,
	                             "{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":0."
	                             "30000000000000004,\"created_at\":1736937000}")
	                     ->total,
	                 30);
	assert_int_equal(help_accept(&h, CHANGE_ORDER,
	                             "{\"type\":\"OrderCreated\",\"order_id\":1,\"total\":"
	                             "90071992547409.93,\"created_at\":1736937000}")
	                     ->total,
	                 INT64_C(9007199254740993));
	help_free(&h);
}

static void test_names_sorted(void **state)
{
	(void)state;
	assert_true(event_fields_sorted());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_created),
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_status_and_cancelled),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_of_no_interest),
		cmocka_unit_test(test_bookings),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_profile_words),
		cmocka_unit_test(test_currency_digits),
		cmocka_unit_test(test_names_sorted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
