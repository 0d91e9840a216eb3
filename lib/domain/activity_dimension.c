/* activity_dimension.c: see activity_dimension.h. */
#include "domain/activity_dimension.h"

#include <string.h>

#include "domain/activity_event.h"
#include "domain/activity_metrics.h"

enum { NAME_BYTES = 32, PROPERTY_BYTES = 200 };

/* An answer has it as a member, beside metrics and what else stands in a row. */
static bool is_taken_by_answers(const char *name)
{
	return strcmp(name, "event_type") == 0 || strcmp(name, "bucket") == 0 ||
	       strcmp(name, "compare") == 0 || activity_metric_find(name) != NULL;
}

static enum err check(const struct activity_declared *d, struct errbuf *eb)
{
	size_t n = strspn(d->name, "abcdefghijklmnopqrstuvwxyz0123456789_");
	if (n == 0 || n > NAME_BYTES || d->name[n] || *d->name < 'a' || *d->name > 'z')
		return err_set_field(eb, ERR_INVALID, "name",
		                     "a name begins with a letter and has a-z, 0-9 and _ only, %d at most",
		                     NAME_BYTES);
	if (is_taken_by_answers(d->name))
		return err_set_field(eb, ERR_INVALID, "name",
		                     "%s has another meaning in questions and answers", d->name);
	if (d->property[strspn(d->property, " ")] == '\0' || strlen(d->property) > PROPERTY_BYTES)
		return err_set_field(eb, ERR_INVALID, "property",
		                     "a dimension is read from a property, whose name has 1 to %d bytes",
		                     PROPERTY_BYTES);
	return ERR_OK;
}

/* ERR_OK: nothing speaks against it. */
static enum err object(const struct rowset *there, struct errbuf *eb)
{
	const char *same = rowset_get(there, 0, "same");
	if (*rowset_get(there, 0, "has_name") == 't')
		return err_set(eb, ERR_BUSY, "there is a dimension of this name already");
	if (same)
		return err_set(eb, ERR_BUSY, "the dimension %s is read from this property already", same);
	if (!rowset_get(there, 0, "place"))
		return err_set(eb, ERR_BUSY, "all %d dimensions are taken", ACTIVITY_DIMENSIONS);
	return ERR_OK;
}

enum err activity_dimension_declare(struct db *db, const struct activity_declared *d,
                                    struct errbuf *eb)
{
	struct rowset there = {0};
	enum err rc = check(d, eb);
	if (rc == ERR_OK)
		rc = db_query(db, "dimension_lock", DB_NO_PARAMS, NULL, eb);
	if (rc == ERR_OK)
		rc = db_query(db, "dimension_there",
		              DB_PARAMS({"name", d->name}, {"property", d->property}), &there, eb);
	if (rc == ERR_OK)
		rc = object(&there, eb);
	if (rc == ERR_OK)
		rc = db_query(db, "dimension_add",
		              DB_PARAMS({"place", rowset_get(&there, 0, "place")}, {"name", d->name},
		                        {"property", d->property}, {"meaning", d->meaning}, {"by", d->by}),
		              NULL, eb);
	rowset_fini(&there);
	return rc;
}
