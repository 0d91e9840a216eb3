/* test_fcgi.c: the server in a child process, the client of fcgi_client.h in this one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
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

static void sleep_ms(int64_t ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	(void)nanosleep(&ts, NULL);
}

/* ---- the server side --------------------------------------------------- */

static struct fcgi_server *server;

static void handle(const struct request *req, struct reply *reply, void *arg)
{
	struct fcgi_stats stats;
	int64_t ms;
	(void)arg;
	reply_begin(reply, 200, "text/plain");
	if (strcmp(req->path, "/stats") == 0) {
		fcgi_stats_get(server, &stats);
		buf_printf(&reply->body, "threads=%d busy=%d connections=%d broken=%d accept_errors=%d",
		           stats.threads, stats.busy, stats.connections, (int)stats.broken_n,
		           (int)stats.accept_errors_n);
	} else if (strcmp(req->path, "/sleep") == 0) {
		if (num_parse_int(request_query_find(req, "ms"), 0, 60000, &ms))
			sleep_ms(ms);
		buf_puts(&reply->body, "slept");
	} else if (strcmp(req->path, "/large") == 0) {
		for (int i = 0; i < 300000; i++)
			buf_puts(&reply->body, "0123456789");
	} else {
		buf_put(&reply->body, req->body, req->body_len);
	}
}

/* In the child: serves until it is stopped; the exit status is the enum err. */
static void serve(int threads, rlim_t max_files)
{
	struct errbuf eb = {.code = ERR_OK};
	struct rlimit limit = {max_files, max_files};
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves no server behind */
	(void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
	(void)close_range(3, ~0U, 0); /* what the test has open must not count */
	if (max_files)
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	enum err rc = fcgi_open(&server, path, threads, handle, NULL, &eb);
	if (rc == ERR_OK)
		rc = fcgi_run(server, &eb);
	if (rc == ERR_TIMEOUT)
		_exit((int)rc);
	fcgi_close(server);
	exit((int)rc); /* not _exit: the leak check of a sanitizer build belongs to the test */
}

static ino_t socket_inode(void)
{
	struct stat st;
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* Returns when the new server's socket is in its place, whether or not one was there. */
static pid_t start(int threads, rlim_t max_files)
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
static int ended(pid_t pid)
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

static int stop(pid_t pid)
{
	(void)kill(pid, SIGTERM);
	return ended(pid);
}

/* ---- the client side --------------------------------------------------- */

/* -1 on failure. */
static int try_dial(void)
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

static int dial(void)
{
	int fd = try_dial();
	assert_true(fd >= 0);
	return fd;
}

/* One request on a connection of its own; returns the milliseconds it took, -1 if it failed. */
static int64_t get(const char *uri, struct buf *reply)
{
	int64_t begin = clock_mono_ms();
	int fd = dial();
	bool ok = send_request(fd, false, "GET", uri, "", 0) && read_reply(fd, reply);
	(void)close(fd);
	return ok && has_status(reply, 200) ? clock_mono_ms() - begin : -1;
}

static void assert_answers_within(int64_t ms)
{
	struct buf reply;
	buf_init(&reply);
	int64_t took = get("/", &reply);
	buf_fini(&reply);
	if (took < 0 || took > ms)
		print_error("took %lld ms\n", (long long)took);
	assert_true(took >= 0 && took <= ms);
}

static int stat_of(const char *name)
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
static void assert_stat_becomes(const char *name, int want)
{
	int value = -1;
	for (int i = 0; i < 100 && value != want; i++, sleep_ms(10))
		value = stat_of(name);
	assert_int_equal(value, want);
}

/* A fresh directory for each test. */
static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof dir, "/tmp/takings-fcgi-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/web.sock", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)rmdir(dir); /* fails, and shows, if a socket was left behind */
	return 0;
}

static void assert_clean_end(pid_t pid)
{
	assert_int_equal(stop(pid), ERR_OK);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(rmdir(dir), 0);
}

/* ---- plain service ----------------------------------------------------- */

static void test_requests(void **state)
{
	(void)state;
	pid_t pid = start(2, 0);
	struct buf reply;
	struct stat st;
	buf_init(&reply);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	int fd = dial();
	for (int i = 0; i < 100; i++) {
		char body[32];
		int n = snprintf(body, sizeof body, "body %d", i);
		assert_true(send_request(fd, true, "POST", "/echo", body, (size_t)n));
		assert_true(read_reply(fd, &reply));
		assert_true(has_status(&reply, 200));
		assert_string_equal(body_of(&reply), body);
	}
	assert_true(send_request(fd, true, "HEAD", "/large", "", 0));
	assert_true(read_reply(fd, &reply));
	assert_non_null(strstr(buf_str(&reply), "Content-Length: 3000000\r\n"));
	assert_string_equal(body_of(&reply), "");
	assert_true(send_request(fd, false, "GET", "/large", "", 0));
	assert_true(read_reply(fd, &reply));
	assert_int_equal(strlen(body_of(&reply)), 3000000);
	char end;
	assert_int_equal(recv(fd, &end, 1, 0), 0); /* not kept: closed */
	(void)close(fd);
	assert_int_equal(stat_of("threads"), 2);
	buf_fini(&reply);
	assert_clean_end(pid);
}

static void test_refused_requests_keep_the_connection(void **state)
{
	(void)state;
	static const struct {
		const char *uri, *length;
		size_t sent;
		int status;
	} rows[] = {
		{"/a//b", "", 0, 400}, {"/?a=1&a=2", "", 0, 400}, {"/", "600000", 600000, 413},
		{"/", "x", 0, 400},    {"/", "", 10, 411},        {"/", "5", 4, 400},
		{"/", "5", 6, 400},    {"/", "5", 5, 200},
	};
	pid_t pid = start(1, 0);
	char *zeros = mem_alloc(600000);
	struct buf b, reply;
	buf_init(&b);
	buf_init(&reply);
	int fd = dial();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		buf_clear(&b);
		put_begin(&b, true);
		put_params(&b, "POST", rows[i].uri, rows[i].length);
		put_body(&b, zeros, rows[i].sent);
		assert_true(send_all(fd, b.data, b.len));
		assert_true(read_reply(fd, &reply));
		assert_true(has_status(&reply, rows[i].status));
		assert_non_null(strstr(buf_str(&reply), "X-Content-Type-Options: nosniff"));
	}
	(void)close(fd);
	buf_fini(&b);
	buf_fini(&reply);
	free(zeros);
	assert_clean_end(pid);
}

/* ---- peers that misbehave ---------------------------------------------- */

static void test_silent_connections(void **state)
{
	(void)state;
	pid_t pid = start(2, 0);
	int fds[20];
	for (int i = 0; i < 20; i++)
		fds[i] = dial();
	assert_answers_within(400);
	for (int i = 0; i < 20; i++)
		(void)close(fds[i]);
	assert_clean_end(pid);
}

/* Idle kept connections, twenty times the threads, and all of them usable afterwards. */
static void test_kept_connections_need_no_thread(void **state)
{
	(void)state;
	pid_t pid = start(2, 0);
	int fds[40];
	struct buf reply;
	buf_init(&reply);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 40; i++) {
			if (round == 0)
				fds[i] = dial();
			assert_true(send_request(fds[i], true, "POST", "/", "x", 1));
			assert_true(read_reply(fds[i], &reply));
			assert_string_equal(body_of(&reply), "x");
		}
		assert_answers_within(400);
	}
	assert_stat_becomes("connections", 41);
	int64_t begin = clock_mono_ms();
	assert_int_equal(stop(pid), ERR_OK); /* with all of them open */
	assert_true(clock_mono_ms() - begin < 1000);
	for (int i = 0; i < 40; i++) {
		char end;
		assert_int_equal(recv(fds[i], &end, 1, 0), 0);
		(void)close(fds[i]);
	}
	buf_fini(&reply);
}

/* Cut at every place: in a header, in the parameters, between records, in the body. */
static void test_half_requests(void **state)
{
	(void)state;
	pid_t pid = start(2, 0);
	struct buf b;
	buf_init(&b);
	put_begin(&b, true);
	put_params(&b, "POST", "/", "10");
	put_record(&b, STDIN, "01234", 5);
	for (size_t cut = 1; cut < b.len; cut += 13) {
		int one = dial(), two = dial();
		assert_true(send_all(one, b.data, cut));
		assert_true(send_all(two, b.data, cut));
		if (cut < 30)
			assert_answers_within(1000);
		if (cut % 2)
			(void)shutdown(one, SHUT_WR);
		(void)close(one);
		(void)close(two);
	}
	assert_answers_within(1000);
	assert_int_equal(stat_of("threads"), 2);
	buf_fini(&b);
	assert_clean_end(pid);
}

/* A byte now and then never runs into SO_RCVTIMEO; the deadline must end it. */
static void test_dripping_peer(void **state)
{
	(void)state;
	pid_t pid = start(1, 0);
	struct buf b;
	buf_init(&b);
	put_begin(&b, true);
	put_params(&b, "GET", "/", "");
	int fd = dial();
	int64_t begin = clock_mono_ms();
	size_t sent = 0;
	while (sent < b.len && send_all(fd, b.data + sent, 1)) {
		sent++;
		sleep_ms(50);
	}
	assert_true(sent < b.len);
	assert_true(clock_mono_ms() - begin < 1000);
	(void)close(fd);
	assert_answers_within(400);
	buf_fini(&b);
	assert_clean_end(pid);
}

/* Reads nothing of a large reply: the thread is free again after SO_SNDTIMEO at the latest,
 * and at once when the peer goes. */
static void test_peer_that_does_not_read(void **state)
{
	(void)state;
	pid_t pid = start(2, 0);
	int fd = dial();
	assert_true(send_request(fd, true, "GET", "/large", "", 0));
	assert_answers_within(400); /* by the other thread */
	(void)close(fd);
	assert_answers_within(400);
	assert_int_equal(stat_of("threads"), 2);
	assert_stat_becomes("busy", 1); /* the one that answers this */
	assert_clean_end(pid);
}

static void test_garbage(void **state)
{
	(void)state;
	pid_t pid = start(2, 0);
	unsigned seed = 11;
	struct buf b;
	buf_init(&b);
	for (int round = 0; round < 300; round++) {
		int fd = dial();
		buf_clear(&b);
		if (round % 3 == 0) { /* well-formed records of any type */
			put_begin(&b, true);
			put_record(&b, (int)(rand_r(&seed) % 16), "abcdefgh", 8);
		} else if (round % 3 == 1) { /* a good beginning, then noise */
			put_begin(&b, true);
			put_record(&b, PARAMS, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
		}
		for (int i = 0; i < 64; i++)
			buf_putc(&b, (char)(rand_r(&seed) >> 4));
		(void)send_all(fd, b.data, b.len);
		(void)close(fd);
	}
	assert_answers_within(2000);
	assert_int_equal(stat_of("threads"), 2);
	assert_true(stat_of("broken") > 0);
	buf_fini(&b);
	assert_clean_end(pid);
}

/* "How many requests may I send?" before the request, as the specification allows. */
static void test_management_record(void **state)
{
	(void)state;
	pid_t pid = start(1, 0);
	struct buf b, reply;
	buf_init(&b);
	buf_init(&reply);
	put_record(&b, GET_VALUES, "\x0f\0FCGI_MPXS_CONNS", 17);
	b.data[3] = 0; /* request id 0 */
	put_begin(&b, false);
	put_params(&b, "GET", "/", "");
	put_body(&b, "", 0);
	int fd = dial();
	assert_true(send_all(fd, b.data, b.len));
	assert_true(read_reply(fd, &reply));
	assert_true(has_status(&reply, 200));
	(void)close(fd);
	buf_fini(&b);
	buf_fini(&reply);
	assert_clean_end(pid);
}

/* ---- too many open files ----------------------------------------------- */

static void test_emfile(void **state)
{
	(void)state;
	pid_t pid = start(4, 24);
	int fds[60];
	for (int i = 0; i < 60; i++)
		fds[i] = dial();
	sleep_ms(400);
	for (int i = 0; i < 60; i++)
		(void)close(fds[i]);
	assert_answers_within(3000);
	assert_int_equal(stat_of("threads"), 4);
	assert_true(stat_of("accept_errors") > 0);
	assert_clean_end(pid);
}

/* With the files used up by connections that only stand there, new requests still get through. */
static void test_emfile_sheds_idle_connections(void **state)
{
	(void)state;
	pid_t pid = start(2, 24);
	int fds[30];
	for (int i = 0; i < 30; i++)
		fds[i] = dial();
	assert_answers_within(4000);
	for (int i = 0; i < 30; i++)
		(void)close(fds[i]);
	assert_clean_end(pid);
}

/* ---- stopping ---------------------------------------------------------- */

static void test_stop_finishes_what_runs_and_what_is_queued(void **state)
{
	(void)state;
	pid_t pid = start(1, 0);
	int fds[12];
	struct buf reply;
	buf_init(&reply);
	for (int i = 0; i < 12; i++) {
		fds[i] = dial();
		assert_true(send_request(fds[i], i % 2, i % 3 ? "POST" : "GET",
		                         i == 0 ? "/sleep?ms=300" : "/echo", "q", 1));
	}
	sleep_ms(50);
	(void)kill(pid, SIGTERM);
	for (int i = 0; i < 12; i++) {
		assert_true(read_reply(fds[i], &reply));
		assert_string_equal(body_of(&reply), i == 0 ? "slept" : "q");
		(void)close(fds[i]);
	}
	assert_int_equal(ended(pid), ERR_OK);
	assert_int_not_equal(access(path, F_OK), 0);
	buf_fini(&reply);
}

static void test_stop_has_a_deadline(void **state)
{
	(void)state;
	pid_t pid = start(2, 0);
	int fd = dial();
	assert_true(send_request(fd, true, "GET", "/sleep?ms=20000", "", 0));
	sleep_ms(100);
	int64_t begin = clock_mono_ms();
	assert_int_equal(stop(pid), ERR_TIMEOUT);
	int64_t took = clock_mono_ms() - begin;
	assert_true(took >= 4900 && took < 6500);
	(void)close(fd);
}

static void test_signals(void **state)
{
	(void)state;
	pid_t pid = start(2, 0);
	(void)kill(pid, SIGHUP);
	(void)kill(pid, SIGPIPE);
	sleep_ms(50);
	assert_answers_within(400);
	int64_t begin = clock_mono_ms();
	(void)kill(pid, SIGINT);
	assert_int_equal(ended(pid), ERR_OK);
	assert_true(clock_mono_ms() - begin < 1000);
}

static bool exchange(int fd, bool keep, struct buf *reply)
{
	return send_request(fd, keep, "POST", "/", "abc", 3) && read_reply(fd, reply) &&
	       has_status(reply, 200);
}

/* As nginx does it with `fastcgi_next_upstream error non_idempotent`: a kept connection that
 * turns out to be shut is dialled anew, once. A new one must not fail. */
static bool post_abc(int *kept, bool keep, struct buf *reply)
{
	bool ok = *kept >= 0 && exchange(*kept, keep, reply);
	if (!ok) {
		(void)close(*kept);
		*kept = try_dial();
		ok = exchange(*kept, keep, reply);
	}
	if (!keep || !ok) {
		(void)close(*kept);
		*kept = -1;
	}
	return ok;
}

static _Noreturn void load(int fd_report, int64_t until_ms)
{
	struct buf reply;
	int kept = -1;
	char failed = 0;
	buf_init(&reply);
	for (int i = 0; clock_mono_ms() < until_ms && !failed; i++)
		failed = !post_abc(&kept, i % 4 != 0, &reply);
	(void)!write(fd_report, &failed, 1);
	_exit(0);
}

/* Again and again under load: every request is answered, POST and kept ones too. */
static void test_take_over(void **state)
{
	(void)state;
	int report[2], rounds = 0;
	pid_t loaders[3], pid = start(2, 0);
	int64_t until_ms = clock_mono_ms() + 1500;
	assert_int_equal(pipe(report), 0);
	for (int i = 0; i < 3; i++) {
		(void)fflush(NULL);
		loaders[i] = fork();
		if (loaders[i] == 0)
			load(report[1], until_ms);
	}
	for (; clock_mono_ms() < until_ms - 100; rounds++) {
		pid_t next = start(2, 0);
		assert_int_equal(stop(pid), ERR_OK);
		assert_int_equal(access(path, F_OK), 0); /* it is the other one's now */
		pid = next;
	}
	assert_true(rounds > 3);
	for (int i = 0; i < 3; i++) {
		char failed = 1;
		assert_int_equal(read(report[0], &failed, 1), 1);
		assert_int_equal(failed, 0);
		(void)waitpid(loaders[i], NULL, 0);
	}
	(void)close(report[0]);
	(void)close(report[1]);
	assert_clean_end(pid);
}

/* ---- opening ----------------------------------------------------------- */

static enum err open_at(const char *where)
{
	struct errbuf eb = {.code = ERR_OK};
	struct fcgi_server *s = NULL;
	enum err rc = fcgi_open(&s, where, 1, handle, NULL, &eb);
	fcgi_close(s);
	return rc;
}

static void test_socket_paths(void **state)
{
	(void)state;
	const size_t longest = sizeof((struct sockaddr_un *)0)->sun_path - 1;
	char pid[24], where[256];
	size_t tail = (size_t)snprintf(pid, sizeof pid, ".%ld", (long)getpid());
	for (int past = -1; past <= 1; past++) {
		size_t n = longest - tail + (size_t)past;
		(void)memset(where, 'x', n);
		where[n] = '\0';
		(void)memcpy(where, dir, strlen(dir));
		where[strlen(dir)] = '/';
		assert_int_equal(open_at(where), past > 0 ? ERR_CONFIG : ERR_OK);
	}
	assert_int_equal(open_at(""), ERR_CONFIG);
	assert_int_equal(open_at("/nowhere/at/all"), ERR_IO);
	assert_int_equal(open_at(dir), ERR_CONFIG); /* a directory is not a socket */
	(void)close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(open_at(path), ERR_CONFIG); /* a file is not overwritten */
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0); /* nothing is left behind */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_requests),
		TEST(test_refused_requests_keep_the_connection),
		TEST(test_silent_connections),
		TEST(test_kept_connections_need_no_thread),
		TEST(test_half_requests),
		TEST(test_dripping_peer),
		TEST(test_peer_that_does_not_read),
		TEST(test_garbage),
		TEST(test_management_record),
		TEST(test_emfile),
		TEST(test_emfile_sheds_idle_connections),
		TEST(test_stop_finishes_what_runs_and_what_is_queued),
		TEST(test_stop_has_a_deadline),
		TEST(test_signals),
		TEST(test_take_over),
		TEST(test_socket_paths),
	};
	log_init("test", LOG_ERROR);
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
