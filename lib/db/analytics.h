/* analytics.h: connections to analytics_db by the settings. */
#ifndef TAKINGS_DB_ANALYTICS_H
#define TAKINGS_DB_ANALYTICS_H

#include "base/conf.h"
#include "db/db.h"

enum analytics_role {
	ANALYTICS_WRITE,   /* the batch: ANALYTICS_DATABASE_URL */
	ANALYTICS_MIGRATE, /* MIGRATE_DATABASE_URL, else the same */
	ANALYTICS_READ,   /* the web program: a session is read only unless a transaction says otherwise
	                   */
	ANALYTICS_WATCH,  /* its watching thread: writes a heartbeat, and notices a silence soon */
	ANALYTICS_EVENTS, /* what stores tracked events for the web program: no statement takes longer
	                   * than EVENT_FLUSH_INTERVAL */
	ANALYTICS_STREAM, /* what writes news: as the batch, but no statement takes long */
};

/* Refuses well-known sample passwords unless DEV=1 (ERR_CONFIG): at the start of a
 * program that would otherwise find out with its first connection. */
MUST_CHECK enum err analytics_conf_check(const struct conf *conf, struct errbuf *eb);

/* Refuses what analytics_conf_check does. */
MUST_CHECK enum err analytics_open(struct db **out, const struct conf *conf,
                                   enum analytics_role role, const char *program,
                                   struct errbuf *eb);

/* ERR_CONFIG unless the setting holds the name of a zone PostgreSQL knows by its rules. */
MUST_CHECK enum err analytics_zone_check(struct db *db, const struct conf *conf, enum conf_id id,
                                         struct errbuf *eb);

/* The newest schema this program knows: the number of the last migration. */
int analytics_schema_known(void);

/* ERR_CONFIG where the schema is older (says to migrate) or newer than known. */
MUST_CHECK enum err analytics_schema_check(struct db *db, struct errbuf *eb);

#endif
