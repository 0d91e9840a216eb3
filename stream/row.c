/* row.c: what a changed row of orders, order_items or order_refunds means, by the same rules by
 * which the batch counts (lib/db/source_sql.c, batch/run_stage.c). */
#include "stream/row.h"

#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "stream/decode.h"
#include "base/time_text.h"
#include "stream/values.h"

struct reading {
	const struct row_change *row;
	const struct rules *rules;
	const struct row_units *units;
	struct arena *arena;
	struct errbuf *eb;
};

/* ---- columns ----------------------------------------------------------------- */

static const struct row_value *find(const struct row_value *values, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (strcmp(values[i].name, name) == 0)
			return &values[i];
	return NULL;
}

static const struct row_value *column(const struct reading *r, const char *name)
{
	return find(r->row->columns, r->row->columns_n, name);
}

static enum err refuse(const struct reading *r, const char *name, const char *why)
{
	return err_set_field(r->eb, ERR_INVALID, name, "column %s of %s %s", name, r->row->table, why);
}

/* *out is NULL where the row does not say it: it has no such column, or did not send it. */
static enum err told(const struct reading *r, const char *name, bool required,
                     const struct row_value **out)
{
	*out = column(r, name);
	if (!*out && required)
		return refuse(r, name, "is missing");
	if (*out && (*out)->kind == VALUE_KEPT)
		*out = NULL;
	return ERR_OK;
}

/* An id, a status: NULL for NULL. */
static enum err text_of(const struct reading *r, const struct row_value *v, size_t max,
                        const char **out)
{
	*out = NULL;
	if (v->kind == VALUE_NULL)
		return ERR_OK;
	if (v->kind != VALUE_TEXT && v->kind != VALUE_NUMBER)
		return refuse(r, v->name, "is neither a text nor a whole number");
	enum err rc = value_text(v->text, max, v->name, r->eb);
	if (rc == ERR_OK)
		*out = arena_strdup(r->arena, v->text);
	return rc;
}

/* ---- numbers ------------------------------------------------------------------- */

/* Nobody says whether the text of a decimal is one or the base64 of one. Decimals with a point or a
 * sign are no base64, base64 with a letter is no decimal; what could be either is refused. */
static enum err untyped_decimal(const struct reading *r, const struct row_value *v,
                                const char **out)
{
	size_t n = strlen(v->text);
	bool digits = strspn(v->text, "0123456789") == n;
	struct decimal d;
	*out = v->text;
	if (n % 4 != 0 || n == 0 || (!digits && decimal_parse(v->text, &d)))
		return ERR_OK;
	if (digits)
		return refuse(r, v->name,
		              "could be a decimal or the base64 of one: send the schema, numbers as JSON "
		              "numbers, or set CDC_DECIMAL_SCALE=-1");
	const char *decoded = decimal_from_base64(r->arena, v->text, r->units->scale);
	if (decoded)
		*out = decoded;
	return ERR_OK;
}

/* The digits of a number; *out is NULL for NULL. */
static enum err number_of(const struct reading *r, const struct row_value *v, const char **out)
{
	*out = v->text;
	switch (v->kind) {
	case VALUE_NULL:
		*out = NULL;
		return ERR_OK;
	case VALUE_TEXT:
		return r->row->untyped && r->units->scale >= 0 ? untyped_decimal(r, v, out) : ERR_OK;
	case VALUE_NUMBER:
		return ERR_OK;
	case VALUE_FLOAT:
		return r->units->floats ? ERR_OK
		                        : refuse(r, v->name,
		                                 "went through floating point: use a decimal type and "
		                                 "decimal.handling.mode=string, or allow it with "
		                                 "CDC_FLOAT_MONEY");
	case VALUE_BYTES:
		*out =
			r->units->scale >= 0 ? decimal_from_base64(r->arena, v->text, r->units->scale) : NULL;
		return *out ? ERR_OK : refuse(r, v->name, "has bytes that are no decimal");
	default:
		return refuse(r, v->name, "is no number");
	}
}

static enum err minor_of(const struct reading *r, const struct row_value *v, const char *currency,
                         int64_t *out)
{
	const char *text;
	*out = CHANGE_NONE;
	enum err rc = number_of(r, v, &text);
	if (rc == ERR_OK && text)
		rc = value_minor(text, rules_exponent(r->rules, currency), v->name, out, r->eb);
	return rc;
}

static enum err exact_of(const struct reading *r, const struct row_value *v, const char **out)
{
	const char *text;
	*out = NULL;
	enum err rc = number_of(r, v, &text);
	return rc == ERR_OK && text ? value_exact(r->arena, text, v->name, out, r->eb) : rc;
}

/* ---- times --------------------------------------------------------------------- */

/* A whole number whose unit the settings say; on the wall clock, as Debezium means it. */
static enum err clock_of_number(const struct reading *r, const struct row_value *v, int64_t *us)
{
	int64_t n = strtoll(v->text, NULL, 10);
	char unit = r->units->time;
	bool fits = time_from_units(n, unit, us) && *us >= TIME_1970_US && *us < TIME_2200_US;
	if (n != 0 && (!fits || (*us < TIME_2000_US && time_unit_doubtful(n, unit))))
		return refuse(r, v->name, "is no time in the unit of CDC_TIME_UNIT");
	return ERR_OK;
}

/* CHANGE_NONE for NULL and for what the batch does not believe: zero dates, 1970, 9999, infinity.
 */
static enum err time_of(const struct reading *r, const struct row_value *v, int64_t *us,
                        int64_t *local_s)
{
	enum time_kind kind = TIME_WALL;
	*us = *local_s = CHANGE_NONE;
	if (v->kind == VALUE_NULL)
		return ERR_OK;
	int64_t at = 0;
	enum err rc = ERR_OK;
	if (v->kind == VALUE_NUMBER)
		rc = clock_of_number(r, v, &at);
	else if (v->kind == VALUE_TEXT)
		kind = time_parse(v->text, &at);
	else
		kind = TIME_NONE;
	if (rc == ERR_OK && kind == TIME_NONE)
		rc = refuse(r, v->name, "is no time");
	if (rc != ERR_OK || kind == TIME_FAR || at < TIME_2000_US || at >= TIME_2200_US)
		return rc;
	*us = kind == TIME_WALL ? rules_wall_to_utc(r->rules, at) : at;
	*local_s = rules_local_s(r->rules, *us);
	return ERR_OK;
}

/* ---- orders --------------------------------------------------------------------- */

static enum err take_status(const struct reading *r, struct change *ch)
{
	const struct row_value *v;
	enum err rc = told(r, "status", true, &v);
	if (rc != ERR_OK || !v)
		return rc;
	ch->fields |= HAS_STATUS;
	rc = text_of(r, v, ID_BYTES, &ch->status_word);
	if (!ch->status_word)
		ch->status_word = "";
	return rc;
}

static enum err take_placed(const struct reading *r, struct change *ch)
{
	const struct row_value *v;
	enum err rc = told(r, "created_at", true, &v);
	if (rc != ERR_OK || !v)
		return rc;
	ch->fields |= HAS_PLACED;
	return time_of(r, v, &ch->placed_us, &ch->placed_local_s);
}

static enum err take_cancelled(const struct reading *r, struct change *ch)
{
	const struct row_value *v;
	enum err rc = told(r, "cancelled_at", false, &v);
	if (rc != ERR_OK || !v)
		return rc;
	ch->fields |= HAS_CANCELLED;
	return time_of(r, v, &ch->cancelled_us, &ch->cancelled_local_s);
}

/* A table without such columns means the defaults, as for the batch. */
static enum err take_series(const struct reading *r, struct change *ch)
{
	const struct row_value *location, *currency, *customer;
	const char *text = NULL;
	enum err rc = told(r, "location_id", false, &location);
	if (rc == ERR_OK)
		rc = told(r, "currency", false, &currency);
	if (rc == ERR_OK)
		rc = told(r, "customer_id", false, &customer);
	if (rc != ERR_OK)
		return rc;
	ch->location = r->rules->location;
	if (location && location->kind != VALUE_NULL) {
		rc = text_of(r, location, ID_BYTES, &text);
		if (rc == ERR_OK)
			rc = value_int32(text, "location_id", &ch->location, r->eb);
	}
	text = NULL;
	if (rc == ERR_OK && currency)
		rc = text_of(r, currency, ID_BYTES, &text);
	if (rc == ERR_OK)
		rc = value_currency(r->arena, r->rules, text, "currency", &ch->currency, r->eb);
	if (rc == ERR_OK && customer)
		rc = text_of(r, customer, ID_BYTES, &ch->customer);
	if (ch->customer && !*ch->customer)
		ch->customer = NULL;
	ch->fields |= location || !column(r, "location_id") ? HAS_LOCATION : 0;
	ch->fields |= currency || !column(r, "currency") ? HAS_CURRENCY : 0;
	ch->fields |= customer ? HAS_CUSTOMER : 0;
	return rc;
}

static enum err take_amounts(const struct reading *r, struct change *ch)
{
	const struct {
		const char *name;
		unsigned field;
		bool required;
		int64_t *out;
	} amounts[] = {{"total_amount", HAS_TOTAL, true, &ch->total},
	               {"discount", HAS_DISCOUNT, false, &ch->discount},
	               {"tax", HAS_TAX, false, &ch->tax},
	               {"shipping", HAS_SHIPPING, false, &ch->shipping},
	               {"tip", HAS_TIP, false, &ch->tip}};
	for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++) {
		const struct row_value *v;
		enum err rc = told(r, amounts[i].name, amounts[i].required, &v);
		if (rc == ERR_OK && v && !(ch->fields & HAS_CURRENCY))
			rc = refuse(r, "currency", "was not sent, so that the amounts cannot be read");
		if (rc == ERR_OK && v)
			rc = minor_of(r, v, ch->currency, amounts[i].out);
		if (rc != ERR_OK)
			return rc;
		ch->fields |= v ? amounts[i].field : 0;
	}
	return ERR_OK;
}

static enum err take_order(const struct reading *r, struct change *ch)
{
	ch->registers = WRITES_BIRTH | WRITES_STATUS;
	ch->total = ch->discount = ch->tax = ch->shipping = ch->tip = CHANGE_NONE;
	ch->placed_us = ch->cancelled_us = ch->placed_local_s = ch->cancelled_local_s = CHANGE_NONE;
	if (ch->deleted)
		return ERR_OK;
	enum err rc = take_status(r, ch);
	if (rc == ERR_OK)
		rc = take_placed(r, ch);
	if (rc == ERR_OK)
		rc = take_cancelled(r, ch);
	if (rc == ERR_OK)
		rc = take_series(r, ch);
	return rc == ERR_OK ? take_amounts(r, ch) : rc;
}

/* ---- lines and refunds ------------------------------------------------------------ */

/* A line or a refund of no order is nobody's, as for the batch. */
static enum err take_owner(const struct reading *r, struct change *ch)
{
	const struct row_value *v;
	enum err rc = told(r, "order_id", true, &v);
	if (rc != ERR_OK)
		return rc;
	if (!v)
		return refuse(r, "order_id", "was not sent");
	rc = text_of(r, v, ID_BYTES, &ch->order_id);
	if (rc != ERR_OK)
		return rc;
	if (ch->order_id && *ch->order_id) {
		ch->fields |= HAS_ORDER_ID;
	} else {
		ch->order_id = NULL;
		ch->deleted = true;
	}
	return ERR_OK;
}

static enum err take_item(const struct reading *r, struct change *ch)
{
	const struct row_value *v;
	enum err rc = told(r, column(r, "item_id") ? "item_id" : "product_id", true, &v);
	if (rc != ERR_OK)
		return rc;
	if (v) {
		ch->fields |= HAS_ITEM;
		rc = text_of(r, v, ID_BYTES, &ch->item);
		if (!ch->item)
			ch->item = "";
	}
	if (rc == ERR_OK)
		rc = told(r, "name", true, &v);
	if (rc != ERR_OK || !v)
		return rc;
	ch->fields |= HAS_NAME;
	return text_of(r, v, TEXT_BYTES, &ch->name);
}

static enum err take_exact(const struct reading *r, const char *name, unsigned field,
                           struct change *ch, const char **out)
{
	const struct row_value *v;
	enum err rc = told(r, name, true, &v);
	if (rc != ERR_OK || !v)
		return rc;
	ch->fields |= field;
	return exact_of(r, v, out);
}

static enum err take_line(const struct reading *r, struct change *ch)
{
	if (ch->deleted)
		return ERR_OK;
	enum err rc = take_owner(r, ch);
	if (rc != ERR_OK || ch->deleted)
		return rc;
	rc = take_item(r, ch);
	if (rc == ERR_OK)
		rc = take_exact(r, "quantity", HAS_QUANTITY, ch, &ch->quantity);
	if (rc == ERR_OK)
		rc = take_exact(r, "unit_price", HAS_PRICE, ch, &ch->price);
	return rc == ERR_OK ? value_line(ch->quantity, ch->price, "unit_price", r->eb) : rc;
}

static enum err take_refund(const struct reading *r, struct change *ch)
{
	const struct row_value *v;
	ch->refunded_us = ch->refunded_local_s = CHANGE_NONE;
	if (ch->deleted)
		return ERR_OK;
	enum err rc = take_owner(r, ch);
	if (rc != ERR_OK || ch->deleted)
		return rc;
	rc = take_exact(r, "amount", HAS_AMOUNT, ch, &ch->amount);
	if (rc == ERR_OK)
		rc = told(r, "created_at", true, &v);
	if (rc != ERR_OK || !v)
		return rc;
	ch->fields |= HAS_REFUNDED;
	return time_of(r, v, &ch->refunded_us, &ch->refunded_local_s);
}

/* ---- ids ------------------------------------------------------------------------------ */

enum { KEY_COLUMNS = 8 };

static int by_name(const void *a, const void *b)
{
	const struct row_value *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

/* The values of a key, in the order of their names, so that it is the same whoever tells it. */
static enum err joined_key(const struct reading *r, const struct row_value *key, int n,
                           const char **out)
{
	const struct row_value *sorted[KEY_COLUMNS];
	char text[ID_BYTES + 1];
	size_t len = 0;
	if (n > KEY_COLUMNS)
		return refuse(r, key[0].name, "is one of more than 8 in the key");
	for (int i = 0; i < n; i++)
		sorted[i] = &key[i];
	qsort(sorted, (size_t)n, sizeof *sorted, by_name);
	for (int i = 0; i < n; i++) {
		const char *part;
		enum err rc = text_of(r, sorted[i], ID_BYTES, &part);
		if (rc != ERR_OK)
			return rc;
		if (!part)
			return refuse(r, sorted[i]->name, "is part of the key, but NULL");
		size_t k = strlen(part);
		if (len + k + 1 > ID_BYTES)
			return refuse(r, sorted[i]->name, "makes the key longer than 200 bytes");
		if (i > 0)
			text[len++] = '\x1f'; /* in no sensible key */
		memcpy(text + len, part, k);
		len += k;
	}
	if (len == 0)
		return refuse(r, key[0].name, "is the key, but empty");
	*out = arena_strndup(r->arena, text, len);
	return ERR_OK;
}

/* Of a line or refund: its key, or the column `id` where nobody told the key. *out is NULL where
 * there is neither. */
static enum err key_id(const struct reading *r, const struct row_value *key, int key_n,
                       const struct row_value *id, const char **out)
{
	*out = NULL;
	if (key_n > 0)
		return joined_key(r, key, key_n, out);
	if (id && id->kind != VALUE_NULL && id->kind != VALUE_KEPT)
		return joined_key(r, id, 1, out);
	return ERR_OK;
}

static enum err entity_id(const struct reading *r, const char **out)
{
	enum err rc = key_id(r, r->row->key, r->row->key_n, column(r, "id"), out);
	if (rc == ERR_OK && !*out)
		rc = err_set_field(r->eb, ERR_INVALID, r->row->table,
		                   "nothing says which row of %s this is: the table needs a primary key or "
		                   "a REPLICA IDENTITY, or the message a key",
		                   r->row->table);
	return rc;
}

/* Of an order: its column `id`, of a deleted one perhaps only in the key. */
static enum err order_id(const struct reading *r, const char **out)
{
	const struct row_value *v = column(r, "id");
	if (!v || v->kind == VALUE_NULL)
		v = find(r->row->key, r->row->key_n, "id");
	if (!v)
		return refuse(r, "id", "is missing");
	enum err rc =
		v->kind == VALUE_KEPT ? refuse(r, "id", "was not sent") : text_of(r, v, ID_BYTES, out);
	return rc == ERR_OK && (!*out || !**out) ? refuse(r, "id", "is empty") : rc;
}

/* The id before, where the row was given another one; NULL: it has it still. */
static enum err id_before(const struct reading *r, enum change_kind kind, const char *now,
                          const char **out)
{
	const struct row_value *was = r->row->was, *id = find(was, r->row->was_n, "id");
	enum err rc = ERR_OK;
	*out = NULL;
	if (kind != CHANGE_ORDER) /* of a row that is told whole, nobody says what is the key */
		rc = key_id(r, was, r->row->key_n > 0 ? r->row->was_n : 0, id, out);
	else if (id && id->kind != VALUE_KEPT)
		rc = text_of(r, id, ID_BYTES, out);
	if (*out && (strcmp(*out, now) == 0 || !**out))
		*out = NULL;
	return rc;
}

/* ---- rows ------------------------------------------------------------------------------- */

static const struct table {
	const char *name;
	enum change_kind kind;
	enum err (*take)(const struct reading *r, struct change *ch);
} tables[] = {
	{"orders", CHANGE_ORDER, take_order},
	{"order_items", CHANGE_LINE, take_line},
	{"order_refunds", CHANGE_REFUND, take_refund},
};

static const struct table *find_table(const char *name)
{
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		if (strcmp(tables[i].name, name) == 0)
			return &tables[i];
	return NULL;
}

bool row_table_known(const char *table)
{
	return find_table(table) != NULL;
}

static struct version version_of(const struct row_change *row)
{
	bool usable = row->time_us > 0 && row->time_us < TIME_2100_US;
	return (struct version){.major = VERSION_ROW + row->lsn,
	                        .minor = usable ? row->time_us * 2048 : 0};
}

static enum err take_row(const struct reading *r, const struct table *t, struct changes *out)
{
	struct change ch = {.kind = t->kind,
	                    .birth = version_of(r->row),
	                    .status = version_of(r->row),
	                    .deleted = r->row->op == ROW_DELETE};
	const char *before;
	enum err rc = t->kind == CHANGE_ORDER ? order_id(r, &ch.id) : entity_id(r, &ch.id);
	if (rc == ERR_OK)
		rc = t->take(r, &ch);
	if (rc == ERR_OK)
		rc = id_before(r, t->kind, ch.id, &before);
	if (rc != ERR_OK)
		return rc;
	if (before) {
		struct change gone = {.kind = t->kind,
		                      .id = before,
		                      .deleted = true,
		                      .registers = ch.registers,
		                      .birth = ch.birth,
		                      .status = ch.status};
		changes_put(out, &gone);
	}
	changes_put(out, &ch);
	return ERR_OK;
}

enum err row_to_changes(const struct row_change *row, const struct rules *rules,
                        const struct row_units *units, struct changes *out, struct errbuf *eb)
{
	const struct reading r = {row, rules, units, changes_arena(out), eb};
	const struct table *t = find_table(row->table);
	if (!t)
		return ERR_NOTHING;
	switch (row->op) {
	case ROW_CREATE:
	case ROW_UPDATE:
	case ROW_DELETE:
	case ROW_READ:
		return take_row(&r, t, out);
	case ROW_TRUNCATE:
		return err_set_field(
			eb, ERR_INVALID, row->table,
			"%s was truncated: its rows are not taken away; see to it, and make the "
			"live figures anew",
			row->table);
	default:
		return ERR_NOTHING;
	}
}
