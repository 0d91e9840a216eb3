/* measure.c: measure FILE COMMAND...: runs a command, writes its seconds and peak memory in KB.
 *
 * A program of its own, because a process starts with the peak of the one it was forked from: below
 * Python no child seems smaller than Python. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_s(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int fail(const char *what)
{
	(void)fprintf(stderr, "measure: %s: %m\n", what);
	return 127;
}

int main(int argc, char **argv)
{
	struct rusage used;
	int status;
	if (argc < 3) {
		(void)fprintf(stderr, "usage: measure FILE COMMAND...\n");
		return 2;
	}
	double start_s = now_s();
	pid_t pid = fork();
	if (pid < 0)
		return fail("fork");
	if (pid == 0) {
		(void)execvp(argv[2], argv + 2);
		_exit(fail(argv[2]));
	}
	while (wait4(pid, &status, 0, &used) < 0)
		if (errno != EINTR)
			return fail("wait4");
	double seconds = now_s() - start_s;
	FILE *f = fopen(argv[1], "w");
	if (!f || fprintf(f, "%.6f %ld\n", seconds, used.ru_maxrss) < 0 || fclose(f) != 0)
		return fail(argv[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
