/* activity_quarantine.c: see activity_quarantine.h. */
#include "domain/activity_quarantine.h"

#include <stdlib.h>
#include <string.h>

#include "domain/activity_store.h"

/* As the accounts call it: what is stored after all came a second time, from here. */
static const char SOURCE[] = "quarantine";

static enum err none(struct errbuf *eb)
{
	return err_set(eb, ERR_NOT_FOUND, "there is none like that on which nobody has decided");
}

/* What of a choice of one says that nothing was changed. */
static enum err why_none(struct db *db, const struct activity_choice *choice, struct errbuf *eb)
{
	struct rowset rs = {0};
	if (!choice->id)
		return none(eb);
	enum err rc = db_query(db, "quarantine_decided", DB_PARAMS({"id", choice->id}), &rs, eb);
	bool decided = rc == ERR_OK && rowset_rows(&rs);
	rowset_fini(&rs);
	if (rc != ERR_OK)
		return rc;
	return decided ? err_set(eb, ERR_BUSY, "somebody has decided on it before") : none(eb);
}

enum err activity_quarantine_drop(struct db *db, const struct activity_choice *choice, int64_t *n,
                                  struct errbuf *eb)
{
	struct rowset rs = {0};
	enum err rc = db_query(db, "quarantine_drop",
	                       DB_PARAMS({"id", choice->id}, {"reason", choice->reason},
	                                 {"field", choice->field}, {"until", choice->until}),
	                       &rs, eb);
	*n = rc == ERR_OK ? rowset_affected(&rs) : 0;
	rowset_fini(&rs);
	return rc == ERR_OK && *n == 0 ? why_none(db, choice, eb) : rc;
}

/* ---- storing ------------------------------------------------------------------------ */

/* Rows that were claimed: those that can be read are put, and `ids` says which they are. Of a
 * single one that cannot, why. */
static enum err put_rows(struct arena *a, const struct rowset *claimed, bool single,
                         struct activity_rows *rows, const char **ids, struct errbuf *eb)
{
	for (int i = 0; i < rowset_rows(claimed); i++) {
		struct activity_event e;
		struct errbuf why = {0};
		const char *payload = rowset_get(claimed, i, "payload");
		enum err rc = activity_event_restore(a, payload, strlen(payload), &e, &why);
		if (rc == ERR_OK) {
			ids[activity_rows_n(rows)] = rowset_get(claimed, i, "quarantine_id");
			activity_rows_put(rows, &e, SOURCE);
		} else if (single) {
			return err_set(eb, ERR_INVALID, "it cannot be read any more: %s", why.text);
		}
	}
	return ERR_OK;
}

static enum err refused(enum activity_outcome outcome, struct errbuf *eb)
{
	return err_set(
		eb, ERR_INVALID, "%s",
		outcome == ACTIVITY_SUPPRESSED
			? "it is by somebody who was erased: it can only be dropped"
			: "another event has its id and says something else: it can only be dropped");
}

static enum err decide(struct db *db, const enum activity_outcome *outcomes, const char **ids,
                       int rows_n, bool single, int64_t *n, struct errbuf *eb)
{
	struct buf list;
	enum err rc = ERR_OK;
	buf_init(&list);
	for (int i = 0; i < rows_n; i++) {
		if (outcomes[i] == ACTIVITY_STORED || outcomes[i] == ACTIVITY_DUPLICATE) {
			buf_printf(&list, "%c%s", list.len ? ',' : '{', ids[i]);
			++*n;
		} else if (single) {
			rc = refused(outcomes[i], eb);
		}
	}
	if (rc == ERR_OK && list.len) {
		buf_putc(&list, '}');
		rc = db_query(db, "quarantine_stored", DB_PARAMS({"ids", buf_str(&list)}), NULL, eb);
	}
	buf_fini(&list);
	return rc;
}

static enum err store_some(struct db *db, struct arena *a, const struct rowset *claimed,
                           bool single, int64_t *n, struct errbuf *eb)
{
	size_t most = (size_t)rowset_rows(claimed);
	struct activity_rows *rows = activity_rows_new();
	enum activity_outcome *outcomes = mem_alloc(most * sizeof *outcomes);
	const char **ids = mem_alloc(most * sizeof *ids);
	enum err rc = put_rows(a, claimed, single, rows, ids, eb);
	if (rc == ERR_OK)
		rc = activity_store(rows, db, outcomes, eb);
	if (rc == ERR_OK)
		rc = decide(db, outcomes, ids, activity_rows_n(rows), single, n, eb);
	activity_rows_free(rows);
	free(outcomes);
	free(ids);
	return rc;
}

enum err activity_quarantine_store(struct db *db, struct arena *a,
                                   const struct activity_choice *choice, int64_t *n,
                                   struct errbuf *eb)
{
	const char *after = "0";
	enum err rc = ERR_OK;
	int claimed;
	*n = 0;
	do {
		struct rowset rs = {0};
		rc = db_query(db, "quarantine_claim",
		              DB_PARAMS({"id", choice->id}, {"reason", choice->reason},
		                        {"field", choice->field}, {"until", choice->until},
		                        {"after", after}),
		              &rs, eb);
		claimed = rc == ERR_OK ? rowset_rows(&rs) : 0;
		if (claimed) {
			after = arena_strdup(a, rowset_get(&rs, claimed - 1, "quarantine_id"));
			rc = store_some(db, a, &rs, choice->id != NULL, n, eb);
		}
		rowset_fini(&rs);
	} while (rc == ERR_OK && claimed);
	return rc == ERR_OK && *n == 0 ? why_none(db, choice, eb) : rc;
}
