/* apply_copy.c: a batch as rows of temporary tables. */
#include "stream/apply_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

enum { COLS = 32, SCRATCH_BYTES = 2048 };

static const int64_t DAY_US = INT64_C(86400000000);

/* A row being filled; numbers and times are written into its own space. */
struct row {
	const char *values[COLS];
	int n;
	size_t used;
	char scratch[SCRATCH_BYTES];
};

static void row_begin(struct row *r)
{
	r->n = 0;
	r->used = 0;
}

static void put_text(struct row *r, const char *text)
{
	must(r->n < COLS);
	r->values[r->n++] = text;
}

static void put_bool(struct row *r, bool on)
{
	put_text(r, on ? "t" : "f");
}

/* Digits with at least `width` of them, at the end of what is there. */
static void add_digits(struct row *r, uint64_t v, int width)
{
	char digits[24];
	int n = 0;
	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v || n < width);
	must(r->used + (size_t)n + 8 < SCRATCH_BYTES);
	while (n > 0)
		r->scratch[r->used++] = digits[--n];
}

static void add_char(struct row *r, char c)
{
	r->scratch[r->used++] = c;
}

static void add_int(struct row *r, int64_t v)
{
	if (v < 0)
		add_char(r, '-');
	add_digits(r, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 1);
}

static void put_int(struct row *r, int64_t v)
{
	put_text(r, r->scratch + r->used);
	add_int(r, v);
	add_char(r, '\0');
}

static void put_amount(struct row *r, int64_t minor)
{
	if (minor == CHANGE_NONE)
		put_text(r, NULL);
	else
		put_int(r, minor);
}

/* Days since 1970 as a date of the Gregorian calendar, years counted from March: the algorithm of
 * howardhinnant.github.io/date_algorithms.html#civil_from_days. */
static void add_date(struct row *r, int64_t days)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	int64_t month = mp < 10 ? mp + 3 : mp - 9;
	add_digits(r, (uint64_t)(yoe + era * 400 + (month <= 2)), 4);
	add_char(r, '-');
	add_digits(r, (uint64_t)month, 2);
	add_char(r, '-');
	add_digits(r, (uint64_t)(doy - (153 * mp + 2) / 5 + 1), 2);
}

/* Of a clock that is UTC, as the session is, or carries no zone. */
static void put_time(struct row *r, int64_t us)
{
	if (us == CHANGE_NONE) {
		put_text(r, NULL);
		return;
	}
	int64_t days = us / DAY_US - (us % DAY_US < 0);
	uint64_t rest = (uint64_t)(us - days * DAY_US);
	put_text(r, r->scratch + r->used);
	add_date(r, days);
	add_char(r, ' ');
	add_digits(r, rest / 3600000000, 2);
	add_char(r, ':');
	add_digits(r, rest / 60000000 % 60, 2);
	add_char(r, ':');
	add_digits(r, rest / 1000000 % 60, 2);
	add_char(r, '.');
	add_digits(r, rest % 1000000, 6);
	add_char(r, '\0');
}

/* An instant and the site's wall clock, which is as exact. */
static void put_times(struct row *r, int64_t us, int64_t local_s)
{
	int64_t s = us / 1000000 - (us % 1000000 < 0);
	put_time(r, us);
	put_time(r, us == CHANGE_NONE || local_s == CHANGE_NONE ? CHANGE_NONE
	                                                        : us + (local_s - s) * 1000000);
}

static void put_version(struct row *r, struct version v)
{
	put_int(r, v.major);
	put_int(r, v.minor);
}

static void put_said(struct row *r, const struct change *ch)
{
	put_int(r, (int64_t)ch->fields);
	if (!ch->said_at) {
		put_text(r, NULL);
		return;
	}
	put_text(r, r->scratch + r->used);
	for (int i = 0; i < CHANGE_FIELDS; i++) {
		add_char(r, i ? ',' : '{');
		add_int(r, ch->said_at[i].major);
		add_char(r, ',');
		add_int(r, ch->said_at[i].minor);
	}
	add_char(r, '}');
	add_char(r, '\0');
}

static enum err row_end(struct row *r, struct db *db, struct errbuf *eb)
{
	return db_copy_row(db, r->n, r->values, eb);
}

/* ---- changes ------------------------------------------------------------------ */

/* What the last status meant: neighbours often have the same. */
struct verdict {
	const struct rules *rules;
	const char *word;
	bool counted;
};

static bool is_counted(struct verdict *v, const char *word)
{
	if (!v->word || strcmp(v->word, word) != 0) {
		v->word = word;
		v->counted = rules_counted(v->rules, word);
	}
	return v->counted;
}

static void fill_order(struct row *r, const struct change *ch, struct verdict *v)
{
	const char *status = ch->status_word;
	put_text(r, ch->id);
	put_int(r, (int64_t)ch->registers);
	put_version(r, ch->birth);
	put_version(r, ch->status);
	put_said(r, ch);
	put_bool(r, ch->deleted);
	put_text(r, status);
	put_bool(r, ch->fields & HAS_STATUS && is_counted(v, status ? status : ""));
	put_text(r, ch->currency);
	if (ch->location == LOCATION_NONE)
		put_text(r, NULL);
	else
		put_int(r, ch->location);
	put_text(r, ch->customer);
	put_amount(r, ch->total);
	put_amount(r, ch->discount);
	put_amount(r, ch->tax);
	put_amount(r, ch->shipping);
	put_amount(r, ch->tip);
	put_times(r, ch->placed_us, ch->placed_local_s);
	put_times(r, ch->cancelled_us, ch->cancelled_local_s);
	put_text(r, ch->cancel_reason);
}

static void fill_line(struct row *r, const struct change *ch)
{
	put_text(r, ch->id);
	put_text(r, ch->order_id);
	put_bool(r, ch->deleted);
	put_bool(r, ch->event);
	put_version(r, ch->birth);
	put_said(r, ch);
	put_text(r, ch->item);
	put_text(r, ch->name);
	put_text(r, ch->quantity);
	put_text(r, ch->price);
	put_text(r, ch->amount);
}

static void fill_refund(struct row *r, const struct change *ch)
{
	put_text(r, ch->id);
	put_text(r, ch->order_id);
	put_bool(r, ch->deleted);
	put_version(r, ch->birth);
	put_said(r, ch);
	put_text(r, ch->amount);
	put_times(r, ch->refunded_us, ch->refunded_local_s);
}

static const char *const copy_changes[] = {
	[CHANGE_ORDER] = "COPY batch_order (order_id, registers, birth_major, birth_minor,"
					 " status_major, status_minor, said, said_at, deleted, status, counted,"
					 " currency, location_id, customer_id, total_minor, discount_minor, tax_minor,"
					 " shipping_minor, tip_minor, placed_at, placed_local, cancelled_at,"
					 " cancelled_local, cancel_reason) FROM STDIN",
	[CHANGE_LINE] = "COPY batch_line (line_id, order_id, deleted, event, major, minor, said,"
					" said_at, item_id, name, quantity, price, amount) FROM STDIN",
	[CHANGE_REFUND] = "COPY batch_refund (refund_id, order_id, deleted, major, minor, said,"
					  " said_at, amount, refunded_at, refunded_local) FROM STDIN",
};

/* Neighbours of one kind go in one COPY. */
static enum err copy_kind(struct db *db, const struct change *const *changes, size_t n,
                          struct verdict *v, struct row *r, struct errbuf *eb)
{
	enum change_kind kind = changes[0]->kind;
	enum err rc = db_copy_begin(db, copy_changes[kind], eb);
	if (rc != ERR_OK)
		return rc;
	for (size_t i = 0; rc == ERR_OK && i < n; i++) {
		row_begin(r);
		if (kind == CHANGE_ORDER)
			fill_order(r, changes[i], v);
		else if (kind == CHANGE_LINE)
			fill_line(r, changes[i]);
		else
			fill_refund(r, changes[i]);
		rc = row_end(r, db, eb);
	}
	enum err ended = db_copy_end(db, rc == ERR_OK, eb);
	return rc != ERR_OK ? rc : ended;
}

static enum err copy_changes_of(struct db *db, struct changes *changes, const struct rules *rules,
                                struct row *r, struct copied *out, struct errbuf *eb)
{
	struct verdict v = {.rules = rules};
	size_t n, end;
	const struct change *const *sorted = changes_sorted(changes, &n);
	enum err rc = ERR_OK;
	for (size_t at = 0; rc == ERR_OK && at < n; at = end) {
		out->rows = (int64_t)n;
		for (end = at; end < n && sorted[end]->kind == sorted[at]->kind; end++)
			out->changes += sorted[end]->kind != CHANGE_ORDER || sorted[end]->registers;
		rc = copy_kind(db, sorted + at, end - at, &v, r, eb);
	}
	return rc;
}

static enum err copy_names(struct db *db, struct changes *changes, struct row *r, int64_t *names,
                           struct errbuf *eb)
{
	size_t n;
	const struct item_name *const *sorted = changes_names(changes, &n);
	*names = (int64_t)n;
	enum err rc = n ? db_copy_begin(db, "COPY batch_name FROM STDIN", eb) : ERR_NOTHING;
	if (rc != ERR_OK)
		return n ? rc : ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < n; i++) {
		row_begin(r);
		put_text(r, sorted[i]->item);
		put_text(r, sorted[i]->name);
		put_version(r, sorted[i]->version);
		rc = row_end(r, db, eb);
	}
	enum err ended = db_copy_end(db, rc == ERR_OK, eb);
	return rc != ERR_OK ? rc : ended;
}

/* ---- positions and dead letters ---------------------------------------------------- */

static enum err copy_advances(struct db *db, const struct batch *b, struct row *r,
                              struct errbuf *eb)
{
	enum err rc = db_copy_begin(db, "COPY batch_advance FROM STDIN", eb);
	if (rc != ERR_OK)
		return rc;
	for (int i = 0; rc == ERR_OK && i < b->advances_n; i++) {
		const struct advance *a = &b->advances[i];
		row_begin(r);
		put_text(r, a->source);
		put_text(r, a->topic);
		put_int(r, a->partition);
		put_int(r, a->from);
		put_int(r, a->to);
		rc = row_end(r, db, eb);
	}
	enum err ended = db_copy_end(db, rc == ERR_OK, eb);
	return rc != ERR_OK ? rc : ended;
}

static const char *bytes_text(struct buf *out, const char *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	if (!bytes)
		return NULL;
	buf_clear(out);
	buf_puts(out, "\\x");
	for (size_t i = 0; i < n; i++) {
		buf_putc(out, digits[(unsigned char)bytes[i] >> 4]);
		buf_putc(out, digits[(unsigned char)bytes[i] & 15]);
	}
	return buf_str(out);
}

static enum err copy_letter(struct db *db, const struct dead_letter *d, struct row *r,
                            struct buf bytes[2], struct errbuf *eb)
{
	row_begin(r);
	put_text(r, d->at.source);
	put_text(r, d->at.topic);
	put_int(r, d->at.partition);
	put_int(r, d->at.offset);
	put_text(r, bytes_text(&bytes[0], d->key, d->key_n));
	put_text(r, bytes_text(&bytes[1], d->value, d->value_n));
	put_text(r, d->reason);
	put_text(r, d->field);
	put_text(r, d->text);
	put_time(r, d->time_us ? d->time_us : CHANGE_NONE);
	return row_end(r, db, eb);
}

static enum err copy_dead(struct db *db, const struct batch *b, struct row *r, struct errbuf *eb)
{
	struct buf bytes[2] = {{0}};
	if (b->dead_n == 0)
		return ERR_OK;
	enum err rc = db_copy_begin(db, "COPY batch_dead FROM STDIN", eb);
	if (rc != ERR_OK)
		return rc;
	for (int i = 0; rc == ERR_OK && i < b->dead_n; i++)
		rc = copy_letter(db, &b->dead[i], r, bytes, eb);
	for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++)
		buf_fini(&bytes[i]);
	enum err ended = db_copy_end(db, rc == ERR_OK, eb);
	return rc != ERR_OK ? rc : ended;
}

enum err apply_copy(struct db *db, const struct batch *b, const struct rules *rules,
                    struct copied *out, struct errbuf *eb)
{
	struct row r;
	*out = (struct copied){0};
	enum err rc = copy_advances(db, b, &r, eb);
	if (rc == ERR_OK)
		rc = copy_changes_of(db, b->changes, rules, &r, out, eb);
	if (rc == ERR_OK)
		rc = copy_names(db, b->changes, &r, &out->names, eb);
	if (rc == ERR_OK)
		rc = copy_dead(db, b, &r, eb);
	return rc;
}

/* ---- other rules ------------------------------------------------------------------- */

static enum err copy_clock(struct db *db, const struct clock_map *m, struct row *r,
                           struct errbuf *eb)
{
	enum err rc = db_copy_begin(db, "COPY batch_clock FROM STDIN", eb);
	if (rc != ERR_OK)
		return rc;
	for (int i = 0; rc == ERR_OK && i < m->n; i++) {
		row_begin(r);
		if (i == 0)
			put_text(r, "-infinity"); /* as clock_map_shift has it */
		else
			put_time(r, m->rows[i].from_s * 1000000);
		put_int(r, m->rows[i].shift_s);
		rc = row_end(r, db, eb);
	}
	enum err ended = db_copy_end(db, rc == ERR_OK, eb);
	return rc != ERR_OK ? rc : ended;
}

enum err apply_copy_rules(struct db *db, const struct rules *rules, const struct rowset *statuses,
                          struct errbuf *eb)
{
	struct row r;
	enum err rc = copy_clock(db, &rules->utc, &r, eb);
	if (rc == ERR_OK)
		rc = db_copy_begin(db, "COPY batch_status FROM STDIN", eb);
	if (rc != ERR_OK)
		return rc;
	for (int i = 0; rc == ERR_OK && i < rowset_rows(statuses); i++) {
		const char *status = rowset_get(statuses, i, "status");
		row_begin(&r);
		put_text(&r, status);
		put_bool(&r, rules_counted(rules, status));
		rc = row_end(&r, db, eb);
	}
	enum err ended = db_copy_end(db, rc == ERR_OK, eb);
	return rc != ERR_OK ? rc : ended;
}
