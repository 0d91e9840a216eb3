/* behaviour_page.c: what the pages of behaviour share. */
#include "cgi-bin/behaviour_page.h"

#include <string.h>

#include "cgi-bin/admin.h"
#include "cgi-bin/csv.h"
#include "domain/format.h"
#include "web/escape.h"

bool behaviour_scope(struct call *c, struct rowset *scope, struct rowset *more,
                     const char *statement)
{
	struct errbuf eb = {0};
	const struct db_ask asks[] = {{"activity_page_scope", c->params.list, scope},
	                              {statement, DB_NO_PARAMS, more}};
	if (call_ask(c, asks, statement ? 2 : 1, &eb) == ERR_OK)
		return true;
	call_refuse(c, 0, NULL, &eb);
	c->handled = true;
	return false;
}

void behaviour_refuse(struct call *c, struct errbuf *eb)
{
	const char *format = call_param(c, "format");
	if (eb->code == ERR_INVALID && !(format && strcmp(format, "csv") == 0)) {
		char *sentence = arena_strdup(c->req->arena, eb->text);
		if (*sentence >= 'a' && *sentence <= 'z')
			*sentence = (char)(*sentence - 'a' + 'A');
		admin_refuse(c, 422, sentence);
		return;
	}
	call_refuse(c, 0, NULL, eb);
	c->handled = true;
}

struct buf *behaviour_csv(struct call *c, const char *what, const struct rowset *scope)
{
	reply_begin(c->reply, 200, CSV_TYPE);
	buf_puts(&c->reply->body, "\xef\xbb\xbf");
	reply_header_set(c->reply, "Content-Disposition",
	                 arena_printf(c->req->arena, "attachment; filename=\"takings-%s-%s-%s.csv\"",
	                              what, rowset_get(scope, 0, "from"), rowset_get(scope, 0, "to")));
	c->handled = true;
	return &c->reply->body;
}

struct tv *behaviour_choices(struct arena *m, const char *const (*words)[2], const char *now)
{
	struct tv *list = tv_list(m);
	for (; (*words)[0]; words++) {
		struct tv *row = tv_object(m);
		tv_set(m, row, "value", tv_borrow(m, (*words)[0]));
		tv_set(m, row, "label", tv_borrow(m, (*words)[1]));
		tv_set_bool(m, row, "is_on", now && strcmp((*words)[0], now) == 0);
		tv_push(m, list, row);
	}
	return list;
}

/* ---- texts ------------------------------------------------------------------------------- */

const char *behaviour_number(struct arena *m, int64_t n)
{
	struct buf text;
	buf_init(&text);
	format_number(&text, arena_printf(m, "%lld", (long long)n));
	const char *out = arena_strdup(m, buf_str(&text));
	buf_fini(&text);
	return out;
}

const char *behaviour_percent(struct arena *m, const char *rate)
{
	return rate ? arena_printf(m, "%s\xe2\x80\xaf%%", rate) : "\xe2\x80\x93";
}

/* The two largest units of a length. */
const char *behaviour_duration(struct arena *m, int64_t ms)
{
	static const struct {
		int64_t s;
		const char *one, *many;
	} units[] = {{86400, "day", "days"}, {3600, "h", "h"}, {60, "min", "min"}, {1, "s", "s"}};
	int64_t s = (ms + 500) / 1000;
	if (ms < 0)
		return NULL;
	if (s == 0)
		return ms ? "under 1\xe2\x80\xafs" : "0\xe2\x80\xafs";
	int i = 0;
	while (s < units[i].s)
		i++;
	int64_t n = s / units[i].s, rest = s % units[i].s;
	const char *text =
		arena_printf(m, "%lld\xe2\x80\xaf%s", (long long)n, n == 1 ? units[i].one : units[i].many);
	if (i == 3 || rest / units[i + 1].s == 0 || n >= 10)
		return text;
	return arena_printf(m, "%s %lld\xe2\x80\xaf%s", text, (long long)(rest / units[i + 1].s),
	                    units[i + 1].many);
}

const char *behaviour_url(struct arena *m, const char *text)
{
	struct buf url;
	buf_init(&url);
	escape_url(&url, text, strlen(text));
	const char *out = arena_strdup(m, buf_str(&url));
	buf_fini(&url);
	return out;
}

const char *behaviour_window(struct arena *m, int64_t s)
{
	static const struct {
		int64_t s;
		const char *name;
	} units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
	int i = 0;
	while (s % units[i].s != 0)
		i++;
	return arena_printf(m, "%lld\xc2\xa0%s%s", (long long)(s / units[i].s), units[i].name,
	                    s == units[i].s ? "" : "s");
}

static void times_text(struct arena *m, const struct rowset *rs, int n, const char **out)
{
	for (int i = 0; i < n && i < rowset_rows(rs); i++) {
		struct buf text;
		const char *date = rowset_get(rs, i, "date");
		if (!date)
			continue;
		buf_init(&text);
		format_date(&text, date, rowset_get(rs, i, "today"));
		buf_printf(&text, ", %s", rowset_get(rs, i, "time"));
		out[i] = arena_strdup(m, buf_str(&text));
		buf_fini(&text);
	}
}

void behaviour_times(struct call *c, const char *const *iso, int n, const char **out)
{
	struct errbuf ignored = {0};
	struct rowset rs = {0};
	struct buf list;
	buf_init(&list);
	for (int i = 0; i < n; i++) {
		buf_printf(&list, "%c%s", i ? ',' : '{', iso[i] ? iso[i] : "NULL");
		out[i] = NULL;
	}
	buf_puts(&list, n ? "}" : "{}");
	if (call_ask(c, &(struct db_ask){"behaviour_times", DB_PARAMS({"times", buf_str(&list)}), &rs},
	             1, &ignored) == ERR_OK)
		times_text(c->req->arena, &rs, n, out);
	rowset_fini(&rs);
	buf_fini(&list);
}

const char *behaviour_person_link(struct arena *m, int64_t person_id)
{
	return arena_printf(m, "/admin/person/%lld", (long long)person_id);
}
