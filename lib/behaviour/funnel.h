/* funnel.h: how far a person comes through the steps of a funnel. Pure; docs/BEHAVIOUR.md,
 * "Funnels", is the definition. */
#ifndef TAKINGS_BEHAVIOUR_FUNNEL_H
#define TAKINGS_BEHAVIOUR_FUNNEL_H

#include "behaviour/sequence.h"

enum { FUNNEL_STEPS = 10, FUNNEL_VALUES = 100, FUNNEL_LOOK_BACK_S = 86400 };

enum funnel_order { FUNNEL_SEQUENTIAL, FUNNEL_STRICT, FUNNEL_ANY };

struct funnel_filter {
	int dim; /* index into sequence.dims */
	int n;
	uint16_t codes[FUNNEL_VALUES]; /* one of them; n 0: never */
};

struct funnel_step {
	uint16_t type; /* 0: one that nobody has sent */
	int filters_n;
	struct funnel_filter *filters; /* all of them */
};

struct funnel {
	int steps_n; /* 1 to FUNNEL_STEPS */
	struct funnel_step steps[FUNNEL_STEPS];
	enum funnel_order order;
	bool by_session;
	int64_t window_us;
	int64_t from_us, to_us; /* of first events, the second not included */
	int64_t as_of_us;       /* later events do not count */
	int64_t session_timeout_s;
	int breakdown; /* index into sequence.dims; -1: none */
};

/* The best attempt of a person, or of a session. */
struct funnel_way {
	int reached;                 /* 1 to steps_n */
	bool pending;                /* the time of an attempt is not over at as_of */
	bool open;                   /* and that attempt has not ended (strict) */
	size_t events[FUNNEL_STEPS]; /* that served step i (any: the i-th one served), as places in the
	                              * sequence */
	uint16_t group;              /* code of the breakdown; 0: not set */
};

/* What a thread needs to walk; it keeps its memory. `f` is borrowed. */
struct funnel_walker *funnel_walker_new(const struct funnel *f);
void funnel_walker_free(struct funnel_walker *w);

/* Called for each person (or session, by their first events) with an attempt. `q` is the person
 * from FUNNEL_LOOK_BACK_S before the range on: events before that are not looked at. */
typedef void (*funnel_way_fn)(void *arg, const struct sequence *q, const struct funnel_way *way);
void funnel_walk(struct funnel_walker *w, const struct sequence *person, funnel_way_fn fn,
                 void *arg);

#endif
