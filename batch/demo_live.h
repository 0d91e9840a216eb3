/* demo_live.h: the demo restaurant as it happens. What is told goes to a sink: order_db, or Kafka.
 */
#ifndef TAKINGS_BATCH_DEMO_LIVE_H
#define TAKINGS_BATCH_DEMO_LIVE_H

#include "base/conf.h"
#include "batch/demo_day.h"
#include "batch/jobs.h"

/* An order that is being played. */
struct live_order {
	struct demo_order course; /* its id is the one it was given; its times are the drawn ones */
	int64_t played_us;        /* when it was created, since 1970 */
	int next_step;            /* of its course */
};

/* Texts for the sinks. */
struct live_money {
	const char *currency;
	int decimals;
};

struct live_sink {
	void *state;
	enum err (*order)(void *state, const struct live_order *o, const struct demo_line *lines,
	                  const struct live_money *money, struct errbuf *eb);
	/* Its state has changed at `now_us`. `before`: as it was. */
	enum err (*change)(void *state, const struct live_order *o, const struct demo_state *before,
	                   const struct demo_state *now, int64_t now_us, const struct live_money *money,
	                   struct errbuf *eb);
	void (*close)(void *state);
};

enum { LIVE_MONEY_TEXT = 32 };
const char *live_money_text(char out[LIVE_MONEY_TEXT], int64_t minor, int decimals);

/* ERR_LOCKED: another one is played there. *last_id: the greatest there is. */
MUST_CHECK enum err live_sink_order_db(struct live_sink *out, struct db *db, int64_t *last_id,
                                       struct errbuf *eb);

/* Events as JSON to the first topic of KAFKA_TOPICS. */
MUST_CHECK enum err live_sink_kafka(struct live_sink *out, const struct conf *conf,
                                    int64_t *last_id, struct errbuf *eb);

/* `takings-batch demo --live ...` */
enum job_exit demo_live(const struct conf *conf, int argc, char **argv);

#endif
