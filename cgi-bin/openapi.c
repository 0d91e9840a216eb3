/* openapi.c: the document around the schemas: operations, parameters, problems. */
#include "cgi-bin/openapi.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cgi-bin/call.h"
#include "cgi-bin/openapi_schema.h"
#include "web/json.h"

static struct buf document;

/* ---- what is the same for all --------------------------------------------- */

static const char about[] =
	"Figures of a business, computed every night from its orders.\n\n"
	"Without dates an answer is about the last computed business day. Every answer says which "
	"instants, zone, currency and basis it means. Amounts are exact decimals in the answer's "
	"currency. HEAD is answered wherever GET is. Errors are `application/problem+json` "
	"(RFC 9457) and name the parameter; every answer carries `X-Request-ID`.\n\n"
	"Figures carry an `ETag`, so that `If-None-Match` gets 304 while they are the same, and the "
	"version of the data as `X-Data-Version`: a request with `X-Read-After: VERSION` waits up to "
	"two "
	"seconds for it, or is answered 409. So it does with the `write_token` of stored messages.";

static const struct {
	const char *name, *meaning;
} tags[] = {
	{"Service", "How the service is, and what it can do"},
	{"Access", "Who asks: tokens for programs"},
	{"Analytics", "Figures of business days"},
	{"Live", "Figures as they happen"},
	{"Activity", "What people do on the site, and questions about it and about orders"},
	{"Behaviour", "What people do one after another: funnels, cohorts, paths, journeys"},
	{"Bookings",
     "Events, and what is booked of them; the setting BOOKINGS_ROLE lets lower roles read, too"},
	{"Admin", "Users, keys and what was done"},
};

struct problem {
	int status;
	const char *name, *meaning;
	bool retry; /* says when to come again */
};

static const struct problem problems[] = {
	{400, "Malformed", "The request is not well-formed", false},
	{401, "Unauthorized", "Nobody is logged in, or the token does not count (any more)", false},
	{403, "Forbidden", "Whoever asks may not see this", false},
	{404, "NotFound", "There is nothing, or there are no figures", false},
	{409, "Conflict", "What is there does not allow it (yet)", false},
	{413, "TooLarge", "The body is larger than this takes", false},
	{415, "UnsupportedMedia", "The body is not of the type this takes", false},
	{422, "Invalid", "A parameter is unknown, missing, or out of range; `field` names it", false},
	{429, "TooManyRequests", "Too many requests; Retry-After says how long to wait", true},
	{503, "Unavailable", "The database cannot be reached, or too many wait for it", true},
	{504, "TooSlow", "The answer took longer than is allowed", false},
};

enum { PROBLEMS = sizeof problems / sizeof *problems, TAGS = sizeof tags / sizeof *tags };

static void put_info(struct json *j)
{
	json_key(j, "info");
	json_begin_object(j);
	json_pair_text(j, "title", "Takings");
	json_pair_text(j, "version", TAKINGS_VERSION);
	json_pair_text(j, "summary", "Sales analytics out of the orders you have");
	json_pair_text(j, "description", about);
	json_key(j, "license");
	json_begin_object(j);
	json_pair_text(j, "name", "MIT");
	json_pair_text(j, "identifier", "MIT");
	json_end_object(j);
	json_end_object(j);
	json_key(j, "servers");
	json_begin_array(j);
	json_begin_object(j);
	json_pair_text(j, "url", "/");
	json_pair_text(j, "description", "The server this document came from");
	json_end_object(j);
	json_end_array(j);
}

static bool tag_is_used(const char *name)
{
	for (int i = 0; route_get(i); i++)
		if (route_get(i)->tag && strcmp(route_get(i)->tag, name) == 0)
			return true;
	return false;
}

static void put_tags(struct json *j)
{
	json_key(j, "tags");
	json_begin_array(j);
	for (int i = 0; i < TAGS; i++) {
		if (!tag_is_used(tags[i].name))
			continue;
		json_begin_object(j);
		json_pair_text(j, "name", tags[i].name);
		json_pair_text(j, "description", tags[i].meaning);
		json_end_object(j);
	}
	json_end_array(j);
}

static void put_scheme(struct json *j, const char *name, const char *format, const char *meaning)
{
	json_key(j, name);
	json_begin_object(j);
	json_pair_text(j, "type", "http");
	json_pair_text(j, "scheme", "bearer");
	json_pair_text(j, "bearerFormat", format);
	json_pair_text(j, "description", meaning);
	json_end_object(j);
}

static void put_schemes(struct json *j)
{
	json_key(j, "securitySchemes");
	json_begin_object(j);
	put_scheme(j, "bearerAuth", "JWT", "Access token of a user: what the user's role may see");
	put_scheme(j, "apiKey", "tk_...", "API key of a program: what the key's scopes allow");
	json_key(j, "session");
	json_begin_object(j);
	json_pair_text(j, "type", "apiKey");
	json_pair_text(j, "in", "cookie");
	json_pair_text(j, "name", "__Host-sid");
	json_pair_text(j, "description",
	               "Cookie of a browser that is logged in; called sid where it was not over https");
	json_end_object(j);
	json_end_object(j);
}

static void put_problem_content(struct json *j)
{
	json_key(j, "content");
	json_begin_object(j);
	json_key(j, "application/problem+json");
	json_begin_object(j);
	json_key(j, "schema");
	json_begin_object(j);
	json_pair_text(j, "$ref", "#/components/schemas/Problem");
	json_end_object(j);
	json_end_object(j);
	json_end_object(j);
}

static void put_retry_header(struct json *j)
{
	json_key(j, "headers");
	json_begin_object(j);
	json_key(j, "Retry-After");
	json_begin_object(j);
	json_pair_text(j, "description", "Seconds to wait");
	json_key(j, "schema");
	json_begin_object(j);
	json_pair_text(j, "type", "integer");
	json_pair_int(j, "minimum", 1);
	json_end_object(j);
	json_end_object(j);
	json_end_object(j);
}

/* ---- parameters ------------------------------------------------------------ */

/* Texts for people to type, numbers as such. */
static void put_value(struct json *j, const char *key, const struct param *p, const char *text)
{
	if (p->type == PARAM_INT)
		json_pair_number(j, key, text);
	else
		json_pair_text(j, key, text);
}

static void put_words(struct json *j, const char *words)
{
	json_key(j, "enum");
	json_begin_array(j);
	for (const char *s = words; *s; s += strcspn(s, "|"), s += *s == '|')
		json_put_text_n(j, s, strcspn(s, "|"));
	json_end_array(j);
}

/* The limits of a text are bytes and JSON Schema's are characters: the most is right for
 * both, the least only where it is one. */
static void put_text_schema(struct json *j, const struct param *p)
{
	if (p->min == 1)
		json_pair_int(j, "minLength", 1);
	json_pair_int(j, "maxLength", p->max);
	if (p->type == PARAM_SECRET)
		json_pair_text(j, "format", "password");
}

static void put_param_schema(struct json *j, const struct param *p)
{
	json_pair_text(j, "type", p->type == PARAM_INT ? "integer" : "string");
	switch (p->type) {
	case PARAM_DATE:
		json_pair_text(j, "format", "date");
		break;
	case PARAM_INT:
		json_pair_int(j, "minimum", p->min);
		json_pair_int(j, "maximum", p->max);
		break;
	case PARAM_WORD:
		put_words(j, p->words);
		break;
	case PARAM_CURRENCY:
		json_pair_text(j, "pattern", "^[A-Z]{3}$");
		break;
	case PARAM_TEXT:
	case PARAM_SECRET:
		put_text_schema(j, p);
		break;
	}
	if (p->fallback)
		put_value(j, "default", p, p->fallback);
}

static bool is_of(const struct param *p, bool body)
{
	return !p->fixed && (p->place == IN_BODY) == body;
}

static void put_params(struct json *j, const struct route *route)
{
	bool any = false;
	for (const struct param *p = route->params; p < route->params + ROUTE_PARAMS && p->name; p++)
		any = any || is_of(p, false);
	if (!any)
		return;
	json_key(j, "parameters");
	json_begin_array(j);
	for (const struct param *p = route->params; p < route->params + ROUTE_PARAMS && p->name; p++) {
		if (!is_of(p, false))
			continue;
		must(p->meaning != NULL);
		json_begin_object(j);
		json_pair_text(j, "name", p->name);
		json_pair_text(j, "in", p->place == IN_PATH ? "path" : "query");
		json_pair_bool(j, "required", p->required || p->place == IN_PATH);
		json_pair_text(j, "description", p->meaning);
		json_key(j, "schema");
		json_begin_object(j);
		put_param_schema(j, p);
		json_end_object(j);
		if (p->example)
			put_value(j, "example", p, p->example);
		json_end_object(j);
	}
	json_end_array(j);
}

static void put_body_field(struct json *j, const struct param *p)
{
	must(p->meaning != NULL);
	json_key(j, p->name);
	json_begin_object(j);
	put_param_schema(j, p);
	json_pair_text(j, "description", p->meaning);
	if (p->example) {
		json_key(j, "examples");
		json_begin_array(j);
		if (p->type == PARAM_INT)
			json_put_number(j, p->example);
		else
			json_put_text(j, p->example);
		json_end_array(j);
	}
	json_end_object(j);
}

static void put_body_schema(struct json *j, const struct route *route)
{
	json_begin_object(j);
	json_pair_text(j, "type", "object");
	json_pair_bool(j, "additionalProperties", false);
	json_key(j, "properties");
	json_begin_object(j);
	for (const struct param *p = route->params; p < route->params + ROUTE_PARAMS && p->name; p++)
		if (is_of(p, true))
			put_body_field(j, p);
	json_end_object(j);
	json_key(j, "required");
	json_begin_array(j);
	for (const struct param *p = route->params; p < route->params + ROUTE_PARAMS && p->name; p++)
		if (is_of(p, true) && p->required)
			json_put_text(j, p->name);
	json_end_array(j);
	json_end_object(j);
}

/* One, a list, or an object with a list: what they may say is more than a schema tells. */
static void put_messages_schema(struct json *j, const struct route *route)
{
	must(route->body_doc && route->body_example);
	json_begin_object(j);
	json_key(j, "type");
	json_begin_array(j);
	json_put_text(j, "object");
	json_put_text(j, "array");
	json_end_array(j);
	json_pair_text(j, "description", route->body_doc);
	json_key(j, "examples");
	json_begin_array(j);
	json_put_raw(j, route->body_example, strlen(route->body_example));
	json_end_array(j);
	json_end_object(j);
}

static void put_body(struct json *j, const struct route *route)
{
	if (route->body == BODY_NONE)
		return;
	json_key(j, "requestBody");
	json_begin_object(j);
	json_pair_bool(j, "required", true);
	json_key(j, "content");
	json_begin_object(j);
	json_key(j,
	         route->body == BODY_FORM ? "application/x-www-form-urlencoded" : "application/json");
	json_begin_object(j);
	json_key(j, "schema");
	if (route->body == BODY_MESSAGES)
		put_messages_schema(j, route);
	else
		put_body_schema(j, route);
	json_end_object(j);
	json_end_object(j);
	json_end_object(j);
}

/* ---- answers --------------------------------------------------------------- */

static const char *also_of(const struct route *route, int status)
{
	char digits[8];
	(void)snprintf(digits, sizeof digits, "%d", status);
	return route->also ? strstr(route->also, digits) : NULL;
}

/* A problem may come from the gate, for every route alike; from a part; or from a handler,
 * whose row says so. */
static bool can_answer(const struct route *route, int status)
{
	bool known = route->access > ACCESS_PUBLIC, missing = route->feature != 0;
	bool parts = route->parts[0].statement || route->make;
	for (const struct part *p = route->parts; p < route->parts + ROUTE_PARTS && p->statement; p++)
		missing = missing || p->missing;
	for (const struct param *p = route->params; p < route->params + ROUTE_PARAMS && p->name; p++)
		missing = missing || p->place == IN_PATH;
	switch (status) {
	case 400:
	case 422:
		return true;
	case 401:
	case 403:
		return known || also_of(route, status);
	case 404:
		return missing || also_of(route, status);
	case 409: /* X-Read-After */
		return parts || also_of(route, status);
	case 413:
		return also_of(route, status);
	case 415:
		return route->body != BODY_NONE;
	case 429:
		return known || also_of(route, status);
	case 503:
		return known || parts || also_of(route, status);
	case 504:
		return parts || also_of(route, status);
	}
	return false;
}

static void put_csv(struct json *j)
{
	json_key(j, "text/csv");
	json_begin_object(j);
	json_key(j, "schema");
	json_begin_object(j);
	json_pair_text(j, "type", "string");
	json_end_object(j);
	json_end_object(j);
}

static void put_answer_content(struct json *j, const struct route *route)
{
	bool media = route->answer && strchr(route->answer, '/');
	json_key(j, "content");
	json_begin_object(j);
	json_key(j, media ? route->answer : "application/json");
	json_begin_object(j);
	json_key(j, "schema");
	if (media) {
		json_begin_object(j);
		json_pair_text(j, "type", strstr(route->answer, "json") ? "object" : "string");
		json_end_object(j);
	} else {
		schema_put_answer_ref(j, route);
	}
	json_end_object(j);
	for (int i = 0; i < ROUTE_PARAMS && route->params[i].name; i++)
		if (strcmp(route->params[i].name, "format") == 0)
			put_csv(j);
	json_end_object(j);
}

static void put_answer(struct json *j, const struct route *route, const char *status,
                       const char *meaning)
{
	json_key(j, status);
	json_begin_object(j);
	json_pair_text(j, "description", meaning);
	put_answer_content(j, route);
	json_end_object(j);
}

static void put_problem_ref(struct json *j, const char *status, const struct problem *p)
{
	char ref[64];
	(void)snprintf(ref, sizeof ref, "#/components/responses/%s", p->name);
	json_key(j, status);
	json_begin_object(j);
	json_pair_text(j, "$ref", ref);
	json_end_object(j);
}

static void put_not_modified(struct json *j)
{
	json_key(j, "304");
	json_begin_object(j);
	json_pair_text(j, "description", "The answer is still the one whose ETag If-None-Match names");
	json_end_object(j);
}

static void put_responses(struct json *j, const struct route *route)
{
	json_key(j, "responses");
	json_begin_object(j);
	char success[8];
	(void)snprintf(success, sizeof success, "%d", route->status ? route->status : 200);
	put_answer(j, route, success, route->doc);
	if ((route->parts[0].statement || route->make) && !route->uncached &&
	    strcmp(route->method, "GET") == 0)
		put_not_modified(j);
	for (int i = 0; i < PROBLEMS; i++) {
		char status[8];
		(void)snprintf(status, sizeof status, "%d", problems[i].status);
		const char *also = also_of(route, problems[i].status);
		if (also && also[3] == '=')
			put_answer(j, route, status, "The same, where something essential does not work");
		else if (can_answer(route, problems[i].status))
			put_problem_ref(j, status, &problems[i]);
	}
	json_end_object(j);
}

/* ---- operations ------------------------------------------------------------- */

static void put_one_security(struct json *j, const char *scheme, const char *need)
{
	json_begin_object(j);
	json_key(j, scheme);
	json_begin_array(j);
	json_put_text(j, need);
	json_end_array(j);
	json_end_object(j);
}

static void put_security(struct json *j, const struct route *route)
{
	static const char *const roles[] = {"public", "viewer", "analyst", "admin"};
	const char *role = route->access > ACCESS_PUBLIC ? roles[route->access] : "viewer";
	json_key(j, "security");
	json_begin_array(j);
	if (route->access > ACCESS_PUBLIC || route->scopes) {
		if (route->access == ACCESS_PUBLIC) { /* by address too: a token is one way */
			json_begin_object(j);
			json_end_object(j);
		}
		put_one_security(j, "bearerAuth", role);
		/* A key needs one of the scopes: each is an alternative. */
		if (route->scopes & SCOPE_INGEST)
			put_one_security(j, "apiKey", "ingest");
		if (route->scopes & SCOPE_READ)
			put_one_security(j, "apiKey", "read");
		if (route->scopes & SCOPE_ADMIN)
			put_one_security(j, "apiKey", "admin");
		put_one_security(j, "session", role);
	}
	json_end_array(j);
}

static void put_method(struct json *j, const char *method)
{
	static const char *const names[][2] = {
		{"GET", "get"}, {"POST", "post"}, {"PUT", "put"}, {"DELETE", "delete"}};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i][0], method) == 0)
			json_key(j, names[i][1]);
}

static void put_operation(struct json *j, const struct route *route)
{
	struct buf id;
	must(route->parts[0].statement || route->answer); /* a handler says what it answers */
	must(route->doc != NULL && tag_is_used(route->tag));
	buf_init(&id);
	buf_puts(&id, strcmp(route->method, "GET") == 0 ? "get" : "");
	schema_route_name(route, &id);
	if (id.data[0] >= 'A' && id.data[0] <= 'Z')
		id.data[0] = (char)(id.data[0] - 'A' + 'a');
	put_method(j, route->method);
	json_begin_object(j);
	json_pair_text(j, "operationId", buf_str(&id));
	json_pair_text(j, "summary", route->doc);
	json_key(j, "tags");
	json_begin_array(j);
	json_put_text(j, route->tag);
	json_end_array(j);
	put_security(j, route);
	put_params(j, route);
	put_body(j, route);
	put_responses(j, route);
	json_end_object(j);
	buf_fini(&id);
}

/* The rows of one path may stand apart: the first of them writes all. */
static void put_paths(struct json *j)
{
	json_key(j, "paths");
	json_begin_object(j);
	for (int i = 0; route_get(i); i++) {
		bool first = route_get(i)->tag != NULL;
		for (int k = 0; k < i; k++)
			if (route_get(k)->tag && strcmp(route_get(k)->path, route_get(i)->path) == 0)
				first = false;
		if (!first)
			continue;
		json_key(j, route_get(i)->path);
		json_begin_object(j);
		for (int k = i; route_get(k); k++)
			if (route_get(k)->tag && strcmp(route_get(k)->path, route_get(i)->path) == 0)
				put_operation(j, route_get(k));
		json_end_object(j);
	}
	json_end_object(j);
}

static bool is_answered(int status)
{
	for (int i = 0; route_get(i); i++)
		if (route_get(i)->tag && can_answer(route_get(i), status))
			return true;
	return false;
}

static void put_components(struct json *j)
{
	json_key(j, "components");
	json_begin_object(j);
	put_schemes(j);
	json_key(j, "responses");
	json_begin_object(j);
	for (int i = 0; i < PROBLEMS; i++) {
		if (!is_answered(problems[i].status))
			continue;
		json_key(j, problems[i].name);
		json_begin_object(j);
		json_pair_text(j, "description", problems[i].meaning);
		if (problems[i].retry)
			put_retry_header(j);
		put_problem_content(j);
		json_end_object(j);
	}
	json_end_object(j);
	json_key(j, "schemas");
	json_begin_object(j);
	schema_put_all(j);
	json_end_object(j);
	json_end_object(j);
}

void openapi_init(void)
{
	struct json j;
	buf_init(&document);
	json_init(&j, &document);
	json_begin_object(&j);
	json_pair_text(&j, "openapi", "3.1.0");
	put_info(&j);
	put_tags(&j);
	put_paths(&j);
	put_components(&j);
	json_end_object(&j);
	json_end(&j);
	buf_putc(&document, '\n');
}

void openapi_fini(void)
{
	buf_fini(&document);
}

const struct buf *openapi_text(void)
{
	return &document;
}

void openapi_handle(struct call *c)
{
	reply_begin(c->reply, 200, "application/json");
	buf_put(&c->reply->body, document.data, document.len);
}
