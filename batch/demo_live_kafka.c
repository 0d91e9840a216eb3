/* demo_live_kafka.c: orders played into Kafka, as the events of docs/STREAM.md. There is no event
 * for a refund, so there are none. */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json_text.h"
#include "batch/demo_live.h"
#include "db/db.h"

enum { FLUSH_MS = 10000, ERROR_BYTES = 512, FULL_WAIT_MS = 100 };

struct kafka {
	rd_kafka_t *rk;
	char *topic;
	char refused[256]; /* of a message that was not taken; "": all were */
};

/* ---- messages -------------------------------------------------------------------- */

static void put_money(struct buf *b, const char *name, int64_t minor,
                      const struct live_money *money)
{
	char text[LIVE_MONEY_TEXT];
	buf_printf(b, ",\"%s\":\"%s\"", name, live_money_text(text, minor, money->decimals));
}

static void put_head(struct buf *b, const char *type, const struct live_order *o, int64_t at_us)
{
	char at[CLOCK_TEXT];
	clock_format_utc(at_us, at);
	buf_printf(b, "{\"event_type\":\"%s\",\"order_id\":\"%" PRId64 "\",\"occurred_at\":\"%s\"",
	           type, o->course.id, at);
}

/* Ours to send again where the queue is full; what a broker refuses is told by on_delivery. */
static enum err send_event(struct kafka *k, const struct live_order *o, const struct buf *b,
                           struct errbuf *eb)
{
	char key[LIVE_MONEY_TEXT];
	int key_n = snprintf(key, sizeof key, "%" PRId64, o->course.id);
	for (;;) {
		rd_kafka_resp_err_t e =
			rd_kafka_producev(k->rk, RD_KAFKA_V_TOPIC(k->topic), RD_KAFKA_V_KEY(key, (size_t)key_n),
		                      RD_KAFKA_V_VALUE(b->data, b->len),
		                      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
		(void)rd_kafka_poll(k->rk, e == RD_KAFKA_RESP_ERR__QUEUE_FULL ? FULL_WAIT_MS : 0);
		if (k->refused[0])
			return err_set(eb, ERR_IO, "Kafka: %s", k->refused);
		if (e == RD_KAFKA_RESP_ERR__QUEUE_FULL && !db_interrupted())
			continue;
		return e ? err_set(eb, ERR_IO, "Kafka: %s", rd_kafka_err2str(e)) : ERR_OK;
	}
}

static enum err put_order(void *state, const struct live_order *o, const struct demo_line *lines,
                          const struct live_money *money, struct errbuf *eb)
{
	struct demo_state s;
	struct buf b;
	buf_init(&b);
	demo_order_state(&o->course, o->course.created_s + 1, &s);
	put_head(&b, "OrderCreatedEvent", o, o->played_us);
	buf_printf(&b, ",\"status\":\"%s\",\"currency\":\"%s\"", s.status, money->currency);
	if (o->course.customer_id)
		buf_printf(&b, ",\"customer_id\":\"%" PRId64 "\"", o->course.customer_id);
	put_money(&b, "total_amount", s.total_minor, money);
	put_money(&b, "discount", s.discount_minor, money);
	put_money(&b, "tax", s.tax_minor, money);
	for (int i = 0; i < o->course.lines_n; i++) {
		buf_printf(&b, "%s{\"product_id\":\"%" PRId64 "\",\"name\":", i ? "," : ",\"items\":[",
		           lines[i].item_id);
		json_text_put(&b, lines[i].name, strlen(lines[i].name));
		buf_printf(&b, ",\"quantity\":%" PRId64, lines[i].quantity);
		put_money(&b, "unit_price", lines[i].price_minor, money);
		buf_putc(&b, '}');
	}
	buf_puts(&b, o->course.lines_n ? "]}" : "}");
	enum err rc = send_event(state, o, &b, eb);
	buf_fini(&b);
	return rc;
}

static enum err put_change(void *state, const struct live_order *o, const struct demo_state *before,
                           const struct demo_state *now, int64_t now_us,
                           const struct live_money *money, struct errbuf *eb)
{
	struct buf b;
	(void)money;
	if (strcmp(before->status, now->status) == 0)
		return ERR_OK;
	buf_init(&b);
	if (now->cancelled_s) {
		put_head(&b, "OrderCancelledEvent", o, now_us);
		buf_puts(&b, ",\"reason\":\"guest\"}");
	} else {
		put_head(&b, "OrderStatusChangedEvent", o, now_us);
		buf_printf(&b, ",\"old_status\":\"%s\",\"new_status\":\"%s\"}", before->status,
		           now->status);
	}
	enum err rc = send_event(state, o, &b, eb);
	buf_fini(&b);
	return rc;
}

/* ---- the producer ------------------------------------------------------------------ */

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	struct kafka *k = opaque;
	(void)rk;
	if (m->err)
		(void)snprintf(k->refused, sizeof k->refused, "%s", rd_kafka_err2str(m->err));
}

static void close_kafka(void *state)
{
	struct kafka *k = state;
	(void)rd_kafka_flush(k->rk, FLUSH_MS);
	rd_kafka_destroy(k->rk);
	free(k->topic);
	free(k);
}

static enum err configure(rd_kafka_conf_t *rc, const struct conf *conf, struct errbuf *eb)
{
	static const struct {
		const char *name;
		enum conf_id setting;
	} rows[] = {
		{"bootstrap.servers", CONF_KAFKA_BROKERS},     {"security.protocol", CONF_KAFKA_SECURITY},
		{"sasl.mechanism", CONF_KAFKA_SASL_MECHANISM}, {"sasl.username", CONF_KAFKA_SASL_USERNAME},
		{"sasl.password", CONF_KAFKA_SASL_PASSWORD},   {"ssl.ca.location", CONF_KAFKA_SSL_CA},
	};
	char why[ERROR_BYTES];
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *value = conf_str(conf, rows[i].setting);
		if (*value &&
		    rd_kafka_conf_set(rc, rows[i].name, value, why, sizeof why) != RD_KAFKA_CONF_OK)
			return err_set_field(eb, ERR_CONFIG, conf_name(rows[i].setting), "%s is refused: %s",
			                     conf_name(rows[i].setting), why);
	}
	(void)rd_kafka_conf_set(rc, "enable.idempotence", "true", why, sizeof why);
	(void)rd_kafka_conf_set(rc, "linger.ms", "5", why, sizeof why);
	rd_kafka_conf_set_dr_msg_cb(rc, on_delivery);
	return ERR_OK;
}

enum err live_sink_kafka(struct live_sink *out, const struct conf *conf, int64_t *last_id,
                         struct errbuf *eb)
{
	const char *topics = conf_str(conf, CONF_KAFKA_TOPICS);
	char why[ERROR_BYTES];
	if (conf_str(conf, CONF_KAFKA_BROKERS)[0] == '\0')
		return err_set_field(eb, ERR_CONFIG, conf_name(CONF_KAFKA_BROKERS),
		                     "%s is empty: there is no Kafka to play to",
		                     conf_name(CONF_KAFKA_BROKERS));
	rd_kafka_conf_t *rc = rd_kafka_conf_new();
	struct kafka *k = mem_alloc(sizeof *k);
	*k = (struct kafka){0};
	rd_kafka_conf_set_opaque(rc, k);
	enum err e = configure(rc, conf, eb);
	if (e == ERR_OK) {
		k->rk = rd_kafka_new(RD_KAFKA_PRODUCER, rc, why, sizeof why);
		e = k->rk ? ERR_OK : err_set(eb, ERR_CONFIG, "Kafka: %s", why);
	}
	if (e != ERR_OK) {
		rd_kafka_conf_destroy(rc);
		free(k);
		return e;
	}
	size_t n = strcspn(topics, ",");
	k->topic = mem_alloc(n + 1);
	memcpy(k->topic, topics, n);
	k->topic[n] = '\0';
	*last_id = clock_now_us(); /* so that two plays do not meet */
	*out = (struct live_sink){
		.state = k, .order = put_order, .change = put_change, .close = close_kafka};
	return ERR_OK;
}
