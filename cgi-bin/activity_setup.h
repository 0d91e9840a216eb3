/* activity_setup.h: what the site says about tracked events, as read from the database a second ago
 * at most: its dimensions, and the schemas of its types. */
#ifndef TAKINGS_CGI_ACTIVITY_SETUP_H
#define TAKINGS_CGI_ACTIVITY_SETUP_H

#include "cgi-bin/call.h"
#include "domain/activity_event.h"
#include "domain/activity_schema.h"

struct activity_setup {
	struct activity_rules rules;
	const struct activity_setup_type *types; /* those with a schema, by name */
	int types_n;
	/* for activity_setup.c alone */
	struct arena arena;
	const struct conf *conf;
	int64_t read_ms;
	int users;
};

struct activity_setup_type {
	const char *name;
	const struct activity_schema *schema;
	bool enforce;
};

struct activity_setups;
struct activity_setups *activity_setups_new(void);
void activity_setups_free(struct activity_setups *all);

/* For activity_setup_release. Errors of call_ask. */
MUST_CHECK enum err activity_setup_get(struct call *c, struct activity_setup **out,
                                       struct errbuf *eb);
void activity_setup_release(struct call *c, struct activity_setup *setup);

/* NULL: it has no schema. */
const struct activity_setup_type *activity_setup_find(const struct activity_setup *setup,
                                                      const char *type);

#endif
