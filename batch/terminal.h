/* terminal.h: questions to the person who started a job. Prompts go to standard error: standard
 * output is for what was asked for. */
#ifndef TAKINGS_BATCH_TERMINAL_H
#define TAKINGS_BATCH_TERMINAL_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/* Whether standard input is a terminal. */
bool terminal_there(void);

/* A line of standard input without its end, appended. ERR_INVALID at its end, ERR_INTERRUPTED
 * after Ctrl-C. */
MUST_CHECK enum err terminal_line(const char *prompt, struct buf *out, struct errbuf *eb);

/* The same, unseen and twice, where standard input is a terminal; one line where it is none.
 * ERR_INVALID where the two differ. */
MUST_CHECK enum err terminal_password(struct buf *out, struct errbuf *eb);

/* Overwrites what was read and gives the memory back. */
void terminal_wipe(struct buf *b);

#endif
