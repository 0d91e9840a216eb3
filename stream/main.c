/* main.c: takings-stream. It has no source to consume yet, and says so rather
 * than sitting there as if it did. */
#include <stdio.h>
#include <string.h>

#include "base/crash.h"

int main(int argc, char **argv)
{
	crash_init("takings-stream");
	crash_forbid_core();
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		(void)printf("takings-stream %s\n", TAKINGS_VERSION);
		return 0;
	}
	(void)fputs(
		"takings-stream: this version has no live sources; figures come from takings-batch\n",
		stderr);
	return 2;
}
