-- bookings_page.sql: what the pages of bookings ask. bookings_scope comes first on pages of days; its
-- columns are the parameters of the statements after it. Figures are defined by the tables of
-- sql/migrations/010_bookings.sql. Days end with yesterday; the day that runs stands beside them.

-- name: bookings_scope
-- The days a page is about and is compared with; always one row. The currency is the one asked for,
-- else the site's, else the first in which something was booked.
SELECT s.timezone IS NOT NULL AND s.processed_at IS NOT NULL AS has_bookings, p.from_day, p.to_day, p.last_day, p.days_n, p.base_from, p.base_to, p.running,
       p.newest_day, p.today, p.oldest_day AS first_day, s.timezone AS tz, s.cutoff_hours, c.currency,
       money_exponent(c.currency) AS money_digits, s.version,
       CASE WHEN p.from_day = p.to_day THEN p.to_day END AS date, p.from_day AS "from", greatest(p.from_day, p.last_day) AS "to",
       p.from_day = p.to_day AS is_day, p.from_day <> p.to_day AS is_range, p.days_n > 0 AS has_days,
       p.running AND p.from_day <> p.to_day AND p.days_n > 0 AS so_far, p.from_day = p.to_day AND p.to_day = p.today AS is_today,
       p.days_n > 0 AND p.from_day <> p.to_day AS has_range, coalesce(p.base_from >= p.oldest_day, false) AS has_base,
       :basis = 'transaction_date' AS by_transaction,
       st.step, st.step = 'day' AS by_day, st.step = 'week' AS by_week, st.step = 'month' AS by_month,
       CASE WHEN :date::date IS NOT NULL OR :from::date IS NOT NULL OR :period = 'newest' THEN NULL
            WHEN :period = 'all' THEN 'All days' WHEN :period ~ 'd$' THEN 'Last ' || rtrim(:period, 'd') || ' days'
            WHEN :period IN ('week', 'month', 'year') THEN 'This ' || :period
            ELSE upper(left(:period, 1)) || replace(substr(:period, 2), '_', ' ') END AS period_words,
       CASE WHEN p.base_from IS NULL THEN NULL
            WHEN :compare = 'year' THEN 'the same weekday' || left('s', (p.days_n > 1)::int) || ' a year before'
            WHEN :compare = 'weekdays' AND p.days_n = 1 THEN 'the ' || to_char(p.base_to, 'FMDay') || ' before'
            WHEN :compare = 'weekdays' THEN 'the same weekdays before'
            WHEN p.days_n = 1 THEN 'the day before'
            ELSE 'the ' || p.days_n || ' days before' END AS base_words,
       CASE WHEN p.from_day > p.oldest_day THEN p.from_day - 1 END AS previous_day,
       CASE WHEN p.to_day < p.today THEN p.to_day + 1 END AS next_day,
       CASE WHEN p.from_day > p.oldest_day THEN p.from_day - (p.to_day - p.from_day + 1) END AS earlier_from,
       p.from_day - 1 AS earlier_to,
       CASE WHEN p.to_day < p.newest_day THEN p.to_day + 1 END AS later_from,
       p.to_day + (p.to_day - p.from_day + 1) AS later_to,
       (SELECT string_agg(DISTINCT d.currency, ', ') FROM booking_day d
        WHERE d.business_date BETWEEN p.from_day AND p.today AND d.currency <> c.currency AND d.revenue_minor <> 0) AS other_currencies,
       to_char(make_interval(hours => s.cutoff_hours), 'HH24:MI') AS day_begins,
       to_char(now() AT TIME ZONE s.timezone, 'HH24:MI') AS time_now, NULL::int AS location_id, :currency::text AS currency_asked
FROM booking_site s
CROSS JOIN LATERAL (SELECT coalesce(:currency::text, s.currency, (SELECT min(x.currency) FROM booking_day x), 'EUR') AS currency) c
CROSS JOIN LATERAL (SELECT business_date(now(), coalesce(s.timezone, 'UTC'), coalesce(s.cutoff_hours, 0)) AS today) t
CROSS JOIN LATERAL period_of(:period, :date::date, :from::date, :to::date, :compare,
                             least((SELECT min(d.business_date) FROM booking_day d), t.today - 1), t.today - 1, t.today, :week_start::int) p
CROSS JOIN LATERAL (SELECT coalesce(:step::text, CASE WHEN p.days_n <= 100 THEN 'day' WHEN p.days_n <= 800 THEN 'week' ELSE 'month' END) AS step) st

-- name: bookings_state
-- How it stands with the messages: whether any ever came, how many wait and how long, what is dead,
-- and whether Redis may have lost some. Always one row.
SELECT s.version, s.processed_at IS NOT NULL OR o.n > 0 OR d.n > 0 AS has_messages, o.n AS open_n, d.n AS dead_n, d.n > 0 AS has_dead, d.n = 1 AS is_one_dead,
       o.waits_s > 30 AS is_behind,
       CASE WHEN o.waits_s < 100 THEN o.waits_s || ' s' WHEN o.waits_s < 6000 THEN o.waits_s / 60 || ' min' ELSE o.waits_s / 3600 || ' h' END AS waits,
       to_char(s.processed_at AT TIME ZONE z.tz, 'HH24:MI') AS processed_time, (s.processed_at AT TIME ZONE z.tz)::date AS processed_date,
       (s.processed_at AT TIME ZONE z.tz)::date = (now() AT TIME ZONE z.tz)::date AS processed_today,
       to_char(now() AT TIME ZONE z.tz, 'HH24:MI') AS time_now, to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS as_of,
       EXISTS (SELECT FROM redis_gap WHERE until_at IS NULL) AS has_gap
FROM booking_site s
CROSS JOIN LATERAL (SELECT coalesce(s.timezone, 'UTC') AS tz) z
CROSS JOIN LATERAL (SELECT count(*) AS n, coalesce(extract(epoch FROM now() - min(created_at)), 0)::bigint AS waits_s
                    FROM (SELECT created_at FROM event_log WHERE NOT processed AND dead_at IS NULL ORDER BY id LIMIT 100000) e) o
CROSS JOIN LATERAL (SELECT count(*) AS n FROM event_log WHERE dead_at IS NOT NULL AND NOT processed) d

-- name: bookings_totals
-- The days together, what they are compared with, and the change of each.
WITH figure AS MATERIALIZED (
	SELECT business_date >= :from_day::date AS is_now, sum(new) AS new, sum(confirmed) AS confirmed, sum(confirmed_seats) AS seats,
	       sum(cancelled) AS cancelled,
	       sum(CASE WHEN :by_transaction::boolean THEN confirmed ELSE counted END) FILTER (WHERE currency = :currency) AS counted,
	       sum(CASE WHEN :by_transaction::boolean THEN booked_minor ELSE revenue_minor END) FILTER (WHERE currency = :currency) AS minor
	FROM booking_day
	WHERE business_date BETWEEN :from_day::date AND :last_day::date OR business_date BETWEEN :base_from::date AND :base_to::date
	GROUP BY is_now
), both_ AS (
	SELECT coalesce(n.new, 0) AS new, coalesce(n.confirmed, 0) AS confirmed, coalesce(n.cancelled, 0) AS cancelled, coalesce(n.seats, 0) AS seats,
	       coalesce(n.minor, 0) AS minor, coalesce(n.counted, 0) AS counted, coalesce(b.new, 0) AS b_new,
	       coalesce(b.seats, 0) AS b_seats, coalesce(b.minor, 0) AS b_minor, coalesce(b.cancelled, 0) AS b_cancelled,
	       greatest(0, :base_to::date - greatest(:base_from::date, :first_day::date) + 1) AS base_n
	FROM (SELECT) one LEFT JOIN figure n ON n.is_now LEFT JOIN figure b ON NOT b.is_now
)
SELECT f.new::bigint AS new_bookings, f.confirmed::bigint AS confirmed_bookings, f.cancelled::bigint AS cancelled_bookings, f.seats::bigint AS seats_sold,
       money_of(f.minor, :money_digits::int) AS booking_revenue,
       CASE WHEN f.counted > 0 THEN money_ratio_of(f.minor, f.counted, :money_digits::int) END AS avg_booking_value,
       CASE WHEN f.new > 0 THEN half_even(f.cancelled * 100 / f.new, 2) END AS cancelled_rate,
       CASE WHEN f.b_new > 0 THEN half_even(f.b_cancelled * 100 / f.b_new, 2) END AS base_cancelled_rate,
       f.b_new::bigint AS base_new_bookings, f.b_seats::bigint AS base_seats_sold, money_of(f.b_minor, :money_digits::int) AS base_booking_revenue,
       gn.rate AS new_bookings_change, gn.status = 'ok' AS has_new_bookings_change, gn.status = 'new' AS is_new_bookings_new,
       gr.rate AS booking_revenue_change, gr.status = 'ok' AS has_booking_revenue_change,
       gs.rate AS seats_sold_change, gs.status = 'ok' AS has_seats_sold_change
FROM both_ f,
     LATERAL growth(f.new, :days_n::int, f.b_new, f.base_n, :days_n::int) gn,
     LATERAL growth(f.minor, :days_n::int, f.b_minor, f.base_n, :days_n::int) gr,
     LATERAL growth(f.seats, :days_n::int, f.b_seats, f.base_n, :days_n::int) gs

-- name: bookings_days
-- A row for each day, week or month of the days shown, newest first, beside the days it is compared
-- with. A day nobody booked on has zeros: all messages are heard of, so nothing is not known.
WITH figure AS MATERIALIZED (
	SELECT business_date, sum(new) AS new, sum(confirmed) AS confirmed, sum(cancelled) AS cancelled, sum(confirmed_seats) AS seats,
	       sum(CASE WHEN :by_transaction::boolean THEN booked_minor ELSE revenue_minor END) FILTER (WHERE currency = :currency) AS minor
	FROM booking_day
	WHERE business_date BETWEEN :from_day::date AND :last_day::date OR business_date BETWEEN :base_from::date AND :base_to::date
	GROUP BY business_date
), day AS (
	SELECT d::date AS day, booking_unit(d::date, :step, :week_start::int) AS unit, n.*,
	       CASE WHEN x.base_day >= :first_day::date THEN coalesce(b.new, 0) END AS base_new, x.base_day
	FROM generate_series(:from_day::timestamp, :last_day::timestamp, interval '1 day') d
	CROSS JOIN LATERAL (SELECT d::date - (:from_day::date - :base_from::date) AS base_day) x
	LEFT JOIN figure n ON n.business_date = d::date
	LEFT JOIN figure b ON b.business_date = x.base_day
)
SELECT min(day) AS date, max(day) AS to_date, count(*) AS days_n, coalesce(sum(new), 0)::bigint AS new_bookings,
       coalesce(sum(confirmed), 0)::bigint AS confirmed_bookings, coalesce(sum(cancelled), 0)::bigint AS cancelled_bookings,
       coalesce(sum(seats), 0)::bigint AS seats_sold, money_of(coalesce(sum(minor), 0), :money_digits::int) AS booking_revenue,
       sum(base_new)::bigint AS base_new_bookings, min(base_day) AS base_date, false AS closed, false AS uncomputed, count(*) = 1 AS is_one_day,
       count(*) < CASE :step WHEN 'week' THEN 7 WHEN 'month' THEN (unit + interval '1 month')::date - unit ELSE 1 END AS is_partial,
       :running::boolean AND bool_or(day = :last_day::date) AND :step <> 'day' AS is_running,
       CASE :step WHEN 'month' THEN to_char(unit, 'FMMonth YYYY')
                  WHEN 'week' THEN to_char(min(day), 'FMDD Mon') || ' – ' || to_char(max(day), 'FMDD Mon') || CASE WHEN max(day) < now() - interval '300 days' THEN to_char(max(day), ' YYYY') ELSE '' END
                  END AS unit_words
FROM day GROUP BY unit ORDER BY unit DESC

-- name: bookings_sparks
-- The days shown as points of a line, 100 wide and 24 high.
SELECT string_agg(round(x * 100, 1) || ',' || round(22 - 20 * new / greatest(most, 1), 1), ' ' ORDER BY x) AS bookings_points
FROM (SELECT (d::date - :from_day::date)::numeric / greatest(:days_n::int - 1, 1) AS x, coalesce(b.new, 0) AS new,
             max(coalesce(b.new, 0)) OVER () AS most
      FROM generate_series(:from_day::timestamp, :last_day::timestamp, interval '1 day') d
      LEFT JOIN (SELECT business_date, sum(new) AS new FROM booking_day
                 WHERE business_date BETWEEN :from_day::date AND :last_day::date GROUP BY 1) b ON b.business_date = d::date) s

-- name: bookings_today
-- The day that runs, against the same weekday a week before up to the same time of it.
WITH day AS (
	SELECT sum(new) AS new, sum(confirmed) AS confirmed, sum(cancelled) AS cancelled, sum(confirmed_seats) AS seats,
	       sum(CASE WHEN :by_transaction::boolean THEN booked_minor ELSE revenue_minor END) FILTER (WHERE currency = :currency) AS minor
	FROM booking_day WHERE business_date = :today::date
), before AS (
	SELECT count(*) AS new, d.before >= :first_day::date AS known
	FROM (SELECT :today::date - 7 AS before, business_day_start(:tz, :cutoff_hours::int, :today::date) AS starts_at,
	             business_day_start(:tz, :cutoff_hours::int, :today::date - 7) AS before_at) d
	LEFT JOIN booking_state b ON b.created_at >= d.before_at AND b.created_at < d.before_at + (now() - d.starts_at) AND b.created_day = d.before
	GROUP BY d.before
)
SELECT to_char(:today::date, 'FMDay') AS weekday, :time_now AS time_now, coalesce(d.new, 0)::bigint AS new_bookings,
       coalesce(d.confirmed, 0)::bigint AS confirmed_bookings, coalesce(d.cancelled, 0)::bigint AS cancelled_bookings,
       coalesce(d.seats, 0)::bigint AS seats_sold, money_of(coalesce(d.minor, 0), :money_digits::int) AS booking_revenue,
       b.new AS base_new_bookings, g.rate AS new_bookings_change, b.known AND g.status = 'ok' AS has_change, b.known AND g.status = 'new' AS is_new
FROM day d, (SELECT coalesce(max(new) FILTER (WHERE known), 0) AS new, coalesce(bool_or(known), false) AS known FROM before) b,
     LATERAL growth(coalesce(d.new, 0), 1, b.new, 1, 1) g

-- name: bookings_heat
-- A row for each hour in which something was booked, with a mean and a depth of colour (0 to 7) for
-- each weekday. Hours before the first and after the last are left out.
WITH weekday AS (
	SELECT extract(isodow FROM d)::int AS d, count(*) AS n
	FROM generate_series(:from_day::timestamp, :last_day::timestamp, interval '1 day') d GROUP BY 1
), cell AS MATERIALIZED (
	SELECT w.d, h.hour::int AS hour, (h.hour - :cutoff_hours::int + 24) % 24 AS at, half_even(sum(h.new) / w.n, 1) AS mean
	FROM booking_hour h JOIN weekday w ON w.d = extract(isodow FROM h.business_date)::int
	WHERE h.business_date BETWEEN :from_day::date AND :last_day::date AND h.new > 0
	GROUP BY w.d, w.n, h.hour
), shade AS (
	SELECT d, hour, at, mean, CASE WHEN mean > 0 THEN ceil(7 * mean / max(mean) OVER ()) ELSE 0 END AS level FROM cell
), hour AS (
	SELECT h AS at, (h + :cutoff_hours::int) % 24 AS hour
	FROM generate_series((SELECT min(at) FROM cell), (SELECT max(at) FROM cell)) h
)
SELECT o.hour, max(mean) FILTER (WHERE d = 1) AS mon, coalesce(max(level) FILTER (WHERE d = 1), 0) AS mon_level,
       max(mean) FILTER (WHERE d = 2) AS tue, coalesce(max(level) FILTER (WHERE d = 2), 0) AS tue_level,
       max(mean) FILTER (WHERE d = 3) AS wed, coalesce(max(level) FILTER (WHERE d = 3), 0) AS wed_level,
       max(mean) FILTER (WHERE d = 4) AS thu, coalesce(max(level) FILTER (WHERE d = 4), 0) AS thu_level,
       max(mean) FILTER (WHERE d = 5) AS fri, coalesce(max(level) FILTER (WHERE d = 5), 0) AS fri_level,
       max(mean) FILTER (WHERE d = 6) AS sat, coalesce(max(level) FILTER (WHERE d = 6), 0) AS sat_level,
       max(mean) FILTER (WHERE d = 7) AS sun, coalesce(max(level) FILTER (WHERE d = 7), 0) AS sun_level
FROM hour o LEFT JOIN shade s ON s.at = o.at
GROUP BY o.hour, o.at ORDER BY o.at

-- name: bookings_lead
-- How long before the event people book, over all time; bookings of events without a time stand last.
SELECT b.n AS place, b.words AS lead, sum(coalesce(l.new, 0))::bigint AS new_bookings, sum(coalesce(l.new_seats, 0))::bigint AS new_seats,
       half_even(sum(coalesce(l.new, 0)) * 100 / nullif(sum(sum(coalesce(l.new, 0))) OVER (), 0), 2) AS bookings_share
FROM (VALUES (1, 0, 0, 'Same day'), (2, 1, 1, '1 day'), (3, 2, 3, '2–3 days'), (4, 4, 7, '4–7 days'), (5, 8, 14, '8–14 days'),
             (6, 15, 30, '15–30 days'), (7, 31, 60, '31–60 days'), (8, 61, 90, '61–90 days'), (9, 91, 180, '91–180 days'),
             (10, 181, 364, '181–364 days'), (11, 365, 365, 'A year or more'), (12, -1, -1, 'No time known')) b (n, least_days, most_days, words)
LEFT JOIN booking_lead l ON l.lead_days BETWEEN b.least_days AND b.most_days
GROUP BY b.n, b.words
HAVING b.n < 12 OR sum(l.new) > 0
ORDER BY b.n

-- name: bookings_upcoming
-- The next events that are not over and not cancelled.
SELECT e.event_id, e.event_name, e.category, (e.starts_at AT TIME ZONE :tz)::date AS starts_date, to_char(e.starts_at AT TIME ZONE :tz, 'HH24:MI') AS starts_time,
       e.status = 'draft' AS is_draft, e.confirmed_seats, e.total_capacity, e.unlimited, e.capacity_utilization, e.overbooked,
       NOT e.unlimited AND e.confirmed_seats = e.total_capacity AS sold_out, e.starts_at <= now() AS is_on,
       CASE WHEN NOT e.unlimited THEN least(e.capacity_utilization, 100) END AS bar, e.total_capacity - e.confirmed_seats AS left_seats, e.confirmed_seats - e.total_capacity AS over_seats
FROM event_stats e
WHERE coalesce(e.ends_at, e.starts_at) >= now() AND e.status <> 'cancelled'
ORDER BY e.starts_at, e.event_id LIMIT 8

-- name: bookings_alerts
-- Events to look at: overbooked ones, those that are full, and those that begin within a week and are
-- less than a third full. Only such as are not over and not cancelled.
SELECT kind, kind = 'overbooked' AS is_overbooked, kind = 'sold_out' AS is_sold_out, kind = 'low' AS is_low, n, n = 1 AS is_one, event_id, event_name,
       confirmed_seats, total_capacity, over_seats, over_seats = 1 AS is_one_over, starts_date, place = 1 AS is_first
FROM (SELECT x.*, count(*) OVER (PARTITION BY kind) AS n,
             row_number() OVER (PARTITION BY kind ORDER BY starts_at NULLS LAST, event_id) AS place
      FROM (SELECT e.event_id, e.event_name, e.starts_at, e.confirmed_seats, e.total_capacity, e.confirmed_seats - e.total_capacity AS over_seats,
                   (e.starts_at AT TIME ZONE :tz)::date AS starts_date,
                   CASE WHEN e.overbooked THEN 'overbooked' WHEN e.confirmed_seats = e.total_capacity THEN 'sold_out'
                        WHEN e.capacity_utilization < 33 AND e.status = 'published' AND e.starts_at BETWEEN now() AND now() + interval '7 days' THEN 'low' END AS kind
            FROM event_stats e
            WHERE NOT e.unlimited AND e.status <> 'cancelled' AND coalesce(e.ends_at, e.starts_at, now()) >= now()) x
      WHERE kind IS NOT NULL) y
WHERE place <= 3
ORDER BY array_position(ARRAY['overbooked', 'sold_out', 'low'], kind), place

-- name: bookings_here
-- By which clock and in which currency the list of events is read; always one row.
SELECT s.timezone IS NOT NULL AND s.processed_at IS NOT NULL AS has_bookings, coalesce(s.timezone, 'UTC') AS tz, s.version, c.currency, money_exponent(c.currency) AS money_digits,
       business_date(now(), coalesce(s.timezone, 'UTC'), coalesce(s.cutoff_hours, 0)) AS today, :currency::text AS currency_asked,
       to_char(now() AT TIME ZONE coalesce(s.timezone, 'UTC'), 'HH24:MI') AS time_now
FROM booking_site s
CROSS JOIN LATERAL (SELECT coalesce(:currency::text, s.currency, (SELECT min(x.currency) FROM booking_day x), 'EUR') AS currency) c

-- name: bookings_categories
-- To choose from: those with the most events.
SELECT category, category AS category_id, count(*) AS events_n, category = :category::text AS is_chosen
FROM event_stats WHERE category <> '' GROUP BY category ORDER BY count(*) DESC, category LIMIT 30

-- name: bookings_events
-- Events by what :sort says (next: those to come, soonest first, then those that are over, newest
-- first), filtered, :limit of them after the first :cursor. Revenue is each event's own currency's;
-- sorted by it, events in the answer's currency come before others.
WITH ranked AS (
	SELECT e.*, count(*) OVER () AS events_n, row_number() OVER (
	           ORDER BY CASE :sort WHEN 'next' THEN (coalesce(e.ends_at, e.starts_at) < now())::int WHEN 'revenue' THEN (e.currency <> :currency)::int
	                               WHEN 'revenue_up' THEN (e.currency <> :currency)::int END NULLS LAST,
	                    CASE :sort WHEN 'next' THEN abs(extract(epoch FROM e.starts_at - now())) WHEN 'date' THEN -extract(epoch FROM e.starts_at)
	                               WHEN 'date_up' THEN extract(epoch FROM e.starts_at)
	                               WHEN 'bookings' THEN -e.total_bookings WHEN 'bookings_up' THEN e.total_bookings
	                               WHEN 'seats' THEN -e.confirmed_seats WHEN 'seats_up' THEN e.confirmed_seats
	                               WHEN 'filled' THEN -e.capacity_utilization WHEN 'filled_up' THEN e.capacity_utilization
	                               WHEN 'cancelled' THEN -e.cancellation_rate WHEN 'cancelled_up' THEN e.cancellation_rate
	                               WHEN 'revenue' THEN -e.revenue_minor / 10::numeric ^ money_exponent(e.currency)
	                               WHEN 'revenue_up' THEN e.revenue_minor / 10::numeric ^ money_exponent(e.currency) END NULLS LAST,
	                    CASE :sort WHEN 'name' THEN lower(e.event_name) END, CASE :sort WHEN 'name_down' THEN lower(e.event_name) END DESC,
	                    e.starts_at DESC NULLS LAST, e.event_id) AS rank
	FROM event_stats e
	WHERE (:q::text IS NULL OR position(lower(:q) IN lower(e.event_name)) > 0 OR e.event_id::text = :q)
	  AND (:category::text IS NULL OR e.category = :category)
	  AND CASE :status WHEN 'all' THEN true WHEN 'upcoming' THEN coalesce(e.ends_at, e.starts_at) >= now() AND e.status <> 'cancelled'
	                   WHEN 'past' THEN coalesce(e.ends_at, e.starts_at) < now() WHEN 'sold_out' THEN NOT e.unlimited AND e.confirmed_seats >= e.total_capacity
	                   WHEN 'overbooked' THEN e.overbooked ELSE e.status = :status END
)
SELECT rank, event_id, event_name, category, status, (starts_at AT TIME ZONE :tz)::date AS starts_date,
       to_char(starts_at AT TIME ZONE :tz, 'HH24:MI') AS starts_time, extract(epoch FROM starts_at)::bigint AS starts_s,
       total_capacity, unlimited, confirmed_seats, capacity_utilization, overbooked, confirmed_seats - total_capacity AS over_seats,
       CASE WHEN status <> 'cancelled' AND coalesce(ends_at, starts_at, now()) >= now() THEN total_capacity - confirmed_seats END AS left_seats,
       NOT unlimited AND confirmed_seats = total_capacity AS sold_out, status = 'cancelled' AS is_cancelled, status = 'draft' AS is_draft,
       status = 'unknown' AS is_unknown, coalesce(ends_at, starts_at) < now() AS is_over,
       total_bookings, confirmed_bookings, cancelled_bookings, cancellation_rate, money(revenue_minor, currency) AS booking_revenue, currency,
       CASE WHEN NOT unlimited THEN least(capacity_utilization, 100) END AS bar, events_n, events_n = 1 AS is_only,
       rank = :cursor::bigint + 1 AS is_first, rank = :cursor::bigint + :limit::bigint AND rank < events_n AS has_more,
       rank = least(:cursor::bigint + :limit::bigint, events_n) AS is_last,
       :cursor::bigint > 0 AS has_earlier, greatest(:cursor::bigint - :limit::bigint, 0) AS earlier_cursor
FROM ranked WHERE rank > :cursor::bigint AND rank <= :cursor::bigint + :limit::bigint
ORDER BY rank

-- name: bookings_event
-- One event as it is now, and the days its charts are about: from its first message or booking to its
-- own day, or today while that is not over, two years at most. No row where nobody ever named it.
SELECT e.event_id, e.event_name, e.category, nullif(e.category, '') AS category_id, e.currency, money_exponent(e.currency) AS money_digits, z.tz, z.cutoff_hours, s.version, t.today,
       to_char(now() AT TIME ZONE z.tz, 'HH24:MI') AS time_now,
       (e.starts_at AT TIME ZONE z.tz)::date AS starts_date, to_char(e.starts_at AT TIME ZONE z.tz, 'HH24:MI') AS starts_time,
       (e.ends_at AT TIME ZONE z.tz)::date AS ends_date, to_char(e.ends_at AT TIME ZONE z.tz, 'HH24:MI') AS ends_time,
       (e.ends_at AT TIME ZONE z.tz)::date <> (e.starts_at AT TIME ZONE z.tz)::date AS ends_later,
       v.sales_from IS NOT NULL OR v.sales_until IS NOT NULL AS has_sales,
       (v.sales_from AT TIME ZONE z.tz)::date AS sales_from_date, (v.sales_until AT TIME ZONE z.tz)::date AS sales_until_date,
       to_char(v.sales_from AT TIME ZONE z.tz, 'HH24:MI') AS sales_from_time, to_char(v.sales_until AT TIME ZONE z.tz, 'HH24:MI') AS sales_until_time,
       coalesce(e.ends_at, e.starts_at) < now() AS is_over, e.starts_at <= now() AND e.ends_at >= now() AS is_on,
       d.event_day - t.today AS days_to, d.event_day - t.today = 1 AS is_tomorrow, d.event_day = t.today AS is_today, d.event_day > t.today + 1 AS is_ahead,
       e.status, e.status = 'cancelled' AS is_cancelled, e.status = 'draft' AS is_draft, e.status = 'unknown' AS is_unknown, e.status = 'published' AS is_published,
       e.total_capacity, e.unlimited, NOT e.unlimited AS is_limited, e.confirmed_seats, e.capacity_utilization, e.overbooked,
       CASE WHEN NOT e.unlimited THEN least(e.capacity_utilization, 100) END AS bar, NOT e.unlimited AND e.confirmed_seats = e.total_capacity AS sold_out,
       e.confirmed_seats - e.total_capacity AS over_seats, e.confirmed_seats - e.total_capacity = 1 AS is_one_over,
       e.total_capacity - e.confirmed_seats AS left_seats, NOT e.unlimited AND e.confirmed_seats < e.total_capacity AS has_left,
       e.total_bookings, e.confirmed_bookings, e.cancelled_bookings, e.total_bookings - e.confirmed_bookings - e.cancelled_bookings AS pending_bookings,
       e.total_seats, e.cancelled_seats, e.total_seats - e.confirmed_seats - e.cancelled_seats AS pending_seats,
       e.cancellation_rate, money(e.revenue_minor, e.currency) AS booking_revenue,
       CASE WHEN e.counted > 0 THEN money_ratio(e.revenue_minor, e.counted, e.currency) END AS avg_booking_value,
       (SELECT string_agg(o.key || ' ' || money((o.value ->> 'revenue_minor')::numeric, o.key), ', ' ORDER BY o.key) FROM jsonb_each(e.other_money) o) AS other_money,
       (e.first_booking AT TIME ZONE z.tz)::date AS first_booking_date, to_char(e.first_booking AT TIME ZONE z.tz, 'HH24:MI') AS first_booking_time,
       (e.last_booking AT TIME ZONE z.tz)::date AS last_booking_date, to_char(e.last_booking AT TIME ZONE z.tz, 'HH24:MI') AS last_booking_time,
       e.total_bookings > 0 AS has_bookings, d.event_day, d.event_day IS NOT NULL AS has_day,
       greatest(d.begins, d.final_day - 730) AS first_day, d.final_day AS last_day, d.begins < d.final_day - 730 AS is_cut
FROM event_stats e
JOIN booking_site s ON true
LEFT JOIN event_state v USING (event_id)
CROSS JOIN LATERAL (SELECT coalesce(s.timezone, 'UTC') AS tz, coalesce(s.cutoff_hours, 0) AS cutoff_hours) z
CROSS JOIN LATERAL (SELECT business_date(now(), z.tz, z.cutoff_hours) AS today) t
CROSS JOIN LATERAL (SELECT business_date(e.starts_at, z.tz, z.cutoff_hours) AS event_day,
                           (SELECT min(business_date) FROM event_day y WHERE y.event_id = e.event_id) AS booked_first,
                           (SELECT max(business_date) FROM event_day y WHERE y.event_id = e.event_id) AS booked_last) x
CROSS JOIN LATERAL (SELECT x.event_day, coalesce(x.booked_first, t.today) AS begins,
                           greatest(coalesce(x.booked_first, t.today), x.booked_last, least(coalesce(x.event_day, t.today), t.today)) AS final_day) d
WHERE e.event_id = :event_id::bigint

-- name: bookings_event_days
-- Each day of an event, newest first: what was booked, the seats held at its end, and the capacity the
-- event had then (the newest it was said to have by the end of that day). Shares are of the capacity it
-- has now; without one they are NULL.
WITH said AS MATERIALIZED (
	SELECT c.*, business_date(c.occurred_at, :tz, :cutoff_hours::int) AS day,
	       CASE WHEN c.capacity > 0 AND c.capacity <> s.capacity_unlimited THEN c.capacity END AS limit_n
	FROM event_capacity c, booking_site s WHERE c.event_id = :event_id::bigint
), figure AS (
	SELECT business_date, sum(new) AS new, sum(confirmed) AS confirmed, sum(cancelled) AS cancelled,
	       sum(confirmed_seats) AS sold, sum(cancelled_seats) AS freed, sum(revenue_minor) FILTER (WHERE currency = :currency) AS minor
	FROM event_day WHERE event_id = :event_id::bigint GROUP BY business_date
), held AS (
	SELECT d::date AS day, f.*, coalesce((SELECT sum(b.sold - b.freed) FROM figure b WHERE b.business_date < :first_day::date), 0)
	       + sum(coalesce(f.sold - f.freed, 0)) OVER (ORDER BY d) AS seats
	FROM generate_series(:first_day::timestamp, :last_day::timestamp, interval '1 day') d
	LEFT JOIN figure f ON f.business_date = d::date
)
SELECT h.day AS date, :event_day::date - h.day AS days_before, :event_day::date - h.day = 1 AS is_one_before, :event_day::date = h.day AS is_event_day,
       :event_day::date < h.day AS is_after, :event_day::date > h.day AS is_before, h.day = :today::date AS is_today,
       coalesce(h.new, 0)::bigint AS new_bookings, coalesce(h.confirmed, 0)::bigint AS confirmed_bookings, coalesce(h.cancelled, 0)::bigint AS cancelled_bookings,
       coalesce(h.sold, 0)::bigint AS seats_sold, coalesce(h.freed, 0)::bigint AS seats_freed,
       money_of(coalesce(h.minor, 0), :money_digits::int) AS booking_revenue, h.seats::bigint AS seats,
       half_even(h.seats * 100 / nullif(:total_capacity::bigint, 0), 2) AS capacity_utilization, c.limit_n AS capacity
FROM held h
LEFT JOIN LATERAL (SELECT x.limit_n FROM said x WHERE x.day <= h.day
                   ORDER BY x.version DESC, x.occurred_at DESC, x.seq DESC, x.digest DESC LIMIT 1) c ON true
ORDER BY h.day DESC

-- name: bookings_event_ranks
-- Its places among all events with a booking. No row before it is ranked.
SELECT t.booking_rank, t.revenue_rank, t.utilization_rank, n.events_n, n.limited_n, n.currency_n, t.currency,
       EXISTS (SELECT FROM top_events o WHERE o.booking_rank = t.booking_rank AND o.event_id <> t.event_id) AS booking_tied,
       EXISTS (SELECT FROM top_events o WHERE o.currency = t.currency AND o.revenue_rank = t.revenue_rank AND o.event_id <> t.event_id) AS revenue_tied,
       EXISTS (SELECT FROM top_events o WHERE o.utilization_rank = t.utilization_rank AND o.event_id <> t.event_id) AS utilization_tied
FROM top_events t,
     LATERAL (SELECT count(*) AS events_n, count(o.utilization_rank) AS limited_n, count(*) FILTER (WHERE o.currency = t.currency) AS currency_n FROM top_events o) n
WHERE t.event_id = :event_id::bigint

-- name: bookings_leaders
-- The first :limit places by bookings; equals share a place.
SELECT t.booking_rank AS rank, t.event_id, t.event_name, t.total_bookings, e.status = 'cancelled' AS is_cancelled,
       half_even(t.total_bookings * 100::numeric / max(t.total_bookings) OVER (), 1) AS bar,
       EXISTS (SELECT FROM top_events o WHERE o.booking_rank = t.booking_rank AND o.event_id <> t.event_id) AS tied
FROM (SELECT * FROM top_events ORDER BY booking_rank, event_id LIMIT :limit::int) t JOIN event_stats e USING (event_id)
ORDER BY t.booking_rank, t.event_id

-- name: bookings_leaders_revenue
-- Likewise by revenue, of events in one currency.
SELECT t.revenue_rank AS rank, t.event_id, t.event_name, t.currency, money_of(t.revenue_minor, :money_digits::int) AS booking_revenue, e.status = 'cancelled' AS is_cancelled,
       half_even(greatest(t.revenue_minor, 0) * 100::numeric / nullif(greatest(max(t.revenue_minor) OVER (), 0), 0), 1) AS bar,
       EXISTS (SELECT FROM top_events o WHERE o.currency = t.currency AND o.revenue_rank = t.revenue_rank AND o.event_id <> t.event_id) AS tied
FROM (SELECT * FROM top_events WHERE currency = :currency ORDER BY revenue_rank, event_id LIMIT :limit::int) t JOIN event_stats e USING (event_id)
ORDER BY t.revenue_rank, t.event_id

-- name: bookings_leaders_filled
-- Likewise by utilisation, of events whose capacity is limited.
SELECT t.utilization_rank AS rank, t.event_id, t.event_name, t.capacity_utilization, e.confirmed_seats, e.total_capacity, e.overbooked, e.status = 'cancelled' AS is_cancelled,
       half_even(t.capacity_utilization * 100 / nullif(greatest(max(t.capacity_utilization) OVER (), 100), 0), 1) AS bar,
       EXISTS (SELECT FROM top_events o WHERE o.utilization_rank = t.utilization_rank AND o.event_id <> t.event_id) AS tied
FROM (SELECT * FROM top_events WHERE utilization_rank IS NOT NULL ORDER BY utilization_rank, event_id LIMIT :limit::int) t JOIN event_stats e USING (event_id)
ORDER BY t.utilization_rank, t.event_id

-- name: system_uptime
-- The last 30 business days, or since the first probe: minutes in which one went well, of all there
-- were. Minutes of the day that runs count up to the last whole one. 99.99 % may be down 4.3 minutes in
-- 30 days. One row; known is false before the first probe.
SELECT u.minutes > 0 AS known, half_even(u.up * 100::numeric / nullif(u.minutes, 0), 3) AS uptime, u.minutes - u.up AS down_minutes, u.minutes,
       u.days_n, half_even(u.minutes * 0.0001, 1) AS budget_minutes, half_even(greatest(u.minutes * 0.0001 - (u.minutes - u.up), 0), 1) AS left_minutes,
       u.minutes - u.up > u.minutes * 0.0001 AS is_spent,
       least(100, half_even((u.minutes - u.up) * 100 / nullif(u.minutes * 0.0001, 0), 1)) AS used_bar, u.minutes - u.up = 1 AS is_one_down
FROM (SELECT coalesce(sum(d.minutes), 0)::bigint AS minutes, coalesce(sum(d.minutes_up), 0)::bigint AS up, count(*) FILTER (WHERE d.minutes > 0) AS days_n
      FROM (SELECT business_date(now(), coalesce(timezone, 'UTC'), coalesce(cutoff_hours, 0)) AS today FROM booking_site) t,
           LATERAL uptime_days(t.today - 29, t.today) d) u

-- name: system_uptime_days
-- A row for each of them, oldest first. level: 0 not known, 1 all minutes, 2 within a tenth of a
-- percent, 3 within one, 4 worse.
SELECT d.day AS date, d.minutes, d.minutes - d.up AS down_minutes, d.minutes > 0 AS known, half_even(d.up * 100::numeric / nullif(d.minutes, 0), 3) AS uptime,
       CASE WHEN d.minutes = 0 THEN 0 WHEN d.up >= d.minutes THEN 1 WHEN d.up * 1000 >= d.minutes * 999 THEN 2 WHEN d.up * 100 >= d.minutes * 99 THEN 3 ELSE 4 END AS level,
       to_char(d.day, 'FMDy FMDD Mon') AS day_words
FROM (SELECT g.day::date AS day, coalesce(u.minutes, 0) AS minutes, coalesce(u.minutes_up, 0) AS up
      FROM (SELECT business_date(now(), coalesce(timezone, 'UTC'), coalesce(cutoff_hours, 0)) AS today FROM booking_site) t
      CROSS JOIN LATERAL generate_series(t.today::timestamp - interval '29 days', t.today::timestamp, interval '1 day') g(day)
      LEFT JOIN LATERAL uptime_days(t.today - 29, t.today) u ON u.business_date = g.day::date) d
ORDER BY 1

-- name: system_bookings
-- Everything about bookings in one row; none before anything was processed.
SELECT to_char(m.total_events, 'FM999,999,999,990') AS events, m.total_bookings, to_char(m.total_users, 'FM999,999,999,990') AS users, m.confirmed_bookings, m.cancelled_bookings,
       m.recent_bookings AS new_bookings, to_char(m.recent_events, 'FM999,999,999,990') AS new_events,
       m.avg_capacity_utilization, m.weighted_capacity_utilization, m.avg_cancellation_rate, m.weighted_cancellation_rate, s.currency,
       money(coalesce((m.money -> s.currency ->> 'total_minor')::numeric, 0), s.currency) AS booking_revenue,
       money(coalesce((m.money -> s.currency ->> 'recent_minor')::numeric, 0), s.currency) AS recent_booking_revenue,
       gb.rate AS new_bookings_change, gb.status = 'ok' AS has_bookings_change, gb.status = 'new' AS is_bookings_new,
       gr.rate AS booking_revenue_change, gr.status = 'ok' AS has_revenue_change, gr.status = 'new' AS is_revenue_new,
       (SELECT string_agg(o.key || ' ' || money((o.value ->> 'total_minor')::numeric, o.key), ', ' ORDER BY o.key)
        FROM jsonb_each(m.money) o WHERE o.key <> s.currency) AS other_money,
       to_char(m.updated_at AT TIME ZONE s.timezone, 'FMDD Mon YYYY, HH24:MI') AS updated
FROM system_metrics m JOIN booking_site s ON s.timezone IS NOT NULL,
     LATERAL growth(m.recent_bookings, 30, m.previous_bookings, 30, 30) gb,
     LATERAL growth(coalesce((m.money -> s.currency ->> 'recent_minor')::numeric, 0), 30, coalesce((m.money -> s.currency ->> 'previous_minor')::numeric, 0), 30, 30) gr

-- name: system_gaps
-- When messages of Redis's pub/sub may have been lost, newest first.
SELECT to_char(g.from_at AT TIME ZONE z.tz, 'FMDD Mon YYYY, HH24:MI:SS') AS from_words, to_char(g.until_at AT TIME ZONE z.tz, 'FMDD Mon YYYY, HH24:MI:SS') AS until_words,
       extract(epoch FROM g.until_at - g.from_at)::bigint AS took_s, g.until_at IS NULL AS still, g.reason
FROM redis_gap g, (SELECT coalesce((SELECT timezone FROM booking_site), 'UTC') AS tz) z
ORDER BY g.from_at DESC LIMIT 10

-- name: bookings_no_event
-- What a page of no event says beside its own words.
SELECT NULL::text AS detail, 'event_id'::text AS field
