/* fcgi_server.h: the server in a child process, and the plain questions to it. For the tests of
 * lib/web/fcgi.c alone. */
#ifndef TAKINGS_TESTS_FCGI_SERVER_H
#define TAKINGS_TESTS_FCGI_SERVER_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "fcgi_client.h"
#include "web/fcgi.h"

enum { PATIENCE_MS = 5000 };

static char dir[64];
static char path[96];

static inline void sleep_ms(int64_t ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	(void)nanosleep(&ts, NULL);
}

/* ---- the server side --------------------------------------------------- */

static struct fcgi_server *server;
static int handed_fd = -1;    /* a listening socket, as systemd would hand it over */
static int hups;              /* seen by the server */
static pthread_t hups_thread; /* where */

static inline void on_hup(void *arg)
{
	++*(int *)arg;
	hups_thread = pthread_self();
}

/* A request that was put off, and is answered by a thread of its own. */
struct later {
	struct reply *reply;
	int64_t ms;
};

static inline void *answer_later(void *arg)
{
	const struct later *l = arg;
	sleep_ms(l->ms);
	buf_puts(&l->reply->body, "later");
	fcgi_answer(l->reply);
	return NULL;
}

static inline void put_off(const struct request *req, struct reply *reply)
{
	pthread_t thread;
	struct later *l = arena_alloc(req->arena, sizeof *l);
	*l = (struct later){.reply = reply};
	must(num_parse_int(request_query_find(req, "ms"), 0, 60000, &l->ms));
	fcgi_put_off(reply);
	must(pthread_create(&thread, NULL, answer_later, l) == 0);
	(void)pthread_detach(thread);
}

static inline void handle(const struct request *req, struct reply *reply, void *arg)
{
	struct fcgi_stats stats;
	int64_t ms;
	(void)arg;
	reply_begin(reply, 200, "text/plain");
	if (strcmp(req->path, "/stats") == 0) {
		fcgi_stats_get(server, &stats);
		buf_printf(&reply->body,
		           "threads=%d busy=%d connections=%d broken=%d accept_errors=%d hups=%d fd=%d",
		           stats.threads, stats.busy, stats.connections, (int)stats.broken_n,
		           (int)stats.accept_errors_n, hups, req->client_fd);
	} else if (strcmp(req->path, "/sleep") == 0) {
		if (num_parse_int(request_query_find(req, "ms"), 0, 60000, &ms))
			sleep_ms(ms);
		buf_puts(&reply->body, "slept");
	} else if (strcmp(req->path, "/later") == 0) {
		put_off(req, reply);
	} else if (strcmp(req->path, "/large") == 0) {
		for (int i = 0; i < 300000; i++)
			buf_puts(&reply->body, "0123456789");
	} else {
		buf_put(&reply->body, req->body, req->body_len);
	}
}

/* In the child: as between fork and exec of a service manager. */
static inline void hand_over(void)
{
	char pid[24];
	(void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
	(void)dup2(handed_fd, 3);
	(void)setenv("LISTEN_FDS", "1", 1);
	(void)setenv("LISTEN_PID", pid, 1);
}

/* In the child: serves until it is stopped; the exit status is the enum err. */
static inline void serve(int threads, rlim_t max_files)
{
	struct errbuf eb = {.code = ERR_OK};
	struct rlimit limit = {max_files, max_files};
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves no server behind */
	(void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
	if (handed_fd >= 0)
		hand_over();
	(void)close_range(handed_fd >= 0 ? 4 : 3, ~0U, 0); /* what the test has open must not count */
	if (max_files)
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	enum err rc = fcgi_open(&server, path, threads, handle, NULL, &eb);
	if (rc == ERR_OK)
		fcgi_on_hup(server, on_hup, &hups);
	if (rc == ERR_OK)
		rc = fcgi_run(server, &eb);
	if (rc == ERR_OK && hups && !pthread_equal(hups_thread, pthread_self()))
		rc = ERR_INVALID;
	if (rc == ERR_TIMEOUT)
		_exit((int)rc);
	fcgi_close(server);
	exit((int)rc); /* not _exit: the leak check of a sanitizer build belongs to the test */
}

static inline ino_t socket_inode(void)
{
	struct stat st;
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* Returns when the new server's socket is in its place, whether or not one was there. */
static inline pid_t start(int threads, rlim_t max_files)
{
	ino_t before = socket_inode();
	(void)fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		serve(threads, max_files);
	for (int64_t until = clock_mono_ms() + PATIENCE_MS; clock_mono_ms() < until; sleep_ms(1))
		if (socket_inode() && socket_inode() != before)
			return pid;
	fail_msg("the server did not start");
	return -1;
}

/* Waits for the end; returns the exit status, -1 for a signal. */
static inline int ended(pid_t pid)
{
	int status;
	for (int64_t until = clock_mono_ms() + 15000; clock_mono_ms() < until; sleep_ms(1))
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	fail_msg("the server did not end");
	return -1;
}

/* A server at the socket in handed_fd: what comes before it serves waits there; a signal to
 * stop too, however early it comes. */
static inline pid_t start_handed(int threads)
{
	sigset_t stop, old;
	(void)sigemptyset(&stop);
	(void)sigaddset(&stop, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &stop, &old);
	(void)fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		serve(threads, 0);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}

static inline int stop(pid_t pid)
{
	(void)kill(pid, SIGTERM);
	return ended(pid);
}

/* ---- the client side --------------------------------------------------- */

/* -1 on failure. */
static inline int try_dial(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct timeval tv = {.tv_sec = PATIENCE_MS / 1000};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static inline int dial(void)
{
	int fd = try_dial();
	assert_true(fd >= 0);
	return fd;
}

/* One request on a connection of its own; returns the milliseconds it took, -1 if it failed. */
static inline int64_t get(const char *uri, struct buf *reply)
{
	int64_t begin = clock_mono_ms();
	int fd = dial();
	bool ok = send_request(fd, false, "GET", uri, "", 0) && read_reply(fd, reply);
	(void)close(fd);
	return ok && has_status(reply, 200) ? clock_mono_ms() - begin : -1;
}

static inline void assert_answers_within(int64_t ms)
{
	struct buf reply;
	buf_init(&reply);
	int64_t took = get("/", &reply);
	buf_fini(&reply);
	if (took < 0 || took > ms)
		print_error("took %lld ms\n", (long long)took);
	assert_true(took >= 0 && took <= ms);
}

static inline int stat_of(const char *name)
{
	struct buf reply;
	buf_init(&reply);
	assert_true(get("/stats", &reply) >= 0);
	const char *at = strstr(body_of(&reply), name);
	assert_non_null(at);
	int value = (int)strtol(at + strlen(name) + 1, NULL, 10);
	buf_fini(&reply);
	return value;
}

/* A connection counts until its worker has closed it, a moment after its last byte. */
static inline void assert_stat_becomes(const char *name, int want)
{
	int value = -1;
	for (int i = 0; i < 100 && value != want; i++, sleep_ms(10))
		value = stat_of(name);
	assert_int_equal(value, want);
}

/* A fresh directory for each test. */
static inline int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof dir, "/tmp/takings-fcgi-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/web.sock", dir);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)rmdir(dir); /* fails, and shows, if a socket was left behind */
	return 0;
}

static inline void assert_clean_end(pid_t pid)
{
	assert_int_equal(stop(pid), ERR_OK);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(rmdir(dir), 0);
}

#endif
