/* cohort_view.c: a table of cohorts as a heat map, an average drawn as a line, and figures of it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/time_text.h"
#include "cgi-bin/behaviour_page.h"
#include "domain/format.h"
#include "web/escape.h"

enum { LEVELS = 7, TILES = 3, WEEK_DAYS = 7 };

struct view {
	struct call *c;
	struct arena *m;
	const struct cohort_table *t;
	const char *today;
	bool of_people, counts, is_money, grows;
	double most; /* what has the deepest colour */
	int first;   /* lines before it have nobody: nothing was known yet */
	int columns; /* those with a cell */
};

/* ---- texts ------------------------------------------------------------------------------------
 */

static const char *unit_word(const struct cohort_table *t)
{
	return strcmp(t->cohort_type, "acquisition_day") == 0    ? "day"
	       : strcmp(t->cohort_type, "acquisition_week") == 0 ? "week"
	                                                         : "month";
}

static const char *money(const struct view *v, const char *amount)
{
	struct buf text;
	buf_init(&text);
	format_money(&text, amount, v->t->currency);
	const char *out = arena_strdup(v->m, buf_str(&text));
	buf_fini(&text);
	return out;
}

static const char *number(const struct view *v, const char *n)
{
	struct buf text;
	buf_init(&text);
	format_number(&text, n);
	const char *out = arena_strdup(v->m, buf_str(&text));
	buf_fini(&text);
	return out;
}

/* A value alone, and one with its unit. */
static const char *value_text(const struct view *v, const char *value)
{
	return v->is_money ? money(v, value) : number(v, value);
}

static const char *figure_text(const struct view *v, const char *value)
{
	return v->of_people ? behaviour_percent(v->m, value) : value_text(v, value);
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

static const char *day_after(const struct view *v, const char *day, int n)
{
	char out[TIME_TEXT_BYTES];
	int64_t us;
	if (time_parse(day, &us) == TIME_NONE || !time_format_date(us / US_PER_DAY + n, out))
		return day;
	return arena_strdup(v->m, out);
}

/* "Fri 14 Nov"; "10 Nov – 16 Nov"; "Nov 2026". */
static const char *cohort_text(const struct view *v, const char *first)
{
	const char *word = unit_word(v->t), *date = date_text(v, first) + 4;
	if (strcmp(word, "day") == 0)
		return date_text(v, first);
	if (strcmp(word, "week") == 0)
		return arena_printf(v->m, "%s \xe2\x80\x93 %s", date,
		                    date_text(v, day_after(v, first, WEEK_DAYS - 1)) + 4);
	return arena_printf(v->m, "%.3s %.4s", strchr(date, ' ') + 1, first);
}

/* ---- cells --------------------------------------------------------------------------------------
 */

static double size_of(const char *value)
{
	return value ? strtod(value, NULL) : 0;
}

/* The first period is everybody, or the first order: it would make all others look alike. */
static double most_of(const struct view *v)
{
	double most = 0;
	for (int i = 0; i < v->t->lines_n; i++)
		for (int k = v->grows ? 0 : 1; k < v->t->lines[i].cells_n; k++) {
			double n = size_of(v->t->lines[i].values[k]);
			most = n > most ? n : most;
		}
	return most;
}

static int level(const struct view *v, const char *value)
{
	double n = size_of(value);
	if (!value || !(n > 0) || !(v->most > 0))
		return 0;
	double part = LEVELS * n / v->most;
	return part >= LEVELS ? LEVELS : (int)part + 1;
}

static struct tv *cell_of(const struct view *v, const struct cohort_line *line, int k)
{
	struct arena *m = v->m;
	struct tv *cell = tv_object(m);
	bool there = k < line->cells_n, over = there && line->complete[k];
	const char *value = there ? line->values[k] : NULL;
	const char *count = there ? arena_printf(m, "%lld", (long long)line->counts[k]) : NULL;
	const char *shown = v->counts ? count : value;
	tv_set_bool(m, cell, "is_there", there);
	tv_set_text(m, cell, "value", shown);
	tv_set_text(m, cell, "text",
	            !shown      ? NULL
	            : v->counts ? number(v, shown)
	                        : value_text(v, shown));
	tv_set_bool(m, cell, "is_open", value && !over);
	tv_set_int(m, cell, "level", level(v, value));
	tv_set_bool(m, cell, "is_whole", value && k == 0 && !v->grows);
	tv_set_text(m, cell, "count",
	            v->of_people && there
	                ? arena_printf(m, "%s of %s", behaviour_number(m, line->counts[k]),
	                               behaviour_number(m, line->size))
	                : NULL);
	return cell;
}

static void put_lines(const struct view *v, struct tv *more)
{
	struct arena *m = v->m;
	struct tv *lines = tv_list(m), *heads = tv_list(m);
	bool open = false;
	int64_t people = 0;
	for (int k = 0; k < v->columns; k++)
		tv_push(m, heads, tv_int(m, k));
	for (int i = v->first; i < v->t->lines_n; i++) {
		const struct cohort_line *line = &v->t->lines[i];
		struct tv *row = tv_object(m), *cells = tv_list(m);
		tv_set_text(m, row, "cohort", line->cohort);
		tv_set_text(m, row, "name", cohort_text(v, line->cohort));
		tv_set_int(m, row, "size", line->size);
		tv_set_text(m, row, "size_text", behaviour_number(m, line->size));
		for (int k = 0; k < v->columns; k++) {
			tv_push(m, cells, cell_of(v, line, k));
			open |= k < line->cells_n && line->values[k] && !line->complete[k];
		}
		tv_set(m, row, "cells", cells);
		tv_push(m, lines, row);
		people += line->size;
	}
	tv_set(m, more, "heads", heads);
	tv_set(m, more, "lines", lines);
	tv_set_int(m, more, "people", people);
	tv_set_text(m, more, "people_text", behaviour_number(m, people));
	tv_set_bool(m, more, "has_people", people > 0);
	tv_set_bool(m, more, "has_open", open);
}

/* ---- the average
 * --------------------------------------------------------------------------------- */

static void put_average(const struct view *v, struct tv *more)
{
	struct arena *m = v->m;
	struct tv *points = tv_list(m);
	const char *word = unit_word(v->t);
	int known = 0;
	for (int k = 0; k < v->columns; k++) {
		struct tv *row = tv_object(m);
		const char *value = v->t->average[k];
		tv_set_int(m, row, "k", k);
		tv_set_text(m, row, "name", arena_printf(m, "%c%s %d", *word - 'a' + 'A', word + 1, k));
		tv_set_text(m, row, "value", value);
		tv_set_text(m, row, "text", value ? figure_text(v, value) : NULL);
		tv_set_text(m, row, "short", value ? value_text(v, value) : NULL);
		tv_set_int(m, row, "level", level(v, value));
		tv_push(m, points, row);
		tv_set_bool(m, row, "is_drawn", value && (k > 0 || v->grows));
		known += value && (k > 0 || v->grows);
	}
	tv_set(m, more, "points", points);
	tv_set_bool(m, more, "has_line", known > 1);
}

static const char *tile_label(const struct view *v, int k)
{
	struct arena *m = v->m;
	const char *word = unit_word(v->t), *mode = v->t->mode;
	if (strcmp(v->t->metric, "ltv") == 0)
		return arena_printf(m, "Worth up to %s %d", word, k);
	if (!v->of_people)
		return arena_printf(m, "%s in %s %d",
		                    strcmp(v->t->metric, "orders") == 0 ? "Orders" : "Revenue", word, k);
	const char *in = *word == 'd' ? "on" : "in";
	if (mode && strcmp(mode, "on_or_after") == 0)
		return arena_printf(m, "Back %s %s %d or later", in, word, k);
	return arena_printf(m, "Back %s %s %d", in, word, k);
}

/* Three periods that people look for, of those that are known. */
static void put_tiles(const struct view *v, struct tv *more)
{
	static const int wanted[][TILES] = {{1, 7, 28}, {1, 4, 8}, {1, 3, 6}};
	struct arena *m = v->m;
	struct tv *list = tv_list(m);
	const char *word = unit_word(v->t);
	int unit = *word == 'd' ? 0 : *word == 'w' ? 1 : 2;
	for (int i = 0; i < TILES; i++) {
		int k = wanted[unit][i];
		const char *value = k < v->t->periods_n ? v->t->average[k] : NULL;
		if (!value)
			continue;
		struct tv *tile = tv_object(m);
		tv_set_int(m, tile, "k", k);
		tv_set_bool(m, tile, "is_main", i == 0);
		tv_set_text(m, tile, "label", tile_label(v, k));
		tv_set_text(m, tile, "value", value);
		tv_set_text(m, tile, "text", figure_text(v, value));
		tv_push(m, list, tile);
	}
	tv_set(m, more, "tiles", list);
}

/* ---- all of it
 * ------------------------------------------------------------------------------------ */

void cohorts_show(struct call *c, struct tv *more, const struct cohort_table *t, const char *today)
{
	const char *show = call_param(c, "show");
	struct view v = {.c = c, .m = c->req->arena, .t = t, .today = today};
	v.of_people = strcmp(t->metric, "retention") == 0;
	v.counts = v.of_people && show && strcmp(show, "people") == 0;
	v.is_money = strcmp(t->unit, "money") == 0;
	v.grows = strcmp(t->metric, "ltv") == 0;
	v.most = most_of(&v);
	while (v.first < t->lines_n - 1 && t->lines[v.first].size == 0)
		v.first++;
	for (int i = v.first; i < t->lines_n; i++)
		v.columns = t->lines[i].cells_n > v.columns ? t->lines[i].cells_n : v.columns;
	const char *word = unit_word(t), *two_before = day_after(&v, today, -2);
	put_lines(&v, more);
	put_average(&v, more);
	put_tiles(&v, more);
	tv_set_text(v.m, more, "unit_word", word);
	tv_set_text(v.m, more, "Unit", arena_printf(v.m, "%c%s", *word - 'a' + 'A', word + 1));
	tv_set_bool(v.m, more, "is_ltv", v.grows);
	tv_set_bool(v.m, more, "is_revenue", strcmp(t->metric, "revenue") == 0);
	tv_set_bool(v.m, more, "is_orders", strcmp(t->metric, "orders") == 0);
	tv_set_bool(v.m, more, "is_money", v.is_money);
	tv_set_bool(v.m, more, "of_people", v.of_people);
	tv_set_bool(v.m, more, "shows_people", v.counts);
	tv_set_bool(v.m, more, "is_later", t->mode && strcmp(t->mode, "on_or_after") == 0);
	tv_set_bool(v.m, more, "is_rolling", t->mode && strcmp(t->mode, "rolling24h") == 0);
	tv_set_text(v.m, more, "currency", t->currency);
	tv_set_text(v.m, more, "through_text", t->through ? date_text(&v, t->through) : NULL);
	tv_set_text(v.m, more, "known_text", t->known_from ? date_text(&v, t->known_from) : NULL);
	tv_set_bool(v.m, more, "begins_before",
	            t->known_from && strcmp(t->start_date, t->known_from) < 0);
	tv_set_bool(v.m, more, "making_all", t->known_from && strcmp(t->known_from, today) > 0);
	tv_set_bool(v.m, more, "is_behind", t->through && strcmp(t->through, two_before) < 0);
	tv_set_bool(v.m, more, "has_lines", t->lines_n > 0);
	tv_set_bool(v.m, more, "is_answered", true);
}

void cohorts_csv(const struct cohort_table *t, struct buf *out)
{
	buf_puts(out, "cohort,size,period,count,value,complete\r\n");
	for (int i = 0; i < t->lines_n; i++)
		for (int k = 0; k < t->lines[i].cells_n; k++) {
			const struct cohort_line *line = &t->lines[i];
			buf_printf(out, "%s,%lld,%d,%lld,", line->cohort, (long long)line->size, k,
			           (long long)line->counts[k]);
			escape_csv_number(out, line->values[k]);
			buf_printf(out, ",%s\r\n", line->complete[k] ? "true" : "false");
		}
}
