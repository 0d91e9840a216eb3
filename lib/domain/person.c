/* person.c: see person.h. */
#include "domain/person.h"

#include <string.h>

enum { TRIES = 3 };

static enum err ask_text(struct db *db, struct arena *a, const char *statement,
                         const struct db_param *params, const char **out, struct errbuf *eb)
{
	struct rowset rs = {0};
	enum err rc = db_query(db, statement, params, &rs, eb);
	const char *text = rc == ERR_OK ? rowset_text(&rs, 0, 0) : NULL;
	*out = text ? arena_strdup(a, text) : NULL;
	rowset_fini(&rs);
	return rc;
}

enum err person_export(struct db *db, struct arena *a, const struct person *p, const char **json,
                       struct errbuf *eb)
{
	return ask_text(db, a, "person_export", DB_PARAMS({"kind", p->kind}, {"id", p->id}), json, eb);
}

enum err person_subject(struct db *db, struct arena *a, const struct person *p,
                        const char **subject, struct errbuf *eb)
{
	return ask_text(db, a, "person_subject", DB_PARAMS({"kind", p->kind}, {"id", p->id}), subject,
	                eb);
}

static enum err suppress(struct db *db, const struct person *p, struct errbuf *eb)
{
	enum err rc =
		db_query(db, "person_suppress", DB_PARAMS({"kind", p->kind}, {"id", p->id}), NULL, eb);
	return rc == ERR_OK ? db_command(db, "COMMIT AND CHAIN", eb) : rc;
}

enum err person_forget(struct db *db, struct arena *a, const struct person *p, const char *how,
                       const struct person_asker *asker, const char **certificate,
                       struct errbuf *eb)
{
	enum err rc = ERR_OK;
	*certificate = NULL;
	for (int i = 0; rc == ERR_OK && !*certificate && i < TRIES; i++) {
		rc = suppress(db, p, eb);
		if (rc == ERR_OK)
			rc = ask_text(db, a, "person_forget",
			              DB_PARAMS({"kind", p->kind}, {"id", p->id}, {"how", how},
			                        {"actor", asker->actor}, {"address", asker->address},
			                        {"request_id", asker->request_id}),
			              certificate, eb);
	}
	if (rc == ERR_OK && !*certificate)
		rc = err_set(eb, ERR_BUSY, "new ids of the person turn up all the time: try again");
	return rc;
}
