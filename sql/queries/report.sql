-- report.sql: the answers of /api/admin/analytics and of the pages.

-- name: report_envelope
-- What stands beside the figures of every answer.
SELECT now() AS as_of,
       json_build_object('from', starts_at, 'to', ends_at, 'tz', timezone, 'cutoff', cutoff_hours,
                          'from_date', from_day, 'to_date', to_day, 'complete', complete, 'partial', today BETWEEN from_day AND to_day,
                          'elapsed_s', CASE WHEN today BETWEEN from_day AND to_day THEN today_elapsed_s END) AS range,
       timezone AS tz, cutoff_hours AS cutoff, currency, coalesce(:basis, 'order_date') AS basis,
       from_day, to_day, least(to_day, newest_day) AS last_day, newest_day, to_day >= today AS running, cutoff_hours,
       revenue_profile, money_exponent(currency) AS money_digits, coalesce(:basis, 'order_date') = 'transaction_date' AS by_transaction,
       CASE WHEN to_day > newest_day THEN (SELECT last_day IS NOT NULL FROM live_reach()) ELSE false END AS is_live
FROM report_scope(:date::date, :from::date, :to::date, :days::int, :currency) s

-- name: report_missing
-- Why an answer has no figures: nothing was ever computed, or never of what `field` names.
SELECT CASE WHEN NOT EXISTS (SELECT FROM site) THEN 'the batch has not run yet: takings-batch run' END AS detail,
       CASE WHEN NOT EXISTS (SELECT FROM series) THEN NULL
            WHEN NOT EXISTS (SELECT FROM series WHERE currency = coalesce(:currency, currency)) THEN 'currency'
            WHEN NOT EXISTS (SELECT FROM series WHERE location_id = coalesce(:location_id::int, location_id)) THEN 'location_id'
            WHEN NOT EXISTS (SELECT FROM series WHERE currency = coalesce(:currency, currency)
                               AND location_id = coalesce(:location_id::int, location_id)) THEN 'currency'
       END AS field

-- name: report_summary
-- Totals of the days, and of as many days before and the same weekdays to compare
-- with. Days after the newest computed one are cut off, and the base moves with
-- them. One day that the batch has not closed yet is the stream's, compared with days
-- at the same time of theirs. No row where nobody knows any of the days.
WITH scope AS MATERIALIZED (
	SELECT s.from_day, s.to_day, s.newest_day, final_day, s.currency, s.revenue_profile, s.today, s.today_elapsed_s,
	       n.days_n, (n.days_n + 6) / 7 * 7 AS weeks_n
	FROM report_scope(:date::date, :from::date, :to::date, 1, :currency) s,
	     LATERAL (SELECT least(s.to_day, s.newest_day) AS final_day) f,
	     LATERAL (SELECT final_day - s.from_day + 1 AS days_n) n
), day AS MATERIALIZED (
	SELECT d.* FROM scope s,
	       LATERAL report_days(s.from_day - s.weeks_n, s.final_day, s.currency, :location_id::int,
	                           :basis = 'transaction_date') d
), figure AS (
	SELECT w.name, count(*) AS n, sum(d.revenue_minor) AS minor, sum(d.placed) AS placed, sum(d.counted) AS counted,
	       sum(d.gross_minor) AS gross, sum(d.refund_minor) AS refund, sum(d.item_minor) AS items, sum(d.item_qty) AS qty
	FROM scope s,
	     LATERAL (VALUES ('now', 0), ('previous', s.days_n), ('weekday', s.weeks_n)) w(name, back)
	JOIN day d ON true
	WHERE d.business_date BETWEEN s.from_day - w.back AND s.final_day - w.back
	GROUP BY w.name
), hour AS (
	SELECT h.hour, sum(orders_shown(s.revenue_profile, h.served_count, h.order_count)) AS orders
	FROM scope s, hourly_order_cache h
	WHERE h.business_date BETWEEN s.from_day AND s.final_day AND h.currency = s.currency
	  AND (:location_id::int IS NULL OR h.location_id = :location_id::int)
	GROUP BY h.hour
)
SELECT CASE WHEN s.from_day = s.final_day THEN s.final_day END AS date,
       money(n.minor, s.currency) AS total_revenue,
       orders_shown(s.revenue_profile, n.counted, n.placed) AS total_orders,
       money_ratio(n.minor, n.counted, s.currency) AS avg_order_value,
       (SELECT hour FROM hour WHERE orders > 0 ORDER BY orders DESC, hour LIMIT 1) AS peak_hour,
       gp.rate AS vs_previous_day, gp.status AS vs_previous_day_status,
       gw.rate AS vs_same_weekday, gw.status AS vs_same_weekday_status,
       n.placed::bigint AS placed_orders, n.counted::bigint AS counted_orders,
       money(n.gross, s.currency) AS gross, money(n.refund, s.currency) AS refunds,
       money(n.items, s.currency) AS item_sales, n.qty AS items_sold,
       CASE WHEN :basis = 'transaction_date'
            THEN json_build_array('gross', 'refunds', 'item_sales', 'items_sold', 'total_orders', 'placed_orders',
                                  'counted_orders', 'peak_hour') END AS by_order_date,
       json_build_object('from_date', s.from_day - s.days_n, 'to_date', s.final_day - s.days_n,
                         'days_computed', coalesce(p.n, 0), 'total_revenue', money(p.minor, s.currency),
                         'total_orders', orders_shown(s.revenue_profile, p.counted, p.placed)) AS previous_day,
       json_build_object('from_date', s.from_day - s.weeks_n, 'to_date', s.final_day - s.weeks_n,
                         'days_computed', coalesce(w.n, 0), 'total_revenue', money(w.minor, s.currency),
                         'total_orders', orders_shown(s.revenue_profile, w.counted, w.placed)) AS same_weekday
FROM scope s
JOIN figure n ON n.name = 'now'
LEFT JOIN figure p ON p.name = 'previous'
LEFT JOIN figure w ON w.name = 'weekday'
CROSS JOIN LATERAL growth(n.minor, n.n, p.minor, p.n, s.days_n) gp
CROSS JOIN LATERAL growth(n.minor, n.n, w.minor, w.n, s.days_n) gw
UNION ALL
SELECT d.business_date, money(d.revenue_minor, s.currency), orders_shown(s.revenue_profile, d.counted, d.placed),
       money_ratio(d.revenue_minor, d.counted, s.currency),
       (SELECT h.hour FROM live_hour h
        WHERE h.business_date = s.to_day AND h.currency = s.currency AND (:location_id::int IS NULL OR h.location_id = :location_id::int)
        GROUP BY h.hour HAVING sum(orders_shown(s.revenue_profile, h.counted, h.placed)) > 0
        ORDER BY sum(orders_shown(s.revenue_profile, h.counted, h.placed)) DESC, h.hour LIMIT 1),
       gp.rate, gp.status, gw.rate, gw.status, d.placed::bigint, d.counted::bigint, money(d.gross_minor, s.currency), money(d.refund_minor, s.currency),
       money(d.item_minor, s.currency), d.item_qty,
       CASE WHEN :basis = 'transaction_date'
            THEN json_build_array('gross', 'refunds', 'item_sales', 'items_sold', 'total_orders', 'placed_orders',
                                  'counted_orders', 'peak_hour') END,
       json_build_object('from_date', s.to_day - 1, 'to_date', s.to_day - 1, 'days_computed', num_nonnulls(p.revenue_minor),
                         'total_revenue', money(p.revenue_minor, s.currency), 'total_orders', orders_shown(s.revenue_profile, p.counted, p.placed)),
       json_build_object('from_date', s.to_day - 7, 'to_date', s.to_day - 7, 'days_computed', num_nonnulls(w.revenue_minor),
                         'total_revenue', money(w.revenue_minor, s.currency), 'total_orders', orders_shown(s.revenue_profile, w.counted, w.placed))
FROM scope s
CROSS JOIN LATERAL (SELECT CASE WHEN s.to_day = s.today THEN s.today_elapsed_s ELSE 2 * 86400 END AS elapsed_s) e -- all of a day that is over
CROSS JOIN LATERAL live_days(s.newest_day + 1, s.to_day, s.currency, :location_id::int, :basis = 'transaction_date') d
LEFT JOIN LATERAL (SELECT * FROM live_until(s.to_day - 1, e.elapsed_s, s.currency, :location_id::int) x WHERE :basis = 'order_date') p ON true
LEFT JOIN LATERAL (SELECT * FROM live_until(s.to_day - 7, e.elapsed_s, s.currency, :location_id::int) x WHERE :basis = 'order_date') w ON true
CROSS JOIN LATERAL growth(d.revenue_minor, 1, p.revenue_minor, num_nonnulls(p.revenue_minor), 1) gp
CROSS JOIN LATERAL growth(d.revenue_minor, 1, w.revenue_minor, num_nonnulls(w.revenue_minor), 1) gw
WHERE s.from_day = s.to_day AND s.to_day > s.newest_day AND d.business_date = s.to_day

-- name: report_currencies
-- Revenue in each currency; they are never added.
SELECT d.currency, money(sum(CASE WHEN :basis = 'transaction_date' THEN booked_minor ELSE revenue_minor END), d.currency)
           AS total_revenue,
       sum(orders_shown(s.revenue_profile, served_count, order_count))::bigint AS total_orders
FROM report_scope(:date::date, :from::date, :to::date, 1, :currency) s
JOIN daily_revenue_cache d ON d.business_date BETWEEN s.from_day AND s.to_day
WHERE :location_id::int IS NULL OR d.location_id = :location_id::int
GROUP BY d.currency ORDER BY d.currency

-- name: report_daily
-- A row a business day, oldest first; days that are not computed have none, but those after
-- the newest computed one are the stream's as far as it knows them. The unit of money is looked up once (OFFSET sees to that), which halves the cost of the rows.
SELECT d.business_date AS date, d.revenue_minor * m.unit AS total_revenue,
       orders_shown(s.revenue_profile, d.counted, d.placed) AS total_orders,
       CASE WHEN d.counted = 0 THEN 0 ELSE half_even(d.revenue_minor / d.counted, 0) END * m.unit AS avg_order_value,
       d.placed::bigint AS placed_orders, d.counted::bigint AS counted_orders, d.gross_minor * m.unit AS gross,
       d.refund_minor * m.unit AS refunds, d.item_minor * m.unit AS item_sales, d.item_qty AS items_sold, d.live AS partial
FROM report_scope(:date::date, :from::date, :to::date, :days::int, :currency) s,
     LATERAL (SELECT money_unit(s.currency) AS unit OFFSET 0) m,
     LATERAL (SELECT r.*, false AS live FROM report_days(s.from_day, s.to_day, s.currency, :location_id::int, :basis = 'transaction_date') r
              UNION ALL
              SELECT l.* FROM live_days(greatest(s.from_day, s.newest_day + 1), s.to_day, s.currency, :location_id::int, :basis = 'transaction_date') l
              WHERE s.to_day > s.newest_day) d
ORDER BY d.business_date

-- name: report_hours
-- 24 wall-clock hours. No row where nobody knows the day.
WITH scope AS MATERIALIZED (
	SELECT * FROM report_scope(:date::date, NULL, NULL, 1, :currency)
)
SELECT h.hour, sum(orders_shown(s.revenue_profile, h.served_count, h.order_count))::bigint AS orders,
       money(sum(h.revenue_minor), s.currency) AS revenue, max(h.seconds) AS seconds,
       sum(h.order_count)::bigint AS placed
FROM scope s
JOIN hourly_order_cache h ON h.business_date = s.to_day AND h.currency = s.currency
WHERE :location_id::int IS NULL OR h.location_id = :location_id::int
GROUP BY h.hour, s.currency
UNION ALL
SELECT l.hour, orders_shown(s.revenue_profile, l.counted, l.placed), money(l.revenue_minor, s.currency), l.seconds, l.placed::bigint
FROM scope s, LATERAL live_clock_hours(s.to_day, s.currency, :location_id::int) l
WHERE s.to_day > s.newest_day
ORDER BY 1

-- name: report_hours_of_day
-- The same in the order of the business day, which begins at the cutoff.
SELECT h.hour, sum(orders_shown(s.revenue_profile, h.served_count, h.order_count))::bigint AS orders,
       money(sum(h.revenue_minor), s.currency) AS revenue, max(h.seconds) AS seconds
FROM report_scope(:date::date, NULL, NULL, 1, :currency) s
JOIN hourly_order_cache h ON h.business_date = s.to_day AND h.currency = s.currency
WHERE :location_id::int IS NULL OR h.location_id = :location_id::int
GROUP BY h.hour, s.currency, s.cutoff_hours ORDER BY (h.hour - s.cutoff_hours + 24) % 24

-- name: report_items
-- The best items; of days that the batch has not closed, as the stream knows them.
SELECT i.item_id, i.name, i.quantity, money(i.minor, s.currency) AS revenue, i.orders,
       CASE WHEN i.total > 0 THEN half_even(i.minor * 100 / i.total, 2) END AS share
FROM report_scope(:date::date, :from::date, :to::date, :days::int, :currency) s,
     LATERAL (SELECT r.*, sum(r.minor) OVER () AS total
              FROM (SELECT * FROM report_items_ranked(s.from_day, s.to_day, s.currency, :location_id::int, :by) c
                    WHERE s.to_day <= s.newest_day
                    UNION ALL
                    SELECT * FROM live_items_ranked(s.from_day, s.to_day, s.currency, :location_id::int, :by) l
                    WHERE s.to_day > s.newest_day) r) i
WHERE i.rank <= :limit::int
ORDER BY i.rank

-- name: report_items_rest
-- What the list leaves out, and what no item explains: discounts, tips, tax,
-- shipping, rounding. item_sales + unallocated = revenue, to the cent. No row where
-- none of the days is computed.
SELECT json_build_object('items', i.n, 'quantity', i.quantity, 'revenue', money(i.rest, s.currency)) AS others,
       i.n AS others_n, i.n > 0 AS has_others, i.n = 1 AS has_one_other, money(i.rest, s.currency) AS others_revenue, money(i.total, s.currency) AS item_sales,
       money(d.minor - i.total, s.currency) AS unallocated, money(d.minor, s.currency) AS total_revenue
FROM report_scope(:date::date, :from::date, :to::date, :days::int, :currency) s,
     LATERAL (SELECT count(*) FILTER (WHERE rank > :limit::int) AS n,
                     coalesce(sum(quantity) FILTER (WHERE rank > :limit::int), 0) AS quantity,
                     coalesce(sum(minor) FILTER (WHERE rank > :limit::int), 0) AS rest, coalesce(sum(minor), 0) AS total
              FROM (SELECT * FROM report_items_ranked(s.from_day, s.to_day, s.currency, :location_id::int, :by) c
                    WHERE s.to_day <= s.newest_day
                    UNION ALL
                    SELECT * FROM live_items_ranked(s.from_day, s.to_day, s.currency, :location_id::int, :by) l
                    WHERE s.to_day > s.newest_day) r) i,
     LATERAL (SELECT sum(revenue_minor) AS minor
              FROM (SELECT c.revenue_minor FROM report_days(s.from_day, s.to_day, s.currency, :location_id::int, false) c
                    UNION ALL
                    SELECT l.revenue_minor FROM live_days(greatest(s.from_day, s.newest_day + 1), s.to_day, s.currency, :location_id::int, false) l
                    WHERE s.to_day > s.newest_day) x
              HAVING count(*) > 0) d

-- name: report_series
-- One row for each of the last :span days up to the day shown, newest first; days that are not
-- computed have no figures. No row where that is the day shown itself; before the
-- first run none has figures.
WITH scope AS MATERIALIZED (
	SELECT * FROM report_scope(:date::date, NULL, NULL, 1, :currency)
), final AS (
	SELECT coalesce(max(to_day), current_date) AS day, max(newest_day) IS NULL AS empty FROM scope
), figure AS MATERIALIZED (
	SELECT r.*, s.currency, s.revenue_profile
	FROM final f, scope s,
	     LATERAL report_days(f.day - :span::int + 1, f.day, s.currency, :location_id::int, :basis = 'transaction_date') r
)
SELECT d::date AS date, money(r.revenue_minor, r.currency) AS revenue,
       orders_shown(r.revenue_profile, r.counted, r.placed) AS orders,
       r.placed = 0 AS closed, r.placed IS NULL AS uncomputed, d::date = f.day AS is_shown,
       (f.day - d::date) % 7 = 0 AS is_weekday
FROM final f
CROSS JOIN generate_series((f.day - :span::int + 1)::timestamp, f.day::timestamp, interval '1 day') d
LEFT JOIN figure r ON r.business_date = d::date
WHERE f.empty OR EXISTS (SELECT FROM figure WHERE business_date = f.day)
ORDER BY 1 DESC

-- name: report_weekdays
-- The days to compare the day shown with: the same weekday over the last weeks,
-- newest first, then the day before. The words fit after "on".
WITH scope AS MATERIALIZED (
	SELECT * FROM report_scope(:date::date, NULL, NULL, 1, :currency)
), figure AS (
	SELECT b.back, s.to_day - b.back AS day, n.revenue_minor AS now_minor, r.revenue_minor AS minor, r.placed, r.counted,
	       g.*, s.*
	FROM scope s
	CROSS JOIN (VALUES (7), (14), (21), (28), (1)) b(back)
	LEFT JOIN LATERAL report_days(s.to_day, s.to_day, s.currency, :location_id::int, :basis = 'transaction_date') n ON true
	LEFT JOIN LATERAL report_days(s.to_day - b.back, s.to_day - b.back, s.currency, :location_id::int,
	                              :basis = 'transaction_date') r ON true
	CROSS JOIN LATERAL growth(n.revenue_minor, num_nonnulls(n.revenue_minor), r.revenue_minor,
	                          num_nonnulls(r.revenue_minor), 1) g
)
SELECT day AS date, money(minor, currency) AS revenue, orders_shown(revenue_profile, counted, placed) AS orders,
       money_ratio(minor, counted, currency) AS avg_order_value, rate AS vs_same_weekday, status = 'ok' AS has_base, status = 'new' AS is_new,
       status = 'negative_base' AS is_negative, now_minor = minor AS is_same,
       placed = 0 AS closed, minor IS NULL AS uncomputed, back = 1 AS is_day_before, back = 7 AS is_last,
       CASE WHEN back = 1 THEN 'the day before'
            WHEN to_day >= today - 7 THEN 'last ' || to_char(day, 'FMDay, FMDD Mon')
            ELSE 'the ' || to_char(day, 'FMDay') || ' before, ' || to_char(day, 'FMDD Mon') END AS words
FROM figure ORDER BY back = 1, back

-- name: report_restated
-- Closed days that changed in the last two weeks.
SELECT r.business_date AS date, money(r.revenue_was_minor, r.currency) AS revenue_was,
       money(r.revenue_now_minor, r.currency) AS revenue_now, r.orders_was, r.orders_now,
       r.orders_was <> r.orders_now AS orders_changed, r.currency,
       (r.noticed_at AT TIME ZONE u.timezone)::date AS noticed_date
FROM site
JOIN rules u USING (rules_id)
CROSS JOIN restatement r
WHERE r.noticed_at > now() - interval '14 days'
  AND (:location_id::int IS NULL OR r.location_id = :location_id::int)
ORDER BY r.noticed_at DESC, r.restatement_id DESC LIMIT 5
