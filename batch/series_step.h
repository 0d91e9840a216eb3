/* series_step.h: the step of a series, and which step a row belongs to. */
#ifndef TAKINGS_BATCH_SERIES_STEP_H
#define TAKINGS_BATCH_SERIES_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct series_row {
	int64_t at; /* t, or ds in seconds since 1970-01-01 */
	double y;   /* NAN: unknown */
	uint64_t line;
	size_t text; /* where its time stands, as it was written */
};

struct series_step {
	int64_t length; /* in units of `at` */
	int64_t n;      /* steps from the first row to the last */
};

struct series_fault {
	uint64_t line;
	char text[160];
};

/* The most frequent difference of `n` rows, at least one; one or several days or hours where that
 * explains the others too. `dated`: `at` is a wall clock. False, with *fault, where rows are not in
 * order or do not fit. */
bool series_step_find(const struct series_row *rows, size_t n, bool dated, struct series_step *step,
                      struct series_fault *fault);

/* The step of row `i`, from 0. */
size_t series_step_place(const struct series_row *rows, const struct series_step *step, size_t i);

/* The values of all step->n steps, as series_file.h says. */
void series_step_fill(const struct series_row *rows, size_t n, const struct series_step *step,
                      bool dated, double *y);

#endif
