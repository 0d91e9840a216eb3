/* audit.c: one row. */
#include "cgi-bin/audit.h"

static enum err add(const struct call *c, struct db *db, const char *actor, const char *action,
                    const char *object, const char *detail, struct errbuf *eb)
{
	return db_query(db, "audit_add",
	                DB_PARAMS({"actor", actor}, {"action", action}, {"object", object},
	                          {"address", c->req->remote_addr}, {"request_id", c->req->request_id},
	                          {"detail", detail}),
	                NULL, eb);
}

enum err audit_write(const struct call *c, struct db *db, const char *actor, const char *action,
                     const char *object, struct errbuf *eb)
{
	return add(c, db, actor, action, object, "{}", eb);
}

enum err audit_note(const struct call *c, struct db *db, const char *action, const char *object,
                    const char *detail, struct errbuf *eb)
{
	struct buf actor;
	buf_init(&actor);
	identity_actor(&c->who, &actor);
	enum err rc = add(c, db, buf_str(&actor), action, object, detail, eb);
	buf_fini(&actor);
	return rc;
}
