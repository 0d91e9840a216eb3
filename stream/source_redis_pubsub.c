/* source_redis_pubsub.c: messages of Redis's pub/sub into the inbox, and the times in which some
 * may have been missed: nobody keeps them for us.
 *
 * A spell is a time in which we listened and of which all messages are stored. How far it reaches
 * is proven by answered PINGs, and is only moved on while nothing waits to be written; so a process
 * that is killed leaves a spell that ends before the first message it may have lost. The spells of
 * all processes are rows of redis_listening; what none of them covers are the gaps (redis.sql). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/words.h"
#include "db/analytics.h"
#include "domain/inbox.h"
#include "stream/parts.h"
#include "stream/redis_link.h"

enum {
	CHUNK = 1000, /* messages written at once */
	CHUNK_BYTES = 4 << 20,
	WAITING_BYTES = 64 << 20, /* of messages that wait for the database */
	LOOK_MS = 200,
	BEAT_MS = 2000,     /* between PINGs; without any, between looks for gaps */
	SILENCE_MS = 10000, /* without an answer to one: the connection is dead */
	BACK_OFF_MS = 2000, /* at most */
	SPELLS = 32,
	NAME_BYTES = 512,
};

struct spell {
	int64_t since_us, until_us;
	char ended[256]; /* why; "": it goes on */
};

struct chunk {
	struct inbox *inbox;
	struct chunk *next;
};

struct listener {
	struct part *part;
	struct redis_address at;
	struct redis_link *link;    /* NULL: not listening */
	struct db *db;              /* NULL: none */
	struct chunk *first, *last; /* messages that wait to be written */
	int64_t waiting;
	size_t waiting_bytes;        /* of all but the last */
	bool full;                   /* messages are dropped */
	struct spell spells[SPELLS]; /* not written yet; the last may go on */
	int spells_n;
	int64_t pinged_us, pinged_ms;    /* the PING under way; 0: none */
	int64_t beat_ms, link_ms, db_ms; /* when the next is due */
	int db_wait_ms;
	char trouble[256]; /* why nobody listens */
};

/* ---- spells ------------------------------------------------------------------------- */

static struct spell *open_spell(struct listener *l)
{
	struct spell *s = l->spells_n ? &l->spells[l->spells_n - 1] : NULL;
	return s && !*s->ended ? s : NULL;
}

/* Where there is no room for it, the time counts as missed. */
static void begin_spell(struct listener *l)
{
	int64_t now_us = clock_now_us();
	if (l->spells_n < SPELLS)
		l->spells[l->spells_n++] = (struct spell){.since_us = now_us, .until_us = now_us};
}

static void end_spell(struct listener *l, const char *why)
{
	struct spell *s = open_spell(l);
	if (!s)
		return;
	(void)snprintf(s->ended, sizeof s->ended, "%s", why);
	l->beat_ms = 0; /* to be told at once */
}

/* ---- messages that wait -------------------------------------------------------------- */

static struct inbox *room(struct listener *l)
{
	if (!l->last || inbox_n(l->last->inbox) >= CHUNK ||
	    inbox_bytes(l->last->inbox) >= CHUNK_BYTES) {
		struct chunk *c = mem_alloc(sizeof *c);
		*c = (struct chunk){.inbox = inbox_new()};
		if (l->last) {
			l->waiting_bytes += inbox_bytes(l->last->inbox);
			l->last->next = c;
		} else {
			l->first = c;
		}
		l->last = c;
	}
	return l->last->inbox;
}

static void drop_first(struct listener *l)
{
	struct chunk *c = l->first;
	l->waiting -= inbox_n(c->inbox);
	l->first = c->next;
	if (l->first)
		l->waiting_bytes -= inbox_bytes(c->inbox);
	else
		l->last = NULL;
	inbox_free(c->inbox);
	free(c);
}

/* From here on until all that waits is written, what comes is missed. */
static void overflow(struct listener *l)
{
	struct spell *s = open_spell(l);
	if (!l->full && s)
		s->until_us = clock_now_us();
	l->full = true;
	end_spell(l, "analytics_db was away for longer than messages could wait (BUFFER_MAX_EVENTS)");
}

static void take_message(struct listener *l, const redisReply *channel, const redisReply *message)
{
	struct errbuf why = {0};
	stat_add(STAT_REDIS_MESSAGES, 1);
	if (l->waiting >= conf_int(part_conf(l->part), CONF_BUFFER_MAX_EVENTS) ||
	    l->waiting_bytes >= WAITING_BYTES)
		overflow(l);
	if (l->full)
		return;
	struct inbox *in = room(l);
	int before = inbox_n(in);
	if (inbox_put(in, "redis_pubsub", channel->str, channel->str, message->str, message->len, false,
	              &why) == ERR_NOTHING)
		stat_add(STAT_IGNORED, 1);
	l->waiting += inbox_n(in) - before;
}

/* ---- the connection to Redis ------------------------------------------------------------ */

static void leave(struct listener *l, const char *why)
{
	redis_link_close(l->link);
	l->link = NULL;
	end_spell(l, why);
	(void)snprintf(l->trouble, sizeof l->trouble, "%s", why);
	int ms = part_back_off_ms(l->part);
	l->link_ms = clock_mono_ms() + (ms < BACK_OFF_MS ? ms : BACK_OFF_MS);
}

/* All patterns are confirmed before it counts. */
static enum err subscribe(struct redis_link *link, const char *patterns, struct errbuf *eb)
{
	char name[NAME_BYTES];
	enum err rc = ERR_OK;
	while (rc == ERR_OK && words_next(&patterns, name, sizeof name)) {
		const char *const words[] = {"PSUBSCRIBE", name, NULL};
		rc = redis_link_ask(link, words, REDIS_ANSWER_MS, NULL, eb);
	}
	return rc;
}

static void listen_to(struct listener *l)
{
	struct errbuf eb = {0};
	enum err rc = redis_link_open(&l->link, &l->at, &eb);
	if (rc == ERR_OK)
		rc = subscribe(l->link, conf_str(part_conf(l->part), CONF_REDIS_CHANNELS), &eb);
	if (rc != ERR_OK) {
		leave(l, eb.text);
		return;
	}
	l->pinged_us = l->beat_ms = 0;
	part_recovered(l->part);
	if (!l->full)
		begin_spell(l);
}

/* What came before the answer to a PING is all that was said before the PING. */
static void on_pong(struct listener *l)
{
	struct spell *s = open_spell(l);
	if (s && l->pinged_us > s->until_us)
		s->until_us = l->pinged_us;
	l->pinged_us = l->beat_ms = 0; /* to be told at once */
}

static bool is_word(const redisReply *r, size_t i, const char *word)
{
	return r->type == REDIS_REPLY_ARRAY && i < r->elements && r->element[i]->str &&
	       strcmp(r->element[i]->str, word) == 0;
}

static void take(struct listener *l, const redisReply *r)
{
	if (is_word(r, 0, "pong"))
		on_pong(l);
	else if (is_word(r, 0, "pmessage") && r->elements == 4 && r->element[2]->str &&
	         r->element[3]->str)
		take_message(l, r->element[2], r->element[3]);
}

/* All there is, but at most a chunk of it. */
static void hear(struct listener *l)
{
	struct errbuf eb = {0};
	redisReply *reply = NULL;
	enum err rc = redis_link_next(l->link, LOOK_MS, &reply, &eb);
	for (int n = 0; rc == ERR_OK; n++) {
		take(l, reply);
		freeReplyObject(reply);
		if (n == CHUNK)
			break;
		rc = redis_link_next(l->link, 0, &reply, &eb);
	}
	if (rc != ERR_OK && rc != ERR_NOTHING)
		leave(l, eb.text);
}

static void ping(struct listener *l)
{
	static const char *const words[] = {"PING", NULL};
	struct errbuf eb = {0};
	if (l->pinged_us && clock_mono_ms() - l->pinged_ms > SILENCE_MS) {
		leave(l, "Redis does not answer");
		return;
	}
	if (l->pinged_us || clock_mono_ms() - l->pinged_ms < BEAT_MS)
		return;
	l->pinged_us = clock_now_us();
	l->pinged_ms = clock_mono_ms();
	if (redis_link_send(l->link, words, &eb) != ERR_OK)
		leave(l, eb.text);
}

/* ---- the database ------------------------------------------------------------------------- */

static enum err connect_db(struct listener *l, struct errbuf *eb)
{
	if (l->db)
		return ERR_OK;
	return analytics_open(&l->db, part_conf(l->part), ANALYTICS_WATCH, "takings-stream redis", eb);
}

static enum err write_messages(struct listener *l, struct errbuf *eb)
{
	struct inbox_written written;
	enum err rc = ERR_OK;
	while (rc == ERR_OK && l->first) {
		rc = inbox_write(l->first->inbox, l->db, &written, eb);
		if (rc == ERR_OK)
			drop_first(l);
	}
	if (rc == ERR_OK && l->full) {
		l->full = false;
		if (l->link)
			begin_spell(l);
	}
	return rc;
}

static enum err write_spell(struct listener *l, const struct spell *s, struct errbuf *eb)
{
	char since[CLOCK_TEXT], until[CLOCK_TEXT];
	(void)snprintf(since, sizeof since, "%lld", (long long)s->since_us);
	(void)snprintf(until, sizeof until, "%lld", (long long)s->until_us);
	return db_query(l->db, "redis_listening_put",
	                DB_PARAMS({"instance", stream_instance()}, {"since_us", since},
	                          {"until_us", until}, {"ended", s->ended}),
	                NULL, eb);
}

/* Those that are over are written once. */
static enum err write_spells(struct listener *l, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	int done = 0;
	while (rc == ERR_OK && done < l->spells_n) {
		rc = write_spell(l, &l->spells[done], eb);
		if (rc != ERR_OK || !*l->spells[done].ended)
			break;
		done++;
	}
	l->spells_n -= done;
	memmove(l->spells, l->spells + done, (size_t)l->spells_n * sizeof *l->spells);
	if (l->link && !l->full && !open_spell(l)) /* there was no room for it */
		begin_spell(l);
	return rc;
}

static enum err find_gaps(struct listener *l, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(l->db, "redis_gap_find", DB_NO_PARAMS, &rs, eb);
	for (int i = 0; rc == ERR_OK && i < rowset_rows(&rs); i++) {
		const char *until = rowset_get(&rs, i, "until_at");
		if (strcmp(rowset_get(&rs, i, "is_new"), "t") == 0)
			stat_add(STAT_REDIS_GAPS, 1);
		LOG(LOG_WARNING, "redis_gap", LOG_STR("from", rowset_get(&rs, i, "from_at")),
		    LOG_STR("until", until ? until : ""), LOG_STR("reason", rowset_get(&rs, i, "reason")),
		    LOG_END);
	}
	rowset_fini(&rs);
	return rc;
}

/* Messages first: how far we listened is said of what is stored. */
static enum err store(struct listener *l, struct errbuf *eb)
{
	bool due = clock_mono_ms() >= l->beat_ms;
	if (!l->first && !l->full && !due)
		return ERR_OK;
	enum err rc = connect_db(l, eb);
	if (rc == ERR_OK)
		rc = write_messages(l, eb);
	if (rc != ERR_OK || !due)
		return rc;
	l->beat_ms = clock_mono_ms() + BEAT_MS;
	rc = write_spells(l, eb);
	return rc == ERR_OK ? find_gaps(l, eb) : rc;
}

static void try_store(struct listener *l)
{
	struct errbuf eb = {0};
	if (clock_mono_ms() < l->db_ms)
		return;
	if (store(l, &eb) == ERR_OK) {
		l->db_wait_ms = 0;
		return;
	}
	log_err("redis_pubsub", &eb);
	db_close(l->db);
	l->db = NULL;
	l->db_wait_ms = l->db_wait_ms ? l->db_wait_ms * 2 : 100;
	if (l->db_wait_ms > BACK_OFF_MS)
		l->db_wait_ms = BACK_OFF_MS;
	l->db_ms = clock_mono_ms() + l->db_wait_ms;
}

/* ---- the part ----------------------------------------------------------------------------------
 */

static void say(struct listener *l)
{
	if (!l->link)
		part_say(l->part, HEALTH_DEGRADED, l->trouble);
	else if (l->full)
		part_say(l->part, HEALTH_DEGRADED,
		         "analytics_db takes nothing, and no more messages can wait: some are lost");
	else if (l->db_wait_ms)
		part_say(l->part, HEALTH_DEGRADED, "analytics_db takes nothing: messages wait in memory");
	else
		part_say(l->part, HEALTH_OK, "");
}

static void listen_on(struct listener *l)
{
	while (!part_stopping(l->part)) {
		if (!l->link && clock_mono_ms() >= l->link_ms)
			listen_to(l);
		if (l->link)
			hear(l);
		else
			(void)part_sleep(l->part, LOOK_MS);
		if (l->link)
			ping(l);
		try_store(l);
		say(l);
	}
}

/* What waits is written while the time lasts; what is lost by it is a gap. */
static void finish(struct listener *l)
{
	struct errbuf eb = {0};
	redis_link_close(l->link);
	l->link = NULL;
	end_spell(l, "takings-stream was stopped");
	l->beat_ms = 0;
	if (store(l, &eb) != ERR_OK)
		log_err("redis_pubsub", &eb);
	while (l->first)
		drop_first(l);
	db_close(l->db);
}

static bool wanted(const struct conf *conf)
{
	return redis_wanted(conf) && *conf_str(conf, CONF_REDIS_CHANNELS);
}

static void run(struct part *p)
{
	struct listener *l = mem_alloc(sizeof *l);
	struct errbuf eb = {0};
	*l = (struct listener){.part = p};
	if (redis_address_read(&l->at, part_conf(p), &eb) != ERR_OK) {
		part_say_error(p, HEALTH_DEGRADED, &eb);
	} else {
		listen_on(l);
		finish(l);
	}
	free(l);
}

const struct part_kind part_redis_pubsub = {"redis_pubsub", PART_SOURCE, wanted, run};
