/* holiday.c: takings-batch holiday: days people behave differently on. The public ones of
 * HOLIDAYS are known; a shop's own are kept in special_day. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "batch/access.h"
#include "batch/demo_calendar.h"
#include "domain/holidays.h"
#include "domain/user.h"

/* A mistyped year must not make a day of every day to come. */
enum { DAYS_AT_ONCE = 366 };

struct wish {
	const char *word;                          /* list, add, remove, import */
	const char *day, *until, *name, *location; /* until: the day itself where not given */
	const char *file;
	int64_t year; /* 0: this one */
};

/* ---- list ------------------------------------------------------------------ */

struct listed {
	struct db *db;
	struct errbuf *eb;
	enum err rc;
};

/* Public ones are sorted in among the shop's own by the database. */
static void list_public(void *arg, int32_t day, const char *name)
{
	struct listed *l = arg;
	char text[16];
	(void)snprintf(text, sizeof text, "%d", (int)day);
	if (l->rc == ERR_OK)
		l->rc = db_query(l->db, "holiday_public", DB_PARAMS({"day", text}, {"name", name}), NULL,
		                 l->eb);
}

static int this_year(void)
{
	return holidays_date_of((int32_t)(clock_now_us() / 1000000 / 86400)).year;
}

static enum err list(struct db *db, const struct conf *conf, const struct wish *w,
                     struct errbuf *eb)
{
	char year[16];
	struct rowset rs = {0};
	struct listed l = {db, eb, ERR_OK};
	const char *countries = conf_str(conf, CONF_HOLIDAYS);
	int n = w->year ? (int)w->year : this_year();
	(void)snprintf(year, sizeof year, "%d", n);
	enum err rc = db_script(db, "holiday_table", eb);
	if (rc == ERR_OK)
		holidays_of_all(countries, n, list_public, &l);
	if (rc == ERR_OK)
		rc = l.rc;
	if (rc == ERR_OK)
		rc = db_query(db, "holiday_list", DB_PARAMS({"year", year}), &rs, eb);
	for (int i = 0; rc == ERR_OK && i < rowset_rows(&rs); i++)
		(void)printf("%s  %s  %s%s%s\n", rowset_get(&rs, i, "day"), rowset_get(&rs, i, "weekday"),
		             rowset_get(&rs, i, "name"), rowset_get(&rs, i, "of") ? "  " : "",
		             rowset_get(&rs, i, "of") ? rowset_get(&rs, i, "of") : "");
	if (rc == ERR_OK && !*countries)
		(void)fprintf(stderr, "%s is empty: no public holidays\n", conf_name(CONF_HOLIDAYS));
	rowset_fini(&rs);
	return rc;
}

/* ---- add and remove ----------------------------------------------------------- */

static enum err check_days(const struct wish *w, struct errbuf *eb)
{
	must(w->day && w->until && w->name);
	if (!num_is_date(w->day))
		return err_set_field(eb, ERR_INVALID, "date", "'%s' is not a date YYYY-MM-DD", w->day);
	if (!num_is_date(w->until))
		return err_set_field(eb, ERR_INVALID, "until", "'%s' is not a date YYYY-MM-DD", w->until);
	if (strcmp(w->until, w->day) < 0)
		return err_set_field(eb, ERR_INVALID, "until", "--until %s is before %s", w->until, w->day);
	int64_t days = demo_date_parse(w->until) - demo_date_parse(w->day) + 1;
	if (strcmp(w->word, "add") == 0 && days > DAYS_AT_ONCE)
		return err_set_field(eb, ERR_INVALID, "until",
		                     "%s to %s are %lld days; at most %d can be named at once", w->day,
		                     w->until, (long long)days, DAYS_AT_ONCE);
	if (!key_name_fits(w->name))
		return err_set_field(eb, ERR_INVALID, "name",
		                     "a day's name has 1 to %d bytes, all printable", KEY_NAME_BYTES);
	return ERR_OK;
}

static enum err change(struct db *db, const struct wish *w, struct rowset *rs, struct errbuf *eb)
{
	const struct db_param *params = DB_PARAMS({"day", w->day}, {"until", w->until},
	                                          {"name", w->name}, {"location_id", w->location});
	return strcmp(w->word, "remove") == 0 ? db_query(db, "holiday_remove", params, rs, eb)
	                                      : db_query(db, "holiday_add", params, rs, eb);
}

static enum err change_days(struct db *db, const struct wish *w, struct errbuf *eb)
{
	struct rowset rs = {0};
	enum err rc = check_days(w, eb);
	if (rc == ERR_OK)
		rc = change(db, w, &rs, eb);
	if (rc != ERR_OK)
		return rc;
	bool removes = strcmp(w->word, "remove") == 0;
	long long n = (long long)rowset_affected(&rs);
	rowset_fini(&rs);
	if (removes && n == 0)
		return err_set(eb, ERR_NOT_FOUND, "there is no such day");
	(void)printf(removes ? "%lld day(s) removed\n" : "%lld day(s) added\n", n);
	return ERR_OK;
}

/* ---- import -------------------------------------------------------------------- */

/* Takes the field at *at and goes behind its comma; "" may stand for a quote in a quoted one.
 * NULL where a quote is not closed. The line is written over. */
static char *next_field(char **at)
{
	char *p = *at, *start = p, *to = p;
	bool quoted = *p == '"';
	if (quoted)
		start = to = ++p;
	while (*p && (quoted || *p != ',')) {
		if (quoted && *p == '"' && p[1] != '"')
			break;
		p += quoted && *p == '"';
		*to++ = *p++;
	}
	if (quoted && *p++ != '"')
		return NULL;
	*at = *p == ',' ? p + 1 : p;
	bool clean = *p == ',' || *p == '\0';
	*to = '\0';
	return clean ? start : NULL;
}

static enum err import_line(struct db *db, char *line, int no, int64_t *added, struct errbuf *eb)
{
	struct rowset rs = {0};
	struct errbuf why = {0};
	char *at = line, *day, *name = NULL;
	line[strcspn(line, "\r\n")] = '\0';
	if (!*line)
		return ERR_OK;
	day = next_field(&at);
	if (day)
		name = next_field(&at);
	if (no == 1)
		return name && strcmp(day, "ds") == 0 && strcmp(name, "holiday") == 0 && !*at
		           ? ERR_OK
		           : err_set(eb, ERR_INVALID, "line 1 is not ds,holiday");
	if (!name || *at)
		return err_set(eb, ERR_INVALID, "line %d has not two fields, a date and a name", no);
	struct wish w = {.word = "add", .day = day, .until = day, .name = name};
	enum err rc = check_days(&w, &why);
	if (rc == ERR_OK)
		rc = change(db, &w, &rs, &why);
	*added += rowset_affected(&rs);
	rowset_fini(&rs);
	return rc == ERR_OK ? rc : err_set(eb, rc, "line %d: %s", no, why.text);
}

static enum err import_file(struct db *db, FILE *f, struct errbuf *eb)
{
	char *line = NULL;
	size_t cap = 0;
	int64_t added = 0;
	enum err rc = db_command(db, "BEGIN", eb);
	for (int no = 1; rc == ERR_OK && getline(&line, &cap, f) >= 0; no++)
		rc = import_line(db, no == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0 ? line + 3 : line, no,
		                 &added, eb);
	if (rc == ERR_OK && ferror(f))
		rc = err_set(eb, ERR_IO, "cannot read the file to its end: %m");
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	if (rc != ERR_OK)
		db_rollback(db);
	free(line);
	if (rc == ERR_OK)
		(void)printf("%lld day(s) added\n", (long long)added);
	return rc;
}

static enum err import(struct db *db, const char *path, struct errbuf *eb)
{
	FILE *f = fopen(path, "re");
	if (!f)
		return err_set(eb, ERR_IO, "cannot read %s: %m", path);
	enum err rc = import_file(db, f, eb);
	(void)fclose(f);
	return rc;
}

/* ---- the job -------------------------------------------------------------------- */

/* An option that a word takes, once, with a value; false for anything else. */
static bool read_option(struct wish *w, const char *name, const char *value)
{
	bool changes = strcmp(w->word, "add") == 0 || strcmp(w->word, "remove") == 0;
	int64_t location;
	if (!value)
		return false;
	if (strcmp(name, "--year") == 0 && strcmp(w->word, "list") == 0 && !w->year)
		return num_parse_int(value, 1900, 2199, &w->year);
	if (changes && strcmp(name, "--location") == 0 && !w->location) {
		w->location = value;
		return num_parse_int(value, 0, INT32_MAX, &location);
	}
	if (changes && strcmp(name, "--until") == 0 && !w->until) {
		w->until = value;
		return true;
	}
	return false;
}

static bool read_wish(int argc, char **argv, struct wish *w)
{
	w->word = argc > 0 ? argv[0] : "";
	bool imports = strcmp(w->word, "import") == 0;
	bool changes = strcmp(w->word, "add") == 0 || strcmp(w->word, "remove") == 0;
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--", 2) == 0) {
			if (!read_option(w, argv[i], i + 1 < argc ? argv[i + 1] : NULL))
				return false;
			i++;
		} else if (imports && !w->file) {
			w->file = argv[i];
		} else if (changes && !w->day) {
			w->day = argv[i];
		} else if (changes && !w->name) {
			w->name = argv[i];
		} else {
			return false;
		}
	}
	if (!w->until)
		w->until = w->day;
	return imports ? w->file != NULL : changes ? w->day && w->name : strcmp(w->word, "list") == 0;
}

enum job_exit job_holiday(const struct conf *conf, int argc, char **argv)
{
	struct errbuf eb = {0};
	struct db *db = NULL;
	struct wish w = {0};
	if (!read_wish(argc, argv, &w)) {
		(void)fputs("takings-batch holiday: see takings-batch holiday --help\n", stderr);
		return JOB_USAGE;
	}
	enum err rc = holidays_check(conf_str(conf, CONF_HOLIDAYS), conf_name(CONF_HOLIDAYS), &eb);
	if (rc == ERR_OK)
		rc = access_open(&db, conf, &eb);
	if (rc == ERR_OK)
		rc = w.file                        ? import(db, w.file, &eb)
		     : strcmp(w.word, "list") == 0 ? list(db, conf, &w, &eb)
		                                   : change_days(db, &w, &eb);
	if (rc != ERR_OK)
		log_err("holiday_failed", &eb);
	db_close(db);
	return job_exit_of(rc);
}
