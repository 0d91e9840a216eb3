/* run.c: takings-batch run, from lock to record. */
#include "batch/run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/num.h"
#include "batch/jobs.h"
#include "batch/migrate.h"
#include "db/analytics.h"

void run_warn(struct run *r, const char *code, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	LOG(LOG_WARNING, code, LOG_STR("text", text), LOG_END);
	buf_puts(&r->warnings, r->warnings.len > 1 ? ",{\"code\":" : "{\"code\":");
	json_text_put(&r->warnings, code, strlen(code));
	buf_puts(&r->warnings, ",\"text\":");
	json_text_put(&r->warnings, text, strlen(text));
	buf_putc(&r->warnings, '}');
}

/* ---- arguments --------------------------------------------------------- */

static enum err parse_day(const char *option, const char *text, const char **out, struct errbuf *eb)
{
	if (!text || !num_is_date(text))
		return err_set_field(eb, ERR_INVALID, option, "%s needs a date YYYY-MM-DD, not '%s'", option,
		                     text ? text : "");
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
		return err_set_field(eb, ERR_INVALID, "--date", "--date stands alone, without --from and --to");
	if (rc == ERR_OK && !o->from != !o->to)
		return err_set_field(eb, ERR_INVALID, o->from ? "--to" : "--from", "--from and --to go together");
	if (date)
		o->from = o->to = date;
	if (rc == ERR_OK && o->if_due && o->from)
		return err_set_field(eb, ERR_INVALID, "--if-due", "--if-due finds the day itself");
	return rc;
}

/* ---- the rules --------------------------------------------------------- */

static enum err check_zone(struct run *r, enum conf_id id, struct errbuf *eb)
{
	struct rowset rs;
	const char *zone = conf_str(r->conf, id);
	enum err rc = db_query(r->db, "zone_known", DB_PARAMS({"zone", zone}), &rs, eb);
	if (rc != ERR_OK)
		return rc;
	bool known = strcmp(rowset_get(&rs, 0, "known"), "t") == 0;
	rowset_fini(&rs);
	return known ? ERR_OK
	             : err_set_field(eb, ERR_CONFIG, conf_name(id), "%s='%s' is not a zone of the tz database (such as Europe/Berlin)",
	                             conf_name(id), zone);
}

static bool is_currency(const char *s)
{
	return strlen(s) == 3 && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 3;
}

/* Writes new rules down; they come into force with the rebuild, or at once
 * while there is nothing to rebuild. */
static enum err rules_add(struct run *r, bool first, const struct db_param *rules, struct errbuf *eb)
{
	struct rowset rs = {0};
	enum err rc = check_zone(r, CONF_BUSINESS_TIMEZONE, eb);
	if (rc == ERR_OK)
		rc = check_zone(r, CONF_ORDER_DB_TIMEZONE, eb);
	if (rc == ERR_OK && !is_currency(r->currency))
		rc = err_set_field(eb, ERR_CONFIG, conf_name(CONF_DEFAULT_CURRENCY), "%s='%s' is no ISO 4217 code such as EUR",
		                   conf_name(CONF_DEFAULT_CURRENCY), r->currency);
	if (rc == ERR_OK)
		rc = db_command(r->db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = db_query(r->db, "rules_add", rules, &rs, eb);
	if (rc == ERR_OK)
		r->rules_id = arena_strdup(&r->arena, rowset_get(&rs, 0, "rules_id"));
	rowset_fini(&rs);
	if (rc == ERR_OK && first)
		rc = db_query(r->db, "rules_use", DB_PARAMS({"rules_id", r->rules_id}), NULL, eb);
	if (rc == ERR_OK)
		rc = db_command(r->db, r->opt->dry_run ? "ROLLBACK" : "COMMIT", eb);
	if (rc != ERR_OK)
		db_rollback(r->db);
	return rc;
}

static enum err load_rules(struct run *r, struct errbuf *eb)
{
	struct rowset rs;
	const struct db_param rules[] = {{"timezone", r->timezone},
	                                 {"cutoff", r->cutoff},
	                                 {"order_db_timezone", conf_str(r->conf, CONF_ORDER_DB_TIMEZONE)},
	                                 {"profile", r->profile},
	                                 {"counted", r->counted},
	                                 {"currency", r->currency},
	                                 {"location", r->location},
	                                 {NULL, NULL}};
	enum err rc = db_query(r->db, "rules_current", rules, &rs, eb);
	if (rc != ERR_OK)
		return rc;
	bool found = rowset_rows(&rs) == 1;
	bool same = found && strcmp(rowset_get(&rs, 0, "same"), "t") == 0;
	if (same)
		r->rules_id = arena_strdup(&r->arena, rowset_get(&rs, 0, "rules_id"));
	rowset_fini(&rs);
	r->rules_changed = found && !same;
	return same ? ERR_OK : rules_add(r, !found, rules, eb);
}

/* ---- lock and record --------------------------------------------------- */

static enum err take_lock(struct run *r, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(r->db, "run_lock", DB_NO_PARAMS, &rs, eb);
	if (rc != ERR_OK)
		return rc;
	bool locked = strcmp(rowset_get(&rs, 0, "locked"), "t") == 0;
	rowset_fini(&rs);
	failpoint_pass(FP_run_locked);
	return locked ? ERR_OK : err_set(eb, ERR_LOCKED, "another run is at work");
}

static enum err record_begin(struct run *r, struct errbuf *eb)
{
	struct rowset rs;
	const char *mode = r->opt->if_due ? "due"
	                   : r->opt->from ? arena_printf(&r->arena, "%s to %s", r->opt->from, r->opt->to)
	                                  : "closed days";
	enum err rc = db_query(r->db, "run_begin", DB_PARAMS({"mode", mode}, {"code_version", TAKINGS_VERSION}), &rs, eb);
	if (rc != ERR_OK)
		return rc;
	r->run_id = arena_strdup(&r->arena, rowset_get(&rs, 0, "run_id"));
	rowset_fini(&rs);
	failpoint_pass(FP_run_recorded);
	return db_query(r->db, "run_sweep", DB_PARAMS({"run_id", r->run_id}), NULL, eb);
}

static const char *number(struct run *r, int64_t n)
{
	return arena_printf(&r->arena, "%" PRId64, n);
}

static const char *record_status(enum err rc, const struct run *r)
{
	if (rc == ERR_OK)
		return r->written || r->opt->from ? "ok" : "nothing";
	return rc == ERR_NOTHING ? "nothing" : rc == ERR_INTERRUPTED ? "interrupted" : "failed";
}

/* Best effort after a failure: the reason the run failed is what is reported. */
static enum err record_end(struct run *r, enum err rc, const struct errbuf *why, struct errbuf *eb)
{
	if (!r->run_id || !r->db || !db_alive(r->db))
		return ERR_OK;
	buf_putc(&r->warnings, ']');
	return db_query(r->db, "run_end",
	                DB_PARAMS({"run_id", r->run_id}, {"status", record_status(rc, r)}, {"first_day", r->first_day},
	                          {"last_day", r->last_day}, {"planned", number(r, r->planned)},
	                          {"written", number(r, r->written)}, {"unchanged", number(r, r->unchanged)},
	                          {"kept", number(r, r->kept)}, {"orders", number(r, r->orders)},
	                          {"snapshot", r->snapshot}, {"warnings", buf_str(&r->warnings)},
	                          {"error", rc == ERR_OK || rc == ERR_NOTHING ? NULL : why->text}),
	                NULL, eb);
}

static void put_heartbeats(struct run *r, enum err rc, const struct errbuf *why)
{
	bool source_ok = r->source != NULL;
	struct errbuf ignored = {0};
	bool ok = rc == ERR_OK || rc == ERR_NOTHING;
	if (!r->db || !db_alive(r->db) || rc == ERR_LOCKED)
		return;
	enum err put = db_query(r->db, "heartbeat_put",
	                        DB_PARAMS({"component", "batch"}, {"status", ok ? "ok" : "degraded"},
	                                  {"detail", ok ? "" : why->text}),
	                        NULL, &ignored);
	if (put == ERR_OK && r->source_tried)
		put = db_query(r->db, "heartbeat_put",
		               DB_PARAMS({"component", "order_db"}, {"status", source_ok ? "ok" : "down"},
		                         {"detail", source_ok ? "" : why->text}),
		               NULL, &ignored);
	(void)put; /* health then shows an old heartbeat, which is the truth */
}

/* ---- the run ----------------------------------------------------------- */

static enum err open_source(struct run *r, struct errbuf *eb)
{
	int64_t early = 0;
	r->source_tried = true;
	enum err rc = source_open(&r->source, r->conf, eb);
	if (rc == ERR_OK)
		rc = source_snapshot_begin(r->source, &r->arena, &r->snapshot, eb);
	if (rc == ERR_OK)
		rc = source_first_order(r->source, &r->arena, &r->first_clock, &early, eb);
	if (rc == ERR_OK && early)
		run_warn(r, "date_broken", "%" PRId64 " order(s) are dated before the year 2000: left out", early);
	failpoint_pass(FP_source_snapshot);
	return rc;
}

static enum err work(struct run *r, struct errbuf *eb)
{
	enum err rc = load_rules(r, eb);
	/* A run that is not due must not trouble order_db, so this is asked first. */
	if (rc == ERR_OK && r->opt->if_due)
		rc = run_check_due(r, eb);
	if (rc == ERR_OK)
		rc = open_source(r, eb);
	if (rc == ERR_OK)
		rc = run_plan(r, eb);
	if (rc == ERR_OK)
		rc = run_stage(r, eb);
	if (r->source)
		source_snapshot_end(r->source);
	if (rc == ERR_OK)
		rc = r->opt->dry_run ? run_print_differences(r, eb) : run_write(r, eb);
	return rc;
}

static void say(const struct run *r, enum err rc)
{
	if (rc != ERR_OK || r->opt->dry_run)
		return;
	LOG(LOG_INFO, "run_done", LOG_STR("run_id", r->run_id), LOG_STR("first_day", r->first_day ? r->first_day : ""),
	    LOG_STR("last_day", r->last_day ? r->last_day : ""), LOG_INT("days_written", r->written),
	    LOG_INT("days_unchanged", r->unchanged), LOG_INT("days_kept", r->kept), LOG_INT("orders_read", r->orders),
	    LOG_END);
	(void)printf("%" PRId64 " day(s) written, %" PRId64 " unchanged, %" PRId64 " kept\n", r->written, r->unchanged,
	             r->kept);
}

static enum err prepare(struct run *r, struct errbuf *eb)
{
	int applied;
	enum err rc = ERR_OK;
	if (conf_bool(r->conf, CONF_AUTO_MIGRATE) && !r->opt->dry_run)
		rc = migrate_up(r->conf, &applied, eb);
	if (rc == ERR_OK)
		rc = analytics_open(&r->db, r->conf, ANALYTICS_WRITE, "takings-batch", eb);
	if (rc == ERR_OK)
		rc = analytics_schema_check(r->db, eb);
	if (rc == ERR_OK)
		rc = take_lock(r, eb);
	return rc;
}

static enum err run_all(struct run *r, struct errbuf *eb)
{
	struct errbuf closing = {0};
	enum err rc = prepare(r, eb);
	if (rc == ERR_OK && !r->opt->dry_run)
		rc = record_begin(r, eb);
	if (rc == ERR_OK)
		rc = work(r, eb);
	enum err ended = record_end(r, rc, eb, &closing);
	failpoint_pass(FP_run_closed);
	put_heartbeats(r, rc, eb);
	if (rc == ERR_OK && ended != ERR_OK)
		return err_set(eb, ended, "%s", closing.text);
	if (rc == ERR_OK && !r->opt->from && !r->opt->dry_run && r->written == 0)
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
		(void)printf("nothing to do: %s\n", eb.text[0] ? eb.text : "every closed day is computed and unchanged");
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
