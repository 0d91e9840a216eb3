/* source.h: order_db, read only, whatever server it lives on.
 *
 * A source answers a handful of questions about a range of business days; the
 * answers are aggregated where the orders are, so that rows do not travel. All
 * questions of one run see one snapshot. Business days and hours are given to
 * it as shifts of its clock (calendar in sql/migrations): it never computes a
 * time boundary itself.
 *
 * Errors are those of db.h; ERR_CONFIG names a missing table or column. */
#ifndef TAKINGS_DB_SOURCE_H
#define TAKINGS_DB_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/conf.h"
#include "base/err.h"
#include "db/db.h"

struct source;

/* ---- what order_db looks like ------------------------------------------- */

enum source_column {
	COL_ORDER_ID,
	COL_STATUS,
	COL_TOTAL,
	COL_CREATED,
	COL_UPDATED,
	COL_LOCATION,
	COL_CURRENCY,
	COL_CANCELLED,
	COL_DISCOUNT,
	COL_TAX,
	COL_SHIPPING,
	COL_TIP,
	COL_ITEM_ORDER,
	COL_ITEM_ID,
	COL_ITEM_NAME,
	COL_ITEM_QUANTITY,
	COL_ITEM_PRICE,
	COL_REFUND_ORDER,
	COL_REFUND_AMOUNT,
	COL_REFUND_CREATED,
	COL_COUNT
};

enum source_kind {
	KIND_ABSENT,
	KIND_INTEGER,
	KIND_DECIMAL,
	KIND_FLOAT,
	KIND_TEXT,
	KIND_CLOCK_UTC,   /* an instant */
	KIND_CLOCK_LOCAL, /* a wall clock without zone: ORDER_DB_TIMEZONE says whose */
	KIND_OTHER
};

struct source_shape {
	struct {
		enum source_kind kind;
		int scale;        /* decimals of a DECIMAL; -1: unbounded */
		const char *name; /* as it stands in the table */
		const char *type; /* in the server's words, for messages */
		bool indexed;     /* some index begins with it */
	} col[COL_COUNT];
};

/* The table and the expected names ("item_id or product_id") of a column. */
const char *source_column_table(enum source_column c);
const char *source_column_names(enum source_column c);
bool source_column_required(enum source_column c);

/* ---- opening ------------------------------------------------------------ */

/* Connects with the settings of order_db, in a session that refuses writes, and
 * learns the shape. Missing required columns are ERR_CONFIG and all named. */
MUST_CHECK enum err source_open(struct source **out, const struct conf *conf, struct errbuf *eb);
void source_close(struct source *s);

const struct source_shape *source_shape_get(const struct source *s);
const char *source_server(const struct source *s); /* "PostgreSQL 15.4", "MariaDB 10.11" */

/* "UTC" or ORDER_DB_TIMEZONE: how to read the clock of that column. */
const char *source_clock_zone(const struct source *s, enum source_column c);

/* The snapshot all later questions see; *text describes it for the record. */
MUST_CHECK enum err source_snapshot_begin(struct source *s, struct arena *a, const char **text,
                                          struct errbuf *eb);
void source_snapshot_end(struct source *s);

/* created_at of the first order, NULL without orders; in the arena. Orders
 * before 2000-01-01 are taken for broken dates: *early_n counts them. */
MUST_CHECK enum err source_first_order(struct source *s, struct arena *a, const char **clock,
                                       int64_t *early_n, struct errbuf *eb);

/* ---- asking ------------------------------------------------------------- */

/* Rows of `shifts` in sql/queries/run.sql: in [from, to) of the source's clock,
 * clock + shift_s is local time. Ascending, without gaps. */
struct source_shift {
	const char *from, *to, *shift_s;
};

struct source_shifts {
	const struct source_shift *rows;
	size_t n;
};

struct source_currency {
	const char *code;
	int exponent; /* only those where it is not 2 */
};

struct source_window {
	struct source_shifts utc, local; /* for columns that are instants; for wall clocks */
	int cutoff_hours;
	const char *default_currency;
	const char *default_location;
	const struct source_currency *currencies;
	size_t currencies_n;
	const char *const *counted; /* statuses whose items are wanted */
	size_t counted_n;
};

enum source_question {
	SOURCE_ORDERS,  /* columns of stage_order */
	SOURCE_CANCELS, /* columns of stage_ledger, as are the next two */
	SOURCE_REFUNDS,
	SOURCE_REFUNDS_BY_ORDER,
	SOURCE_ITEMS, /* columns of stage_item */
};

/* False where the shape lacks the columns; the answer would be empty. */
bool source_can_answer(const struct source *s, enum source_question q);

MUST_CHECK enum err source_ask(struct source *s, enum source_question q,
                               const struct source_window *w, db_row_fn fn, void *arg,
                               struct errbuf *eb);

/* ---- proofs for doctor and tests ---------------------------------------- */

/* Tries to write (an UPDATE that matches no row) as we are, and again in a
 * transaction that asks for write access: *session and *role tell whether each
 * was refused. Nothing is changed either way. */
MUST_CHECK enum err source_probe_write(struct source *s, bool *session, bool *role,
                                       struct errbuf *eb);

#endif
