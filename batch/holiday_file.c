/* holiday_file.c: one list, sorted by whom a day is for. */
#include "batch/holiday_file.h"

#include <stdlib.h>
#include <string.h>

#include "batch/csv_file.h"
#include "batch/series_file.h"

struct holiday {
	struct forecast_special special;
	const char *id;
	size_t at; /* in the file */
};

struct list {
	struct holiday *rows;
	size_t n, cap;
	int id, ds, name; /* columns */
};

static enum err find_column(const struct csv_file *csv, const char *name, const char *other,
                            int *out, struct errbuf *eb)
{
	enum err rc = csv_file_column(csv, name, out, eb);
	if (rc == ERR_OK && *out < 0)
		rc = csv_file_column(csv, other, out, eb);
	if (rc == ERR_OK && *out < 0)
		rc = csv_file_refuse(csv, 1, name, eb, "the header has neither %s nor %s", name, other);
	return rc;
}

static enum err find_columns(struct list *l, const struct csv_file *csv, struct errbuf *eb)
{
	enum err rc = csv_file_column(csv, "id", &l->id, eb);
	if (rc == ERR_OK)
		rc = find_column(csv, "ds", "date", &l->ds, eb);
	if (rc == ERR_OK)
		rc = find_column(csv, "holiday", "name", &l->name, eb);
	return rc;
}

static enum err keep(struct list *l, const struct csv_file *csv, struct arena *arena,
                     struct errbuf *eb)
{
	int64_t at_s = 0;
	uint64_t line = csv_file_line(csv);
	const char *ds = csv_file_field(csv, l->ds), *name = csv_file_field(csv, l->name);
	if (!series_time_parse(ds, &at_s))
		return csv_file_refuse(csv, line, "ds", eb, "\"%.40s\" is no date as 2015-01-31", ds);
	if (*name == '\0')
		return csv_file_refuse(csv, line, "holiday", eb, "it is empty");
	if (l->n == HOLIDAYS)
		return csv_file_refuse(csv, line, NULL, eb, "more than %d holidays", HOLIDAYS);
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 256;
		l->rows = mem_realloc(l->rows, l->cap * sizeof *l->rows);
	}
	int64_t day = (at_s - ((at_s % 86400) + 86400) % 86400) / 86400;
	l->rows[l->n] = (struct holiday){.special = {(int32_t)day, arena_strdup(arena, name)},
	                                 .id = arena_strdup(arena, csv_file_field(csv, l->id)),
	                                 .at = l->n};
	l->n++;
	return ERR_OK;
}

static int by_id(const void *a, const void *b)
{
	const struct holiday *x = a, *y = b;
	int order = strcmp(x->id, y->id);
	return order ? order : (x->at > y->at) - (x->at < y->at);
}

static void take(struct holiday_file *out, struct list *l, struct arena *arena)
{
	*out = (struct holiday_file){.all = arena_array(arena, l->n, sizeof *out->all),
	                             .id = arena_array(arena, l->n, sizeof *out->id),
	                             .n = l->n};
	if (l->n > 0)
		qsort(l->rows, l->n, sizeof *l->rows, by_id);
	for (size_t i = 0; i < l->n; i++) {
		out->all[i] = l->rows[i].special;
		out->id[i] = l->rows[i].id;
		out->common_n += *out->id[i] == '\0';
	}
}

enum err holiday_file_read(struct holiday_file *out, const char *path, struct arena *arena,
                           struct errbuf *eb)
{
	struct list l = {0};
	struct csv_file *csv = NULL;
	enum err rc = csv_file_open(&csv, path, eb);
	if (rc == ERR_OK)
		rc = find_columns(&l, csv, eb);
	for (bool more = true; rc == ERR_OK;) {
		rc = csv_file_next(csv, &more, eb);
		if (rc != ERR_OK || !more)
			break;
		rc = keep(&l, csv, arena, eb);
	}
	if (rc == ERR_OK)
		take(out, &l, arena);
	free(l.rows);
	csv_file_close(csv);
	return rc;
}

/* The first one whose id is not below. */
static size_t lower_bound(const struct holiday_file *h, const char *id)
{
	size_t from = h->common_n, to = h->n;
	while (from < to) {
		size_t mid = from + (to - from) / 2;
		if (strcmp(h->id[mid], id) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

const struct forecast_special *holiday_file_of(const struct holiday_file *h, const char *id,
                                               struct arena *arena, size_t *n)
{
	size_t from = lower_bound(h, id), to = from;
	while (to < h->n && strcmp(h->id[to], id) == 0)
		to++;
	*n = h->common_n + (to - from);
	if (to == from)
		return h->all;
	struct forecast_special *own = arena_array(arena, *n, sizeof *own);
	memcpy(own, h->all, h->common_n * sizeof *own);
	memcpy(own + h->common_n, h->all + from, (to - from) * sizeof *own);
	return own;
}
