/* reply.c: statuses, headers, problems. */
#include "web/reply.h"

#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "web/json.h"

/* On every answer unless the handler sets the name itself. The policies are
 * those of the OWASP ASVS 5.0, chapter 3.4: nothing but our own files. */
static const struct pair standard_headers[] = {
	{"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
     "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
     "frame-ancestors 'none'"},
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "same-origin"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=(), "
                           "browsing-topics=()"},
	{"Cache-Control", "no-store"},
};

/* Reason phrases of RFC 9110 and 6585. */
static const struct {
	int status;
	const char *title;
} titles[] = {
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{410, "Gone"},
	{411, "Length Required"},
	{412, "Precondition Failed"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{422, "Unprocessable Content"},
	{428, "Precondition Required"},
	{429, "Too Many Requests"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
};

static const char *title_of(int status)
{
	for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
		if (titles[i].status == status)
			return titles[i].title;
	return status >= 500 ? "Server Error" : "Client Error";
}

void reply_init(struct reply *r, struct arena *a)
{
	*r = (struct reply){.status = 200, .arena = a};
}

void reply_fini(struct reply *r)
{
	buf_fini(&r->body);
}

void reply_clear(struct reply *r)
{
	buf_clear(&r->body);
	r->status = 200;
	r->headers_n = 0;
	r->broken = false;
}

/* ---- headers ----------------------------------------------------------- */

/* RFC 9110, 5.6.2: token. */
static bool is_token(const char *s)
{
	const char *p = s;
	while ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
	       (*p && strchr("-!#$%&'*+.^_`|~", *p)))
		p++;
	return *s && *p == '\0';
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

void reply_header_add(struct reply *r, const char *name, const char *value)
{
	/* CR or LF would let a value start a header of its own, X-Accel-Redirect for one. */
	if (!is_token(name) || has_control(value) || r->headers_n == REPLY_HEADERS) {
		LOG(LOG_ERROR, "reply_header_refused", LOG_STR("name", name), LOG_END);
		r->broken = true;
		return;
	}
	r->headers[r->headers_n].name = arena_strdup(r->arena, name);
	r->headers[r->headers_n++].value = arena_strdup(r->arena, value);
}

void reply_header_set(struct reply *r, const char *name, const char *value)
{
	size_t kept = 0;
	for (size_t i = 0; i < r->headers_n; i++)
		if (strcasecmp(r->headers[i].name, name) != 0)
			r->headers[kept++] = r->headers[i];
	r->headers_n = kept;
	reply_header_add(r, name, value);
}

const char *reply_header_find(const struct reply *r, const char *name)
{
	for (size_t i = 0; i < r->headers_n; i++)
		if (strcasecmp(r->headers[i].name, name) == 0)
			return r->headers[i].value;
	return NULL;
}

void reply_begin(struct reply *r, int status, const char *content_type)
{
	r->status = status;
	reply_header_set(r, "Content-Type", content_type);
}

/* ---- problems ---------------------------------------------------------- */

int reply_status(enum err code)
{
	switch (code) {
	case ERR_OK:
		return 200;
	case ERR_MALFORMED:
		return 400;
	case ERR_INVALID:
		return 422;
	case ERR_NOT_FOUND:
		return 404;
	case ERR_DB_DOWN:
	case ERR_BUSY:
	case ERR_LOCKED:
	case ERR_INTERRUPTED:
		return 503;
	case ERR_TIMEOUT:
		return 504;
	case ERR_CONFIG:
	case ERR_DB:
	case ERR_NOTHING:
	case ERR_IO:
		break;
	}
	return 500;
}

static const char *public_detail(int status, const struct errbuf *eb)
{
	if (status < 500)
		return eb->text;
	if (status == 503)
		return "The service is busy or cannot reach its database. Try again in a moment.";
	if (status == 504)
		return "The answer took longer than is allowed. Ask for less, or try again later.";
	return "Something failed on our side. The log tells more under this request id.";
}

static void log_problem(const struct request *req, int status, const struct errbuf *eb)
{
	LOG(status == 500 ? LOG_ERROR : LOG_WARNING, "request_failed",
	    LOG_STR("request_id", req->request_id), LOG_INT("status", status),
	    LOG_STR("path", req->log_path), LOG_STR("code", err_name(eb->code)),
	    LOG_STR("field", eb->field), LOG_STR("error", eb->text), LOG_END);
}

static void put_problem(struct buf *out, const struct request *req, int status, const char *code,
                        const struct errbuf *eb)
{
	struct json j;
	json_init(&j, out);
	json_begin_object(&j);
	json_pair_text(&j, "type", "about:blank");
	json_pair_text(&j, "title", title_of(status));
	json_pair_int(&j, "status", status);
	json_pair_text(&j, "detail", public_detail(status, eb));
	json_pair_text(&j, "code", code);
	if (eb->field[0] && status < 500)
		json_pair_text(&j, "field", eb->field);
	json_pair_text(&j, "request_id", req->request_id);
	json_end_object(&j);
	json_end(&j);
	buf_putc(out, '\n');
}

void reply_problem(struct reply *r, const struct request *req, int status, const char *code,
                   const struct errbuf *eb)
{
	if (status == 0)
		status = reply_status(eb->code);
	must(status >= 400 && status <= 599);
	if (status >= 500)
		log_problem(req, status, eb);
	reply_clear(r);
	reply_begin(r, status, "application/problem+json");
	if (status == 503 || status == 504)
		reply_header_set(r, "Retry-After", "1");
	put_problem(&r->body, req, status, code ? code : err_name(eb->code), eb);
}

/* ---- rendering --------------------------------------------------------- */

static void put_header(struct buf *out, const char *name, const char *value)
{
	buf_puts(out, name);
	buf_put(out, ": ", 2);
	buf_puts(out, value);
	buf_put(out, "\r\n", 2);
}

static void put_headers(const struct reply *r, const struct request *req, struct buf *out)
{
	for (size_t i = 0; i < r->headers_n; i++)
		put_header(out, r->headers[i].name, r->headers[i].value);
	for (size_t i = 0; i < sizeof standard_headers / sizeof *standard_headers; i++)
		if (!reply_header_find(r, standard_headers[i].name))
			put_header(out, standard_headers[i].name, standard_headers[i].value);
	if (r->body.len && !reply_header_find(r, "Content-Type"))
		put_header(out, "Content-Type", "application/octet-stream");
	put_header(out, "X-Request-ID", req->request_id);
}

static bool status_has_body(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

void reply_render(struct reply *r, const struct request *req, struct buf *out)
{
	if (r->broken) {
		struct errbuf eb = {.code = ERR_OK};
		(void)err_set(&eb, ERR_INVALID, "a header of the reply cannot be sent");
		reply_problem(r, req, 500, "internal", &eb);
	}
	must(r->status >= 100 && r->status <= 599);
	buf_clear(out);
	buf_printf(out, "Status: %d\r\n", r->status);
	put_headers(r, req, out);
	if (status_has_body(r->status))
		buf_printf(out, "Content-Length: %zu\r\n", r->body.len);
	buf_puts(out, "\r\n");
	if (status_has_body(r->status) && req->method != METHOD_HEAD)
		buf_put(out, r->body.data, r->body.len);
}
