-- figures.sql: what the pages of figures show beyond their totals, and the same as data. Each
-- statement takes the days, the currency and its digits from the one before it (page_scope or
-- report_envelope). Where there is no base, :base_from and :base_to are NULL.

-- name: page_sparks
-- The course of the days in a box of 100 by 24, as points of an SVG line: the mean day of at
-- most sixty stretches.
WITH stretch AS (
	SELECT (business_date - :from_day::date) * least(60, :days_n::int) / :days_n::int AS at, count(DISTINCT business_date) AS n,
	       sum(CASE WHEN :by_transaction::boolean THEN booked_minor ELSE revenue_minor END) AS minor,
	       sum(order_count) AS placed, sum(served_count) AS counted, sum(item_qty) AS qty
	FROM daily_revenue_cache
	WHERE business_date BETWEEN :from_day::date AND :last_day::date
	  AND currency = :currency AND (:location_id::int IS NULL OR location_id = :location_id::int)
	GROUP BY at
), point AS (
	SELECT v.name, round(at * 100.0 / greatest(least(60, :days_n::int) - 1, 1), 1) AS x,
	       round(23 - 22 * greatest(v.value, 0) / nullif(max(v.value) OVER (PARTITION BY v.name), 0), 1) AS y
	FROM stretch,
	     LATERAL (VALUES ('revenue', minor / n), ('placed', placed / n), ('average', minor / nullif(counted, 0)), ('items', qty / n),
	                     ('orders', orders_shown(:revenue_profile, counted, placed)::numeric / n)) v(name, value)
	WHERE placed > 0 AND v.value IS NOT NULL -- the line goes past closed days
)
SELECT string_agg(x || ',' || y, ' ' ORDER BY x) FILTER (WHERE name = 'revenue') AS revenue_points,
       string_agg(x || ',' || y, ' ' ORDER BY x) FILTER (WHERE name = 'orders') AS orders_points,
       string_agg(x || ',' || y, ' ' ORDER BY x) FILTER (WHERE name = 'placed') AS placed_points,
       string_agg(x || ',' || y, ' ' ORDER BY x) FILTER (WHERE name = 'average') AS average_points,
       string_agg(x || ',' || y, ' ' ORDER BY x) FILTER (WHERE name = 'items') AS items_points
FROM point

-- name: page_orders
-- Orders placed, and what became of them.
WITH figure AS MATERIALIZED (
	SELECT business_date >= :from_day::date AS is_now, count(DISTINCT business_date) AS n, sum(order_count) AS placed,
	       sum(served_count) AS counted,
	       sum((SELECT sum(value::bigint) FROM jsonb_each_text(orders_by_status) WHERE key ~* '^cancell?ed$')) AS cancelled
	FROM daily_revenue_cache
	WHERE (business_date BETWEEN :from_day::date AND :last_day::date
	       OR business_date BETWEEN :base_from::date AND :base_to::date)
	  AND currency = :currency AND (:location_id::int IS NULL OR location_id = :location_id::int)
	GROUP BY is_now
)
SELECT coalesce(n.cancelled, 0)::bigint AS cancelled_orders, half_even(coalesce(n.cancelled, 0) * 100 / nullif(n.placed, 0), 2) AS cancelled_share,
       half_even(coalesce(b.cancelled, 0) * 100 / nullif(b.placed, 0), 2) AS base_cancelled_share, b.placed > 0 AS has_base_cancelled_share,
       half_even(n.counted * 100 / nullif(n.placed, 0), 2) AS counted_share, gp.rate AS placed_orders_change,
       gp.status = 'ok' AS has_placed_orders_change, gp.status = 'new' AS is_placed_orders_new,
       half_even(n.placed / nullif(n.n, 0)::numeric, 1) AS placed_a_day, half_even(b.placed / nullif(b.n, 0)::numeric, 1) AS base_placed_a_day,
       b.n > 0 AS has_base_placed_a_day
FROM (SELECT) one
LEFT JOIN figure n ON n.is_now
LEFT JOIN figure b ON NOT b.is_now,
LATERAL growth(n.placed, n.n, b.placed, b.n, :days_n::int) gp

-- name: report_statuses
-- Orders placed by the status they have now, the most frequent first.
SELECT s.status, s.orders, half_even(s.orders * 100 / nullif(sum(s.orders) OVER (), 0), 2) AS orders_share, s.base_orders,
       half_even(s.base_orders * 100 / nullif(sum(s.base_orders) OVER (), 0), 2) AS base_orders_share
FROM (SELECT e.key AS status, coalesce(sum(e.value::bigint) FILTER (WHERE business_date >= :from_day::date), 0)::bigint AS orders,
             sum(e.value::bigint) FILTER (WHERE business_date < :from_day::date)::bigint AS base_orders
      FROM daily_revenue_cache, LATERAL jsonb_each_text(orders_by_status) e
      WHERE (business_date BETWEEN :from_day::date AND :to_day::date
             OR business_date BETWEEN :base_from::date AND :base_to::date)
        AND currency = :currency AND (:location_id::int IS NULL OR location_id = :location_id::int)
      GROUP BY e.key) s
ORDER BY s.orders DESC, s.base_orders DESC NULLS LAST, s.status

-- name: report_by_weekday
-- Seven rows from Monday; means are of all computed days, closed ones included.
SELECT w.day AS weekday_n, to_char('2024-01-01'::date + w.day - 1, 'FMDay') AS weekday, d.n AS days_n,
       orders_shown(:revenue_profile, d.counted, d.placed) AS orders, d.placed::bigint AS placed_orders,
       half_even(orders_shown(:revenue_profile, d.counted, d.placed)::numeric / nullif(d.n, 0), 1) AS orders_a_day,
       half_even(d.placed / nullif(d.n, 0), 1) AS placed_a_day, money_of(d.minor, :money_digits::int) AS revenue,
       CASE WHEN d.n > 0 THEN money_ratio_of(d.minor, d.n, :money_digits::int) END AS revenue_a_day,
       CASE WHEN d.counted > 0 THEN money_ratio_of(d.minor, d.counted, :money_digits::int) END AS avg_order_value
FROM generate_series(1, 7) w(day)
LEFT JOIN LATERAL (
	SELECT count(DISTINCT business_date) AS n, sum(order_count) AS placed, sum(served_count) AS counted,
	       sum(CASE WHEN :basis = 'transaction_date' THEN booked_minor ELSE revenue_minor END) AS minor
	FROM daily_revenue_cache
	WHERE business_date BETWEEN :from_day::date AND :to_day::date AND extract(isodow FROM business_date) = w.day
	  AND currency = :currency AND (:location_id::int IS NULL OR location_id = :location_id::int)
) d ON true
ORDER BY w.day

-- name: report_by_hour
-- The 24 hours of all the days, in the order of the business day. An hour that a change of
-- clocks repeats or leaves out counts with the time it had.
SELECT h.hour, sum(h.orders)::bigint AS orders, sum(h.placed)::bigint AS placed, money_of(sum(h.minor), :money_digits::int) AS revenue,
       sum(h.seconds)::bigint AS seconds, half_even(sum(h.orders) * 3600 / nullif(sum(h.seconds), 0), 2) AS orders_an_hour,
       money_ratio_of(sum(h.minor) * 3600, nullif(sum(h.seconds), 0), :money_digits::int) AS revenue_an_hour
FROM (SELECT business_date, hour, sum(orders_shown(:revenue_profile, served_count, order_count)) AS orders, sum(order_count) AS placed,
             sum(revenue_minor) AS minor, max(seconds) AS seconds
      FROM hourly_order_cache
      WHERE business_date BETWEEN :from_day::date AND :to_day::date AND currency = :currency
        AND (:location_id::int IS NULL OR location_id = :location_id::int)
      GROUP BY business_date, hour) h
GROUP BY h.hour ORDER BY (h.hour - :cutoff_hours::int + 24) % 24

-- name: report_heatmap
-- Each hour of each weekday, Monday first, hours in the order of the business day.
SELECT h.weekday_n, h.hour, count(*) AS days_n, sum(h.orders)::bigint AS orders, money_of(sum(h.minor), :money_digits::int) AS revenue,
       sum(h.seconds)::bigint AS seconds, half_even(sum(h.orders) * 3600 / nullif(sum(h.seconds), 0), 2) AS orders_an_hour,
       money_ratio_of(sum(h.minor) * 3600, nullif(sum(h.seconds), 0), :money_digits::int) AS revenue_an_hour
FROM (SELECT extract(isodow FROM business_date)::int AS weekday_n, hour, sum(orders_shown(:revenue_profile, served_count, order_count)) AS orders,
             sum(revenue_minor) AS minor, max(seconds) AS seconds
      FROM hourly_order_cache
      WHERE business_date BETWEEN :from_day::date AND :to_day::date AND currency = :currency
        AND (:location_id::int IS NULL OR location_id = :location_id::int)
      GROUP BY business_date, hour) h
GROUP BY h.weekday_n, h.hour ORDER BY h.weekday_n, (h.hour - :cutoff_hours::int + 24) % 24

-- name: page_heat
-- The same as a row for each hour in which there were orders, with a mean and a depth of
-- colour (0 to 7) for each weekday. Hours before the first and after the last are left out.
WITH cell AS MATERIALIZED (
	SELECT h.weekday_n AS d, h.hour, (h.hour - :cutoff_hours::int + 24) % 24 AS at,
	       CASE :by WHEN 'revenue' THEN money_ratio_of(sum(h.minor) * 3600, nullif(sum(h.seconds), 0), 0)
	                ELSE half_even(sum(h.orders) * 3600 / nullif(sum(h.seconds), 0), 1) END AS mean, sum(h.orders) > 0 AS open
	FROM (SELECT extract(isodow FROM business_date)::int AS weekday_n, hour, sum(orders_shown(:revenue_profile, served_count, order_count)) AS orders,
	             sum(revenue_minor) / 10::numeric ^ :money_digits::int AS minor, max(seconds) AS seconds
	      FROM hourly_order_cache
	      WHERE business_date BETWEEN :from_day::date AND :to_day::date AND currency = :currency
	        AND (:location_id::int IS NULL OR location_id = :location_id::int)
	      GROUP BY business_date, hour) h
	GROUP BY h.weekday_n, h.hour
), shade AS (
	SELECT d, hour, at, CASE WHEN open THEN mean END AS mean, CASE WHEN mean > 0 THEN ceil(7 * mean / max(mean) OVER ()) ELSE 0 END AS level
	FROM cell
)
SELECT hour, max(mean) FILTER (WHERE d = 1) AS mon, max(level) FILTER (WHERE d = 1) AS mon_level,
       max(mean) FILTER (WHERE d = 2) AS tue, max(level) FILTER (WHERE d = 2) AS tue_level,
       max(mean) FILTER (WHERE d = 3) AS wed, max(level) FILTER (WHERE d = 3) AS wed_level,
       max(mean) FILTER (WHERE d = 4) AS thu, max(level) FILTER (WHERE d = 4) AS thu_level,
       max(mean) FILTER (WHERE d = 5) AS fri, max(level) FILTER (WHERE d = 5) AS fri_level,
       max(mean) FILTER (WHERE d = 6) AS sat, max(level) FILTER (WHERE d = 6) AS sat_level,
       max(mean) FILTER (WHERE d = 7) AS sun, max(level) FILTER (WHERE d = 7) AS sun_level
FROM shade
WHERE at BETWEEN (SELECT min(at) FROM cell WHERE open) AND (SELECT max(at) FROM cell WHERE open)
GROUP BY hour, at ORDER BY at

-- name: page_peaks
-- The busiest five hours of the week and the quietest five in which there were orders at all.
WITH cell AS MATERIALIZED (
	SELECT h.weekday_n, h.hour, (h.hour - :cutoff_hours::int + 24) % 24 AS at,
	       half_even(sum(h.orders) * 3600 / nullif(sum(h.seconds), 0), 2) AS orders_an_hour,
	       money_ratio_of(sum(h.minor) * 3600, nullif(sum(h.seconds), 0), :money_digits::int) AS revenue_an_hour
	FROM (SELECT extract(isodow FROM business_date)::int AS weekday_n, hour, sum(orders_shown(:revenue_profile, served_count, order_count)) AS orders,
	             sum(revenue_minor) AS minor, max(seconds) AS seconds
	      FROM hourly_order_cache
	      WHERE business_date BETWEEN :from_day::date AND :to_day::date AND currency = :currency
	        AND (:location_id::int IS NULL OR location_id = :location_id::int)
	      GROUP BY business_date, hour) h
	GROUP BY h.weekday_n, h.hour
	HAVING sum(h.orders) > 0
), ranked AS (
	SELECT *, row_number() OVER (ORDER BY CASE :by WHEN 'revenue' THEN revenue_an_hour ELSE orders_an_hour END DESC, weekday_n, at) AS down,
	       row_number() OVER (ORDER BY CASE :by WHEN 'revenue' THEN revenue_an_hour ELSE orders_an_hour END, weekday_n, at) AS up
	FROM cell
)
SELECT to_char('2024-01-01'::date + weekday_n - 1, 'FMDay') AS weekday, hour AS peak_hour, orders_an_hour, revenue_an_hour, down <= 5 AS is_busy
FROM ranked WHERE down <= 5 OR up <= 5 ORDER BY down <= 5 DESC, CASE WHEN down <= 5 THEN down ELSE up END

-- name: report_items_list
-- Items by what :sort says, filtered by :q, :limit of them after the first :cursor. Shares are of
-- all item sales of the days, whatever is searched for.
WITH sold AS (
	SELECT i.item_id, (array_agg(i.name ORDER BY i.business_date DESC, i.location_id))[1] AS name,
	       sum(i.quantity) FILTER (WHERE i.business_date >= :from_day::date) AS quantity,
	       sum(i.revenue_minor) FILTER (WHERE i.business_date >= :from_day::date) AS minor,
	       sum(i.order_count) FILTER (WHERE i.business_date >= :from_day::date)::bigint AS orders,
	       coalesce(sum(i.revenue_minor) FILTER (WHERE i.business_date < :from_day::date), 0) AS base_minor
	FROM item_sales_cache i
	WHERE (i.business_date BETWEEN :from_day::date AND :to_day::date OR i.business_date BETWEEN :base_from::date AND :base_to::date)
	  AND i.currency = :currency AND (:location_id::int IS NULL OR i.location_id = :location_id::int)
	GROUP BY i.item_id
	HAVING count(*) FILTER (WHERE i.business_date >= :from_day::date) > 0
), computed AS MATERIALIZED (
	SELECT count(DISTINCT business_date) FILTER (WHERE business_date >= :from_day::date) AS n,
	       count(DISTINCT business_date) FILTER (WHERE business_date < :from_day::date) AS base_n
	FROM daily_revenue_cache
	WHERE business_date BETWEEN :from_day::date AND :to_day::date OR business_date BETWEEN :base_from::date AND :base_to::date
), figure AS (
	SELECT s.*, sum(s.minor) OVER () AS total, max(s.minor) OVER () AS most, g.rate, g.status
	FROM sold s, computed c, LATERAL growth(s.minor, c.n, s.base_minor, c.base_n, c.n::int) g
), ranked AS (
	SELECT f.*, count(*) OVER () AS items_n, row_number() OVER (
	           ORDER BY CASE :sort WHEN 'revenue' THEN -f.minor WHEN 'revenue_up' THEN f.minor
	                               WHEN 'quantity' THEN -f.quantity WHEN 'quantity_up' THEN f.quantity
	                               WHEN 'orders' THEN -f.orders WHEN 'orders_up' THEN f.orders
	                               WHEN 'change' THEN -f.rate WHEN 'change_up' THEN f.rate END NULLS LAST,
	                    CASE :sort WHEN 'name' THEN lower(f.name) END, CASE :sort WHEN 'name_down' THEN lower(f.name) END DESC,
	                    f.minor DESC, f.quantity DESC, f.item_id) AS rank
	FROM figure f
	WHERE :q::text IS NULL OR position(lower(:q) IN lower(f.name)) > 0 OR lower(f.item_id) = lower(:q)
)
SELECT rank, item_id, name, quantity, money_of(minor, :money_digits::int) AS revenue, orders,
       CASE WHEN total > 0 THEN half_even(minor * 100 / total, 2) END AS share,
       CASE WHEN most > 0 THEN half_even(greatest(minor, 0) * 100 / most, 1) END AS bar,
       rate AS item_sales_change, status = 'ok' AS has_change, status = 'new' AS is_new, items_n,
       rank = items_n AND rank = :cursor::bigint + 1 AS is_only, rank = :cursor::bigint + 1 AS is_first,
       rank = :cursor::bigint + :limit::bigint AND rank < items_n AS has_more,
       rank = least(:cursor::bigint + :limit::bigint, items_n) AS is_last,
       :cursor::bigint > 0 AS has_earlier, greatest(:cursor::bigint - :limit::bigint, 0) AS earlier_cursor
FROM ranked WHERE rank > :cursor::bigint AND rank <= :cursor::bigint + :limit::bigint
ORDER BY rank

-- name: page_item
-- One item, all of the days together. No row where it was never sold.
WITH sold AS (
	SELECT (array_agg(i.name ORDER BY i.business_date DESC, i.location_id))[1] AS name, min(i.business_date) AS first_sold, max(i.business_date) AS last_sold,
	       coalesce(sum(i.quantity) FILTER (WHERE i.business_date BETWEEN :from_day::date AND :last_day::date), 0) AS quantity,
	       coalesce(sum(i.revenue_minor) FILTER (WHERE i.business_date BETWEEN :from_day::date AND :last_day::date), 0) AS minor,
	       coalesce(sum(i.order_count) FILTER (WHERE i.business_date BETWEEN :from_day::date AND :last_day::date), 0)::bigint AS orders,
	       coalesce(sum(i.quantity) FILTER (WHERE i.business_date BETWEEN :base_from::date AND :base_to::date), 0) AS base_quantity,
	       coalesce(sum(i.revenue_minor) FILTER (WHERE i.business_date BETWEEN :base_from::date AND :base_to::date), 0) AS base_minor
	FROM item_sales_cache i
	WHERE i.item_id = :item_id AND i.currency = :currency AND (:location_id::int IS NULL OR i.location_id = :location_id::int)
	HAVING count(*) > 0
)
SELECT :item_id::text AS item_id, s.name, s.first_sold, s.last_sold, s.quantity, money_of(s.minor, :money_digits::int) AS item_sales, s.orders,
       CASE WHEN d.minor > 0 THEN half_even(s.minor * 100 / d.minor, 2) END AS share,
       CASE WHEN d.counted > 0 THEN half_even(s.orders * 100.0 / d.counted, 2) END AS orders_with_share,
       CASE WHEN s.quantity > 0 THEN money_ratio_of(s.minor, s.quantity, :money_digits::int) END AS price_mean,
       gm.rate AS item_sales_change, gm.status = 'ok' AS has_item_sales_change, gm.status = 'new' AS is_item_sales_new,
       gm.status IN ('no_base', 'incomplete_base', 'incomplete') AS has_no_base,
       gq.rate AS quantity_change, gq.status = 'ok' AS has_quantity_change
FROM sold s,
     LATERAL (SELECT sum(item_minor) FILTER (WHERE business_date >= :from_day::date) AS minor,
                     sum(served_count) FILTER (WHERE business_date >= :from_day::date) AS counted,
                     count(DISTINCT business_date) FILTER (WHERE business_date >= :from_day::date) AS n,
                     count(DISTINCT business_date) FILTER (WHERE business_date < :from_day::date) AS base_n
              FROM daily_revenue_cache
              WHERE (business_date BETWEEN :from_day::date AND :last_day::date OR business_date BETWEEN :base_from::date AND :base_to::date)
                AND currency = :currency AND (:location_id::int IS NULL OR location_id = :location_id::int)) d,
     LATERAL growth(s.minor, d.n, s.base_minor, d.base_n, :days_n::int) gm,
     LATERAL growth(s.quantity, d.n, s.base_quantity, d.base_n, :days_n::int) gq

-- name: report_item_days
-- One item on each day, or in each week or month, newest first; 0 where it was not sold, NULL
-- where the day is not computed.
WITH day AS (
	SELECT d::date AS day, date_trunc(:step, d)::date AS unit, n.item_qty IS NULL AS uncomputed,
	       CASE WHEN n.item_qty IS NOT NULL THEN coalesce(i.quantity, 0) END AS qty, CASE WHEN n.item_qty IS NOT NULL THEN coalesce(i.minor, 0) END AS minor,
	       CASE WHEN n.item_qty IS NOT NULL THEN coalesce(i.orders, 0) END AS orders, b.quantity AS base_qty, n.placed
	FROM generate_series(:from_day::timestamp, least(:to_day::date, :newest_day::date)::timestamp, interval '1 day') d
	LEFT JOIN (SELECT business_date, sum(item_qty) AS item_qty, sum(order_count) AS placed FROM daily_revenue_cache
	           WHERE business_date BETWEEN :from_day::date AND :to_day::date AND currency = :currency
	             AND (:location_id::int IS NULL OR location_id = :location_id::int)
	           GROUP BY business_date) n ON n.business_date = d::date
	LEFT JOIN (SELECT business_date, sum(quantity) AS quantity, sum(revenue_minor) AS minor, sum(order_count) AS orders FROM item_sales_cache
	           WHERE item_id = :item_id AND business_date BETWEEN :from_day::date AND :to_day::date AND currency = :currency
	             AND (:location_id::int IS NULL OR location_id = :location_id::int)
	           GROUP BY business_date) i ON i.business_date = d::date
	LEFT JOIN (SELECT business_date, sum(quantity) AS quantity FROM item_sales_cache
	           WHERE item_id = :item_id AND business_date BETWEEN :base_from::date AND :base_to::date AND currency = :currency
	             AND (:location_id::int IS NULL OR location_id = :location_id::int)
	           GROUP BY business_date) b ON b.business_date = d::date - (:from_day::date - :base_from::date)
)
SELECT min(day) AS date, max(day) AS to_date, sum(qty) AS quantity, money_of(sum(minor), :money_digits::int) AS revenue, sum(orders)::bigint AS orders,
       CASE WHEN :base_from::date IS NOT NULL THEN coalesce(sum(base_qty), 0) END AS base_quantity, sum(placed) = 0 AS closed, bool_and(uncomputed) AS uncomputed,
       count(*) AS days_n, count(*) = 1 AS is_one_day, false AS is_running,
       count(*) < CASE :step WHEN 'week' THEN 7 WHEN 'month' THEN (unit + interval '1 month')::date - unit ELSE 1 END AS is_partial,
       CASE :step WHEN 'month' THEN to_char(unit, 'FMMonth YYYY')
                                       WHEN 'week' THEN to_char(min(day), 'FMDD Mon') || ' – ' || to_char(max(day), 'FMDD Mon YYYY') END AS unit_words
FROM day GROUP BY unit ORDER BY unit DESC

-- name: report_by_location
-- Each location; together they are the whole.
SELECT location_id, money_of(minor, :money_digits::int) AS revenue, orders_shown(:revenue_profile, counted, placed) AS orders,
       CASE WHEN counted > 0 THEN money_ratio_of(minor, counted, :money_digits::int) END AS avg_order_value,
       CASE WHEN sum(minor) OVER () > 0 THEN half_even(minor * 100 / sum(minor) OVER (), 2) END AS revenue_share
FROM (SELECT location_id, sum(CASE WHEN :basis = 'transaction_date' THEN booked_minor ELSE revenue_minor END) AS minor,
             sum(order_count) AS placed, sum(served_count) AS counted
      FROM daily_revenue_cache
      WHERE business_date BETWEEN :from_day::date AND :to_day::date AND currency = :currency
        AND (:location_id::int IS NULL OR location_id = :location_id::int)
      GROUP BY location_id) d
ORDER BY minor DESC, location_id

-- name: report_by_currency
-- Each currency; they are never added.
SELECT currency, money_of(sum(CASE WHEN :basis = 'transaction_date' THEN booked_minor ELSE revenue_minor END), money_exponent(currency)) AS revenue,
       orders_shown(:revenue_profile, sum(served_count), sum(order_count)) AS orders,
       CASE WHEN sum(served_count) > 0 THEN money_ratio_of(sum(CASE WHEN :basis = 'transaction_date' THEN booked_minor ELSE revenue_minor END),
                                                           sum(served_count), money_exponent(currency)) END AS avg_order_value
FROM daily_revenue_cache
WHERE business_date BETWEEN :from_day::date AND :to_day::date AND (:location_id::int IS NULL OR location_id = :location_id::int)
GROUP BY currency ORDER BY currency

-- name: report_bridge
-- From what was asked for to what is left, line by line; each total is the sum of the lines before it
-- since the one above, to the cent. Lines without money are left out; tax and shipping are known by
-- order date only.
SELECT l.line, money_of(l.minor, :money_digits::int) AS amount, l.is_total, l.at = first_value(l.at) OVER (ORDER BY l.at) AS is_first,
       l.line = 'before_discounts' AS is_before_discounts, l.line = 'discounts' AS is_discounts, l.line = 'gross' AS is_gross,
       l.line = 'refunds' AS is_refunds, l.line = 'dated_otherwise' AS is_dated_otherwise, l.line = 'total_revenue' AS is_total_revenue,
       l.line = 'tax' AS is_tax, l.line = 'shipping' AS is_shipping, l.line = 'net' AS is_net
FROM (SELECT sum(gross_minor) AS gross, sum(refund_minor) AS refund, sum(discount_minor) AS discount, sum(tax_minor) AS tax,
             sum(shipping_minor) AS shipping, sum(revenue_minor) AS revenue,
             sum(CASE WHEN :basis = 'transaction_date' THEN booked_minor ELSE revenue_minor END) AS shown
      FROM daily_revenue_cache
      WHERE business_date BETWEEN :from_day::date AND :to_day::date AND currency = :currency
        AND (:location_id::int IS NULL OR location_id = :location_id::int)
      HAVING count(*) > 0) d,
     LATERAL (VALUES (1, 'before_discounts', gross + discount, true), (2, 'discounts', -discount, false), (3, 'gross', gross, true),
                     (4, 'refunds', -refund, false), (5, 'dated_otherwise', shown - revenue, false), (6, 'total_revenue', shown, true),
                     (7, 'tax', -tax, false), (8, 'shipping', -shipping, false), (9, 'net', shown - tax - shipping, true)) l(at, line, minor, is_total)
WHERE (l.is_total OR l.minor <> 0) AND (l.line <> 'before_discounts' OR discount <> 0) AND (l.line <> 'net' OR tax <> 0 OR shipping <> 0)
  AND (l.at < 7 OR :basis = 'order_date')
ORDER BY l.at

-- name: page_item_name
-- The newest name of an item; no row where it was never sold.
SELECT item_id, name FROM item_sales_cache
WHERE item_id = :item_id AND currency = :currency AND (:location_id::int IS NULL OR location_id = :location_id::int)
ORDER BY business_date DESC, location_id LIMIT 1

-- name: report_computed
-- How many of the days are computed; no row where none is.
SELECT count(DISTINCT business_date) AS days_computed FROM daily_revenue_cache
WHERE business_date BETWEEN :from_day::date AND :to_day::date AND currency = :currency
  AND (:location_id::int IS NULL OR location_id = :location_id::int)
HAVING count(*) > 0
