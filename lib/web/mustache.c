/* mustache.c: parse to a tree of nodes, walk it to render or to check.
 *
 * The rules are those of mustache(5) and its specification: a section, comment,
 * partial or delimiter tag alone on its line takes the line with it, and the white
 * space before a partial alone on its line indents every line of the partial. */
#include "web/mustache.h"

#include <stdlib.h>
#include <string.h>

#include "web/escape.h"

enum kind { TEXT, VARIABLE, RAW, SECTION, INVERTED, PARTIAL };

struct node {
	enum kind kind;
	int line;
	struct node *next;
	const char *text; /* TEXT: n bytes of the source; else the name */
	size_t n;
	bool line_start;         /* TEXT: it begins a line, where an indent goes */
	const char *const *keys; /* the dotted name, NULL at the end; none for {{.}} */
	struct node *children;   /* SECTION, INVERTED */
	const struct part *part; /* PARTIAL */
	const char *indent;      /* PARTIAL: n bytes before it when alone on its line */
};

/* A template or a partial of it, compiled once whoever uses it. */
struct part {
	const char *name;
	const char *text; /* NULL: a partial that does not exist */
	struct node *nodes;
	struct part *next;
};

struct mustache {
	struct arena arena;
	struct part *parts; /* the template itself first */
	mustache_source source;
	void *source_arg;
};

/* ---- parsing ----------------------------------------------------------- */

struct parser {
	struct mustache *t;
	const struct part *part;
	const char *at, *end;
	const char *counted; /* lines are counted up to here */
	int line;
	const char *open, *close; /* delimiters */
	struct node **tail;       /* where the next node goes */
	int depth;
	struct {
		struct node *section;
		struct node **tail; /* behind the section */
	} stack[MUSTACHE_NESTING];
	struct errbuf *eb;
};

/* One tag as it stands in the source. */
struct tag {
	const char *begin, *end; /* with the delimiters */
	char sigil;              /* one of # ^ / > ! = { & or 0 for a variable */
	const char *body;        /* trimmed */
	size_t n;
	const char *line_begin; /* standalone: what is dropped is [line_begin, line_end) */
	const char *line_end;   /* NULL if not standalone */
};

static enum err fail(struct parser *p, int line, const char *what, const char *name)
{
	return err_set(p->eb, ERR_CONFIG, "template '%s' line %d: %s '%s'", p->part->name, line, what,
	               name);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_space(char c)
{
	return is_blank(c) || c == '\r' || c == '\n';
}

static const char *find(const char *from, const char *end, const char *word)
{
	return memmem(from, (size_t)(end - from), word, strlen(word));
}

static int line_of(struct parser *p, const char *at)
{
	for (; p->counted < at; p->counted++)
		p->line += *p->counted == '\n';
	return p->line;
}

static struct node *node_add(struct parser *p, enum kind kind, const char *text, size_t n)
{
	struct node *node = arena_alloc(&p->t->arena, sizeof *node);
	node->kind = kind;
	node->line = p->line;
	node->text = text;
	node->n = n;
	*p->tail = node;
	p->tail = &node->next;
	return node;
}

/* The start of the line if only blanks stand before the tag, else NULL. */
static const char *blank_before(const struct parser *p, const char *begin)
{
	while (begin > p->part->text && is_blank(begin[-1]))
		begin--;
	return begin == p->part->text || begin[-1] == '\n' ? begin : NULL;
}

/* The start of the next line if only blanks stand behind the tag, else NULL. */
static const char *blank_behind(const struct parser *p, const char *end)
{
	while (end < p->end && is_blank(*end))
		end++;
	if (end == p->end)
		return end;
	end += *end == '\r' && end + 1 < p->end && end[1] == '\n';
	return *end == '\n' ? end + 1 : NULL;
}

static void tag_trim(struct tag *tag, const char *from, const char *to)
{
	while (from < to && is_space(*from))
		from++;
	while (to > from && is_space(to[-1]))
		to--;
	tag->body = from;
	tag->n = (size_t)(to - from);
}

/* {{{x}}} and {{=< >=}} have a mark of their own before the closing delimiter. */
static const char *closing_word(struct parser *p, char sigil)
{
	if (sigil == '{')
		return arena_printf(&p->t->arena, "}%s", p->close);
	if (sigil == '=')
		return arena_printf(&p->t->arena, "=%s", p->close);
	return p->close;
}

static enum err tag_read(struct parser *p, struct tag *tag, const char *begin)
{
	const char *body = begin + strlen(p->open);
	*tag = (struct tag){.begin = begin};
	int line = line_of(p, begin);
	if (body < p->end && strchr("#^/>!={&", *body))
		tag->sigil = *body++;
	const char *word = closing_word(p, tag->sigil);
	const char *close = find(body, p->end, word);
	if (!close)
		return fail(p, line, "a tag is not closed with", word);
	tag_trim(tag, body, close);
	tag->end = close + strlen(word);
	if (tag->sigil && tag->sigil != '{' && tag->sigil != '&') {
		tag->line_begin = blank_before(p, begin);
		tag->line_end = tag->line_begin ? blank_behind(p, tag->end) : NULL;
	}
	return ERR_OK;
}

/* "a.b" becomes {"a", "b", NULL}; "." becomes {NULL}. */
static enum err split_name(struct parser *p, struct node *node)
{
	struct arena *a = &p->t->arena;
	const char *name = node->text;
	size_t n = 0, parts = 1;
	for (const char *c = name; *c; c++)
		parts += *c == '.';
	const char **keys = arena_array(a, parts + 1, sizeof *keys);
	node->keys = keys;
	if (strcmp(name, ".") == 0)
		return ERR_OK;
	for (;;) {
		size_t len = strcspn(name, ". \t\r\n");
		if (len == 0 || (name[len] && name[len] != '.'))
			return fail(p, node->line, "not a name:", node->text);
		keys[n++] = arena_strndup(a, name, len);
		if (!name[len])
			return ERR_OK;
		name += len + 1;
	}
}

static enum err section_open(struct parser *p, struct node *node)
{
	if (p->depth == MUSTACHE_NESTING)
		return fail(p, node->line, "sections are nested too deeply at", node->text);
	p->stack[p->depth].section = node;
	p->stack[p->depth++].tail = p->tail;
	p->tail = &node->children;
	return ERR_OK;
}

static enum err section_close(struct parser *p, const char *name)
{
	if (p->depth == 0)
		return fail(p, p->line, "nothing is open at the end of", name);
	if (strcmp(p->stack[p->depth - 1].section->text, name) != 0)
		return fail(p, p->line, "another section is open at the end of", name);
	p->tail = p->stack[--p->depth].tail;
	return ERR_OK;
}

/* Two words without white space or '=' in them. */
static enum err set_delimiters(struct parser *p, const char *text)
{
	size_t open = strcspn(text, " \t\r\n=");
	size_t gap = strspn(text + open, " \t\r\n");
	const char *second = text + open + gap;
	if (!open || !gap || !*second || second[strcspn(second, " \t\r\n=")])
		return fail(p, p->line, "not two delimiters:", text);
	p->open = arena_strndup(&p->t->arena, text, open);
	p->close = second;
	return ERR_OK;
}

static struct part *part_find_or_add(struct mustache *t, const char *name, const char *text)
{
	struct part **link = &t->parts;
	for (; *link; link = &(*link)->next)
		if (*link != t->parts && strcmp((*link)->name, name) == 0)
			return *link;
	*link = arena_alloc(&t->arena, sizeof **link);
	(*link)->name = arena_strdup(&t->arena, name);
	(*link)->text = text ? text : t->source ? t->source(t->source_arg, name) : NULL;
	return *link;
}

static enum err partial_add(struct parser *p, const struct tag *tag, const char *name)
{
	if (!*name)
		return fail(p, p->line, "not a name:", name);
	struct node *node = node_add(p, PARTIAL, name, 0);
	node->part = part_find_or_add(p->t, name, NULL);
	if (tag->line_end) {
		node->indent = tag->line_begin;
		node->n = (size_t)(tag->begin - tag->line_begin);
	}
	return ERR_OK;
}

static enum err named_add(struct parser *p, enum kind kind, const char *name)
{
	struct node *node = node_add(p, kind, name, 0);
	if (split_name(p, node) != ERR_OK)
		return ERR_CONFIG;
	return kind == SECTION || kind == INVERTED ? section_open(p, node) : ERR_OK;
}

static enum err tag_apply(struct parser *p, const struct tag *tag)
{
	if (tag->sigil == '!')
		return ERR_OK;
	const char *body = arena_strndup(&p->t->arena, tag->body, tag->n);
	switch (tag->sigil) {
	case '#':
		return named_add(p, SECTION, body);
	case '^':
		return named_add(p, INVERTED, body);
	case '/':
		return section_close(p, body);
	case '>':
		return partial_add(p, tag, body);
	case '=':
		return set_delimiters(p, body);
	case '{':
	case '&':
		return named_add(p, RAW, body);
	default:
		return named_add(p, VARIABLE, body);
	}
}

static bool begins_line(const struct parser *p, const char *at)
{
	return at == p->part->text || at[-1] == '\n';
}

static void text_add(struct parser *p, const char *to)
{
	if (to > p->at)
		node_add(p, TEXT, p->at, (size_t)(to - p->at))->line_start = begins_line(p, p->at);
}

static enum err tag_next(struct parser *p, const char *begin)
{
	struct tag tag;
	if (tag_read(p, &tag, begin) != ERR_OK)
		return ERR_CONFIG;
	text_add(p, tag.line_end ? tag.line_begin : begin);
	if (!tag.line_end && begins_line(p, begin)) /* an indent belongs before this tag */
		node_add(p, TEXT, begin, 0)->line_start = true;
	p->at = tag.line_end ? tag.line_end : tag.end;
	return tag_apply(p, &tag);
}

static enum err parse_tags(struct parser *p)
{
	const char *begin;
	while ((begin = find(p->at, p->end, p->open)) != NULL)
		if (tag_next(p, begin) != ERR_OK)
			return ERR_CONFIG;
	text_add(p, p->end);
	return ERR_OK;
}

static enum err part_parse(struct mustache *t, struct part *part, struct errbuf *eb)
{
	struct parser p = {.t = t, .part = part, .line = 1, .open = "{{", .close = "}}", .eb = eb};
	p.at = p.counted = part->text;
	p.end = p.at + strlen(part->text);
	p.tail = &part->nodes;
	if (parse_tags(&p) != ERR_OK)
		return ERR_CONFIG;
	if (p.depth > 0) {
		const struct node *open = p.stack[p.depth - 1].section;
		return fail(&p, open->line, "there is no end of section", open->text);
	}
	return ERR_OK;
}

enum err mustache_compile(struct mustache **out, const char *name, const char *text,
                          mustache_source source, void *arg, struct errbuf *eb)
{
	struct mustache *t = mem_alloc(sizeof *t);
	arena_init(&t->arena);
	t->source = source;
	t->source_arg = arg;
	(void)part_find_or_add(t, name, text);
	enum err rc = ERR_OK;
	for (struct part *part = t->parts; part && rc == ERR_OK; part = part->next)
		if (part->text) /* parsing appends the partials it meets */
			rc = part_parse(t, part, eb);
	if (rc != ERR_OK) {
		mustache_free(t);
		return rc;
	}
	*out = t;
	return ERR_OK;
}

void mustache_free(struct mustache *t)
{
	if (!t)
		return;
	arena_fini(&t->arena);
	free(t);
}

/* ---- rendering --------------------------------------------------------- */

/* The values whose sections we are in, innermost first. */
struct frame {
	const struct tv *value;
	const struct frame *up;
};

/* The indents of the partials we are in, innermost first. */
struct indent {
	const char *bytes;
	size_t n;
	const struct indent *outer;
};

struct renderer {
	struct buf *out;
	int partials;
	enum err rc;
	struct errbuf *eb;
};

static void render_nodes(struct renderer *r, const struct node *node, const struct frame *frame,
                         const struct indent *indent);

static const struct tv *lookup(const struct frame *frame, const char *const *keys)
{
	if (!*keys)
		return frame->value;
	const struct tv *v = NULL;
	for (; frame && !v; frame = frame->up)
		v = tv_find(frame->value, *keys);
	while (v && *++keys)
		v = tv_find(v, *keys);
	return v;
}

static void put_indent(struct buf *out, const struct indent *indent)
{
	if (!indent)
		return;
	put_indent(out, indent->outer);
	buf_put(out, indent->bytes, indent->n);
}

/* Each line that is not empty gets the indent; a variable's value never does. */
static void render_text(struct buf *out, const struct node *node, const struct indent *indent)
{
	const char *at = node->text, *end = at + node->n;
	bool line_start = node->line_start;
	if (!indent) {
		buf_put(out, at, node->n);
		return;
	}
	do {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *next = newline ? newline + 1 : end;
		if (line_start && newline != at)
			put_indent(out, indent);
		buf_put(out, at, (size_t)(next - at));
		at = next;
		line_start = true;
	} while (at < end);
}

static void render_value(struct buf *out, const struct tv *v, bool raw)
{
	if (v && v->kind == TV_BOOL)
		buf_puts(out, v->truth ? "true" : "false");
	if (!v || v->kind != TV_TEXT)
		return;
	if (raw)
		buf_put(out, v->text, v->n);
	else
		escape_html(out, v->text, v->n);
}

static void render_section(struct renderer *r, const struct node *node, const struct frame *frame,
                           const struct indent *indent)
{
	const struct tv *v = lookup(frame, node->keys);
	if (!tv_is_true(v))
		return;
	bool list = v->kind == TV_LIST;
	for (size_t i = 0; i < (list ? v->n : 1); i++) {
		struct frame inner = {list ? v->items[i] : v, frame};
		render_nodes(r, node->children, &inner, indent);
	}
}

static void render_partial(struct renderer *r, const struct node *node, const struct frame *frame,
                           const struct indent *outer)
{
	struct indent own = {node->indent, node->n, outer};
	if (r->partials == MUSTACHE_PARTIALS) {
		r->rc = err_set(r->eb, ERR_CONFIG, "partial '%s' is nested more than %d deep", node->text,
		                MUSTACHE_PARTIALS);
		return;
	}
	r->partials++;
	/* One in the middle of a line is not indented at all, whatever it stands in. */
	render_nodes(r, node->part->nodes, frame, !node->indent ? NULL : node->n ? &own : outer);
	r->partials--;
}

static void render_nodes(struct renderer *r, const struct node *node, const struct frame *frame,
                         const struct indent *indent)
{
	for (; node && r->rc == ERR_OK; node = node->next) {
		switch (node->kind) {
		case TEXT:
			render_text(r->out, node, indent);
			break;
		case VARIABLE:
		case RAW:
			render_value(r->out, lookup(frame, node->keys), node->kind == RAW);
			break;
		case SECTION:
			render_section(r, node, frame, indent);
			break;
		case INVERTED:
			if (!tv_is_true(lookup(frame, node->keys)))
				render_nodes(r, node->children, frame, indent);
			break;
		case PARTIAL:
			render_partial(r, node, frame, indent);
			break;
		}
	}
}

enum err mustache_render(const struct mustache *t, const struct tv *context, struct buf *out,
                         struct errbuf *eb)
{
	struct renderer r = {.out = out, .eb = eb};
	struct frame top = {context, NULL};
	render_nodes(&r, t->parts->nodes, &top, NULL);
	return r.rc;
}

/* ---- checking ---------------------------------------------------------- */

/* The paths of the sections we are in, innermost first; "" is the top. */
struct scope {
	const char *path;
	const struct scope *up;
};

/* The partials we are in: one that recurses is looked at once. */
struct chain {
	const struct part *part;
	const struct chain *up;
};

struct checker {
	struct arena arena;
	mustache_known known;
	void *arg;
	struct errbuf *eb;
};

static enum err check_nodes(struct checker *c, const struct chain *chain, const struct node *node,
                            const struct scope *scope);

static const char *resolve(struct checker *c, const struct scope *scope, const char *name)
{
	if (strcmp(name, ".") == 0)
		return scope->path;
	for (; scope; scope = scope->up) {
		const char *path =
			*scope->path ? arena_printf(&c->arena, "%s.%s", scope->path, name) : name;
		if (c->known(c->arg, path))
			return path;
	}
	return NULL;
}

static enum err check_partial(struct checker *c, const struct chain *chain, const struct node *node,
                              const struct scope *scope)
{
	struct chain inner = {node->part, chain};
	if (!node->part->text)
		return err_set(c->eb, ERR_CONFIG, "template '%s' line %d: there is no partial '%s'",
		               chain->part->name, node->line, node->text);
	for (; chain; chain = chain->up)
		if (chain->part == node->part)
			return ERR_OK;
	return check_nodes(c, &inner, node->part->nodes, scope);
}

static enum err check_name(struct checker *c, const struct chain *chain, const struct node *node,
                           const struct scope *scope)
{
	const char *path = resolve(c, scope, node->text);
	if (!path)
		return err_set_field(c->eb, ERR_CONFIG, node->text,
		                     "template '%s' line %d: unknown name '%s'", chain->part->name,
		                     node->line, node->text);
	struct scope inner = {path, scope};
	return check_nodes(c, chain, node->children, node->kind == SECTION ? &inner : scope);
}

static enum err check_nodes(struct checker *c, const struct chain *chain, const struct node *node,
                            const struct scope *scope)
{
	enum err rc = ERR_OK;
	for (; node && rc == ERR_OK; node = node->next) {
		if (node->kind == PARTIAL)
			rc = check_partial(c, chain, node, scope);
		else if (node->kind != TEXT)
			rc = check_name(c, chain, node, scope);
	}
	return rc;
}

enum err mustache_check(const struct mustache *t, mustache_known known, void *arg,
                        struct errbuf *eb)
{
	struct checker c = {.known = known, .arg = arg, .eb = eb};
	struct scope top = {"", NULL};
	struct chain chain = {t->parts, NULL};
	arena_init(&c.arena);
	enum err rc = check_nodes(&c, &chain, t->parts->nodes, &top);
	arena_fini(&c.arena);
	return rc;
}
