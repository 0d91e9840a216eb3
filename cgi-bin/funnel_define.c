/* funnel_define.c: funnels as JSON, checked word by word. */
#include <string.h>

#include "base/num.h"
#include "base/words.h"
#include "cgi-bin/funnel_parts.h"
#include "domain/activity_event.h"

enum {
	STEPS_LEAST = 2,
	NAME_BYTES = 100,
	VALUE_BYTES = 200,
	WINDOW_S = 604800,
	WINDOW_MOST_S = 90 * 86400
};

static const char ORDERS[] = "sequential|strict|any", UNITS[] = "user|session";
static const char FIELDS[] = "steps|order|window_s|unit", STEP_FIELDS[] = "event_type|filters|name";

const char *funnel_order_name(enum funnel_order order)
{
	static const char *const names[] = {"sequential", "strict", "any"};
	return names[order];
}

/* ---- reading -------------------------------------------------------------------------- */

static enum err check_names(const struct jnode *v, const char *words, const char *place,
                            struct errbuf *eb)
{
	for (const struct jnode *m = v->first; m; m = m->next)
		if (words_find(words, '|', m->name, WORDS_EXACT) < 0)
			return err_set_field(eb, ERR_INVALID, m->name, "there is no field %.80s in %s: %s",
			                     m->name, place, words);
	return ERR_OK;
}

static bool is_absent(const struct jnode *v)
{
	return !v || v->kind == JNODE_NULL;
}

static bool is_text(const struct jnode *v, size_t most)
{
	return jnode_is(v, JNODE_STRING) && v->n >= 1 && v->n <= most;
}

static enum err read_values(struct arena *a, const struct jnode *v, const char *field,
                            struct funnel_condition *out, struct errbuf *eb)
{
	const struct jnode *one = v->kind == JNODE_ARRAY ? v->first : v;
	size_t n = v->kind == JNODE_ARRAY ? v->n : 1;
	bool fine = n >= 1 && n <= FUNNEL_VALUES;
	*out = (struct funnel_condition){.dimension = v->name};
	out->values = arena_array(a, fine ? n : 1, sizeof *out->values);
	for (size_t i = 0; fine && i < n; i++, one = one->next) {
		fine = is_text(one, VALUE_BYTES);
		out->values[out->n++] = fine ? one->text : NULL;
	}
	if (!fine)
		return err_set_field(eb, ERR_INVALID, field,
		                     "%s must be a text of 1 to %d bytes, or a list of 1 to %d", field,
		                     VALUE_BYTES, FUNNEL_VALUES);
	return ERR_OK;
}

static enum err read_filters(struct arena *a, const struct jnode *all, const char *place,
                             struct funnel_defined_step *out, struct errbuf *eb)
{
	enum err rc = ERR_OK;
	if (is_absent(all))
		return ERR_OK;
	if (all->kind != JNODE_OBJECT || all->n > SEQUENCE_DIMS_ASKED)
		return err_set_field(eb, ERR_INVALID, arena_printf(a, "%s.filters", place),
		                     "%s.filters must be an object with at most %d dimensions", place,
		                     SEQUENCE_DIMS_ASKED);
	out->filters = arena_array(a, all->n + 1, sizeof *out->filters);
	for (const struct jnode *v = all->first; rc == ERR_OK && v; v = v->next)
		rc = read_values(a, v, arena_printf(a, "%s.filters.%.30s", place, v->name),
		                 &out->filters[out->filters_n++], eb);
	return rc;
}

static enum err read_name(struct arena *a, const struct jnode *v, const char *place,
                          struct funnel_defined_step *out, struct errbuf *eb)
{
	bool fine = is_absent(v) || is_text(v, NAME_BYTES);
	out->name = out->event_type;
	if (fine && !is_absent(v))
		out->name = v->text;
	for (const char *p = out->name; fine && *p; p++)
		fine = (unsigned char)*p >= ' ' && *p != 0x7f;
	if (!fine || out->name[strspn(out->name, " ")] == '\0')
		return err_set_field(eb, ERR_INVALID, arena_printf(a, "%s.name", place),
		                     "%s.name must be 1 to %d printable bytes", place, NAME_BYTES);
	return ERR_OK;
}

/* {"event_type": ...}, or the type alone. */
static enum err read_step(struct arena *a, const struct jnode *v, int place_n,
                          struct funnel_defined_step *out, struct errbuf *eb)
{
	const char *place = arena_printf(a, "steps[%d]", place_n);
	*out = (struct funnel_defined_step){.event_type = jnode_string(v)};
	if (v->kind == JNODE_OBJECT) {
		out->event_type = jnode_string_at(v, "event_type");
		enum err rc = check_names(v, STEP_FIELDS, place, eb);
		if (rc != ERR_OK)
			return rc;
	}
	if (!out->event_type || !activity_type_is_fine(out->event_type))
		return err_set_field(eb, ERR_INVALID, arena_printf(a, "%s.event_type", place),
		                     "%s.event_type is not 1 to %d of a-z 0-9 _ . : -", place,
		                     ACTIVITY_TYPE_BYTES);
	enum err rc = read_name(a, jnode_get(v, "name"), place, out, eb);
	return rc == ERR_OK ? read_filters(a, jnode_get(v, "filters"), place, out, eb) : rc;
}

enum err funnel_steps_read(struct arena *a, const struct jnode *list, struct funnel_definition *out,
                           struct errbuf *eb)
{
	enum err rc = ERR_OK;
	if (!jnode_is(list, JNODE_ARRAY) || list->n < STEPS_LEAST || list->n > FUNNEL_STEPS)
		return err_set_field(eb, ERR_INVALID, "steps", "steps must be a list of %d to %d",
		                     STEPS_LEAST, FUNNEL_STEPS);
	*out = (struct funnel_definition){.window_s = WINDOW_S};
	for (const struct jnode *v = list->first; rc == ERR_OK && v; v = v->next, out->steps_n++)
		rc = read_step(a, v, out->steps_n, &out->steps[out->steps_n], eb);
	return rc;
}

enum err funnel_order_read(const char *text, struct funnel_definition *out, struct errbuf *eb)
{
	int i = text ? words_find(ORDERS, '|', text, WORDS_EXACT) : (int)out->order;
	if (i < 0)
		return err_set_field(eb, ERR_INVALID, "order", "order must be one of %s", ORDERS);
	out->order = (enum funnel_order)i;
	return ERR_OK;
}

enum err funnel_unit_read(const char *text, struct funnel_definition *out, struct errbuf *eb)
{
	int i = text ? words_find(UNITS, '|', text, WORDS_EXACT) : out->by_session;
	if (i < 0)
		return err_set_field(eb, ERR_INVALID, "unit", "unit must be one of %s", UNITS);
	out->by_session = i == 1;
	return ERR_OK;
}

enum err funnel_window_read(const char *text, struct funnel_definition *out, struct errbuf *eb)
{
	if (text && !num_parse_int(text, 1, WINDOW_MOST_S, &out->window_s))
		return err_set_field(eb, ERR_INVALID, "window_s",
		                     "window_s must be a whole number of seconds from 1 to %d",
		                     WINDOW_MOST_S);
	return ERR_OK;
}

/* A word, or a number, as a text; "" is none of either. */
static const char *word_of(const struct jnode *v, enum jnode_kind kind)
{
	return is_absent(v) ? NULL : v->kind == kind ? v->text : "";
}

enum err funnel_definition_read(struct arena *a, const struct jnode *v,
                                struct funnel_definition *out, struct errbuf *eb)
{
	if (!jnode_is(v, JNODE_OBJECT))
		return err_set_field(eb, ERR_INVALID, "body", "a funnel must be a JSON object");
	enum err rc = check_names(v, FIELDS, "a funnel", eb);
	if (rc == ERR_OK)
		rc = funnel_steps_read(a, jnode_get(v, "steps"), out, eb);
	if (rc == ERR_OK)
		rc = funnel_order_read(word_of(jnode_get(v, "order"), JNODE_STRING), out, eb);
	if (rc == ERR_OK)
		rc = funnel_window_read(word_of(jnode_get(v, "window_s"), JNODE_NUMBER), out, eb);
	if (rc == ERR_OK)
		rc = funnel_unit_read(word_of(jnode_get(v, "unit"), JNODE_STRING), out, eb);
	return rc;
}

/* ---- writing -------------------------------------------------------------------------- */

void funnel_filters_put(const struct funnel_defined_step *s, struct json *j)
{
	json_begin_object(j);
	for (int i = 0; i < s->filters_n; i++) {
		json_key(j, s->filters[i].dimension);
		json_begin_array(j);
		for (int k = 0; k < s->filters[i].n; k++)
			json_put_text(j, s->filters[i].values[k]);
		json_end_array(j);
	}
	json_end_object(j);
}

const char *funnel_definition_text(struct arena *a, const struct funnel_definition *d)
{
	struct buf out;
	struct json j;
	buf_init(&out);
	json_init(&j, &out);
	json_begin_object(&j);
	json_key(&j, "steps");
	json_begin_array(&j);
	for (int i = 0; i < d->steps_n; i++) {
		json_begin_object(&j);
		json_pair_text(&j, "event_type", d->steps[i].event_type);
		json_key(&j, "filters");
		funnel_filters_put(&d->steps[i], &j);
		json_pair_text(&j, "name", d->steps[i].name);
		json_end_object(&j);
	}
	json_end_array(&j);
	json_pair_text(&j, "order", funnel_order_name(d->order));
	json_pair_int(&j, "window_s", d->window_s);
	json_pair_text(&j, "unit", d->by_session ? "session" : "user");
	json_end_object(&j);
	json_end(&j);
	const char *text = arena_strdup(a, buf_str(&out));
	buf_fini(&out);
	return text;
}

struct funnel_named_step funnel_step_named(struct arena *a, const struct funnel_defined_step *s)
{
	struct buf out;
	struct json j;
	buf_init(&out);
	json_init(&j, &out);
	funnel_filters_put(s, &j);
	json_end(&j);
	const char *filters = arena_strdup(a, buf_str(&out));
	buf_fini(&out);
	return (struct funnel_named_step){
		.name = s->name, .event_type = s->event_type, .filters = filters};
}
