/* crash.c: in a handler nothing may allocate, lock or touch stdio, so the line is put
 * together by hand in a buffer of the handler's own. */
#include "base/crash.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

enum { STACK_BYTES = 64 * 1024, FRAMES = 48, LINE_BYTES = 8192, TEXT_BYTES = 512 };

static const struct {
	int number;
	const char *name;
} fatal[] = {
	{SIGABRT, "SIGABRT"}, /* first: the only one under a sanitizer */
	{SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGFPE, "SIGFPE"}, {SIGILL, "SIGILL"},
};

enum { FATAL = sizeof fatal / sizeof *fatal };

static const char *program_name; /* NULL: no handlers */
static atomic_flag dying = ATOMIC_FLAG_INIT;
static _Thread_local const char *current_request;
static _Thread_local const char *bug;
static _Thread_local void *stack;

/* ---- a line, by hand ----------------------------------------------------- */

struct line {
	char text[LINE_BYTES];
	size_t len;
};

static void put(struct line *l, const char *s)
{
	/* Room for the end of the line is kept, so that what is cut is still JSON's to its last quote.
	 */
	for (; *s && l->len < LINE_BYTES - 8; s++)
		l->text[l->len++] = *s;
}

/* Symbols, ids and our own sentences: anything odd becomes a ?. */
static void put_quoted(struct line *l, const char *s)
{
	char one[2] = "";
	put(l, "\"");
	for (size_t n = 0; *s && n < TEXT_BYTES; s++, n++) {
		one[0] = *s;
		if (*s == '"' || *s == '\\')
			one[0] = '\'';
		else if ((unsigned char)*s < 0x20 || (unsigned char)*s >= 0x7f)
			one[0] = '?';
		put(l, one);
	}
	put(l, "\"");
}

static void put_number(struct line *l, uint64_t n, unsigned base, int width)
{
	char digits[24];
	size_t at = sizeof digits;
	digits[--at] = '\0';
	do {
		digits[--at] = "0123456789abcdef"[n % base];
		n /= base;
		width--;
	} while (n || width > 0);
	put(l, digits + at);
}

/* Days since 1970 as a date of the Gregorian calendar: gmtime_r may take a lock. */
static void put_date(struct line *l, int64_t days)
{
	int64_t z = days + 719468, era = z / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	int64_t month = mp < 10 ? mp + 3 : mp - 9;
	put_number(l, (uint64_t)(yoe + era * 400 + (month <= 2)), 10, 4);
	put(l, "-");
	put_number(l, (uint64_t)month, 10, 2);
	put(l, "-");
	put_number(l, (uint64_t)(doy - (153 * mp + 2) / 5 + 1), 10, 2);
}

static void put_time(struct line *l)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	put(l, "{\"time\":\"");
	put_date(l, now.tv_sec / 86400);
	put(l, "T");
	put_number(l, (uint64_t)(now.tv_sec / 3600 % 24), 10, 2);
	put(l, ":");
	put_number(l, (uint64_t)(now.tv_sec / 60 % 60), 10, 2);
	put(l, ":");
	put_number(l, (uint64_t)(now.tv_sec % 60), 10, 2);
	put(l, ".");
	put_number(l, (uint64_t)(now.tv_nsec / 1000000), 10, 3);
	put(l, "Z\"");
}

/* ---- where it stood ------------------------------------------------------ */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static void put_frame(struct line *l, void *at)
{
	char name[160] = "?";
	uint64_t offset = (uint64_t)(uintptr_t)at;
	Dl_info info;
	if (dladdr(at, &info) && info.dli_fname) {
		const char *known = info.dli_sname ? info.dli_sname : base_name(info.dli_fname);
		size_t n = strnlen(known, sizeof name - 1);
		memcpy(name, known, n);
		name[n] = '\0';
		offset -= (uint64_t)(uintptr_t)(info.dli_sname ? info.dli_saddr : info.dli_fbase);
	}
	put(l, "\"");
	put(l, name);
	put(l, "+0x");
	put_number(l, offset, 16, 1);
	put(l, "\"");
}

static void put_backtrace(struct line *l)
{
	void *frames[FRAMES];
	int n = backtrace(frames, FRAMES);
	put(l, ",\"backtrace\":[");
	for (int i = 0; i < n && l->len < LINE_BYTES - 256; i++) {
		if (i)
			put(l, ",");
		put_frame(l, frames[i]);
	}
	put(l, "]");
}

static const char *signal_name(int number)
{
	for (int i = 0; i < FATAL; i++)
		if (fatal[i].number == number)
			return fatal[i].name;
	return "?";
}

static void put_pair(struct line *l, const char *key, const char *value)
{
	put(l, ",\"");
	put(l, key);
	put(l, "\":");
	put_quoted(l, value);
}

static void put_crash(struct line *l, int number, const siginfo_t *info)
{
	put_time(l);
	put_pair(l, "level", "ERROR");
	put_pair(l, "program", program_name);
	put_pair(l, "event", "crash");
	put_pair(l, "signal", signal_name(number));
	if (bug)
		put_pair(l, "bug", bug);
	if (current_request)
		put_pair(l, "request_id", current_request);
	put(l, ",\"thread\":");
	put_number(l, (uint64_t)syscall(SYS_gettid), 10, 1);
	if (number != SIGABRT && info->si_code > 0) { /* the kernel's own, not somebody's kill */
		put(l, ",\"address\":\"0x");
		put_number(l, (uint64_t)(uintptr_t)info->si_addr, 16, 1);
		put(l, "\"");
	}
	put_backtrace(l);
	put(l, "}");
	l->text[l->len++] = '\n';
}

/* The first one speaks; whoever crashes beside it waits for the end it brings. */
static void on_crash(int number, siginfo_t *info, void *context)
{
	static struct line line;
	(void)context;
	while (atomic_flag_test_and_set(&dying))
		(void)pause();
	put_crash(&line, number, info);
	ssize_t n = write(STDERR_FILENO, line.text, line.len);
	(void)n;
	(void)signal(number, SIG_DFL);
	(void)raise(number); /* blocked until we return, then it ends the process */
}

/* ---- setting up ---------------------------------------------------------- */

void crash_init(const char *program)
{
	struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	void *frame;
	program_name = program;
	(void)backtrace(&frame, 1); /* loads what it needs while that is still possible */
	(void)sigfillset(&action.sa_mask);
	crash_thread_begin();
	for (int i = 0; i < (SANITIZED ? 1 : FATAL); i++)
		(void)sigaction(fatal[i].number, &action, NULL);
}

void crash_thread_begin(void)
{
	if (SANITIZED || stack)
		return;
	stack = mem_alloc(STACK_BYTES);
	const stack_t alt = {.ss_sp = stack, .ss_size = STACK_BYTES};
	(void)sigaltstack(&alt, NULL);
}

void crash_thread_end(void)
{
	const stack_t none = {.ss_flags = SS_DISABLE};
	if (!stack)
		return;
	(void)sigaltstack(&none, NULL);
	free(stack);
	stack = NULL;
}

void crash_request(const char *request_id)
{
	current_request = request_id;
}

void crash_unblock(sigset_t *set)
{
	for (int i = 0; i < FATAL; i++)
		(void)sigdelset(set, fatal[i].number);
}

/* 1 byte rather than 0: the kernel writes no image to a file that may have one byte, and,
 * unlike with 0, hands none to a collector such as systemd-coredump either. */
void crash_forbid_core(void)
{
	struct rlimit limit = {1, 1};
	if (setrlimit(RLIMIT_CORE, &limit) == 0)
		return;
	limit = (struct rlimit){0, 0};
	(void)setrlimit(RLIMIT_CORE, &limit);
}

bool crash_bug(const char *text)
{
	if (!program_name)
		return false;
	bug = text;
	abort();
}
