/* demo.c: fills order_db with the orders of a restaurant that does not exist.
 *
 * The orders are drawn in memory (demo_day.c), copied into temporary tables and
 * merged from there in one transaction; the truth file is counted from memory. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "batch/demo_activity.h"
#include "batch/demo_booking.h"
#include "batch/demo_calendar.h"
#include "batch/demo_day.h"
#include "batch/demo_live.h"
#include "batch/demo_menu.h"
#include "batch/demo_truth.h"
#include "batch/demo_zone.h"
#include "batch/jobs.h"
#include "db/db.h"

enum { DAYS_DEFAULT = 400, DAYS_MAX = 3660, SEED_DEFAULT = 1, NUMBER_TEXT = 32 };
enum { ZONE_MARGIN_DAYS = 3 }; /* no zone is further from UTC */

static const char USAGE[] =
	"takings-batch demo [--seed N] [--days N] [--until YYYY-MM-DD]"
	" [--truth FILE] [--continue] [--replace] | --bookings ... | --activity ... | --live ...";

struct options {
	int64_t seed, days, until; /* until: a date, or NO_DATE */
	bool seed_given, resume, replace;
	const char *truth; /* NULL: none */
};
static const int64_t NO_DATE = INT64_MIN;

/* What the tables say they were made from. */
struct mark {
	bool found;
	int64_t as_of_s;
};

struct demo {
	struct options opt;
	const struct conf *conf;
	struct db *db;
	struct arena arena;
	struct demo_zone zone;
	struct demo_truth_head head;
	struct mark mark;
	struct demo_orders orders;
	int64_t load_from; /* first service day whose rows can be new or different */
	int64_t unit_minor;
	int decimals;
	int64_t added, changed, refunds_added;
};

/* ---- the command line ---------------------------------------------------------- */

static enum err take_value(struct options *o, const char *name, const char *value,
                           struct errbuf *eb)
{
	bool ok = true;
	if (strcmp(name, "--seed") == 0) {
		ok = num_parse_int(value, 0, INT64_MAX, &o->seed);
		o->seed_given = true;
	} else if (strcmp(name, "--days") == 0) {
		ok = num_parse_int(value, 1, DAYS_MAX, &o->days);
	} else if (strcmp(name, "--until") == 0) {
		ok = num_is_date(value);
		o->until = ok ? demo_date_parse(value) : NO_DATE;
	} else if (strcmp(name, "--truth") == 0) {
		ok = *value != '\0';
		o->truth = value;
	} else {
		return err_set_field(eb, ERR_INVALID, name, "%s is not an option; usage: %s", name, USAGE);
	}
	if (ok)
		return ERR_OK;
	return err_set_field(eb, ERR_INVALID, name, "%s cannot be \"%s\"; usage: %s", name, value,
	                     USAGE);
}

static enum err parse_options(struct options *o, int argc, char **argv, struct errbuf *eb)
{
	*o = (struct options){.seed = SEED_DEFAULT, .days = DAYS_DEFAULT, .until = NO_DATE};
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--continue") == 0) {
			o->resume = true;
		} else if (strcmp(argv[i], "--replace") == 0) {
			o->replace = true;
		} else {
			const char *value = i + 1 < argc ? argv[i + 1] : "";
			enum err rc = take_value(o, argv[i], value, eb);
			if (rc != ERR_OK)
				return rc;
			i++;
		}
	}
	if (o->resume && o->replace)
		return err_set(eb, ERR_INVALID, "--continue and --replace contradict each other");
	return ERR_OK;
}

/* ---- what there is, and what is asked for ------------------------------------------ */

static enum err create_tables(struct db *db, struct errbuf *eb)
{
	static const char *const statements[] = {
		"demo_create_orders", "demo_create_items",         "demo_create_refunds",
		"demo_create_mark",   "demo_index_orders_created", "demo_index_orders_cancelled",
		"demo_index_items",   "demo_index_refunds",        "demo_index_refunds_created",
	};
	for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
		enum err rc = db_query(db, statements[i], DB_NO_PARAMS, NULL, eb);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

static enum err query_flag(struct db *db, const char *statement, bool *out, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(db, statement, DB_NO_PARAMS, &rs, eb);
	if (rc == ERR_OK)
		*out = strcmp(rowset_text(&rs, 0, 0), "t") == 0;
	rowset_fini(&rs);
	return rc;
}

/* Other rules would give other rows for the days that are there already. */
static enum err check_mark(const struct demo *d, const struct rowset *rs, struct errbuf *eb)
{
	char cutoff[NUMBER_TEXT];
	(void)snprintf(cutoff, sizeof cutoff, "%" PRId64, d->head.cutoff_h);
	const struct {
		const char *column;
		enum conf_id setting;
		const char *now;
	} rules[] = {
		{"timezone", CONF_BUSINESS_TIMEZONE, d->head.zone},
		{"cutoff", CONF_BUSINESS_DAY_CUTOFF, cutoff},
		{"currency", CONF_DEFAULT_CURRENCY, d->head.currency},
	};
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		if (strcmp(rowset_get(rs, 0, rules[i].column), rules[i].now) != 0)
			return err_set_field(
				eb, ERR_INVALID, conf_name(rules[i].setting),
				"the demo data was made with %s=%s and cannot be continued with %s;"
				" --replace makes it anew (the local instance: make destroy)",
				conf_name(rules[i].setting), rowset_get(rs, 0, rules[i].column), rules[i].now);
	if (d->opt.seed_given && d->opt.seed != rowset_int(rs, 0, "seed"))
		return err_set_field(eb, ERR_INVALID, "--seed",
		                     "the demo data was made with --seed %s and"
		                     " cannot be continued with another",
		                     rowset_get(rs, 0, "seed"));
	return ERR_OK;
}

static enum err read_mark(struct demo *d, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(d->db, "demo_mark", DB_NO_PARAMS, &rs, eb);
	if (rc != ERR_OK)
		return rc;
	if (rowset_rows(&rs) == 0)
		rc = err_set(eb, ERR_INVALID,
		             "the table orders holds orders that demo did not make;"
		             " %s must name a database of its own",
		             conf_name(CONF_DEMO_URL));
	else if (d->opt.resume)
		rc = check_mark(d, &rs, eb);
	else if (!d->opt.replace)
		rc = err_set(eb, ERR_INVALID,
		             "the table orders holds demo orders already;"
		             " --continue brings them up to date, --replace makes them anew");
	if (rc == ERR_OK && d->opt.resume) {
		d->mark = (struct mark){.found = true, .as_of_s = rowset_int(&rs, 0, "as_of_s")};
		d->head.seed = rowset_int(&rs, 0, "seed");
		d->head.first_date = demo_date_parse(rowset_get(&rs, 0, "first_date"));
	}
	rowset_fini(&rs);
	return rc;
}

static enum err look_at_tables(struct demo *d, struct errbuf *eb)
{
	bool locked = false, is_empty = false;
	enum err rc = query_flag(d->db, "demo_lock", &locked, eb);
	if (rc == ERR_OK && !locked)
		return err_set(eb, ERR_LOCKED, "another process is making demo data");
	if (rc == ERR_OK)
		rc = create_tables(d->db, eb);
	if (rc == ERR_OK)
		rc = query_flag(d->db, "demo_is_empty", &is_empty, eb);
	if (rc == ERR_OK && !is_empty)
		rc = read_mark(d, eb);
	if (rc == ERR_OK && !d->mark.found)
		rc = db_query(d->db, "demo_truncate", DB_NO_PARAMS, NULL, eb);
	return rc;
}

static enum err load_zone(struct demo *d, int64_t now_s, struct errbuf *eb)
{
	int64_t today = demo_date_of_seconds(now_s);
	int64_t last = d->opt.until == NO_DATE || d->opt.until > today ? today : d->opt.until;
	int64_t first = d->mark.found ? d->head.first_date : last - d->opt.days;
	return demo_zone_load(&d->zone, d->db, d->head.zone, d->head.cutoff_h, first - ZONE_MARGIN_DAYS,
	                      today + DEMO_LATE_DAYS + ZONE_MARGIN_DAYS, eb);
}

/* The horizon is where the story ends so far: now, or the end of a past day. */
static enum err set_range(struct demo *d, int64_t now_s, struct errbuf *eb)
{
	int64_t today = demo_zone_business_date(&d->zone, now_s);
	if (d->opt.until != NO_DATE && d->opt.until > today)
		return err_set_field(eb, ERR_INVALID, "--until", "--until lies in the future");
	if (d->opt.until == NO_DATE || d->opt.until == today)
		d->head.horizon_s = now_s + 1;
	else
		d->head.horizon_s = demo_zone_day_start(&d->zone, d->opt.until + 1);
	if (d->mark.found && d->head.horizon_s < d->mark.as_of_s)
		d->head.horizon_s = d->mark.as_of_s; /* what has happened is not taken back */
	d->head.last_date = demo_zone_business_date(&d->zone, d->head.horizon_s - 1);
	if (!d->mark.found)
		d->head.first_date = d->head.last_date - d->opt.days + 1;
	d->load_from = d->head.first_date - 1;
	if (d->mark.found)
		d->load_from = demo_zone_business_date(&d->zone, d->mark.as_of_s) - DEMO_LATE_DAYS - 2;
	return ERR_OK;
}

/* ---- drawing -------------------------------------------------------------------- */

/* With a cutoff of 0 or 12 the guests of the neighbouring service days fall into
 * the range as well; what lies outside is drawn, so that numbers stay, and dropped. */
static enum err draw(struct demo *d, struct errbuf *eb)
{
	struct demo_rules rules = {d->head.seed, d->unit_minor, &d->zone, &d->arena};
	int64_t start_s = demo_zone_day_start(&d->zone, d->head.first_date);
	(void)printf("Drawing the orders of %" PRId64 " days ...\n",
	             d->head.last_date - d->head.first_date + 1);
	(void)fflush(stdout);
	for (int64_t date = d->head.first_date - 1; date <= d->head.last_date + 1; date++) {
		struct demo_orders *o = &d->orders;
		int64_t kept = o->n;
		if (db_interrupted())
			return err_set(eb, ERR_INTERRUPTED, "stopped on request");
		demo_day_draw(&rules, date, o);
		for (int64_t i = kept; i < o->n; i++)
			if (o->rows[i].created_s >= start_s && o->rows[i].created_s < d->head.horizon_s)
				o->rows[kept++] = o->rows[i];
		o->n = kept;
	}
	return ERR_OK;
}

/* ---- loading -------------------------------------------------------------------- */

struct text {
	char s[NUMBER_TEXT];
};

static const char *int_text(struct text *t, int64_t v)
{
	(void)snprintf(t->s, sizeof t->s, "%" PRId64, v);
	return t->s;
}

static const char *money_text(struct text *t, int64_t minor, int decimals)
{
	if (decimals == 0)
		return int_text(t, minor);
	(void)snprintf(t->s, sizeof t->s, "%" PRId64 ".%02" PRId64, minor / 100, minor % 100);
	return t->s;
}

static const char *time_text(struct text *t, int64_t at_s)
{
	static_assert((int)NUMBER_TEXT >= (int)CLOCK_TEXT, "a time fits");
	clock_format_utc(at_s * 1000000, t->s);
	return t->s;
}

/* The first order of the service days from `date` on. */
static int64_t first_of(const struct demo_orders *o, int64_t date)
{
	int year, month, day;
	demo_date_split(date, &year, &month, &day);
	int64_t id = ((int64_t)year * 10000 + month * 100 + day) * 10000, i = 0;
	while (i < o->n && o->rows[i].id < id)
		i++;
	return i;
}

static enum err copy_order(struct demo *d, const struct demo_order *o, struct errbuf *eb)
{
	struct text id, total, created, updated, customer, discount, tax, tip, cancelled;
	struct demo_state s;
	demo_order_state(o, d->head.horizon_s, &s);
	const char *values[] = {
		int_text(&id, o->id),
		s.status,
		money_text(&total, s.total_minor, d->decimals),
		time_text(&created, o->created_s),
		time_text(&updated, s.updated_s),
		o->customer_id ? int_text(&customer, o->customer_id) : NULL,
		"0",
		d->head.currency,
		money_text(&discount, s.discount_minor, d->decimals),
		money_text(&tax, s.tax_minor, d->decimals),
		s.tip_minor >= 0 ? money_text(&tip, s.tip_minor, d->decimals) : NULL,
		s.cancelled_s ? time_text(&cancelled, s.cancelled_s) : NULL,
	};
	return db_copy_row(d->db, sizeof values / sizeof *values, values, eb);
}

static enum err copy_lines(struct demo *d, const struct demo_order *o, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	for (int i = 0; i < o->lines_n && rc == ERR_OK; i++) {
		const struct demo_line *line = &d->orders.lines[o->line_from + i];
		struct text id, order, item, quantity, price;
		const char *values[] = {
			int_text(&id, o->id * 10 + i + 1),   int_text(&order, o->id),
			int_text(&item, line->item_id),      line->name,
			int_text(&quantity, line->quantity), money_text(&price, line->price_minor, d->decimals),
		};
		rc = db_copy_row(d->db, sizeof values / sizeof *values, values, eb);
	}
	return rc;
}

static enum err copy_refunds(struct demo *d, const struct demo_order *o, struct errbuf *eb)
{
	struct demo_state s;
	enum err rc = ERR_OK;
	demo_order_state(o, d->head.horizon_s, &s);
	for (int i = 0; i < s.refunds_n && rc == ERR_OK; i++) {
		struct text id, order, amount, at;
		const char *values[] = {
			int_text(&id, o->id * 10 + i + 1),
			int_text(&order, o->id),
			money_text(&amount, o->refunds[i].amount_minor, d->decimals),
			time_text(&at, o->refunds[i].at_s),
		};
		rc = db_copy_row(d->db, sizeof values / sizeof *values, values, eb);
	}
	return rc;
}

/* A table: where its rows wait, how they get there, and how they are merged. */
struct load {
	const char *stage, *copy_sql;
	enum err (*copy)(struct demo *d, const struct demo_order *o, struct errbuf *eb);
	const char *put;
};

static const struct load loads[] = {
	{"demo_stage_orders",
     "COPY demo_orders (id, status, total_amount, created_at, updated_at, customer_id,"
     " location_id, currency, discount, tax, tip, cancelled_at) FROM STDIN",
     copy_order, "demo_put_orders"},
	{"demo_stage_items",
     "COPY demo_items (id, order_id, item_id, name, quantity, unit_price) FROM STDIN", copy_lines,
     "demo_put_items"},
	{"demo_stage_refunds", "COPY demo_refunds (id, order_id, amount, created_at) FROM STDIN",
     copy_refunds, "demo_put_refunds"},
};

static enum err copy_all(struct demo *d, const struct load *load, struct errbuf *eb)
{
	enum err rc = db_copy_begin(d->db, load->copy_sql, eb);
	if (rc != ERR_OK)
		return rc;
	for (int64_t i = first_of(&d->orders, d->load_from); i < d->orders.n && rc == ERR_OK; i++)
		rc = load->copy(d, &d->orders.rows[i], eb);
	enum err ended = db_copy_end(d->db, rc == ERR_OK, eb);
	return rc != ERR_OK ? rc : ended;
}

static enum err put(struct demo *d, const struct load *load, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(d->db, load->put, DB_NO_PARAMS, &rs, eb);
	if (rc != ERR_OK)
		return rc;
	if (load->copy == copy_order) {
		d->added = rowset_int(&rs, 0, "added");
		d->changed = rowset_int(&rs, 0, "changed");
	} else if (load->copy == copy_refunds) {
		d->refunds_added = rowset_affected(&rs);
	}
	rowset_fini(&rs);
	return ERR_OK;
}

static enum err put_mark(struct demo *d, struct errbuf *eb)
{
	struct text seed, cutoff, as_of;
	char first[DEMO_DATE_TEXT];
	demo_date_format(d->head.first_date, first);
	return db_query(d->db, "demo_mark_put",
	                DB_PARAMS({"seed", int_text(&seed, d->head.seed)}, {"first", first},
	                          {"zone", d->head.zone}, {"currency", d->head.currency},
	                          {"cutoff", int_text(&cutoff, d->head.cutoff_h)},
	                          {"as_of", time_text(&as_of, d->head.horizon_s)}),
	                NULL, eb);
}

static enum err load_tables(struct demo *d, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	for (size_t i = 0; i < sizeof loads / sizeof *loads && rc == ERR_OK; i++) {
		rc = db_query(d->db, loads[i].stage, DB_NO_PARAMS, NULL, eb);
		if (rc == ERR_OK)
			rc = copy_all(d, &loads[i], eb);
		if (rc == ERR_OK)
			rc = put(d, &loads[i], eb);
	}
	return rc == ERR_OK ? put_mark(d, eb) : rc;
}

/* ---- the whole ------------------------------------------------------------------- */

static enum err check_settings(struct demo *d, struct errbuf *eb)
{
	d->head.seed = d->opt.seed;
	d->head.zone = conf_str(d->conf, CONF_BUSINESS_TIMEZONE);
	d->head.cutoff_h = conf_int(d->conf, CONF_BUSINESS_DAY_CUTOFF);
	d->head.currency = conf_str(d->conf, CONF_DEFAULT_CURRENCY);
	if (!demo_menu_currency(d->head.currency, &d->decimals, &d->unit_minor))
		return err_set_field(eb, ERR_CONFIG, conf_name(CONF_DEFAULT_CURRENCY),
		                     "demo needs a currency with at most two decimals, not %s",
		                     d->head.currency);
	if (conf_str(d->conf, CONF_DEMO_URL)[0] == '\0')
		return err_set_field(eb, ERR_CONFIG, conf_name(CONF_DEMO_URL),
		                     "%s is empty; it names order_db with a user that may write,"
		                     " and only demo uses it",
		                     conf_name(CONF_DEMO_URL));
	return ERR_OK;
}

/* All in the caller's transaction. */
static enum err fill(struct demo *d, struct errbuf *eb)
{
	int64_t now_s = clock_now_us() / 1000000;
	enum err rc = look_at_tables(d, eb);
	if (rc == ERR_OK)
		rc = load_zone(d, now_s, eb);
	if (rc == ERR_OK)
		rc = set_range(d, now_s, eb);
	if (rc == ERR_OK)
		rc = draw(d, eb);
	if (rc == ERR_OK)
		rc = load_tables(d, eb);
	return rc;
}

/* The file appears together with the rows it speaks of. */
static enum err commit(struct demo *d, struct errbuf *eb)
{
	const char *path = d->opt.truth;
	const char *unfinished = path ? arena_printf(&d->arena, "%s.tmp", path) : NULL;
	enum err rc = path ? demo_truth_write(unfinished, &d->head, &d->zone, &d->orders, eb) : ERR_OK;
	if (rc == ERR_OK)
		rc = db_command(d->db, "COMMIT", eb);
	if (rc == ERR_OK && path && rename(unfinished, path) != 0)
		rc = err_set(eb, ERR_IO, "%s cannot be written: %m", path);
	if (rc != ERR_OK && path)
		(void)remove(unfinished);
	return rc;
}

/* A courtesy to the planner of whoever reads next; nothing fails without it. */
static void refresh_statistics(struct db *db)
{
	struct errbuf eb = {.code = ERR_OK};
	if (db_command(db, "ANALYZE orders, order_items, order_refunds", &eb) != ERR_OK)
		log_err("demo_not_analyzed", &eb);
}

static enum err run(struct demo *d, struct errbuf *eb)
{
	struct db_options opt = {.name = conf_name(CONF_DEMO_URL),
	                         .url = conf_str(d->conf, CONF_DEMO_URL),
	                         .program = "takings-batch demo",
	                         .settings = "-c client_min_messages=error"};
	enum err rc = db_open(&d->db, &opt, eb);
	if (rc == ERR_OK)
		rc = db_command(d->db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = fill(d, eb);
	if (rc == ERR_OK)
		rc = commit(d, eb);
	if (rc != ERR_OK && d->db)
		db_rollback(d->db);
	if (rc == ERR_OK)
		refresh_statistics(d->db);
	return rc;
}

/* 45120 -> 45,120 */
static const char *grouped(struct text *t, int64_t v)
{
	char digits[NUMBER_TEXT];
	int n = snprintf(digits, sizeof digits, "%" PRId64, v), at = 0;
	for (int i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			t->s[at++] = ',';
		t->s[at++] = digits[i];
	}
	t->s[at] = '\0';
	return t->s;
}

static int64_t days_with_orders(const struct demo *d)
{
	int64_t n = 0, last = NO_DATE;
	for (int64_t i = 0; i < d->orders.n; i++) {
		int64_t date = demo_zone_business_date(&d->zone, d->orders.rows[i].created_s);
		n += date != last;
		last = date;
	}
	return n;
}

static void summarize(const struct demo *d, int64_t elapsed_ms)
{
	struct text orders, lines, added, changed;
	char first[DEMO_DATE_TEXT], last[DEMO_DATE_TEXT];
	int64_t days = d->head.last_date - d->head.first_date + 1, lines_n = 0;
	for (int64_t i = 0; i < d->orders.n; i++)
		lines_n += d->orders.rows[i].lines_n;
	demo_date_format(d->head.first_date, first);
	demo_date_format(d->head.last_date, last);
	if (d->mark.found)
		(void)printf("Added %s orders and %" PRId64 " refunds, changed %s orders.\n",
		             grouped(&added, d->added), d->refunds_added, grouped(&changed, d->changed));
	(void)printf("%s orders with %s lines in %" PRId64 " days (%s to %s), %" PRId64
	             " of them closed, from seed %" PRId64 ", in %" PRId64 ".%" PRId64 " s.\n",
	             grouped(&orders, d->orders.n), grouped(&lines, lines_n), days, first, last,
	             days - days_with_orders(d), d->head.seed, elapsed_ms / 1000,
	             elapsed_ms % 1000 / 100);
}

enum job_exit job_demo(const struct conf *conf, int argc, char **argv)
{
	struct demo d = {.conf = conf};
	struct errbuf eb = {.code = ERR_OK};
	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], "--live") == 0)
			return demo_live(conf, argc, argv);
		else if (strcmp(argv[i], "--bookings") == 0)
			return demo_bookings(conf, argc, argv);
		else if (strcmp(argv[i], "--activity") == 0)
			return demo_activity(conf, argc, argv);
	int64_t started_ms = clock_mono_ms();
	arena_init(&d.arena);
	enum err rc = parse_options(&d.opt, argc, argv, &eb);
	if (rc == ERR_OK)
		rc = check_settings(&d, &eb);
	if (rc == ERR_OK)
		rc = run(&d, &eb);
	if (rc == ERR_OK) {
		summarize(&d, clock_mono_ms() - started_ms);
		if (d.added + d.changed + d.refunds_added == 0)
			rc = ERR_NOTHING;
	} else {
		log_err("demo_failed", &eb);
	}
	db_close(d.db);
	demo_orders_fini(&d.orders);
	demo_zone_fini(&d.zone);
	arena_fini(&d.arena);
	return job_exit_of(rc);
}
