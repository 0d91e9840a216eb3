/* source_postgresql_start.c: from nothing to a stream: what order_db offers, what we remember, and
 * whether both fit together. Nothing is ever skipped: what does not fit is said. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "db/analytics.h"
#include "stream/source_postgresql.h"

/* Until it is known where a first copy ends. */
#define NO_START INT64_MAX

enum { ORDER_LIMIT_MS = 30000 };

struct standing {
	bool known; /* there is a row */
	char system[32];
	int64_t next, start, base;
};

struct slot {
	bool found, fits, active, lost;
	int64_t restart, confirmed;
};

/* ---- connections ------------------------------------------------------------- */

static void leave_homes(struct source *s)
{
	replication_copy_close(s->copy);
	s->copy = NULL;
	rowset_fini(&s->tables);
	s->tables = (struct rowset){0};
	db_close(s->order);
	db_close(s->home);
	s->order = s->home = NULL;
}

void postgresql_leave(struct source *s)
{
	leave_homes(s);
	replication_close(s->repl);
	s->repl = NULL;
	pgoutput_free(s->decoder);
	s->decoder = NULL;
	s->inside = s->touched = false;
	s->phase = PHASE_AWAY;
}

enum err postgresql_connect(struct source *s, struct errbuf *eb)
{
	const char *name = conf_name(CONF_ORDER_REPLICATION_URL);
	const char *url = conf_str(s->conf, CONF_ORDER_REPLICATION_URL);
	enum err rc = analytics_open(&s->home, s->conf, ANALYTICS_WRITE, "takings-stream order_db", eb);
	if (rc == ERR_OK)
		rc = replication_open(&s->repl, name, url, eb);
	if (rc == ERR_OK)
		rc = db_open(&s->order,
		             &(struct db_options){.name = name,
		                                  .url = url,
		                                  .program = "takings-stream copy",
		                                  .settings = "-c default_transaction_read_only=on"
		                                              " -c idle_in_transaction_session_timeout=0"
		                                              " -c statement_timeout=0 -c jit=off",
		                                  .limit_ms = ORDER_LIMIT_MS},
		             eb);
	if (rc == ERR_OK) {
		s->decoder = pgoutput_new();
		s->phase = PHASE_CHECK;
	}
	return rc;
}

/* ---- what there is ------------------------------------------------------------- */

static enum err config(const struct source *s, struct errbuf *eb, const char *text)
{
	return err_set_field(eb, ERR_CONFIG, conf_name(CONF_ORDER_REPLICATION_URL),
	                     "order_db cannot be followed: %s (slot %s, publication %s)", text, s->slot,
	                     s->publication);
}

static bool is_true(const struct rowset *rs, int row, const char *name)
{
	const char *v = rowset_get(rs, row, name);
	return v && strcmp(v, "t") == 0;
}

static enum err read_setup(struct source *s, struct slot *out, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(s->order, "replication_setup",
	                       DB_PARAMS({"publication", s->publication}, {"slot", s->slot}), &rs, eb);
	if (rc != ERR_OK)
		return rc;
	const char *wal_status = rowset_get(&rs, 0, "wal_status");
	*out = (struct slot){.found = is_true(&rs, 0, "found"),
	                     .fits = is_true(&rs, 0, "fits"),
	                     .active = is_true(&rs, 0, "active"),
	                     .lost = wal_status && strcmp(wal_status, "lost") == 0,
	                     .restart = rowset_int(&rs, 0, "restart"),
	                     .confirmed = rowset_int(&rs, 0, "confirmed")};
	if (strcmp(rowset_get(&rs, 0, "wal_level"), "logical") != 0)
		rc = config(s, eb, "its server must be started with wal_level = logical");
	else if (!is_true(&rs, 0, "published"))
		rc =
			config(s, eb,
		           "the publication is not there; sql/order_db/replication.sql, run in order_db by "
		           "the owner of its tables, makes it");
	rowset_fini(&rs);
	return rc;
}

static enum err read_tables(struct source *s, struct errbuf *eb)
{
	rowset_fini(&s->tables);
	enum err rc = db_query(s->order, "replication_tables",
	                       DB_PARAMS({"publication", s->publication}), &s->tables, eb);
	if (rc != ERR_OK)
		return rc;
	if (rowset_rows(&s->tables) == 0 || strcmp(rowset_get(&s->tables, 0, "table"), "orders") != 0)
		return config(s, eb, "the table orders is not in the publication");
	for (int i = 0; i < rowset_rows(&s->tables); i++) {
		const char *table = rowset_get(&s->tables, i, "table");
		if (!is_true(&s->tables, i, "readable"))
			return err_set(eb, ERR_CONFIG,
			               "order_db cannot be followed: its user may not read %s;"
			               " sql/order_db/replication.sql gives the right",
			               table);
		if (!is_true(&s->tables, i, "keyed"))
			return err_set(eb, ERR_CONFIG,
			               "order_db cannot be followed: %s has no primary key, so that nobody"
			               " could say which row was changed; give it one, or a REPLICA IDENTITY",
			               table);
	}
	return ERR_OK;
}

static enum err read_standing(struct source *s, struct standing *out, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(s->home, "replication_position", DB_PARAMS({"slot", s->slot}), &rs, eb);
	*out = (struct standing){0};
	if (rc == ERR_OK && rowset_rows(&rs) > 0) {
		const char *system = rowset_get(&rs, 0, "system");
		out->known = true;
		out->next = rowset_int(&rs, 0, "next");
		out->start = rowset_int(&rs, 0, "start");
		out->base = rowset_int(&rs, 0, "base");
		(void)snprintf(out->system, sizeof out->system, "%s", system ? system : "");
	}
	rowset_fini(&rs);
	return rc;
}

static enum err put_standing(struct source *s, int64_t next, int64_t start, int64_t base,
                             struct errbuf *eb)
{
	char texts[3][24];
	(void)snprintf(texts[0], sizeof texts[0], "%" PRId64, next);
	(void)snprintf(texts[1], sizeof texts[1], "%" PRId64, start);
	(void)snprintf(texts[2], sizeof texts[2], "%" PRId64, base);
	return db_query(s->home, "replication_position_put",
	                DB_PARAMS({"slot", s->slot}, {"next", texts[0]},
	                          {"system", replication_system(s->repl)}, {"start", texts[1]},
	                          {"base", texts[2]}),
	                NULL, eb);
}

static enum err take_lock(struct source *s, bool *ours, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(s->home, "replication_lock", DB_PARAMS({"slot", s->slot}), &rs, eb);
	if (rc == ERR_OK)
		*ours = is_true(&rs, 0, "ok");
	rowset_fini(&rs);
	return rc;
}

/* ---- what to do ---------------------------------------------------------------- */

#define BEGIN_ANEW                                                                                 \
	"; to begin anew with a copy of all rows, see \"Following order_db anew\" in "                 \
	"docs/OPERATIONS.md"

static enum err check_fit(struct source *s, const struct slot *slot, const struct standing *at,
                          struct errbuf *eb)
{
	if (strcmp(at->system, replication_system(s->repl)) != 0)
		return config(s, eb,
		              "it is another server than the one followed so far (another system "
		              "identifier)" BEGIN_ANEW);
	if (!slot->found)
		return config(s, eb,
		              "its replication slot is gone, and with it what happened since" BEGIN_ANEW);
	if (!slot->fits)
		return config(s, eb,
		              "the replication slot belongs to another database or plugin" BEGIN_ANEW);
	if (slot->lost)
		return config(s, eb,
		              "its server has thrown away changes that were not read yet"
		              " (max_slot_wal_keep_size)" BEGIN_ANEW);
	if (slot->confirmed > at->next)
		return config(s, eb,
		              "the slot has moved past what analytics_db knows, as after a restore of"
		              " analytics_db from a backup" BEGIN_ANEW);
	return ERR_OK;
}

/* The slot is ours to make and drop: the row says that a first copy has begun. */
static enum err begin_copy(struct source *s, const struct slot *slot, struct errbuf *eb)
{
	enum err rc = put_standing(s, 0, NO_START, 0, eb);
	if (rc == ERR_OK && slot->found)
		rc = db_query(s->order, "replication_drop_slot", DB_PARAMS({"slot", s->slot}), NULL, eb);
	if (rc == ERR_OK)
		rc = replication_create_slot(s->repl, s->slot, eb);
	if (rc != ERR_OK)
		return rc;
	LOG(LOG_INFO, "first_copy_prepared", LOG_STR("slot", s->slot),
	    LOG_STR("detail", "the slot begins once the transactions under way have ended"), LOG_END);
	s->phase = PHASE_CREATING;
	return ERR_OK;
}

enum err postgresql_check(struct source *s, struct intake *in, struct errbuf *eb)
{
	struct slot slot;
	struct standing at;
	bool ours = false;
	enum err rc = take_lock(s, &ours, eb);
	if (rc == ERR_OK)
		rc = read_setup(s, &slot, eb);
	if (rc == ERR_OK)
		rc = read_tables(s, eb);
	if (rc != ERR_OK || !ours || (slot.found && slot.active))
		return rc; /* another process is at it: wait */
	intake_revoke(in);
	/* The slot first, our row second: whoever was at it before us moved the row before the slot. */
	rc = read_standing(s, &at, eb);
	if (rc != ERR_OK)
		return rc;
	if (!at.known && slot.found)
		return config(s, eb,
		              "there is a slot of this name that this analytics_db knows nothing of: if no"
		              " other one follows it, drop it, else choose another name with"
		              " ORDER_REPLICATION_SLOT");
	if (!at.known || at.next < at.start)
		return begin_copy(s, &slot, eb);
	rc = check_fit(s, &slot, &at, eb);
	if (rc != ERR_OK)
		return rc;
	s->start = at.start;
	s->base = at.base;
	return postgresql_start(s, in, at.next, eb);
}

/* ---- the first copy begins ------------------------------------------------------- */

/* Positions of the first copy's rows, as versions: those of everything the slot will stream are
 * greater, although some of it may have been written before the slot began; and so that what we
 * know of another system, or of this one before, is smaller. */
static enum err find_base(struct source *s, struct errbuf *eb)
{
	struct slot slot;
	struct rowset rs;
	enum err rc = read_setup(s, &slot, eb);
	if (rc == ERR_OK && !slot.found)
		rc = err_set(eb, ERR_DB_DOWN, "the new slot has vanished");
	if (rc != ERR_OK)
		return rc;
	rc = db_query(s->home, "replication_newest", DB_NO_PARAMS, &rs, eb);
	if (rc == ERR_OK) {
		int64_t newest = rowset_int(&rs, 0, "newest");
		s->base = newest >= slot.restart ? newest + 1 - slot.restart : 0;
		s->copy_version = slot.restart + s->base;
	}
	rowset_fini(&rs);
	return rc;
}

enum err postgresql_created(struct source *s, struct intake *in, int timeout_ms, struct errbuf *eb)
{
	const char *snapshot = NULL;
	enum err rc = replication_created(s->repl, timeout_ms, &s->start, &snapshot, eb);
	if (rc == ERR_BUSY)
		return ERR_OK;
	if (rc == ERR_OK)
		rc = find_base(s, eb);
	if (rc == ERR_OK)
		rc = replication_copy_begin(s->order, snapshot, eb);
	if (rc == ERR_OK)
		rc = put_standing(s, s->start - 1, s->start, s->base, eb);
	if (rc != ERR_OK)
		return rc;
	LOG(LOG_INFO, "first_copy_begun", LOG_STR("slot", s->slot), LOG_INT("lsn", s->start), LOG_END);
	s->phase = PHASE_COPYING;
	s->table = 0;
	s->copied = 0;
	s->said_ms = clock_mono_ms();
	s->durable = s->whole = s->passed = s->start - 1;
	intake_begin_partition(in, "postgresql", s->slot, 0, s->start - 1);
	return ERR_OK;
}

/* ---- the stream begins ------------------------------------------------------------- */

enum err postgresql_start(struct source *s, struct intake *in, int64_t next, struct errbuf *eb)
{
	char lsn[LSN_TEXT];
	enum err rc = replication_start(s->repl, s->slot, s->publication, next, eb);
	if (rc == ERR_BUSY) { /* somebody was quicker */
		err_clear(eb);
		return ERR_OK;
	}
	if (rc != ERR_OK)
		return rc;
	bool copied = s->phase == PHASE_COPIED;
	leave_homes(s);
	pgoutput_free(s->decoder); /* the server tells of all tables again */
	s->decoder = pgoutput_new();
	replication_lsn_format(next, lsn);
	LOG(LOG_INFO, "following", LOG_STR("slot", s->slot), LOG_STR("from", lsn), LOG_END);
	s->phase = PHASE_STREAMING;
	s->whole = s->passed = s->reported = next;
	s->durable = next;
	s->passed_ms = clock_mono_ms();
	s->inside = s->touched = false;
	s->last_lsn = s->last_lsn_n = 0;
	s->idle = false;
	if (!copied)
		intake_begin_partition(in, "postgresql", s->slot, 0, next);
	return ERR_OK;
}
