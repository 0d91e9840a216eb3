/* settle.c: see settle.h. */
#include "stream/settle.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/analytics.h"
#include "stream/apply.h"

enum err settle_ask(struct db *db, const char *statement, const char *name,
                    const struct db_param *params, bool *out, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(db, statement, params, &rs, eb);
	const char *text = rc == ERR_OK && rowset_rows(&rs) ? rowset_get(&rs, 0, name) : NULL;
	*out = text && *text == 't';
	rowset_fini(&rs);
	return rc;
}

/* Somebody may have done it while the lock was waited for. */
static enum err make_anew(const struct settling *s, struct db *db, const struct db_param *params,
                          struct errbuf *eb)
{
	bool fits = false;
	enum err rc = db_command(db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = db_query(db, s->lock_wait, DB_NO_PARAMS, NULL, eb);
	if (rc == ERR_OK)
		rc = settle_ask(db, s->fits, "fits", params, &fits, eb);
	if (rc == ERR_OK && !fits)
		rc = db_query(db, s->settle, params, NULL, eb);
	if (rc == ERR_OK && !fits)
		rc = db_query(db, s->rebuild, DB_NO_PARAMS, NULL, eb);
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	return rc == ERR_OK ? rc : apply_passing(db, rc, eb);
}

enum err settle(const struct settling *s, const struct conf *conf, struct db *db,
                const struct db_param *params, struct errbuf *eb)
{
	struct db *own = NULL;
	char name[64], event[64];
	bool fits = false;
	enum err rc = settle_ask(db, s->fits, "fits", params, &fits, eb);
	if (rc != ERR_OK || fits)
		return rc;
	int64_t begun_ms = clock_mono_ms();
	(void)snprintf(name, sizeof name, "takings-stream %s rebuild", s->what);
	(void)snprintf(event, sizeof event, "%s_rebuilt", s->what);
	rc = analytics_open(&own, conf, ANALYTICS_WRITE, name, eb);
	if (rc == ERR_OK)
		rc = analytics_zone_check(own, conf, CONF_BUSINESS_TIMEZONE, eb);
	if (rc == ERR_OK)
		rc = make_anew(s, own, params, eb);
	db_close(own);
	if (rc == ERR_OK)
		LOG(LOG_INFO, event, LOG_INT("ms", clock_mono_ms() - begun_ms), LOG_END);
	return rc;
}
