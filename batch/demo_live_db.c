/* demo_live_db.c: orders played into order_db, each event a transaction of its own, as a shop does.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json_text.h"
#include "batch/demo_live.h"
#include "db/db.h"

/* Far above those of demo_day.c, which are made of dates, so that both can be continued. */
static const int64_t FIRST_ID = INT64_C(10000000000000);

struct text {
	char s[LIVE_MONEY_TEXT];
};

static const char *int_text(struct text *t, int64_t v)
{
	(void)snprintf(t->s, sizeof t->s, "%" PRId64, v);
	return t->s;
}

static void put_lines(struct buf *b, const struct live_order *o, const struct demo_line *lines,
                      int decimals)
{
	struct text price;
	for (int i = 0; i < o->course.lines_n; i++) {
		buf_printf(b, "%s{\"id\":%" PRId64 ",\"item_id\":%" PRId64 ",\"name\":", i ? "," : "[",
		           o->course.id * 10 + i + 1, lines[i].item_id);
		json_text_put(b, lines[i].name, strlen(lines[i].name));
		buf_printf(b, ",\"quantity\":%" PRId64 ",\"unit_price\":%s}", lines[i].quantity,
		           live_money_text(price.s, lines[i].price_minor, decimals));
	}
	buf_puts(b, "]");
}

static enum err put_order(void *state, const struct live_order *o, const struct demo_line *lines,
                          const struct live_money *money, struct errbuf *eb)
{
	struct text id, total, customer, discount, tax;
	struct demo_state s;
	struct buf items;
	buf_init(&items);
	demo_order_state(&o->course, o->course.created_s + 1, &s);
	put_lines(&items, o, lines, money->decimals);
	enum err rc = db_query(
		state, "demo_live_order",
		DB_PARAMS(
			{"id", int_text(&id, o->course.id)}, {"status", s.status},
			{"total", live_money_text(total.s, s.total_minor, money->decimals)},
			{"customer", o->course.customer_id ? int_text(&customer, o->course.customer_id) : NULL},
			{"currency", money->currency},
			{"discount", live_money_text(discount.s, s.discount_minor, money->decimals)},
			{"tax", live_money_text(tax.s, s.tax_minor, money->decimals)},
			{"lines", buf_str(&items)}),
		NULL, eb);
	buf_fini(&items);
	return rc;
}

static enum err put_refunds(struct db *db, const struct live_order *o, int from, int to,
                            const struct live_money *money, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	for (int i = from; i < to && rc == ERR_OK; i++) {
		struct text id, order, amount;
		rc = db_query(
			db, "demo_live_refund",
			DB_PARAMS({"id", int_text(&id, o->course.id * 10 + i + 1)},
		              {"order", int_text(&order, o->course.id)},
		              {"amount", live_money_text(amount.s, o->course.refunds[i].amount_minor,
		                                         money->decimals)}),
			NULL, eb);
	}
	return rc;
}

static enum err put_change(void *state, const struct live_order *o, const struct demo_state *before,
                           const struct demo_state *now, int64_t now_us,
                           const struct live_money *money, struct errbuf *eb)
{
	struct text id, total, discount, tax, tip;
	(void)now_us; /* the database's clock counts */
	enum err rc = put_refunds(state, o, before->refunds_n, now->refunds_n, money, eb);
	if (rc != ERR_OK || now->updated_s == before->updated_s)
		return rc;
	return db_query(
		state, "demo_live_change",
		DB_PARAMS({"id", int_text(&id, o->course.id)}, {"status", now->status},
	              {"total", live_money_text(total.s, now->total_minor, money->decimals)},
	              {"discount", live_money_text(discount.s, now->discount_minor, money->decimals)},
	              {"tax", live_money_text(tax.s, now->tax_minor, money->decimals)},
	              {"tip", now->tip_minor >= 0
	                          ? live_money_text(tip.s, now->tip_minor, money->decimals)
	                          : NULL},
	              {"cancelled", now->cancelled_s ? "t" : "f"}),
		NULL, eb);
}

static bool is_true(const struct rowset *rs, const char *name)
{
	return strcmp(rowset_get(rs, 0, name), "t") == 0;
}

enum err live_sink_order_db(struct live_sink *out, struct db *db, int64_t *last_id,
                            struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(db, "demo_live_begin", DB_NO_PARAMS, &rs, eb);
	if (rc != ERR_OK) {
		if (strcmp(db_sqlstate(db), "42P01") == 0)
			err_clear(eb);
		return err_set(eb, rc, "there is no demo data yet: takings-batch demo makes it");
	}
	if (!is_true(&rs, "ours"))
		rc = err_set(eb, ERR_INVALID,
		             "the table orders holds orders that demo did not make;"
		             " %s must name a database of its own",
		             conf_name(CONF_DEMO_URL));
	else if (!is_true(&rs, "locked"))
		rc = err_set(eb, ERR_LOCKED, "another process is playing already");
	*last_id = rowset_int(&rs, 0, "last");
	if (*last_id < FIRST_ID)
		*last_id = FIRST_ID;
	rowset_fini(&rs);
	*out = (struct live_sink){.state = db, .order = put_order, .change = put_change};
	return rc;
}
