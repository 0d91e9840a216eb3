/* replay.c: dead letters that somebody wants to have read again (takings-batch replay).
 *
 * One at a time: its row is locked, it is decoded as any message and applied by a transaction of
 * its own, then the verdict is written down. A death in between makes it be read once more, which
 * changes nothing, for its version is in the message. */
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "db/analytics.h"
#include "stream/apply.h"
#include "stream/decode.h"
#include "stream/load.h"
#include "stream/parts.h"
#include "stream/topic.h"

enum { LOOK_MS = 1000 };

struct replay {
	struct part *part;
	struct apply *apply; /* NULL: not connected, as is db */
	struct db *db;       /* holds the row's lock */
	struct changes *changes;
	struct inbox *inbox;
	struct activity_rows *activity;
	bool is_activity;
};

static enum err connect(struct replay *r, struct errbuf *eb)
{
	const struct conf *conf = part_conf(r->part);
	if (r->db && r->apply && db_alive(r->db) && db_alive(apply_db(r->apply)))
		return ERR_OK;
	db_close(r->db);
	apply_close(r->apply);
	r->db = NULL;
	r->apply = NULL;
	enum err rc = analytics_open(&r->db, conf, ANALYTICS_WRITE, "takings-stream replay", eb);
	return rc == ERR_OK ? apply_open(&r->apply, conf, eb) : rc;
}

static int nibble(char c)
{
	return c >= 'a' ? c - 'a' + 10 : c - '0';
}

/* Bytes that SQL printed in hex; NULL stays. */
static const char *bytes_of(struct arena *a, const char *hex, size_t *n)
{
	*n = hex ? strlen(hex) / 2 : 0;
	if (!hex)
		return NULL;
	char *out = arena_alloc(a, *n + 1);
	for (size_t i = 0; i < *n; i++)
		out[i] = (char)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
	out[*n] = '\0';
	return out;
}

static void message_of(struct arena *a, const struct rowset *rs, struct message *out)
{
	int64_t offset = rowset_int(rs, 0, "position");
	*out = (struct message){
		.at = {.source = rowset_get(rs, 0, "source"),
	           .topic = rowset_get(rs, 0, "topic"),
	           .partition = (int32_t)rowset_int(rs, 0, "partition"),
	           .offset = offset,
	           .commit_offset = offset + 1},
		.time_us = rowset_int(rs, 0, "message_us"),
	};
	out->key = bytes_of(a, rowset_get(rs, 0, "message_key"), &out->key_n);
	out->value = bytes_of(a, rowset_get(rs, 0, "payload"), &out->value_n);
}

static enum err decode(struct replay *r, const struct rules *rules, const struct message *m,
                       struct errbuf *eb)
{
	char table[TOPIC_TABLE_BYTES];
	const struct conf *conf = part_conf(r->part);
	bool rows = strcmp(m->at.source, "kafka") != 0; /* each names its own table */
	topic_table(conf, m->at.topic, table);
	struct decoder d = {.rules = rules,
	                    .units = topic_units(conf),
	                    .table = rows ? NULL : table,
	                    .format = rows ? FORMAT_ROW : FORMAT_AUTO};
	const struct tracked_as tracked = {.source = m->at.source};
	bool booking;
	r->is_activity = !rows && strcmp(m->at.topic, conf_str(conf, CONF_EVENTS_TOPIC)) == 0;
	if (r->is_activity)
		return load_read_activity(r->activity, m, &tracked, eb);
	enum err rc = decode_message(&d, m, r->changes, &booking, eb);
	return booking
	           ? inbox_put(r->inbox, "replay", m->at.topic, NULL, m->value, m->value_n, true, eb)
	           : rc;
}

/* ERR_BUSY: rules change just now; it is read again at once. */
static enum err read_again(struct replay *r, const struct message *m, struct errbuf *eb)
{
	const struct rules *rules;
	struct applied applied;
	enum err rc;
	do {
		changes_clear(r->changes);
		inbox_clear(r->inbox);
		activity_rows_clear(r->activity);
		err_clear(eb);
		rc = apply_rules(r->apply, &rules, eb);
		if (rc == ERR_NOTHING) /* none yet: not a word about the message */
			return err_set(eb, ERR_BUSY, "%s", eb->text);
		if (rc == ERR_OK)
			rc = decode(r, rules, m, eb);
		if (rc == ERR_OK)
			rc = apply_batch(r->apply,
			                 &(struct batch){.changes = r->changes,
			                                 .inbox = r->inbox,
			                                 .activity = r->is_activity ? r->activity : NULL},
			                 &applied, eb);
	} while (rc == ERR_BUSY && !part_stopping(r->part));
	failpoint_pass(FP_stream_replayed);
	return rc;
}

/* Whether the message is to blame, and not the moment. ERR_DB: the database will have none of it.
 */
static bool is_verdict(enum err rc)
{
	return rc == ERR_OK || rc == ERR_NOTHING || rc == ERR_INVALID || rc == ERR_MALFORMED ||
	       rc == ERR_DB;
}

static enum err write_verdict(struct replay *r, const char *id, enum err rc,
                              const struct errbuf *why, struct errbuf *eb)
{
	bool accepted = rc == ERR_OK || rc == ERR_NOTHING;
	LOG(LOG_INFO, "dead_letter_replayed", LOG_STR("dead_letter", id), LOG_INT("accepted", accepted),
	    LOG_STR("text", accepted ? "" : why->text), LOG_END);
	if (accepted)
		return db_query(r->db, "replay_accepted", DB_PARAMS({"id", id}), NULL, eb);
	return db_query(r->db, "replay_refused",
	                DB_PARAMS({"id", id}, {"reason", err_name(rc)}, {"field", why->field},
	                          {"detail", why->text}),
	                NULL, eb);
}

static enum err replay_row(struct replay *r, const struct rowset *rs, struct errbuf *eb)
{
	struct arena a;
	struct message m;
	struct errbuf why = {0};
	arena_init(&a);
	message_of(&a, rs, &m);
	enum err rc = read_again(r, &m, &why);
	if (is_verdict(rc))
		rc = write_verdict(r, rowset_get(rs, 0, "dead_letter_id"), rc, &why, eb);
	else
		rc = err_set(eb, rc, "%s", why.text);
	arena_fini(&a);
	return rc;
}

/* ERR_NOTHING: none is wanted. */
static enum err replay_next(struct replay *r, struct errbuf *eb)
{
	struct rowset rs = {0};
	enum err rc = db_command(r->db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = db_query(r->db, "replay_claim", DB_NO_PARAMS, &rs, eb);
	if (rc == ERR_OK && rowset_rows(&rs) == 0)
		rc = ERR_NOTHING;
	if (rc == ERR_OK)
		rc = replay_row(r, &rs, eb);
	rowset_fini(&rs);
	if (rc == ERR_OK)
		rc = db_command(r->db, "COMMIT", eb);
	if (rc != ERR_OK)
		db_rollback(r->db);
	return rc;
}

static void run(struct part *p)
{
	struct replay r = {
		.part = p, .changes = changes_new(), .inbox = inbox_new(), .activity = activity_rows_new()};
	bool over = false;
	while (!over) {
		struct errbuf eb = {0};
		enum err rc = connect(&r, &eb);
		while (rc == ERR_OK && !part_stopping(p))
			rc = replay_next(&r, &eb);
		if (rc == ERR_OK || rc == ERR_NOTHING) {
			part_recovered(p);
			part_say(p, HEALTH_OK, "");
			over = part_sleep(p, LOOK_MS);
		} else {
			part_say_error(p, HEALTH_DEGRADED, &eb);
			over = part_back_off(p);
		}
	}
	changes_free(r.changes);
	inbox_free(r.inbox);
	activity_rows_free(r.activity);
	apply_close(r.apply);
	db_close(r.db);
}

const struct part_kind part_replay = {"replay", PART_SOURCE, NULL, run};
