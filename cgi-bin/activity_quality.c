/* activity_quality.c: what became of everything that came, and what is done with events that were
 * kept apart. */
#include <inttypes.h>
#include <string.h>

#include "base/json_text.h"
#include "cgi-bin/activity_page.h"
#include "cgi-bin/admin.h"
#include "cgi-bin/audit.h"
#include "domain/activity_quarantine.h"

static const char PATH[] = "/admin/quality";

static void quality_page(struct call *c)
{
	(void)admin_page(c);
	call_param_set(c, "sees", identity_sees_customers(&c->who) ? "t" : "f");
}

void quality_page_handle(struct call *c)
{
	quality_page(c);
}

/* Ends the transaction of a decision: what speaks against it is said on the page. */
static void decision_end(struct call *c, struct db *db, enum err rc, struct errbuf *eb,
                         const char *done)
{
	if (rc != ERR_NOT_FOUND && rc != ERR_BUSY && rc != ERR_INVALID) {
		if (admin_end(c, db, rc, eb))
			admin_done(c, PATH, done);
		return;
	}
	pool_give(c->web->pool, db);
	admin_refuse(c,
	             rc == ERR_NOT_FOUND ? 404
	             : rc == ERR_BUSY    ? 409
	                                 : 422,
	             rc == ERR_INVALID ? arena_strdup(c->req->arena, eb->text)
	                               : "It was decided on already, or is not there any more.");
}

static void decide_one(struct call *c, bool store)
{
	struct errbuf eb = {0};
	struct arena *m = c->req->arena;
	const char *id = call_param(c, "quarantine_id");
	struct activity_choice choice = {.id = id};
	int64_t n;
	quality_page(c);
	struct db *db = admin_begin(c);
	if (!db)
		return;
	enum err rc = store ? activity_quarantine_store(db, m, &choice, &n, &eb)
	                    : activity_quarantine_drop(db, &choice, &n, &eb);
	if (rc == ERR_OK)
		rc = audit_note(c, db, store ? "quarantine_store" : "quarantine_drop",
		                arena_printf(m, "quarantine:%s", id), "{}", &eb);
	decision_end(c, db, rc, &eb, store ? "quarantine_stored" : "quarantine_dropped");
}

void quarantine_store_handle(struct call *c)
{
	decide_one(c, true);
}

void quarantine_drop_handle(struct call *c)
{
	decide_one(c, false);
}

/* ---- all of one reason -------------------------------------------------------------- */

static enum err note_all(struct call *c, struct db *db, const char *action, int64_t n,
                         struct errbuf *eb)
{
	struct buf detail;
	const char *reason = call_param(c, "reason"), *field = call_param(c, "field");
	buf_init(&detail);
	buf_printf(&detail, "{\"events\": %" PRId64 ", \"until\": %s, \"reason\": ", n,
	           call_param(c, "until"));
	json_text_put(&detail, reason, strlen(reason));
	buf_puts(&detail, ", \"field\": ");
	json_text_put(&detail, field, strlen(field));
	buf_putc(&detail, '}');
	enum err rc = audit_note(c, db, action, "quarantine:reason", buf_str(&detail), eb);
	buf_fini(&detail);
	return rc;
}

/* Typed is how many there are: somebody who counted. *right: that it is so. */
static enum err count_confirmed(struct call *c, struct db *db, bool *right, struct errbuf *eb)
{
	struct rowset rs = {0};
	enum err rc =
		db_query(db, "quality_reason_count",
	             DB_PARAMS({"reason", call_param(c, "reason")}, {"field", call_param(c, "field")},
	                       {"until", call_param(c, "until")}),
	             &rs, eb);
	*right = rc == ERR_OK && strcmp(rowset_get(&rs, 0, "n"), call_param(c, "confirm")) == 0;
	rowset_fini(&rs);
	return rc;
}

static void decide_all(struct call *c, bool store)
{
	struct errbuf eb = {0};
	struct activity_choice choice = {.reason = call_param(c, "reason"),
	                                 .field = call_param(c, "field"),
	                                 .until = call_param(c, "until")};
	bool right = store;
	int64_t n = 0;
	quality_page(c);
	struct db *db = admin_begin(c);
	if (!db)
		return;
	enum err rc = store ? ERR_OK : count_confirmed(c, db, &right, &eb);
	if (rc == ERR_OK && !right)
		rc = err_set(&eb, ERR_INVALID,
		             "That is not how many events there are, so nothing was changed.");
	if (rc == ERR_OK)
		rc = store ? activity_quarantine_store(db, c->req->arena, &choice, &n, &eb)
		           : activity_quarantine_drop(db, &choice, &n, &eb);
	if (rc == ERR_OK)
		rc = note_all(c, db, store ? "quarantine_store" : "quarantine_drop", n, &eb);
	decision_end(c, db, rc, &eb, store ? "quarantine_stored_all" : "quarantine_dropped_all");
}

void quarantine_store_all_handle(struct call *c)
{
	decide_all(c, true);
}

void quarantine_drop_all_handle(struct call *c)
{
	decide_all(c, false);
}
