/* answer.c: asking the database, and its rows as JSON. */
#include "cgi-bin/answer.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cgi-bin/csv.h"
#include "cgi-bin/render.h"
#include "db/statement.h"

enum { FED_COLUMNS = 96 };

void answer_fini(struct answer *a)
{
	for (int i = 0; i < a->n; i++)
		rowset_fini(&a->parts[i]);
	a->n = 0;
}

enum err answer_tell_missing(struct call *c, const char *statement, const char *field,
                             const char *text, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = call_ask(c, &(struct db_ask){statement, c->params.list, &rs}, 1, eb);
	if (rc != ERR_OK)
		return rc;
	const char *detail = rowset_get(&rs, 0, "detail"), *known = rowset_get(&rs, 0, "field");
	if (!known)
		known = detail ? "" : field;
	rc = err_set_field(eb, ERR_NOT_FOUND, known, "%s", detail ? detail : text);
	rowset_fini(&rs);
	return rc;
}

/* ---- routes whose first part feeds the others ------------------------------ */

/* The parameters of the parts after the first: its columns, then the request's. Of two with
 * one name a statement takes the first. `out` borrows from the rowset. */
static void feed(const struct call *c, const struct rowset *rs, struct db_param *out)
{
	int n = 0;
	must(rowset_cols(rs) <= FED_COLUMNS);
	for (; n < rowset_cols(rs); n++)
		out[n] = (struct db_param){rowset_name(rs, n), rowset_text(rs, 0, n)};
	memcpy(out + n, c->params.list, sizeof c->params.list);
}

static bool is_wanted(const struct rowset *first, const struct part *p)
{
	const char *truth = p->only ? rowset_get(first, 0, p->only) : "t";
	return truth && *truth == 't';
}

/* Without a row of the first part the others have none either. */
static enum err ask_others(struct db *db, struct call *c, struct answer *a,
                           const struct db_limits *limits, struct errbuf *eb)
{
	struct db_param fed[FED_COLUMNS + PARAM_VALUES];
	struct db_ask asks[ROUTE_PARTS];
	const struct rowset *first = &a->parts[0];
	int n = 0;
	if (rowset_rows(first) == 0)
		return ERR_OK;
	feed(c, first, fed);
	for (int i = 1; i < a->n; i++)
		if (is_wanted(first, &c->route->parts[i]))
			asks[n++] = (struct db_ask){c->route->parts[i].statement, fed, &a->parts[i]};
	return n ? db_query_all(db, asks, n, limits, eb) : ERR_OK;
}

static enum err ask_fed(struct call *c, struct answer *a, struct errbuf *eb)
{
	struct db *db;
	struct db_limits limits = call_limits(c);
	struct db_ask first = {c->route->parts[0].statement, c->params.list, &a->parts[0]};
	int64_t wanted_ms = clock_mono_ms();
	enum err rc = call_begin(c, POOL_READ, &db, eb);
	if (rc != ERR_OK)
		return rc;
	int64_t begun_us = clock_mono_us();
	if (!pool_leaves_time(wanted_ms, c->deadline_ms))
		rc = err_set(eb, ERR_DB_DOWN, "the server took too long to let us in");
	else
		rc = db_query_all(db, &first, 1, &limits, eb);
	if (rc == ERR_OK)
		rc = ask_others(db, c, a, &limits, eb);
	rc = pool_blame(c->web->pool, rc, wanted_ms, eb);
	pool_give(c->web->pool, db);
	c->db_us += clock_mono_us() - begun_us;
	return rc;
}

/* Whether the route has all that the statement asks for. */
static bool is_askable(const struct call *c, const char *statement)
{
	const struct statement *s = statement_find(statement);
	for (int i = 0; i < s->params_n; i++) {
		const struct param *p = c->route->params;
		while (p < c->route->params + ROUTE_PARAMS && p->name && strcmp(p->name, s->params[i]) != 0)
			p++;
		if (p == c->route->params + ROUTE_PARAMS || !p->name)
			return false;
	}
	return true;
}

static enum err part_missing(struct call *c, const struct part *p, struct errbuf *eb)
{
	const char *why = p->why ? p->why : "report_missing";
	if (!p->why && !is_askable(c, why))
		return err_set_field(eb, ERR_NOT_FOUND, "", "%s", p->missing);
	return answer_tell_missing(c, why, "", p->missing, eb);
}

/* One round trip for all parts, or two where the first feeds the others; one snapshot, so
 * that they agree with each other. */
enum err answer_ask(struct call *c, struct answer *a, struct errbuf *eb)
{
	struct db_ask asks[ROUTE_PARTS];
	bool feeds = c->route->parts[0].feeds;
	*a = (struct answer){.route = c->route};
	for (; a->n < ROUTE_PARTS && c->route->parts[a->n].statement; a->n++)
		asks[a->n] =
			(struct db_ask){c->route->parts[a->n].statement, c->params.list, &a->parts[a->n]};
	enum err rc = feeds ? ask_fed(c, a, eb) : call_ask(c, asks, a->n, eb);
	bool empty = feeds && rowset_rows(&a->parts[0]) == 0 && !c->route->parts[0].missing;
	for (int i = 0; rc == ERR_OK && !empty && i < a->n; i++)
		if (c->route->parts[i].missing && rowset_rows(&a->parts[i]) == 0)
			rc = part_missing(c, &c->route->parts[i], eb);
	return rc;
}

void answer_write_json(const struct answer *a, struct buf *out)
{
	struct json j;
	json_init(&j, out);
	json_begin_object(&j);
	for (int i = 0; i < a->n; i++) {
		const struct part *p = &a->route->parts[i];
		const struct rowset *rs = &a->parts[i];
		struct render_columns columns = {0};
		if (p->only && rowset_cols(rs) == 0) /* it was not asked */
			continue;
		if (rowset_rows(rs))
			render_columns_find(rs, p->columns, &columns);
		if (p->shape == PART_FIELDS) {
			if (rowset_rows(rs))
				render_json_fields(&j, rs, 0, &columns);
			continue;
		}
		json_key(&j, p->key);
		if (p->shape == PART_ROWS)
			json_begin_array(&j);
		for (int row = 0; row < rowset_rows(rs); row++) {
			json_begin_object(&j);
			render_json_fields(&j, rs, row, &columns);
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

/* A value of any part's first row that has a column of the name; "" where none has. */
static const char *first_text(const struct answer *a, const char *name)
{
	for (int i = 0; i < a->n; i++)
		for (int col = 0; col < rowset_cols(&a->parts[i]); col++)
			if (rowset_rows(&a->parts[i]) && strcmp(rowset_name(&a->parts[i], col), name) == 0) {
				const char *text = rowset_text(&a->parts[i], 0, col);
				return text ? text : "";
			}
	return "";
}

bool answer_is_live(const struct answer *a)
{
	for (int i = 0; i < a->n; i++)
		for (int col = 0; col < rowset_cols(&a->parts[i]); col++)
			if (rowset_rows(&a->parts[i]) &&
			    strcmp(rowset_name(&a->parts[i], col), "is_live") == 0) {
				const char *text = rowset_text(&a->parts[i], 0, col);
				if (text && *text == 't')
					return true;
			}
	return false;
}

enum err answer_write_csv(const struct answer *a, const char *key, struct buf *out, char *file,
                          size_t file_n, struct errbuf *eb)
{
	const char *from = first_text(a, "from_day"), *to = first_text(a, "to_day");
	for (int i = 0; i < a->n; i++) {
		const struct part *p = &a->route->parts[i];
		if (p->shape != PART_ROWS || (key && strcmp(p->key, key) != 0))
			continue;
		if (rowset_cols(&a->parts[i]) == 0)
			break;
		csv_write(&a->parts[i], p->columns, out);
		(void)snprintf(file, file_n, "takings-%s-%s%s%s.csv", p->key, from,
		               strcmp(from, to) == 0 ? "" : "-", strcmp(from, to) == 0 ? "" : to);
		return ERR_OK;
	}
	return err_set_field(eb, ERR_NOT_FOUND, "table", "there is no such table for these days");
}
