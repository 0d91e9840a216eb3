/* path.h: what sessions do one after another (docs/BEHAVIOUR.md, "Paths"): the question as it is
 * asked and its answer in words. JSON and the page take the same function. */
#ifndef TAKINGS_CGI_PATH_H
#define TAKINGS_CGI_PATH_H

#include "base/buf.h"
#include "behaviour/paths.h"
#include "cgi-bin/call.h"

enum { PATH_LABEL_BYTES = 207 }; /* a value of a dimension and " (page)" */

/* Texts as in the query of GET /path/analysis. */
struct path_asked {
	const char *start_date, *end_date; /* a date or an instant; NULL: the last 30 days with today */
	const char *by;                    /* "event", "type", "page" */
	bool collapse;
	const char *start, *end; /* labels; NULL: not asked for */
	int depth, top;
	const char *as_of; /* an instant; NULL: now */
};

enum path_kind { PATH_PAGE, PATH_TYPE, PATH_REST, PATH_DROP };

struct path_node {
	enum path_kind kind;
	const char *label;
	int64_t sessions;
	int permille; /* of all sessions of the answer */
};

/* Nodes with sessions: labels first, those with the most first, then the rest, then drop-off. */
struct path_step {
	int64_t sessions; /* with a label at it */
	int nodes_n;
	struct path_node nodes[PATHS_NODES];
	int64_t links[PATHS_NODES][PATHS_NODES]; /* to nodes[] of the next step */
};

struct path_list {
	int n;
	const char *labels[PATHS_DEPTH];
	int64_t sessions;
	int permille;
};

/* All of it in the call's arena. */
struct path_answer {
	const struct path_asked *asked;
	const char *from, *to, *as_of; /* ISO 8601 */
	const char *known_from;        /* what is before it is not known; NULL: all of it is */
	const char *tz;
	int64_t sessions;
	int steps_n;
	struct path_step *steps;
	int paths_n;
	struct path_list paths[PATHS_FREQUENT];
	int64_t uncounted; /* as of struct paths_answer */
};

const char *path_kind_name(enum path_kind kind); /* "page" */

/* "12.3" of per mille. */
const char *path_percent(struct arena *a, int permille);

/* ERR_INVALID names what is wrong by its name in the query; ERR_NOT_FOUND: nothing is known of
 * activity; else the errors of scan.h. `asked` is borrowed by the answer. */
MUST_CHECK enum err path_ask(struct call *c, const struct path_asked *asked,
                             struct path_answer *out, struct errbuf *eb);

/* GET /path/analysis. */
MUST_CHECK enum err path_make(struct call *c, struct buf *out, struct errbuf *eb);

/* GET /admin/paths; before its parts. */
void path_page_handle(struct call *c);

#endif
