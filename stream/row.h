/* row.h: a change of a row of some table, whoever told of it: Debezium or PostgreSQL itself.
 *
 * Values are texts as PostgreSQL would print them, whatever their encoding was: decimals exact
 * ("12.50"), booleans t and f, times ISO 8601 with Z where they are instants and without where they
 * are a wall clock ("2025-01-15T10:30:00.123456"), dates YYYY-MM-DD. */
#ifndef TAKINGS_STREAM_ROW_H
#define TAKINGS_STREAM_ROW_H

#include <stdbool.h>

#include "stream/change.h"
#include "stream/message.h"
#include "stream/rules.h"

enum row_op {
	ROW_CREATE = 'c',
	ROW_UPDATE = 'u',
	ROW_DELETE = 'd',
	ROW_READ = 'r', /* of a snapshot */
	ROW_TRUNCATE = 't',
	ROW_MESSAGE = 'm',     /* pg_logical_emit_message */
	ROW_TRANSACTION = 'x', /* BEGIN and END of a transaction, where Debezium tells of them */
	ROW_TOMBSTONE = 0
};

enum row_value_kind {
	VALUE_NULL,
	VALUE_TEXT,
	VALUE_KEPT,   /* not told because it did not change (TOAST) */
	VALUE_FLOAT,  /* a decimal that went through floating point: never money unless allowed */
	VALUE_BYTES,  /* bytes nobody says the meaning of, in base64 as they came */
	VALUE_NUMBER, /* a whole number nobody says the unit of: of a time, the settings say it */
	VALUE_JSON,   /* an array or object as JSON text */
};

struct row_value {
	const char *name;
	enum row_value_kind kind;
	const char *text; /* NULL where kind is VALUE_NULL or VALUE_KEPT */
};

struct row_change {
	enum row_op op;
	const char *schema, *table;  /* "" where nobody says */
	const struct row_value *key; /* the columns of the key; none: key_n = 0 */
	int key_n;
	const struct row_value
		*columns; /* the row as it is now; of a delete as it was, as far as told */
	int columns_n;
	const struct row_value *was; /* the row before, as far as told: at least the key where
	                              * this change gave it another one; none: was_n = 0 */
	int was_n;
	bool untyped;    /* nobody said the types: a decimal may be base64 (CDC_DECIMAL_SCALE) */
	int64_t lsn;     /* or a binlog position as one number; 0: not told */
	int64_t time_us; /* when the source committed it, since 1970; 0: not told */
};

/* How times and decimals are to be read where the message carries no schema. */
struct row_units {
	char time;   /* 's', 'm' (ms), 'u' (us), 'n' (ns): whole numbers of time columns */
	int scale;   /* of base64 decimals; -1: refused */
	bool floats; /* money in floating point is accepted, as the shortest decimal */
};

/* Whether rows of a table of this name are looked at: orders, order_items, order_refunds. */
bool row_table_known(const char *table);

/* The news in a change of orders, order_items or order_refunds, by the column names the batch
 * knows. ERR_NOTHING: of no interest (another table, a tombstone). ERR_INVALID names the column:
 * this will never be accepted, whenever it is tried. */
MUST_CHECK enum err row_to_changes(const struct row_change *row, const struct rules *r,
                                   const struct row_units *units, struct changes *out,
                                   struct errbuf *eb);

#endif
