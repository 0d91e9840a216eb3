/* engagement.h: how much somebody does, from 0 to 100. Pure; docs/BEHAVIOUR.md, "Journeys", is the
 * definition. */
#ifndef TAKINGS_BEHAVIOUR_ENGAGEMENT_H
#define TAKINGS_BEHAVIOUR_ENGAGEMENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
	ENGAGEMENT_DAYS = 30,    /* ages 0 to 29 */
	ENGAGEMENT_CAP = 50,     /* events of a type a day that count */
	ENGAGEMENT_TYPES = 64,   /* that have a weight */
	ENGAGEMENT_TYPE_LEN = 64 /* bytes of a type's name */
};

struct engagement_weights {
	int n;
	struct {
		char type[ENGAGEMENT_TYPE_LEN + 1];
		double weight;
	} of[ENGAGEMENT_TYPES];
};

/* "page_view=1,search=2": types that are not in it weigh 0. ERR_CONFIG names `setting`: what is no
 * type, no number from 0 to 1000 with at most 4 decimals, or there twice; an empty list. */
MUST_CHECK enum err engagement_weights_parse(const char *setting, const char *text,
                                             struct engagement_weights *out, struct errbuf *eb);

/* 0 where the type has none. */
double engagement_weight(const struct engagement_weights *w, const char *type);

/* Events of one type on one day; of each type and day there is one at most. */
struct engagement_count {
	const char *type;
	int age; /* business days */
	int64_t events;
};

/* What a type comes to. */
struct engagement_part {
	const char *type; /* borrowed from the counts */
	double weight;
	int64_t events;  /* of the 30 days */
	int64_t counted; /* without those over the cap */
	double points;   /* what it adds to the sum */
};

struct engagement {
	double sum, score; /* of the parts; 0 to 100, with 1 decimal */
};

/* One part for each type of the counts, the most points first, then by name: `parts` has n places,
 * and *parts_n of them are filled. The order of the counts does not matter. */
struct engagement engagement_make(const struct engagement_weights *w,
                                  const struct engagement_count *counts, size_t n,
                                  struct engagement_part *parts, size_t *parts_n);

#endif
