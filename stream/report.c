/* report.c: the transaction of a flush. The reports themselves are SQL (report_file.sql). */
#include "stream/report.h"

#include <stdio.h>
#include <string.h>

#include "base/failpoint.h"

static enum err begin_flush(struct db *db, const struct conf *conf, char flush_id[24],
                            char stamp[REPORT_STAMP], struct errbuf *eb)
{
	struct rowset rs;
	const char *always = conf_bool(conf, CONF_FLUSH_EMPTY) ? "true" : "false";
	enum err rc = db_query(db, "report_flush_begin", DB_PARAMS({"always", always}), &rs, eb);
	if (rc == ERR_OK && rowset_rows(&rs) == 0)
		rc = ERR_NOTHING;
	if (rc == ERR_OK) {
		(void)snprintf(flush_id, 24, "%s", rowset_get(&rs, 0, "flush_id"));
		(void)snprintf(stamp, REPORT_STAMP, "%s", rowset_get(&rs, 0, "stamp"));
	}
	rowset_fini(&rs);
	return rc;
}

static enum err make(struct db *db, const struct conf *conf, char stamp[REPORT_STAMP],
                     struct errbuf *eb)
{
	char flush_id[24];
	enum err rc = begin_flush(db, conf, flush_id, stamp, eb);
	if (rc == ERR_OK)
		rc = db_query(db, "report_flush_fill",
		              DB_PARAMS({"flush_id", flush_id}, {"top_n", conf_str(conf, CONF_TOP_N)}),
		              NULL, eb);
	if (rc == ERR_OK)
		rc = db_query(db, "report_day_forget", DB_NO_PARAMS, NULL, eb);
	if (rc == ERR_OK)
		rc = db_query(db, "report_day_keep", DB_NO_PARAMS, NULL, eb);
	if (rc == ERR_OK)
		rc = db_query(db, "report_prune", DB_NO_PARAMS, NULL, eb);
	return rc;
}

enum err report_make(struct db *db, const struct conf *conf, char stamp[REPORT_STAMP],
                     struct errbuf *eb)
{
	enum err rc = db_command(db, "BEGIN ISOLATION LEVEL REPEATABLE READ", eb);
	if (rc != ERR_OK)
		return rc;
	rc = make(db, conf, stamp, eb);
	if (rc == ERR_OK) {
		failpoint_pass(FP_stream_reports_made);
		rc = db_command(db, "COMMIT", eb);
	}
	if (rc == ERR_OK)
		failpoint_pass(FP_stream_reports_committed);
	else
		db_rollback(db);
	return rc;
}
