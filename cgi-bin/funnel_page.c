/* funnel_page.c: from the address of the page to the question of a funnel, and who is behind a
 * figure of it. */
#include <string.h>

#include "base/num.h"
#include "base/time_text.h"
#include "cgi-bin/admin.h"
#include "cgi-bin/behaviour_page.h"

enum { PEOPLE_ROWS = 50, WINDOWS = 6 };

/* Up to the end of the hour that runs, so that what it is compared with is as long. */
static struct funnel_asked asked_of(const struct call *c, const struct rowset *scope)
{
	return (struct funnel_asked){.funnel_name = call_param(c, "funnel"),
	                             .start_date = rowset_get(scope, 0, "from_at"),
	                             .end_date = rowset_get(scope, 0, "running_at"),
	                             .order = call_param(c, "order"),
	                             .window_s = call_param(c, "window"),
	                             .unit = call_param(c, "unit"),
	                             .breakdown = call_param(c, "by"),
	                             .compare = call_param(c, "compare"),
	                             .as_of = call_param(c, "as_of")};
}

/* ---- choices --------------------------------------------------------------------------- */

static void put_funnels(struct call *c, struct tv *more, const struct funnel_kept *list, int n)
{
	struct arena *m = c->req->arena;
	struct tv *rows = tv_list(m);
	const char *now = call_param(c, "funnel");
	for (int i = 0; i < n; i++) {
		struct tv *row = tv_object(m);
		tv_set_text(m, row, "name", list[i].name);
		tv_set_text(m, row, "url", behaviour_url(m, list[i].name));
		tv_set_int(m, row, "steps_n", list[i].steps_n);
		tv_set_bool(m, row, "is_on", strcmp(list[i].name, now) == 0);
		tv_push(m, rows, row);
	}
	tv_set(m, more, "funnels", rows);
	tv_set_text(m, more, "funnel_name", now);
	tv_set_text(m, more, "funnel_url", behaviour_url(m, now));
}

static void put_dimensions(struct call *c, struct tv *more, const struct rowset *dims)
{
	struct arena *m = c->req->arena;
	struct tv *rows = tv_list(m);
	const char *now = call_param(c, "by");
	for (int i = 0; i < rowset_rows(dims); i++) {
		struct tv *row = tv_object(m);
		const char *name = rowset_get(dims, i, "name");
		tv_set_text(m, row, "name", name);
		tv_set_bool(m, row, "is_on", now && strcmp(name, now) == 0);
		tv_push(m, rows, row);
	}
	tv_set(m, more, "dimensions", rows);
}

/* What is in force: what was asked for, or what the funnel says. */
static void put_in_force(struct call *c, struct tv *more, const struct funnel_answer *a)
{
	static const char *const units[][2] = {{"user", "People"}, {"session", "Sessions"}, {0}};
	static const char *const orders[][2] = {{"sequential", "In order, others between"},
	                                        {"strict", "In order, nothing between"},
	                                        {"any", "In any order"},
	                                        {0}};
	static const int64_t windows[WINDOWS] = {1800, 3600, 86400, 604800, 2592000, 7776000};
	struct arena *m = c->req->arena;
	struct tv *list = tv_list(m);
	for (int i = 0; i < WINDOWS; i++) {
		struct tv *row = tv_object(m);
		tv_set_int(m, row, "value", windows[i]);
		tv_set_text(m, row, "label", behaviour_window(m, windows[i]));
		tv_set_bool(m, row, "is_on", windows[i] == a->window_s);
		tv_push(m, list, row);
	}
	tv_set(m, more, "windows", list);
	tv_set(m, more, "units", behaviour_choices(m, units, a->by_session ? "session" : "user"));
	tv_set(m, more, "orders", behaviour_choices(m, orders, funnel_order_name(a->order)));
}

/* ---- the page ---------------------------------------------------------------------------- */

static bool wants(const struct call *c, const char *name, const char *word)
{
	const char *value = call_param(c, name);
	return value && strcmp(value, word) == 0;
}

static struct tv *page_of(struct call *c)
{
	static const char *const absent[] = {"windows", "units",  "orders", "steps",
	                                     "groups",  "people", "next",   "window_text"};
	struct arena *m = c->req->arena;
	struct tv *more = admin_page(c);
	for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
		tv_set(m, more, absent[i], NULL);
	tv_set_text(m, more, "origin", admin_origin(c));
	tv_set_bool(m, more, "is_answered", false);
	tv_set_bool(m, more, "is_compared", !wants(c, "compare", "none"));
	tv_set_text(m, more, "by", call_param(c, "by"));
	return more;
}

static void answer(struct call *c, const struct rowset *scope, struct tv *more)
{
	struct errbuf eb = {0};
	struct funnel_answer a;
	struct funnel_asked asked = asked_of(c, scope);
	if (funnel_answer_make(c, &asked, &a, &eb) != ERR_OK) {
		behaviour_refuse(c, &eb);
		return;
	}
	if (wants(c, "format", "csv")) {
		bool groups = wants(c, "table", "groups") && a.groups_n > 0;
		funnel_csv(c, &a, groups, behaviour_csv(c, groups ? "funnel-groups" : "funnel", scope));
		return;
	}
	const char *known;
	behaviour_times(c, &a.known_from, 1, &known);
	tv_set_text(c->req->arena, more, "known_text", known);
	put_in_force(c, more, &a);
	funnel_show(c, more, &a);
}

static bool is_true(const struct rowset *scope, const char *name)
{
	const char *value = rowset_get(scope, 0, name);
	return value && *value == 't';
}

void funnel_page_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct rowset scope = {0}, dims = {0};
	const struct funnel_kept *list = NULL;
	struct tv *more = page_of(c);
	int n = 0;
	if (behaviour_scope(c, &scope, &dims, "ask_dimensions")) {
		enum err rc = funnel_list(c, NULL, &list, &n, &eb);
		put_funnels(c, more, list, n);
		put_dimensions(c, more, &dims);
		if (rc != ERR_OK && rc != ERR_NOT_FOUND)
			behaviour_refuse(c, &eb);
		else if (is_true(&scope, "has_activity") && is_true(&scope, "has_days"))
			answer(c, &scope, more);
	}
	rowset_fini(&scope);
	rowset_fini(&dims);
}

/* ---- who --------------------------------------------------------------------------------- */

static struct tv *person_of(struct call *c, const struct funnel_person *p, const char *began)
{
	struct arena *m = c->req->arena;
	struct tv *row = tv_object(m);
	int64_t began_us, reached_us;
	bool timed = time_parse(p->began_at, &began_us) == TIME_INSTANT &&
	             time_parse(p->reached_at, &reached_us) == TIME_INSTANT;
	tv_set_text(m, row, "id", p->id);
	tv_set_bool(m, row, "is_anonymous", p->kind && strcmp(p->kind, "user") != 0);
	tv_set_text(m, row, "href", behaviour_person_link(m, p->person_id));
	tv_set_int(m, row, "reached", p->reached);
	tv_set_bool(m, row, "is_open", p->is_open);
	tv_set_int(m, row, "person_id", p->person_id);
	tv_set_text(m, row, "began_text", began);
	tv_set_text(m, row, "took",
	            timed ? behaviour_duration(m, (reached_us - began_us) / 1000) : NULL);
	tv_set_text(m, row, "group", p->group);
	return row;
}

static void put_people(struct call *c, struct tv *more, const struct funnel_people *p)
{
	struct arena *m = c->req->arena;
	struct tv *rows = tv_list(m);
	const char **at = arena_array(m, (size_t)p->n + 1, sizeof *at);
	const char **said = arena_array(m, (size_t)p->n + 1, sizeof *said);
	for (int i = 0; i < p->n; i++)
		at[i] = p->list[i].began_at;
	at[p->n] = p->question.as_of;
	behaviour_times(c, at, p->n + 1, said);
	for (int i = 0; i < p->n; i++)
		tv_push(m, rows, person_of(c, &p->list[i], said[i]));
	tv_set(m, more, "people", rows);
	tv_set_text(m, more, "next", p->next ? behaviour_url(m, p->next) : NULL);
	tv_set_text(m, more, "as_of_text", said[p->n]);
	tv_set_text(m, more, "step_name", p->question.steps[p->step - 1].name);
	tv_set_text(m, more, "before_name", p->step > 1 ? p->question.steps[p->step - 2].name : NULL);
	tv_set_text(m, more, "window_text", behaviour_window(m, p->question.window_s));
	tv_set_bool(m, more, "of_sessions", p->question.by_session);
	tv_set_bool(m, more, "has_reached", strcmp(p->state, "reached") == 0);
	tv_set_bool(m, more, "has_dropped", strcmp(p->state, "dropped") == 0);
	tv_set_bool(m, more, "is_waiting", strcmp(p->state, "open") == 0);
	tv_set_bool(m, more, "is_grouped", p->question.breakdown != NULL);
	tv_set_text(m, more, "breakdown", p->question.breakdown);
	tv_set_bool(m, more, "is_answered", true);
}

/* The page it was asked from. */
static const char *back_link(const struct call *c)
{
	static const char *const kept[] = {"period", "date",  "from",   "to", "funnel",
	                                   "unit",   "order", "window", "by", "compare"};
	const char *text = "";
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
		const char *value = request_query_find(c->req, kept[i]);
		if (value)
			text = arena_printf(c->req->arena, "%s%c%s=%s", text, *text ? '&' : '?', kept[i],
			                    behaviour_url(c->req->arena, value));
	}
	return text;
}

void funnel_people_page_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct rowset scope = {0};
	struct funnel_people people;
	struct tv *more = page_of(c);
	int64_t step = 1;
	tv_set_text(c->req->arena, more, "back", back_link(c));
	tv_set_text(c->req->arena, more, "funnel_name", call_param(c, "funnel"));
	if (!behaviour_scope(c, &scope, NULL, NULL)) {
		rowset_fini(&scope);
		return;
	}
	struct funnel_asked asked = asked_of(c, &scope);
	must(num_parse_int(call_param(c, "step"), 1, FUNNEL_STEPS, &step));
	if (funnel_people_make(c, &asked, (int)step, call_param(c, "state"), call_param(c, "cursor"),
	                       PEOPLE_ROWS, &people, &eb) == ERR_OK)
		put_people(c, more, &people);
	else
		behaviour_refuse(c, &eb);
	rowset_fini(&scope);
}
