/* retention.c: see retention.h. */
#include "behaviour/retention.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/time_text.h"

enum { WEEK_DAYS = 7, YEAR_MONTHS = 12, MONDAY = 3 /* days from 1969-12-29 to 1970-01-01 */ };

/* ---- periods ------------------------------------------------------------- */

static int32_t floor_div(int32_t a, int32_t b)
{
	return a / b - (a % b < 0);
}

int32_t retention_period(enum retention_unit unit, int32_t day)
{
	int y, m, d;
	if (unit == RETENTION_DAY)
		return day;
	if (unit == RETENTION_WEEK)
		return floor_div(day + MONDAY, WEEK_DAYS);
	time_days_civil(day, &y, &m, &d);
	return y * YEAR_MONTHS + m - 1;
}

int32_t retention_period_day(enum retention_unit unit, int32_t period)
{
	if (unit == RETENTION_DAY)
		return period;
	if (unit == RETENTION_WEEK)
		return period * WEEK_DAYS - MONDAY;
	int32_t year = floor_div(period, YEAR_MONTHS);
	return (int32_t)time_civil_days(year, period - year * YEAR_MONTHS + 1, 1);
}

static int32_t last_day(const struct retention *r)
{
	return r->from_day + r->days_n - 1;
}

static int64_t length_us(const struct retention *r)
{
	return r->unit == RETENTION_WEEK ? WEEK_DAYS * US_PER_DAY : US_PER_DAY;
}

/* When a period begins; of days to come about, which is as good: nothing of them is over. */
static int64_t begin_us(const struct retention *r, int32_t period)
{
	int32_t i = retention_period_day(r->unit, period) - r->from_day;
	must(i >= 0);
	if (i > r->days_n)
		return r->starts[r->days_n] + (i - r->days_n) * US_PER_DAY;
	return r->starts[i];
}

int retention_cells(const struct retention *r, int i)
{
	int64_t n;
	if (r->mode == RETENTION_ROLLING) {
		int64_t us = r->as_of_us - begin_us(r, r->first_cohort + i);
		n = us < 0 ? 0 : us / length_us(r) + 1;
	} else {
		n = retention_period(r->unit, last_day(r)) - (r->first_cohort + i) + INT64_C(1);
	}
	return (int)(n < 0 ? 0 : n < r->periods_n ? n : r->periods_n);
}

bool retention_complete(const struct retention *r, int i, int k)
{
	int32_t cohort = r->first_cohort + i;
	if (r->mode == RETENTION_ROLLING)
		return begin_us(r, cohort + 1) + (k + 1) * length_us(r) <= r->as_of_us;
	return retention_period_day(r->unit, cohort + k + 1) <= last_day(r);
}

/* ---- what is read ---------------------------------------------------------- */

static void want_type(unsigned char *types, uint16_t code)
{
	types[code / 8] |= (unsigned char)(1u << code % 8);
}

void retention_wanted(const struct retention *r, unsigned char *types,
                      struct sequence_wanted *wanted)
{
	bool rolling = r->mode == RETENTION_ROLLING;
	bool any = rolling && (r->first_type == RETENTION_ANY || r->return_type == RETENTION_ANY);
	bool typed = r->first_type != RETENTION_ANY || r->return_type != RETENTION_ANY;
	*wanted = (struct sequence_wanted){.events = rolling || typed || r->as_of_cuts,
	                                   .from_us = r->starts[0],
	                                   .to_us = r->starts[r->days_n]};
	if (r->as_of_cuts)
		wanted->to_us = r->as_of_us + 1;
	if (!wanted->events || any)
		return;
	/* Any event tells of the last day, and single types of all. */
	if (r->as_of_cuts && (r->first_type == RETENTION_ANY || r->return_type == RETENTION_ANY)) {
		if (!typed)
			wanted->from_us = r->starts[r->days_n - 1];
		return;
	}
	memset(types, 0, RETENTION_TYPE_BYTES);
	if (r->first_type != RETENTION_ANY)
		want_type(types, r->first_type);
	if (r->return_type != RETENTION_ANY)
		want_type(types, r->return_type);
	wanted->types = types;
}

/* ---- sums -------------------------------------------------------------------- */

static void *zeros(size_t n, size_t size)
{
	void *p = mem_alloc(n * size);
	memset(p, 0, n * size);
	return p;
}

void retention_sums_init(struct retention_sums *s, const struct retention *r)
{
	size_t cohorts = (size_t)r->cohorts_n, periods = (size_t)r->periods_n;
	s->sizes = zeros(cohorts, sizeof *s->sizes);
	s->counts = zeros(cohorts * periods, sizeof *s->counts);
	s->back = zeros(periods, sizeof *s->back);
	s->periods = zeros((size_t)r->days_n, sizeof *s->periods);
	for (int i = 0; i < r->days_n; i++)
		s->periods[i] = retention_period(r->unit, r->from_day + i);
}

void retention_sums_fini(struct retention_sums *s)
{
	free(s->sizes);
	free(s->counts);
	free(s->back);
	free(s->periods);
	*s = (struct retention_sums){0};
}

void retention_merge(const struct retention *r, struct retention_sums *into,
                     const struct retention_sums *from)
{
	for (int i = 0; i < r->cohorts_n; i++)
		into->sizes[i] += from->sizes[i];
	for (int i = 0; i < r->cohorts_n * r->periods_n; i++)
		into->counts[i] += from->counts[i];
}

/* ---- a person ------------------------------------------------------------------ */

struct person {
	const struct retention *r;
	const struct sequence *q;
	struct retention_sums *s;
	int64_t first_us;
	int32_t cohort; /* a period */
	int last;       /* the last period somebody was back in */
};

static int day_index(const struct retention *r, int64_t at_us)
{
	int i = (int)((at_us - r->starts[0]) / US_PER_DAY);
	i = i < 0 ? 0 : i > r->days_n - 1 ? r->days_n - 1 : i;
	while (i > 0 && at_us < r->starts[i])
		i--;
	while (i < r->days_n - 1 && at_us >= r->starts[i + 1])
		i++;
	return i;
}

static bool is_type(uint16_t asked, uint16_t type)
{
	return asked == RETENTION_ANY || asked == type;
}

static bool has_last_day_event(const struct person *p)
{
	const struct sequence *q = p->q;
	return q->n > 0 && q->at_us[q->n - 1] >= p->r->starts[p->r->days_n - 1];
}

/* The first event of its type; only its time, or only its day, may be known. */
static bool find_first(struct person *p, int32_t *day)
{
	const struct retention *r = p->r;
	const struct sequence *q = p->q;
	size_t i = 0;
	if (r->first_type == RETENTION_ANY) {
		*day = q->first_day;
		if (*day < r->from_day || *day > last_day(r))
			return false;
		if (r->as_of_cuts && *day == last_day(r) && !has_last_day_event(p))
			return false;
		if (r->mode != RETENTION_ROLLING)
			return true;
		p->first_us = q->n > 0 ? q->at_us[0] : 0;
		return q->n > 0 && day_index(r, q->at_us[0]) == *day - r->from_day;
	}
	while (i < q->n && q->type[i] != r->first_type)
		i++;
	if (i == q->n)
		return false;
	p->first_us = q->at_us[i];
	*day = r->from_day + day_index(r, p->first_us);
	return true;
}

static void mark(struct person *p, int64_t k)
{
	if (k > 0 && k < p->r->periods_n)
		p->s->back[k] = true;
	if (k > p->last)
		p->last = k < p->r->periods_n ? (int)k : p->r->periods_n - 1;
}

static void mark_days(struct person *p)
{
	const struct retention *r = p->r;
	const struct sequence *q = p->q;
	for (size_t i = 0; i < q->days_n; i++) {
		int32_t day = q->days[i];
		if (day < r->from_day || day > last_day(r))
			continue;
		if (r->as_of_cuts && day == last_day(r) && !has_last_day_event(p))
			continue;
		mark(p, p->s->periods[day - r->from_day] - p->cohort);
	}
}

static void mark_events(struct person *p)
{
	const struct retention *r = p->r;
	const struct sequence *q = p->q;
	for (size_t i = 0; i < q->n; i++) {
		if (!is_type(r->return_type, q->type[i]))
			continue;
		if (r->mode == RETENTION_ROLLING)
			mark(p, (q->at_us[i] - p->first_us) / length_us(r));
		else
			mark(p, p->s->periods[day_index(r, q->at_us[i])] - p->cohort);
	}
}

void retention_add(const struct retention *r, const struct sequence *q, struct retention_sums *s)
{
	struct person p = {.r = r, .q = q, .s = s};
	int32_t day;
	if (!find_first(&p, &day))
		return;
	p.cohort = s->periods[day - r->from_day];
	int c = p.cohort - r->first_cohort;
	if (c < 0 || c >= r->cohorts_n)
		return;
	memset(s->back, 0, (size_t)r->periods_n * sizeof *s->back);
	s->back[0] = true; /* period 0 is everybody */
	if (r->return_type == RETENTION_ANY && r->mode != RETENTION_ROLLING)
		mark_days(&p);
	else
		mark_events(&p);
	s->sizes[c]++;
	int64_t *counts = s->counts + (ptrdiff_t)c * r->periods_n;
	for (int k = 0; k <= p.last; k++)
		counts[k] += s->back[k] || r->mode == RETENTION_ON_OR_AFTER;
}
