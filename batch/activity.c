/* activity.c: takings-batch activity: tracked events that were kept apart, and what becomes of
 * them. What an event says is on the page Data quality. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "batch/access.h"
#include "domain/activity_quarantine.h"

struct wish {
	const char *verb;
	struct activity_choice choice;
	bool all;
};

static enum err list(struct db *db, const struct wish *w, struct errbuf *eb)
{
	struct rowset rs = {0};
	enum err rc = db_query(db, "quarantine_list", DB_PARAMS({"reason", w->choice.reason}), &rs, eb);
	for (int i = 0; rc == ERR_OK && i < rowset_rows(&rs); i++)
		(void)printf("%8s  %s  %-12s %-16s %s%s%s: %s\n", rowset_get(&rs, i, "quarantine_id"),
		             rowset_get(&rs, i, "received"), rowset_get(&rs, i, "source"),
		             rowset_get(&rs, i, "event_type"), rowset_get(&rs, i, "reason"),
		             *rowset_get(&rs, i, "field") ? " " : "", rowset_get(&rs, i, "field"),
		             rowset_get(&rs, i, "detail"));
	if (rc == ERR_OK && rowset_rows(&rs))
		(void)printf("%s event(s) wait for a decision\n", rowset_get(&rs, 0, "n"));
	else if (rc == ERR_OK)
		(void)puts("no event is like that");
	rowset_fini(&rs);
	return rc;
}

static enum err decide(struct db *db, struct arena *a, const struct wish *w, struct errbuf *eb)
{
	bool store = strcmp(w->verb, "store") == 0;
	const char *of = w->choice.id ? w->choice.id : w->choice.reason ? "reason" : "all";
	int64_t n = 0;
	enum err rc = db_command(db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = store ? activity_quarantine_store(db, a, &w->choice, &n, eb)
		           : activity_quarantine_drop(db, &w->choice, &n, eb);
	if (rc == ERR_OK)
		rc = access_note(db, store ? "quarantine_store" : "quarantine_drop",
		                 arena_printf(a, "quarantine:%s", of),
		                 arena_printf(a, "{\"events\": %" PRId64 "}", n), eb);
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	if (rc == ERR_OK)
		(void)printf("%" PRId64 " event(s) %s\n", n, store ? "stored" : "dropped");
	else
		db_rollback(db);
	return rc;
}

static bool read_words(struct wish *w, int argc, char **argv)
{
	int64_t n;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--all") == 0)
			w->all = true;
		else if (strcmp(argv[i], "--reason") == 0 && i + 1 < argc)
			w->choice.reason = argv[++i];
		else if (!w->choice.id && num_parse_int(argv[i], 1, INT64_MAX, &n))
			w->choice.id = argv[i];
		else
			return false;
	}
	if (strcmp(w->verb, "list") == 0)
		return !w->all && !w->choice.id;
	return (strcmp(w->verb, "store") == 0 || strcmp(w->verb, "drop") == 0) &&
	       w->all + (w->choice.id != NULL) + (w->choice.reason != NULL) == 1;
}

enum job_exit job_activity(const struct conf *conf, int argc, char **argv)
{
	struct errbuf eb = {0};
	struct db *db = NULL;
	struct arena a;
	struct wish w = {.verb = argc > 0 ? argv[0] : ""};
	if (!read_words(&w, argc, argv)) {
		(void)fputs("takings-batch activity: see takings-batch activity --help\n", stderr);
		return JOB_USAGE;
	}
	arena_init(&a);
	enum err rc = access_open(&db, conf, &eb);
	if (rc == ERR_OK)
		rc = *w.verb == 'l' ? list(db, &w, &eb) : decide(db, &a, &w, &eb);
	if (rc != ERR_OK)
		(void)fprintf(stderr, "takings-batch activity: %s\n", eb.text);
	db_close(db);
	arena_fini(&a);
	return job_exit_of(rc);
}
