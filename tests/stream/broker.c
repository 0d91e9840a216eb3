/* broker.c: brokers in memory (librdkafka's mock) and a producer, for the tests. The first line it
 * prints are the brokers' addresses; then it does what standard input says, words behind tabs:
 *
 *   topic NAME PARTITIONS          make a topic
 *   put TOPIC PARTITION KEY VALUE  a message; KEY - is none, VALUE - a tombstone; not answered
 *   put TOPIC PARTITION KEY VALUE MS
 *                                  the same, of that time in ms since 1970
 *   flush                          wait until all of them are stored
 *   down BROKER | up BROKER        brokers are numbered from 1
 *   rtt BROKER MS                  each answer takes so long
 *   errors APIKEY ERROR COUNT      the next COUNT requests of this kind get this error
 *   leader TOPIC PARTITION BROKER  another broker leads the partition
 *
 * Each but put is answered with "ok" or "failed WHY". A partition keeps 5 MiB. */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/num.h"

enum { WORDS_MAX = 6, FLUSH_MS = 60000 };

static rd_kafka_t *new_client(const char *bootstraps)
{
	char why[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	static const char *const settings[][2] = {
		{"linger.ms", "5"},          {"queue.buffering.max.messages", "2000000"},
		{"message.timeout.ms", "0"}, {"queue.buffering.max.kbytes", "2000000"},
		{"log_level", "0"},          {"allow.auto.create.topics", "true"},
	};
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		must(rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof why) ==
		     RD_KAFKA_CONF_OK);
	if (bootstraps)
		must(rd_kafka_conf_set(conf, "bootstrap.servers", bootstraps, why, sizeof why) ==
		     RD_KAFKA_CONF_OK);
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
	must(rk);
	return rk;
}

static int number(const char *word)
{
	int64_t n = 0;
	must(num_parse_int(word, 0, 1000000, &n));
	return (int)n;
}

static void put(rd_kafka_t *rk, char *const *words, int n)
{
	const char *key = strcmp(words[3], "-") == 0 ? NULL : words[3];
	char *value = strcmp(words[4], "-") == 0 ? NULL : words[4];
	int64_t at_ms = 0; /* now */
	rd_kafka_resp_err_t rc;
	must(n < 6 || num_parse_int(words[5], 1, INT64_MAX, &at_ms));
	do {
		rc = rd_kafka_producev(
			rk, RD_KAFKA_V_TOPIC(words[1]), RD_KAFKA_V_PARTITION(number(words[2])),
			RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, key ? strlen(key) : 0),
			RD_KAFKA_V_VALUE(value, value ? strlen(value) : 0), RD_KAFKA_V_TIMESTAMP(at_ms),
			RD_KAFKA_V_END);
		(void)rd_kafka_poll(rk, rc == RD_KAFKA_RESP_ERR__QUEUE_FULL ? 10 : 0);
	} while (rc == RD_KAFKA_RESP_ERR__QUEUE_FULL);
	if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
		(void)printf("failed %s\n", rd_kafka_err2str(rc));
}

static rd_kafka_resp_err_t do_command(rd_kafka_mock_cluster_t *mock, rd_kafka_t *producer,
                                      char *const *w, int n)
{
	if (n == 3 && strcmp(w[0], "topic") == 0)
		return rd_kafka_mock_topic_create(mock, w[1], number(w[2]), 1);
	if (n == 1 && strcmp(w[0], "flush") == 0)
		return rd_kafka_flush(producer, FLUSH_MS);
	if (n == 2 && strcmp(w[0], "down") == 0)
		return rd_kafka_mock_broker_set_down(mock, number(w[1]));
	if (n == 2 && strcmp(w[0], "up") == 0)
		return rd_kafka_mock_broker_set_up(mock, number(w[1]));
	if (n == 3 && strcmp(w[0], "rtt") == 0)
		return rd_kafka_mock_broker_set_rtt(mock, number(w[1]), number(w[2]));
	if (n == 4 && strcmp(w[0], "leader") == 0)
		return rd_kafka_mock_partition_set_leader(mock, w[1], number(w[2]), number(w[3]));
	if (n == 4 && strcmp(w[0], "errors") == 0) {
		for (int i = number(w[3]); i > 0; i--)
			rd_kafka_mock_push_request_errors(mock, (int16_t)number(w[1]), 1,
			                                  (rd_kafka_resp_err_t)number(w[2]));
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	}
	return RD_KAFKA_RESP_ERR__INVALID_ARG;
}

static int split(char *line, char **words)
{
	int n = 0;
	for (char *at = line; at && n < WORDS_MAX; n++)
		words[n] = strsep(&at, "\t");
	return n;
}

int main(int argc, char **argv)
{
	char *line = NULL, *words[WORDS_MAX];
	size_t cap = 0;
	ssize_t n;
	rd_kafka_t *owner = new_client(NULL);
	rd_kafka_mock_cluster_t *mock =
		rd_kafka_mock_cluster_new(owner, argc > 1 ? number(argv[1]) : 1);
	must(mock);
	rd_kafka_t *producer = new_client(rd_kafka_mock_cluster_bootstraps(mock));
	(void)printf("%s\n", rd_kafka_mock_cluster_bootstraps(mock));
	(void)fflush(stdout);
	while ((n = getline(&line, &cap, stdin)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		int words_n = split(line, words);
		if (words_n >= 5 && strcmp(words[0], "put") == 0) {
			put(producer, words, words_n);
			continue;
		}
		rd_kafka_resp_err_t rc = do_command(mock, producer, words, words_n);
		(void)(rc == RD_KAFKA_RESP_ERR_NO_ERROR ? printf("ok\n")
		                                        : printf("failed %s\n", rd_kafka_err2str(rc)));
		(void)fflush(stdout);
	}
	free(line);
	_exit(0); /* nothing of it is worth an orderly end */
}
