/* test_change.c: folding is a function of the set of changes, in whatever order and how often. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "stream/change.h"

enum { CHANGES = 12 };

static uint64_t drawn = 1;

/* xorshift64, so that every machine sees the same. */
static unsigned draw(unsigned n)
{
	drawn ^= drawn << 13;
	drawn ^= drawn >> 7;
	drawn ^= drawn << 17;
	return (unsigned)(drawn >> 33) % n;
}

static const char *word(const char *const list[], unsigned n)
{
	return list[draw(n)];
}

/* Version `v` of one and the same order, line or refund. */
static struct change random_change(enum change_kind kind, int v)
{
	static const char *const texts[] = {"a", "b", "c", "", NULL};
	struct change ch = {.kind = kind, .id = "1", .birth = {draw(2), v}, .status = {draw(2), v}};
	ch.fields = draw(HAS_ALL + 1);
	ch.registers = 1 + draw(3);
	ch.deleted = draw(6) == 0;
	ch.event = draw(2);
	ch.order_id = word(texts, 5);
	ch.status_word = word(texts, 5);
	ch.currency = word(texts, 5);
	ch.customer = word(texts, 5);
	ch.cancel_reason = word(texts, 5);
	ch.item = word(texts, 5);
	ch.name = word(texts, 5);
	ch.quantity = word(texts, 5);
	ch.price = word(texts, 5);
	ch.amount = word(texts, 5);
	ch.location = (int32_t)draw(3);
	ch.total = draw(100);
	ch.discount = draw(100);
	ch.tax = draw(100);
	ch.shipping = draw(100);
	ch.tip = draw(100);
	ch.placed_us = ch.placed_local_s = draw(100);
	ch.cancelled_us = ch.cancelled_local_s = draw(100);
	ch.refunded_us = ch.refunded_local_s = draw(100);
	change_clean(&ch);
	return ch;
}

static void put_text(struct buf *out, const char *text)
{
	buf_printf(out, " %s", text ? text : "-");
}

/* All that a change is, with the version of each field. */
static void print(struct buf *out, const struct change *ch)
{
	const int64_t numbers[] = {
		ch->fields,       ch->registers,    ch->deleted,        ch->event,    ch->birth.major,
		ch->birth.minor,  ch->status.major, ch->status.minor,   ch->location, ch->total,
		ch->discount,     ch->tax,          ch->shipping,       ch->tip,      ch->placed_us,
		ch->cancelled_us, ch->refunded_us,  ch->placed_local_s, ch->counted};
	buf_clear(out);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		buf_printf(out, " %lld", (long long)numbers[i]);
	put_text(out, ch->order_id);
	put_text(out, ch->status_word);
	put_text(out, ch->currency);
	put_text(out, ch->customer);
	put_text(out, ch->cancel_reason);
	put_text(out, ch->item);
	put_text(out, ch->name);
	put_text(out, ch->quantity);
	put_text(out, ch->price);
	put_text(out, ch->amount);
	for (int i = 0; i < CHANGE_FIELDS && ch->said_at; i++)
		buf_printf(out, " %lld:%lld", (long long)ch->said_at[i].major,
		           (long long)ch->said_at[i].minor);
}

static void fold_range(struct change *out, const struct change *list, const int *order, int n,
                       struct arena *a)
{
	*out = list[order[0]];
	for (int i = 1; i < n; i++)
		change_fold(out, &list[order[i]], a);
}

static void shuffle(int *order, int n)
{
	for (int i = n - 1; i > 0; i--) {
		int k = (int)draw((unsigned)i + 1), x = order[i];
		order[i] = order[k];
		order[k] = x;
	}
}

/* In any order, in two halves folded on their own, and with some twice. */
static void test_fold(void **state)
{
	(void)state;
	struct arena a;
	struct buf want, got;
	buf_init(&want);
	buf_init(&got);
	for (int round = 0; round < 3000; round++) {
		struct change list[CHANGES], all, one, two;
		int order[2 * CHANGES];
		arena_init(&a);
		for (int i = 0; i < CHANGES; i++) {
			list[i] = random_change((enum change_kind)(round % 3), i + 1);
			order[i] = i;
		}
		fold_range(&all, list, order, CHANGES, &a);
		print(&want, &all);
		for (int i = CHANGES; i < 2 * CHANGES; i++)
			order[i] = (int)draw(CHANGES);
		shuffle(order, 2 * CHANGES);
		int cut = 1 + (int)draw(2 * CHANGES - 1);
		fold_range(&one, list, order, cut, &a);
		fold_range(&two, list, order + cut, 2 * CHANGES - cut, &a);
		change_fold(&one, &two, &a);
		print(&got, &one);
		assert_string_equal(buf_str(&got), buf_str(&want));
		arena_fini(&a);
	}
	buf_fini(&want);
	buf_fini(&got);
}

/* Each field on its own: that of the newest change that says it. */
static void test_newest(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a);
	struct change x = {.kind = CHANGE_ORDER,
	                   .id = "1",
	                   .registers = WRITES_BIRTH | WRITES_STATUS,
	                   .fields = HAS_TOTAL | HAS_CUSTOMER | HAS_STATUS | HAS_TIP,
	                   .birth = {0, 5},
	                   .status = {0, 5},
	                   .total = 10,
	                   .customer = "c",
	                   .status_word = "new"};
	struct change y = {.kind = CHANGE_ORDER,
	                   .id = "1",
	                   .registers = WRITES_STATUS,
	                   .fields = HAS_STATUS | HAS_TOTAL, /* the latter is not written */
	                   .status = {0, 9},
	                   .total = 99,
	                   .status_word = "done"};
	struct change z = {.kind = CHANGE_ORDER,
	                   .id = "1",
	                   .registers = WRITES_BIRTH | WRITES_STATUS,
	                   .fields = HAS_TOTAL | HAS_STATUS,
	                   .birth = {VERSION_ROW, 1},
	                   .status = {VERSION_ROW, 1},
	                   .total = 30,
	                   .status_word = "row"};
	change_clean(&x);
	change_clean(&y);
	change_clean(&z);
	change_fold(&x, &y, &a);
	assert_int_equal(x.total, 10);
	assert_string_equal(x.status_word, "done");
	assert_int_equal(x.birth.minor, 5);
	assert_null(x.said_at);
	change_fold(&z, &x, &a);
	assert_int_equal(z.total, 30);
	assert_string_equal(z.status_word, "row");
	assert_string_equal(z.customer, "c");
	assert_non_null(z.said_at);
	arena_fini(&a);
}

static void put_line(struct changes *c, const char *id, const char *order_id, int64_t v,
                     const char *name)
{
	struct change ch = {.kind = CHANGE_LINE,
	                    .id = id,
	                    .order_id = order_id,
	                    .fields = HAS_ORDER_ID | HAS_ITEM | HAS_NAME,
	                    .birth = {0, v},
	                    .item = "x",
	                    .name = name};
	changes_put(c, &ch);
}

static void test_sorted(void **state)
{
	(void)state;
	struct changes *c = changes_new();
	size_t n;
	put_line(c, "9", "B", 3, "new");
	put_line(c, "10", "\xc3\xa4", 2, "old");
	put_line(c, "9", "A", 1, "older");
	struct change order = {.kind = CHANGE_ORDER, .id = "B", .registers = WRITES_STATUS};
	changes_put(c, &order);
	const struct change *const *sorted = changes_sorted(c, &n);
	static const char *const ids[] = {"A", "B", "\xc3\xa4", "10", "9"};
	assert_int_equal(n, 5);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(sorted[i]->id, ids[i]);
	assert_int_equal(sorted[0]->registers, 0);
	assert_int_equal(sorted[1]->registers, WRITES_STATUS);
	assert_string_equal(sorted[4]->order_id, "B");
	const struct item_name *const *names = changes_names(c, &n);
	assert_int_equal(n, 1);
	assert_string_equal(names[0]->name, "new");
	changes_clear(c);
	(void)changes_sorted(c, &n);
	assert_int_equal(n, 0);
	changes_free(c);
}

/* Many come and go, and little is kept. */
static void test_many(void **state)
{
	(void)state;
	struct changes *c = changes_new();
	size_t n = 0, before = changes_bytes(c);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 200000; i++) {
			struct change ch = {.kind = CHANGE_ORDER,
			                    .id = arena_printf(changes_arena(c), "%d", i % 100000),
			                    .registers = WRITES_STATUS,
			                    .status = {0, i}};
			changes_put(c, &ch);
		}
		(void)changes_sorted(c, &n);
		assert_int_equal(n, 100000);
		assert_true(changes_bytes(c) > 20 * 1000 * 1000);
		changes_clear(c);
		assert_true(changes_bytes(c) <= before + 4 * 1024 * 1024);
	}
	changes_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fold),
		cmocka_unit_test(test_newest),
		cmocka_unit_test(test_sorted),
		cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
