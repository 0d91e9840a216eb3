/* users.c: other people's roles and sessions, and the keys of programs. Users are made on the
 * command line and nowhere else. */
#include <string.h>

#include "base/json_text.h"
#include "cgi-bin/admin.h"
#include "cgi-bin/audit.h"
#include "domain/user.h"
#include "web/origin.h"
#include "web/secret.h"

static const char PATH[] = "/admin/users";

static struct tv *users_page(struct call *c)
{
	struct arena *m = c->req->arena;
	bool fresh = c->more == NULL;
	struct tv *more = admin_page(c);
	if (!fresh)
		return more;
	tv_set(m, more, "new_key", NULL);
	tv_set(m, more, "key_problem", NULL);
	tv_set(m, more, "key_name", NULL);
	tv_set(m, more, "key_last_day", NULL);
	tv_set(m, more, "key_origins", NULL);
	return more;
}

void users_page_handle(struct call *c)
{
	(void)users_page(c);
}

/* ---- users --------------------------------------------------------------- */

struct user_change {
	const char *statement; /* with :username, :role and :enabled; NULL: sessions end, no more */
	const char *role, *enabled;
	const char *action, *done;
	bool ends_sessions, takes_power; /* takes_power: an admin may be none after it */
	bool asks_name;
};

/* NULL: nothing speaks against it. */
static const char *objection(const struct call *c, const struct user_change *change,
                             const struct rowset *user, int *status)
{
	*status = 404;
	if (rowset_rows(user) == 0)
		return "There is no such user any more.";
	*status = 409;
	if (strcmp(rowset_get(user, 0, "username"), c->who.name) == 0 && c->who.user_id)
		return "Nobody changes their own rights: ask another admin, or use the command line.";
	bool gives_up = change->takes_power && !(change->role && strcmp(change->role, "admin") == 0) &&
	                strcmp(rowset_get(user, 0, "role"), "admin") == 0 &&
	                *rowset_get(user, 0, "enabled") == 't';
	if (gives_up && *rowset_get(user, 0, "is_last") == 't')
		return "This is the last enabled admin: make another one first.";
	*status = 422;
	if (change->asks_name && strcmp(call_param(c, "confirm"), rowset_get(user, 0, "username")) != 0)
		return "That is not the user’s name, so nothing was changed.";
	return NULL;
}

static enum err write_change(struct call *c, struct db *db, const struct user_change *change,
                             const char *username, struct errbuf *eb)
{
	struct arena *m = c->req->arena;
	enum err rc = ERR_OK;
	if (change->statement)
		rc = db_query(
			db, change->statement,
			DB_PARAMS({"username", username}, {"role", change->role}, {"enabled", change->enabled}),
			NULL, eb);
	if (rc == ERR_OK && change->ends_sessions)
		rc = db_query(db, "user_sessions_end", DB_PARAMS({"username", username}), NULL, eb);
	if (rc == ERR_OK)
		rc = audit_note(c, db, change->action, arena_printf(m, "user:%s", username),
		                change->role ? arena_printf(m, "{\"role\": \"%s\"}", change->role) : "{}",
		                eb);
	return rc;
}

static void user_change(struct call *c, const struct user_change *change)
{
	struct errbuf eb = {0};
	struct rowset user = {0};
	const char *why = NULL;
	int status = 0;
	(void)users_page(c);
	struct db *db = admin_begin(c);
	if (!db)
		return;
	enum err rc = db_query(db, "admin_lock", DB_NO_PARAMS, NULL, &eb);
	if (rc == ERR_OK)
		rc =
			db_query(db, "admin_user", DB_PARAMS({"user_id", call_param(c, "target")}), &user, &eb);
	if (rc == ERR_OK)
		why = objection(c, change, &user, &status);
	if (rc == ERR_OK && !why)
		rc = write_change(c, db, change, rowset_get(&user, 0, "username"), &eb);
	rowset_fini(&user);
	if (!admin_end(c, db, rc, &eb))
		return;
	if (why)
		admin_refuse(c, status, why);
	else
		admin_done(c, PATH, change->done);
}

void user_role_handle(struct call *c)
{
	user_change(c, &(struct user_change){.statement = "user_role_set",
	                                     .role = call_param(c, "role"),
	                                     .action = "user_role",
	                                     .done = "role",
	                                     .takes_power = true});
}

void user_disable_handle(struct call *c)
{
	user_change(c, &(struct user_change){.statement = "user_enabled_set",
	                                     .enabled = "false",
	                                     .action = "user_disable",
	                                     .done = "disabled",
	                                     .ends_sessions = true,
	                                     .takes_power = true,
	                                     .asks_name = true});
}

void user_enable_handle(struct call *c)
{
	user_change(c, &(struct user_change){.statement = "user_enabled_set",
	                                     .enabled = "true",
	                                     .action = "user_enable",
	                                     .done = "enabled"});
}

void user_sessions_end_handle(struct call *c)
{
	user_change(c, &(struct user_change){.action = "user_sessions_end",
	                                     .done = "user_sessions",
	                                     .ends_sessions = true});
}

/* ---- keys ---------------------------------------------------------------- */

static void refuse_key(struct call *c, const char *problem)
{
	struct arena *m = c->req->arena;
	struct tv *more = users_page(c);
	c->page_status = 422;
	tv_set_text(m, more, "key_problem", problem);
	tv_set_text(m, more, "key_name", call_param(c, "name"));
	tv_set_text(m, more, "key_last_day", call_param(c, "last_day"));
	tv_set_text(m, more, "key_origins", call_param(c, "origins"));
}

static enum err write_key(struct call *c, struct db *db, struct buf *key, struct errbuf *eb)
{
	char prefix[SECRET_KEY_PREFIX], hash[SECRET_DIGEST_TEXT];
	const char *name = call_param(c, "name"), *scope = call_param(c, "scope");
	const char *origins = call_param(c, "origins");
	struct buf actor, detail;
	struct rowset rs = {0};
	secret_key_make(key, prefix, hash);
	buf_init(&actor);
	buf_init(&detail);
	identity_actor(&c->who, &actor);
	buf_puts(&detail, "{\"name\": ");
	json_text_put(&detail, name, strlen(name));
	buf_printf(&detail, ", \"scope\": \"%s\"", scope);
	if (*origins)
		buf_printf(&detail, ", \"origins\": \"%s\"", origins);
	buf_putc(&detail, '}');
	enum err rc = db_query(db, "key_add",
	                       DB_PARAMS({"name", name}, {"prefix", prefix}, {"key_hash", hash},
	                                 {"scope", scope}, {"created_by", buf_str(&actor)},
	                                 {"last_day", call_param(c, "last_day")}, {"origins", origins}),
	                       &rs, eb);
	if (rc == ERR_OK)
		rc = audit_note(c, db, "key_add",
		                arena_printf(c->req->arena, "key:%s", rowset_get(&rs, 0, "key_id")),
		                buf_str(&detail), eb);
	rowset_fini(&rs);
	buf_fini(&actor);
	buf_fini(&detail);
	return rc;
}

static enum err day_problem(struct call *c, struct db *db, const char **problem, struct errbuf *eb)
{
	struct rowset rs = {0};
	const char *last_day = call_param(c, "last_day");
	if (!last_day)
		return ERR_OK;
	enum err rc = db_query(db, "key_last_day", DB_PARAMS({"last_day", last_day}), &rs, eb);
	if (rc == ERR_OK && *rowset_get(&rs, 0, "future") != 't')
		*problem = "The last day is over already.";
	rowset_fini(&rs);
	return rc;
}

static void show_key(struct call *c, const char *key)
{
	struct arena *m = c->req->arena;
	struct tv *more = users_page(c), *made = tv_object(m);
	bool reads = strcmp(call_param(c, "scope"), "ingest") != 0;
	tv_set_text(m, made, "text", key);
	tv_set_text(m, made, "name", call_param(c, "name"));
	tv_set_text(m, made, "curl",
	            reads ? arena_printf(m,
	                                 "curl -H 'Authorization: Bearer %s' "
	                                 "'%s/api/admin/analytics/summary'",
	                                 key, admin_origin(c))
	                  : NULL);
	tv_set(m, more, "new_key", made);
}

void key_add_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct buf key;
	const char *name = call_param(c, "name"), *problem = NULL;
	(void)users_page(c);
	if (!key_name_fits(name)) {
		refuse_key(c, name[strspn(name, " ")] ? "A name has printable characters only."
		                                      : "The key needs a name.");
		return;
	}
	if (origin_key_check(call_param(c, "scope"), call_param(c, "origins"), &eb) != ERR_OK) {
		refuse_key(c, arena_printf(c->req->arena, "Pages: %s.", eb.text));
		return;
	}
	struct db *db = admin_begin(c);
	if (!db)
		return;
	buf_init(&key);
	enum err rc = day_problem(c, db, &problem, &eb);
	if (rc == ERR_OK && !problem)
		rc = write_key(c, db, &key, &eb);
	if (admin_end(c, db, rc, &eb)) {
		if (problem)
			refuse_key(c, problem);
		else
			show_key(c, buf_str(&key));
	}
	buf_fini(&key);
}

void key_revoke_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct rowset key = {0}, gone = {0};
	const struct db_param *params = DB_PARAMS({"key_id", call_param(c, "key_id")});
	(void)users_page(c);
	struct db *db = admin_begin(c);
	if (!db)
		return;
	enum err rc = db_query(db, "admin_key", params, &key, &eb);
	bool named = rc == ERR_OK && rowset_rows(&key) > 0 &&
	             strcmp(rowset_get(&key, 0, "name"), call_param(c, "confirm")) == 0;
	if (named)
		rc = db_query(db, "key_revoke", params, &gone, &eb);
	bool revoked = rc == ERR_OK && rowset_rows(&gone) > 0;
	if (revoked)
		rc = audit_note(c, db, "key_revoke",
		                arena_printf(c->req->arena, "key:%s", call_param(c, "key_id")), "{}", &eb);
	bool exists = rowset_rows(&key) > 0;
	rowset_fini(&key);
	rowset_fini(&gone);
	if (!admin_end(c, db, rc, &eb))
		return;
	if (revoked)
		admin_done(c, PATH, "key_revoked");
	else if (exists && !named)
		admin_refuse(c, 422, "That is not the key’s name, so nothing was changed.");
	else
		admin_refuse(c, 404, "There is no such key that could be revoked.");
}
