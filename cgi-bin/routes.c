/* routes.c: THE route table. */
#include "cgi-bin/routes.h"

#include <string.h>

/* Tables are laid out by hand: a row reads as one thing. */
/* clang-format off */

#define P_DATE {.name = "date", .type = PARAM_DATE, .meaning = "One business day; the last computed one if absent"}
#define P_FROM {.name = "from", .type = PARAM_DATE, .meaning = "First business day of a range"}
#define P_TO {.name = "to", .type = PARAM_DATE, .meaning = "Last business day of a range, included"}
#define P_LOCATION                                                                                 \
	{.name = "location_id", .type = PARAM_INT, .min = 0, .max = 2147483647, .meaning = "One location; all if absent"}
#define P_CURRENCY {.name = "currency", .type = PARAM_CURRENCY, .meaning = "ISO 4217 code; the site's if absent"}
#define P_BASIS                                                                                    \
	{.name = "basis", .type = PARAM_WORD, .words = "order_date|transaction_date", .fallback = "order_date", \
	 .meaning = "Whether refunds and cancellations count on the order's day or on their own"}
#define P_FIXED(n, v) {.name = (n), .fallback = (v), .fixed = true}

#define ENVELOPE_COLUMNS "as_of range tz cutoff currency basis"
#define ENVELOPE {.statement = "report_envelope", .shape = PART_FIELDS, .columns = ENVELOPE_COLUMNS, \
	              .missing = "the batch has not run yet: takings-batch run"}

static const struct route routes[] = {
	{.method = "GET", .path = "/", .handler = home_handle, .doc = "The pages"},
	{.method = "GET", .path = "/health", .handler = health_handle, .doc = "Whether everything works, and what does not"},
	{.method = "GET", .path = "/health/live", .handler = health_live_handle, .doc = "Whether the program answers"},
	{.method = "GET",
	 .path = "/health/ready",
	 .handler = health_ready_handle,
	 .doc = "Whether the program can answer from its database"},

	{.method = "GET",
	 .path = "/api/admin/analytics/summary",
	 .params = {P_DATE, P_FROM, P_TO, P_LOCATION, P_CURRENCY, P_BASIS, P_FIXED("days", "1")},
	 .parts = {{.statement = "report_summary", .shape = PART_FIELDS, .missing = "no figures for these days"},
               {.statement = "report_currencies", .shape = PART_ROWS, .key = "by_currency"},
               ENVELOPE},
	 .doc = "Revenue, orders and averages of a day or range, compared"},
	{.method = "GET",
	 .path = "/api/admin/analytics/top-items",
	 .params = {P_DATE, P_FROM, P_TO, P_LOCATION, P_CURRENCY,
                {.name = "limit", .type = PARAM_INT, .min = 1, .max = 100, .fallback = "10", .meaning = "Items listed"},
                {.name = "by", .type = PARAM_WORD, .words = "revenue|quantity|orders", .fallback = "revenue",
                 .meaning = "What makes an item a top item"},
                P_FIXED("basis", "order_date"), P_FIXED("days", "30")},
	 .parts = {{.statement = "report_items",
                .shape = PART_ROWS,
                .key = "items",
                .columns = "item_id name quantity revenue orders share"},
               {.statement = "report_items_rest",
                .shape = PART_FIELDS,
                .missing = "no figures for these days",
                .columns = "others item_sales unallocated total_revenue"},
               ENVELOPE},
	 .doc = "Items with quantity and revenue, and what they do not explain"},
	{.method = "GET",
	 .path = "/api/admin/analytics/hourly",
	 .params = {P_DATE, P_LOCATION, P_CURRENCY, P_FIXED("from", NULL), P_FIXED("to", NULL), P_FIXED("days", "1"),
                P_FIXED("basis", "order_date")},
	 .parts = {{.statement = "report_hours", .shape = PART_ROWS, .key = "hours", .missing = "no figures for this day"},
               ENVELOPE},
	 .doc = "Orders and revenue of the 24 hours of a day"},

	{.method = "GET",
	 .path = "/admin/",
	 .page = "overview.html",
	 .params = {P_DATE, P_LOCATION, P_CURRENCY, P_BASIS, P_FIXED("from", NULL), P_FIXED("to", NULL),
                P_FIXED("days", "1"), P_FIXED("span", "56"), P_FIXED("limit", "10"), P_FIXED("by", "revenue")},
	 .parts = {{.statement = "report_envelope", .shape = PART_OBJECT, .key = "scope"},
               {.statement = "report_summary", .shape = PART_OBJECT, .key = "summary"},
               {.statement = "report_series", .shape = PART_ROWS, .key = "series", .missing = "no figures for this day"},
               {.statement = "report_weekdays", .shape = PART_ROWS, .key = "weekdays"},
               {.statement = "report_hours_of_day", .shape = PART_ROWS, .key = "hours"},
               {.statement = "report_items", .shape = PART_ROWS, .key = "items"},
               {.statement = "report_items_rest", .shape = PART_OBJECT, .key = "rest"},
               {.statement = "report_restated", .shape = PART_ROWS, .key = "restated"}},
	 .doc = "The day at a glance"},
};

/* clang-format on */

enum { ROUTES = sizeof routes / sizeof *routes };

const struct route *route_get(int i)
{
	return i >= 0 && i < ROUTES ? &routes[i] : NULL;
}

const struct route *route_find(const char *path)
{
	for (int i = 0; i < ROUTES; i++)
		if (strcmp(routes[i].path, path) == 0)
			return &routes[i];
	return NULL;
}
