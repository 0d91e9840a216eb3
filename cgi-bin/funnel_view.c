/* funnel_view.c: the answer of a funnel as figures, bars and tables. A bar is as high as the share
 * of those that began; of those of the step before, some went on, some still may, the others did
 * not. */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "cgi-bin/behaviour_page.h"
#include "domain/format.h"
#include "web/escape.h"

struct view {
	struct call *c;
	struct arena *m;
	const struct funnel_answer *a;
	const struct funnel_figures *now, *before; /* `before` NULL: not compared, or nobody began */
};

static const struct funnel_step_figures *step_at(const struct funnel_figures *f, int i)
{
	return &f->steps[i];
}

static const char *percent(const struct view *v, int permille)
{
	return behaviour_percent(v->m, funnel_rate_text(v->m, permille));
}

static const char *money(const struct view *v, int64_t minor)
{
	struct buf text;
	buf_init(&text);
	format_money(&text, funnel_money_text(v->m, minor, v->a->exponent), v->a->currency);
	const char *out = arena_strdup(v->m, buf_str(&text));
	buf_fini(&text);
	return out;
}

/* Of those that reached the step before `i`: who has not gone on, and still may. */
static int64_t waiting(const struct funnel_figures *f, int i)
{
	return i ? f->steps[i].open - f->steps[i - 1].open : 0;
}

static int64_t lost(const struct funnel_figures *f, int i)
{
	return i ? f->steps[i - 1].users - f->steps[i].users - waiting(f, i) : 0;
}

/* ---- comparison --------------------------------------------------------------------------- */

static const char *direction(int change)
{
	return change > 0 ? "up" : change < 0 ? "down" : "flat";
}

/* Of percentages in points; `change` in per mille. */
static void put_points(const struct view *v, struct tv *to, int now, int before)
{
	struct arena *m = v->m;
	tv_set(m, to, "change", NULL);
	tv_set(m, to, "dir", NULL);
	if (now == FUNNEL_NONE || before == FUNNEL_NONE)
		return;
	int change = now - before, size = abs(change);
	tv_set_text(
		m, to, "change",
		arena_printf(m, "%s%d.%d points", change < 0 ? "\xe2\x88\x92" : "+", size / 10, size % 10));
	tv_set(m, to, "dir", tv_borrow(m, direction(change)));
}

static void put_change(const struct view *v, struct tv *to, int64_t now, int64_t before)
{
	struct arena *m = v->m;
	struct buf text;
	tv_set(m, to, "change", NULL);
	tv_set(m, to, "dir", NULL);
	if (before <= 0)
		return;
	buf_init(&text);
	double change = 100 * ((double)now - (double)before) / (double)before;
	format_change(&text, arena_printf(m, "%.2f", change));
	tv_set_text(m, to, "change", buf_str(&text));
	tv_set(m, to, "dir", tv_borrow(m, change >= 0.05 ? "up" : change <= -0.05 ? "down" : "flat"));
	buf_fini(&text);
}

/* ---- bars ----------------------------------------------------------------------------------- */

/* A share of the beginners as a length in percent: "48.51%". */
static const char *length(const struct view *v, const struct funnel_figures *f, int64_t n)
{
	int64_t all = f->steps[0].users;
	return arena_printf(v->m, "%.2f%%", all ? 100 * (double)n / (double)all : 0);
}

static void put_bar(const struct view *v, struct tv *row, int i)
{
	struct arena *m = v->m;
	const struct funnel_figures *f = v->now;
	int64_t all = f->steps[0].users, users = f->steps[i].users, waits = waiting(f, i);
	int64_t previous = i ? f->steps[i - 1].users : all;
	tv_set_text(m, row, "full", length(v, f, users));
	tv_set_text(m, row, "full_from", length(v, f, all - users));
	tv_set_text(m, row, "waits", waits > 0 ? length(v, f, waits) : NULL);
	tv_set_text(m, row, "waits_from", length(v, f, all - users - waits));
	tv_set_text(m, row, "rest", length(v, f, previous - users));
	tv_set_text(m, row, "rest_from", length(v, f, all - previous));
	tv_set(m, row, "was_from", NULL);
	tv_set(m, row, "was", NULL);
	if (v->before && i) {
		tv_set_text(m, row, "was", length(v, v->before, v->before->steps[i].users));
		tv_set_text(m, row, "was_from",
		            length(v, v->before, v->before->steps[0].users - v->before->steps[i].users));
	}
	/* The band from the bar before to this one, in a box of 100 by 100. */
	double a = all ? 100 - 100 * (double)previous / (double)all : 100;
	double b = all ? 100 - 100 * (double)users / (double)all : 100;
	tv_set_text(m, row, "band", arena_printf(m, "0,%.2f 100,%.2f 100,100 0,100", a, b));
}

/* ---- steps ------------------------------------------------------------------------------------
 */

/* {"page": ["/pricing"]} as "page=/pricing". */
static const char *filters_text(const struct view *v, const char *filters)
{
	return behaviour_filters(v->m, filters);
}

static void put_count(const struct view *v, struct tv *row, const char *key, int64_t n)
{
	struct arena *m = v->m;
	tv_set_int(m, row, key, n);
	tv_set_text(m, row, arena_printf(m, "%s_text", key), behaviour_number(m, n));
	tv_set_bool(m, row, arena_printf(m, "has_%s", key), n > 0);
}

/* Of those that reached the step before, in percent with one decimal. */
static const char *share_text(const struct view *v, int i, int64_t n)
{
	int64_t previous = i ? v->now->steps[i - 1].users : 0;
	return previous ? percent(v, (int)num_permille(n, previous)) : NULL;
}

static void put_times(const struct view *v, struct tv *row, const struct funnel_step_figures *f)
{
	tv_set_text(v->m, row, "median", behaviour_duration(v->m, f->median_ms));
	tv_set_text(v->m, row, "p90", behaviour_duration(v->m, f->p90_ms));
	tv_set_text(v->m, row, "median_s", funnel_seconds_text(v->m, f->median_ms));
	tv_set_text(v->m, row, "p90_s", funnel_seconds_text(v->m, f->p90_ms));
}

static void put_value(const struct view *v, struct tv *row, const struct funnel_step_figures *f)
{
	struct arena *m = v->m;
	bool says = f->users > f->unpriced && f->value_minor != INT64_MAX;
	tv_set_text(m, row, "value",
	            says ? funnel_money_text(m, f->value_minor, v->a->exponent) : NULL);
	tv_set_text(m, row, "value_text", says ? money(v, f->value_minor) : NULL);
	tv_set_text(m, row, "unpriced_text",
	            says && f->unpriced ? behaviour_number(m, f->unpriced) : NULL);
}

static void put_rates(const struct view *v, struct tv *row, const struct funnel_step_figures *f)
{
	struct arena *m = v->m;
	bool differs = f->rate_closed != FUNNEL_NONE && f->rate_closed != f->rate;
	tv_set_text(m, row, "rate", funnel_rate_text(m, f->rate));
	tv_set_text(m, row, "rate_text", percent(v, f->rate));
	tv_set_text(m, row, "closed", funnel_rate_text(m, f->rate_closed));
	tv_set_text(m, row, "closed_text", percent(v, f->rate_closed));
	tv_set_bool(m, row, "closed_differs", differs);
	tv_set_text(m, row, "onward", funnel_rate_text(m, f->from_previous));
	tv_set_text(m, row, "onward_text", percent(v, f->from_previous));
}

static void put_before(const struct view *v, struct tv *row, int i)
{
	struct arena *m = v->m;
	const struct funnel_step_figures *was = v->before ? step_at(v->before, i) : NULL;
	tv_set_text(m, row, "was_users", was ? behaviour_number(m, was->users) : NULL);
	tv_set_int(m, row, "was_users_value", was ? was->users : 0);
	tv_set_text(m, row, "was_rate", was ? percent(v, was->rate) : NULL);
	tv_set_text(m, row, "was_rate_value", was ? funnel_rate_text(m, was->rate) : NULL);
	if (was && i)
		put_points(v, row, step_at(v->now, i)->rate, was->rate);
	else if (was)
		put_change(v, row, step_at(v->now, i)->users, was->users);
}

static struct tv *step_of(const struct view *v, int i)
{
	struct arena *m = v->m;
	struct tv *row = tv_object(m);
	const struct funnel_named_step *step = &v->a->steps[i];
	const struct funnel_step_figures *f = step_at(v->now, i);
	const char *filters = filters_text(v, step->filters);
	tv_set_int(m, row, "n", i + 1);
	tv_set_bool(m, row, "is_first", i == 0);
	tv_set_text(m, row, "name", step->name);
	tv_set_text(m, row, "event_type",
	            strcmp(step->name, step->event_type) != 0 ? step->event_type : NULL);
	tv_set_text(m, row, "filters", *filters ? filters : NULL);
	tv_set_text(m, row, "before_name", i ? v->a->steps[i - 1].name : NULL);
	put_count(v, row, "users", f->users);
	put_count(v, row, "waiting", waiting(v->now, i));
	put_count(v, row, "lost", lost(v->now, i));
	put_count(v, row, "open", f->open);
	tv_set_text(m, row, "waiting_share", share_text(v, i, waiting(v->now, i)));
	tv_set_text(m, row, "lost_share", share_text(v, i, lost(v->now, i)));
	tv_set(m, row, "change", NULL);
	tv_set(m, row, "dir", NULL);
	put_rates(v, row, f);
	put_times(v, row, f);
	put_value(v, row, f);
	put_before(v, row, i);
	put_bar(v, row, i);
	return row;
}

/* ---- groups -------------------------------------------------------------------------------------
 */

static int best_rate(const struct funnel_answer *a)
{
	int best = 1;
	for (int i = 0; i < a->groups_n; i++) {
		int rate = a->groups[i].figures.steps[a->steps_n - 1].rate;
		best = rate > best ? rate : best;
	}
	return best;
}

/* Its bar is as long as its rate is of the best one. */
static struct tv *group_of(const struct view *v, const struct funnel_group *g, int best)
{
	struct arena *m = v->m;
	struct tv *row = tv_object(m), *cells = tv_list(m);
	int last = v->a->steps_n - 1;
	tv_set_text(m, row, "value", g->value);
	tv_set_text(m, row, "end_rate", funnel_rate_text(m, g->figures.steps[last].rate));
	tv_set_text(m, row, "end_text", percent(v, g->figures.steps[last].rate));
	tv_set_text(m, row, "end_part",
	            arena_printf(m, "%.1f%%", 100.0 * g->figures.steps[last].rate / best));
	for (int i = 0; i <= last; i++) {
		struct tv *cell = tv_object(m);
		const struct funnel_step_figures *f = step_at(&g->figures, i);
		tv_set_text(m, cell, "rate", funnel_rate_text(m, f->rate));
		put_count(v, cell, "users", f->users);
		tv_set_text(m, cell, "share", i ? percent(v, f->rate) : NULL);
		tv_push(m, cells, cell);
	}
	tv_set(m, row, "cells", cells);
	return row;
}

/* ---- all of it
 * ------------------------------------------------------------------------------------ */

static void put_main(const struct view *v, struct tv *more)
{
	struct arena *m = v->m;
	int last = v->a->steps_n - 1, worst = 1;
	const struct funnel_step_figures *end = step_at(v->now, last);
	struct tv *whole = tv_object(m), *began = tv_object(m), *ended = tv_object(m);
	struct tv *drop = tv_object(m);
	for (int i = 2; i <= last; i++)
		if (lost(v->now, i) > lost(v->now, worst))
			worst = i;
	put_rates(v, whole, end);
	put_points(v, whole, end->rate, v->before ? v->before->steps[last].rate : FUNNEL_NONE);
	put_count(v, began, "users", v->now->steps[0].users);
	put_change(v, began, v->now->steps[0].users, v->before ? v->before->steps[0].users : 0);
	put_count(v, ended, "users", end->users);
	put_change(v, ended, end->users, v->before ? v->before->steps[last].users : 0);
	put_value(v, ended, end);
	put_count(v, drop, "users", lost(v->now, worst));
	tv_set_text(m, drop, "from", v->a->steps[worst - 1].name);
	tv_set_text(m, drop, "to", v->a->steps[worst].name);
	tv_set_text(m, more, "last_name", v->a->steps[last].name);
	tv_set(m, more, "whole", whole);
	tv_set(m, more, "began", began);
	tv_set(m, more, "ended", ended);
	tv_set(m, more, "drop", drop);
}

static void put_words(const struct view *v, struct tv *more)
{
	struct arena *m = v->m;
	const struct funnel_answer *a = v->a;
	bool of_people = !a->by_session, waits = false, values = false;
	for (int i = 0; i < a->steps_n; i++) {
		waits |= v->now->steps[i].open > 0;
		values |= v->now->steps[i].users > v->now->steps[i].unpriced;
	}
	tv_set(m, more, "who", tv_borrow(m, of_people ? "people" : "sessions"));
	tv_set(m, more, "Who", tv_borrow(m, of_people ? "People" : "Sessions"));
	tv_set_text(m, more, "window_text", behaviour_window(m, a->window_s));
	tv_set_bool(m, more, "of_sessions", a->by_session);
	tv_set_bool(m, more, "is_strict", a->order == FUNNEL_STRICT);
	tv_set_bool(m, more, "is_any", a->order == FUNNEL_ANY);
	tv_set_bool(m, more, "is_many", a->steps_n > 6);
	tv_set_bool(m, more, "has_began", v->now->steps[0].users > 0);
	tv_set_bool(m, more, "waits_any", waits);
	tv_set_bool(m, more, "has_values", values);
	tv_set_bool(m, more, "is_compared", a->previous != NULL);
	tv_set_bool(m, more, "has_base", v->before != NULL);
	tv_set_bool(m, more, "is_grouped", a->breakdown != NULL);
	tv_set_text(m, more, "breakdown", a->breakdown);
	tv_set_text(m, more, "first_name", a->steps[0].name);
	tv_set_text(m, more, "as_of", a->as_of);
	tv_set_text(m, more, "known_from", a->known_from);
	tv_set_bool(m, more, "making_all", a->known_from && strcmp(a->known_from, a->as_of) > 0);
}

void funnel_show(struct call *c, struct tv *more, const struct funnel_answer *a)
{
	struct view v = {.c = c, .m = c->req->arena, .a = a, .now = &a->range.all};
	if (a->previous && a->previous->all.steps[0].users > 0)
		v.before = &a->previous->all;
	struct tv *steps = tv_list(v.m), *groups = tv_list(v.m);
	for (int i = 0; i < a->steps_n; i++)
		tv_push(v.m, steps, step_of(&v, i));
	for (int i = 0; i < a->groups_n; i++)
		tv_push(v.m, groups, group_of(&v, &a->groups[i], best_rate(a)));
	tv_set(v.m, more, "steps", steps);
	tv_set(v.m, more, "groups", groups);
	put_words(&v, more);
	put_main(&v, more);
	tv_set_bool(v.m, more, "is_answered", true);
}

/* ---- files
 * ------------------------------------------------------------------------------------------ */

static void put_number(struct buf *out, const char *text)
{
	buf_putc(out, ',');
	buf_puts(out, text ? text : "");
}

static void put_int(struct arena *m, struct buf *out, int64_t n)
{
	put_number(out, arena_printf(m, "%lld", (long long)n));
}

static void put_step_csv(const struct call *c, const struct funnel_answer *a, int i,
                         const struct funnel_step_figures *f, const struct funnel_figures *before,
                         struct buf *out)
{
	struct arena *m = c->req->arena;
	buf_printf(out, "%d,", i + 1);
	escape_csv_text(out, a->steps[i].name, strlen(a->steps[i].name));
	put_int(m, out, f->users);
	put_number(out, funnel_rate_text(m, f->rate));
	put_number(out, funnel_rate_text(m, f->from_previous));
	put_number(out, funnel_seconds_text(m, f->median_ms));
	put_number(out, funnel_seconds_text(m, f->p90_ms));
	put_int(m, out, f->open);
	put_number(out, funnel_rate_text(m, f->rate_closed));
	put_number(out, funnel_money_text(m, f->value_minor, a->exponent));
	put_int(m, out, f->unpriced);
	if (before) {
		put_int(m, out, before->steps[i].users);
		put_number(out, funnel_rate_text(m, before->steps[i].rate));
	}
	buf_puts(out, "\r\n");
}

#define STEP_COLUMNS                                                                               \
	"step,name,users,rate,from_previous,median_seconds,p90_seconds,open,rate_closed,value,"        \
	"unpriced"

void funnel_csv(const struct call *c, const struct funnel_answer *a, bool groups, struct buf *out)
{
	const struct funnel_figures *before = a->previous ? &a->previous->all : NULL;
	if (!groups) {
		buf_printf(out, STEP_COLUMNS "%s\r\n", before ? ",base_users,base_rate" : "");
		for (int i = 0; i < a->steps_n; i++)
			put_step_csv(c, a, i, &a->range.all.steps[i], before, out);
		return;
	}
	buf_printf(out, "%s," STEP_COLUMNS "\r\n", a->breakdown ? a->breakdown : "group");
	for (int g = 0; g < a->groups_n; g++)
		for (int i = 0; i < a->steps_n; i++) {
			escape_csv_text(out, a->groups[g].value, strlen(a->groups[g].value));
			buf_putc(out, ',');
			put_step_csv(c, a, i, &a->groups[g].figures.steps[i], NULL, out);
		}
}
