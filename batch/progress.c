/* progress.c: a bar, or a line now and then. */
#include "batch/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

enum { BAR = 30, REDRAW_MS = 100, LINE_MS = 5000 };

void progress_begin(struct progress *p, const char *what, int64_t total)
{
	int64_t now = clock_mono_ms();
	*p = (struct progress){.what = what,
	                       .total = total,
	                       .start_ms = now,
	                       .shown_ms = now,
	                       .terminal = isatty(STDERR_FILENO) == 1};
}

static void show(const struct progress *p, int64_t now)
{
	char bar[BAR + 1];
	int64_t ms = now - p->start_ms > 0 ? now - p->start_ms : 1;
	int64_t rate = p->done * 1000 / ms;
	if (p->total == 0) {
		(void)fprintf(stderr, "%s%s: %" PRId64 " (%" PRId64 "/s)%s", p->terminal ? "\r\033[K" : "",
		              p->what, p->done, rate, p->terminal ? "" : "\n");
		return;
	}
	int64_t filled = p->done * BAR / p->total;
	for (int i = 0; i < BAR; i++)
		bar[i] = i < filled ? '#' : '.';
	bar[BAR] = '\0';
	int64_t left_s = p->done ? (p->total - p->done) * ms / p->done / 1000 : 0;
	(void)fprintf(stderr, "%s%s [%s] %" PRId64 "/%" PRId64 " (%" PRId64 "/s, %" PRId64 " s left)%s",
	              p->terminal ? "\r\033[K" : "", p->what, bar, p->done, p->total, rate, left_s,
	              p->terminal ? "" : "\n");
}

void progress_step(struct progress *p, int64_t n)
{
	int64_t now = clock_mono_ms();
	p->done += n;
	if (now - p->shown_ms < (p->terminal ? REDRAW_MS : LINE_MS))
		return;
	p->shown_ms = now;
	show(p, now);
}

void progress_end(struct progress *p)
{
	if (p->terminal) {
		show(p, clock_mono_ms());
		(void)fputc('\n', stderr);
	}
}
