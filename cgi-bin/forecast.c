/* forecast.c: what the night foresaw and found, and trends. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "cgi-bin/answer.h"
#include "cgi-bin/ml.h"
#include "forecast/trend.h"
#include "web/json.h"

void ml_series_read(struct arena *a, const struct rowset *rs, struct forecast_input *out)
{
	size_t n = (size_t)rowset_rows(rs);
	double *y = arena_array(a, n, sizeof *y);
	for (size_t i = 0; i < n; i++) {
		const char *value = rowset_get(rs, (int)i, "value");
		y[i] = value ? strtod(value, NULL) : (double)NAN;
	}
	out->y = y;
	out->n = n;
	out->start_s = n ? rowset_int(rs, 0, "day_n") * 86400 : 0;
}

/* ---- what the night made ---------------------------------------------------- */

/* An answer about what is to come is another one when the hour is, so a kept one counts for its
 * quarter of an hour: zones differ by no less. */
static void set_quarter(struct call *c)
{
	enum { QUARTER_US = 15 * 60 * 1000000 };
	call_param_set(c, "quarter",
	               arena_printf(c->req->arena, "%lld", (long long)(clock_now_us() / QUARTER_US)));
}

void forecast_daily_handle(struct call *c)
{
	struct errbuf eb = {0};
	int64_t days, most = conf_int(c->conf, CONF_FORECAST_HORIZON_DAYS);
	set_quarter(c);
	if (num_parse_int(call_param(c, "days"), 1, most, &days))
		return;
	(void)err_set_field(&eb, ERR_INVALID, "days", "days must be a whole number from 1 to %lld",
	                    (long long)most);
	call_refuse(c, 0, NULL, &eb);
	c->handled = true;
}

void forecast_hourly_handle(struct call *c)
{
	set_quarter(c);
}

void ml_anomalies_handle(struct call *c)
{
	set_quarter(c);
	call_param_set(c, "sensitivity", conf_str(c->conf, CONF_ANOMALY_SENSITIVITY));
}

/* ---- trends ------------------------------------------------------------------ */

static const char *const directions[] = {
	[TREND_NONE] = "none", [TREND_UP] = "up", [TREND_DOWN] = "down"};

static const char *real(struct arena *a, double v)
{
	return isfinite(v) ? arena_printf(a, "%.9f", v) : NULL;
}

static const char *changes_text(struct arena *a, const struct trend *t)
{
	struct buf out;
	struct json j;
	buf_init(&out);
	json_init(&j, &out);
	json_begin_array(&j);
	for (size_t i = 0; i < t->changes_n; i++) {
		json_begin_object(&j);
		json_pair_int(&j, "at", (int64_t)t->changes[i].at);
		json_pair_number(&j, "before", real(a, t->changes[i].before));
		json_pair_number(&j, "after", real(a, t->changes[i].after));
		json_end_object(&j);
	}
	json_end_array(&j);
	json_end(&j);
	const char *text = arena_strdup(a, buf_str(&out));
	buf_fini(&out);
	return text;
}

static double mean_of(const struct forecast_input *input)
{
	double sum = 0, n = 0;
	for (size_t i = 0; i < input->n; i++)
		if (!isnan(input->y[i])) {
			sum += input->y[i];
			n++;
		}
	return n > 0 ? sum / n : (double)NAN;
}

static enum err find_trend(struct call *c, const struct rowset *rs, struct arena *engine,
                           struct errbuf *eb)
{
	struct arena *a = c->req->arena;
	struct trend t;
	bool weekly = strcmp(call_param(c, "granularity"), "weekly") == 0;
	struct forecast_input input = {.step_s = weekly ? 7 * 86400 : 86400};
	int last = rowset_rows(rs) - 1;
	ml_series_read(engine, rs, &input);
	input.period[0] = weekly ? 0 : 7;
	double mean = mean_of(&input);
	if (input.n == 0 || isnan(mean))
		return answer_tell_missing(c, "report_missing", "", "no figures for these days", eb);
	if (input.n > ML_TREND_STEPS)
		return err_set_field(eb, ERR_INVALID, "granularity",
		                     "a trend of days goes over %d of them at most: ask for weekly",
		                     ML_TREND_STEPS);
	enum err rc = ml_engine_take(c, eb);
	if (rc != ERR_OK)
		return rc;
	rc = trend_run(engine, &input, &t, eb);
	ml_engine_give();
	if (rc != ERR_OK)
		return rc;
	call_param_set(c, "first_step", arena_strdup(a, rowset_get(rs, 0, "day")));
	call_param_set(c, "last_step", arena_strdup(a, rowset_get(rs, last, "day")));
	call_param_set(c, "steps", arena_printf(a, "%zu", t.n));
	call_param_set(c, "direction", directions[t.direction]);
	call_param_set(c, "slope", real(a, t.slope));
	call_param_set(c, "slope_lo", real(a, t.slope_lo));
	call_param_set(c, "slope_hi", real(a, t.slope_hi));
	call_param_set(c, "mean", real(a, mean));
	call_param_set(c, "p", real(a, t.p));
	call_param_set(c, "changes", changes_text(a, &t));
	return ERR_OK;
}

void ml_trends_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct rowset rs = {0};
	struct arena engine;
	enum err rc = ERR_OK;
	arena_init(&engine);
	if (call_param(c, "from") && request_query_find(c->req, "days"))
		rc = err_set_field(&eb, ERR_INVALID, "days", "days stands alone, without from and to");
	if (rc == ERR_OK)
		rc = call_ask(c, &(struct db_ask){"trend_series", c->params.list, &rs}, 1, &eb);
	if (rc == ERR_OK)
		rc = find_trend(c, &rs, &engine, &eb);
	/* The engine speaks of its history; who asks chose it by the days. */
	if (rc == ERR_INVALID && strcmp(eb.field, "history") == 0) {
		struct errbuf why = eb;
		err_clear(&eb);
		rc = err_set_field(&eb, ERR_INVALID, call_param(c, "from") ? "from" : "days", "%s",
		                   why.text);
	}
	rowset_fini(&rs);
	arena_fini(&engine);
	if (rc == ERR_OK)
		return;
	call_refuse(c, 0, NULL, &eb);
	c->handled = true;
}
