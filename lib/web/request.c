/* request.c: what nginx passes on, read once and checked. */
#include "web/request.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "base/json_text.h"
#include "base/num.h"

static const struct {
	const char *text;
	enum method method;
} methods[] = {
	{"GET", METHOD_GET},         {"HEAD", METHOD_HEAD},   {"POST", METHOD_POST},
	{"PUT", METHOD_PUT},         {"PATCH", METHOD_PATCH}, {"DELETE", METHOD_DELETE},
	{"OPTIONS", METHOD_OPTIONS},
};

static enum method method_of(const char *text)
{
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (strcmp(methods[i].text, text) == 0)
			return methods[i].method;
	return METHOD_OTHER;
}

const char *request_param(const struct request *req, const char *name)
{
	for (size_t i = 0; i < req->params_n; i++)
		if (strcmp(req->params[i].name, name) == 0)
			return req->params[i].value;
	return "";
}

const char *request_query_find(const struct request *req, const char *name)
{
	for (size_t i = 0; i < req->query_n; i++)
		if (strcmp(req->query[i].name, name) == 0)
			return req->query[i].value;
	return NULL;
}

/* ---- request id -------------------------------------------------------- */

static bool is_request_id(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
	return s[n] == '\0' && n >= REQUEST_ID_MIN && n <= REQUEST_ID_MAX;
}

static void request_id_make(char out[REQUEST_ID_MAX + 1])
{
	unsigned char bytes[16];
	ssize_t n;
	do
		n = getrandom(bytes, sizeof bytes, 0);
	while (n < 0 && errno == EINTR);
	must(n == (ssize_t)sizeof bytes); /* the kernel gives 16 bytes whole or not at all */
	for (size_t i = 0; i < sizeof bytes; i++) {
		out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	out[2 * sizeof bytes] = '\0';
}

/* ---- text -------------------------------------------------------------- */

static bool is_clean_utf8(const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t len = utf8_char_len(s + i, n - i);
		if (len == 0 || s[i] == '\0')
			return false;
		i += len;
	}
	return true;
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

static bool has_dot_segment(const char *path)
{
	for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		size_t n = strcspn(p + 1, "/");
		if ((n == 1 && p[1] == '.') || (n == 2 && p[1] == '.' && p[2] == '.'))
			return true;
	}
	return false;
}

static enum err refuse(struct request *req, int status, const char *field, const char *text,
                       struct errbuf *eb)
{
	req->refused = status;
	return err_set_field(eb, ERR_INVALID, field, "%s", text);
}

/* nginx has decoded and normalised it, so what is left of these is an attempt. */
static enum err check_path(struct request *req, struct errbuf *eb)
{
	const char *p = req->path;
	size_t n = strlen(p);
	if (n > REQUEST_PATH_BYTES)
		return refuse(req, 414, "path", "the path is longer than 2048 bytes", eb);
	if (p[0] != '/' || !is_clean_utf8(p, n))
		return refuse(req, 400, "path", "the path does not start with / or is not UTF-8", eb);
	if (has_control(p) || strchr(p, '\\') || strstr(p, "//") || has_dot_segment(p))
		return refuse(req, 400, "path",
		              "the path holds a control byte, a backslash, // or a dot segment", eb);
	return ERR_OK;
}

/* ---- pairs ------------------------------------------------------------- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes %XX and +; NULL if an escape is broken or the result is not clean UTF-8. */
static const char *decode(struct arena *a, const char *s, size_t n)
{
	char *out = arena_alloc(a, n + 1);
	size_t len = 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] != '%') {
			out[len++] = s[i] == '+' ? ' ' : s[i];
			continue;
		}
		if (n - i < 3 || hex(s[i + 1]) < 0 || hex(s[i + 2]) < 0)
			return NULL;
		out[len++] = (char)(hex(s[i + 1]) * 16 + hex(s[i + 2]));
		i += 2;
	}
	return is_clean_utf8(out, len) ? out : NULL;
}

static bool pairs_have(const struct pair *pairs, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(pairs[i].name, name) == 0)
			return true;
	return false;
}

static enum err parse_pair(struct arena *a, const char *s, size_t n, struct pair *pairs, size_t at,
                           struct errbuf *eb)
{
	const char *eq = memchr(s, '=', n);
	size_t name_n = eq ? (size_t)(eq - s) : n;
	struct pair *p = &pairs[at];
	p->name = decode(a, s, name_n);
	if (!p->name)
		return err_set(eb, ERR_INVALID, "a parameter name is not percent-encoded UTF-8");
	p->value = eq ? decode(a, eq + 1, n - name_n - 1) : "";
	if (!p->value)
		return err_set_field(eb, ERR_INVALID, p->name, "'%s' is not percent-encoded UTF-8",
		                     p->name);
	if (pairs_have(pairs, at, p->name))
		return err_set_field(eb, ERR_INVALID, p->name, "'%s' is given twice", p->name);
	return ERR_OK;
}

enum err request_parse_pairs(struct arena *a, const char *text, size_t n, const struct pair **out,
                             size_t *out_n, struct errbuf *eb)
{
	struct pair *pairs = arena_array(a, REQUEST_PAIRS, sizeof *pairs);
	size_t count = 0;
	for (size_t from = 0; from < n;) {
		const char *amp = memchr(text + from, '&', n - from);
		size_t len = amp ? (size_t)(amp - text) - from : n - from;
		if (len > 0 && count == REQUEST_PAIRS)
			return err_set(eb, ERR_INVALID, "there are more than %d parameters", REQUEST_PAIRS);
		if (len > 0 && parse_pair(a, text + from, len, pairs, count++, eb) != ERR_OK)
			return ERR_INVALID;
		from += len + 1;
	}
	*out = pairs;
	*out_n = count;
	return ERR_OK;
}

static enum err parse_query(struct request *req, struct errbuf *eb)
{
	const char *query = request_param(req, "QUERY_STRING");
	size_t n = strlen(query);
	if (n > REQUEST_QUERY_BYTES)
		return refuse(req, 414, "", "the query string is longer than 4096 bytes", eb);
	if (request_parse_pairs(req->arena, query, n, &req->query, &req->query_n, eb) != ERR_OK) {
		req->refused = 400;
		return ERR_INVALID;
	}
	return ERR_OK;
}

/* ---- body -------------------------------------------------------------- */

/* nginx buffers bodies and then knows their length, chunked or not. */
static enum err parse_content_length(struct request *req, struct errbuf *eb)
{
	const char *text = request_param(req, "CONTENT_LENGTH");
	int64_t n;
	if (*text == '\0')
		return ERR_OK;
	if (*text == '-' || !num_parse_int(text, 0, INT64_MAX, &n))
		return refuse(req, 400, "Content-Length", "the content length is not a number of bytes",
		              eb);
	if (n > REQUEST_BODY_BYTES)
		return refuse(req, 413, "", "the body is larger than 1 MiB", eb);
	req->content_length = (size_t)n;
	return ERR_OK;
}

enum err request_read_body(struct request *req, request_read read, void *source, struct errbuf *eb)
{
	char *body = arena_alloc(req->arena, req->content_length + 1);
	char extra;
	size_t len = 0;
	while (len < req->content_length) {
		size_t n = read(source, body + len, req->content_length - len);
		if (n == 0)
			return refuse(req, 400, "", "the body is shorter than its content length", eb);
		len += n;
	}
	if (read(source, &extra, 1) != 0)
		return refuse(req, req->content_length ? 400 : 411, "",
		              "the body is longer than its content length", eb);
	req->body = body;
	req->body_len = len;
	return ERR_OK;
}

/* ---- all of it --------------------------------------------------------- */

static void take_params(struct request *req, const struct pair *params, size_t n)
{
	req->params = params;
	req->params_n = n;
	req->method_text = request_param(req, "REQUEST_METHOD");
	req->method = method_of(req->method_text);
	req->path = request_param(req, "DOCUMENT_URI");
	req->log_path = strncmp(req->path, "/user/", 6) == 0 ? "/user/-" : req->path;
	req->content_type = request_param(req, "CONTENT_TYPE");
	req->remote_addr = request_param(req, "REMOTE_ADDR");
	req->accept = request_param(req, "HTTP_ACCEPT");
	req->if_none_match = request_param(req, "HTTP_IF_NONE_MATCH");
	const char *id = request_param(req, "REQUEST_ID");
	if (is_request_id(id))
		memcpy(req->request_id, id, strlen(id) + 1);
	else
		request_id_make(req->request_id);
}

enum err request_parse(struct request *out, struct arena *a, const struct pair *params, size_t n,
                       struct errbuf *eb)
{
	*out = (struct request){.arena = a, .body = "", .client_fd = -1};
	take_params(out, params, n);
	if (check_path(out, eb) != ERR_OK || parse_query(out, eb) != ERR_OK ||
	    parse_content_length(out, eb) != ERR_OK)
		return ERR_INVALID;
	return ERR_OK;
}
