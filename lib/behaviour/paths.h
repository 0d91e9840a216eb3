/* paths.h: what sessions do one after another. Pure; docs/BEHAVIOUR.md, "Paths", is the
 * definition. */
#ifndef TAKINGS_BEHAVIOUR_PATHS_H
#define TAKINGS_BEHAVIOUR_PATHS_H

#include "behaviour/sequence.h"

enum {
	PATHS_DEPTH = 10,
	PATHS_TOP = 8,
	PATHS_FREQUENT = 10,
	PATHS_KEPT = 1 << 20 /* different lists, of all workers together: below 64 MiB */
};

enum paths_by { PATHS_BY_EVENT, PATHS_BY_TYPE, PATHS_BY_PAGE };

/* A label: the code of a page (0 not set), or of a type. Where there is no code: PATHS_OTHER. */
enum {
	PATHS_OTHER = SEQUENCE_OTHER,
	PATHS_TYPE = 1 << 16,   /* | code of a type, which begin with 1 */
	PATHS_NOBODY = 1 << 16, /* a label that no event has */
	PATHS_LABELS = 1 << 17,
	PATHS_ANY = PATHS_LABELS /* of start, end: not asked for */
};

struct paths_asked {
	enum paths_by by;
	bool collapse;
	uint32_t start, end;    /* labels, or PATHS_ANY; not both */
	int depth, top;         /* 1 to PATHS_DEPTH, 1 to PATHS_TOP */
	uint16_t page_view;     /* code of that type; 0: there is none */
	int page;               /* index into sequence.dims; read unless by type */
	int64_t from_us, to_us; /* of sessions' beginnings, the second not included */
	int64_t session_timeout_s;
	size_t kept;   /* different lists at most; 0: PATHS_KEPT */
	uint64_t seed; /* nobody may know it: labels are what strangers send */
};

/* Places in a step: the labels with the most sessions, by number those with as many; then these. */
enum { PATHS_AT_REST = PATHS_TOP, PATHS_AT_DROP, PATHS_NODES };

struct paths_step {
	int64_t sessions; /* with a label at it */
	int labels_n;
	uint32_t labels[PATHS_TOP];
	int64_t nodes[PATHS_NODES];              /* sessions at each place; AT_DROP: over before it */
	int64_t links[PATHS_NODES][PATHS_NODES]; /* to places of the next step; the last has none */
};

struct paths_frequent {
	int n;
	uint32_t labels[PATHS_DEPTH];
	int64_t sessions;
};

struct paths_answer {
	int64_t sessions; /* with a label */
	int steps_n;      /* `depth`, or up to the first without a label; 0 without sessions */
	struct paths_step steps[PATHS_DEPTH];
	int paths_n;
	struct paths_frequent paths[PATHS_FREQUENT];
	int64_t uncounted; /* sessions whose list came when as many as are kept were there: in steps,
	                    * nodes and links, not in paths. 0: paths are exact */
};

struct paths;

/* Counts for `workers_n` threads. */
struct paths *paths_new(const struct paths_asked *asked, int workers_n);
void paths_free(struct paths *p); /* NULL is fine */

/* Counts a person's sessions; a worker is one thread at a time. */
void paths_person(struct paths *p, int worker, const struct sequence *q);

/* Everybody was counted. True: there were more lists than are kept, and everybody has to be counted
 * once more, now for the links; then it is false. */
bool paths_counted(struct paths *p);

/* Valid after paths_counted said false. */
void paths_answer(struct paths *p, struct paths_answer *out);

#endif
