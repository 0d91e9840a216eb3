/* explorer.c: from an address to a question, and the choices of the page. */
#include "cgi-bin/explorer.h"

#include <string.h>

#include "base/json_text.h"
#include "base/num.h"
#include "cgi-bin/admin.h"
#include "cgi-bin/csv.h"
#include "domain/activity_metrics.h"
#include "web/escape.h"

/* ---- what is asked --------------------------------------------------------------------- */

static enum err read_list(struct arena *m, const char *field, const char *text, int most,
                          const char **out, int *n, struct errbuf *eb)
{
	for (const char *p = text; p && *p; p += strcspn(p, ","), p += *p == ',') {
		if (*n == most)
			return err_set_field(eb, ERR_INVALID, field, "%s: at most %d at once", field, most);
		out[(*n)++] = arena_strndup(m, p, strcspn(p, ","));
	}
	return ERR_OK;
}

/* "source=google.com&device=mobile" */
static enum err read_filters(struct call *c, struct explored *e, struct errbuf *eb)
{
	const char *text = call_param(c, "filter");
	const struct pair *pairs;
	struct errbuf why = {0};
	size_t n;
	if (!text)
		return ERR_OK;
	if (request_parse_pairs(c->req->arena, text, strlen(text), &pairs, &n, &why) != ERR_OK ||
	    n > ASK_FILTERS)
		return err_set_field(eb, ERR_INVALID, "filter",
		                     "filter must be like source=google.com&device=mobile, at most %d",
		                     ASK_FILTERS);
	for (size_t i = 0; i < n; i++)
		e->filters[e->filters_n++] = pairs[i];
	return ERR_OK;
}

static enum err read_explored(struct call *c, struct explored *e, struct errbuf *eb)
{
	struct arena *m = c->req->arena;
	*e = (struct explored){.step = call_param(c, "step"),
	                       .compare = call_param(c, "compare"),
	                       .bots = call_param(c, "bots"),
	                       .main = call_param(c, "main")};
	enum err rc =
		read_list(m, "metric", call_param(c, "metric"), ASK_METRICS, e->metrics, &e->metrics_n, eb);
	if (rc == ERR_OK)
		rc = read_list(m, "by", call_param(c, "by"), ASK_GROUPS, e->by, &e->by_n, eb);
	if (rc == ERR_OK)
		rc = read_filters(c, e, eb);
	if (rc != ERR_OK)
		return rc;
	if (e->metrics_n == 0)
		e->metrics[e->metrics_n++] = "users";
	for (int i = 0; i < e->metrics_n; i++)
		if (e->main && strcmp(e->main, e->metrics[i]) == 0)
			return ERR_OK;
	e->main = e->metrics[0];
	return ERR_OK;
}

const char *explorer_step(const struct explored *e, int64_t days_n)
{
	if (e->step)
		return e->step;
	if (e->by_n)
		return "none";
	return days_n <= 1 ? "hour" : days_n <= 100 ? "day" : days_n <= 800 ? "week" : "month";
}

/* ---- links ------------------------------------------------------------------------------- */

static void put_pair(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s%s=", out->len ? "&" : "?", name);
	escape_url(out, value, strlen(value));
}

static void put_list(struct buf *out, const char *name, const char *const *list, int n)
{
	struct buf text;
	buf_init(&text);
	for (int i = 0; i < n; i++)
		buf_printf(&text, "%s%s", i ? "," : "", list[i]);
	if (n)
		put_pair(out, name, buf_str(&text));
	buf_fini(&text);
}

static void put_filters(struct buf *out, const struct explored *e)
{
	struct buf text;
	buf_init(&text);
	for (int i = 0; i < e->filters_n; i++) {
		buf_printf(&text, "%s%s=", i ? "&" : "", e->filters[i].name);
		escape_url(&text, e->filters[i].value, strlen(e->filters[i].value));
	}
	if (text.len)
		put_pair(out, "filter", buf_str(&text));
	buf_fini(&text);
}

static void put_days(struct buf *out, const struct call *c, const struct explored *e)
{
	static const char *const names[] = {"period", "date", "from", "to"};
	const char *const other[] = {NULL, e->date, e->from, e->to};
	bool own = !e->date && !e->from;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *value = own ? request_query_find(c->req, names[i]) : other[i];
		if (value)
			put_pair(out, names[i], value);
	}
}

const char *explorer_link(const struct call *c, const struct explored *e)
{
	struct buf out;
	buf_init(&out);
	put_list(&out, "metric", e->metrics, e->metrics_n);
	put_list(&out, "by", e->by, e->by_n);
	put_filters(&out, e);
	put_days(&out, c, e);
	if (e->step)
		put_pair(&out, "step", e->step);
	if (strcmp(e->compare, "previous") != 0)
		put_pair(&out, "compare", e->compare);
	if (strcmp(e->bots, "exclude") != 0)
		put_pair(&out, "bots", e->bots);
	if (e->metrics_n && strcmp(e->main, e->metrics[0]) != 0)
		put_pair(&out, "main", e->main);
	const char *text = arena_strdup(c->req->arena, buf_str(&out));
	buf_fini(&out);
	return text;
}

static void without(const char **list, int *n, int i)
{
	for (; i + 1 < *n; i++)
		list[i] = list[i + 1];
	--*n;
}

static int place_of(const char *const *list, int n, const char *word)
{
	for (int i = 0; i < n; i++)
		if (strcmp(list[i], word) == 0)
			return i;
	return -1;
}

/* ---- choices ------------------------------------------------------------------------------- */

/* The link to the question with the metric, or without it where it is asked. NULL: no other. */
static const char *toggle_metric(const struct call *c, const struct explored *e, const char *id)
{
	struct explored other = *e;
	int at = place_of(e->metrics, e->metrics_n, id);
	if (at >= 0 ? e->metrics_n == 1 : e->metrics_n == ASK_METRICS)
		return NULL;
	if (at < 0) {
		other.metrics[other.metrics_n++] = id;
		return explorer_link(c, &other);
	}
	without(other.metrics, &other.metrics_n, at);
	if (strcmp(e->main, id) == 0)
		other.main = other.metrics[0];
	return explorer_link(c, &other);
}

static struct tv *metric_choices(struct call *c, const struct explored *e)
{
	struct arena *m = c->req->arena;
	struct tv *list = tv_list(m);
	const struct activity_metric *am;
	unsigned family = 0;
	for (int i = 0; (am = activity_metric_get(i)) != NULL; i++) {
		struct tv *row = tv_object(m);
		unsigned of = am->families & -am->families;
		tv_set(m, row, "label", tv_borrow(m, am->metric->label));
		tv_set_bool(m, row, "is_on", place_of(e->metrics, e->metrics_n, am->metric->id) >= 0);
		tv_set_bool(m, row, "begins", of != family);
		tv_set_text(m, row, "href", toggle_metric(c, e, am->metric->id));
		tv_push(m, list, row);
		family = of;
	}
	return list;
}

/* Grouping by a dimension: the link to the question that is grouped by it, too, or no more. */
static const char *toggle_group(const struct call *c, const struct explored *e, const char *name)
{
	struct explored other = *e;
	int at = place_of(e->by, e->by_n, name);
	if (at < 0 && e->by_n == ASK_GROUPS)
		return NULL;
	if (at < 0)
		other.by[other.by_n++] = name;
	else
		without(other.by, &other.by_n, at);
	return explorer_link(c, &other);
}

static void put_dimensions(struct call *c, struct tv *more, const struct explored *e,
                           const struct rowset *dims)
{
	struct arena *m = c->req->arena;
	struct tv *list = tv_list(m);
	for (int i = 0; i < rowset_rows(dims); i++) {
		const char *name = arena_strdup(m, rowset_get(dims, i, "name"));
		struct tv *row = tv_object(m);
		tv_set_text(m, row, "name", name);
		tv_set_bool(m, row, "is_on", place_of(e->by, e->by_n, name) >= 0);
		tv_set_text(m, row, "href", toggle_group(c, e, name));
		tv_push(m, list, row);
	}
	tv_set(m, more, "dimensions", list);
}

static void put_filters_of(struct call *c, struct tv *more, const struct explored *e)
{
	struct arena *m = c->req->arena;
	struct tv *list = tv_list(m);
	for (int i = 0; i < e->filters_n; i++) {
		struct explored other = *e;
		struct tv *row = tv_object(m);
		for (int k = i; k + 1 < e->filters_n; k++)
			other.filters[k] = e->filters[k + 1];
		other.filters_n--;
		tv_set_text(m, row, "name", e->filters[i].name);
		tv_set_text(m, row, "value", e->filters[i].value);
		tv_set_text(m, row, "href", explorer_link(c, &other));
		tv_push(m, list, row);
	}
	tv_set(m, more, "asked_filters", list);
}

/* A list of words of which one is in force, each with the link to the question with it. */
static void put_words(struct call *c, struct tv *more, const char *key, const struct explored *e,
                      const char *const (*words)[2], size_t n, const char *now, size_t offset)
{
	struct arena *m = c->req->arena;
	struct tv *list = tv_list(m);
	for (size_t i = 0; i < n; i++) {
		struct explored other = *e;
		struct tv *row = tv_object(m);
		*(const char **)((char *)&other + offset) = words[i][0];
		tv_set(m, row, "label", tv_borrow(m, words[i][1]));
		tv_set_bool(m, row, "is_on", strcmp(words[i][0], now) == 0);
		tv_set_text(m, row, "href", explorer_link(c, &other));
		tv_push(m, list, row);
	}
	tv_set(m, more, key, list);
}

static void put_choices(struct call *c, struct tv *more, const struct explored *e,
                        const struct rowset *scope, const struct rowset *dims)
{
	static const char *const steps[][2] = {{"none", "In all"},
	                                       {"hour", "Hours"},
	                                       {"day", "Days"},
	                                       {"week", "Weeks"},
	                                       {"month", "Months"}};
	static const char *const bases[][2] = {{"previous", "The days before"},
	                                       {"year", "The same weekdays a year before"},
	                                       {"none", "No comparison"}};
	static const char *const whose[][2] = {{"exclude", "People"}, {"only", "Bots"}};
	struct arena *m = c->req->arena;
	const char *step = explorer_step(e, rowset_int(scope, 0, "days_n"));
	tv_set(m, more, "metric_choices", metric_choices(c, e));
	put_dimensions(c, more, e, dims);
	put_filters_of(c, more, e);
	put_words(c, more, "step_choices", e, steps, sizeof steps / sizeof *steps, step,
	          offsetof(struct explored, step));
	put_words(c, more, "base_choices", e, bases, sizeof bases / sizeof *bases, e->compare,
	          offsetof(struct explored, compare));
	put_words(c, more, "bot_choices", e, whose, sizeof whose / sizeof *whose, e->bots,
	          offsetof(struct explored, bots));
	tv_set_bool(m, more, "compares", strcmp(e->compare, "none") != 0);
	tv_set_bool(m, more, "of_year", strcmp(e->compare, "year") == 0);
	tv_set_bool(m, more, "of_bots", strcmp(e->bots, "only") == 0);
	tv_set_bool(m, more, "is_grouped", e->by_n > 0);
	const char *link = explorer_link(c, e);
	tv_set_text(m, more, "ask", link + (*link == '?'));
}

/* ---- asking -----------------------------------------------------------------------------------
 */

static void put_texts(struct buf *out, const char *name, const char *const *list, int n)
{
	buf_printf(out, ",\"%s\":[", name);
	for (int i = 0; i < n; i++) {
		buf_puts(out, i ? "," : "");
		json_text_put(out, list[i], strlen(list[i]));
	}
	buf_putc(out, ']');
}

/* A day that runs is asked for up to the end of its hour, so that what it is compared with is as
 * long; but orders of items, which are known by days only. */
static const char *end_of(const struct explored *e, const struct rowset *scope)
{
	unsigned families = 0;
	bool items = false;
	for (int i = 0; i < e->metrics_n; i++) {
		const struct activity_metric *am = activity_metric_find(e->metrics[i]);
		families |= am ? am->families : 0;
	}
	for (int i = 0; i < e->by_n; i++)
		items |= strcmp(e->by[i], "product") == 0 || strcmp(e->by[i], "category") == 0;
	for (int i = 0; i < e->filters_n; i++)
		items |= strcmp(e->filters[i].name, "product") == 0 ||
		         strcmp(e->filters[i].name, "category") == 0;
	bool by_day = families & ACTIVITY_OF_BY_DAY || (families & ACTIVITY_OF_ORDERS && items);
	return rowset_get(scope, 0, by_day ? "until_at" : "running_at");
}

static void put_body(struct buf *out, const struct explored *e, const struct rowset *scope)
{
	buf_printf(out, "{\"start_date\":\"%s\",\"end_date\":\"%s\"", rowset_get(scope, 0, "from_at"),
	           end_of(e, scope));
	put_texts(out, "metrics", e->metrics, e->metrics_n);
	put_texts(out, "dimensions", e->by, e->by_n);
	buf_puts(out, ",\"filters\":{");
	for (int i = 0; i < e->filters_n; i++) {
		buf_puts(out, i ? "," : "");
		json_text_put(out, e->filters[i].name, strlen(e->filters[i].name));
		buf_putc(out, ':');
		json_text_put(out, e->filters[i].value, strlen(e->filters[i].value));
	}
	buf_printf(out, "},\"granularity\":\"%s\",\"compare\":\"%s\",\"bots\":\"%s\",\"order\":",
	           explorer_step(e, rowset_int(scope, 0, "days_n")), e->compare, e->bots);
	json_text_put(out, e->main, strlen(e->main));
	buf_puts(out, ",\"limit\":50}");
}

static enum err ask(struct call *c, const struct explored *e, const struct rowset *scope,
                    struct rowset *answer, struct errbuf *eb)
{
	struct buf body;
	buf_init(&body);
	put_body(&body, e, scope);
	enum err rc = ask_read(c, buf_str(&body), body.len, eb);
	buf_fini(&body);
	if (rc == ERR_OK)
		rc = call_ask(c, &(struct db_ask){"ask_answer", c->params.list, answer}, 1, eb);
	if (rc == ERR_OK && rowset_rows(answer) == 0)
		rc = err_set(eb, ERR_NOT_FOUND, "nothing is known of activity yet");
	return rc;
}

static bool wants_csv(const struct call *c)
{
	return strcmp(call_param(c, "format"), "csv") == 0;
}

static void reply_csv(struct call *c, const struct explored *e, const struct rowset *scope,
                      const struct rowset *answer)
{
	reply_begin(c->reply, 200, CSV_TYPE);
	buf_puts(&c->reply->body, "\xef\xbb\xbf");
	explorer_csv(c, e, answer, &c->reply->body);
	reply_header_set(c->reply, "Content-Disposition",
	                 arena_printf(c->req->arena,
	                              "attachment; filename=\"takings-explorer-%s-%s.csv\"",
	                              rowset_get(scope, 0, "from"), rowset_get(scope, 0, "to")));
	c->handled = true;
}

/* The form of a filter leads to the address that has it like any other. */
static void add_filter(struct call *c, const struct explored *e)
{
	struct explored other = *e;
	const char *name = call_param(c, "add"), *value = call_param(c, "value");
	int at = 0;
	while (at < other.filters_n && strcmp(other.filters[at].name, name) != 0)
		at++;
	if (at < ASK_FILTERS) {
		other.filters[at] = (struct pair){name, value && *value ? value : "(not set)"};
		other.filters_n += at == other.filters_n;
	}
	call_redirect(c, arena_printf(c->req->arena, "/admin/explorer%s", explorer_link(c, &other)));
}

static struct tv *explorer_page(struct call *c)
{
	static const char *const lists[] = {"tiles", "columns", "rows", "series", "pivot"};
	struct arena *m = c->req->arena;
	struct tv *more = admin_page(c);
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		tv_set(m, more, lists[i], NULL);
	tv_set_text(m, more, "origin", admin_origin(c));
	tv_set_bool(m, more, "is_answered", false);
	return more;
}

/* What speaks against the question is said where it can be changed. */
static void refuse(struct call *c, const struct errbuf *eb)
{
	char *sentence = arena_strdup(c->req->arena, eb->text);
	if (*sentence >= 'a' && *sentence <= 'z')
		*sentence = (char)(*sentence - 'a' + 'A');
	admin_refuse(c, 422, sentence);
}

static void show(struct call *c, const struct explored *e, const struct rowset *scope,
                 const struct rowset *dims)
{
	struct errbuf eb = {0};
	struct rowset answer = {0};
	struct tv *more = explorer_page(c);
	enum err rc = ERR_OK;
	bool asks = *rowset_get(scope, 0, "has_days") == 't';
	put_choices(c, more, e, scope, dims);
	if (asks)
		rc = ask(c, e, scope, &answer, &eb);
	if (asks && rc == ERR_OK && wants_csv(c))
		reply_csv(c, e, scope, &answer);
	else if (asks && rc == ERR_OK)
		explorer_show(c, more, e, scope, &answer);
	else if (rc == ERR_INVALID && !wants_csv(c))
		refuse(c, &eb);
	rowset_fini(&answer);
	if (rc == ERR_OK || rc == ERR_NOT_FOUND || (rc == ERR_INVALID && !wants_csv(c)))
		return;
	call_refuse(c, 0, NULL, &eb);
	c->handled = true;
}

void explorer_page_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct explored e;
	struct rowset scope = {0}, dims = {0};
	const struct db_ask asks[] = {{"activity_page_scope", c->params.list, &scope},
	                              {"ask_dimensions", DB_NO_PARAMS, &dims}};
	enum err rc = read_explored(c, &e, &eb);
	if (rc == ERR_OK && call_param(c, "add")) {
		add_filter(c, &e);
		return;
	}
	if (rc == ERR_OK)
		rc = call_ask(c, asks, sizeof asks / sizeof *asks, &eb);
	if (rc == ERR_OK)
		show(c, &e, &scope, &dims);
	rowset_fini(&scope);
	rowset_fini(&dims);
	if (rc == ERR_OK)
		return;
	call_refuse(c, 0, NULL, &eb);
	c->handled = true;
}
