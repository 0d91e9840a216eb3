-- report_file.sql: the five reports for S3 or a directory, and what of them is not stored yet.

-- name: report_lock
-- One process of all makes and stores reports, for as long as its connection lives.
SELECT pg_try_advisory_lock(hashtext('takings'), hashtext('reports')) AS locked

-- name: report_due
-- Seconds until the next flush by the last one; NULL where there was none.
SELECT extract(epoch FROM f.made_at + :interval_s::int * interval '1 second' - now())::bigint AS due_s,
       (SELECT count(*) FROM report_outbox) AS waiting
FROM (SELECT) one
LEFT JOIN (SELECT made_at FROM report_flush ORDER BY flush_id DESC LIMIT 1) f ON true

-- name: report_flush_begin
-- The moment of a flush: one row, none where nothing changed since the last (unless :always). The name of a
-- second that was used gets a number.
INSERT INTO report_flush (stamp, made_at, live_version, totals)
SELECT (SELECT b.stamp || x.suffix
        FROM (SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD_HH24MISS') AS stamp) b,
             (SELECT n, CASE WHEN n > 0 THEN '_' || to_char(n, 'FM000') ELSE '' END AS suffix FROM generate_series(0, 999) n) x
        WHERE NOT EXISTS (SELECT FROM report_flush f WHERE f.stamp = b.stamp || x.suffix)
        ORDER BY x.n LIMIT 1),
       date_trunc('second', now()), l.live_version,
       (SELECT coalesce(jsonb_object_agg(d.currency, jsonb_build_object('orders', d.placed, 'minor', d.minor)), '{}')
        FROM (SELECT currency, sum(placed)::bigint AS placed, sum(gross_minor) - sum(refund_minor) AS minor
              FROM live_day GROUP BY currency) d)
FROM live_site l
WHERE l.rules_id IS NOT NULL
  AND (:always::boolean
       OR l.live_version <> coalesce((SELECT live_version FROM report_flush ORDER BY flush_id DESC LIMIT 1), 0))
RETURNING flush_id, stamp

-- name: report_flush_fill
-- Its five reports. Each is made for every currency there is; that of the site stands in `data` (or `metrics`),
-- the others below `by_currency`, so that no two currencies are ever added.
WITH now_flush AS MATERIALIZED (
	SELECT f.flush_id, f.stamp, f.made_at, f.totals, p.made_at AS from_at, coalesce(p.totals, '{}') AS from_totals,
	       r.timezone, r.default_currency AS home
	FROM report_flush f
	JOIN live_site l ON true
	JOIN rules r USING (rules_id)
	LEFT JOIN LATERAL (SELECT made_at, totals FROM report_flush WHERE flush_id < f.flush_id ORDER BY flush_id DESC LIMIT 1) p ON true
	WHERE f.flush_id = :flush_id::bigint
), day AS MATERIALIZED (
	SELECT business_date, currency, sum(placed)::bigint AS placed, sum(gross_minor) - sum(refund_minor) AS minor
	FROM live_day GROUP BY business_date, currency
), status AS MATERIALIZED (
	SELECT currency, status, sum(orders)::bigint AS orders FROM live_status GROUP BY currency, status
), customer_sum AS MATERIALIZED (
	SELECT currency, count(*) AS n, sum(placed)::bigint AS placed, sum(revenue_minor) AS minor
	FROM live_customer GROUP BY currency
), product AS MATERIALIZED (
	-- Amounts as they are shown, so that those shown and the others add up.
	SELECT p.currency, p.item_id, p.quantity,
	       CASE WHEN p.amount = round(p.amount, m.digits) THEN round(p.amount, m.digits) ELSE half_even(p.amount, m.digits) END AS amount
	FROM live_product p
	JOIN (SELECT currency, money_exponent(currency) AS digits FROM (SELECT DISTINCT currency FROM live_product) c) m USING (currency)
), product_sum AS MATERIALIZED (
	SELECT currency, count(*) AS n, sum(quantity) AS quantity, sum(amount) AS amount FROM product GROUP BY currency
), currencies AS MATERIALIZED (
	SELECT currency, money_exponent(currency) AS digits
	FROM (SELECT home AS currency FROM now_flush UNION SELECT currency FROM day UNION SELECT currency FROM report_day
	      UNION SELECT currency FROM status UNION SELECT currency FROM customer_sum UNION SELECT currency FROM product_sum) c
), daily_sales AS (
	SELECT currency, json_object_agg(business_date, json_build_object('total_amount', money(minor, currency),
	                                                                  'order_count', placed) ORDER BY business_date) AS data
	FROM (SELECT business_date, currency, coalesce(d.placed, 0) AS placed, coalesce(d.minor, 0) AS minor
	      FROM day d FULL JOIN report_day t USING (business_date, currency)
	      WHERE (d.placed, d.minor) IS DISTINCT FROM (t.placed, t.revenue_minor)) x
	GROUP BY currency
), product_sales AS (
	SELECT c.currency, t.data,
	       json_build_object('count', coalesce(s.n, 0) - t.n,
	                         'quantity_sold', trim_scale(coalesce(s.quantity, 0) - coalesce(t.quantity, 0)),
	                         'total_revenue', round(coalesce(s.amount, 0) - coalesce(t.amount, 0), c.digits)) AS others
	FROM currencies c
	LEFT JOIN product_sum s USING (currency)
	CROSS JOIN LATERAL (
		SELECT json_object_agg(item_id, json_build_object('quantity_sold', trim_scale(quantity), 'total_revenue', amount)
		                       ORDER BY amount DESC, quantity DESC, item_id COLLATE "C") AS data,
		       count(*) AS n, sum(quantity) AS quantity, sum(amount) AS amount
		FROM (SELECT item_id, quantity, amount FROM product p
		      WHERE p.currency = c.currency
		      ORDER BY amount DESC, quantity DESC, item_id COLLATE "C" LIMIT :top_n::int) p
	) t
), customer_metrics AS (
	SELECT c.currency, t.data,
	       json_build_object('count', coalesce(s.n, 0) - t.n, 'order_count', coalesce(s.placed, 0) - coalesce(t.placed, 0),
	                         'total_spent', money(coalesce(s.minor, 0) - coalesce(t.minor, 0), c.currency)) AS others,
	       json_build_object('order_count', coalesce(d.placed, 0) - coalesce(s.placed, 0),
	                         'total_spent', money(coalesce(d.minor, 0) - coalesce(s.minor, 0), c.currency)) AS unknown
	FROM currencies c
	LEFT JOIN customer_sum s USING (currency)
	LEFT JOIN (SELECT currency, sum(placed) AS placed, sum(minor) AS minor FROM day GROUP BY currency) d USING (currency)
	CROSS JOIN LATERAL (
		SELECT json_object_agg(customer_id, json_build_object('order_count', placed, 'total_spent', money(revenue_minor, c.currency))
		                       ORDER BY revenue_minor DESC, placed DESC, customer_id COLLATE "C") AS data,
		       count(*) AS n, sum(placed) AS placed, sum(revenue_minor) AS minor
		FROM (SELECT customer_id, placed, revenue_minor FROM live_customer p
		      WHERE p.currency = c.currency
		      ORDER BY revenue_minor DESC, placed DESC, customer_id COLLATE "C" LIMIT :top_n::int) p
	) t
), order_status AS (
	SELECT currency, json_object_agg(status, orders ORDER BY orders DESC, status COLLATE "C") AS data
	FROM status GROUP BY currency
), summary AS (
	SELECT c.currency,
	       json_build_object('total_orders', coalesce(d.placed, 0), 'total_revenue', money(coalesce(d.minor, 0), c.currency),
	                         'unique_customers', coalesce(s.n, 0), 'unique_products_sold', coalesce(p.n, 0),
	                         'order_status_breakdown', coalesce(o.data, '{}')) AS data
	FROM currencies c
	LEFT JOIN (SELECT currency, sum(placed)::bigint AS placed, sum(minor) AS minor FROM day GROUP BY currency) d USING (currency)
	LEFT JOIN customer_sum s USING (currency)
	LEFT JOIN product_sum p USING (currency)
	LEFT JOIN order_status o USING (currency)
), part AS (
	-- What stands in a report for one currency.
	SELECT k.ordinal, c.currency,
	       CASE k.ordinal
	       WHEN 1 THEN json_build_object('data', coalesce(a.data, '{}'))
	       WHEN 2 THEN json_build_object('data', coalesce(b.data, '{}'), 'others', b.others)
	       WHEN 3 THEN json_build_object('data', coalesce(u.data, '{}'), 'others', u.others, 'unknown', u.unknown)
	       WHEN 4 THEN json_build_object('data', coalesce(o.data, '{}'))
	       ELSE json_build_object('metrics', s.data) END AS body
	FROM currencies c
	CROSS JOIN generate_series(1, 5) k(ordinal)
	LEFT JOIN daily_sales a USING (currency)
	LEFT JOIN product_sales b USING (currency)
	LEFT JOIN customer_metrics u USING (currency)
	LEFT JOIN order_status o USING (currency)
	LEFT JOIN summary s USING (currency)
), change AS (
	SELECT currency, json_build_object(
	           'orders', coalesce((f.totals->currency->>'orders')::bigint, 0) - coalesce((f.from_totals->currency->>'orders')::bigint, 0),
	           'revenue', money(coalesce((f.totals->currency->>'minor')::numeric, 0)
	                            - coalesce((f.from_totals->currency->>'minor')::numeric, 0), currency)) AS body
	FROM currencies, now_flush f
)
INSERT INTO report_outbox (flush_id, ordinal, report_type, key, body)
SELECT f.flush_id, k.ordinal, k.type, 'analytics/' || k.folder || '/' || f.stamp || '.json',
       -- Objects joined as texts: in json, keys keep the order they are written in.
       '{"report_type":' || to_json(k.type) || ',"generated_at":' || to_json(to_char(f.made_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS'))
       || ',' || substr(home.body::text, 2, length(home.body::text) - 2)
       || ',"by_currency":' || coalesce((SELECT json_object_agg(p.currency, p.body ORDER BY p.currency) FROM part p
                                         WHERE p.ordinal = k.ordinal AND p.currency <> f.home), '{}')
       || ',"generated_at_utc":' || to_json(to_char(f.made_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
       || ',"tz":' || to_json(f.timezone) || ',"basis":"order_date","currency":' || to_json(f.home)
       || ',"window":' || w.body || ',"source_position":' || q.body || E'}\n'
FROM now_flush f
CROSS JOIN (VALUES (1, 'daily_sales', 'daily_sales'), (2, 'product_sales', 'product_sales'),
                   (3, 'customer_metrics', 'customer_metrics'), (4, 'order_status_distribution', 'order_status'),
                   (5, 'summary', 'summary')) k(ordinal, type, folder)
JOIN part home ON home.ordinal = k.ordinal AND home.currency = f.home
CROSS JOIN LATERAL (
	SELECT json_build_object('from', to_char(f.from_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
	                         'to', to_char(f.made_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
	                         'orders', (SELECT body->'orders' FROM change WHERE currency = f.home),
	                         'revenue', (SELECT body->'revenue' FROM change WHERE currency = f.home),
	                         'by_currency', coalesce((SELECT json_object_agg(currency, body ORDER BY currency) FROM change
	                                                  WHERE currency <> f.home), '{}'))::text AS body
) w
CROSS JOIN (
	SELECT coalesce(json_agg(json_build_object('source', source, 'topic', topic, 'partition', partition, 'next', next)
	                         ORDER BY source, topic, partition), '[]')::text AS body FROM stream_position
) q
ORDER BY k.ordinal

-- name: report_day_forget
-- Days that are gone were told as zeros.
DELETE FROM report_day t
WHERE NOT EXISTS (SELECT FROM live_day d WHERE d.business_date = t.business_date AND d.currency = t.currency)

-- name: report_day_keep
-- What the flush told of the days.
INSERT INTO report_day (business_date, currency, placed, revenue_minor)
SELECT business_date, currency, sum(placed), sum(gross_minor) - sum(refund_minor) FROM live_day GROUP BY business_date, currency
ON CONFLICT (business_date, currency) DO UPDATE
SET placed = excluded.placed, revenue_minor = excluded.revenue_minor
WHERE (report_day.placed, report_day.revenue_minor) IS DISTINCT FROM (excluded.placed, excluded.revenue_minor)

-- name: report_outbox_next
-- The oldest that is not stored; none: nothing waits.
SELECT flush_id, ordinal, report_type, key, body, attempts, (SELECT count(*) FROM report_outbox) AS waiting
FROM report_outbox ORDER BY flush_id, ordinal LIMIT 1

-- name: report_outbox_stored
-- It is stored; `done` where it was the last of its flush.
WITH gone AS (
	DELETE FROM report_outbox WHERE flush_id = :flush_id::bigint AND ordinal = :ordinal::smallint RETURNING ordinal
), closed AS (
	UPDATE report_flush SET done_at = now()
	WHERE flush_id = :flush_id::bigint AND done_at IS NULL
	  AND NOT EXISTS (SELECT FROM report_outbox WHERE flush_id = :flush_id::bigint AND ordinal <> :ordinal::smallint)
	RETURNING stamp
)
SELECT (SELECT stamp FROM closed) AS done_stamp

-- name: report_outbox_failed
UPDATE report_outbox SET attempts = attempts + 1, error = :error
WHERE flush_id = :flush_id::bigint AND ordinal = :ordinal::smallint

-- name: report_prune
-- The newest is what the next flush is compared with.
DELETE FROM report_flush
WHERE done_at < now() - interval '2 days' AND flush_id < (SELECT max(flush_id) FROM report_flush)
