/* failpoint.h: named places where tests make a program die or wait.
 *
 * TAKINGS_FAILPOINT=name=kill@3 kills the process (SIGKILL) the third time the
 * place is passed; `pause@N` sleeps there until the process is killed;
 * `stop@N` stops the process (SIGSTOP), which goes on from there with SIGCONT;
 * `abort@N` calls abort() there, as a bug would;
 * `@N` may be left out and means 1. Without the variable a failpoint costs one
 * comparison. The names are those of failpoint.def. */
#ifndef TAKINGS_BASE_FAILPOINT_H
#define TAKINGS_BASE_FAILPOINT_H

#include <stdbool.h>

#include "base/err.h"

enum failpoint {
#define FAILPOINT(name) FP_##name,
#include "base/failpoint.def"
#undef FAILPOINT
	FP_COUNT
};

/* Reads TAKINGS_FAILPOINT once, before any thread starts. ERR_CONFIG for a
 * name or an action that does not exist. */
MUST_CHECK enum err failpoint_init(struct errbuf *eb);

void failpoint_pass(enum failpoint at);

/* NULL past the last one. */
const char *failpoint_name(int i);

#endif
