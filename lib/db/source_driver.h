/* source_driver.h: what a kind of server must offer to be order_db. Only source*.c
 * include it. */
#ifndef TAKINGS_DB_SOURCE_DRIVER_H
#define TAKINGS_DB_SOURCE_DRIVER_H

#include "db/source.h"

struct source_driver {
	bool mysql; /* the dialect of source_sql.c */

	/* Connects; the session refuses writes, its zone is UTC, its texts UTF-8. `name` is
	 * the setting of the URL. */
	enum err (*open)(void **conn, const char *name, const char *url, struct errbuf *eb);
	void (*close)(void *conn);

	/* A statement without values and without rows of interest. */
	enum err (*command)(void *conn, const char *sql, struct errbuf *eb);

	/* Values as parameters ($1.. or ?), rows handed over as they arrive. */
	enum err (*stream)(void *conn, const char *sql, int params_n, const char *const *params,
	                   db_row_fn fn, void *arg, struct errbuf *eb);

	const char *(*server)(void *conn); /* borrowed until close */

	/* Whether the last statement failed because it would have written. */
	bool (*refused)(void *conn);

	/* Such as "prefer" towards another host; NULL: no doubt. */
	const char *(*weak_tls)(void *conn);
	const char *tls_word; /* of the URL */

	const char *snapshot_sql;      /* begins the snapshot */
	const char *snapshot_text_sql; /* one row, one column */

	/* One row, one column: the rights to write our user has, NULL for none. A server that
	 * cannot say has write_sql instead, which begins a transaction that may write: there
	 * they are tried out. */
	const char *rights_sql;
	const char *write_sql;

	/* Around a question with few groups, which the planner takes for as many as
	 * there are rows: off makes it group by hash. NULL: nothing to say. */
	const char *sort_off_sql, *sort_on_sql;

	/* One row for each column of orders, order_items, order_refunds:
	 * table, column, type, scale or NULL, 1 if an index begins with it. */
	const char *columns_sql;

	/* The kind of a type as columns_sql prints it. */
	enum source_kind (*kind)(const char *type);
};

extern const struct source_driver source_pg;
extern const struct source_driver source_mysql;

/* ---- the dialects (source_sql.c) ---------------------------------------- */

/* Dates in [first, end) are believed; others stand for "never" or are mistakes. */
#define SOURCE_FIRST_DATE "2000-01-01"
#define SOURCE_END_DATE "2200-01-01"

enum { SOURCE_PARAMS = 2048 };

struct source_sql {
	struct buf text;
	const char *params[SOURCE_PARAMS];
	int params_n;
};

/* Writes the text and values of a question. Values are borrowed from the window. */
void source_sql_build(struct source_sql *q, bool mysql, const struct source_shape *shape,
                      enum source_question which, const struct source_window *w);

/* A condition that holds for dates the calendar has; false where every date the column
 * can hold is one, and nothing is written. `column` as it stands in the statement. */
bool source_sql_put_whole_date(struct buf *out, bool mysql, enum source_kind kind,
                               const char *column);

#endif
