/* access.c: see access.h. */
#include "batch/access.h"

#include <stdio.h>

#include "db/analytics.h"

enum err access_open(struct db **out, const struct conf *conf, struct errbuf *eb)
{
	enum err rc = analytics_open(out, conf, ANALYTICS_WRITE, "takings-batch", eb);
	return rc == ERR_OK ? analytics_schema_check(*out, eb) : rc;
}

enum err access_note(struct db *db, const char *action, const char *object, const char *detail,
                     struct errbuf *eb)
{
	return db_query(db, "audit_add",
	                DB_PARAMS({"actor", ACCESS_ACTOR}, {"action", action}, {"object", object},
	                          {"address", NULL}, {"request_id", NULL}, {"detail", detail}),
	                NULL, eb);
}

static enum err note_change(struct db *db, const struct access_change *change,
                            const struct rowset *rs, struct errbuf *eb)
{
	char object[32];
	if (change->object)
		return access_note(db, change->action, change->object, change->detail, eb);
	(void)snprintf(object, sizeof object, "key:%s", rowset_get(rs, 0, "key_id"));
	return access_note(db, change->action, object, change->detail, eb);
}

enum err access_change(struct db *db, const struct access_change *change, struct rowset *rs,
                       struct errbuf *eb)
{
	struct rowset own = {0};
	enum err rc = db_command(db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = db_query(db, change->statement, change->params, &own, eb);
	if (rc == ERR_OK && rowset_rows(&own) == 0)
		rc = ERR_NOT_FOUND;
	if (rc == ERR_OK && change->sessions_of)
		rc = db_query(db, "user_sessions_end", DB_PARAMS({"username", change->sessions_of}), NULL,
		              eb);
	if (rc == ERR_OK)
		rc = note_change(db, change, &own, eb);
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	if (rc != ERR_OK)
		db_rollback(db);
	if (rc == ERR_OK && rs)
		*rs = own;
	else
		rowset_fini(&own);
	return rc;
}
