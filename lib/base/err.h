/* err.h: how a function says what went wrong.
 *
 * A function that can fail returns enum err and takes a caller-owned struct
 * errbuf last. The first error set wins: whoever is nearest the cause knows
 * best, and callers only pass the code on. */
#ifndef TAKINGS_BASE_ERR_H
#define TAKINGS_BASE_ERR_H

enum err {
	ERR_OK = 0,
	ERR_INVALID,     /* input that cannot be accepted; `field` names it */
	ERR_MALFORMED,   /* input that cannot even be read */
	ERR_NOT_FOUND,   /* what was asked for does not exist */
	ERR_CONFIG,      /* a setting is missing, malformed or contradictory */
	ERR_DB,          /* the database refused a statement */
	ERR_DB_DOWN,     /* no connection, or it was lost */
	ERR_TIMEOUT,     /* a deadline passed */
	ERR_BUSY,        /* a limit of ours is reached; later it may work */
	ERR_LOCKED,      /* another process does this work now */
	ERR_NOTHING,     /* there was nothing to do; not a failure */
	ERR_INTERRUPTED, /* asked to stop (SIGINT, SIGTERM) */
	ERR_IO,          /* a file or a socket failed */
};

struct errbuf {
	enum err code;
	char field[64];  /* the parameter, setting or column; "" if none */
	char text[1024]; /* one sentence for a person, without a final stop; UTF-8 */
};

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Sets code and text unless an error is already there; `eb` may be NULL.
 * Returns the code that now stands, so that `return err_set(...)` works. */
enum err err_set(struct errbuf *eb, enum err code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The same, naming the field the error is about. */
enum err err_set_field(struct errbuf *eb, enum err code, const char *field, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

void err_clear(struct errbuf *eb);

/* A short stable word for logs and problem+json, such as "db_down". Never NULL. */
const char *err_name(enum err code);

/* For our own bugs only: bad input, bad data and lost peers never reach it.
 * Stays on in production; prints the place and aborts. */
#define must(cond) ((cond) ? (void)0 : must_failed(#cond, __FILE__, __LINE__))
_Noreturn void must_failed(const char *cond, const char *file, int line);

#endif
