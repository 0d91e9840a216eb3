/* run.c: takings-batch run, from lock to record. */
#include "batch/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/num.h"
#include "batch/jobs.h"
#include "batch/migrate.h"
#include "db/analytics.h"
#include "domain/holidays.h"

/* ---- arguments --------------------------------------------------------- */

static enum err parse_day(const char *option, const char *text, const char **out, struct errbuf *eb)
{
	if (!text || !num_is_date(text))
		return err_set_field(eb, ERR_INVALID, option, "%s needs a date YYYY-MM-DD, not '%s'",
		                     option, text ? text : "");
	*out = text;
	return ERR_OK;
}

static enum err parse_options(int argc, char **argv, struct run_options *o, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	const char *date = NULL;
	*o = (struct run_options){0};
	for (int i = 0; rc == ERR_OK && i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;
		if (strcmp(argv[i], "--date") == 0)
			rc = parse_day(argv[i++], value, &date, eb);
		else if (strcmp(argv[i], "--from") == 0)
			rc = parse_day(argv[i++], value, &o->from, eb);
		else if (strcmp(argv[i], "--to") == 0)
			rc = parse_day(argv[i++], value, &o->to, eb);
		else if (strcmp(argv[i], "--if-due") == 0)
			o->if_due = true;
		else if (strcmp(argv[i], "--dry-run") == 0)
			o->dry_run = true;
		else if (strcmp(argv[i], "--force") == 0)
			o->force = true;
		else
			rc = err_set_field(eb, ERR_INVALID, "run", "unknown option %s", argv[i]);
	}
	if (rc == ERR_OK && date && (o->from || o->to))
		return err_set_field(eb, ERR_INVALID, "--date",
		                     "--date stands alone, without --from and --to");
	if (rc == ERR_OK && !o->from != !o->to)
		return err_set_field(eb, ERR_INVALID, o->from ? "--to" : "--from",
		                     "--from and --to go together");
	if (date)
		o->from = o->to = date;
	if (rc == ERR_OK && o->if_due && o->from)
		return err_set_field(eb, ERR_INVALID, "--if-due", "--if-due finds the day itself");
	return rc;
}

/* ---- the run ----------------------------------------------------------- */

/* Dates nobody can put on a calendar, and a calendar day where a time is needed. */
static enum err warn_of_dates(struct run *r, int64_t broken, struct errbuf *eb)
{
	int64_t undated = 0, undated_refunds = 0;
	const char *type = source_shape_get(r->source)->col[COL_CREATED].type;
	enum err rc = source_count_undated(r->source, &undated, eb);
	if (rc == ERR_OK)
		rc = source_count_undated_refunds(r->source, &undated_refunds, eb);
	if (rc != ERR_OK)
		return rc;
	if (broken)
		run_warn(r, "date_broken",
		         "%" PRId64 " order(s) have no date that exists since 2000: left out", broken);
	if (undated)
		run_warn(r, "date_missing", "%" PRId64 " order(s) have no created_at: left out", undated);
	if (undated_refunds)
		run_warn(r, "refund_date_missing",
		         "%" PRId64 " refund(s) have no usable created_at: left out", undated_refunds);
	if (strcmp(type, "date") == 0 && strcmp(r->cutoff, "0") != 0)
		run_warn(
			r, "date_without_time",
			"orders.created_at has no time of day: with the cutoff at %s:00 its midnight counts "
			"for the day before",
			r->cutoff);
	return ERR_OK;
}

static enum err note_time(struct run *r, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(r->db, "reconcile_now", DB_NO_PARAMS, &rs, eb);
	if (rc == ERR_OK)
		r->snapshot_at = arena_strdup(&r->arena, rowset_get(&rs, 0, "at"));
	rowset_fini(&rs);
	return rc;
}

static enum err open_source(struct run *r, struct errbuf *eb)
{
	int64_t broken = 0;
	r->source_tried = true;
	enum err rc = source_open(&r->source, r->conf, eb);
	if (rc == ERR_OK)
		rc = note_time(r, eb);
	if (rc == ERR_OK)
		rc = source_snapshot_begin(r->source, &r->arena, &r->snapshot, eb);
	if (rc == ERR_OK)
		rc = source_first_order(r->source, &r->arena, &r->first_clock, &broken, eb);
	if (rc == ERR_OK)
		rc = warn_of_dates(r, broken, eb);
	failpoint_pass(FP_source_snapshot);
	return rc;
}

static enum err work(struct run *r, struct errbuf *eb)
{
	enum err rc = run_rules_load(r, eb);
	/* A run that is not due must not trouble order_db, so this is asked first. */
	if (rc == ERR_OK && r->opt->if_due)
		rc = run_check_due(r, eb);
	if (rc == ERR_OK)
		rc = open_source(r, eb);
	if (rc == ERR_OK)
		rc = run_plan(r, eb);
	if (rc == ERR_OK)
		rc = run_stage(r, eb);
	if (rc == ERR_OK)
		rc = r->opt->dry_run ? run_print_differences(r, eb) : run_write(r, eb);
	if (rc == ERR_OK && !r->opt->dry_run)
		rc = run_reconcile(r, eb);
	if (rc == ERR_OK && !r->opt->dry_run)
		rc = run_cohorts(r, eb);
	if (r->source)
		source_snapshot_end(r->source);
	return rc;
}

static void say(const struct run *r, enum err rc)
{
	if (rc != ERR_OK || r->opt->dry_run)
		return;
	LOG(LOG_INFO, "run_done", LOG_STR("run_id", r->run_id),
	    LOG_STR("first_day", r->first_day ? r->first_day : ""),
	    LOG_STR("last_day", r->last_day ? r->last_day : ""), LOG_INT("days_written", r->written),
	    LOG_INT("days_unchanged", r->unchanged), LOG_INT("days_kept", r->kept),
	    LOG_INT("orders_read", r->orders), LOG_END);
	(void)printf("%" PRId64 " day(s) written, %" PRId64 " unchanged, %" PRId64 " kept\n",
	             r->written, r->unchanged, r->kept);
}

static enum err prepare(struct run *r, struct errbuf *eb)
{
	int applied;
	enum err rc = holidays_check(conf_str(r->conf, CONF_HOLIDAYS), conf_name(CONF_HOLIDAYS), eb);
	if (rc == ERR_OK && conf_bool(r->conf, CONF_AUTO_MIGRATE) && !r->opt->dry_run)
		rc = migrate_up(r->conf, &applied, eb);
	if (rc == ERR_OK)
		rc = analytics_open(&r->db, r->conf, ANALYTICS_WRITE, "takings-batch", eb);
	if (rc == ERR_OK)
		rc = analytics_schema_check(r->db, eb);
	if (rc == ERR_OK)
		rc = run_lock(r, eb);
	return rc;
}

/* Also where no day was due: one that is there may lack what a killed run did not come to. */
static enum err after_days(struct run *r, enum err rc, struct errbuf *eb)
{
	if ((rc != ERR_OK && rc != ERR_NOTHING) || r->opt->dry_run)
		return rc;
	struct errbuf why = {0};
	if (rc == ERR_OK)
		run_prune(r);
	run_conversion(r);
	r->nothing_due = rc == ERR_NOTHING;
	enum err night = run_night(r, &why);
	r->night_worked = night == ERR_OK;
	if (rc == ERR_NOTHING && r->night_worked) {
		err_clear(eb);
		return ERR_OK;
	}
	if (night == ERR_INTERRUPTED) {
		err_clear(eb);
		return err_set(eb, night, "%s", why.text);
	}
	return rc;
}

static enum err run_all(struct run *r, struct errbuf *eb)
{
	struct errbuf closing = {0};
	enum err rc = prepare(r, eb);
	if (rc == ERR_OK && !r->opt->dry_run)
		rc = run_record_begin(r, eb);
	if (rc == ERR_OK)
		rc = work(r, eb);
	rc = after_days(r, rc, eb);
	enum err ended = run_record_end(r, rc, eb, &closing);
	failpoint_pass(FP_run_closed);
	run_heartbeats(r, rc, eb);
	if (rc == ERR_OK && ended != ERR_OK)
		return err_set(eb, ended, "%s", closing.text);
	if (rc == ERR_OK && !r->opt->from && !r->opt->dry_run && r->written == 0 && !r->night_worked)
		rc = ERR_NOTHING;
	return rc;
}

enum job_exit job_run(const struct conf *conf, int argc, char **argv)
{
	struct errbuf eb = {0};
	struct run_options opt;
	struct run r = {.conf = conf,
	                .opt = &opt,
	                .timezone = conf_str(conf, CONF_BUSINESS_TIMEZONE),
	                .cutoff = conf_str(conf, CONF_BUSINESS_DAY_CUTOFF),
	                .currency = conf_str(conf, CONF_DEFAULT_CURRENCY),
	                .location = conf_str(conf, CONF_DEFAULT_LOCATION_ID),
	                .profile = conf_str(conf, CONF_REVENUE_PROFILE),
	                .counted = conf_str(conf, CONF_COUNTED_STATUSES)};
	arena_init(&r.arena);
	buf_init(&r.warnings);
	buf_putc(&r.warnings, '[');
	enum err rc = parse_options(argc, argv, &opt, &eb);
	if (rc == ERR_OK)
		rc = run_all(&r, &eb);
	say(&r, rc);
	if (rc == ERR_NOTHING)
		(void)printf("nothing to do: %s\n",
		             eb.text[0] ? eb.text : "every closed day is computed and unchanged");
	else if (rc == ERR_LOCKED)
		LOG(LOG_WARNING, "run_locked", LOG_STR("text", eb.text), LOG_END);
	else if (rc != ERR_OK)
		log_err("run_failed", &eb);
	source_close(r.source);
	db_close(r.db);
	buf_fini(&r.warnings);
	arena_fini(&r.arena);
	return job_exit_of(rc);
}
