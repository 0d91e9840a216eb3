/* activity_page.c: sessions and the event dictionary. */
#include "cgi-bin/activity_page.h"

#include <string.h>

#include "base/json_text.h"
#include "base/num.h"
#include "cgi-bin/admin.h"
#include "cgi-bin/audit.h"
#include "cgi-bin/pool.h"
#include "domain/activity_dimension.h"
#include "domain/activity_event.h"
#include "domain/activity_schema.h"

static const char DICTIONARY[] = "/admin/dictionary";

static void set_sees(struct call *c)
{
	call_param_set(c, "sees", identity_sees_customers(&c->who) ? "t" : "f");
}

/* ---- sessions --------------------------------------------------------------------- */

/* Where a list goes on: "MICROSECONDS.ID" of the session before. */
static bool read_cursor(struct call *c, const char *cursor)
{
	const int64_t most = INT64_C(7258118400000000); /* the end of 2199 */
	struct arena *m = c->req->arena;
	const char *dot = strchr(cursor, '.');
	int64_t at_us, id;
	if (!dot || !num_parse_int(arena_strndup(m, cursor, (size_t)(dot - cursor)), 0, most, &at_us) ||
	    !num_parse_int(dot + 1, 1, INT64_MAX, &id))
		return false;
	call_param_set(c, "after_us", admin_number(c, at_us));
	call_param_set(c, "after_id", dot + 1);
	return true;
}

void activity_sessions_page_handle(struct call *c)
{
	struct errbuf eb = {0};
	const char *cursor = call_param(c, "cursor");
	set_sees(c);
	tv_set_text(c->req->arena, admin_page(c), "origin", admin_origin(c));
	if (!cursor || read_cursor(c, cursor))
		return;
	(void)err_set_field(&eb, ERR_INVALID, "cursor", "cursor must be one of this list");
	call_refuse(c, 0, NULL, &eb);
	c->handled = true;
}

void activity_session_page_handle(struct call *c)
{
	set_sees(c);
}

/* ---- the dictionary ------------------------------------------------------------------ */

/* What was typed stands in the forms again. */
static struct tv *dictionary_page(struct call *c)
{
	static const char *const typed[] = {"event_type", "owner",    "description",
	                                    "name",       "property", "meaning"};
	struct arena *m = c->req->arena;
	bool fresh = c->more == NULL;
	struct tv *more = admin_page(c);
	if (!fresh)
		return more;
	for (size_t i = 0; i < sizeof typed / sizeof *typed; i++)
		tv_set_text(m, more, arena_printf(m, "typed_%s", typed[i]), call_param(c, typed[i]));
	tv_set(m, more, "type_problem", NULL);
	tv_set(m, more, "dimension_problem", NULL);
	return more;
}

void activity_dictionary_page_handle(struct call *c)
{
	(void)dictionary_page(c);
}

static void refuse_form(struct call *c, const char *form, int status, const char *problem)
{
	c->page_status = status;
	tv_set_text(c->req->arena, dictionary_page(c), form, problem);
}

static enum err write_type(struct call *c, struct db *db, const char *type, const char *schema,
                           const char *enforce, struct errbuf *eb)
{
	struct arena *m = c->req->arena;
	enum err rc = db_query(db, "activity_page_type_write",
	                       DB_PARAMS({"event_type", type}, {"owner", call_param(c, "owner")},
	                                 {"description", call_param(c, "description")},
	                                 {"schema", schema}, {"enforce", enforce}),
	                       NULL, eb);
	if (rc == ERR_OK)
		rc = audit_note(c, db, "event_type", arena_printf(m, "event_type:%s", type),
		                arena_printf(m, "{\"schema\": %s, \"enforce\": %s}",
		                             schema ? "true" : "false", enforce),
		                eb);
	return rc;
}

void activity_type_add_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct rowset known = {0};
	const char *type = call_param(c, "event_type");
	(void)dictionary_page(c);
	if (!activity_type_is_fine(type)) {
		refuse_form(c, "type_problem", 422, "A type has the letters a-z, digits and _ . : - only.");
		return;
	}
	struct db *db = admin_begin(c);
	if (!db)
		return;
	enum err rc =
		db_query(db, "activity_page_type_known", DB_PARAMS({"event_type", type}), &known, &eb);
	bool is_known = rowset_rows(&known) > 0;
	rowset_fini(&known);
	if (rc == ERR_OK && !is_known)
		rc = write_type(c, db, type, NULL, "false", &eb);
	if (!admin_end(c, db, rc, &eb))
		return;
	if (is_known)
		refuse_form(c, "type_problem", 409, "This type is in the dictionary already.");
	else
		admin_done(c, arena_printf(c->req->arena, "%s/types/%s", DICTIONARY, type), "type_added");
}

static struct tv *type_page(struct call *c, const char *typed, const char *problem)
{
	struct arena *m = c->req->arena;
	struct tv *more = admin_page(c);
	tv_set_text(m, more, "typed_owner", call_param(c, "owner"));
	tv_set_text(m, more, "typed_description", call_param(c, "description"));
	tv_set_text(m, more, "typed_schema", typed);
	tv_set_bool(m, more, "is_typed", typed != NULL);
	tv_set_bool(m, more, "typed_enforce", call_param(c, "enforce") != NULL);
	tv_set_text(m, more, "schema_problem", problem);
	return more;
}

void activity_type_page_handle(struct call *c)
{
	(void)type_page(c, NULL, NULL);
}

/* NULL: it can be kept. */
static const char *schema_problem(struct call *c, const char *text)
{
	struct errbuf eb = {0};
	const struct activity_schema *schema;
	if (activity_schema_parse(c->req->arena, text, &schema, &eb) == ERR_OK)
		return NULL;
	return arena_printf(c->req->arena, "It cannot be kept: %s.", eb.text);
}

void activity_type_write_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct rowset known = {0};
	const char *type = call_param(c, "event_type"), *schema = call_param(c, "schema");
	const char *enforce = call_param(c, "enforce"), *problem = NULL;
	bool is_set = schema[strspn(schema, " \t\r\n")] != '\0';
	if (is_set)
		problem = schema_problem(c, schema);
	else if (enforce)
		problem = "Without a schema there is nothing that an event could not fit.";
	(void)type_page(c, problem ? schema : NULL, problem);
	if (problem) {
		admin_refuse(c, 422, "Nothing was changed: see below.");
		return;
	}
	struct db *db = admin_begin(c);
	if (!db)
		return;
	enum err rc =
		db_query(db, "activity_page_type_known", DB_PARAMS({"event_type", type}), &known, &eb);
	bool is_known = rowset_rows(&known) > 0;
	rowset_fini(&known);
	if (rc == ERR_OK && is_known)
		rc = write_type(c, db, type, is_set ? schema : NULL, enforce ? "true" : "false", &eb);
	if (!admin_end(c, db, rc, &eb))
		return;
	if (is_known)
		admin_done(c, arena_printf(c->req->arena, "%s/types/%s", DICTIONARY, type), "type_written");
}

/* ---- dimensions ------------------------------------------------------------------------- */

static enum err declare(struct call *c, struct db *db, struct errbuf *eb)
{
	const char *name = call_param(c, "name"), *property = call_param(c, "property");
	struct buf actor, detail;
	buf_init(&actor);
	buf_init(&detail);
	identity_actor(&c->who, &actor);
	buf_puts(&detail, "{\"property\": ");
	json_text_put(&detail, property, strlen(property));
	buf_putc(&detail, '}');
	enum err rc = activity_dimension_declare(
		db, &(struct activity_declared){name, property, call_param(c, "meaning"), buf_str(&actor)},
		eb);
	if (rc == ERR_OK)
		rc = audit_note(c, db, "dimension_add", arena_printf(c->req->arena, "dimension:%s", name),
		                buf_str(&detail), eb);
	buf_fini(&actor);
	buf_fini(&detail);
	return rc;
}

void activity_dimension_add_handle(struct call *c)
{
	struct errbuf eb = {0};
	(void)dictionary_page(c);
	struct db *db = admin_begin(c);
	if (!db)
		return;
	enum err rc = declare(c, db, &eb);
	if (rc == ERR_INVALID || rc == ERR_BUSY) {
		pool_give(c->web->pool, db);
		refuse_form(c, "dimension_problem", rc == ERR_BUSY ? 409 : 422,
		            arena_printf(c->req->arena, "It cannot be declared: %s.", eb.text));
	} else if (admin_end(c, db, rc, &eb)) {
		admin_done(c, DICTIONARY, "dimension_added");
	}
}
