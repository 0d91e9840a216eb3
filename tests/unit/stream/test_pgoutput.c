/* test_pgoutput.c: PostgreSQL's own replication messages. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "decode_help.h"
#include "tests/stream/pgoutput_help.h"

#define ORDERS "*id:20 status:25 total_amount:1700 created_at:1184 note:25"
#define AT_US INT64_C(1736937000000000)

struct wire {
	struct pgoutput *p;
	struct buf b;
	struct arena a;
	struct row_change row;
	struct errbuf eb;
	struct help h;
};

static struct wire wire_new(void)
{
	struct wire w = {.p = pgoutput_new(), .h = help_new(NULL)};
	buf_init(&w.b);
	arena_init(&w.a);
	return w;
}

static void wire_free(struct wire *w)
{
	pgoutput_free(w->p);
	buf_fini(&w->b);
	arena_fini(&w->a);
	help_free(&w->h);
}

static enum err wire_send(struct wire *w)
{
	w->eb = (struct errbuf){0};
	return pgoutput_decode(w->p, w->b.data, w->b.len, 5000, &w->a, &w->row, &w->eb);
}

static void wire_tell(struct wire *w, const char *table, char identity, const char *columns)
{
	pg_relation(&w->b, 9, table, identity, columns);
	assert_int_equal(wire_send(w), ERR_NOTHING);
}

/* The row as news. */
static enum err wire_read(struct wire *w)
{
	changes_clear(w->h.changes);
	enum err rc = row_to_changes(&w->row, &help_rules, &w->h.d.units, w->h.changes, &w->eb);
	help_settle(&w->h);
	return rc;
}

static void test_transaction(void **state)
{
	(void)state;
	static const char *const values[] = {"17", "paid", "12.50", "2025-01-15 11:30:00.5+01", NULL};
	struct wire w = wire_new();
	int64_t end;
	pg_begin(&w.b, AT_US - INT64_C(946684800000000));
	assert_int_equal(wire_send(&w), ERR_NOTHING);
	assert_false(pgoutput_committed(w.p, &end));
	wire_tell(&w, "orders", 'd', ORDERS);
	pg_row(&w.b, 'I', 9);
	pg_tuple(&w.b, 'N', values, 5);
	assert_int_equal(wire_send(&w), ERR_OK);
	assert_int_equal(w.row.op, ROW_CREATE);
	assert_string_equal(w.row.schema, "public");
	assert_string_equal(w.row.table, "orders");
	assert_int_equal(w.row.lsn, 5000);
	assert_int_equal(w.row.time_us, AT_US);
	assert_int_equal(w.row.key_n, 1);
	assert_string_equal(w.row.columns[3].text, "2025-01-15T10:30:00.500000Z");
	assert_int_equal(w.row.columns[4].kind, VALUE_NULL);
	assert_int_equal(wire_read(&w), ERR_OK);
	const struct change *o = help_nth(&w.h, CHANGE_ORDER, 0);
	assert_string_equal(o->id, "17");
	assert_int_equal(o->total, 1250);
	assert_int_equal(o->placed_us, AT_US + 500000);
	assert_int_equal(o->birth.major, VERSION_ROW + 5000);
	pg_commit(&w.b, 6000);
	assert_int_equal(wire_send(&w), ERR_NOTHING);
	assert_true(pgoutput_committed(w.p, &end));
	assert_int_equal(end, 6000);
	static const char *const others[] = {"O\0\0\0\0\0\0\0\1name", "Y", "M"};
	for (size_t i = 0; i < 3; i++) {
		buf_clear(&w.b);
		buf_puts(&w.b, others[i]);
		assert_int_equal(wire_send(&w), ERR_NOTHING);
		assert_false(pgoutput_committed(w.p, &end));
	}
	wire_free(&w);
}

static void test_update_and_delete(void **state)
{
	(void)state;
	static const char *const now[] = {"17", "paid", "12.50", "2025-01-15 10:30:00+00", "\1"};
	static const char *const key[] = {"16", NULL, NULL, NULL, NULL};
	struct wire w = wire_new();
	wire_tell(&w, "orders", 'd', ORDERS);
	pg_row(&w.b, 'U', 9);
	pg_tuple(&w.b, 'N', now, 5);
	assert_int_equal(wire_send(&w), ERR_OK);
	assert_int_equal(w.row.op, ROW_UPDATE);
	assert_int_equal(w.row.columns[4].kind, VALUE_KEPT);
	assert_int_equal(w.row.was_n, 0);
	pg_row(&w.b, 'U', 9); /* another key: the old order is gone */
	pg_tuple(&w.b, 'K', key, 5);
	pg_tuple(&w.b, 'N', now, 5);
	assert_int_equal(wire_send(&w), ERR_OK);
	assert_int_equal(wire_read(&w), ERR_OK);
	const struct change *a = help_nth(&w.h, CHANGE_ORDER, 0), *b = help_nth(&w.h, CHANGE_ORDER, 1);
	assert_string_equal(a->id, "16");
	assert_true(a->deleted);
	assert_string_equal(b->id, "17");
	assert_false(b->deleted);
	pg_row(&w.b, 'D', 9);
	pg_tuple(&w.b, 'K', key, 5);
	assert_int_equal(wire_send(&w), ERR_OK);
	assert_int_equal(w.row.columns_n, 1);
	assert_int_equal(wire_read(&w), ERR_OK);
	assert_true(help_nth(&w.h, CHANGE_ORDER, 0)->deleted);
	wire_free(&w);
}

/* REPLICA IDENTITY FULL marks every column: the key is unknown, but what was not sent is known. */
static void test_full(void **state)
{
	(void)state;
	static const char *const old[] = {"4", "17", "3", "Old", "1", "9.99"};
	static const char *const now[] = {"4", "17", "3", "\1", "2", "9.99"};
	static const char *const moved[] = {"5", "17", "3", "\1", "2", "9.99"};
	struct wire w = wire_new();
	wire_tell(&w, "order_items", 'f',
	          "*id:20 *order_id:20 *item_id:23 *name:25 *quantity:23 *unit_price:1700");
	pg_row(&w.b, 'U', 9);
	pg_tuple(&w.b, 'O', old, 6);
	pg_tuple(&w.b, 'N', now, 6);
	assert_int_equal(wire_send(&w), ERR_OK);
	assert_int_equal(w.row.key_n, 0);
	assert_int_equal(wire_read(&w), ERR_OK);
	const struct change *l = help_nth(&w.h, CHANGE_LINE, 0);
	assert_string_equal(l->id, "4");
	assert_string_equal(l->name, "Old");
	assert_null(help_nth(&w.h, CHANGE_LINE, 1));
	pg_row(&w.b, 'U', 9);
	pg_tuple(&w.b, 'O', old, 6);
	pg_tuple(&w.b, 'N', moved, 6);
	assert_int_equal(wire_send(&w), ERR_OK);
	assert_int_equal(wire_read(&w), ERR_OK);
	assert_true(help_nth(&w.h, CHANGE_LINE, 0)->deleted);
	assert_string_equal(help_nth(&w.h, CHANGE_LINE, 0)->id, "4");
	assert_string_equal(help_nth(&w.h, CHANGE_LINE, 1)->id, "5");
	wire_tell(&w, "order_items", 'n', "order_id:20 item_id:23 name:25 quantity:23 unit_price:1700");
	pg_row(&w.b, 'I', 9);
	pg_tuple(&w.b, 'N', old + 1, 5);
	assert_int_equal(wire_send(&w), ERR_OK);
	assert_int_equal(wire_read(&w), ERR_INVALID);
	assert_string_equal(w.eb.field, "order_items");
	wire_free(&w);
}

static void test_types(void **state)
{
	(void)state;
	static const char *const values[] = {"1", "a", "NaN", "2025-01-15 10:30:00", "infinity"};
	struct wire w = wire_new();
	wire_tell(&w, "orders", 'd',
	          "*id:20 status:25 total_amount:1700 created_at:1114 cancelled_at:1184");
	pg_row(&w.b, 'I', 9);
	pg_tuple(&w.b, 'N', values, 5);
	assert_int_equal(wire_send(&w), ERR_OK);
	assert_string_equal(w.row.columns[3].text, "2025-01-15T10:30:00");
	assert_int_equal(wire_read(&w), ERR_INVALID);
	assert_string_equal(w.eb.field, "total_amount");
	/* digits alone are no base64 here, whatever the settings say */
	static const char *const plain[] = {"1", "a", "1234", "2025-01-15 10:30:00", "infinity"};
	pg_row(&w.b, 'I', 9);
	pg_tuple(&w.b, 'N', plain, 5);
	assert_int_equal(wire_send(&w), ERR_OK);
	assert_int_equal(wire_read(&w), ERR_OK);
	const struct change *o = help_nth(&w.h, CHANGE_ORDER, 0);
	assert_int_equal(o->total, 123400);
	assert_int_equal(o->placed_us, AT_US - INT64_C(3600000000));
	assert_int_equal(o->cancelled_us, CHANGE_NONE);
	wire_tell(&w, "orders", 'd',
	          "*id:20 status:25 total_amount:701 created_at:1114 cancelled_at:1184");
	pg_row(&w.b, 'I', 9);
	pg_tuple(&w.b, 'N', plain, 5);
	assert_int_equal(wire_send(&w), ERR_OK);
	assert_int_equal(wire_read(&w), ERR_INVALID); /* floating point */
	w.h.d.units.floats = true;
	w.eb = (struct errbuf){0};
	assert_int_equal(wire_read(&w), ERR_OK);
	wire_free(&w);
}

static void test_truncate(void **state)
{
	(void)state;
	struct wire w = wire_new();
	pg_relation(&w.b, 8, "customers", 'd', "*id:20");
	assert_int_equal(wire_send(&w), ERR_NOTHING);
	wire_tell(&w, "orders", 'd', ORDERS);
	buf_clear(&w.b);
	buf_putc(&w.b, 'T');
	pg_uint(&w.b, 2, 4);
	pg_uint(&w.b, 1, 1);
	pg_uint(&w.b, 8, 4);
	pg_uint(&w.b, 9, 4);
	assert_int_equal(wire_send(&w), ERR_OK);
	assert_int_equal(w.row.op, ROW_TRUNCATE);
	assert_string_equal(w.row.table, "orders");
	assert_int_equal(wire_read(&w), ERR_INVALID);
	/* four thousand million tables, of which none is there, while there is one with the number 0 */
	pg_relation(&w.b, 0, "orders", 'd', ORDERS);
	assert_int_equal(wire_send(&w), ERR_NOTHING);
	buf_clear(&w.b);
	buf_puts(&w.b, "T\xff\xff\xff\xff");
	assert_int_equal(wire_send(&w), ERR_MALFORMED);
	wire_free(&w);
}

/* Cut off anywhere, or with a byte too many, a message is refused and nothing is read beyond it. */
static void test_broken(void **state)
{
	(void)state;
	static const char *const values[] = {"17", "paid", "12.50", NULL, "\1"};
	struct wire w = wire_new();
	wire_tell(&w, "orders", 'd', ORDERS);
	pg_row(&w.b, 'U', 9);
	pg_tuple(&w.b, 'O', values, 5);
	pg_tuple(&w.b, 'N', values, 5);
	for (size_t n = 0; n <= w.b.len + 1; n++) {
		char *copy = malloc(n + 1); /* of this very size, so that a sanitizer sees */
		assert_non_null(copy);
		memcpy(copy, w.b.data, n < w.b.len ? n : w.b.len);
		if (n > w.b.len)
			copy[n - 1] = 0;
		w.eb = (struct errbuf){0};
		enum err rc = pgoutput_decode(w.p, copy, n, 1, &w.a, &w.row, &w.eb);
		assert_int_equal(rc, n == w.b.len ? ERR_OK : ERR_MALFORMED);
		free(copy);
	}
	static const char *const bad[] = {"", "Z", "S", "I\0\0\0\7N", "I\0\0\0\tX", "D\0\0\0\tN", "R"};
	static const size_t sizes[] = {0, 1, 1, 6, 6, 6, 1};
	for (size_t i = 0; i < 7; i++) {
		w.eb = (struct errbuf){0};
		assert_int_equal(pgoutput_decode(w.p, bad[i], sizes[i], 1, &w.a, &w.row, &w.eb),
		                 ERR_MALFORMED);
		assert_true(w.eb.text[0]);
	}
	pg_row(&w.b, 'I', 9); /* a column too few */
	pg_tuple(&w.b, 'N', values, 4);
	assert_int_equal(wire_send(&w), ERR_MALFORMED);
	wire_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transaction), cmocka_unit_test(test_update_and_delete),
		cmocka_unit_test(test_full),        cmocka_unit_test(test_types),
		cmocka_unit_test(test_truncate),    cmocka_unit_test(test_broken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
