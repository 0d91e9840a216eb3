/* turns.h: a few threads at a time do what costs a processor much; a few more wait for their turn,
 * and whoever comes then is told so at once, as a thread that waits serves nobody else. */
#ifndef TAKINGS_BASE_TURNS_H
#define TAKINGS_BASE_TURNS_H

#include <pthread.h>

#include "base/err.h"

struct turns {
	pthread_mutex_t lock;
	pthread_cond_t freed;
	int running, waiting;
};

#define TURNS_INIT                                                                                 \
	{                                                                                              \
		.lock = PTHREAD_MUTEX_INITIALIZER, .freed = PTHREAD_COND_INITIALIZER                       \
	}

/* Waits until fewer than `at_once` have a turn; for turns_give. ERR_BUSY, saying "too many `what`
 * at once", where `waiting_most` wait already. */
MUST_CHECK enum err turns_take(struct turns *t, int at_once, int waiting_most, const char *what,
                               struct errbuf *eb);

void turns_give(struct turns *t);

#endif
