/* db_internal.h: what db.c and db_pipeline.c share; nobody else includes it. */
#ifndef TAKINGS_DB_DB_INTERNAL_H
#define TAKINGS_DB_DB_INTERNAL_H

#include <libpq-fe.h>
#include <stdint.h>

#include "base/buf.h"
#include "db/db.h"
#include "db/statement.h"

enum { DB_POLL_MS = 100 };

struct db {
	PGconn *conn;
	bool *prepared;        /* by statement index */
	struct buf copy;       /* rows not yet handed to libpq */
	int64_t limit_ms;      /* see db_options */
	bool steadfast;        /* interrupts are not heeded any more */
	bool given_up;         /* the server did not answer in time: nothing it says later counts */
	bool broken;           /* libpq's state is not what the next statement needs */
	const char *statement; /* the one at work, for messages; NULL: none of the named */
	char sqlstate[6];      /* of the last error */
	char program[32];      /* application_name without a tag */
};

/* Where the connection failed, or a call of libpq that fails for no other reason. */
enum err db_connection_error(struct db *db, struct errbuf *eb);

/* What the server refused; ERR_DB_DOWN where that ended the connection. */
enum err db_server_error(struct db *db, const PGresult *res, struct errbuf *eb);

/* Gives the connection up: no word came for limit_ms. */
enum err db_give_up(struct db *db, struct errbuf *eb);

bool db_succeeded(const PGresult *res);

/* Tells who observes that `s`, asked at this monotonic time, has its answer. */
void db_observed(const struct statement *s, int64_t since_us);

/* Texts in the order of the statement's numbers; every one must be given. */
void db_values(const struct statement *s, const struct db_param *params,
               const char *values[STATEMENT_PARAMS]);

#endif
