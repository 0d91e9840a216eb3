/* params.c: typed, bounded, or refused by name. */
#include "cgi-bin/params.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "base/words.h"
#include "domain/currency.h"

static enum err check_date(const struct param *p, const char *value, struct errbuf *eb)
{
	if (!num_is_date(value))
		return err_set_field(eb, ERR_INVALID, p->name, "%s must be a date YYYY-MM-DD", p->name);
	/* Far dates would only cost time: nothing was sold then. */
	if (strcmp(value, "1970-01-01") < 0 || strcmp(value, "2199-12-31") > 0)
		return err_set_field(eb, ERR_INVALID, p->name, "%s must be from 1970-01-01 to 2199-12-31",
		                     p->name);
	return ERR_OK;
}

static enum err check_value(const struct param *p, const char *value, struct errbuf *eb)
{
	int64_t n, len;
	if (p->blank && *value == '\0')
		return ERR_OK;
	switch (p->type) {
	case PARAM_DATE:
		return check_date(p, value, eb);
	case PARAM_INT:
		return num_parse_int(value, p->min, p->max, &n)
		           ? ERR_OK
		           : err_set_field(eb, ERR_INVALID, p->name,
		                           "%s must be a whole number from %lld to %lld", p->name,
		                           (long long)p->min, (long long)p->max);
	case PARAM_WORD:
		return words_find(p->words, '|', value, WORDS_EXACT) >= 0
		           ? ERR_OK
		           : err_set_field(eb, ERR_INVALID, p->name, "%s must be one of %s", p->name,
		                           p->words);
	case PARAM_CURRENCY:
		return currency_is_code(value)
		           ? ERR_OK
		           : err_set_field(eb, ERR_INVALID, p->name,
		                           "%s must be an ISO 4217 code such as EUR", p->name);
	case PARAM_TEXT:
	case PARAM_SECRET:
		len = (int64_t)strlen(value);
		return len >= p->min && len <= p->max
		           ? ERR_OK
		           : err_set_field(eb, ERR_INVALID, p->name, "%s must have %lld to %lld bytes",
		                           p->name, (long long)p->min, (long long)p->max);
	}
	return ERR_OK;
}

static const struct param *find(const struct route *route, enum param_place place, const char *name)
{
	for (int i = 0; i < ROUTE_PARAMS && route->params[i].name; i++)
		if (!route->params[i].fixed && route->params[i].place == place &&
		    strcmp(route->params[i].name, name) == 0)
			return &route->params[i];
	return NULL;
}

/* ---- the body ---------------------------------------------------------- */

static bool content_is(const struct request *req, const char *type)
{
	size_t n = strlen(type);
	return strncasecmp(req->content_type, type, n) == 0 && strchr("; \t", req->content_type[n]);
}

bool params_media_fits(const struct route *route, const struct request *req)
{
	switch (route->body) {
	case BODY_JSON:
	case BODY_MESSAGES:
		/* What navigator.sendBeacon sends without asking first. */
		return content_is(req, "application/json") ||
		       (route->write_key && content_is(req, "text/plain"));
	case BODY_FORM:
		return content_is(req, "application/x-www-form-urlencoded");
	case BODY_NONE:
		break;
	}
	return true;
}

/* Numbers and truths become their texts: the parameter's type decides what is right. */
static const char *json_field_text(struct arena *a, const json_t *value)
{
	if (json_is_string(value))
		return arena_strndup(a, json_string_value(value), json_string_length(value));
	if (json_is_integer(value))
		return arena_printf(a, "%lld", (long long)json_integer_value(value));
	if (json_is_boolean(value))
		return json_is_true(value) ? "true" : "false";
	return NULL;
}

static enum err read_json(const struct request *req, struct pair *out, size_t *n, struct errbuf *eb)
{
	json_error_t where;
	const char *key;
	json_t *value, *top = json_loadb(req->body, req->body_len, JSON_REJECT_DUPLICATES, &where);
	enum err rc = json_is_object(top)
	                  ? ERR_OK
	                  : err_set_field(eb, ERR_MALFORMED, "body", "the body must be a JSON object");
	json_object_foreach(top, key, value)
	{
		if (rc != ERR_OK)
			break;
		const char *text = json_field_text(req->arena, value);
		if (*n == ROUTE_PARAMS)
			rc = err_set_field(eb, ERR_INVALID, "body", "the body has too many fields");
		else if (!text && !json_is_null(value))
			rc = err_set_field(eb, ERR_INVALID, key, "%s must be a text or a number", key);
		else if (text)
			out[(*n)++] = (struct pair){arena_strdup(req->arena, key), text};
	}
	json_decref(top);
	return rc;
}

static enum err read_body(const struct route *route, const struct request *req, struct pair *out,
                          size_t *n, struct errbuf *eb)
{
	const struct pair *form;
	if (route->body == BODY_NONE || route->body == BODY_MESSAGES)
		return ERR_OK;
	if (route->body == BODY_JSON)
		return read_json(req, out, n, eb);
	size_t form_n;
	enum err rc = request_parse_pairs(req->arena, req->body, req->body_len, &form, &form_n, eb);
	if (rc == ERR_OK && form_n > ROUTE_PARAMS)
		rc = err_set_field(eb, ERR_INVALID, "body", "the form has too many fields");
	for (size_t i = 0; rc == ERR_OK && i < form_n; i++)
		out[(*n)++] = form[i];
	return rc;
}

/* ---- all of them ------------------------------------------------------- */

static enum err check_pairs(const struct route *route, enum param_place place,
                            const struct pair *pairs, size_t n, struct errbuf *eb)
{
	for (size_t i = 0; i < n; i++) {
		const struct param *p = find(route, place, pairs[i].name);
		if (!p)
			return err_set_field(eb, ERR_INVALID, pairs[i].name, "there is no parameter %s here",
			                     pairs[i].name);
		if (check_value(p, pairs[i].value, eb) != ERR_OK)
			return eb->code;
	}
	return ERR_OK;
}

static const char *value_of(const struct pair *pairs, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(pairs[i].name, name) == 0)
			return pairs[i].value;
	return NULL;
}

static int year_of(const char *date)
{
	int year = 0;
	for (int i = 0; i < 4; i++)
		year = year * 10 + (date[i] - '0');
	return year;
}

/* What a step would cut into more rows than anybody reads, at the price of all memory. */
static enum err check_step(const struct param_values *values, const char *from, const char *to,
                           struct errbuf *eb)
{
	static const struct {
		const char *step;
		int years;
	} most[] = {{"day", 10}, {"week", 70}};
	const char *step = params_get(values, "step");
	int years = year_of(to) - year_of(from);
	for (size_t i = 0; step && i < sizeof most / sizeof *most; i++)
		if (strcmp(step, most[i].step) == 0 && years > most[i].years)
			return err_set_field(eb, ERR_INVALID, "step",
			                     "a step of a %s goes with %d years at most", step, most[i].years);
	return ERR_OK;
}

static enum err check_range(const struct param_values *values, struct errbuf *eb)
{
	const char *date = params_get(values, "date");
	const char *from = params_get(values, "from"), *to = params_get(values, "to");
	if (date && (from || to))
		return err_set_field(eb, ERR_INVALID, "date", "date stands alone, without from and to");
	if (!from != !to)
		return err_set_field(eb, ERR_INVALID, from ? "to" : "from", "from and to go together");
	if (from && strcmp(from, to) > 0)
		return err_set_field(eb, ERR_INVALID, "to", "to must not be before from");
	return from ? check_step(values, from, to, eb) : ERR_OK;
}

static enum err path_value(const struct route *route, const struct request *req,
                           const struct param *p, const char **value, struct errbuf *eb)
{
	int len;
	const char *at = route_path_value(route, req->path, p->name, &len);
	must(at != NULL);
	*value = arena_strndup(req->arena, at, (size_t)len);
	return check_value(p, *value, eb);
}

enum err params_parse(const struct route *route, const struct request *req,
                      struct param_values *out, struct errbuf *eb)
{
	struct pair body[ROUTE_PARAMS];
	size_t body_n = 0;
	int n = 0;
	enum err rc = check_pairs(route, IN_QUERY, req->query, req->query_n, eb);
	if (rc == ERR_OK)
		rc = read_body(route, req, body, &body_n, eb);
	if (rc == ERR_OK)
		rc = check_pairs(route, IN_BODY, body, body_n, eb);
	for (int i = 0; rc == ERR_OK && i < ROUTE_PARAMS && route->params[i].name; i++) {
		const struct param *p = &route->params[i];
		const char *given = NULL;
		if (!p->fixed && p->place == IN_PATH)
			rc = path_value(route, req, p, &given, eb);
		else if (!p->fixed)
			given = p->place == IN_BODY ? value_of(body, body_n, p->name)
			                            : request_query_find(req, p->name);
		if (rc == ERR_OK && p->required && !given)
			rc = err_set_field(eb, ERR_INVALID, p->name, "%s is missing", p->name);
		if (given && p->blank && *given == '\0')
			given = NULL;
		out->list[n++] = (struct db_param){p->name, given ? given : p->fallback};
	}
	out->list[n] = (struct db_param){NULL, NULL};
	return rc == ERR_OK ? check_range(out, eb) : rc;
}

const char *params_get(const struct param_values *values, const char *name)
{
	for (const struct db_param *p = values->list; p->name; p++)
		if (strcmp(p->name, name) == 0)
			return p->text;
	return NULL;
}

void params_print(const struct param_values *values, struct buf *out)
{
	for (const struct db_param *p = values->list; p->name; p++) {
		if (p->text) {
			buf_putint(out, (int64_t)strlen(p->text));
			buf_putc(out, ':');
			buf_puts(out, p->text);
		}
		buf_putc(out, ';');
	}
}
