/* sequence.h: parts of sequences (sql/migrations/018_sequences.sql) as they are stored, and people
 * with their events in order, made of them. Pure: bytes in, arrays out. */
#ifndef TAKINGS_BEHAVIOUR_SEQUENCE_H
#define TAKINGS_BEHAVIOUR_SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
	SEQUENCE_SHARDS = 32,
	SEQUENCE_DIMS = 16,       /* dimension_id 1 to 16 */
	SEQUENCE_DIMS_ASKED = 10, /* of one question */
	SEQUENCE_OTHER = 65535    /* code of a value or type that has none of its own */
};

#define SEQUENCE_UNPRICED INT64_C(-1)

/* Borrowed bytes of a column; at NULL where the column is NULL, or was not asked for. */
struct sequence_bytes {
	const unsigned char *at;
	size_t n;
};

/* One row of activity_sequence. */
struct sequence_part {
	int32_t day;    /* business date, days since 1970-01-01 */
	int64_t day_us; /* when it begins, microseconds since 1970 */
	struct sequence_bytes people, events, seqs, sessions, amounts;
	struct sequence_bytes dims[SEQUENCE_DIMS_ASKED]; /* in the order they were asked for */
};

/* What to make of parts. */
struct sequence_wanted {
	bool events;                /* false: people's days alone */
	bool sessions, amounts;     /* with events */
	int dims_n;                 /* of SEQUENCE_DIMS_ASKED */
	const unsigned char *types; /* bitmap by code, 8192 bytes: only these events; NULL: all */
	int64_t from_us, to_us;     /* only events from_us <= at < to_us; days are not cut */
};

/* A person of a shard. The arrays are borrowed from the set, events in order of (at, seq). */
struct sequence {
	int64_t person_id;
	int32_t first_day; /* the first day ever, where it is one of those read; INT32_MIN: not so */
	size_t days_n;
	const int32_t *days; /* business dates with an event, of those read, ascending, each once */
	size_t n;
	const int64_t *at_us;
	const uint16_t *type;
	const uint64_t *session; /* activity_event.session_key; NULL: not asked for */
	const bool *said;        /* whether the client said that session; NULL with it */
	const int64_t *amount;   /* minor units, SEQUENCE_UNPRICED; NULL: not asked for */
	const uint16_t *dims[SEQUENCE_DIMS_ASKED];
};

struct sequence_set;

/* A set that can be filled again and again; it keeps its memory. */
struct sequence_set *sequence_set_new(void);
void sequence_set_free(struct sequence_set *s);

/* The people of parts, all of one shard, in ascending order of day; parts of the same day in any
 * order, and with seqs where a day has several. ERR_INVALID: a part is damaged (`eb` says which
 * day). */
MUST_CHECK enum err sequence_set_fill(struct sequence_set *s, const struct sequence_part *parts,
                                      size_t n, const struct sequence_wanted *wanted,
                                      struct errbuf *eb);

size_t sequence_set_people(const struct sequence_set *s);

/* Person i, in no order that means anything; borrowed until the set is filled again. Everybody has
 * a day or a first day; events may be none where some were cut. */
void sequence_set_get(const struct sequence_set *s, size_t i, struct sequence *out);

/* Sizes of what the set holds, in bytes. */
size_t sequence_set_bytes(const struct sequence_set *s);

/* The session each event of `q` is in, as numbers from 0 by their first events: those with a said
 * session by it; others, of one key, by gaps of at most timeout_s and 24 hours from first to last.
 * `q` has sessions; out has q->n places; the number of sessions comes back. */
uint32_t sequence_sessions(const struct sequence *q, int64_t timeout_s, uint32_t *out);

#endif
