/* picture.c: members, what changed in them, and messages. */
#include "stream/picture.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

struct member {
	const char *key; /* NULL: not there */
	struct {
		char *json;
		int64_t changed; /* in which picture */
	} views[PICTURE_VIEWS];
};

struct picture {
	_Atomic int refs;
	int64_t first, seq; /* the first of this process, and this one */
	char as_of[PICTURE_TIME];
	struct member members[PICTURE_MEMBERS];
};

static char *copy(const char *text)
{
	size_t n = strlen(text) + 1;
	return memcpy(mem_alloc(n), text, n);
}

struct picture *picture_new(const struct picture *before, int64_t seq, const char *as_of)
{
	struct picture *p = mem_alloc(sizeof *p);
	if (before)
		*p = *before;
	p->refs = 1;
	p->seq = seq;
	if (!before)
		p->first = seq;
	(void)snprintf(p->as_of, sizeof p->as_of, "%s", as_of);
	for (int i = 0; i < PICTURE_MEMBERS; i++)
		for (int v = 0; v < PICTURE_VIEWS; v++)
			if (p->members[i].views[v].json)
				p->members[i].views[v].json = copy(p->members[i].views[v].json);
	return p;
}

void picture_put(struct picture *p, int i, const char *key, enum picture_view view,
                 const char *json)
{
	struct member *m = &p->members[i];
	must(i < PICTURE_MEMBERS);
	if (m->views[view].json && strcmp(m->views[view].json, json) == 0)
		return;
	m->key = key;
	free(m->views[view].json);
	m->views[view].json = copy(json);
	m->views[view].changed = p->seq;
}

struct picture *picture_share(struct picture *p)
{
	if (p)
		p->refs++;
	return p;
}

void picture_release(struct picture *p)
{
	if (!p || --p->refs > 0)
		return;
	for (int i = 0; i < PICTURE_MEMBERS; i++)
		for (int v = 0; v < PICTURE_VIEWS; v++)
			free(p->members[i].views[v].json);
	free(p);
}

int64_t picture_seq(const struct picture *p)
{
	return p->seq;
}

bool picture_knows(const struct picture *p, int64_t seq)
{
	return seq >= p->first && seq <= p->seq;
}

static void begin(const struct picture *p, const char *type, struct buf *out)
{
	buf_printf(out, "{\"type\":\"%s\",\"seq\":%lld,\"as_of\":\"%s\"", type, (long long)p->seq,
	           p->as_of);
}

void picture_message(const struct picture *p, enum picture_view view, int64_t since,
                     struct buf *out)
{
	bool known = picture_knows(p, since), any = false;
	begin(p, known ? "delta" : "snapshot", out);
	buf_puts(out, ",\"data\":{");
	for (int i = 0; i < PICTURE_MEMBERS; i++) {
		const struct member *m = &p->members[i];
		if (!m->views[view].json || (known && m->views[view].changed <= since))
			continue;
		buf_printf(out, "%s\"%s\":", any ? "," : "", m->key);
		buf_puts(out, m->views[view].json);
		any = true;
	}
	buf_puts(out, "}}");
}

void picture_heartbeat(const struct picture *p, struct buf *out)
{
	begin(p, "heartbeat", out);
	buf_putc(out, '}');
}
