/* source_kafka.c: topics of Kafka, by librdkafka.
 *
 * The group only shares the partitions out; where each is read from is in analytics_db alone, and
 * what is committed to the group is for the eyes of its tools. An assignment is always made whole,
 * from positions we know: pausing is an empty one, so that no message is ever skipped or read by
 * itself. */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/time_text.h"
#include "base/words.h"
#include "stream/intake.h"
#include "stream/topic.h"

static const char NAME[] = "kafka";

enum { QUERY_MS = 5000, CLOSE_MS = 5000, TROUBLE_BYTES = 512 };

struct topic {
	char *name, *table;
	bool activity; /* of tracked events */
	bool optional; /* it need not be there */
	bool missing;  /* the brokers say that there is none of this name */
};

struct source {
	rd_kafka_t *rk;
	struct apply *apply; /* of whoever polls */
	struct intake *in;
	struct topic *topics;
	int topics_n;
	bool latest; /* where a partition begins that was never read */
	/* What the group gave us; each offset is that of the next message to read. */
	rd_kafka_topic_partition_list_t *owned;
	int last;                    /* index of the partition last read */
	bool paused, owed;           /* owed: positions are still to be read from the database */
	bool brokers_down;           /* none can be reached */
	char trouble[TROUBLE_BYTES]; /* what the brokers last complained of; "" once all is well */
	struct errbuf stopped;       /* a person must look */
	int64_t newest_us;           /* time of the message last read; 0: none */
};

/* ---- settings ----------------------------------------------------------------- */

static bool is_wanted(const struct conf *conf)
{
	return *conf_str(conf, CONF_KAFKA_BROKERS) != '\0';
}

static struct topic *topic_of(struct source *s, const char *name)
{
	for (int i = 0; i < s->topics_n; i++)
		if (strcmp(s->topics[i].name, name) == 0)
			return &s->topics[i];
	return NULL;
}

/* Each names a topic that is read. */
static enum err check_tables(struct source *s, const struct conf *conf, struct errbuf *eb)
{
	char word[512];
	const char *at = conf_str(conf, CONF_KAFKA_TOPIC_TABLES);
	while (words_next(&at, word, sizeof word)) {
		char *table = strchr(word, '=');
		if (table)
			*table = '\0';
		if (!table || !topic_of(s, word))
			return err_set_field(eb, ERR_CONFIG, conf_name(CONF_KAFKA_TOPIC_TABLES),
			                     "%s: '%s' is not TOPIC=TABLE with a topic of %s",
			                     conf_name(CONF_KAFKA_TOPIC_TABLES), word,
			                     conf_name(CONF_KAFKA_TOPICS));
	}
	return ERR_OK;
}

static struct topic *add_topic(struct source *s, const char *name, const char *table)
{
	s->topics = mem_realloc(s->topics, (size_t)(s->topics_n + 1) * sizeof *s->topics);
	struct topic *t = &s->topics[s->topics_n++];
	*t = (struct topic){.name = mem_strdup(name), .table = mem_strdup(table)};
	return t;
}

/* Those of the settings, and that of tracked events. */
static enum err read_topics(struct source *s, const struct conf *conf, struct errbuf *eb)
{
	char word[512], table[TOPIC_TABLE_BYTES];
	const char *at = conf_str(conf, CONF_KAFKA_TOPICS);
	const char *tracked = conf_str(conf, CONF_EVENTS_TOPIC);
	bool sink = strcmp(conf_str(conf, CONF_EVENTS_SINK), "kafka") == 0;
	while (words_next(&at, word, sizeof word)) {
		topic_table(conf, word, table);
		add_topic(s, word, table);
	}
	if (s->topics_n == 0 && !sink)
		return err_set_field(eb, ERR_CONFIG, conf_name(CONF_KAFKA_TOPICS), "%s names no topic",
		                     conf_name(CONF_KAFKA_TOPICS));
	enum err rc = check_tables(s, conf, eb);
	if (!topic_of(s, tracked))
		add_topic(s, tracked, "")->optional = !sink;
	topic_of(s, tracked)->activity = true;
	return rc;
}

static enum err set(rd_kafka_conf_t *rc, const char *name, const char *value, struct errbuf *eb)
{
	char why[256];
	if (!*value || rd_kafka_conf_set(rc, name, value, why, sizeof why) == RD_KAFKA_CONF_OK)
		return ERR_OK;
	return err_set(eb, ERR_CONFIG, "Kafka: %s: %s", name, why);
}

/* Fixed for all: nothing is stored or begun anew by the library. What it holds in memory is bounded
 * by bytes: at its bound of messages it would not ask for more before a second is over. An answer
 * that waits for messages waits no longer than a lone one may take to be seen. */
static const char *const fixed[][2] = {
	{"client.id", "takings-stream"},
	{"enable.auto.commit", "false"},
	{"enable.auto.offset.store", "false"},
	{"auto.offset.reset", "error"},
	{"isolation.level", "read_committed"},
	{"check.crcs", "true"},
	{"partition.assignment.strategy", "range"},
	{"max.poll.interval.ms", "300000"},
	{"queued.max.messages.kbytes", "4096"},
	{"fetch.max.bytes", "4194304"},
	{"queued.min.messages", "1000000"},
	{"fetch.message.max.bytes", "1048576"},
	{"fetch.wait.max.ms", "100"},
	{"fetch.error.backoff.ms", "100"},
	{"reconnect.backoff.max.ms", "3000"},
	{"topic.metadata.refresh.interval.ms", "10000"},
	{"statistics.interval.ms", "2000"},
	{"log.connection.close", "false"},
};

static enum err set_all(rd_kafka_conf_t *rc, const struct conf *conf, struct errbuf *eb)
{
	enum err err = ERR_OK;
	char heartbeat[32];
	bool sasl = strncmp(conf_str(conf, CONF_KAFKA_SECURITY), "sasl", 4) == 0;
	(void)snprintf(heartbeat, sizeof heartbeat, "%lld",
	               (long long)conf_int(conf, CONF_KAFKA_SESSION_TIMEOUT) / 4);
	const char *const given[][2] = {
		{"bootstrap.servers", conf_str(conf, CONF_KAFKA_BROKERS)},
		{"group.id", conf_str(conf, CONF_KAFKA_GROUP_ID)},
		{"session.timeout.ms", conf_str(conf, CONF_KAFKA_SESSION_TIMEOUT)},
		{"heartbeat.interval.ms", heartbeat},
		{"security.protocol", conf_str(conf, CONF_KAFKA_SECURITY)},
		{"ssl.ca.location", conf_str(conf, CONF_KAFKA_SSL_CA)},
		{"sasl.mechanisms", sasl ? conf_str(conf, CONF_KAFKA_SASL_MECHANISM) : ""},
		{"sasl.username", sasl ? conf_str(conf, CONF_KAFKA_SASL_USERNAME) : ""},
		{"sasl.password", sasl ? conf_str(conf, CONF_KAFKA_SASL_PASSWORD) : ""},
	};
	for (size_t i = 0; err == ERR_OK && i < sizeof fixed / sizeof *fixed; i++)
		err = set(rc, fixed[i][0], fixed[i][1], eb);
	for (size_t i = 0; err == ERR_OK && i < sizeof given / sizeof *given; i++)
		err = set(rc, given[i][0], given[i][1], eb);
	return err;
}

/* ---- positions -------------------------------------------------------------------- */

static bool is_owned(const struct source *s, int i, const char *topic, int32_t partition)
{
	const rd_kafka_topic_partition_t *p = &s->owned->elems[i];
	return p->partition == partition && strcmp(p->topic, topic) == 0;
}

static rd_kafka_topic_partition_t *owned_of(struct source *s, const char *topic, int32_t partition)
{
	if (s->last < s->owned->cnt && is_owned(s, s->last, topic, partition))
		return &s->owned->elems[s->last];
	for (int i = 0; i < s->owned->cnt; i++)
		if (is_owned(s, i, topic, partition)) {
			s->last = i;
			return &s->owned->elems[i];
		}
	return NULL;
}

/* Where a partition begins that was never read: said by us and kept, not left to the library. One
 * that a topic got later begins with its first message, whatever the setting: else all would be
 * lost that was sent to it before we heard of it. So do tracked events: they were acknowledged. */
static enum err first_offset(struct source *s, const char *topic, int32_t partition, int64_t *out,
                             struct errbuf *eb)
{
	int64_t low = 0, high = 0;
	const struct topic *t = topic_of(s, topic);
	bool latest = s->latest && t && !t->activity, later = false;
	struct errbuf why = {0};
	if (latest && apply_topic_known(s->apply, NAME, topic, &later, &why) != ERR_OK)
		return err_set(eb, ERR_LOCKED, "%s", why.text);
	rd_kafka_resp_err_t rc =
		rd_kafka_query_watermark_offsets(s->rk, topic, partition, &low, &high, QUERY_MS);
	if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
		return err_set(eb, ERR_IO, "topic %s, partition %d: %s", topic, (int)partition,
		               rd_kafka_err2str(rc));
	*out = latest && !later ? high : low;
	return ERR_OK;
}

static void assign(struct source *s)
{
	rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);
	rd_kafka_resp_err_t rc = rd_kafka_assign(s->rk, s->paused || s->owed ? none : s->owned);
	if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
		(void)snprintf(s->trouble, sizeof s->trouble, "assignment: %s", rd_kafka_err2str(rc));
	rd_kafka_topic_partition_list_destroy(none);
}

/* Reads the positions of what is owned. All of them are known before anything is begun. ERR_LOCKED:
 * the database did not say; all has to begin again. */
static enum err read_positions(struct source *s, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	int n = s->owned->cnt;
	int64_t *known = mem_alloc((size_t)(n + 1) * sizeof *known);
	for (int i = 0; rc == ERR_OK && i < n; i++) {
		rd_kafka_topic_partition_t *p = &s->owned->elems[i];
		struct errbuf why = {0};
		if (apply_position(s->apply, NAME, p->topic, p->partition, &known[i], &why) != ERR_OK)
			rc = err_set(eb, ERR_LOCKED, "%s", why.text);
		else if (known[i] < 0)
			rc = first_offset(s, p->topic, p->partition, &p->offset, eb);
		else
			p->offset = known[i];
	}
	for (int i = 0; rc == ERR_OK && i < n; i++) {
		const rd_kafka_topic_partition_t *p = &s->owned->elems[i];
		intake_begin_partition(s->in, NAME, p->topic, p->partition, known[i]);
		if (known[i] < 0)
			intake_pass(s->in,
			            &(struct position){NAME, p->topic, p->partition, p->offset, p->offset});
	}
	free(known);
	s->owed = rc != ERR_OK;
	return rc;
}

static void own(struct source *s, const rd_kafka_topic_partition_list_t *list)
{
	if (s->owned)
		rd_kafka_topic_partition_list_destroy(s->owned);
	s->owned =
		list ? rd_kafka_topic_partition_list_copy(list) : rd_kafka_topic_partition_list_new(0);
	for (int i = 0; i < s->owned->cnt; i++) {
		struct topic *t = topic_of(s, s->owned->elems[i].topic);
		s->owned->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
		if (t)
			t->missing = false;
	}
	s->owed = s->owned->cnt > 0;
	s->last = 0;
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
	struct source *s = opaque;
	struct errbuf eb = {0};
	bool given = err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
	LOG(LOG_INFO, "kafka_rebalance", LOG_STR("what", given ? "assigned" : "revoked"),
	    LOG_INT("partitions", list->cnt), LOG_INT("lost", rd_kafka_assignment_lost(rk)), LOG_END);
	if (!given) {
		if (s->in)
			intake_revoke(s->in);
		own(s, NULL);
		(void)rd_kafka_assign(rk, NULL);
		return;
	}
	own(s, list);
	/* Where that fails poll sees that it is owed. */
	if (!s->paused && read_positions(s, &eb) != ERR_OK)
		log_err("kafka_positions", &eb);
	assign(s);
}

/* ---- what the library tells ----------------------------------------------------- */

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
	struct source *s = opaque;
	char why[TROUBLE_BYTES];
	if (code == RD_KAFKA_RESP_ERR__FATAL) {
		(void)rd_kafka_fatal_error(rk, why, sizeof why);
		(void)err_set(&s->stopped, ERR_CONFIG, "%s", why);
		return;
	}
	if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
		s->brokers_down = true;
	else
		(void)snprintf(s->trouble, sizeof s->trouble, "%s", reason);
}

/* A broker that is up again is told of nowhere else. */
static int on_stats(rd_kafka_t *rk, char *json, size_t n, void *opaque)
{
	struct source *s = opaque;
	(void)rk;
	(void)n;
	if (s->brokers_down && strstr(json, "\"state\":\"UP\"")) {
		s->brokers_down = false;
		*s->trouble = '\0';
	}
	return 0;
}

static void on_log(const rd_kafka_t *rk, int level, const char *what, const char *text)
{
	(void)rk;
	LOG(level <= 3 ? LOG_WARNING : LOG_DEBUG, "librdkafka", LOG_STR("what", what),
	    LOG_STR("text", text), LOG_END);
}

/* ---- messages ----------------------------------------------------------------------- */

/* The place the database names is not there: a person must say where to go on. Where it is there
 * after all, all begins again. */
static void out_of_range(struct source *s, const rd_kafka_message_t *m)
{
	int64_t low = -1, high = -1;
	const char *topic = rd_kafka_topic_name(m->rkt);
	const rd_kafka_topic_partition_t *p = owned_of(s, topic, m->partition);
	if (!p)
		return;
	rd_kafka_resp_err_t rc =
		rd_kafka_query_watermark_offsets(s->rk, topic, m->partition, &low, &high, QUERY_MS);
	if (rc != RD_KAFKA_RESP_ERR_NO_ERROR || (low <= p->offset && p->offset <= high)) {
		(void)err_set(&s->stopped, ERR_LOCKED, "topic %s, partition %d: %s", topic,
		              (int)m->partition, rd_kafka_message_errstr(m));
		return;
	}
	(void)err_set_field(
		&s->stopped, ERR_CONFIG, topic,
		"topic %s, partition %d: the next message has offset %lld, but the brokers have"
		" %lld to %lld: nothing is read until stream_position says where to go on",
		topic, (int)m->partition, (long long)p->offset, (long long)low, (long long)high);
}

static void take_error(struct source *s, const rd_kafka_message_t *m)
{
	const char *name = m->rkt ? rd_kafka_topic_name(m->rkt) : "";
	struct topic *t = topic_of(s, name);
	switch ((int)m->err) {
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
	case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
		out_of_range(s, m);
		return;
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		if (t)
			t->missing = true;
		return;
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
	case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
		return;
	default:
		(void)snprintf(s->trouble, sizeof s->trouble, "%s%s%s", name, *name ? ": " : "",
		               rd_kafka_message_errstr(m));
	}
}

/* Whoever sent it may say any number; 0: none that can be believed. */
static int64_t time_us_of(const rd_kafka_message_t *m)
{
	rd_kafka_timestamp_type_t kind;
	int64_t ms = rd_kafka_message_timestamp(m, &kind);
	bool usable = kind != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && ms > 0 && ms < TIME_2100_US / 1000;
	return usable ? ms * 1000 : 0;
}

/* NULL: there is none, or it is no text. */
static const char *header(const rd_kafka_headers_t *headers, const char *name)
{
	const void *value;
	size_t n;
	if (!headers || rd_kafka_header_get_last(headers, name, &value, &n) != 0 || !value ||
	    memchr(value, '\0', n))
		return NULL;
	return value; /* the library puts a NUL behind it */
}

static void take_activity(struct source *s, const rd_kafka_message_t *m, const struct message *msg)
{
	rd_kafka_headers_t *headers = NULL;
	(void)rd_kafka_message_headers(m, &headers);
	struct tracked_as as = {.source = header(headers, "source"),
	                        .reason = header(headers, "reason"),
	                        .field = header(headers, "field"),
	                        .detail = header(headers, "detail")};
	as.source = as.source ? as.source : NAME;
	as.field = as.field ? as.field : "";
	as.detail = as.detail ? as.detail : "";
	intake_take_activity(s->in, msg, &as);
}

static void take(struct source *s, const rd_kafka_message_t *m)
{
	if (m->err) {
		take_error(s, m);
		return;
	}
	const char *name = rd_kafka_topic_name(m->rkt);
	rd_kafka_topic_partition_t *p = owned_of(s, name, m->partition);
	const struct topic *t = topic_of(s, name);
	if (!p || !t || m->offset < p->offset)
		return; /* of an earlier assignment, or given twice */
	struct decoder d = {intake_rules(s->in), *intake_units(s->in), t->table, FORMAT_AUTO};
	struct message msg = {{NAME, t->name, m->partition, m->offset, m->offset + 1},
	                      time_us_of(m),
	                      m->key,
	                      m->payload,
	                      m->key_len,
	                      m->len};
	p->offset = m->offset + 1;
	s->newest_us = msg.time_us;
	*s->trouble = '\0';
	if (t->activity)
		take_activity(s, m, &msg);
	else
		intake_take(s->in, &d, &msg);
}

/* How it is, once everything that came was taken. */
static enum err condition(const struct source *s, struct errbuf *eb)
{
	if (s->brokers_down)
		return err_set(eb, ERR_IO, "no Kafka broker can be reached%s%s", *s->trouble ? ": " : "",
		               s->trouble);
	if (*s->trouble)
		return err_set(eb, ERR_IO, "%s", s->trouble);
	for (int i = 0; i < s->topics_n; i++)
		if (s->topics[i].missing && !s->topics[i].optional)
			return err_set(eb, ERR_IO, "there is no topic %s yet", s->topics[i].name);
	return ERR_OK;
}

static enum err poll_kafka(struct source *s, struct intake *in, int timeout_ms, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	int64_t until_ms = clock_mono_ms() + timeout_ms;
	rd_kafka_message_t *m;
	s->in = in;
	if (s->owed && !s->paused) {
		rc = read_positions(s, eb);
		if (rc != ERR_OK)
			return rc;
		assign(s);
	}
	for (int wait_ms = timeout_ms; (m = rd_kafka_consumer_poll(s->rk, wait_ms)); wait_ms = 0) {
		take(s, m);
		rd_kafka_message_destroy(m);
		if (s->stopped.code != ERR_OK || intake_full(in) || clock_mono_ms() >= until_ms)
			break;
	}
	if (s->stopped.code != ERR_OK) {
		*eb = s->stopped;
		return s->stopped.code;
	}
	return condition(s, eb);
}

static void on_committed(struct source *s, const struct advance *done, int n)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n);
	for (int i = 0; i < n; i++)
		if (owned_of(s, done[i].topic, done[i].partition))
			rd_kafka_topic_partition_list_add(list, done[i].topic, done[i].partition)->offset =
				done[i].to;
	if (list->cnt > 0)
		(void)rd_kafka_commit(s->rk, list, 1);
	rd_kafka_topic_partition_list_destroy(list);
}

static enum err rewind_kafka(struct source *s, struct apply *apply, struct errbuf *eb)
{
	s->apply = apply;
	s->stopped = (struct errbuf){0};
	if (!s->in)
		return ERR_OK;
	enum err rc = read_positions(s, eb);
	if (!s->paused)
		assign(s);
	return rc;
}

static void pause_kafka(struct source *s, bool on)
{
	s->paused = on;
	assign(s);
}

static void read_lag(struct source *s, int64_t *messages, int64_t *behind_ms)
{
	*messages = 0;
	for (int i = 0; i < s->owned->cnt; i++) {
		const rd_kafka_topic_partition_t *p = &s->owned->elems[i];
		int64_t low, high;
		if (p->offset < 0 ||
		    rd_kafka_get_watermark_offsets(s->rk, p->topic, p->partition, &low, &high) !=
		        RD_KAFKA_RESP_ERR_NO_ERROR ||
		    high < 0) {
			*messages = *behind_ms = -1;
			return;
		}
		*messages += high > p->offset ? high - p->offset : 0;
	}
	int64_t now_us = clock_now_us();
	if (*messages == 0)
		*behind_ms = 0;
	else
		*behind_ms =
			s->newest_us > 0 && now_us > s->newest_us ? (now_us - s->newest_us) / 1000 : -1;
}

/* ---- opening and closing -------------------------------------------------------- */

static void close_kafka(struct source *s)
{
	int64_t until_ms = clock_mono_ms() + CLOSE_MS;
	rd_kafka_queue_t *queue = NULL;
	if (s->rk) {
		queue = rd_kafka_queue_new(s->rk);
		rd_kafka_error_t *err = rd_kafka_consumer_close_queue(s->rk, queue);
		if (err)
			rd_kafka_error_destroy(err);
		/* As messages: some may still lie there, and served as callbacks only they end the process.
		 */
		while (!rd_kafka_consumer_closed(s->rk) && clock_mono_ms() < until_ms) {
			rd_kafka_message_t *m = rd_kafka_consume_queue(queue, 100);
			if (m)
				rd_kafka_message_destroy(m);
		}
		bool closed = rd_kafka_consumer_closed(s->rk);
		rd_kafka_queue_destroy(queue);
		if (!closed) {
			LOG(LOG_WARNING, "kafka_not_closed", LOG_END);
			return; /* the library's threads may still call us */
		}
		rd_kafka_destroy(s->rk);
	}
	rd_kafka_topic_partition_list_destroy(s->owned);
	for (int i = 0; i < s->topics_n; i++) {
		free(s->topics[i].name);
		free(s->topics[i].table);
	}
	free(s->topics);
	free(s);
}

static enum err subscribe(struct source *s, struct errbuf *eb)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(s->topics_n);
	for (int i = 0; i < s->topics_n; i++)
		(void)rd_kafka_topic_partition_list_add(list, s->topics[i].name, RD_KAFKA_PARTITION_UA);
	rd_kafka_resp_err_t rc = rd_kafka_subscribe(s->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return rc == RD_KAFKA_RESP_ERR_NO_ERROR ? ERR_OK
	                                        : err_set(eb, ERR_CONFIG, "%s", rd_kafka_err2str(rc));
}

static enum err connect_kafka(struct source *s, const struct conf *conf, struct errbuf *eb)
{
	char why[512];
	rd_kafka_conf_t *rc = rd_kafka_conf_new();
	enum err err = set_all(rc, conf, eb);
	if (err != ERR_OK) {
		rd_kafka_conf_destroy(rc);
		return err;
	}
	rd_kafka_conf_set_opaque(rc, s);
	rd_kafka_conf_set_rebalance_cb(rc, on_rebalance);
	rd_kafka_conf_set_error_cb(rc, on_error);
	rd_kafka_conf_set_stats_cb(rc, on_stats);
	rd_kafka_conf_set_log_cb(rc, on_log);
	s->rk = rd_kafka_new(RD_KAFKA_CONSUMER, rc, why, sizeof why);
	if (!s->rk) {
		rd_kafka_conf_destroy(rc);
		return err_set(eb, ERR_CONFIG, "%s", why);
	}
	(void)rd_kafka_poll_set_consumer(s->rk);
	return subscribe(s, eb);
}

static enum err open_kafka(struct source **out, const struct conf *conf, struct apply *apply,
                           struct errbuf *eb)
{
	struct source *s = mem_alloc(sizeof *s);
	*s = (struct source){.apply = apply,
	                     .latest = strcmp(conf_str(conf, CONF_KAFKA_START), "latest") == 0};
	own(s, NULL);
	enum err rc = read_topics(s, conf, eb);
	if (rc == ERR_OK)
		rc = connect_kafka(s, conf, eb);
	if (rc != ERR_OK)
		close_kafka(s);
	else
		*out = s;
	return rc;
}

const struct source_ops source_kafka = {
	.name = NAME,
	.wanted = is_wanted,
	.open = open_kafka,
	.poll = poll_kafka,
	.committed = on_committed,
	.rewind = rewind_kafka,
	.pause = pause_kafka,
	.lag = read_lag,
	.close = close_kafka,
};

static void run(struct part *p)
{
	intake_run(p, &source_kafka);
}

const struct part_kind part_kafka = {"kafka", PART_SOURCE, is_wanted, run};
