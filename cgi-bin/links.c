/* links.c: query strings of links, made from the request's. */
#include "cgi-bin/links.h"

#include <string.h>

#include "web/escape.h"

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

static const char *const days_names[] = {"period", "date", "from", "to", NULL};
static const char *const never_kept[] = {"cursor", "format", "table", NULL};
static const char *const of_all_pages[] = {"period",      "date",     "from",  "to", "compare",
                                           "location_id", "currency", "basis", NULL};

static const char *const of_all_data[] = {"location_id", "currency", NULL};

static bool is_kept(const char *name, const char *changed)
{
	if (is_one_of(name, never_kept) || strcmp(name, changed) == 0)
		return false;
	if (is_one_of(changed, days_names))
		return !is_one_of(name, days_names) && strcmp(name, "step") != 0;
	return true;
}

static void put_pair(struct buf *out, const struct pair *p)
{
	buf_printf(out, "%s=", p->name);
	escape_url(out, p->value, strlen(p->value));
}

static void put_change(const struct call *c, struct tv *top, const char *name)
{
	struct arena *m = c->req->arena;
	struct tv *fields = tv_list(m);
	struct buf query;
	buf_init(&query);
	for (size_t i = 0; i < c->req->query_n; i++) {
		const struct pair *p = &c->req->query[i];
		if (!is_kept(p->name, name))
			continue;
		put_pair(&query, p);
		buf_putc(&query, '&');
		struct tv *field = tv_object(m);
		tv_set_text(m, field, "name", p->name);
		tv_set_text(m, field, "value", p->value);
		tv_push(m, fields, field);
	}
	tv_set_text(m, top, arena_printf(m, "but_%s", name), buf_str(&query));
	tv_set(m, top, arena_printf(m, "fields_%s", name), fields);
	buf_fini(&query);
}

static void put_word(const struct call *c, struct tv *top, const char *name)
{
	const char *word = call_param(c, name);
	bool days_given = call_param(c, "date") || call_param(c, "from");
	if (word && !(strcmp(name, "period") == 0 && days_given))
		tv_set_bool(c->req->arena, top, arena_printf(c->req->arena, "is_%s_%s", name, word), true);
}

/* What was asked for, to stand in the form again. */
static void put_value(const struct call *c, struct tv *top, const char *name)
{
	tv_set_text(c->req->arena, top, arena_printf(c->req->arena, "value_%s", name),
	            call_param(c, name));
}

/* The given ones of these names: "?a=1&b=2", or "a=1&b=2&" where more follows. */
static void put_some(const struct call *c, struct tv *top, const char *key,
                     const char *const *names, bool ends_open)
{
	struct buf query;
	buf_init(&query);
	for (size_t i = 0; i < c->req->query_n; i++) {
		if (!is_one_of(c->req->query[i].name, names))
			continue;
		if (!ends_open)
			buf_putc(&query, query.len ? '&' : '?');
		put_pair(&query, &c->req->query[i]);
		if (ends_open)
			buf_putc(&query, '&');
	}
	tv_set_text(c->req->arena, top, key, buf_str(&query));
	buf_fini(&query);
}

void links_put(const struct call *c, struct tv *top)
{
	/* What was refused is in no link. */
	if (!c->route || !c->params.list[0].name)
		return;
	put_some(c, top, "nav_query", of_all_pages, false);
	put_some(c, top, "data_query", of_all_data, true);
	for (int i = 0; i < ROUTE_PARAMS && c->route->params[i].name; i++) {
		const struct param *p = &c->route->params[i];
		if (p->fixed || p->place != IN_QUERY)
			continue;
		put_change(c, top, p->name);
		if (p->type == PARAM_WORD)
			put_word(c, top, p->name);
		if (p->type == PARAM_TEXT)
			put_value(c, top, p->name);
	}
}

bool links_makes(const struct route *route, const char *name)
{
	if (strcmp(name, "nav_query") == 0 || strcmp(name, "data_query") == 0)
		return true;
	for (int i = 0; i < ROUTE_PARAMS && route->params[i].name; i++) {
		const char *param = route->params[i].name;
		size_t n = strlen(param);
		if (strncmp(name, "but_", 4) == 0 && strcmp(name + 4, param) == 0)
			return true;
		if (strncmp(name, "fields_", 7) == 0 && strncmp(name + 7, param, n) == 0 &&
		    (name[7 + n] == '\0' || strcmp(name + 7 + n, ".name") == 0 ||
		     strcmp(name + 7 + n, ".value") == 0))
			return true;
		if (strncmp(name, "value_", 6) == 0 && strcmp(name + 6, param) == 0)
			return true;
		if (strncmp(name, "is_", 3) == 0 && strncmp(name + 3, param, n) == 0 && name[3 + n] == '_')
			return true;
	}
	return false;
}
