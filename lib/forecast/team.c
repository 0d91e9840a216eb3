/* team.c: threads that take the next number until there is none. */
#include "forecast/team.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum { TEAM_MAX = 64 };

struct team {
	atomic_size_t next;
	size_t n;
	void (*work)(size_t i, void *arg);
	void *arg;
};

static void *take(void *p)
{
	struct team *t = p;
	for (size_t i; (i = atomic_fetch_add(&t->next, 1)) < t->n;)
		t->work(i, t->arg);
	return NULL;
}

static unsigned threads_for(size_t n, unsigned threads)
{
	if (threads == 0) {
		long cpus = sysconf(_SC_NPROCESSORS_ONLN);
		threads = cpus > 0 ? (unsigned)cpus : 1;
	}
	if (threads > TEAM_MAX)
		threads = TEAM_MAX;
	return n < threads ? (unsigned)n : threads;
}

void team_run(size_t n, unsigned threads, void (*work)(size_t i, void *arg), void *arg)
{
	struct team t = {.n = n, .work = work, .arg = arg};
	pthread_t helper[TEAM_MAX];
	unsigned helpers = 0;
	threads = threads_for(n, threads);
	/* The caller works too; where a thread cannot be had, the others do its share. */
	while (helpers + 1 < threads && pthread_create(&helper[helpers], NULL, take, &t) == 0)
		helpers++;
	(void)take(&t);
	for (unsigned i = 0; i < helpers; i++)
		(void)pthread_join(helper[i], NULL);
}
