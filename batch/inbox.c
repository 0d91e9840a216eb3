/* inbox.c: takings-batch inbox: messages about bookings, and what becomes of those that could not
 * be read or put into effect. The stream puts them into effect; here that is only asked for, and
 * waited for. What a message says is printed by `show` alone. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/num.h"
#include "batch/access.h"
#include "batch/progress.h"
#include "domain/booking_message.h"
#include "domain/inbox_mend.h"

enum { LOOK_MS = 200, LIMIT_MAX = 10000 };

struct wish {
	const char *verb, *id, *file;
	const char *state, *type, *event, *reason, *limit;
	bool all;
};

struct verdict {
	int64_t n, accepted, refused, retried, waiting;
	bool stream_works;
};

/* ---- looking ---------------------------------------------------------------------- */

static void print_reasons(const struct rowset *rs)
{
	for (int i = 0; i < rowset_rows(rs); i++)
		(void)printf("%6s  dead  %-12s %s  %s to %s\n", rowset_get(rs, i, "n"),
		             rowset_get(rs, i, "field_shown"), rowset_get(rs, i, "error_shown"),
		             rowset_get(rs, i, "first_at"), rowset_get(rs, i, "last_at"));
}

static void print_messages(const struct rowset *rs)
{
	for (int i = 0; i < rowset_rows(rs); i++)
		(void)printf("%8s  %s  %-9s %-18s event %-8s %-12s %s attempts  %s%s%s\n",
		             rowset_get(rs, i, "id"), rowset_get(rs, i, "came_at"),
		             rowset_get(rs, i, "standing"), rowset_get(rs, i, "event_type"),
		             rowset_get(rs, i, "event"), rowset_get(rs, i, "source"),
		             rowset_get(rs, i, "attempts"), rowset_get(rs, i, "error_field"),
		             *rowset_get(rs, i, "error_field") ? ": " : "",
		             rowset_get(rs, i, "last_error"));
}

static enum err list(struct db *db, const struct wish *w, struct errbuf *eb)
{
	struct rowset reasons = {0}, messages = {0};
	enum err rc = db_query(db, "inbox_reasons", DB_NO_PARAMS, &reasons, eb);
	if (rc == ERR_OK)
		rc = db_query(db, "inbox_list",
		              DB_PARAMS({"state", w->state}, {"type", w->type}, {"event", w->event},
		                        {"limit", w->limit}),
		              &messages, eb);
	if (rc == ERR_OK) {
		if (strcmp(w->state, "dead") == 0)
			print_reasons(&reasons);
		print_messages(&messages);
		if (rowset_rows(&messages) == 0)
			(void)puts("no message is like that");
	}
	rowset_fini(&reasons);
	rowset_fini(&messages);
	return rc;
}

static enum err print_text(struct db *db, const char *id, struct errbuf *eb)
{
	struct rowset rs = {0};
	struct buf text, pretty;
	enum err rc = db_query(db, "inbox_text", DB_PARAMS({"message_id", id}), &rs, eb);
	if (rc != ERR_OK)
		return rc;
	buf_init(&text);
	buf_init(&pretty);
	if (rowset_get(&rs, 0, "text"))
		buf_puts(&text, rowset_get(&rs, 0, "text"));
	else if (rowset_get(&rs, 0, "raw"))
		inbox_unhex(&text, rowset_get(&rs, 0, "raw"));
	inbox_pretty(&pretty, buf_str(&text), text.len);
	(void)printf("\n%s\n", buf_str(&pretty));
	buf_fini(&text);
	buf_fini(&pretty);
	rowset_fini(&rs);
	return ERR_OK;
}

static enum err show(struct db *db, const struct wish *w, struct errbuf *eb)
{
	static const char *const names[] = {"id",         "standing",    "event_type", "event",
	                                    "source",     "position",    "attempts",   "error_field",
	                                    "last_error", "replaced_by", "replaces",   "dedup_key"};
	struct rowset rs = {0}, timeline = {0};
	const struct db_param *params = DB_PARAMS({"message_id", w->id});
	enum err rc = db_query(db, "inbox_message", params, &rs, eb);
	if (rc == ERR_OK && rowset_rows(&rs) == 0)
		rc = err_set(eb, ERR_NOT_FOUND, "there is no such message");
	if (rc == ERR_OK)
		rc = db_query(db, "inbox_timeline", params, &timeline, eb);
	for (size_t i = 0; rc == ERR_OK && i < sizeof names / sizeof *names; i++) {
		const char *value = rowset_get(&rs, 0, names[i]);
		if (value && *value)
			(void)printf("%-12s %s\n", names[i], value);
	}
	for (int i = 0; rc == ERR_OK && i < rowset_rows(&timeline); i++)
		(void)printf("%s  %s%s%s\n", rowset_get(&timeline, i, "happened_at"),
		             rowset_get(&timeline, i, "what"), rowset_get(&timeline, i, "who") ? ", " : "",
		             rowset_get(&timeline, i, "who") ? rowset_get(&timeline, i, "who") : "");
	rowset_fini(&rs);
	rowset_fini(&timeline);
	return rc == ERR_OK ? print_text(db, w->id, eb) : rc;
}

/* ---- waiting ---------------------------------------------------------------------- */

static enum err look(struct db *db, const char *ids, struct verdict *v, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(db, "inbox_progress", DB_PARAMS({"ids", ids}), &rs, eb);
	if (rc != ERR_OK)
		return rc;
	*v = (struct verdict){.n = rowset_int(&rs, 0, "n"),
	                      .accepted = rowset_int(&rs, 0, "accepted"),
	                      .refused = rowset_int(&rs, 0, "refused"),
	                      .retried = rowset_int(&rs, 0, "retried"),
	                      .waiting = rowset_int(&rs, 0, "waiting"),
	                      .stream_works = strcmp(rowset_get(&rs, 0, "stream_works"), "t") == 0};
	rowset_fini(&rs);
	return ERR_OK;
}

static enum err await(struct db *db, const char *ids, int64_t n, struct verdict *v,
                      struct errbuf *eb)
{
	struct progress p;
	int64_t done = 0;
	progress_begin(&p, "messages read again", n);
	enum err rc = look(db, ids, v, eb);
	while (rc == ERR_OK && v->waiting && v->stream_works && !db_interrupted()) {
		progress_step(&p, v->n - v->waiting - done);
		done = v->n - v->waiting;
		(void)poll(NULL, 0, LOOK_MS);
		rc = look(db, ids, v, eb);
	}
	if (rc == ERR_OK)
		progress_step(&p, v->n - v->waiting - done);
	progress_end(&p);
	return rc;
}

/* Says what came of them; an error where that is not all good. */
static enum err outcome(struct db *db, const char *ids, int64_t n, struct errbuf *eb)
{
	struct verdict v = {0};
	enum err rc = await(db, ids, n, &v, eb);
	if (rc != ERR_OK)
		return rc;
	(void)printf("%" PRId64 " accepted, %" PRId64 " refused again, %" PRId64
	             " tried again later, %" PRId64 " waiting\n",
	             v.accepted, v.refused, v.retried, v.waiting);
	if (v.waiting)
		return err_set(eb, v.stream_works ? ERR_INTERRUPTED : ERR_BUSY,
		               v.stream_works
		                   ? "no longer waited for: takings-stream goes on with them"
		                   : "takings-stream is not at work: it reads them when it starts");
	if (v.refused)
		return err_set(eb, ERR_INVALID, "%" PRId64 " message(s) are refused: see inbox list --dead",
		               v.refused);
	return ERR_OK;
}

/* ---- changing ----------------------------------------------------------------------- */

/* Ends the transaction of a change, with its line in the audit log. */
static enum err commit(struct db *db, enum err rc, const char *action, const char *of,
                       const char *detail, struct errbuf *eb)
{
	struct buf object;
	buf_init(&object);
	buf_printf(&object, "inbox:%s", of);
	if (rc == ERR_OK)
		rc = access_note(db, action, buf_str(&object), detail, eb);
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	if (rc != ERR_OK)
		db_rollback(db);
	buf_fini(&object);
	return rc;
}

static enum err replay(struct db *db, struct arena *a, const struct wish *w, struct errbuf *eb)
{
	const char *ids;
	int64_t n = 0;
	enum err rc = db_command(db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = inbox_replay(db, a, &(struct inbox_choice){.id = w->id, .reason = w->reason}, &n, &ids,
		                  eb);
	rc = commit(db, rc, "inbox_replay",
	            w->id       ? w->id
	            : w->reason ? "reason"
	                        : "all",
	            arena_printf(a, "{\"messages\": %" PRId64 "}", n), eb);
	return rc == ERR_OK ? outcome(db, ids, n, eb) : rc;
}

static enum err read_input(const char *file, struct buf *out, struct errbuf *eb)
{
	char piece[8192];
	size_t n;
	if (strcmp(file, "-") != 0)
		return file_read(file, BOOKING_MESSAGE_BYTES, out, eb);
	while ((n = fread(piece, 1, sizeof piece, stdin)) > 0 && out->len <= BOOKING_MESSAGE_BYTES)
		buf_put(out, piece, n);
	return ferror(stdin) ? err_set(eb, ERR_IO, "standard input cannot be read: %m") : ERR_OK;
}

static enum err fix(struct db *db, struct arena *a, const struct wish *w, struct errbuf *eb)
{
	struct buf text;
	const char *by = w->id;
	must(w->id && w->file);
	buf_init(&text);
	enum err rc = read_input(w->file, &text, eb);
	if (rc == ERR_OK)
		rc = db_command(db, "BEGIN", eb);
	if (rc == ERR_OK) {
		rc = inbox_fix(db, a, w->id, buf_str(&text), text.len, &by, eb);
		rc = commit(db, rc, "inbox_fix", w->id, arena_printf(a, "{\"replaced_by\": %s}", by), eb);
	}
	buf_fini(&text);
	if (rc != ERR_OK)
		return rc;
	(void)printf("message %s stands in its place\n", by);
	return outcome(db, arena_printf(a, "{%s}", by), 1, eb);
}

static enum err drop(struct db *db, const struct wish *w, struct errbuf *eb)
{
	int64_t n;
	enum err rc = db_command(db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = inbox_drop(db, &(struct inbox_choice){.id = w->id}, &n, eb);
	rc = commit(db, rc, "inbox_drop", w->id, "{}", eb);
	if (rc == ERR_OK)
		(void)printf("message %s is dropped; its text is kept\n", w->id);
	return rc;
}

/* ---- the command line --------------------------------------------------------------- */

/* An option of list or replay with its value; false: not understood. */
static bool take_option(struct wish *w, const char *name, const char *value)
{
	int64_t n;
	if (strcmp(name, "--type") == 0)
		w->type = value;
	else if (strcmp(name, "--event") == 0 && num_parse_int(value, INT64_MIN, INT64_MAX, &n))
		w->event = value;
	else if (strcmp(name, "--limit") == 0 && num_parse_int(value, 1, LIMIT_MAX, &n))
		w->limit = value;
	else if (strcmp(name, "--reason") == 0)
		w->reason = value;
	else
		return false;
	return true;
}

static bool read_words(struct wish *w, int argc, char **argv)
{
	int64_t n;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--dead") == 0 || strcmp(argv[i], "--open") == 0)
			w->state = argv[i] + 2;
		else if (strcmp(argv[i], "--all") == 0)
			w->all = true;
		else if (strncmp(argv[i], "--", 2) == 0 && i + 1 < argc &&
		         take_option(w, argv[i], argv[i + 1]))
			i++;
		else if (!w->id && num_parse_int(argv[i], 1, INT64_MAX, &n))
			w->id = argv[i];
		else if (w->id && !w->file && strncmp(argv[i], "--", 2) != 0)
			w->file = argv[i];
		else
			return false;
	}
	return true;
}

/* Whether the words fit the verb. */
static bool fits(const struct wish *w)
{
	bool lists = *w->state || w->type || w->event || w->limit, picks = w->reason || w->all;
	if (strcmp(w->verb, "list") == 0)
		return !w->id && !picks;
	if (lists)
		return false;
	if (strcmp(w->verb, "replay") == 0)
		return (w->id != NULL) + (w->reason != NULL) + w->all == 1 && !w->file;
	if (strcmp(w->verb, "fix") == 0)
		return w->id && w->file && !picks;
	return (strcmp(w->verb, "show") == 0 || strcmp(w->verb, "drop") == 0) && w->id && !w->file &&
	       !picks;
}

static enum err obey(struct db *db, struct arena *a, struct wish *w, struct errbuf *eb)
{
	if (!w->limit)
		w->limit = "20";
	switch (*w->verb) {
	case 'l':
		return list(db, w, eb);
	case 's':
		return show(db, w, eb);
	case 'r':
		return replay(db, a, w, eb);
	case 'f':
		return fix(db, a, w, eb);
	default:
		return drop(db, w, eb);
	}
}

enum job_exit job_inbox(const struct conf *conf, int argc, char **argv)
{
	struct errbuf eb = {0};
	struct db *db = NULL;
	struct arena a;
	struct wish w = {.verb = argc > 0 ? argv[0] : "", .state = ""};
	if (!read_words(&w, argc, argv) || !fits(&w)) {
		(void)fputs("takings-batch inbox: see takings-batch inbox --help\n", stderr);
		return JOB_USAGE;
	}
	arena_init(&a);
	enum err rc = access_open(&db, conf, &eb);
	if (rc == ERR_OK)
		rc = obey(db, &a, &w, &eb);
	if (rc != ERR_OK && *eb.field)
		(void)fprintf(stderr, "takings-batch inbox: %s: %s\n", eb.field, eb.text);
	else if (rc != ERR_OK)
		(void)fprintf(stderr, "takings-batch inbox: %s\n", eb.text);
	db_close(db);
	arena_fini(&a);
	return job_exit_of(rc);
}
