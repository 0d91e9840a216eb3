-- apply.sql: the stream's rules and its one transaction.

-- name: rules_in_force
SELECT r.* FROM site s JOIN rules r USING (rules_id)

-- name: rules_clock
-- From UTC to the site's wall clock, as far as orders can lie: pieces that begin at from_s.
SELECT extract(epoch FROM clock_from AT TIME ZONE 'UTC')::bigint AS from_s, shift_s
FROM business_shifts(:timezone, :cutoff::int, 'UTC', '1999-12-30', current_date + 3660)
ORDER BY from_s

-- name: rules_order_clock
-- From the wall clock of order_db's times without zone to UTC: as AT TIME ZONE reads them, a time that
-- occurs twice means the later one, one that is left out is read with the offset before the jump.
SELECT start_s + offset_s AS from_s, -offset_s AS shift_s
FROM zone_stretches(:zone, extract(epoch FROM date '1999-12-30')::bigint, extract(epoch FROM current_date + 3660)::bigint)
ORDER BY from_s

-- name: apply_session
-- The tables of a batch, and settings with which each plan is the one that is good for any size: driven
-- by these tables, with a look-up in the states for each of their rows. Planned once, while all may be
-- small, it must still be right with millions of orders: hence the LATERAL and OFFSET 0 below.
SET plan_cache_mode = force_generic_plan;
SET seq_page_cost = 1000;
SET random_page_cost = 0.1;
SET enable_bitmapscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_memoize = off;
SET max_parallel_workers_per_gather = 0;
SET work_mem = '64MB';
SET temp_buffers = '64MB';
SET idle_in_transaction_session_timeout = '10s';
SET lock_timeout = '15s';
SET statement_timeout = '5min';
CREATE TEMP TABLE batch_advance (
	source text NOT NULL, topic text NOT NULL, partition integer NOT NULL, from_next bigint NOT NULL, to_next bigint NOT NULL
);
-- known: there is a state; news: it takes something of this.
CREATE TEMP TABLE batch_order (
	order_id text COLLATE "C" NOT NULL, registers integer NOT NULL, birth_major bigint NOT NULL, birth_minor bigint NOT NULL,
	status_major bigint NOT NULL, status_minor bigint NOT NULL, said integer NOT NULL, said_at bigint[], deleted boolean NOT NULL,
	status text, counted boolean NOT NULL, currency text, location_id integer, customer_id text, total_minor bigint,
	discount_minor bigint, tax_minor bigint, shipping_minor bigint, tip_minor bigint, placed_at timestamptz,
	placed_local timestamp, cancelled_at timestamptz, cancelled_local timestamp, cancel_reason text,
	known boolean NOT NULL DEFAULT false, news boolean NOT NULL DEFAULT false
);
-- was: the order that the line's state belongs to.
CREATE TEMP TABLE batch_line (
	line_id text COLLATE "C" NOT NULL, order_id text COLLATE "C", deleted boolean NOT NULL, event boolean NOT NULL,
	major bigint NOT NULL, minor bigint NOT NULL, said integer NOT NULL, said_at bigint[], item_id text, name text,
	quantity numeric, price numeric, amount numeric,
	known boolean NOT NULL DEFAULT false, news boolean NOT NULL DEFAULT false, was text COLLATE "C"
);
CREATE TEMP TABLE batch_refund (
	refund_id text COLLATE "C" NOT NULL, order_id text COLLATE "C", deleted boolean NOT NULL, major bigint NOT NULL,
	minor bigint NOT NULL, said integer NOT NULL, said_at bigint[], amount numeric, refunded_at timestamptz, refunded_local timestamp,
	known boolean NOT NULL DEFAULT false, news boolean NOT NULL DEFAULT false, was text COLLATE "C"
);
CREATE TEMP TABLE batch_name (
	item_id text NOT NULL, name text NOT NULL, major bigint NOT NULL, minor bigint NOT NULL
);
CREATE TEMP TABLE batch_dead (
	source text NOT NULL, topic text NOT NULL, partition integer NOT NULL, position bigint NOT NULL, message_key bytea,
	payload bytea, reason text NOT NULL, field text NOT NULL, detail text NOT NULL, message_at timestamptz
);
-- The orders that may change; lines: one of their lines may.
CREATE TEMP TABLE batch_touched (
	order_id text COLLATE "C" NOT NULL, known boolean NOT NULL, lines boolean NOT NULL
);
CREATE TEMP TABLE batch_held (order_id text COLLATE "C" NOT NULL, lines boolean NOT NULL);
-- What the touched orders add up to: sign -1 before, 1 after; weight is that of those that count, 0 of
-- the others. held: there may be rows of both signs.
CREATE TEMP TABLE batch_part (
	sign smallint NOT NULL, weight smallint NOT NULL, held boolean NOT NULL, lines boolean NOT NULL, order_id text COLLATE "C" NOT NULL,
	birth_major bigint NOT NULL, birth_minor bigint NOT NULL, location_id integer NOT NULL, business_date date NOT NULL,
	currency text NOT NULL, hour_at timestamptz NOT NULL, hour smallint NOT NULL, minute_at timestamptz NOT NULL,
	status text NOT NULL, customer_id text, counted boolean NOT NULL, total bigint NOT NULL, refund bigint NOT NULL,
	refunds bigint NOT NULL, discount bigint NOT NULL, tax bigint NOT NULL, shipping bigint NOT NULL, tip bigint NOT NULL,
	cancelled_date date
);
CREATE TEMP TABLE batch_booking (
	location_id integer NOT NULL, business_date date NOT NULL, currency text NOT NULL, booked bigint NOT NULL
);
-- The orders whose lines count for something that may change.
CREATE TEMP TABLE batch_key (
	sign smallint NOT NULL, order_id text COLLATE "C" NOT NULL, birth_major bigint NOT NULL, birth_minor bigint NOT NULL,
	location_id integer NOT NULL, business_date date NOT NULL, currency text NOT NULL
);
CREATE TEMP TABLE batch_line_part (
	sign smallint NOT NULL, order_id text COLLATE "C" NOT NULL, location_id integer NOT NULL, business_date date NOT NULL,
	currency text NOT NULL, item_id text NOT NULL, quantity numeric NOT NULL, amount numeric NOT NULL
);
CREATE TEMP TABLE batch_item (
	location_id integer NOT NULL, business_date date NOT NULL, currency text NOT NULL, item_id text NOT NULL,
	quantity numeric NOT NULL, amount numeric NOT NULL, orders bigint NOT NULL
);
-- To make all figures anew: the site's clock and what the statuses mean.
CREATE TEMP TABLE batch_clock (from_at timestamptz PRIMARY KEY, shift interval NOT NULL);
CREATE TEMP TABLE batch_status (status text PRIMARY KEY, counted boolean NOT NULL)

-- name: apply_clear
-- What the last batch left, where it was little. (ON COMMIT DELETE ROWS cuts off each file, and every plan
-- is made anew: that takes ten times as long as a small batch itself.)
WITH a AS (DELETE FROM batch_advance),
     b AS (DELETE FROM batch_order),
     c AS (DELETE FROM batch_line),
     d AS (DELETE FROM batch_refund),
     e AS (DELETE FROM batch_name),
     f AS (DELETE FROM batch_dead),
     g AS (DELETE FROM batch_touched),
     h AS (DELETE FROM batch_held),
     i AS (DELETE FROM batch_part),
     j AS (DELETE FROM batch_booking),
     k AS (DELETE FROM batch_key),
     l AS (DELETE FROM batch_line_part)
DELETE FROM batch_item

-- name: apply_truncate
-- The same where it was much, or has gathered.
TRUNCATE batch_advance, batch_order, batch_line, batch_refund, batch_name, batch_dead, batch_touched, batch_held, batch_part, batch_booking, batch_key, batch_line_part, batch_item, batch_clock, batch_status

-- name: apply_position
SELECT next FROM stream_position WHERE source = :source AND topic = :topic AND partition = :partition::int

-- name: apply_topic_known
SELECT EXISTS (SELECT FROM stream_position WHERE source = :source AND topic = :topic) AS known

-- name: apply_guard
-- Batches share what the making anew of all figures wants for itself.
SELECT pg_advisory_xact_lock_shared(hashtext('takings live figures'))

-- name: apply_rules_now
-- The rules the figures are made by, where they are those in force.
SELECT s.rules_id FROM site s JOIN live_site l USING (rules_id)

-- name: apply_fence
-- Moves the partitions of the batch on; none that stands elsewhere. Locks in one order.
WITH held AS MATERIALIZED (
	SELECT p.source, p.topic, p.partition, a.to_next
	FROM (SELECT * FROM batch_advance WHERE from_next >= 0 ORDER BY source, topic, partition OFFSET 0) a,
	     LATERAL (SELECT * FROM stream_position p
	              WHERE (p.source, p.topic, p.partition) = (a.source, a.topic, a.partition) AND p.next = a.from_next
	              FOR UPDATE) p
), moved AS (
	UPDATE stream_position p SET next = h.to_next, updated_at = now()
	FROM held h WHERE (p.source, p.topic, p.partition) = (h.source, h.topic, h.partition)
	RETURNING 1
), begun AS (
	INSERT INTO stream_position (source, topic, partition, next)
	SELECT source, topic, partition, to_next FROM batch_advance WHERE from_next < 0 ORDER BY 1, 2, 3
	ON CONFLICT DO NOTHING
	RETURNING 1
)
SELECT (SELECT count(*) FROM moved) + (SELECT count(*) FROM begun) AS moved

-- ---- what is news, and to whom ---------------------------------------------------

-- name: apply_forget
-- Of customers who were erased the mark alone (016_activity_privacy.sql).
UPDATE batch_order n SET customer_id = person_mark('user', customer_id)
WHERE customer_id IS NOT NULL AND EXISTS (SELECT FROM activity_suppressed) AND person_mark('user', customer_id) IS NOT NULL

-- name: apply_look_orders
-- States made by this very transaction have taken what there is.
UPDATE batch_order n SET known = true, news = (
	SELECT said_news(n.said, n.said_at, n.birth_major, n.birth_minor, n.status_major, n.status_minor,
	                 s.said, s.said_at, s.birth_major, s.birth_minor, s.status_major, s.status_minor) <> 0
	FROM order_state s WHERE s.order_id = n.order_id)
WHERE (SELECT s.xmin <> pg_current_xact_id()::xid FROM order_state s WHERE s.order_id = n.order_id)

-- name: apply_look_lines
UPDATE batch_line n SET known = true, (was, news) = (
	SELECT s.order_id, said_news(n.said, n.said_at, n.major, n.minor, -1, -1, s.said, s.said_at, s.major, s.minor, -1, -1) <> 0
	FROM order_line_state s WHERE s.line_id = n.line_id)
WHERE (SELECT true FROM order_line_state s WHERE s.line_id = n.line_id)

-- name: apply_look_refunds
UPDATE batch_refund n SET known = true, (was, news) = (
	SELECT s.order_id, said_news(n.said, n.said_at, n.major, n.minor, -1, -1, s.said, s.said_at, s.major, s.minor, -1, -1) <> 0
	FROM order_refund_state s WHERE s.refund_id = n.refund_id)
WHERE (SELECT true FROM order_refund_state s WHERE s.refund_id = n.refund_id)

-- name: apply_add_orders
-- Orders nobody had heard of, in one order; whoever else adds one is waited for and wins.
WITH added AS (
	INSERT INTO order_state (order_id, born, deleted, birth_major, birth_minor, status_major, status_minor, said, said_at,
	                         status, counted, currency, location_id, customer_id, total_minor, discount_minor, tax_minor,
	                         shipping_minor, tip_minor, placed_at, placed_local, cancelled_at, cancelled_local, cancel_reason)
	SELECT order_id, registers & writes_birth() <> 0, deleted, birth_major, birth_minor, status_major, status_minor, said, said_at,
	       status, counted, currency, location_id, customer_id, total_minor, discount_minor, tax_minor,
	       shipping_minor, tip_minor, placed_at, placed_local, cancelled_at, cancelled_local, cancel_reason
	FROM batch_order WHERE NOT known ORDER BY order_id
	ON CONFLICT DO NOTHING
	RETURNING birth_major >= 0 OR status_major >= 0 AS told
)
SELECT count(*) AS added, count(*) FILTER (WHERE told) AS told, (SELECT count(*) FROM batch_order WHERE NOT known) AS unknown
FROM added

-- name: apply_touch
INSERT INTO batch_touched
SELECT order_id, bool_or(known), bool_or(lines)
FROM (SELECT order_id, known, false AS lines, news OR NOT known AND registers <> 0 AS wanted FROM batch_order
      UNION ALL SELECT order_id, false, true, true FROM batch_line WHERE news OR NOT known
      UNION ALL SELECT was, true, true, true FROM batch_line WHERE news AND was IS DISTINCT FROM order_id
      UNION ALL SELECT order_id, false, false, true FROM batch_refund WHERE news OR NOT known
      UNION ALL SELECT was, true, false, true FROM batch_refund WHERE news AND was IS DISTINCT FROM order_id) t
WHERE order_id IS NOT NULL
GROUP BY order_id
HAVING bool_or(wanted)

-- name: apply_hold
-- In one order for all, so that nobody waits for each other.
INSERT INTO batch_held
SELECT t.order_id, t.lines
FROM (SELECT * FROM batch_touched WHERE known ORDER BY order_id OFFSET 0) t,
     LATERAL (SELECT FROM order_state s WHERE s.order_id = t.order_id FOR UPDATE) s

-- name: apply_hold_lines
-- A line that belongs to no order is held by nobody else; one that has gone to another order before its
-- own was held has strayed: then begin again.
SELECT count(*) AS news, count(*) FILTER (WHERE n.known AND n.was IS DISTINCT FROM s.order_id) AS strayed
FROM batch_line n
LEFT JOIN LATERAL (SELECT s.order_id FROM order_line_state s WHERE s.line_id = n.line_id AND n.known FOR UPDATE) s ON true
WHERE n.news OR NOT n.known

-- name: apply_hold_refunds
SELECT count(*) AS news, count(*) FILTER (WHERE n.known AND n.was IS DISTINCT FROM s.order_id) AS strayed
FROM batch_refund n
LEFT JOIN LATERAL (SELECT s.order_id FROM order_refund_state s WHERE s.refund_id = n.refund_id AND n.known FOR UPDATE) s ON true
WHERE n.news OR NOT n.known

-- ---- states take what is newer ------------------------------------------------------

-- name: apply_part_before
INSERT INTO batch_part
SELECT -1, CASE WHEN p.counted THEN -1 ELSE 0 END, true, h.lines, p.*
FROM batch_held h, LATERAL (SELECT * FROM order_part p WHERE p.order_id = h.order_id OFFSET 0) p

-- name: apply_part_after
INSERT INTO batch_part
SELECT 1, CASE WHEN p.counted THEN 1 ELSE 0 END, t.known, t.lines, p.*
FROM batch_touched t, LATERAL (SELECT * FROM order_part p WHERE p.order_id = t.order_id OFFSET 0) p

-- name: apply_refunds_booked
-- Of those with this sign; refunds are negative.
INSERT INTO batch_booking
SELECT p.location_id, f.business_date, p.currency, p.sign * f.booked
FROM batch_part p,
     LATERAL (SELECT (r.refunded_local - (SELECT make_interval(hours => u.cutoff_hours) FROM live_site JOIN rules u USING (rules_id)))::date
                     AS business_date, -coalesce(money_minor(r.amount, p.currency), 0) AS booked
              FROM order_refund_state r
              WHERE r.order_id = p.order_id AND NOT r.deleted AND r.refunded_local IS NOT NULL OFFSET 0) f
WHERE p.sign = :sign::int AND p.refunds > 0

-- name: apply_take_orders
INSERT INTO order_state AS o (order_id, born, deleted, birth_major, birth_minor, status_major, status_minor, said, said_at,
                              status, counted, currency, location_id, customer_id, total_minor, discount_minor, tax_minor,
                              shipping_minor, tip_minor, placed_at, placed_local, cancelled_at, cancelled_local, cancel_reason)
SELECT n.order_id, s.born OR n.registers & writes_birth() <> 0, CASE WHEN k.news & newer_birth() <> 0 THEN n.deleted ELSE s.deleted END,
       CASE WHEN k.news & newer_birth() <> 0 THEN n.birth_major ELSE s.birth_major END,
       CASE WHEN k.news & newer_birth() <> 0 THEN n.birth_minor ELSE s.birth_minor END,
       CASE WHEN k.news & newer_status() <> 0 THEN n.status_major ELSE s.status_major END,
       CASE WHEN k.news & newer_status() <> 0 THEN n.status_minor ELSE s.status_minor END, n.said | s.said,
       CASE WHEN n.said_at IS NULL AND s.said_at IS NULL
             AND CASE WHEN k.news & newer_birth() <> 0 THEN s.said & ~n.said ELSE n.said & ~s.said END & ~status_fields() = 0
             AND CASE WHEN k.news & newer_status() <> 0 THEN s.said & ~n.said ELSE n.said & ~s.said END & status_fields() = 0 THEN NULL
            ELSE said_both(n.said, n.said_at, ARRAY[n.birth_major, n.birth_minor], ARRAY[n.status_major, n.status_minor],
                           s.said, s.said_at, ARRAY[s.birth_major, s.birth_minor], ARRAY[s.status_major, s.status_minor]) END,
       CASE WHEN k.news & field_bit('status') <> 0 THEN n.status ELSE s.status END,
       CASE WHEN k.news & field_bit('status') <> 0 THEN n.counted ELSE s.counted END,
       CASE WHEN k.news & field_bit('currency') <> 0 THEN n.currency ELSE s.currency END,
       CASE WHEN k.news & field_bit('location') <> 0 THEN n.location_id ELSE s.location_id END,
       CASE WHEN k.news & field_bit('customer') <> 0 THEN n.customer_id ELSE s.customer_id END,
       CASE WHEN k.news & field_bit('total') <> 0 THEN n.total_minor ELSE s.total_minor END,
       CASE WHEN k.news & field_bit('discount') <> 0 THEN n.discount_minor ELSE s.discount_minor END,
       CASE WHEN k.news & field_bit('tax') <> 0 THEN n.tax_minor ELSE s.tax_minor END,
       CASE WHEN k.news & field_bit('shipping') <> 0 THEN n.shipping_minor ELSE s.shipping_minor END,
       CASE WHEN k.news & field_bit('tip') <> 0 THEN n.tip_minor ELSE s.tip_minor END,
       CASE WHEN k.news & field_bit('placed') <> 0 THEN n.placed_at ELSE s.placed_at END,
       CASE WHEN k.news & field_bit('placed') <> 0 THEN n.placed_local ELSE s.placed_local END,
       CASE WHEN k.news & field_bit('cancelled') <> 0 THEN n.cancelled_at ELSE s.cancelled_at END,
       CASE WHEN k.news & field_bit('cancelled') <> 0 THEN n.cancelled_local ELSE s.cancelled_local END,
       CASE WHEN k.news & field_bit('cancelled') <> 0 THEN n.cancel_reason ELSE s.cancel_reason END
FROM batch_order n,
     LATERAL (SELECT * FROM order_state s WHERE s.order_id = n.order_id OFFSET 0) s,
     LATERAL (SELECT said_news(n.said, n.said_at, n.birth_major, n.birth_minor, n.status_major, n.status_minor,
                               s.said, s.said_at, s.birth_major, s.birth_minor, s.status_major, s.status_minor) AS news OFFSET 0) k
WHERE n.news AND k.news <> 0
ON CONFLICT (order_id) DO UPDATE SET
	born = excluded.born, deleted = excluded.deleted, birth_major = excluded.birth_major, birth_minor = excluded.birth_minor,
	status_major = excluded.status_major, status_minor = excluded.status_minor, said = excluded.said, said_at = excluded.said_at,
	status = excluded.status, counted = excluded.counted, currency = excluded.currency, location_id = excluded.location_id,
	customer_id = excluded.customer_id, total_minor = excluded.total_minor, discount_minor = excluded.discount_minor,
	tax_minor = excluded.tax_minor, shipping_minor = excluded.shipping_minor, tip_minor = excluded.tip_minor,
	placed_at = excluded.placed_at, placed_local = excluded.placed_local, cancelled_at = excluded.cancelled_at,
	cancelled_local = excluded.cancelled_local, cancel_reason = excluded.cancel_reason, updated_at = excluded.updated_at

-- name: apply_add_refunds
INSERT INTO order_refund_state (refund_id, order_id, deleted, major, minor, said, said_at, amount, refunded_at, refunded_local)
SELECT refund_id, order_id, deleted, major, minor, said, said_at, amount, refunded_at, refunded_local
FROM batch_refund WHERE NOT known ORDER BY refund_id

-- name: apply_take_refunds
INSERT INTO order_refund_state (refund_id, order_id, deleted, major, minor, said, said_at, amount, refunded_at, refunded_local)
SELECT n.refund_id, CASE WHEN k.news & field_bit('order_id') <> 0 THEN n.order_id ELSE s.order_id END,
       CASE WHEN k.news & newer_birth() <> 0 THEN n.deleted ELSE s.deleted END,
       CASE WHEN k.news & newer_birth() <> 0 THEN n.major ELSE s.major END, CASE WHEN k.news & newer_birth() <> 0 THEN n.minor ELSE s.minor END,
       n.said | s.said,
       CASE WHEN n.said_at IS NULL AND s.said_at IS NULL
             AND CASE WHEN k.news & newer_birth() <> 0 THEN s.said & ~n.said ELSE n.said & ~s.said END = 0 THEN NULL
            ELSE said_both(n.said, n.said_at, ARRAY[n.major, n.minor], '{-1,-1}', s.said, s.said_at, ARRAY[s.major, s.minor], '{-1,-1}') END,
       CASE WHEN k.news & field_bit('amount') <> 0 THEN n.amount ELSE s.amount END,
       CASE WHEN k.news & field_bit('refunded') <> 0 THEN n.refunded_at ELSE s.refunded_at END,
       CASE WHEN k.news & field_bit('refunded') <> 0 THEN n.refunded_local ELSE s.refunded_local END
FROM batch_refund n,
     LATERAL (SELECT * FROM order_refund_state s WHERE s.refund_id = n.refund_id OFFSET 0) s,
     LATERAL (SELECT said_news(n.said, n.said_at, n.major, n.minor, -1, -1, s.said, s.said_at, s.major, s.minor, -1, -1) AS news OFFSET 0) k
WHERE n.news AND k.news <> 0
ORDER BY n.refund_id
ON CONFLICT (refund_id) DO UPDATE SET
	order_id = excluded.order_id, deleted = excluded.deleted, major = excluded.major, minor = excluded.minor, said = excluded.said,
	said_at = excluded.said_at, amount = excluded.amount, refunded_at = excluded.refunded_at,
	refunded_local = excluded.refunded_local, updated_at = excluded.updated_at

-- name: apply_add_lines
INSERT INTO order_line_state (line_id, order_id, deleted, event, major, minor, said, said_at, item_id, name, quantity, price, amount)
SELECT line_id, order_id, deleted, event, major, minor, said, said_at, item_id, name, quantity, price, amount
FROM batch_line WHERE NOT known ORDER BY line_id

-- name: apply_take_lines
INSERT INTO order_line_state (line_id, order_id, deleted, event, major, minor, said, said_at, item_id, name, quantity, price, amount)
SELECT n.line_id, CASE WHEN k.news & field_bit('order_id') <> 0 THEN n.order_id ELSE s.order_id END,
       CASE WHEN k.news & newer_birth() <> 0 THEN n.deleted ELSE s.deleted END, CASE WHEN k.news & newer_birth() <> 0 THEN n.event ELSE s.event END,
       CASE WHEN k.news & newer_birth() <> 0 THEN n.major ELSE s.major END, CASE WHEN k.news & newer_birth() <> 0 THEN n.minor ELSE s.minor END,
       n.said | s.said,
       CASE WHEN n.said_at IS NULL AND s.said_at IS NULL
             AND CASE WHEN k.news & newer_birth() <> 0 THEN s.said & ~n.said ELSE n.said & ~s.said END = 0 THEN NULL
            ELSE said_both(n.said, n.said_at, ARRAY[n.major, n.minor], '{-1,-1}', s.said, s.said_at, ARRAY[s.major, s.minor], '{-1,-1}') END,
       CASE WHEN k.news & field_bit('item') <> 0 THEN n.item_id ELSE s.item_id END, CASE WHEN k.news & field_bit('name') <> 0 THEN n.name ELSE s.name END,
       CASE WHEN k.news & field_bit('quantity') <> 0 THEN n.quantity ELSE s.quantity END, CASE WHEN k.news & field_bit('price') <> 0 THEN n.price ELSE s.price END,
       CASE WHEN k.news & field_bit('amount') <> 0 THEN n.amount ELSE s.amount END
FROM batch_line n,
     LATERAL (SELECT * FROM order_line_state s WHERE s.line_id = n.line_id OFFSET 0) s,
     LATERAL (SELECT said_news(n.said, n.said_at, n.major, n.minor, -1, -1, s.said, s.said_at, s.major, s.minor, -1, -1) AS news OFFSET 0) k
WHERE n.news AND k.news <> 0
ORDER BY n.line_id
ON CONFLICT (line_id) DO UPDATE SET
	order_id = excluded.order_id, deleted = excluded.deleted, event = excluded.event, major = excluded.major, minor = excluded.minor,
	said = excluded.said, said_at = excluded.said_at, item_id = excluded.item_id, name = excluded.name, quantity = excluded.quantity,
	price = excluded.price, amount = excluded.amount, updated_at = excluded.updated_at

-- name: apply_keys
-- Of orders that are as they were in all that concerns their lines, the lines are left alone. A birth by
-- a row is never that of an event's lines.
INSERT INTO batch_key
SELECT sign, order_id, birth_major, birth_minor, location_id, business_date, currency
FROM (SELECT *, count(*) OVER (PARTITION BY order_id, location_id, business_date, currency, counted,
                                            CASE WHEN birth_major < version_row() THEN birth_major END,
                                            CASE WHEN birth_major < version_row() THEN birth_minor END) AS alike
      FROM batch_part WHERE held) p
WHERE counted AND (lines OR alike < 2)
UNION ALL
SELECT sign, order_id, birth_major, birth_minor, location_id, business_date, currency FROM batch_part WHERE counted AND NOT held

-- name: apply_line_parts
INSERT INTO batch_line_part
SELECT k.sign, k.order_id, k.location_id, k.business_date, k.currency, l.*
FROM batch_key k,
     LATERAL (SELECT coalesce(s.item_id, ''), coalesce(s.quantity, 0), coalesce(s.amount, s.quantity * s.price, 0)
              FROM order_line_state s
              WHERE s.order_id = k.order_id AND NOT s.deleted
                AND (NOT s.event OR (s.major, s.minor) = (k.birth_major, k.birth_minor)) OFFSET 0) l
WHERE k.sign = :sign::int

-- name: apply_names
INSERT INTO live_item_name AS n
SELECT * FROM batch_name ORDER BY item_id
ON CONFLICT (item_id) DO UPDATE SET name = excluded.name, major = excluded.major, minor = excluded.minor
WHERE (excluded.major, excluded.minor) > (n.major, n.minor)

-- ---- figures change by the difference ------------------------------------------------

-- name: apply_days
-- Each of these answers how many rows changed, and where those are that came out empty.
WITH changed AS (
	INSERT INTO live_day AS d (location_id, business_date, currency, placed, counted, gross_minor, refund_minor, booked_minor,
	                           discount_minor, tax_minor, shipping_minor, tip_minor, changed_at)
	SELECT *, now()
	FROM (SELECT location_id, business_date, currency, sum(placed) AS placed, sum(counted) AS counted, sum(gross) AS gross,
	             sum(refund) AS refund, sum(booked) AS booked, sum(discount) AS discount, sum(tax) AS tax, sum(shipping) AS shipping,
	             sum(tip) AS tip
	      FROM (SELECT location_id, business_date, currency, sum(sign) AS placed, sum(weight) AS counted, sum(weight * total) AS gross,
	                   sum(weight * refund) AS refund, sum(CASE WHEN counted OR cancelled_date IS NOT NULL THEN sign * total ELSE 0 END) AS booked,
	                   sum(weight * discount) AS discount, sum(weight * tax) AS tax, sum(weight * shipping) AS shipping, sum(weight * tip) AS tip
	            FROM batch_part GROUP BY 1, 2, 3
	            UNION ALL
	            SELECT location_id, cancelled_date, currency, 0, 0, 0, 0, -sum(sign * total), 0, 0, 0, 0
	            FROM batch_part WHERE NOT counted AND cancelled_date IS NOT NULL GROUP BY 1, 2, 3
	            UNION ALL
	            SELECT location_id, business_date, currency, 0, 0, 0, 0, sum(booked), 0, 0, 0, 0
	            FROM batch_booking GROUP BY 1, 2, 3) x
	      GROUP BY 1, 2, 3) s
	WHERE (placed, counted, gross, refund, booked, discount, tax, shipping, tip) <> (0, 0, 0, 0, 0, 0, 0, 0, 0)
	ORDER BY 1, 2, 3
	ON CONFLICT (location_id, business_date, currency) DO UPDATE SET
		placed = d.placed + excluded.placed, counted = d.counted + excluded.counted, gross_minor = d.gross_minor + excluded.gross_minor,
		refund_minor = d.refund_minor + excluded.refund_minor, booked_minor = d.booked_minor + excluded.booked_minor,
		discount_minor = d.discount_minor + excluded.discount_minor, tax_minor = d.tax_minor + excluded.tax_minor,
		shipping_minor = d.shipping_minor + excluded.shipping_minor, tip_minor = d.tip_minor + excluded.tip_minor,
		changed_at = excluded.changed_at
	RETURNING d.ctid AS at, (placed, counted, gross_minor, refund_minor, booked_minor, discount_minor, tax_minor, shipping_minor,
	                         tip_minor) = (0, 0, 0, 0, 0, 0, 0, 0, 0) AS empty
)
SELECT count(*) AS changed, array_agg(at) FILTER (WHERE empty) AS empty FROM changed

-- name: apply_statuses
WITH changed AS (
	INSERT INTO live_status AS d
	SELECT * FROM (SELECT location_id, business_date, currency, status, sum(sign) AS orders FROM batch_part GROUP BY 1, 2, 3, 4) s
	WHERE orders <> 0
	ORDER BY 1, 2, 3, 4
	ON CONFLICT (location_id, business_date, currency, status) DO UPDATE SET orders = d.orders + excluded.orders
	RETURNING d.ctid AS at, orders = 0 AS empty
)
SELECT count(*) AS changed, array_agg(at) FILTER (WHERE empty) AS empty FROM changed

-- name: apply_hours
WITH changed AS (
	INSERT INTO live_hour AS d
	SELECT *, now()
	FROM (SELECT location_id, hour_at, currency, business_date, hour, sum(sign) AS placed, sum(weight) AS counted,
	             sum(weight * total) AS gross, sum(weight * refund) AS refund
	      FROM batch_part GROUP BY 1, 2, 3, 4, 5) s
	WHERE (placed, counted, gross, refund) <> (0, 0, 0, 0)
	ORDER BY 1, 2, 3, 4, 5
	ON CONFLICT (location_id, hour_at, currency, business_date, hour) DO UPDATE SET
		placed = d.placed + excluded.placed, counted = d.counted + excluded.counted, gross_minor = d.gross_minor + excluded.gross_minor,
		refund_minor = d.refund_minor + excluded.refund_minor, changed_at = excluded.changed_at
	RETURNING d.ctid AS at, (placed, counted, gross_minor, refund_minor) = (0, 0, 0, 0) AS empty
)
SELECT count(*) AS changed, array_agg(at) FILTER (WHERE empty) AS empty FROM changed

-- name: apply_minutes
WITH changed AS (
	INSERT INTO live_minute AS d
	SELECT *
	FROM (SELECT location_id, minute_at, currency, sum(sign) AS placed, sum(sign * total) AS placed_minor, sum(weight) AS counted,
	             sum(weight * total) AS counted_minor
	      FROM batch_part WHERE minute_at >= (SELECT minutes_from FROM live_site) GROUP BY 1, 2, 3) s
	WHERE (placed, placed_minor, counted, counted_minor) <> (0, 0, 0, 0)
	ORDER BY 1, 2, 3
	ON CONFLICT (location_id, minute_at, currency) DO UPDATE SET
		placed = d.placed + excluded.placed, placed_minor = d.placed_minor + excluded.placed_minor,
		counted = d.counted + excluded.counted, counted_minor = d.counted_minor + excluded.counted_minor
	RETURNING d.ctid AS at, (placed, placed_minor, counted, counted_minor) = (0, 0, 0, 0) AS empty
)
SELECT count(*) AS changed, array_agg(at) FILTER (WHERE empty) AS empty FROM changed

-- name: apply_sum_items
-- An order counts once for an item, however many lines of it it has.
INSERT INTO batch_item
SELECT *
FROM (SELECT location_id, business_date, currency, item_id, sum(quantity) AS quantity, sum(amount) AS amount, sum(sign) AS orders
      FROM (SELECT sign, order_id, location_id, business_date, currency, item_id, sum(sign * quantity) AS quantity,
                   sum(sign * amount) AS amount
            FROM batch_line_part GROUP BY 1, 2, 3, 4, 5, 6) o
      GROUP BY 1, 2, 3, 4) s
WHERE (quantity, amount, orders) <> (0, 0, 0)

-- name: apply_items
WITH changed AS (
	INSERT INTO live_item AS d
	SELECT location_id, business_date, currency, item_id, trim_scale(quantity), trim_scale(amount), orders
	FROM batch_item ORDER BY 1, 2, 3, 4
	ON CONFLICT (location_id, business_date, currency, item_id) DO UPDATE SET
		quantity = trim_scale(d.quantity + excluded.quantity), amount = trim_scale(d.amount + excluded.amount),
		orders = d.orders + excluded.orders
	RETURNING d.ctid AS at, (quantity, amount, orders) = (0, 0, 0) AS empty
)
SELECT count(*) AS changed, array_agg(at) FILTER (WHERE empty) AS empty FROM changed

-- name: apply_products
WITH changed AS (
	INSERT INTO live_product AS d
	SELECT *
	FROM (SELECT currency, item_id, trim_scale(sum(quantity)) AS quantity, trim_scale(sum(amount)) AS amount, sum(orders) AS orders
	      FROM batch_item GROUP BY 1, 2) s
	WHERE (quantity, amount, orders) <> (0, 0, 0)
	ORDER BY 1, 2
	ON CONFLICT (currency, item_id) DO UPDATE SET
		quantity = trim_scale(d.quantity + excluded.quantity), amount = trim_scale(d.amount + excluded.amount),
		orders = d.orders + excluded.orders
	RETURNING d.ctid AS at, (quantity, amount, orders) = (0, 0, 0) AS empty
)
SELECT count(*) AS changed, array_agg(at) FILTER (WHERE empty) AS empty FROM changed

-- name: apply_customers
WITH changed AS (
	INSERT INTO live_customer AS d
	SELECT *
	FROM (SELECT currency, customer_id, sum(sign) AS placed, sum(weight) AS counted, sum(weight * (total - refund)) AS revenue
	      FROM batch_part WHERE customer_id IS NOT NULL GROUP BY 1, 2) s
	WHERE (placed, counted, revenue) <> (0, 0, 0)
	ORDER BY 1, 2
	ON CONFLICT (currency, customer_id) DO UPDATE SET
		placed = d.placed + excluded.placed, counted = d.counted + excluded.counted, revenue_minor = d.revenue_minor + excluded.revenue_minor
	RETURNING d.ctid AS at, (placed, counted, revenue_minor) = (0, 0, 0) AS empty
)
SELECT count(*) AS changed, array_agg(at) FILTER (WHERE empty) AS empty FROM changed

-- name: apply_drop_days
-- The same state makes the same rows, whatever it was before: nothing is left of what is nothing.
DELETE FROM live_day WHERE ctid = ANY (:rows::tid[])

-- name: apply_drop_statuses
DELETE FROM live_status WHERE ctid = ANY (:rows::tid[])

-- name: apply_drop_hours
DELETE FROM live_hour WHERE ctid = ANY (:rows::tid[])

-- name: apply_drop_minutes
DELETE FROM live_minute WHERE ctid = ANY (:rows::tid[])

-- name: apply_drop_items
DELETE FROM live_item WHERE ctid = ANY (:rows::tid[])

-- name: apply_drop_products
DELETE FROM live_product WHERE ctid = ANY (:rows::tid[])

-- name: apply_drop_customers
DELETE FROM live_customer WHERE ctid = ANY (:rows::tid[])

-- name: apply_changed
WITH site AS (UPDATE live_site SET live_version = live_version + 1, changed_at = now() RETURNING live_version)
SELECT pg_notify('takings_live', live_version::text) FROM site

-- name: apply_dead
INSERT INTO dead_letter (source, topic, partition, position, message_key, payload, reason, field, detail, message_at)
SELECT source, topic, partition, position, person_scrub(message_key), person_scrub(payload), reason, field, person_scrub(detail), message_at
FROM batch_dead ORDER BY source, topic, partition, position
ON CONFLICT DO NOTHING

-- ---- everything anew, by other rules --------------------------------------------------

-- name: apply_rules_made
SELECT (SELECT rules_id FROM site) AS site, (SELECT rules_id FROM live_site) AS live

-- name: apply_alone
SELECT pg_advisory_xact_lock(hashtext('takings live figures'))

-- name: apply_statuses_known
SELECT DISTINCT coalesce(status, '') AS status FROM order_state

-- name: apply_empty
DELETE FROM live_day;
DELETE FROM live_status;
DELETE FROM live_hour;
DELETE FROM live_minute;
DELETE FROM live_item;
DELETE FROM live_product;
DELETE FROM live_customer

-- name: apply_rules_take
UPDATE live_site SET rules_id = :rules_id::int

-- name: apply_rebuild_refunds
INSERT INTO order_refund_state (refund_id, major, minor, said, refunded_local)
SELECT refund_id, 0, 0, 0, local
FROM (SELECT s.refund_id, s.refunded_local, s.refunded_at AT TIME ZONE 'UTC'
             + (SELECT shift FROM batch_clock c WHERE c.from_at <= s.refunded_at ORDER BY c.from_at DESC LIMIT 1) AS local
      FROM order_refund_state s) n
WHERE refunded_local IS DISTINCT FROM local
ON CONFLICT (refund_id) DO UPDATE SET refunded_local = excluded.refunded_local

-- name: apply_rebuild_next
-- The next orders in the order of their ids.
INSERT INTO batch_touched
SELECT order_id, false, true FROM order_state WHERE order_id > :after ORDER BY order_id LIMIT 50000

-- name: apply_rebuild_orders
INSERT INTO order_state (order_id, born, placed_local, cancelled_local, counted)
SELECT order_id, born, placed_now, cancelled_now, counted_now
FROM (SELECT s.order_id, s.born, s.placed_local, s.cancelled_local, s.counted,
             s.placed_at AT TIME ZONE 'UTC'
             + (SELECT shift FROM batch_clock c WHERE c.from_at <= s.placed_at ORDER BY c.from_at DESC LIMIT 1) AS placed_now,
             s.cancelled_at AT TIME ZONE 'UTC'
             + (SELECT shift FROM batch_clock c WHERE c.from_at <= s.cancelled_at ORDER BY c.from_at DESC LIMIT 1) AS cancelled_now,
             coalesce((SELECT b.counted FROM batch_status b WHERE b.status = coalesce(s.status, '')), false) AS counted_now
      FROM batch_touched t, LATERAL (SELECT * FROM order_state s WHERE s.order_id = t.order_id OFFSET 0) s) n
WHERE (placed_local, cancelled_local, counted) IS DISTINCT FROM (placed_now, cancelled_now, counted_now)
ON CONFLICT (order_id) DO UPDATE SET
	placed_local = excluded.placed_local, cancelled_local = excluded.cancelled_local, counted = excluded.counted

-- name: apply_rebuild_last
SELECT max(order_id) AS order_id, count(*) AS orders FROM batch_touched

-- name: apply_rebuild_clear
TRUNCATE batch_touched, batch_part, batch_booking, batch_key, batch_line_part, batch_item
