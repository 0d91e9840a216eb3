/* inbox.c: messages about bookings: what came in, what could not be read, and what becomes of it.
 * What a message says is on its own page and nowhere else, not in the log and not in the audit. */
#include <inttypes.h>
#include <string.h>

#include "base/json_text.h"
#include "cgi-bin/admin.h"
#include "cgi-bin/audit.h"
#include "domain/inbox_mend.h"

static const char PATH[] = "/admin/inbox";

enum { FORM_BYTES = 20000 }; /* a longer message does not fit into a form, escaped as it is there */

void inbox_page_handle(struct call *c)
{
	(void)admin_page(c);
}

/* ---- one message ------------------------------------------------------------------ */

static const char *object_of(const struct call *c)
{
	return arena_printf(c->req->arena, "inbox:%s", call_param(c, "message_id"));
}

static const char *path_of(const struct call *c, const char *id)
{
	return arena_printf(c->req->arena, "%s/%s", PATH, id);
}

/* What it says, and in the form what it said or what was typed. */
static void put_text(struct call *c, const struct rowset *rs, const char *typed)
{
	struct arena *m = c->req->arena;
	struct buf text, pretty;
	buf_init(&text);
	buf_init(&pretty);
	if (rowset_get(rs, 0, "text"))
		buf_puts(&text, rowset_get(rs, 0, "text"));
	else if (rowset_get(rs, 0, "raw"))
		inbox_unhex(&text, rowset_get(rs, 0, "raw"));
	inbox_pretty(&pretty, buf_str(&text), text.len);
	tv_set(m, c->more, "pretty", tv_text_n(m, pretty.data ? pretty.data : "", pretty.len));
	tv_set_text(m, c->more, "typed", typed ? typed : buf_str(&pretty));
	tv_set_bool(m, c->more, "is_long", pretty.len > FORM_BYTES);
	buf_fini(&text);
	buf_fini(&pretty);
}

/* False: answered, with an error. */
static bool message_page(struct call *c, const char *typed)
{
	struct errbuf eb = {0};
	struct rowset rs = {0};
	struct arena *m = c->req->arena;
	(void)admin_page(c);
	tv_set(m, c->more, "pretty", NULL);
	tv_set(m, c->more, "typed", NULL);
	tv_set(m, c->more, "is_long", NULL);
	tv_set(m, c->more, "problem", NULL);
	tv_set(m, c->more, "problem_field", NULL);
	struct db_ask ask = {"inbox_text", DB_PARAMS({"message_id", call_param(c, "message_id")}), &rs};
	enum err rc = call_ask(c, &ask, 1, &eb);
	if (rc == ERR_OK && rowset_rows(&rs) == 0)
		rc = err_set(&eb, ERR_NOT_FOUND, "there is no such message");
	if (rc != ERR_OK) {
		rowset_fini(&rs);
		call_refuse(c, 0, NULL, &eb);
		c->handled = true;
		return false;
	}
	put_text(c, &rs, typed);
	rowset_fini(&rs);
	return true;
}

void inbox_message_handle(struct call *c)
{
	(void)message_page(c, NULL);
}

/* Ends the transaction of a change of one message. What speaks against it is said on its page;
 * everything else that fails is an answer of its own. */
static void message_end(struct call *c, struct db *db, enum err rc, struct errbuf *eb,
                        const char *typed, const char *to, const char *done)
{
	if (rc == ERR_NOT_FOUND || rc == ERR_BUSY || rc == ERR_INVALID || rc == ERR_MALFORMED) {
		struct errbuf why = *eb;
		err_clear(eb);
		pool_give(c->web->pool, db);
		if (!message_page(c, typed))
			return;
		bool text = rc == ERR_INVALID || rc == ERR_MALFORMED;
		admin_refuse(c,
		             rc == ERR_NOT_FOUND ? 404
		             : text              ? 422
		                                 : 409,
		             text ? "The message was not corrected: see below." : why.text);
		tv_set_text(c->req->arena, c->more, "problem", text ? why.text : NULL);
		tv_set_text(c->req->arena, c->more, "problem_field", text ? why.field : NULL);
		return;
	}
	if (admin_end(c, db, rc, eb))
		admin_done(c, path_of(c, to), done);
}

void inbox_fix_handle(struct call *c)
{
	struct errbuf eb = {0};
	const char *id = call_param(c, "message_id"), *text = call_param(c, "text"), *by = id;
	struct db *db = admin_begin(c);
	if (!db)
		return;
	enum err rc = inbox_fix(db, c->req->arena, id, text, strlen(text), &by, &eb);
	if (rc == ERR_OK)
		rc = audit_note(c, db, "inbox_fix", object_of(c),
		                arena_printf(c->req->arena, "{\"replaced_by\": %s}", by), &eb);
	message_end(c, db, rc, &eb, text, by, "inbox_fixed");
}

void inbox_replay_handle(struct call *c)
{
	struct errbuf eb = {0};
	const char *id = call_param(c, "message_id"), *ids;
	int64_t n;
	struct db *db = admin_begin(c);
	if (!db)
		return;
	enum err rc = inbox_replay(db, c->req->arena, &(struct inbox_choice){.id = id}, &n, &ids, &eb);
	if (rc == ERR_OK)
		rc = audit_note(c, db, "inbox_replay", object_of(c), "{}", &eb);
	message_end(c, db, rc, &eb, NULL, id, "inbox_replayed");
}

void inbox_drop_handle(struct call *c)
{
	struct errbuf eb = {0};
	const char *id = call_param(c, "message_id");
	int64_t n;
	if (strcmp(call_param(c, "confirm"), id) != 0) {
		if (message_page(c, NULL))
			admin_refuse(c, 422, "That is not the message’s number, so nothing was changed.");
		return;
	}
	struct db *db = admin_begin(c);
	if (!db)
		return;
	enum err rc = inbox_drop(db, &(struct inbox_choice){.id = id}, &n, &eb);
	if (rc == ERR_OK)
		rc = audit_note(c, db, "inbox_drop", object_of(c), "{}", &eb);
	message_end(c, db, rc, &eb, NULL, id, "inbox_dropped");
}

/* ---- all of one reason -------------------------------------------------------------- */

static struct inbox_choice reason_of(const struct call *c)
{
	return (struct inbox_choice){.field = call_param(c, "field"),
	                             .error = call_param(c, "error"),
	                             .until = call_param(c, "until")};
}

static enum err note_reason(struct call *c, struct db *db, const char *action, int64_t n,
                            struct errbuf *eb)
{
	struct buf detail;
	const char *field = call_param(c, "field");
	buf_init(&detail);
	buf_printf(&detail, "{\"messages\": %" PRId64 ", \"until\": %s, \"field\": ", n,
	           call_param(c, "until"));
	json_text_put(&detail, field, strlen(field));
	buf_putc(&detail, '}');
	enum err rc = audit_note(c, db, action, "inbox:reason", buf_str(&detail), eb);
	buf_fini(&detail);
	return rc;
}

static void reason_end(struct call *c, struct db *db, enum err rc, struct errbuf *eb,
                       const char *done)
{
	if (rc != ERR_NOT_FOUND) {
		if (admin_end(c, db, rc, eb))
			admin_done(c, PATH, done);
		return;
	}
	pool_give(c->web->pool, db);
	admin_refuse(c, 404, "No message is dead for this reason any more.");
}

void inbox_replay_reason_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct inbox_choice choice = reason_of(c);
	const char *ids;
	int64_t n;
	(void)admin_page(c);
	struct db *db = admin_begin(c);
	if (!db)
		return;
	enum err rc = inbox_replay(db, c->req->arena, &choice, &n, &ids, &eb);
	if (rc == ERR_OK)
		rc = note_reason(c, db, "inbox_replay", n, &eb);
	reason_end(c, db, rc, &eb, "inbox_replayed_all");
}

/* Typed is how many there are: somebody who counted. *right: that it is so. */
static enum err count_confirmed(struct call *c, struct db *db, bool *right, struct errbuf *eb)
{
	struct rowset rs = {0};
	enum err rc =
		db_query(db, "inbox_reason_count",
	             DB_PARAMS({"field", call_param(c, "field")}, {"error", call_param(c, "error")},
	                       {"until", call_param(c, "until")}),
	             &rs, eb);
	*right = rc == ERR_OK && strcmp(rowset_get(&rs, 0, "n"), call_param(c, "confirm")) == 0;
	rowset_fini(&rs);
	return rc;
}

void inbox_drop_reason_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct inbox_choice choice = reason_of(c);
	bool right = false;
	int64_t n;
	(void)admin_page(c);
	struct db *db = admin_begin(c);
	if (!db)
		return;
	enum err rc = count_confirmed(c, db, &right, &eb);
	if (rc == ERR_OK && !right) {
		pool_give(c->web->pool, db);
		admin_refuse(c, 422, "That is not how many messages there are, so nothing was changed.");
		return;
	}
	if (rc == ERR_OK)
		rc = inbox_drop(db, &choice, &n, &eb);
	if (rc == ERR_OK)
		rc = note_reason(c, db, "inbox_drop", n, &eb);
	reason_end(c, db, rc, &eb, "inbox_dropped_all");
}
