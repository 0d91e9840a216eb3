/* decode_event.c: order events, as applications publish them.
 *
 * Names are compared without case, underscores and hyphens, so that order_id, orderId and OrderID
 * are one. Where a message has several names of one field, the more telling one counts. Fields may
 * lie in data, payload, body or order; the innermost counts. */
#include "stream/decode.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time_text.h"
#include "stream/event_fields.h"
#include "stream/values.h"

struct reading {
	const struct decoder *d;
	const struct message *m;
	struct arena *arena;
	struct event_fields fields;
	enum event_kind kind;
	int exponent;  /* of the order's currency */
	int64_t at_us; /* when it happened; CHANGE_NONE: it does not say */
	struct version version;
	struct errbuf *eb;
};

/* ---- values ---------------------------------------------------------------- */

static enum err missing(const char *name, struct errbuf *eb)
{
	return err_set_field(eb, ERR_INVALID, name, "%s is missing", name);
}

static enum err wrong(const char *name, const char *what, struct errbuf *eb)
{
	return err_set_field(eb, ERR_INVALID, name, "%s is not %s", name, what);
}

/* A string or a whole number; *out is NULL where there is none. */
static enum err take_text(struct reading *r, const struct jnode *v, const char *name, size_t max,
                          const char **out)
{
	*out = NULL;
	if (!v)
		return ERR_OK;
	if (v->kind != JNODE_STRING && (v->kind != JNODE_NUMBER || !v->whole))
		return wrong(name, "a text or a whole number", r->eb);
	if (v->n > max)
		return err_set_field(r->eb, ERR_INVALID, name, "%s is longer than %zu bytes", name, max);
	*out = arena_strndup(r->arena, v->text, v->n);
	return ERR_OK;
}

/* The digits of a number as they were written, be it as a text or as a number; *out is NULL where
 * there is none. Borrowed from the message. */
static enum err take_number(struct reading *r, const struct jnode *v, const char *name,
                            const char **out)
{
	*out = v ? v->text : NULL;
	if (v && v->kind != JNODE_STRING && v->kind != JNODE_NUMBER)
		return wrong(name, "a number", r->eb);
	return ERR_OK;
}

static enum err take_money(struct reading *r, enum event_field f, int64_t *out)
{
	const char *name = event_field_name(f), *text;
	*out = CHANGE_NONE;
	enum err rc = take_number(r, r->fields.value[f], name, &text);
	return rc == ERR_OK && text ? value_minor(text, r->exponent, name, out, r->eb) : rc;
}

/* Between 2000 and 2100 a number is a time in one unit only. With decimals it means seconds. */
static bool time_from_number(const struct jnode *v, int64_t *us)
{
	int64_t n;
	if (!v->whole) {
		double s = strtod(v->text, NULL);
		*us = s >= 0 && s < 1e10 ? llround(s * 1e6) : 0;
		return *us >= TIME_2000_US;
	}
	for (const char *unit = "smun"; jnode_int(v, &n) && *unit; unit++)
		if (time_from_units(n, *unit, us) && *us >= TIME_2000_US && *us < TIME_2100_US)
			return true;
	return false;
}

static enum err take_time(struct reading *r, enum event_field f, int64_t *out)
{
	const struct jnode *v = r->fields.value[f];
	const char *name = event_field_name(f);
	*out = CHANGE_NONE;
	if (!v)
		return ERR_OK;
	if (v->kind == JNODE_STRING) {
		enum time_kind kind = time_parse(v->text, out);
		if (kind == TIME_WALL)
			*out = rules_wall_to_utc(r->d->rules, *out);
		else if (kind != TIME_INSTANT)
			return wrong(name, "a time in ISO 8601", r->eb);
	} else if (v->kind != JNODE_NUMBER || !time_from_number(v, out)) {
		return wrong(name, "a time between 2000 and 2100", r->eb);
	}
	if (*out < TIME_1970_US || *out >= TIME_2100_US)
		return wrong(name, "a time between 1970 and 2100", r->eb);
	return ERR_OK;
}

/* ---- who and when ------------------------------------------------------------ */

/* Eight bits of what it says. */
static int64_t hash_bits(const char *bytes, size_t n)
{
	uint64_t h = 1469598103934665603U, word;
	for (; n >= sizeof word; bytes += sizeof word, n -= sizeof word) {
		memcpy(&word, bytes, sizeof word);
		h = (h ^ word) * 1099511628211U;
		h ^= h >> 29;
	}
	for (; n > 0; bytes++, n--)
		h = (h ^ (unsigned char)*bytes) * 1099511628211U;
	return (int64_t)(h >> 56);
}

static enum err take_version(struct reading *r)
{
	const struct jnode *v = r->fields.value[F_VERSION];
	int64_t number = 0;
	/* "1.0" is the version of a format, not of an order */
	if (v && jnode_int(v, &number) && (number < 0 || number >= VERSION_ROW))
		return wrong("version", "a number from 0 to 2^62", r->eb);
	int64_t detail = (int64_t)r->kind << 8 | hash_bits(r->m->value, r->m->value_n);
	r->version.major = number;
	if (r->at_us != CHANGE_NONE)
		r->version.minor = r->at_us << 11 | detail;
	else
		r->version.minor = number > 0 ? detail : r->m->at.offset;
	return ERR_OK;
}

/* The time that names the event, or the one of what happened in it. */
static enum err take_at(struct reading *r)
{
	static const enum event_field also[] = {[EVENT_CREATED] = F_PLACED,
	                                        [EVENT_STATUS] = F_CHANGED,
	                                        [EVENT_CANCELLED] = F_CANCELLED,
	                                        [EVENT_DELETED] = F_CHANGED};
	enum err rc = take_time(r, F_AT, &r->at_us);
	if (rc == ERR_OK && r->at_us == CHANGE_NONE)
		rc = take_time(r, also[r->kind], &r->at_us);
	return rc;
}

/* Where the event says no time, when it arrived. */
static int64_t happened_us(const struct reading *r)
{
	bool usable = r->m->time_us > 0 && r->m->time_us < TIME_2100_US;
	return r->at_us != CHANGE_NONE ? r->at_us : usable ? r->m->time_us : CHANGE_NONE;
}

/* ---- the order --------------------------------------------------------------- */

static bool is_cancel_word(const char *status)
{
	return status && strncasecmp(status, "cancel", 6) == 0;
}

/* The word in the spelling that the profile knows. */
static const char *own_word(const struct reading *r, const char *small, const char *capitals)
{
	return strcmp(r->d->rules->profile, "restaurant") == 0 ? capitals : small;
}

static void put_cancelled(const struct reading *r, struct change *ch, int64_t at_us)
{
	ch->fields |= HAS_CANCELLED;
	ch->cancelled_us = at_us;
	ch->cancelled_local_s = rules_local_s(r->d->rules, at_us);
}

static enum err take_status(struct reading *r, struct change *ch)
{
	const char *word;
	enum err rc = take_text(r, r->fields.value[F_STATUS], "status", ID_BYTES, &word);
	if (rc != ERR_OK)
		return rc;
	ch->registers |= WRITES_STATUS;
	ch->fields |= HAS_STATUS;
	if (r->kind == EVENT_CANCELLED && !is_cancel_word(word))
		word = own_word(r, "cancelled", "CANCELLED"); /* what it says may be the status before */
	else if (r->kind == EVENT_CREATED && !word)
		word = own_word(r, "created", "CREATED");
	if (!word || !*word)
		return missing("new_status", r->eb);
	ch->status_word = word;
	return ERR_OK;
}

static enum err take_cancelled(struct reading *r, struct change *ch)
{
	int64_t at_us;
	enum err rc = take_time(r, F_CANCELLED, &at_us);
	if (rc == ERR_OK)
		rc = take_text(r, r->fields.value[F_REASON], "reason", TEXT_BYTES, &ch->cancel_reason);
	bool cancelled = r->kind == EVENT_CANCELLED || is_cancel_word(ch->status_word);
	if (!cancelled)
		ch->cancel_reason = NULL; /* the reason of something else */
	put_cancelled(r, ch, !cancelled ? CHANGE_NONE : at_us != CHANGE_NONE ? at_us : happened_us(r));
	return rc;
}

static enum err take_amounts(struct reading *r, struct change *ch)
{
	ch->fields |= HAS_TOTAL | HAS_DISCOUNT | HAS_TAX | HAS_SHIPPING | HAS_TIP;
	if (!r->fields.value[F_TOTAL])
		return missing("total_amount", r->eb);
	enum err rc = take_money(r, F_TOTAL, &ch->total);
	if (rc == ERR_OK)
		rc = take_money(r, F_DISCOUNT, &ch->discount);
	if (rc == ERR_OK)
		rc = take_money(r, F_TAX, &ch->tax);
	if (rc == ERR_OK)
		rc = take_money(r, F_SHIPPING, &ch->shipping);
	if (rc == ERR_OK)
		rc = take_money(r, F_TIP, &ch->tip);
	return rc;
}

static enum err take_whereabouts(struct reading *r, struct change *ch)
{
	const char *text;
	ch->fields |= HAS_CURRENCY | HAS_LOCATION | HAS_CUSTOMER;
	ch->location = r->d->rules->location;
	enum err rc = take_text(r, r->fields.value[F_CURRENCY], "currency", ID_BYTES, &text);
	if (rc == ERR_OK)
		rc = value_currency(r->arena, r->d->rules, text, "currency", &ch->currency, r->eb);
	if (rc == ERR_OK)
		rc = take_text(r, r->fields.value[F_LOCATION], "location_id", ID_BYTES, &text);
	if (rc == ERR_OK && text)
		rc = value_int32(text, "location_id", &ch->location, r->eb);
	if (rc == ERR_OK)
		rc = take_text(r, r->fields.value[F_CUSTOMER], "customer_id", ID_BYTES, &ch->customer);
	if (ch->customer && !*ch->customer)
		ch->customer = NULL;
	if (rc == ERR_OK)
		r->exponent = rules_exponent(r->d->rules, ch->currency);
	return rc;
}

static enum err take_birth(struct reading *r, struct change *ch)
{
	ch->registers |= WRITES_BIRTH;
	ch->fields |= HAS_PLACED;
	enum err rc = take_time(r, F_PLACED, &ch->placed_us);
	if (rc == ERR_OK && ch->placed_us == CHANGE_NONE)
		ch->placed_us = happened_us(r);
	if (rc == ERR_OK && ch->placed_us == CHANGE_NONE)
		rc = missing("created_at", r->eb);
	if (rc != ERR_OK)
		return rc;
	ch->placed_local_s = rules_local_s(r->d->rules, ch->placed_us);
	rc = take_whereabouts(r, ch);
	return rc == ERR_OK ? take_amounts(r, ch) : rc;
}

static enum err take_order(struct reading *r, struct change *ch)
{
	enum err rc = ERR_OK;
	if (r->kind == EVENT_DELETED) {
		ch->deleted = true;
		ch->registers = WRITES_BIRTH | WRITES_STATUS;
		return ERR_OK;
	}
	if (r->kind == EVENT_CREATED)
		rc = take_birth(r, ch);
	if (rc == ERR_OK)
		rc = take_status(r, ch);
	return rc == ERR_OK ? take_cancelled(r, ch) : rc;
}

/* ---- lines --------------------------------------------------------------------- */

/* One field of one line, named "items[3].quantity" where it is wrong. */
struct line_name {
	char text[48];
};

static struct line_name line_name(size_t i, enum event_field f)
{
	struct line_name n;
	(void)snprintf(n.text, sizeof n.text, "items[%zu].%s", i, event_field_name(f));
	return n;
}

static enum err take_line_number(struct reading *r, const struct event_fields *in, size_t i,
                                 enum event_field f, const char **out)
{
	if (!in->value[f]) {
		*out = NULL;
		return ERR_OK;
	}
	struct line_name name = line_name(i, f);
	enum err rc = take_number(r, in->value[f], name.text, out);
	return rc == ERR_OK && *out ? value_exact(r->arena, *out, name.text, out, r->eb) : rc;
}

static enum err take_line(struct reading *r, const struct jnode *item, size_t i, struct change *ch)
{
	struct event_fields in;
	if (item->kind != JNODE_OBJECT)
		return wrong("items", "a list of objects", r->eb);
	event_fields_of_line(item, &in);
	enum err rc = take_text(r, in.value[L_ITEM], "items.product_id", ID_BYTES, &ch->item);
	if (rc == ERR_OK && (!ch->item || !*ch->item))
		rc = missing(line_name(i, L_ITEM).text, r->eb);
	if (rc == ERR_OK)
		rc = take_text(r, in.value[L_NAME], "items.name", TEXT_BYTES, &ch->name);
	if (rc == ERR_OK)
		rc = take_line_number(r, &in, i, L_QUANTITY, &ch->quantity);
	if (rc == ERR_OK)
		rc = take_line_number(r, &in, i, L_PRICE, &ch->price);
	if (rc == ERR_OK)
		rc = take_line_number(r, &in, i, L_AMOUNT, &ch->amount);
	if (rc == ERR_OK && !ch->quantity)
		rc = missing(line_name(i, L_QUANTITY).text, r->eb);
	if (rc == ERR_OK && !ch->price && !ch->amount)
		rc = missing(line_name(i, L_PRICE).text, r->eb);
	if (rc == ERR_OK && !ch->amount)
		rc = value_line(ch->quantity, ch->price, line_name(i, L_PRICE).text, r->eb);
	return rc;
}

/* The caller frees *lines, whatever comes of it. */
static enum err take_lines(struct reading *r, const char *order_id, struct change **lines,
                           size_t *n)
{
	const struct jnode *items = r->fields.value[F_ITEMS];
	*n = 0;
	if (r->kind != EVENT_CREATED || !items)
		return ERR_OK;
	if (items->kind != JNODE_ARRAY)
		return wrong("items", "a list", r->eb);
	*n = items->n;
	if (*n > MESSAGE_LINES)
		return err_set_field(r->eb, ERR_INVALID, "items", "more than %d items", MESSAGE_LINES);
	*lines = mem_alloc(*n * sizeof **lines);
	const struct jnode *item = items->first;
	for (size_t i = 0; i < *n; i++, item = item->next) {
		struct change *ch = *lines + i;
		*ch = (struct change){.kind = CHANGE_LINE,
		                      .fields = HAS_ORDER_ID | HAS_ITEM | HAS_NAME | HAS_QUANTITY |
		                                HAS_PRICE | HAS_AMOUNT,
		                      .event = true,
		                      .order_id = order_id,
		                      .birth = r->version};
		char id[ID_BYTES + 32];
		(void)snprintf(id, sizeof id, "event:%s#%zu", order_id, i);
		ch->id = arena_strdup(r->arena, id);
		enum err rc = take_line(r, item, i, ch);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

/* ---- a message ----------------------------------------------------------------- */

enum err decode_event(const struct decoder *d, const struct message *m, const struct jnode *value,
                      struct changes *out, struct errbuf *eb)
{
	struct reading r = {.d = d, .m = m, .arena = changes_arena(out), .eb = eb};
	struct change order = {.kind = CHANGE_ORDER,
	                       .placed_us = CHANGE_NONE,
	                       .cancelled_us = CHANGE_NONE,
	                       .total = CHANGE_NONE};
	struct change *lines = NULL;
	size_t lines_n = 0;
	event_fields_of(value, &r.fields);
	r.kind = event_kind_of(&r.fields);
	if (r.kind == EVENT_OTHER)
		return ERR_NOTHING;
	enum err rc = take_text(&r, r.fields.value[F_ORDER], "order_id", ID_BYTES, &order.id);
	if (rc == ERR_OK && (!order.id || !*order.id))
		rc = missing("order_id", eb);
	if (rc == ERR_OK)
		rc = take_at(&r);
	if (rc == ERR_OK)
		rc = take_version(&r);
	order.birth = order.status = r.version;
	if (rc == ERR_OK)
		rc = take_order(&r, &order);
	if (rc == ERR_OK)
		rc = take_lines(&r, order.id, &lines, &lines_n);
	if (rc == ERR_OK)
		changes_put(out, &order);
	for (size_t i = 0; rc == ERR_OK && i < lines_n; i++)
		changes_put(out, &lines[i]);
	free(lines);
	return rc;
}
