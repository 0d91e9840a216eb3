/* region.c: takings-batch region and takings-batch dimension: what answers about activity are told
 * apart by. A location is in one region; a dimension that is declared counts from then on. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "batch/access.h"
#include "domain/activity_dimension.h"

enum { NAME_BYTES = 200 };

static enum job_exit usage(const char *job)
{
	(void)fprintf(stderr, "takings-batch %s: see takings-batch %s --help\n", job, job);
	return JOB_USAGE;
}

static enum job_exit done(const char *event, struct db *db, enum err rc, struct errbuf *eb)
{
	db_close(db);
	if (rc == ERR_OK)
		return JOB_OK;
	log_err(event, eb);
	return job_exit_of(rc);
}

/* ---- regions -------------------------------------------------------------------- */

static enum err list(struct db *db, const char *statement, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(db, statement, DB_NO_PARAMS, &rs, eb);
	for (int i = 0; rc == ERR_OK && i < rowset_rows(&rs); i++)
		for (int col = 0; col < rowset_cols(&rs); col++)
			(void)printf("%-*s%s", col + 1 < rowset_cols(&rs) ? 12 : 0, rowset_text(&rs, i, col),
			             col + 1 < rowset_cols(&rs) ? " " : "\n");
	rowset_fini(&rs);
	return rc;
}

static enum err region_change(struct db *db, const char *location, const char *region,
                              struct errbuf *eb)
{
	struct rowset rs = {0};
	int64_t id;
	enum err rc;
	if (!num_parse_int(location, 0, INT32_MAX, &id))
		return err_set_field(eb, ERR_INVALID, "location", "'%s' is no location_id", location);
	if (region && (!*region || strlen(region) > NAME_BYTES))
		return err_set_field(eb, ERR_INVALID, "region", "a region's name has 1 to %d bytes",
		                     NAME_BYTES);
	if (region)
		rc = db_query(db, "region_set", DB_PARAMS({"location", location}, {"region", region}), &rs,
		              eb);
	else
		rc = db_query(db, "region_remove", DB_PARAMS({"location", location}), &rs, eb);
	if (rc == ERR_OK && rowset_rows(&rs) == 0)
		rc = err_set(eb, ERR_NOT_FOUND, "location %s is in no region", location);
	rowset_fini(&rs);
	return rc;
}

enum job_exit job_region(const struct conf *conf, int argc, char **argv)
{
	struct errbuf eb = {0};
	struct db *db = NULL;
	const char *word = argc > 0 ? argv[0] : "";
	bool sets = strcmp(word, "set") == 0 && argc == 3;
	bool removes = strcmp(word, "remove") == 0 && argc == 2;
	bool lists = strcmp(word, "list") == 0 && argc == 1;
	if (!sets && !removes && !lists)
		return usage("region");
	enum err rc = access_open(&db, conf, &eb);
	if (rc == ERR_OK)
		rc = lists ? list(db, "region_list", &eb)
		           : region_change(db, argv[1], sets ? argv[2] : NULL, &eb);
	return done("region_failed", db, rc, &eb);
}

/* ---- dimensions ------------------------------------------------------------------- */

static enum err dimension_add(struct db *db, const char *name, const char *property,
                              struct errbuf *eb)
{
	char object[64];
	enum err rc = db_command(db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = activity_dimension_declare(
			db, &(struct activity_declared){name, property, "", ACCESS_ACTOR}, eb);
	(void)snprintf(object, sizeof object, "dimension:%s", name);
	if (rc == ERR_OK)
		rc = access_note(db, "dimension_add", object, "{}", eb);
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	return rc;
}

enum job_exit job_dimension(const struct conf *conf, int argc, char **argv)
{
	struct errbuf eb = {0};
	struct db *db = NULL;
	const char *word = argc > 0 ? argv[0] : "";
	bool adds = strcmp(word, "add") == 0 && argc == 4 && strcmp(argv[2], "--property") == 0;
	bool lists = strcmp(word, "list") == 0 && argc == 1;
	if (!adds && !lists)
		return usage("dimension");
	enum err rc = access_open(&db, conf, &eb);
	if (rc == ERR_OK)
		rc = lists ? list(db, "dimension_list", &eb) : dimension_add(db, argv[1], argv[3], &eb);
	return done("dimension_failed", db, rc, &eb);
}
