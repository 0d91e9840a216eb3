/* source_postgresql.c: order_db itself tells of its changes, through a replication slot.
 *
 * A transaction counts as a whole: the position moves when it has ended, while the rows of a long
 * one are written piece by piece. Their versions make it harmless that they come again after a
 * fall. The server is told that it may forget something only once it is durable here. */
#include "stream/source_postgresql.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json_text.h"
#include "base/log.h"
#include "stream/parts.h"

enum {
	STANDBY_MS = 1000,             /* while another process follows the slot */
	PASS_MS = 10000,               /* the position moves at least that often, */
	PASS_BYTES = 16 * 1024 * 1024, /* or after that much of the log, whatever it was about */
	PAUSED_MS = 2000,
	SAY_MS = 5000,
};

static bool wanted(const struct conf *conf)
{
	return conf_str(conf, CONF_ORDER_REPLICATION_URL)[0] != '\0';
}

static enum err source_open_postgresql(struct source **out, const struct conf *conf,
                                       struct apply *apply, struct errbuf *eb)
{
	const char *slot = conf_str(conf, CONF_ORDER_REPLICATION_SLOT);
	(void)apply;
	size_t n = strlen(slot);
	if (n == 0 || n > 63 || slot[strspn(slot, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0')
		return err_set_field(eb, ERR_CONFIG, conf_name(CONF_ORDER_REPLICATION_SLOT),
		                     "%s: a slot's name is made of a-z, 0-9 and _ and has 63 letters at"
		                     " most",
		                     conf_name(CONF_ORDER_REPLICATION_SLOT));
	struct source *s = mem_alloc(sizeof *s);
	*s = (struct source){
		.conf = conf, .slot = slot, .publication = conf_str(conf, CONF_ORDER_PUBLICATION)};
	arena_init(&s->arena);
	buf_init(&s->payload);
	*out = s;
	return ERR_OK;
}

static void source_close_postgresql(struct source *s)
{
	if (!s)
		return;
	if (s->repl && s->phase == PHASE_STREAMING)
		replication_durable(s->repl, s->durable, true);
	postgresql_leave(s);
	arena_fini(&s->arena);
	buf_fini(&s->payload);
	free(s);
}

/* ---- rows --------------------------------------------------------------------- */

static void put_text(struct buf *b, const char *text)
{
	json_text_put(b, text, strlen(text));
}

/* As an envelope that decode_debezium would read, too. */
static void put_payload(struct buf *b, const struct row_change *row)
{
	buf_clear(b);
	buf_puts(b, row->op == ROW_DELETE ? "{\"before\":{" : "{\"after\":{");
	for (int i = 0; i < row->columns_n; i++) {
		const struct row_value *v = &row->columns[i];
		if (i > 0)
			buf_putc(b, ',');
		put_text(b, v->name);
		buf_putc(b, ':');
		if (v->kind == VALUE_KEPT)
			buf_puts(b, "\"__debezium_unavailable_value\"");
		else if (v->kind == VALUE_NULL)
			buf_puts(b, "null");
		else
			put_text(b, v->text);
	}
	buf_printf(b,
	           "},\"op\":\"%c\",\"source\":{\"lsn\":%" PRId64 ",\"ts_ms\":%" PRId64 ",\"schema\":",
	           row->op ? (char)row->op : ' ', row->lsn, row->time_us / 1000);
	put_text(b, row->schema);
	buf_puts(b, ",\"table\":");
	put_text(b, row->table);
	buf_puts(b, "}}");
}

static void hand_over(struct source *s, struct intake *in, struct row_change *row, int64_t offset)
{
	const struct position at = {
		.source = "postgresql", .topic = s->slot, .offset = offset, .commit_offset = s->whole};
	put_payload(&s->payload, row);
	intake_take_row(in, row, &at, buf_str(&s->payload));
}

/* The position moves to the end of what was whole. */
static void pass(struct source *s, struct intake *in)
{
	const struct position at = {
		.source = "postgresql", .topic = s->slot, .offset = s->whole, .commit_offset = s->whole};
	intake_pass(in, &at);
	s->passed = s->whole;
	s->passed_ms = clock_mono_ms();
	s->touched = false;
}

/* ---- the first copy --------------------------------------------------------------- */

static void say_progress(struct source *s)
{
	if (clock_mono_ms() - s->said_ms < SAY_MS)
		return;
	s->said_ms = clock_mono_ms();
	LOG(LOG_INFO, "first_copy", LOG_STR("table", rowset_get(&s->tables, s->table, "table")),
	    LOG_INT("rows", s->copied), LOG_END);
}

/* A place of its own for each row, should it become a dead letter; none that streamed ones have. */
static int64_t copy_offset(const struct source *s)
{
	return -(s->start + s->copied);
}

static enum err copy_row(struct source *s, struct intake *in, const char *bytes, size_t n,
                         struct errbuf *eb)
{
	struct row_change row = {0};
	arena_reset(&s->arena);
	enum err rc = pgoutput_decode(s->decoder, bytes, n, s->copy_version, &s->arena, &row, eb);
	if (rc == ERR_NOTHING)
		return ERR_OK;
	if (rc != ERR_OK)
		return rc;
	row.op = ROW_READ;
	row.time_us = 0;
	s->copied++;
	hand_over(s, in, &row, copy_offset(s));
	return ERR_OK;
}

/* All tables are read: what was copied counts as one transaction that ended where the stream
 * begins. */
static void end_copy(struct source *s, struct intake *in)
{
	LOG(LOG_INFO, "first_copy_read", LOG_INT("rows", s->copied), LOG_END);
	s->whole = s->start;
	pass(s, in);
	s->phase = PHASE_COPIED;
}

static enum err open_table(struct source *s, struct errbuf *eb)
{
	return replication_copy_open(&s->copy, s->order, rowset_get(&s->tables, s->table, "schema"),
	                             rowset_get(&s->tables, s->table, "table"), eb);
}

static enum err copy_on(struct source *s, struct intake *in, int64_t until_ms, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	while (rc == ERR_OK && !intake_full(in)) {
		const char *bytes;
		size_t n;
		int64_t left_ms = until_ms - clock_mono_ms();
		if (s->table == rowset_rows(&s->tables)) {
			end_copy(s, in);
			return ERR_OK;
		}
		if (!s->copy)
			rc = open_table(s, eb);
		if (rc == ERR_OK)
			rc = replication_copy_next(s->copy, left_ms > 0 ? (int)left_ms : 0, &bytes, &n, eb);
		if (rc == ERR_BUSY)
			return ERR_OK;
		if (rc == ERR_OK) {
			rc = copy_row(s, in, bytes, n, eb);
			say_progress(s);
		} else if (rc == ERR_NOTHING) {
			replication_copy_close(s->copy);
			s->copy = NULL;
			s->table++;
			rc = ERR_OK;
		}
	}
	return rc;
}

/* ---- the stream ---------------------------------------------------------------------- */

/* One record may have inserted many rows. */
static int64_t place_of(struct source *s, int64_t lsn)
{
	s->last_lsn_n = lsn == s->last_lsn ? s->last_lsn_n + 1 : 0;
	s->last_lsn = lsn;
	return lsn + s->last_lsn_n;
}

static void maybe_pass(struct source *s, struct intake *in)
{
	if (s->whole > s->passed && (s->touched || s->whole - s->passed > PASS_BYTES ||
	                             clock_mono_ms() - s->passed_ms > PASS_MS))
		pass(s, in);
}

static enum err take_message(struct source *s, struct intake *in,
                             const struct replication_message *m, struct errbuf *eb)
{
	struct row_change row = {0};
	int64_t end = 0;
	arena_reset(&s->arena);
	enum err rc =
		pgoutput_decode(s->decoder, m->bytes, m->n, m->lsn + s->base, &s->arena, &row, eb);
	if (rc == ERR_OK) {
		s->touched = true;
		if (row.time_us)
			s->committed_us = row.time_us;
		hand_over(s, in, &row, place_of(s, m->lsn));
		return ERR_OK;
	}
	if (rc != ERR_NOTHING)
		return rc;
	if (m->n > 0 && m->bytes[0] == 'B')
		s->inside = true;
	if (pgoutput_committed(s->decoder, &end)) {
		s->inside = false;
		s->whole = end;
		maybe_pass(s, in);
	}
	return ERR_OK;
}

static enum err stream_on(struct source *s, struct intake *in, int64_t until_ms, struct errbuf *eb)
{
	int64_t durable = s->durable;
	s->idle = false;
	if (durable != s->reported) {
		replication_durable(s->repl, durable, true);
		s->reported = durable;
	}
	for (bool took = false; !intake_full(in);) {
		struct replication_message m;
		/* What is whole is not kept waiting for more. */
		int64_t left_ms = took && !s->inside ? 0 : until_ms - clock_mono_ms();
		enum err rc = replication_receive(s->repl, left_ms > 0 ? (int)left_ms : 0, &m, eb);
		if (rc == ERR_NOTHING) {
			s->idle = !s->inside;
			maybe_pass(s, in);
			return ERR_OK;
		}
		took |= m.bytes != NULL;
		if (rc == ERR_OK && m.bytes)
			rc = take_message(s, in, &m, eb);
		if (rc != ERR_OK)
			return rc;
		if (!m.bytes && !s->inside && m.lsn > s->whole) {
			s->whole = m.lsn;
			s->touched |= m.asked; /* a server that shuts down waits until we are as far */
		}
	}
	return ERR_OK;
}

/* ---- the steps ------------------------------------------------------------------------ */

static void nap(int64_t until_ms)
{
	int64_t left_ms = until_ms - clock_mono_ms();
	if (left_ms > 0)
		(void)poll(NULL, 0, (int)left_ms);
}

static enum err connect_and_check(struct source *s, struct intake *in, struct errbuf *eb)
{
	enum err rc = s->phase == PHASE_AWAY ? postgresql_connect(s, eb) : ERR_OK;
	if (rc == ERR_OK)
		rc = postgresql_check(s, in, eb);
	if (rc == ERR_OK && s->phase == PHASE_CHECK)
		s->again_ms = clock_mono_ms() + STANDBY_MS;
	return rc;
}

/* Nothing can be written, so nothing is read. The connection is not held for long: a server that
 * shuts down waits until all who follow it are as far as it is. */
static enum err stay(struct source *s, int64_t until_ms, struct errbuf *eb)
{
	nap(until_ms);
	if (s->phase != PHASE_STREAMING)
		return ERR_OK;
	if (clock_mono_ms() - s->paused_ms < PAUSED_MS)
		return replication_keep(s->repl, eb);
	postgresql_leave(s);
	return ERR_OK;
}

static enum err step(struct source *s, struct intake *in, int64_t until_ms, struct errbuf *eb)
{
	int64_t left_ms = until_ms - clock_mono_ms();
	if (s->paused)
		return stay(s, until_ms, eb);
	switch (s->phase) {
	case PHASE_CREATING:
		return postgresql_created(s, in, left_ms > 0 ? (int)left_ms : 0, eb);
	case PHASE_COPYING:
		return copy_on(s, in, until_ms, eb);
	case PHASE_COPIED:
		if (s->durable >= s->start)
			return postgresql_start(s, in, s->start, eb);
		break;
	case PHASE_STREAMING:
		return stream_on(s, in, until_ms, eb);
	default:
		if (clock_mono_ms() >= s->again_ms)
			return connect_and_check(s, in, eb);
	}
	nap(until_ms);
	return ERR_OK;
}

static enum err poll_source(struct source *s, struct intake *in, int timeout_ms, struct errbuf *eb)
{
	enum err rc = step(s, in, clock_mono_ms() + timeout_ms, eb);
	if (rc != ERR_OK)
		postgresql_leave(s);
	return rc;
}

static void committed(struct source *s, const struct advance *done, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(done[i].source, "postgresql") == 0 && done[i].to > s->durable)
			s->durable = done[i].to;
}

static enum err rewind_source(struct source *s, struct apply *apply, struct errbuf *eb)
{
	(void)apply, (void)eb; /* where to go on is looked up when the slot is ours again */
	postgresql_leave(s);
	return ERR_OK;
}

static void pause_source(struct source *s, bool on)
{
	s->paused = on;
	s->paused_ms = clock_mono_ms();
}

static void lag(struct source *s, int64_t *messages, int64_t *behind_ms)
{
	*messages = -1;
	*behind_ms = -1;
	if (s->phase != PHASE_STREAMING)
		return;
	if (s->idle)
		*messages = *behind_ms = 0;
	else if (s->committed_us)
		*behind_ms = (clock_now_us() - s->committed_us) / 1000;
}

const struct source_ops source_postgresql = {
	.name = "postgresql",
	.wanted = wanted,
	.open = source_open_postgresql,
	.poll = poll_source,
	.committed = committed,
	.rewind = rewind_source,
	.pause = pause_source,
	.lag = lag,
	.close = source_close_postgresql,
};

static void run(struct part *p)
{
	intake_run(p, &source_postgresql);
}

const struct part_kind part_postgresql = {"order_db", PART_SOURCE, wanted, run};
