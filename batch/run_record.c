/* run_record.c: one run at a time, and what is written down about each. */
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/json_text.h"
#include "base/log.h"
#include "batch/run.h"

void run_warn(struct run *r, const char *code, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	LOG(LOG_WARNING, code, LOG_STR("text", text), LOG_END);
	buf_puts(&r->warnings, r->warnings.len > 1 ? ",{\"code\":" : "{\"code\":");
	json_text_put(&r->warnings, code, strlen(code));
	buf_puts(&r->warnings, ",\"text\":");
	json_text_put(&r->warnings, text, strlen(text));
	buf_putc(&r->warnings, '}');
}

/* A run that has just ended, or was just killed, may still be on its way out of the
 * server: half a second tells it from one at work. */
enum { LOCK_TRIES = 10, LOCK_PAUSE_MS = 50 };

static enum err try_lock(struct run *r, bool *locked, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(r->db, "run_lock", DB_NO_PARAMS, &rs, eb);
	if (rc != ERR_OK)
		return rc;
	*locked = strcmp(rowset_get(&rs, 0, "locked"), "t") == 0;
	rowset_fini(&rs);
	return ERR_OK;
}

enum err run_lock(struct run *r, struct errbuf *eb)
{
	bool locked = false;
	enum err rc = try_lock(r, &locked, eb);
	for (int i = 1; rc == ERR_OK && !locked && i < LOCK_TRIES; i++) {
		(void)poll(NULL, 0, LOCK_PAUSE_MS);
		rc = try_lock(r, &locked, eb);
	}
	if (rc == ERR_OK && !locked)
		rc = err_set(eb, ERR_LOCKED, "another run is at work");
	if (rc == ERR_OK)
		failpoint_pass(FP_run_locked);
	return rc;
}

enum err run_record_begin(struct run *r, struct errbuf *eb)
{
	struct rowset rs;
	const char *mode = r->opt->if_due ? "due"
	                   : r->opt->from
	                       ? arena_printf(&r->arena, "%s to %s", r->opt->from, r->opt->to)
	                       : "closed days";
	enum err rc = db_query(r->db, "run_begin",
	                       DB_PARAMS({"mode", mode}, {"code_version", TAKINGS_VERSION}), &rs, eb);
	if (rc != ERR_OK)
		return rc;
	r->run_id = arena_strdup(&r->arena, rowset_get(&rs, 0, "run_id"));
	rowset_fini(&rs);
	failpoint_pass(FP_run_recorded);
	return db_query(r->db, "run_sweep", DB_PARAMS({"run_id", r->run_id}), NULL, eb);
}

static const char *number(struct run *r, int64_t n)
{
	return arena_printf(&r->arena, "%" PRId64, n);
}

static const char *record_status(enum err rc, const struct run *r)
{
	if (rc == ERR_OK)
		return r->written || r->opt->from || r->night_worked ? "ok" : "nothing";
	return rc == ERR_NOTHING ? "nothing" : rc == ERR_INTERRUPTED ? "interrupted" : "failed";
}

/* Best effort after a failure: the reason the run failed is what is reported. */
enum err run_record_end(struct run *r, enum err rc, const struct errbuf *why, struct errbuf *eb)
{
	if (!r->run_id || !r->db || !db_alive(r->db))
		return ERR_OK;
	db_ignore_interrupt(r->db);
	/* Cron asks 144 times a day; that nothing was due is what the heartbeat says. */
	if (rc == ERR_NOTHING && !r->source_tried)
		return db_query(r->db, "run_forget", DB_PARAMS({"run_id", r->run_id}), NULL, eb);
	buf_putc(&r->warnings, ']');
	return db_query(r->db, "run_end",
	                DB_PARAMS({"run_id", r->run_id}, {"status", record_status(rc, r)},
	                          {"first_day", r->first_day}, {"last_day", r->last_day},
	                          {"planned", number(r, r->planned)},
	                          {"written", number(r, r->written)},
	                          {"unchanged", number(r, r->unchanged)}, {"kept", number(r, r->kept)},
	                          {"orders", number(r, r->orders)}, {"snapshot", r->snapshot},
	                          {"warnings", buf_str(&r->warnings)},
	                          {"error", rc == ERR_OK || rc == ERR_NOTHING ? NULL : why->text}),
	                NULL, eb);
}

void run_heartbeats(struct run *r, enum err rc, const struct errbuf *why)
{
	bool source_ok = r->source != NULL;
	struct errbuf ignored = {0};
	bool ok = rc == ERR_OK || rc == ERR_NOTHING;
	if (!r->db || !db_alive(r->db) || rc == ERR_LOCKED || r->opt->dry_run)
		return;
	enum err put = db_query(r->db, "heartbeat_put",
	                        DB_PARAMS({"component", "batch"}, {"status", ok ? "ok" : "degraded"},
	                                  {"detail", ok ? "" : why->text}),
	                        NULL, &ignored);
	if (put == ERR_OK && r->source_tried)
		put = db_query(r->db, "heartbeat_put",
		               DB_PARAMS({"component", "order_db"}, {"status", source_ok ? "ok" : "down"},
		                         {"detail", source_ok ? "" : why->text}),
		               NULL, &ignored);
	(void)put; /* health then shows an old heartbeat, which is the truth */
}
