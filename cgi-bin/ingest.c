/* ingest.c: each message is looked at before any is stored, so that who sent a bad one corrects it
 * and sends all of them again; what was there already does not count twice. */
#include "cgi-bin/ingest.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/jnode.h"
#include "base/num.h"
#include "cgi-bin/stats.h"
#include "cgi-bin/watch.h"
#include "domain/booking_message.h"
#include "domain/inbox.h"
#include "web/json.h"

enum { BODY_DEPTH = BOOKING_MESSAGE_DEPTH + 2, PAUSE_MS = 25 };

/* ---- reading ---------------------------------------------------------------- */

/* "messages[3].seats"; of one that stands alone "seats", or "body" where it is the whole. */
static enum err refuse(struct errbuf *eb, int at, const struct errbuf *why)
{
	char field[sizeof eb->field + 32];
	if (at < 0)
		(void)snprintf(field, sizeof field, "%s", *why->field ? why->field : "body");
	else
		(void)snprintf(field, sizeof field, "messages[%d]%s%s", at, *why->field ? "." : "",
		               why->field);
	return err_set_field(eb, ERR_INVALID, field, "%s", why->text);
}

/* `at` is -1 for one that stands alone. */
static enum err take_message(struct call *c, struct inbox *in, const struct jnode *message, int at,
                             struct errbuf *eb)
{
	struct errbuf why = {0};
	char position[REQUEST_ID_MAX + 16];
	(void)snprintf(position, sizeof position, "%s/%d", c->req->request_id, at < 0 ? 0 : at);
	if (message->kind != JNODE_OBJECT)
		(void)err_set(&why, ERR_INVALID, "a message is a JSON object");
	else if (inbox_put(in, "http", position, NULL, message->raw, message->raw_n, false, &why) ==
	         ERR_OK)
		return ERR_OK;
	return refuse(eb, at, &why);
}

static enum err take_messages(struct call *c, struct inbox *in, const struct jnode *list,
                              struct errbuf *eb)
{
	int at = 0;
	enum err rc = ERR_OK;
	if (list->n < 1 || list->n > INGEST_MESSAGES)
		return err_set_field(eb, ERR_INVALID, "messages", "there must be 1 to %d messages",
		                     INGEST_MESSAGES);
	for (const struct jnode *m = list->first; rc == ERR_OK && m; m = m->next)
		rc = take_message(c, in, m, at++, eb);
	return rc;
}

/* A message, a list of them, or an object with nothing but a list of them. *n: how many came. */
static enum err take_body(struct call *c, struct inbox *in, int64_t *n, struct errbuf *eb)
{
	const struct jnode *top = NULL, *list;
	struct errbuf why = {0};
	*n = 1;
	enum err rc =
		jnode_parse(c->req->arena, c->req->body, c->req->body_len, BODY_DEPTH, NULL, &top, &why);
	if (rc != ERR_OK)
		return err_set_field(eb, rc, "body", "%s", why.text);
	list = top->kind == JNODE_ARRAY ? top : top->n == 1 ? jnode_get(top, "messages") : NULL;
	if (!list || list->kind != JNODE_ARRAY)
		return take_message(c, in, top, -1, eb);
	*n = list->n;
	return take_messages(c, in, list, eb);
}

/* ---- storing ------------------------------------------------------------------- */

static enum err store(struct call *c, struct inbox *in, struct inbox_written *out,
                      struct errbuf *eb)
{
	struct db *db;
	enum err rc = call_begin(c, POOL_WRITE, &db, eb);
	if (rc != ERR_OK)
		return rc;
	int64_t begun_us = clock_mono_us();
	rc = inbox_write(in, db, out, eb);
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	pool_give(c->web->pool, db);
	c->db_us += clock_mono_us() - begun_us;
	return rc;
}

static void reply_written(struct call *c, const struct inbox_written *w)
{
	struct json j;
	char token[32];
	(void)snprintf(token, sizeof token, "i%lld", (long long)w->last_id);
	reply_begin(c->reply, 202, "application/json");
	json_init(&j, &c->reply->body);
	json_begin_object(&j);
	json_pair_int(&j, "accepted", w->added);
	json_pair_int(&j, "duplicates", w->known);
	json_pair_text(&j, "write_token", token);
	json_end_object(&j);
	json_end(&j);
	buf_putc(&c->reply->body, '\n');
}

void ingest_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct inbox_written written;
	struct inbox *in = inbox_new();
	int64_t n;
	enum err rc = take_body(c, in, &n, &eb);
	if (rc != ERR_OK)
		stats_ingest(0, 0, n);
	else
		rc = store(c, in, &written, &eb);
	if (rc != ERR_OK) {
		call_refuse(c, 0, NULL, &eb);
	} else {
		stats_ingest(written.added, written.known, 0);
		reply_written(c, &written);
	}
	inbox_free(in);
	c->handled = true;
}

/* ---- waiting for the effect ------------------------------------------------------- */

bool ingest_token_parse(const char *text, int64_t *id)
{
	return *text == 'i' && num_parse_int(text + 1, 0, INT64_MAX, id);
}

/* *version: of the figures they are in, -1 before that; *ranked: up to where ranks are made. */
static enum err look(struct call *c, const char *id, int64_t *version, int64_t *ranked,
                     struct errbuf *eb)
{
	struct rowset rs;
	const struct db_ask ask = {
		.statement = "inbox_effect", .params = DB_PARAMS({"id", id}), .rs = &rs};
	enum err rc = call_ask(c, &ask, 1, eb);
	if (rc == ERR_OK) {
		bool done = strcmp(rowset_get(&rs, 0, "done"), "t") == 0;
		*ranked = rowset_int(&rs, 0, "ranked_version");
		if (*version < 0 && done)
			*version = rowset_int(&rs, 0, "version");
	}
	rowset_fini(&rs);
	return rc;
}

enum err ingest_wait(struct call *c, int64_t id, int64_t deadline_ms, struct errbuf *eb)
{
	const struct timespec pause = clock_timespec(PAUSE_MS);
	const char *text = arena_printf(c->req->arena, "%lld", (long long)id);
	int64_t version = -1, ranked = -1;
	bool waits = watch_wait_enter(c->web->watch);
	enum err rc = look(c, text, &version, &ranked, eb);
	while (rc == ERR_OK && (version < 0 || ranked < version)) {
		if (!waits || clock_mono_ms() >= deadline_ms) {
			rc = err_set_field(eb, ERR_BUSY, "X-Read-After",
			                   "what was stored up to i%s has not"
			                   " taken effect yet",
			                   text);
			break;
		}
		(void)nanosleep(&pause, NULL);
		rc = look(c, text, &version, &ranked, eb);
	}
	if (waits)
		watch_wait_leave(c->web->watch);
	return rc;
}
