/* series_file.c: rows with times become values a step. */
#include "batch/series_file.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/num.h"
#include "batch/csv_file.h"
#include "batch/demo_calendar.h"
#include "batch/series_step.h"

enum { DATE_LENGTH = 10, SEEN_FIRST = 1024 };

/* Values whose squares of squares are numbers still. */
static const double VALUE_MAX = 1e30;

/* Ids that were there: offsets into `text`, plus 1, by hash. */
struct seen {
	struct buf text;
	size_t *slots;
	size_t cap, n; /* cap: a power of two */
};

struct series_file {
	struct csv_file *csv;
	int id, t, ds, y; /* columns; -1: none */
	bool waiting;     /* the record at hand belongs to the next series */
	bool ended;
	struct seen seen;
	struct series_row *rows; /* of the series at hand; reused */
	size_t rows_n, rows_cap;
	struct buf texts;
	char id_text[SERIES_ID_BYTES + 1];
};

/* ---- ids ----------------------------------------------------------------------- */

static uint64_t hash(const char *s)
{
	uint64_t h = 14695981039346656037U; /* FNV-1a */
	while (*s)
		h = (h ^ (unsigned char)*s++) * 1099511628211U;
	return h;
}

static size_t *seen_slot(const struct seen *s, const char *id)
{
	size_t i = (size_t)hash(id) & (s->cap - 1);
	while (s->slots[i] && strcmp(s->text.data + s->slots[i] - 1, id) != 0)
		i = (i + 1) & (s->cap - 1);
	return &s->slots[i];
}

static void seen_grow(struct seen *s)
{
	struct seen old = *s;
	s->cap = old.cap ? old.cap * 2 : SEEN_FIRST;
	s->slots = mem_alloc(s->cap * sizeof *s->slots);
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i])
			*seen_slot(s, s->text.data + old.slots[i] - 1) = old.slots[i];
	free(old.slots);
}

/* False if it is there already. */
static bool seen_add(struct seen *s, const char *id)
{
	if (s->n * 2 >= s->cap)
		seen_grow(s);
	size_t *slot = seen_slot(s, id);
	if (*slot)
		return false;
	*slot = s->text.len + 1;
	buf_put(&s->text, id, strlen(id) + 1);
	s->n++;
	return true;
}

/* ---- fields -------------------------------------------------------------------- */

static bool is_digits(const char *s, size_t n)
{
	return strspn(s, "0123456789") >= n;
}

static int two(const char *s)
{
	return (s[0] - '0') * 10 + (s[1] - '0');
}

bool series_time_parse(const char *text, int64_t *out)
{
	char date[DATE_LENGTH + 1] = "";
	size_t n = strlen(text);
	for (size_t i = 0; i < DATE_LENGTH && i < n; i++)
		date[i] = text[i];
	if (!num_is_date(date))
		return false;
	*out = demo_date_parse(date) * 86400;
	if (n == DATE_LENGTH)
		return true;
	const char *clock = text + DATE_LENGTH + 1;
	bool seconds = n == strlen("2015-01-01T00:00:00");
	if ((!seconds && n != strlen("2015-01-01T00:00")) || !strchr("T ", clock[-1]))
		return false;
	if (!is_digits(clock, 2) || clock[2] != ':' || !is_digits(clock + 3, 2))
		return false;
	if (seconds && (clock[5] != ':' || !is_digits(clock + 6, 2)))
		return false;
	int h = two(clock), m = two(clock + 3), s = seconds ? two(clock + 6) : 0;
	*out += h * 3600 + m * 60 + s;
	return h < 24 && m < 60 && s < 60;
}

static bool is_unknown(const char *s)
{
	static const char *const words[] = {"", "NA", "NaN", "null"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcasecmp(s, words[i]) == 0)
			return true;
	return false;
}

static enum err read_value(const struct series_file *f, double *out, struct errbuf *eb)
{
	const char *text = csv_file_field(f->csv, f->y);
	uint64_t line = csv_file_line(f->csv);
	char *end = NULL;
	*out = NAN;
	if (is_unknown(text))
		return ERR_OK;
	*out = strtod(text, &end);
	if (*end != '\0' || (isfinite(*out) && strspn(text, "+-.0123456789eE") != strlen(text)))
		return csv_file_refuse(f->csv, line, "y", eb, "\"%.40s\" is not a number", text);
	if (!isfinite(*out))
		return csv_file_refuse(f->csv, line, "y", eb, "\"%.40s\" is not finite", text);
	if (fabs(*out) > VALUE_MAX)
		return csv_file_refuse(f->csv, line, "y", eb, "%.40s is beyond %g", text, VALUE_MAX);
	return ERR_OK;
}

static enum err read_time(const struct series_file *f, int64_t *out, struct errbuf *eb)
{
	bool dated = f->ds >= 0;
	const char *text = csv_file_field(f->csv, dated ? f->ds : f->t);
	uint64_t line = csv_file_line(f->csv);
	if (dated && !series_time_parse(text, out))
		return csv_file_refuse(f->csv, line, "ds", eb,
		                       "\"%.40s\" is no time as 2015-01-31 or 2015-01-31 23:00:00", text);
	if (!dated && !num_parse_int(text, -INT64_C(1000000000000), INT64_C(1000000000000), out))
		return csv_file_refuse(f->csv, line, "t", eb, "\"%.40s\" is no whole number", text);
	return ERR_OK;
}

static enum err check_id(struct series_file *f, struct errbuf *eb)
{
	const char *id = csv_file_field(f->csv, f->id);
	uint64_t line = csv_file_line(f->csv);
	if (f->id >= 0 && *id == '\0')
		return csv_file_refuse(f->csv, line, "id", eb, "it is empty");
	if (strlen(id) > SERIES_ID_BYTES)
		return csv_file_refuse(f->csv, line, "id", eb, "longer than %d bytes", SERIES_ID_BYTES);
	if (!seen_add(&f->seen, id))
		return csv_file_refuse(f->csv, line, "id", eb,
		                       "series \"%.100s\" was left before; its rows must stand together",
		                       id);
	memcpy(f->id_text, id, strlen(id) + 1);
	return ERR_OK;
}

/* ---- rows of one series ----------------------------------------------------------- */

static enum err keep_row(struct series_file *f, struct errbuf *eb)
{
	struct series_row row = {.line = csv_file_line(f->csv), .text = f->texts.len};
	enum err rc = read_time(f, &row.at, eb);
	if (rc == ERR_OK)
		rc = read_value(f, &row.y, eb);
	if (rc != ERR_OK)
		return rc;
	if (f->rows_n == SERIES_POINTS)
		return csv_file_refuse(f->csv, row.line, NULL, eb, "more than %d rows of one series",
		                       SERIES_POINTS);
	if (f->rows_n == f->rows_cap) {
		f->rows_cap = f->rows_cap ? f->rows_cap * 2 : 1024;
		f->rows = mem_realloc(f->rows, f->rows_cap * sizeof *f->rows);
	}
	f->rows[f->rows_n++] = row;
	const char *text = csv_file_field(f->csv, f->ds >= 0 ? f->ds : f->t);
	buf_put(&f->texts, text, strlen(text) + 1);
	return ERR_OK;
}

static enum err read_rows(struct series_file *f, struct errbuf *eb)
{
	enum err rc = check_id(f, eb);
	while (rc == ERR_OK) {
		rc = keep_row(f, eb);
		bool more = false;
		if (rc == ERR_OK)
			rc = csv_file_next(f->csv, &more, eb);
		if (rc != ERR_OK)
			break;
		f->waiting = more;
		f->ended = !more;
		if (f->ended || strcmp(csv_file_field(f->csv, f->id), f->id_text) != 0)
			break;
	}
	return rc;
}

static enum err lay_out(const struct series_file *f, struct arena *arena, struct series *out,
                        struct errbuf *eb)
{
	struct series_step step;
	struct series_fault fault;
	const char *axis = f->ds >= 0 ? "ds" : "t";
	if (!series_step_find(f->rows, f->rows_n, f->ds >= 0, &step, &fault))
		return csv_file_refuse(f->csv, fault.line, axis, eb, "%s", fault.text);
	if (step.n > SERIES_POINTS)
		return csv_file_refuse(f->csv, f->rows[0].line, axis, eb,
		                       "the series has %" PRId64 " steps of %" PRId64
		                       ", which is more than %d",
		                       step.n, step.length, SERIES_POINTS);
	char *texts = arena_alloc(arena, f->texts.len);
	memcpy(texts, f->texts.data, f->texts.len);
	*out = (struct series){.id = arena_strdup(arena, f->id_text),
	                       .y = arena_array(arena, (size_t)step.n, sizeof *out->y),
	                       .t = arena_array(arena, (size_t)step.n, sizeof *out->t),
	                       .n = (size_t)step.n};
	if (f->ds >= 0) {
		out->step_s = (int32_t)step.length;
		out->start_s = f->rows[0].at;
	}
	series_step_fill(f->rows, f->rows_n, &step, f->ds >= 0, out->y);
	for (size_t i = f->rows_n; i-- > 0;)
		out->t[series_step_place(f->rows, &step, i)] = texts + f->rows[i].text;
	return ERR_OK;
}

enum err series_file_next(struct series_file *f, struct arena *arena, struct series *out,
                          bool *more, struct errbuf *eb)
{
	*more = false;
	enum err rc = ERR_OK;
	if (!f->waiting && !f->ended) {
		rc = csv_file_next(f->csv, &f->waiting, eb);
		f->ended = !f->waiting;
	}
	if (rc != ERR_OK || f->ended)
		return rc;
	f->rows_n = 0;
	buf_clear(&f->texts);
	rc = read_rows(f, eb);
	if (rc == ERR_OK)
		rc = lay_out(f, arena, out, eb);
	*more = rc == ERR_OK;
	return rc;
}

/* ---- the file ------------------------------------------------------------------ */

static enum err find_columns(struct series_file *f, struct errbuf *eb)
{
	const struct {
		const char *name;
		int *at;
	} columns[] = {{"id", &f->id}, {"t", &f->t}, {"ds", &f->ds}, {"y", &f->y}};
	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
		enum err rc = csv_file_column(f->csv, columns[i].name, columns[i].at, eb);
		if (rc != ERR_OK)
			return rc;
	}
	if (f->y < 0)
		return csv_file_refuse(f->csv, 1, "y", eb, "the header does not have it");
	if (f->t < 0 && f->ds < 0)
		return csv_file_refuse(f->csv, 1, "ds", eb, "the header has neither ds nor t");
	return ERR_OK;
}

enum err series_file_open(struct series_file **out, const char *path, struct errbuf *eb)
{
	struct series_file *f = mem_alloc(sizeof *f);
	enum err rc = csv_file_open(&f->csv, path, eb);
	if (rc == ERR_OK)
		rc = find_columns(f, eb);
	if (rc == ERR_OK)
		*out = f;
	else
		series_file_close(f);
	return rc;
}

void series_file_close(struct series_file *f)
{
	if (!f)
		return;
	csv_file_close(f->csv);
	buf_fini(&f->seen.text);
	buf_fini(&f->texts);
	free(f->seen.slots);
	free(f->rows);
	free(f);
}

bool series_file_dated(const struct series_file *f)
{
	return f->ds >= 0;
}

int64_t series_file_read(const struct series_file *f)
{
	return csv_file_read(f->csv);
}

int64_t series_file_size(const struct series_file *f)
{
	return csv_file_size(f->csv);
}
