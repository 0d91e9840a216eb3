/* doctor.c: what an operator would otherwise find out the hard way. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "batch/jobs.h"
#include "db/analytics.h"
#include "db/source.h"

struct doctor {
	const struct conf *conf;
	int failures, warnings;
};

static void PRINTF_LIKE(2, 0) say(const char *mark, const char *fmt, va_list ap)
{
	(void)printf("%-5s ", mark);
	(void)vprintf(fmt, ap);
	(void)putchar('\n');
}

static void PRINTF_LIKE(1, 2) good(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say("ok", fmt, ap);
	va_end(ap);
}

static void PRINTF_LIKE(1, 2) note(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say("note", fmt, ap);
	va_end(ap);
}

static void PRINTF_LIKE(2, 3) warn(struct doctor *d, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say("warn", fmt, ap);
	va_end(ap);
	d->warnings++;
}

static void PRINTF_LIKE(2, 3) fail(struct doctor *d, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say("FAIL", fmt, ap);
	va_end(ap);
	d->failures++;
}

/* ---- order_db ---------------------------------------------------------- */

static const struct {
	enum source_column column;
	const char *without; /* what is lost where it is absent */
} optional[] = {
	{COL_UPDATED, "late edits are found by comparing checksums of days, items included"},
	{COL_LOCATION, "all orders belong to DEFAULT_LOCATION_ID"},
	{COL_CURRENCY, "all orders are in DEFAULT_CURRENCY"},
	{COL_CANCELLED, "cancellations cannot be booked on their own day"},
	{COL_DISCOUNT, "discounts are shown as 0"},
	{COL_TAX, "tax is shown as 0"},
	{COL_SHIPPING, "shipping is shown as 0"},
	{COL_TIP, "tips are shown as 0"},
	{COL_CUSTOMER, "there are no cohorts of customers"},
	{COL_REFUND_AMOUNT, "there is no order_refunds, so revenue has no refunds to take off"},
};

static const struct {
	enum source_column column;
	const char *why;
} wanted_index[] = {
	{COL_CREATED, "each run reads all orders to find one day's"},
	{COL_ITEM_ORDER, "each run reads all items to find one day's"},
	{COL_CANCELLED, "each run reads all orders to find one day's cancellations"},
	{COL_REFUND_ORDER, "each run reads all refunds"},
};

static void check_columns(struct doctor *d, const struct source_shape *shape)
{
	for (size_t i = 0; i < sizeof optional / sizeof *optional; i++) {
		enum source_column c = optional[i].column;
		if (shape->col[c].kind == KIND_ABSENT)
			note("order_db has no %s.%s: %s", source_column_table(c), source_column_names(c),
			     optional[i].without);
	}
	for (size_t i = 0; i < sizeof wanted_index / sizeof *wanted_index; i++) {
		enum source_column c = wanted_index[i].column;
		if (shape->col[c].kind != KIND_ABSENT && !shape->col[c].indexed)
			warn(d, "order_db: no index on %s(%s): %s", source_column_table(c), shape->col[c].name,
			     wanted_index[i].why);
	}
	if (shape->col[COL_TOTAL].kind == KIND_FLOAT)
		warn(d, "order_db: orders.total_amount is floating point; amounts are read as decimals, "
		        "but use a decimal type");
	if (shape->col[COL_CREATED].kind == KIND_CLOCK_LOCAL)
		good("order_db: orders.created_at carries no zone; it is read in ORDER_DB_TIMEZONE=%s",
		     conf_str(d->conf, CONF_ORDER_DB_TIMEZONE));
}

static void check_dates(struct doctor *d, struct source *s)
{
	struct errbuf eb = {0};
	int64_t undated = 0;
	if (source_count_undated(s, &undated, &eb) != ERR_OK)
		fail(d, "order_db: %s", eb.text);
	else if (undated)
		warn(d, "order_db: %" PRId64 " order(s) have no created_at and are in no figure", undated);
}

static enum err skip_row(void *arg, int cols, const char *const *v, struct errbuf *eb)
{
	(void)arg, (void)cols, (void)v, (void)eb;
	return ERR_OK;
}

/* What a run will ask, about a day long before all orders: the server looks at the types of
 * all columns, and has no rows to read. */
static void check_questions(struct doctor *d, struct source *s)
{
	static const char *const what[] = {
		[SOURCE_ORDERS] = "orders",
		[SOURCE_CANCELS] = "cancellations",
		[SOURCE_REFUNDS] = "refunds",
		[SOURCE_REFUNDS_BY_ORDER] = "refunds by order",
		[SOURCE_ITEMS] = "items",
		[SOURCE_LATE_CANCELS] = "late cancellations",
		[SOURCE_LATE_REFUNDS] = "late refunds",
		[SOURCE_LATE_EDITS] = "late edits",
	};
	static const char *const counted[] = {"SERVED"};
	static const struct source_shift day = {"2000-01-01 00:00:00", "2000-01-02 00:00:00", "0"};
	const struct source_window w = {
		.utc = {&day, 1},
		.local = {&day, 1},
		.default_currency = conf_str(d->conf, CONF_DEFAULT_CURRENCY),
		.counted = counted,
		.counted_n = 1,
		.late_utc = day.to,
		.late_local = day.to,
	};
	int failures = d->failures;
	for (size_t q = 0; q < sizeof what / sizeof *what; q++) {
		struct errbuf eb = {0};
		if (source_can_answer(s, (enum source_question)q) &&
		    source_ask(s, (enum source_question)q, &w, skip_row, NULL, &eb) != ERR_OK)
			fail(d, "order_db cannot be asked for %s: %s", what[q], eb.text);
	}
	if (d->failures == failures)
		good("order_db: understands every question of a run");
}

static void check_writes(struct doctor *d, struct source *s)
{
	struct source_probe p;
	source_probe_write(s, &p);
	if (p.session == SOURCE_REFUSED)
		good("order_db: our session refuses to write");
	else if (p.session == SOURCE_ALLOWED)
		fail(d, "order_db: our session could write");
	else
		warn(d, "order_db: could not be tested whether our session refuses to write: %s",
		     p.session_why);
	if (p.role == SOURCE_REFUSED)
		good("order_db: our role has no right to write");
	else if (p.role == SOURCE_ALLOWED)
		fail(d, "order_db: our role may write; it has %s: give it SELECT only (sql/order_db/)",
		     p.role_why);
	else
		warn(d, "order_db: could not be tested whether our role may write: %s", p.role_why);
}

/* Whoever stands in between could read everything, and answer in the server's place. */
static void check_tls(struct doctor *d, const char *where, const char *word, const char *mode)
{
	if (mode)
		warn(
			d,
			"%s: %s=%s towards another host does not insist on TLS: say %s=verify-full, or at least"
			" %s=require",
			where, word, mode, word, word);
}

static void check_order_db(struct doctor *d)
{
	struct errbuf eb = {0};
	struct source *s = NULL;
	if (source_open(&s, d->conf, &eb) != ERR_OK) {
		fail(d, "%s%s", strncmp(eb.text, "order_db", 8) == 0 ? "" : "order_db: ", eb.text);
		return;
	}
	good("order_db: reached, %s, all needed columns are there", source_server(s));
	check_columns(d, source_shape_get(s));
	check_dates(d, s);
	check_questions(d, s);
	check_writes(d, s);
	const char *word, *mode = source_weak_tls(s, &word);
	check_tls(d, "order_db", word, mode);
	source_close(s);
}

/* ---- following order_db -------------------------------------------------- */

static bool holds(const struct rowset *rs, int row, const char *name)
{
	const char *v = rowset_get(rs, row, name);
	return v && strcmp(v, "t") == 0;
}

static void check_slot(struct doctor *d, const struct rowset *rs)
{
	const char *slot = conf_str(d->conf, CONF_ORDER_REPLICATION_SLOT);
	const char *kept = rowset_get(rs, 0, "wal_status");
	int64_t behind_mb = rowset_int(rs, 0, "behind") / (1024 * 1024);
	if (strcmp(rowset_get(rs, 0, "keep_size"), "-1") == 0)
		warn(d,
		     "replication: max_slot_wal_keep_size = -1: a stream that stays away fills the disk of"
		     " order_db's server; set it to what that can spare");
	if (!holds(rs, 0, "found"))
		warn(d, "replication: there is no slot %s yet; takings-stream makes it when it starts",
		     slot);
	else if (!holds(rs, 0, "fits"))
		fail(d, "replication: the slot %s belongs to another database or plugin", slot);
	else if (kept && strcmp(kept, "lost") == 0)
		fail(d,
		     "replication: the slot %s has lost its log; \"Following order_db anew\" in"
		     " docs/OPERATIONS.md says what to do",
		     slot);
	else if (!holds(rs, 0, "active"))
		warn(d,
		     "replication: nobody follows the slot %s, for which %" PRId64 " MB of log are kept;"
		     " start takings-stream, or drop the slot",
		     slot, behind_mb);
	else if (kept && strcmp(kept, "unreserved") == 0)
		warn(d, "replication: the slot %s is about to lose its log, it is %" PRId64 " MB behind",
		     slot, behind_mb);
	else
		good("replication: the slot %s is followed, %" PRId64 " MB behind", slot, behind_mb);
}

static void check_setup(struct doctor *d, struct db *db)
{
	struct errbuf eb = {0};
	struct rowset rs;
	const char *publication = conf_str(d->conf, CONF_ORDER_PUBLICATION);
	if (db_query(db, "replication_setup",
	             DB_PARAMS({"publication", publication},
	                       {"slot", conf_str(d->conf, CONF_ORDER_REPLICATION_SLOT)}),
	             &rs, &eb) != ERR_OK) {
		fail(d, "replication: %s", eb.text);
		return;
	}
	if (strcmp(rowset_get(&rs, 0, "wal_level"), "logical") != 0)
		fail(d, "replication: order_db's server has wal_level = %s; it must be logical",
		     rowset_get(&rs, 0, "wal_level"));
	if (!holds(&rs, 0, "published"))
		fail(d, "replication: there is no publication %s; sql/order_db/replication.sql makes it",
		     publication);
	check_slot(d, &rs);
	rowset_fini(&rs);
}

static void check_replicator(struct doctor *d, struct db *db)
{
	struct errbuf eb = {0};
	struct rowset rs;
	if (db_query(db, "doctor_replication",
	             DB_PARAMS({"publication", conf_str(d->conf, CONF_ORDER_PUBLICATION)}), &rs,
	             &eb) != ERR_OK) {
		fail(d, "replication: %s", eb.text);
		return;
	}
	const char *user = rowset_get(&rs, 0, "role"), *writes = rowset_get(&rs, 0, "writes");
	const char *untold = rowset_get(&rs, 0, "untold");
	if (!holds(&rs, 0, "replicates"))
		fail(d, "replication: %s may not replicate: ALTER ROLE %s REPLICATION", user, user);
	if (writes)
		fail(d,
		     "replication: %s may write to %s: give it SELECT only (sql/order_db/replication.sql)",
		     user, writes);
	else
		good("replication: %s has no right to write", user);
	if (untold)
		fail(d, "replication: the publication leaves out %s; sql/order_db/replication.sql adds it",
		     untold);
	rowset_fini(&rs);
}

static void check_published(struct doctor *d, struct db *db)
{
	struct errbuf eb = {0};
	struct rowset rs;
	if (db_query(db, "replication_tables",
	             DB_PARAMS({"publication", conf_str(d->conf, CONF_ORDER_PUBLICATION)}), &rs,
	             &eb) != ERR_OK)
		fail(d, "replication: %s", eb.text);
	for (int i = 0; i < rowset_rows(&rs); i++) {
		const char *table = rowset_get(&rs, i, "table");
		if (!holds(&rs, i, "readable"))
			fail(d, "replication: no right to read %s for the first copy", table);
		if (!holds(&rs, i, "keyed"))
			fail(d,
			     "replication: %s has no primary key (or REPLICA IDENTITY): its updates and"
			     " deletes fail in order_db while it is published",
			     table);
	}
	rowset_fini(&rs);
}

static void check_replication(struct doctor *d)
{
	struct errbuf eb = {0};
	struct db *db = NULL;
	const char *url = conf_str(d->conf, CONF_ORDER_REPLICATION_URL);
	if (*url == '\0')
		return;
	if (db_open(&db,
	            &(struct db_options){.name = conf_name(CONF_ORDER_REPLICATION_URL),
	                                 .url = url,
	                                 .program = "takings-doctor",
	                                 .settings = "-c default_transaction_read_only=on",
	                                 .limit_ms = 60000},
	            &eb) != ERR_OK) {
		fail(d, "replication: %s", eb.text);
		return;
	}
	check_setup(d, db);
	check_replicator(d, db);
	check_published(d, db);
	check_tls(d, "replication", "sslmode", db_weak_sslmode(db));
	db_close(db);
}

/* ---- analytics_db ------------------------------------------------------ */

static void check_role(struct doctor *d, struct db *db)
{
	struct errbuf eb = {0};
	struct rowset rs;
	if (db_query(db, "doctor_role", DB_NO_PARAMS, &rs, &eb) != ERR_OK) {
		fail(d, "analytics_db: %s", eb.text);
		return;
	}
	const char *user = rowset_get(&rs, 0, "role");
	if (strcmp(rowset_get(&rs, 0, "superuser"), "t") == 0)
		warn(d, "analytics_db: %s is a superuser; sql/roles.sql has a role that may do less", user);
	else if (strcmp(rowset_get(&rs, 0, "creates"), "t") == 0)
		warn(d, "analytics_db: %s may create tables; only MIGRATE_DATABASE_URL needs that", user);
	else
		good("analytics_db: %s may write rows and cannot change tables", user);
	if (strcmp(rowset_get(&rs, 0, "temporary"), "t") != 0)
		fail(d,
		     "analytics_db: %s may not create temporary tables: GRANT TEMPORARY ON DATABASE ... TO "
		     "%s",
		     user, user);
	rowset_fini(&rs);
}

static void check_zones(struct doctor *d, struct db *db)
{
	static const enum conf_id zones[] = {CONF_BUSINESS_TIMEZONE, CONF_ORDER_DB_TIMEZONE};
	for (size_t i = 0; i < 2; i++) {
		struct errbuf eb = {0};
		enum err rc = analytics_zone_check(db, d->conf, zones[i], &eb);
		if (rc != ERR_OK)
			fail(d, "%s%s", rc == ERR_CONFIG ? "" : "analytics_db: ", eb.text);
	}
}

static void check_last_run(struct doctor *d, struct db *db)
{
	struct errbuf eb = {0};
	struct rowset rs;
	if (db_query(db, "doctor_last_run", DB_NO_PARAMS, &rs, &eb) != ERR_OK) {
		fail(d, "analytics_db: %s", eb.text);
		return;
	}
	if (rowset_rows(&rs) == 0) {
		warn(d, "the batch has never run: takings-batch run");
	} else {
		const char *status = rowset_get(&rs, 0, "status"), *error = rowset_get(&rs, 0, "error");
		bool well = strcmp(status, "ok") == 0 || strcmp(status, "nothing") == 0 ||
		            strcmp(status, "running") == 0;
		if (well)
			good("last run: %s at %s", status, rowset_get(&rs, 0, "started_at"));
		else
			warn(d, "last run: %s at %s: %s", status, rowset_get(&rs, 0, "started_at"),
			     error ? error : "");
	}
	rowset_fini(&rs);
}

static void check_forecasts(struct doctor *d, struct db *db)
{
	struct errbuf eb = {0};
	struct rowset rs;
	if (db_query(db, "doctor_forecast", DB_NO_PARAMS, &rs, &eb) != ERR_OK)
		fail(d, "analytics_db: %s", eb.text);
	else if (rowset_rows(&rs) && strcmp(rowset_get(&rs, 0, "status"), "ok") == 0)
		good("last forecasts: %s", rowset_get(&rs, 0, "at"));
	else if (rowset_rows(&rs))
		warn(d, "last forecasts: failed at %s: %s; the figures stand, and the next run tries again",
		     rowset_get(&rs, 0, "at"), rowset_get(&rs, 0, "detail"));
	rowset_fini(&rs);
}

/* Messages about bookings that wait for a person, or for a program that should run. */
static void check_inbox(struct doctor *d, struct db *db)
{
	struct errbuf eb = {0};
	struct rowset rs;
	if (db_query(db, "doctor_inbox", DB_NO_PARAMS, &rs, &eb) != ERR_OK)
		fail(d, "analytics_db: %s", eb.text);
	else if (rowset_int(&rs, 0, "dead"))
		warn(d,
		     "%s message(s) about bookings could not be read or put into effect:"
		     " takings-batch inbox list --dead",
		     rowset_get(&rs, 0, "dead"));
	if (rowset_rows(&rs) && rowset_int(&rs, 0, "late"))
		warn(
			d,
			"%s message(s) about bookings have waited for over 5 minutes: does takings-stream run?",
			rowset_get(&rs, 0, "late"));
	rowset_fini(&rs);
}

static void check_retention(struct doctor *d, int64_t oldest_days)
{
	int64_t kept = conf_int(d->conf, CONF_EVENT_RETENTION_DAYS);
	int64_t age = conf_int(d->conf, CONF_MAX_EVENT_AGE_DAYS);
	if (kept && kept < age)
		warn(d,
		     "%s=%" PRId64 " is less than %s=%" PRId64 ": tracked events are kept for %" PRId64
		     " days",
		     conf_name(CONF_EVENT_RETENTION_DAYS), kept, conf_name(CONF_MAX_EVENT_AGE_DAYS), age,
		     age);
	kept = kept && kept < age ? age : kept;
	if (kept && oldest_days > kept + 2)
		warn(d,
		     "tracked events of %" PRId64 " days ago are still there, %s is %" PRId64
		     ": does takings-batch run each night?",
		     oldest_days, conf_name(CONF_EVENT_RETENTION_DAYS), kept);
}

/* Tracked events that wait for a program or a person. */
static void check_activity(struct doctor *d, struct db *db)
{
	struct errbuf eb = {0};
	struct rowset rs;
	if (db_query(db, "doctor_activity", DB_NO_PARAMS, &rs, &eb) != ERR_OK) {
		fail(d, "analytics_db: %s", eb.text);
		return;
	}
	if (rowset_int(&rs, 0, "late"))
		warn(d,
		     "%s tracked event(s) have waited for over 5 minutes to take effect: does"
		     " takings-stream run?",
		     rowset_get(&rs, 0, "late"));
	if (rowset_int(&rs, 0, "missing"))
		fail(d, "tracked events wait for %s day(s) whose partition is not there",
		     rowset_get(&rs, 0, "missing"));
	if (rowset_int(&rs, 0, "apart"))
		note("%s tracked event(s) are kept apart: takings-batch activity list",
		     rowset_get(&rs, 0, "apart"));
	if (rowset_int(&rs, 0, "apart_today") > 100 &&
	    rowset_int(&rs, 0, "apart_today") * 20 > rowset_int(&rs, 0, "stored_today"))
		warn(d,
		     "%s tracked event(s) of the last day were kept apart, more than one for 20 that were"
		     " stored: see the page Data quality",
		     rowset_get(&rs, 0, "apart_today"));
	if (rowset_get(&rs, 0, "oldest_days"))
		check_retention(d, rowset_int(&rs, 0, "oldest_days"));
	rowset_fini(&rs);
}

/* A schema that is older, or not there yet, is what `run` mends by itself first. */
static bool run_migrates(struct doctor *d, struct db *db)
{
	struct rowset rs = {0};
	struct errbuf ignored = {0};
	if (!db || !conf_bool(d->conf, CONF_AUTO_MIGRATE))
		return false;
	enum err rc = db_query(db, "schema_version", DB_NO_PARAMS, &rs, &ignored);
	bool older = rc == ERR_OK ? rowset_int(&rs, 0, "version") < analytics_schema_known()
	                          : rc == ERR_DB && strcmp(db_sqlstate(db), "42P01") == 0;
	rowset_fini(&rs);
	return older;
}

static void check_analytics_db(struct doctor *d)
{
	struct errbuf eb = {0};
	struct db *db = NULL;
	enum err rc = analytics_open(&db, d->conf, ANALYTICS_WRITE, "takings-doctor", &eb);
	if (rc == ERR_OK) {
		good("analytics_db: reached, PostgreSQL %s", db_server_version(db));
		check_tls(d, "analytics_db", "sslmode", db_weak_sslmode(db));
		check_zones(d, db);
		rc = analytics_schema_check(db, &eb);
	}
	if (rc == ERR_CONFIG && run_migrates(d, db)) {
		note("%s; takings-batch run does so by itself (AUTO_MIGRATE=1)", eb.text);
	} else if (rc != ERR_OK) {
		fail(d, "%s%s", strncmp(eb.text, "analytics_db", 12) == 0 ? "" : "analytics_db: ", eb.text);
	} else {
		good("analytics_db: schema %d", analytics_schema_known());
		check_role(d, db);
		check_last_run(d, db);
		check_forecasts(d, db);
		check_inbox(d, db);
		check_activity(d, db);
	}
	db_close(db);
}

static void check_host(struct doctor *d)
{
	const char *host = conf_str(d->conf, CONF_SERVER_HOST);
	if (!db_host_is_local(host))
		warn(
			d,
			"%s=%s is not heeded: nginx listens on 127.0.0.1 alone, as long as the pages ask for no"
			" login",
			conf_name(CONF_SERVER_HOST), host);
}

enum job_exit job_doctor(const struct conf *conf, int argc, char **argv)
{
	struct doctor d = {.conf = conf};
	(void)argc, (void)argv;
	check_host(&d);
	check_order_db(&d);
	check_replication(&d);
	check_analytics_db(&d);
	(void)printf("%d failure(s), %d warning(s)\n", d.failures, d.warnings);
	return d.failures ? JOB_FAILED : JOB_OK;
}
