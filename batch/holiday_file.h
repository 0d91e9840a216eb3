/* holiday_file.h: named days out of a CSV file: ds (or date), holiday (or name), and id where a
 * day counts for one series only. */
#ifndef TAKINGS_BATCH_HOLIDAY_FILE_H
#define TAKINGS_BATCH_HOLIDAY_FILE_H

#include <stddef.h>

#include "base/arena.h"
#include "forecast/forecast.h"

enum { HOLIDAYS = 100 * 1000 };

struct holiday_file {
	struct forecast_special *all; /* those of every series first, then by id */
	const char **id;              /* of each; "": every series */
	size_t n, common_n;
};

/* All is the arena's memory. ERR_MALFORMED with line and column, ERR_IO, ERR_INTERRUPTED. */
MUST_CHECK enum err holiday_file_read(struct holiday_file *out, const char *path,
                                      struct arena *arena, struct errbuf *eb);

/* The days of one series; borrowed, or in the arena. */
const struct forecast_special *holiday_file_of(const struct holiday_file *h, const char *id,
                                               struct arena *arena, size_t *n);

#endif
