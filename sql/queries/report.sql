-- report.sql: the answers of /api/admin/analytics and of the pages.

-- name: report_envelope
-- What stands beside the figures of every answer.
SELECT now() AS as_of,
       json_build_object('from', starts_at, 'to', ends_at, 'tz', timezone, 'cutoff', cutoff_hours,
                          'from_date', from_day, 'to_date', to_day, 'complete', complete) AS range,
       timezone AS tz, cutoff_hours AS cutoff, currency, coalesce(:basis, 'order_date') AS basis,
       from_day AS from_date, to_day AS to_date, complete, days_n, days_computed,
       newest_day, due_day, newest_day < due_day AS late, computed_at, data_version, revenue_profile, counted_statuses,
       today
FROM report_scope(:date::date, :from::date, :to::date, :days::int, :currency)

-- name: report_summary
-- Totals of the days, and of the days before and of the same weekdays to compare
-- with. No row where none of the days is computed.
WITH scope AS MATERIALIZED (
	SELECT s.*, (s.days_n + 6) / 7 * 7 AS weeks_n
	FROM report_scope(:date::date, :from::date, :to::date, 1, :currency) s
), day AS MATERIALIZED (
	SELECT d.* FROM scope s,
	       LATERAL report_days(s.from_day - s.weeks_n, s.to_day, s.currency, :location_id::int,
	                           :basis = 'transaction_date') d
), figure AS (
	SELECT w.name, sum(d.revenue_minor) AS minor, sum(d.placed) AS placed, sum(d.counted) AS counted,
	       sum(d.gross_minor) AS gross, sum(d.refund_minor) AS refund, sum(d.item_minor) AS items, sum(d.item_qty) AS qty
	FROM scope s,
	     LATERAL (VALUES ('now', 0), ('previous', s.days_n), ('weekday', s.weeks_n)) w(name, back)
	JOIN day d ON true
	WHERE d.business_date BETWEEN s.from_day - w.back AND s.to_day - w.back
	GROUP BY w.name
), hour AS (
	SELECT h.hour, sum(h.served_count) AS counted, sum(h.order_count) AS placed
	FROM scope s, hourly_order_cache h
	WHERE h.business_date BETWEEN s.from_day AND s.to_day AND h.currency = s.currency
	  AND (:location_id::int IS NULL OR h.location_id = :location_id::int)
	GROUP BY h.hour
), peak AS (
	SELECT hour FROM hour, scope
	WHERE CASE WHEN revenue_profile = 'restaurant' THEN counted ELSE placed END > 0
	ORDER BY CASE WHEN revenue_profile = 'restaurant' THEN counted ELSE placed END DESC, hour LIMIT 1
)
SELECT CASE WHEN s.from_day = s.to_day THEN s.to_day END AS date,
       money(n.minor, s.currency) AS total_revenue,
       (CASE WHEN s.revenue_profile = 'restaurant' THEN n.counted ELSE n.placed END)::bigint AS total_orders,
       money_ratio(n.minor, n.counted, s.currency) AS avg_order_value,
       (SELECT hour FROM peak) AS peak_hour,
       growth_rate(n.minor, p.minor) AS vs_previous_day, growth_status(n.minor, p.minor) AS vs_previous_day_status,
       growth_rate(n.minor, w.minor) AS vs_same_weekday, growth_status(n.minor, w.minor) AS vs_same_weekday_status,
       n.placed::bigint AS placed_orders, n.counted::bigint AS counted_orders,
       money(n.gross, s.currency) AS gross, money(n.refund, s.currency) AS refunds,
       money(n.items, s.currency) AS item_sales, n.qty AS items_sold,
       json_build_object('from_date', s.from_day - s.days_n, 'to_date', s.to_day - s.days_n,
                          'total_revenue', money(p.minor, s.currency),
                          'total_orders', CASE WHEN s.revenue_profile = 'restaurant' THEN p.counted ELSE p.placed END)
           AS previous_day,
       json_build_object('from_date', s.from_day - s.weeks_n, 'to_date', s.to_day - s.weeks_n,
                          'total_revenue', money(w.minor, s.currency),
                          'total_orders', CASE WHEN s.revenue_profile = 'restaurant' THEN w.counted ELSE w.placed END)
           AS same_weekday,
       json_build_object('date', s.today, 'partial', true, 'elapsed_s', s.today_elapsed_s,
                          'total_revenue', NULL, 'total_orders', NULL, 'source', NULL) AS today
FROM scope s
JOIN figure n ON n.name = 'now'
LEFT JOIN figure p ON p.name = 'previous'
LEFT JOIN figure w ON w.name = 'weekday'

-- name: report_currencies
-- Revenue in each currency; they are never added.
SELECT d.currency, money(sum(CASE WHEN :basis = 'transaction_date' THEN booked_minor ELSE revenue_minor END), d.currency)
           AS total_revenue,
       sum(CASE WHEN s.revenue_profile = 'restaurant' THEN served_count ELSE order_count END)::bigint AS total_orders
FROM report_scope(:date::date, :from::date, :to::date, 1, :currency) s
JOIN daily_revenue_cache d ON d.business_date BETWEEN s.from_day AND s.to_day
WHERE :location_id::int IS NULL OR d.location_id = :location_id::int
GROUP BY d.currency ORDER BY d.currency

-- name: report_hours
-- 24 wall-clock hours. No row where the day is not computed.
SELECT h.hour, sum(CASE WHEN s.revenue_profile = 'restaurant' THEN h.served_count ELSE h.order_count END)::bigint AS orders,
       money(sum(h.revenue_minor), s.currency) AS revenue, max(h.seconds) AS seconds,
       sum(h.order_count)::bigint AS placed
FROM report_scope(:date::date, NULL, NULL, 1, :currency) s
JOIN hourly_order_cache h ON h.business_date = s.to_day AND h.currency = s.currency
WHERE :location_id::int IS NULL OR h.location_id = :location_id::int
GROUP BY h.hour, s.currency ORDER BY h.hour

-- name: report_hours_of_day
-- The same in the order of the business day, which begins at the cutoff.
SELECT h.hour, sum(CASE WHEN s.revenue_profile = 'restaurant' THEN h.served_count ELSE h.order_count END)::bigint AS orders,
       money(sum(h.revenue_minor), s.currency) AS revenue, max(h.seconds) AS seconds, s.currency
FROM report_scope(:date::date, NULL, NULL, 1, :currency) s
JOIN hourly_order_cache h ON h.business_date = s.to_day AND h.currency = s.currency
WHERE :location_id::int IS NULL OR h.location_id = :location_id::int
GROUP BY h.hour, s.currency, s.cutoff_hours ORDER BY (h.hour - s.cutoff_hours + 24) % 24

-- name: report_items
-- The best items; ties by the other measures, then by id. The newest name counts.
WITH scope AS MATERIALIZED (
	SELECT * FROM report_scope(:date::date, :from::date, :to::date, 30, :currency)
), item AS MATERIALIZED (
	SELECT i.item_id, (array_agg(i.name ORDER BY i.business_date DESC, i.location_id))[1] AS name,
	       sum(i.quantity) AS quantity, sum(i.revenue_minor) AS minor, sum(i.order_count)::bigint AS orders, s.currency
	FROM scope s
	JOIN item_sales_cache i ON i.business_date BETWEEN s.from_day AND s.to_day AND i.currency = s.currency
	WHERE :location_id::int IS NULL OR i.location_id = :location_id::int
	GROUP BY i.item_id, s.currency
)
SELECT item_id, name, quantity, money(minor, currency) AS revenue, orders,
       CASE WHEN sum(minor) OVER () > 0 THEN half_even(minor * 100 / sum(minor) OVER (), 2) END AS share, currency
FROM item
ORDER BY CASE :by WHEN 'quantity' THEN quantity WHEN 'orders' THEN orders ELSE minor END DESC,
         CASE :by WHEN 'revenue' THEN quantity ELSE minor END DESC, item_id
LIMIT :limit::int

-- name: report_items_rest
-- What the list leaves out, and what no item explains: discounts, tips, tax,
-- shipping, rounding. item_sales + unallocated = revenue, to the cent.
WITH scope AS MATERIALIZED (
	SELECT * FROM report_scope(:date::date, :from::date, :to::date, 30, :currency)
), item AS MATERIALIZED (
	SELECT i.item_id, sum(i.quantity) AS quantity, sum(i.revenue_minor) AS minor, sum(i.order_count) AS orders
	FROM scope s
	JOIN item_sales_cache i ON i.business_date BETWEEN s.from_day AND s.to_day AND i.currency = s.currency
	WHERE :location_id::int IS NULL OR i.location_id = :location_id::int
	GROUP BY i.item_id
), rest AS (
	SELECT * FROM item
	ORDER BY CASE :by WHEN 'quantity' THEN quantity WHEN 'orders' THEN orders ELSE minor END DESC,
	         CASE :by WHEN 'revenue' THEN quantity ELSE minor END DESC, item_id
	OFFSET :limit::int
), total AS (
	SELECT coalesce(sum(d.revenue_minor), 0) AS revenue, coalesce((SELECT sum(minor) FROM item), 0) AS items
	FROM scope s,
	     LATERAL report_days(s.from_day, s.to_day, s.currency, :location_id::int, false) d
)
SELECT json_build_object('items', (SELECT count(*) FROM rest), 'quantity', coalesce((SELECT sum(quantity) FROM rest), 0),
                          'revenue', money(coalesce((SELECT sum(minor) FROM rest), 0), s.currency)) AS others,
       (SELECT count(*) FROM rest) AS others_n,
       money(coalesce((SELECT sum(minor) FROM rest), 0), s.currency) AS others_revenue,
       money(t.items, s.currency) AS item_sales, money(t.revenue - t.items, s.currency) AS unallocated,
       money(t.revenue, s.currency) AS total_revenue, s.currency
FROM scope s, total t

-- name: report_series
-- One row for each of the last :span days up to the day shown; days that are not
-- computed have no figures.
WITH scope AS MATERIALIZED (
	SELECT * FROM report_scope(:date::date, NULL, NULL, 1, :currency)
)
SELECT d::date AS date, money(r.revenue_minor, s.currency) AS revenue,
       (CASE WHEN s.revenue_profile = 'restaurant' THEN r.counted ELSE r.placed END)::bigint AS orders,
       r.placed = 0 AS closed, s.currency
FROM scope s
CROSS JOIN generate_series((s.to_day - :span::int + 1)::timestamp, s.to_day::timestamp, interval '1 day') d
LEFT JOIN LATERAL report_days(d::date, d::date, s.currency, :location_id::int, :basis = 'transaction_date') r ON true
ORDER BY 1

-- name: report_weekdays
-- The same weekday over the last weeks, newest first, to see whether a day was good.
WITH scope AS MATERIALIZED (
	SELECT * FROM report_scope(:date::date, NULL, NULL, 1, :currency)
)
SELECT r.business_date AS date, money(r.revenue_minor, s.currency) AS revenue, s.currency
FROM scope s
CROSS JOIN generate_series(1, 4) w
JOIN LATERAL report_days(s.to_day - w * 7, s.to_day - w * 7, s.currency, :location_id::int, false) r ON true
ORDER BY 1 DESC

-- name: report_restated
-- Closed days that changed in the last two weeks.
SELECT business_date AS date, money(revenue_was_minor, currency) AS revenue_was,
       money(revenue_now_minor, currency) AS revenue_now, currency, noticed_at
FROM restatement WHERE noticed_at > now() - interval '14 days'
ORDER BY restatement_id DESC LIMIT 5

-- name: health_state
SELECT (SELECT coalesce(max(version), 0) FROM schema_migration) AS schema_version,
       (SELECT count(*) FROM site) AS sites,
       current_setting('max_connections')::int AS connections_limit,
       (SELECT status FROM heartbeat WHERE component = 'batch') AS batch_status,
       (SELECT detail FROM heartbeat WHERE component = 'batch') AS batch_detail,
       (SELECT extract(epoch FROM now() - at)::bigint FROM heartbeat WHERE component = 'batch') AS batch_age_s,
       (SELECT status FROM heartbeat WHERE component = 'order_db') AS order_status,
       (SELECT detail FROM heartbeat WHERE component = 'order_db') AS order_detail,
       (SELECT extract(epoch FROM now() - at)::bigint FROM heartbeat WHERE component = 'order_db') AS order_age_s,
       (SELECT max(business_date) FROM daily_revenue_cache) AS newest_day
