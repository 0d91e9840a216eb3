/* render.c: the rowset writer. */
#include "cgi-bin/render.h"

#include <stdio.h>
#include <string.h>

#include "domain/format.h"
#include "web/escape.h"

/* ---- JSON -------------------------------------------------------------- */

/* 2025-01-15 10:30:00.5+00 -> 2025-01-15T10:30:00.500000Z; sessions are in UTC. */
static void put_time(struct json *j, const char *s)
{
	enum { SECONDS_END = 19, FRACTION = 6 };
	char text[48];
	size_t n = strlen(s);
	if (n < SECONDS_END || n > 40 || s[10] != ' ') { /* infinity, years of five digits */
		json_put_text(j, s);
		return;
	}
	const char *zone = s + SECONDS_END, *fraction = "";
	if (*zone == '.') {
		fraction = zone + 1;
		zone = fraction + strspn(fraction, "0123456789");
	}
	int digits = *fraction ? (int)(zone - fraction) : 0;
	(void)snprintf(text, sizeof text, "%.10sT%.8s.%.*s%.*s%s", s, s + 11, digits, fraction,
	               digits < FRACTION ? FRACTION - digits : 0, "000000",
	               strcmp(zone, "+00") == 0 ? "Z" : zone);
	json_put_text(j, text);
}

/* Without the blanks PostgreSQL puts between keys and values. */
static void put_json(struct json *j, const char *s)
{
	struct buf compact;
	bool in_string = false;
	buf_init(&compact);
	for (; *s; s++) {
		if (in_string && *s == '\\') {
			buf_putc(&compact, *s++);
			buf_putc(&compact, *s);
			continue;
		}
		in_string = in_string != (*s == '"');
		if (in_string || !strchr(" \n", *s))
			buf_putc(&compact, *s);
	}
	json_put_raw(j, buf_str(&compact), compact.len);
	buf_fini(&compact);
}

static void put_value(struct json *j, const struct rowset *rs, int row, int col)
{
	const char *s = rowset_text(rs, row, col);
	if (!s) {
		json_put_null(j);
		return;
	}
	switch (rowset_kind(rs, col)) {
	case ROWSET_NUMBER:
		json_put_number(j, s);
		break;
	case ROWSET_BOOL:
		json_put_bool(j, *s == 't');
		break;
	case ROWSET_JSON:
		put_json(j, s);
		break;
	case ROWSET_TIME:
		put_time(j, s);
		break;
	case ROWSET_DATE:
	case ROWSET_TEXT:
		json_put_text(j, s);
		break;
	}
}

int render_column(const struct rowset *rs, const char *name, size_t n)
{
	for (int col = 0; col < rowset_cols(rs); col++)
		if (strlen(rowset_name(rs, col)) == n && strncmp(rowset_name(rs, col), name, n) == 0)
			return col;
	must(n == 0); /* the statement has every column its route names */
	return -1;
}

void render_columns_find(const struct rowset *rs, const char *names, struct render_columns *out)
{
	out->n = 0;
	for (const char *p = names; *p; p += strcspn(p, " "), p += *p == ' ') {
		must(out->n < RENDER_COLUMNS);
		out->at[out->n++] = render_column(rs, p, strcspn(p, " "));
	}
}

void render_json_fields(struct json *j, const struct rowset *rs, int row,
                        const struct render_columns *columns)
{
	for (int i = 0; i < columns->n; i++) {
		json_key(j, rowset_name(rs, columns->at[i]));
		put_value(j, rs, row, columns->at[i]);
	}
}

/* ---- templates --------------------------------------------------------- */

static const char *direction(const char *change)
{
	if (!change)
		return "new";
	if (strspn(change, "0.-") == strlen(change))
		return "flat";
	return *change == '-' ? "down" : "up";
}

/* NULL too where there is no such column. */
static const char *row_value(const struct rowset *rs, int row, const char *name)
{
	for (int col = 0; col < rowset_cols(rs); col++)
		if (strcmp(rowset_name(rs, col), name) == 0)
			return rowset_text(rs, row, col);
	return NULL;
}

static const char *row_currency(const struct rowset *rs, int row, const char *fallback)
{
	const char *currency = row_value(rs, row, "currency");
	return currency ? currency : fallback;
}

/* Whether a figure that is money or a count is money in this row. */
static bool is_of_money(const struct rowset *rs, int row)
{
	const char *metric = row_value(rs, row, "metric");
	return metric && strcmp(metric, "revenue") == 0;
}

/* Ids that are texts go into paths. */
static bool is_id(const struct rowset *rs, int col)
{
	size_t n = strlen(rowset_name(rs, col));
	return rowset_kind(rs, col) == ROWSET_TEXT && n > 3 &&
	       strcmp(rowset_name(rs, col) + n - 3, "_id") == 0;
}

static void put_text_twin(struct arena *a, struct tv *object, const struct rowset *rs, int row,
                          int col, const char *today, const char *currency)
{
	const char *name = rowset_name(rs, col), *value = rowset_text(rs, row, col);
	const struct metric *m = metric_find(name);
	struct buf text;
	buf_init(&text);
	if (m && m->unit == UNIT_EITHER && is_of_money(rs, row))
		format_money(&text, value, currency);
	else if (m)
		format_metric(&text, m, value, currency);
	else if (rowset_kind(rs, col) == ROWSET_DATE)
		format_date(&text, value, today);
	else if (rowset_kind(rs, col) == ROWSET_NUMBER)
		format_number(&text, value);
	else
		buf_puts(&text, value ? value : "");
	tv_set_text(a, object, arena_printf(a, "%s_text", name), buf_str(&text));
	if (is_id(rs, col) && value) {
		buf_clear(&text);
		escape_url(&text, value, strlen(value));
		tv_set_text(a, object, arena_printf(a, "%s_url", name), buf_str(&text));
	}
	buf_fini(&text);
	if (m && m->unit == UNIT_CHANGE)
		tv_set_text(a, object, arena_printf(a, "%s_dir", name), direction(value));
}

struct tv *render_tv_row(struct arena *a, const struct rowset *rs, int row, const char *today,
                         const char *currency)
{
	struct tv *object = tv_object(a);
	const char *cur = row_currency(rs, row, currency);
	for (int col = 0; col < rowset_cols(rs); col++) {
		const char *name = arena_strdup(a, rowset_name(rs, col));
		const char *value = rowset_text(rs, row, col);
		if (rowset_kind(rs, col) == ROWSET_BOOL)
			tv_set_bool(a, object, name, value && *value == 't');
		else
			tv_set_text(a, object, name, value);
		put_text_twin(a, object, rs, row, col, today, cur);
	}
	return object;
}

bool render_tv_makes(const char *column, const char *key)
{
	size_t n = strlen(column);
	if (strncmp(column, key, n) != 0)
		return false;
	return key[n] == '\0' || strcmp(key + n, "_text") == 0 || strcmp(key + n, "_dir") == 0 ||
	       strcmp(key + n, "_url") == 0;
}
