/* stream_bare.c: what takings-stream is compared with, and what both are fed with.
 *
 *   stream_bare serve PARTITIONS                a broker (librdkafka's mock) until its input ends;
 * prints its address stream_bare fill BROKERS TOPIC ORDERS       five events an order into the
 * topic, in order of time stream_bare drain BROKERS TOPIC N URL       reads N messages and COPYs
 * them into one table
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <libpq-fe.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/num.h"

enum {
	BATCH = 50000,
	EVENTS = 5,
	DAYS = 20,
	ITEMS = 200,
	CUSTOMERS = 20000,
	MAX_PARTITIONS = 1024
};

static _Noreturn void die(const char *what, const char *why)
{
	(void)fprintf(stderr, "stream_bare: %s: %s\n", what, why);
	exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char why[256];
	if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK)
		die(name, why);
}

static int64_t number(const char *text)
{
	int64_t n = 0;
	if (!num_parse_int(text, 1, INT32_MAX, &n))
		die(text, "not a number");
	return n;
}

/* ---- a broker --------------------------------------------------------------- */

static int serve(const char *partitions)
{
	char why[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
	if (!rk)
		die("rd_kafka_new", why);
	rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(rk, 1);
	if (!cluster)
		die("mock cluster", "not made");
	(void)rd_kafka_mock_topic_create(cluster, "orders", (int)number(partitions), 1);
	(void)printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
	(void)fflush(stdout);
	while (getchar() != EOF)
		;
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(rk);
	return 0;
}

/* ---- events ------------------------------------------------------------------ */

struct event {
	int64_t at_s;
	int32_t order;
	int32_t step;
};

static uint64_t state = 42;

/* splitmix64 */
static uint32_t draw(uint32_t n)
{
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ (z >> 31)) % n);
}

static int by_time(const void *a, const void *b)
{
	const struct event *x = a, *y = b;
	if (x->at_s != y->at_s)
		return x->at_s < y->at_s ? -1 : 1;
	return x->order != y->order ? (x->order < y->order ? -1 : 1) : x->step - y->step;
}

static void put_time(struct buf *out, int64_t at_s)
{
	struct tm tm;
	char text[32];
	time_t t = (time_t)at_s;
	(void)gmtime_r(&t, &tm);
	(void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	buf_puts(out, text);
}

static void put_lines(struct buf *out)
{
	uint32_t n = 1 + draw(3), total = 0;
	struct buf lines;
	buf_init(&lines);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t item = draw(ITEMS), quantity = 1 + draw(3), cents = 250 + item * 17;
		total += quantity * cents;
		buf_printf(&lines,
		           "%s{\"item_id\":\"%u\",\"name\":\"Item "
		           "%u\",\"quantity\":%u,\"unit_price\":\"%u.%02u\"}",
		           i ? "," : "", item, item, quantity, cents / 100, cents % 100);
	}
	buf_printf(
		out,
		",\"total_amount\":\"%u.%02u\",\"currency\":\"EUR\",\"customer_id\":\"%u\",\"items\":[%s]",
		total / 100, total % 100, draw(CUSTOMERS), buf_str(&lines));
	buf_fini(&lines);
}

static void put_event(struct buf *out, const struct event *e)
{
	static const char *const status[EVENTS] = {"pending", "confirmed", "processing", "shipped",
	                                           "completed"};
	bool cancelled = e->step == EVENTS - 1 && e->order % 50 == 0;
	buf_clear(out);
	buf_printf(out,
	           "{\"event_type\":\"%s\",\"event_id\":\"%d-%d\",\"order_id\":\"%d\",\"version\":%d,"
	           "\"occurred_at\":\"",
	           e->step == 0 ? "OrderCreatedEvent"
	           : cancelled  ? "OrderCancelledEvent"
	                        : "OrderStatusChangedEvent",
	           (int)e->order, (int)e->step, (int)e->order, (int)e->step + 1);
	put_time(out, e->at_s);
	buf_puts(out, "\"");
	if (e->step == 0) {
		buf_puts(out, ",\"status\":\"pending\"");
		put_lines(out);
	} else if (cancelled) {
		buf_puts(out, ",\"reason\":\"no longer wanted\"");
	} else {
		buf_printf(out, ",\"old_status\":\"%s\",\"new_status\":\"%s\"", status[e->step - 1],
		           status[e->step]);
	}
	buf_puts(out, "}");
}

static int fill(const char *brokers, const char *topic, int64_t orders)
{
	char why[256], key[16];
	int64_t n = orders * EVENTS, start_s = INT64_C(1767225600); /* 2026-01-01 */
	struct event *events = mem_alloc((size_t)n * sizeof *events);
	for (int64_t o = 0, i = 0; o < orders; o++) {
		int64_t at_s = start_s + o * DAYS * 86400 / orders;
		for (int step = 0; step < EVENTS; step++, at_s += 60 + draw(900))
			events[i++] = (struct event){at_s, (int32_t)o, step};
	}
	qsort(events, (size_t)n, sizeof *events, by_time);
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	set(conf, "bootstrap.servers", brokers);
	set(conf, "compression.codec", "lz4");
	set(conf, "batch.num.messages", "5000");
	set(conf, "linger.ms", "50");
	set(conf, "queue.buffering.max.messages", "500000");
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
	if (!rk)
		die("rd_kafka_new", why);
	struct buf value;
	buf_init(&value);
	for (int64_t i = 0; i < n; i++) {
		put_event(&value, &events[i]);
		int len = snprintf(key, sizeof key, "%d", (int)events[i].order);
		while (rd_kafka_producev(
				   rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
				   RD_KAFKA_V_KEY(key, (size_t)len), RD_KAFKA_V_VALUE(value.data, value.len),
				   RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
			(void)rd_kafka_poll(rk, 50);
		(void)rd_kafka_poll(rk, 0);
	}
	if (rd_kafka_flush(rk, 60000) != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("flush", "not all were taken");
	buf_fini(&value);
	rd_kafka_destroy(rk);
	free(events);
	return 0;
}

/* ---- the bare consumer --------------------------------------------------------- */

static void run(PGconn *db, const char *sql)
{
	PGresult *res = PQexecParams(db, sql, 0, NULL, NULL, NULL, NULL, 0);
	ExecStatusType status = PQresultStatus(res);
	if (status != PGRES_COMMAND_OK && status != PGRES_COPY_IN)
		die(sql, PQerrorMessage(db));
	PQclear(res);
}

static void put_escaped(struct buf *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\\' || text[i] == '\t' || text[i] == '\n')
			buf_putc(out, '\\');
		buf_putc(out, text[i]);
	}
}

static void copy_batch(PGconn *db, struct buf *rows)
{
	run(db, "COPY bare FROM STDIN");
	if (PQputCopyData(db, rows->data, (int)rows->len) != 1 || PQputCopyEnd(db, NULL) != 1)
		die("COPY", PQerrorMessage(db));
	PGresult *res = PQgetResult(db);
	if (PQresultStatus(res) != PGRES_COMMAND_OK)
		die("COPY", PQerrorMessage(db));
	PQclear(res);
	while ((res = PQgetResult(db)))
		PQclear(res);
	buf_clear(rows);
}

static rd_kafka_t *assigned(const char *brokers, const char *topic)
{
	char why[256];
	const rd_kafka_metadata_t *meta;
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	set(conf, "bootstrap.servers", brokers);
	set(conf, "group.id", "bare");
	set(conf, "enable.auto.commit", "false");
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
	if (!rk)
		die("rd_kafka_new", why);
	(void)rd_kafka_poll_set_consumer(rk);
	rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
	if (rd_kafka_metadata(rk, 0, rkt, &meta, 10000) != RD_KAFKA_RESP_ERR_NO_ERROR ||
	    meta->topic_cnt != 1)
		die(topic, "no such topic");
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(MAX_PARTITIONS);
	for (int i = 0; i < meta->topics[0].partition_cnt; i++)
		rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
	if (rd_kafka_assign(rk, list) != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("assign", topic);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_metadata_destroy(meta);
	rd_kafka_topic_destroy(rkt);
	return rk;
}

static int drain(const char *brokers, const char *topic, int64_t wanted, const char *url)
{
	PGconn *db = PQconnectdb(url);
	if (PQstatus(db) != CONNECTION_OK)
		die("PostgreSQL", PQerrorMessage(db));
	run(db, "CREATE TABLE bare (partition int, at bigint, key text, value text)");
	rd_kafka_t *rk = assigned(brokers, topic);
	struct buf rows;
	buf_init(&rows);
	int in_batch = 0;
	for (int64_t n = 0; n < wanted;) {
		rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 1000);
		if (m && m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
			buf_printf(&rows, "%d\t%lld\t", (int)m->partition, (long long)m->offset);
			put_escaped(&rows, m->key, m->key_len);
			buf_putc(&rows, '\t');
			put_escaped(&rows, m->payload, m->len);
			buf_putc(&rows, '\n');
			n++;
			in_batch++;
		}
		if (m)
			rd_kafka_message_destroy(m);
		if (in_batch == BATCH || (in_batch && n == wanted)) {
			copy_batch(db, &rows);
			in_batch = 0;
		}
	}
	buf_fini(&rows);
	(void)rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
	PQfinish(db);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2]);
	if (argc == 5 && strcmp(argv[1], "fill") == 0)
		return fill(argv[2], argv[3], number(argv[4]));
	if (argc == 6 && strcmp(argv[1], "drain") == 0)
		return drain(argv[2], argv[3], number(argv[4]), argv[5]);
	(void)fputs("usage: see the head of stream_bare.c\n", stderr);
	return 2;
}
