/* sink_kafka.h: tracked events into Kafka (EVENTS_SINK=kafka), from which takings-stream stores
 * them. What was sent is on all replicas in sync (acks=all) and may be acknowledged. */
#ifndef TAKINGS_CGI_SINK_KAFKA_H
#define TAKINGS_CGI_SINK_KAFKA_H

#include "base/conf.h"
#include "domain/activity_event.h"

struct sink_kafka; /* shared by all threads */
struct sink_batch; /* the events of a request; nothing of them is borrowed */

/* ERR_CONFIG: the settings cannot work. Brokers that are away are no error. */
MUST_CHECK enum err sink_kafka_open(struct sink_kafka **out, const struct conf *conf,
                                    struct errbuf *eb);

/* Waits a while for what is on its way. Nobody may be sending. NULL is nothing. */
void sink_kafka_close(struct sink_kafka *k);

struct sink_batch *sink_batch_new(void);
void sink_batch_free(struct sink_batch *b); /* NULL is nothing */
int sink_batch_n(const struct sink_batch *b);

/* `source` as of activity_account. `reason`: it is to be kept apart, `why` says more; NULL: it is
 * not. */
void sink_batch_put(struct sink_batch *b, const struct activity_event *e, const char *source,
                    const char *reason, const struct errbuf *why);

/* All of them, or an error: then some may be there, and the sender must send all again with the
 * same ids. Takes EVENT_FLUSH_INTERVAL at most. ERR_DB_DOWN: no broker took them, or has for a
 * while. */
MUST_CHECK enum err sink_kafka_send(struct sink_kafka *k, const struct sink_batch *b,
                                    struct errbuf *eb);

#endif
