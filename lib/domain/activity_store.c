/* activity_store.c: one transaction of events. What it does is the same for one and for thousands:
 * the number of statements does not depend on how many there are. */
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_text.h"
#include "domain/activity_rows.h"

/* Their values are put together by activity_rows.c. */
static const char COPY_EVENTS[] =
	"COPY activity_event (seq, event_id, event_type, occurred_at, claimed_at, received_at, flags, "
	"key_id,"
	" user_id, anonymous_id, session_id, session_key, dims, price, quantity, currency, properties)"
	" FROM STDIN (FORMAT binary)";

static const char COPY_IDS[] =
	"COPY activity_id (event_id, seq, occurred_at, digest) FROM STDIN (FORMAT binary)";

static const char COPY_HEADER[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";
static const char COPY_END[] = "\377\377";

/* From so many rows on it pays to take all ids for new ones, but for a while after they were not.
 */
enum { NEW_IDS = 48, KNOWN_PAUSE = 16 };

enum { DAYS = 1 << 16, WORD_BITS = 64, IDS = 3, KEY_BYTES = 32 };

static const int64_t DAY_US = INT64_C(86400000000);

/* An id and where it stands among the rows. */
struct place {
	unsigned char event_id[16];
	int at;
};

struct store {
	struct activity_rows *r;
	struct db *db;
	enum activity_outcome *outcomes;
	struct arena arena; /* of this transaction */
	struct place *sorted;
	bool *refused;    /* of what is to be kept apart: it is not */
	int64_t *digests; /* by place: of what is stored under its id, where that is another's */
	int64_t batch_id;
	int stored_n;
	struct activity_sums sums;
};

/* ---- days whose partitions are there -------------------------------------------------------- */

/* Bits of the days since 1970 that this process knows to have a partition. */
static _Atomic uint64_t known_days[DAYS / WORD_BITS];

static int64_t day_of(int64_t us)
{
	return us / DAY_US - (us % DAY_US < 0);
}

static bool day_is_known(int64_t day)
{
	return day >= 0 && day < DAYS && known_days[day / WORD_BITS] >> (day % WORD_BITS) & 1;
}

/* From yesterday on: older ones may have been dropped meanwhile. */
static void know_days(const struct activity_rows *r)
{
	int64_t least = day_of(clock_now_us()) - 1;
	for (int i = 0; i < r->items_n; i++) {
		int64_t day = day_of(r->items[i].occurred_us);
		if (day >= least && day < DAYS && !day_is_known(day))
			atomic_fetch_or(&known_days[day / WORD_BITS], UINT64_C(1) << (day % WORD_BITS));
	}
}

/* After an error: what was made in this transaction is gone, and a partition may have been dropped.
 */
static void forget_days(void)
{
	for (int i = 0; i < DAYS / WORD_BITS; i++)
		known_days[i] = 0;
}

/* Days of rows that are not known, as an array; NULL: none. */
static const char *days_to_make(struct store *s)
{
	struct buf days;
	int64_t last = INT64_MIN;
	buf_init(&days);
	for (int i = 0; i < s->r->items_n; i++) {
		int64_t day = day_of(s->r->items[i].occurred_us);
		char text[CLOCK_TEXT];
		if (day == last || day_is_known(day))
			continue;
		clock_format_utc(day * DAY_US, text);
		buf_printf(&days, "%c%.10s", days.len ? ',' : '{', text);
		last = day;
	}
	const char *out = days.len ? arena_printf(&s->arena, "%s}", buf_str(&days)) : NULL;
	buf_fini(&days);
	return out;
}

/* ---- who was erased ------------------------------------------------------------------------- */

/* person_hash() of 016_activity_privacy.sql. */
static void put_hash(struct buf *b, const unsigned char *key, const char *kind, const char *id)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char text[2 * sizeof hash + 1];
	crypto_hash_sha256_state state;
	(void)crypto_hash_sha256_init(&state);
	(void)crypto_hash_sha256_update(&state, key, KEY_BYTES);
	(void)crypto_hash_sha256_update(&state, (const unsigned char *)kind, strlen(kind) + 1);
	(void)crypto_hash_sha256_update(&state, (const unsigned char *)id, strlen(id));
	(void)crypto_hash_sha256_final(&state, hash);
	(void)crypto_hash_sha256_init(&state);
	(void)crypto_hash_sha256_update(&state, key, KEY_BYTES);
	(void)crypto_hash_sha256_update(&state, hash, sizeof hash);
	(void)crypto_hash_sha256_final(&state, hash);
	(void)sodium_bin2hex(text, sizeof text, hash, sizeof hash);
	buf_printf(b, "%c\"\\\\x%s\"", b->len ? ',' : '{', text);
}

/* Hashes of the ids of row `owner`; owners[k] is the row of the k-th hash. */
static void put_hashes(const struct store *s, size_t ids, int owner, const unsigned char *key,
                       struct buf *out, int *owners, int *n)
{
	for (const char *p = s->r->ids.data + ids; *p;) {
		const char *id = p + strlen(p) + 1;
		put_hash(out, key, p, id);
		owners[(*n)++] = owner;
		p = id + strlen(id) + 1;
	}
}

/* Rows that are kept apart come behind the others. */
static enum err find_suppressed(struct store *s, const char *key_text, struct errbuf *eb)
{
	unsigned char key[KEY_BYTES];
	struct rowset rs;
	struct buf hashes;
	size_t key_n;
	int items_n = s->r->items_n, n = 0;
	must(sodium_hex2bin(key, sizeof key, key_text, strlen(key_text), NULL, &key_n, NULL) == 0 &&
	     key_n == sizeof key);
	int *owners = arena_array(&s->arena, IDS * (size_t)(items_n + s->r->aparts_n), sizeof *owners);
	buf_init(&hashes);
	for (int i = 0; i < items_n; i++)
		put_hashes(s, s->r->items[i].ids, i, key, &hashes, owners, &n);
	for (int i = 0; i < s->r->aparts_n; i++)
		put_hashes(s, s->r->aparts[i].ids, items_n + i, key, &hashes, owners, &n);
	buf_putc(&hashes, '}');
	enum err rc = db_query(s->db, "activity_store_suppressed",
	                       DB_PARAMS({"hashes", buf_str(&hashes)}), &rs, eb);
	for (int i = 0; rc == ERR_OK && i < rowset_rows(&rs); i++) {
		int owner = owners[rowset_int(&rs, i, "at")];
		if (owner < items_n)
			s->outcomes[owner] = ACTIVITY_SUPPRESSED;
		else
			s->refused[owner - items_n] = true;
	}
	rowset_fini(&rs);
	buf_fini(&hashes);
	return rc;
}

/* ---- beginning ------------------------------------------------------------------------------- */

static enum err begin(struct store *s, struct errbuf *eb)
{
	struct rowset rs;
	const char *days = days_to_make(s);
	struct db_ask asks[] = {{"activity_store_begin", DB_NO_PARAMS, &rs},
	                        {"activity_store_days", DB_PARAMS({"days", days}), NULL}};
	s->refused = arena_array(&s->arena, (size_t)s->r->aparts_n, sizeof *s->refused);
	enum err rc = db_query_all(s->db, asks, days ? 2 : 1, NULL, eb);
	if (rc != ERR_OK)
		return rc;
	s->batch_id = rowset_int(&rs, 0, "batch_id");
	const char *key = rowset_get(&rs, 0, "key");
	if (key)
		rc = find_suppressed(s, key, eb);
	rowset_fini(&rs);
	return rc;
}

/* ---- ids ----------------------------------------------------------------------------------------
 */

static int by_id(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = memcmp(x->event_id, y->event_id, sizeof x->event_id);
	return order ? order : x->at - y->at;
}

/* The rows that may be stored; returns how many. */
static int sort_places(struct store *s)
{
	int n = 0;
	s->sorted = arena_array(&s->arena, (size_t)s->r->items_n, sizeof *s->sorted);
	for (int i = 0; i < s->r->items_n; i++) {
		if (s->outcomes[i] != ACTIVITY_STORED)
			continue;
		memcpy(s->sorted[n].event_id, s->r->items[i].event_id, sizeof s->sorted[n].event_id);
		s->sorted[n++].at = i;
	}
	qsort(s->sorted, (size_t)n, sizeof *s->sorted, by_id);
	return n;
}

/* Whether it is the first row of its id. */
static bool leads(const struct store *s, int k)
{
	return k == 0 || memcmp(s->sorted[k].event_id, s->sorted[k - 1].event_id, 16) != 0;
}

struct columns {
	struct buf ids, places, occurred, digests;
};

/* Arrays of the rows that lead; returns how many. */
static int put_columns(const struct store *s, int n, struct columns *c)
{
	char id[37];
	int leading = 0;
	for (int k = 0; k < n; k++) {
		const struct activity_item *item = &s->r->items[s->sorted[k].at];
		char before = leading ? ',' : '{';
		if (!leads(s, k))
			continue;
		activity_id_format(item->event_id, id);
		buf_putc(&c->ids, before);
		buf_put(&c->ids, id, 36);
		buf_putc(&c->places, before);
		buf_putint(&c->places, s->sorted[k].at);
		buf_putc(&c->occurred, before);
		buf_putint(&c->occurred, item->occurred_us);
		buf_putc(&c->digests, before);
		buf_putint(&c->digests, item->digest);
		leading++;
	}
	buf_putc(&c->ids, '}');
	buf_putc(&c->places, '}');
	buf_putc(&c->occurred, '}');
	buf_putc(&c->digests, '}');
	return leading;
}

/* How often it is not tried any more; a mere hint, shared by all threads. */
static atomic_int known_pause;

/* All ids as new ones, in half the time; *known: they are not, and nothing is written. */
static enum err copy_ids(struct store *s, int n, bool *known, struct errbuf *eb)
{
	struct buf rows = {0};
	struct errbuf why = {0};
	enum err rc = db_command(s->db, "SAVEPOINT ids", eb);
	if (rc == ERR_OK)
		rc = db_copy_begin(s->db, COPY_IDS, eb);
	if (rc != ERR_OK)
		return rc;
	buf_put(&rows, COPY_HEADER, sizeof COPY_HEADER);
	for (int k = 0; k < n; k++)
		if (leads(s, k))
			activity_rows_copy_id(&s->r->items[s->sorted[k].at],
			                      s->batch_id << 16 | s->sorted[k].at, &rows);
	buf_put(&rows, COPY_END, sizeof COPY_END - 1);
	rc = db_copy_bytes(s->db, rows.data, rows.len, &why);
	buf_fini(&rows);
	enum err ended = db_copy_end(s->db, rc == ERR_OK, &why);
	*known = ended == ERR_DB && strcmp(db_sqlstate(s->db), "23505") == 0;
	if (*known) {
		known_pause = KNOWN_PAUSE;
		return db_command(s->db, "ROLLBACK TO SAVEPOINT ids", eb);
	}
	return rc == ERR_OK && ended == ERR_OK ? ERR_OK : err_set(eb, why.code, "%s", why.text);
}

/* Some ids were there: what is stored under them. */
static enum err look_up_known(struct store *s, const struct columns *c, const char *seq,
                              struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(
		s->db, "activity_store_known",
		DB_PARAMS({"seq", seq}, {"ids", buf_str(&c->ids)}, {"places", buf_str(&c->places)}), &rs,
		eb);
	if (rc != ERR_OK)
		return rc;
	/* One that is not found any more was erased this very moment: it was known all the same. */
	for (int i = 0; i < s->r->items_n; i++)
		if (s->outcomes[i] == ACTIVITY_STORED)
			s->outcomes[i] = ACTIVITY_DUPLICATE;
	for (int i = 0; i < rowset_rows(&rs); i++) {
		int at = (int)rowset_int(&rs, i, "place");
		s->digests[at] = rowset_int(&rs, i, "digest");
		if (*rowset_get(&rs, i, "ours") == 't')
			s->outcomes[at] = ACTIVITY_STORED;
		else if (s->digests[at] != s->r->items[at].digest)
			s->outcomes[at] = ACTIVITY_CONFLICT;
	}
	rowset_fini(&rs);
	return ERR_OK;
}

/* Rows behind the first one of their id are never stored themselves. */
static void judge_followers(struct store *s, int n)
{
	int lead = 0;
	for (int k = 0; k < n; k++) {
		if (leads(s, k)) {
			lead = s->sorted[k].at;
			continue;
		}
		int at = s->sorted[k].at;
		s->outcomes[at] =
			s->r->items[at].digest == s->digests[lead] ? ACTIVITY_DUPLICATE : ACTIVITY_CONFLICT;
	}
}

static enum err insert_ids(struct store *s, int n, struct errbuf *eb)
{
	struct columns c = {0};
	struct rowset rs = {0};
	int leading = put_columns(s, n, &c);
	const char *seq = arena_printf(&s->arena, "%lld", (long long)(s->batch_id << 16));
	enum err rc =
		db_query(s->db, "activity_store_ids",
	             DB_PARAMS({"seq", seq}, {"ids", buf_str(&c.ids)}, {"places", buf_str(&c.places)},
	                       {"occurred", buf_str(&c.occurred)}, {"digests", buf_str(&c.digests)}),
	             &rs, eb);
	if (rc == ERR_OK && rowset_int(&rs, 0, "added") < leading)
		rc = look_up_known(s, &c, seq, eb);
	rowset_fini(&rs);
	buf_fini(&c.ids);
	buf_fini(&c.places);
	buf_fini(&c.occurred);
	buf_fini(&c.digests);
	return rc;
}

static enum err store_ids(struct store *s, struct errbuf *eb)
{
	int n = sort_places(s);
	bool known = true;
	enum err rc = ERR_OK;
	s->digests = arena_array(&s->arena, (size_t)s->r->items_n, sizeof *s->digests);
	for (int i = 0; i < s->r->items_n; i++)
		s->digests[i] = s->r->items[i].digest;
	if (n >= NEW_IDS && (known_pause <= 0 || known_pause-- <= 0))
		rc = copy_ids(s, n, &known, eb);
	if (rc == ERR_OK && known && n > 0)
		rc = insert_ids(s, n, eb);
	judge_followers(s, n);
	return rc;
}

/* ---- events ---------------------------------------------------------------------------------- */

static enum err copy_rows(struct store *s, struct errbuf *eb)
{
	enum err rc = db_copy_bytes(s->db, COPY_HEADER, sizeof COPY_HEADER, eb);
	for (int i = 0; rc == ERR_OK && i < s->r->items_n; i++) {
		const struct activity_item *item = &s->r->items[i];
		char *tuple = s->r->tuples.data + item->tuple;
		uint64_t seq = (uint64_t)s->batch_id << 16 | (unsigned)i;
		if (s->outcomes[i] != ACTIVITY_STORED)
			continue;
		for (int k = 0; k < 8; k++)
			tuple[ACTIVITY_SEQ_AT + k] = (char)(seq >> (56 - 8 * k));
		rc = db_copy_bytes(s->db, tuple, item->tuple_n, eb);
	}
	return rc == ERR_OK ? db_copy_bytes(s->db, COPY_END, sizeof COPY_END - 1, eb) : rc;
}

static enum err store_events(struct store *s, struct errbuf *eb)
{
	for (int i = 0; i < s->r->items_n; i++)
		s->stored_n += s->outcomes[i] == ACTIVITY_STORED;
	if (s->stored_n == 0)
		return ERR_OK;
	enum err rc = db_copy_begin(s->db, COPY_EVENTS, eb);
	if (rc != ERR_OK)
		return rc;
	rc = copy_rows(s, eb);
	enum err ended = db_copy_end(s->db, rc == ERR_OK, eb);
	return rc == ERR_OK ? ended : rc;
}

/* ---- what it adds up to ---------------------------------------------------------------------- */

static void warn(struct store *s, const struct activity_item *item, const char *reason,
                 const char *field)
{
	char happened[CLOCK_TEXT], received[CLOCK_TEXT];
	struct activity_warn *w =
		activity_sums_warn(&s->sums,
	                       &(struct activity_warn){.source = item->source,
	                                               .type = item->type,
	                                               .reason = reason,
	                                               .field = field,
	                                               .hour_us = item->received_us},
	                       1);
	if (w->sample)
		return;
	clock_format_utc(item->occurred_us, happened);
	clock_format_utc(item->received_us, received);
	w->sample = arena_printf(&s->arena, "%s: occurred_at %s, received_at %s", item->type, happened,
	                         received);
}

static void warn_of(struct store *s, const struct activity_item *item,
                    enum activity_outcome outcome)
{
	static const struct {
		unsigned flag;
		const char *reason, *field;
	} flags[] = {
		{ACTIVITY_CLAMPED, "clamped", "timestamp"},  {ACTIVITY_SKEWED, "skewed", "sent_at"},
		{ACTIVITY_LATE, "late", "timestamp"},        {ACTIVITY_BOT_NAME, "bot_name", ""},
		{ACTIVITY_BOT_HEADLESS, "bot_headless", ""}, {ACTIVITY_BOT_RATE, "bot_rate", ""}};
	if (outcome == ACTIVITY_CONFLICT)
		warn(s, item, "conflict", "event_id");
	if (outcome == ACTIVITY_SUPPRESSED)
		warn(s, item, "suppressed", "");
	if (outcome != ACTIVITY_STORED)
		return;
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (item->flags & flags[i].flag)
			warn(s, item, flags[i].reason, flags[i].field);
}

static void add_up(struct store *s)
{
	const struct activity_sums *before = &s->r->sums;
	for (int i = 0; i < before->counts_n; i++)
		for (int k = 0; k <= ACTIVITY_REFUSED; k++)
			if (before->counts[i].n[k])
				activity_sums_count(&s->sums, before->counts[i].source, before->counts[i].hour_us,
				                    (enum activity_outcome)k, before->counts[i].n[k]);
	for (int i = 0; i < before->warns_n; i++)
		(void)activity_sums_warn(&s->sums, &before->warns[i], before->warns[i].n);
	for (int i = 0; i < s->r->items_n; i++) {
		const struct activity_item *item = &s->r->items[i];
		activity_sums_count(&s->sums, item->source, item->received_us, s->outcomes[i], 1);
		warn_of(s, item, s->outcomes[i]);
	}
	for (int i = 0; i < s->r->aparts_n; i++) {
		const struct activity_apart *a = &s->r->aparts[i];
		const struct activity_warn w = {.source = a->source,
		                                .type = a->type,
		                                .reason = s->refused[i] ? "suppressed" : a->reason,
		                                .field = s->refused[i] ? "" : a->field,
		                                .sample = s->refused[i] ? "" : a->detail,
		                                .hour_us = a->received_us};
		activity_sums_count(&s->sums, a->source, a->received_us,
		                    s->refused[i] ? ACTIVITY_SUPPRESSED : ACTIVITY_QUARANTINED, 1);
		(void)activity_sums_warn(&s->sums, &w, 1);
	}
}

/* ---- as JSON --------------------------------------------------------------------------------- */

static void put_text(struct buf *b, const char *key, const char *text)
{
	buf_printf(b, ",\"%s\":", key);
	json_text_put(b, text, strlen(text));
}

static void put_int(struct buf *b, const char *key, int64_t v)
{
	buf_printf(b, ",\"%s\":%lld", key, (long long)v);
}

static void put_counts(const struct activity_sums *sums, struct buf *b)
{
	buf_putc(b, '[');
	for (int i = 0; i < sums->counts_n; i++) {
		const struct activity_count *c = &sums->counts[i];
		buf_printf(b, "%s{\"hour_us\":%lld", i ? "," : "", (long long)c->hour_us);
		put_text(b, "source", c->source);
		put_int(b, "stored", c->n[ACTIVITY_STORED]);
		put_int(b, "duplicate", c->n[ACTIVITY_DUPLICATE]);
		put_int(b, "quarantined", c->n[ACTIVITY_QUARANTINED]);
		put_int(b, "refused",
		        c->n[ACTIVITY_REFUSED] + c->n[ACTIVITY_CONFLICT] + c->n[ACTIVITY_SUPPRESSED]);
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
}

static void put_warns(const struct activity_sums *sums, struct buf *b)
{
	buf_putc(b, '[');
	for (int i = 0; i < sums->warns_n; i++) {
		const struct activity_warn *w = &sums->warns[i];
		buf_printf(b, "%s{\"hour_us\":%lld", i ? "," : "", (long long)w->hour_us);
		put_text(b, "source", w->source);
		put_text(b, "type", w->type);
		put_text(b, "reason", w->reason);
		put_text(b, "field", w->field);
		put_int(b, "events", w->n);
		put_text(b, "sample", w->sample);
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
}

/* Returns how many. */
static int put_aparts(const struct store *s, struct buf *b)
{
	char id[37];
	int n = 0;
	buf_putc(b, '[');
	for (int i = 0; i < s->r->aparts_n; i++) {
		const struct activity_apart *a = &s->r->aparts[i];
		if (s->refused[i])
			continue;
		activity_id_format(a->event_id, id);
		buf_printf(b, "%s{\"received_us\":%lld", n++ ? "," : "", (long long)a->received_us);
		put_text(b, "source", a->source);
		if (a->key_id)
			put_int(b, "key_id", a->key_id);
		put_text(b, "event_id", id);
		put_text(b, "type", a->type);
		put_text(b, "reason", a->reason);
		put_text(b, "field", a->field);
		put_text(b, "detail", a->detail);
		put_text(b, "payload", a->payload);
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
	return n;
}

/* ---- ending ---------------------------------------------------------------------------------- */

static const char *number(struct store *s, int64_t n)
{
	return arena_printf(&s->arena, "%lld", (long long)n);
}

/* All that is left, in one round trip; what others wait for comes last. */
static enum err end(struct store *s, struct errbuf *eb)
{
	int64_t from_us = INT64_MAX, to_us = INT64_MIN;
	struct buf aparts = {0}, counts = {0}, warns = {0};
	struct db_ask asks[4];
	int n = 0;
	for (int i = 0; i < s->r->items_n; i++) {
		int64_t us = s->r->items[i].occurred_us;
		if (s->outcomes[i] != ACTIVITY_STORED)
			continue;
		from_us = us < from_us ? us : from_us;
		to_us = us > to_us ? us : to_us;
	}
	int aparts_n = put_aparts(s, &aparts);
	put_counts(&s->sums, &counts);
	put_warns(&s->sums, &warns);
	const struct db_param batch[] = {{"batch_id", number(s, s->batch_id)},
	                                 {"events", number(s, s->stored_n)},
	                                 {"from_us", number(s, from_us)},
	                                 {"to_us", number(s, to_us)},
	                                 {NULL, NULL}};
	const struct db_param apart_rows[] = {{"rows", buf_str(&aparts)}, {NULL, NULL}};
	const struct db_param count_rows[] = {{"rows", buf_str(&counts)}, {NULL, NULL}};
	const struct db_param warn_rows[] = {{"rows", buf_str(&warns)}, {NULL, NULL}};
	if (s->stored_n)
		asks[n++] = (struct db_ask){"activity_store_batch", batch, NULL};
	if (aparts_n)
		asks[n++] = (struct db_ask){"activity_store_quarantine", apart_rows, NULL};
	if (s->sums.warns_n)
		asks[n++] = (struct db_ask){"activity_store_warnings", warn_rows, NULL};
	if (s->sums.counts_n)
		asks[n++] = (struct db_ask){"activity_store_accounts", count_rows, NULL};
	enum err rc = n ? db_query_all(s->db, asks, n, NULL, eb) : ERR_OK;
	buf_fini(&aparts);
	buf_fini(&counts);
	buf_fini(&warns);
	return rc;
}

enum err activity_store(struct activity_rows *r, struct db *db, enum activity_outcome *outcomes,
                        struct errbuf *eb)
{
	struct store s = {.r = r, .db = db, .outcomes = outcomes};
	enum err rc = ERR_OK;
	must(r->items_n <= ACTIVITY_ROWS);
	arena_init(&s.arena);
	for (int i = 0; i < r->items_n; i++)
		outcomes[i] = ACTIVITY_STORED;
	if (r->items_n || r->aparts_n)
		rc = begin(&s, eb);
	if (rc == ERR_OK && r->items_n)
		rc = store_ids(&s, eb);
	if (rc == ERR_OK && r->items_n)
		rc = store_events(&s, eb);
	if (rc == ERR_OK) {
		add_up(&s);
		rc = end(&s, eb);
	}
	if (rc == ERR_OK)
		know_days(r);
	else
		forget_days();
	activity_sums_fini(&s.sums);
	arena_fini(&s.arena);
	return rc;
}
