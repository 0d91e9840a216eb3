-- reconcile.sql: closed days as the batch has them beside the same days as the stream has them.
-- plan_day and stage_status are the run's (run.sql, stage.sql).

-- name: reconcile_tables
CREATE TEMP TABLE reconcile_day (
	business_date date NOT NULL, round int NOT NULL,
	known boolean NOT NULL,              -- the stream had begun by that day
	differs boolean NOT NULL,
	booked_differs boolean NOT NULL,     -- what was cancelled or refunded on that day does
	orders_batch bigint NOT NULL, orders_stream bigint NOT NULL, revenue jsonb NOT NULL,
	PRIMARY KEY (business_date, round)
);
CREATE TEMP TABLE each_order (
	order_id text COLLATE "C" NOT NULL, local_hour timestamp NOT NULL, location_id integer NOT NULL,
	currency text NOT NULL, status text NOT NULL, total numeric, discount numeric, tax numeric, shipping numeric,
	tip numeric, cancelled_on date
);
CREATE TEMP TABLE each_line (
	order_id text COLLATE "C" NOT NULL, item_id text NOT NULL, quantity numeric NOT NULL, amount numeric NOT NULL
);
CREATE TEMP TABLE each_refund (order_id text COLLATE "C" NOT NULL, business_date date NOT NULL, amount numeric NOT NULL);
CREATE TEMP TABLE difference (
	business_date date NOT NULL, order_id text COLLATE "C" NOT NULL, reason text NOT NULL, batch jsonb, stream jsonb,
	unsettled boolean NOT NULL           -- the stream moved it after order_db was looked at
)

-- name: reconcile_now
-- Before order_db is looked at: a state that is younger than this may be younger than what was seen there.
SELECT clock_timestamp()::text AS at

-- name: reconcile_stream
-- `lags`: a stream is at work and has not said since order_db was looked at that nothing waits.
SELECT coalesce(s.rules_id = :rules_id::int, false) AS same_rules, s.rules_id IS NOT NULL AS begun,
       EXISTS (SELECT FROM stream_status WHERE at > now() - interval '10 seconds'
               AND (at < :since::timestamptz + interval '3 seconds'
                    OR coalesce((stats ->> 'stream_lag_messages')::numeric, 0) > 0)) AS lags,
       EXISTS (SELECT FROM stream_status WHERE at > now() - interval '10 seconds') AS works
FROM live_site s

-- name: reconcile_compare
-- Every figure of the plan's days, in the first round; then of those that have differed so far. Discounts,
-- taxes and their like are compared where the stream's messages tell of them at all.
INSERT INTO reconcile_day
WITH day AS MATERIALIZED (
	SELECT business_date FROM plan_day p
	WHERE NOT kept AND (:round::int = 1 OR EXISTS (SELECT FROM reconcile_day r WHERE r.business_date = p.business_date
	                                                AND r.round = :round::int - 1 AND r.known AND r.differs))
), told AS MATERIALIZED (
	SELECT coalesce(bool_or(discount_minor <> 0), false) AS discount, coalesce(bool_or(tax_minor <> 0), false) AS tax,
	       coalesce(bool_or(shipping_minor <> 0), false) AS shipping, coalesce(bool_or(tip_minor <> 0), false) AS tip
	FROM live_day WHERE business_date >= (SELECT min(business_date) FROM plan_day)
), both_days AS MATERIALIZED (
	SELECT business_date, location_id, currency, coalesce(order_count, 0) AS placed_b, coalesce(placed, 0) AS placed_s,
	       coalesce(b.revenue_minor, 0) AS revenue_b, coalesce(s.gross_minor - s.refund_minor, 0) AS revenue_s,
	       (coalesce(order_count, 0), coalesce(served_count, 0), coalesce(b.gross_minor, 0), coalesce(b.refund_minor, 0),
	        coalesce(b.booked_minor, 0), CASE WHEN t.discount THEN coalesce(b.discount_minor, 0) END,
	        CASE WHEN t.tax THEN coalesce(b.tax_minor, 0) END, CASE WHEN t.shipping THEN coalesce(b.shipping_minor, 0) END,
	        CASE WHEN t.tip THEN coalesce(b.tip_minor, 0) END)
	       IS DISTINCT FROM
	       (coalesce(placed, 0), coalesce(counted, 0), coalesce(s.gross_minor, 0), coalesce(s.refund_minor, 0),
	        coalesce(s.booked_minor, 0), CASE WHEN t.discount THEN coalesce(s.discount_minor, 0) END,
	        CASE WHEN t.tax THEN coalesce(s.tax_minor, 0) END, CASE WHEN t.shipping THEN coalesce(s.shipping_minor, 0) END,
	        CASE WHEN t.tip THEN coalesce(s.tip_minor, 0) END) AS differs,
	       coalesce(b.booked_minor - b.revenue_minor, 0)
	       <> coalesce(s.booked_minor - s.gross_minor + s.refund_minor, 0) AS booked_differs
	FROM (SELECT * FROM daily_revenue_cache JOIN day USING (business_date)) b
	FULL JOIN (SELECT * FROM live_day JOIN day USING (business_date)) s USING (business_date, location_id, currency)
	CROSS JOIN told t
), differing AS MATERIALIZED (
	SELECT business_date FROM both_days WHERE differs
	UNION
	SELECT business_date
	FROM (SELECT business_date, location_id, currency, e.key AS status, e.value::bigint AS orders
	      FROM daily_revenue_cache JOIN day USING (business_date), jsonb_each_text(orders_by_status) e) b
	FULL JOIN (SELECT * FROM live_status JOIN day USING (business_date)) s
	     USING (business_date, location_id, currency, status)
	WHERE coalesce(b.orders, 0) <> coalesce(s.orders, 0)
	UNION
	SELECT business_date
	FROM (SELECT * FROM hourly_order_cache JOIN day USING (business_date)) b
	FULL JOIN (SELECT business_date, location_id, currency, hour, sum(placed) AS placed, sum(counted) AS counted,
	                  sum(gross_minor - refund_minor) AS revenue_minor
	           FROM live_hour JOIN day USING (business_date) GROUP BY 1, 2, 3, 4) s
	     USING (business_date, location_id, currency, hour)
	WHERE (coalesce(b.order_count, 0), coalesce(b.served_count, 0), coalesce(b.revenue_minor, 0))
	      <> (coalesce(s.placed, 0), coalesce(s.counted, 0), coalesce(s.revenue_minor, 0))
	UNION
	SELECT business_date
	FROM (SELECT * FROM item_sales_cache JOIN day USING (business_date)) b
	FULL JOIN (SELECT *, half_even(amount * 10::numeric ^ money_exponent(currency), 0) AS amount_minor FROM live_item JOIN day USING (business_date)) s
	     USING (business_date, location_id, currency, item_id)
	WHERE (coalesce(b.quantity, 0), coalesce(b.revenue_minor, 0), coalesce(b.order_count, 0))
	      <> (coalesce(s.quantity, 0), coalesce(s.amount_minor, 0), coalesce(s.orders, 0))
), figure AS (
	SELECT business_date, sum(placed_b) AS orders_batch, sum(placed_s) AS orders_stream,
	       jsonb_object_agg(currency, jsonb_build_object('batch_minor', revenue_b, 'stream_minor', revenue_s)) AS revenue,
	       bool_or(booked_differs) AS booked_differs
	FROM (SELECT business_date, currency, sum(placed_b) AS placed_b, sum(placed_s) AS placed_s,
	             sum(revenue_b) AS revenue_b, sum(revenue_s) AS revenue_s, bool_or(booked_differs) AS booked_differs
	      FROM both_days GROUP BY 1, 2) c
	GROUP BY 1
), begun AS (
	SELECT min(business_date) AS first_day FROM live_day WHERE placed > 0
)
SELECT business_date, :round::int, :same_rules::boolean AND coalesce(business_date >= first_day, false),
       EXISTS (SELECT FROM differing x WHERE x.business_date = d.business_date), coalesce(f.booked_differs, false),
       coalesce(f.orders_batch, 0), coalesce(f.orders_stream, 0), coalesce(f.revenue, '{}')
FROM day d LEFT JOIN figure f USING (business_date) CROSS JOIN begun

-- name: reconcile_differing
-- ever_from: no order that is to be looked at was placed before, nor cancelled or refunded.
SELECT count(*) AS days, count(*) FILTER (WHERE booked_differs) AS booked_days,
       CASE WHEN bool_or(booked_differs) THEN least(:first_clock::date, min(business_date)) ELSE min(business_date) END - 2 AS ever_from
FROM reconcile_day WHERE round = :round::int AND known AND differs

-- name: reconcile_spans
-- Neighbouring days that differ are asked for together.
SELECT min(business_date) AS from_day, max(business_date) AS to_day
FROM (SELECT business_date, business_date - row_number() OVER (ORDER BY business_date)::int AS island
      FROM reconcile_day WHERE round = :round::int AND known AND differs AND (booked_differs OR NOT :booked::boolean)) d
GROUP BY island ORDER BY 1

-- name: reconcile_statuses
SELECT status FROM stage_status WHERE counted ORDER BY 1

-- name: reconcile_ready
CREATE INDEX each_order_id ON each_order (order_id);
CREATE INDEX each_line_id ON each_line (order_id);
ANALYZE each_order, each_line, each_refund

-- name: reconcile_judge
-- Orders of the days that differ, as order_db and as the stream have them. One that is on another day there
-- than here is told of on both; a cancellation or refund, on the day it was booked, too.
INSERT INTO difference
WITH day AS MATERIALIZED (
	SELECT business_date, booked_differs FROM reconcile_day WHERE round = :round::int AND known AND differs
), id AS MATERIALIZED (
	SELECT order_id FROM each_order
	UNION
	SELECT order_id FROM order_state
	WHERE born AND NOT deleted
	  AND placed_at >= (SELECT min(business_date) FROM day)::timestamp AT TIME ZONE 'UTC' - interval '2 days'
	  AND placed_at < (SELECT max(business_date) FROM day)::timestamp AT TIME ZONE 'UTC' + interval '4 days'
	  AND (placed_local - make_interval(hours => :cutoff::int))::date IN (SELECT business_date FROM day)
), b AS MATERIALIZED (
	SELECT DISTINCT ON (order_id) order_id, (local_hour - make_interval(hours => :cutoff::int))::date AS business_date,
	       local_hour, location_id, currency, status, coalesce(t.counted, false) AS counted, cancelled_on,
	       (coalesce(total, 0) * unit)::bigint AS total_minor, (coalesce(discount, 0) * unit)::bigint AS discount_minor,
	       (coalesce(tax, 0) * unit)::bigint AS tax_minor, (coalesce(shipping, 0) * unit)::bigint AS shipping_minor,
	       (coalesce(tip, 0) * unit)::bigint AS tip_minor, unit
	FROM (SELECT e.*, 10::numeric ^ money_exponent(currency) AS unit FROM each_order e OFFSET 0) e
	LEFT JOIN stage_status t USING (status)
	ORDER BY order_id
), s AS MATERIALIZED (
	SELECT o.*, (placed_local - make_interval(hours => :cutoff::int))::date AS business_date,
	       date_trunc('hour', placed_local) AS local_hour,
	       (cancelled_local - make_interval(hours => :cutoff::int))::date AS cancelled_on
	FROM order_state o JOIN id USING (order_id)
	WHERE born AND NOT deleted
), line AS MATERIALIZED (
	SELECT DISTINCT order_id
	FROM (SELECT DISTINCT * FROM each_line) lb
	FULL JOIN (SELECT l.order_id, coalesce(l.item_id, '') AS item_id, coalesce(sum(l.quantity), 0) AS quantity,
	                  coalesce(sum(coalesce(l.amount, l.quantity * l.price)), 0) AS amount
	           FROM order_line_state l JOIN s USING (order_id)
	           WHERE s.counted AND NOT l.deleted
	             AND (NOT l.event OR (l.major, l.minor) = (s.birth_major, s.birth_minor))
	           GROUP BY 1, 2) ls USING (order_id, item_id)
	WHERE (lb.quantity, lb.amount) IS DISTINCT FROM (ls.quantity, ls.amount)
), refund AS MATERIALIZED (
	SELECT order_id, business_date, coalesce(rb.minor, 0) AS minor_b, coalesce(rs.minor, 0) AS minor_s
	FROM (SELECT DISTINCT r.order_id, r.business_date, (amount * unit)::bigint AS minor
	      FROM each_refund r JOIN b USING (order_id)) rb
	FULL JOIN (SELECT r.order_id, (r.refunded_local - make_interval(hours => :cutoff::int))::date AS business_date,
	                  sum(money_minor(r.amount, s.currency)) AS minor
	           FROM order_refund_state r JOIN s USING (order_id)
	           WHERE NOT r.deleted AND r.refunded_local IS NOT NULL AND r.amount IS NOT NULL
	           GROUP BY 1, 2) rs USING (order_id, business_date)
), pair AS MATERIALIZED (
	SELECT order_id, b.business_date AS day_b, s.business_date AS day_s,
	       b.cancelled_on AS cancelled_b, s.cancelled_on AS cancelled_s,
	       CASE WHEN s.order_id IS NULL THEN 'missing_in_stream'
	            WHEN b.order_id IS NULL THEN 'missing_in_order_db'
	            WHEN b.currency IS DISTINCT FROM s.currency THEN 'currency'
	            WHEN b.location_id IS DISTINCT FROM s.location_id THEN 'location'
	            WHEN b.local_hour IS DISTINCT FROM s.local_hour THEN 'day'
	            WHEN b.status <> coalesce(s.status, '') OR b.counted <> s.counted
	                 OR (NOT b.counted AND b.cancelled_on IS DISTINCT FROM s.cancelled_on) THEN 'status'
	            WHEN b.total_minor <> coalesce(s.total_minor, 0) OR b.discount_minor <> s.discount_minor
	                 OR b.tax_minor <> s.tax_minor OR b.shipping_minor <> s.shipping_minor
	                 OR b.tip_minor <> s.tip_minor THEN 'amount'
	            WHEN b.counted AND dl.order_id IS NOT NULL THEN 'lines'
	            WHEN b.counted AND dr.order_id IS NOT NULL THEN 'refunds' END AS reason,
	       b.order_id IS NOT NULL AS in_b, s.order_id IS NOT NULL AS in_s,
	       jsonb_build_object('hour', to_char(b.local_hour, 'YYYY-MM-DD"T"HH24'), 'location_id', b.location_id,
	                          'currency', b.currency, 'status', b.status, 'total_minor', b.total_minor) AS as_b,
	       jsonb_build_object('hour', to_char(s.local_hour, 'YYYY-MM-DD"T"HH24'), 'location_id', s.location_id,
	                          'currency', s.currency, 'status', s.status, 'total_minor', s.total_minor) AS as_s
	FROM b FULL JOIN s USING (order_id)
	LEFT JOIN line dl USING (order_id)
	LEFT JOIN (SELECT DISTINCT order_id FROM refund WHERE minor_b <> minor_s) dr USING (order_id)
), touched AS (
	SELECT order_id, business_date FROM pair p JOIN day d ON d.business_date IN (p.day_b, p.day_s) WHERE reason IS NOT NULL
	UNION
	SELECT order_id, business_date FROM pair p JOIN day d ON d.business_date IN (p.cancelled_b, p.cancelled_s)
	WHERE reason IS NOT NULL AND reason <> 'lines' AND booked_differs
	UNION
	SELECT p.order_id, d.business_date
	FROM pair p JOIN refund r USING (order_id) JOIN day d ON d.business_date = r.business_date
	WHERE reason IS NOT NULL AND reason <> 'lines' AND booked_differs AND (minor_b <> minor_s OR reason <> 'refunds')
)
SELECT t.business_date, order_id, reason,
       CASE WHEN in_b THEN as_b || coalesce((SELECT jsonb_build_object('items', jsonb_object_agg(item_id, jsonb_build_object(
	            'quantity', quantity, 'amount', amount))) FROM each_line l WHERE l.order_id = p.order_id AND reason = 'lines'), '{}')
	        || coalesce((SELECT jsonb_build_object('refund_minor', sum(minor_b)) FROM refund r
	                     WHERE r.order_id = p.order_id AND reason = 'refunds'), '{}') END,
       CASE WHEN in_s THEN as_s || coalesce((SELECT jsonb_build_object('refund_minor', sum(minor_s)) FROM refund r
	            WHERE r.order_id = p.order_id AND reason = 'refunds'), '{}') END,
       EXISTS (SELECT FROM order_state o WHERE o.order_id = p.order_id AND o.updated_at >= :since::timestamptz)
       OR EXISTS (SELECT FROM order_line_state o WHERE o.order_id = p.order_id AND o.updated_at >= :since::timestamptz)
       OR EXISTS (SELECT FROM order_refund_state o WHERE o.order_id = p.order_id AND o.updated_at >= :since::timestamptz)
FROM touched t JOIN pair p USING (order_id)

-- name: reconcile_unexplained
-- Days without any order that differs: the stream may have caught up since they were compared.
SELECT count(*) AS days FROM reconcile_day r
WHERE round = :round::int AND known AND differs
  AND NOT EXISTS (SELECT FROM difference d WHERE d.business_date = r.business_date)

-- name: reconcile_verdict
-- A day that was found equal once is equal. One all of whose differences are in motion gets no verdict
-- tonight: the next run looks at it again.
CREATE TEMP TABLE reconcile_verdict AS
SELECT DISTINCT ON (r.business_date) r.business_date,
       CASE WHEN NOT r.known THEN 'no_stream' WHEN NOT r.differs THEN 'equal' ELSE 'different' END AS status,
       r.orders_batch, CASE WHEN r.known THEN r.orders_stream ELSE 0 END AS orders_stream, r.revenue,
       CASE WHEN r.known AND r.differs THEN coalesce(d.settled, 0) ELSE 0 END AS orders_differing
FROM reconcile_day r
LEFT JOIN (SELECT business_date, count(*) FILTER (WHERE NOT unsettled) AS settled, count(*) AS orders
           FROM difference GROUP BY 1) d USING (business_date)
WHERE NOT (r.known AND r.differs AND coalesce(d.orders, 0) > 0 AND coalesce(d.settled, 0) = 0)
ORDER BY r.business_date, r.known AND r.differs, r.round DESC

-- name: reconcile_delete
DELETE FROM reconciliation WHERE business_date IN (SELECT business_date FROM reconcile_verdict)

-- name: reconcile_write
INSERT INTO reconciliation (business_date, status, orders_batch, orders_stream, revenue, orders_differing, run_id, checked_at)
SELECT business_date, status, orders_batch, orders_stream, revenue, orders_differing, :run_id::bigint, now()
FROM reconcile_verdict

-- name: reconcile_write_orders
-- At most so many orders of a day, which are more than anybody reads; their number is exact.
INSERT INTO reconciliation_order (business_date, order_id, reason, batch, stream)
SELECT business_date, order_id, reason, batch, stream
FROM (SELECT d.*, row_number() OVER (PARTITION BY business_date ORDER BY order_id) AS n
      FROM difference d JOIN reconcile_verdict v USING (business_date)
      WHERE v.status = 'different' AND NOT unsettled) d
WHERE n <= 10000

-- name: reconcile_summary
SELECT count(*) FILTER (WHERE status = 'equal') AS equal, count(*) FILTER (WHERE status = 'different') AS different,
       count(*) FILTER (WHERE status = 'no_stream') AS no_stream, coalesce(sum(orders_differing), 0) AS orders,
       (SELECT count(DISTINCT business_date) FROM reconcile_day) - count(*) AS open,
       max(business_date) FILTER (WHERE status = 'different') AS newest
FROM reconcile_verdict
