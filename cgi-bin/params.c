/* params.c: typed, bounded, or refused by name. */
#include "cgi-bin/params.h"

#include <string.h>

#include "base/num.h"
#include "base/words.h"
#include "domain/currency.h"

static enum err check_value(const struct param *p, const char *value, struct errbuf *eb)
{
	int64_t n;
	switch (p->type) {
	case PARAM_DATE:
		if (!num_is_date(value))
			return err_set_field(eb, ERR_INVALID, p->name, "%s must be a date YYYY-MM-DD", p->name);
		/* Far dates would only cost time: nothing was sold then. */
		if (strcmp(value, "1970-01-01") < 0 || strcmp(value, "2199-12-31") > 0)
			return err_set_field(eb, ERR_INVALID, p->name,
			                     "%s must be from 1970-01-01 to 2199-12-31", p->name);
		return ERR_OK;
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
	}
	return ERR_OK;
}

static const struct param *find(const struct route *route, const char *name)
{
	for (int i = 0; i < ROUTE_PARAMS && route->params[i].name; i++)
		if (!route->params[i].fixed && strcmp(route->params[i].name, name) == 0)
			return &route->params[i];
	return NULL;
}

static enum err check_range(const struct request *req, struct errbuf *eb)
{
	const char *date = request_query_find(req, "date");
	const char *from = request_query_find(req, "from"), *to = request_query_find(req, "to");
	if (date && (from || to))
		return err_set_field(eb, ERR_INVALID, "date", "date stands alone, without from and to");
	if (!from != !to)
		return err_set_field(eb, ERR_INVALID, from ? "to" : "from", "from and to go together");
	if (from && strcmp(from, to) > 0)
		return err_set_field(eb, ERR_INVALID, "to", "to must not be before from");
	return ERR_OK;
}

enum err params_parse(const struct route *route, const struct request *req,
                      struct param_values *out, struct errbuf *eb)
{
	int n = 0;
	for (size_t i = 0; i < req->query_n; i++) {
		const struct param *p = find(route, req->query[i].name);
		if (!p)
			return err_set_field(eb, ERR_INVALID, req->query[i].name,
			                     "there is no parameter %s here", req->query[i].name);
		if (check_value(p, req->query[i].value, eb) != ERR_OK)
			return eb->code;
	}
	for (int i = 0; i < ROUTE_PARAMS && route->params[i].name; i++) {
		const struct param *p = &route->params[i];
		const char *given = p->fixed ? NULL : request_query_find(req, p->name);
		out->list[n++] = (struct db_param){p->name, given ? given : p->fallback};
	}
	out->list[n] = (struct db_param){NULL, NULL};
	return check_range(req, eb);
}
