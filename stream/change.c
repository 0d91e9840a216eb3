/* change.c: folding changes, and the changes of a batch by what they are of. */
#include "stream/change.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
	SLOTS_MIN = 1024,
	SLOTS_KEPT = 128 * 1024, /* after a batch: half a megabyte of entries, one of slots */
	KINDS = 4                /* of change_kind, and names of items */
};
enum { KIND_NAME = CHANGE_REFUND + 1 };

struct entry {
	int kind;
	union {
		struct change *change;
		struct item_name *name;
	} is;
};

/* Open addressing; an entry stands in the first free slot at or after its place. */
struct changes {
	struct arena arena;
	unsigned char key[crypto_shorthash_KEYBYTES]; /* so that nobody can choose where it stands */
	struct entry *slots;
	size_t slots_n; /* a power of two */
	size_t entries_n, n[KINDS];
	void **sorted; /* all but names, or the names; room for slots_n */
	size_t bytes;  /* in the arena, texts estimated */
};

/* ---- folding ------------------------------------------------------------------ */

int version_compare(struct version a, struct version b)
{
	if (a.major != b.major)
		return a.major < b.major ? -1 : 1;
	return (a.minor > b.minor) - (a.minor < b.minor);
}

static const struct version *register_of(const struct change *ch, unsigned field)
{
	return field & HAS_STATUS_REGISTER ? &ch->status : &ch->birth;
}

static struct version said_at(const struct change *ch, int i)
{
	unsigned field = 1U << i;
	if (!(ch->fields & field))
		return VERSION_NEVER;
	return ch->said_at ? ch->said_at[i] : *register_of(ch, field);
}

static unsigned fields_of(const struct change *ch)
{
	switch (ch->kind) {
	case CHANGE_LINE:
		return HAS_ORDER_ID | HAS_ITEM | HAS_NAME | HAS_QUANTITY | HAS_PRICE | HAS_AMOUNT;
	case CHANGE_REFUND:
		return HAS_ORDER_ID | HAS_AMOUNT | HAS_REFUNDED;
	case CHANGE_ORDER:
		break;
	}
	unsigned birth = HAS_PLACED | HAS_TOTAL | HAS_CURRENCY | HAS_LOCATION | HAS_CUSTOMER |
	                 HAS_DISCOUNT | HAS_TAX | HAS_SHIPPING | HAS_TIP;
	return (ch->registers & WRITES_BIRTH ? birth : 0U) |
	       (ch->registers & WRITES_STATUS ? (unsigned)HAS_STATUS_REGISTER : 0U);
}

/* What a change has where it says nothing. */
static struct change nothing(void)
{
	return (struct change){
		.location = LOCATION_NONE,
		.total = CHANGE_NONE,
		.discount = CHANGE_NONE,
		.tax = CHANGE_NONE,
		.shipping = CHANGE_NONE,
		.tip = CHANGE_NONE,
		.placed_us = CHANGE_NONE,
		.cancelled_us = CHANGE_NONE,
		.refunded_us = CHANGE_NONE,
		.placed_local_s = CHANGE_NONE,
		.cancelled_local_s = CHANGE_NONE,
		.refunded_local_s = CHANGE_NONE,
	};
}

static void take_field(struct change *a, const struct change *b, unsigned field)
{
#define TAKE(has, member)                                                                          \
	case has:                                                                                      \
		a->member = b->member;                                                                     \
		break
	switch (field) {
	case HAS_PLACED:
		a->placed_us = b->placed_us;
		a->placed_local_s = b->placed_local_s;
		break;
		TAKE(HAS_TOTAL, total);
		TAKE(HAS_CURRENCY, currency);
		TAKE(HAS_LOCATION, location);
		TAKE(HAS_CUSTOMER, customer);
		TAKE(HAS_DISCOUNT, discount);
		TAKE(HAS_TAX, tax);
		TAKE(HAS_SHIPPING, shipping);
		TAKE(HAS_TIP, tip);
	case HAS_STATUS:
		a->status_word = b->status_word;
		a->counted = b->counted;
		break;
	case HAS_CANCELLED:
		a->cancelled_us = b->cancelled_us;
		a->cancelled_local_s = b->cancelled_local_s;
		a->cancel_reason = b->cancel_reason;
		break;
		TAKE(HAS_ORDER_ID, order_id);
		TAKE(HAS_ITEM, item);
		TAKE(HAS_NAME, name);
		TAKE(HAS_QUANTITY, quantity);
		TAKE(HAS_PRICE, price);
		TAKE(HAS_AMOUNT, amount);
	case HAS_REFUNDED:
		a->refunded_us = b->refunded_us;
		a->refunded_local_s = b->refunded_local_s;
		break;
	default:
		break;
	}
#undef TAKE
}

void change_clean(struct change *ch)
{
	if (ch->deleted && ch->kind == CHANGE_ORDER) {
		ch->registers = WRITES_BIRTH | WRITES_STATUS;
		ch->status = ch->birth;
	}
	if (ch->kind == CHANGE_ORDER && !(ch->registers & WRITES_BIRTH))
		ch->birth = VERSION_NEVER;
	if (!(ch->registers & WRITES_STATUS) || ch->kind != CHANGE_ORDER)
		ch->status = VERSION_NEVER;
	unsigned all = fields_of(ch);
	unsigned said = ch->deleted ? 0 : ch->fields & all;
	struct change clean = nothing();
	for (unsigned field = 1; field < HAS_ALL; field <<= 1)
		if (said & field)
			take_field(&clean, ch, field);
	clean.kind = ch->kind;
	clean.fields = ch->deleted ? all : said;
	clean.registers = ch->registers;
	clean.deleted = ch->deleted;
	clean.event = ch->event && !ch->deleted;
	clean.id = ch->id;
	clean.birth = ch->birth;
	clean.status = ch->status;
	*ch = clean;
}

/* The versions of fields, where one of them is not that of its register. */
static const struct version *
keep_said_at(const struct change *ch, const struct version at[CHANGE_FIELDS], struct arena *arena)
{
	for (int i = 0; i < CHANGE_FIELDS; i++) {
		unsigned field = 1U << i;
		if (!(ch->fields & field) || version_compare(at[i], *register_of(ch, field)) == 0)
			continue;
		struct version *kept = arena_alloc(arena, CHANGE_FIELDS * sizeof *kept);
		memcpy(kept, at, CHANGE_FIELDS * sizeof *kept);
		return kept;
	}
	return NULL;
}

void change_fold(struct change *a, const struct change *b, struct arena *arena)
{
	struct version at[CHANGE_FIELDS];
	for (int i = 0; i < CHANGE_FIELDS; i++) {
		struct version of_b = said_at(b, i);
		at[i] = said_at(a, i);
		if (version_compare(of_b, at[i]) <= 0)
			continue;
		at[i] = of_b;
		take_field(a, b, 1U << i);
	}
	a->fields |= b->fields;
	a->registers |= b->registers;
	if (version_compare(b->birth, a->birth) > 0) {
		a->birth = b->birth;
		a->deleted = b->deleted;
		a->event = b->event;
	}
	if (version_compare(b->status, a->status) > 0)
		a->status = b->status;
	a->said_at = keep_said_at(a, at, arena);
}

/* ---- the changes of a batch ------------------------------------------------------ */

struct changes *changes_new(void)
{
	struct changes *c = mem_alloc(sizeof *c);
	*c = (struct changes){.slots_n = SLOTS_MIN};
	randombytes_buf(c->key, sizeof c->key);
	c->slots = mem_alloc(c->slots_n * sizeof *c->slots);
	return c;
}

void changes_free(struct changes *c)
{
	if (!c)
		return;
	arena_fini(&c->arena);
	free(c->slots);
	free(c->sorted);
	free(c);
}

void changes_forget(struct changes *c)
{
	if (c->slots_n > SLOTS_KEPT) {
		free(c->slots);
		c->slots_n = SLOTS_MIN;
		c->slots = mem_alloc(c->slots_n * sizeof *c->slots);
	}
	memset(c->slots, 0, c->slots_n * sizeof *c->slots);
	free(c->sorted);
	c->sorted = NULL;
	c->entries_n = 0;
	memset(c->n, 0, sizeof c->n);
}

void changes_clear(struct changes *c)
{
	changes_forget(c);
	arena_reset(&c->arena);
	c->bytes = 0;
}

struct arena *changes_arena(struct changes *c)
{
	return &c->arena;
}

static const char *entry_id(const struct entry *e)
{
	return e->kind == KIND_NAME ? e->is.name->item : e->is.change->id;
}

static struct entry *find_slot(const struct changes *c, int kind, const char *id)
{
	union {
		unsigned char bytes[crypto_shorthash_BYTES];
		uint64_t number;
	} hash;
	(void)crypto_shorthash(hash.bytes, (const unsigned char *)id, strlen(id), c->key);
	size_t at = (size_t)(hash.number + (unsigned)kind) & (c->slots_n - 1);
	while (c->slots[at].is.change &&
	       (c->slots[at].kind != kind || strcmp(entry_id(&c->slots[at]), id) != 0))
		at = (at + 1) & (c->slots_n - 1);
	return &c->slots[at];
}

static void grow(struct changes *c)
{
	struct entry *old = c->slots;
	size_t old_n = c->slots_n;
	c->slots_n = old_n * 2;
	c->slots = mem_alloc(c->slots_n * sizeof *c->slots);
	for (size_t i = 0; i < old_n; i++)
		if (old[i].is.change)
			*find_slot(c, old[i].kind, entry_id(&old[i])) = old[i];
	free(old);
	free(c->sorted);
	c->sorted = NULL;
}

/* Room for one more is made before its slot is looked for. */
static struct entry *slot_for(struct changes *c, int kind, const char *id)
{
	if ((c->entries_n + 1) * 2 > c->slots_n)
		grow(c);
	struct entry *e = find_slot(c, kind, id);
	if (!e->is.change) {
		e->kind = kind;
		c->entries_n++;
		c->n[kind]++;
	}
	return e;
}

static void put_clean(struct changes *c, const struct change *ch)
{
	struct entry *e = slot_for(c, (int)ch->kind, ch->id);
	if (e->is.change) {
		change_fold(e->is.change, ch, &c->arena);
		return;
	}
	e->is.change = arena_alloc(&c->arena, sizeof *ch);
	*e->is.change = *ch;
	c->bytes += sizeof *ch + 4 * sizeof *e;
}

static void put_name(struct changes *c, const struct change *line)
{
	struct entry *e = slot_for(c, KIND_NAME, line->item);
	if (!e->is.name) {
		e->is.name = arena_alloc(&c->arena, sizeof *e->is.name);
		e->is.name->version = VERSION_NEVER;
	}
	if (version_compare(line->birth, e->is.name->version) > 0)
		*e->is.name =
			(struct item_name){.item = line->item, .name = line->name, .version = line->birth};
}

/* An order of which nothing is said. */
static void put_order(struct changes *c, const char *order_id)
{
	struct entry *e = slot_for(c, CHANGE_ORDER, order_id);
	if (e->is.change)
		return;
	struct change ch = {.kind = CHANGE_ORDER, .id = order_id};
	change_clean(&ch);
	e->is.change = arena_alloc(&c->arena, sizeof ch);
	*e->is.change = ch;
	c->bytes += sizeof ch + 4 * sizeof *e;
}

/* What a change's texts take, about: some of them are told by their usual length. */
static size_t text_bytes(const struct change *ch)
{
	return 96 + strlen(ch->id) + (ch->name ? strlen(ch->name) : 0) +
	       (ch->cancel_reason ? strlen(ch->cancel_reason) : 0);
}

void changes_put(struct changes *c, const struct change *ch)
{
	struct change clean = *ch;
	change_clean(&clean);
	c->bytes += text_bytes(&clean);
	if (clean.kind != CHANGE_ORDER && clean.order_id)
		put_order(c, clean.order_id);
	if (clean.kind == CHANGE_LINE && clean.item && clean.name)
		put_name(c, &clean);
	put_clean(c, &clean);
}

/* ---- in order ------------------------------------------------------------------- */

static int compare_changes(const void *a, const void *b)
{
	const struct change *const *x = a;
	const struct change *const *y = b;
	if ((*x)->kind != (*y)->kind)
		return (*x)->kind < (*y)->kind ? -1 : 1;
	return strcmp((*x)->id, (*y)->id);
}

static int compare_names(const void *a, const void *b)
{
	const struct item_name *const *x = a;
	const struct item_name *const *y = b;
	return strcmp((*x)->item, (*y)->item);
}

static size_t collect(struct changes *c, bool names)
{
	size_t n = 0;
	if (!c->sorted)
		c->sorted = mem_alloc(c->slots_n * sizeof *c->sorted);
	for (size_t i = 0; i < c->slots_n; i++)
		if (c->slots[i].is.change && (c->slots[i].kind == KIND_NAME) == names)
			c->sorted[n++] = names ? (void *)c->slots[i].is.name : (void *)c->slots[i].is.change;
	return n;
}

const struct change *const *changes_sorted(struct changes *c, size_t *n)
{
	*n = collect(c, false);
	qsort(c->sorted, *n, sizeof *c->sorted, compare_changes);
	return (const struct change *const *)c->sorted;
}

const struct item_name *const *changes_names(struct changes *c, size_t *n)
{
	*n = collect(c, true);
	qsort(c->sorted, *n, sizeof *c->sorted, compare_names);
	return (const struct item_name *const *)c->sorted;
}

size_t changes_bytes(const struct changes *c)
{
	return c->bytes + c->slots_n * sizeof *c->slots;
}
