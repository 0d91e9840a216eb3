/* demo_day.c: a service day, drawn. */
#include "batch/demo_day.h"

#include <stdbool.h>
#include <stdlib.h>

#include "batch/demo_calendar.h"
#include "batch/demo_menu.h"
#include "batch/demo_random.h"

enum {
	MINUTE_S = 60,
	HOUR_S = 3600,
	DAY_S = 86400,
	SERVICE_TURN_H = 6, /* nobody is there at six in the morning */
	ORDERS_PER_DAY = 600,
	LINES_MAX = 6,
};

/* Chances in 10,000. */
enum {
	IS_CANCELLED = 300,
	IS_CANCELLED_LATE = 45,
	IS_CORRECTED = 45,
	IS_FORGOTTEN = 40,
	IS_ABANDONED = 4,
	IS_REFUNDED = 60,
	IS_REFUNDED_DAYS_LATER = 4500,
	IS_DISCOUNTED = 900,
	IS_DELIVERED = 600,
	IS_TIPPED = 4600,
	KNOWS_CUSTOMER = 5500,
	DAY_IS_BAD = 60,
	DAY_IS_A_FEAST = 80,
};

struct draw {
	const struct demo_rules *rules;
	struct demo_random r;
	struct demo_menu menu;
	struct demo_orders *out;
	int64_t date;
	int64_t first; /* index of the day's first order */
};

void demo_orders_fini(struct demo_orders *o)
{
	free(o->rows);
	free(o->lines);
	*o = (struct demo_orders){0};
}

static struct demo_order *new_order(struct demo_orders *o)
{
	if (o->n == o->cap) {
		o->cap = o->cap ? o->cap * 2 : 1024;
		o->rows = mem_realloc(o->rows, (size_t)o->cap * sizeof *o->rows);
	}
	struct demo_order *row = &o->rows[o->n++];
	*row = (struct demo_order){.line_from = o->lines_n};
	return row;
}

static struct demo_line *new_line(struct demo_orders *o)
{
	if (o->lines_n == o->lines_cap) {
		o->lines_cap = o->lines_cap ? o->lines_cap * 2 : 4096;
		o->lines = mem_realloc(o->lines, (size_t)o->lines_cap * sizeof *o->lines);
	}
	return &o->lines[o->lines_n++];
}

/* ---- lines and money -------------------------------------------------------- */

static int64_t draw_index(struct demo_random *r, const int *shares, int64_t sum)
{
	int64_t left = demo_random_below(r, sum), i = 0;
	while (left >= shares[i])
		left -= shares[i++];
	return i;
}

/* The same dish again raises the quantity of its line. */
static struct demo_line *line_of(struct demo_orders *out, struct demo_order *o,
                                 const struct demo_dish *dish)
{
	for (int64_t i = o->line_from; i < out->lines_n; i++)
		if (out->lines[i].item_id == dish->item_id)
			return &out->lines[i];
	struct demo_line *line = new_line(out);
	*line = (struct demo_line){dish->item_id, dish->name, dish->price_minor, 0};
	o->lines_n++;
	return line;
}

static void draw_lines(struct draw *d, struct demo_order *o, enum demo_part part)
{
	static const int lines[LINES_MAX] = {16, 25, 26, 18, 10, 5}, quantities[] = {84, 12, 3, 1};
	int64_t n = draw_index(&d->r, lines, 100) + 1;
	for (int64_t i = 0; i < n; i++) {
		const struct demo_dish *dish = demo_menu_pick(&d->menu, part, &d->r);
		int64_t quantity = draw_index(&d->r, quantities, 100) + 1;
		line_of(d->out, o, dish)->quantity += quantity;
		o->items_minor += quantity * dish->price_minor;
		if (dish->is_drink)
			o->drinks_minor += quantity * dish->price_minor;
	}
}

static int64_t whole_units(int64_t minor, int64_t unit_minor)
{
	return minor / unit_minor * unit_minor;
}

static int64_t draw_discount(struct draw *d, int64_t items_minor)
{
	int64_t voucher = 50 * d->rules->unit_minor, kind = demo_random_below(&d->r, 10);
	if (kind == 0)
		return items_minor / 2; /* staff */
	if (kind <= 3 && items_minor >= 2 * voucher)
		return voucher;
	return items_minor / 10;
}

static void draw_money(struct draw *d, struct demo_order *o)
{
	int64_t unit = d->rules->unit_minor;
	if (demo_random_chance(&d->r, IS_DISCOUNTED))
		o->discount_minor = draw_discount(d, o->items_minor);
	if (demo_random_chance(&d->r, IS_DELIVERED))
		o->fee_minor = 25 * unit;
	if (demo_random_chance(&d->r, IS_TIPPED))
		o->tip_minor = whole_units(o->items_minor * demo_random_between(&d->r, 4, 13) / 100, unit);
	o->late_discount_minor =
		whole_units(o->items_minor * demo_random_between(&d->r, 10, 40) / 100, unit);
}

/* ---- the course of an order --------------------------------------------------- */

/* A moment of the office hours, 1 to 20 days after. */
static int64_t draw_later(struct draw *d)
{
	int64_t day = d->date + demo_random_between(&d->r, 1, DEMO_LATE_DAYS - 1);
	int64_t wall_s = day * DAY_S + demo_random_between(&d->r, 10 * HOUR_S, 21 * HOUR_S);
	return demo_zone_instant(d->rules->zone, demo_zone_settle(d->rules->zone, wall_s), false);
}

static enum demo_fate draw_fate(struct demo_random *r)
{
	static const struct {
		enum demo_fate fate;
		int n;
	} fates[] = {
		{DEMO_CANCELLED, IS_CANCELLED}, {DEMO_CANCELLED_LATE, IS_CANCELLED_LATE},
		{DEMO_CORRECTED, IS_CORRECTED}, {DEMO_FORGOTTEN, IS_FORGOTTEN},
		{DEMO_ABANDONED, IS_ABANDONED},
	};
	int64_t left = demo_random_below(r, 10000);
	for (size_t i = 0; i < sizeof fates / sizeof *fates; i++) {
		if (left < fates[i].n)
			return fates[i].fate;
		left -= fates[i].n;
	}
	return DEMO_PLAIN;
}

static void draw_course(struct draw *d, struct demo_order *o)
{
	int64_t later_s = draw_later(d);
	o->fate = draw_fate(&d->r);
	o->preparing_s = o->created_s + demo_random_between(&d->r, 2 * MINUTE_S, 9 * MINUTE_S);
	o->settled_s = o->preparing_s + demo_random_peak(&d->r, 8 * MINUTE_S, 75 * MINUTE_S);
	o->late_s = INT64_MAX;
	switch (o->fate) {
	case DEMO_CANCELLED:
		o->settled_s = o->created_s + demo_random_between(&d->r, MINUTE_S, 25 * MINUTE_S);
		break;
	case DEMO_CANCELLED_LATE:
	case DEMO_CORRECTED:
		o->late_s = later_s;
		break;
	case DEMO_FORGOTTEN:
		o->settled_s = later_s;
		break;
	case DEMO_ABANDONED:
		o->settled_s = INT64_MAX;
		if (demo_random_chance(&d->r, 5000))
			o->preparing_s = INT64_MAX;
		break;
	default:
		break;
	}
}

/* Half of the refunds are the whole amount; of the others a few are followed by a second. */
static void draw_refunds(struct draw *d, struct demo_order *o)
{
	int64_t total = o->items_minor - o->discount_minor + o->fee_minor;
	int64_t part =
		whole_units(total * demo_random_between(&d->r, 15, 60) / 100, d->rules->unit_minor);
	int64_t soon_s = o->settled_s + demo_random_between(&d->r, 3 * MINUTE_S, 3 * HOUR_S);
	int64_t later_s = draw_later(d), again_s = draw_later(d);
	bool days_later = demo_random_chance(&d->r, IS_REFUNDED_DAYS_LATER);
	bool whole = demo_random_chance(&d->r, 5000), again = demo_random_chance(&d->r, 1500);
	if (!demo_random_chance(&d->r, IS_REFUNDED) || o->fate != DEMO_PLAIN || part <= 0)
		return;
	o->refunds[0].at_s = days_later ? later_s : soon_s;
	o->refunds[0].amount_minor = whole ? total : part;
	o->refunds_n = 1;
	if (whole || !again || again_s <= o->refunds[0].at_s)
		return;
	o->refunds[1].at_s = again_s;
	o->refunds[1].amount_minor = (total - part) / 2;
	o->refunds_n = o->refunds[1].amount_minor > 0 ? 2 : 1;
}

/* Half of the known guests are among the newest, as in any place that grows. */
static int64_t draw_customer(struct draw *d)
{
	int64_t known = 400 + 2 * (d->date - demo_date_make(2020, 1, 1));
	if (known < 400)
		known = 400;
	bool recent = demo_random_chance(&d->r, 5000);
	int64_t back = demo_random_below(&d->r, recent ? 300 : known);
	return demo_random_chance(&d->r, KNOWS_CUSTOMER) ? known - back : 0;
}

static void draw_order(struct draw *d, enum demo_part part, int64_t wall_s, bool second)
{
	struct demo_order *o = new_order(d->out);
	o->created_s = demo_zone_instant(d->rules->zone, wall_s, second);
	o->customer_id = draw_customer(d);
	draw_lines(d, o, part);
	draw_money(d, o);
	draw_course(d, o);
	draw_refunds(d, o);
}

/* ---- the day ---------------------------------------------------------------- */

struct part {
	int64_t from_min, to_min; /* the peak is half-way */
	int share[4];             /* Monday to Thursday, Friday, Saturday, Sunday */
};

static const struct part parts[DEMO_PARTS] = {
	[DEMO_LUNCH] = {11 * 60 + 30, 14 * 60 + 45, {36, 30, 25, 34}},
	[DEMO_AFTERNOON] = {14 * 60 + 15, 18 * 60, {12, 12, 18, 24}},
	[DEMO_DINNER] = {17 * 60 + 30, 22 * 60 + 45, {45, 46, 44, 38}},
	[DEMO_LATE] = {22 * 60, 25 * 60 + 30, {7, 12, 13, 4}},
};

static enum demo_part draw_part(struct draw *d)
{
	static const int columns[] = {0, 0, 0, 0, 1, 2, 3};
	int column = columns[demo_date_weekday(d->date)], shares[DEMO_PARTS];
	for (int i = 0; i < DEMO_PARTS; i++)
		shares[i] = parts[i].share[column];
	return (enum demo_part)draw_index(&d->r, shares, 100);
}

/* What no calendar knows: chance, and rarely a burst pipe or a large party. */
static int64_t draw_orders_n(struct draw *d)
{
	int64_t mean = demo_calendar_demand(d->rules->seed, d->date);
	int64_t pm = 1000 + demo_random_bell(&d->r, 150);
	int64_t fortune = demo_random_below(&d->r, 10000);
	if (fortune < DAY_IS_BAD)
		pm = pm * 55 / 100;
	else if (fortune < DAY_IS_BAD + DAY_IS_A_FEAST)
		pm = pm * 155 / 100;
	int64_t n = (mean * pm / 1000 + 500) / 1000;
	return n < ORDERS_PER_DAY ? n : ORDERS_PER_DAY;
}

static void draw_usual(struct draw *d)
{
	const struct demo_zone *zone = d->rules->zone;
	int64_t n = draw_orders_n(d);
	for (int64_t i = 0; i < n; i++) {
		enum demo_part part = draw_part(d);
		int64_t into_s = demo_random_peak(&d->r, parts[part].from_min * MINUTE_S,
		                                  parts[part].to_min * MINUTE_S - 1);
		int64_t wall_s = demo_zone_settle(zone, d->date * DAY_S + into_s);
		bool coin = demo_random_chance(&d->r, 5000);
		draw_order(d, part, wall_s, coin);
	}
}

static void draw_between(struct draw *d, int64_t from_wall_s, int64_t length_s, bool second,
                         int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		int64_t wall_s = from_wall_s + demo_random_below(&d->r, length_s);
		draw_order(d, DEMO_LATE, demo_zone_settle(d->rules->zone, wall_s), second);
	}
}

/* The night the clocks are set the house stays open: guests come in the hour
 * before, in both passes of a repeated hour, and in the hour after. */
static void draw_long_night(struct draw *d, const struct demo_jump *jump)
{
	int64_t back_s = jump->by_s < 0 ? -jump->by_s : 0;
	int64_t forth_s = jump->by_s > 0 ? jump->by_s : 0;
	int64_t seen_s = jump->wall_s - back_s; /* up to here all times are shown once */
	draw_between(d, seen_s - HOUR_S, HOUR_S, false, demo_random_between(&d->r, 8, 12));
	if (back_s) {
		draw_between(d, seen_s, back_s, false, demo_random_between(&d->r, 6, 10));
		draw_between(d, seen_s, back_s, true, demo_random_between(&d->r, 6, 10));
	}
	draw_between(d, jump->wall_s + forth_s, HOUR_S, true, demo_random_between(&d->r, 4, 8));
}

/* Within a second in the order of drawing, so that the sort is one for every machine. */
static int by_creation(const void *a, const void *b)
{
	const struct demo_order *x = a, *y = b;
	if (x->created_s != y->created_s)
		return x->created_s < y->created_s ? -1 : 1;
	return x->line_from < y->line_from ? -1 : x->line_from > y->line_from;
}

static void number(struct draw *d)
{
	int year, month, day;
	struct demo_orders *out = d->out;
	demo_date_split(d->date, &year, &month, &day);
	int64_t base = ((int64_t)year * 10000 + month * 100 + day) * 10000;
	qsort(out->rows + d->first, (size_t)(out->n - d->first), sizeof *out->rows, by_creation);
	for (int64_t i = d->first; i < out->n; i++)
		out->rows[i].id = base + (i - d->first) + 1;
}

void demo_day_draw(const struct demo_rules *rules, int64_t date, struct demo_orders *out)
{
	struct draw d = {.rules = rules, .out = out, .date = date, .first = out->n};
	struct demo_jump jump;
	int64_t turn_s = date * DAY_S + SERVICE_TURN_H * HOUR_S;
	bool night = demo_zone_find_jump(rules->zone, turn_s, turn_s + DAY_S, &jump);
	if (!night && !demo_calendar_is_open(date))
		return;
	demo_random_init(&d.r, rules->seed, date);
	demo_menu_make(&d.menu, rules->arena, date, rules->unit_minor);
	draw_usual(&d);
	if (night)
		draw_long_night(&d, &jump);
	number(&d);
}

/* ---- a cut through the course --------------------------------------------------- */

/* What prices hold of tax: 19 % in drinks, 7 % in food; half-even, once per order. */
static int64_t tax_in(const struct demo_order *o, int64_t total_minor)
{
	int64_t food_minor = o->items_minor - o->drinks_minor;
	int64_t weighted = o->drinks_minor * 19 * 107 + food_minor * 7 * 119;
	int64_t divisor = o->items_minor * 119 * 107;
	int64_t whole = total_minor * weighted / divisor, rest = total_minor * weighted % divisor;
	if (rest * 2 > divisor || (rest * 2 == divisor && whole % 2 == 1))
		whole++;
	return whole;
}

static void state_status(const struct demo_order *o, int64_t horizon_s, struct demo_state *s)
{
	bool settled = o->settled_s < horizon_s;
	bool late = o->late_s < horizon_s;
	s->status = "OPEN";
	s->updated_s = o->created_s;
	if (o->preparing_s < horizon_s &&
	    (o->fate != DEMO_CANCELLED || o->preparing_s < o->settled_s)) {
		s->status = "PREPARING";
		s->updated_s = o->preparing_s;
	}
	if (settled) {
		s->status = o->fate == DEMO_CANCELLED ? "CANCELLED" : "SERVED";
		s->updated_s = o->settled_s;
		s->cancelled_s = o->fate == DEMO_CANCELLED ? o->settled_s : 0;
	}
	if (late) {
		s->updated_s = o->late_s;
		s->cancelled_s = o->fate == DEMO_CANCELLED_LATE ? o->late_s : 0;
	}
	if (s->cancelled_s)
		s->status = "CANCELLED";
}

void demo_order_state(const struct demo_order *o, int64_t horizon_s, struct demo_state *out)
{
	*out = (struct demo_state){.tip_minor = -1, .discount_minor = o->discount_minor};
	state_status(o, horizon_s, out);
	if (o->fate == DEMO_CORRECTED && o->late_s < horizon_s)
		out->discount_minor += o->late_discount_minor;
	out->total_minor = o->items_minor - out->discount_minor + o->fee_minor;
	out->tax_minor = tax_in(o, out->total_minor);
	if (o->settled_s < horizon_s && !out->cancelled_s)
		out->tip_minor = o->tip_minor;
	for (int i = 0; i < o->refunds_n; i++) {
		if (o->refunds[i].at_s >= horizon_s)
			continue;
		out->refunds_n = i + 1;
		out->refund_minor += o->refunds[i].amount_minor;
	}
}
