-- bookings.sql: the answers of /api/v1/analytics.

-- name: booking_envelope
-- What an answer about days is about; the statements after it take their days and currency from it. Whether it
-- is today moves with the clock: such an answer is a live one.
SELECT now() AS as_of,
       json_build_object('from', starts_at, 'to', ends_at, 'tz', timezone, 'cutoff', cutoff_hours, 'from_date', from_day, 'to_date', to_day,
                         'complete', to_day < today, 'partial', today BETWEEN from_day AND to_day,
                         'elapsed_s', CASE WHEN today BETWEEN from_day AND to_day THEN elapsed_s END) AS range,
       timezone AS tz, cutoff_hours AS cutoff, currency, money_digits, today, elapsed_s, from_day, to_day, last_day, full_day, full_n,
       base_from, base_to, coalesce(:basis = 'transaction_date', false) AS by_transaction, coalesce(:basis, 'order_date') AS basis, true AS is_live
FROM booking_scope(:from::date, :to::date, :days::int, :currency)

-- name: booking_missing
-- Why an answer has no figures.
SELECT CASE WHEN timezone IS NULL THEN 'nothing is known of events and bookings yet: send messages to POST /api/v1/ingest'
            WHEN NOT EXISTS (SELECT FROM system_metrics) THEN 'the figures are being made: ask again in a moment' END AS detail,
       NULL::text AS field
FROM booking_site

-- name: booking_system
-- "Recent" are the 30 days before the business day that ran when the row was made; of uptime it is the last 30
-- business days with the one that runs, as on the page System.
SELECT m.id, m.total_events, m.total_bookings, m.total_users, m.confirmed_bookings, m.cancelled_bookings,
       money_of(v.total, :money_digits::int) AS total_revenue, m.recent_bookings, money_of(v.recent, :money_digits::int) AS recent_revenue,
       m.recent_events, m.avg_capacity_utilization, m.weighted_capacity_utilization, m.avg_cancellation_rate, m.weighted_cancellation_rate,
       u.percent AS system_uptime, u.down AS downtime_minutes, gb.rate AS booking_growth_rate, gb.status AS booking_growth_status,
       gr.rate AS revenue_growth_rate, gr.status AS revenue_growth_status, m.today - 30 AS recent_from, m.today - 1 AS recent_to, m.updated_at
FROM system_metrics m,
     LATERAL (SELECT coalesce((j ->> 'total_minor')::numeric, 0) AS total, coalesce((j ->> 'recent_minor')::numeric, 0) AS recent,
                     coalesce((j ->> 'previous_minor')::numeric, 0) AS previous
              FROM (SELECT m.money -> :currency AS j OFFSET 0) x) v,
     LATERAL growth(m.recent_bookings, 30, m.previous_bookings, 30, 30) gb,
     LATERAL growth(v.recent, 30, v.previous, 30, 30) gr,
     LATERAL (SELECT half_even(minutes_up * 100::numeric / nullif(minutes, 0), 3) AS percent, minutes - minutes_up AS down
              FROM uptime_since(:today::date - 29)) u

-- name: booking_daily
-- A row for each day, week or month, oldest first.
SELECT d.from_day AS date, d.to_day AS to_date, d.days_n, d.to_day = :today::date AS partial, d.touched AS total_bookings, d.new AS new_bookings,
       d.cancelled AS cancelled_bookings, d.confirmed AS confirmed_bookings, money_of(d.minor, :money_digits::int) AS total_revenue, d.counted AS counted_bookings,
       money_ratio_of(d.minor, d.counted, :money_digits::int) AS avg_booking_value, d.active AS active_events, d.users AS new_users, d.uptime AS system_uptime,
       d.updated_at
FROM booking_days(:from_day::date, :last_day::date, :currency, :step, :week_start::int, :by_transaction::boolean) d

-- name: booking_trend
-- The 30 complete days before today, oldest first.
SELECT g.day::date AS date, coalesce(b.new, 0) AS new_bookings, coalesce(b.confirmed, 0) AS confirmed_bookings, coalesce(b.cancelled, 0) AS cancelled_bookings,
       money_of(coalesce(b.minor, 0), :money_digits::int) AS total_revenue
FROM generate_series(:today::date::timestamp - interval '30 days', :today::date::timestamp - interval '1 day', interval '1 day') g(day)
LEFT JOIN (SELECT business_date, sum(new)::bigint AS new, sum(confirmed)::bigint AS confirmed, sum(cancelled)::bigint AS cancelled,
                  sum(revenue_minor) FILTER (WHERE currency = :currency) AS minor
           FROM booking_day WHERE business_date BETWEEN :today::date - 30 AND :today::date - 1 GROUP BY business_date) b ON b.business_date = g.day::date
ORDER BY 1

-- name: booking_today
-- The business day that goes on; nothing of it is compared with whole days.
SELECT :today::date AS date, true AS partial, :elapsed_s::int AS elapsed_s, coalesce(b.touched, 0) AS total_bookings,
       coalesce(b.new, 0) AS new_bookings, coalesce(b.cancelled, 0) AS cancelled_bookings, coalesce(b.confirmed, 0) AS confirmed_bookings,
       money_of(coalesce(b.minor, 0), :money_digits::int) AS total_revenue, coalesce(b.n, 0) AS counted_bookings,
       money_ratio_of(coalesce(b.minor, 0), coalesce(b.n, 0), :money_digits::int) AS avg_booking_value,
       coalesce(m.active_events, 0) AS active_events, coalesce(m.new_users, 0) AS new_users,
       (SELECT half_even(minutes_up * 100::numeric / nullif(minutes, 0), 3) FROM uptime_since(:today::date)) AS system_uptime, b.updated_at
FROM (SELECT sum(touched)::bigint AS touched, sum(new)::bigint AS new, sum(cancelled)::bigint AS cancelled, sum(confirmed)::bigint AS confirmed,
             sum(revenue_minor) FILTER (WHERE currency = :currency) AS minor, (sum(counted) FILTER (WHERE currency = :currency))::bigint AS n,
             max(updated_at) AS updated_at
      FROM booking_day WHERE business_date = :today::date) b
LEFT JOIN booking_day_more m ON m.business_date = :today::date

-- name: booking_top
SELECT t.id, t.event_id, t.event_name, t.category, t.currency, t.total_bookings, money(t.revenue_minor, t.currency) AS total_revenue,
       t.capacity_utilization, t.booking_rank, t.revenue_rank, t.utilization_rank, t.updated_at
FROM booking_top(:by, :currency, :limit::int) t

-- name: booking_top_bookings
SELECT t.*, money(t.revenue_minor, t.currency) AS total_revenue FROM booking_top('bookings', NULL, 5) t

-- name: booking_top_revenue
SELECT t.*, money(t.revenue_minor, t.currency) AS total_revenue FROM booking_top('revenue', :currency, 5) t

-- name: booking_alerts
SELECT * FROM booking_alerts()

-- name: booking_freshness
-- How far the figures are behind what has come in.
SELECT s.processed_at, s.changed_at, s.version, coalesce((SELECT greatest(extract(epoch FROM now() - l.created_at), 0) FROM event_log l
       WHERE NOT l.processed AND l.dead_at IS NULL ORDER BY l.id LIMIT 1), 0)::numeric(12, 1) AS pipeline_lag_seconds
FROM booking_site s

-- name: booking_revenue
-- Grown against as many days before; days that are not over are in neither.
SELECT money_of(t.minor, :money_digits::int) AS total_revenue, t.n AS counted_bookings, money_ratio_of(t.minor, t.n, :money_digits::int) AS avg_booking_value,
       g.rate AS revenue_growth_rate, g.status AS revenue_growth_status,
       json_build_object('from_date', :from_day::date, 'to_date', :full_day::date, 'days_n', :full_n::int, 'total_revenue', money_of(t.full_minor, :money_digits::int),
                         'base_from_date', :base_from::date, 'base_to_date', :base_to::date, 'base_revenue', money_of(t.base_minor, :money_digits::int)) AS growth
FROM (SELECT coalesce(sum(v.minor) FILTER (WHERE v.business_date BETWEEN :from_day::date AND :last_day::date), 0) AS minor,
             coalesce(sum(v.n) FILTER (WHERE v.business_date BETWEEN :from_day::date AND :last_day::date), 0)::bigint AS n,
             coalesce(sum(v.minor) FILTER (WHERE v.business_date BETWEEN :from_day::date AND :full_day::date), 0) AS full_minor,
             coalesce(sum(v.minor) FILTER (WHERE v.business_date BETWEEN :base_from::date AND :base_to::date), 0) AS base_minor
      FROM (SELECT d.business_date, CASE WHEN :by_transaction::boolean THEN d.booked_minor ELSE d.revenue_minor END AS minor,
                   CASE WHEN :by_transaction::boolean THEN d.confirmed ELSE d.counted END AS n
            FROM booking_day d WHERE d.business_date BETWEEN :base_from::date AND :last_day::date AND d.currency = :currency) v) t,
     LATERAL growth(t.full_minor, :full_n::bigint, t.base_minor, greatest(:full_n::bigint, 1), greatest(:full_n::int, 1)) g

-- name: booking_categories
SELECT c.category, money_of(c.minor, :money_digits::int) AS total_revenue, c.n AS counted_bookings,
       money_ratio_of(c.minor, c.n, :money_digits::int) AS avg_booking_value,
       CASE WHEN sum(c.minor) OVER () > 0 THEN half_even(c.minor * 100 / sum(c.minor) OVER (), 2) END AS revenue_share
FROM (SELECT d.category, sum(CASE WHEN :by_transaction::boolean THEN d.booked_minor ELSE d.revenue_minor END) AS minor,
             sum(CASE WHEN :by_transaction::boolean THEN d.confirmed ELSE d.counted END)::bigint AS n
      FROM category_day d WHERE d.business_date BETWEEN :from_day::date AND :last_day::date AND d.currency = :currency GROUP BY d.category) c
ORDER BY c.minor DESC, c.category

-- name: booking_currencies
-- They are never added.
SELECT d.currency, money(sum(CASE WHEN :by_transaction::boolean THEN d.booked_minor ELSE d.revenue_minor END), d.currency) AS total_revenue,
       sum(CASE WHEN :by_transaction::boolean THEN d.confirmed ELSE d.counted END)::bigint AS counted_bookings
FROM booking_day d WHERE d.business_date BETWEEN :from_day::date AND :last_day::date GROUP BY d.currency ORDER BY d.currency

-- name: booking_list
-- Which events a page of the list has. Sorted by revenue, they are those of one currency.
SELECT now() AS as_of, s.timezone AS tz, s.cutoff_hours AS cutoff, s.currency, p.ids, p.total, p.next_cursor, s.today, s.today AS from_day,
       s.today AS to_day, true AS is_live
FROM booking_scope(NULL, NULL, 0, :currency) s,
     LATERAL booking_page(nullif(:category, ''), nullif(:q, ''), :status, CASE WHEN :sort LIKE 'revenue%' THEN s.currency ELSE :currency END,
                          business_day_start(s.timezone, s.cutoff_hours, :from::date), business_day_start(s.timezone, s.cutoff_hours, :to::date + 1),
                          :sort, :after_key, :after_id::bigint, :limit::int) p

-- name: booking_events
-- The events of that page.
SELECT e.event_id, e.event_name, e.category, e.status, e.starts_at, e.ends_at, e.total_capacity, e.unlimited, e.total_bookings, e.confirmed_bookings,
       e.cancelled_bookings, e.total_bookings - e.confirmed_bookings - e.cancelled_bookings AS pending_bookings, e.confirmed_seats, e.capacity_utilization,
       e.overbooked, e.sold_out, e.currency, money(e.revenue_minor, e.currency) AS total_revenue, e.cancellation_rate,
       money_ratio(e.revenue_minor, e.counted, e.currency) AS avg_booking_value, e.first_booking, e.last_booking, e.updated_at
FROM unnest(:ids::bigint[]) WITH ORDINALITY p(event_id, n) JOIN event_stats e USING (event_id)
ORDER BY p.n

-- name: booking_event
-- One event, and the days of it that are shown: without any asked for those from its first booking to its last or
-- its start, the last 91 at most.
SELECT now() AS as_of, s.timezone AS tz, s.cutoff_hours AS cutoff, s.today, s.from_day, s.to_day, s.last_day, money_exponent(e.currency) AS money_digits,
       json_build_object('from', s.starts_at, 'to', s.ends_at, 'tz', s.timezone, 'cutoff', s.cutoff_hours, 'from_date', s.from_day, 'to_date', s.to_day,
                         'complete', s.to_day < s.today, 'partial', s.today BETWEEN s.from_day AND s.to_day,
                         'elapsed_s', CASE WHEN s.today BETWEEN s.from_day AND s.to_day THEN s.elapsed_s END) AS range,
       e.event_id, e.event_name, e.category, e.status, e.starts_at, e.ends_at, e.total_capacity, e.unlimited, e.total_bookings, e.confirmed_bookings,
       e.cancelled_bookings, e.total_bookings - e.confirmed_bookings - e.cancelled_bookings AS pending_bookings, e.total_seats, e.confirmed_seats,
       e.cancelled_seats, CASE WHEN NOT e.unlimited THEN greatest(e.total_capacity - e.confirmed_seats, 0) END AS seats_left, e.capacity_utilization,
       e.overbooked, e.sold_out, e.currency, money(e.revenue_minor, e.currency) AS total_revenue, e.cancellation_rate,
       CASE WHEN e.total_seats > 0 THEN half_even(e.cancelled_seats * 100::numeric / e.total_seats, 2) END AS seat_cancellation_rate,
       money_ratio(e.revenue_minor, e.counted, e.currency) AS avg_booking_value, e.first_booking, e.last_booking, e.updated_at,
       f.sales_from, f.sales_until, f.published_at, t.booking_rank, t.revenue_rank, t.utilization_rank,
       business_date(e.starts_at, s.timezone, s.cutoff_hours) AS start_day, e.other_money, true AS is_live
FROM booking_site b
CROSS JOIN event_stats e
LEFT JOIN event_state f USING (event_id)
LEFT JOIN top_events t USING (event_id)
CROSS JOIN LATERAL (SELECT min(business_date) AS first_day, max(business_date) AS final_day FROM event_day d WHERE d.event_id = e.event_id) d
CROSS JOIN LATERAL (SELECT least(business_date(now(), b.timezone, b.cutoff_hours),
                                 greatest(d.final_day, business_date(e.starts_at, b.timezone, b.cutoff_hours))) AS final_day OFFSET 0) z
CROSS JOIN LATERAL booking_scope(coalesce(:from::date, greatest(least(d.first_day, z.final_day), z.final_day - 90)), coalesce(:to::date, z.final_day), 0,
                                 e.currency) s
WHERE b.timezone IS NOT NULL AND e.event_id = :event_id::bigint

-- name: booking_event_days
-- A row for each day, week or month, oldest first, in the event's currency.
SELECT min(x.day) AS date, max(x.day) AS to_date, count(*) AS days_n, max(x.day) = :today::date AS partial,
       CASE WHEN :step = 'day' THEN sum(x.touched)::bigint END AS total_bookings, sum(x.new)::bigint AS new_bookings,
       sum(x.confirmed)::bigint AS confirmed_bookings, sum(x.cancelled)::bigint AS cancelled_bookings, sum(x.seats)::bigint AS net_seats,
       money_of(sum(x.minor), :money_digits::int) AS total_revenue, sum(x.counted)::bigint AS counted_bookings,
       money_ratio_of(sum(x.minor), sum(x.counted), :money_digits::int) AS avg_booking_value
FROM (SELECT booking_unit(g.day::date, :step, :week_start::int) AS unit, g.day::date AS day, coalesce(d.touched, 0) AS touched, coalesce(d.new, 0) AS new,
             coalesce(d.confirmed, 0) AS confirmed, coalesce(d.cancelled, 0) AS cancelled, coalesce(d.seats, 0) AS seats, coalesce(d.minor, 0) AS minor,
             coalesce(d.counted, 0) AS counted
      FROM generate_series(:from_day::date::timestamp, :last_day::date::timestamp, interval '1 day') g(day)
      LEFT JOIN (SELECT business_date, sum(touched) AS touched, sum(new) AS new, sum(confirmed) AS confirmed, sum(cancelled) AS cancelled,
                        sum(confirmed_seats - cancelled_seats) AS seats, sum(revenue_minor) FILTER (WHERE currency = :currency) AS minor,
                        sum(counted) FILTER (WHERE currency = :currency) AS counted
                 FROM event_day WHERE event_id = :event_id::bigint AND business_date BETWEEN :from_day::date AND :last_day::date
                 GROUP BY business_date) d ON d.business_date = g.day::date) x
GROUP BY x.unit ORDER BY 1

-- name: booking_curve
-- The seats that were sure at the end of each day on which they changed, over all its life.
SELECT x.business_date AS date, :start_day::date - x.business_date AS days_to_event, x.seats AS confirmed_seats,
       CASE WHEN NOT :unlimited::boolean THEN half_even(x.seats * 100::numeric / :total_capacity::bigint, 2) END AS capacity_utilization
FROM (SELECT business_date, sum(confirmed_seats - cancelled_seats) AS change,
             (sum(sum(confirmed_seats - cancelled_seats)) OVER (ORDER BY business_date))::bigint AS seats
      FROM event_day WHERE event_id = :event_id::bigint GROUP BY business_date) x
WHERE x.change <> 0 ORDER BY 1

-- name: booking_capacities
-- Each capacity it was said to have, the first one first.
SELECT c.occurred_at AS since, c.capacity AS total_capacity FROM event_capacity c WHERE c.event_id = :event_id::bigint
ORDER BY c.version, c.occurred_at, c.seq, c.digest

-- name: booking_other_money
SELECT e.key AS currency, money((e.value ->> 'revenue_minor')::numeric, e.key) AS total_revenue, (e.value ->> 'counted')::bigint AS counted_bookings
FROM jsonb_each(:other_money::jsonb) e ORDER BY e.key

-- name: booking_capacity
SELECT m.avg_capacity_utilization, m.weighted_capacity_utilization, m.total_events, u.n AS unlimited_events, s.n AS sold_out_events, o.n AS overbooked_events
FROM system_metrics m, (SELECT count(*) AS n FROM event_stats WHERE unlimited) u,
     (SELECT count(*) AS n FROM event_stats WHERE sold_out AND status <> 'cancelled' AND over_at > now()) s,
     (SELECT count(*) AS n FROM event_stats WHERE overbooked AND status <> 'cancelled' AND over_at > now()) o

-- name: booking_sold_out
SELECT e.event_id, e.event_name, e.category, e.starts_at, e.total_capacity, e.confirmed_seats, e.capacity_utilization FROM event_stats e
WHERE e.sold_out AND e.status <> 'cancelled' AND e.over_at > now() ORDER BY e.over_at, e.event_id LIMIT :limit::int

-- name: booking_overbooked
SELECT e.event_id, e.event_name, e.category, e.starts_at, e.total_capacity, e.confirmed_seats, e.capacity_utilization FROM event_stats e
WHERE e.overbooked AND e.status <> 'cancelled' AND e.over_at > now() ORDER BY e.over_at, e.event_id LIMIT :limit::int

-- name: booking_low_fill
-- Published, not begun, and begin soon.
SELECT e.event_id, e.event_name, e.category, e.starts_at, e.total_capacity, e.confirmed_seats, e.capacity_utilization FROM event_stats e
WHERE NOT e.unlimited AND e.status = 'published' AND e.starts_at > now() AND e.starts_at < now() + make_interval(days => :within::int)
  AND e.capacity_utilization < :below::int
ORDER BY e.starts_at, e.event_id LIMIT :limit::int

-- name: booking_heat
-- When people book: hours of the wall clock on business days.
SELECT w.n AS weekday_n, to_char('2001-01-01'::date + w.n - 1, 'FMDay') AS weekday, h.n AS hour, d.days_n, coalesce(x.new, 0) AS new_bookings,
       coalesce(x.seats, 0) AS new_seats, CASE WHEN d.days_n > 0 THEN half_even(coalesce(x.new, 0)::numeric / d.days_n, 2) END AS bookings_a_day
FROM generate_series(1, 7) w(n)
CROSS JOIN generate_series(0, 23) h(n)
CROSS JOIN LATERAL (SELECT greatest((:last_day::date - :from_day::date - (w.n - extract(isodow FROM :from_day::date)::int + 7) % 7 + 7) / 7, 0) AS days_n OFFSET 0) d
LEFT JOIN (SELECT extract(isodow FROM b.business_date)::int AS weekday_n, b.hour, sum(b.new)::bigint AS new, sum(b.new_seats)::bigint AS seats
           FROM booking_hour b WHERE b.business_date BETWEEN :from_day::date AND :last_day::date GROUP BY 1, 2) x ON x.weekday_n = w.n AND x.hour = h.n
ORDER BY w.n, h.n

-- name: booking_leads
-- How long before the event people book, over all time; the last row is of events without a start.
SELECT b.from_days, b.to_days, coalesce(l.new, 0) AS new_bookings, coalesce(l.seats, 0) AS new_seats,
       CASE WHEN sum(l.new) OVER () > 0 THEN half_even(coalesce(l.new, 0) * 100 / sum(l.new) OVER (), 2) END AS share_of_bookings
FROM (VALUES (1, 0, 0), (2, 1, 1), (3, 2, 3), (4, 4, 7), (5, 8, 14), (6, 15, 30), (7, 31, 60), (8, 61, 90), (9, 91, 180), (10, 181, 364), (11, 365, NULL),
             (12, NULL, NULL)) b(place, from_days, to_days)
LEFT JOIN (SELECT coalesce(nullif(width_bucket(lead_days, '{0,1,2,4,8,15,31,61,91,181,365}'::smallint[]), 0), 12) AS place, sum(new)::bigint AS new,
                  sum(new_seats)::bigint AS seats
           FROM booking_lead WHERE nullif(:category, '') IS NULL OR category = :category GROUP BY 1) l USING (place)
ORDER BY b.place
