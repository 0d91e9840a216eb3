/* rules.c: the rules in force and the calendar's shifts. */
#include "stream/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/num.h"
#include "domain/statuses.h"
#include "stream/change.h"

static enum err load_map(struct clock_map *m, struct db *db, const char *statement,
                         const struct db_param *params, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(db, statement, params, &rs, eb);
	if (rc != ERR_OK)
		return rc;
	m->n = rowset_rows(&rs);
	must(m->n > 0);
	m->rows = mem_alloc((size_t)m->n * sizeof *m->rows);
	for (int i = 0; i < m->n; i++) {
		m->rows[i].from_s = rowset_int(&rs, i, "from_s");
		m->rows[i].shift_s = rowset_int(&rs, i, "shift_s");
	}
	rowset_fini(&rs);
	return ERR_OK;
}

static void take_text(char *out, size_t n, const char *text)
{
	must(strlen(text) < n);
	(void)snprintf(out, n, "%s", text);
}

static enum err load_currencies(struct rules *r, struct db *db, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(db, "currencies", DB_NO_PARAMS, &rs, eb);
	for (int i = 0; rc == ERR_OK && i < rowset_rows(&rs); i++) {
		must(i < (int)(sizeof r->currencies / sizeof *r->currencies));
		take_text(r->currencies[i].code, sizeof r->currencies[i].code,
		          rowset_get(&rs, i, "currency"));
		r->currencies[i].exponent = (int)rowset_int(&rs, i, "exponent");
		r->currencies_n = i + 1;
	}
	rowset_fini(&rs);
	return rc;
}

static enum err load_maps(struct rules *r, struct db *db, struct errbuf *eb)
{
	char cutoff[16];
	(void)snprintf(cutoff, sizeof cutoff, "%d", r->cutoff_hours);
	enum err rc = load_map(&r->utc, db, "rules_clock",
	                       DB_PARAMS({"timezone", r->timezone}, {"cutoff", cutoff}), eb);
	if (rc == ERR_OK)
		rc = load_map(&r->order, db, "rules_order_clock", DB_PARAMS({"zone", r->order_db_timezone}),
		              eb);
	return rc;
}

enum err rules_load(struct rules **out, struct db *db, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(db, "rules_in_force", DB_NO_PARAMS, &rs, eb);
	if (rc == ERR_OK && rowset_rows(&rs) == 0)
		rc = err_set(eb, ERR_NOTHING, "there are no rules yet: takings-batch run makes them");
	if (rc != ERR_OK) {
		rowset_fini(&rs);
		return rc;
	}
	struct rules *r = mem_alloc(sizeof *r);
	memset(r, 0, sizeof *r);
	r->rules_id = rowset_int(&rs, 0, "rules_id");
	take_text(r->timezone, sizeof r->timezone, rowset_get(&rs, 0, "timezone"));
	take_text(r->order_db_timezone, sizeof r->order_db_timezone,
	          rowset_get(&rs, 0, "order_db_timezone"));
	take_text(r->profile, sizeof r->profile, rowset_get(&rs, 0, "revenue_profile"));
	take_text(r->currency, sizeof r->currency, rowset_get(&rs, 0, "default_currency"));
	r->counted = mem_strdup(rowset_get(&rs, 0, "counted_statuses"));
	r->cutoff_hours = (int)rowset_int(&rs, 0, "cutoff_hours");
	r->location = (int32_t)rowset_int(&rs, 0, "default_location_id");
	rowset_fini(&rs);
	rc = load_maps(r, db, eb);
	if (rc == ERR_OK)
		rc = load_currencies(r, db, eb);
	if (rc != ERR_OK)
		rules_free(r);
	else
		*out = r;
	return rc;
}

void rules_free(struct rules *r)
{
	if (!r)
		return;
	free(r->utc.rows);
	free(r->order.rows);
	free(r->counted);
	free(r);
}

int64_t clock_map_shift(const struct clock_map *m, int64_t t_s)
{
	int lo = 0, hi = m->n; /* the last piece that begins at or before t_s is in [lo, hi) */
	while (hi - lo > 1) {
		int mid = lo + (hi - lo) / 2;
		if (m->rows[mid].from_s <= t_s)
			lo = mid;
		else
			hi = mid;
	}
	return m->rows[lo].shift_s;
}

static int64_t whole_seconds(int64_t us)
{
	return us / 1000000 - (us % 1000000 < 0);
}

int64_t rules_wall_to_utc(const struct rules *r, int64_t wall_us)
{
	return wall_us + clock_map_shift(&r->order, whole_seconds(wall_us)) * 1000000;
}

int64_t rules_local_s(const struct rules *r, int64_t at_us)
{
	if (at_us == CHANGE_NONE)
		return CHANGE_NONE;
	int64_t s = whole_seconds(at_us);
	return s + clock_map_shift(&r->utc, s);
}

int rules_exponent(const struct rules *r, const char *currency)
{
	for (int i = 0; i < r->currencies_n; i++)
		if (strcmp(r->currencies[i].code, currency) == 0)
			return r->currencies[i].exponent;
	return 2;
}

bool rules_counted(const struct rules *r, const char *status)
{
	return status_judge(r->profile, r->counted, status) == STATUS_COUNTED;
}
