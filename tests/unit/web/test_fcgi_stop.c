/* test_fcgi_stop.c: stopping, taking over, and the socket itself. */
#include "fcgi_server.h"

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
	static const char *const slow[] = {"/sleep?ms=20000", "/later?ms=20000"};
	(void)state;
	for (int i = 0; i < 2; i++) {
		pid_t pid = start(2, 0);
		int fd = dial();
		assert_true(send_request(fd, true, "GET", slow[i], "", 0));
		sleep_ms(100);
		int64_t begin = clock_mono_ms();
		assert_int_equal(stop(pid), ERR_TIMEOUT);
		int64_t took = clock_mono_ms() - begin;
		assert_true(took >= 4900 && took < 6500);
		(void)close(fd);
	}
}

/* Requests that were put off hold none of the one thread, and a stop waits for them. */
static void test_stop_waits_for_what_was_put_off(void **state)
{
	(void)state;
	pid_t pid = start(1, 0);
	int fds[4];
	struct buf reply;
	buf_init(&reply);
	for (int i = 0; i < 4; i++) {
		fds[i] = dial();
		assert_true(send_request(fds[i], i % 2, "GET", "/later?ms=600", "", 0));
	}
	int64_t took = get("/echo", &reply);
	assert_true(took >= 0 && took < 500);
	(void)kill(pid, SIGTERM);
	for (int i = 0; i < 4; i++) {
		assert_true(read_reply(fds[i], &reply));
		assert_string_equal(body_of(&reply), "later");
		(void)close(fds[i]);
	}
	assert_int_equal(ended(pid), ERR_OK);
	buf_fini(&reply);
}

static void test_signals(void **state)
{
	(void)state;
	pid_t pid = start(2, 0);
	assert_int_equal(stat_of("hups"), 0);
	(void)kill(pid, SIGHUP);
	(void)kill(pid, SIGPIPE);
	assert_stat_becomes("hups", 1);
	(void)kill(pid, SIGHUP);
	assert_stat_becomes("hups", 2);
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

/* ---- a socket that is handed over --------------------------------------- */

static void listen_at_path(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	(void)snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
	handed_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(handed_fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(listen(handed_fd, 64), 0);
}

static void stop_listening(void)
{
	(void)close(handed_fd);
	handed_fd = -1;
	assert_int_equal(unlink(path), 0); /* no server has removed it */
	assert_int_equal(rmdir(dir), 0);   /* or left one of its own */
}

/* Between two servers a request waits in the queue, and the second one answers it. */
static void test_handed_socket_keeps_its_queue(void **state)
{
	(void)state;
	struct buf reply;
	buf_init(&reply);
	listen_at_path();
	pid_t pid = start_handed(2);
	assert_answers_within(2000);
	assert_true(stat_of("fd") > 3);
	assert_int_equal(stop(pid), ERR_OK);
	int fd = dial();
	assert_true(send_request(fd, false, "POST", "/", "waited", 6));
	pid = start_handed(2);
	assert_true(read_reply(fd, &reply));
	assert_string_equal(body_of(&reply), "waited");
	(void)close(fd);
	assert_int_equal(stop(pid), ERR_OK);
	buf_fini(&reply);
	stop_listening();
}

/* Stop, then start, again and again under load: nothing is refused, nothing lost. */
static void test_handed_socket_restarts(void **state)
{
	(void)state;
	int report[2], rounds = 0;
	pid_t loaders[3];
	int64_t until_ms = clock_mono_ms() + 1500;
	listen_at_path();
	pid_t pid = start_handed(2);
	assert_int_equal(pipe(report), 0);
	for (int i = 0; i < 3; i++) {
		(void)fflush(NULL);
		loaders[i] = fork();
		if (loaders[i] == 0)
			load(report[1], until_ms);
	}
	for (; clock_mono_ms() < until_ms - 100; rounds++, sleep_ms(20)) {
		assert_int_equal(stop(pid), ERR_OK);
		pid = start_handed(2);
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
	assert_int_equal(stop(pid), ERR_OK);
	stop_listening();
}

static int end_with(const char *fds, int fd, pid_t for_pid)
{
	(void)fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid)
		return ended(pid);
	struct errbuf eb = {.code = ERR_OK};
	char text[24];
	(void)snprintf(text, sizeof text, "%ld", (long)(for_pid ? for_pid : getpid()));
	(void)setenv("LISTEN_PID", text, 1);
	(void)setenv("LISTEN_FDS", fds, 1);
	(void)dup2(fd, 3);
	enum err rc = fcgi_open(&server, path, 1, handle, NULL, &eb);
	if (rc == ERR_OK)
		fcgi_close(server);
	exit((int)rc);
}

static void test_handed_sockets_that_are_none(void **state)
{
	(void)state;
	int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), null = open("/dev/null", O_RDWR);
	assert_int_equal(end_with("1", null, 0), ERR_CONFIG);
	assert_int_equal(end_with("1", other, 0), ERR_CONFIG); /* does not listen */
	assert_int_equal(end_with("2", other, 0), ERR_CONFIG);
	assert_int_equal(end_with("0", null, 0), ERR_OK);
	assert_int_equal(end_with("1", null, 1), ERR_OK); /* meant for another process */
	(void)close(other);
	(void)close(null);
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
		TEST(test_stop_finishes_what_runs_and_what_is_queued),
		TEST(test_stop_has_a_deadline),
		TEST(test_stop_waits_for_what_was_put_off),
		TEST(test_signals),
		TEST(test_take_over),
		TEST(test_handed_socket_keeps_its_queue),
		TEST(test_handed_socket_restarts),
		TEST(test_handed_sockets_that_are_none),
		TEST(test_socket_paths),
	};
	log_init("test", LOG_ERROR);
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
