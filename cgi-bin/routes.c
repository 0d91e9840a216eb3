/* routes.c: THE route table. */
#include "cgi-bin/routes.h"

#include "cgi-bin/activity_page.h"
#include "cgi-bin/admin.h"
#include "cgi-bin/behaviour_page.h"
#include "cgi-bin/bookings.h"
#include "cgi-bin/cohort.h"
#include "cgi-bin/explorer.h"
#include "cgi-bin/funnel.h"
#include "cgi-bin/ingest.h"
#include "cgi-bin/journey.h"
#include "cgi-bin/live.h"
#include "cgi-bin/live_metrics.h"
#include "cgi-bin/login.h"
#include "cgi-bin/ml.h"
#include "cgi-bin/path.h"
#include "cgi-bin/track.h"
#include "web/token.h"

/* Tables are laid out by hand: a row reads as one thing. */
/* clang-format off */

#define P_DATE {.name = "date", .type = PARAM_DATE, .meaning = "One business day; the last computed one if absent. Not together with from and to"}
#define P_FROM {.name = "from", .type = PARAM_DATE, .meaning = "First business day of a range; needs to"}
#define P_TO {.name = "to", .type = PARAM_DATE, .meaning = "Last business day of a range, included; needs from"}
#define P_LOCATION                                                                                 \
	{.name = "location_id", .type = PARAM_INT, .min = 0, .max = 2147483647, .example = "0", .meaning = "One location; all if absent"}
#define P_CURRENCY {.name = "currency", .type = PARAM_CURRENCY, .example = "EUR", .meaning = "ISO 4217 code; the site's if absent"}
#define P_BASIS                                                                                    \
	{.name = "basis", .type = PARAM_WORD, .words = "order_date|transaction_date", .fallback = "order_date", \
	 .example = "order_date", .meaning = "Whether refunds and cancellations count on the order's day or on their own"}
#define READ_API .access = ACCESS_VIEWER, .scopes = SCOPE_READ, .tag = "Analytics"
#define P_USERNAME {.name = "username", .type = PARAM_TEXT, .place = IN_BODY, .min = 1, .max = 64, .required = true, \
	                .example = "owner", .meaning = "Name of the user; case does not matter"}
#define P_PASSWORD {.name = "password", .type = PARAM_SECRET, .place = IN_BODY, .min = 1, .max = 256, .required = true, \
	                .example = "correct horse battery staple", .meaning = "Password of the user"}
#define P_CSRF {.name = "csrf", .type = PARAM_SECRET, .place = IN_BODY, .max = 200, .required = true, \
	            .meaning = "The token of the form"}
#define P_NEXT(where) {.name = "next", .type = PARAM_TEXT, .place = where, .max = 500, .meaning = "Page to go on to"}
#define P_PERIOD(newest)                                                                           \
	{.name = "period", .type = PARAM_WORD, .words = "newest|today|yesterday|week|7d|28d|91d|month|last_month|year|all", \
	 .fallback = (newest), .meaning = "The days, where neither date nor from and to say them"}
#define P_COMPARE                                                                                  \
	{.name = "compare", .type = PARAM_WORD, .words = "previous|weekdays|year|none", .fallback = "previous", \
	 .meaning = "Which days these are compared with"}
/* Their limits: check_step in params.c. */
#define STEP_IS(what) "What one " what " is: a day in ranges of 10 years at most, a week in 70"
#define P_STEP                                                                                     \
	{.name = "step", .type = PARAM_WORD, .words = "day|week|month", .meaning = STEP_IS("point of a chart") "; fits the days if absent"}
/* What every page of figures takes: 8 parameters. */
#define P_PAGE(newest) P_PERIOD(newest), P_DATE, P_FROM, P_TO, P_COMPARE, P_LOCATION, P_CURRENCY, P_BASIS
/* CSV holds the rows of the one part that has any number of them; of a page, those of `table`. */
#define P_FORMAT {.name = "format", .type = PARAM_WORD, .words = "json|csv", .fallback = "json", .example = "json", .meaning = "json, or csv for a spreadsheet"}
#define P_SAVE(tables)                                                                             \
	{.name = "format", .type = PARAM_WORD, .words = "html|csv", .fallback = "html", .meaning = "csv saves a table of the page"}, \
	{.name = "table", .type = PARAM_WORD, .words = (tables), .meaning = "Which table is saved"}
#define P_BY {.name = "by", .type = PARAM_WORD, .words = "orders|revenue", .fallback = "orders", .meaning = "What the hours show"}
#define P_CURSOR {.name = "cursor", .type = PARAM_INT, .min = 0, .max = 1000000, .fallback = "0", .meaning = "The rank after which to go on"}
#define P_LIMIT(n, most) {.name = "limit", .type = PARAM_INT, .min = 1, .max = (most), .fallback = (n), .meaning = "Rows at most"}
#define P_Q {.name = "q", .type = PARAM_TEXT, .max = 100, .example = "cake", .meaning = "A part of the name, or the id, of an item"}
#define P_SORT                                                                                     \
	{.name = "sort", .type = PARAM_WORD, .fallback = "revenue",                                    \
	 .words = "revenue|revenue_up|quantity|quantity_up|orders|orders_up|change|change_up|name|name_down", \
	 .meaning = "What comes first; without _up and _down the most, or A"}
#define P_ITEM {.name = "item_id", .type = PARAM_TEXT, .place = IN_PATH, .min = 1, .max = 200, .required = true, .example = "401", \
	            .meaning = "Id of the item in order_db"}
#define P_NO_BASE P_FIXED("base_from", NULL), P_FIXED("base_to", NULL)
#define P_FIXED(n, v) {.name = (n), .fallback = (v), .fixed = true}

#define DAYS_COLUMNS                                                                               \
	"date to_date days_n revenue orders avg_order_value items_sold base_date base_revenue base_orders base_avg_order_value base_items_sold"
#define WEEKDAY_COLUMNS "weekday_n weekday days_n orders placed_orders orders_a_day revenue revenue_a_day avg_order_value"
#define HOUR_COLUMNS "hour orders placed revenue seconds orders_an_hour revenue_an_hour"
#define HEAT_COLUMNS "weekday_n hour days_n orders revenue seconds orders_an_hour revenue_an_hour"
#define P_DONE {.name = "done", .type = PARAM_TEXT, .max = 20, .meaning = "What was just done"}
#define P_NUMBER(n, m) {.name = (n), .type = PARAM_INT, .place = IN_PATH, .min = 1, .max = INT64_MAX, .meaning = (m)}
#define P_CONFIRM {.name = "confirm", .type = PARAM_TEXT, .place = IN_BODY, .max = 100, .required = true, \
	               .meaning = "The name again"}
#define P_ASKER P_FIXED("user_id", NULL), P_FIXED("session_id", NULL), P_FIXED("idle_minutes", NULL)
#define P_WORD(n, w, m) {.name = (n), .type = PARAM_WORD, .place = IN_BODY, .words = (w), .required = true, .meaning = (m)}
#define P_TYPED(n, lo, m) {.name = (n), .type = PARAM_SECRET, .place = IN_BODY, .min = (lo), .max = 1024, .required = true, \
	                       .meaning = (m)}

/* A page of administration, and its forms, which show it again where they are refused. */
#define ACCOUNT .access = ACCESS_VIEWER, .page = "account.html", .uncached = true, \
	.parts = {{.statement = "account_me", .shape = PART_OBJECT, .key = "me"}, \
	          {.statement = "account_sessions", .shape = PART_ROWS, .key = "sessions"}}
#define USERS .access = ACCESS_ADMIN, .page = "users.html", .uncached = true, \
	.parts = {{.statement = "admin_users", .shape = PART_ROWS, .key = "users"}, \
	          {.statement = "admin_keys", .shape = PART_ROWS, .key = "keys"}}
#define P_MESSAGE P_NUMBER("message_id", "Number of the message")
#define P_OF_REASON P_CSRF, \
	{.name = "field", .type = PARAM_TEXT, .place = IN_BODY, .max = 100, .required = true, .meaning = "What the reason is about"}, \
	{.name = "error", .type = PARAM_TEXT, .place = IN_BODY, .max = 2000, .required = true, .meaning = "The reason"}, \
	{.name = "until", .type = PARAM_INT, .place = IN_BODY, .min = 1, .max = INT64_MAX, .required = true, .meaning = "The newest message that is meant"}
#define P_INBOX_ALL P_FIXED("state", ""), P_FIXED("type", ""), P_FIXED("event", NULL), P_FIXED("source", ""), \
	P_FIXED("before", NULL), P_FIXED("page_rows", "50")
#define INBOX .access = ACCESS_ADMIN, .page = "inbox.html", .uncached = true, \
	.parts = {{.statement = "inbox_scope", .shape = PART_OBJECT, .key = "filter"}, \
	          {.statement = "inbox_reasons", .shape = PART_ROWS, .key = "reasons"}, \
	          {.statement = "inbox_page", .shape = PART_ROWS, .key = "rows"}}
#define MESSAGE .access = ACCESS_ADMIN, .page = "inbox_message.html", .uncached = true, \
	.parts = {{.statement = "inbox_message", .shape = PART_OBJECT, .key = "message"}, \
	          {.statement = "inbox_timeline", .shape = PART_ROWS, .key = "timeline"}}
#define ADMIN_FORM(p, h) .method = "POST", .path = (p), .body = BODY_FORM, .handler = (h)

#define SUMMARY_COLUMNS                                                                            \
	"date total_revenue total_orders avg_order_value peak_hour vs_previous_day vs_previous_day_status " \
	"vs_same_weekday vs_same_weekday_status placed_orders counted_orders gross refunds item_sales items_sold " \
	"by_order_date previous_day same_weekday"
#define SCOPE {.statement = "page_scope", .shape = PART_OBJECT, .key = "scope", .feeds = true}
#define KNOWN {.statement = "page_known", .shape = PART_OBJECT, .key = "known", .missing = "no figures for these days"}
#define ENVELOPE_COLUMNS "as_of range tz cutoff currency basis"
#define ENVELOPE {.statement = "report_envelope", .shape = PART_FIELDS, .columns = ENVELOPE_COLUMNS, \
	              .missing = "the batch has not run yet: takings-batch run"}

/* The same where it comes first and the statements after it take their days from it. */
#define ENVELOPE_FIRST {.statement = "report_envelope", .shape = PART_FIELDS, .columns = ENVELOPE_COLUMNS, .feeds = true, \
	                    .missing = "the batch has not run yet: takings-batch run"}
#define DAYS(...) {.statement = "page_days", .shape = PART_ROWS, .key = "days", .columns = DAYS_COLUMNS, __VA_ARGS__}
#define BY_HOUR(...) {.statement = "report_by_hour", .shape = PART_ROWS, .key = "by_hour", .columns = HOUR_COLUMNS, __VA_ARGS__}
#define BY_WEEKDAY {.statement = "report_by_weekday", .shape = PART_ROWS, .key = "by_weekday", .only = "is_range", .columns = WEEKDAY_COLUMNS}
#define UNUSUAL {.statement = "page_unusual", .shape = PART_ROWS, .key = "unusual", .only = "by_day"}
#define P_METRIC(w, f) {.name = "metric", .type = PARAM_WORD, .words = (w), .fallback = (f), .meaning = "Which figure"}
#define ITEMS {.statement = "report_items", .shape = PART_ROWS, .key = "items", .columns = "item_id name quantity revenue orders share"}

#define READ_LIVE .access = ACCESS_VIEWER, .scopes = SCOPE_READ, .tag = "Live", .feature = CONF_ENABLE_REALTIME_ANALYTICS
#define P_TZ {.name = "tz", .type = PARAM_TEXT, .min = 1, .max = 64, .meaning = "The site's zone, which all figures are in; another one is refused"}
#define P_LIVE(n, whole) P_FIXED("days", (n)), P_FIXED("hours", (whole)), P_FIXED("products", NULL)
#define P_FROM_TODAY(else_) {.name = "from", .type = PARAM_DATE, .meaning = "First business day; needs to. " else_ " if absent"}
#define LIVE_ENVELOPE {.statement = "live_envelope", .shape = PART_FIELDS, .columns = "as_of range tz currency basis", .feeds = true, \
	                   .missing = "the batch has not run yet: takings-batch run", .why = "live_missing"}
#define TODAY_COLUMNS                                                                              \
	"date partial elapsed_s total_revenue total_orders avg_order_value placed_orders counted_orders items_sold vs_previous_day " \
	"vs_previous_day_status previous_day_revenue vs_same_weekday vs_same_weekday_status same_weekday_revenue source seen_at late"
#define TODAY {.statement = "live_today", .shape = PART_OBJECT, .key = "today", .columns = TODAY_COLUMNS}
#define PRODUCTS_COLUMNS "product_id name quantity revenue orders"

#define BANDS(m) m " " m "_lo80 " m "_hi80 " m "_lo95 " m "_hi95"
#define P_SHOWN(m, fb, what) {.name = "metric", .type = PARAM_WORD, .words = (m), .fallback = (fb), .example = "orders", .meaning = (what)}
#define P_BODY(n, t, ...) {.name = (n), .type = (t), .place = IN_BODY, __VA_ARGS__}

static const struct route routes[] = {
	{.method = "GET", .path = "/", .handler = home_handle, .doc = "The pages"},
	{.method = "POST", .path = "/auth/token", .body = BODY_JSON, .handler = auth_token_handle, .tag = "Access",
	 .params = {P_USERNAME, P_PASSWORD}, .answer = "Token", .also = "401 429 503", .doc = "A bearer token for a user's name and password"},
	{.method = "GET", .path = "/admin/login", .page = "login.html", .handler = login_page_handle,
	 .params = {P_NEXT(IN_QUERY)}, .doc = "The form to log in with"},
	{.method = "POST", .path = "/admin/login", .page = "login.html", .body = BODY_FORM, .handler = login_handle,
	 .params = {P_USERNAME, P_PASSWORD, P_CSRF, P_NEXT(IN_BODY)}, .doc = "Log in"},
	{.method = "POST", .path = "/admin/logout", .page = "login.html", .access = ACCESS_VIEWER, .body = BODY_FORM,
	 .handler = logout_handle, .params = {P_CSRF}, .doc = "Log out"},
	{.method = "GET", .path = "/health", .handler = health_handle, .tag = "Service", .answer = "Health", .also = "503=",
	 .doc = "Whether everything works, and what does not"},
	{.method = "GET", .path = "/health/live", .handler = health_live_handle, .tag = "Service", .answer = "Alive", .doc = "Whether the program answers"},
	{.method = "GET",
	 .path = "/health/ready",
	 .handler = health_ready_handle,
	 .tag = "Service",
	 .answer = "Alive",
	 .also = "503",
	 .doc = "Whether the program can answer from its database"},
	{.method = "GET",
	 .path = "/metrics",
	 .handler = metrics_handle, /* who may ask: metrics_allowed */
	 .tag = "Service",
	 .answer = "text/plain",
	 .also = "401 403",
	 .scopes = SCOPE_READ,
	 .doc = "Counters and durations in the text format of Prometheus"},
	{.method = "GET", .path = "/info", .handler = info_handle, .tag = "Service", .answer = "Info",
	 .doc = "What runs here, and what it can do"},
	{.method = "GET", .path = "/openapi.json", .handler = openapi_handle, .tag = "Service", .answer = "application/json",
	 .doc = "This description of the API"},
	{.method = "GET", .path = "/docs", .handler = docs_handle, .page = "docs.html", .doc = "The API, to try out"},
	{.method = "GET", .path = "/redoc", .handler = docs_handle, .page = "redoc.html", .doc = "The API, to read"},

	{.method = "GET",
	 .path = "/metrics/orders",
	 READ_LIVE, .handler = live_range_handle,
	 .params = {P_FROM_TODAY("Today"), P_TO, P_TZ,
                {.name = "status", .type = PARAM_TEXT, .min = 1, .max = 100, .meaning = "Only orders that have this status now"},
                P_CURRENCY, P_LOCATION, P_LIVE("1", NULL)},
	 .parts = {LIVE_ENVELOPE,
               {.statement = "metrics_orders", .shape = PART_FIELDS, .missing = "no figures for these days",
                .columns = "total_orders total_revenue orders_by_status avg_order_value orders_per_hour counted_orders"}},
	 .doc = "Orders placed on business days, by status and by hour; of today where no days are asked for"},
	{.method = "GET",
	 .path = "/metrics/realtime",
	 READ_LIVE, .handler = live_realtime_handle,
	 .params = {P_CURRENCY, P_LOCATION,
                {.name = "limit", .type = PARAM_INT, .min = 1, .max = 100, .fallback = "10", .example = "5", .meaning = "How many of recent_orders at most"},
                P_FIXED("from", NULL), P_FIXED("to", NULL), P_FIXED("tz", NULL), P_FIXED("window", NULL), P_FIXED("personal", NULL),
                P_FIXED("active_s", "1800"), P_FIXED("by", "revenue"), P_FIXED("days", "1"), P_FIXED("hours", NULL), P_FIXED("products", "10")},
	 .parts = {LIVE_ENVELOPE,
               {.statement = "metrics_realtime", .shape = PART_FIELDS, .missing = "nobody tells of orders as they happen: takings-stream does not run",
                .columns = "current_orders_per_minute revenue_per_minute active_users active_users_basis cancelled_per_minute "
                           "cancelled_revenue_per_minute window_s seen_at late"},
               {.statement = "metrics_products", .shape = PART_ROWS, .key = "top_products", .columns = PRODUCTS_COLUMNS},
               {.statement = "metrics_recent", .shape = PART_ROWS, .key = "recent_orders",
                .columns = "order_id status total currency customer_id created_at"}},
	 .doc = "What happens now: rates of the last REALTIME_WINDOW_SECONDS, today's best products and the newest orders"},
	{.method = "GET",
	 .path = "/metrics/revenue/hourly",
	 READ_LIVE, .handler = live_range_handle,
	 .params = {P_FROM_TODAY("The last 24 hours"), P_TO, P_TZ, P_CURRENCY, P_LOCATION, P_LIVE("2", "t"), P_FORMAT},
	 .parts = {LIVE_ENVELOPE,
               {.statement = "metrics_known", .shape = PART_FIELDS, .missing = "no figures for these days", .columns = ""},
               {.statement = "metrics_hourly", .shape = PART_ROWS, .key = "hours", .columns = "hour revenue orders partial"}},
	 .doc = "Each real hour, oldest first; of the last 24 where no days are asked for"},
	{.method = "GET",
	 .path = "/metrics/products/top",
	 READ_LIVE,
	 .params = {P_FROM_TODAY("The last 30 days, with today"), P_TO, P_TZ, P_CURRENCY, P_LOCATION,
                {.name = "limit", .type = PARAM_INT, .min = 1, .max = 100, .fallback = "10", .example = "5", .meaning = "Products listed"},
                {.name = "by", .type = PARAM_WORD, .words = "revenue|quantity|orders", .fallback = "revenue",
                 .example = "quantity", .meaning = "What makes a product a top product"},
                P_LIVE("30", NULL), P_FORMAT},
	 .parts = {LIVE_ENVELOPE,
               {.statement = "metrics_known", .shape = PART_FIELDS, .missing = "no figures for these days", .columns = ""},
               {.statement = "metrics_products", .shape = PART_ROWS, .key = "products", .columns = PRODUCTS_COLUMNS}},
	 .doc = "The best products of business days"},
	{.method = "POST", .path = "/api/v1/ingest", .access = ACCESS_ADMIN, .scopes = SCOPE_INGEST | SCOPE_ADMIN, .body = BODY_MESSAGES,
	 .handler = ingest_handle, .tag = "Bookings", .answer = "Ingested", .status = 202, .also = "413 503",
	 .body_doc = "A message, a list of 1 to 1000, or an object with nothing but such a list as `messages`; 64 KiB each, 1 MiB in all. "
                 "docs/BOOKINGS.md says what they say. Sent again they count once. Where one of them is wrong none is stored, and `field` "
                 "names it: `messages[3].seats`",
	 .body_example = "{\"messages\":[{\"type\":\"event.created\",\"event_id\":17,\"occurred_at\":\"2026-11-01T09:00:00Z\","
                     "\"name\":\"Winter concert\",\"category\":\"music\",\"capacity\":120},{\"type\":\"booking.created\","
                     "\"booking_id\":\"B-1001\",\"event_id\":17,\"user_id\":\"u-7\",\"seats\":2,\"amount\":\"58.00\","
                     "\"currency\":\"EUR\",\"occurred_at\":\"2026-11-05T20:14:03Z\"}]}",
	 .doc = "Store messages about events, bookings and users"},
#include "cgi-bin/routes_activity.def"
	{.method = "GET",
	 .path = "/reconciliation",
	 READ_LIVE, .handler = live_personal_handle,
	 .params = {{.name = "date", .type = PARAM_DATE, .meaning = "One business day; the last 35 that were compared if absent"},
                P_LIMIT("1000", 10000), P_FIXED("days", "35"), P_FIXED("personal", NULL)},
	 .parts = {{.statement = "reconciliation_scope", .shape = PART_FIELDS, .columns = "as_of tz", .missing = "this day was not compared",
                .why = "reconciliation_missing"},
               {.statement = "reconciliation_days", .shape = PART_ROWS, .key = "days",
                .columns = "date status orders_batch orders_stream orders_differing revenue checked_at"},
               {.statement = "reconciliation_orders", .shape = PART_ROWS, .key = "orders", .columns = "order_id reason batch stream"}},
	 .doc = "Closed days as the batch and as the stream have them; of one day the orders that differ"},

#include "cgi-bin/routes_realtime.def"

#include "cgi-bin/routes_bookings.def"
#include "cgi-bin/routes_ask.def"
#include "cgi-bin/routes_path.def"
#include "cgi-bin/routes_journey.def"
#include "cgi-bin/routes_behaviour.def"
#include "cgi-bin/routes_cohort.def"

	{.method = "GET",
	 .path = "/api/admin/analytics/summary",
	 READ_API,
	 .params = {P_DATE, P_FROM, P_TO, P_LOCATION, P_CURRENCY, P_BASIS, P_FIXED("days", "1")},
	 .parts = {{.statement = "report_summary",
                .shape = PART_FIELDS,
                .missing = "no figures for these days",
                .columns = SUMMARY_COLUMNS},
               {.statement = "report_currencies", .shape = PART_ROWS, .key = "by_currency", .columns = "currency total_revenue total_orders"},
               TODAY, ENVELOPE},
	 .doc = "Revenue, orders and averages of a day or range, compared"},
	{.method = "GET",
	 .path = "/api/admin/analytics/top-items",
	 READ_API,
	 .params = {P_DATE, P_FROM, P_TO, P_LOCATION, P_CURRENCY,
                {.name = "limit", .type = PARAM_INT, .min = 1, .max = 100, .fallback = "10", .example = "5", .meaning = "Items listed"},
                {.name = "by", .type = PARAM_WORD, .words = "revenue|quantity|orders", .fallback = "revenue",
                 .example = "quantity", .meaning = "What makes an item a top item"},
                P_FIXED("basis", "order_date"), P_FIXED("days", "30"), P_FORMAT},
	 .parts = {{.statement = "report_items",
                .shape = PART_ROWS,
                .key = "items",
                .columns = "item_id name quantity revenue orders share"},
               {.statement = "report_items_rest",
                .shape = PART_FIELDS,
                .missing = "no figures for these days",
                .columns = "others item_sales unallocated total_revenue"},
               TODAY, ENVELOPE},
	 .doc = "Items with quantity and revenue, and what they do not explain"},
	{.method = "GET",
	 .path = "/api/admin/analytics/hourly",
	 READ_API,
	 .params = {P_DATE, P_LOCATION, P_CURRENCY, P_FIXED("from", NULL), P_FIXED("to", NULL), P_FIXED("days", "1"),
                P_FIXED("basis", "order_date"), P_FORMAT},
	 .parts = {{.statement = "report_hours", .shape = PART_ROWS, .key = "hours", .missing = "no figures for this day",
                .columns = "hour orders revenue seconds placed"},
               TODAY, ENVELOPE},
	 .doc = "Orders and revenue of the 24 hours of a day"},

	{.method = "GET",
	 .path = "/api/admin/analytics/daily",
	 READ_API,
	 .params = {P_DATE, P_FROM, P_TO, P_LOCATION, P_CURRENCY, P_BASIS, P_FIXED("days", "30"), P_FORMAT},
	 .parts = {{.statement = "report_daily", .shape = PART_ROWS, .key = "days", .missing = "no figures for these days",
                .columns = "date total_revenue total_orders avg_order_value placed_orders counted_orders gross refunds item_sales items_sold partial"},
               TODAY, ENVELOPE},
	 .doc = "Each business day of a range, by default of the last 30 computed ones"},

	{.method = "GET",
	 .path = "/api/admin/analytics/series",
	 READ_API,
	 .params = {P_DATE, P_FROM, P_TO, P_LOCATION, P_CURRENCY, P_BASIS, P_FIXED("days", "30"), P_NO_BASE,
                {.name = "step", .type = PARAM_WORD, .words = "day|week|month", .fallback = "day", .example = "week", .meaning = STEP_IS("row")}, P_FORMAT},
	 .parts = {ENVELOPE_FIRST,
               {.statement = "page_days", .shape = PART_ROWS, .key = "series", .missing = "no figures for these days",
                .columns = "date to_date days_n revenue orders avg_order_value items_sold"}},
	 .doc = "Days, weeks or months of a range, newest first; days that are not computed have no figures"},
	{.method = "GET",
	 .path = "/api/admin/analytics/bridge",
	 READ_API,
	 .params = {P_DATE, P_FROM, P_TO, P_LOCATION, P_CURRENCY, P_BASIS, P_FIXED("days", "30"), P_FORMAT},
	 .parts = {ENVELOPE_FIRST,
               {.statement = "report_bridge", .shape = PART_ROWS, .key = "bridge", .missing = "no figures for these days",
                .columns = "line amount is_total"}},
	 .doc = "From gross to net, line by line"},
	{.method = "GET",
	 .path = "/api/admin/analytics/locations",
	 READ_API,
	 .params = {P_DATE, P_FROM, P_TO, P_LOCATION, P_CURRENCY, P_BASIS, P_FIXED("days", "30"), P_FORMAT},
	 .parts = {ENVELOPE_FIRST,
               {.statement = "report_by_location", .shape = PART_ROWS, .key = "locations", .missing = "no figures for these days",
                .columns = "location_id revenue orders avg_order_value revenue_share"}},
	 .doc = "Revenue and orders of each location"},
	{.method = "GET",
	 .path = "/api/admin/analytics/statuses",
	 READ_API,
	 .params = {P_DATE, P_FROM, P_TO, P_LOCATION, P_CURRENCY, P_FIXED("basis", NULL), P_FIXED("days", "30"), P_NO_BASE, P_FORMAT},
	 .parts = {ENVELOPE_FIRST,
               {.statement = "report_computed", .shape = PART_FIELDS, .missing = "no figures for these days", .columns = "days_computed"},
               {.statement = "report_statuses", .shape = PART_ROWS, .key = "statuses", .columns = "status orders orders_share"}},
	 .doc = "Orders placed by their status"},
	{.method = "GET",
	 .path = "/api/admin/analytics/weekdays",
	 READ_API,
	 .params = {P_DATE, P_FROM, P_TO, P_LOCATION, P_CURRENCY, P_BASIS, P_FIXED("days", "30"), P_FORMAT},
	 .parts = {ENVELOPE_FIRST,
               {.statement = "report_computed", .shape = PART_FIELDS, .missing = "no figures for these days", .columns = "days_computed"},
               {.statement = "report_by_weekday", .shape = PART_ROWS, .key = "weekdays", .columns = WEEKDAY_COLUMNS}},
	 .doc = "Orders and revenue by weekday"},
	{.method = "GET",
	 .path = "/api/admin/analytics/heatmap",
	 READ_API,
	 .params = {P_DATE, P_FROM, P_TO, P_LOCATION, P_CURRENCY, P_FIXED("basis", NULL), P_FIXED("days", "30"), P_FORMAT},
	 .parts = {ENVELOPE_FIRST,
               {.statement = "report_heatmap", .shape = PART_ROWS, .key = "heatmap", .missing = "no figures for these days",
                .columns = HEAT_COLUMNS}},
	 .doc = "Orders and revenue by hour and weekday"},
	{.method = "GET",
	 .path = "/api/admin/analytics/items",
	 READ_API,
	 .params = {P_DATE, P_FROM, P_TO, P_LOCATION, P_CURRENCY, P_FIXED("basis", NULL), P_FIXED("days", "30"), P_NO_BASE, P_Q, P_SORT,
                P_CURSOR, P_LIMIT("50", 10000), P_FORMAT},
	 .parts = {ENVELOPE_FIRST,
               {.statement = "report_computed", .shape = PART_FIELDS, .missing = "no figures for these days", .columns = "days_computed"},
               {.statement = "report_items_list", .shape = PART_ROWS, .key = "items",
                .columns = "rank item_id name quantity revenue orders share"}},
	 .doc = "All items, sorted and searched, page by page: the last rank is the next cursor"},
	{.method = "GET",
	 .path = "/api/admin/analytics/items/{item_id}",
	 READ_API,
	 .params = {P_ITEM, P_DATE, P_FROM, P_TO, P_LOCATION, P_CURRENCY, P_FIXED("basis", NULL), P_FIXED("days", "30"), P_NO_BASE,
                {.name = "step", .type = PARAM_WORD, .words = "day|week|month", .fallback = "day", .example = "week", .meaning = STEP_IS("row")}, P_FORMAT},
	 .parts = {ENVELOPE_FIRST,
               {.statement = "page_item_name", .shape = PART_FIELDS, .missing = "there is no such item", .columns = "item_id name"},
               {.statement = "report_item_days", .shape = PART_ROWS, .key = "series", .columns = "date to_date quantity revenue orders"}},
	 .doc = "One item on each day of a range, newest first"},

#include "cgi-bin/routes_forecast.def"

	{.method = "GET",
	 .path = "/api/admin/analytics/live",
	 READ_API,
	 .feature = CONF_ENABLE_REALTIME_ANALYTICS,
	 .keep_ms = 1000,
	 .handler = live_handle,
	 .params = {LIVE_PARAMS},
	 .parts = {{.statement = "hub_scope", .shape = PART_FIELDS, .columns = ENVELOPE_COLUMNS, .feeds = true,
                .missing = "the batch has not run yet: takings-batch run", .why = "hub_missing"},
               LIVE_SITE(.missing = "the batch has not run yet: takings-batch run", .why = "hub_missing"), LIVE_PARTS},
	 .doc = "The business day that runs, as it is now; over WebSocket at /ws/realtime as it changes"},
	{.method = "POST", .path = "/ws/ticket", .access = ACCESS_VIEWER, .feature = CONF_ENABLE_REALTIME_ANALYTICS, .handler = live_ticket_handle,
	 .tag = "Access", .answer = "Ticket", .doc = "A ticket for /ws/realtime?ticket=, good for a minute"},
	{.method = "GET", .path = "/ws/auth", .handler = live_auth_handle,
	 .params = {{.name = "ticket", .type = PARAM_SECRET, .max = TOKEN_BYTES, .blank = true, .meaning = "A ticket"}},
	 .doc = "Who may open a WebSocket; only nginx asks"},

	/* The pages: the scope first, its days are the parameters of the statements after it. */
	{.method = "GET",
	 .path = "/admin/",
	 .access = ACCESS_VIEWER,
	 .page = "overview.html",
	 .params = {P_PAGE("newest"), P_STEP, P_FIXED("days", "1"), P_FIXED("span", "56"), P_FIXED("limit", "10"), P_FIXED("by", "revenue"),
                P_SAVE("days|items|by_hour|by_weekday|series|hours|weekdays")},
	 .parts = {SCOPE, KNOWN,
               {.statement = "report_summary", .shape = PART_OBJECT, .key = "summary", .only = "is_closed_day"},
               {.statement = "report_series", .shape = PART_ROWS, .key = "series", .only = "is_day", .columns = "date revenue orders"},
               {.statement = "report_weekdays", .shape = PART_ROWS, .key = "weekdays", .only = "is_day", .columns = "date revenue orders avg_order_value"},
               {.statement = "report_hours_of_day", .shape = PART_ROWS, .key = "hours", .only = "is_day", .columns = "hour orders revenue seconds"},
               ITEMS,
               {.statement = "report_items_rest", .shape = PART_OBJECT, .key = "rest"},
               {.statement = "report_restated", .shape = PART_ROWS, .key = "restated"},
               {.statement = "live_today", .shape = PART_OBJECT, .key = "live"}, /* not today: the scope has one */
               {.statement = "page_totals", .shape = PART_OBJECT, .key = "totals", .only = "is_range"},
               {.statement = "page_sparks", .shape = PART_OBJECT, .key = "sparks", .only = "is_range"},
               DAYS(.only = "is_range"), BY_HOUR(.only = "is_range"), BY_WEEKDAY, UNUSUAL},
	 .doc = "The days at a glance"},
	{.method = "GET",
	 .path = "/admin/revenue",
	 .access = ACCESS_VIEWER,
	 .page = "revenue.html",
	 .params = {P_PAGE("28d"), P_STEP, P_FIXED("by", "revenue"), P_SAVE("days|by_hour|bridge|locations|currencies")},
	 .parts = {SCOPE, KNOWN,
               {.statement = "page_totals", .shape = PART_OBJECT, .key = "totals"},
               {.statement = "page_sparks", .shape = PART_OBJECT, .key = "sparks", .only = "is_range"},
               DAYS(.only = "is_range"), BY_HOUR(.only = "is_day"),
               {.statement = "report_bridge", .shape = PART_ROWS, .key = "bridge", .columns = "line amount is_total"},
               {.statement = "report_by_location", .shape = PART_ROWS, .key = "locations", .only = "has_locations",
                .columns = "location_id revenue orders avg_order_value revenue_share"},
               {.statement = "report_by_currency", .shape = PART_ROWS, .key = "currencies", .only = "has_currencies",
                .columns = "currency revenue orders avg_order_value"},
               UNUSUAL},
	 .doc = "Revenue, from gross to net"},
	{.method = "GET",
	 .path = "/admin/orders",
	 .access = ACCESS_VIEWER,
	 .page = "orders.html",
	 .params = {P_PAGE("28d"), P_STEP, P_FIXED("by", "orders"), P_SAVE("days|statuses|by_weekday|by_hour")},
	 .parts = {SCOPE, KNOWN,
               {.statement = "page_totals", .shape = PART_OBJECT, .key = "totals"},
               {.statement = "page_orders", .shape = PART_OBJECT, .key = "fate"},
               {.statement = "page_sparks", .shape = PART_OBJECT, .key = "sparks", .only = "is_range"},
               DAYS(.only = "is_range"), BY_HOUR(.only = "is_day"),
               {.statement = "report_statuses", .shape = PART_ROWS, .key = "statuses",
                .columns = "status orders orders_share base_orders base_orders_share"},
               BY_WEEKDAY, UNUSUAL},
	 .doc = "Orders and what became of them"},
	{.method = "GET",
	 .path = "/admin/items",
	 .access = ACCESS_VIEWER,
	 .page = "items.html",
	 .params = {P_PAGE("28d"), P_FIXED("step", NULL), P_Q, P_SORT, P_CURSOR, P_LIMIT("50", 10000), P_SAVE("items")},
	 .parts = {SCOPE, KNOWN,
               {.statement = "page_totals", .shape = PART_OBJECT, .key = "totals"},
               {.statement = "report_items_list", .shape = PART_ROWS, .key = "items",
                .columns = "rank item_id name quantity revenue orders share item_sales_change"}},
	 .doc = "What was sold"},
	{.method = "GET",
	 .path = "/admin/items/{item_id}",
	 .access = ACCESS_VIEWER,
	 .page = "item.html",
	 .params = {P_ITEM, P_PAGE("28d"), P_STEP, P_SAVE("days")},
	 .parts = {SCOPE,
               {.statement = "page_item", .shape = PART_OBJECT, .key = "item", .missing = "this item was never sold"},
               {.statement = "report_item_days", .shape = PART_ROWS, .key = "days", .columns = "date to_date quantity revenue orders base_quantity"}},
	 .doc = "One item on each day"},
	{.method = "GET",
	 .path = "/admin/hours",
	 .access = ACCESS_VIEWER,
	 .page = "hours.html",
	 .params = {P_PAGE("28d"), P_FIXED("step", NULL), P_BY, P_SAVE("heatmap|by_hour")},
	 .parts = {SCOPE, KNOWN,
               {.statement = "page_totals", .shape = PART_OBJECT, .key = "totals"},
               {.statement = "page_heat", .shape = PART_ROWS, .key = "heat", .only = "is_range"},
               {.statement = "report_heatmap", .shape = PART_ROWS, .key = "heatmap", .only = "is_range", .columns = HEAT_COLUMNS},
               {.statement = "page_peaks", .shape = PART_ROWS, .key = "peaks", .only = "is_range"},
               BY_HOUR(.only = NULL)},
	 .doc = "When people come"},
	{.method = "GET",
	 .path = "/admin/forecast",
	 .access = ACCESS_VIEWER,
	 .feature = CONF_ENABLE_FORECASTING,
	 .page = "forecast.html",
	 .params = {P_PAGE("newest"), P_METRIC("revenue|orders", "revenue"),
                {.name = "days", .type = PARAM_WORD, .words = "7|30", .fallback = "7", .meaning = "How far it looks"},
                {.name = "ahead", .type = PARAM_WORD, .words = "1|7", .fallback = "1", .meaning = "How many days before past days their forecast was made"},
                P_SAVE("days|ahead|hours|items|record|weights")},
	 .parts = {{.statement = "forecast_scope", .shape = PART_OBJECT, .key = "scope", .feeds = true},
               {.statement = "forecast_locations", .shape = PART_ROWS, .key = "locations", .only = "has_locations"},
               {.statement = "forecast_days", .shape = PART_ROWS, .key = "days", .only = "has_days",
                .columns = "date actual expected expected_from expected_to expected_least expected_most expected_then expected_miss holiday_name"},
               {.statement = "forecast_ahead", .shape = PART_ROWS, .key = "ahead", .only = "has_days",
                .columns = "date weekday closed expected expected_from expected_to expected_least expected_most usual_level weekday_part "
                           "trend_part holiday_part holiday_name"},
               {.statement = "forecast_totals", .shape = PART_OBJECT, .key = "totals", .only = "has_days"},
               {.statement = "forecast_peak", .shape = PART_ROWS, .key = "peak", .only = "has_days"},
               {.statement = "forecast_hours", .shape = PART_ROWS, .key = "hours", .only = "has_hours",
                .columns = "hour orders_expected orders_from orders_to"},
               {.statement = "forecast_items", .shape = PART_ROWS, .key = "items", .only = "has_days", .columns = "item_id name quantity_expected quantity"},
               {.statement = "forecast_record", .shape = PART_ROWS, .key = "record", .only = "has_days",
                .columns = "lead days_n off_by naive_off_by in_band80 in_band95"},
               {.statement = "forecast_weights", .shape = PART_ROWS, .key = "weights", .only = "has_days", .columns = "name share"}},
	 .doc = "What is expected, and how good that was"},
	{.method = "GET",
	 .path = "/admin/anomalies",
	 .access = ACCESS_VIEWER,
	 .feature = CONF_ENABLE_ANOMALY_DETECTION,
	 .page = "anomalies.html",
	 .params = {P_PAGE("91d"), P_FIXED("step", "day"), P_METRIC("all|revenue|orders", "all"),
                {.name = "granularity", .type = PARAM_WORD, .words = "all|day|hour", .fallback = "all", .meaning = "Days, hours or both"},
                P_SAVE("incidents|days")},
	 .parts = {SCOPE, KNOWN,
               {.statement = "anomaly_state", .shape = PART_OBJECT, .key = "state"},
               {.statement = "anomaly_list", .shape = PART_ROWS, .key = "incidents",
                .columns = "metric granularity worst_date worst_hour first_date last_date steps kind actual expected expected_from expected_to "
                           "deviation score alert special_name top_dimension top_name top_percent"},
               {.statement = "anomaly_days", .shape = PART_ROWS, .key = "days", .only = "is_range",
                .columns = "date actual expected expected_from expected_to deviation flagged"}},
	 .doc = "Days and hours that were not what they should have been"},

	{.method = "GET",
	 .path = "/admin/live",
	 .access = ACCESS_VIEWER,
	 .feature = CONF_ENABLE_REALTIME_ANALYTICS,
	 .page = "live.html",
	 .uncached = true,
	 .handler = live_handle,
	 .params = {LIVE_PARAMS, P_BY},
	 .parts = {{.statement = "hub_scope", .shape = PART_OBJECT, .key = "scope", .feeds = true}, LIVE_SITE(.missing = NULL), LIVE_PARTS,
               {.statement = "hub_bookings", .shape = PART_OBJECT, .key = "bookings", .only = "has_bookings"},
               {.statement = "hub_leaders", .shape = PART_ROWS, .key = "places", .only = "has_bookings"}},
	 .doc = "Orders as they come in"},

#include "cgi-bin/routes_bookings_pages.def"
#include "cgi-bin/routes_activity_pages.def"
#include "cgi-bin/routes_behaviour_pages.def"

	{.method = "GET", .path = "/admin/account", ACCOUNT, .handler = account_page_handle, .params = {P_DONE, P_ASKER},
	 .doc = "One's own password and sessions"},
	{ADMIN_FORM("/admin/account/password", account_password_handle), ACCOUNT,
	 .params = {P_CSRF, P_TYPED("current", 1, "The password until now"), P_TYPED("password", 0, "The new one"),
                P_TYPED("again", 0, "The new one again"), P_ASKER},
	 .doc = "Change one's own password"},
	{ADMIN_FORM("/admin/account/sessions/{session}/end", account_session_end_handle), ACCOUNT,
	 .params = {P_NUMBER("session", "A session of one's own"), P_CSRF, P_ASKER}, .doc = "End one session"},
	{ADMIN_FORM("/admin/account/sessions/end", account_sessions_end_handle), ACCOUNT, .params = {P_CSRF, P_ASKER},
	 .doc = "End every other session"},
	{.method = "GET", .path = "/admin/users", USERS, .handler = users_page_handle, .params = {P_DONE, P_ASKER},
	 .doc = "Users, and keys of programs"},
	{ADMIN_FORM("/admin/users/{target}/role", user_role_handle), USERS,
	 .params = {P_NUMBER("target", "A user"), P_WORD("role", "viewer|analyst|admin", "The role from now on"), P_CSRF, P_ASKER},
	 .doc = "Change a user's role"},
	{ADMIN_FORM("/admin/users/{target}/disable", user_disable_handle), USERS,
	 .params = {P_NUMBER("target", "A user"), P_CONFIRM, P_CSRF, P_ASKER}, .doc = "Disable a user"},
	{ADMIN_FORM("/admin/users/{target}/enable", user_enable_handle), USERS,
	 .params = {P_NUMBER("target", "A user"), P_CSRF, P_ASKER}, .doc = "Enable a user"},
	{ADMIN_FORM("/admin/users/{target}/sessions/end", user_sessions_end_handle), USERS,
	 .params = {P_NUMBER("target", "A user"), P_CSRF, P_ASKER}, .doc = "End every session of a user"},
	{ADMIN_FORM("/admin/keys", key_add_handle), USERS,
	 .params = {{.name = "name", .type = PARAM_TEXT, .place = IN_BODY, .max = 100, .required = true, .meaning = "What it is for"},
                P_WORD("scope", "ingest|read|admin", "What it may do"),
                {.name = "last_day", .type = PARAM_DATE, .place = IN_BODY, .blank = true, .meaning = "Its last day in UTC; none if absent"},
                {.name = "origins", .type = PARAM_TEXT, .place = IN_BODY, .max = 1000, .fallback = "", .blank = true,
                 .meaning = "Origins of the pages it stands in, if any"},
                P_CSRF, P_ASKER},
	 .doc = "Make a key, which is shown this once"},
	{ADMIN_FORM("/admin/keys/{key_id}/revoke", key_revoke_handle), USERS,
	 .params = {P_NUMBER("key_id", "A key"), P_CONFIRM, P_CSRF, P_ASKER}, .doc = "Revoke a key"},
#include "cgi-bin/routes_people.def"

	{.method = "GET", .path = "/admin/audit", .access = ACCESS_ADMIN, .page = "audit.html", .uncached = true,
	 .params = {{.name = "actor", .type = PARAM_TEXT, .max = 100, .fallback = "", .meaning = "Who did it: a user's name, key:3, command line"},
                {.name = "action", .type = PARAM_TEXT, .max = 50, .fallback = "", .meaning = "What was done"},
                {.name = "since", .type = PARAM_DATE, .blank = true, .meaning = "First day, in the site's zone"},
                {.name = "until", .type = PARAM_DATE, .blank = true, .meaning = "Last day, included"},
                {.name = "before", .type = PARAM_INT, .min = 1, .max = INT64_MAX, .meaning = "Rows older than this one"},
                P_FIXED("page_rows", "50")},
	 .parts = {{.statement = "audit_scope", .shape = PART_OBJECT, .key = "filter"},
               {.statement = "audit_page", .shape = PART_ROWS, .key = "rows"},
               {.statement = "audit_actions", .shape = PART_ROWS, .key = "actions"}},
	 .doc = "What was done, by whom and when"},
	{.method = "GET", .path = "/admin/inbox", INBOX, .handler = inbox_page_handle,
	 .params = {P_DONE,
                {.name = "state", .type = PARAM_WORD, .words = "open|dead|processed", .fallback = "", .blank = true, .meaning = "Waiting for its effect, given up, or done with"},
                {.name = "type", .type = PARAM_TEXT, .max = 200, .fallback = "", .meaning = "booking.created and its like"},
                {.name = "event", .type = PARAM_INT, .min = INT64_MIN, .max = INT64_MAX, .blank = true, .meaning = "Messages about this event"},
                {.name = "source", .type = PARAM_WORD, .words = "http|kafka|redis_stream|redis_pubsub|demo|replay", .fallback = "", .blank = true, .meaning = "Where it came from"},
                {.name = "before", .type = PARAM_INT, .min = 1, .max = INT64_MAX, .meaning = "Messages older than this one"},
                P_FIXED("page_rows", "50")},
	 .doc = "Messages about bookings, and what could not be read"},
	{ADMIN_FORM("/admin/reasons/replay", inbox_replay_reason_handle), INBOX, .params = {P_OF_REASON, P_INBOX_ALL},
	 .doc = "Read all messages of one reason again"},
	{ADMIN_FORM("/admin/reasons/drop", inbox_drop_reason_handle), INBOX, .params = {P_OF_REASON, P_CONFIRM, P_INBOX_ALL},
	 .doc = "Drop all messages of one reason"},
	{.method = "GET", .path = "/admin/inbox/{message_id}", MESSAGE, .handler = inbox_message_handle, .params = {P_MESSAGE, P_DONE},
	 .doc = "One message about bookings"},
	{ADMIN_FORM("/admin/inbox/{message_id}/fix", inbox_fix_handle), MESSAGE,
	 .params = {P_MESSAGE, P_CSRF,
                {.name = "text", .type = PARAM_SECRET, .place = IN_BODY, .min = 1, .max = 65536, .required = true, .meaning = "The message as it should be"}},
	 .doc = "Put a corrected message in its place"},
	{ADMIN_FORM("/admin/inbox/{message_id}/replay", inbox_replay_handle), MESSAGE, .params = {P_MESSAGE, P_CSRF},
	 .doc = "Read a message again"},
	{ADMIN_FORM("/admin/inbox/{message_id}/drop", inbox_drop_handle), MESSAGE, .params = {P_MESSAGE, P_CSRF, P_CONFIRM},
	 .doc = "Drop a message"},
	{.method = "GET", .path = "/admin/system", .access = ACCESS_ADMIN, .page = "system.html", .uncached = true,
	 .handler = system_page_handle,
	 .parts = {{.statement = "system_state", .shape = PART_OBJECT, .key = "state"},
               {.statement = "system_since", .shape = PART_OBJECT, .key = "since"},
               {.statement = "system_runs", .shape = PART_ROWS, .key = "runs"},
               {.statement = "system_tables", .shape = PART_ROWS, .key = "tables"},
               {.statement = "system_uptime", .shape = PART_OBJECT, .key = "uptime"},
               {.statement = "system_uptime_days", .shape = PART_ROWS, .key = "uptime_days"},
               {.statement = "system_bookings", .shape = PART_OBJECT, .key = "bookings"},
               {.statement = "bookings_state", .shape = PART_OBJECT, .key = "inbox"},
               {.statement = "system_gaps", .shape = PART_ROWS, .key = "gaps"}},
	 .doc = "How the program and its databases are"},
};

/* clang-format on */

enum { ROUTES = sizeof routes / sizeof *routes };

const struct route *route_get(int i)
{
	return i >= 0 && i < ROUTES ? &routes[i] : NULL;
}

int route_count(void)
{
	return ROUTES;
}

int route_index(const struct route *route)
{
	return (int)(route - routes);
}
