/* track.c: each event is read and judged by itself; all of a request are stored in one transaction.
 */
#include "cgi-bin/track.h"

#include <stdlib.h>
#include <string.h>

#include "base/cidr.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/jnode.h"
#include "base/json_text.h"
#include "base/log.h"
#include "cgi-bin/activity_setup.h"
#include "cgi-bin/group_commit.h"
#include "cgi-bin/sink_kafka.h"
#include "cgi-bin/stats.h"
#include "domain/activity_store.h"
#include "web/json.h"
#include "web/limits.h"

enum { BODY_DEPTH = 64 }; /* of events the reader bounds it, and tells which is too deep */

/* What becomes of one event. Texts are literals or the arena's. */
struct fate {
	enum activity_outcome outcome;
	int place; /* among the rows; -1: it is none of them */
	char event_id[37];
	const char *type; /* of one that can be read; else NULL */
	const char *reason, *field, *detail;
};

/* A request with events. */
struct tracking {
	struct call *c;
	struct activity_setup *setup;
	struct activity_sender sender;
	struct activity_rows *rows;
	struct sink_batch *batch; /* what goes into Kafka; NULL: all is among the rows */
	bool aside;               /* something was refused or warned of: it is among the rows */
	const char *source;
	struct fate *fates;
	int n;
	void (*answer)(const struct tracking *t);
	enum activity_outcome *outcomes; /* of the rows */
	struct group_part part;          /* of a transaction */
	int64_t begun_us;
	struct errbuf eb;
};

/* ---- who sends ------------------------------------------------------------------------------- */

/* The host of "https://shop.example:8443". */
static const char *host_of(struct call *c, const char *origin)
{
	const char *at = strstr(origin, "://");
	return at ? arena_strndup(c->req->arena, at + 3, strcspn(at + 3, ":/")) : "";
}

static const char *source_of(struct call *c)
{
	struct buf text;
	buf_init(&text);
	identity_actor(&c->who, &text);
	const char *source = arena_strdup(c->req->arena, buf_str(&text));
	buf_fini(&text);
	return source;
}

static void fill_sender(struct tracking *t)
{
	struct call *c = t->c;
	t->source = source_of(c);
	t->sender = (struct activity_sender){.received_us = clock_now_us(),
	                                     .key_id = c->who.key_id,
	                                     .trusted = !c->who.is_public,
	                                     .device = "",
	                                     .browser = "",
	                                     .host = ""};
	if (!c->who.is_public)
		return;
	struct activity_agent agent = activity_agent_read(request_param(c->req, "HTTP_USER_AGENT"));
	t->sender.device = agent.device;
	t->sender.browser = agent.browser;
	t->sender.flags = agent.flags;
	t->sender.host = host_of(c, request_param(c->req, "HTTP_ORIGIN"));
}

/* A session's cookie comes along with whatever a page sends: its user did not mean to track. */
static bool may_send(struct call *c)
{
	struct errbuf eb = {0};
	if (c->who.kind != IDENTITY_SESSION)
		return true;
	(void)err_set(&eb, ERR_INVALID, "events come with a write key or a token, not with a session");
	call_refuse(c, 403, "forbidden", &eb);
	return false;
}

/* So many events a minute; false with 429 as the answer. */
static bool within_limit(struct call *c, int n)
{
	struct errbuf eb = {0};
	struct limit_state left;
	char party[CIDR_PARTY];
	bool far = c->who.is_public;
	int64_t minute = conf_int(c->conf, far ? CONF_RATE_LIMIT_TRACK : CONF_RATE_LIMIT_INGEST);
	const struct limit limit = {.per_hour = 60 * minute, .burst = minute};
	if (minute == 0 || (!far && c->who.kind != IDENTITY_KEY))
		return true;
	cidr_party(c->req->remote_addr, party);
	const char *id = far ? party : arena_printf(c->req->arena, "%lld", (long long)c->who.key_id);
	if (limits_take_many(c->web->limits, far ? LIMIT_TRACK : LIMIT_INGEST, id, &limit,
	                     n < minute ? n : minute, c->start_us, &left))
		return true;
	(void)err_set(&eb, ERR_INVALID, "more than %lld events a minute: wait %lld s",
	              (long long)minute, (long long)left.retry_s);
	call_refuse(c, 429, "too_many_requests", &eb);
	reply_header_set(c->reply, "Retry-After",
	                 arena_printf(c->req->arena, "%lld", (long long)left.retry_s));
	return false;
}

/* What one visitor does in a minute tells whether it is one. Servers send for many, and what was.
 */
static bool is_busy(struct tracking *t, const struct activity_event *e)
{
	struct limit_state left;
	int64_t minute = conf_int(t->c->conf, CONF_BOT_EVENTS);
	const struct limit limit = {.per_hour = 60 * minute, .burst = minute};
	const char *id = e->user_id ? e->user_id : e->anonymous_id ? e->anonymous_id : e->session_id;
	return t->c->who.is_public && minute &&
	       !limits_take(t->c->web->visitors, LIMIT_VISITOR, id, &limit, t->c->start_us, &left);
}

/* ---- one event ------------------------------------------------------------------------------- */

/* For the accounts: a sender may write anything there. */
static const char *type_of(const struct jnode *event)
{
	const char *type = jnode_string_at(event, "event_type");
	return type && strlen(type) <= ACTIVITY_TYPE_BYTES ? type : "";
}

static void because(struct tracking *t, struct fate *f, enum activity_outcome outcome,
                    const char *reason, const struct errbuf *why)
{
	f->outcome = outcome;
	f->reason = reason;
	f->field = arena_strdup(t->c->req->arena, why->field);
	f->detail = arena_strdup(t->c->req->arena, why->text);
}

static void refuse(struct tracking *t, const struct jnode *event, struct fate *f,
                   const char *reason, const struct errbuf *why)
{
	because(t, f, ACTIVITY_REFUSED, reason, why);
	t->aside = true;
	activity_rows_refuse(t->rows, t->source, type_of(event), reason, why, t->sender.received_us);
}

static void quarantine(struct tracking *t, const struct activity_event *e, struct fate *f,
                       const char *reason, const struct errbuf *why)
{
	because(t, f, ACTIVITY_QUARANTINED, reason, why);
	if (t->batch)
		sink_batch_put(t->batch, e, t->source, reason, why);
	else
		activity_rows_quarantine(t->rows, e, t->source, reason, why);
}

/* One that can be read. */
static void keep(struct tracking *t, struct activity_event *e, struct fate *f)
{
	struct errbuf why = {0};
	const struct activity_setup_type *type = activity_setup_find(t->setup, e->type);
	if (is_busy(t, e))
		e->flags |= ACTIVITY_BOT_RATE;
	bool fits = !type || activity_schema_check(t->c->req->arena, type->schema, e->properties,
	                                           &why) == ERR_OK;
	if (!fits && type->enforce) {
		quarantine(t, e, f, "schema", &why);
		return;
	}
	if (!fits)
		activity_rows_warn(t->rows, t->source, e->type, "schema", &why, e->received_us);
	t->aside = t->aside || !fits;
	if (t->batch) {
		sink_batch_put(t->batch, e, t->source, NULL, NULL);
		return;
	}
	f->place = activity_rows_n(t->rows);
	activity_rows_put(t->rows, e, t->source);
}

static void take_event(struct tracking *t, const struct jnode *event, struct fate *f)
{
	struct errbuf why = {0};
	struct activity_event e;
	*f = (struct fate){.place = -1, .reason = "", .field = "", .detail = ""};
	enum err rc =
		activity_event_read(t->c->req->arena, event, &t->setup->rules, &t->sender, &e, &why);
	if (rc == ERR_OK || rc == ERR_NOTHING)
		activity_id_format(e.event_id, f->event_id);
	f->type = rc == ERR_OK ? e.type : NULL;
	if (rc == ERR_OK)
		keep(t, &e, f);
	else if (rc == ERR_NOTHING)
		quarantine(t, &e, f, "too_old", &why);
	else
		refuse(t, event, f, "invalid", &why);
}

/* ---- storing --------------------------------------------------------------------------------- */

static void fill_fates(struct tracking *t)
{
	for (int i = 0; i < t->n; i++) {
		struct fate *f = &t->fates[i];
		if (f->place < 0)
			continue;
		f->outcome = t->outcomes[f->place];
		if (f->outcome == ACTIVITY_CONFLICT) {
			f->reason = "conflict";
			f->field = "event_id";
			f->detail = "another event has this event_id already";
		} else if (f->outcome == ACTIVITY_SUPPRESSED) {
			f->reason = "suppressed";
			f->detail = "nothing is kept about this person any more";
		} else if (f->outcome == ACTIVITY_REFUSED) {
			f->reason = "database";
			f->detail = "the database does not take this event";
		}
	}
}

/* For /metrics: what was taken in. */
static void count(const struct tracking *t)
{
	for (int i = 0; i < t->n; i++)
		if (t->fates[i].type && t->fates[i].outcome == ACTIVITY_STORED)
			stats_events(t->fates[i].type, 1);
}

/* Busy or away: whoever sends keeps its events and comes again. */
static void answer(struct tracking *t, enum err rc)
{
	if (rc == ERR_OK) {
		count(t);
		t->answer(t);
	} else {
		call_refuse(t->c, rc == ERR_TIMEOUT ? 503 : 0, NULL, &t->eb);
	}
	activity_rows_free(t->rows);
	sink_batch_free(t->batch);
	if (t->setup)
		activity_setup_release(t->c, t->setup);
}

/* Where there is nothing to keep, the answer does not depend on whether it could be counted. */
static void stored(struct group_part *part)
{
	struct tracking *t = part->arg;
	struct call *c = t->c;
	bool kept = activity_rows_n(t->rows) > 0;
	c->db_us += clock_mono_us() - t->begun_us;
	for (int i = 0; i < t->n; i++)
		kept = kept || t->fates[i].outcome == ACTIVITY_QUARANTINED;
	if (part->rc == ERR_OK || !kept) {
		err_clear(&t->eb);
		fill_fates(t);
		answer(t, ERR_OK);
	} else {
		answer(t, part->rc);
	}
	call_end(c);
}

/* Answered by who commits it, at any moment from here on. */
static void store(struct tracking *t)
{
	size_t n = (size_t)activity_rows_n(t->rows);
	t->begun_us = clock_mono_us();
	t->outcomes = arena_array(t->c->req->arena, n + 1, sizeof *t->outcomes);
	t->part = (struct group_part){
		.rows = t->rows, .outcomes = t->outcomes, .eb = &t->eb, .done = stored, .arg = t};
	call_put_off(t->c);
	group_commit_put(t->c->web->group, &t->part);
}

/* What is in Kafka is acknowledged: which of it was there before, the stream finds out. What stays
 * aside is counted as well as can be. */
static enum err send(struct tracking *t, struct errbuf *eb)
{
	enum activity_outcome none;
	struct errbuf away = {0};
	enum err rc = sink_kafka_send(t->c->web->sink, t->batch, eb);
	failpoint_pass(FP_web_sink_sent);
	if (rc == ERR_OK && t->aside &&
	    group_commit_store(t->c->web->group, t->rows, &none, &away) != ERR_OK)
		log_err("track_not_counted", &away);
	return rc;
}

static void take_events(struct tracking *t, const struct jnode *list, const struct jnode *one)
{
	int at = 0;
	t->n = list ? (int)list->n : 1;
	t->fates = arena_array(t->c->req->arena, (size_t)t->n, sizeof *t->fates);
	t->rows = activity_rows_new();
	t->batch = t->c->web->sink ? sink_batch_new() : NULL;
	fill_sender(t);
	for (const struct jnode *e = list ? list->first : one; e; e = list ? e->next : NULL)
		take_event(t, e, &t->fates[at++]);
}

static void track(struct call *c, const struct jnode *list, const struct jnode *one,
                  void (*say)(const struct tracking *t))
{
	struct tracking *t = arena_array(c->req->arena, 1, sizeof *t);
	*t = (struct tracking){.c = c, .answer = say};
	enum err rc = activity_setup_get(c, &t->setup, &t->eb);
	if (rc == ERR_OK)
		take_events(t, list, one);
	if (rc == ERR_OK && !t->batch) {
		store(t);
		return;
	}
	if (rc == ERR_OK)
		rc = send(t, &t->eb);
	answer(t, rc);
}

static bool read_body(struct call *c, const struct jnode **top)
{
	struct errbuf why = {0}, eb = {0};
	enum err rc =
		jnode_parse(c->req->arena, c->req->body, c->req->body_len, BODY_DEPTH, NULL, top, &why);
	if (rc == ERR_OK)
		return true;
	(void)err_set_field(&eb, rc, "body", "%s", why.text);
	call_refuse(c, rc == ERR_MALFORMED ? 400 : 0, NULL, &eb);
	return false;
}

/* ---- POST /events/track ---------------------------------------------------------------------- */

static const char *word_of(enum activity_outcome outcome)
{
	switch (outcome) {
	case ACTIVITY_STORED:
		return "accepted";
	case ACTIVITY_DUPLICATE:
		return "duplicate";
	case ACTIVITY_QUARANTINED:
		return "quarantined";
	case ACTIVITY_CONFLICT:
	case ACTIVITY_SUPPRESSED:
	case ACTIVITY_REFUSED:
		break;
	}
	return "rejected";
}

static void reply_one(const struct tracking *t)
{
	struct call *c = t->c;
	const struct fate *f = t->fates;
	struct json j;
	struct errbuf eb = {0};
	if (*word_of(f->outcome) == 'r') {
		(void)err_set_field(&eb, ERR_INVALID, f->field, "%s", f->detail);
		call_refuse(c, f->outcome == ACTIVITY_CONFLICT ? 409 : 0, f->reason, &eb);
		return;
	}
	reply_begin(c->reply, 202, "application/json");
	json_init(&j, &c->reply->body);
	json_begin_object(&j);
	json_pair_text(&j, "event_id", f->event_id);
	json_pair_text(&j, "status", word_of(f->outcome));
	json_end_object(&j);
	json_end(&j);
	buf_putc(&c->reply->body, '\n');
}

void track_one_handle(struct call *c)
{
	const struct jnode *top;
	c->handled = true;
	if (may_send(c) && within_limit(c, 1) && read_body(c, &top))
		track(c, NULL, top, reply_one);
}

/* ---- POST /events/batch ---------------------------------------------------------------------- */

static void put_reason(struct buf *b, const char *key, const char *text)
{
	buf_puts(b, key);
	json_text_put(b, text, strlen(text));
}

/* Written by hand: there are hundreds, and most of them say nothing but that all is well. */
static void put_fate(struct buf *b, int at, const struct fate *f)
{
	buf_puts(b, at ? ",{\"index\":" : "{\"index\":");
	buf_putint(b, at);
	buf_puts(b, *f->event_id ? ",\"event_id\":\"" : ",\"event_id\":null");
	buf_puts(b, f->event_id);
	buf_puts(b, *f->event_id ? "\",\"status\":\"" : ",\"status\":\"");
	buf_puts(b, word_of(f->outcome));
	buf_putc(b, '"');
	if (*f->reason) {
		put_reason(b, ",\"reason\":", f->reason);
		put_reason(b, ",\"field\":", f->field);
		put_reason(b, ",\"detail\":", f->detail);
	}
	buf_putc(b, '}');
}

static void reply_batch(const struct tracking *t)
{
	struct call *c = t->c;
	struct json j;
	struct buf results;
	int64_t n[ACTIVITY_REFUSED + 1] = {0};
	for (int i = 0; i < t->n; i++)
		n[t->fates[i].outcome]++;
	reply_begin(c->reply, 200, "application/json");
	json_init(&j, &c->reply->body);
	json_begin_object(&j);
	json_pair_int(&j, "accepted", n[ACTIVITY_STORED]);
	json_pair_int(&j, "duplicates", n[ACTIVITY_DUPLICATE]);
	json_pair_int(&j, "rejected",
	              n[ACTIVITY_CONFLICT] + n[ACTIVITY_SUPPRESSED] + n[ACTIVITY_REFUSED]);
	json_pair_int(&j, "quarantined", n[ACTIVITY_QUARANTINED]);
	buf_init(&results);
	buf_putc(&results, '[');
	for (int i = 0; i < t->n; i++)
		put_fate(&results, i, &t->fates[i]);
	buf_putc(&results, ']');
	json_key(&j, "results");
	json_put_raw(&j, results.data, results.len);
	buf_fini(&results);
	json_end_object(&j);
	json_end(&j);
	buf_putc(&c->reply->body, '\n');
}

/* A list, or an object with nothing but a list of events; false with the refusal as the answer. */
static bool find_list(struct call *c, const struct jnode *top, const struct jnode **list)
{
	struct errbuf eb = {0};
	int64_t most = conf_int(c->conf, CONF_EVENT_BATCH_SIZE);
	*list = top->kind == JNODE_ARRAY ? top : top->n == 1 ? jnode_get(top, "events") : NULL;
	if (!*list || (*list)->kind != JNODE_ARRAY || (*list)->n == 0) {
		(void)err_set_field(
			&eb, ERR_INVALID, "events",
			"the body must be a list of events, or an object with nothing but such a"
			" list as events");
		call_refuse(c, 0, NULL, &eb);
		return false;
	}
	if ((*list)->n <= most)
		return true;
	(void)err_set_field(&eb, ERR_INVALID, "events", "%lld events are more than the %lld of %s",
	                    (long long)(*list)->n, (long long)most, conf_name(CONF_EVENT_BATCH_SIZE));
	call_refuse(c, 413, "too_large", &eb);
	return false;
}

void track_batch_handle(struct call *c)
{
	const struct jnode *top, *list;
	c->handled = true;
	if (may_send(c) && read_body(c, &top) && find_list(c, top, &list) &&
	    within_limit(c, (int)list->n))
		track(c, list, NULL, reply_batch);
}

/* ---- GET /events/{event_id} ------------------------------------------------------------------ */

void track_event_handle(struct call *c)
{
	struct errbuf eb = {0};
	unsigned char id[16];
	call_param_set(c, "personal", identity_sees_customers(&c->who) ? "t" : "f");
	if (activity_id_parse(call_param(c, "event_id"), id))
		return;
	(void)err_set_field(&eb, ERR_INVALID, "event_id", "event_id must be a UUID");
	call_refuse(c, 0, NULL, &eb);
	c->handled = true;
}
