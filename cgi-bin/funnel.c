/* funnel.c: answers about funnels as JSON, and their handlers. */
#include "cgi-bin/funnel.h"

#include <string.h>

#include "base/num.h"
#include "cgi-bin/funnel_parts.h"

/* ---- figures as texts ------------------------------------------------------------------ */

const char *funnel_rate_text(struct arena *a, int permille)
{
	return permille == FUNNEL_NONE ? NULL : arena_printf(a, "%d.%d", permille / 10, permille % 10);
}

const char *funnel_seconds_text(struct arena *a, int64_t ms)
{
	return ms == FUNNEL_NONE
	           ? NULL
	           : arena_printf(a, "%lld.%03d", (long long)(ms / 1000), (int)(ms % 1000));
}

const char *funnel_money_text(struct arena *a, int64_t minor, int exponent)
{
	int64_t unit = 1;
	for (int i = 0; i < exponent; i++)
		unit *= 10;
	if (minor == INT64_MAX)
		return NULL;
	if (exponent == 0)
		return arena_printf(a, "%lld", (long long)minor);
	return arena_printf(a, "%lld.%0*lld", (long long)(minor / unit), exponent,
	                    (long long)(minor % unit));
}

/* ---- the answer ---------------------------------------------------------------------------- */

static void put_figures(struct arena *a, const struct funnel_step_figures *s, int exponent,
                        struct json *j)
{
	json_pair_int(j, "users", s->users);
	json_pair_number(j, "rate", funnel_rate_text(a, s->rate));
	json_pair_number(j, "from_previous", funnel_rate_text(a, s->from_previous));
	json_pair_number(j, "median_seconds", funnel_seconds_text(a, s->median_ms));
	json_pair_number(j, "p90_seconds", funnel_seconds_text(a, s->p90_ms));
	json_pair_int(j, "open", s->open);
	json_pair_number(j, "rate_closed", funnel_rate_text(a, s->rate_closed));
	json_pair_number(j, "value", funnel_money_text(a, s->value_minor, exponent));
	json_pair_int(j, "unpriced", s->unpriced);
}

static void put_steps(struct arena *a, const struct funnel_answer *answer,
                      const struct funnel_figures *figures, struct json *j)
{
	json_key(j, "steps");
	json_begin_array(j);
	for (int i = 0; i < answer->steps_n; i++) {
		json_begin_object(j);
		json_pair_int(j, "step", i + 1);
		json_pair_text(j, "name", answer->steps[i].name);
		put_figures(a, &figures->steps[i], answer->exponent, j);
		json_end_object(j);
	}
	json_end_array(j);
}

static void put_first_steps(struct arena *a, const struct funnel_answer *answer, struct json *j)
{
	json_key(j, "steps");
	json_begin_array(j);
	for (int i = 0; i < answer->steps_n; i++) {
		const struct funnel_named_step *s = &answer->steps[i];
		json_begin_object(j);
		json_pair_int(j, "step", i + 1);
		json_pair_text(j, "name", s->name);
		json_pair_text(j, "event_type", s->event_type);
		json_key(j, "filters");
		json_put_raw(j, s->filters, strlen(s->filters));
		put_figures(a, &answer->range.all.steps[i], answer->exponent, j);
		json_end_object(j);
	}
	json_end_array(j);
}

static void put_range(const struct funnel_answer *answer, struct json *j)
{
	json_key(j, "range");
	json_begin_object(j);
	json_pair_text(j, "from", answer->range.from);
	json_pair_text(j, "to", answer->range.to);
	json_pair_text(j, "tz", answer->tz);
	json_pair_int(j, "cutoff", answer->cutoff);
	json_end_object(j);
}

static void put_question(const struct funnel_answer *answer, struct json *j)
{
	json_pair_text(j, "as_of", answer->as_of);
	put_range(answer, j);
	json_pair_text(j, "known_from", answer->known_from);
	json_pair_text(j, "tz", answer->tz);
	json_pair_text(j, "currency", answer->currency);
	json_pair_text(j, "funnel_name", answer->funnel_name);
	json_pair_text(j, "order", funnel_order_name(answer->order));
	json_pair_text(j, "unit", answer->by_session ? "session" : "user");
	json_pair_int(j, "window_s", answer->window_s);
	json_pair_text(j, "breakdown", answer->breakdown);
}

static void put_groups(struct arena *a, const struct funnel_answer *answer, struct json *j)
{
	json_key(j, "groups");
	json_begin_array(j);
	for (int i = 0; i < answer->groups_n; i++) {
		json_begin_object(j);
		json_pair_text(j, "value", answer->groups[i].value);
		put_steps(a, answer, &answer->groups[i].figures, j);
		json_end_object(j);
	}
	json_end_array(j);
}

static void put_previous(struct arena *a, const struct funnel_answer *answer, struct json *j)
{
	const struct funnel_range *previous = answer->previous;
	json_key(j, "previous");
	if (!previous) {
		json_put_null(j);
		return;
	}
	json_begin_object(j);
	json_pair_text(j, "from", previous->from);
	json_pair_text(j, "to", previous->to);
	put_steps(a, answer, &previous->all, j);
	json_end_object(j);
}

static struct funnel_asked asked_of(const struct call *c)
{
	return (struct funnel_asked){.funnel_name = call_param(c, "funnel_name"),
	                             .steps = call_param(c, "steps"),
	                             .start_date = call_param(c, "start_date"),
	                             .end_date = call_param(c, "end_date"),
	                             .order = call_param(c, "order"),
	                             .window_s = call_param(c, "window_s"),
	                             .unit = call_param(c, "unit"),
	                             .breakdown = call_param(c, "breakdown"),
	                             .compare = call_param(c, "compare"),
	                             .as_of = call_param(c, "as_of")};
}

enum err funnel_json(struct call *c, struct buf *out, struct errbuf *eb)
{
	struct funnel_answer answer;
	struct funnel_asked asked = asked_of(c);
	struct json j;
	enum err rc = funnel_answer_make(c, &asked, &answer, eb);
	if (rc != ERR_OK)
		return rc;
	json_init(&j, out);
	json_begin_object(&j);
	put_question(&answer, &j);
	put_first_steps(c->req->arena, &answer, &j);
	put_groups(c->req->arena, &answer, &j);
	put_previous(c->req->arena, &answer, &j);
	json_end_object(&j);
	json_end(&j);
	return ERR_OK;
}

/* ---- people ------------------------------------------------------------------------------ */

static void put_person(const struct funnel_person *p, struct json *j)
{
	json_begin_object(j);
	json_pair_text(j, "kind", p->kind);
	json_pair_text(j, "id", p->id);
	json_pair_int(j, "reached", p->reached);
	json_pair_bool(j, "open", p->is_open);
	json_pair_text(j, "began_at", p->began_at);
	json_pair_text(j, "reached_at", p->reached_at);
	json_pair_text(j, "group", p->group);
	json_end_object(j);
}

static void reply_people(struct call *c, const struct funnel_people *people)
{
	struct json j;
	reply_begin(c->reply, 200, "application/json");
	reply_header_set(c->reply, "Cache-Control", "private, no-store");
	json_init(&j, &c->reply->body);
	json_begin_object(&j);
	put_question(&people->question, &j);
	json_pair_int(&j, "step", people->step);
	json_pair_text(&j, "state", people->state);
	json_key(&j, "people");
	json_begin_array(&j);
	for (int i = 0; i < people->n; i++)
		put_person(&people->list[i], &j);
	json_end_array(&j);
	json_pair_text(&j, "next", people->next);
	json_end_object(&j);
	json_end(&j);
}

void funnel_people_handle(struct call *c)
{
	struct errbuf eb = {0};
	struct funnel_people people;
	struct funnel_asked asked = asked_of(c);
	int64_t step = 0, rows = 0;
	must(num_parse_int(call_param(c, "step"), 1, FUNNEL_STEPS, &step));
	must(num_parse_int(call_param(c, "limit"), 1, FUNNEL_PEOPLE, &rows));
	if (funnel_people_make(c, &asked, (int)step, call_param(c, "state"), call_param(c, "cursor"),
	                       (int)rows, &people, &eb) == ERR_OK)
		reply_people(c, &people);
	else
		call_refuse(c, 0, NULL, &eb);
}
