/* cohort_page.c: from the address of the page to the question of cohorts. */
#include <string.h>

#include "base/time_text.h"
#include "cgi-bin/admin.h"
#include "cgi-bin/behaviour_page.h"
#include "web/escape.h"

enum { ORDER_DAYS = 3650 };

static bool is(const struct call *c, const char *name, const char *word)
{
	const char *value = call_param(c, name);
	return value && strcmp(value, word) == 0;
}

/* The business day `n` days after. */
static const char *day_after(struct arena *m, const char *day, int n)
{
	char out[TIME_TEXT_BYTES];
	int64_t us;
	if (time_parse(day, &us) == TIME_NONE || !time_format_date(us / US_PER_DAY + n, out))
		return day;
	return arena_strdup(m, out);
}

/* Orders may be older than the first event: all days are all of theirs, too. */
static struct cohort_asked asked_of(struct call *c, const struct rowset *scope)
{
	struct arena *m = c->req->arena;
	bool all = is(c, "period", "all") && !call_param(c, "from") && !call_param(c, "date");
	const char *today = rowset_get(scope, 0, "today"), *from = rowset_get(scope, 0, "from_day");
	const char *to = rowset_get(scope, 0, "to_day");
	if (all && !is(c, "metric", "retention"))
		from = day_after(m, today, -ORDER_DAYS);
	return (struct cohort_asked){.start_date = from,
	                             .end_date = day_after(m, strcmp(to, today) > 0 ? today : to, 1),
	                             .cohort_type = call_param(c, "cohort_type"),
	                             .metric = call_param(c, "metric"),
	                             .mode =
	                                 is(c, "metric", "retention") ? call_param(c, "mode") : NULL,
	                             .periods = call_param(c, "periods"),
	                             .first_event = call_param(c, "first_event"),
	                             .return_event = call_param(c, "return_event")};
}

/* ---- choices ------------------------------------------------------------------------------- */

static struct tv *type_choices(struct arena *m, const struct rowset *types, const char *now)
{
	struct tv *list = tv_list(m);
	for (int i = 0; i < rowset_rows(types); i++) {
		struct tv *row = tv_object(m);
		struct buf url;
		const char *name = rowset_get(types, i, "event_type");
		buf_init(&url);
		escape_url(&url, name, strlen(name));
		tv_set_text(m, row, "name", name);
		tv_set_text(m, row, "url", buf_str(&url));
		tv_set_bool(m, row, "is_on", now && strcmp(name, now) == 0);
		tv_push(m, list, row);
		buf_fini(&url);
	}
	return list;
}

static void put_choices(struct call *c, struct tv *more, const struct rowset *types)
{
	static const char *const units[][2] = {{"acquisition_day", "Days"},
	                                       {"acquisition_week", "Weeks"},
	                                       {"acquisition_month", "Months"},
	                                       {0}};
	static const char *const metrics[][2] = {{"retention", "Who comes back"},
	                                         {"revenue", "Revenue"},
	                                         {"orders", "Orders"},
	                                         {"ltv", "Lifetime value"},
	                                         {0}};
	static const char *const modes[][2] = {{"on", "Back in that period"},
	                                       {"on_or_after", "Back then or later"},
	                                       {"rolling24h", "Back so many 24 hours on"},
	                                       {0}};
	static const char *const shows[][2] = {{"share", "Shares"}, {"people", "People"}, {0}};
	struct arena *m = c->req->arena;
	tv_set(m, more, "cohort_types", behaviour_choices(m, units, call_param(c, "cohort_type")));
	tv_set(m, more, "metrics", behaviour_choices(m, metrics, call_param(c, "metric")));
	tv_set(m, more, "modes", behaviour_choices(m, modes, call_param(c, "mode")));
	tv_set(m, more, "shows", behaviour_choices(m, shows, call_param(c, "show")));
	tv_set(m, more, "first_types", type_choices(m, types, call_param(c, "first_event")));
	tv_set(m, more, "return_types", type_choices(m, types, call_param(c, "return_event")));
	tv_set_text(m, more, "first_event", call_param(c, "first_event"));
	tv_set_text(m, more, "return_event", call_param(c, "return_event"));
	tv_set_bool(m, more, "is_retention", is(c, "metric", "retention"));
	tv_set_bool(m, more, "is_by_month", is(c, "cohort_type", "acquisition_month"));
	tv_set_bool(m, more, "days_given", call_param(c, "from") || call_param(c, "date"));
}

/* ---- the page -------------------------------------------------------------------------------- */

static const char *sentence(struct arena *m, const char *text)
{
	char *out = arena_printf(m, "%s.", text);
	if (*out >= 'a' && *out <= 'z')
		*out = (char)(*out - 'a' + 'A');
	return out;
}

static void answer(struct call *c, const struct rowset *scope, struct tv *more)
{
	struct errbuf eb = {0};
	struct cohort_table t;
	struct cohort_asked asked = asked_of(c, scope);
	enum err rc = cohort_ask(c, &asked, &t, &eb);
	if (rc == ERR_NOT_FOUND && !is(c, "format", "csv"))
		tv_set_text(c->req->arena, more, "none_yet", sentence(c->req->arena, eb.text));
	else if (rc != ERR_OK)
		behaviour_refuse(c, &eb);
	if (rc != ERR_OK)
		return;
	if (is(c, "format", "csv"))
		cohorts_csv(&t, behaviour_csv(c, "cohorts", scope));
	else
		cohorts_show(c, more, &t, rowset_get(scope, 0, "today"));
}

void cohorts_page_handle(struct call *c)
{
	static const char *const absent[] = {"heads", "lines", "points", "tiles", "none_yet"};
	struct rowset scope = {0}, types = {0};
	struct arena *m = c->req->arena;
	struct tv *more = admin_page(c);
	for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
		tv_set(m, more, absent[i], NULL);
	tv_set_text(m, more, "origin", admin_origin(c));
	tv_set_bool(m, more, "is_answered", false);
	if (behaviour_scope(c, &scope, &types, "behaviour_types")) {
		bool known = *rowset_get(&scope, 0, "has_activity") == 't';
		put_choices(c, more, &types);
		tv_set_bool(m, more, "is_unknown", is(c, "metric", "retention") && !known);
		if (known || !is(c, "metric", "retention"))
			answer(c, &scope, more);
	}
	rowset_fini(&scope);
	rowset_fini(&types);
}
