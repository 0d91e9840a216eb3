/* decode_pgoutput.c: PostgreSQL's logical replication messages, protocol version 1,
 * https://www.postgresql.org/docs/15/protocol-logicalrep-message-formats.html */
#include "stream/decode.h"

#include <stdlib.h>
#include <string.h>

#include "base/time_text.h"

enum {
	RELATIONS_MAX = 100000,
	COLUMNS_MAX = 1600, /* PostgreSQL's own limit */
	OID_FLOAT4 = 700,
	OID_FLOAT8 = 701,
	OID_TIMESTAMP = 1114,
	OID_TIMESTAMPTZ = 1184,
};

#define EPOCH_2000_US TIME_2000_US /* what its times count from */

struct column {
	const char *name;
	bool key;
	uint32_t type;
};

struct relation {
	uint32_t id;
	struct arena arena; /* its names */
	const char *schema, *table;
	bool full; /* REPLICA IDENTITY FULL: every column is marked, and none is a key */
	struct column *columns;
	int columns_n;
};

struct pgoutput {
	struct relation *relations;
	int n, cap, last;  /* last: the one found last */
	int64_t commit_us; /* of the transaction under way; 0: none */
	bool committed;
	int64_t end_lsn;
};

struct pgoutput *pgoutput_new(void)
{
	return mem_alloc(sizeof(struct pgoutput));
}

void pgoutput_free(struct pgoutput *p)
{
	if (!p)
		return;
	for (int i = 0; i < p->n; i++)
		arena_fini(&p->relations[i].arena);
	free(p->relations);
	free(p);
}

bool pgoutput_committed(const struct pgoutput *p, int64_t *end_lsn)
{
	*end_lsn = p->end_lsn;
	return p->committed;
}

/* ---- bytes ------------------------------------------------------------------- */

/* What is left to read; once something was not there, all that follows is 0. */
struct reader {
	const unsigned char *p, *end;
	bool short_of;
};

static const unsigned char *take(struct reader *r, size_t n)
{
	if (r->short_of || (size_t)(r->end - r->p) < n) {
		r->short_of = true;
		return NULL;
	}
	r->p += n;
	return r->p - n;
}

static uint64_t take_uint(struct reader *r, size_t n)
{
	const unsigned char *p = take(r, n);
	uint64_t v = 0;
	for (size_t i = 0; p && i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static int64_t take_int64(struct reader *r)
{
	return (int64_t)take_uint(r, 8);
}

static const char *take_string(struct reader *r)
{
	const unsigned char *end = r->short_of ? NULL : memchr(r->p, 0, (size_t)(r->end - r->p));
	if (!end) {
		r->short_of = true;
		return "";
	}
	const char *s = (const char *)r->p;
	r->p = end + 1;
	return s;
}

static enum err broken(const char *what, struct errbuf *eb)
{
	return err_set(eb, ERR_MALFORMED, "pgoutput: %s", what);
}

/* Nothing missing and nothing left over. */
static enum err check_end(const struct reader *r, struct errbuf *eb)
{
	if (r->short_of)
		return broken("the message ends too early", eb);
	return r->p == r->end ? ERR_OK : broken("the message is longer than it says", eb);
}

/* ---- relations ----------------------------------------------------------------- */

static struct relation *find_relation(struct pgoutput *p, uint32_t id)
{
	if (p->last < p->n && p->relations[p->last].id == id)
		return &p->relations[p->last];
	for (int i = 0; i < p->n; i++)
		if (p->relations[i].id == id) {
			p->last = i;
			return &p->relations[i];
		}
	return NULL;
}

static struct relation *new_relation(struct pgoutput *p)
{
	if (p->n == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 8;
		p->relations = mem_realloc(p->relations, (size_t)p->cap * sizeof *p->relations);
	}
	p->last = p->n;
	return &p->relations[p->n++];
}

static enum err take_relation(struct pgoutput *p, struct reader *r, struct errbuf *eb)
{
	struct relation rel = {.id = (uint32_t)take_uint(r, 4)};
	arena_init(&rel.arena);
	rel.schema = arena_strdup(&rel.arena, take_string(r));
	rel.table = arena_strdup(&rel.arena, take_string(r));
	rel.full = take_uint(r, 1) == 'f';
	rel.columns_n = (int)take_uint(r, 2);
	if (rel.columns_n > COLUMNS_MAX)
		r->short_of = true;
	for (int i = 0; !r->short_of && i < rel.columns_n; i++) {
		if (i == 0)
			rel.columns = arena_array(&rel.arena, (size_t)rel.columns_n, sizeof *rel.columns);
		rel.columns[i].key = take_uint(r, 1) & 1;
		rel.columns[i].name = arena_strdup(&rel.arena, take_string(r));
		rel.columns[i].type = (uint32_t)take_uint(r, 4);
		(void)take_uint(r, 4); /* the type's modifier */
	}
	enum err rc = check_end(r, eb);
	struct relation *known = rc == ERR_OK ? find_relation(p, rel.id) : NULL;
	if (rc == ERR_OK && !known && p->n == RELATIONS_MAX)
		rc = broken("too many tables", eb);
	if (rc != ERR_OK) {
		arena_fini(&rel.arena);
		return rc;
	}
	if (known)
		arena_fini(&known->arena);
	else
		known = new_relation(p);
	*known = rel;
	return ERR_NOTHING;
}

static enum err take_known(struct pgoutput *p, struct reader *r, const struct relation **out,
                           struct errbuf *eb)
{
	uint32_t id = (uint32_t)take_uint(r, 4);
	*out = find_relation(p, id);
	return *out ? ERR_OK : broken("a row of a table that was not described", eb);
}

/* ---- values -------------------------------------------------------------------- */

static const char *clock_text(struct arena *a, const char *text, bool zoned)
{
	char iso[TIME_TEXT_BYTES];
	int64_t us;
	enum time_kind wanted = zoned ? TIME_INSTANT : TIME_WALL;
	bool read = time_parse(text, &us) == wanted && time_format(us, zoned, iso);
	return read ? arena_strdup(a, iso) : text; /* infinity, BC: whoever needs it judges it */
}

static enum err take_text(struct arena *a, const struct column *c, struct reader *r,
                          struct row_value *out, struct errbuf *eb)
{
	size_t n = (size_t)take_uint(r, 4);
	const unsigned char *bytes = take(r, n);
	if (!bytes || memchr(bytes, 0, n))
		return broken("a value ends too early or has a zero byte", eb);
	out->text = arena_strndup(a, (const char *)bytes, n);
	out->kind = c->type == OID_FLOAT4 || c->type == OID_FLOAT8 ? VALUE_FLOAT : VALUE_TEXT;
	if (c->type == OID_TIMESTAMP || c->type == OID_TIMESTAMPTZ)
		out->text = clock_text(a, out->text, c->type == OID_TIMESTAMPTZ);
	return ERR_OK;
}

static enum err take_value(struct arena *a, const struct column *c, struct reader *r,
                           struct row_value *out, struct errbuf *eb)
{
	out->name = c->name;
	switch (take_uint(r, 1)) {
	case 'n':
		out->kind = VALUE_NULL;
		return ERR_OK;
	case 'u':
		out->kind = VALUE_KEPT;
		return ERR_OK;
	case 't':
		return take_text(a, c, r, out, eb);
	default:
		return broken("a value is neither text nor NULL nor unchanged", eb);
	}
}

static enum err take_tuple(struct arena *a, const struct relation *rel, struct reader *r,
                           struct row_value **out, struct errbuf *eb)
{
	if (take_uint(r, 2) != (uint64_t)rel->columns_n)
		return broken("a row has other columns than its table", eb);
	*out = arena_array(a, (size_t)rel->columns_n, sizeof **out);
	for (int i = 0; i < rel->columns_n; i++) {
		enum err rc = take_value(a, &rel->columns[i], r, &(*out)[i], eb);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

/* The columns of the key among `values`; of a table that is told whole there is none. */
static int key_of(struct arena *a, const struct relation *rel, const struct row_value *values,
                  const struct row_value **out)
{
	if (rel->full)
		return 0;
	struct row_value *key = arena_array(a, (size_t)rel->columns_n, sizeof *key);
	int n = 0;
	for (int i = 0; i < rel->columns_n; i++)
		if (rel->columns[i].key)
			key[n++] = values[i];
	*out = key;
	return n;
}

/* ---- rows ------------------------------------------------------------------------ */

static void set_row(struct arena *a, const struct relation *rel, struct row_value *values,
                    struct row_change *out)
{
	must(values);
	out->columns = values;
	out->columns_n = rel->columns_n;
	out->key_n = key_of(a, rel, values, &out->key);
}

static void name_table(const struct relation *rel, struct row_change *out)
{
	out->schema = rel->schema;
	out->table = rel->table;
}

static enum err take_insert(struct pgoutput *p, struct reader *r, struct arena *a,
                            struct row_change *out, struct errbuf *eb)
{
	const struct relation *rel;
	struct row_value *now = NULL;
	enum err rc = take_known(p, r, &rel, eb);
	if (rc == ERR_OK && take_uint(r, 1) != 'N')
		rc = broken("an insert without a row", eb);
	if (rc == ERR_OK)
		rc = take_tuple(a, rel, r, &now, eb);
	if (rc == ERR_OK)
		rc = check_end(r, eb);
	if (rc != ERR_OK)
		return rc;
	name_table(rel, out);
	set_row(a, rel, now, out);
	return ERR_OK;
}

/* What an update did not send is in the old row, where that was sent whole. */
static void fill_kept(const struct relation *rel, const struct row_value *old,
                      struct row_value *now)
{
	for (int i = 0; i < rel->columns_n; i++)
		if (now[i].kind == VALUE_KEPT)
			now[i] = old[i];
}

static enum err take_update(struct pgoutput *p, struct reader *r, struct arena *a,
                            struct row_change *out, struct errbuf *eb)
{
	const struct relation *rel;
	struct row_value *old = NULL, *now = NULL;
	enum err rc = take_known(p, r, &rel, eb);
	uint64_t which = take_uint(r, 1);
	if (rc == ERR_OK && (which == 'K' || which == 'O')) {
		rc = take_tuple(a, rel, r, &old, eb);
		if (rc == ERR_OK && take_uint(r, 1) != 'N')
			rc = broken("an update without a row", eb);
	} else if (rc == ERR_OK && which != 'N') {
		rc = broken("an update without a row", eb);
	}
	if (rc == ERR_OK)
		rc = take_tuple(a, rel, r, &now, eb);
	if (rc == ERR_OK)
		rc = check_end(r, eb);
	if (rc != ERR_OK)
		return rc;
	name_table(rel, out);
	if (old && which == 'O')
		fill_kept(rel, old, now);
	set_row(a, rel, now, out);
	if (old && which == 'O') {
		out->was = old;
		out->was_n = rel->columns_n;
	} else if (old) {
		out->was_n = key_of(a, rel, old, &out->was);
	}
	return ERR_OK;
}

/* Of a row that is told by its key, the other columns are not there; they are sent as NULL. */
static enum err take_delete(struct pgoutput *p, struct reader *r, struct arena *a,
                            struct row_change *out, struct errbuf *eb)
{
	const struct relation *rel;
	struct row_value *old = NULL;
	enum err rc = take_known(p, r, &rel, eb);
	uint64_t which = take_uint(r, 1);
	if (rc == ERR_OK && which != 'K' && which != 'O')
		rc = broken("a delete without a row", eb);
	if (rc == ERR_OK)
		rc = take_tuple(a, rel, r, &old, eb);
	if (rc == ERR_OK)
		rc = check_end(r, eb);
	if (rc != ERR_OK)
		return rc;
	name_table(rel, out);
	set_row(a, rel, old, out);
	if (which == 'K') {
		out->columns = out->key;
		out->columns_n = out->key_n;
	}
	return ERR_OK;
}

/* One message for all tables of a TRUNCATE; the first that is looked at stands for them. */
static enum err take_truncate(struct pgoutput *p, struct reader *r, struct row_change *out,
                              struct errbuf *eb)
{
	uint64_t n = take_uint(r, 4);
	(void)take_uint(r, 1); /* CASCADE, RESTART IDENTITY */
	const struct relation *named = NULL;
	for (uint64_t i = 0; i < n && !r->short_of; i++) {
		const struct relation *rel;
		enum err rc = take_known(p, r, &rel, eb);
		if (rc != ERR_OK)
			return rc;
		if (!named || (row_table_known(rel->table) && !row_table_known(named->table)))
			named = rel;
	}
	enum err rc = check_end(r, eb);
	if (rc == ERR_OK && !named)
		rc = ERR_NOTHING;
	if (rc == ERR_OK)
		name_table(named, out);
	return rc;
}

/* ---- transactions ------------------------------------------------------------------ */

static enum err take_begin(struct pgoutput *p, struct reader *r, struct errbuf *eb)
{
	(void)take_int64(r); /* the LSN of its end */
	int64_t at = take_int64(r);
	(void)take_uint(r, 4); /* its id */
	enum err rc = check_end(r, eb);
	if (rc != ERR_OK)
		return rc;
	bool usable = at > -EPOCH_2000_US && at < TIME_2100_US - EPOCH_2000_US;
	p->commit_us = usable ? at + EPOCH_2000_US : 0;
	return ERR_NOTHING;
}

static enum err take_commit(struct pgoutput *p, struct reader *r, struct errbuf *eb)
{
	(void)take_uint(r, 1); /* flags */
	(void)take_int64(r);   /* the LSN of the commit */
	int64_t end = take_int64(r);
	(void)take_int64(r); /* when */
	enum err rc = check_end(r, eb);
	if (rc != ERR_OK)
		return rc;
	p->committed = true;
	p->end_lsn = end;
	p->commit_us = 0;
	return ERR_NOTHING;
}

enum err pgoutput_decode(struct pgoutput *p, const char *bytes, size_t n, int64_t lsn,
                         struct arena *a, struct row_change *out, struct errbuf *eb)
{
	const unsigned char *first = (const unsigned char *)bytes;
	struct reader r = {first, first + n, false};
	char kind = (char)take_uint(&r, 1);
	p->committed = false;
	*out = (struct row_change){
		.op = ROW_MESSAGE, .schema = "", .table = "", .lsn = lsn, .time_us = p->commit_us};
	switch (kind) {
	case 'B':
		return take_begin(p, &r, eb);
	case 'C':
		return take_commit(p, &r, eb);
	case 'R':
		return take_relation(p, &r, eb);
	case 'I':
		out->op = ROW_CREATE;
		return take_insert(p, &r, a, out, eb);
	case 'U':
		out->op = ROW_UPDATE;
		return take_update(p, &r, a, out, eb);
	case 'D':
		out->op = ROW_DELETE;
		return take_delete(p, &r, a, out, eb);
	case 'T':
		out->op = ROW_TRUNCATE;
		return take_truncate(p, &r, out, eb);
	case 'O': /* origin, type, message: of no interest */
	case 'Y':
	case 'M':
		return ERR_NOTHING;
	default:
		return broken("a message of an unknown kind", eb);
	}
}
