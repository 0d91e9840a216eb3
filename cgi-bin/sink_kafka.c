/* sink_kafka.c: see sink_kafka.h. A request puts its messages into the library's queue and sleeps
 * until each has its delivery report, which always comes: no message lives longer than
 * message.timeout.ms.
 *
 * The producer is idempotent: what the library sends again itself is there once. A fault it cannot
 * go on from makes it useless; then the next request makes a new one. */
#include "cgi-bin/sink_kafka.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/breaker.h"
#include "base/clock.h"
#include "base/log.h"

enum { POLL_MS = 200, CLOSE_MS = 10000, WHY_BYTES = 256, KEY_BYTES = 24 };

struct sink_message {
	int64_t session_key;
	size_t at, n;                                 /* in the batch's text */
	const char *source, *reason, *field, *detail; /* in its arena; reason NULL: none */
};

struct sink_batch {
	struct arena arena;
	struct buf text;
	struct sink_message *messages;
	int n, cap;
};

/* A client of the library. */
struct producer {
	rd_kafka_t *rk;
	pthread_t poller;
	int users; /* requests under way */
	atomic_bool stop, fatal;
};

struct sink_kafka {
	const struct conf *conf;
	char *topic;
	pthread_mutex_t lock; /* of what follows */
	struct producer *now;
	struct breaker breaker;
};

/* A request that waits for its reports. */
struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t over;
	int left;
	rd_kafka_resp_err_t err; /* of one that was not delivered */
};

/* ---- a request's events --------------------------------------------------------------- */

struct sink_batch *sink_batch_new(void)
{
	struct sink_batch *b = mem_alloc(sizeof *b);
	*b = (struct sink_batch){.n = 0};
	arena_init(&b->arena);
	buf_init(&b->text);
	return b;
}

void sink_batch_free(struct sink_batch *b)
{
	if (!b)
		return;
	arena_fini(&b->arena);
	buf_fini(&b->text);
	free(b->messages);
	free(b);
}

int sink_batch_n(const struct sink_batch *b)
{
	return b->n;
}

void sink_batch_put(struct sink_batch *b, const struct activity_event *e, const char *source,
                    const char *reason, const struct errbuf *why)
{
	if (b->n == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 16;
		b->messages = mem_realloc(b->messages, (size_t)b->cap * sizeof *b->messages);
	}
	struct sink_message *m = &b->messages[b->n++];
	*m = (struct sink_message){.session_key = e->session_key,
	                           .at = b->text.len,
	                           .source = arena_strdup(&b->arena, source)};
	if (reason) {
		m->reason = arena_strdup(&b->arena, reason);
		m->field = arena_strdup(&b->arena, why->field);
		m->detail = arena_strdup(&b->arena, why->text);
	}
	activity_event_save(e, &b->text);
	m->n = b->text.len - m->at;
}

/* ---- a producer --------------------------------------------------------------------------- */

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	struct waiter *w = m->_private;
	(void)rk;
	(void)opaque;
	(void)pthread_mutex_lock(&w->lock);
	if (m->err)
		w->err = m->err;
	if (--w->left == 0)
		(void)pthread_cond_signal(&w->over);
	(void)pthread_mutex_unlock(&w->lock);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
	struct producer *p = opaque;
	char why[WHY_BYTES];
	if (code == RD_KAFKA_RESP_ERR__FATAL) {
		(void)rd_kafka_fatal_error(rk, why, sizeof why);
		reason = why;
		p->fatal = true;
	}
	LOG(LOG_WARNING, "kafka_sink", LOG_STR("text", reason), LOG_END);
}

static void on_log(const rd_kafka_t *rk, int level, const char *what, const char *text)
{
	(void)rk;
	LOG(level <= 3 ? LOG_WARNING : LOG_DEBUG, "librdkafka", LOG_STR("what", what),
	    LOG_STR("text", text), LOG_END);
}

static void *poll_reports(void *arg)
{
	struct producer *p = arg;
	while (!p->stop)
		(void)rd_kafka_poll(p->rk, POLL_MS);
	return NULL;
}

static enum err set(rd_kafka_conf_t *rc, const char *name, const char *value, struct errbuf *eb)
{
	char why[WHY_BYTES];
	if (!*value || rd_kafka_conf_set(rc, name, value, why, sizeof why) == RD_KAFKA_CONF_OK)
		return ERR_OK;
	return err_set(eb, ERR_CONFIG, "Kafka: %s: %s", name, why);
}

static enum err set_all(rd_kafka_conf_t *rc, const struct conf *conf, struct errbuf *eb)
{
	char timeout[24];
	bool sasl = strncmp(conf_str(conf, CONF_KAFKA_SECURITY), "sasl", 4) == 0;
	(void)snprintf(timeout, sizeof timeout, "%lld",
	               (long long)conf_int(conf, CONF_EVENT_FLUSH_INTERVAL) * 1000);
	const char *const settings[][2] = {
		{"client.id", "takings-web"},
		{"enable.idempotence", "true"},
		{"acks", "all"},
		{"linger.ms", "1"},
		{"message.timeout.ms", timeout},
		{"topic.metadata.refresh.interval.ms", "10000"},
		{"reconnect.backoff.max.ms", "2000"},
		{"log.connection.close", "false"},
		{"bootstrap.servers", conf_str(conf, CONF_KAFKA_BROKERS)},
		{"security.protocol", conf_str(conf, CONF_KAFKA_SECURITY)},
		{"ssl.ca.location", conf_str(conf, CONF_KAFKA_SSL_CA)},
		{"sasl.mechanisms", sasl ? conf_str(conf, CONF_KAFKA_SASL_MECHANISM) : ""},
		{"sasl.username", sasl ? conf_str(conf, CONF_KAFKA_SASL_USERNAME) : ""},
		{"sasl.password", sasl ? conf_str(conf, CONF_KAFKA_SASL_PASSWORD) : ""},
	};
	enum err rc_err = ERR_OK;
	for (size_t i = 0; rc_err == ERR_OK && i < sizeof settings / sizeof *settings; i++)
		rc_err = set(rc, settings[i][0], settings[i][1], eb);
	rd_kafka_conf_set_dr_msg_cb(rc, on_delivery);
	rd_kafka_conf_set_error_cb(rc, on_error);
	rd_kafka_conf_set_log_cb(rc, on_log);
	return rc_err;
}

static enum err producer_new(struct producer **out, const struct conf *conf, struct errbuf *eb)
{
	char why[WHY_BYTES];
	struct producer *p = mem_alloc(sizeof *p);
	*p = (struct producer){.rk = NULL};
	rd_kafka_conf_t *rc = rd_kafka_conf_new();
	enum err err = set_all(rc, conf, eb);
	rd_kafka_conf_set_opaque(rc, p);
	if (err == ERR_OK && !(p->rk = rd_kafka_new(RD_KAFKA_PRODUCER, rc, why, sizeof why)))
		err = err_set(eb, ERR_CONFIG, "Kafka: %s", why);
	if (err != ERR_OK) {
		rd_kafka_conf_destroy(rc);
		free(p);
		return err;
	}
	must(pthread_create(&p->poller, NULL, poll_reports, p) == 0);
	*out = p;
	return ERR_OK;
}

static void producer_free(struct producer *p)
{
	if (rd_kafka_flush(p->rk, CLOSE_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
		LOG(LOG_WARNING, "kafka_sink_not_flushed", LOG_INT("messages", rd_kafka_outq_len(p->rk)),
		    LOG_END);
	p->stop = true;
	(void)pthread_join(p->poller, NULL);
	rd_kafka_destroy(p->rk);
	free(p);
}

/* ---- the sink ---------------------------------------------------------------------------- */

enum err sink_kafka_open(struct sink_kafka **out, const struct conf *conf, struct errbuf *eb)
{
	if (*conf_str(conf, CONF_KAFKA_BROKERS) == '\0')
		return err_set_field(eb, ERR_CONFIG, conf_name(CONF_EVENTS_SINK),
		                     "%s is kafka, but %s is empty", conf_name(CONF_EVENTS_SINK),
		                     conf_name(CONF_KAFKA_BROKERS));
	struct sink_kafka *k = mem_alloc(sizeof *k);
	*k = (struct sink_kafka){.conf = conf,
	                         .topic = mem_strdup(conf_str(conf, CONF_EVENTS_TOPIC)),
	                         .lock = PTHREAD_MUTEX_INITIALIZER};
	enum err rc = producer_new(&k->now, conf, eb);
	if (rc == ERR_OK) {
		*out = k;
		return rc;
	}
	free(k->topic);
	free(k);
	return rc;
}

void sink_kafka_close(struct sink_kafka *k)
{
	if (!k)
		return;
	producer_free(k->now);
	(void)pthread_mutex_destroy(&k->lock);
	free(k->topic);
	free(k);
}

/* ERR_DB_DOWN: none was taken for a while; somebody else is trying. */
static enum err enter(struct sink_kafka *k, struct producer **out, struct errbuf *eb)
{
	struct producer *old = NULL;
	enum err rc = ERR_OK;
	(void)pthread_mutex_lock(&k->lock);
	if (!breaker_allows(&k->breaker, clock_mono_ms()))
		rc = err_set(eb, ERR_DB_DOWN, "no Kafka broker takes events");
	if (rc == ERR_OK && k->now->fatal && k->now->users == 0) {
		old = k->now;
		rc = producer_new(&k->now, k->conf, eb);
		old = rc == ERR_OK ? old : NULL;
	}
	if (rc == ERR_OK) {
		*out = k->now;
		k->now->users++;
	}
	(void)pthread_mutex_unlock(&k->lock);
	if (old)
		producer_free(old);
	return rc;
}

static void leave(struct sink_kafka *k, struct producer *p, bool well)
{
	(void)pthread_mutex_lock(&k->lock);
	p->users--;
	if (well)
		breaker_succeeded(&k->breaker);
	else
		breaker_failed(&k->breaker, clock_mono_ms());
	(void)pthread_mutex_unlock(&k->lock);
}

static rd_kafka_headers_t *headers_of(const struct sink_message *m)
{
	rd_kafka_headers_t *h = rd_kafka_headers_new(4);
	(void)rd_kafka_header_add(h, "source", -1, m->source, -1);
	if (m->reason) {
		(void)rd_kafka_header_add(h, "reason", -1, m->reason, -1);
		(void)rd_kafka_header_add(h, "field", -1, m->field, -1);
		(void)rd_kafka_header_add(h, "detail", -1, m->detail, -1);
	}
	return h;
}

/* Sessions keep the order of their events: their key is that of the partition. */
static rd_kafka_resp_err_t produce(const struct sink_kafka *k, struct producer *p,
                                   const struct sink_batch *b, const struct sink_message *m,
                                   struct waiter *w)
{
	char key[KEY_BYTES];
	int key_n = snprintf(key, sizeof key, "%lld", (long long)m->session_key);
	rd_kafka_headers_t *headers = headers_of(m);
	rd_kafka_resp_err_t e = rd_kafka_producev(
		p->rk, RD_KAFKA_V_TOPIC(k->topic), RD_KAFKA_V_KEY(key, (size_t)key_n),
		RD_KAFKA_V_VALUE(b->text.data + m->at, m->n), RD_KAFKA_V_HEADERS(headers),
		RD_KAFKA_V_OPAQUE(w), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
	if (e)
		rd_kafka_headers_destroy(headers); /* else they are the library's */
	return e;
}

static void produce_all(const struct sink_kafka *k, struct producer *p, const struct sink_batch *b,
                        struct waiter *w)
{
	for (int i = 0; i < b->n; i++) {
		rd_kafka_resp_err_t e = produce(k, p, b, &b->messages[i], w);
		if (!e)
			continue;
		(void)pthread_mutex_lock(&w->lock);
		w->err = e;
		w->left -= b->n - i;
		(void)pthread_mutex_unlock(&w->lock);
		return;
	}
}

enum err sink_kafka_send(struct sink_kafka *k, const struct sink_batch *b, struct errbuf *eb)
{
	struct producer *p;
	struct waiter w = {
		.lock = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER, .left = b->n};
	if (b->n == 0)
		return ERR_OK;
	enum err rc = enter(k, &p, eb);
	if (rc != ERR_OK)
		return rc;
	produce_all(k, p, b, &w);
	(void)pthread_mutex_lock(&w.lock);
	while (w.left > 0)
		(void)pthread_cond_wait(&w.over, &w.lock);
	(void)pthread_mutex_unlock(&w.lock);
	leave(k, p, w.err == RD_KAFKA_RESP_ERR_NO_ERROR);
	if (w.err)
		rc = err_set(eb, ERR_DB_DOWN, "Kafka: %s", rd_kafka_err2str(w.err));
	(void)pthread_cond_destroy(&w.over);
	(void)pthread_mutex_destroy(&w.lock);
	return rc;
}
