/* people.c: what is held about a person: looked at, handed out, taken away. The id is in bodies
 * alone, and neither the log nor the audit has it. */
#include <string.h>

#include "base/jnode.h"
#include "cgi-bin/admin.h"
#include "cgi-bin/audit.h"
#include "domain/person.h"

static const char PATH[] = "/admin/people";

static struct person asked(const struct call *c)
{
	return (struct person){.kind = call_param(c, "kind"), .id = call_param(c, "id")};
}

static struct tv *people_page(struct call *c)
{
	struct arena *m = c->req->arena;
	bool fresh = c->more == NULL;
	struct tv *more = admin_page(c);
	if (fresh)
		tv_set(m, more, "person", NULL);
	return more;
}

void people_page_handle(struct call *c)
{
	(void)people_page(c);
}

/* ---- looking ------------------------------------------------------------------------ */

static enum err note(struct call *c, struct db *db, const struct person *p, const char *action,
                     struct errbuf *eb)
{
	const char *subject;
	enum err rc = person_subject(db, c->req->arena, p, &subject, eb);
	return rc == ERR_OK ? audit_note(c, db, action, subject, "{}", eb) : rc;
}

static struct tv *holdings(struct arena *m, const struct rowset *rs)
{
	struct tv *list = tv_list(m);
	for (int i = 0; i < rowset_rows(rs); i++) {
		struct tv *row = tv_object(m);
		tv_set_text(m, row, "tbl", rowset_get(rs, i, "tbl"));
		tv_set_text(m, row, "held", rowset_get(rs, i, "held"));
		tv_push(m, list, row);
	}
	return list;
}

static void put_person(struct call *c, const struct person *p, const struct rowset *known,
                       const struct rowset *held)
{
	struct arena *m = c->req->arena;
	struct tv *person = tv_object(m);
	tv_set_text(m, person, "kind", p->kind);
	tv_set_text(m, person, "id", p->id);
	tv_set_text(m, person, "ids_n", rowset_get(known, 0, "ids"));
	tv_set_bool(m, person, "is_erased", *rowset_get(known, 0, "erased") == 't');
	tv_set(m, person, "held", holdings(m, held));
	tv_set(m, c->more, "person", person);
}

/* False: answered, with an error. */
static bool look(struct call *c, const struct person *p)
{
	struct errbuf eb = {0};
	struct rowset known = {0}, held = {0};
	const struct db_param *params = DB_PARAMS({"kind", p->kind}, {"id", p->id});
	(void)people_page(c);
	struct db *db = admin_begin(c);
	if (!db)
		return false;
	enum err rc = db_query(db, "person_known", params, &known, &eb);
	if (rc == ERR_OK)
		rc = db_query(db, "person_holdings", params, &held, &eb);
	if (rc == ERR_OK)
		rc = note(c, db, p, "person_look", &eb);
	if (rc == ERR_OK)
		put_person(c, p, &known, &held);
	rowset_fini(&known);
	rowset_fini(&held);
	return admin_end(c, db, rc, &eb);
}

void people_find_handle(struct call *c)
{
	struct person p = asked(c);
	(void)look(c, &p);
}

void people_export_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct person p = asked(c);
	const char *json = "";
	struct db *db = admin_begin(c);
	if (!db)
		return;
	enum err rc = person_export(db, c->req->arena, &p, &json, &eb);
	if (rc == ERR_OK)
		rc = note(c, db, &p, "person_export", &eb);
	if (!admin_end(c, db, rc, &eb))
		return;
	reply_begin(c->reply, 200, "application/json");
	reply_header_set(c->reply, "Content-Disposition", "attachment; filename=\"person.json\"");
	buf_puts(&c->reply->body, json);
	c->handled = true;
}

/* ---- forgetting ---------------------------------------------------------------------- */

static int64_t certificate_number(struct arena *m, const char *json)
{
	const struct jnode *top;
	struct errbuf ignored = {0};
	int64_t n = 0;
	if (jnode_parse(m, json, strlen(json), 8, NULL, &top, &ignored) == ERR_OK)
		(void)jnode_int(jnode_get(top, "certificate"), &n);
	return n;
}

static void forget(struct call *c, const char *how)
{
	struct errbuf eb = {0};
	struct person p = asked(c);
	struct arena *m = c->req->arena;
	const char *json = "";
	struct buf actor;
	if (strcmp(call_param(c, "confirm"), p.id) != 0) {
		if (look(c, &p))
			admin_refuse(c, 422, "That is not the id, so nothing was changed.");
		return;
	}
	(void)people_page(c);
	struct db *db = admin_begin(c);
	if (!db)
		return;
	buf_init(&actor);
	identity_actor(&c->who, &actor);
	const struct person_asker asker = {
		.actor = buf_str(&actor), .address = c->req->remote_addr, .request_id = c->req->request_id};
	enum err rc = person_forget(db, m, &p, how, &asker, &json, &eb);
	buf_fini(&actor);
	if (admin_end(c, db, rc, &eb))
		admin_done(
			c,
			arena_printf(m, "%s/certificates/%lld", PATH, (long long)certificate_number(m, json)),
			strcmp(how, "erase") == 0 ? "person_erase" : "person_anonymise");
}

void people_erase_handle(struct call *c)
{
	forget(c, "erase");
}

void people_anonymise_handle(struct call *c)
{
	forget(c, "anonymise");
}
