/* crash.h: the last words of a program that dies of a bug.
 *
 * SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT write one JSON line to standard error
 * before they take their course: the signal, what must() said, the request this thread
 * was serving and where it stood in the code. The supervisor sees the same end as ever.
 *
 *   {"time":...,"level":"ERROR","program":"takings-web","event":"crash","signal":"SIGSEGV",
 *    "request_id":"...","thread":4711,"address":"0x0","backtrace":["gate_handle+0x2a",
 *    "takings-web+0x1f00", ...]}
 *
 * A frame without a name is read with: addr2line -fe takings-web 0x1f00
 *
 * Under a sanitizer only SIGABRT is caught: the others are the sanitizer's own. */
#ifndef TAKINGS_BASE_CRASH_H
#define TAKINGS_BASE_CRASH_H

#include <signal.h>
#include <stdbool.h>

/* First thing in main: the handlers, and the stack of the main thread. `program` is
 * borrowed for the life of the process. */
void crash_init(const char *program);

/* Each other thread gets a stack of its own for its last words: a thread that has used
 * up its stack could not say them there. */
void crash_thread_begin(void);
void crash_thread_end(void);

/* What this thread works on from now on; borrowed until the next call. NULL: nothing. */
void crash_request(const char *request_id);

/* Takes the signals of a crash out of a set about to be blocked: blocked, they would end
 * the process without a word. */
void crash_unblock(sigset_t *set);

/* From now on a crash leaves no memory image: it would hold passwords and tokens. */
void crash_forbid_core(void);

/* For must_failed: ends the process with this text in its last words. False where there
 * is no crash_init (unit tests). */
bool crash_bug(const char *text);

#endif
