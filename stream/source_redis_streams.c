/* source_redis_streams.c: messages of Redis Streams into the inbox.
 *
 * An entry is acknowledged once it is committed there, and the inbox knows each message once: what
 * comes again changes nothing. So whatever goes wrong ends in one way: the connection is left, and
 * what was given to us and not acknowledged is read again. What was given to a process that is gone
 * is taken over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/words.h"
#include "db/analytics.h"
#include "domain/inbox.h"
#include "stream/parts.h"
#include "stream/redis_link.h"
#include "web/json.h"

#define BLOCK_MS "1000"
#define IDLE_MS "5000"        /* an entry that another has had for so long is taken over */
#define CONSUMER_DAY 86400000 /* a consumer that nobody is any more, in ms */

enum {
	COUNT = 1000,          /* entries asked for at once, of each stream */
	SLICE_BYTES = 4 << 20, /* and written at once */
	WAIT_MS = 6000,        /* for an answer that may take BLOCK_MS */
	CLAIM_EACH_MS = 2000,
	BACK_OFF_MS = 2000, /* at most */
	NAME_BYTES = 512,
};

struct reader {
	struct part *part;
	struct redis_address at;
	struct redis_link *link; /* NULL: none */
	struct db *db;           /* NULL: none */
	struct inbox *inbox;
	char **streams;
	int streams_n;
	const char *group;
	int count;              /* of COUNT: fewer after an answer that was too large */
	const char *reading;    /* the one stream being read; NULL: all */
	const char *too_large;  /* the stream whose first entry of ours is so even alone; NULL: none */
	bool owed;              /* entries may be ours that are not acknowledged */
	bool groups_owed;       /* a group may be missing */
	bool db_failed;         /* the last error is of the database */
	int64_t claim_ms;       /* when others' entries are looked for next */
	const char *ids[COUNT]; /* of the slice in hand; they live in the answer */
	int ids_n;
};

/* ---- groups --------------------------------------------------------------------- */

/* Its first entry is the stream's first: what was sent before we came counts, too. */
static enum err make_group(struct reader *r, const char *stream, struct errbuf *eb)
{
	const char *const words[] = {"XGROUP", "CREATE", stream, r->group, "0", "MKSTREAM", NULL};
	enum err rc = redis_link_ask(r->link, words, REDIS_ANSWER_MS, NULL, eb);
	if (rc == ERR_INVALID && strcmp(eb->field, "BUSYGROUP") == 0) {
		err_clear(eb);
		return ERR_OK;
	}
	if (rc == ERR_OK)
		LOG(LOG_WARNING, "redis_group_made", LOG_STR("stream", stream), LOG_STR("group", r->group),
		    LOG_END);
	return rc;
}

/* The value behind a name in a list of names and values; NULL: none. */
static const redisReply *value_of(const redisReply *list, const char *name)
{
	for (size_t i = 0; list->type == REDIS_REPLY_ARRAY && i + 1 < list->elements; i += 2)
		if (list->element[i]->str && strcasecmp(list->element[i]->str, name) == 0)
			return list->element[i + 1];
	return NULL;
}

/* Each process is a consumer of its own: those of processes that are long gone, and to which
 * nothing is owed, would pile up. */
static enum err drop_consumers(struct reader *r, const char *stream, struct errbuf *eb)
{
	redisReply *all = NULL;
	const char *const words[] = {"XINFO", "CONSUMERS", stream, r->group, NULL};
	enum err rc = redis_link_ask(r->link, words, REDIS_ANSWER_MS, &all, eb);
	for (size_t i = 0; rc == ERR_OK && all->type == REDIS_REPLY_ARRAY && i < all->elements; i++) {
		const redisReply *name = value_of(all->element[i], "name");
		const redisReply *pending = value_of(all->element[i], "pending");
		const redisReply *idle = value_of(all->element[i], "idle");
		if (!name || !name->str || !pending || !idle || pending->integer != 0 ||
		    idle->integer < CONSUMER_DAY)
			continue;
		const char *const drop[] = {"XGROUP", "DELCONSUMER", stream, r->group, name->str, NULL};
		rc = redis_link_ask(r->link, drop, REDIS_ANSWER_MS, NULL, eb);
	}
	if (all)
		freeReplyObject(all);
	return rc;
}

static enum err make_groups(struct reader *r, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	for (int i = 0; rc == ERR_OK && i < r->streams_n; i++) {
		rc = make_group(r, r->streams[i], eb);
		if (rc == ERR_OK)
			rc = drop_consumers(r, r->streams[i], eb);
	}
	r->groups_owed = rc != ERR_OK;
	return rc;
}

/* ---- an entry ---------------------------------------------------------------------- */

static bool is_text(const redisReply *r)
{
	return r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_STATUS;
}

/* The value of the first of these fields that is there. */
static const redisReply *field_of(const redisReply *fields, const char *const *names)
{
	for (; *names; names++) {
		const redisReply *found = value_of(fields, *names);
		if (found && is_text(found))
			return found;
	}
	return NULL;
}

/* An entry whose fields are those of the message. */
static void put_fields(const redisReply *fields, struct buf *out)
{
	struct json j;
	json_init(&j, out);
	json_begin_object(&j);
	for (size_t i = 0; i + 1 < fields->elements; i += 2) {
		const redisReply *name = fields->element[i], *value = fields->element[i + 1];
		if (!is_text(name) || !is_text(value))
			continue;
		json_key(&j, name->str);
		json_put_text_n(&j, value->str, value->len);
	}
	json_end_object(&j);
	json_end(&j);
}

/* A bad one is in the inbox too; one of an unknown type is nowhere, and counted. */
static void put(struct reader *r, const char *stream, const char *id, const char *hint,
                const char *bytes, size_t n)
{
	struct errbuf why = {0};
	char position[NAME_BYTES];
	(void)snprintf(position, sizeof position, "%s/%s", stream, id);
	if (inbox_put(r->inbox, "redis_stream", position, hint, bytes, n, false, &why) == ERR_NOTHING)
		stat_add(STAT_IGNORED, 1);
	stat_add(STAT_REDIS_MESSAGES, 1);
}

static void take_entry(struct reader *r, const char *stream, const char *id,
                       const redisReply *fields)
{
	static const char *const whole[] = {"data", "payload", "message", NULL};
	static const char *const types[] = {"type", "event_type", "eventType", NULL};
	const redisReply *message = field_of(fields, whole), *type = field_of(fields, types);
	const char *hint = type ? type->str : stream;
	struct buf text;
	buf_init(&text);
	if (!message)
		put_fields(fields, &text);
	put(r, stream, id, hint, message ? message->str : buf_str(&text),
	    message ? message->len : text.len);
	buf_fini(&text);
}

/* ---- entries ------------------------------------------------------------------------- */

static enum err acknowledge(struct reader *r, const char *stream, struct errbuf *eb)
{
	const char *words[COUNT + 4] = {"XACK", stream, r->group};
	for (int i = 0; i < r->ids_n; i++)
		words[3 + i] = r->ids[i];
	words[3 + r->ids_n] = NULL;
	return redis_link_ask(r->link, words, REDIS_ANSWER_MS, NULL, eb);
}

/* What is in hand is committed and only then acknowledged. */
static enum err settle(struct reader *r, const char *stream, struct errbuf *eb)
{
	struct inbox_written written;
	enum err rc = ERR_OK;
	if (r->ids_n == 0)
		return ERR_OK;
	if (inbox_n(r->inbox) > 0) {
		rc = inbox_write(r->inbox, r->db, &written, eb);
		r->db_failed = rc != ERR_OK;
	}
	failpoint_pass(FP_stream_redis_written);
	if (rc == ERR_OK)
		rc = acknowledge(r, stream, eb);
	inbox_clear(r->inbox);
	r->ids_n = 0;
	return rc;
}

/* Entries as [id, [name, value, ...]]; one that was deleted from the stream meanwhile has no
 * fields, and is only acknowledged. */
static enum err take_entries(struct reader *r, const char *stream, const redisReply *entries,
                             struct errbuf *eb)
{
	enum err rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && entries->type == REDIS_REPLY_ARRAY && i < entries->elements;
	     i++) {
		const redisReply *e = entries->element[i];
		if (e->type != REDIS_REPLY_ARRAY || e->elements < 1 || !is_text(e->element[0]))
			continue;
		if (e->elements > 1 && e->element[1]->type == REDIS_REPLY_ARRAY)
			take_entry(r, stream, e->element[0]->str, e->element[1]);
		r->ids[r->ids_n++] = e->element[0]->str;
		if (r->ids_n == COUNT || inbox_bytes(r->inbox) >= SLICE_BYTES)
			rc = settle(r, stream, eb);
	}
	return rc == ERR_OK ? settle(r, stream, eb) : rc;
}

/* XREADGROUP: of these streams what nobody was given yet, or (`own`) what we were given. Counts the
 * entries. */
static enum err read_streams(struct reader *r, char **streams, int n, bool own, int64_t *entries,
                             struct errbuf *eb)
{
	char count[16];
	redisReply *all = NULL;
	const char **words = mem_alloc((size_t)(12 + 2 * n) * sizeof *words);
	int at = 0;
	(void)snprintf(count, sizeof count, "%d", r->count);
	for (const char *const *w = (const char *const[]){"XREADGROUP", "GROUP", r->group,
	                                                  stream_instance(), "COUNT", count, NULL};
	     *w; w++)
		words[at++] = *w;
	if (!own) {
		words[at++] = "BLOCK";
		words[at++] = BLOCK_MS;
	}
	words[at++] = "STREAMS";
	for (int i = 0; i < n; i++) {
		words[at + i] = streams[i];
		words[at + n + i] = own ? "0" : ">";
	}
	words[at + 2 * n] = NULL;
	enum err rc = redis_link_ask(r->link, words, WAIT_MS, &all, eb);
	free(words);
	*entries = 0;
	for (size_t i = 0; rc == ERR_OK && all->type == REDIS_REPLY_ARRAY && i < all->elements; i++) {
		const redisReply *s = all->element[i];
		if (s->type != REDIS_REPLY_ARRAY || s->elements != 2 || !is_text(s->element[0]))
			continue;
		*entries += (int64_t)s->element[1]->elements;
		rc = take_entries(r, s->element[0]->str, s->element[1], eb);
	}
	if (all)
		freeReplyObject(all);
	return rc;
}

/* ---- what was given and not acknowledged --------------------------------------------------- */

/* One that is too large even alone: its place goes to the inbox, where it is refused and seen. */
static enum err bury(struct reader *r, struct errbuf *eb)
{
	redisReply *all = NULL;
	const char *stream = r->too_large;
	char text[NAME_BYTES + 128];
	const char *const words[] = {"XPENDING", stream, r->group,          "-",
	                             "+",        "1",    stream_instance(), NULL};
	enum err rc = redis_link_ask(r->link, words, REDIS_ANSWER_MS, &all, eb);
	if (rc == ERR_OK && all->type == REDIS_REPLY_ARRAY && all->elements == 1 &&
	    all->element[0]->elements > 0 && is_text(all->element[0]->element[0])) {
		r->ids[r->ids_n++] = all->element[0]->element[0]->str;
		(void)snprintf(text, sizeof text, "entry %s of stream %s is larger than %d MiB", r->ids[0],
		               stream, REDIS_ANSWER_BYTES >> 20);
		LOG(LOG_WARNING, "redis_entry_too_large", LOG_STR("stream", stream),
		    LOG_STR("id", r->ids[0]), LOG_END);
		put(r, stream, r->ids[0], "entry", text, strlen(text));
		rc = settle(r, stream, eb);
	}
	if (all)
		freeReplyObject(all);
	if (rc == ERR_OK)
		r->too_large = NULL;
	return rc;
}

/* Each stream until nothing is left. */
static enum err read_own(struct reader *r, struct errbuf *eb)
{
	enum err rc = r->too_large ? bury(r, eb) : ERR_OK;
	for (int i = 0; rc == ERR_OK && i < r->streams_n; i++) {
		int64_t n = 1;
		r->reading = r->streams[i];
		while (rc == ERR_OK && n > 0 && !part_stopping(r->part)) {
			rc = read_streams(r, &r->streams[i], 1, true, &n, eb);
			if (rc == ERR_OK && r->count < COUNT)
				r->count = r->count * 2 < COUNT ? r->count * 2 : COUNT;
		}
	}
	r->owed = rc != ERR_OK || part_stopping(r->part);
	return rc;
}

/* Takes over what others were given long ago; read_own reads it. */
static enum err claim(struct reader *r, const char *stream, struct errbuf *eb)
{
	char from[64] = "0-0";
	enum err rc = ERR_OK;
	do {
		redisReply *all = NULL;
		const char *const words[] = {"XAUTOCLAIM", stream,  r->group, stream_instance(), IDLE_MS,
		                             from,         "COUNT", "1000",   "JUSTID",          NULL};
		rc = redis_link_ask(r->link, words, REDIS_ANSWER_MS, &all, eb);
		(void)snprintf(from, sizeof from, "0-0");
		if (rc == ERR_OK && all->type == REDIS_REPLY_ARRAY && all->elements >= 2 &&
		    is_text(all->element[0])) {
			(void)snprintf(from, sizeof from, "%s", all->element[0]->str);
			if (all->element[1]->elements > 0) {
				r->owed = true;
				LOG(LOG_INFO, "redis_claimed", LOG_STR("stream", stream),
				    LOG_INT("entries", all->element[1]->elements), LOG_END);
			}
		}
		if (all)
			freeReplyObject(all);
	} while (rc == ERR_OK && strcmp(from, "0-0") != 0);
	return rc;
}

static enum err claim_all(struct reader *r, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	for (int i = 0; rc == ERR_OK && i < r->streams_n; i++)
		rc = claim(r, r->streams[i], eb);
	r->claim_ms = clock_mono_ms() + CLAIM_EACH_MS;
	return rc;
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* The database first: while it is away, nothing is read. */
static enum err connect_both(struct reader *r, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	if (!r->db) {
		rc = analytics_open(&r->db, part_conf(r->part), ANALYTICS_STREAM, "takings-stream redis",
		                    eb);
		r->db_failed = rc != ERR_OK;
	}
	if (rc == ERR_OK && !r->link) {
		rc = redis_link_open(&r->link, &r->at, eb);
		r->owed = r->groups_owed = true;
		r->claim_ms = 0;
	}
	return rc;
}

static enum err step(struct reader *r, struct errbuf *eb)
{
	int64_t n;
	enum err rc = connect_both(r, eb);
	if (rc == ERR_OK && r->groups_owed)
		rc = make_groups(r, eb);
	if (rc == ERR_OK && clock_mono_ms() >= r->claim_ms)
		rc = claim_all(r, eb);
	if (rc == ERR_OK && r->owed)
		rc = read_own(r, eb);
	if (rc == ERR_OK && !r->owed) {
		r->reading = NULL;
		rc = read_streams(r, r->streams, r->streams_n, false, &n, eb);
	}
	return rc;
}

static void drop_link(struct reader *r)
{
	redis_link_close(r->link);
	r->link = NULL;
	r->ids_n = 0;
	inbox_clear(r->inbox);
}

static bool group_is_gone(enum err rc, const struct errbuf *eb)
{
	return rc == ERR_INVALID &&
	       (strcmp(eb->field, "NOGROUP") == 0 || strcmp(eb->field, "UNBLOCKED") == 0);
}

/* An answer was too large: fewer entries, one stream after the other, and of one alone not even
 * that. */
static void ask_for_less(struct reader *r)
{
	if (r->count > 1)
		r->count /= 2;
	else
		r->too_large = r->reading;
}

/* What failed is left, said, and tried again a little later; true: to end. */
static bool recover(struct reader *r, enum err rc, const struct errbuf *eb)
{
	if (group_is_gone(rc, eb)) {
		LOG(LOG_WARNING, "redis_group_gone", LOG_STR("text", eb->text), LOG_END);
		r->groups_owed = true;
		return part_sleep(r->part, 100);
	}
	if (rc == ERR_BUSY && !r->db_failed) {
		ask_for_less(r);
		drop_link(r);
		return part_stopping(r->part);
	}
	if (r->db_failed) {
		log_err("redis_streams", eb);
		part_say(r->part, HEALTH_DEGRADED, "analytics_db takes nothing: messages wait in Redis");
		db_close(r->db);
		r->db = NULL;
	} else {
		part_say_error(r->part, HEALTH_DEGRADED, eb);
	}
	drop_link(r);
	int ms = part_back_off_ms(r->part);
	return part_sleep(r->part, ms < BACK_OFF_MS ? ms : BACK_OFF_MS);
}

static bool wanted(const struct conf *conf)
{
	return redis_wanted(conf) && *conf_str(conf, CONF_REDIS_STREAMS);
}

static void read_names(struct reader *r)
{
	char name[NAME_BYTES];
	const char *at = conf_str(part_conf(r->part), CONF_REDIS_STREAMS);
	while (words_next(&at, name, sizeof name)) {
		r->streams = mem_realloc(r->streams, (size_t)(r->streams_n + 1) * sizeof *r->streams);
		r->streams[r->streams_n++] = mem_strdup(name);
	}
	r->group = conf_str(part_conf(r->part), CONF_REDIS_GROUP);
}

static void run(struct part *p)
{
	struct reader r = {.part = p, .count = COUNT, .inbox = inbox_new()};
	struct errbuf eb = {0};
	bool over = redis_address_read(&r.at, part_conf(p), &eb) != ERR_OK;
	if (over)
		part_say_error(p, HEALTH_DEGRADED, &eb);
	read_names(&r);
	while (!over) {
		err_clear(&eb);
		r.db_failed = false;
		enum err rc = step(&r, &eb);
		if (rc == ERR_OK) {
			part_say(p, HEALTH_OK, "");
			part_recovered(p);
			over = part_stopping(p);
		} else {
			over = recover(&r, rc, &eb);
		}
	}
	drop_link(&r);
	db_close(r.db);
	inbox_free(r.inbox);
	for (int i = 0; i < r.streams_n; i++)
		free(r.streams[i]);
	free(r.streams);
}

const struct part_kind part_redis_streams = {"redis_streams", PART_SOURCE, wanted, run};
