/* terminal.c: see terminal.h. */
#include "batch/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024 };

bool terminal_there(void)
{
	return isatty(STDIN_FILENO) == 1;
}

/* Byte by byte, so that nothing stays behind in a buffer of stdio's; a terminal gives lines. */
static enum err read_line(struct buf *out, struct errbuf *eb)
{
	for (size_t n = 0; n < LINE_MAX_BYTES; n++) {
		char c;
		ssize_t got = read(STDIN_FILENO, &c, 1);
		if (got < 0 && errno == EINTR)
			return err_set(eb, ERR_INTERRUPTED, "stopped on request");
		if (got < 0)
			return err_set(eb, ERR_IO, "cannot read standard input: %m");
		if (got == 0 && n == 0)
			return err_set(eb, ERR_INVALID, "standard input has no line");
		if (got == 0 || c == '\n')
			return ERR_OK;
		buf_putc(out, c);
	}
	return err_set(eb, ERR_INVALID, "the line is over %d bytes", LINE_MAX_BYTES);
}

enum err terminal_line(const char *prompt, struct buf *out, struct errbuf *eb)
{
	if (terminal_there())
		(void)fputs(prompt, stderr);
	return read_line(out, eb);
}

/* Echo comes back whatever happens: Ctrl-C only makes read() return. */
static enum err unseen_line(const char *prompt, struct buf *out, struct errbuf *eb)
{
	struct termios seen, unseen;
	if (tcgetattr(STDIN_FILENO, &seen) != 0)
		return err_set(eb, ERR_IO, "cannot switch off the echo of the terminal: %m");
	unseen = seen;
	unseen.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen) != 0)
		return err_set(eb, ERR_IO, "cannot switch off the echo of the terminal: %m");
	enum err rc = terminal_line(prompt, out, eb);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &seen);
	(void)fputc('\n', stderr);
	return rc;
}

enum err terminal_password(struct buf *out, struct errbuf *eb)
{
	struct buf again;
	if (!terminal_there())
		return read_line(out, eb);
	buf_init(&again);
	enum err rc = unseen_line("Password: ", out, eb);
	if (rc == ERR_OK)
		rc = unseen_line("The same again: ", &again, eb);
	if (rc == ERR_OK &&
	    (out->len != again.len || memcmp(buf_str(out), buf_str(&again), again.len) != 0))
		rc = err_set(eb, ERR_INVALID, "the two are not the same");
	terminal_wipe(&again);
	return rc;
}

void terminal_wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	buf_fini(b);
}
