/* jnode.c: a parser by recursive descent. The text is copied once; strings are unescaped in place.
 */
#include "base/jnode.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/num.h"

enum { FREE_DEPTH = 64, SMALL_OBJECT = 16 };

struct parser {
	struct arena *arena;
	char *p, *begin, *end; /* the copy; *end is NUL */
	const char *bytes;     /* what was given */
	const char *but;
	int top; /* the depth of the outermost */
	struct errbuf *eb;
};

static enum err parse_value(struct parser *ps, int depth, struct jnode *out);

static enum err broken(struct parser *ps, const char *what)
{
	return err_set(ps->eb, ERR_MALFORMED, "no valid JSON: %s at byte %zu", what,
	               (size_t)(ps->p - ps->begin));
}

static void skip_space(struct parser *ps)
{
	while (*ps->p == ' ' || *ps->p == '\n' || *ps->p == '\r' || *ps->p == '\t')
		ps->p++;
}

/* ---- strings ----------------------------------------------------------------- */

static bool hex4(const char *s, uint32_t *out)
{
	*out = 0;
	for (int i = 0; i < 4; i++) {
		char c = s[i];
		if (c >= '0' && c <= '9')
			*out = *out << 4 | (uint32_t)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			*out = *out << 4 | (uint32_t)((c | 32) - 'a' + 10);
		else
			return false;
	}
	return true;
}

static char *put_utf8(char *w, uint32_t c)
{
	if (c < 0x80) {
		*w++ = (char)c;
	} else if (c < 0x800) {
		*w++ = (char)(0xc0 | c >> 6);
		*w++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*w++ = (char)(0xe0 | c >> 12);
		*w++ = (char)(0x80 | (c >> 6 & 0x3f));
		*w++ = (char)(0x80 | (c & 0x3f));
	} else {
		*w++ = (char)(0xf0 | c >> 18);
		*w++ = (char)(0x80 | (c >> 12 & 0x3f));
		*w++ = (char)(0x80 | (c >> 6 & 0x3f));
		*w++ = (char)(0x80 | (c & 0x3f));
	}
	return w;
}

/* Behind "\u"; a pair of surrogates is one character. What is written is never longer than what was
 * read. */
static enum err unescape_unicode(struct parser *ps, char **w)
{
	uint32_t c, low;
	if (!hex4(ps->p, &c))
		return broken(ps, "a broken \\u");
	ps->p += 4;
	if (c >= 0xd800 && c < 0xdc00) {
		if (ps->p[0] != '\\' || ps->p[1] != 'u' || !hex4(ps->p + 2, &low) || low < 0xdc00 ||
		    low > 0xdfff)
			return broken(ps, "half a surrogate pair");
		ps->p += 6;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	} else if (c == 0 || (c >= 0xdc00 && c <= 0xdfff)) {
		return broken(ps, c ? "half a surrogate pair" : "U+0000");
	}
	*w = put_utf8(*w, c);
	return ERR_OK;
}

static enum err unescape(struct parser *ps, char **w)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char c = *++ps->p;
	const char *at = c ? strchr(from, c) : NULL;
	if (at) {
		*(*w)++ = to[at - from];
		ps->p++;
		return ERR_OK;
	}
	if (c != 'u')
		return broken(ps, "an unknown escape");
	ps->p++;
	return unescape_unicode(ps, w);
}

/* Bytes that stand for themselves: no quote, backslash or control, nothing beyond ASCII. */
static bool is_plain(char c)
{
	return (signed char)c >= 0x20 && c != '"' && c != '\\';
}

/* At the opening quote. */
static enum err parse_string(struct parser *ps, const char **text, uint32_t *n)
{
	char *first = ++ps->p, *w;
	while (is_plain(*ps->p))
		ps->p++;
	w = ps->p;
	while (*ps->p != '"') {
		if (*ps->p == '\\') {
			enum err rc = unescape(ps, &w);
			if (rc != ERR_OK)
				return rc;
			continue;
		}
		size_t k = is_plain(*ps->p) ? 1 : 0;
		if ((unsigned char)*ps->p >= 0x80)
			k = utf8_char_len(ps->p, (size_t)(ps->end - ps->p));
		if (k == 0)
			return broken(ps, ps->p == ps->end ? "the end within a text"
			                                   : "a control byte, or one that is not UTF-8");
		memmove(w, ps->p, k);
		w += k;
		ps->p += k;
	}
	*ps->p++ = '\0';
	*w = '\0';
	*text = first;
	*n = (uint32_t)(w - first);
	return ERR_OK;
}

/* ---- numbers ------------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool skip_digits(char **s)
{
	if (!is_digit(**s))
		return false;
	while (is_digit(**s))
		(*s)++;
	return true;
}

static enum err parse_number(struct parser *ps, struct jnode *out)
{
	char *s = ps->p + (*ps->p == '-');
	bool fine = *s == '0' ? (s++, true) : skip_digits(&s);
	out->kind = JNODE_NUMBER;
	out->whole = *s != '.' && *s != 'e' && *s != 'E';
	if (fine && *s == '.') {
		s++;
		fine = skip_digits(&s);
	}
	if (fine && (*s == 'e' || *s == 'E')) {
		s++;
		s += *s == '-' || *s == '+';
		fine = skip_digits(&s);
	}
	if (!fine)
		return broken(ps, "a broken number");
	out->n = (uint32_t)(s - ps->p);
	out->text = arena_strndup(ps->arena, ps->p, out->n);
	ps->p = s;
	return ERR_OK;
}

/* ---- arrays and objects ---------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct jnode *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

static bool same_name(const struct jnode *a, const struct jnode *b)
{
	return a->name_n == b->name_n && memcmp(a->name, b->name, a->name_n) == 0;
}

/* Whether a name is there twice; of many by sorting, so that no message takes long. */
static bool repeats(struct parser *ps, const struct jnode *object)
{
	if (object->n <= SMALL_OBJECT) {
		for (const struct jnode *x = object->first; x; x = x->next)
			for (const struct jnode *y = object->first; y != x; y = y->next)
				if (same_name(x, y))
					return true;
		return false;
	}
	const struct jnode **sorted = arena_array(ps->arena, object->n, sizeof *sorted);
	size_t n = 0;
	for (const struct jnode *x = object->first; x; x = x->next)
		sorted[n++] = x;
	qsort(sorted, n, sizeof *sorted, by_name);
	for (size_t i = 1; i < n; i++)
		if (same_name(sorted[i - 1], sorted[i]))
			return true;
	return false;
}

static enum err parse_member(struct parser *ps, int depth, bool outermost, struct jnode *out)
{
	const char *name;
	uint32_t n;
	skip_space(ps);
	if (*ps->p != '"')
		return broken(ps, "no name");
	enum err rc = parse_string(ps, &name, &n);
	if (rc != ERR_OK)
		return rc;
	skip_space(ps);
	if (*ps->p != ':')
		return broken(ps, "no colon");
	ps->p++;
	bool unbound = outermost && ps->but && strcmp(name, ps->but) == 0;
	rc = parse_value(ps, unbound ? FREE_DEPTH : depth, out);
	out->name = name;
	out->name_n = n;
	return rc;
}

/* The members or elements up to `close`. */
static enum err parse_list(struct parser *ps, int depth, char close, struct jnode *out)
{
	const struct jnode **link = &out->first;
	bool outermost = depth == ps->top - 1;
	enum err rc = ERR_OK;
	ps->p++;
	skip_space(ps);
	if (*ps->p == close) {
		ps->p++;
		return ERR_OK;
	}
	for (;;) {
		struct jnode *child = arena_alloc(ps->arena, sizeof *child);
		rc = close == '}' ? parse_member(ps, depth, outermost, child)
		                  : parse_value(ps, depth, child);
		if (rc != ERR_OK)
			return rc;
		*link = child;
		link = &child->next;
		out->n++;
		skip_space(ps);
		char c = *ps->p;
		if (c != ',' && c != close)
			return broken(ps, "neither comma nor end");
		ps->p++;
		if (c == close)
			return ERR_OK;
	}
}

static enum err parse_nested(struct parser *ps, int depth, struct jnode *out)
{
	bool object = *ps->p == '{';
	size_t from = (size_t)(ps->p - ps->begin);
	if (depth == 0)
		return err_set(ps->eb, ERR_INVALID, "the message is nested too deep");
	out->kind = object ? JNODE_OBJECT : JNODE_ARRAY;
	out->raw = ps->bytes + from;
	enum err rc = parse_list(ps, depth - 1, object ? '}' : ']', out);
	if (rc != ERR_OK)
		return rc;
	out->raw_n = (uint32_t)((size_t)(ps->p - ps->begin) - from);
	return object && repeats(ps, out) ? broken(ps, "a name twice in one object") : ERR_OK;
}

static enum err parse_word(struct parser *ps, const char *word, enum jnode_kind kind,
                           struct jnode *out)
{
	size_t n = strlen(word);
	if (strncmp(ps->p, word, n) != 0)
		return broken(ps, "no value");
	ps->p += n;
	out->kind = kind;
	return ERR_OK;
}

static enum err parse_value(struct parser *ps, int depth, struct jnode *out)
{
	skip_space(ps);
	switch (*ps->p) {
	case '{':
	case '[':
		return parse_nested(ps, depth, out);
	case '"':
		out->kind = JNODE_STRING;
		return parse_string(ps, &out->text, &out->n);
	case 't':
		return parse_word(ps, "true", JNODE_TRUE, out);
	case 'f':
		return parse_word(ps, "false", JNODE_FALSE, out);
	case 'n':
		return parse_word(ps, "null", JNODE_NULL, out);
	default:
		return parse_number(ps, out);
	}
}

enum err jnode_parse(struct arena *a, const char *bytes, size_t n, int depth, const char *but,
                     const struct jnode **out, struct errbuf *eb)
{
	must(n <= INT32_MAX);
	struct jnode *root = arena_alloc(a, sizeof *root);
	char *copy = arena_strndup(a, bytes, n);
	struct parser ps = {a, copy, copy, copy + n, bytes, but, depth, eb};
	enum err rc = parse_value(&ps, depth, root);
	if (rc != ERR_OK)
		return rc;
	skip_space(&ps);
	if (ps.p != ps.end)
		return broken(&ps, "more behind the value");
	*out = root;
	return ERR_OK;
}

/* ---- asking ------------------------------------------------------------------------- */

const struct jnode *jnode_get(const struct jnode *object, const char *name)
{
	if (!jnode_is(object, JNODE_OBJECT))
		return NULL;
	for (const struct jnode *m = object->first; m; m = m->next)
		if (*m->name == *name && strcmp(m->name, name) == 0)
			return m;
	return NULL;
}

bool jnode_is(const struct jnode *v, enum jnode_kind kind)
{
	return v && v->kind == kind;
}

const char *jnode_string(const struct jnode *v)
{
	return jnode_is(v, JNODE_STRING) ? v->text : NULL;
}

const char *jnode_string_at(const struct jnode *object, const char *name)
{
	return jnode_string(jnode_get(object, name));
}

bool jnode_int(const struct jnode *v, int64_t *out)
{
	bool number = jnode_is(v, JNODE_NUMBER) && v->whole;
	return (number || jnode_is(v, JNODE_STRING)) &&
	       num_parse_int(v->text, INT64_MIN, INT64_MAX, out);
}
