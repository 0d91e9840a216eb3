/* sequences.c: see sequences.h. */
#include "stream/sequences.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "behaviour/sequence_merge.h"
#include "behaviour/sequence_words.h"
#include "stream/apply.h"
#include "stream/settle.h"

enum {
	PARTS_MOST = 64,      /* of a shard and day, as sequence_many has it */
	LOOK_MS = 1000,       /* between two looks for days to be made, */
	COUNT_MS = 60 * 1000, /* for parts that are many, unless there may be new ones */
	AGAIN_MS = 60 * 1000  /* after something could not be done */
};

/* ---- people who move ------------------------------------------------------------------- */

/* Pieces of parts, each list as an array of SQL. */
struct pieces {
	struct buf shards, days, parts, offsets, counts, people;
	int n;
};

static struct buf *pieces_list(struct pieces *p, int i)
{
	struct buf *const all[] = {&p->shards,  &p->days,   &p->parts,
	                           &p->offsets, &p->counts, &p->people};
	return i < (int)(sizeof all / sizeof *all) ? all[i] : NULL;
}

static void piece_add(struct pieces *p, const char *const values[6])
{
	struct buf *list;
	for (int i = 0; (list = pieces_list(p, i)) != NULL; i++)
		buf_printf(list, "%c%s", p->n ? ',' : '{', values[i]);
	p->n++;
}

/* Of a part, what its people of moves[from..to) (rows, by old_id) did. */
static void find_pieces(struct pieces *p, const struct rowset *moves, int from, int to,
                        const struct rowset *parts, int part)
{
	size_t bytes;
	const unsigned char *people = rowset_blob(parts, part, 1, &bytes);
	uint64_t at = 0;
	int move = from;
	for (size_t i = 0; i + SEQUENCE_WORD <= bytes && move < to; i += SEQUENCE_WORD) {
		uint64_t word = sequence_word(people + i);
		int64_t id = (int64_t)(word >> SEQUENCE_PERSON_SHIFT);
		while (move < to && rowset_int(moves, move, "old_id") < id)
			move++;
		if (move < to && rowset_int(moves, move, "old_id") == id && word & SEQUENCE_COUNT) {
			char part_id[24], offset[24], count[24];
			(void)snprintf(part_id, sizeof part_id, "%lld",
			               (long long)rowset_number(parts, part, 0));
			(void)snprintf(offset, sizeof offset, "%llu", (unsigned long long)at);
			(void)snprintf(count, sizeof count, "%llu",
			               (unsigned long long)(word & SEQUENCE_COUNT));
			piece_add(p, (const char *const[]){rowset_get(moves, move, "shard"),
			                                   rowset_get(moves, move, "business_date"), part_id,
			                                   offset, count, rowset_get(moves, move, "new_id")});
		}
		at += word & SEQUENCE_COUNT;
	}
}

/* All that moves out of one shard and day, which is rows [from..to). */
static enum err find_in_day(struct db *db, struct pieces *p, const struct rowset *moves, int from,
                            int to, struct errbuf *eb)
{
	struct rowset parts = {0};
	const struct db_limits limits = {.watch_fd = -1, .binary = true};
	const struct db_ask ask = {"sequence_people",
	                           DB_PARAMS({"shard", rowset_get(moves, from, "shard")},
	                                     {"day", rowset_get(moves, from, "business_date")}),
	                           &parts};
	enum err rc = db_query_all(db, &ask, 1, &limits, eb);
	for (int i = 0; rc == ERR_OK && i < rowset_rows(&parts); i++)
		find_pieces(p, moves, from, to, &parts, i);
	rowset_fini(&parts);
	return rc;
}

static bool same_place(const struct rowset *moves, int a, int b)
{
	return strcmp(rowset_get(moves, a, "shard"), rowset_get(moves, b, "shard")) == 0 &&
	       strcmp(rowset_get(moves, a, "business_date"), rowset_get(moves, b, "business_date")) ==
	           0;
}

static enum err move_pieces(struct db *db, struct pieces *p, struct errbuf *eb)
{
	struct buf *list;
	for (int i = 0; (list = pieces_list(p, i)) != NULL; i++)
		buf_putc(list, '}');
	return db_query(db, "sequence_move",
	                DB_PARAMS({"shards", buf_str(&p->shards)}, {"days", buf_str(&p->days)},
	                          {"parts", buf_str(&p->parts)}, {"offsets", buf_str(&p->offsets)},
	                          {"counts", buf_str(&p->counts)}, {"people", buf_str(&p->people)}),
	                NULL, eb);
}

enum err sequences_move(struct sequences *s, struct db *db, struct errbuf *eb)
{
	struct pieces p = {0};
	struct rowset moves;
	struct buf *list;
	s->appended++;
	enum err rc = db_query(db, "sequence_moves", DB_NO_PARAMS, &moves, eb);
	int n = rc == ERR_OK ? rowset_rows(&moves) : 0;
	for (int from = 0, to; rc == ERR_OK && from < n; from = to) {
		for (to = from + 1; to < n && same_place(&moves, from, to);)
			to++;
		rc = find_in_day(db, &p, &moves, from, to, eb);
	}
	if (rc == ERR_OK && p.n)
		rc = move_pieces(db, &p, eb);
	rowset_fini(&moves);
	for (int i = 0; (list = pieces_list(&p, i)) != NULL; i++)
		buf_fini(list);
	return rc;
}

/* ---- days that are made later ------------------------------------------------------------ */

/* Looks whether there are any. Another process may be at it; a rebuild begins anew. */
static enum err look(struct sequences *s, struct db *db, struct errbuf *eb)
{
	if (s->looked_ms && clock_mono_ms() - s->looked_ms < LOOK_MS)
		return ERR_OK;
	s->looked_ms = clock_mono_ms();
	return settle_ask(db, "sequence_behind", "behind", DB_NO_PARAMS, &s->behind, eb);
}

/* The latest of them. ERR_NOTHING: there was none any more. */
static enum err make_day(struct db *db, struct errbuf *eb)
{
	struct rowset rs;
	int64_t begun_ms = clock_mono_ms();
	enum err rc = db_query(db, "sequence_catch", DB_NO_PARAMS, &rs, eb);
	const char *day = rc == ERR_OK ? rowset_get(&rs, 0, "day") : NULL;
	failpoint_pass(FP_stream_sequence_day);
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	if (rc == ERR_OK && day)
		LOG(LOG_INFO, "sequences_made", LOG_STR("day", day),
		    LOG_INT("ms", clock_mono_ms() - begun_ms), LOG_END);
	rc = rc == ERR_OK && !day ? ERR_NOTHING : rc;
	rowset_fini(&rs);
	return rc;
}

/* ---- parts that become one ----------------------------------------------------------------- */

/* Where there are too many. */
static enum err count_parts(struct sequences *s, struct db *db, struct errbuf *eb)
{
	if (s->many_next < rowset_rows(&s->many))
		return ERR_OK;
	if (s->counted_ms && clock_mono_ms() - s->counted_ms < COUNT_MS && s->appended < PARTS_MOST)
		return ERR_OK;
	rowset_fini(&s->many);
	s->many_next = 0;
	s->counted_ms = clock_mono_ms();
	s->appended = 0;
	return db_query(db, "sequence_many", DB_NO_PARAMS, &s->many, eb);
}

/* Columns of sequence_parts before those of a part. */
enum { PART_ID, PART_WHOLE, PART_COLUMNS };

static struct sequence_columns *read_parts(const struct rowset *rs, struct buf *ids)
{
	int n = rowset_rows(rs);
	struct sequence_columns *parts = mem_alloc((size_t)n * sizeof *parts + 1);
	for (int row = 0; row < n; row++) {
		buf_printf(ids, "%c%lld", row ? ',' : '{', (long long)rowset_number(rs, row, PART_ID));
		for (int i = 0; i < SEQUENCE_COLUMNS; i++)
			parts[row].of[i].at = rowset_blob(rs, row, PART_COLUMNS + i, &parts[row].of[i].n);
	}
	buf_puts(ids, n ? "}" : "{}");
	return parts;
}

/* As SQL reads a bytea. */
static void put_hex(struct buf *out, const struct buf *bytes)
{
	static const char digits[] = "0123456789abcdef";
	buf_puts(out, "\\x");
	for (size_t i = 0; i < bytes->len; i++) {
		unsigned char c = (unsigned char)bytes->data[i];
		const char pair[2] = {digits[c >> 4], digits[c & 15]};
		buf_put(out, pair, sizeof pair);
	}
}

static enum err write_merged(struct db *db, const char *shard, const char *day, const char *ids,
                             const struct sequence_merged *m, struct errbuf *eb)
{
	static const char *const names[SEQUENCE_COLUMNS] = {
		"people", "events", "seqs", "sessions", "amounts", "d1",  "d2",  "d3",  "d4",  "d5", "d6",
		"d7",     "d8",     "d9",   "d10",      "d11",     "d12", "d13", "d14", "d15", "d16"};
	struct buf hex[SEQUENCE_COLUMNS];
	struct db_param params[SEQUENCE_COLUMNS + 3] = {{"shard", shard}, {"day", day}};
	for (int i = 0; i < SEQUENCE_COLUMNS; i++) {
		buf_init(&hex[i]);
		if (!m->is_null[i])
			put_hex(&hex[i], &m->of[i]);
		params[i + 2] = (struct db_param){names[i], m->is_null[i] ? NULL : buf_str(&hex[i])};
	}
	enum err rc = db_query(db, "sequence_drop",
	                       DB_PARAMS({"shard", shard}, {"day", day}, {"parts", ids}), NULL, eb);
	if (rc == ERR_OK && m->of[SEQUENCE_PEOPLE].len)
		rc = db_query(db, "sequence_put", params, NULL, eb);
	for (int i = 0; i < SEQUENCE_COLUMNS; i++)
		buf_fini(&hex[i]);
	return rc;
}

/* Those of a row of s->many. */
static enum err merge_parts(struct db *db, const char *shard, const char *day, struct errbuf *eb)
{
	struct rowset rs = {0};
	struct sequence_merged merged;
	struct buf ids;
	const struct db_limits limits = {.watch_fd = -1, .binary = true};
	const struct db_ask ask = {"sequence_parts", DB_PARAMS({"shard", shard}, {"day", day}), &rs};
	enum err rc = db_query_all(db, &ask, 1, &limits, eb);
	if (rc != ERR_OK)
		return rc;
	buf_init(&ids);
	sequence_merged_init(&merged);
	struct sequence_columns *parts = read_parts(&rs, &ids);
	size_t n = (size_t)rowset_rows(&rs);
	if (n > 1) { /* another process may have merged them meanwhile */
		bool whole = rowset_number(&rs, 0, PART_WHOLE) != 0;
		rc = sequence_merge(parts, n, whole, &merged, eb);
		if (rc == ERR_OK)
			rc = write_merged(db, shard, day, buf_str(&ids), &merged, eb);
	}
	failpoint_pass(FP_stream_sequence_merged);
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	free(parts);
	sequence_merged_fini(&merged);
	buf_fini(&ids);
	rowset_fini(&rs);
	return rc;
}

/* ---- a step -------------------------------------------------------------------------------- */

/* ERR_LOCKED: another process is at work. */
static enum err begin(struct db *db, struct errbuf *eb)
{
	bool mine = false;
	enum err rc = db_command(db, "BEGIN", eb);
	if (rc == ERR_OK)
		rc = settle_ask(db, "activity_apply_lock", "mine", DB_NO_PARAMS, &mine, eb);
	return rc == ERR_OK && !mine ? ERR_LOCKED : rc;
}

/* What is to be done, under the lock. ERR_NOTHING: nothing any more. */
static enum err work(struct sequences *s, struct db *db, struct errbuf *eb)
{
	enum err rc = begin(db, eb);
	if (rc != ERR_OK)
		return rc;
	if (s->behind) {
		rc = make_day(db, eb);
		s->behind = rc != ERR_NOTHING;
		return rc;
	}
	int row = s->many_next++;
	return merge_parts(db, rowset_get(&s->many, row, "shard"),
	                   rowset_get(&s->many, row, "business_date"), eb);
}

enum err sequences_step(struct sequences *s, struct db *db, bool *more, struct errbuf *eb)
{
	struct errbuf why = {0};
	if (s->failed_ms && clock_mono_ms() - s->failed_ms < AGAIN_MS)
		return ERR_OK;
	s->failed_ms = 0;
	enum err rc = look(s, db, eb);
	if (rc == ERR_OK && !s->behind)
		rc = count_parts(s, db, eb);
	if (rc != ERR_OK || (!s->behind && s->many_next == rowset_rows(&s->many)))
		return rc;
	rc = work(s, db, &why);
	if (rc == ERR_OK) {
		*more = true;
		return rc;
	}
	rc = apply_passing(db, rc, &why);
	db_rollback(db);
	if (rc == ERR_NOTHING || rc == ERR_LOCKED)
		return ERR_OK;
	if (!db_alive(db))
		return err_set(eb, rc, "%s", why.text);
	s->failed_ms = clock_mono_ms();
	LOG(LOG_WARNING, "sequences", LOG_STR("error", why.text), LOG_END);
	return ERR_OK;
}

void sequences_fini(struct sequences *s)
{
	rowset_fini(&s->many);
}
