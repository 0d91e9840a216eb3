/* path_page.c: the page of paths: choices, steps, a Sankey diagram drawn here, and files. */
#include <string.h>

#include "base/num.h"
#include "cgi-bin/admin.h"
#include "cgi-bin/csv.h"
#include "cgi-bin/path.h"
#include "domain/format.h"
#include "web/escape.h"

enum {
	TOP = 6,       /* with (other) and (drop-off) 8 nodes a step */
	HEAD_PX = 48,  /* above the diagram */
	PLOT_PX = 360, /* all sessions */
	LABEL_PX = 36, /* a node has at least as much */
	GAP_PX = 8,
	LEAST_PX = 2, /* of a bar */
};

struct view {
	struct call *c;
	struct arena *m;
	struct path_asked asked;
	struct path_answer a;
};

/* ---- texts ------------------------------------------------------------------------- */

static const char *number(struct arena *m, int64_t n)
{
	struct buf text;
	buf_init(&text);
	format_number(&text, arena_printf(m, "%lld", (long long)n));
	const char *out = arena_strdup(m, buf_str(&text));
	buf_fini(&text);
	return out;
}

static const char *percent(const struct view *v, int permille)
{
	return arena_printf(v->m, "%s\xe2\x80\xaf%%", path_percent(v->m, permille));
}

static int permille_of(int64_t n, int64_t of)
{
	return of ? (int)num_permille(n, of) : 0;
}

static const char *label_text(const struct view *v, const struct path_node *node)
{
	if (node->kind == PATH_DROP)
		return v->asked.end ? "Session began" : "Session over";
	return node->kind == PATH_REST ? "Others" : node->label;
}

static const char *step_name(const struct view *v, int i)
{
	if (!v->asked.end)
		return arena_printf(v->m, "Step %d", i + 1);
	return i == 0 ? "Last" : arena_printf(v->m, "%d before", i);
}

/* ---- links ------------------------------------------------------------------------- */

static void put_pair(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s%s=", out->len ? "&" : "?", name);
	escape_url(out, value, strlen(value));
}

/* The page with another question and the same days. */
static const char *link_to(const struct view *v, const struct path_asked *q)
{
	static const char *const days[] = {"period", "date", "from", "to"};
	struct buf out;
	buf_init(&out);
	for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
		const char *value = request_query_find(v->c->req, days[i]);
		if (value)
			put_pair(&out, days[i], value);
	}
	if (strcmp(q->by, "event") != 0)
		put_pair(&out, "by", q->by);
	if (!q->collapse)
		put_pair(&out, "collapse", "no");
	if (q->start)
		put_pair(&out, "start", q->start);
	if (q->end)
		put_pair(&out, "end", q->end);
	if (q->depth != 5)
		put_pair(&out, "depth", arena_printf(v->m, "%d", q->depth));
	const char *text = arena_printf(v->m, "/admin/paths%s", buf_str(&out));
	buf_fini(&out);
	return text;
}

static const char *link_edge(const struct view *v, const char *start, const char *end)
{
	struct path_asked q = v->asked;
	q.start = start;
	q.end = end;
	return link_to(v, &q);
}

static void push_choice(const struct view *v, struct tv *list, const char *label,
                        const struct path_asked *q, bool is_on)
{
	struct tv *row = tv_object(v->m);
	tv_set_text(v->m, row, "label", label);
	tv_set_text(v->m, row, "href", link_to(v, q));
	tv_set_bool(v->m, row, "is_on", is_on);
	tv_push(v->m, list, row);
}

static void put_words(const struct view *v, struct tv *more)
{
	static const char *const words[][2] = {
		{"event", "Pages and events"}, {"page", "Pages"}, {"type", "Types of events"}};
	struct tv *by = tv_list(v->m), *depth = tv_list(v->m), *collapse = tv_list(v->m);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		struct path_asked q = v->asked;
		q.by = words[i][0];
		q.start = q.end = NULL;
		push_choice(v, by, words[i][1], &q, strcmp(v->asked.by, words[i][0]) == 0);
	}
	for (int n = 2; n <= PATHS_DEPTH; n++) {
		struct path_asked q = v->asked;
		q.depth = n;
		push_choice(v, depth, arena_printf(v->m, "%d steps", n), &q, n == v->asked.depth);
	}
	for (int on = 1; on >= 0; on--) {
		struct path_asked q = v->asked;
		q.collapse = on;
		push_choice(v, collapse, on ? "Repeats as one" : "Each repeat", &q,
		            on == v->asked.collapse);
	}
	tv_set(v->m, more, "by_choices", by);
	tv_set(v->m, more, "depth_choices", depth);
	tv_set(v->m, more, "collapse_choices", collapse);
}

/* Each label of the answer once, of those that can be asked for. */
static void put_edges(const struct view *v, struct tv *more)
{
	const char *seen[PATHS_DEPTH * PATHS_NODES];
	int seen_n = 0;
	struct tv *starts = tv_list(v->m), *ends = tv_list(v->m);
	for (int i = 0; i < v->a.steps_n; i++)
		for (int k = 0; k < v->a.steps[i].nodes_n; k++) {
			const struct path_node *node = &v->a.steps[i].nodes[k];
			int at = 0;
			while (at < seen_n && strcmp(seen[at], node->label) != 0)
				at++;
			if (at < seen_n || node->kind > PATH_TYPE)
				continue;
			seen[seen_n++] = node->label;
			struct path_asked q = v->asked;
			q.start = node->label;
			q.end = NULL;
			push_choice(v, starts, node->label, &q,
			            v->asked.start && strcmp(v->asked.start, node->label) == 0);
			q.end = node->label;
			q.start = NULL;
			push_choice(v, ends, node->label, &q,
			            v->asked.end && strcmp(v->asked.end, node->label) == 0);
		}
	tv_set(v->m, more, "start_choices", starts);
	tv_set(v->m, more, "end_choices", ends);
}

static void put_choices(const struct view *v, struct tv *more)
{
	put_words(v, more);
	tv_set_int(v->m, more, "depth", v->asked.depth);
	tv_set_text(v->m, more, "start", v->asked.start);
	tv_set_text(v->m, more, "end", v->asked.end);
	tv_set_bool(v->m, more, "has_edge", v->asked.start || v->asked.end);
	tv_set_text(v->m, more, "href_all", link_edge(v, NULL, NULL));
	tv_set_bool(v->m, more, "by_page", strcmp(v->asked.by, "page") == 0);
	tv_set_bool(v->m, more, "by_type", strcmp(v->asked.by, "type") == 0);
	const char *link = link_to(v, &v->asked);
	tv_set_text(v->m, more, "save",
	            arena_printf(v->m, "%s%sformat=csv", link, strchr(link, '?') ? "&" : "?"));
}

/* ---- steps and lists ------------------------------------------------------------------- */

static struct tv *node_row(const struct view *v, int step, const struct path_node *node)
{
	struct tv *row = tv_object(v->m);
	int64_t most = v->a.sessions;
	tv_set_text(v->m, row, "label", label_text(v, node));
	if (node->kind <= PATH_TYPE)
		tv_set_text(v->m, row, "href", link_edge(v, node->label, NULL));
	tv_set_bool(v->m, row, "is_drop", node->kind == PATH_DROP);
	tv_set_bool(v->m, row, "is_rest", node->kind == PATH_REST);
	tv_set_text(v->m, row, "step_name", step_name(v, step));
	tv_set_int(v->m, row, "step", step + 1);
	tv_set_int(v->m, row, "sessions", node->sessions);
	tv_set_text(v->m, row, "sessions_text", number(v->m, node->sessions));
	tv_set_text(v->m, row, "share", path_percent(v->m, node->permille));
	tv_set_text(v->m, row, "share_text", percent(v, node->permille));
	tv_set_text(v->m, row, "bar", path_percent(v->m, permille_of(node->sessions, most)));
	return row;
}

/* How many are not there any more, of those at the step before. NULL: the first step. */
static const char *drop_words(const struct view *v, int i, bool brief)
{
	const struct path_step *s = &v->a.steps[i];
	const struct path_node *last = &s->nodes[s->nodes_n - 1];
	if (i == 0 || s->nodes_n == 0 || last->kind != PATH_DROP)
		return NULL;
	const char *share = percent(v, permille_of(last->sessions, v->a.steps[i - 1].sessions));
	const char *words = v->asked.end ? "had just begun" : "ended before";
	return brief ? arena_printf(v->m, "%s %s", share, words)
	             : arena_printf(v->m, "%s (%s) %s", number(v->m, last->sessions), share, words);
}

static void put_steps(const struct view *v, struct tv *more)
{
	struct tv *steps = tv_list(v->m), *all = tv_list(v->m), *ways = tv_list(v->m);
	for (int i = 0; i < v->a.steps_n; i++) {
		const struct path_step *s = &v->a.steps[i];
		struct tv *step = tv_object(v->m), *nodes = tv_list(v->m);
		for (int k = 0; k < s->nodes_n; k++) {
			const struct tv *row = node_row(v, i, &s->nodes[k]);
			tv_push(v->m, nodes, row);
			tv_push(v->m, all, row);
			for (int to = 0; i + 1 < v->a.steps_n && to < s[1].nodes_n; to++) {
				if (s->links[k][to] == 0)
					continue;
				struct tv *way = node_row(v, i, &s->nodes[k]);
				tv_set_text(v->m, way, "to", label_text(v, &s[1].nodes[to]));
				tv_set_int(v->m, way, "sessions", s->links[k][to]);
				tv_set_text(v->m, way, "sessions_text", number(v->m, s->links[k][to]));
				int part = permille_of(s->links[k][to], s->nodes[k].sessions);
				tv_set_text(v->m, way, "share", path_percent(v->m, part));
				tv_set_text(v->m, way, "share_text", percent(v, part));
				tv_push(v->m, ways, way);
			}
		}
		tv_set_text(v->m, step, "name", step_name(v, i));
		tv_set_text(v->m, step, "sessions_text", number(v->m, s->sessions));
		tv_set_bool(v->m, step, "is_one", s->sessions == 1);
		tv_set_text(v->m, step, "dropped", drop_words(v, i, false));
		tv_set(v->m, step, "nodes", nodes);
		tv_push(v->m, steps, step);
	}
	tv_set(v->m, more, "steps", steps);
	tv_set(v->m, more, "nodes", all);
	tv_set(v->m, more, "ways", ways);
}

static void put_paths(const struct view *v, struct tv *more)
{
	struct tv *list = tv_list(v->m);
	for (int i = 0; i < v->a.paths_n; i++) {
		const struct path_list *p = &v->a.paths[i];
		struct tv *row = tv_object(v->m), *labels = tv_list(v->m);
		for (int k = 0; k < p->n; k++) {
			/* Read as it happened, be it that it was counted backwards. */
			const char *label = p->labels[v->asked.end ? p->n - 1 - k : k];
			struct tv *one = tv_object(v->m);
			tv_set_text(v->m, one, "label", label);
			tv_set_bool(v->m, one, "is_first", k == 0);
			tv_push(v->m, labels, one);
		}
		tv_set_int(v->m, row, "rank", i + 1);
		tv_set(v->m, row, "labels", labels);
		tv_set_int(v->m, row, "sessions", p->sessions);
		tv_set_text(v->m, row, "sessions_text", number(v->m, p->sessions));
		tv_set_text(v->m, row, "share", path_percent(v->m, p->permille));
		tv_set_text(v->m, row, "share_text", percent(v, p->permille));
		tv_set_text(v->m, row, "bar",
		            path_percent(v->m, permille_of(p->sessions, v->a.paths[0].sessions)));
		tv_push(v->m, list, row);
	}
	tv_set(v->m, more, "paths", list);
}

/* ---- the diagram ------------------------------------------------------------------------- */

struct box {
	double y, height, from_used, to_used; /* of ribbons to and from it */
};

static const char *px(const struct view *v, double n)
{
	return arena_printf(v->m, "%.1f", n);
}

static double column_layout(const struct view *v, int i, struct box *boxes)
{
	double y = HEAD_PX, unit = (double)PLOT_PX / (double)v->a.sessions;
	for (int k = 0; k < v->a.steps[i].nodes_n; k++) {
		double height = unit * (double)v->a.steps[i].nodes[k].sessions;
		boxes[k] = (struct box){.y = y, .height = height < LEAST_PX ? LEAST_PX : height};
		y += (boxes[k].height < LABEL_PX ? LABEL_PX : boxes[k].height) + GAP_PX;
	}
	return y;
}

/* Time goes from left to right, be it that it was counted backwards. */
static double column_x(const struct view *v, int i)
{
	int n = v->a.steps_n;
	return 100.0 / n * (v->asked.end ? n - 1 - i : i);
}

/* The ribbon of a link, `h` high, from the left to the right. */
static const char *ribbon(const struct view *v, double y0, double y1, double h)
{
	return arena_printf(v->m, "M0 %.1fC50 %.1f 50 %.1f 100 %.1fV%.1fC50 %.1f 50 %.1f 0 %.1fz", y0,
	                    y0, y1, y1, y1 + h, y1 + h, y0 + h, y0 + h);
}

/* From the nodes of step i to those of the next. */
static struct tv *ribbons_of(const struct view *v, int i, struct box *from, struct box *to)
{
	const struct path_step *s = &v->a.steps[i];
	struct tv *list = tv_list(v->m);
	double unit = (double)PLOT_PX / (double)v->a.sessions;
	for (int a = 0; a < s->nodes_n; a++)
		for (int b = 0; b < s[1].nodes_n; b++) {
			if (s->links[a][b] == 0)
				continue;
			double h = unit * (double)s->links[a][b];
			double ya = from[a].y + from[a].from_used, yb = to[b].y + to[b].to_used;
			from[a].from_used += h;
			to[b].to_used += h;
			const char *first = label_text(v, &s->nodes[a]), *next = label_text(v, &s[1].nodes[b]);
			struct tv *row = tv_object(v->m);
			bool back = v->asked.end != NULL;
			tv_set_text(v->m, row, "d", ribbon(v, back ? yb : ya, back ? ya : yb, h));
			tv_set_bool(v->m, row, "is_drop", s[1].nodes[b].kind == PATH_DROP);
			tv_set_text(v->m, row, "from", back ? next : first);
			tv_set_text(v->m, row, "to", back ? first : next);
			tv_set_text(v->m, row, "sessions_text", number(v->m, s->links[a][b]));
			tv_push(v->m, list, row);
		}
	return list;
}

static struct tv *boxes_of(const struct view *v, int i, const struct box *boxes)
{
	struct tv *list = tv_list(v->m);
	for (int k = 0; k < v->a.steps[i].nodes_n; k++) {
		struct tv *row = node_row(v, i, &v->a.steps[i].nodes[k]);
		double slot = boxes[k].height < LABEL_PX ? LABEL_PX : boxes[k].height;
		tv_set_text(v->m, row, "x", px(v, column_x(v, i)));
		tv_set_text(v->m, row, "y", px(v, boxes[k].y));
		tv_set_text(v->m, row, "height", px(v, boxes[k].height));
		tv_set_text(v->m, row, "slot", px(v, slot));
		tv_push(v->m, list, row);
	}
	return list;
}

static void put_chart(const struct view *v, struct tv *more)
{
	struct box boxes[PATHS_DEPTH][PATHS_NODES];
	struct tv *columns = tv_list(v->m), *gaps = tv_list(v->m);
	int n = v->a.steps_n;
	double bottom = 0;
	for (int i = 0; i < n; i++) {
		double y = column_layout(v, i, boxes[i]);
		bottom = y > bottom ? y : bottom;
	}
	for (int i = 0; i + 1 < n; i++) {
		struct tv *gap = tv_object(v->m);
		tv_set_text(v->m, gap, "x", px(v, column_x(v, v->asked.end ? i + 1 : i)));
		tv_set(v->m, gap, "ribbons", ribbons_of(v, i, boxes[i], boxes[i + 1]));
		tv_push(v->m, gaps, gap);
	}
	for (int k = 0; k < n; k++) {
		int i = v->asked.end ? n - 1 - k : k;
		struct tv *column = tv_object(v->m);
		tv_set_text(v->m, column, "name", step_name(v, i));
		tv_set_text(v->m, column, "sessions_text", number(v->m, v->a.steps[i].sessions));
		tv_set_text(v->m, column, "x", px(v, column_x(v, i)));
		tv_set_text(v->m, column, "dropped", drop_words(v, i, true));
		tv_set(v->m, column, "boxes", boxes_of(v, i, boxes[i]));
		tv_push(v->m, columns, column);
	}
	tv_set(v->m, more, "columns", columns);
	tv_set(v->m, more, "gaps", gaps);
	tv_set_text(v->m, more, "column_width", px(v, 100.0 / n));
	tv_set_text(v->m, more, "chart_height", px(v, bottom));
}

/* ---- the page ------------------------------------------------------------------------------ */

static void show(const struct view *v, struct tv *more)
{
	tv_set_bool(v->m, more, "is_answered", true);
	tv_set_bool(v->m, more, "has_sessions", v->a.sessions > 0);
	tv_set_text(v->m, more, "sessions_text", number(v->m, v->a.sessions));
	tv_set_bool(v->m, more, "is_one", v->a.sessions == 1);
	if (v->a.known_from) {
		struct buf text;
		buf_init(&text);
		format_date(&text, arena_strndup(v->m, v->a.known_from, 10), v->a.as_of);
		tv_set_text(v->m, more, "known_from", buf_str(&text));
		buf_fini(&text);
	}
	if (v->a.uncounted)
		tv_set_text(v->m, more, "uncounted_text", number(v->m, v->a.uncounted));
	put_edges(v, more);
	if (v->a.sessions == 0)
		return;
	put_steps(v, more);
	put_paths(v, more);
	put_chart(v, more);
}

static void csv_steps(const struct view *v, struct buf *out)
{
	buf_puts(out, "step,label,kind,sessions,share\r\n");
	for (int i = 0; i < v->a.steps_n; i++)
		for (int k = 0; k < v->a.steps[i].nodes_n; k++) {
			const struct path_node *node = &v->a.steps[i].nodes[k];
			buf_printf(out, "%d,", i + 1);
			escape_csv_text(out, node->label, strlen(node->label));
			buf_printf(out, ",%s,%lld,%s\r\n", path_kind_name(node->kind),
			           (long long)node->sessions, path_percent(v->m, node->permille));
		}
}

static void csv_links(const struct view *v, struct buf *out)
{
	buf_puts(out, "step,from,to,sessions\r\n");
	for (int i = 0; i + 1 < v->a.steps_n; i++)
		for (int k = 0; k < v->a.steps[i].nodes_n; k++)
			for (int to = 0; to < v->a.steps[i + 1].nodes_n; to++) {
				const char *a = v->a.steps[i].nodes[k].label,
						   *b = v->a.steps[i + 1].nodes[to].label;
				if (v->a.steps[i].links[k][to] == 0)
					continue;
				buf_printf(out, "%d,", i + 1);
				escape_csv_text(out, a, strlen(a));
				buf_putc(out, ',');
				escape_csv_text(out, b, strlen(b));
				buf_printf(out, ",%lld\r\n", (long long)v->a.steps[i].links[k][to]);
			}
}

static void csv_paths(const struct view *v, struct buf *out)
{
	buf_puts(out, "sessions,share");
	for (int k = 0; k < v->asked.depth; k++)
		buf_printf(out, ",step_%d", k + 1);
	buf_puts(out, "\r\n");
	for (int i = 0; i < v->a.paths_n; i++) {
		const struct path_list *p = &v->a.paths[i];
		buf_printf(out, "%lld,%s", (long long)p->sessions, path_percent(v->m, p->permille));
		for (int k = 0; k < v->asked.depth; k++) {
			buf_putc(out, ',');
			if (k < p->n)
				escape_csv_text(out, p->labels[k], strlen(p->labels[k]));
		}
		buf_puts(out, "\r\n");
	}
}

static void reply_csv(const struct view *v, const struct rowset *scope)
{
	const char *table = call_param(v->c, "table");
	struct reply *r = v->c->reply;
	table = table ? table : "steps";
	reply_begin(r, 200, CSV_TYPE);
	buf_puts(&r->body, "\xef\xbb\xbf");
	if (strcmp(table, "links") == 0)
		csv_links(v, &r->body);
	else if (strcmp(table, "paths") == 0)
		csv_paths(v, &r->body);
	else
		csv_steps(v, &r->body);
	reply_header_set(r, "Content-Disposition",
	                 arena_printf(v->m, "attachment; filename=\"takings-paths-%s-%s-%s.csv\"",
	                              table, rowset_get(scope, 0, "from"), rowset_get(scope, 0, "to")));
	v->c->handled = true;
}

static struct tv *begin_page(struct call *c)
{
	static const char *const names[] = {"steps",         "nodes",        "ways",
	                                    "paths",         "columns",      "start_choices",
	                                    "end_choices",   "known_from",   "uncounted_text",
	                                    "sessions_text", "column_width", "chart_height"};
	struct tv *more = admin_page(c);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		tv_set(c->req->arena, more, names[i], NULL);
	tv_set_text(c->req->arena, more, "origin", admin_origin(c));
	tv_set_bool(c->req->arena, more, "is_answered", false);
	tv_set_bool(c->req->arena, more, "has_sessions", false);
	tv_set_bool(c->req->arena, more, "is_one", false);
	return more;
}

static enum err answer(struct view *v, struct tv *more, const struct rowset *scope,
                       struct errbuf *eb)
{
	bool csv = strcmp(call_param(v->c, "format"), "csv") == 0;
	v->asked.start_date = arena_strdup(v->m, rowset_get(scope, 0, "from_at"));
	v->asked.end_date = arena_strdup(v->m, rowset_get(scope, 0, "until_at"));
	enum err rc = path_ask(v->c, &v->asked, &v->a, eb);
	if (rc == ERR_OK && csv)
		reply_csv(v, scope);
	else if (rc == ERR_OK)
		show(v, more);
	if (rc != ERR_INVALID || csv)
		return rc;
	char *sentence = arena_strdup(v->m, eb->text);
	if (*sentence >= 'a' && *sentence <= 'z')
		*sentence = (char)(*sentence - 'a' + 'A');
	admin_refuse(v->c, 422, sentence);
	return ERR_OK;
}

void path_page_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct rowset scope = {0};
	int64_t depth = 0;
	must(num_parse_int(call_param(c, "depth"), 1, PATHS_DEPTH, &depth));
	struct view v = {.c = c,
	                 .m = c->req->arena,
	                 .asked = {.by = call_param(c, "by"),
	                           .collapse = strcmp(call_param(c, "collapse"), "yes") == 0,
	                           .start = call_param(c, "start"),
	                           .end = call_param(c, "end"),
	                           .depth = (int)depth,
	                           .top = TOP}};
	struct tv *more = begin_page(c);
	put_choices(&v, more);
	enum err rc =
		call_ask(c, &(struct db_ask){"activity_page_scope", c->params.list, &scope}, 1, &eb);
	if (rc == ERR_OK && *rowset_get(&scope, 0, "has_days") == 't')
		rc = answer(&v, more, &scope, &eb);
	rowset_fini(&scope);
	if (rc == ERR_OK || rc == ERR_NOT_FOUND)
		return;
	call_refuse(c, 0, NULL, &eb);
	c->handled = true;
}
