/* replay.c: takings-batch replay: messages the stream refused, and having them read again. The
 * stream reads them, under the rules and settings it has now; here they are only asked for and
 * waited for. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "batch/access.h"
#include "batch/progress.h"

enum { LOOK_MS = 200 };

struct wish {
	const char *id, *reason; /* NULL: not given */
	bool all;
};

struct verdict {
	int64_t n, waiting, accepted, refused;
	bool stream_works;
};

static enum err list(struct db *db, const struct wish *w, struct errbuf *eb)
{
	struct rowset counts = {0}, newest = {0};
	const struct db_param *params = DB_PARAMS({"reason", w->reason});
	enum err rc = db_query(db, "dead_letter_counts", params, &counts, eb);
	if (rc == ERR_OK)
		rc = db_query(db, "dead_letter_newest", params, &newest, eb);
	for (int i = 0; rc == ERR_OK && i < rowset_rows(&counts); i++)
		(void)printf("%6s  %-10s %-24s %s %s  %s to %s%s\n", rowset_get(&counts, i, "n"),
		             rowset_get(&counts, i, "reason"), rowset_get(&counts, i, "field"),
		             rowset_get(&counts, i, "source"), rowset_get(&counts, i, "topic"),
		             rowset_get(&counts, i, "first_at"), rowset_get(&counts, i, "last_at"),
		             rowset_int(&counts, i, "wanted") ? "  (asked for again)" : "");
	if (rc == ERR_OK && rowset_rows(&newest))
		(void)puts("the newest:");
	for (int i = 0; rc == ERR_OK && i < rowset_rows(&newest); i++)
		(void)printf("%6s  %s/%s@%s  %s  %s: %s\n", rowset_get(&newest, i, "dead_letter_id"),
		             rowset_get(&newest, i, "topic"), rowset_get(&newest, i, "partition"),
		             rowset_get(&newest, i, "position"), rowset_get(&newest, i, "received"),
		             rowset_get(&newest, i, "reason"), rowset_get(&newest, i, "detail"));
	if (rc == ERR_OK && rowset_rows(&counts) == 0)
		(void)puts("no message was refused");
	rowset_fini(&counts);
	rowset_fini(&newest);
	return rc;
}

static enum err note(struct db *db, const struct wish *w, int64_t n, struct errbuf *eb)
{
	struct buf object, detail;
	buf_init(&object);
	buf_init(&detail);
	buf_printf(&object, "dead_letter:%s", w->id ? w->id : w->reason ? w->reason : "all");
	buf_printf(&detail, "{\"messages\": %" PRId64 "}", n);
	enum err rc = access_note(db, "dead_letter_replay", buf_str(&object), buf_str(&detail), eb);
	buf_fini(&object);
	buf_fini(&detail);
	return rc;
}

/* Asks for them, with its line in the audit log. ERR_NOT_FOUND: there is none. */
static enum err ask(struct db *db, const struct wish *w, int64_t *n, struct errbuf *eb)
{
	struct rowset rs = {0};
	enum err rc = db_script(db, "replay_tables", eb);
	if (rc == ERR_OK)
		rc = db_command(db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = db_query(db, "replay_want", DB_PARAMS({"id", w->id}, {"reason", w->reason}), &rs, eb);
	*n = rc == ERR_OK ? rowset_affected(&rs) : 0;
	if (rc == ERR_OK && *n == 0)
		rc = err_set(eb, ERR_NOT_FOUND, "there is no such message that was refused");
	if (rc == ERR_OK)
		rc = note(db, w, *n, eb);
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	if (rc != ERR_OK)
		db_rollback(db);
	rowset_fini(&rs);
	return rc;
}

static enum err look(struct db *db, struct verdict *v, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(db, "replay_progress", DB_NO_PARAMS, &rs, eb);
	if (rc != ERR_OK)
		return rc;
	*v = (struct verdict){.n = rowset_int(&rs, 0, "n"),
	                      .waiting = rowset_int(&rs, 0, "waiting"),
	                      .accepted = rowset_int(&rs, 0, "accepted"),
	                      .refused = rowset_int(&rs, 0, "refused"),
	                      .stream_works = strcmp(rowset_get(&rs, 0, "stream_works"), "t") == 0};
	rowset_fini(&rs);
	return ERR_OK;
}

static enum err await(struct db *db, int64_t n, struct verdict *v, struct errbuf *eb)
{
	struct progress p;
	int64_t done = 0;
	progress_begin(&p, "messages read again", n);
	enum err rc = look(db, v, eb);
	while (rc == ERR_OK && v->waiting && v->stream_works && !db_interrupted()) {
		progress_step(&p, v->n - v->waiting - done);
		done = v->n - v->waiting;
		(void)poll(NULL, 0, LOOK_MS);
		rc = look(db, v, eb);
	}
	if (rc == ERR_OK)
		progress_step(&p, v->n - v->waiting - done);
	progress_end(&p);
	return rc;
}

static enum err replay(struct db *db, const struct wish *w, struct errbuf *eb)
{
	int64_t n = 0;
	struct verdict v = {0};
	enum err rc = ask(db, w, &n, eb);
	if (rc == ERR_OK)
		rc = await(db, n, &v, eb);
	if (rc != ERR_OK)
		return rc;
	(void)printf("%" PRId64 " accepted, %" PRId64 " refused again, %" PRId64 " waiting\n",
	             v.accepted, v.refused, v.waiting);
	if (v.waiting)
		return err_set(eb, v.stream_works ? ERR_INTERRUPTED : ERR_BUSY,
		               v.stream_works
		                   ? "no longer waited for: takings-stream goes on with them"
		                   : "takings-stream is not at work: it reads them when it starts");
	return v.refused
	           ? err_set(eb, ERR_INVALID,
	                     "%" PRId64 " message(s) are refused as before: see replay list", v.refused)
	           : ERR_OK;
}

/* False for what is not understood. */
static bool read_wish(int argc, char **argv, struct wish *w)
{
	int64_t id;
	for (int i = 0; i < argc; i++) {
		bool more = i + 1 < argc;
		if (strcmp(argv[i], "--id") == 0 && more && num_parse_int(argv[i + 1], 1, INT64_MAX, &id))
			w->id = argv[++i];
		else if (strcmp(argv[i], "--reason") == 0 && more)
			w->reason = argv[++i];
		else if (strcmp(argv[i], "--all") == 0)
			w->all = true;
		else
			return false;
	}
	return (w->id != NULL) + (w->reason != NULL) + w->all <= 1;
}

enum job_exit job_replay(const struct conf *conf, int argc, char **argv)
{
	struct errbuf eb = {0};
	struct db *db = NULL;
	struct wish w = {0};
	bool is_list = argc > 0 && strcmp(argv[0], "list") == 0;
	bool understood = read_wish(argc - is_list, argv + is_list, &w);
	if (!understood || (is_list ? w.id || w.all : !w.id && !w.reason && !w.all)) {
		(void)fputs("takings-batch replay: see takings-batch replay --help\n", stderr);
		return JOB_USAGE;
	}
	enum err rc = access_open(&db, conf, &eb);
	if (rc == ERR_OK)
		rc = is_list ? list(db, &w, &eb) : replay(db, &w, &eb);
	if (rc != ERR_OK)
		log_err("replay_failed", &eb);
	db_close(db);
	return job_exit_of(rc);
}
