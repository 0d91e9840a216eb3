/* writer.c: one thread, one connection, one thing at a time. */
#include "stream/writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum job { JOB_NONE, JOB_RULES, JOB_WRITE, JOB_END };

struct writer {
	const struct conf *conf;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum job job; /* guarded by the lock; what follows is the thread's own while it is not NONE */
	int64_t begun_ms;
	const struct load *load;
	struct apply *apply; /* NULL: not connected */
	bool broken;         /* the connection is to be made anew */
	struct outcome outcome;
};

static bool sqlstate_is(struct apply *a, const char *prefix)
{
	return strncmp(db_sqlstate(apply_db(a)), prefix, strlen(prefix)) == 0;
}

/* A number out of range, a text too long for an index, a constraint. */
static bool is_refused(const struct writer *w, enum err rc)
{
	return rc == ERR_DB && w->apply &&
	       (sqlstate_is(w->apply, "22") || sqlstate_is(w->apply, "23") ||
	        sqlstate_is(w->apply, "54"));
}

static void work(struct writer *w, enum job job)
{
	struct outcome *o = &w->outcome;
	*o = (struct outcome){.rules = o->rules};
	if (job == JOB_RULES) {
		o->rules = NULL;
		if (w->broken) {
			apply_close(w->apply); /* the rules of it are nobody's any more */
			w->apply = NULL;
			w->broken = false;
		}
		if (!w->apply)
			o->rc = apply_open(&w->apply, w->conf, &o->eb);
		if (o->rc == ERR_OK)
			o->rc = apply_rules(w->apply, &o->rules, &o->eb);
	} else {
		struct batch b = load_batch(w->load);
		must(o->rules); /* those it was decoded with */
		o->rc = apply_batch(w->apply, &b, &o->applied, &o->eb);
	}
	o->refused = job == JOB_WRITE && is_refused(w, o->rc);
	w->broken = w->apply && o->rc != ERR_OK && o->rc != ERR_LOCKED && o->rc != ERR_BUSY;
}

static void *writer_main(void *arg)
{
	struct writer *w = arg;
	(void)pthread_mutex_lock(&w->lock);
	while (w->job != JOB_END) {
		if (w->job == JOB_NONE) {
			(void)pthread_cond_wait(&w->changed, &w->lock);
			continue;
		}
		enum job job = w->job;
		(void)pthread_mutex_unlock(&w->lock);
		work(w, job);
		(void)pthread_mutex_lock(&w->lock);
		if (w->job != JOB_END)
			w->job = JOB_NONE;
		(void)pthread_cond_broadcast(&w->changed);
	}
	(void)pthread_mutex_unlock(&w->lock);
	if (w->apply)
		apply_close(w->apply);
	return NULL;
}

struct writer *writer_new(const struct conf *conf)
{
	struct writer *w = mem_alloc(sizeof *w);
	pthread_condattr_t attr;
	*w = (struct writer){.conf = conf};
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&w->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	must(pthread_create(&w->thread, NULL, writer_main, w) == 0);
	return w;
}

static void give(struct writer *w, enum job job, const struct load *load)
{
	(void)pthread_mutex_lock(&w->lock);
	must(w->job == JOB_NONE);
	w->job = job;
	w->load = load;
	w->begun_ms = clock_mono_ms();
	(void)pthread_cond_broadcast(&w->changed);
	(void)pthread_mutex_unlock(&w->lock);
}

void writer_read_rules(struct writer *w)
{
	give(w, JOB_RULES, NULL);
}

void writer_write(struct writer *w, const struct load *load)
{
	give(w, JOB_WRITE, load);
}

const struct outcome *writer_outcome(struct writer *w, int wait_ms)
{
	struct timespec until = clock_timespec(clock_mono_ms() + wait_ms);
	int rc = 0;
	(void)pthread_mutex_lock(&w->lock);
	while (rc == 0 && wait_ms > 0 && w->job != JOB_NONE)
		rc = pthread_cond_timedwait(&w->changed, &w->lock, &until);
	bool over = w->job == JOB_NONE;
	(void)pthread_mutex_unlock(&w->lock);
	return over ? &w->outcome : NULL;
}

int64_t writer_busy_ms(struct writer *w)
{
	(void)pthread_mutex_lock(&w->lock);
	int64_t ms = w->job == JOB_NONE ? 0 : clock_mono_ms() - w->begun_ms;
	(void)pthread_mutex_unlock(&w->lock);
	return ms;
}

bool writer_stop(struct writer *w, int64_t deadline_ms)
{
	struct timespec until = clock_timespec(deadline_ms);
	(void)pthread_mutex_lock(&w->lock);
	w->job = JOB_END;
	(void)pthread_cond_broadcast(&w->changed);
	(void)pthread_mutex_unlock(&w->lock);
	if (pthread_clockjoin_np(w->thread, NULL, CLOCK_MONOTONIC, &until) != 0)
		return false;
	(void)pthread_cond_destroy(&w->changed);
	(void)pthread_mutex_destroy(&w->lock);
	free(w);
	return true;
}
