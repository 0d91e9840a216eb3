-- page.sql: what the pages of figures ask. page_scope comes first; its columns are the
-- parameters of the statements after it, so that days, currency and zone are resolved
-- once a page.

-- name: page_scope
-- The days a page is about and is compared with, and what stands beside its figures.
-- No row before the first run.
SELECT p.from_day, p.to_day, p.last_day, p.days_n, p.base_from, p.base_to, p.running, p.newest_day, p.today,
       p.oldest_day AS first_day, s.due_day, p.newest_day < s.due_day AS late,
       s.currency, money_exponent(s.currency) AS money_digits, s.timezone AS tz, s.revenue_profile, s.cutoff_hours,
       CASE WHEN p.from_day = p.to_day THEN p.to_day END AS date, -- of the statements of one day
       p.from_day AS "from", greatest(p.from_day, p.last_day) AS "to", p.to_day AS to_date, p.from_day = p.to_day AS is_day,
       p.from_day = p.to_day AND p.to_day <= p.newest_day AS is_closed_day, p.from_day <> p.to_day AS is_range,
       p.days_n > 0 AS has_days, p.running AND p.from_day <> p.to_day AND p.days_n > 0 AS so_far,
       p.from_day = p.to_day AND p.to_day = p.today AS is_today, p.to_day = p.today - 1 AS is_yesterday,
       coalesce(p.base_to >= p.oldest_day, false) AS has_base, s.complete, :basis = 'transaction_date' AS by_transaction,
       st.step, st.step = 'day' AS by_day, st.step = 'week' AS by_week, st.step = 'month' AS by_month,
       (SELECT count(DISTINCT location_id) > 1 FROM series) AND :location_id::int IS NULL AS has_locations,
       (SELECT count(DISTINCT x.currency) > 1 FROM series x) AND :currency::text IS NULL AS has_currencies,
       CASE WHEN :date::date IS NOT NULL OR :from::date IS NOT NULL OR :period = 'newest' THEN NULL
            WHEN :period = 'all' THEN 'All days' WHEN :period ~ 'd$' THEN 'Last ' || p.days_n || ' days'
            WHEN :period IN ('week', 'month', 'year') THEN 'This ' || :period
            ELSE upper(left(:period, 1)) || replace(substr(:period, 2), '_', ' ') END AS period_words,
       CASE WHEN p.base_from IS NULL THEN NULL
            WHEN :compare = 'year' THEN 'the same weekday' || left('s', (p.days_n > 1)::int) || ' a year before'
            WHEN :compare = 'weekdays' AND p.days_n = 1 THEN 'the ' || to_char(p.base_to, 'FMDay') || ' before'
            WHEN :compare = 'weekdays' THEN 'the same weekdays before'
            WHEN p.days_n = 1 THEN 'the day before'
            WHEN p.running AND :period IN ('week', 'month', 'year') AND :from::date IS NULL AND :date::date IS NULL
            THEN 'the same days of last ' || :period
            ELSE 'the ' || p.days_n || ' days before' END AS base_words,
       (SELECT max(business_date) FROM daily_revenue_cache WHERE business_date < p.from_day) AS previous_day,
       (SELECT min(business_date) FROM daily_revenue_cache WHERE business_date > p.to_day) AS next_day,
       CASE WHEN p.from_day > p.oldest_day THEN p.from_day - (p.to_day - p.from_day + 1) END AS earlier_from,
       p.from_day - 1 AS earlier_to,
       CASE WHEN p.to_day < p.newest_day THEN p.to_day + 1 END AS later_from,
       p.to_day + (p.to_day - p.from_day + 1) AS later_to,
       to_char(p.to_day, 'FMDay') AS weekday,
       (SELECT sum(order_count) = 0 FROM daily_revenue_cache d
        WHERE business_date BETWEEN p.from_day AND p.last_day AND d.currency = s.currency
          AND (:location_id::int IS NULL OR location_id = :location_id::int)) AS closed,
       (SELECT string_agg(DISTINCT d.currency, ', ') FROM daily_revenue_cache d
        WHERE business_date BETWEEN p.from_day AND p.last_day AND d.currency <> s.currency AND order_count > 0
          AND (:location_id::int IS NULL OR location_id = :location_id::int)) AS other_currencies,
       CASE WHEN counted_statuses <> '' THEN counted_statuses WHEN revenue_profile = 'restaurant' THEN 'SERVED' END
           AS counted_words,
       to_char(make_interval(hours => cutoff_hours), 'HH24:MI') AS day_begins,
       trim_scale(extract(epoch FROM s.ends_at - s.starts_at) / 3600) AS hours_n, -- 23 or 25 where the clock is changed
       p.from_day = p.to_day AND s.ends_at - s.starts_at <> interval '24 hours' AS clock_changed,
       (s.computed_at AT TIME ZONE timezone)::date AS computed_date,
       to_char(s.computed_at AT TIME ZONE timezone, 'HH24:MI') AS computed_time,
       (s.computed_at AT TIME ZONE timezone)::date = (now() AT TIME ZONE timezone)::date AS computed_today,
       to_char(now() AT TIME ZONE timezone, 'HH24:MI') AS time_now,
       :location_id::int AS location_id, :currency::text AS currency_asked
FROM report_period(:period, :date::date, :from::date, :to::date, :compare) p,
     report_scope(NULL, p.from_day, greatest(p.from_day, p.last_day), 1, :currency) s,
     LATERAL (SELECT coalesce(:step::text, CASE WHEN p.days_n <= 100 THEN 'day' WHEN p.days_n <= 800 THEN 'week' ELSE 'month' END) AS step) st

-- name: page_known
-- One row where there are figures of the days, or will be soon.
SELECT 1 AS known
WHERE EXISTS (SELECT FROM daily_revenue_cache
              WHERE business_date BETWEEN :from_day::date AND :last_day::date AND currency = :currency
                AND location_id = coalesce(:location_id::int, location_id))
   OR (:days_n::int = 0 AND :from_day::date <= :today::date
       AND EXISTS (SELECT FROM series WHERE currency = :currency AND location_id = coalesce(:location_id::int, location_id)))

-- name: page_totals
-- The days together, what they are compared with, and the change of each. Figures of days
-- that are not computed are NULL, not 0.
WITH figure AS MATERIALIZED (
	SELECT business_date >= :from_day::date AS is_now, count(DISTINCT business_date) AS n,
	       sum(CASE WHEN :by_transaction::boolean THEN booked_minor ELSE revenue_minor END) AS minor,
	       sum(order_count) AS placed, sum(served_count) AS counted, sum(item_qty) AS qty, sum(item_minor) AS items,
	       sum(gross_minor) AS gross, sum(refund_minor) AS refund, sum(discount_minor) AS discount, sum(tax_minor) AS tax,
	       sum(shipping_minor) AS shipping, sum(tip_minor) AS tip, sum(revenue_minor) AS by_order
	FROM daily_revenue_cache
	WHERE (business_date BETWEEN :from_day::date AND :last_day::date
	       OR business_date BETWEEN :base_from::date AND :base_to::date)
	  AND currency = :currency AND (:location_id::int IS NULL OR location_id = :location_id::int)
	GROUP BY is_now
)
SELECT money_of(n.minor, :money_digits::int) AS total_revenue, orders_shown(:revenue_profile, n.counted, n.placed) AS total_orders,
       CASE WHEN n.counted > 0 THEN money_ratio_of(n.minor, n.counted, :money_digits::int) END AS avg_order_value, n.qty AS items_sold,
       n.placed::bigint AS placed_orders, n.counted::bigint AS counted_orders, n.n AS days_computed,
       money_of(n.gross + n.discount, :money_digits::int) AS before_discounts, money_of(n.discount, :money_digits::int) AS discounts, money_of(n.gross, :money_digits::int) AS gross,
       money_of(n.refund, :money_digits::int) AS refunds, money_of(n.by_order, :money_digits::int) AS revenue, money_of(n.tax, :money_digits::int) AS tax,
       money_of(n.shipping, :money_digits::int) AS shipping, money_of(n.by_order - n.tax - n.shipping, :money_digits::int) AS net, money_of(n.tip, :money_digits::int) AS tips,
       money_of(n.minor - n.by_order, :money_digits::int) AS dated_otherwise, money_of(n.items, :money_digits::int) AS item_sales,
       money_of(b.minor, :money_digits::int) AS base_revenue, orders_shown(:revenue_profile, b.counted, b.placed) AS base_orders,
       CASE WHEN b.counted > 0 THEN money_ratio_of(b.minor, b.counted, :money_digits::int) END AS base_avg_order_value,
       b.qty AS base_items_sold, b.placed::bigint AS base_placed_orders,
       gr.rate AS revenue_change, gr.status = 'ok' AS has_revenue_change, gr.status = 'new' AS is_revenue_new,
       gr.status IN ('no_base', 'incomplete_base', 'incomplete') AS has_no_base,
       go.rate AS orders_change, go.status = 'ok' AS has_orders_change, go.status = 'new' AS is_orders_new,
       ga.rate AS avg_order_value_change, ga.status = 'ok' AS has_avg_order_value_change,
       gi.rate AS items_sold_change, gi.status = 'ok' AS has_items_sold_change
FROM (SELECT) one
LEFT JOIN figure n ON n.is_now
LEFT JOIN figure b ON NOT b.is_now,
LATERAL growth(n.minor, n.n, b.minor, b.n, :days_n::int) gr,
LATERAL growth(orders_shown(:revenue_profile, n.counted, n.placed), n.n,
               orders_shown(:revenue_profile, b.counted, b.placed), b.n, :days_n::int) go,
LATERAL growth(n.minor / nullif(n.counted, 0), n.n, b.minor / nullif(b.counted, 0), b.n, :days_n::int) ga,
LATERAL growth(n.qty, n.n, b.qty, b.n, :days_n::int) gi

-- name: page_days
-- A row for each day, week or month of the days shown, newest first, and beside it the days
-- it is compared with. A week or a month at the edge may have fewer days than others.
WITH figure AS MATERIALIZED (
	SELECT business_date, sum(CASE WHEN :by_transaction::boolean THEN booked_minor ELSE revenue_minor END) AS minor,
	       sum(order_count) AS placed, sum(served_count) AS counted, sum(item_qty) AS qty
	FROM daily_revenue_cache
	WHERE (business_date BETWEEN :from_day::date AND :last_day::date
	       OR business_date BETWEEN :base_from::date AND :base_to::date)
	  AND currency = :currency AND (:location_id::int IS NULL OR location_id = :location_id::int)
	GROUP BY business_date
), day AS (
	SELECT d::date AS day, date_trunc(:step, d)::date AS unit, n.*, b.business_date AS base_day, b.minor AS base_minor,
	       b.placed AS base_placed, b.counted AS base_counted, b.qty AS base_qty
	FROM generate_series(:from_day::timestamp, :last_day::timestamp, interval '1 day') d
	LEFT JOIN figure n ON n.business_date = d::date
	LEFT JOIN figure b ON b.business_date = d::date - (:from_day::date - :base_from::date)
)
SELECT min(day) AS date, max(day) AS to_date, count(*) AS days_n, money_of(sum(minor), :money_digits::int) AS revenue,
       orders_shown(:revenue_profile, sum(counted), sum(placed)) AS orders,
       CASE WHEN sum(counted) > 0 THEN money_ratio_of(sum(minor), sum(counted), :money_digits::int) END AS avg_order_value,
       sum(qty) AS items_sold, sum(placed) = 0 AS closed, count(minor) = 0 AS uncomputed, count(minor) < count(*) AS has_gap,
       count(*) < CASE :step WHEN 'week' THEN 7 WHEN 'month' THEN (unit + interval '1 month')::date - unit ELSE 1 END AS is_partial,
       :running::boolean AND bool_or(day = :last_day::date) AND :step <> 'day' AS is_running,
       min(base_day) AS base_date, money_of(sum(base_minor), :money_digits::int) AS base_revenue,
       orders_shown(:revenue_profile, sum(base_counted), sum(base_placed)) AS base_orders,
       CASE WHEN sum(base_counted) > 0 THEN money_ratio_of(sum(base_minor), sum(base_counted), :money_digits::int) END AS base_avg_order_value,
       sum(base_qty) AS base_items_sold, count(base_minor) > 0 AS has_base, sum(base_placed) = 0 AS base_closed, count(*) = 1 AS is_one_day,
       CASE :step WHEN 'month' THEN to_char(unit, 'FMMonth YYYY')
                  WHEN 'week' THEN to_char(min(day), 'FMDD Mon') || ' – ' || to_char(max(day), 'FMDD Mon') || CASE WHEN max(day) < now() - interval '300 days' THEN to_char(max(day), ' YYYY') ELSE '' END
                  END AS unit_words
FROM day GROUP BY unit ORDER BY unit DESC
