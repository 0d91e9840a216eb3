/* gate.c: from a request to a reply, by the row of its route. */
#include "cgi-bin/gate.h"

#include <stdio.h>
#include <string.h>

#include "base/assets.h"
#include "base/clock.h"
#include "base/log.h"
#include "cgi-bin/params.h"
#include "cgi-bin/render.h"
#include "domain/metrics.h"
#include "web/mustache.h"

enum { PAGES = 32 };

static struct {
	struct mustache *template;
	const struct route *route;
} pages[PAGES];

/* ---- asking the database ----------------------------------------------- */

/* How much more time a statement may have been given than the request has left. */
enum { SLACK_MS = 100, POOL_WAIT_MS = 5000 };

struct answer {
	const struct route *route;
	struct param_values params;
	struct rowset parts[ROUTE_PARTS];
	int n;
	int64_t deadline_ms; /* monotonic: QUERY_TIMEOUT is for all parts together */
};

static void answer_fini(struct answer *a)
{
	for (int i = 0; i < a->n; i++)
		rowset_fini(&a->parts[i]);
	a->n = 0;
}

/* The server stops a statement after *given_ms, at first the session's own limit. It
 * is told another only once that is clearly more than the request has left, so that
 * an ordinary page pays nothing for its deadline. */
static enum err give_time(struct db *db, int64_t deadline_ms, int64_t *given_ms, struct errbuf *eb)
{
	char sql[64];
	int64_t left_ms = deadline_ms - clock_mono_ms();
	if (left_ms <= 0)
		return err_set(eb, ERR_TIMEOUT, "the time of the request is over");
	if (*given_ms <= left_ms + SLACK_MS)
		return ERR_OK;
	*given_ms = left_ms;
	(void)snprintf(sql, sizeof sql, "SET LOCAL statement_timeout = %lld", (long long)left_ms);
	return db_command(db, sql, eb);
}

/* Says 404, and of which parameter there are no figures on any day. */
static enum err tell_missing(struct db *db, const struct answer *a, const struct part *p,
                             struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(db, "report_missing", a->params.list, &rs, eb);
	if (rc != ERR_OK)
		return rc;
	const char *detail = rowset_get(&rs, 0, "detail"), *field = rowset_get(&rs, 0, "field");
	rc = err_set_field(eb, ERR_NOT_FOUND, field ? field : "", "%s", detail ? detail : p->missing);
	rowset_fini(&rs);
	return rc;
}

static enum err ask_part(struct db *db, struct answer *a, const struct part *p, struct errbuf *eb)
{
	struct rowset *rs = &a->parts[a->n++];
	enum err rc = db_query(db, p->statement, a->params.list, rs, eb);
	if (rc == ERR_OK && p->missing && rowset_rows(rs) == 0)
		rc = tell_missing(db, a, p, eb);
	return rc;
}

/* The connection brings one snapshot for all parts, so that they agree with each other. */
static enum err ask(struct web *w, struct answer *a, struct errbuf *eb)
{
	struct db *db;
	int64_t given_ms = conf_int(w->conf, CONF_QUERY_TIMEOUT) * 1000;
	a->deadline_ms = clock_mono_ms() + given_ms;
	enum err rc = pool_take(w->pool, given_ms < POOL_WAIT_MS ? given_ms : POOL_WAIT_MS, &db, eb);
	if (rc != ERR_OK)
		return rc;
	for (int i = 0; rc == ERR_OK && i < ROUTE_PARTS && a->route->parts[i].statement; i++) {
		rc = give_time(db, a->deadline_ms, &given_ms, eb);
		if (rc == ERR_OK)
			rc = ask_part(db, a, &a->route->parts[i], eb);
	}
	pool_give(w->pool, db);
	return rc;
}

/* ---- JSON -------------------------------------------------------------- */

static void write_json(const struct answer *a, struct buf *out)
{
	struct json j;
	json_init(&j, out);
	json_begin_object(&j);
	for (int i = 0; i < a->n; i++) {
		const struct part *p = &a->route->parts[i];
		const struct rowset *rs = &a->parts[i];
		if (p->shape == PART_FIELDS) {
			if (rowset_rows(rs))
				render_json_fields(&j, rs, 0, p->columns);
			continue;
		}
		json_key(&j, p->key);
		if (p->shape == PART_ROWS)
			json_begin_array(&j);
		for (int row = 0; row < rowset_rows(rs); row++) {
			json_begin_object(&j);
			render_json_fields(&j, rs, row, p->columns);
			json_end_object(&j);
		}
		if (p->shape == PART_ROWS)
			json_end_array(&j);
		else if (rowset_rows(rs) == 0)
			json_put_null(&j);
	}
	json_end_object(&j);
	json_end(&j);
	buf_putc(out, '\n');
}

/* ---- pages ------------------------------------------------------------- */

/* A value of the scope part, which every page has first. */
static const char *scope_text(const struct answer *a, const char *name, const char *fallback)
{
	const struct rowset *rs = &a->parts[0];
	const char *text = a->n && rowset_rows(rs) ? rowset_get(rs, 0, name) : NULL;
	return text ? text : fallback;
}

static struct tv *page_context(const struct answer *a, const struct request *req)
{
	struct arena *m = req->arena;
	struct tv *top = tv_object(m);
	const char *today = scope_text(a, "today", ""), *currency = scope_text(a, "currency", "");
	for (int i = 0; i < a->n; i++) {
		const struct part *p = &a->route->parts[i];
		struct tv *list = tv_list(m);
		for (int row = 0; row < rowset_rows(&a->parts[i]); row++)
			tv_push(m, list, render_tv_row(m, &a->parts[i], row, today, currency));
		if (p->shape == PART_ROWS)
			tv_set(m, top, p->key, list);
		else
			tv_set(m, top, p->key, list->n ? list->items[0] : NULL);
	}
	for (int i = 0; metric_get(i); i++) {
		const struct metric *metric = metric_get(i);
		struct tv *about = tv_object(m);
		tv_set(m, about, "label", tv_borrow(m, metric->label));
		tv_set(m, about, "help", tv_borrow(m, metric->formula));
		tv_set(m, top, arena_printf(m, "about_%s", metric->id), about);
	}
	tv_set_bool(m, top, "is_page", true);
	tv_set_text(m, top, "request_id", req->request_id);
	tv_set_text(m, top, "version", TAKINGS_VERSION);
	return top;
}

static const struct mustache *page_template(const char *file)
{
	for (int i = 0; i < PAGES && pages[i].route; i++)
		if (strcmp(pages[i].route->page, file) == 0)
			return pages[i].template;
	return NULL;
}

static enum err write_page(const struct answer *a, const struct request *req, struct buf *out,
                           struct errbuf *eb)
{
	return mustache_render(page_template(a->route->page), page_context(a, req), out, eb);
}

/* ---- the gate ---------------------------------------------------------- */

static bool method_fits(const struct route *r, const struct request *req)
{
	if (req->method == METHOD_HEAD)
		return strcmp(r->method, "GET") == 0;
	return strcmp(r->method, req->method_text) == 0;
}

/* A person gets a page, a program gets problem+json. */
static void refuse(const struct route *route, const struct request *req, struct reply *reply,
                   int status, const char *code, struct errbuf *eb)
{
	reply_problem(reply, req, status, code, eb);
	bool person = route ? route->page != NULL : strncmp(req->path, "/admin/", 7) == 0;
	const struct mustache *t = person ? page_template("error.html") : NULL;
	if (!t)
		return;
	struct errbuf ignored = {0};
	struct tv *top = tv_object(req->arena);
	bool ours = reply->status >= 500;
	tv_set_int(req->arena, top, "status", reply->status);
	tv_set_text(req->arena, top, "detail", ours ? NULL : eb->text);
	tv_set_bool(req->arena, top, "unavailable", reply->status == 503);
	tv_set_bool(req->arena, top, "is_page", false);
	tv_set_text(req->arena, top, "request_id", req->request_id);
	tv_set_text(req->arena, top, "version", TAKINGS_VERSION);
	buf_clear(&reply->body);
	if (mustache_render(t, top, &reply->body, &ignored) == ERR_OK)
		reply_header_set(reply, "Content-Type", "text/html; charset=utf-8");
}

static void answer_route(struct web *w, const struct route *route, const struct request *req,
                         struct reply *reply)
{
	struct errbuf eb = {0};
	struct answer a = {.route = route};
	enum err rc = params_parse(route, req, &a.params, &eb);
	if (rc == ERR_OK)
		rc = ask(w, &a, &eb);
	if (rc == ERR_OK && route->page) {
		reply_begin(reply, 200, "text/html; charset=utf-8");
		rc = write_page(&a, req, &reply->body, &eb);
	} else if (rc == ERR_OK) {
		reply_begin(reply, 200, "application/json");
		write_json(&a, &reply->body);
	}
	answer_fini(&a);
	/* A schema that does not fit is an operator's business: come back later. */
	if (rc != ERR_OK)
		refuse(route, req, reply, rc == ERR_CONFIG ? 503 : 0, NULL, &eb);
}

static void log_request(const struct request *req, const struct reply *reply, int64_t start_ms)
{
	LOG(LOG_DEBUG, "request", LOG_STR("method", req->method_text), LOG_STR("path", req->path),
	    LOG_INT("status", reply->status), LOG_INT("ms", clock_mono_ms() - start_ms),
	    LOG_STR("request_id", req->request_id), LOG_END);
}

void gate_handle(const struct request *req, struct reply *reply, void *arg)
{
	struct web *w = arg;
	struct errbuf eb = {0};
	int64_t start_ms = clock_mono_ms();
	const struct route *route = route_find(req->path);
	if (!route) {
		(void)err_set(&eb, ERR_NOT_FOUND, "there is nothing at this address");
		refuse(NULL, req, reply, 404, NULL, &eb);
	} else if (!method_fits(route, req)) {
		(void)err_set(&eb, ERR_INVALID, "this address takes %s only", route->method);
		refuse(route, req, reply, 405, "method_not_allowed", &eb);
		reply_header_set(reply, "Allow",
		                 strcmp(route->method, "GET") == 0 ? "GET, HEAD" : route->method);
	} else if (route->handler) {
		route->handler(w, req, reply);
	} else {
		answer_route(w, route, req, reply);
	}
	log_request(req, reply, start_ms);
}

/* ---- templates at start ------------------------------------------------ */

static const char *template_text(void *arg, const char *name)
{
	char path[128] = "templates/";
	(void)arg;
	size_t n = strlen(path);
	if (strlen(name) + 6 >= sizeof path - n)
		return NULL;
	memcpy(path + n, name, strlen(name) + 1);
	if (!strchr(name, '.'))
		memcpy(path + strlen(path), ".html", 6);
	for (const struct asset *a = assets; a->path; a++)
		if (strcmp(a->path, path) == 0)
			return a->text;
	return NULL;
}

struct known {
	struct db *db;
	const struct route *route;
};

static bool known_global(const char *path)
{
	static const char *const names[] = {"is_page", "request_id", "version"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], path) == 0)
			return true;
	if (strncmp(path, "about_", 6) != 0)
		return false;
	char id[64] = {0};
	size_t n = strcspn(path + 6, ".");
	if (n >= sizeof id)
		return false;
	memcpy(id, path + 6, n);
	const char *field = path + 6 + n;
	return metric_find(id) &&
	       (*field == '\0' || strcmp(field, ".label") == 0 || strcmp(field, ".help") == 0);
}

/* A key of a part, or a column of its statement under it. */
static bool known_name(void *arg, const char *path)
{
	struct known *k = arg;
	for (int i = 0; i < ROUTE_PARTS && k->route->parts[i].statement; i++) {
		const struct part *p = &k->route->parts[i];
		size_t n = strlen(p->key);
		if (strncmp(path, p->key, n) != 0 || (path[n] != '\0' && path[n] != '.'))
			continue;
		struct errbuf ignored = {0};
		struct rowset rs;
		if (path[n] == '\0' || db_describe(k->db, p->statement, &rs, &ignored) != ERR_OK)
			return true;
		bool found = false;
		for (int col = 0; col < rowset_cols(&rs); col++)
			found = found || render_tv_makes(rowset_name(&rs, col), path + n + 1);
		rowset_fini(&rs);
		if (found)
			return true;
	}
	return known_global(path);
}

static bool known_error(void *arg, const char *path)
{
	static const char *const names[] = {"status",  "detail",     "unavailable",
	                                    "is_page", "request_id", "version"};
	(void)arg;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], path) == 0)
			return true;
	return false;
}

static const struct route error_page = {.page = "error.html"};

static enum err compile(int slot, const struct route *route, struct errbuf *eb)
{
	const char *text = template_text(NULL, route->page);
	must(text != NULL && slot < PAGES);
	pages[slot].route = route;
	return mustache_compile(&pages[slot].template, route->page, text, template_text, NULL, eb);
}

static enum err check_names(struct web *w, int n, struct errbuf *eb)
{
	struct errbuf away = {0};
	struct known k = {0};
	if (pool_take(w->pool, POOL_WAIT_MS, &k.db, &away) != ERR_OK) {
		LOG(LOG_WARNING, "templates_unchecked", LOG_STR("error", away.text), LOG_END);
		return ERR_OK;
	}
	enum err rc = ERR_OK;
	for (int i = 0; rc == ERR_OK && i < n; i++) {
		k.route = pages[i].route;
		rc = mustache_check(pages[i].template, k.route == &error_page ? known_error : known_name,
		                    &k, eb);
	}
	pool_give(w->pool, k.db);
	return rc;
}

enum err gate_init(struct web *w, struct errbuf *eb)
{
	int n = 0;
	enum err rc = compile(n++, &error_page, eb);
	for (int i = 0; rc == ERR_OK && route_get(i); i++)
		if (route_get(i)->page)
			rc = compile(n++, route_get(i), eb);
	return rc == ERR_OK ? check_names(w, n, eb) : rc;
}

void gate_fini(void)
{
	for (int i = 0; i < PAGES && pages[i].route; i++)
		mustache_free(pages[i].template);
}
