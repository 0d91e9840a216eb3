/* render.h: rows of the database as JSON fields or as template values.
 *
 * JSON: numbers print as they are, json is embedded, text is escaped, dates and
 * times are ISO 8601. Templates get every column under its name and, as NAME_text,
 * the way people write it: figures by their unit in the metric catalogue, dates in
 * words. A CHANGE also has NAME_dir: up, down, flat, or new where there is no base; a text
 * called SOMETHING_id has SOMETHING_id_url, for a path or a query. */
#ifndef TAKINGS_CGI_RENDER_H
#define TAKINGS_CGI_RENDER_H

#include "db/rowset.h"
#include "web/json.h"
#include "web/tv.h"

enum { RENDER_COLUMNS = 48 };

struct render_columns {
	int n;
	int at[RENDER_COLUMNS];
};

/* Where the rowset has these columns, which are separated by spaces. */
void render_columns_find(const struct rowset *rs, const char *names, struct render_columns *out);

/* These columns of one row as fields of the object that is open. */
void render_json_fields(struct json *j, const struct rowset *rs, int row,
                        const struct render_columns *columns);

/* The column whose name are the `n` bytes at `name`; it must exist. */
int render_column(const struct rowset *rs, const char *name, size_t n);

/* One row as a template object. `today` (YYYY-MM-DD) decides whether years are
 * shown, `currency` is used where the row has no column of that name. */
struct tv *render_tv_row(struct arena *a, const struct rowset *rs, int row, const char *today,
                         const char *currency);

/* Whether render_tv_row makes this key from a column of this name. */
bool render_tv_makes(const char *column, const char *key);

#endif
