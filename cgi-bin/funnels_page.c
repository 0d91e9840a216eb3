/* funnels_page.c: funnels that are kept: a list, and a form with a line for each step. */
#include <string.h>

#include "base/jnode.h"
#include "base/json_text.h"
#include "base/num.h"
#include "cgi-bin/admin.h"
#include "cgi-bin/behaviour_page.h"

static const char PATH[] = "/admin/funnels";

enum { SHOWN = 4, DEPTH = 4 };

/* ---- conditions of a step as one line ------------------------------------------------------ */

/* & and | separate, a backslash takes away that they do. */
static void put_escaped(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (strchr("\\&|=", *s))
			buf_putc(out, '\\');
		buf_putc(out, *s);
	}
}

const char *behaviour_filters(struct arena *m, const char *json)
{
	struct errbuf ignored = {0};
	const struct jnode *top = NULL;
	struct buf text;
	if (jnode_parse(m, json, strlen(json), DEPTH, NULL, &top, &ignored) != ERR_OK)
		return "";
	buf_init(&text);
	for (const struct jnode *dim = top->first; dim; dim = dim->next) {
		buf_puts(&text, text.len ? " & " : "");
		put_escaped(&text, arena_strndup(m, dim->name, dim->name_n));
		for (const struct jnode *value = dim->first; value; value = value->next) {
			buf_putc(&text, value == dim->first ? '=' : '|');
			put_escaped(&text, value->text ? value->text : "");
		}
	}
	const char *out = arena_strdup(m, buf_str(&text));
	buf_fini(&text);
	return out;
}

/* Up to the first of `ends`, without the blanks around; *p then stands on that. */
static const char *take_word(struct arena *m, const char **p, const char *ends)
{
	struct buf word;
	buf_init(&word);
	*p += strspn(*p, " ");
	for (; **p && !strchr(ends, **p); ++*p) {
		if (**p == '\\' && (*p)[1])
			++*p;
		buf_putc(&word, **p);
	}
	size_t n = word.len;
	const char *text = buf_str(&word);
	while (n && text[n - 1] == ' ')
		n--;
	const char *out = arena_strndup(m, text, n);
	buf_fini(&word);
	return out;
}

static bool read_condition(struct arena *m, const char **p, struct buf *out)
{
	const char *name = take_word(m, p, "=&");
	if (**p != '=' || !*name)
		return false;
	json_text_put(out, name, strlen(name));
	buf_puts(out, ": [");
	for (bool first = true; first || **p == '|'; first = false) {
		++*p;
		const char *value = take_word(m, p, "|&");
		buf_puts(out, first ? "" : ", ");
		json_text_put(out, value, strlen(value));
	}
	buf_putc(out, ']');
	return true;
}

bool behaviour_filters_read(struct arena *m, const char *text, const char **json)
{
	struct buf out;
	bool fine = true;
	buf_init(&out);
	buf_putc(&out, '{');
	for (const char *p = text + strspn(text, " "); fine && *p; p += *p == '&') {
		buf_puts(&out, out.len > 1 ? ", " : "");
		fine = read_condition(m, &p, &out);
	}
	buf_putc(&out, '}');
	*json = arena_strdup(m, buf_str(&out));
	buf_fini(&out);
	return fine;
}

/* ---- the form -------------------------------------------------------------------------------- */

static const struct {
	const char *word, *name;
	int64_t s;
} window_units[] = {{"days", "days", 86400},
                    {"hours", "hours", 3600},
                    {"minutes", "minutes", 60},
                    {"seconds", "seconds", 1}};

enum { WINDOW_UNITS = sizeof window_units / sizeof *window_units };

/* A line of the form, from whatever is known of its step. */
static struct tv *form_line(struct call *c, int n, const char *type, const char *where,
                            const char *name)
{
	struct arena *m = c->req->arena;
	struct tv *row = tv_object(m);
	tv_set_int(m, row, "n", n);
	tv_set_text(m, row, "type", type);
	tv_set_text(m, row, "where", where);
	tv_set_text(m, row, "name", name);
	tv_set_bool(m, row, "is_needed", n <= 2);
	tv_set_bool(m, row, "is_first", n == 1);
	tv_set_bool(m, row, "is_second", n == 2);
	tv_set_bool(m, row, "is_more", n == SHOWN + 1);
	return row;
}

static void put_selects(struct call *c, struct tv *more, const char *unit, const char *order,
                        const char *window_unit)
{
	static const char *const units[][2] = {{"user", "people"}, {"session", "sessions"}, {0}};
	static const char *const orders[][2] = {
		{"sequential", "in order, other events may lie between"},
		{"strict", "in order, no other event between"},
		{"any", "in any order"},
		{0}};
	static const char *const windows[][2] = {
		{"days", "days"}, {"hours", "hours"}, {"minutes", "minutes"}, {"seconds", "seconds"}, {0}};
	struct arena *m = c->req->arena;
	tv_set(m, more, "form_units", behaviour_choices(m, units, unit));
	tv_set(m, more, "form_orders", behaviour_choices(m, orders, order));
	tv_set(m, more, "form_windows", behaviour_choices(m, windows, window_unit));
}

static const char *field(const struct call *c, const char *what, int n)
{
	return call_param(c, arena_printf(c->req->arena, "%s_%d", what, n));
}

/* The form as it was typed; empty where nothing was. */
static void put_typed(struct call *c, struct tv *more)
{
	struct arena *m = c->req->arena;
	struct tv *lines = tv_list(m);
	const char *unit = call_param(c, "unit"), *order = call_param(c, "order");
	const char *window = call_param(c, "window"), *window_unit = call_param(c, "window_unit");
	bool is_long = false;
	for (int n = 1; n <= FUNNEL_STEPS; n++) {
		const char *type = field(c, "type", n);
		tv_push(m, lines, form_line(c, n, type, field(c, "where", n), field(c, "name", n)));
		is_long |= n > SHOWN && type && *type;
	}
	tv_set(m, more, "lines", lines);
	tv_set_bool(m, more, "is_long", is_long);
	tv_set_text(m, more, "form_window", window ? window : "7");
	put_selects(c, more, unit ? unit : "user", order ? order : "sequential",
	            window_unit ? window_unit : "days");
}

static void put_kept_form(struct call *c, struct tv *more, const struct funnel_kept *f)
{
	struct arena *m = c->req->arena;
	struct tv *lines = tv_list(m);
	int u = 0;
	while (u + 1 < WINDOW_UNITS && f->window_s % window_units[u].s != 0)
		u++;
	for (int n = 1; n <= FUNNEL_STEPS; n++) {
		const struct funnel_named_step *s = n <= f->steps_n ? &f->steps[n - 1] : NULL;
		bool named = s && strcmp(s->name, s->event_type) != 0;
		tv_push(m, lines,
		        form_line(c, n, s ? s->event_type : NULL,
		                  s ? behaviour_filters(m, s->filters) : NULL, named ? s->name : NULL));
	}
	tv_set(m, more, "lines", lines);
	tv_set_bool(m, more, "is_long", f->steps_n > SHOWN);
	tv_set_int(m, more, "form_window", f->window_s / window_units[u].s);
	put_selects(c, more, f->by_session ? "session" : "user", funnel_order_name(f->order),
	            window_units[u].word);
}

/* ---- from the form to what is kept -------------------------------------------------------------
 */

static const char *put_step(struct call *c, struct buf *out, int n)
{
	struct arena *m = c->req->arena;
	const char *type = field(c, "type", n), *where = field(c, "where", n), *filters;
	const char *name = field(c, "name", n);
	type = type ? type + strspn(type, " ") : "";
	where = where ? where : "";
	name = name ? name + strspn(name, " ") : "";
	if (!*type)
		return *where || *name ? arena_printf(m, "Step %d needs a type of event.", n) : NULL;
	if (!behaviour_filters_read(m, where, &filters))
		return arena_printf(m, "Step %d: a condition is like page=/pricing.", n);
	if (out->len && out->data[out->len - 1] == '}')
		buf_puts(out, ", ");
	buf_puts(out, "{\"event_type\": ");
	json_text_put(out, type, strlen(type));
	if (strcmp(filters, "{}") != 0)
		buf_printf(out, ", \"filters\": %s", filters);
	if (*name) {
		buf_puts(out, ", \"name\": ");
		json_text_put(out, name, strlen(name));
	}
	buf_putc(out, '}');
	return NULL;
}

static int64_t window_of(const struct call *c)
{
	int64_t n = 0;
	must(num_parse_int(call_param(c, "window"), 1, INT32_MAX, &n));
	for (int u = 0; u < WINDOW_UNITS; u++)
		if (strcmp(window_units[u].word, call_param(c, "window_unit")) == 0)
			return n * window_units[u].s;
	return n;
}

/* NULL: *out is JSON that may be kept. */
static const char *definition(struct call *c, const char **out)
{
	struct buf text;
	const char *problem = NULL;
	buf_init(&text);
	buf_puts(&text, "{\"steps\": [");
	for (int n = 1; !problem && n <= FUNNEL_STEPS; n++)
		problem = put_step(c, &text, n);
	buf_printf(&text, "], \"order\": \"%s\", \"window_s\": %lld, \"unit\": \"%s\"}",
	           call_param(c, "order"), (long long)window_of(c), call_param(c, "unit"));
	*out = arena_strdup(c->req->arena, buf_str(&text));
	buf_fini(&text);
	return problem;
}

static const char *sentence(struct arena *m, const char *text)
{
	char *out = arena_printf(m, "%s%s", text, text[strlen(text) - 1] == '.' ? "" : ".");
	if (*out >= 'a' && *out <= 'z')
		*out = (char)(*out - 'a' + 'A');
	return out;
}

static void refuse_form(struct call *c, const char *problem)
{
	c->page_status = 422;
	tv_set_text(c->req->arena, admin_page(c), "form_problem", problem);
}

static void write_form(struct call *c, const char *name, const char *done)
{
	struct errbuf eb = {0};
	const char *text, *problem = definition(c, &text);
	bool made;
	if (problem) {
		refuse_form(c, problem);
		return;
	}
	struct db *db = admin_begin(c);
	if (!db)
		return;
	enum err rc = funnel_write(c, db, name, text, strlen(text), &made, &eb);
	if (rc == ERR_INVALID) {
		pool_give(c->web->pool, db);
		refuse_form(c, sentence(c->req->arena, eb.text));
	} else if (admin_end(c, db, rc, &eb)) {
		admin_done(c, PATH, done);
	}
}

/* ---- the list
 * ------------------------------------------------------------------------------------ */

static struct tv *kept_row(struct arena *m, const struct funnel_kept *f, const char *written)
{
	struct tv *row = tv_object(m), *steps = tv_list(m);
	for (int i = 0; i < f->steps_n; i++) {
		struct tv *step = tv_object(m);
		const char *filters = behaviour_filters(m, f->steps[i].filters);
		tv_set_text(m, step, "name", f->steps[i].name);
		tv_set_text(m, step, "filters", *filters ? filters : NULL);
		tv_push(m, steps, step);
	}
	tv_set_text(m, row, "name", f->name);
	tv_set_text(m, row, "url", behaviour_url(m, f->name));
	tv_set(m, row, "steps", steps);
	tv_set_text(m, row, "window_text", behaviour_window(m, f->window_s));
	tv_set_bool(m, row, "of_sessions", f->by_session);
	tv_set_bool(m, row, "is_strict", f->order == FUNNEL_STRICT);
	tv_set_bool(m, row, "is_any", f->order == FUNNEL_ANY);
	tv_set_bool(m, row, "built_in", f->built_in);
	tv_set_text(m, row, "written_by", f->written_by);
	tv_set_text(m, row, "written_text", written);
	return row;
}

static struct tv *list_page(struct call *c)
{
	struct errbuf eb = {0};
	const struct funnel_kept *list = NULL;
	struct arena *m = c->req->arena;
	struct tv *more = admin_page(c), *rows = tv_list(m);
	int n = 0;
	enum err rc = funnel_list(c, NULL, &list, &n, &eb);
	const char **at = arena_array(m, (size_t)n + 1, sizeof *at);
	const char **said = arena_array(m, (size_t)n + 1, sizeof *said);
	for (int i = 0; i < n; i++)
		at[i] = list[i].written_at;
	behaviour_times(c, at, n, said);
	for (int i = 0; i < n; i++)
		tv_push(m, rows, kept_row(m, &list[i], said[i]));
	tv_set(m, more, "funnels", rows);
	tv_set(m, more, "form_problem", NULL);
	tv_set_bool(m, more, "has_room", n < FUNNELS);
	tv_set_text(m, more, "typed_name", call_param(c, "funnel_name"));
	put_typed(c, more);
	if (rc != ERR_OK && rc != ERR_NOT_FOUND)
		behaviour_refuse(c, &eb);
	return more;
}

void funnels_page_handle(struct call *c)
{
	(void)list_page(c);
}

void funnels_add_handle(struct call *c)
{
	const char *name = call_param(c, "funnel_name");
	const struct funnel_kept *list;
	struct errbuf eb = {0};
	int n;
	(void)list_page(c);
	if (c->handled)
		return;
	if (funnel_list(c, name, &list, &n, &eb) == ERR_OK) {
		c->page_status = 409;
		tv_set_text(c->req->arena, admin_page(c), "form_problem",
		            "There is a funnel of this name already.");
		return;
	}
	write_form(c, name, "funnel_added");
}

/* ---- one of them
 * ----------------------------------------------------------------------------------- */

/* False: there is none, and the answer is made. */
static bool edit_page(struct call *c, const struct funnel_kept **kept)
{
	struct errbuf eb = {0};
	struct arena *m = c->req->arena;
	struct tv *more = admin_page(c);
	int n;
	if (funnel_list(c, call_param(c, "funnel_name"), kept, &n, &eb) != ERR_OK) {
		call_refuse(c, 0, NULL, &eb);
		c->handled = true;
		return false;
	}
	tv_set(m, more, "form_problem", NULL);
	tv_set(m, more, "delete_problem", NULL);
	tv_set_text(m, more, "name", (*kept)->name);
	tv_set_text(m, more, "url", behaviour_url(m, (*kept)->name));
	tv_set_bool(m, more, "built_in", (*kept)->built_in);
	return true;
}

void funnel_edit_page_handle(struct call *c)
{
	const struct funnel_kept *kept;
	if (edit_page(c, &kept))
		put_kept_form(c, admin_page(c), kept);
}

void funnel_edit_handle(struct call *c)
{
	const struct funnel_kept *kept;
	if (!edit_page(c, &kept))
		return;
	put_typed(c, admin_page(c));
	write_form(c, kept->name, "funnel_written");
}

void funnel_drop_handle(struct call *c)
{
	struct errbuf eb = {0};
	const struct funnel_kept *kept;
	if (!edit_page(c, &kept))
		return;
	put_kept_form(c, admin_page(c), kept);
	if (strcmp(call_param(c, "confirm"), kept->name) != 0) {
		c->page_status = 422;
		tv_set_text(c->req->arena, admin_page(c), "delete_problem",
		            "That is not its name: nothing was deleted.");
		return;
	}
	struct db *db = admin_begin(c);
	if (!db)
		return;
	enum err rc = funnel_delete(c, db, kept->name, &eb);
	if (rc == ERR_INVALID) {
		pool_give(c->web->pool, db);
		admin_refuse(c, 422, sentence(c->req->arena, eb.text));
	} else if (admin_end(c, db, rc, &eb))
		admin_done(c, PATH, "funnel_deleted");
}
