/* csv_file.c: one pass over the bytes, one record kept. */
#include "batch/csv_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "db/db.h"

enum { READ_BYTES = 64 * 1024 };

static const char MARK[] = "\xEF\xBB\xBF";

struct csv_file {
	const char *path;
	int fd;
	int64_t size, taken;
	char in[READ_BYTES];
	size_t in_at, in_n;
	uint64_t line, record_line;
	char record[CSV_RECORD_BYTES + 1]; /* fields, each with its NUL */
	size_t record_n;
	size_t start[CSV_COLUMNS];
	int n;
	char *names[CSV_COLUMNS];
	int names_n; /* 0 until the header is read */
};

enum err csv_file_refuse(const struct csv_file *c, uint64_t line, const char *column,
                         struct errbuf *eb, const char *fmt, ...)
{
	char why[512];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	const char *file = strcmp(c->path, "-") == 0 ? "standard input" : c->path;
	if (!column)
		return err_set(eb, ERR_MALFORMED, "%s, line %" PRIu64 ": %s", file, line, why);
	return err_set_field(eb, ERR_MALFORMED, column, "%s, line %" PRIu64 ", column %s: %s", file,
	                     line, column, why);
}

/* ---- bytes --------------------------------------------------------------------- */

/* The next byte; -1 at the end. */
static enum err peek(struct csv_file *c, int *out, struct errbuf *eb)
{
	while (c->in_at == c->in_n) {
		if (db_interrupted())
			return err_set(eb, ERR_INTERRUPTED, "stopped on request");
		ssize_t got = read(c->fd, c->in, sizeof c->in);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(eb, ERR_IO, "%s cannot be read: %m", c->path);
		c->in_at = 0;
		c->in_n = (size_t)got;
		c->taken += got;
		if (got == 0) {
			*out = -1;
			return ERR_OK;
		}
	}
	*out = (unsigned char)c->in[c->in_at];
	return ERR_OK;
}

static void skip(struct csv_file *c)
{
	if (c->in[c->in_at++] == '\n')
		c->line++;
}

/* ---- a record ------------------------------------------------------------------ */

static enum err put(struct csv_file *c, int byte, struct errbuf *eb)
{
	if (byte == '\0')
		return csv_file_refuse(c, c->line, NULL, eb, "a NUL byte is no text");
	if (c->record_n == CSV_RECORD_BYTES)
		return csv_file_refuse(c, c->record_line, NULL, eb, "longer than %d bytes",
		                       CSV_RECORD_BYTES);
	c->record[c->record_n++] = (char)byte;
	return ERR_OK;
}

/* What stands between quotes, the first of which is already taken. */
static enum err read_quoted(struct csv_file *c, struct errbuf *eb)
{
	for (;;) {
		int byte = 0;
		enum err rc = peek(c, &byte, eb);
		if (rc == ERR_OK && byte < 0)
			rc = csv_file_refuse(c, c->record_line, NULL, eb, "a quoted field has no end");
		if (rc != ERR_OK)
			return rc;
		skip(c);
		if (byte == '"') {
			rc = peek(c, &byte, eb);
			if (rc != ERR_OK || byte != '"')
				return rc;
			skip(c);
		}
		rc = put(c, byte, eb);
		if (rc != ERR_OK)
			return rc;
	}
}

/* Whether a byte order mark is all there is of the first field. */
static bool is_mark(const struct csv_file *c)
{
	return c->names_n == 0 && c->n == 1 && c->record_n == strlen(MARK) &&
	       memcmp(c->record, MARK, c->record_n) == 0;
}

/* One field; *end is what follows it: ',', '\n' or -1. */
static enum err read_field(struct csv_file *c, int *end, struct errbuf *eb)
{
	bool quoted = false;
	size_t from = c->record_n;
	for (;;) {
		int byte = 0;
		enum err rc = peek(c, &byte, eb);
		if (rc != ERR_OK)
			return rc;
		*end = byte;
		if (byte >= 0)
			skip(c);
		if (byte < 0 || byte == ',' || byte == '\n')
			break;
		if (quoted && byte != '\r')
			return csv_file_refuse(c, c->line, NULL, eb, "text stands behind a quoted field");
		if (byte == '"' && !quoted && (c->record_n == from || is_mark(c))) {
			quoted = true;
			rc = read_quoted(c, eb);
		} else {
			rc = byte == '\r' && quoted ? ERR_OK : put(c, byte, eb);
		}
		if (rc != ERR_OK)
			return rc;
	}
	if (*end != ',' && !quoted && c->record_n > from && c->record[c->record_n - 1] == '\r')
		c->record_n--;
	return ERR_OK;
}

static enum err read_record(struct csv_file *c, int *end, struct errbuf *eb)
{
	c->record_line = c->line;
	c->record_n = 0;
	c->n = 0;
	do {
		if (c->n == CSV_COLUMNS)
			return csv_file_refuse(c, c->record_line, NULL, eb, "more than %d columns",
			                       CSV_COLUMNS);
		c->start[c->n++] = c->record_n;
		enum err rc = read_field(c, end, eb);
		if (rc != ERR_OK)
			return rc;
		c->record[c->record_n] = '\0';
		if (*end == ',' && c->record_n++ == CSV_RECORD_BYTES)
			return csv_file_refuse(c, c->record_line, NULL, eb, "longer than %d bytes",
			                       CSV_RECORD_BYTES);
	} while (*end == ',');
	return ERR_OK;
}

static bool is_space(char byte)
{
	return byte == ' ' || byte == '\t';
}

static void trim(struct csv_file *c)
{
	for (int i = 0; i < c->n; i++) {
		char *from = c->record + c->start[i], *end = from + strlen(from);
		while (is_space(*from))
			from++;
		while (end > from && is_space(end[-1]))
			*--end = '\0';
		c->start[i] = (size_t)(from - c->record);
	}
}

enum err csv_file_next(struct csv_file *c, bool *more, struct errbuf *eb)
{
	int end = 0;
	do {
		enum err rc = read_record(c, &end, eb);
		if (rc != ERR_OK)
			return rc;
		trim(c);
	} while (end >= 0 && c->n == 1 && *csv_file_field(c, 0) == '\0');
	*more = c->n > 1 || *csv_file_field(c, 0) != '\0';
	if (*more && c->names_n > 0 && c->n != c->names_n)
		return csv_file_refuse(c, c->record_line, NULL, eb, "%d columns where the header has %d",
		                       c->n, c->names_n);
	return ERR_OK;
}

/* ---- the file ------------------------------------------------------------------ */

static enum err open_path(struct csv_file *c, struct errbuf *eb)
{
	struct stat st;
	c->fd = strcmp(c->path, "-") == 0 ? STDIN_FILENO : open(c->path, O_RDONLY | O_CLOEXEC);
	if (c->fd < 0 || fstat(c->fd, &st) != 0)
		return err_set(eb, ERR_IO, "%s cannot be read: %m", c->path);
	if (S_ISDIR(st.st_mode))
		return err_set(eb, ERR_IO, "%s is a directory", c->path);
	c->size = S_ISREG(st.st_mode) ? st.st_size : 0;
	return ERR_OK;
}

static enum err read_header(struct csv_file *c, struct errbuf *eb)
{
	bool more = false;
	enum err rc = csv_file_next(c, &more, eb);
	if (rc != ERR_OK)
		return rc;
	if (!more)
		return csv_file_refuse(c, 1, NULL, eb, "there is no header");
	for (int i = 0; i < c->n; i++) {
		const char *name = csv_file_field(c, i);
		bool marked = i == 0 && strncmp(name, MARK, strlen(MARK)) == 0;
		c->names[i] = mem_strdup(marked ? name + strlen(MARK) : name);
	}
	c->names_n = c->n;
	return ERR_OK;
}

enum err csv_file_open(struct csv_file **out, const char *path, struct errbuf *eb)
{
	struct csv_file *c = mem_alloc(sizeof *c);
	c->path = path;
	c->line = 1;
	enum err rc = open_path(c, eb);
	if (rc == ERR_OK)
		rc = read_header(c, eb);
	if (rc == ERR_OK)
		*out = c;
	else
		csv_file_close(c);
	return rc;
}

void csv_file_close(struct csv_file *c)
{
	if (!c)
		return;
	for (int i = 0; i < c->names_n; i++)
		free(c->names[i]);
	if (c->fd > STDIN_FILENO)
		(void)close(c->fd);
	free(c);
}

enum err csv_file_column(const struct csv_file *c, const char *name, int *out, struct errbuf *eb)
{
	*out = -1;
	for (int i = 0; i < c->names_n; i++) {
		if (strcasecmp(c->names[i], name) != 0)
			continue;
		if (*out >= 0)
			return csv_file_refuse(c, 1, name, eb, "the header has it twice");
		*out = i;
	}
	return ERR_OK;
}

const char *csv_file_field(const struct csv_file *c, int column)
{
	return column < 0 ? "" : c->record + c->start[column];
}

uint64_t csv_file_line(const struct csv_file *c)
{
	return c->record_line;
}

int64_t csv_file_read(const struct csv_file *c)
{
	return c->taken;
}

int64_t csv_file_size(const struct csv_file *c)
{
	return c->size;
}
