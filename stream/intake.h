/* intake.h: the loop of a source: messages in, batches out, exactly once.
 *
 * While one batch is being written by a thread of its own, the next is read and decoded. A passing
 * fault of the database is waited out with the source paused; a refusal by the fence, or a
 * connection lost at COMMIT, makes the source begin again where the database says. */
#ifndef TAKINGS_STREAM_INTAKE_H
#define TAKINGS_STREAM_INTAKE_H

#include "stream/decode.h"
#include "stream/source.h"
#include "stream/stream.h"

struct intake;

/* The rules to decode with; valid until the source's poll returns. */
const struct rules *intake_rules(const struct intake *in);
const struct row_units *intake_units(const struct intake *in);

/* Whether the batch has as much as it may take: poll returns then. */
bool intake_full(const struct intake *in);

/* Decodes a message into the batch; what is poison goes to its dead letters. The partition stands
 * at m->at.commit_offset when the batch is done. */
void intake_take(struct intake *in, const struct decoder *d, const struct message *m);

/* A tracked event: it is stored with the batch. */
void intake_take_activity(struct intake *in, const struct message *m, const struct tracked_as *as);

/* The same for a source that decodes by itself; `payload` is what a dead letter shows. */
void intake_take_row(struct intake *in, const struct row_change *row, const struct position *at,
                     const char *payload);

/* A partition moved on though nothing of it was of interest. */
void intake_pass(struct intake *in, const struct position *at);

/* A partition is read from `next` on, as the database says; once after each assignment. */
void intake_begin_partition(struct intake *in, const char *source, const char *topic,
                            int32_t partition, int64_t next);

/* The partitions of the batches under way are taken away: what is not in a transaction yet is
 * dropped, what is, is waited for (a second at most). */
void intake_revoke(struct intake *in);

/* The body of a source's part. */
void intake_run(struct part *p, const struct source_ops *ops);

#endif
