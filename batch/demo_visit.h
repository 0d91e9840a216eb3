/* demo_visit.h: a visit to the demo house's site: the events it sends, as a page would send them.
 *
 * A visit is drawn from the seed and its number alone. Who orders online is an order of the demo
 * (demo_visit_is_online), so that there are as many purchases as such orders. */
#ifndef TAKINGS_BATCH_DEMO_VISIT_H
#define TAKINGS_BATCH_DEMO_VISIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "batch/demo_day.h"
#include "batch/demo_menu.h"

enum { DEMO_TOUCHES = 96 };

struct demo_touch {
	int64_t at_us;    /* when it happens */
	int64_t after_us; /* so much later it arrives */
	const char *text; /* JSON, in the rules' arena */
	bool odd;         /* it will not be stored: sent once more, broken, or too old */
};

struct demo_visit {
	const char *agent;                       /* User-Agent; constant */
	struct demo_touch touches[DEMO_TOUCHES]; /* by at_us */
	int n;
};

struct demo_visit_rules {
	int64_t seed;
	int64_t date;
	const char *currency; /* borrowed */
	int decimals;
	const struct demo_menu *menu;
	enum demo_part part; /* of the day: what is looked at */
	bool live;           /* nobody takes long, and all arrives at once, once and whole */
	struct arena *arena;
};

/* Whether an order came over the site. */
bool demo_visit_is_online(int64_t seed, const struct demo_order *o);

/* Somebody looks around, from `at_us` on, and buys nothing. */
void demo_visit_browse(const struct demo_visit_rules *rules, int64_t number, int64_t at_us,
                       struct demo_visit *out);

/* The visit of an order: its purchase is at `bought_us`. */
void demo_visit_buy(const struct demo_visit_rules *rules, int64_t number,
                    const struct demo_order *o, const struct demo_line *lines, int64_t bought_us,
                    struct demo_visit *out);

/* A search engine reads the card. */
void demo_visit_crawl(const struct demo_visit_rules *rules, int64_t number, int64_t at_us,
                      struct demo_visit *out);

#endif
