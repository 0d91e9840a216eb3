/* journey_view.c: the page of a person. */
#include <string.h>

#include "cgi-bin/journey.h"
#include "cgi-bin/pages.h"
#include "cgi-bin/render.h"
#include "web/tv.h"

static const char *person_text(const struct journey *j, const char *name)
{
	return rowset_get(&j->person, 0, name);
}

static struct tv *row_of(struct arena *m, const struct journey *j, const struct rowset *rs, int row)
{
	return render_tv_row(m, rs, row, person_text(j, "today"), person_text(j, "currency"));
}

static void put_engagement(struct arena *m, struct tv *top, const struct journey *j)
{
	struct tv *list = tv_list(m);
	for (size_t i = 0; i < j->parts_n; i++) {
		const struct engagement_part *p = &j->parts[i];
		struct tv *row = tv_object(m);
		tv_set_text(m, row, "type", p->type);
		tv_set_int(m, row, "events_n", p->events);
		tv_set_bool(m, row, "is_cut", p->counted < p->events);
		tv_set_int(m, row, "counted_n", p->counted);
		tv_set_text(m, row, "weight", arena_printf(m, "%g", p->weight));
		tv_set_text(m, row, "points", arena_printf(m, "%.1f", p->points));
		tv_push(m, list, row);
	}
	tv_set(m, top, "parts", list);
	tv_set_text(m, top, "score", arena_printf(m, "%.1f", j->engagement.score));
	tv_set_text(m, top, "points_sum", arena_printf(m, "%.1f", j->engagement.sum));
}

/* "0.1204" as "12 in 100"; what is rarer in 1,000. */
static const char *in_words(struct arena *m, const char *p)
{
	int64_t parts = 0; /* of 10,000; p has four decimals */
	for (const char *s = p; *s; s++)
		parts = *s == '.' ? parts : parts * 10 + (*s - '0');
	if (parts >= 100)
		return arena_printf(m, "%lld in 100", (long long)(parts + 50) / 100);
	if (parts >= 10)
		return arena_printf(m, "%lld in 1,000", (long long)(parts + 5) / 10);
	return "fewer than 1 in 1,000";
}

static void put_conversion(struct arena *m, struct tv *top, const struct journey *j)
{
	const char *unknown = journey_unknown(j);
	struct tv *list = tv_list(m);
	tv_set_text(m, top, "unknown", unknown);
	tv_set(m, top, "chance", NULL);
	tv_set(m, top, "reasons", list);
	if (unknown)
		return;
	struct tv *chance = row_of(m, j, &j->model, 0);
	tv_set_text(m, chance, "words", in_words(m, rowset_get(&j->model, 0, "p")));
	tv_set_bool(m, chance, "is_next", j->cell.buyer);
	tv_set(m, top, "chance", chance);
	for (int i = 0; journey_reason(m, j, i) && i < 3; i++) {
		struct tv *row = tv_object(m);
		tv_set_text(m, row, "text", journey_reason(m, j, i));
		tv_push(m, list, row);
	}
}

static void put_touches(struct arena *m, struct tv *top, const struct journey *j)
{
	tv_set(m, top, "first_touch", NULL);
	tv_set(m, top, "last_touch", NULL);
	for (int i = 0; i < rowset_rows(&j->touches); i++)
		tv_set(m, top,
		       *rowset_get(&j->touches, i, "is_first") == 't' ? "first_touch" : "last_touch",
		       row_of(m, j, &j->touches, i));
}

static void put_sessions(struct arena *m, struct tv *top, const struct journey *j)
{
	struct tv *list = tv_list(m), *session = NULL, *points = NULL;
	for (int i = 0; !journey_is_empty(j) && i < rowset_rows(&j->rows); i++) {
		struct tv *row = row_of(m, j, &j->rows, i);
		if (*rowset_get(&j->rows, i, "begins") == 't') {
			session = row_of(m, j, &j->rows, i);
			points = tv_list(m);
			tv_set(m, session, "points", points);
			tv_push(m, list, session);
		}
		tv_push(m, points, row);
	}
	tv_set(m, top, "sessions", list);
}

static void show(struct call *c, const struct journey *j)
{
	struct arena *m = c->req->arena;
	struct tv *top = pages_context(c);
	tv_set(m, top, "scope", row_of(m, j, &j->person, 0));
	put_engagement(m, top, j);
	put_conversion(m, top, j);
	put_touches(m, top, j);
	put_sessions(m, top, j);
	tv_set_text(m, top, "older", journey_cursor(m, j));
	tv_set_bool(m, top, "is_older", call_param(c, "cursor") != NULL);
	tv_set_text(m, top, "asked_as_of", call_param(c, "as_of"));
	pages_render(c, 200, top);
}

void journey_page_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct journey j;
	c->handled = true;
	if (journey_ask(c, &j, &eb) != ERR_OK) {
		call_refuse(c, 0, NULL, &eb);
		return;
	}
	show(c, &j);
	journey_fini(&j);
}
