/* test_crash.c: a child dies of each kind of bug, and its last words are read. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/err.h"

static char words[16384];

/* Ends the child, or returns. */
typedef void (*bug_fn)(void);

static void be_a_child(bug_fn bug, int to)
{
	(void)dup2(to, STDERR_FILENO);
	crash_init("test");
	crash_forbid_core();
	crash_request("request-4711");
	bug();
	_exit(0);
}

/* The signal that ended it; `words` is what it said. */
static int die_of(bug_fn bug)
{
	int ends[2], status;
	size_t n = 0;
	ssize_t got;
	assert_int_equal(pipe(ends), 0);
	(void)fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		be_a_child(bug, ends[1]);
	(void)close(ends[1]);
	while ((got = read(ends[0], words + n, sizeof words - 1 - n)) > 0)
		n += (size_t)got;
	words[n] = '\0';
	(void)close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		assert_false(WCOREDUMP(status));
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void assert_said(const char *text)
{
	if (!strstr(words, text))
		print_error("not said: %s\nin: %s\n", text, words);
	assert_non_null(strstr(words, text));
}

static void assert_one_line(void)
{
	size_t n = strlen(words);
	assert_true(n > 2 && words[0] == '{' && words[n - 2] == '}');
	assert_ptr_equal(strchr(words, '\n'), words + n - 1);
	assert_said("{\"time\":\"20");
	assert_said("\"level\":\"ERROR\",\"program\":\"test\",\"event\":\"crash\"");
	assert_said("\"request_id\":\"request-4711\"");
}

static void break_a_rule(void)
{
	must(words[0] == "\"\\"[0]);
}

static void test_must(void **state)
{
	(void)state;
	assert_int_equal(die_of(break_a_rule), SIGABRT);
	assert_one_line();
	assert_said("\"signal\":\"SIGABRT\"");
	assert_said("\"bug\":\"tests/unit/base/test_crash.c:");
	assert_said(": words[0] == ''''''[0]\"");
	assert_said("must_failed+0x");
}

static void test_abort(void **state)
{
	(void)state;
	assert_int_equal(die_of(abort), SIGABRT);
	assert_one_line();
	assert_null(strstr(words, "\"bug\""));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

static void read_null(void)
{
	volatile int *volatile nowhere = NULL;
	(void)*nowhere; /* NOLINT(clang-analyzer-core.NullDereference): the bug */
}

static void test_segv(void **state)
{
	(void)state;
	assert_int_equal(die_of(read_null), SIGSEGV);
	assert_one_line();
	assert_said("\"signal\":\"SIGSEGV\"");
	assert_said("\"address\":\"0x0\"");
}

static void be_killed(void)
{
	(void)kill(getpid(), SIGBUS);
}

static void test_kill_is_heeded_too(void **state)
{
	(void)state;
	assert_int_equal(die_of(be_killed), SIGBUS);
	assert_one_line();
	assert_null(strstr(words, "address"));
}

static volatile int deep_enough; /* never */

static int fall(volatile char *above) /* NOLINT(misc-no-recursion) */
{
	volatile char room[4096];
	room[0] = above ? above[0] : 'x';
	return deep_enough ? 0 : fall(room) + room[0];
}

static void *use_up_stack(void *unused)
{
	(void)unused;
	sigset_t all;
	(void)sigfillset(&all);
	crash_unblock(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, NULL);
	crash_thread_begin();
	crash_request("request-4711");
	return (void *)(intptr_t)fall(NULL);
}

static void overflow_in_a_thread(void)
{
	pthread_t thread;
	(void)pthread_create(&thread, NULL, use_up_stack, NULL);
	(void)pthread_join(thread, NULL);
}

static void test_stack_overflow(void **state)
{
	(void)state;
	assert_int_equal(die_of(overflow_in_a_thread), SIGSEGV);
	assert_one_line();
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_must),
		cmocka_unit_test(test_abort),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
		cmocka_unit_test(test_segv),
		cmocka_unit_test(test_kill_is_heeded_too),
		cmocka_unit_test(test_stack_overflow),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
