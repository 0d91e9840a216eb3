/* ask.c: from a question as somebody wrote it to one that the database is asked. */
#include "cgi-bin/ask.h"

#include <string.h>

#include "base/jnode.h"
#include "base/num.h"
#include "base/time_text.h"
#include "base/words.h"
#include "cgi-bin/answer.h"
#include "domain/activity_event.h"
#include "domain/activity_metrics.h"
#include "domain/currency.h"
#include "web/json.h"

enum { DEPTH = 4, VALUE_BYTES = 200, ZONE_BYTES = 64 };

struct dimension {
	const char *name;
	int id;
};

struct ask {
	struct call *c;
	const struct jnode *top;
	const struct activity_metric *metrics[ASK_METRICS];
	int metrics_n;
	unsigned families;
	struct dimension known[ACTIVITY_DIMENSIONS];
	int known_n;
	struct dimension groups[ASK_GROUPS];
	int groups_n;
	struct dimension filters[ASK_FILTERS];
	const struct jnode *values[ASK_FILTERS]; /* of filters[i] */
	int filters_n;
	const struct jnode *types; /* of the filter event_type; NULL: none */
	const char *step, *compare, *order, *zone, *currency, *from_text, *to_text;
	bool desc, bots;
	int64_t limit;
	struct rowset scope; /* one row of ask_scope */
};

/* ---- words ----------------------------------------------------------------------- */

static const char FIELDS[] = "start_date|end_date|metrics|dimensions|filters|granularity|timezone|"
							 "compare|limit|order|bots|currency";

static enum err check_names(const struct ask *a, struct errbuf *eb)
{
	for (const struct jnode *m = a->top->first; m; m = m->next)
		if (words_find(FIELDS, '|', m->name, WORDS_EXACT) < 0)
			return err_set_field(eb, ERR_INVALID, m->name, "there is no field %.80s here: %s",
			                     m->name, FIELDS);
	return ERR_OK;
}

/* A word of the list; `fallback` where there is none, or null. */
static enum err read_word(const struct ask *a, const char *name, const char *words,
                          const char *fallback, const char **out, struct errbuf *eb)
{
	const struct jnode *v = jnode_get(a->top, name);
	*out = fallback;
	if (!v || v->kind == JNODE_NULL)
		return ERR_OK;
	*out = jnode_string(v);
	if (!*out || words_find(words, '|', *out, WORDS_EXACT) < 0)
		return err_set_field(eb, ERR_INVALID, name, "%s must be one of %s", name, words);
	return ERR_OK;
}

static const char *metric_names(struct arena *a)
{
	const struct activity_metric *m;
	const char *text = "";
	for (int i = 0; (m = activity_metric_get(i)) != NULL; i++)
		text = arena_printf(a, "%s%s%s", text, i ? ", " : "", m->metric->id);
	return text;
}

/* The dimensions whose bits are set. */
static const char *dimension_names(const struct ask *a, unsigned bits)
{
	const char *text = "";
	for (int i = 0; i < a->known_n; i++)
		if (bits & 1u << a->known[i].id)
			text =
				arena_printf(a->c->req->arena, "%s%s%s", text, *text ? ", " : "", a->known[i].name);
	return text;
}

/* ---- metrics ----------------------------------------------------------------------- */

static enum err add_metric(struct ask *a, const struct jnode *v, struct errbuf *eb)
{
	const char *id = jnode_string(v);
	const struct activity_metric *m = id ? activity_metric_find(id) : NULL;
	if (!m)
		return err_set_field(eb, ERR_INVALID, "metrics", "there is no metric %.64s: %s",
		                     id ? id : "of another kind than a text",
		                     metric_names(a->c->req->arena));
	for (int i = 0; i < a->metrics_n; i++)
		if (a->metrics[i] == m)
			return err_set_field(eb, ERR_INVALID, "metrics", "%s stands there twice", id);
	if (a->metrics_n == ASK_METRICS)
		return err_set_field(eb, ERR_INVALID, "metrics", "at most %d metrics at once", ASK_METRICS);
	a->metrics[a->metrics_n++] = m;
	a->families |= m->families;
	return ERR_OK;
}

static enum err read_metrics(struct ask *a, struct errbuf *eb)
{
	const struct jnode *list = jnode_get(a->top, "metrics");
	enum err rc = ERR_OK;
	if (!jnode_is(list, JNODE_ARRAY) || list->n == 0)
		return err_set_field(eb, ERR_INVALID, "metrics", "metrics must be a list of 1 to %d of %s",
		                     ASK_METRICS, metric_names(a->c->req->arena));
	for (const struct jnode *v = list->first; rc == ERR_OK && v; v = v->next)
		rc = add_metric(a, v, eb);
	return rc;
}

/* "revenue", or {"metric": "revenue", "desc": false}; the first metric, the most first. */
static enum err read_order(struct ask *a, struct errbuf *eb)
{
	const struct jnode *v = jnode_get(a->top, "order"), *desc = NULL;
	a->order = a->metrics[0]->metric->id;
	a->desc = true;
	if (!v || v->kind == JNODE_NULL)
		return ERR_OK;
	a->order = jnode_string(v);
	if (v->kind == JNODE_OBJECT) {
		a->order = jnode_string_at(v, "metric");
		desc = jnode_get(v, "desc");
		if (v->n != 1u + (desc != NULL) ||
		    (desc && desc->kind != JNODE_TRUE && desc->kind != JNODE_FALSE))
			a->order = NULL;
		a->desc = !desc || desc->kind == JNODE_TRUE;
	}
	for (int i = 0; a->order && i < a->metrics_n; i++)
		if (strcmp(a->metrics[i]->metric->id, a->order) == 0)
			return ERR_OK;
	return err_set_field(eb, ERR_INVALID, "order",
	                     "order must be one of the metrics asked for, or {\"metric\": ..., "
	                     "\"desc\": true or false}");
}

static enum err read_limit(struct ask *a, struct errbuf *eb)
{
	const struct jnode *v = jnode_get(a->top, "limit");
	a->limit = 100;
	if (!v || v->kind == JNODE_NULL)
		return ERR_OK;
	if (!jnode_int(v, &a->limit) || a->limit < 1 || a->limit > ASK_LIMIT)
		return err_set_field(eb, ERR_INVALID, "limit", "limit must be a whole number from 1 to %d",
		                     ASK_LIMIT);
	return ERR_OK;
}

/* ---- dimensions ---------------------------------------------------------------------- */

static enum err find_dimension(const struct ask *a, const char *name, const char *field,
                               struct dimension *out, struct errbuf *eb)
{
	for (int i = 0; name && i < a->known_n; i++)
		if (strcmp(a->known[i].name, name) == 0) {
			*out = a->known[i];
			return ERR_OK;
		}
	return err_set_field(eb, ERR_INVALID, field, "there is no dimension %.64s: %s",
	                     name ? name : "of another kind than a text", dimension_names(a, ~0u));
}

/* Whether every metric can be asked by it. */
static enum err check_allowed(const struct ask *a, const struct dimension *d, const char *field,
                              struct errbuf *eb)
{
	for (int i = 0; i < a->metrics_n; i++) {
		unsigned bits = a->metrics[i]->dimensions;
		if (!(bits & 1u << d->id))
			return err_set_field(eb, ERR_INVALID, field, "%s cannot be told apart by %s, but by %s",
			                     a->metrics[i]->metric->id, d->name, dimension_names(a, bits));
	}
	return ERR_OK;
}

static enum err read_groups(struct ask *a, struct errbuf *eb)
{
	const struct jnode *list = jnode_get(a->top, "dimensions");
	enum err rc = ERR_OK;
	if (!list || list->kind == JNODE_NULL)
		return ERR_OK;
	if (list->kind != JNODE_ARRAY || list->n > ASK_GROUPS)
		return err_set_field(eb, ERR_INVALID, "dimensions",
		                     "dimensions must be a list of at most %d", ASK_GROUPS);
	for (const struct jnode *v = list->first; rc == ERR_OK && v; v = v->next) {
		struct dimension *d = &a->groups[a->groups_n];
		rc = find_dimension(a, jnode_string(v), "dimensions", d, eb);
		for (int i = 0; rc == ERR_OK && i < a->groups_n; i++)
			if (a->groups[i].id == d->id)
				rc = err_set_field(eb, ERR_INVALID, "dimensions", "%s stands there twice", d->name);
		if (rc == ERR_OK)
			rc = check_allowed(a, d, "dimensions", eb);
		a->groups_n++;
	}
	return rc;
}

static bool is_value(const struct jnode *v)
{
	return jnode_is(v, JNODE_STRING) && v->n <= VALUE_BYTES;
}

static enum err check_values(const struct jnode *v, const char *field, struct errbuf *eb)
{
	bool fine = is_value(v);
	if (v->kind == JNODE_ARRAY) {
		fine = v->n >= 1 && v->n <= ASK_VALUES;
		for (const struct jnode *x = v->first; fine && x; x = x->next)
			fine = is_value(x);
	}
	if (!fine)
		return err_set_field(eb, ERR_INVALID, field,
		                     "a filter is a text of at most %d bytes, or a list of 1 to %d",
		                     VALUE_BYTES, ASK_VALUES);
	return ERR_OK;
}

static enum err read_filter(struct ask *a, const struct jnode *v, struct errbuf *eb)
{
	const char *field = arena_printf(a->c->req->arena, "filters.%.50s", v->name);
	struct dimension *d = &a->filters[a->filters_n];
	enum err rc = check_values(v, field, eb);
	if (rc != ERR_OK)
		return rc;
	if (strcmp(v->name, "event_type") == 0) {
		a->types = v;
		return a->families & ACTIVITY_OF_ORDERS
		           ? err_set_field(eb, ERR_INVALID, field,
		                           "revenue and orders cannot be told apart by event_type")
		           : ERR_OK;
	}
	rc = find_dimension(a, v->name, field, d, eb);
	if (rc == ERR_OK)
		rc = check_allowed(a, d, field, eb);
	a->values[a->filters_n++] = v;
	return rc;
}

static enum err read_filters(struct ask *a, struct errbuf *eb)
{
	const struct jnode *all = jnode_get(a->top, "filters");
	enum err rc = ERR_OK;
	if (!all || all->kind == JNODE_NULL)
		return ERR_OK;
	if (all->kind != JNODE_OBJECT || all->n > ASK_FILTERS)
		return err_set_field(eb, ERR_INVALID, "filters",
		                     "filters must be an object with at most %d dimensions", ASK_FILTERS);
	for (const struct jnode *v = all->first; rc == ERR_OK && v; v = v->next)
		rc = read_filter(a, v, eb);
	return rc;
}

/* ---- time ------------------------------------------------------------------------------ */

/* A business day, or an instant, as the texts of parameters of ask_scope. */
static enum err read_time(const struct ask *a, const char *name, const char **day, const char **at,
                          struct errbuf *eb)
{
	const char *text = jnode_string_at(a->top, name);
	char out[TIME_TEXT_BYTES];
	int64_t us = 0;
	*day = *at = NULL;
	if (text && num_is_date(text) && strcmp(text, "1970-01-01") >= 0 &&
	    strcmp(text, "2199-12-31") <= 0) {
		*day = text;
		return ERR_OK;
	}
	enum time_kind kind = text ? time_parse(text, &us) : TIME_NONE;
	if ((kind != TIME_INSTANT && kind != TIME_WALL) || us < TIME_1970_US || us >= TIME_2200_US ||
	    !time_format(us, true, out))
		return err_set_field(eb, ERR_INVALID, name,
		                     "%s must be a time such as 2025-11-01T00:00:00Z, or a date, from 1970 "
		                     "to 2199",
		                     name);
	*at = arena_strdup(a->c->req->arena, out);
	return ERR_OK;
}

static bool is_zone_name(const char *s)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
	size_t n = strlen(s);
	return n > 0 && n <= ZONE_BYTES && strspn(s, letters) == n;
}

static enum err read_zone(struct ask *a, struct errbuf *eb)
{
	const struct jnode *v = jnode_get(a->top, "timezone"), *code = jnode_get(a->top, "currency");
	if (v && v->kind != JNODE_NULL) {
		a->zone = jnode_string(v);
		if (!a->zone || !is_zone_name(a->zone))
			return err_set_field(eb, ERR_INVALID, "timezone",
			                     "timezone must be an IANA name such as Europe/Berlin");
	}
	if (code && code->kind != JNODE_NULL) {
		a->currency = jnode_string(code);
		if (!a->currency || !currency_is_code(a->currency))
			return err_set_field(eb, ERR_INVALID, "currency",
			                     "currency must be an ISO 4217 code such as EUR");
	}
	return ERR_OK;
}

/* What the site says of the range, and its dimensions. */
static enum err ask_site(struct ask *a, const struct db_param *params, struct errbuf *eb)
{
	struct rowset dims = {0};
	const struct db_ask asks[] = {{"ask_scope", params, &a->scope},
	                              {"ask_dimensions", DB_NO_PARAMS, &dims}};
	enum err rc = call_ask(a->c, asks, sizeof asks / sizeof *asks, eb);
	if (rc == ERR_OK && rowset_rows(&a->scope) == 0)
		rc = err_set(eb, ERR_NOT_FOUND, "nothing is known of activity and orders yet");
	if (rc == ERR_OK && strcmp(rowset_get(&a->scope, 0, "zone_known"), "t") != 0)
		rc = err_set_field(eb, ERR_INVALID, "timezone", "there is no time zone %.64s", a->zone);
	for (int i = 0; rc == ERR_OK && i < rowset_rows(&dims) && i < ACTIVITY_DIMENSIONS; i++)
		a->known[a->known_n++] =
			(struct dimension){arena_strdup(a->c->req->arena, rowset_get(&dims, i, "name")),
		                       (int)rowset_int(&dims, i, "dimension_id")};
	rowset_fini(&dims);
	return rc;
}

static int64_t step_us(const char *step)
{
	return strcmp(step, "hour") == 0  ? US_PER_DAY / 24
	       : strcmp(step, "day") == 0 ? US_PER_DAY
	                                  : 7 * US_PER_DAY;
}

static enum err check_range(const struct ask *a, const char *end_field, struct errbuf *eb)
{
	int64_t us = rowset_int(&a->scope, 0, "to_us") - rowset_int(&a->scope, 0, "from_us");
	if (us <= 0)
		return err_set_field(eb, ERR_INVALID, end_field, "%s must be after the beginning",
		                     end_field);
	if (us > ASK_DAYS * US_PER_DAY)
		return err_set_field(eb, ERR_INVALID, end_field, "a range has at most %d days", ASK_DAYS);
	/* a day of 25 hours is still one */
	if (strcmp(a->step, "none") != 0 && (us - US_PER_DAY / 24) / step_us(a->step) >= ASK_BUCKETS)
		return err_set_field(eb, ERR_INVALID, "granularity",
		                     "at most %d buckets: ask for fewer days, or for longer buckets",
		                     ASK_BUCKETS);
	return ERR_OK;
}

/* Whether orders are asked for by what only items have, which are known by day. */
static bool is_by_day(const struct ask *a)
{
	unsigned of = 0;
	for (int i = 0; i < a->groups_n; i++)
		of |= 1u << a->groups[i].id;
	for (int i = 0; i < a->filters_n; i++)
		of |= 1u << a->filters[i].id;
	return a->families & ACTIVITY_OF_BY_DAY ||
	       (a->families & ACTIVITY_OF_ORDERS &&
	        of & (1u << ACTIVITY_CATEGORY | 1u << ACTIVITY_PRODUCT));
}

/* What contradicts each other. */
static enum err check_together(const struct ask *a, struct errbuf *eb)
{
	bool orders = a->families & ACTIVITY_OF_ORDERS;
	if (strcmp(a->step, "hour") == 0 && is_by_day(a))
		return err_set_field(eb, ERR_INVALID, "granularity",
		                     "what items came to is known by day, not by hour");
	if (a->bots && (orders || a->families & ACTIVITY_OF_NEW_USERS))
		return err_set_field(eb, ERR_INVALID, "bots",
		                     "orders and new users are those of people, not of bots");
	return ERR_OK;
}

/* ---- the question ------------------------------------------------------------------------ */

static const char *week_start(const struct conf *conf)
{
	const char *day = conf_str(conf, CONF_WEEK_START);
	return strcmp(day, "sunday") == 0 ? "7" : strcmp(day, "saturday") == 0 ? "6" : "1";
}

static void put_families(const struct ask *a, struct json *j)
{
	json_key(j, "families");
	json_begin_array(j);
	for (unsigned bit = 1; bit <= ACTIVITY_OF_ORDERS; bit <<= 1)
		if (a->families & bit)
			json_put_text(j, activity_family_name((enum activity_family)bit));
	json_end_array(j);
}

static void put_dimensions(const struct dimension *list, int n, const char *names, const char *ids,
                           struct json *j)
{
	for (int pass = names ? 0 : 1; pass < 2; pass++) {
		json_key(j, pass ? ids : names);
		json_begin_array(j);
		for (int i = 0; i < n; i++) {
			if (pass)
				json_put_int(j, list[i].id);
			else
				json_put_text(j, list[i].name);
		}
		json_end_array(j);
	}
}

/* As the tables have them: '' is not set. */
static void put_key(const struct ask *a, const struct dimension *d, const struct jnode *v,
                    struct json *j)
{
	const char *value = strcmp(v->text, "(not set)") == 0 ? "" : v->text;
	json_put_text(j, d ? arena_printf(a->c->req->arena, "%d:%s", d->id, value) : v->text);
}

static void put_values(const struct ask *a, const struct dimension *d, const struct jnode *v,
                       struct json *j)
{
	if (v->kind != JNODE_ARRAY)
		put_key(a, d, v, j);
	else
		for (const struct jnode *x = v->first; x; x = x->next)
			put_key(a, d, x, j);
}

static void put_filters(const struct ask *a, struct json *j)
{
	put_dimensions(a->filters, a->filters_n, NULL, "filters", j);
	json_key(j, "keys");
	json_begin_array(j);
	for (int i = 0; i < a->filters_n; i++)
		put_values(a, &a->filters[i], a->values[i], j);
	json_end_array(j);
	json_key(j, "types");
	if (!a->types) {
		json_put_null(j);
		return;
	}
	json_begin_array(j);
	put_values(a, NULL, a->types, j);
	json_end_array(j);
}

static void put_question(const struct ask *a, struct json *j)
{
	json_begin_object(j);
	json_pair_text(j, "from", rowset_get(&a->scope, 0, "from_at"));
	json_pair_text(j, "to", rowset_get(&a->scope, 0, "to_at"));
	json_pair_text(j, "step", a->step);
	json_pair_text(j, "step_zone", rowset_get(&a->scope, 0, "step_zone"));
	json_pair_number(j, "step_cutoff", rowset_get(&a->scope, 0, "step_cutoff"));
	json_pair_number(j, "week_start", week_start(a->c->conf));
	json_key(j, "metrics");
	json_begin_array(j);
	for (int i = 0; i < a->metrics_n; i++)
		json_put_text(j, a->metrics[i]->metric->id);
	json_end_array(j);
	put_families(a, j);
	put_dimensions(a->groups, a->groups_n, "names", "groups", j);
	put_filters(a, j);
	json_pair_text(j, "compare", a->compare);
	json_pair_int(j, "most", a->limit);
	json_pair_text(j, "order", a->order);
	json_pair_bool(j, "desc", a->desc);
	json_pair_bool(j, "bots", a->bots);
	json_pair_text(j, "currency", rowset_get(&a->scope, 0, "currency"));
	json_pair_bool(j, "by_day", is_by_day(a));
	json_end_object(j);
	json_end(j);
}

static void put_metrics(const struct ask *a, struct json *j)
{
	json_begin_array(j);
	for (int i = 0; i < a->metrics_n; i++) {
		json_begin_object(j);
		json_pair_text(j, "id", a->metrics[i]->metric->id);
		json_pair_text(j, "label", a->metrics[i]->metric->label);
		json_pair_text(j, "unit", activity_metric_unit(a->metrics[i]));
		json_end_object(j);
	}
	json_end_array(j);
	json_end(j);
}

static void put_names(const struct ask *a, struct json *j)
{
	json_begin_array(j);
	for (int i = 0; i < a->groups_n; i++)
		json_put_text(j, a->groups[i].name);
	json_end_array(j);
	json_end(j);
}

static void set_json(const struct ask *a, const char *name,
                     void (*put)(const struct ask *, struct json *))
{
	struct buf out;
	struct json j;
	buf_init(&out);
	json_init(&j, &out);
	put(a, &j);
	call_param_set(a->c, name, arena_strdup(a->c->req->arena, buf_str(&out)));
	buf_fini(&out);
}

static void set_question(const struct ask *a)
{
	set_json(a, "question", put_question);
	set_json(a, "metrics", put_metrics);
	set_json(a, "dimensions", put_names);
	call_param_set(a->c, "granularity", a->step);
}

/* ---- all of it ---------------------------------------------------------------------------- */

/* What can be said without the database. */
static enum err read_words(struct ask *a, struct errbuf *eb)
{
	const char *bots = NULL;
	enum err rc = check_names(a, eb);
	if (rc == ERR_OK)
		rc = read_metrics(a, eb);
	if (rc == ERR_OK)
		rc = read_order(a, eb);
	if (rc == ERR_OK)
		rc = read_limit(a, eb);
	if (rc == ERR_OK)
		rc = read_word(a, "granularity", "none|hour|day|week|month", "none", &a->step, eb);
	if (rc == ERR_OK)
		rc = read_word(a, "compare", "none|previous|year", "none", &a->compare, eb);
	if (rc == ERR_OK)
		rc = read_word(a, "bots", "exclude|only", "exclude", &bots, eb);
	if (rc == ERR_OK)
		rc = read_zone(a, eb);
	a->bots = rc == ERR_OK && strcmp(bots, "only") == 0;
	return rc;
}

static enum err read_question(struct ask *a, struct errbuf *eb)
{
	const char *from_day, *from_at, *to_day, *to_at;
	enum err rc = read_words(a, eb);
	if (rc == ERR_OK)
		rc = read_time(a, "start_date", &from_day, &from_at, eb);
	if (rc == ERR_OK)
		rc = read_time(a, "end_date", &to_day, &to_at, eb);
	if (rc == ERR_OK)
		rc = ask_site(a,
		              DB_PARAMS({"from_day", from_day}, {"from_at", from_at}, {"to_day", to_day},
		                        {"to_at", to_at}, {"to_more", "0"}, {"timezone", a->zone},
		                        {"code", a->currency}),
		              eb);
	if (rc == ERR_OK)
		rc = check_range(a, "end_date", eb);
	if (rc == ERR_OK)
		rc = read_groups(a, eb);
	if (rc == ERR_OK)
		rc = read_filters(a, eb);
	return rc == ERR_OK ? check_together(a, eb) : rc;
}

enum err ask_read(struct call *c, const char *body, size_t n, struct errbuf *eb)
{
	struct ask a = {.c = c};
	struct errbuf why = {0};
	enum err rc = jnode_parse(c->req->arena, body, n, DEPTH, NULL, &a.top, &why);
	if (rc != ERR_OK)
		return err_set_field(eb, rc, "body", "%s", why.text);
	if (a.top->kind != JNODE_OBJECT)
		return err_set_field(eb, ERR_MALFORMED, "body", "the body must be a JSON object");
	rc = read_question(&a, eb);
	if (rc == ERR_OK)
		set_question(&a);
	rowset_fini(&a.scope);
	return rc;
}

void ask_handle(struct call *c)
{
	struct errbuf eb = {0};
	if (ask_read(c, c->req->body, c->req->body_len, &eb) == ERR_OK)
		return;
	call_refuse(c, 0, NULL, &eb);
	c->handled = true;
}

/* ---- fixed questions ------------------------------------------------------------------------ */

/* The metrics of GET /dashboard/...; of a range of days, both included. */
static enum err read_days(struct ask *a, const char *metrics, struct errbuf *eb)
{
	struct call *c = a->c;
	const char *from = call_param(c, "from"), *to = call_param(c, "to");
	for (const char *p = metrics; *p; p += strcspn(p, " "), p += *p == ' ') {
		a->metrics[a->metrics_n] =
			activity_metric_find(arena_strndup(c->req->arena, p, strcspn(p, " ")));
		must(a->metrics[a->metrics_n] != NULL);
		a->families |= a->metrics[a->metrics_n++]->families;
	}
	must(a->metrics_n > 0);
	a->order = a->metrics[0]->metric->id;
	a->desc = true;
	a->limit = 10;
	a->step = call_param(c, "granularity");
	a->compare = call_param(c, "compare");
	enum err rc = ask_site(a,
	                       DB_PARAMS({"from_day", from}, {"from_at", NULL}, {"to_day", to},
	                                 {"to_at", NULL}, {"to_more", "1"}, {"timezone", NULL},
	                                 {"code", call_param(c, "currency")}),
	                       eb);
	if (rc == ERR_OK)
		rc = check_range(a, "to", eb);
	return rc == ERR_OK ? check_together(a, eb) : rc;
}

void ask_days_handle(struct call *c)
{
	struct ask a = {.c = c};
	struct errbuf eb = {0};
	if (read_days(&a, call_param(c, "asked"), &eb) == ERR_OK) {
		set_question(&a);
	} else {
		call_refuse(c, 0, NULL, &eb);
		c->handled = true;
	}
	rowset_fini(&a.scope);
}

/* ---- what can be asked ------------------------------------------------------------------------
 */

static void put_allowed(const struct ask *a, unsigned bits, struct json *j)
{
	json_key(j, "dimensions");
	json_begin_array(j);
	for (int i = 0; i < a->known_n; i++)
		if (bits & 1u << a->known[i].id)
			json_put_text(j, a->known[i].name);
	json_end_array(j);
}

static void put_catalogue(const struct ask *a, struct json *j)
{
	const struct activity_metric *m;
	json_begin_array(j);
	for (int i = 0; (m = activity_metric_get(i)) != NULL; i++) {
		json_begin_object(j);
		json_pair_text(j, "id", m->metric->id);
		json_pair_text(j, "label", m->metric->label);
		json_pair_text(j, "unit", activity_metric_unit(m));
		json_pair_text(j, "formula", m->metric->formula);
		json_pair_bool(j, "additive",
		               m->families & (ACTIVITY_OF_EVENTS | ACTIVITY_OF_ORDERS) &&
		                   m->metric->additive);
		json_pair_text(j, "family",
		               activity_family_name((enum activity_family)(m->families & -m->families)));
		put_allowed(a, m->dimensions, j);
		json_end_object(j);
	}
	json_end_array(j);
	json_end(j);
}

void ask_catalogue_handle(struct call *c)
{
	struct ask a = {.c = c};
	struct errbuf eb = {0};
	if (ask_site(&a,
	             DB_PARAMS({"from_day", NULL}, {"from_at", NULL}, {"to_day", NULL}, {"to_at", NULL},
	                       {"to_more", "1"}, {"timezone", NULL}, {"code", NULL}),
	             &eb) == ERR_OK) {
		set_json(&a, "metrics", put_catalogue);
	} else {
		call_refuse(c, 0, NULL, &eb);
		c->handled = true;
	}
	rowset_fini(&a.scope);
}
