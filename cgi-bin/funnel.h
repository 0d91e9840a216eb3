/* funnel.h: how far people come through the steps of a funnel (docs/BEHAVIOUR.md, "Funnels"): the
 * question as it is asked, its answer as figures, funnels that are kept, and who is behind a
 * figure. JSON and pages take the same functions. */
#ifndef TAKINGS_CGI_FUNNEL_H
#define TAKINGS_CGI_FUNNEL_H

#include "behaviour/funnel_sums.h"
#include "cgi-bin/call.h"

enum {
	FUNNELS = 100, /* kept ones, without checkout */
	FUNNEL_NAME_BYTES = 64,
	FUNNEL_PEOPLE = 100 /* on a page */
};

/* Texts as in the query of GET /funnel/analysis; NULL: what the funnel says, or the fallback. */
struct funnel_asked {
	const char *funnel_name;           /* NULL and no steps: checkout */
	const char *steps;                 /* JSON, a list, in the place of a kept funnel's */
	const char *start_date, *end_date; /* a date or an instant; the last 30 days with today */
	const char *order, *window_s, *unit;
	const char *breakdown; /* name of a dimension; NULL: none */
	const char *compare;   /* "previous"; else none */
	const char *as_of;     /* an instant, now if later; NULL: now */
};

struct funnel_named_step {
	const char *name;       /* for people: what was given, or the event's type */
	const char *event_type; /* as it stands in activity_event */
	const char *filters;    /* JSON: dimension to a list of values; "{}" */
};

/* A range, and what people did who began in it. */
struct funnel_range {
	int64_t from_us, to_us;    /* microseconds since 1970, the second not included */
	const char *from, *to;     /* the same as ISO 8601 */
	struct funnel_figures all; /* figures of each step */
};

struct funnel_group {
	const char *value; /* of the dimension; "(not set)", "(other)", "(other groups)" */
	struct funnel_figures figures;
};

/* All of it in the call's arena. Figures are numbers; funnel_rate_text and funnel_seconds_text make
 * texts of those that are fractions. */
struct funnel_answer {
	const char *funnel_name; /* NULL: steps were given */
	enum funnel_order order;
	bool by_session;
	int64_t window_s;
	int steps_n;
	struct funnel_named_step steps[FUNNEL_STEPS];
	const char *as_of; /* ISO 8601; later events do not count */
	int64_t as_of_us;
	const char *known_from; /* ISO 8601: what is before it is not known, and the range begins
	                         * before; NULL: all of it is known */
	const char *tz;
	int cutoff;           /* hour at which business days begin */
	const char *currency; /* of value_minor */
	int exponent;         /* its decimals */
	struct funnel_range range;
	const struct funnel_range *previous; /* NULL: not asked for */
	const char *breakdown;               /* NULL: not asked for */
	int groups_n; /* with a breakdown, the one with the most beginners first */
	const struct funnel_group *groups;
};

const char *funnel_order_name(enum funnel_order order); /* "sequential" */

/* "12.3" of per mille; NULL where it is FUNNEL_NONE. */
const char *funnel_rate_text(struct arena *a, int permille);

/* "61.250" of milliseconds; NULL where it is FUNNEL_NONE. */
const char *funnel_seconds_text(struct arena *a, int64_t ms);

/* "61.25" of minor units; NULL where they are more than fits. */
const char *funnel_money_text(struct arena *a, int64_t minor, int exponent);

/* ERR_INVALID names what is wrong with the question by its name in the query; ERR_NOT_FOUND: no
 * funnel of that name, or nothing is known of activity; ERR_BUSY, ERR_TIMEOUT: later again. */
MUST_CHECK enum err funnel_answer_make(struct call *c, const struct funnel_asked *asked,
                                       struct funnel_answer *out, struct errbuf *eb);

/* ---- kept ones ---------------------------------------------------------------------- */

struct funnel_kept {
	const char *name;
	enum funnel_order order;
	bool by_session;
	int64_t window_s;
	int steps_n;
	struct funnel_named_step steps[FUNNEL_STEPS];
	const char *definition;              /* JSON, as PUT /funnels/{funnel_name} takes it */
	bool built_in;                       /* never written, and cannot be deleted: checkout */
	const char *written_by, *written_at; /* NULL of one nobody ever wrote */
};

/* Those there are, by name, in the call's arena; `name` NULL: all. ERR_NOT_FOUND: none of it. */
MUST_CHECK enum err funnel_list(struct call *c, const char *name, const struct funnel_kept **out,
                                int *n, struct errbuf *eb);

/* Keeps `definition` (JSON) under a name, or deletes it, with the line in audit_log, in the
 * caller's transaction. ERR_INVALID names what is wrong by its place ("steps[1].event_type"), or
 * that there are FUNNELS of them; *made: there was none of that name. */
MUST_CHECK enum err funnel_write(struct call *c, struct db *db, const char *name,
                                 const char *definition, size_t definition_n, bool *made,
                                 struct errbuf *eb);
MUST_CHECK enum err funnel_delete(struct call *c, struct db *db, const char *name,
                                  struct errbuf *eb);

/* ---- who ------------------------------------------------------------------------------ */

struct funnel_person {
	int64_t person_id;
	const char *kind; /* "user", "anonymous" or "session"; NULL of somebody who was erased */
	const char *id;   /* the one the person goes by; NULL likewise */
	int reached;      /* steps */
	bool is_open;
	const char *began_at, *reached_at; /* ISO 8601: first and last event of the best attempt */
	const char *group;                 /* with a breakdown; else NULL */
};

struct funnel_people {
	struct funnel_answer question; /* without figures */
	int step;                      /* from 1 */
	const char *state;             /* "reached", "dropped" or "open" */
	int n;
	const struct funnel_person *list;
	const char *next; /* cursor of the next page; NULL: that is all */
};

/* At most `rows` (1 to FUNNEL_PEOPLE) of those behind a figure; `cursor` NULL: from the first. It
 * leaves a line in audit_log. Sessions are told one by one. */
MUST_CHECK enum err funnel_people_make(struct call *c, const struct funnel_asked *asked, int step,
                                       const char *state, const char *cursor, int rows,
                                       struct funnel_people *out, struct errbuf *eb);

/* ---- handlers ----------------------------------------------------------------------------- */

/* GET /funnel/analysis: the `make` of its route. */
MUST_CHECK enum err funnel_json(struct call *c, struct buf *out, struct errbuf *eb);

void funnel_people_handle(struct call *c); /* GET /funnel/people */
void funnel_put_handle(struct call *c);    /* PUT /funnels/{funnel_name}, before its parts */
void funnel_delete_handle(struct call *c); /* DELETE /funnels/{funnel_name} */

#endif
