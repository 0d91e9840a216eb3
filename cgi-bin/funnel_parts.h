/* funnel_parts.h: what the files about funnels share among themselves (cgi-bin/funnel.h is for
 * others). */
#ifndef TAKINGS_CGI_FUNNEL_PARTS_H
#define TAKINGS_CGI_FUNNEL_PARTS_H

#include "base/jnode.h"
#include "cgi-bin/funnel.h"
#include "cgi-bin/scan.h"
#include "web/json.h"

/* ---- definitions (funnel_define.c) --------------------------------------------------- */

struct funnel_condition {
	const char *dimension;
	int n;
	const char **values; /* one of them; "(not set)", "(other)" too */
};

struct funnel_defined_step {
	const char *event_type, *name;
	int filters_n; /* at most SEQUENCE_DIMS_ASKED */
	struct funnel_condition *filters;
};

struct funnel_definition {
	enum funnel_order order;
	bool by_session;
	int64_t window_s;
	int steps_n;
	struct funnel_defined_step steps[FUNNEL_STEPS];
};

/* {"steps": [...], "order", "window_s", "unit"}, or the steps alone. ERR_INVALID names what is
 * wrong by its place; which dimensions there are is not looked at. Texts are borrowed. */
MUST_CHECK enum err funnel_definition_read(struct arena *a, const struct jnode *v,
                                           struct funnel_definition *out, struct errbuf *eb);
MUST_CHECK enum err funnel_steps_read(struct arena *a, const struct jnode *list,
                                      struct funnel_definition *out, struct errbuf *eb);

/* What stands in the query in the place of it; NULL: nothing does. */
MUST_CHECK enum err funnel_order_read(const char *text, struct funnel_definition *out,
                                      struct errbuf *eb);
MUST_CHECK enum err funnel_unit_read(const char *text, struct funnel_definition *out,
                                     struct errbuf *eb);
MUST_CHECK enum err funnel_window_read(const char *text, struct funnel_definition *out,
                                       struct errbuf *eb);

/* The steps alone, with nothing left out, and all of it. */
void funnel_filters_put(const struct funnel_defined_step *s, struct json *j);
const char *funnel_definition_text(struct arena *a, const struct funnel_definition *d);
struct funnel_named_step funnel_step_named(struct arena *a, const struct funnel_defined_step *s);

/* ---- questions (funnel_ask.c) ------------------------------------------------------- */

/* A question on its way: what it means, and the funnels to walk. */
struct funnel_question {
	struct call *c;
	struct funnel_definition definition;
	int64_t asked_as_of_us; /* INT64_MAX: now */
	int dims[SEQUENCE_DIMS_ASKED];
	const char *dim_names[SEQUENCE_DIMS_ASKED];
	int dims_n;
	struct funnel funnels[2]; /* of the range, and of the one before where that is asked for */
	int funnels_n;
	int exponent;
	struct scan_open open; /* whoever began ends it: funnel_question_end */
	struct scan scan;
};

/* Reads the question and opens the scan: `out` has all but the figures. funnel_question_end
 * follows, whatever comes back. */
MUST_CHECK enum err funnel_question_begin(struct call *c, const struct funnel_asked *asked,
                                          struct funnel_question *q, struct funnel_answer *out,
                                          struct errbuf *eb);
void funnel_question_end(struct funnel_question *q);

/* Values of codes of the breakdown: texts[i] of codes[i]. */
MUST_CHECK enum err funnel_labels(struct funnel_question *q, const uint16_t *codes, int n,
                                  const char **texts, struct errbuf *eb);

/* Microseconds since 1970 as ISO 8601. */
const char *funnel_time_text(struct arena *a, int64_t us);

#endif
