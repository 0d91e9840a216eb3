-- The demo data of order_db: the only statements that ever write there.

-- name: demo_lock
-- Two generations at once would meet at the same keys.
SELECT pg_try_advisory_xact_lock(hashtextextended('takings demo', 0)) AS ok

-- name: demo_inbox
-- In analytics_db: whether its inbox is somebody else's.
SELECT NOT EXISTS (SELECT FROM event_log WHERE source = 'demo')
       AND (EXISTS (SELECT FROM event_log) OR EXISTS (SELECT FROM event_state)) AS strange

-- name: demo_activity_lock
-- In analytics_db.
SELECT pg_try_advisory_lock(hashtextextended('takings demo activity', 0)) AS locked

-- name: demo_activity_known
-- The place of the last of these ids that is stored.
SELECT coalesce(max(u.n), 0) AS n
FROM unnest(:ids::uuid[]) WITH ORDINALITY u (event_id, n)
JOIN activity_id i ON i.event_id = u.event_id

-- name: demo_zone_offsets
-- Offsets of a zone from UTC in seconds, and the instants from which they hold.
WITH hourly AS (
	SELECT t, (t AT TIME ZONE :zone) - (t AT TIME ZONE 'UTC') AS o
	FROM generate_series(:first::date::timestamp AT TIME ZONE 'UTC',
	                     :last::date::timestamp AT TIME ZONE 'UTC', interval '1 hour') t
), paired AS (
	SELECT t, o, lag(o) OVER (ORDER BY t) AS before FROM hourly
)
SELECT extract(epoch FROM x.at)::bigint AS at_s, extract(epoch FROM p.o)::bigint AS offset_s
FROM paired p
CROSS JOIN LATERAL (
	SELECT min(s) AS at
	FROM generate_series(p.t - interval '1 hour', p.t, interval '1 second') s
	WHERE (s AT TIME ZONE :zone) - (s AT TIME ZONE 'UTC') = p.o
) x
WHERE p.before IS DISTINCT FROM p.o
ORDER BY at_s

-- name: demo_create_orders
CREATE TABLE IF NOT EXISTS orders (
	id bigint PRIMARY KEY,
	status text NOT NULL,
	total_amount numeric(12,2) NOT NULL,
	created_at timestamptz NOT NULL,
	updated_at timestamptz NOT NULL,
	customer_id bigint,
	location_id integer NOT NULL DEFAULT 0,
	currency char(3) NOT NULL,
	discount numeric(12,2) NOT NULL DEFAULT 0,
	tax numeric(12,2),
	tip numeric(12,2),
	cancelled_at timestamptz
)

-- name: demo_create_items
CREATE TABLE IF NOT EXISTS order_items (
	id bigint PRIMARY KEY,
	order_id bigint NOT NULL REFERENCES orders,
	item_id bigint NOT NULL,
	name text NOT NULL,
	quantity integer NOT NULL,
	unit_price numeric(10,2) NOT NULL
)

-- name: demo_create_refunds
CREATE TABLE IF NOT EXISTS order_refunds (
	id bigint PRIMARY KEY,
	order_id bigint NOT NULL REFERENCES orders,
	amount numeric(12,2) NOT NULL,
	created_at timestamptz NOT NULL
)

-- name: demo_create_mark
-- From what the rows were made, so that they can be continued, and so that real
-- orders are never taken for them.
CREATE TABLE IF NOT EXISTS takings_demo (
	one boolean PRIMARY KEY DEFAULT true CHECK (one),
	seed bigint NOT NULL,
	first_date date NOT NULL,
	timezone text NOT NULL,
	cutoff integer NOT NULL,
	currency text NOT NULL,
	as_of timestamptz NOT NULL
)

-- name: demo_index_orders_created
CREATE INDEX IF NOT EXISTS orders_created_at ON orders (created_at)

-- name: demo_index_orders_cancelled
CREATE INDEX IF NOT EXISTS orders_cancelled_at ON orders (cancelled_at) WHERE cancelled_at IS NOT NULL

-- name: demo_index_items
CREATE INDEX IF NOT EXISTS order_items_order_id ON order_items (order_id)

-- name: demo_index_refunds
CREATE INDEX IF NOT EXISTS order_refunds_order_id ON order_refunds (order_id)

-- name: demo_index_refunds_created
CREATE INDEX IF NOT EXISTS order_refunds_created_at ON order_refunds (created_at)

-- name: demo_is_empty
SELECT NOT EXISTS (SELECT FROM orders) AS is_empty

-- name: demo_mark
SELECT seed, first_date, timezone, cutoff, currency, extract(epoch FROM as_of)::bigint AS as_of_s
FROM takings_demo

-- name: demo_mark_put
INSERT INTO takings_demo (seed, first_date, timezone, cutoff, currency, as_of)
VALUES (:seed::bigint, :first::date, :zone, :cutoff::int, :currency, :as_of::timestamptz)
ON CONFLICT (one) DO UPDATE SET
	seed = excluded.seed, first_date = excluded.first_date, timezone = excluded.timezone,
	cutoff = excluded.cutoff, currency = excluded.currency, as_of = excluded.as_of

-- name: demo_truncate
TRUNCATE order_refunds, order_items, orders, takings_demo

-- name: demo_stage_orders
CREATE TEMP TABLE demo_orders (LIKE orders) ON COMMIT DROP

-- name: demo_stage_items
CREATE TEMP TABLE demo_items (LIKE order_items) ON COMMIT DROP

-- name: demo_stage_refunds
CREATE TEMP TABLE demo_refunds (LIKE order_refunds) ON COMMIT DROP

-- name: demo_put_orders
-- What is staged and not there is added; what stands differently by now is changed.
WITH changed AS (
	UPDATE orders o
	SET status = n.status, total_amount = n.total_amount, updated_at = n.updated_at,
	    discount = n.discount, tax = n.tax, tip = n.tip, cancelled_at = n.cancelled_at
	FROM demo_orders n
	WHERE n.id = o.id
	  AND (o.status, o.total_amount, o.updated_at, o.discount, o.tax, o.tip, o.cancelled_at)
	      IS DISTINCT FROM
	      (n.status, n.total_amount, n.updated_at, n.discount, n.tax, n.tip, n.cancelled_at)
	RETURNING 1
), added AS (
	INSERT INTO orders (id, status, total_amount, created_at, updated_at, customer_id, location_id,
	                    currency, discount, tax, tip, cancelled_at)
	SELECT id, status, total_amount, created_at, updated_at, customer_id, location_id,
	       currency, discount, tax, tip, cancelled_at
	FROM demo_orders n
	WHERE NOT EXISTS (SELECT FROM orders o WHERE o.id = n.id)
	ORDER BY n.id
	RETURNING 1
)
SELECT (SELECT count(*) FROM added) AS added, (SELECT count(*) FROM changed) AS changed

-- name: demo_put_items
INSERT INTO order_items (id, order_id, item_id, name, quantity, unit_price)
SELECT id, order_id, item_id, name, quantity, unit_price
FROM demo_items n
WHERE NOT EXISTS (SELECT FROM order_items o WHERE o.id = n.id)
ORDER BY n.id

-- name: demo_put_refunds
INSERT INTO order_refunds (id, order_id, amount, created_at)
SELECT id, order_id, amount, created_at
FROM demo_refunds n
WHERE NOT EXISTS (SELECT FROM order_refunds o WHERE o.id = n.id)
ORDER BY n.id

-- name: demo_live_begin
SELECT EXISTS (SELECT FROM takings_demo) AS ours,
       pg_try_advisory_lock(hashtextextended('takings demo live', 0)) AS locked,
       (SELECT coalesce(max(id), 0) FROM orders) AS last

-- name: demo_live_order
WITH placed AS (
	INSERT INTO orders (id, status, total_amount, created_at, updated_at, customer_id, currency, discount, tax)
	VALUES (:id::bigint, :status, :total::numeric, now(), now(), :customer::bigint, :currency,
	        :discount::numeric, :tax::numeric)
	RETURNING id
)
INSERT INTO order_items (id, order_id, item_id, name, quantity, unit_price)
SELECT l.id, placed.id, l.item_id, l.name, l.quantity, l.unit_price
FROM placed, jsonb_to_recordset(:lines::jsonb)
     AS l (id bigint, item_id bigint, name text, quantity integer, unit_price numeric)

-- name: demo_live_change
UPDATE orders
SET status = :status, total_amount = :total::numeric, discount = :discount::numeric, tax = :tax::numeric,
    tip = :tip::numeric, updated_at = now(),
    cancelled_at = CASE WHEN :cancelled::boolean THEN coalesce(cancelled_at, now()) END
WHERE id = :id::bigint

-- name: demo_live_refund
INSERT INTO order_refunds (id, order_id, amount, created_at)
VALUES (:id::bigint, :order::bigint, :amount::numeric, now())

-- name: demo_bookable
-- In analytics_db: an event of the demo that is on sale and has seats, and what this many cost.
SELECT s.event_id, s.currency, round(p.amount * :seats::int / p.seats, scale(p.amount))::text AS amount
FROM event_state s
JOIN event_stats t USING (event_id)
CROSS JOIN LATERAL (
	SELECT (event_data::jsonb ->> 'amount')::numeric AS amount, (event_data::jsonb ->> 'seats')::int AS seats
	FROM event_log
	WHERE event_id = s.event_id AND event_type = 'booking.created' AND source = 'demo' AND dead_at IS NULL
	ORDER BY id DESC
	LIMIT 1
) p
WHERE s.status = 'published' AND s.starts_at > now() + interval '1 hour' AND (s.sales_from IS NULL OR s.sales_from <= now())
  AND (s.sales_until IS NULL OR s.sales_until > now()) AND (t.unlimited OR t.confirmed_seats + 4 <= t.total_capacity)
  AND p.seats > 0
ORDER BY random()
LIMIT 1
