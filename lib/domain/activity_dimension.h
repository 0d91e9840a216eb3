/* activity_dimension.h: declaring what else tracked events can be told apart by. */
#ifndef TAKINGS_DOMAIN_ACTIVITY_DIMENSION_H
#define TAKINGS_DOMAIN_ACTIVITY_DIMENSION_H

#include "db/db.h"

struct activity_declared {
	const char *name, *property, *meaning; /* `meaning` may be "" */
	const char *by;                        /* as the audit log names who does it */
};

/* In the caller's transaction (READ COMMITTED); from its COMMIT on events that come are told apart
 * by it. ERR_INVALID: eb->field, "name" or "property", cannot be; ERR_BUSY: the name or the
 * property is a dimension's already, or all places are taken. */
MUST_CHECK enum err activity_dimension_declare(struct db *db, const struct activity_declared *d,
                                               struct errbuf *eb);

#endif
