/* funnel_ask.c: from a question about a funnel to its figures. */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/time_text.h"
#include "cgi-bin/ask.h"
#include "cgi-bin/funnel_parts.h"
#include "db/rowset.h"

enum { DEPTH = 6 };

#define LOOK_BACK_US (FUNNEL_LOOK_BACK_S * US_PER_S)

/* What the site says, before the scan. */
struct site {
	struct rowset scope, dims, kept;
};

/* ---- words --------------------------------------------------------------------------- */

const char *funnel_time_text(struct arena *a, int64_t us)
{
	char out[TIME_TEXT_BYTES];
	return time_format(us, true, out) ? arena_strdup(a, out) : NULL;
}

/* A business day, or an instant. */
static enum err read_time(struct arena *a, const char *name, const char *text, const char **day,
                          const char **at, struct errbuf *eb)
{
	int64_t us = 0;
	*day = *at = NULL;
	if (!text)
		return ERR_OK;
	if (num_is_date(text) && strcmp(text, "1970-01-01") >= 0 && strcmp(text, "2199-12-31") <= 0) {
		*day = text;
		return ERR_OK;
	}
	enum time_kind kind = time_parse(text, &us);
	if ((kind != TIME_INSTANT && kind != TIME_WALL) || us < TIME_1970_US || us >= TIME_2200_US)
		return err_set_field(eb, ERR_INVALID, name,
		                     "%s must be a time such as 2025-11-01T00:00:00Z, or a date, from 1970 "
		                     "to 2199",
		                     name);
	*at = funnel_time_text(a, us);
	return ERR_OK;
}

static enum err read_as_of(const char *text, int64_t *out, struct errbuf *eb)
{
	enum time_kind kind = text ? time_parse(text, out) : TIME_NONE;
	if (!text)
		*out = INT64_MAX;
	else if (kind != TIME_INSTANT || *out < TIME_1970_US || *out >= TIME_2200_US)
		return err_set_field(eb, ERR_INVALID, "as_of",
		                     "as_of must be a time such as 2025-11-01T00:00:00Z");
	return ERR_OK;
}

static enum err read_definition(struct funnel_question *q, const char *field, const char *text,
                                bool steps_alone, struct errbuf *eb)
{
	struct arena *a = q->c->req->arena;
	const struct jnode *top;
	struct errbuf why = {0};
	text = arena_strdup(a, text); /* what is read is borrowed from it */
	if (jnode_parse(a, text, strlen(text), DEPTH, NULL, &top, &why) != ERR_OK)
		return err_set_field(eb, ERR_INVALID, field, "%s: %s", field, why.text);
	return steps_alone ? funnel_steps_read(a, top, &q->definition, eb)
	                   : funnel_definition_read(a, top, &q->definition, eb);
}

/* ---- what the site says ----------------------------------------------------------------- */

static enum err ask_site(struct call *c, const struct funnel_asked *asked, const char *name,
                         struct site *s, struct errbuf *eb)
{
	const char *from_day, *from_at, *to_day, *to_at;
	struct arena *a = c->req->arena;
	enum err rc = read_time(a, "start_date", asked->start_date, &from_day, &from_at, eb);
	if (rc == ERR_OK)
		rc = read_time(a, "end_date", asked->end_date, &to_day, &to_at, eb);
	if (rc == ERR_OK && !asked->start_date != !asked->end_date)
		rc = err_set_field(eb, ERR_INVALID, asked->start_date ? "end_date" : "start_date",
		                   "start_date and end_date go together");
	if (rc != ERR_OK)
		return rc;
	const struct db_ask asks[] = {
		{"funnel_scope",
	     DB_PARAMS({"from_day", from_day}, {"from_at", from_at}, {"to_day", to_day},
	               {"to_at", to_at}),
	     &s->scope},
		{"ask_dimensions", DB_NO_PARAMS, &s->dims},
		{"funnel_list", DB_PARAMS({"funnel_name", name ? name : ""}), &s->kept}};
	rc = call_ask(c, asks, sizeof asks / sizeof *asks, eb);
	if (rc == ERR_OK && rowset_rows(&s->scope) == 0)
		return err_set(eb, ERR_NOT_FOUND, "nothing is known of activity yet");
	if (rc == ERR_OK && name && rowset_rows(&s->kept) == 0)
		return err_set_field(eb, ERR_NOT_FOUND, "funnel_name", "there is no funnel %.64s", name);
	return rc;
}

static enum err check_range(const struct rowset *scope, struct errbuf *eb)
{
	int64_t us = rowset_int(scope, 0, "to_us") - rowset_int(scope, 0, "from_us");
	if (us <= 0)
		return err_set_field(eb, ERR_INVALID, "end_date", "end_date must be after the beginning");
	if (us > ASK_DAYS * US_PER_DAY)
		return err_set_field(eb, ERR_INVALID, "end_date", "a range has at most %d days", ASK_DAYS);
	return ERR_OK;
}

/* ---- dimensions ------------------------------------------------------------------------- */

static const char *dimension_names(struct arena *a, const struct rowset *dims)
{
	const char *text = "";
	for (int i = 0; i < rowset_rows(dims); i++)
		text = arena_printf(a, "%s%s%s", text, i ? ", " : "", rowset_get(dims, i, "name"));
	return text;
}

/* Its place among those of the question, where it is put if it is not there yet. */
static enum err place_dimension(struct funnel_question *q, const struct rowset *dims,
                                const char *name, const char *field, int *place, struct errbuf *eb)
{
	struct arena *a = q->c->req->arena;
	for (*place = 0; *place < q->dims_n; ++*place)
		if (strcmp(q->dim_names[*place], name) == 0)
			return ERR_OK;
	int i = 0;
	while (i < rowset_rows(dims) && strcmp(rowset_get(dims, i, "name"), name) != 0)
		i++;
	if (i == rowset_rows(dims))
		return err_set_field(eb, ERR_INVALID, field, "there is no dimension %.64s: %s", name,
		                     dimension_names(a, dims));
	if (q->dims_n == SEQUENCE_DIMS_ASKED)
		return err_set_field(eb, ERR_INVALID, field, "at most %d dimensions at once",
		                     SEQUENCE_DIMS_ASKED);
	q->dim_names[q->dims_n] = arena_strdup(a, name);
	q->dims[q->dims_n++] = (int)rowset_int(dims, i, "dimension_id");
	return ERR_OK;
}

static enum err place_filters(struct funnel_question *q, const struct rowset *dims, int i,
                              struct errbuf *eb)
{
	struct arena *a = q->c->req->arena;
	const struct funnel_defined_step *d = &q->definition.steps[i];
	struct funnel_step *step = &q->funnels[0].steps[i];
	enum err rc = ERR_OK;
	step->filters_n = d->filters_n;
	step->filters = arena_array(a, (size_t)d->filters_n + 1, sizeof *step->filters);
	for (int k = 0; rc == ERR_OK && k < d->filters_n; k++)
		rc = place_dimension(q, dims, d->filters[k].dimension,
		                     arena_printf(a, "steps[%d].filters.%.30s", i, d->filters[k].dimension),
		                     &step->filters[k].dim, eb);
	return rc;
}

/* ---- the question ------------------------------------------------------------------------ */

static enum err read_words(struct funnel_question *q, const struct funnel_asked *asked,
                           const struct site *s, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	if (!asked->steps)
		rc = read_definition(q, "funnel_name", rowset_get(&s->kept, 0, "definition"), false, eb);
	if (rc == ERR_OK)
		rc = funnel_order_read(asked->order, &q->definition, eb);
	if (rc == ERR_OK)
		rc = funnel_unit_read(asked->unit, &q->definition, eb);
	if (rc == ERR_OK)
		rc = funnel_window_read(asked->window_s, &q->definition, eb);
	if (rc == ERR_OK && asked->compare && strcmp(asked->compare, "none") != 0 &&
	    strcmp(asked->compare, "previous") != 0)
		rc = err_set_field(eb, ERR_INVALID, "compare", "compare must be none or previous");
	if (rc == ERR_OK)
		rc = read_as_of(asked->as_of, &q->asked_as_of_us, eb);
	return rc == ERR_OK ? check_range(&s->scope, eb) : rc;
}

static enum err set_funnels(struct funnel_question *q, const struct funnel_asked *asked,
                            const struct site *s, struct errbuf *eb)
{
	const struct funnel_definition *d = &q->definition;
	struct funnel *f = &q->funnels[0];
	enum err rc = ERR_OK;
	*f = (struct funnel){.steps_n = d->steps_n,
	                     .order = d->order,
	                     .by_session = d->by_session,
	                     .window_us = d->window_s * US_PER_S,
	                     .from_us = rowset_int(&s->scope, 0, "from_us"),
	                     .to_us = rowset_int(&s->scope, 0, "to_us"),
	                     .breakdown = -1};
	for (int i = 0; rc == ERR_OK && i < d->steps_n; i++)
		rc = place_filters(q, &s->dims, i, eb);
	if (rc == ERR_OK && asked->breakdown)
		rc = place_dimension(q, &s->dims, asked->breakdown, "breakdown", &f->breakdown, eb);
	q->funnels_n = 1;
	if (rc == ERR_OK && asked->compare && strcmp(asked->compare, "previous") == 0)
		q->funnels_n = 2;
	return rc;
}

/* ---- in the snapshot --------------------------------------------------------------------- */

static const char *types_json(struct funnel_question *q)
{
	struct buf out;
	struct json j;
	buf_init(&out);
	json_init(&j, &out);
	json_begin_array(&j);
	for (int i = 0; i < q->definition.steps_n; i++)
		json_put_text(&j, q->definition.steps[i].event_type);
	json_end_array(&j);
	json_end(&j);
	const char *text = arena_strdup(q->c->req->arena, buf_str(&out));
	buf_fini(&out);
	return text;
}

static void put_condition(const struct funnel_question *q, const struct funnel_condition *f,
                          int dim, struct json *j)
{
	for (int k = 0; k < f->n; k++) {
		json_begin_array(j);
		json_put_int(j, q->dims[dim]);
		json_put_text(j, f->values[k]);
		json_end_array(j);
	}
}

static const char *values_json(struct funnel_question *q)
{
	struct buf out;
	struct json j;
	buf_init(&out);
	json_init(&j, &out);
	json_begin_array(&j);
	for (int i = 0; i < q->definition.steps_n; i++)
		for (int k = 0; k < q->definition.steps[i].filters_n; k++)
			put_condition(q, &q->definition.steps[i].filters[k],
			              q->funnels[0].steps[i].filters[k].dim, &j);
	json_end_array(&j);
	json_end(&j);
	const char *text = arena_strdup(q->c->req->arena, buf_str(&out));
	buf_fini(&out);
	return text;
}

static enum err check_types(const struct funnel_question *q, const struct rowset *types,
                            struct errbuf *eb)
{
	for (int i = 0; i < q->definition.steps_n; i++)
		if (!rowset_get(types, i, "code"))
			return err_set_field(eb, ERR_INVALID, "steps",
			                     "%.64s: there are too many types of events to tell this one apart",
			                     q->definition.steps[i].event_type);
	return ERR_OK;
}

/* In the order in which they were put. */
static void take_codes(struct funnel_question *q, const struct rowset *types,
                       const struct rowset *values)
{
	int at = 0;
	for (int i = 0; i < q->definition.steps_n; i++) {
		struct funnel_step *step = &q->funnels[0].steps[i];
		step->type = (uint16_t)rowset_int(types, i, "code");
		for (int k = 0; k < step->filters_n; k++)
			for (int v = 0; v < q->definition.steps[i].filters[k].n; v++, at++)
				if (rowset_get(values, at, "code"))
					step->filters[k].codes[step->filters[k].n++] =
						(uint16_t)rowset_int(values, at, "code");
	}
}

static const unsigned char *types_wanted(struct funnel_question *q)
{
	const struct funnel *f = &q->funnels[0];
	unsigned char *bits = arena_alloc(q->c->req->arena, 8192);
	if (f->order == FUNNEL_STRICT || f->by_session || f->breakdown >= 0)
		return NULL;
	for (int i = 0; i < f->steps_n; i++)
		if (f->steps[i].type)
			bits[f->steps[i].type / 8] |= (unsigned char)(1u << f->steps[i].type % 8);
	return bits;
}

/* The range before is walked in the same go. */
static void set_scan(struct funnel_question *q, const struct rowset *days, const struct site *s)
{
	struct funnel *f = &q->funnels[0];
	struct scan *scan = &q->scan;
	f->as_of_us = rowset_int(days, 0, "as_of_us");
	f->session_timeout_s = q->open.site.session_timeout_s;
	q->exponent = (int)rowset_int(days, 0, "exponent");
	q->funnels[1] = *f;
	q->funnels[1].from_us = rowset_int(&s->scope, 0, "base_from_us");
	q->funnels[1].to_us = rowset_int(&s->scope, 0, "base_to_us");
	bool back = f->by_session || f->breakdown >= 0;
	int64_t last_us = f->to_us + f->window_us;
	scan->from_day = (int32_t)rowset_int(days, 0, "from_day");
	scan->to_day = (int32_t)rowset_int(days, 0, "to_day");
	scan->wanted = (struct sequence_wanted){
		.events = true,
		.sessions = f->by_session,
		.amounts = true,
		.dims_n = q->dims_n,
		.types = types_wanted(q),
		.from_us = q->funnels[q->funnels_n - 1].from_us - (back ? LOOK_BACK_US : 0),
		.to_us = (f->as_of_us < last_us ? f->as_of_us : last_us) + 1};
	memcpy(scan->dims, q->dims, sizeof scan->dims);
}

static enum err look_up(struct funnel_question *q, const struct site *s, struct rowset *days,
                        struct errbuf *eb)
{
	struct arena *a = q->c->req->arena;
	const struct funnel *f = &q->funnels[0];
	struct rowset types = {0}, values = {0};
	const char *first = q->funnels_n == 2 ? "base_from_us" : "from_us";
	const struct db_ask asks[] = {
		{"funnel_days",
	     DB_PARAMS(
			 {"currency", q->open.site.currency},
			 {"as_of_us", arena_printf(a, "%lld", (long long)q->asked_as_of_us)},
			 {"first_us",
	          arena_printf(a, "%lld", (long long)(rowset_int(&s->scope, 0, first) - LOOK_BACK_US))},
			 {"last_us", arena_printf(a, "%lld", (long long)(f->to_us + f->window_us))}),
	     days},
		{"funnel_types", DB_PARAMS({"types", types_json(q)}), &types},
		{"funnel_values", DB_PARAMS({"values", values_json(q)}), &values}};
	enum err rc = scan_ask(q->c, &q->open, asks, sizeof asks / sizeof *asks, eb);
	if (rc == ERR_OK)
		rc = check_types(q, &types, eb);
	if (rc == ERR_OK) {
		take_codes(q, &types, &values);
		set_scan(q, days, s);
	}
	rowset_fini(&types);
	rowset_fini(&values);
	return rc;
}

static void set_range(struct arena *a, const struct funnel *f, struct funnel_range *out)
{
	*out = (struct funnel_range){.from_us = f->from_us,
	                             .to_us = f->to_us,
	                             .from = funnel_time_text(a, f->from_us),
	                             .to = funnel_time_text(a, f->to_us)};
}

static void set_answer(struct funnel_question *q, const struct funnel_asked *asked,
                       const struct rowset *days, const struct site *s, struct funnel_answer *out)
{
	struct arena *a = q->c->req->arena;
	const struct funnel_definition *d = &q->definition;
	int64_t known_us = rowset_int(days, 0, "known_from_us");
	bool cut =
		rowset_get(days, 0, "known_from_us") && known_us > q->funnels[q->funnels_n - 1].from_us;
	*out = (struct funnel_answer){.order = d->order,
	                              .by_session = d->by_session,
	                              .window_s = d->window_s,
	                              .steps_n = d->steps_n,
	                              .as_of_us = q->funnels[0].as_of_us,
	                              .as_of = funnel_time_text(a, q->funnels[0].as_of_us),
	                              .known_from = cut ? funnel_time_text(a, known_us) : NULL,
	                              .tz = arena_strdup(a, rowset_get(&s->scope, 0, "zone")),
	                              .cutoff = (int)rowset_int(&s->scope, 0, "cutoff"),
	                              .currency = arena_strdup(a, q->open.site.currency),
	                              .exponent = q->exponent,
	                              .breakdown = asked->breakdown};
	if (!asked->steps)
		out->funnel_name = arena_strdup(a, rowset_get(&s->kept, 0, "funnel_name"));
	for (int i = 0; i < d->steps_n; i++)
		out->steps[i] = funnel_step_named(a, &d->steps[i]);
	set_range(a, &q->funnels[0], &out->range);
	if (q->funnels_n == 2) {
		struct funnel_range *previous = arena_alloc(a, sizeof *previous);
		set_range(a, &q->funnels[1], previous);
		out->previous = previous;
	}
}

enum err funnel_question_begin(struct call *c, const struct funnel_asked *asked,
                               struct funnel_question *q, struct funnel_answer *out,
                               struct errbuf *eb)
{
	struct site s = {0};
	struct rowset days = {0};
	const char *name = asked->funnel_name ? asked->funnel_name : asked->steps ? NULL : "checkout";
	enum err rc = ERR_OK;
	*q = (struct funnel_question){.c = c};
	if (asked->funnel_name && asked->steps)
		rc = err_set_field(eb, ERR_INVALID, "steps", "either funnel_name or steps");
	if (rc == ERR_OK && asked->steps)
		rc = read_definition(q, "steps", asked->steps, true, eb);
	if (rc == ERR_OK)
		rc = ask_site(c, asked, name, &s, eb);
	if (rc == ERR_OK)
		rc = read_words(q, asked, &s, eb);
	if (rc == ERR_OK)
		rc = set_funnels(q, asked, &s, eb);
	if (rc == ERR_OK)
		rc = scan_begin(c, &q->open, eb);
	if (rc == ERR_OK)
		rc = look_up(q, &s, &days, eb);
	if (rc == ERR_OK)
		set_answer(q, asked, &days, &s, out);
	rowset_fini(&days);
	rowset_fini(&s.scope);
	rowset_fini(&s.dims);
	rowset_fini(&s.kept);
	return rc;
}

void funnel_question_end(struct funnel_question *q)
{
	scan_end(q->c, &q->open);
}

/* ---- figures ------------------------------------------------------------------------------ */

/* What one thread walks with. */
struct worker {
	struct funnel_walker *walkers[2];
	struct funnel_sums *sums[2];
};

struct walk {
	int funnels_n;
	struct worker workers[SCAN_WORKERS];
};

static void walk_person(void *arg, int worker, const struct sequence *person)
{
	struct walk *w = arg;
	struct worker *mine = &w->workers[worker];
	for (int i = 0; i < w->funnels_n; i++)
		funnel_walk(mine->walkers[i], person, funnel_sums_add, mine->sums[i]);
}

static void walk_init(struct walk *w, const struct funnel_question *q)
{
	*w = (struct walk){.funnels_n = q->funnels_n};
	for (int k = 0; k < q->open.dbs_n; k++)
		for (int i = 0; i < q->funnels_n; i++) {
			w->workers[k].walkers[i] = funnel_walker_new(&q->funnels[i]);
			w->workers[k].sums[i] =
				funnel_sums_new(q->funnels[i].steps_n, i == 0 && q->funnels[0].breakdown >= 0);
		}
}

static void walk_fini(struct walk *w)
{
	for (int k = 0; k < SCAN_WORKERS; k++)
		for (int i = 0; i < 2; i++) {
			funnel_walker_free(w->workers[k].walkers[i]);
			funnel_sums_free(w->workers[k].sums[i]);
		}
}

enum err funnel_labels(struct funnel_question *q, const uint16_t *codes, int n, const char **texts,
                       struct errbuf *eb)
{
	struct arena *a = q->c->req->arena;
	struct rowset rs = {0};
	const char *list = "";
	for (int i = 0; i < n; i++) {
		list = arena_printf(a, "%s%s%d", list, i ? "," : "", codes[i]);
		texts[i] = codes[i] ? "(other)" : "(not set)";
	}
	const struct db_ask ask = {
		"funnel_labels",
		DB_PARAMS({"dimension_id", arena_printf(a, "%d", q->dims[q->funnels[0].breakdown])},
	              {"codes", arena_printf(a, "{%s}", list)}),
		&rs};
	enum err rc = scan_ask(q->c, &q->open, &ask, 1, eb);
	for (int r = 0; rc == ERR_OK && r < rowset_rows(&rs); r++)
		for (int i = 0; i < n; i++)
			if (codes[i] == rowset_int(&rs, r, "code"))
				texts[i] = arena_strdup(a, rowset_get(&rs, r, "value"));
	rowset_fini(&rs);
	return rc;
}

static enum err put_groups(struct funnel_question *q, struct funnel_sums *sums,
                           struct funnel_answer *out, struct errbuf *eb)
{
	struct arena *a = q->c->req->arena;
	struct funnel_group_figures *found = arena_array(a, FUNNEL_GROUPS + 1, sizeof *found);
	int n = funnel_sums_groups(sums, found);
	struct funnel_group *groups = arena_array(a, (size_t)n + 1, sizeof *groups);
	uint16_t codes[FUNNEL_GROUPS + 1] = {0};
	const char *texts[FUNNEL_GROUPS + 1];
	for (int i = 0; i < n; i++)
		codes[i] = found[i].code;
	enum err rc = funnel_labels(q, codes, n, texts, eb);
	for (int i = 0; rc == ERR_OK && i < n; i++)
		groups[i] = (struct funnel_group){.value = found[i].rest ? "(other groups)" : texts[i],
		                                  .figures = found[i].figures};
	out->groups = groups;
	out->groups_n = n;
	return rc;
}

static enum err put_figures(struct funnel_question *q, struct walk *w, struct funnel_answer *out,
                            struct errbuf *eb)
{
	struct worker *first = &w->workers[0];
	for (int k = 1; k < q->open.dbs_n; k++)
		for (int i = 0; i < w->funnels_n; i++)
			funnel_sums_merge(first->sums[i], w->workers[k].sums[i]);
	funnel_sums_all(first->sums[0], &out->range.all);
	if (w->funnels_n == 2) {
		struct funnel_range *previous = arena_alloc(q->c->req->arena, sizeof *previous);
		*previous = *out->previous;
		funnel_sums_all(first->sums[1], &previous->all);
		out->previous = previous;
	}
	return q->funnels[0].breakdown >= 0 ? put_groups(q, first->sums[0], out, eb) : ERR_OK;
}

enum err funnel_answer_make(struct call *c, const struct funnel_asked *asked,
                            struct funnel_answer *out, struct errbuf *eb)
{
	struct funnel_question q;
	struct walk w = {0};
	enum err rc = funnel_question_begin(c, asked, &q, out, eb);
	if (rc == ERR_OK) {
		walk_init(&w, &q);
		q.scan.person = walk_person;
		q.scan.arg = &w;
		rc = scan_call(c, &q.open, &q.scan, eb);
	}
	if (rc == ERR_OK)
		rc = put_figures(&q, &w, out, eb);
	funnel_question_end(&q);
	walk_fini(&w);
	return rc;
}
