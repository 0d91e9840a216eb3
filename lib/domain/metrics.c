/* metrics.c: looking things up in metrics.def. */
#include "domain/metrics.h"

#include <stddef.h>
#include <string.h>

static const struct metric metrics[] = {
#define METRIC(id, label, unit, additive, dimensions, formula)                                     \
	{#id, label, UNIT_##unit, additive, dimensions, formula},
#include "domain/metrics.def"
#undef METRIC
};

enum { METRICS = sizeof metrics / sizeof *metrics };

const struct metric *metric_get(int i)
{
	return i >= 0 && i < METRICS ? &metrics[i] : NULL;
}

const struct metric *metric_find(const char *id)
{
	for (int i = 0; i < METRICS; i++)
		if (strcmp(metrics[i].id, id) == 0)
			return &metrics[i];
	return NULL;
}

void metric_print_markdown(struct buf *out)
{
	static const char *const units[] = {
		"money", "count", "percent", "change in percent", "hour of day", "money or count"};
	buf_puts(
		out,
		"# Metrics\n\n"
		"Made from `lib/domain/metrics.def` by `takings-batch config --metrics`; do not edit.\n\n"
		"| id | label | unit | adds up | dimensions | definition |\n|---|---|---|---|---|---|\n");
	for (int i = 0; i < METRICS; i++)
		buf_printf(out, "| `%s` | %s | %s | %s | %s | %s |\n", metrics[i].id, metrics[i].label,
		           units[metrics[i].unit], metrics[i].additive ? "yes" : "no",
		           metrics[i].dimensions, metrics[i].formula);
}
