-- realtime.sql: the answers of /realtime/...: who is there, what they do, what comes of it. Sessions and people are those of
-- tracked events (docs/ACTIVITY.md); orders and revenue are those of orders, as everywhere.

-- name: realtime_overview
-- Orders are null where nobody tells of them as they happen, the others where no event ever took effect. (live_today() would also
-- say what other days had come to by now, which takes ten times as long.)
SELECT now() AS timestamp, coalesce(a.active_users, 0) AS active_users, coalesce(a.active_sessions, 0) AS active_sessions,
       orders_shown((SELECT revenue_profile FROM site JOIN rules USING (rules_id)), t.counted, t.placed) AS orders_today,
       money(t.revenue_minor, t.currency) AS revenue_today, a.cart_value_avg, a.conversion_rate
FROM (SELECT) one
LEFT JOIN activity_now(:user_s::int, :session_s::int) a ON true
LEFT JOIN LATERAL (
	SELECT s.currency, d.revenue_minor, d.placed, d.counted
	FROM live_reach() r
	CROSS JOIN LATERAL report_scope(r.today, NULL, NULL, 1, NULL) s
	LEFT JOIN LATERAL live_days(r.today, r.today, s.currency, NULL, false) d ON true
	WHERE r.last_day >= r.today
) t ON true

-- name: realtime_users
-- :dimension: whether one is asked for and known, else NULL.
SELECT coalesce(a.active_users, 0) AS active_users, :user_s::int AS window_seconds, coalesce(a.active_users_5m, 0) AS active_users_5m, d.dimension_id,
       d.dimension_id IS NOT NULL AS has_dimension
FROM (SELECT) one
LEFT JOIN activity_now(:user_s::int, :session_s::int) a ON true
LEFT JOIN activity_dimension d ON d.name = :dimension
WHERE :dimension::text IS NULL OR d.dimension_id IS NOT NULL

-- name: realtime_no_dimension
SELECT 'there is no such dimension; there are ' || string_agg(name, ', ' ORDER BY dimension_id) AS detail, 'dimension' AS field FROM activity_dimension

-- name: realtime_user_minutes
-- The 29 minutes before the one that runs, and that: who did something in them, by when it came in. Of what happened a day before it
-- came in nobody can say that it goes on now.
WITH heard AS (
	SELECT DISTINCT date_trunc('minute', received_at) AS minute_at,
	       CASE WHEN user_id IS NOT NULL THEN 'user' WHEN anonymous_id IS NOT NULL THEN 'anonymous' ELSE 'session' END AS kind,
	       coalesce(user_id, anonymous_id, session_id) AS id
	FROM activity_event
	WHERE received_at >= date_trunc('minute', now()) - interval '29 minutes'
	  AND occurred_at > now() - interval '1 day' AND occurred_at < now() + interval '2 days' AND flags & 112 = 0
), seen AS (
	SELECT h.minute_at, count(DISTINCT v.person_id) AS n FROM heard h JOIN activity_visitor v USING (kind, id) GROUP BY 1
)
SELECT m AS at, coalesce(s.n, 0) AS active_users
FROM generate_series(date_trunc('minute', now()) - interval '29 minutes', date_trunc('minute', now()), interval '1 minute') m
LEFT JOIN seen s ON s.minute_at = m
ORDER BY m

-- name: realtime_user_groups
-- Somebody is in each group that an event of a session is in that goes on.
SELECT CASE g.value WHEN '' THEN '(not set)' ELSE g.value END AS value, count(DISTINCT v.visitor_id) AS active_users
FROM activity_visitor v
JOIN activity_session s ON s.person_id = v.visitor_id AND NOT s.bot AND s.last_received_at > now() - make_interval(secs => :user_s::int)
CROSS JOIN LATERAL (SELECT substr(e, length(:dimension_id) + 2) AS value FROM unnest(s.groups) e WHERE starts_with(e, :dimension_id || ':')) g
WHERE v.last_received_at > now() - make_interval(secs => :user_s::int)
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 100

-- name: realtime_sessions
SELECT coalesce(a.active_sessions, 0) AS active_sessions, :session_s::int AS window_seconds, coalesce(a.carts, 0) AS carts, a.cart_value_avg,
       coalesce(a.carts_unpriced, 0) AS carts_unpriced, coalesce(a.currency, activity_currency()) AS currency, coalesce(a.bot_sessions, 0) AS bot_sessions
FROM (SELECT) one LEFT JOIN activity_now(:user_s::int, :session_s::int) a ON true

-- name: realtime_session_list
-- Who it is, is for those who may know; the number of a person says nothing elsewhere.
SELECT s.person_id AS visitor, CASE WHEN :personal::boolean AND v.kind = 'user' THEN v.id END AS user_id,
       CASE WHEN :personal::boolean THEN s.session_id END AS session_id, s.started_at, s.last_at AS last_seen_at, s.events, s.page_views,
       s.landing, s.leaving AS page, s.source, s.device, half_even(s.cart, money_exponent(activity_currency())) AS cart_value,
       s.steps & 8 > 0 AS converted
FROM activity_session s LEFT JOIN activity_visitor v ON v.visitor_id = s.person_id
WHERE s.last_at > now() - make_interval(secs => :session_s::int) AND NOT s.ended AND NOT s.bot
ORDER BY s.started_at DESC, s.activity_session_id DESC LIMIT 50

-- name: realtime_conversions
SELECT :window_s::int AS window_seconds, p.n AS purchases_in_window, coalesce(s.events, 0) AS purchases_today, coalesce(a.sessions_today, 0) AS sessions_today,
       coalesce(a.converted_today, 0) AS converted_today, a.conversion_rate, coalesce(a.today, '-infinity') AS today, coalesce(a.starts_at, now()) AS starts_at
FROM (SELECT count(*) AS n FROM activity_event
      WHERE event_type = 'purchase' AND received_at > now() - make_interval(secs => :window_s::int)
        AND occurred_at > now() - interval '1 day' AND occurred_at < now() + interval '2 days' AND flags & 112 = 0) p
LEFT JOIN activity_now(:user_s::int, :session_s::int) a ON true
LEFT JOIN activity_sum s ON s.grain = 'day' AND NOT s.bot AND s.dimension_id = 0 AND s.bucket_at = a.starts_at AND s.event_type = 'purchase' AND s.value = ''

-- name: realtime_funnel
-- Sessions that began today and took this step and all before it, and the events of that step.
WITH began AS MATERIALIZED (
	SELECT steps, count(*) AS n FROM activity_session WHERE business_date = :today::date AND NOT bot GROUP BY steps
)
SELECT f.step, coalesce((SELECT sum(n) FROM began b WHERE b.steps & f.bits = f.bits), 0)::bigint AS sessions,
       coalesce((SELECT s.events FROM activity_sum s WHERE s.grain = 'day' AND NOT s.bot AND s.dimension_id = 0 AND s.bucket_at = :starts_at::timestamptz
                                                       AND s.event_type = f.step AND s.value = ''), 0) AS events
FROM (VALUES ('product_view', 1), ('add_to_cart', 3), ('checkout_start', 7), ('purchase', 15)) f(step, bits)
ORDER BY f.bits
