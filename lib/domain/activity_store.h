/* activity_store.h: storing tracked events, from wherever they come. An event is there once,
 * however often it is stored; what it does to the figures is another's affair (stream/activity.c).
 */
#ifndef TAKINGS_DOMAIN_ACTIVITY_STORE_H
#define TAKINGS_DOMAIN_ACTIVITY_STORE_H

#include "db/db.h"
#include "domain/activity_event.h"

enum { ACTIVITY_ROWS = 65536 }; /* most in one transaction: their places are 16 bits of seq */

/* What became of an event. */
enum activity_outcome {
	ACTIVITY_STORED,
	ACTIVITY_DUPLICATE,   /* it was there already, or stands before in the same rows */
	ACTIVITY_CONFLICT,    /* its id is there with other words: refused */
	ACTIVITY_SUPPRESSED,  /* it is by somebody who was erased: refused */
	ACTIVITY_QUARANTINED, /* kept apart */
	ACTIVITY_REFUSED,     /* it could not be read, or may not be sent */
};

struct activity_rows; /* events that wait to be stored; nothing of them is borrowed */

struct activity_rows *activity_rows_new(void);
void activity_rows_free(struct activity_rows *r);
void activity_rows_clear(struct activity_rows *r);
int activity_rows_n(const struct activity_rows *r);
size_t activity_rows_bytes(const struct activity_rows *r);

/* Its place in the outcomes is how many were put before it. */
void activity_rows_put(struct activity_rows *r, const struct activity_event *e, const char *source);

/* One that is kept apart, and one that was refused, with the reason. They have no outcome. */
void activity_rows_quarantine(struct activity_rows *r, const struct activity_event *e,
                              const char *source, const char *reason, const struct errbuf *why);
void activity_rows_refuse(struct activity_rows *r, const char *source, const char *type,
                          const char *reason, const struct errbuf *why, int64_t received_us);

/* What is strange about one that is stored all the same. */
void activity_rows_warn(struct activity_rows *r, const char *source, const char *type,
                        const char *reason, const struct errbuf *why, int64_t received_us);

/* One of `from` that is refused after all. */
void activity_rows_refuse_row(struct activity_rows *r, const struct activity_rows *from, int place,
                              const char *reason, const struct errbuf *why);

/* All of `from` behind those of `to`; the places of `from` begin at activity_rows_n(to). */
void activity_rows_append(struct activity_rows *to, const struct activity_rows *from);

/* The same of `n` rows from the place `first` on, and of what is refused and kept apart with
 * `rest`. */
void activity_rows_append_some(struct activity_rows *to, const struct activity_rows *from,
                               int first, int n, bool rest);

/* Stores them in the caller's transaction (READ COMMITTED, nothing asked in it before), with their
 * accounts, and says NOTIFY takings_activity_stored at its COMMIT. outcomes[0..activity_rows_n).
 * The rows stay in `r`; of none nothing is done. A row with a value that the database will not have
 * (SQLSTATE 22, 23, 54) fails all: store fewer at once. */
MUST_CHECK enum err activity_store(struct activity_rows *r, struct db *db,
                                   enum activity_outcome *outcomes, struct errbuf *eb);

#endif
