/* rules.h: what decides on which day an order counts and whether: the row of `rules` that the batch
 * put into force, with the calendar's shifts, so that no time boundary is computed here. */
#ifndef TAKINGS_STREAM_RULES_H
#define TAKINGS_STREAM_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/conf.h"
#include "db/db.h"

/* Pieces of a clock, ascending: from `from_s` on (seconds since 1970 on that clock) `shift_s` is
 * added. */
struct clock_piece {
	int64_t from_s, shift_s;
};

struct clock_map {
	struct clock_piece *rows;
	int n;
};

struct rules {
	int64_t rules_id;
	char timezone[64], order_db_timezone[64], profile[32], currency[4];
	char *counted; /* COUNTED_STATUSES as in force */
	int cutoff_hours;
	int32_t location;
	struct clock_map utc;   /* UTC to the site's wall clock (business_shifts) */
	struct clock_map order; /* order_db's wall clock to UTC, where its times carry no zone */
	struct {
		char code[4];
		int exponent;
	} currencies[64]; /* those whose exponent is not 2 */
	int currencies_n;
};

/* The rules in force. ERR_NOTHING: none yet, the batch has never run. */
MUST_CHECK enum err rules_load(struct rules **out, struct db *db, struct errbuf *eb);
void rules_free(struct rules *r);

/* Of the piece that holds t; before the first piece the first one's shift. */
int64_t clock_map_shift(const struct clock_map *m, int64_t t_s);

/* The site's wall clock at an instant; CHANGE_NONE stays. */
int64_t rules_local_s(const struct rules *r, int64_t at_us);

/* The instant at which order_db's wall clock shows `wall_us` (as if it were UTC's). */
int64_t rules_wall_to_utc(const struct rules *r, int64_t wall_us);

int rules_exponent(const struct rules *r, const char *currency);
bool rules_counted(const struct rules *r, const char *status);

#endif
