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
	COL_CUSTOMER,
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

/* The table and the accepted names ("item_id|product_id") of a column; where a table has
 * several of them, the first counts. */
const char *source_column_table(enum source_column c);
const char *source_column_names(enum source_column c);

/* ---- opening ------------------------------------------------------------ */

/* Connects with the settings of order_db, in a session that refuses writes, and
 * learns the shape. Missing required columns are ERR_CONFIG and all named. */
MUST_CHECK enum err source_open(struct source **out, const struct conf *conf, struct errbuf *eb);
void source_close(struct source *s);

const struct source_shape *source_shape_get(const struct source *s);
/* As the server says it: "15.4 (Debian 15.4-1)" by PostgreSQL, "MariaDB 10.11.6". */
const char *source_server(const struct source *s);

/* "UTC" or ORDER_DB_TIMEZONE: how to read the clock of that column. */
const char *source_clock_zone(const struct source *s, enum source_column c);

/* The snapshot all later questions see; *text describes it for the record. */
MUST_CHECK enum err source_snapshot_begin(struct source *s, struct arena *a, const char **text,
                                          struct errbuf *eb);
void source_snapshot_end(struct source *s);

/* created_at of the first order, NULL without orders; in the arena. Dates before
 * 2000-01-01 or from 2200-01-01 on and, on MySQL, such as 2024-07-00 or 2024-02-31 are broken: no
 * question sees them, *broken_n counts them. */
MUST_CHECK enum err source_first_order(struct source *s, struct arena *a, const char **clock,
                                       int64_t *broken_n, struct errbuf *eb);

/* Orders without any created_at, which no question sees either. */
MUST_CHECK enum err source_count_undated(struct source *s, int64_t *undated_n, struct errbuf *eb);

/* Refunds whose created_at is missing or none that can be believed: counted nowhere. */
MUST_CHECK enum err source_count_undated_refunds(struct source *s, int64_t *undated_n,
                                                 struct errbuf *eb);

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
	const struct source_currency *currencies;
	size_t currencies_n;
	const char *const *counted; /* statuses whose items are wanted */
	size_t counted_n;
	/* SOURCE_LATE_*: since when events count as late, on either clock. The window is
	 * that of the orders they happened to. */
	const char *late_utc, *late_local;
	/* SOURCE_EACH_*: the shifts of all days there may be, and by which of its times an order is
	 * among those asked for: COL_CREATED, COL_CANCELLED or COL_REFUND_CREATED. */
	struct source_shifts ever_utc, ever_local;
	enum source_column by;
};

enum source_question {
	SOURCE_ORDERS,  /* columns of stage_order */
	SOURCE_CANCELS, /* columns of stage_ledger, as are the next two */
	SOURCE_REFUNDS,
	SOURCE_REFUNDS_BY_ORDER,
	SOURCE_ITEMS,        /* columns of stage_item */
	SOURCE_LATE_CANCELS, /* business days of orders to which something happened late */
	SOURCE_LATE_REFUNDS,
	SOURCE_LATE_EDITS,
	SOURCE_EACH_ORDER,       /* columns of each_order: one row an order, not aggregated */
	SOURCE_EACH_LINE,        /* of each_line: an item of an order; only of counted statuses */
	SOURCE_EACH_REFUND,      /* of each_refund: refunds of an order and a day */
	SOURCE_CUSTOMERS,        /* columns of stage_customer: what a customer ordered on a day */
	SOURCE_CUSTOMER_REFUNDS, /* the same, and negative: refunds, by the days of their orders */
};

/* False where the shape lacks the columns; the answer would be empty. Edits of any
 * age are looked for only where an index on updated_at makes that cheap. */
bool source_can_answer(const struct source *s, enum source_question q);

MUST_CHECK enum err source_ask(struct source *s, enum source_question q,
                               const struct source_window *w, db_row_fn fn, void *arg,
                               struct errbuf *eb);

/* ---- proofs for doctor and tests ---------------------------------------- */

enum source_verdict { SOURCE_REFUSED, SOURCE_ALLOWED, SOURCE_UNTESTED };

struct source_probe {
	enum source_verdict session; /* an UPDATE as we are */
	enum source_verdict role;    /* whatever the session does: what the rights of our user allow */
	char session_why[1024];      /* why it is untested */
	char role_why[1024];         /* the same, or the rights found: "UPDATE on orders, ..." */
};

/* Whether we could write to the tables of the orders. Nothing is changed. Only a word of the
 * server that it is forbidden counts as a refusal. */
void source_probe_write(struct source *s, struct source_probe *out);

/* The mode of a connection to another host that does not insist on TLS, such as "prefer",
 * and in *word how the URL calls it; NULL where there is no such doubt. */
const char *source_weak_tls(struct source *s, const char **word);

#endif
