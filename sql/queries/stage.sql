-- stage.sql: facts read from order_db become the rows the cache tables should hold.
-- All tables here are temporary; the cache tables are only compared with.

-- name: stage_tables
CREATE TEMP TABLE stage_order (
	local_hour timestamp NOT NULL, location_id integer NOT NULL, currency text NOT NULL, status text NOT NULL,
	orders bigint NOT NULL, amount numeric NOT NULL, discount numeric NOT NULL, tax numeric NOT NULL,
	shipping numeric NOT NULL, tip numeric NOT NULL, cancelled_orders bigint NOT NULL, cancelled_amount numeric NOT NULL,
	rounded bigint NOT NULL, unpriced bigint NOT NULL,
	first_clock timestamp NOT NULL, last_clock timestamp NOT NULL, newest_edit text NOT NULL
);
CREATE TEMP TABLE stage_ledger (
	kind text NOT NULL, local_hour timestamp NOT NULL, location_id integer NOT NULL, currency text NOT NULL,
	status text NOT NULL, entries bigint NOT NULL, amount numeric NOT NULL
);
CREATE TEMP TABLE stage_item (
	business_date date NOT NULL, location_id integer NOT NULL, currency text NOT NULL, item_id text NOT NULL,
	name text NOT NULL, quantity numeric NOT NULL, amount numeric NOT NULL, orders bigint NOT NULL
);
CREATE TEMP TABLE stage_status (status text PRIMARY KEY, counted boolean NOT NULL);
CREATE TEMP TABLE stage_hash (business_date date PRIMARY KEY, hash text NOT NULL);
CREATE TEMP TABLE next_item (
	location_id integer NOT NULL, business_date date NOT NULL, item_id text NOT NULL, currency text NOT NULL,
	name text NOT NULL, quantity numeric NOT NULL, revenue_minor bigint NOT NULL, order_count bigint NOT NULL
);
CREATE TEMP TABLE next_daily (
	location_id integer NOT NULL, business_date date NOT NULL, currency text NOT NULL,
	revenue_minor bigint NOT NULL, booked_minor bigint NOT NULL, gross_minor bigint NOT NULL,
	refund_minor bigint NOT NULL, discount_minor bigint NOT NULL, tax_minor bigint NOT NULL,
	shipping_minor bigint NOT NULL, tip_minor bigint NOT NULL, order_count bigint NOT NULL,
	served_count bigint NOT NULL, aov numeric NOT NULL, item_qty numeric NOT NULL, item_minor bigint NOT NULL,
	orders_by_status jsonb NOT NULL, first_order_at timestamptz, last_order_at timestamptz, source_hash text NOT NULL
);
CREATE TEMP TABLE next_hourly (
	location_id integer NOT NULL, business_date date NOT NULL, hour smallint NOT NULL, currency text NOT NULL,
	order_count bigint NOT NULL, served_count bigint NOT NULL, revenue_minor bigint NOT NULL, seconds integer NOT NULL
)

-- name: stage_trim_orders
-- Only whole days of the plan stay; what was read along goes.
DELETE FROM stage_order o
WHERE NOT EXISTS (SELECT FROM plan_day p WHERE p.business_date = (o.local_hour - make_interval(hours => :cutoff::int))::date
                  AND NOT p.kept)

-- name: stage_trim_ledger
DELETE FROM stage_ledger l
WHERE NOT EXISTS (SELECT FROM plan_day p WHERE p.business_date = (l.local_hour - make_interval(hours => :cutoff::int))::date
                  AND NOT p.kept)

-- name: stage_trim_items
DELETE FROM stage_item i
WHERE NOT EXISTS (SELECT FROM plan_day p WHERE p.business_date = i.business_date AND p.changed)

-- name: stage_statuses
SELECT status, sum(orders) AS orders FROM stage_order GROUP BY status
UNION
SELECT status, 0 FROM stage_ledger l WHERE NOT EXISTS (SELECT FROM stage_order o WHERE o.status = l.status)
ORDER BY 1

-- name: stage_status_put
INSERT INTO stage_status VALUES (:status, :counted::boolean)

-- name: stage_doubts
-- What was accepted with a doubt: amounts finer than the currency, orders without
-- amount; statuses are looked at in C. What cannot be accepted: a currency that is
-- none, and a sum that is no number or more than fits into whole cents.
SELECT coalesce(sum(rounded), 0) AS rounded, coalesce(sum(unpriced), 0) AS unpriced,
       coalesce(sum(orders), 0) AS orders,
       count(*) FILTER (WHERE currency !~ '^[A-Z]{3}$' OR unfit) AS broken,
       min(local_hour::date) FILTER (WHERE currency !~ '^[A-Z]{3}$' OR unfit) AS broken_day,
       min(currency) FILTER (WHERE currency !~ '^[A-Z]{3}$') AS broken_currency
FROM (SELECT *, greatest(abs(amount), abs(discount), abs(tax), abs(shipping), abs(tip)) >= 1e14 AS unfit
      FROM stage_order) o

-- name: stage_item_doubts
-- A line of an item whose figures are no number or too great. NaN is the greatest.
SELECT business_date, item_id FROM stage_item WHERE greatest(abs(quantity), abs(amount)) >= 1e14
ORDER BY 1, 2 LIMIT 1

-- name: stage_hash_days
-- One line per fact, in a fixed order: equal facts, equal hash.
INSERT INTO stage_hash
SELECT p.business_date, md5(:recipe || coalesce(o.text, '') || E'\n--\n' || coalesce(l.text, '')
                            || E'\n--\n' || coalesce(i.text, ''))
FROM plan_day p
LEFT JOIN (SELECT (local_hour - make_interval(hours => :cutoff::int))::date AS day,
                  string_agg(s::text, E'\n' ORDER BY s::text) AS text
           FROM stage_order s GROUP BY 1) o ON o.day = p.business_date
LEFT JOIN (SELECT (local_hour - make_interval(hours => :cutoff::int))::date AS day,
                  string_agg(s::text, E'\n' ORDER BY s::text) AS text
           FROM stage_ledger s GROUP BY 1) l ON l.day = p.business_date
LEFT JOIN (SELECT business_date AS day, string_agg(s::text, E'\n' ORDER BY s::text) AS text
           FROM stage_item s WHERE :with_items::boolean GROUP BY 1) i ON i.day = p.business_date
WHERE NOT p.kept

-- name: plan_drop_unchanged
-- A day looked at again whose hash is the one it was computed from needs nothing.
UPDATE plan_day p SET changed = false
FROM stage_hash h
WHERE h.business_date = p.business_date AND p.reason IN ('look-back', 'late')
  AND EXISTS (SELECT FROM daily_revenue_cache c WHERE c.business_date = p.business_date AND c.source_hash = h.hash)

-- name: stage_ready
-- Without statistics, thousands of locations are joined as if they were ten.
ANALYZE stage_order, stage_ledger, stage_item

-- name: next_daily_ready
ANALYZE next_daily

-- name: next_items
INSERT INTO next_item
SELECT location_id, business_date, item_id, currency, name, trim_scale(quantity), half_even(minor, 0)::bigint, orders
FROM (SELECT i.*, amount * coalesce(unit, 100) AS minor
      FROM (SELECT location_id, business_date, item_id, currency, max(name) AS name, sum(quantity) AS quantity,
                   sum(amount) AS amount, sum(orders) AS orders
            FROM stage_item GROUP BY 1, 2, 3, 4) i
      LEFT JOIN (SELECT currency, 10::numeric ^ exponent AS unit FROM currency_exponent) u USING (currency)
      OFFSET 0) i -- so that minor is computed once

-- name: next_days
-- One row for each series that has begun by the day, one for each that begins on
-- it, and one for the default series on a day before anything was ever sold.
INSERT INTO next_daily
WITH orders AS MATERIALIZED (
	SELECT (o.local_hour - make_interval(hours => :cutoff::int))::date AS business_date, o.location_id, o.currency,
	       sum(orders) AS orders, coalesce(sum(orders) FILTER (WHERE counted), 0) AS served,
	       coalesce(sum(amount) FILTER (WHERE counted), 0) AS gross,
	       coalesce(sum(cancelled_amount) FILTER (WHERE NOT counted), 0) AS cancelled,
	       coalesce(sum(discount) FILTER (WHERE counted), 0) AS discount,
	       coalesce(sum(tax) FILTER (WHERE counted), 0) AS tax,
	       coalesce(sum(shipping) FILTER (WHERE counted), 0) AS shipping,
	       coalesce(sum(tip) FILTER (WHERE counted), 0) AS tip,
	       min(first_clock) AS first_clock, max(last_clock) AS last_clock
	FROM stage_order o JOIN stage_status USING (status)
	GROUP BY 1, 2, 3
), status AS MATERIALIZED (
	SELECT business_date, location_id, currency, jsonb_object_agg(status, orders) AS by_status
	FROM (SELECT (local_hour - make_interval(hours => :cutoff::int))::date AS business_date, location_id, currency,
	             status, sum(orders) AS orders
	      FROM stage_order GROUP BY 1, 2, 3, 4) s
	GROUP BY 1, 2, 3
), ledger AS MATERIALIZED (
	SELECT (local_hour - make_interval(hours => :cutoff::int))::date AS business_date, location_id, currency,
	       coalesce(sum(amount) FILTER (WHERE kind = 'refund_by_order' AND counted), 0) AS refund,
	       coalesce(sum(amount) FILTER (WHERE kind = 'refund' AND counted), 0) AS refund_booked,
	       coalesce(sum(amount) FILTER (WHERE kind = 'cancel' AND NOT counted), 0) AS cancel_booked
	FROM stage_ledger JOIN stage_status USING (status)
	GROUP BY 1, 2, 3
), item AS MATERIALIZED (
	SELECT business_date, location_id, currency, sum(quantity) AS qty, sum(revenue_minor) AS minor
	FROM next_item GROUP BY 1, 2, 3
), begun AS MATERIALIZED (
	SELECT location_id, currency, min(first_date) AS first_date
	FROM (SELECT location_id, currency, first_date FROM series WHERE NOT :new_rules::boolean
	      UNION ALL SELECT location_id, currency, business_date FROM daily_revenue_cache JOIN plan_day USING (business_date)
	                WHERE kept AND order_count > 0
	      UNION ALL SELECT location_id, currency, business_date FROM orders
	      UNION ALL SELECT location_id, currency, business_date FROM ledger) b
	GROUP BY 1, 2
), wanted AS MATERIALIZED (
	SELECT p.business_date, b.location_id, b.currency
	FROM plan_day p JOIN begun b ON b.first_date <= p.business_date
	WHERE p.changed
	UNION ALL
	SELECT p.business_date, :location::int, :currency
	FROM plan_day p
	WHERE p.changed AND NOT EXISTS (SELECT FROM begun b WHERE b.first_date <= p.business_date)
), figure AS (
	SELECT w.business_date, w.location_id, w.currency, u.unit, o.*, s.by_status, l.refund, l.refund_booked,
	       l.cancel_booked, i.qty, i.minor
	FROM wanted w
	CROSS JOIN LATERAL (SELECT 10::numeric ^ money_exponent(w.currency) AS unit) u
	LEFT JOIN (SELECT business_date AS d, location_id AS loc, currency AS cur, orders, served, gross, cancelled,
	                  discount, tax, shipping, tip, first_clock, last_clock FROM orders) o
	       ON (o.d, o.loc, o.cur) = (w.business_date, w.location_id, w.currency)
	LEFT JOIN status s ON (s.business_date, s.location_id, s.currency) = (w.business_date, w.location_id, w.currency)
	LEFT JOIN ledger l ON (l.business_date, l.location_id, l.currency) = (w.business_date, w.location_id, w.currency)
	LEFT JOIN item i ON (i.business_date, i.location_id, i.currency) = (w.business_date, w.location_id, w.currency)
), minor AS (
	SELECT f.*,
	       coalesce((gross - coalesce(refund, 0)) * unit, -coalesce(refund, 0) * unit)::bigint AS revenue_minor
	FROM figure f
)
SELECT location_id, m.business_date, currency, revenue_minor,
       ((coalesce(gross, 0) + coalesce(cancelled, 0) - coalesce(cancel_booked, 0) - coalesce(refund_booked, 0)) * unit)::bigint,
       (coalesce(gross, 0) * unit)::bigint, (coalesce(refund, 0) * unit)::bigint,
       half_even(coalesce(discount, 0) * unit, 0)::bigint, half_even(coalesce(tax, 0) * unit, 0)::bigint,
       half_even(coalesce(shipping, 0) * unit, 0)::bigint, half_even(coalesce(tip, 0) * unit, 0)::bigint,
       coalesce(orders, 0), coalesce(served, 0), money_ratio(revenue_minor, coalesce(served, 0), currency),
       coalesce(qty, 0), coalesce(minor, 0), coalesce(by_status, '{}'),
       first_clock AT TIME ZONE :clock_zone, last_clock AT TIME ZONE :clock_zone, h.hash
FROM minor m JOIN stage_hash h USING (business_date)

-- name: next_hours
INSERT INTO next_hourly
WITH fact AS MATERIALIZED (
	SELECT (local_hour - make_interval(hours => :cutoff::int))::date AS business_date,
	       extract(hour FROM local_hour)::smallint AS hour, location_id, currency,
	       sum(orders) AS orders, coalesce(sum(orders) FILTER (WHERE counted), 0) AS served,
	       coalesce(sum(amount) FILTER (WHERE counted), 0) AS amount
	FROM (SELECT local_hour, location_id, currency, status, orders, amount FROM stage_order
	      UNION ALL
	      SELECT local_hour, location_id, currency, status, 0, -amount FROM stage_ledger WHERE kind = 'refund_by_order') f
	JOIN stage_status USING (status)
	GROUP BY 1, 2, 3, 4
), clock AS MATERIALIZED (
	SELECT h.business_date, h.hour, h.seconds
	FROM (SELECT min(business_date) AS a, max(business_date) AS b FROM plan_day WHERE changed) r,
	     business_hours(:timezone, :cutoff::int, r.a, r.b) h
)
SELECT d.location_id, d.business_date, c.hour, d.currency, coalesce(f.orders, 0), coalesce(f.served, 0),
       (coalesce(f.amount, 0) * 10::numeric ^ money_exponent(d.currency))::bigint, c.seconds
FROM next_daily d
JOIN clock c USING (business_date)
LEFT JOIN fact f ON (f.business_date, f.hour, f.location_id, f.currency) = (d.business_date, c.hour, d.location_id, d.currency)

-- name: next_ready
-- Statistics and order for the writing that follows, day by day.
CREATE INDEX next_daily_day ON next_daily (business_date);
CREATE INDEX next_hourly_day ON next_hourly (business_date);
CREATE INDEX next_item_day ON next_item (business_date);
ANALYZE next_daily, next_hourly, next_item

-- name: plan_compare
-- Days that were asked for but would come out as they are stay untouched.
WITH cached AS MATERIALIZED (SELECT business_date FROM plan_day WHERE changed AND cached),
differing AS (
	SELECT business_date FROM (
		(SELECT location_id, business_date, currency, revenue_minor, booked_minor, gross_minor, refund_minor,
		        discount_minor, tax_minor, shipping_minor, tip_minor, order_count, served_count, aov, item_qty,
		        item_minor, orders_by_status, first_order_at, last_order_at, source_hash, :rules_id::int
		 FROM next_daily JOIN cached USING (business_date)
		 EXCEPT
		 SELECT location_id, business_date, currency, revenue_minor, booked_minor, gross_minor, refund_minor,
		        discount_minor, tax_minor, shipping_minor, tip_minor, order_count, served_count, aov, item_qty,
		        item_minor, orders_by_status, first_order_at, last_order_at, source_hash, rules_id
		 FROM daily_revenue_cache JOIN cached USING (business_date))) a
	UNION
	SELECT business_date FROM (
		(SELECT location_id, business_date, currency FROM daily_revenue_cache JOIN cached USING (business_date)
		 EXCEPT SELECT location_id, business_date, currency FROM next_daily)) b
	UNION
	SELECT business_date FROM (
		(SELECT location_id, business_date, hour, currency, order_count, served_count, revenue_minor, seconds
		 FROM next_hourly JOIN cached USING (business_date)
		 EXCEPT
		 SELECT location_id, business_date, hour, currency, order_count, served_count, revenue_minor, seconds
		 FROM hourly_order_cache JOIN cached USING (business_date))) c
	UNION
	SELECT business_date FROM (
		(SELECT location_id, business_date, item_id, currency, name, quantity, revenue_minor, order_count
		 FROM next_item JOIN cached USING (business_date)
		 EXCEPT
		 SELECT location_id, business_date, item_id, currency, name, quantity, revenue_minor, order_count
		 FROM item_sales_cache JOIN cached USING (business_date))) d
	UNION
	SELECT business_date FROM (
		(SELECT location_id, business_date, item_id, currency FROM item_sales_cache JOIN cached USING (business_date)
		 EXCEPT SELECT location_id, business_date, item_id, currency FROM next_item)) e
)
UPDATE plan_day p SET changed = false
FROM cached c
WHERE c.business_date = p.business_date AND NOT EXISTS (SELECT FROM differing d WHERE d.business_date = p.business_date)

-- name: plan_differences
-- For --dry-run: what would be written, and what stands there now.
SELECT n.business_date AS day, n.location_id, n.currency, p.reason,
       money(c.revenue_minor, n.currency) AS revenue_was, money(n.revenue_minor, n.currency) AS revenue_now,
       c.order_count AS orders_was, n.order_count AS orders_now,
       c.served_count AS served_was, n.served_count AS served_now
FROM next_daily n
JOIN plan_day p ON p.business_date = n.business_date AND p.changed
LEFT JOIN daily_revenue_cache c
       ON (c.business_date, c.location_id, c.currency) = (n.business_date, n.location_id, n.currency)
ORDER BY 1, 2, 3
