/* bookings_pages.h: the rows of routes.c that are pages of bookings. They stand apart because they
 * are many; the macros of parameters are those of routes.c. */
#ifndef TAKINGS_CGI_BOOKINGS_PAGES_H
#define TAKINGS_CGI_BOOKINGS_PAGES_H

/* clang-format off */
/* For whom the answers under /api/v1/analytics are. */
#define BOOKINGS_PAGE .method = "GET", .access = ACCESS_ADMIN, .opened_by = CONF_BOOKINGS_ROLE, .uncached = true
#define BOOKINGS_STATE {.statement = "bookings_state", .shape = PART_OBJECT, .key = "state"}

#define BOOKINGS_PAGES                                                                             \
	{BOOKINGS_PAGE, .path = "/admin/bookings", .page = "bookings.html", .handler = bookings_page_handle, \
	 .params = {P_PERIOD("28d"), P_DATE, P_FROM, P_TO, P_COMPARE, P_CURRENCY, P_BASIS, P_FIXED("location_id", NULL), P_STEP, P_FIXED("week_start", NULL), \
                P_SAVE("days|heat|lead")},                                                         \
	 .parts = {{.statement = "bookings_scope", .shape = PART_OBJECT, .key = "scope", .feeds = true}, \
               BOOKINGS_STATE,                                                                     \
               {.statement = "bookings_totals", .shape = PART_OBJECT, .key = "totals", .only = "has_days"}, \
               {.statement = "bookings_sparks", .shape = PART_OBJECT, .key = "sparks", .only = "has_range"}, \
               {.statement = "bookings_today", .shape = PART_OBJECT, .key = "today", .only = "has_bookings"}, \
               {.statement = "bookings_days", .shape = PART_ROWS, .key = "days", .only = "has_range", \
                .columns = "date to_date days_n new_bookings confirmed_bookings cancelled_bookings seats_sold booking_revenue base_date base_new_bookings"}, \
               {.statement = "bookings_heat", .shape = PART_ROWS, .key = "heat", .only = "has_days", \
                .columns = "hour mon tue wed thu fri sat sun"},                                    \
               {.statement = "bookings_lead", .shape = PART_ROWS, .key = "lead", .only = "has_bookings", \
                .columns = "lead new_bookings new_seats bookings_share"},                          \
               {.statement = "bookings_upcoming", .shape = PART_ROWS, .key = "upcoming", .only = "has_bookings"}, \
               {.statement = "bookings_alerts", .shape = PART_ROWS, .key = "alerts", .only = "has_bookings"}}, \
	 .doc = "What was booked"},                                                                    \
	{BOOKINGS_PAGE, .path = "/admin/events", .page = "events.html",                                \
	 .params = {{.name = "q", .type = PARAM_TEXT, .max = 100, .example = "concert", .meaning = "A part of the name, or the id, of an event"}, \
                {.name = "category", .type = PARAM_TEXT, .min = 1, .max = 1000, .meaning = "Events of one category"}, \
                {.name = "status", .type = PARAM_WORD, .words = "all|upcoming|past|sold_out|overbooked|published|draft|cancelled", \
                 .fallback = "all", .meaning = "Only such events"},                                \
                {.name = "sort", .type = PARAM_WORD, .fallback = "next",                           \
                 .words = "next|name|name_down|date|date_up|seats|seats_up|filled|filled_up|bookings|bookings_up|cancelled|cancelled_up|revenue|revenue_up", \
                 .meaning = "What comes first; next: those to come, soonest first"},               \
                P_CURRENCY, P_CURSOR, P_LIMIT("50", 10000), P_SAVE("events")},                     \
	 .parts = {{.statement = "bookings_here", .shape = PART_OBJECT, .key = "scope", .feeds = true}, \
               BOOKINGS_STATE,                                                                     \
               {.statement = "bookings_categories", .shape = PART_ROWS, .key = "categories", .only = "has_bookings"}, \
               {.statement = "bookings_events", .shape = PART_ROWS, .key = "events", .only = "has_bookings", \
                .columns = "event_id event_name category status starts_date starts_time total_capacity confirmed_seats capacity_utilization " \
                           "total_bookings confirmed_bookings cancelled_bookings cancellation_rate booking_revenue currency"}}, \
	 .doc = "Events that can be booked"},                                                          \
	{BOOKINGS_PAGE, .path = "/admin/events/{event_id}", .page = "event.html",                      \
	 .params = {{.name = "event_id", .type = PARAM_INT, .place = IN_PATH, .min = 1, .max = INT64_MAX, .required = true, .meaning = "An event"}, \
                P_SAVE("days")},                                                                   \
	 .parts = {{.statement = "bookings_event", .shape = PART_OBJECT, .key = "scope", .feeds = true, .missing = "there is no such event", .why = "bookings_no_event", \
                .columns = ""},                                                                    \
               BOOKINGS_STATE,                                                                     \
               {.statement = "bookings_event_days", .shape = PART_ROWS, .key = "days", .only = "has_bookings", \
                .columns = "date days_before new_bookings confirmed_bookings cancelled_bookings seats_sold seats_freed booking_revenue seats " \
                           "capacity capacity_utilization"},                                       \
               {.statement = "bookings_event_ranks", .shape = PART_OBJECT, .key = "ranks", .only = "has_bookings"}}, \
	 .doc = "One event: how it fills"},                                                            \
	{BOOKINGS_PAGE, .path = "/admin/leaderboards", .page = "leaderboards.html",                    \
	 .params = {P_CURRENCY, P_LIMIT("20", 200)},                                                   \
	 .parts = {{.statement = "bookings_here", .shape = PART_OBJECT, .key = "scope", .feeds = true}, \
               BOOKINGS_STATE,                                                                     \
               {.statement = "bookings_leaders", .shape = PART_ROWS, .key = "by_bookings", .only = "has_bookings"}, \
               {.statement = "bookings_leaders_revenue", .shape = PART_ROWS, .key = "by_revenue", .only = "has_bookings"}, \
               {.statement = "bookings_leaders_filled", .shape = PART_ROWS, .key = "by_filled", .only = "has_bookings"}}, \
	 .doc = "Events by bookings, revenue and how full they are"}
/* clang-format on */

#endif
