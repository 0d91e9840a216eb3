/* statement.c: from `-- name:` blocks to prepared texts. */
#include "db/statement.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assets.h"
#include "base/buf.h"

static const char QUERIES[] = "sql/queries/";
static const char MARK[] = "-- name: ";

static struct {
	struct statement *rows;
	int n, cap;
} set;

static bool word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static int param_number(struct statement *s, const char *name, size_t n)
{
	for (int i = 0; i < s->params_n; i++)
		if (strlen(s->params[i]) == n && strncmp(s->params[i], name, n) == 0)
			return i + 1;
	must(s->params_n < STATEMENT_PARAMS);
	char *copy = mem_alloc(n + 1);
	memcpy(copy, name, n);
	s->params[s->params_n++] = copy;
	return s->params_n;
}

/* The end of a literal or comment that starts at p, or p if none does. */
static const char *skip_quoted(const char *p, const char *end)
{
	if (*p == '\'' || *p == '"') {
		const char *close = memchr(p + 1, *p, (size_t)(end - p - 1));
		must(close != NULL);
		return close + 1;
	}
	if (p[0] == '-' && p[1] == '-') {
		const char *eol = memchr(p, '\n', (size_t)(end - p));
		return eol ? eol : end;
	}
	return p;
}

static void translate(struct statement *s, const char *p, const char *end, struct buf *out)
{
	while (p < end) {
		const char *after = skip_quoted(p, end);
		if (after > p) {
			if (*p != '-')
				buf_put(out, p, (size_t)(after - p));
			p = after;
		} else if (p[0] == ':' && p[1] == ':') {
			buf_puts(out, "::");
			p += 2;
		} else if (p[0] == ':' && islower((unsigned char)p[1])) {
			const char *w = p + 1;
			while (w < end && word_char(*w))
				w++;
			buf_printf(out, "$%d", param_number(s, p + 1, (size_t)(w - p - 1)));
			p = w;
		} else {
			buf_putc(out, *p++);
		}
	}
}

static void add(const char *name, size_t name_n, const char *text, const char *end)
{
	if (set.n == set.cap) {
		set.cap = set.cap ? set.cap * 2 : 64;
		set.rows = mem_realloc(set.rows, (size_t)set.cap * sizeof *set.rows);
	}
	struct statement *s = &set.rows[set.n];
	struct buf sql;
	*s = (struct statement){.index = set.n};
	char *copy = mem_alloc(name_n + 1);
	memcpy(copy, name, name_n);
	s->name = copy;
	buf_init(&sql);
	translate(s, text, end, &sql);
	s->sql = mem_strdup(buf_str(&sql));
	buf_fini(&sql);
	must(statement_find(s->name) == NULL);
	set.n++;
}

static void load_file(const char *text)
{
	const char *p = strstr(text, MARK);
	while (p) {
		const char *name = p + strlen(MARK);
		size_t name_n = strcspn(name, "\n");
		const char *next = strstr(name, MARK);
		add(name, name_n, name + name_n, next ? next : name + strlen(name));
		p = next;
	}
}

void statement_load_all(void)
{
	must(set.n == 0);
	for (const struct asset *a = assets; a->path; a++)
		if (strncmp(a->path, QUERIES, strlen(QUERIES)) == 0)
			load_file(a->text);
}

const struct statement *statement_find(const char *name)
{
	for (int i = 0; i < set.n; i++)
		if (strcmp(set.rows[i].name, name) == 0)
			return &set.rows[i];
	return NULL;
}

const struct statement *statement_get(int i)
{
	return i >= 0 && i < set.n ? &set.rows[i] : NULL;
}

int statement_count(void)
{
	return set.n;
}
