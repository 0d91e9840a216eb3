-- hub.sql: the live picture, for the hub of takings-stream, the page and its JSON. hub_scope comes
-- first; its columns are the parameters of the others. Times are texts as they are sent; figures of
-- money are in the site's currency, as in all other answers.

-- name: hub_scope
-- The business day that runs, and the same weekday a week before up to the same elapsed time. No row
-- before the first run of the batch, unless there are bookings or activity: then has_orders is false, and
-- so it is only asked for these and for the source. :bookings: whether whoever asks may see them.
SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS as_of,
       to_char(now() AT TIME ZONE r.timezone, 'HH24:MI') AS time_now,
       d.business_date AS date, d.business_date AS today, to_char(d.business_date, 'FMDay') AS weekday,
       d.starts_at, b.business_date AS before_date, b.starts_at AS before_from,
       least(b.ends_at, b.starts_at + (now() - d.starts_at)) AS before_until,
       r.timezone AS tz, r.cutoff_hours AS cutoff, to_char(make_interval(hours => r.cutoff_hours), 'HH24:MI') AS day_begins,
       r.revenue_profile AS profile, r.counted_statuses,
       CASE WHEN r.counted_statuses <> '' THEN r.counted_statuses WHEN r.revenue_profile = 'restaurant' THEN 'SERVED' END AS counted_words,
       c.currency, money_exponent(c.currency) AS currency_digits,
       json_build_object('from', d.starts_at, 'to', d.ends_at, 'tz', r.timezone, 'cutoff', r.cutoff_hours,
                         'from_date', d.business_date, 'to_date', d.business_date, 'complete', false,
                         'partial', true, 'elapsed_s', floor(extract(epoch FROM now() - d.starts_at))::int) AS range,
       'order_date' AS basis, :window_s::int AS window_s, :customers::boolean AS customers, r.has_orders,
       :bookings::boolean AND EXISTS (SELECT FROM booking_site WHERE timezone IS NOT NULL AND processed_at IS NOT NULL) AS has_bookings,
       EXISTS (SELECT FROM activity_visitor) AND EXISTS (SELECT FROM activity_site WHERE timezone IS NOT NULL AND applied_at IS NOT NULL) AS has_activity,
       :user_s::int AS user_s, :user_s::int / 60 AS user_min, :session_s::int AS session_s
FROM (SELECT * FROM (
          SELECT timezone, cutoff_hours, revenue_profile, counted_statuses, default_currency, true AS has_orders FROM site JOIN rules USING (rules_id)
          UNION ALL
          SELECT timezone, cutoff_hours, 'commerce', '', coalesce(currency, 'EUR'), false FROM booking_site WHERE timezone IS NOT NULL AND processed_at IS NOT NULL
          UNION ALL
          SELECT timezone, cutoff_hours, 'commerce', '', activity_currency(), false FROM activity_site WHERE timezone IS NOT NULL AND applied_at IS NOT NULL) x
      ORDER BY has_orders DESC LIMIT 1) r,
     LATERAL (SELECT coalesce((SELECT x.currency FROM series x WHERE x.currency = r.default_currency LIMIT 1),
                              (SELECT x.currency FROM series x ORDER BY first_date, x.currency LIMIT 1),
                              r.default_currency) AS currency) c,
     LATERAL (SELECT * FROM business_days(r.timezone, r.cutoff_hours, (now() AT TIME ZONE 'UTC')::date - 2,
                                          (now() AT TIME ZONE 'UTC')::date + 2)
              WHERE starts_at <= now() AND ends_at > now()) d,
     LATERAL business_days(r.timezone, r.cutoff_hours, d.business_date - 7, d.business_date - 7) b

-- name: hub_site
SELECT :date::date AS date, :weekday AS weekday, :tz AS tz, :cutoff::int AS cutoff, :currency AS currency,
       :currency_digits::int AS currency_digits, :profile AS profile

-- name: hub_rates
-- A minute, over the window. Cancellations stand apart and are taken off nothing.
SELECT :window_s::int AS window_s, half_even(p.n * 60::numeric / :window_s::int, 1) AS orders_per_minute,
       money(half_even(p.minor * 60 / :window_s::int, 0), :currency) AS revenue_per_minute,
       half_even(c.n * 60::numeric / :window_s::int, 1) AS cancelled_per_minute
FROM (SELECT count(*) AS n, coalesce(sum(greatest(total_minor, 0)) FILTER (WHERE currency = :currency), 0) AS minor
      FROM order_state
      WHERE born AND NOT deleted AND placed_at > now() - make_interval(secs => :window_s::int)
        AND placed_at <= now() + interval '1 minute') p,
     (SELECT count(*) AS n FROM order_state
      WHERE cancelled_at > now() - make_interval(secs => :window_s::int) AND cancelled_at <= now() + interval '1 minute'
        AND born AND NOT deleted) c

-- name: hub_today
-- So far. What was sold in other currencies stands beside it, and is never added.
WITH day AS (
	SELECT currency, sum(placed) AS placed, sum(counted) AS counted, sum(gross_minor) AS gross, sum(refund_minor) AS refund
	FROM live_day WHERE business_date = :date::date GROUP BY currency
)
SELECT orders_shown(:profile, coalesce(d.counted, 0), coalesce(d.placed, 0)) AS orders,
       coalesce(d.placed, 0)::bigint AS placed_orders, coalesce(d.counted, 0)::bigint AS counted_orders,
       money(coalesce(d.gross, 0), :currency) AS gross, money(coalesce(d.refund, 0), :currency) AS refunds,
       money(coalesce(d.gross - d.refund, 0), :currency) AS revenue,
       money_ratio(coalesce(d.gross - d.refund, 0), coalesce(d.counted, 0), :currency) AS avg_order_value,
       (SELECT coalesce(json_agg(json_build_object('currency', o.currency, 'placed_orders', o.placed,
                                                   'revenue', money(o.gross - o.refund, o.currency)) ORDER BY o.currency), '[]')
        FROM day o WHERE o.currency <> :currency) AS other_currencies
FROM (SELECT) one LEFT JOIN day d ON d.currency = :currency

-- name: hub_before
-- The same weekday a week before up to the same elapsed time: by its minutes where the stream has
-- that day as the batch has it; else by its hours, of the one that runs as much as has passed.
-- Compared is what was sold before refunds: those of that day had a week to be given.
WITH cached AS (
	SELECT sum(order_count) AS placed FROM daily_revenue_cache WHERE business_date = :before_date::date AND currency = :currency
), streamed AS (
	SELECT sum(placed) AS placed FROM live_day WHERE business_date = :before_date::date AND currency = :currency
), source AS (
	SELECT (SELECT minutes_from FROM live_site) <= :before_from::timestamptz AND s.placed IS NOT NULL
	       AND s.placed >= coalesce(c.placed, 0) AS exact, c.placed IS NOT NULL AS cached
	FROM cached c, streamed s
), figure AS (
	SELECT sum(placed)::numeric AS placed, sum(counted)::numeric AS counted, sum(counted_minor)::numeric AS minor
	FROM source, live_minute
	WHERE exact AND currency = :currency AND minute_at >= :before_from::timestamptz AND minute_at < :before_until::timestamptz
	UNION ALL
	SELECT round(sum(order_count * part)), round(sum(served_count * part)), half_even(sum(revenue_minor * part), 0)
	FROM source, hourly_order_cache h,
	     LATERAL (SELECT least(1, greatest(0, floor(extract(epoch FROM :before_until::timestamptz - :before_from::timestamptz) / 60) / 60
	                                          - (h.hour - :cutoff::int + 24) % 24)) AS part) p
	WHERE NOT exact AND cached AND business_date = :before_date::date AND currency = :currency
), base AS (
	SELECT s.exact OR s.cached AS known, s.exact, coalesce(sum(f.placed), 0) AS placed,
	       coalesce(sum(f.counted), 0) AS counted, coalesce(sum(f.minor), 0) AS minor
	FROM source s LEFT JOIN figure f ON true GROUP BY s.exact, s.cached
), now_ AS (
	SELECT coalesce(sum(gross_minor), 0) AS minor, coalesce(sum(placed), 0) AS placed, coalesce(sum(counted), 0) AS counted
	FROM live_day WHERE business_date = :date::date AND currency = :currency
)
SELECT :before_date::date AS date, 'last ' || :weekday AS words, b.known, b.exact,
       CASE WHEN b.known THEN money(b.minor, :currency) END AS base_revenue,
       CASE WHEN b.known THEN orders_shown(:profile, b.counted, b.placed) END AS base_orders,
       r.rate AS revenue_change, r.status AS revenue_status, o.rate AS orders_change, o.status AS orders_status,
       r.status = 'ok' AS has_revenue_change, r.status = 'new' AS is_new
FROM base b, now_ n,
     LATERAL growth(n.minor, 1, b.minor, b.known::int, 1) r,
     LATERAL growth(orders_shown(:profile, n.counted, n.placed), 1, orders_shown(:profile, b.counted, b.placed), b.known::int, 1) o

-- name: hub_minutes
-- The 59 minutes before the one that runs, oldest first; what was placed in them.
SELECT to_char(m AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at, to_char(m AT TIME ZONE :tz, 'HH24:MI') AS clock,
       coalesce(sum(l.placed), 0)::bigint AS orders, money(coalesce(sum(l.placed_minor), 0), :currency) AS revenue
FROM generate_series(date_trunc('minute', now()) - interval '59 minutes', date_trunc('minute', now()) - interval '1 minute',
                     interval '1 minute') m
LEFT JOIN live_minute l ON l.minute_at = m AND l.currency = :currency
GROUP BY m ORDER BY m

-- name: hub_minute
SELECT to_char(m AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at, to_char(m AT TIME ZONE :tz, 'HH24:MI') AS clock,
       coalesce(sum(l.placed), 0)::bigint AS orders, money(coalesce(sum(l.placed_minor), 0), :currency) AS revenue
FROM (SELECT date_trunc('minute', now()) AS m) x
LEFT JOIN live_minute l ON l.minute_at = m AND l.currency = :currency
GROUP BY m

-- name: hub_products
SELECT i.item_id AS product_id, coalesce(n.name, i.item_id) AS name, trim_scale(i.quantity) AS quantity,
       money(half_even(i.amount * 10::numeric ^ money_exponent(:currency), 0), :currency) AS revenue, i.orders
FROM (SELECT item_id, sum(quantity) AS quantity, sum(amount) AS amount, sum(orders)::bigint AS orders
      FROM live_item WHERE business_date = :date::date AND currency = :currency
      GROUP BY item_id ORDER BY 3 DESC, 2 DESC, 1 LIMIT 10) i
LEFT JOIN live_item_name n USING (item_id)
ORDER BY i.amount DESC, i.quantity DESC, i.item_id

-- name: hub_statuses
SELECT status, sum(orders)::bigint AS orders FROM live_status
WHERE business_date = :date::date AND currency = :currency
GROUP BY status ORDER BY 2 DESC, 1

-- name: hub_recent
-- The newest orders, in all currencies. Who may not see customers gets none of their ids.
SELECT order_id, coalesce(status, '') AS status, money(total_minor, currency) AS total, currency,
       CASE WHEN :customers::boolean THEN customer_id END AS customer_id,
       to_char(placed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS created_at,
       to_char(placed_at AT TIME ZONE :tz, 'HH24:MI:SS') AS clock
FROM order_state
WHERE born AND NOT deleted AND placed_at <= now() + interval '1 minute'
ORDER BY placed_at DESC, order_id LIMIT 10

-- name: hub_source
-- Where it comes from: off: no stream runs; waiting: it runs and has read nothing ever. A lag under
-- five seconds is none.
SELECT CASE WHEN s.n = 0 THEN 'off' WHEN s.worst = 0 AND NOT EXISTS (SELECT FROM stream_position) THEN 'waiting'
            ELSE (ARRAY['ok', 'degraded', 'down'])[s.worst + 1] END AS status,
       coalesce(s.detail, '') AS detail, CASE WHEN s.lag_ms >= 5000 THEN (s.lag_ms / 1000)::int ELSE 0 END AS lag_s,
       s.n = 0 AS is_off, s.n > 0 AND s.worst > 0 AS is_bad,
       s.n > 0 AND s.worst = 0 AND NOT EXISTS (SELECT FROM stream_position) AS is_waiting
FROM (SELECT count(*) AS n, coalesce(max(worse), 0) AS worst,
             (array_agg(detail ORDER BY worse DESC, instance) FILTER (WHERE worse > 0))[1] AS detail,
             max((stats ->> 'stream_lag_ms')::bigint) AS lag_ms
      FROM stream_status,
           LATERAL (SELECT array_position(ARRAY['ok', 'degraded', 'down'], status) - 1 AS worse) w
      WHERE at > now() - interval '15 seconds') s

-- name: hub_bookings
-- Bookings: their version, the business day so far, the first ten places by bookings, and the events
-- that changed last. No row before anything was processed.
SELECT s.version, to_char(s.processed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS processed_at, t.today AS date, c.currency,
       coalesce(d.new, 0) AS new_bookings, coalesce(d.confirmed, 0) AS confirmed_bookings, coalesce(d.cancelled, 0) AS cancelled_bookings,
       coalesce(d.seats, 0) AS seats_sold, money(coalesce(d.minor, 0), c.currency) AS booking_revenue,
       coalesce((SELECT json_agg(x) FROM (SELECT o.booking_rank AS rank, o.event_id, o.event_name AS name, o.total_bookings AS bookings, e.confirmed_seats AS seats,
                                                 CASE WHEN NOT e.unlimited THEN e.total_capacity END AS capacity, e.capacity_utilization AS filled, e.overbooked
                                          FROM (SELECT * FROM top_events ORDER BY booking_rank, event_id LIMIT 10) o JOIN event_stats e USING (event_id)
                                          ORDER BY o.booking_rank, o.event_id) x), '[]') AS leaders,
       coalesce((SELECT json_agg(x) FROM (SELECT event_id, event_name AS name, confirmed_seats AS seats, CASE WHEN NOT unlimited THEN total_capacity END AS capacity,
                                                 capacity_utilization AS filled, overbooked
                                          FROM event_stats ORDER BY updated_at DESC, event_id LIMIT 10) x), '[]') AS changed
FROM booking_site s
CROSS JOIN LATERAL business_date(now(), s.timezone, s.cutoff_hours) t(today)
CROSS JOIN LATERAL (SELECT coalesce(s.currency, 'EUR') AS currency) c
LEFT JOIN LATERAL (SELECT sum(new)::bigint AS new, sum(confirmed)::bigint AS confirmed, sum(cancelled)::bigint AS cancelled, sum(confirmed_seats)::bigint AS seats,
                          sum(revenue_minor) FILTER (WHERE b.currency = c.currency) AS minor
                   FROM booking_day b WHERE b.business_date = t.today) d ON true
WHERE s.timezone IS NOT NULL

-- name: hub_leaders
-- The same places for the page, a row each.
SELECT o.booking_rank AS rank, o.event_id, o.event_name, o.total_bookings, e.confirmed_seats, e.total_capacity, e.unlimited, e.overbooked
FROM (SELECT * FROM top_events ORDER BY booking_rank, event_id LIMIT 10) o JOIN event_stats e USING (event_id)
ORDER BY o.booking_rank, o.event_id

-- name: hub_activity
-- Who is on the site: /realtime/... says the same.
SELECT active_users, active_users_5m, active_sessions, carts, cart_value_avg, currency, sessions_today, conversion_rate
FROM activity_now(:user_s::int, :session_s::int)

-- name: hub_activity_pages
-- Where the people of the last five minutes are.
SELECT leaving AS page, count(DISTINCT person_id) AS users
FROM activity_session
WHERE last_at > now() - interval '5 minutes' AND NOT ended AND NOT bot AND leaving <> ''
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 8

-- name: hub_activity_feed
-- The newest events by people. Who may not see customers gets no id that a site gave.
SELECT lower(to_hex(e.seq)) AS entry, e.event_type, e.dims[7] AS product, e.dims[1] AS page,
       CASE WHEN :customers::boolean THEN coalesce(e.user_id, e.anonymous_id, e.session_id) END AS who,
       to_char(e.received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at,
       to_char(e.received_at AT TIME ZONE :tz, 'HH24:MI:SS') AS clock
FROM activity_event e
WHERE e.occurred_at > now() - interval '1 day' AND e.occurred_at < now() + interval '2 days' AND e.flags & 112 = 0
ORDER BY e.seq DESC LIMIT 12

-- name: hub_newest
-- The newest event there is.
SELECT coalesce(max(seq), 0) AS seq FROM activity_event WHERE occurred_at > now() - interval '1 day' AND occurred_at < now() + interval '2 days'

-- name: hub_took_effect
-- Transactions of newer events that took effect, and when the first event of each came in.
SELECT max(seq) AS seq, (extract(epoch FROM min(received_at)) * 1000000)::bigint AS received_us
FROM activity_event e
WHERE seq > :newest::bigint AND occurred_at > now() - interval '1 day' AND occurred_at < now() + interval '2 days'
  AND NOT EXISTS (SELECT FROM activity_batch b WHERE b.batch_id = e.seq >> 16)
GROUP BY seq >> 16

-- name: hub_missing
-- Why there is no picture: there is nothing to say beside the row's own words.
SELECT NULL::text AS detail, NULL::text AS field
