/* demo_truth.c: sums over orders in memory, as JSON. */
#include "batch/demo_truth.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "batch/demo_calendar.h"

enum { HOURS = 24, ITEMS = 256, HOUR_S = 3600, DAY_S = 86400 };

struct sums {
	int64_t placed, served, cancelled, open;
	int64_t gross_minor, refund_minor, discount_minor, fee_minor, tip_minor;
	int64_t items_minor, item_qty;
};

struct day {
	struct sums sums;
	struct sums hours[HOURS];
};

struct item {
	int64_t item_id, named_s; /* when the name was last seen */
	const char *name;
	int64_t quantity, revenue_minor, orders;
};

struct truth {
	const struct demo_truth_head *head;
	const struct demo_zone *zone;
	struct day *days; /* of first_date..last_date */
	int64_t days_n, closed_n;
	struct item items[ITEMS];
	int items_n;
};

/* ---- counting ----------------------------------------------------------------- */

static void sums_add(struct sums *s, const struct demo_order *o, const struct demo_state *state,
                     int64_t item_qty)
{
	s->placed++;
	if (strcmp(state->status, "CANCELLED") == 0) {
		s->cancelled++;
	} else if (strcmp(state->status, "SERVED") != 0) {
		s->open++;
	} else {
		s->served++;
		s->gross_minor += state->total_minor;
		s->refund_minor += state->refund_minor;
		s->discount_minor += state->discount_minor;
		s->fee_minor += o->fee_minor;
		s->tip_minor += state->tip_minor;
		s->items_minor += o->items_minor;
		s->item_qty += item_qty;
	}
}

static struct item *item_of(struct truth *t, int64_t item_id)
{
	for (int i = 0; i < t->items_n; i++)
		if (t->items[i].item_id == item_id)
			return &t->items[i];
	must(t->items_n < ITEMS);
	struct item *item = &t->items[t->items_n++];
	item->item_id = item_id;
	item->named_s = INT64_MIN;
	return item;
}

static void add_line(struct truth *t, const struct demo_line *line, int64_t created_s)
{
	struct item *item = item_of(t, line->item_id);
	item->quantity += line->quantity;
	item->revenue_minor += line->quantity * line->price_minor;
	item->orders++; /* an order has one line of a dish */
	if (created_s >= item->named_s) {
		item->named_s = created_s;
		item->name = line->name;
	}
}

static void add_order(struct truth *t, const struct demo_order *o, const struct demo_line *lines)
{
	struct demo_state state;
	int64_t item_qty = 0;
	int64_t day = demo_zone_business_date(t->zone, o->created_s) - t->head->first_date;
	must(day >= 0 && day < t->days_n);
	int64_t wall_s = demo_zone_wall(t->zone, o->created_s);
	int64_t hour = (wall_s - demo_date_of_seconds(wall_s) * DAY_S) / HOUR_S;
	demo_order_state(o, t->head->horizon_s, &state);
	for (int i = 0; i < o->lines_n; i++) {
		item_qty += lines[i].quantity;
		if (day < t->closed_n && strcmp(state.status, "SERVED") == 0)
			add_line(t, &lines[i], o->created_s);
	}
	sums_add(&t->days[day].sums, o, &state, item_qty);
	sums_add(&t->days[day].hours[hour], o, &state, item_qty);
}

static void count(struct truth *t, const struct demo_orders *orders)
{
	int64_t n = t->head->last_date - t->head->first_date + 1;
	t->days_n = n;
	t->days = mem_alloc((size_t)n * sizeof *t->days);
	memset(t->days, 0, (size_t)n * sizeof *t->days);
	for (int64_t i = 0; i < n; i++)
		if (demo_zone_day_start(t->zone, t->head->first_date + i + 1) <= t->head->horizon_s)
			t->closed_n = i + 1;
	for (int64_t i = 0; i < orders->n; i++)
		add_order(t, &orders->rows[i], orders->lines + orders->rows[i].line_from);
}

/* ---- writing ------------------------------------------------------------------ */

static void put_int(json_t *to, const char *key, int64_t v)
{
	(void)json_object_set_new(to, key, json_integer(v));
}

static void put_date(json_t *to, const char *key, int64_t date)
{
	char text[DEMO_DATE_TEXT];
	demo_date_format(date, text);
	(void)json_object_set_new(to, key, json_string(text));
}

static void put_sums(json_t *to, const struct sums *s)
{
	put_int(to, "placed", s->placed);
	put_int(to, "served", s->served);
	put_int(to, "cancelled", s->cancelled);
	put_int(to, "open", s->open);
	put_int(to, "revenue_minor", s->gross_minor - s->refund_minor);
	put_int(to, "gross_minor", s->gross_minor);
	put_int(to, "refund_minor", s->refund_minor);
	put_int(to, "discount_minor", s->discount_minor);
	put_int(to, "fee_minor", s->fee_minor);
	put_int(to, "tip_minor", s->tip_minor);
	put_int(to, "items_minor", s->items_minor);
	put_int(to, "item_qty", s->item_qty);
}

static json_t *day_json(int64_t date, const struct day *day)
{
	json_t *out = json_object(), *hours = json_array();
	put_date(out, "date", date);
	(void)json_object_set_new(out, "closed", json_boolean(day->sums.placed == 0));
	put_sums(out, &day->sums);
	for (int i = 0; i < HOURS; i++) {
		const struct sums *s = &day->hours[i];
		json_t *hour = json_object();
		put_int(hour, "hour", i);
		put_int(hour, "placed", s->placed);
		put_int(hour, "served", s->served);
		put_int(hour, "revenue_minor", s->gross_minor - s->refund_minor);
		(void)json_array_append_new(hours, hour);
	}
	(void)json_object_set_new(out, "hours", hours);
	return out;
}

static int by_id(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	return x->item_id < y->item_id ? -1 : x->item_id > y->item_id;
}

static json_t *items_json(struct truth *t)
{
	json_t *out = json_array();
	qsort(t->items, (size_t)t->items_n, sizeof *t->items, by_id);
	for (int i = 0; i < t->items_n; i++) {
		const struct item *item = &t->items[i];
		json_t *row = json_object();
		put_int(row, "item_id", item->item_id);
		(void)json_object_set_new(row, "name", json_string(item->name));
		put_int(row, "quantity", item->quantity);
		put_int(row, "revenue_minor", item->revenue_minor);
		put_int(row, "orders", item->orders);
		(void)json_array_append_new(out, row);
	}
	return out;
}

static void sums_total(struct sums *to, const struct sums *s)
{
	to->placed += s->placed;
	to->served += s->served;
	to->cancelled += s->cancelled;
	to->open += s->open;
	to->gross_minor += s->gross_minor;
	to->refund_minor += s->refund_minor;
	to->discount_minor += s->discount_minor;
	to->fee_minor += s->fee_minor;
	to->tip_minor += s->tip_minor;
	to->items_minor += s->items_minor;
	to->item_qty += s->item_qty;
}

static void put_days(json_t *out, const struct truth *t)
{
	struct sums total = {0};
	json_t *days = json_array(), *totals = json_object();
	for (int64_t i = 0; i < t->closed_n; i++) {
		(void)json_array_append_new(days, day_json(t->head->first_date + i, &t->days[i]));
		sums_total(&total, &t->days[i].sums);
	}
	put_int(totals, "days", t->closed_n);
	put_sums(totals, &total);
	(void)json_object_set_new(out, "totals", totals);
	(void)json_object_set_new(out, "today",
	                          t->closed_n == t->days_n
	                              ? json_null()
	                              : day_json(t->head->last_date, &t->days[t->days_n - 1]));
	(void)json_object_set_new(out, "days", days);
}

static json_t *truth_json(struct truth *t)
{
	char as_of[CLOCK_TEXT];
	json_t *out = json_object();
	clock_format_utc(t->head->horizon_s * 1000000, as_of);
	put_int(out, "seed", t->head->seed);
	(void)json_object_set_new(out, "timezone", json_string(t->head->zone));
	put_int(out, "cutoff", t->head->cutoff_h);
	(void)json_object_set_new(out, "currency", json_string(t->head->currency));
	put_date(out, "from", t->head->first_date);
	put_date(out, "until", t->head->last_date);
	(void)json_object_set_new(out, "as_of", json_string(as_of));
	put_days(out, t);
	(void)json_object_set_new(out, "items", items_json(t));
	return out;
}

enum err demo_truth_write(const char *path, const struct demo_truth_head *head,
                          const struct demo_zone *zone, const struct demo_orders *orders,
                          struct errbuf *eb)
{
	struct truth t = {.head = head, .zone = zone};
	count(&t, orders);
	json_t *json = truth_json(&t);
	FILE *f = fopen(path, "w");
	bool ok =
		f && json_dumpf(json, f, JSON_COMPACT) == 0 && fputc('\n', f) == '\n' && fflush(f) == 0;
	if (f && fclose(f) != 0)
		ok = false;
	json_decref(json);
	free(t.days);
	return ok ? ERR_OK : err_set(eb, ERR_IO, "%s cannot be written: %m", path);
}
