/* analytics.c: where analytics_db is, and whether its schema fits. */
#include "db/analytics.h"

#include <stdlib.h>
#include <string.h>

#include "base/assets.h"
#include "base/num.h"

static const char MIGRATIONS[] = "sql/migrations/";

/* libpq's keyword form; values quoted as it asks for. */
static void put_keyword(struct buf *b, const char *key, const char *value)
{
	buf_printf(b, "%s='", key);
	for (; *value; value++) {
		if (*value == '\'' || *value == '\\')
			buf_putc(b, '\\');
		buf_putc(b, *value);
	}
	buf_puts(b, "' ");
}

enum err analytics_conf_check(const struct conf *conf, struct errbuf *eb)
{
	/* Passwords inside a URL were looked at when it was loaded. */
	if (conf_is_set(conf, CONF_ANALYTICS_URL) ||
	    !conf_is_sample_password(conf, conf_str(conf, CONF_ANALYTICS_PASSWORD)))
		return ERR_OK;
	return err_set_field(eb, ERR_CONFIG, conf_name(CONF_ANALYTICS_PASSWORD),
	                     "analytics_db is not configured: set %s, or %s to something else than a"
	                     " sample password (DEV=1 accepts it)",
	                     conf_name(CONF_ANALYTICS_URL), conf_name(CONF_ANALYTICS_PASSWORD));
}

static enum err put_parts(const struct conf *conf, struct buf *url, struct errbuf *eb)
{
	if (analytics_conf_check(conf, eb) != ERR_OK)
		return eb->code;
	put_keyword(url, "host", conf_str(conf, CONF_ANALYTICS_HOST));
	put_keyword(url, "port", conf_str(conf, CONF_ANALYTICS_PORT));
	put_keyword(url, "user", conf_str(conf, CONF_ANALYTICS_USER));
	put_keyword(url, "password", conf_str(conf, CONF_ANALYTICS_PASSWORD));
	put_keyword(url, "dbname", conf_str(conf, CONF_ANALYTICS_NAME));
	put_keyword(url, "sslmode", conf_str(conf, CONF_ANALYTICS_SSLMODE));
	return ERR_OK;
}

static enum err put_url(const struct conf *conf, enum conf_id id, struct buf *url,
                        struct errbuf *eb)
{
	if (!conf_is_set(conf, id))
		return put_parts(conf, url, eb);
	buf_puts(url, conf_str(conf, id));
	return ERR_OK;
}

static void put_settings(const struct conf *conf, enum analytics_role role, struct buf *settings)
{
	/* Our statements are short or run once: compiling them costs more than it saves. */
	buf_puts(settings, "-c jit=off");
	if (role == ANALYTICS_READ)
		buf_printf(settings,
		           " -c default_transaction_read_only=on"
		           " -c default_transaction_isolation=repeatable\\ read"
		           " -c statement_timeout=%ss -c lock_timeout=2s"
		           " -c idle_in_transaction_session_timeout=30s",
		           conf_str(conf, CONF_QUERY_TIMEOUT));
	else if (role == ANALYTICS_EVENTS)
		buf_printf(settings,
		           " -c default_transaction_read_only=off -c statement_timeout=%ss"
		           " -c lock_timeout=2s -c idle_in_transaction_session_timeout=30s",
		           conf_str(conf, CONF_EVENT_FLUSH_INTERVAL));
	else if (role == ANALYTICS_WATCH)
		buf_puts(settings, " -c default_transaction_read_only=off -c statement_timeout=2s"
		                   " -c lock_timeout=1s");
	else
		/* The server notices within half a second that a killed run is gone. */
		buf_puts(settings, " -c lock_timeout=10s -c client_connection_check_interval=500");
}

/* The web program's statement_timeout answers first, unless the server hangs. The batch
 * waits for a server at work, but not for ever: a run that hangs keeps others away. A
 * migration takes the time it takes, and waits for another one that is at work. */
static int limit_ms(const struct conf *conf, enum analytics_role role)
{
	switch (role) {
	case ANALYTICS_READ:
		return (int)conf_int(conf, CONF_QUERY_TIMEOUT) * 1000 + 2000;
	case ANALYTICS_EVENTS:
		return (int)conf_int(conf, CONF_EVENT_FLUSH_INTERVAL) * 1000 + 2000;
	case ANALYTICS_WATCH:
		return 3000;
	case ANALYTICS_STREAM: /* its statement_timeout is 5 minutes */
		return 330 * 1000;
	case ANALYTICS_WRITE:
		return DB_SILENCE_S * 1000;
	case ANALYTICS_MIGRATE:
		break;
	}
	return 0;
}

enum err analytics_open(struct db **out, const struct conf *conf, enum analytics_role role,
                        const char *program, struct errbuf *eb)
{
	enum conf_id id = role == ANALYTICS_MIGRATE && conf_is_set(conf, CONF_MIGRATE_URL)
	                      ? CONF_MIGRATE_URL
	                      : CONF_ANALYTICS_URL;
	struct buf url, settings;
	buf_init(&url);
	buf_init(&settings);
	put_settings(conf, role, &settings);
	enum err rc = put_url(conf, id, &url, eb);
	if (rc == ERR_OK)
		rc = db_open(out,
		             &(struct db_options){.name = conf_name(id),
		                                  .url = buf_str(&url),
		                                  .program = program,
		                                  .settings = buf_str(&settings),
		                                  .limit_ms = limit_ms(conf, role)},
		             eb);
	buf_fini(&settings);
	buf_fini(&url);
	return rc;
}

enum err analytics_zone_check(struct db *db, const struct conf *conf, enum conf_id id,
                              struct errbuf *eb)
{
	struct rowset rs;
	const char *zone = conf_str(conf, id);
	enum err rc = db_query(db, "zone_known", DB_PARAMS({"zone", zone}), &rs, eb);
	if (rc == ERR_OK && strcmp(rowset_get(&rs, 0, "known"), "t") != 0)
		rc = err_set_field(eb, ERR_CONFIG, conf_name(id),
		                   "%s='%s' is not a zone of the tz database (such as Europe/Berlin)",
		                   conf_name(id), zone);
	rowset_fini(&rs);
	return rc;
}

int analytics_schema_known(void)
{
	int64_t newest = 0;
	for (const struct asset *a = assets; a->path; a++)
		if (strncmp(a->path, MIGRATIONS, strlen(MIGRATIONS)) == 0) {
			char number[4] = {0};
			memcpy(number, a->path + strlen(MIGRATIONS), 3);
			must(num_parse_int(number, newest + 1, 999, &newest));
		}
	return (int)newest;
}

enum err analytics_schema_check(struct db *db, struct errbuf *eb)
{
	struct rowset rs;
	struct errbuf missing = {0};
	int known = analytics_schema_known();
	enum err rc = db_query(db, "schema_version", DB_NO_PARAMS, &rs, &missing);
	if (rc == ERR_DB && strcmp(db_sqlstate(db), "42P01") == 0)
		return err_set(eb, ERR_CONFIG, "analytics_db has no schema yet: run takings-batch migrate");
	if (rc != ERR_OK)
		return err_set(eb, rc, "%s", missing.text);
	int found = (int)rowset_int(&rs, 0, "version");
	rowset_fini(&rs);
	if (found < known)
		return err_set(
			eb, ERR_CONFIG,
			"analytics_db has schema %d, this program needs %d: run takings-batch migrate", found,
			known);
	if (found > known)
		return err_set(eb, ERR_CONFIG,
		               "analytics_db has schema %d, newer than the %d this program knows", found,
		               known);
	return ERR_OK;
}
