/* audit.c: one row. */
#include "cgi-bin/audit.h"

enum err audit_write(const struct call *c, struct db *db, const char *actor, const char *action,
                     const char *object, struct errbuf *eb)
{
	return db_query(db, "audit_add",
	                DB_PARAMS({"actor", actor}, {"action", action}, {"object", object},
	                          {"address", c->req->remote_addr}, {"request_id", c->req->request_id},
	                          {"detail", "{}"}),
	                NULL, eb);
}
