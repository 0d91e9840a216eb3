/* demo_day.h: the orders of one service day, and what is known of each at an instant.
 *
 * A day is drawn from the seed, its date and the zone's clock alone. The whole
 * course of an order is drawn with it, later edits and refunds included; how it
 * stands at an instant is a cut through that course. Therefore a table continued
 * day by day holds the same rows as one that was filled at once.
 *
 * Money: total = items - discount + delivery fee. The fee has no column and the
 * discount belongs to no line, so item sales differ from revenue as they do in
 * life. Prices include tax; tips are paid on top and are no part of the total. */
#ifndef TAKINGS_BATCH_DEMO_DAY_H
#define TAKINGS_BATCH_DEMO_DAY_H

#include <stdint.h>

#include "base/arena.h"
#include "batch/demo_zone.h"

enum {
	DEMO_LATE_DAYS = 21, /* no order changes later than that after its service day */
	DEMO_REFUNDS = 2,
};

enum demo_fate {
	DEMO_PLAIN,          /* prepared and served within two hours */
	DEMO_CANCELLED,      /* within minutes */
	DEMO_CANCELLED_LATE, /* served, and taken back days later */
	DEMO_CORRECTED,      /* served; days later a discount is granted */
	DEMO_FORGOTTEN,      /* eaten, but marked as served days later */
	DEMO_ABANDONED,      /* never marked as anything */
};

struct demo_line {
	int64_t item_id;
	const char *name; /* borrowed */
	int64_t price_minor;
	int64_t quantity;
};

struct demo_refund {
	int64_t at_s;
	int64_t amount_minor;
};

/* Instants in seconds since 1970; one that never comes is INT64_MAX. */
struct demo_order {
	int64_t id;          /* yyyymmdd of the service day * 10000 + running number */
	int64_t customer_id; /* 0: unknown */
	int64_t created_s, preparing_s, settled_s, late_s;
	int64_t items_minor, drinks_minor, discount_minor, late_discount_minor, fee_minor, tip_minor;
	struct demo_refund refunds[DEMO_REFUNDS];
	int refunds_n;
	int lines_n;
	int64_t line_from; /* index of its first line */
	enum demo_fate fate;
};

struct demo_orders {
	struct demo_order *rows; /* owned; by service day, then by creation */
	int64_t n, cap;
	struct demo_line *lines; /* owned */
	int64_t lines_n, lines_cap;
};

/* How an order stands at an instant. */
struct demo_state {
	const char *status; /* OPEN, PREPARING, SERVED, CANCELLED */
	int64_t total_minor, discount_minor, tax_minor;
	int64_t tip_minor;   /* -1: not known */
	int64_t cancelled_s; /* 0: it is not */
	int64_t updated_s;
	int refunds_n;
	int64_t refund_minor;
};

struct demo_rules {
	int64_t seed;
	int64_t unit_minor; /* demo_menu_make */
	const struct demo_zone *zone;
	struct arena *arena; /* for names */
};

void demo_orders_fini(struct demo_orders *o);

/* Appends the orders of a service day; none on closed days. */
void demo_day_draw(const struct demo_rules *rules, int64_t date, struct demo_orders *out);

/* Before `horizon_s`, that is: what happened at the horizon has not happened yet. */
void demo_order_state(const struct demo_order *o, int64_t horizon_s, struct demo_state *out);

#endif
