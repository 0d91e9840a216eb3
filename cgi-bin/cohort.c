/* cohort.c: cohorts of people by their events, and every table of cohorts as JSON. */
#include "cgi-bin/cohort.h"

#include <string.h>

#include "base/num.h"
#include "base/time_text.h"
#include "base/words.h"
#include "cgi-bin/cohort_parts.h"
#include "cgi-bin/scan.h"
#include "web/json.h"

/* ---- texts --------------------------------------------------------------------------- */

const char *cohort_date(struct call *c, int32_t day)
{
	char out[TIME_TEXT_BYTES];
	must(time_format_date(day, out));
	return arena_strdup(c->req->arena, out);
}

const char *cohort_number(struct call *c, int64_t n, int decimals)
{
	int64_t unit = 1;
	for (int i = 0; i < decimals; i++)
		unit *= 10;
	uint64_t whole = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	if (decimals == 0)
		return arena_printf(c->req->arena, "%lld", (long long)n);
	return arena_printf(c->req->arena, "%s%llu.%0*llu", n < 0 ? "-" : "",
	                    (unsigned long long)(whole / (uint64_t)unit), decimals,
	                    (unsigned long long)(whole % (uint64_t)unit));
}

static const char *instant(struct call *c, int64_t us)
{
	char out[TIME_TEXT_BYTES];
	must(time_format(us, true, out));
	return arena_strdup(c->req->arena, out);
}

/* ---- the question ---------------------------------------------------------------------- */

static const char TYPES[] = "acquisition_day|acquisition_week|acquisition_month",
				  METRICS[] = "retention|revenue|orders|ltv", MODES[] = "on|on_or_after|rolling24h";

static enum err read_word(const char *name, const char *words, const char *text, int *out,
                          struct errbuf *eb)
{
	*out = text ? words_find(words, '|', text, WORDS_EXACT) : 0;
	if (*out < 0)
		return err_set_field(eb, ERR_INVALID, name, "%s must be one of %s", name, words);
	return ERR_OK;
}

static enum err read_day(const char *name, const char *text, bool *has, int32_t *day,
                         struct errbuf *eb)
{
	int64_t us = 0;
	*has = text != NULL;
	if (!text)
		return ERR_OK;
	if (!num_is_date(text) || time_parse(text, &us) != TIME_WALL || us < TIME_1970_US ||
	    us >= TIME_2200_US)
		return err_set_field(eb, ERR_INVALID, name,
		                     "%s must be a date such as 2025-01-01, from 1970 to 2199", name);
	*day = (int32_t)(us / US_PER_DAY);
	return ERR_OK;
}

/* What is about events says nothing of orders. */
static enum err check_together(const struct cohort_question *q, bool orders, struct errbuf *eb)
{
	const struct cohort_asked *a = q->asked;
	if (q->mode == RETENTION_ROLLING && q->unit == RETENTION_MONTH)
		return err_set_field(eb, ERR_INVALID, "mode",
		                     "months are not all of one length: rolling24h is for days and weeks");
	if (!orders)
		return a->currency ? err_set_field(eb, ERR_INVALID, "currency",
		                                   "retention is about people, not about money")
		                   : ERR_OK;
	const char *field = a->first_event            ? "first_event"
	                    : a->return_event         ? "return_event"
	                    : a->as_of                ? "as_of"
	                    : q->mode != RETENTION_ON ? "mode"
	                                              : NULL;
	return field ? err_set_field(eb, ERR_INVALID, field, "%s is for the metric retention", field)
	             : ERR_OK;
}

static enum err read_question(struct cohort_question *q, struct cohort_table *out,
                              struct errbuf *eb)
{
	const struct cohort_asked *a = q->asked;
	int unit = 0, metric = 0, mode = 0;
	int64_t periods = 12;
	enum err rc = read_word("cohort_type", TYPES,
	                        a->cohort_type ? a->cohort_type : "acquisition_month", &unit, eb);
	if (rc == ERR_OK)
		rc = read_word("metric", METRICS, a->metric, &metric, eb);
	if (rc == ERR_OK)
		rc = read_word("mode", MODES, a->mode, &mode, eb);
	if (rc == ERR_OK && a->periods && !num_parse_int(a->periods, 1, COHORT_PERIODS, &periods))
		rc = err_set_field(eb, ERR_INVALID, "periods",
		                   "periods must be a whole number from 1 to %d", COHORT_PERIODS);
	if (rc == ERR_OK)
		rc = read_day("start_date", a->start_date, &q->has_start, &q->start, eb);
	if (rc == ERR_OK)
		rc = read_day("end_date", a->end_date, &q->has_end, &q->end, eb);
	if (rc != ERR_OK)
		return rc;
	q->unit = (enum retention_unit)unit;
	q->mode = (enum retention_mode)mode;
	q->periods_n = (int)periods;
	out->periods_n = q->periods_n;
	out->cohort_type = a->cohort_type ? a->cohort_type : "acquisition_month";
	out->metric = a->metric ? a->metric : "retention";
	return check_together(q, metric > 0, eb);
}

enum err cohort_range_set(struct cohort_question *q, int32_t today, struct cohort_table *out,
                          struct errbuf *eb)
{
	if (!q->has_end)
		q->end = today + 1;
	if (!q->has_start)
		q->start = retention_period_day(q->unit,
		                                retention_period(q->unit, q->end - 1) - (q->periods_n - 1));
	if (q->start >= q->end)
		return err_set_field(eb, ERR_INVALID, "end_date", "end_date must be after start_date");
	if (q->start > today)
		return err_set_field(eb, ERR_INVALID, "start_date", "start_date is a day to come");
	if (q->end - q->start > COHORT_DAYS)
		return err_set_field(eb, ERR_INVALID, "end_date", "a range has at most %d days",
		                     COHORT_DAYS);
	q->first_cohort = retention_period(q->unit, q->start);
	q->cohorts_n = retention_period(q->unit, q->end - 1) - q->first_cohort + 1;
	if (q->cohorts_n * q->periods_n > COHORT_CELLS)
		return err_set_field(eb, ERR_INVALID, "periods",
		                     "%d cohorts of %d periods are more than %d cells", q->cohorts_n,
		                     q->periods_n, COHORT_CELLS);
	out->start_date = cohort_date(q->c, q->start);
	out->end_date = cohort_date(q->c, q->end);
	return ERR_OK;
}

/* ---- retention --------------------------------------------------------------------------- */

struct asking {
	struct cohort_question *q;
	struct scan_open open;
	struct retention r;
	int32_t last_day, known_from; /* known_from INT32_MIN: from the beginning */
	unsigned char types[RETENTION_TYPE_BYTES];
	struct retention_sums sums[SCAN_CONNECTIONS];
};

static const char *type_problem(const struct rowset *rs, const char *column, const char *text)
{
	if (!text || rowset_get(rs, 0, column))
		return NULL;
	return strcmp(rowset_get(rs, 0, "known"), "t") == 0
	           ? "there are too many types of events to tell this one apart"
	           : "nobody has done this yet";
}

static enum err read_scope(struct asking *a, const struct rowset *rs, struct errbuf *eb)
{
	const struct cohort_asked *asked = a->q->asked;
	const char *why = type_problem(rs, "first_code", asked->first_event);
	if (why)
		return err_set_field(eb, ERR_INVALID, "first_event", "%.64s: %s", asked->first_event, why);
	why = type_problem(rs, "return_code", asked->return_event);
	if (why)
		return err_set_field(eb, ERR_INVALID, "return_event", "%.64s: %s", asked->return_event,
		                     why);
	if (asked->first_event)
		a->r.first_type = (uint16_t)rowset_int(rs, 0, "first_code");
	if (asked->return_event)
		a->r.return_type = (uint16_t)rowset_int(rs, 0, "return_code");
	a->last_day = (int32_t)rowset_int(rs, 0, "last_day");
	bool days_only = a->q->mode != RETENTION_ROLLING && !asked->first_event && !asked->return_event;
	const char *column = days_only ? "days_from" : "events_from";
	a->known_from = rowset_get(rs, 0, column) ? (int32_t)rowset_int(rs, 0, column) : INT32_MIN;
	a->r.from_day =
		rowset_get(rs, 0, "first_day") ? (int32_t)rowset_int(rs, 0, "first_day") : a->last_day;
	return ERR_OK;
}

static enum err ask_scope(struct asking *a, struct errbuf *eb)
{
	struct rowset rs = {0};
	struct cohort_question *q = a->q;
	const char *as_of = q->asked->as_of;
	int64_t us = a->open.site.as_of_us;
	if (as_of && (time_parse(as_of, &us) != TIME_INSTANT || us < TIME_1970_US))
		return err_set_field(eb, ERR_INVALID, "as_of",
		                     "as_of must be a time such as 2025-01-01T00:00:00Z");
	if (us > a->open.site.as_of_us)
		return err_set_field(eb, ERR_INVALID, "as_of", "as_of is a time to come");
	a->r.as_of_us = us;
	a->r.as_of_cuts = as_of != NULL;
	const struct db_param params[] = {{"as_of", instant(q->c, us)},
	                                  {"first_event", q->asked->first_event},
	                                  {"return_event", q->asked->return_event},
	                                  {NULL, NULL}};
	enum err rc = scan_ask(q->c, &a->open, &(struct db_ask){"cohort_scope", params, &rs}, 1, eb);
	if (rc == ERR_OK)
		rc = read_scope(a, &rs, eb);
	rowset_fini(&rs);
	return rc;
}

/* When the days read begin. */
static enum err ask_days(struct asking *a, struct errbuf *eb)
{
	struct rowset rs = {0};
	struct retention *r = &a->r;
	struct call *c = a->q->c;
	int32_t first = retention_period_day(r->unit, r->first_cohort);
	/* The first event of a type is looked for among all that are kept. */
	if (first < r->from_day || r->first_type == RETENTION_ANY)
		r->from_day = first;
	r->days_n = a->last_day - r->from_day + 1;
	int64_t *starts = arena_array(c->req->arena, (size_t)r->days_n + 1, sizeof *starts);
	const struct db_param params[] = {{"from", arena_printf(c->req->arena, "%d", r->from_day)},
	                                  {"to", arena_printf(c->req->arena, "%d", a->last_day + 1)},
	                                  {NULL, NULL}};
	enum err rc = scan_ask(c, &a->open, &(struct db_ask){"cohort_days", params, &rs}, 1, eb);
	must(rc != ERR_OK || rowset_rows(&rs) == r->days_n + 1);
	for (int i = 0; rc == ERR_OK && i <= r->days_n; i++)
		starts[i] = rowset_int(&rs, i, "day_us");
	r->starts = starts;
	rowset_fini(&rs);
	return rc;
}

static void count_person(void *arg, int worker, const struct sequence *q)
{
	struct asking *a = arg;
	retention_add(&a->r, q, &a->sums[worker]);
}

static enum err count(struct asking *a, struct errbuf *eb)
{
	struct scan scan = {
		.from_day = a->r.from_day, .to_day = a->last_day + 1, .person = count_person, .arg = a};
	retention_wanted(&a->r, a->types, &scan.wanted);
	for (int i = 0; i < SCAN_CONNECTIONS; i++)
		retention_sums_init(&a->sums[i], &a->r);
	enum err rc = scan_call(a->q->c, &a->open, &scan, eb);
	for (int i = 1; i < SCAN_CONNECTIONS; i++)
		retention_merge(&a->r, &a->sums[0], &a->sums[i]);
	return rc;
}

static enum err scan_people(struct asking *a, struct cohort_table *out, struct errbuf *eb)
{
	struct cohort_question *q = a->q;
	enum err rc = scan_begin(q->c, &a->open, eb);
	if (rc == ERR_OK)
		rc = ask_scope(a, eb);
	if (rc == ERR_OK)
		rc = cohort_range_set(q, a->last_day, out, eb);
	if (rc != ERR_OK)
		return rc;
	a->r.unit = q->unit;
	a->r.mode = q->mode;
	a->r.first_cohort = q->first_cohort;
	a->r.cohorts_n = q->cohorts_n;
	a->r.periods_n = q->periods_n;
	rc = ask_days(a, eb);
	return rc == ERR_OK ? count(a, eb) : rc;
}

/* ---- from counts to a table ---------------------------------------------------------------- */

static void set_line(const struct asking *a, int i, struct cohort_line *line)
{
	struct call *c = a->q->c;
	const struct retention *r = &a->r;
	const int64_t *counts = a->sums[0].counts + (ptrdiff_t)i * r->periods_n;
	int n = retention_cells(r, i);
	int64_t *own = arena_array(c->req->arena, (size_t)n + 1, sizeof *own);
	const char **values = arena_array(c->req->arena, (size_t)n + 1, sizeof *values);
	bool *complete = arena_array(c->req->arena, (size_t)n + 1, sizeof *complete);
	*line = (struct cohort_line){.size = a->sums[0].sizes[i],
	                             .cells_n = n,
	                             .counts = own,
	                             .values = values,
	                             .complete = complete};
	line->cohort = cohort_date(c, retention_period_day(r->unit, r->first_cohort + i));
	for (int k = 0; k < n; k++) {
		own[k] = counts[k];
		complete[k] = retention_complete(r, i, k);
		values[k] = line->size ? cohort_number(c, num_permille(counts[k], line->size), 1) : NULL;
	}
}

static void set_average(const struct asking *a, struct cohort_table *out)
{
	struct call *c = a->q->c;
	const char **average = arena_array(c->req->arena, (size_t)out->periods_n, sizeof *average);
	for (int k = 0; k < out->periods_n; k++) {
		int64_t part = 0, whole = 0;
		for (int i = 0; i < out->lines_n; i++)
			if (k < out->lines[i].cells_n && out->lines[i].complete[k]) {
				part += out->lines[i].counts[k];
				whole += out->lines[i].size;
			}
		average[k] = whole ? cohort_number(c, num_permille(part, whole), 1) : NULL;
	}
	out->average = average;
}

static void set_table(const struct asking *a, struct cohort_table *out)
{
	struct call *c = a->q->c;
	const struct scan_site *site = &a->open.site;
	struct cohort_line *lines = arena_array(c->req->arena, (size_t)a->r.cohorts_n, sizeof *lines);
	out->as_of = instant(c, a->r.as_of_us);
	out->tz = arena_strdup(c->req->arena, site->zone);
	out->cutoff = arena_printf(c->req->arena, "%d", site->cutoff);
	out->mode = a->q->asked->mode ? a->q->asked->mode : "on";
	out->first_event = a->q->asked->first_event;
	out->return_event = a->q->asked->return_event;
	out->unit = "percent";
	out->known_from = a->known_from == INT32_MIN ? NULL : cohort_date(c, a->known_from);
	out->through = cohort_date(c, a->last_day);
	out->lines = lines;
	out->lines_n = a->r.cohorts_n;
	for (int i = 0; i < out->lines_n; i++)
		set_line(a, i, &lines[i]);
	set_average(a, out);
}

static enum err retention_ask(struct cohort_question *q, struct cohort_table *out,
                              struct errbuf *eb)
{
	struct asking a = {.q = q};
	enum err rc = scan_people(&a, out, eb);
	scan_end(q->c, &a.open);
	if (rc == ERR_OK)
		set_table(&a, out);
	for (int i = 0; i < SCAN_CONNECTIONS; i++)
		retention_sums_fini(&a.sums[i]);
	return rc;
}

enum err cohort_ask(struct call *c, const struct cohort_asked *asked, struct cohort_table *out,
                    struct errbuf *eb)
{
	struct cohort_question q = {.c = c, .asked = asked};
	*out = (struct cohort_table){0};
	enum err rc = read_question(&q, out, eb);
	if (rc != ERR_OK)
		return rc;
	return strcmp(out->metric, "retention") == 0 ? retention_ask(&q, out, eb)
	                                             : cohort_orders_ask(&q, out, eb);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_numbers(struct json *j, const char *key, const char *const *values, int n)
{
	json_key(j, key);
	json_begin_array(j);
	for (int i = 0; i < n; i++)
		json_put_number(j, values[i]);
	json_end_array(j);
}

static void put_line(struct json *j, const struct cohort_line *line)
{
	json_begin_object(j);
	json_pair_text(j, "cohort", line->cohort);
	json_pair_int(j, "size", line->size);
	put_numbers(j, "values", line->values, line->cells_n);
	json_key(j, "counts");
	json_begin_array(j);
	for (int k = 0; k < line->cells_n; k++)
		json_put_int(j, line->counts[k]);
	json_end_array(j);
	json_key(j, "complete");
	json_begin_array(j);
	for (int k = 0; k < line->cells_n; k++)
		json_put_bool(j, line->complete[k]);
	json_end_array(j);
	json_end_object(j);
}

static void put_table(const struct cohort_table *t, struct json *j)
{
	json_begin_object(j);
	json_pair_text(j, "as_of", t->as_of);
	json_pair_text(j, "tz", t->tz);
	json_pair_number(j, "cutoff", t->cutoff);
	json_pair_text(j, "metric", t->metric);
	json_pair_text(j, "unit", t->unit);
	json_pair_text(j, "currency", t->currency);
	json_pair_text(j, "cohort_type", t->cohort_type);
	json_pair_text(j, "mode", t->mode);
	json_pair_text(j, "first_event", t->first_event);
	json_pair_text(j, "return_event", t->return_event);
	json_pair_text(j, "start_date", t->start_date);
	json_pair_text(j, "end_date", t->end_date);
	json_pair_text(j, "known_from", t->known_from);
	json_pair_text(j, "through", t->through);
	json_pair_int(j, "periods", t->periods_n);
	json_key(j, "cohorts");
	json_begin_array(j);
	for (int i = 0; i < t->lines_n; i++)
		put_line(j, &t->lines[i]);
	json_end_array(j);
	put_numbers(j, "average", t->average, t->periods_n);
	json_end_object(j);
	json_end(j);
}

enum err cohort_make(struct call *c, struct buf *out, struct errbuf *eb)
{
	const struct cohort_asked asked = {.start_date = call_param(c, "start_date"),
	                                   .end_date = call_param(c, "end_date"),
	                                   .cohort_type = call_param(c, "cohort_type"),
	                                   .metric = call_param(c, "metric"),
	                                   .mode = call_param(c, "mode"),
	                                   .periods = call_param(c, "periods"),
	                                   .first_event = call_param(c, "first_event"),
	                                   .return_event = call_param(c, "return_event"),
	                                   .as_of = call_param(c, "as_of"),
	                                   .currency = call_param(c, "currency")};
	struct cohort_table table;
	struct json j;
	enum err rc = cohort_ask(c, &asked, &table, eb);
	if (rc != ERR_OK)
		return rc;
	json_init(&j, out);
	put_table(&table, &j);
	buf_putc(out, '\n');
	return ERR_OK;
}
