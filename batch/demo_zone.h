/* demo_zone.h: wall clocks and instants of one zone, as PostgreSQL knows them.
 *
 * Both are seconds since 1970-01-01T00:00; a wall time is read as if it were UTC.
 * The zone is known for the range it was loaded for, and its first and last offsets
 * hold beyond. */
#ifndef TAKINGS_BATCH_DEMO_ZONE_H
#define TAKINGS_BATCH_DEMO_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "db/db.h"

/* A time of constant offset from UTC. */
struct demo_stretch {
	int64_t from_s, to_s; /* instants */
	int64_t offset_s;
};

struct demo_zone {
	struct demo_stretch *rows; /* gapless; owned */
	int n;
	int64_t cutoff_s;
};

/* A clock being set: at `wall_s` by the old offset, by `by_s` seconds, back if negative. */
struct demo_jump {
	int64_t wall_s, by_s;
};

MUST_CHECK enum err demo_zone_load(struct demo_zone *z, struct db *db, const char *zone,
                                   int64_t cutoff_h, int64_t first_date, int64_t last_date,
                                   struct errbuf *eb);
void demo_zone_fini(struct demo_zone *z);

int64_t demo_zone_wall(const struct demo_zone *z, int64_t at_s);

/* A wall time that was left out becomes the one that was shown in its place. */
int64_t demo_zone_settle(const struct demo_zone *z, int64_t wall_s);

/* The instant of a settled wall time; `second` counts where it is shown twice. */
int64_t demo_zone_instant(const struct demo_zone *z, int64_t wall_s, bool second);

/* The first jump between two wall times, the later one excluded. */
bool demo_zone_find_jump(const struct demo_zone *z, int64_t from_wall_s, int64_t to_wall_s,
                         struct demo_jump *out);

/* The earliest instant whose wall clock reads date + cutoff or later. */
int64_t demo_zone_day_start(const struct demo_zone *z, int64_t date);

int64_t demo_zone_business_date(const struct demo_zone *z, int64_t at_s);

#endif
