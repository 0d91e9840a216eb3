/* admin.c: what the handlers of administration share. */
#include "cgi-bin/admin.h"

#include <string.h>

#include "cgi-bin/watch.h"

static const struct {
	const char *word, *sentence;
} done_words[] = {
	{"password", "Your password is changed, and every other session has ended."},
	{"session", "The session has ended."},
	{"sessions", "Every other session has ended."},
	{"role", "The role is changed. It counts at once."},
	{"disabled", "The user is disabled; sessions and tokens have ended."},
	{"enabled", "The user is enabled and may log in again."},
	{"user_sessions", "Every session of the user has ended."},
	{"key_revoked", "The key is revoked. Programs that use it are refused from now on."},
	{"person_erase", "What was held is erased. This is the certificate."},
	{"person_anonymise", "Nobody can tell whose it was any more. This is the certificate."},
	{"inbox_fixed", "The correction takes the message’s place. This is it."},
	{"inbox_replayed", "The message is read again; this page tells what comes of it."},
	{"inbox_dropped", "The message is dropped. It counts for nothing, and its text is kept."},
	{"inbox_replayed_all", "The messages are read again."},
	{"inbox_dropped_all",
     "The messages are dropped. They count for nothing; their texts are kept."},
	{"type_added", "The type is in the dictionary. Its events may come."},
	{"type_written", "Written down. It counts from now on."},
	{"dimension_added", "The dimension is declared. It counts for events from now on."},
	{"quarantine_stored", "The event is stored, and takes effect like any other."},
	{"quarantine_dropped", "The event is dropped. It counts for nothing."},
	{"quarantine_stored_all", "The events are stored. What could not be is still here."},
	{"quarantine_dropped_all", "The events are dropped. They count for nothing."},
	{"question_added", "The question is kept."},
	{"question_written", "Written down."},
	{"question_deleted", "The question is deleted."},
	{"funnel_added", "The funnel is kept."},
	{"funnel_written", "The funnel is changed."},
	{"funnel_deleted", "The funnel is deleted."},
};

static const char *done_sentence(const char *word)
{
	for (size_t i = 0; word && i < sizeof done_words / sizeof *done_words; i++)
		if (strcmp(done_words[i].word, word) == 0)
			return done_words[i].sentence;
	return NULL;
}

const char *admin_number(const struct call *c, int64_t n)
{
	return arena_printf(c->req->arena, "%lld", (long long)n);
}

const char *admin_origin(const struct call *c)
{
	struct arena *m = c->req->arena;
	const char *list = conf_str(c->conf, CONF_PUBLIC_ORIGIN);
	if (*list)
		return arena_strndup(m, list, strcspn(list, ","));
	const char *host = request_param(c->req, "HTTP_HOST");
	const char *port = request_param(c->req, "SERVER_PORT");
	return strcmp(port, "80") == 0 || *port == '\0' ? arena_printf(m, "http://%s", host)
	                                                : arena_printf(m, "http://%s:%s", host, port);
}

struct tv *admin_page(struct call *c)
{
	struct arena *m = c->req->arena;
	if (c->more)
		return c->more;
	c->more = tv_object(m);
	tv_set_text(m, c->more, "done", done_sentence(call_param(c, "done")));
	tv_set(m, c->more, "refused", NULL);
	call_param_set(c, "user_id", admin_number(c, c->who.user_id));
	call_param_set(c, "session_id", admin_number(c, c->who.session_id));
	call_param_set(c, "idle_minutes", conf_str(c->conf, CONF_SESSION_IDLE));
	return c->more;
}

void admin_refuse(struct call *c, int status, const char *sentence)
{
	struct tv *more = admin_page(c);
	c->page_status = status;
	tv_set_text(c->req->arena, more, "refused", sentence);
}

void admin_done(struct call *c, const char *path, const char *word)
{
	must(done_sentence(word) != NULL);
	call_redirect(c, arena_printf(c->req->arena, "%s?done=%s", path, word));
}

struct db *admin_begin(struct call *c)
{
	struct errbuf eb = {0};
	struct db *db;
	if (call_begin(c, POOL_WRITE, &db, &eb) == ERR_OK)
		return db;
	call_refuse(c, 0, NULL, &eb);
	c->handled = true;
	return NULL;
}

bool admin_end(struct call *c, struct db *db, enum err rc, struct errbuf *eb)
{
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	pool_give(c->web->pool, db);
	watch_access_changed(c->web->watch);
	if (rc != ERR_OK) {
		call_refuse(c, 0, NULL, eb);
		c->handled = true;
	}
	return rc == ERR_OK;
}
