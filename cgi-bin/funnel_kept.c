/* funnel_kept.c: funnels that are kept under a name. */
#include <string.h>

#include "cgi-bin/audit.h"
#include "cgi-bin/funnel_parts.h"
#include "cgi-bin/watch.h"
#include "db/rowset.h"

enum { DEPTH = 6 };

/* ---- reading -------------------------------------------------------------------------- */

static enum err read_kept(struct arena *a, const struct rowset *rs, int row,
                          struct funnel_kept *out, struct errbuf *eb)
{
	const struct jnode *top;
	struct funnel_definition d;
	const char *text = arena_strdup(a, rowset_get(rs, row, "definition"));
	enum err rc = jnode_parse(a, text, strlen(text), DEPTH, NULL, &top, eb);
	if (rc == ERR_OK)
		rc = funnel_definition_read(a, top, &d, eb);
	if (rc != ERR_OK)
		return rc;
	const char *by = rowset_get(rs, row, "written_by"), *at = rowset_get(rs, row, "written_at");
	*out = (struct funnel_kept){.name = arena_strdup(a, rowset_get(rs, row, "funnel_name")),
	                            .order = d.order,
	                            .by_session = d.by_session,
	                            .window_s = d.window_s,
	                            .steps_n = d.steps_n,
	                            .definition = text,
	                            .built_in = *rowset_get(rs, row, "built_in") == 't',
	                            .written_by = by ? arena_strdup(a, by) : NULL,
	                            .written_at = at ? arena_strdup(a, at) : NULL};
	for (int i = 0; i < d.steps_n; i++)
		out->steps[i] = funnel_step_named(a, &d.steps[i]);
	return ERR_OK;
}

enum err funnel_list(struct call *c, const char *name, const struct funnel_kept **out, int *n,
                     struct errbuf *eb)
{
	struct arena *a = c->req->arena;
	struct rowset rs = {0};
	const struct db_ask ask = {"funnel_list", DB_PARAMS({"funnel_name", name}), &rs};
	enum err rc = call_ask(c, &ask, 1, eb);
	int rows = rc == ERR_OK ? rowset_rows(&rs) : 0;
	struct funnel_kept *list = arena_array(a, (size_t)rows + 1, sizeof *list);
	for (int i = 0; rc == ERR_OK && i < rows; i++)
		rc = read_kept(a, &rs, i, &list[i], eb);
	rowset_fini(&rs);
	*out = list;
	*n = rows;
	if (rc == ERR_OK && name && rows == 0)
		rc = err_set_field(eb, ERR_NOT_FOUND, "funnel_name", "there is no funnel %.64s", name);
	return rc;
}

/* ---- writing ---------------------------------------------------------------------------- */

static enum err check_name(const char *name, struct errbuf *eb)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t n = strspn(name, plain);
	if (n == 0 || n > FUNNEL_NAME_BYTES || name[n] || *name == '-' || *name == '_')
		return err_set_field(eb, ERR_INVALID, "funnel_name",
		                     "funnel_name is not 1 to %d of a-z 0-9 - _, a letter or digit first",
		                     FUNNEL_NAME_BYTES);
	return ERR_OK;
}

/* Only what can be asked is kept. */
static enum err check_dimensions(struct db *db, struct arena *a, const struct funnel_definition *d,
                                 struct errbuf *eb)
{
	struct rowset rs = {0};
	bool used[64] = {false};
	int used_n = 0;
	enum err rc = db_query(db, "ask_dimensions", DB_NO_PARAMS, &rs, eb);
	for (int i = 0; rc == ERR_OK && i < d->steps_n; i++)
		for (int k = 0; rc == ERR_OK && k < d->steps[i].filters_n; k++) {
			const char *name = d->steps[i].filters[k].dimension;
			const char *field = arena_printf(a, "steps[%d].filters.%.30s", i, name);
			int at = 0;
			while (at < rowset_rows(&rs) && strcmp(rowset_get(&rs, at, "name"), name) != 0)
				at++;
			if (at == rowset_rows(&rs) || at >= (int)sizeof used)
				rc = err_set_field(eb, ERR_INVALID, field, "there is no dimension %.64s", name);
			else if (!used[at] && ++used_n > SEQUENCE_DIMS_ASKED)
				rc = err_set_field(eb, ERR_INVALID, field, "at most %d dimensions at once",
				                   SEQUENCE_DIMS_ASKED);
			else
				used[at] = true;
		}
	rowset_fini(&rs);
	return rc;
}

static enum err insert(struct call *c, struct db *db, const char *name, const char *definition,
                       bool *made, struct errbuf *eb)
{
	struct rowset rs = {0};
	struct buf actor;
	buf_init(&actor);
	identity_actor(&c->who, &actor);
	enum err rc = db_query(db, "funnel_lock", DB_NO_PARAMS, NULL, eb);
	if (rc == ERR_OK)
		rc = db_query(db, "funnel_write",
		              DB_PARAMS({"funnel_name", name}, {"definition", definition},
		                        {"actor", buf_str(&actor)},
		                        {"most", arena_printf(c->req->arena, "%d", FUNNELS)}),
		              &rs, eb);
	if (rc == ERR_OK && *rowset_get(&rs, 0, "done") != 't')
		rc = err_set_field(eb, ERR_INVALID, "funnel_name",
		                   "there are %d funnels, the most that are kept", FUNNELS);
	*made = rc == ERR_OK && *rowset_get(&rs, 0, "known") != 't';
	rowset_fini(&rs);
	buf_fini(&actor);
	return rc;
}

static enum err note(struct call *c, struct db *db, const char *action, const char *name,
                     struct errbuf *eb)
{
	return audit_note(c, db, action, arena_printf(c->req->arena, "funnel:%s", name), "{}", eb);
}

enum err funnel_write(struct call *c, struct db *db, const char *name, const char *definition,
                      size_t definition_n, bool *made, struct errbuf *eb)
{
	struct arena *a = c->req->arena;
	const struct jnode *top;
	struct funnel_definition d;
	struct errbuf why = {0};
	*made = false;
	enum err rc = check_name(name, eb);
	if (rc != ERR_OK)
		return rc;
	rc = jnode_parse(a, definition, definition_n, DEPTH, NULL, &top, &why);
	if (rc != ERR_OK)
		return err_set_field(eb, rc, "body", "%s", why.text);
	rc = funnel_definition_read(a, top, &d, eb);
	if (rc == ERR_OK)
		rc = check_dimensions(db, a, &d, eb);
	if (rc == ERR_OK)
		rc = insert(c, db, name, funnel_definition_text(a, &d), made, eb);
	return rc == ERR_OK ? note(c, db, *made ? "funnel_add" : "funnel_write", name, eb) : rc;
}

enum err funnel_delete(struct call *c, struct db *db, const char *name, struct errbuf *eb)
{
	struct rowset rs = {0};
	if (strcmp(name, "checkout") == 0)
		return err_set_field(eb, ERR_INVALID, "funnel_name",
		                     "checkout is always there: it can be changed");
	enum err rc = db_query(db, "funnel_delete", DB_PARAMS({"funnel_name", name}), &rs, eb);
	if (rc == ERR_OK && rowset_rows(&rs) == 0)
		rc = err_set_field(eb, ERR_NOT_FOUND, "funnel_name", "there is no funnel %.64s", name);
	rowset_fini(&rs);
	return rc == ERR_OK ? note(c, db, "funnel_delete", name, eb) : rc;
}

/* ---- handlers ---------------------------------------------------------------------------- */

/* Commits, or answers with what went wrong. */
static bool end(struct call *c, struct db *db, enum err rc, struct errbuf *eb)
{
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	pool_give(c->web->pool, db);
	watch_activity_changed(c->web->watch);
	if (rc != ERR_OK) {
		call_refuse(c, 0, NULL, eb);
		c->handled = true;
	}
	return rc == ERR_OK;
}

static struct db *begin(struct call *c, struct errbuf *eb)
{
	struct db *db;
	if (call_begin(c, POOL_WRITE, &db, eb) == ERR_OK)
		return db;
	call_refuse(c, 0, NULL, eb);
	c->handled = true;
	return NULL;
}

void funnel_put_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct db *db = begin(c, &eb);
	bool made;
	if (!db)
		return;
	enum err rc = funnel_write(c, db, call_param(c, "funnel_name"), c->req->body, c->req->body_len,
	                           &made, &eb);
	(void)end(c, db, rc, &eb);
}

void funnel_delete_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct json j;
	struct db *db = begin(c, &eb);
	if (!db || !end(c, db, funnel_delete(c, db, call_param(c, "funnel_name"), &eb), &eb))
		return;
	reply_begin(c->reply, 200, "application/json");
	json_init(&j, &c->reply->body);
	json_begin_object(&j);
	json_pair_text(&j, "funnel_name", call_param(c, "funnel_name"));
	json_pair_bool(&j, "deleted", true);
	json_end_object(&j);
	json_end(&j);
}
