/* live.h: what happens right now, and who may watch it. */
#ifndef TAKINGS_CGI_LIVE_H
#define TAKINGS_CGI_LIVE_H

#include "cgi-bin/call.h"

/* clang-format off */
/* What rows of routes.c share: the members of the live picture, which stream/hub.c sends, too. */
#define LIVE_PARAMS {.name = "window_s", .fallback = "60", .fixed = true}, {.name = "customers", .fallback = "f", .fixed = true}, \
	{.name = "bookings", .fallback = "f", .fixed = true}, {.name = "user_s", .fallback = "1800", .fixed = true}, \
	{.name = "session_s", .fallback = "3600", .fixed = true}
#define LIVE_SITE(...) {.statement = "hub_site", .shape = PART_OBJECT, .key = "site", .only = "has_orders", \
	 .columns = "date weekday tz cutoff currency currency_digits profile", __VA_ARGS__}
#define LIVE_PARTS                                                                                 \
	{.statement = "hub_rates", .shape = PART_OBJECT, .key = "rates", .only = "has_orders",                               \
	 .columns = "window_s orders_per_minute revenue_per_minute cancelled_per_minute"},             \
	{.statement = "hub_today", .shape = PART_OBJECT, .key = "today", .only = "has_orders",                               \
	 .columns = "orders placed_orders counted_orders gross refunds revenue avg_order_value other_currencies"}, \
	{.statement = "hub_before", .shape = PART_OBJECT, .key = "before", .only = "has_orders",                             \
	 .columns = "date words known exact base_revenue base_orders revenue_change revenue_status orders_change orders_status " \
	            "has_revenue_change is_new"},                                                      \
	{.statement = "hub_minutes", .shape = PART_ROWS, .key = "minutes", .only = "has_orders", .columns = "at clock orders revenue"}, \
	{.statement = "hub_minute", .shape = PART_OBJECT, .key = "minute", .only = "has_orders", .columns = "at clock orders revenue"}, \
	{.statement = "hub_products", .shape = PART_ROWS, .key = "top_products", .only = "has_orders",                       \
	 .columns = "product_id name quantity revenue orders"},                                        \
	{.statement = "hub_statuses", .shape = PART_ROWS, .key = "statuses", .only = "has_orders", .columns = "status orders"}, \
	{.statement = "hub_recent", .shape = PART_ROWS, .key = "recent_orders", .only = "has_orders",                        \
	 .columns = "order_id status total currency customer_id created_at clock"},                    \
	{.statement = "hub_source", .shape = PART_OBJECT, .key = "source", .columns = "status detail lag_s is_off is_bad is_waiting"}, \
	{.statement = "hub_activity", .shape = PART_OBJECT, .key = "activity", .only = "has_activity",                       \
	 .columns = "active_users active_users_5m active_sessions carts cart_value_avg currency sessions_today conversion_rate"}, \
	{.statement = "hub_activity_pages", .shape = PART_ROWS, .key = "activity_pages", .only = "has_activity", .columns = "page users"}, \
	{.statement = "hub_activity_feed", .shape = PART_ROWS, .key = "activity_feed", .only = "has_activity",               \
	 .columns = "entry event_type product page who at clock"}
/* clang-format on */

/* GET /api/admin/analytics/live and /admin/live: before their parts. */
void live_handle(struct call *c);

/* GET /realtime/...: likewise. */
void live_now_handle(struct call *c);

/* POST /ws/ticket: a token for one minute, for whoever can put nothing but an address into a
 * WebSocket. */
void live_ticket_handle(struct call *c);

/* GET /ws/auth: nginx asks whether somebody may open a WebSocket: 204 with X-Takings-Live, which
 * says what they may see (full or plain, with bookings or without), 401 or 403. Only nginx can ask.
 */
void live_auth_handle(struct call *c);

#endif
