/* migrate.h: analytics_db to the newest schema. */
#ifndef TAKINGS_BATCH_MIGRATE_H
#define TAKINGS_BATCH_MIGRATE_H

#include "base/conf.h"
#include "base/err.h"

/* Applies what is missing, each migration in its own transaction, one migrator
 * at a time. *applied tells how many. A newer schema, or an applied migration
 * whose text was changed since, is refused (ERR_CONFIG). */
MUST_CHECK enum err migrate_up(const struct conf *conf, int *applied, struct errbuf *eb);

#endif
