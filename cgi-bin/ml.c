/* ml.c: forecasts that are made when somebody asks.
 *
 * What is told is what is stored: the forecast is written first and then read by its id, so that
 * asking again tells the same, and what came of it can be filled in. */
#include "cgi-bin/ml.h"

#include <math.h>
#include <string.h>

#include "base/num.h"
#include "base/turns.h"
#include "cgi-bin/answer.h"
#include "domain/holidays.h"
#include "forecast/forecast.h"
#include "web/json.h"

enum { DAY_S = 86400, HOUR_S = 3600, WEEK_DAYS = 7, YEAR_WEEKS = 52 };

/* ---- turns ------------------------------------------------------------------- */

static struct turns engine_turns = TURNS_INIT;

enum err ml_engine_take(const struct call *c, struct errbuf *eb)
{
	enum { AT_ONCE = 2, WAITING_PART = 4 };
	int threads = (int)conf_int(c->web->conf, CONF_HTTP_THREADS);
	return turns_take(&engine_turns, AT_ONCE, threads / WAITING_PART, "forecasts and trends", eb);
}

void ml_engine_give(void)
{
	turns_give(&engine_turns);
}

/* ---- what is asked ----------------------------------------------------------- */

struct kind {
	const char *granularity, *stored;
	int32_t step_s;
	int period[2];
};

static const struct kind kinds[] = {
	{"daily", "day", DAY_S, {7, 0}},
	{"hourly", "hour", HOUR_S, {24, 168}},
	{"weekly", "week", WEEK_DAYS *DAY_S, {0, 0}},
};

static const struct kind *kind_of(const struct call *c)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].granularity, call_param(c, "granularity")) == 0)
			return &kinds[i];
	return &kinds[0];
}

static int64_t most_days(const struct call *c, const struct kind *kind)
{
	int64_t days = conf_int(c->conf, CONF_FORECAST_HORIZON_DAYS);
	return kind->step_s == HOUR_S && days > ML_HOURLY_DAYS ? ML_HOURLY_DAYS : days;
}

/* Sets the horizon in steps. */
static enum err check_horizon(struct call *c, const struct kind *kind, struct errbuf *eb)
{
	const char *text = call_param(c, "horizon_days");
	int64_t days, least = kind->step_s > DAY_S ? WEEK_DAYS : 1, most = most_days(c, kind);
	if (!text)
		days = most;
	else if (!num_parse_int(text, least, most, &days))
		return err_set_field(eb, ERR_INVALID, "horizon_days",
		                     "horizon_days must be a whole number from %lld to %lld, %s",
		                     (long long)least, (long long)most, kind->granularity);
	call_param_set(c, "horizon",
	               arena_printf(c->req->arena, "%lld", (long long)(days * DAY_S / kind->step_s)));
	return ERR_OK;
}

static enum err check_question(struct call *c, const struct kind *kind, struct errbuf *eb)
{
	const char *metric = call_param(c, "metric"), *item = call_param(c, "item_id");
	bool items = strcmp(metric, "items_sold") == 0;
	if (kind->step_s == HOUR_S && item)
		return err_set_field(eb, ERR_INVALID, "item_id",
		                     "items have figures of days, not of hours");
	if (kind->step_s == HOUR_S && items)
		return err_set_field(eb, ERR_INVALID, "metric",
		                     "hours have revenue, orders and placed_orders");
	if (item && strcmp(metric, "placed_orders") == 0)
		return err_set_field(eb, ERR_INVALID, "metric",
		                     "an item has revenue, orders and items_sold");
	call_param_set(c, "stored_metric", item && items ? "quantity" : metric);
	call_param_set(c, "stored_granularity", kind->stored);
	return check_horizon(c, kind, eb);
}

static enum err nothing_known(struct call *c, struct errbuf *eb)
{
	if (call_param(c, "item_id"))
		return answer_tell_missing(c, "report_missing", "item_id", "this item was never sold", eb);
	return answer_tell_missing(c, "report_missing", "", "there are no figures to learn from", eb);
}

/* ---- from figures to a forecast ------------------------------------------------ */

struct figures {
	struct rowset question, series, special;
};

static void figures_fini(struct figures *f)
{
	rowset_fini(&f->question);
	rowset_fini(&f->series);
	rowset_fini(&f->special);
}

/* All in one snapshot, so that the version is that of the figures. */
static enum err ask_figures(struct call *c, const struct kind *kind, struct figures *f,
                            struct errbuf *eb)
{
	const char *series = kind->step_s == HOUR_S ? "forecast_series_hours" : "forecast_series";
	const struct db_ask asks[] = {{"forecast_question", c->params.list, &f->question},
	                              {series, c->params.list, &f->series},
	                              {"forecast_special", c->params.list, &f->special}};
	enum err rc = call_ask(c, asks, sizeof asks / sizeof *asks, eb);
	if (rc == ERR_OK && rowset_rows(&f->question) == 0)
		rc = nothing_known(c, eb);
	return rc;
}

struct specials {
	struct forecast_special *list;
	size_t n, cap;
};

/* Neighbours share holidays: the first name of a day counts. */
static void add_holiday(void *arg, int32_t day, const char *name)
{
	struct specials *s = arg;
	for (size_t i = 0; i < s->n; i++)
		if (s->list[i].day == day)
			return;
	if (s->n < s->cap)
		s->list[s->n++] = (struct forecast_special){day, name};
}

/* Public holidays of the years of the series and of what is to come, and the named days. */
static void read_special(const struct call *c, const struct rowset *rs, struct arena *a,
                         struct forecast_input *out)
{
	enum { HOLIDAYS_A_YEAR = 200 };
	size_t own_n = (size_t)rowset_rows(rs);
	int32_t first_day = (int32_t)(out->start_s / DAY_S);
	int32_t days = (int32_t)((int64_t)(out->n + out->horizon) * out->step_s / DAY_S);
	int first = holidays_date_of(first_day).year, last = holidays_date_of(first_day + days).year;
	struct specials s = {.cap = own_n + (size_t)(last - first + 2) * HOLIDAYS_A_YEAR};
	s.list = arena_array(a, s.cap, sizeof *s.list);
	/* A substitute may lie in the year before its own. */
	for (int year = first; year <= last + 1; year++)
		holidays_of_all(conf_str(c->conf, CONF_HOLIDAYS), year, add_holiday, &s);
	for (size_t i = 0; i < own_n && s.n < s.cap; i++)
		s.list[s.n++] = (struct forecast_special){(int32_t)rowset_int(rs, (int)i, "day_n"),
		                                          rowset_get(rs, (int)i, "name")};
	out->special = s.list;
	out->special_n = s.n;
}

static void read_input(const struct call *c, const struct kind *kind, const struct figures *f,
                       struct arena *a, struct forecast_input *out)
{
	int64_t horizon = 0;
	*out = (struct forecast_input){.step_s = kind->step_s,
	                               .period = {kind->period[0], kind->period[1]}};
	must(num_parse_int(call_param(c, "horizon"), 1, FORECAST_HORIZON_MAX, &horizon));
	out->horizon = (size_t)horizon;
	ml_series_read(a, &f->series, out);
	if (kind->step_s == HOUR_S)
		out->start_s += rowset_int(&f->question, 0, "cutoff_hours") * HOUR_S;
	if (kind->step_s > DAY_S && out->n >= 3 * YEAR_WEEKS)
		out->period[0] = YEAR_WEEKS;
	if (kind->step_s <= DAY_S)
		read_special(c, &f->special, a, out);
}

/* The engine's words for what it does not like become those of the request. */
static enum err tell_refused(struct errbuf *eb)
{
	struct errbuf why = *eb;
	if (eb->code != ERR_INVALID)
		return eb->code;
	err_clear(eb);
	return err_set_field(eb, ERR_INVALID,
	                     strcmp(why.field, "horizon") == 0 ? "horizon_days" : "metric", "%s",
	                     why.text);
}

/* ---- storing it ---------------------------------------------------------------- */

static void put_real(struct arena *a, struct json *j, const char *key, double v)
{
	json_pair_number(j, key, isfinite(v) ? arena_printf(a, "%.6f", v) : NULL);
}

static void put_bands(struct arena *a, struct json *j, const struct forecast_point *p)
{
	put_real(a, j, "lo80", p->lo80);
	put_real(a, j, "hi80", p->hi80);
	put_real(a, j, "lo95", p->lo95);
	put_real(a, j, "hi95", p->hi95);
}

static void put_points(struct arena *a, const struct forecast *f, size_t n, struct buf *out)
{
	struct json j;
	json_init(&j, out);
	json_begin_array(&j);
	for (size_t i = 0; i < n; i++) {
		const struct forecast_point *p = &f->points[i];
		json_begin_object(&j);
		json_pair_int(&j, "lead", (int64_t)i + 1);
		put_real(a, &j, "value", p->point);
		put_bands(a, &j, p);
		put_real(a, &j, "naive", f->naive[i]);
		json_pair_bool(&j, "closed", p->closed);
		put_real(a, &j, "base", p->base);
		put_real(a, &j, "season", p->season);
		put_real(a, &j, "trend", p->trend);
		put_real(a, &j, "holiday", p->holiday);
		json_pair_text(&j, "holiday_name", p->special);
		json_end_object(&j);
	}
	json_end_array(&j);
	json_end(&j);
}

static void put_model(struct arena *a, struct json *j, const struct forecast *f)
{
	json_pair_text(j, "model", f->model);
	json_key(j, "weights");
	json_begin_array(j);
	for (size_t i = 0; i < f->weights_n; i++) {
		json_begin_object(j);
		json_pair_text(j, "model", f->weights[i].model);
		json_pair_number(j, "weight", arena_printf(a, "%.4f", f->weights[i].weight));
		json_end_object(j);
	}
	json_end_array(j);
	json_key(j, "flags");
	json_begin_array(j);
	for (unsigned bit = 1; forecast_flag_name(bit); bit <<= 1)
		if (f->flags & bit)
			json_put_text(j, forecast_flag_name(bit));
	json_end_array(j);
}

static void put_backtest(struct arena *a, struct json *j, const struct forecast_backtest *b)
{
	json_pair_int(j, "folds", b->folds);
	put_real(a, j, "wape", b->wape);
	put_real(a, j, "mase", b->mase);
	put_real(a, j, "bias", b->bias);
	put_real(a, j, "coverage80", b->coverage80);
	put_real(a, j, "coverage95", b->coverage95);
	put_real(a, j, "naive_wape", b->naive_wape);
	put_real(a, j, "naive_mase", b->naive_mase);
}

static void put_total(struct arena *a, struct json *j, const struct forecast_point *total)
{
	put_real(a, j, "total", total->point);
	put_real(a, j, "total_lo80", total->lo80);
	put_real(a, j, "total_hi80", total->hi80);
	put_real(a, j, "total_lo95", total->lo95);
	put_real(a, j, "total_hi95", total->hi95);
}

/* The row of forecast_run. What was learned from are the last n_used steps. */
static void put_run(struct call *c, const struct kind *kind, const struct figures *figures,
                    const struct forecast *f, struct buf *out)
{
	struct arena *a = c->req->arena;
	const struct rowset *q = &figures->question;
	struct json j;
	int rows = rowset_rows(&figures->series);
	int first = rows - (int)(f->n_used < (size_t)rows ? f->n_used : (size_t)rows);
	json_init(&j, out);
	json_begin_object(&j);
	json_pair_number(&j, "rules_id", rowset_get(q, 0, "rules_id"));
	json_pair_number(&j, "data_version", rowset_get(q, 0, "data_version"));
	json_pair_text(&j, "metric", call_param(c, "stored_metric"));
	json_pair_text(&j, "granularity", kind->stored);
	json_pair_number(&j, "location_id", call_param(c, "location_id"));
	json_pair_text(&j, "item_id", call_param(c, "item_id"));
	json_pair_text(&j, "currency", rowset_get(q, 0, "currency"));
	json_pair_number(&j, "horizon", call_param(c, "horizon"));
	json_pair_text(&j, "train_from", rowset_get(&figures->series, first, "day"));
	json_pair_text(&j, "train_to", rowset_get(q, 0, "train_to"));
	json_pair_int(&j, "train_n", (int64_t)f->n_used);
	put_model(a, &j, f);
	put_backtest(a, &j, &f->backtest);
	put_total(a, &j, &f->total);
	json_end_object(&j);
	json_end(&j);
}

static enum err insert(struct call *c, struct db *db, const char *run, const char *points,
                       struct errbuf *eb)
{
	struct rowset rs = {0};
	enum err rc = db_query(db, "forecast_add", DB_PARAMS({"run", run}), &rs, eb);
	if (rc == ERR_OK)
		call_param_set(c, "forecast_id",
		               arena_strdup(c->req->arena, rowset_get(&rs, 0, "forecast_id")));
	if (rc == ERR_OK)
		rc = db_query(db, "forecast_add_points",
		              DB_PARAMS({"forecast_id", call_param(c, "forecast_id")}, {"points", points}),
		              NULL, eb);
	rowset_fini(&rs);
	return rc;
}

/* Takes the id of one that is there. */
static bool take_known(struct call *c, const struct rowset *question)
{
	const char *id = rowset_rows(question) ? rowset_get(question, 0, "forecast_id") : NULL;
	if (id)
		call_param_set(c, "forecast_id", arena_strdup(c->req->arena, id));
	return id != NULL;
}

/* Unless somebody who asked the same was faster. */
static enum err store(struct call *c, const char *run, const char *points, struct errbuf *eb)
{
	struct rowset question = {0};
	struct db *db;
	enum err rc = call_begin(c, POOL_WRITE, &db, eb);
	if (rc != ERR_OK)
		return rc;
	rc = db_query(db, "forecast_lock", DB_NO_PARAMS, NULL, eb);
	if (rc == ERR_OK)
		rc = db_query(db, "forecast_question", c->params.list, &question, eb);
	if (rc == ERR_OK && !take_known(c, &question))
		rc = insert(c, db, run, points, eb);
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	rowset_fini(&question);
	pool_give(c->web->pool, db);
	return rc;
}

/* ---- all of it ------------------------------------------------------------------ */

static enum err make_new(struct call *c, const struct kind *kind, struct arena *a,
                         const struct figures *figures, struct errbuf *eb)
{
	struct forecast_input input;
	struct forecast f;
	struct buf run, points;
	read_input(c, kind, figures, a, &input);
	enum err rc = forecast_run(a, &input, &f, eb);
	if (rc != ERR_OK)
		return tell_refused(eb);
	buf_init(&run);
	buf_init(&points);
	put_run(c, kind, figures, &f, &run);
	put_points(a, &f, input.horizon, &points);
	rc = store(c, buf_str(&run), buf_str(&points), eb);
	buf_fini(&run);
	buf_fini(&points);
	return rc;
}

/* Whoever waited for a turn may find that another made it. */
static enum err make(struct call *c, const struct kind *kind, struct arena *a, struct errbuf *eb)
{
	struct figures figures = {0};
	enum err rc = ml_engine_take(c, eb);
	if (rc != ERR_OK)
		return rc;
	rc = ask_figures(c, kind, &figures, eb);
	if (rc == ERR_OK && !take_known(c, &figures.question))
		rc = make_new(c, kind, a, &figures, eb);
	ml_engine_give();
	figures_fini(&figures);
	return rc;
}

/* What is stored stays: what a program asks for without end would fill the disk. */
static bool within_day(struct call *c, const struct rowset *question)
{
	struct errbuf eb = {0};
	int64_t most = conf_int(c->conf, CONF_FORECAST_ASKED_DAILY);
	if (rowset_rows(question) == 0 || most == 0 || rowset_int(question, 0, "asked_n") < most)
		return true;
	(void)err_set(&eb, ERR_INVALID,
	              "%lld forecasts were made in 24 hours, the limit of %s; those of the night and "
	              "those that were made can be read",
	              (long long)most, conf_name(CONF_FORECAST_ASKED_DAILY));
	call_refuse(c, 429, "too_many_requests", &eb);
	reply_header_set(c->reply, "Retry-After",
	                 arena_strdup(c->req->arena, rowset_get(question, 0, "asked_wait_s")));
	c->handled = true;
	return false;
}

void ml_forecast_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct rowset question = {0};
	struct arena engine;
	const struct kind *kind = kind_of(c);
	enum err rc = check_question(c, kind, &eb);
	arena_init(&engine);
	if (rc == ERR_OK)
		rc = call_ask(c, &(struct db_ask){"forecast_question", c->params.list, &question}, 1, &eb);
	if (rc == ERR_OK && !take_known(c, &question) && within_day(c, &question))
		rc = make(c, kind, &engine, &eb);
	rowset_fini(&question);
	arena_fini(&engine);
	if (rc == ERR_OK)
		return;
	call_refuse(c, 0, NULL, &eb);
	c->handled = true;
}
