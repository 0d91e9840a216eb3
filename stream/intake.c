/* intake.c: the loop of a source.
 *
 * Everything that went wrong ends in one way: what is in hand is dropped, the source begins again
 * where the database says. Positions and figures move together, so nothing is lost by it and
 * nothing counts twice. */
#include "stream/intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "stream/gauges.h"
#include "stream/load.h"
#include "stream/topic.h"
#include "stream/writer.h"

enum {
	POLL_MS = 100,         /* longest wait for a message, and so for the end */
	POLL_BUSY_MS = 10,     /* the same while a batch waits for the writer */
	PATIENCE_MS = 1000,    /* the writer may take so long before the source is paused */
	SLOW_MS = 10000,       /* and so long before that is worth telling */
	REVOKE_MS = 1000,      /* a batch that is being written while its partitions go away */
	HOUSE_MS = 1000,       /* gauges */
	RULES_MS = 5000,       /* changed rules, while there is no news */
	LOOK_AGAIN_MS = 30000, /* a source that stopped for a person is opened anew */
	DOUBT_MS = 15000,      /* and believed once it has gone well for so long */
	COUNTS_MS = 10000,     /* counts of messages in the log */
	LOAD_BYTES = 12 << 20,
	NARROW = 16, /* so many times fewer messages after a refusal, */
	CALM = 16,   /* until so many batches went well */
};

static const char SLOW[] = "analytics_db does not answer";

/* A partition that is read. */
struct place {
	const char *source, *topic; /* of `names` */
	int32_t partition;
	int64_t next; /* what the database says once all earlier batches are written */
	int advance;  /* of the batch being filled; -1: none yet */
};

/* What was written of a topic, and what of it is in the log. */
struct total {
	const char *source, *topic;
	struct tally all, logged;
};

struct intake {
	struct part *part;
	const struct conf *conf;
	const struct source_ops *ops;
	struct source *source; /* NULL: not open */
	struct apply *reader;  /* for positions; NULL: not connected */
	struct writer *writer;
	const struct rules *rules;
	struct row_units units;
	struct load *filling, *spare;
	struct load *writing; /* NULL: none */
	bool writing_dropped; /* its partitions were taken away meanwhile */
	bool paused, away;
	int64_t messages_max; /* of a batch, */
	int64_t activity_max; /* tracked events among them */
	int64_t limit;        /* or fewer, while one the database will not have is looked for */
	int calm;             /* batches that moved a position since the last refusal */
	struct place *places;
	int places_n, places_cap, place_last;
	struct total *totals;
	int totals_n;
	struct gauges *gauges;
	int64_t house_ms, rules_ms, counts_ms, doubt_ms;
	struct errbuf refused; /* of the message at hand */
};

/* ---- for the sources -------------------------------------------------------- */

const struct rules *intake_rules(const struct intake *in)
{
	return in->rules;
}

const struct row_units *intake_units(const struct intake *in)
{
	return &in->units;
}

bool intake_full(const struct intake *in)
{
	return in->filling->messages_n >= in->limit || load_bytes(in->filling) >= LOAD_BYTES ||
	       activity_rows_n(in->filling->activity) >= in->activity_max;
}

static struct total *total_of(struct intake *in, const char *source, const char *topic)
{
	for (int i = 0; i < in->totals_n; i++)
		if (strcmp(in->totals[i].topic, topic) == 0 && strcmp(in->totals[i].source, source) == 0)
			return &in->totals[i];
	in->totals = mem_realloc(in->totals, (size_t)(in->totals_n + 1) * sizeof *in->totals);
	in->totals[in->totals_n] = (struct total){mem_strdup(source), mem_strdup(topic), {0}, {0}};
	return &in->totals[in->totals_n++];
}

static bool is_place(const struct place *pl, const char *topic, int32_t partition)
{
	return pl->partition == partition && strcmp(pl->topic, topic) == 0;
}

static struct place *place_of(struct intake *in, const char *topic, int32_t partition)
{
	if (in->place_last < in->places_n && is_place(&in->places[in->place_last], topic, partition))
		return &in->places[in->place_last];
	for (int i = 0; i < in->places_n; i++)
		if (is_place(&in->places[i], topic, partition)) {
			in->place_last = i;
			return &in->places[i];
		}
	return NULL;
}

void intake_begin_partition(struct intake *in, const char *source, const char *topic,
                            int32_t partition, int64_t next)
{
	const struct total *names = total_of(in, source, topic);
	must(!place_of(in, topic, partition));
	if (in->places_n == in->places_cap) {
		in->places_cap = in->places_cap ? in->places_cap * 2 : 16;
		in->places = mem_realloc(in->places, (size_t)in->places_cap * sizeof *in->places);
	}
	in->places[in->places_n++] = (struct place){names->source, names->topic, partition, next, -1};
}

/* The tally of the message's partition, which moves on with it; NULL where it is not ours. */
static struct tally *advance(struct intake *in, const struct position *at)
{
	struct place *pl = place_of(in, at->topic, at->partition);
	if (!pl)
		return NULL;
	if (pl->advance < 0)
		pl->advance = load_begin(in->filling, pl->source, pl->topic, pl->partition, pl->next);
	in->filling->advances[pl->advance].to = at->commit_offset;
	return &in->filling->tallies[pl->advance];
}

static void count(struct intake *in, struct tally *t, enum err rc, const struct message *m)
{
	in->filling->messages_n++;
	t->messages++;
	if (rc == ERR_NOTHING) {
		t->ignored++;
		return;
	}
	const struct place *pl = place_of(in, m->at.topic, m->at.partition);
	struct position at = m->at;
	at.source = pl->source;
	at.topic = pl->topic;
	if (rc == ERR_OK) {
		if (in->limit == 1)
			load_keep(in->filling, &at, m, pl->advance);
		return;
	}
	load_bury(in->filling, &at, m, &in->refused);
	t->dead++;
}

void intake_take(struct intake *in, const struct decoder *d, const struct message *m)
{
	struct tally *t = advance(in, &m->at);
	if (!t)
		return;
	bool booking;
	err_clear(&in->refused);
	enum err rc = decode_message(d, m, in->filling->changes, &booking, &in->refused);
	if (booking) {
		(void)load_put_booking(in->filling, m);
		rc = ERR_OK;
	}
	count(in, t, rc, m);
}

void intake_take_activity(struct intake *in, const struct message *m, const struct tracked_as *as)
{
	struct tally *t = advance(in, &m->at);
	if (!t)
		return;
	err_clear(&in->refused);
	count(in, t, load_put_activity(in->filling, m, as, &in->refused), m);
}

void intake_take_row(struct intake *in, const struct row_change *row, const struct position *at,
                     const char *payload)
{
	struct tally *t = advance(in, at);
	if (!t)
		return;
	err_clear(&in->refused);
	enum err rc = row_to_changes(row, in->rules, &in->units, in->filling->changes, &in->refused);
	struct message m = {.at = *at,
	                    .time_us = row->time_us,
	                    .value = payload,
	                    .value_n = payload ? strlen(payload) : 0};
	count(in, t, rc, &m);
}

void intake_pass(struct intake *in, const struct position *at)
{
	(void)advance(in, at);
}

/* ---- what is in hand ---------------------------------------------------------- */

static void drop(struct intake *in)
{
	load_clear(in->filling);
	in->places_n = 0;
	in->writing_dropped = in->writing != NULL;
}

void intake_revoke(struct intake *in)
{
	if (in->writing)
		(void)writer_outcome(in->writer, REVOKE_MS);
	drop(in);
}

static void submit(struct intake *in)
{
	must(!in->writing);
	for (int i = 0; i < in->places_n; i++) {
		struct place *pl = &in->places[i];
		if (pl->advance >= 0)
			pl->next = in->filling->advances[pl->advance].to;
		pl->advance = -1;
	}
	in->writing = in->filling;
	in->writing_dropped = false;
	in->filling = in->spare;
	in->spare = NULL;
	writer_write(in->writer, in->writing);
}

static void log_statuses(const struct load *load)
{
	size_t n = 0;
	const struct change *const *changes = changes_sorted(load->changes, &n);
	for (size_t i = 0; i < n; i++)
		if (changes[i]->kind == CHANGE_ORDER && changes[i]->fields & HAS_STATUS)
			LOG(LOG_DEBUG, "order_status", LOG_STR("order_id", changes[i]->id),
			    LOG_STR("status", changes[i]->status_word ? changes[i]->status_word : ""),
			    LOG_INT("version_major", changes[i]->status.major),
			    LOG_INT("version_minor", changes[i]->status.minor), LOG_END);
}

static void count_written(struct intake *in, const struct load *load, const struct applied *a)
{
	for (int i = 0; i < load->advances_n; i++) {
		const struct tally *t = &load->tallies[i];
		struct tally *all = &total_of(in, load->advances[i].source, load->advances[i].topic)->all;
		all->messages += t->messages;
		all->ignored += t->ignored;
		all->dead += t->dead;
		stat_add(STAT_MESSAGES, t->messages);
		stat_add(STAT_IGNORED, t->ignored);
		stat_add(STAT_POISON, t->dead);
	}
	stat_add(STAT_ORDERS, a->orders);
	stat_add(STAT_LINES, a->lines);
	stat_add(STAT_REFUNDS, a->refunds);
	stat_add(STAT_STALE, a->stale);
	stat_add(STAT_BATCHES, 1);
	if (log_wanted(LOG_DEBUG))
		log_statuses(load);
}

/* What the database will not have is looked for: batches are read again with far fewer messages,
 * until one is that message alone, which is buried. They grow again after a while of positions that
 * move: not within a transaction, which would be read from its beginning, and not between two such
 * messages that stand close. */
static enum err refuse(struct intake *in, struct load *load, const struct errbuf *why)
{
	LOG(LOG_WARNING, "batch_refused", LOG_INT("messages", load->messages_n),
	    LOG_STR("text", why->text), LOG_END);
	in->calm = 0;
	if (load_refuse(load, why)) {
		in->writing = load;
		writer_write(in->writer, load);
		return ERR_OK;
	}
	if (load->messages_n <= 1 && in->limit == 1)
		return ERR_DB;
	in->limit = load->messages_n > NARROW ? load->messages_n / NARROW : 1;
	part_recovered(in->part); /* it is soon read again */
	return ERR_BUSY;
}

static void grow(struct intake *in, const struct load *load)
{
	bool moved = false;
	for (int i = 0; i < load->advances_n; i++)
		moved = moved || load->advances[i].to != load->advances[i].from;
	in->calm += moved && in->calm < CALM;
	if (moved && in->calm == CALM && in->limit < in->messages_max)
		in->limit = in->limit * 2 < in->messages_max ? in->limit * 2 : in->messages_max;
}

/* Takes in how a batch went that is written, waiting for it a while. */
static enum err collect(struct intake *in, int wait_ms, struct errbuf *eb)
{
	const struct outcome *o = in->writing ? writer_outcome(in->writer, wait_ms) : NULL;
	if (!o)
		return ERR_OK;
	struct load *load = in->writing;
	in->writing = NULL;
	enum err rc = o->refused ? refuse(in, load, &o->eb) : o->rc;
	if (in->writing)
		return ERR_OK; /* what is left of it */
	if (rc == ERR_OK) {
		count_written(in, load, &o->applied);
		grow(in, load);
		part_recovered(in->part);
		if (in->source && !in->writing_dropped)
			in->ops->committed(in->source, load->advances, load->advances_n);
	} else if (rc == ERR_LOCKED) {
		stat_add(STAT_FENCED, 1);
	} else if (rc == ERR_DB_DOWN || rc == ERR_TIMEOUT || rc == ERR_BUSY) {
		stat_add(STAT_RETRIES, 1);
	}
	if (rc == ERR_LOCKED && in->writing_dropped)
		rc = ERR_OK; /* the partitions are another's by now, as it says */
	if (rc != ERR_OK)
		*eb = o->eb;
	load_clear(load);
	in->spare = load;
	return rc;
}

static void log_counts(struct intake *in)
{
	for (int i = 0; i < in->totals_n; i++) {
		struct total *t = &in->totals[i];
		int64_t n = t->all.messages - t->logged.messages;
		if (n == 0)
			continue;
		LOG(LOG_INFO, "stream_read", LOG_STR("source", t->source), LOG_STR("topic", t->topic),
		    LOG_INT("messages", n), LOG_INT("ignored", t->all.ignored - t->logged.ignored),
		    LOG_INT("dead", t->all.dead - t->logged.dead),
		    LOG_INT("messages_total", t->all.messages), LOG_END);
		t->logged = t->all;
	}
}

/* ---- the loop ------------------------------------------------------------------- */

static void set_paused(struct intake *in, bool on)
{
	if (in->source && in->paused != on)
		in->ops->pause(in->source, on);
	in->paused = on;
}

/* Keeps in touch with a source that is to read nothing. */
static void idle(struct intake *in)
{
	struct errbuf eb = {0};
	if (!in->source || in->ops->poll(in->source, in, POLL_MS, &eb) != ERR_OK)
		(void)part_sleep(in->part, POLL_MS);
}

/* How the writer's work went; NULL: to end. The source is paused where that takes long. */
static const struct outcome *await_writer(struct intake *in)
{
	const struct outcome *o = writer_outcome(in->writer, PATIENCE_MS);
	bool pause = !o && !in->paused;
	if (pause)
		set_paused(in, true);
	while (!o && !part_stopping(in->part)) {
		if (writer_busy_ms(in->writer) >= SLOW_MS)
			part_say(in->part, HEALTH_DEGRADED, SLOW);
		idle(in);
		o = writer_outcome(in->writer, 0);
	}
	if (pause && o && o->rc == ERR_OK)
		set_paused(in, false);
	return o;
}

static enum err read_rules(struct intake *in, struct errbuf *eb)
{
	writer_read_rules(in->writer);
	const struct outcome *o = await_writer(in);
	in->rules_ms = clock_mono_ms();
	if (!o)
		return err_set(eb, ERR_INTERRUPTED, "told to stop");
	in->rules = o->rules;
	if (o->rc != ERR_OK)
		*eb = o->eb;
	return o->rc;
}

/* Everything in its place: nothing in hand, rules, a source that stands where the database says. */
static enum err prepare(struct intake *in, struct errbuf *eb)
{
	while (in->writing) {
		struct errbuf gone = {0};
		if (!await_writer(in))
			return err_set(eb, ERR_INTERRUPTED, "told to stop");
		(void)collect(in, 0, &gone);
	}
	enum err rc = read_rules(in, eb);
	if (rc == ERR_OK && !in->reader && (rc = apply_open(&in->reader, in->conf, eb)) != ERR_OK)
		in->reader = NULL;
	if (rc != ERR_OK)
		return rc;
	if (!in->source) {
		in->paused = false;
		return in->ops->open(&in->source, in->conf, in->reader, eb);
	}
	rc = in->ops->rewind(in->source, in->reader, eb);
	if (rc == ERR_OK)
		set_paused(in, false);
	return rc;
}

static void keep_house(struct intake *in)
{
	int64_t now = clock_mono_ms();
	int64_t messages = in->filling->messages_n + (in->writing ? in->writing->messages_n : 0);
	size_t bytes = load_bytes(in->filling) + (in->writing ? load_bytes(in->writing) : 0);
	gauges_set_buffer(in->gauges, messages, (int64_t)bytes);
	if (now - in->house_ms >= HOUSE_MS) {
		int64_t waiting = -1, behind_ms = -1;
		in->house_ms = now;
		in->ops->lag(in->source, &waiting, &behind_ms);
		gauges_set_lag(in->gauges, waiting, behind_ms);
	}
	if (now - in->counts_ms >= COUNTS_MS) {
		in->counts_ms = now;
		log_counts(in);
	}
}

/* Reads once. A source that is away is asked again, more and more rarely if it does not wait
 * itself. */
static enum err read_once(struct intake *in, struct errbuf *eb)
{
	struct errbuf why = {0};
	int64_t begun_ms = clock_mono_ms();
	bool waiting = in->writing && in->filling->advances_n > 0;
	enum err rc = in->ops->poll(in->source, in, waiting ? POLL_BUSY_MS : POLL_MS, &why);
	if (rc == ERR_IO || rc == ERR_DB_DOWN) {
		in->away = true;
		part_say_error(in->part, HEALTH_DEGRADED, &why);
		if (clock_mono_ms() - begun_ms < POLL_BUSY_MS / 2)
			(void)part_back_off(in->part);
		return ERR_OK;
	}
	if (rc != ERR_OK) {
		*eb = why;
		return rc;
	}
	if (in->away)
		part_recovered(in->part);
	in->away = false;
	if (in->writing && writer_busy_ms(in->writer) >= SLOW_MS)
		part_say(in->part, HEALTH_DEGRADED, SLOW);
	else if (clock_mono_ms() >= in->doubt_ms)
		part_say(in->part, HEALTH_OK, "");
	return ERR_OK;
}

/* One turn: what there is goes into the batch, the batch to the writer as soon as that is free. */
static enum err turn(struct intake *in, struct errbuf *eb)
{
	enum err rc = read_once(in, eb);
	if (rc == ERR_OK)
		rc = collect(in, 0, eb);
	while (rc == ERR_OK && in->writing && intake_full(in) && await_writer(in))
		rc = collect(in, 0, eb);
	if (rc != ERR_OK)
		return rc;
	if (!in->writing && in->filling->advances_n > 0)
		submit(in);
	keep_house(in);
	bool nothing = !in->writing && in->filling->advances_n == 0;
	if (nothing && clock_mono_ms() - in->rules_ms >= RULES_MS) {
		int64_t rules_id = in->rules->rules_id;
		rc = read_rules(in, eb);
		if (rc == ERR_OK)
			part_recovered(in->part);
		if (rc == ERR_OK && in->rules->rules_id != rules_id)
			LOG(LOG_INFO, "rules_changed", LOG_INT("rules_id", in->rules->rules_id), LOG_END);
	}
	return rc;
}

/* Drops what is in hand, says why, and waits a while in touch with the source. */
static void give_up(struct intake *in, enum err rc, const struct errbuf *eb)
{
	drop(in);
	set_paused(in, true);
	if (rc == ERR_LOCKED || rc == ERR_BUSY)
		log_err("stream_begins_again", eb);
	else if (rc == ERR_DB_DOWN || rc == ERR_TIMEOUT || rc == ERR_IO || rc == ERR_NOTHING)
		part_say_error(in->part, HEALTH_DEGRADED, eb);
	else
		part_say_error(in->part, HEALTH_DOWN, eb);
	if (in->reader) { /* it may be why */
		apply_close(in->reader);
		in->reader = NULL;
	}
	gauges_set_buffer(in->gauges, 0, 0);
	if (rc == ERR_CONFIG && in->source) {
		in->ops->close(in->source);
		in->source = NULL;
		(void)part_sleep(in->part, LOOK_AGAIN_MS);
		in->doubt_ms = clock_mono_ms() + DOUBT_MS;
	} else {
		int64_t until_ms = clock_mono_ms() + part_back_off_ms(in->part);
		while (!part_stopping(in->part) && clock_mono_ms() < until_ms)
			idle(in);
	}
}

/* Writes what is in hand, at most until then. */
static void finish(struct intake *in, int64_t deadline_ms)
{
	struct errbuf eb = {0};
	enum err rc = ERR_OK;
	while (rc == ERR_OK && clock_mono_ms() < deadline_ms &&
	       (in->writing || in->filling->advances_n > 0)) {
		if (!in->writing)
			submit(in);
		rc = collect(in, POLL_MS, &eb);
	}
	if (rc != ERR_OK)
		log_err("stream_last_batch", &eb);
	log_counts(in);
}

static struct intake *intake_new(struct part *p, const struct source_ops *ops)
{
	const struct conf *conf = part_conf(p);
	struct intake *in = mem_alloc(sizeof *in);
	*in = (struct intake){.part = p,
	                      .conf = conf,
	                      .ops = ops,
	                      .writer = writer_new(conf),
	                      .units = topic_units(conf),
	                      .filling = load_new(),
	                      .spare = load_new(),
	                      .messages_max = (conf_int(conf, CONF_BUFFER_MAX_EVENTS) + 1) / 2,
	                      .activity_max = conf_int(conf, CONF_EVENT_BATCH_SIZE),
	                      .gauges = gauges_new(),
	                      .counts_ms = clock_mono_ms()};
	in->limit = in->messages_max;
	in->calm = CALM;
	return in;
}

static void intake_free(struct intake *in)
{
	load_free(in->filling);
	load_free(in->spare);
	load_free(in->writing);
	for (int i = 0; i < in->totals_n; i++) {
		free((char *)in->totals[i].source);
		free((char *)in->totals[i].topic);
	}
	free(in->totals);
	free(in->places);
	free(in);
}

void intake_run(struct part *p, const struct source_ops *ops)
{
	struct intake *in = intake_new(p, ops);
	while (!part_stopping(p)) {
		struct errbuf eb = {0};
		enum err rc = prepare(in, &eb);
		while (rc == ERR_OK && !part_stopping(p))
			rc = turn(in, &eb);
		if (rc != ERR_OK && rc != ERR_INTERRUPTED)
			give_up(in, rc, &eb);
	}
	int64_t deadline_ms = clock_mono_ms() + conf_int(in->conf, CONF_SHUTDOWN_TIMEOUT) * 1000 / 2;
	finish(in, deadline_ms);
	if (in->source)
		ops->close(in->source);
	if (in->reader)
		apply_close(in->reader);
	gauges_free(in->gauges);
	if (writer_stop(in->writer, deadline_ms))
		intake_free(in);
}
