/* journey.c: one person's journey: asked, worked out, and as JSON. */
#include "cgi-bin/journey.h"

#include <stdint.h>
#include <string.h>

#include "base/num.h"
#include "base/time_text.h"
#include "behaviour/sequence_words.h"
#include "cgi-bin/admin.h"
#include "cgi-bin/audit.h"
#include "cgi-bin/render.h"
#include "domain/person.h"
#include "web/json.h"

enum { CURSOR_PARTS = 3, BOUGHT_AT = 0 };

void journey_fini(struct journey *j)
{
	rowset_fini(&j->person);
	rowset_fini(&j->rows);
	rowset_fini(&j->touches);
	rowset_fini(&j->counts);
	rowset_fini(&j->purchase);
	rowset_fini(&j->model);
}

bool journey_is_empty(const struct journey *j)
{
	return rowset_get(&j->rows, 0, "event_id") == NULL;
}

/* ---- what is asked ------------------------------------------------------------------------ */

struct asked {
	const char *as_of_us, *after_us, *after_seq; /* NULL: now, and from the newest on */
};

static const char *us_text(struct arena *a, int64_t us)
{
	return arena_printf(a, "%lld", (long long)us);
}

/* "AS_OF.AT.SEQ": what was known when the first page was asked for, and where to go on. */
static enum err read_cursor(struct call *c, const char *cursor, struct asked *q, struct errbuf *eb)
{
	struct arena *m = c->req->arena;
	const char *part[CURSOR_PARTS], *p = cursor;
	int64_t n;
	for (int i = 0; i < CURSOR_PARTS; i++) {
		size_t len = strcspn(p, ".");
		part[i] = arena_strndup(m, p, len);
		p += len + (p[len] == '.' && i + 1 < CURSOR_PARTS);
		if (!num_parse_int(part[i], 0, i < 2 ? TIME_2200_US : INT64_MAX, &n))
			return err_set_field(eb, ERR_INVALID, "cursor", "cursor must be one of this journey");
	}
	if (*p)
		return err_set_field(eb, ERR_INVALID, "cursor", "cursor must be one of this journey");
	if (q->as_of_us && strcmp(q->as_of_us, part[0]) != 0)
		return err_set_field(eb, ERR_INVALID, "as_of", "the cursor is of another as_of");
	*q = (struct asked){part[0], part[1], part[2]};
	return ERR_OK;
}

static enum err read_asked(struct call *c, struct asked *q, struct errbuf *eb)
{
	const char *as_of = call_param(c, "as_of"), *cursor = call_param(c, "cursor");
	int64_t us;
	*q = (struct asked){0};
	if (as_of) {
		if (time_parse(as_of, &us) != TIME_INSTANT || us < TIME_1970_US || us >= TIME_2200_US)
			return err_set_field(eb, ERR_INVALID, "as_of",
			                     "as_of must be a time such as 2025-11-01T12:00:00Z");
		q->as_of_us = us_text(c->req->arena, us);
	}
	return cursor ? read_cursor(c, cursor, q, eb) : ERR_OK;
}

/* ---- asking ------------------------------------------------------------------------------- */

static enum err ask(struct call *c, struct db *db, const char *statement,
                    const struct db_param *params, struct rowset *rs, struct errbuf *eb)
{
	struct db_limits limits = call_limits(c);
	return db_query_all(db, &(struct db_ask){statement, params, rs}, 1, &limits, eb);
}

static enum err ask_person(struct call *c, struct db *db, const struct asked *q, struct journey *j,
                           struct errbuf *eb)
{
	const char *id = call_param(c, "user_id");
	enum err rc =
		ask(c, db, "journey_person",
	        DB_PARAMS({"kind", call_param(c, "kind")}, {"id", id},
	                  {"person_id", call_param(c, "person_id")}, {"as_of_us", q->as_of_us}),
	        &j->person, eb);
	if (rc == ERR_OK && rowset_rows(&j->person) == 0)
		return err_set_field(eb, ERR_NOT_FOUND, id ? "user_id" : "person_id",
		                     id ? "nobody is known by this id" : "there is no such person");
	if (rc == ERR_OK && *rowset_get(&j->person, 0, "is_future") == 't')
		return err_set_field(eb, ERR_INVALID, "as_of", "as_of is still to come");
	return rc;
}

/* Adds the sessions of one part in which the person did something (018_sequences.sql). */
static void put_keys(const struct rowset *rs, int row, uint64_t person, struct buf *keys)
{
	enum { PEOPLE, SESSIONS, WORD = SEQUENCE_WORD };
	size_t people_n, sessions_n, at = 0;
	const unsigned char *people = rowset_blob(rs, row, PEOPLE, &people_n);
	const unsigned char *sessions = rowset_blob(rs, row, SESSIONS, &sessions_n);
	uint64_t last = 0;
	for (size_t i = 0; i + WORD <= people_n; i += WORD) {
		uint64_t word = sequence_word(people + i);
		size_t n = word & SEQUENCE_COUNT;
		bool own = word >> SEQUENCE_PERSON_SHIFT == person;
		for (size_t e = at; own && e < at + n && (e + 1) * WORD <= sessions_n; e++) {
			uint64_t key = sequence_word(sessions + e * WORD);
			if (e == at || key != last)
				buf_printf(keys, "%s%lld", keys->len > 1 ? "," : "", (long long)(int64_t)key);
			last = key;
		}
		at += n;
	}
}

/* The sessions in which sequences say that the person did something, as an array of SQL; each
 * once or more often. Most of them are the person's own. */
static enum err ask_keys(struct call *c, struct db *db, const char *person_id, const char **keys,
                         struct errbuf *eb)
{
	struct db_limits limits = call_limits(c);
	struct rowset rs = {0};
	struct buf text;
	int64_t person = 0;
	limits.binary = true;
	must(num_parse_int(person_id, 0, INT64_MAX, &person));
	enum err rc = db_query_all(
		db, &(struct db_ask){"journey_parts", DB_PARAMS({"person_id", person_id}), &rs}, 1, &limits,
		eb);
	buf_init(&text);
	buf_putc(&text, '{');
	for (int i = 0; rc == ERR_OK && i < rowset_rows(&rs); i++)
		put_keys(&rs, i, (uint64_t)person, &text);
	buf_putc(&text, '}');
	*keys = arena_strdup(c->req->arena, buf_str(&text));
	buf_fini(&text);
	rowset_fini(&rs);
	return rc;
}

/* Whom it was about, for the audit, is the hash of the id, and the number. */
static enum err note(struct call *c, struct db *db, const struct journey *j, struct errbuf *eb)
{
	struct arena *m = c->req->arena;
	const char *subject;
	const struct person p = {rowset_get(&j->person, 0, "kind"), rowset_get(&j->person, 0, "id")};
	enum err rc = person_subject(db, m, &p, &subject, eb);
	if (rc != ERR_OK)
		return rc;
	return audit_note(
		c, db, "person_journey", subject,
		arena_printf(m, "{\"person_id\": %s}", rowset_get(&j->person, 0, "person_id")), eb);
}

/* Engagement, from the counts of 30 days. */
static void engage(struct call *c, struct journey *j)
{
	struct arena *m = c->req->arena;
	struct engagement_weights *weights = arena_alloc(m, sizeof *weights);
	size_t n = (size_t)rowset_rows(&j->counts);
	struct engagement_count *counts = arena_array(m, n + 1, sizeof *counts);
	struct errbuf checked_at_start = {0};
	must(engagement_weights_parse(conf_name(CONF_ENGAGEMENT_WEIGHTS),
	                              conf_str(c->conf, CONF_ENGAGEMENT_WEIGHTS), weights,
	                              &checked_at_start) == ERR_OK);
	for (size_t i = 0; i < n; i++)
		counts[i] = (struct engagement_count){rowset_get(&j->counts, (int)i, "event_type"),
		                                      (int)rowset_int(&j->counts, (int)i, "age"),
		                                      rowset_int(&j->counts, (int)i, "events")};
	j->parts = arena_array(m, n + 1, sizeof *j->parts);
	j->engagement = engagement_make(weights, counts, n, j->parts, &j->parts_n);
}

/* The person's cell. Of all events those that decide: the last purchase, what came after it, and
 * that there were others; on day 0 - age, as nobody asks when that was. */
static void find_cell(struct call *c, struct journey *j)
{
	int n = rowset_rows(&j->counts), at = 0;
	struct conversion_event *e = arena_array(c->req->arena, (size_t)(2 * n) + 1, sizeof *e);
	bool bought = rowset_rows(&j->purchase) > 0;
	int32_t day = bought ? -(int32_t)rowset_int(&j->purchase, 0, "age") : 0;
	for (int i = 0; i < n && bought; i++) /* oldest first */
		if (-(int32_t)rowset_int(&j->counts, i, "age") <= day)
			e[at++] = (struct conversion_event){-(int32_t)rowset_int(&j->counts, i, "age"),
			                                    CONVERSION_OTHER};
	if (bought)
		e[at++] = (struct conversion_event){day, CONVERSION_PURCHASE};
	for (int i = 0; i < n; i++)
		if (*rowset_get(&j->counts, i, "since") == 't')
			e[at++] = (struct conversion_event){
				-(int32_t)rowset_int(&j->counts, i, "age"),
				conversion_kind_of(rowset_get(&j->counts, i, "event_type"))};
	j->has_cell = conversion_cell_at(e, (size_t)at, 0, &j->cell);
}

static enum err ask_model(struct call *c, struct db *db, struct journey *j, struct errbuf *eb)
{
	struct arena *m = c->req->arena;
	if (!j->has_cell)
		return ERR_OK;
	return ask(c, db, "journey_model",
	           DB_PARAMS({"as_of_day", rowset_get(&j->person, 0, "as_of_day")},
	                     {"step", us_text(m, j->cell.step)},
	                     {"recency", us_text(m, j->cell.recency)},
	                     {"buyer", j->cell.buyer ? "t" : "f"}),
	           &j->model, eb);
}

static enum err ask_all(struct call *c, struct db *db, const struct asked *q, struct journey *j,
                        struct errbuf *eb)
{
	enum err rc = ask_person(c, db, q, j, eb);
	if (rc != ERR_OK)
		return rc;
	const struct rowset *p = &j->person;
	const char *keys;
	rc = ask_keys(c, db, rowset_get(p, 0, "person_id"), &keys, eb);
	if (rc != ERR_OK)
		return rc;
	struct db_param params[] = {{"bought_at", NULL},
	                            {"bought_seq", NULL},
	                            {"person_id", rowset_get(p, 0, "person_id")},
	                            {"as_of", rowset_get(p, 0, "as_of")},
	                            {"as_of_day", rowset_get(p, 0, "as_of_day")},
	                            {"look_at", rowset_get(p, 0, "look_at")},
	                            {"tz", rowset_get(p, 0, "tz")},
	                            {"cutoff_hours", rowset_get(p, 0, "cutoff_hours")},
	                            {"after_us", q->after_us},
	                            {"after_seq", q->after_seq},
	                            {"page_rows", call_param(c, "limit")},
	                            {"keys", keys},
	                            {NULL, NULL}};
	rc = ask(c, db, "journey_purchase", params, &j->purchase, eb);
	if (rc == ERR_OK && rowset_rows(&j->purchase)) {
		params[BOUGHT_AT].text = rowset_get(&j->purchase, 0, "occurred_at");
		params[BOUGHT_AT + 1].text = rowset_get(&j->purchase, 0, "seq");
	}
	const struct db_ask asks[] = {{"journey_counts", params, &j->counts},
	                              {"journey_touches", params, &j->touches},
	                              {"journey_touchpoints", params, &j->rows}};
	const struct db_limits limits = call_limits(c);
	if (rc == ERR_OK)
		rc = db_query_all(db, asks, sizeof asks / sizeof *asks, &limits, eb);
	if (rc != ERR_OK)
		return rc;
	engage(c, j);
	find_cell(c, j);
	rc = ask_model(c, db, j, eb);
	return rc == ERR_OK ? note(c, db, j, eb) : rc;
}

enum err journey_ask(struct call *c, struct journey *out, struct errbuf *eb)
{
	struct asked q;
	struct db *db;
	*out = (struct journey){0};
	enum err rc = read_asked(c, &q, eb);
	if (rc == ERR_OK)
		rc = call_begin(c, POOL_WRITE, &db, eb);
	if (rc != ERR_OK)
		return rc;
	rc = ask_all(c, db, &q, out, eb);
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	pool_give(c->web->pool, db);
	if (rc != ERR_OK)
		journey_fini(out);
	return rc;
}

/* ---- in words ----------------------------------------------------------------------------- */

const char *journey_unknown(const struct journey *j)
{
	if (!j->has_cell)
		return "nothing was seen of this person in the 30 business days before";
	if (rowset_rows(&j->model) == 0)
		return "no table had been made before that day: takings-batch run makes one each night";
	return rowset_get(&j->model, 0, "reason");
}

const char *journey_recency(int recency)
{
	static const char *const words[CONVERSION_RECENCIES] = {"0",   "1",    "2-3",
	                                                        "4-7", "8-14", "15-29"};
	return words[recency];
}

static const char *last_seen(int recency)
{
	static const char *const words[CONVERSION_RECENCIES] = {
		"Last seen on the day itself", "Last seen the day before",   "Last seen 2 to 3 days ago",
		"Last seen 4 to 7 days ago",   "Last seen 8 to 14 days ago", "Last seen 15 to 29 days ago"};
	return words[recency];
}

static const char *did(const struct conversion_cell *cell)
{
	static const char *const words[2][CONVERSION_STEPS] = {
		{"Looked at no product in the last 30 days", "Looked at a product in the last 30 days",
	     "Put something into the cart in the last 30 days", "Began a checkout in the last 30 days"},
		{"Looked at no product since the last purchase, in the last 30 days",
	     "Looked at a product since the last purchase",
	     "Put something into the cart since the last purchase",
	     "Began a checkout since the last purchase"}};
	return words[cell->buyer][cell->step];
}

const char *journey_reason(struct arena *a, const struct journey *j, int i)
{
	const struct rowset *m = &j->model;
	switch (i) {
	case 0:
		return did(&j->cell);
	case 1:
		return last_seen(j->cell.recency);
	case 2:
		return j->cell.buyer ? "Bought before" : "Has not bought yet, as far as is kept";
	case 3:
		return arena_printf(a,
		                    "Of %s times that somebody was like this, %s led to a purchase "
		                    "within 7 days (%s to %s)",
		                    rowset_get(m, 0, "n"), rowset_get(m, 0, "converted"),
		                    rowset_get(m, 0, "from_day"), rowset_get(m, 0, "to_day"));
	default:
		return NULL;
	}
}

const char *journey_cursor(struct arena *a, const struct journey *j)
{
	const char *next = rowset_get(&j->rows, 0, "next_cursor");
	int64_t us = 0;
	if (!next)
		return NULL;
	must(time_parse(rowset_get(&j->person, 0, "as_of"), &us) == TIME_INSTANT);
	return arena_printf(a, "%lld.%s", (long long)us, next);
}

/* ---- as JSON ------------------------------------------------------------------------------ */

static void put_fields(struct json *w, const struct rowset *rs, int row, const char *names)
{
	struct render_columns columns;
	render_columns_find(rs, names, &columns);
	render_json_fields(w, rs, row, &columns);
}

static void put_real(struct json *w, struct arena *a, const char *key, double v)
{
	json_pair_number(w, key, arena_printf(a, "%.4f", v));
}

static void put_engagement(struct json *w, struct arena *a, const struct journey *j)
{
	json_key(w, "engagement");
	json_begin_object(w);
	json_pair_number(w, "score", arena_printf(a, "%.1f", j->engagement.score));
	put_real(w, a, "sum", j->engagement.sum);
	json_pair_int(w, "days", ENGAGEMENT_DAYS);
	json_key(w, "parts");
	json_begin_array(w);
	for (size_t i = 0; i < j->parts_n; i++) {
		const struct engagement_part *p = &j->parts[i];
		json_begin_object(w);
		json_pair_text(w, "event_type", p->type);
		put_real(w, a, "weight", p->weight);
		json_pair_int(w, "events", p->events);
		json_pair_int(w, "counted", p->counted);
		put_real(w, a, "points", p->points);
		json_end_object(w);
	}
	json_end_array(w);
	json_end_object(w);
}

static void put_cell(struct json *w, const struct conversion_cell *cell)
{
	static const char *const steps[CONVERSION_STEPS] = {NULL, "product_view", "add_to_cart",
	                                                    "checkout_start"};
	json_key(w, "cell");
	json_begin_object(w);
	json_pair_int(w, "step", cell->step);
	json_pair_text(w, "event_type", steps[cell->step]);
	json_pair_text(w, "recency", journey_recency(cell->recency));
	json_pair_bool(w, "buyer", cell->buyer);
	json_end_object(w);
}

static void put_conversion(struct json *w, struct arena *a, const struct journey *j)
{
	const char *unknown = journey_unknown(j);
	json_key(w, "conversion");
	if (unknown) {
		json_put_null(w);
	} else {
		json_begin_object(w);
		put_fields(w, &j->model, 0, "p n converted");
		json_pair_int(w, "within_days", CONVERSION_WITHIN_DAYS);
		put_cell(w, &j->cell);
		put_fields(w, &j->model, 0, "model_date");
		json_key(w, "reasons");
		json_begin_array(w);
		for (int i = 0; journey_reason(a, j, i); i++)
			json_put_text(w, journey_reason(a, j, i));
		json_end_array(w);
		json_end_object(w);
	}
	json_pair_text(w, "conversion_reason", unknown);
}

static void put_touch(struct json *w, const struct journey *j, const char *key, bool first)
{
	json_key(w, key);
	for (int i = 0; i < rowset_rows(&j->touches); i++)
		if ((*rowset_get(&j->touches, i, "is_first") == 't') == first) {
			json_begin_object(w);
			put_fields(w, &j->touches, i, "source campaign at");
			json_end_object(w);
			return;
		}
	json_put_null(w);
}

static void put_sessions(struct json *w, const struct journey *j)
{
	json_key(w, "sessions");
	json_begin_array(w);
	for (int i = 0; !journey_is_empty(j) && i < rowset_rows(&j->rows); i++) {
		if (*rowset_get(&j->rows, i, "begins") == 't') {
			json_begin_object(w);
			put_fields(w, &j->rows, i, "session_id started_at device bot");
			json_pair_bool(w, "earlier", *rowset_get(&j->rows, i, "is_cut") == 't');
			json_key(w, "touchpoints");
			json_begin_array(w);
		}
		json_begin_object(w);
		put_fields(w, &j->rows, i,
		           "event_id event_type occurred_at page source campaign product category region "
		           "price quantity currency amount");
		json_end_object(w);
		if (*rowset_get(&j->rows, i, "ends") == 't') {
			json_end_array(w);
			json_end_object(w);
		}
	}
	json_end_array(w);
}

static void put_journey(struct json *w, struct arena *a, const struct journey *j)
{
	json_begin_object(w);
	put_fields(w, &j->person, 0, "person_id kind id as_of");
	json_pair_text(w, "tz", rowset_get(&j->person, 0, "tz"));
	json_pair_int(w, "sessions_n", rowset_int(&j->person, 0, "sessions_n"));
	json_pair_int(w, "bot_sessions_n", rowset_int(&j->person, 0, "bot_sessions_n"));
	put_fields(w, &j->person, 0, "kept_from");
	put_touch(w, j, "first_touch", true);
	put_touch(w, j, "last_touch", false);
	put_engagement(w, a, j);
	put_conversion(w, a, j);
	put_sessions(w, j);
	json_pair_text(w, "next_cursor", journey_cursor(a, j));
	json_end_object(w);
	json_end(w);
}

void journey_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct journey j;
	struct json w;
	c->handled = true;
	if (journey_ask(c, &j, &eb) != ERR_OK) {
		call_refuse(c, 0, NULL, &eb);
		return;
	}
	reply_begin(c->reply, 200, "application/json");
	json_init(&w, &c->reply->body);
	put_journey(&w, c->req->arena, &j);
	buf_putc(&c->reply->body, '\n');
	journey_fini(&j);
}
