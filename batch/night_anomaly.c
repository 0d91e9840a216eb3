/* night_anomaly.c: steps that were not what they should have been. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "batch/night.h"
#include "forecast/team.h"

enum { HOURS = 24, EXPECTED_COLS = 13, ANOMALY_COLS = 20, DECIMALS = 4 };

struct job {
	const struct night_series *series;
	struct anomaly_options options;
	size_t window; /* steps */
	enum err rc;
	struct errbuf eb;
	struct anomaly_result out; /* its arrays in `arena`; steps and indices as of the series */
	struct arena arena;
};

static void judge(size_t i, void *arg)
{
	struct job *j = (struct job *)arg + i;
	struct arena scratch;
	struct anomaly_result r;
	arena_init(&scratch);
	j->rc = db_interrupted()
	            ? ERR_INTERRUPTED
	            : anomaly_run(&scratch, &j->series->input, &j->options, j->window, &r, &j->eb);
	if (j->rc == ERR_OK) {
		j->out = r;
		j->out.steps = arena_array(&j->arena, j->series->input.n, sizeof *r.steps);
		memcpy(j->out.steps, r.steps, j->series->input.n * sizeof *r.steps);
		j->out.incidents = arena_array(&j->arena, r.incidents_n, sizeof *r.incidents);
		if (r.incidents_n)
			memcpy(j->out.incidents, r.incidents, r.incidents_n * sizeof *r.incidents);
	}
	arena_fini(&scratch);
}

static size_t window_start(const struct job *j)
{
	return j->series->input.n > j->window ? j->series->input.n - j->window : 0;
}

static const char *location_of(const struct night_series *s)
{
	return s->location ? s->location : "-1";
}

/* What every step is judged by is what is shown of it. */
static bool is_judged(const struct anomaly_step *s)
{
	return isfinite(s->actual) && isfinite(s->expected) && isfinite(s->lo) && isfinite(s->hi) &&
	       isfinite(s->score) && isfinite(s->p);
}

static enum err put_expected(struct night *n, struct job *j, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	struct arena *a = &j->arena;
	const struct night_series *s = j->series;
	for (size_t i = window_start(j); rc == ERR_OK && i < s->input.n; i++) {
		const struct anomaly_step *step = &j->out.steps[i];
		struct night_slot slot = night_slot_of(n, s, i);
		if (!is_judged(step))
			continue;
		const char *row[EXPECTED_COLS] = {
			s->metric,
			night_step_name(s->step),
			location_of(s),
			s->currency,
			night_date(a, slot.day),
			arena_printf(a, "%d", slot.hour),
			night_number(a, step->actual * slot.part, DECIMALS),
			night_number(a, step->expected * slot.part, DECIMALS),
			night_number(a, step->lo * slot.part, DECIMALS),
			night_number(a, step->hi * slot.part, DECIMALS),
			night_number(a, step->score, DECIMALS),
			night_number(a, step->p, 9),
			step->flagged ? "t" : "f",
		};
		rc = db_copy_row(n->db, EXPECTED_COLS, row, eb);
	}
	return rc;
}

static const char *special_on(const struct night_series *s, int32_t day)
{
	for (size_t i = 0; i < s->input.special_n; i++)
		if (s->input.special[i].day == day)
			return s->input.special[i].name;
	return NULL;
}

static bool is_alert(const struct job *j, const struct anomaly_incident *incident)
{
	for (size_t i = incident->first; i <= incident->last; i++)
		if (j->out.steps[i].alert)
			return true;
	return false;
}

static enum err put_incident(struct night *n, struct job *j, const struct anomaly_incident *one,
                             struct errbuf *eb)
{
	struct arena *a = &j->arena;
	const struct night_series *s = j->series;
	const struct anomaly_step *worst = &j->out.steps[one->worst];
	struct night_slot from = night_slot_of(n, s, one->first), to = night_slot_of(n, s, one->last),
					  at = night_slot_of(n, s, one->worst);
	if (!is_judged(worst))
		return ERR_OK;
	const char *row[ANOMALY_COLS] = {
		s->metric,
		night_step_name(s->step),
		location_of(s),
		s->currency,
		night_date(a, from.day),
		arena_printf(a, "%d", from.hour),
		night_date(a, to.day),
		arena_printf(a, "%d", to.hour),
		night_date(a, at.day),
		arena_printf(a, "%d", at.hour),
		arena_printf(a, "%zu", one->last - one->first + 1),
		anomaly_kind_name(one->kind),
		night_number(a, worst->actual * at.part, DECIMALS),
		night_number(a, worst->expected * at.part, DECIMALS),
		night_number(a, worst->lo * at.part, DECIMALS),
		night_number(a, worst->hi * at.part, DECIMALS),
		night_number(a, worst->score, DECIMALS),
		night_number(a, worst->p, 9),
		is_alert(j, one) ? "t" : "f",
		special_on(s, at.day),
	};
	return db_copy_row(n->db, ANOMALY_COLS, row, eb);
}

static enum err put_incidents(struct night *n, struct job *j, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < j->out.incidents_n; i++)
		if (j->out.incidents[i].last >= window_start(j))
			rc = put_incident(n, j, &j->out.incidents[i], eb);
	return rc;
}

typedef enum err (*put_fn)(struct night *n, struct job *j, struct errbuf *eb);

static enum err put_all(struct night *n, const char *sql, struct job *jobs, size_t count,
                        put_fn put, struct errbuf *eb)
{
	enum err rc = db_copy_begin(n->db, sql, eb);
	if (rc != ERR_OK)
		return rc;
	for (size_t i = 0; rc == ERR_OK && i < count; i++)
		if (jobs[i].rc == ERR_OK)
			rc = put(n, &jobs[i], eb);
	enum err ended = db_copy_end(n->db, rc == ERR_OK, eb);
	return rc != ERR_OK ? rc : ended;
}

enum err night_anomaly_stage(struct night *n, const struct night_list *list, struct errbuf *eb)
{
	struct job *jobs = mem_alloc((list->n + 1) * sizeof *jobs);
	enum err rc = ERR_OK;
	for (size_t i = 0; i < list->n; i++) {
		bool hours = list->rows[i].step == NIGHT_HOUR;
		jobs[i] = (struct job){
			.series = &list->rows[i],
			.options.sensitivity = conf_decimal(n->run->conf, CONF_ANOMALY_SENSITIVITY),
			.window = hours ? NIGHT_HOUR_DAYS_JUDGED * HOURS : NIGHT_DAYS_JUDGED};
		arena_init(&jobs[i].arena);
	}
	team_run(list->n, 0, judge, jobs);
	if (db_interrupted())
		rc = err_set(eb, ERR_INTERRUPTED, "stopped on request amid looking for unusual days");
	if (rc == ERR_OK)
		rc = put_all(n, "COPY night_expected FROM STDIN", jobs, list->n, put_expected, eb);
	if (rc == ERR_OK)
		rc = put_all(n,
		             "COPY night_anomaly (metric, granularity, location_id, currency, first_date,"
		             " first_hour, last_date, last_hour, worst_date, worst_hour, steps, kind,"
		             " actual, expected, lo, hi, score, p, alert, special_name) FROM STDIN",
		             jobs, list->n, put_incidents, eb);
	for (size_t i = 0; i < list->n; i++)
		arena_fini(&jobs[i].arena);
	free(jobs);
	return rc;
}

enum err night_anomaly_write(struct night *n, struct errbuf *eb)
{
	static const char *const statements[] = {
		"night_expected_drop", "night_expected_put", "night_anomaly_cut",   "night_contribution",
		"night_anomaly_drop",  "night_anomaly_put",  "night_anomalies_done"};
	enum err rc = db_script(n->db, "night_anomalies_count", eb);
	if (rc != ERR_OK)
		return rc;
	return night_transact(
		n, statements, sizeof statements / sizeof *statements,
		DB_PARAMS({"run_id", n->run->run_id}, {"newest", n->newest}, {"profile", n->run->profile},
	              {"days", arena_printf(n->arena, "%d", NIGHT_DAYS_JUDGED)},
	              {"hour_days", arena_printf(n->arena, "%d", NIGHT_HOUR_DAYS_JUDGED)}),
		eb);
}
