/* run_window.c: what a question to order_db must know about time and money. */
#include "batch/run.h"

static enum err load_shifts(struct run *r, const char *zone, const char *from, const char *to,
                            struct source_shifts *out, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(r->db, "shifts",
	                       DB_PARAMS({"timezone", r->timezone}, {"cutoff", r->cutoff},
	                                 {"clock_zone", zone}, {"from", from}, {"to", to}),
	                       &rs, eb);
	if (rc != ERR_OK)
		return rc;
	out->n = (size_t)rowset_rows(&rs);
	struct source_shift *rows = arena_array(&r->arena, out->n, sizeof *rows);
	for (int i = 0; i < rowset_rows(&rs); i++) {
		rows[i].from = arena_strdup(&r->arena, rowset_get(&rs, i, "clock_from"));
		rows[i].to = arena_strdup(&r->arena, rowset_get(&rs, i, "clock_to"));
		rows[i].shift_s = arena_strdup(&r->arena, rowset_get(&rs, i, "shift_s"));
	}
	out->rows = rows;
	rowset_fini(&rs);
	return ERR_OK;
}

enum err run_window_currencies(struct run *r, struct source_window *w, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(r->db, "currencies", DB_NO_PARAMS, &rs, eb);
	if (rc != ERR_OK)
		return rc;
	w->currencies_n = (size_t)rowset_rows(&rs);
	struct source_currency *list = arena_array(&r->arena, w->currencies_n, sizeof *list);
	for (int i = 0; i < rowset_rows(&rs); i++) {
		list[i].code = arena_strdup(&r->arena, rowset_get(&rs, i, "currency"));
		list[i].exponent = (int)rowset_int(&rs, i, "exponent");
	}
	w->currencies = list;
	rowset_fini(&rs);
	return ERR_OK;
}

enum err run_window_set_days(struct run *r, struct source_window *w, const char *from,
                             const char *to, struct errbuf *eb)
{
	enum err rc = load_shifts(r, "UTC", from, to, &w->utc, eb);
	if (rc == ERR_OK)
		rc = load_shifts(r, conf_str(r->conf, CONF_ORDER_DB_TIMEZONE), from, to, &w->local, eb);
	return rc;
}
