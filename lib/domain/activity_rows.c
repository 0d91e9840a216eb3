/* activity_rows.c: events become rows of COPY where they are read, by the thread that read them, so
 * that whoever stores many of them has next to nothing left to do. */
#include "domain/activity_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	COLUMNS = 17,
	BUILT_IN = 8, /* dimensions */
	TEXT_OID = 25,
	NUMERIC_DIGITS = 64, /* of a price, before or behind its point */
	SAMPLE_BYTES = 200,
};

static const int64_t HOUR_US = INT64_C(3600000000);
static const int64_t EPOCH_US = INT64_C(946684800000000); /* PostgreSQL counts from 2000 on */

/* ---- lists -------------------------------------------------------------------------- */

/* Room for one more behind `n`: twice as much whenever a power of two is full. */
static void *grown(void *list, int n, size_t size)
{
	return n & (n - 1) ? list : mem_realloc(list, (n ? 2 * (size_t)n : 1) * size);
}

struct activity_rows *activity_rows_new(void)
{
	struct activity_rows *r = mem_alloc(sizeof *r);
	*r = (struct activity_rows){0};
	arena_init(&r->arena);
	return r;
}

void activity_rows_free(struct activity_rows *r)
{
	if (!r)
		return;
	activity_sums_fini(&r->sums);
	free(r->items);
	free(r->aparts);
	free(r->sources);
	buf_fini(&r->tuples);
	buf_fini(&r->ids);
	arena_fini(&r->arena);
	free(r);
}

void activity_rows_clear(struct activity_rows *r)
{
	buf_clear(&r->tuples);
	buf_clear(&r->ids);
	arena_reset(&r->arena);
	r->items_n = r->aparts_n = r->sources_n = 0;
	r->sums.counts_n = r->sums.warns_n = 0;
	r->payload_bytes = 0;
}

int activity_rows_n(const struct activity_rows *r)
{
	return r->items_n;
}

size_t activity_rows_bytes(const struct activity_rows *r)
{
	return r->tuples.len + r->ids.len + r->payload_bytes;
}

static const char *intern(struct activity_rows *r, const char *source)
{
	for (int i = 0; i < r->sources_n; i++)
		if (strcmp(r->sources[i], source) == 0)
			return r->sources[i];
	r->sources = grown(r->sources, r->sources_n, sizeof *r->sources);
	return r->sources[r->sources_n++] = arena_strdup(&r->arena, source);
}

/* ---- sums ---------------------------------------------------------------------------- */

static int64_t hour_of(int64_t us)
{
	return us - (us % HOUR_US + HOUR_US) % HOUR_US;
}

void activity_sums_fini(struct activity_sums *s)
{
	free(s->counts);
	free(s->warns);
	*s = (struct activity_sums){0};
}

void activity_sums_count(struct activity_sums *s, const char *source, int64_t received_us,
                         enum activity_outcome outcome, int64_t n)
{
	int64_t hour_us = hour_of(received_us);
	int i = 0;
	while (i < s->counts_n &&
	       (s->counts[i].hour_us != hour_us || strcmp(s->counts[i].source, source) != 0))
		i++;
	if (i == s->counts_n) {
		s->counts = grown(s->counts, s->counts_n, sizeof *s->counts);
		s->counts[s->counts_n++] =
			(struct activity_count){.source = source, .hour_us = hour_us, .n = {0}};
	}
	s->counts[i].n[outcome] += n;
}

static bool same_warn(const struct activity_warn *a, const struct activity_warn *b)
{
	return a->hour_us == b->hour_us && strcmp(a->source, b->source) == 0 &&
	       strcmp(a->reason, b->reason) == 0 && strcmp(a->field, b->field) == 0 &&
	       strcmp(a->type, b->type) == 0;
}

struct activity_warn *activity_sums_warn(struct activity_sums *s, const struct activity_warn *w,
                                         int64_t n)
{
	struct activity_warn one = *w;
	one.hour_us = hour_of(w->hour_us);
	if (s->warns_n >= ACTIVITY_WARNS)
		one.type = one.field = one.sample = "";
	for (int i = 0; i < s->warns_n; i++)
		if (same_warn(&s->warns[i], &one)) {
			s->warns[i].n += n;
			return &s->warns[i];
		}
	one.n = n;
	s->warns = grown(s->warns, s->warns_n, sizeof *s->warns);
	s->warns[s->warns_n] = one;
	return &s->warns[s->warns_n++];
}

/* ---- COPY's binary format ------------------------------------------------------------- */

static void put_u16(struct buf *b, unsigned v)
{
	const unsigned char bytes[] = {(unsigned char)(v >> 8), (unsigned char)v};
	buf_put(b, bytes, sizeof bytes);
}

static void put_u32(struct buf *b, uint32_t v)
{
	const unsigned char bytes[] = {(unsigned char)(v >> 24), (unsigned char)(v >> 16),
	                               (unsigned char)(v >> 8), (unsigned char)v};
	buf_put(b, bytes, sizeof bytes);
}

static void put_null(struct buf *b)
{
	put_u32(b, UINT32_MAX);
}

static void put_int64(struct buf *b, int64_t v)
{
	put_u32(b, 8);
	put_u32(b, (uint32_t)((uint64_t)v >> 32));
	put_u32(b, (uint32_t)(uint64_t)v);
}

static void put_time(struct buf *b, int64_t us)
{
	if (us == ACTIVITY_NO_TIME)
		put_null(b);
	else
		put_int64(b, us - EPOCH_US);
}

static void put_text(struct buf *b, const char *text)
{
	size_t n = text ? strlen(text) : 0;
	if (!text) {
		put_null(b);
		return;
	}
	put_u32(b, (uint32_t)n);
	buf_put(b, text, n);
}

/* As long as there were dimensions: where it ends, none had been declared yet. */
static void put_dims(struct buf *b, const struct activity_event *e)
{
	const char *const *dims = e->dims;
	int n = e->dims_n > BUILT_IN ? e->dims_n : BUILT_IN;
	bool nulls = false;
	for (int i = 0; i < n; i++)
		nulls |= !dims[i];
	size_t at = b->len;
	put_u32(b, 0);
	put_u32(b, 1); /* how many subscripts */
	put_u32(b, nulls);
	put_u32(b, TEXT_OID);
	put_u32(b, (uint32_t)n);
	put_u32(b, 1); /* the first subscript */
	for (int i = 0; i < n; i++)
		put_text(b, dims[i]);
	size_t len = b->len - at - 4;
	for (int i = 0; i < 4; i++)
		b->data[at + (size_t)i] = (char)(len >> (24 - 8 * i));
}

/* Four decimal digits to each of PostgreSQL's; those it does not need, it takes away itself. */
static void put_numeric(struct buf *b, const char *text)
{
	unsigned short digits[NUMERIC_DIGITS / 2 + 2] = {0};
	if (!text) {
		put_null(b);
		return;
	}
	size_t whole = strspn(text, "0123456789");
	const char *fraction = text[whole] == '.' ? text + whole + 1 : "";
	size_t scale = strspn(fraction, "0123456789");
	must(whole <= NUMERIC_DIGITS && scale <= NUMERIC_DIGITS && fraction[scale] == '\0');
	size_t before = (whole + 3) / 4, n = before + (scale + 3) / 4;
	for (size_t i = 0; i < whole; i++) {
		unsigned short *d = &digits[before - 1 - (whole - 1 - i) / 4];
		*d = (unsigned short)(*d * 10 + (text[i] - '0'));
	}
	for (size_t i = 0; i < 4 * (n - before); i++) {
		unsigned short *d = &digits[before + i / 4];
		*d = (unsigned short)(*d * 10 + (i < scale ? fraction[i] - '0' : 0));
	}
	put_u32(b, (uint32_t)(8 + 2 * n));
	put_u16(b, (unsigned)n);
	put_u16(b, (unsigned)(before - 1)); /* the weight of the first one, -1 for .5 */
	put_u16(b, 0);                      /* not negative */
	put_u16(b, (unsigned)scale);
	for (size_t i = 0; i < n; i++)
		put_u16(b, digits[i]);
}

/* In the order of COPY_EVENTS of activity_store.c. */
static void put_tuple(struct buf *b, const struct activity_event *e)
{
	put_u16(b, COLUMNS);
	put_int64(b, 0); /* seq */
	put_u32(b, sizeof e->event_id);
	buf_put(b, e->event_id, sizeof e->event_id);
	put_text(b, e->type);
	put_time(b, e->occurred_us);
	put_time(b, e->claimed_us);
	put_time(b, e->received_us);
	put_u32(b, 2);
	put_u16(b, e->flags);
	if (e->key_id)
		put_int64(b, e->key_id);
	else
		put_null(b);
	put_text(b, e->user_id);
	put_text(b, e->anonymous_id);
	put_text(b, e->session_id);
	put_int64(b, e->session_key);
	put_dims(b, e);
	put_numeric(b, e->price);
	if (e->quantity) {
		put_u32(b, 4);
		put_u32(b, (uint32_t)e->quantity);
	} else {
		put_null(b);
	}
	put_text(b, e->currency);
	put_text(b, e->properties);
}

void activity_rows_copy_id(const struct activity_item *item, int64_t seq, struct buf *out)
{
	put_u16(out, 4);
	put_u32(out, sizeof item->event_id);
	buf_put(out, item->event_id, sizeof item->event_id);
	put_int64(out, seq);
	put_time(out, item->occurred_us);
	put_int64(out, item->digest);
}

/* ---- putting ----------------------------------------------------------------------------- */

static void put_id(struct activity_rows *r, const char *kind, const char *id)
{
	if (!id)
		return;
	buf_put(&r->ids, kind, strlen(kind) + 1);
	buf_put(&r->ids, id, strlen(id) + 1);
}

static void put_ids(struct activity_rows *r, const struct activity_event *e)
{
	put_id(r, "user", e->user_id);
	put_id(r, "anonymous", e->anonymous_id);
	put_id(r, "session", e->session_id);
	buf_putc(&r->ids, '\0');
}

void activity_rows_put(struct activity_rows *r, const struct activity_event *e, const char *source)
{
	r->items = grown(r->items, r->items_n, sizeof *r->items);
	struct activity_item *item = &r->items[r->items_n++];
	*item = (struct activity_item){.occurred_us = e->occurred_us,
	                               .received_us = e->received_us,
	                               .digest = e->digest,
	                               .tuple = r->tuples.len,
	                               .ids = r->ids.len,
	                               .type = arena_strdup(&r->arena, e->type),
	                               .source = intern(r, source),
	                               .flags = e->flags};
	memcpy(item->event_id, e->event_id, sizeof item->event_id);
	put_tuple(&r->tuples, e);
	item->tuple_n = r->tuples.len - item->tuple;
	put_ids(r, e);
	for (int i = 0; i < e->dropped_n; i++) {
		struct errbuf why = {.text = "not kept"};
		(void)snprintf(why.field, sizeof why.field, "%s", e->dropped[i]);
		activity_rows_warn(r, source, e->type, "dropped", &why, e->received_us);
	}
}

/* Of a text as many bytes as there is room for, and no half character. */
static const char *shortened(struct activity_rows *r, const char *text)
{
	size_t n = strlen(text);
	if (n > SAMPLE_BYTES)
		for (n = SAMPLE_BYTES; n && ((unsigned char)text[n] & 0xc0) == 0x80;)
			n--;
	return arena_strndup(&r->arena, text, n);
}

void activity_rows_quarantine(struct activity_rows *r, const struct activity_event *e,
                              const char *source, const char *reason, const struct errbuf *why)
{
	struct buf payload;
	buf_init(&payload);
	activity_event_save(e, &payload);
	r->payload_bytes += payload.len;
	r->aparts = grown(r->aparts, r->aparts_n, sizeof *r->aparts);
	struct activity_apart *a = &r->aparts[r->aparts_n++];
	*a =
		(struct activity_apart){.source = intern(r, source),
	                            .type = arena_strdup(&r->arena, e->type),
	                            .reason = arena_strdup(&r->arena, reason),
	                            .field = arena_strdup(&r->arena, why->field),
	                            .detail = shortened(r, why->text),
	                            .payload = arena_strndup(&r->arena, buf_str(&payload), payload.len),
	                            .key_id = e->key_id,
	                            .received_us = e->received_us,
	                            .ids = r->ids.len};
	put_ids(r, e);
	memcpy(a->event_id, e->event_id, sizeof a->event_id);
	buf_fini(&payload);
}

void activity_rows_refuse(struct activity_rows *r, const char *source, const char *type,
                          const char *reason, const struct errbuf *why, int64_t received_us)
{
	activity_sums_count(&r->sums, intern(r, source), received_us, ACTIVITY_REFUSED, 1);
	activity_rows_warn(r, source, type, reason, why, received_us);
}

void activity_rows_warn(struct activity_rows *r, const char *source, const char *type,
                        const char *reason, const struct errbuf *why, int64_t received_us)
{
	(void)activity_sums_warn(&r->sums,
	                         &(struct activity_warn){.source = intern(r, source),
	                                                 .type = arena_strdup(&r->arena, type),
	                                                 .reason = arena_strdup(&r->arena, reason),
	                                                 .field = arena_strdup(&r->arena, why->field),
	                                                 .sample = shortened(r, why->text),
	                                                 .hour_us = received_us},
	                         1);
}

void activity_rows_refuse_row(struct activity_rows *r, const struct activity_rows *from, int place,
                              const char *reason, const struct errbuf *why)
{
	const struct activity_item *item = &from->items[place];
	activity_rows_refuse(r, item->source, item->type, reason, why, item->received_us);
}

/* ---- appending ------------------------------------------------------------------------------ */

static void append_item(struct activity_rows *to, const struct activity_rows *from, int i)
{
	to->items = grown(to->items, to->items_n, sizeof *to->items);
	struct activity_item *item = &to->items[to->items_n++];
	*item = from->items[i];
	item->tuple = to->tuples.len;
	item->ids += to->ids.len;
	item->type = arena_strdup(&to->arena, item->type);
	item->source = intern(to, item->source);
	buf_put(&to->tuples, from->tuples.data + from->items[i].tuple, item->tuple_n);
}

static void append_aparts(struct activity_rows *to, const struct activity_rows *from)
{
	for (int i = 0; i < from->aparts_n; i++) {
		to->aparts = grown(to->aparts, to->aparts_n, sizeof *to->aparts);
		struct activity_apart *a = &to->aparts[to->aparts_n++];
		*a = from->aparts[i];
		a->ids += to->ids.len;
		a->source = intern(to, a->source);
		a->type = arena_strdup(&to->arena, a->type);
		a->reason = arena_strdup(&to->arena, a->reason);
		a->field = arena_strdup(&to->arena, a->field);
		a->detail = arena_strdup(&to->arena, a->detail);
		a->payload = arena_strdup(&to->arena, a->payload);
	}
	to->payload_bytes += from->payload_bytes;
}

static void append_sums(struct activity_rows *to, const struct activity_rows *from)
{
	for (int i = 0; i < from->sums.counts_n; i++) {
		const struct activity_count *c = &from->sums.counts[i];
		for (int k = 0; k <= ACTIVITY_REFUSED; k++)
			if (c->n[k])
				activity_sums_count(&to->sums, intern(to, c->source), c->hour_us,
				                    (enum activity_outcome)k, c->n[k]);
	}
	for (int i = 0; i < from->sums.warns_n; i++) {
		struct activity_warn w = from->sums.warns[i];
		w.source = intern(to, w.source);
		w.type = arena_strdup(&to->arena, w.type);
		w.reason = arena_strdup(&to->arena, w.reason);
		w.field = arena_strdup(&to->arena, w.field);
		w.sample = arena_strdup(&to->arena, w.sample);
		(void)activity_sums_warn(&to->sums, &w, w.n);
	}
}

void activity_rows_append_some(struct activity_rows *to, const struct activity_rows *from,
                               int first, int n, bool rest)
{
	for (int i = first; i < first + n; i++)
		append_item(to, from, i);
	if (rest) {
		append_aparts(to, from);
		append_sums(to, from);
	}
	buf_put(&to->ids, from->ids.data, from->ids.len);
}

void activity_rows_append(struct activity_rows *to, const struct activity_rows *from)
{
	activity_rows_append_some(to, from, 0, from->items_n, true);
}
