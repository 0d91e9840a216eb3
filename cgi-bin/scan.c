/* scan.c: turns, connections in one snapshot, threads that give way. */
#include "cgi-bin/scan.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/prom.h"

enum {
	WAITING_PART = 4, /* of HTTP_THREADS; who waits for a turn holds one */
	NICE = 5,
	POLL_MS = 100, /* between two looks whether the program is to stop */
};

/* ---- turns ----------------------------------------------------------------------- */

/* Somebody who waits; his thread sleeps on his client and on this. */
struct waiter {
	struct waiter *next;
	int fd; /* readable once it is his turn */
	bool granted;
};

static struct {
	pthread_mutex_t lock;
	struct waiter *first;
	int waiting_n;
	bool taken;
} turns = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Atomic uint64_t scans_n, scans_failed_n, scans_us;

static void lock(void)
{
	must(pthread_mutex_lock(&turns.lock) == 0);
}

static void unlock(void)
{
	must(pthread_mutex_unlock(&turns.lock) == 0);
}

static void turn_give(void)
{
	lock();
	struct waiter *w = turns.first;
	turns.taken = w != NULL;
	if (w) {
		turns.first = w->next;
		turns.waiting_n--;
		w->granted = true;
		(void)eventfd_write(w->fd, 1);
	}
	unlock();
}

/* With the lock held. */
static void join_queue(struct waiter *w)
{
	struct waiter **at = &turns.first;
	while (*at)
		at = &(*at)->next;
	*at = w;
	turns.waiting_n++;
}

/* Not in the queue any more, be it that the turn came. */
static bool leave_queue(struct waiter *w)
{
	lock();
	bool granted = w->granted;
	struct waiter **at = &turns.first;
	while (*at && *at != w)
		at = &(*at)->next;
	if (*at) {
		*at = w->next;
		turns.waiting_n--;
	}
	unlock();
	return granted;
}

static enum err wait_turn(const struct waiter *w, const struct db_limits *limits, struct errbuf *eb)
{
	for (;;) {
		struct pollfd p[] = {{.fd = w->fd, .events = POLLIN},
		                     {.fd = limits->watch_fd, .events = POLLRDHUP}};
		int64_t left_ms = limits->deadline_ms - clock_mono_ms();
		if (db_interrupted())
			return err_set(eb, ERR_INTERRUPTED, "stopped on request");
		if (left_ms <= 0)
			return err_set(eb, ERR_TIMEOUT, "other questions like this took all of the time");
		(void)poll(p, sizeof p / sizeof *p, left_ms < POLL_MS ? (int)left_ms : POLL_MS);
		if (p[0].revents)
			return ERR_OK;
		if (p[1].revents)
			return err_set(eb, ERR_INTERRUPTED, "nobody waits for the answer");
	}
}

static enum err turn_take(const struct call *c, struct errbuf *eb)
{
	struct waiter w = {.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	const struct db_limits limits = call_limits(c);
	int waiting_most = (int)conf_int(c->web->conf, CONF_HTTP_THREADS) / WAITING_PART;
	if (w.fd < 0)
		return err_set(eb, ERR_BUSY, "the process has no more descriptors");
	lock();
	bool wait = turns.taken, refuse = wait && turns.waiting_n >= waiting_most;
	turns.taken = true;
	if (wait && !refuse)
		join_queue(&w);
	unlock();
	enum err rc = ERR_OK;
	if (refuse)
		rc = err_set(eb, ERR_BUSY, "too many questions about sequences at once");
	else if (wait)
		rc = wait_turn(&w, &limits, eb);
	if (wait && leave_queue(&w) && rc != ERR_OK)
		turn_give();
	(void)close(w.fd);
	return rc;
}

/* ---- connections ------------------------------------------------------------------- */

/* Another worker where there is a connection at once and half of them stay free. */
static enum err take_more(struct call *c, struct scan_open *o, struct errbuf *eb)
{
	int64_t half = conf_int(c->web->conf, CONF_WORKER_THREADS) / 2;
	enum err rc = ERR_OK;
	while (rc == ERR_OK && o->dbs_n < SCAN_CONNECTIONS && o->dbs_n < half &&
	       o->dbs_n < sysconf(_SC_NPROCESSORS_ONLN)) {
		struct errbuf busy = {0};
		struct db *db;
		if (pool_take(c->web->pool, POOL_READ, 0, &db, &busy) != ERR_OK)
			break;
		o->dbs[o->dbs_n++] = db;
		rc = scan_share(o->dbs[0], db, eb);
	}
	return rc;
}

static void read_site(const struct rowset *rs, struct scan_site *s)
{
	(void)snprintf(s->zone, sizeof s->zone, "%s", rowset_get(rs, 0, "zone"));
	(void)snprintf(s->currency, sizeof s->currency, "%s", rowset_get(rs, 0, "currency"));
	s->cutoff = (int)rowset_int(rs, 0, "cutoff");
	s->today = (int32_t)rowset_int(rs, 0, "today");
	s->as_of_us = rowset_int(rs, 0, "as_of_us");
	s->sequenced_from = (int32_t)rowset_int(rs, 0, "sequenced_from");
	s->session_timeout_s = rowset_int(rs, 0, "session_timeout_s");
}

static enum err ask_site(struct call *c, struct scan_open *o, struct errbuf *eb)
{
	struct rowset rs;
	const struct db_ask ask = {
		"sequence_scan_site",
		DB_PARAMS({"session_timeout_s", conf_str(c->conf, CONF_SESSION_TIMEOUT)}), &rs};
	enum err rc = scan_ask(c, o, &ask, 1, eb);
	if (rc == ERR_OK && rowset_rows(&rs) == 0)
		rc = err_set(eb, ERR_NOT_FOUND, "nothing is known of activity yet");
	else if (rc == ERR_OK)
		read_site(&rs, &o->site);
	rowset_fini(&rs);
	return rc;
}

enum err scan_begin(struct call *c, struct scan_open *o, struct errbuf *eb)
{
	int64_t begun_us = clock_mono_us();
	*o = (struct scan_open){0};
	enum err rc = turn_take(c, eb);
	c->queue_us += clock_mono_us() - begun_us;
	if (rc != ERR_OK)
		return rc;
	o->has_turn = true;
	o->begun_us = clock_mono_us();
	rc = call_begin(c, POOL_READ, &o->dbs[0], eb);
	o->dbs_n = rc == ERR_OK;
	if (rc == ERR_OK)
		rc = take_more(c, o, eb);
	return rc == ERR_OK ? ask_site(c, o, eb) : rc;
}

enum err scan_ask(struct call *c, struct scan_open *o, const struct db_ask *asks, int n,
                  struct errbuf *eb)
{
	const struct db_limits limits = call_limits(c);
	int64_t begun_us = clock_mono_us();
	enum err rc = db_query_all(o->dbs[0], asks, n, &limits, eb);
	c->db_us += clock_mono_us() - begun_us;
	return rc;
}

void scan_end(struct call *c, struct scan_open *o)
{
	while (o->dbs_n)
		pool_give(c->web->pool, o->dbs[--o->dbs_n]);
	if (!o->has_turn)
		return;
	o->has_turn = false;
	(void)atomic_fetch_add(&scans_us, (uint64_t)(clock_mono_us() - o->begun_us));
	turn_give();
}

/* ---- scanning ------------------------------------------------------------------------ */

struct run {
	const struct scan *scan;
	struct scan_open *open;
	const struct db_limits *limits;
	struct errbuf *eb;
	enum err rc;
};

/* What gives way cannot be taken back by a thread: so it is one that ends. Those that it begins
 * give way as well. */
static void *run_main(void *arg)
{
	struct run *r = arg;
	crash_request(r->limits->tag);
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
	r->rc = scan_run(r->scan, r->open->dbs, r->open->dbs_n, r->limits, r->eb);
	crash_request(NULL);
	return NULL;
}

enum err scan_call(struct call *c, struct scan_open *o, const struct scan *s, struct errbuf *eb)
{
	const struct db_limits limits = call_limits(c);
	struct run r = {.scan = s, .open = o, .limits = &limits, .eb = eb};
	pthread_t thread;
	int64_t begun_us = clock_mono_us();
	if (pthread_create(&thread, NULL, run_main, &r) != 0)
		return err_set(eb, ERR_BUSY, "the process has no more threads");
	must(pthread_join(thread, NULL) == 0);
	c->db_us += clock_mono_us() - begun_us;
	(void)atomic_fetch_add(&scans_n, 1);
	if (r.rc != ERR_OK)
		(void)atomic_fetch_add(&scans_failed_n, 1);
	return r.rc;
}

/* ---- measures -------------------------------------------------------------------------- */

void scan_print(struct buf *out)
{
	lock();
	int running = turns.taken, waiting = turns.waiting_n;
	unlock();
	prom_gauge(out, "takings_scan_running", "Questions that go through everybody's sequences.",
	           running);
	prom_gauge(out, "takings_scan_waiting", "Those that wait for their turn.", waiting);
	prom_counter(out, "takings_scans_total", "Times that sequences were gone through.", scans_n);
	prom_counter(out, "takings_scans_failed_total", "Those that were given up, or failed.",
	             scans_failed_n);
	prom_family(out, "takings_scan_seconds_total", "counter",
	            "How long such questions had their turn.");
	buf_puts(out, "takings_scan_seconds_total ");
	prom_seconds(out, scans_us);
	buf_putc(out, '\n');
}
