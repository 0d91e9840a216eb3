/* activity_quarantine.c: a place for what stores and drops, until it is there. */
#include "domain/activity_quarantine.h"

enum err activity_quarantine_store(struct db *db, struct arena *a,
                                   const struct activity_choice *choice, int64_t *n,
                                   struct errbuf *eb)
{
	(void)a;
	return activity_quarantine_drop(db, choice, n, eb);
}

enum err activity_quarantine_drop(struct db *db, const struct activity_choice *choice, int64_t *n,
                                  struct errbuf *eb)
{
	struct rowset rs = {0};
	enum err rc = db_query(db, "quarantine_drop",
	                       DB_PARAMS({"id", choice->id}, {"reason", choice->reason},
	                                 {"field", choice->field}, {"until", choice->until}),
	                       &rs, eb);
	*n = rowset_affected(&rs);
	rowset_fini(&rs);
	if (rc == ERR_OK && *n == 0)
		rc = err_set(eb, ERR_NOT_FOUND, "there is none that is undecided");
	return rc;
}
