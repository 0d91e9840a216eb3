/* stream.c: parts as threads: starting, stopping in stages, how they are. */
#include "stream/stream.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "stream/parts.h"

enum { BACK_OFF_MIN_MS = 100, BACK_OFF_MAX_MS = 10000 };

struct part {
	struct stream *stream;
	const struct part_kind *kind;
	pthread_t thread;
	bool started;
	int back_off_ms;
	enum health health;
	char detail[1024];
};

struct stream {
	const struct conf *conf;
	pthread_mutex_t lock; /* guards what follows, and each part's health */
	pthread_cond_t woken;
	enum part_stage stopping; /* parts of an earlier stage are to end */
	int64_t deadline_ms;      /* by which all have; of clock_mono_ms, 0: nobody asked yet */
	struct part parts[PARTS_MAX];
	int parts_n;
};

static _Atomic int64_t stats[STAT_COUNT];

void stat_add(enum stat_id id, int64_t n)
{
	atomic_fetch_add_explicit(&stats[id], n, memory_order_relaxed);
}

void stat_set(enum stat_id id, int64_t n)
{
	atomic_store_explicit(&stats[id], n, memory_order_relaxed);
}

int64_t stat_get(enum stat_id id)
{
	return atomic_load_explicit(&stats[id], memory_order_relaxed);
}

const char *stream_instance(void)
{
	static char name[128];
	if (!*name) { /* first asked for before any thread starts */
		char host[64] = "";
		(void)gethostname(host, sizeof host - 1);
		(void)snprintf(name, sizeof name, "%s:%d:%lld", host, (int)getpid(),
		               (long long)(clock_now_us() / 1000));
	}
	return name;
}

/* ---- a part of itself ------------------------------------------------------- */

struct stream *part_stream(const struct part *p)
{
	return p->stream;
}

const struct conf *part_conf(const struct part *p)
{
	return p->stream->conf;
}

static bool is_over(const struct part *p)
{
	return p->kind->stage < p->stream->stopping;
}

bool part_stopping(const struct part *p)
{
	(void)pthread_mutex_lock(&p->stream->lock);
	bool over = is_over(p);
	(void)pthread_mutex_unlock(&p->stream->lock);
	return over;
}

bool part_sleep(struct part *p, int ms)
{
	struct timespec until = clock_timespec(clock_mono_ms() + ms);
	int rc = 0;
	(void)pthread_mutex_lock(&p->stream->lock);
	while (rc == 0 && !is_over(p))
		rc = pthread_cond_timedwait(&p->stream->woken, &p->stream->lock, &until);
	bool over = is_over(p);
	(void)pthread_mutex_unlock(&p->stream->lock);
	return over;
}

int64_t part_left_ms(const struct part *p)
{
	(void)pthread_mutex_lock(&p->stream->lock);
	int64_t deadline_ms = p->stream->deadline_ms;
	(void)pthread_mutex_unlock(&p->stream->lock);
	return deadline_ms ? deadline_ms - clock_mono_ms() : INT64_MAX;
}

void part_say(struct part *p, enum health health, const char *detail)
{
	static const char *const words[] = {"ok", "degraded", "down"};
	(void)pthread_mutex_lock(&p->stream->lock);
	bool changed = p->health != health || strcmp(p->detail, detail) != 0;
	p->health = health;
	(void)snprintf(p->detail, sizeof p->detail, "%s", detail);
	(void)pthread_mutex_unlock(&p->stream->lock);
	if (changed)
		LOG(health == HEALTH_OK ? LOG_INFO : LOG_WARNING, "part", LOG_STR("part", p->kind->name),
		    LOG_STR("status", words[health]), LOG_STR("detail", detail), LOG_END);
}

void part_say_error(struct part *p, enum health health, const struct errbuf *eb)
{
	part_say(p, health, eb->text);
}

int part_back_off_ms(struct part *p)
{
	int ms = p->back_off_ms ? p->back_off_ms : BACK_OFF_MIN_MS;
	p->back_off_ms = ms * 2 < BACK_OFF_MAX_MS ? ms * 2 : BACK_OFF_MAX_MS;
	return ms;
}

bool part_back_off(struct part *p)
{
	return part_sleep(p, part_back_off_ms(p));
}

void part_recovered(struct part *p)
{
	p->back_off_ms = 0;
}

enum health stream_health(struct stream *s, char *detail, size_t n)
{
	enum health worst = HEALTH_OK;
	(void)snprintf(detail, n, "%s", "");
	(void)pthread_mutex_lock(&s->lock);
	for (int i = 0; i < s->parts_n; i++) {
		const struct part *p = &s->parts[i];
		if (p->health <= worst)
			continue;
		worst = p->health;
		(void)snprintf(detail, n, "%s: %s", p->kind->name, p->detail);
	}
	(void)pthread_mutex_unlock(&s->lock);
	return worst;
}

bool stream_health_of(struct stream *s, const char *prefix, enum health *out, char *detail,
                      size_t n)
{
	bool found = false;
	*out = HEALTH_OK;
	(void)snprintf(detail, n, "%s", "");
	(void)pthread_mutex_lock(&s->lock);
	for (int i = 0; i < s->parts_n; i++) {
		const struct part *p = &s->parts[i];
		if (strncmp(p->kind->name, prefix, strlen(prefix)) != 0)
			continue;
		found = true;
		if (p->health <= *out)
			continue;
		*out = p->health;
		(void)snprintf(detail, n, "%s", p->detail);
	}
	(void)pthread_mutex_unlock(&s->lock);
	return found;
}

/* ---- all of them -------------------------------------------------------------- */

static void *part_main(void *arg)
{
	struct part *p = arg;
	p->kind->run(p);
	return NULL;
}

static void init_clocked_cond(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(cond, &attr);
	(void)pthread_condattr_destroy(&attr);
}

struct stream *stream_start(const struct conf *conf, const struct part_kind *const *kinds, int n)
{
	static struct stream s;
	s.conf = conf;
	(void)pthread_mutex_init(&s.lock, NULL);
	init_clocked_cond(&s.woken);
	for (int i = 0; i < n; i++) {
		if (kinds[i]->wanted && !kinds[i]->wanted(conf))
			continue;
		must(s.parts_n < PARTS_MAX);
		for (int j = 0; j < i; j++)
			must(kinds[j] != kinds[i]);
		s.parts[s.parts_n++] = (struct part){.stream = &s, .kind = kinds[i]};
	}
	for (int i = 0; i < s.parts_n; i++) {
		must(pthread_create(&s.parts[i].thread, NULL, part_main, &s.parts[i]) == 0);
		s.parts[i].started = true;
	}
	return &s;
}

/* Whether the thread had ended by then. */
static bool join_until(struct part *p, int64_t deadline_ms)
{
	struct timespec until = clock_timespec(deadline_ms);
	return pthread_clockjoin_np(p->thread, NULL, CLOCK_MONOTONIC, &until) == 0;
}

bool stream_stop(struct stream *s)
{
	int64_t deadline_ms = clock_mono_ms() + conf_int(s->conf, CONF_SHUTDOWN_TIMEOUT) * 1000;
	for (int stage = PART_SOURCE; stage < PART_STAGES; stage++) {
		(void)pthread_mutex_lock(&s->lock);
		s->stopping = (enum part_stage)(stage + 1);
		s->deadline_ms = deadline_ms;
		(void)pthread_cond_broadcast(&s->woken);
		(void)pthread_mutex_unlock(&s->lock);
		for (int i = 0; i < s->parts_n; i++) {
			struct part *p = &s->parts[i];
			if ((int)p->kind->stage == stage && p->started && !join_until(p, deadline_ms)) {
				LOG(LOG_ERROR, "part_did_not_end", LOG_STR("part", p->kind->name), LOG_END);
				return false;
			}
		}
	}
	return true;
}
