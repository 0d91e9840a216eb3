/* night_series.c: what was sold, as series of numbers. */
#include "batch/night.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "domain/holidays.h"

enum { DAY_S = 86400, HOUR_S = 3600, HOURS = 24 };

/* ---- texts ------------------------------------------------------------------ */

const char *night_date(struct arena *a, int32_t day)
{
	struct holidays_date d = holidays_date_of(day);
	return arena_printf(a, "%04d-%02d-%02d", d.year, d.month, d.day);
}

const char *night_step_name(enum night_step step)
{
	return step == NIGHT_HOUR ? "hour" : "day";
}

const char *night_number(struct arena *a, double v, int decimals)
{
	return isfinite(v) ? arena_printf(a, "%.*f", decimals, v) : NULL;
}

static const char *kept(struct night_list *list, const struct rowset *rs, int row, const char *name)
{
	const char *text = rowset_get(rs, row, name);
	return text ? arena_strdup(list->arena, text) : NULL;
}

/* "12,NaN,7" as numbers. */
static double *numbers(struct arena *a, const char *text, size_t n)
{
	double *y = arena_array(a, n, sizeof *y);
	for (size_t i = 0; i < n; i++) {
		char *end;
		y[i] = strtod(text, &end);
		text = *end ? end + 1 : end;
	}
	return y;
}

/* ---- what all series share ---------------------------------------------------- */

struct specials {
	struct night *night;
	size_t cap;
};

static void add_special(struct specials *s, int32_t day, const char *name, const char *location)
{
	struct night *n = s->night;
	if (n->special_n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 256;
		struct night_special *more = arena_array(n->arena, cap, sizeof *more);
		if (n->special_n)
			memcpy(more, n->special, n->special_n * sizeof *more);
		n->special = more;
		s->cap = cap;
	}
	n->special[n->special_n++] = (struct night_special){{day, name}, location};
}

/* One name is one effect: a day that is a feast in two of the countries bears the name it has in
 * the first of them. */
static void add_holiday(void *arg, int32_t day, const char *name)
{
	struct specials *s = arg;
	for (size_t i = 0; i < s->night->special_n; i++)
		if (s->night->special[i].special.day == day)
			return;
	add_special(s, day, name, NULL);
}

static enum err load_special(struct night *n, struct errbuf *eb)
{
	struct specials s = {n, 0};
	struct rowset rs;
	struct night_list own = {.arena = n->arena};
	int last = holidays_date_of(n->newest_day + FORECAST_HORIZON_MAX).year;
	int first = holidays_date_of(n->newest_day - FORECAST_DAYS_USED).year;
	const char *countries = conf_str(n->run->conf, CONF_HOLIDAYS);
	for (int year = first; year <= last; year++)
		holidays_of_all(countries, year, add_holiday, &s);
	enum err rc = db_query(n->db, "night_special", DB_NO_PARAMS, &rs, eb);
	for (int i = 0; i < rowset_rows(&rs); i++)
		add_special(&s, (int32_t)rowset_int(&rs, i, "day"), kept(&own, &rs, i, "name"),
		            kept(&own, &rs, i, "location_id"));
	rowset_fini(&rs);
	return rc;
}

static enum err load_odd_hours(struct night *n, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(n->db, "night_odd_hours",
	                       DB_PARAMS({"timezone", n->run->timezone}, {"cutoff", n->run->cutoff},
	                                 {"newest", n->newest}),
	                       &rs, eb);
	n->odd_n = (size_t)rowset_rows(&rs);
	n->odd = arena_array(n->arena, n->odd_n, sizeof *n->odd);
	for (int i = 0; i < rowset_rows(&rs); i++)
		n->odd[i] =
			(struct night_hour){(int32_t)rowset_int(&rs, i, "day"), (int)rowset_int(&rs, i, "hour"),
		                        (int)rowset_int(&rs, i, "seconds")};
	rowset_fini(&rs);
	return rc;
}

enum err night_prepare(struct night *n, struct errbuf *eb)
{
	struct rowset rs = {0};
	enum err rc = db_script(n->db, "night_tables", eb);
	if (rc == ERR_OK)
		rc = db_query(n->db, "night_scopes", DB_PARAMS({"newest", n->newest}), &rs, eb);
	n->scopes = rowset_affected(&rs);
	rowset_fini(&rs);
	if (rc == ERR_OK)
		rc = load_special(n, eb);
	return rc == ERR_OK ? load_odd_hours(n, eb) : rc;
}

/* ---- series --------------------------------------------------------------------- */

static void set_special(const struct night *n, struct night_list *list, struct night_series *s)
{
	struct forecast_special *own = arena_array(list->arena, n->special_n, sizeof *own);
	s->input.special = own;
	for (size_t i = 0; i < n->special_n; i++) {
		const struct night_special *one = &n->special[i];
		if (!one->location || (s->location && strcmp(one->location, s->location) == 0))
			own[s->input.special_n++] = one->special;
	}
}

static void add_series(const struct night *n, struct night_list *list, const struct rowset *rs,
                       int row, struct night_series s)
{
	if (list->n == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 64;
		struct night_series *more = arena_array(list->arena, list->cap, sizeof *more);
		if (list->n)
			memcpy(more, list->rows, list->n * sizeof *more);
		list->rows = more;
	}
	bool hours = s.step == NIGHT_HOUR;
	s.currency = kept(list, rs, row, "currency");
	s.first_day = (int32_t)rowset_int(rs, row, "first_day");
	s.input.n = (size_t)rowset_int(rs, row, "n");
	s.input.y = numbers(list->arena, rowset_get(rs, row, s.metric), s.input.n);
	s.input.period[0] = hours ? HOURS : 7;
	s.input.period[1] = hours ? 7 * HOURS : 0;
	s.input.step_s = hours ? HOUR_S : DAY_S;
	s.input.start_s = (int64_t)s.first_day * DAY_S + (hours ? n->cutoff * HOUR_S : 0);
	set_special(n, list, &s);
	list->rows[list->n++] = s;
}

static enum err load(struct night *n, int64_t first, int64_t last, enum night_step step,
                     struct night_list *list, struct errbuf *eb)
{
	struct rowset rs;
	const struct db_param *params =
		DB_PARAMS({"newest", n->newest}, {"profile", n->run->profile}, {"cutoff", n->run->cutoff},
	              {"first", arena_printf(list->arena, "%" PRId64, first)},
	              {"last", arena_printf(list->arena, "%" PRId64, last)});
	enum err rc = step == NIGHT_HOUR ? db_query(n->db, "night_hours", params, &rs, eb)
	                                 : db_query(n->db, "night_days", params, &rs, eb);
	for (int i = 0; i < rowset_rows(&rs); i++) {
		struct night_series s = {
			.step = step, .metric = "orders", .location = kept(list, &rs, i, "location_id")};
		add_series(n, list, &rs, i, s);
		s.metric = "revenue";
		if (step == NIGHT_DAY)
			add_series(n, list, &rs, i, s);
	}
	rowset_fini(&rs);
	return rc;
}

enum err night_load(struct night *n, int64_t first, int64_t last, struct night_list *list,
                    struct errbuf *eb)
{
	enum err rc = load(n, first, last, NIGHT_DAY, list, eb);
	return rc == ERR_OK ? load(n, first, last, NIGHT_HOUR, list, eb) : rc;
}

enum err night_load_items(struct night *n, struct night_list *list, struct errbuf *eb)
{
	static const char *const metrics[] = {"revenue", "quantity"};
	struct rowset rs;
	enum err rc = db_query(
		n->db, "night_items",
		DB_PARAMS({"newest", n->newest}, {"items", arena_printf(list->arena, "%d", NIGHT_ITEMS)}),
		&rs, eb);
	for (int i = 0; i < rowset_rows(&rs); i++)
		for (size_t m = 0; m < sizeof metrics / sizeof *metrics; m++)
			add_series(n, list, &rs, i,
			           (struct night_series){.step = NIGHT_DAY,
			                                 .metric = metrics[m],
			                                 .item = kept(list, &rs, i, "item_id")});
	rowset_fini(&rs);
	return rc;
}

struct night_slot night_slot_of(const struct night *n, const struct night_series *s, size_t i)
{
	struct night_slot slot = {s->first_day + (int32_t)i, -1, 1};
	if (s->step == NIGHT_DAY)
		return slot;
	slot.day = s->first_day + (int32_t)(i / HOURS);
	slot.hour = (n->cutoff + (int)(i % HOURS)) % HOURS;
	for (size_t k = 0; k < n->odd_n; k++)
		if (n->odd[k].day == slot.day && n->odd[k].hour == slot.hour)
			slot.part = (double)n->odd[k].seconds / HOUR_S;
	return slot;
}
