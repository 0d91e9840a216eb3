/* demo_zone.c: a list of offsets and what follows from it. */
#include "batch/demo_zone.h"

#include <stdlib.h>

#include "base/arena.h"
#include "batch/demo_calendar.h"
#include "db/rowset.h"

enum { HOUR_S = 3600, DAY_S = 86400 };

enum err demo_zone_load(struct demo_zone *z, struct db *db, const char *zone, int64_t cutoff_h,
                        int64_t first_date, int64_t last_date, struct errbuf *eb)
{
	char first[DEMO_DATE_TEXT], last[DEMO_DATE_TEXT];
	struct rowset rs;
	demo_date_format(first_date, first);
	demo_date_format(last_date, last);
	enum err rc = db_query(db, "demo_zone_offsets",
	                       DB_PARAMS({"zone", zone}, {"first", first}, {"last", last}), &rs, eb);
	if (rc != ERR_OK)
		return rc;
	z->n = rowset_rows(&rs);
	z->rows = mem_alloc((size_t)z->n * sizeof *z->rows);
	z->cutoff_s = cutoff_h * HOUR_S;
	for (int i = 0; i < z->n; i++) {
		z->rows[i].from_s = i ? rowset_int(&rs, i, "at_s") : INT64_MIN / 4;
		z->rows[i].to_s = i + 1 < z->n ? rowset_int(&rs, i + 1, "at_s") : INT64_MAX / 4;
		z->rows[i].offset_s = rowset_int(&rs, i, "offset_s");
	}
	rowset_fini(&rs);
	return ERR_OK;
}

void demo_zone_fini(struct demo_zone *z)
{
	free(z->rows);
	z->rows = NULL;
}

int64_t demo_zone_wall(const struct demo_zone *z, int64_t at_s)
{
	int i = 0;
	while (at_s >= z->rows[i].to_s)
		i++;
	return at_s + z->rows[i].offset_s;
}

int64_t demo_zone_settle(const struct demo_zone *z, int64_t wall_s)
{
	for (int i = 1; i < z->n; i++) {
		int64_t by_s = z->rows[i].offset_s - z->rows[i - 1].offset_s;
		int64_t gap_s = z->rows[i].from_s + z->rows[i - 1].offset_s;
		if (wall_s >= gap_s && wall_s < gap_s + by_s)
			return wall_s + by_s;
	}
	return wall_s;
}

int64_t demo_zone_instant(const struct demo_zone *z, int64_t wall_s, bool second)
{
	int found = -1;
	for (int i = 0; i < z->n && (found < 0 || second); i++) {
		int64_t at_s = wall_s - z->rows[i].offset_s;
		if (at_s >= z->rows[i].from_s && at_s < z->rows[i].to_s)
			found = i;
	}
	must(found >= 0); /* it was settled, and what is left out is settled away */
	return wall_s - z->rows[found].offset_s;
}

bool demo_zone_find_jump(const struct demo_zone *z, int64_t from_wall_s, int64_t to_wall_s,
                         struct demo_jump *out)
{
	for (int i = 1; i < z->n; i++) {
		int64_t wall_s = z->rows[i].from_s + z->rows[i - 1].offset_s;
		if (wall_s < from_wall_s || wall_s >= to_wall_s)
			continue;
		out->wall_s = wall_s;
		out->by_s = z->rows[i].offset_s - z->rows[i - 1].offset_s;
		return true;
	}
	return false;
}

int64_t demo_zone_day_start(const struct demo_zone *z, int64_t date)
{
	int64_t wall_s = date * DAY_S + z->cutoff_s;
	const struct demo_stretch *s = z->rows;
	while (wall_s - s->offset_s >= s->to_s)
		s++;
	int64_t at_s = wall_s - s->offset_s;
	return at_s < s->from_s ? s->from_s : at_s;
}

int64_t demo_zone_business_date(const struct demo_zone *z, int64_t at_s)
{
	int64_t date = demo_date_of_seconds(demo_zone_wall(z, at_s) - z->cutoff_s) - 1;
	while (at_s >= demo_zone_day_start(z, date + 1))
		date++;
	return date;
}
