/* bookings_rows.c: each row is decoded, and written down in the words of SQL. */
#include "stream/bookings_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/time_text.h"
#include "domain/booking_message.h"

void bookings_rows_init(struct bookings_rows *r)
{
	*r = (struct bookings_rows){0};
	arena_init(&r->arena);
	buf_init(&r->messages);
	buf_init(&r->dead);
	buf_init(&r->good);
}

void bookings_rows_fini(struct bookings_rows *r)
{
	arena_fini(&r->arena);
	buf_fini(&r->messages);
	buf_fini(&r->dead);
	buf_fini(&r->good);
	free(r->ids);
}

/* ---- a message as JSON ------------------------------------------------------------ */

static void put_time(struct json *j, const char *key, int64_t us)
{
	char text[TIME_TEXT_BYTES];
	json_key(j, key);
	if (us == BOOKING_NONE) {
		json_put_null(j);
		return;
	}
	must(time_format(us, true, text));
	json_put_text(j, text);
}

static void put_number(struct json *j, const char *key, int64_t n)
{
	if (n != BOOKING_NONE)
		json_pair_int(j, key, n);
}

static void put_text(struct json *j, const char *key, const char *text)
{
	if (text)
		json_pair_text(j, key, text);
}

static void put_fields(struct json *j, const struct booking_message *m)
{
	json_key(j, "fields");
	json_begin_object(j);
	if (m->says & SAYS_NAME)
		json_pair_text(j, "name", m->name);
	if (m->says & SAYS_CATEGORY)
		json_pair_text(j, "category", m->category);
	if (m->says & SAYS_CURRENCY)
		json_pair_text(j, "currency", m->currency);
	if (m->says & SAYS_CAPACITY && m->capacity == BOOKING_NONE)
		json_pair_text(j, "capacity", NULL);
	else if (m->says & SAYS_CAPACITY)
		json_pair_int(j, "capacity", m->capacity);
	if (m->says & SAYS_STARTS)
		put_time(j, "starts_at", m->starts_us);
	if (m->says & SAYS_ENDS)
		put_time(j, "ends_at", m->ends_us);
	if (m->says & SAYS_SALES_FROM)
		put_time(j, "sales_from", m->sales_from_us);
	if (m->says & SAYS_SALES_UNTIL)
		put_time(j, "sales_until", m->sales_until_us);
	put_text(j, "status", m->status);
	if (m->status && strcmp(m->status, "published") == 0)
		put_time(j, "published_at", m->occurred_us);
	json_end_object(j);
}

static void put_message(struct json *j, const struct booking_message *m)
{
	json_begin_object(j);
	json_pair_int(j, "kind", m->kind);
	json_pair_int(j, "version", m->version);
	put_time(j, "at", m->occurred_us);
	json_pair_int(j, "seq", m->seq);
	json_pair_int(j, "digest", m->digest);
	put_number(j, "event_id", m->event_id);
	put_text(j, "user_id", m->user_id);
	if (m->kind <= BOOKING_CANCELLED) {
		put_text(j, "booking_id", m->booking_id);
		json_pair_bool(j, "confirmed", m->confirmed);
		put_number(j, "seats", m->seats);
		put_text(j, "amount", m->amount);
		put_text(j, "currency", m->currency);
	} else if (m->kind <= BOOKABLE_CANCELLED) {
		put_fields(j, m);
	}
	json_end_object(j);
}

/* ---- rows --------------------------------------------------------------------------- */

static enum err read_row(struct bookings_rows *r, const char *type, const char *data,
                         struct booking_message *m, struct errbuf *eb)
{
	struct booking_envelope env;
	if (!data)
		return err_set(eb, ERR_MALFORMED, "it is no JSON");
	return booking_message_parse(&r->arena, data, strlen(data), type, m, &env, eb);
}

static void put_dead(struct json *j, int64_t id, const struct errbuf *eb)
{
	json_begin_object(j);
	json_pair_int(j, "id", id);
	json_pair_text(j, "error", eb->text);
	json_pair_text(j, "field", eb->field);
	json_end_object(j);
}

static void begin(struct bookings_rows *r, int n, struct json *messages, struct json *dead)
{
	buf_clear(&r->messages);
	buf_clear(&r->dead);
	buf_clear(&r->good);
	json_init(messages, &r->messages);
	json_init(dead, &r->dead);
	json_begin_array(messages);
	json_begin_array(dead);
	buf_putc(&r->good, '{');
	r->messages_n = r->dead_n = 0;
	r->n = n;
	if (n > r->cap)
		r->ids = mem_realloc(r->ids, (size_t)(r->cap = n) * sizeof *r->ids);
}

void bookings_rows_read(struct bookings_rows *r, const struct rowset *rs)
{
	struct json messages, dead;
	begin(r, rowset_rows(rs), &messages, &dead);
	for (int i = 0; i < r->n; i++) {
		struct errbuf eb = {0};
		struct booking_message m = {0};
		r->ids[i] = rowset_int(rs, i, "id");
		if (read_row(r, rowset_get(rs, i, "event_type"), rowset_get(rs, i, "event_data"), &m,
		             &eb) == ERR_OK) {
			put_message(&messages, &m);
			buf_printf(&r->good, "%s%lld", r->messages_n++ ? "," : "", (long long)r->ids[i]);
		} else {
			put_dead(&dead, r->ids[i], &eb);
			r->dead_n++;
		}
		arena_reset(&r->arena);
	}
	json_end_array(&messages);
	json_end_array(&dead);
	json_end(&messages);
	json_end(&dead);
	buf_putc(&r->good, '}');
}
