/* probe.c: whether the site is up, seen as its visitors see it: through nginx, the program and the
 * database, once a minute. A minute in which a probe failed is probed again every quarter of it, as
 * one that goes well is enough. What cannot be written is kept for a day and written later as what
 * it was. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "db/analytics.h"
#include "stream/parts.h"
#include "web/http_client.h"
#include "web/json.h"

#define MINUTE_US INT64_C(60000000)

enum {
	KEPT = 24 * 60, /* minutes */
	TIMEOUT_MS = 5000,
	AGAIN_US = 15000000, /* between probes of a minute that is not up yet */
	JITTER_US = 2000000, /* at most: not all programs of the world on the stroke of the minute */
};

struct minute {
	int64_t at_us;
	bool up;
	int took_ms; /* -1: there was no answer */
	char error[200];
};

struct prober {
	struct part *part;
	struct http_client *http;
	struct db *db;       /* NULL: none */
	struct minute *kept; /* not written yet, in order of time */
	int kept_n;
	int64_t up_us; /* the last minute that was up */
	int failed_n;  /* probes in a row */
	int64_t jitter_us;
};

/* ---- probing ---------------------------------------------------------------------- */

static bool give_up(void *arg)
{
	const struct prober *p = arg;
	return part_stopping(p->part);
}

static enum err probe(struct prober *p, struct minute *m, struct errbuf *eb)
{
	struct http_answer answer;
	int64_t begun_ms = clock_mono_ms();
	http_answer_init(&answer);
	enum err rc =
		http_client_ask(p->http,
	                    &(struct http_ask){.method = "GET",
	                                       .url = conf_str(part_conf(p->part), CONF_PROBE_URL),
	                                       .connect_ms = TIMEOUT_MS,
	                                       .timeout_ms = TIMEOUT_MS},
	                    &answer, eb);
	m->took_ms = rc == ERR_OK ? (int)(clock_mono_ms() - begun_ms) : -1;
	m->up = rc == ERR_OK && answer.status == 200;
	if (m->up)
		*m->error = '\0';
	else if (rc == ERR_OK)
		(void)snprintf(m->error, sizeof m->error, "answered with %d", answer.status);
	else
		(void)snprintf(m->error, sizeof m->error, "%.199s", eb->text);
	http_answer_fini(&answer);
	return rc;
}

/* A minute has one entry; the oldest is given up where there are too many. */
static struct minute *keep(struct prober *p, int64_t at_us)
{
	if (p->kept_n > 0 && p->kept[p->kept_n - 1].at_us == at_us)
		return &p->kept[p->kept_n - 1];
	if (p->kept_n == KEPT)
		memmove(p->kept, p->kept + 1, (size_t)--p->kept_n * sizeof *p->kept);
	p->kept[p->kept_n] = (struct minute){.at_us = at_us};
	return &p->kept[p->kept_n++];
}

static void look(struct prober *p, int64_t now_us)
{
	struct errbuf eb = {0};
	struct minute m = {.at_us = now_us - now_us % MINUTE_US};
	if (probe(p, &m, &eb) == ERR_INTERRUPTED)
		return;
	*keep(p, m.at_us) = m;
	stat_set(STAT_PROBE_UP, m.up);
	p->failed_n = m.up ? 0 : p->failed_n + 1;
	if (m.up)
		p->up_us = m.at_us;
	else
		LOG(LOG_WARNING, "probe_failed", LOG_STR("error", m.error), LOG_END);
	if (m.up)
		part_say(p->part, HEALTH_OK, "");
	else if (p->failed_n > 1) /* the first may be a restart of the site */
		part_say(p->part, HEALTH_DEGRADED, "the site does not answer as it should (PROBE_URL)");
}

/* ---- writing ------------------------------------------------------------------------- */

static void put_minutes(const struct prober *p, struct buf *out)
{
	struct json j;
	json_init(&j, out);
	json_begin_array(&j);
	for (int i = 0; i < p->kept_n; i++) {
		char at[CLOCK_TEXT];
		const struct minute *m = &p->kept[i];
		clock_format_utc(m->at_us, at);
		json_begin_object(&j);
		json_pair_text(&j, "minute_at", at);
		json_pair_bool(&j, "up", m->up);
		json_key(&j, "took_ms");
		if (m->took_ms < 0)
			json_put_null(&j);
		else
			json_put_int(&j, m->took_ms);
		json_pair_text(&j, "error", m->error);
		json_end_object(&j);
	}
	json_end_array(&j);
	json_end(&j);
}

static enum err write_minutes(struct prober *p, const char *minutes, struct errbuf *eb)
{
	char first[CLOCK_TEXT];
	const struct conf *conf = part_conf(p->part);
	clock_format_utc(p->kept[0].at_us, first);
	enum err rc = db_command(p->db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = db_query(p->db, "probe_put", DB_PARAMS({"minutes", minutes}), NULL, eb);
	if (rc == ERR_OK)
		rc = db_query(p->db, "probe_count",
		              DB_PARAMS({"timezone", conf_str(conf, CONF_BUSINESS_TIMEZONE)},
		                        {"cutoff", conf_str(conf, CONF_BUSINESS_DAY_CUTOFF)},
		                        {"first_at", first}),
		              NULL, eb);
	return rc == ERR_OK ? db_command(p->db, "COMMIT", eb) : rc;
}

static void store(struct prober *p)
{
	struct errbuf eb = {0};
	struct buf minutes;
	enum err rc = ERR_OK;
	if (p->kept_n == 0)
		return;
	buf_init(&minutes);
	put_minutes(p, &minutes);
	if (!p->db)
		rc = analytics_open(&p->db, part_conf(p->part), ANALYTICS_STREAM, "takings-stream probe",
		                    &eb);
	if (rc == ERR_OK)
		rc = write_minutes(p, buf_str(&minutes), &eb);
	if (rc == ERR_OK) {
		p->kept_n = 0;
	} else {
		log_err("probe_not_written", &eb);
		db_close(p->db);
		p->db = NULL;
	}
	buf_fini(&minutes);
}

/* ---- the part -------------------------------------------------------------------------- */

/* Until the next one is due. */
static int wait_ms(const struct prober *p)
{
	int64_t now_us = clock_now_us();
	int64_t minute_us = now_us - now_us % MINUTE_US;
	int64_t next_us = minute_us + MINUTE_US + p->jitter_us;
	if (p->up_us != minute_us && now_us + AGAIN_US < next_us)
		next_us = now_us + AGAIN_US;
	return (int)((next_us - now_us) / 1000) + 1;
}

static int64_t jitter_us(void)
{
	uint64_t hash = 14695981039346656037U; /* FNV-1a */
	for (const char *c = stream_instance(); *c; c++)
		hash = (hash ^ (unsigned char)*c) * 1099511628211U;
	return (int64_t)(hash % JITTER_US);
}

static bool wanted(const struct conf *conf)
{
	return *conf_str(conf, CONF_PROBE_URL);
}

static void run(struct part *part)
{
	struct prober p = {.part = part, .jitter_us = jitter_us()};
	p.kept = mem_alloc(KEPT * sizeof *p.kept);
	p.http = http_client_new(give_up, &p);
	do {
		look(&p, clock_now_us());
		store(&p);
	} while (!part_sleep(part, wait_ms(&p)));
	http_client_free(p.http);
	db_close(p.db);
	free(p.kept);
}

const struct part_kind part_probe = {"probe", PART_LAST, wanted, run};
