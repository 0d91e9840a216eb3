-- day.sql: the transaction that replaces one business day (day_*), and the one that
-- replaces all of them when the rules change (all_*).

-- name: day_restate
-- Only a day that was there before; a series may be new on it, or gone from it.
INSERT INTO restatement (location_id, business_date, currency, revenue_was_minor, revenue_now_minor,
                         orders_was, orders_now, served_was, served_now, run_id, noticed_at)
SELECT location_id, :day::date, currency, coalesce(c.revenue_minor, 0), coalesce(n.revenue_minor, 0),
       coalesce(c.order_count, 0), coalesce(n.order_count, 0), coalesce(c.served_count, 0), coalesce(n.served_count, 0),
       :run_id::bigint, now()
FROM (SELECT * FROM daily_revenue_cache WHERE business_date = :day::date) c
FULL JOIN (SELECT * FROM next_daily WHERE business_date = :day::date) n USING (location_id, currency)
WHERE EXISTS (SELECT FROM daily_revenue_cache WHERE business_date = :day::date)
  AND (coalesce(c.revenue_minor, 0), coalesce(c.order_count, 0), coalesce(c.served_count, 0))
      <> (coalesce(n.revenue_minor, 0), coalesce(n.order_count, 0), coalesce(n.served_count, 0))

-- name: day_daily_delete
DELETE FROM daily_revenue_cache WHERE business_date = :day::date

-- name: day_daily_write
INSERT INTO daily_revenue_cache
SELECT location_id, business_date, currency, revenue_minor, booked_minor, gross_minor, refund_minor, discount_minor,
       tax_minor, shipping_minor, tip_minor, order_count, served_count, aov, item_qty, item_minor, orders_by_status,
       first_order_at, last_order_at, source_hash, :rules_id::int, :run_id::bigint, now()
FROM next_daily WHERE business_date = :day::date

-- name: day_hourly_delete
DELETE FROM hourly_order_cache WHERE business_date = :day::date

-- name: day_hourly_write
INSERT INTO hourly_order_cache
SELECT location_id, business_date, hour, currency, order_count, served_count, revenue_minor, seconds, :run_id::bigint, now()
FROM next_hourly WHERE business_date = :day::date

-- name: day_items_delete
DELETE FROM item_sales_cache WHERE business_date = :day::date

-- name: day_items_write
INSERT INTO item_sales_cache
SELECT location_id, business_date, item_id, currency, name, quantity, revenue_minor, order_count, :run_id::bigint, now()
FROM next_item WHERE business_date = :day::date

-- name: day_series
INSERT INTO series
SELECT location_id, currency, min(business_date) FROM next_daily
WHERE business_date = :day::date AND (order_count > 0 OR booked_minor <> 0 OR revenue_minor <> 0)
GROUP BY 1, 2
ON CONFLICT (location_id, currency) DO UPDATE SET first_date = excluded.first_date
WHERE series.first_date > excluded.first_date

-- name: day_publish
-- Readers hear of the change when, and only when, the day is committed.
WITH moved AS (UPDATE site SET data_version = data_version + 1 RETURNING data_version)
SELECT pg_notify('takings_data', data_version::text) FROM moved

-- name: all_delete
-- New rules: the same for every day of the plan at once.
-- A day that the new rules have not closed yet goes too.
WITH gone AS (SELECT business_date FROM plan_day WHERE changed
              UNION SELECT business_date FROM daily_revenue_cache WHERE business_date > :last::date),
     d AS (DELETE FROM daily_revenue_cache c USING gone g WHERE c.business_date = g.business_date),
     h AS (DELETE FROM hourly_order_cache c USING gone g WHERE c.business_date = g.business_date)
DELETE FROM item_sales_cache c USING gone g WHERE c.business_date = g.business_date

-- name: all_daily_write
INSERT INTO daily_revenue_cache
SELECT location_id, business_date, currency, revenue_minor, booked_minor, gross_minor, refund_minor, discount_minor,
       tax_minor, shipping_minor, tip_minor, order_count, served_count, aov, item_qty, item_minor, orders_by_status,
       first_order_at, last_order_at, source_hash, :rules_id::int, :run_id::bigint, now()
FROM next_daily

-- name: all_hourly_write
INSERT INTO hourly_order_cache
SELECT location_id, business_date, hour, currency, order_count, served_count, revenue_minor, seconds, :run_id::bigint, now()
FROM next_hourly

-- name: all_items_write
INSERT INTO item_sales_cache
SELECT location_id, business_date, item_id, currency, name, quantity, revenue_minor, order_count, :run_id::bigint, now()
FROM next_item

-- name: all_series
-- Days were regrouped, so every series is looked up anew among the days there are.
WITH gone AS (DELETE FROM series WHERE (location_id, currency) NOT IN (SELECT location_id, currency FROM daily_revenue_cache))
INSERT INTO series
SELECT location_id, currency, min(business_date) FROM daily_revenue_cache
WHERE order_count > 0 OR booked_minor <> 0 OR revenue_minor <> 0
GROUP BY 1, 2
ON CONFLICT (location_id, currency) DO UPDATE SET first_date = excluded.first_date

-- name: series_fill_daily
-- A late order may start a series earlier than it was known to: the days between
-- get their zeros, and readers hear of it.
WITH filled AS (
	INSERT INTO daily_revenue_cache
	SELECT s.location_id, d.business_date, s.currency, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, money_ratio(0, 0, s.currency), 0, 0,
	       '{}', NULL, NULL, d.source_hash, d.rules_id, d.run_id, d.computed_at
	FROM series s
	JOIN (SELECT DISTINCT ON (business_date) business_date, source_hash, rules_id, run_id, computed_at
	      FROM daily_revenue_cache ORDER BY business_date, location_id, currency) d ON d.business_date >= s.first_date
	WHERE NOT EXISTS (SELECT FROM daily_revenue_cache c
	                  WHERE (c.location_id, c.business_date, c.currency) = (s.location_id, d.business_date, s.currency))
	RETURNING 1
), moved AS (
	UPDATE site SET data_version = data_version + 1 WHERE EXISTS (SELECT FROM filled) RETURNING data_version
)
SELECT pg_notify('takings_data', data_version::text) FROM moved

-- name: series_fill_hourly
INSERT INTO hourly_order_cache
SELECT d.location_id, d.business_date, h.hour, d.currency, 0, 0, 0, h.seconds, d.run_id, d.computed_at
FROM daily_revenue_cache d,
     LATERAL business_hours(:timezone, :cutoff::int, d.business_date, d.business_date) h
WHERE d.order_count = 0
  AND NOT EXISTS (SELECT FROM hourly_order_cache c
                  WHERE (c.location_id, c.business_date, c.hour, c.currency) = (d.location_id, d.business_date, 0, d.currency))
