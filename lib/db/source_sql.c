/* source_sql.c: the questions to order_db as SQL of either dialect.
 *
 * Identifiers come from the tables here and in source.c, values are parameters.
 * Parameters are written in the order they appear, so that $n and ? agree. */
#include "db/source_driver.h"

#include <string.h>

struct builder {
	struct source_sql *q;
	bool mysql;
	const struct source_shape *shape;
	const struct source_window *w;
};

static void put(struct builder *b, const char *text)
{
	buf_puts(&b->q->text, text);
}

/* `cast` is PostgreSQL's word for the type; MySQL takes strings as they come. */
static void put_param(struct builder *b, const char *value, const char *cast)
{
	must(b->q->params_n < SOURCE_PARAMS);
	b->q->params[b->q->params_n++] = value;
	if (b->mysql)
		put(b, "?");
	else
		buf_printf(&b->q->text, "$%d::%s", b->q->params_n, cast);
}

static char table_alias(enum source_column c)
{
	return c >= COL_REFUND_ORDER ? 'r' : c >= COL_ITEM_ORDER ? 'i' : 'o';
}

static void put_column(struct builder *b, enum source_column c)
{
	buf_printf(&b->q->text, "%c.%s", table_alias(c), b->shape->col[c].name);
}

/* Text byte for byte, as UTF-8: 'Served' and 'SERVED' are two words whatever the
 * column's collation takes for equal, and both dialects sort alike. */
static void put_text(struct builder *b, enum source_column c)
{
	bool cast =
		b->shape->col[c].kind == KIND_TEXT || (!b->mysql && b->shape->col[c].kind != KIND_INTEGER);
	if (cast)
		put(b, b->mysql ? "CAST(CONVERT(" : "(");
	put_column(b, c);
	if (cast)
		put(b, b->mysql ? " USING utf8mb4) AS BINARY)" : "::text COLLATE \"C\")");
}

static bool has(const struct builder *b, enum source_column c)
{
	return b->shape->col[c].kind != KIND_ABSENT;
}

/* ---- money ------------------------------------------------------------- */

/* Half-even to `digits`. ROUND rounds ties away from zero in both dialects, so
 * only a tie above an even digit is kept down. (To MariaDB mod(-2, 2) is a
 * negative zero, which is not 0: hence the abs.) */
static void put_half_even(struct builder *b, const char *x, int digits)
{
	static const char *const unit[] = {"1", "10", "100", "1000", "10000"};
	const char *trunc = b->mysql ? "TRUNCATE" : "trunc";
	buf_printf(&b->q->text,
	           "CASE WHEN abs(%s - %s(%s, %d)) * 2 * %s = 1 AND mod(abs(%s(%s, %d)) * %s, 2) = 0"
	           " THEN %s(%s, %d) ELSE round(%s, %d) END",
	           x, trunc, x, digits, unit[digits], trunc, x, digits, unit[digits], trunc, x, digits,
	           x, digits);
}

static int exponent_of(const struct source_window *w, const char *code)
{
	for (size_t i = 0; i < w->currencies_n; i++)
		if (strcmp(w->currencies[i].code, code) == 0)
			return w->currencies[i].exponent;
	return 2;
}

static bool has_exponent(const struct source_window *w, int exponent)
{
	for (size_t i = 0; i < w->currencies_n; i++)
		if (w->currencies[i].exponent == exponent)
			return true;
	return false;
}

/* The currency as pipe_row() of the batch will have it: in capitals, without spaces,
 * the default where there is none. */
static void put_currency_word(struct builder *b)
{
	put(b, "coalesce(nullif(upper(trim(");
	put_column(b, COL_CURRENCY);
	put(b, b->mysql ? ")), ''), " : "::text)), ''), ");
	put_param(b, b->w->default_currency, "text");
	put(b, ")");
}

/* "WHEN o.currency IN (...)" for the currencies of one exponent. */
static void put_when_currency(struct builder *b, int exponent)
{
	const char *comma = "";
	put(b, " WHEN ");
	put_currency_word(b);
	put(b, " IN (");
	for (size_t i = 0; i < b->w->currencies_n; i++)
		if (b->w->currencies[i].exponent == exponent) {
			put(b, comma);
			put_param(b, b->w->currencies[i].code, "text");
			comma = ", ";
		}
	put(b, ") THEN ");
}

static bool finer_than(const struct builder *b, enum source_column c, int digits)
{
	int scale = b->shape->col[c].scale;
	return b->shape->col[c].kind != KIND_INTEGER && (scale < 0 || scale > digits);
}

/* The fewest digits an order's currency may have: what decides whether amounts
 * must be looked at one by one, which costs time on every row. */
static int least_digits(const struct builder *b)
{
	return has(b, COL_CURRENCY) ? 0 : exponent_of(b->w, b->w->default_currency);
}

/* The amount as the server computes with it: floating point becomes decimal first. */
static void put_raw_amount(struct builder *b, enum source_column c, struct buf *out)
{
	bool inexact = b->shape->col[c].kind == KIND_FLOAT;
	if (!inexact)
		buf_printf(out, "%c.%s", table_alias(c), b->shape->col[c].name);
	else if (b->mysql)
		buf_printf(out, "CAST(%c.%s AS DECIMAL(38,9))", table_alias(c), b->shape->col[c].name);
	else /* the shortest text that is this number: a plain cast keeps six digits of a real */
		buf_printf(out, "%c.%s::text::numeric", table_alias(c), b->shape->col[c].name);
}

/* quantity * unit_price. Integers are multiplied as decimals: a thousand times three
 * million is more than an integer of theirs holds. */
static void put_line_total(struct builder *b)
{
	struct buf x;
	buf_init(&x);
	put_raw_amount(b, COL_ITEM_QUANTITY, &x);
	if (!b->mysql && b->shape->col[COL_ITEM_PRICE].kind == KIND_INTEGER)
		buf_puts(&x, "::numeric");
	buf_puts(&x, " * ");
	put_raw_amount(b, COL_ITEM_PRICE, &x);
	put(b, buf_str(&x));
	buf_fini(&x);
}

static void put_quantity(struct builder *b)
{
	struct buf x;
	buf_init(&x);
	put_raw_amount(b, COL_ITEM_QUANTITY, &x);
	put(b, buf_str(&x));
	buf_fini(&x);
}

/* Most orders are in the default currency: where its amounts need no rounding,
 * one comparison is all they cost. */
static void put_unrounded_default(struct builder *b, enum source_column c, const char *x)
{
	if (finer_than(b, c, exponent_of(b->w, b->w->default_currency)))
		return;
	put(b, " WHEN ");
	put_column(b, COL_CURRENCY);
	put(b, b->mysql ? " = " : "::text = ");
	put_param(b, b->w->default_currency, "text");
	buf_printf(&b->q->text, " THEN %s", x);
}

static void put_rounded(struct builder *b, enum source_column c, const char *x, int digits)
{
	if (finer_than(b, c, digits))
		put_half_even(b, x, digits);
	else
		put(b, x);
}

/* An amount rounded once, to the digits of its order's currency. */
static void put_amount(struct builder *b, enum source_column c)
{
	struct buf raw;
	buf_init(&raw);
	put_raw_amount(b, c, &raw);
	const char *x = buf_str(&raw);
	if (!finer_than(b, c, least_digits(b))) {
		put(b, x);
	} else if (!has(b, COL_CURRENCY)) {
		put_half_even(b, x, least_digits(b));
	} else {
		put(b, "CASE");
		put_unrounded_default(b, c, x);
		for (int digits = 0; digits <= 4; digits++)
			if (digits != 2 && has_exponent(b->w, digits)) {
				put_when_currency(b, digits);
				put_rounded(b, c, x, digits);
			}
		put(b, " ELSE ");
		put_rounded(b, c, x, 2);
		put(b, " END");
	}
	buf_fini(&raw);
}

static void put_sum(struct builder *b, enum source_column c)
{
	if (!has(b, c)) {
		put(b, ", 0");
		return;
	}
	put(b, ", coalesce(sum(");
	put_amount(b, c);
	put(b, "), 0)");
}

/* How many amounts had to be rounded. */
static void put_rounded_count(struct builder *b)
{
	if (!finer_than(b, COL_TOTAL, least_digits(b))) {
		put(b, ", 0");
		return;
	}
	put(b, ", coalesce(sum(CASE WHEN ");
	put_column(b, COL_TOTAL);
	put(b, " <> ");
	put_amount(b, COL_TOTAL);
	put(b, " THEN 1 ELSE 0 END), 0)");
}

/* ---- time -------------------------------------------------------------- */

static const struct source_shifts *shifts_of(const struct builder *b, enum source_column clock)
{
	return b->shape->col[clock].kind == KIND_CLOCK_UTC ? &b->w->utc : &b->w->local;
}

static void put_clock(struct builder *b, enum source_column c, const char *text)
{
	put_param(b, text, b->shape->col[c].kind == KIND_CLOCK_UTC ? "timestamptz" : "timestamp");
}

/* Those of the days asked for, or of all days where a time may lie on any. */
static const struct source_shifts *clock_shifts(const struct builder *b, enum source_column clock)
{
	if (!b->w->ever_utc.n)
		return shifts_of(b, clock);
	return b->shape->col[clock].kind == KIND_CLOCK_UTC ? &b->w->ever_utc : &b->w->ever_local;
}

/* A balanced tree of comparisons: a year has three stretches, ten years twenty. */
static void put_shift(struct builder *b, enum source_column c, const struct source_shift *rows,
                      size_t n)
{
	if (n == 1) {
		if (b->mysql) {
			put(b, "CAST(");
			put_param(b, rows[0].shift_s, "");
			put(b, " AS SIGNED)");
		} else {
			/* a bare number of seconds is an interval of that length */
			put_param(b, rows[0].shift_s, "interval");
		}
		return;
	}
	put(b, "CASE WHEN ");
	put_column(b, c);
	put(b, " < ");
	put_clock(b, c, rows[n / 2].from);
	put(b, " THEN ");
	put_shift(b, c, rows, n / 2);
	put(b, " ELSE ");
	put_shift(b, c, rows + n / 2, n - n / 2);
	put(b, " END");
}

static void put_local_time(struct builder *b, enum source_column c)
{
	const struct source_shifts *s = clock_shifts(b, c);
	put(b, b->mysql ? "TIMESTAMPADD(SECOND, " : "");
	if (!b->mysql) {
		put_column(b, c);
		put(b, " + ");
	}
	put_shift(b, c, s->rows, s->n);
	if (b->mysql) {
		put(b, ", ");
		put_column(b, c);
		put(b, ")");
	}
}

static void put_local_hour(struct builder *b, enum source_column c)
{
	bool utc = b->shape->col[c].kind == KIND_CLOCK_UTC;
	put(b, b->mysql ? "DATE_FORMAT(" : "date_bin('1 hour', ");
	put_local_time(b, c);
	if (b->mysql)
		put(b, ", '%Y-%m-%d %H:00:00')");
	else
		put(b, utc ? ", timestamptz '2000-01-01 00:00+00')" : ", timestamp '2000-01-01 00:00')");
}

/* Bins of a day that begin at the cutoff; the date of a bin is the business day. */
static void put_business_date(struct builder *b, enum source_column c)
{
	bool utc = b->shape->col[c].kind == KIND_CLOCK_UTC;
	if (b->mysql) {
		buf_printf(&b->q->text, "DATE(TIMESTAMPADD(HOUR, -%d, ", b->w->cutoff_hours);
		put_local_time(b, c);
		put(b, "))");
		return;
	}
	put(b, "date_bin('1 day', ");
	put_local_time(b, c);
	buf_printf(&b->q->text,
	           utc ? ", timestamptz '2000-01-01 %02d:00+00')" : ", timestamp '2000-01-01 %02d:00')",
	           b->w->cutoff_hours);
}

/* A DATETIME or DATE may hold the day 0 or the 31st of February, by the sql_mode of whoever
 * wrote it. Such a date sorts among the others but belongs to no day. */
bool source_sql_put_whole_date(struct buf *out, bool mysql, enum source_kind kind,
                               const char *column)
{
	if (!mysql || kind != KIND_CLOCK_LOCAL)
		return false;
	buf_printf(out, "DAYOFMONTH(%s) BETWEEN 1 AND DAYOFMONTH(LAST_DAY(%s))", column, column);
	return true;
}

static void put_and_whole_date(struct builder *b, enum source_column c)
{
	struct buf column, whole;
	buf_init(&column);
	buf_init(&whole);
	buf_printf(&column, "%c.%s", table_alias(c), b->shape->col[c].name);
	if (source_sql_put_whole_date(&whole, b->mysql, b->shape->col[c].kind, buf_str(&column)))
		buf_printf(&b->q->text, " AND %s", buf_str(&whole));
	buf_fini(&whole);
	buf_fini(&column);
}

static void put_range(struct builder *b, enum source_column c)
{
	const struct source_shifts *s = shifts_of(b, c);
	put_column(b, c);
	put(b, " >= ");
	put_clock(b, c, s->rows[0].from);
	put(b, " AND ");
	put_column(b, c);
	put(b, " < ");
	put_clock(b, c, s->rows[s->n - 1].to);
	put_and_whole_date(b, c);
}

/* Whether the date is one on which something can have happened: zero dates, 1970 and
 * 9999 stand for "never" or "unknown". Both halves of a pair of bookings ask it, so
 * that none is booked without the other. */
static void put_usable(struct builder *b, enum source_column c)
{
	put_column(b, c);
	put(b, " >= '" SOURCE_FIRST_DATE "' AND ");
	put_column(b, c);
	put(b, " < '" SOURCE_END_DATE "'");
	put_and_whole_date(b, c);
}

/* ---- the questions ----------------------------------------------------- */

/* NULL stands for the default, which the reader puts in. PostgreSQL sorts bytes several times
 * faster than words of a language. */
static void put_word(struct builder *b, enum source_column c)
{
	put(b, ", ");
	if (!has(b, c))
		put(b, "NULL");
	else if (b->mysql)
		put_column(b, c);
	else
		put_text(b, c);
}

/* location, currency */
static void put_series(struct builder *b)
{
	put_word(b, COL_LOCATION);
	put_word(b, COL_CURRENCY);
}

static void put_orders(struct builder *b)
{
	put(b, "SELECT ");
	put_local_hour(b, COL_CREATED);
	put_series(b);
	put(b, ", ");
	put_text(b, COL_STATUS);
	put(b, ", count(*)");
	put_sum(b, COL_TOTAL);
	put_sum(b, COL_DISCOUNT);
	put_sum(b, COL_TAX);
	put_sum(b, COL_SHIPPING);
	put_sum(b, COL_TIP);
	if (has(b, COL_CANCELLED)) {
		put(b, ", coalesce(sum(CASE WHEN ");
		put_usable(b, COL_CANCELLED);
		put(b, " THEN 1 ELSE 0 END), 0), coalesce(sum(CASE WHEN ");
		put_usable(b, COL_CANCELLED);
		put(b, " THEN ");
		put_amount(b, COL_TOTAL);
		put(b, " END), 0)");
	} else {
		put(b, ", 0, 0");
	}
	put_rounded_count(b);
	put(b, ", count(*) - count(");
	put_column(b, COL_TOTAL);
	put(b, "), min(");
	put_column(b, COL_CREATED);
	put(b, "), max(");
	put_column(b, COL_CREATED);
	put(b, "), ");
	if (has(b, COL_UPDATED)) {
		put(b, "max(");
		put_column(b, COL_UPDATED);
		put(b, ")");
	} else {
		put(b, "NULL");
	}
	put(b, " FROM orders o WHERE ");
	put_range(b, COL_CREATED);
	put(b, " GROUP BY 1, 2, 3, 4");
}

static void put_join_refunds(struct builder *b)
{
	put(b, " JOIN order_refunds r ON ");
	put_column(b, COL_REFUND_ORDER);
	put(b, " = ");
	put_column(b, COL_ORDER_ID);
}

static void put_ledger(struct builder *b, const char *kind, enum source_column clock,
                       enum source_column amount)
{
	buf_printf(&b->q->text, "SELECT '%s', ", kind);
	put_local_hour(b, clock);
	put_series(b);
	put(b, ", ");
	put_text(b, COL_STATUS);
	put(b, ", count(*)");
	put_sum(b, amount);
	put(b, " FROM orders o");
	if (amount == COL_REFUND_AMOUNT)
		put_join_refunds(b);
	put(b, " WHERE ");
	put_range(b, clock);
	put(b, " AND ");
	put_usable(b, clock == COL_CREATED ? COL_REFUND_CREATED : COL_CREATED);
	put(b, " GROUP BY 2, 3, 4, 5");
}

static void put_late(struct builder *b, enum source_column event)
{
	bool utc = b->shape->col[event].kind == KIND_CLOCK_UTC;
	put(b, "SELECT DISTINCT ");
	put_business_date(b, COL_CREATED);
	put(b, " FROM orders o");
	if (event == COL_REFUND_CREATED)
		put_join_refunds(b);
	put(b, " WHERE ");
	put_range(b, COL_CREATED);
	put(b, " AND ");
	put_column(b, event);
	put(b, " >= ");
	put_clock(b, event, utc ? b->w->late_utc : b->w->late_local);
}

static void put_counted(struct builder *b)
{
	put_text(b, COL_STATUS);
	put(b, b->mysql ? " IN (" : "::text IN (");
	for (size_t i = 0; i < b->w->counted_n; i++) {
		put(b, i ? ", " : "");
		put_param(b, b->w->counted[i], "text");
	}
	put(b, b->w->counted_n ? ")" : "NULL)");
}

static void put_items(struct builder *b)
{
	put(b, "SELECT ");
	put_business_date(b, COL_CREATED);
	put_series(b);
	put(b, ", ");
	put_text(b, COL_ITEM_ID);
	put(b, ", max(");
	put_text(b, COL_ITEM_NAME);
	put(b, "), coalesce(sum(");
	put_quantity(b);
	put(b, "), 0), coalesce(sum(");
	put_line_total(b);
	put(b, "), 0), count(DISTINCT ");
	put_column(b, COL_ITEM_ORDER);
	put(b, ") FROM orders o JOIN order_items i ON ");
	put_column(b, COL_ITEM_ORDER);
	put(b, " = ");
	put_column(b, COL_ORDER_ID);
	put(b, " WHERE ");
	put_range(b, COL_CREATED);
	put(b, " AND ");
	put_counted(b);
	put(b, " GROUP BY 1, 4, 2, 3"); /* what differs most first: fewer comparisons */
}

/* ---- one by one --------------------------------------------------------- */

/* The orders asked for, by a time of theirs. */
static void put_among(struct builder *b)
{
	if (b->w->by != COL_REFUND_CREATED) {
		put_range(b, b->w->by);
	} else {
		put_column(b, COL_ORDER_ID);
		put(b, " IN (SELECT ");
		put_column(b, COL_REFUND_ORDER);
		put(b, " FROM order_refunds r WHERE ");
		put_range(b, COL_REFUND_CREATED);
		put(b, ")");
	}
	if (b->w->by != COL_CREATED) {
		put(b, " AND ");
		put_usable(b, COL_CREATED);
	}
}

static void put_each_amount(struct builder *b, enum source_column c)
{
	put(b, ", ");
	if (has(b, c))
		put_amount(b, c);
	else
		put(b, "NULL");
}

static void put_each_order(struct builder *b)
{
	static const enum source_column amounts[] = {COL_TOTAL, COL_DISCOUNT, COL_TAX, COL_SHIPPING,
	                                             COL_TIP};
	put(b, "SELECT ");
	put_text(b, COL_ORDER_ID);
	put(b, ", ");
	put_local_hour(b, COL_CREATED);
	put_series(b);
	put(b, ", ");
	put_text(b, COL_STATUS);
	for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++)
		put_each_amount(b, amounts[i]);
	if (has(b, COL_CANCELLED)) {
		put(b, ", CASE WHEN ");
		put_usable(b, COL_CANCELLED);
		put(b, " THEN ");
		put_business_date(b, COL_CANCELLED);
		put(b, " END");
	} else {
		put(b, ", NULL");
	}
	put(b, " FROM orders o WHERE ");
	put_among(b);
}

static void put_each_line(struct builder *b)
{
	put(b, "SELECT ");
	put_text(b, COL_ORDER_ID);
	put(b, ", ");
	put_text(b, COL_ITEM_ID);
	put(b, ", coalesce(sum(");
	put_quantity(b);
	put(b, "), 0), coalesce(sum(");
	put_line_total(b);
	put(b, "), 0) FROM orders o JOIN order_items i ON ");
	put_column(b, COL_ITEM_ORDER);
	put(b, " = ");
	put_column(b, COL_ORDER_ID);
	put(b, " WHERE ");
	put_among(b);
	put(b, " AND ");
	put_counted(b);
	put(b, " GROUP BY 1, 2");
}

static void put_each_refund(struct builder *b)
{
	put(b, "SELECT ");
	put_text(b, COL_ORDER_ID);
	put(b, ", ");
	put_business_date(b, COL_REFUND_CREATED);
	put(b, ", coalesce(sum(");
	put_amount(b, COL_REFUND_AMOUNT);
	put(b, "), 0) FROM orders o");
	put_join_refunds(b);
	put(b, " WHERE ");
	put_among(b);
	put(b, " AND ");
	put_usable(b, COL_REFUND_CREATED);
	put(b, " GROUP BY 1, 2");
}

/* ---- customers ------------------------------------------------------------ */

/* business day, currency, status, customer, orders, amount */
static void put_customers(struct builder *b, bool refunds)
{
	put(b, "SELECT ");
	put_business_date(b, COL_CREATED);
	put_word(b, COL_CURRENCY);
	put(b, ", ");
	put_text(b, COL_STATUS);
	put(b, ", ");
	put_text(b, COL_CUSTOMER);
	put(b, refunds ? ", 0, -coalesce(sum(" : ", count(*), coalesce(sum(");
	put_amount(b, refunds ? COL_REFUND_AMOUNT : COL_TOTAL);
	put(b, "), 0) FROM orders o");
	if (refunds)
		put_join_refunds(b);
	put(b, " WHERE ");
	put_range(b, COL_CREATED);
	if (refunds) {
		put(b, " AND ");
		put_usable(b, COL_REFUND_CREATED);
	}
	put(b, " GROUP BY 4, 1, 2, 3"); /* what differs most first */
}

void source_sql_build(struct source_sql *q, bool mysql, const struct source_shape *shape,
                      enum source_question which, const struct source_window *w)
{
	struct builder b = {q, mysql, shape, w};
	q->params_n = 0;
	buf_clear(&q->text);
	switch (which) {
	case SOURCE_ORDERS:
		put_orders(&b);
		break;
	case SOURCE_CANCELS:
		put_ledger(&b, "cancel", COL_CANCELLED, COL_TOTAL);
		break;
	case SOURCE_REFUNDS:
		put_ledger(&b, "refund", COL_REFUND_CREATED, COL_REFUND_AMOUNT);
		break;
	case SOURCE_REFUNDS_BY_ORDER:
		put_ledger(&b, "refund_by_order", COL_CREATED, COL_REFUND_AMOUNT);
		break;
	case SOURCE_ITEMS:
		put_items(&b);
		break;
	case SOURCE_LATE_CANCELS:
		put_late(&b, COL_CANCELLED);
		break;
	case SOURCE_LATE_REFUNDS:
		put_late(&b, COL_REFUND_CREATED);
		break;
	case SOURCE_LATE_EDITS:
		put_late(&b, COL_UPDATED);
		break;
	case SOURCE_EACH_ORDER:
		put_each_order(&b);
		break;
	case SOURCE_EACH_LINE:
		put_each_line(&b);
		break;
	case SOURCE_EACH_REFUND:
		put_each_refund(&b);
		break;
	case SOURCE_CUSTOMERS:
		put_customers(&b, false);
		break;
	case SOURCE_CUSTOMER_REFUNDS:
		put_customers(&b, true);
		break;
	}
}
