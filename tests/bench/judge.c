/* judge.c: the anomaly engine by itself, for the benchmarks.
 *
 *   judge PERIOD PERIOD [online] <IN >OUT
 *
 * IN: a value a line, with a line "# NAME" before each series. OUT: the same series, for each value
 * "score news flagged". */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "forecast/anomaly.h"

struct input {
	struct forecast_input series;
	double *values;
	size_t room;
	struct anomaly_options options;
};

static int say(struct input *in)
{
	struct arena arena;
	struct anomaly_result result;
	struct errbuf eb = {0};
	arena_init(&arena);
	in->series.y = in->values;
	if (in->series.n > 0 &&
	    anomaly_run(&arena, &in->series, &in->options, 0, &result, &eb) != ERR_OK) {
		(void)fprintf(stderr, "judge: %s\n", eb.text);
		return 1;
	}
	for (size_t i = 0; i < in->series.n; i++)
		(void)printf("%.17g %.17g %d\n", result.steps[i].score, result.steps[i].news,
		             result.steps[i].flagged);
	arena_fini(&arena);
	in->series.n = 0;
	return 0;
}

int main(int argc, char **argv)
{
	struct input in = {0};
	char line[256];
	if (argc < 3)
		return 2;
	in.series.period[0] = (int)strtol(argv[1], NULL, 10);
	in.series.period[1] = (int)strtol(argv[2], NULL, 10);
	in.options.online = argc > 3 && strcmp(argv[3], "online") == 0;
	while (fgets(line, sizeof line, stdin)) {
		if (line[0] == '#') {
			if (say(&in))
				return 1;
			(void)fputs(line, stdout);
			continue;
		}
		if (in.series.n == in.room) {
			in.room = in.room ? 2 * in.room : 1024;
			in.values = mem_realloc(in.values, in.room * sizeof *in.values);
		}
		in.values[in.series.n++] = strtod(line, NULL);
	}
	return say(&in);
}
