/* activity_rows.h: what activity_rows.c keeps and activity_store.c writes; nobody else includes it.
 */
#ifndef TAKINGS_DOMAIN_ACTIVITY_ROWS_H
#define TAKINGS_DOMAIN_ACTIVITY_ROWS_H

#include "base/buf.h"
#include "domain/activity_store.h"

/* An event as a row of activity_event in COPY's binary format, whose seq is still to come. */
struct activity_item {
	unsigned char event_id[16];
	int64_t occurred_us, received_us, digest;
	size_t tuple, tuple_n; /* in activity_rows.tuples */
	size_t ids;            /* in activity_rows.ids: kind NUL id NUL, ... up to an empty kind */
	const char *type, *source;
	unsigned flags;
};

/* Where seq stands in a tuple: behind the number of columns and its own length. */
enum { ACTIVITY_SEQ_AT = 2 + 4 };

/* What became of events of a source in an hour: a row of activity_account. */
struct activity_count {
	const char *source;
	int64_t hour_us;
	int64_t n[ACTIVITY_REFUSED + 1]; /* by outcome */
};

/* A row of activity_warning. */
struct activity_warn {
	const char *source, *type, *reason, *field;
	const char *sample; /* NULL: none yet */
	int64_t hour_us, n;
};

/* A row of activity_quarantine. */
struct activity_apart {
	const char *source, *type, *reason, *field, *detail, *payload;
	int64_t key_id, received_us;
	size_t ids; /* as of an item */
	unsigned char event_id[16];
};

/* What a request or a transaction adds up to; its texts are borrowed. */
struct activity_sums {
	struct activity_count *counts;
	struct activity_warn *warns;
	int counts_n, warns_n;
};

struct activity_rows {
	struct arena arena; /* of all texts */
	struct buf tuples, ids;
	struct activity_item *items;
	struct activity_apart *aparts;
	const char **sources;      /* each once: equal ones are one pointer */
	struct activity_sums sums; /* of what is refused */
	size_t payload_bytes;
	int items_n, aparts_n, sources_n;
};

/* A row of activity_id, likewise. */
void activity_rows_copy_id(const struct activity_item *item, int64_t seq, struct buf *out);

void activity_sums_fini(struct activity_sums *s);
void activity_sums_count(struct activity_sums *s, const char *source, int64_t received_us,
                         enum activity_outcome outcome, int64_t n);

/* `w` says all but n; more than ACTIVITY_WARNS different ones are told by their reason alone. */
enum { ACTIVITY_WARNS = 100 };
struct activity_warn *activity_sums_warn(struct activity_sums *s, const struct activity_warn *w,
                                         int64_t n);

#endif
