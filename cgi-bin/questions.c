/* questions.c: questions of the explorer that were kept under a name. What is kept is what stands
 * behind the ? of its address. */
#include <string.h>

#include "base/json_text.h"
#include "cgi-bin/admin.h"
#include "cgi-bin/audit.h"
#include "cgi-bin/explorer.h"

static const char PATH[] = "/admin/questions";

static struct tv *questions_page(struct call *c)
{
	struct arena *m = c->req->arena;
	struct buf actor;
	bool fresh = c->more == NULL;
	struct tv *more = admin_page(c);
	if (!fresh)
		return more;
	buf_init(&actor);
	identity_actor(&c->who, &actor);
	call_param_set(c, "actor", arena_strdup(m, buf_str(&actor)));
	call_param_set(c, "role", admin_number(c, (int64_t)c->who.role));
	buf_fini(&actor);
	tv_set_text(m, more, "typed_name", call_param(c, "name"));
	tv_set_text(m, more, "typed_ask", call_param(c, "ask"));
	tv_set(m, more, "name_problem", NULL);
	return more;
}

void questions_page_handle(struct call *c)
{
	(void)questions_page(c);
}

static void refuse_name(struct call *c, const char *problem)
{
	c->page_status = 422;
	tv_set_text(c->req->arena, questions_page(c), "name_problem", problem);
}

/* What may stand behind the ? of an address, as explorer_link writes it. */
static bool is_query(const char *text)
{
	return text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	                         "-._~%&=+")] == '\0';
}

static const char *name_problem(const char *name)
{
	if (name[strspn(name, " ")] == '\0')
		return "A question needs a name.";
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return "A name has printable characters only.";
	return NULL;
}

static const char *shared_with(const struct call *c)
{
	const char *word = call_param(c, "shared");
	return strcmp(word, "nobody") == 0 ? NULL : word;
}

static const char *question_text(struct arena *m, const char *query)
{
	struct buf out;
	buf_init(&out);
	buf_puts(&out, "{\"query\": ");
	json_text_put(&out, query, strlen(query));
	buf_putc(&out, '}');
	const char *text = arena_strdup(m, buf_str(&out));
	buf_fini(&out);
	return text;
}

static enum err note(struct call *c, struct db *db, const char *action, const char *id,
                     struct errbuf *eb)
{
	struct buf detail;
	const char *name = call_param(c, "name");
	buf_init(&detail);
	buf_puts(&detail, "{");
	if (name) {
		buf_puts(&detail, "\"name\": ");
		json_text_put(&detail, name, strlen(name));
		buf_printf(&detail, ", \"shared_with\": \"%s\"", call_param(c, "shared"));
	}
	buf_puts(&detail, "}");
	enum err rc = audit_note(c, db, action, arena_printf(c->req->arena, "question:%s", id),
	                         buf_str(&detail), eb);
	buf_fini(&detail);
	return rc;
}

/* Ends a change: `rs` has its row where it was made. */
static void change_end(struct call *c, struct db *db, enum err rc, struct rowset *rs,
                       const char *action, const char *done, struct errbuf *eb)
{
	bool changed = rc == ERR_OK && rowset_rows(rs) > 0;
	bool taken = changed && *rowset_get(rs, 0, "taken") == 't';
	if (changed && !taken)
		rc = note(c, db, action, rowset_get(rs, 0, "question_id"), eb);
	rowset_fini(rs);
	if (!admin_end(c, db, rc, eb))
		return;
	if (taken)
		refuse_name(c, "You have a question of this name already.");
	else if (changed)
		admin_done(c, PATH, done);
	else
		admin_refuse(c, 404, "There is no such question of yours.");
}

void question_add_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct rowset rs = {0};
	const char *name = call_param(c, "name"), *query = call_param(c, "ask");
	(void)questions_page(c);
	const char *problem = is_query(query) ? name_problem(name) : "This is no question.";
	if (problem) {
		refuse_name(c, problem);
		return;
	}
	struct db *db = admin_begin(c);
	if (!db)
		return;
	enum err rc = db_query(db, "question_add",
	                       DB_PARAMS({"name", name}, {"actor", call_param(c, "actor")},
	                                 {"shared_with", shared_with(c)},
	                                 {"question", question_text(c->req->arena, query)}),
	                       &rs, &eb);
	change_end(c, db, rc, &rs, "question_add", "question_added", &eb);
}

void question_write_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct rowset rs = {0};
	(void)questions_page(c);
	const char *problem = name_problem(call_param(c, "name"));
	if (problem) {
		admin_refuse(c, 422, problem);
		return;
	}
	struct db *db = admin_begin(c);
	if (!db)
		return;
	enum err rc = db_query(
		db, "question_write",
		DB_PARAMS({"question_id", call_param(c, "question_id")}, {"name", call_param(c, "name")},
	              {"actor", call_param(c, "actor")}, {"shared_with", shared_with(c)}),
		&rs, &eb);
	change_end(c, db, rc, &rs, "question_write", "question_written", &eb);
}

void question_delete_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct rowset rs = {0};
	(void)questions_page(c);
	struct db *db = admin_begin(c);
	if (!db)
		return;
	enum err rc = db_query(db, "question_delete",
	                       DB_PARAMS({"question_id", call_param(c, "question_id")},
	                                 {"actor", call_param(c, "actor")},
	                                 {"is_admin", c->who.role >= ACCESS_ADMIN ? "t" : "f"}),
	                       &rs, &eb);
	change_end(c, db, rc, &rs, "question_delete", "question_deleted", &eb);
}
