/* conversion.c: how likely a purchase is, each night once, from everybody's sequences. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "batch/run.h"
#include "behaviour/conversion.h"
#include "domain/sequence_scan.h"
#include "web/json.h"

enum { TYPES_BYTES = 65536 / 8, LEAST_DAYS = CONVERSION_LOOK_DAYS + CONVERSION_WITHIN_DAYS };

struct learning {
	struct run *run;
	struct db *db;
	int32_t first, last; /* business days whose events are known */
	const int64_t *starts_us;
	unsigned char *types; /* bitmap by code: the steps */
	unsigned char *kinds; /* by code: enum conversion_kind */
	struct conversion_range earlier, later;
	struct conversion_counts counts_earlier, counts_later;
	int64_t people;
	struct conversion_event *events; /* of the person at hand */
	size_t events_room;
};

/* ---- a person ------------------------------------------------------------------------------ */

static void push(struct learning *l, size_t *n, int32_t day, enum conversion_kind kind)
{
	if (*n == l->events_room) {
		l->events_room = 2 * l->events_room + 64;
		l->events = mem_realloc(l->events, l->events_room * sizeof *l->events);
	}
	l->events[(*n)++] = (struct conversion_event){day, kind};
}

/* Days with an event, and the steps on them. */
static size_t events_of(struct learning *l, const struct sequence *q)
{
	size_t n = 0, at = 0;
	for (size_t d = 0; d < q->days_n; d++) {
		int32_t day = q->days[d];
		push(l, &n, day, CONVERSION_OTHER);
		if (day < l->first || day > l->last)
			continue;
		for (; at < q->n && q->at_us[at] < l->starts_us[day - l->first + 1]; at++)
			push(l, &n, day, (enum conversion_kind)l->kinds[q->type[at]]);
	}
	return n;
}

static void take_person(void *arg, int worker, const struct sequence *q)
{
	struct learning *l = arg;
	(void)worker; /* there is one */
	size_t n = events_of(l, q);
	bool earlier = conversion_take(l->events, n, l->earlier, &l->counts_earlier);
	bool later = conversion_take(l->events, n, l->later, &l->counts_later);
	l->people += earlier || later;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* ERR_NOTHING: not now. */
static enum err look(struct learning *l, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(l->db, "conversion_state", DB_NO_PARAMS, &rs, eb);
	if (rc == ERR_OK && (rowset_rows(&rs) == 0 || *rowset_get(&rs, 0, "is_made") == 't'))
		rc = ERR_NOTHING;
	if (rc == ERR_OK) {
		l->first = (int32_t)rowset_int(&rs, 0, "first_day");
		l->last = (int32_t)rowset_int(&rs, 0, "last_day");
	}
	rowset_fini(&rs);
	return rc;
}

static enum err read_days(struct learning *l, struct errbuf *eb)
{
	struct arena *a = &l->run->arena;
	struct rowset rs;
	enum err rc = db_query(l->db, "conversion_days",
	                       DB_PARAMS({"first_day", arena_printf(a, "%d", (int)l->first)},
	                                 {"last_day", arena_printf(a, "%d", (int)l->last)}),
	                       &rs, eb);
	int64_t *starts_us = arena_array(a, (size_t)(l->last - l->first) + 2, sizeof *starts_us);
	for (int i = 0; rc == ERR_OK && i < rowset_rows(&rs); i++)
		starts_us[i] = rowset_int(&rs, i, "starts_us");
	l->starts_us = starts_us;
	rowset_fini(&rs);
	return rc;
}

static enum err read_types(struct learning *l, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(l->db, "conversion_types", DB_NO_PARAMS, &rs, eb);
	l->types = arena_alloc(&l->run->arena, TYPES_BYTES);
	l->kinds = arena_alloc(&l->run->arena, (size_t)TYPES_BYTES * 8);
	memset(l->types, 0, TYPES_BYTES);
	memset(l->kinds, 0, (size_t)TYPES_BYTES * 8);
	for (int i = 0; rc == ERR_OK && i < rowset_rows(&rs); i++) {
		int64_t code = rowset_int(&rs, i, "code");
		l->types[code / 8] |= (unsigned char)(1U << (code % 8));
		l->kinds[code] = (unsigned char)conversion_kind_of(rowset_get(&rs, i, "event_type"));
	}
	rowset_fini(&rs);
	return rc;
}

static enum err count(struct learning *l, struct errbuf *eb)
{
	enum err rc = read_days(l, eb);
	if (rc == ERR_OK)
		rc = read_types(l, eb);
	if (rc != ERR_OK)
		return rc;
	const struct scan scan = {
		.from_day = l->first,
		.to_day = l->last + 1,
		.wanted = {.events = true, .types = l->types, .from_us = INT64_MIN, .to_us = INT64_MAX},
		.person = take_person,
		.arg = l};
	return scan_run(&scan, &l->db, 1, NULL, eb);
}

/* ---- writing ------------------------------------------------------------------------------- */

static void put_real(struct learning *l, struct json *j, const char *key, double v)
{
	json_pair_number(j, key, arena_printf(&l->run->arena, "%.9f", v));
}

static void put_deciles(struct learning *l, struct json *j, const struct conversion_quality *q)
{
	json_key(j, "deciles");
	json_begin_array(j);
	for (int i = 0; i < q->deciles_n; i++) {
		const struct conversion_decile *d = &q->deciles[i];
		json_begin_object(j);
		json_pair_int(j, "decile", d->decile);
		json_pair_int(j, "n", d->n);
		json_pair_int(j, "converted", d->converted);
		json_pair_number(j, "said", arena_printf(&l->run->arena, "%.4f", d->said));
		json_pair_number(j, "came",
		                 arena_printf(&l->run->arena, "%.4f", (double)d->converted / (double)d->n));
		json_end_object(j);
	}
	json_end_array(j);
}

static void put_quality(struct learning *l, struct json *j)
{
	struct conversion_model model;
	struct conversion_quality q;
	conversion_model_make(&l->counts_earlier, &model);
	bool judged = conversion_judge(&model, &l->counts_later, &q);
	if (judged) {
		json_pair_int(j, "judged_from", l->later.from);
		json_pair_int(j, "judged_n", q.n);
		json_pair_int(j, "judged_converted", q.converted);
		put_real(l, j, "brier", q.brier);
		put_real(l, j, "brier_base", q.brier_base);
		put_real(l, j, "base_rate", q.base_rate);
	}
	put_deciles(l, j, &q);
}

/* What is below 0 is not told apart. */
static void put_cell(struct learning *l, struct json *j, int step, int recency, int buyer,
                     const struct conversion_rate *r)
{
	json_begin_object(j);
	if (step >= 0)
		json_pair_int(j, "step", step);
	if (recency >= 0)
		json_pair_int(j, "recency", recency);
	if (buyer >= 0)
		json_pair_bool(j, "buyer", buyer);
	json_pair_int(j, "n", r->count.n);
	json_pair_int(j, "converted", r->count.converted);
	put_real(l, j, "p", r->p);
	json_end_object(j);
}

static void put_cells(struct learning *l, struct json *j, const struct conversion_model *m)
{
	json_key(j, "cells");
	json_begin_array(j);
	put_cell(l, j, -1, -1, -1, &m->all);
	for (int s = 0; s < CONVERSION_STEPS; s++) {
		put_cell(l, j, s, -1, -1, &m->by_step[s]);
		for (int r = 0; r < CONVERSION_RECENCIES; r++) {
			put_cell(l, j, s, r, -1, &m->by_recency[s][r]);
			for (int b = 0; b < 2; b++)
				put_cell(l, j, s, r, b, &m->cells[s][r][b]);
		}
	}
	json_end_array(j);
}

/* NULL: there is enough. */
static const char *too_little(struct learning *l, int days)
{
	struct arena *a = &l->run->arena;
	if (days == 0)
		return arena_printf(a, "there are events of %d business days, and it takes %d",
		                    (int)(l->last - l->first + 1), LEAST_DAYS);
	if (l->people < CONVERSION_LEAST_PEOPLE)
		return arena_printf(a, "there were %" PRId64 " people, and it takes %d", l->people,
		                    CONVERSION_LEAST_PEOPLE);
	return NULL;
}

static void put_model(struct learning *l, int days, const char *reason, struct buf *out)
{
	struct conversion_counts all = l->counts_earlier;
	struct conversion_model model;
	struct json j;
	conversion_add(&all, &l->counts_later);
	conversion_model_make(&all, &model);
	json_init(&j, out);
	json_begin_object(&j);
	json_pair_int(&j, "last_day", l->last);
	json_pair_text(&j, "reason", reason);
	if (days) {
		json_pair_int(&j, "from_day", l->earlier.from);
		json_pair_int(&j, "to_day", l->later.to);
	}
	json_pair_int(&j, "days", days);
	json_pair_int(&j, "people", l->people);
	json_pair_int(&j, "n", model.all.count.n);
	json_pair_int(&j, "converted", model.all.count.converted);
	if (reason) {
		json_key(&j, "deciles");
		json_begin_array(&j);
		json_end_array(&j);
	} else {
		put_quality(l, &j);
		put_cells(l, &j, &model);
	}
	json_end_object(&j);
	json_end(&j);
}

static enum err keep(struct learning *l, int days, struct errbuf *eb)
{
	static const char *const statements[] = {"conversion_drop", "conversion_write",
	                                         "conversion_write_cells"};
	const char *reason = too_little(l, days);
	struct buf model;
	enum err rc = ERR_OK;
	buf_init(&model);
	put_model(l, days, reason, &model);
	const struct db_param *params = DB_PARAMS(
		{"last_day", arena_printf(&l->run->arena, "%d", (int)l->last)}, {"model", buf_str(&model)});
	for (size_t i = 0; rc == ERR_OK && i < sizeof statements / sizeof *statements; i++)
		rc = db_query(l->db, statements[i], params, NULL, eb);
	buf_fini(&model);
	return rc;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static enum err learn(struct learning *l, struct errbuf *eb)
{
	int days;
	enum err rc = look(l, eb);
	if (rc != ERR_OK)
		return rc;
	struct conversion_range range = conversion_days(l->first, l->last, &days);
	l->earlier = conversion_earlier(range);
	l->later = conversion_later(range);
	if (days)
		rc = count(l, eb);
	if (rc == ERR_OK)
		rc = keep(l, days, eb);
	if (rc == ERR_OK)
		LOG(LOG_INFO, "conversion_made", LOG_INT("days", days), LOG_INT("people", l->people),
		    LOG_END);
	return rc;
}

void run_conversion(struct run *r)
{
	struct errbuf eb = {0};
	struct learning l = {.run = r, .db = r->db};
	if (!conf_bool(r->conf, CONF_ENABLE_USER_JOURNEY))
		return;
	enum err rc = db_command(r->db, "BEGIN ISOLATION LEVEL REPEATABLE READ", &eb);
	if (rc == ERR_OK)
		rc = learn(&l, &eb);
	if (rc == ERR_OK)
		rc = db_command(r->db, "COMMIT", &eb);
	if (rc != ERR_OK)
		db_rollback(r->db);
	if (rc != ERR_OK && rc != ERR_NOTHING && rc != ERR_INTERRUPTED)
		run_warn(r, "conversion_failed", "the probability of a purchase: %s", eb.text);
	free(l.events);
}
