/* series_job.c: a block of series is read, worked on and written; then the next. */
#include "batch/series_job.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "batch/holiday_file.h"
#include "batch/progress.h"
#include "batch/series_options.h"
#include "db/db.h"
#include "forecast/team.h"

/* What is in memory at a time; a single longer series is so too. */
enum { BLOCK_SERIES = 256, BLOCK_POINTS = 32 * 1024 };
enum { HORIZON_COST = 4 }; /* a forecast step takes the room of so many values */

/* One series of the block: what came in, what goes out. */
struct part {
	struct series series;
	struct buf out;
	struct errbuf eb;
};

struct work {
	const struct series_job *job;
	struct series_options opt;
	struct holiday_file holidays;
	struct arena arena, block; /* of the whole, of the block at hand */
	struct series_file *in;
	FILE *out;
	const char *target;     /* where a file is to appear; NULL: what is written to is none */
	const char *unfinished; /* it until it gets its name; NULL: none */
	struct part parts[BLOCK_SERIES];
	size_t parts_n;
	size_t written; /* series with rows */
	bool more;
	struct progress progress;
};

/* ---- text ---------------------------------------------------------------------- */

void series_put_number(struct buf *out, double v)
{
	char text[32];
	if (isnan(v))
		return;
	if (v == 0)
		v = 0; /* not -0 */
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits, v);
		if (digits == 17 || strtod(text, NULL) == v)
			break;
	}
	buf_puts(out, text);
}

void series_put_text(struct buf *out, const char *s)
{
	if (s[strcspn(s, ",\"\r\n")] == '\0') {
		buf_puts(out, s);
		return;
	}
	buf_putc(out, '"');
	for (; *s; s++) {
		if (*s == '"')
			buf_putc(out, '"');
		buf_putc(out, *s);
	}
	buf_putc(out, '"');
}

/* ---- one block ------------------------------------------------------------------ */

static void work_on(size_t i, void *arg)
{
	struct work *w = arg;
	struct part *p = &w->parts[i];
	const struct series *s = &p->series;
	struct arena arena;
	if (db_interrupted())
		return;
	arena_init(&arena);
	struct forecast_input input = {.y = s->y,
	                               .n = s->n,
	                               .horizon = (size_t)w->opt.horizon,
	                               .step_s = s->step_s,
	                               .start_s = s->start_s};
	series_options_period(&w->opt, s->step_s, input.period);
	if (w->opt.holidays)
		input.special = holiday_file_of(&w->holidays, s->id, &arena, &input.special_n);
	if (w->job->rows(&arena, s, &input, &w->opt, &p->out, &p->eb) != ERR_OK)
		buf_clear(&p->out);
	arena_fini(&arena);
}

static enum err read_block(struct work *w, struct errbuf *eb)
{
	size_t points = 0;
	arena_reset(&w->block);
	w->parts_n = 0;
	while (w->more && w->parts_n < BLOCK_SERIES && points < BLOCK_POINTS) {
		struct part *p = &w->parts[w->parts_n];
		*p = (struct part){0};
		enum err rc = series_file_next(w->in, &w->block, &p->series, &w->more, eb);
		if (rc != ERR_OK)
			return rc;
		w->parts_n += w->more;
		points += p->series.n + HORIZON_COST * (size_t)w->opt.horizon;
	}
	return ERR_OK;
}

static enum err put(struct work *w, const char *bytes, size_t n, struct errbuf *eb)
{
	if (fwrite(bytes, 1, n, w->out) == n)
		return ERR_OK;
	return err_set(eb, ERR_IO, "%s cannot be written: %m", w->opt.output);
}

/* A series that is refused is told of, and the others go on. */
static enum err write_part(struct work *w, struct part *p, struct errbuf *eb)
{
	if (p->eb.code == ERR_INVALID) {
		LOG(LOG_WARNING, "series_refused", LOG_STR("id", p->series.id),
		    LOG_STR("field", p->eb.field), LOG_STR("error", p->eb.text), LOG_END);
		return ERR_OK;
	}
	if (p->eb.code != ERR_OK) {
		*eb = p->eb;
		return eb->code;
	}
	w->written++;
	return put(w, buf_str(&p->out), p->out.len, eb);
}

static enum err write_block(struct work *w, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	if (db_interrupted())
		rc = err_set(eb, ERR_INTERRUPTED, "stopped on request");
	for (size_t i = 0; i < w->parts_n; i++) {
		if (rc == ERR_OK)
			rc = write_part(w, &w->parts[i], eb);
		buf_fini(&w->parts[i].out);
	}
	return rc;
}

static void show(struct work *w)
{
	bool sized = w->progress.total > 0;
	int64_t now = sized ? series_file_read(w->in) / 1024 : w->progress.done + (int64_t)w->parts_n;
	progress_step(&w->progress, now - w->progress.done);
}

static enum err work_through(struct work *w, struct errbuf *eb)
{
	int64_t kib = series_file_size(w->in) / 1024;
	enum err rc = put(w, w->job->header, strlen(w->job->header), eb);
	progress_begin(&w->progress, kib > 0 ? "KiB read" : w->job->done, kib);
	while (rc == ERR_OK && w->more) {
		rc = read_block(w, eb);
		if (rc == ERR_OK) {
			team_run(w->parts_n, (unsigned)w->opt.threads, work_on, w);
			rc = write_block(w, eb);
			show(w);
		}
	}
	progress_end(&w->progress);
	return rc;
}

/* ---- the files ----------------------------------------------------------------- */

/* Where a file is to appear: behind a symbolic link it is the file that is replaced. NULL where
 * something is that cannot be, a pipe or a device. */
static const char *place(struct work *w)
{
	struct stat st;
	char *real = realpath(w->opt.output, NULL);
	const char *at = arena_strdup(&w->arena, real ? real : w->opt.output);
	free(real);
	return stat(w->opt.output, &st) != 0 || S_ISREG(st.st_mode) ? at : NULL;
}

/* What a new file may be, or the one that is replaced is. */
static mode_t mode_of(const char *target)
{
	struct stat st;
	mode_t masked = umask(0);
	(void)umask(masked);
	return stat(target, &st) == 0 ? st.st_mode & 0777 : 0666 & ~masked;
}

/* A file of a name nobody can foresee, beside the one it becomes: nothing of anybody's is written
 * over, whatever waits there. */
static FILE *open_beside(struct work *w)
{
	char *path = arena_printf(&w->arena, "%s.XXXXXX", w->target);
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return NULL;
	w->unfinished = path;
	FILE *out = fchmod(fd, mode_of(w->target)) == 0 ? fdopen(fd, "w") : NULL;
	if (!out)
		(void)close(fd);
	return out;
}

static enum err open_output(struct work *w, struct errbuf *eb)
{
	if (strcmp(w->opt.output, "-") == 0) {
		w->out = stdout;
		return ERR_OK;
	}
	w->target = place(w);
	w->out = w->target ? open_beside(w) : fopen(w->opt.output, "we");
	if (!w->out)
		return err_set(eb, ERR_IO, "%s cannot be written: %m", w->opt.output);
	return ERR_OK;
}

/* What was written gets its name, or goes. */
static enum err close_output(struct work *w, enum err rc, struct errbuf *eb)
{
	bool whole = !w->out || (w->out == stdout ? fflush(w->out) : fclose(w->out)) == 0;
	if (rc == ERR_OK && !whole)
		rc = err_set(eb, ERR_IO, "%s cannot be written: %m", w->opt.output);
	if (rc == ERR_OK && w->unfinished && rename(w->unfinished, w->target) != 0)
		rc = err_set(eb, ERR_IO, "%s cannot be written: %m", w->opt.output);
	if (rc != ERR_OK && w->unfinished)
		(void)remove(w->unfinished);
	return rc;
}

static enum err open_files(struct work *w, struct errbuf *eb)
{
	enum err rc = series_file_open(&w->in, w->opt.input, eb);
	if (rc == ERR_OK && w->opt.holidays && !series_file_dated(w->in))
		rc = err_set_field(eb, ERR_INVALID, "--holidays", "--holidays needs a column ds in %s",
		                   w->opt.input);
	if (rc == ERR_OK && w->opt.holidays)
		rc = holiday_file_read(&w->holidays, w->opt.holidays, &w->arena, eb);
	if (rc == ERR_OK)
		rc = open_output(w, eb);
	return rc;
}

static enum err run(struct work *w, struct errbuf *eb)
{
	enum err rc = open_files(w, eb);
	if (rc == ERR_OK)
		rc = work_through(w, eb);
	if (rc == ERR_OK && w->written == 0)
		rc = err_set(eb, ERR_INVALID, "there is no series in %s that could be worked on",
		             w->opt.input);
	return close_output(w, rc, eb);
}

enum job_exit series_job_run(const struct series_job *job, int argc, char **argv)
{
	struct errbuf eb = {.code = ERR_OK};
	struct work *w = mem_alloc(sizeof *w);
	enum job_exit code = JOB_USAGE;
	w->job = job;
	w->more = true;
	if (series_options_parse(&w->opt, job, argc, argv, &eb) != ERR_OK)
		(void)fprintf(stderr, "takings-batch %s: %s\nusage: takings-batch %s\n", job->name, eb.text,
		              job->usage);
	else
		code = job_exit_of(run(w, &eb));
	if (code == JOB_FAILED)
		log_err("series_failed", &eb);
	series_file_close(w->in);
	arena_fini(&w->block);
	arena_fini(&w->arena);
	free(w);
	return code;
}
