/* test_fcgi.c: requests, good and bad, and peers that misbehave. */
#include "fcgi_server.h"

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
		{"/a//b", "", 0, 400},
		{"/?a=1&a=2", "", 0, 400},
		{"/", "1048577", 1048577, 413},
		{"/", "1048576", 1048576, 200},
		{"/", "x", 0, 400},
		{"/", "", 10, 411},
		{"/", "5", 4, 400},
		{"/", "5", 6, 400},
		{"/", "5", 5, 200},
	};
	pid_t pid = start(1, 0);
	char *zeros = mem_alloc(REQUEST_BODY_BYTES + 1);
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

/* A large body that halts on its way is waited for; one that never comes is to be sent again. */
static void test_slow_bodies(void **state)
{
	(void)state;
	enum { LARGE = 100000, SENT = 60000, HALT_MS = 900 };
	static const char zeros[LARGE];
	pid_t pid = start(2, 0);
	struct buf b, reply;
	buf_init(&b);
	buf_init(&reply);
	put_begin(&b, true);
	put_params(&b, "POST", "/", "100000");
	put_record(&b, STDIN, zeros, SENT);
	int fd = dial();
	assert_true(send_all(fd, b.data, b.len));
	sleep_ms(HALT_MS);
	buf_clear(&b);
	put_record(&b, STDIN, zeros, LARGE - SENT);
	put_record(&b, STDIN, "", 0);
	assert_true(send_all(fd, b.data, b.len));
	assert_true(read_reply(fd, &reply));
	assert_true(has_status(&reply, 200));
	(void)close(fd);

	buf_clear(&b);
	put_begin(&b, true);
	put_params(&b, "POST", "/", "10");
	put_record(&b, STDIN, "01234", 5);
	fd = dial();
	assert_true(send_all(fd, b.data, b.len));
	assert_true(read_reply(fd, &reply));
	assert_true(has_status(&reply, 503));
	assert_non_null(strstr(buf_str(&reply), "Retry-After: 1"));
	(void)close(fd);
	buf_fini(&b);
	buf_fini(&reply);
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_requests),
		TEST(test_refused_requests_keep_the_connection),
		TEST(test_silent_connections),
		TEST(test_kept_connections_need_no_thread),
		TEST(test_half_requests),
		TEST(test_slow_bodies),
		TEST(test_dripping_peer),
		TEST(test_peer_that_does_not_read),
		TEST(test_garbage),
		TEST(test_management_record),
		TEST(test_emfile),
		TEST(test_emfile_sheds_idle_connections),
	};
	log_init("test", LOG_ERROR);
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
