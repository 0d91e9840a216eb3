/* load.c: a batch while it is being filled. */
#include "stream/load.h"

#include <stdlib.h>
#include <string.h>

struct load *load_new(void)
{
	struct load *l = mem_alloc(sizeof *l);
	*l = (struct load){.changes = changes_new()};
	return l;
}

void load_free(struct load *l)
{
	if (!l)
		return;
	changes_free(l->changes);
	free(l->advances);
	free(l->tallies);
	free(l->dead);
	free(l);
}

void load_clear(struct load *l)
{
	changes_clear(l->changes);
	l->advances_n = 0;
	l->dead_n = 0;
	l->dead_bytes = 0;
	l->messages_n = 0;
}

int load_begin(struct load *l, const char *source, const char *topic, int32_t partition,
               int64_t from)
{
	if (l->advances_n == l->advances_cap) {
		l->advances_cap = l->advances_cap ? l->advances_cap * 2 : 16;
		size_t n = (size_t)l->advances_cap;
		l->advances = mem_realloc(l->advances, n * sizeof *l->advances);
		l->tallies = mem_realloc(l->tallies, n * sizeof *l->tallies);
	}
	l->advances[l->advances_n] = (struct advance){source, topic, partition, from, from};
	l->tallies[l->advances_n] = (struct tally){0};
	return l->advances_n++;
}

static const char *copy(struct arena *a, const char *text, size_t n)
{
	return text ? arena_strndup(a, text, n) : NULL;
}

void load_bury(struct load *l, const struct position *at, const struct message *m,
               const struct errbuf *eb)
{
	struct arena *a = changes_arena(l->changes);
	if (l->dead_n == l->dead_cap) {
		l->dead_cap = l->dead_cap ? l->dead_cap * 2 : 16;
		l->dead = mem_realloc(l->dead, (size_t)l->dead_cap * sizeof *l->dead);
	}
	l->dead[l->dead_n++] = (struct dead_letter){.at = *at,
	                                            .key = copy(a, m->key, m->key_n),
	                                            .value = copy(a, m->value, m->value_n),
	                                            .key_n = m->key ? m->key_n : 0,
	                                            .value_n = m->value ? m->value_n : 0,
	                                            .time_us = m->time_us,
	                                            .reason = err_name(eb->code),
	                                            .field = arena_strdup(a, eb->field),
	                                            .text = arena_strdup(a, eb->text)};
	l->dead_bytes += sizeof *l->dead + m->key_n + m->value_n + strlen(eb->text);
}

size_t load_bytes(const struct load *l)
{
	return changes_bytes(l->changes) + l->dead_bytes;
}

struct batch load_batch(const struct load *l)
{
	return (struct batch){.changes = l->changes,
	                      .advances = l->advances,
	                      .advances_n = l->advances_n,
	                      .dead = l->dead,
	                      .dead_n = l->dead_n,
	                      .messages_n = l->messages_n};
}
