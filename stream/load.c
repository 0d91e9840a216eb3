/* load.c: a batch while it is being filled. */
#include "stream/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POSITION_BYTES = 320 }; /* a topic has 249 at most */

struct load *load_new(void)
{
	struct load *l = mem_alloc(sizeof *l);
	*l = (struct load){.changes = changes_new(),
	                   .inbox = inbox_new(),
	                   .activity = activity_rows_new(),
	                   .kept_tally = -1};
	return l;
}

void load_free(struct load *l)
{
	if (!l)
		return;
	changes_free(l->changes);
	inbox_free(l->inbox);
	activity_rows_free(l->activity);
	free(l->advances);
	free(l->tallies);
	free(l->dead);
	free(l);
}

static void clear_activity(struct load *l)
{
	activity_rows_clear(l->activity);
	l->has_activity = false;
}

void load_clear(struct load *l)
{
	changes_clear(l->changes);
	inbox_clear(l->inbox);
	clear_activity(l);
	l->advances_n = 0;
	l->dead_n = 0;
	l->dead_bytes = 0;
	l->messages_n = 0;
	l->kept_tally = -1;
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

static struct dead_letter letter_of(struct arena *a, const struct position *at,
                                    const struct message *m)
{
	return (struct dead_letter){.at = *at,
	                            .key = copy(a, m->key, m->key_n),
	                            .value = copy(a, m->value, m->value_n),
	                            .key_n = m->key ? m->key_n : 0,
	                            .value_n = m->value ? m->value_n : 0,
	                            .time_us = m->time_us};
}

static void bury(struct load *l, struct dead_letter d, const struct errbuf *eb)
{
	struct arena *a = changes_arena(l->changes);
	if (l->dead_n == l->dead_cap) {
		l->dead_cap = l->dead_cap ? l->dead_cap * 2 : 16;
		l->dead = mem_realloc(l->dead, (size_t)l->dead_cap * sizeof *l->dead);
	}
	d.reason = err_name(eb->code);
	d.field = arena_strdup(a, eb->field);
	d.text = arena_strdup(a, eb->text);
	l->dead[l->dead_n++] = d;
	l->dead_bytes += sizeof d + d.key_n + d.value_n + strlen(eb->text);
}

void load_bury(struct load *l, const struct position *at, const struct message *m,
               const struct errbuf *eb)
{
	bury(l, letter_of(changes_arena(l->changes), at, m), eb);
}

bool load_put_booking(struct load *l, const struct message *m)
{
	struct errbuf ignored = {0}; /* it is in its row */
	char at[POSITION_BYTES];
	(void)snprintf(at, sizeof at, "%s/%d/%lld", m->at.topic, (int)m->at.partition,
	               (long long)m->at.offset);
	return inbox_put(l->inbox, m->at.source, at, NULL, m->value, m->value_n, true, &ignored) ==
	       ERR_OK;
}

enum err load_read_activity(struct activity_rows *rows, const struct message *m,
                            const struct tracked_as *as, struct errbuf *eb)
{
	struct activity_event e;
	struct arena scratch;
	struct errbuf why = {0};
	if (!m->value)
		return ERR_NOTHING;
	arena_init(&scratch);
	enum err rc = activity_event_restore(&scratch, m->value, m->value_n, &e, eb);
	if (rc == ERR_OK && as->reason) {
		(void)err_set_field(&why, ERR_INVALID, as->field, "%s", as->detail);
		activity_rows_quarantine(rows, &e, as->source, as->reason, &why);
	} else if (rc == ERR_OK) {
		activity_rows_put(rows, &e, as->source);
	}
	arena_fini(&scratch);
	return rc;
}

enum err load_put_activity(struct load *l, const struct message *m, const struct tracked_as *as,
                           struct errbuf *eb)
{
	enum err rc = load_read_activity(l->activity, m, as, eb);
	l->has_activity = l->has_activity || rc == ERR_OK;
	return rc;
}

void load_keep(struct load *l, const struct position *at, const struct message *m, int tally)
{
	l->kept = letter_of(changes_arena(l->changes), at, m);
	l->kept_tally = tally;
}

bool load_refuse(struct load *l, const struct errbuf *eb)
{
	if (l->kept_tally < 0 || l->messages_n != 1 || l->dead_n > 0)
		return false;
	changes_forget(l->changes);
	inbox_clear(l->inbox);
	clear_activity(l);
	bury(l, l->kept, eb);
	l->tallies[l->kept_tally].dead++;
	return true;
}

size_t load_bytes(const struct load *l)
{
	return changes_bytes(l->changes) + l->dead_bytes + inbox_bytes(l->inbox) +
	       activity_rows_bytes(l->activity);
}

struct batch load_batch(const struct load *l)
{
	return (struct batch){.changes = l->changes,
	                      .advances = l->advances,
	                      .advances_n = l->advances_n,
	                      .dead = l->dead,
	                      .dead_n = l->dead_n,
	                      .inbox = l->inbox,
	                      .activity = l->has_activity ? l->activity : NULL};
}
