/* series_step.c: differences, most frequent first. */
#include "batch/series_step.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

enum { HOUR_S = 3600, DAY_S = 86400, WEEK_S = 7 * DAY_S };
enum { BACK_APART_S = 28 * DAY_S }; /* no clock is put back more often */

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* The smallest of the most frequent ones above 0; 0 where there is none. */
static int64_t most_frequent(const struct series_row *rows, size_t n)
{
	int64_t best = 0;
	size_t best_n = 0, run_n = 0;
	int64_t *d = mem_alloc((n - 1) * sizeof *d);
	for (size_t i = 1; i < n; i++)
		d[i - 1] = rows[i].at - rows[i - 1].at;
	qsort(d, n - 1, sizeof *d, by_value);
	for (size_t i = 0; i < n - 1; i++) {
		run_n = i > 0 && d[i] == d[i - 1] ? run_n + 1 : 1;
		if (d[i] > 0 && run_n > best_n) {
			best_n = run_n;
			best = d[i];
		}
	}
	free(d);
	return best;
}

static bool all_fit(const struct series_row *rows, size_t n, int64_t length)
{
	for (size_t i = 1; i < n; i++)
		if ((rows[i].at - rows[0].at) % length != 0)
			return false;
	return true;
}

static int64_t step_length(const struct series_row *rows, size_t n, bool dated)
{
	int64_t length = n > 1 ? most_frequent(rows, n) : 0;
	if (length == 0)
		return !dated ? 1 : rows[0].at % DAY_S ? HOUR_S : DAY_S;
	if (!dated || all_fit(rows, n, length))
		return length;
	/* Mondays and Thursdays are days all the same. */
	if (length <= WEEK_S && length % DAY_S == 0 && all_fit(rows, n, DAY_S))
		return DAY_S;
	if (length < DAY_S && length % HOUR_S == 0 && all_fit(rows, n, HOUR_S))
		return HOUR_S;
	return length;
}

static bool refuse(struct series_fault *fault, const struct series_row *row, const char *why)
{
	fault->line = row->line;
	(void)snprintf(fault->text, sizeof fault->text, "%s", why);
	return false;
}

/* Whether the wall clock was put back by an hour between two rows. */
static bool was_put_back(int64_t from, int64_t to, int64_t length)
{
	return HOUR_S % length == 0 && to - from == length - HOUR_S;
}

static bool check_order(const struct series_row *rows, size_t n, bool dated, int64_t length,
                        struct series_fault *fault)
{
	int64_t back_at = INT64_MIN / 2;
	for (size_t i = 1; i < n; i++) {
		int64_t d = rows[i].at - rows[i - 1].at;
		bool back = dated && was_put_back(rows[i - 1].at, rows[i].at, length) &&
		            rows[i].at - back_at >= BACK_APART_S && rows[i].at >= rows[0].at;
		if (back)
			back_at = rows[i].at;
		else if (d <= 0)
			return refuse(fault, &rows[i],
			              d == 0 ? "the same time as the row before" : "before the row before");
		if (d % length == 0)
			continue;
		fault->line = rows[i].line;
		(void)snprintf(fault->text, sizeof fault->text,
		               "%" PRId64 "%s after the row before, but a step is %" PRId64 "%s%s", d,
		               dated ? " s" : "", length, dated ? " s" : "",
		               dated && length > WEEK_S ? " (months: number them in a column t)" : "");
		return false;
	}
	return true;
}

bool series_step_find(const struct series_row *rows, size_t n, bool dated, struct series_step *step,
                      struct series_fault *fault)
{
	int64_t last = rows[0].at;
	step->length = step_length(rows, n, dated);
	if (!check_order(rows, n, dated, step->length, fault))
		return false;
	if (dated && step->length > INT32_MAX)
		return refuse(fault, &rows[0], "a step of more than 68 years");
	for (size_t i = 1; i < n; i++)
		last = rows[i].at > last ? rows[i].at : last;
	step->n = (last - rows[0].at) / step->length + 1;
	return true;
}

size_t series_step_place(const struct series_row *rows, const struct series_step *step, size_t i)
{
	return (size_t)((rows[i].at - rows[0].at) / step->length);
}

/* ---- values -------------------------------------------------------------------- */

/* For each place of the week: the weeks that have rows, and those that have one there. */
struct week {
	size_t n; /* places */
	size_t *weeks, *present;
};

static void count(struct week *w, const struct series_row *rows, size_t n,
                  const struct series_step *step)
{
	size_t next = 0, week = SIZE_MAX;
	for (size_t i = 0; i < n; i++) {
		size_t at = series_step_place(rows, step, i);
		if (at < next)
			continue;
		next = at + 1;
		w->present[at % w->n]++;
		if (at / w->n == week)
			continue;
		week = at / w->n;
		for (size_t s = 0; s < w->n && week * w->n + s < (size_t)step->n; s++)
			w->weeks[s]++;
	}
}

static bool is_closed(const struct week *w, size_t at)
{
	size_t weeks = w->weeks[at % w->n], present = w->present[at % w->n];
	return weeks >= 2 && present * 2 < weeks;
}

static void close_gaps(const struct series_row *rows, size_t n, const struct series_step *step,
                       double *y)
{
	struct week w = {.n = (size_t)(WEEK_S / step->length)};
	size_t next = 0;
	w.weeks = mem_alloc(w.n * sizeof *w.weeks);
	w.present = mem_alloc(w.n * sizeof *w.present);
	count(&w, rows, n, step);
	for (size_t i = 0; i < n; i++) {
		size_t at = series_step_place(rows, step, i);
		for (; next < at; next++)
			if (is_closed(&w, next))
				y[next] = 0;
		if (at >= next)
			next = at + 1;
	}
	free(w.weeks);
	free(w.present);
}

void series_step_fill(const struct series_row *rows, size_t n, const struct series_step *step,
                      bool dated, double *y)
{
	for (size_t i = 0; i < (size_t)step->n; i++)
		y[i] = NAN;
	for (size_t i = 0; i < n; i++) {
		double *at = &y[series_step_place(rows, step, i)];
		if (isnan(*at))
			*at = rows[i].y;
		else if (!isnan(rows[i].y))
			*at = (*at + rows[i].y) / 2;
	}
	if (dated && step->length <= DAY_S && WEEK_S % step->length == 0 && (size_t)step->n > n)
		close_gaps(rows, n, step, y);
}
