/* prom.c: see prom.h. */
#include "base/prom.h"

void prom_family(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void prom_counter(struct buf *out, const char *name, const char *help, uint64_t n)
{
	prom_family(out, name, "counter", help);
	buf_printf(out, "%s %llu\n", name, (unsigned long long)n);
}

void prom_gauge(struct buf *out, const char *name, const char *help, int64_t n)
{
	prom_family(out, name, "gauge", help);
	buf_printf(out, "%s %lld\n", name, (long long)n);
}

void prom_label(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n') {
			buf_puts(out, "\\n");
			continue;
		}
		if (*value == '"' || *value == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *value);
	}
	buf_putc(out, '"');
}

void prom_seconds(struct buf *out, uint64_t us)
{
	buf_printf(out, "%llu.%06llu", (unsigned long long)(us / 1000000),
	           (unsigned long long)(us % 1000000));
}
