/* migrate.c: the numbered files of sql/migrations, in order. */
#include "batch/migrate.h"

#include <stdio.h>
#include <string.h>

#include "base/assets.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "batch/jobs.h"
#include "db/analytics.h"

static const char FOLDER[] = "sql/migrations/";

struct migration {
	const char *name; /* "003_cache.sql" */
	const char *text;
	char version[4]; /* "003" */
};

/* The i-th migration, counted from 1. */
static bool migration_get(int i, struct migration *m)
{
	for (const struct asset *a = assets; a->path; a++) {
		if (strncmp(a->path, FOLDER, strlen(FOLDER)) != 0 || --i > 0)
			continue;
		m->name = a->path + strlen(FOLDER);
		m->text = a->text;
		(void)snprintf(m->version, sizeof m->version, "%.3s", m->name);
		return true;
	}
	return false;
}

static enum err apply(struct db *db, const struct migration *m, struct errbuf *eb)
{
	struct errbuf why = {0};
	enum err rc = db_command(db, m->text, &why);
	if (rc != ERR_OK)
		return err_set(eb, rc, "migration %s: %s", m->name, why.text);
	failpoint_pass(FP_migration_applied);
	return db_query(db, "schema_add",
	                DB_PARAMS({"version", m->version}, {"name", m->name}, {"text", m->text}), NULL,
	                eb);
}

/* One transaction: lock, look, apply the next one if there is one. *done: none was missing. */
static enum err step(struct db *db, bool *done, struct errbuf *eb)
{
	struct rowset rs = {0};
	struct migration m;
	enum err rc = db_command(db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = db_query(db, "schema_lock", DB_NO_PARAMS, NULL, eb);
	if (rc == ERR_OK)
		rc = db_script(db, "schema_table", eb);
	if (rc == ERR_OK)
		rc = db_query(db, "schema_version", DB_NO_PARAMS, &rs, eb);
	int version = rc == ERR_OK ? (int)rowset_int(&rs, 0, "version") : 0;
	rowset_fini(&rs);
	if (rc == ERR_OK && version > analytics_schema_known())
		rc = err_set(eb, ERR_CONFIG,
		             "analytics_db has schema %d, newer than the %d this program knows", version,
		             analytics_schema_known());
	*done = rc == ERR_OK && !migration_get(version + 1, &m);
	if (rc == ERR_OK && !*done)
		rc = apply(db, &m, eb);
	if (rc == ERR_OK && version == 0)
		rc = db_script(db, "schema_grant", eb);
	if (rc == ERR_OK && *done)
		rc = db_script(db, "schema_rights", eb);
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	if (rc != ERR_OK)
		db_rollback(db);
	else if (!*done)
		LOG(LOG_INFO, "migrated", LOG_STR("name", m.name), LOG_END);
	failpoint_pass(FP_migration_committed);
	return rc;
}

static enum err verify(struct db *db, struct errbuf *eb)
{
	struct migration m;
	for (int i = 1; migration_get(i, &m); i++) {
		struct rowset rs;
		enum err rc = db_query(db, "schema_verify",
		                       DB_PARAMS({"version", m.version}, {"text", m.text}), &rs, eb);
		if (rc != ERR_OK)
			return rc;
		bool same = rowset_rows(&rs) == 1 && strcmp(rowset_get(&rs, 0, "same"), "t") == 0;
		rowset_fini(&rs);
		if (!same)
			return err_set(eb, ERR_CONFIG, "migration %s was changed after it was applied", m.name);
	}
	return ERR_OK;
}

enum err migrate_up(const struct conf *conf, int *applied, struct errbuf *eb)
{
	struct db *db = NULL;
	bool done = false;
	*applied = 0;
	enum err rc = analytics_open(&db, conf, ANALYTICS_MIGRATE, "takings-migrate", eb);
	/* A second migrator waits for the first, however long that takes. */
	if (rc == ERR_OK)
		rc = db_command(db, "SET lock_timeout = 0; SET client_min_messages = warning", eb);
	while (rc == ERR_OK && !done) {
		rc = step(db, &done, eb);
		*applied += rc == ERR_OK && !done;
	}
	if (rc == ERR_OK)
		rc = verify(db, eb);
	db_close(db);
	return rc;
}

/* What is applied; no rows where the version table is not there yet. */
static enum err read_applied(struct db *db, struct rowset *rs, struct errbuf *eb)
{
	enum err rc = db_query(db, "schema_exists", DB_NO_PARAMS, rs, eb);
	if (rc != ERR_OK)
		return rc;
	bool exists = strcmp(rowset_get(rs, 0, "exists"), "t") == 0;
	rowset_fini(rs);
	*rs = (struct rowset){0};
	return exists ? db_query(db, "schema_applied", DB_NO_PARAMS, rs, eb) : ERR_OK;
}

static enum err print_status(const struct conf *conf, struct errbuf *eb)
{
	struct db *db = NULL;
	struct rowset rs = {0};
	enum err rc = analytics_open(&db, conf, ANALYTICS_MIGRATE, "takings-migrate", eb);
	if (rc == ERR_OK)
		rc = read_applied(db, &rs, eb);
	for (int i = 0; i < rowset_rows(&rs); i++)
		(void)printf("%s  applied %s\n", rowset_get(&rs, i, "name"),
		             rowset_get(&rs, i, "applied_at"));
	int n = rowset_rows(&rs);
	struct migration m;
	for (int i = n + 1; rc == ERR_OK && migration_get(i, &m); i++)
		(void)printf("%s  missing\n", m.name);
	rowset_fini(&rs);
	db_close(db);
	return rc;
}

static enum err print_verdict(const struct conf *conf, struct errbuf *eb)
{
	struct db *db = NULL;
	enum err rc = analytics_open(&db, conf, ANALYTICS_MIGRATE, "takings-migrate", eb);
	if (rc == ERR_OK)
		rc = analytics_schema_check(db, eb);
	if (rc == ERR_OK)
		rc = verify(db, eb);
	if (rc == ERR_OK)
		(void)printf("analytics_db has schema %d, as this program knows it\n",
		             analytics_schema_known());
	db_close(db);
	return rc;
}

static enum err bring_up(const struct conf *conf, struct errbuf *eb)
{
	int applied = 0;
	enum err rc = migrate_up(conf, &applied, eb);
	if (rc == ERR_OK)
		(void)printf("analytics_db has schema %d (%d applied now)\n", analytics_schema_known(),
		             applied);
	return rc;
}

enum job_exit job_migrate(const struct conf *conf, int argc, char **argv)
{
	struct errbuf eb = {0};
	const char *what = argc > 0 ? argv[0] : "up";
	enum err rc;
	if (strcmp(what, "status") == 0)
		rc = print_status(conf, &eb);
	else if (strcmp(what, "verify") == 0)
		rc = print_verdict(conf, &eb);
	else
		rc = bring_up(conf, &eb);
	if (rc != ERR_OK)
		log_err("migrate_failed", &eb);
	return job_exit_of(rc);
}
