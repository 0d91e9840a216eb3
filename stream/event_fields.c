/* event_fields.c: the names. */
#include "stream/event_fields.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { NAME_BYTES = 24, LEVELS = 3, RANKS = 16 };

struct name {
	const char *name; /* small letters, without underscores and hyphens */
	enum event_field field;
	int rank;      /* 1 goes before 2 */
	bool in_order; /* only inside an object named order */
};

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Both are searched by halving: they are sorted. */
static const struct name event_names[] = {
	{"aggregateid", F_ORDER, 2, false},
	{"aggregateversion", F_VERSION, 2, false},
	{"body", F_NEST, 1, false},
	{"canceledat", F_CANCELLED, 2, false},
	{"cancellationreason", F_REASON, 2, false},
	{"cancelledat", F_CANCELLED, 1, false},
	{"cancelreason", F_REASON, 1, false},
	{"changedat", F_CHANGED, 1, false},
	{"createdat", F_PLACED, 2, false},
	{"currency", F_CURRENCY, 1, false},
	{"currencycode", F_CURRENCY, 2, false},
	{"customer", F_CUSTOMER, 2, false},
	{"customerid", F_CUSTOMER, 1, false},
	{"data", F_NEST, 1, false},
	{"discount", F_DISCOUNT, 2, false},
	{"discountamount", F_DISCOUNT, 1, false},
	{"eventtime", F_AT, 2, false},
	{"eventtimestamp", F_AT, 3, false},
	{"eventtype", F_TYPE, 1, false},
	{"id", F_ORDER, 3, true},
	{"items", F_ITEMS, 2, false},
	{"lineitems", F_ITEMS, 3, false},
	{"lines", F_ITEMS, 4, false},
	{"locationid", F_LOCATION, 1, false},
	{"newstatus", F_STATUS, 1, false},
	{"occurredat", F_AT, 1, false},
	{"order", F_NEST, 1, false},
	{"orderdate", F_PLACED, 3, false},
	{"orderid", F_ORDER, 1, false},
	{"orderitems", F_ITEMS, 1, false},
	{"orderstatus", F_STATUS, 3, false},
	{"ordertotal", F_TOTAL, 2, false},
	{"orderversion", F_VERSION, 1, false},
	{"payload", F_NEST, 1, false},
	{"placedat", F_PLACED, 1, false},
	{"reason", F_REASON, 3, false},
	{"shipping", F_SHIPPING, 2, false},
	{"shippingamount", F_SHIPPING, 1, false},
	{"status", F_STATUS, 2, false},
	{"storeid", F_LOCATION, 2, false},
	{"tax", F_TAX, 2, false},
	{"taxamount", F_TAX, 1, false},
	{"timestamp", F_AT, 4, false},
	{"tip", F_TIP, 2, false},
	{"tipamount", F_TIP, 1, false},
	{"total", F_TOTAL, 4, false},
	{"totalamount", F_TOTAL, 1, false},
	{"totalprice", F_TOTAL, 3, false},
	{"type", F_TYPE, 2, false},
	{"updatedat", F_CHANGED, 2, false},
	{"userid", F_CUSTOMER, 3, false},
	{"version", F_VERSION, 3, false},
};

static const struct name line_names[] = {
	{"amount", L_AMOUNT, 3, false},     {"itemid", L_ITEM, 2, false},
	{"lineamount", L_AMOUNT, 2, false}, {"linetotal", L_AMOUNT, 1, false},
	{"name", L_NAME, 2, false},         {"price", L_PRICE, 2, false},
	{"productid", L_ITEM, 1, false},    {"productname", L_NAME, 1, false},
	{"qty", L_QUANTITY, 2, false},      {"quantity", L_QUANTITY, 1, false},
	{"sku", L_ITEM, 3, false},          {"subtotal", L_AMOUNT, 4, false},
	{"unitprice", L_PRICE, 1, false},
};

static const char *const field_names[EVENT_FIELDS] = {
	[F_TYPE] = "event_type",
	[F_ORDER] = "order_id",
	[F_VERSION] = "version",
	[F_AT] = "occurred_at",
	[F_PLACED] = "created_at",
	[F_CHANGED] = "updated_at",
	[F_CANCELLED] = "cancelled_at",
	[F_STATUS] = "new_status",
	[F_TOTAL] = "total_amount",
	[F_CURRENCY] = "currency",
	[F_LOCATION] = "location_id",
	[F_CUSTOMER] = "customer_id",
	[F_DISCOUNT] = "discount",
	[F_TAX] = "tax",
	[F_SHIPPING] = "shipping",
	[F_TIP] = "tip",
	[F_REASON] = "reason",
	[F_ITEMS] = "items",
	[F_NEST] = "data",
	[L_ITEM] = "product_id",
	[L_NAME] = "name",
	[L_QUANTITY] = "quantity",
	[L_PRICE] = "unit_price",
	[L_AMOUNT] = "line_total",
};

const char *event_field_name(enum event_field f)
{
	return field_names[f];
}

/* Small letters and digits only; "" where it is too long to be one of ours. */
static void plain_name(const char *name, char out[NAME_BYTES])
{
	size_t n = 0;
	for (; *name; name++) {
		if (*name == '_' || *name == '-')
			continue;
		if (n == NAME_BYTES - 1) {
			n = 0;
			break;
		}
		out[n++] = (char)(*name >= 'A' && *name <= 'Z' ? *name + 32 : *name);
	}
	out[n] = '\0';
}

static const struct name *find(const struct name *names, size_t n, const char *key)
{
	char plain[NAME_BYTES];
	plain_name(key, plain);
	size_t lo = 0, hi = n;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = strcmp(plain, names[mid].name);
		if (c == 0)
			return &names[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

/* A customer may be an object with an id; shipping may be an address, which is none of ours. */
static const struct jnode *fitting(enum event_field f, const struct jnode *v)
{
	if (f == F_CUSTOMER && v->kind == JNODE_OBJECT)
		v = jnode_get(v, "id");
	if (!v || v->kind == JNODE_NULL)
		return NULL;
	bool nested = v->kind == JNODE_OBJECT || v->kind == JNODE_ARRAY;
	return nested && f != F_ITEMS && f != F_NEST ? NULL : v;
}

static void collect(const struct jnode *object, const struct name *names, size_t n, int level,
                    bool in_order, struct event_fields *out)
{
	for (const struct jnode *m = object->first; m; m = m->next) {
		const struct name *name = find(names, n, m->name);
		const struct jnode *v = name ? fitting(name->field, m) : NULL;
		if (!v || (name->in_order && !in_order))
			continue;
		enum event_field f = name->field;
		if (f == F_NEST) {
			if (v->kind == JNODE_OBJECT && level < LEVELS)
				collect(v, names, n, level + 1, strcmp(name->name, "order") == 0, out);
			continue;
		}
		/* the type is that of the outermost, everything else of the innermost */
		int score = name->rank + RANKS * (f == F_TYPE ? level : LEVELS - level);
		if (out->value[f] && out->score[f] <= score)
			continue;
		out->value[f] = v;
		out->score[f] = score;
	}
}

void event_fields_of(const struct jnode *event, struct event_fields *out)
{
	memset(out, 0, sizeof *out);
	collect(event, event_names, COUNT(event_names), 0, false, out);
}

void event_fields_of_line(const struct jnode *line, struct event_fields *out)
{
	memset(out, 0, sizeof *out);
	collect(line, line_names, COUNT(line_names), 0, false, out);
}

/* "OrderCreatedEvent", "order.created", "ORDER_CREATED" are one. */
enum event_kind event_kind_of(const struct event_fields *f)
{
	static const struct {
		const char *type;
		enum event_kind kind;
	} types[] = {
		{"ordercreated", EVENT_CREATED},     {"orderstatuschanged", EVENT_STATUS},
		{"ordercancelled", EVENT_CANCELLED}, {"ordercanceled", EVENT_CANCELLED},
		{"orderdeleted", EVENT_DELETED},
	};
	const char *s = jnode_string(f->value[F_TYPE]);
	char plain[NAME_BYTES];
	size_t n = 0;
	for (; s && *s && n < NAME_BYTES - 1; s++)
		if (isalnum((unsigned char)*s))
			plain[n++] = (char)tolower((unsigned char)*s);
	if (n > 5 && memcmp(plain + n - 5, "event", 5) == 0)
		n -= 5;
	plain[n] = '\0';
	for (size_t i = 0; s && !*s && i < COUNT(types); i++)
		if (strcmp(plain, types[i].type) == 0)
			return types[i].kind;
	return EVENT_OTHER;
}

static bool sorted(const struct name *names, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (strcmp(names[i - 1].name, names[i].name) >= 0)
			return false;
	return true;
}

int event_fields_sorted(void)
{
	return sorted(event_names, COUNT(event_names)) && sorted(line_names, COUNT(line_names));
}
