/* answer.c: asking the database, and its rows as JSON. */
#include "cgi-bin/answer.h"

#include <stdio.h>

#include "base/clock.h"
#include "cgi-bin/render.h"

/* How much more time a statement may have been given than the request has left. */
enum { SLACK_MS = 100, POOL_WAIT_MS = 5000 };

void answer_fini(struct answer *a)
{
	for (int i = 0; i < a->n; i++)
		rowset_fini(&a->parts[i]);
	a->n = 0;
}

/* The server stops a statement after *given_ms, at first the session's own limit. It
 * is told another only once that is clearly more than the request has left, so that
 * an ordinary page pays nothing for its deadline. */
static enum err give_time(struct db *db, int64_t deadline_ms, int64_t *given_ms, struct errbuf *eb)
{
	char sql[64];
	int64_t left_ms = deadline_ms - clock_mono_ms();
	if (left_ms <= 0)
		return err_set(eb, ERR_TIMEOUT, "the time of the request is over");
	if (*given_ms <= left_ms + SLACK_MS)
		return ERR_OK;
	*given_ms = left_ms;
	(void)snprintf(sql, sizeof sql, "SET LOCAL statement_timeout = %lld", (long long)left_ms);
	return db_command(db, sql, eb);
}

/* Says 404, and of which parameter there are no figures on any day. */
static enum err tell_missing(struct db *db, const struct call *c, const struct part *p,
                             struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(db, "report_missing", c->params.list, &rs, eb);
	if (rc != ERR_OK)
		return rc;
	const char *detail = rowset_get(&rs, 0, "detail"), *field = rowset_get(&rs, 0, "field");
	rc = err_set_field(eb, ERR_NOT_FOUND, field ? field : "", "%s", detail ? detail : p->missing);
	rowset_fini(&rs);
	return rc;
}

static enum err ask_part(struct db *db, struct call *c, struct answer *a, const struct part *p,
                         struct errbuf *eb)
{
	struct rowset *rs = &a->parts[a->n++];
	enum err rc = db_query(db, p->statement, c->params.list, rs, eb);
	if (rc == ERR_OK && p->missing && rowset_rows(rs) == 0)
		rc = tell_missing(db, c, p, eb);
	return rc;
}

/* The connection brings one snapshot for all parts, so that they agree with each other. */
enum err answer_ask(struct call *c, struct answer *a, struct errbuf *eb)
{
	struct db *db;
	int64_t given_ms = c->deadline_ms - clock_mono_ms(), begun_us = clock_mono_us();
	*a = (struct answer){.route = c->route};
	enum err rc =
		pool_take(c->web->pool, given_ms < POOL_WAIT_MS ? given_ms : POOL_WAIT_MS, &db, eb);
	c->queue_us += clock_mono_us() - begun_us;
	if (rc != ERR_OK)
		return rc;
	begun_us = clock_mono_us();
	for (int i = 0; rc == ERR_OK && i < ROUTE_PARTS && a->route->parts[i].statement; i++) {
		rc = give_time(db, c->deadline_ms, &given_ms, eb);
		if (rc == ERR_OK)
			rc = ask_part(db, c, a, &a->route->parts[i], eb);
	}
	pool_give(c->web->pool, db);
	c->db_us += clock_mono_us() - begun_us;
	return rc;
}

void answer_write_json(const struct answer *a, struct buf *out)
{
	struct json j;
	json_init(&j, out);
	json_begin_object(&j);
	for (int i = 0; i < a->n; i++) {
		const struct part *p = &a->route->parts[i];
		const struct rowset *rs = &a->parts[i];
		if (p->shape == PART_FIELDS) {
			if (rowset_rows(rs))
				render_json_fields(&j, rs, 0, p->columns);
			continue;
		}
		json_key(&j, p->key);
		if (p->shape == PART_ROWS)
			json_begin_array(&j);
		for (int row = 0; row < rowset_rows(rs); row++) {
			json_begin_object(&j);
			render_json_fields(&j, rs, row, p->columns);
			json_end_object(&j);
		}
		if (p->shape == PART_ROWS)
			json_end_array(&j);
		else if (rowset_rows(rs) == 0)
			json_put_null(&j);
	}
	json_end_object(&j);
	json_end(&j);
	buf_putc(out, '\n');
}
