/* demo_menu.c: the card. */
#include "batch/demo_menu.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "batch/demo_calendar.h"

enum { PRICES_SINCE = 2020, PRICE_STEPS_MAX = 80 };

enum category { STARTER, SALAD, MAIN, SIDE, DESSERT, COFFEE, SOFT, BEER, WINE, CATEGORIES };

static const struct {
	const char *name;
	int share[DEMO_PARTS]; /* of the lines at lunch, in the afternoon, at dinner, late */
	bool is_drink;
	bool in_march, in_october; /* when its prices rise */
	int step_pm;               /* by how much, of the first price */
} categories[CATEGORIES] = {
	[STARTER] = {"starters", {80, 20, 140, 60}, false, true, false, 25},
	[SALAD] = {"salads", {120, 40, 70, 20}, false, true, false, 25},
	[MAIN] = {"mains", {300, 60, 260, 80}, false, true, true, 18},
	[SIDE] = {"sides", {80, 50, 90, 80}, false, true, false, 25},
	[DESSERT] = {"desserts", {60, 220, 90, 60}, false, true, false, 25},
	[COFFEE] = {"coffee", {120, 340, 50, 40}, true, false, true, 25},
	[SOFT] = {"drinks", {190, 190, 110, 120}, true, false, true, 25},
	[BEER] = {"beer", {30, 60, 110, 340}, true, false, true, 20},
	[WINE] = {"wine", {20, 20, 80, 200}, true, true, false, 30},
};

enum kind {
	PLAIN,
	VINTAGE, /* name and year of the vintage; the id stays */
	YEARLY,  /* name and year; the year is added to the id */
};

struct dish {
	int64_t item_id;
	const char *name;
	enum category category;
	int base_cents; /* in 2020 */
	int weight;     /* within its category */
	enum kind kind;
	int from_md, to_md; /* season as month * 100 + day; 0: all year */
};

static const struct dish dishes[] = {
	{101, "Bread & olives", STARTER, 450, 30, PLAIN, 0, 0},
	{102, "Tomato soup", STARTER, 620, 26, PLAIN, 0, 0},
	{103, "Pumpkin soup", STARTER, 680, 34, PLAIN, 901, 1130},
	{104, "Beef tartare", STARTER, 1390, 14, PLAIN, 0, 0},
	{105, "Gambas al ajillo", STARTER, 1180, 18, PLAIN, 0, 0},
	{106, "Burrata", STARTER, 1090, 22, PLAIN, 0, 0},
	{111, "Caesar salad", SALAD, 1090, 40, PLAIN, 0, 0},
	{112, "Salade niçoise", SALAD, 1190, 24, PLAIN, 0, 0},
	{113, "Side salad", SALAD, 480, 36, PLAIN, 0, 0},
	{201, "Wiener Schnitzel", MAIN, 1890, 34, PLAIN, 0, 0},
	{202, "Käsespätzle", MAIN, 1290, 26, PLAIN, 0, 0},
	{203, "Fish & chips", MAIN, 1490, 24, PLAIN, 0, 0},
	{204, "Rump steak, 250 g", MAIN, 2390, 16, PLAIN, 0, 0},
	{205, "Mushroom risotto", MAIN, 1390, 18, PLAIN, 0, 0},
	{206, "Spaghetti carbonara", MAIN, 1190, 28, PLAIN, 0, 0},
	{207, "Chicken tikka masala", MAIN, 1420, 20, PLAIN, 0, 0},
	{208, "House burger", MAIN, 1290, 38, PLAIN, 0, 0},
	{209, "Veggie burger", MAIN, 1240, 18, PLAIN, 0, 0},
	{210, "Asparagus, ham & potatoes", MAIN, 1990, 40, PLAIN, 415, 624},
	{211, "Roast goose, red cabbage", MAIN, 2690, 26, PLAIN, 1105, 1223},
	{212, "Dish of the day", MAIN, 1050, 30, PLAIN, 0, 0},
	{2000, "Burger of the year", MAIN, 1490, 22, YEARLY, 0, 0},
	{301, "French fries", SIDE, 420, 48, PLAIN, 0, 0},
	{302, "Sweet potato fries", SIDE, 520, 26, PLAIN, 0, 0},
	{303, "Grilled vegetables", SIDE, 560, 14, PLAIN, 0, 0},
	{304, "Rice", SIDE, 350, 8, PLAIN, 0, 0},
	{401, "Tiramisù", DESSERT, 690, 24, PLAIN, 0, 0},
	{402, "Crème brûlée", DESSERT, 720, 20, PLAIN, 0, 0},
	{403, "Apple strudel", DESSERT, 650, 30, PLAIN, 0, 0},
	{404, "\"Black Forest\" cake", DESSERT, 490, 22, PLAIN, 0, 0},
	{405, "Ice cream, 3 scoops", DESSERT, 580, 34, PLAIN, 401, 1015},
	{501, "Espresso", COFFEE, 240, 30, PLAIN, 0, 0},
	{502, "Cappuccino", COFFEE, 340, 44, PLAIN, 0, 0},
	{503, "Tea", COFFEE, 320, 18, PLAIN, 0, 0},
	{504, "Hot chocolate", COFFEE, 380, 14, PLAIN, 1001, 331},
	{601, "Water, 0.75 l", SOFT, 590, 40, PLAIN, 0, 0},
	{602, "Apple spritzer", SOFT, 380, 30, PLAIN, 0, 0},
	{603, "Cola", SOFT, 340, 28, PLAIN, 0, 0},
	{604, "Chef's lemonade", SOFT, 450, 20, PLAIN, 0, 0},
	{701, "Pilsner, 0.5 l", BEER, 450, 44, PLAIN, 0, 0},
	{702, "Wheat beer, 0.5 l", BEER, 480, 30, PLAIN, 0, 0},
	{703, "Pale ale, 0.33 l", BEER, 490, 18, PLAIN, 0, 0},
	{704, "Alcohol-free beer", BEER, 420, 12, PLAIN, 0, 0},
	{801, "Riesling", WINE, 620, 40, VINTAGE, 0, 0},
	{802, "Montepulciano, 0.2 l", WINE, 640, 26, PLAIN, 0, 0},
	{803, "Aperol spritz", WINE, 790, 34, PLAIN, 401, 1031},
	{804, "Gin & tonic", WINE, 950, 24, PLAIN, 0, 0},
};

enum { ROWS = sizeof dishes / sizeof *dishes };
static_assert((int)ROWS <= (int)DEMO_DISHES, "a menu holds every dish");

static bool in_season(const struct dish *d, int md)
{
	if (!d->from_md)
		return true;
	if (d->from_md <= d->to_md)
		return md >= d->from_md && md <= d->to_md;
	return md >= d->from_md || md <= d->to_md;
}

/* Rises since 2020; earlier dates have the prices of that year. */
static int64_t price_steps(enum category c, int year, int md)
{
	int64_t n = 0;
	if (categories[c].in_march)
		n += year - PRICES_SINCE + (md >= 301);
	if (categories[c].in_october)
		n += year - PRICES_SINCE + (md >= 1001);
	return n < 0 ? 0 : n > PRICE_STEPS_MAX ? PRICE_STEPS_MAX : n;
}

/* Printed prices are whole tenths. */
static int64_t price(const struct dish *d, int year, int md, int64_t unit_minor)
{
	int64_t pm = 1000 + categories[d->category].step_pm * price_steps(d->category, year, md);
	return (d->base_cents * pm + 5000) / 10000 * unit_minor;
}

static void name_dish(struct demo_dish *out, const struct dish *d, struct arena *a, int year,
                      int md)
{
	out->item_id = d->item_id;
	out->name = d->name;
	if (d->kind == VINTAGE) {
		out->name = arena_printf(a, "%s %d, 0.2 l", d->name, md >= 401 ? year - 1 : year - 2);
	} else if (d->kind == YEARLY) {
		int edition = md >= 115 ? year : year - 1;
		out->item_id = d->item_id * 10000 + edition;
		out->name = arena_printf(a, "%s %d", d->name, edition);
	}
}

/* A category keeps its share, however many dishes it has today. */
static void weigh(struct demo_menu *m, const enum category *of, const int *weight)
{
	int in_category[CATEGORIES] = {0};
	for (int i = 0; i < m->n; i++)
		in_category[of[i]] += weight[i];
	for (int part = 0; part < DEMO_PARTS; part++) {
		m->weight_sum[part] = 0;
		for (int i = 0; i < m->n; i++) {
			int share = categories[of[i]].share[part];
			m->dishes[i].weight[part] = share * weight[i] * 100 / in_category[of[i]];
			m->weight_sum[part] += m->dishes[i].weight[part];
		}
	}
}

void demo_menu_make(struct demo_menu *m, struct arena *a, int64_t date, int64_t unit_minor)
{
	enum category of[ROWS];
	int year, month, day, weight[ROWS];
	demo_date_split(date, &year, &month, &day);
	int md = month * 100 + day;
	m->n = 0;
	for (int i = 0; i < ROWS; i++) {
		const struct dish *d = &dishes[i];
		if (!in_season(d, md))
			continue;
		struct demo_dish *out = &m->dishes[m->n];
		name_dish(out, d, a, year, md);
		out->price_minor = price(d, year, md, unit_minor);
		out->is_drink = categories[d->category].is_drink;
		out->category = categories[d->category].name;
		of[m->n] = d->category;
		weight[m->n++] = d->weight;
	}
	weigh(m, of, weight);
}

const struct demo_dish *demo_menu_pick(const struct demo_menu *m, enum demo_part part,
                                       struct demo_random *r)
{
	int64_t left = demo_random_below(r, m->weight_sum[part]);
	const struct demo_dish *d = m->dishes;
	while (left >= d->weight[part])
		left -= (d++)->weight[part];
	return d;
}

bool demo_menu_currency(const char *code, int *decimals, int64_t *unit_minor)
{
	static const char too_fine[] = "BHD IQD JOD KWD LYD OMR TND CLF UYW";
	static const struct {
		const char *code;
		int64_t unit_minor;
	} whole[] = {
		{"BIF", 300},  {"CLP", 100}, {"DJF", 20},  {"GNF", 900}, {"ISK", 15},  {"JPY", 15},
		{"KMF", 50},   {"KRW", 100}, {"PYG", 800}, {"RWF", 150}, {"UGX", 400}, {"UYI", 10},
		{"VND", 1000}, {"VUV", 15},  {"XAF", 60},  {"XOF", 60},  {"XPF", 12},
	};
	*decimals = 2;
	*unit_minor = 10;
	for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
		if (strcmp(whole[i].code, code) != 0)
			continue;
		*decimals = 0;
		*unit_minor = whole[i].unit_minor;
	}
	return strlen(code) == 3 && !strstr(too_fine, code);
}
