/* message.h: what a source hands over, before anybody has read it. */
#ifndef TAKINGS_STREAM_MESSAGE_H
#define TAKINGS_STREAM_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

/* Where a message stands in its source. Positions of one partition only grow. */
struct position {
	const char *source;    /* "kafka" or "postgresql"; a word of ours */
	const char *topic;     /* a topic; of postgresql the slot */
	int32_t partition;     /* 0 where there is only one */
	int64_t offset;        /* a Kafka offset; of postgresql the LSN of the record */
	int64_t commit_offset; /* the place to go on from once this message is done: offset + 1;
	                        * of postgresql the end of the last whole transaction */
};

struct message {
	struct position at;
	int64_t time_us;   /* when the source got it, since 1970; 0: it does not say */
	const char *key;   /* NULL: none; not NUL-terminated */
	const char *value; /* NULL: a tombstone; not NUL-terminated */
	size_t key_n, value_n;
};

/* Beside a tracked event: what the web program says of it. Texts are borrowed. */
struct tracked_as {
	const char *source; /* of its account */
	const char *reason; /* it is to be kept apart, for this reason; NULL: it is not */
	const char *field, *detail;
};

#endif
