/* explorer_view.c: an answer as figures, a chart and its table. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/jnode.h"
#include "base/time_text.h"
#include "cgi-bin/explorer.h"
#include "domain/activity_metrics.h"
#include "domain/format.h"
#include "web/escape.h"

enum { ROWS = 500, SERIES = 6, DEPTH = 8, DATE_BYTES = 10 };

static const char OTHERS[] = "(other groups)";

struct view {
	struct call *c;
	struct arena *m;
	const struct explored *e;
	const struct metric *metrics[ASK_METRICS];
	int main; /* its place in metrics */
	const char *step, *today, *currency, *from, *to;
	bool is_day, compares;
	int64_t now_us;
	const struct jnode *rows, *totals, *base, *buckets;
	uint32_t groups_n; /* rows of each bucket */
};

static const struct jnode *json_of(const struct call *c, const struct rowset *rs, const char *name)
{
	struct errbuf eb = {0};
	const struct jnode *out = NULL;
	const char *text = rowset_get(rs, 0, name);
	if (!text)
		return NULL;
	text = arena_strdup(c->req->arena, text);
	must(jnode_parse(c->req->arena, text, strlen(text), DEPTH, NULL, &out, &eb) == ERR_OK);
	return out;
}

static const char *number(const struct jnode *object, const char *name)
{
	const struct jnode *v = jnode_get(object, name);
	return jnode_is(v, JNODE_NUMBER) ? v->text : NULL;
}

static const char *figure_text(const struct view *v, const struct metric *metric, const char *value)
{
	struct buf text;
	buf_init(&text);
	format_metric(&text, metric, value, v->currency);
	const char *out = arena_strdup(v->m, buf_str(&text));
	buf_fini(&text);
	return out;
}

static const char *date_text(const struct view *v, const char *date)
{
	struct buf text;
	buf_init(&text);
	format_date(&text, date, v->today);
	const char *out = arena_strdup(v->m, buf_str(&text));
	buf_fini(&text);
	return out;
}

/* ---- totals ---------------------------------------------------------------------------------- */

/* In percent, of percentages in points; only to be read. */
static void put_change(const struct view *v, struct tv *tile, const struct metric *metric,
                       const char *now, const char *before)
{
	struct arena *m = v->m;
	struct buf text;
	double a = strtod(now, NULL), b = strtod(before, NULL);
	bool points = metric->unit == UNIT_PERCENT;
	double change = points ? a - b : fabs(b) > 0 ? 100 * (a - b) / fabs(b) : 0;
	bool is_new = !points && !(fabs(b) > 0) && fabs(a) > 0;
	tv_set_bool(m, tile, "is_new", is_new);
	if (is_new)
		return;
	buf_init(&text);
	if (points)
		buf_printf(&text, "%s%.1f points", change < -0.05 ? "\xe2\x88\x92" : "+", fabs(change));
	else
		format_change(&text, arena_printf(m, "%.2f", change));
	tv_set_text(m, tile, "change", buf_str(&text));
	tv_set(m, tile, "dir", tv_borrow(m, change >= 0.05 ? "up" : change <= -0.05 ? "down" : "flat"));
	buf_fini(&text);
}

static struct tv *tile_of(const struct view *v, int i)
{
	struct arena *m = v->m;
	struct tv *tile = tv_object(m);
	struct explored other = *v->e;
	const struct metric *metric = v->metrics[i];
	const char *now = number(v->totals, metric->id);
	const char *before = number(jnode_get(v->base, "totals"), metric->id);
	other.main = metric->id;
	tv_set_text(m, tile, "id", metric->id);
	tv_set(m, tile, "label", tv_borrow(m, metric->label));
	tv_set(m, tile, "help", tv_borrow(m, metric->formula));
	tv_set_text(m, tile, "value", now);
	tv_set_text(m, tile, "text", figure_text(v, metric, now));
	tv_set_bool(m, tile, "is_main", i == v->main);
	tv_set_bool(m, tile, "is_money", metric->unit == UNIT_MONEY);
	tv_set_text(m, tile, "href", explorer_link(v->c, &other));
	tv_set(m, tile, "change", NULL);
	tv_set(m, tile, "dir", NULL);
	tv_set(m, tile, "is_new", NULL);
	tv_set_text(m, tile, "before", before ? figure_text(v, metric, before) : NULL);
	if (now && before)
		put_change(v, tile, metric, now, before);
	return tile;
}

/* ---- buckets ------------------------------------------------------------------------------------
 */

static const char *day_of(const struct jnode *bucket, struct arena *m)
{
	const char *name = jnode_string_at(bucket, "bucket");
	return name ? arena_strndup(m, name, DATE_BYTES) : "";
}

static const char *day_before(const struct view *v, const char *day)
{
	char out[TIME_TEXT_BYTES];
	int64_t us;
	if (time_parse(day, &us) == TIME_NONE || !time_format_date(us / US_PER_DAY - 1, out))
		return day;
	return arena_strndup(v->m, out, DATE_BYTES);
}

/* First and last business day of a bucket, as far as they are asked for. */
static void days_of(const struct view *v, const struct jnode *bucket, const char **from,
                    const char **to)
{
	const char *first = day_of(bucket, v->m);
	*from = strcmp(first, v->from) < 0 ? v->from : first;
	*to = bucket->next ? day_before(v, day_of(bucket->next, v->m)) : v->to;
	if (strcmp(v->step, "day") == 0 || strcmp(v->step, "hour") == 0)
		*to = *from;
}

static const char *month_text(const struct view *v, const char *day)
{
	static const char *const names[] = {"January",   "February", "March",    "April",
	                                    "May",       "June",     "July",     "August",
	                                    "September", "October",  "November", "December"};
	int n = (day[5] - '0') * 10 + day[6] - '0';
	return arena_printf(v->m, "%s %.4s", names[n >= 1 && n <= 12 ? n - 1 : 0], day);
}

static const char *bucket_text(const struct view *v, const struct jnode *bucket)
{
	const char *from, *to, *name = jnode_string_at(bucket, "bucket");
	days_of(v, bucket, &from, &to);
	if (strcmp(v->step, "hour") == 0 && name && strlen(name) >= 16)
		return v->is_day
		           ? arena_strndup(v->m, name + 11, 5)
		           : arena_printf(v->m, "%s, %.5s", date_text(v, day_of(bucket, v->m)), name + 11);
	if (strcmp(v->step, "week") == 0)
		return arena_printf(v->m, "%s \xe2\x80\x93 %s", date_text(v, from) + 4,
		                    date_text(v, to) + 4);
	return strcmp(v->step, "month") == 0 ? month_text(v, from) : date_text(v, from);
}

/* A bucket goes down to its days, a day to its hours; an hour goes no further. */
static const char *bucket_link(const struct view *v, const struct jnode *bucket)
{
	struct explored other = *v->e;
	if (strcmp(v->step, "hour") == 0)
		return NULL;
	days_of(v, bucket, &other.from, &other.to);
	other.step = "day";
	if (strcmp(other.from, other.to) == 0) {
		other.date = other.from;
		other.from = other.to = NULL;
		other.step = "hour";
	}
	return explorer_link(v->c, &other);
}

static bool is_running(const struct view *v, const struct jnode *bucket)
{
	const char *to = jnode_string_at(bucket, "to");
	int64_t us;
	return !bucket->next && to && time_parse(to, &us) == TIME_INSTANT && us > v->now_us;
}

static void put_bucket(const struct view *v, struct tv *row, struct tv *heads,
                       const struct jnode *bucket)
{
	struct arena *m = v->m;
	struct tv *head = tv_object(m);
	bool whole = jnode_is(jnode_get(bucket, "whole"), JNODE_TRUE), runs = is_running(v, bucket);
	tv_set_text(m, head, "text", bucket_text(v, bucket));
	tv_set_text(m, head, "href", bucket_link(v, bucket));
	tv_set_bool(m, head, "runs", runs);
	tv_push(m, heads, head);
	tv_set_text(m, row, "date", jnode_string_at(bucket, "bucket"));
	tv_set_text(m, row, "partial", runs ? "so far" : whole ? NULL : "a part of it");
}

/* ---- groups ---------------------------------------------------------------------------------- */

/* A group narrows the question to itself, and is then no group any more. */
static const char *group_link(const struct view *v, int i, const char *value)
{
	struct explored other = *v->e;
	int at = 0;
	if (strcmp(value, OTHERS) == 0)
		return NULL;
	while (at < other.filters_n && strcmp(other.filters[at].name, v->e->by[i]) != 0)
		at++;
	if (at == ASK_FILTERS)
		return NULL;
	other.filters[at] = (struct pair){v->e->by[i], value};
	other.filters_n += at == other.filters_n;
	other.by_n = 0;
	for (int k = 0; k < v->e->by_n; k++)
		if (k != i)
			other.by[other.by_n++] = v->e->by[k];
	return explorer_link(v->c, &other);
}

static const char *group_name(const struct view *v, const struct jnode *row)
{
	const char *text = "";
	for (int i = 0; i < v->e->by_n; i++) {
		const char *value = jnode_string_at(row, v->e->by[i]);
		if (i == 0 || strcmp(value ? value : "", OTHERS) != 0)
			text = arena_printf(v->m, "%s%s%s", text, i ? " \xc2\xb7 " : "", value ? value : "");
	}
	return text;
}

/* ---- the table ------------------------------------------------------------------------------- */

static struct tv *column(struct arena *m, const char *label, bool is_figure, const char *plot)
{
	struct tv *col = tv_object(m);
	tv_set_text(m, col, "label", label);
	tv_set_bool(m, col, "is_figure", is_figure);
	tv_set_text(m, col, "plot", plot);
	tv_set(m, col, "series", NULL);
	return col;
}

static const char *unit_label(const char *step)
{
	return strcmp(step, "hour") == 0   ? "Hour"
	       : strcmp(step, "day") == 0  ? "Day"
	       : strcmp(step, "week") == 0 ? "Week"
	                                   : "Month";
}

static struct tv *columns_of(const struct view *v)
{
	struct arena *m = v->m;
	struct tv *list = tv_list(m);
	bool timed = v->buckets->n > 0, grouped = v->e->by_n > 0;
	const char *plot = timed && grouped ? NULL : timed ? "line" : grouped ? "bar" : NULL;
	if (timed)
		tv_push(m, list, column(m, unit_label(v->step), false, NULL));
	for (int i = 0; i < v->e->by_n; i++)
		tv_push(m, list, column(m, v->e->by[i], false, NULL));
	for (int i = 0; i < v->e->metrics_n; i++) {
		tv_push(m, list, column(m, v->metrics[i]->label, true, i == v->main ? plot : NULL));
		if (i == v->main && v->compares)
			tv_push(m, list, column(m, "Before", true, timed && plot ? "base" : NULL));
	}
	return list;
}

static void put_cell(const struct view *v, struct tv *cells, const struct metric *metric,
                     const char *value, bool is_base)
{
	struct tv *cell = tv_object(v->m);
	tv_set_text(v->m, cell, "value", value);
	tv_set_text(v->m, cell, "text", figure_text(v, metric, value));
	tv_set_bool(v->m, cell, "is_base", is_base);
	tv_push(v->m, cells, cell);
}

static struct tv *row_of(const struct view *v, const struct jnode *bucket, const struct jnode *from)
{
	struct arena *m = v->m;
	struct tv *row = tv_object(m), *heads = tv_list(m), *cells = tv_list(m);
	tv_set(m, row, "date", NULL);
	tv_set(m, row, "partial", NULL);
	tv_set_text(m, row, "name", v->e->by_n > 1 ? group_name(v, from) : NULL);
	if (bucket)
		put_bucket(v, row, heads, bucket);
	for (int i = 0; i < v->e->by_n; i++) {
		struct tv *head = tv_object(m);
		const char *value = jnode_string_at(from, v->e->by[i]);
		tv_set_text(m, head, "text", value);
		tv_set_text(m, head, "href", group_link(v, i, value ? value : ""));
		tv_set(m, head, "runs", NULL);
		tv_push(m, heads, head);
	}
	for (int i = 0; i < v->e->metrics_n; i++) {
		const struct metric *metric = v->metrics[i];
		must(metric != NULL);
		put_cell(v, cells, metric, number(from, metric->id), false);
		if (i == v->main && v->compares)
			put_cell(v, cells, metric, number(jnode_get(from, "compare"), metric->id), true);
	}
	tv_set(m, row, "heads", heads);
	tv_set(m, row, "cells", cells);
	return row;
}

/* Newest bucket first, and in it the groups in their order; no more than somebody reads. */
static void put_rows(const struct view *v, struct tv *more)
{
	struct arena *m = v->m;
	struct tv *list = tv_list(m);
	uint32_t n = v->buckets->n ? v->buckets->n : 1, done = 0;
	const struct jnode **buckets = arena_array(m, n, sizeof *buckets);
	const struct jnode **firsts = arena_array(m, n, sizeof *firsts);
	const struct jnode *row = v->rows->first, *bucket = v->buckets->first;
	for (uint32_t i = 0; i < n; i++, bucket = bucket ? bucket->next : NULL) {
		buckets[i] = bucket;
		firsts[i] = row;
		for (uint32_t k = 0; row && k < v->groups_n; k++)
			row = row->next;
	}
	for (uint32_t i = n; i-- > 0;) {
		row = firsts[i];
		for (uint32_t k = 0; row && k < v->groups_n && done < ROWS; k++, row = row->next, done++)
			tv_push(m, list, row_of(v, buckets[i], row));
	}
	tv_set(m, more, "columns", columns_of(v));
	tv_set(m, more, "rows", list);
	tv_set_bool(m, more, "is_cut", v->rows->n > ROWS);
}

/* Of groups over time: a line for each of the first, from a table of their own. */
static void put_pivot(const struct view *v, struct tv *more)
{
	struct arena *m = v->m;
	struct tv *series = tv_list(m), *list = tv_list(m);
	uint32_t shown = v->groups_n < SERIES ? v->groups_n : SERIES;
	const struct jnode *row = v->rows->first;
	tv_push(m, series, column(m, unit_label(v->step), false, NULL));
	for (uint32_t k = 0; row && k < shown; k++, row = row->next) {
		struct tv *col = column(m, group_name(v, row), true, "line");
		tv_set_int(m, col, "series", k + 1);
		tv_push(m, series, col);
	}
	row = v->rows->first;
	for (const struct jnode *b = v->buckets->first; b; b = b->next) {
		struct tv *line = tv_object(m), *heads = tv_list(m), *cells = tv_list(m);
		put_bucket(v, line, heads, b);
		for (uint32_t k = 0; row && k < v->groups_n; k++, row = row->next)
			if (k < shown)
				put_cell(v, cells, v->metrics[v->main], number(row, v->e->main), false);
		tv_set(m, line, "heads", heads);
		tv_set(m, line, "cells", cells);
		tv_push(m, list, line);
	}
	for (size_t i = 0; i < list->n / 2; i++) {
		const struct tv *last = list->items[list->n - 1 - i];
		list->items[list->n - 1 - i] = list->items[i];
		list->items[i] = last;
	}
	tv_set(m, more, "series", series);
	tv_set(m, more, "pivot", list);
}

/* ---- where it comes from --------------------------------------------------------------------- */

static const char *source_words(const char *word)
{
	static const char *const words[][2] = {{"raw", "single events"},
	                                       {"session", "sessions one by one"},
	                                       {"person_day", "who was there on each day"},
	                                       {"hour", "sums of hours"},
	                                       {"day", "sums of days"},
	                                       {"month", "sums of months"}};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i][0], word) == 0)
			return words[i][1];
	return word;
}

static void put_sources(const struct view *v, struct tv *more, const struct jnode *sources)
{
	struct tv *list = tv_list(v->m);
	for (const struct jnode *family = sources ? sources->first : NULL; family;
	     family = family->next) {
		struct tv *row = tv_object(v->m);
		const char *text = "";
		for (const struct jnode *w = family->first; w; w = w->next)
			text = arena_printf(v->m, "%s%s%s", text, *text ? ", " : "",
			                    w->text ? source_words(w->text) : "");
		tv_set_text(v->m, row, "family", arena_strndup(v->m, family->name, family->name_n));
		tv_set_text(v->m, row, "words", text);
		tv_push(v->m, list, row);
	}
	tv_set(v->m, more, "sources", list);
}

/* ---- all of it ---------------------------------------------------------------------------- */

static void view_begin(struct view *v, struct call *c, const struct explored *e,
                       const struct rowset *answer)
{
	*v = (struct view){.c = c, .m = c->req->arena, .e = e};
	must(e->metrics_n > 0);
	for (int i = 0; i < e->metrics_n; i++) {
		v->metrics[i] = activity_metric_find(e->metrics[i])->metric;
		if (strcmp(e->metrics[i], e->main) == 0)
			v->main = i;
	}
	v->currency = rowset_get(answer, 0, "currency");
	v->rows = json_of(c, answer, "rows");
	v->totals = json_of(c, answer, "totals");
	v->base = json_of(c, answer, "comparison");
	v->buckets = json_of(c, answer, "buckets");
	v->compares = v->base != NULL;
	v->groups_n = v->buckets->n ? v->rows->n / v->buckets->n : v->rows->n;
}

void explorer_show(struct call *c, struct tv *more, const struct explored *e,
                   const struct rowset *scope, const struct rowset *answer)
{
	struct view v;
	view_begin(&v, c, e, answer);
	v.step = explorer_step(e, rowset_int(scope, 0, "days_n"));
	v.today = rowset_get(scope, 0, "today");
	v.from = rowset_get(scope, 0, "from");
	v.to = rowset_get(scope, 0, "to");
	v.now_us = clock_now_us();
	v.is_day = *rowset_get(scope, 0, "is_day") == 't';
	struct tv *tiles = tv_list(v.m);
	for (int i = 0; i < e->metrics_n; i++)
		tv_push(v.m, tiles, tile_of(&v, i));
	tv_set(v.m, more, "tiles", tiles);
	put_rows(&v, more);
	if (e->by_n && v.buckets->n && v.groups_n)
		put_pivot(&v, more);
	put_sources(&v, more, json_of(c, answer, "source"));
	tv_set(v.m, more, "main_label", tv_borrow(v.m, v.metrics[v.main]->label));
	tv_set_text(v.m, more, "unit_word", v.buckets->n ? v.step : NULL);
	tv_set_text(v.m, more, "currency", v.currency);
	tv_set_bool(v.m, more, "is_answered", true);
	tv_set_bool(v.m, more, "has_chart", v.rows->n > 0 && (v.buckets->n || e->by_n));
	tv_set_bool(v.m, more, "is_lines", e->by_n && v.buckets->n && v.groups_n);
	tv_set_bool(v.m, more, "is_filtered", e->filters_n > 0);
	tv_set_bool(v.m, more, "is_one_group", e->by_n && rowset_int(answer, 0, "group_count") == 1);
	tv_set_bool(v.m, more, "is_timed", v.buckets->n > 0);
	tv_set_bool(v.m, more, "is_compared", v.compares);
	tv_set_bool(v.m, more, "is_exact", *rowset_get(answer, 0, "exact") == 't');
	tv_set_text(v.m, more, "groups_n", e->by_n ? rowset_get(answer, 0, "group_count") : NULL);
}

void explorer_csv(const struct call *c, const struct explored *e, const struct rowset *answer,
                  struct buf *out)
{
	const struct jnode *rows = json_of(c, answer, "rows"), *base = json_of(c, answer, "comparison");
	bool timed = json_of(c, answer, "buckets")->n > 0;
	buf_puts(out, timed ? "bucket," : "");
	for (int i = 0; i < e->by_n; i++)
		buf_printf(out, "%s,", e->by[i]);
	for (int i = 0; i < e->metrics_n; i++)
		buf_printf(out, "%s%s", i ? "," : "", e->metrics[i]);
	for (int i = 0; base && i < e->metrics_n; i++)
		buf_printf(out, ",base_%s", e->metrics[i]);
	buf_puts(out, "\r\n");
	for (const struct jnode *row = rows->first; row; row = row->next) {
		const struct jnode *compare = jnode_get(row, "compare");
		buf_printf(out, "%s%s", timed ? jnode_string_at(row, "bucket") : "", timed ? "," : "");
		for (int i = 0; i < e->by_n; i++) {
			const char *value = jnode_string_at(row, e->by[i]);
			escape_csv_text(out, value ? value : "", value ? strlen(value) : 0);
			buf_putc(out, ',');
		}
		for (int i = 0; i < e->metrics_n; i++) {
			buf_puts(out, i ? "," : "");
			escape_csv_number(out, number(row, e->metrics[i]));
		}
		for (int i = 0; base && i < e->metrics_n; i++) {
			buf_putc(out, ',');
			escape_csv_number(out, number(compare, e->metrics[i]));
		}
		buf_puts(out, "\r\n");
	}
}
