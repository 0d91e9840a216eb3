/* db_client.c: lib/db against a server, one test at a time: db_client NAME. The server's URL is in
 * ANALYTICS_DATABASE_URL; PROXY_URL leads to the same through what db.test.mjs can freeze. The
 * statements are our own: `assets` stands here in the place of the generated one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/assets.h"
#include "base/clock.h"
#include "db/analytics.h"
#include "db/db.h"
#include "db/statement.h"

const struct asset assets[] = {
	{"sql/queries/a.sql",
     "-- name: session_tag\nSELECT set_config('application_name', :name, true)\n"
     "-- name: echo\nSELECT :a::text AS a, :b::int AS b\n"
     "-- name: series\nSELECT g, repeat('x', 100) AS x FROM generate_series(1, :n::int) g\n"
     "-- name: count\nSELECT count(*) AS n FROM visit\n"
     "-- name: bytes\nSELECT decode(repeat('00ff', :n::int), 'hex') AS b, (-:n::int)::smallint AS "
     "s,"
     " -:n::int AS i, -:n::bigint << 40 AS l, NULL::bytea AS nb, NULL::int AS ni\n"
     "-- name: pause\nSELECT pg_sleep(:s::float8)\n"
     "-- name: frozen_one\nSELECT 1 AS one\n"
     "-- name: divide\nSELECT 1 / :by::int\n"
     "-- name: later\nSELECT id FROM made_later\n"
     "-- name: app\nSELECT application_name AS name FROM pg_stat_activity WHERE pid = "
     "pg_backend_pid()\n"
     "-- name: apps\nSELECT application_name AS name FROM pg_stat_activity WHERE pid = :pid::int\n"
     "-- name: pid\nSELECT pg_backend_pid() AS pid\n"
     "-- name: at_work\nSELECT count(*) AS n FROM pg_stat_activity WHERE datname = "
     "current_database() AND state = 'active' AND pid <> pg_backend_pid()\n"
     "-- name: end\nSELECT pg_terminate_backend(:pid::int)\n"
     "-- name: suicide\nSELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(5)\n"
     "-- name: notify\nSELECT pg_notify('Odd \"channel', :payload)\n"},
	{NULL, NULL},
};

static struct db *open_plain(const char *variable, int limit_ms)
{
	struct db *db = NULL;
	struct errbuf eb = {0};
	const struct db_options opt = {
		.name = variable, .url = getenv(variable), .program = "takings-web", .limit_ms = limit_ms};
	if (db_open(&db, &opt, &eb) != ERR_OK)
		fail_msg("%s", eb.text);
	return db;
}

static struct db *open_other(void)
{
	return open_plain("ANALYTICS_DATABASE_URL", 0);
}

static struct db *open_read(void)
{
	struct db *db = NULL;
	struct conf *conf = NULL;
	struct errbuf eb = {0};
	if (conf_load(&conf, CONF_WEB, NULL, &eb) != ERR_OK ||
	    analytics_open(&db, conf, ANALYTICS_READ, "takings-web", &eb) != ERR_OK)
		fail_msg("%s", eb.text);
	conf_free(conf);
	return db;
}

static int64_t number(struct db *db, const char *statement, const struct db_param *params,
                      const char *column)
{
	struct rowset rs;
	struct errbuf eb = {0};
	if (db_query(db, statement, params, &rs, &eb) != ERR_OK)
		fail_msg("%s", eb.text);
	int64_t n = rowset_int(&rs, 0, column);
	rowset_fini(&rs);
	return n;
}

static void command(struct db *db, const char *sql)
{
	struct errbuf eb = {0};
	if (db_command(db, sql, &eb) != ERR_OK)
		fail_msg("%s", eb.text);
}

/* What another thread does after a while. */
struct later {
	pthread_t thread;
	int ms;
	void (*fn)(void *arg);
	void *arg;
};

static void sleep_ms(int ms)
{
	(void)nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

static void *later_main(void *arg)
{
	struct later *l = arg;
	sleep_ms(l->ms);
	l->fn(l->arg);
	return NULL;
}

static void later_begin(struct later *l)
{
	assert_int_equal(pthread_create(&l->thread, NULL, later_main, l), 0);
}

static void later_end(struct later *l)
{
	assert_int_equal(pthread_join(l->thread, NULL), 0);
}

static void assert_same_rows(const struct rowset *a, const struct rowset *b)
{
	assert_true(rowset_rows(a) > 0);
	assert_int_equal(rowset_rows(a), rowset_rows(b));
	assert_int_equal(rowset_cols(a), rowset_cols(b));
	for (int col = 0; col < rowset_cols(a); col++) {
		assert_string_equal(rowset_name(a, col), rowset_name(b, col));
		assert_int_equal(rowset_kind(a, col), rowset_kind(b, col));
	}
	for (int row = 0; row < rowset_rows(a); row++)
		for (int col = 0; col < rowset_cols(a); col++) {
			const char *x = rowset_text(a, row, col), *y = rowset_text(b, row, col);
			assert_true(x && y ? strcmp(x, y) == 0 : x == y);
		}
}

/* A value that no socket takes in one piece, twice the same statement, NULLs, DB_ASKS of them. */
static void test_same(void **state)
{
	(void)state;
	enum { BIG = 8 << 20, N = DB_ASKS };
	struct db *db = open_read();
	struct rowset rs[N], single;
	struct errbuf eb = {0};
	char *big = calloc(1, BIG + 1);
	const struct db_param *both = DB_PARAMS({"a", NULL}, {"b", "7"});
	struct db_ask asks[N];
	memset(big, 'y', BIG);
	for (int i = 0; i < N; i++)
		asks[i] = (struct db_ask){"echo", both, &rs[i]};
	asks[1] = (struct db_ask){"echo", DB_PARAMS({"b", NULL}, {"a", big}), &rs[1]};
	asks[2] = (struct db_ask){"series", DB_PARAMS({"n", "20000"}), &rs[2]};
	asks[3].rs = NULL;
	for (int again = 0; again < 3; again++) {
		assert_int_equal(db_query_all(db, asks, N, NULL, &eb), ERR_OK);
		for (int i = 0; i < N; i++) {
			if (!asks[i].rs)
				continue;
			assert_int_equal(db_query(db, asks[i].statement, asks[i].params, &single, &eb), ERR_OK);
			assert_same_rows(&rs[i], &single);
			rowset_fini(&single);
			rowset_fini(&rs[i]);
		}
	}
	free(big);
	db_close(db);
}

static void test_rowset_lives_on(void **state)
{
	(void)state;
	struct db *db = open_read();
	struct rowset rs, none = {0};
	struct errbuf eb = {0};
	struct db_ask ask = {"series", DB_PARAMS({"n", "1000"}), &rs};
	assert_int_equal(db_query_all(db, &ask, 1, NULL, &eb), ERR_OK);
	db_close(db);
	assert_int_equal(rowset_int(&rs, 999, "g"), 1000);
	assert_in_range(rowset_bytes(&rs), 100 * 1000, 1000 * 1000);
	rowset_fini(&rs);
	assert_int_equal(rowset_bytes(&rs), 0);
	assert_int_equal(rowset_bytes(&none), 0);
}

static void visit(void *arg)
{
	command(arg, "INSERT INTO visit VALUES (1)");
}

/* The rows counted before and after somebody else's commit. */
static void count_twice(struct db *db, struct db *writer, int64_t n[2])
{
	struct rowset rs[3];
	struct errbuf eb = {0};
	struct later l = {.ms = 200, .fn = visit, .arg = writer};
	const struct db_ask asks[] = {{"count", DB_NO_PARAMS, &rs[0]},
	                              {"pause", DB_PARAMS({"s", "0.6"}), &rs[1]},
	                              {"count", DB_NO_PARAMS, &rs[2]}};
	later_begin(&l);
	assert_int_equal(db_query_all(db, asks, 3, NULL, &eb), ERR_OK);
	later_end(&l);
	n[0] = rowset_int(&rs[0], 0, "n");
	n[1] = rowset_int(&rs[2], 0, "n");
	for (int i = 0; i < 3; i++)
		rowset_fini(&rs[i]);
}

static void test_snapshot(void **state)
{
	(void)state;
	struct db *writer = open_other(), *plain = open_other();
	command(writer, "CREATE TABLE visit (id int)");
	struct db *db = open_read();
	int64_t n[2];
	count_twice(db, writer, n);
	assert_int_equal(n[0], 0);
	assert_int_equal(n[1], 0);
	assert_int_equal(number(db, "count", DB_NO_PARAMS, "n"), 1);
	/* Where the session's default is read committed, the commit shows: it was in between. */
	count_twice(plain, writer, n);
	assert_int_equal(n[0], 1);
	assert_int_equal(n[1], 2);
	db_close(plain);
	db_close(db);
	db_close(writer);
}

static enum err three(struct db *db, const struct db_ask *middle, struct errbuf *eb)
{
	struct rowset first = {&first}, last = {&last};
	const struct db_param *params = DB_PARAMS({"a", "x"}, {"b", "1"});
	const struct db_ask asks[] = {{"echo", params, &first}, *middle, {"echo", params, &last}};
	err_clear(eb);
	enum err rc = db_query_all(db, asks, 3, NULL, eb);
	assert_int_equal(rowset_rows(&first), rc == ERR_OK);
	assert_int_equal(rowset_rows(&last), rc == ERR_OK);
	rowset_fini(&first);
	rowset_fini(&last);
	return rc;
}

static void test_error(void **state)
{
	(void)state;
	struct db *db = open_read(), *other = open_other();
	struct errbuf eb = {0};
	for (int i = 0; i < 2; i++) {
		assert_int_equal(three(db, &(struct db_ask){"divide", DB_PARAMS({"by", "0"}), NULL}, &eb),
		                 ERR_DB);
		assert_string_equal(db_sqlstate(db), "22012");
		assert_non_null(strstr(eb.text, "divide: division by zero"));
		assert_true(db_alive(db));
		assert_int_equal(three(db, &(struct db_ask){"divide", DB_PARAMS({"by", "1"}), NULL}, &eb),
		                 ERR_OK);
	}
	/* A statement that could not be prepared is prepared once it can be. */
	struct db_ask later = {"later", DB_NO_PARAMS, NULL};
	assert_int_equal(three(db, &later, &eb), ERR_DB);
	assert_string_equal(db_sqlstate(db), "42P01");
	command(other, "CREATE TABLE made_later (id int)");
	assert_int_equal(three(db, &later, &eb), ERR_OK);
	db_close(other);
	db_close(db);
}

static enum err pause_for(struct db *db, const char *s, const struct db_limits *limits,
                          struct errbuf *eb)
{
	struct rowset rs[2] = {{rs}, {rs}};
	const struct db_ask asks[] = {{"pause", DB_PARAMS({"s", s}), &rs[0]},
	                              {"pause", DB_PARAMS({"s", s}), &rs[1]}};
	err_clear(eb);
	enum err rc = db_query_all(db, asks, 2, limits, eb);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rowset_rows(&rs[i]), rc == ERR_OK);
		rowset_fini(&rs[i]);
	}
	return rc;
}

static void test_deadline(void **state)
{
	(void)state;
	struct db *db = open_read(), *other = open_other();
	struct errbuf eb = {0};
	int64_t start_ms = clock_mono_ms();
	struct db_limits limits = {.deadline_ms = start_ms + 200, .watch_fd = -1};
	assert_int_equal(pause_for(db, "5", &limits, &eb), ERR_TIMEOUT);
	assert_in_range(clock_mono_ms() - start_ms, 200, 800);
	assert_int_equal(number(other, "at_work", DB_NO_PARAMS, "n"), 0);
	/* Over before it began. */
	assert_int_equal(pause_for(db, "0", &limits, &eb), ERR_TIMEOUT);
	limits.deadline_ms = clock_mono_ms() + 20000;
	assert_int_equal(pause_for(db, "0", &limits, &eb), ERR_OK);
	/* The server's own limit says the same. */
	command(db, "SET statement_timeout = 100");
	assert_int_equal(pause_for(db, "5", &limits, &eb), ERR_TIMEOUT);
	db_close(other);
	db_close(db);
}

/* Cancels that come just when the statement ends: none may hit the next one. */
static void test_stray(void **state)
{
	(void)state;
	struct db *db = open_read();
	struct errbuf eb = {0};
	int late = 0, fine = 0;
	for (int i = 0; i < 300; i++) {
		struct db_limits limits = {.deadline_ms = clock_mono_ms() + 4, .watch_fd = -1};
		enum err rc = pause_for(db, i % 2 ? "0.0014" : "0.002", &limits, &eb);
		assert_true(rc == ERR_OK || rc == ERR_TIMEOUT);
		late += rc == ERR_TIMEOUT;
		fine += rc == ERR_OK;
		assert_int_equal(pause_for(db, "0.001", NULL, &eb), ERR_OK);
	}
	print_message("%d in time, %d cancelled\n", fine, late);
	assert_true(late > 0);
	db_close(db);
}

static void hang_up(void *arg)
{
	(void)close(*(int *)arg);
}

static void test_hang_up(void **state)
{
	(void)state;
	struct db *db = open_read(), *other = open_other();
	struct errbuf eb = {0};
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	/* That it says more is no reason to stop. */
	assert_int_equal(write(ends[1], "more", 4), 4);
	struct db_limits limits = {.watch_fd = ends[0]};
	assert_int_equal(pause_for(db, "0.1", &limits, &eb), ERR_OK);
	struct later l = {.ms = 200, .fn = hang_up, .arg = &ends[1]};
	int64_t start_ms = clock_mono_ms();
	later_begin(&l);
	assert_int_equal(pause_for(db, "5", &limits, &eb), ERR_INTERRUPTED);
	int64_t took_ms = clock_mono_ms() - start_ms;
	assert_int_equal(number(other, "at_work", DB_NO_PARAMS, "n"), 0);
	later_end(&l);
	assert_in_range(took_ms, 200, getenv("SAN") ? 800 : 300);
	assert_int_equal(pause_for(db, "0", NULL, &eb), ERR_OK);
	(void)close(ends[0]);
	db_close(other);
	db_close(db);
}

static void interrupt(void *arg)
{
	(void)arg;
	db_interrupt();
}

static void test_interrupt(void **state)
{
	(void)state;
	struct db *db = open_read();
	struct errbuf eb = {0};
	struct later l = {.ms = 100, .fn = interrupt};
	int64_t start_ms = clock_mono_ms();
	later_begin(&l);
	assert_int_equal(pause_for(db, "5", NULL, &eb), ERR_INTERRUPTED);
	later_end(&l);
	assert_in_range(clock_mono_ms() - start_ms, 100, 1000);
	db_close(db);
}

static void test_tag(void **state)
{
	(void)state;
	struct db *db = open_read(), *other = open_other();
	struct errbuf eb = {0};
	struct rowset rs;
	char pid[24];
	(void)snprintf(pid, sizeof pid, "%lld", (long long)number(db, "pid", DB_NO_PARAMS, "pid"));
	const struct db_ask ask = {"app", DB_NO_PARAMS, &rs};
	for (int i = 0; i < 3; i++) {
		const struct db_limits limits = {.watch_fd = -1, .tag = i == 1 ? NULL : "r-1'2"};
		assert_int_equal(db_query_all(db, &ask, 1, &limits, &eb), ERR_OK);
		assert_string_equal(rowset_get(&rs, 0, "name"),
		                    i == 1 ? "takings-web" : "takings-web r-1'2");
		rowset_fini(&rs);
		assert_int_equal(db_query(other, "apps", DB_PARAMS({"pid", pid}), &rs, &eb), ERR_OK);
		assert_string_equal(rowset_get(&rs, 0, "name"), "takings-web");
		rowset_fini(&rs);
	}
	db_close(other);
	db_close(db);
}

static void test_lost(void **state)
{
	(void)state;
	struct db *db = open_read(), *other = open_other();
	struct errbuf eb = {0};
	int64_t start_ms = clock_mono_ms();
	assert_int_equal(three(db, &(struct db_ask){"suicide", DB_NO_PARAMS, NULL}, &eb), ERR_DB_DOWN);
	assert_true(clock_mono_ms() - start_ms < 2000);
	assert_false(db_alive(db));
	assert_false(db_given_up(db));
	assert_int_equal(three(db, &(struct db_ask){"pid", DB_NO_PARAMS, NULL}, &eb), ERR_DB_DOWN);
	db_close(db);
	/* While nobody asked. */
	db = open_read();
	char pid[24];
	(void)snprintf(pid, sizeof pid, "%lld", (long long)number(db, "pid", DB_NO_PARAMS, "pid"));
	assert_int_equal(db_query(other, "end", DB_PARAMS({"pid", pid}), NULL, &eb), ERR_OK);
	sleep_ms(200);
	assert_int_equal(three(db, &(struct db_ask){"pid", DB_NO_PARAMS, NULL}, &eb), ERR_DB_DOWN);
	assert_false(db_alive(db));
	assert_false(db_given_up(db));
	db_close(db);
	db_close(other);
}

/* Neither the statement nor the cancel is answered. */
static void test_frozen(void **state)
{
	(void)state;
	struct db *db = open_plain("PROXY_URL", 1500);
	struct errbuf eb = {0};
	struct rowset rs;
	int64_t start_ms = clock_mono_ms();
	struct db_limits limits = {.deadline_ms = start_ms + 300, .watch_fd = -1};
	const struct db_ask ask = {"frozen_one", DB_NO_PARAMS, &rs};
	assert_int_equal(db_query_all(db, &ask, 1, &limits, &eb), ERR_DB_DOWN);
	assert_in_range(clock_mono_ms() - start_ms, 1300,
	                2300); /* the deadline, and a second for the cancel */
	assert_true(db_given_up(db));
	assert_false(db_alive(db));
	db_close(db);
}

struct heard {
	int n;
	char last[32];
};

static void hear(void *arg, const char *channel, const char *payload)
{
	struct heard *h = arg;
	assert_string_equal(channel, "Odd \"channel");
	(void)snprintf(h->last, sizeof h->last, "%s", payload);
	h->n++;
}

static void notify(void *arg)
{
	struct errbuf eb = {0};
	assert_int_equal(db_query(arg, "notify", DB_PARAMS({"payload", "two"}), NULL, &eb), ERR_OK);
}

static void test_binary(void **state)
{
	(void)state;
	enum { N = 30000 };
	struct db *db = open_read();
	struct rowset rs[2];
	struct errbuf eb = {0};
	size_t n;
	const struct db_limits limits = {.watch_fd = -1, .tag = "b", .binary = true};
	const struct db_ask asks[] = {{"bytes", DB_PARAMS({"n", "0"}), &rs[0]},
	                              {"bytes", DB_PARAMS({"n", "30000"}), &rs[1]}};
	assert_int_equal(db_query_all(db, asks, 2, &limits, &eb), ERR_OK);
	assert_non_null(rowset_blob(&rs[0], 0, 0, &n));
	assert_int_equal(n, 0);
	const unsigned char *b = rowset_blob(&rs[1], 0, 0, &n);
	assert_int_equal(n, 2 * N);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(b[i], i % 2 ? 0xff : 0);
	assert_int_equal(rowset_number(&rs[1], 0, 1), -N);
	assert_int_equal(rowset_number(&rs[1], 0, 2), -N);
	assert_true(rowset_number(&rs[1], 0, 3) == -N * (INT64_C(1) << 40));
	assert_null(rowset_blob(&rs[1], 0, 4, &n));
	assert_int_equal(n, 0);
	assert_int_equal(rowset_number(&rs[1], 0, 5), 0);
	rowset_fini(&rs[0]);
	rowset_fini(&rs[1]);
	/* The next is as ever. */
	assert_int_equal(number(db, "pid", DB_NO_PARAMS, "pid") > 0, 1);
	db_close(db);
}

static void test_notify(void **state)
{
	(void)state;
	struct db *db = open_read(), *other = open_other();
	struct errbuf eb = {0};
	struct heard h = {0};
	char pid[24];
	(void)snprintf(pid, sizeof pid, "%lld", (long long)number(db, "pid", DB_NO_PARAMS, "pid"));
	assert_int_equal(db_listen(db, "Odd \"channel", &eb), ERR_OK);
	int64_t start_ms = clock_mono_ms();
	assert_int_equal(db_wait_notify(db, 250, hear, &h, &eb), ERR_OK);
	assert_in_range(clock_mono_ms() - start_ms, 250, 600);
	assert_int_equal(h.n, 0);
	/* It came together with another answer. */
	assert_int_equal(db_query(other, "notify", DB_PARAMS({"payload", "one"}), NULL, &eb), ERR_OK);
	assert_true(number(db, "pid", DB_NO_PARAMS, "pid") > 0);
	assert_int_equal(db_wait_notify(db, 5000, hear, &h, &eb), ERR_OK);
	assert_int_equal(h.n, 1);
	assert_string_equal(h.last, "one");
	/* It comes while we wait. */
	struct later l = {.ms = 150, .fn = notify, .arg = other};
	start_ms = clock_mono_ms();
	later_begin(&l);
	assert_int_equal(db_wait_notify(db, 5000, hear, &h, &eb), ERR_OK);
	later_end(&l);
	assert_in_range(clock_mono_ms() - start_ms, 150, 600);
	assert_string_equal(h.last, "two");
	assert_int_equal(db_query(other, "end", DB_PARAMS({"pid", pid}), NULL, &eb), ERR_OK);
	start_ms = clock_mono_ms();
	assert_int_equal(db_wait_notify(db, 5000, hear, &h, &eb), ERR_DB_DOWN);
	assert_true(clock_mono_ms() - start_ms < 500);
	assert_int_equal(h.n, 2);
	db_close(other);
	db_close(db);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),     cmocka_unit_test(test_rowset_lives_on),
		cmocka_unit_test(test_snapshot), cmocka_unit_test(test_error),
		cmocka_unit_test(test_deadline), cmocka_unit_test(test_stray),
		cmocka_unit_test(test_hang_up),  cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_tag),      cmocka_unit_test(test_lost),
		cmocka_unit_test(test_frozen),   cmocka_unit_test(test_notify),
		cmocka_unit_test(test_binary),
	};
	if (argc != 2)
		return 2;
	cmocka_set_test_filter(argv[1]);
	statement_load_all();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
