-- live.sql: the answers of /metrics/..., and today's figures beside those of closed days. Closed days
-- are the batch's, the days after them the stream's (live_reach says which those are).

-- name: live_envelope
-- What stands beside the figures of /metrics/...; of :days up to today where none are asked for, and of
-- these only the last 24 hours where :hours says so. No row before the first run, and where :tz is
-- another zone than the site's.
SELECT now() AS as_of,
       json_build_object('from', CASE WHEN p.hours THEN p.hour_at - interval '23 hours' ELSE s.starts_at END,
                         'to', CASE WHEN p.hours THEN p.hour_at + interval '1 hour' ELSE s.ends_at END, 'tz', s.timezone, 'cutoff', s.cutoff_hours, 'from_date', s.from_day,
                         'to_date', s.to_day, 'complete', s.complete, 'partial', p.partial,
                         'elapsed_s', CASE WHEN p.partial THEN s.today_elapsed_s END) AS range,
       s.timezone AS tz, s.currency, 'order_date'::text AS basis, s.from_day, s.to_day, s.starts_at, s.ends_at, s.cutoff_hours, r.today, :currency::text AS currency_asked,
       money_exponent(s.currency) AS money_digits, s.to_day > coalesce(r.newest_day, '-infinity') AND r.last_day IS NOT NULL AS is_live
FROM live_reach() r
CROSS JOIN LATERAL report_scope(NULL, coalesce(:from::date, r.today - (:days::int - 1)), coalesce(:to::date, r.today), 1, :currency) s
CROSS JOIN LATERAL (SELECT r.today BETWEEN s.from_day AND s.to_day AS partial, :hours::boolean AND :from::date IS NULL AS hours,
                           now() - (now() AT TIME ZONE s.timezone - date_trunc('hour', now() AT TIME ZONE s.timezone)) AS hour_at) p
WHERE :tz::text IS NULL OR :tz = s.timezone

-- name: live_missing
-- Why there are none.
SELECT CASE WHEN NOT EXISTS (SELECT FROM site) THEN 'the batch has not run yet: takings-batch run'
            WHEN :tz::text <> (SELECT timezone FROM site JOIN rules USING (rules_id))
            THEN 'figures are in the site''s zone, ' || (SELECT timezone FROM site JOIN rules USING (rules_id)) END AS detail,
       CASE WHEN :tz::text <> (SELECT timezone FROM site JOIN rules USING (rules_id)) THEN 'tz' END AS field

-- name: metrics_orders
-- Orders placed in the days, whatever became of them. With :status only those that have it now: how
-- many the batch and the stream have counted; what they came to and when they were placed only the
-- stream knows, and it is NULL where that knows of more or fewer. No row where no day is known.
WITH day AS MATERIALIZED (
	SELECT * FROM live_days(:from_day::date, :to_day::date, :currency, :location_id::int, false)
), status AS MATERIALIZED (
	SELECT x.status, sum(x.n)::bigint AS n
	FROM (SELECT e.key AS status, e.value::bigint AS n
	      FROM daily_revenue_cache c, LATERAL jsonb_each_text(c.orders_by_status) e
	      WHERE c.business_date BETWEEN :from_day::date AND :to_day::date AND c.currency = :currency
	        AND (:location_id::int IS NULL OR c.location_id = :location_id::int)
	      UNION ALL
	      SELECT l.status, l.orders FROM day d JOIN live_status l USING (business_date)
	      WHERE d.live AND l.currency = :currency AND (:location_id::int IS NULL OR l.location_id = :location_id::int)) x
	WHERE :status::text IS NULL OR x.status = :status
	GROUP BY x.status HAVING sum(x.n) <> 0
), own AS MATERIALIZED (
	SELECT p.hour_at, p.counted, p.total - p.refund AS minor
	FROM order_state o JOIN order_part p USING (order_id)
	WHERE :status::text IS NOT NULL AND o.born AND NOT o.deleted AND p.status = :status AND p.currency = :currency
	  AND o.placed_at >= :starts_at::timestamptz AND o.placed_at < :ends_at::timestamptz
	  AND (:location_id::int IS NULL OR p.location_id = :location_id::int)
), known AS (
	SELECT :status::text IS NULL OR (SELECT count(*) FROM own) = (SELECT coalesce(sum(n), 0) FROM status) AS agree
), total AS (
	SELECT coalesce((SELECT sum(n) FROM status), 0)::bigint AS placed,
	       CASE WHEN :status::text IS NULL THEN (SELECT sum(revenue_minor) FROM day)
	            ELSE (SELECT coalesce(sum(minor), 0) FROM own WHERE counted) END AS minor,
	       CASE WHEN :status::text IS NULL THEN (SELECT sum(counted) FROM day) ELSE (SELECT count(*) FROM own WHERE counted) END AS counted
), hour AS (
	SELECT h.name, min(h.hour_at) AS at, CASE WHEN :status::text IS NULL THEN sum(h.placed) ELSE coalesce(sum(o.n), 0) END AS n
	FROM live_hours(:from_day::date, :to_day::date, :currency, :location_id::int) h
	LEFT JOIN (SELECT hour_at, count(*) AS n FROM own GROUP BY 1) o USING (hour_at)
	GROUP BY h.name
)
SELECT t.placed AS total_orders, CASE WHEN k.agree THEN money_of(t.minor, :money_digits::int) END AS total_revenue,
       (SELECT coalesce(json_object_agg(status, n ORDER BY n DESC, status), '{}') FROM status) AS orders_by_status,
       CASE WHEN k.agree THEN money_ratio_of(t.minor, t.counted, :money_digits::int) END AS avg_order_value,
       CASE WHEN k.agree THEN (SELECT json_object_agg(name, n ORDER BY at) FROM hour) END AS orders_per_hour,
       CASE WHEN k.agree THEN t.counted::bigint END AS counted_orders
FROM total t, known k
WHERE EXISTS (SELECT FROM day)

-- name: metrics_realtime
-- Rates of the last :window seconds: of orders placed in them, in every currency where none is asked
-- for, and their total in the answer's; of those cancelled in them apart, taken off nothing. Clocks
-- may differ by a minute. No row where the stream has not run.
WITH placed AS MATERIALIZED (
	SELECT o.currency, greatest(coalesce(o.total_minor, 0), 0) AS minor
	FROM order_state o
	WHERE o.born AND NOT o.deleted AND (:currency_asked::text IS NULL OR o.currency = :currency_asked)
	  AND (:location_id::int IS NULL OR o.location_id = :location_id::int)
	  AND o.placed_at > now() - make_interval(secs => :window::int) AND o.placed_at <= now() + interval '1 minute'
), cancelled AS MATERIALIZED (
	SELECT o.currency, greatest(coalesce(o.total_minor, 0), 0) AS minor
	FROM order_state o
	WHERE o.born AND NOT o.deleted AND (:currency_asked::text IS NULL OR o.currency = :currency_asked)
	  AND (:location_id::int IS NULL OR o.location_id = :location_id::int)
	  AND o.cancelled_at > now() - make_interval(secs => :window::int) AND o.cancelled_at <= now() + interval '1 minute'
)
SELECT half_even(p.n * 60::numeric / :window::int, 1) AS current_orders_per_minute,
       money_ratio_of(p.minor * 60, :window::int, :money_digits::int) AS revenue_per_minute,
       (SELECT count(DISTINCT o.customer_id) FROM order_state o
        WHERE o.born AND NOT o.deleted AND (:location_id::int IS NULL OR o.location_id = :location_id::int)
          AND o.placed_at > now() - make_interval(secs => :active_s::int) AND o.placed_at <= now() + interval '1 minute') AS active_users,
       'customers'::text AS active_users_basis, half_even(c.n * 60::numeric / :window::int, 1) AS cancelled_per_minute,
       money_ratio_of(c.minor * 60, :window::int, :money_digits::int) AS cancelled_revenue_per_minute,
       :window::int AS window_s, l.seen_at, l.late, true AS is_live
FROM live_reach() l,
     (SELECT count(*) AS n, coalesce(sum(minor) FILTER (WHERE currency = :currency), 0) AS minor FROM placed) p,
     (SELECT count(*) AS n, coalesce(sum(minor) FILTER (WHERE currency = :currency), 0) AS minor FROM cancelled) c
WHERE l.last_day IS NOT NULL

-- name: metrics_recent
-- The newest orders; of every currency where none is asked for. Who bought is for those who may know.
SELECT order_id, status, money(total_minor, currency) AS total, currency, CASE WHEN :personal::boolean THEN customer_id END AS customer_id,
       placed_at AS created_at
FROM order_state
WHERE born AND NOT deleted AND placed_at <= now() + interval '1 minute' AND (:currency_asked::text IS NULL OR currency = :currency_asked)
  AND (:location_id::int IS NULL OR location_id = :location_id::int)
ORDER BY placed_at DESC, order_id LIMIT :limit::int

-- name: metrics_products
-- The best products, and as many of them as are wanted.
SELECT item_id AS product_id, name, quantity, money_of(minor, :money_digits::int) AS revenue, orders
FROM live_items_ranked(:from_day::date, :to_day::date, :currency, :location_id::int, :by)
WHERE rank <= coalesce(:products::int, :limit::int)
ORDER BY rank

-- name: metrics_known
-- How many of the days are known; no row where none is.
SELECT count(*) AS days_known FROM live_days(:from_day::date, :to_day::date, :currency, :location_id::int, false) HAVING count(*) > 0

-- name: metrics_hourly
-- The real hours of the days asked for, oldest first; without days the last 24 up to the one that
-- runs. Hours of days that nobody knows have no figures.
SELECT name AS hour, money_of(revenue_minor, :money_digits::int) AS revenue, placed::bigint AS orders, partial
FROM (SELECT h.*, h.hour_at <= now() AND coalesce(lead(h.hour_at) OVER w, :ends_at::timestamptz) > now() AS partial,
             count(*) FILTER (WHERE h.hour_at <= now()) OVER () - row_number() OVER w AS left_n
      FROM live_hours(:from_day::date, :to_day::date, :currency, :location_id::int) h
      WINDOW w AS (ORDER BY h.hour_at)) x
WHERE :from::date IS NOT NULL OR left_n BETWEEN 0 AND 23
ORDER BY hour_at

-- name: live_today
-- The business day that is not over, as far as the stream knows it, where the answer's last day is the
-- newest computed one or later; compared with days before at the same time of theirs. Always one row
-- once the batch has run; nothing but the day and its time where nobody knows more.
SELECT t.today AS date, true AS partial, t.elapsed_s, t.known AS is_live, t.known, t.late,
       money_of(t.revenue_minor, m.digits) AS total_revenue, orders_shown(m.profile, t.counted, t.placed) AS total_orders,
       money_ratio_of(t.revenue_minor, t.counted, m.digits) AS avg_order_value, t.placed::bigint AS placed_orders, t.counted::bigint AS counted_orders,
       t.item_qty AS items_sold, gp.rate AS vs_previous_day, CASE WHEN t.known THEN gp.status END AS vs_previous_day_status,
       money_of(t.previous_minor, m.digits) AS previous_day_revenue, gw.rate AS vs_same_weekday,
       CASE WHEN t.known THEN gw.status END AS vs_same_weekday_status, money_of(t.weekday_minor, m.digits) AS same_weekday_revenue,
       CASE WHEN t.known THEN 'stream'::text END AS source, t.seen_at, to_char(t.today, 'FMDay') AS weekday, gw.status = 'ok' AS has_weekday,
       gp.status = 'ok' AS has_previous, to_char(now() AT TIME ZONE t.timezone, 'HH24:MI') AS time_now,
       CASE WHEN a.s < 100 THEN a.s || ' s' WHEN a.s < 6000 THEN a.s / 60 || ' min' ELSE a.s / 3600 || ' h' END AS age
FROM (SELECT max(business_date) AS day FROM daily_revenue_cache) n
CROSS JOIN LATERAL live_today(coalesce(coalesce(:date::date, :to::date) >= n.day, true), :currency, :location_id::int,
                              coalesce(:basis = 'transaction_date', false)) t
CROSS JOIN LATERAL (SELECT money_exponent(t.currency) AS digits, (SELECT r.revenue_profile FROM site JOIN rules r USING (rules_id)) AS profile) m
CROSS JOIN LATERAL (SELECT greatest(0, extract(epoch FROM now() - t.seen_at))::bigint AS s) a
CROSS JOIN LATERAL growth(t.revenue_minor, num_nonnulls(t.revenue_minor), t.previous_minor, num_nonnulls(t.previous_minor), 1) gp
CROSS JOIN LATERAL growth(t.revenue_minor, num_nonnulls(t.revenue_minor), t.weekday_minor, num_nonnulls(t.weekday_minor), 1) gw

-- name: reconciliation_scope
-- No row where the day asked for was never compared.
SELECT now() AS as_of, timezone AS tz FROM site JOIN rules USING (rules_id)
WHERE :date::date IS NULL OR EXISTS (SELECT FROM reconciliation WHERE business_date = :date::date)

-- name: reconciliation_missing
SELECT CASE WHEN NOT EXISTS (SELECT FROM site) THEN 'the batch has not run yet: takings-batch run' END AS detail,
       CASE WHEN EXISTS (SELECT FROM site) THEN 'date' END AS field

-- name: reconciliation_days
-- One closed day as the batch and as the stream have it, or the last :days that were compared.
SELECT r.business_date AS date, r.status, r.orders_batch, r.orders_stream, r.orders_differing,
       (SELECT coalesce(json_agg(json_build_object('currency', e.key, 'batch', money((e.value ->> 'batch_minor')::numeric, e.key),
                                                   'stream', money((e.value ->> 'stream_minor')::numeric, e.key)) ORDER BY e.key), '[]')
        FROM jsonb_each(r.revenue) e) AS revenue, r.checked_at
FROM reconciliation r
WHERE r.business_date = :date::date OR :date::date IS NULL
ORDER BY r.business_date DESC LIMIT :days::int

-- name: reconciliation_orders
-- The orders of that day that differ, and in what. Who bought is for those who may know.
SELECT order_id, reason, CASE WHEN :personal::boolean THEN batch ELSE batch - 'customer_id' END AS batch,
       CASE WHEN :personal::boolean THEN stream ELSE stream - 'customer_id' END AS stream
FROM reconciliation_order
WHERE business_date = :date::date
ORDER BY order_id COLLATE "C" LIMIT :limit::int
