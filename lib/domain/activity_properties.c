/* activity_properties.c: what stands in properties: what is kept of it, and what it means. */
#include "domain/activity_parts.h"

#include <string.h>
#include <strings.h>

#include "base/decimal.h"
#include "base/json_text.h"
#include "domain/currency.h"

enum { CARD_DIGITS_MIN = 13, CARD_DIGITS_MAX = 19, EXPONENT_DIGITS = 3 };

const char *activity_place_text(struct arena *a, const struct activity_place *at)
{
	return at->up ? arena_printf(a, "%s.%s", activity_place_text(a, at->up), at->name) : at->name;
}

static enum err refuse(struct activity_reading *r, const struct activity_place *at, const char *why)
{
	const char *name = activity_place_text(r->arena, at);
	return err_set_field(r->eb, ERR_INVALID, name, "%s %s", name, why);
}

/* ---- what is not kept ---------------------------------------------------------- */

static bool begins(const char *s, const char *word)
{
	return strncasecmp(s, word, strlen(word)) == 0;
}

static bool is_private_name(const char *name)
{
	for (const char *s = name; *s; s++) {
		switch (*s | 32) {
		case 'm':
			if (begins(s, "mail"))
				return true;
			break;
		case 'p':
			if (begins(s, "phone") || begins(s, "password"))
				return true;
			break;
		case 'c':
			if (begins(s, "card"))
				return true;
			break;
		case 'i':
			if (begins(s, "iban"))
				return true;
			break;
		case 's':
			if (begins(s, "ssn"))
				return true;
			break;
		default:
			break;
		}
	}
	return false;
}

static bool luhn_fits(const char *digits, int n)
{
	int sum = 0;
	for (int i = 0; i < n; i++) {
		int d = digits[n - 1 - i] - '0';
		d = i % 2 ? 2 * d : d;
		sum += d > 9 ? d - 9 : d;
	}
	return sum % 10 == 0;
}

/* The number of a trade item (EAN-13): of those one in ten would pass for a card's. */
static bool is_trade_item(const char *digits, int n)
{
	int sum = 0;
	for (int i = 0; i < n; i++)
		sum += (digits[i] - '0') * (i % 2 ? 3 : 1);
	return n == CARD_DIGITS_MIN && sum % 10 == 0;
}

/* Whole numbers whose first digit payment cards have; milliseconds since 1970 begin with another.
 */
static bool is_card(const char *text)
{
	char digits[CARD_DIGITS_MAX];
	int n = 0;
	if (*text < '2' || *text > '6')
		return false;
	for (const char *s = text; *s && *s != '?' && *s != '#'; s++) { /* an address is cut there */
		if (*s == ' ' || *s == '-')
			continue;
		if (*s < '0' || *s > '9' || n == CARD_DIGITS_MAX)
			return false;
		digits[n++] = *s;
	}
	return n >= CARD_DIGITS_MIN && luhn_fits(digits, n) && !is_trade_item(digits, n);
}

static bool is_private(const struct jnode *v)
{
	return (v->name && is_private_name(v->name)) ||
	       ((v->kind == JNODE_STRING || v->kind == JNODE_NUMBER) && is_card(v->text));
}

static void note_dropped(struct activity_reading *r, const struct activity_place *at)
{
	const char *name = activity_place_text(r->arena, at);
	for (int i = 0; i < r->dropped_n; i++)
		if (strcmp(r->dropped[i], name) == 0)
			return;
	must(r->dropped_n < ACTIVITY_PROPERTIES); /* no more than there are names */
	r->dropped[r->dropped_n++] = name;
}

/* ---- limits and a copy --------------------------------------------------------------- */

/* An exponent of more digits is none that PostgreSQL keeps. */
static bool number_fits(const struct jnode *v)
{
	const char *e = v->whole ? NULL : strpbrk(v->text, "eE");
	if (v->n > ACTIVITY_NUMBER_BYTES)
		return false;
	if (!e)
		return true;
	e += 1 + (e[1] == '-' || e[1] == '+');
	return strlen(e) <= EXPONENT_DIGITS;
}

static enum err check_name(struct activity_reading *r, const struct jnode *v,
                           const struct activity_place *at)
{
	if (++r->names_n > ACTIVITY_PROPERTIES)
		return err_set_field(r->eb, ERR_INVALID, "properties", "properties has more than %d names",
		                     ACTIVITY_PROPERTIES);
	if (v->name_n > ACTIVITY_NAME_BYTES)
		return err_set_field(r->eb, ERR_INVALID, "properties",
		                     "properties has a name of more than %d bytes", ACTIVITY_NAME_BYTES);
	return v->name_n == 0 ? refuse(r, at, "has no name") : ERR_OK;
}

/* By name among the members; an element goes to the end. */
static void insert(struct jnode *into, struct jnode *v)
{
	const struct jnode **link = &into->first;
	while (*link && (into->kind == JNODE_ARRAY || strcmp((*link)->name, v->name) < 0))
		link = (const struct jnode **)&(*link)->next;
	v->next = *link;
	*link = v;
	into->n++;
}

static enum err copy_value(struct activity_reading *r, const struct jnode *from,
                           const struct activity_place *at, int level, struct jnode *to);

static enum err copy_list(struct activity_reading *r, const struct jnode *from,
                          const struct activity_place *at, int level, struct jnode *to)
{
	if (level > ACTIVITY_LEVELS)
		return refuse(r, at, "is nested too deep: properties may have 3 levels");
	to->n = 0;
	to->first = to->next = NULL;
	for (const struct jnode *v = from->first; v; v = v->next) {
		struct activity_place inner = {at, v->name};
		const struct activity_place *place = v->name ? &inner : at;
		enum err rc = v->name ? check_name(r, v, place) : ERR_OK;
		if (rc != ERR_OK)
			return rc;
		if (is_private(v)) {
			note_dropped(r, place);
			continue;
		}
		struct jnode *copy = arena_alloc(r->arena, sizeof *copy);
		rc = copy_value(r, v, place, level + 1, copy);
		if (rc != ERR_OK)
			return rc;
		insert(to, copy);
	}
	return ERR_OK;
}

static enum err copy_value(struct activity_reading *r, const struct jnode *from,
                           const struct activity_place *at, int level, struct jnode *to)
{
	*to = *from;
	if (from->kind == JNODE_STRING && from->n > ACTIVITY_TEXT_BYTES)
		return refuse(r, at, "is longer than 1024 bytes");
	if (from->kind == JNODE_NUMBER && !number_fits(from))
		return refuse(r, at, "is no number that can be kept");
	if (from->kind == JNODE_ARRAY || from->kind == JNODE_OBJECT)
		return copy_list(r, from, at, level, to);
	return ERR_OK;
}

enum err activity_properties_read(struct activity_reading *r, const struct jnode *from,
                                  struct jnode **out)
{
	struct activity_place top = {NULL, "properties"};
	*out = arena_alloc(r->arena, sizeof **out);
	(*out)->kind = JNODE_OBJECT;
	if (!from || from->kind == JNODE_NULL)
		return ERR_OK;
	if (from->kind != JNODE_OBJECT)
		return refuse(r, &top, "is no object");
	return copy_list(r, from, &top, 1, *out);
}

void activity_json_put(struct buf *out, const struct jnode *v)
{
	switch (v->kind) {
	case JNODE_NULL:
		buf_put(out, "null", 4);
		return;
	case JNODE_FALSE:
		buf_put(out, "false", 5);
		return;
	case JNODE_TRUE:
		buf_put(out, "true", 4);
		return;
	case JNODE_NUMBER:
		buf_put(out, v->text, v->n);
		return;
	case JNODE_STRING:
		json_text_put(out, v->text, v->n);
		return;
	case JNODE_ARRAY:
	case JNODE_OBJECT:
		break;
	}
	buf_putc(out, v->kind == JNODE_ARRAY ? '[' : '{');
	for (const struct jnode *m = v->first; m; m = m->next) {
		if (m != v->first)
			buf_putc(out, ',');
		if (v->kind == JNODE_OBJECT) {
			json_text_put(out, m->name, m->name_n);
			buf_putc(out, ':');
		}
		activity_json_put(out, m);
	}
	buf_putc(out, v->kind == JNODE_ARRAY ? ']' : '}');
}

/* ---- addresses ------------------------------------------------------------------------- */

/* Behind "https://" or "//"; NULL: it is no whole address. */
static const char *behind_scheme(const char *url)
{
	const char *s = url;
	while ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
	       *s == '+' || *s == '-' || *s == '.')
		s++;
	if (s > url && *s == ':')
		s++;
	else if (s > url)
		return NULL;
	return s[0] == '/' && s[1] == '/' ? s + 2 : NULL;
}

/* name=value of a query that is `n` bytes long; NULL: it is not there. */
static const char *find_param(const char *query, size_t n, const char *name, size_t *param_n)
{
	size_t name_n = strlen(name);
	for (const char *s = query, *end = query + n; s < end; s += *param_n + 1) {
		const char *amp = memchr(s, '&', (size_t)(end - s));
		*param_n = (size_t)((amp ? amp : end) - s);
		if (*param_n > name_n && s[name_n] == '=' && memcmp(s, name, name_n) == 0)
			return s;
	}
	return NULL;
}

/* The path with the parameters that stay, in the order of the rules: however an address is written,
 * it is one page. */
static const char *page_of(struct activity_reading *r, const char *page)
{
	const char *path = behind_scheme(page);
	bool whole = path != NULL;
	path = whole ? path + strcspn(path, "/?#") : page;
	while (whole && path[0] == '/' && path[1] == '/') /* what is left is no whole address again */
		path++;
	size_t path_n = strcspn(path, "?#");
	const char *query = path[path_n] == '?' ? path + path_n + 1 : "";
	size_t query_n = strcspn(query, "#"), param_n;
	const char *out = path[path_n] ? arena_strndup(r->arena, path, path_n) : path;
	if (whole && path_n == 0)
		out = "/";
	char separator = '?';
	for (int i = 0; query_n > 0 && i < r->rules->page_params_n; i++) {
		const char *p = find_param(query, query_n, r->rules->page_params[i], &param_n);
		if (!p)
			continue;
		out = arena_printf(r->arena, "%s%c%.*s", out, separator, (int)param_n, p);
		separator = '&';
	}
	return out;
}

/* "google.com/search" says a host, too; "direct" and "/products" do not. */
static bool is_bare_host(const char *url)
{
	size_t n = strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.");
	const char *point = memchr(url, '.', n);
	return point && point > url && point + 1 < url + n && (!url[n] || strchr("/?#:", url[n]));
}

/* Host of an address, small letters, without "www." and port; "" where there is none. */
static const char *host_of(struct arena *a, const char *url)
{
	const char *s = *url == '/' ? NULL : behind_scheme(url);
	if (!s && is_bare_host(url))
		s = url;
	if (!s)
		return "";
	size_t n = strcspn(s, "/?#");
	const char *at = memchr(s, '@', n);
	if (at) {
		n -= (size_t)(at + 1 - s);
		s = at + 1;
	}
	const char *port = *s == '[' ? NULL : memchr(s, ':', n);
	char *host = arena_strndup(a, s, port ? (size_t)(port - s) : n);
	for (char *c = host; *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
	return strncmp(host, "www.", 4) == 0 ? host + 4 : host;
}

static struct jnode *text_at(struct jnode *properties, const char *name)
{
	const struct jnode *v = jnode_get(properties, name);
	return jnode_is(v, JNODE_STRING) ? (struct jnode *)v : NULL;
}

static bool set_text(struct jnode *v, const char *text)
{
	if (strcmp(v->text, text) == 0)
		return false;
	v->text = text;
	v->n = (uint32_t)strlen(text);
	return true;
}

bool activity_properties_shorten(struct activity_reading *r, struct jnode *properties)
{
	struct jnode *page = text_at(properties, "page"), *referrer = text_at(properties, "referrer");
	bool changed = page && set_text(page, page_of(r, page->text));
	if (referrer && strpbrk(referrer->text, "?#"))
		changed |= set_text(referrer,
		                    arena_strndup(r->arena, referrer->text, strcspn(referrer->text, "?#")));
	return changed;
}

/* ---- dimensions ----------------------------------------------------------------------------- */

/* Without spaces around it and not too long; NULL: nothing is left, or what stands in answers for
 * that. */
static const char *value_of(struct arena *a, const char *text)
{
	static const char not_set[] = "(not set)";
	text += strspn(text, " \t\r\n");
	size_t n = strlen(text), given = n;
	if (n > ACTIVITY_VALUE_BYTES)
		for (n = ACTIVITY_VALUE_BYTES; ((unsigned char)text[n] & 0xc0) == 0x80; n--)
			;
	while (n > 0 && strchr(" \t\r\n", text[n - 1]))
		n--;
	if (n == 0 || (n == sizeof not_set - 1 && memcmp(text, not_set, n) == 0))
		return NULL;
	return n == given ? text : arena_strndup(a, text, n);
}

static const char *property(struct activity_reading *r, const struct jnode *properties,
                            const char *name)
{
	const struct jnode *v = jnode_get(properties, name);
	if (jnode_is(v, JNODE_TRUE) || jnode_is(v, JNODE_FALSE))
		return v->kind == JNODE_TRUE ? "true" : "false";
	return jnode_is(v, JNODE_STRING) || jnode_is(v, JNODE_NUMBER) ? value_of(r->arena, v->text)
	                                                              : NULL;
}

static const char *source_of(struct activity_reading *r, const struct jnode *properties)
{
	const char *utm = property(r, properties, "utm_source");
	const char *referrer = jnode_string_at(properties, "referrer");
	if (utm || !referrer)
		return utm;
	const char *host = host_of(r->arena, referrer), *own = r->sender->host;
	own += strncasecmp(own, "www.", 4) == 0 ? 4 : 0;
	return strcasecmp(host, own) == 0 ? NULL : value_of(r->arena, host);
}

static const char *dimension_of(struct activity_reading *r, const struct jnode *properties,
                                const struct activity_dimension *d)
{
	const struct activity_sender *from = r->sender;
	if (*d->property)
		return property(r, properties, d->property);
	switch (d->id) {
	case 1:
		return property(r, properties, "page"); /* shortened already */
	case 2:
		return source_of(r, properties);
	case 4:
		return *from->device ? from->device : property(r, properties, "device");
	case 5:
		return *from->browser ? from->browser : property(r, properties, "browser");
	default:
		return NULL;
	}
}

/* ---- money --------------------------------------------------------------------------------- */

const char *activity_price(struct arena *a, const struct jnode *v)
{
	struct decimal d;
	if (v->kind != JNODE_STRING && v->kind != JNODE_NUMBER)
		return NULL;
	return decimal_parse(v->text, &d) && !d.negative && decimal_fits(&d) ? decimal_text(a, &d)
	                                                                     : NULL;
}

static enum err read_currency(struct activity_reading *r, const struct jnode *v)
{
	char code[4] = "";
	if (jnode_is(v, JNODE_STRING) && v->n == 3)
		for (int i = 0; i < 3; i++)
			code[i] = (char)(v->text[i] >= 'a' && v->text[i] <= 'z' ? v->text[i] - 32 : v->text[i]);
	if (!currency_is_code(code))
		return err_set_field(r->eb, ERR_INVALID, "properties.currency",
		                     "properties.currency is no code of three letters");
	r->out->currency = arena_strdup(r->arena, code);
	return ERR_OK;
}

static enum err read_money(struct activity_reading *r, const struct jnode *properties)
{
	const struct jnode *price = jnode_get(properties, "price");
	const struct jnode *quantity = jnode_get(properties, "quantity");
	const struct jnode *currency = jnode_get(properties, "currency");
	struct activity_event *e = r->out;
	if (price && price->kind != JNODE_NULL) {
		e->price = activity_price(r->arena, price);
		if (!e->price)
			return err_set_field(r->eb, ERR_INVALID, "properties.price",
			                     "properties.price is no amount of at least 0");
	}
	if (quantity && quantity->kind != JNODE_NULL &&
	    (!jnode_int(quantity, &e->quantity) || e->quantity < 1 || e->quantity > ACTIVITY_QUANTITY))
		return err_set_field(r->eb, ERR_INVALID, "properties.quantity",
		                     "properties.quantity is no whole number from 1 to %d",
		                     ACTIVITY_QUANTITY);
	return currency && currency->kind != JNODE_NULL ? read_currency(r, currency) : ERR_OK;
}

enum err activity_properties_mean(struct activity_reading *r, struct jnode *properties)
{
	r->out->dims_n = ACTIVITY_DIMENSIONS_LEAST;
	for (int i = 0; i < r->rules->dimensions_n; i++) {
		const struct activity_dimension *d = &r->rules->dimensions[i];
		must(d->id >= 1 && d->id <= ACTIVITY_DIMENSIONS);
		if (d->id > r->out->dims_n)
			r->out->dims_n = d->id;
		r->out->dims[d->id - 1] = dimension_of(r, properties, d);
	}
	return read_money(r, properties);
}
