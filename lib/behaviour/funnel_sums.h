/* funnel_sums.h: what a funnel's figures are made of: one for each thread that walks, merged at the
 * end. Pure. Memory: 8 bytes for each person and step from the second on. */
#ifndef TAKINGS_BEHAVIOUR_FUNNEL_SUMS_H
#define TAKINGS_BEHAVIOUR_FUNNEL_SUMS_H

#include "behaviour/funnel.h"

enum { FUNNEL_GROUPS = 20 };

#define FUNNEL_NONE (-1) /* a rate or a time of nobody */

struct funnel_step_figures {
	int64_t users;        /* people or sessions that reached it */
	int rate;             /* per mille of those that began */
	int from_previous;    /* per mille of those that reached the step before; none of the first */
	int64_t median_ms;    /* from the step before */
	int64_t p90_ms;       /* likewise */
	int64_t open;         /* not reached, and still may */
	int64_t users_closed; /* of those without an attempt whose time is not over */
	int rate_closed;      /* per mille, of those */
	int64_t value_minor;  /* what the events say they are worth; INT64_MAX: more than fits */
	int64_t unpriced;     /* events that do not say */
};

struct funnel_figures {
	struct funnel_step_figures steps[FUNNEL_STEPS];
};

/* One group: a code of the breakdown with its figures. */
struct funnel_group_figures {
	uint16_t code;
	bool rest; /* all groups beyond FUNNEL_GROUPS; code 0 */
	struct funnel_figures figures;
};

struct funnel_sums;

/* `grouped`: by way.group, too. */
struct funnel_sums *funnel_sums_new(int steps_n, bool grouped);
void funnel_sums_free(struct funnel_sums *s);

/* A funnel_way_fn. */
void funnel_sums_add(void *sums, const struct sequence *q, const struct funnel_way *way);

/* Moves what is in `from` into `into`; `from` is empty then, and to be freed. */
void funnel_sums_merge(struct funnel_sums *into, struct funnel_sums *from);

/* Figures of all; of the groups with the most beginners (as many: the lower code first), and of
 * the rest last. At most FUNNEL_GROUPS + 1; their number comes back. */
void funnel_sums_all(struct funnel_sums *s, struct funnel_figures *out);
int funnel_sums_groups(struct funnel_sums *s, struct funnel_group_figures *out);

/* The k-th of n values in order, k from 0; the array is put into another order. */
int64_t funnel_kth(int64_t *v, size_t n, size_t k);

#endif
