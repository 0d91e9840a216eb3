/* pages.c: templates, compiled and checked at start; contexts; pages that say no. */
#include "cgi-bin/pages.h"

#include <string.h>

#include "base/assets.h"
#include "base/log.h"
#include "cgi-bin/bookings.h"
#include "cgi-bin/feature.h"
#include "cgi-bin/links.h"
#include "cgi-bin/render.h"
#include "domain/metrics.h"
#include "web/mustache.h"

enum { PAGES = 48, POOL_WAIT_MS = 5000 };

static struct {
	struct mustache *template;
	const struct route *route; /* the first that shows it */
} pages[PAGES];

static const struct route error_page = {.page = "error.html"};

static const struct mustache *page_template(const char *file)
{
	for (int i = 0; i < PAGES && pages[i].route; i++)
		if (strcmp(pages[i].route->page, file) == 0)
			return pages[i].template;
	return NULL;
}

/* ---- contexts ---------------------------------------------------------- */

/* "has_forecasting" where it is switched on. */
static void put_features(const struct call *c, struct tv *top)
{
	struct arena *m = c->req->arena;
	for (int i = 0; feature_get(i); i++) {
		const struct feature *f = feature_get(i);
		struct errbuf off = {0};
		tv_set_bool(m, top, arena_printf(m, "has_%s", f->name),
		            feature_check(f->setting, c->conf, &off) == ERR_OK);
	}
}

static const char *const role_names[] = {"public", "viewer", "analyst", "admin"};

/* "at_overview" for overview.html: the navigation marks where one is. */
static const char *place_key(struct arena *m, const char *page)
{
	return arena_printf(m, "at_%.*s", (int)strcspn(page, "."), page);
}

struct tv *pages_context(const struct call *c)
{
	struct arena *m = c->req->arena;
	struct tv *top = tv_object(m), *user = tv_object(m);
	for (int i = 0; metric_get(i); i++) {
		const struct metric *metric = metric_get(i);
		struct tv *about = tv_object(m);
		tv_set(m, about, "label", tv_borrow(m, metric->label));
		tv_set(m, about, "help", tv_borrow(m, metric->formula));
		tv_set(m, top, arena_printf(m, "about_%s", metric->id), about);
	}
	tv_set_text(m, user, "name", c->who.name);
	tv_set(m, user, "role", tv_borrow(m, role_names[c->who.role]));
	tv_set_bool(m, user, "is_analyst", c->who.role >= ACCESS_ANALYST);
	tv_set_bool(m, user, "is_admin", c->who.role >= ACCESS_ADMIN);
	tv_set_bool(m, user, "sees_bookings", bookings_are_for(&c->who, c->conf));
	tv_set_bool(m, user, "has_session", c->who.kind == IDENTITY_SESSION);
	tv_set(m, top, "user", c->who.role > ACCESS_PUBLIC ? user : NULL);
	if (*c->who.hash) {
		struct buf csrf;
		buf_init(&csrf);
		identity_csrf(c->conf, c->who.hash, &csrf);
		tv_set_text(m, top, "csrf", buf_str(&csrf));
		buf_fini(&csrf);
	} else {
		tv_set(m, top, "csrf", NULL);
	}
	tv_set_bool(m, top, "is_page", true);
	put_features(c, top);
	if (c->route && c->route->page)
		tv_set_bool(m, top, place_key(m, c->route->page), true);
	tv_set_text(m, top, "request_id", c->req->request_id);
	tv_set_text(m, top, "version", TAKINGS_VERSION);
	tv_set(m, top, "assets", tv_borrow(m, assets_version));
	if (c->reply->status < 400)
		links_put(c, top);
	return top;
}

/* A value of the scope part, which every page of figures has first. */
static const char *scope_text(const struct answer *a, const char *name, const char *fallback)
{
	const struct rowset *rs = &a->parts[0];
	bool scope = a->n && strcmp(a->route->parts[0].key, "scope") == 0;
	const char *text = scope && rowset_rows(rs) ? rowset_get(rs, 0, name) : NULL;
	return text ? text : fallback;
}

static struct tv *answer_context(const struct call *c, const struct answer *a)
{
	struct arena *m = c->req->arena;
	struct tv *top = pages_context(c);
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
	for (size_t i = 0; c->more && i < c->more->n; i++)
		tv_set(m, top, c->more->pairs[i].key, c->more->pairs[i].value);
	return top;
}

/* ---- writing ----------------------------------------------------------- */

void pages_render(struct call *c, int status, const struct tv *top)
{
	struct errbuf eb = {0};
	reply_begin(c->reply, status, "text/html; charset=utf-8");
	if (mustache_render(page_template(c->route->page), top, &c->reply->body, &eb) != ERR_OK)
		call_refuse(c, 0, NULL, &eb);
}

enum err pages_write(struct call *c, const struct answer *a, struct errbuf *eb)
{
	reply_begin(c->reply, c->page_status ? c->page_status : 200, "text/html; charset=utf-8");
	return mustache_render(page_template(a->route->page), answer_context(c, a), &c->reply->body,
	                       eb);
}

static bool is_of_figures(const struct call *c)
{
	const struct part *first = c->route ? &c->route->parts[0] : NULL;
	return first && first->key && strcmp(first->key, "scope") == 0;
}

/* What the page says besides the sentence: one of these is true, or none from 500 on. */
static void put_reason(const struct call *c, struct tv *top, const struct errbuf *eb)
{
	struct arena *m = c->req->arena;
	int status = c->reply->status;
	bool forbidden = status == 403, signed_out = status == 401, limited = status == 429;
	bool figures = !forbidden && !signed_out && !limited && is_of_figures(c);
	tv_set_bool(m, top, "unavailable", status == 503);
	tv_set_bool(m, top, "forbidden", forbidden);
	tv_set_bool(m, top, "old_form", strcmp(eb->field, "csrf") == 0);
	tv_set_bool(m, top, "signed_out", signed_out);
	tv_set_bool(m, top, "limited", limited);
	tv_set_bool(m, top, "figures", figures);
	tv_set_bool(m, top, "other", !forbidden && !signed_out && !limited && !figures);
}

void pages_refuse(struct call *c, const struct errbuf *eb)
{
	const struct mustache *t = page_template("error.html");
	struct arena *m = c->req->arena;
	struct errbuf ignored = {0};
	struct tv *top = pages_context(c);
	tv_set_int(m, top, "status", c->reply->status);
	tv_set_text(m, top, "detail", c->reply->status >= 500 ? NULL : eb->text);
	put_reason(c, top, eb);
	tv_set_bool(m, top, "is_page", false);
	buf_clear(&c->reply->body);
	if (mustache_render(t, top, &c->reply->body, &ignored) == ERR_OK)
		reply_header_set(c->reply, "Content-Type", "text/html; charset=utf-8");
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

static bool known_metric(const char *path)
{
	char id[64] = {0};
	size_t n = strcspn(path, ".");
	if (n >= sizeof id)
		return false;
	memcpy(id, path, n);
	const char *field = path + n;
	return metric_find(id) &&
	       (*field == '\0' || strcmp(field, ".label") == 0 || strcmp(field, ".help") == 0);
}

static bool known_global(const char *path)
{
	static const char *const names[] = {
		"is_page",          "request_id", "version",         "csrf",          "user",
		"user.name",        "user.role",  "user.is_analyst", "user.is_admin", "user.sees_bookings",
		"user.has_session", "nav_query",  "assets"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], path) == 0)
			return true;
	if (strncmp(path, "at_", 3) == 0)
		return true; /* the navigation may know more pages than this program has */
	for (int i = 0; strncmp(path, "has_", 4) == 0 && feature_get(i); i++)
		if (strcmp(path + 4, feature_get(i)->name) == 0)
			return true;
	return strncmp(path, "about_", 6) == 0 && known_metric(path + 6);
}

/* A key of a part, or a column of its statement under it. */
static bool known_name(void *arg, const char *path)
{
	struct known *k = arg;
	bool of_part = false;
	for (int i = 0; i < ROUTE_PARTS && k->route->parts[i].statement; i++) {
		const struct part *p = &k->route->parts[i];
		size_t n = strlen(p->key);
		if (strncmp(path, p->key, n) != 0 || (path[n] != '\0' && path[n] != '.'))
			continue;
		of_part = true;
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
	/* What a handler puts into its own page is known when it is rendered. */
	return known_global(path) || links_makes(k->route, path) || (k->route->handler && !of_part);
}

static bool known_error(void *arg, const char *path)
{
	static const char *const names[] = {"status",    "detail",   "unavailable",
	                                    "forbidden", "old_form", "signed_out",
	                                    "limited",   "figures",  "other"};
	(void)arg;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], path) == 0)
			return true;
	return known_global(path);
}

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
	if (pool_take(w->pool, POOL_READ, POOL_WAIT_MS, &k.db, &away) != ERR_OK) {
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

enum err pages_init(struct web *w, struct errbuf *eb)
{
	int n = 0;
	enum err rc = compile(n++, &error_page, eb);
	for (int i = 0; rc == ERR_OK && route_get(i); i++)
		if (route_get(i)->page && !page_template(route_get(i)->page))
			rc = compile(n++, route_get(i), eb);
	return rc == ERR_OK ? check_names(w, n, eb) : rc;
}

void pages_fini(void)
{
	for (int i = 0; i < PAGES && pages[i].route; i++)
		mustache_free(pages[i].template);
}
