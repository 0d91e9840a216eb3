/* path.c: from a question about paths to its answer in words. */
#include "cgi-bin/path.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/num.h"
#include "base/time_text.h"
#include "cgi-bin/ask.h"
#include "cgi-bin/scan.h"
#include "domain/activity_event.h"
#include "web/json.h"

enum { DIMENSION_PAGE = 1 };

static const char NOT_SET[] = "(not set)", OTHER[] = "(other)", DROP[] = "(drop-off)";
static const char OF_PAGE[] = " (page)"; /* behind pages that do not begin with / */

struct asking {
	struct call *c;
	const struct path_asked *q;
	struct scan_open open;
	struct rowset scope, words;
	struct paths_asked p;
	struct paths *paths;
	struct paths_answer *counts;
	struct path_answer *out;
};

/* ---- the question -------------------------------------------------------------------- */

/* A business day, or an instant, as parameters of path_scope. */
static enum err read_time(const struct asking *a, const char *name, const char *text,
                          const char **day, const char **at, struct errbuf *eb)
{
	char out[TIME_TEXT_BYTES];
	int64_t us = 0;
	*at = NULL;
	if (day)
		*day = NULL;
	if (!text)
		return ERR_OK;
	if (day && num_is_date(text) && strcmp(text, "1970-01-02") >= 0 &&
	    strcmp(text, "2199-12-31") <= 0) {
		*day = text;
		return ERR_OK;
	}
	enum time_kind kind = time_parse(text, &us);
	if ((kind != TIME_INSTANT && kind != TIME_WALL) || us < TIME_1970_US + 2 * US_PER_DAY ||
	    us >= TIME_2200_US || !time_format(us, true, out))
		return err_set_field(eb, ERR_INVALID, name,
		                     "%s must be a time such as 2025-11-01T00:00:00Z%s, from 1970 to 2199",
		                     name, day ? ", or a date" : "");
	*at = arena_strdup(a->c->req->arena, out);
	return ERR_OK;
}

/* What a label stands for: a page ("" is not set) or a type; neither of PATHS_OTHER. */
static void read_label(const struct asking *a, const char *label, const char **page,
                       const char **type)
{
	size_t n = strlen(label), tail_n = sizeof OF_PAGE - 1;
	*page = *type = NULL;
	if (strcmp(label, NOT_SET) == 0)
		*page = "";
	else if (*label == '/')
		*page = label;
	else if (n > tail_n && strcmp(label + n - tail_n, OF_PAGE) == 0)
		*page = arena_strndup(a->c->req->arena, label, n - tail_n);
	else if (strcmp(label, OTHER) != 0)
		*type = label;
}

static uint32_t edge_label(const struct asking *a, const char *label, const char *page,
                           const char *type)
{
	if (!label)
		return PATHS_ANY;
	if (!page && !type)
		return PATHS_OTHER;
	const char *code = rowset_get(&a->scope, 0, page ? "edge_page" : "edge_type");
	uint32_t n = (uint32_t)rowset_int(&a->scope, 0, page ? "edge_page" : "edge_type");
	if (!code || (page && a->p.by == PATHS_BY_TYPE) || (type && a->p.by == PATHS_BY_PAGE))
		return PATHS_NOBODY;
	return page ? n : (uint32_t)PATHS_TYPE | n;
}

static enum err ask_scope(struct asking *a, struct errbuf *eb)
{
	const struct path_asked *q = a->q;
	const char *from_day, *from_at, *to_day, *to_at, *as_of, *page = NULL, *type = NULL;
	enum err rc = read_time(a, "start_date", q->start_date, &from_day, &from_at, eb);
	if (rc == ERR_OK)
		rc = read_time(a, "end_date", q->end_date, &to_day, &to_at, eb);
	if (rc == ERR_OK)
		rc = read_time(a, "as_of", q->as_of, NULL, &as_of, eb);
	if (rc == ERR_OK && q->start && q->end)
		rc = err_set_field(eb, ERR_INVALID, "end", "ask for start or for end, not for both");
	if (rc == ERR_OK)
		rc = scan_begin(a->c, &a->open, eb);
	if (rc != ERR_OK)
		return rc;
	if (q->start || q->end)
		read_label(a, q->start ? q->start : q->end, &page, &type);
	const struct db_param params[] = {
		{"from_day", from_day}, {"from_at", from_at}, {"to_day", to_day},  {"to_at", to_at},
		{"as_of", as_of},       {"edge_page", page},  {"edge_type", type}, {NULL, NULL}};
	rc = scan_ask(a->c, &a->open, &(struct db_ask){"path_scope", params, &a->scope}, 1, eb);
	if (rc == ERR_OK && rowset_rows(&a->scope) == 0)
		rc = err_set(eb, ERR_NOT_FOUND, "nothing is known of activity yet");
	if (rc == ERR_OK && q->start)
		a->p.start = edge_label(a, q->start, page, type);
	if (rc == ERR_OK && q->end)
		a->p.end = edge_label(a, q->end, page, type);
	return rc;
}

static enum err read_scope(struct asking *a, struct errbuf *eb)
{
	enum err rc = ask_scope(a, eb);
	if (rc != ERR_OK)
		return rc;
	a->p.from_us = rowset_int(&a->scope, 0, "from_us");
	a->p.to_us = rowset_int(&a->scope, 0, "to_us");
	a->p.page_view = (uint16_t)rowset_int(&a->scope, 0, "page_view");
	a->p.session_timeout_s = a->open.site.session_timeout_s;
	if (a->p.to_us <= a->p.from_us)
		return err_set_field(eb, ERR_INVALID, "end_date", "end_date must be after start_date");
	if (a->p.to_us - a->p.from_us > ASK_DAYS * US_PER_DAY)
		return err_set_field(eb, ERR_INVALID, "end_date", "a range has at most %d days", ASK_DAYS);
	return ERR_OK;
}

/* ---- counting -------------------------------------------------------------------------- */

static void count_person(void *paths, int worker, const struct sequence *q)
{
	paths_person(paths, worker, q);
}

static enum err count(struct asking *a, struct errbuf *eb)
{
	int64_t as_of_us = rowset_int(&a->scope, 0, "as_of_us"), to_us = a->p.to_us + US_PER_DAY;
	const struct scan scan = {.from_day = (int32_t)rowset_int(&a->scope, 0, "from_day"),
	                          .to_day = (int32_t)rowset_int(&a->scope, 0, "to_day"),
	                          .wanted = {.events = true,
	                                     .sessions = true,
	                                     .dims_n = a->p.by == PATHS_BY_TYPE ? 0 : 1,
	                                     .from_us = a->p.from_us - US_PER_DAY,
	                                     .to_us = to_us <= as_of_us ? to_us : as_of_us + 1},
	                          .dims = {DIMENSION_PAGE},
	                          .person = count_person,
	                          .arg = a->paths = paths_new(&a->p, a->open.dbs_n)};
	enum err rc = scan_call(a->c, &a->open, &scan, eb);
	if (rc == ERR_OK && paths_counted(a->paths)) {
		rc = scan_call(a->c, &a->open, &scan, eb);
		must(rc != ERR_OK || !paths_counted(a->paths));
	}
	if (rc == ERR_OK)
		paths_answer(a->paths, a->counts);
	paths_free(a->paths);
	a->paths = NULL;
	return rc;
}

/* ---- words ----------------------------------------------------------------------------- */

/* "{1,2}" of the codes that the answer has, of one kind. */
static void put_codes(const struct paths_answer *n, bool types, struct buf *out)
{
	uint32_t kind = types ? PATHS_TYPE : 0;
	buf_putc(out, '{');
	for (int i = 0; i < n->steps_n; i++)
		for (int k = 0; k < n->steps[i].labels_n; k++)
			if ((n->steps[i].labels[k] & PATHS_TYPE) == kind)
				buf_printf(out, "%s%u", out->len > 1 ? "," : "",
				           n->steps[i].labels[k] & ~(uint32_t)PATHS_TYPE);
	for (int i = 0; i < n->paths_n; i++)
		for (int k = 0; k < n->paths[i].n; k++)
			if ((n->paths[i].labels[k] & PATHS_TYPE) == kind)
				buf_printf(out, "%s%u", out->len > 1 ? "," : "",
				           n->paths[i].labels[k] & ~(uint32_t)PATHS_TYPE);
	buf_putc(out, '}');
}

static enum err ask_words(struct asking *a, struct errbuf *eb)
{
	struct buf pages, types;
	buf_init(&pages);
	buf_init(&types);
	put_codes(a->counts, false, &pages);
	put_codes(a->counts, true, &types);
	enum err rc =
		scan_ask(a->c, &a->open,
	             &(struct db_ask){"path_words",
	                              DB_PARAMS({"pages", buf_str(&pages)}, {"types", buf_str(&types)}),
	                              &a->words},
	             1, eb);
	buf_fini(&pages);
	buf_fini(&types);
	return rc;
}

static const char *word_of(const struct asking *a, uint32_t label)
{
	bool is_type = label & PATHS_TYPE;
	if (label == PATHS_OTHER)
		return OTHER;
	if (label == 0)
		return NOT_SET;
	for (int i = 0; i < rowset_rows(&a->words); i++) {
		const char *word = rowset_get(&a->words, i, "word");
		if (rowset_int(&a->words, i, "code") != (label & ~(uint32_t)PATHS_TYPE) ||
		    (*rowset_get(&a->words, i, "is_type") == 't') != is_type)
			continue;
		return arena_printf(a->c->req->arena, "%s%s", word, is_type || *word == '/' ? "" : OF_PAGE);
	}
	return OTHER;
}

/* ---- the answer ---------------------------------------------------------------------------- */

static int permille(int64_t n, int64_t of)
{
	return of ? (int)num_permille(n, of) : 0;
}

static void take_node(const struct asking *a, struct path_step *to, int8_t *place, int at,
                      enum path_kind kind, const char *label, int64_t sessions)
{
	place[at] = -1;
	if (sessions == 0)
		return;
	place[at] = (int8_t)to->nodes_n;
	to->nodes[to->nodes_n++] =
		(struct path_node){kind, label, sessions, permille(sessions, a->counts->sessions)};
}

static void take_step(const struct asking *a, const struct paths_step *s, struct path_step *to,
                      int8_t *place)
{
	to->sessions = s->sessions;
	for (int i = 0; i < PATHS_TOP; i++) {
		uint32_t label = i < s->labels_n ? s->labels[i] : PATHS_OTHER;
		take_node(a, to, place, i, label & PATHS_TYPE ? PATH_TYPE : PATH_PAGE,
		          i < s->labels_n ? word_of(a, label) : OTHER, i < s->labels_n ? s->nodes[i] : 0);
	}
	take_node(a, to, place, PATHS_AT_REST, PATH_REST, OTHER, s->nodes[PATHS_AT_REST]);
	take_node(a, to, place, PATHS_AT_DROP, PATH_DROP, DROP, s->nodes[PATHS_AT_DROP]);
}

static void take_steps(struct asking *a)
{
	int8_t place[PATHS_DEPTH][PATHS_NODES];
	const struct paths_answer *n = a->counts;
	a->out->steps_n = n->steps_n;
	a->out->steps = arena_alloc(a->c->req->arena, ((size_t)n->steps_n + 1) * sizeof *a->out->steps);
	for (int i = 0; i < n->steps_n; i++) {
		a->out->steps[i] = (struct path_step){0};
		take_step(a, &n->steps[i], &a->out->steps[i], place[i]);
	}
	for (int i = 0; i + 1 < n->steps_n; i++)
		for (int from = 0; from < PATHS_NODES; from++)
			for (int to = 0; to < PATHS_NODES; to++)
				if (n->steps[i].links[from][to])
					a->out->steps[i].links[place[i][from]][place[i + 1][to]] =
						n->steps[i].links[from][to];
}

static void take_paths(struct asking *a)
{
	a->out->paths_n = a->counts->paths_n;
	for (int i = 0; i < a->counts->paths_n; i++) {
		const struct paths_frequent *f = &a->counts->paths[i];
		struct path_list *to = &a->out->paths[i];
		*to = (struct path_list){.n = f->n,
		                         .sessions = f->sessions,
		                         .permille = permille(f->sessions, a->counts->sessions)};
		for (int k = 0; k < f->n; k++)
			to->labels[k] = word_of(a, f->labels[k]);
	}
}

static const char *time_of(const struct asking *a, const char *column)
{
	char text[TIME_TEXT_BYTES];
	if (!rowset_get(&a->scope, 0, column) ||
	    !time_format(rowset_int(&a->scope, 0, column), true, text))
		return NULL;
	return arena_strdup(a->c->req->arena, text);
}

static void take_answer(struct asking *a)
{
	struct path_answer *out = a->out;
	*out = (struct path_answer){.asked = a->q,
	                            .from = time_of(a, "from_us"),
	                            .to = time_of(a, "to_us"),
	                            .as_of = time_of(a, "as_of_us"),
	                            .known_from = time_of(a, "known_us"),
	                            .tz = arena_strdup(a->c->req->arena, a->open.site.zone),
	                            .sessions = a->counts->sessions,
	                            .uncounted = a->counts->uncounted};
	take_steps(a);
	take_paths(a);
}

static enum paths_by by_of(const char *by)
{
	return strcmp(by, "type") == 0   ? PATHS_BY_TYPE
	       : strcmp(by, "page") == 0 ? PATHS_BY_PAGE
	                                 : PATHS_BY_EVENT;
}

enum err path_ask(struct call *c, const struct path_asked *asked, struct path_answer *out,
                  struct errbuf *eb)
{
	struct asking a = {.c = c,
	                   .q = asked,
	                   .out = out,
	                   .counts = arena_alloc(c->req->arena, sizeof *a.counts),
	                   .p = {.by = by_of(asked->by),
	                         .collapse = asked->collapse,
	                         .start = PATHS_ANY,
	                         .end = PATHS_ANY,
	                         .depth = asked->depth,
	                         .top = asked->top}};
	must(getrandom(&a.p.seed, sizeof a.p.seed, 0) == (ssize_t)sizeof a.p.seed);
	enum err rc = read_scope(&a, eb);
	if (rc == ERR_OK)
		rc = count(&a, eb);
	if (rc == ERR_OK)
		rc = ask_words(&a, eb);
	scan_end(c, &a.open);
	if (rc == ERR_OK)
		take_answer(&a);
	rowset_fini(&a.scope);
	rowset_fini(&a.words);
	return rc;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

const char *path_kind_name(enum path_kind kind)
{
	static const char *const names[] = {"page", "type", "other", "drop-off"};
	return names[kind];
}

const char *path_percent(struct arena *a, int permille)
{
	return arena_printf(a, "%d.%d", permille / 10, permille % 10);
}

static void put_step(struct arena *m, const struct path_answer *a, int i, struct json *j)
{
	const struct path_step *s = &a->steps[i];
	json_begin_object(j);
	json_pair_int(j, "step", i + 1);
	json_pair_int(j, "sessions", s->sessions);
	json_key(j, "nodes");
	json_begin_array(j);
	for (int k = 0; k < s->nodes_n; k++) {
		json_begin_object(j);
		json_pair_text(j, "label", s->nodes[k].label);
		json_pair_text(j, "kind", path_kind_name(s->nodes[k].kind));
		json_pair_int(j, "sessions", s->nodes[k].sessions);
		json_pair_number(j, "share", path_percent(m, s->nodes[k].permille));
		json_end_object(j);
	}
	json_end_array(j);
	json_end_object(j);
}

static void put_links(const struct path_answer *a, int i, struct json *j)
{
	const struct path_step *s = &a->steps[i];
	for (int from = 0; i + 1 < a->steps_n && from < s->nodes_n; from++)
		for (int to = 0; to < s[1].nodes_n; to++) {
			if (s->links[from][to] == 0)
				continue;
			json_begin_object(j);
			json_pair_int(j, "step", i + 1);
			json_pair_text(j, "from", s->nodes[from].label);
			json_pair_text(j, "to", s[1].nodes[to].label);
			json_pair_int(j, "sessions", s->links[from][to]);
			json_end_object(j);
		}
}

static void put_path(struct arena *m, const struct path_list *p, struct json *j)
{
	json_begin_object(j);
	json_key(j, "labels");
	json_begin_array(j);
	for (int k = 0; k < p->n; k++)
		json_put_text(j, p->labels[k]);
	json_end_array(j);
	json_pair_int(j, "sessions", p->sessions);
	json_pair_number(j, "share", path_percent(m, p->permille));
	json_end_object(j);
}

static void put_answer(struct arena *m, const struct path_answer *a, struct json *j)
{
	json_begin_object(j);
	json_pair_text(j, "as_of", a->as_of);
	json_pair_text(j, "start_date", a->from);
	json_pair_text(j, "end_date", a->to);
	json_pair_text(j, "known_from", a->known_from);
	json_pair_text(j, "tz", a->tz);
	json_pair_text(j, "by", a->asked->by);
	json_pair_bool(j, "collapse", a->asked->collapse);
	json_pair_text(j, "start", a->asked->start);
	json_pair_text(j, "end", a->asked->end);
	json_pair_int(j, "depth", a->asked->depth);
	json_pair_int(j, "sessions", a->sessions);
	json_key(j, "steps");
	json_begin_array(j);
	for (int i = 0; i < a->steps_n; i++)
		put_step(m, a, i, j);
	json_end_array(j);
	json_key(j, "links");
	json_begin_array(j);
	for (int i = 0; i < a->steps_n; i++)
		put_links(a, i, j);
	json_end_array(j);
	json_key(j, "paths");
	json_begin_array(j);
	for (int i = 0; i < a->paths_n; i++)
		put_path(m, &a->paths[i], j);
	json_end_array(j);
	json_pair_int(j, "paths_uncounted", a->uncounted);
	json_end_object(j);
	json_end(j);
}

enum err path_make(struct call *c, struct buf *out, struct errbuf *eb)
{
	int64_t depth = 0, top = 0;
	must(num_parse_int(call_param(c, "depth"), 1, PATHS_DEPTH, &depth) &&
	     num_parse_int(call_param(c, "top"), 1, PATHS_TOP, &top));
	const struct path_asked asked = {.start_date = call_param(c, "start_date"),
	                                 .end_date = call_param(c, "end_date"),
	                                 .by = call_param(c, "by"),
	                                 .collapse = strcmp(call_param(c, "collapse"), "yes") == 0,
	                                 .start = call_param(c, "start"),
	                                 .end = call_param(c, "end"),
	                                 .depth = (int)depth,
	                                 .top = (int)top,
	                                 .as_of = call_param(c, "as_of")};
	struct path_answer answer;
	struct json j;
	enum err rc = path_ask(c, &asked, &answer, eb);
	if (rc != ERR_OK)
		return rc;
	json_init(&j, out);
	put_answer(c->req->arena, &answer, &j);
	return ERR_OK;
}
