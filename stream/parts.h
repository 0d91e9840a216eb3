/* parts.h: the parts there are, and how main starts and stops them. */
#ifndef TAKINGS_STREAM_PARTS_H
#define TAKINGS_STREAM_PARTS_H

#include "stream/stream.h"

enum { PARTS_MAX = 16 };

/* Starts those that the settings want. The stream lives as long as the process. */
struct stream *stream_start(const struct conf *conf, const struct part_kind *const *kinds, int n);

/* Stops them stage by stage; false: one did not end within SHUTDOWN_TIMEOUT. */
bool stream_stop(struct stream *s);

extern const struct part_kind part_status;
extern const struct part_kind part_replay;
extern const struct part_kind part_postgresql;
extern const struct part_kind part_hub;
extern const struct part_kind part_ws;
extern const struct part_kind part_kafka;
extern const struct part_kind part_flush;
extern const struct part_kind part_bookings;
extern const struct part_kind part_activity;
extern const struct part_kind part_redis_streams;
extern const struct part_kind part_redis_pubsub;
extern const struct part_kind part_probe;

#endif
