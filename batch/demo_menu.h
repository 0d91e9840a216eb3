/* demo_menu.h: what the demo restaurant offers on a date, and for how much.
 *
 * Prices go up on 1 March, 1 October or both. Each 1 April the house Riesling
 * changes its vintage and so its name, under the same id. Each 15 January a new
 * burger of the year takes the place of the old one, under a new id. Some dishes
 * are there in their season only. So any 400 days show all of this. */
#ifndef TAKINGS_BATCH_DEMO_MENU_H
#define TAKINGS_BATCH_DEMO_MENU_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "batch/demo_random.h"

enum demo_part { DEMO_LUNCH, DEMO_AFTERNOON, DEMO_DINNER, DEMO_LATE, DEMO_PARTS };

enum { DEMO_DISHES = 48 };

struct demo_dish {
	int64_t item_id;
	const char *name;     /* borrowed from the table or the arena */
	const char *category; /* constant: "starters", "mains", ... */
	int64_t price_minor;
	bool is_drink;
	int weight[DEMO_PARTS]; /* how often it is ordered, against the others */
};

struct demo_menu {
	struct demo_dish dishes[DEMO_DISHES];
	int n;
	int weight_sum[DEMO_PARTS];
};

/* `unit_minor` is what the tenth of a euro is in the currency, in minor units. */
void demo_menu_make(struct demo_menu *m, struct arena *a, int64_t date, int64_t unit_minor);

const struct demo_dish *demo_menu_pick(const struct demo_menu *m, enum demo_part part,
                                       struct demo_random *r);

/* Decimals of a currency and its unit as above. False for currencies with three
 * decimals or more, which numeric(12,2) cannot hold. */
bool demo_menu_currency(const char *code, int *decimals, int64_t *unit_minor);

#endif
