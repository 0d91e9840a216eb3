/* demo_event.c: see demo_event.h. Only integers: the same on every machine. */
#include "batch/demo_event.h"

#include "batch/demo_calendar.h"
#include "batch/demo_random.h"

enum {
	DAY_S = 86400,
	TRAIT_WEEKS = 13,
	REGULARS = 500,
	BOOKINGS_MAX = 2000, /* of an event */
	STREAM_EVENTS = 700, /* streams of the seed that orders do not use */
};

enum trait { OVERBOOKED = 3, UNLIMITED = 6, CANCELLED = 9, SOLD_OUT = 12 }; /* week of 13 */

struct kind {
	const char *category;
	const char *names[6];
	int64_t seats_lo, seats_hi; /* of the house */
	int64_t price_lo, price_hi; /* tenths of a euro */
	int window_days, minutes;
	int weekday, start_h; /* 0 = Monday */
	int early, late;
};

static const struct kind concert = {"concert",
                                    {"Trio Lindenhof", "An Evening of Fado", "The Harbour Strings",
                                     "Jazz in the Courtyard", "Songs of the Coast",
                                     "Piano by Candlelight"},
                                    260,
                                    400,
                                    180,
                                    380,
                                    60,
                                    150,
                                    4,
                                    19,
                                    38,
                                    22};

static const struct kind small[] = {
	{"tasting",
     {"Riesling, Ten Vintages", "Cheese and Cider", "Six Olive Oils", "Sherry for Beginners",
      "Natural Wines of Spring", "Chocolate and Rum"},
     24,
     40,
     390,
     690,
     45,
     150,
     3,
     19,
     30,
     25},
	{"course",
     {"Bread from the Stone Oven", "Pasta by Hand", "Knife Skills", "Fermenting Vegetables",
      "Sauces, Properly", "Cakes without Fear"},
     12,
     18,
     550,
     950,
     50,
     240,
     5,
     10,
     35,
     15},
	{"table",
     {"Chef's Table", "Long Table Supper", "Oyster Night", "Game Dinner", "Asparagus Evening",
      "Table of the Vintners"},
     40,
     80,
     450,
     790,
     30,
     210,
     2,
     19,
     15,
     45},
};

enum { SMALL = sizeof small / sizeof *small };

int64_t demo_event_week(int64_t date)
{
	return (date - demo_date_weekday(date) + 3) / 7; /* 1970-01-01 was a Thursday */
}

static int64_t at(const struct demo_zone *zone, int64_t date, int64_t second_of_day)
{
	return demo_zone_instant(zone, demo_zone_settle(zone, date * DAY_S + second_of_day), false);
}

static void set_times(struct demo_event *e, const struct kind *k, int64_t monday,
                      const struct demo_zone *zone, struct demo_random *r)
{
	int64_t date = monday + k->weekday + demo_random_below(r, 2);
	e->starts_s = at(zone, date, k->start_h * 3600 + demo_random_below(r, 3) * 1800);
	e->ends_s = e->starts_s + k->minutes * 60;
	e->sales_s = at(zone, date - k->window_days, INT64_C(10) * 3600);
	e->created_s = e->sales_s - demo_random_between(r, 3 * DAY_S, 9 * DAY_S);
}

static void set_fate(struct demo_event *e, int64_t week, int nth, struct demo_random *r)
{
	int64_t trait = nth == 0 ? week % TRAIT_WEEKS : -1;
	e->wanted = e->capacity * demo_random_between(r, 68, 99) / 100;
	if (trait == OVERBOOKED)
		e->wanted = e->capacity * 104 / 100;
	if (trait == SOLD_OUT) {
		e->wanted = e->capacity;
		e->early = 100;
		e->late = 0;
	}
	if (trait == UNLIMITED) {
		e->name = "Open Courtyard Market";
		e->category = "market";
		e->capacity = 0;
		e->price_tenths = 30;
		e->wanted = demo_random_between(r, 600, 800);
	}
	if (trait == CANCELLED)
		e->cancelled_s = e->starts_s - demo_random_between(r, 6 * DAY_S, 12 * DAY_S);
	else if (e->capacity && demo_random_chance(r, 1500))
		e->raised_s = e->sales_s + demo_random_between(r, 2 * DAY_S, 8 * DAY_S);
}

bool demo_event_draw(int64_t seed, int64_t week, int nth, const struct demo_zone *zone,
                     struct demo_event *out)
{
	struct demo_random r;
	if (nth >= DEMO_EVENTS_A_WEEK || (nth == 1 && week % 2))
		return false;
	const struct kind *k = nth == 0 ? &concert : &small[week / 2 % SMALL];
	*out = (struct demo_event){.id = week * 10 + nth + 1, .early = k->early, .late = k->late};
	demo_random_init(&r, seed, STREAM_EVENTS + out->id * 2);
	out->name = k->names[demo_random_below(&r, 6)];
	out->category = k->category;
	out->capacity = demo_random_between(&r, k->seats_lo, k->seats_hi);
	out->price_tenths = demo_random_between(&r, k->price_lo / 10, k->price_hi / 10) * 10;
	set_times(out, k, week * 7 - 3, zone, &r);
	set_fate(out, week, nth, &r);
	return true;
}

/* ---- bookings ------------------------------------------------------------------- */

/* Where in the time of sale, in ten-thousandths of it. */
static int64_t draw_place(const struct demo_event *e, struct demo_random *r)
{
	int64_t when = demo_random_below(r, 100), near = demo_random_below(r, 100);
	near = near * demo_random_below(r, 100) / 8; /* 0 to 1225, most often small */
	if (when < e->early)
		return near;
	return when < e->early + e->late ? 9999 - near : demo_random_below(r, 10000);
}

/* People book in the evening, and around noon. */
static int64_t draw_instant(const struct demo_event *e, const struct demo_zone *zone,
                            struct demo_random *r)
{
	int64_t last_s = (e->cancelled_s ? e->cancelled_s : e->starts_s) - 1800;
	int64_t at_s = e->sales_s + (last_s - e->sales_s) * draw_place(e, r) / 10000;
	int64_t date = demo_date_of_seconds(demo_zone_wall(zone, at_s));
	bool evening = demo_random_chance(r, 7000);
	int64_t second = (evening ? 20 : 12) * INT64_C(3600) + demo_random_bell(r, INT64_C(3) * 3600);
	int64_t moved_s = at(zone, date, second);
	return moved_s >= e->sales_s && moved_s < last_s ? moved_s : at_s;
}

static int64_t draw_seats(struct demo_random *r)
{
	int64_t chance = demo_random_below(r, 100);
	return chance < 58 ? 1 : chance < 94 ? 2 : chance < 97 ? 3 : 4;
}

static void draw_course(const struct demo_event *e, struct demo_booking *b, struct demo_random *r)
{
	int64_t how = demo_random_below(r, 100), soon_s = demo_random_between(r, 60, 600);
	int64_t later_s = demo_random_between(r, DAY_S, 2 * DAY_S), gone = demo_random_below(r, 10000);
	int64_t last_s = e->cancelled_s ? e->cancelled_s : e->starts_s;
	b->confirmed_at_once = how < 10;
	if (how < 10)
		b->confirmed_s = b->created_s;
	else if (how < 91 || (how < 96 && b->created_s + later_s >= last_s))
		b->confirmed_s = b->created_s + soon_s;
	else if (how < 96)
		b->confirmed_s = b->created_s + later_s;
	int64_t free_s = last_s - 7200 - (b->created_s + 2 * DAY_S);
	if (gone < 950 && free_s > 0)
		b->cancelled_s = b->created_s + 2 * DAY_S + free_s * (gone * 7 % 100) / 100;
	else if (e->cancelled_s && gone < 9600)
		b->cancelled_s = e->cancelled_s + gone * 18; /* within two days */
}

void demo_event_bookings(int64_t seed, const struct demo_event *e, const struct demo_zone *zone,
                         demo_booking_fn fn, void *arg)
{
	struct demo_random r;
	int64_t taken = 0;
	demo_random_init(&r, seed, STREAM_EVENTS + e->id * 2 + 1);
	for (int64_t n = 1; taken < e->wanted && n <= BOOKINGS_MAX; n++) {
		struct demo_booking b = {.number = n, .seats = draw_seats(&r)};
		if (b.seats > e->wanted - taken)
			b.seats = e->wanted - taken;
		b.user = demo_random_chance(&r, 6000) ? demo_random_between(&r, 1, REGULARS) : 0;
		b.created_s = draw_instant(e, zone, &r);
		draw_course(e, &b, &r);
		bool leaves = b.cancelled_s && !(e->cancelled_s && b.cancelled_s >= e->cancelled_s);
		if (b.confirmed_s && !leaves)
			taken += b.seats;
		fn(arg, e, &b);
	}
}
