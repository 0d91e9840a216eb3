/* standard_error.h: what a function writes to standard error. */
#ifndef TAKINGS_TESTS_STANDARD_ERROR_H
#define TAKINGS_TESTS_STANDARD_ERROR_H

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* What `f` writes on standard error; valid until the next call. */
static const char *standard_error_of(void (*f)(void))
{
	static char text[8192];
	int ends[2], saved = dup(STDERR_FILENO);
	assert_int_equal(pipe(ends), 0);
	(void)dup2(ends[1], STDERR_FILENO);
	f();
	(void)dup2(saved, STDERR_FILENO);
	(void)close(ends[1]);
	ssize_t n = read(ends[0], text, sizeof text - 1);
	text[n > 0 ? n : 0] = '\0';
	(void)close(ends[0]);
	(void)close(saved);
	return text;
}

#endif
